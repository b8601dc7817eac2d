//! Documents that an older version of the readers read are read again: each gets an ingest job.

use copydesk_domain::business::BusinessId;
use copydesk_domain::document::READER_VERSION;
use copydesk_domain::id::DocumentId;
use copydesk_domain::job::NewJob;

use serde_json::json;

use crate::store::audit::Seen;
use crate::store::job::Columns;
use crate::store::{Store, StoreError};

/// Accepts jobs for up to `limit` of a business's documents, oldest first, all or none. Documents
/// with an open job are left out, and those that a concurrent call has locked are left to it. There
/// is no retry: if the answer to the commit were lost, a retry would take the next documents.
pub async fn many(
    store: &Store,
    business_id: &BusinessId,
    limit: u16,
    job: impl Fn(DocumentId) -> NewJob,
) -> Result<Vec<NewJob>, StoreError> {
    if store.is_breaker_open() {
        return Err(StoreError::BreakerOpen);
    }
    Ok(store.breaker.watched(&store.pool, Box::pin(many_once(store, business_id, limit, job))).await?)
}

async fn many_once(
    store: &Store,
    business_id: &BusinessId,
    limit: u16,
    job: impl Fn(DocumentId) -> NewJob,
) -> Result<Vec<NewJob>, sqlx::Error> {
    let mut tx = store.pool.begin().await?;
    let documents = sqlx::query_scalar!(
        "select id from brand_documents d
         where business_id = $1 and status <> 'pending' and reader_version is distinct from $2
           and not exists (
               select from jobs j where j.finished_at is null and j.kind = 'ingest' and j.business_id = d.business_id
                   and j.payload->>'document_id' = d.id::text
           )
         order by id limit $3 for update skip locked",
        business_id.as_str(),
        READER_VERSION,
        i64::from(limit),
    )
    .fetch_all(&mut *tx)
    .await?;
    let jobs: Vec<NewJob> = documents.into_iter().map(|id| job(DocumentId(id))).collect();
    Columns::of(jobs.iter().map(|job| (job, None))).insert(&mut *tx).await?;
    if !jobs.is_empty() {
        let after = Some(json!({ "documents": jobs.len() }));
        store.note(&mut tx, Seen { after, ..Seen::default() }).await?;
    }
    tx.commit().await?;
    Ok(jobs)
}

/// The number of a business's documents that are still to be read again, counted up to `most`.
/// Those with an open job are among them.
pub async fn count(store: &Store, business_id: &BusinessId, most: u32) -> Result<u64, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from (
                   select from brand_documents
                   where business_id = $1 and status <> 'pending' and reader_version is distinct from $2 limit $3
               ) found"#,
            business_id.as_str(),
            READER_VERSION,
            i64::from(most),
        )
        .fetch_one(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.unsigned_abs())
}
