//! `cargo xtask test`: every check that a change must pass, on a private Postgres and Redis that
//! are removed afterwards. Prints nothing after the test runner's summary.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::bail;

use crate::project::{Project, State};
use crate::services::{self, Services};
use crate::throwaway::Throwaway;
use crate::{binaries, build, prepare, process, screen};

/// Check format, lints and query data, then run every test.
///
/// The tests get their own Postgres and Redis, whatever POSTGRES_URI and REDIS_URL are, and can run
/// next to `cargo xtask up`. They are run by cargo-nextest if it is installed, else by cargo test.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// Arguments for the test runner: `cargo xtask test -- a_test_name`
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

impl Test {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::find()?;
        let throwaway = Throwaway::take(&project)?;
        check(&project, "format", &["fmt", "--all", "--check"])?;
        check(&project, "lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
        step("query data", || prepare::check(&project, &throwaway.state))?;
        self.run_tests(&project, &throwaway.state)
    }

    fn run_tests(&self, project: &Project, state: &State) -> anyhow::Result<ExitCode> {
        screen::heading("tests");
        build::programs_of_tests(project)?;
        let services = Services::throwaway(state)?;
        let mut command = build::cargo(project);
        let runner: &[&str] = if binaries::is_in_path("cargo-nextest") { &["nextest", "run"] } else { &["test"] };
        command.args(runner).arg("--workspace").args(&self.arguments);
        command.env("POSTGRES_URI", &services.postgres.uri).env("DATABASE_URL", &services.postgres.uri);
        command.env("REDIS_URL", &services.redis.uri).env("SQLX_OFFLINE", "true");
        // For tests that start a cluster.
        command.env("REDIS_SERVER", services::redis_program(state)?);
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
