//! Why a call was refused, told from the status, the error's names and its words.

use serde_json::Value;

use super::ErrorBody;

/// Why a call was refused, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The key is wrong, or may not do this.
    Key,
    /// The account is empty, closed, or has used up what its plan holds.
    Account,
    /// The provider does not know the model.
    Model,
    /// There is nothing at the URL.
    Address,
    /// The prompt, or the prompt and the longest answer, are more than one request may have.
    TooLong(Room),
    /// The provider's filter stopped it.
    ContentFilter,
    /// Too many calls: another one, later, is not refused.
    Busy,
    /// Something else.
    Other,
}

/// What a refusal of a request's length says, in the provider's tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// The most that one request may have, prompt and answer.
    pub most: Option<u32>,
    /// What the prompt has.
    pub prompt: Option<u32>,
    /// What the prompt and the longest answer have together.
    pub all: Option<u32>,
}

const KEY_NAMES: [&str; 5] =
    ["invalid_api_key", "authentication_error", "invalid_authentication", "unauthenticated", "unauthorized"];
const KEY_WORDS: [&str; 4] = ["api key not valid", "incorrect api key", "invalid api key", "no api key"];
const ACCOUNT_NAMES: [&str; 9] = [
    "insufficient_quota",
    "insufficient_balance",
    "insufficient_credits",
    "insufficient_funds",
    "billing_not_active",
    "billing_hard_limit_reached",
    "billing_error",
    "payment_required",
    "account_deactivated",
];
const ACCOUNT_WORDS: [&str; 12] = [
    "insufficient credit",
    "insufficient balance",
    "insufficient fund",
    "insufficient quota",
    "requires more credits",
    "out of credits",
    "credit balance is too low",
    "balance is too low",
    "exceeded your current quota",
    "payment required",
    "plan's set usage limit",
    "no credits",
];
const MODEL_NAMES: [&str; 8] = [
    "model_not_found",
    "model_decommissioned",
    "invalid_model",
    "unknown_model",
    "model_not_available",
    "model_not_supported",
    "deploymentnotfound",
    "model_permission_blocked_org",
];
const MODEL_WORDS: [&str; 15] = [
    "not found",
    "does not exist",
    "doesn't exist",
    "not exist",
    "not a valid model",
    "invalid model",
    "unknown model",
    "no such model",
    "decommissioned",
    "deprecated and is no longer",
    "not a known model",
    "no models loaded",
    "not loaded",
    "unable to access model",
    "could not find",
];
const FILTER_NAMES: [&str; 4] =
    ["content_filter", "content_policy_violation", "moderation", "responsibleaipolicyviolation"];
const LENGTH_NAMES: [&str; 5] = [
    "context_length_exceeded",
    "exceed_context_size_error",
    "context_window_exceeded",
    "contextwindowexceedederror",
    "string_above_max_length",
];
const LENGTH_WORDS: [&str; 10] = [
    "maximum context length",
    "context length",
    "context size",
    "context window",
    "prompt is too long",
    "too many tokens",
    "input is too long",
    "reduce the length of the messages",
    "reduce your message size",
    "longer than the maximum",
];
const ADDRESS_WORDS: [&str; 5] = ["unknown request url", "page not found", "unknown_url", "no route", "cannot post"];
const BUSY_WORDS: [&str; 6] =
    ["rate limit", "rate_limit", "too many requests", "rate-limit", "resource_exhausted", "ratelimit"];

/// A refusal's names and words, in small letters.
struct Said {
    names: Vec<String>,
    text: String,
}

impl Said {
    fn of(body: &ErrorBody) -> Self {
        Self { names: body.names().map(str::to_lowercase).collect(), text: body.text().to_lowercase() }
    }

    fn is_called(&self, names: &[&str]) -> bool {
        self.names.iter().any(|name| names.contains(&name.as_str()))
    }

    fn holds(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.text.contains(word))
    }

    /// A model is spoken of, or the field of the request that names it.
    fn speaks_of_a_model(&self) -> bool {
        self.text.contains("model") || self.names.iter().any(|name| name == "model" || name == "models")
    }

    fn is_of_a_model(&self) -> bool {
        self.is_called(&MODEL_NAMES)
            || self.names.iter().any(|name| name == "model")
            || (self.speaks_of_a_model() && self.holds(&MODEL_WORDS))
    }
}

