//! What a document of a business is for, told by rules: its title, its headings, and how it words things. Cautious on
//! purpose: a document is taken for guidance, of which nothing is content, only where title and wording agree or one of
//! them is plain.

use std::sync::LazyLock;

use copydesk_domain::document::DocumentKind;
use regex::Regex;

use crate::text::sentence;

/// How much of a document is read, in bytes: its beginning says what it is.
const READ_BYTES: usize = 64 * 1024;
/// The fewest sentences of which shares are told.
const MIN_SENTENCES: usize = 4;

type Pattern = LazyLock<Option<Regex>>;

macro_rules! pattern {
    ($text:expr) => {
        LazyLock::new(|| Regex::new(concat!("(?i)", $text)).ok())
    };
}

/// Titles and headings of guides to writing and to the brand.
static STYLE_NAMES: Pattern = pattern!(
    r"\b(style ?guides?|style|voice|tone|writing (guide|style|principles|rules|for)|house (style|rules)|how we (write|sound|speak)|our (style|language)|editorial|content (guide|guidelines|style|principles)|brand (guide|guidelines|book|voice|platform|language)|terminology|glossary|word ?list|words (to avoid|we|and phrases)|specific words|punctuation|capitali[sz]ation|grammar|spelling|plain language|active voice|inclusive language|actionable language|abbreviations|acronyms|tone of voice|naming (guide|conventions)|typography|do'?s and don'?ts|stilrichtlinien|sprachregelung|tonalität|schreibweisen?|charte éditoriale|guía de estilo)\b"
);
/// Sentences that tell how to write.
static STYLE_RULES: Pattern = pattern!(
    r"\b(avoid|never (use|write|say)|always (use|write|spell|capitali[sz]e)|don[’']?t (use|write|capitali[sz]e|say|abbreviate|hyphenate)|do not (use|write|capitali[sz]e|say|abbreviate|hyphenate)|use|write|capitali[sz]e|lowercase|spell out|prefer|refer to|say|hyphenate|italicize|abbreviate|address|replace|choose|shorten|break up|keep)\b.*\b(words?|phrases?|terms?|sentences?|headings?|headers?|paragraphs?|commas?|hyphens?|dash(es)?|capitals?|(upper|lower|sentence|title)[ -]?case|voice|tone|jargon|acronyms?|abbreviations?|copy|person|readers?|numerals?|punctuation|contractions?|bullet(s|ed)?|quotation|italics|bold|apostrophes?|plurals?|pronouns?|verbs?|passive|plain language|gender|slang|idioms?|spelling|typefaces?|fonts?|urls?)\b|\b(we|you) (do not|don[’']?t|never) (write|say|use) \W|\bwe (write|say|spell|capitali[sz]e)\b|\bthe (1st|2nd|3rd|first|second|third) person\b|\b(in|use) (the )?(active|passive) voice\b|\b(our|the) (tone|voice) (is|should|of)\b|\btone of voice\b|\binstead of [_*\x22“]|, not [_*\x22“]|\brather than [_*\x22“]"
);
/// What a guide to writing speaks of in most sentences.
static EDITORIAL_WORDS: Pattern = pattern!(
    r"\b(writing|writers?|write|written|readers?|content|style guides?|plain language|wording|words?|phrases?|sentences?|headings?|headers?|paragraphs?|acronyms?|abbreviations?|capitali[sz]\w+|punctuation|commas?|hyphens?|tone|voice|jargon|grammar|editorial|fonts?|logos?|typefaces?|typography|brand|terms?|names?|spell(ed|ing)?|italics|links?|urls?|filenames?|users)\b"
);
/// Titles and headings of rules and procedures for the business's own people.
static POLICY_NAMES: Pattern = pattern!(
    r"\b(polic(y|ies)|code of (conduct|ethics)|conduct|compliance|confidential(ity)?|internal|procedures?|process(es)?|guidelines|standards?|rules|handbook|onboarding|offboarding|runbook|playbook|checklist|interviews?|hiring|recruiting|career|framework|responsibilit(y|ies)|team (chat|rituals|meetings?)|meetings?|communication|retrospectives?|rfcs?|ways of working|rituals|approvals?|escalation|data protection|security rules|acceptable use|expenses?|compensation|ethics|conflicts?|feedback|roles?|templates?|richtlinien?|verhaltenskodex|règlement|política interna)\b"
);
/// Sentences that speak to the business's own people.
static POLICY_RULES: Pattern = pattern!(
    r"\b(must( not)?|shall( not)?|is (strictly )?(prohibited|forbidden)|are (required|expected|not allowed|prohibited) to|confidential|internal use|for internal|do not (share|disclose|distribute|forward)|not be shared|teammates?|employees?|staff|your manager|(hiring|product|engineering|people) (managers?|team|designers?)|direct reports?|stakeholders?|candidates?|interview(er|ee)?s?|people ops|slack|google (doc|drive|calendar)|handbook|onboarding|okrs?|one-on-ones?|1-1s?|backlog|sprint|rfcs?|figma|dovetail|gtm|roadmap|cross-functional|prospects?|account executives?|sales (team|reps?)|pms?|ems?|pmms?|recap|recruit(er|ing)?|research participants?|teammate)\b|#[a-z]+-[a-z-]+|(docs|drive)\.google\.com|\.md\)"
);
/// Marks of a document that nobody outside may see.
static CONFIDENTIAL: Pattern = pattern!(
    r"\b(strictly confidential|confidential[,:. ]+(internal|do not|not for)|for internal use( only)?|internal use only|internal only|not for (publication|external)|do not (distribute|share (this )?(outside|externally))|vertraulich|nur für den internen gebrauch|confidentiel|uso interno)\b"
);
static CASE_NAMES: Pattern = pattern!(
    r"\b(case stud(y|ies)|customer stor(y|ies)|success stor(y|ies)|client stor(y|ies)|testimonials?|results?( 20\d\d)?|outcomes?|references?|what happened to our|fallstudien?|referenzen|étude de cas|caso de éxito)\b"
);
static CASE_HEADINGS: Pattern = pattern!(
    r"^\W*(the )?(challenge|problem|situation|solution|approach|results?|outcomes?|impact|in short|by complaint)\b"
);
static ABOUT_NAMES: Pattern = pattern!(
    r"\b(about( us)?|who we are|our (story|history|mission|vision|values|team|people|company)|company( (profile|overview|info))?|history|mission|imprint|locations?|clinics|offices|where we are|facts and figures|boilerplate|über uns|unternehmen|à propos|sobre nosotros)\b"
);
static ABOUT_WORDS: Pattern = pattern!(
    r"\b((was |were )?founded (in|by)|since (19|20)\d\d|our mission|we believe|headquarter(s|ed)|we are an? |our team|years of experience|family(-| )(owned|run))\b"
);
static PRODUCT_NAMES: Pattern = pattern!(
    r"\b(products?|services?|prices?|pricing|plans?|features?|catalogue|catalog|manual|user guide|documentation|specifications?|data ?sheet|faq|frequently asked|how it works|menu|treatments?|first visit|deployment options|compatibility|produkte?|leistungen|preise|produits?|tarifs?|productos?|precios?)\b"
);
static PRODUCT_WORDS: Pattern = pattern!(
    r"([$€£]\s?\d|\b\d+([.,]\d+)? ?(usd|eur|euros?|dollars|pounds)\b|\b(costs?|features?|includes?|supports?|integrates?|available (in|for|on)|lets you|helps you|per (month|user|seat|visit)|warranty|delivery|free trial|book online)\b)"
);

