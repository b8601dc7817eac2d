// Which business is looked at: the list that the key may see, and a picker. The choice lives in the fragment's `business`.

import { html, useEffect, useState } from "./vendor/htm-preact.js";
import { get, useLoad } from "./api.js";
import { setQuery } from "./route.js";
import { t } from "./strings.js";
import { Button, SelectField, TextField } from "./ui.js";

const REMEMBERED = "copydesk.business";
const MOST_PAGES = 5;

async function list(session, signal) {
  const rows = [];
  try {
    let cursor;
    for (let page = 0; page < MOST_PAGES; page++) {
      const answer = await get("/api/businesses", { limit: 200, cursor }, { signal });
      rows.push(...answer.data);
      cursor = answer.next_cursor;
      if (!cursor) break;
    }
  } catch (error) {
    // An API of a release before has no such list: the key's own names have to do.
    if (![404, 405].includes(error.status)) throw error;
  }
  const known = new Set(rows.map((row) => row.business_id));
  for (const id of session?.key?.businesses ?? []) if (!known.has(id)) rows.push({ business_id: id, name: "" });
  return rows;
}

/** The businesses that the key may see: `[{business_id, name}]`, empty while they are loaded. */
export function useBusinesses(session) {
  const { data, error, reload } = useLoad((signal) => list(session, signal), [session?.key?.id]);
  return { businesses: data ?? [], isLoaded: !!data || !!error, error, reload };
}

/** The business of this page: the fragment's, else the last one, else the only one; null where none is chosen. */
export function chosenBusiness(route, businesses) {
  const remembered = localStorage.getItem(REMEMBERED);
  const isKnown = businesses.length === 0 || businesses.some((row) => row.business_id === remembered);
  return route.query.business || (isKnown ? remembered : null) || (businesses.length === 1 ? businesses[0].business_id : null);
}

export const businessName = (businesses, id) => businesses.find((row) => row.business_id === id)?.name || id;

/** Chooses a business of the list, or types a name. `all` offers every business as well. */
export function BusinessPicker({ businesses, value, all = false, onChange, hideLabel = false }) {
  const [isTyping, setTyping] = useState(false);
  const [typed, setTyped] = useState("");
  useEffect(() => { if (value) localStorage.setItem(REMEMBERED, value); }, [value]);
  const choose = onChange ?? ((business) => setQuery({ business }));
  const isStrange = value && !businesses.some((row) => row.business_id === value);
  if (isTyping || (businesses.length === 0 && !value)) {
    const use = (event) => {
      event.preventDefault();
      if (!typed.trim()) return;
      setTyping(false);
      choose(typed.trim());
    };
    return html`<form class="row picker" onSubmit=${use}>
      <${TextField} label=${t.business.label} hint=${t.business.hint} value=${typed} onInput=${setTyped} maxlength="128" pattern="[A-Za-z0-9_\\-.:]+" required />
      <${Button} type="submit">${t.business.use}<//>
      ${businesses.length > 0 && html`<${Button} kind="quiet" onClick=${() => setTyping(false)}>${t.business.back}<//>`}
    </form>`;
  }
  const options = [
    ...(all ? [{ value: "", label: t.business.all }] : value ? [] : [{ value: "", label: t.business.choose }]),
    ...businesses.map((row) => ({ value: row.business_id, label: row.name || row.business_id })),
    ...(isStrange ? [{ value, label: value }] : []),
    { value: "\u0000", label: t.business.other },
  ];
  return html`<${SelectField} label=${t.business.label} hideLabel=${hideLabel} options=${options} value=${value ?? ""}
    onChange=${(next) => (next === "\u0000" ? setTyping(true) : choose(next))} />`;
}
