//! Many real workers in one process, each with its own connections and claimers: separate processes
//! would need more memory than a test machine has.

use anyhow::Context as _;
use copydesk_common::config::Config;
use copydesk_common::telemetry;
use futures_util::future::try_join_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs this many workers, configured by the environment, until SIGTERM.
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
