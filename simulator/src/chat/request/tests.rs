//! What is read of a request, what is refused, and how its prompt is cut into blocks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use axum::response::IntoResponse;
use serde_json::json;

use super::*;

fn request(change: &Value) -> Result<ChatRequest, GroqError> {
    let mut body = json!({ "model": "m", "messages": [
        { "role": "system", "content": "Write." }, { "role": "user", "content": "About json" }] });
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    parse(body.to_string().as_bytes())
}

fn status(change: &Value) -> u16 {
    request(change).map_or_else(|e| e.into_response().status().as_u16(), |_| 200)
}

#[test]
fn the_request_is_read() {
    let request = request(&json!({ "seed": 5, "stop": ["a", ""], "max_tokens": 9, "stream": true })).unwrap();
    assert_eq!((request.system_text(), request.last_user_text()), ("Write.", "About json"));
    assert_eq!((request.prompt_tokens(), request.max_tokens), (2 + 3, Some(9)));
    assert_eq!((request.stop.as_slice(), request.stream), (&["a".to_owned()][..], true));
    assert_eq!(request.identity(), ["Write.", "About json", "m", "5"]);
}

#[test]
fn blocks_are_of_all_that_goes_before_them() {
    let blocks = |system: &str, user: &str, key: &str, model: &str| {
        let messages = json!([{ "role": "system", "content": system }, { "role": "user", "content": user }]);
        request(&json!({ "messages": messages, "model": model })).unwrap().blocks(key)
    };
    // 100 tokens in the system message, and 2.5 blocks in all.
    let (system, user) = ("s".repeat(400), "ü".repeat(880));
    let whole = blocks(&system, &user, "k", "m");
    assert_eq!(whole.len(), 2);
    assert_eq!(blocks(&system, &format!("{user}more"), "k", "m"), whole);
    let other_end = blocks(&system, &format!("{}x", "ü".repeat(600)), "k", "m");
    assert_eq!((other_end[0], other_end.len()), (whole[0], 1));
    for other in [
        blocks("", &format!("{system}{user}"), "k", "m"),
        blocks(&system, &user, "k2", "m"),
        blocks(&system, &user, "k", "m2"),
    ] {
        assert!(other.iter().all(|block| !whole.contains(block)));
    }
    assert_eq!(blocks(&system, &"u".repeat(112), "k", "m").len(), 0, "the last token is always read");
    assert_eq!(blocks(&system, &"u".repeat(113), "k", "m").len(), 1);
}

#[test]
fn content_may_come_in_parts() {
    let parts = json!([{ "type": "text", "text": "a" }, { "type": "image_url", "image_url": { "url": "x" } }]);
    let request = request(&json!({ "messages": [{ "role": "user", "content": parts }] })).unwrap();
    assert_eq!(request.last_user_text(), "a");
}

#[test]
fn what_groq_refuses_is_refused() {
    let object = json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"],
        "additionalProperties": false });
    let schema = |schema: &Value, strict: bool| json!({ "type": "json_schema", "json_schema": { "name": "s", "schema": schema, "strict": strict } });
    let user = |text: &str| json!([{ "role": "user", "content": text }]);
    let cases = [
        (200, json!({})),
        (200, json!({ "temperature": 0.7, "top_p": 1, "service_tier": "auto", "reasoning_effort": "low" })),
        (400, json!({ "temperature": 3 })),
        (400, json!({ "temperature": "hot" })),
        (400, json!({ "tempratur": 1 })),
        (400, json!({ "n": 2 })),
        (400, json!({ "max_completion_tokens": 0 })),
        (400, json!({ "stop": ["a", "b", "c", "d", "e"] })),
        (400, json!({ "messages": [] })),
        (400, json!({ "messages": [{ "role": "robot", "content": "x" }] })),
        (422, json!({ "messages": user(" ") })),
        (404, json!({ "model": "no-such-model" })),
        (200, json!({ "response_format": { "type": "json_object" } })),
        (400, json!({ "response_format": { "type": "json_object" }, "messages": user("x") })),
        (400, json!({ "response_format": { "type": "xml" } })),
        (200, json!({ "response_format": schema(&object, true) })),
        (400, json!({ "response_format": schema(&object, true), "model": "no-strict-1" })),
        (400, json!({ "response_format": schema(&object, false), "model": "no-json-1" })),
        (400, json!({ "response_format": { "type": "json_object" }, "model": "no-json-1" })),
        (200, json!({ "response_format": { "type": "text" }, "model": "no-json-1" })),
        (400, json!({ "stream": true, "model": "no-stream-1" })),
        (200, json!({ "stream": false, "model": "no-stream-1" })),
        (200, json!({ "response_format": schema(&object, false), "model": "no-strict-1" })),
        (400, json!({ "response_format": schema(&json!({ "type": "object", "properties": {} }), true) })),
        (400, json!({ "response_format": schema(&json!([]), false) })),
    ];
    for (expected, change) in cases {
        assert_eq!(status(&change), expected, "{change}");
    }
    for body in ["", "{", "[]", "{}", r#"{"model": "m"}"#] {
        assert_eq!(parse(body.as_bytes()).unwrap_err().into_response().status(), 400, "{body}");
    }
}
