//! Logs and metrics of a process. Each crate has one file with the names of its metrics.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal, stderr};
use std::panic::PanicHookInfo;
use std::sync::LazyLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use self::console::ConsoleFields;
use self::escape::JsonLines;
pub(crate) use self::escape::is_obeyed;
pub use self::escape::one_line;
use crate::config::{LogFormat, TelemetryConfig};

mod console;
mod escape;

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
    match config.format {
        LogFormat::Json => registry.with(json(stderr)).try_init()?,
        LogFormat::Console => registry.with(console(stderr, stderr().is_terminal())).try_init()?,
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// One JSON object a line.
fn json<S, W>(writer: fn() -> W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: io::Write + 'static,
{
    fmt::layer().with_writer(move || JsonLines(writer())).json().flatten_event(true)
}

/// Readable text, in colours if it goes to a terminal.
fn console<S, W>(writer: fn() -> W, is_terminal: bool) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: io::Write + 'static,
{
    fmt::layer().with_writer(writer).with_ansi(is_terminal).compact().fmt_fields(ConsoleFields)
}

/// Logs a panic in one line, as everything else: what is printed by default has several.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        panic.message = panic.payload_as_str().unwrap_or("a value that is no text"),
        panic.location = location,
        panic.backtrace = backtrace,
        "a thread panicked"
    );
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::Mutex;

    use super::*;

    static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

    struct Memory;

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            WRITTEN.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What one event writes, with a name that would forge lines everywhere it can be: in the message,
    /// in fields, in an error's source, in a span and in a panic.
    fn written(layer: impl Layer<tracing_subscriber::Registry> + Send + Sync) -> String {
        let forged = "name\r\n2026-11-27T00:00:00Z  INFO forged: \u{1b}[2J\u{9b}31m\u{202e}\u{2028}end";
        let error = io::Error::other(io::Error::other(forged));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("span", text = forged, shown = %forged);
            let _entered = span.enter();
            tracing::info!(
                text = forged,
                shown = %forged,
                listed = ?[forged],
                error = &error as &dyn std::error::Error,
                "a message with {forged}"
            );
            let caught = std::panic::catch_unwind(|| {
                std::panic::set_hook(Box::new(log_panic));
                panic!("a panic with {forged}");
            });
            let _ = std::panic::take_hook();
            assert!(caught.is_err());
        });
        String::from_utf8(std::mem::take(&mut *WRITTEN.lock().unwrap())).unwrap()
    }

    #[test]
    fn a_line_of_a_log_cannot_be_forged() {
        for text in [written(console(|| Memory, false)), written(json(|| Memory))] {
            assert_eq!(text.lines().count(), 2, "an event and a panic: {text}");
            assert!(text.matches("forged").count() >= 8, "{text}");
            let obeyed = |c: char| c != '\n' && (c.is_control() || ['\u{202e}', '\u{2028}'].contains(&c));
            assert!(!text.contains(obeyed), "{text:?}");
        }
    }
}
