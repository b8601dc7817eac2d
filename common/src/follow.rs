//! Followed jobs: the API's processes tell the workers which jobs have followers. Pieces of drafts
//! and hints of progress are sent only for these jobs, so other jobs have no cost. A lost message
//! is repeated soon. What is sent is in [`crate::draft`] and [`crate::notify`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use copydesk_domain::id::JobId;
use tokio_util::sync::CancellationToken;

use crate::notify;
use crate::redis::Redis;

/// How often a process announces its followed jobs.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// How long an announcement is valid for a worker: two may be lost.
const FOLLOWED_FOR: Duration = Duration::from_secs(15);
/// The most jobs in one message.
const MAX_NAMED: usize = 500;

/// The jobs that are followed through this process, and their announcement to the workers. Cheap to
/// clone.
#[derive(Debug, Clone)]
pub struct Followers {
    redis: Redis,
    counts: Arc<Mutex<HashMap<JobId, usize>>>,
}

impl Followers {
    /// Announces followed jobs until `stop`. Needs a tokio runtime.
    pub fn start(redis: Redis, stop: CancellationToken) -> Self {
        let followers = Self { redis, counts: Arc::default() };
        let teller = followers.clone();
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(TELL_EVERY).await;
                teller.tell_once().await;
            }
        }));
        followers
    }

    /// Follows a job until the returned value is dropped. The workers are told in the background.
    /// Needs a tokio runtime.
    pub fn follow(&self, id: JobId) -> Following {
        *self.counts().entry(id).or_default() += 1;
        let followers = self.clone();
        tokio::spawn(async move { followers.tell(&[id]).await });
        Following { id, followers: self.clone() }
    }

    /// Announces all followed jobs.
    async fn tell_once(&self) {
        let ids: Vec<_> = self.counts().keys().copied().collect();
        for ids in ids.chunks(MAX_NAMED) {
            self.tell(ids).await;
        }
    }

    async fn tell(&self, ids: &[JobId]) {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        if let Err(error) = self.redis.publish(&self.redis.keys().followed_jobs(), &ids.join(" ")).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "could not announce the followed jobs to the workers"
            );
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<JobId, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A follower of a job. Dropping it ends the following.
#[derive(Debug)]
pub struct Following {
    id: JobId,
    followers: Followers,
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut counts = self.followers.counts();
        if let Some(count) = counts.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.id);
            }
        }
    }
}

/// The jobs that are followed through any process, as announced to a worker. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Followed {
    until: Arc<Mutex<HashMap<JobId, Instant>>>,
}

impl Followed {
    /// Receives announcements until `stop`. Needs a tokio runtime.
    pub fn listen(redis: Redis, stop: CancellationToken) -> Self {
        let followed = Self::default();
        let heard = followed.clone();
        let channel = redis.keys().followed_jobs();
        notify::hear(redis, channel, stop, move |ids| heard.note(ids));
        followed
    }

    /// Whether somebody follows the job.
    pub fn contains(&self, id: JobId) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(&id).is_some_and(|until| Instant::now() < *until)
    }

    fn note(&self, ids: &str) {
        let now = Instant::now();
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, until| now < *until);
        until.extend(ids.split(' ').filter_map(|id| id.parse().ok()).map(|id| (id, now + FOLLOWED_FOR)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits for a condition that depends on a subscription.
    async fn soon(condition: impl Fn() -> bool) -> bool {
        let give_up = Instant::now() + Duration::from_secs(20);
        while !condition() && Instant::now() < give_up {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        condition()
    }

    #[tokio::test]
    async fn workers_hear_of_the_jobs_that_are_followed_and_of_no_others() {
        let (redis, stop) = (Redis::of_test(), CancellationToken::new());
        let _stopped = stop.clone().drop_guard();
        let followed = Followed::listen(redis.clone(), stop.clone());
        let followers = Followers::start(redis, stop);
        let (id, other) = (JobId::new(), JobId::new());
        let first = followers.follow(id);
        let second = followers.follow(id);
        // The subscription may have started after the first announcement, which is repeated.
        assert!(soon(|| followed.contains(id)).await);
        assert!(!followed.contains(other));
        drop(first);
        assert_eq!(followers.counts().get(&id), Some(&1), "one is left");
        drop(second);
        assert!(followers.counts().is_empty(), "nobody is left, and nothing is kept");
    }

    #[test]
    fn what_is_no_list_of_jobs_is_ignored() {
        let followed = Followed::default();
        let id = JobId::new();
        followed.note(&format!("nonsense {id} \u{0}"));
        assert!(followed.contains(id));
        followed.note("");
    }
}
