//! The simulator as its callers meet it: over HTTP, on a port of its own, with the clock in hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use copydesk_simulator::{
    Behaviour, Calls, Clock, Endpoint, Fault, FaultKind, Limits, Part, Prompted, RetryAfter, Simulator,
    SimulatorConfig, Stage, parse_model_limits,
};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

const PROMPT: &str = r#"<task stage="STAGE" format="blog" language="en" words="300" round="0" simulated="true"/>
<business name="Harbour Works">Harbour Works is based in Hull, and keeps harbours open.</business>
<topic>Keeping a harbour open</topic>
<lessons>
</lessons>
<passages>
<passage n="1" kind="kb" title="Log › Quay">The quay was inspected by two people &amp; found to be sound. The next inspection is due in the spring.</passage>
<passage n="2" kind="web" title="Silt" url="https://silt.example">Silt settles wherever the water slows down enough to let it go.</passage>
</passages>
<outline>{"title": "An open harbour", "sections": []}</outline>
<draft></draft>
Answer as JSON where asked."#;

fn client() -> Client {
    // Another test of this process may have been first.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().no_proxy().build().unwrap()
}

async fn start(config: SimulatorConfig) -> Simulator {
    Simulator::start(config).await.unwrap()
}

async fn unlimited() -> Simulator {
    start(SimulatorConfig::unlimited()).await
}

fn chat_body(stage: &str, change: &Value) -> Value {
    let mut body = json!({ "model": "llama-3.3-70b-versatile", "messages": [
        { "role": "system", "content": "You are a careful writer." },
        { "role": "user", "content": PROMPT.replace("STAGE", stage) },
    ] });
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn chat(simulator: &Simulator, body: &Value) -> Response {
    let url = format!("{}/chat/completions", simulator.llm_base_url());
    client().post(url).bearer_auth("key").json(body).send().await.unwrap()
}

async fn draft(simulator: &Simulator) -> Response {
    chat(simulator, &chat_body("draft", &json!({}))).await
}

async fn search(simulator: &Simulator, body: &Value) -> Response {
    let url = format!("{}/search", simulator.base_url());
    client().post(url).bearer_auth("key").json(body).send().await.unwrap()
}

async fn content(response: Response) -> String {
    let answer: Value = response.json().await.unwrap();
    answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// The events' data, in order.
fn events(stream: &str) -> Vec<&str> {
    stream.split("\n\n").filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: "))).collect()
}

fn streamed_text(stream: &str) -> String {
    let deltas = events(stream).into_iter().filter_map(|data| serde_json::from_str::<Value>(data).ok());
    deltas.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_completion_has_groqs_shape() {
    // The day's allowance refills within milliseconds: the clock must stand.
    let simulator = start(SimulatorConfig { clock: Clock::manual(1_000_000), ..SimulatorConfig::default() }).await;
    let response = draft(&simulator).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "x-ratelimit-limit-tokens"), Some("250000"));
    assert_eq!(header(&response, "x-ratelimit-remaining-requests"), Some("9999999"));
    assert!(header(&response, "x-ratelimit-reset-tokens").unwrap().ends_with('s'));
    assert_eq!(header(&response, "retry-after"), None);
    let answer: Value = response.json().await.unwrap();
    let choice = &answer["choices"][0];
    assert_eq!((&answer["object"], &choice["finish_reason"]), (&json!("chat.completion"), &json!("stop")));
    let usage = &answer["usage"];
    let text = choice["message"]["content"].as_str().unwrap();
    assert!(text.starts_with("# An open harbour\n") && text.contains("two people & found to be sound [1]."), "{text}");
    assert_eq!(usage["completion_tokens"], text.chars().count().div_ceil(4));
    let sum = usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
    for time in ["queue_time", "prompt_time", "completion_time", "total_time"] {
        assert!(usage[time].as_f64().unwrap() > 0.0, "{time}");
    }
}

#[tokio::test]
async fn a_stream_holds_the_same_text_and_ends_with_the_usage() {
    let simulator = unlimited().await;
    let whole = content(draft(&simulator).await).await;
    let response = chat(&simulator, &chat_body("draft", &json!({ "stream": true }))).await;
    assert_eq!(header(&response, "content-type"), Some("text/event-stream"));
    let stream = response.text().await.unwrap();
    assert_eq!(streamed_text(&stream), whole);
    let events = events(&stream);
    assert_eq!(events.last(), Some(&"[DONE]"));
    let last: Value = serde_json::from_str(events[events.len() - 2]).unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    assert_eq!(last["x_groq"]["usage"]["completion_tokens"], whole.chars().count().div_ceil(4));
}

#[tokio::test]
async fn a_stream_can_be_asked_for_its_usage_in_openais_place() {
    let simulator = unlimited().await;
    let body = chat_body("draft", &json!({ "stream": true, "stream_options": { "include_usage": true } }));
    let stream = chat(&simulator, &body).await.text().await.unwrap();
    let events = events(&stream);
    let last: Value = serde_json::from_str(events[events.len() - 2]).unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["completion_tokens"], streamed_text(&stream).chars().count().div_ceil(4));
}

#[tokio::test]
async fn a_streams_delay_is_spread_over_it() {
    let delay = Duration::from_millis(600);
    let simulator = start(SimulatorConfig { delay, ..SimulatorConfig::unlimited() }).await;
    let began = Instant::now();
    let mut response = chat(&simulator, &chat_body("draft", &json!({ "stream": true }))).await;
    let mut pieces = Vec::new();
    while response.chunk().await.unwrap().is_some() {
        pieces.push(began.elapsed());
    }
    assert!(pieces[0] < delay / 2 && pieces[pieces.len() - 1] >= delay, "{pieces:?}");
    assert!(pieces.len() > 10, "{pieces:?}");
}

