//! The problems that jobs of every kind can end with. Problems of one kind are in its handler.

use copydesk_domain::job::StartedJob;
use copydesk_domain::problem::Problem;

use crate::pipeline::error::StageError;

pub(crate) fn unreadable(job: &StartedJob) -> Problem {
    let detail = "The job's request cannot be read by this version of the worker: send it again.";
    Problem::new("unreadable-request", "The request cannot be read", 500, detail).of_job(job.id)
}

pub(crate) fn too_late(job: &StartedJob) -> Problem {
    let detail = "The job's deadline passed before it could be finished.";
    Problem::new("deadline-exceeded", "The deadline has passed", 504, detail).of_job(job.id)
}

pub(crate) fn poisoned(job: &StartedJob) -> Problem {
    let detail = format!("Workers were lost {} times in a row while they ran this job.", job.takeovers);
    Problem::new("poisoned", "The job ends its workers", 500, detail).of_job(job.id)
}

/// A text that no model wrote, and that may not be composed by template.
pub(crate) fn no_fallback(job: &StartedJob, reason: &StageError) -> Problem {
    let detail = format!("No model wrote the text, and the request allows no fallback: {reason}.");
    let problem = match reason.is_for_want_of_time() {
        true => Problem::new("deadline-exceeded", "The deadline has passed", 504, detail),
        false => Problem::new("attempts-exhausted", "Every attempt failed", 502, detail),
    };
    problem.of_job(job.id)
}

pub(crate) fn exhausted(job: &StartedJob) -> Problem {
    let detail = format!("All {} attempts failed; the providers were not available.", job.max_attempts);
    Problem::new("attempts-exhausted", "Every attempt failed", 502, detail).of_job(job.id)
}
