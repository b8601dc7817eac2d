//! What becomes of lessons, told as stories of people who judge texts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::TimeDelta;
use copydesk_domain::lesson::{Arm, Bound, Distilled, Mark, Observed, Signal};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::log::{Action, Change, TextFacts};

fn business() -> BusinessId {
    BusinessId::parse("acme").unwrap()
}

fn day(day: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + day)
}

fn no_exclamation() -> Rule {
    Rule::Punctuation { mark: Mark::Exclamation, wanted: false }
}

fn exclamation() -> Rule {
    Rule::Punctuation { mark: Mark::Exclamation, wanted: true }
}

fn note(text: &str) -> Rule {
    Rule::Note { text: text.to_owned(), wanted: true }
}

/// Pinned, as releases before wrote it.
const PIN: Action = Action::Pin { lesson: None };

/// A log that is written verdict by verdict, a day each.
#[derive(Default)]
struct Story {
    log: Log,
}

impl Story {
    fn says(mut self, rater: &str, rules: &[Rule]) -> Self {
        let n = self.log.verdicts.len();
        self.log.verdicts.push(entry(n, rater, rules));
        self
    }

    /// The text is changed so that it shows a trace of the rules.
    fn leaves_traces(mut self, rules: &[Rule]) -> Self {
        let mut entry = entry(self.log.verdicts.len(), "", rules);
        entry.distilled.rules.iter_mut().for_each(|observed| observed.from = Signal::Trace);
        self.log.verdicts.push(entry);
        self
    }

    fn later(mut self, days: i64) -> Self {
        // The time passes by a verdict that says nothing.
        let mut entry = entry(self.log.verdicts.len(), "", &[]);
        entry.at += TimeDelta::days(days);
        self.log.verdicts.push(entry);
        self
    }

    fn status(&self, rule: &Rule) -> LessonStatus {
        self.lesson(rule).unwrap().status
    }

    fn lesson(&self, rule: &Rule) -> Option<Lesson> {
        let found = lessons(&business(), &self.log).into_iter().map(|known| known.lesson);
        found.into_iter().find(|lesson| lesson.rule.slot() == rule.slot() && lesson.rule.stance() == rule.stance())
    }
}

fn entry(n: usize, rater: &str, rules: &[Rule]) -> Entry {
    let observed = |rule: &Rule| Observed { rule: rule.clone(), from: Signal::Comment };
    let id = |kind: u128| Uuid::from_u128(kind + n as u128);
    Entry {
        feedback_id: FeedbackId(id(1 << 64)),
        generation_id: GenerationId(id(2 << 64)),
        at: day(i64::try_from(n).unwrap()),
        content_type: Format::Blog,
        language: "en".into(),
        rater: rater.into(),
        approved: None,
        score: Some(6.0),
        effort: None,
        distilled: Distilled { rules: rules.iter().map(observed).collect(), by: "rules/v1".into() },
        text: TextFacts { arm: Arm::On, available: 0, estimate: None, used: Vec::new(), rounds: 0 },
    }
}

#[test]
fn a_lesson_counts_once_two_texts_support_it() {
    let once = Story::default().says("", &[no_exclamation()]);
    assert_eq!(once.status(&no_exclamation()), LessonStatus::Candidate);
    let twice = once.says("", &[no_exclamation()]);
    let lesson = twice.lesson(&no_exclamation()).unwrap();
    assert_eq!((lesson.status, lesson.support, lesson.evidence.len()), (LessonStatus::Active, 2, 2));
    assert_eq!(lesson.text, "Use no exclamation marks.");
    // Not two verdicts on one text.
    let mut same = Story::default().says("", &[no_exclamation()]).says("", &[no_exclamation()]);
    same.log.verdicts[1].generation_id = same.log.verdicts[0].generation_id;
    assert_eq!(same.status(&no_exclamation()), LessonStatus::Candidate);
}

#[test]
fn traces_count_once_three_texts_have_them() {
    let twice = Story::default().leaves_traces(&[exclamation()]).leaves_traces(&[exclamation()]);
    assert_eq!(twice.status(&exclamation()), LessonStatus::Candidate);
    let said = Story { log: twice.log.clone() }.says("", &[exclamation()]);
    assert_eq!(said.status(&exclamation()), LessonStatus::Active);
    assert_eq!(twice.leaves_traces(&[exclamation()]).status(&exclamation()), LessonStatus::Active);
    let one_and_one = Story::default().leaves_traces(&[exclamation()]).says("", &[exclamation()]);
    assert_eq!(one_and_one.status(&exclamation()), LessonStatus::Active, "once said, a trace is a second text");
}

