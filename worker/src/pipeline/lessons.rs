//! What was learned from people for this text: the lessons that count, and earlier texts that they approved. Taken down
//! once, so that every later stage of the job works from the same. A share of texts is written without any of it, so
//! that it can be told what learning is worth.

use copydesk_common::clock;
use copydesk_common::store::learning::{self, Experience, Rejected};
use copydesk_domain::generation::GenerateRequest;
use copydesk_domain::id::GenerationId;
use copydesk_domain::job::StartedJob;
use copydesk_domain::lesson::{AppliedLesson, Arm, Bound, Replayed, Rule};
use copydesk_editorial::text::clip::clip;
use copydesk_editorial::text::instruction;
use copydesk_learning::calibration::Calibrator;
use copydesk_learning::choice::Subject;
use copydesk_learning::example::{self, Candidate};
use copydesk_learning::life::Known;
use serde::{Deserialize, Serialize};

use super::brief::Brief;
use super::deps::PipelineDeps;
use super::error::StageError;
use crate::tokens;

/// What earlier texts may take in a prompt, in tokens.
const EXAMPLE_TOKENS: usize = 600;
/// How much of one is shown, in characters.
const MAX_EXAMPLE_CHARS: usize = 900;
/// How much of a rejected one.
const MAX_REJECTED_CHARS: usize = 300;
/// A topic's length, in characters.
const MAX_TOPIC_CHARS: usize = 120;

/// What was learned for a text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lessons {
    /// The lessons that its writer is given, the surest first.
    pub applied: Vec<AppliedLesson>,
    /// Earlier texts that it is shown.
    #[serde(default)]
    pub examples: Vec<Example>,
    /// One that people rejected, and why.
    #[serde(default)]
    pub rejected: Option<Rejection>,
    /// What corrects the editor's scores; `None` where nothing does.
    #[serde(default)]
    pub calibrator: Option<Calibrator>,
    /// What is told of it to clients; `None` in jobs that a release before began.
    #[serde(default)]
    pub made: Option<Made>,
}

/// Whether the text could use what was learned, and what there was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Whether it could.
    pub arm: Arm,
    /// Names what was learned by then.
    pub snapshot: Option<String>,
    /// Lessons and examples that there were.
    pub available: u16,
    /// Which half of a replayed pair it is.
    pub replay: Option<Replayed>,
}

/// An earlier text that people approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Which.
    pub generation_id: GenerationId,
    /// What it is about.
    pub topic: String,
    /// Its beginning, without citations.
    pub text: String,
}

/// An earlier text that people rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// What they asked for instead.
    pub reason: String,
    /// Its beginning.
    pub text: String,
}

/// Reads what was learned.
pub async fn run(
    deps: &PipelineDeps,
    job: &StartedJob,
    request: &GenerateRequest,
    brief: &Brief,
) -> Result<Lessons, StageError> {
    let store = &deps.store;
    let experience = learning::experience(store, &job.business_id, brief.format).await?;
    if experience.snapshot.is_none() {
        return Ok(Lessons { made: Some(Made::of(deps, job, request, &experience, 0)), ..Lessons::default() });
    }
    let language = primary(&brief.language);
    let subject =
        Subject { content_type: brief.format, language: &language, names_length: request.length_words.is_some() };
    let mut applied = learning::applied(store, &job.business_id, &experience.known, subject, clock::now()).await?;
    let candidates = learning::candidates(store, &job.business_id, brief.format, &brief.language).await?;
    let examples = examples(candidates, &brief.topic);
    let rejected = learning::rejected(store, &job.business_id, brief.format, &brief.language).await?;
    let rejected = rejected.as_ref().and_then(rejection);
    let available = applied.len() + examples.len();
    let made = Made::of(deps, job, request, &experience, available);
    match (made.arm, made.replay) {
        (Arm::Off, _) => return Ok(Lessons { made: Some(made), ..Lessons::default() }),
        (_, Some(replay)) if replay.with => {
            include(&mut applied, learning::one(store, &job.business_id, replay.lesson_id).await?);
        }
        (_, Some(replay)) => applied.retain(|lesson| lesson.id != replay.lesson_id.to_string()),
        _ => {}
    }
    Ok(Lessons { applied, examples, rejected, calibrator: experience.calibrator, made: Some(made) })
}

