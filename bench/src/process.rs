//! A child process. Killed when dropped.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    pid: u32,
}

impl Process {
    /// Starts `program` with its output in `<logs>/<name>.log`.
    pub(crate) fn start(
        name: &str,
        program: &Path,
        logs: &Path,
        configure: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        configure(&mut command);
        Self::spawn(name, command, logs)
    }

    /// The same with an existing command.
    pub(crate) fn spawn(name: &str, mut command: Command, logs: &Path) -> anyhow::Result<Self> {
        let path = logs.join(format!("{name}.log"));
        // A restarted program appends to its log.
        let log = File::options().create(true).append(true).open(&path).with_context(|| path.display().to_string())?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let program = command.as_std().get_program().to_owned();
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let pid = child.id().context("the program ended at its start")?;
        Ok(Self { name: name.to_owned(), child, pid })
    }

    /// Its process id, also after it has ended.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Fails if it has ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself: {status}", self.name),
        }
    }

    /// Waits until it accepts connections at `address`. Fails if it ends, or does not accept any
    /// within this time.
    pub(crate) async fn listening(&mut self, address: SocketAddr, within: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            self.check()?;
            ensure!(began.elapsed() < within, "{} did not accept connections within {} s", self.name, within.as_secs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Ends it with SIGKILL.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Ends it with SIGTERM. Fails if it does not end cleanly in time.
    pub(crate) async fn terminate(mut self, within: Duration) -> anyhow::Result<()> {
        self.signal(Signal::SIGTERM)?;
        let ended = tokio::time::timeout(within, self.child.wait()).await;
        let status: ExitStatus =
            ended.with_context(|| format!("{} did not end within {} s of SIGTERM", self.name, within.as_secs()))??;
        if !status.success() {
            bail!("{} did not end cleanly at SIGTERM: {status}", self.name);
        }
        Ok(())
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        send(self.pid, signal).with_context(|| format!("{} cannot be sent {signal}", self.name))
    }
}

/// A process group that is killed when this is dropped: a program and the processes that it
/// started, which would survive if only the program were killed. Contains the id of the group's
/// first process.
#[derive(Debug)]
pub(crate) struct Group(pub(crate) u32);

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(leader) = i32::try_from(self.0) {
            // It fails only if all of them have ended.
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}

/// Sends a signal to a process.
pub(crate) fn send(pid: u32, signal: Signal) -> anyhow::Result<()> {
    Ok(kill(Pid::from_raw(i32::try_from(pid)?), signal)?)
}
