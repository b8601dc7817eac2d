//! What each call of a script takes Redis, beside a backlog of so many jobs.

use std::time::Duration;

use chrono::TimeDelta;
use copydesk_common::clock;
use copydesk_common::queue::{BATCH, Claimant, Claims, Intake, Next, Queue, QueueError, Settled, Share};
use copydesk_common::quota::{Policy, Quota, Rank};
use copydesk_common::redis::Redis;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, LeaseEpoch, LeaseRef};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::commands::Commands;
use super::fill::{self, Kind};
use crate::measure::growth::Lines;
use crate::measure::{Findings, mean, quantile};
use crate::redis_server::RedisServer;

const TIMES: usize = 30;
const LEASE_MS: u64 = 600_000;
/// A claim that sets jobs aside asks again at once; so often at most.
const CLAIMS: usize = 3_000;
/// Claims after a cap was raised.
const RAISED: usize = 60;
/// More waiting jobs than that take long to be made, one call each.
const WAITING: usize = 100_000;
/// Asks of the quota at once, while the line is made.
const ASKING: usize = 128;
const CAPPED: &str = "capped";

pub(super) async fn measure(server: &RedisServer, sizes: &[usize], findings: &mut Findings) -> anyhow::Result<()> {
    let mut lines = Lines::new("Redis, a call", sizes);
    for &size in sizes {
        let mut bed = Bed::make(server, size).await?;
        bed.ready(&mut lines).await?;
        bed.delayed(&mut lines).await?;
        bed.capped(&mut lines, findings).await?;
        bed.quota(&mut lines).await?;
    }
    findings.table(lines);
    Ok(())
}

/// A Redis with so many jobs of one sort at a time.
struct Bed<'a> {
    server: &'a RedisServer,
    commands: Commands,
    size: usize,
    redis: Redis,
    queue: Queue,
}

fn most(costs: &mut [f64]) -> f64 {
    quantile(costs, 1.0)
}

impl<'a> Bed<'a> {
    async fn make(server: &'a RedisServer, size: usize) -> anyhow::Result<Self> {
        let redis = fill::redis(server, "growth")?;
        let queue = Queue::new(&redis, JobKind::Generate);
        queue.set_intake(Intake::Open, 0).await?;
        // Redis is sent each script once, and keeps them when it is flushed.
        let unknown = [LeaseRef { id: JobId::new(), epoch: LeaseEpoch(1) }];
        fill::push(&queue, 1, Kind::Ready).await?;
        claim(&queue, 1).await?;
        queue.renew(&unknown, LEASE_MS).await?;
        end(&queue, &unknown).await?;
        Ok(Self { server, commands: Commands::of(server).await?, size, redis, queue })
    }

    /// A Redis that has nothing but this many jobs.
    async fn with_jobs(&self, kind: Kind<'_>) -> anyhow::Result<()> {
        self.server.command(&["FLUSHALL"]).await?;
        self.queue.set_intake(Intake::Open, 0).await?;
        fill::push(&self.queue, self.size, kind).await
    }

