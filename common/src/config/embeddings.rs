//! The configuration of embeddings: the API and its model, both optional.

use confique::Config as _;
use secrecy::SecretString;

use super::api_key::check_key;
use super::{ConfigError, SecretUrl, load};

/// Search in documents by meaning, in addition to search by words. Off unless a base URL and a
/// model are set.
#[derive(Debug, Clone, confique::Config)]
pub struct EmbeddingsConfig {
    /// The base URL of an API with OpenAI's embeddings, including its version:
    /// `http://localhost:11434/v1`.
    #[config(env = "COPYDESK_EMBEDDINGS_BASE_URL")]
    pub base_url: Option<SecretUrl>,
    /// The embedding model. If it changes, all vectors are made again.
    #[config(env = "COPYDESK_EMBEDDINGS_MODEL")]
    pub model: Option<String>,
    /// The key of that API, if it needs one.
    #[config(env = "COPYDESK_EMBEDDINGS_API_KEY")]
    pub api_key: Option<SecretString>,
    /// The most calls to it in any 60 seconds, by all workers together.
    #[config(env = "COPYDESK_EMBEDDINGS_REQUESTS_PER_MINUTE", default = 60)]
    pub requests_per_minute: u32,
}

impl EmbeddingsConfig {
    /// Reads only this section: for tools that need no servers.
    pub fn from_env() -> Result<Self, ConfigError> {
        let config = load(Self::builder().env())?;
        config.validate().map_err(ConfigError)?;
        Ok(config)
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        check_key("COPYDESK_EMBEDDINGS_API_KEY", self.api_key.as_ref())?;
        let is_named = |model: &String| !model.trim().is_empty();
        match (&self.base_url, &self.model) {
            (Some(url), _) if !matches!(url.scheme(), "http" | "https") => {
                Err("COPYDESK_EMBEDDINGS_BASE_URL takes an http:// or https:// URL".into())
            }
            (_, Some(model)) if !is_named(model) => Err("COPYDESK_EMBEDDINGS_MODEL takes the name of a model".into()),
            (Some(_), None) => {
                Err("COPYDESK_EMBEDDINGS_MODEL is not set: COPYDESK_EMBEDDINGS_BASE_URL needs a model".into())
            }
            (None, Some(_)) => {
                Err("COPYDESK_EMBEDDINGS_BASE_URL is not set: COPYDESK_EMBEDDINGS_MODEL needs an API".into())
            }
            _ if !(1..=1_000_000).contains(&self.requests_per_minute) => {
                Err("COPYDESK_EMBEDDINGS_REQUESTS_PER_MINUTE takes a number of calls from 1 to 1000000".into())
            }
            _ => Ok(()),
        }
    }

    /// The API and the model, if both are set.
    pub fn target(&self) -> Option<(&SecretUrl, &str)> {
        Some((self.base_url.as_ref()?, self.model.as_deref()?))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::config::Config;

    #[test]
    fn embeddings_need_an_api_and_a_model() {
        let off = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap().providers.embeddings;
        assert_eq!((off.validate(), off.target()), (Ok(()), None));
        let url: Option<SecretUrl> = Some("http://localhost:11434/v1".parse().unwrap());
        let on = EmbeddingsConfig { base_url: url.clone(), model: Some("minilm".into()), ..off.clone() };
        assert_eq!((on.validate(), on.target().map(|(_, model)| model)), (Ok(()), Some("minilm")));
        let wrong = |config: EmbeddingsConfig| config.validate().unwrap_err();
        assert!(wrong(EmbeddingsConfig { base_url: url, ..off }).starts_with("COPYDESK_EMBEDDINGS_MODEL is not"));
        assert!(
            wrong(EmbeddingsConfig { base_url: None, ..on.clone() }).starts_with("COPYDESK_EMBEDDINGS_BASE_URL is")
        );
        let ftp = Some("ftp://localhost".parse().unwrap());
        assert!(wrong(EmbeddingsConfig { base_url: ftp, ..on.clone() }).contains("takes an http:// or https:// URL"));
        assert!(wrong(EmbeddingsConfig { requests_per_minute: 0, ..on }).contains("from 1 to 1000000"));
    }
}
