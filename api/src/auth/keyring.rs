//! The keys that this process has seen and believes. A key that is believed is a revoked key that still works, so a
//! revocation must be heard of: Postgres counts the changes of keys, and the count is read several times a second. While it
//! cannot be read, nothing is believed, and each key is looked up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use chrono::DateTime;
use copydesk_common::clock;
use copydesk_common::key::Hash;
use copydesk_common::store::heartbeat::Heartbeat;
use copydesk_common::store::session::{Session, Ticket};
use copydesk_common::store::{self, Store, StoreError};
use copydesk_domain::access::KeyId;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::caller::Caller;
use super::holder::{self, Claim, Holder, Shown};
use super::presented::Presented;
use crate::error::ApiError;

/// The pause between two looks at the count of changes.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// The time-out of a look.
const LOOK_TIMEOUT: Duration = Duration::from_millis(500);
/// The time-out of the connection for them.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long keys are believed after a look began. A revocation is a fact a second after it was answered, at the latest.
const BELIEVED: Duration = Duration::from_millis(900);
/// How long open streams go on while nothing is heard.
const UNHEARD: Duration = Duration::from_secs(10);
/// How long a key is believed for metrics alone while Postgres is away: nobody can revoke it meanwhile.
const BELIEVED_WHILE_AWAY: Duration = Duration::from_secs(3_600);
/// How long a lookup may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
/// A key that was not used for this long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// How often the last use of keys is written.
const BETWEEN_TOUCHES: Duration = Duration::from_secs(60);
/// Lookups that are overtaken by a change of keys are repeated.
const LOOKUPS: u32 = 3;

/// Whom to believe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Keys about which every change would have been heard of.
    Fresh,
    /// The same, and keys that were good when Postgres was last heard of.
    WhileAway,
}

/// Keys in use, by the hash of what was shown for them.
type Holders = HashMap<Hash, Arc<Holder>>;

#[derive(Debug, Default)]
struct Known {
    holders: Holders,
    revision: i64,
    /// When the last look that succeeded began.
    heard_at: Option<Instant>,
}

impl Known {
    fn is_fresh(&self, within: Duration) -> bool {
        self.heard_at.is_some_and(|at| at.elapsed() < within)
    }

    /// Remembers what was looked up. Streams of the same key go on, unless it has changed.
    fn keep(&mut self, hash: Hash, read: Holder) -> Arc<Holder> {
        if let Some(known) = self.holders.get(&hash) {
            if known.is_same(&read) && !known.ended.is_cancelled() {
                return Arc::clone(known);
            }
            known.ended.cancel();
        }
        let holder = Arc::new(read);
        self.holders.insert(hash, Arc::clone(&holder));
        holder
    }

    /// Everything up to `began` was heard of.
    fn heard(&mut self, began: Instant) {
        self.heard_at = Some(began);
        self.holders.retain(|_, holder| !holder.ended.is_cancelled());
    }
}

impl Parts {
    /// The turn of a request to look a key up. Turns that nobody waits for are forgotten.
    fn turn(&self, hash: &Hash) -> Arc<tokio::sync::Mutex<()>> {
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        lookups.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = lookups.get(hash).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        lookups.insert(*hash, Arc::downgrade(&turn));
        turn
    }

    /// Keeps the last use of a key that is about to be known no longer.
    fn remember(&self, holder: &Holder) {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).push(holder.last_use());
    }
}

/// The keys. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keyring(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    store: Store,
    known: RwLock<Known>,
    /// The lookups under way: requests with the same key wait for one, else a busy pool would get busier with each.
    lookups: Mutex<HashMap<Hash, Weak<tokio::sync::Mutex<()>>>>,
    /// The last use of keys that are known no longer, until it is written.
    gone: Mutex<Vec<(KeyId, i64)>>,
}

impl Keyring {
    /// Starts to hear of changes, until `closing`. Says if there is no key at all.
    pub fn start(store: &Store, closing: CancellationToken, work: &TaskTracker) -> Self {
        let keyring = Self::deaf(store);
        let kept = keyring.clone();
        work.spawn(async move {
            let listening = async {
                tokio::join!(kept.listen(), kept.record(), kept.say_if_empty());
            };
            tokio::select! {
                () = listening => {}
                () = closing.cancelled() => {}
            }
            kept.touch(clock::now().timestamp() - 2 * BETWEEN_TOUCHES.as_secs().cast_signed()).await;
        });
        keyring
    }

    /// One that has heard nothing yet.
    fn deaf(store: &Store) -> Self {
        Self(Arc::new(Parts {
            store: store.clone(),
            known: RwLock::default(),
            lookups: Mutex::default(),
            gone: Mutex::default(),
        }))
    }

