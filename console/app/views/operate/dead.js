// Dead letters: what failed and nobody has dealt with, by cause; retried or put aside one by one or by cause.

import { html, useEffect, useRef, useState } from "../../vendor/htm-preact.js";
import { get, useLoad, usePages } from "../../api.js";
import { BusinessPicker, businessName } from "../../business.js";
import { link, setQuery } from "../../route.js";
import { can } from "../../session.js";
import { number, t } from "../../strings.js";
import { Button, confirm, cx, Empty, ErrorBox, More, SelectField, Skeleton, Table, Time, toast } from "../../ui.js";
import { bulkByFilter, discardOne, JobName, nameOf, retryOne, slugOf, stageName, titleOf, useFocusKept } from "../work/job.js";

const w = t.operate.dead;
const titleOfType = (type) => titleOf({ type, title: slugOf(type) });

const PAGE = 25;

export function Dead({ route, session, businesses, every }) {
  const { kind, error_type, stage } = route.query;
  const bound = session?.key?.businesses;
  const business = route.query.business ?? bound?.[0];
  const base = { kind, business_id: business };
  const filter = { ...base, error_type, stage };
  const counts = useLoad(async (signal) => {
    try {
      return await get("/api/ops/dead/count", base, { signal });
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }, [JSON.stringify(base)], { every: every ? 10_000 : 0 });
  const pages = usePages("/api/ops/dead", filter, { limit: PAGE });
  const letters = useFocusKept();
  // The list follows the count, unless further pages of it are being read.
  const many = counts.data?.count, before = useRef(many);
  useEffect(() => {
    if (before.current !== undefined && before.current !== many && (pages.rows?.length ?? 0) <= PAGE) pages.reload();
    before.current = many;
  }, [many]);
  const changed = () => {
    counts.reload();
    pages.reload();
  };
  const isEmpty = pages.rows?.length === 0 && !pages.hasMore;
  return html`
    <div class="filters">
      ${(businesses.length > 1 || !bound) && html`<${BusinessPicker} businesses=${businesses} value=${business} all=${!bound} onChange=${(next) => setQuery({ business: next })} />`}
      <${SelectField} label=${t.work.byKind} value=${kind ?? ""} onChange=${(next) => setQuery({ kind: next, error_type: undefined, stage: undefined })} options=${[{ value: "", label: t.work.everyKind }, ...Object.entries(t.jobKind).map(([value, label]) => ({ value, label }))]} />
    </div>
    ${counts.error && html`<${ErrorBox} error=${counts.error} onRetry=${counts.reload} />`}
    ${counts.data?.groups?.length > 0 && html`<${Causes} ...${{ data: counts.data, filter, businesses, changed, query: route.query }} />`}
    <section class="stack" aria-labelledby="letters" ref=${letters}>
      <div class="row between"><h2 id="letters" tabindex="-1">${error_type ? titleOfType(error_type) : w.each}</h2>${(error_type || stage) && html`<${Button} small kind="quiet" onClick=${() => setQuery({ error_type: undefined, stage: undefined })}>${w.showAll}<//>`}</div>
      ${pages.error && html`<${ErrorBox} error=${pages.error} onRetry=${pages.reload} />`}
      ${!pages.rows && !pages.error && html`<${Skeleton} lines=${5} />`}
      ${isEmpty && html`<${Empty} title=${w.none} text=${w.noneText} />`}
      ${pages.rows?.length > 0 && html`<${Letters} rows=${pages.rows} businesses=${businesses} changed=${changed} />`}
      <${More} pages=${pages} />
    </section>`;
}

function Causes({ data, filter, businesses, changed, query }) {
  const ref = useFocusKept();
  const [busy, setBusy] = useState(null);
  /** Counted anew at the click, by just what will be sent. */
  const act = async (name, group) => {
    const one = group ? { ...filter, kind: group.kind, error_type: group.error_type, stage: group.stage || undefined } : { kind: filter.kind, business_id: filter.business_id };
    const words = [group && titleOfType(group.error_type), group?.stage && t.work.inStage(stageName(group.stage)), (group?.kind ?? filter.kind) && t.jobKind[group?.kind ?? filter.kind], filter.business_id && businessName(businesses, filter.business_id)].filter(Boolean).join(", ");
    setBusy(`${name} ${group ? keyOf(group) : ""}`);
    try {
      const { count } = await get("/api/ops/dead/count", one);
      if (await bulkByFilter({ act: name, path: `/api/ops/dead/${name}`, filter: one, count, which: words ? `${words}.` : w.allOfThem })) changed();
    } catch (error) {
      toast(error.detail ?? error.message, { kind: "bad" });
    }
    setBusy(null);
  };
  const tools = (group) => can("operate") && html`<span class="row end nowrap">
    <${Button} small icon="refresh" busy=${busy === `retry ${keyOf(group)}`} onClick=${() => act("retry", group)} label=${`${t.work.bulk.action.retry(number(group.count))}: ${titleOfType(group.error_type)}`}>${t.work.retryN(group.count)}<//>
    <${Button} small kind="danger" icon="trash" busy=${busy === `discard ${keyOf(group)}`} onClick=${() => act("discard", group)} label=${`${t.work.bulk.action.discard(number(group.count))}: ${titleOfType(group.error_type)}`} /></span>`;
  const isOn = (group) => query.error_type === group.error_type && (query.stage ?? "") === group.stage;
  return html`<section class="stack" aria-labelledby="causes" ref=${ref}>
    <div class="row between"><h2 id="causes" tabindex="-1">${w.byCause(data.count)}</h2>
      ${can("operate") && html`<span class="row"><${Button} small icon="refresh" busy=${busy === "retry "} onClick=${() => act("retry")}>${w.retryAll}<//><${Button} small kind="danger" icon="trash" busy=${busy === "discard "} onClick=${() => act("discard")}>${w.discardAll}<//></span>`}</div>
    <${Table} rows=${data.groups} rowKey=${keyOf} columns=${[
      { key: "cause", label: w.cause, lead: true, render: (group) => html`<a href=${link(["operate", "dead"], { ...query, error_type: group.error_type, stage: group.stage, kind: group.kind })} aria-current=${isOn(group) ? "true" : undefined} class=${cx("cause", isOn(group) && "on")}>${titleOfType(group.error_type)}</a>` },
      { key: "stage", label: t.work.columns.stage, render: (group) => stageName(group.stage) },
      { key: "kind", label: w.kind, render: (group) => t.jobKind[group.kind] ?? group.kind },
      { key: "provider", label: w.provider, render: (group) => group.provider ?? "–" },
      { key: "count", label: w.count, right: true, render: (group) => number(group.count) },
      { key: "newest", label: w.newest, right: true, render: (group) => html`<${Time} at=${group.newest_at} />` },
      ...(can("operate") ? [{ key: "tools", label: "", bare: true, render: tools }] : []),
    ]} />
  </section>`;
}
const keyOf = (group) => [group.error_type, group.stage, group.kind, group.provider].join(" ");

function Letters({ rows, businesses, changed }) {
  const one = async (act, done, job, question) => {
    if (question && !(await confirm(question))) return;
    try {
      await act(job.id);
      toast(done);
      changed();
    } catch (error) {
      toast(error.detail ?? error.message, { kind: "bad" });
    }
  };
  const tools = (job) => html`<span class="row end nowrap">
    <${Button} small icon="refresh" onClick=${() => one(retryOne, t.work.retried, job)} label=${`${t.work.retry}: ${nameOf(job)}`}>${t.work.retry}<//>
    <${Button} small kind="danger" icon="trash" onClick=${() => one(discardOne, t.work.bulk.done.discard(1), job, { title: t.work.discardTitle, text: t.work.bulk.effect.discard, action: t.work.discardAction })} label=${`${t.work.discard}: ${nameOf(job)}`} /></span>`;
  return html`<${Table} rows=${rows} rowKey=${(job) => job.id} columns=${[
    { key: "job", label: t.work.columns.job, lead: true, render: (job) => html`<div class="letter">${can("read") ? html`<${JobName} job=${job} />` : nameOf(job)}<span class="tiny soft">${businessName(businesses, job.business_id)}</span></div>` },
    { key: "why", label: w.why, render: (job) => html`<div class="letter"><span>${titleOf(job.error)}</span><span class="tiny soft">${job.error?.detail}</span></div>` },
    { key: "stage", label: t.work.columns.stage, render: (job) => stageName(job.progress.stage) },
    { key: "failed", label: w.failedAt, right: true, render: (job) => html`<${Time} at=${job.finished_at} />` },
    ...(can("operate") ? [{ key: "tools", label: "", bare: true, render: tools }] : []),
  ]} />`;
}
