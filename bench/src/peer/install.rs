//! Installs the peers once into a folder next to the benchmark's results, in exactly the versions
//! of the lock files in `bench/peers`, with this machine's package managers. Installs no package
//! manager.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use tokio::process::Command;

/// A program's sources: paths within its folder and their contents. They are embedded in this
/// binary, so that they match its build.
type Sources = &'static [(&'static str, &'static str)];

const NODE: Sources = &[
    ("package.json", include_str!("../../peers/node/package.json")),
    ("package-lock.json", include_str!("../../peers/node/package-lock.json")),
    ("accept.js", include_str!("../../peers/node/accept.js")),
    ("drain.js", include_str!("../../peers/node/drain.js")),
];
const PYTHON: Sources = &[
    ("requirements.txt", include_str!("../../peers/python/requirements.txt")),
    ("tasks.py", include_str!("../../peers/python/tasks.py")),
    ("accept.py", include_str!("../../peers/python/accept.py")),
    ("drain.py", include_str!("../../peers/python/drain.py")),
];
const CREWAI: Sources = &[
    ("requirements.txt", include_str!("../../peers/crewai/requirements.txt")),
    ("serve.py", include_str!("../../peers/crewai/serve.py")),
];
const MINILM: Sources = &[
    ("requirements.txt", include_str!("../../peers/minilm/requirements.txt")),
    ("serve.py", include_str!("../../peers/minilm/serve.py")),
];
const APALIS_REDIS: Sources = &[
    ("Cargo.toml", include_str!("../../peers/apalis-redis/Cargo.toml")),
    ("Cargo.lock", include_str!("../../peers/apalis-redis/Cargo.lock")),
    ("src/main.rs", include_str!("../../peers/apalis-redis/src/main.rs")),
];

/// The folder of all peers.
#[derive(Debug)]
pub(crate) struct Installed {
    root: PathBuf,
}

impl Installed {
    pub(crate) fn in_folder(root: PathBuf) -> Self {
        Self { root }
    }

    /// Node with a script.
    pub(crate) async fn node(&self, script: &str) -> anyhow::Result<Command> {
        needs("node", "--version", (20, 0)).await?;
        let folder = self.write("node", NODE)?;
        once(&folder, NODE, async || {
            needs("npm", "--version", (9, 0)).await?;
            // Install scripts are skipped: they would only compile what the packages contain in
            // compiled form.
            run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]), &folder).await
        })
        .await?;
        let mut command = Command::new("node");
        command.arg(script).current_dir(folder).env("NODE_ENV", "production");
        Ok(command)
    }

    /// A program of the environment that has the Python peers' packages.
    pub(crate) async fn python(&self, program: &str) -> anyhow::Result<Command> {
        self.environment("python", PYTHON, program).await
    }

    /// Uvicorn with CrewAI in its environment.
    pub(crate) async fn crewai(&self) -> anyhow::Result<Command> {
        self.environment("crewai", CREWAI, "venv/bin/uvicorn").await
    }

    /// The model all-MiniLM-L6-v2 with OpenAI's API; takes a port.
    pub(crate) async fn minilm(&self) -> anyhow::Result<Command> {
        let mut command = self.environment("minilm", MINILM, "venv/bin/python").await?;
        command.arg("serve.py");
        Ok(command)
    }

    async fn environment(&self, name: &str, sources: Sources, program: &str) -> anyhow::Result<Command> {
        let folder = self.write(name, sources)?;
        // The first source says what is installed: a changed script needs no new environment.
        once(&folder, &sources[..1], async || {
            needs("python3", "--version", (3, 10)).await?;
            run(Command::new("python3").args(["-m", "venv", "--clear", "venv"]), &folder).await?;
            let pip = folder.join("venv/bin/pip");
            let mut command = Command::new(pip);
            command.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", "requirements.txt"]);
            run(&mut command, &folder).await
        })
        .await?;
        let mut command = Command::new(folder.join(program));
        command.current_dir(folder);
        Ok(command)
    }

    /// The program on apalis-redis.
    pub(crate) async fn apalis_redis(&self) -> anyhow::Result<Command> {
        let folder = self.write("apalis-redis", APALIS_REDIS)?;
        let target = folder.join("target");
        once(&folder, APALIS_REDIS, async || {
            let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            command.args(["build", "--release", "--locked", "--quiet", "--target-dir"]).arg(&target);
            run(&mut command, &folder).await
        })
        .await?;
        Ok(Command::new(target.join("release/copydesk-bench-apalis-redis")))
    }

    fn write(&self, name: &str, sources: Sources) -> anyhow::Result<PathBuf> {
        let folder = self.root.join(name);
        for (path, text) in sources {
            let path = folder.join(path);
            // An unchanged file is not written: cargo would rebuild it.
            if std::fs::read_to_string(&path).is_ok_and(|found| found == *text) {
                continue;
            }
            std::fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(folder)
    }
}

