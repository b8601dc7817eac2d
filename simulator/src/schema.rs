//! JSON Schema, as far as structured output uses it: making an instance, fitting one, and Groq's extra
//! rules for strict schemas. Does not validate in general; `pattern` and `not` are not looked at.

use rand::RngExt;
use serde_json::{Map, Value, json};

use crate::seed::Rng;

/// Recursive schemas are cut here: deeper values are as small as they may be.
const DEPTH_MAX: usize = 12;
const WORDS: [&str; 16] = [
    "clear", "steps", "matter", "for", "every", "reader", "and", "plain", "words", "help", "to", "explain", "what",
    "comes", "next", "here",
];

/// Why Groq would refuse a strict schema: every object must be closed and require all it has.
pub(crate) fn strict_problem(schema: &Value) -> Option<String> {
    match schema.get("type") {
        Some(Value::String(kind)) if kind == "object" => strict_problem_at(schema, "/"),
        _ => Some("/: the schema must be of type object".into()),
    }
}

fn strict_problem_at(schema: &Value, path: &str) -> Option<String> {
    let fields = schema.as_object()?;
    if let Some(properties) = fields.get("properties").and_then(Value::as_object) {
        let required: Vec<_> = array(fields.get("required")).iter().filter_map(Value::as_str).collect();
        if let Some(missing) = properties.keys().find(|name| !required.contains(&name.as_str())) {
            return Some(format!("{path}: `required` must list every property, and misses `{missing}`"));
        }
    }
    if fields.get("type") == Some(&json!("object")) && fields.get("additionalProperties") != Some(&json!(false)) {
        return Some(format!("{path}: `additionalProperties:false` must be set on every object"));
    }
    let maps = ["properties", "$defs", "definitions"].into_iter().filter_map(|name| fields.get(name)?.as_object());
    let named = maps.flatten().map(|(name, schema)| (format!("{path}{name}/"), schema));
    let items = fields.get("items").map(|schema| (format!("{path}items/"), schema));
    let branches = ["anyOf", "oneOf", "allOf"].into_iter().flat_map(|name| array(fields.get(name)));
    let branches = branches.map(|schema| (path.to_owned(), schema));
    named.chain(items).chain(branches).find_map(|(path, schema)| strict_problem_at(schema, &path))
}

/// An instance of the schema, with texts about the topic.
pub(crate) fn generate(schema: &Value, topic: &str, rng: &mut Rng) -> Value {
    Maker { root: schema, topic, rng }.value(schema, 0)
}

/// The instance, changed as little as the schema asks: unknown fields go, missing ones are made,
/// numbers and lengths are brought into their range.
pub(crate) fn fit(instance: Value, schema: &Value, topic: &str, rng: &mut Rng) -> Value {
    Maker { root: schema, topic, rng }.fitted(instance, schema, 0)
}

struct Maker<'a> {
    root: &'a Value,
    topic: &'a str,
    rng: &'a mut Rng,
}

impl<'a> Maker<'a> {
    fn value(&mut self, schema: &'a Value, depth: usize) -> Value {
        let schema = self.resolved(schema, depth);
        if let Some(value) = schema.get("const").or_else(|| schema.get("default")) {
            return value.clone();
        }
        let choices = array(schema.get("enum"));
        if !choices.is_empty() {
            return choices[self.rng.random_range(0..choices.len())].clone();
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "integer" => self.integer(schema),
            "number" => self.number(schema),
            "boolean" => self.rng.random::<bool>().into(),
            "null" => Value::Null,
            _ => self.string(schema).into(),
        }
    }

