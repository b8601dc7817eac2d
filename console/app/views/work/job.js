// A job: how it stands in words, what can be done to one or to many, its page, and its time as bars. The view Operate
// shows jobs by the same parts.

import { html, useEffect, useRef } from "../../vendor/htm-preact.js";
import { at, get, post, slugOf, useLoad } from "../../api.js";
import { link } from "../../route.js";
import { businessName, can } from "../../session.js";
import { dayOf, duration, fullTime, money, number, percent, plural, t, whyWaiting } from "../../strings.js";
import { Button, Chip, confirm, copy, cx, Empty, ErrorBox, Icon, JobStatus, PageHead, Skeleton, Time, toast, tried } from "../../ui.js";

// # How it stands: its state, why it waits, why it failed and what to do

const w = t.work;

// A job whose time came so many milliseconds ago waits for something else: a worker, or a paused queue.
const LATE = 30_000;
export const OPEN = ["queued", "waiting", "running"];
export const isOpen = (job) => OPEN.includes(job.status);
/** What a failure is called, by its problem's type. */
export const titleOf = (error) => t.problems[slugOf(error?.type)] ?? error?.title ?? t.errors.title;
export const stageName = (stage) => (stage ? t.stages[stage] ?? stage : w.noStage);
/** Enough of an id to tell it from its neighbours: the first part of a UUIDv7 is the time. */
export const shortId = (id) => id.slice(-8);

/** What a job is called: its topic, where it has one. */
export const nameOf = (job) => job.topic || `${t.jobKind[job.kind] ?? job.kind} ${shortId(job.id)}`;

/** The state as a chip. What is called waiting or running, and really tries again, says so. */
export function State({ job }) {
  if (job.status === "waiting" && job.waiting?.reason === "backoff") return html`<${Chip} kind="warn">${w.retryingSoon}<//>`;
  if (job.status === "running" && job.attempt > 1) return html`<${Chip} kind="live">${w.retrying}<//>`;
  return html`<${JobStatus} status=${job.status} />`;
}

/** One line below the state; null where the state says it all. */
export function Why({ job }) {
  const again = job.attempt > 1 && isOpen(job) ? w.attempt(job.attempt, job.max_attempts) : "";
  const words = job.status === "waiting" ? whyWaiting(job.waiting) : job.status === "failed" ? titleOf(job.error) : "";
  const both = [words, again].filter(Boolean).join(" ");
  return both ? html`<span class="tiny soft why">${both}</span>` : null;
}

/** Why a job failed, in plain words, and what to do. `lines`: the error and its causes, outermost first. */
function Problem({ error, lines = [] }) {
  const slug = slugOf(error.type), known = w.problems[slug];
  const steps = known ? [known.you, can("operate") ? known.operator : known.operator && w.askOperator].filter(Boolean) : [w.problems.unknown.you];
  return html`<section class="note bad problem" aria-label=${w.failedTitle}>
    <h2>${titleOf(error)}</h2>
    ${known && html`<p>${known.what}</p>`}
    <p class="said">${error.detail}</p>
    <strong class="small">${w.whatToDo}</strong>
    <ul class="small">${steps.map((step) => html`<li key=${step}>${step}</li>`)}</ul>
    ${lines.length > 1 && html`<${Causes} lines=${lines} />`}
    <a class="small" href=${`problems/${encodeURIComponent(slug)}`} target="_blank" rel="noopener">${w.aboutProblem}</a>
  </section>`;
}

/** An error and what caused it, outermost first. */
const Causes = ({ lines }) => html`<details class="causes"><summary>${w.causes(lines.length)}</summary><ol class="mono tiny">${lines.map((line, i) => html`<li key=${i}>${line}</li>`)}</ol></details>`;

