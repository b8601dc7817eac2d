//! Rules read from what a human changed in a text before it was published. A change is no proof of a rule: each found
//! here holds for the edited text and not for the draft, as far as code can tell. It does not guess why.

use std::collections::BTreeSet;

use copydesk_domain::lesson::{Bound, Mark, Observed, Opening, Person, Rule, Signal};

use super::align::{self, Change};
use super::check::Checked;
use super::features;
use crate::text::language::{self, is_english};

mod terms;

use terms::{Swaps, runs};

/// What of each text is read, in bytes.
const MAX_BYTES: usize = 100_000;
/// A change of length that is no accident, in percent of the draft's words; and the least that may be one.
const MIN_LENGTH_CHANGE: (usize, usize) = (20, 5);
/// Sentences that were cut in two, or joined, for a rule: fewer may be an accident.
const MIN_RECUT: usize = 2;
/// The least of the words that stay where sentences are only cut in two or joined, in percent.
const MIN_RECUT_SHARED: usize = 80;
/// More new sentences are another text: their words say little.
const MAX_NEW_SENTENCES: usize = 3;
/// Terms that are taken from new sentences.
const MAX_NEW_TERMS: usize = 6;
/// A shorter edited text has no length to learn from, in words.
const MIN_WORDS: usize = 20;
/// Words of a sentence that are compared with another.
const MAX_SENTENCE_WORDS: usize = 80;
/// Pairs of sentences of one change that are compared, and of all.
const MAX_PAIRS: (usize, usize) = (200, 2_000);
/// The least of the words that a sentence and its edited form share, in percent of both.
const MIN_SHARED: usize = 60;

/// The rules that a human's changes to a draft speak for; none where nothing changed or nothing is left. Those that the
/// change may show by accident are [`Signal::Trace`]s, and stand last.
pub fn of_edit(draft: &str, edited: &str, language: &str) -> Vec<Observed> {
    let (draft, edited) = (head(draft), head(edited));
    if draft == edited || features::words(edited) == 0 || features::words(draft) == 0 {
        return Vec::new();
    }
    let edit = Edit { draft, edited, language, changes: align::changes(draft, edited) };
    let (before, after) = (Checked::of(draft, language), Checked::of(edited, language));
    // Each holds for the edited text and not for the draft.
    let holds = |observed: &Observed| {
        after.fault(&observed.rule).is_some_and(|fault| fault.is_none())
            && before.fault(&observed.rule).is_some_and(|fault| fault.is_some())
    };
    let (mut plain, traces): (Vec<_>, Vec<_>) =
        edit.rules().into_iter().filter(holds).partition(|observed| observed.from == Signal::Edit);
    plain.extend(traces);
    plain
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_BYTES)]
}

struct Edit<'a> {
    draft: &'a str,
    edited: &'a str,
    language: &'a str,
    changes: Vec<Change<'a>>,
}

/// What a change is a sign of.
fn plainly(rule: Rule) -> Observed {
    Observed { rule, from: Signal::Edit }
}

/// What it may be a sign of.
fn faintly(rule: Rule) -> Observed {
    Observed { rule, from: Signal::Trace }
}

/// The one, or the other.
fn seen(rule: Rule, is_plain: bool) -> Observed {
    if is_plain { plainly(rule) } else { faintly(rule) }
}

