//! What generations are made with: one of each for all jobs of a process.

use std::fmt;

use copydesk_common::config::Config;
use copydesk_common::store::Store;
use copydesk_knowledge::Knowledge;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::voices::Voices;
use crate::broadcast::Broadcast;
use crate::context::Context;
use crate::embed::Embedder;
use crate::feedback::Turns;
use crate::journal::Journal;
use crate::provider::{ClientError, Providers};

/// What the indexes of the businesses' passages may take in memory, in bytes.
const KNOWLEDGE_BYTES: usize = 256 * 1024 * 1024;

/// What generations are made with. Made once a process.
#[derive(Clone)]
pub struct PipelineDeps {
    /// Postgres.
    pub store: Store,
    /// What jobs write there together.
    pub journal: Journal,
    /// The models and the search.
    pub providers: Providers,
    /// The businesses' passages.
    pub knowledge: Knowledge,
    /// Makes vectors of them; `None` where that is off.
    pub embedder: Option<Embedder>,
    /// How the businesses' documents sound.
    pub voices: Voices,
    /// Shows texts to those who follow their jobs.
    pub broadcast: Broadcast,
    /// From this length on a text's plan is a call of its own, in words.
    pub outline_from_words: u16,
    /// The share of texts that are written without what was learned, in percent.
    pub control_percent: u8,
    /// Whose verdict is applied.
    pub turns: Turns,
    /// Cancelled when the worker leaves: no stage starts any more.
    pub draining: CancellationToken,
    /// Accounts that are still to be stored of jobs that were stopped midway.
    pub accounts: TaskTracker,
}

impl fmt::Debug for PipelineDeps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineDeps").field("providers", &self.providers).finish_non_exhaustive()
    }
}

impl PipelineDeps {
    /// Sets everything up; calls nobody.
    pub fn new(config: &Config, context: &Context) -> Result<Self, ClientError> {
        let Context { store, journal, redis, broadcast, leaving, .. } = context;
        let providers = Providers::new(&config.providers, redis)?;
        let embedder = |embeddings| Embedder::new(store.clone(), embeddings, config.providers.call_timeout());
        let embedder = providers.embeddings.clone().map(embedder);
        let knowledge = Knowledge::new(store.clone(), KNOWLEDGE_BYTES).sharing_results(redis.clone());
        let knowledge = match &embedder {
            Some(embedder) => knowledge.with_vectors_of(embedder.model()),
            None => knowledge,
        };
        Ok(Self {
            store: store.clone(),
            journal: journal.clone(),
            providers,
            knowledge,
            embedder,
            voices: Voices::new(store.clone()),
            broadcast: broadcast.clone(),
            outline_from_words: config.worker.outline_from_words,
            control_percent: config.worker.learning_control_percent,
            turns: Turns::default(),
            draining: leaving.draining.clone(),
            accounts: leaving.accounts.clone(),
        })
    }
}
