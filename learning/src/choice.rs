//! Which lessons a text is written with: those that count for its kind and language, of two that contradict each other
//! the narrower one, the surest first, and not more than a writer heeds.

use chrono::{DateTime, Utc};
use copydesk_domain::format::Format;
use copydesk_domain::lesson::{Escalation, Lesson, LessonStatus, Rule};

use crate::life::{Known, faded};

/// Lessons in a prompt at most.
pub const MOST: usize = 12;

/// The text that is to be written.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its kind.
    pub content_type: Format,
    /// Its language: the first part of a BCP 47 tag, in lower case.
    pub language: &'a str,
    /// Whether the request itself names a length: then it needs no lesson on it.
    pub names_length: bool,
}

/// The lessons for a text, the surest first.
pub fn chosen(known: &[Known], subject: Subject<'_>, now: DateTime<Utc>) -> Vec<Lesson> {
    let mut fit: Vec<Lesson> = known.iter().map(|known| known.at(now)).collect();
    fit.retain(|lesson| counts(lesson) && is_for(lesson, subject));
    fit.sort_by(|a, b| rank(b, now).total_cmp(&rank(a, now)).then(a.lesson_id.cmp(&b.lesson_id)));
    // One that another goes before, or that is as good as its rival, is told nobody.
    let yields =
        |lesson: &Lesson| fit.iter().any(|rival| rival.rule.excludes(&lesson.rule) && !precedes(lesson, rival));
    fit.iter().filter(|lesson| !yields(lesson)).take(MOST).cloned().collect()
}

fn counts(lesson: &Lesson) -> bool {
    matches!(lesson.status, LessonStatus::Active | LessonStatus::Pinned)
}

fn is_for(lesson: &Lesson, subject: Subject<'_>) -> bool {
    lesson.content_type.is_none_or(|of| of == subject.content_type)
        && lesson.language.as_deref().is_none_or(|of| of == subject.language)
        && !(subject.names_length && matches!(lesson.rule, Rule::Length { .. }))
}

/// Pinned ones first, then the surest of those that were asked for lately.
fn rank(lesson: &Lesson, now: DateTime<Utc>) -> f64 {
    let pinned = if lesson.status == LessonStatus::Pinned { 2.0 } else { 0.0 };
    pinned + lesson.confidence * faded(lesson.last_supported_at, now)
}

/// Whether one of two that contradict each other goes before the other: the narrower, then the pinned, the newer, the
/// one with more support.
fn precedes(a: &Lesson, b: &Lesson) -> bool {
    let standing = |lesson: &Lesson| {
        let narrow = u8::from(lesson.content_type.is_some()) + u8::from(lesson.language.is_some());
        (narrow, lesson.status == LessonStatus::Pinned, lesson.last_supported_at, lesson.support)
    };
    standing(a) > standing(b)
}

/// Where the writer is told a lesson, by whether the last texts that were given it follow it, the newest first. What no
/// code can tell is escalated nowhere.
pub fn escalation(followed: &[bool]) -> Escalation {
    let missed = |last: usize| followed.iter().take(last).filter(|followed| !**followed).count();
    match (missed(5), missed(10)) {
        (_, 6..) => Escalation::Outline,
        (3.., _) => Escalation::System,
        _ => Escalation::None,
    }
}
