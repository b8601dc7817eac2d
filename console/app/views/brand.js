// Brand: what texts are written from. Its tabs are in `brand/`.

import { html } from "../vendor/htm-preact.js";
import { BusinessPicker, businessName, chosenBusiness } from "../business.js";
import { link } from "../route.js";
import { can } from "../session.js";
import { t } from "../strings.js";
import { Empty, Guard, PageHead, Skeleton, Tabs } from "../ui.js";
import { Profile, Search, Voice } from "./brand/about.js";
import { Documents } from "./brand/documents.js";
import { Lessons, Results } from "./brand/learning.js";

const w = t.brand;
const PARTS = [
  { id: "profile", scope: "read", part: Profile },
  { id: "documents", scope: "read", part: Documents },
  { id: "search", scope: "read", part: Search },
  { id: "voice", scope: "read", part: Voice },
  { id: "lessons", scope: "learning", part: Lessons },
  { id: "results", scope: "learning", part: Results },
];

export default function Brand({ route, businesses, areBusinessesLoaded, reloadBusinesses }) {
  const business = chosenBusiness(route, businesses);
  const parts = PARTS.filter((part) => can(part.scope));
  const current = parts.find((part) => part.id === route.parts[0]) ?? parts[0];
  return html`<${PageHead} title=${business ? businessName(businesses, business) : w.title} lead=${w.lead}>
      ${areBusinessesLoaded && html`<${BusinessPicker} businesses=${businesses} value=${business} />`}<//>
    <${Tabs} label=${w.parts} current=${current.id} tabs=${parts.map(({ id }) => ({ id, label: w.tabs[id], href: link(["brand", id], { business }) }))} />
    <div class="brand-part">${!areBusinessesLoaded ? html`<${Skeleton} lines=${8} />` : !business ? html`<${Empty} title=${t.business.none} text=${t.business.noneText} />`
      : html`<${Guard} key=${`${current.id}/${business}`}><${current.part} business=${business} route=${route} reloadBusinesses=${reloadBusinesses} /><//>`}</div>`;
}