/// What is counted of a document.
#[derive(Debug, Default)]
struct Counted {
    sentences: usize,
    style: usize,
    editorial: usize,
    policy: usize,
    about: usize,
    product: usize,
}

/// What a document is for. `text` is its Markdown, or its passages under their headings.
pub fn kind(title: &str, text: &str) -> DocumentKind {
    let text = &text[..text.floor_char_boundary(READ_BYTES)];
    let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).map(heading).collect();
    let first = headings.first().copied().unwrap_or_default();
    let counted = count(text);
    let share = |n: usize| if counted.sentences < MIN_SENTENCES { 0 } else { n * 100 / counted.sentences };
    let named = |names: &Pattern| is(names, title) || is(names, first);
    let headed = |names: &Pattern| headings.iter().skip(1).filter(|heading| is(names, heading)).count();
    let style = share(counted.style);
    if is(&CONFIDENTIAL, text) && !named(&STYLE_NAMES) {
        return DocumentKind::Policy;
    }
    if is_about_others(title) || is_about_others(first) {
        return DocumentKind::Other;
    }
    let (policy, editorial) = (share(counted.policy), share(counted.editorial));
    let (is_named, is_headed) = (named(&STYLE_NAMES), headed(&STYLE_NAMES) >= 2);
    let is_style = (is_named && (is_headed || (style >= 6 && counted.style >= 2)))
        || (is_headed && style >= 12)
        || (style >= 22 && counted.style >= 2)
        || (editorial >= 35 && counted.style >= 2);
    if is_style && (is_named || style > policy) {
        return DocumentKind::StyleGuide;
    }
    if named(&CASE_NAMES) || headed(&CASE_HEADINGS) >= 3 {
        return DocumentKind::Case;
    }
    let (about, product) = (share(counted.about), share(counted.product));
    let is_policy = (named(&POLICY_NAMES) && (policy >= 8 || counted.policy >= 5)) || policy >= 25;
    if is_policy && policy > product && policy > about {
        return DocumentKind::Policy;
    }
    match (named(&ABOUT_NAMES), named(&PRODUCT_NAMES)) {
        (true, false) => DocumentKind::About,
        (false, true) => DocumentKind::Product,
        (true, true) => {
            if about >= product {
                DocumentKind::About
            } else {
                DocumentKind::Product
            }
        }
        (false, false) if about >= 8 && about >= product => DocumentKind::About,
        (false, false) if product >= 20 => DocumentKind::Product,
        _ => DocumentKind::Other,
    }
}

