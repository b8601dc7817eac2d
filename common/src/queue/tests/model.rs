//! Compares the queue's scripts with a plain model, step by step, over random operations.
//!
//! Time is moved in the data: a delay ends far in the future or long ago, and a lease expires
//! because its end is set to the past.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{LeaseEpoch, LeaseRef, Priority};
use proptest::prelude::*;

use crate::clock;
use crate::queue::message::Message;
use crate::queue::{Depth, Entry, Intake, Next, Renewal, Share};

mod run;

use run::hold_against_model;

const TICKS: i64 = 1_000_000;
/// The score of jobs that were under way.
const FRONT: i64 = -1;
const BULK_TURN: u64 = 10;
/// The most jobs that one claim sets aside, and the most that it returns.
const ASIDE: usize = 500;
const BACK: usize = 500;
/// An operation. Jobs are numbered in the order of their pushes, leases in that of their claims;
/// the numbers wrap around.
#[derive(Debug, Clone)]
enum Operation {
    Push {
        business: u8,
        bulk: bool,
        far: bool,
    },
    /// A long backlog of one business.
    PushMany {
        business: u8,
        bulk: bool,
        jobs: usize,
    },
    /// Like the sweep: with the last lease.
    PushAgain(usize),
    Claim(usize),
    Settle {
        lease: usize,
        how: u8,
    },
    Renew(usize),
    Expire(usize),
    ComesDue(usize),
    /// A flush, after which the sweep mostly sets the intake at once.
    Flush {
        is_told: bool,
    },
    Readopt(usize),
    Intake(Intake),
    /// The concurrency cap of all workers from then on.
    Cap(u32),
    Share {
        business: u8,
        weight: Option<u32>,
        jobs_at_once: Option<u32>,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => (0..4u8, any::<bool>(), prop::bool::weighted(0.15))
            .prop_map(|(business, bulk, far)| Operation::Push { business, bulk, far }),
        2 => any::<usize>().prop_map(Operation::PushAgain),
        6 => (1..6usize).prop_map(Operation::Claim),
        4 => (any::<usize>(), 0..4u8).prop_map(|(lease, how)| Operation::Settle { lease, how }),
        2 => any::<usize>().prop_map(Operation::Renew),
        2 => any::<usize>().prop_map(Operation::Expire),
        1 => any::<usize>().prop_map(Operation::ComesDue),
        1 => prop::bool::weighted(0.8).prop_map(|is_told| Operation::Flush { is_told }),
        1 => any::<usize>().prop_map(Operation::Readopt),
        1 => prop::sample::select(Intake::ALL).prop_map(Operation::Intake),
        1 => (0..4u32).prop_map(Operation::Cap),
        1 => (0..4u8, prop::option::of(1..4u32), prop::option::of(0..3u32))
            .prop_map(|(business, weight, jobs_at_once)| Operation::Share { business, weight, jobs_at_once }),
    ]
}

/// Few operations, but with long backlogs and large changes of caps.
fn operation_in_bulk() -> impl Strategy<Value = Operation> {
    let cap = || prop::sample::select(vec![0, 1, 5, 700, 10_000, 1_000_000_u32]);
    prop_oneof![
        2 => (0..3u8, any::<bool>(), 1_000..12_000usize)
            .prop_map(|(business, bulk, jobs)| Operation::PushMany { business, bulk, jobs }),
        8 => prop::sample::select(vec![1, 50, 500usize]).prop_map(Operation::Claim),
        3 => (any::<usize>(), 0..4u8).prop_map(|(lease, how)| Operation::Settle { lease, how }),
        1 => any::<usize>().prop_map(Operation::Expire),
        2 => cap().prop_map(Operation::Cap),
        4 => (0..3u8, cap()).prop_map(|(business, jobs_at_once)| Operation::Share {
            business,
            weight: None,
            jobs_at_once: Some(jobs_at_once),
        }),
    ]
}

/// The queue as its documentation describes it.
#[derive(Debug, Default)]
struct Model {
    known: BTreeMap<JobId, Entry>,
    ready: [BTreeMap<(i64, JobId), ()>; 2],
    /// Whether it is due, by job.
    delayed: BTreeMap<JobId, bool>,
    /// Whether it ran out, by job.
    leases: BTreeMap<JobId, bool>,
    epochs: BTreeMap<JobId, LeaseEpoch>,
    clocks: BTreeMap<(usize, BusinessId), i64>,
    virtual_time: [i64; 2],
    claimed: u64,
    intake: Option<Intake>,
    cap: u32,
    shares: BTreeMap<BusinessId, Share>,
    /// Set-aside jobs with their class and score, by business.
    capped: BTreeMap<BusinessId, BTreeSet<(usize, i64, JobId)>>,
    /// Leased jobs that were counted against their business's cap.
    running: BTreeMap<BusinessId, BTreeSet<JobId>>,
    freed: BTreeSet<BusinessId>,
    looked_at: Option<BusinessId>,
}

