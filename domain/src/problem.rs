//! Problems as clients are told of them, in answers and in failed jobs. Which kinds there are is the
//! business of those who meet them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::JobId;

/// An error as RFC 9457 `application/problem+json` has it: safe to show to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable URI path, such as `/problems/validation`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem it is, in a few words.
    pub title: String,
    /// The HTTP status, where the problem is an answer; 0 never occurs.
    pub status: u16,
    /// What went wrong here and what to do about it.
    pub detail: String,
    /// The request or the job that it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The offending parts of the body, for a 422.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

impl Problem {
    /// A problem of the type `/problems/{kind}`. The type, its title and its status are stable; `detail` says
    /// what went wrong here and what to do about it.
    pub fn new(kind: &str, title: &str, status: u16, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{kind}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            instance: None,
            errors: Vec::new(),
        }
    }

    /// The same, as what a job ended with.
    pub fn of_job(self, job: JobId) -> Self {
        Self { instance: Some(format!("/api/jobs/{job}")), ..self }
    }
}

/// One offending part of a request's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// A JSON pointer into the body, such as `/topic`.
    pub pointer: String,
    /// What is wrong with it and what it takes.
    pub detail: String,
}
