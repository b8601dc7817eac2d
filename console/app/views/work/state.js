// How a job stands, in words: its state, why it waits, why it failed and what to do. It fetches nothing.

import { html } from "../../vendor/htm-preact.js";
import { can } from "../../session.js";
import { t, whyWaiting } from "../../strings.js";
import { Chip, JobStatus, Time } from "../../ui.js";

const w = t.work;

// A job whose time came so many milliseconds ago waits for something else: a worker, or a paused queue.
const LATE = 30_000;
export const OPEN = ["queued", "waiting", "running"];
export const isOpen = (job) => OPEN.includes(job.status);
export const slugOf = (type) => String(type ?? "").split("/").pop();
/** What a failure is called, by its problem's type. */
export const titleOf = (error) => t.problems[slugOf(error?.type)] ?? error?.title ?? t.errors.title;
export const stageName = (stage) => (stage ? t.stages[stage] ?? stage : w.noStage);
/** Enough of an id to tell it from its neighbours: the first part of a UUIDv7 is the time. */
export const shortId = (id) => id.slice(-8);

/** What a job is called where lists do not tell its topic. */
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
export function Problem({ error, lines = [] }) {
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
export const Causes = ({ lines }) => html`<details class="causes"><summary>${w.causes(lines.length)}</summary><ol class="mono tiny">${lines.map((line, i) => html`<li key=${i}>${line}</li>`)}</ol></details>`;

/** Why it waits and until when, or where it stands in the line. */
export function Waiting({ job }) {
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
