//! The program: its arguments, exit codes and shutdown.

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use copydesk_testkit::empty_database;
use sqlx::postgres::PgPoolOptions;

use crate::service::NOBODY;

pub(crate) fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_copydesk-api"));
    program
        .env_clear()
        .env("POSTGRES_URI", format!("postgres://{NOBODY}/none"))
        .env("REDIS_URL", format!("redis://{NOBODY}"))
        .env("COPYDESK_API_LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null());
    program
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn one_line(output: &Output, code: i32) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    err
}

#[test]
fn it_tells_what_it_takes() {
    let help = program().arg("--help").output().unwrap();
    assert!(help.status.success());
    for part in ["migrate", "--check", "POSTGRES_URI", "COPYDESK_API_LISTEN [default: 127.0.0.1:8080]"] {
        assert!(text(&help.stdout).contains(part), "{part}");
    }
    let version = program().arg("--version").output().unwrap();
    assert_eq!(text(&version.stdout), format!("copydesk-api {}\n", env!("CARGO_PKG_VERSION")));
    let checked = text(&program().arg("--check").output().unwrap().stdout);
    assert!(
        checked.starts_with("configuration ok; requests need an API key") && checked.lines().count() == 1,
        "{checked}"
    );
    let open = text(&program().env("COPYDESK_AUTH", "open").arg("--check").output().unwrap().stdout);
    assert!(open.starts_with("configuration ok; COPYDESK_AUTH=open"), "{open}");
}

#[test]
fn a_senseless_configuration_is_one_line_that_names_the_variable() {
    let missing = program().env_remove("POSTGRES_URI").output().unwrap();
    assert!(one_line(&missing, 2).contains("POSTGRES_URI"));
    let missing = program().env_remove("REDIS_URL").output().unwrap();
    assert!(one_line(&missing, 2).contains("REDIS_URL is not set"));
    let wrong = program().env("COPYDESK_API_LISTEN", "everywhere").arg("--check").output().unwrap();
    assert!(one_line(&wrong, 2).contains("COPYDESK_API_LISTEN"));
    let wrong = program().env("COPYDESK_LOG", "copydesk_api=loud").arg("--check").output().unwrap();
    assert!(one_line(&wrong, 2).contains("COPYDESK_LOG"));
}

#[test]
fn a_port_in_use_is_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = one_line(&program().env("COPYDESK_API_LISTEN", &address).output().unwrap(), 1);
    assert!(line.contains(&address) && line.contains("in use"), "{line}");
}

#[test]
fn migrating_without_a_database_fails_in_one_line() {
    let migrated = program().env("COPYDESK_DATABASE_ACQUIRE_TIMEOUT_SECONDS", "1").arg("migrate").output().unwrap();
    one_line(&migrated, 1);
}

#[tokio::test]
async fn it_migrates_an_empty_database_and_again_is_harmless() {
    let uri = empty_database().await;
    let pool = PgPoolOptions::new().connect_lazy(&uri).unwrap();
    sqlx::query("select id from jobs").fetch_all(&pool).await.unwrap_err();
    for _ in 0..2 {
        let migrated = program().env("POSTGRES_URI", &uri).arg("migrate").output().unwrap();
        assert!(migrated.status.success(), "{migrated:?}");
    }
    sqlx::query("select id from jobs").fetch_all(&pool).await.unwrap();
}

#[test]
fn it_ends_when_told_to_and_warns_of_unknown_names() {
    use std::io::{BufRead, BufReader};

    let mut child = program()
        .env("COPYDESK_LLM_MODLE", "x")
        .env("LOG_FORMAT", "json")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let warning = lines.find(|line| line.contains("COPYDESK_LLM_MODLE")).unwrap();
    assert!(warning.contains("WARN"), "{warning}");
    lines.find(|line| line.contains("serving")).unwrap();
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    lines.find(|line| line.contains("shutting down")).unwrap();
    let started = std::time::Instant::now();
    assert!(child.wait().unwrap().success());
    assert!(started.elapsed() < Duration::from_secs(5));
}
