//! Answers that are streamed: the same as in one piece, and told as they grow.

use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value, json};

use super::*;

/// What a sink was told, and when.
#[derive(Default)]
pub(super) struct Told(Mutex<Vec<(Instant, String)>>);

impl Told {
    fn hear(&self, piece: &str) {
        self.0.lock().unwrap().push((Instant::now(), piece.to_owned()));
    }

    pub(super) fn text(&self) -> String {
        self.0.lock().unwrap().iter().map(|(_, piece)| piece.as_str()).collect()
    }

    fn pieces(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// How long before `end` the first piece came.
    fn lead(&self, end: Instant) -> Duration {
        self.0.lock().unwrap().first().map_or(Duration::ZERO, |(at, _)| end - *at)
    }
}

impl Simulated {
    pub(super) async fn stream(&self, told: &Told) -> Result<Answer, ProviderError> {
        self.stream_within(TIMEOUT, told).await
    }

    async fn stream_within(&self, timeout: Duration, told: &Told) -> Result<Answer, ProviderError> {
        let sink = |piece: &str| told.hear(piece);
        self.providers.writer.primary().complete(rank(), timeout, &request(), Some(&sink)).await
    }

    /// Streams an answer of these bytes.
    async fn scripted(&self, body: impl Into<Value>) -> (Result<Answer, ProviderError>, String) {
        let body = Some(body.into());
        self.fail(Fault::chat(FaultKind::Status { code: 200, body, retry_after: None, retry_after_ms: None }));
        let told = Told::default();
        (self.stream(&told).await, told.text())
    }
}

/// One event a chunk.
fn events(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
}

fn delta(delta: &Value, finish_reason: Option<&str>) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": finish_reason }] })
}

