// The components that every view is made of. They fetch nothing and know no view.

import { html, useEffect, useErrorBoundary, useLayoutEffect, useMemo, useRef, useState } from "./vendor/htm-preact.js";
import { ago, clockOf, dayOf, fullTime, t } from "./strings.js";

let ids = 0;
/** An id for a label and its control, the same in every render. */
export const useId = () => useMemo(() => `u${++ids}`, []);
export const cx = (...names) => names.filter(Boolean).join(" ");

const PATHS = {
  write: "M4 16.5 5 12l8.5-8.5a2 2 0 0 1 3 3L8 15l-4 1.5zM12 5l3 3",
  work: "M4 5h12M4 10h12M4 15h7",
  operate: "M3 11h3l2.5-6 4 11 2-5H17",
  brand: "M5 3h10v14l-5-3.5L5 17z",
  close: "m5 5 10 10M15 5 5 15",
  check: "m4 10.5 4 4 8-9",
  cross: "m5.5 5.5 9 9m0-9-9 9",
  copy: "M7 7h9v9H7zM4 13V4h9",
  up: "M10 16V5m-5 5 5-5 5 5",
  down: "m5 8 5 5 5-5",
  right: "m8 5 5 5-5 5",
  left: "m12 5-5 5 5 5",
  undo: "M7 8H3V4m0 4c2-3 4-4 7-4a6 6 0 1 1-5.5 8.5",
  edit: "M4 16l1-4 8-8 3 3-8 8z",
  trash: "M4 6h12M8 6V4h4v2M6 6l1 11h6l1-11",
  pin: "M7 3h6l-1 5 3 3H5l3-3zM10 11v6",
  search: "M9 15A6 6 0 1 1 9 3a6 6 0 0 1 0 12zM13.5 13.5 17 17",
  file: "M5 3h6l4 4v10H5zM11 3v4h4",
  user: "M10 10a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM4 17c.6-3 3-4.5 6-4.5s5.4 1.5 6 4.5",
  play: "M6 4l10 6-10 6z",
  pause: "M7 4v12M13 4v12",
  warn: "M10 3 2.5 16.5h15zM10 8v4m0 2.2v.3",
  clock: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 6v4l3 2",
  plus: "M10 4v12M4 10h12",
  link: "M8 12l4-4M9 6l2-2a3 3 0 0 1 5 5l-2 2M11 14l-2 2a3 3 0 0 1-5-5l2-2",
  refresh: "M16 5v4h-4M4 15v-4h4M5.5 8a5 5 0 0 1 9-1.5L16 9M4 11l1.500 2.500a5 5 0 0 0 9-1.500",
};
/** A small drawing beside words; alone it needs `label`. */
export function Icon({ name, label, size = 18 }) {
  return html`<svg width=${size} height=${size} viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"
    role=${label ? "img" : undefined} aria-label=${label} aria-hidden=${label ? undefined : "true"}><path d=${PATHS[name]} /></svg>`;
}

export function Brandmark({ href }) {
  const mark = html`<svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"><path d="M3 15 10 4l7 11" /></svg>`;
  return href ? html`<a class="brandmark" href=${href}>${mark}${t.name}</a>` : html`<span class="brandmark">${mark}${t.name}</span>`;
}

/** A button; a link that looks like one where `href` is given. `kind`: primary, quiet, danger. `icon` without children needs `label`. */
export function Button({ kind, small, icon, label, busy, href, children, class: more, disabled, ...rest }) {
  const name = cx("button", kind, small && "small", icon && !children && "icon", more);
  const inside = html`${busy ? html`<span class="spin" aria-hidden="true"></span>` : icon && html`<${Icon} name=${icon} size=${small ? 16 : 18} />`}${children}`;
  if (href) return html`<a class=${name} href=${href} aria-label=${label} title=${label} ...${rest}>${inside}</a>`;
  return html`<button type="button" class=${name} aria-label=${label} title=${label} disabled=${disabled || busy} ...${rest}>${inside}</button>`;
}

