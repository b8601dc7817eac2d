// Operate: how the service does, and the hand on it. One reading of the overview is shared by its parts here: what needs
// somebody, queues, providers, workers. `operate/records.js` has those that load their own.

import { html, useState } from "../vendor/htm-preact.js";
import { at, get, post, put, slugOf, useLoad } from "../api.js";
import { link } from "../route.js";
import { businessName, can } from "../session.js";
import { clockOf, dayOf, duration, money, number, plural, short, t } from "../strings.js";
import { Button, Chip, confirm, cx, Dialog, Empty, ErrorBox, Figure, FormDialog, Gauge, Guard, Icon, LineChart, PageHead, SelectField, Skeleton, Table, Tabs, TextField, Time, toast, tried, useSending } from "../ui.js";
import { Changes, Dead, Effects, Keys, Shares } from "./operate/records.js";
import { shortId, stageName, useFocusKept } from "./work/job.js";

const w = t.operate;
const EVERY = 4000;
// `needs`: what the part is made of; parts without it load their own.
const PARTS = [
  { id: "now", view: Now, needs: "overview" }, { id: "providers", view: Providers, needs: "overview" }, { id: "workers", view: Workers, needs: "overview" },
  { id: "dead", view: Dead }, { id: "shares", view: Shares }, { id: "keys", view: Keys }, { id: "changes", view: Changes },
];

export default function Operate(props) {
  const { route } = props;
  const [isHeld, hold] = useState(false);
  const every = isHeld ? 0 : EVERY;
  const isWhole = !props.session?.key?.businesses;
  const part = PARTS.find(({ id }) => id === route.parts[0]) ?? PARTS.find(({ needs }) => isWhole || !needs);
  const overview = useLoad((signal) => (isWhole && part.needs ? get("/api/ops/overview", undefined, { signal }) : Promise.resolve(null)), [isWhole, !!part.needs], { every: part.needs ? every : 0 });
  const health = useLoad((signal) => (part.needs ? healthOf(signal) : Promise.resolve(null)), [!!part.needs], { every: part.needs ? every && every * 3 : 0 });
  const tabs = PARTS.map(({ id }) => ({ id, label: w.parts[id], href: link(id === "now" ? "operate" : ["operate", id]) }));
  return html`<${PageHead} title=${w.title} lead=${w.lead}>${part.needs && isWhole && html`<${Freshness} overview=${overview} isHeld=${isHeld} hold=${hold} />`}<//>
    <div class="stack-l operate">
      <${Tabs} label=${w.partsLabel} tabs=${tabs} current=${part.id} />
      ${!can("operate") && html`<p class="note small">${w.readOnly}</p>`}
      <${Guard} key=${part.id}>${part.needs ? html`<${WithOverview} ...${{ part, overview, health, isWhole, props }} />` : html`<${part.view} ...${props} every=${every} />`}<//>
    </div>`;
}

/** The health tells more than a status: an unwell service answers 503 with the same body. */
async function healthOf(signal) {
  const response = await fetch("health", { signal, headers: { accept: "application/json" }, credentials: "same-origin" });
  return (response.headers.get("content-type") ?? "").includes("json") ? response.json() : null;
}

function WithOverview({ part, overview, health, isWhole, props }) {
  if (!isWhole) return html`<${Empty} title=${w.notWhole} text=${w.notWholeText}><${Button} href=${link(["operate", "dead"])}>${w.parts.dead}<//><//>`;
  if (!overview.data) return overview.error ? html`<${ErrorBox} error=${overview.error} onRetry=${overview.reload} />` : html`<${Skeleton} lines=${8} height="24rem" />`;
  return html`${overview.error && html`<${ErrorBox} error=${overview.error} onRetry=${overview.reload} />`}
    <${part.view} ...${props} overview=${overview.data} health=${health.data} reload=${overview.reload} />`;
}

/** From when the figures are, and how to hold them still. */
function Freshness({ overview, isHeld, hold }) {
  const at = overview.data?.timestamp;
  return html`<span class="small soft num fresh">${at ? w.asOf(at) : ""}</span>
    <${Button} small icon=${isHeld ? "play" : "pause"} aria-pressed=${isHeld} onClick=${() => hold(!isHeld)}>${isHeld ? w.goOn : w.hold}<//>`;
}

