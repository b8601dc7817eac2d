// What is kept of the service and changed by hand: the shares of businesses, dead letters, API keys, and the audit log.

import { html, useEffect, useRef, useState } from "../../vendor/htm-preact.js";
import { at, del, get, post, put, slugOf, useLoad, usePages } from "../../api.js";
import { link, setQuery } from "../../route.js";
import { businessName, BusinessPicker, can, chosenBusiness } from "../../session.js";
import { bytes, dayOf, duration, fullTime, money, number, t } from "../../strings.js";
import { Button, CheckField, Chip, choices, confirm, copy, cx, Dialog, Empty, ErrorBox, FormDialog, Loaded, Paged, SelectField, Table, TextField, Time, toast, tried, useSending } from "../../ui.js";
import { bulkByFilter, discardOne, JobName, nameOf, retryOne, stageName, titleOf, useFocusKept } from "../work/job.js";

/** What a change that is not sent yet would do. */
export const Effects = ({ of: effects }) => html`<section class="note effect" role="status" aria-label=${t.operate.effect}><strong>${t.operate.effect}</strong>
  ${effects.length ? html`<ul class="small">${effects.map((effect) => html`<li key=${effect}>${effect}</li>`)}</ul>` : html`<span class="small">${t.operate.noChange}</span>`}</section>`;

// # Shares: a business's weight and cap, changed with the effect shown before

const ws = t.operate.shares;

