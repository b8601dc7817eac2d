//! The table `embeddings`: vectors of passages by the hash of their input. The worker makes them.

use std::collections::HashSet;

use copydesk_domain::business::BusinessId;

use super::{Store, StoreError};
use crate::embedding::{InputHash, Vector};

/// Which of these passages of a business have a vector of a model.
pub async fn known(
    store: &Store,
    business_id: &BusinessId,
    model: &str,
    dimension: Option<usize>,
    hashes: &[InputHash],
) -> Result<HashSet<InputHash>, StoreError> {
    let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.0.to_vec()).collect();
    let dimension = dimension.map(|dimension| i32::try_from(dimension).unwrap_or(i32::MAX));
    let query = || async {
        sqlx::query_scalar!(
            "select sha256 from embeddings
             where business_id = $1 and model = $2 and ($3::int is null or dimension = $3) and sha256 = any($4)",
            business_id.as_str(),
            model,
            dimension,
            &hashes
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(hash).collect()
}

/// Stores vectors of a model, replacing earlier ones. All must have the same dimension. Nothing is stored for a business
/// without documents: it was erased meanwhile, or its last document was deleted.
pub async fn put(
    store: &Store,
    business_id: &BusinessId,
    model: &str,
    vectors: &[(InputHash, Vector)],
) -> Result<(), StoreError> {
    let Some(dimension) = vectors.first().map(|(_, vector)| vector.dimension()) else { return Ok(()) };
    let hashes: Vec<Vec<u8>> = vectors.iter().map(|(hash, _)| hash.0.to_vec()).collect();
    let bytes: Vec<Vec<u8>> = vectors.iter().map(|(_, vector)| vector.to_bytes()).collect();
    let query = || async {
        sqlx::query!(
            "insert into embeddings (business_id, model, sha256, dimension, vector)
             select distinct on (sha256) $1, $2, sha256, $3, vector from unnest($4::bytea[], $5::bytea[]) as t (sha256, vector)
             where exists (select from brand_documents where business_id = $1)
             on conflict (business_id, model, sha256) do update set
                 dimension = excluded.dimension, vector = excluded.vector, created_at = now()",
            business_id.as_str(),
            model,
            i32::try_from(dimension).unwrap_or(i32::MAX),
            &hashes,
            &bytes,
        )
        .execute(&store.pool)
        .await
    };
    store.retry(query).await?;
    Ok(())
}

/// Vectors of a business's passages by one model.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The dimension of the newest vectors; `None` if there are none. If the model behind a name
    /// was replaced by one with another dimension, older vectors cannot be compared with newer
    /// ones.
    pub dimension: Option<usize>,
    /// The requested vectors that have this dimension.
    pub vectors: Vec<(InputHash, Vector)>,
}

/// The vectors of a model for these passages of a business.
pub async fn of(
    store: &Store,
    business_id: &BusinessId,
    model: &str,
    hashes: &[InputHash],
) -> Result<Known, StoreError> {
    let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.0.to_vec()).collect();
    let query = || async {
        sqlx::query!(
            r#"select latest.dimension, e.sha256 as "sha256?", e.vector as "vector?"
               from (
                   select dimension from embeddings where business_id = $1 and model = $2
                   order by created_at desc, sha256 limit 1
               ) latest
               left join embeddings e on e.business_id = $1 and e.model = $2 and e.sha256 = any($3)
                   and e.dimension = latest.dimension"#,
            business_id.as_str(),
            model,
            &hashes,
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?;
    let dimension = rows.first().and_then(|row| usize::try_from(row.dimension).ok());
    let known = rows.into_iter().filter_map(|row| row.sha256.zip(row.vector));
    let vectors = known.map(|(sha256, vector)| {
        let vector = Vector::from_bytes(&vector).map_err(|error| StoreError::unreadable("embeddings", error))?;
        Ok((hash(sha256)?, vector))
    });
    Ok(Known { dimension, vectors: vectors.collect::<Result<_, StoreError>>()? })
}

fn hash(bytes: Vec<u8>) -> Result<InputHash, StoreError> {
    let bytes = <[u8; 32]>::try_from(bytes)
        .map_err(|bytes| StoreError::unreadable("embeddings", format!("a hash of {} bytes", bytes.len())))?;
    Ok(InputHash(bytes))
}