// # Now: what needs somebody, and the queues

// Milliseconds since a worker was heard of.
const LATE = 15_000, LOST = 60_000;

function Now({ route, overview, health, reload }) {
  const range = RANGES[route.query.range] ? route.query.range : "hour";
  const dead = useLoad((signal) => get("/api/ops/dead/count", undefined, { signal }), [], { every: 15_000 });
  return html`<${Figures} overview=${overview} />
    <${Attention} notes=${attention(overview, health, dead.data)} />
    <section class="stack" aria-labelledby="queues">
      <div class="row between"><h2 id="queues">${w.queues}</h2><${Range} range=${range} query=${route.query} /></div>
      <div class="queues">${overview.queues.map((queue) => html`<${Queue} key=${queue.kind} queue=${queue} range=${range} reload=${reload} />`)}</div>
    </section>`;
}

function Figures({ overview: { queues, workers } }) {
  const sum = (name) => queues.reduce((all, queue) => all + queue[name], 0);
  const slots = workers.reduce((all, worker) => all + (worker.concurrency ?? 0), 0);
  return html`<div class="figures">
    <${Figure} label=${w.figures.line} value=${number(sum("queued"))} />
    <${Figure} label=${w.figures.waiting} value=${number(sum("waiting"))} />
    <${Figure} label=${w.figures.running} value=${number(sum("running"))} />
    <${Figure} label=${w.figures.done} value=${number(sum("succeeded_last_minute"))} unit=${w.figures.minute} />
    <${Figure} label=${w.figures.failed} value=${number(sum("failed_last_minute"))} unit=${w.figures.minute} />
    <${Figure} label=${w.figures.workers} value=${number(workers.length)} unit=${slots ? w.figures.slots(slots) : ""} />
  </div>`;
}

/** What somebody should look at: `[{kind, text, href, action}]`, the worst first. */
function attention(overview, health, dead) {
  const notes = [];
  const note = (kind, text, href, action) => notes.push({ kind, text, href, action });
  const { queues, workers, limits } = overview;
  const open = queues.reduce((all, queue) => all + queue.queued + queue.waiting, 0);
  if (!overview.redis) note("bad", w.notes.redis);
  if (health?.checks?.postgres?.status === "down") note("bad", w.notes.postgres);
  const alive = workers.filter((worker) => worker.last_seen_at && Date.now() - new Date(worker.last_seen_at) < 60_000);
  if (alive.length === 0) note("bad", w.notes.noWorkers(open), link(["operate", "workers"]), w.parts.workers);
  for (const [name, trouble] of Object.entries(health?.checks?.troubles ?? {})) note("bad", w.notes.trouble(name, trouble), link(["operate", "providers"]), w.parts.providers);
  for (const [name, state] of Object.entries(overview.breakers)) if (state !== "closed") note("warn", w.notes.breaker(name, state), link(["operate", "providers"]), w.parts.providers);
  for (const limit of limits) {
    const name = limit.model ? `${limit.provider}/${limit.model}` : limit.provider;
    if (limit.closed_until) note("warn", w.notes.closed(name, clockOf(limit.closed_until)), link(["operate", "providers"]), w.parts.providers);
    else if (limit.waiting > 0 && limit.remaining === 0) note("warn", w.notes.full(name, limit.waiting), link(["operate", "providers"]), w.parts.providers);
    else if (dayIsUsed(limit)) note("warn", w.notes.dayFull(name), link(["operate", "providers"]), w.parts.providers);
    else if (limit.told.length > 0) note("", w.notes.told(name), link(["operate", "providers"]), w.parts.providers);
  }
  for (const queue of queues) {
    const kind = t.jobKind[queue.kind];
    if (queue.intake === "paused") note("warn", w.notes.paused(kind, queue.queued + queue.waiting));
    if (queue.intake === "draining") note("warn", w.notes.draining(kind, queue.queued));
  }
  const late = alive.filter((worker) => Date.now() - new Date(worker.last_seen_at) > LATE);
  if (late.length > 0) note("warn", w.notes.late(late.length), link(["operate", "workers"]), w.parts.workers);
  if (dead?.count > 0) note("warn", w.notes.dead(dead.count), link(["operate", "dead"]), w.parts.dead);
  const order = ["bad", "warn", ""];
  return notes.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
}

