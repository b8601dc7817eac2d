//! Which generation of Redis' memory this process has seen last: a flush begins another one. What
//! follows from a change is the quota's.

use std::sync::{Arc, Mutex, PoisonError};

/// The generation that was seen last; empty before the first. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Generation(Arc<Mutex<String>>);

impl Generation {
    pub(crate) fn known(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn remember(&self, generation: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = generation;
    }
}
