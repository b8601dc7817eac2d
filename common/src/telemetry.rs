//! Logs and metrics of a process. Each crate has one file with the names of its metrics.

use std::sync::LazyLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, TelemetryConfig};

/// Buckets of every duration, in seconds: from a cached read to the longest call.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// Logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `COPYDESK_LOG` is not a valid filter.
    #[error("COPYDESK_LOG takes a level, or directives such as info,copydesk_worker=debug")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Another logger is already installed.
    #[error("logging was set up twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logging to standard error.
pub fn init(config: &TelemetryConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(&config.filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match config.format {
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init()?,
        LogFormat::Console => registry.with(layer.compact()).try_init()?,
    }
    Ok(())
}

static METRICS: LazyLock<Option<PrometheusHandle>> = LazyLock::new(|| {
    let builder =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS).ok()?;
    builder.install_recorder().ok()
});

/// Starts recording metrics. The returned handle renders `/metrics`. There is one recorder for each
/// process, however often this is called. `None` if another recorder is installed.
pub fn metrics() -> Option<&'static PrometheusHandle> {
    METRICS.as_ref()
}

/// Compacts samples from time to time, so that memory stays bounded even if nothing scrapes the
/// metrics.
pub async fn upkeep() {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        if let Some(handle) = metrics() {
            handle.run_upkeep();
        }
    }
}
