//! The quota's and the breaker's promises, on a real Redis.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod account;
mod day;
mod flush;
mod model;
mod order;
mod outcome;
mod pace;
mod turn;
mod usual;

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::Priority;

use super::limits::{self, SetLimits};
use super::{Admission, Ask, AskedFor, BreakerState, Budget, Grant, Health, Policy, Quota, Rank, Settlement};
use crate::clock;
use crate::money::MicroUsd;
use crate::redis::Redis;

fn policy(limit: u32, window_ms: u64) -> Policy {
    Policy {
        setbacks: 8,
        limit,
        window: Duration::from_millis(window_ms),
        breaker_threshold: 5,
        breaker_open: Duration::from_millis(100),
        longest_call: Duration::from_millis(200),
        tokens: None,
        per_day: None,
        tokens_per_day: None,
        at_once: None,
        usd_per_day: None,
        budget: Budget::default(),
    }
}

fn quota(limit: u32, window_ms: u64) -> Quota {
    Quota::new(&Redis::of_test(), "groq", "m", policy(limit, window_ms))
}

impl Quota {
    /// The same quota, as a process that has not asked yet knows it.
    fn clone_of_another_process(&self) -> Self {
        Self { redis: self.redis.of_another_process(), ..self.clone() }
    }

    /// Makes Redis forget all of it, and what it shares with other providers.
    async fn flush(&self) {
        let keys = &self.keys;
        let mut delete = redis::cmd("DEL");
        for key in [&keys.calls, &keys.waiters, &keys.expected, &keys.state, &keys.breaker, &keys.granted] {
            delete.arg(key);
        }
        for key in [&keys.amounts, &keys.flying, &keys.clocks, &keys.absent, &keys.line, &keys.jobs, &keys.memory] {
            delete.arg(key);
        }
        delete.query_async::<()>(&mut self.redis.commands()).await.unwrap();
    }

    /// Sets every stored time back: to the scripts, so much time has passed.
    async fn set_back(&self, ms: i64) {
        let keys = &self.keys;
        let script = redis::Script::new(
            r"
            local ms = tonumber(ARGV[1])
            for i, at in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
              redis.call('LSET', KEYS[1], i - 1, tonumber(at) - ms)
            end
            for _, key in ipairs({ KEYS[2], KEYS[6] }) do
              local told = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
              for i = 1, #told, 2 do redis.call('ZADD', key, tonumber(told[i + 1]) - ms, told[i]) end
            end
            for _, field in ipairs({ 'closed_until', 'until', 'probe_until', 'since', 'pace', 'token_pace' }) do
              for _, key in ipairs({ KEYS[3], KEYS[4], KEYS[5] }) do
                local at = redis.call('HGET', key, field)
                if at then redis.call('HSET', key, field, string.format('%.3f', tonumber(at) - ms)) end
              end
            end",
        );
        let mut call = script.key(&keys.calls);
        call.key(&keys.expected).key(&keys.state).key(&keys.breaker).key(&keys.memory).key(&keys.granted).arg(ms);
        call.invoke_async::<()>(&mut self.redis.commands()).await.unwrap();
    }
}

fn anybody() -> Rank {
    new_of("company_123")
}

fn new_of(business: &str) -> Rank {
    Rank::new_job(JobId::new(), BusinessId::parse(business).unwrap(), clock::now())
}

fn under_way(accepted_at: DateTime<Utc>) -> Rank {
    Rank::under_way(JobId::new(), BusinessId::parse("company_123").unwrap(), accepted_at)
}

async fn grant(quota: &Quota, rank: Rank) -> Grant {
    match quota.admit(rank).await.unwrap() {
        Admission::Granted(grant) => grant,
        refused => panic!("{refused:?}"),
    }
}

async fn throttled(quota: &Quota, rank: &Rank) -> DateTime<Utc> {
    match quota.admit(rank.clone()).await.unwrap() {
        Admission::Throttled { until } => until,
        other => panic!("{other:?}"),
    }
}

async fn settle(quota: &Quota, grant: Grant, health: Health) -> BreakerState {
    quota.settle(grant, Settlement::of(health)).await.unwrap().breaker
}

async fn set_limits(quota: &Quota, limits: &SetLimits, version: i64) -> bool {
    limits::enforce(&quota.redis, "groq", limits, version).await.unwrap()
}

/// How many jobs stand before it in the line.
async fn before(quota: &Quota, rank: &Rank) -> u64 {
    let forecast = quota.forecast(rank.ticket, 1, 0).await.unwrap();
    assert!(forecast.waits);
    forecast.jobs_before
}

