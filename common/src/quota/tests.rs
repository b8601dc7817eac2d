//! The quota's and the breaker's promises, on a real Redis.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Admission, BreakerState, Grant, Health, Policy, Quota, Rank, Settlement};
use crate::clock;
use crate::job::JobId;
use crate::redis::Redis;

fn policy(limit: u32, window_ms: u64) -> Policy {
    Policy {
        limit,
        window: Duration::from_millis(window_ms),
        breaker_threshold: 5,
        breaker_open: Duration::from_millis(100),
        probe: Duration::from_millis(200),
    }
}

fn quota(limit: u32, window_ms: u64) -> Quota {
    Quota::new(&Redis::of_test(), "groq", "m", policy(limit, window_ms))
}

fn anybody() -> Rank {
    Rank::new(JobId::new(), false, clock::now())
}

async fn grant(quota: &Quota, rank: Rank) -> Grant {
    match quota.admit(rank).await.unwrap() {
        Admission::Granted(grant) => grant,
        refused => panic!("{refused:?}"),
    }
}

async fn throttled(quota: &Quota, rank: Rank) -> DateTime<Utc> {
    match quota.admit(rank).await.unwrap() {
        Admission::Throttled { until } => until,
        other => panic!("{other:?}"),
    }
}

async fn settle(quota: &Quota, grant: Grant, health: Health) -> BreakerState {
    quota.settle(grant, Settlement { health, closed_for: None }).await.unwrap()
}

/// Asks until it is granted, each time at the moment that it was told.
async fn granted_at(quota: &Quota, rank: Rank) -> DateTime<Utc> {
    loop {
        match quota.admit(rank).await.unwrap() {
            Admission::Granted(_) => return clock::now(),
            Admission::Throttled { until } | Admission::BreakerOpen { until } => sleep_until(until).await,
        }
    }
}

async fn sleep_until(time: DateTime<Utc>) {
    tokio::time::sleep((time - clock::now()).to_std().unwrap_or_default()).await;
}

#[tokio::test]
async fn no_window_ever_holds_more_calls_than_the_limit() {
    let quota = quota(7, 400);
    let asks = (0..35).map(|_| {
        let quota = quota.clone();
        tokio::spawn(async move { granted_at(&quota, anybody()).await })
    });
    let mut times = Vec::new();
    for ask in asks.collect::<Vec<_>>() {
        times.push(ask.await.unwrap());
    }
    times.sort_unstable();
    for window in times.windows(8) {
        // The moment is read here, the decision was Redis': 20 ms for the way between them.
        assert!(window[7] - window[0] >= TimeDelta::milliseconds(380), "8 calls within {}", window[7] - window[0]);
    }
    let whole = times[34] - times[0];
    assert!(whole < TimeDelta::milliseconds(400 * 4 + 300), "the quota is used up, not left: {whole}");
}

#[tokio::test]
async fn who_waits_is_served_by_rank_and_told_its_own_moment() {
    let quota = quota(2, 500);
    let now = clock::now();
    for _ in 0..2 {
        let _ = grant(&quota, anybody()).await;
    }
    let young = Rank::new(JobId::new(), false, now + TimeDelta::seconds(2));
    let old = Rank::new(JobId::new(), false, now + TimeDelta::seconds(1));
    let started = Rank::new(JobId::new(), true, now + TimeDelta::seconds(3));
    let (first, second) = (throttled(&quota, young).await, throttled(&quota, old).await);
    assert!(first <= now + TimeDelta::milliseconds(600), "alone in the line: the next slot");
    assert!(second <= first + TimeDelta::milliseconds(50));
    let third = throttled(&quota, started).await;
    assert!(third <= now + TimeDelta::milliseconds(600), "a job under way goes before new ones");
    // Three wait for two slots: the youngest new one is told the window after.
    assert!(throttled(&quota, young).await > first + TimeDelta::milliseconds(400));
    sleep_until(third.max(second)).await;
    assert!(matches!(quota.admit(young).await.unwrap(), Admission::Throttled { .. }), "both slots belong to others");
    let _ = grant(&quota, started).await;
    let _ = grant(&quota, old).await;
}

#[tokio::test]
async fn a_waiter_that_never_comes_back_does_not_block_the_line() {
    let quota = quota(1, 50);
    let _ = grant(&quota, anybody()).await;
    let gone = Rank::new(JobId::new(), true, clock::now());
    let until = throttled(&quota, gone).await;
    let waiting = anybody();
    // Until the grace of 5 s is over the slot is kept for the one that was told to come.
    let granted = granted_at(&quota, waiting).await;
    let kept = granted - until;
    assert!((TimeDelta::seconds(4)..TimeDelta::seconds(7)).contains(&kept), "{kept}");
}

