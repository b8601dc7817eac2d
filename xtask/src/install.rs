//! Installs Postgres, Redis, poppler and Chromium with the system's package manager if they are missing. It prints the
//! commands first, and runs none that would ask for a password.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use nix::unistd::Uid;

use crate::binaries;
use crate::process;
use crate::project::State;
use crate::screen::{self, Step};

/// A package that can be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Package {
    Postgres,
    Redis,
    /// Its program `pdftotext` reads PDFs.
    Poppler,
    /// With the program that drives it in tests.
    Chromium,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
    Brew,
}

/// The rights with which the package manager can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    Root,
    SudoWithoutPassword,
    User,
}

type Words = Vec<&'static str>;

impl Package {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "Postgres (14 or newer)",
            Self::Redis => "Redis",
            Self::Poppler => "pdftotext (poppler)",
            Self::Chromium => "chromedriver (Chromium)",
        }
    }

    /// The manager's names of the packages. Fedora's `redis` is now Valkey; both work.
    fn of(self, manager: Manager) -> &'static [&'static str] {
        match (self, manager) {
            (Self::Postgres, Manager::Apt) => &["postgresql"],
            (Self::Postgres, Manager::Dnf) => &["postgresql-server"],
            (Self::Postgres, Manager::Brew) => &["postgresql@17"],
            (Self::Redis, Manager::Apt) => &["redis-server"],
            (Self::Redis, Manager::Dnf | Manager::Brew) => &["redis"],
            // The data is that of Chinese, Japanese and Korean fonts.
            (Self::Poppler, Manager::Apt | Manager::Dnf) => &["poppler-utils", "poppler-data"],
            (Self::Poppler, Manager::Brew) => &["poppler"],
            (Self::Chromium, Manager::Apt) => &["chromium", "chromium-driver"],
            (Self::Chromium, Manager::Dnf) => &["chromium", "chromedriver"],
            (Self::Chromium, Manager::Brew) => &["chromedriver"],
        }
    }

    /// What the user can do instead.
    fn instead(self) -> &'static str {
        match self {
            Self::Postgres => "or set POSTGRES_URI to a server of yours",
            Self::Redis => "or set REDIS_URL to a server of yours",
            Self::Poppler => "or put pdftotext into PATH",
            Self::Chromium => "or put chromedriver into PATH",
        }
    }
}

impl Manager {
    fn find() -> Option<Self> {
        let managers = [("apt-get", Self::Apt), ("dnf", Self::Dnf), ("brew", Self::Brew)];
        managers.into_iter().find(|(program, _)| binaries::is_in_path(program)).map(|(_, manager)| manager)
    }

    fn commands(self, package: Package) -> Vec<Words> {
        let with = |words: &[&'static str]| [words, package.of(self)].concat();
        match self {
            Self::Apt => {
                vec![vec!["apt-get", "update"], with(&["apt-get", "install", "--yes", "--no-install-recommends"])]
            }
            Self::Dnf => vec![with(&["dnf", "install", "--assumeyes"])],
            Self::Brew => vec![with(&["brew", "install"])],
        }
    }
}

impl Rights {
    fn find() -> Self {
        if Uid::effective().is_root() {
            return Self::Root;
        }
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if sudo.status().is_ok_and(|status| status.success()) { Self::SudoWithoutPassword } else { Self::User }
    }
}

/// The commands that install the package, or an error with what the user can do.
fn plan(package: Package, manager: Option<Manager>, rights: Rights) -> anyhow::Result<Vec<Words>> {
    let or = package.instead();
    let Some(manager) = manager else {
        bail!(
            "{} is not installed, and there is no apt-get, dnf or brew to install it: install it, {or}",
            package.name()
        );
    };
    let commands = manager.commands(package);
    match (manager, rights) {
        (Manager::Brew, Rights::Root) => {
            bail!(
                "{} is not installed, and brew refuses to run as root: run `{}` as a user, {or}",
                package.name(),
                shown(&commands)
            );
        }
        (Manager::Apt | Manager::Dnf, Rights::User) => {
            let commands = with_sudo(commands);
            bail!("{} is not installed: run `{}`, then this again, {or}", package.name(), shown(&commands));
        }
        (Manager::Apt | Manager::Dnf, Rights::SudoWithoutPassword) => Ok(with_sudo(commands)),
        (Manager::Apt | Manager::Dnf, Rights::Root) | (Manager::Brew, _) => Ok(commands),
    }
}

fn with_sudo(commands: Vec<Words>) -> Vec<Words> {
    commands.into_iter().map(|words| [vec!["sudo"], words].concat()).collect()
}

fn shown(commands: &[Words]) -> String {
    let commands: Vec<String> = commands.iter().map(|words| words.join(" ")).collect();
    commands.join(" && ")
}

/// Installs the package if its program is not in PATH.
pub(crate) fn find_or_install(package: Package, program: &str, state: &State) -> anyhow::Result<()> {
    if !binaries::is_in_path(program) {
        install(package, state)?;
        ensure!(binaries::is_in_path(program), "{} was installed, but {program} is not in PATH", package.name());
    }
    Ok(())
}

/// Installs the package. Its system service, if it has one, is not touched.
pub(crate) fn install(package: Package, state: &State) -> anyhow::Result<()> {
    let commands = plan(package, Manager::find(), Rights::find())?;
    screen::line(format_args!("  {} is not installed. Running: {}", package.name(), shown(&commands)));
    let step = Step::begin(format_args!("installing {}", package.name()));
    for words in &commands {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive");
        process::run_logged(&mut command, &state.log("install"))
            .with_context(|| format!("{} could not be installed", package.name()))?;
    }
    step.done(format_args!("{} installed", package.name()));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn root_runs_the_manager_itself_and_a_sudoer_by_sudo() {
        let root = plan(Package::Redis, Some(Manager::Apt), Rights::Root).unwrap();
        assert_eq!(shown(&root), "apt-get update && apt-get install --yes --no-install-recommends redis-server");
        let sudoer = plan(Package::Postgres, Some(Manager::Dnf), Rights::SudoWithoutPassword).unwrap();
        assert_eq!(shown(&sudoer), "sudo dnf install --assumeyes postgresql-server");
        let brew = plan(Package::Postgres, Some(Manager::Brew), Rights::User).unwrap();
        assert_eq!(shown(&brew), "brew install postgresql@17");
    }

    #[test]
    fn whoever_may_not_install_is_told_in_one_line() {
        for (manager, rights, says) in [
            (Some(Manager::Apt), Rights::User, "sudo apt-get install"),
            (Some(Manager::Brew), Rights::Root, "brew refuses to run as root"),
            (None, Rights::Root, "no apt-get, dnf or brew"),
        ] {
            let error = plan(Package::Redis, manager, rights).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("REDIS_URL") && !error.contains('\n'), "{error}");
        }
    }
}
