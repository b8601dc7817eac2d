//! The figure of the documents: regret by round with learning and without, and errors of scores with calibration and
//! without. Drawn as SVG that follows the reader's light or dark.

use std::fmt::Write as _;

/// A line with its name, its class of colour, and half of its band's height at each point.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) class: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// One of the charts.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) below: &'a str,
    /// The top of the scale.
    pub(super) most: f64,
    pub(super) lines: Vec<Line<'a>>,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 320.0;
/// A chart's plot: its width and height, and where the first begins.
const PLOT: (f64, f64) = (340.0, 200.0);
const LEFT: f64 = 48.0;
const TOP: f64 = 62.0;
const APART: f64 = 84.0;
const GRID: usize = 4;
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#1f2328}.small{font-size:11px;fill:#59636e}\
    .title{font-weight:600;font-size:14px}.grid{stroke:#d1d9e0;stroke-width:1}\
    .line{fill:none;stroke-width:2.25;stroke-linejoin:round}.band{stroke:none;opacity:.16}\
    .with{stroke:#0969da}.band.with,text.with{fill:#0969da}.without{stroke:#bc4c00}.band.without,text.without{fill:#bc4c00}\
    text.with,text.without{stroke:none;font-weight:600}\
    @media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}.grid{stroke:#3d444d}\
    .with{stroke:#4493f8}.band.with,text.with{fill:#4493f8}.without{stroke:#f0883e}\
    .band.without,text.without{fill:#f0883e}.band{opacity:.24}}";

/// The charts side by side.
pub(super) fn svg(charts: &[Chart<'_>]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{}\"><style>{STYLE}</style>\n",
        charts.iter().map(|chart| chart.title).collect::<Vec<_>>().join("; ")
    );
    for (at, chart) in charts.iter().enumerate() {
        let left = LEFT + at as f64 * (PLOT.0 + APART);
        // Writing to a string does not fail.
        let _ = writeln!(svg, "<g transform=\"translate({left} {TOP})\">{}</g>", chart.drawn());
    }
    svg.push_str("</svg>\n");
    svg
}

impl Chart<'_> {
    fn drawn(&self) -> String {
        let (width, height) = PLOT;
        let mut drawn = format!("<text class=\"title\" x=\"0\" y=\"-40\">{}</text>", self.title);
        for step in 0..=GRID {
            let share = step as f64 / GRID as f64;
            let (y, value) = (height * (1.0 - share), self.most * share);
            let _ = write!(
                drawn,
                "<path class=\"grid\" d=\"M0 {y:.1}H{width}\"/><text class=\"small\" x=\"-8\" y=\"{:.1}\" \
                 text-anchor=\"end\">{}</text>",
                y + 4.0,
                (value * 100.0).round() / 100.0
            );
        }
        let count = self.lines.iter().map(|line| line.points.len()).max().unwrap_or(0);
        for n in [1, count / 2, count] {
            let x = self.x(n.saturating_sub(1), count);
            let _ = write!(
                drawn,
                "<text class=\"small\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{n}</text>",
                height + 18.0
            );
        }
        let _ = write!(
            drawn,
            "<text class=\"small\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            width / 2.0,
            height + 38.0,
            self.below
        );
        for (at, line) in self.lines.iter().enumerate() {
            let _ = write!(
                drawn,
                "<path class=\"band {class}\" d=\"{}\"/><path class=\"line {class}\" d=\"{}\"/>\
                 <text class=\"{class}\" x=\"{}\" y=\"-18\">{}</text>",
                self.band(line),
                self.path(line.points.iter().map(|(value, _)| *value).enumerate(), count),
                at as f64 * width / 2.0,
                line.name,
                class = line.class,
            );
        }
        drawn
    }

    fn band(&self, line: &Line<'_>) -> String {
        let count = line.points.len();
        let half = |half: f64| if half.is_finite() { half } else { 0.0 };
        let upper = line.points.iter().map(|(value, by)| value + half(*by)).enumerate();
        let lower = line.points.iter().map(|(value, by)| value - half(*by)).enumerate().rev();
        format!("{}Z", self.path(upper.chain(lower), count))
    }

    fn path(&self, points: impl Iterator<Item = (usize, f64)>, count: usize) -> String {
        let place = |(at, value): (usize, f64)| {
            let y = PLOT.1 * (1.0 - (value / self.most).clamp(0.0, 1.0));
            format!("{:.1} {y:.1}", self.x(at, count))
        };
        format!("M{}", points.map(place).collect::<Vec<_>>().join("L"))
    }

    fn x(&self, at: usize, count: usize) -> f64 {
        PLOT.0 * at as f64 / count.saturating_sub(1).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_inside_of_its_chart() {
        let line = |class| Line { name: "a", class, points: vec![(9.0, 2.0), (0.5, f64::NAN), (-1.0, 0.1)] };
        let chart = Chart { title: "Regret", below: "round", most: 4.0, lines: vec![line("with"), line("without")] };
        let svg = svg(&[chart]);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
        assert!(svg.contains("d=\"M0.0 0.0L170.0 175.0L340.0 200.0\""), "{svg}");
    }
}
