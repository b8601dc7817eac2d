//! What is derived from verdicts, and what is left of one that is taken back.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use copydesk_domain::id::FeedbackId;
use copydesk_domain::lesson::{Lesson, LessonStatus};
use sqlx::PgPool;
use uuid::Uuid;

use super::*;
use crate::clock;
use crate::store::feedback;

fn acme() -> BusinessId {
    BusinessId::parse("acme").unwrap()
}

/// The `n`th text of the business, and its job.
async fn text(pool: &PgPool, n: u128) -> Uuid {
    let id = Uuid::from_u128((0x0193_8c5e_7a00 << 80) | (7 << 76) | n);
    for sql in [
        "insert into jobs (id, kind, business_id, generation_id, status, priority, payload, max_attempts, traceparent,
                           finished_at)
         values ($1, 'generate', 'acme', $1, 'succeeded', 'bulk', '{\"topic\": \"T\"}', 3, 't', now())",
        "insert into generations (generation_id, job_id, business_id, topic, content_type, voice, language, title,
                                  content, sources, lessons_applied, degraded, models, usage, review)
         values ($1, $1, 'acme', 'Blood tests', 'blog', '', 'en', 'T', 'A text!', '[]', '[]', '{}',
                 '{\"writer\": null, \"reviewer\": null, \"simulated\": true}', '{}',
                 '{\"score\": 8, \"calibrated_score\": 8, \"criteria\": {}, \"rounds\": 0, \"comments\": \"\"}')",
        "insert into reviewer_learning (generation_id, business_id, content_type, auto_score)
         values ($1, 'acme', 'blog', 8)",
    ] {
        sqlx::query(sql).bind(id).execute(pool).await.unwrap();
    }
    id
}

/// A verdict on a text, as a worker writes it before it derives what was learned.
async fn verdict(pool: &PgPool, text: Uuid, n: u128, score: f64, rule: &str) -> FeedbackId {
    let id = Uuid::from_u128((0x0193_8c5e_7b00 << 80) | (7 << 76) | n);
    let distilled = format!(r#"{{"by": "rules/v1", "rules": [{{"from": "comment", "rule": {rule}}}]}}"#);
    sqlx::query(
        "insert into feedback (feedback_id, generation_id, business_id, human_approved, human_score, distilled, created_at)
         values ($1, $2, 'acme', $3 >= 7, $3, $4::jsonb, timestamptz '2026-03-01' + make_interval(days => $5))",
    )
    .bind(id)
    .bind(text)
    .bind(score)
    .bind(distilled)
    .bind(i32::try_from(n).unwrap())
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "update reviewer_learning r
         set has_human_feedback = true, feedback_id = f.feedback_id, human_approved = f.human_approved,
             human_score = f.human_score, reviewed_at = f.created_at
         from feedback f where f.feedback_id = $1 and r.generation_id = f.generation_id",
    )
    .bind(id)
    .execute(pool)
    .await
    .unwrap();
    FeedbackId(id)
}

const NO_LISTS: &str = r#"{"kind": "lists", "wanted": false}"#;
const NO_MARKS: &str = r#"{"kind": "punctuation", "mark": "exclamation", "wanted": false}"#;

/// Every byte that was derived.
async fn state(pool: &PgPool) -> Vec<String> {
    let mut rows = Vec::new();
    for table in
        ["lessons", "learning_figures", "learning_weeks", "learning_scores", "learning_state", "reviewer_learning"]
    {
        let sql = format!("select t::text from {table} t order by 1");
        let found: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
        rows.extend(found.into_iter().map(|row| format!("{table} {row}")));
    }
    rows
}