/// Why a call was refused with a status. `waits` is whether the refusal says when it ends.
pub(in crate::provider) fn of(status: u16, body: &ErrorBody, waits: bool) -> Reason {
    let said = Said::of(body);
    if is_of_the_account(status, &said, waits) {
        return Reason::Account;
    }
    if said.is_called(&FILTER_NAMES) || (status == 403 && said.holds(&["flagged", "moderation"])) {
        return Reason::ContentFilter;
    }
    if let Some(room) = too_long(status, body, &said) {
        return Reason::TooLong(room);
    }
    match status {
        400 | 403 | 404 | 422 if said.is_of_a_model() => Reason::Model,
        401 | 403 => Reason::Key,
        400 | 422 if said.is_called(&KEY_NAMES) || said.holds(&KEY_WORDS) => Reason::Key,
        404 | 405 if said.holds(&ADDRESS_WORDS) || said.is_called(&["unknown_url"]) => Reason::Address,
        404 => Reason::Model,
        429 | 498 => Reason::Busy,
        _ => Reason::Other,
    }
}

/// An account that is used up may say so with the status of a passing limit. What says when it ends is one that
/// passes.
fn is_of_the_account(status: u16, said: &Said, waits: bool) -> bool {
    match status {
        // Tavily's limits of the plan and of pay-as-you-go.
        402 | 432 | 433 => true,
        400 => said.is_called(&ACCOUNT_NAMES) || said.holds(&ACCOUNT_WORDS),
        401 | 403 => said.is_called(&ACCOUNT_NAMES) || said.holds(&ACCOUNT_WORDS) || said.holds(&["billing"]),
        429 if said.is_called(&["insufficient_quota"]) => true,
        429 => !waits && !said.is_called(&["resource_exhausted"]) && said.holds(&ACCOUNT_WORDS),
        _ => false,
    }
}

fn too_long(status: u16, body: &ErrorBody, said: &Said) -> Option<Room> {
    let is_named = said.is_called(&LENGTH_NAMES);
    let is_told = is_named || said.holds(&LENGTH_WORDS);
    let room = room(body, &said.text);
    // More than a minute's tokens at once, by whatever status: it would never be granted.
    let is_over_limit = room.all.zip(room.most).is_some_and(|(all, most)| all > most) && !said.text.contains("used");
    let is_length = match status {
        400 | 422 => is_told && !said.is_called(&["rate_limit_exceeded"]),
        413 => true,
        429 => is_over_limit,
        // Older servers fail at it.
        500 => is_named || said.text.contains("available context size"),
        _ => false,
    };
    is_length.then_some(room)
}

/// The figures of a refusal, from its fields or its text.
fn room(body: &ErrorBody, text: &str) -> Room {
    let field = |name: &str| body.field(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let behind = |phrases: &[&str]| phrases.iter().find_map(|phrase| number_behind(text, phrase));
    let most = field("n_ctx").or_else(|| {
        behind(&[
            "maximum context length is",
            "maximum context length of",
            "context length of only",
            "context length is only",
            "context length is",
            "context length of",
            "context size (",
            "context size of",
            "context window of",
            "context window is",
            "tokens >",
            "limit",
        ])
    });
    let prompt = field("n_prompt_tokens")
        .or_else(|| behind(&["resulted in", "your request has", "messages (", "prompt is too long:", "request ("]));
    Room { most, prompt, all: behind(&["you requested", "requested"]) }
}

/// The number right behind a phrase, with at most a few signs between.
fn number_behind(text: &str, phrase: &str) -> Option<u32> {
    text.match_indices(phrase).find_map(|(at, _)| {
        let rest = text[at + phrase.len()..].trim_start_matches([' ', ':', '(', '=', '~']);
        let digits: String =
            rest.chars().take_while(|c| c.is_ascii_digit() || *c == ',').filter(|c| *c != ',').collect();
        digits.parse().ok()
    })
}

/// The status that fits an error's names and words.
pub(super) fn status_of(body: &ErrorBody) -> u16 {
    let said = Said::of(body);
    if said.is_called(&ACCOUNT_NAMES) || said.holds(&ACCOUNT_WORDS) {
        402
    } else if said.is_called(&KEY_NAMES) || said.holds(&KEY_WORDS) {
        401
    } else if said.is_called(&LENGTH_NAMES) || said.holds(&LENGTH_WORDS) || said.is_called(&FILTER_NAMES) {
        400
    } else if said.is_of_a_model() {
        404
    } else if said.holds(&BUSY_WORDS) || said.names.iter().any(|name| BUSY_WORDS.iter().any(|word| name.contains(word)))
    {
        429
    } else if said.is_called(&["invalid_request_error", "bad_request"]) {
        400
    } else {
        500
    }
}
