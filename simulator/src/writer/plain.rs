//! The plain writer: whole sentences of the prompt's passages and profile, in the order of the plan and of their
//! sources, each cited with its number and none said twice. Adds what holds a text together, but states nothing of
//! its own: where there is no more to say, the text is short.

mod articles;
mod notes;
mod posts;
mod source;

use serde_json::{Value, json};

use self::notes::Notes;
use super::desk::clip;
use super::outline::lines;
use super::phrases::capitalised;
use super::wishes::Wishes;
use crate::prompt::{Format, Prompt};
use crate::seed::Rng;
/// Sections of a plan, at most.
const SECTIONS_MAX: usize = 6;
/// A source of fewer words makes no section.
const SECTION_WORDS: usize = 10;

/// Writes a text in the shape of the prompt's format.
pub(super) fn write(prompt: &Prompt, now_ms: u64, rng: &mut Rng) -> String {
    let wishes = Wishes::of(prompt, rng);
    let words = wishes.aim(prompt.words.min(super::WORDS_MAX));
    let planned = match prompt.outline.is_empty() {
        true => Prompt { outline: plan(prompt, words, &wishes).to_string(), ..prompt.clone() },
        false => prompt.clone(),
    };
    let mut notes = Notes::new(&planned, words, now_ms, &wishes);
    let text = wishes.enforce(compose(&mut notes, prompt.format));
    text.trim().to_owned()
}

/// Plans a text, as JSON.
pub(super) fn outline(prompt: &Prompt, rng: &mut Rng) -> Value {
    let wishes = Wishes::of(prompt, rng);
    plan(prompt, wishes.aim(prompt.words), &wishes)
}

/// Plans a text and writes it in one answer.
pub(super) fn write_planned(prompt: &Prompt, now_ms: u64, rng: &mut Rng) -> String {
    let plan = outline(prompt, rng);
    let text = write(&Prompt { outline: plan.to_string(), ..prompt.clone() }, now_ms, rng);
    format!("<plan>\n{}\n</plan>\n\n{text}", lines(&plan))
}

/// What a draft does not say yet, of about so many words; `named` are words that it must hold. Empty where nothing
/// is left.
pub(super) fn paragraph(prompt: &Prompt, words: usize, named: &[String], now_ms: u64, rng: &mut Rng) -> String {
    let wishes = Wishes::of(&prompt.without_fixes(), rng);
    let prompt = Prompt { keywords: named.to_vec(), ..prompt.clone() };
    let mut notes = Notes::new(&prompt, words, now_ms, &wishes);
    notes.reads(&prompt.draft);
    let text = notes.paragraphs(&[], words, false);
    wishes.enforce(text.replace("\n\n", " "))
}

/// A section for each source that fills one, under its own heading, as far as the length goes.
fn plan(prompt: &Prompt, words: usize, wishes: &Wishes) -> Value {
    let notes = Notes::new(prompt, words, 0, wishes);
    let mut taken: Vec<String> = Vec::new();
    let (mut sections, mut planned) = (Vec::new(), 0);
    let opens = notes
        .sources
        .iter()
        .position(|source| source.opens && !source.blocks.is_empty())
        .or_else(|| notes.sources.iter().position(|s| s.words() > 0));
    for (at, source) in notes.sources.iter().enumerate() {
        let is_new = !taken.contains(&source.heading.to_lowercase());
        let fills = source.words() >= SECTION_WORDS && source.reads_well() && is_new && Some(at) != opens;
        if fills && sections.len() < SECTIONS_MAX && (planned < words || sections.len() < 3) {
            planned += source.words();
            taken.push(source.heading.to_lowercase());
            sections.push(json!({ "heading": wishes.enforce(capitalised(&source.heading)), "points": [point(source)], "passages": [source.n] }));
        }
    }
    let title = clip(&capitalised(&notes.names.subject), 100);
    json!({ "title": wishes.enforce(title), "sections": sections })
}

/// What a section says: its source's first words.
fn point(source: &source::Source) -> String {
    let first = source.blocks.iter().find_map(|block| match block {
        source::Block::Prose { sentences, .. } => sentences.front(),
        source::Block::List { .. } => None,
    });
    clip(first.map_or(source.heading.as_str(), String::as_str), 110)
}

