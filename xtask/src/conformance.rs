//! `cargo xtask conformance`: whether the service and its reference say the same, by the tools that
//! its users have: a linter of OpenAPI, a fuzzer that works from the reference, and clients that
//! are generated from it, compiled and used.

mod tools;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Context as _;

use crate::process::{self, Fleet};
use crate::project::Project;
use crate::providers::{Provider, Providers};
use crate::services::Services;
use crate::settings::Settings;
use crate::throwaway::Throwaway;
use crate::up::Launch;
use crate::{build, openapi, ports, screen};
use tools::Tools;

const HOOKS: &str = include_str!("conformance/hooks.py");
const TYPESCRIPT: &str = include_str!("conformance/client.ts");
/// JSON Lines are bytes to this generator, which knows no other way to stream them.
const PYTHON_CONFIG: &str = "content_type_overrides:\n  application/jsonl: application/octet-stream\n";
const PYTHON: &str = include_str!("conformance/client.py");
/// Strict, and for a program that node runs as it is.
const TSCONFIG: &str = r#"{"compilerOptions": {"strict": true, "target": "es2022", "module": "commonjs", "outDir": "out",
    "moduleResolution": "node10", "lib": ["es2022", "dom", "dom.iterable", "dom.asynciterable"], "types": []}}"#;
/// What is limited in a minute: there are more cases, also with a wrong key or none, than anybody may send.
const UNLIMITED: [&str; 4] = [
    "COPYDESK_LLM_REQUESTS_PER_MINUTE",
    "COPYDESK_SEARCH_REQUESTS_PER_MINUTE",
    "COPYDESK_REQUESTS_PER_MINUTE",
    "COPYDESK_FAILED_KEYS_PER_MINUTE",
];
/// The longest that an answer may take, in seconds: that of `?wait=60`, and its slack.
const ANSWER_SECONDS: &str = "75";

/// Hold the service against its API reference with other people's tools.
///
/// Starts Copydesk on a private Postgres and Redis with simulated providers. Then Redocly lints the
/// reference, a TypeScript and a Python client are generated, compiled and used, and Schemathesis sends
/// the service what the reference allows and what it forbids. The tools come from PyPI and npm at
/// the first use (Python 3.10 or newer, 400 MB under .copydesk/). Ends with 1 if any of them finds fault.
#[derive(Debug, clap::Args)]
pub(crate) struct Conformance {
    /// Test cases for each operation: 50 for a quick look
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    cases: u32,
    /// Operations that are tested at once; more than 1 needs Python 3.12, whose parser threads can share
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
    /// The seed of the test cases [default: a new one, which is in the report]
    #[arg(long)]
    seed: Option<u64>,
    /// Only these tools: redocly, schemathesis, typescript, python
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    only: Vec<String>,
    /// Build with optimizations: slower to build, faster to test
    #[arg(long)]
    release: bool,
}

