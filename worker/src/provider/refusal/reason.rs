//! Why a call was refused, told from the status, the error's names and its words.

use serde_json::Value;

use super::ErrorBody;

mod words;

use words::{
    ACCOUNT_NAMES, ACCOUNT_WORDS, ADDRESS_WORDS, BUSY_WORDS, FILTER_NAMES, FILTER_WORDS, GATE_WORDS, KEY_NAMES,
    KEY_WORDS, LENGTH_NAMES, LENGTH_WORDS, MODEL_NAMES, MODEL_WORDS, PASSING_WORDS, UNTAKEN_WORDS,
};

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
    /// It does not know a parameter that the request can do without, or has another name for it.
    Parameter(Parameter),
    /// Something else.
    Other,
}

/// A parameter that some servers do not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// `max_completion_tokens`: older servers call it `max_tokens`.
    MaxCompletionTokens,
    /// `temperature`: models that think first have none.
    Temperature,
    /// `frequency_penalty`: some servers have none.
    FrequencyPenalty,
    /// `stream_options`: without it a stream says nothing of its usage.
    StreamOptions,
}

impl Parameter {
    const ALL: [Self; 4] = [Self::MaxCompletionTokens, Self::Temperature, Self::FrequencyPenalty, Self::StreamOptions];

    /// Its name on the wire.
    pub(in crate::provider) fn as_str(self) -> &'static str {
        match self {
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::Temperature => "temperature",
            Self::FrequencyPenalty => "frequency_penalty",
            Self::StreamOptions => "stream_options",
        }
    }
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

    /// It passes by itself, whatever else it speaks of.
    fn passes(&self) -> bool {
        self.holds(&PASSING_WORDS) || self.names.iter().any(|name| PASSING_WORDS.contains(&name.as_str()))
    }

    /// The parameter that it does not take.
    fn untaken(&self, body: &ErrorBody) -> Option<Parameter> {
        let names = |parameter: Parameter| {
            let name = parameter.as_str();
            self.text.contains(name) || self.is_called(&[name]) || body.is_at(name)
        };
        Parameter::ALL.into_iter().find(|parameter| names(*parameter) && self.holds(&UNTAKEN_WORDS))
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
    let is_filtered = match status {
        400 => said.holds(&FILTER_WORDS),
        403 => said.holds(&["flagged", "moderation"]),
        _ => false,
    };
    if is_filtered || said.is_called(&FILTER_NAMES) {
        return Reason::ContentFilter;
    }
    if let Some(room) = too_long(status, body, &said) {
        return Reason::TooLong(room);
    }
    if let Some(parameter) = said.untaken(body).filter(|_| matches!(status, 400 | 422)) {
        return Reason::Parameter(parameter);
    }
    match status {
        404 if said.holds(&["requested parameters"]) => Reason::Other,
        404 if said.holds(&["invalid url ("]) => Reason::Address,
        400 | 403 | 404 | 410 | 422 if said.is_of_a_model() => Reason::Model,
        401 | 403 => Reason::Key,
        400 | 422 if said.is_called(&KEY_NAMES) || said.holds(&KEY_WORDS) => Reason::Key,
        300..=399 | 405 => Reason::Address,
        // A server that knows the address and not the model speaks of the model.
        404 if said.holds(&ADDRESS_WORDS) || said.holds(&["not found"]) => Reason::Address,
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
        400 | 412 => said.is_called(&ACCOUNT_NAMES) || said.holds(&ACCOUNT_WORDS),
        401 | 403 => said.is_called(&ACCOUNT_NAMES) || said.holds(&ACCOUNT_WORDS) || said.holds(&["billing"]),
        429 if said.is_called(&ACCOUNT_NAMES) => true,
        429 => !waits && !said.passes() && said.holds(&ACCOUNT_WORDS),
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
        400 | 403 | 422 => is_told && !said.is_called(&["rate_limit_exceeded"]),
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
            "tokens allowed (",
            "must be <=",
            "must not exceed",
            "must be less than or equal to",
            "supports at most",
            "number of output tokens",
            "max_tokens is [1,",
            "tokens >",
            " > ",
            "limit",
        ])
    });
    let prompt = field("n_prompt_tokens")
        .or_else(|| behind(&["resulted in", "your request has", "messages (", "prompt is too long:", "request ("]));
    Room { most, prompt, all: behind(&["you requested", "requested"]) }
}

/// Whether the page of a gate in front of the provider was answered, such as a content delivery network's.
pub(in crate::provider) fn is_of_a_gate(body: &ErrorBody) -> bool {
    let said = Said::of(body);
    said.text.contains('<') && said.holds(&GATE_WORDS)
}

