// Texts as elements: Markdown, for every text that models, people and providers wrote, and what has changed between two.
// It makes no HTML text and knows no HTML: markup in a text is shown as text. Links go to http, https and mailto only.
// Pictures are not loaded. Time is linear in the text's length, whatever it holds.

import { html, render, useMemo } from "./vendor/htm-preact.js";
import { plural, t } from "./strings.js";

const MOST_DEPTH = 6;
const MOST_TRIES = 40;
const MOST_LINK = 2000;
const FENCE = /^ {0,3}(```+|~~~+)/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*)$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,12})([-*+]|\d{1,3}[.)])[ \t]+(?=\S)/;
const SEPARATOR = /^[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)*[ \t]*:?-+:?[ \t]*\|?[ \t]*$/;

/**
 * A text. `onCite(n, button)` is called for a citation `[n]`; without it citations stay text. `openCite` is the one
 * whose source is shown. `level` is the level of the text's first heading. With `breaks` each line end is one: posts and
 * emails mean them, files are often wrapped.
 */
export function Markdown({ text, onCite, openCite, level = 2, breaks = false, class: name = "prose" }) {
  const cite = onCite && ((n, key) => html`<button type="button" key=${key} class="cite" aria-label=${t.cite(n)} aria-haspopup="dialog" aria-expanded=${openCite === n ? "true" : "false"} onClick=${(event) => onCite(n, event.currentTarget)}>${n}</button>`);
  return html`<div class=${name}>${useMemo(() => blocks(String(text ?? "").split(/\r\n?|\n/), { cite, breaks, level: levels(level) }, 0), [text, openCite, level, breaks, !!onCite])}</div>`;
}

/** The level of each heading: the first one has `first`, and none is more than one below the one before it. */
function levels(first) {
  let shift = null, last = first;
  return (own) => {
    shift ??= first - own;
    last = Math.max(first, Math.min(6, own + shift, last + 1));
    return last;
  };
}

/** The text as HTML, to be pasted elsewhere. */
export function toHtml(text) {
  const place = document.createElement("div");
  render(html`<div>${blocks(String(text).split(/\r\n?|\n/), { breaks: true, isCopied: true, level: (own) => own }, 0)}</div>`, place);
  return place.firstChild.innerHTML;
}

function blocks(lines, how, depth) {
  const out = [];
  let i = 0;
  while (i < lines.length) {
    const line = lines[i];
    if (!line.trim()) { i++; continue; }
    const take = depth < MOST_DEPTH ? block(lines, i, how, depth) : null;
    if (take) {
      out.push(take.node);
      i = take.next;
      continue;
    }
    const from = i++;
    while (i < lines.length && lines[i].trim() && !(depth < MOST_DEPTH && begins(lines, i))) i++;
    out.push(html`<p>${inline(lines.slice(from, i).join("\n"), how, 0)}</p>`);
  }
  return out;
}

const isTable = (lines, i) => lines[i].includes("|") && i + 1 < lines.length && lines[i + 1].length < 1000 && lines[i + 1].includes("-") && SEPARATOR.test(lines[i + 1]) && cells(lines[i]).length === cells(lines[i + 1]).length;
const isRule = (line) => line.length < 200 && RULE.test(line);
const begins = (lines, i) => FENCE.test(lines[i]) || HEADING.test(lines[i]) || QUOTE.test(lines[i]) || isRule(lines[i]) || ITEM.test(lines[i]) || isTable(lines, i);

function block(lines, i, how, depth) {
  const line = lines[i];
  const heading = HEADING.exec(line);
  if (heading) {
    const Tag = `h${how.level(heading[1].length)}`;
    return { node: html`<${Tag}>${inline(heading[2].trimEnd().replace(/ #{1,6}$/, ""), how, 0)}<//>`, next: i + 1 };
  }
  if (FENCE.test(line)) return fenced(lines, i, how);
  if (isRule(line)) return { node: html`<hr />`, next: i + 1 };
  if (QUOTE.test(line)) {
    const from = i;
    while (i < lines.length && QUOTE.test(lines[i])) i++;
    return { node: html`<blockquote>${blocks(lines.slice(from, i).map((one) => one.replace(QUOTE, "")), how, depth + 1)}</blockquote>`, next: i };
  }
  if (ITEM.test(line)) return list(lines, i, how, depth);
  return isTable(lines, i) ? table(lines, i, how) : null;
}

/** What scrolls sideways is reached by keyboard; what is copied is not on a page. */
const reach = (how) => (how.isCopied ? undefined : 0);

function fenced(lines, i, how) {
  const [, fence] = FENCE.exec(lines[i]);
  const from = ++i;
  while (i < lines.length && !lines[i].trimStart().startsWith(fence)) i++;
  return { node: html`<pre tabindex=${reach(how)}><code>${lines.slice(from, i).join("\n")}</code></pre>`, next: i + 1 };
}

function list(lines, i, how, depth) {
  const [, , mark] = ITEM.exec(lines[i]);
  const isOrdered = /\d/.test(mark);
  const items = [];
  let indent = 0;
  while (i < lines.length) {
    const line = lines[i];
    const begin = ITEM.exec(line);
    if (begin && (items.length === 0 || begin[1].length < indent) && /\d/.test(begin[2]) === isOrdered) {
      indent = begin[0].length;
      items.push([line.slice(indent)]);
    } else if (begin && begin[1].length < indent) {
      break;
    } else if (!line.trim()) {
      // A list ends at an empty line, unless what follows belongs to it.
      const after = lines[i + 1] ?? "";
      const next = ITEM.exec(after);
      if (!(next && (/\d/.test(next[2]) === isOrdered || next[1].length >= indent)) && !/^ {2,}\S/.test(after)) break;
      items[items.length - 1].push("");
    } else if (!/^\s/.test(line) && items[items.length - 1].at(-1) === "") {
      break;
    } else {
      items[items.length - 1].push(line.replace(/^ {1,12}/, (spaces) => spaces.slice(Math.min(spaces.length, indent))));
    }
    i++;
  }
  const children = items.map((item) => {
    const inside = blocks(item, how, depth + 1);
    // One paragraph alone needs no element of its own.
    return html`<li>${inside.length > 0 && inside[0].type === "p" ? [inside[0].props.children, ...inside.slice(1)] : inside}</li>`;
  });
  return { node: isOrdered ? html`<ol start=${parseInt(mark, 10) === 1 ? undefined : parseInt(mark, 10)}>${children}</ol>` : html`<ul>${children}</ul>`, next: i };
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

function table(lines, i, how) {
  const head = cells(lines[i]);
  const rows = [];
  for (i += 2; i < lines.length && lines[i].includes("|"); i++) rows.push(cells(lines[i]).slice(0, head.length));
  return {
    node: html`<table tabindex=${reach(how)}><thead><tr>${head.map((cell) => html`<th scope="col">${inline(cell, how, 0)}</th>`)}</tr></thead><tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${inline(cell, how, 0)}</td>`)}</tr>`)}</tbody></table>`,
    next: i,
  };
}

/** The next place of a piece of text, remembered, so that looking again costs nothing. */
function finder(text) {
  const found = new Map();
  return (piece, from) => {
    const last = found.get(piece);
    if (last !== undefined && (last === -1 || last >= from)) return last;
    const at = text.indexOf(piece, from);
    found.set(piece, at);
    return at;
  };
}

const SPECIAL = /[\\`*_~[<!\n]|https?:\/\//g;
const WORD = /[\p{L}\p{N}]/u;

function inline(text, how, depth) {
  if (depth >= MOST_DEPTH) return [text];
  const out = [], find = finder(text);
  let plain = "", i = 0;
  const push = (node) => {
    if (plain) out.push(plain);
    plain = "";
    out.push(node);
  };
  while (i < text.length) {
    SPECIAL.lastIndex = i;
    const special = SPECIAL.exec(text);
    const at = special ? special.index : text.length;
    plain += text.slice(i, at);
    if (!special) break;
    const take = span(text, at, find, how, depth);
    // A source mark stays with the word before it.
    if (take?.isCite) plain = plain.replace(/ $/, "");
    if (take) push(take.node);
    else plain += text[at];
    i = take ? take.next : at + 1;
  }
  if (plain) out.push(plain);
  return out;
}

function span(text, at, find, how, depth) {
  const c = text[at];
  if (c === "\\") return /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "") ? { node: text[at + 1], next: at + 2 } : null;
  if (c === "\n") return how.breaks || text.slice(Math.max(0, at - 2), at) === "  " ? { node: html`<br />`, next: at + 1 } : null;
  if (c === "`") return code(text, at, find);
  if (c === "h") return bare(text, at);
  if (c === "<") return angled(text, at, find);
  if (c === "[") return cited(text, at, how) ?? linked(text, at, find, how, depth);
  if (c === "!") {
    // A picture is its words: nothing is loaded from elsewhere.
    const picture = text[at + 1] === "[" ? linked(text, at + 1, find, how, depth) : null;
    return picture && { node: picture.words, next: picture.next };
  }
  return emphasis(text, at, find, how, depth);
}

function code(text, at, find) {
  const fence = /^`{1,3}/.exec(text.slice(at, at + 3))[0];
  const end = find(fence, at + fence.length);
  return end < 0 ? null : { node: html`<code>${text.slice(at + fence.length, end).replace(/\n/g, " ")}</code>`, next: end + fence.length };
}

function emphasis(text, at, find, how, depth) {
  const c = text[at], isDouble = text[at + 1] === c, mark = isDouble ? c + c : c;
  const from = at + mark.length;
  if ((c === "~" && !isDouble) || !text[from] || /\s/.test(text[from])) return null;
  if (c === "_" && WORD.test(text[at - 1] ?? "")) return null;
  let end = from;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    end = find(mark, end);
    if (end < 0) return null;
    // Of three marks the outer two close.
    if (isDouble && end > from && text[end + 2] === c) end++;
    const isClosing = end > from && !/\s/.test(text[end - 1]) && !(c === "_" && WORD.test(text[end + mark.length] ?? "")) && !(!isDouble && text[end + 1] === c);
    if (isClosing) {
      const Tag = c === "~" ? "del" : isDouble ? "strong" : "em";
      return { node: html`<${Tag}>${inline(text.slice(from, end), how, depth + 1)}<//>`, next: end + mark.length };
    }
    end += !isDouble && text[end + 1] === c ? 2 : 1;
  }
  return null;
}

