//! Why a JSON body was refused: everything that is wrong with it. The parser stops at the first
//! invalid value; here the fields are checked one by one. Nothing of the body is kept meanwhile, so
//! that a body of millions of values costs no more memory than its text.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Map, Value};
use serde_path_to_error::Segment;

use super::body::{RequestBody, violations};
use super::strict::Strict;
use super::walk::{Kind, Step, Walk};
use crate::error::ApiError;
use crate::faults::Faults;

/// The error of a body that was refused.
pub(super) fn refusal<T: RequestBody>(text: &str) -> ApiError {
    match faults::<T>(text) {
        Err(error) => error,
        // An error that is not in a single field.
        Ok(faults) if faults.is_empty() => ApiError::Invalid(first::<T>(text)),
        Ok(faults) => ApiError::Invalid(faults),
    }
}

/// The errors of each field, or the error of a text that is no JSON object.
pub(super) fn faults<T: RequestBody>(text: &str) -> Result<Faults, ApiError> {
    let mut faults = Faults::default();
    let mut nuls = Faults::default();
    let walked = whole(text, Walk { at: &Step::Root, nuls: &mut nuls });
    let kind = walked.map_err(|error| ApiError::Malformed(format!("the body is not JSON: {error}")))?;
    if kind != Kind::Object {
        return Err(ApiError::invalid("", "must be a JSON object"));
    }
    if !T::HOLDS_BODIES {
        faults.extend(nuls);
    }
    let mut fields = Fields::<T>::new(faults);
    whole(text, &mut fields).map_err(|error| ApiError::Malformed(format!("the body is not JSON: {error}")))?;
    Ok(fields.into_faults())
}

/// Reads the whole text.
fn whole<'de, S: DeserializeSeed<'de>>(text: &'de str, seed: S) -> serde_json::Result<S::Value> {
    let mut json = Deserializer::from_str(text);
    let value = seed.deserialize(&mut json)?;
    json.end().map(|()| value)
}

/// The error at which the parser stops.
fn first<T: RequestBody>(text: &str) -> Faults {
    let mut faults = Faults::default();
    let mut json = Deserializer::from_str(text);
    if let Err(error) = serde_path_to_error::deserialize::<_, T>(Strict(&mut json)) {
        faults.push(pointer(error.path()), error.inner().to_string());
    }
    faults
}

/// The message without its position, which is one within the field.
fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&position).map_or_else(|| message.clone(), str::to_owned)
}

/// A path as a JSON pointer (RFC 6901).
pub(super) fn pointer(path: &serde_path_to_error::Path) -> String {
    let segments = path.iter().map(|segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => escaped(key),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    });
    segments.collect()
}

/// A pointer to a field of the body, or to a parameter in the same form.
pub(super) fn escaped(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Checks the fields of an object one by one.
struct Fields<T> {
    faults: Faults,
    /// The names that the type knows, and whether each was there.
    known: Vec<(&'static str, bool)>,
    /// Whether an unknown field was met: the names are told once.
    told: bool,
    example: Map<String, Value>,
    checked: PhantomData<T>,
}

impl<T: RequestBody> Fields<T> {
    fn new(faults: Faults) -> Self {
        let known = names_of::<T>().iter().map(|name| (*name, false)).collect();
        let example = match T::example() {
            Value::Object(example) => example,
            _ => Map::new(),
        };
        Self { faults, known, told: false, example, checked: PhantomData }
    }

    fn check(&mut self, name: &str, value: &RawValue) {
        match self.known.iter_mut().find(|(known, _)| *known == name) {
            None => self.unknown(name),
            Some((_, true)) => self.faults.push(escaped(name), "must occur only once"),
            Some((_, seen)) => {
                *seen = true;
                self.faults.extend(self.alone(name, value));
            }
        }
    }

    fn unknown(&mut self, name: &str) {
        let names = || self.known.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let expected = if self.told { String::new() } else { format!(", expected one of {}", names()) };
        self.told = true;
        self.faults.push(escaped(name), format!("unknown field `{name}`{expected}"));
    }

    /// The errors of one field in an otherwise valid body.
    fn alone(&self, name: &str, value: &RawValue) -> Faults {
        let with = With { example: &self.example, name, value };
        match serde_path_to_error::deserialize::<_, T>(Strict(with)) {
            Ok(body) => violations(&body),
            Err(error) => {
                let mut faults = Faults::default();
                faults.push(pointer(error.path()), without_position(error.inner()));
                faults
            }
        }
    }

    /// The errors, with those of required fields that are not there.
    fn into_faults(self) -> Faults {
        let mut faults = Faults::default();
        for (name, _) in self.known.iter().filter(|(_, seen)| !seen) {
            let mut without = self.example.clone();
            if without.remove(*name).is_some() && T::deserialize(Strict(Value::Object(without))).is_err() {
                faults.push(escaped(name), "is required");
            }
        }
        faults.extend(self.faults);
        faults
    }
}

impl<'de, T: RequestBody> DeserializeSeed<'de> for &mut Fields<T> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: RequestBody> Visitor<'de> for &mut Fields<T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<Cow<'de, str>>()? {
            self.check(&name, fields.next_value()?);
        }
        Ok(())
    }
}

/// The example with another value for one of its fields.
struct With<'a> {
    example: &'a Map<String, Value>,
    name: &'a str,
    value: &'a RawValue,
}

impl<'de> de::Deserializer<'de> for With<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        let others = self.example.iter().filter(|(name, _)| *name != self.name);
        visitor.visit_map(OneByOne { others, last: Some((self.name, self.value)), next: None })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The fields of [`With`].
struct OneByOne<'a, I> {
    others: I,
    last: Option<(&'a str, &'a RawValue)>,
    next: Option<Part<'a>>,
}

/// A value of [`With`].
enum Part<'a> {
    OfExample(&'a Value),
    OfBody(&'a RawValue),
}

impl<'a, I: Iterator<Item = (&'a String, &'a Value)>> MapAccess<'a> for OneByOne<'a, I> {
    type Error = serde_json::Error;

    fn next_key_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> serde_json::Result<Option<S::Value>> {
        let other = self.others.next().map(|(name, value)| (name.as_str(), Part::OfExample(value)));
        let last = || self.last.take().map(|(name, value)| (name, Part::OfBody(value)));
        let Some((name, part)) = other.or_else(last) else { return Ok(None) };
        self.next = Some(part);
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> serde_json::Result<S::Value> {
        match self.next.take() {
            Some(Part::OfExample(value)) => seed.deserialize(value),
            Some(Part::OfBody(value)) => seed.deserialize(&mut Deserializer::from_str(value.get())),
            None => Err(de::Error::custom("a value without a name")),
        }
    }
}

/// The names of a type's fields, as its derived code gives them to a deserializer.
fn names_of<T: DeserializeOwned>() -> &'static [&'static str] {
    match T::deserialize(Probe) {
        Err(Names(names)) => names,
        Ok(_) => &[],
    }
}

struct Probe;

/// What [`Probe`] ends with.
#[derive(Debug, thiserror::Error)]
#[error("the names of fields")]
struct Names(&'static [&'static str]);

impl de::Error for Names {
    fn custom<E: Display>(_: E) -> Self {
        Self(&[])
    }
}

impl<'de> de::Deserializer<'de> for Probe {
    type Error = Names;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Names> {
        Err(Names(&[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Names> {
        Err(Names(names))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
