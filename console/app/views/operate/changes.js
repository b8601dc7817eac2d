// The audit log: what was changed, when, and by whom.

import { html } from "../../vendor/htm-preact.js";
import { usePages } from "../../api.js";
import { BusinessPicker, businessName } from "../../business.js";
import { setQuery } from "../../route.js";
import { bytes, dayOf, duration, money, number, t } from "../../strings.js";
import { Button, Chip, Empty, ErrorBox, More, SelectField, Skeleton, Table, TextField, Time } from "../../ui.js";

const w = t.operate.changes;
const SPANS = { hour: 3_600_000, day: 86_400_000, week: 604_800_000, month: 2_592_000_000 };

export function Changes({ route, session, businesses }) {
  const { action, key, business, span } = route.query;
  // To the minute, so that the address of the list stays the same from render to render.
  const since = SPANS[span] ? new Date(Math.floor((Date.now() - SPANS[span]) / 60_000) * 60_000).toISOString() : undefined;
  const pages = usePages("/api/audit", { action, key_id: key, business_id: business, since }, { limit: 50 });
  const isFiltered = action || key || business || span;
  const isBound = !!session?.key?.businesses;
  return html`<section class="stack" aria-labelledby="changes"><div class="row between"><h2 id="changes">${w.title}</h2><${Button} small icon="refresh" onClick=${pages.reload}>${w.reload}<//></div>
    <div class="filters">
      <${SelectField} label=${w.what} value=${action ?? ""} onChange=${(next) => setQuery({ action: next })} options=${[{ value: "", label: w.everything }, ...Object.entries(w.groups).map(([value, label]) => ({ value, label }))]} />
      <${SelectField} label=${w.since} value=${span ?? ""} onChange=${(next) => setQuery({ span: next })} options=${[{ value: "", label: w.everBefore }, ...Object.entries(w.spans).map(([value, label]) => ({ value, label }))]} />
      <${TextField} label=${w.byKey} value=${key ?? ""} onInput=${(next) => setQuery({ key: next.trim() })} maxlength="40" autocomplete="off" spellcheck=${false} />
      ${businesses.length > 0 && html`<${BusinessPicker} businesses=${businesses} value=${business} all=${true} onChange=${(next) => setQuery({ business: next })} />`}
    </div>
    ${pages.error && html`<${ErrorBox} error=${pages.error} onRetry=${pages.reload} />`}
    ${!pages.rows && !pages.error && html`<${Skeleton} lines=${8} />`}
    ${pages.rows?.length === 0 && html`<${Empty} title=${isFiltered ? w.noneMatch : w.none} text=${isFiltered ? w.noneMatchText : w.noneText}>${isFiltered && html`<${Button} onClick=${() => setQuery({ action: undefined, key: undefined, business: undefined, span: undefined })}>${t.work.clearFilters}<//>`}<//>`}
    ${pages.rows?.length > 0 && html`<${Table} rows=${pages.rows} rowKey=${(row) => String(row.id)} columns=${[
      { key: "what", label: w.what, lead: true, render: (row) => html`<div class="letter"><strong>${w.actions[row.action] ?? row.action}</strong><span class="tiny soft mono">${row.subject}</span></div>` },
      { key: "how", label: w.how, render: (row) => html`<${Difference} row=${row} />` },
      { key: "by", label: w.by, render: (row) => html`<div class="letter"><span>${w.names[row.key_name] ?? row.key_name}</span>${row.key_id && html`<button type="button" class="as-link tiny" onClick=${() => setQuery({ key: row.key_id })}>${row.key_id}<span class="visually-hidden">: ${w.onlyBy(row.key_name)}</span></button>`}${row.peer && html`<span class="tiny soft">${row.peer}</span>`}</div>` },
      { key: "business", label: t.work.columns.business, render: (row) => (row.business_id ? businessName(businesses, row.business_id) : "–") },
      { key: "outcome", label: w.outcome, render: (row) => html`<${Chip} kind=${row.outcome === "done" ? "good" : "bad"}>${w.outcomes[row.outcome] ?? row.outcome}<//>` },
      { key: "when", label: w.when, right: true, render: (row) => html`<${Time} at=${row.at} />` },
    ]} />`}
    <${More} pages=${pages} />
    ${isBound && html`<p class="tiny soft">${w.bound}</p>`}
  </section>`;
}

const plain = (value) => (value === null || value === undefined ? "–" : typeof value === "number" ? number(value) : Array.isArray(value) ? value.join(", ") : typeof value === "object" ? Object.entries(value).map(([name, one]) => `${number(one) === "NaN" ? one : number(one)} ${name}`).join(", ") : String(value));
/** A value in its unit: the log has seconds, bytes and millionths of a dollar. */
function words(name, value) {
  if (/^\d{4}-\d\d-\d\dT/.test(value)) return dayOf(value);
  if (typeof value !== "number") return plain(value);
  if (name.startsWith("micro_usd")) return money(value / 1e6);
  return name.endsWith("seconds") ? duration(value) : name.endsWith("bytes") ? bytes(value) : number(value);
}

/** What is not as it was: "intake: open → paused". */
function Difference({ row: { before, after } }) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].filter((name) => plain(before?.[name]) !== plain(after?.[name]));
  if (names.length === 0) return html`<span class="soft">–</span>`;
  const line = (name) => html`<li key=${name}><span class="soft">${w.values[name] ?? t.operate.fields[name] ?? name}:</span> ${before && name in before ? html`<span class="from">${words(name, before[name])}</span> → ` : ""}${after ? words(name, after[name]) : w.gone}</li>`;
  return html`<ul class="plain small difference">${names.slice(0, 3).map(line)}</ul>${names.length > 3 && html`<details><summary>${w.more(names.length - 3)}</summary><ul class="plain small difference">${names.slice(3).map(line)}</ul></details>`}`;
}