#[tokio::test]
async fn answers_depend_on_the_seeds_and_on_nothing_else() {
    let (one, same) = (unlimited().await, unlimited().await);
    let other = start(SimulatorConfig { seed: 8, ..SimulatorConfig::unlimited() }).await;
    let seeded = chat_body("draft", &json!({ "seed": 5 }));
    let text = content(draft(&one).await).await;
    assert_eq!(content(draft(&one).await).await, text);
    assert_eq!(content(draft(&same).await).await, text);
    assert_ne!(content(draft(&other).await).await, text);
    assert_ne!(content(chat(&one, &seeded).await).await, text);
    let query = json!({ "query": "silt" });
    let results = |response: Response| async move { response.json::<Value>().await.unwrap() };
    assert_eq!(results(search(&one, &query).await).await, results(search(&same, &query).await).await);
    assert_ne!(results(search(&one, &query).await).await, results(search(&other, &query).await).await);
}

#[tokio::test]
async fn the_token_limit_cuts_and_says_so() {
    let simulator = unlimited().await;
    let body = chat_body("draft", &json!({ "max_completion_tokens": 10 }));
    let answer: Value = chat(&simulator, &body).await.json().await.unwrap();
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["choices"][0]["message"]["content"].as_str().unwrap().chars().count(), 40);
    assert_eq!(answer["usage"]["completion_tokens"], 10);
    let stopped = chat(&simulator, &chat_body("draft", &json!({ "stop": "\n" }))).await;
    assert_eq!(content(stopped).await, "# An open harbour");
}

#[tokio::test]
async fn outline_and_review_answer_as_the_schema_asks() {
    let simulator = unlimited().await;
    let schema = json!({ "type": "object", "additionalProperties": false, "required": ["title", "sections"], "properties": {
        "title": { "type": "string" },
        "sections": { "type": "array", "items": { "type": "object", "additionalProperties": false,
            "required": ["heading", "points", "passages"], "properties": { "heading": { "type": "string" },
            "points": { "type": "array", "items": { "type": "string" } },
            "passages": { "type": "array", "items": { "type": "integer" } } } } } } });
    let format =
        json!({ "type": "json_schema", "json_schema": { "name": "outline", "schema": schema, "strict": true } });
    let outline = chat(&simulator, &chat_body("outline", &json!({ "response_format": format }))).await;
    let outline: Value = serde_json::from_str(&content(outline).await).unwrap();
    assert!((3..=6).contains(&outline["sections"].as_array().unwrap().len()), "{outline}");
    assert_eq!(outline.as_object().unwrap().len(), 2);
    let review = chat_body("review", &json!({ "response_format": { "type": "json_object" } }));
    let review: Value = serde_json::from_str(&content(chat(&simulator, &review).await).await).unwrap();
    assert!(review["criteria"]["accuracy"].is_number() && review["fixes"].is_array(), "{review}");
    let other = json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": {
        "type": "object", "properties": { "n": { "type": "integer", "minimum": 4, "maximum": 4 } } } } });
    let other = chat_body("draft", &json!({ "response_format": other }));
    assert_eq!(content(chat(&simulator, &other).await).await, r#"{"n":4}"#);
}

#[tokio::test]
async fn a_plain_question_gets_a_plain_answer() {
    let simulator = unlimited().await;
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "Tell me about the tides." }] });
    let text = content(chat(&simulator, &body).await).await;
    assert!(text.contains("tides") && text.len() > 200, "{text}");
}

#[tokio::test]
async fn prompts_are_kept_where_a_test_asks_for_them() {
    let simulator = start(SimulatorConfig { prompts_kept: 2, ..SimulatorConfig::unlimited() }).await;
    for stage in ["outline", "draft", "review"] {
        chat(&simulator, &chat_body(stage, &json!({}))).await;
    }
    assert_eq!(simulator.prompts(), [PROMPT.replace("STAGE", "draft"), PROMPT.replace("STAGE", "review")]);
    let simulator = unlimited().await;
    draft(&simulator).await;
    assert!(simulator.prompts().is_empty());
}

#[tokio::test]
async fn prompts_are_kept_with_what_they_used() {
    let simulator = start(SimulatorConfig { prompts_kept: 9, ..SimulatorConfig::unlimited() }).await;
    simulator.set_faults(vec![Fault::chat(FaultKind::EmptyText).skip(1)]).unwrap();
    for _ in 0..2 {
        draft(&simulator).await;
    }
    let prompted = simulator.prompted();
    assert_eq!(prompted.iter().map(|p| p.is_spoilt).collect::<Vec<_>>(), [false, true]);
    assert!(prompted.iter().all(|p| p.at_ms > 0 && p.prompt == PROMPT.replace("STAGE", "draft")));
    let models = simulator.calls().models;
    let sum = |of: fn(&Prompted) -> u32| prompted.iter().map(|p| u64::from(of(p))).sum::<u64>();
    let total = &models["llama-3.3-70b-versatile"];
    assert_eq!((sum(|p| p.prompt_tokens), sum(|p| p.cached_tokens)), (total.prompt_tokens, total.cached_tokens));
    assert_eq!(sum(|p| p.completion_tokens), total.completion_tokens);
    assert!(total.cached_tokens > 0 && total.completion_tokens > 0);
}

