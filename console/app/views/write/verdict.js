// What a person says of a text, where the text is: approve, score, comment, with the edited version; and taking it back.

import { html, useState } from "../../vendor/htm-preact.js";
import { at, del, get, newKey, post } from "../../api.js";
import { go, link } from "../../route.js";
import { can } from "../../session.js";
import { t } from "../../strings.js";
import { Button, Chip, confirm, ErrorBox, TextField, Time, toast, useId } from "../../ui.js";

const w = t.write.text;
const RATER = "copydesk.rater";
/** How long to wait until a verdict has been read, in seconds. */
const WAIT = 30;

export function VerdictPanel({ generation, edited, onSent, reload }) {
  const { feedback } = generation;
  const [isOpen, setOpen] = useState(false);
  if (!can("feedback")) return feedback ? html`<section class="stack-s"><h2 class="aside-head">${w.given}</h2><${Given} feedback=${feedback} /></section>` : null;
  if (feedback && !isOpen && !edited) {
    const takeBack = async () => {
      if (!(await confirm({ title: w.takeBackTitle, text: w.takeBackText, action: w.takeBack }))) return;
      try {
        await del(at`/api/feedback/${feedback.feedback_id}`);
        toast(w.takenBack);
        await reload();
      } catch (error) {
        toast(error.message, { kind: "bad" });
      }
    };
    return html`<section class="sheet stack-s verdict"><h2 class="aside-head">${w.given}</h2><${Given} feedback=${feedback} />
      <div class="row"><${Button} small icon="edit" onClick=${() => setOpen(true)}>${w.change}<//><${Button} small kind="quiet" icon="undo" onClick=${takeBack}>${w.takeBack}<//></div></section>`;
  }
  return html`<${Form} key=${feedback?.feedback_id} generation=${generation} edited=${edited} onDone=${() => setOpen(false)} onSent=${onSent} reload=${reload} />`;
}

function Given({ feedback }) {
  const { human_approved: approved, human_score: score, human_feedback: comment, rater, effort, created_at: when } = feedback;
  return html`<div class="stack-s">
    <div class="row">${approved !== null && approved !== undefined && html`<${Chip} kind=${approved ? "good" : "bad"}>${approved ? w.approved : w.rejected}<//>`}${score !== null && score !== undefined && html`<strong class="num">${w.scoreOf(score)}</strong>`}</div>
    ${comment && html`<blockquote class="quote">${comment}</blockquote>`}
    ${effort && html`<p class="small">${w.changed(effort.words_changed)}</p>`}
    <p class="tiny soft">${rater && `${w.by2(rater)}, `}<${Time} at=${when} /></p>
  </div>`;
}

function Form({ generation, edited, onDone, onSent, reload }) {
  const old = generation.feedback;
  const [form, setForm] = useState({ approved: old?.human_approved ?? null, score: old?.human_score ?? null, comment: old?.human_feedback ?? "", rater: old?.rater ?? localStorage.getItem(RATER) ?? "" });
  const [state, setState] = useState({ busy: false, error: null });
  const set = (changes) => setForm((before) => ({ ...before, ...changes }));
  const send = async (event) => {
    event.preventDefault();
    if (form.approved === null && form.score === null && !form.comment.trim() && !edited) {
      setState({ busy: false, error: { title: w.nothing } });
      return;
    }
    setState({ busy: true, error: null });
    localStorage.setItem(RATER, form.rater.trim());
    try {
      const job = await post("/api/feedback", {
        generation_id: generation.generation_id, business_id: generation.business_id,
        human_approved: form.approved ?? undefined, human_score: form.score ?? undefined, human_feedback: form.comment.trim() || undefined,
        edited_content: edited ?? undefined, rater: form.rater.trim() || undefined,
      }, { key: newKey() });
      toast(w.sent);
      const ended = await get(at`/api/jobs/${job.id}`, { wait: WAIT });
      if (ended.status === "failed") throw Object.assign(new Error(ended.error?.detail), { title: ended.error?.title });
      const isRead = ended.status === "succeeded";
      if (isRead) {
        onSent();
        await reload();
      }
      toast(isRead ? w.read : w.notRead, can("learning") ? { action: { label: w.toLessons, act: () => go(link(["brand", "lessons"], { business: generation.business_id })) } } : {});
      setState({ busy: false, error: null });
      onDone();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<form class="sheet stack verdict" onSubmit=${send}>
    <div class="stack-s"><h2 class="aside-head">${w.verdict}</h2><p class="tiny soft">${old ? w.replaces : w.verdictLead}</p></div>
    <div class="approve" role="group" aria-label=${w.verdict}>
      <${Button} icon="check" class="approve-yes" aria-pressed=${form.approved === true ? "true" : "false"} onClick=${() => set({ approved: form.approved === true ? null : true })}>${w.approve}<//>
      <${Button} icon="cross" class="approve-no" aria-pressed=${form.approved === false ? "true" : "false"} onClick=${() => set({ approved: form.approved === false ? null : false })}>${w.reject}<//>
    </div>
    <${ScorePick} value=${form.score} onChange=${(score) => set({ score })} />
    <${TextField} label=${w.comment} hint=${w.commentHint} lines=${3} maxlength="10000" value=${form.comment} onInput=${(comment) => set({ comment })} />
    <${TextField} label=${w.rater} hint=${w.raterHint} maxlength="128" autocomplete="name" value=${form.rater} onInput=${(rater) => set({ rater })} />
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
    <div class="row"><${Button} kind="primary" type="submit" busy=${state.busy}>${state.busy ? w.sending : edited ? w.sendEdited : w.send}<//>${old && html`<${Button} kind="quiet" onClick=${onDone}>${t.ui.cancel}<//>`}</div>
  </form>`;
}

/** 0 to 10, as radio buttons in a row. */
function ScorePick({ value, onChange }) {
  const name = useId();
  const rounded = value === null ? null : Math.round(value);
  return html`<fieldset class="field"><legend>${w.yourScore}</legend><div class="scores">${Array.from({ length: 11 }, (_, score) => html`<label key=${score}><input type="radio" name=${name} checked=${rounded === score} onChange=${() => onChange(score)} /><span class="num">${score}</span></label>`)}</div>
    ${value !== null && html`<${Button} small kind="quiet" onClick=${() => onChange(null)}>${w.noScore}<//>`}</fieldset>`;
}
