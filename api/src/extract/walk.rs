//! Reads any JSON without keeping it: whether it is JSON at all, with text that can be decoded and
//! within the parser's depth, and where it holds NULs, which Postgres cannot store.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::explain::escaped;
use crate::faults::Faults;

pub(super) const NUL: &str = "must not hold the character U+0000";

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Other,
}

/// Where a value stands. A pointer is only made of it where it is needed.
pub(super) enum Step<'a> {
    Root,
    Field(&'a Step<'a>, &'a str),
    Item(&'a Step<'a>, usize),
}

impl Step<'_> {
    fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Field(parent, name) => parent.pointer() + &escaped(name),
            Self::Item(parent, index) => parent.pointer() + &format!("/{index}"),
        }
    }
}

/// Reads one value, with all that it holds.
pub(super) struct Walk<'a> {
    pub(super) at: &'a Step<'a>,
    pub(super) nuls: &'a mut Faults,
}

impl Walk<'_> {
    fn look(&mut self, text: &str) {
        if text.contains('\0') {
            self.nuls.push(self.at.pointer(), NUL);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Kind;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Values that hold nothing.
macro_rules! scalars {
    ($($method:ident($($kind:ty)?);)*) => {
        $(fn $method<E: Error>(self $(, _: $kind)?) -> Result<Kind, E> {
            Ok(Kind::Other)
        })*
    };
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Kind;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    scalars! {
        visit_bool(bool);
        visit_i64(i64);
        visit_u64(u64);
        visit_f64(f64);
        visit_unit();
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<Kind, E> {
        self.look(text);
        Ok(Kind::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut index = 0;
        while items.next_element_seed(Walk { at: &Step::Item(self.at, index), nuls: self.nuls })?.is_some() {
            index += 1;
        }
        Ok(Kind::Other)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Kind, A::Error> {
        while let Some(name) = fields.next_key::<Cow<'de, str>>()? {
            self.look(&name);
            fields.next_value_seed(Walk { at: &Step::Field(self.at, &name), nuls: self.nuls })?;
        }
        Ok(Kind::Object)
    }
}
