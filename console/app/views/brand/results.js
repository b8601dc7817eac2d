// What people thought of the texts, and what learning was worth, with how sure that is.

import { html, useMemo } from "../../vendor/htm-preact.js";
import { at, get, useLoad } from "../../api.js";
import { link, setQuery } from "../../route.js";
import { number, percent, t } from "../../strings.js";
import { Button, Chip, Empty, Figure, FormatField, LineChart, Loaded, Table } from "../../ui.js";

const w = t.brand.results;
/** Judged texts that a point of a chart is the mean of. */
const WINDOW = 10;
const Z = 1.96;

export function Results({ business, route }) {
  const format = route.query.content_type;
  const stats = useLoad((signal) => get(at`/api/learning/stats/${business}`, { content_type: format }, { signal }), [business, format]);
  const texts = useLoad(async (signal) => (await get("/api/generations", { business_id: business, limit: 100 }, { signal })).data, [business]);
  return html`<div class="stack-l">
    <div class="filters"><${FormatField} label=${w.format} all=${w.anyFormat} value=${format} onChange=${(value) => setQuery({ content_type: value })} /></div>
    <${Loaded} of=${stats} lines=${10}>${(data) => (data.verdicts === 0 ? html`<${Empty} title=${w.none} text=${w.noneText}><${Button} href=${link(["write", "texts"], { business })}>${t.brand.lessons.toTexts}<//><//>` : html`<${Figures} stats=${data} />
      <${Over} texts=${(texts.data ?? []).filter((text) => !format || text.content_type === format)} />
      ${data.figures && html`<${Arms} uplift=${data.figures.uplift} /><${People} figures=${data.figures} />`}`)}<//>
  </div>`;
}

const points = (n) => number(n, 1);
const signed = (n, say) => (n > 0 ? "+" : n < 0 ? "−" : "") + say(Math.abs(n));

function Figures({ stats }) {
  const { figures } = stats;
  const approval = figures?.approval;
  const series = (one, say) => (one && one.first !== null && one.last !== null ? w.fromTo(say(one.first), say(one.last)) : one?.reason);
  const trend = figures?.trend;
  return html`<div class="grid figures">
    <${Figure} label=${w.verdicts} value=${number(stats.verdicts)}>${w.of(stats.generations)}<//>
    <${Figure} label=${w.score} value=${points(figures?.scores.mean ?? stats.mean_human_score)} unit=${t.write.text.outOf}>${series(figures?.scores, points)}${trend && html`<br />${w.trend(trend.per_week, trend.interval[0], trend.interval[1])}`}<//>
    <${Figure} label=${w.approval} value=${approval?.basis === "measured" ? percent(approval.rate) : "–"}>${approval?.interval ? w.sure(percent(approval.interval[0]), percent(approval.interval[1])) : approval?.reason ?? w.notYet}<//>
    <${Figure} label=${w.effort} value=${percent(figures?.words_changed.mean, 1)}>${series(figures?.words_changed, (n) => percent(n, 1)) ?? w.notYet}<//>
  </div>`;
}