/** Why it waits and until when, or where it stands in the line. */
function Waiting({ job }) {
  if (job.status === "waiting" && job.waiting) {
    const { reason, until } = job.waiting, isLate = Date.now() - new Date(until) > LATE;
    return html`<section class="note warn" aria-label=${w.waitsTitle}>
      <h2>${reason === "backoff" ? w.retryTitle(job.attempt, job.max_attempts) : w.waitsTitle}</h2>
      <p>${isLate ? w.waitsLate : whyWaiting(job.waiting)}</p>
      ${!isLate && w.waitNext[reason] && html`<p class="small">${w.waitNext[reason]}</p>`}
      <p class="small soft">${isLate ? w.wasDue : w.until} <${Time} at=${until} as="both" /></p>
    </section>`;
  }
  if (job.status === "queued") {
    return html`<section class="note" aria-label=${w.inLineTitle}><h2>${w.inLineTitle}</h2><p>${job.position ? w.place(job.position) : w.soon} ${job.eta_seconds ? w.eta(job.eta_seconds) : ""}</p></section>`;
  }
  return null;
}

/** A job's name as a link. */
export function JobName({ job, class: name }) {
  const words = nameOf(job);
  return html`<a class=${name} href=${link(["work", "jobs", job.id])} title=${words}>${words}</a>`;
}

// # Acts on many jobs: what matches a filter, or what is selected. It asks before, and tells what became of it

const wb = t.work.bulk;
const MOST_CALLS = 200;
const CALLS_AT_ONCE = 4;

/** Calls `send` until nothing more matches. Returns the jobs that were changed. */
async function drain(send) {
  let jobs = 0;
  for (let call = 0; call < MOST_CALLS; call++) {
    const answer = await send();
    jobs += answer.jobs;
    if (!answer.more || answer.jobs === 0) break;
  }
  return jobs;
}

/**
 * Asks, and then changes everything that a filter finds: `act` is retry, discard or cancel, `count` what was counted
 * just before, `which` says in words what is meant. True if it was done.
 */
export async function bulkByFilter({ act, path, filter, count, which, isCapped }) {
  if (count === 0) {
    toast(wb.nothing);
    return false;
  }
  const one = t.work.one;
  const text = `${which} ${wb.effect[act]}`.trim();
  const many = isCapped ? wb.more(count) : plural(count, one);
  const isSure = await confirm({ title: wb.title[act](many), text, action: wb.action[act](many), danger: act !== "retry" });
  if (!isSure) return false;
  try {
    const jobs = await drain(() => post(path, filter));
    toast(wb.done[act](jobs));
    return true;
  } catch (error) {
    toast(`${error.title}: ${error.detail ?? ""}`, { kind: "bad" });
    return false;
  }
}

/** One job's retry, by whichever scope the key has. */
export const retryOne = (id) => post(can("generate") ? at`/api/jobs/${id}/retry` : at`/api/ops/dead/${id}/retry`);
/** One job's cancellation, by whichever scope the key has. */
const cancelOne = (id) => (can("generate") ? post(at`/api/jobs/${id}/cancel`) : post("/api/ops/jobs/cancel", { q: id, limit: 1 }));
export const discardOne = (id) => post(at`/api/ops/dead/${id}/discard`);
const ONE = { retry: retryOne, cancel: cancelOne, discard: discardOne };

