// API keys: who may do what, made, rotated and revoked. A secret is shown once, and kept nowhere.

import { html, useState } from "../../vendor/htm-preact.js";
import { at, del, post, usePages } from "../../api.js";
import { businessName } from "../../business.js";
import { can } from "../../session.js";
import { dayOf, fullTime, number, t } from "../../strings.js";
import { Button, CheckField, Chip, confirm, copy, Dialog, Empty, ErrorBox, More, SelectField, Skeleton, Table, TextField, Time, toast } from "../../ui.js";
import { useFocusKept } from "../work/job.js";

const w = t.operate.keys;
const SCOPES = Object.keys(w.scopes);
const FOR_OPERATORS = ["operate", "observe", "keys"];
const STATUS = { active: "good", expired: "warn", revoked: "" };

export function Keys({ session, businesses }) {
  const keys = usePages(can("keys") ? "/api/keys" : null, {}, { limit: 50 });
  const [open, setOpen] = useState(null);
  const ref = useFocusKept();
  if (!can("keys")) return html`<${Empty} title=${t.ui.noAccess} text=${w.noScope} />`;
  const close = () => setOpen(null);
  // The secret's dialog is the only place that has it: closing it forgets it.
  const made = (answer) => {
    setOpen({ name: "secret", ...answer });
    keys.reload();
  };
  return html`<section class="stack" aria-labelledby="keys" ref=${ref}>
    <div class="row between"><h2 id="keys" tabindex="-1">${w.title}</h2><${Button} kind="primary" icon="plus" onClick=${() => setOpen({ name: "make" })}>${w.make}<//></div>
    ${keys.error && html`<${ErrorBox} error=${keys.error} onRetry=${keys.reload} />`}
    ${!keys.rows && !keys.error && html`<${Skeleton} lines=${5} />`}
    ${keys.rows?.length === 0 && html`<${Empty} title=${w.none} text=${w.noneText} />`}
    ${keys.rows?.length > 0 && html`<${List} ...${{ rows: keys.rows, businesses, session, reload: keys.reload, setOpen }} />`}
    <${More} pages=${keys} />
    ${open?.name === "make" && html`<${Make} ...${{ session, businesses, made }} onClose=${close} />`}
    ${open?.name === "rotate" && html`<${Rotate} record=${open.key} made=${made} onClose=${close} />`}
    ${open?.name === "secret" && html`<${Secret} answer=${open} onClose=${close} />`}
  </section>`;
}

