//! The names and words by which servers say why they refused a call, in small letters.

pub(super) const KEY_NAMES: [&str; 5] =
    ["invalid_api_key", "authentication_error", "invalid_authentication", "unauthenticated", "unauthorized"];
pub(super) const KEY_WORDS: [&str; 7] = [
    "api key not valid",
    "incorrect api key",
    "invalid api key",
    "no api key",
    "api key expired",
    "missing api key",
    "authorization header",
];
pub(super) const ACCOUNT_NAMES: [&str; 16] = [
    "exceeded_current_quota_error",
    "arrearage",
    "organization_restricted",
    "blocked_api_access",
    "budget_exceeded",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
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
pub(super) const ACCOUNT_WORDS: [&str; 22] = [
    "balance is insufficient",
    "not enough balance",
    "overdue balance",
    "overdue-payment",
    "account is suspended",
    "specified api usage limits",
    "spending limit",
    "spend limit",
    "budget has been exceeded",
    "past invoices",
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
pub(super) const MODEL_NAMES: [&str; 9] = [
    "unavailable_model",
    "model_not_found",
    "model_decommissioned",
    "invalid_model",
    "unknown_model",
    "model_not_available",
    "model_not_supported",
    "deploymentnotfound",
    "model_permission_blocked_org",
];
pub(super) const MODEL_WORDS: [&str; 17] = [
    "end of life",
    "identifier is invalid",
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
pub(super) const FILTER_WORDS: [&str; 3] =
    ["content exists risk", "content management policy", "violating our content policy"];
pub(super) const FILTER_NAMES: [&str; 4] =
    ["content_filter", "content_policy_violation", "moderation", "responsibleaipolicyviolation"];
pub(super) const LENGTH_NAMES: [&str; 5] = [
    "context_length_exceeded",
    "exceed_context_size_error",
    "context_window_exceeded",
    "contextwindowexceedederror",
    "string_above_max_length",
];
pub(super) const LENGTH_WORDS: [&str; 19] = [
    "maximum allowed number of output tokens",
    "valid range of max_tokens",
    "input token count",
    "maximum number of tokens",
    "max_new_tokens` must be",
    "context limit",
    "completion tokens, whereas",
    "max_completion_tokens` must be less than",
    "max_tokens` must be less than",
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
pub(super) const ADDRESS_WORDS: [&str; 8] = [
    "unexpected endpoint",
    "unknown request url",
    "page not found",
    "unknown_url",
    "no route",
    "cannot post",
    "invalid url (",
    "could not route to",
];
pub(super) const BUSY_WORDS: [&str; 6] =
    ["rate limit", "rate_limit", "too many requests", "rate-limit", "resource_exhausted", "ratelimit"];
/// Words of a limit that passes by itself, in a refusal that may speak of the plan as well.
pub(super) const PASSING_WORDS: [&str; 5] =
    ["resource_exhausted", "per minute", "perminute", "per second", "retrydelay"];
/// How servers say that they do not take a parameter.
pub(super) const UNTAKEN_WORDS: [&str; 12] = [
    "is allowed",
    "may only be",
    "deprecated",
    "invalid parameter",
    "unsupported",
    "not support",
    "unknown",
    "unrecognized",
    "extra inputs",
    "not permitted",
    "unexpected",
    "not allowed",
];
/// What a gate in front of the provider puts into its page.
pub(super) const GATE_WORDS: [&str; 3] = ["cloudflare", "just a moment", "cf-error"];
