//! The generation of Redis' memory that this process has last seen. A flush starts another one. The
//! quota handles a change.

use std::sync::{Arc, Mutex, PoisonError};

/// The generation that was last seen; empty before the first. Clones share it.
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
