//! The guarantees of the queue, on a real Redis.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cap;
mod forget;
mod model;
mod roster;

use std::time::Duration;

use chrono::TimeDelta;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, Priority};
use copydesk_domain::trace::TraceParent;

use super::message::{Message, MessageV1};
use super::{Claimant, Claims, Depth, Entry, Intake, Leased, Next, Queue, Recovery, Renewal, Settled, Share};
use crate::clock;
use crate::redis::Redis;

const LEASE_MS: u64 = 60_000;

/// An open queue, whose bell does not ring.
async fn queue() -> Queue {
    let queue = Queue::new(&Redis::of_test(), JobKind::Generate);
    queue.set_intake(Intake::Open, 0).await.unwrap();
    redis::cmd("DEL").arg(&queue.keys.bell).exec_async(&mut queue.redis.commands()).await.unwrap();
    queue
}

fn entry(business: &str, priority: Priority) -> Entry {
    let message = MessageV1 {
        job_id: JobId::new(),
        kind: JobKind::Generate,
        business_id: BusinessId::parse(business).unwrap(),
        priority,
        trace: TraceParent::start(),
    };
    Entry { message: Message::V1(message), not_before: None, begun: None }
}

fn entries(business: &str, priority: Priority, count: usize) -> Vec<Entry> {
    (0..count).map(|_| entry(business, priority)).collect()
}

fn ids(entries: &[Entry]) -> Vec<JobId> {
    entries.iter().map(|entry| entry.message.job_id()).collect()
}

/// A claim by a claimer that was idle before.
async fn claim_by(queue: &Queue, name: &str, most: usize, lease_ms: u64, cap: u32) -> Claims {
    queue.claim(Claimant { name, was_idle: true }, most, lease_ms, cap).await.unwrap()
}

async fn claim(queue: &Queue, most: usize) -> Vec<Leased> {
    claim_by(queue, "test", most, LEASE_MS, 0).await.leased
}

async fn claim_ids(queue: &Queue, most: usize) -> Vec<JobId> {
    claim(queue, most).await.iter().map(|leased| leased.lease.id).collect()
}

/// The business of each claimed job, in order.
async fn claim_businesses(queue: &Queue, most: usize) -> String {
    businesses(&claim(queue, most).await)
}

fn businesses(leased: &[Leased]) -> String {
    let business = |leased: &Leased| {
        let Message::V1(message) = Message::decode(&leased.message).unwrap();
        message.business_id.to_string()
    };
    leased.iter().map(business).collect::<Vec<_>>().join(" ")
}

/// Claims until there is a job, for at most 5 s: for what depends on Redis' clock.
async fn claim_soon(queue: &Queue) -> Leased {
    let mut connection = queue.bell_connection().await.unwrap();
    for _ in 0..500 {
        let Claims { mut leased, again_in } = claim_by(queue, "test", 1, LEASE_MS, 0).await;
        if let Some(leased) = leased.pop() {
            return leased;
        }
        let wait = again_in.clamp(Duration::from_millis(1), Duration::from_secs(1));
        queue.wait_for_bell(&mut connection, wait).await.unwrap();
    }
    panic!("no job became ready");
}

#[tokio::test]
async fn jobs_of_a_business_are_claimed_in_the_order_of_their_acceptance() {
    let queue = queue().await;
    let jobs = entries("a", Priority::Interactive, 25);
    assert_eq!(queue.push(&jobs).await.unwrap(), 25);
    let mut claimed = claim_ids(&queue, 10).await;
    claimed.extend(claim_ids(&queue, 100).await);
    assert_eq!(claimed, ids(&jobs));
}

#[tokio::test]
async fn a_job_pushed_twice_is_claimed_once() {
    let queue = queue().await;
    let jobs = entries("a", Priority::Interactive, 3);
    queue.push(&jobs).await.unwrap();
    assert_eq!(queue.push(&jobs).await.unwrap(), 0);
    assert_eq!(claim(&queue, 10).await.len(), 3);
    assert_eq!(queue.push(&jobs).await.unwrap(), 0, "a leased job is known too");
    assert!(claim(&queue, 10).await.is_empty());
}

