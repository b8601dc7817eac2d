//! A private Redis (or Valkey): its own data folder and port, reachable only from this machine.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use super::Durability;
use crate::binaries;
use crate::install::{self, Package};
use crate::process::{Ending, Server};
use crate::project::State;
use crate::{interrupt, ports};

/// The time limit of a start: Redis first reads its append-only file.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The attempts with another port: another process can take a free port before Redis uses it.
const PORT_ATTEMPTS: u32 = 3;

pub(crate) fn find_or_install(state: &State) -> anyhow::Result<PathBuf> {
    if let Some(program) = binaries::redis() {
        return Ok(program);
    }
    install::install(Package::Redis, state)?;
    binaries::redis().context("Redis was installed, but neither redis-server nor valkey-server is in PATH")
}

/// Starts it and returns its URL.
pub(crate) fn start(program: &Path, state: &State, durability: Durability) -> anyhow::Result<(Server, String)> {
    let data = state.data("redis");
    std::fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    let mut attempt = 1;
    loop {
        let port = ports::any_free()?;
        let mut server = Server::start(state, "redis", command(program, &data, port, durability), Ending::Terminate)?;
        match server.wait_until(READY_WITHIN, || answers(port)) {
            Ok(()) => return Ok((server, format!("redis://127.0.0.1:{port}/0"))),
            Err(error) if error.is::<interrupt::Interrupted>() || attempt == PORT_ATTEMPTS => return Err(error),
            Err(_) => attempt += 1,
        }
    }
}

fn command(program: &Path, data: &Path, port: u16, durability: Durability) -> Command {
    let append_only = match durability {
        Durability::Kept => "yes",
        Durability::Throwaway => "no",
    };
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(data);
    // The queue must not lose keys to eviction, and no snapshots are needed besides the file.
    command.args(["--appendonly", append_only, "--maxmemory-policy", "noeviction", "--save", ""]);
    command
}

/// Whether it accepts commands: while it reads its data, it answers with an error.
fn answers(port: u16) -> bool {
    let ping = || -> std::io::Result<bool> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG\r\n")
    };
    ping().unwrap_or(false)
}
