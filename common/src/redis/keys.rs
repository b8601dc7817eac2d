//! Every key, as a function, with its type, lifetime and owner. Braces are hash tags: all keys of
//! one queue, and all keys of the quota, are in one slot, so that a script can use them together on
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

    /// The keys of a provider's quota and of the breaker of one of its models. `account` is the provider, or
    /// `provider/model` for a model with figures of its own.
    pub fn quota(&self, account: &str, provider: &str, model: &str) -> QuotaKeys {
        let key = |name: &str| format!("{{{}:quota}}:{account}:{name}", self.prefix);
        QuotaKeys {
            calls: key("calls"),
            waiters: key("waiters"),
            expected: key("expected"),
            state: self.quota_state(account),
            purse: self.quota_state(provider),
            breaker: format!("{{{}:quota}}:{provider}:breaker:{model}", self.prefix),
            trouble: format!("{{{}:quota}}:{provider}:trouble:{model}", self.prefix),
            granted: key("granted"),
            amounts: key("amounts"),
            flying: key("flying"),
            clocks: key("clocks"),
            absent: key("absent"),
            line: key("line"),
            jobs: key("jobs"),
            memory: self.quota_memory(),
            spent: format!("{{{}:quota}}:spent", self.prefix),
            setbacks: format!("{{{}:quota}}:setbacks", self.prefix),
        }
    }

    /// Hash, without expiry: the generation of Redis' memory that the quotas are in, when it was
    /// first seen in ms (`since`), whether an earlier one is known to have been forgotten
    /// (`forgot`), and with Sentinel the server of the memory (`server`).
    pub fn quota_memory(&self) -> String {
        format!("{{{}:quota}}:memory", self.prefix)
    }

    /// The state of a provider's quota, or of that of `provider/model`: see [`QuotaKeys::state`].
    pub fn quota_state(&self, account: &str) -> String {
        format!("{{{}:quota}}:{account}:state", self.prefix)
    }

    /// Hash, no end: what texts of a kind usually take, by the kind: calls, tokens, and of how many texts
    /// that is the mean. A few fields for each format. Owner: `quota::usual`.
    pub fn usual_texts(&self) -> String {
        format!("{}:usual", self.prefix)
    }

    /// Channel: a job changed. Published by whoever changed it, heard by every API process.
    pub fn job_events(&self) -> String {
        format!("{}:jobs", self.prefix)
    }

    /// Channel: a job was cancelled. Published by the API, received by every worker.
    pub fn job_cancellations(&self) -> String {
        format!("{}:cancelled", self.prefix)
    }

    /// Channel: these jobs are followed. Published by every API process, received by every worker.
    pub fn followed_jobs(&self) -> String {
        format!("{}:followed", self.prefix)
    }

    /// Stream, minutes: the pieces of the text that a followed job is writing. Owner: `draft`.
    pub fn draft(&self, business_id: &BusinessId, id: JobId) -> String {
        format!("{}:draft:{business_id}:{id}", self.prefix)
    }

    /// Hash, without expiry: each worker's description and last heartbeat. Owner: `presence`.
    pub fn workers(&self) -> String {
        format!("{}:workers", self.prefix)
    }

    /// Hash, without expiry: each API process and its last heartbeat. Owner: `presence`.
    pub fn apis(&self) -> String {
        format!("{}:apis", self.prefix)
    }

    /// String, a few seconds: the worker that sweeps. Owner: the sweep.
    pub fn sweeper(&self) -> String {
        format!("{}:sweeper", self.prefix)
    }

    /// String, without expiry: the mark of a whole pass. If it is absent, Redis (or the cluster's
    /// node with the kind's queue) was flushed or lost its last writes, or a worker found it
    /// unavailable. Owner: the sweep.
    pub fn swept(&self, kind: JobKind) -> String {
        format!("{}:swept", self.queue_tag(kind))
    }

    /// String, until the pass is complete: the name of the current whole pass over the kind's open
    /// jobs. If it is absent, Redis was flushed meanwhile. Owner: the sweep.
    pub fn pass(&self, kind: JobKind) -> String {
        format!("{}:pass", self.queue_tag(kind))
    }

    /// All keys of the sweep's passes.
    pub(crate) fn of_passes(&self) -> impl Iterator<Item = String> {
        JobKind::ALL.iter().flat_map(|&kind| [self.swept(kind), self.pass(kind)])
    }

    /// String, an hour: the positions of the passages that a search of a business's documents found
    /// at this version of its knowledge. `query` is a hash of the query and of its embedding model.
    /// Owner: `copydesk_knowledge`.
    pub fn search_result(&self, business_id: &BusinessId, version: i64, query: &str) -> String {
        format!("{}:found:{business_id}:{version}:{query}", self.prefix)
    }

    /// String, an hour: the pages that a search of the web found for a business; `query` is a hash of the query
    /// and its language. Owner: the worker's `provider::search::shared`.
    pub fn web_search(&self, business_id: &BusinessId, provider: &str, query: &str) -> String {
        format!("{}:web:{business_id}:{provider}:{query}", self.prefix)
    }

    /// String, a few seconds: that somebody is buying that search.
    pub fn web_search_buyer(&self, business_id: &BusinessId, provider: &str, query: &str) -> String {
        format!("{}:buyer", self.web_search(business_id, provider, query))
    }

    /// What the names of the keys of a business's searches and drafts have in common, as a pattern. Keys of other
    /// businesses may have it too: see [`Self::is_search_of`].
    pub(crate) fn pattern_of(&self, business_id: &BusinessId) -> String {
        let escaped = |c: char| if "*?[]\\^-".contains(c) { format!("\\{c}") } else { c.to_string() };
        let prefix: String = self.prefix.chars().map(escaped).collect();
        format!("{prefix}:*:{business_id}:*")
    }

    /// Whether the key is a [`Self::search_result`] or a [`Self::web_search`] of this business, or of its buyer. Ids of
    /// businesses may hold colons: `acme:x` is another one than `acme`.
    pub(crate) fn is_search_of(&self, business_id: &BusinessId, key: &str) -> bool {
        let rest_of = |what: &str| key.strip_prefix(&format!("{}:{what}:{business_id}:", self.prefix));
        let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let is_of = |rest: &str, is_first: fn(&str) -> bool| {
            let rest = rest.strip_suffix(":buyer").unwrap_or(rest);
            rest.split_once(':').is_some_and(|(first, hash)| is_first(first) && is_hash(hash))
        };
        rest_of("found").is_some_and(|rest| is_of(rest, |version| version.bytes().all(|b| b.is_ascii_digit())))
            || rest_of("web").is_some_and(|rest| is_of(rest, |provider| !provider.is_empty()))
    }

    fn queue_tag(&self, kind: JobKind) -> String {
        format!("{{{}:queue:{kind}}}", self.prefix)
    }
}