#[tokio::test]
async fn a_providers_own_word_closes_it_for_everybody() {
    let quota = quota(100, 60_000);
    let first = grant(&quota, anybody()).await;
    let closed_for = Some(Duration::from_millis(300));
    quota.settle(first, Settlement { health: Health::Neutral, closed_for }).await.unwrap();
    let until = throttled(&quota, anybody()).await;
    assert!(until > clock::now() + TimeDelta::milliseconds(200));
    assert!(quota.status().await.unwrap().closed_until.is_some());
    sleep_until(until).await;
    let _ = grant(&quota, anybody()).await;
}

#[tokio::test]
async fn five_failures_in_a_row_open_the_breaker_and_one_probe_closes_it() {
    let quota = quota(1_000, 60_000);
    for _ in 0..4 {
        let failed = grant(&quota, anybody()).await;
        assert_eq!(settle(&quota, failed, Health::Unhealthy).await, BreakerState::Closed);
    }
    let fine = grant(&quota, anybody()).await;
    settle(&quota, fine, Health::Healthy).await;
    for failures in 1..=5 {
        let failed = grant(&quota, anybody()).await;
        let state = settle(&quota, failed, Health::Unhealthy).await;
        assert_eq!(state == BreakerState::Open, failures == 5, "a success starts the count anew");
    }
    let Admission::BreakerOpen { until } = quota.admit(anybody()).await.unwrap() else { panic!("it is open") };
    sleep_until(until).await;
    let probe = grant(&quota, anybody()).await;
    assert!(probe.is_probe);
    for _ in 0..3 {
        assert!(matches!(quota.admit(anybody()).await.unwrap(), Admission::BreakerOpen { .. }), "one probe only");
    }
    assert_eq!(settle(&quota, probe, Health::Healthy).await, BreakerState::Closed);
    assert!(!grant(&quota, anybody()).await.is_probe);
}

#[tokio::test]
async fn a_failed_probe_opens_the_breaker_again_and_late_answers_do_not_close_it() {
    let quota = quota(1_000, 60_000);
    let late = grant(&quota, anybody()).await;
    for _ in 0..5 {
        let failed = grant(&quota, anybody()).await;
        settle(&quota, failed, Health::Unhealthy).await;
    }
    assert_eq!(settle(&quota, late, Health::Healthy).await, BreakerState::Open);
    let Admission::BreakerOpen { until } = quota.admit(anybody()).await.unwrap() else { panic!("it is open") };
    sleep_until(until).await;
    let probe = grant(&quota, anybody()).await;
    assert_eq!(settle(&quota, probe, Health::Unhealthy).await, BreakerState::Open);
}

#[tokio::test]
async fn a_probe_that_vanished_makes_room_for_another() {
    let quota = quota(1_000, 60_000);
    for _ in 0..5 {
        let failed = grant(&quota, anybody()).await;
        settle(&quota, failed, Health::Unhealthy).await;
    }
    let Admission::BreakerOpen { until } = quota.admit(anybody()).await.unwrap() else { panic!("it is open") };
    sleep_until(until).await;
    let vanished = grant(&quota, anybody()).await;
    let Admission::BreakerOpen { until } = quota.admit(anybody()).await.unwrap() else { panic!("a probe runs") };
    sleep_until(until).await;
    let probe = grant(&quota, anybody()).await;
    assert!(probe.is_probe);
    assert_eq!(settle(&quota, vanished, Health::Healthy).await, BreakerState::HalfOpen, "only the latest probe counts");
    assert_eq!(settle(&quota, probe, Health::Healthy).await, BreakerState::Closed);
}

#[tokio::test]
async fn refusals_say_nothing_of_a_providers_health() {
    let quota = quota(1_000, 60_000);
    for _ in 0..10 {
        let refused = grant(&quota, anybody()).await;
        assert_eq!(settle(&quota, refused, Health::Neutral).await, BreakerState::Closed);
    }
}

#[tokio::test]
async fn the_status_counts_what_is_left() {
    let quota = quota(5, 60_000);
    for _ in 0..3 {
        let _ = grant(&quota, anybody()).await;
    }
    let status = quota.status().await.unwrap();
    assert_eq!((status.limit, status.remaining, status.waiting), (5, 2, 0));
    assert_eq!(status.breaker, BreakerState::Closed);
}
