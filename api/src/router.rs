//! All routes, and the middleware of every request.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::TRANSFER_ENCODING;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use copydesk_common::config::Config;
use copydesk_domain::access::Scope;
use futures_util::FutureExt;
use tokio::time::timeout;
use utoipa::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::access::Access;
use crate::auth::Auth;
use crate::auth::need::{Need, Needs};
use crate::budget::Budget;
use crate::error::ApiError;
use crate::extract::UPLOAD_BODY_BYTES;
use crate::extract::query::{self, Operations};
use crate::openapi::{self, Reference, complete};
use crate::rate::Meter;
use crate::state::Services;
use crate::{drain, observe, problem, route};

/// The time limit of any request: the longest wait, the longest upload and the store's limit
/// together. Handlers have their own limits; this is a safety net.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(100);

/// What is served beside the operations: to anybody.
const PAGES: [&str; 6] = ["/", "/console/{*rest}", "/openapi.json", "/docs", "/docs/", "/docs/{*rest}"];

/// The routes with their reference, and what each needs.
struct Routes {
    router: OpenApiRouter<Services>,
    needs: Needs,
}

impl Routes {
    fn add(mut self, need: Need, mut routes: UtoipaMethodRouter<Services>) -> Self {
        let (_, paths, _) = &mut routes;
        for (path, item) in &mut paths.paths {
            for (method, operation) in openapi::operations(item) {
                self.needs.declare(path, method, need);
                openapi::secure(operation, path, need);
            }
        }
        self.router = self.router.routes(routes);
        self
    }
}

/// Every route, and what it needs.
fn routes() -> Routes {
    use Need::{Key, Metrics, Nothing, Scope as Has, ScopeOrTicket, Service};
    use Scope::{Documents, Feedback, Generate, Keys, Learning, Observe, Operate, Read};

    Routes { router: OpenApiRouter::with_openapi(Reference::openapi()), needs: Needs::default() }
        .add(Has(Generate), routes!(route::generate::generate))
        .add(Has(Generate), routes!(route::batch::generate_batch))
        .add(Has(Feedback), routes!(route::feedback::feedback))
        .add(Has(Feedback), routes!(route::feedback::delete))
        .add(Has(Read), routes!(route::job::list))
        .add(Has(Read), routes!(route::job::count))
        .add(Has(Read), routes!(route::job::get))
        .add(Has(Read), routes!(route::timeline::get))
        .add(ScopeOrTicket(Read), routes!(route::events::events))
        .add(Has(Read), routes!(route::ticket::issue))
        .add(Has(Generate), routes!(route::job::cancel))
        .add(Has(Generate), routes!(route::job::retry))
        .add(Has(Read), routes!(route::generation::list))
        .add(Has(Read), routes!(route::generation::get))
        .add(Has(Read), routes!(route::versions::list))
        .add(Has(Generate), routes!(route::generation::regenerate))
        .add(Has(Read), routes!(route::business::list))
        .add(Has(Documents), routes!(route::business::put))
        .add(Has(Read), routes!(route::business::get))
        .add(Has(Operate), routes!(route::business::delete))
        .add(Has(Read), routes!(route::voice::get))
        .add(Has(Read), routes!(route::export::export))
        .add(Has(Documents), routes!(route::document::add).layer(DefaultBodyLimit::max(UPLOAD_BODY_BYTES)))
        .add(Has(Read), routes!(route::document::list))
        .add(Has(Documents), routes!(route::document::reread))
        .add(Has(Read), routes!(route::document::get))
        .add(Has(Documents), routes!(route::document::patch, route::document::delete))
        .add(Has(Read), routes!(route::search::search))
        .add(Has(Learning), routes!(route::learning::stats))
        .add(Has(Learning), routes!(route::learning::lessons::list))
        .add(Has(Learning), routes!(route::learning::lessons::patch))
        .add(Has(Learning), routes!(route::learning::replay::replay))
        .add(Has(Observe), routes!(route::audit::list))
        .add(Service(Observe), routes!(route::ops::overview::overview))
        .add(Service(Observe), routes!(route::ops::history::get))
        .add(Service(Operate), routes!(route::ops::queue::pause))
        .add(Service(Operate), routes!(route::ops::queue::drain))
        .add(Service(Operate), routes!(route::ops::queue::resume))
        .add(Has(Observe), routes!(route::ops::dead::list))
        .add(Has(Observe), routes!(route::ops::dead::count))
        .add(Has(Operate), routes!(route::ops::cancel::cancel_many))
        .add(Has(Operate), routes!(route::ops::dead::retry_many))
        .add(Has(Operate), routes!(route::ops::dead::discard_many))
        .add(Has(Operate), routes!(route::ops::dead::retry))
        .add(Has(Operate), routes!(route::ops::dead::discard))
        .add(Has(Operate), routes!(route::ops::regenerate::regenerate_many))
        .add(Service(Operate), routes!(route::ops::limits::put))
        .add(Has(Operate), routes!(route::ops::share::put))
        .add(Has(Observe), routes!(route::ops::share::get))
        .add(Service(Operate), routes!(route::ops::breakers::open))
        .add(Service(Operate), routes!(route::ops::breakers::close))
        .add(Has(Keys), routes!(route::keys::create))
        .add(Has(Keys), routes!(route::keys::list))
        .add(Has(Keys), routes!(route::keys::revoke))
        .add(Has(Keys), routes!(route::keys::rotate))
        .add(Key, routes!(route::session::start, route::session::get, route::session::end))
        .add(Nothing, routes!(route::health::health))
        .add(Nothing, routes!(route::health::live))
        .add(Nothing, routes!(route::health::ready))
        .add(Metrics, routes!(route::metrics::metrics))
        .add(Nothing, routes!(route::problems::list))
        .add(Nothing, routes!(route::problems::get))
}

