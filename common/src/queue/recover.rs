//! Finds jobs that a queue does not know, and repairs known jobs that are in none of its sets.

use copydesk_domain::id::JobId;

use super::{BATCH, Queue, QueueError};
use crate::redis::script::{QUEUE_RECOVER, on_keys};

/// What [`Queue::recover`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Jobs that the queue does not know: they must be pushed.
    pub unknown: Vec<JobId>,
    /// The number of known jobs that were in no set, where no claim would have found them. They are
    /// ready now.
    pub put_back: u64,
}

impl Queue {
    /// Finds which of these jobs the queue does not know, and makes known ones ready that are in no
    /// set. One round trip for every 500 jobs.
    pub async fn recover(&self, ids: &[JobId]) -> Result<Recovery, QueueError> {
        let keys = &self.keys;
        let mut recovery = Recovery::default();
        for batch in ids.chunks(BATCH) {
            let mut call = on_keys(
                &QUEUE_RECOVER,
                [
                    &keys.messages,
                    &keys.ready_interactive,
                    &keys.ready_bulk,
                    &keys.delayed,
                    &keys.clocks,
                    &keys.state,
                    &keys.bell,
                    &keys.epochs,
                    &keys.leases,
                    &keys.capped,
                    &keys.places,
                ],
            );
            for id in batch {
                call.arg(id.to_string());
            }
            let answer: Vec<u64> = call.invoke_async(&mut self.redis.commands()).await?;
            let (put_back, known) = answer.split_first().unwrap_or((&0, &[]));
            recovery.put_back += put_back;
            recovery.unknown.extend(batch.iter().zip(known).filter(|(_, known)| **known == 0).map(|(id, _)| *id));
        }
        Ok(recovery)
    }

    /// Which of these jobs the queue does not know. Changes nothing. One round trip for every 500
    /// jobs.
    pub async fn unknown(&self, ids: &[JobId]) -> Result<Vec<JobId>, QueueError> {
        let mut unknown = Vec::new();
        for batch in ids.chunks(BATCH) {
            let mut pipeline = redis::pipe();
            for id in batch {
                pipeline.hexists(&self.keys.messages, id.to_string());
            }
            let known: Vec<bool> = pipeline.query_async(&mut self.redis.commands()).await?;
            unknown.extend(batch.iter().zip(known).filter(|(_, known)| !known).map(|(id, _)| *id));
        }
        Ok(unknown)
    }
}
