//! How much one request to a model may have, as its provider's refusals said. In our tokens: the provider may
//! count more of them for the same text.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::REFUSED_FOR;
use super::refusal::reason::Room;

/// Less than this is not learned, in tokens: nothing could be written in it.
const LEAST: u32 = 1_024;

/// What is known, and until when it is believed.
#[derive(Debug, Default)]
pub(super) struct Learned(Mutex<Option<(u32, Instant)>>);

impl Learned {
    /// The most that one request may have, prompt and answer, where that is known.
    pub(super) fn most(&self) -> Option<u32> {
        let learned = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learned.filter(|(_, until)| Instant::now() < *until).map(|(most, _)| most)
    }

    /// Learns from a refusal of a request of so many tokens.
    pub(super) fn take(&self, room: Room, prompt: u32, answer: u32) {
        let most = of(room, prompt, answer).max(LEAST);
        let until = Instant::now() + REFUSED_FOR;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((most, until));
    }
}

/// What a refusal lets a request have. Whatever it says, less than what was refused.
fn of(room: Room, prompt: u32, answer: u32) -> u32 {
    let asked = prompt.saturating_add(answer);
    // Our tokens for so many of the provider's.
    let ours = |most: u32| match room {
        Room { all: Some(theirs), .. } if theirs > asked => scaled(most, asked, theirs),
        Room { prompt: Some(theirs), .. } if theirs > prompt => scaled(most, prompt, theirs),
        _ => most,
    };
    // A refusal without a figure leaves a quarter of it away.
    let less = asked - asked / 4;
    match room.most.map(ours) {
        Some(most) if most < asked => most,
        _ => less,
    }
}

fn scaled(most: u32, ours: u32, theirs: u32) -> u32 {
    let scaled = u64::from(most) * u64::from(ours) / u64::from(theirs.max(1));
    u32::try_from(scaled).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_how_much_a_request_may_have() {
        let room = |most, prompt, all| Room { most, prompt, all };
        for (room, expected) in [
            (room(Some(6_000), None, Some(6_294)), 6_000),
            (room(Some(6_000), None, Some(12_588)), 3_000),
            (room(Some(4_096), Some(7_588), None), 2_048),
            (room(Some(4_096), Some(3_000), None), 4_096),
            (room(Some(200_000), None, None), 4_721),
            (room(None, None, None), 4_721),
        ] {
            assert_eq!(of(room, 3_794, 2_500), expected, "{room:?}");
        }
    }

    #[test]
    fn nothing_is_learned_that_nobody_could_write_in() {
        let learned = Learned::default();
        assert_eq!(learned.most(), None);
        learned.take(Room { most: Some(5), ..Room::default() }, 3_000, 500);
        assert_eq!(learned.most(), Some(LEAST));
    }
}
