//! Lists of words and phrases: files under `phrases/`, one phrase on a line.

use std::sync::LazyLock;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_no_phrases() {
        assert_eq!(read("# Words.\n\nas an ai\n### mark\n  sure  \n"), ["as an ai", "### mark", "sure"]);
    }
}