impl Conformance {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let found = Project::find()?;
        let throwaway = Throwaway::take(&found)?;
        let tools = Tools::install(&found.state(), &throwaway.state)?;
        let binaries = build::build(&found, self.release)?;
        let reference = openapi::document(&binaries.api)?;
        // The user's own keys and servers have no part in this.
        let project = Project { root: found.root, settings: Settings::default() };
        let services = Services::throwaway(&throwaway.state)?;
        let mut fleet = Fleet::default();
        let providers = Providers { llm: Provider::Simulated, search: Provider::Simulated };
        let launch = Launch { project: &project, state: &throwaway.state, binaries, services: &services, providers };
        launch.migrate()?;
        let key = launch.make_key("conformance", &["--requests-per-minute", "1000000"])?;
        let mut variables = launch.start_simulator(&mut fleet)?;
        variables.extend(UNLIMITED.map(|name| (name, "1000000".to_owned())));
        // As the reference has it, and as it is where others than this machine reach the API.
        variables.push(("COPYDESK_METRICS_ACCESS", "key".to_owned()));
        let base = launch.start_all(ports::any_free()?, 1, &variables, &mut fleet)?;
        self.hold(&Subject::new(tools, &reference, base, key)?)
    }

    /// Runs the tools one after the other, and says what each found.
    fn hold(&self, subject: &Subject) -> anyhow::Result<ExitCode> {
        let all: [(&str, Tool); 4] = [
            ("redocly", &|| subject.lint()),
            ("typescript", &|| subject.typescript()),
            ("python", &|| subject.python()),
            // The last: it pauses queues and opens breakers.
            ("schemathesis", &|| subject.fuzz(self.cases, self.workers, self.seed)),
        ];
        if let Some(unknown) = self.only.iter().find(|only| all.iter().all(|(name, _)| name != *only)) {
            anyhow::bail!("no tool {unknown}: there are {}", all.map(|(name, _)| name).join(", "));
        }
        let mut is_well = true;
        for (name, tool) in all.iter().filter(|(name, _)| self.only.is_empty() || self.only.iter().any(|o| o == name)) {
            let began = Instant::now();
            let found = tool()?;
            is_well &= found.is_well;
            let mark = if found.is_well { '✓' } else { '✗' };
            let took = screen::seconds(began.elapsed());
            screen::output(format_args!("{mark} {name:<12} {took:>12}  {}", found.says));
        }
        screen::line(format_args!("  what they said: {}/", subject.folder.display()));
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

type Tool<'a> = &'a dyn Fn() -> anyhow::Result<Found>;

/// What a tool found.
struct Found {
    is_well: bool,
    /// In a line.
    says: String,
}

/// The service and its reference, with the tools.
struct Subject {
    tools: Tools,
    /// The service's address.
    base: String,
    /// The secret of a key that allows everything.
    key: String,
    /// Where the tools write.
    folder: PathBuf,
}

impl Subject {
    fn new(tools: Tools, reference: &str, base: String, key: String) -> anyhow::Result<Self> {
        let folder = tools.folder().join("report");
        crate::project::remove_folder(&folder)?;
        for part in ["typescript", "python"] {
            std::fs::create_dir_all(folder.join(part))?;
        }
        let files = [
            ("openapi.json", reference),
            ("hooks.py", HOOKS),
            ("typescript/main.ts", TYPESCRIPT),
            ("typescript/tsconfig.json", TSCONFIG),
            ("typescript/package.json", r#"{"type": "commonjs"}"#),
            ("python/main.py", PYTHON),
            ("python/config.yaml", PYTHON_CONFIG),
        ];
        for (name, text) in files {
            std::fs::write(folder.join(name), text).with_context(|| name.to_owned())?;
        }
        Ok(Self { tools, base, key, folder })
    }

    /// Redocly's recommended rules, without exceptions.
    fn lint(&self) -> anyhow::Result<Found> {
        let mut lint = self.tools.node("redocly");
        lint.args(["lint", "--extends", "recommended", "openapi.json"]);
        lint.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
        self.found(&mut lint, "redocly", |said| last_line(said, &["valid", "Validation failed"]))
    }

    /// All checks and all phases of Schemathesis.
    fn fuzz(&self, cases: u32, workers: u8, seed: Option<u64>) -> anyhow::Result<Found> {
        let mut fuzz = self.tools.python("schemathesis");
        fuzz.args(["run", "openapi.json", "--checks", "all", "--mode", "all", "--continue-on-failure", "--no-color"]);
        fuzz.args(["--url", &self.base, "--max-examples", &cases.to_string(), "--workers", &workers.to_string()]);
        fuzz.args(["--request-timeout", "90", "--max-response-time", ANSWER_SECONDS, "--generation-database", "none"]);
        fuzz.args(["--header", &format!("Authorization: Bearer {}", self.key)]);
        fuzz.args(["--report", "json,ndjson", "--report-dir", "schemathesis"]);
        fuzz.args(seed.into_iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
        fuzz.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", &self.folder);
        fuzz.env("COPYDESK_BASE", &self.base).env("COPYDESK_KEY", &self.key);
        self.found(&mut fuzz, "schemathesis", |said| last_line(said, &["generated,"]))
    }

    fn typescript(&self) -> anyhow::Result<Found> {
        let mut generate = self.tools.node("openapi-ts");
        generate.args(["-i", "openapi.json", "-o", "typescript/client", "-c", "@hey-api/client-fetch"]);
        let mut compile = self.tools.node("tsc");
        compile.args(["-p", "typescript"]);
        let mut run = self.tools.node_itself();
        run.args(["typescript/out/main.js", &self.base, &self.key]);
        self.each_found(vec![("generate", generate), ("compile", compile), ("run", run)], "typescript")
    }

    fn python(&self) -> anyhow::Result<Found> {
        let mut generate = self.tools.python("openapi-python-client");
        generate.args(["generate", "--path", "openapi.json", "--meta", "none", "--overwrite", "--fail-on-warning"]);
        generate.args(["--output-path", "python/copydesk_client", "--config", "python/config.yaml"]);
        let mut compile = self.tools.python("python");
        compile.args(["-W", "error", "-m", "compileall", "-q", "python"]);
        let mut run = self.tools.python("python");
        run.args(["python/main.py", &self.base, &self.key]);
        self.each_found(vec![("generate", generate), ("compile", compile), ("run", run)], "python")
    }

    /// Runs steps up to the first that fails; the last one's last line tells.
    fn each_found(&self, steps: Vec<(&str, Command)>, tool: &str) -> anyhow::Result<Found> {
        let mut found = Found { is_well: true, says: String::new() };
        for (step, mut command) in steps {
            found = self.found(&mut command, &format!("{tool}-{step}"), |said| last_line(said, &[""]))?;
            if !found.is_well {
                found.says = format!("{step}: {}", found.says);
                break;
            }
        }
        Ok(found)
    }

    /// Runs a tool with its output in a file, and picks what it says.
    fn found(&self, command: &mut Command, name: &str, says: impl Fn(&str) -> String) -> anyhow::Result<Found> {
        let path = self.folder.join(format!("{name}.log"));
        let log = std::fs::File::create(&path).with_context(|| path.display().to_string())?;
        command.current_dir(&self.folder).stdout(log.try_clone()?).stderr(log);
        let status = process::run(command)?;
        let said = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Found { is_well: status.success(), says: says(&said) })
    }
}

/// The last line with one of these words, without white space around it.
fn last_line(said: &str, words: &[&str]) -> String {
    let mut lines = said.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    lines.find(|line| words.iter().any(|word| line.contains(word))).unwrap_or("said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tool_says_is_its_last_line_of_the_kind() {
        let said = "Test cases:\n  2622 generated, 21 found 21 unique failures\n\nSeed: 7\n\n";
        assert_eq!(last_line(said, &["generated,"]), "2622 generated, 21 found 21 unique failures");
        assert_eq!(last_line(said, &[""]), "Seed: 7");
        assert_eq!(last_line("", &[""]), "said nothing");
    }
}
