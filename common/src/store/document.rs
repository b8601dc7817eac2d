//! The table `brand_documents`: the sources that a business uploads. Their passages are in
//! [`super::knowledge`].

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::document::{
    Body, Document, DocumentKind, DocumentStatus, DocumentWarning, MediaType, NewDocument,
};
use copydesk_domain::format::Format;
use copydesk_domain::id::DocumentId;
use copydesk_domain::job::NewJob;
use copydesk_domain::language::Language;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use super::audit::Seen;
use super::idempotency::{self, Once, Operation, Scope};
use super::job::{Columns, IdempotencyKey, named};
use super::{Store, StoreError, knowledge};

pub mod ingest;
pub mod kind;
pub mod reread;

const TABLE: &str = "brand_documents";

/// Stores a document and accepts the job that indexes it, in one transaction. `job` gets the
/// document's id: the given one, or that of the document that is replaced. With an idempotency key,
/// the request's `answer` is stored too.
pub async fn put(
    store: &Store,
    document: &NewDocument,
    key: Option<&IdempotencyKey>,
    job: impl Fn(DocumentId) -> NewJob,
    answer: impl Fn(&Document, &NewJob) -> Value,
) -> Result<Once<(Document, NewJob)>, StoreError> {
    let scope = key.map(|key| Scope { operation: Operation::AddDocument, business_id: &document.business_id, key });
    let (job, answer) = (&job, &answer);
    let query = || async {
        let mut tx = store.pool.begin().await?;
        if let Some(scope) = scope
            && let Some(known) = idempotency::claim(&mut tx, scope).await?
        {
            // At once, not when the connection is next used: the next request finds the key free.
            tx.rollback().await?;
            return Ok(known);
        }
        let before = replaced(&mut tx, document).await?;
        let document = upsert(&mut tx, document).await?;
        let job = job(document.id);
        Columns::of([(&job, None)]).insert(&mut *tx).await?;
        if let Some(scope) = scope {
            idempotency::keep(&mut tx, scope, &answer(&document, &job)).await?;
        }
        let after = Some(told(document.kind.map(DocumentKind::as_str), document.size_bytes));
        // Who asked for it did not know which document it is.
        let subject = Some(format!("businesses/{}/documents/{}", document.business_id, document.id));
        store.note(&mut tx, Seen { subject, before, after }).await?;
        tx.commit().await?;
        Ok(Once::Done((document, job)))
    };
    store.retry(query).await
}

/// What the audit log says of a document: nothing that people wrote. The log outlives the business.
fn told(kind: Option<&str>, size_bytes: i32) -> Value {
    json!({ "kind": kind, "size_bytes": size_bytes })
}

/// What the audit log says of the document that is replaced, if there is one.
async fn replaced(tx: &mut sqlx::PgTransaction<'_>, document: &NewDocument) -> Result<Option<Value>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select kind, octet_length(body) + coalesce(octet_length(file), 0) as "size_bytes!"
           from brand_documents where business_id = $1 and external_id = $2 for update"#,
        document.business_id.as_str(),
        document.external_id,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| told(row.kind.as_deref(), row.size_bytes)))
}

async fn upsert(tx: &mut sqlx::PgTransaction<'_>, document: &NewDocument) -> Result<Document, sqlx::Error> {
    let (text, file) = match &document.body {
        Body::Text(text) => (text.as_str(), None),
        Body::File(bytes) => ("", Some(bytes.as_slice())),
    };
    // Only for a document that is replaced: a new one has no other beside it.
    let warnings: Vec<_> = document.is_id_in_other_form.then(DocumentWarning::same_external_id).into_iter().collect();
    let row = sqlx::query_as!(
        DocumentRow,
        r#"insert into brand_documents as d (id, business_id, external_id, title, content_type, media_type, url, body, file,
                                            kind, kind_given)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10::text is not null)
           on conflict (business_id, external_id) do update set
               title = excluded.title, content_type = excluded.content_type, media_type = excluded.media_type,
               kind = case when excluded.kind_given then excluded.kind when d.kind_given then d.kind end,
               kind_given = d.kind_given or excluded.kind_given,
               url = excluded.url, body = excluded.body, file = excluded.file, language = null, warnings = $11,
               reader_version = null, revision = d.revision + 1, status = 'pending', error = null, updated_at = now()
           returning id, business_id, external_id, title, content_type, kind, media_type, url, status, error, language,
                     warnings as "warnings: Json<Vec<DocumentWarning>>", reader_version, 0::int as "chunk_count!", octet_length(body) + coalesce(octet_length(file), 0) as "size_bytes!",
                     created_at, updated_at"#,
        document.id.0,
        document.business_id.as_str(),
        document.external_id,
        document.title,
        document.content_type.map(Format::slug),
        document.media_type.as_str(),
        document.url,
        text,
        file,
        document.kind.map(DocumentKind::as_str),
        Json(warnings) as _,
    )
    .fetch_one(&mut **tx)
    .await?;
    row.try_into().map_err(|error: StoreError| sqlx::Error::Decode(error.into()))
}