fn class(entry: &Entry) -> usize {
    let Message::V1(message) = &entry.message;
    usize::from(message.priority == Priority::Bulk)
}

fn business(entry: &Entry) -> BusinessId {
    let Message::V1(message) = &entry.message;
    message.business_id.clone()
}

impl Model {
    fn enqueue(&mut self, entry: &Entry) {
        let class = class(entry);
        let clock = self.clocks.entry((class, business(entry))).or_default();
        let weight = self.shares.get(&business(entry)).and_then(|share| share.weight).unwrap_or(1);
        *clock = (*clock).max(self.virtual_time[class]) + TICKS / i64::from(weight);
        self.ready[class].insert((*clock, entry.message.job_id()), ());
    }

    fn requeue(&mut self, id: JobId) {
        let class = class(&self.known[&id]);
        self.ready[class].insert((FRONT, id), ());
    }

    fn push(&mut self, entry: &Entry, far: bool) -> u64 {
        let id = entry.message.job_id();
        if self.known.contains_key(&id) {
            return 0;
        }
        self.known.insert(id, entry.clone());
        if let Some(epoch) = entry.begun {
            self.epochs.insert(id, epoch);
        }
        if far {
            self.delayed.insert(id, false);
        } else if entry.begun.is_some() {
            self.requeue(id);
        } else {
            self.enqueue(entry);
        }
        1
    }

    fn move_due(&mut self) {
        let any_counted = self.running.values().any(|jobs| !jobs.is_empty());
        for due in [std::mem::take(&mut self.delayed), std::mem::take(&mut self.leases)].into_iter().enumerate() {
            let (which, entries) = due;
            for (id, is_due) in entries {
                let stays = if which == 0 { &mut self.delayed } else { &mut self.leases };
                if !is_due {
                    stays.insert(id, false);
                    continue;
                }
                if which == 1 && any_counted {
                    self.expired(id);
                }
                if self.epochs.contains_key(&id) {
                    self.requeue(id);
                } else {
                    let entry = self.known[&id].clone();
                    self.enqueue(&entry);
                }
            }
        }
    }

    fn business_of(&self, id: JobId) -> BusinessId {
        business(&self.known[&id])
    }

    /// A job leaves its worker: its business may be below its cap.
    fn stops_running(&mut self, id: JobId) {
        let business = self.business_of(id);
        if self.running.entry(business.clone()).or_default().remove(&id) && self.any_capped() {
            self.freed.insert(business);
        }
    }

    /// A lease expired. The business is checked whether or not this lease was counted.
    fn expired(&mut self, id: JobId) {
        let business = self.business_of(id);
        self.running.entry(business.clone()).or_default().remove(&id);
        if self.any_capped() {
            self.freed.insert(business);
        }
    }

    fn any_capped(&self) -> bool {
        self.capped.values().any(|jobs| !jobs.is_empty())
    }

    fn cap_of(&self, business: &BusinessId) -> u32 {
        self.shares.get(business).and_then(|share| share.jobs_at_once).unwrap_or(self.cap)
    }

    fn room_of(&self, business: &BusinessId) -> usize {
        let running = self.running.get(business).map_or(0, BTreeSet::len);
        match self.cap_of(business) {
            0 => usize::MAX,
            cap => (cap as usize).saturating_sub(running),
        }
    }

    /// Returns set-aside jobs, at most `budget`. A business with more of them stays marked.
    fn let_back(&mut self, business: &BusinessId, budget: &mut usize) {
        let room = self.room_of(business);
        let Some(aside) = self.capped.get_mut(business) else { return };
        if room.min(aside.len()) > *budget {
            self.freed.insert(business.clone());
        }
        for _ in 0..room.min(aside.len()).min(*budget) {
            let (class, place, id) = aside.pop_first().unwrap();
            self.ready[class].insert((place, id), ());
            *budget -= 1;
        }
    }

    /// The first job of a class that may run. Those before it are set aside, up to `most`.
    fn pop(&mut self, class: usize, aside: &mut usize, most: usize) -> Option<(i64, JobId)> {
        loop {
            let &first = self.ready[class].keys().next()?;
            let handed_out = match self.intake {
                Some(Intake::Open) => true,
                Some(Intake::Draining) => first.0 == FRONT,
                Some(Intake::Paused) | None => false,
            };
            if !handed_out || *aside >= most {
                return None;
            }
            self.ready[class].remove(&first);
            let business = self.business_of(first.1);
            if self.room_of(&business) > 0 {
                if self.cap_of(&business) > 0 {
                    self.running.entry(business).or_default().insert(first.1);
                }
                return Some(first);
            }
            self.capped.entry(business).or_default().insert((class, first.0, first.1));
            *aside += 1;
        }
    }

