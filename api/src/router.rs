//! All routes, and the middleware of every request.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use futures_util::FutureExt;
use tokio::time::timeout;
use utoipa::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::access::Access;
use crate::budget::Budget;
use crate::error::ApiError;
use crate::extract::UPLOAD_BODY_BYTES;
use crate::extract::query::{self, Operations};
use crate::openapi::{Reference, complete};
use crate::state::Services;
use crate::{drain, observe, problem, route};

/// The time limit of any request: the longest wait, the longest upload and the store's limit
/// together. Handlers have their own limits; this is a safety net.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(100);

/// The routes and their reference.
pub fn routes() -> OpenApiRouter<Services> {
    OpenApiRouter::with_openapi(Reference::openapi())
        .routes(routes!(route::generate::generate))
        .routes(routes!(route::batch::generate_batch))
        .routes(routes!(route::feedback::feedback))
        .routes(routes!(route::job::list))
        .routes(routes!(route::job::get))
        .routes(routes!(route::events::events))
        .routes(routes!(route::job::cancel))
        .routes(routes!(route::job::retry))
        .routes(routes!(route::generation::list))
        .routes(routes!(route::generation::get))
        .routes(routes!(route::generation::regenerate))
        .routes(routes!(route::business::put, route::business::get))
        .routes(routes!(route::document::add).layer(DefaultBodyLimit::max(UPLOAD_BODY_BYTES)))
        .routes(routes!(route::document::list))
        .routes(routes!(route::document::reread))
        .routes(routes!(route::document::get, route::document::patch, route::document::delete))
        .routes(routes!(route::search::search))
        .routes(routes!(route::learning::stats))
        .routes(routes!(route::ops::overview::overview))
        .routes(routes!(route::ops::queue::pause))
        .routes(routes!(route::ops::queue::drain))
        .routes(routes!(route::ops::queue::resume))
        .routes(routes!(route::ops::dead::list))
        .routes(routes!(route::ops::dead::retry_many))
        .routes(routes!(route::ops::dead::discard_many))
        .routes(routes!(route::ops::dead::retry))
        .routes(routes!(route::ops::dead::discard))
        .routes(routes!(route::ops::regenerate::regenerate_many))
        .routes(routes!(route::ops::limits::put))
        .routes(routes!(route::ops::share::put, route::ops::share::get))
        .routes(routes!(route::ops::breakers::open))
        .routes(routes!(route::ops::breakers::close))
        .routes(routes!(route::health::health))
        .routes(routes!(route::health::live))
        .routes(routes!(route::health::ready))
        .routes(routes!(route::metrics::metrics))
        .routes(routes!(route::problems::list))
        .routes(routes!(route::problems::get))
}

/// The reference that is served.
pub fn reference() -> utoipa::openapi::OpenApi {
    let mut reference = routes().into_openapi();
    complete(&mut reference);
    reference
}

/// The whole service, and the probes of the health alone, which need no runtime of the service.
pub fn routers(services: Services, access: Access, budget: Budget) -> (Router, Router) {
    let reference = reference();
    let known = query::operations(&reference);
    let readiness = services.readiness.clone();
    // Serialised once: a handler is cloned for every request.
    let reference = Bytes::from(serde_json::to_vec(&reference).unwrap_or_default());
    let (routes, _) = routes().split_for_parts();
    let routes = routes
        .with_state(services)
        .route("/openapi.json", get(async || ([(header::CONTENT_TYPE, "application/json")], reference)))
        .route("/", get(|| async { Redirect::temporary("/docs/") }))
        .merge(SwaggerUi::new("/docs").config(Config::from("/openapi.json")));
    let probes = Router::new()
        .route("/health/live", get(route::health::live))
        .route("/health/ready", get(route::health::ready))
        .with_state(readiness);
    let service = Guard { known, access, budget, most: REQUEST_TIMEOUT };
    let of_probes = Guard { budget: Budget::new(0), ..service.clone() };
    (guard(routes, service), guard(probes, of_probes))
}

/// What every request is held against.
#[derive(Clone)]
struct Guard {
    known: Operations,
    access: Access,
    budget: Budget,
    /// The longest that a request may take.
    most: Duration,
}

/// The middleware of every request, as one layer: each layer costs some allocations for every
/// request.
fn guard(routes: Router, guard: Guard) -> Router {
    let (cors, access) = (guard.access.cors(), guard.access.clone());
    let layer = from_fn_with_state(Arc::new(guard), |State(guard), request, next| serve(guard, request, next));
    let guarded = routes.fallback(|| async { ApiError::UnknownRoute }).layer(layer);
    // Around the guard: its refusals can be read as well.
    match cors {
        Some(cors) => {
            let layer = from_fn_with_state(access, |State(access), request, next| preflight(access, request, next));
            guarded.layer(cors).layer(layer)
        }
        None => guarded,
    }
}

/// The layer of CORS answers every OPTIONS by itself: its host is checked, and it is recorded, before that.
async fn preflight(access: Access, request: Request, next: Next) -> Response {
    if request.method() != Method::OPTIONS {
        return next.run(request).await;
    }
    let refused = access.refused(&request);
    observe::observe(request, |request| unless(refused, request, next)).await
}

/// The answer, unless the request is refused.
async fn unless(refused: Option<ApiError>, request: Request, next: Next) -> Response {
    match refused {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    }
}

async fn serve(guard: Arc<Guard>, request: Request, next: Next) -> Response {
    let refused = guard.access.refused(&request).or_else(|| query::refused(&guard.known, &request));
    let route = |request| unless(refused, request, next);
    let bounded = |request| limit_time(guard.most, guard.budget.hold(request, route));
    observe::observe(request, |request| drain::drain(request, bounded)).await
}

/// The response, also if its handler panics or takes too long.
async fn limit_time(most: Duration, response: impl Future<Output = Response>) -> Response {
    // Unwind safe: state that handlers share has its own locks.
    let response = AssertUnwindSafe(response).catch_unwind();
    match timeout(most, response).await {
        Ok(response) => response.unwrap_or_else(problem::of_panic),
        Err(_) => ApiError::Unavailable(None).into_response(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use axum::routing::MethodRouter;
    use copydesk_domain::problem::Problem;
    use tower::ServiceExt;

    use super::*;

    /// A route behind the guard with a short time limit.
    fn guarded(path: &str, route: MethodRouter) -> Router {
        let most = Duration::from_millis(50);
        let guarded = Guard { known: Operations::default(), access: Access::default(), budget: Budget::new(0), most };
        guard(Router::new().route(path, route), guarded)
    }

    async fn panics() -> &'static str {
        panic!("the secret is 42")
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        let service = guarded("/panics", get(panics));
        let response = service
            .oneshot(Request::get("/panics").header("host", "localhost").body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], problem::MEDIA_TYPE);
        assert!(response.headers().contains_key("x-request-id"));
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!((problem.kind.as_str(), problem.instance.as_deref()), ("/problems/internal", Some("/panics")));
        assert!(!problem.detail.contains("42"), "{}", problem.detail);
    }

    #[tokio::test]
    async fn a_request_that_takes_for_ever_is_given_up() {
        let service = guarded("/hangs", get(std::future::pending::<()>));
        let response = service
            .oneshot(Request::get("/hangs").header("host", "localhost").body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
    }
}
