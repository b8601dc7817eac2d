//! The roster: which idle claimers look, and when.

use super::*;

const TICK: Duration = Duration::from_millis(500);

/// The time after which each idle claimer should look again, in the order of their claims.
async fn looks(queue: &Queue, claimers: &[&str]) -> Vec<Duration> {
    let mut looks = Vec::new();
    for claimer in claimers {
        looks.push(claim_by(queue, claimer, 1, LEASE_MS, 0).await.again_in);
    }
    looks
}

/// Whether a time is at most a little less than `wanted`, by the duration of the calls before.
fn about(time: Duration, wanted: Duration) -> bool {
    time <= wanted && wanted - time < Duration::from_millis(400)
}

async fn notes(queue: &Queue) -> u64 {
    redis::cmd("LLEN").arg(&queue.keys.bell).query_async(&mut queue.redis.commands()).await.unwrap()
}

/// Takes a note, like a claimer that is woken.
async fn take_note(queue: &Queue) {
    redis::cmd("LPOP").arg(&queue.keys.bell).exec_async(&mut queue.redis.commands()).await.unwrap();
}

fn delayed(by: TimeDelta) -> Entry {
    Entry { not_before: Some(clock::now() + by), ..entry("a", Priority::Interactive) }
}

#[tokio::test]
async fn eight_idle_claimers_look_in_turns_and_the_others_sleep() {
    let queue = queue().await;
    let looks = looks(&queue, &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]).await;
    for (n, look) in looks[..8].iter().enumerate() {
        assert!(about(*look, TICK * u32::try_from(n + 1).unwrap()), "{looks:?}");
    }
    assert!(looks[8..].iter().all(|look| *look >= Duration::from_secs(30)), "{looks:?}");
}

