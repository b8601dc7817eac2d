// Everything that goes over the wire: requests, pages, polling, events. It knows no view and shows nothing.

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "./vendor/htm-preact.js";
import { t } from "./strings.js";

let csrfToken = null;
let onUnauthenticated = () => {};

/** Said by session.js: the token of changes, and what happens when a session has ended. */
export const setCsrfToken = (token) => { csrfToken = token; };
export const whenUnauthenticated = (act) => { onUnauthenticated = act; };

/**
 * A refused or failed request. `status` is 0 where no answer came. `slug` is the end of the problem's type, `title`
 * and `detail` plain words, `fields` what is wrong with each field by its name (`topic`, `requests/0/topic`).
 */
class ApiError extends Error {
  constructor({ status = 0, slug = "", title = "", detail = "", fields = {}, retryAfter = null }) {
    super(detail || title);
    Object.assign(this, { status, slug, title, detail, fields, retryAfter });
  }
}

/** The name of a problem: the end of its type. */
export const slugOf = (type) => String(type ?? "").split("/").pop();

async function errorOf(response) {
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // A proxy's page and not ours: the status has to do.
  }
  const fields = {};
  for (const { pointer = "", detail } of problem.errors ?? []) fields[pointer.replace(/^#?\//, "")] = detail;
  const slug = slugOf(problem.type);
  return new ApiError({
    status: response.status,
    slug,
    title: t.problems[slug] ?? t.statuses[response.status] ?? problem.title ?? t.errors.title,
    detail: problem.detail ?? t.errors.status(response.status),
    fields,
    retryAfter: Number(response.headers.get("retry-after")) || null,
  });
}

function address(path, query) {
  const kept = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  // Relative to the document, so that the console works below a subpath.
  return path.replace(/^\//, "") + (search ? `${path.includes("?") ? "&" : "?"}${search}` : "");
}

/**
 * One request. `path` as the documentation has it (`/api/jobs/…`). `body` is sent as JSON, `form` as multipart.
 * Returns the parsed answer, or null where there is none; throws an `ApiError`.
 */
export async function request(method, path, { query, body, form, headers = {}, signal, key, again = true } = {}) {
  const send = { method, signal, credentials: "same-origin", headers: { accept: "application/json", ...headers } };
  if (body !== undefined) {
    send.body = JSON.stringify(body);
    send.headers["content-type"] = "application/json";
  }
  if (form) send.body = form;
  if (csrfToken && method !== "GET") send.headers["x-csrf-token"] = csrfToken;
  // The same key for the same click: a repeated request does not write twice.
  if (key) send.headers["idempotency-key"] = key;
  let response;
  try {
    response = await fetch(address(path, query), send);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError({ title: t.errors.away, detail: t.errors.awayDetail });
  }
  if (response.ok) {
    const text = await response.text();
    return text && (response.headers.get("content-type") ?? "").includes("json") ? JSON.parse(text) : null;
  }
  const error = await errorOf(response);
  if (error.slug === "csrf-token" && again) {
    // Another tab has logged in anew.
    csrfToken = (await request("GET", "/api/session", { signal }))?.csrf_token ?? null;
    return request(method, path, { query, body, form, headers, signal, key, again: false });
  }
  if (error.status === 401) onUnauthenticated();
  throw error;
}

/**
 * Sends a form and tells how much of it is sent: `onProgress(0 to 1)`. Fetch cannot tell it. Returns
 * `{answer, abort}`: `answer` resolves as a request does.
 */
export function upload(path, form, onProgress) {
  const sender = new XMLHttpRequest();
  const answer = new Promise((done, fail) => {
    sender.open("POST", address(path));
    sender.setRequestHeader("accept", "application/json");
    if (csrfToken) sender.setRequestHeader("x-csrf-token", csrfToken);
    sender.upload.onprogress = (event) => { if (event.lengthComputable) onProgress?.(event.loaded / event.total); };
    sender.onerror = () => fail(new ApiError({ title: t.errors.away, detail: t.errors.awayDetail }));
    sender.onload = async () => {
      const headers = { "content-type": sender.getResponseHeader("content-type") ?? "", "retry-after": sender.getResponseHeader("retry-after") ?? "" };
      const response = new Response(sender.responseText || null, { status: sender.status, headers });
      if (response.ok) return done(await response.json());
      if (response.status === 401) onUnauthenticated();
      return fail(await errorOf(response));
    };
    sender.send(form);
  });
  return { answer, abort: () => sender.abort() };
}

export const get = (path, query, options) => request("GET", path, { query, ...options });
export const post = (path, body, options) => request("POST", path, { body, ...options });
export const put = (path, body, options) => request("PUT", path, { body, ...options });
export const patch = (path, body, options) => request("PATCH", path, { body, ...options });
export const del = (path, options) => request("DELETE", path, options);
/** An answer, or `instead` where there is no such thing (404). */
export const orElse = (answer, instead = null) => answer.catch((error) => { if (error.status === 404) return instead; throw error; });
/** Text for `key` of a request that must not be done twice. */
export const newKey = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
/** The path of something with names in it: `at`/api/jobs/${id}``. */
export const at = (parts, ...values) => parts.reduce((path, part, i) => path + encodeURIComponent(values[i - 1]) + part);

/**
 * Calls `act` every `every` milliseconds while the tab is shown: at once after it was hidden for longer. Waits longer
 * after failures, and as long as the service asks. Returns what ends it.
 */
export function poll(act, every) {
  let timer = 0, ended = false, wait = every, last = Date.now();
  const turn = async () => {
    last = Date.now();
    try {
      await act();
      wait = every;
    } catch (error) {
      wait = Math.min(60_000, Math.max(wait * 2, (error.retryAfter ?? 0) * 1000));
    }
    if (!ended && !document.hidden) timer = setTimeout(turn, wait);
  };
  const seen = () => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(turn, Math.max(0, last + wait - Date.now()));
  };
  document.addEventListener("visibilitychange", seen);
  timer = setTimeout(turn, every);
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  };
}

