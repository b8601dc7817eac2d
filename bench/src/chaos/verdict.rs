//! The checker: verifies Copydesk's guarantees on the history of a run. A pure function of the
//! evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use serde::Serialize;
use uuid::Uuid;

use super::audit::{Row, Write, is_final};
use super::evidence::Evidence;
use super::fault::Fault;
use super::fault::blow::POISON;
use super::strangers::Report;
use crate::system::{FLEET, PREVIOUS};

/// The most calls of a stage that is cut off: the first one and the repair.
const CALLS_OF_A_STAGE: u64 = 2;
/// A call that arrives more than this after its stage was stored was made for a stored stage. Both
/// times come from one clock; the margin allows for the inexactness of the provider's log and the
/// trigger.
const MARGIN_MS: u64 = 100;
const MINUTE_MS: u64 = 60_000;
/// How soon a scheduled job must begin if workers are free.
const BEGINS_WITHIN: TimeDelta = TimeDelta::seconds(10);
/// How soon after an outage Redis must know all open jobs.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);
/// The number of examples of a violated guarantee.
const EXAMPLES: usize = 3;

/// The result of the checker.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Verdict {
    pub(super) fault: Fault,
    /// Jobs that were answered with a 202.
    accepted: usize,
    /// Jobs that ended with an error.
    failed: usize,
    /// Jobs that have not ended, or whose client was never told their end.
    lost: usize,
    /// Jobs that ended twice, or whose result changed after it was stored.
    doubles: usize,
    /// Calls for stages that were already stored, and calls that lost leases do not explain.
    paid_twice: u64,
    /// Calls whose answers were lost with a worker, a lease or a connection.
    cut_off: u64,
    /// Calls beyond the limit in the worst minute.
    over_quota: usize,
    /// Writes under a lease by another process than its holder, or after the job's end.
    zombies: usize,
    /// Jobs whose client got a different answer after their end.
    backwards: usize,
    /// Jobs that began too long after their start time, if they have one.
    late: Option<usize>,
    /// The seconds after its return until Redis knew all open jobs.
    known_after_seconds: Option<f64>,
    /// Jobs that were taken over from a lost worker.
    takeovers: usize,
    /// Times that a job waited for the quota.
    quota_waits: usize,
    /// How much the fault hit, and the unit.
    bit: u64,
    bites: Option<&'static str>,
    seconds: f64,
    /// What became of hostile files.
    strangers: Option<Report>,
    broken: Vec<String>,
}

impl Verdict {
    /// Judges a run.
    pub(super) fn of(fault: Fault, evidence: &Evidence, took: Duration) -> Self {
        let failed: Vec<&Row> = evidence.rows.iter().filter(|row| row.status == "failed").collect();
        let (lost, doubles, zombies) = (lost(evidence), doubles(evidence), zombies(evidence));
        let backwards: Vec<Uuid> =
            evidence.told.iter().filter(|told| told.contradicted.is_some()).map(|told| told.id).collect();
        let bill = Bill::of(evidence);
        let over_quota = over_quota(evidence);
        let mut broken = Broken::default();
        broken.jobs("were lost", &lost);
        broken.jobs("ended twice, or changed after their end", &doubles);
        broken.jobs("were written to by a worker that had lost them", &zombies);
        broken.jobs("were paid twice", &bill.twice_of);
        broken.jobs("were reported differently to their client after their end", &backwards);
        broken.when(over_quota > 0, || {
            format!("{over_quota} calls above the limit of {} within a minute", evidence.limit)
        });
        let late = fault.begins_in_time().then(|| late(evidence));
        broken.jobs("did not begin within 10 s of their time", late.as_deref().unwrap_or_default());
        let known_after = evidence.known_after;
        broken.when(known_after.is_some_and(|after| after > KNOWN_WITHIN), || {
            format!("Redis did not know all open jobs within {} s of its return", KNOWN_WITHIN.as_secs())
        });
        let (poisons, others): (Vec<_>, Vec<_>) = evidence.rows.iter().partition(|row| row.topic.starts_with(POISON));
        let innocent = others.iter().filter(|row| row.status == "failed").map(|row| row.id).collect::<Vec<_>>();
        if !fault.may_fail() {
            broken.jobs("failed although their providers did not", &innocent);
        }
        let survivors = poisons.iter().filter(|row| row.problem.as_deref() != Some("/problems/poisoned"));
        broken.jobs("are poison and did not end as poisoned", &survivors.map(|row| row.id).collect::<Vec<_>>());
        let (bit, quota_waits) = (bit(fault, evidence), quota_waits(evidence));
        broken.when(fault.bites().is_some() && bit == 0, || "the fault had no effect: the run proves nothing".into());
        broken.0.extend(evidence.strangers.iter().flat_map(Report::broken));
        broken.when(evidence.binds && quota_waits == 0, || "the quota did not bind: no job waited for it".into());
        Self {
            fault,
            accepted: evidence.told.len(),
            failed: failed.len(),
            lost: lost.len(),
            doubles: doubles.len(),
            paid_twice: bill.twice,
            cut_off: bill.cut_off,
            over_quota,
            zombies: zombies.len(),
            backwards: backwards.len(),
            late: late.map(|late| late.len()),
            known_after_seconds: known_after.map(|after| after.as_secs_f64()),
            takeovers: takeovers(evidence),
            quota_waits,
            bit,
            bites: fault.bites(),
            seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
            strangers: evidence.strangers.clone(),
            broken: broken.0,
        }
    }

