//! Fills queues with jobs that nobody has a row of.

use chrono::{DateTime, Utc};
use copydesk_common::config::RedisConfig;
use copydesk_common::queue::message::{Message, MessageV1};
use copydesk_common::queue::{Entry, Queue};
use copydesk_common::redis::Redis;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, Priority};
use copydesk_domain::trace::TraceParent;

use crate::redis_server::RedisServer;

/// Made and pushed at a time.
const CHUNK: usize = 10_000;
/// Businesses that take turns.
const BUSINESSES: usize = 10;

/// Which jobs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'a> {
    /// Ready, of some businesses.
    Ready,
    /// Ready, all of one business.
    Of(&'a str),
    /// Due at this time, of some businesses.
    Delayed(DateTime<Utc>),
}

/// A handle on that server.
pub(super) fn redis(server: &RedisServer, prefix: &str) -> anyhow::Result<Redis> {
    Ok(Redis::new(&RedisConfig::new(&format!("redis://{}/0", server.address()), prefix))?)
}

/// Pushes so many jobs.
pub(super) async fn push(queue: &Queue, count: usize, kind: Kind<'_>) -> anyhow::Result<()> {
    let mut left = count;
    while left > 0 {
        let chunk = left.min(CHUNK);
        queue.push(&entries(chunk, kind)?).await?;
        left -= chunk;
    }
    Ok(())
}

pub(super) fn entries(count: usize, kind: Kind<'_>) -> anyhow::Result<Vec<Entry>> {
    (0..count)
        .map(|number| {
            let business_id = match kind {
                Kind::Of(business) => BusinessId::parse(business)?,
                Kind::Ready | Kind::Delayed(_) => BusinessId::parse(format!("business-{}", number % BUSINESSES))?,
            };
            let not_before = if let Kind::Delayed(at) = kind { Some(at) } else { None };
            Ok(entry(business_id, not_before))
        })
        .collect()
}

/// A new job.
pub(super) fn entry(business_id: BusinessId, not_before: Option<DateTime<Utc>>) -> Entry {
    let message = MessageV1 {
        job_id: JobId::new(),
        kind: JobKind::Generate,
        business_id,
        priority: Priority::Interactive,
        trace: TraceParent::start(),
    };
    Entry { message: Message::V1(message), not_before, begun: None }
}