#[tokio::test]
async fn businesses_take_turns_however_many_jobs_each_has() {
    let queue = queue().await;
    queue.push(&entries("big", Priority::Interactive, 100)).await.unwrap();
    queue.push(&entries("small", Priority::Interactive, 2)).await.unwrap();
    assert_eq!(claim_businesses(&queue, 6).await, "big small big small big big");
    queue.push(&entries("late", Priority::Interactive, 2)).await.unwrap();
    let next = claim_businesses(&queue, 4).await;
    assert_eq!(next.matches("late").count(), 2, "a newcomer does not wait for the backlog: {next}");
}

#[tokio::test]
async fn a_business_of_twice_the_weight_gets_twice_the_turns() {
    let queue = queue().await;
    let share = Share { weight: Some(2), jobs_at_once: None };
    queue.set_shares(&[(BusinessId::parse("heavy").unwrap(), share, 1)]).await.unwrap();
    queue.push(&entries("heavy", Priority::Interactive, 60)).await.unwrap();
    queue.push(&entries("light", Priority::Interactive, 60)).await.unwrap();
    let turns = claim_businesses(&queue, 30).await;
    assert_eq!(turns.matches("heavy").count(), 20, "{turns}");
}

#[tokio::test]
async fn interactive_jobs_go_first_and_bulk_jobs_are_not_starved() {
    let queue = queue().await;
    queue.push(&entries("bulk", Priority::Bulk, 20)).await.unwrap();
    queue.push(&entries("now", Priority::Interactive, 200)).await.unwrap();
    let mut turns = Vec::new();
    for _ in 0..100 {
        turns.push(claim_businesses(&queue, 1).await);
    }
    assert_eq!(turns[0], "now");
    assert_eq!(turns.iter().filter(|turn| *turn == "bulk").count(), 10, "every tenth claim is a bulk job's");
}

#[tokio::test]
async fn a_delayed_job_comes_at_its_time_and_not_before() {
    let queue = queue().await;
    let due = clock::now() + TimeDelta::milliseconds(120);
    let job = Entry { not_before: Some(due), ..entry("a", Priority::Interactive) };
    queue.push(std::slice::from_ref(&job)).await.unwrap();
    let Claims { leased, again_in } = claim_by(&queue, "test", 1, LEASE_MS, 0).await;
    assert!(leased.is_empty());
    assert!(again_in <= Duration::from_millis(120), "{again_in:?}");
    let leased = claim_soon(&queue).await;
    assert_eq!(leased.lease.id, job.message.job_id());
    assert!(clock::now() >= due - TimeDelta::milliseconds(2));
}

#[tokio::test]
async fn an_expired_lease_hands_the_job_on_and_fences_its_first_holder() {
    let queue = queue().await;
    let job = entry("a", Priority::Interactive);
    queue.push(std::slice::from_ref(&job)).await.unwrap();
    let first = claim_by(&queue, "test", 1, 1, 0).await.leased.pop().unwrap();
    let second = claim_soon(&queue).await;
    assert_eq!(second.lease.id, first.lease.id);
    assert!(second.lease.epoch > first.lease.epoch);
    queue.settle(&[Settled { lease: first.lease, next: Next::Done }]).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().leased, 1, "the zombie's settlement changes nothing");
    assert_eq!(queue.renew(&[first.lease], LEASE_MS).await.unwrap(), [Renewal::Lost]);
    assert_eq!(queue.renew(&[second.lease], LEASE_MS).await.unwrap(), [Renewal::Extended]);
}

#[tokio::test]
async fn a_job_that_was_under_way_goes_before_new_ones() {
    let queue = queue().await;
    let jobs = entries("a", Priority::Interactive, 3);
    queue.push(&jobs).await.unwrap();
    let begun = claim(&queue, 2).await;
    let back = [
        Settled { lease: begun[1].lease, next: Next::Back },
        Settled { lease: begun[0].lease, next: Next::Later(clock::now()) },
    ];
    queue.settle(&back).await.unwrap();
    assert_eq!(claim_ids(&queue, 3).await, ids(&jobs), "the older before the younger, the new one last");
}

