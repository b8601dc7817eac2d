//! A client of the API that asks for texts and judges them, as a frontend does. Everything is asked over HTTP.

use anyhow::{Context as _, ensure};
use copydesk_domain::format::Format;
use reqwest::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::key;
use crate::system::System;

/// How long one request waits for a job, in seconds.
const WAIT_SECONDS: u8 = 30;
/// How often it waits, before a job is taken for lost.
const WAITS: usize = 20;

/// A client of one Copydesk.
#[derive(Debug, Clone)]
pub(super) struct Api {
    http: Client,
    url: String,
}

/// A finished text.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Text {
    pub(super) generation_id: String,
    pub(super) content: String,
    #[serde(default)]
    pub(super) lessons_applied: Vec<Applied>,
    pub(super) learning: Option<Learned>,
    pub(super) review: Option<Review>,
}

/// A lesson that a text was written with.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Applied {
    pub(super) followed: Option<bool>,
}

/// What of the feedback went into a text.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Learned {
    pub(super) arm: String,
    pub(super) estimate: Option<f64>,
    #[serde(default)]
    pub(super) examples: Vec<String>,
}

/// What the editor said of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Review {
    pub(super) calibrated_score: Option<f64>,
}

/// What a rater says of a text.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdict<'a> {
    pub(super) score: f64,
    pub(super) approved: bool,
    pub(super) comment: Option<String>,
    pub(super) edited: Option<String>,
    pub(super) rater: &'a str,
}

/// A lesson, as clients see it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Lesson {
    pub(super) lesson_id: String,
    pub(super) text: String,
    pub(super) status: String,
    pub(super) support: u32,
    pub(super) confidence: f64,
    pub(super) conflicts_with: Vec<String>,
}

impl Lesson {
    pub(super) fn is_active(&self) -> bool {
        self.status == "active"
    }
}

/// What is known of how the editor's scores compare with people's.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Reviewer {
    pub(super) compared: u64,
    pub(super) mae: Option<f64>,
    pub(super) calibrated_mae: Option<f64>,
}

impl Api {
    pub(super) fn of(system: &System) -> anyhow::Result<Self> {
        Ok(Self { http: key::client().build()?, url: system.url() })
    }

    /// Asks for a text, and waits for it.
    pub(super) async fn write(&self, business: &str, topic: &str, format: Format) -> anyhow::Result<Text> {
        let asked = json!({ "business_id": business, "topic": topic, "format": format });
        let job = self.run("/api/generate", &asked).await?;
        let text = job["result"].clone();
        serde_json::from_value(text).with_context(|| format!("a job has no text: {job}"))
    }

    /// Judges a text, and waits until that is learned from.
    pub(super) async fn judge(&self, business: &str, text: &Text, verdict: Verdict<'_>) -> anyhow::Result<()> {
        let mut body = json!({
            "business_id": business,
            "generation_id": text.generation_id,
            "human_score": verdict.score,
            "human_approved": verdict.approved,
            "human_feedback": verdict.comment,
            "edited_content": verdict.edited,
        });
        if !verdict.rater.is_empty() {
            body["rater"] = verdict.rater.into();
        }
        self.run("/api/feedback", &body).await.map(drop)
    }

    /// Submits a job, and waits until it has succeeded.
    async fn run(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.http.post(format!("{}{path}", self.url)).json(body).send().await?;
        let mut job: Value = answer.json().await?;
        let id = job["id"].as_str().with_context(|| format!("{path} was not accepted: {job}"))?.to_owned();
        for _ in 0..WAITS {
            if job["finished_at"].is_string() {
                break;
            }
            let url = format!("{}/api/jobs/{id}?wait={WAIT_SECONDS}", self.url);
            job = self.http.get(url).send().await?.json().await?;
        }
        ensure!(job["status"] == "succeeded", "a job did not succeed: {job}");
        Ok(job)
    }

    /// Every lesson of a business.
    pub(super) async fn lessons(&self, business: &str) -> anyhow::Result<Vec<Lesson>> {
        let mut lessons = Vec::new();
        let mut page = format!("/api/learning/lessons/{business}?limit=200");
        loop {
            let answer = self.get(&page).await?;
            let data = serde_json::from_value::<Vec<Lesson>>(answer["data"].clone());
            lessons.extend(data.with_context(|| format!("these are no lessons: {answer}"))?);
            let Some(cursor) = answer["next_cursor"].as_str() else { return Ok(lessons) };
            page = format!("/api/learning/lessons/{business}?limit=200&cursor={cursor}");
        }
    }

    /// How the editor's scores compare with people's; nothing where that is not known.
    pub(super) async fn reviewer(&self, business: &str) -> anyhow::Result<Reviewer> {
        let answer = self.get(&format!("/api/learning/stats/{business}")).await?;
        Ok(serde_json::from_value(answer["figures"]["reviewer"].clone()).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }
}
