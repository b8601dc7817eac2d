//! Every route, and what every request passes through.

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::error::ApiError;
use crate::extract::{UPLOAD_BODY_BYTES, query};
use crate::openapi::{Reference, complete};
use crate::state::Services;
use crate::{drain, observe, problem, route};

/// The longest that any request takes: the longest wait, the longest upload, and the store's bound.
/// Handlers bound themselves; this is for what they forget.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(100);

/// The routes and their reference.
pub fn routes() -> OpenApiRouter<Services> {
    OpenApiRouter::with_openapi(Reference::openapi())
        .routes(routes!(route::generate::generate))
        .routes(routes!(route::batch::generate_batch).layer(DefaultBodyLimit::max(route::batch::BATCH_BODY_BYTES)))
        .routes(routes!(route::feedback::feedback))
        .routes(routes!(route::job::list))
        .routes(routes!(route::job::get))
        .routes(routes!(route::job::cancel))
        .routes(routes!(route::job::retry))
        .routes(routes!(route::generation::list))
        .routes(routes!(route::generation::get))
        .routes(routes!(route::business::put, route::business::get))
        .routes(routes!(route::document::add).layer(DefaultBodyLimit::max(UPLOAD_BODY_BYTES)))
        .routes(routes!(route::document::list))
        .routes(routes!(route::document::get, route::document::delete))
        .routes(routes!(route::search::search))
        .routes(routes!(route::learning::stats))
        .routes(routes!(route::ops::overview::overview))
        .routes(routes!(route::ops::queue::pause))
        .routes(routes!(route::ops::queue::resume))
        .routes(routes!(route::ops::dead::list))
        .routes(routes!(route::ops::dead::retry_many))
        .routes(routes!(route::ops::dead::discard_many))
        .routes(routes!(route::ops::dead::retry))
        .routes(routes!(route::ops::dead::discard))
        .routes(routes!(route::ops::limits::put))
        .routes(routes!(route::ops::breakers::open))
        .routes(routes!(route::ops::breakers::close))
        .routes(routes!(route::health::health))
        .routes(routes!(route::health::live))
        .routes(routes!(route::health::ready))
        .routes(routes!(route::metrics::metrics))
}

/// The reference as it is served.
pub fn reference() -> utoipa::openapi::OpenApi {
    let mut reference = routes().into_openapi();
    complete(&mut reference);
    reference
}

/// The whole service.
pub fn router(services: Services) -> Router {
    let reference = reference();
    let known = query::known_parameters(&reference);
    let max_body_bytes = services.max_body_bytes;
    let (routes, _) = routes().split_for_parts();
    let routes = routes
        .with_state(services)
        .route("/openapi.json", get(move || async { Json(reference) }))
        .route("/", get(|| async { Redirect::temporary("/docs/") }))
        .merge(SwaggerUi::new("/docs").config(Config::from("/openapi.json")))
        .layer(DefaultBodyLimit::max(max_body_bytes))
        .layer(from_fn_with_state(known, query::refuse_unknown));
    guard(routes)
}

/// What every request passes through: the later a layer is added, the earlier it sees the request.
fn guard(routes: Router) -> Router {
    routes
        .fallback(|| async { ApiError::UnknownRoute })
        .layer(CatchPanicLayer::custom(problem::of_panic))
        .layer(from_fn(limit_time))
        .layer(from_fn(observe::observe))
        .layer(from_fn(drain::drain))
}

async fn limit_time(request: Request, next: Next) -> Response {
    let served = timeout(REQUEST_TIMEOUT, next.run(request)).await;
    served.unwrap_or_else(|_| ApiError::Unavailable(None).into_response())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use copydesk_common::job::Problem;
    use tower::ServiceExt;

    use super::*;

    async fn panics() -> &'static str {
        panic!("the secret is 42")
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        let service = guard(Router::new().route("/panics", get(panics)));
        let response = service.oneshot(Request::get("/panics").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], problem::MEDIA_TYPE);
        assert!(response.headers().contains_key("x-request-id"));
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!((problem.kind.as_str(), problem.instance.as_deref()), ("/problems/internal", Some("/panics")));
        assert!(!problem.detail.contains("42"), "{}", problem.detail);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_for_ever_is_given_up() {
        let service = guard(Router::new().route("/hangs", get(std::future::pending::<()>)));
        let response = service.oneshot(Request::get("/hangs").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
    }
}
