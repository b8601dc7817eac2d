//! `GET /` and `/console/{path}`: the page that people use Copydesk by, and its files. Open to anybody: they hold
//! nobody's data, and the page logs in. What they are is decided by `copydesk-console`.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use copydesk_console::{Asset, PAGE, asset};

use crate::entity_tag;
use crate::error::ApiError;
use crate::extract::Rest;

/// A browser may keep it, and asks with its `ETag` before each use: names carry no version.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The page.
pub async fn page(headers: HeaderMap) -> Result<Response, ApiError> {
    let page = asset(PAGE).ok_or(ApiError::UnknownRoute)?;
    Ok(respond(&headers, &page))
}

/// One of its files. The page itself is at `/` only: its addresses are relative to that.
pub async fn file(Rest(path): Rest, headers: HeaderMap) -> Result<Response, ApiError> {
    if path == PAGE {
        return Ok(Redirect::temporary("../").into_response());
    }
    let file = asset(&path).ok_or(ApiError::UnknownRoute)?;
    Ok(respond(&headers, &file))
}

/// The file, or 304 if the client already has it, packed if the client can unpack it.
fn respond(request: &HeaderMap, asset: &Asset) -> Response {
    let packed = asset.gzip.as_ref().filter(|_| takes_gzip(request));
    let body = packed.unwrap_or(&asset.plain);
    let mut response = if entity_tag::matches(request, &body.tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, asset.media_type)], Body::from(body.bytes.clone())).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, ASK_AGAIN);
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&body.tag) {
        headers.insert(header::ETAG, tag);
    }
    if packed.is_some() && response.status() == StatusCode::OK {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Whether `gzip` is in `Accept-Encoding`, and not with `q=0`.
fn takes_gzip(request: &HeaderMap) -> bool {
    let lists = request.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_where_it_is_named_and_not_refused() {
        let takes =
            |sent| takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(sent))]));
        for sent in ["gzip", "br, gzip;q=0.5", "GZIP", "deflate,gzip ; q=1"] {
            assert!(takes(sent), "{sent}");
        }
        for sent in ["", "br", "gzip;q=0", "gzip; q=0.0", "xgzip"] {
            assert!(!takes(sent), "{sent}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
