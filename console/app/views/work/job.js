// One job: how it stands and why, what can be done, when what happened, what it took, and what was asked for.

import { html } from "../../vendor/htm-preact.js";
import { at, get, useLoad } from "../../api.js";
import { businessName } from "../../business.js";
import { link } from "../../route.js";
import { can } from "../../session.js";
import { duration, money, number, percent, t } from "../../strings.js";
import { Button, confirm, copy, Empty, ErrorBox, Icon, PageHead, Skeleton, Time, toast } from "../../ui.js";
import { cancelOne, discardOne, retryOne } from "./bulk.js";
import { useFocusKept } from "./focus.js";
import { isOpen, nameOf, Problem, shortId, stageName, State, Waiting } from "./state.js";
import { Events, Stages } from "./timeline.js";

const w = t.work;

/** What is known of a job: `{job, request, stages, events, …}`. An API without timelines tells the job alone. */
export async function timelineOf(id, signal) {
  try {
    return await get(at`/api/jobs/${id}/timeline`, undefined, { signal });
  } catch (error) {
    if (error.status !== 404) throw error;
    return { job: await get(at`/api/jobs/${id}`, undefined, { signal }), request: null, worker: null, takeovers: 0, stages: null, events: null };
  }
}

export function Job({ id, businesses }) {
  const told = useLoad((signal) => timelineOf(id, signal), [id], { every: 3000 });
  const { data, error } = told;
  if (!data && error?.status === 404) return html`<${PageHead} title=${w.notThere} /><${Empty} title=${w.notThere} text=${w.notThereText}><${Button} href=${link("work")}>${w.toList}<//><//>`;
  if (!data) return html`<${PageHead} title=${w.oneJob} />${error ? html`<${ErrorBox} error=${error} onRetry=${told.reload} />` : html`<${Skeleton} lines=${8} />`}`;
  const { job, request } = data;
  const title = request?.topic || nameOf(job);
  return html`<p class="crumb small"><a href=${link("work")}><${Icon} name="left" size=${15} />${w.toList}</a></p>
    <${PageHead} title=${title} lead=${w.kindFor(t.jobKind[job.kind] ?? job.kind, businessName(businesses, job.business_id))}><${Actions} data=${data} reload=${told.reload} /><//>
    <div class="desk job">
      <div class="stack-l">
        <div class="stack-s" role="status"><div class="row"><${State} job=${job} /><${Now} data=${data} /></div></div>
        ${error && html`<${ErrorBox} error=${error} onRetry=${told.reload} />`}
        <${Trouble} data=${data} />
        ${data.stages && (data.stages.length > 0 || job.status === "running") && html`<${Stages} data=${data} />`}
        ${data.events?.length > 0 && html`<${Events} events=${data.events} job=${job} />`}
        ${request && html`<${Request} request=${request} />`}
      </div>
      <aside class="stack"><${Facts} data=${data} businesses=${businesses} /></aside>
    </div>`;
}

/** What happens now, in one line. */
function Now({ data: { job, events } }) {
  if (job.status === "running") {
    const again = job.attempt > 1 ? `${w.attempt(job.attempt, job.max_attempts)} ` : "";
    const before = job.attempt > 1 && events?.findLast((event) => ["waiting", "retried"].includes(event.kind) && event.lines?.length)?.lines[0];
    return html`<span class="small soft">${again}${w.nowStage(stageName(job.progress.stage), job.progress.completed, job.progress.total)}${before && html` ${w.firstFailed(before)}`}</span>`;
  }
  if (job.finished_at) return html`<span class="small soft"><${Time} at=${job.finished_at} />${job.started_at && `, ${w.after(duration((new Date(job.finished_at) - new Date(job.started_at)) / 1000))}`}</span>`;
  return job.attempt > 1 ? html`<span class="small soft">${w.attempt(job.attempt, job.max_attempts)}</span>` : null;
}

function Trouble({ data: { job, events } }) {
  if (job.status === "failed" && job.error) {
    const lines = events?.findLast((event) => event.kind === "failed")?.lines ?? [];
    return html`<${Problem} error=${job.error} lines=${lines} />`;
  }
  return html`<${Waiting} job=${job} />`;
}

const failing = (error) => toast(error.detail ?? error.message, { kind: "bad" });

async function retry(job, reload) {
  try {
    await retryOne(job.id);
    toast(w.retried);
    reload();
  } catch (error) {
    failing(error);
  }
}

