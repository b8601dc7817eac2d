//! What the conditions came to: each figure beside its mark, the courses as tables, and the figure of the documents.

use serde::Serialize;

use super::calibration::{self, Errors};
use super::client::Reviewer;
use super::conditions::{AGES, Courses, Disagreed, Faded, Leaked, Poisoned};
use super::course::Round;
use super::figures::{by_round, by_seed, half_interval, mean, over, regret};
use super::plot::{self, Chart, Line};
use crate::measure::{Findings, Mark, Sheet};

const ABOUT: &str = "texts through the real API, queue and workers, judged by hidden raters who name one of the things \
    that are wrong in their own words; regret is how many of 8 preferences a text breaks; the simulator's writer follows \
    a lesson that it is told with p = 0.9";
/// Rounds at the beginning and at the end that are compared.
const LAST: usize = 20;

/// What was found under each condition that was run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Found {
    pub(super) off: Option<Courses>,
    pub(super) on: Option<Courses>,
    pub(super) p06: Option<Courses>,
    pub(super) shuffled: Option<Courses>,
    pub(super) flipped: Option<Courses>,
    pub(super) edits: Option<Courses>,
    pub(super) contradictory: Option<Vec<Disagreed>>,
    pub(super) poisoned: Option<Vec<Poisoned>>,
    pub(super) foreign: Option<Vec<Leaked>>,
    pub(super) decay: Option<Vec<Faded>>,
    pub(super) flattered: Option<Vec<(Reviewer, Vec<Round>)>>,
    #[serde(skip)]
    pub(super) calibration: Option<Errors>,
}

/// All of it, with the marks.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    seeds: u64,
    rounds: usize,
    findings: Findings,
    found: Found,
}

/// The courses that are shown round by round.
struct Shown<'a> {
    name: &'static str,
    courses: &'a Courses,
}

impl Report {
    pub(super) fn of(found: Found, seeds: u64, rounds: usize) -> Self {
        let mut findings = Findings::new("learn", ABOUT);
        found.mark_courses(&mut findings, rounds);
        found.mark_flipped(&mut findings, rounds);
        found.mark_people(&mut findings);
        found.mark_decay(&mut findings);
        found.mark_calibration(&mut findings);
        found.sheets(&mut findings, rounds);
        Self { seeds, rounds, findings, found }
    }

    pub(super) fn is_met(&self) -> bool {
        self.findings.is_met()
    }

    pub(super) fn render(&self) -> String {
        self.findings.render()
    }

    /// The figure of the documents; charts without data are empty.
    pub(super) fn plot(&self) -> String {
        let line = |name, class, courses: &Option<Courses>| {
            let points = courses.as_ref().map(|courses| by_round(courses, regret)).unwrap_or_default();
            Line { name, class, points }
        };
        let errors = self.found.calibration.as_ref();
        let errors = |of: usize| {
            let upto = |n| errors.map_or(f64::NAN, |errors| calibration::by(errors, n)[of]);
            (1..=calibration::TEXTS).map(|n| (upto(n), f64::NAN)).collect()
        };
        plot::svg(&[
            Chart {
                title: "What raters would have changed",
                below: "text of a business · broken preferences of 8, mean and 95% interval",
                most: 6.0,
                lines: vec![line("with learning", "with", &self.found.on), line("without", "without", &self.found.off)],
            },
            Chart {
                title: "How far scores are from people's",
                below: "texts with a verdict · mean absolute error in points so far",
                most: 2.0,
                lines: vec![
                    Line { name: "calibrated", class: "with", points: errors(1) },
                    Line { name: "the editor's own", class: "without", points: errors(0) },
                ],
            },
        ])
    }
}

