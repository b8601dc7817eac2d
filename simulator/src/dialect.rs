//! Sound answers in the words of other servers: what their fields hold, and how their bytes come. When one is
//! sent is the fault rules' business.

use std::collections::VecDeque;
use std::io::Write;

use axum::http::{HeaderName, HeaderValue, header};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::delivery::Delivery;

/// A brotli block that is not compressed holds so many bytes at most.
const BLOCK_BYTES: usize = 65_536;

/// How a server words a sound answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// The content is a list: the model's thoughts, then the text in two parts.
    ContentParts,
    /// `usage` is null.
    UsageNull,
    /// `usage` is not there.
    UsageMissing,
    /// The counts of `usage` are fractions.
    UsageFractional,
    /// The counts of `usage` are strings.
    UsageStrings,
    /// The counts of `usage` are less than none.
    UsageNegative,
    /// `choices` is null where there is none; the last deltas are null.
    NullChoices,
    /// The reason why a message ends is an object.
    OddFinish,
    /// Fields that nobody knows, and known ones of another type: thoughts, numbers as strings, an empty error.
    OddFields,
    /// A number is `NaN`, and half of a surrogate pair stands in a string.
    OddJson,
    /// The first result of a search has no title.
    TitleNull,
    /// The first result of a search has no address, and scores are strings.
    UrlNull,
    /// The content type is wrong.
    ContentType,
    /// The body begins with a byte-order mark.
    ByteOrderMark,
    /// The body is compressed, though that was not asked for.
    Gzip,
    /// The same with deflate.
    Deflate,
    /// The same with brotli.
    Brotli,
    /// It is compressed with gzip, and no header says so.
    GzipUnnamed,
    /// A stream has no `[DONE]`, nor the last event's blank line.
    NoDone,
    /// A stream's fields have no blank behind their colon, and its lines end in CRLF.
    NoBlank,
    /// Comments, empty events and other words stand in a stream.
    KeepAlive,
    /// A stream where one piece was asked for, and the other way round.
    OtherWay,
}

impl Dialect {
    /// An answer or a chunk in these words.
    pub(crate) fn word(self, body: &mut Value) {
        match self {
            Self::ContentParts => each_message(body, |message| {
                if let Some(text) = message.get("content").and_then(Value::as_str) {
                    let (first, second) = text.split_at(text.floor_char_boundary(text.len() / 2));
                    message["content"] = json!([
                        { "type": "thinking", "thinking": [{ "type": "text", "text": "They want a text." }] },
                        { "type": "text", "text": first },
                        { "type": "text", "text": second },
                    ]);
                }
            }),
            Self::UsageNull => each_usage(body, |_| Value::Null),
            Self::UsageMissing => {
                for part in [body.as_object_mut()].into_iter().flatten() {
                    part.remove("usage");
                    part.remove("x_groq");
                }
            }
            Self::UsageFractional => each_usage(body, |usage| counts(usage, |count| json!(count as f64 + 0.4))),
            Self::UsageStrings => each_usage(body, |usage| counts(usage, |count| json!(count.to_string()))),
            Self::UsageNegative => each_usage(body, |usage| counts(usage, |_| json!(-1))),
            Self::NullChoices => null_choices(body),
            Self::OddFinish => each_choice(body, |choice| {
                if choice["finish_reason"] == "stop" {
                    choice["finish_reason"] = json!({ "type": "stop" });
                }
            }),
            Self::OddFields => odd_fields(body),
            Self::TitleNull => body["results"][0]["title"] = Value::Null,
            Self::UrlNull => {
                for result in body["results"].as_array_mut().into_iter().flatten() {
                    result["score"] = json!(result["score"].to_string());
                }
                body["results"][0]["url"] = Value::Null;
            }
            _ => {}
        }
    }

    /// Whether the words of the bodies are this dialect's, and not only the way of their bytes.
    fn is_of_words(self) -> bool {
        use Dialect as D;
        matches!(
            self,
            D::ContentParts
                | D::UsageNull
                | D::UsageMissing
                | D::UsageFractional
                | D::UsageStrings
                | D::UsageNegative
                | D::NullChoices
                | D::OddFinish
                | D::OddFields
        )
    }

    /// A stream's events in this dialect.
    pub(crate) fn events(self, frames: VecDeque<Bytes>) -> VecDeque<Bytes> {
        let mut events: VecDeque<Bytes> = frames.into_iter().map(|frame| self.event(frame)).collect();
        match self {
            Self::NoDone => {
                events.pop_back();
                if let Some(last) = events.back_mut() {
                    last.truncate(last.trim_ascii_end().len());
                }
            }
            Self::KeepAlive => events.push_front(Bytes::from_static(b": connected\n\n\n")),
            _ => {}
        }
        events
    }

    fn event(self, frame: Bytes) -> Bytes {
        let text = String::from_utf8_lossy(&frame).into_owned();
        let data = text.strip_prefix("data: ").and_then(|data| serde_json::from_str::<Value>(data.trim_end()).ok());
        match (self, data) {
            (dialect, Some(mut data)) if dialect.is_of_words() => {
                dialect.word(&mut data);
                format!("data: {data}\n\n").into()
            }
            (Self::OddJson, Some(data)) => format!("data: {}\n\n", odd_json(&data.to_string())).into(),
            (Self::NoBlank, _) => text.replace("data: ", "data:").replace('\n', "\r\n").into(),
            (Self::KeepAlive, _) => format!(": ping\n\nevent: ping\ndata: \n\ndata: still here\n\n{text}").into(),
            _ => frame,
        }
    }