#[tokio::test]
async fn refused_requests_have_groqs_errors() {
    let simulator = start(SimulatorConfig { max_body_bytes: 10_000, ..SimulatorConfig::default() }).await;
    let url = format!("{}/chat/completions", simulator.llm_base_url());
    let client = client();
    let keyless = client.post(&url).json(&chat_body("draft", &json!({}))).send().await.unwrap();
    let cases = [
        (keyless, 401, json!("invalid_api_key")),
        (client.post(&url).bearer_auth("k").body("{").send().await.unwrap(), 400, Value::Null),
        (chat(&simulator, &chat_body("draft", &json!({ "temperature": 9 }))).await, 400, Value::Null),
        (
            chat(&simulator, &chat_body("draft", &json!({ "model": "no-such-model" }))).await,
            404,
            json!("model_not_found"),
        ),
        (
            chat(&simulator, &chat_body("draft", &json!({ "user": "x".repeat(20_000) }))).await,
            413,
            json!("request_too_large"),
        ),
        (client.get(simulator.base_url() + "/nothing").send().await.unwrap(), 404, json!("unknown_url")),
    ];
    for (response, status, code) in cases {
        assert_eq!(response.status(), status);
        let body: Value = response.json().await.unwrap();
        assert!(body["error"]["message"].is_string() && body["error"]["type"].is_string(), "{body}");
        assert_eq!(body["error"]["code"], code, "{body}");
    }
    let calls = simulator.calls().chat;
    assert_eq!((calls.refused, calls.accepted), (5, 0));
    let no_strict = json!({ "model": "no-strict", "response_format": { "type": "json_schema",
        "json_schema": { "name": "x", "strict": true, "schema": { "type": "object" } } } });
    assert_eq!(chat(&simulator, &chat_body("draft", &no_strict)).await.status(), 400);
    let models = client.get(simulator.llm_base_url() + "/models").bearer_auth("k").send().await.unwrap();
    assert_eq!(models.json::<Value>().await.unwrap()["object"], "list");
    assert_eq!(client.get(simulator.base_url() + "/health").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_minute_of_requests_is_enforced_and_counted() {
    let clock = Clock::manual(1_000_000);
    let simulator =
        start(SimulatorConfig { llm_requests_per_minute: Some(2), clock: clock.clone(), ..SimulatorConfig::default() })
            .await;
    assert_eq!(draft(&simulator).await.status(), 200);
    clock.advance(Duration::from_millis(20_500));
    assert_eq!(draft(&simulator).await.status(), 200);
    let refused = draft(&simulator).await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, Some("40")));
    let body: Value = refused.json().await.unwrap();
    assert_eq!((&body["error"]["type"], &body["error"]["code"]), (&json!("requests"), &json!("rate_limit_exceeded")));
    assert!(
        body["error"]["message"].as_str().unwrap().contains("Limit 2, Used 2, Requested 1. Please try again in 39.5s")
    );
    clock.advance(Duration::from_millis(39_500));
    assert_eq!(draft(&simulator).await.status(), 200);
    let calls = simulator.calls().chat;
    assert_eq!((calls.accepted, calls.rejected_429), (3, 1));
    assert_eq!(calls.accepted_at_ms, [1_000_000, 1_020_500, 1_060_000]);
    assert_eq!(calls.rejected_at_ms, [1_020_500]);
    let url = simulator.base_url() + "/_calls";
    let shown: Value = client().get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!((&shown["chat"]["accepted"], &shown["search"]["accepted"]), (&json!(3), &json!(0)));
    assert_eq!(client().delete(&url).send().await.unwrap().status(), 204);
    assert_eq!(simulator.calls().chat.accepted, 0);
}

#[tokio::test]
async fn tokens_are_enforced_in_groqs_words() {
    let simulator = start(SimulatorConfig {
        llm_tokens_per_minute: Some(1_000),
        prefix_cache: None,
        clock: Clock::manual(1_000_000),
        ..SimulatorConfig::default()
    })
    .await;
    let body = |max: u32| chat_body("draft", &json!({ "max_completion_tokens": max }));
    assert_eq!(chat(&simulator, &body(100)).await.status(), 200);
    let refused = chat(&simulator, &body(600)).await;
    assert_eq!((refused.status().as_u16(), header(&refused, "x-ratelimit-limit-tokens")), (429, Some("1000")));
    let error: Value = refused.json().await.unwrap();
    assert_eq!(error["error"]["type"], "tokens");
    assert!(error["error"]["message"].as_str().unwrap().contains("Please try again in 60s"), "{error}");
    let too_large: Value = chat(&simulator, &body(2_000)).await.json().await.unwrap();
    assert!(too_large["error"]["message"].as_str().unwrap().starts_with("Request too large"), "{too_large}");
}

