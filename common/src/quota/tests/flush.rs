//! What the quota promises across a flush of Redis, which forgets the calls of the window.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use copydesk_domain::job::JobKind;

use super::super::memory::{self, Seen};
use super::super::{Health, Quota, Settlement};
use super::{anybody, grant, granted_at, quota, throttled};
use crate::clock;
use crate::redis::Swept;

impl Quota {
    /// Another provider's, in the same process.
    fn of_provider(&self, provider: &str) -> Self {
        Self { keys: self.redis.keys().quota(provider, provider, "m"), provider: provider.into(), ..self.clone() }
    }
}

/// What each new connection with Sentinel notices: whether the server is another one.
async fn notice(quota: &Quota) -> bool {
    quota.redis.notice_server().await.unwrap()
}

/// Makes what is noted of Redis' memory look as it does on a replica that took its server's place.
async fn fail_over(quota: &Quota) {
    let mut set = redis::cmd("HSET");
    set.arg(&quota.keys.memory).arg("server").arg("another");
    set.query_async::<()>(&mut quota.redis.commands()).await.unwrap();
}

/// When a caller may ask again, and the bounds of the moment that is a window after `first_seen`.
fn assert_a_window_after(first_seen: (DateTime<Utc>, DateTime<Utc>), window: Duration, until: DateTime<Utc>) {
    let window = TimeDelta::from_std(window).unwrap();
    let (earliest, latest) = (first_seen.0 + window, first_seen.1 + window);
    // Redis' time is in whole ms.
    let ms = TimeDelta::milliseconds(2);
    assert!((earliest - ms..=latest + ms).contains(&until), "{until}, not between {earliest} and {latest}");
}

#[tokio::test]
async fn after_a_flush_all_providers_reopen_one_window_after_it_was_first_seen() {
    let llm = quota(3, 60_000);
    let (search, window) = (llm.of_provider("tavily"), llm.policy.window);
    let other = llm.clone_of_another_process();
    for quota in [&llm, &search, &other] {
        let _ = grant(quota, anybody()).await;
    }
    llm.flush().await;
    search.flush().await;
    let before = clock::now();
    assert_eq!(memory::look(&llm.redis).await.unwrap(), Seen::Flushed);
    let first_seen = (before, clock::now());
    assert_eq!(memory::look(&llm.redis).await.unwrap(), Seen::Known, "it is told once");
    assert_eq!(memory::look(&other.redis).await.unwrap(), Seen::Flushed, "every process tells what it knew");
    let closed_until = llm.status().await.unwrap().closed_until.unwrap();
    assert_a_window_after(first_seen, window, closed_until);
    let foreseen = llm.forecast(anybody().ticket, 1, 0).await.unwrap().last_call_at;
    assert_eq!(foreseen, Some(closed_until));
    // Half a window later the providers are used for the first time.
    llm.set_back(30_000).await;
    let until = throttled(&llm, &anybody()).await;
    assert_eq!(until, closed_until - TimeDelta::seconds(30));
    for quota in [&search, &other, &other.of_provider("tavily"), &other.of_provider("new")] {
        assert_eq!(throttled(quota, &anybody()).await, until, "{}", quota.provider);
    }
}

#[tokio::test]
async fn a_flush_that_was_seen_a_window_ago_makes_nobody_wait() {
    let quota = quota(3, 60_000);
    let _ = grant(&quota, anybody()).await;
    quota.flush().await;
    assert_eq!(memory::look(&quota.redis).await.unwrap(), Seen::Flushed);
    quota.set_back(60_000).await;
    for quota in [&quota, &quota.of_provider("tavily")] {
        let _ = grant(quota, anybody()).await;
        assert_eq!(quota.status().await.unwrap().closed_until, None);
    }
}

#[tokio::test]
async fn a_flush_that_nobody_looked_for_closes_a_provider_at_the_first_call() {
    let quota = quota(3, 60_000);
    let _ = grant(&quota, anybody()).await;
    quota.flush().await;
    let before = clock::now();
    let until = throttled(&quota, &anybody()).await;
    assert_a_window_after((before, clock::now()), quota.policy.window, until);
}

#[tokio::test]
async fn who_started_after_the_flush_goes_by_what_the_others_remember() {
    let llm = quota(3, 60_000);
    let _ = grant(&llm, anybody()).await;
    llm.flush().await;
    let newcomer = llm.clone_of_another_process();
    let before = clock::now();
    assert_eq!(memory::look(&newcomer.redis).await.unwrap(), Seen::Known, "as in a new installation");
    let first_seen = (before, clock::now());
    let _ = grant(&newcomer, anybody()).await;
    assert_eq!(memory::look(&llm.redis).await.unwrap(), Seen::Flushed);
    let until = throttled(&newcomer, &anybody()).await;
    assert_a_window_after(first_seen, llm.policy.window, until);
    assert_eq!(throttled(&llm, &anybody()).await, until);
}

