//! Whether a text follows a rule, as far as code can tell. It says where a text does not, so that an editor finds it;
//! it mends nothing.

use copydesk_domain::lesson::{Bound, Mark, Opening, Person, Rule};
use copydesk_domain::review::Check;

use super::features::{self, Close};
use crate::text::clip::one_line;
use crate::text::language::{asks, is_english};
use crate::text::sentence;

/// How much longer or shorter than asked for a text or its sentences may be, in percent.
const TOLERANCE_PERCENT: usize = 5;
/// What a check quotes of the place that fails, in characters.
const MAX_PLACE_CHARS: usize = 120;
/// The most that a check says, in characters.
const MAX_DETAIL_CHARS: usize = 400;

/// Whether a text in Markdown follows a rule; `None` where code cannot tell: for notes, and in other languages than
/// English for what is read in words. Terms are found as whole words in any case, in English with their regular
/// endings from four letters on (see `features::forms`). Lengths may differ by 5%. Quoted speech has no person.
pub fn check(rule: &Rule, text: &str, language: &str) -> Option<Check> {
    let place = Checked::of(text, language).fault(rule)?;
    let told = place.map(|place| one_line(&format!("People asked for this: {rule} {place}"), MAX_DETAIL_CHARS));
    let name = format!("lesson:{}", rule.slot());
    Some(Check { name, passed: told.is_none(), detail: told.unwrap_or_default() })
}

/// A text that is held against rules.
pub(super) struct Checked<'a> {
    text: &'a str,
    prose: String,
    language: &'a str,
}

/// Where a text does not follow a rule; `None` where it does.
pub(super) type Fault = Option<String>;

impl<'a> Checked<'a> {
    pub(super) fn of(text: &'a str, language: &'a str) -> Self {
        Self { text, prose: features::prose(text), language }
    }

    /// `None` where code cannot tell.
    pub(super) fn fault(&self, rule: &Rule) -> Option<Fault> {
        match rule {
            Rule::Term { term, wanted: true } => self.lacks(term),
            Rule::Term { term, wanted: false } => self.holds(term, ""),
            Rule::Prefer { term, over } => self.holds(over, term),
            Rule::Length { bound, words } => Some(self.length(*bound, usize::from(*words))),
            Rule::Opening { with, wanted } => self.opening(*with, *wanted),
            Rule::CallToAction { wanted } => self.is_english().then(|| self.close(*wanted))?,
            Rule::Punctuation { mark, wanted } => self.mark(*mark, *wanted),
            Rule::Person { person, wanted } => self.is_english().then(|| self.person(*person, *wanted)),
            Rule::Reading { bound, sentence_words } => self.reading(*bound, *sentence_words),
            Rule::Headings { bound, count } => Some(self.headings(*bound, usize::from(*count))),
            Rule::Lists { wanted } => Some(self.lists(*wanted)),
            Rule::Note { .. } => None,
        }
    }

    fn is_english(&self) -> bool {
        is_english(self.language)
    }

    fn lacks(&self, term: &str) -> Option<Fault> {
        let term = told(term)?;
        let holds = features::holds_term(&features::comparable(&self.prose), &term, self.is_english(), true);
        Some((!holds).then(|| "The text does not use it.".to_owned()))
    }

    /// `but`: a term that may hold the other one, as "end users" holds "users".
    fn holds(&self, term: &str, but: &str) -> Option<Fault> {
        let (term, but) = (told(term)?, features::comparable(but));
        let forms = features::forms(&but, self.is_english());
        let finds = |text: &str| {
            let text = features::comparable(text);
            // Longest first: "patients" before "patient".
            let text = forms
                .iter()
                .rev()
                .filter(|form| **form != term && holds_whole(form, &term, self.is_english()))
                .fold(text, |text, form| text.replace(form.as_str(), " "));
            features::holds_term(&text, &term, self.is_english(), false)
        };
        if !finds(&self.prose) {
            return Some(None);
        }
        let place = sentence::sentences(&self.prose).into_iter().map(|at| &self.prose[at]).find(|one| finds(one));
        Some(Some(place.map_or_else(|| "The text uses it.".to_owned(), |place| stands_in("It stands in", place))))
    }

    fn length(&self, bound: Bound, asked: usize) -> Fault {
        let has = features::words(self.text);
        is_beyond(bound, has, asked).then(|| format!("It has {has} words: {} it.", mend(bound)))
    }

