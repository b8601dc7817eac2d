//! What is known of a text: a rubric's scores from another model than the writer's, and the checks that code can
//! make. What is mended is [`super::edit`]'s.

use std::collections::BTreeMap;

use copydesk_domain::review::Check;
use copydesk_editorial::answer;
use copydesk_editorial::format::Spec;
use copydesk_editorial::lesson;
use copydesk_editorial::text::clip::one_line;
use copydesk_editorial::text::{instruction, markup};
use copydesk_editorial::voice::{self, VoiceScore};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::citation::{self, Cut};
use super::lenient;
use super::prompt::{Prompt, Task};
use super::reading::rules;
use crate::provider::chain::AnsweredBy;

/// What is scored, 0 to 10 each.
pub const CRITERIA: [&str; 5] = ["accuracy", "relevance", "voice", "structure", "clarity"];
/// Checks whose failing is no reason for another round of edits: citations that do not hold are cut by code in any
/// case, and a text in another language is mended by no edits.
const NOT_FOR_EDITS: [&str; 2] = ["citations_supported", "language"];
/// Points that the editor is told at once.
const MAX_FIXES: usize = 10;
/// Unsupported citations that are named.
const MAX_UNSUPPORTED: usize = 3;
/// How much of a sentence names it, in characters.
const MAX_SENTENCE_CHARS: usize = 160;
/// The longest comments, in characters.
const MAX_COMMENTS_CHARS: usize = 1_000;

/// What the review found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reviewed {
    /// What the reviewer said; `None` where there was none, and of texts that are edited: there the edit has it.
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
    #[serde(default, deserialize_with = "lenient::line")]
    pub comments: String,
    /// What the reviewer wants mended: in reviews of an earlier release.
    #[serde(default, deserialize_with = "lenient::lines")]
    pub fixes: Vec<String>,
}

/// Scores as models write them: `8`, `"8"`, `"8/10"` or `{"score": 8}`, of criteria in any case, as an object or as a
/// list of them. What is no score is left out: of a criterion it is missed.
fn scores<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let name = |name: &str| name.trim().to_lowercase();
    let listed = |item: &Value| {
        let named = ["criterion", "name"].iter().find_map(|field| item.get(field)).and_then(Value::as_str)?;
        Some((name(named), score(item)?))
    };
    Ok(match Value::deserialize(deserializer)? {
        Value::Object(written) => {
            written.iter().filter_map(|(criterion, written)| Some((name(criterion), score(written)?))).collect()
        }
        Value::Array(written) => written.iter().filter_map(listed).collect(),
        _ => BTreeMap::new(),
    })
}

fn score(written: &Value) -> Option<f64> {
    match written {
        Value::Number(score) => score.as_f64(),
        Value::String(text) => text.trim().split(['/', ' ']).next()?.parse().ok(),
        Value::Object(fields) => ["score", "value"].iter().find_map(|field| fields.get(*field)).and_then(score),
        _ => None,
    }
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
    /// Whether a check fails that an editor can mend.
    pub fn wants_edits(&self) -> bool {
        self.checks.iter().any(|check| !check.passed && !NOT_FOR_EDITS.contains(&check.name.as_str()))
    }
}

impl Rubric {
    /// The form of the criteria in a schema.
    pub(super) fn criteria_schema() -> Value {
        let scores: serde_json::Map<_, _> =
            CRITERIA.iter().map(|name| ((*name).to_owned(), json!({ "type": "number" }))).collect();
        json!({ "type": "object", "properties": scores, "required": CRITERIA, "additionalProperties": false })
    }

    /// Puts the scores and the comments in order, or says what is wrong with them, as instructions to the model.
    pub(super) fn checked(mut self) -> Result<Self, Vec<String>> {
        self.criteria.retain(|name, _| CRITERIA.contains(&name.as_str()));
        let missing = CRITERIA.iter().filter(|name| !self.criteria.contains_key(**name));
        let mut wrong: Vec<String> = missing.map(|name| format!("The criterion {name} had no score.")).collect();
        if self.criteria.values().any(|score| !(0.0..=10.0).contains(score)) {
            wrong.push("A score was not between 0 and 10.".to_owned());
        }
        // Nothing is worth nothing in every way: these are an example's zeros.
        if !self.criteria.is_empty() && self.criteria.values().all(|score| *score == 0.0) {
            wrong.push("Every score was 0: score the draft.".to_owned());
        }
        // People read it: no markup, and nothing of the prompt.
        self.comments = if answer::repeats_the_prompt(&self.comments) {
            String::new()
        } else {
            one_line(&markup::plain(&self.comments), MAX_COMMENTS_CHARS)
        };
        if wrong.is_empty() { Ok(self) } else { Err(wrong) }
    }
}

