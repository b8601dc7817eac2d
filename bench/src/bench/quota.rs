//! P5: the shared quota under more callers than it lets through, counted where the calls arrive.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use copydesk_common::clock;
use copydesk_common::config::RedisConfig;
use copydesk_common::quota::{Admission, Health, Policy, Quota, Rank, Settlement};
use copydesk_common::redis::Redis;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_simulator::{Simulator, SimulatorConfig};
use futures_util::future::try_join_all;
use serde_json::json;

use super::Bench;
use crate::measure::{Findings, Mark};
use crate::redis_server::RedisServer;

const ABOUT: &str = "four connections to Redis, 32 callers on each, one limit; counted at the simulator, which refuses nothing; one run";
const WORKERS: usize = 4;
const CALLERS: usize = 32;
const LIMITS: [u32; 2] = [30, 6_000];
/// Into the second window: the first one is full at its begin, whatever the order.
const TIME: Duration = Duration::from_secs(64);
const MINUTE_MS: u64 = 60_000;

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("P5 quota", ABOUT);
    let server = RedisServer::start(&bench.ground.redis_server, folder).await?;
    let runs = LIMITS.map(|limit| run(&server, limit));
    for (limit, (arrivals, asks)) in LIMITS.iter().zip(try_join_all(runs).await?) {
        let most = most_within_a_minute(&arrivals);
        findings.add(&format!("{limit}/min: most in any minute"), "calls", most as f64);
        findings.add(&format!("{limit}/min: used when saturated"), "%", 100.0 * used(&arrivals, *limit as usize));
        findings.add(&format!("{limit}/min: round trips a grant"), "", asks as f64 / arrivals.len() as f64);
        findings.mark(&format!("{limit}/min: most in any minute"), most as f64, Mark::AtMost(f64::from(*limit)));
        findings.mark(&format!("{limit}/min: used, %"), 100.0 * used(&arrivals, *limit as usize), Mark::AtLeast(99.0));
    }
    Ok(findings)
}

/// When the calls arrived, in ms, and how often the quota was asked for them.
async fn run(server: &RedisServer, limit: u32) -> anyhow::Result<(Vec<u64>, usize)> {
    let simulator = Simulator::start(SimulatorConfig::unlimited()).await?;
    let until = Instant::now() + TIME;
    let mut callers = Vec::new();
    for _ in 0..WORKERS {
        let redis = Redis::new(&RedisConfig::new(&format!("redis://{}/0", server.address()), &format!("q{limit}")))?;
        let quota = Quota::new(&redis, "tavily", "search", Policy::per_minute(limit, Duration::from_secs(10)));
        let http = reqwest::Client::new();
        let url = format!("{}/search", simulator.base_url());
        callers.extend((0..CALLERS).map(|_| tokio::spawn(call(quota.clone(), http.clone(), url.clone(), until))));
    }
    let mut asks = 0;
    for caller in callers {
        asks += caller.await??;
    }
    Ok((simulator.calls().search.accepted_at_ms.into(), asks))
}

/// Calls as often as it may; how often it asked.
async fn call(quota: Quota, http: reqwest::Client, url: String, until: Instant) -> anyhow::Result<usize> {
    let rank = Rank::new_job(JobId::new(), BusinessId::parse("bench")?, clock::now());
    let mut asks = 0;
    while Instant::now() < until {
        asks += 1;
        match quota.admit(rank.clone()).await? {
            Admission::Granted(grant) => {
                let answer = http.post(&url).bearer_auth("tvly-bench").json(&json!({ "query": "any" })).send().await?;
                ensure!(answer.status().is_success(), "the simulator answered with {}", answer.status());
                quota.settle(grant, Settlement::of(Health::Healthy)).await?;
            }
            Admission::Throttled { until: at }
            | Admission::BreakerOpen { until: at }
            | Admission::OverBudget { until: at } => {
                let wait = (at - clock::now()).to_std().unwrap_or_default();
                tokio::time::sleep(wait.min(until.saturating_duration_since(Instant::now()))).await;
            }
            Admission::Turn => bail!("a call was asked for, and no turn"),
        }
    }
    Ok(asks)
}

pub(super) fn most_within_a_minute(arrivals: &[u64]) -> usize {
    let begins = arrivals.iter().enumerate();
    begins.map(|(first, at)| arrivals[first..].partition_point(|later| *later < at + MINUTE_MS)).max().unwrap_or(0)
}

/// The share of the limit that was used: what a minute is to the mean time from one call to the one
/// `limit` calls later.
pub(super) fn used(arrivals: &[u64], limit: usize) -> f64 {
    let spans: Vec<u64> = arrivals.iter().zip(arrivals.iter().skip(limit)).map(|(from, to)| to - from).collect();
    spans.len() as f64 * MINUTE_MS as f64 / spans.iter().sum::<u64>() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_any_minute_and_use_is_by_spacing() {
        let arrivals = [0, 1, 60_000, 60_001, 119_999];
        assert_eq!(most_within_a_minute(&arrivals), 3);
        assert!((used(&[0, 1, 60_000, 60_001], 2) - 1.0).abs() < 1e-9);
        assert!((used(&[0, 0, 120_000, 120_000], 2) - 0.5).abs() < 1e-9);
    }
}