/// Keys of a queue. None expires. Except for the state and the shares, each contains only entries
/// of open jobs, and disappears with the last one.
#[derive(Debug, Clone)]
pub struct QueueKeys {
    /// Hash: a job's record, `1|class|business|message`. A job is known to the queue if it is in
    /// here.
    pub messages: String,
    /// Sorted set: ready interactive jobs by virtual finish time.
    pub ready_interactive: String,
    /// Sorted set: ready bulk jobs by virtual finish time.
    pub ready_bulk: String,
    /// Sorted set: jobs by the time at which they become ready, in ms.
    pub delayed: String,
    /// Sorted set: leased jobs by the time at which their lease ends, in ms.
    pub leases: String,
    /// Hash: the epoch of a job's last lease.
    pub epochs: String,
    /// Hash: a business's virtual clock in a class, while it is ahead of the class's clock.
    pub clocks: String,
    /// Hash: the classes' virtual clocks, the last epoch, the number of claimed jobs, the intake,
    /// and the positions of the walks through `capped` and `running`.
    pub state: String,
    /// List: a note for each idle worker to wake.
    pub bell: String,
    /// Hash: the share that an operator set for a business, `weight|cap|version`.
    pub shares: String,
    /// Sorted set, by member: jobs that would be ready, but whose businesses have reached their
    /// caps: `business|class|place|job`.
    pub capped: String,
    /// Sorted set, by member: leased jobs of businesses with a cap: `business|job`.
    pub running: String,
    /// Set: businesses with jobs in `capped` that may be below their caps now.
    pub freed: String,
    /// Hash: a job's member in `capped`, for lookups by its id.
    pub places: String,
    /// Sorted set: a few idle claimers by the time at which they have promised to look for due
    /// jobs, in ms.
    pub roster: String,
}