/// Asks until it is granted, each time at the moment that it was told. When it asked and had the
/// answer: Redis decided in between.
async fn granted_at(quota: &Quota, ask: impl Into<Ask>) -> (DateTime<Utc>, DateTime<Utc>) {
    let ask = ask.into();
    loop {
        let asked = clock::now();
        match quota.admit(ask.clone()).await.unwrap() {
            Admission::Granted(_) => return (asked, clock::now()),
            Admission::Throttled { until } | Admission::BreakerOpen { until } => sleep_until(until).await,
            other => panic!("{other:?}"),
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
        let within = window[7].1 - window[0].0;
        assert!(within >= TimeDelta::milliseconds(399), "8 calls within {within}");
    }
    let whole = times[34].1 - times[0].0;
    assert!(whole < TimeDelta::milliseconds(400 * 4 + 300), "the quota is used up, not left: {whole}");
}

#[tokio::test]
async fn who_waits_is_served_by_rank_and_told_its_own_moment() {
    let quota = quota(2, 500);
    let now = clock::now();
    for _ in 0..2 {
        let _ = grant(&quota, anybody()).await;
    }
    let new = anybody();
    let young = under_way(now + TimeDelta::seconds(2));
    let old = under_way(now + TimeDelta::seconds(1));
    let (first, second) = (throttled(&quota, &new).await, throttled(&quota, &young).await);
    assert!(first <= now + TimeDelta::milliseconds(600), "alone in the line: the next slot");
    assert!(second <= first + TimeDelta::milliseconds(50));
    let third = throttled(&quota, &old).await;
    assert!(third <= now + TimeDelta::milliseconds(600), "an older job goes before a younger");
    // Three wait for two slots: the new one is told the window after.
    assert!(throttled(&quota, &new).await > first + TimeDelta::milliseconds(400));
    // The second slot may come free a moment after the first.
    let second = throttled(&quota, &young).await;
    sleep_until(third.max(second)).await;
    throttled(&quota, &new).await;
    let _ = grant(&quota, young).await;
    let _ = grant(&quota, old).await;
}

#[tokio::test]
async fn businesses_take_turns_however_many_jobs_each_has() {
    let quota = quota(1, 60_000);
    let _ = grant(&quota, anybody()).await;
    let big: Vec<Rank> = (0..20).map(|_| new_of("big")).collect();
    for rank in &big {
        throttled(&quota, rank).await;
    }
    let small = new_of("small");
    throttled(&quota, &small).await;
    assert_eq!(before(&quota, &small).await, 1, "behind the first of the big one's");
    assert_eq!(before(&quota, &big[19]).await, 20);
    throttled(&quota, &big[19]).await;
    assert_eq!(before(&quota, &big[19]).await, 20, "asking again moves nobody");
    throttled(&quota, &under_way(clock::now())).await;
    assert_eq!(before(&quota, &small).await, 2);
}

#[tokio::test]
async fn a_waiter_that_never_comes_back_does_not_block_the_line() {
    let quota = quota(1, 60_000);
    let _ = grant(&quota, anybody()).await;
    let (gone, waiting) = (under_way(clock::now()), anybody());
    throttled(&quota, &gone).await;
    // Until the grace of 5 s is over the slot is kept for the one that was told to come.
    quota.set_back(60_000 + 3_000).await;
    throttled(&quota, &waiting).await;
    quota.set_back(2_000).await;
    let _ = grant(&quota, waiting).await;
}

#[tokio::test]
async fn a_providers_own_word_closes_it_for_everybody() {
    let quota = quota(100, 60_000);
    let first = grant(&quota, anybody()).await;
    let closed_for = Some(Duration::from_millis(300));
    quota.settle(first, Settlement { closed_for, ..Settlement::of(Health::Neutral) }).await.unwrap();
    let until = throttled(&quota, &anybody()).await;
    assert!(until > clock::now() + TimeDelta::milliseconds(200));
    assert!(quota.status().await.unwrap().closed_until.is_some());
    sleep_until(until).await;
    let _ = grant(&quota, anybody()).await;
}

#[tokio::test]
async fn an_operator_reopens_a_provider_that_closed_itself() {
    let quota = with(|policy| policy.tokens = Some(1_000));
    let first = grant(&quota, anybody()).await;
    let closed_for = Some(Duration::from_secs(3_600));
    quota.settle(first, Settlement { closed_for, ..Settlement::of(Health::Neutral) }).await.unwrap();
    let (first, second) = (anybody(), anybody());
    for waiting in [&first, &second] {
        assert!(throttled(&quota, waiting).await > clock::now() + TimeDelta::minutes(59));
    }
    assert_eq!(quota.reopen().await.unwrap(), None);
    assert_eq!(quota.status().await.unwrap().closed_until, None);
    // Tokens are limited: nobody passes the first one before the moment at which it is expected.
    for waiting in [second, first] {
        let _ = grant(&quota, waiting).await;
    }
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
    assert_eq!((status.limits.calls_per_minute, status.remaining, status.waiting), (5, 2, 0));
    assert_eq!(status.calls_today, 3);
    assert_eq!(status.breaker, BreakerState::Closed);
}

fn with(change: impl FnOnce(&mut Policy)) -> Quota {
    let mut policy = policy(1_000, 400);
    change(&mut policy);
    Quota::new(&Redis::of_test(), "groq", "m", policy)
}

#[tokio::test]
async fn tokens_are_reserved_on_an_estimate_and_settled_on_what_was_used() {
    let quota = with(|policy| policy.tokens = Some(1_000));
    let ask = |tokens| Ask { tokens, ..anybody().into() };
    let Admission::Granted(first) = quota.admit(ask(900)).await.unwrap() else { panic!("there is room") };
    assert!(matches!(quota.admit(ask(200)).await.unwrap(), Admission::Throttled { .. }));
    let used = Settlement { tokens: Some(300), ..Settlement::of(Health::Healthy) };
    quota.settle(first, used).await.unwrap();
    let waiting = ask(700);
    let Admission::Throttled { until } = quota.admit(waiting.clone()).await.unwrap() else {
        panic!("there would be room, but an earlier one was told that it is next")
    };
    sleep_until(until).await;
    assert!(matches!(quota.admit(waiting).await.unwrap(), Admission::Granted(_)));
    assert!(matches!(quota.admit(ask(400)).await.unwrap(), Admission::Throttled { .. }), "700 are reserved anew");
}

#[tokio::test]
async fn a_window_of_tokens_is_never_overrun() {
    let quota = with(|policy| policy.tokens = Some(1_000));
    let asks = (0..12).map(|_| {
        let quota = quota.clone();
        tokio::spawn(async move { granted_at(&quota, Ask { tokens: 300, ..anybody().into() }).await })
    });
    let mut times = Vec::new();
    for ask in asks.collect::<Vec<_>>() {
        times.push(ask.await.unwrap());
    }
    times.sort_unstable();
    for window in times.windows(4) {
        let within = window[3].1 - window[0].0;
        assert!(within >= TimeDelta::milliseconds(399), "1,200 tokens within {within}");
    }
}

#[tokio::test]
async fn calls_at_once_and_calls_a_day_are_bounded() {
    let quota = with(|policy| policy.at_once = Some(2));
    let first = grant(&quota, anybody()).await;
    let _second = grant(&quota, anybody()).await;
    let waiting = anybody();
    throttled(&quota, &waiting).await;
    settle(&quota, first, Health::Healthy).await;
    let _ = grant(&quota, waiting).await;

    let quota = with(|policy| policy.per_day = Some(3));
    for _ in 0..3 {
        let _ = grant(&quota, anybody()).await;
    }
    let until = throttled(&quota, &anybody()).await;
    assert_eq!(until.timestamp() % 86_400, 0, "until the next day: {until}");
}

#[tokio::test]
async fn an_operators_limits_hold_from_the_next_call_on() {
    let quota = quota(1, 60_000);
    let _ = grant(&quota, anybody()).await;
    let waiting = anybody();
    throttled(&quota, &waiting).await;
    let two = SetLimits { calls_per_minute: Some(2), ..SetLimits::default() };
    assert!(set_limits(&quota, &two, 7).await);
    let _ = grant(&quota, waiting).await;
    assert_eq!(quota.status().await.unwrap().limits.calls_per_minute, 2);
    assert!(!set_limits(&quota, &SetLimits::default(), 6).await, "an older word changes nothing");
    assert!(set_limits(&quota, &SetLimits::default(), 8).await);
    assert_eq!(quota.status().await.unwrap().limits.calls_per_minute, 1);
    let open_until = quota.open_breaker(Duration::from_secs(60)).await.unwrap();
    let Admission::BreakerOpen { until } = quota.admit(anybody()).await.unwrap() else { panic!("it is open") };
    assert_eq!(until, open_until);
    assert_eq!(quota.reopen().await.unwrap(), None);
    assert_eq!(quota.status().await.unwrap().breaker, BreakerState::Closed);
}

fn costing(rank: Rank, micro_usd: u64) -> Ask {
    Ask { cost: MicroUsd(micro_usd), ..rank.into() }
}

fn tomorrow(until: DateTime<Utc>) -> bool {
    until.timestamp() % 86_400 == 0 && (TimeDelta::zero()..=TimeDelta::days(1)).contains(&(until - clock::now()))
}

#[tokio::test]
async fn money_is_reserved_on_an_estimate_and_settled_on_what_a_call_cost() {
    let quota = with(|policy| policy.usd_per_day = Some(MicroUsd(1_000)));
    let Admission::Granted(first) = quota.admit(costing(anybody(), 700)).await.unwrap() else {
        panic!("there is money")
    };
    let Admission::Throttled { until } = quota.admit(costing(anybody(), 400)).await.unwrap() else {
        panic!("too much")
    };
    assert!(tomorrow(until), "{until}");
    let cost = Some(MicroUsd(250));
    quota.settle(first, Settlement { cost, ..Settlement::of(Health::Healthy) }).await.unwrap();
    let Admission::Granted(second) = quota.admit(costing(anybody(), 400)).await.unwrap() else {
        panic!("it cost less")
    };
    quota.settle(second, Settlement::of(Health::Unhealthy)).await.unwrap();
    assert_eq!(quota.status().await.unwrap().spent_today, MicroUsd(650), "what is not known stays reserved");
    assert!(matches!(quota.admit(costing(anybody(), 351)).await.unwrap(), Admission::Throttled { .. }));
    let more = SetLimits { micro_usd_per_day: Some(0), ..SetLimits::default() };
    set_limits(&quota, &more, 1).await;
    assert!(matches!(quota.admit(costing(anybody(), 5_000)).await.unwrap(), Admission::Granted(_)), "0 is no limit");
}

#[tokio::test]
async fn a_business_has_one_budget_for_all_providers_and_holds_up_nobody_else() {
    let budget = Budget { calls_per_day: Some(3), usd_per_day: Some(MicroUsd(1_000)) };
    let llm = with(|policy| policy.budget = budget);
    let keys = llm.redis.keys().quota("tavily", "tavily", "search");
    let search = Quota { keys, ..llm.clone_of_another_process() };
    let (poor, other) = (new_of("poor"), new_of("other"));
    let Admission::Granted(first) = llm.admit(costing(poor.clone(), 900)).await.unwrap() else { panic!("it has all") };
    let Admission::OverBudget { until } = search.admit(costing(poor.clone(), 200)).await.unwrap() else {
        panic!("one budget for all")
    };
    assert!(tomorrow(until), "{until}");
    let cost = Some(MicroUsd(100));
    llm.settle(first, Settlement { cost, ..Settlement::of(Health::Healthy) }).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(search.admit(costing(poor.clone(), 200)).await.unwrap(), Admission::Granted(_)));
    }
    assert!(matches!(llm.admit(poor).await.unwrap(), Admission::OverBudget { .. }), "three calls are all");
    assert_eq!(llm.status().await.unwrap().waiting, 0, "it stands in no line");
    let _ = grant(&llm, other).await;
}

