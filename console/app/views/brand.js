// Brand: what texts are written from: the profile, the documents, what the writer would be given, the measured voice; and
// what was learned from people, what they thought of the texts, and what learning was worth.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/htm-preact.js";
import { at, del, get, orElse, patch, poll, post, put, upload, useLoad, usePages } from "../api.js";
import { Markdown, safeUrl } from "../markdown.js";
import { link, setQuery } from "../route.js";
import { businessName, BusinessPicker, can, chosenBusiness } from "../session.js";
import { bytes, number, percent, t } from "../strings.js";
import { Button, Chip, choices, confirm, cx, Empty, ErrorBox, Figure, FormatField, FormDialog, Gauge, Guard, Icon, LineChart, Loaded, Paged, PageHead, SelectField, Skeleton, Table, Tabs, TextField, Time, toast, tried, useSending } from "../ui.js";

const w = t.brand;
const PARTS = [
  { id: "profile", scope: "read", part: Profile },
  { id: "documents", scope: "read", part: Documents },
  { id: "search", scope: "read", part: Search },
  { id: "voice", scope: "read", part: Voice },
  { id: "lessons", scope: "learning", part: Lessons },
  { id: "results", scope: "learning", part: Results },
];

export default function Brand({ route, businesses, areBusinessesLoaded, reloadBusinesses }) {
  const business = chosenBusiness(route, businesses);
  const parts = PARTS.filter((part) => can(part.scope));
  const current = parts.find((part) => part.id === route.parts[0]) ?? parts[0];
  return html`<${PageHead} title=${business ? businessName(businesses, business) : w.title} lead=${w.lead}>
      ${areBusinessesLoaded && html`<${BusinessPicker} businesses=${businesses} value=${business} />`}<//>
    <${Tabs} label=${w.parts} current=${current.id} tabs=${parts.map(({ id }) => ({ id, label: w.tabs[id], href: link(["brand", id], { business }) }))} />
    <div class="brand-part">${!areBusinessesLoaded ? html`<${Skeleton} lines=${8} />` : !business ? html`<${Empty} title=${t.business.none} text=${t.business.noneText} />`
      : html`<${Guard} key=${`${current.id}/${business}`}><${current.part} business=${business} route=${route} reloadBusinesses=${reloadBusinesses} /><//>`}</div>`;
}

// # Documents: sent by drag and drop, by a button or as pasted text; how they were read; what they are for.

const wd = t.brand.documents;
const LARGEST = 10 * 1024 * 1024;
const TYPES = ".md,.markdown,.txt,.html,.htm,.pdf,.docx";
const AT_ONCE = 2;
let count = 0;

