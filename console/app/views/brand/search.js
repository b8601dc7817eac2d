// Looking up what the writer would be given on a topic.

import { html, useEffect, useState } from "../../vendor/htm-preact.js";
import { at, get, useLoad } from "../../api.js";
import { Markdown, safeUrl } from "../../markdown.js";
import { link, setQuery } from "../../route.js";
import { t } from "../../strings.js";
import { Button, Chip, Empty, ErrorBox, Skeleton, TextField } from "../../ui.js";

const w = t.brand.search;
const GUIDES = ["style_guide", "policy"];

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
    <form class="row add-row" role="search" onSubmit=${look}><${TextField} label=${w.label} hint=${w.hint} type="search" maxlength="500" value=${typed} onInput=${setTyped} /><${Button} kind="primary" icon="search" type="submit">${w.go}<//></form>
    ${!q ? html`<p class="soft">${w.start}</p>` : found.error ? html`<${ErrorBox} error=${found.error} onRetry=${found.reload} />` : !found.data ? html`<${Skeleton} lines=${8} />` : html`<${Passages} found=${found.data} business=${business} />`}
  </div>`;
}

function Passages({ found, business }) {
  if (found.data.length === 0) return html`<${Empty} title=${w.none} text=${w.noneText}><${Button} href=${link(["brand", "documents"], { business })}>${t.brand.voice.addDocuments}<//><//>`;
  return html`<div class="stack">
    ${found.degraded.length > 0 && html`<p class="note warn small">${found.degraded.map((one) => t.degraded[one] ?? one).join(" ")}</p>`}
    <p class="small soft" role="status">${w.found(found.data.length)}</p>
    <ol class="plain stack">${found.data.map((passage) => html`<li key=${`${passage.document_id}/${passage.chunk}`} class="sheet stack-s">
      <div class="row between"><span class="serif text-title">${passage.heading_path || passage.title}</span><span class="tiny soft num">${w.score(passage.score)}</span></div>
      <div class="row"><${Chip} bare>${t.brand.documents.kinds[passage.kind] ?? passage.kind}<//>${GUIDES.includes(passage.kind) && html`<span class="tiny soft">${w.guides}</span>`}${passage.url && safeUrl(passage.url) && html`<a class="tiny" href=${safeUrl(passage.url)} target="_blank" rel="noopener noreferrer">${passage.url}</a>`}</div>
      <div class="passage"><${Markdown} text=${passage.text} level=${3} /></div>
    </li>`)}</ol>
  </div>`;
}