    /// Follows references and takes the first branch of a choice.
    fn resolved(&self, mut schema: &'a Value, depth: usize) -> &'a Value {
        for _ in depth..=DEPTH_MAX {
            let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
            let branches = ["anyOf", "oneOf", "allOf"].into_iter().find_map(|name| schema.get(name)?.as_array());
            let branch = branches.and_then(|all| all.iter().find(|s| kind(s) != "null").or(all.first()));
            match target.and_then(|pointer| self.root.pointer(pointer)).or(branch) {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }

    fn object(&mut self, schema: &'a Value, depth: usize) -> Value {
        let mut fields = Map::new();
        let required = array(schema.get("required"));
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            // Optional fields stop a recursion that required ones would go on for ever.
            if depth < DEPTH_MAX || required.contains(&json!(name)) && depth < 2 * DEPTH_MAX {
                fields.insert(name.clone(), self.value(property, depth + 1));
            }
        }
        Value::Object(fields)
    }

    fn array(&mut self, schema: &'a Value, depth: usize) -> Value {
        let min = whole(schema.get("minItems")).unwrap_or(0);
        let max = whole(schema.get("maxItems")).unwrap_or(usize::MAX);
        let usual = if depth < DEPTH_MAX { self.rng.random_range(2..=3) } else { 0 };
        let count = usual.clamp(min, max.max(min));
        match schema.get("items") {
            Some(items) => (0..count).map(|_| self.value(items, depth + 1)).collect(),
            None => (0..count).map(|_| Value::from(self.words(3))).collect(),
        }
    }

    fn integer(&mut self, schema: &Value) -> Value {
        let (low, high) = bounds(schema);
        let (low, high) = (low.ceil(), high.floor());
        let step = number(schema.get("multipleOf")).filter(|step| *step >= 1.0).unwrap_or(1.0);
        let drawn = (self.rng.random_range(low..=high.max(low)) / step).round() * step;
        integer(if drawn < low {
            drawn + step
        } else if drawn > high {
            drawn - step
        } else {
            drawn
        })
    }

    fn number(&mut self, schema: &Value) -> Value {
        let (low, high) = bounds(schema);
        let drawn = self.rng.random_range(low..=high.max(low));
        json!(((drawn * 100.0).round() / 100.0).clamp(low, high.max(low)))
    }

    fn string(&mut self, schema: &Value) -> String {
        let text = match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => return "2026-01-15T09:00:00Z".into(),
            Some("date") => return "2026-01-15".into(),
            Some("time") => return "09:00:00Z".into(),
            Some("uri") => return "https://open-guide.example/article".into(),
            Some("email") => return "desk@open-guide.example".into(),
            Some("uuid") => return crate::seed::uuid(self.rng).to_string(),
            _ => {
                let count = self.rng.random_range(4..9);
                self.words(count)
            }
        };
        fit_length(text, schema)
    }

    fn words(&mut self, count: usize) -> String {
        let start = self.rng.random_range(0..WORDS.len());
        let words = WORDS.iter().cycle().skip(start).take(count).copied().collect::<Vec<_>>().join(" ");
        match self.topic {
            "" => words,
            topic => format!("{topic}: {words}"),
        }
    }

    fn fitted(&mut self, instance: Value, schema: &'a Value, depth: usize) -> Value {
        let schema = self.resolved(schema, depth);
        let choices = array(schema.get("enum"));
        if !choices.is_empty() && !choices.contains(&instance) {
            return self.value(schema, depth);
        }
        match (kind(schema), instance) {
            ("object", Value::Object(fields)) => self.fitted_object(fields, schema, depth),
            ("array", Value::Array(items)) => self.fitted_array(items, schema, depth),
            ("number", Value::Number(n)) => within(&n, schema).map_or(Value::Number(n), |n| json!(n)),
            ("integer", Value::Number(n)) => integer(within(&n, schema).or(n.as_f64()).unwrap_or_default().round()),
            ("string", Value::String(text)) => fit_length(text, schema).into(),
            ("boolean", value @ Value::Bool(_)) | ("null", value @ Value::Null) | ("any", value) => value,
            _ => self.value(schema, depth),
        }
    }

    fn fitted_object(&mut self, mut fields: Map<String, Value>, schema: &'a Value, depth: usize) -> Value {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return Value::Object(fields);
        };
        let required = array(schema.get("required"));
        let mut fitted = Map::new();
        for (name, property) in properties {
            let value = match fields.remove(name) {
                Some(value) => self.fitted(value, property, depth + 1),
                None if required.contains(&json!(name)) => self.value(property, depth + 1),
                None => continue,
            };
            fitted.insert(name.clone(), value);
        }
        if schema.get("additionalProperties") != Some(&json!(false)) {
            fitted.extend(fields);
        }
        Value::Object(fitted)
    }

    fn fitted_array(&mut self, items: Vec<Value>, schema: &'a Value, depth: usize) -> Value {
        let Some(item_schema) = schema.get("items") else { return Value::Array(items) };
        let max = whole(schema.get("maxItems")).unwrap_or(usize::MAX);
        let min = whole(schema.get("minItems")).unwrap_or(0);
        let mut fitted: Vec<_> =
            items.into_iter().take(max).map(|item| self.fitted(item, item_schema, depth + 1)).collect();
        while fitted.len() < min {
            fitted.push(self.value(item_schema, depth + 1));
        }
        Value::Array(fitted)
    }
}

fn array(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The schema's type; of several, the first that is not null; `any` where it does not say.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "any",
    }
}

fn number(value: Option<&Value>) -> Option<f64> {
    value.and_then(Value::as_f64)
}

fn whole(value: Option<&Value>) -> Option<usize> {
    value.and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok())
}

