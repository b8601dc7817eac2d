//! How long requests take beside so many jobs in the table: the default page of every read, and what
//! operators do.

use std::path::Path;

use reqwest::Method;
use serde_json::json;

use super::ask::{Ask, p99};
use crate::bench::Bench;
use crate::measure::growth::Lines;
use crate::measure::{Findings, Mark};
use crate::system::System;

/// Rows that one statement inserts.
const CHUNK: usize = 100_000;
/// Of one business; of the first ten jobs some run, failed or are of another kind, all later ones are
/// texts that were written: whoever looks for the rare ones finds them last.
const BUSINESS: &str = "bench";

pub(super) async fn measure(
    bench: &Bench,
    folder: &Path,
    sizes: &[usize],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let system = System::start(&bench.ground, folder, "bench_growth", Bench::setup(0)).await?;
    let (mut lines, asks) = (Lines::new("requests, jobs in the table", sizes), asks());
    let mut there = 0;
    for &size in sizes {
        while there < size {
            let until = size.min(there + CHUNK);
            fill(&system, there, until).await?;
            there = until;
        }
        system.database.execute("vacuum analyze jobs, generations, reviewer_learning, feedback").await?;
        for ask in &asks {
            ask.time(&system.url(), size, &mut lines).await?;
        }
    }
    let most = sizes.last().copied().unwrap_or_default();
    for ask in asks.iter().filter(|ask| ask.method == Method::GET) {
        let p99_ms = lines.get(&p99(ask.what), "ms", most);
        findings.mark(&format!("{}, p99, ms", ask.what), p99_ms, Mark::AtMost(20.0));
    }
    findings.table(lines);
    Ok(())
}

fn asks() -> Vec<Ask> {
    let jobs = |filter: &str| format!("/api/jobs?business_id={BUSINESS}{filter}");
    vec![
        Ask::get("a job", format!("/api/jobs/{}", id(5))),
        Ask::get("a business's jobs", jobs("")),
        Ask::get("a business's jobs, running", jobs("&status=running")),
        Ask::get("a business's jobs, failed", jobs("&status=failed")),
        Ask::get("a business's jobs, ingest", jobs("&kind=ingest")),
        Ask::get("a business's generations", format!("/api/generations?business_id={BUSINESS}")),
        Ask::get("dead letters", "/api/ops/dead"),
        Ask::get("the overview", "/api/ops/overview"),
        Ask::get("learning statistics", format!("/api/learning/stats/{BUSINESS}")),
        Ask {
            what: "a limit is set",
            method: Method::PUT,
            path: "/api/ops/limits/groq".into(),
            body: Some(json!({ "calls_per_minute": 1_000_000 })),
        },
    ]
}

/// The id of the job with this number: as of jobs that came one a millisecond.
fn id(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128((number << 80) | 0x7000_8000_0000_0000_0000)
}

/// Adds jobs with their texts and what people thought of every tenth.
async fn fill(system: &System, from: usize, until: usize) -> anyhow::Result<()> {
    let (from, until) = (i64::try_from(from)?, i64::try_from(until)?);
    for statement in [JOBS, GENERATIONS, FEEDBACK, LEARNING] {
        sqlx::query(statement).bind(from).bind(until).execute(&system.database.pool).await?;
    }
    Ok(())
}

const JOBS: &str = "
    insert into jobs (id, kind, business_id, generation_id, priority, payload, max_attempts, traceparent, status,
                      lease_epoch, lease_owner, error, started_at, finished_at, stages_completed)
    select (lpad(to_hex(n), 12, '0') || '70008000000000000000')::uuid,
           case when n = 3 then 'ingest' else 'generate' end, 'bench',
           case when n = 3 then null else (lpad(to_hex(n), 12, '0') || '70008000000000000001')::uuid end,
           'bulk', '{\"topic\": \"Many\", \"format\": \"blog\", \"voice\": \"professional\"}', 3, '',
           case when n = 0 then 'running' when n in (1, 2) then 'failed' else 'succeeded' end,
           1, case when n = 0 then 'bench-1-1' end,
           case when n in (1, 2)
                then '{\"type\": \"/problems/x\", \"title\": \"\", \"status\": 500, \"detail\": \"\"}'::jsonb end,
           now() - interval '2 hours', case when n > 0 then now() - interval '1 hour' end, 1
    from generate_series($1::bigint, $2::bigint - 1) as n";

const GENERATIONS: &str = "
    insert into generations (generation_id, job_id, business_id, topic, content_type, voice, language, title, content,
                             sources, lessons_applied, degraded, models, usage)
    select (lpad(to_hex(n), 12, '0') || '70008000000000000001')::uuid,
           (lpad(to_hex(n), 12, '0') || '70008000000000000000')::uuid, 'bench', 'Many', 'blog', 'professional', 'en',
           'A title', 'A text that says nothing.', '[]', '[]', '{}', '{\"simulated\": true}', '{}'
    from generate_series($1::bigint, $2::bigint - 1) as n where n > 3";

/// Every tenth text has a verdict.
const FEEDBACK: &str = "
    insert into feedback (feedback_id, generation_id, business_id, human_approved, human_score, created_at)
    select (lpad(to_hex(n), 12, '0') || '70008000000000000002')::uuid,
           (lpad(to_hex(n), 12, '0') || '70008000000000000001')::uuid, 'bench', n % 3 > 0, n % 11,
           now() - n % 50 * interval '1 day'
    from generate_series($1::bigint, $2::bigint - 1) as n where n > 3 and n % 10 = 0";

const LEARNING: &str = "
    insert into reviewer_learning (generation_id, business_id, content_type, auto_score, has_human_feedback,
                                   feedback_id, human_approved, human_score, reviewed_at, created_at)
    select (lpad(to_hex(n), 12, '0') || '70008000000000000001')::uuid, 'bench', 'blog', n % 7 + 3, n % 10 = 0,
           case when n % 10 = 0 then (lpad(to_hex(n), 12, '0') || '70008000000000000002')::uuid end,
           case when n % 10 = 0 then n % 3 > 0 end, case when n % 10 = 0 then n % 11 end,
           case when n % 10 = 0 then now() - n % 50 * interval '1 day' end,
           now() - interval '2 hours' + n * interval '1 ms'
    from generate_series($1::bigint, $2::bigint - 1) as n where n > 3";