struct DocumentRow {
    id: Uuid,
    business_id: String,
    external_id: Option<String>,
    title: String,
    content_type: Option<String>,
    kind: Option<String>,
    media_type: String,
    url: Option<String>,
    status: String,
    error: Option<String>,
    language: Option<String>,
    warnings: Json<Vec<DocumentWarning>>,
    reader_version: Option<i32>,
    chunk_count: i32,
    size_bytes: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<DocumentRow> for Document {
    type Error = StoreError;

    fn try_from(row: DocumentRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: DocumentId(row.id),
            business_id: BusinessId::parse(row.business_id).map_err(|e| StoreError::unreadable(TABLE, e))?,
            external_id: row.external_id,
            title: row.title,
            content_type: row.content_type.as_deref().map(|name| named::<Format>(TABLE, name)).transpose()?,
            kind: row.kind.as_deref().map(|name| named::<DocumentKind>(TABLE, name)).transpose()?,
            media_type: named::<MediaType>(TABLE, &row.media_type)?,
            url: row.url,
            status: named::<DocumentStatus>(TABLE, &row.status)?,
            error: row.error,
            language: row.language.as_deref().map(|name| named::<Language>(TABLE, name)).transpose()?,
            warnings: row.warnings.0,
            reader_version: row.reader_version,
            chunk_count: row.chunk_count,
            size_bytes: row.size_bytes,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Selects documents of a business by a further condition.
macro_rules! documents {
    ($condition:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            DocumentRow,
            r#"select id, business_id, external_id, title, content_type, kind, media_type, url, status, error, language,
                      warnings as "warnings: Json<Vec<DocumentWarning>>", reader_version,
                      (select count(*)::int from chunks where document_id = d.id) as "chunk_count!",
                      octet_length(body) + coalesce(octet_length(file), 0) as "size_bytes!", created_at, updated_at
               from brand_documents d where business_id = $1 and "# + $condition,
            $($argument),*
        )
    };
}

/// A business's documents, newest first: up to `limit`, made before the document `before`.
pub async fn list(
    store: &Store,
    business_id: &BusinessId,
    before: Option<DocumentId>,
    limit: u16,
) -> Result<Vec<Document>, StoreError> {
    let query = || async {
        documents!(
            "id < $2 order by id desc limit $3",
            business_id.as_str(),
            before.map_or(Uuid::max(), |id| id.0),
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(Document::try_from).collect()
}

/// The first document of a business after the document `after`, in the order of their ids.
pub async fn next(store: &Store, business_id: &BusinessId, after: DocumentId) -> Result<Option<Document>, StoreError> {
    let query = || async {
        documents!("id > $2 order by id limit 1", business_id.as_str(), after.0,).fetch_optional(&store.pool).await
    };
    store.retry(query).await?.map(Document::try_from).transpose()
}

/// The business's documents whose texts are of this type, by their own word.
pub async fn of_content_type(
    store: &Store,
    business_id: &BusinessId,
    content_type: Format,
) -> Result<Vec<DocumentId>, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            "select id from brand_documents where business_id = $1 and content_type = $2",
            business_id.as_str(),
            content_type.slug()
        )
        .fetch_all(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.into_iter().map(DocumentId).collect())
}

/// One document of a business.
pub async fn get(store: &Store, business_id: &BusinessId, id: DocumentId) -> Result<Option<Document>, StoreError> {
    let query = || async { documents!("id = $2", business_id.as_str(), id.0,).fetch_optional(&store.pool).await };
    store.retry(query).await?.map(Document::try_from).transpose()
}

/// Sets what a document is for: from then on no rule tells it. `None` if the business has no such document.
pub async fn set_kind(
    store: &Store,
    business_id: &BusinessId,
    id: DocumentId,
    kind: DocumentKind,
) -> Result<Option<Document>, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let before = documents!("id = $2 for update", business_id.as_str(), id.0,).fetch_optional(&mut *tx).await?;
        // Searches know a changed document by the time of its last change.
        sqlx::query!(
            "update brand_documents set kind = $3, kind_given = true, updated_at = now()
             where business_id = $1 and id = $2",
            business_id.as_str(),
            id.0,
            kind.as_str(),
        )
        .execute(&mut *tx)
        .await?;
        let document = documents!("id = $2", business_id.as_str(), id.0,).fetch_optional(&mut *tx).await?;
        if document.is_some() {
            knowledge::count_up(&mut tx, business_id).await?;
            let before = before.map(|document| json!({ "kind": document.kind }));
            let seen = Seen { before, after: Some(json!({ "kind": kind })), ..Seen::default() };
            store.note(&mut tx, seen).await?;
        }
        tx.commit().await?;
        Ok(document)
    };
    store.retry(query).await?.map(Document::try_from).transpose()
}

/// Deletes a document and its passages. False if the business has no such document.
pub async fn delete(store: &Store, business_id: &BusinessId, id: DocumentId) -> Result<bool, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let deleted = sqlx::query!(
            r#"delete from brand_documents where business_id = $1 and id = $2
               returning kind, octet_length(body) + coalesce(octet_length(file), 0) as "size_bytes!""#,
            business_id.as_str(),
            id.0,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = deleted else {
            tx.rollback().await?;
            return Ok(false);
        };
        let before = Some(told(row.kind.as_deref(), row.size_bytes));
        store.note(&mut tx, Seen { before, ..Seen::default() }).await?;
        // The vectors of its passages are deleted too.
        sqlx::query!(
            r"delete from embeddings e where e.business_id = $1 and not exists (
                  select from chunks c where c.business_id = $1
                      and sha256(convert_to(c.heading_path || E'\n' || c.body, 'UTF8')) = e.sha256
              )",
            business_id.as_str()
        )
        .execute(&mut *tx)
        .await?;
        knowledge::count_up(&mut tx, business_id).await?;
        tx.commit().await?;
        Ok(true)
    };
    store.retry(query).await
}
