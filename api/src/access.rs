//! Which hosts and which web pages may send requests. A page that a reader of this machine visits can
//! send requests to an API on it: under its own name that it resolves to a loopback address (DNS
//! rebinding), or across origins, where the browser hides only the answer.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::extract::Request;
use axum::http::header::{ORIGIN, USER_AGENT};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use copydesk_common::config::ApiConfig;
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::Url;

use crate::error::ApiError;
use crate::extract::idempotency::IDEMPOTENCY_KEY;
use crate::peer::{Client, Proxies};
use crate::rate;
use crate::request_id::X_REQUEST_ID;

/// What a browser says of the page that sends a request; no page can change it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How long browsers may remember what an origin is allowed.
const CORS_MAX_AGE: std::time::Duration = std::time::Duration::from_secs(3_600);

/// The rule.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Host names beside loopback names and addresses, lower case.
    hosts: Vec<String>,
    /// Whether any name will do.
    any_host: bool,
    /// Origins of foreign pages, as browsers write them.
    origins: Vec<String>,
    proxies: Proxies,
}

impl Access {
    /// As configured.
    pub fn new(config: &ApiConfig) -> Self {
        let hosts: Vec<_> = config.allowed_hosts().map(str::to_ascii_lowercase).collect();
        let any_host = hosts.iter().any(|host| host == "*");
        let origins = config.cors_origins().map(str::to_owned).collect();
        Self { hosts, any_host, origins, proxies: Proxies::new(config) }
    }

    /// Notes whose request it is, as [`Client`].
    pub fn note(&self, request: &mut Request) {
        let client = self.proxies.client(request);
        request.extensions_mut().insert(client);
    }

    /// Why a request is refused.
    pub fn refused(&self, request: &Request) -> Option<ApiError> {
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let host = match host(request) {
            Ok(Some(host)) => host,
            // HTTP/1.0 of old probes: no browser speaks it, and no page of ours has an origin there.
            Ok(None) => {
                return (!is_safe && self.is_foreign(request.headers(), None)).then_some(ApiError::ForeignOrigin);
            }
            Err(error) => return Some(error),
        };
        if !self.knows(host.host()) {
            return Some(ApiError::UnknownHost(host.host().to_owned()));
        }
        (!is_safe && self.is_foreign(request.headers(), Some(&host))).then_some(ApiError::ForeignOrigin)
    }

    /// An address cannot be rebound, so only names are held against the list.
    fn knows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_address =
            bracketed.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()) || host.parse::<Ipv4Addr>().is_ok();
        let is_loopback = host == "localhost" || host.ends_with(".localhost");
        self.any_host || is_address || is_loopback || self.hosts.contains(&host)
    }

    /// Whether a page of another origin sends the request. A header that stands there twice is none of a browser's.
    fn is_foreign(&self, headers: &HeaderMap, host: Option<&Authority>) -> bool {
        if [ORIGIN, FETCH_SITE].iter().any(|name| headers.get_all(name).iter().count() > 1) {
            return true;
        }
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
        let origin = text(ORIGIN);
        if origin.is_some_and(|origin| self.origins.iter().any(|allowed| allowed == origin)) {
            return false;
        }
        match text(FETCH_SITE) {
            Some(site) => !matches!(site, "same-origin" | "none"),
            // An older browser, or no browser.
            None => origin.is_some_and(|origin| !host.is_some_and(|host| is_of(origin, host))),
        }
    }

    /// The layer that lets pages of the allowed origins read the answers; `None` where there are none.
    pub fn cors(&self) -> Option<CorsLayer> {
        if self.origins.is_empty() {
            return None;
        }
        let origins = self.origins.iter().filter_map(|origin| origin.parse::<HeaderValue>().ok());
        let event_id = HeaderName::from_static("last-event-id");
        let trace = HeaderName::from_static("traceparent");
        let layer = CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::IF_NONE_MATCH,
                USER_AGENT,
                IDEMPOTENCY_KEY,
                X_REQUEST_ID,
                event_id,
                trace,
            ])
            .expose_headers([
                header::ETAG,
                header::LOCATION,
                header::RETRY_AFTER,
                X_REQUEST_ID,
                rate::LEFT,
                rate::POLICY,
                HeaderName::from_static("idempotency-replayed"),
            ])
            .max_age(CORS_MAX_AGE);
        Some(layer)
    }
}

