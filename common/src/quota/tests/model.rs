//! The quota's and the breaker's scripts against a plain model, step by step, with random operations.
//!
//! Time is moved in the data, in units of 100 s. What a case really takes is far below that.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::Priority;
use proptest::prelude::*;

use super::super::memory::{self, Seen};
use super::{Admission, Ask, AskedFor, BreakerState, Budget, Grant, Health, Policy, Quota, Rank, Settlement};
use crate::clock;
use crate::redis::Redis;

/// The unit of the model's time, in ms.
const UNIT: i64 = 100_000;
const LIMIT: usize = 4;
const WINDOW: i64 = 6 * UNIT;
const THRESHOLD: u32 = 3;
const OPEN: i64 = 5 * UNIT;
const LONGEST_CALL: i64 = 5 * UNIT;
const GRACE: i64 = 5_000;
const TURN: i64 = 5_000;
const CALLERS: usize = 8;
/// The first of the callers that are bulk.
const BULK: usize = 5;
/// The length of a call at an even rate.
const EVEN: i64 = WINDOW / LIMIT as i64;
const PROCESSES: usize = 3;

fn policy() -> Policy {
    let ms = |ms: i64| Duration::from_millis(ms.unsigned_abs());
    Policy {
        setbacks: 8,
        limit: u32::try_from(LIMIT).unwrap(),
        window: ms(WINDOW),
        breaker_threshold: THRESHOLD,
        breaker_open: ms(OPEN),
        longest_call: ms(LONGEST_CALL),
        tokens: None,
        per_day: None,
        tokens_per_day: None,
        at_once: None,
        usd_per_day: None,
        budget: Budget::default(),
    }
}

#[derive(Debug, Clone)]
enum Operation {
    Admit {
        by: usize,
        caller: usize,
        promises: u8,
        slow: bool,
        asked_for: AskedFor,
    },
    Settle {
        grant: usize,
        health: u8,
        closed_units: i64,
    },
    Wait(i64),
    Flush,
    /// A process looks whether Redis was flushed.
    Look(usize),
    /// A process ends, and another one starts in its place.
    Restart(usize),
}

fn asked_for() -> impl Strategy<Value = AskedFor> {
    prop_oneof![9 => Just(AskedFor::Call), 2 => Just(AskedFor::Turn), 1 => Just(AskedFor::Spare)]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => (0..PROCESSES, 0..CALLERS, 0..4u8, any::<bool>(), asked_for())
            .prop_map(|(by, caller, promises, slow, asked_for)| Operation::Admit { by, caller, promises, slow, asked_for }),
        10 => (any::<usize>(), 0..6u8, prop_oneof![9 => Just(0i64), 1 => 1..4i64])
            .prop_map(|(grant, health, closed_units)| Operation::Settle { grant, health, closed_units }),
        4 => (1..8i64).prop_map(Operation::Wait),
        1 => Just(Operation::Flush),
        1 => (0..PROCESSES).prop_map(Operation::Look),
        1 => (0..PROCESSES).prop_map(Operation::Restart),
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
    Turn,
    Throttled(i64),
    Open(i64),
}

impl Verdict {
    /// The model's time stands still while a case runs: what the scripts say is later by up to that.
    fn assert_is(&self, expected: &Self, drift: i64) {
        let (Self::Throttled(until) | Self::Open(until)) = self else { return assert_eq!(self, expected) };
        assert_eq!(std::mem::discriminant(self), std::mem::discriminant(expected), "{self:?} for {expected:?}");
        let (Self::Throttled(wanted) | Self::Open(wanted)) = expected else { return };
        assert!((-2..=drift + 2).contains(&(until - wanted)), "{self:?} for {expected:?}");
    }
}

/// A job in the line.
#[derive(Debug)]
struct Standing {
    waits: bool,
    promises: usize,
    /// When it is out of the line.
    gone_at: i64,
}

impl Standing {
    fn calls(&self) -> usize {
        self.promises + usize::from(self.waits)
    }
}

/// What a caller asks for.
#[derive(Clone, Copy)]
struct Asked {
    promises: usize,
    call_ms: i64,
    asked_for: AskedFor,
}

/// What Redis knows of its own memory.
#[derive(Debug)]
struct Memory {
    generation: usize,
    since: i64,
    forgot: bool,
}

/// A call as the provider counts it: no flush makes it forget one.
#[derive(Debug)]
struct Call {
    at: i64,
    generation: usize,
    /// Whether nobody had said yet that an earlier memory was forgotten.
    nobody_knew: bool,
}

