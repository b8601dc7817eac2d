//! Fields of answers as models write them: a list where there should be a line, a line where there should be a list,
//! null, numbers as text. What a field must hold is its owner's to check.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A text; the lines of a list, joined; empty where there is none.
pub(super) fn line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(texts(&Value::deserialize(deserializer)?).join(" "))
}

/// A list of texts; one of one where there is only one.
pub(super) fn lines<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(texts(&Value::deserialize(deserializer)?))
}

/// A list of numbers: `[1]`, `["1"]`, `[1.0]`, `"[1], [2]"`, `null`.
pub(super) fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u16>, D::Error> {
    Ok(each(&Value::deserialize(deserializer)?).iter().flat_map(numbers_in).collect())
}

fn each(written: &Value) -> &[Value] {
    match written {
        Value::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}

fn texts(written: &Value) -> Vec<String> {
    let text = |item: &Value| match item {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    each(written).iter().filter_map(text).collect()
}

fn numbers_in(item: &Value) -> Vec<u16> {
    let text = match item {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return Vec::new(),
    };
    let text = text.strip_suffix(".0").unwrap_or(&text);
    // A fraction is no number of anything.
    if text.parse::<f64>().is_ok_and(|number| number.fract() != 0.0 || number < 0.0) {
        return Vec::new();
    }
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_read_as_models_write_them() {
        for (written, read) in [
            (json!("One."), vec!["One."]),
            (json!(["One.", 2, null, {}]), vec!["One.", "2"]),
            (json!(null), vec![]),
            (json!({ "a": 1 }), vec![]),
            (json!(true), vec![]),
        ] {
            assert_eq!(lines(&written).unwrap(), read, "{written}");
            assert_eq!(line(&written).unwrap(), read.join(" "), "{written}");
        }
        for (written, read) in [
            (json!([1, 2]), vec![1, 2]),
            (json!(["1", "[2]", "passage 3"]), vec![1, 2, 3]),
            (json!([1.0, 2.5, -1]), vec![1]),
            (json!("1, 2"), vec![1, 2]),
            (json!(3), vec![3]),
            (json!([null, {}, 70000, "none"]), vec![]),
            (json!(null), vec![]),
        ] {
            assert_eq!(numbers(&written).unwrap(), read, "{written}");
        }
    }
}
