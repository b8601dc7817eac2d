//! A course of rounds: a business asks for a text, a rater judges it, and the next text is asked for.

use copydesk_domain::format::Format;
use rand::RngExt as _;
use serde::Serialize;

use super::client::{Api, Text, Verdict};
use super::preference::{self, HELD, Preference};
use super::{Rng, check, rng, wording};
use crate::bench::economy::briefs::SUBJECTS;

/// From this score on a rater would publish a text.
const GOOD: f64 = 8.0;
/// How far scores of the same text lie apart: a standard deviation, in points.
const NOISE: f64 = 0.5;
const ANGLES: [&str; 6] =
    ["what they cost", "the first month", "common mistakes", "what to ask before", "how to choose", "a year later"];

/// A business, and what its rater wants.
#[derive(Debug, Clone)]
pub(super) struct Business {
    pub(super) id: String,
    pub(super) format: Format,
    pub(super) preferences: Vec<Preference>,
    seed: u64,
    rng: Rng,
}

/// What became of a round.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Round {
    /// Preferences that the text breaks.
    pub(super) regret: usize,
    /// Of the opposite ones.
    pub(super) regret_flipped: usize,
    /// What the rater gave it.
    pub(super) score: f64,
    /// What the editor thought of it, and that as it was shown.
    pub(super) estimate: Option<f64>,
    pub(super) calibrated: Option<f64>,
    /// Lessons that the writer was given, and how many of those that can be checked the text follows.
    pub(super) lessons: usize,
    pub(super) checked: usize,
    pub(super) followed: usize,
    /// The share of words that the rater changed, where they did.
    pub(super) effort: Option<f64>,
    /// Whether it could use what was learned.
    pub(super) is_on: bool,
    /// What it breaks, by name.
    pub(super) broken: Vec<String>,
}

impl Business {
    /// The business of a seed, under a condition. The same seed has the same rater and topics in all of them.
    pub(super) fn new(condition: &str, seed: u64) -> Self {
        // Headings are a matter of longer texts: every fourth business has some.
        let format = if seed % 4 == 3 { Format::Newsletter } else { Format::LinkedIn };
        let preferences = preference::drawn(format, HELD, &mut rng(seed, "rater"));
        Self { id: format!("{condition}-{seed:02}"), format, preferences, seed, rng: rng(seed, condition) }
    }

    pub(super) fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Asks for the text of a round.
    pub(super) async fn write(&self, api: &Api, round: usize) -> anyhow::Result<Text> {
        let at = round + usize::try_from(self.seed)? * 7;
        let edition = at / (SUBJECTS.len() * ANGLES.len());
        let (subject, angle) = (SUBJECTS[at % SUBJECTS.len()], ANGLES[at / SUBJECTS.len() % ANGLES.len()]);
        let part = if edition == 0 { String::new() } else { format!(", part {}", edition + 1) };
        api.write(&self.id, &format!("{subject}: {angle}{part}"), self.format).await
    }

    /// The preferences that a text breaks.
    pub(super) fn broken(&self, text: &Text) -> Vec<Preference> {
        check::broken(&text.content, &self.preferences, self.format)
    }

    /// One of the broken preferences in words.
    pub(super) fn complaint(&mut self, broken: &[Preference]) -> Option<String> {
        (!broken.is_empty()).then(|| {
            let named = broken[self.rng.random_range(0..broken.len())];
            wording::of(named, self.format, &mut self.rng)
        })
    }

    /// What the rater gives a text that breaks so many preferences.
    pub(super) fn score(&mut self, broken: usize) -> f64 {
        let score = 10.0 - broken as f64 + NOISE * normal(&mut self.rng);
        (score.clamp(0.0, 10.0) * 100.0).round() / 100.0
    }

    /// What is known of a round before its text is judged.
    pub(super) fn seen(&self, text: &Text) -> Round {
        let broken = self.broken(text);
        let flipped: Vec<_> = self.preferences.iter().map(|preference| preference.flipped()).collect();
        let checked = text.lessons_applied.iter().filter_map(|lesson| lesson.followed);
        Round {
            regret: broken.len(),
            regret_flipped: check::broken(&text.content, &flipped, self.format).len(),
            estimate: text.learning.as_ref().and_then(|learning| learning.estimate),
            calibrated: text.review.as_ref().and_then(|review| review.calibrated_score),
            lessons: text.lessons_applied.len(),
            checked: checked.clone().count(),
            followed: checked.filter(|followed| *followed).count(),
            is_on: text.learning.as_ref().is_some_and(|learning| learning.arm == "on"),
            broken: broken.iter().map(|preference| format!("{preference:?}")).collect(),
            ..Round::default()
        }
    }

    /// A round with an honest rater: they score the text, and name one thing that is wrong with it.
    pub(super) async fn round(&mut self, api: &Api, round: usize, rater: &str) -> anyhow::Result<Round> {
        let text = self.write(api, round).await?;
        let broken = self.broken(&text);
        let (score, comment) = (self.score(broken.len()), self.complaint(&broken));
        self.judge(api, &text, Verdict { score, approved: score >= GOOD, comment, edited: None, rater }).await?;
        Ok(Round { score, ..self.seen(&text) })
    }

    pub(super) async fn judge(&self, api: &Api, text: &Text, verdict: Verdict<'_>) -> anyhow::Result<()> {
        api.judge(&self.id, text, verdict).await
    }
}

/// Whether a score is one of a text that would be published.
pub(super) fn is_good(score: f64) -> bool {
    score >= GOOD
}

/// A number of a normal distribution with mean 0 and deviation 1 (Box and Muller).
pub(super) fn normal(rng: &mut Rng) -> f64 {
    let (a, b): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}
