//! What idle claimers of one queue cost Redis, and how soon they see what becomes due.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use copydesk_common::clock;
use futures_util::future::try_join_all;

use super::commands::Commands;
use super::fleet::Fleet;
use crate::bench::Bench;
use crate::measure::growth::Lines;
use crate::measure::{Findings, Mark, quantile};
use crate::redis_server::RedisServer;

const CLAIMERS: [usize; 3] = [10, 100, 1_000];
/// The claimers have found by then that there is nothing, and have looked a second time, as newcomers do.
const SETTLES: Duration = Duration::from_secs(8);
/// Each claimer that is not on the roster looks once in this time.
const AT_REST: Duration = Duration::from_secs(60);
const DUE_PER_SECOND: usize = 25;
const DUE_SECONDS: usize = 10;
/// Long: only the jobs of vanished claimers meet the end of their lease.
const LEASE_MS: u64 = 60_000;
/// Of the claimers that vanish.
const SHORT_LEASE_MS: u64 = 1_500;
/// Claimers where some vanish, and how often that is tried: each time half of them vanish, so that the
/// one that would have looked next is among them nine hundred and ninety-nine times in a thousand.
const VANISHING: usize = 20;
const TRIES: usize = 10;
const WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn measure(bench: &Bench, folder: &Path, findings: &mut Findings) -> anyhow::Result<()> {
    let server = RedisServer::start(&bench.ground.redis_server, folder).await?;
    let fleets = if bench.quick { &CLAIMERS[..2] } else { &CLAIMERS[..] };
    let mut lines = Lines::new("idle claimers of one queue", fleets);
    for &claimers in fleets {
        let prefix = format!("fleet{claimers}");
        let fleet = Fleet::start(&server, &prefix, claimers, LEASE_MS).await?;
        tokio::time::sleep(SETTLES).await;
        at_rest(&server, claimers, &mut lines).await?;
        due(&server, &fleet, claimers, &mut lines).await?;
        drop(fleet);
        let expired_ms = expired(&server, &format!("{prefix}e"), claimers).await?;
        lines.add("an expired lease is seen after, most", "ms", claimers, expired_ms);
    }
    let killed_ms = killed(&server).await?;
    let most = fleets.last().copied().unwrap_or_default();
    let figure = |what: &str, unit: &str| lines.get(what, unit, most);
    findings.mark(
        &format!("Redis' thread at rest, {most} idle claimers, percent"),
        figure("Redis' thread at rest", "%"),
        Mark::AtMost(5.0),
    );
    findings.mark("claims a due job", figure("claims a due job", ""), Mark::AtMost(2.0));
    findings.mark("due jobs start within, p99, ms", figure("a due job starts after, p99", "ms"), Mark::AtMost(100.0));
    let expired = figure("an expired lease is seen after, most", "ms");
    findings.mark("an expired lease is seen within, ms", expired, Mark::AtMost(1_000.0));
    findings.mark("half of the claimers killed delay a due job by, ms", killed_ms, Mark::AtMost(2_000.0));
    findings.add("half of 20 idle claimers killed: a due job starts after, most of 10", "ms", killed_ms);
    findings.table(lines);
    Ok(())
}

async fn at_rest(server: &RedisServer, claimers: usize, lines: &mut Lines) -> anyhow::Result<()> {
    let (work, ()) = Commands::of(server).await?.work(tokio::time::sleep(AT_REST)).await?;
    lines.add("Redis' thread at rest", "%", claimers, work.busy);
    lines.add("of that, in scripts", "%", claimers, work.in_commands);
    lines.add("calls of scripts at rest", "/s", claimers, work.script_calls / work.seconds);
    Ok(())
}

/// Jobs that become due one after the other, made known together before.
async fn due(server: &RedisServer, fleet: &Fleet, claimers: usize, lines: &mut Lines) -> anyhow::Result<()> {
    let jobs = DUE_PER_SECOND * DUE_SECONDS;
    let first = clock::now() + TimeDelta::seconds(1);
    let every = TimeDelta::milliseconds(1_000 / i64::try_from(DUE_PER_SECOND)?);
    let times: Vec<DateTime<Utc>> = (0..).take(jobs).map(|number| first + every * number).collect();
    let ids = fleet.push_due(&times).await?;
    // What is looked for before the first is due is no claim of these jobs.
    tokio::time::sleep((first - clock::now()).to_std().unwrap_or_default()).await;
    let (work, starts) = Commands::of(server).await?.work(fleet.starts(&ids, WITHIN)).await?;
    let mut delays_ms: Vec<f64> = starts?.iter().zip(&times).map(|(start, due)| millis(*start - *due)).collect();
    // Each job's end is one call of a script: the others look for jobs.
    lines.add("claims a due job", "", claimers, (work.script_calls - jobs as f64) / jobs as f64);
    lines.add("Redis' thread at 25 due jobs a second", "%", claimers, work.busy);
    lines.add("a due job starts after, p50", "ms", claimers, quantile(&mut delays_ms, 0.5));
    lines.add("a due job starts after, p99", "ms", claimers, quantile(&mut delays_ms, 0.99));
    Ok(())
}

fn millis(time: TimeDelta) -> f64 {
    time.num_microseconds().unwrap_or(i64::MAX) as f64 / 1_000.0
}

/// The longest time from the end of a lease whose holder vanished until another claimer has the job.
async fn expired(server: &RedisServer, prefix: &str, claimers: usize) -> anyhow::Result<f64> {
    let fleet = Fleet::start(server, prefix, claimers, SHORT_LEASE_MS).await?;
    tokio::time::sleep(SETTLES).await;
    let mut most_ms: f64 = 0.0;
    for _ in 0..TRIES.min(claimers - 1).min(5) {
        let id = fleet.push_endless().await?;
        let first = fleet.start_of(id, 0, WITHIN).await?;
        fleet.let_end(id);
        fleet.kill(first.claimer);
        let second = fleet.start_of(id, 1, WITHIN).await?;
        most_ms = most_ms.max(millis(second.at - first.at) - SHORT_LEASE_MS as f64);
    }
    Ok(most_ms)
}

/// The longest delay of a due job that half of a fleet's claimers did not live to see.
async fn killed(server: &RedisServer) -> anyhow::Result<f64> {
    let delays = try_join_all((0..TRIES).map(|number| killed_once(server, number))).await?;
    Ok(delays.into_iter().fold(0.0, f64::max))
}

async fn killed_once(server: &RedisServer, number: usize) -> anyhow::Result<f64> {
    let fleet = Fleet::start(server, &format!("killed{number}"), VANISHING, LEASE_MS).await?;
    tokio::time::sleep(SETTLES).await;
    let due = clock::now() + TimeDelta::milliseconds(1_500);
    let ids = fleet.push_due(&[due]).await?;
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    for claimer in rand::seq::index::sample(&mut rand::rng(), VANISHING, VANISHING / 2) {
        fleet.kill(claimer);
    }
    let starts = fleet.starts(&ids, WITHIN).await?;
    Ok(starts.iter().map(|&start| millis(start - due)).fold(0.0, f64::max))
}