function Documents({ business, route }) {
  const pages = usePages(at`/api/businesses/${business}/documents`, {}, { limit: 100 });
  const [sendings, setSendings] = useState([]);
  const isReading = pages.rows?.some((document) => document.status === "pending");
  useEffect(() => (isReading ? poll(async () => pages.reload(), 2000) : undefined), [isReading]);
  const change = (key, changes) => setSendings((old) => old.map((one) => (one.key === key ? { ...one, ...changes } : one)));
  const drop = (key) => setSendings((old) => old.filter((one) => one.key !== key));

  const send = async (one) => {
    const form = new FormData();
    // The same name replaces the old file.
    form.append("external_id", one.file.name.slice(0, 200));
    const title = await titleOf(one.file);
    if (title) form.append("title", title);
    form.append("file", one.file, one.file.name);
    change(one.key, { state: "sending" });
    try {
      await upload(at`/api/businesses/${business}/documents`, form, (share) => change(one.key, { share })).answer;
      drop(one.key);
      pages.reload();
    } catch (error) {
      change(one.key, { state: "failed", error });
    }
  };
  const take = async (files) => {
    const next = [...files].map((file) => {
      const wrong = file.size > LARGEST ? wd.tooLarge(file.name, bytes(file.size)) : file.size === 0 ? wd.empty(file.name) : null;
      return { key: ++count, file, share: 0, state: wrong ? "failed" : "waiting", error: wrong && { title: wrong } };
    });
    setSendings((old) => [...old, ...next]);
    const line = next.filter((one) => one.state === "waiting");
    await Promise.all(Array.from({ length: AT_ONCE }, async () => { while (line.length) await send(line.shift()); }));
    if (next.some((one) => one.state === "waiting")) toast(wd.sent);
  };

  return html`<div class="stack-l">
    ${can("documents") && html`<${DropZone} onFiles=${take} business=${business} onAdded=${pages.reload} />`}
    ${sendings.length > 0 && html`<ul class="plain stack-s" aria-live="polite">${sendings.map((one) => html`<li key=${one.key}>${one.state === "failed"
      ? html`<div class="note bad" role="alert"><strong>${one.file.name}</strong><span>${Object.values(one.error.fields ?? {}).join(" ") || one.error.message || one.error.title}</span><${Button} small onClick=${() => drop(one.key)}>${wd.dismiss}<//></div>`
      : html`<${Gauge} label=${wd.uploading(one.file.name)} value=${Math.round(one.share * 100)} max=${100} text=${`${Math.round(one.share * 100)}%`} kind="plain" />`}</li>`)}</ul>`}
    <${Paged} of=${pages} lines=${8} empty=${html`<${Empty} title=${wd.none} text=${wd.noneText} />`}>${(rows) => html`<${List} rows=${rows} business=${business} shown=${route.query.document} onChanged=${pages.set} />`}<//>
  </div>`;
}

/** The first heading of a Markdown file; of others the service finds the title itself. */
async function titleOf(file) {
  if (!/\.(md|markdown)$/i.test(file.name)) return undefined;
  return /^#{1,2} +(.{1,300})$/m.exec(await file.slice(0, 4000).text())?.[1].trim();
}

function DropZone({ onFiles, business, onAdded }) {
  const [isOver, setOver] = useState(false);
  const [isPasting, setPasting] = useState(false);
  const input = useRef(null);
  const over = (event) => {
    event.preventDefault();
    setOver(true);
  };
  const dropped = (event) => {
    event.preventDefault();
    setOver(false);
    onFiles(event.dataTransfer.files);
  };
  return html`<div class=${cx("drop", isOver && "over")} onDragOver=${over} onDragLeave=${() => setOver(false)} onDrop=${dropped}>
    <${Icon} name="up" size=${26} /><strong class="serif">${wd.drop}</strong><p class="small soft">${wd.dropText}</p>
    <div class="row"><${Button} kind="primary" onClick=${() => input.current.click()}>${wd.choose}<//><${Button} onClick=${() => setPasting(true)}>${wd.paste}<//></div>
    <input ref=${input} type="file" multiple accept=${TYPES} class="visually-hidden" tabindex="-1" aria-label=${wd.choose} onChange=${(event) => { onFiles(event.target.files); event.target.value = ""; }} />
    ${isPasting && html`<${Paste} business=${business} onClose=${() => setPasting(false)} onAdded=${onAdded} />`}
  </div>`;
}

function Paste({ business, onClose, onAdded }) {
  const [form, setForm] = useState({ title: "", text: "", kind: "" });
  const sending = useSending(async () => {
    await post(at`/api/businesses/${business}/documents`, { title: form.title.trim(), text: form.text, kind: form.kind || undefined });
    toast(wd.sent);
    onAdded();
    onClose();
  });
  return html`<${FormDialog} title=${wd.pasteTitle} wide form=${sending} action=${wd.pasteSend} onClose=${onClose}>
    <${TextField} label=${wd.pasteName} required maxlength="300" value=${form.title} onInput=${(title) => setForm({ ...form, title })} />
    <${TextField} label=${wd.pasteText} hint=${wd.pasteTextHint} required lines=${10} value=${form.text} onInput=${(text) => setForm({ ...form, text })} />
    <${SelectField} label=${wd.columns.kind} value=${form.kind} options=${kindOptions(null)} onChange=${(kind) => setForm({ ...form, kind })} />
  <//>`;
}

const kindOptions = (kind) => choices(wd.kinds, kind ? undefined : wd.kindUnknown);

