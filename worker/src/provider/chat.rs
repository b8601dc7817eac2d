//! A client of OpenAI's chat completions, as Groq and many others speak it: in one piece, or streamed
//! ([`stream`]) where somebody wants to see the text grow.

use std::time::Duration;

use copydesk_common::quota::ToldLimits;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{RequestBuilder, Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::call::{self, CallError, MAX_BODY_BYTES};
use super::{ClientError, allowance};
use crate::tokens;

mod stream;

/// Takes the pieces of a text as they are written. It is called between two reads of the connection,
/// so it must not block. What it was told of an answer that broke off is not taken back: another call
/// begins anew.
pub type Sink<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// What a model is asked.
#[derive(Clone)]
pub struct ChatRequest {
    /// How it should behave.
    pub system: String,
    /// What it should do, with the data for it.
    pub user: String,
    /// The tokens of both, about, and of the answer's form.
    pub prompt_tokens: u32,
    /// The longest answer, in tokens.
    pub max_completion_tokens: u32,
    /// How freely it words, 0 to 2.
    pub temperature: f32,
    /// The answer's form.
    pub form: Form,
}

/// The form of an answer.
#[derive(Debug, Clone)]
pub enum Form {
    /// Plain text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON of a schema.
    JsonSchema {
        /// The schema's name.
        name: &'static str,
        /// The JSON schema.
        schema: Value,
    },
}

impl Form {
    /// The next form that says less of the answer; text is the simplest.
    #[must_use]
    pub fn simpler(&self) -> Self {
        match self {
            Self::JsonSchema { .. } => Self::JsonObject,
            Self::JsonObject | Self::Text => Self::Text,
        }
    }

    /// For errors.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::JsonSchema { .. } => "JSON of a schema",
            Self::JsonObject => "a JSON object",
            Self::Text => "text",
        }
    }
}

impl std::fmt::Debug for ChatRequest {
    /// Without the texts: they belong in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatRequest").field("user_bytes", &self.user.len()).finish_non_exhaustive()
    }
}

/// What a model answered.
#[derive(Clone)]
pub struct Answer {
    /// The text; empty where it said nothing.
    pub text: String,
    /// Whether it stopped because there was no room left.
    pub is_cut: bool,
    /// Whether the provider's filter stopped it, or the model refused in so many words.
    pub is_refused: bool,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens of those that the provider had in its cache.
    pub cached_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// How long the provider takes no further calls, where that is what it said.
    pub closed_for: Option<Duration>,
    /// What it said of its own limits.
    pub(super) told: ToldLimits,
}

impl Answer {
    /// Tokens that count in a provider's limits: those in its cache do not.
    pub(super) fn counted_tokens(&self) -> u64 {
        self.prompt_tokens.saturating_sub(self.cached_tokens) + self.completion_tokens
    }
}

impl std::fmt::Debug for Answer {
    /// Without the text: it belongs in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("text_bytes", &self.text.len())
            .field("is_cut", &self.is_cut)
            .finish_non_exhaustive()
    }
}

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ChatClient {
    http: reqwest::Client,
    url: String,
    headers: HeaderMap,
}

impl ChatClient {
    pub(super) fn new(http: reqwest::Client, base_url: &Url, key: Option<&SecretString>) -> Result<Self, ClientError> {
        let url = format!("{}/chat/completions", base_url.as_str().trim_end_matches('/'));
        Ok(Self { http, url, headers: call::bearer(key, "GROQ_API_KEY")? })
    }

    pub(super) async fn complete(
        &self,
        model: &str,
        request: &ChatRequest,
        timeout: Duration,
        sink: Option<Sink<'_>>,
    ) -> Result<Answer, CallError> {
        let body = WireRequest::of(model, request, sink.is_some());
        let sent = self.http.post(&self.url).headers(self.headers.clone()).json(&body);
        answer(sent, timeout, sink, request.prompt_tokens).await.or_else(failed_generation)
    }
}

/// What comes back, told to `sink` as it comes.
async fn answer(
    sent: RequestBuilder,
    timeout: Duration,
    sink: Option<Sink<'_>>,
    prompt_tokens: u32,
) -> Result<Answer, CallError> {
    let response = call::open(sent, timeout).await?;
    let closed_for = call::closed_for(response.headers());
    let told = allowance::told(response.headers());
    let said = match sink {
        Some(sink) if !is_json(&response) => stream::read(response, sink).await?,
        sink => {
            let said: Said = call::json::<WireAnswer>(response, MAX_BODY_BYTES).await?.try_into()?;
            sink.inspect(|sink| sink(&said.text));
            said
        }
    };
    Ok(Answer { closed_for, told, ..said.into_answer(prompt_tokens) })
}

