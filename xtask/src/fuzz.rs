//! `cargo xtask fuzz`: runs the fuzzers of the readers for longer than the tests do.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::project::Project;
use crate::{build, process, screen};

/// At least as many as there are targets in `reader/tests/fuzz.rs`.
const TARGETS: &str = "8";

/// Change sound documents at random, and look for one that makes a reader panic or hang.
///
/// HTML, Markdown, PDF and Word files, and what poppler's programs print of a PDF, are changed at
/// the same time, each for as long. Stops at the first that a reader does not withstand, and names
/// the file that it left in target/tmp. The tests run a few hundred changes of each type.
#[derive(Debug, clap::Args)]
pub(crate) struct Fuzz {
    /// How long, in minutes
    #[arg(long, default_value_t = 10)]
    minutes: u32,
    /// The seed of the changes [default: a new one, which is printed]
    #[arg(long)]
    seed: Option<u32>,
    /// Only the types whose names contain this: html, markdown, pdf, docx, layout
    /// or outline
    #[arg(value_name = "TYPE")]
    name: Option<String>,
}

impl Fuzz {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::find()?;
        let seed = self.seed.map_or_else(new_seed, Ok)?;
        screen::heading(format!("fuzz, seed {seed}"));
        let mut command = build::cargo(&project);
        command.args(["test", "--package", "copydesk-reader", "--test", "fuzz", "--"]);
        // All at the same time, also where there are fewer cores.
        command.args(self.name).args(["--nocapture", "--test-threads", TARGETS]);
        command.env("COPYDESK_FUZZ_MINUTES", self.minutes.to_string()).env("COPYDESK_FUZZ_SEED", seed.to_string());
        let status = process::run(&mut command)?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
    }
}

fn new_seed() -> anyhow::Result<u32> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos())
}
