//! The quota's and the breaker's scripts against a plain model, step by step, with random operations.
//!
//! Time is moved in the data: every stored time is set back by tens of seconds, which to the scripts
//! is the same as waiting. What a case really takes is far below that unit.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::{Admission, BreakerState, Grant, Health, Policy, Quota, Rank, Settlement};
use crate::business::BusinessId;
use crate::clock;
use crate::job::JobId;
use crate::redis::Redis;

/// The unit of the model's time, in seconds.
const UNIT: i64 = 10;
const LIMIT: usize = 4;
const WINDOW: i64 = 6;
const THRESHOLD: u32 = 3;
const OPEN: i64 = 5;
const PROBE: i64 = 2;

fn policy() -> Policy {
    let units = |units: i64| Duration::from_secs(u64::try_from(units * UNIT).unwrap());
    Policy {
        limit: u32::try_from(LIMIT).unwrap(),
        window: units(WINDOW),
        breaker_threshold: THRESHOLD,
        breaker_open: units(OPEN),
        longest_call: units(PROBE),
        tokens: None,
        per_day: None,
        at_once: None,
    }
}

#[derive(Debug, Clone)]
enum Operation {
    Admit(usize),
    Settle { grant: usize, health: u8, closed_units: i64 },
    Wait(i64),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (0..12usize).prop_map(Operation::Admit),
        5 => (any::<usize>(), 0..6u8, prop_oneof![9 => Just(0i64), 1 => 1..4i64])
            .prop_map(|(grant, health, closed_units)| Operation::Settle { grant, health, closed_units }),
        2 => (1..8i64).prop_map(Operation::Wait),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Breaker {
    Closed { failures: u32 },
    Open { until: i64 },
    HalfOpen { probe: Option<(usize, i64)> },
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Granted { probe: bool },
    Throttled(i64),
    Open(i64),
}

/// The quota as its documentation describes it, in units of time.
#[derive(Debug)]
struct Model {
    now: i64,
    calls: Vec<i64>,
    /// When each waiter was told to come, by its rank.
    waiters: BTreeMap<i64, i64>,
    closed_until: i64,
    breaker: Breaker,
}

impl Model {
    fn admit(&mut self, rank: i64, grant: usize) -> Verdict {
        match self.breaker {
            Breaker::Open { until } | Breaker::HalfOpen { probe: Some((_, until)) } if self.now < until => {
                return Verdict::Open(until);
            }
            _ => {}
        }
        // The grace of a waiter is shorter than a unit.
        self.waiters.retain(|_, told| *told >= self.now);
        self.waiters.entry(rank).or_insert(i64::MAX);
        let place = self.waiters.range(..rank).count();
        let (windows, rest) = (place / LIMIT, place % LIMIT);
        let recent: Vec<i64> = self.calls.iter().rev().copied().take(LIMIT).collect();
        let free_at = recent.get(LIMIT - 1 - rest).map_or(self.now, |call| call + WINDOW);
        let at = (free_at.max(self.now) + i64::try_from(windows).unwrap() * WINDOW).max(self.closed_until);
        if at > self.now {
            self.waiters.insert(rank, at);
            return Verdict::Throttled(at);
        }
        self.waiters.remove(&rank);
        self.calls.push(self.now);
        let probe = !matches!(self.breaker, Breaker::Closed { .. });
        if probe {
            self.breaker = Breaker::HalfOpen { probe: Some((grant, self.now + PROBE)) };
        }
        Verdict::Granted { probe }
    }