#[tokio::test]
async fn a_job_that_was_under_way_goes_before_new_ones_also_after_a_flush() {
    let queue = queue().await;
    let [new, begun, waits, leased] = [(); 4].map(|()| entry("a", Priority::Interactive));
    queue.push(std::slice::from_ref(&leased)).await.unwrap();
    let before = claim(&queue, 1).await;
    forget(&queue).await;
    queue.set_intake(Intake::Draining, 0).await.unwrap();
    let known = Some(before[0].lease.epoch);
    let begun = Entry { begun: known, ..begun };
    let waits = Entry { begun: known, not_before: Some(clock::now() + TimeDelta::days(1)), ..waits };
    let leased = Entry { begun: known, ..leased };
    queue.push(&[new.clone(), begun.clone(), waits.clone(), leased.clone()]).await.unwrap();
    assert_eq!(queue.renew(&[before[0].lease], LEASE_MS).await.unwrap(), [Renewal::Lost], "it is in the queue");
    assert_eq!(queue.hasten(&ids(std::slice::from_ref(&waits))).await.unwrap(), 1);
    let claimed = claim(&queue, 9).await;
    let in_order: Vec<_> = claimed.iter().map(|leased| leased.lease.id).collect();
    assert_eq!(in_order, ids(&[begun, waits, leased]), "and a queue that drains hands them out");
    assert!(claimed[0].lease.epoch > before[0].lease.epoch);
    queue.set_intake(Intake::Open, 1).await.unwrap();
    assert_eq!(claim_ids(&queue, 9).await, ids(&[new]));
}

#[tokio::test]
async fn a_draining_queue_ends_what_was_begun_and_begins_nothing() {
    let queue = queue().await;
    let jobs = entries("a", Priority::Interactive, 4);
    queue.push(&jobs).await.unwrap();
    let begun = claim(&queue, 2).await;
    assert!(queue.set_intake(Intake::Draining, 1).await.unwrap());
    assert!(claim(&queue, 4).await.is_empty());
    let back = [
        Settled { lease: begun[1].lease, next: Next::Back },
        Settled { lease: begun[0].lease, next: Next::Later(clock::now()) },
    ];
    queue.settle(&back).await.unwrap();
    assert_eq!(claim_ids(&queue, 4).await, ids(&jobs[..2]));
    assert!(queue.set_intake(Intake::Open, 2).await.unwrap());
    assert!(!queue.set_intake(Intake::Draining, 1).await.unwrap(), "what is older changes nothing");
    assert_eq!(claim_ids(&queue, 4).await, ids(&jobs[2..]));
}

#[tokio::test]
async fn a_queue_that_a_flush_made_forget_its_pause_hands_out_nothing_until_it_is_told() {
    let queue = queue().await;
    let jobs = entries("a", Priority::Interactive, 3);
    queue.push(&jobs[..1]).await.unwrap();
    assert_eq!(claim(&queue, 1).await.len(), 1);
    assert!(queue.set_intake(Intake::Paused, 1).await.unwrap());
    forget(&queue).await;
    queue.push(&jobs).await.unwrap();
    assert_eq!(queue.intake().await.unwrap(), None);
    assert!(claim(&queue, 3).await.is_empty());
    assert!(queue.set_intake(Intake::Paused, 1).await.unwrap());
    assert!(claim(&queue, 3).await.is_empty());
    assert!(queue.set_intake(Intake::Open, 2).await.unwrap());
    assert_eq!(claim_ids(&queue, 3).await, ids(&jobs));
}

#[tokio::test]
async fn redis_keeps_nothing_of_jobs_that_are_done() {
    let queue = queue().await;
    for _ in 0..5 {
        queue.push(&entries("a", Priority::Interactive, 40)).await.unwrap();
        queue.push(&entries("b", Priority::Bulk, 40)).await.unwrap();
        let leased = claim(&queue, 100).await;
        let done: Vec<_> = leased.iter().map(|leased| Settled { lease: leased.lease, next: Next::Done }).collect();
        queue.settle(&done).await.unwrap();
    }
    assert_eq!(queue.depth().await.unwrap(), Depth::default());
    assert_eq!(left(&queue).await, std::slice::from_ref(&queue.keys.state), "one small hash stays");
}

