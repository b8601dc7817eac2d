//! Keeps the worker's clock right by Redis': the time at which a job comes back is written by one
//! process and waited for by another. A worker whose machine is five minutes ahead would park jobs
//! for five minutes too long, and one that is behind would not sweep the latest jobs.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use copydesk_common::clock;
use copydesk_common::redis::{Redis, RedisError};

/// How often the clock is compared.
const EVERY: Duration = Duration::from_secs(10);
/// How often while Redis did not tell.
const AGAIN: Duration = Duration::from_secs(1);
/// An answer that took longer tells too little of the moment at which it was given.
const PROMPT: Duration = Duration::from_millis(200);
/// The wait for the first comparison: a worker starts without it while Redis is away.
const FIRST: Duration = Duration::from_secs(2);

/// Compares the clock once, before the worker begins; not longer than a moment.
pub(crate) async fn begin(redis: &Redis) {
    if !matches!(tokio::time::timeout(FIRST, compare(redis)).await, Ok(Ok(true))) {
        tracing::warn!("the clock could not be compared with Redis' yet");
    }
}

/// Compares the clock for ever.
pub(crate) async fn keep(redis: Redis) {
    loop {
        let compared = compare(&redis).await.unwrap_or(false);
        tokio::time::sleep(if compared { EVERY } else { AGAIN }).await;
    }
}

/// Whether Redis told the time promptly enough to go by it.
async fn compare(redis: &Redis) -> Result<bool, RedisError> {
    let asked = Instant::now();
    let theirs = redis.time().await?;
    let took = asked.elapsed();
    if took > PROMPT {
        return Ok(false);
    }
    let half = TimeDelta::from_std(took / 2).unwrap_or_default();
    if let Some(ahead) = clock::set_right(theirs + half) {
        tracing::warn!(ahead_ms = ahead.num_milliseconds(), "this machine's clock is off: Redis' is used instead");
    }
    Ok(true)
}
