//! An editor's answer, as models write it: scores, a comment, and edits of which some may be of no use. Those are
//! passed over one by one: the others stand.

use copydesk_editorial::answer::{is_example, is_refusal, placeholder, repeats_a_note, repeats_the_prompt, unwrap};
use copydesk_editorial::edits::{Action, Edit};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::super::review::Rubric;
use super::super::structured::Shape;

/// Edits that are read.
const MAX_EDITS: usize = 40;
/// The longest text of one, in bytes.
const MAX_TEXT_BYTES: usize = 20_000;
/// What the actions are called, by models that were told other names than they use.
const ACTIONS: [(Action, &[&str]); 3] = [
    (Action::Replace, &["replace", "rewrite", "edit", "change", "modify", "update"]),
    (Action::Remove, &["remove", "delete", "cut", "drop"]),
    (Action::InsertAfter, &["insert_after", "insertafter", "insert", "add", "add_after", "append"]),
];
/// An editor's answer.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    #[serde(flatten)]
    pub(super) rubric: Rubric,
    #[serde(default, deserialize_with = "edits")]
    pub(super) edits: Vec<Edit>,
}

impl Shape for Answer {
    const NAME: &'static str = "edit";

    fn schema() -> Value {
        let actions: Vec<_> = ACTIONS.iter().filter_map(|(_, names)| names.first()).collect();
        json!({
            "type": "object",
            "properties": {
                "criteria": Rubric::criteria_schema(),
                "comments": { "type": "string" },
                "edits": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "paragraph": { "type": "integer" },
                            "action": { "type": "string", "enum": actions },
                            "text": { "type": "string" },
                        },
                        "required": ["paragraph", "action", "text"],
                        "additionalProperties": false,
                    },
                },
            },
            "required": ["criteria", "comments", "edits"],
            "additionalProperties": false,
        })
    }

    fn checked(self) -> Result<Self, Vec<String>> {
        // No comment is no example.
        if !self.rubric.comments.trim().is_empty() && is_example(&self.rubric.comments) {
            return Err(vec!["The comments were the example's: say in your own words what you think.".to_owned()]);
        }
        Ok(Self { rubric: self.rubric.checked()?, ..self })
    }
}