#[tokio::test]
async fn a_newcomer_looks_once_more_when_the_promises_of_those_before_it_have_run_out() {
    let queue = queue().await;
    looks(&queue, &["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    let newcomer = Claimant { name: "i", was_idle: false };
    let look = queue.claim(newcomer, 1, LEASE_MS, 0).await.unwrap().again_in;
    assert!(look > TICK * 8 && look < TICK * 10, "{look:?}");
}

#[tokio::test]
async fn one_claimer_looks_when_the_first_delayed_job_is_due() {
    let queue = queue().await;
    queue.push(&[delayed(TimeDelta::milliseconds(450))]).await.unwrap();
    let looks = looks(&queue, &["a", "b"]).await;
    assert!(about(looks[0], Duration::from_millis(450)), "{looks:?}");
    assert!(looks[1] > Duration::from_millis(450), "one is enough: {looks:?}");
}

#[tokio::test]
async fn a_claimer_of_whom_nothing_is_heard_any_more_is_replaced_within_two_ticks() {
    let queue = queue().await;
    let killed = looks(&queue, &["killed"]).await[0];
    // It looks at a time after that of the killed one.
    let next = looks(&queue, &["next"]).await[0];
    assert!(about(killed, TICK) && about(next, TICK * 2), "{killed:?} {next:?}");
}

#[tokio::test]
async fn whoever_takes_its_last_slot_rings_for_another_to_look() {
    let queue = queue().await;
    looks(&queue, &["a"]).await;
    queue.push(&[entry("x", Priority::Interactive)]).await.unwrap();
    assert_eq!(notes(&queue).await, 1);
    take_note(&queue).await;
    assert_eq!(claim_by(&queue, "a", 1, LEASE_MS, 0).await.leased.len(), 1);
    assert_eq!(notes(&queue).await, 1, "nobody else has promised to look");
    looks(&queue, &["b", "c"]).await;
    queue.push(&[entry("x", Priority::Interactive)]).await.unwrap();
    take_note(&queue).await;
    assert_eq!(claim_by(&queue, "c", 1, LEASE_MS, 0).await.leased.len(), 1);
    assert_eq!(notes(&queue).await, 0, "b looks in time");
}

#[tokio::test]
async fn a_claimer_that_leaves_has_another_woken() {
    let queue = queue().await;
    looks(&queue, &["a", "b"]).await;
    claim_by(&queue, "b", 0, LEASE_MS, 0).await;
    assert_eq!(notes(&queue).await, 0, "a looks in time");
    claim_by(&queue, "a", 0, LEASE_MS, 0).await;
    assert_eq!(notes(&queue).await, 1);
}

#[tokio::test]
async fn many_jobs_that_are_due_at_once_wake_as_many_claimers_as_they_need() {
    let queue = queue().await;
    let due = clock::now() + TimeDelta::milliseconds(1_200);
    let jobs: Vec<Entry> = entries("a", Priority::Interactive, 100)
        .into_iter()
        .map(|job| Entry { not_before: Some(due), ..job })
        .collect();
    queue.push(&jobs).await.unwrap();
    assert_eq!(notes(&queue).await, 0, "nobody is woken before their time");
    let mut claimed = vec![claim_soon(&queue).await.lease.id];
    while claimed.len() < 100 {
        assert_eq!(notes(&queue).await, (100 - claimed.len() as u64).min(32), "after {}", claimed.len());
        take_note(&queue).await;
        let woken = format!("claimer {}", claimed.len());
        claimed.extend(claim_by(&queue, &woken, 1, LEASE_MS, 0).await.leased.iter().map(|leased| leased.lease.id));
    }
    assert_eq!(claimed, ids(&jobs));
}

#[tokio::test]
async fn jobs_that_are_due_sooner_than_anybody_looks_ring_at_once() {
    let queue = queue().await;
    looks(&queue, &["a"]).await;
    queue.push(&[delayed(TimeDelta::days(1))]).await.unwrap();
    assert_eq!(notes(&queue).await, 0);
    let job = delayed(TimeDelta::milliseconds(200));
    queue.push(std::slice::from_ref(&job)).await.unwrap();
    assert_eq!(notes(&queue).await, 1);
    redis::cmd("DEL").arg(&queue.keys.bell).exec_async(&mut queue.redis.commands()).await.unwrap();
    assert_eq!(queue.hasten(&ids(&[job])).await.unwrap(), 1);
    assert_eq!(notes(&queue).await, 1);
    let leased = claim(&queue, 1).await;
    queue.settle(&[Settled { lease: leased[0].lease, next: Next::Later(clock::now()) }]).await.unwrap();
    assert!(notes(&queue).await >= 1);
}

#[tokio::test]
async fn a_job_that_comes_back_sooner_than_anybody_looks_rings_at_once() {
    let queue = queue().await;
    queue.push(&entries("a", Priority::Interactive, 2)).await.unwrap();
    for (later, rings) in [(TimeDelta::days(1), 0), (TimeDelta::milliseconds(100), 1)] {
        let leased = claim(&queue, 1).await;
        redis::cmd("DEL").arg(&queue.keys.bell).exec_async(&mut queue.redis.commands()).await.unwrap();
        queue.settle(&[Settled { lease: leased[0].lease, next: Next::Later(clock::now() + later) }]).await.unwrap();
        assert_eq!(notes(&queue).await, rings, "{later}");
    }
}

#[tokio::test]
async fn a_queue_that_learns_what_it_hands_out_wakes_who_waits() {
    let queue = Queue::new(&Redis::of_test(), JobKind::Generate);
    let job = entry("a", Priority::Interactive);
    queue.push(std::slice::from_ref(&job)).await.unwrap();
    take_note(&queue).await;
    assert!(claim(&queue, 1).await.is_empty(), "it may be paused");
    let mut connection = queue.bell_connection().await.unwrap();
    // The same state as after a flush: this queue has been told nothing yet.
    queue.set_intake(Intake::Open, 0).await.unwrap();
    assert_eq!(notes(&queue).await, 1);
    assert!(queue.wait_for_bell(&mut connection, Duration::from_secs(20)).await.unwrap());
    queue.set_intake(Intake::Open, 0).await.unwrap();
    assert_eq!(notes(&queue).await, 0, "that is no news");
    assert_eq!(claim_ids(&queue, 1).await, ids(&[job]));
}

#[tokio::test]
async fn a_wait_for_the_bell_ends_in_time_although_redis_is_idle() {
    let queue = queue().await;
    let mut connection = queue.bell_connection().await.unwrap();
    let mut late = Vec::new();
    for _ in 0..9 {
        let until = std::time::Instant::now() + Duration::from_millis(30);
        assert!(!queue.wait_for_bell(&mut connection, Duration::from_millis(30)).await.unwrap());
        late.push(until.elapsed());
    }
    late.sort_unstable();
    // An idle Redis checks time-outs every 100 ms by itself: the waits would end 70 ms late.
    assert!(late[4] < Duration::from_millis(50), "{late:?}");
}
