//! What learning was worth, as far as the log of verdicts can tell. How many texts were written without a verdict, and
//! what became of lessons, is not told here.
//!
//! Texts of replays count nowhere, and verdicts that contradict themselves are counted and used for nothing else. A
//! figure of fewer than 5 verdicts is not measured: it is null or a stated default, and a reason says so. Numbers are
//! rounded to four decimals, so that figures which are stored are the same when they are computed again.

mod series;
#[cfg(test)]
mod tests;
mod uplift;

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use copydesk_domain::feedback::{Basis, LearningStats, WeeklyScore};
use copydesk_domain::format::Format;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::series::Series;
pub use self::uplift::{Uplift, Uplifts};
use crate::calibration::{self, Calibrator, Pair};
use crate::interval;
use crate::log::{Entry, Log, is_contradictory};

/// A figure of fewer verdicts is not measured.
pub const MIN_VERDICTS: u64 = LearningStats::MIN_VERDICTS;
/// Raters that are listed: those with the most verdicts.
const RATERS: usize = 100;
/// Weeks with scores without which there is no trend.
const TREND_WEEKS: usize = 3;

/// What people thought of a business's texts, of one content type or of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// Texts with a verdict.
    pub verdicts: u64,
    /// Verdicts that say two opposite things, such as a 9 and not to be published. Nothing else counts them.
    pub contradictory: u64,
    /// Whether people would publish the texts.
    pub approval: Approval,
    /// People's scores, 0 to 10.
    pub scores: Series,
    /// Mean score by ISO week (its Monday), oldest first.
    pub weekly: Vec<WeeklyScore>,
    /// How scores change a week; null below 5 scores or 3 weeks.
    #[schema(required = true)]
    pub trend: Option<Trend>,
    /// How our estimates of the final texts compare with people's scores.
    pub reviewer: Reviewer,
    /// Texts that could use what was learned, against those that could not.
    pub uplift: Uplifts,
    /// The share of words that people changed before they published, 0 to 1.
    pub words_changed: Series,
    /// The share of the published text that a compressor cannot take from the draft, 0 to 1.
    pub compression: Series,
    /// Rounds of edits that changed a text, of texts that an editor read.
    pub rounds: Series,
    /// Who judged: at most 100, those with the most verdicts first.
    pub raters: Vec<Rater>,
}

/// Whether people would publish the texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// Whether the rate was measured.
    pub basis: Basis,
    /// Why it is the default, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Verdicts that said whether the text is approved.
    pub decided: u64,
    /// Verdicts that approved.
    pub approved: u64,
    /// `approved / decided`, or 0.5 by default.
    pub rate: f64,
    /// 95% Wilson interval of the rate; null without verdicts.
    #[schema(required = true)]
    pub interval: Option<[f64; 2]>,
}

/// How scores change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trend {
    /// Points a week.
    pub per_week: f64,
    /// Its 95% interval.
    pub interval: [f64; 2],
}

/// How our estimates of the final texts compare with people's scores: the last 200 of each content type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reviewer {
    /// Whether the figures were measured; null otherwise.
    pub basis: Basis,
    /// Why they are null, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Texts with both.
    pub compared: u64,
    /// Mean of (estimate − human score), in points.
    #[schema(required = true)]
    pub bias: Option<f64>,
    /// Mean absolute error of the estimates, in points.
    #[schema(required = true)]
    pub mae: Option<f64>,
    /// The same of the scores that were shown: each as it was corrected before its verdict was known.
    #[schema(required = true)]
    pub calibrated_mae: Option<f64>,
    /// Pearson's correlation; null without variance.
    #[schema(required = true)]
    pub pearson: Option<f64>,
    /// Spearman's correlation; null without variance.
    #[schema(required = true)]
    pub spearman: Option<f64>,
    /// What corrects the estimates, by content type.
    pub calibrators: Vec<CalibratorFigures>,
}

