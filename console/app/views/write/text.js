// A finished text: as it will look, where it comes from, how it is judged, how it came to be, and what it cost.

import { html, useEffect, useMemo, useState } from "../../vendor/htm-preact.js";
import { at, del, get, newKey, orElse, post, useLoad } from "../../api.js";
import { Markdown, safeUrl, toHtml, WordDiff } from "../../markdown.js";
import { go, link } from "../../route.js";
import { businessName, can } from "../../session.js";
import { money, number, short, t } from "../../strings.js";
import { Button, CheckField, Chip, confirm, copy, cx, Dialog, ErrorBox, Gauge, Icon, Loaded, Menu, PageHead, SelectField, Skeleton, Table, Tabs, TextField, Time, toast, tried, useId, useSending } from "../../ui.js";

const w = t.write.text;
const RATER = "copydesk.rater";
/** How long to wait until a verdict has been read, in seconds. */
const WAIT = 30;

export function Text({ id, ...props }) {
  const text = useLoad((signal) => get(at`/api/generations/${id}`, undefined, { signal }), [id]);
  if (text.data) return html`<${TextBody} generation=${text.data} ...${props} />`;
  return html`<${PageHead} title=${t.write.earlier} />${text.error ? html`<${ErrorBox} error=${text.error} onRetry=${text.reload} />` : html`<${Skeleton} lines=${10} />`}`;
}

/** What people changed and have not sent yet, by the text's id: kept while other pages are looked at. */
const edits = new Map();

