//! A client of OpenAI's chat completions, as Groq and many others speak it: in one piece, or streamed
//! ([`stream`]) where somebody wants to see the text grow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use copydesk_common::config::SecretUrl;
use copydesk_common::quota::ToldLimits;
use reqwest::RequestBuilder;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;

use super::call::{self, CallError, Endpoint, MAX_BODY_BYTES};
use super::refusal::reason::Reason;
use super::{ClientError, allowance};

mod said;
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
    /// How much a word counts against itself each time it was said, -2 to 2; 0 says nothing of it.
    pub frequency_penalty: f32,
    /// The answer's form.
    pub form: Form,
    /// What was seen of the answer so far.
    pub meter: Meter,
}

/// What was seen of an answer, in bytes, for whoever must account for one that never came whole. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Option<u64>>>);

impl Meter {
    /// Takes the tokens written so far, about; `None` where the call was not made, or nothing is owed for it.
    pub fn take(&self) -> Option<u64> {
        // About four bytes make a token. Counting them rightly would hold the stream up.
        self.lock().take().map(|bytes| bytes.div_ceil(4))
    }

    /// The call is made.
    fn begin(&self) {
        *self.lock() = Some(0);
    }

    fn add(&self, piece: &str) {
        let bytes = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        let mut written = self.lock();
        *written = Some(written.unwrap_or(0).saturating_add(bytes));
    }

    /// The call was refused, or what it took is known.
    fn clear(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

/// How a model wants its parameters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spelling {
    /// `max_tokens` in place of `max_completion_tokens`.
    pub(super) takes_max_tokens: bool,
    /// Whether it takes a temperature.
    pub(super) has_temperature: bool,
    /// Whether it takes a frequency penalty.
    pub(super) has_frequency_penalty: bool,
    /// Whether it takes options of a stream.
    pub(super) has_stream_options: bool,
}

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ChatClient(Endpoint);

impl ChatClient {
    pub(super) fn new(
        http: reqwest::Client,
        base_url: &SecretUrl,
        key: Option<&SecretString>,
    ) -> Result<Self, ClientError> {
        Endpoint::new(http, base_url, "chat/completions", key, "GROQ_API_KEY").map(Self)
    }

    pub(super) async fn complete(
        &self,
        model: &str,
        spelling: Spelling,
        request: &ChatRequest,
        timeout: Duration,
        sink: Option<Sink<'_>>,
    ) -> Result<Answer, CallError> {
        let body = WireRequest::of(model, spelling, request, sink.is_some());
        let sent = self.0.post(&body);
        let meter = &request.meter;
        meter.begin();
        let metered = sink.map(|sink| {
            move |piece: &str| {
                meter.add(piece);
                sink(piece);
            }
        });
        let sink = metered.as_ref().map(|metered| metered as Sink<'_>);
        let answer = answer(sent, timeout, sink, request.prompt_tokens).await.or_else(failed_generation);
        // Nobody knows what an answer took that broke off: then what was seen of it counts.
        if !answer.as_ref().is_err_and(CallError::is_cut_off) {
            meter.clear();
        }
        answer
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
        Some(sink) => stream::read(response, sink).await?,
        None => {
            let headers = response.headers().clone();
            stream::whole(&call::read(response, MAX_BODY_BYTES).await?, &headers, None)?
        }
    };
    Ok(Answer { closed_for, told, ..said.into_answer(prompt_tokens) })
}

/// Groq answers 400 where the model's text does not fit the schema, and hands the text over: it is
/// an answer, if a bad one. Azure and others answer 400 where their filter stopped it.
fn failed_generation(error: CallError) -> Result<Answer, CallError> {
    if error.reason() == Some(Reason::ContentFilter) {
        return Ok(Answer { is_refused: true, ..nothing_said() });
    }
    let CallError::Status { status: 400, body, .. } = &error else { return Err(error) };
    let Some(text) = body.field("failed_generation").and_then(Value::as_str) else { return Err(error) };
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
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f32>,
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
    fn of(model: &'a str, spelling: Spelling, request: &'a ChatRequest, is_streamed: bool) -> Self {
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
            max_completion_tokens: (!spelling.takes_max_tokens).then_some(request.max_completion_tokens),
            max_tokens: spelling.takes_max_tokens.then_some(request.max_completion_tokens),
            temperature: spelling.has_temperature.then_some(request.temperature),
            frequency_penalty: Some(request.frequency_penalty)
                .filter(|penalty| *penalty != 0.0 && spelling.has_frequency_penalty),
            response_format,
            stream: is_streamed.then_some(true),
            stream_options: (is_streamed && spelling.has_stream_options)
                .then_some(StreamOptions { include_usage: true }),
        }
    }
}
