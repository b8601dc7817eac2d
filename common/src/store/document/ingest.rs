//! The reads and writes of a document's ingest.

use copydesk_domain::business::BusinessId;
use copydesk_domain::document::{Body, DocumentKind, DocumentWarning, MediaType, NewChunk, READER_VERSION};
use copydesk_domain::id::DocumentId;
use copydesk_domain::job::{Progress, StartedJob};
use copydesk_domain::language::Language;
use copydesk_domain::problem::Problem;
use sqlx::types::Json;

use super::TABLE;
use crate::store::job::{changed_a_row, named};
use crate::store::{Store, StoreError, knowledge};

/// A document as the ingest job needs it.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its title.
    pub title: String,
    /// What it is written in.
    pub media_type: MediaType,
    /// The text or file as uploaded.
    pub body: Body,
    /// Grows with each replacement.
    pub revision: i32,
}

/// The document to index; `None` if it was deleted meanwhile.
pub async fn source(store: &Store, business_id: &BusinessId, id: DocumentId) -> Result<Option<Source>, StoreError> {
    let query = || async {
        sqlx::query!(
            "select title, media_type, body, file, revision from brand_documents where business_id = $1 and id = $2",
            business_id.as_str(),
            id.0,
        )
        .fetch_optional(&store.pool)
        .await
    };
    let row = store.retry(query).await?;
    row.map(|row| {
        Ok(Source {
            title: row.title,
            media_type: named::<MediaType>(TABLE, &row.media_type)?,
            body: row.file.map_or(Body::Text(row.body), Body::File),
            revision: row.revision,
        })
    })
    .transpose()
}

/// The result of a document's ingest.
#[derive(Debug)]
pub enum Ingested {
    /// Its passages.
    Ready {
        /// In order.
        chunks: Vec<NewChunk>,
        /// Their language, if known.
        language: Option<Language>,
        /// What the document is for, by its text.
        kind: DocumentKind,
        /// What may be wrong with the text.
        warnings: Vec<DocumentWarning>,
    },
    /// The document cannot be used, for this reason, which the client sees.
    Unusable(String),
    /// The document could not be read here, for this reason, which the client sees. It counts as not
    /// read, so that it is read when documents are read again.
    Unread(String),
}

/// Stores an ingest's progress. Does nothing if another lease runs the job.
pub async fn progress(store: &Store, job: &StartedJob, progress: &Progress) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "update jobs set stage = $3, stages_completed = $4, stages_total = $5, updated_at = now()
             where id = $1 and lease_epoch = $2 and status = 'running'",
            job.id.0,
            job.epoch.0,
            progress.stage,
            i16::try_from(progress.completed).unwrap_or(i16::MAX),
            i16::try_from(progress.total).unwrap_or(i16::MAX),
        )
        .execute(&store.pool)
        .await
    };
    store.retry(query).await?;
    Ok(())
}

/// Replaces a document's passages and ends its ingest job, in one transaction fenced by the lease's
/// epoch. A document that was replaced meanwhile is not changed: its new revision has its own job.
/// A warning of its `external_id` stays: no reader knows of it.
pub async fn settle(
    store: &Store,
    job: &StartedJob,
    id: DocumentId,
    revision: i32,
    ingested: &Ingested,
) -> Result<(), StoreError> {
    let settled = store.retry(|| settle_once(store, job, id, revision, ingested)).await?;
    changed_a_row(settled.into())
}

async fn settle_once(
    store: &Store,
    job: &StartedJob,
    id: DocumentId,
    revision: i32,
    ingested: &Ingested,
) -> Result<bool, sqlx::Error> {
    let mut tx = store.pool.begin().await?;
    let (chunks, language, kind, warnings, error) = match ingested {
        Ingested::Ready { chunks, language, kind, warnings } => {
            (chunks.as_slice(), *language, Some(*kind), warnings.as_slice(), None)
        }
        Ingested::Unusable(reason) | Ingested::Unread(reason) => (&[][..], None, None, &[][..], Some(reason)),
    };
    let result =
        error.is_none().then(|| serde_json::json!({ "document_id": id, "chunks": chunks.len(), "warnings": warnings }));
    let ended = sqlx::query!(
        "update jobs set status = case when $4::jsonb is null then 'succeeded' else 'failed' end, result = $3,
                         error = $4, finished_at = now(), updated_at = now(),
                         stages_completed = case when $4::jsonb is null then stages_total else stages_completed end
         where id = $1 and lease_epoch = $2 and status = 'running'",
        job.id.0,
        job.epoch.0,
        result,
        error.map(|reason| Json(unusable(job, reason))) as _,
    )
    .execute(&mut *tx)
    .await?;
    if ended.rows_affected() == 0 {
        return already_settled(&mut tx, job).await;
    }
    let current = sqlx::query!(
        r#"update brand_documents set status = $3, error = $4, language = $5, updated_at = now(),
                kind = case when kind_given then kind else $6 end, reader_version = $8,
                warnings = jsonb_path_query_array(warnings, '$[*] ? (@.code == "same_external_id")') || $7::jsonb
         where id = $1 and revision = $2"#,
        id.0,
        revision,
        if error.is_none() { "ready" } else { "failed" },
        error,
        language.map(Language::as_str),
        kind.map(DocumentKind::as_str),
        Json(warnings) as _,
        (!matches!(ingested, Ingested::Unread(_))).then_some(READER_VERSION),
    )
    .execute(&mut *tx)
    .await?;
    if current.rows_affected() == 1 {
        knowledge::replace(&mut tx, &job.business_id, id, chunks).await?;
        knowledge::count_up(&mut tx, &job.business_id).await?;
    }
    tx.commit().await?;
    Ok(true)
}

fn unusable(job: &StartedJob, reason: &str) -> Problem {
    Problem::new("unusable-document", "The document cannot be used", 422, reason).of_job(job.id)
}

async fn already_settled(tx: &mut sqlx::PgTransaction<'_>, job: &StartedJob) -> Result<bool, sqlx::Error> {
    let row = sqlx::query!(
        "select 1 as one from jobs where id = $1 and lease_epoch = $2 and status in ('succeeded', 'failed')",
        job.id.0,
        job.epoch.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.is_some())
}
