//! Faults that need a long backlog, many open jobs or many idle workers: the setup before the first
//! injection, the injection, and the cleanup after the last.

use std::time::{Duration, Instant};

use anyhow::ensure;
use chrono::{TimeDelta, Utc};
use copydesk_common::config::RedisConfig;
use copydesk_common::queue::Queue;
use copydesk_common::redis::Redis;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Fault;
use super::blow::{self, Scene};
use crate::chaos::Crowds;
use crate::chaos::client::CROWDED;
use crate::key;
use crate::system::System;

/// The beginning of the topics of jobs that are not due before the run is over.
pub(in crate::chaos) const STANDING: &str = "Standing";
/// The API's limit of requests in one batch.
const BATCH: usize = 1_000;
const LOW_CAP: u32 = 5;
/// How long a cap stays raised: enough for some jobs, but not for most of the backlog.
const RAISED: Duration = Duration::from_millis(300);
/// The number of changes of the cap after the whole backlog is submitted.
const CHANGES: usize = 4;
/// How long this is measured; the verdict decides what is too long.
const KNOWN_WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Scene<'_> {
    /// The setup before the first job is submitted.
    pub(in crate::chaos) async fn set(&mut self, fault: Fault, crowds: &Crowds) -> anyhow::Result<()> {
        match fault {
            Fault::CapsChanged => cap(self.system, LOW_CAP).await,
            Fault::RedisGoneBacklog => stand(self.system, crowds.standing).await,
            Fault::IdleFleet => self.system.start_fleet(crowds.idle),
            _ => Ok(()),
        }
    }

    /// The last step after all jobs are submitted. Returns how much it hit, like [`Scene::strike`].
    pub(in crate::chaos) async fn close(&mut self, fault: Fault, crowds: &Crowds) -> anyhow::Result<u64> {
        let mut struck = 0;
        if fault == Fault::CapsChanged {
            for _ in 0..CHANGES {
                struck += self.change_cap(crowds.backlog).await?;
                tokio::time::sleep(RAISED).await;
            }
            // The rest must end within the time of a run.
            cap(self.system, crowds.backlog).await?;
        }
        Ok(struck)
    }

    /// Raises the cap above the whole backlog, and lowers it again.
    pub(super) async fn change_cap(&mut self, backlog: u32) -> anyhow::Result<u64> {
        let open = self.client.open();
        cap(self.system, backlog).await?;
        tokio::time::sleep(RAISED).await;
        cap(self.system, LOW_CAP).await?;
        Ok(open)
    }

    /// Cuts Redis off for a while; it keeps its data. Returns how many jobs were accepted
    /// meanwhile, which Redis does not know.
    pub(super) async fn leave_redis_out(&mut self) -> anyhow::Result<u64> {
        let before = blow::count(self.system, "select count(*) from jobs").await?;
        blow::cut(&[&self.system.redis_link], self.outage).await?;
        let back = Instant::now();
        let accepted = blow::count(self.system, "select count(*) from jobs").await? - before;
        self.known_after.push(known_after(self.system, back).await?);
        Ok(accepted)
    }
}

async fn cap(system: &System, jobs_at_once: u32) -> anyhow::Result<()> {
    let url = format!("{}/api/ops/businesses/{CROWDED}/share", system.url());
    let answer = key::client().build()?.put(url).json(&json!({ "jobs_at_once": jobs_at_once })).send().await?;
    ensure!(answer.status().is_success(), "a share was not set: {}", answer.status());
    Ok(())
}

/// Submits jobs that are due after the run.
async fn stand(system: &System, jobs: usize) -> anyhow::Result<()> {
    let (http, url) = (key::client().build()?, format!("{}/api/generate/batch", system.url()));
    let run_at = Utc::now() + TimeDelta::days(1);
    let mut left = jobs;
    while left > 0 {
        let batch = left.min(BATCH);
        let requests: Vec<Value> = (0..batch)
            .map(|number| {
                let topic = format!("{STANDING} {}", left - number);
                json!({ "business_id": "standing", "topic": topic, "format": "ad", "run_at": run_at })
            })
            .collect();
        let answer: Value = http.post(&url).json(&json!({ "requests": requests })).send().await?.json().await?;
        let lines = answer["data"].as_array().into_iter().flatten();
        let accepted = lines.filter(|line| line["job"]["id"].is_string()).count();
        ensure!(accepted == batch, "{accepted} of {batch} jobs were accepted");
        left -= batch;
    }
    Ok(())
}

/// How long after its return Redis knows every job that was open then and is still open.
async fn known_after(system: &System, back: Instant) -> anyhow::Result<Duration> {
    let config = RedisConfig::new(&format!("redis://{}/0", system.redis.address()), "copydesk");
    let queue = Queue::new(&Redis::new(&config)?, JobKind::Generate);
    let pool = &system.database.pool;
    let mut left: Vec<Uuid> =
        sqlx::query_scalar("select id from jobs where finished_at is null").fetch_all(pool).await?;
    loop {
        // Measured before the check, which takes a while itself.
        let looked = back.elapsed();
        let ids: Vec<JobId> = left.iter().copied().map(JobId).collect();
        let unknown: Vec<Uuid> = queue.unknown(&ids).await?.iter().map(|id| id.0).collect();
        left = sqlx::query_scalar("select id from jobs where id = any($1) and finished_at is null")
            .bind(&unknown)
            .fetch_all(pool)
            .await?;
        if left.is_empty() || looked > KNOWN_WITHIN {
            return Ok(looked);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
