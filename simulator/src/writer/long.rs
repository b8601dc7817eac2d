//! The formats with sections: articles, pages, releases and scripts.

use super::desk::{Desk, Section, clip};
use super::material;
use super::phrases::{Kind, capitalised};
use crate::shape;

const BLOG_HEADINGS: [&str; 5] = [
    "Why {s} matters",
    "What {s} means in practice",
    "What to look out for",
    "How to tell that it works",
    "The next step",
];
const NEWS_HEADINGS: [&str; 4] = ["{s} at a glance", "Worth knowing", "From practice", "What comes next"];
const BENEFIT_HEADINGS: [&str; 3] = ["What you gain", "What stands behind it", "The next step"];

const NO_LIMIT: usize = usize::MAX;

/// Title, introduction, sections, and a call to action at the end of the last.
pub(super) fn blog(desk: &mut Desk) -> String {
    let title = desk.title();
    let wanted = if desk.words < 350 { 3 } else { 4 };
    let sections = desk.sections(3, 6, &BLOG_HEADINGS[5 - wanted..]);
    let call = desk.own(Kind::Call, NO_LIMIT);
    let intro = introduction(desk, desk.words / 9);
    let fixed = shape::words(&title) + shape::words(&call) + shape::words(&intro) + headings(&sections);
    let budget = desk.words.saturating_sub(fixed) / sections.len();
    let body = written(desk, &sections, budget);
    format!("# {title}\n\n{intro}\n\n{body}\n\n{call}")
}

fn introduction(desk: &mut Desk, words: usize) -> String {
    let opening = desk.opening(NO_LIMIT);
    let left = words.saturating_sub(shape::words(&opening));
    if left < 8 { opening } else { format!("{opening} {}", desk.paragraph(left, &[])) }
}

fn headings(sections: &[Section]) -> usize {
    sections.iter().map(|section| shape::words(&section.heading)).sum()
}

/// The sections, each with paragraphs of about so many words.
fn written(desk: &mut Desk, sections: &[Section], budget: usize) -> String {
    let mut over = 0_i64;
    let mut written = Vec::with_capacity(sections.len());
    for section in sections {
        // What one section is too long, the next is shorter.
        let share = budget.saturating_add_signed(-isize::try_from(over).unwrap_or(0)).max(14);
        let body = desk.paragraphs(share, &section.passages);
        over += as_i64(shape::words(&body)) - as_i64(budget);
        written.push(format!("## {}\n\n{body}", section.heading));
    }
    written.join("\n\n")
}

