//! Turns and spare calls: what a job asks for that takes no call, or a call that it can do without.

use super::*;

async fn turn(quota: &Quota, rank: &Rank) -> Admission {
    quota.admit(Ask { asked_for: AskedFor::Turn, ..rank.clone().into() }).await.unwrap()
}

async fn has_turn(quota: &Quota, rank: &Rank) {
    let admission = turn(quota, rank).await;
    assert!(matches!(admission, Admission::Turn), "{admission:?}");
}

#[tokio::test]
async fn a_turn_takes_no_call_and_promises_the_jobs_calls() {
    let quota = quota(3, 60_000);
    let first = anybody().before(1);
    has_turn(&quota, &first).await;
    let status = quota.status().await.unwrap();
    assert_eq!((status.remaining, status.calls_today, status.waiting), (3, 0, 0));
    let _ = grant(&quota, anybody()).await;
    let late = anybody();
    throttled(&quota, &late).await;
    assert!(matches!(turn(&quota, &anybody()).await, Admission::Throttled { .. }), "the rest is promised");
    let _ = grant(&quota, first.clone()).await;
    let second = Rank::under_way(first.ticket, first.business_id.clone(), first.accepted_at);
    let _ = grant(&quota, second).await;
    assert_eq!(quota.status().await.unwrap().remaining, 0);
}

#[tokio::test]
async fn who_does_not_use_its_turn_has_its_old_place() {
    let quota = quota(1, 60_000);
    let _ = grant(&quota, anybody()).await;
    let (first, second, third) = (anybody(), anybody(), anybody());
    throttled(&quota, &first).await;
    throttled(&quota, &second).await;
    quota.set_back(60_000).await;
    has_turn(&quota, &first).await;
    throttled(&quota, &second).await;
    quota.set_back(6_000).await;
    let _ = grant(&quota, second).await;
    throttled(&quota, &third).await;
    throttled(&quota, &first).await;
    assert_eq!((before(&quota, &first).await, before(&quota, &third).await), (0, 1));
}

#[tokio::test]
async fn whose_turn_was_does_not_lose_it_to_a_full_window() {
    let quota = quota(2, 60_000);
    let first = anybody();
    has_turn(&quota, &first).await;
    // A worker of an earlier release, or a limit that was lowered, took what was promised.
    set_limits(&quota, &SetLimits { calls_per_minute: Some(1), ..SetLimits::default() }, 1).await;
    let _ = grant(&quota, under_way(first.accepted_at - TimeDelta::seconds(9))).await;
    let new = anybody();
    throttled(&quota, &new).await;
    for _ in 0..2 {
        throttled(&quota, &first).await;
        assert_eq!((before(&quota, &first).await, before(&quota, &new).await), (0, 1), "it stands before new ones");
    }
}

#[tokio::test]
async fn turns_are_given_as_much_earlier_as_jobs_take_from_them_to_their_calls() {
    let quota = quota(1, 60_000);
    for _ in 0..20 {
        let job = anybody();
        has_turn(&quota, &job).await;
        quota.set_back(2_000).await;
        let _ = grant(&quota, job).await;
        quota.set_back(60_000).await;
    }
    let _ = grant(&quota, anybody()).await;
    let Admission::Throttled { until } = turn(&quota, &anybody()).await else { panic!("the window is full") };
    let early = clock::now() + TimeDelta::seconds(60) - until;
    assert!((1_500..=2_500).contains(&early.num_milliseconds()), "{early}");
}

#[tokio::test]
async fn a_turn_probes_no_provider() {
    let quota = quota(100, 60_000);
    for _ in 0..5 {
        let failed = grant(&quota, anybody()).await;
        settle(&quota, failed, Health::Unhealthy).await;
    }
    let job = anybody();
    let Admission::BreakerOpen { until } = turn(&quota, &job).await else { panic!("it is open") };
    sleep_until(until).await;
    has_turn(&quota, &job).await;
    assert!(grant(&quota, job).await.is_probe);
}

#[tokio::test]
async fn a_spare_call_is_made_only_where_there_is_plenty() {
    let quota = quota(4, 60_000);
    let spare = || Ask { asked_for: AskedFor::Spare, ..anybody().into() };
    let _ = grant(&quota, anybody()).await;
    assert!(matches!(quota.admit(spare()).await.unwrap(), Admission::Granted(_)), "three of four are left");
    assert!(matches!(quota.admit(spare()).await.unwrap(), Admission::Throttled { .. }), "half is used");
    assert_eq!(quota.status().await.unwrap().waiting, 0, "it stands in no line");
    for _ in 0..2 {
        let _ = grant(&quota, anybody()).await;
    }
}