function cited(text, at, how) {
  const match = how.cite && /^\[(\d{1,3}(?:\s?,\s?\d{1,3}){0,9})\](?!\()/.exec(text.slice(at, at + 64));
  if (!match) return null;
  return { node: match[1].split(",").map((n, i) => how.cite(Number(n), i)), isCite: true, next: at + match[0].length };
}

/** An address that may be linked to; null for every other scheme. */
export function safeUrl(address) {
  try {
    const url = new URL(address);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
const anchor = (url, words) => html`<a href=${url} target="_blank" rel="noopener noreferrer">${words}</a>`;

function linked(text, at, find, how, depth) {
  const middle = find("]", at);
  if (middle < 0 || text[middle + 1] !== "(" || middle - at > MOST_LINK) return null;
  const inside = text.slice(at + 1, middle), end = closing(text, middle + 1);
  if (end < 0 || inside.includes("[")) return null;
  const words = inline(inside, { ...how, cite: undefined }, depth + 1);
  const url = safeUrl(text.slice(middle + 2, end).trim().split(/\s/)[0]);
  return { node: url ? anchor(url, words) : words, words, next: end + 1 };
}

/** Where a bracket that opens at a place is closed; addresses may hold brackets. */
function closing(text, at) {
  const last = Math.min(text.length, at + MOST_LINK);
  for (let i = at, open = 0; i < last; i++) {
    if (text[i] === "(") open++;
    else if (text[i] === ")" && --open === 0) return i;
    else if (text[i] === "\n") return -1;
  }
  return -1;
}

function bare(text, at) {
  const match = /^https?:\/\/[^\s<>"'`|\\^{}[\]]{1,500}/.exec(text.slice(at, at + 520));
  const address = match?.[0].replace(/[.,;:!?)*_~]+$/, "");
  const url = address && safeUrl(address);
  return url ? { node: anchor(url, address), next: at + address.length } : null;
}

function angled(text, at, find) {
  const end = find(">", at);
  if (end < 0 || end - at > MOST_LINK) return null;
  const address = text.slice(at + 1, end), url = /\s/.test(address) ? null : safeUrl(address);
  return url ? { node: anchor(url, address), next: end + 1 } : null;
}

// # What has changed between two texts. First by lines, then by words within the lines that differ; where both
// are too large to be compared, the whole of one stands against the whole of the other.

/** Cells of a table of common subsequences, at most: 4 MB. */
const MOST_CELLS = 2_000_000;

/** The steps from `a` to `b`, lists of text: `[{kind: "same" | "removed" | "added", items}]`. */
function steps(a, b) {
  let start = 0, end = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const middle = between(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [{ kind: "same", items: a.slice(0, start) }, ...middle, { kind: "same", items: a.slice(a.length - end) }].filter((step) => step.items.length > 0);
}

function between(a, b) {
  const width = b.length + 1;
  if ((a.length + 1) * width > MOST_CELLS) return [{ kind: "removed", items: a }, { kind: "added", items: b }];
  // common[i][j]: the longest common subsequence of a[i..] and b[j..].
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] = a[i] === b[j] ? common[(i + 1) * width + j + 1] + 1 : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  const out = [];
  const add = (kind, item) => (out.at(-1)?.kind === kind ? out.at(-1).items.push(item) : out.push({ kind, items: [item] }));
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { add("same", a[i++]); j++; }
    else if (j >= b.length || (i < a.length && common[(i + 1) * width + j] >= common[i * width + j + 1])) add("removed", a[i++]);
    else add("added", b[j++]);
  }
  return out;
}

const lines = (text) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
const words = (text) => text.match(/\s+|[\p{L}\p{N}'’]+|[^\s\p{L}\p{N}]/gu) ?? [];

/** The changes from one text to another: `[{kind, text}]`. */
function diff(before, after) {
  const out = [];
  const add = (kind, text) => { if (text) out.at(-1)?.kind === kind ? (out.at(-1).text += text) : out.push({ kind, text }); };
  let removed = "", added = "";
  const flush = () => {
    for (const step of steps(words(removed), words(added))) add(step.kind, step.items.join(""));
    removed = added = "";
  };
  for (const step of steps(lines(before), lines(after))) {
    const text = step.items.join("");
    if (step.kind === "removed") removed += text;
    else if (step.kind === "added") added += text;
    else { flush(); add("same", text); }
  }
  flush();
  return out;
}

const count = (parts, kind) => parts.filter((part) => part.kind === kind).reduce((sum, part) => sum + (part.text.match(/[\p{L}\p{N}'’]+/gu)?.length ?? 0), 0);

/** Both texts in one: what was removed is struck out, what was added is underlined. */
export function WordDiff({ before, after }) {
  const parts = useMemo(() => diff(before, after), [before, after]);
  const [added, removed] = [count(parts, "added"), count(parts, "removed")];
  return html`<div class="diff">
    <p class="small soft">${parts.every((part) => part.kind === "same") ? t.diff.same : t.diff.changed(plural(added, "word"), plural(removed, "word"))}</p>
    <div class="prose diff-text">${parts.map((part, i) => part.kind === "added" ? html`<ins key=${i}>${part.text}</ins>` : part.kind === "removed" ? html`<del key=${i}>${part.text}</del>` : html`<span key=${i}>${part.text}</span>`)}</div>
  </div>`;
}
