//! The 202 for accepted work: the job and where to follow it. Jobs are accepted in
//! [`crate::accept`].

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use copydesk_common::store::job::Submission;
use serde::Serialize;
use utoipa::IntoResponses;

use crate::accept::AcceptedJob;
use crate::error::ApiError;
use crate::representation::JobBody;
use crate::state::Services;

/// Attempts before a job fails.
pub const MAX_ATTEMPTS: u16 = 3;
/// The default deadline of a job, in seconds: a day.
pub const DEFAULT_DEADLINE_SECONDS: i64 = 86_400;

/// Marks the answer of an earlier request with the same idempotency key.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The time by which a job must have ended. For a scheduled job, it counts from the scheduled
/// start.
pub fn deadline(created_at: DateTime<Utc>, run_at: Option<DateTime<Utc>>, seconds: i64) -> DateTime<Utc> {
    run_at.map_or(created_at, |run_at| run_at.max(created_at)) + TimeDelta::seconds(seconds)
}

/// Accepts a job and makes its answer.
pub async fn accept(services: &Services, submission: Submission) -> Result<Accepted<JobBody>, ApiError> {
    Ok(services.acceptor.accept(submission).await?.into())
}

/// A 202: what was accepted, and where and when to look for it.
#[derive(Debug)]
pub struct Accepted<T> {
    /// The job's path.
    pub location: String,
    /// Whether this is the answer of an earlier request with the same key.
    pub replayed: bool,
    /// The body of the answer.
    pub body: T,
}

/// The job was accepted.
#[derive(Debug, IntoResponses)]
#[response(
    status = 202,
    headers(
        ("Location" = String, description = "The job's path."),
        ("Retry-After" = u16, description = "Seconds after which to look first."),
    )
)]
pub struct JobAccepted(pub JobBody);

/// The job is open again.
#[derive(Debug, IntoResponses)]
#[response(
    status = 202,
    headers(
        ("Location" = String, description = "The job's path."),
        ("Retry-After" = u16, description = "Seconds after which to look first."),
    )
)]
pub struct JobReopened(pub JobBody);

impl Accepted<JobBody> {
    /// The answer for a reopened job.
    pub fn of_job(body: JobBody) -> Self {
        Self { location: body.links.itself.clone(), replayed: false, body }
    }
}

impl From<AcceptedJob> for Accepted<JobBody> {
    fn from(accepted: AcceptedJob) -> Self {
        let body = JobBody::of_new(accepted.job);
        Self { location: body.links.itself.clone(), replayed: accepted.replayed, body }
    }
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        let headers = [(header::LOCATION, self.location.as_str()), (header::RETRY_AFTER, "1")];
        let mut response = (StatusCode::ACCEPTED, headers, Json(&self.body)).into_response();
        if self.replayed {
            response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}
