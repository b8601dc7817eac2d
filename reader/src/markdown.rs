//! Markdown that is uploaded as such: what is for tools, not for readers, goes.

/// The text without its front matter.
pub(super) fn markdown(text: &str) -> String {
    without_front_matter(&text.replace("\r\n", "\n")).to_owned()
}

/// Drops front matter, which is for tools that make pages of Markdown: YAML between two lines of
/// `---` (or up to `...`), TOML between two of `+++`, or a JSON object, at the very top.
fn without_front_matter(markdown: &str) -> &str {
    let text = markdown.trim_start_matches('\u{feff}');
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let ended = match first.trim_end() {
        "---" => until(rest, &["---", "..."]).filter(|(matter, _)| has_key(matter, ':')),
        "+++" => until(rest, &["+++"]).filter(|(matter, _)| has_key(matter, '=')),
        line if line.starts_with('{') => json(text),
        _ => None,
    };
    ended.map_or(markdown, |(_, text)| text)
}

/// What stands before and after the first line that is one of `ends`.
fn until<'t>(text: &'t str, ends: &[&str]) -> Option<(&'t str, &'t str)> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if ends.contains(&line.trim_end()) {
            return Some((&text[..at], &text[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

/// Whether the first line that is no comment is a key, or a table of TOML: else the lines around it
/// are rules between parts of the text.
fn has_key(matter: &str, separator: char) -> bool {
    let mut lines = matter.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(line) = lines.next() else { return true };
    let is_key = |key: &str| {
        let key = key.trim().trim_matches(['"', '\'']);
        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-. ".contains(c)) && key.split(' ').count() <= 3
    };
    let is_table = separator == '=' && line.starts_with('[') && line.ends_with(']');
    is_table || line.split_once(separator).is_some_and(|(key, _)| is_key(key))
}

/// An object at the top, if it ends before other text begins on a line of its own.
fn json(text: &str) -> Option<(&str, &str)> {
    let mut objects =
        serde_json::Deserializer::from_str(text).into_iter::<serde_json::Map<String, serde_json::Value>>();
    objects.next()?.ok()?;
    let (object, rest) = text.split_at(objects.byte_offset());
    rest.is_empty()
        .then_some((object, rest))
        .or_else(|| rest.trim_start_matches([' ', '\t']).strip_prefix('\n').map(|rest| (object, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_goes_in_each_of_its_forms_and_text_between_rules_stays() {
        for matter in [
            "---\ntitle: Voice\nsticky: true\n---\n",
            "\u{feff}---\ntitle: Voice\n---\n",
            "--- \ntitle: Voice\n--- \n",
            "---\ntags: [harbour,\nferry]\n---\n",
            "---\n# for the tool\n\ntitle: Voice\ntext: |\n  One.\n\n  Two.\n...\n",
            "---\n---\n",
            "---\r\ntitle: Voice\r\n---\r\n",
            "+++\ntitle = \"Voice\"\n[extra]\ntags = [\n  \"a\"\n]\n+++\n",
            "{\n  \"title\": \"Voice\"\n}\n",
        ] {
            assert_eq!(markdown(&format!("{matter}\nWe write.\n")), "\nWe write.\n", "{matter}");
        }
        for text in [
            "---\nA thought between two rules\n---\nAnother thought.\n",
            "---\ntitle: Voice\n\nIt never ends.\n",
            "+++\nNo key here\n+++\nText.\n",
            "{title} is no JSON.\n",
            "{\"a\": 1} is a text about JSON.\n",
            "Text first.\n---\ntitle: Voice\n---\n",
        ] {
            assert_eq!(markdown(text), text);
        }
    }
}
