//! What a document of a business is for, told by rules: its title, its headings, and how it words things. Cautious on
//! purpose: a document is taken for guidance, of which nothing is content, only where title and wording agree or one of
//! them is plain.

mod wording;

use copydesk_domain::document::DocumentKind;

use crate::phrases::{Patterns, is_match};
use crate::text::phrase;
pub(crate) use wording::orders_wording;
use wording::{
    ABOUT_NAMES, CASE_HEADINGS, CASE_NAMES, CONFIDENTIAL, Counted, OTHERS, POLICY_NAMES, PRODUCT_NAMES, STYLE_NAMES,
};

/// How much of a document is read, in bytes: its beginning says what it is.
const READ_BYTES: usize = 64 * 1024;
/// The fewest sentences of which shares are told.
const MIN_SENTENCES: usize = 4;

/// What stands before the name of what is replaced.
const REPLACING: [&str; 7] =
    ["replacement for", "replaces", "alternative to", "better than", "compared to", "compared with", "unlike"];

/// What a document is for. `text` is its Markdown, or its passages under their headings.
pub fn kind(title: &str, text: &str) -> DocumentKind {
    let told = Told::of(title, &text[..text.floor_char_boundary(READ_BYTES)]);
    if told.is_confidential && !told.named(&STYLE_NAMES) {
        return DocumentKind::Policy;
    }
    if is_about_others(title) || is_about_others(told.first()) {
        return DocumentKind::Other;
    }
    if told.is_style_guide() {
        return DocumentKind::StyleGuide;
    }
    if told.named(&CASE_NAMES) || told.headed(&CASE_HEADINGS) >= 3 {
        return DocumentKind::Case;
    }
    if told.is_policy() { DocumentKind::Policy } else { told.content() }
}

/// What tells it.
struct Told<'a> {
    title: &'a str,
    headings: Vec<&'a str>,
    counted: Counted,
    is_confidential: bool,
}

impl<'a> Told<'a> {
    fn of(title: &'a str, text: &'a str) -> Self {
        let headings = text.lines().filter(|line| line.starts_with('#')).map(heading).collect();
        Self { title, headings, counted: Counted::of(text), is_confidential: is_match(&CONFIDENTIAL, text) }
    }

    /// Its first heading: mostly a title.
    fn first(&self) -> &'a str {
        self.headings.first().copied().unwrap_or_default()
    }

    fn named(&self, names: &Patterns) -> bool {
        is_match(names, self.title) || is_match(names, self.first())
    }

    fn headed(&self, names: &Patterns) -> usize {
        self.headings.iter().skip(1).filter(|heading| is_match(names, heading)).count()
    }

    /// A part of its sentences in percent; none where there are too few.
    fn share(&self, part: usize) -> usize {
        if self.counted.all < MIN_SENTENCES { 0 } else { part * 100 / self.counted.all }
    }

    /// Whether it tells how to write: by its headings, by rules for texts, or as it speaks of words in the form of rules.
    fn is_style_guide(&self) -> bool {
        let counted = &self.counted;
        let (style, editorial) = (self.share(counted.style), self.share(counted.editorial));
        let (is_named, is_headed) = (self.named(&STYLE_NAMES), self.headed(&STYLE_NAMES) >= 2);
        let by_rules = (is_named && (is_headed || (style >= 6 && counted.style >= 2)))
            || (is_headed && style >= 12)
            || (style >= 22 && counted.style >= 2);
        let orders = self.share(counted.ordering);
        let by_subject = (editorial >= 45 && counted.editorial >= 4)
            || (editorial >= 20 && orders >= 8 && counted.rules >= 2)
            || (editorial >= 35 && orders >= 20 && counted.rules >= 1);
        (by_rules && (is_named || counted.style > counted.work)) || by_subject
    }

    /// Whether it is for the business's own people: named so, or telling them what to do, or speaking of little but their
    /// work. What offers and introduces as much is not.
    fn is_policy(&self) -> bool {
        let counted = &self.counted;
        let (work, rules) = (self.share(counted.work), self.share(counted.rules));
        let (product, about) = (self.share(counted.product), self.share(counted.about));
        let by_name = self.named(&POLICY_NAMES) && (work >= 8 || counted.work >= 5 || rules >= 5);
        let by_rules = rules >= 10 && counted.rules >= 3;
        let by_work = (work >= 45 && counted.work >= 3)
            || (work >= 30 && rules >= 5)
            || (work >= 20 && product < 15 && counted.rules >= 2 && rules >= 3);
        let is_content = self.named(&PRODUCT_NAMES) || self.named(&ABOUT_NAMES);
        let is_for_staff = by_name || by_rules || (by_work && !is_content);
        is_for_staff && work + rules > product + about
    }

    /// What it tells of the business, where it is no guidance.
    fn content(&self) -> DocumentKind {
        let (about, product) = (self.share(self.counted.about), self.share(self.counted.product));
        match (self.named(&ABOUT_NAMES), self.named(&PRODUCT_NAMES)) {
            (true, true) if about < product => DocumentKind::Product,
            (true, _) => DocumentKind::About,
            (false, true) => DocumentKind::Product,
            (false, false) if about >= 8 && about >= product => DocumentKind::About,
            (false, false) if product >= 20 => DocumentKind::Product,
            (false, false) => DocumentKind::Other,
        }
    }
}