export function Shares({ route, businesses }) {
  const business = chosenBusiness(route, businesses);
  const share = useLoad((signal) => (business ? get(at`/api/ops/businesses/${business}/share`, undefined, { signal }) : Promise.resolve(null)), [business], { keep: false });
  return html`<section class="stack narrow" aria-labelledby="share"><h2 id="share">${ws.title}</h2><p class="soft">${ws.lead}</p>
    <${BusinessPicker} businesses=${businesses} value=${business} />
    ${business && html`<${Loaded} of=${share} lines=${4}>${(data) => data && html`<${Share} key=${data.business_id} share=${data} name=${businessName(businesses, business)} set=${share.set} />`}<//>`}
  </section>`;
}

const textsOf = (share) => ({ weight: share.weight === null ? "" : String(share.weight), jobs_at_once: share.jobs_at_once === null ? "" : String(share.jobs_at_once) });
const value = (text) => (text.trim() === "" ? null : Number(text));

function Share({ share, name, set }) {
  const [form, setForm] = useState(textsOf(share));
  useEffect(() => setForm(textsOf(share)), [share.weight, share.jobs_at_once]);
  const body = { weight: value(form.weight), jobs_at_once: value(form.jobs_at_once) };
  const effects = [
    body.weight !== share.weight && ws.weightEffect(name, share.weight ?? 1, body.weight ?? 1),
    body.jobs_at_once !== share.jobs_at_once && ws.capEffect(name, share.jobs_at_once, body.jobs_at_once),
  ].filter(Boolean);
  const state = useSending(async () => {
    set(await put(at`/api/ops/businesses/${share.business_id}/share`, body));
    toast(ws.done(name));
  });
  const isFree = can("operate");
  return html`<form class="sheet stack" onSubmit=${state.send} novalidate>
    <div class="pairs">
      <${TextField} label=${ws.weight} hint=${ws.weightHint} type="number" inputmode="numeric" min="1" max="1000" placeholder=${ws.usualWeight} disabled=${!isFree} error=${state.wrong.weight} value=${form.weight} onInput=${(weight) => setForm((old) => ({ ...old, weight }))} />
      <${TextField} label=${ws.cap} hint=${ws.capHint} type="number" inputmode="numeric" min="0" placeholder=${ws.usualCap} disabled=${!isFree} error=${state.wrong.jobs_at_once} value=${form.jobs_at_once} onInput=${(jobs_at_once) => setForm((old) => ({ ...old, jobs_at_once }))} />
    </div>
    ${isFree && html`<${Effects} of=${effects} />`}
    <${ErrorBox} error=${state.error} />
    ${isFree ? html`<div><${Button} kind="primary" type="submit" disabled=${effects.length === 0} busy=${state.busy}>${ws.set}<//></div>` : html`<p class="small soft">${t.operate.readOnly}</p>`}
  </form>`;
}

// # Dead letters: what failed and nobody has dealt with, retried or put aside one by one or by cause

const wd = t.operate.dead;
const titleOfType = (type) => titleOf({ type, title: slugOf(type) });

const PAGE = 25;

export function Dead({ route, session, businesses, every }) {
  const { kind, error_type, stage } = route.query;
  const bound = session?.key?.businesses;
  const business = route.query.business ?? bound?.[0];
  const base = { kind, business_id: business };
  const filter = { ...base, error_type, stage };
  const counts = useLoad((signal) => get("/api/ops/dead/count", base, { signal }), [JSON.stringify(base)], { every: every ? 10_000 : 0 });
  const pages = usePages("/api/ops/dead", filter, { limit: PAGE });
  const letters = useFocusKept();
  // The list follows the count, unless further pages of it are being read.
  const many = counts.data?.count, before = useRef(many);
  useEffect(() => {
    if (before.current !== undefined && before.current !== many && (pages.rows?.length ?? 0) <= PAGE) pages.reload();
    before.current = many;
  }, [many]);
  const changed = () => {
    counts.reload();
    pages.reload();
  };
  return html`
    <div class="filters">
      ${(businesses.length > 1 || !bound) && html`<${BusinessPicker} businesses=${businesses} value=${business} all=${!bound} onChange=${(next) => setQuery({ business: next })} />`}
      <${SelectField} label=${t.work.byKind} value=${kind ?? ""} onChange=${(next) => setQuery({ kind: next, error_type: undefined, stage: undefined })} options=${choices(t.jobKind, t.work.everyKind)} />
    </div>
    ${counts.error && html`<${ErrorBox} error=${counts.error} onRetry=${counts.reload} />`}
    ${counts.data?.groups?.length > 0 && html`<${Causes} ...${{ data: counts.data, filter, businesses, changed, query: route.query }} />`}
    <section class="stack" aria-labelledby="letters" ref=${letters}>
      <div class="row between"><h2 id="letters" tabindex="-1">${error_type ? titleOfType(error_type) : wd.each}</h2>${(error_type || stage) && html`<${Button} small kind="quiet" onClick=${() => setQuery({ error_type: undefined, stage: undefined })}>${wd.showAll}<//>`}</div>
      <${Paged} of=${pages} lines=${5} empty=${html`<${Empty} title=${wd.none} text=${wd.noneText} />`}>${(rows) => html`<${Letters} rows=${rows} businesses=${businesses} changed=${changed} />`}<//>
    </section>`;
}

function Causes({ data, filter, businesses, changed, query }) {
  const ref = useFocusKept();
  const [busy, setBusy] = useState(null);
  /** Counted anew at the click, by just what will be sent. */
  const act = async (name, group) => {
    const one = group ? { ...filter, kind: group.kind, error_type: group.error_type, stage: group.stage || undefined } : { kind: filter.kind, business_id: filter.business_id };
    const words = [group && titleOfType(group.error_type), group?.stage && t.work.inStage(stageName(group.stage)), (group?.kind ?? filter.kind) && t.jobKind[group?.kind ?? filter.kind], filter.business_id && businessName(businesses, filter.business_id)].filter(Boolean).join(", ");
    setBusy(`${name} ${group ? keyOf(group) : ""}`);
    await tried(async () => {
      const { count } = await get("/api/ops/dead/count", one);
      if (await bulkByFilter({ act: name, path: `/api/ops/dead/${name}`, filter: one, count, which: words ? `${words}.` : wd.allOfThem })) changed();
    });
    setBusy(null);
  };
  const tools = (group) => can("operate") && html`<span class="row end nowrap">
    <${Button} small icon="refresh" busy=${busy === `retry ${keyOf(group)}`} onClick=${() => act("retry", group)} label=${`${t.work.bulk.action.retry(number(group.count))}: ${titleOfType(group.error_type)}`}>${t.work.retryN(group.count)}<//>
    <${Button} small kind="danger" icon="trash" busy=${busy === `discard ${keyOf(group)}`} onClick=${() => act("discard", group)} label=${`${t.work.bulk.action.discard(number(group.count))}: ${titleOfType(group.error_type)}`} /></span>`;
  const isOn = (group) => query.error_type === group.error_type && (query.stage ?? "") === group.stage;
  return html`<section class="stack" aria-labelledby="causes" ref=${ref}>
    <div class="row between"><h2 id="causes" tabindex="-1">${wd.byCause(data.count)}</h2>
      ${can("operate") && html`<span class="row"><${Button} small icon="refresh" busy=${busy === "retry "} onClick=${() => act("retry")}>${wd.retryAll}<//><${Button} small kind="danger" icon="trash" busy=${busy === "discard "} onClick=${() => act("discard")}>${wd.discardAll}<//></span>`}</div>
    <${Table} rows=${data.groups} rowKey=${keyOf} columns=${[
      { key: "cause", label: wd.cause, lead: true, render: (group) => html`<a href=${link(["operate", "dead"], { ...query, error_type: group.error_type, stage: group.stage, kind: group.kind })} aria-current=${isOn(group) ? "true" : undefined} class=${cx("cause", isOn(group) && "on")}>${titleOfType(group.error_type)}</a>` },
      { key: "stage", label: t.work.columns.stage, render: (group) => stageName(group.stage) },
      { key: "kind", label: wd.kind, render: (group) => t.jobKind[group.kind] ?? group.kind },
      { key: "provider", label: wd.provider, render: (group) => group.provider ?? "–" },
      { key: "count", label: wd.count, right: true, render: (group) => number(group.count) },
      { key: "newest", label: wd.newest, right: true, render: (group) => html`<${Time} at=${group.newest_at} />` },
      ...(can("operate") ? [{ key: "tools", label: "", bare: true, render: tools }] : []),
    ]} />
  </section>`;
}
const keyOf = (group) => [group.error_type, group.stage, group.kind, group.provider].join(" ");

function Letters({ rows, businesses, changed }) {
  const one = (act, done, job, question) => tried(async () => {
    if (question && !(await confirm(question))) return;
    await act(job.id);
    toast(done);
    changed();
  });
  const tools = (job) => html`<span class="row end nowrap">
    <${Button} small icon="refresh" onClick=${() => one(retryOne, t.work.retried, job)} label=${`${t.work.retry}: ${nameOf(job)}`}>${t.work.retry}<//>
    <${Button} small kind="danger" icon="trash" onClick=${() => one(discardOne, t.work.bulk.done.discard(1), job, { title: t.work.discardTitle, text: t.work.bulk.effect.discard, action: t.work.discardAction })} label=${`${t.work.discard}: ${nameOf(job)}`} /></span>`;
  return html`<${Table} rows=${rows} rowKey=${(job) => job.id} columns=${[
    { key: "job", label: t.work.columns.job, lead: true, render: (job) => html`<div class="letter">${can("read") ? html`<${JobName} job=${job} />` : nameOf(job)}<span class="tiny soft">${businessName(businesses, job.business_id)}</span></div>` },
    { key: "why", label: wd.why, render: (job) => html`<div class="letter"><span>${titleOf(job.error)}</span><span class="tiny soft">${job.error?.detail}</span></div>` },
    { key: "stage", label: t.work.columns.stage, render: (job) => stageName(job.progress.stage) },
    { key: "failed", label: wd.failedAt, right: true, render: (job) => html`<${Time} at=${job.finished_at} />` },
    ...(can("operate") ? [{ key: "tools", label: "", bare: true, render: tools }] : []),
  ]} />`;
}

// # API keys: who may do what, made, rotated and revoked. A secret is shown once, and kept nowhere

const wk = t.operate.keys;
const SCOPES = Object.keys(wk.scopes);
const FOR_OPERATORS = ["operate", "observe", "keys"];
const STATUS = { active: "good", expired: "warn", revoked: "" };

export function Keys({ session, businesses }) {
  const keys = usePages(can("keys") ? "/api/keys" : null, {}, { limit: 50 });
  const [open, setOpen] = useState(null);
  const ref = useFocusKept();
  if (!can("keys")) return html`<${Empty} title=${t.ui.noAccess} text=${wk.noScope} />`;
  const close = () => setOpen(null);
  // The secret's dialog is the only place that has it: closing it forgets it.
  const made = (answer) => {
    setOpen({ name: "secret", ...answer });
    keys.reload();
  };
  return html`<section class="stack" aria-labelledby="keys" ref=${ref}>
    <div class="row between"><h2 id="keys" tabindex="-1">${wk.title}</h2><${Button} kind="primary" icon="plus" onClick=${() => setOpen({ name: "make" })}>${wk.make}<//></div>
    <${Paged} of=${keys} lines=${5} empty=${html`<${Empty} title=${wk.none} text=${wk.noneText} />`}>${(rows) => html`<${List} ...${{ rows, businesses, session, reload: keys.reload, setOpen }} />`}<//>
    ${open?.name === "make" && html`<${Make} ...${{ session, businesses, made }} onClose=${close} />`}
    ${open?.name === "rotate" && html`<${Rotate} record=${open.key} made=${made} onClose=${close} />`}
    ${open?.name === "secret" && html`<${Secret} answer=${open} onClose=${close} />`}
  </section>`;
}

function List({ rows, businesses, session, reload, setOpen }) {
  const revoke = (key) => tried(async () => {
    const isOwn = key.id === session?.key?.id;
    if (!(await confirm({ title: wk.revokeTitle(key.name), text: `${wk.revokeText(key.last_used_at ? fullTime(key.last_used_at) : null)}${isOwn ? ` ${wk.ownKey}` : ""}`, action: wk.revokeAction }))) return;
    await del(at`/api/keys/${key.id}`);
    toast(wk.revoked(key.name));
    reload();
  });
  const reach = (key) => (key.businesses ? key.businesses.map((id) => businessName(businesses, id)).join(", ") : t.session.all);
  return html`<${Table} rows=${rows} rowKey=${(key) => key.id} columns=${[
    { key: "name", label: wk.name, lead: true, render: (key) => html`<div class="letter"><strong>${key.name}</strong><span class="tiny soft"><code>${key.id}</code> · ${wk.kinds[key.kind]}${key.id === session?.key?.id ? ` · ${wk.yours}` : ""}</span></div>` },
    { key: "status", label: t.work.columns.status, render: (key) => html`<div class="letter"><${Chip} kind=${STATUS[key.status] ?? ""}>${wk.statuses[key.status] ?? key.status}<//>${key.expires_at && key.status === "active" && html`<span class="tiny soft">${wk.until} ${dayOf(key.expires_at)}</span>`}${key.previous_secret_until && new Date(key.previous_secret_until) > new Date() && html`<span class="tiny soft">${wk.oldUntil} <${Time} at=${key.previous_secret_until} as="both" /></span>`}</div>` },
    { key: "may", label: wk.may, render: (key) => html`<span class="small">${key.scopes.length === SCOPES.length ? wk.everything : key.scopes.map((scope) => wk.scopes[scope]?.[0] ?? scope).join(", ")}</span>` },
    { key: "reach", label: wk.reach, render: reach },
    { key: "used", label: wk.used, right: true, render: (key) => (key.last_used_at ? html`<${Time} at=${key.last_used_at} />` : wk.never) },
    { key: "tools", label: "", bare: true, render: (key) => key.status !== "revoked" && html`<span class="row end nowrap">
      <${Button} small onClick=${() => setOpen({ name: "rotate", key })} label=${wk.rotateName(key.name)}>${wk.rotate}<//>
      <${Button} small kind="danger" onClick=${() => revoke(key)} label=${wk.revokeName(key.name)}>${wk.revoke}<//></span>` },
  ]} />`;
}

function Make({ session, businesses, made, onClose }) {
  const own = session?.key;
  const mine = SCOPES.filter((scope) => !own || own.scopes.includes(scope));
  const [form, setForm] = useState({ name: "", kind: "tenant", scopes: mine.filter((scope) => !FOR_OPERATORS.includes(scope)), reach: own?.businesses ? "some" : "all", businesses: own?.businesses?.length === 1 ? [...own.businesses] : [], other: "", days: "365", rpm: "" });
  const [state, setState] = useState({ busy: false, error: null, wrong: {} });
  const set = (changes) => setForm((old) => ({ ...old, ...changes }));
  const flip = (list, one) => (list.includes(one) ? list.filter((other) => other !== one) : [...list, one]);
  const offered = form.kind === "operator" ? mine : mine.filter((scope) => !FOR_OPERATORS.includes(scope));
  const known = [...new Set([...businesses.map((row) => row.business_id), ...(own?.businesses ?? [])])];
  const send = async (event) => {
    event.preventDefault();
    const scopes = form.scopes.filter((scope) => offered.includes(scope));
    const reach = [...form.businesses, ...form.other.split(",").map((one) => one.trim()).filter(Boolean)];
    const wrong = { name: form.name.trim() ? null : wk.needsName, scopes: scopes.length ? null : wk.needsScope, businesses: form.reach === "some" && reach.length === 0 ? wk.needsBusiness : null };
    if (wrong.name || wrong.scopes || wrong.businesses) return setState({ busy: false, error: null, wrong });
    setState({ busy: true, error: null, wrong: {} });
    try {
      made(await post("/api/keys", { name: form.name.trim(), kind: form.kind, scopes, businesses: form.reach === "all" ? null : reach, expires_at: form.days ? new Date(Date.now() + Number(form.days) * 86_400_000).toISOString() : null, requests_per_minute: form.rpm ? Number(form.rpm) : null }));
    } catch (error) {
      setState({ busy: false, error, wrong: error.fields ?? {} });
    }
  };
  return html`<${FormDialog} wide title=${wk.makeTitle} form=${{ ...state, send }} action=${wk.make} novalidate onClose=${onClose}>
    <p class="small soft">${wk.makeLead}</p>
    <div class="pairs">
      <${TextField} label=${wk.name} hint=${wk.nameHint} value=${form.name} onInput=${(name) => set({ name })} maxlength="100" required error=${state.wrong.name} />
      <${SelectField} label=${wk.kind} value=${form.kind} onChange=${(kind) => set({ kind, scopes: kind === "operator" ? form.scopes : form.scopes.filter((scope) => !FOR_OPERATORS.includes(scope)) })} options=${choices(wk.kinds).filter(({ value }) => value === "tenant" || !own || own.kind === "operator")} />
      <${SelectField} label=${wk.ends} value=${form.days} onChange=${(days) => set({ days })} options=${wk.spans} />
      <${TextField} label=${wk.rpm} hint=${wk.rpmHint} type="number" min="1" max="1000000" inputmode="numeric" value=${form.rpm} onInput=${(rpm) => set({ rpm })} error=${state.wrong.requests_per_minute} />
    </div>
    <fieldset class="field"><legend>${wk.may}</legend><div class="scopes">${offered.map((scope) => html`<${CheckField} key=${scope} label=${wk.scopes[scope][0]} hint=${wk.scopes[scope][1]} checked=${form.scopes.includes(scope)} onChange=${() => set({ scopes: flip(form.scopes, scope) })} />`)}</div>
      ${state.wrong.scopes && html`<span class="wrong" role="alert">${state.wrong.scopes}</span>`}</fieldset>
    <fieldset class="field"><legend>${wk.reach}</legend>
      ${!own?.businesses && html`<label class="check"><input type="radio" name="reach" checked=${form.reach === "all"} onChange=${() => set({ reach: "all" })} /><span>${t.business.all}</span></label><label class="check"><input type="radio" name="reach" checked=${form.reach === "some"} onChange=${() => set({ reach: "some" })} /><span>${wk.some}</span></label>`}
      ${form.reach === "some" && html`<div class="scopes">${known.map((id) => html`<${CheckField} key=${id} label=${businessName(businesses, id)} checked=${form.businesses.includes(id)} onChange=${() => set({ businesses: flip(form.businesses, id) })} />`)}</div>
        <${TextField} label=${wk.others} hint=${wk.othersHint} value=${form.other} onInput=${(other) => set({ other })} />`}
      ${state.wrong.businesses && html`<span class="wrong" role="alert">${state.wrong.businesses}</span>`}</fieldset>
  <//>`;
}