impl Made {
    fn of(
        deps: &PipelineDeps,
        job: &StartedJob,
        request: &GenerateRequest,
        experience: &Experience,
        available: usize,
    ) -> Self {
        let arm = match request.replay {
            Some(_) => Arm::Replay,
            None if is_control(job, deps.control_percent) => Arm::Off,
            None => Arm::On,
        };
        Self {
            arm,
            snapshot: experience.snapshot.clone(),
            available: u16::try_from(available).unwrap_or(u16::MAX),
            replay: request.replay,
        }
    }
}

/// Whether a text is written without what was learned: by the random part of its id, which no attempt changes.
fn is_control(job: &StartedJob, percent: u8) -> bool {
    let id = job.generation_id.map_or(job.id.0, |id| id.0);
    let [.., a, b, c, d] = id.into_bytes();
    u32::from_be_bytes([a, b, c, d]) % 100 < u32::from(percent)
}

/// A lesson whose effect is asked for is told, whatever its place.
fn include(applied: &mut Vec<AppliedLesson>, known: Option<Known>) {
    let Some(known) = known else { return };
    if applied.iter().any(|lesson| lesson.id == known.lesson.lesson_id.to_string()) {
        return;
    }
    applied.insert(0, learning::as_applied(known.lesson));
}

fn examples(candidates: Vec<Candidate>, topic: &str) -> Vec<Example> {
    let shown: Vec<Candidate> = candidates.into_iter().filter_map(shown).collect();
    let chosen = example::chosen(&shown, topic, clock::now(), EXAMPLE_TOKENS);
    let example = |candidate: &Candidate| Example {
        generation_id: candidate.generation_id,
        topic: clip(&candidate.topic, MAX_TOPIC_CHARS).to_owned(),
        text: candidate.text.clone(),
    };
    chosen.into_iter().map(example).collect()
}

/// What a prompt shows of an earlier text; `None` where nothing can be shown.
fn shown(candidate: Candidate) -> Option<Candidate> {
    let text = excerpt(&candidate.text, MAX_EXAMPLE_CHARS)?;
    Some(Candidate { tokens: tokens::count(&text), text, ..candidate })
}

fn rejection(rejected: &Rejected) -> Option<Rejection> {
    let rules = rejected.rules.iter().map(Rule::to_string).collect::<Vec<_>>();
    if rules.is_empty() {
        return None;
    }
    let reason = clip(&rules.join(" "), MAX_REJECTED_CHARS).to_owned();
    Some(Rejection { reason, text: excerpt(&rejected.text, MAX_REJECTED_CHARS)? })
}

/// A text's beginning, without citations, which would point at other passages, and without what speaks to a model:
/// a human's edited text comes from outside.
fn excerpt(text: &str, most: usize) -> Option<String> {
    let mut plain = text.to_owned();
    let markers = copydesk_editorial::citation::markers(text);
    markers.iter().rev().for_each(|marker| plain.replace_range(marker.start..marker.end, ""));
    let plain = instruction::removed(&plain);
    let plain = clip(plain.trim(), most).trim().to_owned();
    (!plain.is_empty()).then_some(plain)
}

/// The first part of a BCP 47 tag, in lower case.
fn primary(tag: &str) -> String {
    tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}

impl Lessons {
    /// The brief, with the length that people asked for where the request names none.
    pub fn heeded(&self, brief: Brief, request: &GenerateRequest) -> Brief {
        if request.length_words.is_some() {
            return brief;
        }
        let words =
            self.applied.iter().filter_map(|lesson| lesson.rule.as_ref()).fold(brief.words, |words, rule| match rule {
                Rule::Length { bound: Bound::AtMost, words: most } => words.min(*most),
                Rule::Length { bound: Bound::AtLeast, words: least } => words.max(*least),
                _ => words,
            });
        Brief { words, ..brief }
    }

    /// A score of the editor's, or an estimate of ours, as people would give it.
    pub fn calibrated(&self, score: f64) -> f64 {
        self.calibrator.as_ref().map_or(score, |calibrator| calibrator.apply(score))
    }
}