/// The host that a request names: one, but in HTTP/1.0 where it may name none.
fn host(request: &Request) -> Result<Option<Authority>, ApiError> {
    // A proxy may name itself in `Host`.
    if let Some(Client { host: Some(host), .. }) = request.extensions().get() {
        return Ok(Some(host.clone()));
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host),
        (None, _) if request.version() < Version::HTTP_11 => None,
        (None, _) => return Err(ApiError::Malformed("the request has no Host header".to_owned())),
        (Some(_), Some(_)) => return Err(ApiError::Malformed("the request has two Host headers".to_owned())),
    };
    // A request line with an absolute URI says it once more, and wins (RFC 9112, 3.2.2).
    let named = match (request.uri().authority(), host) {
        (Some(authority), _) => Some(authority.clone()),
        (None, None) => return Ok(None),
        (None, Some(host)) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
    };
    let named = named.filter(|authority| !authority.as_str().contains('@') && has_port_or_none(authority));
    named.map(Some).ok_or_else(|| ApiError::Malformed("the Host header names no host".to_owned()))
}

/// Whether what follows the host is a port, an empty one too (RFC 3986, 3.2.3), or nothing.
fn has_port_or_none(authority: &Authority) -> bool {
    let port = authority.as_str().strip_prefix(authority.host());
    matches!(port, Some("" | ":")) || authority.port_u16().is_some()
}

/// Whether an origin is that of the host itself. A proxy that ends TLS changes the scheme.
fn is_of(origin: &str, host: &Authority) -> bool {
    let Some(url) = Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return false;
    };
    let default = if url.scheme() == "https" { 443 } else { 80 };
    url.host_str().is_some_and(|of| of.eq_ignore_ascii_case(host.host()))
        && url.port().unwrap_or(default) == host.port_u16().unwrap_or(default)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use axum::body::Body;
    use axum::http::StatusCode;

    use super::*;

    fn access() -> Access {
        Access {
            hosts: vec!["copy.example.com".into()],
            any_host: false,
            origins: vec!["https://app.example.com".into()],
            proxies: Proxies::default(),
        }
    }

    fn status(method: Method, headers: &[(&str, &str)]) -> Option<StatusCode> {
        let mut request = Request::builder().method(method).uri("/api/generate");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        access().refused(&request.body(Body::empty()).unwrap()).map(|error| error.status())
    }

    #[test]
    fn names_are_on_the_list_and_addresses_pass() {
        for host in [
            "localhost:8080",
            "LOCALHOST",
            "a.localhost",
            "127.0.0.1:8080",
            "10.1.2.3",
            "[::1]:8080",
            "Copy.Example.com",
            "copy.example.com.:443",
        ] {
            assert_eq!(status(Method::GET, &[("host", host)]), None, "{host}");
        }
        for host in [
            "evil.example",
            "[evil.example]",
            "copy.example.com.evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
        ] {
            assert_eq!(status(Method::GET, &[("host", host)]), Some(StatusCode::MISDIRECTED_REQUEST), "{host}");
        }
        for wrong in
            [&[][..], &[("host", "localhost"), ("host", "localhost")], &[("host", "a b")], &[("host", "u@localhost")]]
        {
            assert_eq!(status(Method::GET, wrong), Some(StatusCode::BAD_REQUEST), "{wrong:?}");
        }
    }

    #[test]
    fn what_names_no_host_changes_nothing_for_a_foreign_page() {
        let status = |uri: &str, headers: &[(&str, &str)]| {
            let mut request = Request::builder().method(Method::POST).uri(uri).version(Version::HTTP_10);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            access().refused(&request.body(Body::empty()).unwrap()).map(|error| error.status())
        };
        assert_eq!(status("/api/generate", &[]), None);
        assert_eq!(status("/api/generate", &[("origin", "https://evil.example")]), Some(StatusCode::FORBIDDEN));
        assert_eq!(status("/api/generate", &[("sec-fetch-site", "cross-site")]), Some(StatusCode::FORBIDDEN));
        assert_eq!(status("http://evil.example/api/generate", &[]), Some(StatusCode::MISDIRECTED_REQUEST));
        assert_eq!(status("http://u@localhost/api/generate", &[]), Some(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn pages_of_other_origins_change_nothing() {
        let post = |headers: &[(&'static str, &'static str)]| {
            status(Method::POST, &[&[("host", "localhost:8080")], headers].concat())
        };
        for own in [
            &[][..],
            &[("origin", "http://localhost:8080")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://copy.example.com")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://app.example.com")],
            &[("origin", "https://app.example.com")],
        ] {
            assert_eq!(post(own), None, "{own:?}");
        }
        for foreign in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "http://localhost:3000")],
            &[("origin", "https://app.example.com.evil.example")],
            &[("origin", "ftp://localhost:8080")],
            &[("origin", "http://localhost:8080"), ("origin", "https://evil.example")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", "http://localhost:8080")],
        ] {
            assert_eq!(post(foreign), Some(StatusCode::FORBIDDEN), "{foreign:?}");
        }
        let read = [("host", "localhost"), ("sec-fetch-site", "cross-site")];
        assert_eq!(status(Method::GET, &read), None, "what changes nothing may be linked to");
    }
}
