// A job's request, changed and sent again as a new job. What was not changed is sent as it was.

import { html, useMemo, useState } from "../../vendor/htm-preact.js";
import { newKey, post, useLoad } from "../../api.js";
import { go, link } from "../../route.js";
import { can } from "../../session.js";
import { t } from "../../strings.js";
import { Button, CheckField, Empty, ErrorBox, Icon, PageHead, SelectField, Skeleton, TextField, toast } from "../../ui.js";
import { timelineOf } from "./job.js";

const w = t.work;
const TEXTS = [["topic", 2, 500], ["instructions", 4, 5000], ["voice", 0, 1000], ["audience", 0, 1000]];
const NUMBERS = [["length_words", 20, 5000, 1], ["min_score", 0, 10, 0.1], ["max_rounds", 0, 5, 1], ["deadline_seconds", 1, 604_800, 1]];

export function Again({ id }) {
  const told = useLoad((signal) => timelineOf(id, signal), [id]);
  const back = html`<p class="crumb small"><a href=${link(["work", "jobs", id])}><${Icon} name="left" size=${15} />${w.toJob}</a></p>`;
  if (!told.data) return html`${back}<${PageHead} title=${w.againTitle} />${told.error ? html`<${ErrorBox} error=${told.error} onRetry=${told.reload} />` : html`<${Skeleton} lines=${8} />`}`;
  const { job, request } = told.data;
  if (!request || job.kind !== "generate" || !can("generate")) return html`${back}<${PageHead} title=${w.againTitle} /><${Empty} title=${w.notAgain} text=${can("generate") ? w.notAgainText : t.ui.noAccess}><${Button} href=${link(["work", "jobs", id])}>${w.toJob}<//><//>`;
  return html`${back}<${PageHead} title=${w.againTitle} lead=${w.againLead} /><${Form} request=${request} job=${job} />`;
}

const formOf = (request) => Object.fromEntries([
  ...TEXTS.map(([name]) => [name, request[name] ?? ""]), ...NUMBERS.map(([name]) => [name, request[name] ?? ""]),
  ["format", request.format ?? "blog"], ["keywords", (request.keywords ?? []).join(", ")], ["language", request.language ?? ""],
  ["allow_fallback", request.allow_fallback ?? true], ["bulk", request.priority === "bulk"],
]);

/** The request with what was changed. Only changed fields are touched: the others stay as they were sent. */
function changedRequest(request, job, form, before) {
  const next = { ...request, business_id: request.business_id ?? job.business_id };
  // A start in the past means now: there is no need to say so.
  if (next.run_at && new Date(next.run_at) < new Date()) delete next.run_at;
  for (const name of changedNames(form, before)) {
    const value = form[name];
    if (name === "bulk") next.priority = value ? "bulk" : "interactive";
    else if (name === "keywords") next.keywords = value.split(",").map((word) => word.trim()).filter(Boolean);
    else if (NUMBERS.some(([one]) => one === name)) next[name] = value === "" ? undefined : Number(value);
    else next[name] = typeof value === "string" ? value.trim() || undefined : value;
  }
  return Object.fromEntries(Object.entries(next).filter(([, value]) => value !== null && value !== undefined));
}
const changedNames = (form, before) => Object.keys(form).filter((name) => String(form[name]) !== String(before[name]));

function Form({ request, job }) {
  const before = useMemo(() => formOf(request), [request]);
  const [form, setForm] = useState(before);
  const [state, setState] = useState({ busy: false, error: null });
  const key = useMemo(newKey, [form]);
  const set = (changes) => setForm((old) => ({ ...old, ...changes }));
  const changed = changedNames(form, before);
  const wrong = state.error?.fields ?? {};
  const send = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      const next = await post("/api/generate", changedRequest(request, job, form, before), { key });
      toast(w.sent);
      go(link(["work", "jobs", next.id]));
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  const was = (name) => (changed.includes(name) ? w.was(String(before[name]) || w.empty) : undefined);
  const field = (name) => ({ label: w.fields[name] ?? name, value: form[name], error: wrong[name], hint: was(name), onInput: (value) => set({ [name]: value }) });
  return html`<form class="stack again" onSubmit=${send} novalidate>
    ${TEXTS.slice(0, 2).map(([name, lines, most]) => html`<${TextField} key=${name} ...${field(name)} lines=${lines} maxlength=${most} required=${name === "topic"} />`)}
    <div class="pairs">
      <${SelectField} label=${w.fields.format} hint=${changed.includes("format") ? w.was(t.formats[before.format] ?? before.format) : undefined} error=${wrong.format} value=${form.format} options=${[...Object.entries(t.formats), ...(t.formats[before.format] ? [] : [[before.format, before.format]])].map(([value, label]) => ({ value, label }))} onChange=${(format) => set({ format })} />
      ${TEXTS.slice(2).map(([name, , most]) => html`<${TextField} key=${name} ...${field(name)} maxlength=${most} />`)}
      <${TextField} ...${field("keywords")} />
      <${TextField} ...${field("language")} maxlength="35" />
      ${NUMBERS.map(([name, min, max, step]) => html`<${TextField} key=${name} ...${field(name)} type="number" inputmode="decimal" min=${min} max=${max} step=${step} />`)}
    </div>
    <${CheckField} label=${w.fallback} hint=${w.fallbackHint} checked=${form.allow_fallback} onChange=${(allow_fallback) => set({ allow_fallback })} />
    <${CheckField} label=${w.bulkLabel} hint=${w.bulkHint} checked=${form.bulk} onChange=${(bulk) => set({ bulk })} />
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
    <div class="row"><${Button} kind="primary" type="submit" busy=${state.busy}>${w.send}<//>
      <${Button} kind="quiet" disabled=${changed.length === 0} onClick=${() => setForm(before)}>${w.reset}<//>
      <span class="small soft" role="status">${changed.length ? w.changes(changed.length) : w.noChanges}</span></div>
  </form>`;
}
