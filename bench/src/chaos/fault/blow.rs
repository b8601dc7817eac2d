//! Injects faults. Each injection ends with a repair, so that the rest of the run shows whether
//! Copydesk recovers, and returns how much it hit.

use std::time::Duration;

use anyhow::Context as _;
use copydesk_common::redis::keys::Keys;
use copydesk_domain::job::JobKind;
use copydesk_simulator::link::Link;
use nix::sys::signal::Signal;
use rand::RngExt;
use rand::seq::SliceRandom;
use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Fault, Target};
use crate::chaos::client::Client;
use crate::chaos::{LEASE, Rng};
use crate::process;
use crate::system::System;

/// The faults that a storm chooses from, in addition to killed workers: short ones.
const STORM: [Fault; 9] = [
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
/// The length of a short fault.
const MOMENT: Duration = Duration::from_secs(3);
/// The length of a short cut of links.
const BLINK: Duration = Duration::from_millis(500);
/// The beginning of a poison's topic.
pub(in crate::chaos) const POISON: &str = "Poison";
/// How long after the start of a stage the poison kills its worker; the stage's call takes longer.
const POISON_WORKS: Duration = Duration::from_millis(100);

/// What faults are injected into.
pub(in crate::chaos) struct Scene<'a> {
    pub(in crate::chaos) system: &'a mut System,
    pub(in crate::chaos) client: &'a Client,
    /// The length of an outage of Redis or Postgres.
    pub(in crate::chaos) outage: Duration,
    pub(in crate::chaos) rng: &'a mut Rng,
    /// The faults of a storm that are left before one is repeated.
    pub(in crate::chaos) deck: Vec<Fault>,
    /// The number of jobs of the business whose cap changes.
    pub(in crate::chaos) backlog: u32,
    /// How long after each outage Redis knew all open jobs.
    pub(in crate::chaos) known_after: Vec<Duration>,
}