/// Every operation that the service has, and what lets a request in.
pub fn needs() -> Needs {
    let mut needs = routes().needs;
    for page in PAGES {
        needs.declare(page, Method::GET, Need::Nothing);
    }
    needs
}

/// The reference that is served.
pub fn reference() -> utoipa::openapi::OpenApi {
    let mut reference = routes().router.into_openapi();
    complete(&mut reference);
    reference
}

/// The whole service, and the probes of the health alone, which need no runtime of the service.
pub fn routers(config: &Config, services: Services) -> (Router, Router) {
    let (access, budget) = (Access::new(&config.api), Budget::new(config.api.body_budget_bytes));
    let reference = reference();
    let known = query::operations(&reference);
    let readiness = services.readiness.clone();
    // Serialised once: a handler is cloned for every request.
    let reference = Bytes::from(serde_json::to_vec(&reference).unwrap_or_default());
    let auth = Auth::new(&config.api, needs(), services.keyring.clone(), services.rates.clone());
    let (routes, _) = routes().router.split_for_parts();
    let routes = routes
        .with_state(services)
        .route("/openapi.json", get(async || ([(header::CONTENT_TYPE, "application/json")], reference)))
        .route("/", get(route::console::page))
        .route("/console/{*rest}", get(route::console::file))
        .merge(SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from("/openapi.json")));
    let probes = Router::new()
        .route("/health/live", get(route::health::live))
        .route("/health/ready", get(route::health::ready))
        .with_state(readiness);
    let service = Guard { known, access, auth: Some(auth), budget, most: REQUEST_TIMEOUT };
    let of_probes = Guard { auth: None, budget: Budget::new(0), ..service.clone() };
    (guard(routes, service), guard(probes, of_probes))
}

/// What every request is held against.
#[derive(Clone)]
struct Guard {
    known: Operations,
    access: Access,
    /// `None` where nothing needs a key.
    auth: Option<Auth>,
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
async fn preflight(access: Access, mut request: Request, next: Next) -> Response {
    if request.method() != Method::OPTIONS {
        return next.run(request).await;
    }
    access.note(&mut request);
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
    let bounded = |request| limit_time(guard.most, guard.let_in(request, next));
    observe::observe(request, |request| drain::drain(request, bounded)).await
}

impl Guard {
    async fn let_in(&self, mut request: Request, next: Next) -> Response {
        self.access.note(&mut request);
        let refused = self.refused(&mut request).await;
        let meter = request.extensions().get::<Arc<Meter>>().cloned();
        let mut response = self.budget.hold(request, |request| unless(refused, request, next)).await;
        if let Some(meter) = meter {
            meter.tell(response.headers_mut());
        }
        response
    }

    /// Why a request is not served. Whoever may not know a route's parameters is not told them.
    async fn refused(&self, request: &mut Request) -> Option<ApiError> {
        if let Some(error) = self.access.refused(request) {
            return Some(error);
        }
        if is_encoded(request.headers()) {
            return Some(ApiError::Malformed("the only Transfer-Encoding that is read is chunked".to_owned()));
        }
        if let Some(auth) = &self.auth
            && let Err(error) = auth.admit(request).await
        {
            return Some(error);
        }
        query::refused(&self.known, request)
    }
}

/// Whether a body has another transfer coding than `chunked`: hyper undoes that one alone.
fn is_encoded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    codings.next().is_some_and(|coding| !is_chunked(coding)) || codings.next().is_some()
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
        let guarded =
            Guard { known: Operations::default(), access: Access::default(), auth: None, budget: Budget::new(0), most };
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
    async fn a_body_may_take_longer_than_its_head() {
        let slow = || async {
            let lines = futures_util::stream::unfold(0, |sent| async move {
                tokio::time::sleep(Duration::from_millis(40)).await;
                (sent < 4).then(|| (Ok::<_, std::io::Error>(Bytes::from_static(b"line\n")), sent + 1))
            });
            Body::from_stream(lines)
        };
        let service = guarded("/streams", get(slow));
        let request = Request::get("/streams").header("host", "localhost").body(Body::empty()).unwrap();
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(to_bytes(response.into_body(), 10_000).await.unwrap().len(), 20);
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
