//! Faults: rules that spoil calls, and the seeded decision which call is spoilt. What a spoilt
//! answer looks like is the endpoints' business (`chat/spoil`, `search`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dialect::Dialect;
use crate::prompt::Stage;
use crate::refused::{Refused, TooLong};
use crate::seed;

/// The largest body that `huge` makes, in bytes.
const HUGE_MAX_BYTES: u64 = 256 * 1024 * 1024;

/// A rule that spoils the calls it matches. Rules are tried in order: `delay` adds up and goes on,
/// the first other rule that fires decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The endpoint that it spoils.
    #[serde(default)]
    pub endpoint: Endpoint,
    /// Only calls for this stage of the pipeline, as the prompt's task tag names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// Only calls of this model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Only chat calls whose prompt holds these words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The share of the matching calls that it spoils, 0 to 1.
    #[serde(default = "every_call")]
    pub rate: f64,
    /// How many calls it spoils before it is exhausted; no end where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How many matching calls it lets pass first.
    #[serde(default)]
    pub skip: u64,
    /// What happens to the call.
    pub kind: FaultKind,
}

/// An endpoint that a fault can spoil.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /openai/v1/chat/completions`.
    Chat,
    /// `POST /search`.
    Search,
    /// `POST /v1/embeddings`.
    Embeddings,
    /// All.
    #[default]
    Any,
}

/// What happens to a spoilt call. In JSON: `{"status": {"code": 503}}`; a kind whose fields are
/// all optional may be its name alone: `"hang"`, `"rate_limited"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// Answers with a status.
    Status {
        /// 200 to 599.
        code: u16,
        /// The body: a string as it is, anything else as JSON; the provider's own error shape where `None`.
        #[serde(default)]
        body: Option<Value>,
        /// The `retry-after` header.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
        /// The `retry-after-ms` header.
        #[serde(default)]
        retry_after_ms: Option<u64>,
    },
    /// The provider's 429, with `retry-after` and "Please try again in …" only where it is given.
    RateLimited {
        /// The `retry-after` header.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
    },
    /// Answers rightly, but later.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Takes the request and never answers.
    Hang,
    /// Answers rightly, a few bytes (a stream: an event) at a time.
    SlowDrip {
        /// Milliseconds between two pieces.
        ms_per_chunk: u64,
    },
    /// Breaks the connection off in the middle of the answer.
    Reset,
    /// Cuts a JSON text in half.
    TruncatedJson {
        /// Which text; see [`Part`].
        #[serde(default)]
        part: Option<Part>,
    },
    /// Answers with sound JSON of a shape that nobody asked for.
    WrongShape {
        /// Which text; see [`Part`].
        #[serde(default)]
        part: Option<Part>,
    },
    /// An empty message; no results from the search; no vectors.
    EmptyText,
    /// The prompt itself as the message; the query as the search's only result.
    Echo,
    /// The right message, wrapped in chatter and a code fence. Chat only.
    JsonInProse,
    /// Stops in the middle of a sentence, with `finish_reason: length`. Chat only.
    MidSentence,
    /// "As an AI language model, …". Chat only.
    Refusal,
    /// One sentence over and over. Chat only.
    Repetition,
    /// A text in a language that was not asked for. Chat only.
    WrongLanguage,
    /// A message, or a result's content, of so many bytes.
    Huge {
        /// At most 256 MiB.
        bytes: u64,
    },
    /// The message begins with the system prompt. Chat only.
    PromptLeak,
    /// A message word for word, for what real models were seen to answer. Chat only.
    Message {
        /// The message.
        text: String,
        /// Why it ends: `stop`, `length` or `content_filter`; `stop` where `None`.
        #[serde(default)]
        finish: Option<Finish>,
    },
    /// The message does what the passages' texts tell a model to do, as a gullible one would: it
    /// holds, at its end, every sentence behind a "write:" in them. Chat only.
    Gullible,
    /// Answers rightly, in another server's words.
    Dialect {
        /// Which.
        name: Dialect,
    },
    /// Refuses in the words of a server: with an error in a sound answer, for an account, a model, at once again.
    Refused {
        /// Which.
        name: Refused,
    },
    /// Refuses prompts that are too long for so many tokens, as servers word it; answers others rightly. Chat only.
    TooLong {
        /// The most that a request may have.
        tokens: u32,
        /// Whose words.
        words: TooLong,
    },
    /// A stream that ends in an error. Chat only, and only streamed calls match.
    StreamError {
        /// As `event: error`, instead of a plain `data: {"error": …}`.
        #[serde(default)]
        as_event: bool,
    },
}

