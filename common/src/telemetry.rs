//! Logs and metrics of a process. Names of metrics live beside what they measure, in one file a
//! crate.

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

/// The process's logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `COPYDESK_LOG` is no filter.
    #[error("COPYDESK_LOG takes a level, or directives such as info,copydesk_worker=debug")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else logs already.
    #[error("logging was set up twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Logs to standard error from now on.
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

/// Counts and measures from now on; the returned handle renders what `/metrics` shows. One a
/// process, however often it is asked for. `None` where another recorder is installed.
pub fn metrics() -> Option<&'static PrometheusHandle> {
    METRICS.as_ref()
}

/// Folds finished samples away now and then, so that memory stays flat also where nobody scrapes.
pub async fn upkeep() {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        if let Some(handle) = metrics() {
            handle.run_upkeep();
        }
    }
}
