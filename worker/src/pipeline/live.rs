//! A text as those who follow its job see it grow: no more of an answer than would pass as a text by
//! itself, sentence by sentence. What becomes of the answer is [`super::writing`]'s.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use copydesk_common::draft::Piece;
use copydesk_domain::stage::Stage;
use copydesk_editorial::answer;
use copydesk_editorial::text::sentence;

use super::calls::Listener;
use super::reading::Reader;
use crate::broadcast::Audience;

/// An answer is looked at no more often: a look takes as long as the check of a whole text.
const EVERY: Duration = Duration::from_millis(150);

/// An answer under way.
pub(super) struct Live<'a> {
    reader: &'a Reader<'a>,
    audience: Audience,
    stage: Stage,
    round: u16,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The answer so far.
    answer: String,
    /// What is seen now.
    shown: String,
    /// Whether that is the beginning of this answer, not of an earlier one.
    is_current: bool,
    looked_at: Option<Instant>,
}

impl<'a> Live<'a> {
    /// Shows nothing yet.
    pub(super) fn new(reader: &'a Reader<'a>, audience: Audience, stage: Stage, round: u16) -> Self {
        Self { reader, audience, stage, round, state: Mutex::default() }
    }

    /// The answer is this text.
    pub(super) fn accepted(&self, text: &str) {
        self.show(&mut self.state(), text);
    }

    /// The answer is of no use: takes back what was shown.
    pub(super) fn discarded(&self) {
        let mut state = self.state();
        state.is_current = false;
        self.show(&mut state, "");
    }

    /// Shows the text: what is missing of it, or all of it anew.
    fn show(&self, state: &mut State, text: &str) {
        let more = text.strip_prefix(state.shown.as_str()).filter(|_| state.is_current);
        let (reset, piece) = more.map_or((true, text), |more| (state.shown.is_empty(), more));
        if state.shown != text {
            self.audience.show(Piece { stage: self.stage, round: self.round, reset, text: piece.to_owned() });
            text.clone_into(&mut state.shown);
        }
        state.is_current = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Live<'_> {
    fn begin(&self) {
        let mut state = self.state();
        state.answer.clear();
        state.is_current = false;
        state.looked_at = None;
    }

    fn push(&self, piece: &str) {
        let mut state = self.state();
        state.answer.push_str(piece);
        if state.looked_at.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        state.looked_at = Some(Instant::now());
        let Some(visible) = self.reader.read_unfinished(&state.answer) else { return };
        // An answer of no use is mostly known by its first words.
        if !has_paragraph(&visible) {
            return;
        }
        let visible = sentence::without_last(&visible);
        // Where the beginning reads otherwise by now, the whole will tell.
        if visible.starts_with(&state.shown) || !(state.is_current || visible.is_empty()) {
            self.show(&mut state, visible);
        }
    }
}

/// Whether a first paragraph is finished: another one has begun behind it.
fn has_paragraph(text: &str) -> bool {
    let Some((finished, _)) = text.rsplit_once("\n\n") else { return false };
    finished.split("\n\n").any(|block| sentence::ended(block).any(|sentence| !answer::is_empty(sentence)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use copydesk_domain::format::Format;

    use super::*;
    use crate::pipeline::brief::tests::brief;
    use crate::pipeline::prompt::Task;
    use crate::provider::window::Window;

    const FIRST: &str = "# Scans read twice\n\nEvery scan is read by a model and by a radiologist, one after the other.\n\n\
                         Results arrive within";
    const OTHER: &str = "# Two readers\n\nA model and a radiologist both look at every scan that we take of you.\n\n\
                         They tell you";

    /// What followers see after each of these answers' calls.
    fn seen(after: impl FnOnce(&Live<'_>)) -> Option<Piece> {
        let brief = brief(Format::Blog);
        let task = Task::new(&brief, &[], &[], false);
        let window = Window { model: "m".into(), tokens: 131_072 };
        let prompt = task.prompt(Stage::Draft, &window, 2_000).unwrap();
        let reader = Reader::of(&task, &prompt);
        let (audience, sent) = Audience::of_test();
        let live = Live::new(&reader, audience, Stage::Draft, 0);
        live.begin();
        live.push(FIRST);
        assert_eq!(
            sent().unwrap().text,
            "# Scans read twice\n\nEvery scan is read by a model and by a radiologist, one after the other."
        );
        after(&live);
        sent()
    }

    #[test]
    fn nothing_is_seen_of_a_plan_and_the_text_from_its_beginning() {
        let brief = brief(Format::Blog);
        let task = Task { plan: true, ..Task::new(&brief, &[], &[], false) };
        let window = Window { model: "m".into(), tokens: 131_072 };
        let prompt = task.prompt(Stage::Draft, &window, 2_000).unwrap();
        let reader = Reader::of(&task, &prompt);
        let plan = "Why two readers help every patient of ours. They do. [1]\nWhat it costs us all. It is little. [2]";
        // The opening tag is forgotten too.
        for open in ["<plan>\n", ""] {
            let answer = format!("{open}{plan}\n</plan>\n\n{FIRST} two hours. So");
            for end in 0..=answer.len() {
                let (audience, sent) = Audience::of_test();
                let live = Live::new(&reader, audience, Stage::Draft, 0);
                live.begin();
                live.push(&answer[..end]);
                let seen = sent().map(|piece| piece.text).unwrap_or_default();
                assert!(FIRST.starts_with(&seen) || seen == format!("{FIRST} two hours."), "{end}: {seen}");
                assert!(end < answer.len() || seen.starts_with("# Scans read twice"), "{seen}");
            }
        }
    }

    #[test]
    fn nothing_is_seen_before_the_first_paragraph_is_finished() {
        let of = "Every scan is read by a model and by a radiologist, one after the other.";
        for begun in ["# Title\n\n", of, &format!("# Title\n\n{of} Results"), &format!("Subject: Scans\n\nHi!\n\n{of}")]
        {
            assert!(!has_paragraph(begun), "{begun}");
        }
        for finished in [format!("{of}\n\nR"), format!("Subject: Scans\n\nHi!\n\n{of} Results.\n\n#")] {
            assert!(has_paragraph(&finished), "{finished}");
        }
    }

    #[test]
    fn the_answer_of_another_call_takes_the_place_of_what_was_seen() {
        let piece = seen(|live| {
            live.begin();
            live.push(OTHER);
        });
        let piece = piece.unwrap();
        assert!(piece.reset && piece.text.starts_with("# Two readers") && !piece.text.contains("They"), "{piece:?}");
    }

    #[test]
    fn the_rest_of_an_answer_follows_what_was_seen_of_it() {
        let whole = format!("{FIRST} two hours.");
        let piece = seen(|live| live.accepted(&whole)).unwrap();
        assert_eq!((piece.reset, piece.text.as_str()), (false, "\n\nResults arrive within two hours."));
        let piece = seen(|live| live.accepted("Another text.")).unwrap();
        assert_eq!((piece.reset, piece.text.as_str()), (true, "Another text."));
    }

    #[test]
    fn an_answer_of_no_use_is_taken_back() {
        let piece = seen(|live| live.discarded()).unwrap();
        assert_eq!((piece.reset, piece.text.as_str()), (true, ""));
    }
}