function List({ rows, business, shown, onChanged }) {
  const path = (document) => at`/api/businesses/${business}/documents/${document.id}`;
  const say = async (document, kind) => {
    const changed = await patch(path(document), { kind });
    onChanged((old) => old.map((one) => (one.id === document.id ? changed : one)));
    toast(wd.kindSaved);
  };
  const remove = async (document) => {
    if (!(await confirm({ title: wd.removeTitle(document.title), text: wd.removeText, action: wd.remove }))) return;
    await del(path(document));
    onChanged((old) => old.filter((one) => one.id !== document.id));
    toast(wd.removed);
  };
  const columns = [
    { key: "title", label: wd.columns.title, lead: true, render: (document) => html`<div class="stack-s doc"><span class="serif text-title">${document.title}</span><span class="tiny soft">${[document.external_id, bytes(document.size_bytes), document.language].filter(Boolean).join(" · ")}</span><${Troubles} document=${document} />${shown === document.id && html`<span ref=${reveal}><${Chip} bare kind="live">${wd.shown}<//></span>`}</div>` },
    { key: "kind", label: wd.columns.kind, render: (document) => document.status === "failed" ? "–" : can("documents") ? html`<div class="kind"><${SelectField} label=${`${wd.columns.kind}: ${document.title}`} hideLabel value=${document.kind ?? ""} options=${kindOptions(document.kind)} onChange=${(kind) => tried(() => say(document, kind))} /></div>` : wd.kinds[document.kind] ?? wd.kindUnknown },
    { key: "state", label: wd.columns.state, render: (document) => html`<${Chip} kind=${{ ready: document.warnings.length ? "warn" : "good", failed: "bad", pending: "live" }[document.status]}>${wd.states[document.status]}<//>` },
    { key: "passages", label: wd.columns.passages, right: true, render: (document) => number(document.chunk_count) },
    { key: "changed", label: wd.columns.changed, right: true, render: (document) => html`<${Time} at=${document.updated_at} />` },
    ...(can("documents") ? [{ key: wd.remove, label: "", right: true, bare: true, render: (document) => html`<${Button} small kind="quiet" icon="trash" label=${`${wd.remove}: ${document.title}`} onClick=${() => tried(() => remove(document))} />` }] : []),
  ];
  return html`<${Table} caption=${html`<span class="visually-hidden">${t.brand.tabs.documents}</span>`} columns=${columns} rows=${rows} rowKey=${(document) => document.id} />`;
}

const reveal = (element) => element?.scrollIntoView({ block: "center" });

/** What is wrong with a document, and what to do. */
function Troubles({ document }) {
  if (document.status === "failed") return html`<span class="small trouble bad">${document.error} ${wd.failedWhat}</span>`;
  return document.warnings.map((warning) => html`<span key=${warning.code} class="small trouble">${wd.warnings[warning.code] ?? warning.code} <span class="soft">${warning.detail}</span></span>`);
}

// # The profile

const wp = t.brand.profile;
const ws = t.brand.search;
const wv = t.brand.voice;
const GUIDES = ["style_guide", "policy"];
const COUNTING = ["active", "pinned"];
const EMPTY = { name: "", description: "", voice: "", audience: "", guidelines: "", default_language: "", banned_phrases: [] };

function Profile({ business, reloadBusinesses }) {
  const profile = useLoad((signal) => orElse(get(at`/api/businesses/${business}`, undefined, { signal }), { ...EMPTY, isNew: true }), [business]);
  return html`<${Loaded} of=${profile} lines=${10}>${(data) => html`<${ProfileForm} key=${data.updated_at ?? business} first=${data} business=${business} onSaved=${() => { reloadBusinesses(); }} />`}<//>`;
}

function ProfileForm({ first, business, onSaved }) {
  const [stored, setStored] = useState(first);
  const [form, setForm] = useState(first);
  const isChanged = Object.keys(EMPTY).some((name) => JSON.stringify(form[name]) !== JSON.stringify(stored[name]));
  useEffect(() => {
    if (!isChanged) return undefined;
    const stay = (event) => event.preventDefault();
    addEventListener("beforeunload", stay);
    return () => removeEventListener("beforeunload", stay);
  }, [isChanged]);
  const mayChange = can("documents");
  const state = useSending(async () => {
    const body = Object.fromEntries(Object.keys(EMPTY).map((name) => [name, name === "default_language" ? form[name] || undefined : form[name]]));
    const saved = await put(at`/api/businesses/${business}`, body);
    setStored(saved);
    setForm(saved);
    toast(wp.saved);
    onSaved();
  });
  const { wrong } = state;
  const field = (name, word = name) => ({ label: wp[word], hint: wp[`${word}Hint`], value: form[name], error: wrong[name], readonly: !mayChange, onInput: (value) => setForm({ ...form, [name]: value }) });
  return html`<form class="stack-l narrow" onSubmit=${state.send}>
    ${stored.isNew && html`<p class="note">${wp.new}</p>`}
    ${!mayChange && html`<p class="note">${t.brand.mayNotChange}</p>`}
    <${TextField} ...${field("name")} maxlength="200" />
    <${TextField} ...${field("description")} lines=${4} maxlength="5000" />
    <${TextField} ...${field("voice")} lines=${2} maxlength="1000" />
    <${TextField} ...${field("audience")} maxlength="1000" />
    <${TextField} ...${field("guidelines")} lines=${5} maxlength="10000" />
    <${Phrases} phrases=${form.banned_phrases} error=${Object.entries(wrong).find(([name]) => name.startsWith("banned_phrases"))?.[1]} mayChange=${mayChange} onChange=${(banned_phrases) => setForm({ ...form, banned_phrases })} />
    <div class="short"><${TextField} ...${field("default_language", "language")} maxlength="35" /></div>
    <${ErrorBox} error=${state.error} />
    ${mayChange && html`<div class=${cx("row save-bar", isChanged && "changed")}><${Button} kind="primary" type="submit" busy=${state.busy} disabled=${!isChanged}>${state.busy ? wp.saving : wp.save}<//>${isChanged && html`<span class="small soft" role="status">${wp.unsaved}</span>`}</div>`}
  </form>`;
}

/** A list of words and phrases, one added at a time. */
function Phrases({ phrases, error, mayChange, onChange }) {
  const [typed, setTyped] = useState("");
  const add = () => {
    const next = typed.split(",").map((phrase) => phrase.trim()).filter((phrase) => phrase && !phrases.includes(phrase));
    if (next.length) onChange([...phrases, ...next]);
    setTyped("");
  };
  return html`<div class="stack-s">
    ${mayChange && html`<div class="row add-row"><${TextField} label=${wp.banned} hint=${wp.bannedHint} error=${error} maxlength="100" value=${typed} onInput=${setTyped} onKeyDown=${(event) => { if (event.key === "Enter") { event.preventDefault(); add(); } }} /><${Button} icon="plus" onClick=${add} disabled=${!typed.trim()}>${wp.add}<//></div>`}
    ${phrases.length > 0 && html`<ul class="plain tags" aria-label=${wp.banned}>${phrases.map((phrase) => html`<li key=${phrase} class="tag"><span>${phrase}</span>${mayChange && html`<button type="button" aria-label=${wp.remove(phrase)} title=${wp.remove(phrase)} onClick=${() => onChange(phrases.filter((one) => one !== phrase))}><${Icon} name="close" size=${13} /></button>`}</li>`)}</ul>`}
  </div>`;
}

// # Looking up

function Search({ business, route }) {
  const { q } = route.query;
  const [typed, setTyped] = useState(q ?? "");
  useEffect(() => setTyped(q ?? ""), [q]);
  const found = useLoad(async (signal) => (q ? get(at`/api/businesses/${business}/search`, { q, limit: 12 }, { signal }) : null), [business, q], { keep: false });
  const look = (event) => {
    event.preventDefault();
    setQuery({ q: typed.trim() });
  };
  return html`<div class="stack-l narrow">
    <form class="row add-row" role="search" onSubmit=${look}><${TextField} label=${ws.label} hint=${ws.hint} type="search" maxlength="500" value=${typed} onInput=${setTyped} /><${Button} kind="primary" icon="search" type="submit">${ws.go}<//></form>
    ${!q ? html`<p class="soft">${ws.start}</p>` : found.error ? html`<${ErrorBox} error=${found.error} onRetry=${found.reload} />` : !found.data ? html`<${Skeleton} lines=${8} />` : html`<${Passages} found=${found.data} business=${business} />`}
  </div>`;
}

function Passages({ found, business }) {
  if (found.data.length === 0) return html`<${Empty} title=${ws.none} text=${ws.noneText}><${Button} href=${link(["brand", "documents"], { business })}>${t.brand.voice.addDocuments}<//><//>`;
  return html`<div class="stack">
    ${found.degraded.length > 0 && html`<p class="note warn small">${found.degraded.map((one) => t.degraded[one] ?? one).join(" ")}</p>`}
    <p class="small soft" role="status">${ws.found(found.data.length)}</p>
    <ol class="plain stack">${found.data.map((passage) => html`<li key=${`${passage.document_id}/${passage.chunk}`} class="sheet stack-s">
      <div class="row between"><span class="serif text-title">${passage.heading_path || passage.title}</span><span class="tiny soft num">${ws.score(passage.score)}</span></div>
      <div class="row"><${Chip} bare>${t.brand.documents.kinds[passage.kind] ?? passage.kind}<//>${GUIDES.includes(passage.kind) && html`<span class="tiny soft">${ws.guides}</span>`}${passage.url && safeUrl(passage.url) && html`<a class="tiny" href=${safeUrl(passage.url)} target="_blank" rel="noopener noreferrer">${passage.url}</a>`}</div>
      <div class="passage"><${Markdown} text=${passage.text} level=${3} /></div>
    </li>`)}</ol>
  </div>`;
}

// # The voice, and the words to use and to avoid

function Voice({ business, route }) {
  const format = route.query.content_type;
  const voice = useLoad((signal) => get(at`/api/businesses/${business}/voice`, { content_type: format }, { signal }), [business, format]);
  return html`<div class="desk">
    <div class="stack-l">
      ${voice.error ? html`<${ErrorBox} error=${voice.error} onRetry=${voice.reload} />` : !voice.data ? html`<${Skeleton} lines=${8} />` : html`<${Measured} voice=${voice.data} business=${business} format=${format} />`}
    </div>
    <${Words} business=${business} />
  </div>`;
}

function Measured({ voice, business, format }) {
  return html`<div class="row between"><p class="soft">${wv.measured(voice.words, voice.documents)}</p>
      <${FormatField} label=${wv.format} all=${wv.anyFormat} value=${format} onChange=${(content_type) => setQuery({ content_type })} /></div>
    ${voice.degraded?.length > 0 && html`<p class="note warn">${voice.degraded.map((one) => t.degraded[one] ?? one).join(" ")}</p>`}
    ${voice.traits.length === 0 ? html`<${Empty} title=${wv.none} text=${wv.noneText}><${Button} href=${link(["brand", "documents"], { business })}>${wv.addDocuments}<//><//>`
      : html`<ul class="plain traits">${voice.traits.map((trait) => html`<li key=${trait.name} class="stack-s trait"><p class="serif trait-text">${trait.text}</p>
          ${trait.examples?.length > 0 && html`<div class="stack-s" role="group" aria-label=${wv.examples}>${trait.examples.map((example, i) => html`<blockquote key=${i} class="quote small"><${Markdown} class="" text=${example.text.replace(/^\s*(?:[-*+]|\d+\.)\s+/, "")} /><footer class="tiny"><a href=${link(["brand", "documents"], { business, document: example.document_id })}>${example.title}</a></footer></blockquote>`)}</div>`}</li>`)}</ul>`}
    ${voice.terms?.length > 0 && html`<section class="stack-s"><h2>${wv.terms}</h2><ul class="plain tags">${voice.terms.map(({ term, count }) => html`<li key=${term} class="tag"><span>${term}</span><span class="soft num">${number(count)}</span></li>`)}</ul></section>`}`;
}

/** What the profile bans and what people have asked for, as far as it is about words. */
function Words({ business }) {
  const profile = useLoad((signal) => orElse(get(at`/api/businesses/${business}`, undefined, { signal }), { banned_phrases: [], voice: "" }), [business]).data;
  const lessons = useLoad(async (signal) => (can("learning") ? (await get(at`/api/learning/lessons/${business}`, undefined, { signal })).data : []), [business]).data ?? [];
  const rules = lessons.filter((lesson) => COUNTING.includes(lesson.status)).map((lesson) => lesson.rule);
  const use = rules.flatMap((rule) => (rule.kind === "prefer" || (rule.kind === "term" && rule.wanted) ? [{ term: rule.term, from: wv.fromLesson }] : []));
  const avoid = [
    ...(profile?.banned_phrases ?? []).map((term) => ({ term, from: wv.fromProfile })),
    ...rules.flatMap((rule) => (rule.kind === "prefer" ? [{ term: rule.over, from: wv.fromLesson }] : rule.kind === "term" && !rule.wanted ? [{ term: rule.term, from: wv.fromLesson }] : [])),
  ];
  const list = (terms) => (terms.length === 0 ? html`<p class="small soft">${wv.neither}</p>` : html`<ul class="plain tags">${terms.map(({ term, from }) => html`<li key=${`${term}/${from}`} class="tag"><span>${term}</span><span class="tiny soft">${from}</span></li>`)}</ul>`);
  return html`<aside class="stack-l">
    ${profile?.voice && html`<section class="stack-s"><h2 class="aside-head">${wv.said}</h2><p class="serif">${profile.voice}</p></section>`}
    <section class="stack-s"><h2 class="aside-head">${wv.use}</h2>${list(use)}</section>
    <section class="stack-s"><h2 class="aside-head">${wv.avoid}</h2>${profile ? list(avoid) : html`<${Skeleton} lines=${2} />`}</section>
  </aside>`;
}

// # What was learned, with the hand that corrects it, and what it is worth, with how sure that is

const wl = t.brand.lessons;
const wr = t.brand.results;
/** Judged texts that a point of a chart is the mean of. */
const WINDOW = 10;
const Z = 1.96;
const KINDS = { candidate: "", active: "good", pinned: "live", conflicted: "warn", retired: "" };

function Lessons({ business, route }) {
  const { status, content_type: format } = route.query;
  // Without a limit: an API of a release before takes none here.
  const pages = usePages(at`/api/learning/lessons/${business}`, { status, content_type: format }, { limit: null });
  const counts = useLoad(async (signal) => (await get(at`/api/learning/stats/${business}`, { content_type: format }, { signal })).lessons, [business, format]).data;
  const statuses = choices(wl.statuses, wl.all).map(({ value, label }) => ({ value, label: counts && value ? `${label} (${counts[value]})` : label }));
  const change = (changed) => pages.set((rows) => rows.map((row) => (row.lesson_id === changed.lesson_id ? { ...row, ...changed } : row)));
  return html`<div class="stack-l">
    <div class="filters">
      <${SelectField} label=${wl.status} value=${status ?? ""} options=${statuses} onChange=${(value) => setQuery({ status: value })} />
      <${FormatField} label=${wl.format} all=${wl.anyFormat} value=${format} onChange=${(value) => setQuery({ content_type: value })} />
    </div>
    ${status && html`<p class="soft small">${wl.statusHints[status]}</p>`}
    <${Paged} of=${pages} lines=${8} empty=${status || format ? html`<${Empty} title=${wl.noneOf} />` : html`<${Empty} title=${wl.none} text=${wl.noneText}><${Button} href=${link(["write", "texts"], { business })}>${wl.toTexts}<//><//>`}>
      ${(rows) => html`<ul class="plain lessons">${rows.map((lesson) => html`<li key=${lesson.lesson_id}><${Lesson} lesson=${lesson} business=${business} onChange=${change} /></li>`)}</ul>`}<//>
  </div>`;
}

function Lesson({ lesson, business, onChange }) {
  const [dialog, setDialog] = useState(null);
  const path = at`/api/learning/lessons/${business}/${lesson.lesson_id}`;
  const mark = (status) => tried(async () => onChange(await patch(path, { status })) ?? true);
  const set = async (status, words) => {
    const before = lesson.status;
    // What was by hand before is by hand again; else people's word decides.
    if (await mark(status)) toast(words, { action: { label: wl.undo, act: () => mark(["pinned", "retired"].includes(before) ? before : "active") } });
  };
  const { status, followed, unfollowed, applied, effect } = lesson;
  const told = followed + unfollowed;
  return html`<article class="lesson ${status}">
    <div class="stack-s">
      <h2 class="lesson-text">${lesson.text}</h2>
      <p class="row small"><${Chip} kind=${KINDS[status]} title=${wl.statusHints[status]}>${wl.statuses[status]}<//><span class="soft">${lesson.reason}</span></p>
      <p class="tiny soft row"><span>${wl.only(t.formats[lesson.content_type] ?? wl.anyFormat, lesson.language)}</span><span>${wl.support(lesson.support, lesson.raters)}</span><span>${wl.confidence(lesson.confidence)}</span>${lesson.is_edited && html`<span>${wl.edited}</span>`}</p>
      ${lesson.dissenters.length > 0 && html`<p class="small">${wl.dissenters(lesson.dissenters.join(", "))}</p>`}
      ${wl.told[lesson.escalation] && html`<p class="small trouble">${wl.told[lesson.escalation]}</p>`}
    </div>
    <div class="stack-s">
      ${told > 0 ? html`<${Gauge} label=${wl.followed(followed, told)} value=${followed} max=${told} text=${percent(followed / told)} kind=${followed / told < 0.5 ? "warn" : "plain"} />` : html`<p class="small soft">${applied > 0 ? wl.untold(applied) : wl.neverUsed}</p>`}
      ${effect && effect.difference !== null && html`<p class="small"><strong>${wl.effect(effect.difference, effect.interval?.[0], effect.interval?.[1])}</strong> <span class="soft">${wl.effectOf(effect.pairs)}</span></p>`}
      <div class="row">
        ${status === "pinned" ? html`<${Button} small icon="pin" class="on" onClick=${() => set("active", wl.released)}>${wl.release}<//>` : html`<${Button} small icon="pin" onClick=${() => set("pinned", wl.pinned)}>${wl.pin}<//>`}
        ${status === "retired" ? html`<${Button} small kind="quiet" onClick=${() => set("active", wl.released)}>${wl.restore}<//>` : html`<${Button} small kind="quiet" onClick=${() => set("retired", wl.retired)}>${wl.retire}<//>`}
        <${Button} small kind="quiet" onClick=${() => setDialog("edit")}>${wl.edit}<//>
        <${Button} small kind="quiet" onClick=${() => setDialog("replay")}>${wl.replay}<//>
      </div>
    </div>
    ${dialog === "edit" && html`<${Reword} lesson=${lesson} path=${path} onClose=${() => setDialog(null)} onChange=${onChange} />`}
    ${dialog === "replay" && html`<${Replay} path=${path} onClose=${() => setDialog(null)} />`}
  </article>`;
}

function Reword({ lesson, path, onClose, onChange }) {
  const [text, setText] = useState(lesson.text);
  const form = useSending(async () => {
    onChange(await patch(path, { text: text.trim() }));
    toast(wl.saved);
    onClose();
  });
  return html`<${FormDialog} title=${wl.editTitle} form=${form} action=${wl.save} onClose=${onClose}>
    <${TextField} label=${wl.editLabel} hint=${wl.editHint} lines=${3} required maxlength="300" value=${text} error=${form.wrong.text} onInput=${setText} />
  <//>`;
}

