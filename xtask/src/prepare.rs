//! `cargo xtask prepare`: updates the query data under .sqlx. sqlx's macros write a file for each
//! query that they check against a database; with these files the project builds without one.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context as _, bail};

use crate::project::{self, Project, State};
use crate::services;
use crate::throwaway::Throwaway;
use crate::{build, process, screen};

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

/// Fails and lists the files in .sqlx that do not match the queries and migrations.
pub(crate) fn check(project: &Project, state: &State) -> anyhow::Result<()> {
    let right = generate(project, state)?;
    let differences = differences(&right, &read(&project.root.join(".sqlx"))?);
    if differences.is_empty() {
        return Ok(());
    }
    bail!(".sqlx is not up to date: run `cargo xtask prepare` and commit it\n{}", differences.join("\n"))
}

fn rewrite(project: &Project, state: &State) -> anyhow::Result<()> {
    let folder = project.root.join(".sqlx");
    let right = generate(project, state)?;
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

/// The contents of .sqlx for the current queries and migrations.
fn generate(project: &Project, state: &State) -> anyhow::Result<Files> {
    let postgres = services::migrated_postgres(state, project)?;
    let folder = state.root().join("sqlx");
    project::remove_folder(&folder)?;
    std::fs::create_dir_all(&folder)?;
    // Cargo does not know that the macros read a database, so a touched file makes it expand them
    // again. A separate cfg gives this check separate artifacts, so that other builds stay valid.
    let _touched = Touched::touch(project.root.join("common/src/lib.rs"))?;
    let mut command = build::cargo(project);
    command.args(["rustc", "-p", "copydesk-common", "--lib", "--profile", "check", "--", "--cfg", "query_data"]);
    command.env("DATABASE_URL", &postgres.uri).env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", &folder);
    if !process::run(&mut command)?.success() {
        bail!("the queries could not be checked (see above)");
    }
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
