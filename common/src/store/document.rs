//! The tables `brand_documents`, `chunks` and `knowledge_versions`: what a business gives us to
//! write from.

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::document::{Body, Chunk, Document, DocumentStatus, MediaType, NewChunk, NewDocument};
use copydesk_domain::format::Format;
use copydesk_domain::id::DocumentId;
use copydesk_domain::job::{NewJob, Progress, StartedJob};
use copydesk_domain::language::Language;
use copydesk_domain::problem::Problem;
use sqlx::types::Json;
use uuid::Uuid;

use super::idempotency::{self, Once, Operation, Scope};
use super::job::{Columns, IdempotencyKey, changed_a_row, named};
use super::{Store, StoreError};

const TABLE: &str = "brand_documents";

/// Stores a document and accepts the job that indexes it, in one transaction. `job` is made from
/// the document's id: the given one, or that of the document which it replaces. With a key, the
/// request's `answer` is kept with them.
pub async fn put(
    store: &Store,
    document: &NewDocument,
    key: Option<&IdempotencyKey>,
    job: impl Fn(DocumentId) -> NewJob,
    answer: impl Fn(&Document, &NewJob) -> serde_json::Value,
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
        let document = upsert(&mut tx, document).await?;
        let job = job(document.id);
        Columns::of([(&job, None)]).insert(&mut *tx).await?;
        if let Some(scope) = scope {
            idempotency::keep(&mut tx, scope, &answer(&document, &job)).await?;
        }
        tx.commit().await?;
        Ok(Once::Done((document, job)))
    };
    store.retry(query).await
}

async fn upsert(tx: &mut sqlx::PgTransaction<'_>, document: &NewDocument) -> Result<Document, sqlx::Error> {
    let (text, file) = match &document.body {
        Body::Text(text) => (text.as_str(), None),
        Body::File(bytes) => ("", Some(bytes.as_slice())),
    };
    let row = sqlx::query_as!(
        DocumentRow,
        r#"insert into brand_documents as d (id, business_id, external_id, title, content_type, media_type, url, body, file)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           on conflict (business_id, external_id) do update set
               title = excluded.title, content_type = excluded.content_type, media_type = excluded.media_type,
               url = excluded.url, body = excluded.body, file = excluded.file, language = null, revision = d.revision + 1, status = 'pending', error = null,
               updated_at = now()
           returning id, business_id, external_id, title, content_type, media_type, url, status, error, language,
                     0::int as "chunk_count!", octet_length(body) + coalesce(octet_length(file), 0) as "size_bytes!",
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
    media_type: String,
    url: Option<String>,
    status: String,
    error: Option<String>,
    language: Option<String>,
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
            media_type: named::<MediaType>(TABLE, &row.media_type)?,
            url: row.url,
            status: named::<DocumentStatus>(TABLE, &row.status)?,
            error: row.error,
            language: row.language.as_deref().map(|name| named::<Language>(TABLE, name)).transpose()?,
            chunk_count: row.chunk_count,
            size_bytes: row.size_bytes,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// A business's documents, newest first: up to `limit`, those made before the document `before`.
pub async fn list(
    store: &Store,
    business_id: &BusinessId,
    before: Option<DocumentId>,
    limit: u16,
) -> Result<Vec<Document>, StoreError> {
    let query = || async {
        sqlx::query_as!(
            DocumentRow,
            r#"select id, business_id, external_id, title, content_type, media_type, url, status, error, language,
                      (select count(*)::int from chunks where document_id = d.id) as "chunk_count!",
                      octet_length(body) + coalesce(octet_length(file), 0) as "size_bytes!", created_at, updated_at
               from brand_documents d where business_id = $1 and id < $2
               order by id desc limit $3"#,
            business_id.as_str(),
            before.map_or(Uuid::max(), |id| id.0),
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(Document::try_from).collect()
}

/// One document of a business.
pub async fn get(store: &Store, business_id: &BusinessId, id: DocumentId) -> Result<Option<Document>, StoreError> {
    let query = || async {
        sqlx::query_as!(
            DocumentRow,
            r#"select id, business_id, external_id, title, content_type, media_type, url, status, error, language,
                      (select count(*)::int from chunks where document_id = d.id) as "chunk_count!",
                      octet_length(body) + coalesce(octet_length(file), 0) as "size_bytes!", created_at, updated_at
               from brand_documents d where business_id = $1 and id = $2"#,
            business_id.as_str(),
            id.0,
        )
        .fetch_optional(&store.pool)
        .await
    };
    store.retry(query).await?.map(Document::try_from).transpose()
}

/// Deletes a document and its passages. False where the business has no such document.
pub async fn delete(store: &Store, business_id: &BusinessId, id: DocumentId) -> Result<bool, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let deleted =
            sqlx::query!("delete from brand_documents where business_id = $1 and id = $2", business_id.as_str(), id.0)
                .execute(&mut *tx)
                .await?;
        // Vectors speak of the passages that they were made from: they go with them.
        sqlx::query!(
            r"delete from embeddings e where e.business_id = $1 and not exists (
                  select from chunks c where c.business_id = $1
                      and sha256(convert_to(c.heading_path || E'\n' || c.body, 'UTF8')) = e.sha256
              )",
            business_id.as_str()
        )
        .execute(&mut *tx)
        .await?;
        bump_version(&mut tx, business_id).await?;
        tx.commit().await?;
        Ok(deleted.rows_affected() == 1)
    };
    store.retry(query).await
}

/// A document as the ingest job needs it.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its title.
    pub title: String,
    /// What it is written in.
    pub media_type: MediaType,
    /// The text or file as uploaded.
    pub body: Body,
    /// Counts up with each replacement.
    pub revision: i32,
}