fn source(result: Result<Answer, ProviderError>) -> CallError {
    match result.unwrap_err() {
        ProviderError::Failed { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_streamed_answer_is_the_same_and_is_seen_to_grow() {
    let delay = Duration::from_millis(500);
    let simulated = Simulated::on(SimulatorConfig { delay, ..SimulatorConfig::unlimited() }, |_| {}).await;
    let whole = simulated.ask().await.unwrap();
    let told = Told::default();
    let streamed = simulated.stream(&told).await.unwrap();
    let end = Instant::now();
    assert_eq!((&streamed.text, &told.text()), (&whole.text, &whole.text));
    assert_eq!(streamed.prompt_tokens, whole.prompt_tokens);
    assert_eq!(streamed.completion_tokens, whole.completion_tokens);
    assert!(!streamed.is_cut && !streamed.is_refused);
    assert!(told.pieces() > 10 && told.lead(end) > delay / 3, "{:?}", told.lead(end));
}

#[tokio::test]
async fn a_stream_that_fails_midway_is_a_broken_call_and_opens_the_breaker() {
    let simulated = Simulated::start().await;
    for (kind, expected) in [
        (FaultKind::Reset, "connection"),
        (FaultKind::TruncatedJson { part: Some(Part::Body) }, "connection"),
        (FaultKind::StreamError { as_event: false }, "server_error"),
        (FaultKind::StreamError { as_event: true }, "server_error"),
    ] {
        simulated.fail(Fault::chat(kind));
        let told = Told::default();
        let error = source(simulated.stream(&told).await);
        assert_eq!(error.outcome(), expected, "{error:?}");
        assert!(!told.text().is_empty(), "what came before is told");
    }
    simulated.fail(Fault::chat(FaultKind::SlowDrip { ms_per_chunk: 50 }));
    let told = Told::default();
    let error = source(simulated.stream_within(Duration::from_millis(400), &told).await);
    assert!(matches!(error, CallError::TimedOut(_)) && !told.text().is_empty(), "{error:?}");
    assert!(matches!(simulated.stream(&told).await, Err(ProviderError::BreakerOpen { .. })));
}

#[tokio::test]
async fn a_stream_of_another_size_or_shape_is_no_answer() {
    let simulated = Simulated::start().await;
    const MIB: usize = 1024 * 1024;
    // No loop, which would be ended sooner.
    let squares: String = (0..MIB as u64 / 8).map(|n| format!("{:x} ", n * n + 0x1000_0000)).collect();
    let long = delta(&json!({ "content": squares }), None);
    let line = format!("data: {}", "x".repeat(3 * MIB));
    for endless in [events(&[long.clone(), long.clone(), long]), line, "data: {\"x\": 1}\n\n".repeat(MIB + 1)] {
        assert!(matches!(source(simulated.scripted(endless).await.0), CallError::TooLarge));
    }
    simulated.fail(Fault::chat(FaultKind::WrongShape { part: Some(Part::Body) }));
    assert!(matches!(source(simulated.stream(&Told::default()).await), CallError::NoChoice));
    let (result, _) = simulated.scripted("data: {\"choices\": 5}\n\n").await;
    assert!(matches!(source(result), CallError::Malformed(_)));
    simulated.fail(Fault::chat(FaultKind::EmptyText));
    assert_eq!(simulated.stream(&Told::default()).await.unwrap().text, "", "nothing was said, in a sound answer");
}

#[tokio::test]
async fn streams_of_other_servers_are_read_too() {
    let simulated = Simulated::start().await;
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 2 } });
    let opening = delta(&json!({ "role": "assistant", "content": null }), None);
    let (one, two) =
        (delta(&json!({ "content": "Hello" }), None), delta(&json!({ "content": " you" }), Some("length")));
    let openai = events(&[opening, one, two, usage]);
    let (answer, told) = simulated.scripted(openai.clone() + "data: [DONE]\n\n").await;
    let answer = answer.unwrap();
    assert_eq!((answer.text.as_str(), told.as_str(), answer.is_cut), ("Hello you", "Hello you", true));
    assert_eq!((answer.prompt_tokens, answer.completion_tokens), (7, 2));
    assert_eq!(answer.cached_tokens, 0, "nobody said so");
    let (answer, _) = simulated.scripted(format!(": ping\n\n{openai}").replace('\n', "\r\n")).await;
    assert_eq!(answer.unwrap().text, "Hello you", "some end with the connection");
    let whole = json!({ "choices": [{ "message": { "content": "All at once." }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 3, "completion_tokens": 4 } });
    let (answer, told) = simulated.scripted(whole).await;
    assert_eq!((answer.unwrap().text.as_str(), told.as_str()), ("All at once.", "All at once."));
    for refused in [delta(&json!({ "refusal": "No." }), Some("stop")), delta(&json!({}), Some("content_filter"))] {
        let (answer, told) = simulated.scripted(events(&[refused])).await;
        assert!(answer.unwrap().is_refused && told.is_empty());
    }
}

#[tokio::test]
async fn half_a_text_is_none_whatever_stands_beside_it() {
    let said =
        |reason: Value| json!({ "choices": [{ "index": 0, "delta": { "content": "Half" }, "finish_reason": reason }] });
    for reason in [json!(""), json!("null"), json!(false)] {
        let simulated = Simulated::start().await;
        let (result, _) = simulated.scripted(events(&[said(reason.clone())])).await;
        assert!(matches!(source(result), CallError::CutShort), "{reason}");
    }
    let simulated = Simulated::start().await;
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 2 } });
    let chunks = [said(Value::Null), usage.clone(), said(Value::Null)];
    assert!(matches!(source(simulated.scripted(events(&chunks)).await.0), CallError::CutShort), "more came behind it");
    let (answer, _) = simulated.scripted(events(&[said(Value::Null), usage])).await;
    assert_eq!(answer.unwrap().text, "Half", "some servers end with it");
}

#[tokio::test]
async fn one_message_is_read_of_many_and_of_lines_without_space_between() {
    let simulated = Simulated::start().await;
    let of = |index: u8, content: &str, reason: Option<&str>| {
        let choice = json!({ "index": index, "delta": { "content": content }, "finish_reason": reason });
        json!({ "choices": [choice] })
    };
    for first in [0, 1] {
        let others = 1 - first;
        let chunks = [
            of(first, "Hello", None),
            of(others, "Bye", None),
            of(others, " now", Some("stop")),
            of(first, " you", Some("stop")),
        ];
        let (answer, told) = simulated.scripted(events(&chunks)).await;
        assert_eq!((answer.unwrap().text.as_str(), told.as_str()), ("Hello you", "Hello you"));
    }
    let close = events(&[of(0, "Hello", None), of(0, " you", Some("stop"))]).replace("\n\n", "\n") + "data: [DONE]\n\n";
    assert_eq!(simulated.scripted(close).await.0.unwrap().text, "Hello you");
}

