//! Rules read from what a human changed in a text before it was published. A change is no proof of a rule: each found
//! here holds for the edited text and not for the draft, as far as code can tell. It does not guess why.

use std::collections::{BTreeMap, BTreeSet};

use copydesk_domain::lesson::{Bound, Mark, Opening, Person, Rule};
use similar::{Algorithm, DiffOp};

use super::align::{self, Change};
use super::check::Checked;
use super::features;
use crate::text::language::{self, is_english};

/// What of each text is read, in bytes.
const MAX_BYTES: usize = 100_000;
/// A change of length that is no accident, in percent of the draft's words.
const MIN_LENGTH_CHANGE: usize = 20;
/// A shorter edited text has no length to learn from, in words.
const MIN_WORDS: usize = 20;
/// The longest term, in words.
const MAX_TERM_WORDS: usize = 3;
/// Words of a sentence that are compared with another.
const MAX_SENTENCE_WORDS: usize = 80;
/// Pairs of sentences of one change that are compared, and of all.
const MAX_PAIRS: (usize, usize) = (200, 2_000);
/// The least of the words that a sentence and its edited form share, in percent of both.
const MIN_SHARED: usize = 60;
/// More single swaps of words are a rewritten text: none of them says much.
const MAX_SINGLE_SWAPS: usize = 6;
/// Places where a term is put in before it is taken for one that is wanted.
const MIN_ADDED: usize = 3;
/// Rules about terms from one edit.
const MAX_TERMS: usize = 8;
/// Words that only strengthen others: to take them out twice is a rule.
const INTENSIFIERS: [&str; 9] =
    ["very", "really", "just", "quite", "simply", "actually", "basically", "literally", "truly"];

/// English words that say how many, when or which: to swap them is a matter of the sentence.
const PLAIN: [&str; 58] = [
    "each",
    "every",
    "all",
    "any",
    "some",
    "many",
    "most",
    "several",
    "both",
    "few",
    "more",
    "less",
    "other",
    "others",
    "another",
    "such",
    "own",
    "same",
    "now",
    "then",
    "here",
    "there",
    "also",
    "too",
    "yes",
    "first",
    "second",
    "last",
    "next",
    "once",
    "twice",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "today",
    "tomorrow",
    "yesterday",
    "week",
    "month",
    "year",
    "day",
    "today's",
    "only",
    "still",
    "yet",
    "however",
    "so",
    "thus",
    "therefore",
];

/// The rules that a human's changes to a draft speak for; none where nothing changed or nothing is left.
pub fn of_edit(draft: &str, edited: &str, language: &str) -> Vec<Rule> {
    let (draft, edited) = (head(draft), head(edited));
    if draft == edited || features::words(edited) == 0 || features::words(draft) == 0 {
        return Vec::new();
    }
    let edit = Edit { draft, edited, language };
    let mut rules = Vec::new();
    rules.extend(edit.terms());
    rules.extend(edit.marks());
    rules.extend(edit.length());
    rules.extend(edit.headings());
    rules.extend(edit.shape());
    rules.extend(edit.persons());
    let (before, after) = (Checked::of(draft, language), Checked::of(edited, language));
    // Each holds for the edited text and not for the draft.
    rules.retain(|rule| {
        after.fault(rule).is_some_and(|fault| fault.is_none())
            && before.fault(rule).is_some_and(|fault| fault.is_some())
    });
    rules
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_BYTES)]
}

struct Edit<'a> {
    draft: &'a str,
    edited: &'a str,
    language: &'a str,
}

