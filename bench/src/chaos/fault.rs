//! The faults: what each breaks, and how. Every blow ends with the broken thing mended, so that what
//! follows shows whether Copydesk recovers.

use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use copydesk_simulator::{Fault as Spoil, FaultKind, RetryAfter};
use nix::sys::signal::Signal;
use rand::RngExt;
use serde_json::json;
use uuid::Uuid;

use super::Rng;
use super::client::Client;
use crate::process;
use crate::system::System;

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fault {
    /// Nothing: what the others are held against.
    None,
    WorkerKill,
    WorkerRestart,
    ApiKill,
    RedisFlush,
    RedisPause,
    RedisKillClients,
    RedisRestart,
    RedisGone,
    RedisFull,
    PostgresTerminate,
    PostgresCrash,
    PostgresGone,
    PostgresReadOnly,
    PostgresLocked,
    LinksSlow,
    ProviderErrors,
    ProviderLimits,
    ProviderLimitsSilent,
    ProviderHangs,
    ProviderResets,
    ProviderTruncates,
    ProviderEmpty,
    ProviderWrongShape,
    ProviderDrips,
    Poison,
    /// One of the blows to workers, API, Redis and Postgres after the other, drawn from the seed.
    Storm,
}

/// Who is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Our own processes.
    Ours,
    Redis,
    Postgres,
    Providers,
}

/// What a storm draws from: blows that are short.
const STORM: [Fault; 10] = [
    Fault::WorkerKill,
    Fault::ApiKill,
    Fault::RedisFlush,
    Fault::RedisPause,
    Fault::RedisKillClients,
    Fault::RedisRestart,
    Fault::PostgresTerminate,
    Fault::PostgresCrash,
    Fault::PostgresLocked,
    Fault::LinksSlow,
];
/// How long what is broken for a moment stays so.
const MOMENT: Duration = Duration::from_secs(3);
/// The topic of a poison begins so.
pub(super) const POISON: &str = "Poison";
/// The poison ends its worker so long after it began a stage whose call takes longer than that.
const POISON_WORKS: Duration = Duration::from_millis(100);

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

