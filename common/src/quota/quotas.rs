//! The quotas of all providers, as they are configured.

use super::{Budget, Policy, Quota};
use crate::config::ProvidersConfig;
use crate::money::MicroUsd;
use crate::redis::Redis;

/// The quotas of the configured providers: what workers ask, and what the API shows.
#[derive(Debug, Clone)]
pub struct Quotas {
    /// The LLM, by the model that writes.
    pub writer: Quota,
    /// The LLM, by the model that reviews.
    pub reviewer: Quota,
    /// The LLM, by the models that stand in for these: their names, in order.
    pub fallbacks: Vec<(String, Quota)>,
    /// The web search, where there is one.
    pub search: Option<Quota>,
    /// The search by meaning, where there is one.
    pub embeddings: Option<Quota>,
}

impl Quotas {
    /// The embeddings provider's name in quotas, usage and metrics.
    pub const EMBEDDINGS: &str = "embeddings";

    /// The quotas as they are configured.
    pub fn new(redis: &Redis, config: &ProvidersConfig) -> Self {
        let some = |limit: u32| (limit > 0).then_some(limit);
        let some_usd = |limit: f64| (limit > 0.0).then(|| MicroUsd::from_usd(limit));
        let budget = Budget {
            calls_per_day: some(config.business_calls_per_day),
            usd_per_day: some_usd(config.business_usd_per_day),
        };
        let llm = Policy {
            tokens: some(config.llm_tokens_per_minute),
            per_day: some(config.llm_requests_per_day),
            tokens_per_day: some(config.llm_tokens_per_day),
            at_once: some(config.llm_concurrency),
            usd_per_day: some_usd(config.llm_usd_per_day),
            budget,
            setbacks: config.max_setbacks.into(),
            ..Policy::per_minute(config.llm_requests_per_minute(), config.call_timeout())
        };
        let search = Policy {
            usd_per_day: some_usd(config.search_usd_per_day),
            budget,
            setbacks: config.max_setbacks.into(),
            ..Policy::per_minute(config.search_requests_per_minute, config.call_timeout())
        };
        let embeddings = config.embeddings.target().map(|(_, model)| {
            let requests_per_minute = config.embeddings.requests_per_minute;
            let policy = Policy {
                budget,
                setbacks: config.max_setbacks.into(),
                ..Policy::per_minute(requests_per_minute, config.call_timeout())
            };
            Quota::new(redis, Self::EMBEDDINGS, model, policy)
        });
        let figures = config.model_limits();
        let llm_name = config.llm_name();
        let model = |name: &str| match figures.of(name) {
            Some(own) => Quota::of_model(redis, &llm_name, name, llm.with(own)),
            None => Quota::new(redis, &llm_name, name, llm),
        };
        Self {
            writer: model(&config.llm_model),
            reviewer: model(config.review_model()),
            fallbacks: config.fallback_models().map(|name| (name.to_owned(), model(name))).collect(),
            search: config.search().map(|provider| Quota::new(redis, provider.as_str(), "search", search)),
            embeddings,
        }
    }
}
