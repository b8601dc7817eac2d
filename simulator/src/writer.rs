//! The writer: composes texts out of the passages in the prompt, quoted and cited, in the shape of the format; for
//! load and for tests filled up with its own sentences, which say nothing, to the length asked for. Follows the lessons that it understands.
//! Writes English only, whatever the prompt's language.

mod desk;
mod long;
mod manner;
mod material;
mod outline;
mod phrases;
mod plain;
mod short;
mod wishes;

pub use self::phrases::HABITS;

use serde_json::Value;

use self::desk::Desk;
use self::manner::Manner;
use self::material::Material;
use self::wishes::{Wishes, replaced};
use crate::prompt::{Format, Prompt};
use crate::reading::Mark;
use crate::seed::Rng;
use crate::shape;

/// A text is written anew, with another aim, while its length is further off than a tenth.
const ATTEMPTS: usize = 4;
/// More are not written, whatever is asked for.
const WORDS_MAX: usize = 6_000;

/// Plans a text, as JSON.
pub(crate) fn outline(prompt: &Prompt, rng: &mut Rng) -> Value {
    if prompt.plain {
        return plain::outline(prompt, rng);
    }
    let wishes = Wishes::of(prompt, rng);
    outline::outline(prompt, &wishes, rng)
}

/// Writes a draft, or a revised one: Markdown in the shape of the prompt's format.
pub(crate) fn write(prompt: &Prompt, now_ms: u64, rng: &mut Rng) -> String {
    if prompt.plain {
        return plain::write(prompt, now_ms, rng);
    }
    let wishes = Wishes::of(prompt, rng);
    filled(prompt, &wishes, now_ms, rng)
}

fn filled(prompt: &Prompt, wishes: &Wishes, now_ms: u64, rng: &mut Rng) -> String {
    let manner = Manner::drawn(wishes, rng);
    let material = Material::of(&prompt.passages);
    let goal = wishes.aim(prompt.words.min(WORDS_MAX));
    let mut aim = goal;
    let mut best: Option<(usize, String)> = None;
    for _ in 0..ATTEMPTS {
        let mut desk = Desk::new(prompt, material.clone(), aim, now_ms, (wishes, manner), rng);
        let text = wishes.enforce(compose(&mut desk, prompt.format));
        let text = manner.marked(text, wishes, prompt.format, &mut rng.clone());
        let words = shape::words(&text).max(1);
        // Over a limit that a lesson sets is worse than anything below it.
        let over = wishes.max_words.map_or(0, |max| words.saturating_sub(max) * 100);
        let off = words.abs_diff(goal) + over;
        if best.as_ref().is_none_or(|(least, _)| off < *least) {
            best = Some((off, text));
        }
        if words.abs_diff(goal) * 10 <= goal && over == 0 {
            break;
        }
        aim = (aim * goal / words).clamp(1, goal * 3);
    }
    best.map(|(_, text)| text).unwrap_or_default()
}

/// Plans a draft and writes it in one answer: the plan's lines between tags, then the text.
pub(crate) fn write_planned(prompt: &Prompt, now_ms: u64, rng: &mut Rng) -> String {
    if prompt.plain {
        return plain::write_planned(prompt, now_ms, rng);
    }
    // What it follows it has in mind from the plan on.
    let wishes = Wishes::of(prompt, rng);
    let plan = outline::outline(prompt, &wishes, rng);
    let text = filled(&Prompt { outline: plan.to_string(), ..prompt.clone() }, &wishes, now_ms, rng);
    format!("<plan>\n{}\n</plan>\n\n{text}", outline::lines(&plan))
}

