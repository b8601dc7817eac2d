//! A private Postgres: its own data folder and port, reachable only from this machine. Its only
//! user is `copydesk`, without a password.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::Durability;
use crate::accounts::Account;
use crate::binaries::{self, Postgres};
use crate::install::{self, Package};
use crate::process::{self, Ending, Server};
use crate::project::{self, State};
use crate::screen::{self, Step};
use crate::{interrupt, ports};

const USER: &str = "copydesk";
/// The time limit of a start: after a crash, Postgres first replays its log.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The attempts with another port: another process can take a free port before Postgres uses it.
const PORT_ATTEMPTS: u32 = 3;

/// The newest installation, or the one that made the existing data.
pub(crate) fn find_or_install(state: &State) -> anyhow::Result<Postgres> {
    if let Some(newest) = binaries::postgres().into_iter().next() {
        return Ok(newest);
    }
    install::install(Package::Postgres, state)?;
    let found = binaries::postgres().into_iter().next();
    found.with_context(|| format!("the installed Postgres is older than {}", binaries::OLDEST_POSTGRES))
}

/// Starts it with a database `copydesk`, and returns its URI.
pub(crate) fn start(
    installation: &Postgres,
    state: &State,
    durability: Durability,
    step: &Step,
) -> anyhow::Result<(Server, String)> {
    let account = Account::unprivileged()?;
    let data = state.data_for("postgres", account.as_ref())?;
    if !data.starts_with(state.root()) {
        let name = account.as_ref().map_or("postgres", |account| account.name.as_str());
        screen::line(format_args!(
            "  Postgres runs as user {name}, who cannot enter this folder: its data is in {}",
            data.display()
        ));
    }
    let cluster = Cluster { account, data, durability, state };
    let installation = cluster.matching(installation)?;
    if !cluster.data.exists() {
        step.now("making a Postgres database (once)");
        cluster.make(&installation)?;
    }
    cluster.forget_dead_server()?;
    cluster.serve(&installation)
}

/// The URI of the one that runs in this state, if there is one: its port is in the file that it keeps while it runs.
pub(crate) fn running(state: &State) -> Option<String> {
    let data = state.data_for("postgres", Account::unprivileged().ok()?.as_ref()).ok()?;
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let line = |n: usize| text.lines().nth(n).and_then(|line| line.trim().parse::<i32>().ok());
    let is_alive = process::program_of(line(0)?).is_some_and(|program| program.contains("postgres"));
    is_alive.then(|| line(3)).flatten().map(|port| format!("postgres://{USER}@127.0.0.1:{port}/copydesk"))
}

/// A data folder and the settings of its server.
struct Cluster<'a> {
    account: Option<Account>,
    data: PathBuf,
    durability: Durability,
    state: &'a State,
}

