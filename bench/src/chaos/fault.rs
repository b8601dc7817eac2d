//! The faults: what each one is, what it needs, and what proves that it had an effect. [`blow`]
//! injects them.

use std::time::Duration;

use clap::ValueEnum;
use copydesk_simulator::{Fault as Spoil, FaultKind, RetryAfter};

pub(super) mod blow;
pub(super) mod crowd;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fault {
    /// No fault: the baseline.
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
    /// A worker is killed together with one of the faults of API, Redis and Postgres, chosen by the
    /// seed.
    Storm,
    /// Two releases run side by side. Needs the programs of an earlier release.
    TwoVersions,
    CapsChanged,
    RedisGoneBacklog,
    IdleFleet,
    HostileFiles,
}

/// The target of the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Copydesk's processes.
    Ours,
    Redis,
    Postgres,
    Providers,
}

/// How far the clocks of some workers are ahead in the fault with wrong clocks, in seconds. The
/// first worker likely sweeps: a sweeping worker that is behind would not see the latest jobs.
const CLOCKS_AHEAD: [i64; 2] = [-300, 300];
/// The size of a huge answer, in bytes.
const HUGE_BYTES: u64 = 10_000_000;

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

impl Fault {
    /// All faults, in order. Two versions at once need the programs of an earlier release.
    pub(super) fn all(with_previous: bool) -> Vec<Self> {
        Self::value_variants().iter().copied().filter(|fault| with_previous || *fault != Self::TwoVersions).collect()
    }

    /// The description.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::None => "nothing breaks",
            Self::WorkerKill => "a worker is killed (SIGKILL) every 3 s",
            Self::WorkerFreeze => "a worker is stopped (SIGSTOP) for longer than its leases, and then continued",
            Self::WorkerRestart => "all workers are replaced, one after the other (SIGTERM)",
            Self::ApiKill => "the API is killed (SIGKILL) under load",
            Self::RedisFlush => "Redis is flushed (FLUSHALL)",
            Self::RedisPause => "Redis does not answer for 2 s (CLIENT PAUSE)",
            Self::RedisKillClients => "Redis drops every connection (CLIENT KILL)",
            Self::RedisRestart => "Redis is killed and restarted",
            Self::RedisGone => "Redis is unreachable for a while",
            Self::RedisFull => "Redis is out of memory and refuses writes",
            Self::PostgresTerminate => "Postgres terminates every connection",
            Self::PostgresCrash => "Postgres crashes and recovers",
            Self::PostgresGone => "Postgres is unreachable for a while",
            Self::PostgresReadOnly => "Postgres is read-only",
            Self::PostgresFull => "Postgres' disk is full: writes of jobs and results fail (53100)",
            Self::PostgresLocked => "the table of jobs is locked for 3 s, which exhausts the pools",
            Self::LinksCut => "every connection to Postgres and Redis is cut for half a second",
            Self::LinksSlow => "every packet to Postgres and Redis is delayed by 50 ms",
            Self::ClockOff => "one worker's clock is 5 minutes behind, another's 5 minutes ahead",
            Self::MessagesUnreadable => "messages have a version that the workers cannot read",
            Self::ProviderErrors => "a tenth of the calls fail with a 500",
            Self::ProviderLimits => "a tenth of the calls fail with a 429 and Retry-After",
            Self::ProviderLimitsSilent => "a few calls fail with a 429 without Retry-After",
            Self::ProviderHangs => "a twentieth of the calls are never answered",
            Self::ProviderResets => "a tenth of the answers are reset midway",
            Self::ProviderTruncates => "a tenth of the answers are truncated JSON",
            Self::ProviderEmpty => "a tenth of the answers are empty",
            Self::ProviderWrongShape => "a tenth of the answers have the wrong shape",
            Self::ProviderDrips => "a tenth of the answers arrive a few bytes at a time",
            Self::ProviderHuge => "some answers are 10 MB long",
            Self::Poison => "one job kills every worker that runs it",
            Self::Storm => "a worker is killed during a fault of API, Redis or Postgres, chosen by the seed",
            Self::TwoVersions => "workers of this and of an earlier release run side by side and are replaced",
            Self::CapsChanged => {
                "the concurrency cap of a business with a long backlog is raised and lowered repeatedly"
            }
            Self::RedisGoneBacklog => "Redis is unreachable for a while with a very long backlog, and keeps its data",
            Self::IdleFleet => "many workers are idle while jobs become due one after the other",
            Self::HostileFiles => "strangers upload 200 hostile files while texts are written",
        }
    }

    /// What is counted to prove that the fault had an effect. A run without an effect proves
    /// nothing.
    pub(super) fn bites(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::WorkerKill | Self::WorkerFreeze | Self::Poison | Self::Storm => "takeovers",
            Self::WorkerRestart => "jobs under way at SIGTERM",
            Self::ApiKill => "requests aborted",
            Self::RedisFlush => "keys lost",
            Self::RedisPause | Self::RedisRestart => "jobs open during the fault",
            Self::RedisKillClients | Self::PostgresTerminate | Self::PostgresCrash => "connections lost",
            Self::RedisGone | Self::PostgresGone | Self::LinksCut => "connections broken",
            Self::RedisFull => "commands refused",
            Self::PostgresReadOnly | Self::PostgresFull => "statements refused",
            Self::PostgresLocked => "statements delayed",
            Self::LinksSlow => "packets delayed",
            Self::ClockOff => "jobs set to wait by a wrong clock",
            Self::MessagesUnreadable => "messages made unreadable",
            Self::TwoVersions => "jobs run by both versions",
            Self::CapsChanged => "jobs open during the fault",
            Self::RedisGoneBacklog => "jobs accepted during the outage",
            Self::IdleFleet => "jobs started by the fleet",
            Self::HostileFiles => "files unusable",
            _ => "calls affected",
        })
    }

    /// The target of the fault.
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

    /// Whether the limit is lower than the jobs want: for faults of what stores the quota, and for
    /// those that only matter while jobs wait.
    pub(super) fn binds_quota(self) -> bool {
        (self.target() == Target::Redis && self != Self::RedisGoneBacklog)
            || matches!(self, Self::ClockOff | Self::MessagesUnreadable | Self::Storm | Self::TwoVersions)
    }

    /// Whether it hits the whole Postgres server. Such a fault runs alone.
    pub(super) fn needs_the_server(self) -> bool {
        matches!(self, Self::PostgresCrash | Self::Storm)
    }

    /// Whether its jobs have start times and free workers, so that they must begin in time.
    pub(super) fn begins_in_time(self) -> bool {
        self == Self::IdleFleet
    }

    /// About the time between two injections.
    pub(super) fn rhythm(self) -> Duration {
        Duration::from_secs(3)
    }

    /// How long a call to a provider takes: long enough for a fault to hit one.
    pub(super) fn call_takes(self) -> Duration {
        Duration::from_millis(if self == Self::Poison { 400 } else { 50 })
    }

    /// How far the clock of each worker is ahead, in seconds, in the order of their start.
    pub(super) fn clocks_ahead(self) -> &'static [i64] {
        if self == Self::ClockOff { &CLOCKS_AHEAD } else { &[] }
    }

    /// The faults of the providers while jobs are submitted.
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
