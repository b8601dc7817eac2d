//! Documents of which nobody has told yet what they are for: from before there were kinds, or read by a worker of the
//! release before.

use copydesk_domain::business::BusinessId;
use copydesk_domain::document::DocumentKind;
use copydesk_domain::id::DocumentId;

use super::TABLE;
use crate::store::{Store, StoreError, knowledge};

/// Passages by which a document is told: its beginning.
const PASSAGES: i32 = 40;

/// A document that is still to be told.
#[derive(Debug, Clone)]
pub struct Untold {
    /// The document.
    pub id: DocumentId,
    /// Whose it is.
    pub business_id: BusinessId,
    /// Its title.
    pub title: String,
    /// Its text from the beginning, with the headings.
    pub text: String,
    /// Its revision.
    revision: i32,
}

/// The first `limit` documents that are still to be told.
pub async fn untold(store: &Store, limit: u16) -> Result<Vec<Untold>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select d.id, d.business_id, d.title, d.revision,
                      coalesce(string_agg('# ' || c.heading_path || E'\n\n' || c.body, E'\n\n' order by c.ordinal), '')
                          as "text!"
               from (select id, business_id, title, revision from brand_documents
                     where kind is null and status = 'ready' order by id limit $1) d
               left join chunks c on c.document_id = d.id and c.ordinal < $2
               group by d.id, d.business_id, d.title, d.revision"#,
            i64::from(limit),
            PASSAGES,
        )
        .fetch_all(&store.pool)
        .await
    };
    let untold = store.retry(query).await?.into_iter().map(|row| {
        Ok(Untold {
            id: DocumentId(row.id),
            business_id: BusinessId::parse(row.business_id).map_err(|error| StoreError::unreadable(TABLE, error))?,
            title: row.title,
            text: row.text,
            revision: row.revision,
        })
    });
    untold.collect()
}

/// Stores what a document is for, unless it was told, replaced or deleted meanwhile.
pub async fn tell(store: &Store, untold: &Untold, kind: DocumentKind) -> Result<(), StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let told = sqlx::query!(
            "update brand_documents set kind = $3, updated_at = now()
             where id = $1 and revision = $2 and kind is null and status = 'ready'",
            untold.id.0,
            untold.revision,
            kind.as_str(),
        )
        .execute(&mut *tx)
        .await?;
        if told.rows_affected() == 1 {
            knowledge::count_up(&mut tx, &untold.business_id).await?;
        }
        tx.commit().await
    };
    store.retry(query).await
}
