//! The keys that this process has seen and believes. A key that is believed is a revoked key that still works, so a
//! revocation must be heard of: Postgres counts the changes of keys, and the count is read several times a second. While it
//! cannot be read, nothing is believed, and each key is looked up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use copydesk_common::clock;
use copydesk_common::key::Hash;
use copydesk_common::store::key::{Holds, StoredKey};
use copydesk_common::store::session::{Session, Ticket};
use copydesk_common::store::{self, Store, StoreError};
use copydesk_domain::access::{ApiKey, KeyId};
use copydesk_domain::id::JobId;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::caller::Caller;
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

/// What times are counted from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Whom to believe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Keys about which every change would have been heard of.
    Fresh,
    /// The same, and keys that were good when Postgres was last heard of.
    WhileAway,
}

/// A key in use, by one of its secrets or sessions.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) key: ApiKey,
    pub(super) claim: Claim,
    /// The hash of the key's present secret when it was read.
    secret: Hash,
    /// Until when this secret or session counts.
    pub(super) until: Option<DateTime<Utc>>,
    /// Cancelled once it counts no longer.
    pub(super) ended: CancellationToken,
    /// When it was last used, in seconds since 1970.
    used: AtomicI64,
    /// When its last lookup began, in ms since [`START`].
    looked_up_ms: AtomicU64,
    /// The revision of keys at which it was read.
    revision: i64,
}

/// What was presented for the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    Secret,
    Session,
    Ticket,
}

impl Holder {
    /// A lookup tells as much as hearing of no change since.
    fn is_fresh(&self) -> bool {
        let at = Duration::from_millis(self.looked_up_ms.load(Ordering::Relaxed));
        START.elapsed().saturating_sub(at) < BELIEVED
    }

    fn last_use(&self) -> (KeyId, i64) {
        (self.key.id.clone(), self.used.load(Ordering::Relaxed))
    }

    fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

#[derive(Debug, Default)]
struct Known {
    holders: HashMap<Hash, Arc<Holder>>,
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
            let is_same = known.key.grant == read.key.grant
                && known.key.requests_per_minute == read.key.requests_per_minute
                && known.until == read.until;
            if is_same && !known.ended.is_cancelled() {
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

/// A request's turn to look a key up. The last one of those that wait for a key removes its place.
struct Turn<'a> {
    lookups: &'a Mutex<HashMap<Hash, Arc<tokio::sync::Mutex<()>>>>,
    hash: Hash,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        // This one and the map's.
        if Arc::strong_count(&self.turn) <= 2 {
            lookups.remove(&self.hash);
        }
    }
}

impl Parts {
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
    lookups: Mutex<HashMap<Hash, Arc<tokio::sync::Mutex<()>>>>,
    /// The last use of keys that are known no longer, until it is written.
    gone: Mutex<Vec<(KeyId, i64)>>,
}

impl Keyring {
    /// Starts to hear of changes, until `closing`. Says if there is no key at all.
    pub fn start(store: &Store, closing: CancellationToken, work: &TaskTracker) -> Self {
        let keyring = Self(Arc::new(Parts {
            store: store.clone(),
            known: RwLock::default(),
            lookups: Mutex::default(),
            gone: Mutex::default(),
        }));
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

    /// Whether a claim counted a while ago: it may be looked up again, whatever else comes from its address.
    pub fn knows(&self, presented: &Presented) -> bool {
        let (Presented::Key(_, hash) | Presented::Session(hash)) = presented else { return false };
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).holders.contains_key(hash)
    }

    /// Whose a claim is.
    pub async fn caller(&self, presented: Presented, trust: Trust) -> Result<Caller, ApiError> {
        let (id, hash) = match presented {
            Presented::Key(id, hash) => (Some(id), hash),
            Presented::Session(hash) => (None, hash),
            Presented::Ticket(hash, job_id) => return self.of_ticket(hash, job_id).await,
        };
        if let Some(holder) = self.believed(&hash, BELIEVED) {
            return used(holder);
        }
        let found = timeout(LOOKUP_TIMEOUT, self.look_up_once(id.as_ref(), hash)).await;
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
        // One that has ended stays for metrics only.
        let is_fresh = known.is_fresh(within) || (holder.is_fresh() && !holder.ended.is_cancelled());
        is_fresh.then(|| Arc::clone(holder))
    }

    /// Looks a key up, unless another request has just done it.
    async fn look_up_once(&self, id: Option<&KeyId>, hash: Hash) -> Result<Arc<Holder>, ApiError> {
        let turn = {
            let mut lookups = self.0.lookups.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lookups.entry(hash).or_default())
        };
        let turn = Turn { lookups: &self.0.lookups, hash, turn };
        let _mine = turn.turn.lock().await;
        match self.believed(&hash, BELIEVED) {
            Some(holder) => Ok(holder),
            None => self.look_up(id, hash).await,
        }
    }

