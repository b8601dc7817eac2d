//! The review: a rubric's scores from another model than the writer's, and the checks that code can
//! make. Both say what is to be mended.

use std::collections::BTreeMap;

use copydesk_domain::generation::Degradation;
use copydesk_domain::review::Check;
use copydesk_domain::stage::Stage;
use copydesk_editorial::answer;
use copydesk_editorial::format::Spec;
use copydesk_editorial::text::clip::one_line;
use copydesk_editorial::text::markup;
use copydesk_editorial::voice::{self, VoiceScore};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::brief::Brief;
use super::calls::Calls;
use super::citation::{self, Cut};
use super::error::StageError;
use super::instruction;
use super::prompt::{Prompt, Task};
use super::reading::rules;
use super::structured::{self, Asking, Shape};
use crate::provider::chain::AnsweredBy;

/// What is scored, 0 to 10 each.
pub const CRITERIA: [&str; 5] = ["accuracy", "relevance", "voice", "structure", "clarity"];
/// What each failed check takes off the score: a text with two of them is not publishable.
const CHECK_PENALTY: f64 = 0.75;
/// What all of them take off at most: a good text in a poor shape is still better than a poor one.
const MAX_PENALTY: f64 = 4.0;
/// Where nobody reviewed a text, its revisions go by this less what failed checks take off: a usual reviewer's score, so
/// that one failed check is mended at the usual `min_score`. No client is shown it.
const UNREVIEWED_SCORE: f64 = 8.0;
/// The longest answer, in tokens; models that think first think within it.
const MAX_TOKENS: u32 = 4_000;
/// A score is not worded freely.
const TEMPERATURE: f32 = 0.1;
/// Points that the writer is told at once.
const MAX_FIXES: usize = 10;
/// The longest of them, in characters.
const MAX_FIX_CHARS: usize = 300;
/// Unsupported citations that are named.
const MAX_UNSUPPORTED: usize = 3;
/// How much of a sentence names it, in characters.
const MAX_SENTENCE_CHARS: usize = 160;
/// The longest comments, in characters.
const MAX_COMMENTS_CHARS: usize = 1_000;

/// What the review found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reviewed {
    /// What the reviewer said; `None` where there was none.
    pub rubric: Option<Rubric>,
    /// How many of the checks that code makes failed.
    pub failed_checks: u16,
    /// What is to be mended, the most important first.
    pub fixes: Vec<String>,
    /// Those checks, passed and failed.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// How well the text keeps to the business's voice, 0 to 10; `None` where that cannot be told.
    #[serde(default)]
    pub voice_score: Option<f64>,
    /// Who reviewed; `None` where no model did.
    #[serde(default)]
    pub by: Option<AnsweredBy>,
}

/// The reviewer's scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rubric {
    /// Each of [`CRITERIA`], 0 to 10.
    #[serde(deserialize_with = "scores")]
    pub criteria: BTreeMap<String, f64>,
    /// What the reviewer said.
    #[serde(default)]
    pub comments: String,
    /// What the reviewer wants mended.
    #[serde(default)]
    pub fixes: Vec<String>,
}

/// Scores as models write them: `8`, `"8"` or `"8/10"`.
fn scores<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
    }
    let written = BTreeMap::<String, Written>::deserialize(deserializer)?;
    let read = |(name, score)| {
        let score = match score {
            Written::Number(score) => score,
            Written::Text(text) => {
                let number = text.trim().split('/').next().unwrap_or_default().trim();
                number.parse().map_err(|_| serde::de::Error::custom("a score was no number"))?
            }
        };
        Ok((name, score))
    };
    written.into_iter().map(read).collect()
}

impl Rubric {
    /// The mean of the criteria, 0 to 10, in hundredths: more digits would be noise.
    #[expect(clippy::cast_precision_loss, reason = "there are five criteria")]
    pub fn score(&self) -> f64 {
        let mean = self.criteria.values().sum::<f64>() / self.criteria.len().max(1) as f64;
        (mean * 100.0).round() / 100.0
    }
}

impl Reviewed {
    /// What the revisions go by, 0 to 10: the reviewer's score, less what failed checks take off.
    pub fn combined_score(&self) -> f64 {
        let score = self.rubric.as_ref().map_or(UNREVIEWED_SCORE, Rubric::score);
        (score - (f64::from(self.failed_checks) * CHECK_PENALTY).min(MAX_PENALTY)).max(0.0)
    }
}

impl Shape for Rubric {
    const NAME: &'static str = "review";

    fn schema() -> serde_json::Value {
        let scores: serde_json::Map<_, _> =
            CRITERIA.iter().map(|name| ((*name).to_owned(), json!({ "type": "number" }))).collect();
        json!({
            "type": "object",
            "properties": {
                "criteria": {
                    "type": "object",
                    "properties": scores,
                    "required": CRITERIA,
                    "additionalProperties": false,
                },
                "comments": { "type": "string" },
                "fixes": { "type": "array", "items": { "type": "string" } },
            },
            "required": ["criteria", "comments", "fixes"],
            "additionalProperties": false,
        })
    }

