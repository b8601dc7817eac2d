//! The log that everything is learned from: what is known of a verdict, and of the text that it is about.

use chrono::{DateTime, Utc};
use copydesk_domain::feedback::Effort;
use copydesk_domain::format::Format;
use copydesk_domain::id::{FeedbackId, GenerationId};
use copydesk_domain::lesson::{Arm, Distilled, Lesson, LessonId, Rule};
use serde::{Deserialize, Serialize};

/// A business's log.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// The verdicts that hold: the last of each text, in the order in which they were given.
    pub verdicts: Vec<Entry>,
    /// What people changed of lessons by hand, in order.
    pub changes: Vec<Change>,
}

impl Log {
    /// The verdicts on texts that were written for people: not those of replays.
    pub fn judged(&self) -> impl Iterator<Item = &Entry> {
        self.verdicts.iter().filter(|entry| entry.text.arm != Arm::Replay)
    }

    /// Those that figures and calibrators are made of: a verdict that contradicts itself cannot be told from a slip.
    pub fn counted(&self) -> impl Iterator<Item = &Entry> {
        self.judged().filter(|entry| !is_contradictory(entry))
    }
}

/// A verdict, and the text that it is about.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The verdict.
    pub feedback_id: FeedbackId,
    /// The text.
    pub generation_id: GenerationId,
    /// When it was given.
    pub at: DateTime<Utc>,
    /// The kind of text.
    pub content_type: Format,
    /// The text's language: the first part of its BCP 47 tag, in lower case.
    pub language: String,
    /// Who gave it; empty where the client named nobody.
    pub rater: String,
    /// Whether the human would publish the text.
    pub approved: Option<bool>,
    /// 0 to 10.
    pub score: Option<f64>,
    /// How much the human changed, where the edited text was given.
    pub effort: Option<Effort>,
    /// What it asks for.
    pub distilled: Distilled,
    /// What is known of the text: nothing of those from before learning.
    pub text: TextFacts,
}

impl Entry {
    /// The human's score, 0 to 10: none where what was stored is no number.
    pub fn human(&self) -> Option<f64> {
        self.score.filter(|score| score.is_finite()).map(|score| score.clamp(0.0, 10.0))
    }

    /// How much the human changed, as shares: none where what was stored are no numbers.
    pub fn changed(&self) -> Option<Effort> {
        let Effort { words_changed, compression } = self.effort?;
        let is_known = words_changed.is_finite() && compression.is_finite();
        let share = |value: f64| value.clamp(0.0, 1.0);
        is_known.then(|| Effort { words_changed: share(words_changed), compression: share(compression) })
    }
}

/// Whether the verdict says two opposite things: not to be published and 9 or more, or to be published and 2 or less.
pub fn is_contradictory(entry: &Entry) -> bool {
    match (entry.approved, entry.human()) {
        (Some(false), Some(score)) => score >= 9.0,
        (Some(true), Some(score)) => score <= 2.0,
        _ => false,
    }
}

/// What is known of how a text was made.
#[derive(Debug, Clone)]
pub struct TextFacts {
    /// Whether it could use what was learned.
    pub arm: Arm,
    /// Lessons and examples that there were for it.
    pub available: u16,
    /// Our estimate of the final text before calibration, 0 to 10.
    pub estimate: Option<f64>,
    /// The lessons that its writer was given, and whether the text follows them.
    pub used: Vec<(LessonId, Option<bool>)>,
    /// Rounds of edits that changed it.
    pub rounds: u16,
}

/// What a human changed of a lesson by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The lesson.
    pub lesson_id: LessonId,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub action: Action,
}

/// A change by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// It counts, whatever else is said.
    Pin {
        /// The lesson as it was: it counts also where those who asked for it say something else now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lesson: Option<Box<Lesson>>,
    },
    /// It counts by what people say, no longer by hand.
    Release,
    /// It does not count any more.
    Retire,
    /// It says something else.
    Edit {
        /// What the writer is told from now on.
        text: String,
        /// What code checks: `None` where it can no longer tell.
        rule: Option<Rule>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    use uuid::Uuid;

    fn verdict(approved: Option<bool>, score: Option<f64>) -> Entry {
        Entry {
            feedback_id: FeedbackId(Uuid::nil()),
            generation_id: GenerationId(Uuid::nil()),
            at: DateTime::UNIX_EPOCH,
            content_type: Format::Blog,
            language: String::new(),
            rater: String::new(),
            approved,
            score,
            effort: None,
            distilled: Distilled::default(),
            text: TextFacts { arm: Arm::On, available: 0, estimate: None, used: Vec::new(), rounds: 0 },
        }
    }

    #[test]
    fn a_9_that_is_not_to_be_published_contradicts_itself() {
        let is = |approved, score| is_contradictory(&verdict(approved, score));
        assert!(is(Some(false), Some(9.0)) && is(Some(true), Some(2.0)));
        assert!(!is(Some(false), Some(8.9)) && !is(Some(true), Some(2.1)));
        assert!(!is(Some(true), Some(9.0)) && !is(Some(false), Some(2.0)));
        assert!(!is(None, Some(9.0)) && !is(Some(false), None) && !is(Some(false), Some(f64::NAN)));
    }

    #[test]
    fn scores_are_numbers_from_0_to_10() {
        let human = |score| verdict(None, Some(score)).human();
        assert_eq!([human(f64::NAN), human(-1.0), human(7.5), human(1e9)], [None, Some(0.0), Some(7.5), Some(10.0)]);
    }
}