/// The quota as its documentation describes it, in ms.
#[derive(Debug, Default)]
struct Model {
    now: i64,
    memory: Option<Memory>,
    generations: usize,
    /// The generation that each process knows.
    known: [Option<usize>; PROCESSES],
    /// What the provider sees.
    seen: Vec<Call>,
    calls: Vec<i64>,
    /// The line, by rank.
    line: BTreeMap<usize, Standing>,
    closed_until: i64,
    breaker: Breaker,
    /// When the calls so far would be over at an even rate.
    pace: i64,
    /// Interactive calls in a row while bulk waited.
    since_bulk: usize,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Model {
    /// A process looks at the memory; the moment before which no call may be made on its account.
    fn look(&mut self, by: usize) -> i64 {
        let (now, next) = (self.now, self.generations);
        let memory = self.memory.get_or_insert(Memory { generation: next, since: now, forgot: false });
        self.generations = next.max(memory.generation + 1);
        memory.forgot |= self.known[by].is_some_and(|known| known != memory.generation);
        self.known[by] = Some(memory.generation);
        if memory.forgot { memory.since + WINDOW } else { 0 }
    }

    fn flush(&mut self) {
        let Self { now, generations, known, seen, .. } = std::mem::take(self);
        *self = Self { now, generations, known, seen, ..Self::default() };
    }

    /// No window holds more calls than the limit: as the provider counts, also over a flush, but for
    /// calls that were granted while no process that knew the earlier memory had been heard.
    fn note_call(&mut self) {
        let memory = self.memory.as_ref().unwrap();
        let (generation, now) = (memory.generation, self.now);
        self.seen.push(Call { at: now, generation, nobody_knew: !memory.forgot });
        let window: Vec<_> = self.seen.iter().filter(|call| call.at > now - WINDOW).collect();
        let latest = |call: &&&Call| call.generation == generation;
        let unaware = window.iter().filter(latest).any(|call| call.nobody_knew);
        let forgotten = window.iter().any(|call| call.generation != generation);
        assert!(window.len() <= LIMIT || (unaware && forgotten), "{window:?}");
    }

    fn admit(&mut self, by: usize, rank: usize, asked: Asked, grant: usize) -> Verdict {
        let Asked { promises, call_ms, asked_for } = asked;
        let reopens = self.look(by);
        match self.breaker {
            Breaker::Open { until } | Breaker::HalfOpen { probe: Some((_, until)) } if self.now < until => {
                return Verdict::Open(until);
            }
            _ => {}
        }
        self.line.retain(|_, standing| standing.gone_at > self.now);
        let lapse = (4 * call_ms).clamp(2_000, LONGEST_CALL);
        let spare_at = || {
            self.slot_at(
                self.line.iter().filter(|(other, _)| **other != rank).map(|(_, s)| s.calls()).sum::<usize>()
                    + LIMIT / 2,
            )
        };
        let turn = if asked_for == AskedFor::Spare { spare_at() } else { self.turn_at(rank, call_ms, lapse) };
        let at = turn.max(self.closed_until).max(reopens);
        let first_bulk = self.line.range(BULK..).any(|(other, standing)| standing.waits && *other != rank)
            || (rank >= BULK && asked_for != AskedFor::Spare);
        if at > self.now && asked_for == AskedFor::Spare {
            self.line.remove(&rank);
            return Verdict::Throttled(at);
        }
        if at > self.now {
            self.line.insert(rank, Standing { waits: true, promises, gone_at: at + GRACE });
            return Verdict::Throttled(at);
        }
        self.line.remove(&rank);
        if asked_for == AskedFor::Turn {
            let (promises, gone_at) = (promises + 1, self.now + lapse.max(TURN));
            self.line.insert(rank, Standing { waits: false, promises, gone_at });
            return Verdict::Turn;
        }
        if promises > 0 {
            self.line.insert(rank, Standing { waits: false, promises, gone_at: self.now + lapse });
        }
        self.pace = (self.pace.max(self.now) + EVEN).min(self.now + WINDOW);
        self.since_bulk = if rank >= BULK || !first_bulk { 0 } else { self.since_bulk + 1 };
        self.calls.push(self.now);
        self.note_call();
        let probe = !matches!(self.breaker, Breaker::Closed { .. });
        if probe {
            self.breaker = Breaker::HalfOpen { probe: Some((grant, self.now + LONGEST_CALL)) };
        }
        Verdict::Granted { probe }
    }

    fn turn_at(&self, rank: usize, call_ms: i64, lapse: i64) -> i64 {
        let before = || self.line.range(..rank).map(|(_, standing)| standing);
        let promised: usize = before().map(|standing| standing.promises).sum();
        let mut waiting = before().filter(|standing| standing.waits).count();
        let (mut interactive, mut is_due) = (0, false);
        if rank >= BULK {
            interactive = self.line.range(..BULK).filter(|(_, standing)| standing.waits).count();
            let bulk = waiting - interactive;
            let most = ((bulk + 1) * 9).saturating_sub(self.since_bulk);
            is_due = bulk == 0 && interactive >= most;
            waiting = bulk + interactive.min(most);
        } else if self.since_bulk >= 9 {
            let first = self.line.range(BULK..).find(|(_, standing)| standing.waits);
            waiting += usize::from(first.is_some_and(|(_, first)| first.gone_at - GRACE <= self.now));
        }
        let is_paced = rank >= BULK && !is_due;
        let slot = self.free_at(waiting, is_paced);
        let at = if promised == 0 || is_due {
            slot
        } else {
            let (jobs, number) = (i64::try_from(before().count()).unwrap(), i64::try_from(promised).unwrap());
            let turn = self.free_at(waiting + promised, is_paced) - 3 * call_ms * number / jobs / 2;
            let halfway = self.now + lapse.max((turn - self.now) / 2);
            if turn <= self.now { slot } else { slot.max(turn.min(halfway)) }
        };
        let again = self.now + (i64::try_from(waiting).unwrap() + 1) * EVEN / 2;
        if interactive == 0 { at } else { self.slot_at(0).max(at.min(again)) }
    }

    /// Bulk calls keep to an even rate, with some slack, or three at once while half of the window is left.
    fn free_at(&self, n: usize, is_paced: bool) -> i64 {
        let is_half_free = self.slot_at(LIMIT / 2) <= self.now;
        let ahead = if is_half_free { 2 * EVEN } else { EVEN / 2 };
        let even = self.pace.max(self.now) + i64::try_from(n).unwrap() * EVEN - ahead;
        if is_paced { self.slot_at(n).max(even) } else { self.slot_at(n) }
    }

    fn slot_at(&self, n: usize) -> i64 {
        let recent: Vec<i64> = self.calls.iter().rev().copied().take(LIMIT).collect();
        let free_at = recent.get(LIMIT - 1 - n % LIMIT).map_or(self.now, |call| call + WINDOW);
        free_at.max(self.now) + i64::try_from(n / LIMIT).unwrap() * WINDOW
    }

    fn settle(&mut self, grant: usize, rank: usize, health: Health, closed: i64) -> BreakerState {
        if closed > 0 {
            self.closed_until = self.closed_until.max(self.now + closed);
        }
        if health != Health::Healthy && self.line.get(&rank).is_some_and(|standing| !standing.waits) {
            self.line.remove(&rank);
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

async fn run(operations: &[Operation]) {
    let quota = Quota::new(&Redis::of_test(), "groq", "m", policy());
    let mut processes: [Quota; PROCESSES] = std::array::from_fn(|_| quota.clone_of_another_process());
    let began = clock::now();
    let business = BusinessId::parse("company_123").unwrap();
    let callers: Vec<JobId> = (0..CALLERS).map(|_| JobId::new()).collect();
    let mut model = Model::default();
    let mut grants: Vec<Option<(Grant, usize)>> = Vec::new();
    for operation in operations {
        match *operation {
            Operation::Admit { by, caller, promises, slow, asked_for } => {
                let call_ms = if slow { UNIT } else { 0 };
                redis::cmd("HSET")
                    .arg(&[quota.keys.state.as_str(), "call_ms", &call_ms.to_string()])
                    .query_async::<()>(&mut quota.redis.commands())
                    .await
                    .unwrap();
                let accepted_at = began + TimeDelta::milliseconds(i64::try_from(caller).unwrap());
                let rank = Rank::under_way(callers[caller], business.clone(), accepted_at).before(promises);
                let priority = if caller < BULK { Priority::Interactive } else { Priority::Bulk };
                let ask = Ask { asked_for, ..rank.of_priority(priority).into() };
                let admission = processes[by].admit(ask).await.unwrap();
                let number = grants.len();
                let asked = Asked { promises: usize::from(promises), call_ms, asked_for };
                let expected = model.admit(by, caller, asked, number);
                let drift = clock::now() - began;
                let since = |until: chrono::DateTime<chrono::Utc>| model.now + (until - began).num_milliseconds();
                let verdict = match admission {
                    Admission::Granted(grant) => {
                        let probe = grant.is_probe;
                        grants.push(Some((grant, caller)));
                        Verdict::Granted { probe }
                    }
                    Admission::Turn => Verdict::Turn,
                    Admission::Throttled { until } => Verdict::Throttled(since(until)),
                    Admission::BreakerOpen { until } => Verdict::Open(since(until)),
                    Admission::OverBudget { .. } => panic!("there are no budgets"),
                };
                verdict.assert_is(&expected, drift.num_milliseconds());
            }
            Operation::Settle { grant, health, closed_units } => {
                if grants.is_empty() {
                    continue;
                }
                let number = grant % grants.len();
                let Some((grant, rank)) = grants[number].take() else { continue };
                let health = match health {
                    0..=2 => Health::Unhealthy,
                    3 | 4 => Health::Healthy,
                    _ => Health::Neutral,
                };
                let closed = closed_units * UNIT;
                let closed_for = (closed > 0).then_some(Duration::from_millis(closed.unsigned_abs()));
                let settled = quota.settle(grant, Settlement { closed_for, ..Settlement::of(health) }).await.unwrap();
                assert_eq!(settled.breaker, model.settle(number, rank, health, closed));
            }
            Operation::Wait(units) => {
                quota.set_back(units * UNIT).await;
                model.now += units * UNIT;
            }
            Operation::Flush => {
                quota.flush().await;
                model.flush();
            }
            Operation::Look(by) => {
                let known = model.known[by];
                let seen = memory::look(&processes[by].redis).await.unwrap();
                model.look(by);
                let flushed = known.is_some() && known != model.known[by];
                assert_eq!(seen == Seen::Flushed, flushed);
            }
            Operation::Restart(process) => {
                processes[process] = quota.clone_of_another_process();
                model.known[process] = None;
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