function Attention({ notes }) {
  return html`<section class="sheet stack-s attention" aria-labelledby="attention"><h2 id="attention" class="aside-head">${w.attention}</h2>
    <p class="visually-hidden" role="status">${w.attentionCount(notes.length)}</p>
    <ul class="plain">${notes.length === 0
      ? html`<li class="row good"><${Icon} name="check" /><span>${w.allWell}</span></li>`
      : notes.map((note) => html`<li key=${note.text} class=${cx("row nowrap", note.kind)}><${Icon} name=${note.kind ? "warn" : "right"} /><span>${note.text} ${note.href && html`<a href=${note.href}>${note.action}</a>`}</span></li>`)}</ul>
  </section>`;
}

const Range = ({ range, query }) => html`<nav class="pills ranges" aria-label=${w.history.range}>${Object.keys(RANGES).map((one) => html`<a key=${one} class="pill" href=${link("operate", { ...query, range: one === "hour" ? undefined : one })} aria-current=${one === range ? "true" : undefined}>${w.history.ranges[one]}</a>`)}</nav>`;

const INTAKE = { open: "good", draining: "warn", paused: "warn" };

function Queue({ queue, range, reload }) {
  const { kind, intake } = queue;
  return html`<article class="sheet queue" aria-labelledby=${`queue-${kind}`}>
    <div class="queue-head"><h3 id=${`queue-${kind}`}>${t.jobKind[kind]}</h3>
      <${Chip} kind=${INTAKE[intake] ?? ""}>${intake ? w.intake[intake] : w.intake.unknown}<//>
      ${queue.redis?.capped > 0 && html`<a class="tiny" href=${link(["operate", "shares"])}>${w.counts.capped(queue.redis.capped)}</a>`}
      <${QueueTools} queue=${queue} reload=${reload} /></div>
    <dl class="counts num">
      <${Count} label=${w.counts.line} value=${queue.queued} href=${link("work", { kind, status: "queued" })} />
      <${Count} label=${w.counts.waiting} value=${queue.waiting} href=${link("work", { kind, status: "waiting" })} />
      <${Count} label=${w.counts.running} value=${queue.running} href=${link("work", { kind, status: "running" })} />
      <${Count} label=${w.counts.oldest} value=${queue.oldest_age_seconds === null ? "–" : duration(queue.oldest_age_seconds)} />
      <${Count} label=${w.counts.done} value=${queue.succeeded_last_minute} />
      <${Count} label=${w.counts.failed} value=${queue.failed_last_minute} kind=${queue.failed_last_minute > 0 ? "bad" : ""} />
    </dl>
    <${History} kind=${kind} range=${range} />
  </article>`;
}

const Count = ({ label, value, href, kind }) => html`<div class=${cx("count", kind)}><dt class="tiny soft">${label}</dt><dd>${href && value > 0 && can("read") ? html`<a href=${href}>${number(value)}</a>` : typeof value === "number" ? number(value) : value}</dd></div>`;