/// A paragraph of about so many words that a draft lacks: facts of the passages that it does not hold yet, then
/// its own sentences. `named` are words that it must hold.
pub(crate) fn paragraph(prompt: &Prompt, words: usize, named: &[String], now_ms: u64, rng: &mut Rng) -> String {
    if prompt.plain {
        return plain::paragraph(prompt, words, named, now_ms, rng);
    }
    let wishes = Wishes::of(&prompt.without_fixes(), rng);
    let prompt = Prompt { keywords: named.to_vec(), topic: prompt.topic.clone(), ..prompt.clone() };
    let mut desk = Desk::new(&prompt, Material::of(&prompt.passages), words, now_ms, (&wishes, Manner::default()), rng);
    desk.reads(&prompt.draft);
    let owed = desk.owed(usize::MAX);
    let left = words.saturating_sub(owed.as_deref().map_or(0, shape::words));
    let rest = if left > 0 { desk.paragraph(left, &[]) } else { String::new() };
    wishes.enforce([owed.unwrap_or_default(), rest].join(" ").trim().to_owned())
}

/// The text with another word in place of one.
pub(crate) fn reworded(text: &str, word: &str, other: &str) -> String {
    replaced(text, &word.to_lowercase(), other)
}

/// The text without a mark; `None` where it cannot be left out by itself.
pub(crate) fn unmarked(text: &str, mark: Mark) -> Option<String> {
    manner::unmarked(text, mark)
}