fn as_i64(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Title, greeting, items, sign-off.
pub(super) fn newsletter(desk: &mut Desk) -> String {
    let title = desk.title();
    let wanted = if desk.words < 250 { 2 } else { 3 };
    let sections = desk.sections(2, 5, &NEWS_HEADINGS[..wanted]);
    let intro = introduction(desk, desk.words / 10);
    let intro = match desk.list() {
        Some(list) => format!("{intro}\n\n{list}"),
        None => intro,
    };
    let call = desk.closing_call().map(|call| format!("\n\n{call}")).unwrap_or_default();
    let fixed = shape::words(&title) + shape::words(&intro) + shape::words(&call) + headings(&sections) + 9;
    let body = written(desk, &sections, desk.words.saturating_sub(fixed) / sections.len());
    let business = desk.names.business.clone();
    format!("# {title}\n\nHello,\n\n{intro}\n\n{body}{call}\n\nUntil next time,\nThe people at {business}")
}

/// Name, tagline, features, whom it is for.
pub(super) fn product(desk: &mut Desk) -> String {
    let name = match desk.plan.title.trim() {
        "" => capitalised(&clip(&desk.names.subject, 60)),
        title => clip(title, 60),
    };
    let tagline = desk
        .line(140, &["{s}, made for {a} and explained in plain words.", "Made for {a}, and explained in plain words."]);
    let call = desk.closing_call().map(|call| format!("\n\n{call}")).unwrap_or_default();
    let left = desk.words.saturating_sub(shape::words(&tagline) + shape::words(&call) + 8);
    let features = desk.bullets((left / 32).clamp(2, 9), &[]);
    let left = left.saturating_sub(shape::words(&features));
    let audience = desk.names.fill("This is for {a}.");
    let question = desk.wanted_question().map(|question| format!("{question} ")).unwrap_or_default();
    let reader = desk.paragraph(left.max(14), &[]);
    format!(
        "# {name}\n\n{tagline}\n\n## Features\n\n{features}\n\n## Who it is for\n\n{question}{audience} {reader}{call}"
    )
}

/// Headline, dateline, body, quote, the business, the contact.
pub(super) fn press_release(desk: &mut Desk) -> String {
    let headline = desk.title();
    let business = desk.names.business.clone();
    let about = about(desk);
    let call = desk.closing_call().map(|call| format!("\n\n{call}")).unwrap_or_default();
    let quote = desk.own(Kind::General, NO_LIMIT);
    let quote = format!("“{},” said a spokesperson for {business}.", quote.trim_end_matches(['.', '!']));
    let fixed = [&headline, &about, &quote, &call].map(|part| shape::words(part)).iter().sum::<usize>() + 22;
    let left = desk.words.saturating_sub(fixed).max(40);
    let lead = introduction(desk, left / 3);
    let body = desk.paragraphs(left.saturating_sub(shape::words(&lead)), &[]);
    let place = city(&desk.profile).unwrap_or_else(|| "London".to_owned()).to_uppercase();
    let date = desk.today.format("%B %-d, %Y");
    format!(
        "FOR IMMEDIATE RELEASE\n\n# {headline}\n\n{place}, {date} — {lead}\n\n{quote}\n\n{body}{call}\n\n## About {business}\n\n{about}\n\n## Media contact\n\nPress office, {business}\nThe press office answers questions and arranges interviews.\n\n###"
    )
}

/// The business in its own words, up to three sentences.
fn about(desk: &Desk) -> String {
    let sentences: Vec<_> = material::sentences(&desk.profile).into_iter().take(3).collect();
    match sentences.is_empty() {
        true => desk.names.fill("{b} works with {s} every day."),
        false => sentences.join(" "),
    }
}

/// Where the business says that it is.
pub(super) fn city(profile: &str) -> Option<String> {
    const PHRASES: [&str; 6] =
        ["based in ", "headquartered in ", "located in ", "office in ", "offices in ", " between "];
    PHRASES.iter().find_map(|phrase| {
        let behind = profile.split_once(phrase)?.1;
        let name = behind.split([',', '.', ';', ')']).next()?;
        let words: Vec<_> = name.split(' ').take_while(|word| word.starts_with(char::is_uppercase)).take(3).collect();
        (!words.is_empty()).then(|| words.join(" "))
    })
}

/// Hero, subheadline, benefits, proof, call to action.
pub(super) fn landing_page(desk: &mut Desk) -> String {
    let hero = desk.title();
    let sub = desk.opening(160);
    let sections = desk.sections(3, 3, &BENEFIT_HEADINGS);
    let call = desk.own(Kind::Call, NO_LIMIT);
    let fixed = [&hero, &sub, &call].map(|part| shape::words(part)).iter().sum::<usize>() + headings(&sections);
    let left = desk.words.saturating_sub(fixed);
    let benefits = desk.bullets((left / 45).clamp(3, 7), &sections[0].passages);
    let left = left.saturating_sub(shape::words(&benefits));
    let proof = desk.paragraphs(left * 2 / 3, &sections[1].passages);
    let close = desk.paragraph(left.saturating_sub(shape::words(&proof)).max(8), &sections[2].passages);
    let [benefit_heading, proof_heading, call_heading] = [0, 1, 2].map(|i| &sections[i].heading);
    format!(
        "# {hero}\n\n{sub}\n\n## {benefit_heading}\n\n{benefits}\n\n## {proof_heading}\n\n{proof}\n\n## {call_heading}\n\n{close}\n\n{call}"
    )
}

/// Challenge, solution with a quote, results.
pub(super) fn case_study(desk: &mut Desk) -> String {
    let title = desk.title();
    let passages: Vec<_> = desk.plan.sections.iter().map(|section| section.passages.clone()).collect();
    let fixed = ["Challenge", "Solution", "Results"];
    let sections = fixed.iter().enumerate().map(|(i, heading)| Section {
        heading: (*heading).to_owned(),
        passages: passages.get(i).cloned().unwrap_or_default(),
    });
    let sections: Vec<_> = sections.collect();
    let quote = desk.quote(&[], 1, 260, 35).pop().unwrap_or_else(|| desk.own(Kind::General, 200));
    let call = desk.closing_call().map(|call| format!("\n\n{call}")).unwrap_or_default();
    let question = desk.wanted_question().map(|question| format!("{question}\n\n")).unwrap_or_default();
    let spent = [&title, &quote, &call, &question].map(|part| shape::words(part)).iter().sum::<usize>() + 3;
    let body = written(desk, &sections, desk.words.saturating_sub(spent) / 3);
    let (before, results) = body.split_once("\n\n## Results").unwrap_or((&body, ""));
    format!("# {title}\n\n{question}{before}\n\n> {quote}\n\n## Results{results}{call}")
}

const QUESTIONS: [&str; 14] = [
    "What is {s} about, in short?",
    "Who is {s} for?",
    "Where should one start with {s}?",
    "What does {s} ask of the people involved?",
    "How long does it take to see results?",
    "What are common mistakes with {s}?",
    "How can one tell that {s} works?",
    "Which questions should be asked first?",
    "Who should be responsible?",
    "What can go wrong?",
    "What happens after the first steps?",
    "How does {b} look at {s}?",
    "What should be written down?",
    "Who helps when a question comes up?",
];

/// Questions with answers.
pub(super) fn faq(desk: &mut Desk) -> String {
    let title = desk.title();
    let count = (desk.words / 75).clamp(5, QUESTIONS.len());
    let planned: Vec<_> = desk.plan.sections.clone();
    let mut sections: Vec<Section> =
        planned.into_iter().filter(|s| s.heading.trim().ends_with('?')).take(count).collect();
    let mut questions = QUESTIONS.iter().map(|question| desk.names.fill(question));
    while sections.len() < count
        && let Some(heading) = questions.next()
    {
        sections.push(Section { heading, passages: Vec::new() });
    }
    let call = desk.closing_call().map(|call| format!("\n\n{call}")).unwrap_or_default();
    let fixed = shape::words(&title) + shape::words(&call) + headings(&sections);
    let body = written(desk, &sections, desk.words.saturating_sub(fixed) / sections.len());
    format!("# {title}\n\n{body}{call}")
}

pub(super) const VISUALS: [&str; 10] = [
    "Opening title on a plain background: {s}.",
    "A person at a desk looks up from a page full of notes.",
    "Simple animation: three steps appear one after the other.",
    "Two colleagues compare notes at a table.",
    "A checklist fills up, line by line.",
    "Slow pan across a bright room at work.",
    "A hand draws the process on a whiteboard.",
    "Close-up of a page with one line underlined.",
    "People talk in a corridor, one of them smiles.",
    "Closing title with the name of {b}.",
];
/// A calm speaker.
pub(super) const WORDS_PER_MINUTE: usize = 150;

/// Scenes with pictures and narration, timed by the narration.
pub(super) fn video_script(desk: &mut Desk) -> String {
    let title = desk.title();
    let count = (desk.words / 80).clamp(3, VISUALS.len());
    let spent = shape::words(&title) + count * 14;
    let call = desk.closing_call().map(|call| format!(" {call}")).unwrap_or_default();
    let words_each = desk.words.saturating_sub(spent + shape::words(&call)) / count;
    let mut seconds = 0;
    let mut scenes = Vec::with_capacity(count);
    for i in 0..count {
        let last = i + 1 == count;
        let visual = desk.names.fill(VISUALS[if last { VISUALS.len() - 1 } else { i }]);
        let prefer = desk.plan.sections.get(i).map(|section| section.passages.clone()).unwrap_or_default();
        let narration =
            if i == 0 { introduction(desk, words_each) } else { desk.paragraph(words_each.max(8), &prefer) };
        let narration = if last { format!("{narration}{call}") } else { narration };
        let until = seconds + (shape::words(&narration) * 60).div_ceil(WORDS_PER_MINUTE).max(5);
        let times = format!("{}–{}", time(seconds), time(until));
        scenes.push(format!("## Scene {} ({times})\n\nVISUAL: {visual}\nNARRATION: {narration}", i + 1));
        seconds = until;
    }
    format!("# {title}\n\n{}", scenes.join("\n\n"))
}

pub(super) fn time(seconds: usize) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
