//! `cargo xtask test`: every check that a change must pass, on a private Postgres and Redis that
//! are removed afterwards. Prints nothing after the test runner's summary.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Context as _;

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
        step("format", || build::run(&project, &["fmt", "--all", "--check"]))?;
        step("lints and query data", || prepare::lint(&project, &throwaway.state))?;
        self.run_tests(&project, &throwaway.state)
    }

    fn run_tests(&self, project: &Project, state: &State) -> anyhow::Result<ExitCode> {
        screen::heading("tests");
        let services = Services::throwaway(state)?;
        step("tests built", || migrate_template(&build::tests(project)?, &services, state))?;
        let mut command = build::cargo(project);
        let runner: &[&str] =
            if binaries::is_in_path("cargo-nextest") { &["nextest", "run"] } else { &["test", "--no-fail-fast"] };
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

/// Applies the migrations to the template from which the server makes new databases: each test has one of its own, and
/// need not apply them again.
fn migrate_template(api: &Path, services: &Services, state: &State) -> anyhow::Result<()> {
    let (server, _) = services.postgres.uri.rsplit_once('/').context("the URI of Postgres has no database")?;
    let mut command = Command::new(api);
    command.arg("migrate").env("POSTGRES_URI", format!("{server}/template1")).env("REDIS_URL", &services.redis.uri);
    process::run_logged(&mut command, &state.log("migrate")).context("the tests' databases could not be migrated")
}

/// Runs a check under its heading, and prints how long it took.
fn step(name: &str, check: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    screen::heading(name);
    let began = Instant::now();
    check()?;
    screen::line(format_args!("  ✓ {name}  {}", screen::seconds(began.elapsed())));
    Ok(())
}