function List({ rows, businesses, session, reload, setOpen }) {
  const revoke = async (key) => {
    const isOwn = key.id === session?.key?.id;
    if (!(await confirm({ title: w.revokeTitle(key.name), text: `${w.revokeText(key.last_used_at ? fullTime(key.last_used_at) : null)}${isOwn ? ` ${w.ownKey}` : ""}`, action: w.revokeAction }))) return;
    try {
      await del(at`/api/keys/${key.id}`);
      toast(w.revoked(key.name));
      reload();
    } catch (error) {
      toast(error.detail ?? error.message, { kind: "bad" });
    }
  };
  const reach = (key) => (key.businesses ? key.businesses.map((id) => businessName(businesses, id)).join(", ") : t.session.all);
  return html`<${Table} rows=${rows} rowKey=${(key) => key.id} columns=${[
    { key: "name", label: w.name, lead: true, render: (key) => html`<div class="letter"><strong>${key.name}</strong><span class="tiny soft"><code>${key.id}</code> · ${w.kinds[key.kind]}${key.id === session?.key?.id ? ` · ${w.yours}` : ""}</span></div>` },
    { key: "status", label: t.work.columns.status, render: (key) => html`<div class="letter"><${Chip} kind=${STATUS[key.status] ?? ""}>${w.statuses[key.status] ?? key.status}<//>${key.expires_at && key.status === "active" && html`<span class="tiny soft">${w.until} ${dayOf(key.expires_at)}</span>`}${key.previous_secret_until && new Date(key.previous_secret_until) > new Date() && html`<span class="tiny soft">${w.oldUntil} <${Time} at=${key.previous_secret_until} as="both" /></span>`}</div>` },
    { key: "may", label: w.may, render: (key) => html`<span class="small">${key.scopes.length === SCOPES.length ? w.everything : key.scopes.map((scope) => w.scopes[scope]?.[0] ?? scope).join(", ")}</span>` },
    { key: "reach", label: w.reach, render: reach },
    { key: "used", label: w.used, right: true, render: (key) => (key.last_used_at ? html`<${Time} at=${key.last_used_at} />` : w.never) },
    { key: "tools", label: "", bare: true, render: (key) => key.status !== "revoked" && html`<span class="row end nowrap">
      <${Button} small onClick=${() => setOpen({ name: "rotate", key })} label=${w.rotateName(key.name)}>${w.rotate}<//>
      <${Button} small kind="danger" onClick=${() => revoke(key)} label=${w.revokeName(key.name)}>${w.revoke}<//></span>` },
  ]} />`;
}

function Make({ session, businesses, made, onClose }) {
  const own = session?.key;
  const mine = SCOPES.filter((scope) => !own || own.scopes.includes(scope));
  const [form, setForm] = useState({ name: "", kind: "tenant", scopes: mine.filter((scope) => !FOR_OPERATORS.includes(scope)), reach: own?.businesses ? "some" : "all", businesses: own?.businesses?.length === 1 ? [...own.businesses] : [], other: "", days: "365", rpm: "" });
  const [state, setState] = useState({ busy: false, error: null, wrong: {} });
  const set = (changes) => setForm((old) => ({ ...old, ...changes }));
  const flip = (list, one) => (list.includes(one) ? list.filter((other) => other !== one) : [...list, one]);
  const offered = form.kind === "operator" ? mine : mine.filter((scope) => !FOR_OPERATORS.includes(scope));
  const known = [...new Set([...businesses.map((row) => row.business_id), ...(own?.businesses ?? [])])];
  const send = async (event) => {
    event.preventDefault();
    const scopes = form.scopes.filter((scope) => offered.includes(scope));
    const reach = [...form.businesses, ...form.other.split(",").map((one) => one.trim()).filter(Boolean)];
    const wrong = { name: form.name.trim() ? null : w.needsName, scopes: scopes.length ? null : w.needsScope, businesses: form.reach === "some" && reach.length === 0 ? w.needsBusiness : null };
    if (wrong.name || wrong.scopes || wrong.businesses) return setState({ busy: false, error: null, wrong });
    setState({ busy: true, error: null, wrong: {} });
    try {
      made(await post("/api/keys", { name: form.name.trim(), kind: form.kind, scopes, businesses: form.reach === "all" ? null : reach, expires_at: form.days ? new Date(Date.now() + Number(form.days) * 86_400_000).toISOString() : null, requests_per_minute: form.rpm ? Number(form.rpm) : null }));
    } catch (error) {
      setState({ busy: false, error, wrong: error.fields ?? {} });
    }
  };
  return html`<${Dialog} wide title=${w.makeTitle} onClose=${onClose}><form class="stack" onSubmit=${send} novalidate>
    <p class="small soft">${w.makeLead}</p>
    <div class="pairs">
      <${TextField} label=${w.name} hint=${w.nameHint} value=${form.name} onInput=${(name) => set({ name })} maxlength="100" required error=${state.wrong.name} />
      <${SelectField} label=${w.kind} value=${form.kind} onChange=${(kind) => set({ kind, scopes: kind === "operator" ? form.scopes : form.scopes.filter((scope) => !FOR_OPERATORS.includes(scope)) })} options=${Object.entries(w.kinds).filter(([value]) => value === "tenant" || !own || own.kind === "operator").map(([value, label]) => ({ value, label }))} />
      <${SelectField} label=${w.ends} value=${form.days} onChange=${(days) => set({ days })} options=${w.spans} />
      <${TextField} label=${w.rpm} hint=${w.rpmHint} type="number" min="1" max="1000000" inputmode="numeric" value=${form.rpm} onInput=${(rpm) => set({ rpm })} error=${state.wrong.requests_per_minute} />
    </div>
    <fieldset class="field"><legend>${w.may}</legend><div class="scopes">${offered.map((scope) => html`<${CheckField} key=${scope} label=${w.scopes[scope][0]} hint=${w.scopes[scope][1]} checked=${form.scopes.includes(scope)} onChange=${() => set({ scopes: flip(form.scopes, scope) })} />`)}</div>
      ${state.wrong.scopes && html`<span class="wrong" role="alert">${state.wrong.scopes}</span>`}</fieldset>
    <fieldset class="field"><legend>${w.reach}</legend>
      ${!own?.businesses && html`<label class="check"><input type="radio" name="reach" checked=${form.reach === "all"} onChange=${() => set({ reach: "all" })} /><span>${t.business.all}</span></label><label class="check"><input type="radio" name="reach" checked=${form.reach === "some"} onChange=${() => set({ reach: "some" })} /><span>${w.some}</span></label>`}
      ${form.reach === "some" && html`<div class="scopes">${known.map((id) => html`<${CheckField} key=${id} label=${businessName(businesses, id)} checked=${form.businesses.includes(id)} onChange=${() => set({ businesses: flip(form.businesses, id) })} />`)}</div>
        <${TextField} label=${w.others} hint=${w.othersHint} value=${form.other} onInput=${(other) => set({ other })} />`}
      ${state.wrong.businesses && html`<span class="wrong" role="alert">${state.wrong.businesses}</span>`}</fieldset>
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
    <div class="row end"><${Button} onClick=${onClose}>${t.ui.cancel}<//><${Button} kind="primary" type="submit" busy=${state.busy}>${w.make}<//></div>
  </form><//>`;
}

const OVERLAPS = [0, 3600, 86_400, 604_800, 2_592_000];
function Rotate({ record, made, onClose }) {
  const [seconds, setSeconds] = useState("86400");
  const [state, setState] = useState({ busy: false, error: null });
  const send = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      made(await post(at`/api/keys/${record.id}/rotate`, { overlap_seconds: Number(seconds) }));
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<${Dialog} title=${w.rotateTitle(record.name)} onClose=${onClose}><form class="stack" onSubmit=${send}>
    <p>${w.rotateText}</p>
    <${SelectField} label=${w.overlap} value=${seconds} onChange=${setSeconds} options=${OVERLAPS.map((n) => ({ value: String(n), label: w.overlaps[n] }))} />
    <p class="small" role="status">${seconds === "0" ? w.atOnce : w.overlapUntil(fullTime(Date.now() + seconds * 1000))}</p>
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
    <div class="row end"><${Button} onClick=${onClose}>${t.ui.cancel}<//><${Button} kind=${seconds === "0" ? "danger" : "primary"} type="submit" busy=${state.busy}>${w.rotateAction}<//></div>
  </form><//>`;
}

/** The only time that a secret is seen. */
function Secret({ answer, onClose }) {
  return html`<${Dialog} title=${w.secretTitle(answer.key.name)} onClose=${onClose}><div class="stack">
    <p class="note warn">${w.secretText}</p>
    <code class="secret" tabindex="0" aria-label=${w.secretLabel}>${answer.secret}</code>
    <div class="row between"><${Button} kind="primary" icon="copy" onClick=${() => copy(answer.secret)}>${w.copySecret}<//><${Button} onClick=${onClose}>${w.secretDone}<//></div>
  </div><//>`;
}
