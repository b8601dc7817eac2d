//! The API key of this run: every client of a measurement or a fault sends it, as clients do.

use std::sync::LazyLock;

use anyhow::Context as _;
use copydesk_common::key::Secret;
use copydesk_common::store::Store;
use copydesk_common::store::key::{self, NewKey};
use copydesk_domain::access::{Grant, KeyKind};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use sqlx::PgPool;

static SECRET: LazyLock<Secret> = LazyLock::new(|| Secret::mint(KeyKind::Operator));

/// Makes the key count in a database.
pub(crate) async fn install(pool: &PgPool) -> anyhow::Result<()> {
    // A run is limited by what it measures, not by its key.
    let new = NewKey {
        name: "bench".to_owned(),
        grant: Grant::everything(),
        requests_per_minute: Some(1_000_000_000),
        created_by: None,
    };
    key::create(&Store::from_pool(pool.clone()), &new, &SECRET).await.context("the key could not be made")?;
    Ok(())
}

/// The header that sends it, for heads that are written by hand.
pub(crate) fn line(secret: &Secret) -> String {
    format!("authorization: Bearer {}", secret.expose())
}

/// The secret itself.
pub(crate) fn secret() -> &'static Secret {
    &SECRET
}

/// The value of the header that sends it.
pub(crate) fn header() -> HeaderValue {
    // A secret is of letters, digits and `_`.
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", SECRET.expose())).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// Clients that send it.
pub(crate) fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder().default_headers(HeaderMap::from_iter([(AUTHORIZATION, header())]))
}
