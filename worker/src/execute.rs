//! Runs one claimed job and decides what follows for its message. Only this module makes the
//! transitions of running jobs; the handlers do the work.

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

/// The most takeovers in a row without another finished stage. After more, the job counts as poison
/// and fails.
const MAX_TAKEOVERS: u16 = 5;

/// Runs a claimed job. Returns what follows for its message.
pub(crate) async fn execute(context: &Context, handler: &dyn Handler, claim: &Claim) -> Next {
    let id = claim.message().job_id;
    // Subscribed before the job begins, so that no later cancellation is missed.
    let cancellation = context.cancellations.of(id);
    let job = match context.journal.begin(claim.lease()).await {
        Ok(Some(job)) => job,
        // The job has ended, or a later lease holds it: this message is obsolete.
        Ok(None) => return Next::Done,
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                job.id = %id,
                "a job could not be started: it is tried again later"
            );
            return Next::Later(clock::now() + STORE_AWAY);
        }
    };
    let begun = Instant::now();
    context.broadcast.changed(id);
    let span = span(&job);
    let handled = handle(context, handler, claim, &job, cancellation).instrument(span.clone()).await;
    let (next, outcome) = conclude(context, &job, handled).instrument(span).await;
    metric::job_handled(job.kind, outcome, begun.elapsed());
    // The end of a job is published to all who wait for it; other changes only to followers.
    if next == Next::Done {
        context.notifier.publish_soon(id);
    } else {
        context.broadcast.changed(id);
    }
    next
}

/// The first attempt continues the request's trace. Later ones start a new trace that links to it.
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

/// Runs the handler until it ends, the lease is lost, the job is cancelled, or the worker must shut
/// down.
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
        // Checked before another call is paid for: another worker may run the job now.
        () = claim.lapsed() => Err(Interruption::Lapsed),
        () = cancellation.requested() => Err(Interruption::Superseded),
        () = context.leaving.grace_over.cancelled() => Err(Interruption::Draining),
        // A panic fails the attempt, not the worker.
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

/// Writes the job's next state. Returns what follows for its message, and the outcome for the
/// metrics.
async fn conclude(context: &Context, job: &StartedJob, handled: Result<(), Interruption>) -> (Next, &'static str) {
    let store = &context.store;
    let (moved, next, outcome) = match handled {
        Ok(()) => (Ok(()), Next::Done, "succeeded"),
        Err(Interruption::Wait(waiting)) => {
            let waiting = Waiting { until: before_deadline(context, job, waiting.until), ..waiting };
            let moved = store::job::wait(store, job, &waiting, job.attempt, &[]).await;
            (moved, Next::Later(waiting.until), "waiting")
        }
        Err(Interruption::Retry(error)) if job.attempt < job.max_attempts => {
            tracing::warn!(
                error = &*error as &dyn std::error::Error,
                "an attempt failed: the job is retried after a backoff"
            );
            let until = clock::now() + retry::backoff(context.first_backoff, job.attempt);
            let until = before_deadline(context, job, until);
            let waiting = Waiting { reason: WaitReason::Backoff, provider: None, until };
            let lines = lines(&*error);
            (store::job::wait(store, job, &waiting, job.attempt + 1, &lines).await, Next::Later(until), "retried")
        }
        Err(Interruption::Retry(error)) => {
            tracing::error!(error = &*error as &dyn std::error::Error, "the last attempt failed: the job fails");
            (store::job::fail(store, job, &problem::exhausted(job), &lines(&*error)).await, Next::Done, "failed")
        }
        Err(Interruption::Fail(problem)) => {
            tracing::warn!(problem.kind, problem.detail, "the job failed");
            (store::job::fail(store, job, &problem, std::slice::from_ref(&problem.detail)).await, Next::Done, "failed")
        }
        Err(Interruption::Draining) => (store::job::release(store, job, "draining").await, Next::Back, "drained"),
        // If it was not taken over yet, any worker may claim it.
        Err(Interruption::Lapsed) => (store::job::release(store, job, "lease_lapsed").await, Next::Back, "lapsed"),
        // If this lease is still the latest, the job has ended and its message can be removed.
        Err(Interruption::Superseded) => (Ok(()), Next::Done, "superseded"),
    };
    match moved {
        Ok(()) => (next, outcome),
        Err(StoreError::Superseded) => (Next::Done, "superseded"),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a job's next state could not be stored: the job runs again later"
            );
            (Next::Later(clock::now() + STORE_AWAY), "store_away")
        }
    }
}

/// An error and its causes, outermost first.
fn lines(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect()
}

/// The end of a wait, early enough before the deadline for the job to end with a fallback.
fn before_deadline(context: &Context, job: &StartedJob, until: DateTime<Utc>) -> DateTime<Utc> {
    match job.deadline_at {
        Some(deadline) => until.min((deadline - context.longest_call).max(clock::now())),
        None => until,
    }
}
