// Write: asking for texts, the texts that are there, those under way, and a finished one with its verdict and versions.

import { html, useEffect, useMemo, useReducer, useState } from "../vendor/htm-preact.js";
import { at, del, follow, get, newKey, poll, post, useLoad, usePages } from "../api.js";
import { Markdown, safeUrl, toHtml, WordDiff } from "../markdown.js";
import { go, link, setQuery } from "../route.js";
import { businessName, BusinessPicker, can, chosenBusiness } from "../session.js";
import { duration, money, number, short, t, whyWaiting } from "../strings.js";
import { Button, CheckField, Chip, choices, confirm, copy, cx, Dialog, Empty, ErrorBox, Gauge, Icon, JobStatus, Loaded, Menu, Paged, PageHead, SelectField, Skeleton, Table, Tabs, TextField, Time, toast, tried, useId, useSending } from "../ui.js";

// # Asking for texts, and the list of them

const w = t.write;

// What has been typed, kept while other pages are looked at and when the session ends.
const EMPTY = { topic: "", formats: ["blog"], voice: "", audience: "", instructions: "", keywords: "", length_words: "", language: "", min_score: "", max_rounds: "", allow_fallback: true, bulk: false, run_at: "", deadline: "" };
let kept = EMPTY;

export default function Write(props) {
  const [page, id] = props.route.parts;
  if (page === "run" && id) return html`<${Run} key=${id} ids=${id.split(".")} ...${props} />`;
  if (page === "texts" && id) return html`<${Text} key=${id} id=${id} ...${props} />`;
  if (page === "texts") return html`<${Texts} ...${props} />`;
  return html`<${Compose} ...${props} />`;
}

/** The request that the form asks for, of one format. */
function requestOf(form, business, format) {
  const text = (value) => value.trim() || undefined;
  const count = (value) => (value === "" ? undefined : Number(value));
  return {
    business_id: business, topic: form.topic.trim(), format,
    voice: text(form.voice), audience: text(form.audience), instructions: text(form.instructions), language: text(form.language),
    keywords: text(form.keywords)?.split(",").map((word) => word.trim()).filter(Boolean),
    length_words: count(form.length_words), min_score: count(form.min_score), max_rounds: count(form.max_rounds),
    allow_fallback: form.allow_fallback ? undefined : false, priority: form.bulk ? "bulk" : undefined,
    run_at: form.run_at ? new Date(form.run_at).toISOString() : undefined,
    deadline_seconds: form.deadline === "" ? undefined : Math.round(Number(form.deadline) * 3600),
  };
}

