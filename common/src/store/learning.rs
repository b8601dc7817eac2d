//! What is learned from verdicts: derived here from the log of `feedback` and `lesson_changes`, and read for texts and
//! for clients. How a lesson lives and what a figure means is decided in `copydesk-learning`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::format::Format;
use copydesk_domain::id::GenerationId;
use copydesk_domain::lesson::{AppliedLesson, Distilled, Escalation, Lesson, LessonId, Rule};
use copydesk_learning::calibration::Calibrator;
use copydesk_learning::choice::{self, Subject};
use copydesk_learning::effect::Figures;
use copydesk_learning::example::Candidate;
use copydesk_learning::life::Known;
use copydesk_learning::log::{Action, Change};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::types::Json;

use super::audit::Seen;
use super::{Store, StoreError};

mod derive;
pub mod replay;
pub mod undistilled;

pub use derive::rebuild;
pub(super) use derive::{derive, locked};

/// The last texts with a lesson that tell whether it is escalated.
const LAST_USES: i64 = 10;
/// Approved texts that examples are chosen from: the last ones.
const CANDIDATES: i64 = 50;
/// From this score on a text may be an example.
const GOOD: f64 = 8.0;
/// The name of the figures of all content types.
const ALL: &str = "";

/// What a text of one kind is written with.
#[derive(Debug, Clone, Default)]
pub struct Experience {
    /// Every lesson of the business that counts.
    pub known: Vec<Known>,
    /// What corrects the editor's scores.
    pub calibrator: Option<Calibrator>,
    /// Names what was learned by now.
    pub snapshot: Option<String>,
}

/// What was learned for the texts of one kind, in one round trip.
pub async fn experience(store: &Store, business_id: &BusinessId, format: Format) -> Result<Experience, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select s.snapshot,
                      (select f.calibrator from learning_figures f where f.business_id = $1 and f.content_type = $2)
                          as "calibrator: Json<Value>",
                      coalesce((select jsonb_agg(l.known order by l.lesson_id) from lessons l
                                where l.business_id = $1 and l.counts), '[]') as "known!: Json<Vec<Value>>"
               from learning_state s where s.business_id = $1"#,
            business_id.as_str(),
            format.slug(),
        )
        .fetch_optional(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.map_or_else(Experience::default, |row| Experience {
        known: row.known.0.into_iter().filter_map(readable).collect(),
        calibrator: row.calibrator.and_then(|calibrator| readable(calibrator.0)),
        snapshot: row.snapshot,
    }))
}

/// What was derived, unless a later release wrote what this one does not know: a text is written without it.
fn readable<T: DeserializeOwned>(derived: Value) -> Option<T> {
    serde_json::from_value(derived)
        .inspect_err(|error| {
            tracing::debug!(error = error as &dyn std::error::Error, "what was learned cannot be read");
        })
        .ok()
}

