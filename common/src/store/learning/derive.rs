//! Deriving what was learned from the log. It is always derived anew from all of it: an incremental state could differ
//! from a rebuilt one. A business's log is read under its row lock: what a verdict takes grows with those before it.

use std::collections::BTreeSet;

use copydesk_domain::business::BusinessId;
use copydesk_domain::feedback::Effort;
use copydesk_domain::format::Format;
use copydesk_domain::id::{FeedbackId, GenerationId};
use copydesk_domain::lesson::{AppliedLesson, Arm, Distilled, Learned, LessonId, LessonStatus};
use copydesk_domain::review::Review;
use copydesk_learning::calibration::{self, Calibrator};
use copydesk_learning::effect;
use copydesk_learning::life::{self, Known};
use copydesk_learning::log::{Change, Entry, Log, TextFacts};
use sha2::{Digest, Sha256};
use sqlx::PgTransaction;
use sqlx::types::Json;
use uuid::Uuid;

use super::super::{Store, StoreError};
use super::ALL;
use crate::telemetry;

/// Locks what the business has learned: one verdict, change or rebuild after the other.
pub(in crate::store) async fn locked(tx: &mut PgTransaction<'_>, business_id: &BusinessId) -> Result<(), sqlx::Error> {
    let business_id = business_id.as_str();
    sqlx::query!("insert into learning_state (business_id) values ($1) on conflict do nothing", business_id)
        .execute(&mut **tx)
        .await?;
    sqlx::query!("select applied from learning_state where business_id = $1 for update", business_id)
        .fetch_one(&mut **tx)
        .await?;
    Ok(())
}

/// Derives everything of a business anew, online: texts are written meanwhile with what was there before.
pub async fn rebuild(store: &Store, business_id: &BusinessId) -> Result<(), StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        locked(&mut tx, business_id).await?;
        derive(&mut tx, business_id).await?;
        tx.commit().await
    };
    store.retry(query).await
}