function Actions({ data: { job, request }, reload }) {
  const ref = useFocusKept();
  const may = can("generate") || can("operate");
  const sure = async (question, act, done) => {
    if (!(await confirm(question))) return;
    try {
      await act();
      toast(done);
      reload();
    } catch (error) {
      failing(error);
    }
  };
  const cancel = () => sure({ title: w.cancelTitle, text: w.cancelText, action: w.cancelAction }, () => cancelOne(job.id), w.bulk.done.cancel(1));
  const discard = () => sure({ title: w.discardTitle, text: w.bulk.effect.discard, action: w.discardAction }, () => discardOne(job.id), w.bulk.done.discard(1));
  return html`<div class="row" ref=${ref}>
    ${job.status === "succeeded" && job.kind === "generate" && job.generation_id && html`<${Button} kind="primary" href=${link(["write", "texts", job.generation_id])}>${w.openText}<//>`}
    ${can("generate") && request && job.kind === "generate" && html`<${Button} icon="edit" href=${link(["work", "jobs", job.id, "again"])}>${w.again}<//>`}
    ${may && job.status === "failed" && html`<${Button} icon="refresh" kind="primary" onClick=${() => retry(job, reload)}>${w.retry}<//>`}
    ${can("operate") && job.status === "failed" && html`<${Button} kind="danger" icon="trash" onClick=${discard}>${w.discard}<//>`}
    ${may && isOpen(job) && job.kind !== "erase" && html`<${Button} kind="danger" icon="cross" onClick=${cancel}>${w.cancel}<//>`}
    ${!may && html`<span class="small soft">${w.readOnly}</span>`}
  </div>`;
}

function Facts({ data: { job, worker, takeovers }, businesses }) {
  const { usage } = job;
  const rows = [
    [w.facts.id, html`<span class="row end nowrap"><code>${shortId(job.id)}</code><${Button} small kind="quiet" icon="copy" label=${w.copyId} onClick=${() => copy(job.id)} /></span>`],
    [w.facts.business, html`<a href=${link("work", { business: job.business_id })}>${businessName(businesses, job.business_id)}</a>`],
    [w.facts.asked, html`<${Time} at=${job.created_at} as="both" />`],
    [w.facts.started, job.started_at ? html`<${Time} at=${job.started_at} as="both" />` : w.notYet],
    job.finished_at && [w.facts.ended, html`<${Time} at=${job.finished_at} as="both" />`],
    [w.facts.attempt, w.ofAttempts(job.attempt, job.max_attempts)],
    takeovers > 0 && [w.facts.takeovers, number(takeovers)],
    worker && [w.facts.worker, can("observe") ? html`<a href=${link(["operate", "workers"])}>${worker}</a>` : worker],
    [w.facts.cost, money(usage.cost_usd)],
    [w.facts.tokens, `${number(usage.prompt_tokens)} → ${number(usage.completion_tokens)}`],
    usage.cached_tokens > 0 && [w.facts.cached, `${number(usage.cached_tokens)} (${percent(usage.cached_tokens / (usage.prompt_tokens || 1))})`],
    ...Object.entries(usage.calls ?? {}).map(([provider, n]) => [w.facts.calls(provider), number(n)]),
    ...Object.entries(usage.models ?? {}).map(([model, n]) => [model, w.answers(n)]),
    ...Object.entries(job.metadata ?? {}).map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)]),
  ].filter(Boolean);
  return html`<section class="sheet stack"><h2 class="aside-head">${w.facts.title}</h2><dl class="facts small num">${rows.map(([name, value], i) => html`<div key=${i}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></section>`;
}

/** What was asked for. Long values are shown whole; everything is text. */
function Request({ request }) {
  const order = Object.keys(w.fields), place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const entries = Object.entries(request).filter(([name, value]) => value !== null && value !== undefined && value !== "" && value?.length !== 0 && name !== "business_id" && name !== "metadata")
    .toSorted((a, b) => place(a[0]) - place(b[0]));
  const words = (name, value) => (name === "format" ? t.formats[value] ?? String(value) : Array.isArray(value) ? value.join(", ") : typeof value === "boolean" ? (value ? w.yes : w.no) : name === "deadline_seconds" ? duration(value) : name === "priority" ? w.priorities[value] ?? value : typeof value === "object" ? JSON.stringify(value) : String(value));
  return html`<section class="stack" aria-labelledby="asked"><h2 id="asked">${w.request}</h2>
    <dl class="asked">${entries.map(([name, value]) => html`<div key=${name}><dt class="label">${w.fields[name] ?? name}</dt><dd>${words(name, value)}</dd></div>`)}</dl>
    <details><summary>${w.raw}</summary><pre class="raw tiny" tabindex="0" aria-label=${w.raw}>${JSON.stringify(request, null, 2)}</pre></details>
  </section>`;
}
