// Work: every job, found, followed, mended. `work/job.js` has the page of one. Rows of the list that are shown do not
// move by themselves: they change in place, and newer ones wait for a click.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/htm-preact.js";
import { get, newKey, post, useLoad } from "../api.js";
import { go, link, setQuery } from "../route.js";
import { businessName, BusinessPicker, can } from "../session.js";
import { duration, money, t } from "../strings.js";
import { Button, CheckField, choices, cx, Empty, ErrorBox, Icon, PageHead, SelectField, Skeleton, Table, TextField, Time, toast, useSending } from "../ui.js";
import { bulkByFilter, bulkSelected, countWords, isOpen, Job, JobName, nameOf, OPEN, shortId, stageName, State, timelineOf, Why } from "./work/job.js";

/** `#/work?status=…`, `#/work/jobs/ID` and `#/work/jobs/ID/again`; `#/work/ID` is the same as the second. */
export default function Work(props) {
  const parts = props.route.parts[0] === "jobs" ? props.route.parts.slice(1) : props.route.parts;
  const [id, page] = parts;
  if (!id) return html`<${List} ...${props} />`;
  return page === "again" ? html`<${Again} key=${id} id=${id} ...${props} />` : html`<${Job} key=${id} id=${id} ...${props} />`;
}

// # The list: search, filters that are links, counts, pages, and what can be done to many at once

const w = t.work;
const STATUSES = Object.keys(t.jobStatus);
const KINDS = Object.keys(t.jobKind);
const LIMIT = 50;
const SHORTEST = 2;

/** The business that is looked at: keys that are bound to some must name one. */
function businessOf(route, session, businesses) {
  if (route.query.business) return route.query.business;
  return session?.key?.businesses ? session.key.businesses[0] ?? businesses[0]?.business_id : undefined;
}

function List({ route, session, businesses }) {
  const { q, status, kind, cursor } = route.query;
  const business = businessOf(route, session, businesses);
  const filter = { business_id: business, kind, q: (q ?? "").trim().length >= SHORTEST ? q.trim() : undefined };
  const key = JSON.stringify([filter, status, cursor]);
  const page = useLoad((signal) => get("/api/jobs", { ...filter, status, cursor, limit: LIMIT }, { signal }).then((answer) => ({ ...answer, key })), [key], { every: 5000, keep: false });
  // In the first render of other filters the rows of those before are still there.
  const data = page.data?.key === key ? page.data : undefined;
  const counts = useCounts(filter);
  const held = useHeld(key, data?.data, !cursor);
  const [selected, select] = useState(new Set());
  useEffect(() => select(new Set()), [key]);
  const changed = () => {
    select(new Set());
    counts.reload();
    held.show();
    page.reload();
  };
  const isBound = !!session?.key?.businesses;
  return html`<${PageHead} title=${w.title} lead=${w.lead} />
    <div class="stack">
      <div class="work-search">
        <${Search} q=${q} />
        ${(businesses.length > 1 || !isBound) && html`<${BusinessPicker} businesses=${businesses} value=${business} all=${!isBound} onChange=${(next) => setQuery({ business: next, cursor: undefined })} />`}
      </div>
      <${Statuses} query=${route.query} counts=${counts.data} />
      <${Kinds} query=${route.query} />
      <${Tools} ...${{ filter, status, businesses, counts: counts.data, rows: held.rows, selected, select, changed, page, held }} />
      ${page.error && html`<${ErrorBox} error=${page.error} onRetry=${page.reload} />`}
      ${!held.rows && !page.error && html`<${Skeleton} lines=${10} />`}
      ${held.rows && (held.rows.length > 0 ? html`<${Rows} ...${{ rows: held.rows, gone: held.gone, businesses, selected, select, hasAll: !business }} />` : html`<${Nothing} query=${route.query} hasMore=${!!data?.next_cursor} />`)}
      <${Pages} query=${route.query} next=${data?.next_cursor} />
    </div>`;
}

