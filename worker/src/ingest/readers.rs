//! Processes that read documents for the worker, [`copydesk_reader::child`], a few at once. A file
//! that breaks its reader breaks a process, not the worker: that document fails, the process is
//! replaced, and its place is free at once.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use copydesk_reader::child::MAX_MEMORY_BYTES;
use copydesk_reader::wire::{self, Answer, MAX_FRAME_BYTES, Refusal};
use copydesk_reader::{Reading, Upload};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{error::Elapsed, timeout};

/// The most documents that are read at once.
const PLACES: usize = 2;
/// How much of what a dying process says is read, in bytes.
const MAX_LAST_WORDS_BYTES: u64 = 4 * 1024;
const LAST_WORDS_TIME: Duration = Duration::from_secs(1);
/// How much longer than its processor time a document may take on a busy machine, beside half of it.
const STARVED: Duration = Duration::from_secs(10);
/// The process's name and argument.
const NAME: &str = "copydesk-worker";
const ARGUMENT: &str = "read";

/// Why a document was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be used, or broke its reader.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No process could be started.
    #[error("the process that reads documents cannot be started")]
    NoProcess(#[source] io::Error),
    /// The process was told to end from outside: another attempt may read the document.
    #[error("the process that read the document was ended by {0}")]
    Ended(Signal),
}

/// Reads documents, a few at once.
#[derive(Debug, Clone)]
pub struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: PathBuf,
    /// The processor time for a document, in seconds.
    seconds: u16,
    places: Semaphore,
    /// Warm processes without work, at most one a place.
    idle: Mutex<Vec<Process>>,
}

impl Readers {
    /// Reads with `program`, or else with this process's own, each document within `seconds` of
    /// processor time.
    pub fn new(program: Option<PathBuf>, seconds: u16) -> Self {
        let program = program.unwrap_or_else(own_program);
        Self(Arc::new(Shared { program, seconds, places: Semaphore::new(PLACES), idle: Mutex::default() }))
    }

    /// A place to read a document at, once one is free.
    pub async fn free(&self) -> Desk<'_> {
        // The semaphore is never closed.
        Desk { shared: &self.0, _permit: self.0.places.acquire().await.ok() }
    }
}

/// Tells the operator if PDFs cannot be read here.
pub async fn warn_of_what_is_missing() {
    let program = copydesk_reader::PDF_PROGRAM;
    let mut command = Command::new(program);
    command.arg("-v").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.status().await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, program, "PDF documents cannot be read: install poppler-utils (poppler, by brew)");
    }
}

/// The running program. On Linux, this name stays right when the file is replaced by an upgrade.
fn own_program() -> PathBuf {
    const OWN: &str = "/proc/self/exe";
    if cfg!(target_os = "linux") { OWN.into() } else { std::env::current_exe().unwrap_or_else(|_| OWN.into()) }
}

