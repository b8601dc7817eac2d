#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

use copydesk_domain::feedback::Effort;
use copydesk_domain::id::{FeedbackId, GenerationId};
use copydesk_domain::lesson::{Arm, Distilled};
use proptest::prelude::*;
use uuid::Uuid;

use crate::log::TextFacts;

/// A verdict of a day, from Monday 5 January 2026 on.
fn verdict(day: i64) -> Entry {
    Entry {
        feedback_id: FeedbackId(Uuid::from_u128(day.unsigned_abs().into())),
        generation_id: GenerationId(Uuid::from_u128(day.unsigned_abs().into())),
        at: "2026-01-05T12:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap() + chrono::Duration::days(day),
        content_type: Format::Blog,
        language: "en".to_owned(),
        rater: String::new(),
        approved: None,
        score: None,
        effort: None,
        distilled: Distilled::default(),
        text: TextFacts { arm: Arm::On, available: 1, estimate: None, used: Vec::new(), rounds: 0 },
    }
}

fn log(verdicts: impl IntoIterator<Item = Entry>) -> Log {
    Log { verdicts: verdicts.into_iter().collect(), changes: Vec::new() }
}

fn scored(day: i64, score: f64) -> Entry {
    Entry { score: Some(score), ..verdict(day) }
}

/// The same verdict on a text of an arm.
fn of_arm(arm: Arm, entry: Entry) -> Entry {
    Entry { text: TextFacts { arm, ..entry.text.clone() }, ..entry }
}

#[test]
fn without_verdicts_there_are_defaults_and_reasons() {
    let figures = figures(&Log::default(), None);
    assert_eq!((figures.scores.basis, figures.scores.mean, figures.scores.median), (Basis::Default, Some(7.0), None));
    assert_eq!((figures.approval.basis, figures.approval.rate, figures.approval.interval), (Basis::Default, 0.5, None));
    assert_eq!(figures.scores.reason.as_deref(), Some("0 of the 5 scores that a measurement needs"));
    assert_eq!((figures.reviewer.basis, figures.reviewer.bias), (Basis::Default, None));
    assert!(figures.uplift.score.reason.is_some() && figures.trend.is_none() && figures.raters.is_empty());
}

#[test]
fn scores_are_told_as_they_were_at_first_and_as_they_are() {
    let scores = |n: i64| figures(&log((0..n).map(|day| scored(day, (day % 10) as f64 / 2.0 + 3.0))), None).scores;
    let few = scores(4);
    assert_eq!((few.n, few.mean, few.median, few.first, few.last), (4, Some(7.0), None, None, None));
    // 3.0, 3.5, 4.0, 4.5, 5.0: of fewer than 20, the halves; the one in the middle is in neither.
    let five = scores(5);
    assert_eq!((five.mean, five.median, five.first, five.last), (Some(4.0), Some(4.0), Some(3.25), Some(4.75)));
    let rising = figures(&log((0..30).map(|day| scored(day, day as f64 / 3.0))), None).scores;
    assert_eq!((rising.first, rising.last, rising.median), (Some(1.5), Some(8.1667), Some(4.8333)));
}

#[test]
fn weeks_begin_on_mondays_and_have_a_trend() {
    let figures = figures(&log((0..28).map(|day| scored(day, 4.0 + (day / 7) as f64))), None);
    let weeks: Vec<_> = figures.weekly.iter().map(|week| (week.week.to_string(), week.scored)).collect();
    let mondays = ["2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26"];
    assert_eq!(weeks, mondays.map(|monday| (monday.to_owned(), 7)));
    assert_eq!(figures.weekly[3].mean_human_score, 7.0);
    let trend = figures.trend.unwrap();
    assert_eq!((trend.per_week, trend.interval), (1.0, [1.0, 1.0]));
    assert_eq!(super::figures(&log((0..14).map(|day| scored(day, 4.0))), None).trend, None);
}

