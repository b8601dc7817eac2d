//! The outlook of an open job: its position, and when it will be done. It is read from Redis, only
//! for jobs that are queued or wait for quota; for others it is known already or cannot be
//! estimated.
//!
//! Estimates, from the provider's limit and the calls that the jobs before it will make. They do not
//! know of further edits, of failures, of workers that are missing or busy, or of a business's turn that
//! comes earlier.

use std::time::Duration;

use chrono::TimeDelta;
use copydesk_common::clock;
use copydesk_common::queue::Intake;
use copydesk_common::quota::Quota;
use copydesk_common::quota::forecast::Forecast;
use copydesk_domain::job::{JobKind, JobStatus, WaitReason};
use tokio::time::timeout;

use crate::representation::{JobBody, Outlook};
use crate::state::Services;

/// The longest that a poll waits for an estimate.
const TIMEOUT: Duration = Duration::from_millis(250);
/// Calls to the LLM that most texts take at least: a draft, which brings its plan, and a round of edits.
const CALLS: u64 = 2;
/// Estimates are shown in steps of so many seconds: who polls is spared what is no news.
const STEP_SECONDS: i64 = 5;

/// The outlook of a job that is queued or waits for quota; `None` for any other, without a call of
/// Redis. While Redis is unavailable, all of it is unknown.
pub async fn of(services: &Services, job: &JobBody) -> Option<Outlook> {
    if job.kind != JobKind::Generate {
        return None;
    }
    let outlook = match (job.status, &job.waiting) {
        (JobStatus::Queued, _) => timeout(TIMEOUT, of_queued(services, job)).await,
        (JobStatus::Waiting, Some(waiting)) if waiting.reason == WaitReason::RateLimited => {
            let provider = waiting.provider.as_deref().unwrap_or(&services.llm);
            timeout(TIMEOUT, of_waiting(services, job, provider)).await
        }
        _ => return None,
    };
    Some(outlook.ok().flatten().unwrap_or_default())
}

/// Counts the jobs before it: those in the queue, and those that already wait in the line.
async fn of_queued(services: &Services, job: &JobBody) -> Option<Outlook> {
    let queue = services.queue(job.kind).ok()?;
    let jobs_before = queue.ahead_of(job.id).await.ok()??;
    let llm = quota(services, &services.llm)?;
    let (forecast, intake) = tokio::join!(llm.forecast(job.id, CALLS, jobs_before * CALLS), queue.intake());
    let forecast = forecast.ok()?;
    let eta = eta(&forecast, CALLS).filter(|_| matches!(intake, Ok(None | Some(Intake::Open))));
    Some(Outlook { position: Some(jobs_before + forecast.jobs_before + 1), eta_seconds: eta.map(shown) })
}

async fn of_waiting(services: &Services, job: &JobBody, provider: &str) -> Option<Outlook> {
    let is_llm = services.llm == provider;
    let calls = if is_llm { calls_left(&job.progress.stage) } else { 1 };
    let forecast = quota(services, provider)?.forecast(job.id, calls, 0).await.ok()?;
    if !forecast.waits {
        // The provider itself refused it, or it did not ask again in time.
        return None;
    }
    let mut done = eta(&forecast, calls);
    if !is_llm {
        let before = forecast.jobs_before * CALLS;
        let then = quota(services, &services.llm)?.forecast(job.id, CALLS, before).await.ok()?;
        done = done.zip(eta(&then, CALLS)).map(|(search, text)| search.max(text));
    }
    Some(Outlook { position: Some(forecast.jobs_before + 1), eta_seconds: done.map(shown) })
}

fn quota<'a>(services: &'a Services, provider: &'a str) -> Option<&'a Quota> {
    services.quotas_of(provider).next().map(|(_, quota)| quota)
}

/// The fewest LLM calls of a text from this stage on.
fn calls_left(stage: &str) -> u64 {
    match stage {
        // A plan that is a call of its own is one more than most texts take.
        "outline" => CALLS + 1,
        "edit" | "review" | "revise" => 1,
        _ => CALLS,
    }
}

/// The last call is granted at its time, but not before the earlier ones are done.
fn eta(forecast: &Forecast, calls: u64) -> Option<TimeDelta> {
    let call = TimeDelta::from_std(forecast.call?).ok()?;
    let granted = forecast.last_call_at? - clock::now() + call;
    Some(granted.max(call * i32::try_from(calls).ok()?))
}

fn shown(eta: TimeDelta) -> i64 {
    eta.num_seconds().max(0).div_euclid(STEP_SECONDS) * STEP_SECONDS + STEP_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_that_are_left_go_by_the_stage() {
        let left = ["research", "outline", "draft", "edit", "revise"].map(calls_left);
        assert_eq!(left, [2, 3, 2, 1, 1]);
    }

    #[test]
    fn an_estimate_is_no_shorter_than_the_calls_take() {
        let forecast = |at_seconds: i64| Forecast {
            jobs_before: 0,
            waits: true,
            last_call_at: Some(clock::now() + TimeDelta::seconds(at_seconds)),
            call: Some(Duration::from_secs(4)),
        };
        assert_eq!(eta(&forecast(0), 3), Some(TimeDelta::seconds(12)));
        let late = eta(&forecast(60), 3).map(shown);
        assert_eq!(late, Some(65));
        assert_eq!(eta(&Forecast { call: None, ..forecast(0) }, 3), None);
        assert_eq!(eta(&Forecast { last_call_at: None, ..forecast(0) }, 3), None);
    }
}
