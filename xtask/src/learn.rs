//! `cargo xtask learn-rebuild`: makes anew what was learned from people's feedback, by the worker's own command, in the
//! database of the settings or of a running `cargo xtask up`.

use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::project::Project;
use crate::{build, process, services};

/// Make anew what was learned from people's feedback.
///
/// Lessons and figures follow from the verdicts alone: a rebuild changes nothing, unless a row was changed or lost, or
/// verdicts come from a release before lessons. Texts are written meanwhile.
#[derive(Debug, clap::Args)]
pub(crate) struct LearnRebuild {
    /// The business [default: all]
    #[arg(long)]
    business: Option<String>,
}

impl LearnRebuild {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::find()?;
        let given = ["POSTGRES_URI", "POSTGRES_ASYNC_URI"].iter().find_map(|name| project.settings.get(name));
        let uri = given.or_else(|| services::running_postgres(&project.state()));
        let uri = uri.context("no database: set POSTGRES_URI, or start `cargo xtask up` in this folder first")?;
        let mut command = Command::new(build::build(&project, false)?.worker);
        command.args(["learn", "rebuild"]).env("POSTGRES_URI", uri);
        // The command needs no Redis, and the configuration asks for its address.
        command.env("REDIS_URL", project.settings.get("REDIS_URL").unwrap_or_else(|| "redis://localhost".to_owned()));
        command.args(self.business.iter().flat_map(|business| ["--business", business]));
        let status = process::run(&mut command)?;
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
