//! Which lines of a PDF are headings, and of which level: the larger ones, and those that its outline
//! names. Both kinds stand in one order.

use std::collections::{BTreeMap, BTreeSet};

use super::{Line, Place};

/// How much larger than the body text a heading is.
const HEADING_RATIO: f32 = 1.15;
/// The longest line that is a heading by its size, in characters.
const MAX_HEADING_CHARS: usize = 120;
/// The sizes that make headings, and the levels that Markdown has.
const MAX_SIZES: usize = 3;
const MAX_LEVEL: usize = 6;

/// The levels of a file's headings.
#[derive(Debug)]
pub(super) struct Levels {
    /// By the size of the line.
    by_size: BTreeMap<u16, usize>,
    /// The least depth of an entry of the outline that is a heading, and its level.
    top: (usize, usize),
}

impl Levels {
    pub(super) fn of(pages: &[Vec<Line>]) -> Self {
        let sizes = heading_sizes(pages);
        let marked = || {
            let lines = pages.iter().flatten();
            lines.filter_map(|line| match line.place {
                Some(Place::Begins(depth)) => Some((depth, line.size)),
                _ => None,
            })
        };
        let least = marked().map(|(depth, _)| depth).min().unwrap_or(0);
        let largest = marked().filter(|(depth, _)| *depth == least).map(|(_, size)| size).max().unwrap_or(0);
        // Larger lines that the outline does not name, such as the title, stand above its entries.
        let is_above = |line: &&Line| line.place.is_none() && line.size > largest && is_heading(line);
        let above: BTreeSet<u16> = pages.iter().flatten().filter(is_above).map(|line| line.size).collect();
        let top = (least, 1 + sizes.iter().filter(|size| above.contains(size)).count());
        let mut levels = Self { by_size: sizes.into_iter().zip(1..).collect(), top };
        // What looks like an entry of the outline is of its level.
        let mut named: BTreeMap<u16, usize> = BTreeMap::new();
        for (depth, size) in marked() {
            let level = levels.at(depth);
            named.entry(size).and_modify(|least| *least = level.min(*least)).or_insert(level);
        }
        levels.by_size.iter_mut().for_each(|(size, level)| *level = *named.get(size).unwrap_or(level));
        levels
    }

    /// The level of the heading that begins with a line, if one does.
    pub(super) fn level(&self, line: &Line) -> Option<usize> {
        if let Some(Place::Begins(depth)) = line.place {
            return Some(self.at(depth));
        }
        self.by_size.get(&line.size).copied().filter(|_| is_heading(line))
    }

    fn at(&self, depth: usize) -> usize {
        let (least, level) = self.top;
        (level + (depth - least)).min(MAX_LEVEL)
    }
}

/// Whether a line may be a heading.
fn is_heading(line: &Line) -> bool {
    line.text.trim().chars().count() <= MAX_HEADING_CHARS && line.text.chars().any(char::is_alphabetic)
}

/// The sizes of headings, largest first.
fn heading_sizes(pages: &[Vec<Line>]) -> Vec<u16> {
    let mut chars: BTreeMap<u16, usize> = BTreeMap::new();
    for line in pages.iter().flatten().filter(|line| line.size > 0) {
        *chars.entry(line.size).or_default() += line.text.len();
    }
    let Some((&body, _)) = chars.iter().max_by_key(|(_, chars)| **chars) else { return Vec::new() };
    let is_larger = |size: &u16| f32::from(*size) > f32::from(body) * HEADING_RATIO;
    chars.into_keys().rev().filter(is_larger).take(MAX_SIZES).collect()
}
