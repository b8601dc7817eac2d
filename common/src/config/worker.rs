//! What the workers alone are told.

use std::net::SocketAddr;

/// The workers.
#[derive(Debug, Clone, confique::Config)]
pub struct WorkerConfig {
    /// The address of its `/metrics` and `/health`; `off` for none.
    #[config(env = "COPYDESK_WORKER_LISTEN", default = "127.0.0.1:8081")]
    pub listen: String,
    /// Jobs of each kind that one worker runs at once.
    #[config(env = "COPYDESK_WORKER_CONCURRENCY", default = 64)]
    pub concurrency: u16,
    /// Jobs of each kind that one business may have in all workers' hands at once; 0 for any number. The
    /// same for all workers; operators can give a business another number.
    #[config(env = "COPYDESK_BUSINESS_JOBS_AT_ONCE", default = 0)]
    pub business_jobs_at_once: u32,
    /// How long a job stays its worker's without a renewal, in milliseconds.
    #[config(env = "COPYDESK_LEASE_MS", default = 75_000)]
    pub lease_ms: u64,
    /// How long a leaving worker lets its stages finish, in milliseconds.
    #[config(env = "COPYDESK_DRAIN_MS", default = 20_000)]
    pub drain_ms: u64,
    /// The wait before a job's second attempt, in milliseconds; four times as long before the third.
    #[config(env = "COPYDESK_FIRST_BACKOFF_MS", default = 5_000)]
    pub first_backoff_ms: u64,
    /// How often the sweep looks for jobs that Redis does not know, in milliseconds.
    #[config(env = "COPYDESK_SWEEP_MS", default = 2_000)]
    pub sweep_ms: u64,
    /// Makes the machine's clock look so many seconds ahead, or behind where negative. For tests of
    /// wrong clocks: leave it.
    #[config(env = "COPYDESK_CLOCK_AHEAD_SECONDS", default = 0)]
    pub clock_ahead_seconds: i64,
}

impl WorkerConfig {
    pub(super) fn validate(&self) -> Result<(), String> {
        if self.listen != "off" && self.listen.parse::<SocketAddr>().is_err() {
            return Err("COPYDESK_WORKER_LISTEN takes an address such as 127.0.0.1:8081, or off".into());
        }
        if self.concurrency == 0 {
            return Err("COPYDESK_WORKER_CONCURRENCY takes a number of jobs from 1".into());
        }
        if self.sweep_ms == 0 {
            return Err("COPYDESK_SWEEP_MS takes a number of milliseconds from 1".into());
        }
        Ok(())
    }

    /// The address of `/metrics` and `/health`, where there is one.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }
}
