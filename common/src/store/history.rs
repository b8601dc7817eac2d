//! The table `queue_history`: how the queues were, by minute and by hour. Metrics in full are Prometheus's; this is what a
//! page shows without one.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use copydesk_domain::job::JobKind;
use copydesk_domain::named_enum;
use serde::Serialize;
use sqlx::types::Json;

use super::{Store, StoreError};

named_enum! {
    /// The length of what a row is of.
    Step {
        /// A minute; kept for a day.
        Minute = "minute",
        /// An hour; kept for 30 days.
        Hour = "hour",
    }
}

/// A queue as it is.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Now {
    /// Its kind.
    pub kind: JobKind,
    /// Jobs that can run.
    pub ready: u64,
    /// Jobs that become ready later.
    pub delayed: u64,
    /// Jobs that workers run.
    pub running: i64,
    /// Jobs that wait until a known time.
    pub waiting: i64,
    /// The age of the oldest queued job, in seconds.
    pub oldest: Option<f64>,
}

/// Stores how the queues are, and what ended in the minute from `minute` on. Nothing where that is stored. Removes what
/// was kept long enough.
pub async fn note_minute(store: &Store, minute: DateTime<Utc>, queues: &[Now]) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "with queue as (
                 select * from jsonb_to_recordset($2::jsonb)
                     as q (kind text, ready bigint, delayed bigint, running bigint, waiting bigint, oldest double precision)
             ), ended as (
                 select kind, count(*) as ended, count(*) filter (where error is not null) as failed,
                        percentile_disc(array[0.5, 0.95]) within group
                            (order by extract(epoch from started_at - created_at)::double precision) as wait,
                        percentile_disc(array[0.5, 0.95]) within group
                            (order by extract(epoch from finished_at - started_at)::double precision) as run
                 from jobs where finished_at >= $1 and finished_at < $1::timestamptz + interval '1 minute' group by kind
             ), gone as (
                 delete from queue_history
                 where at < $1::timestamptz - case step when 'minute' then interval '1 day' else interval '30 days' end
             )
             insert into queue_history (kind, step, at, ready, delayed, running, waiting, oldest_age_seconds, ended, failed,
                                        wait_p50, wait_p95, run_p50, run_p95)
             select q.kind, 'minute', $1, ready, delayed, running, waiting, oldest, coalesce(ended, 0), coalesce(failed, 0),
                    wait[1], wait[2], run[1], run[2]
             from queue q left join ended using (kind)
             on conflict do nothing",
            minute,
            Json(queues) as _,
        )
        .execute(&store.pool)
        .await
    };
    store.retry(query).await.map(drop)
}

/// Stores the hour from `hour` on by its minutes: the depths of the last one, and the means of waits and run times, by the
/// jobs that ended. Nothing where that is stored.
pub async fn note_hour(store: &Store, hour: DateTime<Utc>) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "with minute as (
                 select * from queue_history
                 where step = 'minute' and at >= $1 and at < $1::timestamptz + interval '1 hour'
             ), summed as (
                 select kind, max(at) as last, sum(ended)::bigint as ended, sum(failed)::bigint as failed,
                        sum(wait_p50 * ended) / nullif(sum(ended) filter (where wait_p50 is not null), 0) as wait_p50,
                        sum(wait_p95 * ended) / nullif(sum(ended) filter (where wait_p95 is not null), 0) as wait_p95,
                        sum(run_p50 * ended) / nullif(sum(ended) filter (where run_p50 is not null), 0) as run_p50,
                        sum(run_p95 * ended) / nullif(sum(ended) filter (where run_p95 is not null), 0) as run_p95
                 from minute group by kind
             )
             insert into queue_history (kind, step, at, ready, delayed, running, waiting, oldest_age_seconds, ended, failed,
                                        wait_p50, wait_p95, run_p50, run_p95)
             select s.kind, 'hour', $1, m.ready, m.delayed, m.running, m.waiting, m.oldest_age_seconds, s.ended, s.failed,
                    s.wait_p50, s.wait_p95, s.run_p50, s.run_p95
             from summed s join minute m on m.kind = s.kind and m.at = s.last
             on conflict do nothing",
            hour,
        )
        .execute(&store.pool)
        .await
    };
    store.retry(query).await.map(drop)
}

/// A row of the history.
#[derive(Debug, Clone)]
pub struct Row {
    /// The begin of the minute or the hour.
    pub at: DateTime<Utc>,
    /// Jobs that could run.
    pub ready: i64,
    /// Jobs that would become ready later.
    pub delayed: i64,
    /// Jobs that workers ran.
    pub running: i64,
    /// Jobs that waited until a known time.
    pub waiting: i64,
    /// The age of the oldest queued job, in seconds.
    pub oldest_age_seconds: Option<f64>,
    /// Jobs that ended in its time.
    pub ended: i64,
    /// Those that failed.
    pub failed: i64,
    /// The median and the 95th percentile of their seconds from the acceptance to the first begin.
    pub wait_p50: Option<f64>,
    /// See `wait_p50`.
    pub wait_p95: Option<f64>,
    /// The same of their seconds from the first begin to the end.
    pub run_p50: Option<f64>,
    /// See `run_p50`.
    pub run_p95: Option<f64>,
}

/// The history of a queue since a time, oldest first.
pub async fn of(store: &Store, kind: JobKind, step: Step, since: DateTime<Utc>) -> Result<Vec<Row>, StoreError> {
    let query = || async {
        sqlx::query_as!(
            Row,
            "select at, ready, delayed, running, waiting, oldest_age_seconds, ended, failed, wait_p50, wait_p95, run_p50,
                    run_p95
             from queue_history where kind = $1 and step = $2 and at >= $3 order by at",
            kind.as_str(),
            step.as_str(),
            since,
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await
}

/// The queues as they are: what Redis knows of each, with what Postgres does.
pub fn now(
    depths: &BTreeMap<JobKind, crate::queue::Depth>,
    loads: &super::job::load::Loads,
    at: DateTime<Utc>,
) -> Vec<Now> {
    let seconds =
        |since: DateTime<Utc>| f64::from(i32::try_from((at - since).num_seconds().max(0)).unwrap_or(i32::MAX));
    let queue = |(&kind, depth): (&JobKind, &crate::queue::Depth)| {
        let load = loads.by_kind.iter().find(|load| load.kind == kind);
        Now {
            kind,
            ready: depth.ready + depth.capped,
            delayed: depth.delayed,
            running: load.map_or(0, |load| load.running),
            waiting: load.map_or(0, |load| load.waiting),
            oldest: load.and_then(|load| load.oldest_queued_at).map(seconds),
        }
    };
    depths.iter().map(queue).collect()
}
