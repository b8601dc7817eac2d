// The address as a state: `#/view/part/part?filter=value`. It knows no view and fetches nothing.

import { useEffect, useState } from "./vendor/htm-preact.js";

/** The fragment, taken apart: `{view, parts, query}`; all values are text. */
export function parse(hash = location.hash) {
  const [path, search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [view = "", ...parts] = path.split("/").filter(Boolean).map(decode);
  return { view, parts, query: Object.fromEntries(new URLSearchParams(search)) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A fragment that can be linked to: `link(["work", "jobs", id], {status: "failed"})`. Empty values are left out. */
export function link(path, query = {}) {
  const parts = (Array.isArray(path) ? path : [path]).map(encodeURIComponent).join("/");
  const kept = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false);
  const search = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  return `#/${parts}${search ? `?${search}` : ""}`;
}

/** Goes to a fragment; with `replace` without a step in the history. */
export function go(fragment, { replace = false } = {}) {
  if (!replace) {
    location.hash = fragment;
    return;
  }
  history.replaceState(null, "", fragment);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Changes filters of the page that is shown; no step in the history. */
export function setQuery(changes) {
  const { view, parts, query } = parse();
  go(link([view, ...parts], { ...query, ...changes }), { replace: true });
}

/** The route, and a render when it changes. */
export function useRoute() {
  const [route, set] = useState(parse);
  useEffect(() => {
    const changed = () => set(parse());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