/// Keys of a provider's quota: for one window, the calls under way and the waiting jobs. The calls
/// expire two windows after the last one, the line a day after the last ask.
#[derive(Debug, Clone)]
pub struct QuotaKeys {
    /// List: the times of the grants of the last window in ms, newest first.
    pub calls: String,
    /// Sorted set: jobs that wait for a grant, by rank.
    pub waiters: String,
    /// Sorted set: jobs with a call in the line by the time at which they will ask again, in ms.
    pub expected: String,
    /// Hash: limits set by an operator, until when the provider closed itself, its refusals in a row, tokens used in the
    /// window, calls, tokens and micro-USD of the day, what the provider says of its limits by model, the mean length of a call and of a turn, how far ahead
    /// bulk calls are of an even rate; and for workers of an earlier release the provider's own generation.
    pub state: String,
    /// The state of the provider's own account: money is counted there, whatever account a model has.
    pub purse: String,
    /// Hash: the breaker of one model: state, failures, until, probe, `probe_until`. Absent: closed.
    pub breaker: String,
    /// String (JSON), an hour: what the provider refuses until an operator mends it. Owner: `quota::trouble`.
    pub trouble: String,
    /// Sorted set: grants of the window by their ms, of calls that take tokens.
    pub granted: String,
    /// Hash: a grant's tokens, reserved or real.
    pub amounts: String,
    /// Sorted set: calls under way by the time at which they are over in ms, if their number is
    /// limited.
    pub flying: String,
    /// Hash: a business's virtual clock, while it is ahead of the line's own; of bulk as `bulk|business`.
    pub clocks: String,
    /// Sorted set, a day: jobs that did not come back at their moment, or were given a turn, by the rank that
    /// they keep.
    pub absent: String,
    /// Sorted set: future calls by rank, those asked for (`job`) and those promised (`job:n`).
    pub line: String,
    /// Sorted set: jobs with a call in the line, by rank.
    pub jobs: String,
    /// One for all providers: see [`Keys::quota_memory`].
    pub memory: String,
    spent: String,
    setbacks: String,
}

impl QuotaKeys {
    /// Hash, a day: a business's calls and micro-USD of a day, over all providers; if businesses
    /// have budgets.
    pub fn spent(&self, business_id: &BusinessId) -> String {
        format!("{}:{business_id}", self.spent)
    }

    /// String (a count), a day: a job's calls that failed in a row for their provider's health. Owner: `quota`.
    pub fn setbacks(&self, ticket: JobId) -> String {
        format!("{}:{ticket}", self.setbacks)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn searches_are_told_from_those_of_a_business_whose_id_begins_alike() {
        let (keys, hash) = (Keys::new("a*b"), "0f".repeat(32));
        let business = |id: &str| BusinessId::parse(id).unwrap();
        let of = |id: &str| {
            let id = business(id);
            [
                keys.search_result(&id, 7, &hash),
                keys.web_search(&id, "tavily", &hash),
                keys.web_search_buyer(&id, "tavily", &hash),
            ]
        };
        assert!(of("acme").iter().all(|key| keys.is_search_of(&business("acme"), key)));
        for other in ["acme:x", "acme:7", "acme:tavily", "acme:buyer", "acm", "x:acme"] {
            assert!(!of(other).iter().any(|key| keys.is_search_of(&business("acme"), key)), "{other}");
        }
        assert!(!keys.is_search_of(&business("acme"), &keys.draft(&business("acme"), JobId::new())));
        assert_eq!(keys.pattern_of(&business("acme")), r"a\*b:*:acme:*");
    }
}
