//! The web search, whoever makes it. What one text of a business asked is there for its others within the
//! hour ([`shared`]).

use std::time::Duration;

use copydesk_common::config::{ProvidersConfig, SearchProvider};
use copydesk_common::money::MicroUsd;
use copydesk_common::quota::{Ask, AskedFor, ProviderName, Quota, Rank};
use copydesk_common::redis::Redis;
use copydesk_domain::business::BusinessId;

use super::call::CallError;
use super::gate::{Gate, Taken, Variables};
use super::searxng::SearxngClient;
use super::tavily::TavilyClient;
use super::web_page::WebPage;
use super::{ClientError, ProviderError};

pub mod shared;

use shared::{SharedPages, Wanted};

/// The longest query, in characters: what Tavily takes.
pub const MAX_QUERY_CHARS: usize = 400;

/// The web search.
#[derive(Debug)]
pub struct Search {
    engine: Engine,
    gate: Gate,
    shared: SharedPages,
    cost: MicroUsd,
}

#[derive(Debug)]
enum Engine {
    Tavily(TavilyClient),
    Searxng(SearxngClient),
}

impl Engine {
    async fn search(&self, query: &str, language: &str, timeout: Duration) -> Result<Vec<WebPage>, CallError> {
        match self {
            Self::Tavily(client) => client.search(query, timeout).await,
            Self::Searxng(client) => client.search(query, language, timeout).await,
        }
    }
}

impl Search {
    /// `None` where no key was given for a provider that needs one.
    pub(super) fn new(
        config: &ProvidersConfig,
        http: reqwest::Client,
        quota: Option<Quota>,
        redis: &Redis,
    ) -> Result<Option<Self>, ClientError> {
        let (Some(provider), Some(quota)) = (config.search(), quota) else { return Ok(None) };
        let url = &config.search_base_url;
        let engine = match provider {
            SearchProvider::Tavily => Engine::Tavily(TavilyClient::new(http, url, config.tavily_api_key.as_ref())?),
            SearchProvider::Searxng => Engine::Searxng(SearxngClient::new(http, url)),
        };
        let key = match provider {
            SearchProvider::Tavily => "TAVILY_API_KEY",
            SearchProvider::Searxng => "search.formats in its settings.yml, which must hold json",
        };
        let address = "COPYDESK_SEARCH_BASE_URL";
        let gate = Gate::new(quota, Variables { key, target: address, address });
        let shared = SharedPages::new(redis, provider.as_str());
        Ok(Some(Self { engine, gate, shared, cost: config.search_cost() }))
    }

    /// What a business asks, to be looked for among what it asked before.
    pub fn wanted(&self, business_id: &BusinessId, query: &str, language: &str) -> Wanted {
        self.shared.wanted(business_id, query, language)
    }

    /// One search, at most `timeout` long, for pages in a language (BCP 47) where the provider minds it.
    pub async fn search(
        &self,
        rank: Rank,
        asked_for: AskedFor,
        timeout: Duration,
        query: &str,
        language: &str,
    ) -> Result<Vec<WebPage>, ProviderError> {
        let ask = Ask { cost: self.cost, asked_for, ..rank.into() };
        let took = |_: &Vec<WebPage>| Taken { cost: Some(self.cost), ..Taken::default() };
        self.gate.call(ask, self.engine.search(query, language, timeout), took).await
    }

    /// Its name in quotas, usage and metrics.
    pub fn provider(&self) -> &ProviderName {
        self.gate.provider()
    }

    /// What a search costs.
    pub fn cost(&self) -> MicroUsd {
        self.cost
    }
}