/// The pinned versions, by package.
pub(crate) fn versions() -> BTreeMap<String, String> {
    let package: serde_json::Value = serde_json::from_str(NODE[0].1).unwrap_or_default();
    let node = package["dependencies"].as_object().into_iter().flatten();
    let node = node.map(|(name, version)| (name.clone(), version.as_str().unwrap_or_default().to_owned()));
    let python = PYTHON[0].1.lines().chain(CREWAI[0].1.lines()).filter_map(|line| line.split_once("=="));
    let python = python.filter(|(name, _)| ["celery", "crewai", "fastapi", "psycopg", "uvicorn"].contains(name));
    let rust = APALIS_REDIS[0].1.lines().filter_map(|line| line.split_once(" = \"="));
    let others = python.chain(rust.filter(|(name, _)| *name == "apalis-redis"));
    node.chain(others.map(|(name, version)| (name.to_owned(), version.trim_matches('"').to_owned()))).collect()
}

/// Installs, unless the same version is already installed.
async fn once(
    folder: &Path,
    sources: Sources,
    install: impl AsyncFnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let stamp = folder.join("installed");
    let wanted: String = sources.iter().map(|(_, text)| *text).collect();
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    println!("  installing into {} (once)", folder.display());
    install().await.context("not installed")?;
    std::fs::write(&stamp, wanted).with_context(|| stamp.display().to_string())
}

/// Fails if a program is missing or too old, and says what is needed.
async fn needs(program: &str, argument: &str, least: (u32, u32)) -> anyhow::Result<()> {
    let output = Command::new(program).arg(argument).stdin(Stdio::null()).output().await;
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let found = text.and_then(|text| version(&String::from_utf8_lossy(&text)));
    match found {
        Some(found) if found >= least => Ok(()),
        Some(found) => bail!("needs {program} >= {}.{}, found {}.{}", least.0, least.1, found.0, found.1),
        None => bail!("needs {program} >= {}.{}", least.0, least.1),
    }
}

/// The first two numbers of `v20.1.2` or `Python 3.11.7`.
fn version(text: &str) -> Option<(u32, u32)> {
    let start = text.find(|letter: char| letter.is_ascii_digit())?;
    let mut numbers = text[start..].trim().split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

async fn run(command: &mut Command, folder: &Path) -> anyhow::Result<()> {
    command.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command.output().await.with_context(|| format!("cannot start {program}"))?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    std::fs::write(folder.join("install.log"), &text)?;
    ensure!(output.status.success(), "{program} failed: see {}", folder.join("install.log").display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_programs_print_them() {
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert_eq!(version("Python 3.11.7\n"), Some((3, 11)));
        assert_eq!(version("none"), None);
    }

    #[test]
    fn every_peer_is_pinned() {
        let versions = versions();
        for name in ["apalis-redis", "bullmq", "celery", "crewai", "fastapi", "fastify", "psycopg", "uvicorn"] {
            assert!(versions.get(name).is_some_and(|found| version(found).is_some()), "{name} in {versions:?}");
        }
    }

    #[tokio::test]
    async fn a_missing_program_is_named_with_what_is_needed() {
        let error = needs("no-such-node", "--version", (20, 0)).await.map_err(|error| error.to_string());
        assert_eq!(error, Err("needs no-such-node >= 20.0".to_owned()));
    }
}