/// Derives lessons, figures and calibrators from the log, under the lock of [`locked`].
pub(in crate::store) async fn derive(tx: &mut PgTransaction<'_>, business_id: &BusinessId) -> Result<(), sqlx::Error> {
    let log = read(tx, business_id).await?;
    let known = life::lessons(business_id, &log);
    write_lessons(tx, business_id, &known).await?;
    write_figures(tx, business_id, &log).await?;
    let snapshot = (!log.verdicts.is_empty()).then(|| snapshot(&known));
    sqlx::query!("update learning_state set snapshot = $2 where business_id = $1", business_id.as_str(), snapshot)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Names a state of the lessons: equal where they are.
fn snapshot(known: &[Known]) -> String {
    let counts = known.iter().filter(|known| counts(known));
    let mut digest = Sha256::new();
    counts.for_each(|known| digest.update(format!("{} {}\n", known.lesson.lesson_id, known.lesson.text)));
    hex::encode(&digest.finalize()[..8])
}

fn counts(known: &Known) -> bool {
    matches!(known.lesson.status, LessonStatus::Active | LessonStatus::Pinned)
}

async fn write_lessons(
    tx: &mut PgTransaction<'_>,
    business_id: &BusinessId,
    known: &[Known],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = known.iter().map(|known| known.lesson.lesson_id.0).collect();
    let counts: Vec<bool> = known.iter().map(counts).collect();
    let texts: Vec<serde_json::Value> = known.iter().map(|known| serde_json::json!(known)).collect();
    sqlx::query!("delete from lessons where business_id = $1 and lesson_id <> all($2)", business_id.as_str(), &ids)
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "insert into lessons as l (business_id, lesson_id, counts, known)
         select $1, * from unnest($2::uuid[], $3::bool[], $4::jsonb[]) as t (lesson_id, counts, known)
         on conflict (business_id, lesson_id) do update set counts = excluded.counts, known = excluded.known
         where l.known <> excluded.known",
        business_id.as_str(),
        &ids,
        &counts,
        &texts,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn write_figures(tx: &mut PgTransaction<'_>, business_id: &BusinessId, log: &Log) -> Result<(), sqlx::Error> {
    let formats: BTreeSet<Format> = log.verdicts.iter().map(|entry| entry.content_type).collect();
    let pairs = calibration::pairs(log);
    let of = |format: Option<Format>| {
        let calibrator = format.map(|format| Calibrator::fit(&pairs, format));
        let name = format.map_or(ALL, Format::slug).to_owned();
        (name, serde_json::json!(effect::figures(log, format)), serde_json::json!(calibrator))
    };
    let all = formats.iter().map(|format| Some(*format)).chain((!formats.is_empty()).then_some(None));
    let (mut names, mut figures, mut calibrators) = (Vec::new(), Vec::new(), Vec::new());
    for (name, figure, calibrator) in all.map(of) {
        names.push(name);
        figures.push(figure);
        calibrators.push(calibrator);
    }
    sqlx::query!(
        "delete from learning_figures where business_id = $1 and content_type <> all($2)",
        business_id.as_str(),
        &names
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "insert into learning_figures as l (business_id, content_type, figures, calibrator)
         select $1, * from unnest($2::text[], $3::jsonb[], $4::jsonb[])
         on conflict (business_id, content_type) do update
         set figures = excluded.figures, calibrator = excluded.calibrator
         where (l.figures, l.calibrator) is distinct from (excluded.figures, excluded.calibrator)",
        business_id.as_str(),
        &names,
        &figures,
        &calibrators,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn read(tx: &mut PgTransaction<'_>, business_id: &BusinessId) -> Result<Log, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select f.feedback_id, f.generation_id, f.created_at, r.content_type, g.language, coalesce(f.rater, '') as "rater!",
                  f.human_approved, f.human_score, f.effort as "effort: Json<Effort>",
                  f.distilled as "distilled: Json<Distilled>", g.learning as "learning: Json<Learned>",
                  g.review as "review: Json<Review>",
                  case when g.learning is not null then g.lessons_applied end as "lessons: Json<Vec<AppliedLesson>>"
           from reviewer_learning r
           join feedback f on f.feedback_id = r.feedback_id
           join generations g on g.generation_id = r.generation_id
           where r.business_id = $1 and r.has_human_feedback
           order by f.created_at, f.feedback_id"#,
        business_id.as_str(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let changes = sqlx::query_scalar!(
        r#"select change as "change!: Json<Change>" from lesson_changes where business_id = $1 order by id"#,
        business_id.as_str(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let verdicts = rows.into_iter().filter_map(|row| {
        let content_type = row.content_type.parse::<Format>().ok()?;
        Some(Entry {
            feedback_id: FeedbackId(row.feedback_id),
            generation_id: GenerationId(row.generation_id),
            at: row.created_at,
            content_type,
            language: primary(&row.language),
            rater: rater(&row.rater),
            approved: row.human_approved,
            score: row.human_score,
            effort: row.effort.map(|effort| effort.0),
            distilled: row.distilled.map(|distilled| distilled.0).unwrap_or_default(),
            text: facts(
                row.learning.map(|j| j.0),
                row.review.as_ref().map(|j| &j.0),
                &row.lessons.map(|j| j.0).unwrap_or_default(),
            ),
        })
    });
    Ok(Log { verdicts: verdicts.collect(), changes: changes.into_iter().map(|change| change.0).collect() })
}

/// What is known of how a text was made. Texts from before learning could use nothing, and are compared with none.
fn facts(learned: Option<Learned>, review: Option<&Review>, lessons: &[AppliedLesson]) -> TextFacts {
    let rounds = review.map_or(0, |review| review.rounds);
    let before = review.and_then(Review::score_of_final);
    let used = lessons.iter().filter_map(|lesson| Some((LessonId(lesson.id.parse().ok()?), lesson.followed)));
    TextFacts {
        arm: learned.as_ref().map_or(Arm::Off, |learned| learned.arm),
        available: learned.as_ref().map_or(0, |learned| learned.available),
        estimate: learned.map_or(before, |learned| learned.estimate),
        used: used.collect(),
        rounds,
    }
}

/// Who judged, as people are told apart: case and characters that nobody sees make no other person.
fn rater(given: &str) -> String {
    let is_seen = |c: &char| !telemetry::is_obeyed(*c) && *c != '\u{ad}';
    given.chars().filter(is_seen).collect::<String>().trim().to_lowercase()
}

/// The first part of a BCP 47 tag, in lower case.
fn primary(tag: &str) -> String {
    tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}