/// Why a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It has said all.
    Stop,
    /// There was no room left.
    Length,
    /// The provider's filter stopped it.
    ContentFilter,
}

/// The part of an answer that a fault spoils. Where a rule does not say: the message's content if
/// the request asked for JSON, else the HTTP body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The HTTP body, or the stream's events.
    Body,
    /// The message's content, in a sound body.
    Content,
}

/// A `retry-after` header's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetryAfter {
    /// Seconds.
    Seconds(u64),
    /// As it is: an HTTP date, or nonsense.
    Text(String),
}

impl std::fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "{seconds}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A list of rules that cannot be armed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFaults {
    /// The text is no JSON.
    #[error("not JSON: {0}")]
    Malformed(String),
    /// A field is unknown, missing or out of its range.
    #[error("{pointer}: {detail}")]
    Field {
        /// The field, as a JSON pointer into the list.
        pointer: String,
        /// What it takes.
        detail: String,
    },
}

fn every_call() -> f64 {
    1.0
}

impl Fault {
    /// A rule for every chat call.
    pub fn chat(kind: FaultKind) -> Self {
        Self { endpoint: Endpoint::Chat, ..Self::any(kind) }
    }

    /// A rule for every search.
    pub fn search(kind: FaultKind) -> Self {
        Self { endpoint: Endpoint::Search, ..Self::any(kind) }
    }

    /// A rule for every call for embeddings.
    pub fn embeddings(kind: FaultKind) -> Self {
        Self { endpoint: Endpoint::Embeddings, ..Self::any(kind) }
    }

    /// A rule for every call.
    pub fn any(kind: FaultKind) -> Self {
        Self { endpoint: Endpoint::Any, stage: None, model: None, about: None, rate: 1.0, times: None, skip: 0, kind }
    }

    /// Only for one stage.
    #[must_use]
    pub fn stage(self, stage: Stage) -> Self {
        Self { stage: Some(stage), ..self }
    }

    /// Only for one model.
    #[must_use]
    pub fn model(self, model: impl Into<String>) -> Self {
        Self { model: Some(model.into()), ..self }
    }

    /// Only for prompts that hold these words.
    #[must_use]
    pub fn about(self, words: impl Into<String>) -> Self {
        Self { about: Some(words.into()), ..self }
    }

    /// Only for a share of the matching calls, 0 to 1.
    #[must_use]
    pub fn rate(self, rate: f64) -> Self {
        Self { rate, ..self }
    }

    /// Exhausted after `times` spoilt calls.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Lets `skip` matching calls pass first.
    #[must_use]
    pub fn skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    fn matches(&self, call: &Call<'_>) -> bool {
        let endpoint = self.endpoint == Endpoint::Any || self.endpoint == call.endpoint;
        let stage = self.stage.is_none() || self.stage == call.stage;
        let model = self.model.is_none() || self.model.as_deref() == call.model;
        let is_about = || self.about.as_ref().is_none_or(|words| call.prompt.contains(words));
        endpoint && stage && model && self.kind.applies_to(call) && is_about()
    }