    fn claim(&mut self, most: usize) -> Vec<JobId> {
        self.move_due();
        let any_capped = self.any_capped();
        let (mut may_let_back, mut aside) = (BACK, 0);
        if any_capped {
            for business in std::mem::take(&mut self.freed) {
                self.let_back(&business, &mut may_let_back);
            }
        }
        let most_u64 = most as u64;
        let bulk_turns = (self.claimed + most_u64) / BULK_TURN - self.claimed / BULK_TURN;
        let mut taken = Vec::new();
        let turns =
            [(1, usize::try_from(bulk_turns).unwrap(), ASIDE * 2 / 5), (0, most, ASIDE * 4 / 5), (1, most, ASIDE)];
        for (class, limit, most_aside) in turns {
            while taken.len() < limit.min(most) {
                let Some((score, id)) = self.pop(class, &mut aside, most_aside) else { break };
                taken.push((class, score, id));
            }
        }
        for &(class, score, id) in &taken {
            self.virtual_time[class] = self.virtual_time[class].max(score);
            self.leases.insert(id, false);
        }
        for &(class, _, id) in &taken {
            let clock = (class, business(&self.known[&id]));
            if self.clocks.get(&clock).is_some_and(|&last| last <= self.virtual_time[class]) {
                self.clocks.remove(&clock);
            }
        }
        self.claimed += taken.len() as u64;
        if any_capped && taken.len() < most && self.intake == Some(Intake::Open) {
            self.look_at_one_more(&mut may_let_back);
        }
        if !self.any_capped() {
            self.freed.clear();
        }
        taken.into_iter().map(|(_, _, id)| id).collect()
    }

    fn look_at_one_more(&mut self, may_let_back: &mut usize) {
        let after = self.looked_at.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let waits = |(_, jobs): &(&BusinessId, &BTreeSet<_>)| !jobs.is_empty();
        let next = self.capped.range((after, Bound::Unbounded)).find(waits).or_else(|| self.capped.iter().find(waits));
        if let Some(business) = next.map(|(business, _)| business.clone()) {
            self.let_back(&business, may_let_back);
            self.looked_at = Some(business);
        }
    }

    fn holds(&self, LeaseRef { id, epoch }: LeaseRef) -> bool {
        self.epochs.get(&id) == Some(&epoch) && self.leases.contains_key(&id)
    }

    fn renew(&mut self, lease: LeaseRef) -> Renewal {
        if self.holds(lease) {
            self.leases.insert(lease.id, false);
            Renewal::Extended
        } else if self.known.contains_key(&lease.id) {
            Renewal::Lost
        } else {
            Renewal::Unknown
        }
    }

    fn settle(&mut self, lease: LeaseRef, next: Next) {
        if !self.holds(lease) {
            return;
        }
        self.leases.remove(&lease.id);
        self.stops_running(lease.id);
        match next {
            Next::Done => {
                self.known.remove(&lease.id);
                self.epochs.remove(&lease.id);
            }
            Next::Back => self.requeue(lease.id),
            Next::Later(due) => {
                self.delayed.insert(lease.id, due <= clock::now());
            }
        }
    }

    fn depth(&self) -> Depth {
        Depth {
            ready: self.ready.iter().map(|ready| ready.len() as u64).sum(),
            delayed: self.delayed.len() as u64,
            leased: self.leases.len() as u64,
            capped: self.capped.values().map(|jobs| jobs.len() as u64).sum(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_scripts_do_what_the_model_does(operations in prop::collection::vec(operation(), 1..80)) {
        hold_against_model(&operations);
    }
}

proptest! {
    // Each case has about ten thousand jobs.
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_scripts_do_what_the_model_does_with_long_backlogs(
        operations in prop::collection::vec(operation_in_bulk(), 10..60),
    ) {
        hold_against_model(&operations);
    }
}

/// A business that got its cap later has leases that were not counted. When one expires, the
/// business is checked, as for a counted one.
#[test]
fn an_expired_lease_that_was_not_counted_lets_its_business_be_looked_at() {
    hold_against_model(&[
        Operation::Cap(0),
        Operation::PushMany { business: 0, bulk: false, jobs: 10 },
        Operation::Claim(3),
        Operation::Cap(1),
        Operation::PushMany { business: 0, bulk: false, jobs: 10 },
        Operation::Claim(2),
        Operation::Cap(100),
        Operation::Expire(0),
        Operation::Claim(1),
    ]);
}
