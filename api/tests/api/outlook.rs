//! A job's position, and when it will be done.

use copydesk_common::clock;
use copydesk_common::queue::{Depth, Intake, Queue};
use copydesk_common::quota::{Admission, Health, Quotas, Rank, Settlement};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::service::{NOBODY, Service, database_url, finish, generate, moved, with};

async fn outlook(service: &Service, job: &Value) -> (Value, Value) {
    let job = service.get(job["links"]["self"].as_str().unwrap()).await.expect(200).body;
    (job["position"].clone(), job["eta_seconds"].clone())
}

fn rank(job: &Value) -> Rank {
    let id: JobId = job["id"].as_str().unwrap().parse().unwrap();
    Rank::new_job(id, BusinessId::parse("company_123").unwrap(), clock::now())
}

/// Jobs that are known to Redis, in the order of their acceptance.
async fn queued(service: &Service, jobs: u64) -> Vec<Value> {
    let mut queued = Vec::new();
    for ready in 1..=jobs {
        queued.push(service.post("/api/generate", &generate()).await.expect(202).body);
        service.queue_has(JobKind::Generate, Depth { ready, ..Depth::default() }).await;
    }
    queued
}

#[sqlx::test(migrations = "../migrations")]
async fn a_queued_job_knows_its_place_and_about_when_it_is_done(pool: PgPool) {
    let service = Service::start_with(&pool, |config| config.providers.llm_requests_per_minute = Some(2)).await;
    let jobs = queued(&service, 3).await;
    assert_eq!(jobs[2]["position"], json!(null), "the 202 does not wait for Redis");
    for (job, place) in jobs.iter().zip(1..) {
        assert_eq!(outlook(&service, job).await, (json!(place), json!(null)), "no call was made yet");
    }
    let quota = Quotas::new(&service.redis(), &service.config.providers).writer;
    let Admission::Granted(grant) = quota.admit(rank(&jobs[0])).await.unwrap() else { panic!("it is the first") };
    quota.settle(grant, Settlement::of(Health::Healthy)).await.unwrap();
    let mut minutes = Vec::new();
    for job in &jobs {
        let (_, eta) = outlook(&service, job).await;
        assert_eq!(eta.as_u64().unwrap() % 5, 0, "in steps");
        minutes.push((eta.as_f64().unwrap() / 60.0).round());
    }
    assert_eq!(minutes, [1.0, 2.0, 3.0], "two calls each, two calls a minute, and one was made");

    Queue::new(&service.redis(), JobKind::Generate).set_intake(Intake::Paused, 1).await.unwrap();
    assert_eq!(outlook(&service, &jobs[1]).await, (json!(2), json!(null)), "nobody knows when it goes on");
    let list = service.get("/api/jobs?business_id=company_123").await.expect(200).body;
    assert_eq!(list["data"][0]["position"], json!(null));
}

#[sqlx::test(migrations = "../migrations")]
async fn bulk_jobs_stand_behind_interactive_ones(pool: PgPool) {
    let service = Service::start(&pool).await;
    let bulk = service.post("/api/generate", &with(generate(), "priority", "bulk")).await.expect(202).body;
    for _ in 0..12 {
        service.post("/api/generate", &generate()).await.expect(202);
    }
    service.queue_has(JobKind::Generate, Depth { ready: 13, ..Depth::default() }).await;
    assert_eq!(outlook(&service, &bulk).await.0, json!(10), "every tenth claim is a bulk one's");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_job_that_waits_for_quota_knows_its_place_in_that_line(pool: PgPool) {
    let service = Service::start_with(&pool, |config| config.providers.llm_requests_per_minute = Some(1)).await;
    let jobs = queued(&service, 4).await;
    let quota = Quotas::new(&service.redis(), &service.config.providers).writer;
    let Admission::Granted(grant) = quota.admit(rank(&jobs[0])).await.unwrap() else { panic!("it is the first") };
    quota.settle(grant, Settlement::of(Health::Healthy)).await.unwrap();
    for job in &jobs[1..] {
        let Admission::Throttled { .. } = quota.admit(rank(job).before(2)).await.unwrap() else {
            panic!("one a minute")
        };
        let waits = "update jobs set status = 'waiting', wait_reason = 'rate_limited', wait_provider = 'groq',
                     stage = 'outline', wait_until = now() + interval '1 minute' where id = $1::uuid";
        sqlx::query(waits).bind(job["id"].as_str().unwrap()).execute(&pool).await.unwrap();
    }
    for (job, place) in jobs[1..].iter().zip(1..) {
        let (position, eta) = outlook(&service, job).await;
        assert_eq!(position, json!(place));
        let minutes = (eta.as_f64().unwrap() / 60.0).round();
        assert_eq!(minutes, f64::from(3 * place), "three calls of each before it, and its own");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn other_jobs_have_no_place_and_nothing_is_made_up_without_redis(pool: PgPool) {
    let service = Service::start(&pool).await;
    for status in ["waiting", "running", "failed", "succeeded"] {
        let job = service.post("/api/generate", &generate()).await.expect(202).body;
        match status {
            "succeeded" => finish(&pool, job["id"].as_str().unwrap()).await,
            status => moved(&pool, &job, status).await,
        }
        assert_eq!(outlook(&service, &job).await, (json!(null), json!(null)), "{status}");
    }
    let alone = Service::start_on(&database_url(&pool), &format!("redis://{NOBODY}")).await;
    let job = alone.post("/api/generate", &generate()).await.expect(202).body;
    assert_eq!(outlook(&alone, &job).await, (json!(null), json!(null)));
}
