//! poppler's `pdftotext`, with which workers read PDFs.

use anyhow::ensure;

use crate::binaries;
use crate::install::{self, Package};
use crate::project::State;

const PROGRAM: &str = "pdftotext";

pub(crate) fn find_or_install(state: &State) -> anyhow::Result<()> {
    if !binaries::is_in_path(PROGRAM) {
        install::install(Package::Poppler, state)?;
        ensure!(binaries::is_in_path(PROGRAM), "poppler was installed, but {PROGRAM} is not in PATH");
    }
    Ok(())
}