/// Whatever of a list is an edit.
fn edits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Edit>, D::Error> {
    let written = Value::deserialize(deserializer)?;
    let items = match &written {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    Ok(items.iter().take(MAX_EDITS).filter_map(edit).collect())
}

fn edit(written: &Value) -> Option<Edit> {
    let field = |names: [&str; 3]| names.iter().find_map(|name| written.get(name));
    let paragraph = number(field(["paragraph", "paragraph_number", "n"])?)?;
    let name = written.get("action")?.as_str()?.trim().to_lowercase().replace([' ', '-'], "_");
    let (action, _) = ACTIONS.iter().find(|(_, names)| names.contains(&name.as_str()))?;
    let text = field(["text", "new_text", "content"]).and_then(Value::as_str).unwrap_or_default();
    Some(Edit { paragraph, action: *action, text: text.to_owned() })
}

/// A paragraph's number: `3`, `3.0`, `"3"`, `"p3"` or `"[3]"`.
fn number(written: &Value) -> Option<usize> {
    if let Some(n) = written.as_u64() {
        return usize::try_from(n).ok();
    }
    match written {
        Value::Number(n) => format!("{n}").strip_suffix(".0")?.parse().ok(),
        Value::String(text) => text.trim().trim_matches(|c: char| !c.is_ascii_digit()).parse().ok(),
        _ => None,
    }
}

/// The edits whose texts can stand in a text: freed of what models put around one, and nothing that is no text of its
/// own. `is_unfit` says what else cannot stand in this one.
pub(super) fn sound(edits: Vec<Edit>, is_unfit: impl Fn(&str) -> bool) -> Vec<Edit> {
    let sound = edits.into_iter().filter_map(|edit| {
        let text = plain(&edit.text);
        let is_bad = text.len() > MAX_TEXT_BYTES
            || is_example(&text)
            || repeats_the_prompt(&text)
            || repeats_a_note(&text)
            || is_refusal(&text)
            || placeholder::is_left(&text)
            || is_unfit(&text);
        (edit.action == Action::Remove || !is_bad).then_some(Edit { text, ..edit })
    });
    sound.collect()
}

/// A paragraph as it was meant: the draft's was shown in a tag, and escaped.
fn plain(text: &str) -> String {
    let text = unwrap(text);
    let inside = text.strip_prefix("<p").and_then(|rest| rest.split_once('>')).map_or(&*text, |(_, inside)| inside);
    let inside = inside.trim().trim_end_matches("</p>").trim();
    inside.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::super::review::CRITERIA;
    use super::*;

    fn read(edits: &Value) -> Vec<(usize, Action, String)> {
        let scores = json!({ "accuracy": 8, "relevance": "8/10", "voice": "7.5", "structure": 8, "clarity": 8 });
        let answer = json!({ "criteria": scores, "comments": "Fine.", "edits": edits, "more": 1 });
        let answer: Answer = serde_json::from_value(answer).unwrap();
        let edits = sound(answer.checked().unwrap().edits, |text| text.contains("secret"));
        edits.into_iter().map(|edit| (edit.paragraph, edit.action, edit.text)).collect()
    }

    fn one(paragraph: &Value, action: &str, text: &str) -> Vec<(usize, Action, String)> {
        read(&json!([{ "paragraph": paragraph, "action": action, "text": text }]))
    }

    #[test]
    fn edits_are_read_as_models_write_them() {
        for n in [json!(3), json!(3.0), json!("3"), json!(" p3 "), json!("[3]")] {
            assert_eq!(one(&n, "replace", "A."), [(3, Action::Replace, "A.".to_owned())], "{n}");
        }
        for (name, action) in
            [("Insert After", Action::InsertAfter), ("delete", Action::Remove), ("REWRITE", Action::Replace)]
        {
            assert_eq!(one(&json!(1), name, "A.")[0].1, action, "{name}");
        }
        for text in ["<p n=\"3\">A &amp; b.</p>", "```\nA &amp; b.\n```", " A & b. "] {
            assert_eq!(one(&json!(3), "replace", text)[0].2, "A & b.", "{text}");
        }
        assert_eq!(read(&json!({ "paragraph": 1, "action": "remove" })).len(), 1, "one that is no list");
        assert_eq!(read(&json!([{ "n": 1, "action": "replace", "new_text": "A." }])).len(), 1);
    }

    #[test]
    fn what_is_no_edit_is_passed_over_and_the_others_stand() {
        let good = json!({ "paragraph": 2, "action": "replace", "text": "B." });
        for bad in [
            json!(7),
            json!("replace paragraph 3"),
            json!([]),
            json!({}),
            json!({ "paragraph": -1, "action": "replace", "text": "x" }),
            json!({ "paragraph": 1.5, "action": "replace", "text": "x" }),
            json!({ "paragraph": "first", "action": "replace", "text": "x" }),
            json!({ "paragraph": [1], "action": "replace", "text": "x" }),
            json!({ "paragraph": 1, "action": "explode", "text": "x" }),
            json!({ "paragraph": 1, "text": "x" }),
            json!({ "paragraph": 1, "action": "replace", "text": "TEXT" }),
            json!({ "paragraph": 2, "action": "replace", "text": "the whole paragraph anew" }),
            json!({ "paragraph": 2, "action": "insert_after", "text": "a new paragraph behind that one" }),
            json!({ "paragraph": 1, "action": "replace", "text": "Your last answer could not be used." }),
            json!({ "paragraph": 1, "action": "replace", "text": "It is secret." }),
            json!({ "paragraph": 1, "action": "replace", "text": "<passage n=\"1\">x</passage>" }),
            json!({ "paragraph": 1, "action": "replace", "text": "As an AI language model, I cannot do that." }),
            json!({ "paragraph": 1, "action": "replace", "text": "Call [Your Company] today." }),
        ] {
            assert_eq!(read(&json!([bad, good])), [(2, Action::Replace, "B.".to_owned())], "{bad}");
        }
        assert!(read(&json!(null)).is_empty() && read(&json!("none")).is_empty() && read(&json!([])).is_empty());
        assert_eq!(read(&json!(vec![good; 500])).len(), MAX_EDITS);
    }

    /// The words in capitals of the last line of a template: what a model puts its own values in place of.
    fn slots(template: &str) -> Vec<String> {
        let example = template.lines().last().unwrap();
        assert!(example.starts_with('{') && serde_json::from_str::<Value>(example).is_err(), "{example}");
        let words = example.split(|c: char| !(c.is_alphabetic() || c == '_'));
        words.filter(|word| word.len() > 2 && *word == word.to_uppercase()).map(str::to_owned).collect()
    }

    #[test]
    fn no_word_of_an_example_is_an_answer() {
        let (edit, outline) =
            (include_str!("../../../prompts/edit/v1.md.j2"), include_str!("../../../prompts/outline/v2.md.j2"));
        assert_eq!((slots(edit).len(), slots(outline).len()), (9, 6));
        for slot in slots(edit).into_iter().chain(slots(outline)) {
            for copied in
                [slot.clone(), slot.to_lowercase(), format!("the {}", slot.to_lowercase()), format!("<{slot}>")]
            {
                assert!(is_example(&copied), "{copied}");
            }
        }
        let scored = |score: f64, comments: &str| {
            let criteria = CRITERIA.iter().map(|name| ((*name).to_owned(), score)).collect();
            let rubric = Rubric { criteria, comments: comments.to_owned(), fixes: Vec::new() };
            Answer { rubric, edits: Vec::new() }.checked().is_ok()
        };
        assert!(scored(7.0, "Fine.") && scored(7.0, "") && scored(0.5, "Poor."));
        assert!(!scored(0.0, "Fine.") && !scored(0.0, "") && !scored(7.0, "one or two sentences"));
    }
}
