//! Validators for the fields of requests, and the trimming before them. Texts are brought into NFC.
//! The reference has the same limits in its schema; a test compares the two.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use copydesk_words::unicode;
use serde::de::{Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// Text with a number of characters, not bytes, within these limits.
pub fn chars(limits: RangeInclusive<usize>) -> impl FnOnce(&str, &()) -> garde::Result {
    move |text, ()| {
        let chars = text.chars().count();
        let (least, most) = (limits.start(), limits.end());
        ensure(limits.contains(&chars), || match least {
            0 => format!("must have at most {most} characters, not {chars}"),
            _ => format!("must have {least} to {most} characters, not {chars}"),
        })
    }
}

/// A number within these limits.
pub fn number<T: PartialOrd + Display + Copy>(limits: RangeInclusive<T>) -> impl FnOnce(&T, &()) -> garde::Result {
    move |number, ()| {
        ensure(limits.contains(number), || format!("must be {} to {}, not {number}", limits.start(), limits.end()))
    }
}

/// The longest text of a JSON object that is parsed, in bytes: it may hold white space and escapes
/// which [`json_bytes`] does not count.
const MAX_OBJECT_TEXT_BYTES: usize = 64 * 1024;
/// How deep a JSON object may be nested: it is stored in other objects, and all of them are read again.
const MAX_OBJECT_DEPTH: usize = 64;

/// A JSON object of at most `most` bytes.
pub fn json_bytes(most: usize) -> impl FnOnce(&BTreeMap<String, Value>, &()) -> garde::Result {
    move |object, ()| {
        let bytes = serde_json::to_string(object).map_or(usize::MAX, |text| text.len());
        ensure(bytes <= most, || format!("must have at most {most} bytes as JSON, not {bytes}"))
    }
}

/// A BCP 47 language tag, such as `en` or `pt-BR`. Checks only the form, since the registry
/// changes.
pub fn language(tag: &str, (): &()) -> garde::Result {
    let mut subtags = tag.split('-');
    let primary =
        subtags.next().is_some_and(|s| (2..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphabetic()));
    let rest = subtags.all(|s| (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric()));
    ensure(primary && rest && tag.len() <= 35, || "must be a BCP 47 language tag such as en or pt-BR".to_owned())
}

/// A web address.
pub fn web_url(url: &str, (): &()) -> garde::Result {
    let parsed = url.parse::<axum::http::Uri>().ok();
    let web = parsed.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    ensure(web, || "must be an http:// or https:// URL".to_owned())
}

fn ensure(holds: bool, detail: impl FnOnce() -> String) -> garde::Result {
    if holds { Ok(()) } else { Err(garde::Error::new(detail())) }
}

/// How deep a value is nested: 0 for one that holds nothing.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Text as [`tidy`] makes it.
pub fn trimmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(tidy(&String::deserialize(deserializer)?))
}

/// The same without invisible characters, unless the text has no others.
pub fn title<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let title = unicode::clean(&text).trim().to_owned();
    Ok(if title.is_empty() { tidy(&text) } else { title })
}

/// Like [`trimmed`] for an optional text; blank text counts as missing.
pub fn trimmed_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(option_as_given(deserializer)?.map(|text| tidy(&text)))
}

/// The same for what must stay as the client wrote it, such as an address.
pub fn option_as_given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// Text in NFC without white space around it.
pub fn tidy(text: &str) -> String {
    unicode::nfc(text.trim()).into_owned()
}

/// Like [`trimmed`] for a list of at most `MOST` texts. The others are only counted.
pub fn trimmed_items<'de, D: Deserializer<'de>, const MOST: usize>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let Items(items) = Option::<Items<MOST>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(items)
}

#[derive(Default)]
struct Items<const MOST: usize>(Vec<String>);

impl<'de, const MOST: usize> Deserialize<'de> for Items<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self::default())
    }
}

impl<'de, const MOST: usize> Visitor<'de> for Items<MOST> {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Self, A::Error> {
        while self.0.len() < MOST {
            let Some(item) = items.next_element::<String>()? else { return Ok(self) };
            self.0.push(tidy(&item));
        }
        let mut found = MOST;
        while items.next_element::<IgnoredAny>()?.is_some() {
            found += 1;
        }
        if found == MOST {
            Ok(self)
        } else {
            Err(A::Error::custom(format!("must have at most {MOST} items, not {found}")))
        }
    }
}

/// A JSON object with any fields, which is not parsed if it is far too long.
pub fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BTreeMap<String, Value>>, D::Error> {
    let Some(raw) = Option::<Box<RawValue>>::deserialize(deserializer)? else { return Ok(None) };
    if raw.get().len() > MAX_OBJECT_TEXT_BYTES {
        return Err(D::Error::custom(format!("must have at most {MAX_OBJECT_TEXT_BYTES} bytes with its white space")));
    }
    let object = serde_json::from_str(raw.get()).map_err(|_| D::Error::custom("must be a JSON object"))?;
    let object: BTreeMap<String, Value> = object;
    if object.values().map(depth).max().unwrap_or_default() >= MAX_OBJECT_DEPTH {
        return Err(D::Error::custom(format!("must be nested at most {MAX_OBJECT_DEPTH} levels deep")));
    }
    Ok(Some(object))
}
