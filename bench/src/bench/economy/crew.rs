//! What Copydesk replaces: FastAPI with a CrewAI crew a request, on a simulator of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use copydesk_simulator::Simulator;
use futures_util::future::join_all;
use reqwest::Client;
use serde_json::Value;
use tokio::process::Command;

use super::outcome::{Finished, Outcome};
use super::{CALLS, SEARCHES, briefs, provider};
use crate::Ground;
use crate::peer::Installed;
use crate::process::{Group, Process};
use crate::redis_server;

/// Its imports take many seconds, and several start at once.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// The processes, which end when this is dropped.
pub(super) struct Crew {
    size: usize,
    simulator: Simulator,
    servers: Vec<Server>,
}

/// One process. Texts go to each in turn, as a load balancer deals them: processes that share a socket
/// would leave a burst to whichever of them woke first.
struct Server {
    address: SocketAddr,
    process: Process,
    _group: Group,
}

impl Crew {
    /// Starts so many processes; installs them first where that was not done yet.
    pub(super) async fn start(ground: &Ground, folder: &Path, processes: usize, size: usize) -> anyhow::Result<Self> {
        let folder = folder.join(format!("crew_{processes}_{size}"));
        std::fs::create_dir_all(&folder)?;
        let (installed, simulator) = (Installed::in_folder(ground.peers()?), Simulator::start(provider()).await?);
        let mut servers = Vec::new();
        for number in 0..processes {
            let mut command = installed.crewai().await?;
            let address = redis_server::free_address()?;
            configure(&mut command, address, &simulator, processes, &folder);
            let process = Process::spawn(&format!("peer-{number}"), command, &folder)?;
            let group = Group(process.pid());
            servers.push(Server { address, process, _group: group });
        }
        for server in &mut servers {
            server.process.listening(server.address, READY_WITHIN).await?;
        }
        Ok(Self { size, simulator, servers })
    }

    /// Asks for all texts at once, and waits so long for them.
    pub(super) async fn run(mut self, time: Duration) -> anyhow::Result<Outcome> {
        let (http, began) = (Client::new(), Instant::now());
        let urls = self.servers.iter().map(|server| format!("http://{}/api/generate", server.address)).cycle();
        let texts = briefs::requests(self.size).into_iter().zip(urls).map(|(body, url)| {
            let http = &http;
            async move { tokio::time::timeout(time, written(http, &url, &body, began)).await }
        });
        let ended = join_all(texts).await;
        self.servers.iter_mut().try_for_each(|server| server.process.check())?;
        // What waits no longer is neither finished nor failed.
        let ended: Vec<Option<Finished>> = ended.into_iter().flatten().collect();
        let failed = ended.iter().filter(|text| text.is_none()).count();
        let finished = ended.into_iter().flatten().collect();
        let name = match self.servers.len() {
            1 => "CrewAI, 1 process".to_owned(),
            processes => format!("CrewAI, {processes} processes"),
        };
        Ok(Outcome::new(name, self.size, finished, failed, &self.simulator.calls()))
    }
}

/// A text's end; none where it failed.
async fn written(http: &Client, url: &str, body: &Value, began: Instant) -> Option<Finished> {
    let answer = http.post(url).json(body).send().await.ok()?.error_for_status().ok()?;
    let text: Value = answer.json().await.ok()?;
    let calls = u32::try_from(text["calls"].as_u64()?).ok()?;
    Some(Finished { after_seconds: began.elapsed().as_secs_f64(), calls })
}

fn configure(command: &mut Command, address: SocketAddr, simulator: &Simulator, processes: usize, folder: &Path) {
    command
        .args(["serve:app", "--host", "127.0.0.1", "--port", &address.port().to_string()])
        .args(["--no-access-log", "--log-level", "warning"])
        .env("PROVIDER_URL", simulator.base_url())
        .env("MODEL", "llama-3.3-70b-versatile")
        .env("CALLS_PER_MINUTE", CALLS.to_string())
        .env("SEARCHES_PER_MINUTE", SEARCHES.to_string())
        .env("PROCESSES", processes.to_string())
        // Nothing leaves this machine, and nothing is kept for another run.
        .env("CREWAI_DISABLE_TELEMETRY", "true")
        .env("CREWAI_DISABLE_TRACKING", "true")
        .env("CREWAI_TRACING_ENABLED", "false")
        .env("OTEL_SDK_DISABLED", "true")
        .env("CREWAI_STORAGE_DIR", folder)
        .env("HOME", folder)
        .env("NO_PROXY", "127.0.0.1")
        .process_group(0);
}
