//! Where Redis is, and what its keys begin with.

use secrecy::{ExposeSecret, SecretString};

use super::address::{Address, AddressError};

/// Redis: the queue, the quota, the breakers.
#[derive(Debug, Clone, confique::Config)]
pub struct RedisConfig {
    /// Where Redis is: `redis://:password@host:port/database`; for Redis Cluster
    /// `redis-cluster://:password@host:port,host:port`, some of its nodes; for Redis Sentinel
    /// `redis-sentinel://user:password@host:port,host:port/service/database`, some of the sentinels and
    /// what they call the primary. User and password are the servers'; sentinels that have a password
    /// get it by `?sentinel_password=password` at the end. `rediss://`, `rediss-cluster://` and
    /// `rediss-sentinel://` for TLS.
    #[config(env = "REDIS_URL")]
    url: Option<SecretString>,
    /// The first part of every key, so that several installations can share one Redis.
    #[config(env = "COPYDESK_REDIS_PREFIX", default = "copydesk")]
    pub prefix: String,
}

impl RedisConfig {
    /// A configuration that does not come from the environment.
    pub fn new(url: &str, prefix: &str) -> Self {
        Self { url: Some(url.into()), prefix: prefix.to_owned() }
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        if self.url.is_none() {
            return Err(format!("REDIS_URL is not set. {AddressError}"));
        }
        self.address().map_err(|error| error.to_string())?;
        if self.prefix.is_empty() || self.prefix.contains(['{', '}']) {
            return Err("COPYDESK_REDIS_PREFIX takes a word without braces".into());
        }
        Ok(())
    }

    /// Where to connect to. Holds the password.
    pub(crate) fn address(&self) -> Result<Address, AddressError> {
        self.url.as_ref().map_or("", |url| url.expose_secret()).parse()
    }
}
