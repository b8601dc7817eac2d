//! Heartbeats of workers, for the operator's overview: leases say which worker runs what. And of API processes, which
//! share the limits of requests.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock;
use crate::redis::script::PRESENCE_BEAT;
use crate::redis::{Redis, RedisError};

/// The interval of heartbeats.
pub const BEAT: Duration = Duration::from_secs(5);
/// A worker without a heartbeat for this long is gone, in milliseconds.
const GONE_MS: i64 = 30_000;

/// A worker's description of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerInfo {
    /// The name in its leases: host, process and a random part.
    pub id: String,
    /// The machine.
    pub host: String,
    /// The release.
    pub version: String,
    /// The number of jobs of each kind that it runs at once.
    pub concurrency: u16,
    /// When it started, by its own clock.
    pub started_at: DateTime<Utc>,
}

/// A worker with a recent heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenWorker {
    /// Its description.
    pub info: WorkerInfo,
    /// The time of its last heartbeat, by Redis' clock.
    pub seen_at: DateTime<Utc>,
}

/// Records a worker's heartbeat.
pub async fn beat(redis: &Redis, worker: &WorkerInfo) -> Result<(), RedisError> {
    // Serialising only strings and numbers cannot fail.
    let told = serde_json::to_string(worker).unwrap_or_default();
    let mut beat = PRESENCE_BEAT.key(redis.keys().workers());
    beat.arg(&worker.id).arg(told);
    Ok(beat.invoke_async(&mut redis.commands()).await?)
}

/// Removes a worker that shuts down.
pub async fn leave(redis: &Redis, worker: &WorkerInfo) -> Result<(), RedisError> {
    forget(redis, std::slice::from_ref(&worker.id)).await
}

/// The workers with a recent heartbeat, by name. Removes those that are gone.
pub async fn workers(redis: &Redis) -> Result<Vec<SeenWorker>, RedisError> {
    let ((seconds, _), told): ((i64, i64), Vec<(String, String)>) =
        redis::pipe().cmd("TIME").hgetall(redis.keys().workers()).query_async(&mut redis.commands()).await?;
    let (mut present, mut gone) = (Vec::new(), Vec::new());
    for (id, told) in told {
        match read(&told).filter(|worker| seconds * 1_000 - worker.seen_at.timestamp_millis() < GONE_MS) {
            Some(worker) => present.push(worker),
            None => gone.push(id),
        }
    }
    if !gone.is_empty() {
        forget(redis, &gone).await?;
    }
    present.sort_by(|a, b| a.info.id.cmp(&b.info.id));
    Ok(present)
}

/// Records the heartbeat of an API process. How many have a recent one, this one among them. Removes those that are gone.
pub async fn beat_api(redis: &Redis, id: &str) -> Result<usize, RedisError> {
    let key = redis.keys().apis();
    let mut beat = PRESENCE_BEAT.key(&key);
    beat.arg(id).arg("");
    let _: () = beat.invoke_async(&mut redis.commands()).await?;
    let ((seconds, _), told): ((i64, i64), Vec<(String, String)>) =
        redis::pipe().cmd("TIME").hgetall(&key).query_async(&mut redis.commands()).await?;
    let is_alive = |told: &str| {
        let seen_ms = told.split_once('|').and_then(|(seen_ms, _)| seen_ms.parse::<i64>().ok());
        seen_ms.is_some_and(|seen_ms| seconds * 1_000 - seen_ms < GONE_MS)
    };
    let (alive, gone): (Vec<_>, Vec<_>) = told.into_iter().partition(|(_, told)| is_alive(told));
    if !gone.is_empty() {
        let gone: Vec<_> = gone.into_iter().map(|(id, _)| id).collect();
        let _: () = redis::cmd("HDEL").arg(&key).arg(gone).query_async(&mut redis.commands()).await?;
    }
    Ok(alive.len())
}

/// Removes an API process that shuts down.
pub async fn leave_api(redis: &Redis, id: &str) -> Result<(), RedisError> {
    Ok(redis::cmd("HDEL").arg(redis.keys().apis()).arg(id).query_async(&mut redis.commands()).await?)
}

async fn forget(redis: &Redis, ids: &[String]) -> Result<(), RedisError> {
    Ok(redis::cmd("HDEL").arg(redis.keys().workers()).arg(ids).query_async(&mut redis.commands()).await?)
}

fn read(told: &str) -> Option<SeenWorker> {
    let (seen_ms, info) = told.split_once('|')?;
    Some(SeenWorker { info: serde_json::from_str(info).ok()?, seen_at: clock::from_millis(seen_ms.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn worker(id: &str) -> WorkerInfo {
        WorkerInfo {
            id: id.to_owned(),
            host: "host".to_owned(),
            version: "0.1.0".to_owned(),
            concurrency: 64,
            started_at: clock::now(),
        }
    }

    #[tokio::test]
    async fn api_processes_count_until_they_leave_or_fall_silent() {
        let redis = Redis::of_test();
        assert_eq!(beat_api(&redis, "a").await.unwrap(), 1);
        assert_eq!(beat_api(&redis, "b").await.unwrap(), 2);
        assert_eq!(beat_api(&redis, "a").await.unwrap(), 2);
        let old = format!("{}|", clock::now().timestamp_millis() - GONE_MS - 2_000);
        let mut connection = redis.commands();
        let mut set = redis::cmd("HSET");
        set.arg(redis.keys().apis()).arg("b").arg(old).query_async::<()>(&mut connection).await.unwrap();
        assert_eq!(beat_api(&redis, "a").await.unwrap(), 1);
        leave_api(&redis, "a").await.unwrap();
        assert_eq!(beat_api(&redis, "c").await.unwrap(), 1);
    }

    #[tokio::test]
    async fn workers_are_there_until_they_leave_or_fall_silent() {
        let redis = Redis::of_test();
        for id in ["b", "a", "silent"] {
            beat(&redis, &worker(id)).await.unwrap();
        }
        let old = format!("{}|{}", clock::now().timestamp_millis() - GONE_MS, r#"{"id":"silent"}"#);
        let mut connection = redis.commands();
        redis::cmd("HSET")
            .arg(redis.keys().workers())
            .arg("silent")
            .arg(old)
            .query_async::<()>(&mut connection)
            .await
            .unwrap();
        let seen = workers(&redis).await.unwrap();
        assert_eq!(seen.iter().map(|worker| worker.info.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert!((clock::now() - seen[0].seen_at).abs() < chrono::TimeDelta::seconds(5));
        leave(&redis, &worker("a")).await.unwrap();
        assert_eq!(workers(&redis).await.unwrap().len(), 1);
    }
}