/// What corrects the estimates of a content type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CalibratorFigures {
    /// The content type.
    pub content_type: Format,
    /// Texts that it was fitted to.
    pub pairs: u64,
    /// `offset`, `line` or `isotonic`.
    pub method: String,
    /// Whether it is better than the estimates, and therefore used.
    pub is_adopted: bool,
    /// Its name; null where it is not used.
    #[schema(required = true)]
    pub name: Option<String>,
}

/// What one person thought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rater {
    /// The name that the client gave; empty for all without one.
    pub rater: String,
    /// Texts with a verdict.
    pub verdicts: u64,
    /// Mean score, 0 to 10; null below 5 scores.
    #[schema(required = true)]
    pub mean_score: Option<f64>,
    /// The share that they would publish; null below 5 verdicts that say so.
    #[schema(required = true)]
    pub approval_rate: Option<f64>,
}

/// The figures of one content type, or of all.
pub fn figures(log: &Log, of: Option<Format>) -> Figures {
    let is_of = |entry: &&Entry| of.is_none_or(|of| entry.content_type == of);
    let counted: Vec<_> = log.counted().filter(is_of).collect();
    let contradictory = log.judged().filter(is_of).filter(|entry| is_contradictory(entry)).count() as u64;
    let changed = |entry: &&Entry| entry.changed();
    let rounds = |entry: &&&Entry| entry.text.estimate.is_some();
    Figures {
        verdicts: counted.len() as u64 + contradictory,
        contradictory,
        approval: approval(&counted),
        scores: Series::of(counted.iter().filter_map(|entry| entry.human()), "scores")
            .or_default(LearningStats::DEFAULT_HUMAN_SCORE),
        weekly: weekly(&counted),
        trend: trend(&counted),
        reviewer: reviewer(&calibration::pairs(log), of),
        uplift: uplift::uplifts(&counted),
        words_changed: Series::of(
            counted.iter().filter_map(changed).map(|effort| effort.words_changed),
            "edited texts",
        ),
        compression: Series::of(counted.iter().filter_map(changed).map(|effort| effort.compression), "edited texts"),
        rounds: Series::of(counted.iter().filter(rounds).map(|entry| f64::from(entry.text.rounds)), "texts"),
        raters: raters(&counted),
    }
}

fn approval(counted: &[&Entry]) -> Approval {
    let (approved, decided) = approvals(counted);
    let reason = lacking(decided, "verdicts");
    Approval {
        basis: basis(reason.as_ref()),
        decided,
        approved,
        rate: match reason {
            None => rounded(approved as f64 / decided as f64),
            Some(_) => LearningStats::DEFAULT_APPROVAL_RATE,
        },
        reason,
        interval: interval::wilson(approved, decided).map(|ends| ends.map(rounded)),
    }
}

/// Verdicts that approved, and those that said whether they do.
fn approvals(counted: &[&Entry]) -> (u64, u64) {
    let decided = counted.iter().filter_map(|entry| entry.approved);
    decided.fold((0, 0), |(approved, decided), approves| (approved + u64::from(approves), decided + 1))
}

fn weekly(counted: &[&Entry]) -> Vec<WeeklyScore> {
    let mut weeks: BTreeMap<NaiveDate, (u64, f64)> = BTreeMap::new();
    for (week, score) in counted.iter().filter_map(|entry| Some((monday(entry), entry.human()?))) {
        let (scored, sum) = weeks.entry(week).or_default();
        *scored += 1;
        *sum += score;
    }
    let score = |(week, (scored, sum)): (NaiveDate, (u64, f64))| WeeklyScore {
        week,
        scored,
        mean_human_score: rounded(sum / scored as f64),
    };
    weeks.into_iter().map(score).collect()
}

/// The Monday of the verdict's week, in UTC.
fn monday(entry: &Entry) -> NaiveDate {
    let day = entry.at.date_naive();
    day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())).unwrap_or(day)
}