impl Cluster<'_> {
    /// The installation that can read the data: each major version has another format.
    fn matching(&self, newest: &Postgres) -> anyhow::Result<Postgres> {
        let Ok(version) = std::fs::read_to_string(self.data.join("PG_VERSION")) else {
            return Ok(newest.clone());
        };
        let version = version.trim();
        let found = binaries::postgres().into_iter().find(|found| found.major.to_string() == version);
        found.with_context(|| {
            format!("the data was made by Postgres {version}, which is not installed any more: install it, or start over with `cargo xtask up --reset`")
        })
    }

    /// Makes the data folder, first under another name: an incomplete one must not look complete.
    fn make(&self, installation: &Postgres) -> anyhow::Result<()> {
        let half = self.data.with_extension("new");
        project::remove_folder(&half)?;
        std::fs::create_dir_all(&half).with_context(|| half.display().to_string())?;
        if let Some(account) = &self.account {
            chown(&half, Some(account.uid), Some(account.gid))?;
        }
        let mut initdb = self.command(&installation.initdb);
        initdb.args(["--username", USER, "--auth=trust", "--encoding=UTF8", "--no-locale", "--pgdata"]).arg(&half);
        if self.durability == Durability::Throwaway {
            initdb.arg("--no-sync");
        }
        process::run_logged(&mut initdb, &self.state.log("initdb"))?;
        Ok(std::fs::rename(half, &self.data)?)
    }

    /// Removes the pid file of a dead server if its pid now belongs to another program, which
    /// Postgres would take for a running server. Our own servers have been ended before.
    fn forget_dead_server(&self) -> anyhow::Result<()> {
        let path = self.data.join("postmaster.pid");
        let Ok(text) = std::fs::read_to_string(&path) else { return Ok(()) };
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
        match pid.and_then(process::program_of) {
            Some(program) if program.contains("postgres") => {
                bail!(
                    "another Postgres, which this program did not start, uses {} (process {})",
                    self.data.display(),
                    pid.unwrap_or_default()
                )
            }
            _ => Ok(std::fs::remove_file(path)?),
        }
    }

    fn serve(&self, installation: &Postgres) -> anyhow::Result<(Server, String)> {
        let mut attempt = 1;
        loop {
            let port = ports::any_free()?;
            let client = Client { psql: &installation.psql, port };
            let command = self.server_command(installation, port);
            let mut server = Server::start(self.state, "postgres", command, Ending::Disconnect)?;
            match server.wait_until(READY_WITHIN, || client.run("postgres", "select 1").is_ok()) {
                Ok(()) => {
                    client.ensure_database()?;
                    return Ok((server, client.uri()));
                }
                Err(error) if error.is::<interrupt::Interrupted>() || attempt == PORT_ATTEMPTS => return Err(error),
                Err(_) => attempt += 1,
            }
        }
    }

    fn server_command(&self, installation: &Postgres, port: u16) -> Command {
        let mut command = self.command(&installation.postgres);
        command.arg("-D").arg(&self.data).arg("-p").arg(port.to_string());
        let durable = match self.durability {
            Durability::Kept => ["fsync=on", "synchronous_commit=on", "full_page_writes=on"],
            Durability::Throwaway => ["fsync=off", "synchronous_commit=off", "full_page_writes=off"],
        };
        let shared = [
            "listen_addresses=127.0.0.1",
            // No socket files: their folder would need a short path, write access and cleanup.
            "unix_socket_directories=",
            "max_connections=500",
            "shared_buffers=256MB",
            "logging_collector=off",
            "timezone=UTC",
            "log_timezone=UTC",
        ];
        for setting in durable.iter().chain(&shared) {
            command.args(["-c", setting]);
        }
        command
    }

    /// A command that runs as the user that Postgres accepts, in a folder that this user can enter.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env("LC_ALL", "C");
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }
}

/// Executes statements with psql.
struct Client<'a> {
    psql: &'a Path,
    port: u16,
}

impl Client<'_> {
    fn uri(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/copydesk", self.port)
    }

    fn run(&self, database: &str, statement: &str) -> anyhow::Result<String> {
        let mut command = psql(self.psql);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", USER, "-d", database]);
        let output = command.args(["-At", "-c", statement]).output().context("cannot run psql")?;
        if !output.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn ensure_database(&self) -> anyhow::Result<()> {
        if self.run("postgres", "select 1 from pg_database where datname = 'copydesk'")?.is_empty() {
            self.run("postgres", "create database copydesk")?;
        }
        Ok(())
    }
}

/// psql without the user's start-up file and variables, and without prompts.
fn psql(program: &Path) -> Command {
    let mut command = Command::new(program);
    for variable in ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGSERVICE", "PGOPTIONS", "PGSSLMODE"] {
        command.env_remove(variable);
    }
    command.env("PGCONNECT_TIMEOUT", "5").args(["--no-psqlrc", "--no-password", "--quiet"]).stdin(Stdio::null());
    command
}

/// Applies a folder of migrations to an empty database, in the order of their names.
pub(crate) fn apply(installation: &Postgres, uri: &str, migrations: &Path, state: &State) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(migrations).with_context(|| migrations.display().to_string())?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    for file in files {
        let mut command = psql(&installation.psql);
        command.args(["--set", "ON_ERROR_STOP=1", "--single-transaction", "--dbname", uri, "--file"]).arg(&file);
        process::run_logged(&mut command, &state.log("migrations"))
            .with_context(|| format!("the migration {} could not be applied", file.display()))?;
    }
    Ok(())
}
