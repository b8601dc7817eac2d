//! Lists of values by model, such as `my-model=0.5/1.5, other=0/0`.

/// Parses a list; `read` parses the values. The error is the first invalid entry.
pub(crate) fn parse<T>(list: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<(String, T)>, &str> {
    let entry = |entry| {
        // A model's name may contain anything, also `=`.
        let (model, value) = str::rsplit_once(entry, '=')?;
        let model = Some(model.trim()).filter(|model| !model.is_empty())?;
        Some((model.to_owned(), read(value.trim())?))
    };
    let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(|text| entry(text).ok_or(text)).collect()
}
