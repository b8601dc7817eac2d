//! Concurrency caps.

use super::*;

const CAP: u32 = 3;

async fn claim_capped(queue: &Queue, most: usize) -> Vec<Leased> {
    claim_by(queue, "test", most, LEASE_MS, CAP).await.leased
}

async fn settle(queue: &Queue, leased: &[Leased], next: Next) {
    let ended: Vec<_> = leased.iter().map(|leased| Settled { lease: leased.lease, next }).collect();
    queue.settle(&ended).await.unwrap();
}

fn claimed(leased: &[Leased]) -> Vec<JobId> {
    leased.iter().map(|leased| leased.lease.id).collect()
}

#[tokio::test]
async fn a_business_has_at_most_so_many_jobs_under_way_and_holds_up_nobody() {
    let queue = queue().await;
    let big = entries("big", Priority::Interactive, 20);
    queue.push(&big).await.unwrap();
    let first = claim_capped(&queue, 10).await;
    assert_eq!(claimed(&first), ids(&big[..3]));
    assert_eq!(queue.depth().await.unwrap(), Depth { leased: 3, capped: 17, ..Depth::default() });
    let small = entries("small", Priority::Interactive, 2);
    queue.push(&small).await.unwrap();
    assert_eq!(claimed(&claim_capped(&queue, 10).await), ids(&small));

    settle(&queue, &first[..2], Next::Done).await;
    assert_eq!(claimed(&claim_capped(&queue, 10).await), ids(&big[3..5]), "in the order of their acceptance");
}

#[tokio::test]
async fn every_way_out_of_a_worker_makes_room_at_once() {
    let queue = queue().await;
    let jobs = entries("big", Priority::Interactive, 9);
    queue.push(&jobs).await.unwrap();
    let first = claim_capped(&queue, 10).await;
    settle(&queue, &first[..1], Next::Done).await;
    settle(&queue, &first[1..2], Next::Later(clock::now() + TimeDelta::days(1))).await;
    // Jobs that go back were under way: they come before jobs that have not begun.
    settle(&queue, &first[2..], Next::Back).await;
    let second = claim_capped(&queue, 10).await;
    assert_eq!(claimed(&second), [jobs[2].message.job_id(), jobs[3].message.job_id(), jobs[4].message.job_id()]);
    let mut expire = redis::cmd("ZADD");
    expire.arg(&queue.keys.leases).arg(1).arg(second[1].lease.id.to_string());
    expire.query_async::<()>(&mut queue.redis.commands()).await.unwrap();
    assert_eq!(claimed(&claim_capped(&queue, 10).await), [second[1].lease.id], "the lease's end made room for one");
}

#[tokio::test]
async fn a_worker_that_waits_is_woken_for_a_job_that_was_set_aside() {
    let queue = queue().await;
    queue.push(&entries("big", Priority::Interactive, 5)).await.unwrap();
    let first = claim_capped(&queue, 10).await;
    let mut connection = queue.bell_connection().await.unwrap();
    settle(&queue, &first[..1], Next::Done).await;
    let woken = queue.wait_for_bell(&mut connection, Duration::from_secs(20));
    assert!(tokio::time::timeout(Duration::from_secs(5), woken).await.unwrap().unwrap());
}

#[tokio::test]
async fn an_operator_gives_one_business_another_cap_and_weight() {
    let queue = queue().await;
    let vip = BusinessId::parse("vip").unwrap();
    let share = |weight, jobs_at_once| Share { weight, jobs_at_once };
    assert_eq!(queue.set_shares(&[(vip.clone(), share(Some(2), Some(5)), 7)]).await.unwrap(), 1);
    assert_eq!(
        queue.set_shares(&[(vip.clone(), share(None, Some(1)), 6)]).await.unwrap(),
        0,
        "what is older is not told"
    );
    queue.push(&entries("vip", Priority::Interactive, 20)).await.unwrap();
    queue.push(&entries("other", Priority::Interactive, 20)).await.unwrap();
    let turns = claim_businesses_capped(&queue, 6).await;
    assert_eq!(turns.matches("vip").count(), 4, "twice the turns: {turns}");
    let turns = claim_businesses_capped(&queue, 6).await;
    assert_eq!((turns.matches("vip").count(), turns.matches("other").count()), (1, 1), "5 and 3 in all: {turns}");
    assert_eq!(queue.set_shares(&[(vip, share(None, Some(0)), 8)]).await.unwrap(), 1);
    assert_eq!(claim_capped(&queue, 100).await.len(), 15, "what was set aside comes back at once");
}

async fn claim_businesses_capped(queue: &Queue, most: usize) -> String {
    businesses(&claim_capped(queue, most).await)
}

#[tokio::test]
async fn a_cap_that_is_lifted_lets_everything_back_and_redis_keeps_nothing() {
    let queue = queue().await;
    queue.push(&entries("a", Priority::Interactive, 700)).await.unwrap();
    queue.push(&entries("b", Priority::Bulk, 700)).await.unwrap();
    let mut leased = claim_capped(&queue, 500).await;
    assert_eq!(leased.len(), 6);
    while queue.depth().await.unwrap().leased < 1_400 {
        leased.extend(claim(&queue, 500).await);
    }
    assert_eq!(leased.len(), 1_400);
    settle(&queue, &leased, Next::Done).await;
    assert_eq!(left(&queue).await, std::slice::from_ref(&queue.keys.state), "one small hash stays");
}

