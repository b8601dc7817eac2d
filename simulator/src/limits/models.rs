//! Limits by model as a command line names them: `name=30rpm/12000tpm/1000rpd/100000tpd,…`.

use std::collections::BTreeMap;

use super::Limits;

const TAKES: &str =
    "takes entries such as llama-3.3-70b-versatile=30rpm/12000tpm/1000rpd/100000tpd, separated by commas";

/// Reads the limits by model. What an entry does not name is unlimited.
///
/// # Errors
/// An entry that cannot be read, with what is taken.
pub fn parse(text: &str) -> Result<BTreeMap<String, Limits>, String> {
    let mut models = BTreeMap::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, limits) = model(entry).ok_or_else(|| format!("{TAKES}: not `{entry}`"))?;
        if models.insert(name.to_owned(), limits).is_some() {
            return Err(format!("{name} is named twice"));
        }
    }
    Ok(models)
}

fn model(entry: &str) -> Option<(&str, Limits)> {
    // A name may hold slashes; figures hold no `=`.
    let (name, figures) = entry.rsplit_once('=')?;
    let mut limits = Limits::default();
    for figure in figures.split('/').map(str::trim) {
        let digits = figure.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = figure.split_at(digits);
        let limit = match unit {
            "rpm" => &mut limits.requests_per_minute,
            "tpm" => &mut limits.tokens_per_minute,
            "rpd" => &mut limits.requests_per_day,
            "tpd" => &mut limits.tokens_per_day,
            _ => return None,
        };
        if limit.is_some() {
            return None;
        }
        *limit = Some(number.parse().ok().filter(|number| *number > 0)?);
    }
    Some((name.trim(), limits)).filter(|(name, _)| !name.is_empty())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn limits_are_read_by_model() {
        let models = parse("llama-3.3=30rpm/12000tpm/1000rpd/100000tpd, openai/gpt-oss-20b = 8000tpm,").unwrap();
        let whole = Limits {
            requests_per_minute: Some(30),
            tokens_per_minute: Some(12_000),
            requests_per_day: Some(1_000),
            tokens_per_day: Some(100_000),
        };
        let part = Limits { tokens_per_minute: Some(8_000), ..Limits::default() };
        assert_eq!(models["llama-3.3"], whole);
        assert_eq!(models["openai/gpt-oss-20b"], part);
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for wrong in ["a", "=30rpm", "a=", "a=30", "a=rpm", "a=0rpm", "a=30rpm/40rpm", "a=30rph", "a=-3rpm"] {
            assert!(parse(wrong).unwrap_err().contains(&format!("not `{wrong}`")), "{wrong}");
        }
        assert_eq!(parse("a=1rpm,a=2rpm").unwrap_err(), "a is named twice");
    }
}
