//! Free TCP ports on 127.0.0.1.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, bail};

/// Whether a server could listen at the port now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A free port from the system's ephemeral range: never a service's default port.
pub(crate) fn any_free() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free TCP port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// The first `count` free ports from `first` on.
pub(crate) fn free_from(first: u16, count: usize) -> anyhow::Result<Vec<u16>> {
    let ports: Vec<u16> = (first..=u16::MAX).filter(|port| is_free(*port)).take(count).collect();
    if ports.len() < count {
        bail!("there are no {count} free ports from {first} on: choose a lower --port");
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_port_in_use_is_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(!is_free(port));
        let free = free_from(port, 1);
        assert!(free.map_or(true, |ports| !ports.contains(&port)));
    }

    #[test]
    fn the_end_of_the_range_is_an_error() {
        assert!(free_from(u16::MAX, 2).unwrap_err().to_string().contains("--port"));
    }
}
