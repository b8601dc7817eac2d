//! The checker: holds the history of a run against what Copydesk promises. Pure: everything that it
//! knows is in the evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

use super::audit::{Row, Write};
use super::evidence::Evidence;
use super::fault::Fault;
use super::fault::blow::POISON;
use crate::system::PREVIOUS;

/// A stage that is cut off has made this many calls at most: the question, and the repair.
const CALLS_OF_A_STAGE: u64 = 2;
/// A call that arrives this much later than its stage was stored was made for a stored stage. The
/// clocks are one; the provider's log and the trigger are only so exact.
const MARGIN_MS: u64 = 100;
const MINUTE_MS: u64 = 60_000;
/// Examples that are named of a broken promise.
const EXAMPLES: usize = 3;

/// What the checker found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Verdict {
    pub(super) fault: Fault,
    /// Jobs that were answered with a 202.
    accepted: usize,
    /// Jobs that ended with an error.
    failed: usize,
    /// Jobs that have no end, or whose client was never told of it.
    lost: usize,
    /// Jobs that ended twice, or whose result changed after it was there.
    doubles: usize,
    /// Calls for stages that were stored already, and calls beyond those that were cut off.
    paid_twice: u64,
    /// Calls whose answers were lost with a worker, a lease or a connection.
    cut_off: u64,
    /// Calls beyond the limit in the worst minute.
    over_quota: usize,
    /// Writes under a lease by another process than its holder, or after the job's end.
    zombies: usize,
    /// Jobs whose client was told something else after their end.
    backwards: usize,
    /// Jobs that a worker took over from one that vanished.
    takeovers: usize,
    /// Times that a job waited for the quota.
    quota_waits: usize,
    /// How much the fault hit, and in what.
    bit: u64,
    bites: Option<&'static str>,
    seconds: f64,
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
        broken.jobs("were something else to their client after their end", &backwards);
        broken.when(over_quota > 0, || {
            format!("{over_quota} calls too many within a minute; {} are allowed", evidence.limit)
        });
        let (poisons, others): (Vec<_>, Vec<_>) = evidence.rows.iter().partition(|row| row.topic.starts_with(POISON));
        let innocent = others.iter().filter(|row| row.status == "failed").map(|row| row.id).collect::<Vec<_>>();
        if !fault.may_fail() {
            broken.jobs("failed although their providers did not", &innocent);
        }
        let survivors = poisons.iter().filter(|row| row.problem.as_deref() != Some("/problems/poisoned"));
        broken.jobs("are poison and did not end as such", &survivors.map(|row| row.id).collect::<Vec<_>>());
        let (bit, quota_waits) = (bit(fault, evidence), quota_waits(evidence));
        broken.when(fault.bites().is_some() && bit == 0, || "the fault did not bite: the run proves nothing".into());
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
            takeovers: takeovers(evidence),
            quota_waits,
            bit,
            bites: fault.bites(),
            seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
            broken: broken.0,
        }
    }

    /// Of a run that could not be brought to its end, for instance because a worker did not leave.
    pub(super) fn unknown(fault: Fault, error: &anyhow::Error, took: Duration) -> Self {
        let verdict = Self::of(fault, &Evidence::default(), took);
        Self { broken: vec![format!("the run could not be finished: {error:#}")], ..verdict }
    }

    /// The broken promises, in words.
    pub(super) fn broken(&self) -> &[String] {
        &self.broken
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
            self.bites.map_or_else(String::new, |bites| format!("{} {bites}", self.bit)),
            format!("{:.0}", self.seconds),
        ]
    }
}

/// Broken promises, with a few examples each.
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