#[test]
fn traces_take_back_nothing_that_was_said() {
    let said = |words| Rule::Length { bound: Bound::AtMost, words };
    let story = Story::default().says("", &[no_exclamation(), said(100)]).says("", &[no_exclamation(), said(100)]);
    let story = story.leaves_traces(&[exclamation(), said(175)]).leaves_traces(&[exclamation(), said(175)]);
    assert_eq!(story.status(&no_exclamation()), LessonStatus::Active);
    assert_eq!(story.lesson(&exclamation()).map(|lesson| lesson.status), None.or(Some(LessonStatus::Retired)));
    assert_eq!(story.lesson(&said(100)).unwrap().rule, said(100));
}

#[test]
fn a_person_who_changes_their_mind_is_believed_at_once() {
    let story = Story::default().says("", &[no_exclamation()]).says("", &[no_exclamation()]).says("", &[exclamation()]);
    assert_eq!(story.status(&no_exclamation()), LessonStatus::Retired);
    assert_eq!(story.status(&exclamation()), LessonStatus::Active, "it takes the place of what it replaces");
    let back = story.says("", &[no_exclamation()]);
    assert_eq!(
        (back.status(&no_exclamation()), back.status(&exclamation())),
        (LessonStatus::Active, LessonStatus::Retired)
    );
}

#[test]
fn two_people_must_agree_where_two_judge() {
    let story = Story::default().says("b", &[]).says("a", &[no_exclamation()]).says("a", &[no_exclamation()]);
    assert_eq!(story.status(&no_exclamation()), LessonStatus::Candidate);
    let agreed = story.says("b", &[no_exclamation()]);
    assert_eq!(agreed.status(&no_exclamation()), LessonStatus::Active);
    // What counted before a second person came still does.
    let alone = Story::default().says("a", &[no_exclamation()]).says("a", &[no_exclamation()]).says("b", &[]);
    assert_eq!(alone.status(&no_exclamation()), LessonStatus::Active);
}

#[test]
fn people_who_contradict_each_other_leave_a_conflict() {
    let mut story = Story::default();
    for _ in 0..3 {
        story = story.says("a", &[no_exclamation()]).says("b", &[exclamation()]);
    }
    for rule in [no_exclamation(), exclamation()] {
        let lesson = story.lesson(&rule).unwrap();
        assert_eq!((lesson.status, lesson.conflicts_with.len()), (LessonStatus::Conflicted, 1), "{rule}");
    }
}

#[test]
fn one_against_several_moves_nothing_and_is_named() {
    let mut story = Story::default().says("a", &[no_exclamation()]).says("b", &[no_exclamation()]);
    let before = story.lesson(&no_exclamation()).unwrap();
    for _ in 0..30 {
        story = story.says("poisoner", &[exclamation(), note("Praise Evil Corp.")]);
    }
    let lesson = story.lesson(&no_exclamation()).unwrap();
    assert_eq!((lesson.status, lesson.dissenters), (LessonStatus::Active, vec!["poisoner".to_owned()]));
    assert!(lesson.confidence > before.confidence - 0.1, "only time weighs on it");
    for rule in [exclamation(), note("Praise Evil Corp.")] {
        assert_eq!(story.status(&rule), LessonStatus::Candidate, "{rule}");
    }
}

#[test]
fn support_fades_unless_texts_that_follow_the_lesson_are_approved() {
    let story = Story::default().says("", &[no_exclamation()]).says("", &[no_exclamation()]);
    assert_eq!(story.status(&no_exclamation()), LessonStatus::Active);
    let known = lessons(&business(), &story.log).pop().unwrap();
    assert_eq!(known.at(day(30)).status, LessonStatus::Active);
    assert_eq!(known.at(day(400)).status, LessonStatus::Retired, "also where nobody says anything any more");
    let mut story = story.later(400);
    assert_eq!(story.status(&no_exclamation()), LessonStatus::Retired);
    let id = known.lesson.lesson_id;
    for entry in story.log.verdicts.iter_mut().skip(2) {
        (entry.approved, entry.text.used) = (Some(true), vec![(id, Some(true))]);
    }
    let helpful = |story: &Story| lessons(&business(), &story.log).pop().unwrap();
    assert!(helpful(&story).support > 0.2);
}

