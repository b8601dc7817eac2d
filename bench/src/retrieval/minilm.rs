//! all-MiniLM-L6-v2, a small and well-known model, as a separate program: so that the figures of
//! the search by meaning can be reproduced without an API key.

use std::path::Path;
use std::time::Duration;

use copydesk_common::config::EmbeddingsConfig;

use crate::peer::Installed;
use crate::process::{Group, Process};
use crate::redis_server;

/// How long the start may take: it reads the weights from disk.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The running model. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct MiniLm {
    config: EmbeddingsConfig,
    _group: Group,
    _process: Process,
}

impl MiniLm {
    /// Starts it, with its log in `logs`. Installs it first if necessary.
    pub(crate) async fn start(installed: &Installed, logs: &Path) -> anyhow::Result<Self> {
        let mut command = installed.minilm().await?;
        let address = redis_server::free_address()?;
        command.arg(address.port().to_string()).process_group(0);
        let mut process = Process::spawn("minilm", command, logs)?;
        let group = Group(process.pid());
        process.listening(address, READY_WITHIN).await?;
        let config = EmbeddingsConfig {
            base_url: Some(format!("http://{address}/v1").parse()?),
            model: Some("all-MiniLM-L6-v2".to_owned()),
            api_key: None,
            requests_per_minute: 60,
        };
        Ok(Self { config, _group: group, _process: process })
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> &EmbeddingsConfig {
        &self.config
    }
}