    /// The verdict on a run that could not be finished, for instance because a worker did not shut
    /// down.
    pub(super) fn unknown(fault: Fault, error: &anyhow::Error, took: Duration) -> Self {
        let verdict = Self::of(fault, &Evidence::default(), took);
        Self { broken: vec![format!("the run could not be finished: {error:#}")], ..verdict }
    }

    /// The violated guarantees, in words.
    pub(super) fn broken(&self) -> &[String] {
        &self.broken
    }

    /// What became of hostile files, as a table.
    pub(super) fn strangers(&self) -> Option<String> {
        self.strangers.as_ref().map(Report::render)
    }

    /// A row of the table.
    pub(super) fn cells(&self) -> Vec<String> {
        let mark = if self.broken.is_empty() { "" } else { " ✗" };
        vec![
            format!("{}{mark}", self.fault),
            self.accepted.to_string(),
            self.failed.to_string(),
            self.lost.to_string(),
            self.doubles.to_string(),
            self.paid_twice.to_string(),
            self.cut_off.to_string(),
            self.over_quota.to_string(),
            self.zombies.to_string(),
            self.backwards.to_string(),
            self.late.map_or_else(String::new, |late| late.to_string()),
            self.known_after_seconds.map_or_else(String::new, |seconds| format!("{seconds:.1}")),
            self.bites.map_or_else(String::new, |bites| format!("{} {bites}", self.bit)),
            format!("{:.0}", self.seconds),
        ]
    }
}

/// Violated guarantees, with a few examples each.
#[derive(Debug, Default)]
struct Broken(Vec<String>);

impl Broken {
    fn jobs(&mut self, what: &str, jobs: &[Uuid]) {
        let examples: Vec<String> = jobs.iter().take(EXAMPLES).map(Uuid::to_string).collect();
        self.when(!jobs.is_empty(), || format!("{} jobs {what}: {} …", jobs.len(), examples.join(", ")));
    }

    fn when(&mut self, is_broken: bool, what: impl FnOnce() -> String) {
        if is_broken {
            self.0.push(what());
        }
    }
}

fn is_begin(write: &Write) -> bool {
    write.status == "running" && write.old_epoch.is_some_and(|old| old < write.epoch)
}

fn is_takeover(write: &Write) -> bool {
    write.old_status.as_deref() == Some("running") && write.old_epoch < Some(write.epoch)
}

fn takeovers(evidence: &Evidence) -> usize {
    evidence.writes.iter().filter(|write| is_takeover(write)).count()
}

fn quota_waits(evidence: &Evidence) -> usize {
    evidence.writes.iter().filter(|write| write.waits_for.as_deref() == Some("rate_limited")).count()
}

