//! The plan of a text, as JSON: title, sections, and which passages each draws on.

use rand::RngExt;
use serde_json::{Value, json};

use super::desk::{Desk, clip};
use super::manner::Manner;
use super::material::{self, Material};
use super::phrases::{self, capitalised};
use super::wishes::Wishes;
use crate::prompt::{Passage, Prompt};
use crate::seed::Rng;
use crate::shape;

const HEADINGS: [&str; 6] = [
    "Why {s} matters",
    "What {s} means in practice",
    "Where to start",
    "What to look out for",
    "How to tell that it works",
    "The next step",
];

/// Sections that some writers plan and others do not.
const MORE_MAX: usize = 3;

/// A plan with 3 to 6 sections where lessons want no others, whose passages are dealt out in order.
pub(super) fn outline(prompt: &Prompt, wishes: &Wishes, rng: &mut Rng) -> Value {
    let mut desk = Desk::new(prompt, Material::default(), prompt.words, 0, (wishes, Manner::default()), rng);
    let title = wishes.enforce(desk.title());
    let count = (prompt.words / 180 + 1 + rng.random_range(0..=MORE_MAX)).clamp(3, HEADINGS.len());
    let count = count.max(wishes.min_headings.unwrap_or(0).min(HEADINGS.len()));
    let count = count.min(wishes.max_headings.unwrap_or(count).max(2));
    let mut dealt: Vec<Vec<&Passage>> = vec![Vec::new(); count];
    let (own, web): (Vec<_>, Vec<_>) = prompt.passages.iter().partition(|passage| passage.own);
    for (i, passage) in own.into_iter().chain(web).enumerate() {
        dealt[i % count].push(passage);
    }
    let mut headings: Vec<String> = Vec::with_capacity(count);
    let sections = dealt.iter().enumerate().map(|(i, passages)| {
        let heading = heading(passages, i, count, &headings).map_or_else(
            || desk.names.fill(HEADINGS[if i + 1 == count { HEADINGS.len() - 1 } else { i }]),
            |heading| capitalised(&heading),
        );
        headings.push(heading.clone());
        let numbers: Vec<_> = passages.iter().map(|passage| passage.n).collect();
        json!({ "heading": wishes.enforce(heading), "points": points(passages, rng), "passages": numbers })
    });
    json!({ "title": title, "sections": sections.collect::<Vec<_>>() })
}

/// A plan as the lines of a planned draft: a heading each, with the passages that it draws on.
pub(super) fn lines(plan: &Value) -> String {
    let sections = plan["sections"].as_array().map_or(&[][..], Vec::as_slice);
    let line = |section: &Value| {
        let passages = section["passages"].as_array().map_or(&[][..], Vec::as_slice);
        let numbers: String = passages.iter().map(|n| format!("[{n}]")).collect();
        format!("{} {numbers}", section["heading"].as_str().unwrap_or_default()).trim().to_owned()
    };
    sections.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The heading of the first passage, if it reads like one; the first and the last section keep their own.
fn heading(passages: &[&Passage], index: usize, count: usize, taken: &[String]) -> Option<String> {
    let inner = (1..count - 1).contains(&index);
    let title = passages.first().filter(|_| inner)?.title.rsplit('›').next()?.trim();
    let reads_well = (2..=8).contains(&shape::words(title)) && !taken.iter().any(|t| t.eq_ignore_ascii_case(title));
    reads_well.then(|| title.to_owned())
}

fn shortened(sentence: &str) -> String {
    let short = clip(sentence, 110);
    if short.len() < sentence.len() { format!("{short} …") } else { short }
}

/// What a section says: its passages' first sentences, or aspects of the subject.
fn points(passages: &[&Passage], rng: &mut Rng) -> Vec<String> {
    let quoted = passages.iter().filter_map(|passage| material::sentences(&passage.text).into_iter().next());
    let mut points: Vec<_> = quoted.take(3).map(|sentence| shortened(&sentence)).collect();
    while points.len() < 2 {
        points.push(capitalised(phrases::aspect(rng)));
    }
    let more = rng.random_bool(0.3) && points.len() < 4;
    points.extend(more.then(|| "Questions that readers ask".to_owned()));
    points
}
