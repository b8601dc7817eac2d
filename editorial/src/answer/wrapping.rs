//! Removes what models put around a text: reasoning, code fences, JSON, a line such as "Here is the
//! post:", notes and sources after it, an offer to change it, tokens of their chat template.

use std::borrow::Cow;

use serde_json::Value;

mod preamble;
mod remark;

use super::MIN_WORDS;
use crate::text::language;
use preamble::without_preamble;
use remark::without_remarks;

/// The most layers of wrapping that are removed.
const MAX_LAYERS: usize = 4;
/// Tokens that begin a message in the chat templates of common models.
const BEGIN_TOKENS: [&str; 7] = [
    "<|begin_of_box|>",
    "<|START_RESPONSE|>",
    "<|im_start|>assistant",
    "<|start_header_id|>assistant<|end_header_id|>",
    "<start_of_turn>model",
    "<|assistant|>",
    "<｜Assistant｜>",
];
/// Tokens that end a message.
const END_TOKENS: [&str; 14] = [
    "<|eom_id|>",
    "<|user|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|end_of_box|>",
    "<|END_RESPONSE|>",
    "[END FINAL RESPONSE]",
    "<|im_end|>",
    "<|eot_id|>",
    "<|end|>",
    "<|endoftext|>",
    "<|return|>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
    "</s>",
];
/// Markers of the reasoning channel and of the answer, in small letters. The third pair is what is left of the first on
/// servers that drop its tokens.
const CHANNELS: [(&str, &str); 5] = [
    ("<|channel|>", "<|channel|>final<|message|>"),
    ("<|start|>assistant", "<|channel|>final<|message|>"),
    ("analysis", "assistantfinal"),
    ("here is my thought process:", "here is my response:"),
    ("here are my reasoning steps:", "[begin final response]"),
];
/// Tags of reasoning before the answer, in small letters.
const THOUGHTS: [(&str, &str); 11] = [
    ("<seed:think>", "</seed:think>"),
    ("<|start_thinking|>", "<|end_thinking|>"),
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<analysis>", "</analysis>"),
    ("[think]", "[/think]"),
    ("◁think▷", "◁/think▷"),
];
/// Tags of the answer itself.
const ANSWERS: [(&str, &str); 4] = [
    ("<answer>", "</answer>"),
    ("<final_answer>", "</final_answer>"),
    ("<response>", "</response>"),
    ("<output>", "</output>"),
];

/// What models write in front of a heading to say which one it is.
const HEADING_LABELS: [&str; 7] = ["title", "headline", "heading", "hero", "hero line", "product name", "subheading"];

/// The text without its wrapping.
pub fn unwrap(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text.trim());
    for _ in 0..MAX_LAYERS {
        let inside = match in_json(&text) {
            Some(inside) => inside,
            None => {
                let inside = without_layer(&text);
                if inside.len() == text.len() {
                    break;
                }
                inside.to_owned()
            }
        };
        text = Cow::Owned(inside);
    }
    if text.lines().any(|line| label_in(line).is_some()) { Cow::Owned(without_labels(&text)) } else { text }
}

/// The text without labels in its headings: `# Title: The harbour`.
fn without_labels(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        label_in(line).map_or(Cow::Borrowed(line), |(marks, heading)| Cow::Owned(format!("{marks} {heading}")))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The marks of a heading that begins with the name of its place, and what stands behind that.
fn label_in(line: &str) -> Option<(&str, &str)> {
    let (marks, heading) = line.split_once(' ').filter(|(marks, _)| matches!(*marks, "#" | "##" | "###"))?;
    let (label, rest) = heading.trim_start_matches(['*', ' ']).split_once(':')?;
    let is_label = HEADING_LABELS.iter().any(|known| label.eq_ignore_ascii_case(known));
    let rest = rest.trim_start_matches(['*', ' ']);
    (is_label && !rest.is_empty()).then_some((marks, rest))
}

/// The same for an answer that is still being written: an open fence has no end yet.
pub fn unwrap_unfinished(text: &str) -> Cow<'_, str> {
    let text = unwrap(text);
    let opened = text.starts_with("```").then(|| text.find('\n')).flatten();
    opened.map(|line| Cow::Owned(text[line..].trim_start().to_owned())).unwrap_or(text)
}