    /// Reads a key, and hears of its changes from then on.
    async fn look_up(&self, id: Option<&KeyId>, hash: Hash) -> Result<Arc<Holder>, ApiError> {
        for _ in 0..LOOKUPS {
            let began = START.elapsed();
            let holder = match id {
                Some(id) => self.of_key(id, &hash).await?,
                None => self.of_session(&hash).await?,
            };
            let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
            // What was read before a change that is already known may be what has changed.
            if holder.revision >= known.revision {
                let holder = known.keep(hash, holder);
                holder.looked_up_ms.store(u64::try_from(began.as_millis()).unwrap_or(0), Ordering::Relaxed);
                return Ok(holder);
            }
        }
        Err(ApiError::Unavailable(None))
    }

    async fn of_key(&self, id: &KeyId, hash: &Hash) -> Result<Holder, ApiError> {
        let stored = store::key::get(&self.0.store, id).await?;
        let holds = stored.as_ref().map_or(Holds::Not, |stored| stored.holds(hash));
        let Some(stored) = stored.filter(|_| holds != Holds::Not) else {
            return Err(ApiError::Unauthenticated(
                "there is no such API key, or it has another secret by now".to_owned(),
            ));
        };
        counts(&stored.key)?;
        let until = match holds {
            Holds::Until(until) if until <= clock::now() => {
                return Err(ApiError::Unauthenticated(format!(
                    "the API key has a new secret: this one counted until {}",
                    shown(until)
                )));
            }
            Holds::Until(until) => Some(earlier(until, stored.key.grant.expires_at)),
            _ => stored.key.grant.expires_at,
        };
        Ok(holder(stored, until, Claim::Secret))
    }

    async fn of_session(&self, hash: &Hash) -> Result<Holder, ApiError> {
        let session = store::session::several(&self.0.store, &[*hash]).await?.remove(hash);
        let Some(Session { key_id, expires_at }) = session else {
            return Err(ApiError::Unauthenticated("the session has ended: log in again".to_owned()));
        };
        let stored = store::key::get(&self.0.store, &key_id).await?;
        let stored = stored.ok_or_else(|| ApiError::Unauthenticated("there is no such API key".to_owned()))?;
        counts(&stored.key)?;
        let until = earlier(expires_at, stored.key.grant.expires_at);
        Ok(holder(stored, Some(until), Claim::Session))
    }

