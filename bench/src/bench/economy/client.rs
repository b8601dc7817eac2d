//! A client of the API: businesses, their documents, and texts that are asked for; and a look into the
//! database at what became of them, which costs the API nothing.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::outcome::{Finished, Outcome};
use crate::system::System;

const INDEXED_WITHIN: Duration = Duration::from_secs(30);

/// Asks for texts, all at once.
pub(super) async fn ask_all(http: &Client, system: &System, bodies: Vec<Value>) -> anyhow::Result<()> {
    try_join_all(bodies.into_iter().map(|body| ask(http, system, body))).await?;
    Ok(())
}

/// Asks for one text; when it did.
pub(super) async fn ask(http: &Client, system: &System, body: Value) -> anyhow::Result<DateTime<Utc>> {
    let at = Utc::now();
    let answer = http.post(format!("{}/api/generate", system.url())).json(&body).send().await?;
    let status = answer.status();
    let job: Value = answer.json().await?;
    ensure!(status == StatusCode::ACCEPTED, "a text was not accepted: {status}: {job}");
    Ok(at)
}

/// Makes a business with its profile and documents, and waits until these can be searched.
pub(super) async fn introduce(
    http: &Client,
    system: &System,
    business: &str,
    profile: &Value,
    documents: &[(String, String)],
) -> anyhow::Result<()> {
    let url = format!("{}/api/businesses/{business}", system.url());
    let answer = http.put(&url).json(profile).send().await?;
    ensure!(answer.status().is_success(), "a business was not accepted: {}", answer.text().await?);
    for (title, text) in documents {
        let body = json!({ "title": title, "text": text });
        let answer: Value = http.post(format!("{url}/documents")).json(&body).send().await?.json().await?;
        let job = answer["job"]["id"].as_str().with_context(|| format!("a document was not accepted: {answer}"))?;
        let url = format!("{}/api/jobs/{job}?wait={}", system.url(), INDEXED_WITHIN.as_secs());
        let ended: Value = http.get(url).send().await?.json().await?;
        ensure!(ended["status"] == "succeeded", "a document was not indexed: {ended}");
    }
    Ok(())
}

/// What became of all texts of a run that began at this time.
pub(super) async fn outcome(system: &System, name: String, began: DateTime<Utc>) -> anyhow::Result<Outcome> {
    let jobs: Vec<(String, Option<f64>, Option<i32>)> = sqlx::query_as(
        "select status, extract(epoch from finished_at - $1)::float8,
                (select sum(value::int4)::int4 from jsonb_each_text(usage -> 'calls') where key like 'groq%')
         from jobs where kind = 'generate'",
    )
    .bind(began)
    .fetch_all(&system.database.pool)
    .await?;
    let finished = jobs.iter().filter(|(status, ..)| status == "succeeded").map(|(_, after, calls)| Finished {
        after_seconds: after.unwrap_or(f64::NAN),
        calls: u32::try_from(calls.unwrap_or(0)).unwrap_or(0),
    });
    let failed = jobs.iter().filter(|(status, ..)| status == "failed" || status == "cancelled").count();
    Ok(Outcome::new(name, jobs.len(), finished.collect(), failed, &system.simulator.calls()))
}
