//! The process that reads. It sets its own limits first, then answers requests until its input
//! ends. What a limit stops ends the process, never the worker that asked.
//!
//! macOS does not enforce the limit of the address space: there, the time limits hold.

use std::io::{self, ErrorKind, stdin, stdout};
use std::thread;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};

use crate::wire::{self, Answer, Refusal};

/// The most memory that the process may map, in bytes: its program and its stack included.
pub const MAX_MEMORY_BYTES: u64 = 512 * 1024 * 1024;
/// The stack on which documents are read, in bytes: parsers recurse as deep as a document nests.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// By how much the process stands back for others, as in `nice -n`.
const NICENESS: i32 = 10;
/// Open files: the three pipes, and a few for libraries.
const MAX_FILES: u64 = 16;
/// A process that once took more than this ends, to give it back, in bytes.
const RETIRE_ABOVE_BYTES: i64 = 192 * 1024 * 1024;
/// The most documents that one process reads.
const MAX_DOCUMENTS: usize = 500;

/// Reads documents from standard input until it ends, each within `cpu_seconds` of processor time.
///
/// # Errors
/// The pipes broke, or the limits cannot be set.
pub fn run(cpu_seconds: u16) -> io::Result<()> {
    limit()?;
    let reader =
        thread::Builder::new().name("reader".into()).stack_size(STACK_BYTES).spawn(move || serve(cpu_seconds))?;
    // A panic has been told on standard error.
    reader.join().unwrap_or_else(|_| Err(io::Error::other("the reader panicked")))
}

fn serve(cpu_seconds: u16) -> io::Result<()> {
    let (mut input, mut output) = (stdin().lock(), stdout().lock());
    for document in 1.. {
        let Some(upload) = wire::next(&mut input)? else { break };
        limit_cpu(cpu_seconds)?;
        let outcome = crate::read(&upload).map_err(|reason| Refusal::from(&reason));
        drop(upload);
        let is_last = document == MAX_DOCUMENTS || peak_memory_bytes() > RETIRE_ABOVE_BYTES;
        wire::answer(&mut output, &Answer { outcome, is_last })?;
        if is_last {
            break;
        }
    }
    Ok(())
}

fn limit() -> io::Result<()> {
    // Texts go first: a worker that is starved of processor time loses calls that it pays for.
    rustix::process::nice(NICENESS)?;
    at_most(Resource::RLIMIT_CORE, 0)?;
    at_most(Resource::RLIMIT_FSIZE, 0)?;
    at_most(Resource::RLIMIT_NOFILE, MAX_FILES)?;
    match at_most(Resource::RLIMIT_AS, MAX_MEMORY_BYTES) {
        // macOS refuses a limit below what is mapped, and does not enforce it.
        Err(_) if cfg!(target_os = "macos") => Ok(()),
        set => set,
    }
}

/// Lowers a limit for good. A lower one that holds already stays.
fn at_most(resource: Resource, most: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    let most = most.min(hard);
    Ok(setrlimit(resource, most, most)?)
}

/// Grants the processor time for one more document: the system counts that of the whole process.
fn limit_cpu(seconds: u16) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_CPU)?;
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let used = (usage.user_time() + usage.system_time()).tv_sec() + 1;
    let used = u64::try_from(used).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
    Ok(setrlimit(Resource::RLIMIT_CPU, (used + u64::from(seconds)).min(hard), hard)?)
}

/// The most memory that the process ever had; 0 if unknown.
fn peak_memory_bytes() -> i64 {
    // macOS counts in bytes, other systems in KiB.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss() * unit)
}
