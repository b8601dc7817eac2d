//! JSON as servers and models really write it. Sound JSON is read as it is. What only some writers get wrong is
//! mended first: a byte-order mark, bytes that are no UTF-8, `NaN` for a number, half of a surrogate pair, a bare line
//! break in a string, a comma behind the last member, a backslash before what needs none. What was cut off stays cut
//! off.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde::de::IgnoredAny;
use serde_json::Value;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// What JSON knows behind a backslash.
const ESCAPES: &str = "\"\\/bfnrtu";
const GZIP_MAGIC: &[u8] = b"\x1f\x8b";

/// The first JSON value of a body; what follows it is not needed.
pub(crate) fn json(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let bytes = without_mark(bytes);
    first(bytes).or_else(|error| {
        let mended = mended(&String::from_utf8_lossy(bytes));
        // The first error tells more of what the server wrote.
        first(mended.as_bytes()).ok().filter(|value| value.is_object() || value.is_array()).ok_or(error)
    })
}

fn first(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    match values.next() {
        // A page that begins with a number is no JSON.
        Some(Ok(value)) if value.is_object() || value.is_array() => Ok(value),
        Some(_) => serde_json::from_slice(bytes),
        // Nothing at all: the error of an empty text.
        None => serde_json::from_slice::<IgnoredAny>(b"").map(|_| Value::Null),
    }
}

/// The text without a byte-order mark and white space before it.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.trim_ascii_start();
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii_start()
}

/// Whether a body begins like JSON, which no event stream does.
pub(super) fn begins_like_json(bytes: &[u8]) -> bool {
    matches!(without_mark(bytes).first(), Some(b'{' | b'['))
}

/// Whether a body is JSON from its beginning to its end.
pub(super) fn is_whole_json(bytes: &[u8]) -> bool {
    begins_like_json(bytes) && serde_json::from_slice::<IgnoredAny>(without_mark(bytes)).is_ok()
}

/// Whether a body begins like server-sent events.
pub(super) fn begins_like_events(bytes: &[u8]) -> bool {
    let bytes = without_mark(bytes);
    [&b"data:"[..], b"event:", b"id:", b"retry:", b":"].iter().any(|field| bytes.starts_with(field))
}

/// Whether a body is compressed, and no header said so.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(GZIP_MAGIC)
}

/// A body that is compressed and whose headers do not say so, at most `most` bytes of it; any other as it is.
pub(super) fn unpacked(bytes: Vec<u8>, most: usize) -> Option<Vec<u8>> {
    if !is_packed(&bytes) {
        return Some(bytes);
    }
    let mut text = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    // What cannot be unpacked is no JSON either: the reader of it says so.
    let _ = MultiGzDecoder::new(&bytes[..]).take(bound).read_to_end(&mut text);
    (text.len() <= most).then_some(text)
}

/// The text with what JSON does not know put into words that it does.
fn mended(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '"' => string(rest, &mut mended),
            'N' | 'I' | '-' | '0'..='9' => number(rest, &mut mended),
            ',' if rest[1..].trim_start().starts_with(['}', ']']) => 1,
            other => {
                mended.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    mended
}

/// Takes a string over; its length.
fn string(text: &str, mended: &mut String) -> usize {
    mended.push('"');
    let mut at = 1;
    while let Some(character) = text[at..].chars().next() {
        let rest = &text[at..];
        at += character.len_utf8();
        match character {
            '"' => {
                mended.push('"');
                break;
            }
            '\\' if rest.starts_with("\\u") => at += escape(rest, mended) - 1,
            '\\' => {
                let escaped = rest[1..].chars().next();
                if escaped.is_none_or(|escaped| ESCAPES.contains(escaped)) {
                    mended.push('\\');
                }
                mended.extend(escaped);
                at += escaped.map_or(0, char::len_utf8);
            }
            control if control < ' ' => mended.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => mended.push(other),
        }
    }
    at
}

/// Takes a `\u` escape over, or a pair of them; its length. Half of a pair becomes U+FFFD.
fn escape(text: &str, mended: &mut String) -> usize {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (taken, length) = match (unit(0), unit(6)) {
        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (&text[..12], 12),
        (Some(0xd800..=0xdfff), _) => ("\\ufffd", 6),
        (Some(_), _) => (&text[..6], 6),
        (None, _) => ("\\ufffd", 2),
    };
    mended.push_str(taken);
    length
}

/// Takes a number over, or `null` where it is none or has no end; its length.
fn number(text: &str, mended: &mut String) -> usize {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '+' | '-')).unwrap_or(text.len());
    let number = &text[..end];
    let is_finite = number.parse::<f64>().is_ok_and(f64::is_finite);
    mended.push_str(if is_finite { number } else { "null" });
    end
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_writers_of_json_get_wrong_is_read() {
        for (text, expected) in [
            (&b"\xef\xbb\xbf{\"a\": 1}"[..], json!({ "a": 1 })),
            (b" \n\n{\"a\": 1}\n\ndata: [DONE]", json!({ "a": 1 })),
            (
                b"{\"a\": NaN, \"b\": -Infinity, \"c\": Infinity, \"d\": -2.5, \"e\": 1e999}",
                json!({ "a": null, "b": null, "c": null, "d": -2.5, "e": null }),
            ),
            (br#"{"a": "x\ud83d"}"#, json!({ "a": "x\u{fffd}" })),
            (
                br#"{"a": "\ud83d\ude00\ude00 \"NaN\" \\", "b": NaN}"#,
                json!({ "a": "\u{1f600}\u{fffd} \"NaN\" \\", "b": null }),
            ),
            (b"{\"a\": \"one\ntwo\"}", json!({ "a": "one\ntwo" })),
            (b"{\"a\": \"\xff\"}", json!({ "a": "\u{fffd}" })),
            (br#"{"a": [1, 2, ], "b": "it\'s, ]", }"#, json!({ "a": [1, 2], "b": "it's, ]" })),
        ] {
            assert_eq!(json(text).unwrap(), expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn what_is_cut_off_or_no_json_is_not_read() {
        for text in [
            "",
            "   ",
            "{\"a\": NaN",
            "{\"a\": \"x",
            "<html>",
            "{\"a\": \"\\u",
            "{\"a\": \"\\",
            "nothing",
            "-",
            "404 page not found",
        ] {
            assert!(json(text.as_bytes()).is_err(), "{text}: {:?}", json(text.as_bytes()));
        }
    }

    #[test]
    fn packed_bodies_are_unpacked_within_their_bound() {
        use std::io::Write;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&[b'x'; 1_000]).unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(unpacked(packed.clone(), 1_000).unwrap(), [b'x'; 1_000]);
        assert_eq!(unpacked(packed, 999), None);
        assert_eq!(unpacked(b"{}".to_vec(), 1), Some(b"{}".to_vec()));
    }
}
