// The console's frame: navigation, the account, and the view that the fragment names.
//
// # How a view is added
//
// 1. `views/<name>.js` exports a component as `default`. It gets
//    `{route, session, businesses, reloadBusinesses}`: `route.parts` are the path behind the view's name and
//    `route.query` its filters, so `#/work/jobs/ID?status=failed` is `{view: "work", parts: ["jobs", "ID"], query: {status: "failed"}}`.
//    Change filters with `setQuery({status: "failed"})` (route.js), and make addresses with `link(["work", "jobs", id], query)`.
// 2. Its look is a section of app.css, of what the components and helpers there do not have.
// 3. Its line in VIEWS says which scopes it needs: one of them is enough. start.js names its files.
// 4. Its words are the section `t.<name>` of strings.js, and nowhere else. Words of the API that several views show
//    (`t.jobStatus`, `t.stages`, `t.formats`, `whyWaiting`) are there already.
// 5. It is made of ui.js (Button, TextField, Table, FormDialog, useSending, confirm, toast, Tabs, Empty, Loaded, Paged,
//    Time, Gauge, LineChart …), gets its data by api.js (`useLoad` with `every` polls while the tab is shown,
//    `usePages` reads by cursor, `post`/`put`/`patch`/`del` change, `follow` hears a job's events) and asks `can("operate")`
//    (session.js) before it shows what changes something. `BusinessPicker` is in session.js; `Markdown` shows texts of
//    models and `WordDiff` what has changed between two (markdown.js).
// 6. No inline styles or handlers in HTML text, no address that begins with `/`, nothing of another origin: the CSP
//    refuses it. Preact's `style=${{…}}` and `onClick` are set through the DOM and are fine.
// 7. The heading is `PageHead`: it takes the focus when the page is gone to. `html` is a tagged template: components are
//    `<${Button} kind="primary">…<//>`. There is no build step: a reload shows a change.
// 8. All files together stay below 120 kB gzipped. Each file is compressed by itself, so one of 200 lines costs half a
//    kilobyte less than five of 40: what is loaded together is one file, with its parts headed by `// #`. In all:
//    `find . -type f ! -name '*.txt' -exec sh -c 'gzip -9c {} | wc -c' \; | paste -sd+ | bc`.

import { html, render, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { link, parse, useRoute } from "./route.js";
import { begin, can, Enter, logOut, useBusinesses, useSession, wasHere } from "./session.js";
import { t } from "./strings.js";
import { Brandmark, Button, choices, ConfirmHost, ErrorBox, Guard, Icon, Menu, PageHead, SelectField, Skeleton, Time, ToastHost } from "./ui.js";

const VIEWS = [
  { name: "write", scopes: ["generate", "read"], load: () => import("./views/write.js") },
  { name: "work", scopes: ["read"], load: () => import("./views/work.js") },
  { name: "operate", scopes: ["observe"], load: () => import("./views/operate.js") },
  { name: "brand", scopes: ["read", "documents", "learning"], load: () => import("./views/brand.js") },
];

/** Loads a view's module into `view.component`, once; a failure is tried again. */
async function component(view) {
  view.component ??= (await view.load()).default;
}

// A failure is told when it is shown.
const first = component(VIEWS.find(({ name }) => name === parse().view) ?? VIEWS[0]).catch(() => {});

const THEME = "copydesk.theme";
const theme = () => localStorage.getItem(THEME) ?? "auto";
function wear(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  localStorage.setItem(THEME, name);
}
wear(theme());

function Account({ session }) {
  const [worn, setWorn] = useState(theme());
  const { key } = session;
  return html`<${Menu} kind="quiet" summary=${html`<${Icon} name="user" /><span class="visually-hidden">${t.session.account}: </span><span class="one-line account-name">${key?.name ?? t.session.account}</span>`}>
      ${key ? html`<div class="stack-s small">
        <strong>${key.name}</strong>
        <span class="soft">${t.session.businesses}: ${key.businesses ? key.businesses.join(", ") : t.session.all}</span>
        <span class="soft">${t.session.may}: ${key.scopes.join(", ")}</span>
        ${session.expires_at && html`<span class="soft">${t.session.until} <${Time} at=${session.expires_at} as="both" /></span>`}
      </div>` : html`<p class="small soft">${t.session.open}</p>`}
      <${SelectField} label=${t.session.theme} value=${worn} options=${choices(t.session.themes)} onChange=${(next) => { wear(next); setWorn(next); }} />
      ${key && html`<${Button} onClick=${logOut}>${t.session.leave}<//>`}
  <//>`;
}

function Bar({ views, current, session }) {
  return html`<header class="bar"><div class="bar-in">
    <${Brandmark} href=${link(views[0]?.name ?? "")} />
    <nav class="nav" aria-label=${t.nav.label}>${views.map(({ name }) => html`<a key=${name} href=${link(name)} aria-current=${name === current ? "page" : undefined}><${Icon} name=${name} />${t.nav[name]}</a>`)}</nav>
    <div class="bar-end"><${Account} session=${session} /></div>
  </div></header>`;
}

/** Loads the view's module when it is first gone to. */
function View({ view, ...props }) {
  const [state, set] = useState({});
  useEffect(() => {
    if (view.component) return undefined;
    let isHere = true;
    const told = (error) => { if (isHere) set({ view, error }); };
    component(view).then(() => told(null), (error) => { console.error(error); told({ title: t.ui.broken, message: String(error.message) }); });
    return () => { isHere = false; };
  }, [view]);
  if (view.component) return html`<${Guard} key=${view.name}><${view.component} ...${props} /><//>`;
  return state.view === view && state.error ? html`<${ErrorBox} error=${state.error} />` : html`<${Skeleton} lines=${6} />`;
}

function Page({ session }) {
  const route = useRoute();
  const { businesses, isLoaded, reload } = useBusinesses(session);
  const views = VIEWS.filter((view) => view.scopes.some(can));
  const isStart = route.view === "" || route.view === "enter";
  const view = isStart ? views[0] : views.find((one) => one.name === route.view);
  const at = `${view?.name}/${route.parts.join("/")}`;
  const before = useRef(null);
  useEffect(() => {
    document.title = view ? `${t.nav[view.name]} · ${t.name}` : t.name;
    // Not at the first page: the browser begins at its top by itself.
    if (before.current !== null && before.current !== at) {
      scrollTo(0, 0);
      (document.querySelector("#main h1") ?? document.getElementById("main"))?.focus({ preventScroll: true });
    }
    before.current = at;
  }, [at]);
  const skip = (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>${t.nav.skip}</a>
    <${Bar} views=${views} current=${view?.name} session=${session} />
    <main id="main" class="page" tabindex="-1">${view
      ? html`<${View} view=${view} route=${route} session=${session} businesses=${businesses} areBusinessesLoaded=${isLoaded} reloadBusinesses=${reload} />`
      : html`<${PageHead} title=${VIEWS.some((one) => one.name === route.view) ? t.ui.noAccess : t.ui.notThere} /><${Button} href=${link("")}>${t.ui.toStart}<//>`}</main>`;
}

function App() {
  const session = useSession();
  return html`${session === undefined ? null : session === null ? html`<${Enter} />` : html`<${Page} key=${session.key?.id} session=${session} />`}<${ConfirmHost} /><${ToastHost} />`;
}

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);
// Who was logged in sees the frame and the view at once; who was not needs no view.
(wasHere() ? first : Promise.resolve()).then(begin);
addEventListener("hashchange", () => { if (location.hash.startsWith("#/enter/")) begin(); });