const OVERLAPS = [0, 3600, 86_400, 604_800, 2_592_000];
function Rotate({ record, made, onClose }) {
  const [seconds, setSeconds] = useState("86400");
  const form = useSending(async () => made(await post(at`/api/keys/${record.id}/rotate`, { overlap_seconds: Number(seconds) })));
  return html`<${FormDialog} title=${wk.rotateTitle(record.name)} form=${form} action=${wk.rotateAction} kind=${seconds === "0" ? "danger" : "primary"} onClose=${onClose}>
    <p>${wk.rotateText}</p>
    <${SelectField} label=${wk.overlap} value=${seconds} onChange=${setSeconds} options=${OVERLAPS.map((n) => ({ value: String(n), label: wk.overlaps[n] }))} />
    <p class="small" role="status">${seconds === "0" ? wk.atOnce : wk.overlapUntil(fullTime(Date.now() + seconds * 1000))}</p>
  <//>`;
}

/** The only time that a secret is seen. */
function Secret({ answer, onClose }) {
  return html`<${Dialog} title=${wk.secretTitle(answer.key.name)} onClose=${onClose}><div class="stack">
    <p class="note warn">${wk.secretText}</p>
    <code class="secret" tabindex="0" aria-label=${wk.secretLabel}>${answer.secret}</code>
    <div class="row between"><${Button} kind="primary" icon="copy" onClick=${() => copy(answer.secret)}>${wk.copySecret}<//><${Button} onClick=${onClose}>${wk.secretDone}<//></div>
  </div><//>`;
}

