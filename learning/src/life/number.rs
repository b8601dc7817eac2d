//! Lessons that name a number: which one several people agree on, and what becomes of a most that is less than a least.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use copydesk_domain::lesson::{Bound, Lesson, LessonId, LessonStatus, Rule};

use super::{AS_MANY_ASK, Known, Said, TAKEN_BACK};
use crate::log::Entry;

const MORE_ASK: &str = "More people ask for the opposite.";

/// What voices ask for: what the last one said. Of numbers it is the median of what each person said last, the more
/// lenient one of two: no single person moves what several agree on.
pub(super) fn agreed(voices: &[&Said<'_>]) -> Option<Rule> {
    let last = voices.last()?.rule;
    let by_rater: BTreeMap<&str, u16> =
        voices.iter().filter_map(|said| Some((said.rater(), said.rule.number()?.1))).collect();
    let mut numbers: Vec<u16> = by_rater.into_values().collect();
    numbers.sort_unstable();
    let at = match last.number() {
        Some((Bound::AtMost, _)) => numbers.len() / 2,
        Some((Bound::AtLeast, _)) => numbers.len().saturating_sub(1) / 2,
        None => return Some(last.clone()),
    };
    numbers.get(at).map(|number| last.with_number(*number))
}

/// Active lessons that no text can follow together, a most that is less than a least, as they are then. One person's
/// last word counts, of several people that of most, and neither where as many stand behind both.
pub(super) fn bounds(known: &BTreeMap<LessonId, Known>, verdicts: &[&Entry]) -> Vec<Known> {
    let is_bound = |known: &&Known| known.lesson.status == LessonStatus::Active && known.lesson.rule.number().is_some();
    let active: Vec<&Known> = known.values().filter(is_bound).collect();
    let ended = active.iter().filter_map(|known| {
        let mine = &known.lesson;
        let meets = |other: &&Lesson| {
            let formats = [mine.content_type, other.content_type];
            mine.rule.excludes(&other.rule) && (formats.contains(&None) || formats[0] == formats[1])
        };
        let rivals: Vec<&Lesson> = active.iter().map(|other| &other.lesson).filter(meets).collect();
        let (status, reason) = rivals.iter().find_map(|rival| outvoted(mine, rival, verdicts))?;
        let conflicts_with = rivals.iter().map(|rival| rival.lesson_id).collect();
        let lesson = Lesson { status, reason: reason.to_owned(), conflicts_with, ..mine.clone() };
        Some(Known { lesson, ..(*known).clone() })
    });
    ended.collect()
}

/// What a lesson becomes beside one that excludes it; `None` where it stands.
fn outvoted(mine: &Lesson, rival: &Lesson, verdicts: &[&Entry]) -> Option<(LessonStatus, &'static str)> {
    let raters = |lesson: &Lesson| -> BTreeSet<&str> {
        let behind = verdicts.iter().filter(|entry| lesson.evidence.contains(&entry.feedback_id));
        behind.map(|entry| entry.rater.as_str()).collect()
    };
    let (ours, theirs) = (raters(mine), raters(rival));
    let is_later = (rival.last_supported_at, rival.lesson_id) > (mine.last_supported_at, mine.lesson_id);
    match ours.len().cmp(&theirs.len()) {
        Ordering::Less => Some((LessonStatus::Retired, MORE_ASK)),
        Ordering::Equal if ours != theirs => Some((LessonStatus::Conflicted, AS_MANY_ASK)),
        Ordering::Equal if is_later => Some((LessonStatus::Retired, TAKEN_BACK)),
        _ => None,
    }
}