impl Fault {
    /// All of them, in order.
    pub(super) fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    /// In words.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::None => "nothing breaks",
            Self::WorkerKill => "a worker is killed (SIGKILL) every 3 s",
            Self::WorkerRestart => "all workers are replaced, one after the other (SIGTERM)",
            Self::ApiKill => "the API is killed (SIGKILL) under load",
            Self::RedisFlush => "Redis loses everything (FLUSHALL)",
            Self::RedisPause => "Redis answers nobody for 2 s (CLIENT PAUSE)",
            Self::RedisKillClients => "Redis drops every connection (CLIENT KILL)",
            Self::RedisRestart => "Redis is killed and started again",
            Self::RedisGone => "Redis cannot be reached for a while",
            Self::RedisFull => "Redis is out of memory and takes no writes",
            Self::PostgresTerminate => "Postgres ends every connection",
            Self::PostgresCrash => "Postgres crashes and recovers",
            Self::PostgresGone => "Postgres cannot be reached for a while",
            Self::PostgresReadOnly => "Postgres takes no writes",
            Self::PostgresLocked => "the table of jobs is locked for 3 s, so that the pools run dry",
            Self::LinksSlow => "every packet to Postgres and Redis takes 50 ms longer",
            Self::ProviderErrors => "a tenth of the calls ends with a 500",
            Self::ProviderLimits => "a tenth of the calls ends with a 429 and Retry-After",
            Self::ProviderLimitsSilent => "a few calls end with a 429 that does not say until when",
            Self::ProviderHangs => "a twentieth of the calls is never answered",
            Self::ProviderResets => "a tenth of the answers breaks off",
            Self::ProviderTruncates => "a tenth of the answers is half of a JSON text",
            Self::ProviderEmpty => "a tenth of the answers is empty",
            Self::ProviderWrongShape => "a tenth of the answers has another shape than asked for",
            Self::ProviderDrips => "a tenth of the answers comes a few bytes at a time",
            Self::Poison => "one job ends every worker that runs it",
            Self::Storm => "blows to workers, API, Redis and Postgres in turn, drawn from the seed",
        }
    }

    /// Who is hit.
    pub(super) fn target(self) -> Target {
        match self {
            Self::RedisFlush
            | Self::RedisPause
            | Self::RedisKillClients
            | Self::RedisRestart
            | Self::RedisGone
            | Self::RedisFull => Target::Redis,
            Self::PostgresTerminate
            | Self::PostgresCrash
            | Self::PostgresGone
            | Self::PostgresReadOnly
            | Self::PostgresLocked => Target::Postgres,
            Self::ProviderErrors
            | Self::ProviderLimits
            | Self::ProviderLimitsSilent
            | Self::ProviderHangs
            | Self::ProviderResets
            | Self::ProviderTruncates
            | Self::ProviderEmpty
            | Self::ProviderWrongShape
            | Self::ProviderDrips => Target::Providers,
            _ => Target::Ours,
        }
    }

    /// Whether a job may end with an error. Waiting for Postgres, Redis or a worker costs no attempt.
    pub(super) fn may_fail(self) -> bool {
        self.target() == Target::Providers
    }

    /// The time between two blows, about.
    pub(super) fn rhythm(self) -> Duration {
        Duration::from_secs(3)
    }

    /// How long a call to a provider takes: long enough for a blow to fall into one.
    pub(super) fn call_takes(self) -> Duration {
        Duration::from_millis(if self == Self::Poison { 400 } else { 50 })
    }

    /// What the providers do while jobs are submitted.
    pub(super) fn of_providers(self) -> Vec<Spoil> {
        let rule = |rate, kind| vec![Spoil::any(kind).rate(rate)];
        match self {
            Self::ProviderErrors => rule(0.1, status(500)),
            Self::ProviderLimits => rule(0.1, FaultKind::RateLimited { retry_after: Some(RetryAfter::Seconds(1)) }),
            Self::ProviderLimitsSilent => rule(0.01, FaultKind::RateLimited { retry_after: None }),
            Self::ProviderHangs => rule(0.05, FaultKind::Hang),
            Self::ProviderResets => rule(0.1, FaultKind::Reset),
            Self::ProviderTruncates => rule(0.1, FaultKind::TruncatedJson { part: None }),
            Self::ProviderEmpty => rule(0.1, FaultKind::EmptyText),
            Self::ProviderWrongShape => rule(0.1, FaultKind::WrongShape { part: None }),
            Self::ProviderDrips => rule(0.1, FaultKind::SlowDrip { ms_per_chunk: 5 }),
            _ => Vec::new(),
        }
    }

    /// One blow, mended again when this returns.
    pub(super) async fn strike(
        self,
        system: &mut System,
        client: &Client,
        outage: Duration,
        rng: &mut Rng,
    ) -> anyhow::Result<()> {
        match self {
            Self::WorkerKill => {
                let index = rng.random_range(0..system.workers.len());
                system.kill_worker(index).await
            }
            Self::WorkerRestart => system.restart_workers().await,
            Self::ApiKill => system.kill_api().await,
            Self::Poison => poison(system, client).await,
            Self::Storm => {
                let blow = STORM[rng.random_range(0..STORM.len())];
                Box::pin(blow.strike(system, client, outage, rng)).await
            }
            Self::LinksSlow => {
                for link in [&system.redis_link, &system.postgres_link] {
                    link.slow(Duration::from_millis(50));
                }
                tokio::time::sleep(MOMENT).await;
                for link in [&system.redis_link, &system.postgres_link] {
                    link.slow(Duration::ZERO);
                }
                Ok(())
            }
            _ if self.target() == Target::Redis => self.strike_redis(system, outage).await,
            _ if self.target() == Target::Postgres => self.strike_postgres(system, outage, rng).await,
            _ => Ok(()),
        }
    }

    async fn strike_redis(self, system: &mut System, outage: Duration) -> anyhow::Result<()> {
        let redis = &mut system.redis;
        match self {
            Self::RedisFlush => redis.command(&["FLUSHALL"]).await,
            Self::RedisPause => redis.command(&["CLIENT", "PAUSE", "2000", "ALL"]).await,
            Self::RedisKillClients => redis.command(&["CLIENT", "KILL", "SKIPME", "yes"]).await,
            Self::RedisRestart => {
                redis.kill().await?;
                tokio::time::sleep(Duration::from_millis(500)).await;
                redis.start_again().await
            }
            Self::RedisFull => {
                redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await?;
                tokio::time::sleep(MOMENT).await;
                redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await
            }
            _ => {
                system.redis_link.cut();
                tokio::time::sleep(outage).await;
                system.redis_link.heal();
                Ok(())
            }
        }
    }

    async fn strike_postgres(self, system: &System, outage: Duration, rng: &mut Rng) -> anyhow::Result<()> {
        let database = &system.database;
        match self {
            Self::PostgresTerminate => database.execute(TERMINATE).await,
            Self::PostgresCrash => crash(system, rng).await,
            Self::PostgresReadOnly => {
                database.execute("alter system set default_transaction_read_only = on").await?;
                database.execute("select pg_reload_conf()").await?;
                tokio::time::sleep(MOMENT).await;
                // Allowed in a read-only session: it writes no table.
                database.execute("alter system reset default_transaction_read_only").await?;
                database.execute("select pg_reload_conf()").await
            }
            Self::PostgresLocked => {
                let mut transaction = database.pool.begin().await?;
                sqlx::query("lock table jobs in access exclusive mode").execute(&mut *transaction).await?;
                tokio::time::sleep(MOMENT).await;
                Ok(transaction.rollback().await?)
            }
            _ => {
                system.postgres_link.cut();
                tokio::time::sleep(outage).await;
                system.postgres_link.heal();
                Ok(())
            }
        }
    }
}