// # The audit log: what was changed, when, and by whom

const wc = t.operate.changes;
const SPANS = { hour: 3_600_000, day: 86_400_000, week: 604_800_000, month: 2_592_000_000 };

export function Changes({ route, session, businesses }) {
  const { action, key, business, span } = route.query;
  // To the minute, so that the address of the list stays the same from render to render.
  const since = SPANS[span] ? new Date(Math.floor((Date.now() - SPANS[span]) / 60_000) * 60_000).toISOString() : undefined;
  const pages = usePages("/api/audit", { action, key_id: key, business_id: business, since }, { limit: 50 });
  const isFiltered = action || key || business || span;
  const isBound = !!session?.key?.businesses;
  return html`<section class="stack" aria-labelledby="changes"><div class="row between"><h2 id="changes">${wc.title}</h2><${Button} small icon="refresh" onClick=${pages.reload}>${wc.reload}<//></div>
    <div class="filters">
      <${SelectField} label=${wc.what} value=${action ?? ""} onChange=${(next) => setQuery({ action: next })} options=${choices(wc.groups, wc.everything)} />
      <${SelectField} label=${wc.since} value=${span ?? ""} onChange=${(next) => setQuery({ span: next })} options=${choices(wc.spans, wc.everBefore)} />
      <${TextField} label=${wc.byKey} value=${key ?? ""} onInput=${(next) => setQuery({ key: next.trim() })} maxlength="40" autocomplete="off" spellcheck=${false} />
      ${businesses.length > 0 && html`<${BusinessPicker} businesses=${businesses} value=${business} all=${true} onChange=${(next) => setQuery({ business: next })} />`}
    </div>
    <${Paged} of=${pages} lines=${8} empty=${html`<${Empty} title=${isFiltered ? wc.noneMatch : wc.none} text=${isFiltered ? wc.noneMatchText : wc.noneText}>${isFiltered && html`<${Button} onClick=${() => setQuery({ action: undefined, key: undefined, business: undefined, span: undefined })}>${t.work.clearFilters}<//>`}<//>`}>
      ${(rows) => html`<${Table} rows=${rows} rowKey=${(row) => String(row.id)} columns=${[
      { key: "what", label: wc.what, lead: true, render: (row) => html`<div class="letter"><strong>${wc.actions[row.action] ?? row.action}</strong><span class="tiny soft mono">${row.subject}</span></div>` },
      { key: "how", label: wc.how, render: (row) => html`<${Difference} row=${row} />` },
      { key: "by", label: wc.by, render: (row) => html`<div class="letter"><span>${wc.names[row.key_name] ?? row.key_name}</span>${row.key_id && html`<button type="button" class="as-link tiny" onClick=${() => setQuery({ key: row.key_id })}>${row.key_id}<span class="visually-hidden">: ${wc.onlyBy(row.key_name)}</span></button>`}${row.peer && html`<span class="tiny soft">${row.peer}</span>`}</div>` },
      { key: "business", label: t.work.columns.business, render: (row) => (row.business_id ? businessName(businesses, row.business_id) : "–") },
      { key: "outcome", label: wc.outcome, render: (row) => html`<${Chip} kind=${row.outcome === "done" ? "good" : "bad"}>${wc.outcomes[row.outcome] ?? row.outcome}<//>` },
      { key: "when", label: wc.when, right: true, render: (row) => html`<${Time} at=${row.at} />` },
    ]} />`}<//>
    ${isBound && html`<p class="tiny soft">${wc.bound}</p>`}
  </section>`;
}