    fn checked(mut self) -> Result<Self, Vec<String>> {
        self.criteria.retain(|name, _| CRITERIA.contains(&name.as_str()));
        let missing = CRITERIA.iter().filter(|name| !self.criteria.contains_key(**name));
        let mut wrong: Vec<String> = missing.map(|name| format!("The criterion {name} had no score.")).collect();
        if self.criteria.values().any(|score| !(0.0..=10.0).contains(score)) {
            wrong.push("A score was not between 0 and 10.".to_owned());
        }
        // People read it: no markup, and nothing of the prompt.
        let one_line = |text: &str, most| one_line(&markup::plain(text), most);
        self.comments = if answer::repeats_the_prompt(&self.comments) {
            String::new()
        } else {
            one_line(&self.comments, MAX_COMMENTS_CHARS)
        };
        self.fixes = self.fixes.iter().map(|fix| one_line(fix, MAX_FIX_CHARS)).filter(|fix| !fix.is_empty()).collect();
        if wrong.is_empty() { Ok(self) } else { Err(wrong) }
    }
}

/// Reviews the task's draft; by the checks alone where no reviewer could.
pub async fn run(calls: &Calls, task: &Task<'_>) -> Result<Reviewed, StageError> {
    let asking = Asking {
        stage: Stage::Review,
        chain: calls.reviewer(),
        max_completion_tokens: MAX_TOKENS,
        temperature: TEMPERATURE,
    };
    let prompt = task.prompt(Stage::Review, asking.chain.window(), asking.max_completion_tokens)?;
    let (rubric, by) = match structured::ask::<Rubric>(calls, &asking, &prompt).await {
        Ok((rubric, by)) => (Some(fit_to_show(rubric, &prompt, task)), Some(by)),
        Err(error) if error.is_about_the_answer() || calls.must_fall_back(&error) => {
            Calls::note_fallback(Stage::Review, Some(Degradation::ReviewUnavailable), Some(&error));
            (None, None)
        }
        Err(error) => return Err(error),
    };
    Ok(Reviewed { by, ..put_together(rubric, checks(task), voice(task)) })
}

/// Clients read the comments: nothing stays of what the prompt says, nor of a model that speaks of itself. The writer is
/// told the fixes: they give orders about the text alone.
fn fit_to_show(mut rubric: Rubric, prompt: &Prompt, task: &Task<'_>) -> Rubric {
    if answer::is_refusal(&rubric.comments) || prompt.is_quoted_in(&rubric.comments, task.lessons) {
        rubric.comments.clear();
    }
    rubric.comments = instruction::removed(&rubric.comments);
    rubric.fixes.retain(|fix| instruction::removed(fix) == *fix);
    rubric
}

/// How the draft keeps to the business's voice.
fn voice(task: &Task<'_>) -> Option<VoiceScore> {
    let draft = task.draft.unwrap_or_default();
    Some(task.voice?.score(draft, task.brief.format, &task.brief.banned_phrases))
}

/// What code finds of the draft.
fn checks(task: &Task<'_>) -> Vec<Check> {
    let text = task.draft.unwrap_or_default();
    let mut checks = Spec::of(task.brief.format).check(text, &rules(task.brief));
    let cited = citation::check(text, task.passages, &task.brief.language);
    let unsupported = cited.cut.iter().take(MAX_UNSUPPORTED).map(|cut| unsupported("citations_supported", cut));
    checks.extend(unsupported);
    if cited.cut.is_empty() {
        checks.push(check("citations_supported", None));
    }
    let is_uncited = cited.sources.is_empty() && !task.passages.is_empty();
    checks.push(check(
        "citations_used",
        is_uncited.then(|| "Use facts of the passages, and cite them as [n].".to_owned()),
    ));
    checks
}

fn unsupported(name: &str, cut: &Cut) -> Check {
    let sentence = one_line(&cut.sentence, MAX_SENTENCE_CHARS);
    check(
        name,
        Some(format!("Passage {} does not say this: cite one that does, or leave it out: \"{sentence}\"", cut.n)),
    )
}

fn check(name: &str, failed: Option<String>) -> Check {
    Check { name: name.to_owned(), passed: failed.is_none(), detail: failed.unwrap_or_default() }
}