#[tokio::test]
async fn a_long_backlog_over_the_cap_is_set_aside_in_bounded_steps() {
    let queue = queue().await;
    queue.push(&entries("big", Priority::Interactive, 3_500)).await.unwrap();
    let Claims { leased, again_in } = claim_by(&queue, "test", 500, LEASE_MS, CAP).await;
    assert_eq!((leased.len(), again_in), (3, Duration::ZERO), "there may be more: ask again");
    let mut before = 0;
    while queue.depth().await.unwrap().ready > 0 {
        let aside = queue.depth().await.unwrap().capped;
        assert!((1..=500).contains(&(aside - before)), "{before} {aside}");
        before = aside;
        assert!(claim_capped(&queue, 500).await.is_empty());
    }
    assert_eq!(queue.depth().await.unwrap(), Depth { leased: 3, capped: 3_497, ..Depth::default() });
}

#[tokio::test]
async fn a_cap_that_is_raised_over_a_long_backlog_loses_no_job() {
    // Lua refuses to unpack a list of more than 8,000 values, which would stop the script between
    // two commands.
    for backlog in [6_000, 12_000] {
        let queue = queue().await;
        let jobs = entries("big", Priority::Interactive, backlog);
        queue.push(&jobs).await.unwrap();
        let mut leased = claim_capped(&queue, 500).await;
        while queue.depth().await.unwrap().ready > 0 {
            assert!(claim_capped(&queue, 500).await.is_empty());
        }
        let big = BusinessId::parse("big").unwrap();
        let raised = Share { weight: None, jobs_at_once: Some(1_000_000) };
        assert_eq!(queue.set_shares(&[(big, raised, 1)]).await.unwrap(), 1);
        loop {
            let Claims { leased: more, again_in } = claim_by(&queue, "test", 500, LEASE_MS, CAP).await;
            leased.extend(more);
            if !again_in.is_zero() {
                break;
            }
        }
        assert_eq!(claimed(&leased), ids(&jobs), "all of them, in order");
    }
}

#[tokio::test]
async fn what_another_worker_forgot_to_take_off_the_count_is_found() {
    let queue = queue().await;
    let jobs = entries("big", Priority::Interactive, 4);
    queue.push(&jobs).await.unwrap();
    let first = claim_capped(&queue, 10).await;
    // Settles like a worker of a release without caps.
    for key in [&queue.keys.leases, &queue.keys.epochs, &queue.keys.messages] {
        let command = if key == &queue.keys.leases { "ZREM" } else { "HDEL" };
        let mut settle = redis::cmd(command);
        settle.arg(key);
        for leased in &first {
            settle.arg(leased.lease.id.to_string());
        }
        settle.query_async::<()>(&mut queue.redis.commands()).await.unwrap();
    }
    let mut found = claimed(&claim_capped(&queue, 10).await);
    found.extend(claimed(&claim_capped(&queue, 10).await));
    assert_eq!(found, ids(&jobs[3..]));
}

#[tokio::test]
async fn jobs_that_are_set_aside_stand_somewhere_and_others_that_do_not_are_put_back() {
    let queue = queue().await;
    let (mut jobs, lost) = (entries("big", Priority::Interactive, 6), entry("other", Priority::Interactive));
    queue.push(&jobs).await.unwrap();
    assert_eq!(claim_capped(&queue, 10).await.len(), 3);
    queue.push(std::slice::from_ref(&lost)).await.unwrap();
    let id = lost.message.job_id();
    let mut lose = redis::cmd("ZREM");
    lose.arg(&queue.keys.ready_interactive).arg(id.to_string());
    lose.exec_async(&mut queue.redis.commands()).await.unwrap();
    jobs.push(lost);
    assert_eq!(queue.recover(&ids(&jobs)).await.unwrap(), Recovery { unknown: Vec::new(), put_back: 1 });
    assert_eq!(queue.depth().await.unwrap(), Depth { ready: 1, leased: 3, capped: 3, ..Depth::default() });
    assert_eq!(claimed(&claim_capped(&queue, 10).await), [id]);
}

#[tokio::test]
async fn jobs_that_an_older_worker_set_aside_are_not_put_back() {
    let queue = queue().await;
    let jobs = entries("big", Priority::Interactive, 9);
    queue.push(&jobs).await.unwrap();
    let first = claim_capped(&queue, 10).await;
    let capped = Depth { leased: 3, capped: 6, ..Depth::default() };
    assert_eq!(queue.recover(&ids(&jobs)).await.unwrap(), Recovery::default());
    // An earlier release does not write `places`.
    redis::cmd("DEL").arg(&queue.keys.places).exec_async(&mut queue.redis.commands()).await.unwrap();
    assert_eq!(queue.recover(&ids(&jobs)).await.unwrap(), Recovery::default());
    assert_eq!(queue.depth().await.unwrap(), capped);
    settle(&queue, &first, Next::Done).await;
    assert_eq!(claimed(&claim_capped(&queue, 10).await), ids(&jobs[3..6]));
}