function QueueTools({ queue, reload }) {
  const [busy, setBusy] = useState(null);
  const ref = useFocusKept();
  if (!can("operate")) return null;
  const { kind, intake } = queue, name = t.jobKind[kind];
  const set = async (act, question) => {
    if (question && !(await confirm(question))) return;
    setBusy(act);
    await tried(async () => {
      const state = await post(at`/api/ops/queues/${kind}/${act}`);
      toast(`${w.queueDone[act](name)}${state.in_force ? "" : ` ${w.notInForce}`}`);
      reload();
    });
    setBusy(null);
  };
  const ready = queue.queued + queue.waiting;
  return html`<div class="row queue-tools" ref=${ref}>
    ${intake !== "open" && html`<${Button} small kind="primary" icon="play" busy=${busy === "resume"} onClick=${() => set("resume", { title: w.resumeTitle(name), text: w.resumeText(ready), action: w.resume, danger: false })}>${w.resume}<//>`}
    ${intake === "open" && html`<${Button} small busy=${busy === "drain"} onClick=${() => set("drain", { title: w.drainTitle(name), text: w.drainText(queue.queued, queue.waiting, queue.running), action: w.drainAction })}>${w.drain}<//>`}
    ${intake !== "paused" && html`<${Button} small kind="danger" icon="pause" busy=${busy === "pause"} onClick=${() => set("pause", { title: w.pauseTitle(name), text: w.pauseText(ready, queue.running), action: w.pauseAction })}>${w.pause}<//>`}
  </div>`;
}

// # What a queue has been through: small lines of depth, age, waits and run times; each opens as a chart

const wh = t.operate.history;
const HOUR = 3_600_000;
const RANGES = {
  hour: { step: "minute", ms: HOUR, slot: 60_000, every: 30_000 },
  day: { step: "hour", ms: 24 * HOUR, slot: HOUR, every: 300_000 },
  month: { step: "hour", ms: 30 * 24 * HOUR, slot: 6 * HOUR, every: 300_000 },
};
// Most jobs that wait are delayed in Redis too; after a flush of Redis only the rows know them.
const depthOf = (row) => Math.max(row.ready + row.delayed, row.waiting);
const MEASURES = [
  { key: "depth", lines: [depthOf], format: (n) => number(Math.round(n)) },
  { key: "age", lines: [(row) => row.oldest_age_seconds], format: duration },
  { key: "waits", lines: [(row) => row.wait_seconds?.p50, (row) => row.wait_seconds?.p95], format: duration },
  { key: "runs", lines: [(row) => row.run_seconds?.p50, (row) => row.run_seconds?.p95], format: duration },
  { key: "ended", lines: [(row) => row.ended, (row) => row.failed], format: number, isSum: true },
];

/** Rows on an even grid of slots from the oldest to now; several of one slot become one. */
function slots(data, { ms, slot }) {
  const end = Math.floor(Date.now() / slot) * slot, n = Math.round(ms / slot);
  const grid = Array.from({ length: n }, (_, i) => ({ at: end - (n - 1 - i) * slot, rows: [] }));
  for (const row of data) {
    const i = n - 1 - Math.round((end - Math.floor(new Date(row.at) / slot) * slot) / slot);
    grid[i]?.rows.push(row);
  }
  return grid;
}
const valueOf = (rows, read, isSum) => {
  const values = rows.map(read).filter((value) => value !== null && value !== undefined);
  if (values.length === 0) return null;
  const sum = values.reduce((a, b) => a + b, 0);
  return isSum ? sum : sum / values.length;
};

function useHistory(kind, range) {
  const { step, ms, every } = RANGES[range];
  return useLoad(async (signal) => {
    const { data } = await get(at`/api/ops/queues/${kind}/history`, { step, since: new Date(Date.now() - ms).toISOString() }, { signal });
    return { range, rows: data };
  }, [kind, range], { every });
}

function History({ kind, range }) {
  const told = useHistory(kind, range);
  const [open, setOpen] = useState(null);
  const isThis = told.data?.range === range;
  const grid = slots(isThis ? told.data.rows : [], RANGES[range]);
  const measures = MEASURES.map((measure) => ({ ...measure, series: measure.lines.map((read) => grid.map(({ at: when, rows }) => ({ x: when, y: valueOf(rows, read, measure.isSum) }))) }));
  if (isThis && measures.every(({ series }) => series.every((points) => known(points).length === 0))) return html`<p class="sparks-none tiny soft">${wh.nothingYet[range]}</p>`;
  const shown = measures.find(({ key }) => key === open);
  return html`<div class=${cx("sparks", !isThis && "loading")}>${measures.map((measure) => html`<${Spark} key=${measure.key} measure=${measure} onOpen=${() => setOpen(measure.key)} />`)}</div>
    ${shown && html`<${Dialog} wide title=${`${t.jobKind[kind]}: ${wh.names[shown.key]}`} onClose=${() => setOpen(null)}>
      <${LineChart} title=${wh.spans[range]} describe=${describe(shown)} min=${0} formatX=${range === "month" ? dayOf : clockOf} formatY=${shown.format}
        series=${shown.series.map((points, i) => ({ name: wh.lines[shown.key]?.[i] ?? wh.names[shown.key], points }))} />
    <//>`}`;
}

const known = (points) => points.map((point) => point.y).filter((y) => y !== null);
function describe({ key, series, format }) {
  const all = known(series[0]);
  return all.length === 0 ? wh.nothing : wh.summary(wh.names[key], format(all.at(-1)), format(Math.max(...all)));
}

function Spark({ measure, onOpen }) {
  const { key, series, format, isSum } = measure;
  // The newest slot may not be written yet: the one before counts too.
  const all = known(series[0]), last = isSum ? all.reduce((a, b) => a + b, 0) : series[0].at(-1).y ?? series[0].at(-2)?.y ?? null;
  const top = Math.max(1e-9, ...series.flatMap(known));
  return html`<button type="button" class="spark-cell" disabled=${all.length === 0} onClick=${onOpen}>
    <span class="spark-name tiny soft">${wh.names[key]}</span>
    <span class="spark-last num">${all.length === 0 || last === null ? "–" : format(last)}</span>
    <svg class="spark" viewBox="0 0 100 32" preserveAspectRatio="none" aria-hidden="true">
      <path class="area" d=${area(series[0], top)} />
      ${series.toReversed().map((points, i) => html`<path key=${i} class=${cx(i === series.length - 1 ? "first" : key === "ended" ? "bad" : "second")} d=${path(points, top)} />`)}
    </svg>
    <span class="spark-max tiny soft num">${all.length === 0 ? wh.none : isSum ? wh.failed(known(series[1]).reduce((a, b) => a + b, 0)) : wh.most(format(Math.max(...series.flatMap(known))))}</span>
    ${all.length > 0 && html`<span class="visually-hidden">${wh.open}</span>`}
  </button>`;
}

const X = (i, n) => (n > 1 ? (i / (n - 1)) * 100 : 0).toFixed(2);
const Y = (y, top) => (30 - (y / top) * 28).toFixed(2);
/** A line with gaps; what stands alone is a dash, so that it is seen. */
function path(points, top) {
  let d = "", pen = false;
  points.forEach(({ y }, i) => {
    if (y === null) { pen = false; return; }
    const isAlone = !pen && (points[i + 1]?.y ?? null) === null;
    d += `${pen ? "L" : "M"}${X(i, points.length)} ${Y(y, top)}${isAlone ? "h.8" : ""}`;
    pen = true;
  });
  return d;
}
function area(points, top) {
  let d = "", from = null;
  points.forEach(({ y }, i) => {
    if (y !== null) {
      d += from === null ? `M${X(i, points.length)} 30L${X(i, points.length)} ${Y(y, top)}` : `L${X(i, points.length)} ${Y(y, top)}`;
      from ??= i;
    }
    if (from !== null && (points[i + 1]?.y ?? null) === null) {
      d += `L${X(i, points.length)} 30Z`;
      from = null;
    }
  });
  return d;
}

// # Providers: how much of each limit is used and who waits, breakers, and changing both with the effect shown before

const FIELDS = ["calls_per_minute", "tokens_per_minute", "calls_at_once", "calls_per_day", "tokens_per_day", "usd_per_day"];
const nothing = (error) => { if ([403, 404, 422, 400].includes(error.status)) return null; throw error; };

function Providers({ overview, health, reload, businesses }) {
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
  const close = () => tried(async () => {
    const waiting = limits.reduce((sum, limit) => sum + limit.waiting, 0);
    if (!(await confirm({ title: w.closeTitle(provider), text: w.closeText(waiting), action: w.closeAction, danger: false }))) return;
    const answer = await post(at`/api/ops/breakers/${provider}/close`);
    toast(answer.closed_until ? w.closedButFlushed(clockOf(answer.closed_until)) : w.closedDone(provider));
    reload();
  });
  return html`<div class="row">
    ${isStopped && html`<${Button} small kind="primary" icon="play" onClick=${close}>${w.closeAction}<//>`}
    <${Button} small kind="danger" icon="pause" onClick=${() => setOpen(true)}>${w.openAction}<//>
    ${isOpen && html`<${OpenDialog} ...${{ provider, breakers, limits, reload }} onClose=${() => setOpen(false)} />`}
  </div>`;
}

const SPANS = [60, 300, 900, 3600, 21_600, 86_400];
function OpenDialog({ provider, breakers, limits, reload, onClose }) {
  const [seconds, setSeconds] = useState("900");
  const form = useSending(async () => {
    await post(`${at`/api/ops/breakers/${provider}/open`}?seconds=${seconds}`);
    toast(w.openDone(provider));
    onClose();
    reload();
  });
  const waiting = limits.reduce((sum, limit) => sum + limit.waiting, 0);
  return html`<${FormDialog} title=${w.openTitle(provider)} form=${form} action=${w.openAction} kind="danger" onClose=${onClose}>
    <p>${w.openText(breakers.length, waiting)}</p>
    <${SelectField} label=${w.forHowLong} value=${seconds} onChange=${setSeconds} options=${SPANS.map((n) => ({ value: String(n), label: w.span(n) }))} />
    <p class="small" role="status">${w.openUntil(clockOf(Date.now() + seconds * 1000))}</p>
  <//>`;
}

