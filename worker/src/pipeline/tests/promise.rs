//! Which calls of a job keep places in the line.

use copydesk_common::quota::Rank;
use copydesk_common::quota::usual::TextKind;

use super::*;

const LONG: TextKind = TextKind { format: Format::Blog, is_outlined: true, rounds: 2 };

/// What the writer is asked with in a stage.
fn rank(calls: &Calls, stage: Stage) -> Rank {
    calls.begin(stage);
    calls.rank_at(calls.writer().primary())
}

#[tokio::test]
async fn a_job_promises_the_calls_that_its_text_usually_takes() {
    let mut setting = Setting::new().await;
    // The job of a quarter whose texts take a call more stands elsewhere.
    setting.job.id = JobId(uuid::Uuid::from_u128(setting.job.id.0.as_u128() & !0xFFFF));
    let (id, business) = (setting.job.id, &setting.job.business_id);
    let new = |calls| Rank::new_job(id, business.clone(), setting.job.created_at).before(calls);
    let under_way = |calls| Rank::under_way(id, business.clone(), setting.job.created_at).before(calls);
    let calls = setting.calls();
    assert_eq!(rank(&calls, Stage::Outline), new(1), "nobody said what it is: but an outline is written out");
    calls.expect(LONG);
    assert_eq!(rank(&calls, Stage::Outline), new(2));
    outline::run(&calls, &setting.task()).await.unwrap();
    assert_eq!(rank(&calls, Stage::Draft), under_way(1));
    let later = setting.calls();
    later.expect(LONG);
    later.resume(&Usage { calls: [("groq".to_owned(), 3)].into(), ..Usage::default() });
    assert_eq!(rank(&later, Stage::Edit), under_way(0), "it made as many as texts usually take");
    assert_eq!(rank(&later, Stage::Outline), under_way(1), "an outline is written out");
    setting.job.id = JobId(uuid::Uuid::from_u128(setting.job.id.0.as_u128() | 0xFFFF));
    let fourth = setting.calls();
    fourth.expect(LONG);
    let new = Rank::new_job(setting.job.id, setting.job.business_id.clone(), setting.job.created_at);
    assert_eq!(rank(&fourth, Stage::Outline), new.before(3), "a text in four takes a call more");
}

#[tokio::test]
async fn a_bulk_job_asks_as_one() {
    let mut setting = Setting::new().await;
    setting.job.priority = Priority::Bulk;
    let rank = rank(&setting.calls(), Stage::Draft);
    assert_eq!(rank.clone().of_priority(Priority::Bulk), rank);
    assert_ne!(rank.clone().of_priority(Priority::Interactive), rank);
}

#[tokio::test]
async fn nothing_is_promised_at_the_account_of_another_model() {
    let setting = Setting::with(|config| config.model_limits = "openai/gpt-oss-20b=30rpm".into()).await;
    let calls = setting.calls();
    calls.expect(TextKind { is_outlined: false, ..LONG });
    let job = &setting.job;
    let alone = Rank::new_job(job.id, job.business_id.clone(), job.created_at);
    assert_eq!(rank(&calls, Stage::Draft), alone, "the edit is asked for where the reviewer's calls count");
}
