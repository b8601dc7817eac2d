//! A client of SearXNG, which asks other search engines.

use std::time::Duration;

use copydesk_common::config::SecretUrl;
use serde_json::Value;

use super::call::{self, CallError};
use super::web_page::{self, WebPage};

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct SearxngClient {
    http: reqwest::Client,
    url: SecretUrl,
}

impl SearxngClient {
    pub(super) fn new(http: reqwest::Client, base_url: &SecretUrl) -> Self {
        Self { http, url: base_url.endpoint("search") }
    }

    pub(super) async fn search(
        &self,
        query: &str,
        language: &str,
        timeout: Duration,
    ) -> Result<Vec<WebPage>, CallError> {
        let parameters = [("q", query), ("format", "json"), ("language", language), ("safesearch", "1")];
        let sent = self.http.get(self.url.expose().clone()).query(&parameters);
        let answer = call::send(sent, timeout, "results").await?;
        let pages = web_page::all(&answer)?;
        // Nothing, because nobody was asked: that is no answer.
        let silent = answer.get("unresponsive_engines").and_then(Value::as_array);
        if pages.is_empty() && silent.is_some_and(|engines| !engines.is_empty()) {
            return Err(CallError::NoEngine);
        }
        Ok(pages)
    }
}
