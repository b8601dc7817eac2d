//! Batches the writes of this process's jobs: many share a statement and its commit, and each has
//! its own fencing and result. The statements are in the store.

use std::time::Duration;

use copydesk_common::batch::{BatchError, Batcher, Limits};
use copydesk_common::store::Store;
use copydesk_common::store::generation::{self, Ending};
use copydesk_common::store::job::{self, Checkpoint, Fenced};
use copydesk_domain::job::{LeaseRef, StartedJob};
use futures_util::FutureExt;
use tokio_util::task::TaskTracker;

use crate::outcome::Interruption;

/// Several concurrent batches for each kind of statement, so that their commits overlap. The number
/// of waiting writes is bounded by the running jobs, and their wait by the store's patience: a
/// result that is paid for is not given up earlier.
const LIMITS: Limits = Limits { lanes: 4, batch: 256, waiting: usize::MAX, patience: Duration::MAX };

/// Batches the begins, checkpoints and ends of this process's jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    begins: Batcher<LeaseRef, Option<StartedJob>>,
    checkpoints: Batcher<Checkpoint, Fenced>,
    endings: Batcher<Ending, Fenced>,
}

impl Journal {
    /// Starts the lanes; they end with the last clone of the handle. `owner` is the name of this
    /// process in leases. Needs a tokio runtime.
    pub fn start(store: &Store, owner: &str) -> Self {
        let (lanes, owner) = (TaskTracker::new(), owner.to_owned());
        Self {
            begins: Batcher::start(
                LIMITS,
                (store.clone(), owner),
                |(store, owner), leases| job::begin_all(store, leases, owner).boxed(),
                &lanes,
            ),
            checkpoints: Batcher::start(
                LIMITS,
                store.clone(),
                |store, checkpoints| job::checkpoint_all(store, checkpoints).boxed(),
                &lanes,
            ),
            endings: Batcher::start(
                LIMITS,
                store.clone(),
                |store, endings| generation::settle_all(store, endings).boxed(),
                &lanes,
            ),
        }
    }

    /// Begins a job: [`job::begin`].
    pub async fn begin(&self, lease: LeaseRef) -> Result<Option<StartedJob>, BatchError> {
        Ok(self.begins.commit(lease).await?.1)
    }

    /// Stores finished stages: [`job::checkpoint_all`].
    pub async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<(), Interruption> {
        held(self.checkpoints.commit(checkpoint).await?.1)
    }

    /// Ends a job with its text: [`generation::settle_all`].
    pub async fn settle(&self, ending: Ending) -> Result<(), Interruption> {
        held(self.endings.commit(ending).await?.1)
    }
}

fn held(fenced: Fenced) -> Result<(), Interruption> {
    match fenced {
        Fenced::Written => Ok(()),
        Fenced::Superseded => Err(Interruption::Superseded),
    }
}
