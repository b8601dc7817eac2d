//! The configuration of Redis, and the prefix of its keys.

use secrecy::{ExposeSecret, SecretString};

use super::address::{Address, AddressError};

/// Redis: the queue, the quota, the breakers.
#[derive(Debug, Clone, confique::Config)]
pub struct RedisConfig {
    /// Where Redis is: `redis://:password@host:port/database`. For Redis Cluster:
    /// `redis-cluster://:password@host:port,host:port`, with some of its nodes. For Redis Sentinel:
    /// `redis-sentinel://user:password@host:port,host:port/service/database`, with some of the
    /// sentinels and their name of the primary. User and password are those of the servers. A
    /// password of the sentinels goes at the end, as `?sentinel_password=password`. For TLS:
    /// `rediss://`, `rediss-cluster://` and `rediss-sentinel://`.
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

    /// The address to connect to. Contains the password.
    pub(crate) fn address(&self) -> Result<Address, AddressError> {
        self.url.as_ref().map_or("", |url| url.expose_secret()).parse()
    }
}
