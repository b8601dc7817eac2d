//! Reads JSON by its own types, where serde's derived code takes more: an object only where a struct
//! is read (serde takes an array of its fields too), a string where an enum without data is read
//! (serde takes `{"word": null}` too), and an integer however it is written (`1e2`, `5.0`). Every
//! body is read through this, so that no type can forget it.

use std::fmt;

use serde::Deserializer;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

/// A deserializer, and whatever is read with it, which reads strictly.
#[derive(Debug)]
pub(super) struct Strict<T>(pub T);

/// Methods that read strictly whatever they meet.
macro_rules! forward {
    ($($method:ident($($argument:ident: $kind:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($argument,)* Strict(visitor))
        })*
    };
}

/// Methods that read an integer.
macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method(Integer(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    forward! {
        deserialize_any();
        deserialize_bool();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_identifier();
        deserialize_ignored_any();
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, Object(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_str(Word { words, visitor })
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

/// What a visitor is told.
macro_rules! tell {
    ($($method:ident: $kind:ty;)*) => {
        $(fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.0.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    tell! {
        visit_bool: bool;
        visit_i64: i64;
        visit_i128: i128;
        visit_u64: u64;
        visit_u128: u128;
        visit_f64: f64;
        visit_char: char;
        visit_str: &str;
        visit_borrowed_str: &'de str;
        visit_string: String;
        visit_bytes: &[u8];
        visit_borrowed_bytes: &'de [u8];
        visit_byte_buf: Vec<u8>;
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Strict(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(fields))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(variant)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(Strict(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(deserializer))
    }
}

/// A struct: takes nothing but a map.
struct Object<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(fields))
    }
}

/// An enum without data: takes nothing but one of its words.
struct Word<V> {
    words: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Word<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "one of {}", self.words.join(", "))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<V::Value, E> {
        self.visitor.visit_enum(StrDeserializer::new(word))
    }
}

/// An integer: JSON has one kind of number only, and `1e2` is the number 100.
struct Integer<V>(V);

/// The largest number up to which every integer is exact as a double.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

impl<'de, V: Visitor<'de>> Visitor<'de> for Integer<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    tell! {
        visit_bool: bool;
        visit_i64: i64;
        visit_u64: u64;
        visit_str: &str;
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<V::Value, E> {
        if number.fract() == 0.0 && number.abs() <= MAX_EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "it is an integer within the limits of an i64")]
            return self.0.visit_i64(number as i64);
        }
        self.0.visit_f64(number)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Option<Vec<Inner>>,
        word: Option<Word>,
        metadata: Option<BTreeMap<String, Value>>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        number: i64,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Yes,
        No,
    }

    /// Read from text and from a parsed value, which are different deserializers.
    fn read(value: &Value) -> Result<Outer, String> {
        let text = value.to_string();
        let of_text = Outer::deserialize(Strict(&mut serde_json::Deserializer::from_str(&text)));
        let of_value = Outer::deserialize(Strict(value.clone()));
        assert_eq!(of_text.is_ok(), of_value.is_ok(), "{text}");
        of_text.map_err(|error| error.to_string())
    }

    #[test]
    fn a_struct_is_an_object_at_every_depth() {
        let taken = read(&json!({"inner": [{"number": 1}], "word": "yes", "metadata": {"a": [1, {"b": null}]}}));
        assert_eq!(taken.unwrap().inner, Some(vec![Inner { number: 1 }]));
        for (value, why) in [
            (json!([]), "invalid type: sequence, expected a JSON object"),
            (json!([null, null, null]), "invalid type: sequence, expected a JSON object"),
            (json!({"inner": [[1]]}), "invalid type: sequence, expected a JSON object"),
            (json!({"inner": ["x"]}), "invalid type: string \"x\", expected a JSON object"),
            (json!({"word": {"yes": null}}), "invalid type: map, expected one of yes, no"),
            (json!({"word": "maybe"}), "unknown variant `maybe`, expected `yes` or `no`"),
            (json!({"metadata": []}), "invalid type: sequence, expected a map"),
        ] {
            let error = read(&value).unwrap_err();
            assert!(error.starts_with(why), "{value}: {error}");
        }
    }

    #[test]
    fn an_integer_can_be_written_in_any_way() {
        let number = |text: &str| {
            let text = format!("{{\"number\": {text}}}");
            Inner::deserialize(Strict(&mut serde_json::Deserializer::from_str(&text))).map(|inner| inner.number).ok()
        };
        for (text, expected) in [
            ("1e2", Some(100)),
            ("5.0", Some(5)),
            ("-0", Some(0)),
            ("-0.0", Some(0)),
            ("1E+1", Some(10)),
            ("9007199254740992.0", Some(9_007_199_254_740_992)),
            ("9223372036854775807", Some(i64::MAX)),
            ("1.5", None),
            ("1e19", None),
            ("9223372036854775808", None),
            ("true", None),
            ("\"1\"", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn raw_parts_stay_as_they_are() {
        #[derive(Deserialize)]
        struct Raw {
            part: Box<RawValue>,
        }
        let raw = Raw::deserialize(Strict(&mut serde_json::Deserializer::from_str("{\"part\": [ 1,2 ]}"))).unwrap();
        assert_eq!(raw.part.get(), "[ 1,2 ]");
    }
}
