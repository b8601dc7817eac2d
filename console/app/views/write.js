// Write: asking for texts, and the texts that are there. Parts: `run.js` (a text under way), `text.js` (a finished one).

import { html, useMemo, useState } from "../vendor/htm-preact.js";
import { get, newKey, post, useLoad, usePages } from "../api.js";
import { BusinessPicker, businessName, chosenBusiness } from "../business.js";
import { go, link, setQuery } from "../route.js";
import { can } from "../session.js";
import { money, number, t } from "../strings.js";
import { Button, CheckField, Chip, Empty, ErrorBox, More, PageHead, SelectField, Skeleton, Table, TextField, Time, toast } from "../ui.js";
import { remember, Run } from "./write/run.js";
import { Text } from "./write/text.js";

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
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
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

export function Verdict({ feedback }) {
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
        <${SelectField} label=${w.filterDegraded} value=${degraded ?? ""} options=${[{ value: "", label: w.anyDegraded }, ...Object.entries(t.degraded).map(([value, label]) => ({ value, label }))]} onChange=${(value) => setQuery({ degraded: value })} /></div>
      ${pages.error && html`<${ErrorBox} error=${pages.error} onRetry=${pages.reload} />`}
      ${!business ? html`<${Empty} title=${t.business.none} text=${t.business.noneText} />` : !pages.rows ? !pages.error && html`<${Skeleton} lines=${10} />`
        : pages.rows.length === 0 ? html`<${Empty} title=${w.none} text=${w.noneText}>${can("generate") && html`<${Button} kind="primary" href=${link("write", { business })}>${w.toForm}<//>`}<//>`
        : html`<${Table} caption=${html`<span class="visually-hidden">${w.earlier}</span>`} columns=${columns} rows=${pages.rows} rowKey=${(text) => text.generation_id} /><${More} pages=${pages} />`}
    </div>`;
}
