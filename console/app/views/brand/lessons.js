// What was learned: each lesson with its evidence and its effect, and the hand that corrects it.

import { html, useState } from "../../vendor/htm-preact.js";
import { at, get, patch, post, useLoad, usePages } from "../../api.js";
import { link, setQuery } from "../../route.js";
import { percent, t } from "../../strings.js";
import { Button, Chip, Dialog, Empty, ErrorBox, FormatField, Gauge, More, SelectField, Skeleton, TextField, toast } from "../../ui.js";

const w = t.brand.lessons;
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
