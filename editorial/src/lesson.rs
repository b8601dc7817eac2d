//! What people's feedback asks of texts: [`of_comment`] reads it in what they wrote, [`of_edit`] in what they changed,
//! and [`check`] tells whether another text follows it. [`effort`] tells how much they changed. Which of these rules
//! count is decided in `copydesk-learning`.

mod align;
mod check;
mod comment;
mod edit;
mod effort;
mod features;

pub use check::check;
pub use comment::{Judged, Read, note, of_comment};
pub use edit::of_edit;
pub use effort::effort;

/// A pattern, compiled at the first use.
macro_rules! pattern {
    ($name:ident, $pattern:expr) => {
        static $name: std::sync::LazyLock<regex::Regex> =
            std::sync::LazyLock::new(|| regex::Regex::new($pattern).expect("a pattern"));
    };
}
use pattern;