#[test]
fn approval_has_a_rate_and_an_interval() {
    let approval =
        |n: i64| figures(&log((0..n).map(|day| Entry { approved: Some(day > 1), ..verdict(day) })), None).approval;
    let ten = approval(10);
    assert_eq!((ten.basis, ten.decided, ten.approved, ten.rate), (Basis::Measured, 10, 8, 0.8));
    assert_eq!(ten.interval, Some([0.4902, 0.9433]));
    assert_eq!((approval(4).rate, approval(4).basis), (0.5, Basis::Default));
}

#[test]
fn contradictory_verdicts_and_replays_count_for_nothing() {
    let plain: Vec<_> = (0..12).map(|day| Entry { approved: Some(true), ..scored(day, 6.0) }).collect();
    let mut disturbed = plain.clone();
    disturbed.push(Entry { approved: Some(false), ..scored(13, 9.0) });
    disturbed.push(Entry { approved: Some(true), rater: "x".to_owned(), ..scored(13, 2.0) });
    disturbed.extend((0..20).map(|day| of_arm(Arm::Replay, scored(day, 1.0))));
    let (plain, disturbed) = (figures(&log(plain), None), figures(&log(disturbed), None));
    assert_eq!((disturbed.verdicts, disturbed.contradictory), (14, 2));
    assert_eq!(Figures { verdicts: 12, contradictory: 0, ..disturbed }, plain);
}

/// With learning: 8s and 9s, approved. Without: 5s and 6s, half approved.
fn both_arms(n: i64) -> Vec<Entry> {
    let effort = |changed| Some(Effort { words_changed: changed, compression: changed / 2.0 });
    let on = |day| Entry { approved: Some(true), effort: effort(0.1), ..scored(day, 8.0 + (day % 2) as f64) };
    let off = |day| Entry {
        approved: Some(day % 2 == 0),
        effort: effort(0.4),
        ..of_arm(Arm::Off, scored(day, 5.0 + (day % 2) as f64))
    };
    (0..n).flat_map(|day| [on(day), off(day)]).collect()
}

#[test]
fn uplift_is_the_difference_of_the_arms() {
    let Uplifts { score, approval, words_changed, compression } = figures(&log(both_arms(40)), None).uplift;
    assert_eq!((score.on, score.off, score.n_on, score.n_off), (Some(8.5), Some(5.5), 40, 40));
    let [low, high] = score.interval.unwrap();
    assert!(score.difference == Some(3.0) && 2.5 < low && low < 3.0 && 3.0 < high && high < 3.5, "{score:?}");
    assert_eq!((approval.on, approval.off, approval.difference), (Some(1.0), Some(0.5), Some(0.5)));
    assert!(approval.interval.is_some_and(|[low, high]| 0.3 < low && high < 0.7), "{approval:?}");
    assert_eq!((words_changed.difference, words_changed.interval), (Some(-0.3), Some([-0.3, -0.3])));
    assert_eq!(compression.difference, Some(-0.15));
    assert_eq!((score.reason, approval.reason), (None, None));
}

#[test]
fn uplift_needs_both_arms_and_something_to_use() {
    let mut verdicts = both_arms(40);
    for entry in &mut verdicts {
        if entry.text.arm == Arm::Off && entry.at > verdict(3).at {
            entry.text.available = 0;
        }
    }
    let score = figures(&log(verdicts), None).uplift.score;
    assert_eq!((score.n_on, score.n_off, score.on, score.off), (40, 4, Some(8.5), None));
    assert_eq!((score.difference, score.interval), (None, None));
    assert_eq!(score.reason.as_deref(), Some("4 of the 5 texts without learning that a measurement needs"));
}

