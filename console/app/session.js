// Who is logged in, and the page that logs in. Keys and cookies are never kept where a script could read them.

import { html, useEffect, useState } from "./vendor/htm-preact.js";
import { get, request, setCsrfToken, whenUnauthenticated } from "./api.js";
import { go, link } from "./route.js";
import { t } from "./strings.js";
import { Brandmark, Button, ErrorBox, TextField, toast } from "./ui.js";

let session; // undefined: not known yet; null: logged out; else the answer of /api/session
let why = null;
const watchers = new Set();

function set(next, reason = null) {
  session = next;
  why = reason;
  setCsrfToken(next?.csrf_token ?? null);
  for (const watch of watchers) watch({});
}

whenUnauthenticated(() => { if (session) set(null, t.session.ended); });

/** The session, and a render when it changes. Of an open service its `key` is null. */
export function useSession() {
  const [, render] = useState({});
  useEffect(() => {
    watchers.add(render);
    return () => watchers.delete(render);
  }, []);
  return session;
}

/** Whether the key has this scope; everything is allowed where the service asks for no key. */
export const can = (scope) => !!session && (session.key === null || session.key.scopes.includes(scope));

/** Finds out who is logged in: by a link that logs in, else by the cookie. */
export async function begin() {
  const code = /^#\/enter\/(cpd_login_[A-Za-z0-9_]+)$/.exec(location.hash)?.[1];
  // Away from the address at once: it must not stay in the history.
  if (code) go(link(""), { replace: true });
  try {
    set(code ? await logIn(code) : await get("/api/session"));
  } catch (error) {
    set(null, code ? t.session.badLink : error.status === 401 ? null : error);
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
  const [state, setState] = useState({ busy: false, error: null });
  const enter = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      const next = await logIn(key.trim());
      set(next);
      toast(t.session.entered(next.key?.name ?? ""));
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<main class="enter" id="main">
    <${Brandmark} />
    <div class="stack-s"><h1 tabindex="-1">${t.session.title}</h1><p class="soft">${t.session.lead}</p></div>
    ${why && (typeof why === "string" ? html`<p class="note" role="status">${why}</p>` : html`<${ErrorBox} error=${why} onRetry=${begin} />`)}
    <form class="stack" onSubmit=${enter}>
      <${TextField} label=${t.session.key} hint=${t.session.hint} type="password" autocomplete="off" spellcheck=${false} required value=${key} onInput=${setKey} />
      ${state.error && html`<${ErrorBox} error=${state.error} />`}
      <div><${Button} kind="primary" type="submit" busy=${state.busy}>${state.busy ? t.session.entering : t.session.enter}<//></div>
    </form>
  </main>`;
}
