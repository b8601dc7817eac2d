//! Validators for the fields of requests, and the trimming before them. The reference has the same
//! limits in its schema; a test compares the two.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

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

/// A list of at most `most` items.
pub fn items<T>(most: usize) -> impl FnOnce(&[T], &()) -> garde::Result {
    move |items, ()| ensure(items.len() <= most, || format!("must have at most {most} items, not {}", items.len()))
}

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

/// Text without NUL, for queries. In bodies, the extractor looks for it.
pub fn no_nul(text: &str, (): &()) -> garde::Result {
    ensure(!text.contains('\0'), || "must not hold the character U+0000".to_owned())
}

fn ensure(holds: bool, detail: impl FnOnce() -> String) -> garde::Result {
    if holds { Ok(()) } else { Err(garde::Error::new(detail())) }
}

/// Text without white space around it.
pub fn trimmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(String::deserialize(deserializer)?.trim().to_owned())
}

/// The same for an optional text; blank text counts as missing.
pub fn trimmed_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// The same for a list of texts.
pub fn trimmed_items<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let items = Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(items.iter().map(|item| item.trim().to_owned()).collect())
}
