//! Holders of API keys in tests.

use copydesk_common::key::Secret;
use copydesk_common::store::Store;
use copydesk_common::store::key::{NewKey, create};
use copydesk_domain::access::{Grant, KeyKind, Reach, Scope};
use copydesk_domain::business::BusinessId;
use reqwest::Method;
use serde_json::Value;
use sqlx::PgPool;

use crate::http::RequestBuilder;
use crate::service::{Answer, Service};

/// A key that was made for a test.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) secret: Secret,
}

impl Holder {
    /// A key with these scopes for these businesses; for all if none is named.
    pub(crate) async fn new(pool: &PgPool, scopes: &[Scope], businesses: &[&str]) -> Self {
        Self::limited(pool, scopes, businesses, None).await
    }

    /// The same with its own limit.
    pub(crate) async fn limited(
        pool: &PgPool,
        scopes: &[Scope],
        businesses: &[&str],
        requests_per_minute: Option<u32>,
    ) -> Self {
        let ids = businesses.iter().map(|id| BusinessId::parse(*id).unwrap()).collect();
        let reach = if businesses.is_empty() { Reach::All } else { Reach::Only(ids) };
        let kind = KeyKind::Operator;
        let grant = Grant { kind, scopes: scopes.iter().copied().collect(), reach, expires_at: None };
        let secret = Secret::mint(kind);
        let new = NewKey { name: "a holder".to_owned(), grant, requests_per_minute, created_by: None };
        create(&Store::from_pool(pool.clone()), &new, &secret).await.unwrap();
        Self { secret }
    }

    pub(crate) fn request(&self, service: &Service, method: Method, path: &str) -> RequestBuilder {
        let bearer = format!("Bearer {}", self.secret.expose());
        service.request(method, path).header("authorization", bearer)
    }

    pub(crate) async fn get(&self, service: &Service, path: &str) -> Answer {
        Answer::of(self.request(service, Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, service: &Service, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(service, Method::POST, path).json(body).send().await.unwrap()).await
    }
}