    fn settle(&mut self, grant: usize, health: Health, closed: i64) -> BreakerState {
        if closed > 0 {
            self.closed_until = self.closed_until.max(self.now + closed);
        }
        let open = Breaker::Open { until: self.now + OPEN };
        self.breaker = match (self.breaker, health) {
            (Breaker::Closed { failures }, Health::Unhealthy) if failures + 1 >= THRESHOLD => open,
            (Breaker::Closed { failures }, Health::Unhealthy) => Breaker::Closed { failures: failures + 1 },
            (Breaker::Closed { .. }, Health::Healthy) => Breaker::Closed { failures: 0 },
            (Breaker::HalfOpen { probe: Some((probe, _)) }, health) if probe == grant => match health {
                Health::Healthy => Breaker::Closed { failures: 0 },
                Health::Unhealthy => open,
                Health::Neutral => Breaker::HalfOpen { probe: None },
            },
            (unchanged, _) => unchanged,
        };
        match self.breaker {
            Breaker::Closed { .. } => BreakerState::Closed,
            Breaker::Open { .. } => BreakerState::Open,
            Breaker::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }
}

/// Sets every stored time back: to the scripts, so much time has passed.
async fn wait(quota: &Quota, units: i64) {
    let keys = &quota.keys;
    let script = redis::Script::new(
        r"
        local ms = tonumber(ARGV[1])
        for i, at in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
          redis.call('LSET', KEYS[1], i - 1, tonumber(at) - ms)
        end
        local told = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
        for i = 1, #told, 2 do redis.call('ZADD', KEYS[2], tonumber(told[i + 1]) - ms, told[i]) end
        for _, field in ipairs({ 'closed_until', 'until', 'probe_until' }) do
          for _, key in ipairs({ KEYS[3], KEYS[4] }) do
            local at = redis.call('HGET', key, field)
            if at then redis.call('HSET', key, field, string.format('%.0f', tonumber(at) - ms)) end
          end
        end",
    );
    let mut call = script.key(&keys.calls);
    call.key(&keys.expected).key(&keys.state).key(&keys.breaker).arg(units * UNIT * 1_000);
    call.invoke_async::<()>(&mut quota.redis.commands()).await.unwrap();
}

async fn run(operations: &[Operation]) {
    let quota = Quota::new(&Redis::of_test(), "groq", "m", policy());
    let began = clock::now();
    let business = BusinessId::parse("company_123").unwrap();
    let callers: Vec<JobId> = (0..12).map(|_| JobId::new()).collect();
    let mut model = Model {
        now: 0,
        calls: Vec::new(),
        waiters: BTreeMap::new(),
        closed_until: 0,
        breaker: Breaker::Closed { failures: 0 },
    };
    let mut grants: Vec<Option<Grant>> = Vec::new();
    // The model's time of a time that a script answered.
    let units = |until: chrono::DateTime<chrono::Utc>, now: i64| {
        let ahead = (until - began).as_seconds_f64() / 10.0;
        #[expect(clippy::cast_possible_truncation, reason = "a few units")]
        let ahead = ahead.round() as i64;
        now + ahead
    };
    for operation in operations {
        match *operation {
            Operation::Admit(caller) => {
                let rank = i64::try_from(caller).unwrap();
                let accepted_at = began + TimeDelta::milliseconds(rank);
                let verdict =
                    match quota.admit(Rank::under_way(callers[caller], business.clone(), accepted_at)).await.unwrap() {
                        Admission::Granted(grant) => {
                            let probe = grant.is_probe;
                            grants.push(Some(grant));
                            Verdict::Granted { probe }
                        }
                        Admission::Throttled { until } => Verdict::Throttled(units(until, model.now)),
                        Admission::BreakerOpen { until } => Verdict::Open(units(until, model.now)),
                    };
                let number = if matches!(verdict, Verdict::Granted { .. }) { grants.len() - 1 } else { grants.len() };
                assert_eq!(verdict, model.admit(rank, number));
            }
            Operation::Settle { grant, health, closed_units } => {
                if grants.is_empty() {
                    continue;
                }
                let number = grant % grants.len();
                let Some(grant) = grants[number].take() else { continue };
                let health = match health {
                    0..=2 => Health::Unhealthy,
                    3 | 4 => Health::Healthy,
                    _ => Health::Neutral,
                };
                let closed_for = Duration::from_secs(u64::try_from(closed_units * UNIT).unwrap());
                let closed_for = (closed_units > 0).then_some(closed_for);
                let state = quota.settle(grant, Settlement { health, closed_for, tokens: None }).await.unwrap();
                assert_eq!(state, model.settle(number, health, closed_units));
            }
            Operation::Wait(units) => {
                wait(&quota, units).await;
                model.now += units;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_scripts_do_what_the_model_does(operations in prop::collection::vec(operation(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&operations));
    }
}
