//! Which waiting jobs ask a provider again after an operator has changed what they wait for.

use std::time::Duration;

use copydesk_common::clock;
use copydesk_common::queue::{Claimant, Depth, Intake, Leased, Next, Queue, Settled};
use copydesk_common::quota::{Admission, Quotas, Rank};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use serde_json::json;
use sqlx::PgPool;

use crate::service::{Service, generate, with};

fn in_an_hour() -> chrono::DateTime<chrono::Utc> {
    clock::now() + chrono::TimeDelta::hours(1)
}

/// A job scheduled in an hour, in Postgres and in Redis.
async fn scheduled(service: &Service) -> JobId {
    let body = with(generate(), "run_at", in_an_hour().to_rfc3339());
    service.post("/api/generate", &body).await.expect(202).body["id"].as_str().unwrap().parse().unwrap()
}

async fn waits_for(pool: &PgPool, id: JobId, provider: &str) {
    let sql = "update jobs set wait_reason = 'rate_limited', wait_provider = $2 where id = $1";
    sqlx::query(sql).bind(id.0).bind(provider).execute(pool).await.unwrap();
}

/// Claims until this many jobs are due, and once more.
async fn due(queue: &Queue, jobs: usize) -> Vec<Leased> {
    let claimer = Claimant { name: "test", was_idle: false };
    let mut leased = Vec::new();
    let found = async {
        while leased.len() < jobs {
            leased.extend(queue.claim(claimer, 10, 60_000, 0).await.unwrap().leased);
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), found).await;
    assert!(found.is_ok(), "{leased:?} are due");
    leased.extend(queue.claim(claimer, 10, 60_000, 0).await.unwrap().leased);
    leased.sort_unstable_by_key(|leased| leased.lease.id);
    leased
}

#[sqlx::test(migrations = "../migrations")]
async fn a_raised_limit_or_a_closed_breaker_lets_those_ask_again_that_wait_for_the_provider(pool: PgPool) {
    let service = Service::start_with(&pool, |config| config.providers.llm_requests_per_minute = Some(1)).await;
    let queue = Queue::new(&service.redis(), JobKind::Generate);
    queue.set_intake(Intake::Open, 0).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(scheduled(&service).await);
    }
    let [in_line, in_postgres, elsewhere, later] = ids[..] else { panic!("four") };
    service.queue_has(JobKind::Generate, Depth { delayed: 4, ..Depth::default() }).await;
    waits_for(&pool, in_postgres, "groq").await;
    waits_for(&pool, elsewhere, "tavily").await;
    let quota = Quotas::new(&service.redis(), &service.config.providers).writer;
    let rank = |id| Rank::new_job(id, BusinessId::parse("company_123").unwrap(), clock::now());
    assert!(matches!(quota.admit(rank(JobId::new())).await.unwrap(), Admission::Granted(_)));
    assert!(matches!(quota.admit(rank(in_line)).await.unwrap(), Admission::Throttled { .. }));

    service.put("/api/ops/limits/groq", &json!({"calls_per_minute": 60})).await.expect(200);
    let hastened = due(&queue, 2).await;
    let found = |leased: &[Leased]| leased.iter().map(|leased| leased.lease.id).collect::<Vec<_>>();
    assert_eq!(found(&hastened), [in_line, in_postgres], "not {elsewhere}, nor {later}");

    let again: Vec<_> =
        hastened.iter().map(|leased| Settled { lease: leased.lease, next: Next::Later(in_an_hour()) }).collect();
    queue.settle(&again).await.unwrap();
    service.post("/api/ops/breakers/groq/close", &json!({})).await.expect(200);
    assert_eq!(found(&due(&queue, 2).await), [in_line, in_postgres], "not {elsewhere}, nor {later}");
}
