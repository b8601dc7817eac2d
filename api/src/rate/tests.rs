//! Limits without requests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{Ipv4Addr, Ipv6Addr};

use copydesk_domain::access::Grant;

use super::*;

fn key(id: &str, requests_per_minute: Option<u32>) -> ApiKey {
    ApiKey {
        id: KeyId::parse(id).unwrap(),
        name: "a key".to_owned(),
        grant: Grant::everything(),
        requests_per_minute,
        created_by: None,
        created_at: clock::now(),
        revoked_at: None,
        last_used_at: None,
        previous_until: None,
    }
}

/// How many requests pass at once.
fn passing(meter: &Meter) -> u32 {
    (0..).take_while(|_| meter.spend(1).is_ok()).last().map_or(0, |last| last + 1)
}

#[test]
fn a_process_grants_its_share_and_each_key_has_its_own() {
    let rates = Rates::new(600, 60);
    let parts = rates.0.clone().unwrap();
    let (a, b) = (key("aaaaaaaaaaaa", None), key("bbbbbbbbbbbb", Some(40)));
    assert_eq!(passing(&rates.meter(&a).unwrap()), 150);
    assert_eq!(passing(&rates.meter(&b).unwrap()), 10);
    assert_eq!(passing(&rates.meter(&a).unwrap()), 0, "the same key has one bucket");
    parts.processes.store(3, Ordering::Relaxed);
    assert_eq!(passing(&rates.meter(&key("cccccccccccc", None)).unwrap()), 50);
    parts.processes.store(1_000, Ordering::Relaxed);
    assert_eq!(passing(&rates.meter(&key("dddddddddddd", None)).unwrap()), 1, "a key is never shut out");
    assert!(Rates::new(0, 60).meter(&a).is_none());
}

#[test]
fn what_is_large_counts_more_but_always_fits() {
    let meter = Rates::new(40, 60).meter(&key("aaaaaaaaaaaa", None)).unwrap();
    meter.spend(4).unwrap();
    let mut headers = HeaderMap::new();
    meter.tell(&mut headers);
    assert_eq!(headers[POLICY], r#""default";q=40;w=60"#);
    assert_eq!(headers[LEFT], r#""default";r=6;t=6"#);
    assert!(matches!(meter.spend(weight_of_batch(1_000)), Err(ApiError::TooManyRequests(wait)) if wait >= 4));
    let meter = Rates::new(40, 60).meter(&key("aaaaaaaaaaaa", None)).unwrap();
    // As a batch is counted: the request first, then what is in it.
    meter.spend(1).unwrap();
    meter.spend(weight_of_batch(1_000)).unwrap();
    assert_eq!(weight_of_batch(9), 0);
}

#[test]
fn an_address_that_fails_waits_and_others_do_not() {
    let rates = Rates::new(600, 60);
    let (attacker, tenant) = (Some(Ipv4Addr::new(9, 9, 9, 9).into()), Some(Ipv4Addr::new(8, 8, 8, 8).into()));
    for _ in 0..30 {
        rates.may_try(attacker).unwrap();
        rates.failed(attacker);
    }
    rates.may_try(attacker).unwrap();
    rates.failed(attacker);
    assert!(matches!(rates.may_try(attacker), Err(ApiError::TooManyRequests(_))));
    rates.may_try(tenant).unwrap();
    let network = |last| Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, last, 2, 3, 4).into());
    (0..=30).for_each(|place| rates.failed(network(place)));
    assert!(rates.may_try(network(999)).is_err(), "a network of IPv6 is one client");
}

#[test]
fn a_flood_of_unknown_keys_from_a_million_networks_takes_bounded_memory() {
    let rates = Rates::new(600, 60);
    let parts = rates.0.clone().unwrap();
    for place in 0..1_000_000_u128 {
        let address = Some(Ipv6Addr::from((0x2001_u128 << 112) | (place << 64)).into());
        let _ = rates.may_try(address);
        rates.failed(address);
        let _ = rates.anonymous(address);
    }
    let entries = [parts.tries.failed.apart.len(), parts.anonymous.apart.len(), locked(&parts.tries.waiting).len()];
    assert!(entries.iter().all(|entries| *entries <= MOST_ADDRESSES), "{entries:?}");
    assert!(entries[0] > 0 && parts.keys.read().unwrap().is_empty(), "unknown keys are no keys");
}
