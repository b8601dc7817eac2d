//! The configuration of logs: which lines are written, and in which format.

use tracing_subscriber::EnvFilter;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Readable text.
    Console,
}

/// Logs.
#[derive(Debug, Clone, confique::Config)]
pub struct TelemetryConfig {
    /// `json` or `console`.
    #[config(env = "LOG_FORMAT", default = "json")]
    pub format: LogFormat,
    /// Which lines are written: a level, or directives such as `info,copydesk_worker=debug`.
    #[config(env = "COPYDESK_LOG", default = "info")]
    pub filter: String,
}

impl TelemetryConfig {
    pub(super) fn validate(&self) -> Result<(), String> {
        EnvFilter::builder().parse(&self.filter).map(drop).map_err(|error| {
            format!("COPYDESK_LOG takes a level, or directives such as info,copydesk_worker=debug: {error}")
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_filter_of_logs_that_cannot_be_read_stops_the_start() {
        let config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap();
        let with = |filter: &str| TelemetryConfig { filter: filter.into(), ..config.telemetry.clone() }.validate();
        assert_eq!(with("info,copydesk_worker=debug"), Ok(()));
        assert!(with("copydesk_worker=loud").unwrap_err().starts_with("COPYDESK_LOG takes a level"));
    }
}
