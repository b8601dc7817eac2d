// Providers: how much of each limit is used and who waits, breakers with why and until when, and changing both with the
// effect shown before.

import { html, useState } from "../../vendor/htm-preact.js";
import { at, get, post, put, useLoad } from "../../api.js";
import { businessName } from "../../business.js";
import { link } from "../../route.js";
import { can } from "../../session.js";
import { clockOf, duration, money, number, plural, short, t } from "../../strings.js";
import { Button, Chip, confirm, Dialog, Empty, ErrorBox, Gauge, SelectField, TextField, Time, toast } from "../../ui.js";
import { breakersOf, dayIsUsed, providerOf, whyOpen } from "./breakers.js";

const w = t.operate;
const FIELDS = ["calls_per_minute", "tokens_per_minute", "calls_at_once", "calls_per_day", "tokens_per_day", "usd_per_day"];
const nothing = (error) => { if ([403, 404, 422, 400].includes(error.status)) return null; throw error; };

export function Providers({ overview, health, reload, businesses }) {
  const isWaiting = overview.limits.some((limit) => limit.waiting > 0) || overview.queues.some((queue) => queue.waiting > 0);
  const isOpen = Object.values(overview.breakers).some((state) => state !== "closed");
  const waiting = useLoad((signal) => (can("read") && isWaiting ? get("/api/jobs", { status: "waiting", limit: 200 }, { signal }).catch(nothing) : Promise.resolve(null)), [isWaiting], { every: isWaiting ? 10_000 : 0 });
  const changes = useLoad((signal) => (isOpen ? get("/api/audit", { action: "breakers.", limit: 20 }, { signal }).catch(nothing) : Promise.resolve(null)), [isOpen], { every: isOpen ? 15_000 : 0 });
  const names = [...new Set([...overview.limits.map((limit) => limit.provider), ...Object.keys(overview.breakers).map(providerOf)])];
  if (names.length === 0) return html`<${Empty} title=${w.noProviders} text=${w.noProvidersText} />`;
  return html`<div class="providers">${names.map((provider) => html`<${Provider} key=${provider} ...${{ provider, overview, health, reload, businesses, waiting: waiting.data?.data, changes: changes.data?.data }} />`)}</div>`;
}

function Provider({ provider, overview, health, reload, businesses, waiting, changes }) {
  const breakers = breakersOf(overview, provider), limits = overview.limits.filter((limit) => limit.provider === provider);
  const jobs = (waiting ?? []).filter((job) => job.waiting?.provider === provider);
  const troubles = Object.entries(health?.checks?.troubles ?? {}).filter(([name]) => providerOf(name) === provider);
  return html`<section class="sheet stack provider" aria-labelledby=${`provider-${provider}`}>
    <div class="row between"><h2 id=${`provider-${provider}`}>${provider}</h2><${BreakerTools} ...${{ provider, breakers, limits, reload }} /></div>
    ${troubles.map(([name, trouble]) => html`<p key=${name} class="note bad small"><span>${w.notes.trouble(name, trouble)} ${w.troubleSeen} <${Time} at=${trouble.seen_at} />.</span></p>`)}
    <ul class="plain breakers">${breakers.map((breaker) => html`<${Breaker} key=${breaker.name} ...${{ breaker, provider, waiting, changes, trouble: health?.checks?.troubles?.[breaker.name] }} />`)}</ul>
    ${limits.map((limit) => html`<${Limit} key=${limit.model ?? ""} ...${{ limit, reload, isOnly: limits.length === 1, isStopped: breakers.some(({ state }) => state !== "closed") }} />`)}
    <${Waiters} jobs=${jobs} isWhole=${(waiting ?? []).length < 200} businesses=${businesses} />
  </section>`;
}

const STATE = { closed: "good", open: "bad", half_open: "warn" };
function Breaker({ breaker, provider, waiting, changes, trouble }) {
  const { model, state } = breaker;
  const why = state === "closed" ? null : whyOpen({ provider, state, changes, waiting, trouble });
  return html`<li><div class="row between"><span class="small">${model}</span><${Chip} kind=${STATE[state] ?? ""}>${w.breakerStates[state] ?? state}<//></div>
    ${why && html`<p class="tiny soft">${why.text} ${why.until && html`${w.trialAt} <${Time} at=${why.until} as="clock" /> (<${Time} at=${why.until} />).`}</p>`}</li>`;
}

