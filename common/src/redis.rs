//! Redis: fast coordination that can be lost and rebuilt. The connections, every key as a function
//! ([`keys`]), and the scripts ([`script`]). What the keys mean is the queue's and the quota's.

use std::time::Duration;

use deadpool_redis::redis::AsyncConnectionConfig;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{AsyncCommands, Client, ExistenceCheck, IntoConnectionInfo, SetExpiry, SetOptions};

use crate::config::RedisConfig;

pub mod keys;
pub(crate) mod script;

use keys::Keys;

/// A command that has no answer by then has failed.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// A lost connection is opened anew after a wait that grows up to this; for ever.
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// Redis did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("Redis is not available")]
pub struct RedisError(#[from] redis::RedisError);

impl From<deadpool_redis::PoolError> for RedisError {
    fn from(error: deadpool_redis::PoolError) -> Self {
        match error {
            deadpool_redis::PoolError::Backend(error) => Self(error),
            error => Self(redis::RedisError::from(std::io::Error::other(error))),
        }
    }
}

/// A handle on Redis. Cheap to clone.
///
/// Commands share one multiplexed connection that reconnects by itself: one round trip each, none
/// to test the connection. Commands that block have a pool of connections of their own, where they
/// hold up nobody.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    commands: ConnectionManager,
    blocking: deadpool_redis::Pool,
    keys: Keys,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Redis {
    /// Makes the connections without opening them: a process starts, and says that it is not
    /// ready, while Redis is away. Needs a tokio runtime.
    pub fn new(config: &RedisConfig) -> Result<Self, RedisError> {
        let info = config.connect_url().into_connection_info()?;
        let client = Client::open(info.clone())?;
        let commands = ConnectionManager::new_lazy_with_config(
            client.clone(),
            ConnectionManagerConfig::new()
                .set_response_timeout(Some(RESPONSE_TIMEOUT))
                .set_connection_timeout(Some(CONNECTION_TIMEOUT))
                .set_max_delay(MAX_RECONNECT_DELAY)
                .set_number_of_retries(1),
        )?;
        let unbounded =
            AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(Some(CONNECTION_TIMEOUT));
        let manager = deadpool_redis::Manager::new_with_config(info, unbounded)?;
        let blocking = deadpool_redis::Pool::builder(manager)
            .max_size(16)
            .build()
            .map_err(|error| RedisError(redis::RedisError::from(std::io::Error::other(error))))?;
        Ok(Self { client, commands, blocking, keys: Keys::new(&config.prefix) })
    }

    /// The connection for commands that do not block.
    pub(crate) fn commands(&self) -> ConnectionManager {
        self.commands.clone()
    }

    /// A connection for commands that block; back in the pool when dropped.
    pub(crate) async fn blocking(&self) -> Result<deadpool_redis::Connection, RedisError> {
        Ok(self.blocking.get().await?)
    }

    /// A connection that receives published messages.
    pub(crate) async fn subscriber(&self) -> Result<PubSub, RedisError> {
        Ok(self.client.get_async_pubsub().await?)
    }

    /// Every key.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// One round trip: an error where Redis does not answer.
    pub async fn ping(&self) -> Result<(), RedisError> {
        let mut connection = self.commands();
        redis::cmd("PING").query_async::<()>(&mut connection).await?;
        Ok(())
    }

    /// Holds a key in the name of `owner` for `time`: false where somebody else holds it. For work
    /// that is better done by one, and harmless when done by two.
    pub async fn hold(&self, key: &str, owner: &str, time: Duration) -> Result<bool, RedisError> {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut connection = self.commands();
        let options = SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::PX(millis));
        if connection.set_options::<_, _, Option<String>>(key, owner, options).await?.is_some() {
            return Ok(true);
        }
        if connection.get::<_, Option<String>>(key).await?.as_deref() != Some(owner) {
            return Ok(false);
        }
        let extended: bool = connection.pexpire(key, i64::try_from(millis).unwrap_or(i64::MAX)).await?;
        Ok(extended)
    }

    /// Whether the mark that [`Self::set_mark`] left is there: it is gone after a flush.
    pub async fn mark(&self, key: &str) -> Result<Mark, RedisError> {
        let present: bool = self.commands().exists(key).await?;
        Ok(if present { Mark::Present } else { Mark::Absent })
    }

    /// Leaves a mark that only a flush removes.
    pub async fn set_mark(&self, key: &str) -> Result<(), RedisError> {
        let () = self.commands().set(key, 1).await?;
        Ok(())
    }
}

/// Whether Redis still has a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It has.
    Present,
    /// It never had, or was flushed.
    Absent,
}

#[cfg(test)]
impl Redis {
    /// The Redis that `REDIS_URL` names, with keys of the test's own.
    #[expect(clippy::expect_used, reason = "a test without its server cannot go on")]
    pub(crate) fn of_test() -> Self {
        let url = std::env::var("REDIS_URL").expect("REDIS_URL names the Redis for tests: use `cargo xtask test`");
        let prefix = format!("test-{}", uuid::Uuid::now_v7().simple());
        Self::new(&RedisConfig::new(&url, &prefix)).expect("REDIS_URL is a URL")
    }
}