/// The range of a number; 0 to 10, or as much from its one bound, where it does not say.
fn bounds(schema: &Value) -> (f64, f64) {
    let step = if kind(schema) == "integer" { 1.0 } else { 0.01 };
    let low = number(schema.get("minimum")).or(number(schema.get("exclusiveMinimum")).map(|n| n + step));
    let high = number(schema.get("maximum")).or(number(schema.get("exclusiveMaximum")).map(|n| n - step));
    match (low, high) {
        (Some(low), Some(high)) => (low, high),
        (Some(low), None) => (low, low + 10.0),
        (None, Some(high)) => (high - 10.0, high),
        (None, None) => (0.0, 10.0),
    }
}

/// The number brought into the schema's range, if it is not in it.
fn within(n: &serde_json::Number, schema: &Value) -> Option<f64> {
    let low = number(schema.get("minimum")).unwrap_or(f64::MIN);
    let high = number(schema.get("maximum")).unwrap_or(f64::MAX);
    n.as_f64().filter(|n| !(low..=high).contains(n)).map(|n| n.clamp(low, high.max(low)))
}

#[expect(clippy::cast_possible_truncation, reason = "a float saturates in the cast")]
fn integer(n: f64) -> Value {
    json!(n as i64)
}

fn fit_length(mut text: String, schema: &Value) -> String {
    if let Some(max) = whole(schema.get("maxLength"))
        && let Some((end, _)) = text.char_indices().nth(max)
    {
        text.truncate(end);
    }
    let missing = whole(schema.get("minLength")).unwrap_or(0).saturating_sub(text.chars().count());
    text.extend(std::iter::repeat_n('.', missing));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed;

    fn made(schema: &Value) -> Value {
        generate(schema, "tides", &mut seed::rng(1, &[]))
    }

    #[test]
    fn an_instance_fits_its_schema() {
        let instance = made(&json!({
            "type": "object", "required": ["n"], "properties": {
                "n": { "type": "integer", "minimum": 3, "maximum": 4 },
                "x": { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 },
                "kind": { "enum": ["a"] },
                "text": { "type": ["null", "string"], "minLength": 200 },
                "short": { "type": "string", "maxLength": 5 },
                "list": { "type": "array", "minItems": 5, "items": { "$ref": "#/$defs/item" } },
                "choice": { "anyOf": [{ "type": "null" }, { "type": "boolean" }] },
                "when": { "type": "string", "format": "date-time" },
            },
            "$defs": { "item": { "type": "object", "properties": { "id": { "const": 9 } } } },
        }));
        assert!([3, 4].contains(&instance["n"].as_i64().unwrap_or_default()));
        assert!((0.0..1.0).contains(&instance["x"].as_f64().unwrap_or(9.0)));
        assert_eq!(instance["kind"], "a");
        assert_eq!(instance["text"].as_str().map(str::len), Some(200));
        assert_eq!(instance["short"].as_str().map(str::len), Some(5));
        assert_eq!(instance["list"], json!([{"id": 9}, {"id": 9}, {"id": 9}, {"id": 9}, {"id": 9}]));
        assert!(instance["choice"].is_boolean());
        assert_eq!(instance["when"], "2026-01-15T09:00:00Z");
    }

    #[test]
    fn a_recursive_schema_ends() {
        let tree = json!({ "$ref": "#/$defs/tree", "$defs": { "tree": { "type": "object", "required": ["child"],
            "properties": { "child": { "$ref": "#/$defs/tree" } } } } });
        assert!(made(&tree).is_object());
    }

    #[test]
    fn fitting_keeps_what_fits_and_mends_the_rest() {
        let schema = json!({ "type": "object", "additionalProperties": false, "required": ["a", "b"], "properties": {
            "a": { "type": "string" }, "b": { "type": "integer", "maximum": 10 }, "c": { "type": "array", "maxItems": 1,
            "items": { "type": "number" } } } });
        let fitted =
            fit(json!({ "a": "kept", "z": 1, "b": 12.4, "c": [1.5, 2] }), &schema, "t", &mut seed::rng(1, &[]));
        assert_eq!(fitted, json!({ "a": "kept", "b": 10, "c": [1.5] }));
        let fitted = fit(json!({ "a": 5 }), &schema, "t", &mut seed::rng(1, &[]));
        assert!(fitted["a"].is_string() && fitted["b"].is_i64());
    }

    #[test]
    fn strict_schemas_are_closed_and_complete() {
        let leaf = json!({ "type": "object", "properties": {}, "additionalProperties": false });
        assert_eq!(strict_problem(&leaf), None);
        let open = json!({ "type": "object", "properties": { "a": { "type": "object" } }, "required": ["a"],
            "additionalProperties": false });
        assert!(strict_problem(&open).is_some_and(|p| p.starts_with("/a/")));
        let optional = json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": false });
        assert!(strict_problem(&optional).is_some_and(|p| p.contains("`a`")));
        assert!(strict_problem(&json!({ "type": "array" })).is_some());
    }
}
