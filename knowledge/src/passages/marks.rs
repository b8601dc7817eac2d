//! A set of a segment's passages: one bit each.

/// One bit for each position.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    words: Vec<u64>,
    count: usize,
}

impl Marks {
    /// An empty set for this number of positions.
    pub(super) fn none(places: usize) -> Self {
        Self { words: vec![0; places.div_ceil(64)], count: 0 }
    }

    pub(super) fn has(&self, place: usize) -> bool {
        self.words.get(place / 64).is_some_and(|word| word & bit(place) != 0)
    }

    /// Marks or unmarks a position.
    pub(super) fn set(&mut self, place: usize, is_marked: bool) {
        let Some(word) = self.words.get_mut(place / 64) else { return };
        self.count -= usize::from(*word & bit(place) != 0);
        *word = if is_marked { *word | bit(place) } else { *word & !bit(place) };
        self.count += usize::from(is_marked);
    }

    /// The number of marked positions.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The marked positions, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(number, &word)| {
            let next = |rest: &u64| Some(rest & (rest - 1)).filter(|rest| *rest > 0);
            let rests = std::iter::successors(Some(word).filter(|word| *word > 0), next);
            rests.map(move |rest| number * 64 + rest.trailing_zeros() as usize)
        })
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.words.as_slice())
    }
}

fn bit(place: usize) -> u64 {
    1 << (place % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_set_counted_and_listed() {
        let mut marks = Marks::none(130);
        for place in [129, 0, 64, 63, 64] {
            marks.set(place, true);
        }
        assert_eq!((marks.count(), marks.iter().collect::<Vec<_>>()), (4, vec![0, 63, 64, 129]));
        marks.set(63, false);
        marks.set(1, false);
        assert_eq!((marks.count(), marks.has(63), marks.has(64), marks.has(500)), (3, false, true, false));
    }
}