/// What is to be indexed; `None` where the document was deleted meanwhile.
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

/// How the ingest of a document ended.
#[derive(Debug)]
pub enum Ingested {
    /// Its passages.
    Ready {
        /// In order.
        chunks: Vec<NewChunk>,
        /// The language that they are in, where it is known.
        language: Option<Language>,
    },
    /// Why it cannot be used, for the client.
    Unusable(String),
}

/// Says how far an ingest has come. Does nothing where another lease runs the job.
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
/// epoch. A document that was replaced meanwhile is left to the job of its new revision.
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
    let (chunks, language, error) = match ingested {
        Ingested::Ready { chunks, language } => (chunks.as_slice(), *language, None),
        Ingested::Unusable(reason) => (&[][..], None, Some(reason)),
    };
    let result = error.is_none().then(|| serde_json::json!({ "document_id": id, "chunks": chunks.len() }));
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
        "update brand_documents set status = $3, error = $4, language = $5, updated_at = now()
         where id = $1 and revision = $2",
        id.0,
        revision,
        if error.is_none() { "ready" } else { "failed" },
        error,
        language.map(Language::as_str),
    )
    .execute(&mut *tx)
    .await?;
    if current.rows_affected() == 1 {
        replace_chunks(&mut tx, &job.business_id, id, chunks).await?;
        bump_version(&mut tx, &job.business_id).await?;
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

async fn replace_chunks(
    tx: &mut sqlx::PgTransaction<'_>,
    business_id: &BusinessId,
    id: DocumentId,
    chunks: &[NewChunk],
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from chunks where document_id = $1", id.0).execute(&mut **tx).await?;
    let headings: Vec<String> = chunks.iter().map(|chunk| chunk.heading_path.clone()).collect();
    let bodies: Vec<String> = chunks.iter().map(|chunk| chunk.text.clone()).collect();
    let hashes: Vec<Vec<u8>> = chunks.iter().map(|chunk| chunk.sha256.to_vec()).collect();
    sqlx::query!(
        "insert into chunks (document_id, ordinal, business_id, heading_path, body, sha256)
         select $1, ordinality - 1, $2, heading_path, body, sha256
         from unnest($3::text[], $4::text[], $5::bytea[]) with ordinality as t (heading_path, body, sha256, ordinality)",
        id.0,
        business_id.as_str(),
        &headings,
        &bodies,
        &hashes,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn bump_version(tx: &mut sqlx::PgTransaction<'_>, business_id: &BusinessId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into knowledge_versions as k (business_id, version) values ($1, 1)
         on conflict (business_id) do update set version = k.version + 1",
        business_id.as_str()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Says that what is known of a business's passages changed, though they did not: their vectors came.
pub async fn changed(store: &Store, business_id: &BusinessId) -> Result<(), StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        bump_version(&mut tx, business_id).await?;
        tx.commit().await
    };
    store.retry(query).await
}

/// The version of a business's passages: it counts up with every change, 0 where there never were
/// any.
pub async fn knowledge_version(store: &Store, business_id: &BusinessId) -> Result<i64, StoreError> {
    let query = || async {
        sqlx::query!("select version from knowledge_versions where business_id = $1", business_id.as_str())
            .fetch_optional(&store.pool)
            .await
    };
    Ok(store.retry(query).await?.map_or(0, |row| row.version))
}

/// How a document stood when its passages were read: with each change of them it is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision {
    /// Counts up with each replacement of the document.
    pub number: i32,
    /// When its row last changed: also when passages were made of this revision.
    pub updated_at: DateTime<Utc>,
}

/// The documents of a business that passages are read from, at one moment.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The version of the business's knowledge then.
    pub version: i64,
    /// Each document, and how it stood then.
    pub documents: Vec<(DocumentId, Revision)>,
}

