//! The apalis backend's promises, through apalis, on a real Redis.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use copydesk_common::config::RedisConfig;
use copydesk_common::job::JobKind;
use copydesk_common::queue::{Depth, Queue};
use copydesk_common::redis::Redis;

use crate::worker::{RunningWorker, entries, until};

fn queue() -> Queue {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL names the Redis for tests: use `cargo xtask test`");
    let prefix = format!("test-{}", uuid::Uuid::now_v7().simple());
    let redis = Redis::new(&RedisConfig::new(&url, &prefix)).unwrap();
    Queue::new(&redis, JobKind::Generate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_is_woken_by_a_push_and_does_not_wait_for_its_poll() {
    let queue = queue();
    let mut worker = RunningWorker::start(&queue, 4);
    worker.handler.may_end.add_permits(1_000);
    let mut waits = Vec::new();
    for job in entries(21) {
        until(async || queue.depth().await.unwrap() == Depth::default()).await;
        let pushed = Instant::now();
        queue.push(std::slice::from_ref(&job)).await.unwrap();
        let (id, started) = worker.next_started().await;
        assert_eq!(id, job.message.job_id());
        waits.push(started - pushed);
    }
    waits.sort_unstable();
    // The poll under the bell comes once a second.
    assert!(waits[10] < Duration::from_millis(100), "the median job waited {:?}", waits[10]);
    println!("pushed to started: median {:?}, most {:?}", waits[10], waits[20]);
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_claims_no_more_than_it_has_slots_and_handles_each_job_once() {
    let queue = queue();
    let worker = RunningWorker::start(&queue, 8);
    queue.push(&entries(200)).await.unwrap();
    until(async || worker.handler.running.load(Ordering::SeqCst) == 8).await;
    assert_eq!(queue.depth().await.unwrap(), Depth { ready: 192, leased: 8, ..Depth::default() });
    worker.handler.may_end.add_permits(1_000);
    until(async || queue.depth().await.unwrap() == Depth::default()).await;
    assert_eq!(worker.handler.most_running.load(Ordering::SeqCst), 8);
    let handled = worker.handler.handled.lock().unwrap().clone();
    assert_eq!((handled.len(), handled.values().max()), (200, Some(&1)));
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaving_worker_ends_what_it_runs_and_takes_nothing_more() {
    let queue = queue();
    let mut worker = RunningWorker::start(&queue, 2);
    queue.push(&entries(10)).await.unwrap();
    worker.next_started().await;
    worker.next_started().await;
    worker.stop.cancel();
    worker.handler.may_end.add_permits(1_000);
    let handled = Arc::clone(&worker.handler.handled);
    worker.leave().await;
    assert_eq!(handled.lock().unwrap().len(), 2);
    assert_eq!(queue.depth().await.unwrap(), Depth { ready: 8, ..Depth::default() }, "nothing is left leased");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_workers_share_a_queue_without_handling_a_job_twice() {
    let queue = queue();
    let workers: Vec<_> = (0..3).map(|_| RunningWorker::start(&queue, 16)).collect();
    for worker in &workers {
        worker.handler.may_end.add_permits(10_000);
    }
    queue.push(&entries(3_000)).await.unwrap();
    until(async || queue.depth().await.unwrap() == Depth::default()).await;
    let mut handled = BTreeMap::new();
    for worker in &workers {
        for (id, times) in worker.handler.handled.lock().unwrap().iter() {
            *handled.entry(*id).or_insert(0) += times;
        }
    }
    assert_eq!((handled.len(), handled.values().max()), (3_000, Some(&1)));
    for worker in workers {
        worker.leave().await;
    }
}