impl Scene<'_> {
    /// Injects a fault once, and repairs it before this returns. Returns how much it hit, in the
    /// unit of [`Fault::bites`]; 0 if only the history shows it.
    pub(in crate::chaos) async fn strike(&mut self, fault: Fault) -> anyhow::Result<u64> {
        match fault {
            Fault::WorkerKill => self.kill_a_worker().await,
            Fault::WorkerFreeze => self.freeze_a_worker().await,
            Fault::WorkerRestart | Fault::TwoVersions => self.restart_workers().await,
            Fault::ApiKill => {
                let before = self.client.unanswered();
                self.system.kill_api().await?;
                Ok(self.client.unanswered() - before)
            }
            Fault::Poison => self.poison().await,
            Fault::CapsChanged => self.change_cap(self.backlog).await,
            Fault::RedisGoneBacklog => self.leave_redis_out().await,
            Fault::Storm => self.storm().await,
            Fault::LinksSlow => self.slow_links().await,
            Fault::LinksCut => cut(&[&self.system.redis_link, &self.system.postgres_link], BLINK).await,
            Fault::MessagesUnreadable => spoil_messages(self.system).await,
            // Messages are made unreadable so that a sweep with a wrong clock must find their jobs.
            Fault::ClockOff => spoil_messages(self.system).await.map(|_| 0),
            _ if fault.target() == Target::Redis => self.strike_redis(fault).await,
            _ if fault.target() == Target::Postgres => self.strike_postgres(fault).await,
            _ => Ok(0),
        }
    }

    async fn kill_a_worker(&mut self) -> anyhow::Result<u64> {
        let index = self.rng.random_range(0..self.system.workers.len());
        self.system.kill_worker(index).await?;
        Ok(0)
    }

    /// When the worker continues, its jobs have been taken over: it is a zombie.
    async fn freeze_a_worker(&mut self) -> anyhow::Result<u64> {
        let index = self.rng.random_range(0..self.system.workers.len());
        let worker = &self.system.workers[index];
        worker.signal(Signal::SIGSTOP)?;
        tokio::time::sleep(LEASE + MOMENT).await;
        worker.signal(Signal::SIGCONT)?;
        Ok(0)
    }

    async fn restart_workers(&mut self) -> anyhow::Result<u64> {
        let under_way: i64 = sqlx::query_scalar("select count(*) from jobs where status = 'running'")
            .fetch_one(&self.system.database.pool)
            .await?;
        self.system.restart_workers().await?;
        Ok(under_way.unsigned_abs())
    }

    /// Kills a worker during another fault. All faults of the storm are used before one is
    /// repeated.
    async fn storm(&mut self) -> anyhow::Result<u64> {
        if self.deck.is_empty() {
            self.deck = STORM.to_vec();
            self.deck.shuffle(self.rng);
        }
        let blow = self.deck.pop().context("a storm has blows")?;
        self.kill_a_worker().await?;
        Box::pin(self.strike(blow)).await
    }

    async fn slow_links(&self) -> anyhow::Result<u64> {
        let links = [&self.system.redis_link, &self.system.postgres_link];
        let delayed = || links.iter().map(|link| link.delayed()).sum::<u64>();
        let before = delayed();
        links.iter().for_each(|link| link.slow(Duration::from_millis(50)));
        tokio::time::sleep(MOMENT).await;
        links.iter().for_each(|link| link.slow(Duration::ZERO));
        Ok(delayed() - before)
    }

    /// Submits a job and kills every worker that runs it, until the job has ended.
    async fn poison(&mut self) -> anyhow::Result<u64> {
        let id = self.client.accepted(POISON, json!({ "business_id": "business-0", "format": "ad" })).await;
        while !self.client.has_ended(id) {
            tokio::time::sleep(POISON_WORKS).await;
            let Some(pid) = runner(self.system, id).await? else { continue };
            if let Some(index) = self.system.workers.iter().position(|worker| worker.pid() == pid) {
                self.system.kill_worker(index).await?;
            }
        }
        Ok(0)
    }

    async fn strike_redis(&mut self, fault: Fault) -> anyhow::Result<u64> {
        let open = self.client.open();
        let redis = &mut self.system.redis;
        match fault {
            Fault::RedisFlush => {
                let keys = redis.ask(&["DBSIZE"]).await?;
                redis.command(&["FLUSHALL"]).await?;
                Ok(keys)
            }
            Fault::RedisPause => {
                redis.command(&["CLIENT", "PAUSE", "2000", "ALL"]).await?;
                Ok(open)
            }
            Fault::RedisKillClients => redis.ask(&["CLIENT", "KILL", "SKIPME", "yes"]).await,
            Fault::RedisRestart => {
                redis.kill().await?;
                tokio::time::sleep(BLINK).await;
                redis.start_again().await?;
                Ok(open)
            }
            Fault::RedisFull => {
                let before = redis.out_of_memory_errors().await?;
                redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await?;
                tokio::time::sleep(MOMENT).await;
                redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await?;
                Ok(redis.out_of_memory_errors().await? - before)
            }
            _ => cut(&[&self.system.redis_link], self.outage).await,
        }
    }

    async fn strike_postgres(&mut self, fault: Fault) -> anyhow::Result<u64> {
        let system = &*self.system;
        match fault {
            Fault::PostgresTerminate => terminate(system).await,
            Fault::PostgresCrash => crash(system, self.rng).await,
            Fault::PostgresReadOnly => read_only(system).await,
            Fault::PostgresFull => full(system).await,
            Fault::PostgresLocked => locked(system).await,
            _ => cut(&[&system.postgres_link], self.outage).await,
        }
    }
}

/// Breaks every connection and refuses new ones for a while.
pub(super) async fn cut(links: &[&Link], outage: Duration) -> anyhow::Result<u64> {
    let broken = || links.iter().map(|link| link.broken()).sum::<u64>();
    let before = broken();
    links.iter().for_each(|link| link.cut());
    tokio::time::sleep(outage).await;
    links.iter().for_each(|link| link.heal());
    Ok(broken() - before)
}

/// Changes the version in the messages of jobs that do not run to an unknown one, as a newer
/// release or a damaged Redis may leave it.
async fn spoil_messages(system: &System) -> anyhow::Result<u64> {
    let keys = Keys::new("copydesk").queue(JobKind::Generate);
    let script = redis::Script::new(include_str!("spoil_messages.lua"));
    let mut call = script.key(keys.messages);
    call.key(keys.ready_interactive).key(keys.ready_bulk).key(keys.delayed);
    Ok(call.invoke_async(&mut system.redis.connect().await?).await?)
}

