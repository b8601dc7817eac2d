//! Every key, as a function, with its type, its life and its owner. Braces are hash tags: all keys
//! of one queue, and all of the quota, live in one slot, so that a script may touch them together on
//! Redis Cluster.

use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;

/// The keys of one installation: they all begin with its prefix.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// The keys that begin with `prefix`.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The keys of a kind's queue.
    pub fn queue(&self, kind: JobKind) -> QueueKeys {
        let key = |name: &str| format!("{}:{name}", self.queue_tag(kind));
        QueueKeys {
            messages: key("messages"),
            ready_interactive: key("ready:interactive"),
            ready_bulk: key("ready:bulk"),
            delayed: key("delayed"),
            leases: key("leases"),
            epochs: key("epochs"),
            clocks: key("clocks"),
            state: key("state"),
            bell: key("bell"),
            shares: key("shares"),
            capped: key("capped"),
            running: key("running"),
            freed: key("freed"),
            places: key("places"),
            roster: key("roster"),
        }
    }

    /// The keys of a provider's quota and of the breaker of one of its models.
    pub fn quota(&self, provider: &str, model: &str) -> QuotaKeys {
        let key = |name: &str| format!("{{{}:quota}}:{provider}:{name}", self.prefix);
        QuotaKeys {
            calls: key("calls"),
            waiters: key("waiters"),
            expected: key("expected"),
            state: self.quota_state(provider),
            breaker: key(&format!("breaker:{model}")),
            granted: key("granted"),
            amounts: key("amounts"),
            flying: key("flying"),
            clocks: key("clocks"),
            absent: key("absent"),
            line: key("line"),
            jobs: key("jobs"),
            memory: self.quota_memory(),
            spent: format!("{{{}:quota}}:spent", self.prefix),
        }
    }

    /// Hash, no end: which generation of Redis' memory the quotas are in, the ms at which it was first
    /// seen (`since`), whether an earlier one is known to have been forgotten (`forgot`), and with
    /// Sentinel the server that has the memory (`server`).
    pub fn quota_memory(&self) -> String {
        format!("{{{}:quota}}:memory", self.prefix)
    }

    /// The state of a provider's quota: see [`QuotaKeys::state`].
    pub fn quota_state(&self, provider: &str) -> String {
        format!("{{{}:quota}}:{provider}:state", self.prefix)
    }

    /// Channel: a job changed. Published by whoever changed it, heard by every API process.
    pub fn job_events(&self) -> String {
        format!("{}:jobs", self.prefix)
    }

    /// Channel: a job was cancelled. Published by the API, heard by every worker.
    pub fn job_cancellations(&self) -> String {
        format!("{}:cancelled", self.prefix)
    }

    /// Channel: somebody follows these jobs. Published by every API process, heard by every worker.
    pub fn followed_jobs(&self) -> String {
        format!("{}:followed", self.prefix)
    }

    /// Stream, minutes: the pieces of the text that a followed job is writing. Owner: `draft`.
    pub fn draft(&self, business_id: &BusinessId, id: JobId) -> String {
        format!("{}:draft:{business_id}:{id}", self.prefix)
    }

    /// Hash, no end: what each worker tells of itself, and when it last did. Owner: `presence`.
    pub fn workers(&self) -> String {
        format!("{}:workers", self.prefix)
    }

    /// String, a few seconds: the worker that sweeps. Owner: the sweep.
    pub fn sweeper(&self) -> String {
        format!("{}:sweeper", self.prefix)
    }

    /// String, no end: its absence says that Redis, or the cluster's node that has the kind's queue,
    /// was flushed or has lost its last moment, or that some worker found it away. Owner: the sweep.
    pub fn swept(&self, kind: JobKind) -> String {
        format!("{}:swept", self.queue_tag(kind))
    }

    /// String, until the pass is complete: the name of the whole pass through the kind's open jobs that
    /// is under way. Its absence says that Redis was flushed meanwhile. Owner: the sweep.
    pub fn pass(&self, kind: JobKind) -> String {
        format!("{}:pass", self.queue_tag(kind))
    }

    /// All that the sweep leaves of its passes.
    pub(crate) fn of_passes(&self) -> impl Iterator<Item = String> {
        JobKind::ALL.iter().flat_map(|&kind| [self.swept(kind), self.pass(kind)])
    }

    /// String, an hour: where the passages stand that a search of a business's documents found at this version of
    /// its knowledge; `query` is a hash of the query and of the model that it was embedded by. Owner: `copydesk_knowledge`.
    pub fn search_result(&self, business_id: &BusinessId, version: i64, query: &str) -> String {
        format!("{}:found:{business_id}:{version}:{query}", self.prefix)
    }

    fn queue_tag(&self, kind: JobKind) -> String {
        format!("{{{}:queue:{kind}}}", self.prefix)
    }
}

