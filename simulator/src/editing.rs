//! The editor's edits: what the worker's own checks name is mended where that is plain, and a first draft is
//! polished in any case. Never breaks a shape: what it does not understand it leaves alone.

use rand::RngExt;
use serde_json::{Value, json};

use crate::prompt::{Format, Prompt};
use crate::reading::{self, Bound, Wish};
use crate::seed::Rng;
use crate::shape;
use crate::writer;

/// What a fix begins with that tells of people's wishes.
const ASKED: &str = "People asked for this: ";
/// Edits in one answer, at most.
const EDITS_MAX: usize = 8;
/// An inserted paragraph has about so many words.
const INSERTED_WORDS: usize = 90;
/// The action that leaves a paragraph as it is.
const ADDS: &str = "insert_after";
/// Paragraphs that are inserted at once.
const INSERTED_MAX: usize = 4;
/// From so many words on two paragraphs are polished.
const LONG_WORDS: usize = 500;
/// Calls to action for an ad; each is short enough for its line.
const CALLS: [&str; 3] = ["Find out more today", "See how it works", "Book a first visit"];

/// The edits of a draft: those that the fixes ask for, and a polish where `polishes` and nothing else is mended.
pub(crate) fn edits(prompt: &Prompt, polishes: bool, now_ms: u64, rng: &mut Rng) -> Vec<Value> {
    let mut edits: Vec<Value> = Vec::new();
    for edit in prompt.fixes.iter().flat_map(|fix| mended(prompt, fix, now_ms, rng)) {
        // A paragraph is edited once: what is left is for the next round.
        let is_new = !edits.iter().any(|known| known["paragraph"] == edit["paragraph"] && edit["action"] != ADDS);
        if is_new && edits.len() < EDITS_MAX {
            edits.push(edit);
        }
    }
    // Turning sentences that belong together would be no polish.
    if edits.is_empty() && polishes && !prompt.plain {
        edits = polished(prompt, rng);
    }
    edits
}

fn mended(prompt: &Prompt, fix: &str, now_ms: u64, rng: &mut Rng) -> Vec<Value> {
    if let Some(wish) = fix.strip_prefix(ASKED) {
        let is_heeded = rng.random_bool(prompt.behaviour.follow);
        let wishes = if is_heeded { reading::read(wish) } else { Vec::new() };
        return wishes.iter().flat_map(|wish| granted(prompt, wish, now_ms, rng)).collect();
    }
    if let Some((asked, counted)) = lengths(fix) {
        return if counted < asked {
            longer(prompt, asked - counted, now_ms, rng)
        } else {
            shorter(prompt, counted - asked)
        };
    }
    if fix.starts_with("Work in ") {
        let after = body(prompt).last().map(|(n, _)| *n);
        let text = writer::paragraph(prompt, 0, &quoted(fix), now_ms, rng);
        return after.map(|n| inserted(n, &text)).into_iter().collect();
    }
    if fix.starts_with("Do not use ") {
        return without(prompt, |sentence| quoted(fix).iter().any(|word| holds(sentence, word)));
    }
    let wrong = fix.strip_prefix("Passage ").and_then(|rest| rest.split_once(' '));
    match wrong.and_then(|(n, _)| Some((n.parse::<u32>().ok()?, quoted(fix).pop()?))) {
        // What a passage says word for word it supports, whatever was counted.
        Some((n, sentence)) if prompt.plain && says(prompt, n, &sentence) => Vec::new(),
        Some((n, sentence)) => uncited(prompt, n, &sentence).into_iter().collect(),
        None => Vec::new(),
    }
}

/// What people asked for, as far as it can be mended without writing anew.
fn granted(prompt: &Prompt, wish: &Wish, now_ms: u64, rng: &mut Rng) -> Vec<Value> {
    let words = shape::words(&prompt.draft);
    match wish {
        Wish::Ban(word) => without(prompt, |sentence| holds(sentence, word)),
        Wish::Prefer { term, over } => everywhere(prompt, |text| writer::reworded(text, over, term)),
        Wish::Mark(mark, false) => {
            everywhere(prompt, |text| writer::unmarked(text, *mark).unwrap_or_else(|| text.to_owned()))
        }
        Wish::Mention(word) => {
            let after = body(prompt).last().map(|(n, _)| *n);
            let text = writer::paragraph(prompt, 0, std::slice::from_ref(word), now_ms, rng);
            after.map(|n| inserted(n, &text)).into_iter().collect()
        }
        Wish::Length(Bound::AtMost, most) => shorter(prompt, words.saturating_sub(*most)),
        Wish::Length(Bound::AtLeast, least) if words < *least => longer(prompt, least - words, now_ms, rng),
        _ => Vec::new(),
    }
}

