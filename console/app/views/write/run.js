// Texts under way: their steps, the words as they are written, and why they wait.

import { html, useEffect, useReducer, useState } from "../../vendor/htm-preact.js";
import { at, follow, get, poll, post, useLoad } from "../../api.js";
import { Markdown } from "../../markdown.js";
import { link } from "../../route.js";
import { can } from "../../session.js";
import { duration, t, whyWaiting } from "../../strings.js";
import { Button, confirm, ErrorBox, Icon, JobStatus, PageHead, Skeleton, toast } from "../../ui.js";
import { TextBody } from "./text.js";

const w = t.write.run;
const STEPS = ["brief", "research", "knowledge", "lessons", "outline", "draft", "edit", "finish"];
const isOpen = (job) => ["queued", "waiting", "running"].includes(job.status);

export function Run({ ids, route, businesses }) {
  const [jobs, setJobs] = useState({});
  const chosen = ids.includes(route.query.at) ? route.query.at : ids[0];
  const know = (job) => setJobs((old) => ({ ...old, [job.id]: { ...old[job.id], ...job } }));
  // The one that is looked at is followed by events; the others are asked for, since a browser has few connections.
  const others = ids.filter((id) => id !== chosen && !(jobs[id] && !isOpen(jobs[id])));
  useEffect(() => {
    if (others.length === 0) return undefined;
    const ask = () => Promise.all(others.map(async (id) => know(await get(at`/api/jobs/${id}`))));
    ask().catch(() => {});
    return poll(ask, 3000);
  }, [others.join()]);
  return html`${ids.length > 1 && html`<nav class="tabs run-tabs" aria-label=${w.texts}>${ids.map((id) => html`<a key=${id} href=${link(["write", "run", ids.join(".")], { at: id })} aria-current=${id === chosen ? "page" : undefined}>
      <${FormatOf} id=${id} job=${jobs[id]} />${jobs[id] && html`<${JobStatus} status=${jobs[id].status} />`}</a>`)}</nav>`}
    <${One} key=${chosen} id=${chosen} businesses=${businesses} onJob=${know} />`;
}

/** What kind of text a job writes: its result says it, before that its request. */
function FormatOf({ id, job }) {
  const request = useRequest(id);
  const format = job?.result?.content_type ?? request?.format;
  return html`<span>${t.formats[format] ?? format ?? t.jobKind.generate}</span>`;
}

const requests = new Map();
/** Keeps what was asked for here, so that it needs not be asked. */
export const remember = (id, request) => requests.set(id, request);
/** What was asked for, once it is known. An API of a release before does not tell it. */
function useRequest(id) {
  const [, render] = useState(0);
  useEffect(() => {
    if (requests.has(id)) return;
    requests.set(id, null);
    get(at`/api/jobs/${id}/timeline`).then((timeline) => { requests.set(id, timeline.request); render((n) => n + 1); }).catch(() => {});
  }, [id]);
  return requests.get(id);
}

const START = { job: null, marks: [], text: "", stage: "", round: 0 };
function heard(state, [event, data]) {
  if (event === "job") return { ...state, job: data };
  if (event === "status") return { ...state, job: { ...state.job, ...data } };
  if (event === "progress") {
    if (state.marks.at(-1)?.stage === data.stage && state.job?.progress?.completed === data.completed) return state;
    return { ...state, job: { ...state.job, progress: data }, marks: [...state.marks, { stage: data.stage, at: Date.now() }] };
  }
  if (event === "token" || event === "revised") return { ...state, text: data.reset ? data.text : state.text + data.text, stage: data.stage, round: data.round };
  return { ...state, job: data, ended: Date.now() };
}

function One({ id, businesses, onJob }) {
  const [state, tell] = useReducer(heard, START);
  const [error, setError] = useState(null);
  const [turn, again] = useState(0);
  useEffect(() => {
    let stop = () => {};
    let isHere = true;
    setError(null);
    get(at`/api/jobs/${id}`).then((job) => {
      if (!isHere) return;
      tell(["job", job]);
      onJob(job);
      if (isOpen(job)) stop = follow(id, (event, data) => {
        tell([event, data]);
        if (event === "done") {
          onJob(data);
          if (data.status === "succeeded") toast(w.took((new Date(data.finished_at) - new Date(data.created_at)) / 1000));
        }
        if (event === "status") onJob({ id, ...data });
      });
    }).catch(setError);
    return () => {
      isHere = false;
      stop();
    };
  }, [id, turn]);
  const { job } = state;
  if (error) return html`<${PageHead} title=${w.title} /><${ErrorBox} error=${error} onRetry=${() => again(turn + 1)} />`;
  if (!job) return html`<${PageHead} title=${w.title} /><${Skeleton} lines=${8} />`;
  if (job.status === "succeeded" && job.result?.generation_id) {
    return html`<${TextBody} generation=${job.result} businesses=${businesses} above=${html`<${Steps} state=${state} />`} />`;
  }
  return html`<${Live} state=${state} id=${id} onAgain=${() => again(turn + 1)} />`;
}