/// Which documents of a business there are to read passages from.
pub async fn manifest(store: &Store, business_id: &BusinessId) -> Result<Manifest, StoreError> {
    let query = || async {
        // One row of arrays: thousands of documents take a millisecond or two.
        sqlx::query!(
            r#"select coalesce((select version from knowledge_versions where business_id = $1), 0) as "version!",
                      coalesce(array_agg(id), '{}') as "ids!", coalesce(array_agg(revision), '{}') as "revisions!",
                      coalesce(array_agg(updated_at), '{}') as "updated_at!"
               from brand_documents where business_id = $1 and status = 'ready'"#,
            business_id.as_str()
        )
        .fetch_one(&store.pool)
        .await
    };
    let row = store.retry(query).await?;
    let revisions = row.revisions.into_iter().zip(row.updated_at);
    let revisions = revisions.map(|(number, updated_at)| Revision { number, updated_at });
    let documents = row.ids.into_iter().map(DocumentId).zip(revisions).collect();
    Ok(Manifest { version: row.version, documents })
}

/// A passage as it is stored, with what tells it from others.
#[derive(Debug, Clone)]
pub struct StoredChunk {
    /// The passage.
    pub chunk: Chunk,
    /// Of its text: a business's passages of one hash are the same.
    pub sha256: [u8; 32],
    /// How its document stood.
    pub revision: Revision,
}

impl StoredChunk {
    /// Its document, and how that stood.
    pub fn document(&self) -> (DocumentId, Revision) {
        (self.chunk.document_id, self.revision)
    }
}

/// Every passage of these documents of a business.
pub async fn chunks_of(
    store: &Store,
    business_id: &BusinessId,
    documents: &[DocumentId],
) -> Result<Vec<StoredChunk>, StoreError> {
    let documents: Vec<Uuid> = documents.iter().map(|id| id.0).collect();
    let query = || async {
        sqlx::query!(
            "select c.document_id, c.ordinal, c.heading_path, c.body, c.sha256, d.title, d.url, d.language, d.revision,
                    d.updated_at
             from chunks c join brand_documents d on d.id = c.document_id
             where d.id = any($2) and c.business_id = $1 and d.business_id = $1 and d.status = 'ready'",
            business_id.as_str(),
            &documents,
        )
        .fetch_all(&store.pool)
        .await
    };
    let stored = store.retry(query).await?.into_iter().map(|row| {
        let sha256 = row.sha256.try_into().map_err(|_| StoreError::unreadable("chunks", "a hash of another length"))?;
        let revision = Revision { number: row.revision, updated_at: row.updated_at };
        let chunk = ChunkRow {
            document_id: row.document_id,
            ordinal: row.ordinal,
            heading_path: row.heading_path,
            body: row.body,
            title: row.title,
            url: row.url,
            language: row.language,
        };
        Ok(StoredChunk { chunk: chunk.try_into()?, sha256, revision })
    });
    stored.collect()
}

/// Every passage of a business, the same passage of several documents once.
pub async fn chunks(store: &Store, business_id: &BusinessId) -> Result<Vec<Chunk>, StoreError> {
    let query = || async {
        sqlx::query_as!(
            ChunkRow,
            r#"select distinct on (c.sha256) c.document_id, c.ordinal, c.heading_path, c.body, d.title, d.url, d.language
               from chunks c join brand_documents d on d.id = c.document_id
               where c.business_id = $1 and d.business_id = $1 and d.status = 'ready'
               order by c.sha256, c.document_id, c.ordinal"#,
            business_id.as_str()
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(Chunk::try_from).collect()
}

/// The passages of a business that stand at these places, document and ordinal, in their order; none where its
/// knowledge is at another version by now.
pub async fn chunks_at(
    store: &Store,
    business_id: &BusinessId,
    version: i64,
    places: &[(DocumentId, i32)],
) -> Result<Vec<Chunk>, StoreError> {
    let (documents, ordinals): (Vec<_>, Vec<_>) = places.iter().map(|(id, ordinal)| (id.0, *ordinal)).unzip();
    let query = || async {
        sqlx::query_as!(
            ChunkRow,
            r#"select c.document_id, c.ordinal, c.heading_path, c.body, d.title, d.url, d.language
               from unnest($3::uuid[], $4::int[]) with ordinality as place (document_id, ordinal, rank)
               join chunks c on c.document_id = place.document_id and c.ordinal = place.ordinal
               join brand_documents d on d.id = c.document_id
               where c.business_id = $1 and d.business_id = $1 and d.status = 'ready'
                   and exists (select from knowledge_versions where business_id = $1 and version = $2)
               order by place.rank"#,
            business_id.as_str(),
            version,
            &documents,
            &ordinals,
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(Chunk::try_from).collect()
}

struct ChunkRow {
    document_id: Uuid,
    ordinal: i32,
    heading_path: String,
    body: String,
    title: String,
    url: Option<String>,
    language: Option<String>,
}

impl TryFrom<ChunkRow> for Chunk {
    type Error = StoreError;

    fn try_from(row: ChunkRow) -> Result<Self, StoreError> {
        Ok(Self {
            document_id: DocumentId(row.document_id),
            ordinal: row.ordinal,
            heading_path: row.heading_path,
            text: row.body,
            title: row.title,
            url: row.url,
            language: row.language.as_deref().map(|name| named::<Language>(TABLE, name)).transpose()?,
        })
    }
}