/// The paragraphs that a change changes.
fn everywhere(prompt: &Prompt, change: impl Fn(&str) -> String) -> Vec<Value> {
    let changed = (1..).zip(&prompt.paragraphs).map(|(n, text)| (n, text, change(text)));
    changed.filter(|(_, text, new)| *text != new).map(|(n, _, new)| replaced(n, &new)).collect()
}

/// Whether a passage holds a sentence as it stands.
fn says(prompt: &Prompt, passage: u32, sentence: &str) -> bool {
    let bare = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    // A thread's post begins with its number.
    let sentence = sentence.split_once("/ ").filter(|(n, _)| n.len() < 3).map_or(sentence, |(_, rest)| rest);
    prompt.passages.iter().any(|known| known.n == passage && bare(&known.text).contains(&bare(sentence)))
}

/// `Write about 800 words; the text has 430.`
fn lengths(fix: &str) -> Option<(usize, usize)> {
    let (asked, counted) = fix.strip_prefix("Write about ")?.split_once(" words; the text has ")?;
    Some((asked.parse().ok()?, counted.trim_end_matches('.').parse().ok()?))
}

/// What stands in quotation marks.
fn quoted(fix: &str) -> Vec<String> {
    fix.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn holds(sentence: &str, word: &str) -> bool {
    sentence.to_lowercase().contains(&word.to_lowercase())
}

/// Paragraphs of flowing text with their numbers: no headings, lists, labels, quotations, and not the first or
/// the last one.
fn body(prompt: &Prompt) -> Vec<(usize, &str)> {
    let last = prompt.paragraphs.len();
    let numbered = (1..).zip(prompt.paragraphs.iter().map(String::as_str));
    let is_body = |&(n, text): &(usize, &str)| {
        let is_marked = text.starts_with(['#', '-', '*', '>', '|', '`', '“', '"']) || text.contains(['\n', '—']);
        n > 1 && n < last && !is_marked && !text.ends_with([',', '?', ':'])
    };
    numbered.filter(is_body).collect()
}

fn longer(prompt: &Prompt, words: usize, now_ms: u64, rng: &mut Rng) -> Vec<Value> {
    // A post's number would be wrong.
    let Some((after, _)) = body(prompt).last().copied().filter(|_| prompt.format != Some(Format::Thread)) else {
        return Vec::new();
    };
    let mut lacking = prompt.clone();
    let paragraphs = (0..words.div_ceil(INSERTED_WORDS).min(INSERTED_MAX)).map(|_| {
        let text = writer::paragraph(&lacking, INSERTED_WORDS.min(words), &[], now_ms, rng);
        // What one paragraph says the next one does not.
        lacking.draft.push_str(&format!("\n\n{text}"));
        text
    });
    paragraphs.filter(|text| !text.is_empty()).map(|text| inserted(after, &text)).collect()
}

fn shorter(prompt: &Prompt, words: usize) -> Vec<Value> {
    let mut left = words;
    let goes = |(n, text): (usize, &str)| {
        let counted = shape::words(text);
        (counted <= left).then(|| {
            left -= counted;
            json!({ "paragraph": n, "action": "remove", "text": "" })
        })
    };
    body(prompt).into_iter().rev().filter_map(goes).take(EDITS_MAX).collect()
}

/// Paragraphs without these sentences, where others are left in them.
fn without(prompt: &Prompt, is_bad: impl Fn(&str) -> bool) -> Vec<Value> {
    let mended = body(prompt).into_iter().filter_map(|(n, text)| {
        let all = sentences(text);
        let good: Vec<_> = all.iter().copied().filter(|sentence| !is_bad(sentence)).collect();
        (good.len() < all.len() && !good.is_empty()).then(|| replaced(n, &good.join(" ")))
    });
    mended.collect()
}

/// The paragraph with this sentence, without its citation.
fn uncited(prompt: &Prompt, passage: u32, sentence: &str) -> Option<Value> {
    let begin: String = sentence.chars().take(40).collect();
    let marker = format!(" [{passage}]");
    let found = (1..).zip(&prompt.paragraphs).find(|(_, text)| text.contains(&begin) && text.contains(&marker));
    let (n, text) = found?;
    let at = text.find(&begin)?;
    let (before, rest) = text.split_at(at);
    Some(replaced(n, &format!("{before}{}", rest.replacen(&marker, "", 1))))
}

/// Paragraphs whose first two sentences change places: another wording that holds the same facts.
fn polished(prompt: &Prompt, rng: &mut Rng) -> Vec<Value> {
    if prompt.format == Some(Format::Ad) {
        return called(prompt, rng).into_iter().collect();
    }
    let turned = |(n, text)| Some((n, turned(text)?));
    let mut candidates: Vec<(usize, String)> = body(prompt).into_iter().filter_map(turned).collect();
    if candidates.is_empty() {
        // No flowing text: a scene's narration, the first answer, whatever has two sentences in a line of its own.
        candidates.extend(prose_lines(prompt).filter_map(turned_line).next());
    }
    if candidates.is_empty() {
        let longer = prose_lines(prompt).find(|(_, text)| text.ends_with('.') && !text.starts_with('-'));
        candidates.extend(longer.map(|(n, text)| (n, format!("{text} Ask us about it."))));
    }
    let count = if prompt.words >= LONG_WORDS { 2 } else { 1 };
    let mut edits = Vec::new();
    while edits.len() < count && !candidates.is_empty() {
        let (n, text) = candidates.swap_remove(rng.random_range(0..candidates.len()));
        edits.push(replaced(n, &text));
    }
    edits
}

/// Paragraphs with lines.
fn prose_lines(prompt: &Prompt) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(prompt.paragraphs.iter().map(String::as_str)).filter(|(_, text)| !text.starts_with(['#', '|', '`', '>']))
}

