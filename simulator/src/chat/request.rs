//! The request, checked as Groq checks it: after this, every value is one that Groq would take.

#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::error::GroqError;
use crate::prefix::BLOCK_TOKENS;
use crate::schema;

/// Taken, and without effect on the answer.
const IGNORED: [&str; 20] = [
    "citation_options",
    "disable_tool_validation",
    "documents",
    "function_call",
    "functions",
    "include_reasoning",
    "logit_bias",
    "logprobs",
    "metadata",
    "parallel_tool_calls",
    "reasoning_effort",
    "reasoning_format",
    "search_settings",
    "service_tier",
    "store",
    "tool_choice",
    "tools",
    "top_logprobs",
    "user",
    "compound_custom",
];
const STOP_MAX: usize = 4;

/// A request that Groq would take.
#[derive(Debug)]
pub(super) struct ChatRequest {
    pub(super) model: String,
    messages: Vec<Message>,
    pub(super) max_tokens: Option<u32>,
    pub(super) stop: Vec<String>,
    pub(super) stream: bool,
    /// Whether a stream's usage comes once more in an event of its own.
    pub(super) includes_usage: bool,
    pub(super) output: Output,
    /// As text; empty where there is none.
    seed: String,
}

/// What the message must be.
#[derive(Debug)]
pub(super) enum Output {
    Text,
    JsonObject,
    Schema(Value),
}

#[derive(Debug)]
struct Message {
    role: Role,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    System,
    Developer,
    User,
    Assistant,
    Tool,
    Function,
}

impl ChatRequest {
    /// About a token for four characters of the messages.
    pub(super) fn prompt_tokens(&self) -> u32 {
        self.messages.iter().map(|message| tokens(&message.text)).fold(0, u32::saturating_add)
    }

    /// A hash for each whole block of the prompt: of the key, the model, and all messages up to its end.
    /// Without the block that ends the prompt: its last token is always read.
    pub(super) fn blocks(&self, key: &str) -> Vec<u64> {
        let mut hasher = DefaultHasher::new();
        (key, &self.model).hash(&mut hasher);
        let (mut blocks, mut lacking) = (Vec::new(), BLOCK_TOKENS);
        for message in &self.messages {
            message.role.hash(&mut hasher);
            let mut rest = message.text.as_str();
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(end_of(rest, lacking));
                hasher.write(piece.as_bytes());
                rest = behind;
                lacking -= tokens(piece);
                if lacking == 0 {
                    blocks.push(hasher.finish());
                    lacking = BLOCK_TOKENS;
                }
            }
        }
        if lacking == BLOCK_TOKENS {
            blocks.pop();
        }
        blocks
    }

    /// The texts of all messages.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().map(|message| message.text.as_str())
    }

    /// Whether a model has answered in this conversation already.
    pub(super) fn has_answer(&self) -> bool {
        self.messages.iter().any(|message| message.role == Role::Assistant)
    }

    pub(super) fn last_user_text(&self) -> &str {
        let last = self.messages.iter().rfind(|message| message.role == Role::User);
        last.or(self.messages.last()).map_or("", |message| message.text.as_str())
    }

    pub(super) fn system_text(&self) -> &str {
        let system = |message: &&Message| matches!(message.role, Role::System | Role::Developer);
        self.messages.iter().find(system).map_or("", |message| message.text.as_str())
    }

    /// What tells this request from another: the same identity is answered alike.
    pub(super) fn identity(&self) -> Vec<&str> {
        self.texts().chain([self.model.as_str(), self.seed.as_str()]).collect()
    }

    pub(super) fn wants_json(&self) -> bool {
        !matches!(self.output, Output::Text)
    }
}

/// Where so many tokens of a text end.
fn end_of(text: &str, tokens: u32) -> usize {
    let chars = usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(4);
    text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at)
}

/// About a token for four characters.
pub(super) fn tokens(text: &str) -> u32 {
    u32::try_from(text.chars().count().div_ceil(4)).unwrap_or(u32::MAX)
}

