// The workers, and what each has in hand.

import { html } from "../../vendor/htm-preact.js";
import { businessName } from "../../business.js";
import { link } from "../../route.js";
import { can } from "../../session.js";
import { number, t } from "../../strings.js";
import { Chip, Empty, Gauge, Table, Time } from "../../ui.js";
import { shortId, stageName } from "../work/job.js";

const w = t.operate;
const LATE = 15_000, LOST = 60_000;

export function Workers({ overview, businesses }) {
  if (overview.workers.length === 0) return html`<${Empty} title=${w.noWorkers} text=${w.noWorkersText} />`;
  return html`<div class="workers">${overview.workers.map((worker) => html`<${Worker} key=${worker.id} worker=${worker} businesses=${businesses} kinds=${overview.queues.length} />`)}</div>`;
}

function health(worker) {
  const age = worker.last_seen_at ? Date.now() - new Date(worker.last_seen_at) : Infinity;
  return age < LATE ? ["good", w.worker.alive] : age < LOST ? ["warn", w.worker.late] : ["bad", w.worker.lost];
}

function Worker({ worker, businesses, kinds }) {
  const [kind, words] = health(worker);
  const most = worker.concurrency ? worker.concurrency * kinds : 0;
  return html`<article class="sheet stack" aria-labelledby=${`worker-${worker.id}`}>
    <div class="row between"><h2 id=${`worker-${worker.id}`} class="worker-name">${worker.id}</h2><${Chip} kind=${kind}>${words}<//></div>
    <dl class="counts">
      <div class="count"><dt class="tiny soft">${w.worker.host}</dt><dd>${worker.host ?? "–"}</dd></div>
      <div class="count"><dt class="tiny soft">${w.worker.version}</dt><dd>${worker.version ?? "–"}</dd></div>
      <div class="count"><dt class="tiny soft">${w.worker.started}</dt><dd><${Time} at=${worker.started_at} /></dd></div>
      <div class="count"><dt class="tiny soft">${w.worker.seen}</dt><dd><${Time} at=${worker.last_seen_at} /></dd></div>
    </dl>
    ${most > 0 ? html`<${Gauge} label=${w.worker.inHand} value=${worker.in_flight} max=${most} text=${w.worker.ofSlots(worker.in_flight, worker.concurrency)} kind="" />` : html`<p class="small">${w.worker.inHand}: ${number(worker.in_flight)}</p>`}
    ${worker.in_hand?.length > 0 && html`<${Table} caption=${worker.in_hand.length < worker.in_flight ? w.worker.first(worker.in_hand.length) : undefined} rows=${worker.in_hand} rowKey=${(row) => row.job_id} columns=${[
      { key: "job", label: t.work.columns.job, lead: true, render: (row) => (can("read") ? html`<a href=${link(["work", "jobs", row.job_id])}>${t.jobKind[row.kind] ?? row.kind} ${shortId(row.job_id)}</a>` : shortId(row.job_id)) },
      { key: "business", label: t.work.columns.business, render: (row) => businessName(businesses, row.business_id) },
      { key: "stage", label: t.work.columns.stage, render: (row) => stageName(row.stage) },
      { key: "attempt", label: w.worker.attempt, right: true, render: (row) => html`<span class=${row.attempt > 1 ? "retrying" : undefined}>${number(row.attempt)}</span>` },
      { key: "since", label: w.worker.since, right: true, render: (row) => html`<${Time} at=${row.since} />` },
    ]} />`}
    ${worker.in_hand && worker.in_flight === 0 && html`<p class="small soft">${w.worker.idle}</p>`}
  </article>`;
}
