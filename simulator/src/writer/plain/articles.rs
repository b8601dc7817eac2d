//! The formats with sections, plainly: articles, pages, releases and answers.

use super::notes::{NO_LIMIT, Notes, Room};
use crate::shape;
use crate::writer::desk::{Section, clip};
use crate::writer::long::city;
use crate::writer::phrases::capitalised;

/// A section has so much room at least.
const SECTION_WORDS: usize = 90;
/// The last paragraph has about so many words.
const CLOSE_WORDS: usize = 30;
const GENERAL: [&str; 3] = ["About {b}", "Where to start", "The next step"];

/// Title, introduction, sections, and the business with a call to action at the end of the last.
pub(super) fn blog(notes: &mut Notes) -> String {
    let title = title(notes);
    let sections = notes.sections(3, 6, &GENERAL);
    let intro = introduction(notes, notes.words / 5, true);
    let left = notes.words.saturating_sub(shape::words(&intro) + CLOSE_WORDS);
    let body = written(notes, &sections, left);
    format!("# {title}\n\n{intro}\n\n{body}\n\n{}", close(notes))
}

pub(super) fn title(notes: &Notes) -> String {
    let planned = notes.plan.title.split_whitespace().collect::<Vec<_>>().join(" ");
    let own = capitalised(&notes.names.subject);
    clip(if planned.is_empty() { &own } else { &planned }, 100)
}

/// What opens the subject: the sources that belong to no section, else the business's own words.
pub(super) fn introduction(notes: &mut Notes, words: usize, with_lists: bool) -> String {
    let question = notes.wanted_question();
    let openings = notes.openings();
    let text = if openings.is_empty() { String::new() } else { opened(notes, &openings, words, with_lists) };
    let text = if text.is_empty() { notes.own(NO_LIMIT) } else { text };
    question.into_iter().chain([text]).collect::<Vec<_>>().join("\n\n")
}

/// Prose first, so that no text begins with a list.
fn opened(notes: &mut Notes, openings: &[u32], words: usize, with_lists: bool) -> String {
    let first = notes.run(openings, Room::PARAGRAPH);
    let spent = first.as_deref().map_or(0, shape::words);
    let rest = notes.paragraphs(openings, words.saturating_sub(spent).max(if with_lists { 40 } else { 0 }), with_lists);
    first.into_iter().chain(Some(rest).filter(|rest| !rest.is_empty())).collect::<Vec<_>>().join("\n\n")
}

/// Who writes, and what to do next.
fn close(notes: &mut Notes) -> String {
    let about = notes.own(NO_LIMIT);
    format!("{about} {}", call(notes)).trim().to_owned()
}

pub(super) fn call(notes: &Notes) -> String {
    notes.line(150, &["Get in touch with {b} to talk about {s}.", "Get in touch with {b}."])
}

/// A call to action, where lessons want one.
pub(super) fn wanted_call(notes: &Notes, before: &str) -> String {
    match notes.wishes.call_to_action {
        Some(true) => format!("{before}{}", call(notes)),
        _ => String::new(),
    }
}

/// The sections, with about so many words together.
fn written(notes: &mut Notes, sections: &[Section], words: usize) -> String {
    let mut left = words;
    let section = |(at, section): (usize, &Section)| {
        let room = (left / (sections.len() - at)).max(SECTION_WORDS).min(left.max(30));
        let body = body(notes, &section.passages, room, true);
        left = left.saturating_sub(shape::words(&body));
        format!("## {}\n\n{body}", section.heading)
    };
    sections.iter().enumerate().map(section).collect::<Vec<_>>().join("\n\n")
}

/// Paragraphs of these sources, else a sentence of one's own.
pub(super) fn body(notes: &mut Notes, passages: &[u32], words: usize, with_lists: bool) -> String {
    let body = notes.paragraphs(passages, words, with_lists);
    if body.is_empty() { notes.own(NO_LIMIT) } else { body }
}

/// Title, greeting, items, sign-off.
pub(super) fn newsletter(notes: &mut Notes) -> String {
    let title = title(notes);
    let sections = notes.sections(2, 5, &GENERAL);
    let intro = introduction(notes, notes.words / 6, true);
    let left = notes.words.saturating_sub(shape::words(&intro) + 9);
    let items = written(notes, &sections, left);
    let call = wanted_call(notes, "\n\n");
    let business = &notes.names.business;
    format!("# {title}\n\nHello,\n\n{intro}\n\n{items}{call}\n\nUntil next time,\nThe people at {business}")
}

/// Name, tagline, features, whom it is for.
pub(super) fn product(notes: &mut Notes) -> String {
    let name = clip(&title(notes), 60);
    let question = notes.wanted_question().map(|question| format!("{question} ")).unwrap_or_default();
    let tagline = notes.own(200);
    let features = bullets(notes, (notes.words / 32).clamp(2, 8));
    let audience = notes.names.fill("This is for {a}.");
    let spent = shape::words(&tagline) + shape::words(&features) + 12;
    let reader = notes.paragraphs(&[], notes.words.saturating_sub(spent), false);
    let reader = if reader.is_empty() { notes.own(NO_LIMIT) } else { reader };
    let call = wanted_call(notes, "\n\n");
    format!(
        "# {name}\n\n{tagline}\n\n## Features\n\n{features}\n\n## Who it is for\n\n{question}{audience}\n\n{reader}{call}"
    )
}

/// So many list entries, each a sentence: fewer where there are no more, but two.
fn bullets(notes: &mut Notes, count: usize) -> String {
    let mut entries: Vec<String> = (0..count).map_while(|_| notes.sentence(220)).collect();
    while entries.len() < 2 {
        entries.push(notes.own(220));
    }
    entries.iter().map(|entry| format!("- {entry}")).collect::<Vec<_>>().join("\n")
}

