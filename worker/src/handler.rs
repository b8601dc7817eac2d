//! What is done with a job once it has begun: one handler for each kind. Claiming it, and moving it
//! between its states, is [`crate::execute`]'s.

use std::fmt;

use copydesk_common::config::Config;
use copydesk_domain::job::{JobKind, StartedJob};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::context::Context;
use crate::feedback;
use crate::ingest::Ingest;
use crate::outcome::Interruption;
use crate::pipeline;
use crate::pipeline::deps::PipelineDeps;
use crate::provider::ClientError;

/// Does the work of jobs.
pub trait Handler: fmt::Debug + Send + Sync {
    /// Runs a job that has begun to its end: with `Ok`, its end is stored. May be dropped at any moment,
    /// and called again for the same job under a later lease.
    fn handle<'a>(&'a self, context: &'a Context, job: &'a StartedJob) -> BoxFuture<'a, Result<(), Interruption>>;
}

/// The handlers of every kind of job.
#[derive(Debug)]
pub(crate) struct Handlers {
    pipeline: PipelineDeps,
    ingest: Ingest,
}

impl Handlers {
    /// Sets them up; calls nobody.
    pub(crate) fn new(config: &Config, context: &Context) -> Result<Self, ClientError> {
        let pipeline = PipelineDeps::new(config, context)?;
        let ingest = Ingest::new(context.store.clone(), pipeline.embedder.clone());
        Ok(Self { pipeline, ingest })
    }
}

impl Handler for Handlers {
    fn handle<'a>(&'a self, context: &'a Context, job: &'a StartedJob) -> BoxFuture<'a, Result<(), Interruption>> {
        match job.kind {
            JobKind::Generate => pipeline::run(&self.pipeline, job).boxed(),
            JobKind::Feedback => feedback::run(&context.store, job).boxed(),
            JobKind::Ingest => self.ingest.run(job).boxed(),
        }
    }
}
