//! The words by which a document's purpose is told: names of titles and headings, and what sentences of each kind say.
//! Knows no thresholds.

use std::sync::LazyLock;

use regex::Regex;

use crate::phrases::{Patterns, is_match};
use crate::text::sentence;

macro_rules! pattern {
    ($text:expr) => {
        LazyLock::new(|| Regex::new(concat!("(?i)", $text)).ok())
    };
}

/// Titles and headings of guides to writing and to the brand.
pub(super) static STYLE_NAMES: Patterns = pattern!(
    r"\b(style ?guides?|style|voice|tone|writing (guide|style|principles|rules|for)|house (style|rules)|how we (write|sound|speak)|our (style|language)|editorial|content (guide|guidelines|style|principles)|brand (guide|guidelines|book|voice|platform|language)|terminology|glossary|word ?list|words (to avoid|we|and phrases)|specific words|punctuation|capitali[sz]ation|grammar|spelling|plain language|active voice|inclusive language|actionable language|abbreviations|acronyms|tone of voice|naming (guide|conventions)|typography|do'?s and don'?ts|stilrichtlinien|sprachregelung|tonalität|schreibweisen?|charte éditoriale|guía de estilo)\b"
);
/// Sentences that tell how to write.
static STYLE_RULES: Patterns = pattern!(
    r"\b(avoid|never (use|write|say)|always (use|write|spell|capitali[sz]e)|don[’']?t (use|write|capitali[sz]e|say|abbreviate|hyphenate)|do not (use|write|capitali[sz]e|say|abbreviate|hyphenate)|use|write|capitali[sz]e|lowercase|spell out|prefer|refer to|say|hyphenate|italicize|abbreviate|address|replace|choose|shorten|break up|keep)\b.*\b(words?|phrases?|terms?|sentences?|headings?|headers?|paragraphs?|commas?|hyphens?|dash(es)?|capitals?|(upper|lower|sentence|title)[ -]?case|voice|tone|jargon|acronyms?|abbreviations?|copy|person|readers?|numerals?|punctuation|contractions?|bullet(s|ed)?|quotation|italics|bold|apostrophes?|plurals?|pronouns?|verbs?|passive|plain language|gender|slang|idioms?|spelling|typefaces?|fonts?|urls?)\b|\b(we|you) (do not|don[’']?t|never) (write|say|use) \W|\bwe (write|say|spell|capitali[sz]e)\b|\bthe (1st|2nd|3rd|first|second|third) person\b|\b(in|use) (the )?(active|passive) voice\b|\b(our|the) (tone|voice) (is|should|of)\b|\btone of voice\b|\binstead of [_*\x22“]|, not [_*\x22“]|\brather than [_*\x22“]"
);
/// What a guide to writing speaks of: words about words. Such as `users`, `names` or `links`, of which any page speaks, are
/// none.
static EDITORIAL_WORDS: Patterns = pattern!(
    r"\b(writing|writers?|readers?|style ?guides?|italici[sz]e|plain language|wording|words?|phrases?|sentences?|headings?|paragraphs?|acronyms?|abbreviat\w+|capitali[sz]\w+|lowercase|uppercase|punctuat\w+|commas?|hyphens?|dash(es)?|tone|voice|jargon|grammar|editorial|copy|copywriting|fonts?|logos?|typefaces?|typography|brand(s|ing|ed)?|trademarks?|spell(ed|ing)?|contractions?|numerals?|bullet(s|ed)?|content|drafts?|edit(s|ing|ors?)?|proofread\w*|metaphors?|slang|pronouns?|verbs?|nouns?|captions?|alt text|urls?|filenames?)\b"
);
/// Titles and headings of rules and procedures for the business's own people.
pub(super) static POLICY_NAMES: Patterns = pattern!(
    r"\b(polic(y|ies)|code of (conduct|ethics)|conduct|compliance|confidential(ity)?|internal|procedures?|process(es)?|guidelines|standards?|rules|handbook|onboarding|offboarding|runbook|playbook|checklist|interviews?|hiring|recruiting|career|framework|responsibilit(y|ies)|team (chat|rituals|meetings?)|meetings?|communication|retrospectives?|rfcs?|ways of working|rituals|approvals?|escalation|data protection|security rules|acceptable use|expenses?|compensation|ethics|conflicts?|feedback|roles?|templates?|richtlinien?|verhaltenskodex|règlement|política interna)\b"
);
/// Sentences that speak to the business's own people.
static POLICY_RULES: Patterns = pattern!(
    r"\b(must( not)?|shall( not)?|is (strictly )?(prohibited|forbidden)|are (required|expected|not allowed|prohibited) to|confidential|internal use|for internal|do not (share|disclose|distribute|forward)|not be shared|teammates?|employees?|staff|your manager|(hiring|product|engineering|people) (managers?|team|designers?)|direct reports?|stakeholders?|candidates?|interview(er|ee)?s?|people ops|slack|google (doc|drive|calendar)|handbook|onboarding|okrs?|one-on-ones?|1-1s?|backlog|sprint|rfcs?|figma|dovetail|gtm|roadmap|cross-functional|prospects?|account executives?|sales (team|reps?)|pms?|ems?|pmms?|recap|recruit(er|ing)?|research participants?|teammate)\b|#[a-z]+-[a-z-]+|(docs|drive)\.google\.com|\.md\)"
);
/// What people speak of at work: beside [`POLICY_RULES`], since one such word says little.
static WORK_WORDS: Patterns = pattern!(
    r"\b(colleagues?|co-?workers?|team ?members?|managers?|manage[sd]? (by|people)|pto|paid time off|vacation|salar(y|ies)|payroll|performance reviews?|contractors?|on[- ]call|kick-?off|stand-?ups?|asana|jira|notion|zoom|airtable|workday|github issues?|issues? (board|tracker)|pull requests?|prs?|design (reviews?|team|system|process)|usability|participants?|interview(s|ed|ing)?|dri|quarter(ly)?|go-to-market|launch(es)? (tier|plan|date)|assignees?|the [a-z]+ team|reach out to|code of conduct|contributors?|maintainers?|contribut(e|ing|ions?)|reviewers?|this (document|page|guide|guideline|template|process|policy) |research(er)?|workflow|stakeholder|deliverables?|brainstorm|iterat(e|ion)|handoff|mockups?|wireframes?|design(s|er|ers)|career|promotion|hire|hiring|company-wide|leadership|executives?|approv(e|ed|al))\b"
);
/// How an instruction begins. Manuals and offers speak so too: it counts with its subject only.
static IMPERATIVES: Patterns = pattern!(
    r"^(use|write|make|avoid|keep|add|ask|create|check|choose|consider|do|don[’']?t|ensure|explain|follow|give|include|let|link|list|mention|never|always|note|please|post|prefer|provide|put|read|record|remember|review|say|schedule|see|select|send|set|share|spell|start|tell|think|try|update|upload|be|work|define|identify|describe|capitali[sz]e|respond|discuss|document|tag|submit|invite|join|reach out|refer|go|leave|take|get|find|look|aim|limit|break|test|address|begin|open|click|prepare|plan|fill|copy|assign|notify|communicate|evaluate|understand)\b"
);
/// What a rule says.
static RULE_WORDS: Patterns = pattern!(
    r"\b(should|must|make sure|we (recommend|prefer|avoid|use|follow|encourage)|you([’']?re| are) (writing|responsible)|responsible for|expected to|(best|important|okay|helpful|fine) to|need to)\b"
);
/// Marks of a document that nobody outside may see.
pub(super) static CONFIDENTIAL: Patterns = pattern!(
    r"\b(strictly confidential|confidential[,:. ]+(internal|do not|not for)|internal use only|internal only|not for (publication|external)|do not (distribute|share (this )?(outside|externally))|vertraulich|nur für den internen gebrauch|confidentiel|uso interno)\b|(?m:^[\s>*_#-]*(for )?internal use\W*$)"
);
pub(super) static CASE_NAMES: Patterns = pattern!(
    r"\b(case stud(y|ies)|customer stor(y|ies)|success stor(y|ies)|client stor(y|ies)|testimonials?|results?( 20\d\d)?|outcomes?|references?|what happened to our|fallstudien?|referenzen|étude de cas|caso de éxito)\b"
);
pub(super) static CASE_HEADINGS: Patterns = pattern!(
    r"^\W*(the )?(challenge|problem|situation|solution|approach|results?|outcomes?|impact|in short|by complaint)\b"
);
pub(super) static ABOUT_NAMES: Patterns = pattern!(
    r"\b(about( us)?|who we are|our (story|history|mission|vision|values|team|people|company)|company( (profile|overview|info))?|history|mission|imprint|locations?|clinics|offices|where we are|facts and figures|boilerplate|über uns|unternehmen|à propos|sobre nosotros)\b"
);
static ABOUT_WORDS: Patterns = pattern!(
    r"\b((was |were )?founded (in|by)|since (19|20)\d\d|our mission|we believe|headquarter(s|ed)|we are an? |our team|years of experience|family(-| )(owned|run))\b"
);
pub(super) static PRODUCT_NAMES: Patterns = pattern!(
    r"\b(products?|services?|prices?|pricing|plans?|features?|catalogue|catalog|manual|user guide|documentation|specifications?|data ?sheet|faq|frequently asked|how it works|menu|treatments?|first visit|deployment options|compatibility|produkte?|leistungen|preise|produits?|tarifs?|productos?|precios?)\b"
);
static PRODUCT_WORDS: Patterns = pattern!(
    r"([$€£]\s?\d|\b\d+([.,]\d+)? ?(usd|eur|euros?|dollars|pounds)\b|\b(costs?|features?|includes?|supports?|integrates?|available (in|for|on)|lets you|helps you|per (month|user|seat|visit)|warranty|delivery|free trial|book online)\b)"
);
/// Titles of documents that speak of other companies.
pub(super) static OTHERS: Patterns = pattern!(
    r"\b(vs\.?|versus|compared (to|with)|comparison|competitors?|competition|competitive|alternatives?( to)?|battle ?cards?|wettbewerb(er)?)\b|_vs_"
);