function Frame({ id, label, hint, error, hideLabel, optional, children }) {
  return html`<div class="field">
    <label for=${id} class=${hideLabel ? "visually-hidden" : undefined}>${label}${optional && html` <span class="soft tiny">(${t.ui.optional})</span>`}</label>
    ${children}
    ${hint && html`<span class="hint" id=${`${id}-hint`}>${hint}</span>`}
    ${error && html`<span class="wrong" id=${`${id}-wrong`}>${error}</span>`}
  </div>`;
}
const described = (id, hint, error) => cx(hint && `${id}-hint`, error && `${id}-wrong`) || undefined;

/** A line or, with `lines`, an area of text. `onInput` gets the text. */
export function TextField({ label, hint, error, optional, lines, value, onInput, inputRef, ...rest }) {
  const id = useId();
  const own = { id, class: "input", value: value ?? "", "aria-invalid": error ? "true" : undefined, "aria-describedby": described(id, hint, error), onInput: (event) => onInput?.(event.target.value), ref: inputRef, ...rest };
  return html`<${Frame} ...${{ id, label, hint, error, optional }}>${lines ? html`<textarea rows=${lines} ...${own}></textarea>` : html`<input type="text" ...${own} />`}<//>`;
}

/** One of `options`: `[{value, label}]`. `onChange` gets the value. */
export function SelectField({ label, hint, error, hideLabel, options, value, onChange, ...rest }) {
  const id = useId();
  return html`<${Frame} ...${{ id, label, hint, error, hideLabel }}>
    <select id=${id} class="input" aria-invalid=${error ? "true" : undefined} aria-describedby=${described(id, hint, error)} value=${value} onChange=${(event) => onChange?.(event.target.value)} ...${rest}>
      ${options.map((option) => html`<option key=${option.value} value=${option.value} selected=${option.value === value} disabled=${option.disabled}>${option.label}</option>`)}
    </select><//>`;
}

/** Options from words by value, with `all` first, for none of them. */
export const choices = (words, all) => [...(all ? [{ value: "", label: all }] : []), ...Object.entries(words).map(([value, label]) => ({ value, label }))];

/** One of the twelve kinds of text, or all of them. */
export const FormatField = ({ label, all, value, onChange }) => html`<${SelectField} label=${label} value=${value ?? ""} options=${choices(t.formats, all)} onChange=${onChange} />`;

export function CheckField({ label, hint, checked, onChange, ...rest }) {
  return html`<label class="check"><input type="checkbox" checked=${checked} onChange=${(event) => onChange?.(event.target.checked)} ...${rest} /><span>${label}${hint && html`<span class="hint soft tiny"><br />${hint}</span>`}</span></label>`;
}

/** A state in a word. `kind`: good, warn, bad, live (moves), or none; its mark differs by more than colour. */
export const Chip = ({ kind, bare, title, children }) => html`<span class=${cx("chip", kind, bare && "bare")} title=${title}>${children}</span>`;
const STATUS_KINDS = { queued: "", waiting: "warn", running: "live", succeeded: "good", failed: "bad", cancelled: "" };
export const JobStatus = ({ status }) => html`<${Chip} kind=${STATUS_KINDS[status]}>${t.jobStatus[status] ?? status}<//>`;

/** A time in the reader's zone, the whole of it in its title. `as`: ago (default), day, clock, both. */
export function Time({ at, as = "ago" }) {
  const [, tick] = useState(0);
  useEffect(() => {
    if (as !== "ago" || !at || Date.now() - new Date(at) > 86_400_000) return undefined;
    const timer = setInterval(() => tick((n) => n + 1), 20_000);
    return () => clearInterval(timer);
  }, [at, as]);
  if (!at) return html`<span class="soft">–</span>`;
  const words = { ago: () => ago(at), day: () => dayOf(at), clock: () => clockOf(at), both: () => `${dayOf(at)}, ${clockOf(at)}` }[as]();
  return html`<time datetime=${at} title=${fullTime(at)}>${words}</time>`;
}

