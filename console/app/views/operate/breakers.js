// Breakers: whether calls to a model go through, why not, and until when. Parts of pages; they fetch nothing.

import { slugOf } from "../work/job.js";
import { t } from "../../strings.js";

const w = t.operate;

/** A breaker's name is `provider/model`; models have slashes too. */
export const providerOf = (name) => name.split("/")[0];
export const modelOf = (name) => name.slice(providerOf(name).length + 1);

/** The breakers of a provider: `[{name, model, state}]`. */
export const breakersOf = (overview, provider) => Object.entries(overview.breakers).filter(([name]) => providerOf(name) === provider).map(([name, state]) => ({ name, model: modelOf(name), state }));

/** Whether nothing is left of one of the day's limits. */
export const dayIsUsed = ({ in_force: most, calls_today, tokens_today, usd_today }) => [[most.calls_per_day, calls_today], [most.tokens_per_day, tokens_today], [most.usd_per_day, usd_today]].some(([all, used]) => all && used >= all);

/**
 * Why calls do not go through, and until when: `{text, until}`. By an operator, by what the provider refuses, or by
 * failures. `changes`: the audit log of breakers, newest first; `waiting`: jobs that wait.
 */
export function whyOpen({ provider, state, changes, waiting, trouble }) {
  const last = changes?.find((change) => change.subject === `breakers/${provider}` && change.outcome === "done");
  const seconds = last?.action === "breakers.open" ? last.after?.seconds ?? 60 : 0;
  const end = last && seconds ? new Date(+new Date(last.at) + seconds * 1000).toISOString() : null;
  const waits = (waiting ?? []).filter((job) => job.waiting?.reason === "breaker_open" && job.waiting.provider === provider).map((job) => job.waiting.until).sort();
  if (end && new Date(end) > new Date()) return { text: w.byOperator(last.key_name), until: last.after?.until ?? end };
  if (trouble) return { text: w.troubleWords(t.problems[slugOf(trouble.problem)] ?? "", trouble), until: null };
  return { text: state === "half_open" ? w.probing : w.byFailures, until: waits[0] ?? null };
}
