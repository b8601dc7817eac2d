//! Leases: the calls of the scripts that grant, extend and end them. The worker keeps track of its
//! leases and decides when to renew them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use copydesk_domain::job::{LeaseEpoch, LeaseRef};

use super::{BATCH, Entry, Queue, QueueError, record};
use crate::redis::script::{QUEUE_CLAIM, QUEUE_READOPT, QUEUE_RENEW, QUEUE_SETTLE, on_keys};

/// What happens to a job when its lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The job has ended: the queue forgets it.
    Done,
    /// The job goes back to the front of the queue.
    Back,
    /// The job becomes ready at this time.
    Later(DateTime<Utc>),
}

/// A lease that ends, and what happens to its job.
#[derive(Debug, Clone, Copy)]
pub struct Settled {
    /// The lease.
    pub lease: LeaseRef,
    /// What happens to the job.
    pub next: Next,
}

/// The result of renewing a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The caller still holds it.
    Extended,
    /// Another worker holds the job, or it has ended.
    Lost,
    /// Redis was flushed: the job may be readopted.
    Unknown,
}

/// A claimer.
#[derive(Debug, Clone, Copy)]
pub struct Claimant<'a> {
    /// Its unique name.
    pub name: &'a str,
    /// Whether its last claim found nothing.
    pub was_idle: bool,
}

/// The result of a claim.
#[derive(Debug)]
pub struct Claims {
    /// The jobs that are now leased to the claimer.
    pub leased: Vec<Leased>,
    /// When the claimer should claim again.
    pub again_in: Duration,
}

/// A job under a lease, as the claim script hands it out.
#[derive(Debug)]
pub struct Leased {
    /// Its lease.
    pub lease: LeaseRef,
    /// Its message, as [`Message::decode`](super::message::Message::decode) reads it.
    pub message: String,
}

impl Queue {
    /// Leases up to `most` ready jobs. `cap` is the concurrency cap of businesses without one of
    /// their own; 0 means none. With `most` 0, the claimer leaves the roster. The result also says
    /// when to claim again unless the bell rings earlier. One round trip.
    pub async fn claim(
        &self,
        claimer: Claimant<'_>,
        most: usize,
        lease_ms: u64,
        cap: u32,
    ) -> Result<Claims, QueueError> {
        let keys = &self.keys;
        let mut call = on_keys(
            &QUEUE_CLAIM,
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
                &keys.shares,
                &keys.capped,
                &keys.running,
                &keys.freed,
                &keys.places,
                &keys.roster,
            ],
        );
        call.arg(most.min(BATCH)).arg(lease_ms).arg(cap).arg(claimer.name).arg(u8::from(claimer.was_idle));
        let answer: Vec<redis::Value> = call.invoke_async(&mut self.redis.commands()).await?;
        let mut fields = answer.into_iter();
        let again_in_ms: u64 =
            redis::from_redis_value(fields.next().unwrap_or(redis::Value::Nil)).map_err(malformed)?;
        let epoch: i64 = redis::from_redis_value(fields.next().unwrap_or(redis::Value::Nil)).map_err(malformed)?;
        let mut leased = Vec::new();
        while let (Some(id), Some(message)) = (fields.next(), fields.next()) {
            let id: String = redis::from_redis_value(id).map_err(malformed)?;
            let message: String = redis::from_redis_value(message).map_err(malformed)?;
            if let Ok(id) = id.parse() {
                leased.push(Leased { lease: LeaseRef { id, epoch: LeaseEpoch(epoch) }, message });
            }
        }
        Ok(Claims { leased, again_in: Duration::from_millis(again_in_ms) })
    }

    /// Extends leases. The results are in the order of `leases`. One round trip for every 500.
    pub async fn renew(&self, leases: &[LeaseRef], lease_ms: u64) -> Result<Vec<Renewal>, QueueError> {
        let mut renewals = Vec::with_capacity(leases.len());
        for batch in leases.chunks(BATCH) {
            let mut call = QUEUE_RENEW.key(&self.keys.messages);
            call.key(&self.keys.epochs).key(&self.keys.leases).arg(lease_ms);
            for LeaseRef { id, epoch } in batch {
                call.arg(id.to_string()).arg(epoch.0);
            }
            let answer: Vec<u8> = call.invoke_async(&mut self.redis.commands()).await?;
            renewals.extend(answer.into_iter().map(|code| match code {
                1 => Renewal::Extended,
                2 => Renewal::Unknown,
                _ => Renewal::Lost,
            }));
        }
        Ok(renewals)
    }

    /// Takes back jobs that Redis forgot in a flush. True for each job that nothing else had made
    /// known before. One round trip for every 500.
    pub async fn readopt(&self, jobs: &[(LeaseRef, Entry)], lease_ms: u64) -> Result<Vec<bool>, QueueError> {
        let mut readopted = Vec::with_capacity(jobs.len());
        for batch in jobs.chunks(BATCH) {
            let mut call = QUEUE_READOPT.key(&self.keys.messages);
            call.key(&self.keys.epochs).key(&self.keys.leases).key(&self.keys.running).arg(lease_ms);
            for (lease, entry) in batch {
                call.arg(lease.id.to_string()).arg(lease.epoch.0).arg(record(entry));
            }
            readopted.extend(call.invoke_async::<Vec<bool>>(&mut self.redis.commands()).await?);
        }
        Ok(readopted)
    }

    /// Ends leases. A lease that another worker has taken over is left alone. One round trip for
    /// every 500.
    pub async fn settle(&self, settled: &[Settled]) -> Result<(), QueueError> {
        let keys = &self.keys;
        for batch in settled.chunks(BATCH) {
            let mut call = on_keys(
                &QUEUE_SETTLE,
                [
                    &keys.messages,
                    &keys.ready_interactive,
                    &keys.ready_bulk,
                    &keys.delayed,
                    &keys.bell,
                    &keys.epochs,
                    &keys.leases,
                    &keys.running,
                    &keys.capped,
                    &keys.freed,
                ],
            );
            for Settled { lease, next } in batch {
                call.arg(lease.id.to_string()).arg(lease.epoch.0);
                match next {
                    Next::Done => call.arg("done"),
                    Next::Back => call.arg("back"),
                    Next::Later(due) => call.arg(due.timestamp_millis()),
                };
            }
            call.invoke_async::<Vec<u8>>(&mut self.redis.commands()).await?;
        }
        Ok(())
    }
}

fn malformed(error: redis::ParsingError) -> redis::RedisError {
    error.into()
}