async fn known(store: &Store) -> Vec<Lesson> {
    lessons(store, &acme()).await.unwrap().into_iter().map(|used| used.known.lesson).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_verdict_that_is_taken_back_leaves_no_byte(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    let texts = [text(&pool, 1).await, text(&pool, 2).await, text(&pool, 3).await];
    verdict(&pool, texts[0], 1, 6.0, NO_MARKS).await;
    verdict(&pool, texts[1], 2, 4.5, NO_LISTS).await;
    rebuild(&store, &acme()).await.unwrap();
    let before = state(&pool).await;
    assert!(before.len() > 6 && known(&store).await.len() == 2, "{before:?}");

    // One that makes a lesson active, and one that replaces another on the same text.
    let third = verdict(&pool, texts[2], 3, 9.0, NO_MARKS).await;
    rebuild(&store, &acme()).await.unwrap();
    let counted = known(&store).await.iter().filter(|lesson| lesson.status == LessonStatus::Active).count();
    assert_eq!(counted, 1);
    let replaces = verdict(&pool, texts[1], 4, 8.0, NO_MARKS).await;
    rebuild(&store, &acme()).await.unwrap();
    assert_eq!(known(&store).await.len(), 1, "what it replaced no longer speaks");
    for id in [replaces, third] {
        assert!(feedback::forget(&store, &acme(), id).await.unwrap());
    }
    sqlx::query("update learning_state set applied = applied + 2").execute(&pool).await.unwrap();
    assert_eq!(state(&pool).await, before);
    assert!(!feedback::forget(&store, &acme(), third).await.unwrap(), "it is gone");
    let other = BusinessId::parse("other").unwrap();
    let first = FeedbackId(
        sqlx::query_scalar("select min(feedback_id::text)::uuid from feedback").fetch_one(&pool).await.unwrap(),
    );
    assert!(!feedback::forget(&store, &other, first).await.unwrap(), "it is another business's");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_derived_can_be_deleted_and_made_again(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    for n in 1..=12 {
        let text = text(&pool, n).await;
        verdict(&pool, text, n, 5.0 + f64::from(u8::try_from(n % 4).unwrap()), NO_MARKS).await;
    }
    rebuild(&store, &acme()).await.unwrap();
    let id = known(&store).await[0].lesson_id;
    change(&store, &acme(), id, &[Action::Pin { lesson: None }], clock::now()).await.unwrap();
    let before = state(&pool).await;
    sqlx::raw_sql("delete from lessons; delete from learning_figures").execute(&pool).await.unwrap();
    rebuild(&store, &acme()).await.unwrap();
    assert_eq!(state(&pool).await, before);
    assert_eq!(known(&store).await[0].status, LessonStatus::Pinned);
    assert!(!change(&store, &BusinessId::parse("other").unwrap(), id, &[Action::Retire], clock::now()).await.unwrap());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_pin_outlives_a_verdict_that_is_replaced_and_not_one_that_is_taken_back(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    let texts = [text(&pool, 1).await, text(&pool, 2).await];
    verdict(&pool, texts[0], 1, 6.0, NO_LISTS).await;
    rebuild(&store, &acme()).await.unwrap();
    let before = state(&pool).await;
    let only = verdict(&pool, texts[1], 2, 6.0, NO_MARKS).await;
    rebuild(&store, &acme()).await.unwrap();
    let lessons = known(&store).await;
    let id = lessons.iter().find(|lesson| lesson.evidence == [only]).unwrap().lesson_id;
    change(&store, &acme(), id, &[Action::Pin { lesson: None }], clock::now()).await.unwrap();

    let replaces = verdict(&pool, texts[1], 3, 9.0, NO_LISTS).await;
    rebuild(&store, &acme()).await.unwrap();
    let kept = known(&store).await.into_iter().find(|lesson| lesson.lesson_id == id).unwrap();
    assert_eq!((kept.status, kept.support, kept.text.as_str()), (LessonStatus::Pinned, 0, "Use no exclamation marks."));

    for verdict in [replaces, only] {
        assert!(feedback::forget(&store, &acme(), verdict).await.unwrap());
    }
    sqlx::query("update learning_state set applied = applied + 2").execute(&pool).await.unwrap();
    assert_eq!(state(&pool).await, before, "as if nobody had ever asked for it");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_lesson_that_is_pinned_again_stays_while_one_verdict_asks_for_it(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    let texts = [text(&pool, 1).await, text(&pool, 2).await, text(&pool, 3).await];
    let other = verdict(&pool, texts[2], 1, 6.0, NO_LISTS).await;
    let first = verdict(&pool, texts[0], 2, 6.0, NO_MARKS).await;
    rebuild(&store, &acme()).await.unwrap();
    let id = known(&store).await.iter().find(|lesson| lesson.evidence == [first]).unwrap().lesson_id;
    let pin = async || change(&store, &acme(), id, &[Action::Pin { lesson: None }], clock::now()).await.unwrap();
    let status = async || known(&store).await.iter().find(|one| one.lesson_id == id).map(|one| one.status);
    pin().await;
    // By a pin without anybody who asks: the verdict was replaced.
    verdict(&pool, texts[0], 3, 9.0, NO_LISTS).await;
    rebuild(&store, &acme()).await.unwrap();
    pin().await;
    assert!(feedback::forget(&store, &acme(), other).await.unwrap());
    assert_eq!(status().await, Some(LessonStatus::Pinned), "another's verdict took it along");
    // By one that has a further verdict behind it.
    verdict(&pool, texts[1], 4, 6.0, NO_MARKS).await;
    rebuild(&store, &acme()).await.unwrap();
    pin().await;
    assert!(feedback::forget(&store, &acme(), first).await.unwrap());
    assert_eq!(status().await, Some(LessonStatus::Pinned), "somebody still asks for it");
}

#[sqlx::test(migrations = "../migrations")]
async fn one_person_writes_their_name_in_many_ways(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    for (n, rater) in [(1, "Maria"), (2, " maria\u{200b}")] {
        let text = text(&pool, n).await;
        let id = verdict(&pool, text, n, 6.0, NO_MARKS).await;
        sqlx::query("update feedback set rater = $2 where feedback_id = $1")
            .bind(id.0)
            .bind(rater)
            .execute(&pool)
            .await
            .unwrap();
    }
    rebuild(&store, &acme()).await.unwrap();
    let lesson = &known(&store).await[0];
    assert_eq!((lesson.status, lesson.raters), (LessonStatus::Active, 1));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_text_is_written_with_is_its_own_business(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    for n in 1..=2 {
        let text = text(&pool, n).await;
        verdict(&pool, text, n, 9.0, NO_MARKS).await;
    }
    rebuild(&store, &acme()).await.unwrap();
    let experience = experience(&store, &acme(), Format::Blog).await.unwrap();
    let subject = Subject { content_type: Format::Blog, language: "en", names_length: false };
    let as_of = experience.known[0].as_of;
    let told = applied(&store, &acme(), &experience.known, subject, as_of).await.unwrap();
    assert_eq!((told.len(), told[0].escalation), (1, Escalation::None));
    let uses = "insert into lesson_uses (generation_id, lesson_id, business_id, followed)
                select generation_id, $1::uuid, 'acme', false from generations";
    text(&pool, 3).await;
    sqlx::query(uses).bind(&told[0].id).execute(&pool).await.unwrap();
    let told = applied(&store, &acme(), &experience.known, subject, as_of).await.unwrap();
    assert_eq!(told[0].escalation, Escalation::System, "three texts did not follow it");
    assert_eq!(candidates(&store, &acme(), Format::Blog, "en").await.unwrap().len(), 2);

    let other = BusinessId::parse("other").unwrap();
    let nothing = super::experience(&store, &other, Format::Blog).await.unwrap();
    assert!(nothing.known.is_empty() && nothing.snapshot.is_none() && nothing.calibrator.is_none());
    assert!(candidates(&store, &other, Format::Blog, "en").await.unwrap().is_empty());
    assert!(applied(&store, &other, &nothing.known, subject, as_of).await.unwrap().is_empty());
}
