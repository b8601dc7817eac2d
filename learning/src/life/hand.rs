//! What people change of lessons by hand, which goes before what verdicts say.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use copydesk_domain::lesson::{Lesson, LessonId, LessonStatus, Rule};

use super::{Known, posterior, rounded, slot};
use crate::log::{Action, Log};

/// What was changed by hand: the last word on whether a lesson counts, and the last one on what it says. A lesson that
/// was pinned is there also where nobody asks for it any more.
pub(super) fn applied(known: &mut BTreeMap<LessonId, Known>, log: &Log, as_of: DateTime<Utc>) {
    let derived: BTreeMap<LessonId, (LessonStatus, String)> =
        known.iter().map(|(id, known)| (*id, (known.lesson.status, known.lesson.reason.clone()))).collect();
    for change in &log.changes {
        if let Action::Pin { lesson: Some(pinned) } = &change.action {
            known.entry(change.lesson_id).or_insert_with(|| unsupported(pinned, as_of));
        }
        let Some(Known { lesson, .. }) = known.get_mut(&change.lesson_id) else { continue };
        match &change.action {
            Action::Pin { .. } => (lesson.status, lesson.reason) = (LessonStatus::Pinned, "Pinned by hand.".to_owned()),
            Action::Retire => (lesson.status, lesson.reason) = (LessonStatus::Retired, "Retired by hand.".to_owned()),
            Action::Release => {
                let unasked = || (LessonStatus::Retired, "Nobody asks for it any more.".to_owned());
                (lesson.status, lesson.reason) = derived.get(&change.lesson_id).cloned().unwrap_or_else(unasked);
            }
            Action::Edit { text, rule } => {
                lesson.rule = rule.clone().unwrap_or_else(|| Rule::Note { text: text.clone(), wanted: true });
                lesson.category = lesson.rule.category();
                lesson.text.clone_from(text);
                lesson.is_edited = true;
            }
        }
    }
}

/// A lesson as it was when it was pinned, without those who asked for it.
fn unsupported(pinned: &Lesson, as_of: DateTime<Utc>) -> Known {
    let lesson = Lesson {
        support: 0,
        raters: 0,
        harm: 0,
        confidence: rounded(posterior(0.0, 0.0)),
        evidence: Vec::new(),
        conflicts_with: Vec::new(),
        dissenters: Vec::new(),
        ..pinned.clone()
    };
    let slot = pinned.content_type.map_or_else(|| pinned.rule.slot(), |of| slot(&pinned.rule, of));
    Known { slot, lesson, support: 0.0, harm: 0.0, as_of }
}