    /// The first field that is out of its range, with what it takes.
    fn problem(&self) -> Option<(&'static str, String)> {
        if !(0.0..=1.0).contains(&self.rate) {
            return Some(("rate", "takes a number from 0 to 1".into()));
        }
        if self.endpoint == Endpoint::Search && (self.stage.is_some() || self.model.is_some()) {
            return Some(("endpoint", "a search has no stage and no model".into()));
        }
        if self.endpoint == Endpoint::Embeddings && self.stage.is_some() {
            return Some(("endpoint", "a call for embeddings has no stage".into()));
        }
        let chat_only = !self.kind.applies_to(&Call::search());
        match &self.kind {
            FaultKind::Status { code, .. } if !(200..=599).contains(code) => {
                Some(("kind/status/code", "takes a status from 200 to 599".into()))
            }
            FaultKind::Huge { bytes } if *bytes > HUGE_MAX_BYTES => {
                Some(("kind/huge/bytes", format!("takes at most {HUGE_MAX_BYTES} bytes")))
            }
            _ if self.endpoint == Endpoint::Search && chat_only => {
                Some(("kind", "takes a chat call: a search cannot fail like this".into()))
            }
            _ if self.endpoint == Endpoint::Embeddings && chat_only => {
                Some(("kind", "takes a chat call: embeddings cannot fail like this".into()))
            }
            _ => None,
        }
    }
}

impl FaultKind {
    /// Whether a call can fail like this at all.
    fn applies_to(&self, call: &Call<'_>) -> bool {
        match self {
            Self::StreamError { .. } => call.streaming,
            Self::JsonInProse
            | Self::MidSentence
            | Self::Refusal
            | Self::Repetition
            | Self::WrongLanguage
            | Self::PromptLeak
            | Self::Message { .. }
            | Self::TooLong { .. }
            | Self::Gullible => call.endpoint == Endpoint::Chat,
            _ => true,
        }
    }
}

/// Reads a list of rules and checks every field.
pub fn parse(json: &[u8]) -> Result<Vec<Fault>, InvalidFaults> {
    let mut list: Value = serde_json::from_slice(json).map_err(|e| InvalidFaults::Malformed(e.to_string()))?;
    expand_names(&mut list);
    let faults: Vec<Fault> = serde_path_to_error::deserialize(list)
        .map_err(|error| InvalidFaults::Field { pointer: pointer(error.path()), detail: error.inner().to_string() })?;
    check(&faults)?;
    Ok(faults)
}

/// Checks the ranges of rules that were made in code.
pub(crate) fn check(faults: &[Fault]) -> Result<(), InvalidFaults> {
    let problem = faults.iter().enumerate().find_map(|(i, fault)| Some((i, fault.problem()?)));
    match problem {
        None => Ok(()),
        Some((i, (field, detail))) => Err(InvalidFaults::Field { pointer: format!("/{i}/{field}"), detail }),
    }
}

/// `"rate_limited"` stands for `{"rate_limited": {}}`.
fn expand_names(list: &mut Value) {
    let rules = list.as_array_mut().into_iter().flatten();
    for kind in rules.filter_map(|rule| rule.get_mut("kind")) {
        let name = kind.as_str().unwrap_or_default();
        if matches!(name, "rate_limited" | "truncated_json" | "wrong_shape" | "stream_error") {
            *kind = serde_json::json!({ name: {} });
        }
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{key}"),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => "/?".into(),
        })
        .collect()
}

/// What a rule is matched against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) stage: Option<Stage>,
    pub(crate) model: Option<&'a str>,
    /// Empty but for chat calls.
    pub(crate) prompt: &'a str,
    pub(crate) streaming: bool,
}

impl Call<'_> {
    pub(crate) fn search() -> Self {
        Self { endpoint: Endpoint::Search, stage: None, model: None, prompt: "", streaming: false }
    }
}

/// What the rules decided for a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Drawn {
    pub(crate) delay: Duration,
    pub(crate) kind: Option<FaultKind>,
}

