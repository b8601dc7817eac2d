//! The faults: what each is, what it needs of the system, and what proves that it hit. How a blow
//! falls is [`blow`]'s.

use std::time::Duration;

use clap::ValueEnum;
use copydesk_simulator::{Fault as Spoil, FaultKind, RetryAfter};

pub(super) mod blow;
pub(super) mod crowd;

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fault {
    /// Nothing: what the others are held against.
    None,
    WorkerKill,
    WorkerFreeze,
    WorkerRestart,
    ApiKill,
    RedisFlush,
    RedisPause,
    RedisKillClients,
    RedisRestart,
    RedisGone,
    RedisFull,
    PostgresTerminate,
    PostgresCrash,
    PostgresGone,
    PostgresReadOnly,
    PostgresFull,
    PostgresLocked,
    LinksCut,
    LinksSlow,
    ClockOff,
    MessagesUnreadable,
    ProviderErrors,
    ProviderLimits,
    ProviderLimitsSilent,
    ProviderHangs,
    ProviderResets,
    ProviderTruncates,
    ProviderEmpty,
    ProviderWrongShape,
    ProviderDrips,
    ProviderHuge,
    Poison,
    /// A worker is killed together with one of the blows to API, Redis and Postgres, by the seed.
    Storm,
    /// Needs the programs of an earlier release.
    TwoVersions,
    CapsChanged,
    RedisGoneBacklog,
    IdleFleet,
}

/// Who is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Our own processes.
    Ours,
    Redis,
    Postgres,
    Providers,
}

/// How far the clocks of some workers are ahead where clocks are off, in seconds. The first worker
/// is the likely one to sweep: one that is behind would not see the latest jobs.
const CLOCKS_AHEAD: [i64; 2] = [-300, 300];
/// An answer that nobody wants, in bytes.
const HUGE_BYTES: u64 = 10_000_000;

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

impl Fault {
    /// All of them, in order. Two versions at once take the programs of an earlier release.
    pub(super) fn all(with_previous: bool) -> Vec<Self> {
        Self::value_variants().iter().copied().filter(|fault| with_previous || *fault != Self::TwoVersions).collect()
    }

