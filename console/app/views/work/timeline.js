// What a job did and when: a bar for each stage with what it took, and what happened to the job. It fetches nothing.

import { html } from "../../vendor/htm-preact.js";
import { dayOf, duration, fullTime, money, number, t } from "../../strings.js";
import { cx, Icon } from "../../ui.js";
import { Causes, stageName, titleOf } from "./state.js";

const w = t.work;
// Time in which nothing ran is drawn at most this long, as a share of the time in which something did.
const LONGEST_GAP = 0.18;

/** Where a moment is on the bars: 0 to 1. Long times of waiting are drawn short, and marked. */
export function scaleOf(spans, from, to) {
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
export function Stages({ data: { job, stages: finished, events } }) {
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
export function folded(events) {
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
export function Events({ events, job }) {
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