/// The number right behind a phrase, with at most a few signs between.
fn number_behind(text: &str, phrase: &str) -> Option<u32> {
    text.match_indices(phrase).find_map(|(at, _)| {
        let rest = text[at + phrase.len()..].trim_start_matches([' ', ':', '(', '=', '~', '`']);
        let digits: String =
            rest.chars().take_while(|c| c.is_ascii_digit() || *c == ',').filter(|c| *c != ',').collect();
        digits.parse().ok()
    })
}

/// The status of an error of which nothing is known.
pub(super) const UNKNOWN_STATUS: u16 = 500;

/// The status that fits an error's names and words.
pub(super) fn status_of(body: &ErrorBody) -> u16 {
    let said = Said::of(body);
    let is_length = said.is_called(&LENGTH_NAMES) || said.holds(&LENGTH_WORDS);
    if said.holds(&ADDRESS_WORDS) {
        404
    } else if said.is_called(&ACCOUNT_NAMES) || (said.holds(&ACCOUNT_WORDS) && !said.passes()) {
        402
    } else if said.is_called(&KEY_NAMES) || said.holds(&KEY_WORDS) {
        401
    } else if is_length && said.is_called(&["rate_limit_exceeded"]) {
        413
    } else if is_length || said.is_called(&FILTER_NAMES) || said.holds(&FILTER_WORDS) {
        400
    } else if said.is_of_a_model() && !said.passes() {
        404
    } else if said.passes()
        || said.holds(&BUSY_WORDS)
        || said.names.iter().any(|name| BUSY_WORDS.iter().any(|word| name.contains(word)))
    {
        429
    } else if said.is_called(&["invalid_request_error", "bad_request"]) {
        400
    } else {
        UNKNOWN_STATUS
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_text(status: u16, text: &str) -> Reason {
        of(status, &ErrorBody::new(json!({ "error": { "message": text } })), false)
    }

    fn most(reason: Reason) -> Option<u32> {
        match reason {
            Reason::TooLong(room) => room.most,
            _ => None,
        }
    }

    #[test]
    fn a_limit_that_passes_is_no_empty_account() {
        let google = "You exceeded your current quota, please check your plan and billing details. Quota: \
                      GenerateContentInputTokensPerModelPerMinute-FreeTier";
        assert_eq!(of_text(429, google), Reason::Busy);
        assert_eq!(of_text(429, "You exceeded your current quota, please check your plan."), Reason::Account);
        let spent = json!({ "error": { "message": "Limit reached.", "code": "project_spend_limit_exceeded" } });
        assert_eq!(of(429, &ErrorBody::new(spent), true), Reason::Account);
        let in_answer = ErrorBody::new(json!({ "error": { "message": google } }));
        assert_eq!(in_answer.status(), 429);
    }

    #[test]
    fn accounts_and_keys_are_refused_in_many_words() {
        for (status, text) in [
            (400, "You have reached your specified API usage limits. You will regain access on 2026-04-01."),
            (412, "Account x is suspended, possibly due to reaching the monthly spending limit"),
            (400, "Budget has been exceeded! Current cost: 3"),
            (403, "Your billing account is closed."),
            (403, "Sorry, your account balance is insufficient."),
            (403, "Your account has not enough balance."),
            (403, "You have an overdue balance."),
        ] {
            assert_eq!(of_text(status, text), Reason::Account, "{text}");
        }
        for (status, code) in [(429, "exceeded_current_quota_error"), (400, "Arrearage")] {
            let body = json!({ "error": { "message": "Access denied.", "code": code } });
            assert_eq!(of(status, &ErrorBody::new(body), false), Reason::Account, "{code}");
        }
        let of_minimax =
            json!({ "choices": null, "base_resp": { "status_code": 1008, "status_msg": "insufficient balance" } });
        assert_eq!(ErrorBody::new(of_minimax).status(), 402, "inside of a 200");
        assert_eq!(ErrorBody::new(json!({ "message": "Sorry, your account balance is insufficient." })).status(), 402);
    }

    #[test]
    fn models_that_are_gone_are_known() {
        for (status, text) in [
            (410, "The model gemma-7b has reached its end of life."),
            (400, "The provided model identifier is invalid."),
        ] {
            assert_eq!(of_text(status, text), Reason::Model, "{text}");
        }
        let of_github = json!({ "error": { "code": "unavailable_model", "message": "Unavailable: x" } });
        assert_eq!(of(400, &ErrorBody::new(of_github), false), Reason::Model);
        for text in ["API key expired. Please renew the API key.", "Missing or invalid Authorization header."] {
            assert_eq!(of_text(400, text), Reason::Key, "{text}");
        }
    }

    #[test]
    fn lengths_are_told_in_many_words() {
        for (status, text, expected) in [
            (403, "The input token count + max_tokens must be less than the context length of the model.", None),
            (
                400,
                "The input token count (132478) exceeds the maximum number of tokens allowed (131072).",
                Some(131_072),
            ),
            (422, "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 3000 `inputs` tokens", Some(4_096)),
            (400, "input length and `max_tokens` exceed context limit: 198000 + 2500 > 200000", Some(200_000)),
            (
                400,
                "max_tokens is too large: 16000. This model supports at most 4096 completion tokens, whereas you \
                   provided 16000.",
                Some(4_096),
            ),
            (400, "`max_completion_tokens` must be less than or equal to `8192`", Some(8_192)),
            (400, "The valid range of max_tokens is [1, 1024].", Some(1_024)),
            (400, "2500 exceeds the maximum allowed number of output tokens (1024).", Some(1_024)),
        ] {
            let reason = of_text(status, text);
            assert!(matches!(reason, Reason::TooLong(_)), "{text}: {reason:?}");
            assert_eq!(most(reason), expected, "{text}");
        }
        let of_groq = json!({ "error": { "code": "rate_limit_exceeded", "message": "Request too large for model `m` on \
            tokens per minute (TPM): Limit 6000, Requested 6294, please reduce your message size and try again." } });
        assert_eq!(ErrorBody::new(of_groq).status(), 413, "inside of a 200");
    }

    #[test]
    fn parameters_are_refused_by_name() {
        let of_mistral = json!({ "object": "error", "message": { "detail": [{ "type": "extra_forbidden",
            "loc": ["body", "max_completion_tokens"], "msg": "Extra inputs are not permitted", "input": 2500 }] } });
        let length = Reason::Parameter(Parameter::MaxCompletionTokens);
        assert_eq!(of(422, &ErrorBody::new(of_mistral), false), length);
        assert_eq!(of_text(400, "Unrecognized request argument supplied: max_completion_tokens"), length);
        let text = "Unsupported value: 'temperature' does not support 0.6 with this model.";
        assert_eq!(of_text(400, text), Reason::Parameter(Parameter::Temperature));
        for text in [
            "invalid temperature: only 1 is allowed for this model",
            "`temperature` may only be set to 1 when thinking is enabled.",
            "temperature is deprecated for this model",
        ] {
            assert_eq!(of_text(400, text), Reason::Parameter(Parameter::Temperature), "{text}");
        }
        assert_eq!(of_text(400, "Invalid parameter: max_completion_tokens"), length);
        let text = "Unknown parameter: 'stream_options'.";
        assert_eq!(of_text(400, text), Reason::Parameter(Parameter::StreamOptions));
        let text = "property 'frequency_penalty' is unsupported";
        assert_eq!(of_text(400, text), Reason::Parameter(Parameter::FrequencyPenalty));
        assert_eq!(of_text(400, "response_format is unsupported"), Reason::Other);
    }

    #[test]
    fn a_wrong_address_is_not_blamed_on_the_model() {
        for (status, body) in [
            (404, json!("404 page not found\n")),
            (404, json!({ "detail": "Not Found" })),
            (404, json!({ "error": { "code": "404", "message": "Resource not found" } })),
            (405, json!({ "detail": "Method Not Allowed" })),
            (308, json!("")),
            (
                404,
                json!({ "error": { "message": "Invalid URL (POST /chat/completions)", "type": "invalid_request_error" } }),
            ),
            (404, json!({ "errors": [{ "code": 7000, "message": "Could not route to /x, perhaps it is malformed" }] })),
        ] {
            assert_eq!(of(status, &ErrorBody::new(body.clone()), false), Reason::Address, "{body}");
        }
        let unexpected = ErrorBody::new(json!({ "error": "Unexpected endpoint or method. (POST /chat/completions)" }));
        assert_eq!((unexpected.status(), of(404, &unexpected, false)), (404, Reason::Address));
        for body in [json!({ "error": "model \"x\" not found, try pulling it first" }), json!(null)] {
            assert_eq!(of(404, &ErrorBody::new(body.clone()), false), Reason::Model, "{body}");
        }
    }

    #[test]
    fn filters_and_gates_are_known() {
        assert_eq!(of_text(400, "Content Exists Risk"), Reason::ContentFilter);
        let page = "<!DOCTYPE html><title>Attention Required! | Cloudflare</title>";
        assert!(is_of_a_gate(&ErrorBody::new(json!(page))));
        assert!(!is_of_a_gate(&ErrorBody::new(json!("<html><h1>Forbidden</h1></html>"))));
    }

    #[test]
    fn what_stands_beside_an_inner_text_is_read_too() {
        let body = json!({ "statusCode": 429, "error": "Too Many Requests", "message": "retry in 10 seconds" });
        assert_eq!(ErrorBody::new(body).text(), "Too Many Requests\nretry in 10 seconds");
    }
}