    /// A ticket counts once, so it is never remembered; the stream ends with its key.
    async fn of_ticket(&self, hash: Hash, job_id: JobId) -> Result<Caller, ApiError> {
        let Some(Ticket { key_id: id, until }) = store::session::redeem(&self.0.store, &hash, job_id).await? else {
            return Err(ApiError::Unauthenticated(
                "the ticket was used, is a minute old, or is for another job: POST /api/jobs/{id}/ticket for another one"
                    .to_owned(),
            ));
        };
        for _ in 0..LOOKUPS {
            let stored = store::key::get(&self.0.store, &id).await?;
            let stored = stored.ok_or_else(|| ApiError::Unauthenticated("there is no such API key".to_owned()))?;
            counts(&stored.key)?;
            let end = stored.key.grant.expires_at;
            let until = until.map_or(end, |until| Some(earlier(until, end)));
            let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
            if stored.revision >= known.revision {
                // Kept under the ticket's hash, so that the end of the key is heard of.
                let holder = Arc::new(holder(stored, until, Claim::Ticket));
                known.holders.insert(hash, Arc::clone(&holder));
                return used(holder);
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
            // Connecting may take longer than a look: else a far Postgres would never be heard of.
            let connected = timeout(CONNECT_TIMEOUT, heartbeat.connect()).await;
            if let Ok(Err(error)) = &connected {
                tracing::debug!(error = error as &dyn std::error::Error, "changes of keys are not heard of");
            }
            let began = Instant::now();
            match timeout(LOOK_TIMEOUT, heartbeat.key_revision()).await {
                Ok(Ok(revision)) => self.hear(revision, began).await,
                Ok(Err(error)) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "changes of keys are not heard of");
                }
                Err(_) => tracing::debug!("changes of keys are not heard of in time"),
            }
            self.tidy();
            sleep(BETWEEN_LOOKS).await;
        }
    }

    async fn hear(&self, revision: i64, began: Instant) {
        let snapshot: Vec<_> = {
            let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
            if known.revision == revision {
                return known.heard(began);
            }
            known.holders.iter().map(|(hash, holder)| (*hash, Arc::clone(holder))).collect()
        };
        match timeout(LOOK_TIMEOUT, self.read_again(&snapshot)).await {
            Ok(Ok(counting)) => self.apply(revision, began, &snapshot, &counting),
            Ok(Err(error)) => tracing::debug!(error = &error as &dyn std::error::Error, "keys were not read again"),
            Err(_) => tracing::debug!("keys were not read again in time"),
        }
    }

    /// The hashes among these that count as they did.
    async fn read_again(&self, snapshot: &[(Hash, Arc<Holder>)]) -> Result<BTreeSet<Hash>, StoreError> {
        let ids: BTreeSet<_> = snapshot.iter().map(|(_, holder)| holder.key.id.clone()).collect();
        let sessions: Vec<_> =
            snapshot.iter().filter(|(_, holder)| holder.claim == Claim::Session).map(|(hash, _)| *hash).collect();
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let keys = store::key::several(&self.0.store, &ids).await?;
        let keys: HashMap<_, _> = keys.into_iter().map(|stored| (stored.key.id.clone(), stored)).collect();
        let sessions = store::session::several(&self.0.store, &sessions).await?;
        let counts = |hash: &Hash, holder: &Holder| {
            let session = sessions.get(hash).map(|session| session.expires_at);
            keys.get(&holder.key.id).is_some_and(|stored| still_counts(stored, holder, hash, session))
        };
        Ok(snapshot.iter().filter(|(hash, holder)| counts(hash, holder)).map(|(hash, _)| *hash).collect())
    }

    fn apply(&self, revision: i64, began: Instant, snapshot: &[(Hash, Arc<Holder>)], counting: &BTreeSet<Hash>) {
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        for (hash, holder) in snapshot {
            if !counting.contains(hash) {
                holder.ended.cancel();
                self.0.remember(holder);
                // Another one may have taken its place since the snapshot: that one was read later, and is kept.
                if known.holders.get(hash).is_some_and(|known| Arc::ptr_eq(known, holder)) {
                    known.holders.remove(hash);
                }
            }
        }
        // One that came meanwhile may have been read before the change: then everything is read once more.
        let is_read = |holder: &Arc<Holder>| snapshot.iter().any(|(_, read)| Arc::ptr_eq(read, holder));
        if known.holders.values().all(|holder| holder.revision >= revision || is_read(holder)) {
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
            if has_expired || is_deaf {
                holder.ended.cancel();
            }
            let is_used = Arc::strong_count(holder) > 1 || holder.used.load(Ordering::Relaxed) > idle_since;
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

fn holder(stored: StoredKey, until: Option<DateTime<Utc>>, claim: Claim) -> Holder {
    let secret = stored.hash();
    Holder {
        key: stored.key,
        claim,
        secret,
        until,
        ended: CancellationToken::new(),
        used: AtomicI64::new(clock::now().timestamp()),
        looked_up_ms: AtomicU64::default(),
        revision: stored.revision,
    }
}

fn used(holder: Arc<Holder>) -> Result<Caller, ApiError> {
    let now = clock::now();
    counts(&holder.key)?;
    if holder.has_expired(now) {
        return Err(ApiError::Unauthenticated("the session or the secret has expired".to_owned()));
    }
    holder.used.store(now.timestamp(), Ordering::Relaxed);
    Ok(Caller::holder(holder))
}

/// Whether a key counts.
fn counts(key: &ApiKey) -> Result<(), ApiError> {
    if let Some(at) = key.revoked_at {
        return Err(ApiError::Unauthenticated(format!("the API key was revoked at {}", shown(at))));
    }
    match key.grant.expires_at {
        Some(at) if at <= clock::now() => {
            Err(ApiError::Unauthenticated(format!("the API key expired at {}", shown(at))))
        }
        _ => Ok(()),
    }
}

/// Whether a key that was read again still allows what it did.
fn still_counts(stored: &StoredKey, holder: &Holder, hash: &Hash, session: Option<DateTime<Utc>>) -> bool {
    let end = stored.key.grant.expires_at;
    let holds = match (holder.claim, stored.holds(hash)) {
        (Claim::Session, _) => session.is_some_and(|until| holder.until == Some(earlier(until, end))),
        // Its stream is opened anew, with another ticket.
        (Claim::Ticket, _) => stored.hash() == holder.secret,
        (Claim::Secret, Holds::WithTheKey) => holder.until == end,
        // A secret that was rotated out is read once more, with its end.
        (Claim::Secret, Holds::Until(until)) => holder.until == Some(earlier(until, end)),
        (Claim::Secret, Holds::Not) => false,
    };
    let is_same =
        stored.key.grant == holder.key.grant && stored.key.requests_per_minute == holder.key.requests_per_minute;
    holds && is_same && counts(&stored.key).is_ok()
}

/// The end, or an earlier one.
fn earlier(until: DateTime<Utc>, end: Option<DateTime<Utc>>) -> DateTime<Utc> {
    end.map_or(until, |end| end.min(until))
}

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