/// How much the fault hit.
fn bit(fault: Fault, evidence: &Evidence) -> u64 {
    let count = match fault {
        Fault::WorkerKill | Fault::WorkerFreeze | Fault::Poison | Fault::Storm => takeovers(evidence),
        Fault::ClockOff => {
            let parked = evidence.writes.iter().filter(|write| write.status == "waiting");
            parked.filter(|write| evidence.wrong_clocks.contains(&write.writer)).count()
        }
        Fault::TwoVersions => run_by_both(&evidence.writes),
        Fault::IdleFleet => {
            let begun = evidence.writes.iter().filter(|write| is_begin(write) && write.writer.ends_with(FLEET));
            begun.count()
        }
        _ => return evidence.struck,
    };
    count as u64
}

/// Jobs that workers of both releases began.
fn run_by_both(writes: &[Write]) -> usize {
    let (mut by_this, mut by_previous) = (BTreeSet::new(), BTreeSet::new());
    for write in writes.iter().filter(|write| write.status == "running") {
        let by = if write.writer.ends_with(PREVIOUS) { &mut by_previous } else { &mut by_this };
        by.insert(write.job_id);
    }
    by_this.intersection(&by_previous).count()
}

/// Jobs that have not ended: every row counts, since a job that was committed without an answer
/// must end too. Also jobs with a 202 but without a row, or whose client was not told their end.
fn lost(evidence: &Evidence) -> Vec<Uuid> {
    let ended: BTreeSet<Uuid> = evidence.rows.iter().filter(|row| is_final(&row.status)).map(|row| row.id).collect();
    let open = evidence.rows.iter().filter(|row| row.is_open()).map(|row| row.id);
    let unheard = evidence.told.iter().filter(|told| told.end.is_none() || !ended.contains(&told.id));
    open.chain(unheard.map(|told| told.id)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Scheduled jobs that began too late or not at all.
fn late(evidence: &Evidence) -> Vec<Uuid> {
    let mut begun = BTreeMap::new();
    for write in evidence.writes.iter().filter(|write| is_begin(write)) {
        begun.entry(write.job_id).or_insert(write.at);
    }
    let accepted = evidence.writes.iter().filter(|write| write.old_status.is_none());
    let due = accepted.filter_map(|write| Some((write.job_id, write.waits_until?)));
    due.filter(|(id, due)| begun.get(id).is_none_or(|at| *at > *due + BEGINS_WITHIN)).map(|(id, _)| id).collect()
}

/// Jobs that ended more than once, whose result was written more than once, or whose end differs
/// from what the client was first told.
fn doubles(evidence: &Evidence) -> Vec<Uuid> {
    let mut doubled = BTreeSet::new();
    let mut ends: BTreeMap<Uuid, u32> = BTreeMap::new();
    for write in evidence.writes.iter().filter(|write| is_final(&write.status)) {
        *ends.entry(write.job_id).or_default() += 1;
    }
    let mut results: BTreeMap<Uuid, u32> = BTreeMap::new();
    for result in &evidence.results {
        *results.entry(result.job_id).or_default() += if result.operation == "INSERT" { 1 } else { 2 };
    }
    doubled.extend(ends.iter().chain(&results).filter(|(_, times)| **times > 1).map(|(id, _)| *id));
    let rows: BTreeMap<Uuid, &Row> = evidence.rows.iter().map(|row| (row.id, row)).collect();
    for told in &evidence.told {
        let (Some(end), Some(row)) = (&told.end, rows.get(&told.id)) else { continue };
        if end.status != row.status || end.content != row.content {
            doubled.insert(told.id);
        }
    }
    doubled.into_iter().collect()
}

/// Jobs with a write by a process that did not hold the lease, or after the end.
fn zombies(evidence: &Evidence) -> Vec<Uuid> {
    let mut holders: BTreeMap<(Uuid, i64), &str> = BTreeMap::new();
    let mut zombies = BTreeSet::new();
    for write in &evidence.writes {
        let went_back = write.old_epoch > Some(write.epoch);
        let after_the_end = write.old_status.as_deref().is_some_and(is_final);
        let begins = write.old_epoch.is_none() || write.old_epoch < Some(write.epoch);
        let holder = holders.entry((write.job_id, write.epoch)).or_insert(&write.writer);
        // The insertion and every begin set a new holder; only the holder may make other writes.
        let stranger = !begins && *holder != write.writer;
        if went_back || after_the_end || stranger {
            zombies.insert(write.job_id);
        }
    }
    let strangers = evidence
        .stages
        .iter()
        .filter(|stage| holders.get(&(stage.job_id, stage.epoch)).is_some_and(|holder| *holder != stage.writer));
    zombies.extend(strangers.map(|stage| stage.job_id));
    zombies.into_iter().collect()
}

/// The number of calls above the limit in the worst minute.
fn over_quota(evidence: &Evidence) -> usize {
    let mut arrivals: Vec<u64> = evidence.calls.iter().map(|call| call.at_ms).collect();
    arrivals.sort_unstable();
    let mut first = 0;
    let mut most = 0;
    for (last, at_ms) in arrivals.iter().enumerate() {
        while arrivals[first] + MINUTE_MS <= *at_ms {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most.saturating_sub(evidence.limit as usize)
}

/// The calls that were paid for, and their purpose.
#[derive(Debug, Default)]
struct Bill {
    cut_off: u64,
    twice: u64,
    twice_of: Vec<Uuid>,
}

/// One job's account.
#[derive(Debug, Default)]
struct Account {
    made: u64,
    /// Calls for a stage that was stored before.
    late: u64,
    stored: u64,
    /// Leases that ended before their job: each may have cut off one stage.
    interrupted: u64,
}

impl Bill {
    fn of(evidence: &Evidence) -> Self {
        let mut bill = Self::default();
        for (id, account) in accounts(evidence) {
            let unaccounted = account.made.saturating_sub(account.stored);
            let excess = unaccounted.saturating_sub(account.interrupted * CALLS_OF_A_STAGE);
            let twice = excess.max(account.late);
            bill.cut_off += unaccounted.saturating_sub(twice);
            bill.twice += twice;
            if twice > 0 {
                bill.twice_of.push(id);
            }
        }
        bill
    }
}

fn accounts(evidence: &Evidence) -> BTreeMap<Uuid, Account> {
    let mut accounts: BTreeMap<Uuid, Account> = BTreeMap::new();
    for write in evidence.writes.iter().filter(|write| write.old_epoch.is_some_and(|old| old < write.epoch)) {
        accounts.entry(write.job_id).or_default().interrupted += 1;
    }
    // A succeeded job has one lease that was not cut off.
    for row in evidence.rows.iter().filter(|row| row.status == "succeeded") {
        let account = accounts.entry(row.id).or_default();
        account.interrupted = account.interrupted.saturating_sub(1);
    }
    let mut stored: BTreeMap<(Uuid, &str, i16), (u64, i64)> = BTreeMap::new();
    for stage in &evidence.stages {
        let at_ms = u64::try_from(stage.at.timestamp_millis()).unwrap_or(0);
        let started = stage.started_at.timestamp_micros();
        let first = stored.entry((stage.job_id, &stage.stage, stage.round)).or_insert((at_ms, started));
        let account = accounts.entry(stage.job_id).or_default();
        let calls = u64::try_from(stage.llm_calls).unwrap_or(0);
        if *first == (at_ms, started) {
            account.stored += calls;
        } else if first.1 != started {
            // The stage ran again after it was stored. Storing the same run again does not count:
            // an answer was lost.
            account.late += calls;
        }
    }
    let jobs: BTreeMap<&str, Uuid> = evidence.rows.iter().map(|row| (row.topic.as_str(), row.id)).collect();
    for call in &evidence.calls {
        let Some(&id) = jobs.get(call.topic.as_str()) else { continue };
        let account = accounts.entry(id).or_default();
        account.made += 1;
        let stored = stored.get(&(id, call.stage.as_str(), call.round));
        account.late += u64::from(stored.is_some_and(|(at_ms, _)| call.at_ms > at_ms + MARGIN_MS));
    }
    accounts
}

#[cfg(test)]
mod tests;