/// A place to read one document at.
#[derive(Debug)]
pub struct Desk<'a> {
    shared: &'a Shared,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Desk<'_> {
    /// Reads a document. If the future is dropped, the process is killed.
    pub async fn read(&self, upload: &Upload) -> Result<Reading, ReadError> {
        let mut process = match self.warm() {
            Some(process) => process,
            None => Process::start(self.shared).map_err(ReadError::NoProcess)?,
        };
        let seconds = self.shared.seconds;
        // The limit of processor time ends what is busy. The process stands back for others, so on a busy machine it may be
        // started and served late.
        let most = Duration::from_secs(seconds.into()) * 3 / 2 + STARVED;
        match timeout(most, process.ask(upload)).await {
            Ok(Ok(answer)) => {
                if !answer.is_last {
                    self.idle().push(process);
                }
                Ok(answer.outcome?)
            }
            Ok(Err(error)) => Err(process.cause_of_death(&error, seconds).await),
            Err(Elapsed { .. }) => {
                process.kill().await;
                Err(refusal(&too_slow(most.as_secs()), ""))
            }
        }
    }

    /// A process that has read before, and still runs.
    fn warm(&self) -> Option<Process> {
        let mut idle = self.idle();
        std::iter::from_fn(|| idle.pop()).find_map(|mut process| process.is_running().then_some(process))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Process>> {
        self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process that reads.
#[derive(Debug)]
struct Process {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Process {
    fn start(shared: &Shared) -> io::Result<Self> {
        let mut child = Command::new(&shared.program)
            // Its name where processes are listed: that of the running program is no file's.
            .arg0(NAME)
            .args([ARGUMENT, &shared.seconds.to_string()])
            // It has no business with the worker's secrets.
            .env_clear()
            // Where the programs are that it starts in turn.
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
            // An arena reserves 128 MiB of the address space, which is limited.
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // ^C in a terminal is for the worker, which lets a document be read to its end.
            .process_group(0)
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| io::Error::other("no pipes"))?;
        Ok(Self { child, input, output })
    }

    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    async fn ask(&mut self, upload: &Upload) -> io::Result<Answer> {
        let (head, body) = wire::request(upload)?;
        for frame in [head.as_slice(), body] {
            self.input.write_all(&wire::length(frame.len())?).await?;
            self.input.write_all(frame).await?;
        }
        self.input.flush().await?;
        let length = self.output.read_u32().await? as usize;
        if length > MAX_FRAME_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut json = Vec::new();
        (&mut self.output).take(length as u64).read_to_end(&mut json).await?;
        // The passages of a long document take a while.
        Ok(tokio::task::spawn_blocking(move || serde_json::from_slice(&json)).await??)
    }

    /// Why the process ended without an answer.
    async fn cause_of_death(mut self, error: &io::Error, seconds: u16) -> ReadError {
        let mut last_words = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            let mut stderr = stderr.take(MAX_LAST_WORDS_BYTES);
            // A process that does not end by itself is killed below.
            let _ = timeout(LAST_WORDS_TIME, stderr.read_to_end(&mut last_words)).await;
        }
        let last_words = String::from_utf8_lossy(&last_words);
        let Some(status) = self.kill().await else { return refusal("its reader failed", &error.to_string()) };
        told(status, &last_words, seconds)
    }

    /// Ends the process and frees what it held.
    async fn kill(&mut self) -> Option<ExitStatus> {
        self.end_group();
        self.child.wait().await.ok()
    }

    /// Ends the process and the programs that it started: one that reads a PDF would go on.
    fn end_group(&self) {
        // The id is known until the process's end was waited for: it is nobody else's.
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            // An error means that all have ended already.
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end_group();
    }
}

/// What a process's end says of the document that it read.
fn told(status: ExitStatus, last_words: &str, seconds: u16) -> ReadError {
    let signal = status.signal().and_then(|number| Signal::try_from(number).ok());
    let mib = MAX_MEMORY_BYTES / (1024 * 1024);
    let what = match signal {
        Some(signal @ (Signal::SIGTERM | Signal::SIGINT | Signal::SIGHUP)) => return ReadError::Ended(signal),
        Some(Signal::SIGXCPU) => too_slow(seconds.into()),
        _ if last_words.contains("memory allocation") || last_words.contains("out of memory") => {
            format!("reading it took more than {mib} MiB of memory: split it, or save it in another format")
        }
        _ if last_words.contains("overflowed its stack") => "its elements nest too deeply: simplify it".to_owned(),
        _ => "its reader failed: save it in another format and send that".to_owned(),
    };
    refusal(&what, &format!("the process ended with {status}: {}", last_words.trim()))
}

fn too_slow(seconds: u64) -> String {
    format!("reading it took more than {seconds} seconds: split it")
}

fn refusal(what: &str, cause: &str) -> ReadError {
    let causes = Some(cause).filter(|cause| !cause.is_empty()).map(str::to_owned);
    Refusal {
        message: format!("the document could not be read: {what}"),
        causes: causes.into_iter().collect(),
        is_operators: false,
    }
    .into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::PermissionsExt as _;

    use copydesk_domain::document::{Body, MediaType};

    use super::*;

    fn upload() -> Upload {
        Upload { title: "T".into(), media_type: MediaType::Plain, body: Body::Text("Words.".into()) }
    }

    /// Readers whose process is this shell script.
    fn scripted(name: &str, script: &str) -> (Readers, PathBuf) {
        let path = std::env::temp_dir().join(format!("copydesk-reader-{name}-{}", std::process::id()));
        // Renamed: a file that was just written cannot be started while another thread forks.
        let draft = path.with_extension("draft");
        std::fs::write(&draft, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::rename(&draft, &path).unwrap();
        (Readers::new(Some(path.clone()), 60), path)
    }

    #[tokio::test]
    async fn a_death_is_told_by_its_limit_and_a_signal_from_outside_is_no_fault_of_the_document() {
        for (name, script, expected) in [
            ("memory", "echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$", "more than 512 MiB of memory"),
            ("stack", "echo \"thread 'reader' has overflowed its stack\" >&2; kill -ABRT $$", "nest too deeply"),
            ("cpu", "kill -XCPU $$", "more than 60 seconds"),
            ("crash", "kill -SEGV $$", "its reader failed"),
            ("exit", "exit 101", "its reader failed"),
            ("nonsense", "printf '\\000\\000\\000\\002no'", "its reader failed"),
            ("long", "printf '\\377\\377\\377\\377no'", "its reader failed"),
        ] {
            let (readers, path) = scripted(name, script);
            let error = readers.free().await.read(&upload()).await.unwrap_err();
            assert!(matches!(&error, ReadError::Refused(refusal) if refusal.message.contains(expected)), "{error:?}");
            std::fs::remove_file(path).unwrap();
        }
        let (readers, path) = scripted("told", "kill -TERM $$");
        let error = readers.free().await.read(&upload()).await.unwrap_err();
        assert!(matches!(error, ReadError::Ended(Signal::SIGTERM)), "{error:?}");
        std::fs::remove_file(path).unwrap();
    }

    #[tokio::test]
    async fn a_process_that_cannot_be_started_is_no_fault_of_the_document() {
        let readers = Readers::new(Some("/nowhere/copydesk-worker".into()), 60);
        assert!(matches!(readers.free().await.read(&upload()).await, Err(ReadError::NoProcess(_))));
    }

    #[tokio::test]
    async fn a_dropped_read_kills_its_process_and_frees_its_place() {
        // The program that the process starts in turn is killed too.
        let (readers, path) = scripted("slow", "sleep 600 & echo $! > $0.pid; wait");
        let pid_file = PathBuf::from(format!("{}.pid", path.display()));
        let begun = async {
            while std::fs::read_to_string(&pid_file).unwrap_or_default().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let desk = readers.free().await;
        let upload = upload();
        tokio::select! {
            read = desk.read(&upload) => panic!("{read:?}"),
            () = begun => {}
        }
        let pid: i32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
        // One that has ended may wait for its new parent to look.
        let is_running = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            nix::sys::signal::kill(Pid::from_raw(pid), None).is_ok() && !stat.contains(") Z ")
        };
        let is_gone = async {
            while is_running() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), is_gone).await.unwrap();
        for file in [path, pid_file] {
            std::fs::remove_file(file).unwrap();
        }
    }
}
