//! The formats that count characters or seconds, plainly: posts, threads, emails, ads and scripts.

use super::articles::{body, call, introduction, title, wanted_call};
use super::notes::{NO_LIMIT, Notes, Room};
use crate::shape;
use crate::writer::desk::clip;
use crate::writer::long::{VISUALS, WORDS_PER_MINUTE, time};
use crate::writer::short::{AD_CALLS, hashtags};

/// Words that surely fit into a post.
const POST_WORDS: usize = 330;
const THREAD_POST_CHARS: usize = 270;
const AD_BODY_CHARS: usize = 125;

/// A hook, short paragraphs, a question, hashtags.
pub(super) fn linkedin(notes: &mut Notes) -> String {
    let hook = notes.wanted_question().or_else(|| notes.sentence(200)).unwrap_or_else(|| notes.own(200));
    let mut left = notes.words.min(POST_WORDS).saturating_sub(shape::words(&hook) + 14);
    let mut blocks = vec![hook];
    blocks.extend(notes.owed());
    while left > 8
        && let Some(next) = notes.run(&[], Room::words(left.min(45)))
    {
        left = left.saturating_sub(shape::words(&next));
        blocks.push(next);
    }
    if blocks.len() < 2 {
        blocks.push(notes.own(NO_LIMIT));
    }
    blocks.push(wanted_call(notes, ""));
    blocks.push(notes.line(120, &["What would you like to know about {s}?", "What would you like to know?"]));
    blocks.push(hashtags(&notes.names, &notes.keywords));
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n\n")
}

/// 5 to 12 numbered posts of at most 280 characters.
pub(super) fn thread(notes: &mut Notes) -> String {
    let count = (notes.words / 28).clamp(5, 12);
    let mut posts: Vec<String> = notes.wanted_question().into_iter().chain(notes.owed()).collect();
    while posts.len() < count - 1
        && let Some(post) = notes.run(&[], Room { words: 38, ..Room::chars(THREAD_POST_CHARS) })
    {
        posts.push(post);
    }
    while posts.len() < 4 {
        posts.push(notes.own(THREAD_POST_CHARS));
    }
    posts.push(call(notes));
    let numbered = posts.iter().enumerate().map(|(i, post)| format!("{}/ {post}", i + 1));
    numbered.collect::<Vec<_>>().join("\n\n")
}

/// Subject, preheader, greeting, body, a line with the call to action, sign-off.
pub(super) fn email(notes: &mut Notes) -> String {
    let subject = clip(&title(notes), 60);
    let preheader = notes.line(100, &["What {b} says about {s}.", "What {b} says about it.", "A few words from us."]);
    let body_words = notes.words.saturating_sub(shape::words(&subject) + 30).max(20);
    let intro = introduction(notes, 30, false);
    let rest = notes.paragraphs(&[], body_words.saturating_sub(shape::words(&intro)), false);
    let rest = if rest.is_empty() { notes.own(NO_LIMIT) } else { rest };
    let call = call(notes);
    let business = &notes.names.business;
    format!(
        "Subject: {subject}\nPreheader: {preheader}\n\nHello,\n\n{intro}\n\n{rest}\n\n{call}\n\nBest regards,\nThe people at {business}"
    )
}

/// Three variants, each within the limits of an ad.
pub(super) fn ad(notes: &mut Notes) -> String {
    const HEADLINES: [&[&str]; 3] =
        [&["{s}: start here", "Start here"], &["{b} on {s}", "{b} answers", "Good to know"], &["Ask {b}", "Ask us"]];
    let variants = (0..3).map(|i| {
        let headline = notes.line(40, HEADLINES[i]);
        let wish =
            notes.wanted_question().or_else(|| notes.owed()).filter(|wish| wish.chars().count() <= AD_BODY_CHARS);
        let said = wish.or_else(|| notes.sentence(AD_BODY_CHARS));
        let body = said.unwrap_or_else(|| notes.own(AD_BODY_CHARS));
        let call = notes.line(25, AD_CALLS[i]);
        format!("## Variant {}\n\nHeadline: {headline}\nBody: {body}\nCall to action: {call}", i + 1)
    });
    variants.collect::<Vec<_>>().join("\n\n")
}

/// Scenes with pictures and narration, timed by the narration.
pub(super) fn video_script(notes: &mut Notes) -> String {
    let title = title(notes);
    let count = (notes.words / 80).clamp(3, VISUALS.len());
    let planned: Vec<Vec<u32>> = notes.plan.sections.iter().map(|section| section.passages.clone()).collect();
    let words = notes.words.saturating_sub(count * 12) / count;
    let (mut scenes, mut seconds) = (Vec::new(), 0);
    for i in 0..count {
        let last = i + 1 == count;
        let narration = match (i, planned.get(i - usize::from(i > 0))) {
            (0, _) => introduction(notes, words, false),
            (_, Some(passages)) => body(notes, passages, words, false),
            (_, None) => body(notes, &[], words, false),
        };
        let call = if last { wanted_call(notes, " ") } else { String::new() };
        let narration = format!("{}{call}", narration.replace("\n\n", " "));
        let visual = notes.names.fill(VISUALS[if last { VISUALS.len() - 1 } else { i }]);
        let until = seconds + (shape::words(&narration) * 60).div_ceil(WORDS_PER_MINUTE).max(5);
        let times = format!("{}–{}", time(seconds), time(until));
        scenes.push(format!("## Scene {} ({times})\n\nVISUAL: {visual}\nNARRATION: {narration}", i + 1));
        seconds = until;
    }
    format!("# {title}\n\n{}", scenes.join("\n\n"))
}