/// A heading without its marks; of a path of headings the last one.
fn heading(line: &str) -> &str {
    let heading = line.trim_start_matches('#').trim();
    heading.rsplit_once(" › ").map_or(heading, |(_, last)| last)
}

/// Whether a document compares the business with others, or speaks of them: facts of it may be theirs.
pub fn is_about_others(title: &str) -> bool {
    is_match(&OTHERS, title)
}

/// Whether a passage offers the business in place of what its document is titled: `Acme is a good replacement for Hound`
/// under `Hound`.
pub fn replaces_its_subject(title: &str, text: &str) -> bool {
    let (title, text) = (phrase::comparable(title), phrase::comparable(text));
    let follows = |at: usize| text[at..].trim_start().starts_with(&title);
    !title.is_empty()
        && REPLACING.iter().any(|words| text.match_indices(words).any(|(at, _)| follows(at + words.len())))
}

/// What stands behind the `vs.` of a title.
pub fn other_side(title: &str) -> Option<&str> {
    [" vs. ", " vs ", " versus "].iter().find_map(|versus| title.split_once(versus)).map(|(_, other)| other)
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
    fn guidance_is_told_by_its_sentences_where_its_title_says_nothing() {
        for (kind, title, text) in [
            (
                DocumentKind::StyleGuide,
                "Names",
                "Use full names on first reference. Spell out the names of states. Whenever a title stands before a name, \
                 lowercase it. Keep to one spelling in all headings. A nickname may follow in the next sentence.",
            ),
            (
                DocumentKind::StyleGuide,
                "Say it once",
                "Readers trust content that is written once. Before you publish a draft, check that no other page has the \
                 same content. Ask the editors where you are in doubt. Long paragraphs should be broken up.",
            ),
            (
                DocumentKind::Policy,
                "Trying things out with people",
                "Participants get a gift card for their time. Ask your manager before you invite more than five. Share the \
                 notes with the design team. Interviews should take half an hour. Nobody reads a script. Record them.",
            ),
            (
                DocumentKind::Policy,
                "Weekly sync",
                "The product team meets on Tuesdays. Designers show their mockups. The manager writes the notes. Colleagues \
                 who cannot come read them. It takes an hour.",
            ),
        ] {
            assert_eq!(super::kind(title, text), kind, "{title}");
        }
    }

    #[test]
    fn content_is_not_taken_for_guidance() {
        for (title, text) in [
            (
                "What the harbour radar is for",
                "Large ports built radars of their own for internal use. Smaller ones could not. Our radar costs a tenth of \
                 that. It includes a year of care.",
            ),
            (
                "FAQ: working with us",
                "How do I apply? Send us your name and a recording. Interviews are by phone. Most candidates hear from us \
                 within two days. You can play at two concerts a week. Every concert is paid.",
            ),
            (
                "A parser of letters",
                "It reads letters line by line. Use `read` to get the headers. It supports every dialect. Call `next` for the \
                 body. Nothing is copied. You should free the buffer yourself.",
            ),
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
        let text = "Hound is made by a club. Acme is a good replacement for Hound in every town.";
        assert!(replaces_its_subject("Hound", text) && replaces_its_subject("hound", "Unlike Hound, Acme has a map."));
        assert!(
            !replaces_its_subject("Acme", text)
                && !replaces_its_subject("", text)
                && !replaces_its_subject("Hound", "")
        );
        assert_eq!(other_side("Acme vs. Hound"), Some("Hound"));
    }
}