/** Jobs by status under the other filters. */
function useCounts(filter) {
  return useLoad(async (signal) => {
    const answers = await Promise.all([undefined, ...STATUSES].map((status) => get("/api/jobs/count", { ...filter, status }, { signal })));
    return Object.fromEntries(["", ...STATUSES].map((status, i) => [status, answers[i]]));
  }, [JSON.stringify(filter)], { every: 10_000 });
}

/** The rows as they were first shown, with what is known of them now; newer ones are counted until `show`. */
function useHeld(key, data, isFirst) {
  const order = useRef({ key: null, rows: new Map() });
  const [, again] = useState(0);
  if (data && order.current.key !== key) order.current = { key, rows: new Map(data.map((job) => [job.id, job])) };
  const { rows } = order.current;
  const isHere = order.current.key === key;
  const now = new Map((data ?? []).map((job) => [job.id, job]));
  const gone = new Set();
  const last = data?.at(-1)?.id ?? "";
  for (const [id] of rows) {
    if (now.has(id)) rows.set(id, now.get(id));
    else if (data && id > last) gone.add(id);
  }
  const newer = isHere && isFirst ? [...now.keys()].filter((id) => !rows.has(id) && id > ([...rows.keys()][0] ?? "")).length : 0;
  const show = () => {
    order.current = { key: null, rows: new Map() };
    again((n) => n + 1);
  };
  // What was empty fills by itself: nothing can move there.
  if (isHere && rows.size === 0 && now.size > 0) for (const [id, job] of now) rows.set(id, job);
  return { rows: isHere ? [...rows.values()] : undefined, gone, newer, show };
}

function Search({ q }) {
  const [typed, setTyped] = useState(q ?? "");
  const timer = useRef(0);
  useEffect(() => { setTyped((old) => (old.trim() === (q ?? "") ? old : q ?? "")); }, [q]);
  const search = (text) => setQuery({ q: text.trim(), cursor: undefined });
  const typing = (text) => {
    setTyped(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => search(text), 400);
  };
  const submit = (event) => {
    event.preventDefault();
    clearTimeout(timer.current);
    search(typed);
  };
  return html`<form role="search" class="search" onSubmit=${submit}><${TextField} label=${w.search} hint=${typed.trim().length === 1 ? w.searchShort : w.searchHint} type="search" value=${typed} onInput=${typing} maxlength="200" autocomplete="off" spellcheck=${false} /></form>`;
}

const Pill = ({ to, isOn, children }) => html`<a class="pill" href=${link("work", to)} aria-current=${isOn ? "true" : undefined}>${children}</a>`;