#[tokio::test]
async fn a_failover_is_a_flush_to_all_providers_and_to_all_that_ask() {
    let llm = quota(3, 60_000);
    let (search, newcomer) = (llm.of_provider("tavily"), llm.clone_of_another_process());
    assert!(!notice(&llm).await, "the first server is the one that there is");
    for quota in [&llm, &search] {
        let _ = grant(quota, anybody()).await;
    }
    assert!(!notice(&llm).await);
    let _ = grant(&llm, anybody()).await;
    fail_over(&llm).await;
    let before = clock::now();
    assert!(notice(&llm).await);
    let until = throttled(&newcomer, &anybody()).await;
    assert_a_window_after((before, clock::now()), llm.policy.window, until);
    assert!(!notice(&llm).await, "it begins once");
    assert_eq!(memory::look(&llm.redis).await.unwrap(), Seen::Flushed);
    for quota in [&llm, &search, &newcomer.of_provider("new")] {
        assert_eq!(throttled(quota, &anybody()).await, until, "{}", quota.provider);
    }
    llm.set_back(60_000).await;
    let _ = grant(&llm, anybody()).await;
}

#[tokio::test]
async fn memory_that_names_no_server_may_be_any_servers() {
    let quota = quota(3, 60_000);
    let _ = grant(&quota, anybody()).await;
    assert!(notice(&quota).await, "a flush made it forget the server, and a failover may have followed");
    throttled(&quota, &anybody()).await;
}

#[tokio::test]
async fn no_whole_pass_counts_after_a_failover() {
    let quota = quota(3, 60_000);
    notice(&quota).await;
    for &kind in JobKind::ALL {
        quota.redis.begin_pass(kind, "whole").await.unwrap();
        assert!(quota.redis.complete_pass(kind, "whole").await.unwrap());
        quota.redis.begin_pass(kind, "under way").await.unwrap();
    }
    fail_over(&quota).await;
    assert!(notice(&quota).await);
    for &kind in JobKind::ALL {
        assert_eq!(quota.redis.swept(kind).await.unwrap(), Swept { is_whole: false, pass: None });
    }
}

#[tokio::test]
async fn a_worker_of_an_earlier_release_neither_closes_a_provider_again_nor_before() {
    let quota = quota(3, 60_000);
    let _ = grant(&quota, anybody()).await;
    quota.flush().await;
    assert_eq!(memory::look(&quota.redis).await.unwrap(), Seen::Flushed);
    let until = throttled(&quota, &anybody()).await;
    // What its script reads: the provider's own generation, and whether it was closed for in it.
    let mut asked = redis::cmd("HMGET");
    asked.arg(&quota.keys.state).arg(&["generation", "closed_in", "closed_until"]);
    let (generation, closed_in, closed_until): (Option<String>, Option<String>, i64) =
        asked.query_async(&mut quota.redis.commands()).await.unwrap();
    assert!(generation.is_some());
    assert_eq!((generation, clock::from_millis(closed_until)), (closed_in, until));
}

#[tokio::test]
async fn no_window_holds_more_calls_than_the_limit_also_over_a_flush() {
    const LIMIT: usize = 5;
    let first = quota(5, 400);
    let second = first.clone_of_another_process();
    let made = Arc::new(AtomicUsize::new(0));
    for quota in [&first, &second] {
        memory::look(&quota.redis).await.unwrap();
    }
    let asks = || {
        let ask = |quota: &Quota| {
            let (quota, made) = (quota.clone(), Arc::clone(&made));
            tokio::spawn(async move {
                let times = granted_at(&quota, anybody()).await;
                made.fetch_add(1, Ordering::SeqCst);
                times
            })
        };
        (0..7).flat_map(|_| [&first, &second]).map(ask).collect::<Vec<_>>()
    };
    let before = asks();
    while made.load(Ordering::SeqCst) < LIMIT {
        tokio::task::yield_now().await;
    }
    first.flush().await;
    // These were told no moment before the flush.
    let after = asks();
    let mut times = Vec::new();
    for ask in before.into_iter().chain(after) {
        times.push(ask.await.unwrap());
    }
    times.sort_unstable();
    for window in times.windows(LIMIT + 1) {
        let within = window[LIMIT].1 - window[0].0;
        assert!(within >= TimeDelta::milliseconds(399), "{} calls within {within}", LIMIT + 1);
    }
}

#[tokio::test]
async fn an_operator_reopens_no_provider_whose_last_calls_were_forgotten() {
    let quota = quota(3, 60_000);
    let (under_way, waiting) = (grant(&quota, anybody()).await, anybody());
    quota.flush().await;
    assert_eq!(memory::look(&quota.redis).await.unwrap(), Seen::Flushed);
    let flushed_until = throttled(&quota, &waiting).await;
    let closed_for = Some(Duration::from_secs(3_600));
    quota.settle(under_way, Settlement { closed_for, ..Settlement::of(Health::Neutral) }).await.unwrap();
    assert!(throttled(&quota, &waiting).await > flushed_until);
    assert_eq!(quota.reopen().await.unwrap(), Some(flushed_until), "what the provider said is lifted, no more");
    assert_eq!(quota.status().await.unwrap().closed_until, Some(flushed_until));
    assert_eq!(throttled(&quota, &waiting).await, flushed_until);
    quota.set_back(60_000).await;
    assert_eq!(quota.reopen().await.unwrap(), None);
    let _ = grant(&quota, waiting).await;
}