impl Drawn {
    pub(crate) fn is_fault(&self) -> bool {
        self.kind.is_some() || !self.delay.is_zero()
    }
}

/// A rule with its history, as `GET /_faults` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Armed {
    /// The rule.
    #[serde(flatten)]
    pub fault: Fault,
    /// How many calls it matched.
    pub matched: u64,
    /// How many of them it spoilt.
    pub fired: u64,
}

/// The rules in force.
#[derive(Debug)]
pub(crate) struct FaultPlan {
    seed: u64,
    rules: Mutex<Vec<Armed>>,
}

impl FaultPlan {
    pub(crate) fn new(seed: u64, faults: Vec<Fault>) -> Self {
        let plan = Self { seed, rules: Mutex::default() };
        plan.replace(faults);
        plan
    }

    /// Puts these rules in place of all others, none of them used yet.
    pub(crate) fn replace(&self, faults: Vec<Fault>) {
        let arm = |fault| Armed { fault, matched: 0, fired: 0 };
        *self.lock() = faults.into_iter().map(arm).collect();
    }

    pub(crate) fn list(&self) -> Vec<Armed> {
        self.lock().clone()
    }

    /// Decides over a call. The n-th call that a rule matches always gets the same decision.
    pub(crate) fn draw(&self, call: &Call<'_>) -> Drawn {
        let mut drawn = Drawn::default();
        for (i, rule) in self.lock().iter_mut().enumerate() {
            if !rule.fires(call, self.seed, i) {
                continue;
            }
            if let FaultKind::Delay { ms } = rule.fault.kind {
                drawn.delay += Duration::from_millis(ms);
            } else {
                drawn.kind = Some(rule.fault.kind.clone());
                break;
            }
        }
        drawn
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Armed>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Armed {
    fn fires(&mut self, call: &Call<'_>, seed: u64, index: usize) -> bool {
        let exhausted = self.fault.times.is_some_and(|times| self.fired >= times);
        if exhausted || !self.fault.matches(call) {
            return false;
        }
        self.matched += 1;
        if self.matched <= self.fault.skip {
            return false;
        }
        let mut rng = seed::rng(seed, &["fault", &index.to_string(), &self.matched.to_string()]);
        let fires = rng.random_bool(self.fault.rate.clamp(0.0, 1.0));
        self.fired += u64::from(fires);
        fires
    }
}

/// The answers' headers that a fault asks for.
pub(crate) fn retry_headers(kind: &FaultKind) -> BTreeMap<&'static str, String> {
    let (retry_after, retry_after_ms) = match kind {
        FaultKind::Status { retry_after, retry_after_ms, .. } => (retry_after, *retry_after_ms),
        FaultKind::RateLimited { retry_after } => (retry_after, None),
        _ => return BTreeMap::new(),
    };
    let seconds = retry_after.as_ref().map(|value| ("retry-after", value.to_string()));
    let ms = retry_after_ms.map(|ms| ("retry-after-ms", ms.to_string()));
    seconds.into_iter().chain(ms).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn chat_call() -> Call<'static> {
        Call {
            endpoint: Endpoint::Chat,
            stage: Some(Stage::Draft),
            model: Some("m"),
            prompt: "On scans",
            streaming: false,
        }
    }

    fn fired(plan: &FaultPlan, call: &Call<'_>, calls: usize) -> Vec<bool> {
        (0..calls).map(|_| plan.draw(call).is_fault()).collect()
    }

    #[test]
    fn a_rule_skips_then_fires_then_is_exhausted() {
        let plan = FaultPlan::new(1, vec![Fault::chat(FaultKind::Hang).skip(1).times(2)]);
        assert_eq!(fired(&plan, &chat_call(), 5), [false, true, true, false, false]);
        assert_eq!(plan.list()[0].fired, 2);
    }