    /// Whether a claim counted a while ago: it may be looked up again, whatever else comes from its address.
    pub fn knows(&self, presented: &Presented) -> bool {
        let (Presented::Key(_, hash) | Presented::Session(hash)) = presented else { return false };
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).holders.contains_key(hash)
    }

    /// Whose a claim is.
    pub async fn caller(&self, presented: Presented, trust: Trust) -> Result<Caller, ApiError> {
        let hash = match presented {
            Presented::Key(_, hash) | Presented::Session(hash) => hash,
            // It counts once, so nobody waits for the same one.
            Presented::Ticket(..) | Presented::Login(_) => return self.look_up(&presented).await.and_then(used),
        };
        if let Some(holder) = self.believed(&hash, BELIEVED) {
            return used(holder);
        }
        let found = timeout(LOOKUP_TIMEOUT, self.look_up_once(&presented, &hash)).await;
        match found.map_err(|_| ApiError::Unavailable(None)).and_then(|found| found) {
            Err(ApiError::Unavailable(_)) if trust == Trust::WhileAway => {
                let away = || ApiError::Unavailable(None);
                self.believed(&hash, BELIEVED_WHILE_AWAY).ok_or_else(away).and_then(used)
            }
            found => used(found?),
        }
    }

    fn believed(&self, hash: &Hash, within: Duration) -> Option<Arc<Holder>> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        let holder = known.holders.get(hash)?;
        // A lookup tells as much as hearing of no change since. One that has ended stays for metrics only.
        let was_looked_up = || holder.is_looked_up_within(BELIEVED) && !holder.ended.is_cancelled();
        (known.is_fresh(within) || was_looked_up()).then(|| Arc::clone(holder))
    }

    /// Looks a key up, unless another request has just done it.
    async fn look_up_once(&self, presented: &Presented, hash: &Hash) -> Result<Arc<Holder>, ApiError> {
        let turn = self.0.turn(hash);
        let _mine = turn.lock().await;
        match self.believed(hash, BELIEVED) {
            Some(holder) => Ok(holder),
            None => self.look_up(presented).await,
        }
    }

    /// Reads a key, and hears of its changes from then on. What stands for the key is remembered under its own hash.
    async fn look_up(&self, presented: &Presented) -> Result<Arc<Holder>, ApiError> {
        let store = &self.0.store;
        let (id, hash, shown) = match presented {
            Presented::Key(id, hash) => (id.clone(), hash, Shown::Secret(*hash)),
            Presented::Session(hash) => {
                let session = store::session::several(store, &[*hash]).await?.remove(hash);
                let ended = || ApiError::Unauthenticated("the session has ended: log in again".to_owned());
                let Session { key_id, expires_at } = session.ok_or_else(ended)?;
                (key_id, hash, Shown::Session(expires_at))
            }
            Presented::Ticket(hash, job_id) => {
                let ticket = store::session::redeem(store, hash, *job_id).await?;
                let Ticket { key_id, until } = ticket.ok_or_else(no_ticket)?;
                (key_id, hash, Shown::Ticket(until))
            }
            Presented::Login(hash) => {
                let key_id = store::session::redeem_login(store, hash).await?;
                let used =
                    || ApiError::Unauthenticated("the link was used, or it is too old: ask for another".to_owned());
                (key_id.ok_or_else(used)?, hash, Shown::Login)
            }
        };
        for _ in 0..LOOKUPS {
            let began = Instant::now();
            let stored = store::key::get(store, &id).await?.ok_or_else(holder::unknown)?;
            let holder = Holder::of(&stored, shown)?;
            let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
            // What was read before a change that is already known may be what has changed.
            if holder.revision >= known.revision {
                let holder = known.keep(*hash, holder);
                holder.was_looked_up(began);
                return Ok(holder);
            }
        }
        Err(ApiError::Unavailable(None))
    }

    async fn say_if_empty(&self) {
        if matches!(store::key::none_was_made(&self.0.store).await, Ok(true)) {
            tracing::warn!("there is no API key yet: `copydesk-api keys create --name me` makes the first one");
        }
    }

    /// Hears of changes, for ever.
    async fn listen(&self) {
        let mut heartbeat = self.0.store.heartbeat();
        loop {
            self.look(&mut heartbeat).await;
            self.tidy();
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Asks for the number of changes. Connecting has its own limit: else a far Postgres would never
    /// be heard of.
    async fn look(&self, heartbeat: &mut Heartbeat) {
        let unheard = |error: &StoreError| {
            tracing::debug!(error = error as &dyn std::error::Error, "changes of keys are not heard of");
        };
        match timeout(CONNECT_TIMEOUT, heartbeat.connect()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return unheard(&error),
            Err(_) => {
                return tracing::debug!("changes of keys are not heard of: Postgres does not accept a connection");
            }
        }
        let began = Instant::now();
        match timeout(LOOK_TIMEOUT, heartbeat.key_revision()).await {
            Ok(Ok(revision)) => self.hear(revision, began).await,
            Ok(Err(error)) => unheard(&error),
            Err(_) => tracing::debug!("changes of keys are not heard of in time"),
        }
    }

    async fn hear(&self, revision: i64, began: Instant) {
        let snapshot = {
            let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
            if known.revision == revision {
                return known.heard(began);
            }
            known.holders.clone()
        };
        match timeout(LOOK_TIMEOUT, self.read_again(&snapshot)).await {
            Ok(Ok(counting)) => self.apply(revision, began, &snapshot, &counting),
            Ok(Err(error)) => tracing::debug!(error = &error as &dyn std::error::Error, "keys were not read again"),
            Err(_) => tracing::debug!("keys were not read again in time"),
        }
    }

    /// The hashes among these that count as they did.
    async fn read_again(&self, snapshot: &Holders) -> Result<BTreeSet<Hash>, StoreError> {
        let ids: BTreeSet<_> = snapshot.values().map(|holder| holder.key.id.clone()).collect();
        let sessions: Vec<_> =
            snapshot.iter().filter(|(_, holder)| holder.claim == Claim::Session).map(|(hash, _)| *hash).collect();
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let keys = store::key::several(&self.0.store, &ids).await?;
        let keys: HashMap<_, _> = keys.into_iter().map(|stored| (stored.key.id.clone(), stored)).collect();
        let sessions = store::session::several(&self.0.store, &sessions).await?;
        let counts = |hash: &Hash, holder: &Holder| {
            let shown = match holder.claim {
                Claim::Secret => Shown::Secret(*hash),
                Claim::Session => Shown::Session(sessions.get(hash)?.expires_at),
                Claim::Ticket => Shown::Ticket(holder.until),
                Claim::Login => Shown::Login,
            };
            let read = Holder::of(keys.get(&holder.key.id)?, shown).ok()?;
            holder.is_same(&read).then_some(*hash)
        };
        Ok(snapshot.iter().filter_map(|(hash, holder)| counts(hash, holder)).collect())
    }

    fn apply(&self, revision: i64, began: Instant, snapshot: &Holders, counting: &BTreeSet<Hash>) {
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        for (hash, holder) in snapshot.iter().filter(|(hash, _)| !counting.contains(*hash)) {
            holder.ended.cancel();
            self.0.remember(holder);
            // Another one may have taken its place since the snapshot: that one was read later, and is kept.
            if known.holders.get(hash).is_some_and(|known| Arc::ptr_eq(known, holder)) {
                known.holders.remove(hash);
            }
        }
        // One that came meanwhile may have been read before the change: then everything is read once more.
        let is_read = |hash, holder| snapshot.get(hash).is_some_and(|read| Arc::ptr_eq(read, holder));
        if known.holders.iter().all(|(hash, holder)| holder.revision >= revision || is_read(hash, holder)) {
            known.revision = revision;
            known.heard(began);
        }
    }

    /// Ends what has expired, and forgets what nobody uses. While nothing is heard, no stream goes on for long; the keys
    /// stay known for metrics.
    fn tidy(&self) {
        let now = clock::now();
        let idle_since = now.timestamp() - FORGOTTEN_AFTER.as_secs().cast_signed();
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        let is_deaf = !known.is_fresh(UNHEARD);
        known.holders.retain(|_, holder| {
            let has_expired = holder.has_expired(now);
            // A process that has just started may have looked keys up before it heard anything.
            if has_expired || (is_deaf && !holder.is_looked_up_within(UNHEARD)) {
                holder.ended.cancel();
            }
            let is_used = Arc::strong_count(holder) > 1 || holder.was_used_since(idle_since);
            let stays = !has_expired && (is_used || is_deaf);
            if !stays {
                self.0.remember(holder);
            }
            stays
        });
    }

    /// Writes the last use of keys, for ever.
    async fn record(&self) {
        loop {
            let since = clock::now().timestamp();
            sleep(BETWEEN_TOUCHES).await;
            self.touch(since).await;
        }
    }

    async fn touch(&self, since: i64) {
        let gone = std::mem::take(&mut *self.0.gone.lock().unwrap_or_else(PoisonError::into_inner));
        // In order: processes that write the same keys at once must not wait for each other.
        let used: BTreeMap<_, _> = {
            let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
            let known = known.holders.values().map(|holder| holder.last_use()).filter(|(_, at)| *at >= since);
            let times = gone.into_iter().chain(known);
            times.filter_map(|(id, at)| Some((id, DateTime::from_timestamp(at, 0)?))).collect()
        };
        let used: Vec<_> = used.into_iter().collect();
        if used.is_empty() {
            return;
        }
        if let Err(error) = store::key::touch(&self.0.store, &used).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the last use of keys was not written");
        }
    }
}

fn used(holder: Arc<Holder>) -> Result<Caller, ApiError> {
    holder.use_now()?;
    Ok(Caller::holder(holder))
}

fn no_ticket() -> ApiError {
    ApiError::Unauthenticated(
        "the ticket was used, is a minute old, or is for another job: POST /api/jobs/{id}/ticket for another one"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use copydesk_common::key::Secret;
    use copydesk_testkit as testkit;
    use sqlx::PgPool;

    use super::*;

    #[sqlx::test(migrations = "../migrations")]
    async fn a_key_that_was_looked_up_counts_before_anything_is_heard(pool: PgPool) {
        testkit::install_key(&testkit::database_url(&pool)).await;
        let keyring = Keyring::deaf(&Store::from_pool(pool));
        let secret = Secret::parse(testkit::KEY).unwrap();
        let shown = Presented::Key(secret.id().clone(), secret.hash());
        let caller = keyring.caller(shown, Trust::Fresh).await.unwrap();
        keyring.tidy();
        assert!(!caller.has_ended());
    }
}