function Live({ state, id, onAgain }) {
  const { job } = state;
  const request = useRequest(id);
  // The page's heading says it already.
  const heading = /^\s*# +([^\n]*)\n/.exec(state.text);
  const text = heading && heading[1].trim() === request?.topic ? state.text.slice(heading[0].length) : state.text;
  return html`<${PageHead} title=${request?.topic ?? w.title}><${JobStatus} status=${job.status} />${isOpen(job) && can("generate") && html`<${Cancel} id=${id} />`}<//>
    <div class="desk run">
      <div class="stack">
        <${Where} job=${job} />
        ${job.error && html`<${Failed} job=${job} onAgain=${onAgain} />`}
        ${job.status === "cancelled" && html`<p class="note">${w.cancelled}</p>`}
        ${isOpen(job) || text ? html`<section class="sheet paper" aria-label=${state.round > 0 ? w.edited : w.draft} aria-busy=${isOpen(job) ? "true" : "false"}>
          ${text ? html`<p class="label">${state.stage === "edit" || state.round > 0 ? w.edited : w.draft}</p><${Markdown} breaks text=${text} class=${`prose ${isOpen(job) ? "being-written" : ""}`} />`
            : html`<div class="stack"><p class="soft">${w.writing}</p><${Skeleton} lines=${8} /></div>`}
        </section>` : null}
      </div>
      <aside class="stack"><${Steps} state=${state} isLive /><a class="small" href=${link(["work", "jobs", id])}>${w.details}</a></aside>
    </div>`;
}

/** Where it stands and why, in plain words; read out when it changes. */
function Where({ job }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  const stage = job.progress && (t.stages[job.progress.stage] ?? job.progress.stage);
  const words = !isOpen(job) ? "" : job.waiting ? whyWaiting(job.waiting) : job.status === "queued" ? (job.position ? w.line(job.position) : w.soon) : stage ? w.stage(stage) : "";
  // What is read out changes with the state only, not with each second.
  const said = job.waiting ? whyWaiting(job.waiting, null) : words;
  if (!words) return html`<p class="visually-hidden" role="status">${t.jobStatus[job.status]}</p>`;
  // The steps show what is done now; a sentence is for what is waited for.
  if (!job.waiting && job.status === "running" && !job.eta_seconds && job.attempt <= 1) return html`<p class="visually-hidden" role="status">${said}</p>`;
  return html`<div class="note where ${job.waiting ? "warn" : ""}"><p class="visually-hidden" role="status">${said}</p><span>${words}${job.waiting && job.position ? ` ${w.line(job.position)}` : ""}${job.eta_seconds ? ` ${w.eta(job.eta_seconds)}` : ""}</span>${job.attempt > 1 && html`<span class="tiny soft">${w.attempt(job.attempt, job.max_attempts)}</span>`}</div>`;
}

function Failed({ job, onAgain }) {
  const [busy, setBusy] = useState(false);
  const retry = async () => {
    setBusy(true);
    try {
      await post(at`/api/jobs/${job.id}/retry`);
      onAgain();
    } catch (error) {
      toast(error.message, { kind: "bad" });
    }
    setBusy(false);
  };
  return html`<div class="note bad" role="alert"><strong>${w.failed}: ${job.error.title}</strong><span>${job.error.detail}</span>${can("generate") && html`<${Button} small icon="refresh" busy=${busy} onClick=${retry}>${w.retry}<//>`}</div>`;
}

function Cancel({ id }) {
  const [busy, setBusy] = useState(false);
  const cancel = async () => {
    if (!(await confirm({ title: w.cancelTitle, text: w.cancelText, action: w.cancelAction }))) return;
    setBusy(true);
    try {
      await post(at`/api/jobs/${id}/cancel`);
    } catch (error) {
      toast(error.message, { kind: "bad" });
    }
    setBusy(false);
  };
  return html`<${Button} icon="cross" busy=${busy} onClick=${cancel}>${w.cancel}<//>`;
}

/** The steps with their times: as they were heard here, or as the service tells them afterwards. */
function Steps({ state, isLive }) {
  const { job, marks } = state;
  const told = useLoad(async (signal) => {
    if (isOpen(job)) return null;
    try {
      return (await get(at`/api/jobs/${job.id}/timeline`, undefined, { signal })).stages;
    } catch {
      return null;
    }
  }, [job.id, isOpen(job)]).data;
  const [, tick] = useState(0);
  useEffect(() => {
    if (!isOpen(job)) return undefined;
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, [isOpen(job)]);
  const current = isOpen(job) ? STEPS.indexOf(job.progress?.stage) : STEPS.length;
  const seconds = (stage) => {
    const stored = told?.filter((one) => one.stage === stage);
    if (stored?.length) return stored.reduce((sum, one) => sum + (one.seconds ?? 0), 0);
    // The first mark was not seen to begin.
    const spans = marks.map((mark, i) => (mark.stage === stage && i > 0 ? ((marks[i + 1]?.at ?? state.ended ?? Date.now()) - mark.at) / 1000 : 0));
    return spans.reduce((sum, one) => sum + one, 0) || null;
  };
  const shown = STEPS.filter((stage) => stage !== "outline" || job.progress?.stage === "outline" || marks.some((mark) => mark.stage === "outline") || told?.some((one) => one.stage === "outline"));
  const total = job.finished_at && (new Date(job.finished_at) - new Date(job.created_at)) / 1000;
  const list = html`<ol class="plain steps">${shown.map((stage) => {
    const index = STEPS.indexOf(stage);
    const is = !isOpen(job) && job.status !== "succeeded" && index >= STEPS.indexOf(job.progress?.stage) ? "next" : index < current ? "done" : index === current ? "now" : "next";
    const time = is === "next" ? null : seconds(stage);
    return html`<li key=${stage} class=${is} aria-current=${is === "now" ? "step" : undefined}><span class="step-mark" aria-hidden="true">${is === "done" && html`<${Icon} name="check" size=${14} />`}</span><span>${t.stages[stage] ?? stage}<span class="visually-hidden">, ${w.states[is]}</span></span><span class="num soft small">${time !== null && duration(time)}</span></li>`;
  })}</ol>`;
  if (isLive) return html`<section class="stack-s" aria-label=${w.steps}><h2 class="label">${w.steps}</h2>${list}</section>`;
  return html`<details class="took"><summary>${w.took(total)}</summary>${list}</details>`;
}
