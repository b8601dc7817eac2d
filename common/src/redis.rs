//! Redis: fast coordination that can be lost and rebuilt. The connections, every key as a function
//! ([`keys`]), and the scripts ([`script`]). What the keys mean is the queue's and the quota's.

use std::time::Duration;

use deadpool_redis::redis::AsyncConnectionConfig;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{Client, IntoConnectionInfo};

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
        let unbounded = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(CONNECTION_TIMEOUT));
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
}