const plain = (value) => (value === null || value === undefined ? "–" : typeof value === "number" ? number(value) : Array.isArray(value) ? value.join(", ") : typeof value === "object" ? Object.entries(value).map(([name, one]) => `${number(one) === "NaN" ? one : number(one)} ${name}`).join(", ") : String(value));
/** A value in its unit: the log has seconds, bytes and millionths of a dollar. */
function words(name, value) {
  if (/^\d{4}-\d\d-\d\dT/.test(value)) return dayOf(value);
  if (typeof value !== "number") return plain(value);
  if (name.startsWith("micro_usd")) return money(value / 1e6);
  return name.endsWith("seconds") ? duration(value) : name.endsWith("bytes") ? bytes(value) : number(value);
}

/** What is not as it was: "intake: open → paused". */
function Difference({ row: { before, after } }) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].filter((name) => plain(before?.[name]) !== plain(after?.[name]));
  if (names.length === 0) return html`<span class="soft">–</span>`;
  const line = (name) => html`<li key=${name}><span class="soft">${wc.values[name] ?? t.operate.fields[name] ?? name}:</span> ${before && name in before ? html`<span class="from">${words(name, before[name])}</span> → ` : ""}${after ? words(name, after[name]) : wc.gone}</li>`;
  return html`<ul class="plain small difference">${names.slice(0, 3).map(line)}</ul>${names.length > 3 && html`<details><summary>${wc.more(names.length - 3)}</summary><ul class="plain small difference">${names.slice(3).map(line)}</ul></details>`}`;
}
