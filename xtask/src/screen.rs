//! Output for the user. A closed terminal or pipe is not an error: processes must still be stopped,
//! so nothing here can fail or panic.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A line of progress.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A line of the result, on standard output.
pub(crate) fn output(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Announces a step that prints its own output.
pub(crate) fn heading(text: impl Display) {
    line(format_args!("\n── {text}"));
}

/// An error with its causes, on one line if they have no line breaks.
pub(crate) fn error(error: &anyhow::Error) {
    line(format_args!("error: {error:#}"));
}

/// A duration as text.
pub(crate) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

/// A step in progress: a spinner on a terminal, and one line with its duration when it is done.
#[derive(Debug)]
pub(crate) struct Step {
    spinner: ProgressBar,
    began: Instant,
}

impl Step {
    pub(crate) fn begin(doing: impl Display) -> Self {
        let spinner = ProgressBar::new_spinner().with_message(doing.to_string());
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}  {elapsed}") {
            spinner.set_style(style);
        }
        if std::io::stderr().is_terminal() {
            spinner.enable_steady_tick(Duration::from_millis(100));
        }
        Self { spinner, began: Instant::now() }
    }

    /// Shows the current action.
    pub(crate) fn now(&self, doing: impl Display) {
        self.spinner.set_message(doing.to_string());
    }

    pub(crate) fn done(self, what: impl Display) {
        self.spinner.finish_and_clear();
        line(format_args!("  ✓ {what}  {}", seconds(self.began.elapsed())));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.spinner.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(seconds(Duration::from_millis(840)), "0.8 s");
        assert_eq!(seconds(Duration::from_secs(59)), "59.0 s");
        assert_eq!(seconds(Duration::from_secs(187)), "3 min 07 s");
    }
}
