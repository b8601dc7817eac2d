// Acts on many jobs at once: what matches a filter, or what is selected. It asks before, and tells what became of it.

import { at, post } from "../../api.js";
import { can } from "../../session.js";
import { number, plural, t } from "../../strings.js";
import { confirm, toast } from "../../ui.js";

const w = t.work.bulk;
const MOST_CALLS = 200;
const AT_ONCE = 4;

/** Calls `send` until nothing more matches. Returns the jobs that were changed. */
async function drain(send) {
  let jobs = 0;
  for (let call = 0; call < MOST_CALLS; call++) {
    const answer = await send();
    jobs += answer.jobs;
    if (!answer.more || answer.jobs === 0) break;
  }
  return jobs;
}

/**
 * Asks, and then changes everything that a filter finds: `act` is retry, discard or cancel, `count` what was counted
 * just before, `which` says in words what is meant. True if it was done.
 */
export async function bulkByFilter({ act, path, filter, count, which, isCapped }) {
  if (count === 0) {
    toast(w.nothing);
    return false;
  }
  const one = t.work.one;
  const text = `${which} ${w.effect[act]}`.trim();
  const many = isCapped ? w.more(count) : plural(count, one);
  const isSure = await confirm({ title: w.title[act](many), text, action: w.action[act](many), danger: act !== "retry" });
  if (!isSure) return false;
  try {
    const jobs = await drain(() => post(path, filter));
    toast(w.done[act](jobs));
    return true;
  } catch (error) {
    toast(`${error.title}: ${error.detail ?? ""}`, { kind: "bad" });
    return false;
  }
}

/** One job's retry, by whichever scope the key has. */
export const retryOne = (id) => post(can("generate") ? at`/api/jobs/${id}/retry` : at`/api/ops/dead/${id}/retry`);
/** One job's cancellation, by whichever scope the key has. */
export const cancelOne = (id) => (can("generate") ? post(at`/api/jobs/${id}/cancel`) : post("/api/ops/jobs/cancel", { q: id, limit: 1 }));
export const discardOne = (id) => post(at`/api/ops/dead/${id}/discard`);
const ONE = { retry: retryOne, cancel: cancelOne, discard: discardOne };

/** The same of jobs that were selected, one by one. True if it was done. */
export async function bulkSelected({ act, ids }) {
  const many = plural(ids.length, t.work.one);
  if (!(await confirm({ title: w.title[act](many), text: w.effect[act], action: w.action[act](many), danger: act !== "retry" }))) return false;
  const left = [...ids];
  const failed = [];
  const turn = async () => {
    for (let id = left.shift(); id; id = left.shift()) {
      try {
        await ONE[act](id);
      } catch (error) {
        failed.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, turn));
  const done = ids.length - failed.length;
  if (failed.length) toast(`${done ? w.done[act](done) : ""} ${w.notAll(failed.length, failed[0].detail ?? failed[0].message)}`.trim(), { kind: "bad" });
  else toast(w.done[act](done));
  return done > 0;
}

export const countWords = (count, isCapped) => (isCapped ? w.more(count) : number(count));
