// Work: every job, found, followed, mended. Parts: `work/list.js` (the list), `work/job.js` (one job), `work/again.js`
// (its request changed and sent again).

import { html } from "../vendor/htm-preact.js";
import { Again } from "./work/again.js";
import { Job } from "./work/job.js";
import { List } from "./work/list.js";

/** `#/work?status=…`, `#/work/jobs/ID` and `#/work/jobs/ID/again`; `#/work/ID` is the same as the second. */
export default function Work(props) {
  const parts = props.route.parts[0] === "jobs" ? props.route.parts.slice(1) : props.route.parts;
  const [id, page] = parts;
  if (!id) return html`<${List} ...${props} />`;
  return page === "again" ? html`<${Again} key=${id} id=${id} ...${props} />` : html`<${Job} key=${id} id=${id} ...${props} />`;
}
