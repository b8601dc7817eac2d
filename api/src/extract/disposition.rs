//! The `content-disposition` of a form's part, as clients really write it: quoted or not, with a
//! backslash before a quote or none, in UTF-8 or Latin-1, with `filename*` (RFC 8187) before, after
//! or instead of `filename`.

use std::borrow::Cow;

/// What the header names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Disposition {
    /// The field.
    pub(super) name: Option<String>,
    /// The file, without folders.
    pub(super) file_name: Option<String>,
}

/// The header cannot be read in one way only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("a part of the form has no content-disposition: form-data")]
    NotOfAForm,
    #[error("a part of the form gives two values for its {0}")]
    Twice(&'static str),
    #[error("a part of the form has a {0} that cannot be decoded: it takes UTF-8''name with percent-encoding")]
    Encoding(&'static str),
}

impl Disposition {
    /// Reads a header's value.
    pub(super) fn parse(header: &[u8]) -> Result<Self, Unreadable> {
        let text = decoded(header);
        let (kind, mut rest) = text.split_once(';').unwrap_or((&text, ""));
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return Err(Unreadable::NotOfAForm);
        }
        let mut names = Values::new("name", "name*");
        let mut files = Values::new("filename", "filename*");
        while let Some((name, value, left)) = parameter(rest) {
            rest = left;
            for values in [&mut names, &mut files] {
                values.take(name, &value)?;
            }
        }
        let file_name = files.chosen()?.map(|name| without_folders(&name).to_owned());
        Ok(Self { name: names.chosen()?, file_name })
    }
}

/// The values of a parameter and of its encoded form, which is preferred.
struct Values {
    name: &'static str,
    encoded_name: &'static str,
    plain: Option<String>,
    encoded: Option<String>,
    is_broken: bool,
}

impl Values {
    fn new(name: &'static str, encoded_name: &'static str) -> Self {
        Self { name, encoded_name, plain: None, encoded: None, is_broken: false }
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Unreadable> {
        if name.eq_ignore_ascii_case(self.name) {
            put(&mut self.plain, value.to_owned(), self.name)?;
        } else if name.eq_ignore_ascii_case(self.encoded_name) {
            match extended(value) {
                Some(value) => put(&mut self.encoded, value, self.encoded_name)?,
                None => self.is_broken = true,
            }
        }
        Ok(())
    }

    /// What cannot be decoded counts only if there is nothing else.
    fn chosen(self) -> Result<Option<String>, Unreadable> {
        match self.encoded.or(self.plain) {
            None if self.is_broken => Err(Unreadable::Encoding(self.encoded_name)),
            chosen => Ok(chosen),
        }
    }
}

fn put(place: &mut Option<String>, value: String, name: &'static str) -> Result<(), Unreadable> {
    match place.replace(value) {
        Some(before) if Some(&before) != place.as_ref() => Err(Unreadable::Twice(name)),
        _ => Ok(()),
    }
}

/// The text of bytes: UTF-8 as browsers send it, else Latin-1.
fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| latin1(bytes).into(), Cow::Borrowed)
}

/// The text of bytes in Latin-1.
pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The first parameter, and the text after it.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start_matches([';', ' ', '\t']);
    if text.is_empty() {
        return None;
    }
    let end = text.find(['=', ';']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(value) = rest.strip_prefix('=') else { return Some((name.trim(), String::new(), rest)) };
    let value = value.trim_start_matches([' ', '\t']);
    let (value, rest) = match value.strip_prefix('"') {
        Some(quoted) => unquoted(quoted),
        // Without quotes a value may hold spaces: not by the grammar, but as some clients write it.
        None => {
            let end = value.find(';').unwrap_or(value.len());
            (value[..end].trim().to_owned(), &value[end..])
        }
    };
    Some((name.trim(), value, rest))
}

/// The text up to the closing quote, and what follows. Browsers write backslashes of a path as they
/// are: only those before a quote or another one are escapes.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match (character, characters.peek()) {
            ('"', _) => return (value, &text[at + 1..]),
            ('\\', Some((_, escaped @ ('"' | '\\')))) => {
                value.push(*escaped);
                characters.next();
            }
            (character, _) => value.push(character),
        }
    }
    (value, "")
}

/// A value as RFC 8187 encodes it: `UTF-8'en'%e2%82%ac`.
fn extended(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, encoded) = rest.split_once('\'')?;
    let bytes = percent_decoded(encoded)?;
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => String::from_utf8(bytes).ok(),
        "iso-8859-1" | "latin1" | "us-ascii" => Some(latin1(&bytes)),
        _ => None,
    }
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    Some(bytes)
}

/// The last part of a path, of any system.
fn without_folders(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}