function Statuses({ query, counts }) {
  const to = (status) => ({ ...query, status, cursor: undefined });
  const count = (status) => counts?.[status] && html`<span class="num pill-n">${countWords(counts[status].count, counts[status].is_capped)}</span>`;
  return html`<nav class="pills" aria-label=${w.byStatus}>
    <${Pill} to=${to(undefined)} isOn=${!query.status}>${w.all}${count("")}<//>
    ${STATUSES.map((status) => html`<${Pill} key=${status} to=${to(status)} isOn=${query.status === status}>${t.jobStatus[status]}${count(status)}<//>`)}
  </nav>`;
}

function Kinds({ query }) {
  const to = (kind) => ({ ...query, kind, cursor: undefined });
  return html`<nav class="pills" aria-label=${w.byKind}>
    <${Pill} to=${to(undefined)} isOn=${!query.kind}>${w.everyKind}<//>
    ${KINDS.map((kind) => html`<${Pill} key=${kind} to=${to(kind)} isOn=${query.kind === kind}>${t.jobKind[kind]}<//>`)}
  </nav>`;
}

/** What can be done: to those selected, else to all that match. It keeps its place whichever it is. */
function Tools({ filter, status, businesses, counts, rows, selected, select, changed, page, held }) {
  const [busy, setBusy] = useState(null);
  const act = async (name, run) => {
    setBusy(name);
    const isDone = await run().catch(() => false);
    setBusy(null);
    if (isDone) changed();
  };
  const chosen = (rows ?? []).filter((job) => selected.has(job.id));
  const buttons = chosen.length > 0 ? selectedTools(chosen, act, busy) : filterTools({ filter, status, businesses, counts }, act, busy);
  return html`<div class="tools">
    <div class="row small" role="status">
      ${chosen.length > 0
        ? html`<strong>${w.selected(chosen.length)}</strong><${Button} small kind="quiet" onClick=${() => select(new Set())}>${w.clear}<//>`
        : held.newer > 0 ? html`<${Button} small icon="up" onClick=${held.show}>${w.newer(held.newer)}<//>` : html`<span class="soft">${page.data ? w.live : t.ui.loading}</span>`}
    </div>
    <div class="row">${buttons}</div>
  </div>`;
}

function selectedTools(chosen, act, busy) {
  const failed = chosen.filter((job) => job.status === "failed").map((job) => job.id), open = chosen.filter(isOpen).map((job) => job.id);
  const may = can("generate") || can("operate");
  return html`
    ${may && failed.length > 0 && html`<${Button} small icon="refresh" busy=${busy === "retry"} onClick=${() => act("retry", () => bulkSelected({ act: "retry", ids: failed }))}>${w.retryN(failed.length)}<//>`}
    ${may && open.length > 0 && html`<${Button} small kind="danger" icon="cross" busy=${busy === "cancel"} onClick=${() => act("cancel", () => bulkSelected({ act: "cancel", ids: open }))}>${w.cancelN(open.length)}<//>`}
    ${can("operate") && failed.length > 0 && html`<${Button} small kind="danger" icon="trash" busy=${busy === "discard"} onClick=${() => act("discard", () => bulkSelected({ act: "discard", ids: failed }))}>${w.discardN(failed.length)}<//>`}`;
}

/** By filter. Counts are asked for at the click: what the confirmation names is what there is. */
function filterTools({ filter, status, businesses, counts }, act, busy) {
  if (!can("operate")) return null;
  const where = [filter.kind && t.jobKind[filter.kind], filter.business_id && businessName(businesses, filter.business_id), filter.q && w.holding(filter.q)].filter(Boolean).join(", ");
  const which = w.which(status ? t.jobStatus[status] : null, where);
  if (status === "failed") {
    if (filter.q || !can("observe") || counts?.failed?.count === 0) return null;
    const dead = { kind: filter.kind, business_id: filter.business_id };
    const run = (name) => act(name, async () => {
      const { count } = await get("/api/ops/dead/count", dead);
      return bulkByFilter({ act: name, path: `/api/ops/dead/${name}`, filter: dead, count, which });
    });
    return html`<${Button} small icon="refresh" busy=${busy === "retry"} onClick=${() => run("retry")}>${w.retryAll}<//><${Button} small kind="danger" icon="trash" busy=${busy === "discard"} onClick=${() => run("discard")}>${w.discardAll}<//>`;
  }
  const open = status ? [status].filter((one) => OPEN.includes(one)) : OPEN;
  if (!counts || open.every((one) => counts[one].count === 0)) return null;
  const cancel = () => act("cancel", async () => {
    const answers = await Promise.all(open.map((one) => get("/api/jobs/count", { ...filter, status: one })));
    const count = answers.reduce((sum, answer) => sum + answer.count, 0);
    return bulkByFilter({ act: "cancel", path: "/api/ops/jobs/cancel", filter: { ...filter, status }, count, isCapped: answers.some((answer) => answer.is_capped), which });
  });
  return html`<${Button} small kind="danger" icon="cross" busy=${busy === "cancel"} onClick=${cancel}>${status ? w.cancelAll : w.cancelOpen}<//>`;
}

