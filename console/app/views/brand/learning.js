// What was learned from people, with the hand that corrects it; what people thought of the texts, and what learning was
// worth, with how sure that is.

import { html, useMemo, useState } from "../../vendor/htm-preact.js";
import { at, get, patch, post, useLoad, usePages } from "../../api.js";
import { link, setQuery } from "../../route.js";
import { number, percent, t } from "../../strings.js";
import { Button, Chip, Dialog, Empty, ErrorBox, Figure, FormatField, Gauge, LineChart, Loaded, More, SelectField, Skeleton, Table, TextField, toast } from "../../ui.js";

const w = t.brand.lessons;
const wr = t.brand.results;
/** Judged texts that a point of a chart is the mean of. */
const WINDOW = 10;
const Z = 1.96;
const KINDS = { candidate: "", active: "good", pinned: "live", conflicted: "warn", retired: "" };

export function Lessons({ business, route }) {
  const { status, content_type: format } = route.query;
  // Without a limit: an API of a release before takes none here.
  const pages = usePages(at`/api/learning/lessons/${business}`, { status, content_type: format }, { limit: null });
  const counts = useLoad(async (signal) => (await get(at`/api/learning/stats/${business}`, { content_type: format }, { signal })).lessons, [business, format]).data;
  const statuses = [{ value: "", label: w.all }, ...Object.entries(w.statuses).map(([value, label]) => ({ value, label: counts ? `${label} (${counts[value]})` : label }))];
  const change = (changed) => pages.set((rows) => rows.map((row) => (row.lesson_id === changed.lesson_id ? { ...row, ...changed } : row)));
  return html`<div class="stack-l">
    <div class="filters">
      <${SelectField} label=${w.status} value=${status ?? ""} options=${statuses} onChange=${(value) => setQuery({ status: value })} />
      <${FormatField} label=${w.format} all=${w.anyFormat} value=${format} onChange=${(value) => setQuery({ content_type: value })} />
    </div>
    ${status && html`<p class="soft small">${w.statusHints[status]}</p>`}
    ${pages.error && html`<${ErrorBox} error=${pages.error} onRetry=${pages.reload} />`}
    ${!pages.rows ? !pages.error && html`<${Skeleton} lines=${8} />`
      : pages.rows.length === 0 ? status || format ? html`<${Empty} title=${w.noneOf} />` : html`<${Empty} title=${w.none} text=${w.noneText}><${Button} href=${link(["write", "texts"], { business })}>${w.toTexts}<//><//>`
      : html`<ul class="plain lessons">${pages.rows.map((lesson) => html`<li key=${lesson.lesson_id}><${Lesson} lesson=${lesson} all=${pages.rows} business=${business} onChange=${change} /></li>`)}</ul><${More} pages=${pages} />`}
  </div>`;
}

function Lesson({ lesson, business, onChange }) {
  const [dialog, setDialog] = useState(null);
  const path = at`/api/learning/lessons/${business}/${lesson.lesson_id}`;
  const set = async (status, words) => {
    const before = lesson.status;
    try {
      onChange(await patch(path, { status }));
      // What was by hand before is by hand again; else people's word decides.
      toast(words, { action: { label: w.undo, act: () => patch(path, { status: ["pinned", "retired"].includes(before) ? before : "active" }).then(onChange).catch((error) => toast(error.message, { kind: "bad" })) } });
    } catch (error) {
      toast(error.message, { kind: "bad" });
    }
  };
  const { status, followed, unfollowed, applied, effect } = lesson;
  const told = followed + unfollowed;
  return html`<article class="lesson ${status}">
    <div class="stack-s">
      <h2 class="lesson-text">${lesson.text}</h2>
      <p class="row small"><${Chip} kind=${KINDS[status]} title=${w.statusHints[status]}>${w.statuses[status]}<//><span class="soft">${lesson.reason}</span></p>
      <p class="tiny soft row"><span>${w.only(t.formats[lesson.content_type] ?? w.anyFormat, lesson.language)}</span><span>${w.support(lesson.support, lesson.raters)}</span><span>${w.confidence(lesson.confidence)}</span>${lesson.is_edited && html`<span>${w.edited}</span>`}</p>
      ${lesson.dissenters.length > 0 && html`<p class="small">${w.dissenters(lesson.dissenters.join(", "))}</p>`}
      ${w.told[lesson.escalation] && html`<p class="small trouble">${w.told[lesson.escalation]}</p>`}
    </div>
    <div class="stack-s">
      ${told > 0 ? html`<${Gauge} label=${w.followed(followed, told)} value=${followed} max=${told} text=${percent(followed / told)} kind=${followed / told < 0.5 ? "warn" : "plain"} />` : html`<p class="small soft">${applied > 0 ? w.untold(applied) : w.neverUsed}</p>`}
      ${effect && effect.difference !== null && html`<p class="small"><strong>${w.effect(effect.difference, effect.interval?.[0], effect.interval?.[1])}</strong> <span class="soft">${w.effectOf(effect.pairs)}</span></p>`}
      <div class="row">
        ${status === "pinned" ? html`<${Button} small icon="pin" class="on" onClick=${() => set("active", w.released)}>${w.release}<//>` : html`<${Button} small icon="pin" onClick=${() => set("pinned", w.pinned)}>${w.pin}<//>`}
        ${status === "retired" ? html`<${Button} small kind="quiet" onClick=${() => set("active", w.released)}>${w.restore}<//>` : html`<${Button} small kind="quiet" onClick=${() => set("retired", w.retired)}>${w.retire}<//>`}
        <${Button} small kind="quiet" onClick=${() => setDialog("edit")}>${w.edit}<//>
        <${Button} small kind="quiet" onClick=${() => setDialog("replay")}>${w.replay}<//>
      </div>
    </div>
    ${dialog === "edit" && html`<${Reword} lesson=${lesson} path=${path} onClose=${() => setDialog(null)} onChange=${onChange} />`}
    ${dialog === "replay" && html`<${Replay} path=${path} onClose=${() => setDialog(null)} />`}
  </article>`;
}

function Reword({ lesson, path, onClose, onChange }) {
  const [text, setText] = useState(lesson.text);
  const [state, setState] = useState({ busy: false, error: null });
  const save = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      onChange(await patch(path, { text: text.trim() }));
      toast(w.saved);
      onClose();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<${Dialog} title=${w.editTitle} onClose=${onClose}><form class="stack" onSubmit=${save}>
    <${TextField} label=${w.editLabel} hint=${w.editHint} lines=${3} required maxlength="300" value=${text} error=${state.error?.fields?.text} onInput=${setText} />
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
    <div class="row end"><${Button} kind="primary" type="submit" busy=${state.busy}>${w.save}<//></div>
  </form><//>`;
}

