//! The handlers of running jobs, one for each kind. [`crate::execute`] makes the jobs' transitions.

use std::error::Error;
use std::fmt;
use std::future::ready;
use std::time::Duration;

use copydesk_common::config::Config;
use copydesk_domain::job::StartedJob;
use copydesk_domain::work::Work;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::context::Context;
use crate::erase::Erase;
use crate::feedback;
use crate::ingest::Ingest;
use crate::ingest::readers::{self, Readers};
use crate::outcome::Interruption;
use crate::pipeline;
use crate::pipeline::deps::PipelineDeps;
use crate::problem;
use crate::provider::ClientError;

/// Does the work of jobs.
pub trait Handler: fmt::Debug + Send + Sync {
    /// Runs a started job to its end; on `Ok`, its end is stored. The future may be dropped at any
    /// moment, and the handler may be called again for the same job under a later lease.
    fn handle<'a>(&'a self, context: &'a Context, job: &'a StartedJob) -> BoxFuture<'a, Result<(), Interruption>>;
}

/// The handlers of every kind of job.
#[derive(Debug)]
pub(crate) struct Handlers {
    pipeline: PipelineDeps,
    ingest: Ingest,
    erase: Erase,
}

impl Handlers {
    /// Creates the handlers. Makes no calls.
    pub(crate) fn new(config: &Config, context: &Context) -> Result<Self, ClientError> {
        let pipeline = PipelineDeps::new(config, context)?;
        let learning = pipeline.providers.clone().learn(config.providers.clone());
        tokio::spawn(context.leaving.draining.clone().run_until_cancelled_owned(learning));
        let readers = Readers::new(config.worker.reader_program.clone(), config.worker.reading_seconds);
        tokio::spawn(readers::warn_of_what_is_missing());
        let ingest = Ingest::new(context.store.clone(), readers, pipeline.embedder.clone());
        let erase = Erase::new(Duration::from_millis(config.worker.lease_ms));
        Ok(Self { pipeline, ingest, erase })
    }
}

impl Handler for Handlers {
    fn handle<'a>(&'a self, context: &'a Context, job: &'a StartedJob) -> BoxFuture<'a, Result<(), Interruption>> {
        match Work::read(job.kind, &job.payload) {
            Ok(Work::Generate(request)) => pipeline::run(&self.pipeline, job, request).boxed(),
            Ok(Work::Feedback(verdict)) => feedback::run(&self.pipeline, job, verdict).boxed(),
            Ok(Work::Ingest(payload)) => self.ingest.run(job, payload.document_id).boxed(),
            Ok(Work::Erase(payload)) => self.erase.run(context, job, payload).boxed(),
            // Not retried: another attempt would read the same payload.
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "a job's payload cannot be read: the job fails");
                ready(Err(problem::unreadable(job).into())).boxed()
            }
        }
    }
}
