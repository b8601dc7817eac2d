//! `cargo xtask test`: every check that a change must pass, on a private Postgres and Redis that
//! are removed afterwards. Prints nothing after the test runner's summary.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::bail;

use crate::process::Fleet;
use crate::project::{Project, State};
use crate::services::{self, Services};
use crate::throwaway::Throwaway;
use crate::{binaries, build, local_model, prepare, process, screen};

/// The tests that need the local model, by a part of their names.
const LOCAL_MODEL_TESTS: &str = "local_model";

/// Check format, lints and query data, then run every test.
///
/// The tests get their own Postgres and Redis, whatever POSTGRES_URI and REDIS_URL are, and can run
/// next to `cargo xtask up`. They are run by cargo-nextest if it is installed, else by cargo test.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// Run only the tests of a small real model, which is installed from PyPI (see `cargo xtask up --help`)
    #[arg(long)]
    local_model: bool,
    /// Arguments for the test runner: `cargo xtask test -- a_test_name`
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

impl Test {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::find()?;
        let throwaway = Throwaway::take(&project)?;
        if self.local_model {
            return self.run_tests(&project, &throwaway.state);
        }
        check(&project, "format", &["fmt", "--all", "--check"])?;
        check(&project, "lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
        step("query data", || prepare::check(&project, &throwaway.state))?;
        self.run_tests(&project, &throwaway.state)
    }

    fn run_tests(&self, project: &Project, state: &State) -> anyhow::Result<ExitCode> {
        screen::heading("tests");
        let services = Services::throwaway(state)?;
        let mut command = build::cargo(project);
        let runner: &[&str] = if binaries::is_in_path("cargo-nextest") { &["nextest", "run"] } else { &["test"] };
        // With the whole workspace cargo builds the programs of every package that has integration tests, too: tests
        // start them as processes.
        command.args(runner).arg("--workspace").args(&self.arguments);
        command.env("POSTGRES_URI", &services.postgres.uri).env("DATABASE_URL", &services.postgres.uri);
        command.env("REDIS_URL", &services.redis.uri).env("SQLX_OFFLINE", "true");
        // For tests that start a cluster.
        command.env("REDIS_SERVER", services::redis_program(state)?);
        // Outlives the tests.
        let mut fleet = Fleet::default();
        if self.local_model {
            // Installed for `cargo xtask up` too: this run's own folder is removed.
            match local_model::serve(&project.state(), &mut fleet) {
                Ok(base_url) => drop(command.env("COPYDESK_TEST_LOCAL_MODEL", base_url).arg(LOCAL_MODEL_TESTS)),
                Err(error) => {
                    screen::line(format_args!("skipped: {error:#}"));
                    return Ok(ExitCode::SUCCESS);
                }
            }
        }
        let status = process::run(&mut command)?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
    }
}

/// A cargo command that must succeed.
fn check(project: &Project, name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    step(name, || {
        let mut command: Command = build::cargo(project);
        let status = process::run(command.args(arguments).env("SQLX_OFFLINE", "true"))?;
        if !status.success() {
            bail!("cargo {} found errors (see above)", arguments.join(" "));
        }
        Ok(())
    })
}

/// Runs a check under its heading, and prints how long it took.
fn step(name: &str, check: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    screen::heading(name);
    let began = Instant::now();
    check()?;
    screen::line(format_args!("  ✓ {name}  {}", screen::seconds(began.elapsed())));
    Ok(())
}
