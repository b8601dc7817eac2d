//! Corrects the worker's clock by Redis' clock: the time at which a job is due is written by one
//! process and used by another. A worker whose machine is five minutes ahead would make jobs wait
//! five minutes too long; one that is behind would not sweep the latest jobs.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use copydesk_common::clock;
use copydesk_common::redis::{Redis, RedisError};

/// How often the clock is compared.
const EVERY: Duration = Duration::from_secs(10);
/// How often it is compared while Redis does not answer.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest answer time: a slower answer is too inaccurate.
const PROMPT: Duration = Duration::from_millis(200);
/// The longest wait for the first comparison: a worker starts without it while Redis is
/// unavailable.
const FIRST: Duration = Duration::from_secs(2);

/// Compares the clock once before the worker starts, with a short time limit.
pub(crate) async fn begin(redis: &Redis) {
    if !matches!(tokio::time::timeout(FIRST, compare(redis)).await, Ok(Ok(true))) {
        tracing::warn!("the clock could not be compared with that of Redis: trying again in the background");
    }
}

/// Compares the clock forever.
pub(crate) async fn keep(redis: Redis) {
    loop {
        let compared = compare(&redis).await.unwrap_or(false);
        tokio::time::sleep(if compared { EVERY } else { AGAIN }).await;
    }
}

/// Compares the clock. Returns whether Redis answered fast enough to use its time.
async fn compare(redis: &Redis) -> Result<bool, RedisError> {
    let asked = Instant::now();
    let theirs = redis.time().await?;
    let took = asked.elapsed();
    if took > PROMPT {
        return Ok(false);
    }
    let half = TimeDelta::from_std(took / 2).unwrap_or_default();
    if let Some(ahead) = clock::set_right(theirs + half) {
        tracing::warn!(
            ahead_ms = ahead.num_milliseconds(),
            "this machine's clock is wrong: the time of Redis is used instead"
        );
    }
    Ok(true)
}
