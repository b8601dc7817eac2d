//! The plan in front of a text: a model that was asked for both in one answer puts it between tags. Readers never see
//! it, however the model marked it. A missing plan is no fault.

use std::borrow::Cow;

use super::ending::without_marks;
use crate::text::sentence::MARKS;

const OPEN: &str = "<plan>";
const CLOSE: &str = "</plan>";
/// How the tags are written where their marks are dear to the model.
const SPELLINGS: [(&str, &str); 2] = [("&lt;plan&gt;", "&lt;/plan&gt;"), ("[plan]", "[/plan]")];
/// Plans that are looked for: a thought may hold one too.
const MAX_PLANS: usize = 4;
/// A text that is still being written and did not begin with a plan may be one whose opening tag was forgotten: so many
/// characters tell.
const MAX_PLAN_CHARS: usize = 1_200;

/// An answer, cut in two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The plan's lines, as the model wrote them.
    pub plan: Option<String>,
    /// The rest.
    pub text: String,
}

/// Takes the plan out of an answer.
pub fn split(answer: &str) -> Planned {
    let (mut text, mut plan) = (with_tags(answer).into_owned(), None);
    for _ in 0..MAX_PLANS {
        let lower = text.to_ascii_lowercase();
        let Some(end) = lower.rfind(CLOSE) else { break };
        // Where the opening tag was forgotten, all before the closing one is the plan.
        let open = lower[..end].rfind(OPEN);
        if open.is_none() && plan.is_some() {
            text.replace_range(end..end + CLOSE.len(), "");
            continue;
        }
        // A plan that is closed twice ends at the first tag.
        let end = open.map_or(end, |at| at + lower[at..=end].find(CLOSE).unwrap_or(end - at));
        let begin = open.map_or(0, |at| at + OPEN.len());
        plan.get_or_insert_with(|| text[begin..end].trim().to_owned());
        text.replace_range(open.unwrap_or(0)..end + CLOSE.len(), "");
    }
    if let Some((start, lines)) = unclosed(&text) {
        plan.get_or_insert_with(|| text[lines.clone()].replace(OPEN, "").trim().to_owned());
        text.replace_range(start..lines.end, "");
    }
    if plan.is_some()
        && let Some(rest) = behind_an_empty_fence(&text)
    {
        text = rest.to_owned();
    }
    Planned { plan, text }
}

/// The answer with the tags that were meant.
fn with_tags(answer: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(answer);
    let lower = answer.to_ascii_lowercase();
    for (open, close) in SPELLINGS.into_iter().filter(|(_, close)| lower.contains(close)) {
        for _ in 0..MAX_PLANS {
            let lower = text.to_ascii_lowercase();
            let (Some(begin), Some(end)) = (lower.find(open), lower.rfind(close)) else { break };
            if begin > end {
                break;
            }
            text.to_mut().replace_range(end..end + close.len(), CLOSE);
            text.to_mut().replace_range(begin..begin + open.len(), OPEN);
        }
    }
    text
}

/// What follows a code fence that held nothing but the plan.
fn behind_an_empty_fence(text: &str) -> Option<&str> {
    let (label, rest) = text.trim_start().strip_prefix("```")?.split_once('\n')?;
    label.trim().bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| rest.trim_start().strip_prefix("```"))?
}

/// What of an answer under way is behind its plan, and may be seen: nothing while the plan goes on, or could.
pub fn behind(answer: &str) -> Option<String> {
    let answer = &*with_tags(answer);
    let lower = answer.to_ascii_lowercase();
    match (lower.rfind(OPEN), lower.rfind(CLOSE)) {
        (Some(open), None) => Some(answer[..open].to_owned()).filter(|before| !before.trim().is_empty()),
        (Some(open), Some(close)) if open > close => None,
        (_, Some(_)) => Some(split(answer).text),
        (None, None) => (answer.chars().count() > MAX_PLAN_CHARS).then(|| split(answer).text),
    }
}