#[tokio::test]
async fn a_bill_that_cannot_be_is_not_believed() {
    let simulated = Simulated::start().await;
    let answer = |prompt: u64, completion: u64| {
        json!({ "choices": [{ "message": { "content": "Hello" }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": prompt, "completion_tokens": completion } })
    };
    let answer = simulated.scripted(answer(4_000_000_000, 3_000_000_000)).await.0.unwrap();
    assert!(answer.prompt_tokens < 1_000 && answer.completion_tokens < 10, "{}", answer.prompt_tokens);
}

#[tokio::test]
async fn an_answer_in_an_envelope_or_as_an_object_is_read() {
    let simulated = Simulated::start().await;
    let answer = json!({ "choices": [{ "message": { "content": "Hello", "refusal": " " }, "finish_reason": "stop" }] });
    for body in [
        json!({ "code": 0, "msg": "ok", "data": answer }),
        json!({ "error": { "code": 0, "message": "success" }, "choices": answer["choices"] }),
    ] {
        let answer = simulated.scripted(body.clone()).await.0.unwrap();
        assert_eq!((answer.text.as_str(), answer.is_refused), ("Hello", false), "{body}");
    }
    let mut chunk = delta(&json!({ "content": "Hello" }), Some("stop"));
    chunk["error"] = json!({ "code": 0, "message": "success" });
    assert_eq!(simulated.scripted(events(&[chunk])).await.0.unwrap().text, "Hello");
    let object = json!({ "choices": [{ "message": { "content": { "criteria": [] } }, "finish_reason": "stop" }] });
    assert_eq!(simulated.scripted(object).await.0.unwrap().text, "{\"criteria\":[]}");
}

#[tokio::test]
async fn a_loop_is_ended_as_soon_as_it_is_known() {
    let simulated = Simulated::start().await;
    let chunks = vec![delta(&json!({ "content": "<name>\n</name>\n" }), None); 5_000];
    let (answer, told) = simulated.scripted(events(&chunks)).await;
    let answer = answer.unwrap();
    assert!(answer.is_cut && answer.text == told);
    assert!((1_200..2_000).contains(&told.len()), "{}", told.len());
    assert!((300..2_000).contains(&answer.completion_tokens), "what was written is paid for");
}

#[tokio::test]
async fn what_a_provider_had_in_its_cache_is_read_from_whatever_says_so() {
    let simulated = Simulated::start().await;
    let usage =
        |details: Value| json!({ "prompt_tokens": 300, "completion_tokens": 2, "prompt_tokens_details": details });
    let said = delta(&json!({ "content": "Hello" }), Some("stop"));
    for (details, cached) in [
        (json!({ "cached_tokens": 256 }), 256),
        (json!({ "cached_tokens": 900, "audio_tokens": 1 }), 300),
        (json!({ "cached_tokens": null }), 0),
        (json!({ "cached_tokens": 12.5 }), 0),
        (json!({ "cached_tokens": -1 }), 0),
        (json!({}), 0),
        (json!("none"), 0),
        (Value::Null, 0),
    ] {
        let usage = usage(details);
        let whole = json!({ "choices": [{ "message": { "content": "Hello" } }], "usage": usage });
        let last = json!({ "choices": [], "usage": usage });
        let groqs = json!({ "choices": [], "x_groq": { "id": "req_1", "usage": usage } });
        let streams = [events(&[said.clone(), last]).into(), events(&[said.clone(), groqs]).into()];
        for answered in [vec![whole], streams.to_vec()].concat() {
            let (answer, _) = simulated.scripted(answered).await;
            let answer = answer.unwrap();
            assert_eq!((answer.cached_tokens, answer.counted_tokens()), (cached, 302 - cached), "{usage}");
        }
    }
}

#[tokio::test]
async fn an_error_in_a_stream_is_read_as_its_status_would_be() {
    let simulated = Simulated::start().await;
    let text = "Rate limit reached. Please try again in 9.5s.";
    let limit = json!({ "error": { "message": text, "status_code": 429 } });
    let (result, told) = simulated.scripted(events(&[delta(&json!({ "content": "A" }), None), limit])).await;
    assert!((8_000..=9_500).contains(&throttled_ms(result)));
    assert_eq!(told, "A");
    for limit in [json!({ "message": "Slow down.", "code": 429 }), json!({ "detail": "Rate limit exceeded" })] {
        let simulated = Simulated::start().await;
        let (result, _) = simulated.scripted(events(std::slice::from_ref(&limit))).await;
        assert!(throttled_ms(result) > 0, "{limit}");
    }
    let simulated = Simulated::start().await;
    let busy = [json!({ "message": "processing" }), delta(&json!({ "content": "A" }), Some("stop"))];
    assert_eq!(simulated.scripted(events(&busy)).await.0.unwrap().text, "A", "it says that it is at work");
    let simulated = Simulated::start().await;
    let (result, _) =
        simulated.scripted(events(&[json!({ "error": { "message": "Overloaded.", "code": 503 } })])).await;
    assert!(matches!(source(result), CallError::Status { status: 503, .. }));
    let filtered = json!({ "error": { "code": "content_filter", "status_code": 400 } });
    assert!(simulated.scripted(events(&[filtered])).await.0.unwrap().is_refused);
}
