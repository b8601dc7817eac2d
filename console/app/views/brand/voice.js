// The voice as it is measured, in plain words, with the sentences it comes from; and the words to use and to avoid.

import { html } from "../../vendor/htm-preact.js";
import { at, get, useLoad } from "../../api.js";
import { link, setQuery } from "../../route.js";
import { can } from "../../session.js";
import { number, t } from "../../strings.js";
import { Button, Empty, ErrorBox, FormatField, Skeleton } from "../../ui.js";

const w = t.brand.voice;
const COUNTING = ["active", "pinned"];

export function Voice({ business, route }) {
  const format = route.query.content_type;
  const voice = useLoad((signal) => get(at`/api/businesses/${business}/voice`, { content_type: format }, { signal }).catch((error) => { if (error.status === 404) return { isUnsupported: true }; throw error; }), [business, format]);
  return html`<div class="desk">
    <div class="stack-l">
      ${voice.error ? html`<${ErrorBox} error=${voice.error} onRetry=${voice.reload} />` : !voice.data ? html`<${Skeleton} lines=${8} />` : voice.data.isUnsupported ? html`<p class="note">${w.unsupported}</p>` : html`<${Measured} voice=${voice.data} business=${business} format=${format} />`}
    </div>
    <${Words} business=${business} />
  </div>`;
}

function Measured({ voice, business, format }) {
  return html`<div class="row between"><p class="soft">${w.measured(voice.words, voice.documents)}</p>
      <${FormatField} label=${w.format} all=${w.anyFormat} value=${format} onChange=${(content_type) => setQuery({ content_type })} /></div>
    ${voice.degraded?.length > 0 && html`<p class="note warn">${voice.degraded.map((one) => t.degraded[one] ?? one).join(" ")}</p>`}
    ${voice.traits.length === 0 ? html`<${Empty} title=${w.none} text=${w.noneText}><${Button} href=${link(["brand", "documents"], { business })}>${w.addDocuments}<//><//>`
      : html`<ul class="plain traits">${voice.traits.map((trait) => html`<li key=${trait.name} class="stack-s trait"><p class="serif trait-text">${trait.text}</p>
          ${trait.examples?.length > 0 && html`<div class="stack-s" role="group" aria-label=${w.examples}>${trait.examples.map((example, i) => html`<blockquote key=${i} class="quote small">${example.text}<footer class="tiny"><a href=${link(["brand", "documents"], { business, document: example.document_id })}>${example.title}</a></footer></blockquote>`)}</div>`}</li>`)}</ul>`}
    ${voice.terms?.length > 0 && html`<section class="stack-s"><h2>${w.terms}</h2><ul class="plain tags">${voice.terms.map(({ term, count }) => html`<li key=${term} class="tag"><span>${term}</span><span class="soft num">${number(count)}</span></li>`)}</ul></section>`}`;
}

/** What the profile bans and what people have asked for, as far as it is about words. */
function Words({ business }) {
  const profile = useLoad((signal) => get(at`/api/businesses/${business}`, undefined, { signal }).catch((error) => { if (error.status === 404) return { banned_phrases: [], voice: "" }; throw error; }), [business]).data;
  const lessons = useLoad(async (signal) => (can("learning") ? (await get(at`/api/learning/lessons/${business}`, undefined, { signal })).data : []), [business]).data ?? [];
  const rules = lessons.filter((lesson) => COUNTING.includes(lesson.status)).map((lesson) => lesson.rule);
  const use = rules.flatMap((rule) => (rule.kind === "prefer" || (rule.kind === "term" && rule.wanted) ? [{ term: rule.term, from: w.fromLesson }] : []));
  const avoid = [
    ...(profile?.banned_phrases ?? []).map((term) => ({ term, from: w.fromProfile })),
    ...rules.flatMap((rule) => (rule.kind === "prefer" ? [{ term: rule.over, from: w.fromLesson }] : rule.kind === "term" && !rule.wanted ? [{ term: rule.term, from: w.fromLesson }] : [])),
  ];
  const list = (terms) => (terms.length === 0 ? html`<p class="small soft">${w.neither}</p>` : html`<ul class="plain tags">${terms.map(({ term, from }) => html`<li key=${`${term}/${from}`} class="tag"><span>${term}</span><span class="tiny soft">${from}</span></li>`)}</ul>`);
  return html`<aside class="stack-l">
    ${profile?.voice && html`<section class="stack-s"><h2 class="aside-head">${w.said}</h2><p class="serif">${profile.voice}</p></section>`}
    <section class="stack-s"><h2 class="aside-head">${w.use}</h2>${list(use)}</section>
    <section class="stack-s"><h2 class="aside-head">${w.avoid}</h2>${profile ? list(avoid) : html`<${Skeleton} lines=${2} />`}</section>
  </aside>`;
}