function Replay({ path, onClose }) {
  const [briefs, setBriefs] = useState(5);
  const [state, setState] = useState({ busy: false, error: null });
  const start = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      const { jobs } = await post(`${path}/replay`, { briefs });
      toast(w.replayStarted(jobs.length));
      onClose();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<${Dialog} title=${w.replayTitle} onClose=${onClose}><form class="stack" onSubmit=${start}>
    <p>${w.replayText}</p>
    <${TextField} label=${w.replayBriefs} type="number" min="1" max="20" required value=${briefs} onInput=${(value) => setBriefs(Number(value))} />
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
    <div class="row end"><${Button} kind="primary" type="submit" busy=${state.busy}>${w.replayAction(briefs)}<//></div>
  </form><//>`;
}

// The results.

export function Results({ business, route }) {
  const format = route.query.content_type;
  const stats = useLoad((signal) => get(at`/api/learning/stats/${business}`, { content_type: format }, { signal }), [business, format]);
  const texts = useLoad(async (signal) => (await get("/api/generations", { business_id: business, limit: 100 }, { signal })).data, [business]);
  return html`<div class="stack-l">
    <div class="filters"><${FormatField} label=${wr.format} all=${wr.anyFormat} value=${format} onChange=${(value) => setQuery({ content_type: value })} /></div>
    <${Loaded} of=${stats} lines=${10}>${(data) => (data.verdicts === 0 ? html`<${Empty} title=${wr.none} text=${wr.noneText}><${Button} href=${link(["write", "texts"], { business })}>${t.brand.lessons.toTexts}<//><//>` : html`<${Figures} stats=${data} />
      <${Over} texts=${(texts.data ?? []).filter((text) => !format || text.content_type === format)} />
      ${data.figures && html`<${Arms} uplift=${data.figures.uplift} /><${People} figures=${data.figures} />`}`)}<//>
  </div>`;
}

const points = (n) => number(n, 1);
const signed = (n, say) => (n > 0 ? "+" : n < 0 ? "−" : "") + say(Math.abs(n));

