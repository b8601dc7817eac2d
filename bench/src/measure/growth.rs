//! Figures at several sizes, and their growth with the size.

use serde::Serialize;

use super::number;
use crate::table;

/// The growth of a figure over the last step of sizes: see [`Growth::of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Growth {
    Flat,
    Logarithmic,
    Linear,
    /// Faster than the size.
    Worse,
    /// A figure is missing.
    Unknown,
}

/// The factor up to which a figure counts as flat: two runs differ by as much.
const FLAT: f64 = 1.3;
/// The tolerance for logarithmic and linear growth, as a factor.
const LOGARITHM: f64 = 2.0;
const SIZE: f64 = 1.5;

impl Growth {
    /// The explanation of the names.
    pub(crate) const RULE: &str = "Growth is that of the last step of sizes alone: flat up to 1.3x, or by no more than the noise (20 us, 2 ms, 1 percent point, 2 a second); logarithmic up to 2x what the logarithm of the size grows (for a hundredfold from 10,000: 3x); linear up to 1.5x what the size grows; else worse.";

    /// The growth of a figure that was `before` at one size and `after` at the next one. Values
    /// below the noise count as the noise.
    fn of(sizes: (f64, f64), (before, after): (f64, f64), noise: f64) -> Self {
        if !before.is_finite() || !after.is_finite() {
            return Self::Unknown;
        }
        let factor = after / before.max(noise);
        if factor <= FLAT || after - before <= noise {
            Self::Flat
        } else if factor <= LOGARITHM * sizes.1.ln() / sizes.0.ln() {
            Self::Logarithmic
        } else if factor <= SIZE * sizes.1 / sizes.0 {
            Self::Linear
        } else {
            Self::Worse
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Logarithmic => "logarithmic",
            Self::Linear => "linear",
            Self::Worse => "worse",
            Self::Unknown => "unknown",
        }
    }
}

/// A figure at each size; NaN if it was not measured, infinite if the measurement did not finish.
#[derive(Debug, Clone, Serialize)]
struct Line {
    what: String,
    unit: &'static str,
    values: Vec<f64>,
    growth: Growth,
}

/// Figures at the same sizes: a table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Lines {
    /// The unit of the sizes.
    of: &'static str,
    sizes: Vec<usize>,
    lines: Vec<Line>,
}

impl Lines {
    pub(crate) fn new(of: &'static str, sizes: &[usize]) -> Self {
        Self { of, sizes: sizes.to_owned(), lines: Vec::new() }
    }

    /// Sets a line's figure at one of the sizes.
    pub(crate) fn add(&mut self, what: &str, unit: &'static str, size: usize, value: f64) {
        let Some(place) = self.sizes.iter().position(|&known| known == size) else { return };
        let at = self.lines.iter().position(|line| line.what == what && line.unit == unit).unwrap_or_else(|| {
            let values = vec![f64::NAN; self.sizes.len()];
            self.lines.push(Line { what: what.to_owned(), unit, values, growth: Growth::Unknown });
            self.lines.len() - 1
        });
        self.lines[at].values[place] = value;
        self.lines[at].growth = growth(&self.sizes, &self.lines[at]);
    }

    /// A figure; NaN if there is none.
    pub(crate) fn get(&self, what: &str, unit: &str, size: usize) -> f64 {
        let place = self.sizes.iter().position(|&known| known == size);
        let line = self.lines.iter().find(|line| line.what == what && line.unit == unit);
        line.zip(place).map_or(f64::NAN, |(line, place)| line.values[place])
    }

    /// As text.
    pub(crate) fn render(&self) -> String {
        let sizes: Vec<String> = self.sizes.iter().map(|&size| grouped(size)).collect();
        let head: Vec<&str> =
            [self.of].into_iter().chain(sizes.iter().map(String::as_str)).chain(["", "growth"]).collect();
        table::render(&head, &self.lines.iter().map(Line::cells).collect::<Vec<_>>())
    }
}

fn growth(sizes: &[usize], line: &Line) -> Growth {
    match (sizes, line.values.as_slice()) {
        ([.., n, m], [.., before, after]) => Growth::of((*n as f64, *m as f64), (*before, *after), noise(line.unit)),
        _ => Growth::Unknown,
    }
}

/// The difference between two equal measurements on a machine with other work.
fn noise(unit: &str) -> f64 {
    match unit {
        "us" => 20.0,
        "ms" | "/s" => 2.0,
        "%" => 1.0,
        _ => 0.0,
    }
}

impl Line {
    fn cells(&self) -> Vec<String> {
        let values = self.values.iter().map(|&value| match value {
            _ if value.is_nan() => "-".to_owned(),
            _ if value.is_infinite() => "never".to_owned(),
            _ => number(value),
        });
        let ends = [self.unit.to_owned(), self.growth.name().to_owned()];
        [self.what.clone()].into_iter().chain(values).chain(ends).collect()
    }
}

/// A number with commas between groups of three digits.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = (0..digits.len().div_ceil(3))
        .rev()
        .map(|group| {
            let end = digits.len() - 3 * group;
            &digits[end.saturating_sub(3)..end]
        })
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(before: f64, after: f64) -> Growth {
        Growth::of((10_000.0, 1_000_000.0), (before, after), noise("us"))
    }

    #[test]
    fn growth_is_named_by_the_last_step() {
        assert_eq!(named(100.0, 125.0), Growth::Flat);
        assert_eq!(named(1.0, 21.0), Growth::Flat, "the noise");
        assert_eq!(named(100.0, 150.0), Growth::Logarithmic);
        assert_eq!(named(100.0, 9_000.0), Growth::Linear);
        assert_eq!(named(100.0, 1_000_000.0), Growth::Worse);
        assert_eq!(named(100.0, f64::INFINITY), Growth::Unknown);
        let doubled = Growth::of((10.0, 20.0), (100.0, 200.0), 20.0);
        assert_eq!(doubled, Growth::Logarithmic, "a small step tells little");
    }

    #[test]
    fn a_table_has_a_column_a_size() {
        let mut lines = Lines::new("a call", &[10, 1_000, 100_000]);
        lines.add("push", "us", 10, 50.0);
        lines.add("push", "us", 1_000, 60.0);
        lines.add("push", "us", 100_000, 2_000.0);
        lines.add("raise", "us", 10, 5.0);
        let rendered = lines.render();
        assert!(rendered.starts_with("a call     10  1,000  100,000"), "{rendered}");
        assert!(rendered.contains("push    50.00  60.00     2000  us   linear"), "{rendered}");
        assert!(rendered.contains("raise    5.00      -        -  us  unknown"), "{rendered}");
        assert!(lines.get("raise", "us", 1_000).is_nan() && lines.get("push", "us", 1_000) == 60.0);
    }

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        assert_eq!([7, 1_000, 12_345, 1_000_000].map(grouped), ["7", "1,000", "12,345", "1,000,000"]);
    }
}
