//! The names and labels of the worker's metrics.

use std::time::Duration;

use copydesk_common::queue::Depth;
use copydesk_common::quota::ProviderName;
use copydesk_domain::job::JobKind;
use copydesk_domain::stage::Stage;
use metrics::{counter, gauge, histogram};

/// Counter: jobs handled, by kind and outcome.
const JOBS_HANDLED: &str = "copydesk_jobs_handled_total";
/// Histogram, seconds: the time from a job's start to its end or wait.
const JOB_DURATION: &str = "copydesk_job_duration_seconds";
/// Counter: jobs that the sweep pushed to Redis again, by kind.
const JOBS_SWEPT: &str = "copydesk_jobs_swept_total";
/// Counter: rows that the sweep removed because they were kept long enough, by table.
const ROWS_REMOVED: &str = "copydesk_rows_removed_total";
/// Gauge: jobs of a queue, by kind and state.
const QUEUE_DEPTH: &str = "copydesk_queue_jobs";
/// Gauge: connections to Postgres, by state.
const DATABASE_CONNECTIONS: &str = "copydesk_database_connections";
/// Counter: calls to a provider that got a grant, by provider and outcome.
const PROVIDER_CALLS: &str = "copydesk_provider_calls_total";
/// Histogram, seconds: how long these calls took, by provider.
const PROVIDER_CALL_DURATION: &str = "copydesk_provider_call_duration_seconds";
/// Counter: calls that were refused, by provider and by the cause: the quota or a breaker.
const PROVIDER_REFUSALS: &str = "copydesk_provider_refusals_total";
/// Counter: tokens as providers counted them, by provider and direction.
const PROVIDER_TOKENS: &str = "copydesk_provider_tokens_total";
/// Counter: tokens of prompts that providers had in their caches, by provider and model.
const PROVIDER_CACHED_TOKENS: &str = "copydesk_provider_cached_tokens_total";
/// Counter: looks for a search of the web among those that a business made within the hour, by outcome.
const SHARED_SEARCHES: &str = "copydesk_shared_searches_total";
/// Histogram, seconds: how long a stage took, by stage.
const STAGE_DURATION: &str = "copydesk_stage_duration_seconds";
/// Counter: stages that used a fallback without a provider, by stage.
const STAGE_FALLBACKS: &str = "copydesk_stage_fallbacks_total";
/// Counter: unusable answers of a model that were asked for again, by stage.
const REPAIRS: &str = "copydesk_repairs_total";
/// Counter: answers of a fallback model in place of the configured one, by model.
const FALLBACK_MODEL_ANSWERS: &str = "copydesk_fallback_model_answers_total";

pub(crate) fn job_handled(kind: JobKind, outcome: &'static str, duration: Duration) {
    counter!(JOBS_HANDLED, "kind" => kind.as_str(), "outcome" => outcome).increment(1);
    histogram!(JOB_DURATION, "kind" => kind.as_str(), "outcome" => outcome).record(duration);
}

pub(crate) fn jobs_swept(kind: JobKind, jobs: u64) {
    counter!(JOBS_SWEPT, "kind" => kind.as_str()).increment(jobs);
}

pub(crate) fn rows_removed(table: &'static str, rows: u64) {
    counter!(ROWS_REMOVED, "table" => table).increment(rows);
}

#[expect(clippy::cast_precision_loss, reason = "a gauge of counts far below 2^52")]
pub(crate) fn queue_depth(kind: JobKind, depth: Depth) {
    let Depth { ready, delayed, leased, capped } = depth;
    for (state, jobs) in [("ready", ready), ("delayed", delayed), ("leased", leased), ("capped", capped)] {
        gauge!(QUEUE_DEPTH, "kind" => kind.as_str(), "state" => state).set(jobs as f64);
    }
}

pub(crate) fn database_connections(status: copydesk_common::store::PoolStatus) {
    for (state, connections) in
        [("checked_out", status.checked_out), ("checked_in", status.checked_in), ("overflow", status.overflow)]
    {
        gauge!(DATABASE_CONNECTIONS, "state" => state).set(f64::from(connections));
    }
}

pub(crate) fn provider_called(provider: &ProviderName, outcome: &'static str, duration: Duration) {
    counter!(PROVIDER_CALLS, "provider" => provider.label(), "outcome" => outcome).increment(1);
    histogram!(PROVIDER_CALL_DURATION, "provider" => provider.label()).record(duration);
}

pub(crate) fn provider_refused(provider: &ProviderName, by: &'static str) {
    counter!(PROVIDER_REFUSALS, "provider" => provider.label(), "by" => by).increment(1);
}

pub(crate) fn tokens(provider: &ProviderName, prompt_tokens: u64, completion_tokens: u64) {
    counter!(PROVIDER_TOKENS, "provider" => provider.label(), "direction" => "prompt").increment(prompt_tokens);
    counter!(PROVIDER_TOKENS, "provider" => provider.label(), "direction" => "completion").increment(completion_tokens);
}

pub(crate) fn cached_tokens(provider: &ProviderName, model: &str, cached_tokens: u64) {
    let labels = [("provider", provider.to_string()), ("model", model.to_owned())];
    counter!(PROVIDER_CACHED_TOKENS, &labels).increment(cached_tokens);
}

/// What a look for a shared search came to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Look {
    /// It was there.
    Hit,
    /// It was not.
    Miss,
    /// Redis did not say in time.
    Unavailable,
}

pub(crate) fn shared_search(look: Look) {
    let outcome = match look {
        Look::Hit => "hit",
        Look::Miss => "miss",
        Look::Unavailable => "unavailable",
    };
    counter!(SHARED_SEARCHES, "outcome" => outcome).increment(1);
}

pub(crate) fn stage_finished(stage: Stage, duration: Duration) {
    histogram!(STAGE_DURATION, "stage" => stage.as_str()).record(duration);
}

pub(crate) fn stage_fell_back(stage: Stage) {
    counter!(STAGE_FALLBACKS, "stage" => stage.as_str()).increment(1);
}

pub(crate) fn answer_repaired(stage: Stage) {
    counter!(REPAIRS, "stage" => stage.as_str()).increment(1);
}

pub(crate) fn fallback_model_answered(model: &str) {
    counter!(FALLBACK_MODEL_ANSWERS, "model" => model.to_owned()).increment(1);
}
