//! The last stage: the text with its citations checked, and everything that a client should
//! know about it. Calls nobody and stores nothing.

use copydesk_common::clock;
use copydesk_domain::generation::{Degradation, GenerateRequest, Generation, Models};
use copydesk_domain::id::GenerationId;
use copydesk_domain::job::StartedJob;
use copydesk_domain::lesson::{AppliedLesson, Learned, Rule};
use copydesk_domain::review::Review;
use copydesk_domain::stage::Stage;
use copydesk_domain::usage::Usage;
use copydesk_editorial::lesson;
use copydesk_editorial::text::clip::one_line;
use copydesk_learning::calibration::Calibrator;
use copydesk_learning::estimate;

use super::brief::Brief;
use super::citation;
use super::knowledge::Recalled;
use super::lessons::Lessons;
use super::passage::Passage;
use super::plan::Planned;
use super::prompt;
use super::research::Research;
use super::review::{Reviewed, Rubric};
use super::rounds::Rounds;
use crate::provider::Providers;
use crate::provider::chain::{AnsweredBy, Chain};

/// The longest title, in characters.
const MAX_TITLE_CHARS: usize = 200;

/// The check of what this stage mends itself.
const CUT_AT_THE_END: &str = "citations_supported";

/// What the stages made.
#[derive(Debug)]
pub struct Made<'a> {
    /// The job.
    pub job: &'a StartedJob,
    /// What was asked for.
    pub request: &'a GenerateRequest,
    /// What was written from.
    pub brief: &'a Brief,
    /// What was learned before.
    pub lessons: Lessons,
    /// What the web said.
    pub research: Research,
    /// What the business's documents said.
    pub recalled: Recalled,
    /// Both, numbered.
    pub passages: &'a [Passage],
    /// The plan, where there is one.
    pub planned: Option<Planned>,
    /// Whether the model refused to write the draft.
    pub is_refused: bool,
    /// The text, after its rounds of edits.
    pub rounds: Rounds,
}

/// Puts the result together.
pub fn run(made: &Made<'_>, providers: &Providers, usage: Usage) -> Generation {
    let rounds = &made.rounds;
    let text = citation::mark_copied(&rounds.text, made.passages);
    let checked = citation::check(&text, made.passages, &made.brief.language);
    if !checked.cut.is_empty() {
        tracing::info!(citations = checked.cut.len(), "citations were cut that no passage supported");
    }
    Generation {
        generation_id: made.job.generation_id.unwrap_or(GenerationId(made.job.id.0)),
        job_id: Some(made.job.id),
        business_id: made.job.business_id.clone(),
        topic: made.request.topic.clone(),
        format: made.brief.format.name().to_owned(),
        content_type: made.brief.format,
        voice: made.brief.voice.clone(),
        language: made.brief.language.clone(),
        title: title(&checked.text, made),
        sources: checked.sources,
        review: Some(review(rounds, &made.lessons)),
        lessons_applied: followed(&made.lessons, &checked.text, &made.brief.language),
        learning: learned(made),
        degraded: degraded(made),
        models: Models {
            writer: (!rounds.is_template).then(|| name(rounds.writer.as_ref(), &providers.writer)),
            reviewer: rounds.verdict.as_ref().map(|verdict| name(verdict.by.as_ref(), &providers.reviewer)),
            simulated: providers.simulated,
        },
        content: checked.text,
        usage,
        feedback: None,
        created_at: clock::now(),
    }
}

/// Who answered; an earlier release did not store it, and had but one model to ask.
fn name(by: Option<&AnsweredBy>, chain: &Chain) -> String {
    by.map_or_else(|| chain.primary().name().to_owned(), |by| by.model.clone())
}

/// What a client is told of how good the text is: without an editor what code checked, and no score, since nobody gave
/// one.
fn review(rounds: &Rounds, lessons: &Lessons) -> Review {
    let rubric = rounds.verdict.as_ref().map(|verdict| &verdict.rubric);
    let score = rubric.map(Rubric::score);
    let calibrator = lessons.calibrator.as_ref().filter(|calibrator| calibrator.is_adopted());
    Review {
        score,
        scored: rounds.verdict.as_ref().map(|verdict| verdict.scored),
        calibrated_score: match (calibrator, estimate(rounds)) {
            (Some(calibrator), Some(estimate)) => Some(in_hundredths(calibrator.apply(estimate))),
            _ => score,
        },
        criteria: rubric.map(|rubric| rubric.criteria.clone()).unwrap_or_default(),
        rounds: rounds.changes,
        comments: rubric.map(|rubric| rubric.comments.clone()).unwrap_or_default(),
        checks: rounds.reviewed.checks.clone(),
        voice_score: rounds.reviewed.voice_score,
    }
}

/// More digits would be noise.
fn in_hundredths(score: f64) -> f64 {
    (score * 100.0).round() / 100.0
}

/// Our own estimate of the final text.
fn estimate(rounds: &Rounds) -> Option<f64> {
    let verdict = rounds.verdict.as_ref()?;
    let failed = rounds.reviewed.checks.iter().filter(|check| !check.passed && check.name != CUT_AT_THE_END).count();
    Some(estimate::of_final(verdict.rubric.score(), verdict.scored, failed))
}

/// The lessons that the writer was given, and whether the text follows them.
fn followed(lessons: &Lessons, text: &str, language: &str) -> Vec<AppliedLesson> {
    let follows = |rule: &Rule| lesson::check(rule, text, language).map(|check| check.passed);
    let applied = lessons.applied.iter().cloned();
    applied.map(|lesson| AppliedLesson { followed: lesson.rule.as_ref().and_then(follows), ..lesson }).collect()
}

