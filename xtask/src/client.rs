//! A client of Copydesk's HTTP API for `up`: a few calls, each with a time limit.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The time-out of a call. No call asks for a longer wait.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client of one API.
#[derive(Debug)]
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
    /// The secret of an API key, for what needs one.
    key: Option<String>,
}

/// The used parts of a job.
#[derive(Debug, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) progress: Option<Progress>,
    pub(crate) waiting: Option<Waiting>,
    pub(crate) usage: Option<Usage>,
    pub(crate) result: Option<Value>,
    pub(crate) error: Option<Problem>,
}

impl Job {
    /// The id of the text that it wrote.
    pub(crate) fn text_id(&self) -> Option<&str> {
        self.result.as_ref()?.get("generation_id")?.as_str()
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "succeeded" | "failed" | "cancelled")
    }

    pub(crate) fn has_succeeded(&self) -> bool {
        self.status == "succeeded"
    }

    /// Why it did not succeed.
    pub(crate) fn failure(&self) -> String {
        self.error.as_ref().map_or_else(|| self.status.clone(), Problem::to_string)
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Progress {
    pub(crate) stage: String,
    pub(crate) completed: u32,
    pub(crate) total: u32,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) reason: String,
    pub(crate) provider: Option<String>,
    pub(crate) until: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: u64,
    pub(crate) completion_tokens: u64,
    pub(crate) calls: std::collections::BTreeMap<String, u64>,
}

/// An error of the API: RFC 9457.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    title: String,
    detail: Option<String>,
    errors: Vec<FieldProblem>,
}

#[derive(Debug, Deserialize)]
struct FieldProblem {
    pointer: String,
    detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.detail.as_deref().unwrap_or(&self.title))?;
        self.errors.iter().try_for_each(|error| write!(f, "; {} {}", error.pointer, error.detail))
    }
}

impl Client {
    /// A client of the server at `base`, such as `http://127.0.0.1:8080`. Proxies are ignored.
    pub(crate) fn new(base: String) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).proxy(None);
        let agent = config.http_status_as_error(false).build().into();
        Self { agent, base, key: None }
    }

    /// A client that sends an API key.
    pub(crate) fn with_key(base: String, key: String) -> Self {
        Self { key: Some(key), ..Self::new(base) }
    }

    fn keyed<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    /// Whether a GET of the path succeeds.
    pub(crate) fn is_ok(&self, path: &str) -> bool {
        self.agent.get(self.url(path)).call().is_ok_and(|answer| answer.status().is_success())
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let call = self.keyed(self.agent.put(self.url(path))).send_json(body);
        parsed(call).with_context(|| format!("PUT {path}"))
    }

    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> anyhow::Result<T> {
        let call = self.keyed(self.agent.post(self.url(path))).send_json(body);
        parsed(call).with_context(|| format!("POST {path}"))
    }

    /// Sends a form with some fields and one file.
    pub(crate) fn post_file<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        file: (&str, &[u8]),
    ) -> anyhow::Result<T> {
        let call = self
            .keyed(self.agent.post(self.url(path)))
            .content_type(format!("multipart/form-data; boundary={BOUNDARY}"));
        parsed(call.send(&form(fields, file))).with_context(|| format!("POST {path} with {}", file.0))
    }

    /// Reads the job; waits up to `wait_seconds` for its end.
    pub(crate) fn job(&self, id: &str, wait_seconds: u32) -> anyhow::Result<Job> {
        let path = format!("/api/jobs/{id}?wait={wait_seconds}");
        parsed(self.keyed(self.agent.get(self.url(&path))).call()).with_context(|| format!("GET {path}"))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// The boundary of a form's fields: a document is unlikely to contain it.
const BOUNDARY: &str = "copydesk-b7f1d0c2a6e94f58";

/// A form's bytes (RFC 7578).
fn form(fields: &[(&str, &str)], (name, bytes): (&str, &[u8])) -> Vec<u8> {
    let quoted = |name: &str| name.replace(['"', '\r', '\n'], "_");
    let mut body = String::new();
    for (field, value) in fields {
        body += &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
    }
    let name = quoted(name);
    body += &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    [body.as_bytes(), bytes, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat()
}

type Answer = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

fn parsed<T: DeserializeOwned>(answer: Answer) -> anyhow::Result<T> {
    let mut answer = answer?;
    let text = answer.body_mut().read_to_string()?;
    if !answer.status().is_success() {
        let problem: Option<Problem> = serde_json::from_str(&text).ok();
        bail!("{}: {}", answer.status(), problem.map_or(text, |problem| problem.to_string()));
    }
    serde_json::from_str(&text).with_context(|| format!("an unexpected answer: {text}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_refusal_names_the_fields() {
        let text = r#"{"type":"/problems/validation","title":"Invalid","status":422,"detail":"The request is not valid",
            "errors":[{"pointer":"/topic","detail":"must not be empty"}]}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        assert_eq!(problem.to_string(), "The request is not valid; /topic must not be empty");
    }

    #[test]
    fn a_failed_job_says_why() {
        let text = r#"{"id":"1","status":"failed","error":{"title":"Deadline exceeded"}}"#;
        let job: Job = serde_json::from_str(text).unwrap();
        assert!(job.has_ended() && !job.has_succeeded());
        assert_eq!(job.failure(), "Deadline exceeded");
    }
}
