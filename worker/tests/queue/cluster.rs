//! All uses of Redis, on a Redis Cluster; and what happens when a server becomes a replica.

use std::sync::atomic::Ordering;
use std::time::Duration;

use copydesk_common::clock;
use copydesk_common::config::RedisConfig;
use copydesk_common::notify::{Listener, Notifier};
use copydesk_common::presence::{self, WorkerInfo};
use copydesk_common::queue::{Depth, Queue};
use copydesk_common::quota::memory::{self, Seen};
use copydesk_common::quota::{Admission, Health, Policy, Quota, Rank, Settlement};
use copydesk_common::redis::{Mark, Redis, Swept, WrongMode};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use tokio_util::sync::CancellationToken;

use crate::nodes::{Alone, Nodes};
use crate::worker::{RunningWorker, entries, until};

/// Short, so that a lease whose answer was lost with its node expires soon.
const LEASE_MS: u64 = 2_000;

fn redis(nodes: &Nodes, prefix: &str) -> Redis {
    Redis::new(&RedisConfig::new(&nodes.url(), prefix)).unwrap()
}

/// A queue on each node.
async fn queues(nodes: &Nodes) -> Vec<Queue> {
    let mut found: [Option<Queue>; 3] = Default::default();
    for number in 0.. {
        let redis = redis(nodes, &format!("c{number}"));
        let node = nodes.node_of(&redis.keys().queue(JobKind::Generate).messages).await;
        found[node].get_or_insert_with(|| Queue::new(&redis, JobKind::Generate));
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    found.into_iter().flatten().collect()
}

/// Pushes jobs until the queue accepts them.
async fn push(queue: &Queue, count: usize) {
    let jobs = entries(count);
    until(async || queue.push(&jobs).await.is_ok()).await;
}

async fn is_empty(queue: &Queue) -> bool {
    queue.depth().await.is_ok_and(|depth| depth == Depth::default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_on_every_node_of_a_cluster_are_worked_through_while_others_come_and_go() {
    let mut nodes = Nodes::start().await;
    let queues = queues(&nodes).await;
    let mut workers: Vec<_> = queues.iter().map(|queue| RunningWorker::start_leasing(queue, 8, LEASE_MS)).collect();
    for (queue, worker) in queues.iter().zip(&workers) {
        worker.handler.may_end.add_permits(10_000);
        push(queue, 700).await;
    }
    for queue in &queues {
        until(async || is_empty(queue).await).await;
    }
    for worker in &workers {
        assert_eq!(worker.handler.handled.lock().unwrap().len(), 700);
    }

    nodes.kill(2);
    let pushed = tokio::time::timeout(Duration::from_secs(10), queues[2].push(&entries(1))).await;
    assert!(pushed.expect("a push to a lost node ends").is_err());
    push(&queues[0], 10).await;
    push(&queues[1], 10).await;
    // A node that starts again has forgotten the scripts.
    nodes.kill(0);
    nodes.start_again(0).await;
    push(&queues[0], 10).await;
    for queue in &queues[..2] {
        until(async || is_empty(queue).await).await;
    }
    nodes.start_again(2).await;
    push(&queues[2], 10).await;
    until(async || is_empty(&queues[2]).await).await;
    let handled: Vec<_> = workers.iter().map(|worker| worker.handler.handled.lock().unwrap().len()).collect();
    assert_eq!(handled, [720, 710, 710]);

    for (queue, worker) in queues.iter().zip(&mut workers) {
        while worker.try_next_started().is_some() {}
        until(async || worker.handler.running.load(Ordering::SeqCst) == 0).await;
        let mut waits = Vec::new();
        for _ in 0..7 {
            push(queue, 1).await;
            let pushed = std::time::Instant::now();
            waits.push(worker.next_started().await.1.saturating_duration_since(pushed));
        }
        waits.sort_unstable();
        // By itself an idle worker looks every half second.
        assert!(waits[3] < Duration::from_millis(200), "the bell did not ring: {waits:?}");
    }
    for worker in workers {
        worker.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quotas_hints_presence_and_marks_work_on_a_cluster() {
    let nodes = Nodes::start().await;
    let redis = redis(&nodes, "c");
    redis.ping().await.unwrap();
    assert_eq!(redis.check_mode().await, Ok(()));

    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    // The listener subscribes at any node; messages are published at the node of the channel's
    // slot.
    let (listener, notifier, job) = (Listener::start(redis.clone(), stop), Notifier::new(&redis), JobId::new());
    let mut changed = listener.subscribe(job);
    until(async || {
        notifier.publish(job).await;
        tokio::time::timeout(Duration::from_millis(50), changed.changed()).await.is_ok()
    })
    .await;

    for provider in ["groq", "tavily", "other"] {
        let quota = Quota::new(&redis, provider, "m", Policy::per_minute(1, Duration::from_secs(1)));
        let rank = || Rank::new_job(JobId::new(), BusinessId::parse("b").unwrap(), clock::now());
        let Ok(Admission::Granted(grant)) = quota.admit(rank()).await else { panic!("{provider} grants nothing") };
        assert!(matches!(quota.admit(rank()).await, Ok(Admission::Throttled { .. })), "{provider} grants too much");
        quota.settle(grant, Settlement::of(Health::Healthy)).await.unwrap();
        quota.status().await.unwrap();
    }

    assert_eq!(memory::look(&redis).await.unwrap(), Seen::Known);

    let worker = WorkerInfo {
        id: "w".to_owned(),
        host: "host".to_owned(),
        version: "0.1.0".to_owned(),
        concurrency: 1,
        started_at: clock::now(),
    };
    presence::beat(&redis, &worker).await.unwrap();
    assert_eq!(presence::workers(&redis).await.unwrap().len(), 1);
    let keys = redis.keys();
    assert!(redis.hold(&keys.sweeper(), "one", Duration::from_secs(5)).await.unwrap());
    assert!(!redis.hold(&keys.sweeper(), "two", Duration::from_secs(5)).await.unwrap());
    for kind in JobKind::ALL {
        assert_eq!(redis.mark(&keys.swept(*kind)).await.unwrap(), Mark::Absent);
        redis.set_mark(&keys.swept(*kind)).await.unwrap();
        assert_eq!(redis.mark(&keys.swept(*kind)).await.unwrap(), Mark::Present);
        redis.want_pass(*kind).await.unwrap();
        assert!(!redis.complete_pass(*kind, "forgotten").await.unwrap());
        redis.begin_pass(*kind, "whole").await.unwrap();
        assert_eq!(redis.swept(*kind).await.unwrap(), Swept { is_whole: false, pass: Some("whole".to_owned()) });
        assert!(redis.complete_pass(*kind, "whole").await.unwrap());
        assert_eq!(redis.swept(*kind).await.unwrap(), Swept { is_whole: true, pass: None });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_business_is_forgotten_on_every_node_of_a_cluster() {
    let nodes = Nodes::start().await;
    let redis = redis(&nodes, "c");
    let (acme, other) = (BusinessId::parse("acme").unwrap(), BusinessId::parse("acme:x").unwrap());
    let hour = Duration::from_secs(3_600);
    let key = |business: &BusinessId, n: u32| redis.keys().web_search(business, "tavily", &format!("{n:064x}"));
    let mut used = std::collections::BTreeSet::new();
    for n in 0..1_500 {
        redis.remember(&key(&acme, n), b"pages", hour).await.unwrap();
        if n < 30 {
            redis.remember(&key(&other, n), b"pages", hour).await.unwrap();
            used.insert(nodes.node_of(&key(&acme, n)).await);
        }
    }
    assert_eq!(used.len(), 3, "they are on every node");
    assert_eq!(redis.forget_searches(&acme).await.unwrap(), (1_500, true));
    assert_eq!(redis.remembered(&key(&acme, 7)).await.unwrap(), None);
    assert_eq!(redis.forget_searches(&acme).await.unwrap(), (0, true));
    assert!(redis.remembered(&key(&other, 7)).await.unwrap().is_some());
    let queue = Queue::new(&redis, JobKind::Erase);
    queue.push(&entries(600)).await.unwrap();
    queue.forget_business(&acme).await.unwrap();
    let company = BusinessId::parse("company_123").unwrap();
    let mine = entries(3);
    queue.push(&mine).await.unwrap();
    let ids: Vec<_> = mine.iter().map(|entry| entry.message.job_id()).collect();
    assert_eq!(queue.forget(&company, &ids).await.unwrap(), []);
    assert_eq!(queue.unknown(&ids).await.unwrap(), ids);
    assert_eq!(queue.depth().await.unwrap().ready, 600);
}

#[tokio::test]
async fn a_url_of_the_wrong_kind_is_told_at_the_start() {
    let nodes = Nodes::start().await;
    let alone = Redis::new(&RedisConfig::new(&nodes.url_of_one(), "c")).unwrap();
    assert_eq!(alone.check_mode().await, Err(WrongMode::IsCluster));
    let url = copydesk_testkit::redis_url().replacen("redis://", "redis-cluster://", 1);
    let cluster = Redis::new(&RedisConfig::new(&url, "c")).unwrap();
    assert_eq!(cluster.check_mode().await, Err(WrongMode::IsServer));
    let away = Redis::new(&RedisConfig::new("redis-cluster://127.0.0.1:1", "c")).unwrap();
    assert_eq!(away.check_mode().await, Ok(()), "a process starts while Redis is away");
}

#[tokio::test]
async fn a_server_that_became_a_replica_is_left_for_whatever_its_name_leads_to() {
    let server = Alone::start().await;
    let redis = Redis::new(&RedisConfig::new(&server.url(), "c")).unwrap();
    let mark = redis.keys().swept(JobKind::Generate);
    redis.set_mark(&mark).await.unwrap();
    let clients = async || {
        let list: String = server.ask(&["CLIENT", "LIST"]).await;
        list.lines().filter(|line| !line.contains("cmd=client")).count()
    };
    assert_eq!(clients().await, 1, "one connection for commands");
    server.ask::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
    assert!(redis.set_mark(&mark).await.is_err());
    until(async || clients().await == 0).await;
    server.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    until(async || redis.set_mark(&mark).await.is_ok()).await;
}