    fn reading(&self, bound: Bound, asked: u16) -> Option<Fault> {
        let mean = features::mean_words(self.text)?;
        let (has, asked) = (mean * 100.0, f64::from(asked) * 100.0);
        let tolerance = asked * 0.05;
        let is_beyond = match bound {
            Bound::AtMost => has > asked + tolerance,
            Bound::AtLeast => has < asked - tolerance,
        };
        let longest = || features::sentences(&self.prose).into_iter().max_by_key(|one| one.len()).map(str::to_owned);
        Some(is_beyond.then(|| match bound {
            Bound::AtMost => {
                format!(
                    "They have {mean:.0} on average. {}",
                    stands_in("The longest is", &longest().unwrap_or_default())
                )
            }
            Bound::AtLeast => format!("They have {mean:.0} on average: join some that belong together."),
        }))
    }

    fn headings(&self, bound: Bound, asked: usize) -> Fault {
        let has = features::headings(self.text);
        let is_beyond = match bound {
            Bound::AtMost => has > asked,
            Bound::AtLeast => has < asked,
        };
        is_beyond.then(|| format!("It has {has}."))
    }

    fn lists(&self, wanted: bool) -> Fault {
        match (features::list_entries(self.text), wanted) {
            (0, true) => Some("It has none.".to_owned()),
            (entries, false) if entries > 0 => Some(format!("It has {entries} entries: write them as sentences.")),
            _ => None,
        }
    }

    fn mark(&self, mark: Mark, wanted: bool) -> Option<Fault> {
        // A semicolon ends questions in Greek.
        if mark == Mark::Semicolon && asks(";", self.language) {
            return None;
        }
        let count = features::marks(&self.prose, mark);
        Some(match (count, wanted) {
            (0, true) => Some("It has none.".to_owned()),
            (count, false) if count > 0 => {
                let mut pieces = self
                    .prose
                    .lines()
                    .flat_map(|line| sentence::sentences(line).into_iter().map(move |place| &line[place]));
                let place = pieces.find(|piece| features::marks(piece, mark) > 0).unwrap_or_default();
                Some(format!("There are {count}. {}", stands_in("The first stands in", place)))
            }
            _ => None,
        })
    }

    fn person(&self, person: Person, wanted: bool) -> Fault {
        match (features::speaking(&self.prose, person), wanted) {
            (None, true) => Some("It nowhere does.".to_owned()),
            (Some(place), false) => Some(stands_in("It does in", &place)),
            _ => None,
        }
    }

    fn opening(&self, with: Opening, wanted: bool) -> Option<Fault> {
        let first = features::first_sentence(&self.prose)?;
        let (opens, place) = match with {
            // A language that asks without a mark.
            Opening::Question if asks("", self.language) => return None,
            Opening::Question => (asks(&first, self.language), first),
            Opening::Figure => (features::holds_figure(&first)?, first),
            Opening::Address | Opening::Greeting if !self.is_english() => return None,
            Opening::Address => (features::speaking(&first, Person::Second).is_some(), first),
            Opening::Greeting => {
                let line = features::first_line(&self.prose)?;
                (features::greets(line), line.to_owned())
            }
        };
        Some((opens != wanted).then(|| stands_in("It opens with", &place)))
    }

    fn close(&self, wanted: bool) -> Option<Fault> {
        match (features::close(&self.prose), wanted) {
            (Close::Order(_), true) | (Close::Nothing, false) => Some(None),
            (Close::Nothing, true) => Some(Some("The last sentences tell the reader to do nothing.".to_owned())),
            (Close::Order(place), false) => Some(Some(stands_in("It ends with", &place))),
            (Close::Maybe, _) => None,
        }
    }
}

/// A term as it is looked for; `None` where it holds no word.
fn told(term: &str) -> Option<String> {
    Some(features::comparable(term)).filter(|term| term.contains(char::is_alphanumeric))
}

/// Whether one term holds another, so that the second is found in the first.
fn holds_whole(form: &str, term: &str, is_english: bool) -> bool {
    !form.is_empty() && features::holds_term(form, term, is_english, true)
}

fn is_beyond(bound: Bound, has: usize, asked: usize) -> bool {
    let tolerance = asked * TOLERANCE_PERCENT / 100;
    match bound {
        Bound::AtMost => has > asked + tolerance,
        Bound::AtLeast => has < asked - tolerance,
    }
}

fn mend(bound: Bound) -> &'static str {
    match bound {
        Bound::AtMost => "shorten",
        Bound::AtLeast => "add to",
    }
}

