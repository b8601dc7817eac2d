//! Lists of words and phrases: files under `phrases/`, one phrase on a line; and patterns, where a phrase has too many
//! forms to be listed.

use std::sync::LazyLock;

use regex::Regex;

/// The phrases of a file, read at the first use.
pub(crate) type Phrases = LazyLock<Vec<&'static str>>;

/// The phrases of a file that is embedded in the program.
macro_rules! phrases {
    ($file:literal) => {
        std::sync::LazyLock::new(|| {
            $crate::phrases::read(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/phrases/", $file)))
        })
    };
}
pub(crate) use phrases;

/// The lines with a phrase. Lines that begin with `# ` are comments.
pub(crate) fn read(file: &'static str) -> Vec<&'static str> {
    file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("# ")).collect()
}

/// Patterns, compiled at the first use; `None` where one of them is none, which no test would pass with.
pub(crate) type Patterns = LazyLock<Option<Regex>>;

/// Whether a text holds what one of them says.
pub(crate) fn is_match(patterns: &Patterns, text: &str) -> bool {
    patterns.as_ref().is_some_and(|patterns| patterns.is_match(text))
}

/// One pattern of which each matches by itself.
pub(crate) fn any_of(patterns: impl IntoIterator<Item = String>) -> Option<Regex> {
    let patterns: Vec<String> = patterns.into_iter().map(|pattern| format!("(?:{pattern})")).collect();
    Regex::new(&patterns.join("|")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_no_phrases() {
        assert_eq!(read("# Words.\n\nas an ai\n### mark\n  sure  \n"), ["as an ai", "### mark", "sure"]);
    }
}
