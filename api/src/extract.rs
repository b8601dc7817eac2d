//! Extractors: the parts of a request, parsed and checked at the edge. Errors become an
//! [`ApiError`](crate::error::ApiError) that names them. Inner code sees nothing of HTTP.

pub mod body;
mod disposition;
pub mod document;
mod explain;
pub mod idempotency;
pub mod path;
pub mod query;
mod strict;
pub mod upload;
mod walk;

pub use body::{Body, RequestBody};
pub use idempotency::{IdempotencyHeader, Key, Keyed};
pub use path::{Business, Id, Kind, Provider, Rest, Slug};
pub use query::Parameters;
pub use upload::{UPLOAD_BODY_BYTES, Upload};
