//! Refusals in the words of the servers that were seen to send them. When one is sent is the fault rules'
//! business.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A refusal as some server words it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// 200, with a rate limit's error in place of the answer, and 30 seconds in its text.
    LimitInAnswer,
    /// 200, with the server's own failure as a mere string.
    FailureInAnswer,
    /// 402: the account is empty.
    AccountEmpty,
    /// 429 with `insufficient_quota`, as OpenAI says that an account is used up.
    QuotaUsedUp,
    /// 403, the account has no billing.
    NoBilling,
    /// 404 `model "…" not found`, as Ollama words it.
    OllamaUnknownModel,
    /// 404 with an error that is no object of its own, as vLLM words it.
    VllmUnknownModel,
    /// 400 `… is not a valid model ID`, as OpenRouter words it.
    OpenrouterUnknownModel,
    /// 400 `Invalid model: …`, as Mistral words it.
    MistralUnknownModel,
    /// 404 with `model_not_found`, as OpenAI and Groq word it.
    OpenaiUnknownModel,
    /// 400 with no model loaded, as LM Studio words it.
    LmStudioNoModel,
    /// 404 in a list, as Gemini words it.
    GeminiUnknownModel,
    /// 429 with `retry-after: 0`.
    RetryAtOnce,
    /// 429 with a `retry-after` that has passed.
    RetryInThePast,
    /// 429 that says when it ends in a text of its own.
    RetryInText,
}

/// How a server says that a prompt is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TooLong {
    /// 413: more than a minute's tokens, as Groq words it. The answer's longest length counts.
    TokensPerMinute,
    /// 400 `exceed_context_size_error`, as llama.cpp words it. The prompt counts.
    LlamaCpp,
    /// 400, as vLLM words it. The answer's longest length counts.
    Vllm,
    /// 400 with `context_length_exceeded` and no figure. The answer's longest length counts.
    NoFigure,
}

/// A status, a body, and headers.
pub(crate) type Sent = (StatusCode, Value, Vec<(&'static str, String)>);

impl Refused {
    pub(crate) fn sent(self, model: &str) -> Sent {
        let error = |message: String, kind: &str, code: Value| json!({ "error": { "message": message, "type": kind, "param": null, "code": code } });
        let limit = || error("Rate limit reached.".into(), "requests", "rate_limit_exceeded".into());
        let (status, body, retry_after) = match self {
            Self::LimitInAnswer => {
                (200, json!({ "error": { "message": "rate limited, retry in 30s", "code": 429 } }), None)
            }
            Self::FailureInAnswer => (200, json!({ "error": "upstream connect error" }), None),
            Self::AccountEmpty => (402, json!({ "error": { "message": "Insufficient credits", "code": 402 } }), None),
            Self::QuotaUsedUp => {
                let message = "You exceeded your current quota, please check your plan and billing details.";
                (429, error(message.into(), "insufficient_quota", "insufficient_quota".into()), None)
            }
            Self::NoBilling => {
                (403, json!({ "message": "Your account is not active, please check your billing details." }), None)
            }
            Self::OllamaUnknownModel => (
                404,
                error(format!("model \"{model}\" not found, try pulling it first"), "api_error", Value::Null),
                None,
            ),
            Self::VllmUnknownModel => {
                let message = format!("The model `{model}` does not exist.");
                let body = json!({ "object": "error", "message": message, "type": "NotFoundError", "param": null, "code": 404 });
                (404, body, None)
            }
            Self::OpenrouterUnknownModel => {
                (400, json!({ "error": { "message": format!("{model} is not a valid model ID"), "code": 400 } }), None)
            }
            Self::MistralUnknownModel => {
                let body = json!({ "object": "error", "message": format!("Invalid model: {model}"),
                    "type": "invalid_model", "param": null, "code": "1500" });
                (400, body, None)
            }
            Self::OpenaiUnknownModel => {
                let message = format!("The model `{model}` does not exist or you do not have access to it.");
                (404, error(message, "invalid_request_error", "model_not_found".into()), None)
            }
            Self::LmStudioNoModel => {
                let message =
                    "No models loaded. Please load a model in the developer page or use the `lms load` command.";
                (400, json!({ "error": message }), None)
            }
            Self::GeminiUnknownModel => {
                let message = format!("models/{model} is not found for API version v1main.");
                (404, json!([{ "error": { "code": 404, "message": message, "status": "NOT_FOUND" } }]), None)
            }
            Self::RetryAtOnce => (429, limit(), Some("0")),
            Self::RetryInThePast => (429, limit(), Some("Thu, 01 Jan 1970 00:00:00 GMT")),
            Self::RetryInText => (429, json!({ "detail": "Too many requests. Please wait 20 seconds." }), None),
        };
        let headers = retry_after.map(|value| ("retry-after", value.to_owned())).into_iter().collect();
        (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), body, headers)
    }
}

impl TooLong {
    /// The refusal of a request whose prompt has so many tokens, and its longest answer so many; `None` where it
    /// fits.
    pub(crate) fn sent(self, most: u32, prompt: u32, completion: u32) -> Option<Sent> {
        let all = prompt.saturating_add(completion);
        let counts = if self == Self::LlamaCpp { prompt } else { all };
        if counts <= most {
            return None;
        }
        let (status, body) = match self {
            Self::TokensPerMinute => {
                let message = format!(
                    "Request too large for model in organization on tokens per minute (TPM): Limit {most}, Requested {all}, please reduce your message size and try again."
                );
                (413, json!({ "error": { "message": message, "type": "tokens", "code": "rate_limit_exceeded" } }))
            }
            Self::LlamaCpp => {
                let message = "the request exceeds the available context size, try increasing it";
                (
                    400,
                    json!({ "error": { "code": 400, "message": message, "type": "exceed_context_size_error",
                    "n_prompt_tokens": prompt, "n_ctx": most } }),
                )
            }
            Self::Vllm => {
                let message = format!(
                    "This model's maximum context length is {most} tokens. However, you requested {all} tokens ({prompt} in the messages, {completion} in the completion). Please reduce the length of the messages or completion."
                );
                (
                    400,
                    json!({ "object": "error", "message": message, "type": "BadRequestError", "param": null, "code": 400 }),
                )
            }
            Self::NoFigure => {
                let message = "Please reduce the length of the messages or completion.";
                (
                    400,
                    json!({ "error": { "message": message, "type": "invalid_request_error",
                    "code": "context_length_exceeded" } }),
                )
            }
        };
        Some((StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), body, Vec::new()))
    }
}
