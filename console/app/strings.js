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
    brief: "Reading the request", research: "Research on the web", knowledge: "Your documents", lessons: "What was learned", outline: "Outline", draft: "Draft", edit: "Editing",
    finish: "Checking the sources", review: "Review", revise: "Revision", distill: "Reading the verdict", read: "Reading", embed: "Indexing", store: "Storing",
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
  write: {
    title: "What shall we write?",
    lead: "Copydesk researches, writes, edits and checks. You judge, and the next text is better.",
    topic: "What is it about?",
    topicHint: "A sentence says more than a word.",
    topicPlaceholder: "Getting back to running after an ankle sprain",
    formats: "As what?",
    formatsHint: "Choose several, and each is written.",
    voice: "Voice",
    voiceHint: "Empty: the voice of the business.",
    advanced: "More about it",
    audience: "Who reads it",
    audienceHint: "Empty: the audience of the business.",
    instructions: "Instructions",
    instructionsHint: "What to say, and what to leave out, this once.",
    keywords: "Words that it must hold",
    keywordsHint: "With commas between, 20 at most.",
    length: "Length in words",
    lengthHint: "Empty: as usual for the format, or as you have asked for before.",
    language: "Language",
    languageHint: "Such as en, de or pt-BR. Empty: the language of the business.",
    minScore: "Good enough from",
    minScoreHint: "Our editor's score, 0 to 10. Below it a text is edited again.",
    rounds: "Rounds of editing, at most",
    roundsHint: "0 to 5. With 0 no editor reads it.",
    fallback: "Take a text of quotations where no model can write",
    fallbackHint: "Else the text fails, and says why.",
    bulk: "It can wait for others",
    bulkHint: "Texts that somebody waits for go first.",
    runAt: "Not before",
    deadline: "Give up after, in hours",
    start: (n) => (n > 1 ? `Write ${n} texts` : "Write it"),
    starting: "Sending …",
    noFormat: "Choose at least one kind of text.",
    noTopic: "Say what it is about.",
    partly: (taken, all) => `${taken} of ${all} were accepted.`,
    earlier: "Earlier texts",
    allEarlier: "All texts",
    toForm: "Write a text",
    none: "No texts yet",
    noneText: "What is written here is kept here: with its sources, its checks and what you said of it.",
    mayNotWrite: "Your key may read texts, and not ask for new ones.",
    columns: { text: "Text", score: "Our score", verdict: "Your verdict", when: "Asked for", cost: "Cost" },
    shortfalls: (n) => plural(n, "shortfall"),
    noVerdict: "not judged",
    filterDegraded: "Shortfall",
    anyDegraded: "Any or none",

    run: {
      title: "Being written",
      texts: "Texts under way",
      line: (place) => (place <= 1 ? "It is next in the line." : `It is number ${number(place)} in the line.`),
      eta: (seconds) => `About ${duration(seconds)} to go.`,
      soon: "A worker takes it in a moment.",
      stage: (name) => `Now: ${name}.`,
      cancel: "Cancel",
      cancelTitle: "Cancel this text?",
      cancelText: "What has been written of it is lost. What it has cost stays spent.",
      cancelAction: "Cancel the text",
      keep: "Go on writing",
      cancelled: "It was cancelled.",
      failed: "It could not be written",
      retry: "Try again",
      attempt: (n, most) => `Attempt ${n} of ${most}`,
      steps: "Steps",
      writing: "The text appears here as soon as its first paragraph has passed the checks.",
      edited: "An editor's version",
      draft: "The draft",
      took: (seconds) => `Written in ${duration(seconds)}`,
      open: "Open the text",
      details: "Details of the job",
      states: { done: "done", now: "under way", next: "to come" },
      waited: (seconds) => `${duration(seconds)} of it waiting`,
    },

    text: {
      back: "All texts",
      by: (format, business) => `${format} for ${business}`,
      simulated: "A simulator wrote this, not a model. It shows how Copydesk works, and not how well models write.",
      tabs: { text: "Text", versions: "Versions" },
      views: "Views of the text",
      copy: "Copy",
      copyMarkdown: "As Markdown",
      copyHtml: "As formatted text",
      copySource: "As HTML source",
      marks: "With source marks",
      edit: "Edit",
      editing: "Your version",
      editHint: "In Markdown. Change it as you would publish it: that teaches most. It is sent with your verdict.",
      editDone: "Done",
      editDrop: "Drop my changes",
      preview: "Your changes",
      again: "Write again",
      againTitle: "Write it anew?",
      againText: "The same request is written once more, with what was learned since. This text stays.",
      sources: "Sources",
      noSources: "It cites nothing.",
      source: (n) => `Source ${n}`,
      kinds: { web: "From the web", kb: "From your documents" },
      quote: "What supports it",
      passage: "The passage around it",
      openSource: "Open the page",
      openDocument: "Your documents",
      unknownSource: "The text cites a source that is not in its list.",
      score: "Our score",
      outOf: "of 10",
      calibrated: (score) => `As you would score it: ${number(score, 1)}`,
      scoredDraft: "Of the draft: the text was edited after it.",
      notScored: "No editor has read it.",
      criteria: { accuracy: "Accuracy", clarity: "Clarity", relevance: "Relevance", structure: "Structure", voice: "Voice" },
      voiceScore: "Sounds like you",
      checks: "Checks",
      allPassed: (n) => `All ${n} checks passed`,
      somePassed: (passed, all) => `${passed} of ${all} checks passed`,
      showChecks: "Show them",
      passed: "passed",
      failed: "failed",
      checkNames: {
        length: "Length", total_length: "Length of the whole", paragraph_length: "Length of paragraphs", language: "Language", banned_phrases: "Words to avoid", keywords: "Words it must hold",
        placeholders: "Nothing left to fill in", headings: "Headings", headings_whole: "Headings are whole", sentences: "Finished sentences", task: "Does not speak of its task",
        citations_supported: "Sources support what it says", citations_used: "Sources are cited", voice: "Your voice", hook: "A first line that holds", hashtags: "Hashtags", question: "Ends with a question",
      },
      lesson: (name) => `Lesson: ${name}`,
      lessons: "Lessons used",
      noLessons: "Nothing that was learned went into it.",
      off: "This is one of the few texts that are written without what was learned, so that you can see what learning is worth.",
      followed: "followed",
      unfollowed: "not followed",
      untold: "no code can tell",
      examples: (n) => `It was shown ${plural(n, "text")} that you approved.`,
      allLessons: "What was learned",
      cost: "Cost",
      costs: { calls: "Calls", tokens: "Tokens", writer: "Writer", reviewer: "Editor", rounds: "Rounds of editing", stage: "Step", usd: "Dollars" },
      byStage: "By step",
      comments: "What our editor said",
      degraded: "What is missing",
      job: "How it was made",

      verdict: "Your verdict",
      verdictLead: "Lessons for the next text come from here.",
      approve: "I’d publish it",
      reject: "Not like this",
      yourScore: "Score",
      noScore: "No score",
      comment: "What should be different?",
      commentHint: "Such as: Too long. Say people, not users.",
      rater: "Your name",
      raterHint: "The same each time. Two people's word counts more than one's.",
      send: "Send the verdict",
      sendEdited: "Send with my version",
      sending: "Sending …",
      sent: "Thank you. It is being read.",
      read: "Your verdict has been read.",
      toLessons: "See what was learned",
      notRead: "Your verdict is stored, and is read later.",
      nothing: "Approve it, score it, say something, or change the text.",
      given: "What you said",
      approved: "Would be published",
      rejected: "Not like this",
      scoreOf: (score) => `${number(score)} of 10`,
      changed: (share) => `${percent(share)} of the words changed`,
      by2: (name) => `by ${name}`,
      change: "Change it",
      replaces: "This takes the place of the verdict that is there, with its edited version.",
      takeBack: "Take it back",
      takeBackTitle: "Take the verdict back?",
      takeBackText: "All that was learned from it goes with it. An earlier verdict on this text holds again.",
      takenBack: "Taken back, with all that was learned from it.",
      mayNotJudge: "Your key may not judge texts.",

      versions: {
        none: "Nothing of how it was made is kept any more: the final text is all there is.",
        compare: "Compare",
        with: "with",
        version: (round, isFinal) => (isFinal ? "Final text" : round === 0 ? "Draft" : `Version ${round + 1}`),
        yours: "Your version",
        show: "Show",
        changes: "Changes",
        whole: "The whole text",
      },
    },
  },
  brand: {
    title: "Brand",
    lead: "What your texts are written from: who you are, what you know, how you sound, and what people have asked for.",
    tabs: { profile: "Profile", documents: "Documents", search: "Look up", voice: "Voice", lessons: "Lessons", results: "Results" },
    parts: "Parts of the brand",
    mayNotChange: "Your key may read this, and not change it.",

    profile: {
      new: "Nothing is known of this business yet. Fill in what you can: every text is better for it.",
      name: "Name", nameHint: "As texts use it.",
      description: "What it does, and for whom", descriptionHint: "Two or three sentences. What you sell, where, to whom, and what is different.",
      voice: "How it sounds", voiceHint: "Such as: a calm, practical friend; plain words, short sentences, no hype.",
      audience: "Who reads", audienceHint: "Used where a request names nobody.",
      guidelines: "Rules for every text", guidelinesHint: "How you write prices and names; what must be said; what must not.",
      language: "Language", languageHint: "Such as en, de or pt-BR.",
      banned: "Words and phrases to avoid", bannedHint: "No text may hold them. Press Enter after each; 200 at most.",
      add: "Add", remove: (phrase) => `Remove ${phrase}`,
      save: "Save the profile", saving: "Saving …", saved: "Saved. The next text is written with it.", unsaved: "There are changes that are not saved.",
    },

    documents: {
      drop: "Drop files here",
      dropText: "Markdown, text, HTML, PDF with text, or Word; 10 MB each at most. A file with the same name takes the place of the old one.",
      choose: "Choose files",
      paste: "Paste a text",
      pasteTitle: "A document from text", pasteName: "Title", pasteText: "Text", pasteTextHint: "Markdown or plain text.", pasteSend: "Add it",
      tooLarge: (name, size) => `${name} has ${size}. 10 MB is the most: split it, or leave pictures out.`,
      empty: (name) => `${name} is empty.`,
      uploading: (name) => `Sending ${name}`,
      sent: "Sent. It is being read.",
      none: "No documents yet",
      noneText: "Texts are written from what you give, and cite it. Begin with a page about you, your prices, and a text that sounds like you.",
      columns: { title: "Document", kind: "What it is for", state: "State", passages: "Passages", changed: "Changed" },
      kinds: { about: "About us", product: "Products and prices", case: "Case or result", policy: "Policy", style_guide: "Style guide", other: "Other" },
      kindUnknown: "Not told yet",
      kindSaved: "Saved. It is used that way from now on.",
      guides: "It guides the writer, and is not quoted.",
      states: { pending: "Being read", ready: "Ready", failed: "Cannot be read" },
      warnings: {
        garbled_text: "Much of its text looks garbled. Export it again, or paste the text.",
        pages_without_text: "Some pages hold no text, pictures perhaps. Give a version whose text can be selected.",
        main_text_unclear: "Much of this page is menus and links. Give the text alone.",
        same_external_id: "Another document has almost the same name. Delete the one that is out of date.",
      },
      remove: "Delete", removeTitle: (title) => `Delete “${title}”?`, removeText: "The document goes, with every passage of it. Texts that cite it stay.", removed: "Deleted.",
      failedWhat: "Mend the file and send it again under the same name, or delete it.",
      dismiss: "Dismiss",
      shown: "Shown from a text's source",
      language: "Language",
    },

    search: {
      label: "What would the writer be given?",
      hint: "A topic, as you would ask for a text.",
      go: "Look it up",
      none: "Nothing fits",
      noneText: "No passage of your documents speaks of that. A text on it would lean on the web alone.",
      start: "Type a topic to see which passages of your documents a text would be written from, the best first.",
      guides: "Guides the writer; not quoted",
      score: (n) => `fits ${number(n, 1)}`,
      found: (n) => plural(n, "passage"),
    },

    voice: {
      measured: (words, documents) => `Measured in ${plural(words, "word")} of ${plural(documents, "document")}.`,
      format: "Kind of text", anyFormat: "All",
      examples: "From your documents",
      terms: "Words you use",
      none: "Your voice is not measured yet",
      noneText: "It is read from documents that sound like you: a page about you, a newsletter, a case. Give a few hundred words.",
      unsupported: "This service cannot tell the measured voice yet. What your profile says holds.",
      use: "Words to use", avoid: "Words to avoid", neither: "None so far.",
      fromProfile: "from the profile", fromLesson: "learned",
      said: "What the profile says",
      addDocuments: "Add documents",
    },

    lessons: {
      all: "All", status: "Which lessons", format: "Kind of text", anyFormat: "All kinds",
      statuses: { candidate: "Heard once", active: "Counts", pinned: "Pinned", conflicted: "In conflict", retired: "Retired" },
      statusHints: {
        candidate: "Said of one text, or by one of several people. It changes nothing yet.",
        active: "Texts are written with it.",
        pinned: "It counts by hand, whatever else is said.",
        conflicted: "As many people ask for the opposite, so neither is used. Pin one, or retire one.",
        retired: "It no longer counts.",
      },
      none: "Nothing learned yet",
      noneText: "Judge texts where they are: say what should be different, or edit them. What is said of two texts becomes a lesson.",
      toTexts: "See the texts",
      noneOf: "No lessons of this kind.",
      counts: "These lessons count",
      followed: (followed, all) => `Followed by ${number(followed)} of ${plural(all, "text")}`,
      neverUsed: "Not used yet",
      untold: (n) => `Given to ${plural(n, "text")}; no code can tell whether they follow it.`,
      confidence: (share) => `${percent(share)} sure at the least`,
      support: (texts, people) => `${plural(texts, "text")}, ${plural(people, "person", "people")}`,
      effect: (difference, low, high) => `${difference > 0 ? "+" : ""}${number(difference, 2)} points with it${low === undefined ? "" : `, 95% between ${number(low, 2)} and ${number(high, 2)}`}`,
      effectOf: (pairs) => `by our own estimate, of ${plural(pairs, "pair")} of texts`,
      dissenters: (names) => `Asked for the opposite: ${names}`,
      told: { system: "Told more plainly: texts did not follow it.", outline: "Told as plainly as can be: texts did not follow it." },
      only: (format, language) => [format, language].filter(Boolean).join(", "),
      edited: "worded by hand",
      pin: "Pin", release: "Release", retire: "Retire", restore: "Let it count", edit: "Reword", replay: "Try it out",
      pinned: "Pinned: it counts, whatever else is said.", released: "What people say decides again.", retired: "Retired: no text is written with it.", undo: "Undo",
      editTitle: "Reword the lesson", editLabel: "What the writer is told", editHint: "One sentence, 300 characters at most. Where code can check what it says, texts are checked against it.", save: "Save", saved: "Saved.",
      replayTitle: "Try the lesson out", replayText: "Your last texts of its kind are written once more, with the lesson and without it, when there is quota that nobody else wants. That costs money.",
      replayBriefs: "How many texts", replayAction: (n) => `Write ${2 * n} texts`, replayStarted: (n) => `${plural(n, "text")} will be written. The effect shows here once they are done.`,
    },

    results: {
      format: "Kind of text", anyFormat: "All kinds",
      none: "Nothing to measure yet",
      noneText: "A figure needs five verdicts. Judge texts where they are, and come back.",
      verdicts: "Verdicts", of: (n) => `of ${plural(n, "text")}`,
      score: "Mean score", approval: "Would be published", effort: "Words changed", sure: (low, high) => `95% sure: ${low} to ${high}`,
      fromTo: (first, last) => `${first} in the first ten, ${last} in the last ten`,
      trend: (per, low, high) => `${per > 0 ? "+" : ""}${number(per, 2)} points a week, 95% between ${number(low, 2)} and ${number(high, 2)}`,
      over: "As texts went by", overHint: (n, window) => `Each point is the mean of up to ${window} judged texts until then, of the last ${n}. The band is where the true value most likely is (95%).`,
      scoreChart: "Score, 0 to 10", approvalChart: "Would be published", effortChart: "Words changed before publishing",
      describe: (what, first, last) => `${what}: ${first} at first, ${last} in the end.`,
      arms: "What learning is worth", armsHint: "One text in ten is written without anything that was learned. The difference to the others is what learning is worth. Where the line crosses 0, nothing is proven yet.",
      on: "With learning", off: "Without", difference: "Difference", interval: "95% interval",
      n: (n) => plural(n, "text"), nth: (n) => `Text ${number(n)}`,
      figures: { score: "Score", approval: "Would be published", words_changed: "Words changed", compression: "Text changed" },
      better: "better", worse: "worse", unproven: "not proven",
      notYet: "Not measured yet",
      reviewer: "Our scores and yours", bias: (points) => (Math.abs(points) < 0.05 ? "Our scores are as yours in the mean." : points > 0 ? `Our scores flatter by ${number(points, 1)} points.` : `Our scores are ${number(-points, 1)} points too strict.`),
      mae: (raw, corrected) => `They are ${number(raw, 1)} points off in the mean${corrected === null || corrected === undefined ? "" : `, ${number(corrected, 1)} as corrected`}.`,
      raters: "Who judged", rater: "Person", mean: "Mean score", rate: "Would publish", count: "Verdicts", noName: "no name",
      contradictory: (n) => `${plural(n, "verdict")} said two opposite things and taught nothing.`,
      lessons: "Lessons",
    },
  },
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
