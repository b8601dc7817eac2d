//! poppler's programs, which read a PDF from their standard input: `pdftotext`, and others that
//! come with it.

use std::io::{self, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use nix::sys::signal::Signal;

use super::FORMAT;
use crate::Unusable;

/// The program that tells the text. Debian and its like have it in `poppler-utils`, brew in `poppler`.
pub(crate) const PROGRAM: &str = "pdftotext";
/// The most memory that a program may map, in KiB: with the process that reads it is beside, less
/// than two such pairs and a worker may take together.
const MAX_MEMORY_KIB: u64 = 320 * 1024;
/// Lowers the limits that the program inherits: memory, which macOS refuses, and processor time.
const SCRIPT: &str = r#"ulimit -v "$0" 2>/dev/null; [ -z "$1" ] || ulimit -t "$1"; shift; exec "$@""#;
/// The shell's status where it does not find the program.
const NOT_FOUND: i32 = 127;
/// How much of what the program complains about is kept, in bytes.
const MAX_COMPLAINTS_BYTES: u64 = 4 * 1024;

/// The running program. If it is dropped before its end, it is killed.
pub(super) struct Tool {
    child: Child,
    output: ChildStdout,
    /// Until the end.
    complaints: Option<JoinHandle<String>>,
}

impl Tool {
    /// Starts `program` with `arguments` on a file. It may take `seconds` of processor time, else
    /// what this process may take.
    pub(super) fn start(program: &str, seconds: Option<u8>, arguments: &[&str], file: &[u8]) -> Result<Self, Unusable> {
        let seconds = seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
        let child = Command::new("sh")
            .args(["-c", SCRIPT, &MAX_MEMORY_KIB.to_string(), &seconds, program])
            .args(arguments)
            .args(["-", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| Unusable::Damaged(FORMAT, error.into()))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(Unusable::Damaged(FORMAT, "no pipes".into()));
        };
        let file = file.to_vec();
        thread::spawn(move || write(input, &file));
        Ok(Self { child, output, complaints: Some(thread::spawn(move || complaints(errors))) })
    }

    /// What the program writes.
    pub(super) fn output(&mut self) -> &mut ChildStdout {
        &mut self.output
    }

    /// Waits for the program's end, and tells why it failed.
    pub(super) fn end(mut self) -> Result<(), Unusable> {
        let status = self.child.wait().map_err(|error| Unusable::Damaged(FORMAT, error.into()))?;
        if status.success() {
            return Ok(());
        }
        let complaints = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let is_memory = ["bad_alloc", "Out of memory", "out of memory"].iter().any(|word| complaints.contains(word));
        Err(match status.signal() {
            _ if complaints.contains("Incorrect password") => Unusable::Encrypted(FORMAT),
            _ if status.code() == Some(NOT_FOUND) => Unusable::NoTool(PROGRAM),
            _ if is_memory => Unusable::TooMuchMemory(MAX_MEMORY_KIB * 1024),
            Some(signal) if signal == Signal::SIGXCPU as i32 => Unusable::TooSlow,
            _ => Unusable::Damaged(FORMAT, format!("{status}: {}", complaints.trim()).into()),
        })
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the file. An error means that the program ended before it had read all, which its status
/// tells.
fn write(mut input: ChildStdin, file: &[u8]) {
    let _ = input.write_all(file);
}

/// The beginning of what the program complains about. All is read: else the program would wait.
fn complaints(mut errors: ChildStderr) -> String {
    let mut kept = Vec::new();
    let _ = (&mut errors).take(MAX_COMPLAINTS_BYTES).read_to_end(&mut kept);
    let _ = io::copy(&mut errors, &mut io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}