function Rows({ rows, gone, businesses, selected, select, hasAll }) {
  const seconds = (job) => (job.started_at ? (new Date(job.finished_at ?? Date.now()) - new Date(job.started_at)) / 1000 : null);
  const columns = [
    { key: "job", label: w.columns.job, lead: true, render: (job) => html`<div class=${cx("job-cell", gone.has(job.id) && "gone")}>
      <${JobName} job=${job} class="job-name" />
      <${Meta} job=${job} />
    </div>` },
    ...(hasAll ? [{ key: "business", label: w.columns.business, render: (job) => html`<span class="anywhere">${businessName(businesses, job.business_id)}</span>` }] : []),
    { key: "status", label: w.columns.status, render: (job) => html`<div class="state-cell"><${State} job=${job} /><${Why} job=${job} />${gone.has(job.id) && html`<span class="tiny soft">${w.goneFrom}</span>`}</div>` },
    { key: "stage", label: w.columns.stage, render: (job) => (["queued", "succeeded"].includes(job.status) ? "–" : html`<span>${stageName(job.progress.stage)}</span>${isOpen(job) && html` <span class="soft num">${job.progress.completed}/${job.progress.total}</span>`}`) },
    { key: "took", label: w.columns.took, right: true, render: (job) => duration(seconds(job)) },
    { key: "cost", label: w.columns.cost, right: true, render: (job) => (job.usage.cost_usd ? money(job.usage.cost_usd) : "–") },
    { key: "when", label: w.columns.when, right: true, render: (job) => html`<span class="when"><${Time} at=${job.created_at} /></span>` },
  ];
  const mayChoose = can("generate") || can("operate");
  return html`<div class="work-rows"><${Table} columns=${columns} rows=${rows} rowKey=${(job) => job.id} rowName=${(job) => nameOf(job)} selection=${mayChoose ? { selected, onChange: select } : undefined} /></div>`;
}

/** What the client said of it, and its id. */
function Meta({ job }) {
  const said = Object.entries(job.metadata ?? {}).slice(0, 3).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
  return html`<span class="tiny soft one-line">${[`${t.jobKind[job.kind] ?? job.kind} ${shortId(job.id)}`, ...said].join(" · ").slice(0, 200)}</span>`;
}

function Nothing({ query, hasMore }) {
  const isFiltered = query.q || query.status || query.kind || query.business;
  if (hasMore) return html`<${Empty} title=${w.noneHere} text=${w.noneHereText} />`;
  return html`<${Empty} title=${isFiltered ? w.noneMatch : w.none} text=${isFiltered ? (query.q ? w.noneMatchWords : w.noneMatchText) : w.noneText}>
    ${isFiltered ? html`<${Button} href=${link("work")}>${w.clearFilters}<//>` : can("generate") && html`<${Button} kind="primary" href=${link("write")}>${w.toWrite}<//>`}
  <//>`;
}

const Pages = ({ query, next }) => (query.cursor || next) && html`<nav class="row between" aria-label=${w.pages}>
  ${query.cursor ? html`<${Button} icon="left" href=${link("work", { ...query, cursor: undefined })}>${w.newest}<//>` : html`<span></span>`}
  ${next && html`<${Button} href=${link("work", { ...query, cursor: next })}>${w.older}<${Icon} name="right" /><//>`}
</nav>`;

// # A job's request, changed and sent again as a new job. What was not changed is sent as it was

const TEXTS = [["topic", 2, 500], ["instructions", 4, 5000], ["voice", 0, 1000], ["audience", 0, 1000]];
const NUMBERS = [["length_words", 20, 5000, 1], ["min_score", 0, 10, 0.1], ["max_rounds", 0, 5, 1], ["deadline_seconds", 1, 604_800, 1]];

function Again({ id }) {
  const told = useLoad((signal) => timelineOf(id, signal), [id]);
  const back = html`<p class="crumb small"><a href=${link(["work", "jobs", id])}><${Icon} name="left" size=${15} />${w.toJob}</a></p>`;
  if (!told.data) return html`${back}<${PageHead} title=${w.againTitle} />${told.error ? html`<${ErrorBox} error=${told.error} onRetry=${told.reload} />` : html`<${Skeleton} lines=${8} />`}`;
  const { job, request } = told.data;
  if (!request || job.kind !== "generate" || !can("generate")) return html`${back}<${PageHead} title=${w.againTitle} /><${Empty} title=${w.notAgain} text=${can("generate") ? w.notAgainText : t.ui.noAccess}><${Button} href=${link(["work", "jobs", id])}>${w.toJob}<//><//>`;
  return html`${back}<${PageHead} title=${w.againTitle} lead=${w.againLead} /><${Form} request=${request} job=${job} />`;
}

