//! The binary: its usage errors, and a clean end on a signal.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

fn simulator(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_copydesk-simulator"));
    command.args(arguments);
    command
}

fn fails(arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = simulator(arguments).output().unwrap();
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{arguments:?}: {message}");
    assert_eq!(message.lines().count(), 1, "{arguments:?}: {message}");
    message
}

#[test]
fn bad_values_are_told_in_one_line() {
    assert!(fails(&["--llm-rpm", "0"]).contains("--llm-rpm"));
    assert!(fails(&["--seed", "x"]).contains("--seed"));
    assert!(fails(&["--listen", "nowhere"]).contains("--listen"));
    assert!(fails(&["--tokens-per-second", "0"]).contains("--tokens-per-second"));
    assert!(fails(&["--model-limits", "m=30"]).contains("30rpm/12000tpm/1000rpd/100000tpd"));
    assert!(fails(&["--malformed", "3"]).contains("--malformed"));
    assert!(fails(&["--follow", "1.5"]).contains("--follow"));
    assert!(fails(&["--wat"]).contains("--wat"));
    assert!(fails(&["--faults", "/no/such/file"]).contains("/no/such/file"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(fails(&["--listen", &address]).contains(&address));
}

#[test]
fn help_and_version_are_no_errors() {
    for (flag, expected) in [("--help", "--search-rpm"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let output = simulator(&[flag]).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains(expected), "{flag}");
    }
}

#[test]
fn it_says_where_it_is_and_ends_cleanly_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let mut child = simulator(&["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("/openai/v1"), "{line}");
        let kill = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        assert!(child.wait().unwrap().success());
    }
}
