//! The configuration of Postgres and of the connection pool.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Postgres: the truth.
#[derive(Debug, Clone, confique::Config)]
pub struct PostgresConfig {
    /// Where Postgres is: `postgres://user:password@host:port/database`. A `postgresql+asyncpg://`
    /// URI is accepted too.
    #[config(env = "POSTGRES_URI")]
    uri: Option<SecretString>,
    /// Used if POSTGRES_URI is not set.
    #[config(env = "POSTGRES_ASYNC_URI")]
    async_uri: Option<SecretString>,
    /// Connections of the pool in normal operation.
    #[config(env = "COPYDESK_DATABASE_POOL_SIZE", default = 20)]
    pub pool_size: u32,
    /// Further connections at peak load.
    #[config(env = "COPYDESK_DATABASE_POOL_OVERFLOW", default = 10)]
    pub pool_overflow: u32,
    /// How long a query waits for a connection, in seconds.
    #[config(env = "COPYDESK_DATABASE_ACQUIRE_TIMEOUT_SECONDS", default = 30)]
    pub acquire_timeout_seconds: u64,
    /// The age at which a connection is replaced, in seconds.
    #[config(env = "COPYDESK_DATABASE_RECYCLE_SECONDS", default = 3600)]
    pub recycle_seconds: u64,
}

impl PostgresConfig {
    pub(super) fn validate(&self) -> Result<(), String> {
        let Some(uri) = self.uri.as_ref().or(self.async_uri.as_ref()) else {
            return Err("POSTGRES_URI is not set: it takes postgres://user:password@host:port/database".into());
        };
        let parsed = Url::parse(uri.expose_secret());
        let scheme = parsed.as_ref().map(Url::scheme).unwrap_or_default();
        if !matches!(scheme, "postgres" | "postgresql" | "postgresql+asyncpg" | "postgres+asyncpg") {
            return Err("POSTGRES_URI takes postgres://user:password@host:port/database".into());
        }
        if self.pool_size == 0 {
            return Err("COPYDESK_DATABASE_POOL_SIZE takes a number of connections from 1".into());
        }
        Ok(())
    }

    /// The URL to connect to, in the form that the driver accepts. Contains the password.
    pub(crate) fn connect_url(&self) -> String {
        let uri = self.uri.as_ref().or(self.async_uri.as_ref()).map_or("", |uri| uri.expose_secret());
        uri.replacen("+asyncpg://", "://", 1)
    }
}
