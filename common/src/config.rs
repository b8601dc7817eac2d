//! Configuration: read from the environment once, at the start, and checked there. A missing or
//! invalid value stops the process with one line that names the variable and its valid values. No
//! other module reads the environment.

use confique::Config as _;

mod address;
mod api;
mod api_key;
pub(crate) mod by_model;
mod embeddings;
mod help;
pub mod model_limits;
mod postgres;
pub mod prices;
mod providers;
mod redis;
mod retention;
mod secret_url;
mod telemetry;
pub mod windows;
mod worker;

pub use self::redis::RedisConfig;
pub use address::AddressError;
pub(crate) use address::{Address, Sentinels};
pub use api::{ApiConfig, AuthMode, LARGEST_BODY_BYTES, MOST_REQUESTS_PER_MINUTE, MetricsAccess};
pub use embeddings::EmbeddingsConfig;
pub use postgres::PostgresConfig;
pub use providers::{OTHER_NAMES, ProvidersConfig, SearchProvider};
pub use retention::RetentionConfig;
pub use secret_url::{NotAUrl, SecretUrl};
pub use telemetry::{LogFormat, TelemetryConfig};
pub use worker::WorkerConfig;

/// The whole configuration of Copydesk's processes.
#[derive(Debug, Clone, confique::Config)]
pub struct Config {
    /// Postgres.
    #[config(nested)]
    pub postgres: PostgresConfig,
    /// Redis.
    #[config(nested)]
    pub redis: RedisConfig,
    /// Logs.
    #[config(nested)]
    pub telemetry: TelemetryConfig,
    /// The HTTP API.
    #[config(nested)]
    pub api: ApiConfig,
    /// The workers.
    #[config(nested)]
    pub worker: WorkerConfig,
    /// What is kept how long.
    #[config(nested)]
    pub retention: RetentionConfig,
    /// LLM and search providers.
    #[config(nested)]
    pub providers: ProvidersConfig,
}

/// The configuration is invalid. Displays as one line that names the variable and its valid values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// How much longer a lease must be than the longest call. If a lease is not renewed after a call
/// has begun, it must not expire before the call is over: another worker would start the same
/// stage.
const LEASE_MARGIN_MS: u64 = 5_000;

impl Config {
    /// Reads and checks the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let config = load(Self::builder().env())?;
        config.check_sections()?;
        config.check_across()?;
        Ok(config)
    }

    /// The defaults with servers that are given in code: for tests and benchmarks, which do not use
    /// the environment.
    pub fn for_servers(postgres_uri: &str, redis_url: &str, redis_prefix: &str) -> Result<Self, ConfigError> {
        let servers = serde_json::json!({
            "postgres": { "uri": postgres_uri },
            "redis": { "url": redis_url, "prefix": redis_prefix },
            // They send more than one client may.
            "api": { "requests_per_minute": 0 },
        });
        let servers = serde_json::from_value(servers).map_err(|error| ConfigError(error.to_string()))?;
        let config = load(Self::builder().preloaded(servers))?;
        config.check_sections()?;
        Ok(config)
    }

    /// Checks what only a worker needs.
    pub fn check_worker(&self) -> Result<(), ConfigError> {
        if self.providers.is_groq() && self.providers.groq_api_key.is_none() {
            return Err(ConfigError(
                "GROQ_API_KEY is not set: it takes a key from console.groq.com; \
                 or set COPYDESK_LLM_BASE_URL to another OpenAI-compatible API"
                    .into(),
            ));
        }
        Ok(())
    }

    /// Checks the rules of each subsystem.
    fn check_sections(&self) -> Result<(), ConfigError> {
        let sections = || {
            self.api.validate()?;
            self.postgres.validate()?;
            self.redis.validate()?;
            self.telemetry.validate()?;
            self.worker.validate()?;
            self.retention.validate()?;
            self.providers.embeddings.validate()?;
            self.providers.validate()
        };
        sections().map_err(ConfigError)
    }

    /// Checks the rules that span subsystems.
    fn check_across(&self) -> Result<(), ConfigError> {
        let least = self.providers.call_timeout_ms + LEASE_MARGIN_MS;
        if self.worker.lease_ms < least {
            return Err(ConfigError(format!(
                "COPYDESK_LEASE_MS takes at least {least} ms: the longest call (COPYDESK_CALL_TIMEOUT_MS, {} ms) and {LEASE_MARGIN_MS} ms",
                self.providers.call_timeout_ms
            )));
        }
        Ok(())
    }
}

/// Reads the sources. The message for an unreadable value is confique's own, which names the
/// variable. The value is left out of it: secrets are put into wrong variables too.
fn load<C: confique::Config>(sources: confique::Builder<C>) -> Result<C, ConfigError> {
    sources.load().map_err(|error| {
        let message = error.to_string();
        let variable = message.split_once("environment variable `").and_then(|(_, rest)| rest.split_once('`'));
        let value = variable.and_then(|(name, _)| std::env::var(name).ok()).unwrap_or_default();
        ConfigError(without_quoted(&message, &value))
    })
}

/// The message without the value where it is quoted.
fn without_quoted(message: &str, value: &str) -> String {
    let quoted = ["'", "`", "\""].map(|mark| (format!("{mark}{value}{mark}"), format!("{mark}…{mark}")));
    quoted.iter().fold(message.to_owned(), |message, (value, hidden)| message.replace(value.as_str(), hidden))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use sqlx::ConnectOptions;

    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let config = Config::for_servers("postgresql+asyncpg://u:hunter2@h/db", "redis://:hunter3@h/0", "p").unwrap();
        let (options, _) = config.postgres.options().unwrap();
        assert!(options.to_url_lossy().as_str().starts_with("postgres://u:hunter2@h:5432/db"));
        assert!(!format!("{config:?}").contains("hunter"));
        let wrong = Config::for_servers("mysql://u:hunter2@h/db", "redis://h/0", "p").unwrap_err();
        assert!(wrong.to_string().starts_with("POSTGRES_URI takes postgres://user:password@host:port/database"));
    }

    #[test]
    fn a_lease_outlives_the_longest_call() {
        let mut config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap();
        config.worker.lease_ms = config.providers.call_timeout_ms + LEASE_MARGIN_MS;
        assert_eq!(config.check_across(), Ok(()));
        config.worker.lease_ms -= 1;
        assert!(
            config.check_across().unwrap_err().to_string().starts_with("COPYDESK_LEASE_MS takes at least 65000 ms")
        );
    }
}