const formOf = (request) => Object.fromEntries([
  ...TEXTS.map(([name]) => [name, request[name] ?? ""]), ...NUMBERS.map(([name]) => [name, request[name] ?? ""]),
  ["format", request.format ?? "blog"], ["keywords", (request.keywords ?? []).join(", ")], ["language", request.language ?? ""],
  ["allow_fallback", request.allow_fallback ?? true], ["bulk", request.priority === "bulk"],
]);

/** The request with what was changed. Only changed fields are touched: the others stay as they were sent. */
function changedRequest(request, job, form, before) {
  const next = { ...request, business_id: request.business_id ?? job.business_id };
  // A start in the past means now: there is no need to say so.
  if (next.run_at && new Date(next.run_at) < new Date()) delete next.run_at;
  for (const name of changedNames(form, before)) {
    const value = form[name];
    if (name === "bulk") next.priority = value ? "bulk" : "interactive";
    else if (name === "keywords") next.keywords = value.split(",").map((word) => word.trim()).filter(Boolean);
    else if (NUMBERS.some(([one]) => one === name)) next[name] = value === "" ? undefined : Number(value);
    else next[name] = typeof value === "string" ? value.trim() || undefined : value;
  }
  return Object.fromEntries(Object.entries(next).filter(([, value]) => value !== null && value !== undefined));
}
const changedNames = (form, before) => Object.keys(form).filter((name) => String(form[name]) !== String(before[name]));

function Form({ request, job }) {
  const before = useMemo(() => formOf(request), [request]);
  const [form, setForm] = useState(before);
  const key = useMemo(newKey, [form]);
  const set = (changes) => setForm((old) => ({ ...old, ...changes }));
  const changed = changedNames(form, before);
  const state = useSending(async () => {
    const next = await post("/api/generate", changedRequest(request, job, form, before), { key });
    toast(w.sent);
    go(link(["work", "jobs", next.id]));
  });
  const { wrong } = state;
  const was = (name) => (changed.includes(name) ? w.was(String(before[name]) || w.empty) : undefined);
  const field = (name) => ({ label: w.fields[name] ?? name, value: form[name], error: wrong[name], hint: was(name), onInput: (value) => set({ [name]: value }) });
  return html`<form class="stack again" onSubmit=${state.send} novalidate>
    ${TEXTS.slice(0, 2).map(([name, lines, most]) => html`<${TextField} key=${name} ...${field(name)} lines=${lines} maxlength=${most} required=${name === "topic"} />`)}
    <div class="pairs">
      <${SelectField} label=${w.fields.format} hint=${changed.includes("format") ? w.was(t.formats[before.format] ?? before.format) : undefined} error=${wrong.format} value=${form.format} options=${choices({ ...t.formats, [before.format]: t.formats[before.format] ?? before.format })} onChange=${(format) => set({ format })} />
      ${TEXTS.slice(2).map(([name, , most]) => html`<${TextField} key=${name} ...${field(name)} maxlength=${most} />`)}
      <${TextField} ...${field("keywords")} />
      <${TextField} ...${field("language")} maxlength="35" />
      ${NUMBERS.map(([name, min, max, step]) => html`<${TextField} key=${name} ...${field(name)} type="number" inputmode="decimal" min=${min} max=${max} step=${step} />`)}
    </div>
    <${CheckField} label=${w.fallback} hint=${w.fallbackHint} checked=${form.allow_fallback} onChange=${(allow_fallback) => set({ allow_fallback })} />
    <${CheckField} label=${w.bulkLabel} hint=${w.bulkHint} checked=${form.bulk} onChange=${(bulk) => set({ bulk })} />
    <${ErrorBox} error=${state.error} />
    <div class="row"><${Button} kind="primary" type="submit" busy=${state.busy}>${w.send}<//>
      <${Button} kind="quiet" disabled=${changed.length === 0} onClick=${() => setForm(before)}>${w.reset}<//>
      <span class="small soft" role="status">${changed.length ? w.changes(changed.length) : w.noChanges}</span></div>
  </form>`;
}
