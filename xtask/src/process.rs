//! Child processes. Each is in its own process group, so that ^C in the terminal reaches only this
//! program, which ends the others in the right order. Each is recorded in a file, so that the
//! processes of a killed run are found.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::interrupt::{self, Patience};
use crate::project::State;

/// How long processes may take to end: a worker lets its stages finish for 20 s; others are faster.
const GRACE: Duration = Duration::from_secs(25);
const POLL: Duration = Duration::from_millis(25);
/// The number of log lines in an error.
const TAIL_LINES: usize = 15;

/// The signal that ends a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    /// SIGTERM.
    Terminate,
    /// SIGINT, for Postgres: on SIGTERM it would wait for its clients to disconnect.
    Disconnect,
}

impl Ending {
    fn asked(self) -> Signal {
        match self {
            Self::Terminate => Signal::SIGTERM,
            Self::Disconnect => Signal::SIGINT,
        }
    }

    /// The signal for a process that did not end. On SIGQUIT, Postgres also ends its own children.
    fn forced(self) -> Signal {
        match self {
            Self::Terminate => Signal::SIGKILL,
            Self::Disconnect => Signal::SIGQUIT,
        }
    }
}

/// The record of a running process, to find it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    pid: i32,
    /// Its start time in the system's notation: distinguishes it from a later process with the same
    /// pid.
    born: String,
    ending: Ending,
}

impl Record {
    fn is_alive(&self) -> bool {
        birth(self.pid).as_ref() == Some(&self.born)
    }

    fn signal(&self, signal: Signal) {
        // Signals the group, for the child's own children. The group is gone if all have just
        // ended.
        let _ = killpg(Pid::from_raw(self.pid), signal);
    }
}

/// The start time of the process, in the system's notation; `None` if it is gone or a zombie.
fn birth(pid: i32) -> Option<String> {
    if cfg!(target_os = "linux") {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command's name is in parentheses and may contain anything. The state follows it, and
        // the start time is the 20th field from there.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        return if state == "Z" { None } else { fields.nth(18).map(str::to_owned) };
    }
    kill(Pid::from_raw(pid), None).ok()?;
    let listed = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let born = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
    if born.is_empty() { None } else { Some(born) }
}

/// The program that a process runs; `None` if the process is gone.
pub(crate) fn program_of(pid: i32) -> Option<String> {
    birth(pid)?;
    if let Ok(name) = std::fs::read_to_string(format!("/proc/{pid}/comm")) {
        return Some(name);
    }
    let listed = Command::new("ps").args(["-o", "comm=", "-p", &pid.to_string()]).output().ok()?;
    Some(String::from_utf8_lossy(&listed.stdout).into_owned())
}

/// A child that serves until it is stopped. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    child: Child,
    record: Record,
    record_path: PathBuf,
    log: PathBuf,
}

impl Server {
    /// Starts it with its output in its log, and records it.
    pub(crate) fn start(state: &State, name: &str, mut command: Command, ending: Ending) -> anyhow::Result<Self> {
        let log = state.log(name);
        let (out, err) = begin_log(&log)?;
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let pid = i32::try_from(child.id())?;
        let record = Record { pid, born: birth(pid).unwrap_or_default(), ending };
        let record_path = state.records().join(format!("{name}.json"));
        let server = Self { name: name.to_owned(), child, record, record_path, log };
        std::fs::write(&server.record_path, serde_json::to_vec(&server.record)?)
            .with_context(|| server.record_path.display().to_string())?;
        Ok(server)
    }

    /// Fails with the end of its log if it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself ({status}){}", self.name, self.last_words()),
        }
    }

    /// Waits until `ready` returns true.
    pub(crate) fn wait_until(&mut self, within: Duration, mut ready: impl FnMut() -> bool) -> anyhow::Result<()> {
        let began = Instant::now();
        while !ready() {
            self.check()?;
            if began.elapsed() > within {
                bail!("{} was not ready within {} s{}", self.name, within.as_secs(), self.last_words());
            }
            interrupt::pause(POLL)?;
        }
        Ok(())
    }

    /// The end of its log, and the path of the log.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let tail = tail(&log, TAIL_LINES);
        format!("\n{tail}{}the whole log: {}", if tail.is_empty() { "" } else { "\n" }, self.log.display())
    }

    fn is_gone(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        stop_all(std::slice::from_mut(self));
    }
}

/// Children that end together: all get the signal before any is waited for.
#[derive(Debug, Default)]
pub(crate) struct Fleet(Vec<Server>);

impl Fleet {
    pub(crate) fn add(&mut self, server: Server) {
        self.0.push(server);
    }

    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.0.iter_mut().try_for_each(Server::check)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        stop_all(&mut self.0);
    }
}

fn stop_all(servers: &mut [Server]) {
    let records: Vec<Record> =
        servers.iter_mut().filter_map(|server| (!server.is_gone()).then(|| server.record.clone())).collect();
    end(&records, || servers.iter_mut().all(Server::is_gone));
    for server in servers {
        let _ = std::fs::remove_file(&server.record_path);
    }
}