/// The lessons of a text as its writer is told them: with where they are told, by how the last texts followed them.
pub async fn applied(
    store: &Store,
    business_id: &BusinessId,
    known: &[Known],
    subject: Subject<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<AppliedLesson>, StoreError> {
    let chosen = choice::chosen(known, subject, now);
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let followed = last_uses(store, business_id, &chosen).await?;
    let escalation = |id| followed.get(&id).map_or(Escalation::None, |followed| choice::escalation(followed));
    let applied = |lesson: Lesson| AppliedLesson { escalation: escalation(lesson.lesson_id), ..as_applied(lesson) };
    Ok(chosen.into_iter().map(applied).collect())
}

/// A lesson as a writer is told it, among the others.
pub fn as_applied(lesson: Lesson) -> AppliedLesson {
    AppliedLesson {
        id: lesson.lesson_id.to_string(),
        escalation: Escalation::None,
        text: lesson.text,
        rule: lesson.rule.is_checkable().then_some(lesson.rule),
        followed: None,
    }
}

/// Whether the last texts with each lesson follow it, the newest first.
pub async fn last_uses(
    store: &Store,
    business_id: &BusinessId,
    lessons: &[Lesson],
) -> Result<BTreeMap<LessonId, Vec<bool>>, StoreError> {
    let ids: Vec<_> = lessons.iter().map(|lesson| lesson.lesson_id.0).collect();
    let query = || async {
        sqlx::query!(
            r#"select asked.id as "id!", coalesce(used.followed, '{}') as "followed!"
               from unnest($2::uuid[]) as asked (id) cross join lateral (
                   select array_agg(last.followed order by last.at desc, last.generation_id) as followed from (
                       select u.followed, u.at, u.generation_id from lesson_uses u
                       where u.business_id = $1 and u.lesson_id = asked.id and u.followed is not null
                       order by u.at desc, u.generation_id limit $3
                   ) last
               ) used"#,
            business_id.as_str(),
            &ids,
            LAST_USES,
        )
        .fetch_all(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.into_iter().map(|row| (LessonId(row.id), row.followed)).collect())
}

/// The business's last texts of a kind that people approved or scored well: what examples are chosen from.
pub async fn candidates(
    store: &Store,
    business_id: &BusinessId,
    format: Format,
    language: &str,
) -> Result<Vec<Candidate>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select g.generation_id, g.topic, g.title, f.edited_content,
                      coalesce(f.edited_content, g.content) as "text!", r.reviewed_at as "at!",
                      coalesce(r.human_score, $4) as "score!"
               from reviewer_learning r
               join generations g on g.generation_id = r.generation_id
               join feedback f on f.feedback_id = r.feedback_id
               where r.business_id = $1 and r.content_type = $2 and r.has_human_feedback
                 and coalesce(r.human_approved, r.human_score >= $4) and coalesce(r.human_score >= $4, true)
                 and g.language = $3
               order by r.reviewed_at desc limit $5"#,
            business_id.as_str(),
            format.slug(),
            language,
            GOOD,
            CANDIDATES,
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?.into_iter();
    Ok(rows
        .map(|row| Candidate {
            generation_id: GenerationId(row.generation_id),
            topic: row.topic,
            title: row.title,
            is_edited: row.edited_content.is_some(),
            text: row.text,
            score: row.score,
            at: row.at,
            tokens: 0,
        })
        .collect())
}

/// A text that a person rejected, and what they asked for.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The text.
    pub text: String,
    /// What they asked for.
    pub rules: Vec<Rule>,
}

/// The business's last text of a kind that a person rejected, if there is one.
pub async fn rejected(
    store: &Store,
    business_id: &BusinessId,
    format: Format,
    language: &str,
) -> Result<Option<Rejected>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select g.content, f.distilled as "distilled!: Json<Distilled>"
               from reviewer_learning r
               join generations g on g.generation_id = r.generation_id
               join feedback f on f.feedback_id = r.feedback_id
               where r.business_id = $1 and r.content_type = $2 and r.has_human_feedback and not r.human_approved
                 and f.distilled is not null and g.language = $3
               order by r.reviewed_at desc limit 1"#,
            business_id.as_str(),
            format.slug(),
            language,
        )
        .fetch_optional(&store.pool)
        .await
    };
    let found = store.retry(query).await?;
    let rules = |distilled: Distilled| distilled.rules.into_iter().map(|observed| observed.rule).collect();
    Ok(found.map(|row| Rejected { text: row.content, rules: rules(row.distilled.0) }))
}

/// Every lesson of a business, in the order of their ids, with how often it was used and followed.
pub async fn lessons(store: &Store, business_id: &BusinessId) -> Result<Vec<Used>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select l.known as "known!: Json<Known>", used.applied as "applied!", used.followed as "followed!",
                      used.unfollowed as "unfollowed!"
               from lessons l cross join lateral (
                   select count(*) as applied, count(*) filter (where followed) as followed,
                          count(*) filter (where not followed) as unfollowed
                   from lesson_uses u where u.business_id = $1 and u.lesson_id = l.lesson_id
               ) used
               where l.business_id = $1 order by l.lesson_id"#,
            business_id.as_str(),
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?.into_iter();
    Ok(rows
        .map(|row| Used {
            known: row.known.0,
            applied: u64::try_from(row.applied).unwrap_or(0),
            followed: u64::try_from(row.followed).unwrap_or(0),
            unfollowed: u64::try_from(row.unfollowed).unwrap_or(0),
        })
        .collect())
}

