//! A migrated database of a run's own, dropped with the next run of the same name.

use anyhow::Context as _;
use copydesk_common::store;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use url::Url;

/// A database, and connections to it that pass no link.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    /// Where it is.
    pub(crate) uri: Url,
    /// For looking into it.
    pub(crate) pool: PgPool,
}

impl Database {
    /// Makes a migrated database beside the one that `server` names; an older one of this name goes.
    pub(crate) async fn make(server: &Url, name: &str) -> anyhow::Result<Self> {
        let mut admin = PgConnection::connect(server.as_str()).await.context("Postgres cannot be reached")?;
        admin.execute(AssertSqlSafe(format!("drop database if exists {name} with (force)"))).await?;
        admin.execute(AssertSqlSafe(format!("create database {name}"))).await?;
        let mut uri = server.clone();
        uri.set_path(name);
        let pool = PgPoolOptions::new().max_connections(4).connect(uri.as_str()).await?;
        store::MIGRATOR.run(&pool).await.context("the migrations could not be applied")?;
        Ok(Self { uri, pool })
    }

    /// Statements, past every link.
    pub(crate) async fn execute(&self, statements: &'static str) -> anyhow::Result<()> {
        sqlx::raw_sql(statements).execute(&self.pool).await?;
        Ok(())
    }
}
