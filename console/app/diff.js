// What has changed between two texts, by words. First by lines, then by words within the lines that differ; where both
// are too large to be compared, the whole of one stands against the whole of the other.

import { html, useMemo } from "./vendor/htm-preact.js";
import { plural, t } from "./strings.js";

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
export function diff(before, after) {
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