/// Signals all, waits for the time limit, and kills those that are left.
fn end(records: &[Record], mut are_gone: impl FnMut() -> bool) {
    for record in records {
        record.signal(record.ending.asked());
    }
    let began = Instant::now();
    while !are_gone() && began.elapsed() < GRACE && interrupt::pause_while_ending(POLL) == Patience::Some {}
    for record in records.iter().filter(|record| record.is_alive()) {
        record.signal(record.ending.forced());
    }
    let forced = Instant::now();
    while !are_gone() && forced.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(POLL);
    }
    for record in records.iter().filter(|record| record.is_alive()) {
        record.signal(Signal::SIGKILL);
    }
}

/// Ends the processes that a killed run left behind. Returns how many.
pub(crate) fn end_orphans(state: &State) -> anyhow::Result<usize> {
    let mut orphans = Vec::new();
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(state.records()).into_iter().flatten() {
        let path = entry?.path();
        // A record that was truncated by a crash is ignored.
        let record: Option<Record> = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        orphans.extend(record.filter(Record::is_alive));
        paths.push(path);
    }
    end(&orphans, || !orphans.iter().any(Record::is_alive));
    for path in paths {
        std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
    }
    Ok(orphans.len())
}

/// Runs a command to its end, and ends it on a request to end.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<ExitStatus> {
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.stdin(Stdio::null()).process_group(0).spawn();
    let mut child = child.with_context(|| format!("cannot run {program}"))?;
    let pid = i32::try_from(child.id())?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Err(interrupted) = interrupt::pause(POLL) {
            let record = Record { pid, born: birth(pid).unwrap_or_default(), ending: Ending::Terminate };
            end(&[record], || !matches!(child.try_wait(), Ok(None)));
            return Err(interrupted.into());
        }
    }
}

/// Runs a command with its output in a log. If it fails, the error contains the end of the log.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> anyhow::Result<()> {
    let (out, err) = begin_log(log)?;
    let program = command.get_program().to_string_lossy().into_owned();
    let status = run(command.stdout(out).stderr(err))?;
    if !status.success() {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        bail!("{program} failed ({status})\n{}\nthe whole log: {}", tail(&text, TAIL_LINES), log.display());
    }
    Ok(())
}

/// Makes a new log. The log of the previous run is kept next to it.
fn begin_log(path: &Path) -> anyhow::Result<(File, File)> {
    if path.exists() {
        std::fs::rename(path, path.with_extension("previous.log"))?;
    }
    let out = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let err = out.try_clone()?;
    Ok((out, err))
}

/// The last lines of a text, without empty ones.
fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn state(name: &str) -> State {
        let path = std::env::temp_dir().join(format!("copydesk-xtask-{name}-{}", std::process::id()));
        let state = State::at(path);
        state.take().unwrap();
        state
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_tail_is_the_last_lines() {
        assert_eq!(tail("a\n\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
        assert_eq!(tail("", 5), "");
    }

    #[test]
    fn a_server_that_ends_is_an_error_with_its_last_words() {
        let state = state("ends");
        let mut server = Server::start(&state, "one", shell("echo no such luck; exit 3"), Ending::Terminate).unwrap();
        let error = server.wait_until(Duration::from_secs(10), || false).unwrap_err().to_string();
        assert!(error.contains("one ended by itself") && error.contains("no such luck"), "{error}");
        drop(server);
        state.remove().unwrap();
    }

    #[test]
    fn a_dropped_server_takes_its_children_along() {
        let state = state("drop");
        let mut server = Server::start(&state, "one", shell("sleep 600 & echo $!; wait"), Ending::Terminate).unwrap();
        let child = || std::fs::read_to_string(state.log("one")).unwrap().trim().parse::<i32>().ok();
        server.wait_until(Duration::from_secs(10), || child().is_some()).unwrap();
        let (record, path, child) = (server.record.clone(), server.record_path.clone(), child().unwrap());
        assert!(record.is_alive() && birth(child).is_some() && path.exists());
        drop(server);
        assert!(!record.is_alive() && !path.exists());
        let asked = Instant::now();
        while birth(child).is_some() {
            assert!(asked.elapsed() < Duration::from_secs(10), "the child of the child still runs");
            std::thread::yield_now();
        }
        state.remove().unwrap();
    }

    #[test]
    fn an_orphan_is_ended_and_a_stranger_with_its_pid_is_not() {
        let state = state("orphans");
        let mut orphan = shell("exec sleep 600").process_group(0).spawn().unwrap();
        let pid = i32::try_from(orphan.id()).unwrap();
        let record = Record { pid, born: birth(pid).unwrap(), ending: Ending::Terminate };
        let stranger = Record { born: "another time".into(), ..record };
        std::fs::write(state.records().join("a.json"), serde_json::to_vec(&stranger).unwrap()).unwrap();
        std::fs::write(state.records().join("b.json"), "{\"pid\":").unwrap();
        assert_eq!(end_orphans(&state).unwrap(), 0);
        assert!(record.is_alive());

        std::fs::write(state.records().join("a.json"), serde_json::to_vec(&record).unwrap()).unwrap();
        assert_eq!(end_orphans(&state).unwrap(), 1);
        assert!(!orphan.wait().unwrap().success());
        assert!(std::fs::read_dir(state.records()).unwrap().next().is_none());
        state.remove().unwrap();
    }
}
