//! `cargo xtask prepare`: updates the query data under .sqlx. sqlx's macros write a file for each
//! query that they check against a database; with these files the project builds without one.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context as _, bail};

use crate::project::{self, Project, State};
use crate::services;
use crate::throwaway::Throwaway;
use crate::{build, screen};

/// Update .sqlx, the query data for builds without a database.
///
/// Run it after a change of a query or a migration, and commit the result. It applies the
/// migrations to a temporary Postgres and checks every query there.
#[derive(Debug, clap::Args)]
pub(crate) struct Prepare {
    /// Write nothing: fail and list the files in .sqlx that are not up to date
    #[arg(long)]
    check: bool,
}

impl Prepare {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::find()?;
        let throwaway = Throwaway::take(&project)?;
        if self.check {
            check(&project, &throwaway.state)?;
            screen::line("  ✓ .sqlx is up to date");
        } else {
            rewrite(&project, &throwaway.state)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The query data of copydesk-common alone, which has all queries. A separate cfg gives it separate artifacts, so that
/// other builds stay valid.
const QUERIES: [&str; 9] =
    ["rustc", "-p", "copydesk-common", "--lib", "--profile", "check", "--", "--cfg", "query_data"];
const LINTS: [&str; 6] = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];

/// Runs the lints. Where queries or migrations are not those of the last time, they run with a database: the macros then
/// write the query data anew, and nothing is built a second time for it. Fails if .sqlx is not up to date.
pub(crate) fn lint(project: &Project, state: &State) -> anyhow::Result<()> {
    let stamp = project.state().root().join("query-data");
    let inputs = format!("{:016x}", fingerprint(project)?);
    if std::fs::read_to_string(&stamp).is_ok_and(|checked| checked == inputs) {
        return build::run(project, &LINTS);
    }
    compare(project, &generate(project, state, &LINTS)?)?;
    std::fs::write(&stamp, inputs).with_context(|| stamp.display().to_string())
}

/// Of everything that the query data depends on, the release of sqlx among it, and of the data.
fn fingerprint(project: &Project) -> anyhow::Result<u64> {
    let mut hasher = DefaultHasher::new();
    let mut folders = [".sqlx", "common/src", "migrations"].map(|folder| project.root.join(folder)).to_vec();
    let lock = project.root.join("Cargo.lock");
    let mut files = BTreeMap::from([(lock.clone(), std::fs::read(&lock).with_context(|| lock.display().to_string())?)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
                files.insert(path, text);
            }
        }
    }
    files.hash(&mut hasher);
    Ok(hasher.finish())
}

/// Fails and lists the files in .sqlx that do not match the queries and migrations.
fn check(project: &Project, state: &State) -> anyhow::Result<()> {
    compare(project, &generate(project, state, &QUERIES)?)
}

fn compare(project: &Project, right: &Files) -> anyhow::Result<()> {
    let differences = differences(right, &read(&project.root.join(".sqlx"))?);
    if differences.is_empty() {
        return Ok(());
    }
    bail!(".sqlx is not up to date: run `cargo xtask prepare` and commit it\n{}", differences.join("\n"))
}

fn rewrite(project: &Project, state: &State) -> anyhow::Result<()> {
    let folder = project.root.join(".sqlx");
    let right = generate(project, state, &QUERIES)?;
    let written = read(&folder)?;
    std::fs::create_dir_all(&folder)?;
    for name in written.keys().filter(|name| !right.contains_key(*name)) {
        std::fs::remove_file(folder.join(name))?;
    }
    for (name, text) in right.iter().filter(|(name, text)| written.get(*name) != Some(text)) {
        std::fs::write(folder.join(name), text)?;
    }
    screen::line(format_args!("  ✓ .sqlx: {} queries, {} changes", right.len(), differences(&right, &written).len()));
    Ok(())
}

type Files = BTreeMap<String, String>;

/// The contents of .sqlx for the current queries and migrations, as this command of cargo writes them.
fn generate(project: &Project, state: &State, arguments: &[&str]) -> anyhow::Result<Files> {
    let postgres = services::migrated_postgres(state, project)?;
    let folder = state.root().join("sqlx");
    project::remove_folder(&folder)?;
    std::fs::create_dir_all(&folder)?;
    // Cargo does not know that the macros read a database, so a touched file makes it expand them
    // again.
    let _touched = Touched::touch(project.root.join("common/src/lib.rs"))?;
    let mut command = build::cargo(project);
    command
        .args(arguments)
        .env("DATABASE_URL", &postgres.uri)
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &folder);
    build::must(&mut command, arguments)?;
    read(&folder)
}

/// A source file that looks changed while this value lives.
struct Touched {
    path: PathBuf,
    modified: SystemTime,
}

impl Touched {
    fn touch(path: PathBuf) -> anyhow::Result<Self> {
        let modified = std::fs::metadata(&path).and_then(|found| found.modified());
        let modified = modified.with_context(|| path.display().to_string())?;
        let touched = Self { path, modified };
        touched.set(SystemTime::now())?;
        Ok(touched)
    }

    fn set(&self, modified: SystemTime) -> anyhow::Result<()> {
        let file = File::options().append(true).open(&self.path);
        file.and_then(|file| file.set_modified(modified)).with_context(|| self.path.display().to_string())
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        if let Err(error) = self.set(self.modified) {
            screen::error(&error);
        }
    }
}

/// The query files of a folder, by name; empty if there is no folder.
fn read(folder: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("query-") && name.ends_with(".json") {
            files.insert(name, std::fs::read_to_string(&path).with_context(|| path.display().to_string())?);
        }
    }
    Ok(files)
}

/// One line for each file that is missing, stale or different.
fn differences(right: &Files, written: &Files) -> Vec<String> {
    let named = right.iter().filter_map(|(name, text)| match written.get(name) {
        None => Some(format!("  missing: {name}")),
        Some(other) if other != text => Some(format!("  differs: {name}")),
        Some(_) => None,
    });
    let stale = written.keys().filter(|name| !right.contains_key(*name)).map(|name| format!("  stale:   {name}"));
    named.chain(stale).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn files(of: &[(&str, &str)]) -> Files {
        of.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let right = files(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let written = files(&[("a", "1"), ("b", "x"), ("d", "4")]);
        assert_eq!(differences(&right, &written), ["  differs: b", "  missing: c", "  stale:   d"]);
        assert!(differences(&right, &right).is_empty());
    }

    #[test]
    fn a_touched_file_gets_its_time_back() {
        let path = std::env::temp_dir().join(format!("copydesk-xtask-touch-{}", std::process::id()));
        std::fs::write(&path, "text").unwrap();
        let before = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        File::options().append(true).open(&path).unwrap().set_modified(before).unwrap();
        let modified = || std::fs::metadata(&path).unwrap().modified().unwrap();
        let touched = Touched::touch(path.clone()).unwrap();
        assert!(modified() > before);
        drop(touched);
        assert_eq!(modified(), before);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
        std::fs::remove_file(path).unwrap();
    }
}