/// What code finds of a text of the task.
pub fn checked(task: &Task<'_>, text: &str) -> Reviewed {
    put_together(checks(task, text), voice(task, text))
}

/// Clients read the comments: nothing stays of what the prompt says, nor of a model that speaks of itself.
pub(super) fn fit_to_show(mut rubric: Rubric, prompt: &Prompt, task: &Task<'_>) -> Rubric {
    if answer::is_refusal(&rubric.comments) || prompt.is_quoted_in(&rubric.comments, task.lessons) {
        rubric.comments.clear();
    }
    rubric.comments = instruction::removed(&rubric.comments);
    rubric
}

/// How the text keeps to the business's voice.
fn voice(task: &Task<'_>, text: &str) -> Option<VoiceScore> {
    task.voice?.score(text, task.brief.format, &task.brief.banned_phrases)
}

fn checks(task: &Task<'_>, text: &str) -> Vec<Check> {
    let mut checks = Spec::of(task.brief.format).check(text, &rules(task.brief));
    let asked_for = task.lessons.iter().filter_map(|lesson| lesson.rule.as_ref());
    checks.extend(asked_for.filter_map(|rule| lesson::check(rule, text, &task.brief.language)));
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

/// The checks' points come first: they are certain. The voice is one check; what differs from it is told the editor
/// also where it passes.
fn put_together(mut checks: Vec<Check>, voice: Option<VoiceScore>) -> Reviewed {
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
    fixes.truncate(MAX_FIXES);
    Reviewed { rubric: None, failed_checks, fixes, checks, voice_score: voice.map(|voice| voice.score), by: None }
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    pub(crate) fn rubric(score: f64) -> Rubric {
        let criteria = CRITERIA.iter().map(|name| ((*name).to_owned(), score)).collect();
        Rubric { criteria, comments: "Good.".into(), fixes: Vec::new() }
    }

    /// A text that fails these checks.
    pub(crate) fn failing(names: &[&str]) -> Reviewed {
        put_together(names.iter().map(|name| check(name, Some(format!("Mend the {name}.")))).collect(), None)
    }

    #[test]
    fn a_voice_far_off_is_a_failed_check_and_names_what_differs() {
        let voice = |score| Some(VoiceScore { score, deviations: vec!["Write shorter sentences.".to_owned()] });
        let off = put_together(Vec::new(), voice(5.0));
        assert_eq!((off.failed_checks, off.voice_score, off.wants_edits()), (1, Some(5.0), true));
        assert_eq!(off.fixes, ["Write shorter sentences."]);
        let near = put_together(Vec::new(), voice(7.0));
        assert_eq!(near.fixes[0], "Write shorter sentences.", "an editor who reads the text anyway mends it too");
        assert_eq!((near.failed_checks, near.checks[0].passed, near.wants_edits()), (0, true, false));
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
    fn a_paid_review_is_not_lost_to_a_field_that_nobody_needs() {
        let scores = json!({ "Accuracy": 8, " relevance ": "8/10", "VOICE": "7.5", "structure": { "score": 8 },
            "clarity": "8 out of 10", "overall": "good", "beauty": null });
        for comments in [json!(null), json!(["Fine.", "Short."]), json!("Fine."), json!({})] {
            let written = json!({ "criteria": scores, "comments": comments, "fixes": "none" });
            let read: Rubric = serde_json::from_value(written).unwrap();
            assert!((read.checked().unwrap().score() - 7.9).abs() < 0.001, "{comments}");
        }
        let listed: Vec<_> = CRITERIA.iter().map(|name| json!({ "criterion": name, "score": 7 })).collect();
        let read: Rubric = serde_json::from_value(json!({ "criteria": listed })).unwrap();
        assert!((read.checked().unwrap().score() - 7.0).abs() < 0.001);
        for none in [json!(null), json!([]), json!({ "accuracy": "good" }), json!("8")] {
            let read: Rubric = serde_json::from_value(json!({ "criteria": none })).unwrap();
            assert_eq!(read.checked().unwrap_err().len(), CRITERIA.len(), "{none}");
        }
    }

    #[test]
    fn what_code_mends_or_nobody_can_is_no_reason_for_edits() {
        assert!(failing(&["length"]).wants_edits() && failing(&["language", "voice"]).wants_edits());
        assert!(!failing(&["citations_supported", "language"]).wants_edits() && !failing(&[]).wants_edits());
    }
}