/** A number that stands for itself, with what it is. */
export const Figure = ({ label, value, unit, children }) => html`<div class="figure"><span class="label">${label}</span><span class="value">${value}${unit && html` <span class="unit">${unit}</span>`}</span>${children && html`<span class="tiny soft">${children}</span>`}</div>`;

/** The head of a page. Its heading takes the focus when the page is gone to. */
export const PageHead = ({ title, lead, children }) => html`<header class="page-head"><div><h1 tabindex="-1">${title}</h1>${lead && html`<p class="lead">${lead}</p>`}</div>${children && html`<div class="row">${children}</div>`}</header>`;

/** Why nothing is here, and the next step as children. */
export const Empty = ({ title, text, children }) => html`<div class="empty"><h2>${title ?? t.ui.none}</h2>${text && html`<p>${text}</p>`}${children && html`<div class="row">${children}</div>`}</div>`;

/** What failed, in plain words; what is wrong with fields, unless `fields` is false. */
export function ErrorBox({ error, onRetry, fields = true }) {
  if (!error) return null;
  const wrong = fields ? Object.entries(error.fields ?? {}) : [];
  return html`<div class="note bad" role="alert">
    <strong>${error.title || t.errors.title}</strong>
    ${wrong.length === 0 && error.message && error.message !== error.title && html`<span>${error.message}</span>`}
    ${wrong.length > 0 && html`<ul>${wrong.map(([name, detail]) => html`<li key=${name}><strong>${name.replaceAll(/[_/]/g, " ")}</strong> ${detail}</li>`)}</ul>`}
    ${error.retryAfter && html`<span>${t.errors.later(error.retryAfter)}</span>`}
    ${onRetry && html`<${Button} small icon="refresh" onClick=${onRetry}>${t.ui.retry}<//>`}
  </div>`;
}

/** Lines in the place of what is loaded, as tall as that, so that nothing jumps. */
export function Skeleton({ lines = 4, height }) {
  return html`<div class="skeleton" role="status" aria-label=${t.ui.loading} style=${height ? { minHeight: height } : undefined}>${Array.from({ length: lines }, (_, i) => html`<span key=${i} style=${{ width: `${[100, 92, 96, 64][i % 4]}%` }}></span>`)}</div>`;
}

/** Shows `children(data)` once it is there, its error or a skeleton before. Takes what useLoad gives. */
export function Loaded({ of, lines, height, children }) {
  if (of.data !== undefined && of.data !== null) return html`${of.error && html`<${ErrorBox} error=${of.error} onRetry=${of.reload} />`}${children(of.data)}`;
  return of.error ? html`<${ErrorBox} error=${of.error} onRetry=${of.reload} />` : html`<${Skeleton} lines=${lines} height=${height} />`;
}

/** Keeps a failure of one part from ending the page. */
export function Guard({ children }) {
  const [error, reset] = useErrorBoundary((e) => console.error(e));
  return error ? html`<${ErrorBox} error=${{ title: t.ui.broken, message: String(error.message ?? error) }} onRetry=${reset} />` : children;
}

/**
 * A table that becomes cards at phone width. `columns`: `{key, label, render(row), right, lead, bare}`: `lead` heads
 * the card, `bare` has no label there. `selection`: `{selected: Set, onChange(Set)}` of `rowKey(row)`.
 */
export function Table({ caption, columns, rows, rowKey, selection, rowName }) {
  const keys = rows.map(rowKey);
  const isAll = selection && keys.length > 0 && keys.every((key) => selection.selected.has(key));
  const pick = (changed, isOn) => {
    const next = new Set(selection.selected);
    for (const key of changed) isOn ? next.add(key) : next.delete(key);
    selection.onChange(next);
  };
  const box = (label, checked, on) => html`<input type="checkbox" aria-label=${label} checked=${checked} onChange=${(event) => on(event.target.checked)} />`;
  return html`<div class="table-wrap"><table class="table cards" role="table">
    ${caption && html`<caption>${caption}</caption>`}
    <thead role="rowgroup"><tr role="row">
      ${selection && html`<th class="pick" role="columnheader" scope="col">${box(t.ui.selectAll, isAll, (on) => pick(keys, on))}</th>`}
      ${columns.map((column) => html`<th key=${column.key} role="columnheader" scope="col" class=${column.right ? "right" : undefined}>${column.label || html`<span class="visually-hidden">${column.key}</span>`}</th>`)}
    </tr></thead>
    <tbody role="rowgroup">${rows.map((row, i) => html`<tr role="row" key=${keys[i]}>
      ${selection && html`<td class="pick bare-cell" role="cell">${box(t.ui.select(rowName?.(row) ?? keys[i]), selection.selected.has(keys[i]), (on) => pick([keys[i]], on))}</td>`}
      ${columns.map((column) => html`<td key=${column.key} role="cell" data-label=${column.label} class=${cx(column.right && "right", column.lead && "lead-cell", column.bare && "bare-cell") || undefined}>${column.render ? column.render(row) : row[column.key]}</td>`)}
    </tr>`)}</tbody>
  </table></div>`;
}

/** A list by pages (usePages): its error, a skeleton, `empty` where nothing is in it, else `children(rows)` and its end. */
export function Paged({ of: pages, lines, empty, children }) {
  return html`${pages.error && html`<${ErrorBox} error=${pages.error} onRetry=${pages.reload} />`}
    ${!pages.rows ? !pages.error && html`<${Skeleton} lines=${lines} />` : pages.rows.length > 0 ? children(pages.rows) : !pages.hasMore && empty}
    <${More} pages=${pages} />`;
}

/** The end of a list by pages. */
const More = ({ pages }) => pages.hasMore && html`<div class="row"><${Button} onClick=${pages.more} busy=${pages.loading}>${t.ui.more}<//></div>`;

/** A modal dialog: the browser keeps the focus inside, Escape closes it, and the focus goes back. */
export function Dialog({ title, onClose, wide, children }) {
  const ref = useRef(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement, dialog = ref.current;
    dialog.showModal();
    return () => {
      // Closed first: while it is modal nothing else takes the focus.
      dialog.close();
      before?.focus?.();
    };
  }, []);
  const aside = (event) => { if (event.target === ref.current) onClose(); };
  return html`<dialog ref=${ref} class=${wide ? "wide" : undefined} aria-labelledby=${id} onCancel=${(event) => { event.preventDefault(); onClose(); }} onClick=${aside}>
    <div class="dialog-in">
      <div class="dialog-head"><h2 id=${id}>${title}</h2><${Button} kind="quiet" icon="close" label=${t.ui.close} small onClick=${onClose} /></div>
      ${children}
    </div>
  </dialog>`;
}

