//! Builds the binaries with cargo, whose progress the user sees.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::project::Project;
use crate::{process, screen};

/// The programs that `up` starts.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    pub(crate) api: PathBuf,
    pub(crate) worker: PathBuf,
    pub(crate) simulator: PathBuf,
}

/// The cargo that runs this program.
pub(crate) fn cargo(project: &Project) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&project.root);
    // `cargo run` sets variables about this package, which child builds must not see.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command of cargo that must succeed. The query data is read from .sqlx.
pub(crate) fn run(project: &Project, arguments: &[&str]) -> anyhow::Result<()> {
    must(cargo(project).args(arguments).env("SQLX_OFFLINE", "true"), arguments)
}

/// Runs a command of cargo with these arguments, which must succeed.
pub(crate) fn must(command: &mut Command, arguments: &[&str]) -> anyhow::Result<()> {
    if !process::run(command)?.success() {
        bail!("cargo {} found errors (see above)", arguments.join(" "));
    }
    Ok(())
}

/// Builds the programs that `up` starts. The query data is read from .sqlx, never from a database.
pub(crate) fn build(project: &Project, release: bool) -> anyhow::Result<Binaries> {
    screen::line("  building the API, the worker and the simulator (the first time takes some minutes)");
    let began = Instant::now();
    let mut command = cargo(project);
    command.args(["build", "--message-format", "json-render-diagnostics"]).env("SQLX_OFFLINE", "true");
    command.args(["-p", "copydesk-api", "-p", "copydesk-worker", "-p", "copydesk-simulator"]);
    if release {
        command.arg("--release");
    }
    let messages = messages_of(&mut command)?;
    let mut built = executables(&messages);
    let mut take = |name: &str| built.remove(name).with_context(|| format!("cargo built no {name}"));
    let binaries = Binaries {
        api: take("copydesk-api")?,
        worker: take("copydesk-worker")?,
        simulator: take("copydesk-simulator")?,
    };
    screen::line(format_args!("  ✓ built  {}", screen::seconds(began.elapsed())));
    Ok(binaries)
}

/// Builds all tests, and the programs that they start. Returns the API's program.
pub(crate) fn tests(project: &Project) -> anyhow::Result<PathBuf> {
    let mut command = cargo(project);
    // With the whole workspace cargo builds the programs of every package that has integration tests, too.
    command.args(["test", "--workspace", "--no-run", "--message-format", "json-render-diagnostics"]);
    let messages = messages_of(command.env("SQLX_OFFLINE", "true"))?;
    executables(&messages).remove("copydesk-api").context("cargo built no copydesk-api")
}

/// Builds the benchmark and chaos program, and the packages whose programs it runs, with
/// optimizations.
pub(crate) fn harness(project: &Project, packages: &[&str]) -> anyhow::Result<PathBuf> {
    screen::line("  building with optimizations (the first time takes some minutes)");
    let began = Instant::now();
    let mut command = cargo(project);
    command.args(["build", "--release", "--message-format", "json-render-diagnostics"]).env("SQLX_OFFLINE", "true");
    command.args(["-p", "copydesk-bench"]).args(packages.iter().flat_map(|package| ["-p", *package]));
    let messages = messages_of(&mut command)?;
    let program = executables(&messages).remove("copydesk-bench").context("cargo built no copydesk-bench")?;
    screen::line(format_args!("  ✓ built  {}", screen::seconds(began.elapsed())));
    Ok(program)
}

/// Runs cargo and collects its JSON messages from its standard output.
fn messages_of(command: &mut Command) -> anyhow::Result<String> {
    let (mut reader, writer) = std::io::pipe()?;
    command.stdout(writer);
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    let status = process::run(command);
    // The command holds the pipe's other end: the reader ends only after it is closed.
    command.stdout(Stdio::null());
    if !status?.success() {
        bail!("the build failed");
    }
    let text = reading.join().map_err(|_| anyhow::anyhow!("the messages of cargo could not be read"))?;
    Ok(text?)
}

#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
    #[serde(default)]
    profile: Profile,
}

#[derive(Deserialize, Default)]
struct Profile {
    /// Whether it is a test of the target, which has the same name.
    #[serde(default)]
    test: bool,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// The programs in cargo's messages, by name.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let programs = messages.filter(|message| !message.profile.test);
    programs.filter_map(|message| Some((message.target?.name, message.executable?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"copydesk_common"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"copydesk-api"},"profile":{"test":false},"executable":"/t/debug/copydesk-api"}
{"reason":"compiler-artifact","target":{"name":"copydesk-api"},"profile":{"test":true},"executable":"/t/debug/deps/copydesk_api-1"}
not a message
{"reason":"build-finished","success":true}"#;
        let expected = BTreeMap::from([("copydesk-api".to_owned(), PathBuf::from("/t/debug/copydesk-api"))]);
        assert_eq!(executables(messages), expected);
    }
}