fn is_final(status: &str) -> bool {
    matches!(status, "succeeded" | "failed" | "cancelled")
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

/// Jobs without an end: rows of any kind, since one that was committed without an answer must end
/// too; and what was answered with a 202 and has no row, or whose client heard nothing more.
fn lost(evidence: &Evidence) -> Vec<Uuid> {
    let ended: BTreeSet<Uuid> = evidence.rows.iter().filter(|row| is_final(&row.status)).map(|row| row.id).collect();
    let open = evidence.rows.iter().map(|row| row.id).filter(|id| !ended.contains(id));
    let unheard = evidence.told.iter().filter(|told| told.end.is_none() || !ended.contains(&told.id));
    open.chain(unheard.map(|told| told.id)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Jobs that ended more than once, whose result was written more than once, or that are not any
/// more what the client was first told.
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

/// Jobs with a write that was not the lease's holder's to make, or that came after the end.
fn zombies(evidence: &Evidence) -> Vec<Uuid> {
    let mut holders: BTreeMap<(Uuid, i64), &str> = BTreeMap::new();
    let mut zombies = BTreeSet::new();
    for write in &evidence.writes {
        let went_back = write.old_epoch > Some(write.epoch);
        let after_the_end = write.old_status.as_deref().is_some_and(is_final);
        let begins = write.old_epoch.is_none() || write.old_epoch < Some(write.epoch);
        let holder = holders.entry((write.job_id, write.epoch)).or_insert(&write.writer);
        // The row's insertion and every claim name a new holder; all other writes are the holder's.
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

/// How many calls arrived beyond the limit in the worst minute.
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

/// What was paid for, and for what.
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
    /// Leases that ended before the job did: each may have cut off one stage.
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
    // A job that came to its end has one lease that was not cut off.
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
            // It ran again after it was stored. Storing the same run again is none: an answer was lost.
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
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use sqlx::types::chrono::DateTime;

    use super::super::audit::{ResultWrite, StageWrite};
    use super::super::client::{End, Told};
    use super::super::evidence::Call;
    use super::*;

    const JOB: Uuid = Uuid::from_u128(7);

    fn write(writer: &str, status: &str, epoch: i64, before: Option<(&str, i64)>) -> Write {
        Write {
            job_id: JOB,
            writer: writer.into(),
            old_status: before.map(|(status, _)| status.into()),
            status: status.into(),
            old_epoch: before.map(|(_, epoch)| epoch),
            epoch,
            waits_for: None,
        }
    }

    fn stage(at_ms: i64, started_ms: i64) -> StageWrite {
        StageWrite {
            job_id: JOB,
            stage: "draft".into(),
            round: 0,
            at: DateTime::from_timestamp_millis(at_ms).unwrap(),
            started_at: DateTime::from_timestamp_millis(started_ms).unwrap(),
            llm_calls: 1,
            writer: "a".into(),
            epoch: 5,
        }
    }

    fn call(at_ms: u64) -> Call {
        Call { at_ms, topic: "T".into(), stage: "draft".into(), round: 0 }
    }

    /// A job that one worker ran, with one call.
    fn sound() -> Evidence {
        Evidence {
            told: vec![Told {
                id: JOB,
                end: Some(End { status: "succeeded".into(), content: Some("text".into()) }),
                contradicted: None,
            }],
            rows: vec![Row {
                id: JOB,
                topic: "T".into(),
                status: "succeeded".into(),
                content: Some("text".into()),
                problem: None,
            }],
            writes: vec![
                write("api", "queued", 0, None),
                write("a", "running", 5, Some(("queued", 0))),
                write("a", "running", 5, Some(("running", 5))),
                write("a", "succeeded", 5, Some(("running", 5))),
            ],
            stages: vec![stage(2_000, 1_000)],
            results: vec![ResultWrite { job_id: JOB, operation: "INSERT".into() }],
            calls: vec![call(1_000)],
            limit: 1,
            struck: 1,
            ..Evidence::default()
        }
    }

    fn judge(evidence: &Evidence) -> Verdict {
        Verdict::of(Fault::RedisFlush, evidence, Duration::ZERO)
    }

    fn broken(change: impl FnOnce(&mut Evidence)) -> Vec<String> {
        let mut evidence = sound();
        change(&mut evidence);
        judge(&evidence).broken
    }

    #[test]
    fn a_sound_run_breaks_nothing() {
        assert_eq!(judge(&sound()).broken, Vec::<String>::new());
    }

    #[test]
    fn a_job_without_an_end_is_lost() {
        for lose in [
            (|evidence| evidence.rows.clear()) as fn(&mut Evidence),
            |evidence| evidence.told[0].end = None,
            |evidence| evidence.rows[0].status = "running".into(),
            |evidence| {
                let unanswered = Row { id: Uuid::nil(), status: "queued".into(), ..evidence.rows[0].clone() };
                evidence.rows.push(unanswered);
            },
        ] {
            assert!(broken(lose)[0].contains("lost"));
        }
    }

    #[test]
    fn a_second_end_or_result_shows() {
        let again = |evidence: &mut Evidence| evidence.writes.push(write("a", "succeeded", 5, Some(("succeeded", 5))));
        assert!(broken(again)[0].contains("ended twice"));
        let rewritten = |evidence: &mut Evidence| evidence.rows[0].content = Some("other".into());
        assert!(broken(rewritten)[0].contains("ended twice"));
        let updated = |evidence: &mut Evidence| evidence.results[0].operation = "UPDATE".into();
        assert!(broken(updated)[0].contains("ended twice"));
    }

    #[test]
    fn a_write_by_another_process_than_the_holder_is_a_zombies() {
        let late = |evidence: &mut Evidence| {
            evidence.writes.insert(3, write("b", "running", 6, Some(("running", 5))));
            evidence.writes[4] = write("a", "succeeded", 6, Some(("running", 6)));
        };
        assert!(broken(late)[0].contains("lost them"));
        let back = |evidence: &mut Evidence| evidence.writes.insert(3, write("a", "running", 4, Some(("running", 5))));
        assert!(broken(back)[0].contains("lost them"));
        let stage = |evidence: &mut Evidence| evidence.stages[0].writer = "b".into();
        assert!(broken(stage)[0].contains("lost them"));
    }

    #[test]
    fn a_call_that_a_dead_worker_made_is_cut_off_and_a_second_one_of_the_living_is_not() {
        let mut evidence = sound();
        evidence.limit = 9;
        evidence.calls.push(call(1_500));
        assert_eq!((judge(&evidence).paid_twice, judge(&evidence).cut_off), (1, 0));
        evidence.writes.insert(2, write("b", "running", 6, Some(("running", 5))));
        evidence.writes[3] = write("b", "running", 6, Some(("running", 6)));
        evidence.writes[4] = write("b", "succeeded", 6, Some(("running", 6)));
        assert_eq!((judge(&evidence).paid_twice, judge(&evidence).cut_off), (0, 1));
        // A call for a stage that was stored before is paid twice whoever died.
        evidence.calls.push(call(2_500));
        assert_eq!((judge(&evidence).paid_twice, judge(&evidence).cut_off), (1, 1));
    }

    #[test]
    fn a_stage_that_ran_again_after_it_was_stored_is_paid_twice_and_one_stored_again_is_not() {
        assert!(broken(|evidence| evidence.stages.push(stage(2_600, 1_000))).is_empty());
        assert!(broken(|evidence| evidence.stages.push(stage(2_600, 2_400)))[0].contains("paid twice"));
    }

    #[test]
    fn what_a_client_was_told_of_an_end_must_stay() {
        let reopen = |evidence: &mut Evidence| {
            evidence.told[0].contradicted = Some(End { status: "queued".into(), content: None });
        };
        assert!(broken(reopen)[0].contains("after their end"));
    }

    #[test]
    fn a_fault_or_a_quota_without_effect_proves_nothing() {
        assert!(broken(|evidence| evidence.struck = 0)[0].contains("did not bite"));
        assert!(broken(|evidence| evidence.binds = true)[0].contains("did not bind"));
        let waited = broken(|evidence| {
            evidence.binds = true;
            evidence.writes[2].waits_for = Some("rate_limited".into());
        });
        assert!(waited.is_empty());
        let takeovers = Verdict::of(Fault::WorkerKill, &sound(), Duration::ZERO);
        assert!(takeovers.broken[0].contains("did not bite"), "no worker took a job over");
    }

    #[test]
    fn jobs_that_both_releases_ran_count() {
        let mut evidence = sound();
        assert_eq!(run_by_both(&evidence.writes), 0);
        evidence.writes[2].writer = format!("b{PREVIOUS}");
        assert_eq!(run_by_both(&evidence.writes), 1);
    }

    #[test]
    fn the_worst_minute_counts() {
        let mut evidence = sound();
        evidence.limit = 2;
        evidence.calls = [0, 30_000, 60_000, 89_999, 90_001].map(call).to_vec();
        assert_eq!(over_quota(&evidence), 1);
        evidence.limit = 3;
        assert_eq!(over_quota(&evidence), 0);
    }

    #[test]
    fn only_failing_providers_excuse_a_failed_job_and_a_poison_must_fail() {
        let fail = |evidence: &mut Evidence| {
            evidence.rows[0].status = "failed".into();
            evidence.rows[0].content = None;
            evidence.told[0].end = Some(End { status: "failed".into(), content: None });
        };
        assert!(broken(fail)[0].contains("failed"));
        let mut evidence = sound();
        fail(&mut evidence);
        assert!(Verdict::of(Fault::ProviderErrors, &evidence, Duration::ZERO).broken.is_empty());
        assert!(broken(|evidence| evidence.rows[0].topic = "Poison, request 1".into())[0].contains("poison"));
    }
}
