//! The crate works on texts only: it links no async runtime, no database and no HTTP.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

const FORBIDDEN: [&str; 10] =
    ["tokio", "sqlx", "redis", "axum", "tower", "hyper", "http", "reqwest", "rustls", "copydesk-common"];

#[test]
fn it_links_no_runtime_database_or_http() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", "copydesk-editorial", "--edges", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let (listed, said) = (String::from_utf8(tree.stdout).unwrap(), String::from_utf8_lossy(&tree.stderr));
    assert!(listed.starts_with("copydesk-editorial "), "{listed}{said}");
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    // `sqlx` is many crates: each is named after it.
    let is_of = |name: &str, family: &str| name == family || name.starts_with(&format!("{family}-"));
    let found: Vec<_> = names.iter().filter(|name| FORBIDDEN.iter().any(|family| is_of(name, family))).collect();
    assert!(found.is_empty(), "{found:?} in\n{listed}");
}
