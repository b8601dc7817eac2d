//! The configuration of the workers.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The workers.
#[derive(Debug, Clone, confique::Config)]
pub struct WorkerConfig {
    /// The address of a worker's `/metrics` and `/health`; `off` for none.
    #[config(env = "COPYDESK_WORKER_LISTEN", default = "127.0.0.1:8081")]
    pub listen: String,
    /// The number of jobs of each kind that one worker runs at once.
    #[config(env = "COPYDESK_WORKER_CONCURRENCY", default = 64)]
    pub concurrency: u16,
    /// The concurrency cap: the most jobs of each kind that one business may have running in all
    /// workers together; 0 for no cap. Set the same value for all workers. Operators can set
    /// another cap for a business.
    #[config(env = "COPYDESK_BUSINESS_JOBS_AT_ONCE", default = 0)]
    pub business_jobs_at_once: u32,
    /// From this length on a text's plan is a call of its own, in words; a shorter text is planned in the answer that
    /// writes it. 0: every text is planned by a call of its own.
    #[config(env = "COPYDESK_OUTLINE_FROM_WORDS", default = 1_500)]
    pub outline_from_words: u16,
    /// The control arm: the share of texts that are written without what was learned from people, in percent. What
    /// learning is worth can only be told beside them. 0 for none; then it cannot be told.
    #[config(env = "COPYDESK_LEARNING_CONTROL_PERCENT", default = 10)]
    pub learning_control_percent: u8,
    /// The length of a lease, in milliseconds: a worker that does not renew it for this long loses
    /// its job.
    #[config(env = "COPYDESK_LEASE_MS", default = 75_000)]
    pub lease_ms: u64,
    /// How long a worker that shuts down waits for its current stages, in milliseconds.
    #[config(env = "COPYDESK_DRAIN_MS", default = 20_000)]
    pub drain_ms: u64,
    /// The wait before a job's second attempt, in milliseconds. The wait before the third is four
    /// times as long.
    #[config(env = "COPYDESK_FIRST_BACKOFF_MS", default = 5_000)]
    pub first_backoff_ms: u64,
    /// How often the sweep looks for jobs that Redis does not know, in milliseconds.
    #[config(env = "COPYDESK_SWEEP_MS", default = 2_000)]
    pub sweep_ms: u64,
    /// The program that reads documents, for a sandbox around it: it is started with the argument `read`, without the
    /// worker's variables, and must start the worker's own program in turn. By default, that program itself.
    #[config(env = "COPYDESK_READER_PROGRAM")]
    pub reader_program: Option<PathBuf>,
    /// The time limit for reading a document, in seconds of processor time; in all it may take half as much again.
    #[config(env = "COPYDESK_READING_SECONDS", default = 60)]
    pub reading_seconds: u16,
    /// Makes the machine's clock appear this many seconds ahead (behind, if negative). Only for
    /// tests with wrong clocks: do not set it.
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
        if self.reading_seconds == 0 {
            return Err("COPYDESK_READING_SECONDS takes a number of seconds from 1".into());
        }
        if self.learning_control_percent > 100 {
            return Err("COPYDESK_LEARNING_CONTROL_PERCENT takes a percentage from 0 to 100".into());
        }
        if self.sweep_ms == 0 {
            return Err("COPYDESK_SWEEP_MS takes a number of milliseconds from 1".into());
        }
        Ok(())
    }

    /// The address of `/metrics` and `/health`, if there is one.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }
}
