// What a queue has been through: small lines of depth, age, waits and run times, each of which opens as a chart.

import { html, useState } from "../../vendor/htm-preact.js";
import { at, get, useLoad } from "../../api.js";
import { clockOf, dayOf, duration, number, t } from "../../strings.js";
import { cx, Dialog, LineChart } from "../../ui.js";

const w = t.operate.history;
const HOUR = 3_600_000;
export const RANGES = {
  hour: { step: "minute", ms: HOUR, slot: 60_000, every: 30_000 },
  day: { step: "hour", ms: 24 * HOUR, slot: HOUR, every: 300_000 },
  month: { step: "hour", ms: 30 * 24 * HOUR, slot: 6 * HOUR, every: 300_000 },
};
// Most jobs that wait are delayed in Redis too; after a flush of Redis only the rows know them.
const depthOf = (row) => Math.max(row.ready + row.delayed, row.waiting);
const MEASURES = [
  { key: "depth", lines: [depthOf], format: (n) => number(Math.round(n)) },
  { key: "age", lines: [(row) => row.oldest_age_seconds], format: duration },
  { key: "waits", lines: [(row) => row.wait_seconds?.p50, (row) => row.wait_seconds?.p95], format: duration },
  { key: "runs", lines: [(row) => row.run_seconds?.p50, (row) => row.run_seconds?.p95], format: duration },
  { key: "ended", lines: [(row) => row.ended, (row) => row.failed], format: number, isSum: true },
];

/** Rows on an even grid of slots from the oldest to now; several of one slot become one. */
function slots(data, { ms, slot }) {
  const end = Math.floor(Date.now() / slot) * slot, n = Math.round(ms / slot);
  const grid = Array.from({ length: n }, (_, i) => ({ at: end - (n - 1 - i) * slot, rows: [] }));
  for (const row of data) {
    const i = n - 1 - Math.round((end - Math.floor(new Date(row.at) / slot) * slot) / slot);
    grid[i]?.rows.push(row);
  }
  return grid;
}
const valueOf = (rows, read, isSum) => {
  const values = rows.map(read).filter((value) => value !== null && value !== undefined);
  if (values.length === 0) return null;
  const sum = values.reduce((a, b) => a + b, 0);
  return isSum ? sum : sum / values.length;
};

/** Null where the service keeps no history. */
export function useHistory(kind, range) {
  const { step, ms, every } = RANGES[range];
  return useLoad(async (signal) => {
    try {
      return { range, rows: (await get(at`/api/ops/queues/${kind}/history`, { step, since: new Date(Date.now() - ms).toISOString() }, { signal })).data };
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }, [kind, range], { every });
}

export function History({ kind, range }) {
  const told = useHistory(kind, range);
  const [open, setOpen] = useState(null);
  if (told.data === null) return null;
  const isThis = told.data?.range === range;
  const grid = slots(isThis ? told.data.rows : [], RANGES[range]);
  const measures = MEASURES.map((measure) => ({ ...measure, series: measure.lines.map((read) => grid.map(({ at: when, rows }) => ({ x: when, y: valueOf(rows, read, measure.isSum) }))) }));
  if (isThis && measures.every(({ series }) => series.every((points) => known(points).length === 0))) return html`<p class="sparks-none tiny soft">${w.nothingYet[range]}</p>`;
  const shown = measures.find(({ key }) => key === open);
  return html`<div class=${cx("sparks", !isThis && "loading")}>${measures.map((measure) => html`<${Spark} key=${measure.key} measure=${measure} onOpen=${() => setOpen(measure.key)} />`)}</div>
    ${shown && html`<${Dialog} wide title=${`${t.jobKind[kind]}: ${w.names[shown.key]}`} onClose=${() => setOpen(null)}>
      <${LineChart} title=${w.spans[range]} describe=${describe(shown)} min=${0} formatX=${range === "month" ? dayOf : clockOf} formatY=${shown.format}
        series=${shown.series.map((points, i) => ({ name: w.lines[shown.key]?.[i] ?? w.names[shown.key], points }))} />
    <//>`}`;
}

const known = (points) => points.map((point) => point.y).filter((y) => y !== null);
function describe({ key, series, format }) {
  const all = known(series[0]);
  return all.length === 0 ? w.nothing : w.summary(w.names[key], format(all.at(-1)), format(Math.max(...all)));
}

function Spark({ measure, onOpen }) {
  const { key, series, format, isSum } = measure;
  // The newest slot may not be written yet: the one before counts too.
  const all = known(series[0]), last = isSum ? all.reduce((a, b) => a + b, 0) : series[0].at(-1).y ?? series[0].at(-2)?.y ?? null;
  const top = Math.max(1e-9, ...series.flatMap(known));
  return html`<button type="button" class="spark-cell" disabled=${all.length === 0} onClick=${onOpen}>
    <span class="spark-name tiny soft">${w.names[key]}</span>
    <span class="spark-last num">${all.length === 0 || last === null ? "–" : format(last)}</span>
    <svg class="spark" viewBox="0 0 100 32" preserveAspectRatio="none" aria-hidden="true">
      <path class="area" d=${area(series[0], top)} />
      ${series.toReversed().map((points, i) => html`<path key=${i} class=${cx(i === series.length - 1 ? "first" : key === "ended" ? "bad" : "second")} d=${path(points, top)} />`)}
    </svg>
    <span class="spark-max tiny soft num">${all.length === 0 ? w.none : isSum ? w.failed(known(series[1]).reduce((a, b) => a + b, 0)) : w.most(format(Math.max(...series.flatMap(known))))}</span>
    ${all.length > 0 && html`<span class="visually-hidden">${w.open}</span>`}
  </button>`;
}

const X = (i, n) => (n > 1 ? (i / (n - 1)) * 100 : 0).toFixed(2);
const Y = (y, top) => (30 - (y / top) * 28).toFixed(2);
/** A line with gaps; what stands alone is a dash, so that it is seen. */
function path(points, top) {
  let d = "", pen = false;
  points.forEach(({ y }, i) => {
    if (y === null) { pen = false; return; }
    const isAlone = !pen && (points[i + 1]?.y ?? null) === null;
    d += `${pen ? "L" : "M"}${X(i, points.length)} ${Y(y, top)}${isAlone ? "h.8" : ""}`;
    pen = true;
  });
  return d;
}
function area(points, top) {
  let d = "", from = null;
  points.forEach(({ y }, i) => {
    if (y !== null) {
      d += from === null ? `M${X(i, points.length)} 30L${X(i, points.length)} ${Y(y, top)}` : `L${X(i, points.length)} ${Y(y, top)}`;
      from ??= i;
    }
    if (from !== null && (points[i + 1]?.y ?? null) === null) {
      d += `L${X(i, points.length)} 30Z`;
      from = null;
    }
  });
  return d;
}
