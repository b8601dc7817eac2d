//! `GET /api/jobs/{id}?wait=`: long polls, and tags.

use std::time::{Duration, Instant};

use copydesk_common::notify::Notifier;
use copydesk_common::queue::Depth;
use copydesk_domain::job::JobKind;
use futures_util::future::join_all;
use reqwest::Method;
use sqlx::PgPool;

use crate::service::{Answer, Hold, NOBODY, Service, database_url, finish, generate};

/// The number of reads that hints trigger.
const LOOKS: u32 = 20;

#[sqlx::test(migrations = "../migrations")]
async fn a_wait_ends_with_the_job_by_a_hint(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = service.post("/api/generate", &generate()).await.expect(202);
    let id = job.body["id"].as_str().unwrap();
    let path = format!("/api/jobs/{id}?wait=60");
    let hold = Hold::jobs(&pool).await;
    let (notifier, job_id) = (Notifier::new(&service.redis()), id.parse().unwrap());
    let hints = async {
        hold.until_somebody_waits().await;
        let looked = Instant::now();
        for _ in 0..LOOKS {
            // The last read is over, and the next one has not begun.
            let hold = Hold::jobs(&pool).await;
            notifier.publish(job_id).await;
            hold.until_somebody_waits().await;
        }
        // Without hints, each of these reads would take at least 0.8 seconds.
        assert!(looked.elapsed() < LOOKS * Duration::from_millis(800), "{:?}", looked.elapsed());
        finish(&pool, id).await;
        notifier.publish(job_id).await;
    };
    let (answer, ()) = tokio::join!(service.get(&path), hints);
    assert_eq!(answer.expect(200).body["status"], "succeeded");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_wait_needs_no_hint(pool: PgPool) {
    let service = Service::start_on(&database_url(&pool), &format!("redis://{NOBODY}")).await;
    let job = service.post("/api/generate", &generate()).await.expect(202);
    let id = job.body["id"].as_str().unwrap();
    let path = format!("/api/jobs/{id}?wait=50");
    let started = Instant::now();
    let hold = Hold::jobs(&pool).await;
    let end = async {
        hold.until_somebody_waits().await;
        // The first read is over: it cannot have seen the end.
        Hold::jobs(&pool).await.let_go().await;
        finish(&pool, id).await;
    };
    let (answer, ()) = tokio::join!(service.get(&path), end);
    assert_eq!(answer.expect(200).body["status"], "succeeded");
    // At the end of its wait, a request reads in any case.
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_wait_is_over_when_its_time_is(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = service.post("/api/generate", &generate()).await.expect(202);
    let started = Instant::now();
    let answer = service.get(&format!("{}?wait=1", job.header("location"))).await.expect(200);
    assert_eq!(answer.body["status"], "queued");
    assert!((Duration::from_millis(990)..Duration::from_secs(3)).contains(&started.elapsed()));
}

#[sqlx::test(migrations = "../migrations")]
async fn many_who_wait_hold_up_nobody(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = service.post("/api/generate", &generate()).await.expect(202);
    let path = format!("{}?wait=8", job.header("location"));
    let started = Instant::now();
    // Ten times the pool's connections.
    let waiting = join_all((0..300).map(|_| service.get(&path)));
    let others = async {
        for _ in 0..20 {
            service.get(job.header("location")).await.expect(200);
        }
        started.elapsed()
    };
    let (waited, served) = tokio::join!(waiting, others);
    assert!(waited.iter().all(|answer| answer.status == 200));
    assert!(served < Duration::from_secs(8), "others were served after {served:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_process_that_leaves_answers_who_waits(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = service.post("/api/generate", &generate()).await.expect(202);
    let path = format!("{}?wait=60", job.header("location"));
    let started = Instant::now();
    let hold = Hold::jobs(&pool).await;
    let stop = async {
        hold.until_somebody_waits().await;
        service.stop.cancel();
    };
    let (answer, ()) = tokio::join!(service.get(&path), stop);
    assert_eq!(answer.expect(200).body["status"], "queued");
    service.served.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[sqlx::test(migrations = "../migrations")]
async fn what_has_not_changed_is_not_sent_again(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = service.post("/api/generate", &generate()).await.expect(202);
    let path = job.header("location").to_owned();
    // Until then its position may change.
    service.queue_has(JobKind::Generate, Depth { ready: 1, ..Depth::default() }).await;
    let tag = service.get(&path).await.expect(200).header("etag").to_owned();
    let again = |tag: String| {
        let request = service.request(Method::GET, &path).header("if-none-match", tag);
        async { Answer::of(request.send().await.unwrap()).await }
    };
    let unchanged = again(tag.clone()).await.expect(304);
    assert_eq!((unchanged.header("etag"), unchanged.text.as_str()), (tag.as_str(), ""));

    finish(&pool, job.body["id"].as_str().unwrap()).await;
    let changed = again(tag.clone()).await.expect(200);
    assert_ne!(changed.header("etag"), tag);

    // A verdict changes the result, though not the job.
    let tag = changed.header("etag").to_owned();
    sqlx::query(
        "with f as (insert into feedback (feedback_id, generation_id, business_id, human_approved)
                            select gen_random_uuid(), generation_id, business_id, true from generations returning *)
                 update reviewer_learning l set has_human_feedback = true, feedback_id = f.feedback_id,
                        human_approved = true, reviewed_at = now() from f where f.generation_id = l.generation_id",
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(again(tag).await.expect(200).body["result"]["feedback"]["human_approved"], true);
}
