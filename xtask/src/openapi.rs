//! `cargo xtask openapi`: updates docs/openapi.json, the API reference as it is served. A test
//! compares the two.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::project::Project;
use crate::{build, screen};

/// The committed document, below the project's root.
const DOCUMENT: &str = "docs/openapi.json";

/// Update docs/openapi.json, the API reference.
///
/// Run it after a change of the API, and commit the result.
#[derive(Debug, clap::Args)]
pub(crate) struct Openapi {}

impl Openapi {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::find()?;
        let binaries = build::build(&project, false)?;
        let text = document(&binaries.api)?;
        let path = project.root.join(DOCUMENT);
        let is_new = std::fs::read_to_string(&path).ok().as_ref() != Some(&text);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        screen::line(format_args!("  ✓ {DOCUMENT}: {}", if is_new { "written" } else { "was up to date" }));
        Ok(ExitCode::SUCCESS)
    }
}

/// The reference that this API serves.
pub(crate) fn document(api: &Path) -> anyhow::Result<String> {
    let printed = std::process::Command::new(api).arg("openapi").output();
    let printed = printed.with_context(|| api.display().to_string())?;
    anyhow::ensure!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    Ok(String::from_utf8(printed.stdout)?)
}
