//! The voice of a business, as far as it can be counted: measured in its own documents, described
//! to the writer in a few words, and compared with a draft. The pipeline provides the documents;
//! the reviewer judges taste.

use copydesk_domain::document::Chunk;
use copydesk_domain::format::Format;
use serde::{Deserialize, Serialize};

mod avoided;
mod guidance;
mod measure;
mod terms;
mod told;

pub use avoided::Avoided;
pub use guidance::guidance;
pub use measure::Measure;
pub use told::{Example, Term, Trait, terms, traits};

use crate::answer;
use crate::format::Spec;
use crate::text::phrase;

/// The fewest sentences from which a voice is measured.
const MIN_SENTENCES: u16 = 15;
/// Passages that a voice is measured in: more change nothing.
const MAX_PASSAGES: usize = 200;
/// The fewest sentences of a draft for which rates are compared.
const MIN_DRAFT_SENTENCES: u16 = 5;
/// A form of address that occurs in at least this many of 100 sentences is a habit of the business.
const HABIT: f32 = 15.0;
/// The score of a draft without deviations.
const PERFECT: f64 = 10.0;
/// A lower score fails the review's check.
pub const MIN_SCORE: f64 = 6.0;
/// The most words of a style guide that the writer is told.
const MAX_TOLD: usize = 40;
/// The most words of it that a deviation names.
const MAX_NAMED: usize = 8;
/// What a word that the style guide avoids subtracts from the score, and the limit for all of them.
const AVOIDED_COST: f64 = 0.75;
const MAX_AVOIDED_COST: f64 = 3.0;
/// The fewest words of a draft that should use one of the business's own terms.
const MIN_WORDS_FOR_TERMS: u16 = 100;

/// A business's voice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoiceProfile {
    /// Its documents' counts.
    pub measure: Measure,
    /// Words that its documents use far more than others do, most distinctive first.
    pub terms: Vec<String>,
    /// Words that its style guide avoids.
    #[serde(default)]
    pub avoided: Vec<Avoided>,
}

/// How well a draft matches a voice.
#[derive(Debug, Clone, PartialEq)]
pub struct VoiceScore {
    /// 0 to 10.
    pub score: f64,
    /// What differs, as instructions to the writer.
    pub deviations: Vec<String>,
}