impl Found {
    fn shown(&self) -> Vec<Shown<'_>> {
        let all = [
            ("off", &self.off),
            ("on", &self.on),
            ("p06", &self.p06),
            ("shuffled", &self.shuffled),
            ("flipped", &self.flipped),
            ("edits", &self.edits),
        ];
        all.into_iter().filter_map(|(name, courses)| Some(Shown { name, courses: courses.as_ref()? })).collect()
    }

    /// Regret at the end, with learning and without.
    fn mark_courses(&self, findings: &mut Findings, rounds: usize) {
        let end = LAST.min(rounds / 3);
        let last = rounds - end..rounds;
        if let (Some(off), Some(on)) = (&self.off, &self.on) {
            let share = over(on, last.clone(), regret) / over(off, last.clone(), regret);
            findings.mark("regret of the last 20 rounds, of off", share, Mark::AtMost(0.5));
        }
        if let (Some(off), Some(p06)) = (&self.off, &self.p06) {
            let share = over(p06, last.clone(), regret) / over(off, last.clone(), regret);
            findings
                .note(format!("where 6 lessons in 10 are followed, regret of the last 20 rounds is {share:.2} of off"));
        }
        if let (Some(off), Some(shuffled)) = (&self.off, &self.shuffled) {
            let gains = by_seed(off, last.clone(), regret).into_iter().zip(by_seed(shuffled, last.clone(), regret));
            let gains: Vec<f64> = gains.map(|(off, shuffled)| off - shuffled).collect();
            let (gain, half) = (mean(gains.iter().copied()), half_interval(&gains));
            findings.note(format!("shuffled feedback gains {gain:.2} ± {half:.2} of regret in the last 20 rounds"));
            findings.mark("gain by shuffled feedback, of its 95% interval", gain.abs() / half, Mark::AtMost(1.0));
        }
        if let Some(edits) = &self.edits {
            let effort = |round: &Round| round.effort.unwrap_or(f64::NAN);
            let share = over(edits, last, effort) / over(edits, 0..end, effort);
            findings.mark("edit effort of the last 20 rounds, of the first 20", share, Mark::AtMost(0.6));
        }
        if let Some(on) = &self.on {
            let told = |of: fn(&Round) -> usize| on.iter().flatten().map(of).sum::<usize>() as f64;
            let share = told(|round| round.followed) / told(|round| round.checked);
            findings.note(format!("{share:.2} of the lessons that a text was written with are followed in it"));
        }
    }

    /// Preferences that turned at half time: recovered within 15 rounds.
    fn mark_flipped(&self, findings: &mut Findings, rounds: usize) {
        let Some(flipped) = &self.flipped else { return };
        let (half, quarter) = (rounds / 2, rounds / 4);
        let before = over(flipped, quarter..half, regret);
        let after = over(flipped, half + quarter..rounds, regret);
        let by_before = after - before;
        // Texts without learning, held against the opposites.
        let off = self.off.as_ref().map(|off| over(off, half + quarter..rounds, |round| round.regret_flipped as f64));
        let share = off.map_or(f64::NAN, |off| after / off);
        let told = format!("flipped: {before:.2} before, {after:.2} from 15 rounds after, {share:.2} of off");
        findings.note(told);
        match by_before <= 0.5 {
            true => findings.mark("flipped: regret from 15 rounds after, over before", by_before, Mark::AtMost(0.5)),
            false => findings.mark("flipped: regret from 15 rounds after, of off", share, Mark::AtMost(0.5)),
        }
    }

    /// Raters who disagree, who mean harm, and who are somebody else's.
    fn mark_people(&self, findings: &mut Findings) {
        if let Some(disagreed) = &self.contradictory {
            let sum = |of: fn(&Disagreed) -> usize| disagreed.iter().map(of).sum::<usize>() as f64;
            let (contested, conflicted) = (sum(|one| one.contested), sum(|one| one.conflicted));
            findings.mark(
                "contradictory: things that both asked for twice",
                contested,
                Mark::AtLeast(disagreed.len() as f64),
            );
            findings.mark("contradictory: of these, conflicted", conflicted / contested, Mark::AtLeast(1.0));
            findings.mark("contradictory: of these, in use", sum(|one| one.active), Mark::AtMost(0.0));
        }
        if let Some(poisoned) = &self.poisoned {
            let sum = |of: fn(&Poisoned) -> usize| poisoned.iter().map(of).sum::<usize>() as f64;
            let (before, moved) = (sum(|one| one.before), sum(|one| one.moved));
            findings.mark("poisoned: lessons in use before", before, Mark::AtLeast(poisoned.len() as f64));
            findings.mark("poisoned: of these, moved", moved, Mark::AtMost(0.0));
            findings.mark("poisoned: of these, reworded", sum(|one| one.reworded.len()), Mark::AtMost(0.0));
            findings.mark("poisoned: lessons gained", sum(|one| one.gained.len()), Mark::AtMost(0.0));
            let worse = mean(poisoned.iter().map(|one| one.regret_meanwhile - one.regret_before));
            findings.note(format!("a poisoner's 20 rounds cost {worse:.2} of regret each over the 20 before"));
        }
        if let Some(leaked) = &self.foreign {
            let sum = |of: fn(&Leaked) -> usize| leaked.iter().map(of).sum::<usize>() as f64;
            findings.mark(
                "foreign: bytes in another business's prompts",
                sum(|one| one.foreign_bytes),
                Mark::AtMost(0.0),
            );
            findings.mark("foreign: bytes in its own", sum(|one| one.own_bytes), Mark::AtLeast(1.0));
        }
    }

    /// What is left of old verdicts.
    fn mark_decay(&self, findings: &mut Findings) {
        let Some(faded) = &self.decay else { return };
        let at = |age: usize| faded.iter().filter_map(|one| one.active.get(age)).sum::<usize>() as f64;
        let sure = |age: usize| mean(faded.iter().filter_map(|one| one.confidence.get(age).copied()));
        let told =
            AGES.iter().enumerate().map(|(age, days)| format!("{} and {:.2} at {days} days", at(age), sure(age)));
        findings.note(format!("lessons in use, and their confidence: {}", told.collect::<Vec<_>>().join(", ")));
        let is_falling = (1..AGES.len()).all(|age| at(age) <= at(age - 1) && sure(age) < sure(age - 1));
        findings.mark("decay: ages at which confidence falls", f64::from(u8::from(is_falling)), Mark::AtLeast(1.0));
        findings.mark("decay: lessons in use at first", at(0), Mark::AtLeast(faded.len() as f64));
        findings.mark("decay: of these, at 400 days", at(3) / at(0), Mark::AtMost(0.1));
        let used = faded.iter().map(|one| one.used_last).sum::<usize>() as f64;
        findings.mark("decay: lessons that texts are written with at 400 days", used / at(0), Mark::AtMost(0.1));
        let [even, old] = [0, 1].map(|of| mean(faded.iter().map(|one| one.first_half[of])));
        findings.note(format!(
            "{even:.2} of the examples are of the first half of the texts, {old:.2} once it is 400 days older"
        ));
        findings.mark("decay: examples of texts that got 400 days older, of before", old / even, Mark::AtMost(0.5));
    }

    /// The editor's scores against people's: of pairs that are drawn, and of the real ones.
    fn mark_calibration(&self, findings: &mut Findings) {
        if let Some(errors) = &self.calibration {
            let [raw, shown] = calibration::by(errors, calibration::TEXTS);
            findings.note(format!(
                "drawn pairs: error {raw:.2} of the editor, {shown:.2} as shown, over the first 40 texts"
            ));
            findings.mark("calibration: error of the first 40 texts, of raw", shown / raw, Mark::AtMost(0.6));
            let [raw, shown] = calibration::by(errors, calibration::FEW);
            findings.mark("calibration: error of the first 5 texts, over raw", shown - raw, Mark::AtMost(0.1));
            // What is promised holds to the last bit but one.
            let worst = (calibration::worst(errors, calibration::FEW) * 1e9).round() / 1e9;
            findings.mark("calibration: the same of the worst rater of 1,000", worst, Mark::AtMost(0.1));
        }
        if let Some(flattered) = &self.flattered {
            let told = |of: fn(&Reviewer) -> Option<f64>| mean(flattered.iter().filter_map(|(one, _)| of(one)));
            let compared = flattered.iter().map(|(one, _)| one.compared).sum::<u64>();
            let (raw, shown) = (told(|one| one.mae), told(|one| one.calibrated_mae));
            findings.note(format!(
                "through the API: error {raw:.2} of the editor, {shown:.2} as shown, over {compared} texts"
            ));
            findings.mark("calibration through the API: error, of raw", shown / raw, Mark::AtMost(0.8));
        }
        if let Some(on) = &self.on {
            let pairs = on.iter().flatten().filter_map(|round| Some((round.score, round.estimate?, round.calibrated)));
            let pairs: Vec<_> = pairs.collect();
            let raw = mean(pairs.iter().map(|(human, estimate, _)| (estimate - human).abs()));
            let shown = mean(pairs.iter().map(|(human, estimate, shown)| (shown.unwrap_or(*estimate) - human).abs()));
            findings
                .note(format!("on: error {raw:.2} of the estimates, {shown:.2} as shown, over {} texts", pairs.len()));
        }
    }

    /// Regret by rounds, and what is broken most.
    fn sheets(&self, findings: &mut Findings, rounds: usize) {
        let shown = self.shown();
        let spans: Vec<_> = (0..6).map(|part| rounds * part / 6..rounds * (part + 1) / 6).collect();
        let head: Vec<String> = spans.iter().map(|span| format!("{}–{}", span.start + 1, span.end)).collect();
        let head: Vec<&str> = ["mean regret of rounds"].into_iter().chain(head.iter().map(String::as_str)).collect();
        let rows: Vec<(&str, Vec<f64>)> = shown
            .iter()
            .map(|shown| (shown.name, spans.iter().map(|span| over(shown.courses, span.clone(), regret)).collect()))
            .collect();
        let cells = |(name, means): &(&str, Vec<f64>)| {
            let means = means.iter().map(|mean| format!("{mean:.2}"));
            std::iter::once((*name).to_owned()).chain(means).collect()
        };
        if let Ok(sheet) = Sheet::of("regret", &head, &rows, cells) {
            findings.sheet(sheet);
        }
    }
}