/// The checks' points come first: they are certain. The voice is one check; what differs from it is told the reviser
/// also where it passes.
fn put_together(rubric: Option<Rubric>, mut checks: Vec<Check>, voice: Option<VoiceScore>) -> Reviewed {
    if let Some(voice) = &voice {
        let failed = voice.score < voice::MIN_SCORE;
        checks.push(check("voice", failed.then(|| voice.deviations.join(" "))));
    }
    let mut fixes: Vec<String> =
        checks.iter().filter(|check| !check.passed).map(|check| check.detail.clone()).collect();
    let failed_checks = u16::try_from(fixes.len()).unwrap_or(u16::MAX);
    fixes.extend(
        voice.iter().filter(|voice| voice.score >= voice::MIN_SCORE).flat_map(|voice| voice.deviations.clone()),
    );
    if let Some(rubric) = &rubric {
        fixes.extend(rubric.fixes.iter().cloned());
        // A low score without a reason names the weakest side at least.
        if fixes.is_empty() && !rubric.comments.is_empty() {
            fixes.push(rubric.comments.clone());
        }
    }
    fixes.truncate(MAX_FIXES);
    Reviewed { rubric, failed_checks, fixes, checks, voice_score: voice.map(|voice| voice.score), by: None }
}

/// Another round where the score is too low, one is left, and there is something to mend.
pub fn next(reviewed: &Reviewed, round: u16, brief: &Brief) -> Stage {
    let is_good = reviewed.combined_score() >= brief.min_score;
    if is_good || round >= brief.max_rounds || reviewed.fixes.is_empty() { Stage::Finish } else { Stage::Revise }
}

#[cfg(test)]
pub(crate) mod tests {
    use copydesk_domain::format::Format;

    use super::super::brief::tests::brief;
    use super::*;

    pub(crate) fn rubric(score: f64) -> Rubric {
        let criteria = CRITERIA.iter().map(|name| ((*name).to_owned(), score)).collect();
        Rubric { criteria, comments: "Good.".into(), fixes: Vec::new() }
    }

    fn failed(n: usize) -> Vec<Check> {
        (0..n).map(|n| check("length", Some(format!("Fix {n}.")))).collect()
    }

    fn put_together(rubric: Option<Rubric>, checks: Vec<Check>) -> Reviewed {
        super::put_together(rubric, checks, None)
    }

    #[test]
    fn a_voice_far_off_is_a_failed_check_and_names_what_differs() {
        let voice = |score| Some(VoiceScore { score, deviations: vec!["Write shorter sentences.".to_owned()] });
        let off = super::put_together(Some(rubric(8.0)), Vec::new(), voice(5.0));
        assert_eq!((off.combined_score(), off.voice_score), (7.25, Some(5.0)));
        assert_eq!(off.fixes, ["Write shorter sentences."]);
        let near = super::put_together(Some(rubric(8.0)), Vec::new(), voice(7.0));
        assert_eq!(near.fixes[0], "Write shorter sentences.", "a revision for another reason mends it too");
        assert_eq!((near.combined_score(), near.checks[0].passed), (8.0, true));
    }

    #[test]
    fn scores_must_be_there_and_within_bounds() {
        assert!(rubric(10.0).checked().is_ok());
        for score in [-0.1, 10.1, f64::NAN, f64::INFINITY] {
            assert!(rubric(score).checked().is_err(), "{score}");
        }
        let mut partial = rubric(7.0);
        partial.criteria.remove("voice");
        partial.criteria.insert("beauty".into(), 99.0);
        assert_eq!(partial.checked(), Err(vec!["The criterion voice had no score.".to_owned()]));
    }

    #[test]
    fn failed_checks_lower_the_score_up_to_a_point() {
        let score = |failed: usize| put_together(Some(rubric(8.0)), self::failed(failed)).combined_score();
        assert_eq!((score(0), score(1), score(2), score(9)), (8.0, 7.25, 6.5, 4.0));
        assert_eq!(put_together(None, Vec::new()).combined_score(), 8.0);
        assert_eq!(put_together(Some(rubric(1.0)), failed(4)).combined_score(), 0.0);
    }

    #[test]
    fn revisions_end_when_it_is_good_enough_or_none_is_left() {
        let brief = brief(Format::Blog);
        let poor = put_together(Some(rubric(5.0)), failed(1));
        assert_eq!(next(&poor, 0, &brief), Stage::Revise);
        assert_eq!(next(&poor, 1, &brief), Stage::Revise);
        assert_eq!(next(&poor, 2, &brief), Stage::Finish, "two rounds are all");
        assert_eq!(next(&put_together(Some(rubric(9.0)), failed(1)), 0, &brief), Stage::Finish);
        assert_eq!(next(&put_together(None, Vec::new()), 0, &brief), Stage::Finish);
        assert_eq!(next(&put_together(None, failed(1)), 0, &brief), Stage::Revise, "checks need no reviewer");
        let silent = Rubric { comments: String::new(), ..rubric(2.0) };
        assert_eq!(next(&put_together(Some(silent), Vec::new()), 0, &brief), Stage::Finish, "nothing to go by");
        assert_eq!(put_together(Some(rubric(2.0)), Vec::new()).fixes, ["Good."]);
    }
}