/// The request's fields, of the right types but not yet checked any further.
#[derive(Deserialize)]
struct Wire {
    model: String,
    messages: Vec<WireMessage>,
    max_completion_tokens: Option<u32>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    n: Option<u32>,
    seed: Option<i64>,
    stop: Option<Stop>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    response_format: Option<ResponseFormat>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct WireMessage {
    role: Role,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentPart {
    Text {
        text: String,
    },
    ImageUrl {
        #[serde(rename = "image_url")]
        _image_url: IgnoredAny,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stop {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat {
    Text,
    JsonObject,
    JsonSchema { json_schema: NamedSchema },
}

#[derive(Deserialize)]
struct NamedSchema {
    name: String,
    schema: Option<Value>,
    strict: Option<bool>,
}

impl Content {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => {
                let texts = parts.into_iter().filter_map(|part| match part {
                    ContentPart::Text { text } => Some(text),
                    ContentPart::ImageUrl { .. } => None,
                });
                texts.collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// Reads and checks a body.
pub(super) fn parse(body: &[u8]) -> Result<ChatRequest, GroqError> {
    let fields: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|e| GroqError::bad_request(format!("could not parse request body as a JSON object: {e}")))?;
    for required in ["model", "messages"] {
        if !fields.contains_key(required) {
            return Err(GroqError::bad_request(format!("'{required}' : property '{required}' is missing")));
        }
    }
    if let Some(unknown) = fields.keys().find(|name| !is_known(name)) {
        return Err(GroqError::bad_request(format!("property '{unknown}' is unsupported")));
    }
    let wire: Wire = serde_path_to_error::deserialize(Value::Object(fields))
        .map_err(|e| GroqError::bad_request(format!("'{}' : {}", e.path(), e.inner())))?;
    wire.check_ranges()?;
    wire.into_request()
}

fn is_known(name: &str) -> bool {
    const READ: [&str; 14] = [
        "model",
        "messages",
        "max_completion_tokens",
        "max_tokens",
        "temperature",
        "top_p",
        "frequency_penalty",
        "presence_penalty",
        "n",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "response_format",
    ];
    READ.contains(&name) || IGNORED.contains(&name)
}

impl Wire {
    fn check_ranges(&self) -> Result<(), GroqError> {
        let ranges = [
            ("temperature", self.temperature, 0.0, 2.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("frequency_penalty", self.frequency_penalty, -2.0, 2.0),
            ("presence_penalty", self.presence_penalty, -2.0, 2.0),
            ("n", self.n.map(f64::from), 1.0, 1.0),
            ("max_completion_tokens", self.max_completion_tokens.map(f64::from), 1.0, 131_072.0),
            ("max_tokens", self.max_tokens.map(f64::from), 1.0, 131_072.0),
        ];
        for (name, value, low, high) in ranges {
            if value.is_some_and(|value| !(low..=high).contains(&value)) {
                return Err(GroqError::bad_request(format!("'{name}' : number must be from {low} to {high}")));
            }
        }
        if self.messages.is_empty() {
            return Err(GroqError::bad_request("'messages' : minimum number of items is 1"));
        }
        Ok(())
    }

    fn into_request(self) -> Result<ChatRequest, GroqError> {
        if self.model.starts_with("no-such-model") {
            return Err(GroqError::model_not_found(&self.model));
        }
        let stream = self.stream.unwrap_or(false);
        if stream && self.model.contains("no-stream") {
            return Err(GroqError::bad_request("'stream' : this model does not support streaming"));
        }
        let stop = match self.stop {
            None => Vec::new(),
            Some(Stop::One(stop)) => vec![stop],
            Some(Stop::Several(stops)) => stops,
        };
        if stop.len() > STOP_MAX {
            return Err(GroqError::bad_request(format!("'stop' : maximum number of items is {STOP_MAX}")));
        }
        let messages = read_messages(self.messages)?;
        let output = read_output(self.response_format, &self.model, &messages)?;
        Ok(ChatRequest {
            model: self.model,
            messages,
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
            stop: stop.into_iter().filter(|stop| !stop.is_empty()).collect(),
            stream,
            includes_usage: self.stream_options.and_then(|options| options.include_usage).unwrap_or(false),
            output,
            seed: self.seed.map(|seed| seed.to_string()).unwrap_or_default(),
        })
    }
}

fn read_messages(messages: Vec<WireMessage>) -> Result<Vec<Message>, GroqError> {
    let messages: Vec<_> = messages
        .into_iter()
        .map(|m| Message { role: m.role, text: m.content.map(Content::into_text).unwrap_or_default() })
        .collect();
    match messages.iter().all(|message| message.text.trim().is_empty()) {
        true => Err(GroqError::unprocessable("'messages' : there is no content to answer")),
        false => Ok(messages),
    }
}

fn read_output(format: Option<ResponseFormat>, model: &str, messages: &[Message]) -> Result<Output, GroqError> {
    match format {
        None | Some(ResponseFormat::Text) => Ok(Output::Text),
        Some(_) if model.contains("no-json") => {
            Err(GroqError::bad_request("'response_format' : this model does not support it"))
        }
        Some(ResponseFormat::JsonObject) => {
            let names_json = |m: &Message| m.text.as_bytes().windows(4).any(|w| w.eq_ignore_ascii_case(b"json"));
            match messages.iter().any(names_json) {
                true => Ok(Output::JsonObject),
                false => Err(GroqError::bad_request(
                    "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
                )),
            }
        }
        Some(ResponseFormat::JsonSchema { json_schema }) => read_schema(json_schema, model),
    }
}

fn read_schema(named: NamedSchema, model: &str) -> Result<Output, GroqError> {
    let NamedSchema { name, schema, strict } = named;
    let strict = strict.unwrap_or(false);
    if strict && model.contains("no-strict") {
        return Err(GroqError::bad_request(
            "This model does not support response format `json_schema`. See supported models at https://console.groq.com/docs/structured-outputs#supported-models",
        ));
    }
    let schema = schema.unwrap_or_else(|| Value::Object(Map::new()));
    let problem = match strict {
        true => schema::strict_problem(&schema),
        false => (!schema.is_object()).then(|| "a schema is an object".to_owned()),
    };
    match problem {
        Some(problem) => {
            Err(GroqError::bad_request(format!("invalid JSON schema for response_format: '{name}': {problem}")))
        }
        None => Ok(Output::Schema(schema)),
    }
}