function LimitDialog({ limit, onClose, reload }) {
  const [form, setForm] = useState(Object.fromEntries(FIELDS.map((field) => [field, limit.set[field] === null ? "" : String(limit.set[field])])));
  const body = Object.fromEntries(FIELDS.map((field) => [field, form[field].trim() === "" ? null : Number(form[field])]));
  const changed = FIELDS.filter((field) => body[field] !== limit.set[field]);
  const sending = useSending(async () => {
    const answer = await put(at`/api/ops/limits/${limit.provider}` + (limit.model ? `?model=${encodeURIComponent(limit.model)}` : ""), body);
    toast(`${w.limitsSet}${answer.in_force ? "" : ` ${w.notInForce}`}`);
    onClose();
    reload();
  });
  const told = limit.told.find((one) => !limit.model || one.model === limit.model);
  return html`<${FormDialog} wide title=${w.changeLimitsOf(limit.model ?? limit.provider)} form=${sending} action=${w.setLimits} disabled=${changed.length === 0} novalidate onClose=${onClose}>
    <p class="small soft">${w.limitsLead}</p>
    <div class="pairs">${FIELDS.map((field) => html`<${TextField} key=${field} label=${w.fields[field]} hint=${w.now(w.value(field, limit.in_force[field]))} error=${sending.wrong[field]} type="number" inputmode="decimal" min=${field === "calls_per_minute" ? 1 : 0} step=${field === "usd_per_day" ? "0.01" : "1"} placeholder=${w.asConfigured} value=${form[field]} onInput=${(value) => setForm((old) => ({ ...old, [field]: value }))} />`)}</div>
    <${Effects} of=${changed.map((field) => effectOf(field, limit, body[field], told))} />
  <//>`;
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

// # Breakers: whether calls to a model go through, why not, and until when

/** A breaker's name is `provider/model`; models have slashes too. */
const providerOf = (name) => name.split("/")[0];
const modelOf = (name) => name.slice(providerOf(name).length + 1);

/** The breakers of a provider: `[{name, model, state}]`. */
const breakersOf = (overview, provider) => Object.entries(overview.breakers).filter(([name]) => providerOf(name) === provider).map(([name, state]) => ({ name, model: modelOf(name), state }));

/** Whether nothing is left of one of the day's limits. */
const dayIsUsed = ({ in_force: most, calls_today, tokens_today, usd_today }) => [[most.calls_per_day, calls_today], [most.tokens_per_day, tokens_today], [most.usd_per_day, usd_today]].some(([all, used]) => all && used >= all);

/**
 * Why calls do not go through, and until when: `{text, until}`. By an operator, by what the provider refuses, or by
 * failures. `changes`: the audit log of breakers, newest first; `waiting`: jobs that wait.
 */
function whyOpen({ provider, state, changes, waiting, trouble }) {
  const last = changes?.find((change) => change.subject === `breakers/${provider}` && change.outcome === "done");
  const seconds = last?.action === "breakers.open" ? last.after?.seconds ?? 60 : 0;
  const end = last && seconds ? new Date(+new Date(last.at) + seconds * 1000).toISOString() : null;
  const waits = (waiting ?? []).filter((job) => job.waiting?.reason === "breaker_open" && job.waiting.provider === provider).map((job) => job.waiting.until).sort();
  if (end && new Date(end) > new Date()) return { text: w.byOperator(last.key_name), until: last.after?.until ?? end };
  if (trouble) return { text: w.troubleWords(t.problems[slugOf(trouble.problem)] ?? "", trouble), until: null };
  return { text: state === "half_open" ? w.probing : w.byFailures, until: waits[0] ?? null };
}

// # The workers, and what each has in hand

function Workers({ overview, businesses }) {
  if (overview.workers.length === 0) return html`<${Empty} title=${w.noWorkers} text=${w.noWorkersText} />`;
  return html`<div class="workers">${overview.workers.map((worker) => html`<${Worker} key=${worker.id} worker=${worker} businesses=${businesses} kinds=${overview.queues.length} />`)}</div>`;
}

function healthOfWorker(worker) {
  const age = worker.last_seen_at ? Date.now() - new Date(worker.last_seen_at) : Infinity;
  return age < LATE ? ["good", w.worker.alive] : age < LOST ? ["warn", w.worker.late] : ["bad", w.worker.lost];
}

function Worker({ worker, businesses, kinds }) {
  const [kind, words] = healthOfWorker(worker);
  const most = worker.concurrency ? worker.concurrency * kinds : 0;
  return html`<article class="sheet stack" aria-labelledby=${`worker-${worker.id}`}>
    <div class="row between"><h2 id=${`worker-${worker.id}`} class="worker-name">${worker.id}</h2><${Chip} kind=${kind}>${words}<//></div>
    <dl class="counts">
      <div class="count"><dt class="tiny soft">${w.worker.host}</dt><dd>${worker.host ?? "–"}</dd></div>
      <div class="count"><dt class="tiny soft">${w.worker.version}</dt><dd>${worker.version ?? "–"}</dd></div>
      <div class="count"><dt class="tiny soft">${w.worker.started}</dt><dd><${Time} at=${worker.started_at} /></dd></div>
      <div class="count"><dt class="tiny soft">${w.worker.seen}</dt><dd><${Time} at=${worker.last_seen_at} /></dd></div>
    </dl>
    ${most > 0 ? html`<${Gauge} label=${w.worker.inHand} value=${worker.in_flight} max=${most} text=${w.worker.ofSlots(worker.in_flight, worker.concurrency)} kind="" />` : html`<p class="small">${w.worker.inHand}: ${number(worker.in_flight)}</p>`}
    ${worker.in_hand?.length > 0 && html`<${Table} caption=${worker.in_hand.length < worker.in_flight ? w.worker.first(worker.in_hand.length) : undefined} rows=${worker.in_hand} rowKey=${(row) => row.job_id} columns=${[
      { key: "job", label: t.work.columns.job, lead: true, render: (row) => (can("read") ? html`<a href=${link(["work", "jobs", row.job_id])}>${t.jobKind[row.kind] ?? row.kind} ${shortId(row.job_id)}</a>` : shortId(row.job_id)) },
      { key: "business", label: t.work.columns.business, render: (row) => businessName(businesses, row.business_id) },
      { key: "stage", label: t.work.columns.stage, render: (row) => stageName(row.stage) },
      { key: "attempt", label: w.worker.attempt, right: true, render: (row) => html`<span class=${row.attempt > 1 ? "retrying" : undefined}>${number(row.attempt)}</span>` },
      { key: "since", label: w.worker.since, right: true, render: (row) => html`<${Time} at=${row.since} />` },
    ]} />`}
    ${worker.in_hand && worker.in_flight === 0 && html`<p class="small soft">${w.worker.idle}</p>`}
  </article>`;
}
