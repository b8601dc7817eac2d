//! Bulk calls are paced over the window, so that who is in a hurry finds a slot, and neither starves the
//! other. The load and how it runs are those of the order's tests.

use super::order::{LIMIT, Load, Run, WINDOW_MS, run};
use super::*;

/// Jobs that fill the windows of ten minutes or so.
const BULK: usize = 160;

/// Bulk jobs that are all there at once, and an interactive one every twelve seconds or so.
fn saturated(call_ms: i64) -> Load {
    Load {
        at: |job| if job < BULK { 0 } else { 70_000 + (job - BULK) as i64 * 12_000 + (job as i64 * 7_919) % 6_000 },
        priority: |job| if job < BULK { Priority::Bulk } else { Priority::Interactive },
        calls: |_| 2,
        ..Load::of(BULK + 22, call_ms)
    }
}

/// Of how long interactive jobs wait for their first call, the 95th percentile.
fn waited(run: &Run) -> i64 {
    let mut waited: Vec<i64> = run.waited.range(BULK..).map(|(_, waited)| *waited).collect();
    waited.sort_unstable();
    waited[waited.len() * 95 / 100]
}

#[tokio::test]
async fn who_is_in_a_hurry_has_a_call_soon_though_bulk_wants_all_there_is() {
    for (call_ms, turns) in [(1_500, true), (6_000, false)] {
        let run = run(&Load { turns, ..saturated(call_ms) }).await;
        let (waited, used) = (waited(&run), run.used());
        assert!(waited <= 6_000, "{waited} ms for calls of {call_ms} ms");
        assert!(used >= 0.99, "{used} of the limit is used with calls of {call_ms} ms");
        let spans = run.granted.windows(LIMIT + 1).map(|calls| calls[LIMIT] - calls[0]);
        // The moments are taken after the answers: a moment is the test's.
        assert!(spans.min() >= Some(WINDOW_MS - 1_000), "no window holds more");
    }
}

#[tokio::test]
async fn interactive_jobs_that_want_all_there_is_leave_bulk_its_share() {
    const HURRIED: usize = 150;
    let load = Load {
        priority: |job| if job < HURRIED { Priority::Interactive } else { Priority::Bulk },
        calls: |_| 2,
        until: 4 * WINDOW_MS,
        ..Load::of(HURRIED + 30, 1_500)
    };
    let run = run(&load).await;
    let bulk = run.grants_of.iter().filter(|job| **job >= HURRIED).count() as f64 / run.grants_of.len() as f64;
    assert!((0.05..=0.11).contains(&bulk), "{bulk} of the calls are bulk ones");
    assert!(run.used() >= 0.99, "{} of the limit is used", run.used());
}

#[tokio::test]
async fn a_bulk_job_by_itself_is_not_slowed() {
    for tokens in [None, Some(12_000)] {
        let quota = Quota { policy: Policy { tokens, ..policy(30, 60_000) }, ..quota(30, 60_000) };
        let (id, business, accepted_at) = (JobId::new(), BusinessId::parse("company_123").unwrap(), clock::now());
        for call in 0..3_u8 {
            let rank = if call == 0 { Rank::new_job } else { Rank::under_way }(id, business.clone(), accepted_at);
            let rank = rank.before(2 - call).of_priority(Priority::Bulk);
            let ask = Ask { tokens: 3_000, ..rank.into() };
            assert!(matches!(quota.admit(ask).await.unwrap(), Admission::Granted(_)), "{tokens:?}, {call}");
        }
        let more = anybody().of_priority(Priority::Bulk);
        let until = throttled(&quota, &more).await;
        let even = if tokens.is_some() { 46 } else { 4 };
        assert!(until <= clock::now() + TimeDelta::seconds(even), "{until}: at an even rate from there on");
        let _ = grant(&quota, anybody()).await;
    }
}

#[tokio::test]
async fn the_pace_goes_by_the_tokens_that_calls_really_took() {
    let quota = Quota { policy: Policy { tokens: Some(60_000), ..policy(30, 60_000) }, ..quota(30, 60_000) };
    let ask = || Ask { tokens: 6_000, ..anybody().of_priority(Priority::Bulk).into() };
    let mut grants = Vec::new();
    for _ in 0..3 {
        let Admission::Granted(grant) = quota.admit(ask()).await.unwrap() else { panic!("a few at once are fine") };
        grants.push(grant);
    }
    let waiting = ask();
    let Admission::Throttled { until } = quota.admit(waiting.clone()).await.unwrap() else { panic!("paced") };
    // Three calls of a tenth of the window each, two of which it may be ahead.
    assert!((until - clock::now() - TimeDelta::seconds(6)).abs() < TimeDelta::seconds(1), "{until}");
    for grant in grants {
        let tokens = Some(1_000);
        quota.settle(grant, Settlement { tokens, ..Settlement::of(Health::Healthy) }).await.unwrap();
    }
    let Admission::Throttled { until } = quota.admit(waiting.clone()).await.unwrap() else { panic!("by calls now") };
    assert!(until - clock::now() < TimeDelta::seconds(3), "{until}: three calls, two of which it may be ahead");
    quota.set_back(2_100).await;
    assert!(matches!(quota.admit(waiting).await.unwrap(), Admission::Granted(_)));
}

#[tokio::test]
async fn bulk_goes_by_tokens_where_calls_are_not_limited() {
    let limited = Policy { tokens: Some(12_000), ..policy(1_000_000, 60_000) };
    let quota = Quota { policy: limited, ..quota(1_000_000, 60_000) };
    let ask = |priority| Ask { tokens: 3_000, ..anybody().of_priority(priority).into() };
    for _ in 0..3 {
        assert!(matches!(quota.admit(ask(Priority::Bulk)).await.unwrap(), Admission::Granted(_)));
        quota.set_back(10).await;
    }
    assert!(matches!(quota.admit(ask(Priority::Bulk)).await.unwrap(), Admission::Throttled { .. }));
    assert!(matches!(quota.admit(ask(Priority::Interactive)).await.unwrap(), Admission::Granted(_)));
    // All who wait for tokens are told moments of their own.
    let mut told = Vec::new();
    for _ in 0..3 {
        let Admission::Throttled { until } = quota.admit(ask(Priority::Interactive)).await.unwrap() else {
            panic!("the window is full")
        };
        told.push(until);
    }
    assert!(told.is_sorted() && told[0] < told[2], "{told:?}");
}

#[tokio::test]
async fn a_rank_that_an_earlier_release_took_for_an_interactive_one_spoils_no_line() {
    let quota = quota(1, 60_000);
    let _ = grant(&quota, anybody()).await;
    let mut spoil = redis::cmd("HSET");
    spoil.arg(&quota.keys.state).arg("virtual").arg("100000000000001");
    spoil.query_async::<()>(&mut quota.redis.commands()).await.unwrap();
    let under_way = Rank::under_way(JobId::new(), BusinessId::parse("company_123").unwrap(), clock::now());
    let bulk = throttled(&quota, &under_way.of_priority(Priority::Bulk)).await;
    assert!(throttled(&quota, &anybody()).await <= bulk, "an interactive job still goes before it");
}
