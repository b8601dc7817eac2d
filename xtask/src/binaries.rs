//! Finds the installed programs: Postgres (14 or newer) and Redis or Valkey. Installs nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest Postgres that Copydesk runs on.
pub(crate) const OLDEST_POSTGRES: u32 = 14;

/// One installation of Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Postgres {
    pub(crate) major: u32,
    pub(crate) postgres: PathBuf,
    pub(crate) initdb: PathBuf,
    pub(crate) psql: PathBuf,
}

/// The folders in PATH.
fn path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// Where packages install Postgres outside PATH: Debian, the PostgreSQL project's packages for Red
/// Hat, and Homebrew.
fn postgres_homes() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql"),
        ("/usr/local/opt", "postgresql"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql"),
    ] {
        folders.extend(subfolders(Path::new(parent), prefix).into_iter().map(|folder| folder.join("bin")));
    }
    folders
}

fn redis_homes() -> Vec<PathBuf> {
    let mut folders = path();
    for prefix in ["/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt"] {
        folders.extend(["redis", "valkey"].map(|name| Path::new(prefix).join(name).join("bin")));
    }
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders
}

fn subfolders(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

/// Every installation of Postgres that is new enough, the newest first.
pub(crate) fn postgres() -> Vec<Postgres> {
    let mut found: Vec<Postgres> =
        path().into_iter().chain(postgres_homes()).filter_map(|folder| postgres_in(&folder)).collect();
    found.sort_by(|a, b| b.major.cmp(&a.major).then_with(|| a.postgres.cmp(&b.postgres)));
    found.dedup();
    found
}

/// The installation whose server is in the folder. A folder may have only clients, which do not
/// count.
fn postgres_in(folder: &Path) -> Option<Postgres> {
    // A link in PATH leads to the folder of the installation.
    let postgres = folder.join("postgres").canonicalize().ok()?;
    let home = postgres.parent()?;
    let initdb = Some(home.join("initdb")).filter(|path| path.is_file())?;
    let psql = Some(home.join("psql")).filter(|path| path.is_file()).or_else(|| in_folders(&path(), &["psql"]))?;
    let version = Command::new(&postgres).arg("--version").output().ok()?;
    let major = major_version(&String::from_utf8_lossy(&version.stdout))?;
    (major >= OLDEST_POSTGRES).then_some(Postgres { major, postgres, initdb, psql })
}

/// 15 of `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn major_version(text: &str) -> Option<u32> {
    let version = text.split_once("(PostgreSQL) ")?.1;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The program of a Redis server.
pub(crate) fn redis() -> Option<PathBuf> {
    in_folders(&redis_homes(), &["redis-server", "valkey-server"])
}

/// The first of the programs that is in one of the folders, in the order of the programs.
pub(crate) fn in_folders(folders: &[PathBuf], names: &[&str]) -> Option<PathBuf> {
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()))
}

/// Whether a program is in PATH.
pub(crate) fn is_in_path(name: &str) -> bool {
    in_folders(&path(), &[name]).is_some()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn program(path: &Path, says: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("copydesk-xtask-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path.canonicalize().unwrap()
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_version("command not found"), None);
    }

    #[test]
    fn a_link_leads_to_the_whole_installation() {
        let root = folder("links");
        let home = root.join("lib/bin");
        program(&home.join("postgres"), "postgres (PostgreSQL) 16.3");
        program(&home.join("initdb"), "");
        program(&home.join("psql"), "");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        symlink(home.join("postgres"), root.join("bin/postgres")).unwrap();
        let found = postgres_in(&root.join("bin")).unwrap();
        assert_eq!((found.major, found.psql), (16, home.join("psql")));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn an_old_server_does_not_count() {
        let root = folder("old");
        for (name, says) in [("postgres", "postgres (PostgreSQL) 13.9"), ("initdb", ""), ("psql", "")] {
            program(&root.join(name), says);
        }
        assert_eq!(postgres_in(&root), None);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn redis_is_preferred_to_valkey_wherever_it_is() {
        let root = folder("redis");
        program(&root.join("a/valkey-server"), "");
        program(&root.join("b/redis-server"), "");
        let folders = [root.join("a"), root.join("b")];
        let names = ["redis-server", "valkey-server"];
        assert_eq!(in_folders(&folders, &names), Some(root.join("b/redis-server")));
        assert_eq!(in_folders(&folders[..1], &names), Some(root.join("a/valkey-server")));
        std::fs::remove_dir_all(root).unwrap();
    }
}
