//! Markdown that is uploaded as such: what is for tools, not for readers, goes.

/// The text without its front matter.
pub(super) fn markdown(text: &str) -> String {
    without_front_matter(&text.replace("\r\n", "\n")).to_owned()
}

/// Drops the YAML front matter between two lines of `---` at the top: it is for Markdown tools, not
/// for readers.
pub(super) fn without_front_matter(markdown: &str) -> &str {
    let Some(rest) = markdown.trim_start_matches('\u{feff}').strip_prefix("---\n") else { return markdown };
    let Some((yaml, text)) = rest.split_once("\n---\n") else { return markdown };
    let is_yaml = |line: &str| line.is_empty() || line.contains(':') || line.starts_with([' ', '-', '#']);
    if yaml.lines().all(is_yaml) { text } else { markdown }
}
