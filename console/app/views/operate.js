// Operate: how the service does, and the hand on it. One reading of the overview is shared by all parts: `operate/now.js`
// (what needs somebody, queues), `operate/providers.js` (limits, breakers), `operate/workers.js`, `operate/dead.js`,
// `operate/shares.js`, `operate/keys.js` and `operate/changes.js` (the audit log).

import { html, useState } from "../vendor/htm-preact.js";
import { get, useLoad } from "../api.js";
import { link } from "../route.js";
import { can } from "../session.js";
import { t } from "../strings.js";
import { Button, Empty, ErrorBox, Guard, PageHead, Skeleton, Tabs } from "../ui.js";
import { Changes } from "./operate/changes.js";
import { Dead } from "./operate/dead.js";
import { Keys } from "./operate/keys.js";
import { Now } from "./operate/now.js";
import { Providers } from "./operate/providers.js";
import { Shares } from "./operate/shares.js";
import { Workers } from "./operate/workers.js";

const w = t.operate;
const EVERY = 4000;
// `needs`: what the part is made of; parts without it load their own.
const PARTS = [
  { id: "now", view: Now, needs: "overview" }, { id: "providers", view: Providers, needs: "overview" }, { id: "workers", view: Workers, needs: "overview" },
  { id: "dead", view: Dead }, { id: "shares", view: Shares }, { id: "keys", view: Keys }, { id: "changes", view: Changes },
];

export default function Operate(props) {
  const { route } = props;
  const [isHeld, hold] = useState(false);
  const every = isHeld ? 0 : EVERY;
  const isWhole = !props.session?.key?.businesses;
  const part = PARTS.find(({ id }) => id === route.parts[0]) ?? PARTS.find(({ needs }) => isWhole || !needs);
  const overview = useLoad((signal) => (isWhole && part.needs ? get("/api/ops/overview", undefined, { signal }) : Promise.resolve(null)), [isWhole, !!part.needs], { every: part.needs ? every : 0 });
  const health = useLoad((signal) => (part.needs ? healthOf(signal) : Promise.resolve(null)), [!!part.needs], { every: part.needs ? every && every * 3 : 0 });
  const tabs = PARTS.map(({ id }) => ({ id, label: w.parts[id], href: link(id === "now" ? "operate" : ["operate", id]) }));
  return html`<${PageHead} title=${w.title} lead=${w.lead}>${part.needs && isWhole && html`<${Freshness} overview=${overview} isHeld=${isHeld} hold=${hold} />`}<//>
    <div class="stack-l operate">
      <${Tabs} label=${w.partsLabel} tabs=${tabs} current=${part.id} />
      ${!can("operate") && html`<p class="note small">${w.readOnly}</p>`}
      <${Guard} key=${part.id}>${part.needs ? html`<${WithOverview} ...${{ part, overview, health, isWhole, props }} />` : html`<${part.view} ...${props} every=${every} />`}<//>
    </div>`;
}

/** The health tells more than a status: an unwell service answers 503 with the same body. */
async function healthOf(signal) {
  const response = await fetch("health", { signal, headers: { accept: "application/json" }, credentials: "same-origin" });
  return (response.headers.get("content-type") ?? "").includes("json") ? response.json() : null;
}

function WithOverview({ part, overview, health, isWhole, props }) {
  if (!isWhole) return html`<${Empty} title=${w.notWhole} text=${w.notWholeText}><${Button} href=${link(["operate", "dead"])}>${w.parts.dead}<//><//>`;
  if (!overview.data) return overview.error ? html`<${ErrorBox} error=${overview.error} onRetry=${overview.reload} />` : html`<${Skeleton} lines=${8} height="24rem" />`;
  return html`${overview.error && html`<${ErrorBox} error=${overview.error} onRetry=${overview.reload} />`}
    <${part.view} ...${props} overview=${overview.data} health=${health.data} reload=${overview.reload} />`;
}

/** From when the figures are, and how to hold them still. */
function Freshness({ overview, isHeld, hold }) {
  const at = overview.data?.timestamp;
  return html`<span class="small soft num fresh">${at ? w.asOf(at) : ""}</span>
    <${Button} small icon=${isHeld ? "play" : "pause"} aria-pressed=${isHeld} onClick=${() => hold(!isHeld)}>${isHeld ? w.goOn : w.hold}<//>`;
}