function Figures({ stats }) {
  const { figures } = stats;
  const approval = figures?.approval;
  const series = (one, say) => (one && one.first !== null && one.last !== null ? wr.fromTo(say(one.first), say(one.last)) : one?.reason);
  const trend = figures?.trend;
  return html`<div class="grid figures">
    <${Figure} label=${wr.verdicts} value=${number(stats.verdicts)}>${wr.of(stats.generations)}<//>
    <${Figure} label=${wr.score} value=${points(figures?.scores.mean ?? stats.mean_human_score)} unit=${t.write.text.outOf}>${series(figures?.scores, points)}${trend && html`<br />${wr.trend(trend.per_week, trend.interval[0], trend.interval[1])}`}<//>
    <${Figure} label=${wr.approval} value=${approval?.basis === "measured" ? percent(approval.rate) : "–"}>${approval?.interval ? wr.sure(percent(approval.interval[0]), percent(approval.interval[1])) : approval?.reason ?? wr.notYet}<//>
    <${Figure} label=${wr.effort} value=${percent(figures?.words_changed.mean, 1)}>${series(figures?.words_changed, (n) => percent(n, 1)) ?? wr.notYet}<//>
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
  const chart = (points, title, say, bounds) => points.length > 2 && html`<div class="sheet"><${LineChart} title=${title} series=${[{ name: title, points: points.map((p) => ({ ...p, low: p.low === undefined ? undefined : Math.max(bounds.min ?? -Infinity, p.low), high: p.high === undefined ? undefined : Math.min(bounds.max ?? Infinity, p.high) })) }]} formatX=${wr.nth} formatY=${say} ...${bounds} describe=${wr.describe(title, say(points[0].y), say(points.at(-1).y))} /></div>`;
  return html`<section class="stack"><div class="stack-s"><h2>${wr.over}</h2><p class="small soft">${wr.overHint(charts.n, WINDOW)}</p></div>
    <div class="grid charts">
      ${chart(charts.score, wr.scoreChart, points, { min: 0, max: 10 })}
      ${chart(charts.approval, wr.approvalChart, (n) => percent(n), { min: 0, max: 1 })}
      ${chart(charts.effort, wr.effortChart, (n) => percent(n, 1), { min: 0 })}
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
    return isProven ? html`<${Chip} kind=${difference * good > 0 ? "good" : "bad"}>${difference * good > 0 ? wr.better : wr.worse}<//>` : html`<${Chip}>${wr.unproven}<//>`;
  };
  const columns = [
    { key: "figure", label: "", lead: true, render: (row) => html`<strong>${wr.figures[row.name]}</strong>${row.reason && !reason && html`<div class="tiny soft">${row.reason}</div>`}` },
    { key: "on", label: wr.on, right: true, render: (row) => html`<span>${row.on === null ? "–" : row.say(row.on)} <span class="tiny soft">${wr.n(row.n_on)}</span></span>` },
    { key: "off", label: wr.off, right: true, render: (row) => html`<span>${row.off === null ? "–" : row.say(row.off)} <span class="tiny soft">${wr.n(row.n_off)}</span></span>` },
    { key: "difference", label: wr.difference, right: true, render: (row) => (row.difference === null ? "–" : signed(row.difference, row.say)) },
    { key: "interval", label: wr.interval, render: (row) => (row.interval ? html`<${Interval} row=${row} />` : html`<span class="soft">–</span>`) },
    { key: wr.better, label: "", bare: true, render: verdict },
  ];
  return html`<section class="stack"><div class="stack-s"><h2>${wr.arms}</h2><p class="small soft arms-hint">${wr.armsHint}</p></div>${reason ? html`<p class="note">${wr.notYet}: ${reason}.</p>` : html`<${Table} columns=${columns} rows=${rows} rowKey=${(row) => row.name} />`}</section>`;
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
    <section class="stack-s"><h2>${wr.reviewer}</h2>
      ${reviewer.bias === null ? html`<p class="soft">${reviewer.reason ?? wr.notYet}</p>` : html`<p>${wr.bias(reviewer.bias)} ${reviewer.mae !== null && wr.mae(reviewer.mae, reviewer.calibrated_mae)}</p>`}
      ${figures.contradictory > 0 && html`<p class="small">${wr.contradictory(figures.contradictory)}</p>`}</section>
    ${raters.length > 0 && html`<section class="stack-s"><h2>${wr.raters}</h2><${Table} rows=${raters} rowKey=${(row) => row.rater} columns=${[
      { key: "rater", label: wr.rater, lead: true, render: (row) => row.rater || wr.noName },
      { key: "count", label: wr.count, right: true, render: (row) => number(row.verdicts) },
      { key: "mean", label: wr.mean, right: true, render: (row) => points(row.mean_score) },
      { key: "rate", label: wr.rate, right: true, render: (row) => percent(row.approval_rate) },
    ]} /></section>`}
  </div>`;
}
