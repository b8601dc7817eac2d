//! Postgres and Redis for a run: the user's own if the settings name them, else private ones that
//! start and end with this program. The system's services are never touched. The program that reads
//! PDFs is installed with them.

mod postgres;
mod redis;

use crate::install::{self, Package};
use crate::process::Server;
use crate::project::{Project, State};
use crate::screen::{self, Step};

/// The program with which workers read PDFs.
const POPPLER: &str = "pdftotext";
/// The program that drives Chromium, in which the console's tests look at its pages.
const CHROMIUM: &str = "chromedriver";

/// The durability of private services' data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// As in production: committed data survives a crash.
    Kept,
    /// For tests: data is removed after the run, which is faster.
    Throwaway,
}

/// A database server that Copydesk can use.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) uri: String,
    /// The server if it is private; dropping it ends the server.
    server: Option<Server>,
}

/// Both services that Copydesk needs.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) postgres: Service,
    pub(crate) redis: Service,
}

impl Services {
    /// For `up`: the services in the settings, and private ones for those that are not set.
    pub(crate) fn given_or_private(project: &Project, state: &State) -> anyhow::Result<Self> {
        if let Err(error) = install::find_or_install(Package::Poppler, POPPLER, state) {
            screen::line(format_args!("  ! PDF documents cannot be read: {error:#}"));
        }
        let postgres = Service::given(project, "Postgres", &["POSTGRES_URI", "POSTGRES_ASYNC_URI"]);
        let redis = Service::given(project, "Redis", &["REDIS_URL"]);
        Self::with_private(state, Durability::Kept, postgres, redis)
    }

    /// For tests: private services without durability, whatever the settings are.
    pub(crate) fn throwaway(state: &State) -> anyhow::Result<Self> {
        // The check of the query data has left its database in this state.
        state.remove_data()?;
        install::find_or_install(Package::Poppler, POPPLER, state)?;
        if let Err(error) = install::find_or_install(Package::Chromium, CHROMIUM, state) {
            screen::line(format_args!("  ! the console is not tried in a browser: {error:#}"));
        }
        Self::with_private(state, Durability::Throwaway, None, None)
    }

    /// The given services, and private ones for those that are not given.
    fn with_private(
        state: &State,
        durability: Durability,
        postgres: Option<Service>,
        redis: Option<Service>,
    ) -> anyhow::Result<Self> {
        if redis.is_none() {
            // Missing programs must be reported before Postgres starts.
            redis::find_or_install(state)?;
        }
        let postgres = postgres.map_or_else(|| private_postgres(state, durability), Ok)?;
        let redis = redis.map_or_else(|| private_redis(state, durability), Ok)?;
        Ok(Self { postgres, redis })
    }

    /// Fails if a private service has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let servers = self.postgres.server.iter_mut().chain(&mut self.redis.server);
        servers.into_iter().try_for_each(Server::check)
    }

    /// A line for each private service. Addresses of the user's own are not shown: they may contain
    /// a password.
    pub(crate) fn places(&self) -> String {
        let places = [("Postgres", &self.postgres), ("Redis", &self.redis)];
        let private = places.into_iter().filter(|(_, service)| service.server.is_some());
        private.map(|(name, service)| format!("{name:<10} {}\n", service.uri)).collect()
    }
}

impl Service {
    /// The user's own service, by the first of the variables that is set.
    fn given(project: &Project, name: &str, variables: &[&str]) -> Option<Self> {
        let (variable, uri) =
            variables.iter().find_map(|variable| Some((variable, project.settings.get(variable)?)))?;
        screen::line(format_args!("  ✓ {name}: yours, from {variable}"));
        Some(Self { uri, server: None })
    }
}

/// The server program of Redis, for code that starts its own server.
pub(crate) fn redis_program(state: &State) -> anyhow::Result<std::path::PathBuf> {
    redis::find_or_install(state)
}

pub(crate) fn private_postgres(state: &State, durability: Durability) -> anyhow::Result<Service> {
    let installation = postgres::find_or_install(state)?;
    let step = Step::begin(format_args!("starting Postgres {}", installation.major));
    let (server, uri) = postgres::start(&installation, state, durability, &step)?;
    step.done(format_args!("Postgres {}, private: {uri}", installation.major));
    Ok(Service { uri, server: Some(server) })
}

fn private_redis(state: &State, durability: Durability) -> anyhow::Result<Service> {
    let program = redis::find_or_install(state)?;
    let step = Step::begin("starting Redis");
    let (server, uri) = redis::start(&program, state, durability)?;
    step.done(format_args!("Redis, private: {uri}"));
    Ok(Service { uri, server: Some(server) })
}

/// The private Postgres that runs in this state, by its URI.
pub(crate) fn running_postgres(state: &State) -> Option<String> {
    postgres::running(state)
}

/// For the query data: only a private Postgres, with the migrations applied.
pub(crate) fn migrated_postgres(state: &State, project: &Project) -> anyhow::Result<Service> {
    let installation = postgres::find_or_install(state)?;
    let step = Step::begin("starting Postgres");
    let (server, uri) = postgres::start(&installation, state, Durability::Throwaway, &step)?;
    step.now("applying the migrations");
    postgres::apply(&installation, &uri, &project.root.join("migrations"), state)?;
    step.done("a Postgres with the migrations applied");
    Ok(Service { uri, server: Some(server) })
}
