//! Many workers in one process: real ones, each with its own connections and claimers, where a process
//! each would take more memory than a machine for tests has.

use anyhow::Context as _;
use copydesk_common::config::Config;
use copydesk_common::telemetry;
use futures_util::future::try_join_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs so many workers of the environment's configuration until SIGTERM.
pub(crate) async fn run(workers: usize) -> anyhow::Result<()> {
    let config = Config::from_env()?;
    telemetry::init(&config.telemetry)?;
    let leave = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    let told = leave.clone();
    tokio::spawn(async move {
        terminate.recv().await;
        told.cancel();
    });
    let workers = (0..workers)
        .map(|_| -> anyhow::Result<_> {
            let worker = copydesk_worker::build(config.clone())?;
            Ok(tokio::spawn(worker.run(leave.clone().cancelled_owned())))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    for ended in try_join_all(workers).await? {
        ended?;
    }
    Ok(())
}
