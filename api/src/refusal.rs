//! Problems of single operations, as the reference describes them: each is written once and used by
//! its routes. [`crate::openapi`] adds what all operations have in common; [`crate::error`] defines
//! the status of each error.

use copydesk_domain::problem::Problem;
use utoipa::IntoResponses;

use crate::problem::MEDIA_TYPE;

/// The first request with this `Idempotency-Key` is still being served: try again after `Retry-After` seconds.
#[derive(Debug, IntoResponses)]
#[response(status = 409, content_type = MEDIA_TYPE)]
pub struct RequestInProgress(pub Problem);

/// There is no such provider: `detail` lists them.
#[derive(Debug, IntoResponses)]
#[response(status = 404, content_type = MEDIA_TYPE)]
pub struct UnknownProvider(pub Problem);

/// There is no such provider: `detail` lists them. Or the model has no limits of its own.
#[derive(Debug, IntoResponses)]
#[response(status = 404, content_type = MEDIA_TYPE)]
pub struct NoLimits(pub Problem);

/// The key was revoked, or its new secret would outlive the caller's own.
#[derive(Debug, IntoResponses)]
#[response(status = 409, content_type = MEDIA_TYPE)]
pub struct KeyRevoked(pub Problem);

/// There is no such type of problem.
#[derive(Debug, IntoResponses)]
#[response(status = 404, content_type = MEDIA_TYPE)]
pub struct UnknownType(pub Problem);

/// The business has stored no profile.
#[derive(Debug, IntoResponses)]
#[response(status = 404, content_type = MEDIA_TYPE)]
pub struct NoProfile(pub Problem);

/// The text's job was removed, and the request with it: ask for the text anew. Or the first request with this
/// `Idempotency-Key` is still being served: try again after `Retry-After` seconds.
#[derive(Debug, IntoResponses)]
#[response(status = 409, content_type = MEDIA_TYPE)]
pub struct RequestRemoved(pub Problem);

/// Nothing of this business is stored.
#[derive(Debug, IntoResponses)]
#[response(status = 404, content_type = MEDIA_TYPE)]
pub struct UnknownBusiness(pub Problem);

/// The business has no such generation.
#[derive(Debug, IntoResponses)]
#[response(status = 404, content_type = MEDIA_TYPE)]
pub struct UnknownGeneration(pub Problem);

/// The generation has no text to judge (yet).
#[derive(Debug, IntoResponses)]
#[response(status = 409, content_type = MEDIA_TYPE)]
pub struct NothingToJudge(pub Problem);

/// The job has ended.
#[derive(Debug, IntoResponses)]
#[response(status = 409, content_type = MEDIA_TYPE)]
pub struct JobEnded(pub Problem);

/// The job has not failed.
#[derive(Debug, IntoResponses)]
#[response(status = 409, content_type = MEDIA_TYPE)]
pub struct JobNotFailed(pub Problem);

/// The job is not a dead letter.
#[derive(Debug, IntoResponses)]
#[response(status = 409, content_type = MEDIA_TYPE)]
pub struct NoDeadLetter(pub Problem);

/// The body names another business than the path.
#[derive(Debug, IntoResponses)]
#[response(status = 409, content_type = MEDIA_TYPE)]
pub struct AnotherBusiness(pub Problem);

/// No price is known of a model of the provider, so that its cost cannot be limited.
#[derive(Debug, IntoResponses)]
#[response(status = 409, content_type = MEDIA_TYPE)]
pub struct NoPrice(pub Problem);

/// Access is open: whatever this stands for is not needed.
#[derive(Debug, IntoResponses)]
#[response(status = 409, content_type = MEDIA_TYPE)]
pub struct NoSession(pub Problem);