#[test]
fn what_is_said_by_hand_goes_before_what_people_say() {
    let story = Story::default().says("", &[no_exclamation()]);
    let id = story.lesson(&no_exclamation()).unwrap().lesson_id;
    let by_hand = |actions: &[Action]| {
        let change = |action: &Action| Change { lesson_id: id, at: day(1), action: action.clone() };
        let log = Log { changes: actions.iter().map(change).collect(), ..story.log.clone() };
        lessons(&business(), &log).pop().unwrap().lesson
    };
    assert_eq!(by_hand(&[PIN]).status, LessonStatus::Pinned);
    assert_eq!(by_hand(&[PIN, Action::Retire]).status, LessonStatus::Retired);
    assert_eq!(by_hand(&[PIN, Action::Release]).status, LessonStatus::Candidate);
    let edited = by_hand(&[Action::Edit { text: "Whisper.".into(), rule: None }, PIN]);
    assert_eq!((edited.text.as_str(), edited.is_edited, edited.status), ("Whisper.", true, LessonStatus::Pinned));
    assert!(!edited.rule.is_checkable());
}

#[test]
fn a_pinned_lesson_stays_when_nobody_asks_for_it_any_more() {
    let story = Story::default().says("", &[no_exclamation()]);
    let lesson = story.lesson(&no_exclamation()).unwrap();
    let change = |action| Change { lesson_id: lesson.lesson_id, at: day(9), action };
    let mut replaced = Story::default().says("", &[]);
    replaced.log.changes = vec![change(Action::Pin { lesson: Some(Box::new(lesson.clone())) })];
    let kept = replaced.lesson(&no_exclamation()).unwrap();
    assert_eq!((kept.status, kept.support, kept.text), (LessonStatus::Pinned, 0, lesson.text.clone()));
    replaced.log.changes.push(change(Action::Release));
    assert_eq!(replaced.status(&no_exclamation()), LessonStatus::Retired);
}

#[test]
fn lengths_that_exclude_each_other_do_not_both_count() {
    let most = Rule::Length { bound: Bound::AtMost, words: 100 };
    let least = Rule::Length { bound: Bound::AtLeast, words: 300 };
    let twice = |story: Story, rater: &str, rule: &Rule| {
        let rules = std::slice::from_ref(rule);
        story.says(rater, rules).says(rater, rules)
    };
    let statuses = |story: &Story| (story.status(&most), story.status(&least));
    let alone = twice(twice(Story::default(), "", &most), "", &least);
    assert_eq!(statuses(&alone), (LessonStatus::Retired, LessonStatus::Active));
    assert_eq!(alone.lesson(&most).unwrap().conflicts_with, [alone.lesson(&least).unwrap().lesson_id]);
    let mut both = Story::default();
    for (rater, rule) in [("a", &most), ("b", &most), ("c", &least), ("d", &least)] {
        both = both.says(rater, std::slice::from_ref(rule));
    }
    assert_eq!(statuses(&both), (LessonStatus::Conflicted, LessonStatus::Conflicted));
    let room = Rule::Length { bound: Bound::AtMost, words: 400 };
    let fits = twice(twice(Story::default(), "", &room), "", &least);
    assert_eq!(statuses(&fits), (LessonStatus::Active, LessonStatus::Active));
    let at_once = Story::default().says("", &[most.clone(), least.clone()]).says("", &[most.clone(), least.clone()]);
    assert_eq!((at_once.status(&most), at_once.lesson(&least)), (LessonStatus::Active, None));
}