/** The means of the last few values at each text, with 95% intervals: Wilson's of shares, the normal one of means. */
function moving(rows, isShare) {
  return rows.map((row, i) => {
    const last = rows.slice(Math.max(0, i - WINDOW + 1), i + 1).map((one) => one.y);
    const n = last.length, mean = last.reduce((sum, y) => sum + y, 0) / n;
    if (isShare) {
      const middle = (mean + (Z * Z) / (2 * n)) / (1 + (Z * Z) / n), half = (Z * Math.sqrt((mean * (1 - mean)) / n + (Z * Z) / (4 * n * n))) / (1 + (Z * Z) / n);
      return { x: i + 1, at: row.at, y: mean, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
    }
    if (n < 3) return { x: i + 1, at: row.at, y: mean };
    const half = Z * Math.sqrt(last.reduce((sum, y) => sum + (y - mean) ** 2, 0) / (n - 1) / n);
    return { x: i + 1, at: row.at, y: mean, low: mean - half, high: mean + half };
  });
}

function Over({ texts }) {
  const charts = useMemo(() => {
    const judged = texts.filter((text) => text.feedback).sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
    const of = (value) => judged.map((text) => ({ at: text.created_at, y: value(text) })).filter((row) => row.y !== null && row.y !== undefined);
    return {
      n: judged.length,
      score: moving(of((text) => text.feedback.human_score), false),
      approval: moving(of((text) => (text.feedback.human_approved === null ? null : Number(text.feedback.human_approved))), true),
      effort: moving(of((text) => text.feedback.effort?.words_changed), false),
    };
  }, [texts]);
  if (charts.n < 3) return null;
  const chart = (points, title, say, bounds) => points.length > 2 && html`<div class="sheet"><${LineChart} title=${title} series=${[{ name: title, points: points.map((p) => ({ ...p, low: p.low === undefined ? undefined : Math.max(bounds.min ?? -Infinity, p.low), high: p.high === undefined ? undefined : Math.min(bounds.max ?? Infinity, p.high) })) }]} formatX=${w.nth} formatY=${say} ...${bounds} describe=${w.describe(title, say(points[0].y), say(points.at(-1).y))} /></div>`;
  return html`<section class="stack"><div class="stack-s"><h2>${w.over}</h2><p class="small soft">${w.overHint(charts.n, WINDOW)}</p></div>
    <div class="grid charts">
      ${chart(charts.score, w.scoreChart, points, { min: 0, max: 10 })}
      ${chart(charts.approval, w.approvalChart, (n) => percent(n), { min: 0, max: 1 })}
      ${chart(charts.effort, w.effortChart, (n) => percent(n, 1), { min: 0 })}
    </div></section>`;
}

const WAYS = { score: { say: points, good: 1 }, approval: { say: (n) => percent(n), good: 1 }, words_changed: { say: (n) => percent(n, 1), good: -1 }, compression: { say: (n) => percent(n, 1), good: -1 } };

function Arms({ uplift }) {
  const rows = Object.entries(WAYS).map(([name, way]) => ({ name, ...way, ...uplift[name] }));
  // Said once where all lack the same.
  const reason = rows.every((row) => row.reason && row.reason === rows[0].reason) ? rows[0].reason : null;
  const verdict = ({ difference, interval, good }) => {
    if (!interval) return null;
    const isProven = interval[0] > 0 || interval[1] < 0;
    return isProven ? html`<${Chip} kind=${difference * good > 0 ? "good" : "bad"}>${difference * good > 0 ? w.better : w.worse}<//>` : html`<${Chip}>${w.unproven}<//>`;
  };
  const columns = [
    { key: "figure", label: "", lead: true, render: (row) => html`<strong>${w.figures[row.name]}</strong>${row.reason && !reason && html`<div class="tiny soft">${row.reason}</div>`}` },
    { key: "on", label: w.on, right: true, render: (row) => html`<span>${row.on === null ? "–" : row.say(row.on)} <span class="tiny soft">${w.n(row.n_on)}</span></span>` },
    { key: "off", label: w.off, right: true, render: (row) => html`<span>${row.off === null ? "–" : row.say(row.off)} <span class="tiny soft">${w.n(row.n_off)}</span></span>` },
    { key: "difference", label: w.difference, right: true, render: (row) => (row.difference === null ? "–" : signed(row.difference, row.say)) },
    { key: "interval", label: w.interval, render: (row) => (row.interval ? html`<${Interval} row=${row} />` : html`<span class="soft">–</span>`) },
    { key: w.better, label: "", bare: true, render: verdict },
  ];
  return html`<section class="stack"><div class="stack-s"><h2>${w.arms}</h2><p class="small soft arms-hint">${w.armsHint}</p></div>${reason ? html`<p class="note">${w.notYet}: ${reason}.</p>` : html`<${Table} columns=${columns} rows=${rows} rowKey=${(row) => row.name} />`}</section>`;
}

/** A difference with its interval, as a line about 0. */
function Interval({ row: { interval, difference, say } }) {
  const reach = Math.max(Math.abs(interval[0]), Math.abs(interval[1]), 1e-9) * 1.1;
  const X = (v) => 60 + (v / reach) * 58;
  const words = `${signed(interval[0], say)} … ${signed(interval[1], say)}`;
  return html`<div class="interval"><svg viewBox="0 0 120 16" aria-hidden="true"><line class="axis" x1="60" x2="60" y1="0" y2="16" /><line class="c0" stroke-width="3" stroke-linecap="round" x1=${X(interval[0])} x2=${X(interval[1])} y1="8" y2="8" /><circle class="f0" cx=${X(difference)} cy="8" r="4.5" /></svg><span class="tiny num">${words}</span></div>`;
}

function People({ figures }) {
  const { reviewer, raters } = figures;
  return html`<div class="grid halves">
    <section class="stack-s"><h2>${w.reviewer}</h2>
      ${reviewer.bias === null ? html`<p class="soft">${reviewer.reason ?? w.notYet}</p>` : html`<p>${w.bias(reviewer.bias)} ${reviewer.mae !== null && w.mae(reviewer.mae, reviewer.calibrated_mae)}</p>`}
      ${figures.contradictory > 0 && html`<p class="small">${w.contradictory(figures.contradictory)}</p>`}</section>
    ${raters.length > 0 && html`<section class="stack-s"><h2>${w.raters}</h2><${Table} rows=${raters} rowKey=${(row) => row.rater} columns=${[
      { key: "rater", label: w.rater, lead: true, render: (row) => row.rater || w.noName },
      { key: "count", label: w.count, right: true, render: (row) => number(row.verdicts) },
      { key: "mean", label: w.mean, right: true, render: (row) => points(row.mean_score) },
      { key: "rate", label: w.rate, right: true, render: (row) => percent(row.approval_rate) },
    ]} /></section>`}
  </div>`;
}