impl Edit<'_> {
    fn terms(&self) -> Vec<Rule> {
        let mut swaps = Swaps { is_english: is_english(self.language), ..Swaps::default() };
        let mut left = MAX_PAIRS.1;
        for change in align::changes(self.draft, self.edited) {
            for (before, after) in pairs(&change, &mut left) {
                swaps.read(&before, &after);
            }
        }
        swaps.rules()
    }

    fn marks(&self) -> Vec<Rule> {
        let (draft, edited) = (features::prose(self.draft), features::prose(self.edited));
        // Of a text that was cut by half, a mark may have gone with its sentence.
        let is_cut = features::words(self.edited) * 2 < features::words(self.draft);
        let vanished = |mark: &&Mark| {
            let had = features::marks(&draft, **mark);
            had > usize::from(is_cut) && features::marks(&edited, **mark) == 0
        };
        Mark::ALL.iter().filter(vanished).map(|&mark| Rule::Punctuation { mark, wanted: false }).collect()
    }

    fn length(&self) -> Option<Rule> {
        let (had, has) = (features::words(self.draft), features::words(self.edited));
        let is_changed = had.abs_diff(has) * 100 >= had * MIN_LENGTH_CHANGE && has >= MIN_WORDS;
        let (bound, words) =
            if has < had { (Bound::AtMost, (has * 21).div_ceil(20).div_ceil(10)) } else { (Bound::AtLeast, has / 10) };
        is_changed.then(|| Rule::Length { bound, words: small(words * 10) })
    }

    fn headings(&self) -> Option<Rule> {
        let (had, has) = (features::headings(self.draft), features::headings(self.edited));
        let is_changed = had.abs_diff(has) >= 2 || (had == 0) != (has == 0);
        let bound = if has < had { Bound::AtMost } else { Bound::AtLeast };
        is_changed.then(|| Rule::Headings { bound, count: small(has) })
    }

    /// What is there or not; [`of_edit`] keeps those that hold.
    fn shape(&self) -> Vec<Rule> {
        let either = [true, false].into_iter();
        let opening = |with| move |wanted| Rule::Opening { with, wanted };
        let questions = either.clone().map(opening(Opening::Question));
        let greetings = either.clone().map(opening(Opening::Greeting));
        let calls = either.clone().map(|wanted| Rule::CallToAction { wanted });
        questions.chain(greetings).chain(calls).chain(either.map(|wanted| Rule::Lists { wanted })).collect()
    }

    /// Persons that came or went in two sentences or more.
    fn persons(&self) -> Vec<Rule> {
        let (draft, edited) = (features::prose(self.draft), features::prose(self.edited));
        let (had, has) = (features::count_speaking(&draft), features::count_speaking(&edited));
        let changed = |(person, (had, has))| match (had, has) {
            (0, 2..) => Some(Rule::Person { person, wanted: true }),
            (2.., 0) => Some(Rule::Person { person, wanted: false }),
            _ => None,
        };
        let persons = [Person::First, Person::Second].into_iter();
        persons.zip(had.into_iter().zip(has)).filter_map(changed).collect()
    }
}

fn small(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// A sentence's words as they are compared: without marks around them.
fn words(sentence: &str) -> Vec<&str> {
    let bare = |word: &'_ str| -> (usize, usize) {
        let start = word.find(char::is_alphanumeric).unwrap_or(word.len());
        (start, word.rfind(char::is_alphanumeric).map_or(word.len(), |end| end + char_bytes(word, end)))
    };
    let words = language::words(sentence).map(|word| {
        let (start, end) = bare(word);
        &word[start.min(end)..end]
    });
    words.take(MAX_SENTENCE_WORDS + 1).collect()
}

