//! `POST /openai/v1/chat/completions`, as Groq serves it: from the key's check to the answer's bytes.
//! Leaves the words to the writer and the reviewer, the wire format to `chat/reply`.

mod agent;
mod error;
mod reply;
mod request;
pub(crate) mod spoil;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use rand::RngExt;
use serde_json::{Value, json};

pub(crate) use self::error::GroqError;
use self::reply::Completion;
use self::request::{ChatRequest, Output};
use crate::calls::Outcome;
use crate::faults::{Call, Drawn, Endpoint, FaultKind, Finish};
use crate::ledger::{Entry, Tokens};
use crate::limits::{Allowance, Ticket};
use crate::prompt::{Prompt, Stage};
use crate::seed::Rng;
use crate::{Shared, distill, review, schema, seed, writer};

/// The models that are listed. Any other name works too, unless it is `no-such-model…`; one with `no-strict`,
/// `no-json` or `no-stream` in it refuses strict schemas, every `response_format`, or to stream.
const MODELS: [(&str, &str); 4] = [
    ("llama-3.3-70b-versatile", "Meta"),
    ("llama-3.1-8b-instant", "Meta"),
    ("openai/gpt-oss-120b", "OpenAI"),
    ("openai/gpt-oss-20b", "OpenAI"),
];
/// What prompt and answer may hold together, in tokens.
const CONTEXT_TOKENS: u32 = 131_072;

/// `GET /openai/v1/models`.
pub(crate) async fn models(headers: HeaderMap) -> Result<Json<Value>, GroqError> {
    bearer(&headers)?;
    let model = |(id, owner): &(&str, &str)| {
        json!({ "id": id, "object": "model", "created": 1_733_447_754, "owned_by": owner, "active": true,
            "context_window": CONTEXT_TOKENS, "public_apps": null, "max_completion_tokens": 32_768 })
    };
    Ok(Json(json!({ "object": "list", "data": MODELS.iter().map(model).collect::<Vec<_>>() })))
}

/// Any path that Groq does not serve.
pub(crate) async fn unknown_url(method: Method, uri: Uri) -> GroqError {
    GroqError::unknown_url(&method, uri.path())
}

