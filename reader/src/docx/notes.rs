//! The foot- and endnotes of a Word file.

use std::collections::HashMap;

use super::package::Part;

/// The notes that were not taken yet, in order.
#[derive(Debug, Default)]
pub(super) struct Notes {
    texts: Vec<Option<String>>,
    /// Foot- and endnotes are numbered apart.
    places: HashMap<(Part, String), usize>,
}

impl Notes {
    /// Adds a note. One without an id cannot be referred to.
    pub(super) fn add(&mut self, part: Part, id: Option<String>, text: String) {
        if let Some(id) = id {
            self.places.insert((part, id), self.texts.len());
        }
        self.texts.push(Some(text));
    }

    /// Takes a note. There is none the second time.
    pub(super) fn take(&mut self, part: Part, id: String) -> Option<String> {
        let place = self.places.remove(&(part, id))?;
        self.texts.get_mut(place)?.take()
    }

    /// Those that nothing refers to.
    pub(super) fn rest(self) -> impl Iterator<Item = String> {
        self.texts.into_iter().flatten()
    }
}
