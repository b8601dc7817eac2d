//! A walk over all jobs of a business, in the order of acceptance.

use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;

use super::named;
use crate::store::{Store, StoreError};

/// Up to `limit` jobs of these kinds after the job `after`, the oldest first; without open ones unless `with_open`.
pub(in crate::store) async fn after(
    store: &Store,
    business_id: &BusinessId,
    kinds: &[&str],
    with_open: bool,
    after: JobId,
    limit: u16,
) -> Result<Vec<(JobKind, JobId)>, StoreError> {
    let query = || async {
        // Each job is in one of four indexes: see the lists of jobs.
        sqlx::query!(
            r#"select j.id as "id!", j.kind as "kind!"
               from unnest($2::text[]) as k (kind) cross join lateral (
                   (select id, kind from jobs
                    where business_id = any($1) and kind = k.kind and id > $3 and $5 and finished_at is null
                    order by business_id, kind, id limit $4)
                   union all
                   (select id, kind from jobs
                    where business_id = any($1) and kind = k.kind and id > $3
                      and finished_at is not null and error is null and cancelled_at is null
                    order by business_id, kind, id limit $4)
                   union all
                   (select id, kind from jobs
                    where business_id = any($1) and kind = k.kind and id > $3 and error is not null
                    order by business_id, kind, id limit $4)
                   union all
                   (select id, kind from jobs
                    where business_id = any($1) and kind = k.kind and id > $3 and cancelled_at is not null
                    order by business_id, kind, id limit $4)
               ) j
               order by j.id limit $4"#,
            &[business_id.as_str()] as &[&str],
            kinds as &[&str],
            after.0,
            i64::from(limit),
            with_open,
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(|row| Ok((named("jobs", &row.kind)?, JobId(row.id)))).collect()
}
