//! `POST /api/generate/batch`: requests many texts in one call; each is accepted or refused by
//! itself.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use copydesk_common::config::LARGEST_BODY_BYTES;
use copydesk_common::store;
use copydesk_common::store::idempotency::Once;
use copydesk_common::store::job::{IdempotencyKey, Submission};
use copydesk_domain::job::NewJob;
use copydesk_domain::problem::Problem;
use copydesk_domain::trace::TraceParent;
use garde::Validate;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::generate::GenerateBody;
use crate::accepted::IDEMPOTENCY_REPLAYED;
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::body::{self, RequestBody};
use crate::extract::{IdempotencyHeader, Keyed};
use crate::rate::{self, Meter};
use crate::refusal::RequestInProgress;
use crate::representation::JobBody;
use crate::state::Services;

/// The most requests in one call.
const MAX_REQUESTS: usize = 1_000;
/// The most invalid values that the answer names of one request.
const MAX_FAULTS_OF_LINE: usize = 10;
/// The most invalid values that the answer names in all, beyond the first of each request.
const MAX_FAULTS_IN_ALL: usize = 2_000;
/// The largest body, in bytes: room for a thousand requests of the longest kind.
pub const BATCH_BODY_BYTES: usize = LARGEST_BODY_BYTES;

/// Request many texts.
///
/// Up to 1,000 requests, each like `POST /api/generate`. The answer is 200 even if some or all of
/// them were refused: each has its own entry, in the order of the requests, with the `status` and
/// the body that it would have had alone. The `errors` of a refused one point into the whole body,
/// such as `/requests/7/topic`; they name ten values of a request at most, and fewer if very many
/// requests are refused: `errors_omitted` counts the others. All accepted jobs are stored in one step before the answer.
#[utoipa::path(
    post,
    path = "/api/generate/batch",
    operation_id = "generate_batch",
    tag = "Jobs",
    params(IdempotencyHeader),
    request_body = BatchBody,
    responses(
        (status = 200, description = "Each request's own answer.", body = BatchAnswer),
        RequestInProgress,
    )
)]
pub async fn generate_batch(
    State(services): State<Services>,
    caller: Caller,
    Extension(trace): Extension<TraceParent>,
    meter: Option<Extension<Arc<Meter>>>,
    Keyed { key, body }: Keyed<BatchBody>,
) -> Result<Response, ApiError> {
    if let Some(Extension(meter)) = meter {
        meter.spend(rate::weight_of_batch(body.requests.len()))?;
    }
    let body_bytes = body.requests.iter().map(|request| request.get().len()).sum();
    let batch = services.parsing.run(body_bytes, move || Batch::read(&body, &caller, trace)).await?;
    match key {
        // Without a job to accept, the key has nothing to protect.
        _ if batch.jobs.is_empty() => Ok(Json(batch.answer).into_response()),
        None => batch.store_each(&services).await,
        Some(key) => {
            let key = batch.told_apart(key);
            batch.store_once(&services, &key).await
        }
    }
}

/// A batch, parsed entry by entry.
struct Batch {
    answer: BatchAnswer,
    /// The jobs to accept, and the positions of their answers.
    jobs: Vec<NewJob>,
    lines: Vec<usize>,
}

impl Batch {
    fn read(body: &BatchBody, caller: &Caller, trace: TraceParent) -> Self {
        let mut batch = Self { answer: BatchAnswer { data: Vec::new() }, jobs: Vec::new(), lines: Vec::new() };
        let mut faults_left = MAX_FAULTS_IN_ALL;
        for (index, request) in body.requests.iter().enumerate() {
            let job = body::parse::<GenerateBody>(request.get().as_bytes()).and_then(|body| {
                caller.check(body.business_id())?;
                Ok(body.into_job(trace))
            });
            let line = match job {
                Ok(job) => {
                    let line = BatchLine::accepted(index, &job);
                    batch.jobs.push(job);
                    batch.lines.push(index);
                    line
                }
                Err(error) => {
                    let (error, faults) = shortened(error, faults_left);
                    faults_left = faults_left.saturating_sub(faults);
                    BatchLine::refused(index, error)
                }
            };
            batch.answer.data.push(line);
        }
        batch
    }

    /// The same body is another request where businesses were refused that its sender does not reach: the first answer may
    /// tell of their jobs.
    fn told_apart(&self, key: IdempotencyKey) -> IdempotencyKey {
        let unreached = StatusCode::NOT_FOUND.as_u16();
        let mut refused = self.answer.data.iter().filter(|line| line.status == unreached).peekable();
        if refused.peek().is_none() {
            return key;
        }
        let fingerprint = Sha256::new().chain_update(key.fingerprint);
        let fingerprint = refused.fold(fingerprint, |hash, line| hash.chain_update(line.index.to_be_bytes()));
        IdempotencyKey { fingerprint: fingerprint.finalize().into(), ..key }
    }