/** A form that is sent: `{busy, error, wrong, send}`. What `act` throws is its error, `wrong` what is wrong with each field. */
export function useSending(act) {
  const [state, set] = useState({ busy: false, error: null });
  const send = async (event) => {
    event.preventDefault();
    set({ busy: true, error: null });
    try {
      await act();
      set({ busy: false, error: null });
    } catch (error) {
      set({ busy: false, error });
    }
  };
  return { ...state, wrong: state.error?.fields ?? {}, send };
}

/** A dialog with a form: `form` is what `useSending` gives, `action` its button, of the look `kind`. */
export function FormDialog({ form, action, kind = "primary", disabled, novalidate, children, ...rest }) {
  return html`<${Dialog} ...${rest}><form class="stack" onSubmit=${form.send} novalidate=${novalidate}>
    ${children}
    <${ErrorBox} error=${form.error} />
    <div class="row end"><${Button} onClick=${rest.onClose}>${t.ui.cancel}<//><${Button} kind=${kind} type="submit" disabled=${disabled} busy=${form.busy}>${action}<//></div>
  </form><//>`;
}

let ask = null;
/** Asks before something that cannot be undone: `await confirm({title, text, action, danger})` is true if the person agrees. */
export const confirm = (question) => new Promise((answer) => ask?.({ ...question, answer }));
export function ConfirmHost() {
  const [question, set] = useState(null);
  ask = set;
  if (!question) return null;
  const end = (isYes) => {
    set(null);
    question.answer(isYes);
  };
  return html`<${Dialog} title=${question.title} onClose=${() => end(false)}>
    ${question.text && html`<p>${question.text}</p>`}
    <div class="row end"><${Button} onClick=${() => end(false)}>${t.ui.cancel}<//><${Button} kind=${question.danger === false ? "primary" : "danger"} onClick=${() => end(true)}>${question.action}<//></div>
  <//>`;
}