impl VoiceProfile {
    /// The voice of documents; `None` if there is too little text.
    pub fn of<'a>(documents: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let text = documents.into_iter().collect::<Vec<_>>().join("\n\n");
        let measure = Measure::of(&text);
        let terms = || terms::distinctive(&text);
        (measure.sentences >= MIN_SENTENCES).then(|| Self { measure, terms: terms(), avoided: Vec::new() })
    }

    /// The voice of a business's passages, with the rules of its style guides. It is that of texts for readers: guides and
    /// policies count only where there is nothing else.
    pub fn of_passages(passages: &[Chunk]) -> Option<Self> {
        let of = |is_wanted: fn(&&Chunk) -> bool| {
            Self::of(passages.iter().filter(is_wanted).take(MAX_PASSAGES).map(|chunk| chunk.text.as_str()))
        };
        let voice = of(|chunk| !chunk.kind.is_guidance()).or_else(|| of(|_| true))?;
        Some(voice.guided_by(passages))
    }

    /// Adds the rules of the style guides among the business's passages.
    #[must_use]
    pub fn guided_by(self, passages: &[Chunk]) -> Self {
        Self { avoided: avoided::avoided(passages), ..self }
    }

    /// The description for the writer: a few short sentences.
    pub fn in_words(&self) -> String {
        let measure = &self.measure;
        let mut told = vec![format!(
            "Sentences have about {:.0} words, seldom more than {}.",
            measure.mean_words, measure.long_words
        )];
        if let Some(english) = &measure.english {
            let speaks = [("\"we\"", english.we), ("\"I\"", english.i)];
            let speaks: Vec<_> = speaks.iter().filter(|(_, rate)| *rate >= HABIT).map(|(word, _)| *word).collect();
            let speaks = if speaks.is_empty() {
                "in the third person".to_owned()
            } else {
                format!("as {}", speaks.join(" and "))
            };
            let address = if english.you >= HABIT { " and address the reader as \"you\"" } else { "" };
            told.push(format!("They speak {speaks}{address}."));
            told.push(
                if english.contractions >= HABIT { "Contractions are usual." } else { "Contractions are rare." }
                    .to_owned(),
            );
            told.push(format!("Their reading ease (Flesch) is about {:.0}.", english.reading_ease));
        }
        if measure.exclamations < 1.0 {
            told.push("There are no exclamation marks.".to_owned());
        }
        if !self.terms.is_empty() {
            told.push(format!("Words of its own: {}.", self.terms.join(", ")));
        }
        if !self.avoided.is_empty() {
            let avoided: Vec<String> = self.avoided.iter().take(MAX_TOLD).map(ToString::to_string).collect();
            told.push(format!("Its style guide avoids: {}.", avoided.join(", ")));
        }
        told.join(" ")
    }

    /// Compares a draft with the voice; `None` where there is too little to compare, or no text of
    /// the business's. Sentences are measured only in prose formats: those of ads are short in any
    /// voice. What cannot be measured is no match: only deviations are told then.
    pub fn score(&self, draft: &str, format: Format, banned: &[String]) -> Option<VoiceScore> {
        if !answer::has_a_sentence(draft) || answer::speaks_of_its_task(draft) {
            return None;
        }
        let (own, drafted) = (&self.measure, Measure::of(draft));
        let mut found = Deviations::default();
        let is_measured = Spec::of(format).is_prose && drafted.sentences >= MIN_DRAFT_SENTENCES;
        if is_measured {
            found.sentence_length(own, &drafted);
            found.address(own, &drafted);
        }
        if drafted.exclamations > own.exclamations + 10.0 {
            found.add(1.5, "Use fewer exclamation marks: the business hardly does.");
        }
        let lower = phrase::comparable(draft);
        let is_long = drafted.words >= MIN_WORDS_FOR_TERMS;
        if is_long && self.terms.len() >= 5 && !self.terms.iter().any(|term| lower.contains(term.as_str())) {
            found.add(1.0, format!("Use the business's own words where they fit: {}.", self.terms[..5].join(", ")));
        }
        let avoided: Vec<String> =
            self.avoided.iter().filter(|rule| rule.is_in(&lower)).map(ToString::to_string).collect();
        if !avoided.is_empty() {
            let cost = avoided.iter().map(|_| AVOIDED_COST).sum::<f64>().min(MAX_AVOIDED_COST);
            let named = avoided[..avoided.len().min(MAX_NAMED)].join(", ");
            found.add(cost, format!("Avoid these words, as the business's style guide does: {named}."));
        }
        for phrase in banned.iter().map(|phrase| phrase::comparable(phrase.trim())).filter(|phrase| !phrase.is_empty())
        {
            if phrase::holds(&lower, &phrase) {
                found.add(3.0, format!("Do not use \"{phrase}\"."));
            }
        }
        let is_told = is_measured || found.cost > 0.0;
        is_told.then(|| VoiceScore { score: (PERFECT - found.cost).max(0.0), deviations: found.named })
    }
}

/// What differs, and what it costs.
#[derive(Debug, Default)]
struct Deviations {
    cost: f64,
    named: Vec<String>,
}

impl Deviations {
    fn add(&mut self, cost: f64, named: impl Into<String>) {
        self.cost += cost;
        self.named.push(named.into());
    }

    fn sentence_length(&mut self, own: &Measure, drafted: &Measure) {
        let allowed = (own.mean_words * 0.4).max(4.0);
        let off = (drafted.mean_words - own.mean_words).abs();
        if off > allowed {
            let (cost, than) = (if off > 2.0 * allowed { 3.0 } else { 1.5 }, own.mean_words);
            let wish = if drafted.mean_words > than { "shorter" } else { "longer" };
            self.add(
                cost,
                format!(
                    "Write {wish} sentences: they have {:.0} words on average, the business's {than:.0}.",
                    drafted.mean_words
                ),
            );
        }
        if drafted.long_words > own.long_words + 12 {
            self.add(1.0, format!("Split sentences of more than {} words.", own.long_words + 5));
        }
    }

