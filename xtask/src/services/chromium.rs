//! Chromium, in which the console's tests look at its pages, and the program that drives it.

use anyhow::ensure;

use crate::binaries;
use crate::install::{self, Package};
use crate::project::State;

const PROGRAM: &str = "chromedriver";

pub(crate) fn find_or_install(state: &State) -> anyhow::Result<()> {
    if !binaries::is_in_path(PROGRAM) {
        install::install(Package::Chromium, state)?;
        ensure!(binaries::is_in_path(PROGRAM), "Chromium was installed, but {PROGRAM} is not in PATH");
    }
    Ok(())
}
