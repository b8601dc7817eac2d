//! A migrated database of a run's own. It stays for whoever wants to look into it: the server is a
//! throwaway.

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
    /// Makes a migrated database beside the one that `server` names. Its name begins with `name`: runs
    /// at the same time, on one server, do not meet.
    pub(crate) async fn make(server: &Url, name: &str) -> anyhow::Result<Self> {
        let database = Self::make_empty(server, name).await?;
        store::MIGRATOR.run(&database.pool).await.context("the migrations could not be applied")?;
        Ok(database)
    }

    /// The same with nothing in it: for other software.
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

    /// What the server calls it.
    pub(crate) fn name(&self) -> &str {
        self.uri.path().trim_start_matches('/')
    }

    /// Statements, past every link.
    pub(crate) async fn execute(&self, statements: &'static str) -> anyhow::Result<()> {
        sqlx::raw_sql(statements).execute(&self.pool).await?;
        Ok(())
    }
}
