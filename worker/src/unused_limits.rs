//! Limits that an operator set for a provider which is called by another name now: they bind
//! nobody, which should not go unnoticed.

use std::error::Error;

use copydesk_common::config::{OTHER_NAMES, ProvidersConfig};
use copydesk_common::store::{self, Store};

/// Warns of limits in Postgres that are of no configured provider. Asks once.
pub(crate) async fn warn(store: Store, providers: ProvidersConfig) {
    match store::limit::all(&store).await {
        Ok(limits) => unused(limits.iter().map(|limit| limit.account.as_str()), &providers).for_each(|account| {
            tracing::warn!(
                account,
                llm.name = %providers.llm_name(),
                "an operator set limits for a provider that is not configured: they have no effect; \
                 COPYDESK_LLM_NAME gives the LLM provider its earlier name"
            );
        }),
        Err(error) => tracing::debug!(error = &error as &dyn Error, "the limits that operators set could not be read"),
    }
}

/// Accounts (`provider`, or `provider/model`) of no configured provider. A search that is off may be
/// switched on again.
fn unused<'a, A: Iterator<Item = &'a str>>(accounts: A, providers: &ProvidersConfig) -> impl Iterator<Item = &'a str> {
    let llm = providers.llm_name();
    accounts.filter(move |account| {
        let provider = account.split('/').next().unwrap_or_default();
        llm != provider && !OTHER_NAMES.contains(&provider)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use copydesk_common::config::Config;

    use super::*;

    #[test]
    fn limits_of_an_earlier_name_are_unused() {
        let mut providers = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap().providers;
        let accounts = ["groq", "groq/openai/gpt-oss-20b", "tavily", "embeddings"];
        let unused_of = |providers: &ProvidersConfig| unused(accounts.into_iter(), providers).collect::<Vec<_>>();
        assert_eq!(unused_of(&providers), Vec::<&str>::new());
        providers.llm_base_url = "http://localhost:11434/v1".parse().unwrap();
        assert_eq!(unused_of(&providers), ["groq", "groq/openai/gpt-oss-20b"]);
    }
}
