//! The unprivileged system user that Postgres runs as if we are root, since it refuses to run as
//! root.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::bail;
use nix::unistd::{Uid, User};

/// A user that a child process can run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// The user for a process that refuses to run as root; `None` if we are not root.
    pub(crate) fn unprivileged() -> anyhow::Result<Option<Self>> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        let known = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
        let Some(user) = known else {
            bail!("Postgres refuses to run as root, and neither of the users postgres and nobody exists");
        };
        Ok(Some(Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
    }

    /// Whether the user can enter the folder. This is tried, since modes alone do not tell.
    pub(crate) fn can_enter(&self, folder: &Path) -> bool {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", r#"cd "$0""#]).arg(folder).current_dir("/");
        command.uid(self.uid).gid(self.gid).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}
