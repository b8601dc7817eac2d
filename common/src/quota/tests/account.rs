//! Models with limits of their own, tokens a day, and what a provider says of its limits.

use super::super::ToldLimits;
use super::*;

async fn take(quota: &Quota, tokens: u32, took: u32) {
    let ask = Ask { tokens, ..anybody().into() };
    let Admission::Granted(grant) = quota.admit(ask).await.unwrap() else { panic!("there is room") };
    let tokens = Some(took);
    quota.settle(grant, Settlement { tokens, ..Settlement::of(Health::Healthy) }).await.unwrap();
}

#[tokio::test]
async fn a_model_with_limits_of_its_own_waits_for_nobody_else_and_shares_the_money() {
    let shared = Policy { usd_per_day: Some(MicroUsd(1_000)), ..policy(1, 60_000) };
    let redis = Redis::of_test();
    let [one, other] = ["one", "other"].map(|model| Quota::new(&redis, "groq", model, shared));
    let own = Quota::of_model(&redis, "groq", "own", Policy { limit: 3, ..shared });
    assert_eq!((one.account(), own.account()), ("groq".to_owned(), "groq/own".to_owned()));
    let Admission::Granted(first) = one.admit(costing(anybody(), 300)).await.unwrap() else { panic!("it has all") };
    throttled(&other, &anybody()).await;
    let Admission::Granted(second) = own.admit(costing(anybody(), 300)).await.unwrap() else {
        panic!("its own window")
    };
    let Admission::Throttled { until } = own.admit(costing(anybody(), 500)).await.unwrap() else { panic!("no money") };
    assert!(tomorrow(until), "the money is their provider's: {until}");
    for (quota, grant) in [(&one, first), (&own, second)] {
        let cost = Some(MicroUsd(100));
        quota.settle(grant, Settlement { cost, ..Settlement::of(Health::Healthy) }).await.unwrap();
    }
    for quota in [&one, &own] {
        let status = quota.status().await.unwrap();
        assert_eq!((status.spent_today, status.calls_today, status.account()), (MicroUsd(200), 1, quota.account()));
    }
    assert!(matches!(own.admit(costing(anybody(), 500)).await.unwrap(), Admission::Granted(_)));
    // A word of one account's is not the other's.
    let more = SetLimits { calls_per_minute: Some(5), ..SetLimits::default() };
    assert!(limits::enforce(&redis, "groq/own", &more, 1).await.unwrap());
    assert_eq!(own.status().await.unwrap().limits.calls_per_minute, 5);
    assert_eq!(one.status().await.unwrap().limits.calls_per_minute, 1);
}

#[tokio::test]
async fn the_tokens_of_a_day_end_with_it() {
    let quota = with(|policy| policy.tokens_per_day = Some(10_000));
    take(&quota, 9_000, 4_000).await;
    take(&quota, 6_000, 5_000).await;
    let status = quota.status().await.unwrap();
    assert_eq!((status.tokens_today, status.limits.tokens_per_day), (9_000, 10_000));
    let Admission::Throttled { until } = quota.admit(Ask { tokens: 1_001, ..anybody().into() }).await.unwrap() else {
        panic!("too much")
    };
    assert!(tomorrow(until), "{until}");
    take(&quota, 1_000, 1_000).await;
    let turn = Ask { asked_for: AskedFor::Turn, ..anybody().into() };
    assert!(matches!(quota.admit(turn).await.unwrap(), Admission::Throttled { .. }), "nothing is left to write with");
    let more = SetLimits { tokens_per_day: Some(0), ..SetLimits::default() };
    set_limits(&quota, &more, 1).await;
    take(&quota, 50_000, 50_000).await;
    let quota = with(|policy| policy.tokens_per_day = Some(10_000));
    take(&quota, 20_000, 10_000).await;
}

#[tokio::test]
async fn the_status_tells_the_tokens_of_the_window_and_of_the_day() {
    let quota = quota(30, 60_000);
    take(&quota, 5_000, 3_000).await;
    let Admission::Granted(_under_way) = quota.admit(Ask { tokens: 700, ..anybody().into() }).await.unwrap() else {
        panic!("there is room")
    };
    let tokens = async || {
        let status = quota.status().await.unwrap();
        (status.tokens_used, status.tokens_today)
    };
    assert_eq!(tokens().await, (3_700, 3_700));
    quota.set_back(61_000).await;
    assert_eq!(tokens().await, (0, 3_700), "also before anybody asks again");
    take(&quota, 100, 100).await;
    assert_eq!(tokens().await, (100, 3_800));
}

#[tokio::test]
async fn what_a_provider_tells_of_its_limits_is_kept_by_model() {
    let redis = Redis::of_test();
    let [one, other] = ["one", "other"]
        .map(|model| Quota::new(&redis, "groq", model, Policy { tokens: Some(6_000), ..policy(30, 60_000) }));
    let told = ToldLimits { calls_per_day: Some(1_000), tokens_per_minute: Some(6_000) };
    let called = grant(&one, anybody()).await;
    let settled = one.settle(called, Settlement { told, ..Settlement::of(Health::Healthy) }).await.unwrap();
    assert_eq!(settled.in_force, ToldLimits { calls_per_day: Some(0), tokens_per_minute: Some(6_000) });
    let status = one.status().await.unwrap();
    let others = ToldLimits { calls_per_day: Some(1_000), tokens_per_minute: None };
    assert_eq!((status.told, status.told.other_than(&status.limits)), (told, others));
    assert_eq!(other.status().await.unwrap().told, ToldLimits::default());
}