    fn address(&mut self, own: &Measure, drafted: &Measure) {
        let (Some(own), Some(drafted)) = (&own.english, &drafted.english) else { return };
        if own.we >= HABIT && drafted.we == 0.0 {
            self.add(1.0, "Speak as \"we\", as the business does.");
        }
        if own.you >= HABIT && drafted.you == 0.0 {
            self.add(1.0, "Address the reader as \"you\", as the business does.");
        }
        if own.i < 1.0 && drafted.i >= HABIT {
            self.add(1.5, "Do not speak as \"I\": the business never does.");
        }
        if own.contractions < 1.0 && drafted.contractions >= HABIT {
            self.add(1.0, "Write words out instead of contracting them.");
        }
        let harder = own.reading_ease - drafted.reading_ease;
        if harder > 15.0 {
            let cost = if harder > 30.0 { 2.0 } else { 1.0 };
            self.add(
                cost,
                format!(
                    "Use plainer words: the reading ease is {:.0}, the business's {:.0}.",
                    drafted.reading_ease, own.reading_ease
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn profile() -> VoiceProfile {
        let document = "We see you when it suits you. You meet the same physiotherapist each time. Our gait analysis takes ten \
            minutes. We tell you what we find, in plain words. You decide what comes next. Dry needling helps some people. \
            Gait analysis helps others. We don't sell you more than you need. ";
        VoiceProfile::of([document.repeat(3).as_str()]).unwrap()
    }

    fn score(draft: &str) -> VoiceScore {
        profile().score(draft, Format::Blog, &["synergy".to_owned()]).unwrap()
    }

    #[test]
    fn a_voice_is_told_in_a_few_words() {
        let told = profile().in_words();
        assert!(told.starts_with("Sentences have about 6 words, seldom more than 9."), "{told}");
        assert!(told.contains("They speak as \"we\" and address the reader as \"you\"."), "{told}");
        assert!(told.contains("Contractions are rare."), "one in eight sentences is no habit: {told}");
        assert!(told.contains("no exclamation marks") && told.contains("gait analysis"), "{told}");
        assert!(told.len() < 500, "{told}");
        assert_eq!(VoiceProfile::of(["One sentence."]), None);
    }

    #[test]
    fn the_businesss_own_text_deviates_in_nothing() {
        let same = "We see you today. You meet one of us first. We look at how you walk, and gait analysis shows the rest. \
            You hear what we found. We plan with you what comes next.";
        assert_eq!(score(same), VoiceScore { score: 10.0, deviations: Vec::new() });
    }

    #[test]
    fn what_differs_is_named_and_costs() {
        let stilted =
            "The organisation's comprehensive multidisciplinary methodology facilitates considerable biomechanical \
            improvements, notwithstanding individual predispositions and environmental considerations of every kind! "
                .repeat(6);
        let scored = score(&stilted);
        for named in ["shorter sentences", "\"we\"", "\"you\"", "plainer words", "exclamation"] {
            assert!(scored.deviations.iter().any(|deviation| deviation.contains(named)), "{named}: {scored:?}");
        }
        assert!(scored.score < MIN_SCORE, "{scored:?}");
        let terms =
            ["gait analysis", "dry needling", "plumb line", "ankle swing", "heel strike"].map(str::to_owned).to_vec();
        let house = VoiceProfile { terms, ..profile() };
        let plain =
            "We see you today. You meet one of us first. We look at how you walk. You hear what we found. ".repeat(6);
        let scored = house.score(&plain, Format::Blog, &[]).unwrap();
        assert!(scored.score == 9.0 && scored.deviations[0].contains("own words"), "{scored:?}");
        assert_eq!(house.score(&plain[..plain.len() / 6], Format::Blog, &[]), None, "too short to tell");
        let guide = [("utilize", Some("use")), ("robust", None), ("walk", None)];
        let avoided =
            guide.map(|(term, use_)| Avoided { term: term.into(), instead: use_.map(str::to_owned) }).to_vec();
        let guided = VoiceProfile { avoided, ..profile() };
        assert!(
            guided.in_words().ends_with("Its style guide avoids: \"utilize\" (rather: use), \"robust\", \"walk\".")
        );
        let scored = guided.score("We see you. You utilize a robust gait analysis.", Format::Ad, &[]).unwrap();
        assert_eq!(scored.score, 8.5);
        let many = (0..9).map(|n| Avoided { term: format!("term{n}"), instead: None }).collect();
        let all: Vec<String> = (0..9).map(|n| format!("term{n}")).collect();
        let guided = VoiceProfile { avoided: many, ..profile() };
        assert_eq!(
            guided.score(&format!("We like {}.", all.join(" and ")), Format::Ad, &[]).unwrap().score,
            7.0,
            "words alone sink no text"
        );
        let told = "Avoid these words, as the business's style guide does: \"utilize\" (rather: use), \"robust\".";
        assert_eq!(scored.deviations, [told]);
        let banned = score("We see the synergy in your gait analysis.");
        assert_eq!((banned.score, banned.deviations.len()), (7.0, 1));
        for (text, phrase) in [("e\u{301}lan", "élan"), ("élan", "e\u{301}lan"), ("é\u{ad}lan", "élan")] {
            let scored = profile().score(&format!("We see the {text}."), Format::Ad, &[phrase.to_owned()]);
            assert_eq!(scored.unwrap().deviations, ["Do not use \"élan\"."], "{phrase:?} in {text:?}");
        }
        let ad = profile().score(&stilted.replace('!', "."), Format::Ad, &[]);
        assert!(ad.is_none_or(|ad| ad.score > 8.0), "an ad's sentences are not measured");
        let task = "The task is to write a summary of the text. We see you. You see us. We walk. You walk. We talk.";
        for no_text in [task, "Gait analysis\n\n- We\n- You", ""] {
            assert_eq!(house.score(no_text, Format::Blog, &[]), None, "no perfect score for {no_text}");
        }
    }
}