/**
 * What `load(signal)` answers: `{data, error, loading, reload, set}`. Loads anew when `deps` change, and every `every`
 * milliseconds while the tab is shown. What was there stays until something new has come; `keep: false` clears it.
 */
export function useLoad(load, deps, { every = 0, keep = true } = {}) {
  const [state, setState] = useState({ data: undefined, error: null, loading: true });
  const current = useRef(null);
  const loader = useRef(load);
  loader.current = load;
  const run = useCallback(async (quiet) => {
    current.current?.abort();
    const control = (current.current = new AbortController());
    if (!quiet) setState((old) => ({ ...old, loading: true }));
    try {
      const data = await loader.current(control.signal);
      if (!control.signal.aborted) setState({ data, error: null, loading: false });
    } catch (error) {
      if (control.signal.aborted) return;
      setState((old) => ({ data: old.data, error, loading: false }));
      throw error;
    }
  }, []);
  // At once and not after the next frame, as effects are.
  useLayoutEffect(() => {
    if (!keep) setState({ data: undefined, error: null, loading: true });
    run(false).catch(() => {});
    const stop = every ? poll(() => run(true), every) : null;
    return () => {
      stop?.();
      current.current?.abort();
    };
  }, [...deps, every]);
  const reload = useCallback(() => run(false).catch(() => {}), []);
  const set = useCallback((data) => setState((old) => ({ ...old, data: typeof data === "function" ? data(old.data) : data })), []);
  return { ...state, reload, set };
}

/** Pages of a list by cursor: `{rows, error, loading, hasMore, more, reload, set}`. `path` null loads nothing. */
export function usePages(path, query, { limit = 50 } = {}) {
  const key = JSON.stringify([path, query]);
  const [state, setState] = useState({ key: null, rows: undefined, next: null, error: null, loading: true });
  const control = useRef(null);
  const load = useCallback(async (cursor) => {
    control.current?.abort();
    if (!path) return;
    const { signal } = (control.current = new AbortController());
    setState((old) => ({ ...old, loading: true, error: null }));
    try {
      const page = await get(path, { ...query, limit, cursor }, { signal });
      setState((old) => ({
        key, rows: cursor ? [...(old.rows ?? []), ...page.data] : page.data, next: page.next_cursor ?? null, error: null, loading: false,
      }));
    } catch (error) {
      if (!signal.aborted) setState((old) => ({ ...old, rows: old.key === key ? old.rows : undefined, error, loading: false }));
    }
  }, [key]);
  useEffect(() => {
    load();
    return () => control.current?.abort();
  }, [load]);
  const set = useCallback((change) => setState((old) => ({ ...old, rows: change(old.rows ?? []) })), []);
  const rows = state.key === key ? state.rows : undefined;
  return { rows, error: state.error, loading: state.loading, hasMore: !!state.next, more: () => load(state.next), reload: () => load(), set };
}

const EVENTS = ["status", "progress", "token", "revised", "done"];

/**
 * Follows a job: `heard(event, data)` with each event of docs/events.md. A browser has six connections to one server,
 * so follow only what is looked at. Where events cannot be had, the job is polled. Returns what ends it.
 */
export function follow(id, heard) {
  let source = null, stop = null, ended = false;
  const end = () => {
    ended = true;
    source?.close();
    stop?.();
  };
  const open = (path) => {
    source = new EventSource(path);
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        if (ended) return;
        if (name === "done") end();
        heard(name, JSON.parse(event.data));
      });
    }
    // While it is CONNECTING the browser tries again by itself.
    source.onerror = () => { if (!ended && source.readyState === EventSource.CLOSED) fall(); };
  };
  let tickets = 0;
  const fall = async () => {
    try {
      if (tickets++ > 0) throw new Error("polled instead");
      const { ticket } = await post(at`/api/jobs/${id}/ticket`);
      if (!ended) open(address(at`/api/jobs/${id}/events`, { ticket }));
    } catch {
      if (!ended) stop = poll(ask, 2000);
    }
  };
  const ask = async () => {
    const job = await get(at`/api/jobs/${id}`);
    if (ended) return;
    heard("status", job);
    heard("progress", job.progress);
    if (!["queued", "waiting", "running"].includes(job.status)) {
      end();
      heard("done", job);
    }
  };
  open(address(at`/api/jobs/${id}/events`));
  return end;
}
