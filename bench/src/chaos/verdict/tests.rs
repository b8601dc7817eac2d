//! Tests of the checker on made-up histories: a sound one, and one for each violated guarantee.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use sqlx::types::chrono::DateTime;

use super::super::audit::{ResultWrite, StageWrite};
use super::super::client::{End, Told};
use super::super::evidence::Call;
use super::super::fault::crowd::STANDING;
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
        waits_until: None,
        at: DateTime::from_timestamp_millis(1_000).unwrap(),
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
    // A call for a stored stage is paid twice, whichever worker died.
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
    assert!(broken(|evidence| evidence.struck = 0)[0].contains("had no effect"));
    assert!(broken(|evidence| evidence.binds = true)[0].contains("did not bind"));
    let waited = broken(|evidence| {
        evidence.binds = true;
        evidence.writes[2].waits_for = Some("rate_limited".into());
    });
    assert!(waited.is_empty());
    let takeovers = Verdict::of(Fault::WorkerKill, &sound(), Duration::ZERO);
    assert!(takeovers.broken[0].contains("had no effect"), "no worker took a job over");
}

#[test]
fn a_job_begins_within_ten_seconds_of_its_time() {
    let late = |due_ms: i64, begun: bool| {
        let mut evidence = sound();
        evidence.writes[0].waits_until = DateTime::from_timestamp_millis(due_ms);
        evidence.writes[1].writer = format!("a{FLEET}");
        if !begun {
            evidence.writes.truncate(1);
        }
        Verdict::of(Fault::IdleFleet, &evidence, Duration::ZERO).late
    };
    assert_eq!([late(1_000, true), late(-9_000, true), late(-9_001, true)], [Some(0), Some(0), Some(1)]);
    assert_eq!(late(1_000, false), Some(1), "it never began");
    assert_eq!(judge(&sound()).late, None, "other faults keep workers from it");
    let mut evidence = sound();
    evidence.writes[0].waits_until = DateTime::from_timestamp_millis(-9_001);
    let verdict = Verdict::of(Fault::IdleFleet, &evidence, Duration::ZERO);
    assert!(verdict.broken[0].contains("within 10 s") && verdict.broken[1].contains("had no effect"));
}

#[test]
fn redis_knows_all_jobs_ten_seconds_after_its_return() {
    assert!(broken(|evidence| evidence.known_after = Some(Duration::from_secs(10))).is_empty());
    let late = broken(|evidence| evidence.known_after = Some(Duration::from_millis(10_001)));
    assert!(late[0].contains("did not know"), "{late:?}");
}

#[test]
fn a_job_that_stands_is_lost_only_where_it_does_not_wait() {
    let stand = |status: &str| {
        broken(|evidence| {
            let (topic, status) = (format!("{STANDING} 7"), status.to_owned());
            let row = Row { id: Uuid::nil(), topic, status, content: None, problem: None };
            evidence.rows.push(row);
        })
    };
    assert!(stand("waiting").is_empty());
    assert!(stand("queued")[0].contains("lost"));
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
