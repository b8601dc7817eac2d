// What a business says of itself, what the writer would be given on a topic, and the voice as it is measured.

import { html, useEffect, useState } from "../../vendor/htm-preact.js";
import { at, get, put, useLoad } from "../../api.js";
import { Markdown, safeUrl } from "../../markdown.js";
import { link, setQuery } from "../../route.js";
import { can } from "../../session.js";
import { number, t } from "../../strings.js";
import { Button, Chip, cx, Empty, ErrorBox, FormatField, Icon, Loaded, Skeleton, TextField, toast } from "../../ui.js";

const w = t.brand.profile;
const ws = t.brand.search;
const wv = t.brand.voice;
const GUIDES = ["style_guide", "policy"];
const COUNTING = ["active", "pinned"];
const EMPTY = { name: "", description: "", voice: "", audience: "", guidelines: "", default_language: "", banned_phrases: [] };

async function load(business, signal) {
  try {
    return { ...(await get(at`/api/businesses/${business}`, undefined, { signal })), isNew: false };
  } catch (error) {
    if (error.status === 404) return { ...EMPTY, isNew: true };
    throw error;
  }
}

export function Profile({ business, reloadBusinesses }) {
  const profile = useLoad((signal) => load(business, signal), [business]);
  return html`<${Loaded} of=${profile} lines=${10}>${(data) => html`<${Form} key=${data.updated_at ?? business} first=${data} business=${business} onSaved=${() => { reloadBusinesses(); }} />`}<//>`;
}

function Form({ first, business, onSaved }) {
  const [stored, setStored] = useState(first);
  const [form, setForm] = useState(first);
  const [state, setState] = useState({ busy: false, error: null });
  const isChanged = Object.keys(EMPTY).some((name) => JSON.stringify(form[name]) !== JSON.stringify(stored[name]));
  useEffect(() => {
    if (!isChanged) return undefined;
    const stay = (event) => event.preventDefault();
    addEventListener("beforeunload", stay);
    return () => removeEventListener("beforeunload", stay);
  }, [isChanged]);
  const mayChange = can("documents");
  const save = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      const body = Object.fromEntries(Object.keys(EMPTY).map((name) => [name, name === "default_language" ? form[name] || undefined : form[name]]));
      const saved = await put(at`/api/businesses/${business}`, body);
      setStored({ ...saved, isNew: false });
      setForm({ ...saved, isNew: false });
      setState({ busy: false, error: null });
      toast(w.saved);
      onSaved();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  const wrong = state.error?.fields ?? {};
  const field = (name, word = name) => ({ label: w[word], hint: w[`${word}Hint`], value: form[name], error: wrong[name], readonly: !mayChange, onInput: (value) => setForm({ ...form, [name]: value }) });
  return html`<form class="stack-l narrow" onSubmit=${save}>
    ${stored.isNew && html`<p class="note">${w.new}</p>`}
    ${!mayChange && html`<p class="note">${t.brand.mayNotChange}</p>`}
    <${TextField} ...${field("name")} maxlength="200" />
    <${TextField} ...${field("description")} lines=${4} maxlength="5000" />
    <${TextField} ...${field("voice")} lines=${2} maxlength="1000" />
    <${TextField} ...${field("audience")} maxlength="1000" />
    <${TextField} ...${field("guidelines")} lines=${5} maxlength="10000" />
    <${Phrases} phrases=${form.banned_phrases} error=${Object.entries(wrong).find(([name]) => name.startsWith("banned_phrases"))?.[1]} mayChange=${mayChange} onChange=${(banned_phrases) => setForm({ ...form, banned_phrases })} />
    <div class="short"><${TextField} ...${field("default_language", "language")} maxlength="35" /></div>
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
    ${mayChange && html`<div class=${cx("row save-bar", isChanged && "changed")}><${Button} kind="primary" type="submit" busy=${state.busy} disabled=${!isChanged}>${state.busy ? w.saving : w.save}<//>${isChanged && html`<span class="small soft" role="status">${w.unsaved}</span>`}</div>`}
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
    ${mayChange && html`<div class="row add-row"><${TextField} label=${w.banned} hint=${w.bannedHint} error=${error} maxlength="100" value=${typed} onInput=${setTyped} onKeyDown=${(event) => { if (event.key === "Enter") { event.preventDefault(); add(); } }} /><${Button} icon="plus" onClick=${add} disabled=${!typed.trim()}>${w.add}<//></div>`}
    ${phrases.length > 0 && html`<ul class="plain tags" aria-label=${w.banned}>${phrases.map((phrase) => html`<li key=${phrase} class="tag"><span>${phrase}</span>${mayChange && html`<button type="button" aria-label=${w.remove(phrase)} title=${w.remove(phrase)} onClick=${() => onChange(phrases.filter((one) => one !== phrase))}><${Icon} name="close" size=${13} /></button>`}</li>`)}</ul>`}
  </div>`;
}

// Looking up.

export function Search({ business, route }) {
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

// The voice, and the words to use and to avoid.

export function Voice({ business, route }) {
  const format = route.query.content_type;
  const voice = useLoad((signal) => get(at`/api/businesses/${business}/voice`, { content_type: format }, { signal }).catch((error) => { if (error.status === 404) return { isUnsupported: true }; throw error; }), [business, format]);
  return html`<div class="desk">
    <div class="stack-l">
      ${voice.error ? html`<${ErrorBox} error=${voice.error} onRetry=${voice.reload} />` : !voice.data ? html`<${Skeleton} lines=${8} />` : voice.data.isUnsupported ? html`<p class="note">${wv.unsupported}</p>` : html`<${Measured} voice=${voice.data} business=${business} format=${format} />`}
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
  const profile = useLoad((signal) => get(at`/api/businesses/${business}`, undefined, { signal }).catch((error) => { if (error.status === 404) return { banned_phrases: [], voice: "" }; throw error; }), [business]).data;
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
