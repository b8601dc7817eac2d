//! Whether Postgres answers, asked on a connection of its own: a pool whose connections are all in
//! use says nothing about Postgres.

use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::{Store, StoreError};

/// The connection. It belongs to the runtime that calls [`Self::beat`].
#[derive(Debug)]
pub struct Heartbeat {
    options: Arc<PgConnectOptions>,
    connection: Option<PgConnection>,
}

impl Store {
    /// A connection of its own, not yet open.
    pub fn heartbeat(&self) -> Heartbeat {
        Heartbeat { options: self.pool.connect_options(), connection: None }
    }
}

impl Heartbeat {
    /// Fails if Postgres does not answer. Takes as long as Postgres does: a caller that gives up
    /// drops the connection.
    pub async fn beat(&mut self) -> Result<(), StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        connection.ping().await?;
        self.connection = Some(connection);
        Ok(())
    }
}