let push = null;
/** Says something in passing: `kind` bad stays until it is dismissed. `action`: `{label, act}`. */
export const toast = (text, { kind, action } = {}) => push?.({ text, kind, action });
/** Does what a button is for, and says so where it fails. */
export const tried = (act) => act().catch((error) => toast(error.detail ?? error.message, { kind: "bad" }));
export function ToastHost() {
  const [toasts, set] = useState([]);
  push = (next) => {
    const key = ++ids;
    set((old) => [...old.slice(-1), { ...next, key }]);
    if (next.kind !== "bad") setTimeout(() => set((old) => old.filter((one) => one.key !== key)), next.action ? 10_000 : 5000);
  };
  const drop = (key) => set((old) => old.filter((one) => one.key !== key));
  return html`<div class="toasts" role="status" aria-live="polite">${toasts.map(({ key, text, kind, action }) => html`<div key=${key} class="toast" role=${kind === "bad" ? "alert" : undefined}>
    <span>${text}</span>
    ${action && html`<${Button} onClick=${() => { drop(key); action.act(); }}>${action.label}<//>`}
    ${kind === "bad" && html`<${Button} onClick=${() => drop(key)}>${t.ui.dismiss}<//>`}
  </div>`)}</div>`;
}

/** A menu below its button: Escape and a click elsewhere close it. `summary` is what the button shows. What is in it is made when it is opened. */
export function Menu({ summary, kind, children }) {
  const ref = useRef(null);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    const away = (event) => {
      if (!ref.current?.open) return;
      if (event.type === "click" ? ref.current.contains(event.target) : event.key !== "Escape") return;
      ref.current.open = false;
      if (event.key) ref.current.querySelector("summary").focus();
    };
    addEventListener("click", away);
    addEventListener("keydown", away);
    return () => {
      removeEventListener("click", away);
      removeEventListener("keydown", away);
    };
  }, []);
  return html`<details class="menu" ref=${ref} onToggle=${() => setOpen(ref.current.open)}><summary class=${cx("button", kind)}>${summary}</summary><div>${isOpen && children}</div></details>`;
}

/** Tabs. With `href` in each they are links, and the fragment says which one is shown; else `onChange` gets the id. */
export function Tabs({ label, tabs, current, onChange }) {
  const ref = useRef(null);
  // At phone width the tabs scroll: the chosen one is brought into view.
  useEffect(() => {
    // In the next frame: now it would have the page laid out once more.
    const frame = requestAnimationFrame(() => {
      const chosen = ref.current?.querySelector("[aria-current], [aria-selected=true]");
      if (chosen) ref.current.scrollLeft = chosen.offsetLeft - ref.current.offsetLeft - 24;
    });
    return () => cancelAnimationFrame(frame);
  }, [current]);
  if (tabs[0]?.href) return html`<nav ref=${ref} class="tabs" aria-label=${label}>${tabs.map((tab) => html`<a key=${tab.id} href=${tab.href} aria-current=${tab.id === current ? "page" : undefined}>${tab.label}</a>`)}</nav>`;
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (tabs.findIndex((tab) => tab.id === current) + step + tabs.length) % tabs.length;
    onChange(tabs[next].id);
    event.currentTarget.children[next].focus();
  };
  return html`<div ref=${ref} class="tabs" role="tablist" aria-label=${label} onKeyDown=${move}>${tabs.map((tab) => html`<button key=${tab.id} type="button" role="tab" id=${`tab-${tab.id}`} aria-selected=${tab.id === current} tabindex=${tab.id === current ? 0 : -1} onClick=${() => onChange(tab.id)}>${tab.label}</button>`)}</div>`;
}