fn without_layer(text: &str) -> &str {
    let text = answered(text);
    let text = BEGIN_TOKENS.iter().find_map(|token| text.strip_prefix(token)).unwrap_or(text);
    let text = END_TOKENS.iter().filter_map(|token| text.find(token)).min().map_or(text, |end| &text[..end]);
    let text = tagged(without_thought(text.trim()));
    let text = without_preamble(fenced(text).unwrap_or(text));
    without_remarks(fenced(text).unwrap_or(text))
}

/// The last channel's message.
fn answered(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let last = |(begin, last): &(&str, &str)| {
        let at = lower.starts_with(begin).then(|| lower.rfind(last)).flatten()?;
        Some(&text[at + last.len()..])
    };
    CHANNELS.iter().find_map(last).unwrap_or(text)
}

/// The text without reasoning. Reasoning without an end leaves no text.
fn without_thought(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    for (open, close) in THOUGHTS {
        if let Some(end) = lower.rfind(close) {
            return text[end + close.len()..].trim();
        }
        if lower.starts_with(open) {
            return "";
        }
    }
    // Readers of a text may unfold details too: only these are thoughts.
    let folded = lower.starts_with("<details type=\"reasoning\"").then(|| lower.find("</details>")).flatten();
    folded.map_or(text, |end| text[end + "</details>".len()..].trim())
}

/// The contents of tags that contain most of the text.
fn tagged(text: &str) -> &str {
    let inside = |(open, close): &(&str, &str)| {
        let start = text.find(open)? + open.len();
        let inside = &text[start..start + text[start..].rfind(close)?];
        (inside.len() > text.len() - inside.len()).then_some(inside.trim())
    };
    ANSWERS.iter().find_map(inside).unwrap_or(text)
}

/// The contents of a code fence that contains most of the text. One of more than three marks may hold others.
fn fenced(text: &str) -> Option<&str> {
    let (before, rest) = text.split_once("```")?;
    let (label, rest) = rest.trim_start_matches('`').split_once('\n')?;
    let (inside, after) = rest.rsplit_once("```")?;
    let inside = inside.trim_end_matches('`');
    let is_label = matches!(label.trim(), "" | "markdown" | "md" | "text" | "txt" | "plaintext" | "json");
    (is_label && inside.len() > before.len() + after.len()).then_some(inside.trim())
}

/// The text in an answer that is only JSON.
fn in_json(text: &str) -> Option<String> {
    if !text.starts_with(['{', '[', '"']) {
        return None;
    }
    let inside = text_of(&serde_json::from_str(text).ok()?)?;
    (language::count_words(&inside) >= MIN_WORDS).then(|| inside.trim().to_owned())
}

