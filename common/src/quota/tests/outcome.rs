//! What follows of calls that end badly: refusals in a row, what an operator must mend, a job's setbacks.

use super::super::trouble::{Trouble, TroubleKind};
use super::*;

#[tokio::test]
async fn refusals_in_a_row_close_a_provider_for_longer_whatever_it_says() {
    let quota = quota(100, 60_000);
    let refused = Settlement {
        closed_for: Some(Duration::from_millis(500)),
        is_refused: true,
        ..Settlement::of(Health::Neutral)
    };
    for expected_ms in [500, 1_000, 2_000, 4_000] {
        // Two at once say no more than one.
        let (first, second) = (grant(&quota, anybody()).await, grant(&quota, anybody()).await);
        quota.settle(first, refused).await.unwrap();
        quota.settle(second, refused).await.unwrap();
        let closed_until = quota.status().await.unwrap().closed_until.unwrap_or_else(clock::now);
        let wait = (closed_until - clock::now()).num_milliseconds();
        assert!((expected_ms - 450..=expected_ms).contains(&wait), "{wait} instead of {expected_ms}");
        quota.reopen().await.unwrap();
    }
    let sound = grant(&quota, anybody()).await;
    settle(&quota, sound, Health::Healthy).await;
    let first = grant(&quota, anybody()).await;
    quota.settle(first, refused).await.unwrap();
    let closed_until = quota.status().await.unwrap().closed_until;
    assert!(closed_until.is_none_or(|until| until <= clock::now() + TimeDelta::milliseconds(500)), "it begins anew");
}

#[tokio::test]
async fn what_an_operator_must_mend_is_remembered_until_the_first_answer() {
    let quota = quota(100, 60_000);
    let trouble = Trouble { kind: TroubleKind::Account, status: 402, look_at: "the account" };
    let refused = Settlement { trouble: Some(trouble), ..Settlement::of(Health::Neutral) };
    let first = grant(&quota, anybody()).await;
    quota.settle(first, refused).await.unwrap();
    let known = quota.status().await.unwrap().trouble.unwrap();
    assert_eq!((known.kind, known.status, known.look_at.as_str()), (TroubleKind::Account, 402, "the account"));
    let failed = grant(&quota, anybody()).await;
    settle(&quota, failed, Health::Unhealthy).await;
    assert!(quota.status().await.unwrap().trouble.is_some(), "a failure of another kind mends nothing");
    let sound = grant(&quota, anybody()).await;
    settle(&quota, sound, Health::Healthy).await;
    assert_eq!(quota.status().await.unwrap().trouble, None);
}

#[tokio::test]
async fn a_jobs_failures_are_its_providers_until_something_speaks_of_the_job() {
    let quota = with(|policy| (policy.setbacks, policy.breaker_threshold) = (3, 100));
    let (job, other) = (anybody(), anybody());
    let fails = async |rank: &Rank| {
        let failed = grant(&quota, rank.clone()).await;
        quota.settle(failed, Settlement::of(Health::Unhealthy)).await.unwrap().setback
    };
    let succeeds = async |rank: &Rank| {
        let sound = grant(&quota, rank.clone()).await;
        settle(&quota, sound, Health::Healthy).await;
    };
    assert_eq!(fails(&job).await, Some(1), "nothing is known yet");
    assert_eq!(fails(&other).await, Some(1));
    assert_eq!(fails(&job).await, Some(2), "others fail too");
    succeeds(&other).await;
    assert_eq!(fails(&job).await, None, "another call was answered since");
    assert_eq!(fails(&job).await, None, "time after time");
    succeeds(&job).await;
    assert_eq!(fails(&job).await, Some(1), "its own answer speaks for it");
    for nth in [2, 3] {
        assert_eq!(fails(&job).await, Some(nth));
    }
    assert_eq!(fails(&job).await, None, "a job whose own calls always fail must end");
}
