//! `GET /api/generations/{id}/versions`: how a text came to be what it is.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use copydesk_common::store::generation::versions::{self, Written};
use copydesk_domain::generation::Generation;
use copydesk_domain::id::GenerationId;
use copydesk_domain::review::{Check, Scored};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::Id;
use crate::route::generation;
use crate::state::Services;

/// The versions of a text.
///
/// Its draft, what editors made of it, and the text as it is, oldest first. `score` and `comments` are those of the editor
/// that read this version; `checks` are what code found of it. Of a text whose stages were cleaned up, the text alone.
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
    let written = match text.job_id {
        Some(job_id) => services.within(versions::of(&services.store, job_id)).await?,
        None => Vec::new(),
    };
    Ok(Json(VersionList { data: told(written, text) }))
}

/// The versions of a text.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionList {
    /// The versions, oldest first. The last one is the text.
    data: Vec<Version>,
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
    let heading = content.lines().find_map(|line| line.trim_start().strip_prefix('#'));
    heading.map(|heading| heading.trim_start_matches('#').trim().to_owned()).unwrap_or_default()
}