#[test]
fn the_reviewer_is_compared_with_people() {
    let entry = |day: i64| {
        let score = (day % 7) as f64 + 2.0;
        let text = TextFacts { estimate: Some(score + 1.0), rounds: 2, ..verdict(day).text };
        Entry { text, ..scored(day, score) }
    };
    let mut verdicts: Vec<_> = (0..40).map(entry).collect();
    verdicts.extend((0..6).map(|day| Entry { content_type: Format::Ad, ..entry(day) }));
    let of_blog = figures(&log(verdicts.clone()), Some(Format::Blog)).reviewer;
    assert_eq!((of_blog.compared, of_blog.bias, of_blog.mae), (40, Some(1.0), Some(1.0)));
    assert_eq!((of_blog.pearson, of_blog.spearman), (Some(1.0), Some(1.0)));
    assert!(of_blog.calibrated_mae.unwrap() < 0.3, "{of_blog:?}");
    let [calibrator] = of_blog.calibrators.as_slice() else { panic!("{of_blog:?}") };
    assert_eq!((calibrator.method.as_str(), calibrator.is_adopted, calibrator.pairs), ("isotonic", true, 40));
    verdicts.push(verdict(41));
    let of_all = figures(&log(verdicts.clone()), None);
    assert_eq!((of_all.reviewer.compared, of_all.rounds.mean, of_all.rounds.n), (46, Some(2.0), 46));
    let of_ads = figures(&log(verdicts), Some(Format::Ad)).reviewer;
    let mean = (of_blog.calibrated_mae.unwrap() * 40.0 + of_ads.calibrated_mae.unwrap() * 6.0) / 46.0;
    assert!((of_all.reviewer.calibrated_mae.unwrap() - mean).abs() < 1e-3);
}

#[test]
fn raters_are_told_apart() {
    let by = |rater: &str, n: i64, score: f64| {
        let rater = rater.to_owned();
        (0..n).map(move |day| Entry { rater: rater.clone(), approved: Some(score > 5.0), ..scored(day, score) })
    };
    let raters =
        figures(&log(by("", 5, 8.0).chain(by("b", 6, 4.0)).chain(by("a", 5, 9.0)).chain(by("c", 2, 1.0))), None).raters;
    let rows: Vec<_> = raters.iter().map(|r| (r.rater.as_str(), r.verdicts, r.mean_score, r.approval_rate)).collect();
    assert_eq!(
        rows,
        [
            ("b", 6, Some(4.0), Some(0.0)),
            ("", 5, Some(8.0), Some(1.0)),
            ("a", 5, Some(9.0), Some(1.0)),
            ("c", 2, None, None),
        ]
    );
    let crowd = (0..300).map(|i| Entry { rater: i.to_string(), ..scored(i, 5.0) });
    assert_eq!(figures(&log(crowd), None).raters.len(), RATERS);
}

fn hostile() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => 0.0..10.0_f64,
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e308, 1e308, -0.0, 1e-300]),
    ]
}

fn entries() -> impl Strategy<Value = Entry> {
    let arms = prop::sample::select(vec![Arm::On, Arm::Off, Arm::Replay]);
    let rest = (prop::option::of(hostile()), prop::option::of(any::<bool>()), 0..3_u16, "[a-c]?", -90..90_i64);
    let numbers = (prop::option::of(hostile()), prop::option::of((hostile(), hostile())));
    (arms, rest, numbers).prop_map(|(arm, (score, approved, available, rater, day), (estimate, effort))| Entry {
        score,
        approved,
        rater,
        effort: effort.map(|(words_changed, compression)| Effort { words_changed, compression }),
        text: TextFacts { arm, available, estimate, rounds: available, used: Vec::new() },
        ..verdict(day)
    })
}

/// Every number in a JSON value.
fn numbers(value: &serde_json::Value) -> Vec<f64> {
    match value {
        serde_json::Value::Number(number) => number.as_f64().into_iter().collect(),
        serde_json::Value::Array(values) => values.iter().flat_map(numbers).collect(),
        serde_json::Value::Object(fields) => fields.values().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn figures_are_numbers_and_read_back_the_same(verdicts in prop::collection::vec(entries(), 0..60)) {
        let log = log(verdicts);
        let figures = figures(&log, None);
        let stored = serde_json::to_value(&figures).unwrap();
        // What is no number becomes null in JSON, which no plain field reads.
        prop_assert_eq!(&serde_json::from_value::<Figures>(stored.clone()).unwrap(), &figures);
        for number in numbers(&stored) {
            prop_assert!((number * 1e4 - (number * 1e4).round()).abs() < 1e-6 * number.abs().max(1.0), "{number}");
            prop_assert!(number.abs() <= 100.0, "{number}");
        }
        prop_assert_eq!(super::figures(&log, None), figures);
    }
}