pub(super) async fn count(system: &System, query: &'static str) -> anyhow::Result<u64> {
    let count: i64 = sqlx::query_scalar(query).fetch_one(&system.database.pool).await?;
    Ok(count.unsigned_abs())
}

/// Terminates every session except our own. Returns how many.
async fn terminate(system: &System) -> anyhow::Result<u64> {
    let query = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                 where datname = current_database() and application_name = 'copydesk'";
    count(system, query).await
}

/// Kills one of Postgres' processes: Postgres then ends all others, loses its memory, and recovers
/// from its log.
async fn crash(system: &System, rng: &mut Rng) -> anyhow::Result<u64> {
    let pool = &system.database.pool;
    let backends: Vec<i32> = sqlx::query_scalar(
        "select pid from pg_stat_activity where datname = current_database() and application_name = 'copydesk'",
    )
    .fetch_all(pool)
    .await?;
    let Some(victim) = backends.get(rng.random_range(0..backends.len().max(1))) else { return Ok(0) };
    process::send(u32::try_from(*victim)?, Signal::SIGKILL).context("Postgres runs as somebody else")?;
    let recovered = async {
        while sqlx::query("select 1").execute(pool).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), recovered).await.context("Postgres did not recover")?;
    Ok(backends.len() as u64)
}

/// Like a failover that stops halfway: sessions end, new ones cannot write, and end again.
async fn read_only(system: &System) -> anyhow::Result<u64> {
    let (pool, name) = (&system.database.pool, system.database.name());
    let before = rollbacks(system).await?;
    let set = format!("begin read write; alter database {name} set default_transaction_read_only = on; commit");
    sqlx::raw_sql(AssertSqlSafe(set)).execute(pool).await?;
    terminate(system).await?;
    tokio::time::sleep(MOMENT).await;
    let reset = format!("begin read write; alter database {name} reset default_transaction_read_only; commit");
    sqlx::raw_sql(AssertSqlSafe(reset)).execute(pool).await?;
    terminate(system).await?;
    Ok(rollbacks(system).await?.saturating_sub(before))
}

/// The number of failed statements in this database. Sessions report theirs when they end.
async fn rollbacks(system: &System) -> anyhow::Result<u64> {
    count(system, "select xact_rollback from pg_stat_database where datname = current_database()").await
}

/// A trigger raises the error of a full disk. A separate disk for the server would need root to be
/// created and mounted, and clients could not see the difference.
async fn full(system: &System) -> anyhow::Result<u64> {
    let refused = "select case when is_called then last_value else 0 end from audit.refused";
    let before = count(system, refused).await?;
    system.database.execute(include_str!("full.sql")).await?;
    tokio::time::sleep(MOMENT).await;
    system.database.execute(include_str!("not_full.sql")).await?;
    Ok(count(system, refused).await? - before)
}

/// Locks the table of jobs: sessions wait and keep their connections.
async fn locked(system: &System) -> anyhow::Result<u64> {
    let mut transaction = system.database.pool.begin().await?;
    sqlx::query("lock table jobs in access exclusive mode").execute(&mut *transaction).await?;
    tokio::time::sleep(MOMENT).await;
    let query = "select count(*) from pg_stat_activity
                 where datname = current_database() and application_name = 'copydesk' and wait_event_type = 'Lock'";
    let held_up = count(system, query).await?;
    transaction.rollback().await?;
    Ok(held_up)
}

/// The process that runs a job: its lease names it as `host-pid-random`.
async fn runner(system: &System, id: Uuid) -> anyhow::Result<Option<u32>> {
    let owner: Option<String> = sqlx::query_scalar("select lease_owner from jobs where id = $1 and status = 'running'")
        .bind(id)
        .fetch_optional(&system.database.pool)
        .await?;
    Ok(owner.and_then(|owner| owner.rsplit('-').nth(1)?.parse().ok()))
}
