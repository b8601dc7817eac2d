// What needs somebody, and the queues with their history.

import { html, useState } from "../../vendor/htm-preact.js";
import { at, get, post, useLoad } from "../../api.js";
import { link } from "../../route.js";
import { can } from "../../session.js";
import { clockOf, duration, number, t } from "../../strings.js";
import { Button, Chip, confirm, cx, Figure, Icon, toast } from "../../ui.js";
import { dayIsUsed } from "./breakers.js";
import { useFocusKept } from "../work/job.js";
import { History, RANGES } from "./history.js";

const w = t.operate;
const LATE = 15_000;

export function Now({ route, overview, health, reload }) {
  const range = RANGES[route.query.range] ? route.query.range : "hour";
  const dead = useLoad((signal) => get("/api/ops/dead/count", undefined, { signal }).catch((error) => { if (error.status === 404) return null; throw error; }), [], { every: 15_000 });
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
export function attention(overview, health, dead) {
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
    try {
      const state = await post(at`/api/ops/queues/${kind}/${act}`);
      toast(`${w.queueDone[act](name)}${state.in_force ? "" : ` ${w.notInForce}`}`);
      reload();
    } catch (error) {
      toast(error.detail ?? error.message, { kind: "bad" });
    }
    setBusy(null);
  };
  const ready = queue.queued + queue.waiting;
  return html`<div class="row queue-tools" ref=${ref}>
    ${intake !== "open" && html`<${Button} small kind="primary" icon="play" busy=${busy === "resume"} onClick=${() => set("resume", { title: w.resumeTitle(name), text: w.resumeText(ready), action: w.resume, danger: false })}>${w.resume}<//>`}
    ${intake === "open" && html`<${Button} small busy=${busy === "drain"} onClick=${() => set("drain", { title: w.drainTitle(name), text: w.drainText(queue.queued, queue.waiting, queue.running), action: w.drainAction })}>${w.drain}<//>`}
    ${intake !== "paused" && html`<${Button} small kind="danger" icon="pause" busy=${busy === "pause"} onClick=${() => set("pause", { title: w.pauseTitle(name), text: w.pauseText(ready, queue.running), action: w.pauseAction })}>${w.pause}<//>`}
  </div>`;
}