/** How much of something is used: `value` of `max`. From 80% on it warns, from 95% on it is bad, unless `kind` says it. */
export function Gauge({ label, value, max, text, kind }) {
  const share = max > 0 ? Math.min(1, value / max) : 0;
  const is = kind ?? (share >= 0.95 ? "bad" : share >= 0.8 ? "warn" : "");
  return html`<div class=${cx("gauge", is)}><div class="gauge-head"><span>${label}</span><span class="num soft">${text}</span></div>
    <div class="gauge-track" role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax=${max} aria-valuenow=${Math.min(value, max)} aria-valuetext=${text}><span style=${{ transform: `scaleX(${share})` }}></span></div></div>`;
}

/** Round numbers around a range, about four. */
function ticks(low, high) {
  const raw = (high - low || 1) / 4, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((m) => m * size >= raw) * size;
  const list = [];
  for (let v = Math.floor(low / step) * step; v <= high + step * 0.999; v += step) list.push(Number(v.toPrecision(10)));
  return list;
}

/**
 * Lines over time or number, with bands of uncertainty. `series`: `[{name, points: [{x, y, low, high}]}]`, three at
 * most; `x` a number or a date. `min`, `max` bound the values. `describe` says in a sentence what is seen; all values
 * are below as a table.
 */
export function LineChart(props) {
  const [width, setWidth] = useState(0);
  const ref = useRef(null);
  useLayoutEffect(() => {
    const measure = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width)));
    measure.observe(ref.current);
    return () => measure.disconnect();
  }, []);
  // Drawn as wide as it is shown: letters and lines keep their size.
  return html`<div ref=${ref} style=${{ minHeight: `${props.height ?? 220}px` }}>${width > 0 && html`<${Chart} ...${props} width=${width} />`}</div>`;
}

