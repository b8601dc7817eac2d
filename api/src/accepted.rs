//! The promise behind a 202: the job's row is committed before the answer is made, and Redis hears
//! of the job afterwards, if it is there.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use copydesk_common::job::NewJob;
use copydesk_common::store;
use serde::Serialize;

use crate::error::ApiError;
use crate::representation::JobBody;
use crate::state::Services;

/// Attempts before a job fails.
pub const MAX_ATTEMPTS: u16 = 3;
/// How long a job has where the client does not say, in seconds: a day.
pub const DEFAULT_DEADLINE_SECONDS: i64 = 86_400;

/// The moment by which a job must have ended. A scheduled job's time runs from its start.
pub fn deadline(run_at: Option<DateTime<Utc>>, seconds: i64) -> DateTime<Utc> {
    run_at.unwrap_or_else(copydesk_common::clock::now) + TimeDelta::seconds(seconds)
}

/// Stores the job durably, then tells the workers of it.
pub async fn accept(services: &Services, job: NewJob) -> Result<Accepted<JobBody>, ApiError> {
    services.within(store::job::insert(&services.store, std::slice::from_ref(&job))).await?;
    services.announce(&job).await;
    let body = JobBody::of_new(job);
    Ok(Accepted { location: body.links.itself.clone(), body })
}

/// A 202: where to look, when, and what was accepted.
#[derive(Debug)]
pub struct Accepted<T> {
    /// The job's path.
    pub location: String,
    /// What is told of it.
    pub body: T,
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        let headers = [(header::LOCATION, self.location.as_str()), (header::RETRY_AFTER, "1")];
        (StatusCode::ACCEPTED, headers, Json(&self.body)).into_response()
    }
}