    /// Each turn leaves as many jobs as it found.
    async fn ready(&mut self, lines: &mut Lines) -> anyhow::Result<()> {
        self.with_jobs(Kind::Ready).await?;
        let (mut pushes, mut batches, mut claims, mut many) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut renewals, mut settlements, mut checks) = (Vec::new(), Vec::new(), Vec::new());
        let Self { commands, queue, .. } = self;
        for _ in 0..TIMES {
            let entries = fill::entries(BATCH + 1, Kind::Ready)?;
            let ids: Vec<JobId> = entries.iter().take(BATCH).map(|entry| entry.message.job_id()).collect();
            pushes.push(commands.cost_of(async { Ok(queue.push(&entries[BATCH..]).await?) }).await?.0);
            batches.push(commands.cost_of(async { Ok(queue.push(&entries[..BATCH]).await?) }).await?.0);
            checks.push(commands.cost_of(async { Ok(queue.recover(&ids).await?.unknown) }).await?.0);
            let (cost, one) = commands.cost_of(async { Ok(claim(queue, 1).await?) }).await?;
            claims.push(cost);
            let (cost, some) = commands.cost_of(async { Ok(claim(queue, 50).await?) }).await?;
            many.push(cost);
            let rest = claim(queue, BATCH - 50).await?;
            let leases: Vec<LeaseRef> = [one, some, rest].iter().flat_map(leases).collect();
            let (first, last) = leases.split_at(leases.len().min(BATCH));
            renewals.push(commands.cost_of(async { Ok(queue.renew(first, LEASE_MS).await?) }).await?.0);
            settlements.push(commands.cost_of(async { Ok(end(queue, first).await?) }).await?.0);
            end(queue, last).await?;
        }
        let mut add = |what: &str, costs: &[f64]| lines.add(what, "us", self.size, mean(costs.iter().copied()));
        add("push of 1, N ready", &pushes);
        add("push of 500, N ready", &batches);
        add("claim of 1, N ready", &claims);
        add("claim of 50, N ready", &many);
        add("renewal of 500, N ready", &renewals);
        add("settlement of 500, N ready", &settlements);
        add("check of 500 by the sweep, N ready", &checks);
        Ok(())
    }

    async fn delayed(&mut self, lines: &mut Lines) -> anyhow::Result<()> {
        self.with_jobs(Kind::Delayed(clock::now() + TimeDelta::days(1))).await?;
        let queue = &self.queue;
        let costs = self.commands.cost_us(TIMES, async || Ok(claim(queue, 1).await?)).await?;
        lines.add("claim of 1, N delayed and none due", "us", self.size, mean(costs.iter().copied()));
        Ok(())
    }

    /// Jobs of one business that may have one under way, and a claimer with one free slot.
    async fn capped(&mut self, lines: &mut Lines, findings: &mut Findings) -> anyhow::Result<()> {
        let size = self.size;
        self.with_jobs(Kind::Of(CAPPED)).await?;
        self.cap(1, 1).await?;
        let (mut meeting, mut held) = (Vec::new(), Vec::new());
        for _ in 0..CLAIMS {
            let (cost, claimed) = self.claim(1).await?;
            meeting.push(cost);
            held.extend(leases(&claimed));
            if !claimed.again_in.is_zero() && meeting.len() > 1 {
                break;
            }
        }
        lines.add("claim of 1 that meets N capped jobs first, most", "us", size, most(&mut meeting));
        let (mut idle, mut next) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            idle.push(self.claim(1).await?.0);
        }
        for _ in 0..TIMES.min(size - 1) {
            end(&self.queue, &held).await?;
            let (cost, claimed) = self.claim(1).await?;
            next.push(cost);
            held = leases(&claimed).collect();
        }
        lines.add("claim of 1, N capped and no room", "us", size, mean(idle.iter().copied()));
        lines.add("claim of 1, N capped and room for one", "us", size, mean(next.iter().copied()));
        lines.add("claim of 50 after the cap of N jobs was raised, most", "us", size, f64::NAN);
        match self.raise().await {
            Ok(mut raised) => {
                lines.add("claim of 50 after the cap of N jobs was raised, most", "us", size, most(&mut raised));
            }
            Err(error) => findings.note(format!("the cap of {size} jobs was raised: {error:#}")),
        }
        Ok(())
    }

    async fn raise(&mut self) -> anyhow::Result<Vec<f64>> {
        self.cap(1_000_000, 2).await?;
        let mut costs = Vec::new();
        for _ in 0..RAISED {
            let (cost, claimed) = self.claim(50).await?;
            costs.push(cost);
            end(&self.queue, &leases(&claimed).collect::<Vec<_>>()).await?;
        }
        Ok(costs)
    }

    async fn claim(&mut self, most: usize) -> anyhow::Result<(f64, Claims)> {
        let queue = &self.queue;
        self.commands.cost_of(async { Ok(claim(queue, most).await?) }).await
    }

    async fn cap(&self, jobs_at_once: u32, version: i64) -> anyhow::Result<()> {
        let share = Share { weight: None, jobs_at_once: Some(jobs_at_once) };
        self.queue.set_shares(&[(BusinessId::parse(CAPPED)?, share, version)]).await?;
        Ok(())
    }

    /// A line of jobs that wait for one call a minute.
    async fn quota(&mut self, lines: &mut Lines) -> anyhow::Result<()> {
        self.server.command(&["FLUSHALL"]).await?;
        let quota = Quota::new(&self.redis, "bench", "model", Policy::per_minute(1, Duration::from_secs(60)));
        stream::iter(0..self.size.min(WAITING))
            .map(|number| ask(&quota, number, false))
            .buffer_unordered(ASKING)
            .try_for_each(|()| std::future::ready(Ok(())))
            .await?;
        for (what, under_way) in [("of a new job", false), ("of a job under way", true)] {
            let costs = self.commands.cost_us(TIMES, async || ask(&quota, 0, under_way).await).await?;
            let what = format!("quota asked for a call {what}, N waiting (100,000 at most)");
            lines.add(&what, "us", self.size, mean(costs.iter().copied()));
        }
        Ok(())
    }
}

/// One call of the claim script.
async fn claim(queue: &Queue, most: usize) -> Result<Claims, QueueError> {
    queue.claim(Claimant { name: "bench", was_idle: true }, most, LEASE_MS, 0).await
}

/// One call of the script that ends leases: as many as it takes.
async fn end(queue: &Queue, leases: &[LeaseRef]) -> Result<(), QueueError> {
    let settled: Vec<_> = leases.iter().take(BATCH).map(|&lease| Settled { lease, next: Next::Done }).collect();
    queue.settle(&settled).await
}

fn leases(claims: &Claims) -> impl Iterator<Item = LeaseRef> {
    claims.leased.iter().map(|leased| leased.lease)
}

async fn ask(quota: &Quota, number: usize, under_way: bool) -> anyhow::Result<()> {
    let business_id = BusinessId::parse(format!("business-{}", number % 10))?;
    let (ticket, now) = (JobId::new(), clock::now());
    let rank =
        if under_way { Rank::under_way(ticket, business_id, now) } else { Rank::new_job(ticket, business_id, now) };
    // What is granted is not settled: the call is under way.
    let _admission = quota.admit(rank.before(2)).await?;
    Ok(())
}