/// A heading without its marks; of a path of headings the last one.
fn heading(line: &str) -> &str {
    let heading = line.trim_start_matches('#').trim();
    heading.rsplit_once(" › ").map_or(heading, |(_, last)| last)
}

fn count(text: &str) -> Counted {
    let mut counted = Counted::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '|', '`'])) {
        for place in sentence::sentences(line) {
            let sentence = &line[place];
            counted.sentences += 1;
            counted.style += usize::from(is(&STYLE_RULES, sentence));
            counted.editorial += usize::from(is(&EDITORIAL_WORDS, sentence));
            counted.policy += usize::from(is(&POLICY_RULES, sentence));
            counted.about += usize::from(is(&ABOUT_WORDS, sentence));
            counted.product += usize::from(is(&PRODUCT_WORDS, sentence));
        }
    }
    counted
}

fn is(pattern: &Pattern, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

/// Whether a document compares the business with others, or speaks of them: facts of it may be theirs.
pub fn is_about_others(title: &str) -> bool {
    static OTHERS: Pattern = pattern!(
        r"\b(vs\.?|versus|compared (to|with)|comparison|competitors?|competition|competitive|alternatives?( to)?|battle ?cards?|wettbewerb(er)?)\b|_vs_"
    );
    is(&OTHERS, title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_titles_and_wording() {
        for (kind, title, text) in [
            (
                DocumentKind::StyleGuide,
                "Brand guide",
                "# Voice\n\nWe do not write \"suffer\". Avoid jargon and long words. Use the active voice. Write short sentences. Our tone is calm.",
            ),
            (
                DocumentKind::StyleGuide,
                "Words",
                "Avoid the word _leverage_. Write _use_ instead of _utilize_. Do not use acronyms. Capitalize names. Use the 3rd person, not we.",
            ),
            (
                DocumentKind::Policy,
                "Code of conduct",
                "Employees must not accept gifts. Every teammate must read this. Your manager is told. Staff may not speak to the press.",
            ),
            (
                DocumentKind::Policy,
                "Roadmap 2027",
                "Strictly confidential: do not share outside. We plan a lighter van for the spring.",
            ),
            (
                DocumentKind::Case,
                "Case study: Harbour Foods",
                "# Challenge\n\nDeliveries were late.\n\n# Results\n\nLate deliveries fell by 40%.",
            ),
            (
                DocumentKind::About,
                "About us",
                "Acme was founded in 1998. Our mission is fewer trucks. We are a family of forty people. We believe in bikes.",
            ),
            (
                DocumentKind::Product,
                "Services and prices",
                "A visit costs £58. A package of four costs £200. Book online. It includes a plan.",
            ),
            (
                DocumentKind::Other,
                "Ankle sprains",
                "Walk on it from day two. Ice helps for the first day. Most people run again in six to nine weeks. Do not rest it for long.",
            ),
        ] {
            assert_eq!(super::kind(title, text), kind, "{title}");
        }
    }

    #[test]
    fn content_is_not_taken_for_guidance() {
        for (title, text) in [
            (
                "Voice control",
                "Use your voice to switch the lamp on. It hears you across the room. It costs $40. The lamp supports two rooms.",
            ),
            (
                "Data protection at our clinics",
                "Your data stays in the clinic. Nobody else reads it. You can ask for a copy. It is free of charge.",
            ),
            (
                "How to use the drill",
                "Use the small bit for wood. Never drill without glasses. Do not use it in the rain. Write down the serial number.",
            ),
            ("Team lunch boxes", "Order by ten. Employees love it. Each box costs €9. We deliver by noon."),
        ] {
            assert!(!kind(title, text).is_guidance(), "{title}: {:?}", kind(title, text));
        }
    }

    #[test]
    fn comparisons_are_about_others() {
        for title in [
            "Livegrep vs Sourcegraph",
            "Acme versus Beta",
            "Our competitors",
            "Alternatives to Acme",
            "hound_vs_sourcegraph",
        ] {
            assert!(is_about_others(title), "{title}");
        }
        assert!(!is_about_others("Services and prices") && !is_about_others("Canvas"));
    }
}
