//! What Copydesk does when Redis Sentinel makes a replica the primary.

use std::time::Duration;

use chrono::TimeDelta;
use copydesk_common::clock;
use copydesk_common::config::RedisConfig;
use copydesk_common::notify::{Listener, Notifier};
use copydesk_common::queue::Queue;
use copydesk_common::quota::memory::{self, Seen};
use copydesk_common::quota::{Admission, Health, Policy, Quota, Rank, Settlement};
use copydesk_common::redis::{Redis, WrongMode};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::sentinels::{Sentinels, clients_of};
use crate::system::{System, until};

const KIND: JobKind = JobKind::Generate;
const WINDOW: Duration = Duration::from_secs(3);

/// A new process each time.
fn connect(url: &str) -> Redis {
    Redis::new(&RedisConfig::new(url, "s")).unwrap()
}

fn quota(redis: &Redis, provider: &str) -> Quota {
    let policy = Policy { window: WINDOW, ..Policy::per_minute(1_000, Duration::from_secs(1)) };
    Quota::new(redis, provider, "m", policy)
}

fn anybody() -> Rank {
    Rank::new_job(JobId::new(), BusinessId::parse("b").unwrap(), clock::now())
}

/// The number of jobs that succeeded.
async fn done(system: &System) -> i64 {
    system.count("select count(*) from jobs where status = 'succeeded'").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_lost_or_done_twice_when_the_primary_dies_under_load() {
    let mut sentinels = Sentinels::start().await;
    let url = sentinels.url();
    let system = System::start_with(|config| config.redis = RedisConfig::new(&url, "s")).await;
    let (workers, redis) = ([system.worker(), system.worker()], system.redis());
    let text = system.ended(system.generate("b", "A failover", "linkedin").await).await;
    assert_eq!(text["status"], "succeeded", "{text:#}");

    // Verdicts need no provider: those are closed after a failover.
    let verdict =
        json!({ "generation_id": text["result"]["generation_id"], "business_id": "b", "human_approved": true });
    let (stop, mut accepted) = (CancellationToken::new(), 0);
    let submitting = async {
        while !stop.is_cancelled() {
            system.submit("/api/feedback", &verdict).await;
            accepted += 1;
            until(async || accepted < done(&system).await + 40 || stop.is_cancelled()).await;
        }
    };
    let breaking = async {
        until(async || done(&system).await > 100).await;
        sentinels.first.kill();
        until(async || redis.ping().await.is_ok()).await;
        let before = done(&system).await;
        until(async || done(&system).await > before + 100).await;
        stop.cancel();
    };
    tokio::join!(submitting, breaking);

    until(async || done(&system).await == accepted + 1).await;
    assert_eq!(system.count("select count(*) from jobs").await, accepted + 1);
    assert_eq!(system.count("select count(*) from feedback").await, accepted);
    assert_eq!(system.count("select sum(applied)::bigint from learning_state").await, accepted);
    let (_, overview) = system.get("/api/ops/overview").await;
    assert!(overview["limits"][0]["closed_until"].is_string(), "providers take calls: {}", overview["limits"]);
    until(async || redis.swept(KIND).await.is_ok_and(|swept| swept.is_whole)).await;
    for worker in workers {
        worker.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_is_treated_as_a_flush() {
    let mut sentinels = Sentinels::start().await;
    let [knows, knows_nothing] = [(); 2].map(|()| connect(&sentinels.url()));
    for provider in ["groq", "tavily"] {
        let quota = quota(&knows, provider);
        let Ok(Admission::Granted(grant)) = quota.admit(anybody()).await else { panic!("{provider} grants nothing") };
        quota.settle(grant, Settlement::of(Health::Healthy)).await.unwrap();
    }
    assert_eq!(memory::look(&knows).await.unwrap(), Seen::Known);
    for name in ["whole", "under way"] {
        knows.begin_pass(KIND, name).await.unwrap();
        assert!(name != "whole" || knows.complete_pass(KIND, name).await.unwrap());
    }
    assert!(knows.swept(KIND).await.unwrap().is_whole);
    // So nothing is missing on the new primary, and only its run id shows the failover.
    sentinels.are_alike().await;
    sentinels.first.kill();

    // The first process that gets an answer has never asked before.
    let (before, newcomer) = (clock::now(), quota(&knows_nothing, "groq"));
    let mut first = None;
    until(async || {
        first = newcomer.admit(anybody()).await.ok();
        first.is_some()
    })
    .await;
    let Some(Admission::Throttled { until: closed_until }) = first else { panic!("{first:?}") };
    let (earliest, latest) = (before + WINDOW, clock::now() + WINDOW);
    assert!((earliest..=latest).contains(&closed_until), "{closed_until}: not between {earliest} and {latest}");
    until(async || memory::look(&knows).await.is_ok_and(|seen| seen == Seen::Flushed)).await;
    assert_eq!(memory::look(&knows).await.unwrap(), Seen::Known, "it is told once");
    for (redis, provider) in [(&knows, "groq"), (&knows, "tavily"), (&knows_nothing, "new")] {
        let admission = quota(redis, provider).admit(anybody()).await.unwrap();
        assert!(matches!(admission, Admission::Throttled { until } if until == closed_until), "{admission:?}");
    }
    assert!(!knows.swept(KIND).await.unwrap().is_whole, "it may lack jobs");
    assert!(!knows.complete_pass(KIND, "under way").await.unwrap(), "what it made known may be lost");

    until(async || matches!(newcomer.admit(anybody()).await, Ok(Admission::Granted(_)))).await;
    // A grant's time is in whole ms.
    assert!(clock::now() >= closed_until - TimeDelta::milliseconds(1), "before {closed_until}");
    assert_eq!(memory::look(&connect(&sentinels.url())).await.unwrap(), Seen::Known);
    assert!(matches!(newcomer.admit(anybody()).await, Ok(Admission::Granted(_))), "the server is the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_became_a_replica_is_left_for_the_new_one() {
    let sentinels = Sentinels::start().await;
    let redis = connect(&sentinels.url());
    let queue = Queue::new(&redis, KIND);
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let (listener, notifier, job) = (Listener::start(redis.clone(), stop), Notifier::new(&redis), JobId::new());
    let mut changed = listener.subscribe(job);
    let mut is_told = async || {
        notifier.publish(job).await;
        tokio::time::timeout(Duration::from_millis(50), changed.changed()).await.is_ok()
    };
    let is_woken = async || {
        let Ok(mut connection) = queue.bell_connection().await else { return false };
        // Longer than redis waits for an answer by default.
        queue.wait_for_bell(&mut connection, Duration::from_millis(700)).await.is_ok()
    };
    let mark = redis.keys().swept(KIND);
    until(async || redis.set_mark(&mark).await.is_ok() && is_woken().await && is_told().await).await;
    assert_eq!(clients_of(&sentinels.first).await, 2, "one for commands, and one that blocks");

    sentinels.swap().await;
    until(async || redis.set_mark(&mark).await.is_ok() && is_woken().await && is_told().await).await;
    assert_eq!(clients_of(&sentinels.first).await, 0);
    assert_eq!(clients_of(&sentinels.second).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_answers_no_more_is_left_although_its_connections_stand() {
    let sentinels = Sentinels::start().await;
    let redis = connect(&sentinels.url());
    redis.ping().await.unwrap();
    assert_eq!(sentinels.first.ask::<()>(&["DEBUG", "SLEEP", "3600"]).await, None);
    until(async || redis.ping().await.is_ok()).await;
    assert_eq!(clients_of(&sentinels.second).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_primary_that_comes_back_is_not_gone_back_to() {
    let mut sentinels = Sentinels::start().await;
    let redis = connect(&sentinels.url());
    let mark = redis.keys().swept(KIND);
    redis.set_mark(&mark).await.unwrap();
    sentinels.first.kill();
    until(async || redis.set_mark(&mark).await.is_ok()).await;
    sentinels.start_first_again().await;
    // It acts as a primary until the sentinels have told it.
    let is_at_second =
        async |redis: &Redis| redis.set_mark(&mark).await.is_ok() && clients_of(&sentinels.first).await == 0;
    assert!(is_at_second(&redis).await);
    assert!(is_at_second(&connect(&sentinels.url())).await);
    sentinels.first_is_replica().await;
    assert!(is_at_second(&redis).await);
    assert!(is_at_second(&connect(&sentinels.url())).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_that_is_down_is_skipped_and_a_wrong_name_is_told_at_the_start() {
    let mut sentinels = Sentinels::start().await;
    let wrong = async |url: &str| connect(url).check_mode().await.unwrap_err();
    assert_eq!(wrong(&sentinels.url_of_sentinel()).await, WrongMode::IsSentinel);
    assert_eq!(wrong(&sentinels.url_of_no_sentinel()).await, WrongMode::IsServer);
    for _ in ["all are there", "one is down"] {
        let redis = connect(&sentinels.url());
        assert_eq!(redis.check_mode().await, Ok(()));
        redis.ping().await.unwrap();
        // The name must match as a whole.
        for service in ["mai", "ain", "other"] {
            assert_eq!(wrong(&sentinels.url_of(service)).await, WrongMode::UnknownService(service.to_owned()));
            assert!(connect(&sentinels.url_of(service)).ping().await.is_err());
        }
        sentinels.kill_sentinel();
    }
    assert!(wrong(&sentinels.url_of("other")).await.to_string().starts_with("REDIS_URL names the service other,"));
}
