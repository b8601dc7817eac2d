//! Passages cut so that a prompt stays within its bound and the model's window.

use copydesk_editorial::text::clip::{chars, clip};
use serde::Serialize;

use super::template::{attribute, escape};
use crate::pipeline::passage::Passage;
use crate::tokens;

/// A prompt's bound, in tokens, however large a model's window is. What a text adds to its own prompts (an outline, a
/// draft, what is to be mended) is the one thing that may exceed it.
pub(super) const MAX_PROMPT_TOKENS: usize = 6_000;
/// What a passage keeps, or it is left out, in tokens.
const MIN_PASSAGE_TOKENS: usize = 50;
/// A passage's longest share, in characters: a chunk of the knowledge base is about so long.
const MAX_PASSAGE_CHARS: usize = 1_800;
/// What a passage's tag takes besides title and URL, in tokens.
const PASSAGE_TAG_TOKENS: usize = 28;
/// The longest title and URL in a tag, in characters.
const MAX_ATTRIBUTE_CHARS: usize = 300;

/// Passages as they fit into a prompt, and how many tokens they take. `head` is what stands in the prompts of all
/// stages of a job, in tokens: beside it they are cut alike in all of them, so that the prompts begin alike. `room`
/// is what a window leaves for them. Within our own bound they are shortened, though not to less than a few words
/// each; where the room is smaller still, they are left out from the last: the numbers of the others stand.
pub(super) fn numbered(passages: &[Passage], head: usize, room: usize) -> (Vec<Numbered<'_>>, usize) {
    let mut numbered: Vec<_> = passages.iter().map(Numbered::of).collect();
    let least = |numbered: &[Numbered<'_>]| numbered.iter().map(Numbered::least_tokens).sum::<usize>();
    let own = MAX_PROMPT_TOKENS.saturating_sub(head).max(least(&numbered));
    let mut left = own.min(room);
    let all = left;
    while least(&numbered) > left {
        numbered.pop();
    }
    // What a short one does not need is its successors'.
    left -= numbered.iter().map(|passage| passage.tag_tokens).sum::<usize>();
    for at in 0..numbered.len() {
        let share = left / (numbered.len() - at);
        left -= numbered[at].shorten(share);
    }
    (numbered, all - left)
}

/// A passage as a prompt shows it.
#[derive(Clone, Serialize)]
pub(super) struct Numbered<'a> {
    n: u16,
    kind: &'static str,
    title: &'a str,
    url: &'a str,
    text: &'a str,
    #[serde(skip)]
    tag_tokens: usize,
}

impl<'a> Numbered<'a> {
    fn of(passage: &'a Passage) -> Self {
        let title = clip(&passage.title, MAX_ATTRIBUTE_CHARS);
        let url = passage.url.as_deref().filter(|url| chars(url) <= MAX_ATTRIBUTE_CHARS).unwrap_or_default();
        let text = clip(&passage.text, MAX_PASSAGE_CHARS);
        let tag_tokens = PASSAGE_TAG_TOKENS + tokens::count(&attribute(title)) + tokens::count(&attribute(url));
        Self { n: passage.n, kind: passage.kind.as_str(), title, url, text, tag_tokens }
    }

    fn least_tokens(&self) -> usize {
        self.tag_tokens + MIN_PASSAGE_TOKENS
    }

    /// Cuts the text to `share` tokens at most, escaped; says how many it takes.
    fn shorten(&mut self, share: usize) -> usize {
        loop {
            let took = tokens::count(&escape(self.text));
            if took <= share {
                return took;
            }
            // A little less than its part, since the parts of a text are not alike.
            let most = (chars(self.text) * share / took).saturating_sub(1);
            self.text = clip(self.text, most);
        }
    }
}