/// A prompt of five blocks and a bit, whose last words alone are this call's own.
fn long_body(own: &str, change: &Value) -> Value {
    let mut body = json!({ "model": "m", "max_completion_tokens": 100, "messages": [
        { "role": "system", "content": "s".repeat(1_200) }, { "role": "user", "content": "u".repeat(1_400) + own } ] });
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn the_start_of_a_prompt_is_cached_and_reported() {
    let cached = |answer: &Value| answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
    let clock = Clock::manual(1_000_000);
    let simulator = start(SimulatorConfig { clock: clock.clone(), ..SimulatorConfig::unlimited() }).await;
    let ask = async |own: &str, change: Value| -> Value {
        chat(&simulator, &long_body(own, &change)).await.json().await.unwrap()
    };
    assert_eq!(cached(&ask("first", json!({})).await), 0);
    let again = ask("second", json!({})).await;
    assert_eq!((cached(&again), again["usage"]["prompt_tokens"].as_u64()), (5 * 128, Some(300 + 352)));
    assert_eq!(cached(&ask("first", json!({ "model": "other" })).await), 0, "each model has a cache of its own");
    let stream = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let stream = chat(&simulator, &long_body("third", &stream)).await.text().await.unwrap();
    let told = |pointer: &str| {
        let chunks = events(&stream).into_iter().filter_map(|data| serde_json::from_str::<Value>(data).ok());
        chunks.filter_map(|chunk| chunk.pointer(pointer).and_then(Value::as_u64)).collect::<Vec<_>>()
    };
    assert_eq!(told("/x_groq/usage/prompt_tokens_details/cached_tokens"), [640]);
    assert_eq!(told("/usage/prompt_tokens_details/cached_tokens"), [640]);
    clock.advance(Duration::from_hours(2));
    assert_eq!(cached(&ask("fourth", json!({})).await), 0, "it is not held for ever");
    let calls = simulator.calls();
    assert_eq!((calls.models["m"].accepted, calls.models["m"].cached_tokens), (4, 2 * 640));
    let off = start(SimulatorConfig { prefix_cache: None, ..SimulatorConfig::unlimited() }).await;
    for _ in 0..2 {
        let answer: Value = chat(&off, &long_body("x", &json!({}))).await.json().await.unwrap();
        assert_eq!(cached(&answer), 0);
    }
}

#[tokio::test]
async fn a_prompt_that_failed_is_not_cached() {
    let simulator = unlimited().await;
    let failed = FaultKind::Status { code: 503, body: None, retry_after: None, retry_after_ms: None };
    simulator.set_faults(vec![Fault::chat(failed).times(1)]).unwrap();
    assert_eq!(chat(&simulator, &long_body("x", &json!({}))).await.status(), 503);
    let answer: Value = chat(&simulator, &long_body("x", &json!({}))).await.json().await.unwrap();
    assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
}

#[tokio::test]
async fn cached_tokens_count_against_no_limit() {
    let limits = Limits { tokens_per_minute: Some(1_200), ..Limits::default() };
    for (prefix_cache, expected) in [(Some(Duration::from_hours(2)), 200), (None, 429)] {
        let simulator = start(SimulatorConfig {
            model_limits: [("m".to_owned(), limits)].into(),
            prefix_cache,
            clock: Clock::manual(1_000_000),
            ..SimulatorConfig::default()
        })
        .await;
        // 652 tokens and 100 at most; then 12 and 100.
        assert_eq!(chat(&simulator, &long_body("a", &json!({}))).await.status(), 200);
        assert_eq!(chat(&simulator, &long_body("b", &json!({}))).await.status(), expected);
    }
}

#[tokio::test]
async fn a_model_has_limits_of_its_own_and_the_most_in_a_minute_is_counted() {
    let clock = Clock::manual(1_000_000);
    let simulator = start(SimulatorConfig {
        llm_requests_per_minute: Some(1),
        model_limits: parse_model_limits("own=2rpm,tight=500tpm/100000tpd").unwrap(),
        clock: clock.clone(),
        ..SimulatorConfig::default()
    })
    .await;
    let ask = async |model: &str| chat(&simulator, &long_body("x", &json!({ "model": model }))).await.status().as_u16();
    assert_eq!([ask("a").await, ask("b").await], [200, 429], "the others share the key's");
    assert_eq!([ask("own").await, ask("own").await, ask("own").await], [200, 200, 429]);
    clock.advance(Duration::from_secs(30));
    assert_eq!([ask("own").await, ask("tight").await], [429, 413]);
    clock.advance(Duration::from_secs(30));
    assert_eq!(ask("own").await, 200);
    let calls = client().get(simulator.base_url() + "/_calls").send().await.unwrap();
    let Calls { models, .. } = calls.json().await.unwrap();
    let own = &models["own"];
    assert_eq!((own.accepted, own.over_requests, own.over_tokens, own.most_calls), (3, 2, 0, 2));
    // The same request is answered alike: a third of all that was written, each time.
    assert_eq!(own.most_tokens, 2 * 651 - 640 + own.completion_tokens / 3 * 2);
    assert_eq!((models["tight"].over_tokens, models["tight"].accepted), (1, 0));
}

#[tokio::test]
async fn a_share_of_the_answers_is_malformed_whatever_the_faults() {
    let simulator = start(SimulatorConfig { malformed: 0.3, ..SimulatorConfig::unlimited() }).await;
    simulator.set_faults(Vec::new()).unwrap();
    let sound = content(draft(&unlimited().await).await).await;
    let mut malformed = 0;
    for _ in 0..100 {
        malformed += u64::from(content(draft(&simulator).await).await != sound);
    }
    assert!((29..=31).contains(&malformed), "{malformed}");
    assert_eq!(simulator.calls().chat.faulted, malformed);
}

#[tokio::test]
async fn agents_get_a_tools_call_and_then_a_final_answer() {
    let simulator = unlimited().await;
    let told = "Use this format:\nAction: the action to take, only one name of [web_search, wiki], exactly.\n\
        Observation: the result\nFinal Answer: the final answer";
    let ask =
        async |messages: Value| content(chat(&simulator, &json!({ "model": "m", "messages": messages })).await).await;
    let system = json!({ "role": "system", "content": told });
    let user = json!({ "role": "user", "content": "The tides" });
    let call = ask(json!([system, user])).await;
    assert!(call.ends_with("Action: web_search\nAction Input: {\"query\":\"The tides\"}"), "{call}");
    let seen = json!({ "role": "assistant", "content": format!("{call}\nObservation: They come and go.") });
    let answer = ask(json!([system, user, seen, { "role": "user", "content": "The tides" }])).await;
    assert!(answer.starts_with("Thought: ") && answer.contains("\nFinal Answer: "), "{answer}");
    assert!(!ask(json!([user])).await.contains("Final Answer:"));
}

#[tokio::test]
async fn a_search_has_tavilys_shape() {
    let simulator = unlimited().await;
    let body = json!({ "query": "harbour silt removal", "max_results": 7, "include_usage": true, "include_answer": true,
        "search_depth": "advanced", "include_raw_content": "markdown" });
    let answer: Value = search(&simulator, &body).await.json().await.unwrap();
    assert_eq!((&answer["query"], &answer["usage"]["credits"]), (&json!("harbour silt removal"), &json!(2)));
    assert!(answer["response_time"].is_number() && answer["request_id"].is_string() && answer["answer"].is_string());
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 7);
    let scores: Vec<_> = results.iter().map(|result| result["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a > b) && scores[0] < 1.0, "{scores:?}");
    for result in results {
        assert!(result["url"].as_str().unwrap().starts_with("https://"), "{result}");
        let content = result["content"].as_str().unwrap().to_lowercase();
        assert!((2..=4).contains(&content.matches('.').count()), "{content}");
        assert!(["harbour", "silt", "removal"].iter().any(|word| content.contains(word)), "{content}");
        assert!(result["raw_content"].is_string());
    }
    let only = json!({ "query": "silt", "include_domains": ["silt.example"], "max_results": 2 });
    let answer: Value = search(&simulator, &only).await.json().await.unwrap();
    assert!(answer["results"][0]["url"].as_str().unwrap().starts_with("https://silt.example/"));
}

#[tokio::test]
async fn refused_searches_have_tavilys_errors() {
    let simulator = start(SimulatorConfig {
        search_requests_per_minute: Some(3),
        search_credits: Some(2),
        clock: Clock::manual(1_000_000),
        ..SimulatorConfig::default()
    })
    .await;
    let url = simulator.base_url() + "/search";
    let keyless = client().post(url).json(&json!({ "query": "x" })).send().await.unwrap();
    let query = json!({ "query": "x" });
    let cases = [
        (keyless, 401),
        (search(&simulator, &json!({ "query": "x".repeat(401) })).await, 400),
        (search(&simulator, &json!({ "query": " " })).await, 400),
        (search(&simulator, &json!({ "q": "x" })).await, 400),
        (search(&simulator, &json!({ "query": "x", "max_results": 21 })).await, 400),
        (search(&simulator, &json!({ "query": "x", "search_depth": "abyssal" })).await, 400),
        (search(&simulator, &query).await, 200),
        (search(&simulator, &query).await, 200),
        (search(&simulator, &query).await, 432),
        (search(&simulator, &query).await, 429),
    ];
    for (response, status) in cases {
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "retry-after").is_some(), status == 429);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["detail"]["error"].is_string(), status != 200, "{body}");
    }
    let calls = simulator.calls().search;
    assert_eq!((calls.accepted, calls.rejected_429, calls.refused), (3, 1, 6));
}

