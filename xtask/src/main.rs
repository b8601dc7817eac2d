//! Copydesk's development tasks: start everything, run all tests, refresh generated files. It uses
//! the binaries and the HTTP API from outside and depends on no other crate, so that it builds
//! within seconds.

mod accounts;
mod article;
mod binaries;
mod build;
mod client;
mod conformance;
mod fuzz;
mod harness;
mod install;
mod interrupt;
mod learn;
mod local_model;
mod openapi;
mod ports;
mod prepare;
mod process;
mod project;
mod providers;
mod python;
mod sample;
mod screen;
mod services;
mod settings;
mod test;
mod throwaway;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Copydesk's tasks. They need only Rust: Postgres and Redis are found or, after an announcement,
/// installed, and run privately under .copydesk/, separate from any others on the machine.
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
    /// Check format, lints and query data, then run every test on a temporary Postgres and Redis
    Test(test::Test),
    /// Measure Copydesk's speed and compare it with its limits
    Bench(harness::Bench),
    /// Inject faults into Copydesk and check its guarantees
    Chaos(harness::Chaos),
    /// Flood the API, and measure its health, its memory and what is left for a good client
    Floods(harness::Floods),
    /// Measure whether texts get better by feedback, and prove that it is the feedback
    LearnEval(harness::LearnEval),
    /// Change documents at random, and look for one that a reader does not withstand
    Fuzz(fuzz::Fuzz),
    /// Measure the quality and speed of the search in documents, by human relevance judgements
    RetrievalEval(harness::RetrievalEval),
    /// Measure how well documents are read, held against their expected texts
    ReaderEval(harness::ReaderEval),
    /// Make anew what was learned from people's feedback
    LearnRebuild(learn::LearnRebuild),
    /// Hold the service against its API reference with a linter, a fuzzer and generated clients
    Conformance(conformance::Conformance),
    /// Update docs/openapi.json, the API reference
    Openapi(openapi::Openapi),
    /// Update .sqlx, the query data for builds without a database
    Prepare(prepare::Prepare),
}

fn main() -> ExitCode {
    let task = Cli::parse().task;
    let outcome = interrupt::listen().and_then(|()| match task {
        Task::Up(up) => up.run(),
        Task::Test(test) => test.run(),
        Task::Bench(bench) => bench.run(),
        Task::Chaos(chaos) => chaos.run(),
        Task::Floods(floods) => floods.run(),
        Task::LearnEval(eval) => eval.run(),
        Task::Fuzz(fuzz) => fuzz.run(),
        Task::RetrievalEval(eval) => eval.run(),
        Task::ReaderEval(eval) => eval.run(),
        Task::LearnRebuild(rebuild) => rebuild.run(),
        Task::Conformance(conformance) => conformance.run(),
        Task::Openapi(openapi) => openapi.run(),
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