/// A plan that no tag ends, or that has a heading in place of tags: where it begins, and its lines. It ends at an empty
/// line, or at a heading.
fn unclosed(text: &str) -> Option<(usize, std::ops::Range<usize>)> {
    let tag = text.to_ascii_lowercase().find(OPEN);
    let (start, begin) = match tag {
        Some(at) => (at, at + OPEN.len()),
        None => {
            let start = text.len() - text.trim_start().len();
            let line = text[start..].find('\n')?;
            let bare = text[start..start + line].trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            (matches!(bare.as_str(), "plan" | "the plan" | "outline")).then_some((start, start + line))?
        }
    };
    let (mut end, mut entries) = (begin, 0);
    for line in text[begin..].split_inclusive('\n') {
        let bare = line.trim();
        if (bare.is_empty() && entries > 0)
            || bare.starts_with("# ")
            || (tag.is_none() && !bare.is_empty() && !is_entry(bare))
        {
            break;
        }
        entries += usize::from(!bare.is_empty());
        end += line.len();
    }
    (entries > 0 || tag.is_some()).then_some((start, begin..end))
}

/// A line of a list, or one that ends in citations and is no sentence.
fn is_entry(line: &str) -> bool {
    let is_listed = line.starts_with(['-', '*', '•']) || line.starts_with(|c: char| c.is_ascii_digit());
    let uncited = without_marks(line);
    is_listed || (uncited.len() < line.len() && line.ends_with(']') && !uncited.ends_with(MARKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Scans\n\nEvery scan is read twice [1].";

    fn parts(answer: &str) -> (Option<String>, String) {
        let Planned { plan, text } = split(answer);
        (plan, text.trim().to_owned())
    }

    #[test]
    fn a_plan_is_taken_out_however_it_is_marked() {
        let lines = "Why it matters [1][3]\nWhat to do [2]";
        for answer in [
            format!("<plan>\n{lines}\n</plan>\n\n{TEXT}"),
            format!("<PLAN>{lines}</Plan>{TEXT}"),
            format!("&lt;plan&gt;\n{lines}\n&lt;/plan&gt;\n\n{TEXT}"),
            format!("[PLAN]\n{lines}\n[/PLAN]\n\n{TEXT}"),
            format!("```text\n<plan>\n{lines}\n</plan>\n```\n\n{TEXT}"),
            format!("{lines}\n</plan>\n\n{TEXT}"),
            format!("<plan>\n{lines}\n</plan>\n\n{TEXT}\n</plan>"),
            format!("<plan>\n{lines}\n\n{TEXT}"),
            format!("<plan>\n{lines}\n{TEXT}"),
            format!("**Plan:**\n{lines}\n\n{TEXT}"),
            format!("## Plan\n\n{lines}\n\n{TEXT}"),
        ] {
            assert_eq!(parts(&answer), (Some(lines.to_owned()), TEXT.to_owned()), "{answer}");
        }
        let (plan, text) = parts(&format!("<think>First a <plan>x</plan>.</think><plan>\n{lines}\n</plan>\n{TEXT}"));
        assert_eq!((plan.as_deref(), text.ends_with(TEXT)), (Some(lines), true), "{text}");
        assert!(!text.contains("plan"), "{text}");
    }

    #[test]
    fn a_text_without_a_plan_is_whole() {
        let hook = "Plan\n\nEvery good day begins with one. Ours did not.\n\nWhat is yours?";
        for text in [TEXT, hook, "", "Plan", "A plan [1]\n\nis good.", "Our [plan](https://x.org) is good."] {
            assert_eq!(split(text), Planned { plan: None, text: text.to_owned() });
        }
    }

    #[test]
    fn a_plan_alone_leaves_no_text() {
        assert_eq!(parts("<plan>\nOne [1]\nTwo").1, "");
        assert_eq!(parts("<plan></plan>").1, "");
        assert_eq!(parts("</plan>").1, "");
    }

    #[test]
    fn nothing_of_a_plan_is_seen_while_it_is_written() {
        let plan = "Why it matters at all. A sentence [1]\nWhat to do";
        let answer = format!("<plan>\n{plan}\n</plan>\n\n{TEXT}");
        let forgotten = format!("{plan}\n</plan>\n\n{TEXT}");
        let late = format!("Sure. Here you go.\n<plan>\n{plan}\n</plan>\n\n{TEXT}");
        for answer in [answer, forgotten, late] {
            for end in 0..=answer.len() {
                let seen = behind(&answer[..end]).unwrap_or_default();
                assert!(!seen.contains("matters") && !seen.contains("to do"), "{seen}");
            }
            assert!(behind(&answer).is_some_and(|text| text.ends_with(TEXT)));
        }
        let unplanned = format!("{TEXT}\n\n").repeat(40);
        assert_eq!(behind(&unplanned), Some(unplanned.clone()));
        assert_eq!(behind(TEXT), None, "it may still be a plan");
    }
}
