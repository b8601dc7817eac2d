//! The last stage: the best version, its citations checked, and everything that a client should
//! know about it. Calls nobody and stores nothing.

use copydesk_common::clock;
use copydesk_domain::generation::{Degradation, GenerateRequest, Generation, Models};
use copydesk_domain::id::GenerationId;
use copydesk_domain::job::StartedJob;
use copydesk_domain::review::Review;
use copydesk_domain::usage::Usage;
use copydesk_editorial::text::clip::one_line;

use super::brief::Brief;
use super::citation;
use super::knowledge::Recalled;
use super::lessons::Lessons;
use super::passage::Passage;
use super::plan::Planned;
use super::research::Research;
use super::review::{Reviewed, Rubric};
use crate::provider::Providers;
use crate::provider::chain::{AnsweredBy, Chain};

/// The longest title, in characters.
const MAX_TITLE_CHARS: usize = 200;

/// A text with its review.
#[derive(Debug, Clone)]
pub struct Version {
    /// The text.
    pub text: String,
    /// Whether no model wrote it.
    pub is_template: bool,
    /// Who wrote it, where that is known.
    pub by: Option<AnsweredBy>,
    /// What the review found.
    pub reviewed: Reviewed,
}

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
    /// The plan.
    pub planned: Planned,
    /// Whether the model refused to write the draft.
    pub is_refused: bool,
    /// The draft and its revisions, in order: at least one.
    pub versions: Vec<Version>,
}

