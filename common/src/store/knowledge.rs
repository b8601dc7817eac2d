//! The tables `chunks` and `knowledge_versions`: the passages of a business's documents, and the
//! version that grows with each change of them.

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::document::{Chunk, DocumentKind, NewChunk};
use copydesk_domain::id::DocumentId;
use copydesk_domain::language::Language;
use uuid::Uuid;

use super::job::named;
use super::{Store, StoreError};

/// The version of a business's passages. It grows with every change; 0 if there never were any.
pub async fn version(store: &Store, business_id: &BusinessId) -> Result<i64, StoreError> {
    let query = || async {
        sqlx::query!("select version from knowledge_versions where business_id = $1", business_id.as_str())
            .fetch_optional(&store.pool)
            .await
    };
    Ok(store.retry(query).await?.map_or(0, |row| row.version))
}

/// The state of a document when its passages were read. It differs after each change of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision {
    /// Grows with each replacement of the document.
    pub number: i32,
    /// When its row last changed, also by the ingest of this revision.
    pub updated_at: DateTime<Utc>,
}

/// The documents of a business that have passages, at one moment.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The version of the business's knowledge then.
    pub version: i64,
    /// Each document and its revision then.
    pub documents: Vec<(DocumentId, Revision)>,
}

/// Lists the documents of a business that have passages.
pub async fn manifest(store: &Store, business_id: &BusinessId) -> Result<Manifest, StoreError> {
    let query = || async {
        // Returns one row of arrays: thousands of documents take one or two milliseconds.
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

/// A stored passage with its hash and revision.
#[derive(Debug, Clone)]
pub struct StoredChunk {
    /// The passage.
    pub chunk: Chunk,
    /// The hash of its text. Passages of a business with the same hash are equal.
    pub sha256: [u8; 32],
    /// The revision of its document.
    pub revision: Revision,
}

impl StoredChunk {
    /// Its document and that document's revision.
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
            "select c.document_id, c.ordinal, c.heading_path, c.body, c.sha256, d.title, d.url, d.language, d.kind,
                    d.revision, d.updated_at
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
            kind: row.kind,
        };
        Ok(StoredChunk { chunk: chunk.try_into()?, sha256, revision })
    });
    stored.collect()
}

/// Every passage of a business. A passage that several documents share is returned once.
pub async fn chunks(store: &Store, business_id: &BusinessId) -> Result<Vec<Chunk>, StoreError> {
    let query = || async {
        sqlx::query_as!(
            ChunkRow,
            r#"select distinct on (c.sha256) c.document_id, c.ordinal, c.heading_path, c.body, d.title, d.url, d.language, d.kind
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

/// The passages of a business at these positions (document and ordinal), in the same order. Empty
/// if its knowledge has another version by now.
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
            r#"select c.document_id, c.ordinal, c.heading_path, c.body, d.title, d.url, d.language, d.kind
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
    kind: Option<String>,
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
            language: row.language.as_deref().map(|name| named::<Language>("brand_documents", name)).transpose()?,
            kind: row.kind.as_deref().map_or(Ok(DocumentKind::Other), |name| named("brand_documents", name))?,
        })
    }
}

/// Increments a business's version because its vectors changed, although its passages did not. A business without a
/// version has no passages.
pub async fn changed(store: &Store, business_id: &BusinessId) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!("update knowledge_versions set version = version + 1 where business_id = $1", business_id.as_str())
            .execute(&store.pool)
            .await
    };
    store.retry(query).await?;
    Ok(())
}

/// Increments the version, in the transaction that changes passages. The first one is the time in µs: a business that
/// was erased and is used again must not get a version that it had before, for which a process may keep an index.
pub(super) async fn count_up(tx: &mut sqlx::PgTransaction<'_>, business_id: &BusinessId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into knowledge_versions as k (business_id, version)
         values ($1, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
         on conflict (business_id) do update set version = k.version + 1",
        business_id.as_str()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Replaces a document's passages.
pub(super) async fn replace(
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
