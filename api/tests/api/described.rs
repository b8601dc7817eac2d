//! Whether an answer is as the reference describes it: its status, its media type, its headers and
//! its body. Stricter than a client should be: a field that the reference does not name is wrong.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use copydesk_api::router::reference;
use jsonschema::Validator;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Map, Value, json};

/// Headers of answers that are described wherever they are sent.
const HEADERS: [&str; 6] = ["etag", "idempotency-replayed", "location", "retry-after", "set-cookie", "x-request-id"];
/// Pages that are no operations.
const PAGES: [&str; 3] = ["/", "/docs", "/openapi.json"];

/// The reference, as it is served.
pub(crate) static REFERENCE: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(reference()).unwrap());

/// Its schemas, each object closed.
static STRICT: LazyLock<Value> = LazyLock::new(|| closed(&REFERENCE["components"]));

/// Schemas that were compiled, by their text.
static COMPILED: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// What the reference says of the body of an answer.
#[derive(Debug)]
pub(crate) struct Described {
    /// The operation and the status.
    what: String,
    body: Body,
}

#[derive(Debug)]
enum Body {
    None,
    Text,
    Json(Value),
    /// The schema of each line.
    Lines(Value),
    /// The schemas of the events' data, by name.
    Events(Value),
}

impl Described {
    /// What it says of an answer with this head, or what is wrong with the head.
    pub(crate) fn of(method: &Method, path: &str, status: u16, headers: &HeaderMap) -> Result<Self, String> {
        let what = format!("{method} {path} {status}");
        let Some(operation) = operation(method, path) else {
            return beside(method, path, status, headers).map(|body| Self { what, body });
        };
        let response = &operation["responses"][status.to_string()];
        if response.is_null() {
            return Err(format!("{what}: the status is not described"));
        }
        for name in HEADERS.into_iter().filter(|name| headers.contains_key(*name)) {
            let described = response["headers"].as_object().into_iter().flatten();
            let Some((_, header)) = described.into_iter().find(|(described, _)| described.eq_ignore_ascii_case(name))
            else {
                return Err(format!("{what}: the header {name} is not described"));
            };
            let text = headers[name].to_str().unwrap();
            let number = text.parse::<u64>().ok().filter(|_| header["schema"]["type"] == "integer");
            held(&header["schema"], &number.map_or_else(|| text.into(), Value::from))
                .map_err(|wrong| format!("{what}: the header {name}: {wrong}"))?;
        }
        if !headers.contains_key("x-request-id") {
            return Err(format!("{what}: there is no x-request-id"));
        }
        let body = if *method == Method::HEAD { Body::None } else { body(response, kind(headers), &what)? };
        Ok(Self { what, body })
    }

    /// What is wrong with this body.
    pub(crate) fn body(&self, text: &str) -> Result<(), String> {
        let what = &self.what;
        let wrong = match &self.body {
            Body::None if text.is_empty() => return Ok(()),
            Body::None => Err("there is a body".to_owned()),
            Body::Text => Ok(()),
            Body::Json(schema) => match serde_json::from_str(text) {
                Ok(body) => held(schema, &body),
                Err(error) => Err(error.to_string()),
            },
            Body::Lines(schema) => text.lines().try_for_each(|line| match serde_json::from_str(line) {
                Ok(line) => held(schema, &line),
                Err(error) => Err(error.to_string()),
            }),
            Body::Events(_) => {
                let mut events = text.split("\n\n").filter_map(parts_of_event);
                events.try_for_each(|(name, data)| self.event(name, &data))
            }
        };
        wrong.map_err(|wrong| format!("{what}: {wrong}"))
    }

    /// What is wrong with this event of a stream.
    pub(crate) fn event(&self, name: &str, data: &Value) -> Result<(), String> {
        let Body::Events(schema) = &self.body else { return Err(format!("{}: there are no events", self.what)) };
        held(schema, &json!({ name: data })).map_err(|wrong| format!("{}: the event {name}: {wrong}", self.what))
    }
}

/// The name and the data of an event; `None` for a comment.
fn parts_of_event(block: &str) -> Option<(&str, Value)> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    Some((field("event: ")?, serde_json::from_str(field("data: ")?).ok()?))
}

/// The operation that answers a request.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let paths = REFERENCE["paths"].as_object().unwrap();
    // Of two templates, the one with fewer parameters is meant.
    let fitting = paths.iter().filter(|(template, _)| fits(template, path));
    let (_, item) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
    let method = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_ascii_lowercase() };
    item.get(method)
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let fits = |(template, part): (&&str, &&str)| template == part || (template.starts_with('{') && !part.is_empty());
    template.len() == path.len() && template.iter().zip(&path).all(fits)
}

/// The answer of what is no operation: a page, a preflight request of a browser, or a problem.
fn beside(method: &Method, path: &str, status: u16, headers: &HeaderMap) -> Result<Body, String> {
    let is_page = PAGES.contains(&path) || path.starts_with("/docs/") || path.starts_with("/console/");
    match status {
        200..400 if is_page || *method == Method::OPTIONS => Ok(Body::Text),
        400.. if *method == Method::HEAD => Ok(Body::None),
        400.. if kind(headers) == Some("application/problem+json") => {
            Ok(Body::Json(json!({ "$ref": "#/components/schemas/Problem" })))
        }
        _ => Err(format!("{method} {path} {status}: neither an operation nor a problem: {headers:?}")),
    }
}