function Replay({ path, onClose }) {
  const [briefs, setBriefs] = useState(5);
  const form = useSending(async () => {
    const { jobs } = await post(`${path}/replay`, { briefs });
    toast(wl.replayStarted(jobs.length));
    onClose();
  });
  return html`<${FormDialog} title=${wl.replayTitle} form=${form} action=${wl.replayAction(briefs)} onClose=${onClose}>
    <p>${wl.replayText}</p>
    <${TextField} label=${wl.replayBriefs} type="number" min="1" max="20" required value=${briefs} onInput=${(value) => setBriefs(Number(value))} />
  <//>`;
}

// # The results

function Results({ business, route }) {
  const format = route.query.content_type;
  const stats = useLoad((signal) => get(at`/api/learning/stats/${business}`, { content_type: format }, { signal }), [business, format]);
  const texts = useLoad(async (signal) => (await get("/api/generations", { business_id: business, limit: 100 }, { signal })).data, [business]);
  return html`<div class="stack-l">
    <div class="filters"><${FormatField} label=${wr.format} all=${wr.anyFormat} value=${format} onChange=${(value) => setQuery({ content_type: value })} /></div>
    <${Loaded} of=${stats} lines=${10}>${(data) => (data.verdicts === 0 ? html`<${Empty} title=${wr.none} text=${wr.noneText}><${Button} href=${link(["write", "texts"], { business })}>${t.brand.lessons.toTexts}<//><//>` : html`<${Figures} stats=${data} />
      <${Over} texts=${(texts.data ?? []).filter((text) => !format || text.content_type === format)} />
      ${data.figures && html`<${Arms} uplift=${data.figures.uplift} /><${People} figures=${data.figures} />`}`)}<//>
  </div>`;
}

