// Every English word of the console, and how numbers and times are said. A view has its own section, by its name.

const language = "en-GB";

/** `plural(3, "job")`: "3 jobs". */
export const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

const numbers = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const dollars = new Intl.NumberFormat(language, { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", maximumFractionDigits: 2 });
const cents = new Intl.NumberFormat(language, { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", maximumSignificantDigits: 2 });
const dates = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" });
const clocks = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });

/** "1,234.5"; a dash where nothing is known. */
export const number = (n, digits) => (n === null || n === undefined ? "–" : digits === undefined ? numbers.format(n) : Number(n).toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
/** "12.3 k" for places with little room. */
export const short = (n) => (n === null || n === undefined ? "–" : Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 }).format(n));
/** Of dollars; small ones with two digits that count. */
export const money = (usd) => (usd === null || usd === undefined ? "–" : usd !== 0 && Math.abs(usd) < 0.1 ? cents.format(usd) : dollars.format(usd));
export const percent = (share, digits = 0) => (share === null || share === undefined ? "–" : `${(share * 100).toFixed(digits)}%`);
export const bytes = (n) => (n < 1000 ? `${n} bytes` : n < 1e6 ? `${number(n / 1e3)} kB` : `${number(n / 1e6)} MB`);
/** "3.2 s", "4 min", "2 h 5 min", "3 days". */
export const duration = (seconds) => {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${number(seconds)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return plural(Math.round(seconds / 86_400), "day");
};
export const fullTime = (at) => full.format(new Date(at));
export const dayOf = (at) => dates.format(new Date(at));
export const clockOf = (at) => clocks.format(new Date(at));
/** "4 minutes ago", "in 2 hours"; a date where it is more than six days away. */
export const ago = (at, now = Date.now()) => {
  const seconds = (new Date(at) - now) / 1000, size = Math.abs(seconds);
  if (size < 45) return seconds > 5 ? `in ${Math.round(seconds)} s` : "just now";
  if (size < 3600) return relative.format(Math.round(seconds / 60), "minute");
  if (size < 86_400) return relative.format(Math.round(seconds / 3600), "hour");
  if (size < 6 * 86_400) return relative.format(Math.round(seconds / 86_400), "day");
  return dayOf(at);
};

export const t = {
  name: "Copydesk",

  nav: { write: "Write", work: "Work", operate: "Operate", brand: "Brand", label: "Main", skip: "Skip to the page" },

  session: {
    title: "Log in",
    lead: "Paste your API key. It stays in this browser's session, for twelve hours, and no script can read it.",
    key: "API key",
    hint: "It begins with cpd_. Whoever runs Copydesk makes keys.",
    enter: "Log in",
    entering: "Logging in …",
    entered: (name) => `Logged in with the key “${name}”.`,
    leave: "Log out",
    left: "You are logged out.",
    ended: "Your session has ended. Log in again to go on: this page is kept.",
    until: "Session until",
    account: "Account",
    open: "This service asks for no key: whoever reaches it may do everything.",
    all: "every business",
    badLink: "This link has been used, or is older than ten minutes. Ask for a new one, or log in with a key.",
    businesses: "Businesses",
    may: "May",
    theme: "Appearance",
    themes: { auto: "As the system", light: "Light", dark: "Dark" },
  },

  business: {
    label: "Business",
    hint: "Letters, digits and _ - . :",
    other: "Another one …",
    choose: "Choose a business",
    all: "All businesses",
    none: "Which business is it for?",
    noneText: "Texts, documents and lessons belong to a business. Choose one, or type the name of a new one.",
    use: "Use it",
    back: "Choose from the list",
  },

  ui: {
    close: "Close",
    cancel: "Not now",
    retry: "Try again",
    more: "Show more",
    loading: "Loading …",
    copied: "Copied.",
    notCopied: "The browser does not let this page copy. Select the text instead.",
    dismiss: "Dismiss",
    unknown: "unknown",
    table: "As a table",
    interval: (low, high) => `95% between ${low} and ${high}`,
    chart: { time: "When", value: "Value", low: "At the least", high: "At the most" },
    selectAll: "Select all",
    select: (name) => `Select ${name}`,
    none: "Nothing here yet",
    noAccess: "Your key does not allow this.",
    notThere: "There is no such page.",
    toStart: "Go to the start",
    broken: "This part of the page has failed.",
    optional: "optional",
    showing: (n) => `${plural(n, "row")} shown`,
  },

  errors: {
    title: "That did not work",
    away: "Copydesk cannot be reached",
    awayDetail: "Check your connection. What you have typed is still here.",
    status: (status) => `The service answered with ${status}.`,
    fields: "Please mend this:",
    later: (seconds) => `Try again in ${duration(seconds)}.`,
  },
  // In place of a problem's title, where that speaks to programmers.
  problems: {
    "insufficient-scope": "Your key does not allow this",
    "not-found": "It is not there",
    "too-many-requests": "Too many requests",
    "validation": "Some of it cannot be used",
    "conflict": "It has changed meanwhile",
    "unavailable": "A part of Copydesk is away",
    "unauthenticated": "This key does not count",
    "body-too-large": "That is too large",
    "unsupported-media-type": "Copydesk cannot read this kind of file",
    "attempts-exhausted": "Every attempt failed",
    "context-window": "The request is too long for the model",
    "deadline-exceeded": "It was not done in time",
    "provider-account": "The account at the provider is empty, closed or used up",
    "provider-misconfigured": "The provider refuses the key, the model or the address",
    "unusable-document": "This document cannot be read",
    "internal": "Something in Copydesk has failed",
    "poisoned": "It ended every worker that ran it",
  },
  statuses: { 502: "Copydesk cannot be reached", 504: "Copydesk did not answer in time" },

  // Words of the API that several views show.
  jobStatus: { queued: "In line", waiting: "Waiting", running: "Running", succeeded: "Done", failed: "Failed", cancelled: "Cancelled" },
  jobKind: { generate: "Text", feedback: "Verdict", ingest: "Document", erase: "Erasure" },
  waiting: {
    rate_limited: (who) => `${who} takes no more calls for now: its limit is used up`,
    over_budget: (who) => `today's budget for ${who} is spent`,
    breaker_open: (who) => `${who} has failed several times, so calls pause`,
    backoff: (who) => `the last attempt failed, so it rests before the next one`,
    scheduled: () => "it was asked for at a later time",
    someone: "a provider",
  },
  formats: {
    blog: "Blog post", linkedin: "LinkedIn post", thread: "Thread", newsletter: "Newsletter", email: "Email", product: "Product text",
    ad: "Advertisement", press_release: "Press release", landing_page: "Landing page", case_study: "Case study", faq: "Questions and answers", video_script: "Video script",
  },
  stages: {
    lessons: "What was learned", voice: "Your voice", research: "Research", plan: "Outline", draft: "Draft", review: "Review", edit: "Editing",
    distill: "Reading the verdict", read: "Reading", embed: "Indexing", store: "Storing", queued: "In line", done: "Done",
  },
  degraded: {
    research_unavailable: "Nothing could be researched on the web.",
    knowledge_unavailable: "Your documents could not be searched.",
    embeddings_unavailable: "Your documents were searched by words only, not by meaning.",
    review_unavailable: "No editor has read this text.",
    checks_failed: "Some checks still fail.",
    fallback_writer: "No model answered: this text was put together from sentences of your documents and sources.",
    content_refused: "The model refused to write a part of it.",
    fallback_model: "The first model was away: a second one wrote this.",
    context_window: "Passages were shortened to fit the model.",
  },

  cite: (n) => `Source ${n}`,
  diff: { same: "Nothing has changed.", changed: (added, removed) => `${added} added, ${removed} removed.` },

  // What each view says. Add a section beside these, or below.
  write: {},
  brand: {},
  work: {},
  operate: {},
};

/** Why a job waits, in one sentence; empty where it does not. */
export function whyWaiting(waiting, now = Date.now()) {
  if (!waiting) return "";
  const say = t.waiting[waiting.reason];
  const why = say ? say(waiting.provider ?? t.waiting.someone) : waiting.reason;
  const left = (new Date(waiting.until) - now) / 1000;
  return left > 1 ? `${why[0].toUpperCase()}${why.slice(1)}. It goes on in about ${duration(left)}.` : `${why[0].toUpperCase()}${why.slice(1)}. It goes on any moment.`;
}