/// Headline, dateline, body, quote, the business, the contact.
pub(super) fn press_release(notes: &mut Notes) -> String {
    let headline = title(notes);
    let lead = introduction(notes, notes.words / 5, false);
    let quote = quote(notes);
    // Where it does not say, it says who it is.
    let place = city(&notes.profile_text).unwrap_or_else(|| notes.names.business.clone()).to_uppercase();
    let date = notes.today.format("%B %-d, %Y");
    let spent = shape::words(&lead) + shape::words(&quote) + 60;
    let body = body(notes, &[], notes.words.saturating_sub(spent).max(60), false);
    let about = std::iter::repeat_with(|| notes.own(NO_LIMIT)).take(2).collect::<Vec<_>>().join(" ");
    let call = wanted_call(notes, "\n\n");
    let business = &notes.names.business;
    format!(
        "FOR IMMEDIATE RELEASE\n\n# {headline}\n\n{place}, {date} — {lead}\n\n{quote}\n\n{body}{call}\n\n## About {business}\n\n{about}\n\n## Media contact\n\nPress office, {business}\nThe press office answers questions and arranges interviews.\n\n###"
    )
}

/// What the business says in its own documents, in quotation marks.
fn quote(notes: &mut Notes) -> String {
    let said = notes.sentence(240).unwrap_or_else(|| notes.own(NO_LIMIT));
    let (words, number) = said.rsplit_once(" [").map_or((said.as_str(), String::new()), |(words, rest)| {
        (words, format!(" [{}]", rest.trim_end_matches(['.', '!', ']'])))
    });
    format!("“{},” says {}{number}.", words.trim_end_matches(['.', '!']), notes.names.business)
}

/// Hero, subheadline, benefits, proof, call to action.
pub(super) fn landing_page(notes: &mut Notes) -> String {
    let hero = title(notes);
    let sub = notes.wanted_question().unwrap_or_else(|| notes.own(220));
    let benefits = bullets(notes, (notes.words / 60).clamp(3, 6));
    let left = notes.words.saturating_sub(shape::words(&sub) + shape::words(&benefits) + 30);
    let proof = body(notes, &[], left, false);
    let close = close(notes);
    format!(
        "# {hero}\n\n{sub}\n\n## What you gain\n\n{benefits}\n\n## What stands behind it\n\n{proof}\n\n## The next step\n\n{close}"
    )
}

/// Challenge, solution with a quote, results.
pub(super) fn case_study(notes: &mut Notes) -> String {
    let title = title(notes);
    let question = notes.wanted_question().map(|question| format!("{question}\n\n")).unwrap_or_default();
    let measured =
        |source: &&super::source::Source| source.heading.to_lowercase().contains("result") || source.tells_figures();
    let results: Vec<u32> = notes.sources.iter().filter(measured).map(|source| source.n).take(2).collect();
    let rest: Vec<u32> = notes.sources.iter().map(|source| source.n).filter(|n| !results.contains(n)).collect();
    let openings: Vec<u32> = notes.openings().into_iter().filter(|n| rest.contains(n)).collect();
    let share = notes.words / 4;
    let challenge = match openings.is_empty() {
        true => notes.own(NO_LIMIT),
        false => opened(notes, &openings, share, true),
    };
    let outcome = match results.is_empty() {
        true => notes.own(NO_LIMIT),
        false => body(notes, &results, share, false),
    };
    let said = notes.sentence(260).unwrap_or_else(|| notes.own(NO_LIMIT));
    let left = notes.words.saturating_sub([&challenge, &outcome, &said].map(|text| shape::words(text)).iter().sum());
    let solution = match rest.is_empty() {
        true => notes.own(NO_LIMIT),
        false => body(notes, &rest, left, false),
    };
    let call = wanted_call(notes, "\n\n");
    format!(
        "# {title}\n\n{question}## Challenge\n\n{challenge}\n\n## Solution\n\n{solution}\n\n> {said}\n\n## Results\n\n{outcome}{call}"
    )
}

const QUESTIONS: [&str; 6] = [
    "What does {b} do?",
    "Where should I start?",
    "What should I ask first?",
    "How do I prepare?",
    "What happens next?",
    "Who helps when a question comes up?",
];

/// Questions with answers: one for each section of the plan.
pub(super) fn faq(notes: &mut Notes) -> String {
    let title = title(notes);
    let count = (notes.words / 75).clamp(5, 10);
    let first = capitalised(&notes.names.fill("{s}: what should I know first?"));
    let opening = introduction(notes, SECTION_WORDS, true);
    let mut answers = vec![format!("## {first}\n\n{opening}")];
    let sections = notes.sections(0, count - 1, &[]);
    let left = notes.words.saturating_sub(shape::words(&opening));
    for section in &sections {
        let room = (left / sections.len()).max(SECTION_WORDS);
        answers.push(format!("## {}\n\n{}", asked(&section.heading), body(notes, &section.passages, room, true)));
    }
    for question in QUESTIONS.iter().take(5_usize.saturating_sub(answers.len())) {
        answers.push(format!("## {}\n\n{}", notes.names.fill(question), notes.own(NO_LIMIT)));
    }
    let call = wanted_call(notes, "\n\n");
    format!("# {title}\n\n{}{call}", answers.join("\n\n"))
}

/// A heading as a question.
fn asked(heading: &str) -> String {
    if heading.ends_with('?') { heading.to_owned() } else { format!("{heading}: what should I know?") }
}