impl Edit<'_> {
    /// What the change may ask for; [`of_edit`] keeps what holds.
    fn rules(&self) -> Vec<Observed> {
        let mut rules = self.terms();
        rules.extend(self.marks());
        rules.extend(self.length());
        rules.extend(self.reading());
        rules.extend(self.headings());
        rules.extend(self.shape());
        rules.extend(self.persons());
        rules.extend(self.new_terms());
        rules
    }

    fn terms(&self) -> Vec<Observed> {
        let mut swaps = Swaps::of(is_english(self.language));
        let mut left = MAX_PAIRS.1;
        for change in &self.changes {
            for (before, after) in pairs(change, &mut left) {
                swaps.read(&before, &after);
            }
        }
        swaps.rules().into_iter().map(plainly).collect()
    }

    /// Words that only new sentences have. A text needs them for its topic, or a business for its customers: only other
    /// texts tell.
    fn new_terms(&self) -> Vec<Observed> {
        let new: Vec<&str> = self.changes.iter().flat_map(|change| new_sentences(change)).collect();
        if new.len() > MAX_NEW_SENTENCES {
            return Vec::new();
        }
        let mut found = BTreeSet::new();
        let terms = new.into_iter().flat_map(|sentence| runs(&words(sentence)));
        let terms = terms.filter(|term| found.insert(term.clone())).take(MAX_NEW_TERMS);
        terms.map(|term| faintly(Rule::Term { term, wanted: true })).collect()
    }

    fn marks(&self) -> Vec<Observed> {
        let (draft, edited) = (features::prose(self.draft), features::prose(self.edited));
        let changed = |&mark: &Mark| {
            let (had, has) = (features::marks(&draft, mark), features::marks(&edited, mark));
            // Of a text that was cut by half, a mark may have gone with its sentence.
            match (had, has) {
                (0, 1..) => Some(seen(Rule::Punctuation { mark, wanted: true }, has > 1)),
                (1.., 0) if had > usize::from(self.is_cut()) => {
                    Some(plainly(Rule::Punctuation { mark, wanted: false }))
                }
                _ => None,
            }
        };
        Mark::ALL.iter().filter_map(changed).collect()
    }

    /// Whether half of the text is gone: little is said by what went with it.
    fn is_cut(&self) -> bool {
        features::words(self.edited) * 2 < features::words(self.draft)
    }

    fn length(&self) -> Option<Observed> {
        let (had, has) = (features::words(self.draft), features::words(self.edited));
        let changed = |percent| had.abs_diff(has) * 100 >= had * percent && has >= MIN_WORDS;
        let (bound, words) = match (has < had, changed(MIN_LENGTH_CHANGE.0)) {
            (true, true) => (Bound::AtMost, (has * 21).div_ceil(20).next_multiple_of(10)),
            (false, true) => (Bound::AtLeast, has / 10 * 10),
            // Room to spare would let the draft pass.
            (true, false) => (Bound::AtMost, has.next_multiple_of(5)),
            (false, false) => (Bound::AtLeast, has / 5 * 5),
        };
        let rule = Rule::Length { bound, words: small(words) };
        changed(MIN_LENGTH_CHANGE.1).then(|| seen(rule, changed(MIN_LENGTH_CHANGE.0)))
    }

    /// How long sentences are, where some were cut in two or joined and little else was changed in them.
    fn reading(&self) -> Option<Observed> {
        let (mut cut, mut joined) = (0, 0);
        for Change { before, after } in &self.changes {
            let (old, new) = (all(before), all(after));
            let is_recut = before.len() != after.len() && shared_percent(&old, &new) >= MIN_RECUT_SHARED;
            if is_recut {
                cut += after.len().saturating_sub(before.len());
                joined += before.len().saturating_sub(after.len());
            }
        }
        let mean = features::mean_words(self.edited)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is of 0 to 65535")]
        let rule = |bound, words: f64| Rule::Reading { bound, sentence_words: words.clamp(0.0, 65_535.0) as u16 };
        match (cut, joined) {
            (1.., 0) => Some(seen(rule(Bound::AtMost, mean.ceil()), cut >= MIN_RECUT)),
            (0, 1..) => Some(seen(rule(Bound::AtLeast, mean.floor()), joined >= MIN_RECUT)),
            _ => None,
        }
    }

    fn headings(&self) -> Option<Observed> {
        let (had, has) = (features::headings(self.draft), features::headings(self.edited));
        let is_changed = had.abs_diff(has) >= 2 || (had == 0) != (has == 0);
        let bound = if has < had { Bound::AtMost } else { Bound::AtLeast };
        (had != has).then(|| seen(Rule::Headings { bound, count: small(has) }, is_changed))
    }

    /// What is there or not.
    fn shape(&self) -> Vec<Observed> {
        let either = |rule: fn(bool) -> Rule, is_plain| [true, false].map(|wanted| seen(rule(wanted), is_plain));
        let mut rules = [
            either(|wanted| Rule::Opening { with: Opening::Question, wanted }, true),
            either(|wanted| Rule::Opening { with: Opening::Greeting, wanted }, true),
            either(|wanted| Rule::CallToAction { wanted }, true),
            either(|wanted| Rule::Lists { wanted }, true),
        ]
        .concat();
        if self.opens_anew() {
            // It may need a figure, or none, for what it says.
            rules.extend(either(|wanted| Rule::Opening { with: Opening::Figure, wanted }, false));
        }
        rules
    }

    /// Whether the first sentence is another one, and no other form of the draft's.
    fn opens_anew(&self) -> bool {
        let first = |text| features::first_sentence(&features::prose(text)).unwrap_or_default();
        let (before, after) = (first(self.draft), first(self.edited));
        shared_percent(&words(&before), &words(&after)) < MIN_SHARED
    }

    /// Persons that came or went; in one sentence it may be an accident.
    fn persons(&self) -> Vec<Observed> {
        let (draft, edited) = (features::prose(self.draft), features::prose(self.edited));
        let (had, has) = (features::count_speaking(&draft), features::count_speaking(&edited));
        let changed = |(person, (had, has))| match (had, has) {
            (0, 1..) => Some(seen(Rule::Person { person, wanted: true }, has > 1)),
            (1.., 0) => Some(seen(Rule::Person { person, wanted: false }, had > 1)),
            _ => None,
        };
        let persons = [Person::First, Person::Second].into_iter();
        persons.zip(had.into_iter().zip(has)).filter_map(changed).collect()
    }
}