/** Sends it. Returns the jobs that were accepted; throws where none was. */
async function send(form, business, key) {
  if (form.formats.length === 1) return [await post("/api/generate", requestOf(form, business, form.formats[0]), { key })];
  const { data } = await post("/api/generate/batch", { requests: form.formats.map((format) => requestOf(form, business, format)) }, { key });
  const jobs = data.map((line) => line.job).filter(Boolean);
  const failed = data.find((line) => line.error)?.error;
  if (jobs.length === 0 && failed) {
    const fields = Object.fromEntries((failed.errors ?? []).map(({ pointer, detail }) => [pointer.replace(/^#?\//, ""), detail]));
    throw Object.assign(new Error(failed.detail), { title: failed.title, fields });
  }
  if (failed) toast(`${w.partly(jobs.length, data.length)} ${failed.detail}`, { kind: "bad" });
  return jobs;
}

function Compose({ route, businesses, areBusinessesLoaded }) {
  const business = chosenBusiness(route, businesses);
  const [form, setForm] = useState(kept);
  const [state, setState] = useState({ busy: false, error: null, wrong: {} });
  const set = (changes) => {
    kept = { ...kept, ...changes };
    setForm(kept);
  };
  // The same click, the same key: sending again after a lost answer does not write twice.
  const key = useMemo(newKey, [form, business]);
  const start = async (event) => {
    event.preventDefault();
    const wrong = { topic: form.topic.trim() ? null : w.noTopic, formats: form.formats.length ? null : w.noFormat };
    if (wrong.topic || wrong.formats) {
      setState({ busy: false, error: null, wrong });
      document.getElementById(wrong.topic ? "topic" : "format-blog")?.focus();
      return;
    }
    setState({ busy: true, error: null, wrong: {} });
    try {
      const jobs = await send(form, business, key);
      jobs.forEach((job, i) => remember(job.id, { topic: form.topic.trim(), format: jobs.length === form.formats.length ? form.formats[i] : undefined }));
      set({ topic: "", instructions: "", keywords: "" });
      go(link(["write", "run", jobs.map((job) => job.id).join(".")]));
    } catch (error) {
      setState({ busy: false, error, wrong: error.fields ?? {} });
    }
  };
  return html`<${PageHead} title=${w.title} lead=${w.lead} />
    <div class="desk">
      <div class="stack-l">
        ${areBusinessesLoaded ? html`<${BusinessPicker} businesses=${businesses} value=${business} />` : html`<${Skeleton} lines=${1} height="4rem" />`}
        ${areBusinessesLoaded && !business && html`<p class="note">${t.business.noneText}</p>`}
        ${can("generate") ? business && html`<${Form} form=${form} set=${set} state=${state} onSubmit=${start} />` : html`<p class="note">${w.mayNotWrite}</p>`}
      </div>
      ${business && html`<${Recent} business=${business} />`}
    </div>`;
}

function Form({ form, set, state, onSubmit }) {
  const { wrong } = state;
  const field = (name, more) => ({ label: w[more?.word ?? name], hint: w[`${more?.word ?? name}Hint`], value: form[name], error: wrong[name], onInput: (value) => set({ [name]: value }), ...more?.rest });
  return html`<form class="stack-l" onSubmit=${onSubmit} novalidate>
    <div class="field topic">
      <label for="topic">${w.topic}</label>
      <textarea id="topic" class="input" rows="2" maxlength="500" placeholder=${w.topicPlaceholder} value=${form.topic} aria-invalid=${wrong.topic ? "true" : undefined} aria-describedby="topic-hint" onInput=${(event) => set({ topic: event.target.value })}></textarea>
      <span id="topic-hint" class=${wrong.topic ? "wrong" : "hint"}>${wrong.topic ?? w.topicHint}</span>
    </div>
    <${Formats} chosen=${form.formats} error=${wrong.formats ?? wrong.format} onChange=${(formats) => set({ formats })} />
    <${TextField} ...${field("voice")} maxlength="1000" optional />
    <details class="more" open=${["audience", "instructions", "keywords", "length_words", "language"].some((name) => form[name] || wrong[name])}>
      <summary>${w.advanced}</summary>
      <div class="stack">
        <${TextField} ...${field("instructions")} lines=${3} maxlength="5000" />
        <${TextField} ...${field("audience")} maxlength="1000" />
        <${TextField} ...${field("keywords")} />
        <div class="pairs">
          <${TextField} ...${field("length_words", { word: "length" })} type="number" min="20" max="5000" inputmode="numeric" />
          <${TextField} ...${field("language")} maxlength="35" />
          <${TextField} ...${field("min_score", { word: "minScore" })} type="number" min="0" max="10" step="0.1" inputmode="decimal" />
          <${TextField} ...${field("max_rounds", { word: "rounds" })} type="number" min="0" max="5" inputmode="numeric" />
          <${TextField} ...${field("run_at", { word: "runAt" })} type="datetime-local" />
          <${TextField} ...${field("deadline", { word: "deadline" })} type="number" min="0.01" max="168" step="any" inputmode="decimal" />
        </div>
        <${CheckField} label=${w.fallback} hint=${w.fallbackHint} checked=${form.allow_fallback} onChange=${(allow_fallback) => set({ allow_fallback })} />
        <${CheckField} label=${w.bulk} hint=${w.bulkHint} checked=${form.bulk} onChange=${(bulk) => set({ bulk })} />
      </div>
    </details>
    <${ErrorBox} error=${state.error} />
    <div><${Button} kind="primary" type="submit" class="large" busy=${state.busy}>${state.busy ? w.starting : w.start(form.formats.length)}<//></div>
  </form>`;
}

function Formats({ chosen, error, onChange }) {
  const flip = (format) => onChange(chosen.includes(format) ? chosen.filter((one) => one !== format) : [...chosen, format]);
  return html`<fieldset class="field">
    <legend>${w.formats}</legend>
    <div class="formats">${Object.entries(t.formats).map(([format, label]) => html`<label key=${format} class="format"><input id=${`format-${format}`} type="checkbox" checked=${chosen.includes(format)} onChange=${() => flip(format)} /><span>${label}</span></label>`)}</div>
    <span class=${error ? "wrong" : "hint"} role=${error ? "alert" : undefined}>${error ?? w.formatsHint}</span>
  </fieldset>`;
}

function Recent({ business }) {
  const texts = useLoad((signal) => get("/api/generations", { business_id: business, limit: 8 }, { signal }), [business], { every: 15_000, keep: false });
  return html`<aside class="recent stack" aria-label=${w.earlier}>
    <div class="row between"><h2>${w.earlier}</h2>${texts.data?.data.length > 0 && html`<a href=${link(["write", "texts"], { business })}>${w.allEarlier}</a>`}</div>
    ${texts.error && !texts.data ? html`<${ErrorBox} error=${texts.error} onRetry=${texts.reload} />` : !texts.data ? html`<${Skeleton} lines=${8} />`
      : texts.data.data.length === 0 ? html`<p class="soft">${w.noneText}</p>`
      : html`<ul class="plain texts">${texts.data.data.map((text) => html`<li key=${text.generation_id}><${Line} text=${text} /></li>`)}</ul>`}
  </aside>`;
}

const scoreOf = (text) => text.review?.calibrated_score ?? text.review?.score;

function Line({ text }) {
  return html`<a class="text-line" href=${link(["write", "texts", text.generation_id])}>
    <span class="serif text-title">${text.title || text.topic}</span>
    <span class="tiny soft row"><span>${t.formats[text.content_type] ?? text.format}</span><${Time} at=${text.created_at} /><${Verdict} feedback=${text.feedback} />${text.degraded.length > 0 && html`<${Chip} kind="warn">${w.shortfalls(text.degraded.length)}<//>`}</span>
  </a>`;
}

function Verdict({ feedback }) {
  if (!feedback) return null;
  const { human_approved: approved, human_score: score } = feedback;
  const words = [approved === true ? w.text.approved : approved === false ? w.text.rejected : null, score !== null && score !== undefined ? w.text.scoreOf(score) : null].filter(Boolean).join(", ");
  return html`<${Chip} kind=${approved === true ? "good" : approved === false ? "bad" : undefined}>${words || w.text.given}<//>`;
}

function Texts({ route, businesses }) {
  const business = chosenBusiness(route, businesses);
  const { degraded } = route.query;
  const pages = usePages(business && "/api/generations", { business_id: business, degraded }, { limit: 25 });
  const columns = [
    { key: "text", label: w.columns.text, lead: true, render: (text) => html`<a class="serif text-title" href=${link(["write", "texts", text.generation_id])}>${text.title || text.topic}</a><div class="tiny soft">${t.formats[text.content_type] ?? text.format}${text.degraded.length > 0 && html` · ${text.degraded.map((one) => t.degraded[one] ?? one).join(" ")}`}</div>` },
    { key: "score", label: w.columns.score, right: true, render: (text) => number(scoreOf(text), 1) },
    { key: "verdict", label: w.columns.verdict, render: (text) => text.feedback ? html`<${Verdict} feedback=${text.feedback} />` : html`<span class="soft">${w.noVerdict}</span>` },
    { key: "cost", label: w.columns.cost, right: true, render: (text) => money(text.usage.cost_usd) },
    { key: "when", label: w.columns.when, right: true, render: (text) => html`<${Time} at=${text.created_at} />` },
  ];
  return html`<${PageHead} title=${w.earlier} lead=${business ? businessName(businesses, business) : undefined}>${can("generate") && html`<${Button} kind="primary" icon="write" href=${link("write", { business })}>${w.toForm}<//>`}<//>
    <div class="stack">
      <div class="filters"><${BusinessPicker} businesses=${businesses} value=${business} />
        <${SelectField} label=${w.filterDegraded} value=${degraded ?? ""} options=${choices(t.degraded, w.anyDegraded)} onChange=${(value) => setQuery({ degraded: value })} /></div>
      ${!business ? html`<${Empty} title=${t.business.none} text=${t.business.noneText} />`
        : html`<${Paged} of=${pages} lines=${10} empty=${html`<${Empty} title=${w.none} text=${w.noneText}>${can("generate") && html`<${Button} kind="primary" href=${link("write", { business })}>${w.toForm}<//>`}<//>`}>
          ${(rows) => html`<${Table} caption=${html`<span class="visually-hidden">${w.earlier}</span>`} columns=${columns} rows=${rows} rowKey=${(text) => text.generation_id} />`}<//>`}
    </div>`;
}

// # Texts under way: their steps, the words as they are written, and why they wait

const wr = t.write.run;
const STEPS = ["brief", "research", "knowledge", "lessons", "outline", "draft", "edit", "finish"];
const isOpen = (job) => ["queued", "waiting", "running"].includes(job.status);

function Run({ ids, route, businesses }) {
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
  return html`${ids.length > 1 && html`<nav class="tabs run-tabs" aria-label=${wr.texts}>${ids.map((id) => html`<a key=${id} href=${link(["write", "run", ids.join(".")], { at: id })} aria-current=${id === chosen ? "page" : undefined}>
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
const remember = (id, request) => requests.set(id, request);
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
          if (data.status === "succeeded") toast(wr.took((new Date(data.finished_at) - new Date(data.created_at)) / 1000));
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
  if (error) return html`<${PageHead} title=${wr.title} /><${ErrorBox} error=${error} onRetry=${() => again(turn + 1)} />`;
  if (!job) return html`<${PageHead} title=${wr.title} /><${Skeleton} lines=${8} />`;
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
  return html`<${PageHead} title=${request?.topic ?? wr.title}><${JobStatus} status=${job.status} />${isOpen(job) && can("generate") && html`<${Cancel} id=${id} />`}<//>
    <div class="desk run">
      <div class="stack">
        <${Where} job=${job} />
        ${job.error && html`<${Failed} job=${job} onAgain=${onAgain} />`}
        ${job.status === "cancelled" && html`<p class="note">${wr.cancelled}</p>`}
        ${isOpen(job) || text ? html`<section class="sheet paper" aria-label=${state.round > 0 ? wr.edited : wr.draft} aria-busy=${isOpen(job) ? "true" : "false"}>
          ${text ? html`<p class="label">${state.stage === "edit" || state.round > 0 ? wr.edited : wr.draft}</p><${Markdown} breaks text=${text} class=${`prose ${isOpen(job) ? "being-written" : ""}`} />`
            : html`<div class="stack"><p class="soft">${wr.writing}</p><${Skeleton} lines=${8} /></div>`}
        </section>` : null}
      </div>
      <aside class="stack"><${Steps} state=${state} isLive /><a class="small" href=${link(["work", "jobs", id])}>${wr.details}</a></aside>
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
  const words = !isOpen(job) ? "" : job.waiting ? whyWaiting(job.waiting) : job.status === "queued" ? (job.position ? wr.line(job.position) : wr.soon) : stage ? wr.stage(stage) : "";
  // What is read out changes with the state only, not with each second.
  const said = job.waiting ? whyWaiting(job.waiting, null) : words;
  if (!words) return html`<p class="visually-hidden" role="status">${t.jobStatus[job.status]}</p>`;
  // The steps show what is done now; a sentence is for what is waited for.
  if (!job.waiting && job.status === "running" && !job.eta_seconds && job.attempt <= 1) return html`<p class="visually-hidden" role="status">${said}</p>`;
  return html`<div class="note where ${job.waiting ? "warn" : ""}"><p class="visually-hidden" role="status">${said}</p><span>${words}${job.waiting && job.position ? ` ${wr.line(job.position)}` : ""}${job.eta_seconds ? ` ${wr.eta(job.eta_seconds)}` : ""}</span>${job.attempt > 1 && html`<span class="tiny soft">${wr.attempt(job.attempt, job.max_attempts)}</span>`}</div>`;
}

function Failed({ job, onAgain }) {
  const [busy, setBusy] = useState(false);
  const retry = async () => {
    setBusy(true);
    await tried(async () => {
      await post(at`/api/jobs/${job.id}/retry`);
      onAgain();
    });
    setBusy(false);
  };
  return html`<div class="note bad" role="alert"><strong>${wr.failed}: ${job.error.title}</strong><span>${job.error.detail}</span>${can("generate") && html`<${Button} small icon="refresh" busy=${busy} onClick=${retry}>${wr.retry}<//>`}</div>`;
}

function Cancel({ id }) {
  const [busy, setBusy] = useState(false);
  const cancel = async () => {
    if (!(await confirm({ title: wr.cancelTitle, text: wr.cancelText, action: wr.cancelAction }))) return;
    setBusy(true);
    try {
      await post(at`/api/jobs/${id}/cancel`);
    } catch (error) {
      toast(error.message, { kind: "bad" });
    }
    setBusy(false);
  };
  return html`<${Button} icon="cross" busy=${busy} onClick=${cancel}>${wr.cancel}<//>`;
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
    return html`<li key=${stage} class=${is} aria-current=${is === "now" ? "step" : undefined}><span class="step-mark" aria-hidden="true">${is === "done" && html`<${Icon} name="check" size=${14} />`}</span><span>${t.stages[stage] ?? stage}<span class="visually-hidden">, ${wr.states[is]}</span></span><span class="num soft small">${time !== null && duration(time)}</span></li>`;
  })}</ol>`;
  if (isLive) return html`<section class="stack-s" aria-label=${wr.steps}><h2 class="label">${wr.steps}</h2>${list}</section>`;
  return html`<details class="took"><summary>${wr.took(total)}</summary>${list}</details>`;
}

// # A finished text: as it will look, where it comes from, how it is judged, how it came to be, and what it cost

const wt = t.write.text;
const RATER = "copydesk.rater";
/** How long to wait until a verdict has been read, in seconds. */
const WAIT = 30;

function Text({ id, ...props }) {
  const text = useLoad((signal) => get(at`/api/generations/${id}`, undefined, { signal }), [id]);
  if (text.data) return html`<${TextBody} generation=${text.data} ...${props} />`;
  return html`<${PageHead} title=${t.write.earlier} />${text.error ? html`<${ErrorBox} error=${text.error} onRetry=${text.reload} />` : html`<${Skeleton} lines=${10} />`}`;
}

/** What people changed and have not sent yet, by the text's id: kept while other pages are looked at. */
const edits = new Map();

function TextBody({ generation: first, businesses, above, route }) {
  const [generation, setGeneration] = useState(first);
  const id = generation.generation_id;
  const [tab, setTab] = useState(route?.query.tab === "versions" ? "versions" : "text");
  const [cited, setCited] = useState(null);
  const [isEditing, setEditing] = useState(false);
  const [edited, setEdited] = useState(edits.get(id) ?? null);
  const change = (text) => {
    const next = text === generation.content ? null : text;
    next === null ? edits.delete(id) : edits.set(id, next);
    setEdited(next);
  };
  const reload = async () => setGeneration(await get(at`/api/generations/${id}`));
  const isChanged = edited !== null && edited !== generation.content;
  const body = useMemo(() => withoutTitle(generation), [generation.content, generation.title]);
  useEffect(() => { document.title = `${generation.title || generation.topic} · ${t.name}`; }, [id]);
  const counts = useMemo(() => size(isChanged ? edited : generation.content), [edited, generation.content]);
  return html`<article class="text">
    <header class="text-head">
      <p class="label"><a href=${link(["write", "texts"], { business: generation.business_id })}>${wt.back}</a></p>
      <h1 tabindex="-1">${generation.title || generation.topic}</h1>
      <p class="soft small row"><span>${wt.by(t.formats[generation.content_type] ?? generation.format, businessName(businesses ?? [], generation.business_id))}</span><${Time} at=${generation.created_at} as="both" /><span>${wt.size(counts.words, counts.characters)}</span>${above}</p>
    </header>
    <div class="desk text-desk">
      <div class="stack">
        ${generation.models.simulated && html`<p class="note warn small">${wt.simulated}</p>`}
        ${generation.degraded.length > 0 && html`<div class="note warn"><strong>${wt.degraded}</strong><ul>${generation.degraded.map((one) => html`<li key=${one}>${t.degraded[one] ?? one}</li>`)}</ul></div>`}
        <div class="row between text-bar"><${Tabs} label=${wt.views} current=${tab} onChange=${(next) => { setTab(next); setEditing(false); }} tabs=${[{ id: "text", label: wt.tabs.text }, { id: "versions", label: wt.tabs.versions }]} />
          ${tab === "text" && html`<div class="row"><${CopyMenu} text=${edited ?? generation.content} />${can("feedback") && !isEditing && html`<${Button} icon="edit" onClick=${() => setEditing(true)}>${wt.edit}<//>`}<${Again} generation=${generation} /></div>`}</div>
        <div role="tabpanel" aria-labelledby=${`tab-${tab}`} class="stack" tabindex="-1">
          ${tab === "versions" ? html`<${Versions} generation=${generation} yours=${isChanged ? edited : null} />`
            : isEditing ? html`<${Editor} original=${generation.content} text=${edited ?? generation.content} onChange=${change} onDone=${() => setEditing(false)} />`
            : html`<div class="sheet paper">${isChanged && html`<p class="label">${wt.editing}</p>`}<${Markdown} breaks text=${shown(generation.content_type, isChanged ? edited : body)} onCite=${setCited} openCite=${cited} /></div>`}
        </div>
      </div>
      <aside class="stack-l text-aside">
        <${VerdictPanel} generation=${generation} edited=${isChanged ? edited : null} onSent=${() => change(generation.content)} reload=${reload} />
        <${Score} review=${generation.review} />
        <${Sources} sources=${generation.sources} onOpen=${setCited} />
        <${Lessons} generation=${generation} />
        <${Cost} generation=${generation} />
      </aside>
    </div>
    ${cited !== null && html`<${SourceDialog} n=${cited} generation=${generation} onClose=${() => setCited(null)} />`}
  </article>`;
}

const LABELLED = ["ad", "email", "video_script"];
/** The text as it is shown: the labels of ads, emails and scripts, and the numbers of posts, stand out. */
function shown(format, text) {
  if (LABELLED.includes(format)) return text.replace(/^([A-Z][A-Za-z ]{2,16}):(?= \S)/gm, "**$1:**");
  return format === "thread" ? text.replace(/^(\d{1,2}\/(?:\d{1,2})?)(?= )/gm, "**$1**") : text;
}

const size = (text) => ({ words: withoutMarks(text).match(/[\p{L}\p{N}][\p{L}\p{N}'’-]*/gu)?.length ?? 0, characters: [...withoutMarks(text)].length });

/** The text without its title, where it begins with it: the page shows the title already. */
function withoutTitle({ content, title }) {
  const heading = /^\s*# +([^\n]*)\n?/.exec(content);
  return heading && heading[1].trim() === title?.trim() ? content.slice(heading[0].length) : content;
}

const withoutMarks = (text) => text.replace(/ ?\[\d{1,3}(?:\s?,\s?\d{1,3}){0,9}\](?!\()/g, "");

function CopyMenu({ text }) {
  const [hasMarks, setMarks] = useState(false);
  const what = () => (hasMarks ? text : withoutMarks(text));
  return html`<${Menu} summary=${html`<${Icon} name="copy" />${wt.copy}`}>
    <${Button} onClick=${() => copy(what())}>${wt.copyMarkdown}<//>
    <${Button} onClick=${() => copy(what(), toHtml(what()))}>${wt.copyHtml}<//>
    <${Button} onClick=${() => copy(toHtml(what()))}>${wt.copySource}<//>
    <${CheckField} label=${wt.marks} checked=${hasMarks} onChange=${setMarks} />
  <//>`;
}

function Again({ generation }) {
  const [busy, setBusy] = useState(false);
  if (!can("generate")) return null;
  const again = async () => {
    if (!(await confirm({ title: wt.againTitle, text: wt.againText, action: wt.again, danger: false }))) return;
    setBusy(true);
    await tried(async () => {
      const job = await post(at`/api/generations/${generation.generation_id}/regenerate`, undefined, { key: newKey() });
      go(link(["write", "run", job.id]));
    });
    setBusy(false);
  };
  return html`<${Button} icon="refresh" busy=${busy} onClick=${again}>${wt.again}<//>`;
}

function Editor({ original, text, onChange, onDone }) {
  return html`<div class="stack">
    <div class="editor"><${TextField} label=${wt.editing} hint=${wt.editHint} lines=${18} value=${text} maxlength="100000" onInput=${onChange} inputRef=${(element) => { if (element && !element.dataset.seen) { element.dataset.seen = "1"; element.focus(); } }} /></div>
    <div class="row"><${Button} kind="primary" onClick=${onDone}>${wt.editDone}<//><${Button} kind="quiet" icon="undo" onClick=${() => { onChange(original); onDone(); }}>${wt.editDrop}<//></div>
    ${text !== original && html`<details open><summary>${wt.preview}</summary><div class="sheet"><${WordDiff} before=${original} after=${text} /></div></details>`}
  </div>`;
}

function Score({ review }) {
  if (!review) return null;
  const { score, calibrated_score: calibrated, criteria, checks = [] } = review;
  const failed = checks.filter((check) => !check.passed);
  return html`<section class="stack-s"><h2 class="aside-head">${wt.score}</h2>
    ${score === null ? html`<p class="soft">${wt.notScored}</p>` : html`<div class="row"><span class="big num">${number(score, 1)}</span><span class="soft small">${wt.outOf}${calibrated !== null && calibrated !== score && html`<br />${wt.calibrated(calibrated)}`}</span></div>`}
    ${review.scored === "draft" && html`<p class="tiny soft">${wt.scoredDraft}</p>`}
    <div class="stack-s criteria">${[...Object.entries(criteria ?? {}).map(([name, value]) => [wt.criteria[name] ?? name, value]), ...(review.voice_score === null || review.voice_score === undefined ? [] : [[wt.voiceScore, review.voice_score]])].map(([name, value]) => html`<${Gauge} key=${name} label=${name} value=${value} max=${10} text=${number(value, 1)} kind=${value < 5 ? "warn" : "plain"} />`)}</div>
    ${review.comments && html`<details><summary>${wt.comments}</summary><p class="small">${review.comments}</p></details>`}
    ${checks.length > 0 && html`<p class="row small"><${Icon} name=${failed.length ? "warn" : "check"} />${failed.length ? wt.somePassed(checks.length - failed.length, checks.length) : wt.allPassed(checks.length)}</p>`}
    ${failed.length > 0 && html`<ul class="plain stack-s">${failed.map((check) => html`<${CheckLine} key=${check.name} check=${check} />`)}</ul>`}
    ${checks.length > 0 && html`<details><summary>${wt.showChecks}</summary><ul class="plain stack-s">${checks.map((check) => html`<${CheckLine} key=${check.name} check=${check} />`)}</ul></details>`}
  </section>`;
}

const checkName = (name) => (name.startsWith("lesson:") ? wt.lesson(name.slice(7).replaceAll(/[:_]/g, " ")) : wt.checkNames[name] ?? name[0].toUpperCase() + name.slice(1).replaceAll("_", " "));
const CheckLine = ({ check }) => html`<li class=${cx("check-line", !check.passed && "failed")}><${Icon} name=${check.passed ? "check" : "cross"} label=${check.passed ? wt.passed : wt.failed} size=${16} /><span>${checkName(check.name)}${check.detail && html`<br /><span class="tiny soft">${check.detail}</span>`}</span></li>`;

function Sources({ sources, onOpen }) {
  return html`<section class="stack-s"><h2 class="aside-head">${wt.sources}</h2>
    ${sources.length === 0 ? html`<p class="soft small">${wt.noSources}</p>` : html`<ol class="plain stack-s">${sources.map((source) => html`<li key=${source.n} class="source"><span class="source-n num" aria-hidden="true">${source.n}</span><button type="button" class="as-link" aria-haspopup="dialog" onClick=${() => onOpen(source.n)}><span class="visually-hidden">${wt.source(source.n)}: </span>${source.title}</button></li>`)}</ol>`}
  </section>`;
}

/** The passage that a citation points at, with its surroundings where they can be found. */
function SourceDialog({ n, generation, onClose }) {
  const source = generation.sources.find((one) => one.n === n);
  const around = useLoad(async (signal) => {
    if (!source || source.kind !== "kb") return null;
    const { data } = await get(at`/api/businesses/${generation.business_id}/search`, { q: source.quote.slice(0, 500) || source.title, limit: 20 }, { signal });
    return data.find((passage) => passage.document_id === source.document_id && passage.chunk === source.chunk) ?? null;
  }, [n]);
  const url = source?.url && safeUrl(source.url);
  return html`<${Dialog} title=${wt.source(n)} wide onClose=${onClose}>
    ${!source ? html`<p>${wt.unknownSource}</p>` : html`
      <div class="stack-s"><${Chip} bare>${wt.kinds[source.kind] ?? source.kind}<//><p class="serif source-title">${source.title}</p>${url && html`<p class="small"><a href=${url} target="_blank" rel="noopener noreferrer">${source.url}</a></p>`}</div>
      ${source.quote && html`<section class="stack-s"><h3 class="label">${wt.quote}</h3><blockquote class="quote"><${Markdown} text=${source.quote} /></blockquote></section>`}
      ${around.data && html`<section class="stack-s"><h3 class="label">${wt.passage}</h3><div class="sheet passage"><${Markdown} text=${around.data.text} /></div></section>`}
      <div class="row">${source.kind === "kb" && html`<${Button} icon="file" href=${link(["brand", "documents"], { business: generation.business_id, document: source.document_id })}>${wt.openDocument}<//>`}</div>`}
  <//>`;
}

function Lessons({ generation }) {
  const { lessons_applied: lessons, learning } = generation;
  return html`<section class="stack-s"><h2 class="aside-head">${wt.lessons}</h2>
    ${learning?.arm === "off" && learning.available > 0 ? html`<p class="note small">${wt.off}</p>` : lessons.length === 0 && html`<p class="soft small">${wt.noLessons}</p>`}
    <ul class="plain stack-s">${lessons.map((lesson) => html`<li key=${lesson.id} class=${cx("check-line", lesson.followed === false && "failed", lesson.followed === null && "untold")}><${Icon} size=${16} name=${lesson.followed === true ? "check" : lesson.followed === false ? "cross" : "right"} /><span>${lesson.text} <span class="tiny soft">${lesson.followed === true ? wt.followed : lesson.followed === false ? wt.unfollowed : wt.untold}</span></span></li>`)}</ul>
    ${learning?.examples?.length > 0 && html`<p class="small soft">${wt.examples(learning.examples.length)}</p>`}
    ${can("learning") && html`<a class="small" href=${link(["brand", "lessons"], { business: generation.business_id })}>${wt.allLessons}</a>`}
  </section>`;
}

const sum = (values) => Object.values(values ?? {}).reduce((total, value) => total + value, 0);

function Cost({ generation: { usage, models, review, job_id: job } }) {
  const stages = Object.entries(usage.stages ?? {});
  return html`<section class="stack-s"><h2 class="aside-head">${wt.cost}</h2>
    <p><span class="big num">${money(usage.cost_usd ?? 0)}</span></p>
    <dl class="facts small">
      <dt>${wt.costs.calls}</dt><dd class="num">${number(sum(usage.calls))}</dd>
      <dt>${wt.costs.tokens}</dt><dd class="num">${short((usage.prompt_tokens ?? 0) + (usage.completion_tokens ?? 0))}</dd>
      ${models.writer && html`<dt>${wt.costs.writer}</dt><dd>${models.writer}</dd>`}
      ${models.reviewer && html`<dt>${wt.costs.reviewer}</dt><dd>${models.reviewer}</dd>`}
      ${review && html`<dt>${wt.costs.rounds}</dt><dd class="num">${review.rounds}</dd>`}
    </dl>
    ${stages.length > 0 && html`<details><summary>${wt.byStage}</summary><${Table} rows=${stages} rowKey=${([name]) => name} columns=${[
      { key: "stage", label: wt.costs.stage, lead: true, render: ([name]) => t.stages[name] ?? name },
      { key: "calls", label: wt.costs.calls, right: true, render: ([, one]) => number(one.calls ?? 0) },
      { key: "tokens", label: wt.costs.tokens, right: true, render: ([, one]) => short((one.prompt_tokens ?? 0) + (one.completion_tokens ?? 0)) },
      { key: "usd", label: wt.costs.usd, right: true, render: ([, one]) => money(one.cost_usd ?? 0) },
    ]} /></details>`}
    ${job && html`<a class="small" href=${link(["work", "jobs", job])}>${wt.job}</a>`}
  </section>`;
}

// # The verdict: what a person says of a text, where the text is; and taking it back

function VerdictPanel({ generation, edited, onSent, reload }) {
  const { feedback } = generation;
  const [isOpen, setOpen] = useState(false);
  if (!can("feedback")) return feedback ? html`<section class="stack-s"><h2 class="aside-head">${wt.given}</h2><${Given} feedback=${feedback} /></section>` : null;
  if (feedback && !isOpen && !edited) {
    const takeBack = async () => {
      if (!(await confirm({ title: wt.takeBackTitle, text: wt.takeBackText, action: wt.takeBack }))) return;
      await tried(async () => {
        await del(at`/api/feedback/${feedback.feedback_id}`);
        toast(wt.takenBack);
        await reload();
      });
    };
    return html`<section class="sheet stack-s verdict"><h2 class="aside-head">${wt.given}</h2><${Given} feedback=${feedback} />
      <div class="row"><${Button} small icon="edit" onClick=${() => setOpen(true)}>${wt.change}<//><${Button} small kind="quiet" icon="undo" onClick=${takeBack}>${wt.takeBack}<//></div></section>`;
  }
  return html`<${VerdictForm} key=${feedback?.feedback_id} generation=${generation} edited=${edited} onDone=${() => setOpen(false)} onSent=${onSent} reload=${reload} />`;
}

function Given({ feedback }) {
  const { human_approved: approved, human_score: score, human_feedback: comment, rater, effort, created_at: when } = feedback;
  return html`<div class="stack-s">
    <div class="row">${approved !== null && approved !== undefined && html`<${Chip} kind=${approved ? "good" : "bad"}>${approved ? wt.approved : wt.rejected}<//>`}${score !== null && score !== undefined && html`<strong class="num">${wt.scoreOf(score)}</strong>`}</div>
    ${comment && html`<blockquote class="quote">${comment}</blockquote>`}
    ${effort && html`<p class="small">${wt.changed(effort.words_changed)}</p>`}
    <p class="tiny soft">${rater && `${wt.by2(rater)}, `}<${Time} at=${when} /></p>
  </div>`;
}

function VerdictForm({ generation, edited, onDone, onSent, reload }) {
  const old = generation.feedback;
  const [form, setForm] = useState({ approved: old?.human_approved ?? null, score: old?.human_score ?? null, comment: old?.human_feedback ?? "", rater: old?.rater ?? localStorage.getItem(RATER) ?? "" });
  const set = (changes) => setForm((before) => ({ ...before, ...changes }));
  const state = useSending(async () => {
    if (form.approved === null && form.score === null && !form.comment.trim() && !edited) throw { title: wt.nothing };
    localStorage.setItem(RATER, form.rater.trim());
    const job = await post("/api/feedback", {
      generation_id: generation.generation_id, business_id: generation.business_id,
      human_approved: form.approved ?? undefined, human_score: form.score ?? undefined, human_feedback: form.comment.trim() || undefined,
      edited_content: edited ?? undefined, rater: form.rater.trim() || undefined,
    }, { key: newKey() });
    toast(wt.sent);
    const ended = await get(at`/api/jobs/${job.id}`, { wait: WAIT });
    if (ended.status === "failed") throw Object.assign(new Error(ended.error?.detail), { title: ended.error?.title });
    const isRead = ended.status === "succeeded";
    if (isRead) {
      onSent();
      await reload();
    }
    toast(isRead ? wt.read : wt.notRead, can("learning") ? { action: { label: wt.toLessons, act: () => go(link(["brand", "lessons"], { business: generation.business_id })) } } : {});
    onDone();
  });
  return html`<form class="sheet stack verdict" onSubmit=${state.send}>
    <div class="stack-s"><h2 class="aside-head">${wt.verdict}</h2><p class="tiny soft">${old ? wt.replaces : wt.verdictLead}</p></div>
    <div class="approve" role="group" aria-label=${wt.verdict}>
      <${Button} icon="check" class="approve-yes" aria-pressed=${form.approved === true ? "true" : "false"} onClick=${() => set({ approved: form.approved === true ? null : true })}>${wt.approve}<//>
      <${Button} icon="cross" class="approve-no" aria-pressed=${form.approved === false ? "true" : "false"} onClick=${() => set({ approved: form.approved === false ? null : false })}>${wt.reject}<//>
    </div>
    <${ScorePick} value=${form.score} onChange=${(score) => set({ score })} />
    <${TextField} label=${wt.comment} hint=${wt.commentHint} lines=${3} maxlength="10000" value=${form.comment} onInput=${(comment) => set({ comment })} />
    <${TextField} label=${wt.rater} hint=${wt.raterHint} maxlength="128" autocomplete="name" value=${form.rater} onInput=${(rater) => set({ rater })} />
    <${ErrorBox} error=${state.error} />
    <div class="row"><${Button} kind="primary" type="submit" busy=${state.busy}>${state.busy ? wt.sending : edited ? wt.sendEdited : wt.send}<//>${old && html`<${Button} kind="quiet" onClick=${onDone}>${t.ui.cancel}<//>`}</div>
  </form>`;
}

/** 0 to 10, as radio buttons in a row. */
function ScorePick({ value, onChange }) {
  const name = useId();
  const rounded = value === null ? null : Math.round(value);
  return html`<fieldset class="field"><legend>${wt.yourScore}</legend><div class="scores">${Array.from({ length: 11 }, (_, score) => html`<label key=${score}><input type="radio" name=${name} checked=${rounded === score} onChange=${() => onChange(score)} /><span class="num">${score}</span></label>`)}</div>
    ${value !== null && html`<${Button} small kind="quiet" onClick=${() => onChange(null)}>${wt.noScore}<//>`}</fieldset>`;
}

// # The versions of a text, and what changed between two of them

// They are compared without source marks: sources are numbered anew in the final text.

/** All versions, oldest first, and behind them what people made of the text. */
async function loadVersions(generation, signal) {
  const { data, edits } = await get(at`/api/generations/${generation.generation_id}/versions`, undefined, { signal });
  return [...data, ...edits];
}

function Versions({ generation, yours }) {
  const versions = useLoad((signal) => loadVersions(generation, signal), [generation.generation_id]);
  return html`<${Loaded} of=${versions} lines=${8}>${(data) => html`<${Compare} versions=${yours === null ? data : [...data, { content: yours, isYours: true }]} />`}<//>`;
}

function Compare({ versions }) {
  const last = versions.length - 1;
  const [chosen, setChosen] = useState({ from: 0, to: last });
  const [from, to] = [Math.min(chosen.from, last), Math.min(chosen.to, last)];
  const name = (version) => (version.isYours ? wt.editing : version.edited_at ? wt.versions.edited(version.rater, version.edited_at) : `${wt.versions.version(version.round, version.is_final)}${version.score !== null && version.score !== undefined ? ` · ${number(version.score, 1)}` : ""}`);
  const options = versions.map((version, i) => ({ value: String(i), label: name(version) }));
  if (versions.length === 1) return html`<p class="note small">${wt.versions.none}</p><div class="sheet paper"><${Markdown} breaks text=${versions[0].content} /></div>`;
  return html`<div class="stack">
    <div class="filters"><${SelectField} label=${wt.versions.compare} options=${options} value=${String(from)} onChange=${(value) => setChosen({ from: Number(value), to })} /><${SelectField} label=${wt.versions.with} options=${options} value=${String(to)} onChange=${(value) => setChosen({ from, to: Number(value) })} /></div>
    ${versions[to].comments && html`<p class="note small">${versions[to].comments}</p>`}
    <div class="sheet paper"><${WordDiff} before=${withoutMarks(versions[from].content)} after=${withoutMarks(versions[to].content)} /></div>
  </div>`;
}