fn char_bytes(word: &str, at: usize) -> usize {
    word[at..].chars().next().map_or(0, char::len_utf8)
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
fn shared_percent(before: &[&str], after: &[&str]) -> usize {
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

/// Terms that were replaced, taken out or put in, and in how many places.
#[derive(Default)]
struct Swaps {
    is_english: bool,
    replaced: BTreeMap<(String, String), usize>,
    removed: BTreeMap<String, Removed>,
    added: BTreeMap<String, usize>,
}

#[derive(Default)]
struct Removed {
    places: usize,
    /// Whether nothing else changed in the sentence.
    alone: bool,
}

impl Swaps {
    /// Reads a sentence and what it became.
    fn read(&mut self, before: &[&str], after: &[&str]) {
        let ops = similar::capture_diff_slices(Algorithm::Myers, before, after);
        let changed = ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. })).count();
        let same: usize = ops.iter().map(|op| if let DiffOp::Equal { len, .. } = op { *len } else { 0 }).sum();
        // Words in common in another order are another sentence.
        if same * 200 < MIN_SHARED * (before.len() + after.len()) || changed > 3 {
            return;
        }
        for op in &ops {
            let (old, new) = (&before[op.old_range()], &after[op.new_range()]);
            match op {
                DiffOp::Equal { .. } => {}
                DiffOp::Replace { .. } => self.replace(old, new, op.old_range().start == 0),
                DiffOp::Delete { .. } => self.remove(old, changed == 1, op.old_range().start == 0),
                DiffOp::Insert { .. } => self.add(new),
            }
        }
    }

    fn replace(&mut self, old: &[&str], new: &[&str], is_first: bool) {
        let (old, new) = without_shared(old, new);
        // Other languages write more than names with a capital.
        let are_names = self.is_english && !is_first && is_name(old) && is_name(new);
        if let (Some(over), Some(term)) = (term(old, is_first), term(new, is_first))
            && !are_names
            && is_other_word(&over, &term)
        {
            *self.replaced.entry((over, term)).or_default() += 1;
        }
    }

    fn remove(&mut self, old: &[&str], alone: bool, is_first: bool) {
        let intensifier = old.first().filter(|word| old.len() == 1 && INTENSIFIERS.contains(word));
        let is_one_name = !is_first && is_name(old);
        if let Some(term) = intensifier.map(|word| (*word).to_owned()).or_else(|| term(old, is_first)) {
            let removed = self.removed.entry(term).or_default();
            removed.places += 1;
            removed.alone |= alone && !is_one_name && intensifier.is_none();
        }
    }

    fn add(&mut self, new: &[&str]) {
        if let Some(term) = term(new, false) {
            *self.added.entry(term).or_default() += 1;
        }
    }

    fn rules(self) -> Vec<Rule> {
        let single = self.replaced.values().filter(|places| **places == 1).count();
        let least = if single > MAX_SINGLE_SWAPS { 2 } else { 1 };
        let mut swapped: Vec<_> = self.replaced.into_iter().filter(|(_, places)| *places >= least).collect();
        swapped.sort_by_key(|(_, places)| std::cmp::Reverse(*places));
        let mut seen = BTreeSet::new();
        // One term has one better one: the most frequent.
        swapped.retain(|((over, _), _)| seen.insert(over.clone()));
        // The form of a verb is no other term.
        let is_form = |over: &str, term: &str| features::forms(over, self.is_english).iter().any(|form| form == term);
        swapped.retain(|((over, term), _)| !is_form(over, term) && !is_form(term, over));
        let prefer = swapped.into_iter().map(|((over, term), _)| Rule::Prefer { term, over });
        let removed = self.removed.into_iter().filter(|(_, removed)| removed.alone || removed.places >= 2);
        let removed = removed.map(|(term, _)| Rule::Term { term, wanted: false });
        let added = self.added.into_iter().filter(|(_, places)| *places >= MIN_ADDED);
        let added = added.map(|(term, _)| Rule::Term { term, wanted: true });
        prefer.chain(removed).chain(added).take(MAX_TERMS).collect()
    }
}

