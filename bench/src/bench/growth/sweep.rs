//! How soon jobs that Redis does not know are known to it again: after a flush, and after an outage that
//! a worker saw, while which their rows came without a word to Redis.

use std::path::Path;
use std::time::{Duration, Instant};

use copydesk_common::queue::{Depth, Queue};
use copydesk_domain::job::JobKind;

use super::ask::Ask;
use super::fill;
use crate::bench::Bench;
use crate::measure::growth::Lines;
use crate::measure::{Findings, Mark};
use crate::system::System;

/// What the marks are about.
const MANY: usize = 100_000;
const MILLION: usize = 1_000_000;
/// Waited for at most: where it takes longer, the table says that it does not end.
const WITHIN: Duration = Duration::from_secs(75);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const FLUSHED: &str = "N jobs are known again after a flush";
const OUTAGE: &str = "N new rows are known after an outage";

pub(super) async fn measure(
    bench: &Bench,
    folder: &Path,
    sizes: &[usize],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let mut sizes = sizes.to_vec();
    if bench.jobs > MANY {
        sizes.push(MANY);
        sizes.sort_unstable();
    }
    let system = System::start(&bench.ground, folder, "bench_growth_sweep", Bench::setup(1)).await?;
    let redis = fill::redis(&system.redis, "copydesk")?;
    let queue = Queue::new(&redis, JobKind::Generate);
    let mut lines = Lines::new("the sweep of a worker, open jobs", &sizes);
    let mut there = 0;
    for &size in &sizes {
        insert(&system, there, size).await?;
        there = size;
        for what in [OUTAGE, FLUSHED] {
            if what == FLUSHED {
                system.redis.command(&["FLUSHALL"]).await?;
            } else {
                // As a worker does that found Redis away.
                redis.want_pass(JobKind::Generate).await?;
            }
            let known = known(&queue, size).await?;
            if let Known::Only(jobs) = known {
                findings.note(format!("{what}: {jobs} of {size} within {} s", WITHIN.as_secs()));
            }
            lines.add(what, "s", size, known.seconds());
        }
        let asks = [Ask::get("the overview", "/api/ops/overview"), Ask::get("a queued job", first_job(&system).await?)];
        for ask in asks {
            ask.time(&system.url(), size, &mut lines).await?;
        }
    }
    for (size, seconds) in [(MANY, 10.0), (MILLION, 60.0)].into_iter().filter(|(size, _)| sizes.contains(size)) {
        for what in [FLUSHED, OUTAGE] {
            findings.mark(&format!("{what}, N = {size}, s"), lines.get(what, "s", size), Mark::AtMost(seconds));
        }
    }
    findings.table(lines);
    Ok(())
}

/// Adds open jobs, all at once, accepted one after the other until now. They are scheduled, so that nobody
/// runs them.
async fn insert(system: &System, from: usize, until: usize) -> anyhow::Result<()> {
    sqlx::query(
        "insert into jobs (id, kind, business_id, generation_id, priority, payload, max_attempts, traceparent,
                           status, wait_reason, wait_until)
         select (lpad(to_hex(floor(extract(epoch from now()) * 1000)::bigint - ($2 - n) / 1000), 12, '0')
                 || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
                'generate', 'business-' || n % 10, gen_random_uuid(), 'bulk',
                '{\"topic\": \"Many\", \"format\": \"ad\", \"voice\": \"professional\"}', 3, '',
                'waiting', 'scheduled', now() + interval '1 day'
         from generate_series($1::bigint, $2::bigint - 1) as n",
    )
    .bind(i64::try_from(from)?)
    .bind(i64::try_from(until)?)
    .execute(&system.database.pool)
    .await?;
    Ok(())
}

async fn first_job(system: &System) -> anyhow::Result<String> {
    let id: uuid::Uuid =
        sqlx::query_scalar("select id from jobs order by id limit 1").fetch_one(&system.database.pool).await?;
    Ok(format!("/api/jobs/{id}"))
}

/// Whether Redis knew all jobs in time.
enum Known {
    All(Duration),
    Only(u64),
}

impl Known {
    fn seconds(&self) -> f64 {
        match self {
            Self::All(after) => after.as_secs_f64(),
            Self::Only(_) => f64::INFINITY,
        }
    }
}

async fn known(queue: &Queue, jobs: usize) -> anyhow::Result<Known> {
    let began = Instant::now();
    loop {
        let Depth { ready, delayed, leased, capped } = queue.depth().await?;
        let known = ready + delayed + leased + capped;
        if known >= u64::try_from(jobs)? {
            return Ok(Known::All(began.elapsed()));
        }
        if began.elapsed() > WITHIN {
            return Ok(Known::Only(known));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
