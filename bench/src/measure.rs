//! Figures: the measurement of each round, the median, and the target.

pub(crate) mod growth;

use growth::{Growth, Lines};
use serde::Serialize;

use crate::table;

/// One figure over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Series {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) rounds: Vec<f64>,
}

/// A figure with a target.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Marked {
    what: String,
    value: f64,
    mark: Mark,
    met: bool,
}

/// A figure's target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mark {
    AtLeast(f64),
    AtMost(f64),
}

impl Mark {
    fn render(self) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {}", number(least)),
            Self::AtMost(most) => format!("≤ {}", number(most)),
        }
    }
}

/// All figures of one row of the benchmark.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Findings {
    name: &'static str,
    /// What was measured and how, and what is durable.
    about: &'static str,
    series: Vec<Series>,
    /// Figures at several sizes.
    tables: Vec<Lines>,
    /// Tables of what several runs came to.
    sheets: Vec<Sheet>,
    marks: Vec<Marked>,
    /// Measurements that were not possible, and why.
    notes: Vec<String>,
}

impl Findings {
    pub(crate) fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            series: Vec::new(),
            tables: Vec::new(),
            sheets: Vec::new(),
            marks: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a round's figure to its series.
    pub(crate) fn add(&mut self, what: &str, unit: &'static str, value: f64) {
        match self.series.iter_mut().find(|series| series.what == what) {
            Some(series) => series.rounds.push(value),
            None => self.series.push(Series { what: what.to_owned(), unit, rounds: vec![value] }),
        }
    }

    /// Adds figures at several sizes.
    pub(crate) fn table(&mut self, lines: Lines) {
        self.tables.push(lines);
    }

    /// Adds a table.
    pub(crate) fn sheet(&mut self, sheet: Sheet) {
        self.sheets.push(sheet);
    }

    /// Adds all that others found.
    pub(crate) fn merge(&mut self, other: Self) {
        self.series.extend(other.series);
        self.tables.extend(other.tables);
        self.sheets.extend(other.sheets);
        self.marks.extend(other.marks);
        other.notes.into_iter().for_each(|note| self.note(note));
    }

    /// The median of a series; NaN if there is none.
    pub(crate) fn median(&self, what: &str) -> f64 {
        let series = self.series.iter().find(|series| series.what == what);
        series.map_or(f64::NAN, |series| quantile(&mut series.rounds.clone(), 0.5))
    }

    /// Adds a note, once.
    pub(crate) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The figures with targets, as rows of a table.
    pub(crate) fn summary(&self) -> Vec<Vec<String>> {
        let marked = self.marks.iter().map(|marked| {
            let met = if marked.met { "met" } else { "MISSED" };
            [format!("{}: {}", self.name, marked.what), number(marked.value), marked.mark.render(), met.to_owned()]
        });
        marked.map(Vec::from).collect()
    }

    /// Whether every figure with a target has reached it.
    pub(crate) fn is_met(&self) -> bool {
        self.marks.iter().all(|marked| marked.met)
    }

    /// Adds a figure with its target.
    pub(crate) fn mark(&mut self, what: &str, value: f64, mark: Mark) {
        let met = match mark {
            Mark::AtLeast(least) => value >= least,
            Mark::AtMost(most) => value <= most,
        };
        self.marks.push(Marked { what: what.to_owned(), value, mark, met });
    }

    /// As text.
    pub(crate) fn render(&self) -> String {
        let series: Vec<Vec<String>> = self.series.iter().map(Series::cells).collect();
        let marks: Vec<Vec<String>> = self.marks.iter().map(Marked::cells).collect();
        let series =
            if series.is_empty() { String::new() } else { table::render(&["", "median", "", "rounds"], &series) };
        let tables: String = self.tables.iter().map(|lines| format!("{}\n", lines.render())).collect();
        let sheets: String = self.sheets.iter().map(Sheet::render).collect();
        let rule = if tables.is_empty() { String::new() } else { format!("{}\n\n", Growth::RULE) };
        let marks = if marks.is_empty() { String::new() } else { table::render(&["", "is", "mark", ""], &marks) };
        let notes: String = self.notes.iter().map(|note| format!("{note}\n")).collect();
        format!("── {}: {}\n\n{series}{tables}{sheets}{rule}\n{marks}{notes}", self.name, self.about)
    }
}

/// A table of what several runs came to: for people, with all that is known of each for programs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sheet {
    title: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    data: serde_json::Value,
}

impl Sheet {
    /// A row for each run.
    pub(crate) fn of<T: Serialize>(
        title: &str,
        head: &[&str],
        runs: &[T],
        cells: impl Fn(&T) -> Vec<String>,
    ) -> anyhow::Result<Self> {
        let head = head.iter().map(|cell| (*cell).to_owned()).collect();
        let rows = runs.iter().map(cells).collect();
        Ok(Self { title: title.to_owned(), head, rows, data: serde_json::to_value(runs)? })
    }

    fn render(&self) -> String {
        let head: Vec<&str> = self.head.iter().map(String::as_str).collect();
        format!("{}\n\n{}\n", self.title, table::render(&head, &self.rows))
    }
}

impl Series {
    fn cells(&self) -> Vec<String> {
        let rounds: Vec<String> = self.rounds.iter().map(|value| number(*value)).collect();
        let median = quantile(&mut self.rounds.clone(), 0.5);
        vec![self.what.clone(), number(median), self.unit.to_owned(), rounds.join("  ")]
    }
}

impl Marked {
    fn cells(&self) -> Vec<String> {
        let met = if self.met { "✓" } else { "✗" };
        vec![self.what.clone(), number(self.value), self.mark.render(), met.to_owned()]
    }
}

/// A number with a sensible precision: whole from 100 on.
fn number(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// The quantile at `share`. Sorts the values; NaN if there are none.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the values")]
    let index = (last as f64 * share).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

/// The mean; NaN if there are no values.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&mut [1.0, 2.0, 3.0, 4.0, 100.0], 0.99), 100.0);
        assert!(quantile(&mut [], 0.5).is_nan());
    }

    #[test]
    fn a_mark_is_met_or_not() {
        let mut findings = Findings::new("P0", "nothing");
        assert!(findings.is_met());
        for value in [1.0, 9.0, 2.0] {
            findings.add("speed", "/s", value);
        }
        findings.mark("enough", findings.median("speed"), Mark::AtLeast(2.0));
        findings.mark("little", findings.median("speed"), Mark::AtMost(1.0));
        assert_eq!(findings.marks.iter().map(|mark| mark.met).collect::<Vec<_>>(), [true, false]);
        assert!(!findings.is_met());
        assert!(findings.render().contains("≥ 2.00"));
        let summary = findings.summary();
        assert_eq!(summary[0], ["P0: enough", "2.00", "≥ 2.00", "met"]);
        assert_eq!(summary[1], ["P0: little", "2.00", "≤ 1.00", "MISSED"]);
    }
}