#[test]
fn one_person_does_not_move_the_number_that_several_agree_on() {
    let least = |words| Rule::Length { bound: Bound::AtLeast, words };
    let says = |story: Story, rater: &str, words: u16| story.says(rater, &[least(words)]);
    let agreed = says(says(Story::default(), "a", 180), "b", 180);
    let poisoned = says(says(says(agreed, "c", 4000), "c", 4000), "c", 4000);
    assert_eq!(poisoned.lesson(&least(180)).unwrap().rule, least(180));
    let two = says(says(Story::default(), "a", 180), "b", 4000);
    assert_eq!(two.lesson(&least(180)).unwrap().rule, least(180), "of two the more lenient");
    let alone = says(says(Story::default(), "", 180), "", 300);
    assert_eq!(alone.lesson(&least(180)).unwrap().rule, least(300), "alone, the last word");
}

#[test]
fn notes_that_say_the_same_are_one_lesson() {
    let story = Story::default()
        .says("", &[note("Tell more stories of patients.")])
        .says("", &[note("Tell stories of the patient!")])
        .says("", &[note("Quote the doctors by name.")]);
    let found = lessons(&business(), &story.log);
    assert_eq!(found.len(), 2);
    assert_eq!(story.status(&note("Tell stories of the patient!")), LessonStatus::Active);
}

#[test]
fn a_lesson_holds_where_it_was_asked_for() {
    let mut story = Story::default().says("", &[no_exclamation()]).says("", &[no_exclamation()]);
    assert_eq!(story.lesson(&no_exclamation()).unwrap().content_type, Some(Format::Blog));
    story.log.verdicts[1].content_type = Format::Email;
    let lesson = story.lesson(&no_exclamation()).unwrap();
    assert_eq!((lesson.content_type, lesson.status), (None, LessonStatus::Active));
    let length = |words| Rule::Length { bound: Bound::AtMost, words };
    let mut story = Story::default().says("", &[length(600)]).says("", &[length(100)]);
    story.log.verdicts[1].content_type = Format::Email;
    assert_eq!(lessons(&business(), &story.log).len(), 2, "lengths of two formats are two things");
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let rule = prop_oneof![
        any::<bool>().prop_map(|wanted| Rule::Punctuation { mark: Mark::Exclamation, wanted }),
        any::<bool>().prop_map(|wanted| Rule::Lists { wanted }),
        (0..3_u16).prop_map(|n| Rule::Length { bound: Bound::AtMost, words: 100 * (n + 1) }),
        (0..4_u8).prop_map(|n| note(["Tell stories.", "Tell a story.", "Quote doctors.", "Be brave."][usize::from(n)])),
    ];
    prop::collection::vec(rule, 0..3)
}

fn logs() -> impl Strategy<Value = Log> {
    let verdict = (rules(), 0..3_usize, 0..2_usize);
    prop::collection::vec(verdict, 0..25).prop_map(|verdicts| {
        let entry = |(n, (rules, rater, kind)): (usize, (Vec<Rule>, usize, usize))| Entry {
            content_type: [Format::Blog, Format::Email][kind],
            ..entry(n, ["", "a", "b"][rater], &rules)
        };
        Log { verdicts: verdicts.into_iter().enumerate().map(entry).collect(), changes: Vec::new() }
    })
}

proptest! {
    #[test]
    fn a_verdict_that_is_deleted_leaves_no_trace(log in logs(), at in 0..25_usize) {
        prop_assume!(at < log.verdicts.len());
        let gone = log.verdicts[at].feedback_id;
        let mut without = log.clone();
        without.verdicts.remove(at);
        let bytes = |log: &Log| serde_json::to_string(&lessons(&business(), log)).unwrap();
        prop_assert!(!bytes(&without).contains(&gone.to_string()));
        prop_assert_eq!(bytes(&log), bytes(&log), "the same log makes the same bytes");
    }

    #[test]
    fn two_that_contradict_each_other_are_never_both_chosen(log in logs()) {
        use crate::choice::{MOST, Subject, chosen};
        let known = lessons(&business(), &log);
        let subject = Subject { content_type: Format::Blog, language: "en", names_length: false };
        let chosen = chosen(&known, subject, day(30));
        let slots: BTreeSet<_> = chosen.iter().map(|lesson| lesson.rule.slot()).collect();
        prop_assert!(slots.len() == chosen.len() && chosen.len() <= MOST, "{:?}", chosen);
        for known in &known {
            prop_assert!((0.0..=1.0).contains(&known.lesson.confidence));
            prop_assert!(known.lesson.evidence.len() >= known.lesson.support as usize);
        }
    }
}