    /// Stores the jobs. A job that the database refuses is refused in its own entry.
    async fn store_each(mut self, services: &Services) -> Result<Response, ApiError> {
        let submissions: Vec<_> = self.jobs.into_iter().map(|job| Submission { job, key: None }).collect();
        let stored = async { Ok::<_, ApiError>(services.acceptor.accept_each(&submissions).await) };
        let outcomes = services.within(stored).await?;
        if let Some(error) = outcomes.iter().find_map(|outcome| outcome.as_ref().err())
            && outcomes.iter().all(Result::is_err)
        {
            return Err(Arc::clone(error).into());
        }
        for (outcome, line) in outcomes.into_iter().zip(self.lines) {
            if let Err(error) = outcome {
                self.answer.data[line] = BatchLine::refused(line, error.into());
            }
        }
        Ok(Json(self.answer).into_response())
    }

    /// Stores all jobs and the answer under the key, or returns the earlier answer.
    async fn store_once(self, services: &Services, key: &IdempotencyKey) -> Result<Response, ApiError> {
        let answer = serde_json::to_value(&self.answer).map_err(|error| ApiError::Internal(error.into()))?;
        // The key belongs to the business of the first job, so that keys of different businesses do
        // not collide.
        let Some(first) = self.jobs.first() else { return Ok(Json(answer).into_response()) };
        let once = store::job::accept_batch(&services.store, &self.jobs, &first.business_id, key, &answer);
        match services.within(once).await? {
            Once::Done(()) => {
                services.announcer.announce_new(self.jobs.iter());
                Ok(Json(answer).into_response())
            }
            Once::Before(answer) => Ok(([(IDEMPOTENCY_REPLAYED, "true")], Json(answer)).into_response()),
            Once::KeyReused => Err(ApiError::KeyReused),
            Once::Running => Err(ApiError::StillRunning),
        }
    }
}

/// Requests for many texts.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GenerateBatchRequest, example = <BatchBody as RequestBody>::example)]
pub struct BatchBody {
    /// 1 to 1,000 requests. They may be for several businesses.
    #[garde(custom(some_requests))]
    #[serde(deserialize_with = "at_most_a_thousand")]
    #[schema(value_type = Vec<GenerateBody>, min_items = 1, max_items = 1000)]
    requests: Vec<Box<RawValue>>,
}

impl RequestBody for BatchBody {
    const MAX_BYTES: Option<usize> = Some(BATCH_BODY_BYTES);
    const HOLDS_BODIES: bool = true;

    fn example() -> Value {
        json!({ "requests": [GenerateBody::example()] })
    }
}

fn some_requests(requests: &[Box<RawValue>], (): &()) -> garde::Result {
    if requests.is_empty() {
        Err(garde::Error::new(format!("must have 1 to {MAX_REQUESTS} requests, not 0")))
    } else {
        Ok(())
    }
}

/// Stops at the first request that is too many: a body has room for millions.
fn at_most_a_thousand<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Box<RawValue>>, D::Error> {
    struct Requests;

    impl<'de> Visitor<'de> for Requests {
        type Value = Vec<Box<RawValue>>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list of requests")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut requests = Vec::new();
            while let Some(request) = items.next_element()? {
                if requests.len() == MAX_REQUESTS {
                    return Err(A::Error::custom(format!("must have 1 to {MAX_REQUESTS} requests: there are more")));
                }
                requests.push(request);
            }
            Ok(requests)
        }
    }
    deserializer.deserialize_seq(Requests)
}

/// The error with fewer invalid values than it would have alone, and how many these are.
fn shortened(error: ApiError, left: usize) -> (ApiError, usize) {
    match error {
        ApiError::Invalid(mut faults) => {
            faults.shorten(left.clamp(1, MAX_FAULTS_OF_LINE));
            let told = faults.listed().len();
            (ApiError::Invalid(faults), told)
        }
        error => (error, 1),
    }
}

/// Each request's own answer, in the order of the requests.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GenerateBatchAnswer)]
pub struct BatchAnswer {
    /// One entry for each request.
    data: Vec<BatchLine>,
}

/// The answer of one request: the job if it was accepted, else the error.
#[derive(Debug, Serialize, ToSchema)]
struct BatchLine {
    /// The request's position in the batch, from 0.
    index: usize,
    /// The status that the request would have had alone: 202 if it was accepted.
    status: u16,
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<JobBody>,
    /// Why there is no job.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

impl BatchLine {
    fn accepted(index: usize, job: &NewJob) -> Self {
        let status = StatusCode::ACCEPTED.as_u16();
        Self { index, status, job: Some(JobBody::of_new(job.clone())), error: None }
    }

    fn refused(index: usize, error: ApiError) -> Self {
        let mut problem = error.into_problem();
        for error in &mut problem.errors {
            error.pointer = format!("/requests/{index}{}", error.pointer);
        }
        Self { index, status: problem.status, job: None, error: Some(problem) }
    }
}