export function TextBody({ generation: first, businesses, above, route }) {
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
      <p class="label"><a href=${link(["write", "texts"], { business: generation.business_id })}>${w.back}</a></p>
      <h1 tabindex="-1">${generation.title || generation.topic}</h1>
      <p class="soft small row"><span>${w.by(t.formats[generation.content_type] ?? generation.format, businessName(businesses ?? [], generation.business_id))}</span><${Time} at=${generation.created_at} as="both" /><span>${w.size(counts.words, counts.characters)}</span>${above}</p>
    </header>
    <div class="desk text-desk">
      <div class="stack">
        ${generation.models.simulated && html`<p class="note warn small">${w.simulated}</p>`}
        ${generation.degraded.length > 0 && html`<div class="note warn"><strong>${w.degraded}</strong><ul>${generation.degraded.map((one) => html`<li key=${one}>${t.degraded[one] ?? one}</li>`)}</ul></div>`}
        <div class="row between text-bar"><${Tabs} label=${w.views} current=${tab} onChange=${(next) => { setTab(next); setEditing(false); }} tabs=${[{ id: "text", label: w.tabs.text }, { id: "versions", label: w.tabs.versions }]} />
          ${tab === "text" && html`<div class="row"><${CopyMenu} text=${edited ?? generation.content} />${can("feedback") && !isEditing && html`<${Button} icon="edit" onClick=${() => setEditing(true)}>${w.edit}<//>`}<${Again} generation=${generation} /></div>`}</div>
        <div role="tabpanel" aria-labelledby=${`tab-${tab}`} class="stack" tabindex="-1">
          ${tab === "versions" ? html`<${Versions} generation=${generation} yours=${isChanged ? edited : null} />`
            : isEditing ? html`<${Editor} original=${generation.content} text=${edited ?? generation.content} onChange=${change} onDone=${() => setEditing(false)} />`
            : html`<div class="sheet paper">${isChanged && html`<p class="label">${w.editing}</p>`}<${Markdown} breaks text=${shown(generation.content_type, isChanged ? edited : body)} onCite=${setCited} openCite=${cited} /></div>`}
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
  return html`<${Menu} summary=${html`<${Icon} name="copy" />${w.copy}`}>
    <${Button} onClick=${() => copy(what())}>${w.copyMarkdown}<//>
    <${Button} onClick=${() => copy(what(), toHtml(what()))}>${w.copyHtml}<//>
    <${Button} onClick=${() => copy(toHtml(what()))}>${w.copySource}<//>
    <${CheckField} label=${w.marks} checked=${hasMarks} onChange=${setMarks} />
  <//>`;
}

function Again({ generation }) {
  const [busy, setBusy] = useState(false);
  if (!can("generate")) return null;
  const again = async () => {
    if (!(await confirm({ title: w.againTitle, text: w.againText, action: w.again, danger: false }))) return;
    setBusy(true);
    await tried(async () => {
      const job = await post(at`/api/generations/${generation.generation_id}/regenerate`, undefined, { key: newKey() });
      go(link(["write", "run", job.id]));
    });
    setBusy(false);
  };
  return html`<${Button} icon="refresh" busy=${busy} onClick=${again}>${w.again}<//>`;
}

function Editor({ original, text, onChange, onDone }) {
  return html`<div class="stack">
    <div class="editor"><${TextField} label=${w.editing} hint=${w.editHint} lines=${18} value=${text} maxlength="100000" onInput=${onChange} inputRef=${(element) => { if (element && !element.dataset.seen) { element.dataset.seen = "1"; element.focus(); } }} /></div>
    <div class="row"><${Button} kind="primary" onClick=${onDone}>${w.editDone}<//><${Button} kind="quiet" icon="undo" onClick=${() => { onChange(original); onDone(); }}>${w.editDrop}<//></div>
    ${text !== original && html`<details open><summary>${w.preview}</summary><div class="sheet"><${WordDiff} before=${original} after=${text} /></div></details>`}
  </div>`;
}

function Score({ review }) {
  if (!review) return null;
  const { score, calibrated_score: calibrated, criteria, checks = [] } = review;
  const failed = checks.filter((check) => !check.passed);
  return html`<section class="stack-s"><h2 class="aside-head">${w.score}</h2>
    ${score === null ? html`<p class="soft">${w.notScored}</p>` : html`<div class="row"><span class="big num">${number(score, 1)}</span><span class="soft small">${w.outOf}${calibrated !== null && calibrated !== score && html`<br />${w.calibrated(calibrated)}`}</span></div>`}
    ${review.scored === "draft" && html`<p class="tiny soft">${w.scoredDraft}</p>`}
    <div class="stack-s criteria">${[...Object.entries(criteria ?? {}).map(([name, value]) => [w.criteria[name] ?? name, value]), ...(review.voice_score === null || review.voice_score === undefined ? [] : [[w.voiceScore, review.voice_score]])].map(([name, value]) => html`<${Gauge} key=${name} label=${name} value=${value} max=${10} text=${number(value, 1)} kind=${value < 5 ? "warn" : "plain"} />`)}</div>
    ${review.comments && html`<details><summary>${w.comments}</summary><p class="small">${review.comments}</p></details>`}
    ${checks.length > 0 && html`<p class="row small"><${Icon} name=${failed.length ? "warn" : "check"} />${failed.length ? w.somePassed(checks.length - failed.length, checks.length) : w.allPassed(checks.length)}</p>`}
    ${failed.length > 0 && html`<ul class="plain stack-s">${failed.map((check) => html`<${CheckLine} key=${check.name} check=${check} />`)}</ul>`}
    ${checks.length > 0 && html`<details><summary>${w.showChecks}</summary><ul class="plain stack-s">${checks.map((check) => html`<${CheckLine} key=${check.name} check=${check} />`)}</ul></details>`}
  </section>`;
}

const checkName = (name) => (name.startsWith("lesson:") ? w.lesson(name.slice(7).replaceAll(/[:_]/g, " ")) : w.checkNames[name] ?? name[0].toUpperCase() + name.slice(1).replaceAll("_", " "));
const CheckLine = ({ check }) => html`<li class=${cx("check-line", !check.passed && "failed")}><${Icon} name=${check.passed ? "check" : "cross"} label=${check.passed ? w.passed : w.failed} size=${16} /><span>${checkName(check.name)}${check.detail && html`<br /><span class="tiny soft">${check.detail}</span>`}</span></li>`;

function Sources({ sources, onOpen }) {
  return html`<section class="stack-s"><h2 class="aside-head">${w.sources}</h2>
    ${sources.length === 0 ? html`<p class="soft small">${w.noSources}</p>` : html`<ol class="plain stack-s">${sources.map((source) => html`<li key=${source.n} class="source"><span class="source-n num" aria-hidden="true">${source.n}</span><button type="button" class="as-link" aria-haspopup="dialog" onClick=${() => onOpen(source.n)}><span class="visually-hidden">${w.source(source.n)}: </span>${source.title}</button></li>`)}</ol>`}
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
  return html`<${Dialog} title=${w.source(n)} wide onClose=${onClose}>
    ${!source ? html`<p>${w.unknownSource}</p>` : html`
      <div class="stack-s"><${Chip} bare>${w.kinds[source.kind] ?? source.kind}<//><p class="serif source-title">${source.title}</p>${url && html`<p class="small"><a href=${url} target="_blank" rel="noopener noreferrer">${source.url}</a></p>`}</div>
      ${source.quote && html`<section class="stack-s"><h3 class="label">${w.quote}</h3><blockquote class="quote"><${Markdown} text=${source.quote} /></blockquote></section>`}
      ${around.data && html`<section class="stack-s"><h3 class="label">${w.passage}</h3><div class="sheet passage"><${Markdown} text=${around.data.text} /></div></section>`}
      <div class="row">${source.kind === "kb" && html`<${Button} icon="file" href=${link(["brand", "documents"], { business: generation.business_id, document: source.document_id })}>${w.openDocument}<//>`}</div>`}
  <//>`;
}

function Lessons({ generation }) {
  const { lessons_applied: lessons, learning } = generation;
  return html`<section class="stack-s"><h2 class="aside-head">${w.lessons}</h2>
    ${learning?.arm === "off" && learning.available > 0 ? html`<p class="note small">${w.off}</p>` : lessons.length === 0 && html`<p class="soft small">${w.noLessons}</p>`}
    <ul class="plain stack-s">${lessons.map((lesson) => html`<li key=${lesson.id} class=${cx("check-line", lesson.followed === false && "failed", lesson.followed === null && "untold")}><${Icon} size=${16} name=${lesson.followed === true ? "check" : lesson.followed === false ? "cross" : "right"} /><span>${lesson.text} <span class="tiny soft">${lesson.followed === true ? w.followed : lesson.followed === false ? w.unfollowed : w.untold}</span></span></li>`)}</ul>
    ${learning?.examples?.length > 0 && html`<p class="small soft">${w.examples(learning.examples.length)}</p>`}
    ${can("learning") && html`<a class="small" href=${link(["brand", "lessons"], { business: generation.business_id })}>${w.allLessons}</a>`}
  </section>`;
}

const sum = (values) => Object.values(values ?? {}).reduce((total, value) => total + value, 0);

function Cost({ generation: { usage, models, review, job_id: job } }) {
  const stages = Object.entries(usage.stages ?? {});
  return html`<section class="stack-s"><h2 class="aside-head">${w.cost}</h2>
    <p><span class="big num">${money(usage.cost_usd ?? 0)}</span></p>
    <dl class="facts small">
      <dt>${w.costs.calls}</dt><dd class="num">${number(sum(usage.calls))}</dd>
      <dt>${w.costs.tokens}</dt><dd class="num">${short((usage.prompt_tokens ?? 0) + (usage.completion_tokens ?? 0))}</dd>
      ${models.writer && html`<dt>${w.costs.writer}</dt><dd>${models.writer}</dd>`}
      ${models.reviewer && html`<dt>${w.costs.reviewer}</dt><dd>${models.reviewer}</dd>`}
      ${review && html`<dt>${w.costs.rounds}</dt><dd class="num">${review.rounds}</dd>`}
    </dl>
    ${stages.length > 0 && html`<details><summary>${w.byStage}</summary><${Table} rows=${stages} rowKey=${([name]) => name} columns=${[
      { key: "stage", label: w.costs.stage, lead: true, render: ([name]) => t.stages[name] ?? name },
      { key: "calls", label: w.costs.calls, right: true, render: ([, one]) => number(one.calls ?? 0) },
      { key: "tokens", label: w.costs.tokens, right: true, render: ([, one]) => short((one.prompt_tokens ?? 0) + (one.completion_tokens ?? 0)) },
      { key: "usd", label: w.costs.usd, right: true, render: ([, one]) => money(one.cost_usd ?? 0) },
    ]} /></details>`}
    ${job && html`<a class="small" href=${link(["work", "jobs", job])}>${w.job}</a>`}
  </section>`;
}

// The verdict: what a person says of a text, where the text is; and taking it back.

function VerdictPanel({ generation, edited, onSent, reload }) {
  const { feedback } = generation;
  const [isOpen, setOpen] = useState(false);
  if (!can("feedback")) return feedback ? html`<section class="stack-s"><h2 class="aside-head">${w.given}</h2><${Given} feedback=${feedback} /></section>` : null;
  if (feedback && !isOpen && !edited) {
    const takeBack = async () => {
      if (!(await confirm({ title: w.takeBackTitle, text: w.takeBackText, action: w.takeBack }))) return;
      await tried(async () => {
        await del(at`/api/feedback/${feedback.feedback_id}`);
        toast(w.takenBack);
        await reload();
      });
    };
    return html`<section class="sheet stack-s verdict"><h2 class="aside-head">${w.given}</h2><${Given} feedback=${feedback} />
      <div class="row"><${Button} small icon="edit" onClick=${() => setOpen(true)}>${w.change}<//><${Button} small kind="quiet" icon="undo" onClick=${takeBack}>${w.takeBack}<//></div></section>`;
  }
  return html`<${VerdictForm} key=${feedback?.feedback_id} generation=${generation} edited=${edited} onDone=${() => setOpen(false)} onSent=${onSent} reload=${reload} />`;
}

function Given({ feedback }) {
  const { human_approved: approved, human_score: score, human_feedback: comment, rater, effort, created_at: when } = feedback;
  return html`<div class="stack-s">
    <div class="row">${approved !== null && approved !== undefined && html`<${Chip} kind=${approved ? "good" : "bad"}>${approved ? w.approved : w.rejected}<//>`}${score !== null && score !== undefined && html`<strong class="num">${w.scoreOf(score)}</strong>`}</div>
    ${comment && html`<blockquote class="quote">${comment}</blockquote>`}
    ${effort && html`<p class="small">${w.changed(effort.words_changed)}</p>`}
    <p class="tiny soft">${rater && `${w.by2(rater)}, `}<${Time} at=${when} /></p>
  </div>`;
}

function VerdictForm({ generation, edited, onDone, onSent, reload }) {
  const old = generation.feedback;
  const [form, setForm] = useState({ approved: old?.human_approved ?? null, score: old?.human_score ?? null, comment: old?.human_feedback ?? "", rater: old?.rater ?? localStorage.getItem(RATER) ?? "" });
  const set = (changes) => setForm((before) => ({ ...before, ...changes }));
  const state = useSending(async () => {
    if (form.approved === null && form.score === null && !form.comment.trim() && !edited) throw { title: w.nothing };
    localStorage.setItem(RATER, form.rater.trim());
    const job = await post("/api/feedback", {
      generation_id: generation.generation_id, business_id: generation.business_id,
      human_approved: form.approved ?? undefined, human_score: form.score ?? undefined, human_feedback: form.comment.trim() || undefined,
      edited_content: edited ?? undefined, rater: form.rater.trim() || undefined,
    }, { key: newKey() });
    toast(w.sent);
    const ended = await get(at`/api/jobs/${job.id}`, { wait: WAIT });
    if (ended.status === "failed") throw Object.assign(new Error(ended.error?.detail), { title: ended.error?.title });
    const isRead = ended.status === "succeeded";
    if (isRead) {
      onSent();
      await reload();
    }
    toast(isRead ? w.read : w.notRead, can("learning") ? { action: { label: w.toLessons, act: () => go(link(["brand", "lessons"], { business: generation.business_id })) } } : {});
    onDone();
  });
  return html`<form class="sheet stack verdict" onSubmit=${state.send}>
    <div class="stack-s"><h2 class="aside-head">${w.verdict}</h2><p class="tiny soft">${old ? w.replaces : w.verdictLead}</p></div>
    <div class="approve" role="group" aria-label=${w.verdict}>
      <${Button} icon="check" class="approve-yes" aria-pressed=${form.approved === true ? "true" : "false"} onClick=${() => set({ approved: form.approved === true ? null : true })}>${w.approve}<//>
      <${Button} icon="cross" class="approve-no" aria-pressed=${form.approved === false ? "true" : "false"} onClick=${() => set({ approved: form.approved === false ? null : false })}>${w.reject}<//>
    </div>
    <${ScorePick} value=${form.score} onChange=${(score) => set({ score })} />
    <${TextField} label=${w.comment} hint=${w.commentHint} lines=${3} maxlength="10000" value=${form.comment} onInput=${(comment) => set({ comment })} />
    <${TextField} label=${w.rater} hint=${w.raterHint} maxlength="128" autocomplete="name" value=${form.rater} onInput=${(rater) => set({ rater })} />
    <${ErrorBox} error=${state.error} />
    <div class="row"><${Button} kind="primary" type="submit" busy=${state.busy}>${state.busy ? w.sending : edited ? w.sendEdited : w.send}<//>${old && html`<${Button} kind="quiet" onClick=${onDone}>${t.ui.cancel}<//>`}</div>
  </form>`;
}

/** 0 to 10, as radio buttons in a row. */
function ScorePick({ value, onChange }) {
  const name = useId();
  const rounded = value === null ? null : Math.round(value);
  return html`<fieldset class="field"><legend>${w.yourScore}</legend><div class="scores">${Array.from({ length: 11 }, (_, score) => html`<label key=${score}><input type="radio" name=${name} checked=${rounded === score} onChange=${() => onChange(score)} /><span class="num">${score}</span></label>`)}</div>
    ${value !== null && html`<${Button} small kind="quiet" onClick=${() => onChange(null)}>${w.noScore}<//>`}</fieldset>`;
}

// The versions of a text, and what changed between two of them.

// They are compared without source marks: sources are numbered anew in the final text.

/** All versions, oldest first; only the final one where the service keeps or tells no more. */
async function loadVersions(generation, signal) {
  const final = { round: generation.review?.rounds ?? 0, title: generation.title, content: generation.content, written_at: generation.created_at, score: generation.review?.score, is_final: true };
  const { data } = await orElse(get(at`/api/generations/${generation.generation_id}/versions`, undefined, { signal }), { data: [] });
  return data.length ? data : [final];
}

function Versions({ generation, yours }) {
  const versions = useLoad((signal) => loadVersions(generation, signal), [generation.generation_id]);
  return html`<${Loaded} of=${versions} lines=${8}>${(data) => html`<${Compare} versions=${yours === null ? data : [...data, { content: yours, isYours: true }]} />`}<//>`;
}

function Compare({ versions }) {
  const last = versions.length - 1;
  const [chosen, setChosen] = useState({ from: 0, to: last });
  const [from, to] = [Math.min(chosen.from, last), Math.min(chosen.to, last)];
  const name = (version) => (version.isYours ? w.editing : `${w.versions.version(version.round, version.is_final)}${version.score !== null && version.score !== undefined ? ` · ${number(version.score, 1)}` : ""}`);
  const options = versions.map((version, i) => ({ value: String(i), label: name(version) }));
  if (versions.length === 1) return html`<p class="note small">${w.versions.none}</p><div class="sheet paper"><${Markdown} breaks text=${versions[0].content} /></div>`;
  return html`<div class="stack">
    <div class="filters"><${SelectField} label=${w.versions.compare} options=${options} value=${String(from)} onChange=${(value) => setChosen({ from: Number(value), to })} /><${SelectField} label=${w.versions.with} options=${options} value=${String(to)} onChange=${(value) => setChosen({ from, to: Number(value) })} /></div>
    ${versions[to].comments && html`<p class="note small">${versions[to].comments}</p>`}
    <div class="sheet paper"><${WordDiff} before=${withoutMarks(versions[from].content)} after=${withoutMarks(versions[to].content)} /></div>
  </div>`;
}