async fn embeddings(simulator: &Simulator, body: &Value) -> Response {
    let url = format!("{}/embeddings", simulator.embeddings_base_url());
    client().post(url).bearer_auth("sk-test").json(body).send().await.unwrap()
}

#[tokio::test]
async fn embeddings_have_openais_shape_and_come_in_any_order() {
    let simulator = unlimited().await;
    let body = json!({ "model": "hashed-words", "input": ["scans", "prices", "scans"] });
    let answer: Value = embeddings(&simulator, &body).await.json().await.unwrap();
    let data = answer["data"].as_array().unwrap();
    assert_eq!(data.iter().map(|item| item["index"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 1, 0]);
    assert_eq!(data[0]["embedding"], data[2]["embedding"], "the same text, the same vector");
    assert_ne!(data[0]["embedding"], data[1]["embedding"]);
    assert_eq!(data[0]["embedding"].as_array().unwrap().len(), 256);
    assert_eq!((&answer["model"], &answer["usage"]["prompt_tokens"]), (&json!("hashed-words"), &json!(6)));
    let one: Value = embeddings(&simulator, &json!({ "model": "m", "input": "scans" })).await.json().await.unwrap();
    assert_eq!(one["data"][0]["embedding"], data[0]["embedding"]);
    for input in [json!([]), json!([""]), json!(vec!["x"; 2_049]), json!(7)] {
        let refused = embeddings(&simulator, &json!({ "model": "m", "input": input })).await;
        assert_eq!(refused.status(), 400);
    }
    assert_eq!((simulator.calls().embeddings.accepted, simulator.calls().embeddings.refused), (2, 4));
    simulator.set_faults(vec![Fault::embeddings(FaultKind::RateLimited { retry_after: None })]).unwrap();
    assert_eq!(embeddings(&simulator, &body).await.status(), 429);
    assert!(simulator.set_faults(vec![Fault::embeddings(FaultKind::Refusal)]).is_err(), "vectors refuse nothing");
}

#[tokio::test]
async fn faults_are_set_listed_and_deleted_over_http() {
    let simulator = unlimited().await;
    let url = simulator.base_url() + "/_faults";
    let client = client();
    let put = |body: &'static str| client.put(&url).body(body).send();
    let armed = put(r#"[{"endpoint": "search", "kind": {"status": {"code": 503}}, "times": 1}]"#).await.unwrap();
    assert_eq!(armed.json::<Value>().await.unwrap()[0]["fired"], 0);
    assert_eq!(search(&simulator, &json!({ "query": "x" })).await.status(), 503);
    assert_eq!(search(&simulator, &json!({ "query": "x" })).await.status(), 200);
    let listed: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!((&listed[0]["fired"], &listed[0]["kind"]["status"]["code"]), (&json!(1), &json!(503)));
    let wrong = put(r#"[{"kind": "hang", "rate": 7}]"#).await.unwrap();
    assert_eq!((wrong.status().as_u16(), header(&wrong, "content-type")), (422, Some("application/problem+json")));
    let problem: Value = wrong.json().await.unwrap();
    assert_eq!(problem["errors"][0]["pointer"], "/0/rate", "{problem}");
    assert_eq!(put("[").await.unwrap().status(), 400);
    assert_eq!(simulator.faults().len(), 1);
    assert_eq!(client.delete(&url).send().await.unwrap().status(), 204);
    assert!(simulator.faults().is_empty());
}

#[tokio::test]
async fn status_faults_answer_in_the_providers_words() {
    let simulator = unlimited().await;
    let status =
        |code, body, retry_after, retry_after_ms| FaultKind::Status { code, body, retry_after, retry_after_ms };
    let date = RetryAfter::Text("Wed, 21 Oct 2026 07:28:00 GMT".into());
    simulator
        .set_faults(vec![
            Fault::chat(status(498, None, None, Some(1_500))).times(1),
            Fault::chat(status(429, None, Some(date), None)).times(1),
            Fault::chat(status(502, Some(json!("<html>Bad gateway</html>")), None, None)).times(1),
            Fault::any(FaultKind::RateLimited { retry_after: Some(RetryAfter::Seconds(9)) }).times(2),
            Fault::any(FaultKind::RateLimited { retry_after: None }),
        ])
        .unwrap();
    let capacity = draft(&simulator).await;
    assert_eq!((capacity.status().as_u16(), header(&capacity, "retry-after-ms")), (498, Some("1500")));
    assert_eq!(header(&draft(&simulator).await, "retry-after"), Some("Wed, 21 Oct 2026 07:28:00 GMT"));
    assert_eq!(draft(&simulator).await.text().await.unwrap(), "<html>Bad gateway</html>");
    let limited = draft(&simulator).await;
    assert_eq!((limited.status().as_u16(), header(&limited, "retry-after")), (429, Some("9")));
    assert!(limited.text().await.unwrap().contains("try again in 9s"));
    assert_eq!(header(&search(&simulator, &json!({ "query": "x" })).await, "retry-after"), Some("9"));
    let limited = draft(&simulator).await;
    assert_eq!(header(&limited, "retry-after"), None);
    assert!(!limited.text().await.unwrap().contains("try again"));
    // The provider counts spoilt calls as taken: only its own limits make a call rejected.
    let calls = simulator.calls().chat;
    assert_eq!((calls.accepted, calls.faulted, calls.rejected_429), (5, 5, 0));
}

/// The message that a fault leaves.
async fn spoilt(simulator: &Simulator, kind: FaultKind, stage: &str, change: &Value) -> (String, String) {
    simulator.set_faults(vec![Fault::chat(kind)]).unwrap();
    let answer: Value = chat(simulator, &chat_body(stage, change)).await.json().await.unwrap();
    let choice = &answer["choices"][0];
    let text = choice["message"]["content"].as_str().unwrap().to_owned();
    (text, choice["finish_reason"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn faults_of_the_words_fail_as_models_do() {
    let simulator = unlimited().await;
    let sound = content(draft(&simulator).await).await;
    let prompt = PROMPT.replace("STAGE", "draft");
    let check = async |kind: FaultKind, finish: &str, holds: &dyn Fn(&str) -> bool| {
        let (text, ends) = spoilt(&simulator, kind.clone(), "draft", &json!({})).await;
        assert!(holds(&text), "{kind:?}: {text}");
        assert_eq!(ends, finish, "{kind:?}");
    };
    check(FaultKind::EmptyText, "stop", &|text| text.is_empty()).await;
    check(FaultKind::Echo, "stop", &|text| text == prompt).await;
    check(FaultKind::Refusal, "stop", &|text| text.starts_with("As an AI language model")).await;
    check(FaultKind::Repetition, "stop", &|text| text.matches("It is important to understand").count() >= 8).await;
    check(FaultKind::WrongLanguage, "stop", &|text| text.starts_with("Ce texte")).await;
    check(FaultKind::Huge { bytes: 1_000_000 }, "stop", &|text| text.len() == 1_000_000).await;
    check(FaultKind::PromptLeak, "stop", &|text| text == format!("You are a careful writer.\n\n{sound}")).await;
    check(FaultKind::MidSentence, "length", &|text| sound.starts_with(text) && text.ends_with(char::is_alphanumeric))
        .await;
    let content = Some(Part::Content);
    check(FaultKind::TruncatedJson { part: content }, "stop", &|text| {
        sound.starts_with(text) && text.len() < sound.len()
    })
    .await;
    check(FaultKind::WrongShape { part: content }, "stop", &|text| text.starts_with("{\"answer\"")).await;
}

#[tokio::test]
async fn faults_of_structured_answers_spoil_the_message() {
    let simulator = unlimited().await;
    let json = json!({ "response_format": { "type": "json_object" } });
    let spoilt = async |kind: FaultKind| spoilt(&simulator, kind, "outline", &json).await.0;
    let parsed = |text: &str| serde_json::from_str::<Value>(text);
    let truncated = spoilt(FaultKind::TruncatedJson { part: None }).await;
    assert!(truncated.starts_with('{') && parsed(&truncated).is_err(), "{truncated}");
    let wrong = spoilt(FaultKind::WrongShape { part: None }).await;
    assert!(parsed(&wrong).unwrap().get("sections").is_none(), "{wrong}");
    let prose = spoilt(FaultKind::JsonInProse).await;
    assert!(parsed(&prose).is_err() && prose.contains("```json\n{"), "{prose}");
    let foreign = spoilt(FaultKind::WrongLanguage).await;
    assert!(parsed(&foreign).unwrap()["title"].as_str().unwrap().starts_with("Ce texte"), "{foreign}");
}

#[tokio::test]
async fn faults_of_the_wire_spoil_the_body() {
    let simulator = unlimited().await;
    let spoil = |kind| simulator.set_faults(vec![Fault::any(kind)]).unwrap();
    spoil(FaultKind::TruncatedJson { part: None });
    assert!(draft(&simulator).await.json::<Value>().await.is_err());
    assert!(search(&simulator, &json!({ "query": "x" })).await.json::<Value>().await.is_err());
    spoil(FaultKind::WrongShape { part: None });
    assert!(draft(&simulator).await.json::<Value>().await.unwrap().get("choices").is_none());
    assert!(search(&simulator, &json!({ "query": "x" })).await.json::<Value>().await.unwrap().get("results").is_none());
    spoil(FaultKind::Reset);
    for stream in [false, true] {
        let response = chat(&simulator, &chat_body("draft", &json!({ "stream": stream }))).await;
        assert_eq!(response.status(), 200);
        assert!(response.bytes().await.is_err());
    }
    assert!(search(&simulator, &json!({ "query": "x" })).await.bytes().await.is_err());
    spoil(FaultKind::EmptyText);
    let empty: Value = search(&simulator, &json!({ "query": "x" })).await.json().await.unwrap();
    assert_eq!(empty["results"], json!([]));
}

#[tokio::test]
async fn faults_of_streams_end_them_badly() {
    let simulator = unlimited().await;
    let streamed = async |kind: FaultKind| {
        simulator.set_faults(vec![Fault::chat(kind)]).unwrap();
        chat(&simulator, &chat_body("draft", &json!({ "stream": true }))).await.text().await.unwrap()
    };
    let plain = streamed(FaultKind::StreamError { as_event: false }).await;
    let last: Value = serde_json::from_str(events(&plain).last().unwrap()).unwrap();
    assert!(last["error"]["message"].is_string() && !streamed_text(&plain).is_empty(), "{plain}");
    let event = streamed(FaultKind::StreamError { as_event: true }).await;
    assert!(event.contains("\n\nevent: error\ndata: {\"error\""), "{event}");
    let cut = streamed(FaultKind::TruncatedJson { part: None }).await;
    assert!(!cut.contains("[DONE]") && !cut.ends_with('\n'), "{cut}");
    // Only a stream can fail like this.
    assert_eq!(draft(&simulator).await.status(), 200);
    simulator.set_faults(vec![Fault::chat(FaultKind::StreamError { as_event: false })]).unwrap();
    assert!(!content(draft(&simulator).await).await.is_empty());
}

#[tokio::test]
async fn a_hanging_call_says_nothing_until_the_simulator_stops() {
    let simulator = unlimited().await;
    simulator.set_faults(vec![Fault::any(FaultKind::Hang)]).unwrap();
    let url = simulator.base_url() + "/search";
    let call = client().post(url).bearer_auth("k").json(&json!({ "query": "x" })).timeout(Duration::from_millis(200));
    assert!(call.try_clone().unwrap().send().await.unwrap_err().is_timeout());
    let hanging = tokio::spawn(call.timeout(Duration::from_secs(30)).send());
    while simulator.calls().search.faulted < 2 {
        tokio::task::yield_now().await;
    }
    simulator.stop().await;
    let body = match hanging.await.unwrap() {
        Ok(response) => response.bytes().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(body.is_err());
}

#[tokio::test]
async fn calls_are_under_way_until_they_are_answered_or_given_up() {
    let simulator = unlimited().await;
    simulator.set_faults(vec![Fault::any(FaultKind::Hang)]).unwrap();
    let query = json!({ "query": "any" });
    let calls = async { tokio::join!(draft(&simulator), search(&simulator, &query)) };
    let all_there = async {
        while simulator.under_way() < 2 {
            tokio::task::yield_now().await;
        }
    };
    let both = async {
        tokio::select! { _ = calls => false, () = all_there => true }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), both).await.unwrap());
    let gone = async {
        while simulator.under_way() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[tokio::test]
async fn slow_answers_arrive_whole() {
    let simulator = unlimited().await;
    let sound = content(draft(&simulator).await).await;
    simulator
        .set_faults(vec![Fault::any(FaultKind::SlowDrip { ms_per_chunk: 1 }), Fault::any(FaultKind::Hang)])
        .unwrap();
    assert_eq!(content(draft(&simulator).await).await, sound);
    let stream = chat(&simulator, &chat_body("draft", &json!({ "stream": true }))).await.text().await.unwrap();
    assert_eq!(streamed_text(&stream), sound);
    let started = Instant::now();
    simulator.set_faults(vec![Fault::any(FaultKind::Delay { ms: 60 })]).unwrap();
    assert_eq!(search(&simulator, &json!({ "query": "x" })).await.status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(60));
    let paced = start(SimulatorConfig { tokens_per_second: Some(5_000.0), ..SimulatorConfig::unlimited() }).await;
    let started = Instant::now();
    let answer: Value = draft(&paced).await.json().await.unwrap();
    let seconds = answer["usage"]["completion_time"].as_f64().unwrap();
    assert!(seconds > 0.05 && started.elapsed().as_secs_f64() >= seconds, "{seconds}");
}

#[tokio::test]
async fn a_fault_for_a_stage_leaves_the_others_alone() {
    let simulator = unlimited().await;
    simulator.set_faults(vec![Fault::chat(FaultKind::EmptyText).stage(Stage::Review)]).unwrap();
    assert!(!content(draft(&simulator).await).await.is_empty());
    assert!(content(chat(&simulator, &chat_body("review", &json!({}))).await).await.is_empty());
    let wrong = Fault { endpoint: Endpoint::Search, ..Fault::any(FaultKind::Refusal) };
    assert!(simulator.set_faults(vec![wrong]).is_err());
}

#[tokio::test]
async fn a_stopped_simulator_is_gone_and_its_port_free() {
    let simulator = unlimited().await;
    let listen = simulator.address();
    let taken = Simulator::start(SimulatorConfig { listen, ..SimulatorConfig::default() }).await.unwrap_err();
    assert_eq!(taken.to_string(), format!("cannot listen on {listen}"));
    simulator.stop().await;
    assert!(client().get(format!("http://{listen}/health")).send().await.unwrap_err().is_connect());
    let again = start(SimulatorConfig { listen, ..SimulatorConfig::default() }).await;
    assert_eq!(again.address(), listen);
}

const RULED: &str = "<house_rules>\n<rule>Use no exclamation marks.</rule>\n</house_rules>";

/// A call with a system message.
fn told(system: &str, user: &str, n: usize) -> Value {
    let user = user.replace("<topic>", &format!("<topic>{n}, "));
    json!({ "model": "m", "messages": [{ "role": "system", "content": system }, { "role": "user", "content": user }] })
}

async fn exclaiming(simulator: &Simulator, system: &str) -> usize {
    let mut count = 0;
    for n in 0..40 {
        let text = content(chat(simulator, &told(system, &PROMPT.replace("STAGE", "draft"), n)).await).await;
        count += usize::from(text.contains('!'));
    }
    count
}

#[tokio::test]
async fn house_rules_are_heeded_as_often_as_is_set() {
    let simulator = start(SimulatorConfig { prompts_kept: 1, ..SimulatorConfig::unlimited() }).await;
    let (http, url) = (client(), format!("{}/_behaviour", simulator.base_url()));
    let unruled = exclaiming(&simulator, "You write.").await;
    let put = |body: &str| http.put(&url).body(body.to_owned()).send();
    assert_eq!(put(r#"{"follow":1.0}"#).await.unwrap().json::<Value>().await.unwrap()["follow"], 1.0);
    assert_eq!(exclaiming(&simulator, RULED).await, 0);
    assert_eq!(simulator.prompted()[0].system, RULED);
    assert_eq!(put(r#"{"follow":0.0}"#).await.unwrap().status(), 200);
    let ignored = exclaiming(&simulator, RULED).await;
    assert!(unruled >= 10 && ignored >= 10, "{unruled} {ignored}");
    for (body, status) in [(r#"{"follow":1.1}"#, 422), (r#"{"taste":-1}"#, 422), ("{", 400), (r#"{"x":1}"#, 400)] {
        assert_eq!(put(body).await.unwrap().status(), status, "{body}");
    }
    let now: Value = http.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(now, json!({ "follow": 0.0, "taste": 0.2 }), "what cannot be is not set");
}

#[tokio::test]
async fn an_editors_taste_moves_its_scores() {
    let simulator = unlimited().await;
    let scores = async || {
        let mut scores = Vec::new();
        for n in 0..30 {
            let draft = format!("<draft>{}</draft>\n<task", "The sea rises twice a day [1]. ".repeat(40));
            let body = told("", &PROMPT.replace("STAGE", "review").replacen("<task", &draft, 1), n);
            let answer: Value = serde_json::from_str(&content(chat(&simulator, &body).await).await).unwrap();
            scores.push(answer["criteria"]["voice"].as_f64().unwrap());
        }
        scores.iter().copied().fold(0.0, f64::max) - scores.iter().copied().fold(10.0, f64::min)
    };
    let usual = scores().await;
    simulator.set_behaviour(Behaviour { taste: 2.5, ..Behaviour::default() }).unwrap();
    let wide = scores().await;
    assert!(wide > usual + 1.0, "{usual} {wide}");
}

#[tokio::test]
async fn a_comment_is_distilled_to_the_schema() {
    let simulator = unlimited().await;
    let user = "<comment>No emoji, please. Tell stories of patients.</comment>\n<task stage=\"distill\"/>";
    let item = json!({ "type": "object", "additionalProperties": false,
        "required": ["kind", "value", "over", "number", "wanted"], "properties": { "kind": { "type": "string" },
        "value": { "type": "string" }, "over": { "type": "string" }, "number": { "type": "integer" },
        "wanted": { "type": "boolean" } } });
    let schema = json!({ "type": "object", "additionalProperties": false, "required": ["lessons"], "properties": {
        "lessons": { "type": "array", "items": item } } });
    let mut body = told("Distill.", user, 0);
    body["response_format"] =
        json!({ "type": "json_schema", "json_schema": { "name": "d", "schema": schema, "strict": true } });
    let answer: Value = serde_json::from_str(&content(chat(&simulator, &body).await).await).unwrap();
    let expected = json!({ "lessons": [
        { "kind": "punctuation", "value": "emoji", "over": "", "number": 0, "wanted": false },
        { "kind": "note", "value": "Tell stories of patients.", "over": "", "number": 0, "wanted": true },
    ] });
    assert_eq!(answer, expected);
}