#[tokio::test]
async fn a_job_can_foresee_when_its_calls_are_granted() {
    let quota = quota(2, 60_000);
    let id = JobId::new();
    let first = quota.forecast(id, 3, 0).await.unwrap();
    assert_eq!((first.jobs_before, first.waits, first.call), (0, false, None));
    let in_windows = |at: Option<DateTime<Utc>>| ((at.unwrap() - clock::now()).as_seconds_f64() / 60.0).round();
    assert_eq!(in_windows(first.last_call_at), 1.0, "two calls now, the third in a minute");
    assert_eq!(in_windows(quota.forecast(id, 2, 0).await.unwrap().last_call_at), 0.0);
    assert_eq!(in_windows(quota.forecast(id, 3, 7).await.unwrap().last_call_at), 4.0, "it is the tenth");
    let one = grant(&quota, anybody()).await;
    let one = Grant { began: Instant::now() - Duration::from_secs(3), ..one };
    settle(&quota, one, Health::Healthy).await;
    let _ = grant(&quota, anybody()).await;
    let waiting = anybody().before(2);
    throttled(&quota, &waiting).await;
    throttled(&quota, &anybody()).await;
    let second = quota.forecast(id, 1, 0).await.unwrap();
    assert_eq!((second.jobs_before, second.call.map(|call| call.as_secs())), (2, Some(3)));
    assert_eq!(in_windows(second.last_call_at), 3.0, "four calls come before it");
    let own = quota.forecast(waiting.ticket, 3, 99).await.unwrap();
    assert_eq!((own.jobs_before, own.waits, in_windows(own.last_call_at)), (0, true, 2.0));
    quota.open_breaker(Duration::from_secs(60)).await.unwrap();
    assert_eq!(quota.forecast(id, 1, 0).await.unwrap().last_call_at, None, "nobody knows");
}
