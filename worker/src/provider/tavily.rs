//! A client of Tavily's web search.

use std::time::Duration;

use copydesk_common::config::SecretUrl;
use secrecy::SecretString;
use serde::Serialize;

use super::ClientError;
use super::call::{self, CallError, Endpoint};
use super::web_page::{self, WebPage};

/// Results asked for: more than are used, since some say the same.
const MAX_RESULTS: u8 = 8;

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct TavilyClient(Endpoint);

impl TavilyClient {
    pub(super) fn new(
        http: reqwest::Client,
        base_url: &SecretUrl,
        key: Option<&SecretString>,
    ) -> Result<Self, ClientError> {
        Endpoint::new(http, base_url, "search", key, "TAVILY_API_KEY").map(Self)
    }

    pub(super) async fn search(&self, query: &str, timeout: Duration) -> Result<Vec<WebPage>, CallError> {
        let body = WireQuery { query, search_depth: "basic", max_results: MAX_RESULTS };
        web_page::all(&call::send(self.0.post(&body), timeout, "results").await?)
    }
}

#[derive(Serialize)]
struct WireQuery<'a> {
    query: &'a str,
    search_depth: &'static str,
    max_results: u8,
}