/// Keys of a queue. None expires: but for the state and the shares, each holds entries of open jobs only,
/// and is gone with the last.
#[derive(Debug, Clone)]
pub struct QueueKeys {
    /// Hash: a job's record, `1|class|business|message`. Being in here is being known.
    pub messages: String,
    /// Sorted set: ready interactive jobs by virtual finish time.
    pub ready_interactive: String,
    /// Sorted set: ready bulk jobs by virtual finish time.
    pub ready_bulk: String,
    /// Sorted set: jobs by the ms at which they become ready.
    pub delayed: String,
    /// Sorted set: jobs in some worker's hands by the ms at which their lease ends.
    pub leases: String,
    /// Hash: the epoch of a job's last lease.
    pub epochs: String,
    /// Hash: a business's virtual clock in a class, while it is ahead of the class's own.
    pub clocks: String,
    /// Hash: the classes' virtual clocks, the last epoch, claims so far, which jobs it hands out, and
    /// how far the walks through `capped` and `running` have come.
    pub state: String,
    /// List: a note for each idle worker to wake.
    pub bell: String,
    /// Hash: what an operator gave a business, `weight|jobs at once|version`.
    pub shares: String,
    /// Sorted set, by member: jobs that would be ready, but whose businesses have as many under way as
    /// they may: `business|class|place|job`.
    pub capped: String,
    /// Sorted set, by member: leased jobs of businesses that may have only so many: `business|job`.
    pub running: String,
    /// Set: businesses with jobs in `capped` that may have room now.
    pub freed: String,
    /// Hash: a job's member in `capped`, so that it can be looked up by its id.
    pub places: String,
    /// Sorted set: a few idle claimers by the ms at which they have promised to look for due jobs.
    pub roster: String,
}

/// Keys of a provider's quota. They hold what one window, the calls under way and those who wait
/// need. The calls expire two windows after the last one, the line a day after the last ask.
#[derive(Debug, Clone)]
pub struct QuotaKeys {
    /// List: the ms of the grants of the last window, newest first.
    pub calls: String,
    /// Sorted set: jobs that wait for a grant, by rank.
    pub waiters: String,
    /// Sorted set: jobs with a call in the line by the ms at which they will ask again.
    pub expected: String,
    /// Hash: limits set by an operator, until when the provider closed itself, tokens used in the
    /// window, calls and micro-USD of the day, the mean length of a call; and for workers of an earlier
    /// release the provider's own generation.
    pub state: String,
    /// Hash: the breaker of one model: state, failures, until, probe, `probe_until`. Absent: closed.
    pub breaker: String,
    /// Sorted set: grants of the window by their ms, where tokens are limited.
    pub granted: String,
    /// Hash: a grant's tokens, reserved or real, where tokens are limited.
    pub amounts: String,
    /// Sorted set: calls under way by the ms at which they are over, where their number is limited.
    pub flying: String,
    /// Hash: a business's virtual clock, while it is ahead of the line's own.
    pub clocks: String,
    /// Sorted set, a day: jobs that did not come back at their moment, by the rank that they keep.
    pub absent: String,
    /// Sorted set: calls to come by rank, those asked for (`job`) and those promised (`job:n`).
    pub line: String,
    /// Sorted set: jobs with a call in the line, by rank.
    pub jobs: String,
    /// One for all providers: see [`Keys::quota_memory`].
    pub memory: String,
    spent: String,
}

impl QuotaKeys {
    /// Hash, a day: calls and micro-USD that a business had on a day, of all providers; where
    /// businesses have budgets.
    pub fn spent(&self, business_id: &BusinessId) -> String {
        format!("{}:{business_id}", self.spent)
    }
}