/// What of people's feedback went into the text; `None` where a release before began the job.
fn learned(made: &Made<'_>) -> Option<Learned> {
    let told = made.lessons.made.clone()?;
    let stages = [
        (Stage::Outline, made.planned.as_ref().is_some_and(|planned| planned.by.is_some())),
        (Stage::Draft, true),
        (Stage::Edit, made.rounds.made > 0),
    ];
    let own = stages.into_iter().filter(|(_, was_asked)| *was_asked).map(|(stage, _)| prompt::version(stage));
    let prompts = [prompt::SYSTEM, prompt::CONTEXT].into_iter().chain(own);
    Some(Learned {
        arm: told.arm,
        snapshot: told.snapshot,
        available: told.available,
        examples: made.lessons.examples.iter().map(|example| example.generation_id).collect(),
        estimate: estimate(&made.rounds),
        calibrator: made.lessons.calibrator.as_ref().and_then(Calibrator::name),
        prompts: prompts.map(str::to_owned).collect(),
        replay: told.replay,
    })
}

fn degraded(made: &Made<'_>) -> Vec<Degradation> {
    let Rounds { is_template, verdict, .. } = &made.rounds;
    let shortfalls = [
        (Degradation::ResearchUnavailable, made.research.is_unavailable),
        (Degradation::KnowledgeUnavailable, made.recalled.passages.is_empty()),
        (Degradation::EmbeddingsUnavailable, made.recalled.lacks_vectors),
        // Who wants no round wants no editor.
        (Degradation::ReviewUnavailable, verdict.is_none() && made.brief.max_rounds > 0),
        (Degradation::ChecksFailed, verdict.is_none() && fails_checks(&made.rounds.reviewed)),
        (Degradation::FallbackWriter, *is_template),
        (Degradation::ContentRefused, *is_template && made.is_refused),
        (Degradation::FallbackModel, answered_by(made).any(|by| by.is_fallback)),
        (Degradation::ContextWindow, answered_by(made).any(|by| by.lacked_room)),
    ];
    shortfalls.into_iter().filter(|(_, short)| *short).map(|(degradation, _)| degradation).collect()
}

/// Whether the text as it is delivered fails a check: citations that do not hold were cut.
fn fails_checks(reviewed: &Reviewed) -> bool {
    reviewed.checks.iter().any(|check| !check.passed && check.name != CUT_AT_THE_END)
}

/// Who took part: in the plan, in any version of the text, or as its editor. Each of them shaped the result.
fn answered_by<'a>(made: &'a Made<'_>) -> impl Iterator<Item = &'a AnsweredBy> {
    made.rounds.by.iter().chain(made.planned.iter().filter_map(|planned| planned.by.as_ref()))
}

/// The text's own title, else the plan's, else the topic.
fn title(text: &str, made: &Made<'_>) -> String {
    let own =
        text.lines().map(str::trim).find_map(|line| line.strip_prefix("# ").or_else(|| line.strip_prefix("Subject:")));
    let planned = made.planned.as_ref().map_or("", |planned| planned.outline.title.as_str());
    let candidates = [own.unwrap_or_default(), planned, &made.brief.topic];
    let titles = candidates.iter().map(|title| one_line(&title.replace(['*', '`'], ""), MAX_TITLE_CHARS));
    titles.into_iter().find(|title| !title.is_empty()).unwrap_or_else(|| made.brief.format.name().to_owned())
}

#[cfg(test)]
mod tests {
    use copydesk_domain::format::Format;
    use copydesk_domain::review::Scored;

    use super::super::brief::tests::brief;
    use super::super::draft::Draft;
    use super::super::edit::Edited;
    use super::super::review::tests::{failing, rubric};
    use super::*;

    fn rounds(score: Option<f64>, text: Option<&str>) -> Rounds {
        let draft = Draft { text: "draft".into(), is_template: false, is_refused: false, by: None, plan: None };
        let brief = brief(Format::Blog);
        let mut rounds = Rounds::of(&draft, failing(&["length", "voice"]), &brief);
        let reviewed = if text.is_some() { failing(&["length"]) } else { rounds.reviewed.clone() };
        let text = text.map(str::to_owned);
        rounds.take(
            Edited { text, rubric: score.map(rubric), dropped: None, reviewed, by: None },
            &brief,
            &Lessons::default(),
        );
        rounds
    }

    #[test]
    fn checks_are_shown_without_an_editor_and_a_score_is_not() {
        let shown = review(&rounds(None, None), &Lessons::default());
        assert_eq!((shown.score, shown.calibrated_score, shown.scored), (None, None, None));
        assert_eq!((shown.criteria.len(), shown.checks.len(), shown.rounds), (0, 2, 0));
    }

    #[test]
    fn checks_that_fail_are_told_of_by_themselves() {
        assert!(fails_checks(&failing(&["task"])) && fails_checks(&failing(&["citations_supported", "length"])));
        assert!(!fails_checks(&failing(&["citations_supported"])) && !fails_checks(&failing(&[])));
    }

    #[test]
    fn the_checks_are_the_final_texts_whatever_the_score_speaks_of() {
        let shown = review(&rounds(Some(6.5), Some("edited")), &Lessons::default());
        assert_eq!((shown.score, shown.scored, shown.rounds), (Some(6.5), Some(Scored::Draft), 1));
        assert_eq!((shown.checks.len(), shown.score_of_final()), (1, None));
        let shown = review(&rounds(Some(8.0), None), &Lessons::default());
        assert_eq!((shown.scored, shown.score_of_final(), shown.rounds), (Some(Scored::Final), Some(8.0), 0));
    }
}