fn compose(notes: &mut Notes, format: Option<Format>) -> String {
    match format {
        None => {
            let text = notes.paragraphs(&[], notes.words, false);
            if text.is_empty() { notes.own(notes::NO_LIMIT) } else { text }
        }
        Some(Format::Blog) => articles::blog(notes),
        Some(Format::Newsletter) => articles::newsletter(notes),
        Some(Format::Product) => articles::product(notes),
        Some(Format::PressRelease) => articles::press_release(notes),
        Some(Format::LandingPage) => articles::landing_page(notes),
        Some(Format::CaseStudy) => articles::case_study(notes),
        Some(Format::Faq) => articles::faq(notes),
        Some(Format::VideoScript) => posts::video_script(notes),
        Some(Format::LinkedIn) => posts::linkedin(notes),
        Some(Format::Thread) => posts::thread(notes),
        Some(Format::Email) => posts::email(notes),
        Some(Format::Ad) => posts::ad(notes),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::prompt::Passage;
    use crate::{seed, shape};

    const GUIDE: &str = "An ankle sprain is a stretch of the ligaments. It is the injury that we see most in runners.";
    const WEEKS: &str = "**Days 1–3: move it.** Keep the foot up when you sit. Use an elastic bandage.\n\
        **Weeks 2–4: strength and balance.** Stand on the injured leg for 30 seconds. Cycling is fine from here.";
    const SIGNS: &str = "- you cannot take four steps on it\n- the foot is numb\n\nThese signs can mean a fracture. \
        Go to an emergency department.";
    const WEB: &str = "Running loads the ankle at every step. The ligaments need time before they bear that.\n\n\
        The first runs are short. Distance grows before speed does.";

    fn passages() -> Vec<Passage> {
        let passage = |n, own, title: &str, text: &str| Passage { n, own, title: title.into(), text: text.into() };
        vec![
            passage(1, true, "ankle › Ankle sprain: our guide › See a doctor first if", SIGNS),
            passage(2, true, "ankle › Ankle sprain: our guide › Week by week after a sprain", WEEKS),
            passage(3, true, "ankle › Ankle sprain: our guide", GUIDE),
            passage(7, false, "When can I run again after an ankle sprain?", WEB),
            passage(8, true, "prices › Prices of it all", "A first visit costs a lot of money. We say so."),
        ]
    }

    fn prompt(format: Format, words: usize) -> Prompt {
        Prompt {
            format: Some(format),
            words,
            business: "Tideway".into(),
            profile: "Tideway runs eleven clinics on the coast. It treats runners without a referral.\nGuidelines: be \
                      kind to everybody who reads."
                .into(),
            topic: "Running after an ankle sprain".into(),
            audience: "runners".into(),
            passages: passages(),
            plain: true,
            ..Prompt::default()
        }
    }

    fn written(prompt: &Prompt) -> String {
        write(prompt, 1_772_496_000_000, &mut seed::rng(1, &[]))
    }

    /// What the data says, without marks and citations.
    fn bare(text: &str) -> String {
        let text = material_text(text);
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    }

    fn material_text(text: &str) -> String {
        crate::writer::material::plain(text)
    }

    #[test]
    fn every_cited_sentence_is_its_passages_and_said_once() {
        for (format, slug, words) in Format::ALL {
            let text = written(&prompt(format, words));
            assert_eq!(shape::problems(format, &text), Vec::<String>::new(), "{slug}\n{text}");
            let mut said = HashSet::new();
            let mut cited = 0;
            for line in text.lines().filter(|line| !line.contains('”')) {
                let line = line.split_once(" — ").map_or(line, |(_, rest)| rest);
                let line = line.trim_start_matches(|c: char| c.is_ascii_digit() || "->/ ".contains(c));
                let line =
                    ["Body: ", "NARRATION: "].iter().fold(line, |line, label| line.strip_prefix(label).unwrap_or(line));
                let parts: Vec<_> = line.split(" [").collect();
                for (at, part) in parts.iter().enumerate().take(parts.len() - 1) {
                    let sentence =
                        if at == 0 { part } else { part.split_once(['.', ']']).map_or(*part, |(_, rest)| rest) };
                    let sentence = sentence.trim_start_matches(['.', ']', ' ', '“', '!']);
                    let n: u32 = parts[at + 1].split(']').next().and_then(|n| n.parse().ok()).unwrap_or(0);
                    let source = passages().into_iter().find(|passage| passage.n == n);
                    let source = source.unwrap_or_else(|| panic!("{slug}: {n}\n{text}"));
                    assert!(
                        bare(&source.text).contains(&bare(sentence)),
                        "{slug}: {sentence:?} is not of [{n}]\n{text}"
                    );
                    assert!(said.insert(bare(sentence)), "{slug}: {sentence:?} twice\n{text}");
                    cited += 1;
                }
            }
            assert!(cited >= 3, "{slug}\n{text}");
            assert!(!text.contains("be kind") && !text.contains("costs a lot"), "{slug}\n{text}");
        }
    }

    #[test]
    fn headings_are_the_plans_and_the_sources_order_is_kept() {
        let plan = outline(&prompt(Format::Blog, 800), &mut seed::rng(1, &[]));
        let headings: Vec<_> =
            plan["sections"].as_array().into_iter().flatten().map(|s| s["heading"].as_str().unwrap_or("-")).collect();
        assert_eq!(headings, ["Week by week after a sprain", "When can I run again after an ankle sprain?"]);
        let text = written(&Prompt { outline: plan.to_string(), ..prompt(Format::Blog, 800) });
        let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words}\n{text}"));
        assert!(at("An ankle sprain is") < at("See a doctor first if:"), "{text}");
        assert!(at("the foot is numb [1]") < at("These signs can mean a fracture [1]."), "{text}");
        assert!(at("## Week by week") < at("Keep the foot up"), "{text}");
        assert!(at("Keep the foot up") < at("Stand on the injured leg"), "{text}");
    }

    #[test]
    fn where_there_is_nothing_to_say_the_text_is_short_and_in_shape() {
        for (format, slug, words) in Format::ALL {
            let none = Prompt { passages: Vec::new(), profile: String::new(), ..prompt(format, words) };
            let text = written(&none);
            assert_eq!(shape::problems(format, &text), Vec::<String>::new(), "{slug}\n{text}");
            assert!(!text.contains('['), "{slug}\n{text}");
            assert!(shape::words(&text) < 160, "{slug}\n{text}");
            for topic in
                ["", "?", "🌊", &"long words ".repeat(45), "How do we explain [links](x) & <tags> in *Markdown*?"]
            {
                let text = written(&Prompt { topic: topic.into(), ..none.clone() });
                assert_eq!(shape::problems(format, &text), Vec::<String>::new(), "{slug}, {topic:?}\n{text}");
            }
        }
    }

    #[test]
    fn lessons_and_keywords_are_heeded() {
        for (format, slug, words) in Format::ALL {
            let keyword = Prompt { keywords: vec!["tide tables".into()], ..prompt(format, words) };
            assert!(written(&keyword).contains("tide tables"), "{slug}\n{}", written(&keyword));
        }
        let lessons = vec!["Never use the word \"ligaments\".".to_owned()];
        let text = (0..20).map(|seed| {
            let prompt = Prompt { lessons: lessons.clone(), ..prompt(Format::Blog, 400) };
            write(&prompt, 0, &mut seed::rng(seed, &[]))
        });
        assert!(text.filter(|text| !text.contains("ligaments")).count() >= 15);
    }

    #[test]
    fn a_draft_is_lengthened_with_what_it_does_not_say() {
        let draft = written(&prompt(Format::Email, 60));
        let more = paragraph(
            &Prompt { draft: draft.clone(), ..prompt(Format::Email, 60) },
            60,
            &[],
            0,
            &mut seed::rng(1, &[]),
        );
        assert!(
            more.contains('[') && more.split(". ").all(|sentence| !draft.contains(sentence.trim_end_matches('.'))),
            "{draft}\n{more}"
        );
        let whole = Prompt { draft: format!("{GUIDE} {} {WEB}", WEEKS.replace("**", "")), ..prompt(Format::Blog, 800) };
        assert_eq!(paragraph(&whole, 90, &[], 0, &mut seed::rng(1, &[])), "");
    }
}