/// `POST /openai/v1/chat/completions`.
pub(crate) async fn completions(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let (key, request) = match accept(&headers, body) {
        Ok(accepted) => accepted,
        Err(error) => {
            shared.calls.record(Endpoint::Chat, Outcome::Refused);
            return error.into_response();
        }
    };
    let mut admitted = match admit(&shared, &key, &request) {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let (system, user) = (request.system_text(), request.last_user_text());
    admitted.prompted = shared.prompts.record(&request.model, system, user, admitted.at_ms);
    let prompt = Prompt { plain: shared.config.plain, behaviour: shared.behaviour(), ..Prompt::read(system, user) };
    let call = Call {
        endpoint: Endpoint::Chat,
        stage: prompt.stage,
        model: Some(&request.model),
        prompt: request.last_user_text(),
        streaming: request.stream,
    };
    let drawn = shared.draw(&call);
    if matches!(drawn.kind, Some(FaultKind::Hang)) {
        return shared.hang().await;
    }
    answer(&shared, &Asked { key, request, prompt, admitted }, drawn).await
}

/// A call that is within the limits.
struct Asked {
    key: String,
    request: ChatRequest,
    prompt: Prompt,
    admitted: Admitted,
}

/// What was noted of a call when it was let in.
struct Admitted {
    at_ms: u64,
    ticket: Ticket,
    entry: Entry,
    /// Its place among the prompts that are kept, if they are.
    prompted: Option<u64>,
    /// The hashes of its prompt's blocks, and how many tokens of these were cached.
    blocks: Vec<u64>,
    cached_tokens: u32,
}

async fn answer(shared: &Shared, asked: &Asked, drawn: Drawn) -> Response {
    let Drawn { delay, kind } = drawn;
    let fault = kind.as_ref();
    let error = fault.and_then(|kind| asked.error(kind));
    // A stream's delay is spread over its events, so that it is seen to grow.
    let is_spread = asked.request.stream && error.is_none();
    if !is_spread {
        shared.pause(delay).await;
    }
    if let Some(error) = error {
        let tokens = Tokens { prompt: asked.request.prompt_tokens(), ..Tokens::default() };
        return reply::with_limits(error.into_response(), asked.settle(shared, tokens, true));
    }
    shared.prefixes.hold(&asked.admitted.blocks);
    let mut completion = complete(shared, asked, fault);
    completion.pace(shared.config.tokens_per_second);
    let allowance = asked.settle(shared, completion.tokens(), fault.is_some());
    if is_spread {
        completion.takes += delay;
    } else {
        shared.pause(completion.takes).await;
    }
    reply::with_limits(reply::send(&completion, &asked.request, fault), allowance)
}

impl Asked {
    /// The error that a fault answers with, if it is one of those.
    fn error(&self, fault: &FaultKind) -> Option<GroqError> {
        if let FaultKind::TooLong { tokens, words } = *fault {
            let (prompt, completion) = (self.request.prompt_tokens(), self.request.max_tokens.unwrap_or(0));
            return words.sent(tokens, prompt, completion).map(GroqError::sent);
        }
        GroqError::of_fault(fault, &self.request.model)
    }

    /// Accounts for what the call used. Whether a fault spoilt it is told to who reads the prompts.
    fn settle(&self, shared: &Shared, tokens: Tokens, is_spoilt: bool) -> Allowance {
        let (model, admitted) = (&self.request.model, &self.admitted);
        shared.ledger.settle(model, admitted.entry, tokens);
        shared.prompts.settle(admitted.prompted, tokens, is_spoilt);
        shared.chat_limits.settle(&self.key, model, admitted.ticket, tokens.counted())
    }
}

/// The key and the request, if Groq would take them.
fn accept(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<(String, ChatRequest), GroqError> {
    let key = bearer(headers)?;
    let request = request::parse(&body.map_err(|_| GroqError::too_large())?)?;
    if request.prompt_tokens().saturating_add(request.max_tokens.unwrap_or(0)) > CONTEXT_TOKENS {
        return Err(GroqError::context_length_exceeded());
    }
    Ok((key, request))
}

fn bearer(headers: &HeaderMap) -> Result<String, GroqError> {
    crate::bearer(headers).ok_or_else(GroqError::invalid_api_key)
}

/// Reserves what the call may use at most: what of its prompt is not cached, and as many tokens as it asks for.
fn admit(shared: &Shared, key: &str, request: &ChatRequest) -> Result<Admitted, Box<Response>> {
    let blocks = if shared.prefixes.is_on() { request.blocks(key) } else { Vec::new() };
    let cached_tokens = shared.prefixes.cached_tokens(&blocks);
    let completion = request.max_tokens.unwrap_or(0);
    let reserved = Tokens { prompt: request.prompt_tokens(), cached: cached_tokens, completion }.counted();
    let admission = shared.chat_limits.admit(key, &request.model, reserved);
    let at_ms = admission.at_ms;
    match admission.outcome {
        Ok(ticket) => {
            shared.calls.record(Endpoint::Chat, Outcome::Accepted { at_ms });
            let entry = shared.ledger.accept(&request.model, at_ms);
            Ok(Admitted { at_ms, ticket, entry, prompted: None, blocks, cached_tokens })
        }
        Err(rejection) => {
            shared.calls.record(Endpoint::Chat, Outcome::Rejected { at_ms });
            shared.ledger.refuse(&request.model, rejection.over());
            let error = GroqError::over_limit(rejection, &request.model);
            Err(Box::new(reply::with_limits(error.into_response(), admission.allowance)))
        }
    }
}

/// Writes the message. The same request and seed give the same one.
fn complete(shared: &Shared, asked: &Asked, fault: Option<&FaultKind>) -> Completion {
    let request = &asked.request;
    let mut rng = seed::rng(shared.config.seed, &request.identity());
    let now_ms = shared.clock.now_ms();
    let text = compose(asked, shared.config.seed, now_ms, &mut rng);
    let text = spoil::spoil(text, fault, request, &asked.prompt);
    let mut completion = Completion {
        id: format!("chatcmpl-{}", seed::uuid(&mut rng)),
        request_id: format!("req_{:026x}", rng.random::<u128>() >> 24),
        created: now_ms / 1_000,
        text,
        finish: Finish::Stop,
        prompt_tokens: request.prompt_tokens(),
        cached_tokens: asked.admitted.cached_tokens,
        queue_seconds: seed::two_decimals(&mut rng, 0.01, 0.09),
        completion_seconds: 0.0,
        takes: Duration::ZERO,
    };
    // A scripted message is sent word for word.
    if !matches!(fault, Some(FaultKind::Message { .. })) {
        completion.cut_at_stop(&request.stop);
        completion.cut_at_tokens(request.max_tokens);
    }
    match fault {
        Some(FaultKind::MidSentence) => completion.finish = Finish::Length,
        Some(FaultKind::Message { finish: Some(finish), .. }) => completion.finish = *finish,
        _ => {}
    }
    completion
}

/// The message that a model that does as it is told would write.
fn compose(asked: &Asked, seed: u64, now_ms: u64, rng: &mut Rng) -> String {
    let Asked { request, prompt, .. } = asked;
    let json = match prompt.stage {
        Some(Stage::Outline) => writer::outline(prompt, rng),
        Some(Stage::Edit) => review::edit(prompt, seed, now_ms, rng),
        Some(Stage::Review) => review::review(prompt, seed, rng),
        Some(Stage::Distill) => distill::distill(prompt),
        Some(Stage::Draft | Stage::Revise) | None => match &request.output {
            Output::Text if prompt.plan => return writer::write_planned(prompt, now_ms, rng),
            Output::Text => {
                let text = writer::write(prompt, now_ms, rng);
                return if prompt.stage.is_none() { agent::reply(request, &prompt.topic, text) } else { text };
            }
            Output::JsonObject => json!({ "answer": writer::write(prompt, now_ms, rng) }),
            Output::Schema(schema) => return schema::generate(schema, &prompt.topic, rng).to_string(),
        },
    };
    match &request.output {
        Output::Schema(schema) => schema::fit(json, schema, &prompt.topic, rng).to_string(),
        Output::Text | Output::JsonObject => json.to_string(),
    }
}
