//! P6: when jobs of several calls are done at a quota that is too small for all: by the quota's
//! order, by the ideal one, and by a pool whose callers race.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use chrono::{DateTime, Utc};
use copydesk_common::clock;
use copydesk_common::config::RedisConfig;
use copydesk_common::quota::{Admission, Health, Policy, Quota, Rank, Settlement};
use copydesk_common::redis::Redis;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use futures_util::future::try_join_all;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::Bench;
use crate::measure::{Findings, Mark, mean, quantile};
use crate::redis_server::RedisServer;

const ABOUT: &str =
    "40 jobs of 4 calls at 30 calls a window of 2 s, in windows until a job is done; ideal and racing are computed";
const JOBS: usize = 40;
const CALLS: usize = 4;
const LIMIT: usize = 30;
const WINDOW: Duration = Duration::from_secs(2);

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("P6 order", ABOUT);
    let server = RedisServer::start(&bench.ground.redis_server, folder).await?;
    for round in 0..bench.rounds as u64 {
        let asks = AtomicUsize::new(0);
        let ours = ours(&server, round, &asks).await?;
        findings.add("round trips a grant", "", asks.into_inner() as f64 / (JOBS * CALLS) as f64);
        for (name, mut done) in [("ours", ours), ("ideal", ideal()), ("racing", racing(round))] {
            findings.add(&format!("{name}, mean"), "windows", mean(done.iter().copied()));
            findings.add(&format!("{name}, p95"), "windows", quantile(&mut done, 0.95));
        }
    }
    let ratio = findings.median("ours, mean") / findings.median("ideal, mean");
    findings.mark("mean to the ideal one", ratio, Mark::AtMost(1.05));
    Ok(findings)
}

/// The first job makes its calls, then the second one: the least mean that there is.
fn ideal() -> Vec<f64> {
    (0..JOBS).map(|job| ((job * CALLS + CALLS - 1) / LIMIT) as f64).collect()
}

/// Whoever is lucky gets the next call.
fn racing(seed: u64) -> Vec<f64> {
    let mut rng = rand::rngs::Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut left = [CALLS; JOBS];
    let mut done = vec![0.0; JOBS];
    for call in 0..JOBS * CALLS {
        let open: Vec<usize> = (0..JOBS).filter(|job| left[*job] > 0).collect();
        let lucky = open[usize::try_from(rng.next_u64()).unwrap_or(0) % open.len()];
        left[lucky] -= 1;
        done[lucky] = (call / LIMIT) as f64;
    }
    done
}

/// The quota's order, with real waits.
async fn ours(server: &RedisServer, round: u64, asks: &AtomicUsize) -> anyhow::Result<Vec<f64>> {
    let redis = Redis::new(&RedisConfig::new(&format!("redis://{}/0", server.address()), &format!("o{round}")))?;
    let policy = Policy { window: WINDOW, ..Policy::per_minute(u32::try_from(LIMIT)?, Duration::from_secs(10)) };
    let quota = Quota::new(&redis, "groq", "any", policy);
    let (began, accepted_at) = (Instant::now(), clock::now());
    // In what order jobs of one burst are claimed is not theirs to choose.
    let mut ages: Vec<i64> = (0..i64::try_from(JOBS)?).collect();
    ages.shuffle(&mut rand::rngs::Xoshiro256PlusPlus::seed_from_u64(round));
    let jobs = ages.into_iter().map(|age| job(&quota, accepted_at + chrono::TimeDelta::milliseconds(age), began, asks));
    try_join_all(jobs).await
}

/// Windows until a job's last call is granted.
async fn job(quota: &Quota, accepted_at: DateTime<Utc>, began: Instant, asks: &AtomicUsize) -> anyhow::Result<f64> {
    let (id, business_id) = (JobId::new(), BusinessId::parse("bench")?);
    for further in (0..u8::try_from(CALLS)?).rev() {
        let is_new = usize::from(further) + 1 == CALLS;
        let rank = if is_new { Rank::new_job } else { Rank::under_way }(id, business_id.clone(), accepted_at);
        granted(quota, rank.before(further), asks).await?;
    }
    Ok(began.elapsed().as_secs_f64() / WINDOW.as_secs_f64())
}

async fn granted(quota: &Quota, rank: Rank, asks: &AtomicUsize) -> anyhow::Result<()> {
    loop {
        asks.fetch_add(1, Ordering::Relaxed);
        match quota.admit(rank.clone()).await? {
            Admission::Granted(grant) => {
                quota.settle(grant, Settlement::of(Health::Healthy)).await?;
                return Ok(());
            }
            Admission::Throttled { until } | Admission::BreakerOpen { until } | Admission::OverBudget { until } => {
                tokio::time::sleep((until - clock::now()).to_std().unwrap_or_default()).await;
            }
            Admission::Turn => bail!("a call was asked for, and no turn"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ideal_order_is_better_than_racing() {
        assert!(mean(ideal()) * 1.5 < mean(racing(1)));
        assert_eq!(ideal().last(), Some(&5.0));
    }
}