/// The paragraph with the first line of two sentences or more turned; its label stays in front.
fn turned_line((n, text): (usize, &str)) -> Option<(usize, String)> {
    let mut is_done = false;
    let mut line = |line: &str| {
        let at = line.find(": ").or_else(|| line.starts_with("- ").then_some(0)).map_or(0, |at| at + 2);
        let (label, rest) = line.split_at(at);
        match turned(rest).filter(|_| !is_done && !line.contains(['“', '—'])) {
            Some(turned) => {
                is_done = true;
                format!("{label}{turned}")
            }
            None => line.to_owned(),
        }
    };
    let lines: Vec<_> = text.lines().map(&mut line).collect();
    is_done.then(|| (n, lines.join("\n")))
}

fn turned(text: &str) -> Option<String> {
    // A thread's post keeps its number in front.
    let (number, text) = match text.split_once("/ ") {
        Some((n, rest)) if n.bytes().all(|byte| byte.is_ascii_digit()) => (format!("{n}/ "), rest),
        _ => (String::new(), text),
    };
    let all = sentences(text);
    let [first, second, rest @ ..] = all.as_slice() else { return None };
    let turned: Vec<_> = [*second, *first].into_iter().chain(rest.iter().copied()).collect();
    Some(format!("{number}{}", turned.join(" ")))
}

/// An ad's first variant with another call to action.
fn called(prompt: &Prompt, rng: &mut Rng) -> Option<Value> {
    const LABEL: &str = "Call to action: ";
    let (n, text) = (1..).zip(&prompt.paragraphs).find(|(_, text)| text.contains(LABEL))?;
    let call = CALLS[rng.random_range(0..CALLS.len())];
    let line = |line: &str| if line.starts_with(LABEL) { format!("{LABEL}{call}") } else { line.to_owned() };
    Some(replaced(n, &text.lines().map(line).collect::<Vec<_>>().join("\n")))
}

fn sentences(text: &str) -> Vec<&str> {
    let ends = text.match_indices(['.', '!', '?']).map(|(at, mark)| at + mark.len());
    let mut start = 0;
    let mut all: Vec<&str> = ends
        .filter(|&end| text[end..].chars().next().is_none_or(char::is_whitespace))
        .map(|end| text[std::mem::replace(&mut start, end)..end].trim())
        .collect();
    all.push(text[start..].trim());
    all.retain(|sentence| !sentence.is_empty());
    all
}

fn replaced(n: usize, text: &str) -> Value {
    json!({ "paragraph": n, "action": "replace", "text": text })
}

