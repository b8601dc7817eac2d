// The versions of a text, and what changed between two of them.

import { html, useState } from "../../vendor/htm-preact.js";
import { at, get, useLoad } from "../../api.js";
import { WordDiff } from "../../diff.js";
import { Markdown } from "../../markdown.js";
import { number, t } from "../../strings.js";
import { Loaded, SelectField } from "../../ui.js";

const w = t.write.text.versions;

/** All versions, oldest first; only the final one where the service keeps or tells no more. */
async function load(generation, signal) {
  const final = { round: generation.review?.rounds ?? 0, title: generation.title, content: generation.content, written_at: generation.created_at, score: generation.review?.score, is_final: true };
  try {
    const { data } = await get(at`/api/generations/${generation.generation_id}/versions`, undefined, { signal });
    return data.length ? data : [final];
  } catch (error) {
    if (error.status === 404) return [final];
    throw error;
  }
}

export function Versions({ generation, yours }) {
  const versions = useLoad((signal) => load(generation, signal), [generation.generation_id]);
  return html`<${Loaded} of=${versions} lines=${8}>${(data) => html`<${Compare} versions=${yours === null ? data : [...data, { content: yours, isYours: true }]} />`}<//>`;
}

function Compare({ versions }) {
  const last = versions.length - 1;
  const [chosen, setChosen] = useState({ from: 0, to: last });
  const [from, to] = [Math.min(chosen.from, last), Math.min(chosen.to, last)];
  const name = (version) => (version.isYours ? w.version && t.write.text.editing : `${w.version(version.round, version.is_final)}${version.score !== null && version.score !== undefined ? ` · ${number(version.score, 1)}` : ""}`);
  const options = versions.map((version, i) => ({ value: String(i), label: name(version) }));
  if (versions.length === 1) return html`<p class="note small">${w.none}</p><div class="sheet paper"><${Markdown} breaks text=${versions[0].content} /></div>`;
  return html`<div class="stack">
    <div class="filters"><${SelectField} label=${w.compare} options=${options} value=${String(from)} onChange=${(value) => setChosen({ from: Number(value), to })} /><${SelectField} label=${w.with} options=${options} value=${String(to)} onChange=${(value) => setChosen({ from, to: Number(value) })} /></div>
    ${versions[to].comments && html`<p class="note small">${versions[to].comments}</p>`}
    <div class="sheet paper"><${WordDiff} before=${versions[from].content} after=${versions[to].content} /></div>
  </div>`;
}
