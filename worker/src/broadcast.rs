//! Publishes hints and drafts for followed jobs. Nothing is sent for other jobs, and no job waits
//! for it: what cannot be sent is lost.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use copydesk_common::draft::{self, Piece};
use copydesk_common::follow::Followed;
use copydesk_common::notify::Notifier;
use copydesk_common::redis::Redis;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::StartedJob;
use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Sends to followers by one task for each process, until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Broadcast {
    followed: Followed,
    notifier: Notifier,
    outbox: Arc<Outbox>,
    _stop: Arc<DropGuard>,
}

impl Broadcast {
    /// Starts the task and the subscription to followed jobs.
    pub fn start(redis: &Redis) -> Self {
        let stop = CancellationToken::new();
        let followed = Followed::listen(redis.clone(), stop.clone());
        let outbox = Arc::<Outbox>::default();
        let sender = Sender { redis: redis.clone(), followed: followed.clone(), outbox: Arc::clone(&outbox) };
        tokio::spawn(stop.clone().run_until_cancelled_owned(sender.run()));
        Self { followed, notifier: Notifier::new(redis), outbox, _stop: Arc::new(stop.drop_guard()) }
    }

    /// Tells the job's followers that its row changed.
    pub fn changed(&self, id: JobId) {
        if self.followed.contains(id) {
            self.notifier.publish_soon(id);
        }
    }

    /// Where to write the job's text while it is made; `None` if the job is not followed.
    pub fn audience(&self, job: &StartedJob) -> Option<Audience> {
        let audience = || Audience { key: (job.business_id.clone(), job.id), outbox: Arc::clone(&self.outbox) };
        self.followed.contains(job.id).then(audience)
    }
}

/// The followers of one job.
#[derive(Debug)]
pub struct Audience {
    key: DraftKey,
    outbox: Arc<Outbox>,
}

impl Audience {
    /// Sends a piece in the background. Pieces arrive in order.
    pub fn show(&self, piece: Piece) {
        self.outbox.add(self.key.clone(), piece);
    }
}

#[cfg(test)]
impl Audience {
    /// An audience, and a function that returns what was sent since the last call.
    #[expect(clippy::expect_used, reason = "a test fails by panicking")]
    pub(crate) fn of_test() -> (Self, impl Fn() -> Option<Piece>) {
        let key = (BusinessId::parse("acme").expect("an id"), JobId::new());
        let outbox = Arc::<Outbox>::default();
        let sent = {
            let (key, outbox) = (key.clone(), Arc::clone(&outbox));
            move || outbox.waiting().remove(&key)
        };
        (Self { key, outbox }, sent)
    }
}

type DraftKey = (BusinessId, JobId);

/// The pieces to be sent, one for each job.
#[derive(Debug, Default)]
struct Outbox {
    waiting: Mutex<HashMap<DraftKey, Piece>>,
    filled: Notify,
}

impl Outbox {
    /// Appends a piece to the waiting one, or replaces it if a new text begins.
    fn add(&self, key: DraftKey, piece: Piece) {
        let mut waiting = self.waiting();
        match waiting.get_mut(&key) {
            Some(before) if !piece.reset => before.text.push_str(&piece.text),
            _ => drop(waiting.insert(key, piece)),
        }
        drop(waiting);
        self.filled.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<DraftKey, Piece>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the pieces of the outbox.
struct Sender {
    redis: Redis,
    followed: Followed,
    outbox: Arc<Outbox>,
}

impl Sender {
    async fn run(self) {
        // Jobs with a lost piece: later pieces would leave a gap, until a new text begins.
        let mut broken = HashSet::new();
        loop {
            self.outbox.filled.notified().await;
            self.run_once(&mut broken).await;
        }
    }

    /// Sends the waiting pieces: those of different jobs concurrently, those of one job in order.
    async fn run_once(&self, broken: &mut HashSet<JobId>) {
        broken.retain(|id| self.followed.contains(*id));
        let waiting = std::mem::take(&mut *self.outbox.waiting());
        let whole = waiting.into_iter().filter(|((_, id), piece)| piece.reset || !broken.contains(id));
        let whole: Vec<_> = whole.collect();
        let sent = join_all(whole.iter().map(|((business_id, id), piece)| {
            let sent = draft::append(&self.redis, business_id, *id, piece);
            async move { (*id, sent.await) }
        }));
        for (id, sent) in sent.await {
            if let Err(error) = sent {
                tracing::debug!(error = &error as &dyn std::error::Error, job.id = %id, "a piece of a draft was not sent");
                broken.insert(id);
            } else {
                broken.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use copydesk_domain::stage::Stage;

    use super::*;

    #[test]
    fn pieces_that_wait_are_put_together_and_a_new_text_takes_their_place() {
        let (audience, sent) = Audience::of_test();
        let piece = |text: &str, reset| Piece { stage: Stage::Draft, round: 0, reset, text: text.to_owned() };
        audience.show(piece("One", true));
        audience.show(piece(" two", false));
        assert_eq!(sent(), Some(piece("One two", true)));
        audience.show(piece("Old", false));
        audience.show(piece("Anew", true));
        assert_eq!(sent(), Some(piece("Anew", true)));
    }
}
