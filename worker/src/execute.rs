//! One claimed job, from its begin to what follows for its message. The only place that moves jobs
//! between their states; what a handler does with one is the handler's.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use chrono::{DateTime, Utc};
use copydesk_common::clock;
use copydesk_common::queue::Next;
use copydesk_common::store::{self, StoreError};
use copydesk_domain::job::{StartedJob, WaitReason, Waiting};
use copydesk_domain::trace::TraceParent;
use futures_util::FutureExt;
use tracing::Instrument;

use crate::cancel::Cancellation;
use crate::context::Context;
use crate::handler::Handler;
use crate::outcome::{Interruption, STORE_AWAY};
use crate::queue::Claim;
use crate::{metric, problem, retry};

/// A job that lost its worker so often in a row, without finishing another stage, is what kills
/// the workers: it ends as dead.
const MAX_TAKEOVERS: u16 = 5;

/// Handles a claimed job. Answers what follows for its message.
pub(crate) async fn execute(context: &Context, handler: &dyn Handler, claim: &Claim) -> Next {
    let id = claim.message().job_id;
    // Before the job begins: a cancellation after it is heard.
    let cancellation = context.cancellations.of(id);
    let job = match context.journal.begin(claim.lease()).await {
        Ok(Some(job)) => job,
        // It ended, or a later lease holds it: this message is one too many.
        Ok(None) => return Next::Done,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, job.id = %id, "a job could not be begun");
            return Next::Later(clock::now() + STORE_AWAY);
        }
    };
    let begun = Instant::now();
    context.broadcast.changed(id);
    let span = span(&job);
    let handled = handle(context, handler, claim, &job, cancellation).instrument(span.clone()).await;
    let (next, outcome) = conclude(context, &job, handled).instrument(span).await;
    metric::job_handled(job.kind, outcome, begun.elapsed());
    // Who waits for a job waits for its end; who follows it hears of all else too.
    if next == Next::Done {
        context.notifier.publish_soon(id);
    } else {
        context.broadcast.changed(id);
    }
    next
}

/// The first attempt continues the request's trace; a later one is a trace of its own that names it.
fn span(job: &StartedJob) -> tracing::Span {
    let first = job.attempt == 1 && job.takeovers == 0;
    let trace = if first { job.trace.child() } else { TraceParent::start() };
    tracing::info_span!(
        "job",
        job.id = %job.id,
        job.kind = %job.kind,
        job.attempt = job.attempt,
        business.id = %job.business_id,
        trace.id = trace.trace_id(),
        trace.link = (!first).then(|| job.trace.trace_id()),
    )
}

/// Runs the handler of the job's kind until it ends, the lease is lost, the job is cancelled, or the
/// worker must leave.
async fn handle(
    context: &Context,
    handler: &dyn Handler,
    claim: &Claim,
    job: &StartedJob,
    mut cancellation: Cancellation,
) -> Result<(), Interruption> {
    if job.takeovers > MAX_TAKEOVERS {
        return Err(problem::poisoned(job).into());
    }
    if let Some(wait) = retry::suspicion(job.takeovers).filter(|_| job.is_takeover) {
        let until = clock::now() + wait;
        return Err(Interruption::Wait(Waiting { reason: WaitReason::Backoff, provider: None, until }));
    }
    if job.deadline_at.is_some_and(|deadline| deadline <= clock::now()) {
        return Err(problem::too_late(job).into());
    }
    tokio::select! {
        biased;
        () = claim.lost().cancelled() => Err(Interruption::Superseded),
        // Before another call is paid for that somebody else may be making.
        () = claim.lapsed() => Err(Interruption::Lapsed),
        () = cancellation.requested() => Err(Interruption::Superseded),
        () = context.leaving.grace_over.cancelled() => Err(Interruption::Draining),
        // A panic is the attempt's failure, not the worker's.
        handled = AssertUnwindSafe(handler.handle(context, job)).catch_unwind() => {
            handled.unwrap_or_else(|panic| Err(Interruption::Retry(panic_message(&*panic).into())))
        }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("the handler panicked: {}", text.as_deref().unwrap_or("no message"))
}

/// Moves the job's row on, and says what follows for its message, with a name for the metrics.
async fn conclude(context: &Context, job: &StartedJob, handled: Result<(), Interruption>) -> (Next, &'static str) {
    let store = &context.store;
    let (moved, next, outcome) = match handled {
        Ok(()) => (Ok(()), Next::Done, "succeeded"),
        Err(Interruption::Wait(waiting)) => {
            let waiting = Waiting { until: before_deadline(context, job, waiting.until), ..waiting };
            let moved = store::job::wait(store, job, &waiting, job.attempt).await;
            (moved, Next::Later(waiting.until), "waiting")
        }
        Err(Interruption::Retry(error)) if job.attempt < job.max_attempts => {
            tracing::warn!(error = &*error as &dyn std::error::Error, "an attempt failed");
            let until = clock::now() + retry::backoff(context.first_backoff, job.attempt);
            let until = before_deadline(context, job, until);
            let waiting = Waiting { reason: WaitReason::Backoff, provider: None, until };
            (store::job::wait(store, job, &waiting, job.attempt + 1).await, Next::Later(until), "retried")
        }
        Err(Interruption::Retry(error)) => {
            tracing::error!(error = &*error as &dyn std::error::Error, "the last attempt failed");
            (store::job::fail(store, job, &problem::exhausted(job)).await, Next::Done, "failed")
        }
        Err(Interruption::Fail(problem)) => {
            tracing::warn!(problem.kind, problem.detail, "the job failed");
            (store::job::fail(store, job, &problem).await, Next::Done, "failed")
        }
        Err(Interruption::Draining) => (store::job::release(store, job).await, Next::Back, "drained"),
        // Where nobody has taken it over yet, it is anybody's.
        Err(Interruption::Lapsed) => (store::job::release(store, job).await, Next::Back, "lapsed"),
        // Where our lease is the latest all the same, the job has ended and its message may go.
        Err(Interruption::Superseded) => (Ok(()), Next::Done, "superseded"),
    };
    match moved {
        Ok(()) => (next, outcome),
        Err(StoreError::Superseded) => (Next::Done, "superseded"),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a job's row could not be moved on");
            (Next::Later(clock::now() + STORE_AWAY), "store_away")
        }
    }
}

/// A job wakes early enough before its deadline to end with a fallback rather than with nothing.
fn before_deadline(context: &Context, job: &StartedJob, until: DateTime<Utc>) -> DateTime<Utc> {
    match job.deadline_at {
        Some(deadline) => until.min((deadline - context.longest_call).max(clock::now())),
        None => until,
    }
}