fn inserted(n: usize, text: &str) -> Value {
    json!({ "paragraph": n, "action": ADDS, "text": text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed;

    fn prompt(format: Format, paragraphs: &[&str], fixes: &[&str]) -> Prompt {
        let paragraphs: Vec<String> = paragraphs.iter().map(|text| (*text).to_owned()).collect();
        Prompt {
            format: Some(format),
            words: 300,
            topic: "tides".into(),
            draft: paragraphs.join("\n\n"),
            paragraphs,
            fixes: fixes.iter().map(|fix| (*fix).to_owned()).collect(),
            ..Prompt::default()
        }
    }

    fn of(prompt: &Prompt) -> Vec<Value> {
        edits(prompt, true, 0, &mut seed::rng(1, &[]))
    }

    const BLOG: [&str; 4] = ["# T", "It rises. It falls twice a day [3]. Boats leverage that.", "## A", "Join us."];

    #[test]
    fn what_the_fixes_name_is_mended() {
        let edit = of(&prompt(Format::Blog, &BLOG, &["Do not use \"leverage\"."]));
        assert_eq!(edit, [replaced(2, "It rises. It falls twice a day [3].")]);
        let fix = "Passage 3 does not say this: cite one that does, or leave it out: \"It falls twice a day\"";
        assert_eq!(
            of(&prompt(Format::Blog, &BLOG, &[fix])),
            [replaced(2, "It rises. It falls twice a day. Boats leverage that.")]
        );
        let edit = of(&prompt(Format::Blog, &BLOG, &["Work in \"tide table\"."]));
        assert!(edit[0]["text"].as_str().is_some_and(|text| text.contains("tide table")), "{edit:?}");
        let edit = of(&prompt(Format::Blog, &BLOG, &["Write about 300 words; the text has 20."]));
        assert_eq!(edit.len(), 4);
        let words: usize = edit.iter().filter_map(|edit| edit["text"].as_str()).map(shape::words).sum();
        assert!((200..=450).contains(&words), "{words}");
        let edit = of(&prompt(Format::Blog, &BLOG, &["Write about 2 words; the text has 30."]));
        assert_eq!(edit, [json!({ "paragraph": 2, "action": "remove", "text": "" })]);
    }

    #[test]
    fn what_people_asked_for_is_mended_as_often_as_lessons_are_followed() {
        let draft = ["Hook!", "It rises. Our clients utilize it — daily.", "It falls. It pays; at night.", "Why?"];
        let asked = |fix: &str, follow: f64| {
            let behaviour = crate::behaviour::Behaviour { follow, ..Default::default() };
            let prompt = prompt(Format::LinkedIn, &draft, &[&format!("{ASKED}{fix}")]);
            edits(&Prompt { behaviour, ..prompt }, false, 0, &mut seed::rng(1, &[]))
        };
        assert_eq!(asked("Use no exclamation marks.", 1.0), [replaced(1, "Hook.")]);
        assert_eq!(asked("Use no semicolons.", 1.0), [replaced(3, "It falls. It pays, at night.")]);
        let prefer = asked("Say \"customers\", and never \"clients\".", 1.0);
        assert_eq!(prefer, [replaced(2, "It rises. Our customers utilize it — daily.")]);
        assert_eq!(asked("Never use \"pays\".", 1.0), [replaced(3, "It falls.")]);
        assert!(asked("Use the term \"tide table\".", 1.0)[0]["text"].to_string().contains("tide table"));
        assert!(asked("Use no exclamation marks.", 0.0).is_empty() && asked("Be kind.", 1.0).is_empty());
    }

    #[test]
    fn every_format_is_polished_and_keeps_its_shape() {
        let text = "The sea rises twice a day. Boats wait for the water. The harbour opens at noon. Pilots go first. \
            The quay was built of stone in 1911. Its lamps burn all night long for late ships.";
        let passage = crate::prompt::Passage { n: 1, own: true, title: "Tides".into(), text: text.into() };
        for (format, slug, words) in Format::ALL {
            for seed in 0..20 {
                let asked = Prompt {
                    words,
                    passages: vec![passage.clone()],
                    business: "Acme".into(),
                    ..prompt(format, &[], &[])
                };
                let draft = writer::write(&asked, 1_772_496_000_000, &mut seed::rng(seed, &[]));
                let paragraphs: Vec<String> = draft.split("\n\n").map(str::to_owned).collect();
                let edit = of(&Prompt { paragraphs: paragraphs.clone(), draft: draft.clone(), ..asked });
                assert!(!edit.is_empty(), "{slug}:\n{draft}");
                let mut edited = paragraphs;
                for edit in &edit {
                    let n = edit["paragraph"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
                    edited[n - 1] = edit["text"].as_str().unwrap_or_default().to_owned();
                }
                let edited = edited.join("\n\n");
                assert_ne!(edited, draft, "{slug}");
                assert_eq!(shape::problems(format, &edited), Vec::<String>::new(), "{slug}:\n{edited}");
                assert_eq!(edited.matches("[1]").count(), draft.matches("[1]").count(), "{slug}");
            }
        }
    }

    #[test]
    fn a_polish_keeps_the_facts_and_the_shape() {
        assert_eq!(
            of(&prompt(Format::Blog, &BLOG, &[])),
            [replaced(2, "It falls twice a day [3]. It rises. Boats leverage that.")]
        );
        let thread = ["1/ Hook.", "2/ One. Two.", "3/ End?"];
        assert_eq!(of(&prompt(Format::Thread, &thread, &[])), [replaced(2, "2/ Two. One.")]);
        let ad = ["## Variant 1", "Headline: H\nBody: B\nCall to action: Buy"];
        let edit = of(&prompt(Format::Ad, &ad, &[]));
        assert!(
            edit[0]["text"].as_str().is_some_and(|text| text.starts_with("Headline: H\nBody: B\nCall to action: "))
        );
        assert!(edits(&prompt(Format::Blog, &BLOG, &[]), false, 0, &mut seed::rng(1, &[])).is_empty());
    }
}