    #[test]
    fn a_rule_matches_endpoint_stage_model_and_prompt() {
        let rules = [
            (Fault::search(FaultKind::Hang), false),
            (Fault::chat(FaultKind::Hang).stage(Stage::Review), false),
            (Fault::chat(FaultKind::Hang).model("other"), false),
            (Fault::any(FaultKind::StreamError { as_event: false }), false),
            (Fault::any(FaultKind::Hang).about("prices"), false),
            (Fault::any(FaultKind::Hang).stage(Stage::Draft).model("m").about("scans"), true),
        ];
        for (rule, expected) in rules {
            let plan = FaultPlan::new(1, vec![rule.clone()]);
            assert_eq!(plan.draw(&chat_call()).is_fault(), expected, "{rule:?}");
        }
        let plan = FaultPlan::new(1, vec![Fault::any(FaultKind::Refusal)]);
        assert!(!plan.draw(&Call::search()).is_fault());
    }

    #[test]
    fn delays_add_up_and_leave_the_decision_to_later_rules() {
        let delay = |ms| Fault::any(FaultKind::Delay { ms });
        let plan = FaultPlan::new(1, vec![delay(20), delay(30), Fault::any(FaultKind::Echo), delay(90)]);
        let drawn = plan.draw(&chat_call());
        assert_eq!(drawn, Drawn { delay: Duration::from_millis(50), kind: Some(FaultKind::Echo) });
    }

    #[test]
    fn the_rate_is_kept_and_the_draws_repeat() {
        let run = |seed| fired(&FaultPlan::new(seed, vec![Fault::any(FaultKind::Hang).rate(0.3)]), &chat_call(), 1_000);
        let hits = run(7).iter().filter(|hit| **hit).count();
        assert!((240..360).contains(&hits), "{hits}");
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn rules_are_read_with_defaults_and_short_names() {
        let faults = parse(
            br#"[{"kind": "hang"}, {"endpoint": "chat", "kind": "rate_limited"},
                 {"kind": {"status": {"code": 503, "retry_after": "soon"}}, "times": 3, "rate": 0.5}]"#,
        )
        .unwrap();
        let status = FaultKind::Status {
            code: 503,
            body: None,
            retry_after: Some(RetryAfter::Text("soon".into())),
            retry_after_ms: None,
        };
        let expected = [
            Fault::any(FaultKind::Hang),
            Fault::chat(FaultKind::RateLimited { retry_after: None }),
            Fault::any(status).times(3).rate(0.5),
        ];
        assert_eq!(faults, expected);
        let again = parse(&serde_json::to_vec(&faults).unwrap()).unwrap();
        assert_eq!(again, faults);
    }

    #[test]
    fn a_wrong_field_is_named() {
        let cases = [
            (r#"[{"kind": "hang", "rte": 1}]"#, "/0/rte"),
            (r#"[{"kind": "hang"}, {"kind": "explode"}]"#, "/1/kind"),
            (r#"[{"kind": "hang", "rate": 1.5}]"#, "/0/rate"),
            (r#"[{"kind": "hang", "stage": "brewing"}]"#, "/0/stage"),
            (r#"[{"kind": {"status": {"code": "x"}}}]"#, "/0/kind/status/code"),
            (r#"[{"kind": {"status": {"code": 42}}}]"#, "/0/kind/status/code"),
            (r#"[{"kind": {"huge": {"bytes": 999999999999}}}]"#, "/0/kind/huge/bytes"),
            (r#"[{"kind": "refusal", "endpoint": "search"}]"#, "/0/kind"),
            (r#"[{"endpoint": "chat"}]"#, "/0"),
            (r#"{"kind": "hang"}"#, ""),
        ];
        for (json, expected) in cases {
            let InvalidFaults::Field { pointer, detail } = parse(json.as_bytes()).unwrap_err() else {
                panic!("{json}");
            };
            assert_eq!(pointer, expected, "{json}: {detail}");
        }
        assert!(matches!(parse(b"[{"), Err(InvalidFaults::Malformed(_))));
    }
}