/// The words of sentences, in one and in lower case: a cut makes capitals.
fn all(sentences: &[&str]) -> Vec<String> {
    sentences.iter().flat_map(|sentence| language::words(sentence)).map(|word| bare(word).to_lowercase()).collect()
}

/// The sentences that are no other form of one before.
fn new_sentences<'a>(change: &Change<'a>) -> Vec<&'a str> {
    if change.before.len() * change.after.len() > MAX_PAIRS.0 {
        return Vec::new();
    }
    let before: Vec<Vec<&str>> = change.before.iter().map(|sentence| words(sentence)).collect();
    let is_new = |sentence: &&&str| {
        let words = words(sentence);
        words.len() <= MAX_SENTENCE_WORDS && before.iter().all(|other| shared_percent(other, &words) < MIN_SHARED)
    };
    change.after.iter().filter(is_new).copied().collect()
}

fn small(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// A sentence's words as they are compared: without marks around them.
fn words(sentence: &str) -> Vec<&str> {
    language::words(sentence).map(bare).take(MAX_SENTENCE_WORDS + 1).collect()
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// Sentences of a change and what they became: each with the one that shares most words with it.
fn pairs<'a>(change: &Change<'a>, left: &mut usize) -> Vec<(Vec<&'a str>, Vec<&'a str>)> {
    let product = change.before.len() * change.after.len();
    if product > MAX_PAIRS.0 || product > *left {
        return Vec::new();
    }
    *left -= product;
    let after: Vec<Vec<&str>> = change.after.iter().map(|sentence| words(sentence)).collect();
    let mut taken = BTreeSet::new();
    let mut found = Vec::new();
    for before in change.before.iter().map(|sentence| words(sentence)) {
        let shares = after.iter().enumerate().filter(|(at, _)| !taken.contains(at));
        let best = shares.map(|(at, words)| (shared_percent(&before, words), at)).max();
        if let Some((_, at)) = best.filter(|(share, _)| *share >= MIN_SHARED)
            && before.len() <= MAX_SENTENCE_WORDS
            && after[at].len() <= MAX_SENTENCE_WORDS
        {
            taken.insert(at);
            found.push((before, after[at].clone()));
        }
    }
    found
}

/// The words that two sentences share, in percent of the words of both; as bags, so that it is cheap.
fn shared_percent<T: Ord + Clone>(before: &[T], after: &[T]) -> usize {
    let (mut one, mut other) = (before.to_vec(), after.to_vec());
    one.sort_unstable();
    other.sort_unstable();
    let (mut at, mut to, mut same) = (0, 0, 0);
    while let (Some(a), Some(b)) = (one.get(at), other.get(to)) {
        same += usize::from(a == b);
        (at, to) = (at + usize::from(a <= b), to + usize::from(b <= a));
    }
    let all = before.len() + after.len();
    (same * 200).checked_div(all).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::check;

    const DRAFT: &str = "# Scans at night\n\nOur users get results in two hours. We leverage modern tools every day. \
        Each scan is read by two people, one after the other. The clinic opens at eight and closes at midnight. \
        A nurse answers the telephone and plans the visits. Parking is free for all who come by car.";

    /// What is read, and the traces.
    fn both(draft: &str, edited: &str) -> [Vec<String>; 2] {
        let rules = of_edit(draft, edited, "en");
        [Signal::Edit, Signal::Trace].map(|signal| {
            let of = rules.iter().filter(|observed| observed.from == signal);
            of.map(|observed| observed.rule.to_string()).collect()
        })
    }

    fn told(draft: &str, edited: &str) -> Vec<String> {
        both(draft, edited)[0].clone()
    }

    fn edited(changes: &[(&str, &str)]) -> String {
        changes.iter().fold(DRAFT.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        })
    }

    fn read(changes: &[(&str, &str)]) -> Vec<String> {
        told(DRAFT, &edited(changes))
    }

    #[test]
    fn one_change_is_one_rule() {
        for (from, to, expected) in [
            ("users", "patients", "Say \"patients\", and never \"users\"."),
            ("Our users", "Our patients", "Say \"patients\", and never \"users\"."),
            ("leverage", "use", "Say \"use\", and never \"leverage\"."),
            ("modern ", "", "Never use \"modern\"."),
            ("telephone", "phone line", "Say \"phone line\", and never \"telephone\"."),
            ("Our users get", "Do you wait? Our users get", "Open with a question."),
            ("by car.", "by car. Book your visit today.", "End with a call to action."),
            (" The clinic opens", "\n\n## Hours\n\nThe clinic opens", "Use at least 1 headings below the title."),
            (" A nurse answers", "\n\n- Nurses\n- Doctors\n\nA nurse answers", "Use a list with bullets."),
        ] {
            assert_eq!(read(&[(from, to)]), [expected], "{from} → {to}");
        }
    }

    #[test]
    fn what_was_taken_out_again_is_read_the_other_way() {
        for (added, expected) in [
            ("Do you wait? Our users", "Do not open with a question."),
            ("Our users wait! Our users", "Use no exclamation marks."),
            ("Our users — all — wait. Our users", "Use no em dashes."),
            ("Our users wait 🎉. Our users", "Use no emoji."),
            ("Our users wait; so do we. Our users", "Use no semicolons."),
            ("Our users wait … Our users", "Use no ellipses."),
            ("#care #scans\n\nOur users", "Use no hashtags."),
            ("## A\n\nText.\n\n## B\n\nOur users", "Use no headings below the title."),
            ("Hello,\n\nOur users", "Do not open with a greeting."),
            ("- one\n- two\n\nOur users", "Use no lists with bullets or numbers."),
            ("You wait. Your day is long. Our users", "Do not speak to the reader as \"you\"."),
        ] {
            let draft = DRAFT.replacen("Our users", added, 1);
            assert_eq!(told(&draft, DRAFT), [expected], "{added}");
        }
        let draft = format!("{DRAFT} Book your visit today.");
        assert_eq!(told(&draft, DRAFT), ["Do not end with a call to action."]);
    }

    #[test]
    fn what_may_be_an_accident_is_a_trace() {
        for (from, to, expected) in [
            ("car.", "car. Ask for the shuttle bus.", vec!["Use the term \"shuttle\"."]),
            ("We leverage modern", "You find modern", vec!["Speak to the reader as \"you\"."]),
            ("every day.", "every day; that helps.", vec!["Use semicolons."]),
            ("every day.", "every day!", vec!["Use exclamation marks."]),
            ("Our users get results in two hours.", "17 people wait here.", vec!["Open with a figure."]),
            (" Parking is free for all who come by car.", "", vec!["Write at most 45 words."]),
            (
                "Each scan is read by two people, one after the other.",
                "Each scan is read by two people. One after the other.",
                vec!["Write short sentences: 8 words on average at most."],
            ),
        ] {
            let [_, traces] = both(DRAFT, &edited(&[(from, to)]));
            for one in &expected {
                assert!(traces.iter().any(|trace| trace == one), "{from} → {to}: {traces:?}");
            }
        }
        let twice = edited(&[("day.", "day!"), ("visits.", "visits!")]);
        assert_eq!(told(DRAFT, &twice), ["Use exclamation marks."]);
    }

    #[test]
    fn sentences_that_are_joined_or_cut_show_how_long_they_should_be() {
        let short = DRAFT.replace(" and closes", ". Closes").replace(" and plans", ". Plans");
        assert_eq!(told(DRAFT, &short), ["Write short sentences: 7 words on average at most."]);
        assert_eq!(told(&short, DRAFT), ["Write longer sentences: 8 words on average at least."]);
    }

    #[test]
    fn changes_of_facts_spelling_and_grammar_are_no_rules() {
        for (from, to) in [
            ("two hours", "3 hours"),
            ("every day", "each day"),
            ("opens at", "opened at"),
            ("at eight", "at nine"),
            ("midnight", "midnigth"),
            ("A nurse", "The nurse"),
            ("users", "user"),
        ] {
            assert_eq!(of_edit(DRAFT, &edited(&[(from, to)]), "en"), [], "{from} → {to}");
        }
        let (draft, edited) =
            ("We met in Berlin in the spring of last year.", "We met in Munich in the spring of last year.");
        assert_eq!(of_edit(draft, edited, "en"), [], "a place is a fact");
    }

    #[test]
    fn lengths_are_read_from_a_fifth_on() {
        let half = DRAFT.split_at(DRAFT.find("The clinic").unwrap_or(0)).0;
        assert_eq!(told(DRAFT, half), ["Write at most 30 words."]);
        assert!(told(half, DRAFT).contains(&"Write at least 50 words.".to_owned()));
        assert_eq!(read(&[(" Parking is free for all who come by car.", "")]), [""; 0]);
    }

    #[test]
    fn a_text_written_anew_says_nothing_of_words() {
        let other = "# Boats\n\nBoats need paint in spring. The harbour lifts them gently, and dries their hulls. Old layers \
            are sanded away before new ones go on. Whoever waits too long pays twice. Oak lasts longer than pine, they \
            say, and steel longer than oak. Ask those who know the sea, before the winter comes and the ice is here.";
        let rules = of_edit(DRAFT, other, "en");
        assert!(
            rules.iter().all(|observed| !matches!(observed.rule, Rule::Term { .. } | Rule::Prefer { .. })),
            "{rules:?}"
        );
        assert_eq!(of_edit(DRAFT, DRAFT, "en"), []);
        assert_eq!(of_edit(DRAFT, "", "en"), []);
        assert_eq!(of_edit("", DRAFT, "en"), []);
    }

    #[test]
    fn other_languages_are_compared_too() {
        let draft = "# Nachts\n\nUnsere Nutzer warten zwei Stunden! Die Klinik öffnet jeden Tag um acht Uhr.";
        let edited = "# Nachts\n\nUnsere Patienten warten zwei Stunden. Die Klinik öffnet jeden Tag um acht Uhr.";
        let expected = [
            plainly(Rule::Prefer { term: "Patienten".into(), over: "Nutzer".into() }),
            plainly(Rule::Punctuation { mark: Mark::Exclamation, wanted: false }),
        ];
        assert_eq!(of_edit(draft, edited, "de"), expected);
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_holds_for_the_edited_text(words in proptest::collection::vec(0..PIECES.len(), 1..40), cut in 0_usize..40, other in 0..PIECES.len()) {
            let draft: String = words.iter().map(|&n| PIECES[n]).collect();
            let mut kept = words;
            let at = cut % kept.len();
            kept[at] = other;
            kept.truncate(kept.len().saturating_sub(cut / 8).max(1));
            let edited: String = kept.iter().map(|&n| PIECES[n]).collect();
            let rules = of_edit(&draft, &edited, "en");
            proptest::prop_assert_eq!(&rules, &of_edit(&draft, &edited, "en"));
            for Observed { rule, .. } in rules {
                proptest::prop_assert!(check(&rule, &edited, "en").is_none_or(|check| check.passed), "{}", rule);
            }
        }

        #[test]
        fn any_texts_are_compared(draft in ".{0,200}", edited in ".{0,200}") {
            let (rules, effort) = (of_edit(&draft, &edited, "en"), crate::lesson::effort(&draft, &edited));
            proptest::prop_assert!((0.0..=1.0).contains(&effort.words_changed) && (0.0..=1.0).contains(&effort.compression));
            proptest::prop_assert!(rules.iter().all(|observed| check(&observed.rule, &edited, "en").is_none_or(|check| check.passed)));
            let same = crate::lesson::effort(&draft, &draft);
            proptest::prop_assert!(same.words_changed == 0.0 && same.compression == 0.0);
        }
    }

    const PIECES: [&str; 14] = [
        "Our users wait two hours. ",
        "Our patients wait two hours. ",
        "Do you wait? ",
        "It helps! ",
        "We leverage it; so do they. ",
        "\n\n## Hours\n\n",
        "\n\n- one\n- two\n\n",
        "# Title\n\n",
        "Book a visit today. ",
        "You sleep well — at last. ",
        "Nice 🎉 … #care ",
        "Dr. Lee reads [1] each scan. ",
        "\n\n",
        "我们的诊所每天开门。",
    ];

    #[test]
    fn large_texts_are_compared_in_time() {
        let words = |seed: u64| -> String {
            let word = |n: u64| format!("w{} ", (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed) % 5_000);
            (0..18_000_u64).map(word).collect()
        };
        let sentences = |seed: u64| words(seed).replace("7 ", "7. ");
        let mut reversed: Vec<String> = (0..5_000).map(|n| format!("It is number {n}. ")).collect();
        let forward = reversed.concat();
        reversed.reverse();
        for (draft, edited) in [
            (words(1), words(2)),
            (sentences(1), sentences(2)),
            (forward, reversed.concat()),
            ("a ".repeat(50_000), "b ".repeat(50_000)),
            ("!".repeat(100_000), "\n".repeat(100_000)),
            ("x".repeat(100_000), ": ".repeat(50_000)),
            ("| ".repeat(50_000), "\"a\" [1] ".repeat(12_000)),
            ("A b. ".repeat(20_000), "A c. ".repeat(20_000)),
        ] {
            let began = std::time::Instant::now();
            of_edit(&draft, &edited, "en");
            let read = began.elapsed();
            crate::lesson::effort(&draft, &edited);
            let all = began.elapsed();
            assert!(all.as_secs() < 20, "{:?} {read:?} {all:?}", &draft[..9.min(draft.len())]);
        }
    }
}
