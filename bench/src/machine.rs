//! The context of a run's figures: the machine, its load by other processes, and the versions of
//! the software.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::database::Database;
use crate::peer;

/// The machine, as described by the kernel. Unknown values are empty or 0.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) cpu: String,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
}

impl Machine {
    pub(crate) fn read() -> Self {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let memory_kib = field(&file("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0_u64);
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            cpu: field(&file("/proc/cpuinfo"), "model name"),
            memory_mib: memory_kib / 1024,
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }

    /// As text.
    pub(crate) fn render(&self) -> String {
        let Self { cores, cpu, memory_mib, kernel } = self;
        format!("{cores} cores ({cpu}), {memory_mib} MiB, Linux {kernel}")
    }
}

/// The value of the first line that begins with `name`, after its colon.
fn field(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

/// The load average of the last minute; NaN if unknown.
pub(crate) fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

/// Versions by name; unknown ones are left out.
pub(crate) async fn versions(database: &Database, redis_server: &Path) -> BTreeMap<String, String> {
    let mut versions = own_versions();
    versions.extend(peer::versions());
    let mut add = |name: &str, version: Option<String>| versions.extend(version.map(|found| (name.to_owned(), found)));
    add("node", first_line("node", &["--version"]));
    add("redis", first_line(redis_server, &["--version"]));
    add("postgres", sqlx::query_scalar("show server_version").fetch_one(&database.pool).await.ok());
    versions
}

/// The versions of Copydesk and of what it is built and measured with.
pub(crate) fn own_versions() -> BTreeMap<String, String> {
    let found = [
        ("copydesk", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ("commit", first_line("git", &["describe", "--always", "--dirty", "--abbrev=12"])),
        ("rustc", first_line("rustc", &["--version"])),
        ("python", first_line("python3", &["--version"])),
    ];
    found.into_iter().filter_map(|(name, version)| Some((name.to_owned(), version?))).collect()
}

fn first_line(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(|line| line.trim().to_owned())
}

/// A process's memory in KiB, as counted by the kernel: `VmRSS` is the current value, `VmHWM` the
/// peak.
pub(crate) fn memory_kib(pid: u32, what: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(field(&status, what).trim_end_matches(" kB").parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_the_begin_of_their_line() {
        let text = "processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nmodel name\t: another\n";
        assert_eq!(field(text, "model name"), "A CPU @ 2 GHz");
        assert_eq!(field(text, "missing"), "");
    }

    #[test]
    fn the_machine_is_described() {
        let machine = Machine::read();
        assert!(machine.cores > 0 && machine.memory_mib > 0 && !machine.kernel.is_empty(), "{machine:?}");
    }
}
