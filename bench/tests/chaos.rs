//! The delivery guarantees, on the real programs: jobs run while processes and servers fail, and
//! the checker verifies the history afterwards. Only a few faults; `cargo xtask chaos` runs all.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn nothing_is_lost_doubled_or_paid_twice_while_workers_and_redis_and_the_api_die() {
    let postgres =
        std::env::var("POSTGRES_URI").expect("POSTGRES_URI names the server for tests: use `cargo xtask test`");
    let run = Command::new(env!("CARGO_BIN_EXE_copydesk-bench"))
        .args(["chaos", "--seed", "7", "--jobs", "50", "--seconds", "7", "--outage", "3", "--quota", "60000"])
        .args(["--workers", "2", "--faults", "worker-kill,redis-restart,api-kill", "--postgres", &postgres])
        .output()
        .expect("the program starts");
    let said = format!("{}{}", String::from_utf8_lossy(&run.stderr), String::from_utf8_lossy(&run.stdout));
    assert!(run.status.success(), "{said}");
    assert!(said.contains("every guarantee held"), "{said}");
}