/// The text in a JSON value: a string, the strings of a list, or the longest of an object's members
/// with a name used for texts.
fn text_of(value: &Value) -> Option<String> {
    const NAMES: [&str; 14] = [
        "content", "text", "body", "article", "post", "draft", "markdown", "answer", "response", "output", "result",
        "copy", "email", "script",
    ];
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            let texts: Vec<&str> = items.iter().map(Value::as_str).collect::<Option<_>>()?;
            Some(texts.join("\n\n"))
        }
        Value::Object(fields) => {
            let named = fields.iter().filter(|(name, _)| NAMES.contains(&name.to_lowercase().as_str()));
            named.filter_map(|(_, value)| text_of(value)).max_by_key(String::len)
        }
        _ => None,
    }
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
            format!("<Think>The user wants…</Think>{TEXT}"),
            format!("<seed:think>The user wants…</seed:think>{TEXT}"),
            format!("<|START_THINKING|>The user wants…<|END_THINKING|><|START_RESPONSE|>{TEXT}<|END_RESPONSE|>"),
            format!(
                "<details type=\"reasoning\" done=\"true\">\n<summary>Thought</summary>\n> So…\n</details>\n{TEXT}"
            ),
            format!("<|channel|>final<|message|>{TEXT}"),
            format!("<|channel|>commentary<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{TEXT}"),
            format!(
                "<|start|>assistant<|channel|>analysis<|message|>So…<|end|><|start|>assistant<|channel|>final<|message|>{TEXT}<|return|>"
            ),
            format!("Here is my thought process:\nThey want…\n\nHere is my response:\n{TEXT}"),
            format!("Here are my reasoning steps:\nThey want…\n[BEGIN FINAL RESPONSE]\n{TEXT}\n[END FINAL RESPONSE]"),
            format!("{TEXT}<|eom_id|>"),
            format!("{TEXT}<|END_OF_TURN_TOKEN|>"),
            format!("<|begin_of_box|>{TEXT}<|end_of_box|>"),
            format!("````markdown\n{TEXT}\n````"),
            format!("{TEXT}<|eot_id|><|start_header_id|>user"),
            json.clone(),
            format!(
                "Sure! Here is the JSON that you asked for:\n\n```json\n{json}\n```\n\nLet me know if you want changes."
            ),
        ] {
            assert_eq!(unwrap(&wrapped), TEXT, "{wrapped}");
        }
        for wrapped in [
            TEXT.replace("# ", "# Title: "),
            TEXT.replace("# ", "# **Headline:** "),
            format!("Here is a short, friendly blog post about scans:\n\n{TEXT}"),
            format!("Here you go:\n\n{TEXT}"),
            format!("Here is what you asked for:\n\n{TEXT}"),
            format!("**Revised version (shorter):**\n\n{TEXT}"),
            format!("Below is the revised version:\n\n{TEXT}"),
            format!("Hier ist der Artikel über Scans:\n\n{TEXT}"),
            format!("Voici l'article :\n\n{TEXT}"),
            format!("{TEXT}\n\nFeel free to adjust the tone of this draft."),
            format!("{TEXT}\n\nIf you'd like, I can also make the post shorter."),
            format!("{TEXT}\n\nLet me know if you want any revisions."),
            format!("{TEXT}\n\nWould you like me to add a section?"),
            format!("{TEXT}\n\nNote: I have left the prices out."),
            format!("{TEXT}\n\n## What changed\n\n- Shorter sentences in the introduction."),
            format!("{TEXT}\n\n---\n\n## Key changes\n\n- All is new."),
            format!("{TEXT}\n\n## Sources\n\n- [1] Handbook"),
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
            format!("Here's what we learned in a year of double readings:\n\n{TEXT}"),
            format!("Sure signs that a scan needs a second reading:\n\n{TEXT}"),
            format!("Great care takes two people:\n\n{TEXT}"),
            format!("# Here is how a text is made:\n\n{TEXT}"),
            format!("{TEXT}\n\nNote: parking is free on weekends."),
            format!("{TEXT}\n\n## Notes\n\n- Parking is free.\n- Bring your card."),
            format!("{TEXT}\n\nSources of error are few:\n- The machine\n- The reader"),
            format!("{TEXT}\n\nEnd of summer is a good time for it."),
            format!("{TEXT}\n\nI hope this makes your choice easier."),
            format!("{TEXT}\n\nIf you'd like a tailored quote, call us today."),
            format!("{TEXT}\n\nFeel free to change your booking at any time before you sail."),
            format!("{TEXT}\n\nPlease let me know if anything about your visit changes."),
            format!("{TEXT}\n\nLet me know if Sunday is better, and I can change it."),
            format!("{TEXT}\n\nNote: Wi-Fi is free on the quay."),
            format!("{TEXT}\n\nNote: the passage is narrow at low tide."),
            format!("{TEXT}\n\nNote: I am away in May."),
            format!("{TEXT}\n\n## What changed\n\n- The quay is lit at night.\n- Berths are wider."),
            format!("{TEXT}\n\n## Key changes\n\n- Two readers for every scan."),
            format!("Here's what 1,000 cold emails taught me:\n\n{TEXT}"),
            format!("Here's how our content team plans a week:\n\n{TEXT}"),
            format!("Here are three posts worth your time:\n\n{TEXT}"),
            format!("Here is the content plan for May:\n\n{TEXT}"),
            format!("Here's the story of our newsletter:\n\n{TEXT}"),
            format!("# Title insurance: what it covers\n\n{TEXT}"),
            "# Title:\n\nScans are read twice.".to_owned(),
        ] {
            assert_eq!(unwrap(&text), text);
        }
    }
}