fn stands_in(before: &str, place: &str) -> String {
    let place = one_line(place, MAX_PLACE_CHARS).replace('"', "'");
    format!("{before}: \"{place}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(rule: &Rule, text: &str) -> Option<bool> {
        check(rule, text, "en").map(|check| check.passed)
    }

    fn term(term: &str, wanted: bool) -> Rule {
        Rule::Term { term: term.into(), wanted }
    }

    fn prefer(term: &str, over: &str) -> Rule {
        Rule::Prefer { term: term.into(), over: over.into() }
    }

    #[test]
    fn a_failed_check_names_the_place() {
        let found = check(&term("leverage", false), "# T\n\nWe care. We leverage \"synergy\" daily. So.", "en");
        let expected = Check {
            name: "lesson:term:leverage".into(),
            passed: false,
            detail: "People asked for this: Never use \"leverage\". It stands in: \"We leverage 'synergy' daily.\""
                .into(),
        };
        assert_eq!(found, Some(expected));
        let marks = Rule::Punctuation { mark: Mark::Exclamation, wanted: false };
        let detail = check(&marks, "Good. Great! Best!", "en").map(|check| check.detail);
        let expected = "People asked for this: Use no exclamation marks. There are 2. The first stands in: \"Great!\"";
        assert_eq!(detail.as_deref(), Some(expected));
        let passed = check(&marks, "Good.", "en");
        assert_eq!(passed.map(|check| (check.passed, check.detail)), Some((true, String::new())));
    }

    #[test]
    fn every_rule_is_told_from_its_opposite() {
        let opening = |with, wanted| Rule::Opening { with, wanted };
        let mark = |mark, wanted| Rule::Punctuation { mark, wanted };
        let person = |person, wanted| Rule::Person { person, wanted };
        let length = |bound, words| Rule::Length { bound, words };
        let headings = |bound, count| Rule::Headings { bound, count };
        let reading = |bound, sentence_words| Rule::Reading { bound, sentence_words };
        let call = |wanted| Rule::CallToAction { wanted };
        let lists = |wanted| Rule::Lists { wanted };
        for (rule, follows, breaks) in [
            (term("gait analysis", true), "Our **gait analysis** helps.", "It helps."),
            (prefer("patients", "users"), "Patients ask.", "A user asks."),
            (prefer("end users", "users"), "End users ask.", "Users ask."),
            (prefer("patients", "patient"), "Patients ask.", "A patient asks."),
            (length(Bound::AtMost, 5), "One two three [1] four five.", "One two three four five six."),
            (length(Bound::AtLeast, 4), "One two three four.", "One two three [1]."),
            (opening(Opening::Question, true), "# T?\n\nWhy? So.", "# T?\n\nSo. Why?"),
            (opening(Opening::Question, false), "So. Why?", "Why? So."),
            (opening(Opening::Figure, true), "Of 100 patients, many slept.", "Patients [1] slept."),
            (opening(Opening::Address, true), "Your knee hurts.", "Knees hurt. You know."),
            (opening(Opening::Greeting, false), "Knees hurt.", "Hi there,\n\nknees hurt."),
            (call(true), "We help. Book a visit.", "We help."),
            (call(false), "We help.", "We help. Book a visit."),
            (mark(Mark::Emoji, false), "Fine.", "Fine 🎉"),
            (mark(Mark::Hashtag, true), "Fine. #care", "# Fine"),
            (person(Person::First, false), "Acme cares. \"We care,\" she said. The US too.", "We care."),
            (person(Person::Second, true), "You sleep.", "One sleeps. \"You do,\" she said."),
            (reading(Bound::AtMost, 4), "One two three. One two three.", "One two three four five six."),
            (reading(Bound::AtLeast, 4), "One two three four five six.", "One two. One two."),
            (headings(Bound::AtMost, 0), "# T\n\nText", "# T\n\n## A\n\nText"),
            (headings(Bound::AtLeast, 1), "# T\n\n## A\n\nText", "# T\n\nText"),
            (lists(true), "- one\n- two", "One, two."),
            (lists(false), "One, two.", "1. one\n2. two"),
        ] {
            assert_eq!(passes(&rule, follows), Some(true), "{rule} {follows}");
            assert_eq!(passes(&rule, breaks), Some(false), "{rule} {breaks}");
        }
    }

    #[test]
    fn what_code_cannot_tell_is_not_told() {
        let note = Rule::Note { text: "Be kind.".into(), wanted: true };
        let figure = Rule::Opening { with: Opening::Figure, wanted: true };
        let call = Rule::CallToAction { wanted: true };
        let question = Rule::Opening { with: Opening::Question, wanted: true };
        let semicolon = Rule::Punctuation { mark: Mark::Semicolon, wanted: false };
        assert_eq!(check(&note, "Text.", "en"), None);
        assert_eq!(check(&figure, "Seven in ten patients sleep.", "en"), None, "a figure in words");
        assert_eq!(check(&call, "We see patients.", "en"), None);
        assert_eq!(check(&call, "Rufen Sie an.", "de"), None);
        assert_eq!(check(&Rule::Person { person: Person::First, wanted: true }, "Wir.", "de"), None);
        assert_eq!(check(&question, "ยินดีต้อนรับ", "th"), None);
        assert_eq!(check(&semicolon, "Γιατί;", "el"), None);
        assert_eq!(check(&term("!?", false), "What!?", "en"), None);
        assert_eq!(check(&figure, "", "en"), None);
    }
}