/// What is counted of a document: its sentences, and how many of them are of each kind.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// All of them.
    pub(super) all: usize,
    /// That tell how to write.
    pub(super) style: usize,
    /// That speak of words.
    pub(super) editorial: usize,
    /// That speak to the business's own people, or of their work.
    pub(super) work: usize,
    /// That are worded as rules or instructions.
    pub(super) ordering: usize,
    /// Those of them that are about words or work.
    pub(super) rules: usize,
    /// That introduce the business.
    pub(super) about: usize,
    /// That offer something.
    pub(super) product: usize,
}

impl Counted {
    /// Counts the sentences of a text, without headings, tables and code.
    pub(super) fn of(text: &str) -> Self {
        let mut counted = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '|', '`'])) {
            sentence::sentences(line).into_iter().for_each(|place| counted.add(&line[place]));
        }
        counted
    }

    fn add(&mut self, sentence: &str) {
        let (style, editorial) = (is_match(&STYLE_RULES, sentence), is_match(&EDITORIAL_WORDS, sentence));
        let work = is_match(&POLICY_RULES, sentence) || is_match(&WORK_WORDS, sentence);
        let orders = is_imperative(sentence) || is_match(&RULE_WORDS, sentence);
        self.all += 1;
        self.style += usize::from(style);
        self.editorial += usize::from(editorial);
        self.work += usize::from(work);
        self.ordering += usize::from(orders);
        self.rules += usize::from(orders && (style || editorial || work));
        self.about += usize::from(is_match(&ABOUT_WORDS, sentence));
        self.product += usize::from(is_match(&PRODUCT_WORDS, sentence));
    }
}

/// Whether a sentence tells how to word a text: no fact, wherever it stands.
pub(crate) fn orders_wording(sentence: &str) -> bool {
    is_match(&STYLE_RULES, sentence) || (is_imperative(sentence) && is_match(&EDITORIAL_WORDS, sentence))
}

/// Entries of lists are imperatives too.
fn is_imperative(sentence: &str) -> bool {
    is_match(&IMPERATIVES, sentence.trim_start_matches(|c: char| !c.is_alphabetic()))
}