/** How much is used. A call of the last minute comes back when it is 60 s old; what is of a day, at midnight UTC. */
function Limit({ limit, reload, isOnly, isStopped }) {
  const [isOpen, setOpen] = useState(false);
  const { in_force: most, capacity, remaining } = limit;
  const name = limit.model ?? (isOnly ? null : w.allModels);
  const gauges = [
    ["calls_per_minute", capacity - remaining, capacity, w.gauge(number(capacity - remaining), number(capacity))],
    most.tokens_per_minute && ["tokens_per_minute", limit.tokens_used, most.tokens_per_minute, w.gauge(short(limit.tokens_used), short(most.tokens_per_minute))],
    most.calls_per_day && ["calls_per_day", limit.calls_today, most.calls_per_day, w.gauge(number(limit.calls_today), number(most.calls_per_day))],
    most.tokens_per_day && ["tokens_per_day", limit.tokens_today, most.tokens_per_day, w.gauge(short(limit.tokens_today), short(most.tokens_per_day))],
    most.usd_per_day && ["usd_per_day", limit.usd_today, most.usd_per_day, w.gauge(money(limit.usd_today), money(most.usd_per_day))],
  ].filter(Boolean);
  const isDay = most.calls_per_day || most.tokens_per_day || most.usd_per_day;
  const isSet = FIELDS.some((field) => limit.set[field] !== null);
  return html`<div class="stack-s limit">
    <div class="row between">${name ? html`<h3>${name}</h3>` : html`<h3>${w.limits}</h3>`}
      ${can("operate") && html`<${Button} small icon="edit" onClick=${() => setOpen(true)}>${w.changeLimits}<span class="visually-hidden">: ${w.changeLimitsOf(limit.model ?? limit.provider)}</span><//>`}</div>
    ${gauges.map(([field, value, max, text]) => html`<${Gauge} key=${field} label=${w.fields[field]} value=${value} max=${max} text=${text} />`)}
    <p class="tiny soft num">${[
      limit.closed_until ? null : w.refill(capacity), isDay && w.refillDay(duration(untilMidnight())),
      !most.tokens_per_minute && limit.tokens_used > 0 && w.tokensNow(short(limit.tokens_used)), !isDay && w.today(number(limit.calls_today), short(limit.tokens_today), money(limit.usd_today)),
      most.calls_at_once && w.atOnce(most.calls_at_once), isSet && w.setByOperator,
    ].filter(Boolean).join(" ")}</p>
    ${limit.closed_until && html`<p class="note warn small"><span>${w.pausedItself} <${Time} at=${limit.closed_until} as="clock" /> (<${Time} at=${limit.closed_until} />).</span></p>`}
    ${limit.told.map((told) => html`<p key=${told.model} class="tiny soft">${w.told(told)}</p>`)}
    ${limit.waiting > 0 && html`<p class="small">${w.waitFor(limit.waiting)} ${dayIsUsed(limit) ? w.untilTomorrow : limit.closed_until || isStopped ? "" : w.throughput(limit.waiting, capacity)}</p>`}
    ${isOpen && html`<${LimitDialog} limit=${limit} onClose=${() => setOpen(false)} reload=${reload} />`}
  </div>`;
}

const untilMidnight = () => (new Date().setUTCHours(24, 0, 0, 0) - Date.now()) / 1000;

/** Who waits: businesses with their jobs, the most first. */
function Waiters({ jobs, isWhole, businesses }) {
  if (jobs.length === 0) return null;
  const of = Map.groupBy ? Map.groupBy(jobs, (job) => job.business_id) : jobs.reduce((map, job) => map.set(job.business_id, [...(map.get(job.business_id) ?? []), job]), new Map());
  const rows = [...of].sort((a, b) => b[1].length - a[1].length);
  const first = jobs.map((job) => job.waiting.until).sort()[0];
  return html`<div class="stack-s waiters"><h3>${w.whoWaits(isWhole ? plural(jobs.length, "job") : w.atLeast(jobs.length))}</h3>
    <ul class="plain small">${rows.slice(0, 6).map(([business, list]) => html`<li key=${business} class="row between"><a href=${link("work", { status: "waiting", business })}>${businessName(businesses, business)}</a><span class="num soft">${reasons(list)}</span></li>`)}</ul>
    ${rows.length > 6 && html`<p class="tiny soft">${w.others(rows.length - 6)}</p>`}
    <p class="tiny soft">${new Date(first) > new Date() ? html`${w.firstGoesOn} <${Time} at=${first} />.` : w.firstNow}</p></div>`;
}
const reasons = (list) => Object.entries(list.reduce((all, job) => ({ ...all, [job.waiting.reason]: (all[job.waiting.reason] ?? 0) + 1 }), {})).map(([reason, n]) => `${number(n)} ${w.reasons[reason] ?? reason}`).join(", ");

function BreakerTools({ provider, breakers, limits, reload }) {
  const [isOpen, setOpen] = useState(false);
  if (!can("operate")) return null;
  const isStopped = breakers.some((breaker) => breaker.state !== "closed") || limits.some((limit) => limit.closed_until);
  const close = async () => {
    const waiting = limits.reduce((sum, limit) => sum + limit.waiting, 0);
    if (!(await confirm({ title: w.closeTitle(provider), text: w.closeText(waiting), action: w.closeAction, danger: false }))) return;
    try {
      const answer = await post(at`/api/ops/breakers/${provider}/close`);
      toast(answer.closed_until ? w.closedButFlushed(clockOf(answer.closed_until)) : w.closedDone(provider));
      reload();
    } catch (error) {
      toast(error.detail ?? error.message, { kind: "bad" });
    }
  };
  return html`<div class="row">
    ${isStopped && html`<${Button} small kind="primary" icon="play" onClick=${close}>${w.closeAction}<//>`}
    <${Button} small kind="danger" icon="pause" onClick=${() => setOpen(true)}>${w.openAction}<//>
    ${isOpen && html`<${OpenDialog} ...${{ provider, breakers, limits, reload }} onClose=${() => setOpen(false)} />`}
  </div>`;
}

const SPANS = [60, 300, 900, 3600, 21_600, 86_400];
function OpenDialog({ provider, breakers, limits, reload, onClose }) {
  const [seconds, setSeconds] = useState("900");
  const [state, setState] = useState({ busy: false, error: null });
  const send = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      await post(`${at`/api/ops/breakers/${provider}/open`}?seconds=${seconds}`);
      toast(w.openDone(provider));
      onClose();
      reload();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  const waiting = limits.reduce((sum, limit) => sum + limit.waiting, 0);
  return html`<${Dialog} title=${w.openTitle(provider)} onClose=${onClose}><form class="stack" onSubmit=${send}>
    <p>${w.openText(breakers.length, waiting)}</p>
    <${SelectField} label=${w.forHowLong} value=${seconds} onChange=${setSeconds} options=${SPANS.map((n) => ({ value: String(n), label: w.span(n) }))} />
    <p class="small" role="status">${w.openUntil(clockOf(Date.now() + seconds * 1000))}</p>
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
    <div class="row end"><${Button} onClick=${onClose}>${t.ui.cancel}<//><${Button} kind="danger" type="submit" busy=${state.busy}>${w.openAction}<//></div>
  </form><//>`;
}

