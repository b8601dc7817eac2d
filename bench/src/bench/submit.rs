//! Jobs that rows of the benchmark submit in bulk, and wait for.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::key;
use crate::system::System;

/// What the API takes in one batch.
const BATCH: usize = 1_000;
/// How often the table is asked: seldom, since it costs what is measured.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// Jobs that were accepted together.
#[derive(Debug)]
pub(super) struct Submitted(Vec<Uuid>);

impl Submitted {
    /// Submits so many jobs: short texts without a revision.
    pub(super) async fn by(system: &System, jobs: usize) -> anyhow::Result<Self> {
        let request = json!({ "business_id": "bench", "topic": "AI in Healthcare", "format": "ad", "max_rounds": 0 });
        let requests = vec![request; jobs];
        let (http, url) = (key::client().build()?, format!("{}/api/generate/batch", system.url()));
        let mut ids = Vec::with_capacity(jobs);
        for batch in requests.chunks(BATCH) {
            let answer: Value = http.post(&url).json(&json!({ "requests": batch })).send().await?.json().await?;
            let lines = answer["data"].as_array().into_iter().flatten();
            ids.extend(lines.filter_map(|line| line["job"]["id"].as_str()?.parse::<Uuid>().ok()));
        }
        ensure!(ids.len() == jobs, "{} of {jobs} jobs were accepted", ids.len());
        Ok(Self(ids))
    }

    /// Returns once all of them have ended; an error where one did not succeed.
    pub(super) async fn ended(&self, system: &System, within: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let sql = "select count(*) filter (where status = 'succeeded'),
                              count(*) filter (where status in ('failed', 'cancelled'))
                       from jobs where id = any($1)";
            let (succeeded, failed): (i64, i64) =
                sqlx::query_as(sql).bind(&self.0).fetch_one(&system.database.pool).await?;
            ensure!(failed == 0, "{failed} jobs failed");
            if usize::try_from(succeeded)? == self.0.len() {
                return Ok(());
            }
            ensure!(began.elapsed() < within, "{succeeded} of {} jobs ended in time", self.0.len());
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Seconds from the first one's begin to the last one's end.
    pub(super) async fn took(&self, system: &System) -> anyhow::Result<f64> {
        let sql = "select extract(epoch from max(finished_at) - min(started_at))::float8 from jobs where id = any($1)";
        Ok(sqlx::query_scalar(sql).bind(&self.0).fetch_one(&system.database.pool).await?)
    }
}