fn compose(desk: &mut Desk, format: Option<Format>) -> String {
    match format {
        None => desk.paragraphs(desk.words, &[]),
        Some(Format::Blog) => long::blog(desk),
        Some(Format::Newsletter) => long::newsletter(desk),
        Some(Format::Product) => long::product(desk),
        Some(Format::PressRelease) => long::press_release(desk),
        Some(Format::LandingPage) => long::landing_page(desk),
        Some(Format::CaseStudy) => long::case_study(desk),
        Some(Format::Faq) => long::faq(desk),
        Some(Format::VideoScript) => long::video_script(desk),
        Some(Format::LinkedIn) => short::linkedin(desk),
        Some(Format::Thread) => short::thread(desk),
        Some(Format::Email) => short::email(desk),
        Some(Format::Ad) => short::ad(desk),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::behaviour::Behaviour;
    use crate::prompt::Passage;
    use crate::seed;

    /// Passages with sentences that are all different, so that long texts can be told from repetition.
    fn passages() -> Vec<Passage> {
        let things = ["harbour", "pilot boat", "lighthouse", "sluice", "quay", "beacon", "channel", "dredger", "dock"];
        let passage = |(i, thing): (usize, &&str)| {
            let sentence =
                |day: &str| format!("The {thing} was inspected by two people on {day} and found to be sound. ");
            let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"];
            let text = format!("## Log of the {thing}\n\n{}", days.iter().map(|day| sentence(day)).collect::<String>());
            Passage {
                n: u32::try_from(i + 1).unwrap_or(0), own: i % 2 == 1, title: format!("Log › The {thing}"), text
            }
        };
        things.iter().enumerate().map(passage).collect()
    }

    fn prompt(format: Format, words: usize) -> Prompt {
        Prompt {
            format: Some(format),
            words,
            business: "Harbour Works".into(),
            profile: "Harbour Works is based in Hull, and keeps harbours open. We work at night.".into(),
            topic: "Keeping a harbour open".into(),
            audience: "port managers".into(),
            passages: passages(),
            ..Prompt::default()
        }
    }

    fn written(prompt: &Prompt, seed: u64) -> String {
        write(prompt, 1_772_496_000_000, &mut seed::rng(seed, &[]))
    }

    /// Sentences without their numbers, whatever line they stand on.
    fn sentences(text: &str) -> Vec<&str> {
        text.split(['\n', '.', '!', '?']).map(str::trim).filter(|s| shape::words(s) >= 5).collect()
    }

    #[test]
    fn every_format_keeps_its_shape_and_repeats_nothing() {
        for (format, slug, words) in Format::ALL {
            for (seed, words) in [(1, words), (2, words), (3, words / 2), (4, words * 2), (5, 20), (6, 1_500)] {
                let text = written(&prompt(format, words), seed);
                let case = format!("{slug}, {words} words, seed {seed}\n{text}");
                assert_eq!(shape::problems(format, &text), Vec::<String>::new(), "{case}");
                let all = sentences(&text);
                let unique: HashSet<_> = all.iter().map(|s| s.to_lowercase()).collect();
                assert_eq!(unique.len(), all.len(), "{case}");
            }
        }
    }

    #[test]
    fn lengths_are_near_the_target() {
        for (format, slug, words) in Format::ALL {
            for words in [words, words * 3 / 2] {
                if format == Format::Ad {
                    continue;
                }
                let text = written(&prompt(format, words), 9);
                let counted = shape::words(&text);
                assert!(counted.abs_diff(words) * 4 <= words, "{slug}: {counted} for {words}\n{text}");
            }
        }
    }

    #[test]
    fn facts_are_quoted_as_they_are_and_cited_own_passages_first() {
        let text = written(&prompt(Format::Blog, 800), 1);
        let cited: Vec<_> =
            text.split('[').skip(1).filter_map(|rest| rest.split_once(']')?.0.parse::<u32>().ok()).collect();
        assert!(cited.len() >= 15, "{text}");
        assert!(cited[0].is_multiple_of(2), "own passages have even numbers here: {text}");
        assert!(
            text.contains("The pilot boat was inspected by two people on Monday and found to be sound [2]."),
            "{text}"
        );
    }

    #[test]
    fn without_passages_it_still_writes_and_cites_nothing() {
        for (format, slug, words) in Format::ALL {
            let text = written(&Prompt { passages: Vec::new(), ..prompt(format, words) }, 1);
            assert_eq!(shape::problems(format, &text), Vec::<String>::new(), "{slug}\n{text}");
            assert!(!text.contains('['), "{slug}\n{text}");
        }
        let text = written(&Prompt { topic: "Tell me about the tides".into(), words: 120, ..Prompt::default() }, 1);
        assert!(text.contains("the tides"), "{text}");
    }

    #[test]
    fn awkward_topics_do_no_harm() {
        let topics =
            ["", "?", "🌊", &"long words ".repeat(45), "How do we explain [links](x) & <tags> in *Markdown*?", "a\nb"];
        for topic in topics {
            for (format, slug, words) in Format::ALL {
                let text = written(&Prompt { topic: topic.into(), ..prompt(format, words) }, 1);
                assert_eq!(shape::problems(format, &text), Vec::<String>::new(), "{slug}, {topic:?}\n{text}");
            }
        }
    }

    #[test]
    fn lessons_that_leave_nothing_to_say_end_the_text() {
        let lessons = vec!["Never use \"a\", \"the\", \"to\", \"is\", \"it\", \"of\", \"and\", \"about\".".to_owned()];
        for (format, slug, _) in Format::ALL {
            for words in [300, usize::MAX / 4] {
                let prompt = Prompt { lessons: lessons.clone(), passages: Vec::new(), ..prompt(format, words) };
                assert!(!written(&prompt, 1).contains(" the "), "{slug}");
            }
        }
    }

    #[test]
    fn the_same_seed_writes_the_same_text_and_another_another() {
        let prompt = prompt(Format::Blog, 400);
        assert_eq!(written(&prompt, 1), written(&prompt, 1));
        assert_ne!(written(&prompt, 1), written(&prompt, 2));
    }

    type Holds<'a> = &'a dyn Fn(&str) -> bool;

    /// Of how many of 100 texts it holds, with a lesson and without.
    fn held(format: Format, lesson: &str, holds: impl Fn(&str) -> bool) -> (usize, usize) {
        let with = Prompt { lessons: vec![lesson.to_owned()], ..prompt(format, 300) };
        let without = prompt(format, 300);
        let count = |prompt: &Prompt| (0..100).filter(|seed| holds(&written(prompt, *seed))).count();
        (count(&with), count(&without))
    }

    #[test]
    fn lessons_are_followed_nine_times_in_ten() {
        let short = |text: &str| shape::words(text) <= 150;
        let cases: [(&str, Holds<'_>); 5] = [
            ("Never use the word \"inspected\".", &|text| !text.contains("inspected")),
            ("No exclamation marks.", &|text| !text.contains('!')),
            ("Always mention \"night shift\".", &|text| text.contains("night shift")),
            ("Keep it under 150 words.", &short),
            ("End with a call to action.", &|text| shape::is_call(text)),
        ];
        for format in [Format::Newsletter, Format::Faq, Format::CaseStudy] {
            for (lesson, holds) in &cases {
                let (with, without) = held(format, lesson, holds);
                assert!((80..=100).contains(&with), "{lesson}: {with} of 100 in {format:?}");
                assert!(without < 75, "{lesson}: {without} of 100 without it in {format:?}");
            }
        }
    }

    /// The sentences of a text's prose: no tags, labels or signatures.
    fn prose(text: &str) -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(','));
        lines.flat_map(|line| material::split(&format!("{line} "))).collect()
    }

    fn mean_sentence(text: &str) -> f64 {
        let words: Vec<_> = prose(text).iter().map(|sentence| shape::words(sentence) as f64).collect();
        words.iter().sum::<f64>() / words.len().max(1) as f64
    }

    fn first(text: &str) -> String {
        prose(text).into_iter().next().unwrap_or_default()
    }

    const TEXTS: u64 = 25;

    fn texts(format: Format, words: usize, lesson: &str) -> Vec<String> {
        let behaviour = Behaviour { follow: 1.0, ..Behaviour::default() };
        let prompt = Prompt { lessons: vec![lesson.to_owned()], behaviour, ..prompt(format, words) };
        let planned = |seed| write_planned(&prompt, 1_772_496_000_000, &mut seed::rng(seed, &[]));
        (0..TEXTS)
            .map(|seed| planned(seed).split_once("</plan>\n\n").map_or(String::new(), |(_, text)| text.to_owned()))
            .collect()
    }

    /// The share of texts that hold, in percent.
    fn percent(texts: &[String], holds: impl Fn(&str) -> bool) -> usize {
        texts.iter().filter(|text| holds(text)).count() * 100 / texts.len()
    }

    #[test]
    fn what_people_ask_for_is_done_where_it_is_asked_for_and_often_missed_where_not() {
        let says = |text: &str, words: &[&str]| {
            text.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word))
        };
        let we = |text: &str| says(text, &["we", "our", "us"]);
        let you = |text: &str| says(text, &["you", "your", "yourself"]);
        let smiles = |text: &str| text.chars().any(|c| c >= '\u{1F300}' || c == '✨');
        let lists = |text: &str| text.lines().any(|line| line.starts_with("- "));
        let counts = |text: &str| first(text).contains(|c: char| c.is_ascii_digit());
        let asks = |text: &str| first(text).ends_with('?');
        let cases: [(&str, Holds<'_>); 24] = [
            ("Never use \"leverage\".", &|text| !text.to_lowercase().contains("leverage")),
            ("Never use \"robust\".", &|text| !text.to_lowercase().contains("robust")),
            ("Say \"customers\", and never \"clients\".", &|text| !text.to_lowercase().contains("clients")),
            ("Say \"use\", and never \"utilize\".", &|text| !text.to_lowercase().contains("utilize")),
            ("Use the term \"checklist\".", &|text| text.contains("checklist")),
            ("Use exclamation marks.", &|text| text.contains('!')),
            ("Use no exclamation marks.", &|text| !text.contains('!')),
            ("Use em dashes.", &|text| text.contains('—')),
            ("Use no em dashes.", &|text| !text.contains('—')),
            ("Use semicolons.", &|text| text.contains(';')),
            ("Use no semicolons.", &|text| !text.contains(';')),
            ("Use emoji.", &smiles),
            ("Use no emoji.", &|text| !smiles(text)),
            ("Open with a question.", &asks),
            ("Do not open with a question.", &|text| !asks(text)),
            ("Open with a figure.", &counts),
            ("Do not open with a figure.", &|text| !counts(text)),
            ("Use a list with bullets.", &lists),
            ("Use no lists with bullets or numbers.", &|text| !lists(text)),
            ("Speak as \"we\".", &we),
            ("Do not speak as \"we\" or \"I\".", &|text| !we(text)),
            ("Speak to the reader as \"you\".", &you),
            ("Do not speak to the reader as \"you\".", &|text| !you(text)),
            ("Write short sentences: 9 words on average at most.", &|text| mean_sentence(text) <= 9.0),
        ];
        let mut wrong = Vec::new();
        for (format, words) in [(Format::LinkedIn, 165), (Format::Newsletter, 240)] {
            let unasked = texts(format, words, "-");
            for (lesson, holds) in &cases {
                let (with, without) = (percent(&texts(format, words, lesson), holds), percent(&unasked, holds));
                if with < 92 || without > 80 {
                    wrong.push(format!("{lesson} {with}% with it in {format:?}, {without}% without"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn lengths_and_headings_are_as_many_as_asked_for() {
        let headings = |text: &str| text.lines().filter(|line| line.starts_with("## ")).count();
        let cases: [(Format, &str, Holds<'_>); 5] = [
            (Format::Newsletter, "Use at most 3 headings below the title.", &|text| headings(text) <= 3),
            (Format::Newsletter, "Use at least 4 headings below the title.", &|text| headings(text) >= 4),
            (Format::LinkedIn, "Write at least 190 words.", &|text| shape::words(text) >= 190),
            (Format::LinkedIn, "Write at most 145 words.", &|text| shape::words(text) <= 145),
            (Format::LinkedIn, "Write longer sentences: 13 words on average at least.", &|text| {
                mean_sentence(text) >= 13.0
            }),
        ];
        for (format, lesson, holds) in cases {
            let words = if format == Format::Newsletter { 240 } else { 165 };
            let (with, without) = (texts(format, words, lesson), texts(format, words, "-"));
            let (with, without) = (percent(&with, holds), percent(&without, holds));
            assert!(with >= 92 && without <= 80, "{lesson} {with}% with it in {format:?}, {without}% without");
        }
    }

    #[test]
    fn the_habits_show_unless_they_are_banned() {
        let (_, unasked) = held(Format::Blog, "-", |text| HABITS.iter().any(|habit| text.contains(habit)));
        assert!(unasked >= 60, "{unasked}");
        let (banned, _) =
            held(Format::Blog, "Never use \"leverage\".", |text| !text.to_lowercase().contains("leverage"));
        assert!(banned >= 88, "{banned}");
    }

    #[test]
    fn keywords_are_mentioned() {
        for (format, slug, words) in Format::ALL {
            let prompt = Prompt { keywords: vec!["tide tables".into()], ..prompt(format, words) };
            assert!(written(&prompt, 3).to_lowercase().contains("tide tables"), "{slug}");
        }
    }

    #[test]
    fn an_outline_is_followed() {
        let plan = outline(&prompt(Format::Blog, 800), &mut seed::rng(1, &[]));
        let sections = plan["sections"].as_array().map_or(0, Vec::len);
        assert!((3..=6).contains(&sections), "{plan}");
        let dealt: HashSet<_> = plan["sections"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|section| section["passages"].as_array().into_iter().flatten().filter_map(Value::as_u64))
            .collect();
        assert_eq!(dealt.len(), 9, "{plan}");
        let text = written(&Prompt { outline: plan.to_string(), ..prompt(Format::Blog, 800) }, 1);
        assert!(text.starts_with(&format!("# {}\n", plan["title"].as_str().unwrap_or("-"))), "{text}");
        for section in plan["sections"].as_array().into_iter().flatten() {
            assert!(text.contains(&format!("## {}\n", section["heading"].as_str().unwrap_or("-"))), "{plan}\n{text}");
        }
    }
}
