//! The temporary state of one run: its servers' files and its lock. Removed when the run ends.

use anyhow::bail;

use crate::project::{Project, State, Taken};
use crate::{process, screen};

/// The state of this run. Dropping it removes the state.
#[derive(Debug)]
pub(crate) struct Throwaway {
    pub(crate) state: State,
    _taken: Taken,
}

impl Throwaway {
    /// Takes a new state, after removing those of killed runs.
    pub(crate) fn take(project: &Project) -> anyhow::Result<Self> {
        for entry in std::fs::read_dir(project.throwaway_states()).into_iter().flatten() {
            let state = State::at(entry?.path());
            if let Some(_taken) = state.take()? {
                process::end_orphans(&state)?;
                state.remove()?;
            }
        }
        let state = project.throwaway_state();
        match state.take()? {
            Some(taken) => Ok(Self { state, _taken: taken }),
            None => bail!("{} is in use", state.root().display()),
        }
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        if let Err(error) = self.state.remove() {
            screen::error(&error);
        }
    }
}