/// Puts the result together.
pub fn run(made: &Made<'_>, providers: &Providers, usage: Usage) -> Generation {
    let best = best(&made.versions);
    let text = best.map_or("", |version| version.text.as_str());
    let text = citation::mark_copied(text, made.passages);
    let checked = citation::check(&text, made.passages, &made.brief.language);
    if !checked.cut.is_empty() {
        tracing::info!(citations = checked.cut.len(), "citations were cut that no passage supported");
    }
    let reviewed = best.map(|version| &version.reviewed);
    let rubric = reviewed.and_then(|reviewed| reviewed.rubric.as_ref());
    let is_template = best.is_none_or(|version| version.is_template);
    Generation {
        generation_id: made.job.generation_id.unwrap_or(GenerationId(made.job.id.0)),
        business_id: made.job.business_id.clone(),
        topic: made.request.topic.clone(),
        format: made.brief.format.name().to_owned(),
        content_type: made.brief.format,
        voice: made.brief.voice.clone(),
        language: made.brief.language.clone(),
        title: title(&checked.text, made),
        sources: checked.sources,
        review: reviewed.map(|reviewed| review(reviewed, made.versions.len())),
        lessons_applied: made.lessons.applied.clone(),
        degraded: degraded(made, rubric.is_some(), is_template),
        models: Models {
            writer: (!is_template).then(|| name(best.and_then(|version| version.by.as_ref()), &providers.writer)),
            reviewer: rubric.map(|_| name(reviewed.and_then(|reviewed| reviewed.by.as_ref()), &providers.reviewer)),
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

/// The version with the best score, the later of equals. One that a model reviewed goes before one
/// that only the checks saw: their scores do not compare.
fn best(versions: &[Version]) -> Option<&Version> {
    versions.iter().max_by(|a, b| {
        let (a, b) = (&a.reviewed, &b.reviewed);
        let reviewed = a.rubric.is_some().cmp(&b.rubric.is_some());
        reviewed.then(a.combined_score().total_cmp(&b.combined_score()))
    })
}

/// What a client is told of the review: without a reviewer what code checked, and no score, since nobody gave one.
fn review(reviewed: &Reviewed, versions: usize) -> Review {
    let rubric = reviewed.rubric.as_ref();
    let score = rubric.map(Rubric::score);
    Review {
        score,
        calibrated_score: score,
        criteria: rubric.map(|rubric| rubric.criteria.clone()).unwrap_or_default(),
        rounds: u16::try_from(versions.saturating_sub(1)).unwrap_or(u16::MAX),
        comments: rubric.map(|rubric| rubric.comments.clone()).unwrap_or_default(),
        checks: reviewed.checks.clone(),
        voice_score: reviewed.voice_score,
    }
}

fn degraded(made: &Made<'_>, is_reviewed: bool, is_template: bool) -> Vec<Degradation> {
    let shortfalls = [
        (Degradation::ResearchUnavailable, made.research.is_unavailable),
        (Degradation::KnowledgeUnavailable, made.recalled.passages.is_empty()),
        (Degradation::EmbeddingsUnavailable, made.recalled.lacks_vectors),
        (Degradation::ReviewUnavailable, !is_reviewed),
        (Degradation::FallbackWriter, is_template),
        (Degradation::ContentRefused, is_template && made.is_refused),
        (Degradation::FallbackModel, answered_by(made).any(|by| by.is_fallback)),
        (Degradation::ContextWindow, answered_by(made).any(|by| by.lacked_room)),
    ];
    shortfalls.into_iter().filter(|(_, short)| *short).map(|(degradation, _)| degradation).collect()
}

/// Who took part: in the plan, in any version of the text, or in a review. Each of them shaped the
/// result.
fn answered_by<'a>(made: &'a Made<'_>) -> impl Iterator<Item = &'a AnsweredBy> {
    let versions = made.versions.iter().flat_map(|version| [&version.by, &version.reviewed.by]);
    versions.chain([&made.planned.by]).flatten()
}

/// The text's own title, else the plan's, else the topic.
fn title(text: &str, made: &Made<'_>) -> String {
    let own =
        text.lines().map(str::trim).find_map(|line| line.strip_prefix("# ").or_else(|| line.strip_prefix("Subject:")));
    let candidates = [own.unwrap_or_default(), &made.planned.outline.title, &made.brief.topic];
    let titles = candidates.iter().map(|title| one_line(&title.replace(['*', '`'], ""), MAX_TITLE_CHARS));
    titles.into_iter().find(|title| !title.is_empty()).unwrap_or_else(|| made.brief.format.name().to_owned())
}

#[cfg(test)]
mod tests {
    use copydesk_domain::review::Check;

    use super::super::review::tests::rubric;
    use super::*;

    fn version(text: &str, rubric: Option<Rubric>, failed_checks: u16) -> Version {
        Version {
            text: text.into(),
            is_template: false,
            by: None,
            reviewed: Reviewed {
                rubric,
                failed_checks,
                fixes: Vec::new(),
                checks: Vec::new(),
                voice_score: None,
                by: None,
            },
        }
    }

    fn best_of(versions: &[Version]) -> &str {
        best(versions).map_or("", |version| version.text.as_str())
    }

    #[test]
    fn checks_are_shown_without_a_reviewer_and_a_score_is_not() {
        let check = Check { name: "length".into(), passed: false, detail: "Write more.".into() };
        let mut unseen = version("unseen", None, 1).reviewed;
        (unseen.checks, unseen.voice_score) = (vec![check.clone()], Some(6.5));
        let shown = review(&unseen, 2);
        assert_eq!((shown.score, shown.calibrated_score, shown.criteria.len()), (None, None, 0));
        assert_eq!((shown.checks, shown.voice_score, shown.rounds), (vec![check], Some(6.5), 1));
        assert_eq!(review(&version("seen", Some(rubric(8.0)), 0).reviewed, 1).score, Some(8.0));
    }

    #[test]
    fn the_best_version_wins_not_the_last() {
        let (good, better) = (version("good", Some(rubric(7.0)), 0), version("better", Some(rubric(8.0)), 0));
        assert_eq!(best_of(&[good.clone(), better.clone()]), "better");
        assert_eq!(best_of(&[better.clone(), good.clone()]), "better");
        let broken = version("broken", Some(rubric(9.0)), 3);
        assert_eq!(best_of(&[better, broken]), "better", "failed checks count");
        let unseen = version("unseen", None, 0);
        assert_eq!(best_of(&[good.clone(), unseen]), "good", "nobody scored the other");
        let equal = version("equal", Some(rubric(7.0)), 0);
        assert_eq!(best_of(&[good, equal]), "equal", "the later of equals has more mended");
    }
}