    /// The text of a body in this dialect.
    pub(crate) fn text(self, body: &Value) -> String {
        let mut body = body.clone();
        self.word(&mut body);
        let text = body.to_string();
        if self == Self::OddJson { odd_json(&text) } else { text }
    }

    /// The bytes as they come, and the headers that go with them.
    pub(crate) fn deliver(self, mut delivery: Delivery) -> (Delivery, Option<(HeaderName, HeaderValue)>) {
        let encoding = |name| Some((header::CONTENT_ENCODING, HeaderValue::from_static(name)));
        let header = match self {
            Self::ContentType => Some((header::CONTENT_TYPE, HeaderValue::from_static("text/html"))),
            Self::Gzip => encoding("gzip"),
            Self::Deflate => encoding("deflate"),
            Self::Brotli => encoding("br"),
            _ => None,
        };
        let frames = std::mem::take(&mut delivery.frames);
        delivery.frames = match self {
            Self::ByteOrderMark => [Bytes::from_static(b"\xef\xbb\xbf")].into_iter().chain(frames).collect(),
            Self::Gzip | Self::GzipUnnamed => {
                let packer = GzEncoder::new(Vec::new(), Compression::fast());
                packed(frames, packer, |packer| std::mem::take(packer.get_mut()), GzEncoder::finish)
            }
            Self::Deflate => {
                let packer = ZlibEncoder::new(Vec::new(), Compression::fast());
                packed(frames, packer, |packer| std::mem::take(packer.get_mut()), ZlibEncoder::finish)
            }
            Self::Brotli => brotli(&frames),
            _ => frames,
        };
        (delivery, header)
    }
}

fn each_choice(body: &mut Value, change: impl Fn(&mut Value)) {
    body.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten().for_each(change);
}

fn each_message(body: &mut Value, change: impl Fn(&mut Value)) {
    each_choice(body, |choice| {
        for name in ["message", "delta"] {
            if let Some(message) = choice.get_mut(name) {
                change(message);
            }
        }
    });
}

fn each_usage(body: &mut Value, change: impl Fn(&Value) -> Value) {
    for pointer in ["/usage", "/x_groq/usage"] {
        if let Some(usage) = body.pointer_mut(pointer) {
            *usage = change(usage);
        }
    }
}

fn counts(usage: &Value, change: impl Fn(u64) -> Value) -> Value {
    let mut changed = usage.clone();
    for name in ["prompt_tokens", "completion_tokens", "total_tokens"] {
        if let Some(count) = usage.get(name).and_then(Value::as_u64) {
            changed[name] = change(count);
        }
    }
    changed
}

fn null_choices(body: &mut Value) {
    if body.get("choices").is_some_and(|choices| choices == &json!([])) {
        body["choices"] = Value::Null;
    }
    each_choice(body, |choice| {
        if choice.get("delta") == Some(&json!({})) {
            choice["delta"] = Value::Null;
        }
    });
}

fn odd_fields(body: &mut Value) {
    for (name, value) in [
        ("created", json!("now")),
        ("model", json!(7)),
        ("object", Value::Null),
        ("error", json!({ "message": "", "code": null })),
        ("system_fingerprint", json!([1, 2])),
        ("provider", json!({ "name": 5 })),
    ] {
        body[name] = value;
    }
    each_choice(body, |choice| (choice["index"], choice["logprobs"]) = (json!("zero"), json!(false)));
    each_message(body, |message| {
        message["role"] = json!(["assistant"]);
        message["reasoning_content"] = json!("They want a text.");
        message["reasoning"] = json!({ "effort": 3 });
        message["tool_calls"] = json!({});
        message["refusal"] = Value::Null;
    });
}

/// `NaN` as Python writes it, and half of a pair.
fn odd_json(text: &str) -> String {
    text.replacen('{', "{\"entropy\": NaN, \"least\": -Infinity, \"cut\": \"\\ud83d\", ", 1)
}

/// Frame by frame, so that each can be read when it comes.
fn packed<W: Write>(
    frames: VecDeque<Bytes>,
    mut packer: W,
    take: impl Fn(&mut W) -> Vec<u8>,
    finish: impl FnOnce(W) -> std::io::Result<Vec<u8>>,
) -> VecDeque<Bytes> {
    let mut packed = VecDeque::new();
    for frame in frames {
        // Memory takes whatever is written.
        let _ = packer.write_all(&frame).and_then(|()| packer.flush());
        packed.push_back(take(&mut packer).into());
    }
    packed.push_back(finish(packer).unwrap_or_default().into());
    packed
}

/// Blocks that are not compressed, which is brotli all the same.
fn brotli(frames: &VecDeque<Bytes>) -> VecDeque<Bytes> {
    let mut is_first = true;
    let mut blocks = VecDeque::new();
    for block in frames.iter().flat_map(|frame| frame.chunks(BLOCK_BYTES)) {
        let length = u32::try_from(block.len() - 1).unwrap_or(0);
        // The window's size in one bit; then: not the last, four digits of length, the length, not compressed.
        let (mut bits, head) = ((length << 3) | (1 << 19), if is_first { 1 } else { 0 });
        bits <<= head;
        let mut bytes = bits.to_le_bytes()[..3].to_vec();
        bytes.extend_from_slice(block);
        blocks.push_back(bytes.into());
        is_first = false;
    }
    blocks.push_back(Bytes::from_static(&[3]));
    blocks
}