/// The queue's keys that are left in Redis after its claimers have left.
async fn left(queue: &Queue) -> Vec<String> {
    claim(queue, 0).await;
    redis::cmd("DEL").arg(&queue.keys.bell).exec_async(&mut queue.redis.commands()).await.unwrap();
    redis::cmd("KEYS")
        .arg(format!("{}*", queue.keys.messages.trim_end_matches("messages")))
        .query_async(&mut queue.redis.commands())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_flush_leaves_jobs_to_whoever_makes_them_known_first() {
    let queue = queue().await;
    let jobs = entries("a", Priority::Interactive, 2);
    queue.push(&jobs).await.unwrap();
    let leased = claim(&queue, 2).await;
    forget(&queue).await;
    queue.set_intake(Intake::Open, 0).await.unwrap();
    let held: Vec<_> = leased.iter().map(|leased| leased.lease).collect();
    assert_eq!(queue.renew(&held, LEASE_MS).await.unwrap(), [Renewal::Unknown, Renewal::Unknown]);
    assert_eq!(queue.unknown(&ids(&jobs)).await.unwrap(), ids(&jobs));
    queue.push(&jobs[1..]).await.unwrap();
    let taken_back: Vec<_> = leased.iter().zip(&jobs).map(|(leased, job)| (leased.lease, job.clone())).collect();
    assert_eq!(queue.readopt(&taken_back, LEASE_MS).await.unwrap(), [true, false]);
    assert_eq!(queue.renew(&held[..1], LEASE_MS).await.unwrap(), [Renewal::Extended]);
    let again = claim(&queue, 2).await;
    assert_eq!(again.len(), 1);
    assert!(again[0].lease.epoch > leased[1].lease.epoch, "epochs grow across a flush");
}

/// A flush of this queue only.
async fn forget(queue: &Queue) {
    let keys = &queue.keys;
    let mut delete = redis::cmd("DEL");
    for key in [
        &keys.messages,
        &keys.ready_interactive,
        &keys.ready_bulk,
        &keys.delayed,
        &keys.leases,
        &keys.epochs,
        &keys.clocks,
        &keys.state,
        &keys.bell,
        &keys.shares,
        &keys.capped,
        &keys.running,
        &keys.freed,
        &keys.places,
        &keys.roster,
    ] {
        delete.arg(key);
    }
    delete.query_async::<()>(&mut queue.redis.commands()).await.unwrap();
}

#[tokio::test]
async fn a_long_backlog_of_due_jobs_moves_in_bounded_steps_and_none_is_lost() {
    let queue = queue().await;
    let past = clock::now() + TimeDelta::milliseconds(30);
    let jobs: Vec<Entry> = entries("a", Priority::Interactive, 2_500)
        .into_iter()
        .map(|entry| Entry { not_before: Some(past), ..entry })
        .collect();
    queue.push(&jobs).await.unwrap();
    let mut claimed = vec![claim_soon(&queue).await.lease.id];
    loop {
        let more = claim_ids(&queue, 500).await;
        if more.is_empty() {
            break;
        }
        claimed.extend(more);
    }
    claimed.sort_unstable();
    assert_eq!(claimed, ids(&jobs));
}

#[tokio::test]
async fn a_job_that_is_known_and_stands_nowhere_is_put_back() {
    let queue = queue().await;
    let jobs = entries("a", Priority::Interactive, 4);
    queue.push(&jobs[..3]).await.unwrap();
    let begun = claim(&queue, 1).await;
    let lost = [jobs[0].message.job_id(), jobs[1].message.job_id()];
    // The state after a script that failed between two commands.
    for (key, id) in [(&queue.keys.leases, lost[0]), (&queue.keys.ready_interactive, lost[1])] {
        redis::cmd("ZREM").arg(key).arg(id.to_string()).exec_async(&mut queue.redis.commands()).await.unwrap();
    }
    let unknown = vec![jobs[3].message.job_id()];
    assert_eq!(queue.recover(&ids(&jobs)).await.unwrap(), Recovery { unknown: unknown.clone(), put_back: 2 });
    assert_eq!(queue.recover(&ids(&jobs)).await.unwrap(), Recovery { unknown, put_back: 0 });
    let claimed = claim(&queue, 10).await;
    assert_eq!(
        claimed.iter().map(|leased| leased.lease.id).collect::<Vec<_>>(),
        [lost[0], jobs[2].message.job_id(), lost[1]]
    );
    assert!(claimed[0].lease.epoch > begun[0].lease.epoch);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_forgotten_and_holds_up_nobody() {
    let queue = queue().await;
    let jobs = entries("a", Priority::Interactive, 3);
    queue.push(&jobs).await.unwrap();
    let mut spoil = redis::cmd("HSET");
    spoil.arg(&queue.keys.messages).arg(jobs[0].message.job_id().to_string()).arg("nonsense");
    spoil.exec_async(&mut queue.redis.commands()).await.unwrap();
    assert_eq!(claim_ids(&queue, 10).await, ids(&jobs[1..]));
    assert_eq!(queue.recover(&ids(&jobs)).await.unwrap().unknown, ids(&jobs[..1]), "the sweep writes it anew");
}
