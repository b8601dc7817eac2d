//! The prompts' prefixes that the provider still holds, as the vendors cache them: whole blocks from
//! the start of a prompt, per key and model, for a while after their last use. Knows hashes only;
//! how a prompt is cut into blocks is the request's part.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{self, Clock};

/// Tokens of a block.
pub(crate) const BLOCK_TOKENS: u32 = 128;
/// Blocks that are held, of all keys: 16 million tokens, in a few megabytes.
const BLOCKS_KEPT: usize = 131_072;

/// The blocks that are held. A block's hash is of the key, the model, and all of the prompt up to its end.
#[derive(Debug)]
pub(crate) struct PrefixCache {
    /// How long a block is held after its last use; nothing is where `None`.
    lifetime_ms: Option<u64>,
    clock: Clock,
    /// When each was last used.
    blocks: Mutex<HashMap<u64, u64>>,
}

impl PrefixCache {
    pub(crate) fn new(lifetime: Option<Duration>, clock: Clock) -> Self {
        Self { lifetime_ms: lifetime.map(clock::whole_ms), clock, blocks: Mutex::default() }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.lifetime_ms.is_some()
    }

    /// The tokens at the start of a prompt that need not be read again.
    pub(crate) fn cached_tokens(&self, prompt: &[u64]) -> u32 {
        let now = self.clock.now_ms();
        let held = self.lock();
        let found = prompt.iter().take_while(|block| held.get(block).is_some_and(|used| self.is_fresh(*used, now)));
        u32::try_from(found.count()).unwrap_or(u32::MAX).saturating_mul(BLOCK_TOKENS)
    }

    /// Holds a prompt's blocks, which were just read or used.
    pub(crate) fn hold(&self, prompt: &[u64]) {
        let now = self.clock.now_ms();
        let mut held = self.lock();
        if held.len() + prompt.len() > BLOCKS_KEPT {
            self.make_room(&mut held, now);
        }
        held.extend(prompt.iter().take(BLOCKS_KEPT / 2).map(|block| (*block, now)));
    }

    /// Drops what is too old, or the half that was not used for longest.
    fn make_room(&self, held: &mut HashMap<u64, u64>, now: u64) {
        held.retain(|_, used| self.is_fresh(*used, now));
        if held.len() <= BLOCKS_KEPT / 2 {
            return;
        }
        let mut by_use: Vec<(u64, u64)> = held.iter().map(|(block, used)| (*used, *block)).collect();
        let middle = by_use.len() - BLOCKS_KEPT / 2;
        by_use.select_nth_unstable(middle);
        for (_, block) in &by_use[..middle] {
            held.remove(block);
        }
    }

    fn is_fresh(&self, used_ms: u64, now: u64) -> bool {
        self.lifetime_ms.is_some_and(|lifetime| now.saturating_sub(used_ms) < lifetime)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn cache() -> (PrefixCache, Clock) {
        let clock = Clock::manual(1_000_000);
        (PrefixCache::new(Some(HOUR * 2), clock.clone()), clock)
    }

    #[test]
    fn the_blocks_up_to_the_first_other_one_are_cached() {
        let (cache, _) = cache();
        cache.hold(&[1, 2, 3]);
        assert_eq!(cache.cached_tokens(&[1, 2, 9, 3]), 2 * BLOCK_TOKENS);
        assert_eq!(cache.cached_tokens(&[2, 3]), 2 * BLOCK_TOKENS, "a block's hash tells of all before it");
        assert_eq!(cache.cached_tokens(&[9, 1, 2]), 0);
    }

    #[test]
    fn a_block_is_held_for_a_while_after_its_last_use() {
        let (cache, clock) = cache();
        cache.hold(&[1, 2]);
        clock.advance(HOUR);
        cache.hold(&[1]);
        clock.advance(HOUR);
        assert_eq!(cache.cached_tokens(&[1, 2]), BLOCK_TOKENS);
        clock.advance(HOUR);
        assert_eq!(cache.cached_tokens(&[1, 2]), 0);
    }

    #[test]
    fn nothing_is_cached_where_it_is_off() {
        let cache = PrefixCache::new(None, Clock::manual(0));
        cache.hold(&[1]);
        assert_eq!(cache.cached_tokens(&[1]), 0);
    }

    #[test]
    fn what_is_held_is_bounded_and_the_newest_stays() {
        let (cache, clock) = cache();
        for prompt in (0..BLOCKS_KEPT as u64 * 2).collect::<Vec<_>>().chunks(1_000) {
            clock.advance(Duration::from_millis(1));
            cache.hold(prompt);
        }
        assert!(cache.blocks.lock().unwrap().len() <= BLOCKS_KEPT);
        assert_eq!(cache.cached_tokens(&[0]), 0);
        assert_eq!(cache.cached_tokens(&[BLOCKS_KEPT as u64 * 2 - 1]), BLOCK_TOKENS);
    }
}
