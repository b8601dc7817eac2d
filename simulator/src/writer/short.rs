//! The formats that count characters: posts, threads, emails and ads.

use rand::RngExt;

use super::desk::{Desk, clip, hashtag};
use super::phrases::{Kind, Names};
use crate::shape;

const POST_CHARS: usize = 3_000;
/// Words that surely fit into a post.
const POST_WORDS: usize = 380;
const THREAD_POST_CHARS: usize = 280;
const AD_BODY_CHARS: usize = 125;

/// A hook, short paragraphs, a question, hashtags.
pub(super) fn linkedin(desk: &mut Desk) -> String {
    let hook = desk.opening(200);
    let tags = hashtags(&desk.names, &desk.keywords);
    let question = desk.own(Kind::Question, 120);
    let call = desk.closing_call();
    let list = desk.list();
    let spent = [Some(&hook), Some(&question), call.as_ref(), list.as_ref()];
    let spent = spent.into_iter().flatten().map(|part| shape::words(part)).sum::<usize>() + 4;
    let mut left = desk.words.min(POST_WORDS).saturating_sub(spent);
    let mut blocks = vec![hook];
    while left > 12 || blocks.len() < 2 {
        let paragraph = desk.paragraph(left.min(38), &[]);
        left = left.saturating_sub(shape::words(&paragraph));
        // Every character counts towards the limit, and the question and the hashtags must fit in.
        let length: usize = blocks.iter().map(|block| block.chars().count() + 2).sum();
        if paragraph.is_empty() || length + paragraph.chars().count() > POST_CHARS - 600 {
            break;
        }
        blocks.push(paragraph);
    }
    blocks.extend(list);
    blocks.extend(call);
    blocks.extend([question, tags]);
    blocks.join("\n\n")
}

pub(super) fn hashtags(names: &Names, keywords: &[String]) -> String {
    let keywords = keywords.iter().map(|keyword| hashtag(keyword));
    let words = names.subject.split(' ').filter(|word| word.len() > 3 && !UNTAGGED.contains(word)).map(hashtag);
    let rest = [hashtag(&names.business), "Practice".into(), "Planning".into(), "Teamwork".into()];
    let mut tags: Vec<String> = Vec::new();
    for tag in keywords.chain(words).chain(rest) {
        let known = tags.iter().any(|known| known.eq_ignore_ascii_case(&tag));
        if !known && (2..=30).contains(&tag.len()) && tags.len() < 4 {
            tags.push(tag);
        }
    }
    tags.iter().map(|tag| format!("#{tag}")).collect::<Vec<_>>().join(" ")
}

/// 5 to 12 numbered posts of at most 280 characters.
pub(super) fn thread(desk: &mut Desk) -> String {
    let count = (desk.words / 28).clamp(5, 12);
    let words_each = (desk.words / count).max(8);
    let mut posts = vec![opening_post(desk)];
    while posts.len() < count - 1 {
        posts.push(post(desk, words_each));
    }
    let call = desk.closing_call().filter(|call| call.chars().count() <= 240);
    posts.push(call.unwrap_or_else(|| desk.own(Kind::Question, 240)));
    let numbered = posts.iter().enumerate().map(|(i, post)| format!("{}/ {post}", i + 1));
    numbered.collect::<Vec<_>>().join("\n\n")
}

fn opening_post(desk: &mut Desk) -> String {
    let opening = desk.opening(240);
    clip(&opening, 240)
}

/// A quotation, filled up with its own sentences to about so many words.
fn post(desk: &mut Desk, words: usize) -> String {
    // The number and its blank stand in front.
    let room = THREAD_POST_CHARS - 5;
    let first = desk.owed(room).or_else(|| desk.quote(&[], 1, room, words + 12).pop());
    let mut post = first.unwrap_or_else(|| desk.own(Kind::General, room));
    while shape::words(&post) + 6 < words {
        let left = room.saturating_sub(post.chars().count() + 1);
        let kind = if shape::words(&post) + 12 < words { Kind::General } else { Kind::Short };
        let more = desk.own(kind, left);
        if more.is_empty() {
            break;
        }
        post = format!("{post} {more}");
    }
    post
}

/// Subject, preheader, greeting, body, a line with the call to action, sign-off.
pub(super) fn email(desk: &mut Desk) -> String {
    let planned = clip(&desk.plan.title.replace('\n', " "), 60);
    let subject =
        if planned.is_empty() { desk.line(60, &["{s}: a first step", "A first step", "News"]) } else { planned };
    let preheader = desk
        .line(100, &["What {s} means for {a}, in a few lines.", "A few lines on {s}.", "A few lines worth reading."]);
    let call = desk.own(Kind::Call, 150);
    let overhead = shape::words(&subject) + shape::words(&preheader) + shape::words(&call) + 10;
    let body = desk.paragraphs(desk.words.saturating_sub(overhead).max(20), &[]);
    let question = desk.wanted_question().map(|question| format!("{question}\n\n")).unwrap_or_default();
    let business = &desk.names.business;
    format!(
        "Subject: {subject}\nPreheader: {preheader}\n\nHello,\n\n{question}{body}\n\n{call}\n\nBest regards,\nThe people at {business}"
    )
}

/// Words of a subject that make no hashtag.
const UNTAGGED: [&str; 9] = ["after", "about", "from", "getting", "into", "what", "when", "with", "your"];

const AD_HEADLINES: [&[&str]; 3] = [
    &["{s}: start here", "A clear first step"],
    &["A clear look at {s}", "Good answers, plainly put"],
    &["{s} without the guesswork", "Less guesswork, more clarity"],
];
pub(super) const AD_CALLS: [&[&str]; 3] = [
    &["Learn more", "Read on", "Go on"],
    &["Get in touch", "Talk to us", "Write to us"],
    &["Book a first talk", "Sign up today", "Start now"],
];

/// Three variants, each within the limits of an ad.
pub(super) fn ad(desk: &mut Desk) -> String {
    let variants = (0..3).map(|i| {
        let headline = desk.line(40, AD_HEADLINES[i]);
        let body = ad_body(desk);
        let call = desk.line(25, AD_CALLS[i]);
        format!("## Variant {}\n\nHeadline: {headline}\nBody: {body}\nCall to action: {call}", i + 1)
    });
    variants.collect::<Vec<_>>().join("\n\n")
}

fn ad_body(desk: &mut Desk) -> String {
    let question = desk.wanted_question().filter(|question| question.chars().count() <= AD_BODY_CHARS);
    let wish = question.or_else(|| desk.owed(AD_BODY_CHARS));
    let quote = wish.or_else(|| desk.quote(&[], 1, AD_BODY_CHARS, 24).pop());
    let body = quote.unwrap_or_else(|| desk.own(Kind::General, AD_BODY_CHARS));
    let left = AD_BODY_CHARS.saturating_sub(body.chars().count() + 1);
    let fill = desk.words > 60 && left > 20 && desk.rng.random_bool(0.5);
    let more = if fill { desk.own(Kind::Short, left) } else { String::new() };
    format!("{body} {more}").trim_end().to_owned()
}