/// Words that replaced others, without those that both begin or end with.
fn without_shared<'a, 'b>(old: &'a [&'b str], new: &'a [&'b str]) -> (&'a [&'b str], &'a [&'b str]) {
    let lead = old.iter().zip(new).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let (old, new) = (&old[lead..], &new[lead..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    (&old[..old.len() - tail], &new[..new.len() - tail])
}

/// Words as a term: few, with letters, without figures, and not of function words alone. In lower case, but for names.
fn term(words: &[&str], is_first: bool) -> Option<String> {
    let bare = |words: &[&str]| words.iter().all(|word| is_plain(word));
    let is_term = (1..=MAX_TERM_WORDS).contains(&words.len())
        && words.iter().all(|word| word.contains(char::is_alphabetic) && !word.contains(char::is_numeric))
        && !bare(words);
    // An article or a preposition at an end belongs to the sentence.
    let is_edge = |word: &&&str| bare(&[**word]);
    let start = words.iter().take_while(is_edge).count();
    let end = words.len() - words.iter().rev().take_while(is_edge).count();
    is_term.then(|| {
        let kept = &words[start..end];
        let cased = kept.iter().enumerate().map(|(n, word)| cased(word, is_first && start + n == 0));
        cased.collect::<Vec<_>>().join(" ")
    })
}

/// A word that says little by itself.
fn is_plain(word: &str) -> bool {
    copydesk_words::words(word).is_empty() || PLAIN.iter().any(|plain| word.eq_ignore_ascii_case(plain))
}

/// A word in lower case, but for a name: one with a capital that does not begin the sentence, or with several.
fn cased(word: &str, is_first: bool) -> String {
    let capitals = word.chars().filter(|c| c.is_uppercase()).count();
    if capitals > usize::from(is_first) { word.to_owned() } else { word.to_lowercase() }
}

fn is_name(words: &[&str]) -> bool {
    !words.is_empty() && words.iter().all(|word| word.starts_with(char::is_uppercase))
}

/// Whether two terms differ in more than their case, marks and spelling: a typing error is no rule.
fn is_other_word(one: &str, other: &str) -> bool {
    let letters =
        |term: &str| term.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (one, other) = (letters(one), letters(other));
    let lead = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let tail = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    let most = one.len().max(other.len());
    // One letter more, less or other, or two that changed places.
    lead + tail + 2 < most || most < 4 && one != other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::check;

    const DRAFT: &str = "# Scans at night\n\nOur users get results in two hours. We leverage modern tools every day. \
        Each scan is read by two people, one after the other. The clinic opens at eight and closes at midnight. \
        A nurse answers the telephone and plans the visits. Parking is free for all who come by car.";

    fn read(changes: &[(&str, &str)]) -> Vec<String> {
        let edited = changes.iter().fold(DRAFT.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        of_edit(DRAFT, &edited, "en").iter().map(ToString::to_string).collect()
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
            let rules: Vec<String> = of_edit(&draft, DRAFT, "en").iter().map(ToString::to_string).collect();
            assert_eq!(rules, [expected], "{added}");
        }
        let draft = format!("{DRAFT} Book your visit today.");
        assert_eq!(of_edit(&draft, DRAFT, "en"), [Rule::CallToAction { wanted: false }]);
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
            assert_eq!(read(&[(from, to)]), [""; 0], "{from} → {to}");
        }
        let (draft, edited) =
            ("We met in Berlin in the spring of last year.", "We met in Munich in the spring of last year.");
        assert_eq!(of_edit(draft, edited, "en"), [], "a place is a fact");
    }

    #[test]
    fn lengths_are_read_from_a_fifth_on() {
        let half = DRAFT.split_at(DRAFT.find("The clinic").unwrap_or(0)).0;
        assert_eq!(of_edit(DRAFT, half, "en"), [Rule::Length { bound: Bound::AtMost, words: 30 }]);
        assert_eq!(of_edit(half, DRAFT, "en"), [Rule::Length { bound: Bound::AtLeast, words: 50 }]);
        assert_eq!(read(&[(" Parking is free for all who come by car.", "")]), [""; 0]);
    }

    #[test]
    fn a_text_written_anew_says_nothing_of_words() {
        let other = "# Boats\n\nBoats need paint in spring. The harbour lifts them gently, and dries their hulls. Old layers \
            are sanded away before new ones go on. Whoever waits too long pays twice. Oak lasts longer than pine, they \
            say, and steel longer than oak. Ask those who know the sea, before the winter comes and the ice is here.";
        let rules = of_edit(DRAFT, other, "en");
        assert!(rules.iter().all(|rule| !matches!(rule, Rule::Term { .. } | Rule::Prefer { .. })), "{rules:?}");
        assert_eq!(of_edit(DRAFT, DRAFT, "en"), []);
        assert_eq!(of_edit(DRAFT, "", "en"), []);
        assert_eq!(of_edit("", DRAFT, "en"), []);
    }

    #[test]
    fn other_languages_are_compared_too() {
        let draft = "# Nachts\n\nUnsere Nutzer warten zwei Stunden! Die Klinik öffnet jeden Tag um acht Uhr.";
        let edited = "# Nachts\n\nUnsere Patienten warten zwei Stunden. Die Klinik öffnet jeden Tag um acht Uhr.";
        let expected = [
            Rule::Prefer { term: "Patienten".into(), over: "Nutzer".into() },
            Rule::Punctuation { mark: Mark::Exclamation, wanted: false },
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
            for rule in rules {
                proptest::prop_assert!(check(&rule, &edited, "en").is_none_or(|check| check.passed), "{}", rule);
            }
        }

        #[test]
        fn any_texts_are_compared(draft in ".{0,200}", edited in ".{0,200}") {
            let (rules, effort) = (of_edit(&draft, &edited, "en"), crate::lesson::effort(&draft, &edited));
            proptest::prop_assert!((0.0..=1.0).contains(&effort.words_changed) && (0.0..=1.0).contains(&effort.compression));
            proptest::prop_assert!(rules.iter().all(|rule| check(rule, &edited, "en").is_none_or(|check| check.passed)));
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
