//! `GET /api/generations/{id}/versions`: how a text came to be what it is.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use copydesk_common::store::generation::versions::{self, Edited, Written};
use copydesk_domain::generation::Generation;
use copydesk_domain::id::{FeedbackId, GenerationId};
use copydesk_domain::review::{Check, Scored};
use copydesk_editorial::text::page::Page;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::Id;
use crate::route::generation;
use crate::state::Services;

/// The most edits by people that are told.
const MOST_EDITS: u16 = 20;

/// The versions of a text.
///
/// Its draft, what editors made of it, and the text as it is, oldest first. `score` and `comments` are those of the editor
/// that read this version; `checks` are what code found of it. Of a text whose stages were cleaned up, the text alone.
/// `edits` are what people made of the text: the newest 20 that were sent as `edited_content` of a verdict.
#[utoipa::path(
    get,
    path = "/api/generations/{id}/versions",
    operation_id = "list_versions",
    tag = "Generations",
    params(("id" = GenerationId, Path, description = "The generation.")),
    responses((status = 200, description = "The versions.", body = VersionList))
)]
pub async fn list(
    State(services): State<Services>,
    caller: Caller,
    Id(id): Id<GenerationId>,
) -> Result<Json<VersionList>, ApiError> {
    let text = generation::read(&services, &caller, id).await?;
    let (store, business_id) = (&services.store, text.business_id.clone());
    let of_stages = async {
        match text.job_id {
            Some(job_id) => versions::of(store, job_id).await,
            None => Ok(Vec::new()),
        }
    };
    let of_people = versions::edited(store, &business_id, id, MOST_EDITS);
    let (written, edited) = services.within(async { tokio::try_join!(of_stages, of_people) }).await?;
    Ok(Json(VersionList { data: told(written, text), edits: edited.into_iter().map(Edit::from).collect() }))
}

/// The versions of a text.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionList {
    /// The versions, oldest first. The last one is the text.
    data: Vec<Version>,
    /// What people made of the text, oldest first.
    edits: Vec<Edit>,
}

/// The text as a person edited it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Edit {
    /// The verdict that it was sent with.
    feedback_id: FeedbackId,
    /// Who edited it, by the name that the client gave.
    #[schema(required = true)]
    rater: Option<String>,
    /// The text, in Markdown.
    content: String,
    /// When it was sent.
    edited_at: DateTime<Utc>,
}

impl From<Edited> for Edit {
    fn from(Edited { feedback_id, rater, content, edited_at }: Edited) -> Self {
        Self { feedback_id, rater, content, edited_at }
    }
}

/// A version of a text.
#[derive(Debug, Serialize, ToSchema)]
pub struct Version {
    /// Rounds of edits before it.
    round: u16,
    /// The stage that wrote it: `draft`, `edit`, `revise` (of an earlier release) or `finish`.
    #[schema(example = "edit")]
    stage: String,
    /// Its first heading; empty where it has none.
    title: String,
    /// The text, in Markdown.
    content: String,
    /// When it was written.
    written_at: DateTime<Utc>,
    /// The model that wrote it; null where none did.
    #[schema(required = true)]
    model: Option<String>,
    /// The editor's score of it, 0 to 10; null where no editor read it.
    #[schema(required = true)]
    score: Option<f64>,
    /// What the editor said of it; null where no editor read it.
    #[schema(required = true)]
    comments: Option<String>,
    /// What code found of it; empty where that was not stored.
    checks: Vec<Check>,
    /// Whether it is the text as it is.
    is_final: bool,
}

/// What a stage wrote, as far as it concerns people. A field that cannot be read is as if it were not there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Output {
    text: Option<String>,
    by: Option<By>,
    rubric: Option<Rubric>,
    checks: Vec<Check>,
    reviewed: Option<Reviewed>,
}

#[derive(Debug, Deserialize)]
struct By {
    model: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rubric {
    criteria: BTreeMap<String, f64>,
    comments: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reviewed {
    checks: Vec<Check>,
}

impl Rubric {
    /// The mean of the criteria in hundredths, as the pipeline has it.
    fn score(&self) -> Option<f64> {
        let criteria = u32::try_from(self.criteria.len()).ok().filter(|criteria| *criteria > 0)?;
        let mean = self.criteria.values().sum::<f64>() / f64::from(criteria);
        Some((mean * 100.0).round() / 100.0)
    }
}

/// The versions that the stages wrote, and the text as it is behind them.
fn told(written: Vec<Written>, text: Generation) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::new();
    for stage in written {
        let Ok(output) = Output::deserialize(&stage.output) else { continue };
        if let (Some(rubric), Some(read)) = (&output.rubric, versions.last_mut()) {
            read.score = rubric.score();
            read.comments = Some(rubric.comments.clone());
        }
        let checks = output.reviewed.map_or(output.checks, |reviewed| reviewed.checks);
        match (output.text, versions.last_mut()) {
            (Some(content), _) => versions.push(Version {
                round: u16::try_from(stage.round).unwrap_or(0),
                title: title(&content),
                content,
                written_at: stage.written_at,
                model: output.by.map(|by| by.model),
                score: None,
                comments: None,
                checks,
                is_final: false,
                stage: if stage.stage == "revise" { "edit".to_owned() } else { stage.stage },
            }),
            // It was read and left as it was.
            (None, Some(read)) => read.checks = checks,
            (None, None) => {}
        }
    }
    versions.push(last(&versions, text));
    versions
}

/// The text as it is.
fn last(before: &[Version], text: Generation) -> Version {
    let review = text.review;
    // An editor that also changed the text has read another version.
    let of_final = review.as_ref().filter(|review| review.scored != Some(Scored::Draft) && review.score.is_some());
    Version {
        round: before.last().map_or(0, |version| version.round),
        stage: "finish".to_owned(),
        title: text.title,
        content: text.content,
        written_at: text.created_at,
        model: text.models.writer,
        score: of_final.and_then(|review| review.score),
        comments: of_final.map(|review| review.comments.clone()),
        checks: review.map(|review| review.checks).unwrap_or_default(),
        is_final: true,
    }
}

/// The first heading of a text.
fn title(content: &str) -> String {
    Page::read(content)
        .sections
        .iter()
        .find(|section| section.level > 0)
        .map(|found| found.heading.to_owned())
        .unwrap_or_default()
}
