// operate: to be built.

import { html } from "../vendor/htm-preact.js";
import { Empty, PageHead } from "../ui.js";
import { t } from "../strings.js";

export default function View() {
  return html`<${PageHead} title=${t.nav.operate} /><${Empty} />`;
}
