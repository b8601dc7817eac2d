//! What a text does that nobody asked it to do: how it opens, whom it speaks to, which marks it likes. Drawn for each
//! text; a wish outweighs it.

use rand::RngExt;

use super::material;
use super::wishes::Wishes;
use crate::prompt::Format;
use crate::reading::Mark;
use crate::seed::Rng;
use crate::shape;

/// How often a text has each trait.
const OFTEN: f64 = 0.5;
/// A thread's line of more characters takes no further marks: it would get too long.
const MARKED_CHARS: usize = 250;
const EMOJI: [&str; 6] = ["🙂", "🌱", "🚀", "💡", "✨", "👋"];
/// What begins a line that is no prose, or whose length is limited.
const LABELS: [&str; 10] =
    ["#", "- ", "> ", "|", "`", "Subject:", "Preheader:", "Headline:", "VISUAL:", "FOR IMMEDIATE"];

/// The traits of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) we: bool,
    pub(super) you: bool,
    pub(super) list: bool,
    pub(super) call: bool,
    /// How it opens.
    pub(super) question: bool,
    pub(super) figure: bool,
    em_dash: bool,
    emoji: bool,
}

impl Manner {
    /// Draws a text's manner, as far as no wish is about it.
    pub(super) fn drawn(wishes: &Wishes, rng: &mut Rng) -> Self {
        let mut draw = |wish: Option<bool>, share| {
            let mood = rng.random_bool(share);
            wish.unwrap_or(mood)
        };
        Self {
            we: draw(wishes.we, OFTEN),
            you: draw(wishes.you, OFTEN),
            list: draw(wishes.lists, OFTEN),
            call: draw(wishes.call_to_action, OFTEN),
            question: draw(wishes.question, OFTEN),
            figure: draw(wishes.figure, OFTEN),
            em_dash: draw(wishes.mark(Mark::EmDash), OFTEN),
            emoji: draw(wishes.mark(Mark::Emoji), OFTEN),
        }
    }

    /// The text with the marks that it likes, and without those that must not occur.
    pub(super) fn marked(self, text: String, wishes: &Wishes, format: Option<Format>, rng: &mut Rng) -> String {
        let emoji = EMOJI[rng.random_range(0..EMOJI.len())];
        let mut text = without(text, wishes);
        // Every character of an ad is counted.
        if format == Some(Format::Ad) {
            return text;
        }
        let wants = |mark| wishes.mark(mark) == Some(true);
        let most = if format == Some(Format::Thread) { MARKED_CHARS } else { usize::MAX };
        let reworded = |text, change: &dyn Fn(&str) -> Option<String>| reworded(text, most, change);
        if wants(Mark::Exclamation) && !text.contains('!') {
            text = reworded(text, &|sentence| Some(format!("{sentence}!")));
        }
        if wants(Mark::Semicolon) && !text.contains(';') {
            text = reworded(text, &|sentence| Some(format!("{sentence}; it pays off.")));
        }
        if wants(Mark::Ellipsis) && !text.contains('…') {
            text = reworded(text, &|sentence| Some(format!("{sentence}…")));
        }
        // A release's first line has a dash already.
        let is_dashed = text.contains('—') && format != Some(Format::PressRelease);
        if self.em_dash && !is_dashed {
            text = reworded(text, &dashed);
        }
        if self.emoji {
            text = reworded(text, &|sentence| Some(format!("{sentence}. {emoji}")));
        }
        text
    }
}

/// The text without the marks that wishes leave out.
fn without(text: String, wishes: &Wishes) -> String {
    let out = wishes.marks.iter().filter(|(_, wanted)| !wanted);
    out.fold(text, |text, (mark, _)| unmarked(&text, *mark).unwrap_or(text))
}

/// The text without a mark; `None` where it cannot be left out by itself. What a format asks for stays.
pub(super) fn unmarked(text: &str, mark: Mark) -> Option<String> {
    let line = |line: &str| match mark {
        Mark::Exclamation => line.replace('!', "."),
        Mark::EmDash if shape::is_dateline(line) => line.to_owned(),
        Mark::EmDash => line.replace(" — ", ", ").replace('—', ", "),
        Mark::Semicolon => line.replace(';', ","),
        Mark::Ellipsis => line.replace('…', ".").replace("...", "."),
        Mark::Emoji | Mark::Hashtag => {
            EMOJI.iter().fold(line.to_owned(), |line, emoji| line.replace(&format!(" {emoji}"), ""))
        }
    };
    (mark != Mark::Hashtag).then(|| text.lines().map(line).collect::<Vec<_>>().join("\n"))
}

/// `A, b.` as `A — b.`, and a sentence without a comma with something behind it.
fn dashed(sentence: &str) -> Option<String> {
    let is_free = !sentence.contains('—');
    is_free.then(|| match sentence.split_once(", ") {
        Some((before, behind)) => format!("{before} — {behind}."),
        None => format!("{sentence} — step by step."),
    })
}

/// The text with the first sentence changed that takes a change, which gets it without its full stop. Quotations and
/// cited sentences stay as they are, and lines of more characters than `most`.
fn reworded(text: String, most: usize, change: &dyn Fn(&str) -> Option<String>) -> String {
    let is_prose = |line: &&str| {
        line.chars().count() <= most && !LABELS.iter().any(|label| line.starts_with(label)) && line.ends_with('.')
    };
    let changed = text.lines().filter(is_prose).find_map(|line| {
        material::split(line).into_iter().find_map(|sentence| {
            let bare = sentence.strip_suffix('.').filter(|bare| shape::words(bare) >= 4)?;
            let is_own = !sentence.contains(['[', '“', '"']) && !shape::is_dateline(&sentence);
            let new = change(bare).filter(|_| is_own)?;
            Some((line.to_owned(), line.replacen(sentence.as_str(), &new, 1)))
        })
    });
    match changed {
        Some((line, new)) => text.replacen(&line, &new, 1),
        None => text,
    }
}
