//! A migrated database for one run. It is kept for inspection: the server is temporary.

use anyhow::Context as _;
use copydesk_common::store;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use url::Url;

use crate::key;

/// A database, and connections to it without a link.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    /// Its URI.
    pub(crate) uri: Url,
    /// Connections for inspecting it.
    pub(crate) pool: PgPool,
}

impl Database {
    /// Makes a migrated database on the server of `server`. Its name begins with `name` and is
    /// unique for concurrent runs.
    pub(crate) async fn make(server: &Url, name: &str) -> anyhow::Result<Self> {
        let database = Self::make_empty(server, name).await?;
        store::MIGRATOR.run(&database.pool).await.context("the migrations could not be applied")?;
        key::install(&database.pool).await?;
        Ok(database)
    }

    /// The same without migrations, for other software.
    pub(crate) async fn make_empty(server: &Url, name: &str) -> anyhow::Result<Self> {
        let name = format!("{name}_{}", std::process::id());
        let mut admin = PgConnection::connect(server.as_str()).await.context("Postgres cannot be reached")?;
        admin.execute(AssertSqlSafe(format!("drop database if exists {name} with (force)"))).await?;
        admin.execute(AssertSqlSafe(format!("create database {name}"))).await?;
        let mut uri = server.clone();
        uri.set_path(&name);
        let pool = PgPoolOptions::new().max_connections(4).connect(uri.as_str()).await?;
        Ok(Self { uri, pool })
    }

    /// Its name on the server.
    pub(crate) fn name(&self) -> &str {
        self.uri.path().trim_start_matches('/')
    }

    /// Executes statements without a link.
    pub(crate) async fn execute(&self, statements: &'static str) -> anyhow::Result<()> {
        sqlx::raw_sql(statements).execute(&self.pool).await?;
        Ok(())
    }
}
