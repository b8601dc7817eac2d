//! Problems as clients see them, in responses and in failed jobs. Each kind is defined where it
//! occurs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::JobId;

/// An error in the form of RFC 9457 (`application/problem+json`). It is safe to show to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable URI path, such as `/problems/validation`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, in a few words.
    pub title: String,
    /// The HTTP status of the response, or the one that fits the kind. Never 0.
    pub status: u16,
    /// What went wrong in this case and what to do about it.
    pub detail: String,
    /// The request or the job that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The invalid parts of the body; only for a 422.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// How many further parts are invalid: an answer names some of very many only.
    #[serde(default, skip_serializing_if = "is_none")]
    #[schema(minimum = 1)]
    pub errors_omitted: usize,
}

fn is_none(omitted: &usize) -> bool {
    *omitted == 0
}

impl Problem {
    /// A problem of the type `/problems/{kind}`. The type, its title and its status are stable;
    /// `detail` says what went wrong in this case and what to do about it.
    pub fn new(kind: &str, title: &str, status: u16, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{kind}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            instance: None,
            errors: Vec::new(),
            errors_omitted: 0,
        }
    }

    /// The same problem as the error of a job.
    pub fn of_job(self, job: JobId) -> Self {
        Self { instance: Some(format!("/api/jobs/{job}")), ..self }
    }
}

/// One invalid part of a request's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// A JSON pointer into the body, such as `/topic`.
    pub pointer: String,
    /// What is wrong with it and which values are valid.
    pub detail: String,
}