function LimitDialog({ limit, onClose, reload }) {
  const [form, setForm] = useState(Object.fromEntries(FIELDS.map((field) => [field, limit.set[field] === null ? "" : String(limit.set[field])])));
  const [state, setState] = useState({ busy: false, error: null });
  const body = Object.fromEntries(FIELDS.map((field) => [field, form[field].trim() === "" ? null : Number(form[field])]));
  const changed = FIELDS.filter((field) => body[field] !== limit.set[field]);
  const send = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      const answer = await put(at`/api/ops/limits/${limit.provider}` + (limit.model ? `?model=${encodeURIComponent(limit.model)}` : ""), body);
      toast(`${w.limitsSet}${answer.in_force ? "" : ` ${w.notInForce}`}`);
      onClose();
      reload();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  const told = limit.told.find((one) => !limit.model || one.model === limit.model);
  return html`<${Dialog} wide title=${w.changeLimitsOf(limit.model ?? limit.provider)} onClose=${onClose}><form class="stack" onSubmit=${send} novalidate>
    <p class="small soft">${w.limitsLead}</p>
    <div class="pairs">${FIELDS.map((field) => html`<${TextField} key=${field} label=${w.fields[field]} hint=${w.now(w.value(field, limit.in_force[field]))} error=${state.error?.fields?.[field]} type="number" inputmode="decimal" min=${field === "calls_per_minute" ? 1 : 0} step=${field === "usd_per_day" ? "0.01" : "1"} placeholder=${w.asConfigured} value=${form[field]} onInput=${(value) => setForm((old) => ({ ...old, [field]: value }))} />`)}</div>
    <section class="note effect" role="status" aria-label=${w.effect}><strong>${w.effect}</strong>
      ${changed.length === 0 ? html`<span class="small">${w.noChange}</span>` : html`<ul class="small">${changed.map((field) => html`<li key=${field}>${effectOf(field, limit, body[field], told)}</li>`)}</ul>`}</section>
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
    <div class="row end"><${Button} onClick=${onClose}>${t.ui.cancel}<//><${Button} kind="primary" type="submit" disabled=${changed.length === 0} busy=${state.busy}>${w.setLimits}<//></div>
  </form><//>`;
}

/** Old → new, and what it means. */
function effectOf(field, limit, value, told) {
  const old = limit.in_force[field];
  const line = w.oldNew(w.fields[field], w.value(field, old), value === null ? w.asConfigured : value === 0 ? w.noLimit : w.value(field, value));
  const more = [];
  if (field === "calls_per_minute" && value) more.push(w.perHour(value * 60, old ? old * 60 : null), limit.waiting > 0 && w.throughput(limit.waiting, value));
  if (field.endsWith("per_day") && value) {
    const used = { calls_per_day: limit.calls_today, tokens_per_day: limit.tokens_today, usd_per_day: limit.usd_today }[field];
    more.push(used >= value ? w.usedUp(w.value(field, used)) : w.leftToday(w.value(field, value - used)));
  }
  if (told?.[field] && value && value > told[field]) more.push(w.aboveTold(w.value(field, told[field])));
  return [line, ...more.filter(Boolean)].join(" ");
}
