//! What becomes of jobs where a day's limits run low: those under way are finished, and those that cannot be
//! finished today wait for tomorrow whole.

use super::*;

/// A day of ten thousand tokens, and as many calls as are asked for.
fn day_of_tokens() -> Quota {
    Quota { policy: Policy { tokens_per_day: Some(10_000), ..policy(30, 60_000) }, ..quota(30, 60_000) }
}

fn ask(rank: Rank) -> Ask {
    Ask { tokens: 3_000, ..rank.into() }
}

async fn granted(quota: &Quota, rank: Rank) -> Grant {
    match quota.admit(ask(rank)).await.unwrap() {
        Admission::Granted(grant) => grant,
        refused => panic!("{refused:?}"),
    }
}

async fn waits_for_tomorrow(quota: &Quota, rank: Rank) -> bool {
    let Admission::Throttled { until } = quota.admit(ask(rank)).await.unwrap() else { return false };
    let tomorrow = (clock::now() + TimeDelta::days(1)).date_naive();
    until.date_naive() == tomorrow && until.time() == chrono::NaiveTime::MIN
}

async fn took(quota: &Quota, grant: Grant, tokens: u32) {
    quota.settle(grant, Settlement { tokens: Some(tokens), ..Settlement::of(Health::Healthy) }).await.unwrap();
}

#[tokio::test]
async fn a_job_that_cannot_be_finished_today_waits_whole_and_those_under_way_are_finished() {
    let quota = day_of_tokens();
    let (id, business, at) = (JobId::new(), BusinessId::parse("company_123").unwrap(), clock::now());
    let first = granted(&quota, Rank::new_job(id, business.clone(), at).before(1)).await;
    took(&quota, first, 3_000).await;
    // 3,000 are gone and 3,000 promised: 6,000 more do not fit, 3,000 do.
    assert!(waits_for_tomorrow(&quota, anybody().before(1)).await);
    let last = granted(&quota, Rank::under_way(id, business, at)).await;
    took(&quota, last, 3_000).await;
    let small = granted(&quota, anybody()).await;
    took(&quota, small, 3_000).await;
    assert!(waits_for_tomorrow(&quota, anybody()).await, "1,000 are left");
}

#[tokio::test]
async fn a_days_calls_are_kept_for_whole_jobs_too() {
    let quota = Quota { policy: Policy { per_day: Some(3), ..policy(30, 60_000) }, ..quota(30, 60_000) };
    let first = anybody().before(1);
    let _ = grant(&quota, first.clone()).await;
    assert!(waits_for_tomorrow(&quota, anybody().before(1)).await, "two calls do not fit beside the promised one");
}

#[tokio::test]
async fn a_job_that_takes_more_than_a_day_is_begun_on_a_fresh_one() {
    let quota = day_of_tokens();
    let huge = Ask { tokens: 20_000, ..anybody().before(1).into() };
    assert!(matches!(quota.admit(huge).await.unwrap(), Admission::Granted(_)));
}

#[tokio::test]
async fn forecasts_go_by_tokens_too() {
    let limited = Policy { tokens: Some(6_000), tokens_per_day: Some(30_000), ..policy(30, 60_000) };
    let quota = Quota { policy: limited, ..quota(30, 60_000) };
    let last_call = async |calls| quota.forecast(JobId::new(), calls, 0).await.unwrap().last_call_at.unwrap();
    let one = granted(&quota, anybody()).await;
    took(&quota, one, 3_000).await;
    let within = |at: DateTime<Utc>| ((at - clock::now()).as_seconds_f64() / 60.0).round();
    assert_eq!(within(last_call(1).await), 0.0, "3,000 are used, and 3,000 are left");
    assert_eq!(within(last_call(4).await), 2.0, "9,000 too many: two windows on");
    assert_eq!(last_call(10).await.date_naive(), (clock::now() + TimeDelta::days(1)).date_naive(), "of 30,000 a day");
}
