//! Packages of PyPI, each set in an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;

/// Makes the environment anew in `folder`, and installs packages with these options of pip. Nothing is compiled.
/// Returns its Python.
pub(crate) fn install(folder: &Path, packages: &[&str], options: &[&str], log: &Path) -> anyhow::Result<PathBuf> {
    let python = folder.join("bin/python");
    let mut venv = Command::new("python3");
    process::run_logged(venv.args(["-m", "venv", "--clear"]).arg(folder), log)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]);
    process::run_logged(pip.args(options).args(packages), log)?;
    Ok(python)
}
