//! What models put around a text: thoughts, code fences, JSON, a line such as "Here is the post:",
//! an offer to change it, tokens of their chat template.

use std::borrow::Cow;

use super::super::language;
use super::MIN_WORDS;

/// Tokens that end a message in the chat templates of common models.
const END_TOKENS: [&str; 6] = ["<|im_end|>", "<|eot_id|>", "<|end|>", "<|endoftext|>", "<|return|>", "</s>"];
/// Tags of a thought before the answer.
const THOUGHTS: [(&str, &str); 2] = [("<think>", "</think>"), ("<thinking>", "</thinking>")];
/// How a line begins that announces the text.
const PREAMBLES: [&str; 9] =
    ["here is", "here's", "here are", "sure", "certainly", "of course", "below is", "absolutely", "great"];
/// What models say of the text after its end: each of these with one of [`CHANGES`].
const OFFERS: [&str; 7] = [
    "let me know if",
    "feel free to",
    "would you like me to",
    "if you'd like",
    "if you would like",
    "i can also",
    "please let me know",
];
const CHANGES: [&str; 8] = ["change", "adjust", "revis", "tweak", "edits", "modif", "different tone", "tailor"];
/// Last lines that are about the text.
const REMARKS: [&str; 6] =
    ["word count:", "(word count", "**word count", "i hope this helps", "hope it helps", "hope this helps"];

/// The text without what models put around it.
pub(crate) fn unwrap(text: &str) -> Cow<'_, str> {
    let text = END_TOKENS.iter().filter_map(|token| text.find(token)).min().map_or(text, |end| &text[..end]);
    let text = without_thought(text.trim());
    let text = without_preamble(fenced(text).unwrap_or(text));
    let text = fenced(text).unwrap_or(text);
    match in_json(text) {
        Some(inside) => Cow::Owned(inside),
        None => Cow::Borrowed(without_remarks(text)),
    }
}

/// The same of an answer that is still being written: a fence that was opened is not closed yet.
pub(crate) fn unwrap_unfinished(text: &str) -> Cow<'_, str> {
    let open = |text: &str| text.starts_with("```").then(|| text.find('\n')).flatten();
    match unwrap(text) {
        Cow::Borrowed(text) => Cow::Borrowed(open(text).map_or(text, |line| text[line..].trim_start())),
        inside => inside,
    }
}

/// A thought that never ends leaves no text.
fn without_thought(text: &str) -> &str {
    for (open, close) in THOUGHTS {
        if let Some(end) = text.rfind(close) {
            return text[end + close.len()..].trim();
        }
        if text.starts_with(open) {
            return "";
        }
    }
    text
}

fn without_preamble(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, rest)) if is_preamble(first) => rest.trim(),
        _ => text,
    }
}

fn is_preamble(line: &str) -> bool {
    let lower = line.trim().to_lowercase();
    lower.ends_with(':') && PREAMBLES.iter().any(|begin| lower.starts_with(begin))
}

/// The inside of a code fence that holds most of the text.
fn fenced(text: &str) -> Option<&str> {
    let (before, rest) = text.split_once("```")?;
    let (label, rest) = rest.split_once('\n')?;
    let (inside, after) = rest.rsplit_once("```")?;
    let is_label = matches!(label.trim(), "" | "markdown" | "md" | "text" | "json");
    (is_label && inside.len() > before.len() + after.len()).then_some(inside.trim())
}

/// The longest text in a JSON object, or the texts of a list, where the answer is nothing else.
fn in_json(text: &str) -> Option<String> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let inside = match serde_json::from_str(text).ok()? {
        serde_json::Value::Object(fields) => {
            let texts = fields.values().filter_map(|value| value.as_str());
            texts.max_by_key(|text| text.len())?.to_owned()
        }
        serde_json::Value::Array(items) => {
            items.iter().map(|item| item.as_str()).collect::<Option<Vec<_>>>()?.join("\n\n")
        }
        _ => return None,
    };
    (language::count_words(&inside) >= MIN_WORDS).then(|| inside.trim().to_owned())
}

/// Without last paragraphs that speak about the text.
fn without_remarks(text: &str) -> &str {
    let mut text = text.trim();
    while let Some((rest, last)) = text.rsplit_once('\n') {
        let lower = last.trim().to_lowercase().replace('’', "'");
        let offers =
            OFFERS.iter().any(|offer| lower.contains(offer)) && CHANGES.iter().any(|change| lower.contains(change));
        let remarks = REMARKS.iter().any(|remark| lower.starts_with(remark));
        // A rule above such a line belonged to it.
        let rest = rest.trim_end();
        if !offers && !remarks {
            break;
        }
        text = rest.strip_suffix("\n---").unwrap_or(rest).trim_end();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# Scans read twice\n\nEvery scan is read by a model and by a radiologist, within two hours [1].\n\nBook now.";

    #[test]
    fn wrapping_is_taken_off() {
        let json = serde_json::json!({ "title": "Scans", "content": TEXT }).to_string();
        for wrapped in [
            TEXT.to_owned(),
            format!("```markdown\n{TEXT}\n```"),
            format!("Here is the article:\n\n{TEXT}"),
            format!("Sure! Here you go:\n\n```\n{TEXT}\n```\nHope it helps!"),
            format!("{TEXT}\n\n---\nWord count: 20"),
            format!("{TEXT}\n\nLet me know if you’d like any changes!"),
            format!("<think>\nThe user wants…\n</think>\n\n{TEXT}"),
            format!("{TEXT}<|eot_id|><|start_header_id|>user"),
            json.clone(),
            format!(
                "Sure! Here is the JSON that you asked for:\n\n```json\n{json}\n```\n\nLet me know if you want changes."
            ),
        ] {
            assert_eq!(unwrap(&wrapped), TEXT, "{wrapped}");
        }
        assert_eq!(unwrap("<think>never ends"), "");
        let posts = ["1/ One post with some words in it.", "2/ Another post with some words in it."];
        assert_eq!(unwrap(&serde_json::json!(posts).to_string()), posts.join("\n\n"));
    }

    #[test]
    fn what_belongs_to_the_text_stays() {
        for text in [
            format!("{TEXT}\n\n```sh\nls\n```"),
            format!("{TEXT}\n\nLet me know if you have questions."),
            "Sure thing: one line alone".to_owned(),
        ] {
            assert_eq!(unwrap(&text), text);
        }
    }
}
