//! `GET /problems` and `/problems/{slug}`: pages that explain the types of errors. They are the
//! sections of `docs/problems.md`, which is compiled in.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::extract::Slug;
use crate::refusal::UnknownType;

/// All types, one section each: `## <slug>`.
const TYPES: &str = include_str!("../../../docs/problems.md");
/// The style of a page.
const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:45rem;margin:2rem auto;padding:0 1rem}\
    code{background:#8882;padding:.1em .3em}table{border-collapse:collapse}td,th{border:1px solid #8888;\
    padding:.3em .6em;text-align:left;vertical-align:top}:root{color-scheme:light dark}";

/// The types of problems.
///
/// For people: a table of all types with links to their pages.
#[utoipa::path(
    get,
    path = "/problems",
    operation_id = "list_problems",
    tag = "Problems",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub async fn list() -> Response {
    page(PAGES.index.clone())
}

/// A type of problem: its cause, and what to do about it.
///
/// For people. Its path is the `type` of a problem.
#[utoipa::path(
    get,
    path = "/problems/{slug}",
    operation_id = "get_problem",
    tag = "Problems",
    params(("slug" = String, Path, description = "The type, such as `validation`.")),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        UnknownType,
    )
)]
pub async fn get(Slug(slug): Slug) -> Result<Response, ApiError> {
    PAGES.types.get(slug.as_str()).cloned().map(page).ok_or(ApiError::NotFound("type of problem"))
}

/// The hash of the pages' style, as a policy names it.
pub fn style_hash() -> String {
    format!("sha256-{}", BASE64.encode(Sha256::digest(STYLE)))
}

fn page(html: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

/// Every type with a page.
pub fn types() -> impl Iterator<Item = &'static str> {
    PAGES.types.keys().copied()
}

/// All pages, rendered once.
struct Pages {
    index: Bytes,
    types: HashMap<&'static str, Bytes>,
}

static PAGES: LazyLock<Pages> = LazyLock::new(|| {
    let mut sections = TYPES.split("\n## ");
    let index = sections.next().unwrap_or_default();
    let sections: Vec<_> = sections.filter_map(|section| section.split_once('\n')).collect();
    let is_type = |name: &str| sections.iter().any(|(slug, _)| *slug == name);
    let types = sections.iter().map(|(slug, text)| (*slug, rendered(slug, &format!("# {slug}\n{text}"), |_| false)));
    Pages { index: rendered("Problem types", index, is_type), types: types.collect() }
});

/// Renders a page. Types in code spans become links to their pages.
fn rendered(title: &str, markdown: &str, is_type: impl Fn(&str) -> bool) -> Bytes {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).flat_map(|event| match event {
        Event::Code(name) if is_type(&name) => linked(name),
        event => vec![event],
    });
    let mut body = String::new();
    html::push_html(&mut body, events);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title} – Copydesk</title>\n\
         <style>{STYLE}</style>\n{body}</html>\n"
    );
    page.into()
}

fn linked(name: CowStr<'_>) -> Vec<Event<'_>> {
    let link = Tag::Link {
        link_type: LinkType::Inline,
        dest_url: format!("/problems/{name}").into(),
        title: CowStr::Borrowed(""),
        id: CowStr::Borrowed(""),
    };
    vec![Event::Start(link), Event::Code(name), Event::End(TagEnd::Link)]
}