/// Not every server that is asked for a stream knows how to.
fn is_json(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("application/json"))
}

/// Groq answers 400 where the model's text does not fit the schema, and hands the text over: it is
/// an answer, if a bad one. Azure and others answer 400 where their filter stopped it.
fn failed_generation(error: CallError) -> Result<Answer, CallError> {
    let CallError::Status { status: 400, body, .. } = &error else { return Err(error) };
    if body.code() == Some("content_filter") {
        return Ok(Answer { is_refused: true, ..nothing_said() });
    }
    let Some(text) = body.0.pointer("/error/failed_generation").and_then(|text| text.as_str()) else {
        return Err(error);
    };
    Ok(Answer { text: text.to_owned(), ..nothing_said() })
}

/// An answer without a word, and without a bill.
const fn nothing_said() -> Answer {
    Answer {
        text: String::new(),
        is_cut: false,
        is_refused: false,
        prompt_tokens: 0,
        cached_tokens: 0,
        completion_tokens: 0,
        closed_for: None,
        told: ToldLimits { calls_per_day: None, tokens_per_minute: None },
    }
}

#[derive(Serialize)]
struct WireRequest<'a> {
    model: &'a str,
    messages: [WireMessage<'a>; 2],
    max_completion_tokens: u32,
    temperature: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    content: &'a str,
}

impl<'a> WireRequest<'a> {
    fn of(model: &'a str, request: &'a ChatRequest, is_streamed: bool) -> Self {
        let system = WireMessage { role: "system", content: &request.system };
        let user = WireMessage { role: "user", content: &request.user };
        let response_format = match &request.form {
            Form::Text => None,
            Form::JsonObject => Some(serde_json::json!({ "type": "json_object" })),
            Form::JsonSchema { name, schema } => Some(serde_json::json!({
                "type": "json_schema",
                "json_schema": { "name": name, "schema": schema, "strict": true },
            })),
        };
        Self {
            model,
            messages: [system, user],
            max_completion_tokens: request.max_completion_tokens,
            temperature: request.temperature,
            response_format,
            stream: is_streamed.then_some(true),
            stream_options: is_streamed.then_some(StreamOptions { include_usage: true }),
        }
    }
}

#[derive(Deserialize)]
struct WireAnswer {
    choices: Vec<WireChoice>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct WireChoice {
    message: WireContent,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct WireContent {
    #[serde(default)]
    content: Option<String>,
    /// OpenAI's place for a refusal where JSON was asked for.
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct WireUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    /// Servers differ in what they put here: whatever is no whole number of cached tokens says nothing.
    #[serde(default)]
    prompt_tokens_details: Value,
}

impl WireUsage {
    /// Tokens that were in the provider's cache, where it says so.
    fn cached_tokens(&self) -> u64 {
        let cached = self.prompt_tokens_details.get("cached_tokens").and_then(Value::as_u64);
        cached.unwrap_or(0).min(self.prompt_tokens)
    }
}

impl TryFrom<WireAnswer> for Said {
    type Error = CallError;

    fn try_from(answer: WireAnswer) -> Result<Self, CallError> {
        let choice = answer.choices.into_iter().next().ok_or(CallError::NoChoice)?;
        Ok(Self {
            is_refused: choice.message.is_refused(),
            text: choice.message.content.unwrap_or_default(),
            finish_reason: choice.finish_reason,
            usage: answer.usage,
        })
    }
}

impl WireContent {
    fn is_refused(&self) -> bool {
        self.refusal.as_ref().is_some_and(|refusal| !refusal.is_empty())
    }
}

/// What a message came to, in one piece or in many.
#[derive(Default)]
struct Said {
    text: String,
    is_refused: bool,
    finish_reason: Option<String>,
    usage: Option<WireUsage>,
}

impl Said {
    /// Not every server says what an answer took: then it is counted.
    fn into_answer(self, prompt_tokens: u32) -> Answer {
        let usage = self.usage.unwrap_or_else(|| WireUsage {
            prompt_tokens: prompt_tokens.into(),
            completion_tokens: u64::try_from(tokens::count(&self.text)).unwrap_or(u64::MAX),
            prompt_tokens_details: Value::Null,
        });
        Answer {
            is_cut: self.finish_reason.as_deref() == Some("length"),
            is_refused: self.is_refused || self.finish_reason.as_deref() == Some("content_filter"),
            text: self.text,
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: usage.cached_tokens(),
            completion_tokens: usage.completion_tokens,
            closed_for: None,
            told: ToldLimits::default(),
        }
    }
}
