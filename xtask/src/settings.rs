//! The user's settings: the environment, and a `.env` file in the project's root for variables that
//! the environment does not have. An empty value counts as not set.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

/// The variables of a `.env` file; the environment takes precedence.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    file: BTreeMap<String, String>,
}

impl Settings {
    /// Reads the file, if it exists.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self { file: parse(&text).with_context(|| path.display().to_string())? }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let given = std::env::var(name).ok().filter(|value| !value.is_empty());
        given.or_else(|| self.file.get(name).cloned())
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The variables for a child process in addition to the environment that it inherits.
    pub(crate) fn beyond_environment(&self) -> impl Iterator<Item = (&String, &String)> {
        self.file.iter().filter(|(name, _)| std::env::var(name).map_or(true, |value| value.is_empty()))
    }
}

/// Parses `NAME=value` lines, with `export`, quotes and comments as in shells, without expansion.
fn parse(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').with_context(|| format!("line {} is not NAME=value", number + 1))?;
        let name = name.trim().trim_start_matches("export ").trim();
        let value = unquote(value.trim());
        if !value.is_empty() {
            variables.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(variables)
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner;
        }
    }
    if value.starts_with('#') {
        return "";
    }
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_file_is_read_as_a_shell_would() {
        let text = "# keys\n\nexport GROQ_API_KEY=gsk_1 # mine\nREDIS_URL=\"redis://h/0#1\"\n\
                    QUOTED='a # b' # c\nEMPTY=\nCOMMENT= # nothing\nURL=postgres://u:p=w@h/db?a=b\n";
        let variables = parse(text).unwrap();
        let read: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            read,
            [
                ("GROQ_API_KEY", "gsk_1"),
                ("QUOTED", "a # b"),
                ("REDIS_URL", "redis://h/0#1"),
                ("URL", "postgres://u:p=w@h/db?a=b"),
            ]
        );
    }

    #[test]
    fn a_senseless_line_is_named() {
        assert!(parse("A=1\nnonsense\n").unwrap_err().to_string().contains("line 2"));
    }

    #[test]
    fn no_file_is_no_settings() {
        let settings = Settings::read(Path::new("/nonexistent/.env")).unwrap();
        assert!(!settings.is_set("COPYDESK_NO_SUCH_NAME"));
    }
}
