//! Copydesk's own tasks: start it all, test it all, refresh what is generated. Knows the binaries
//! and the HTTP API from outside only, and depends on none of the other crates, so that it is
//! built within seconds.

mod accounts;
mod article;
mod binaries;
mod build;
mod client;
mod harness;
mod install;
mod interrupt;
mod ports;
mod prepare;
mod process;
mod project;
mod providers;
mod sample;
mod screen;
mod services;
mod settings;
mod test;
mod throwaway;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Copydesk's tasks. They need Rust and nothing else: Postgres and Redis are found, or installed
/// (telling first), and run privately under .copydesk/, apart from any that the machine runs.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Start Copydesk, load a business, write one article and stay up until ^C
    Up(up::Up),
    /// Check format, lints and query data, then run every test on throwaway Postgres and Redis
    Test(test::Test),
    /// Measure how fast Copydesk is, beside its limits
    Bench(harness::Bench),
    /// Break Copydesk on purpose and check what it promised
    Chaos(harness::Chaos),
    /// Measure how well and how fast the search in documents finds what people judged relevant
    RetrievalEval(harness::RetrievalEval),
    /// Rewrite .sqlx, the query data that builds without a database read
    Prepare(prepare::Prepare),
}

fn main() -> ExitCode {
    let task = Cli::parse().task;
    let outcome = interrupt::listen().and_then(|()| match task {
        Task::Up(up) => up.run(),
        Task::Test(test) => test.run(),
        Task::Bench(bench) => bench.run(),
        Task::Chaos(chaos) => chaos.run(),
        Task::RetrievalEval(eval) => eval.run(),
        Task::Prepare(prepare) => prepare.run(),
    });
    match outcome {
        Ok(code) => code,
        Err(error) if error.is::<interrupt::Interrupted>() => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) => {
            screen::error(&error);
            ExitCode::FAILURE
        }
    }
}
