//! The apalis workers of this process, one for each kind of job, on Copydesk's own backend. Only
//! this module and the backend use apalis.

use std::sync::{Arc, Mutex, PoisonError};

use apalis::prelude::{BoxDynError, Data, Monitor, WorkerBuilder};
use copydesk_common::queue::{Next, Queue};
use copydesk_domain::job::JobKind;
use tokio_util::task::AbortOnDropHandle;

use crate::context::Context;
use crate::execute::execute;
use crate::handler::Handler;
use crate::queue::Claim;
use crate::queue::backend::{BackendOptions, QueueBackend, Reachability};

/// Whether the workers of this process can receive jobs.
#[derive(Debug, Clone, Default)]
pub struct Receiving(Arc<Mutex<Vec<Reachability>>>);

impl Receiving {
    fn add(&self, reachability: Reachability) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(reachability);
    }

    /// True if every kind's worker has had a recent answer from its queue.
    pub fn can_receive(&self) -> bool {
        let workers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !workers.is_empty() && workers.iter().all(Reachability::can_receive)
    }
}

/// The workers of every kind, ready to run until this process shuts down.
pub(crate) fn workers(
    context: &Arc<Context>,
    handler: &Arc<dyn Handler>,
    options: &BackendOptions,
    receiving: &Receiving,
) -> Monitor {
    JobKind::ALL.iter().fold(Monitor::new(), |monitor, &kind| {
        let (context, handler) = (Arc::clone(context), Arc::clone(handler));
        let (options, receiving) = (options.clone(), receiving.clone());
        monitor.register(move |_| {
            let queue = Queue::new(&context.redis, kind);
            let backend = QueueBackend::start(&queue, options.clone());
            receiving.add(backend.reachability());
            WorkerBuilder::new(format!("{}-{kind}", context.owner))
                .backend(backend)
                .data(Arc::clone(&context))
                .data(Arc::clone(&handler))
                .build(handle)
        })
    })
}

/// Runs each job in its own task: apalis polls all handlers of a worker in one.
async fn handle(
    claim: Claim,
    context: Data<Arc<Context>>,
    handler: Data<Arc<dyn Handler>>,
) -> Result<Next, BoxDynError> {
    let (context, handler) = (Arc::clone(&context), Arc::clone(&handler));
    let job = tokio::spawn(async move { execute(&context, &*handler, &claim).await });
    Ok(AbortOnDropHandle::new(job).await?)
}
