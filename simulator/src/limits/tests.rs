//! The limits, by a clock that a test moves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn limiter(limits: Limits) -> (Limiter, Clock) {
    let clock = Clock::manual(1_000_000);
    (Limiter::new(limits, BTreeMap::new(), clock.clone()), clock)
}

fn per_minute(limit: u32) -> Limits {
    Limits { requests_per_minute: Some(limit), ..Limits::default() }
}

#[test]
fn the_minute_slides_and_tells_exactly_when_to_come_back() {
    let (limiter, clock) = limiter(per_minute(2));
    assert!(limiter.admit("k", "m", 0).outcome.is_ok());
    clock.advance(Duration::from_millis(10_000));
    assert!(limiter.admit("k", "m", 0).outcome.is_ok());
    let rejection = limiter.admit("k", "m", 0).outcome.unwrap_err();
    assert_eq!(rejection, Rejection::RequestsPerMinute { limit: 2, retry_ms: 50_000 });
    clock.advance(Duration::from_millis(49_999));
    assert!(limiter.admit("k", "m", 0).outcome.is_err());
    clock.advance(Duration::from_millis(1));
    assert!(limiter.admit("k", "m", 0).outcome.is_ok());
    assert!(limiter.admit("k", "m", 0).outcome.is_err());
}

#[test]
fn keys_do_not_share_a_limit() {
    let (limiter, _) = limiter(per_minute(1));
    assert!(limiter.admit("a", "m", 0).outcome.is_ok());
    assert!(limiter.admit("b", "m", 0).outcome.is_ok());
    assert!(limiter.admit("a", "m", 0).outcome.is_err());
}

#[test]
fn tokens_are_reserved_then_settled() {
    let (limiter, clock) = limiter(Limits { tokens_per_minute: Some(100), ..Limits::default() });
    let ticket = limiter.admit("k", "m", 80).outcome.unwrap();
    let rejection = limiter.admit("k", "m", 30).outcome.unwrap_err();
    let expected = Rejection::TokensPerMinute { limit: 100, used: 80, requested: 30, retry_ms: 60_000 };
    assert_eq!(rejection, expected);
    let left = limiter.settle("k", "m", ticket, 50).tokens.unwrap();
    assert_eq!((left.limit, left.remaining, left.reset_ms), (100, 50, 60_000));
    assert!(limiter.admit("k", "m", 30).outcome.is_ok());
    assert_eq!(limiter.admit("k", "m", 101).outcome, Err(Rejection::TooLarge { limit: 100, requested: 101 }));
    clock.advance(Duration::from_secs(60));
    assert_eq!(limiter.admit("k", "m", 0).allowance.tokens.unwrap().remaining, 100);
    // A settlement that comes after its minute changes nothing.
    assert_eq!(limiter.settle("k", "m", ticket, 99).tokens.unwrap().remaining, 100);
}

#[test]
fn the_day_refills_evenly() {
    let (limiter, clock) = limiter(Limits { requests_per_day: Some(3), ..Limits::default() });
    for left in [2, 1, 0] {
        let admission = limiter.admit("k", "m", 0);
        assert!(admission.outcome.is_ok());
        assert_eq!(admission.allowance.requests.unwrap().remaining, left);
    }
    let rejection = limiter.admit("k", "m", 0).outcome.unwrap_err();
    assert_eq!(rejection, Rejection::RequestsPerDay { limit: 3, retry_ms: 28_800_000 });
    clock.advance(Duration::from_hours(8));
    assert!(limiter.admit("k", "m", 0).outcome.is_ok());
    assert!(limiter.admit("k", "m", 0).outcome.is_err());
}

#[test]
fn idle_keys_are_forgotten() {
    let (limiter, clock) = limiter(per_minute(1));
    for key in 0..KEYS_KEPT {
        limiter.admit(&key.to_string(), "m", 0).outcome.unwrap();
    }
    clock.advance(Duration::from_secs(60));
    limiter.admit("new", "m", 0).outcome.unwrap();
    assert_eq!(limiter.accounts.lock().unwrap().len(), 1);
}

#[test]
fn a_model_with_limits_of_its_own_shares_none_with_others() {
    let clock = Clock::manual(1_000_000);
    let models = BTreeMap::from([("own".to_owned(), per_minute(2))]);
    let limiter = Limiter::new(per_minute(1), models, clock.clone());
    let admitted = |model: &str| limiter.admit("k", model, 0).outcome.is_ok();
    assert_eq!([admitted("a"), admitted("b")], [true, false], "others share the key's");
    assert_eq!([admitted("own"), admitted("own"), admitted("own")], [true, true, false]);
    clock.advance(Duration::from_secs(60));
    assert!(admitted("b") && admitted("own"));
}

#[test]
fn tokens_of_a_day_are_reserved_settled_and_refill_evenly() {
    let (limiter, clock) = limiter(Limits { tokens_per_day: Some(1_000), ..Limits::default() });
    let ticket = limiter.admit("k", "m", 800).outcome.unwrap();
    let rejection = limiter.admit("k", "m", 300).outcome.unwrap_err();
    // 100 too many, of which one refills in 86.4 s.
    assert_eq!(rejection, Rejection::TokensPerDay { limit: 1_000, used: 800, requested: 300, retry_ms: 8_640_000 });
    limiter.settle("k", "m", ticket, 600);
    assert!(limiter.admit("k", "m", 400).outcome.is_ok());
    assert!(limiter.admit("k", "m", 1).outcome.is_err());
    clock.advance(Duration::from_millis(86_400));
    assert!(limiter.admit("k", "m", 1).outcome.is_ok());
    assert!(limiter.admit("k", "m", 1).outcome.is_err());
    assert_eq!(limiter.admit("k", "m", 1_001).outcome, Err(Rejection::TooLarge { limit: 1_000, requested: 1_001 }));
}

proptest! {
    #[test]
    fn no_window_of_a_minute_ever_holds_more_than_the_limit(
        limit in 1_u32..6,
        steps in prop::collection::vec(0_u64..30_000, 1..80),
    ) {
        let (limiter, clock) = limiter(per_minute(limit));
        let mut admitted: Vec<u64> = Vec::new();
        for step in steps {
            clock.advance(Duration::from_millis(step));
            let admission = limiter.admit("k", "m", 0);
            let in_window = admitted.iter().filter(|at| admission.at_ms - **at < MINUTE_MS).count();
            // Neither over the limit nor under it: a model that counts all calls decides alike.
            prop_assert_eq!(admission.outcome.is_ok(), in_window < limit as usize);
            if admission.outcome.is_ok() { admitted.push(admission.at_ms); }
        }
    }
}
