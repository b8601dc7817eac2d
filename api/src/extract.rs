//! Extractors: a request's parts, parsed and checked at the edge. Whatever is wrong becomes an
//! [`ApiError`](crate::error::ApiError) that names it; nothing of HTTP gets past here.

pub mod body;
pub mod document;
pub mod idempotency;
pub mod path;
pub mod query;
pub mod upload;

pub use body::{Body, RequestBody};
pub use idempotency::{IdempotencyHeader, Key, Keyed};
pub use path::{Business, Id, Kind, Provider, Slug};
pub use query::Parameters;
pub use upload::{UPLOAD_BODY_BYTES, Upload};
