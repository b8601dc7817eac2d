//! The problems that jobs of every kind can end with. Problems of one kind are in its handler.

use copydesk_domain::job::StartedJob;
use copydesk_domain::problem::Problem;

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

pub(crate) fn exhausted(job: &StartedJob) -> Problem {
    let detail = format!("All {} attempts failed; the providers were not available.", job.max_attempts);
    Problem::new("attempts-exhausted", "Every attempt failed", 502, detail).of_job(job.id)
}
