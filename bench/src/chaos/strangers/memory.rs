//! The memory of workers and of the processes that they start, as the kernel counts it. Linux only.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use crate::machine::memory_kib;

const BETWEEN_SAMPLES: Duration = Duration::from_millis(20);

/// The most that was seen.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(in crate::chaos) struct Peaks {
    pub(in crate::chaos) samples: usize,
    /// How many processes that workers started were seen.
    pub(in crate::chaos) readers: usize,
    /// Of one of these, at any time of its life, in KiB.
    pub(in crate::chaos) child_kib: u64,
    /// Of one worker, at any time of its life.
    pub(in crate::chaos) worker_kib: u64,
    /// Of one worker and all processes that it started, in one sample.
    pub(in crate::chaos) together_kib: u64,
}

/// A thread that looks at the memory again and again.
pub(super) struct Memory {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Peaks>,
}

impl Memory {
    /// Watches these workers.
    pub(super) fn watch(workers: Vec<u32>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut peaks, mut seen) = (Peaks::default(), BTreeSet::new());
            while !stopped.load(Ordering::Acquire) {
                workers.iter().for_each(|worker| peaks.look(*worker, &mut seen));
                peaks.samples += 1;
                std::thread::sleep(BETWEEN_SAMPLES);
            }
            Peaks { readers: seen.len(), ..peaks }
        });
        Self { stop, thread }
    }

    pub(super) fn end(self) -> anyhow::Result<Peaks> {
        self.stop.store(true, Ordering::Release);
        self.thread.join().map_err(|_| anyhow::anyhow!("the memory could not be watched"))
    }
}

impl Peaks {
    fn look(&mut self, worker: u32, seen: &mut BTreeSet<u32>) {
        // A process that has just ended has no memory.
        let kib = |process: u32, what: &str| memory_kib(process, what).unwrap_or_default();
        let mut together = kib(worker, "VmRSS");
        for reader in descendants(worker, &program(worker)) {
            seen.insert(reader);
            self.child_kib = self.child_kib.max(kib(reader, "VmHWM"));
            together += kib(reader, "VmRSS");
        }
        self.worker_kib = self.worker_kib.max(kib(worker, "VmHWM"));
        self.together_kib = self.together_kib.max(together);
    }
}

/// The processes below a process, but for copies of it that have not started their program yet:
/// those share its memory.
fn descendants(process: u32, parent: &[u8]) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|line| line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .filter(|child| program(*child) != parent)
        .collect();
    let below = children.iter().flat_map(|child| descendants(*child, &program(*child)));
    below.chain(children.iter().copied()).collect()
}

/// The program and its arguments.
fn program(process: u32) -> Vec<u8> {
    fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn children_and_their_children_are_seen() {
        let mut child = std::process::Command::new("sh").args(["-c", "sleep 60 & wait"]).spawn().unwrap();
        let (mut peaks, mut seen) = (Peaks::default(), BTreeSet::new());
        let began = std::time::Instant::now();
        while seen.len() < 2 {
            peaks.look(std::process::id(), &mut seen);
            assert!(began.elapsed() < Duration::from_secs(20), "{seen:?}");
        }
        assert!(peaks.child_kib > 0 && peaks.together_kib > peaks.child_kib, "{peaks:?}");
        for process in seen {
            let _ = crate::process::send(process, nix::sys::signal::Signal::SIGKILL);
        }
        child.wait().unwrap();
    }
}
