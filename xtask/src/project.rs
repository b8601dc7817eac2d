//! Paths: the project, its `.env`, and the folders with the state of a run.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use nix::unistd::Uid;

use crate::accounts::Account;
use crate::settings::Settings;

/// The checkout in which this task was started.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    pub(crate) settings: Settings,
}

impl Project {
    pub(crate) fn find() -> anyhow::Result<Self> {
        // Read at run time, since the checkout may have been moved since the build.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let manifest = manifest.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = manifest.parent().context("the xtask crate has no folder above it")?.to_owned();
        let settings = Settings::read(&root.join(".env"))?;
        Ok(Self { root, settings })
    }

    /// Where `up` keeps its state between runs.
    pub(crate) fn state(&self) -> State {
        State::at(self.root.join(".copydesk"))
    }

    /// A folder for one run's temporary state.
    pub(crate) fn throwaway_state(&self) -> State {
        State::at(self.throwaway_states().join(std::process::id().to_string()))
    }

    /// The folder of all temporary states.
    pub(crate) fn throwaway_states(&self) -> PathBuf {
        self.root.join(".copydesk").join("test")
    }

    /// The path relative to the project's root.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

/// The folders of one run: `log/`, `run/` (records of processes), and the data of private services.
#[derive(Debug, Clone)]
pub(crate) struct State {
    root: PathBuf,
}

impl State {
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("log")
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// The file of an API key's secret.
    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.key"))
    }

    pub(crate) fn records(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(crate) fn data(&self, service: &str) -> PathBuf {
        self.root.join(service)
    }

    /// The data folder of a service that may run as another user: in the state's folder or, if that
    /// user cannot enter it (such as below a home of mode 0700), under /var/tmp.
    pub(crate) fn data_for(&self, service: &str, account: Option<&Account>) -> anyhow::Result<PathBuf> {
        match account {
            Some(account) if !account.can_enter(&self.root) => {
                let refuge = self.refuge();
                own_folder(&refuge)?;
                Ok(refuge.join(service))
            }
            _ => Ok(self.data(service)),
        }
    }

    /// The data folder outside the project, named after the state's path.
    pub(crate) fn refuge(&self) -> PathBuf {
        let hash = self
            .root
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        PathBuf::from(format!("/var/tmp/copydesk-{hash:016x}"))
    }

    /// Makes the folders, where they are not there yet.
    pub(crate) fn make_folders(&self) -> anyhow::Result<()> {
        for folder in [self.root.clone(), self.logs(), self.records()] {
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(())
    }

    /// Makes the folders and locks the state for this process; `None` if another process has it.
    /// The lock ends with the process, however that ends.
    pub(crate) fn take(&self) -> anyhow::Result<Option<Taken>> {
        self.make_folders()?;
        let path = self.root.join("lock");
        let lock = File::create(&path).with_context(|| path.display().to_string())?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Taken { _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).context("cannot lock the state"),
        }
    }

    /// Removes the data of the private services, and nothing else.
    pub(crate) fn remove_data(&self) -> anyhow::Result<()> {
        for folder in [self.data("postgres"), self.data("redis"), self.refuge()] {
            remove_folder(&folder)?;
        }
        Ok(())
    }

    /// Removes the whole state, also outside the project.
    pub(crate) fn remove(&self) -> anyhow::Result<()> {
        remove_folder(&self.refuge())?;
        remove_folder(&self.root)
    }
}

/// The lock on the state, held while this value lives.
#[derive(Debug)]
pub(crate) struct Taken {
    _lock: File,
}

/// Removes a folder if it exists.
pub(crate) fn remove_folder(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Makes a folder where anyone can make folders, and accepts it only if it belongs to us.
fn own_folder(folder: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(folder).with_context(|| folder.display().to_string())?;
    let found = std::fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != Uid::effective().as_raw() {
        bail!("{} belongs to someone else: remove it", folder.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn temporary(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("copydesk-xtask-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_state_is_taken_once_and_freed_with_its_holder() {
        let state = State::at(temporary("lock"));
        let taken = state.take().unwrap();
        assert!(taken.is_some());
        assert!(state.take().unwrap().is_none());
        drop(taken);
        assert!(state.take().unwrap().is_some());
        state.remove().unwrap();
        assert!(!state.root().exists());
    }

    #[test]
    fn a_refuge_is_one_per_project() {
        let refuge = State::at("/root/copydesk/.copydesk".into()).refuge();
        assert_ne!(refuge, State::at("/root/other/.copydesk".into()).refuge());
        assert!(refuge.starts_with("/var/tmp"));
    }
}