function Chart({ width: W, title, series, describe, formatX = dayOf, formatY = String, min, max, height = 220 }) {
  const shown = series.filter((one) => one.points.length > 0);
  const points = shown.flatMap((one) => one.points).filter((p) => p.y !== null && p.y !== undefined);
  if (points.length === 0) return null;
  const left = 44, right = 12, top = 10, bottom = 26;
  const xs = points.map((p) => +new Date(p.x)), x0 = Math.min(...xs), x1 = Math.max(...xs);
  const ys = points.flatMap((p) => [p.y, p.low ?? p.y, p.high ?? p.y]);
  const marks = ticks(min ?? Math.min(...ys), max ?? Math.max(...ys)).filter((v) => (max === undefined || v <= max) && (min === undefined || v >= min));
  const y0 = marks[0], y1 = marks[marks.length - 1] === y0 ? y0 + 1 : marks[marks.length - 1];
  const X = (x) => (x1 === x0 ? (left + W - right) / 2 : left + ((+new Date(x) - x0) / (x1 - x0)) * (W - left - right));
  const Y = (y) => top + (1 - (y - y0) / (y1 - y0)) * (height - top - bottom);
  const line = (list) => list.map((p, i) => `${i ? "L" : "M"}${X(p.x).toFixed(1)} ${Y(p.y).toFixed(1)}`).join("");
  const band = (list) => {
    const sure = list.filter((p) => p.low !== undefined && p.low !== null);
    return sure.length > 1 ? `M${sure.map((p) => `${X(p.x).toFixed(1)} ${Y(p.high).toFixed(1)}`).join("L")}L${[...sure].reverse().map((p) => `${X(p.x).toFixed(1)} ${Y(p.low).toFixed(1)}`).join("L")}Z` : "";
  };
  const drawn = shown.map((one) => one.points.filter((p) => p.y !== null && p.y !== undefined));
  const ends = x1 === x0 ? [x0] : [x0, x1];
  return html`<figure class="chart">
    ${title && html`<figcaption class="label">${title}</figcaption>`}
    <svg viewBox=${`0 0 ${W} ${height}`} role="img" aria-label=${describe ?? title}>
      ${marks.map((v) => html`<g key=${v}><line class="axis" x1=${left} x2=${W - right} y1=${Y(v)} y2=${Y(v)} /><text x=${left - 8} y=${Y(v) + 4} text-anchor="end">${formatY(v)}</text></g>`)}
      ${ends.map((x, i) => html`<text key=${x} x=${X(x)} y=${height - 6} text-anchor=${ends.length === 1 ? "middle" : i ? "end" : "start"}>${formatX(x)}</text>`)}
      ${drawn.map((list, i) => html`<g key=${i}><path class=${`band f${i}`} d=${band(list)} /><path class=${`line c${i}`} d=${line(list)} />${list.length < 40 && list.map((p) => html`<circle key=${p.x} class=${`dot f${i}`} cx=${X(p.x)} cy=${Y(p.y)} r="3.5"><title>${`${formatX(p.x)}: ${formatY(p.y)}`}</title></circle>`)}</g>`)}
    </svg>
    ${shown.length > 1 && html`<div class="legend">${shown.map((one, i) => html`<span key=${one.name}><svg viewBox="0 0 24 8" aria-hidden="true"><path class=${`line c${i}`} d="M0 4h24" /></svg>${one.name}</span>`)}</div>`}
    ${describe && html`<p class="tiny soft">${describe}</p>`}
    <details><summary>${t.ui.table}</summary>${shown.map((one) => html`<${Table} key=${one.name} caption=${shown.length > 1 ? one.name : undefined} rows=${one.points} rowKey=${(p) => String(p.x)} columns=${[
      { key: "x", label: t.ui.chart.time, render: (p) => formatX(p.x), lead: true },
      { key: "y", label: t.ui.chart.value, right: true, render: (p) => (p.y === null || p.y === undefined ? "–" : formatY(p.y)) },
      ...(one.points.some((p) => p.low !== undefined && p.low !== null) ? [{ key: "low", label: t.ui.chart.low, right: true, render: (p) => formatY(p.low) }, { key: "high", label: t.ui.chart.high, right: true, render: (p) => formatY(p.high) }] : []),
    ]} />`)}</details>
  </figure>`;
}

/** The old way, for pages that are not served over HTTPS. */
function copyByEvent(text, rich) {
  const fill = (event) => {
    event.preventDefault();
    event.clipboardData.setData("text/plain", text);
    if (rich) event.clipboardData.setData("text/html", rich);
  };
  document.addEventListener("copy", fill);
  const isDone = document.execCommand("copy");
  document.removeEventListener("copy", fill);
  if (!isDone) throw new Error("not copied");
}

/** Copies text, and `rich` as HTML beside it. Says that it has. */
export async function copy(text, rich) {
  try {
    if (!navigator.clipboard) copyByEvent(text, rich);
    else if (rich && globalThis.ClipboardItem) {
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": new Blob([text], { type: "text/plain" }), "text/html": new Blob([rich], { type: "text/html" }) })]);
    } else {
      await navigator.clipboard.writeText(text);
    }
    toast(t.ui.copied);
  } catch {
    toast(t.ui.notCopied, { kind: "bad" });
  }
}
