// Documents: sent by drag and drop, by a button or as pasted text; how they were read; what they are for.

import { html, useEffect, useRef, useState } from "../../vendor/htm-preact.js";
import { at, del, patch, poll, post, upload, usePages } from "../../api.js";
import { can } from "../../session.js";
import { bytes, number, t } from "../../strings.js";
import { Button, Chip, confirm, cx, Dialog, Empty, ErrorBox, Gauge, Icon, More, SelectField, Skeleton, Table, TextField, Time, toast } from "../../ui.js";

const w = t.brand.documents;
const LARGEST = 10 * 1024 * 1024;
const TYPES = ".md,.markdown,.txt,.html,.htm,.pdf,.docx";
const AT_ONCE = 2;
let count = 0;

export function Documents({ business, route }) {
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
      const wrong = file.size > LARGEST ? w.tooLarge(file.name, bytes(file.size)) : file.size === 0 ? w.empty(file.name) : null;
      return { key: ++count, file, share: 0, state: wrong ? "failed" : "waiting", error: wrong && { title: wrong } };
    });
    setSendings((old) => [...old, ...next]);
    const line = next.filter((one) => one.state === "waiting");
    await Promise.all(Array.from({ length: AT_ONCE }, async () => { while (line.length) await send(line.shift()); }));
    if (next.some((one) => one.state === "waiting")) toast(w.sent);
  };

  return html`<div class="stack-l">
    ${can("documents") && html`<${DropZone} onFiles=${take} business=${business} onAdded=${pages.reload} />`}
    ${sendings.length > 0 && html`<ul class="plain stack-s" aria-live="polite">${sendings.map((one) => html`<li key=${one.key}>${one.state === "failed"
      ? html`<div class="note bad" role="alert"><strong>${one.file.name}</strong><span>${Object.values(one.error.fields ?? {}).join(" ") || one.error.message || one.error.title}</span><${Button} small onClick=${() => drop(one.key)}>${w.dismiss}<//></div>`
      : html`<${Gauge} label=${w.uploading(one.file.name)} value=${Math.round(one.share * 100)} max=${100} text=${`${Math.round(one.share * 100)}%`} kind="plain" />`}</li>`)}</ul>`}
    ${pages.error && html`<${ErrorBox} error=${pages.error} onRetry=${pages.reload} />`}
    ${!pages.rows ? !pages.error && html`<${Skeleton} lines=${8} />` : pages.rows.length === 0 ? html`<${Empty} title=${w.none} text=${w.noneText} />`
      : html`<${List} rows=${pages.rows} business=${business} shown=${route.query.document} onChanged=${pages.set} /><${More} pages=${pages} />`}
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
    <${Icon} name="up" size=${26} /><strong class="serif">${w.drop}</strong><p class="small soft">${w.dropText}</p>
    <div class="row"><${Button} kind="primary" onClick=${() => input.current.click()}>${w.choose}<//><${Button} onClick=${() => setPasting(true)}>${w.paste}<//></div>
    <input ref=${input} type="file" multiple accept=${TYPES} class="visually-hidden" tabindex="-1" aria-label=${w.choose} onChange=${(event) => { onFiles(event.target.files); event.target.value = ""; }} />
    ${isPasting && html`<${Paste} business=${business} onClose=${() => setPasting(false)} onAdded=${onAdded} />`}
  </div>`;
}

function Paste({ business, onClose, onAdded }) {
  const [form, setForm] = useState({ title: "", text: "", kind: "" });
  const [state, setState] = useState({ busy: false, error: null });
  const send = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      await post(at`/api/businesses/${business}/documents`, { title: form.title.trim(), text: form.text, kind: form.kind || undefined });
      toast(w.sent);
      onAdded();
      onClose();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<${Dialog} title=${w.pasteTitle} wide onClose=${onClose}><form class="stack" onSubmit=${send}>
    <${TextField} label=${w.pasteName} required maxlength="300" value=${form.title} onInput=${(title) => setForm({ ...form, title })} />
    <${TextField} label=${w.pasteText} hint=${w.pasteTextHint} required lines=${10} value=${form.text} onInput=${(text) => setForm({ ...form, text })} />
    <${SelectField} label=${w.columns.kind} value=${form.kind} options=${kindOptions(null)} onChange=${(kind) => setForm({ ...form, kind })} />
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
    <div class="row end"><${Button} kind="primary" type="submit" busy=${state.busy}>${w.pasteSend}<//></div>
  </form><//>`;
}

const kindOptions = (kind) => [...(kind ? [] : [{ value: "", label: w.kindUnknown }]), ...Object.entries(w.kinds).map(([value, label]) => ({ value, label }))];

function List({ rows, business, shown, onChanged }) {
  const path = (document) => at`/api/businesses/${business}/documents/${document.id}`;
  const say = async (document, kind) => {
    try {
      const changed = await patch(path(document), { kind });
      onChanged((old) => old.map((one) => (one.id === document.id ? changed : one)));
      toast(w.kindSaved);
    } catch (error) {
      toast(error.message, { kind: "bad" });
    }
  };
  const remove = async (document) => {
    if (!(await confirm({ title: w.removeTitle(document.title), text: w.removeText, action: w.remove }))) return;
    try {
      await del(path(document));
      onChanged((old) => old.filter((one) => one.id !== document.id));
      toast(w.removed);
    } catch (error) {
      toast(error.message, { kind: "bad" });
    }
  };
  const columns = [
    { key: "title", label: w.columns.title, lead: true, render: (document) => html`<div class="stack-s doc"><span class="serif text-title">${document.title}</span><span class="tiny soft">${[document.external_id, bytes(document.size_bytes), document.language].filter(Boolean).join(" · ")}</span><${Troubles} document=${document} />${shown === document.id && html`<span ref=${reveal}><${Chip} bare kind="live">${w.shown}<//></span>`}</div>` },
    { key: "kind", label: w.columns.kind, render: (document) => document.status === "failed" ? "–" : can("documents") ? html`<div class="kind"><${SelectField} label=${`${w.columns.kind}: ${document.title}`} hideLabel value=${document.kind ?? ""} options=${kindOptions(document.kind)} onChange=${(kind) => say(document, kind)} /></div>` : w.kinds[document.kind] ?? w.kindUnknown },
    { key: "state", label: w.columns.state, render: (document) => html`<${Chip} kind=${{ ready: document.warnings.length ? "warn" : "good", failed: "bad", pending: "live" }[document.status]}>${w.states[document.status]}<//>` },
    { key: "passages", label: w.columns.passages, right: true, render: (document) => number(document.chunk_count) },
    { key: "changed", label: w.columns.changed, right: true, render: (document) => html`<${Time} at=${document.updated_at} />` },
    ...(can("documents") ? [{ key: w.remove, label: "", right: true, bare: true, render: (document) => html`<${Button} small kind="quiet" icon="trash" label=${`${w.remove}: ${document.title}`} onClick=${() => remove(document)} />` }] : []),
  ];
  return html`<${Table} caption=${html`<span class="visually-hidden">${t.brand.tabs.documents}</span>`} columns=${columns} rows=${rows} rowKey=${(document) => document.id} />`;
}

const reveal = (element) => element?.scrollIntoView({ block: "center" });

/** What is wrong with a document, and what to do. */
function Troubles({ document }) {
  if (document.status === "failed") return html`<span class="small trouble bad">${document.error} ${w.failedWhat}</span>`;
  return document.warnings.map((warning) => html`<span key=${warning.code} class="small trouble">${w.warnings[warning.code] ?? warning.code} <span class="soft">${warning.detail}</span></span>`);
}
