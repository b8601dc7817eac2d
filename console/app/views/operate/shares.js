// A business's share of the workers: its weight and its cap, changed with the effect shown before.

import { html, useEffect, useState } from "../../vendor/htm-preact.js";
import { at, get, put, useLoad } from "../../api.js";
import { BusinessPicker, businessName, chosenBusiness } from "../../business.js";
import { can } from "../../session.js";
import { t } from "../../strings.js";
import { Button, ErrorBox, Loaded, TextField, toast } from "../../ui.js";

const w = t.operate.shares;

export function Shares({ route, businesses }) {
  const business = chosenBusiness(route, businesses);
  const share = useLoad((signal) => (business ? get(at`/api/ops/businesses/${business}/share`, undefined, { signal }) : Promise.resolve(null)), [business], { keep: false });
  return html`<section class="stack narrow" aria-labelledby="share"><h2 id="share">${w.title}</h2><p class="soft">${w.lead}</p>
    <${BusinessPicker} businesses=${businesses} value=${business} />
    ${business && html`<${Loaded} of=${share} lines=${4}>${(data) => data && html`<${Share} key=${data.business_id} share=${data} name=${businessName(businesses, business)} set=${share.set} />`}<//>`}
  </section>`;
}

const words = (share) => ({ weight: share.weight === null ? "" : String(share.weight), jobs_at_once: share.jobs_at_once === null ? "" : String(share.jobs_at_once) });
const value = (text) => (text.trim() === "" ? null : Number(text));

function Share({ share, name, set }) {
  const [form, setForm] = useState(words(share));
  const [state, setState] = useState({ busy: false, error: null });
  useEffect(() => setForm(words(share)), [share.weight, share.jobs_at_once]);
  const body = { weight: value(form.weight), jobs_at_once: value(form.jobs_at_once) };
  const effects = [
    body.weight !== share.weight && w.weightEffect(name, share.weight ?? 1, body.weight ?? 1),
    body.jobs_at_once !== share.jobs_at_once && w.capEffect(name, share.jobs_at_once, body.jobs_at_once),
  ].filter(Boolean);
  const send = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      set(await put(at`/api/ops/businesses/${share.business_id}/share`, body));
      setState({ busy: false, error: null });
      toast(w.done(name));
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  const isFree = can("operate");
  return html`<form class="sheet stack" onSubmit=${send} novalidate>
    <div class="pairs">
      <${TextField} label=${w.weight} hint=${w.weightHint} type="number" inputmode="numeric" min="1" max="1000" placeholder=${w.usualWeight} disabled=${!isFree} error=${state.error?.fields?.weight} value=${form.weight} onInput=${(weight) => setForm((old) => ({ ...old, weight }))} />
      <${TextField} label=${w.cap} hint=${w.capHint} type="number" inputmode="numeric" min="0" placeholder=${w.usualCap} disabled=${!isFree} error=${state.error?.fields?.jobs_at_once} value=${form.jobs_at_once} onInput=${(jobs_at_once) => setForm((old) => ({ ...old, jobs_at_once }))} />
    </div>
    ${isFree && html`<section class="note effect" role="status" aria-label=${t.operate.effect}><strong>${t.operate.effect}</strong>${effects.length ? html`<ul class="small">${effects.map((effect) => html`<li key=${effect}>${effect}</li>`)}</ul>` : html`<span class="small">${t.operate.noChange}</span>`}</section>`}
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
    ${isFree ? html`<div><${Button} kind="primary" type="submit" disabled=${effects.length === 0} busy=${state.busy}>${w.set}<//></div>` : html`<p class="small soft">${t.operate.readOnly}</p>`}
  </form>`;
}