/** The same of jobs that were selected, one by one. True if it was done. */
export async function bulkSelected({ act, ids }) {
  const many = plural(ids.length, t.work.one);
  if (!(await confirm({ title: wb.title[act](many), text: wb.effect[act], action: wb.action[act](many), danger: act !== "retry" }))) return false;
  const left = [...ids];
  const failed = [];
  const turn = async () => {
    for (let id = left.shift(); id; id = left.shift()) {
      try {
        await ONE[act](id);
      } catch (error) {
        failed.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, turn));
  const done = ids.length - failed.length;
  if (failed.length) toast(`${done ? wb.done[act](done) : ""} ${wb.notAll(failed.length, failed[0].detail ?? failed[0].message)}`.trim(), { kind: "bad" });
  else toast(wb.done[act](done));
  return done > 0;
}

export const countWords = (count, isCapped) => (isCapped ? wb.more(count) : number(count));

// # The keyboard's place, where a button that was pressed goes away with what it changed

/** A ref of a part: where what had the focus in it is gone, its first control, or its heading, gets it. */
export function useFocusKept() {
  const ref = useRef(null);
  const had = useRef(false);
  useEffect(() => {
    // Whoever goes, or clicks, elsewhere has left it; a dialog is part of what was pressed.
    const went = ({ target }) => { if (!target.closest?.("dialog")) had.current = !!ref.current?.contains(target); };
    addEventListener("pointerdown", went);
    addEventListener("focusin", went);
    return () => {
      removeEventListener("pointerdown", went);
      removeEventListener("focusin", went);
    };
  }, []);
  useEffect(() => {
    const isLost = document.activeElement === document.body || !document.activeElement;
    if (!had.current || !isLost || !ref.current || document.querySelector("dialog[open]")) return;
    ref.current.querySelector("[tabindex='-1'], button:not(:disabled), a[href]")?.focus({ preventScroll: true });
  });
  return ref;
}

// # Its page: what can be done, what it took, and what was asked for

/** What is known of a job: `{job, request, stages, events, …}`. */
export const timelineOf = (id, signal) => get(at`/api/jobs/${id}/timeline`, undefined, { signal });

export function Job({ id, businesses }) {
  const told = useLoad((signal) => timelineOf(id, signal), [id], { every: 3000 });
  const { data, error } = told;
  if (!data && error?.status === 404) return html`<${PageHead} title=${w.notThere} /><${Empty} title=${w.notThere} text=${w.notThereText}><${Button} href=${link("work")}>${w.toList}<//><//>`;
  if (!data) return html`<${PageHead} title=${w.oneJob} />${error ? html`<${ErrorBox} error=${error} onRetry=${told.reload} />` : html`<${Skeleton} lines=${8} />`}`;
  const { job, request } = data;
  return html`<p class="crumb small"><a href=${link("work")}><${Icon} name="left" size=${15} />${w.toList}</a></p>
    <${PageHead} title=${nameOf(job)} lead=${w.kindFor(t.jobKind[job.kind] ?? job.kind, businessName(businesses, job.business_id))}><${Actions} data=${data} reload=${told.reload} /><//>
    <div class="desk job">
      <div class="stack-l">
        <div class="stack-s" role="status"><div class="row"><${State} job=${job} /><${Now} data=${data} /></div></div>
        ${error && html`<${ErrorBox} error=${error} onRetry=${told.reload} />`}
        <${Trouble} data=${data} />
        ${(data.stages.length > 0 || job.status === "running") && html`<${Stages} data=${data} />`}
        ${data.events?.length > 0 && html`<${Events} events=${data.events} job=${job} />`}
        ${request && html`<${Request} request=${request} />`}
      </div>
      <aside class="stack"><${Facts} data=${data} businesses=${businesses} /></aside>
    </div>`;
}

/** What happens now, in one line. */
function Now({ data: { job, events } }) {
  if (job.status === "running") {
    const again = job.attempt > 1 ? `${w.attempt(job.attempt, job.max_attempts)} ` : "";
    const before = job.attempt > 1 && events?.findLast((event) => ["waiting", "retried"].includes(event.kind) && event.lines?.length)?.lines[0];
    return html`<span class="small soft">${again}${w.nowStage(stageName(job.progress.stage), job.progress.completed, job.progress.total)}${before && html` ${w.firstFailed(before)}`}</span>`;
  }
  if (job.finished_at) return html`<span class="small soft"><${Time} at=${job.finished_at} />${job.started_at && `, ${w.after(duration((new Date(job.finished_at) - new Date(job.started_at)) / 1000))}`}</span>`;
  return job.attempt > 1 ? html`<span class="small soft">${w.attempt(job.attempt, job.max_attempts)}</span>` : null;
}

function Trouble({ data: { job, events } }) {
  if (job.status === "failed" && job.error) {
    const lines = events?.findLast((event) => event.kind === "failed")?.lines ?? [];
    return html`<${Problem} error=${job.error} lines=${lines} />`;
  }
  return html`<${Waiting} job=${job} />`;
}

function Actions({ data: { job, request }, reload }) {
  const ref = useFocusKept();
  const may = can("generate") || can("operate");
  const sure = (question, act, done) => tried(async () => {
    if (question && !(await confirm(question))) return;
    await act();
    toast(done);
    reload();
  });
  const cancel = () => sure({ title: w.cancelTitle, text: w.cancelText, action: w.cancelAction }, () => cancelOne(job.id), w.bulk.done.cancel(1));
  const discard = () => sure({ title: w.discardTitle, text: w.bulk.effect.discard, action: w.discardAction }, () => discardOne(job.id), w.bulk.done.discard(1));
  return html`<div class="row" ref=${ref}>
    ${job.status === "succeeded" && job.kind === "generate" && job.generation_id && html`<${Button} kind="primary" href=${link(["write", "texts", job.generation_id])}>${w.openText}<//>`}
    ${can("generate") && request && job.kind === "generate" && html`<${Button} icon="edit" href=${link(["work", "jobs", job.id, "again"])}>${w.again}<//>`}
    ${may && job.status === "failed" && html`<${Button} icon="refresh" kind="primary" onClick=${() => sure(null, () => retryOne(job.id), w.retried)}>${w.retry}<//>`}
    ${can("operate") && job.status === "failed" && html`<${Button} kind="danger" icon="trash" onClick=${discard}>${w.discard}<//>`}
    ${may && isOpen(job) && job.kind !== "erase" && html`<${Button} kind="danger" icon="cross" onClick=${cancel}>${w.cancel}<//>`}
    ${!may && html`<span class="small soft">${w.readOnly}</span>`}
  </div>`;
}

function Facts({ data: { job, worker, takeovers }, businesses }) {
  const { usage } = job;
  const rows = [
    [w.facts.id, html`<span class="row end nowrap"><code>${shortId(job.id)}</code><${Button} small kind="quiet" icon="copy" label=${w.copyId} onClick=${() => copy(job.id)} /></span>`],
    [w.facts.business, html`<a href=${link("work", { business: job.business_id })}>${businessName(businesses, job.business_id)}</a>`],
    [w.facts.asked, html`<${Time} at=${job.created_at} as="both" />`],
    [w.facts.started, job.started_at ? html`<${Time} at=${job.started_at} as="both" />` : w.notYet],
    job.finished_at && [w.facts.ended, html`<${Time} at=${job.finished_at} as="both" />`],
    [w.facts.attempt, w.ofAttempts(job.attempt, job.max_attempts)],
    takeovers > 0 && [w.facts.takeovers, number(takeovers)],
    worker && [w.facts.worker, can("observe") ? html`<a href=${link(["operate", "workers"])}>${worker}</a>` : worker],
    [w.facts.cost, money(usage.cost_usd)],
    [w.facts.tokens, `${number(usage.prompt_tokens)} → ${number(usage.completion_tokens)}`],
    usage.cached_tokens > 0 && [w.facts.cached, `${number(usage.cached_tokens)} (${percent(usage.cached_tokens / (usage.prompt_tokens || 1))})`],
    ...Object.entries(usage.calls ?? {}).map(([provider, n]) => [w.facts.calls(provider), number(n)]),
    ...Object.entries(usage.models ?? {}).map(([model, n]) => [model, w.answers(n)]),
    ...Object.entries(job.metadata ?? {}).map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)]),
  ].filter(Boolean);
  return html`<section class="sheet stack"><h2 class="aside-head">${w.facts.title}</h2><dl class="facts small num">${rows.map(([name, value], i) => html`<div key=${i}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></section>`;
}

/** What was asked for. Long values are shown whole; everything is text. */
function Request({ request }) {
  const order = Object.keys(w.fields), place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const entries = Object.entries(request).filter(([name, value]) => value !== null && value !== undefined && value !== "" && value?.length !== 0 && name !== "business_id" && name !== "metadata")
    .toSorted((a, b) => place(a[0]) - place(b[0]));
  const words = (name, value) => (name === "format" ? t.formats[value] ?? String(value) : Array.isArray(value) ? value.join(", ") : typeof value === "boolean" ? (value ? w.yes : w.no) : name === "deadline_seconds" ? duration(value) : name === "priority" ? w.priorities[value] ?? value : typeof value === "object" ? JSON.stringify(value) : String(value));
  return html`<section class="stack" aria-labelledby="asked"><h2 id="asked">${w.request}</h2>
    <dl class="asked">${entries.map(([name, value]) => html`<div key=${name}><dt class="label">${w.fields[name] ?? name}</dt><dd>${words(name, value)}</dd></div>`)}</dl>
    <details><summary>${w.raw}</summary><pre class="raw tiny" tabindex="0" aria-label=${w.raw}>${JSON.stringify(request, null, 2)}</pre></details>
  </section>`;
}

// # What it did and when: a bar for each stage with what it took, and what happened to it

// Time in which nothing ran is drawn at most this long, as a share of the time in which something did.
const LONGEST_GAP = 0.18;

/** Where a moment is on the bars: 0 to 1. Long times of waiting are drawn short, and marked. */
function scaleOf(spans, from, to) {
  const runs = [];
  for (const [start, end] of spans.toSorted((a, b) => a[0] - b[0])) {
    const last = runs.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else runs.push([start, end]);
  }
  const busy = runs.reduce((sum, [start, end]) => sum + end - start, 0) || 1;
  const most = busy * LONGEST_GAP;
  const marks = [];
  const points = [];
  let at = from, place = 0;
  const step = (until, isRun) => {
    const real = Math.max(0, until - at), drawn = isRun ? real : Math.min(real, most);
    points.push([at, place, until, place + drawn]);
    if (!isRun && real > most && real > 1000) marks.push({ from: place, to: place + drawn, seconds: real / 1000 });
    place += drawn;
    at = Math.max(at, until);
  };
  for (const [start, end] of runs) {
    step(start, false);
    step(end, true);
  }
  if (to > at) step(to, false);
  const whole = place || 1;
  const share = (moment) => {
    const piece = points.find(([, , until]) => moment <= until) ?? points.at(-1);
    if (!piece) return 0;
    const [a, pa, b, pb] = piece;
    return Math.min(1, Math.max(0, (pa + ((moment - a) / (b - a || 1)) * (pb - pa)) / whole));
  };
  return { share, gaps: marks.map((mark) => ({ from: mark.from / whole, to: mark.to / whole, seconds: mark.seconds })) };
}

/** The stage that runs now. The service tells finished ones only: it has run since the one before, or since the job was taken. */
function underWay(job, finished, events) {
  if (job.status !== "running" || finished.some((stage) => !stage.finished_at)) return [];
  const since = [finished.at(-1)?.finished_at, events?.findLast((event) => event.kind === "started" || event.kind === "taken_over")?.at, job.started_at].filter(Boolean).map((at) => +new Date(at));
  if (since.length === 0) return [];
  const nothing = { round: 0, seconds: null, waited_seconds: null, calls: 0, models: {}, prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0, cost_usd: 0 };
  return [{ ...nothing, stage: job.progress.stage, started_at: new Date(Math.max(...since)).toISOString(), finished_at: null }];
}

/** The stages with times as bars. */
function Stages({ data: { job, stages: finished, events } }) {
  const now = Date.now();
  const stages = [...finished, ...underWay(job, finished, events)];
  const spans = stages.map((stage) => [+new Date(stage.started_at), stage.finished_at ? +new Date(stage.finished_at) : now]);
  const from = Math.min(+new Date(job.created_at), ...spans.map(([start]) => start));
  const to = Math.max(job.finished_at ? +new Date(job.finished_at) : ["running", "waiting"].includes(job.status) ? now : from, ...spans.map(([, end]) => end));
  const { share, gaps } = scaleOf(spans, from, to);
  const waited = stages.reduce((sum, stage) => sum + (stage.waited_seconds ?? 0), 0);
  return html`<section class="stack" aria-labelledby="stages">
    <div class="row between"><h2 id="stages">${w.timeline}</h2><span class="small soft num">${w.span(duration((to - from) / 1000))}${waited > 0.5 ? `, ${w.waitedIn(duration(waited))}` : ""}</span></div>
    <ol class="plain stage-list">${stages.map((stage, i) => html`<${Stage} key=${`${stage.stage}-${stage.round}-${i}`} ...${{ stage, span: spans[i], share, gaps }} />`)}</ol>
    ${gaps.length > 0 && html`<p class="tiny soft">${w.gaps(gaps.map((gap) => duration(gap.seconds)).join(", "))}</p>`}
  </section>`;
}

function Stage({ stage, span, share, gaps }) {
  const left = share(span[0]), right = Math.max(share(span[1]), left + 0.006);
  const took = stage.seconds ?? (span[1] - span[0]) / 1000;
  // The time that it waited for its turn, after the stage before.
  const waited = share(span[0] - (stage.waited_seconds ?? 0) * 1000);
  const place = (from, to) => ({ left: `${from * 100}%`, width: `${(to - from) * 100}%` });
  const models = Object.entries(stage.models ?? {});
  return html`<li class=${cx("stage", !stage.finished_at && "now")}>
    <div class="stage-head"><strong>${stageName(stage.stage)}${stage.round > 0 && html` <span class="soft">${w.round(stage.round)}</span>`}</strong>
      <span class="num small" title=${fullTime(stage.started_at)}>${took < 0.05 ? w.brief : duration(took)}${!stage.finished_at && ` ${w.sofar}`}</span></div>
    <div class="stage-track" aria-hidden="true">
      ${gaps.map((gap, i) => html`<span key=${i} class="gap" style=${place(gap.from, gap.to)}></span>`)}
      ${left - waited > 0.003 && html`<span class="bar-wait" style=${place(waited, left)}></span>`}
      <span class="bar-run" style=${place(left, right)}></span>
    </div>
    <div class="stage-facts tiny soft num">
      <span>${w.clock(stage.started_at)}</span>
      ${stage.waited_seconds > 0.5 && html`<span>${w.waited(stage.waited_seconds)}</span>`}
      ${stage.calls > 0 && html`<span>${w.calls(stage.calls)}</span>`}
      ${models.map(([model, tokens]) => html`<span key=${model}>${model}${models.length > 1 && `: ${number(tokens.prompt_tokens ?? 0)} → ${number(tokens.completion_tokens ?? 0)}`}</span>`)}
      ${stage.prompt_tokens + stage.completion_tokens > 0 && html`<span>${w.tokens(stage.prompt_tokens, stage.completion_tokens)}</span>`}
      ${stage.cached_tokens > 0 && html`<span>${w.cached(stage.cached_tokens)}</span>`}
      ${stage.cost_usd > 0 && html`<span>${money(stage.cost_usd)}</span>`}
    </div>
  </li>`;
}

const MARKS = { started: ["play", ""], waiting: ["clock", "warn"], taken_over: ["refresh", "warn"], handed_back: ["undo", ""], retried: ["refresh", ""], failed: ["cross", "bad"], cancelled: ["cross", ""], succeeded: ["check", "good"] };

/** A job that waits for a call often asks many times: such turns are told in one line, `{fold: [events]}`. */
function folded(events) {
  const list = [];
  const isTurn = (event, like) => (event.kind === "waiting" && event.reason === like.reason && event.stage === like.stage && event.attempt === like.attempt) || (event.kind === "started" && event.stage === like.stage && event.attempt === like.attempt);
  for (let i = 0; i < events.length; i++) {
    let end = i;
    if (events[i].kind === "waiting" && events[i].reason !== "backoff") while (events[end + 1] && isTurn(events[end + 1], events[i])) end++;
    if (end > i && events[end].kind === "started") end--; // What it was started for in the end is told by itself.
    if (end - i >= 2) {
      list.push({ fold: events.slice(i, end + 1) });
      i = end;
    } else list.push(events[i]);
  }
  return list;
}

/** What happened to the job, the newest last. */
function Events({ events, job }) {
  const isSameDay = events.every((event) => dayOf(event.at) === dayOf(events[0].at));
  const line = (event, i) => html`<${Event} key=${i} event=${event} job=${job} isSameDay=${isSameDay} />`;
  return html`<section class="stack" aria-labelledby="events"><h2 id="events">${w.events}</h2>
    <ol class="plain events">${folded(events).map((event, i) => (event.fold ? html`<${Fold} key=${i} events=${event.fold} isSameDay=${isSameDay} line=${line} />` : line(event, i)))}</ol></section>`;
}

const Moment = ({ at, isSameDay }) => html`<time class="tiny soft num" datetime=${at} title=${fullTime(at)}>${isSameDay ? "" : `${dayOf(at)}, `}${w.clock(at)}</time>`;

function Fold({ events, isSameDay, line }) {
  const first = events[0], last = events.at(-1), turns = events.filter((event) => event.kind === "waiting").length;
  const until = last.until ?? last.at;
  return html`<li class="event warn"><span class="event-mark"><${Icon} name="clock" size=${14} /></span>
    <div class="stack-s">
      <div class="row between"><strong class="small">${w.waitedTurns(turns, duration((new Date(until) - new Date(first.at)) / 1000))}</strong><${Moment} at=${first.at} isSameDay=${isSameDay} /></div>
      <p class="small soft">${sentence({ ...first, until })}</p>
      <details><summary>${w.eachTurn}</summary><ol class="plain events">${events.map(line)}</ol></details>
    </div></li>`;
}

function Event({ event, job, isSameDay }) {
  const [icon, kind] = MARKS[event.kind] ?? ["right", ""];
  return html`<li class=${cx("event", event.kind === "retried" && event.reason ? "warn" : kind)}><span class="event-mark"><${Icon} name=${icon} size=${14} /></span>
    <div class="stack-s">
      <div class="row between"><strong class="small">${w.eventKinds[event.kind]?.(event, job) ?? event.kind}</strong><${Moment} at=${event.at} isSameDay=${isSameDay} /></div>
      <p class="small soft">${sentence(event)}</p>
      ${event.lines?.length > 0 && html`<p class="small line">${event.lines[0]}</p>`}
      ${event.lines?.length > 1 && html`<${Causes} lines=${event.lines} />`}
    </div></li>`;
}

function sentence(event) {
  const why = event.reason && event.reason !== "backoff" && (t.waiting[event.reason]?.(event.provider ?? t.waiting.someone) ?? titleOf({ type: event.reason, title: event.reason }));
  const parts = [
    why, event.reason === "backoff" && event.provider && w.becauseOf(event.provider), event.until && w.goesOn(w.clock(event.until)), event.stage && w.inStage(stageName(event.stage)),
    event.attempt > 1 && w.inAttempt(event.attempt), event.worker && w.byWorker(event.worker),
  ].filter(Boolean).join(" · ");
  return parts ? parts[0].toUpperCase() + parts.slice(1) : "";
}