/// A lesson, and what became of it in texts.
#[derive(Debug, Clone)]
pub struct Used {
    /// The lesson.
    pub known: Known,
    /// Texts whose writer was given it.
    pub applied: u64,
    /// Those that follow it.
    pub followed: u64,
    /// Those that do not; of the others no code can tell.
    pub unfollowed: u64,
}

/// A lesson of the business, whether it counts or not.
pub async fn one(store: &Store, business_id: &BusinessId, id: LessonId) -> Result<Option<Known>, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            r#"select known as "known!: Json<Known>" from lessons where business_id = $1 and lesson_id = $2"#,
            business_id.as_str(),
            id.0
        )
        .fetch_optional(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.map(|known| known.0))
}

/// Changes a lesson by hand. False, and nothing is changed, if the business has no such lesson.
pub async fn change(
    store: &Store,
    business_id: &BusinessId,
    id: LessonId,
    actions: &[Action],
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        locked(&mut tx, business_id).await?;
        let found = sqlx::query_scalar!(
            r#"select known as "known!: Json<Known>" from lessons where business_id = $1 and lesson_id = $2"#,
            business_id.as_str(),
            id.0
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(before) = found else {
            tx.rollback().await?;
            return Ok(false);
        };
        for action in actions {
            let action = match action {
                Action::Pin { .. } => Action::Pin { lesson: Some(Box::new(before.0.lesson.clone())) },
                action => action.clone(),
            };
            let change = Change { lesson_id: id, at, action };
            sqlx::query!(
                "insert into lesson_changes (business_id, lesson_id, at, change) values ($1, $2, $3, $4)",
                business_id.as_str(),
                id.0,
                at,
                Json(&change) as _,
            )
            .execute(&mut *tx)
            .await?;
        }
        derive(&mut tx, business_id).await?;
        // What it says is people's text: the log has none.
        let before = Some(serde_json::json!({ "status": before.0.lesson.status }));
        store.note(&mut tx, Seen { before, ..Seen::default() }).await?;
        tx.commit().await?;
        Ok(true)
    };
    store.retry(query).await
}

/// Forgets the changes by hand of pinned lessons that only verdicts which are gone asked for: a pin would keep them.
pub(super) async fn unpin_unasked(
    tx: &mut sqlx::PgTransaction<'_>,
    business_id: &BusinessId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with pin as (
             select lesson_id, change->'action'->'lesson'->'evidence' as asked from lesson_changes
             where business_id = $1 and change->'action'->'lesson' is not null
         ), unasked as (
             select lesson_id from pin
             left join lateral jsonb_array_elements_text(asked) verdict (id) on true
             left join feedback f on f.feedback_id = verdict.id::uuid
             -- One that is pinned again has several.
             group by lesson_id having count(f.feedback_id) = 0
         )
         delete from lesson_changes c using unasked u where c.business_id = $1 and c.lesson_id = u.lesson_id",
        business_id.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The derived figures of a business, of one content type or of all; `None` where nothing was derived yet.
pub async fn figures(
    store: &Store,
    business_id: &BusinessId,
    format: Option<Format>,
) -> Result<Option<Figures>, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            r#"select figures as "figures!: Json<Value>" from learning_figures
               where business_id = $1 and content_type = $2"#,
            business_id.as_str(),
            format.map_or(ALL, Format::slug),
        )
        .fetch_optional(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.and_then(|figures| readable(figures.0)))
}

#[cfg(test)]
mod tests;