const points = (n) => number(n, 1);
const signed = (n, say) => (n > 0 ? "+" : n < 0 ? "−" : "") + say(Math.abs(n));

function Figures({ stats }) {
  const { figures } = stats;
  const approval = figures?.approval;
  const series = (one, say) => (one && one.first !== null && one.last !== null ? wr.fromTo(say(one.first), say(one.last)) : one?.reason);
  const trend = figures?.trend;
  return html`<div class="grid figures">
    <${Figure} label=${wr.verdicts} value=${number(stats.verdicts)}>${wr.of(stats.generations)}<//>
    <${Figure} label=${wr.score} value=${points(figures?.scores.mean ?? stats.mean_human_score)} unit=${t.write.text.outOf}>${series(figures?.scores, points)}${trend && html`<br />${wr.trend(trend.per_week, trend.interval[0], trend.interval[1])}`}<//>
    <${Figure} label=${wr.approval} value=${approval?.basis === "measured" ? percent(approval.rate) : "–"}>${approval?.interval ? wr.sure(percent(approval.interval[0]), percent(approval.interval[1])) : approval?.reason ?? wr.notYet}<//>
    <${Figure} label=${wr.effort} value=${percent(figures?.words_changed.mean, 1)}>${series(figures?.words_changed, (n) => percent(n, 1)) ?? wr.notYet}<//>
  </div>`;
}

