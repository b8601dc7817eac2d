//! What a refusal says, whichever server's words it has: of the key, the account, the model, the length of
//! what was asked, or of nothing that lasts. Its text is a stranger's: it is read here, and shown nowhere.

use serde_json::Value;

pub mod reason;

/// Objects within objects that are looked through.
const MAX_LAYERS: usize = 5;
/// More of an error's text is not read, in bytes.
const MAX_TEXT_BYTES: usize = 4_096;
/// The longest code that is shown.
const MAX_CODE_BYTES: usize = 48;
/// The longest word of letters in it, such as `OperationNotSupported`.
const MAX_WORD_BYTES: usize = 24;
/// The longest word of letters and digits in it, such as `1305` or `E1001`.
const MAX_MIXED_BYTES: usize = 8;

/// An error's body. Its text does not show in `Debug`: it may quote the prompt.
#[derive(Clone, Default)]
pub struct ErrorBody(Box<Value>);

impl std::fmt::Debug for ErrorBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ErrorBody(…)")
    }
}

impl ErrorBody {
    pub(super) fn new(body: Value) -> Self {
        Self(Box::new(body))
    }

    /// The code for a log: words of a program or a number, and no text. A server may put the key there
    /// that it was sent: letters and digits, long and mixed.
    pub(super) fn code_shown(&self) -> Option<&str> {
        let is_word = |word: &str| {
            let (letters, digits) = word.bytes().fold((0, 0), |(letters, digits), byte| {
                (letters + usize::from(byte.is_ascii_alphabetic()), digits + usize::from(byte.is_ascii_digit()))
            });
            letters + digits == word.len()
                && (word.len() <= MAX_MIXED_BYTES || digits == 0 && letters <= MAX_WORD_BYTES)
        };
        self.names()
            .find(|code| code.len() <= MAX_CODE_BYTES && !code.is_empty() && code.split(['_', '-', '.']).all(is_word))
    }

    /// A field of the error that a server puts beside its text.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.layers().into_iter().rev().find_map(|layer| layer.get(name))
    }

    /// The error's texts, in the words of whoever wrote them, the innermost first.
    pub(super) fn text(&self) -> String {
        let layers = self.layers();
        let mut texts: Vec<_> = layers.into_iter().rev().filter_map(text_of).collect();
        texts.dedup();
        let mut text = texts.join("\n");
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        text
    }

    /// Whether the error is at a field of the request, as validators of bodies say it: `{"loc": ["body", "name"]}`.
    pub(super) fn is_at(&self, name: &str) -> bool {
        let place = self.field("loc").and_then(Value::as_array);
        place.is_some_and(|place| place.iter().any(|part| part.as_str() == Some(name)))
    }

    /// How long Google's APIs say to wait, among the error's details.
    pub(super) fn retry_delay(&self) -> Option<&str> {
        let details = self.field("details")?.as_array()?;
        details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())
    }

    /// The status that a server would have answered with that puts its error into a sound answer: the one that
    /// it names, else the one that fits its words. What says neither is the server's own failure.
    pub(super) fn status(&self) -> u16 {
        self.named_status().unwrap_or_else(|| reason::status_of(self))
    }

    /// The status that it names.
    fn named_status(&self) -> Option<u16> {
        let fields = ["status_code", "code", "status", "http_status", "error_code"];
        let layers = self.layers();
        let values = layers.iter().rev().flat_map(|layer| fields.iter().filter_map(|name| layer.get(name)));
        values.filter_map(number).find(|status| (400..=599).contains(status))
    }

    /// Whether it says that the call failed: by a status, or in words that are known.
    pub(super) fn is_of_a_call(&self) -> bool {
        self.named_status().is_some() || reason::status_of(self) != reason::UNKNOWN_STATUS
    }

    /// The names that the error goes by, the innermost first.
    fn names(&self) -> impl Iterator<Item = &str> {
        let fields = ["code", "type", "status", "error_code", "param"];
        let layers = self.layers().into_iter().rev();
        layers.flat_map(move |layer| fields.into_iter().filter_map(|name| layer.get(name)?.as_str()))
    }

    /// The body and what it wraps, the outermost first: `{"error": …}`, `{"detail": …}` and lists of them.
    fn layers(&self) -> Vec<&Value> {
        let mut layers = vec![&*self.0];
        while let Some(last) = layers.last().filter(|_| layers.len() < MAX_LAYERS) {
            let within = || {
                let errors = ["error", "errors", "detail", "base_resp"]
                    .iter()
                    .find_map(|name| last.get(name).filter(|v| says(v)));
                errors.or_else(|| last.get("message").filter(|message| message.is_object() || message.is_array()))
            };
            let Some(next) = last.as_array().and_then(|list| list.first()).or_else(within) else { break };
            layers.push(next);
        }
        layers
    }
}

/// The error in an answer whose status was one of success, as its status would be read; `None` where there is
/// none. A server may send an empty one with every answer.
pub(super) fn in_answer(body: &Value) -> Option<ErrorBody> {
    let is_error = body.get("error").is_some_and(|error| says(error) && !is_success(error))
        || body.get("errors").is_some_and(says)
        || body.pointer("/x_groq/error").is_some_and(says)
        || body.get("object").and_then(Value::as_str) == Some("error");
    is_error.then(|| ErrorBody::new(body.clone()))
}

/// The same where what was asked for is not there: then a mere message is an error too.
pub(super) fn in_place_of_answer(body: &Value) -> Option<ErrorBody> {
    let list = body.as_array().and_then(|list| list.first()).unwrap_or(body);
    // The last is MiniMax's place for it.
    let mut told = ["detail", "message", "msg", "base_resp"].iter().filter_map(|name| list.get(name));
    let is_told = told.any(|told| says(told) && !is_success(told));
    in_answer(list).or_else(|| is_told.then(|| ErrorBody::new(list.clone())))
}

/// What a layer of an error says by itself.
fn text_of(layer: &Value) -> Option<&str> {
    let fields = ["message", "msg", "status_msg", "error_description", "reason", "title"];
    let mut texts = fields.into_iter().filter_map(|name| layer.get(name)?.as_str());
    layer.as_str().or_else(|| texts.find(|text| !text.is_empty()))
}

/// Whether an error says that there is none.
fn is_success(error: &Value) -> bool {
    let code = ["code", "status_code"].iter().find_map(|name| number(error.get(name)?));
    matches!(code, Some(0 | 200))
}

/// Whether a value says anything.
pub(super) fn says(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => list.iter().any(says),
        Value::Object(fields) => fields.values().any(says),
    }
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
