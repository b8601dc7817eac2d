// Who is logged in, the page that logs in, and which business is looked at. Keys and cookies are never kept where a
// script could read them.

import { html, useEffect, useLayoutEffect, useState } from "./vendor/htm-preact.js";
import { get, request, setCsrfToken, useLoad, whenUnauthenticated } from "./api.js";
import { go, link, parse, setQuery } from "./route.js";
import { t } from "./strings.js";
import { Brandmark, Button, ErrorBox, SelectField, TextField, toast, useSending } from "./ui.js";

// Whether somebody was logged in: start.js asks for more then.
const HERE = "copydesk.here";
export const wasHere = () => localStorage.getItem(HERE) !== null;

let session; // undefined: not known yet; null: logged out; else the answer of /api/session
let why = null;
const watchers = new Set();

function set(next, reason = null) {
  session = next;
  why = reason;
  setCsrfToken(next?.csrf_token ?? null);
  if (next) localStorage.setItem(HERE, "1");
  else localStorage.removeItem(HERE);
  for (const watch of watchers) watch({});
}

whenUnauthenticated(() => { if (session) set(null, t.session.ended); });

/** The session, and a render when it changes. Of an open service its `key` is null. */
export function useSession() {
  const [, render] = useState({});
  // Before the next frame: the answer may be here sooner.
  useLayoutEffect(() => {
    watchers.add(render);
    return () => watchers.delete(render);
  }, []);
  return session;
}

/** Whether the key has this scope; everything is allowed where the service asks for no key. */
export const can = (scope) => !!session && (session.key === null || session.key.scopes.includes(scope));

/** Finds out who is logged in: by a link that logs in, else by the cookie. */
export async function begin() {
  const { view, parts: [first = "", ...page] } = parse();
  const code = view === "enter" && first.startsWith("cpd_login_") ? first : null;
  // Away from the address at once: it must not stay in the history. The page behind it is the one to show.
  if (code) go(link(page), { replace: true });
  try {
    set(code ? await logIn(code) : await get("/api/session"));
  } catch (error) {
    const own = code ? await get("/api/session").catch(() => null) : null;
    // Who is logged in stays so.
    if (own) toast(t.session.badLink, { kind: "bad" });
    set(own, own ? null : code ? t.session.badLink : error.status === 401 ? null : error);
  }
}

const logIn = (secret) => request("POST", "/api/session", { headers: { authorization: `Bearer ${secret}` } });

export async function logOut() {
  try {
    await request("DELETE", "/api/session");
  } catch (error) {
    if (error.status !== 401) {
      toast(error.detail, { kind: "bad" });
      return;
    }
  }
  set(null, t.session.left);
}

/** The page that asks for a key. */
export function Enter() {
  const [key, setKey] = useState("");
  const form = useSending(async () => {
    const next = await logIn(key.trim());
    set(next);
    toast(t.session.entered(next.key?.name ?? ""));
  });
  return html`<main class="enter" id="main">
    <${Brandmark} />
    <div class="stack-s"><h1 tabindex="-1">${t.session.title}</h1><p class="soft">${t.session.lead}</p></div>
    ${why && (typeof why === "string" ? html`<p class="note" role="status">${why}</p>` : html`<${ErrorBox} error=${why} onRetry=${begin} />`)}
    <form class="stack" onSubmit=${form.send}>
      <${TextField} label=${t.session.key} hint=${t.session.hint} type="password" autocomplete="off" spellcheck=${false} required value=${key} onInput=${setKey} />
      <${ErrorBox} error=${form.error} />
      <div><${Button} kind="primary" type="submit" busy=${form.busy}>${form.busy ? t.session.entering : t.session.enter}<//></div>
    </form>
  </main>`;
}

// # The business that is looked at: the list that the key may see, and a picker. The choice lives in the fragment's `business`

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
    // A key that may not read has no list: its own names have to do.
    if (error.status !== 403) throw error;
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
export function BusinessPicker({ businesses, value, all = false, onChange }) {
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
  return html`<${SelectField} label=${t.business.label} options=${options} value=${value ?? ""}
    onChange=${(next) => (next === "\u0000" ? setTyping(true) : choose(next))} />`;
}