fn trend(counted: &[&Entry]) -> Option<Trend> {
    let point = |entry: &&Entry| Some((f64::from(monday(entry).num_days_from_ce()) / 7.0, entry.human()?));
    let points: Vec<_> = counted.iter().filter_map(point).collect();
    if (points.len() as u64) < MIN_VERDICTS || weekly(counted).len() < TREND_WEEKS {
        return None;
    }
    let (per_week, ends) = interval::slope(&points)?;
    Some(Trend { per_week: rounded(per_week), interval: ends.map(rounded) })
}

fn reviewer(pairs: &[Pair], of: Option<Format>) -> Reviewer {
    let kinds = || Format::ALL.iter().copied().filter(|kind| of.is_none_or(|of| of == *kind));
    let recent: Vec<_> = kinds().flat_map(|kind| calibration::recent_of(pairs, kind)).collect();
    let calibrators: Vec<_> = kinds()
        .map(|kind| (kind, Calibrator::fit(pairs, kind)))
        .filter(|(_, calibrator)| calibrator.pairs > 0 || calibrator.is_adopted() || of.is_some())
        .collect();
    let errors = calibrators.iter().filter_map(|(_, c)| Some(c.calibrated_error? * f64::from(c.pairs)));
    let calibrated_mae = errors.sum::<f64>() / recent.len() as f64;
    let reason = lacking(recent.len() as u64, "texts with both scores");
    let enough = |figure: Option<f64>| figure.filter(|_| reason.is_none()).map(rounded);
    let correlation = calibration::correlation(&recent);
    Reviewer {
        basis: basis(reason.as_ref()),
        compared: recent.len() as u64,
        bias: enough(calibration::bias(&recent)),
        mae: enough(calibration::mae(&recent)),
        calibrated_mae: enough(Some(calibrated_mae)),
        pearson: enough(correlation.map(|both| both.pearson)),
        spearman: enough(correlation.map(|both| both.spearman)),
        calibrators: calibrators.iter().map(|(kind, calibrator)| CalibratorFigures::of(*kind, calibrator)).collect(),
        reason,
    }
}

impl CalibratorFigures {
    fn of(content_type: Format, calibrator: &Calibrator) -> Self {
        Self {
            content_type,
            pairs: calibrator.pairs.into(),
            method: calibrator.method().to_owned(),
            is_adopted: calibrator.is_adopted(),
            name: calibrator.name(),
        }
    }
}

fn raters(counted: &[&Entry]) -> Vec<Rater> {
    let mut by_name: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in counted {
        by_name.entry(&entry.rater).or_default().push(entry);
    }
    let mut raters: Vec<_> = by_name.into_iter().map(|(name, entries)| Rater::of(name, &entries)).collect();
    // Stable: those of as many verdicts stay in the order of their names.
    raters.sort_by_key(|rater| std::cmp::Reverse(rater.verdicts));
    raters.truncate(RATERS);
    raters
}

impl Rater {
    fn of(name: &str, entries: &[&Entry]) -> Self {
        let (approved, decided) = approvals(entries);
        Self {
            rater: name.to_owned(),
            verdicts: entries.len() as u64,
            mean_score: Series::of(entries.iter().filter_map(|entry| entry.human()), "scores").mean,
            approval_rate: (decided >= MIN_VERDICTS).then(|| rounded(approved as f64 / decided as f64)),
        }
    }
}

/// Why a figure of `n` is not measured, if it is not.
fn lacking(n: u64, what: &str) -> Option<String> {
    (n < MIN_VERDICTS).then(|| format!("{n} of the {MIN_VERDICTS} {what} that a measurement needs"))
}

fn basis(reason: Option<&String>) -> Basis {
    if reason.is_some() { Basis::Default } else { Basis::Measured }
}

/// Four decimals, and 0 without a sign.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4 + 0.0
}
