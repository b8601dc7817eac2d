// The profile: what a business says of itself.

import { html, useEffect, useState } from "../../vendor/htm-preact.js";
import { at, get, put, useLoad } from "../../api.js";
import { can } from "../../session.js";
import { t } from "../../strings.js";
import { Button, cx, ErrorBox, Icon, Loaded, TextField, toast } from "../../ui.js";

const w = t.brand.profile;
const EMPTY = { name: "", description: "", voice: "", audience: "", guidelines: "", default_language: "", banned_phrases: [] };

async function load(business, signal) {
  try {
    return { ...(await get(at`/api/businesses/${business}`, undefined, { signal })), isNew: false };
  } catch (error) {
    if (error.status === 404) return { ...EMPTY, isNew: true };
    throw error;
  }
}

export function Profile({ business, reloadBusinesses }) {
  const profile = useLoad((signal) => load(business, signal), [business]);
  return html`<${Loaded} of=${profile} lines=${10}>${(data) => html`<${Form} key=${data.updated_at ?? business} first=${data} business=${business} onSaved=${() => { reloadBusinesses(); }} />`}<//>`;
}

function Form({ first, business, onSaved }) {
  const [stored, setStored] = useState(first);
  const [form, setForm] = useState(first);
  const [state, setState] = useState({ busy: false, error: null });
  const isChanged = Object.keys(EMPTY).some((name) => JSON.stringify(form[name]) !== JSON.stringify(stored[name]));
  useEffect(() => {
    if (!isChanged) return undefined;
    const stay = (event) => event.preventDefault();
    addEventListener("beforeunload", stay);
    return () => removeEventListener("beforeunload", stay);
  }, [isChanged]);
  const mayChange = can("documents");
  const save = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      const body = Object.fromEntries(Object.keys(EMPTY).map((name) => [name, name === "default_language" ? form[name] || undefined : form[name]]));
      const saved = await put(at`/api/businesses/${business}`, body);
      setStored({ ...saved, isNew: false });
      setForm({ ...saved, isNew: false });
      setState({ busy: false, error: null });
      toast(w.saved);
      onSaved();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  const wrong = state.error?.fields ?? {};
  const field = (name, word = name) => ({ label: w[word], hint: w[`${word}Hint`], value: form[name], error: wrong[name], readonly: !mayChange, onInput: (value) => setForm({ ...form, [name]: value }) });
  return html`<form class="stack-l narrow" onSubmit=${save}>
    ${stored.isNew && html`<p class="note">${w.new}</p>`}
    ${!mayChange && html`<p class="note">${t.brand.mayNotChange}</p>`}
    <${TextField} ...${field("name")} maxlength="200" />
    <${TextField} ...${field("description")} lines=${4} maxlength="5000" />
    <${TextField} ...${field("voice")} lines=${2} maxlength="1000" />
    <${TextField} ...${field("audience")} maxlength="1000" />
    <${TextField} ...${field("guidelines")} lines=${5} maxlength="10000" />
    <${Phrases} phrases=${form.banned_phrases} error=${Object.entries(wrong).find(([name]) => name.startsWith("banned_phrases"))?.[1]} mayChange=${mayChange} onChange=${(banned_phrases) => setForm({ ...form, banned_phrases })} />
    <div class="short"><${TextField} ...${field("default_language", "language")} maxlength="35" /></div>
    ${state.error && html`<${ErrorBox} error=${state.error} />`}
    ${mayChange && html`<div class=${cx("row save-bar", isChanged && "changed")}><${Button} kind="primary" type="submit" busy=${state.busy} disabled=${!isChanged}>${state.busy ? w.saving : w.save}<//>${isChanged && html`<span class="small soft" role="status">${w.unsaved}</span>`}</div>`}
  </form>`;
}

/** A list of words and phrases, one added at a time. */
function Phrases({ phrases, error, mayChange, onChange }) {
  const [typed, setTyped] = useState("");
  const add = () => {
    const next = typed.split(",").map((phrase) => phrase.trim()).filter((phrase) => phrase && !phrases.includes(phrase));
    if (next.length) onChange([...phrases, ...next]);
    setTyped("");
  };
  return html`<div class="stack-s">
    ${mayChange && html`<div class="row add-row"><${TextField} label=${w.banned} hint=${w.bannedHint} error=${error} maxlength="100" value=${typed} onInput=${setTyped} onKeyDown=${(event) => { if (event.key === "Enter") { event.preventDefault(); add(); } }} /><${Button} icon="plus" onClick=${add} disabled=${!typed.trim()}>${w.add}<//></div>`}
    ${phrases.length > 0 && html`<ul class="plain tags" aria-label=${w.banned}>${phrases.map((phrase) => html`<li key=${phrase} class="tag"><span>${phrase}</span>${mayChange && html`<button type="button" aria-label=${w.remove(phrase)} title=${w.remove(phrase)} onClick=${() => onChange(phrases.filter((one) => one !== phrase))}><${Icon} name="close" size=${13} /></button>`}</li>`)}</ul>`}
  </div>`;
}
