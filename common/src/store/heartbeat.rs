//! What is asked all the time, on a connection of its own: a pool whose connections are all in use
//! says nothing about Postgres, and must not keep a revocation from being heard of.

use sqlx::{ConnectOptions, Connection, PgConnection};

use super::{Store, StoreError};

/// The connection. It belongs to the runtime that calls [`Self::beat`].
#[derive(Debug)]
pub struct Heartbeat {
    store: Store,
    connection: Option<PgConnection>,
}

impl Store {
    /// A connection of its own, not yet open.
    pub fn heartbeat(&self) -> Heartbeat {
        Heartbeat { store: self.clone(), connection: None }
    }
}

impl Heartbeat {
    /// Fails if Postgres does not answer. Takes as long as Postgres does: a caller that gives up
    /// drops the connection.
    pub async fn beat(&mut self) -> Result<(), StoreError> {
        let mut connection = self.take().await?;
        connection.ping().await?;
        self.connection = Some(connection);
        Ok(())
    }

    /// The number of changes of keys so far. The same holds for it.
    pub async fn key_revision(&mut self) -> Result<i64, StoreError> {
        let mut connection = self.take().await?;
        let revision = sqlx::query_scalar!("select revision from key_revision").fetch_one(&mut connection).await?;
        self.connection = Some(connection);
        Ok(revision)
    }

    /// Opens the connection, if it is not open.
    pub async fn connect(&mut self) -> Result<(), StoreError> {
        let connection = self.take().await?;
        self.connection = Some(connection);
        Ok(())
    }

    /// The connection is put back only after an answer. A new one waits for the breaker, whose probe
    /// alone calls a Postgres that is away.
    async fn take(&mut self) -> Result<PgConnection, StoreError> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None if self.store.is_breaker_open() => Err(StoreError::BreakerOpen),
            None => Ok(self.store.pool.connect_options().connect().await?),
        }
    }
}