    /// In words.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::None => "nothing breaks",
            Self::WorkerKill => "a worker is killed (SIGKILL) every 3 s",
            Self::WorkerFreeze => "a worker stands still (SIGSTOP) for longer than its leases, and goes on",
            Self::WorkerRestart => "all workers are replaced, one after the other (SIGTERM)",
            Self::ApiKill => "the API is killed (SIGKILL) under load",
            Self::RedisFlush => "Redis loses everything (FLUSHALL)",
            Self::RedisPause => "Redis answers nobody for 2 s (CLIENT PAUSE)",
            Self::RedisKillClients => "Redis drops every connection (CLIENT KILL)",
            Self::RedisRestart => "Redis is killed and started again",
            Self::RedisGone => "Redis cannot be reached for a while",
            Self::RedisFull => "Redis is out of memory and takes no writes",
            Self::PostgresTerminate => "Postgres ends every connection",
            Self::PostgresCrash => "Postgres crashes and recovers",
            Self::PostgresGone => "Postgres cannot be reached for a while",
            Self::PostgresReadOnly => "Postgres takes no writes",
            Self::PostgresFull => "Postgres' disk is full: it refuses jobs, results and their changes (53100)",
            Self::PostgresLocked => "the table of jobs is locked for 3 s, so that the pools run dry",
            Self::LinksCut => "every connection to Postgres and Redis is cut for half a second",
            Self::LinksSlow => "every packet to Postgres and Redis takes 50 ms longer",
            Self::ClockOff => "one worker's clock is 5 minutes behind, another's 5 minutes ahead",
            Self::MessagesUnreadable => "messages are of a version that the workers cannot read",
            Self::ProviderErrors => "a tenth of the calls ends with a 500",
            Self::ProviderLimits => "a tenth of the calls ends with a 429 and Retry-After",
            Self::ProviderLimitsSilent => "a few calls end with a 429 that does not say until when",
            Self::ProviderHangs => "a twentieth of the calls is never answered",
            Self::ProviderResets => "a tenth of the answers breaks off",
            Self::ProviderTruncates => "a tenth of the answers is half of a JSON text",
            Self::ProviderEmpty => "a tenth of the answers is empty",
            Self::ProviderWrongShape => "a tenth of the answers has another shape than asked for",
            Self::ProviderDrips => "a tenth of the answers comes a few bytes at a time",
            Self::ProviderHuge => "some answers are 10 MB long",
            Self::Poison => "one job ends every worker that runs it",
            Self::Storm => "a worker is killed while API, Redis or Postgres break, by the seed",
            Self::TwoVersions => "workers of this and of an earlier release work side by side and are replaced",
            Self::CapsChanged => "the cap of a business with a long backlog is raised and lowered, over and over",
            Self::RedisGoneBacklog => "Redis cannot be reached for a while, at very many open jobs, and forgets none",
            Self::IdleFleet => "many workers are idle, and jobs become due one after the other",
        }
    }

    /// What is counted to prove that the fault hit. A run in which it did not proves nothing.
    pub(super) fn bites(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::WorkerKill | Self::WorkerFreeze | Self::Poison | Self::Storm => "takeovers",
            Self::WorkerRestart => "jobs under way at SIGTERM",
            Self::ApiKill => "requests broken off",
            Self::RedisFlush => "keys lost",
            Self::RedisPause | Self::RedisRestart => "jobs open meanwhile",
            Self::RedisKillClients | Self::PostgresTerminate | Self::PostgresCrash => "connections lost",
            Self::RedisGone | Self::PostgresGone | Self::LinksCut => "connections broken",
            Self::RedisFull => "commands refused",
            Self::PostgresReadOnly | Self::PostgresFull => "statements refused",
            Self::PostgresLocked => "statements held up",
            Self::LinksSlow => "packets held up",
            Self::ClockOff => "jobs parked by a wrong clock",
            Self::MessagesUnreadable => "messages spoilt",
            Self::TwoVersions => "jobs that both versions ran",
            Self::CapsChanged => "jobs open meanwhile",
            Self::RedisGoneBacklog => "jobs accepted meanwhile",
            Self::IdleFleet => "jobs that the fleet began",
            _ => "calls spoilt",
        })
    }

    /// Who is hit.
    pub(super) fn target(self) -> Target {
        match self {
            Self::RedisFlush
            | Self::RedisPause
            | Self::RedisKillClients
            | Self::RedisRestart
            | Self::RedisGone
            | Self::RedisGoneBacklog
            | Self::RedisFull => Target::Redis,
            Self::PostgresTerminate
            | Self::PostgresCrash
            | Self::PostgresGone
            | Self::PostgresReadOnly
            | Self::PostgresFull
            | Self::PostgresLocked => Target::Postgres,
            Self::ProviderErrors
            | Self::ProviderLimits
            | Self::ProviderLimitsSilent
            | Self::ProviderHangs
            | Self::ProviderResets
            | Self::ProviderTruncates
            | Self::ProviderEmpty
            | Self::ProviderWrongShape
            | Self::ProviderDrips
            | Self::ProviderHuge => Target::Providers,
            _ => Target::Ours,
        }
    }

    /// Whether a job may end with an error. Waiting for Postgres, Redis or a worker costs no attempt.
    pub(super) fn may_fail(self) -> bool {
        self.target() == Target::Providers
    }

    /// Whether the limit is less than the jobs want: where what breaks keeps the quota's account, and
    /// where jobs must wait for the fault to matter.
    pub(super) fn binds_quota(self) -> bool {
        (self.target() == Target::Redis && self != Self::RedisGoneBacklog)
            || matches!(self, Self::ClockOff | Self::MessagesUnreadable | Self::Storm | Self::TwoVersions)
    }

    /// Whether it hits the whole server of Postgres: such a fault has it to itself.
    pub(super) fn needs_the_server(self) -> bool {
        matches!(self, Self::PostgresCrash | Self::Storm)
    }

    /// Whether its jobs have times at which they are to begin, and workers that are free to.
    pub(super) fn begins_in_time(self) -> bool {
        self == Self::IdleFleet
    }

    /// The time between two blows, about.
    pub(super) fn rhythm(self) -> Duration {
        Duration::from_secs(3)
    }

    /// How long a call to a provider takes: long enough for a blow to fall into one.
    pub(super) fn call_takes(self) -> Duration {
        Duration::from_millis(if self == Self::Poison { 400 } else { 50 })
    }

    /// How far the clock of each worker is ahead, in seconds, in the order of their start.
    pub(super) fn clocks_ahead(self) -> &'static [i64] {
        if self == Self::ClockOff { &CLOCKS_AHEAD } else { &[] }
    }

    /// What the providers do while jobs are submitted.
    pub(super) fn of_providers(self) -> Vec<Spoil> {
        let rule = |rate, kind| vec![Spoil::any(kind).rate(rate)];
        match self {
            Self::ProviderErrors => rule(0.1, status(500)),
            Self::ProviderLimits => rule(0.1, FaultKind::RateLimited { retry_after: Some(RetryAfter::Seconds(1)) }),
            Self::ProviderLimitsSilent => rule(0.01, FaultKind::RateLimited { retry_after: None }),
            Self::ProviderHangs => rule(0.05, FaultKind::Hang),
            Self::ProviderResets => rule(0.1, FaultKind::Reset),
            Self::ProviderTruncates => rule(0.1, FaultKind::TruncatedJson { part: None }),
            Self::ProviderEmpty => rule(0.1, FaultKind::EmptyText),
            Self::ProviderWrongShape => rule(0.1, FaultKind::WrongShape { part: None }),
            Self::ProviderDrips => rule(0.1, FaultKind::SlowDrip { ms_per_chunk: 5 }),
            Self::ProviderHuge => rule(0.01, FaultKind::Huge { bytes: HUGE_BYTES }),
            _ => Vec::new(),
        }
    }
}

fn status(code: u16) -> FaultKind {
    FaultKind::Status { code, body: None, retry_after: None, retry_after_ms: None }
}
