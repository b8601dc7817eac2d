//! The guarantees of the apalis backend, on a real Redis.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use copydesk_common::clock;
use copydesk_common::config::RedisConfig;
use copydesk_common::queue::{Depth, Entry, Queue};
use copydesk_common::redis::Redis;
use copydesk_domain::job::JobKind;

use crate::nodes::Alone;
use crate::worker::{RunningWorker, entries, until};

fn queue() -> Queue {
    queue_at(&copydesk_testkit::redis_url(), &copydesk_testkit::prefix())
}

fn queue_at(url: &str, prefix: &str) -> Queue {
    Queue::new(&Redis::new(&RedisConfig::new(url, prefix)).unwrap(), JobKind::Generate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_is_woken_by_a_push_and_does_not_wait_for_its_next_look() {
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
    // By itself an idle worker looks every half second: most jobs would wait for nearly as long.
    assert!(waits[10] < Duration::from_millis(250), "the median job waited {:?}", waits[10]);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_due_job_wakes_one_or_two_of_an_idle_fleet_and_not_all() {
    const FLEET: usize = 50;
    const JOBS: u64 = 20;
    let server = Alone::start().await;
    // A process has 16 blocking connections.
    let queues: Vec<Queue> = (0..FLEET.div_ceil(10)).map(|_| queue_at(&server.url(), "fleet")).collect();
    let workers: Vec<_> = (0..FLEET).map(|n| RunningWorker::start(&queues[n % queues.len()], 1)).collect();
    for worker in &workers {
        worker.handler.may_end.add_permits(1_000);
    }
    let are_idle = format!("blocked_clients:{FLEET}\r");
    until(async || server.ask::<String>(&["INFO", "clients"]).await.contains(&are_idle)).await;
    server.ask::<()>(&["CONFIG", "RESETSTAT"]).await;
    let began = Instant::now();
    let due = |n: usize| clock::now() + TimeDelta::milliseconds(600 + 40 * i64::try_from(n).unwrap());
    let jobs: Vec<Entry> =
        entries(20).into_iter().enumerate().map(|(n, job)| Entry { not_before: Some(due(n)), ..job }).collect();
    queues[0].push(&jobs).await.unwrap();
    until(async || queues[0].depth().await.unwrap() == Depth::default()).await;
    let calls = scripts_run(&server.ask::<String>(&["INFO", "commandstats"]).await);
    let handled: usize = workers.iter().map(|worker| worker.handler.handled.lock().unwrap().len()).sum();
    assert_eq!(handled, 20);
    // For each job: the claim that finds it, the one after its end, a settlement, and the claim of
    // another worker that is woken. In addition, each worker looks once more after its start, and
    // the fleet looks a few times a second. If all workers woke up, it would be 50 claims for each
    // job.
    let most = 4 * JOBS + FLEET as u64 + 8 * (began.elapsed().as_secs() + 1);
    assert!(calls < most, "{calls} scripts were run, not {most}");
    for worker in workers {
        worker.leave().await;
    }
}

fn scripts_run(commandstats: &str) -> u64 {
    let calls = |line: &str| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next()?.parse().ok();
    commandstats.lines().find_map(calls).unwrap_or(0)
}