fn status(code: u16) -> FaultKind {
    FaultKind::Status { code, body: None, retry_after: None, retry_after_ms: None }
}

const TERMINATE: &str = "select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()";

/// Kills one of Postgres' own processes: it ends all others, loses what it had in memory, and
/// recovers from its log.
async fn crash(system: &System, rng: &mut Rng) -> anyhow::Result<()> {
    let pool = &system.database.pool;
    let backends: Vec<i32> = sqlx::query_scalar(
        "select pid from pg_stat_activity where datname = current_database() and backend_type = 'client backend'",
    )
    .fetch_all(pool)
    .await?;
    let victim = *backends.get(rng.random_range(0..backends.len().max(1))).context("Postgres has no connections")?;
    process::send(u32::try_from(victim)?, Signal::SIGKILL).context("Postgres runs as somebody else")?;
    let recovered = async {
        while sqlx::query("select 1").execute(pool).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), recovered).await.context("Postgres did not recover")
}

/// Submits a job and kills every worker that runs it, until it has an end.
async fn poison(system: &mut System, client: &Client) -> anyhow::Result<()> {
    let id = client.accepted(POISON, json!({ "business_id": "business-0", "format": "ad" })).await;
    while !client.has_ended(id) {
        tokio::time::sleep(POISON_WORKS).await;
        let Some(pid) = runner(system, id).await? else { continue };
        if let Some(index) = system.workers.iter().position(|worker| worker.pid() == pid) {
            system.kill_worker(index).await?;
        }
    }
    Ok(())
}

/// The process that runs a job: its lease names it as `host-pid-random`.
async fn runner(system: &System, id: Uuid) -> anyhow::Result<Option<u32>> {
    let owner: Option<String> = sqlx::query_scalar("select lease_owner from jobs where id = $1 and status = 'running'")
        .bind(id)
        .fetch_optional(&system.database.pool)
        .await?;
    Ok(owner.and_then(|owner| owner.rsplit('-').nth(1)?.parse().ok()))
}