/// The media type, without its parameters.
fn kind(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap().split(';').next().unwrap())
}

fn body(response: &Value, kind: Option<&str>, what: &str) -> Result<Body, String> {
    let content = response["content"].as_object();
    match (content, kind) {
        (None, None) => Ok(Body::None),
        (Some(content), Some(kind)) if content.contains_key(kind) => {
            let schema = content[kind]["schema"].clone();
            Ok(match kind {
                "text/event-stream" => Body::Events(schema),
                "application/jsonl" => Body::Lines(schema),
                kind if kind.ends_with("json") => Body::Json(schema),
                _ => Body::Text,
            })
        }
        (content, kind) => Err(format!("{what}: {kind:?}, and described is {:?}", content.map(|kinds| kinds.keys()))),
    }
}

/// What is wrong with a value by a schema of the reference.
pub(crate) fn held(schema: &Value, value: &Value) -> Result<(), String> {
    let wrong: Vec<_> = compiled(schema)
        .iter_errors(value)
        .map(|error| format!("{}: {error} (by {})", error.instance_path(), error.schema_path()))
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn compiled(schema: &Value) -> Arc<Validator> {
    let mut compiled = COMPILED.lock().unwrap();
    let compile = || {
        let Value::Object(mut root) = closed(schema) else { panic!("{schema} is no schema") };
        root.insert("components".to_owned(), STRICT.clone());
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        Arc::new(options.build(&Value::Object(root)).unwrap())
    };
    Arc::clone(compiled.entry(schema.to_string()).or_insert_with(compile))
}

/// The same with no room for what the schemas of objects do not name.
fn closed(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut all: Map<_, _> = members.iter().map(|(name, member)| (name.clone(), closed(member))).collect();
            let is_object = members.get("type").is_some_and(|kind| kind == "object");
            if is_object && members.contains_key("properties") {
                all.entry("additionalProperties").or_insert(false.into());
            }
            Value::Object(all)
        }
        Value::Array(items) => items.iter().map(closed).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    const JOB: &str = "/api/jobs/01938c5e-7a00-7000-8000-000000000001";

    fn head(kind: &'static str) -> HeaderMap {
        let kind = HeaderValue::from_static(kind);
        [("content-type", kind), ("x-request-id", HeaderValue::from_static("7"))]
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), value))
            .collect()
    }

    fn job(change: impl FnOnce(&mut Value)) -> Result<(), String> {
        let mut job = REFERENCE["components"]["schemas"]["Job"]["example"].clone();
        change(&mut job);
        Described::of(&Method::GET, JOB, 200, &head("application/json")).unwrap().body(&job.to_string())
    }

    #[test]
    fn a_head_that_is_not_described_is_wrong() {
        let wrong =
            |path: &str, status, headers: &HeaderMap| Described::of(&Method::GET, path, status, headers).unwrap_err();
        assert!(Described::of(&Method::GET, JOB, 200, &head("application/json")).is_ok());
        assert!(wrong(JOB, 201, &head("application/json")).contains("status"));
        assert!(wrong(JOB, 200, &head("text/html")).contains("text/html"));
        assert!(wrong(JOB, 304, &head("application/json")).contains("described is None"));
        assert!(wrong(JOB, 200, &HeaderMap::new()).contains("x-request-id"));
        let mut headers = head("application/json");
        headers.insert("location", HeaderValue::from_static("/"));
        assert!(wrong(JOB, 200, &headers).contains("location"));
        assert!(wrong("/nowhere", 200, &head("application/json")).contains("neither"));
    }

    #[test]
    fn a_body_that_is_not_described_is_wrong() {
        job(|_| ()).unwrap();
        for (field, value) in
            [("status", json!("done")), ("id", json!("7")), ("attempt", json!(-1)), ("created_at", json!("today"))]
        {
            assert!(job(|job| job[field] = value).unwrap_err().contains(&format!("/{field}")), "{field}");
        }
        assert!(job(|job| job["colour"] = "red".into()).unwrap_err().contains("colour"));
        assert!(job(|job| job["usage"]["colour"] = "red".into()).unwrap_err().contains("colour"));
        assert!(job(|job| drop(job.as_object_mut().unwrap().remove("links"))).unwrap_err().contains("links"));
    }

    #[test]
    fn an_event_that_is_not_described_is_wrong() {
        let stream = Described::of(&Method::GET, &format!("{JOB}/events"), 200, &head("text/event-stream")).unwrap();
        let progress = json!({ "stage": "draft", "completed": 1, "total": 2 });
        stream.event("progress", &progress).unwrap();
        stream.body(&format!("event: progress\ndata: {progress}\n\n: a comment\n\n")).unwrap();
        assert!(stream.event("token", &progress).unwrap_err().contains("round"));
        assert!(stream.event("joke", &progress).unwrap_err().contains("joke"));
        assert!(stream.body("event: token\ndata: {}\n\n").unwrap_err().contains("round"));
    }
}