/** The means of the last few values at each text, with 95% intervals: Wilson's of shares, the normal one of means. */
function moving(rows, isShare) {
  return rows.map((row, i) => {
    const last = rows.slice(Math.max(0, i - WINDOW + 1), i + 1).map((one) => one.y);
    const n = last.length, mean = last.reduce((sum, y) => sum + y, 0) / n;
    if (isShare) {
      const middle = (mean + (Z * Z) / (2 * n)) / (1 + (Z * Z) / n), half = (Z * Math.sqrt((mean * (1 - mean)) / n + (Z * Z) / (4 * n * n))) / (1 + (Z * Z) / n);
      return { x: i + 1, at: row.at, y: mean, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
    }
    if (n < 3) return { x: i + 1, at: row.at, y: mean };
    const half = Z * Math.sqrt(last.reduce((sum, y) => sum + (y - mean) ** 2, 0) / (n - 1) / n);
    return { x: i + 1, at: row.at, y: mean, low: mean - half, high: mean + half };
  });
}

function Over({ texts }) {
  const charts = useMemo(() => {
    const judged = texts.filter((text) => text.feedback).sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
    const of = (value) => judged.map((text) => ({ at: text.created_at, y: value(text) })).filter((row) => row.y !== null && row.y !== undefined);
    return {
      n: judged.length,
      score: moving(of((text) => text.feedback.human_score), false),
      approval: moving(of((text) => (text.feedback.human_approved === null ? null : Number(text.feedback.human_approved))), true),
      effort: moving(of((text) => text.feedback.effort?.words_changed), false),
    };
  }, [texts]);
  if (charts.n < 3) return null;
  const chart = (points, title, say, bounds) => points.length > 2 && html`<div class="sheet"><${LineChart} title=${title} series=${[{ name: title, points: points.map((p) => ({ ...p, low: p.low === undefined ? undefined : Math.max(bounds.min ?? -Infinity, p.low), high: p.high === undefined ? undefined : Math.min(bounds.max ?? Infinity, p.high) })) }]} formatX=${wr.nth} formatY=${say} ...${bounds} describe=${wr.describe(title, say(points[0].y), say(points.at(-1).y))} /></div>`;
  return html`<section class="stack"><div class="stack-s"><h2>${wr.over}</h2><p class="small soft">${wr.overHint(charts.n, WINDOW)}</p></div>
    <div class="grid charts">
      ${chart(charts.score, wr.scoreChart, points, { min: 0, max: 10 })}
      ${chart(charts.approval, wr.approvalChart, (n) => percent(n), { min: 0, max: 1 })}
      ${chart(charts.effort, wr.effortChart, (n) => percent(n, 1), { min: 0 })}
    </div></section>`;
}

const WAYS = { score: { say: points, good: 1 }, approval: { say: (n) => percent(n), good: 1 }, words_changed: { say: (n) => percent(n, 1), good: -1 }, compression: { say: (n) => percent(n, 1), good: -1 } };

function Arms({ uplift }) {
  const rows = Object.entries(WAYS).map(([name, way]) => ({ name, ...way, ...uplift[name] }));
  // Said once where all lack the same.
  const reason = rows.every((row) => row.reason && row.reason === rows[0].reason) ? rows[0].reason : null;
  const verdict = ({ difference, interval, good }) => {
    if (!interval) return null;
    const isProven = interval[0] > 0 || interval[1] < 0;
    return isProven ? html`<${Chip} kind=${difference * good > 0 ? "good" : "bad"}>${difference * good > 0 ? wr.better : wr.worse}<//>` : html`<${Chip}>${wr.unproven}<//>`;
  };
  const columns = [
    { key: "figure", label: "", lead: true, render: (row) => html`<strong>${wr.figures[row.name]}</strong>${row.reason && !reason && html`<div class="tiny soft">${row.reason}</div>`}` },
    { key: "on", label: wr.on, right: true, render: (row) => html`<span>${row.on === null ? "–" : row.say(row.on)} <span class="tiny soft">${wr.n(row.n_on)}</span></span>` },
    { key: "off", label: wr.off, right: true, render: (row) => html`<span>${row.off === null ? "–" : row.say(row.off)} <span class="tiny soft">${wr.n(row.n_off)}</span></span>` },
    { key: "difference", label: wr.difference, right: true, render: (row) => (row.difference === null ? "–" : signed(row.difference, row.say)) },
    { key: "interval", label: wr.interval, render: (row) => (row.interval ? html`<${Interval} row=${row} />` : html`<span class="soft">–</span>`) },
    { key: wr.better, label: "", bare: true, render: verdict },
  ];
  return html`<section class="stack"><div class="stack-s"><h2>${wr.arms}</h2><p class="small soft arms-hint">${wr.armsHint}</p></div>${reason ? html`<p class="note">${wr.notYet}: ${reason}.</p>` : html`<${Table} columns=${columns} rows=${rows} rowKey=${(row) => row.name} />`}</section>`;
}

/** A difference with its interval, as a line about 0. */
function Interval({ row: { interval, difference, say } }) {
  const reach = Math.max(Math.abs(interval[0]), Math.abs(interval[1]), 1e-9) * 1.1;
  const X = (v) => 60 + (v / reach) * 58;
  const words = `${signed(interval[0], say)} … ${signed(interval[1], say)}`;
  return html`<div class="interval"><svg viewBox="0 0 120 16" aria-hidden="true"><line class="axis" x1="60" x2="60" y1="0" y2="16" /><line class="c0" stroke-width="3" stroke-linecap="round" x1=${X(interval[0])} x2=${X(interval[1])} y1="8" y2="8" /><circle class="f0" cx=${X(difference)} cy="8" r="4.5" /></svg><span class="tiny num">${words}</span></div>`;
}

function People({ figures }) {
  const { reviewer, raters } = figures;
  return html`<div class="grid halves">
    <section class="stack-s"><h2>${wr.reviewer}</h2>
      ${reviewer.bias === null ? html`<p class="soft">${reviewer.reason ?? wr.notYet}</p>` : html`<p>${wr.bias(reviewer.bias)} ${reviewer.mae !== null && wr.mae(reviewer.mae, reviewer.calibrated_mae)}</p>`}
      ${figures.contradictory > 0 && html`<p class="small">${wr.contradictory(figures.contradictory)}</p>`}</section>
    ${raters.length > 0 && html`<section class="stack-s"><h2>${wr.raters}</h2><${Table} rows=${raters} rowKey=${(row) => row.rater} columns=${[
      { key: "rater", label: wr.rater, lead: true, render: (row) => row.rater || wr.noName },
      { key: "count", label: wr.count, right: true, render: (row) => number(row.verdicts) },
      { key: "mean", label: wr.mean, right: true, render: (row) => points(row.mean_score) },
      { key: "rate", label: wr.rate, right: true, render: (row) => percent(row.approval_rate) },
    ]} /></section>`}
  </div>`;
}
