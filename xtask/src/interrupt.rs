//! ^C, SIGTERM and the closing of the terminal: a flag that every wait checks. Nothing is ended
//! here: the owner of a process stops it when the wait returns.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;

/// The exit code that shells report for a command ended by ^C.
pub(crate) const EXIT_CODE: u8 = 130;

/// The number of requests to end.
static REQUESTS: Mutex<u32> = Mutex::new(0);
static REQUESTED: Condvar = Condvar::new();

/// The user or the system asked this program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

fn requests() -> MutexGuard<'static, u32> {
    REQUESTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts listening for SIGINT, SIGTERM and SIGHUP.
pub(crate) fn listen() -> anyhow::Result<()> {
    let note = || {
        *requests() += 1;
        REQUESTED.notify_all();
    };
    ctrlc::set_handler(note).context("cannot listen for ^C")
}

/// Waits for `duration`, or until a request to end.
pub(crate) fn pause(duration: Duration) -> Result<(), Interrupted> {
    let waited = REQUESTED.wait_timeout_while(requests(), duration, |requests| *requests == 0);
    let (requests, _) = waited.unwrap_or_else(PoisonError::into_inner);
    if *requests == 0 { Ok(()) } else { Err(Interrupted) }
}

/// Waits while processes end, but no longer after a second request of the user.
pub(crate) fn pause_while_ending(duration: Duration) -> Patience {
    let waited = REQUESTED.wait_timeout_while(requests(), duration, |requests| *requests < 2);
    let (requests, _) = waited.unwrap_or_else(PoisonError::into_inner);
    if *requests < 2 { Patience::Some } else { Patience::None }
}

/// Whether processes still get time to end cleanly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Some,
    None,
}
