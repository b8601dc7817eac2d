//! How many requests each key may send, and each address without a key. No request waits for another process: each API
//! process grants its share, the limit divided by the number of API processes that are alive.
//!
//! A failed try to show a key costs its address: soon it has to wait before anything is looked up for it. A key that this
//! process knows needs no lookup, and passes whatever else comes from its address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use copydesk_common::config::ApiConfig;
use copydesk_common::redis::Redis;
use copydesk_common::{clock, presence};
use copydesk_domain::access::{ApiKey, KeyId};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::error::ApiError;
use crate::metric;
use crate::peer::group;

/// `"default";q=600;w=60`: the limit of a key in a minute.
pub const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// `"default";r=150;t=8`: what is left now, and the seconds after which it is whole again.
pub const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// The addresses that are counted apart. All others share one count, of this many times as much.
const MOST_ADDRESSES: usize = 50_000;
const OTHERS: u32 = 10;
/// The smallest burst, if the limit has room for it.
const LEAST_BURST: u32 = 10;
/// What an upload counts.
const UPLOAD: u32 = 5;
/// Requests of a batch that count as one request.
const BATCHED: usize = 10;
/// How often what is not needed is forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(10);
/// While there is no room, at most so often.
const TIDY_AT_MOST: Duration = Duration::from_secs(1);
/// A key that was not used for so long has its whole burst again.
const IDLE_SECONDS: i64 = 120;

/// The limits; none where they are switched off. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Rates(Option<Arc<Parts>>);

#[derive(Debug)]
struct Parts {
    default: NonZeroU32,
    /// API processes that are alive, this one among them.
    processes: AtomicU32,
    keys: RwLock<HashMap<KeyId, Arc<Meter>>>,
    anonymous: Addresses,
    tries: Tries,
}

impl Rates {
    /// As configured. Counts the API processes until `closing`.
    pub fn start(config: &ApiConfig, redis: &Redis, closing: CancellationToken, work: &TaskTracker) -> Self {
        let rates = Self::new(config.requests_per_minute, config.failed_keys_per_minute);
        if let Some(parts) = rates.0.clone() {
            let redis = redis.clone();
            work.spawn(async move { parts.keep(&redis, closing).await });
        }
        rates
    }

    fn new(default: u32, tries: u32) -> Self {
        Self(NonZeroU32::new(default).map(|default| {
            Arc::new(Parts {
                default,
                processes: AtomicU32::new(1),
                keys: RwLock::default(),
                anonymous: Addresses::new(default.get(), burst_of(default).get()),
                tries: Tries {
                    failed: Addresses::new(tries, tries.div_ceil(2)),
                    waiting: Mutex::default(),
                    tidied: Tidied::default(),
                },
            })
        }))
    }

    /// What a key has left; `None` where there are no limits.
    pub fn meter(&self, key: &ApiKey) -> Option<Arc<Meter>> {
        self.0.as_ref().map(|parts| parts.meter(key))
    }

    /// Counts a request that needs no key.
    pub fn anonymous(&self, address: Option<IpAddr>) -> Result<(), ApiError> {
        let Some(parts) = &self.0 else { return Ok(()) };
        parts.anonymous.check(address).map_err(|wait| limited(metric::BY_ADDRESS, wait))
    }

    /// Whether something may be looked up for an address.
    pub fn may_try(&self, address: Option<IpAddr>) -> Result<(), ApiError> {
        let wait = self.0.as_ref().and_then(|parts| parts.tries.wait(address));
        wait.map_or(Ok(()), |wait| Err(limited(metric::BY_TRIES, wait)))
    }

    /// Counts a failed try.
    pub fn failed(&self, address: Option<IpAddr>) {
        metrics::counter!(metric::AUTH_FAILURES).increment(1);
        if let Some(parts) = &self.0 {
            parts.tries.failed(address);
        }
    }
}

/// What a request counts before its body is read.
pub fn weight(request: &Request) -> u32 {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let is_upload = request.method() == Method::POST && path == Some("/api/businesses/{business_id}/documents");
    if is_upload { UPLOAD } else { 1 }
}

/// What a batch of requests counts beyond one request.
pub fn weight_of_batch(requests: usize) -> u32 {
    u32::try_from(requests / BATCHED).unwrap_or(u32::MAX)
}

fn limited(by: &'static str, wait: Duration) -> ApiError {
    metrics::counter!(metric::REQUESTS_LIMITED, metric::BY => by).increment(1);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    ApiError::TooManyRequests(u16::try_from(seconds).unwrap_or(u16::MAX).max(1))
}

/// A burst is a quarter of a minute's requests.
fn burst_of(limit: NonZeroU32) -> NonZeroU32 {
    let burst = (limit.get() / 4).max(LEAST_BURST).min(limit.get());
    NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN)
}

fn quota(per_minute: u32, burst: u32) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let period = Duration::from_secs(60) / per_minute.max(1);
    Quota::with_period(period).unwrap_or_else(|| Quota::per_minute(burst)).allow_burst(burst)
}

impl Parts {
    fn meter(&self, key: &ApiKey) -> Arc<Meter> {
        let limit = key.requests_per_minute.and_then(NonZeroU32::new).unwrap_or(self.default);
        let share = limit.get() / self.processes.load(Ordering::Relaxed).max(1);
        let share = NonZeroU32::new(share).unwrap_or(NonZeroU32::MIN);
        let is_this = |meter: &Meter| meter.limit == limit && meter.share == share;
        let known = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&key.id).cloned();
        if let Some(meter) = known.filter(|meter| is_this(meter)) {
            return meter;
        }
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        match keys.get(&key.id) {
            // Another request was faster.
            Some(meter) if is_this(meter) => Arc::clone(meter),
            _ => {
                let meter = Arc::new(Meter::new(limit, share));
                keys.insert(key.id.clone(), Arc::clone(&meter));
                meter
            }
        }
    }

    /// Says that this process is alive, and counts the others. While Redis is away, the last count holds.
    async fn keep(&self, redis: &Redis, closing: CancellationToken) {
        let id = Uuid::now_v7().to_string();
        let kept = async {
            let mut tidied = Instant::now();
            loop {
                if let Ok(Ok(alive)) = timeout(presence::BEAT, presence::beat_api(redis, &id)).await {
                    self.processes.store(u32::try_from(alive).unwrap_or(u32::MAX).max(1), Ordering::Relaxed);
                }
                if tidied.elapsed() >= TIDY_EVERY {
                    self.tidy();
                    tidied = Instant::now();
                }
                sleep(presence::BEAT).await;
            }
        };
        tokio::select! {
            () = kept => {}
            () = closing.cancelled() => {}
        }
        let _ = timeout(Duration::from_millis(500), presence::leave_api(redis, &id)).await;
    }

    fn tidy(&self) {
        let since = clock::now().timestamp() - IDLE_SECONDS;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, meter| meter.used.load(Ordering::Relaxed) > since);
        drop(keys);
        self.anonymous.tidy();
        self.tries.failed.tidy();
        self.tries.tidy();
    }
}

/// What a key may send in this process.
#[derive(Debug)]
pub struct Meter {
    limit: NonZeroU32,
    share: NonZeroU32,
    burst: u32,
    bucket: RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>,
    left: AtomicU32,
    /// When it was last used, in seconds since 1970.
    used: AtomicI64,
}

impl Meter {
    fn new(limit: NonZeroU32, share: NonZeroU32) -> Self {
        let burst = burst_of(share).get();
        let bucket = RateLimiter::direct(quota(share.get(), burst)).with_middleware::<StateInformationMiddleware>();
        Self { limit, share, burst, bucket, left: AtomicU32::new(burst), used: AtomicI64::new(0) }
    }

    /// Counts as many requests, but never more than a burst has beside the one that let the request in.
    pub fn spend(&self, requests: u32) -> Result<(), ApiError> {
        self.used.store(clock::now().timestamp(), Ordering::Relaxed);
        let Some(requests) = NonZeroU32::new(requests.min(self.burst.saturating_sub(1).max(1))) else { return Ok(()) };
        match self.bucket.check_n(requests) {
            Ok(Ok(state)) => {
                self.left.store(state.remaining_burst_capacity(), Ordering::Relaxed);
                Ok(())
            }
            Ok(Err(not_until)) => {
                if requests == NonZeroU32::MIN {
                    self.left.store(0, Ordering::Relaxed);
                }
                Err(limited(metric::BY_KEY, not_until.wait_time_from(DefaultClock::default().now())))
            }
            // More than a burst: there is no such request.
            Err(_) => Ok(()),
        }
    }

    /// Tells the client.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let left = self.left.load(Ordering::Relaxed);
        let whole_in = (u64::from(self.burst.saturating_sub(left)) * 60).div_ceil(u64::from(self.share.get()));
        let values = [
            (POLICY, format!("\"default\";q={};w=60", self.limit)),
            (LEFT, format!("\"default\";r={left};t={whole_in}")),
        ];
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

/// One count for each address, or network of IPv6, and one for all that do not fit.
#[derive(Debug)]
struct Addresses {
    apart: DefaultKeyedRateLimiter<IpAddr>,
    others: DefaultDirectRateLimiter,
    tidied: Tidied,
}

impl Addresses {
    fn new(per_minute: u32, burst: u32) -> Self {
        let others = quota(per_minute.saturating_mul(OTHERS), burst.saturating_mul(OTHERS));
        Self {
            apart: RateLimiter::hashmap(quota(per_minute, burst)),
            others: RateLimiter::direct(others),
            tidied: Tidied::default(),
        }
    }

    /// Counts one. How long to wait, if that is one too many.
    fn check(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        let now = DefaultClock::default().now();
        match address {
            Some(address) if self.has_room() => {
                self.apart.check_key(&group(address)).map_err(|not_until| not_until.wait_time_from(now))
            }
            _ => self.others.check().map_err(|not_until| not_until.wait_time_from(now)),
        }
    }

    fn has_room(&self) -> bool {
        if self.apart.len() < MOST_ADDRESSES {
            return true;
        }
        self.tidied.now_and_then(|| self.tidy());
        self.apart.len() < MOST_ADDRESSES
    }

    /// Forgets those that may send a whole burst again.
    fn tidy(&self) {
        self.apart.retain_recent();
        self.apart.shrink_to_fit();
    }
}

/// When there was last no room. A flood must not make every request look at all that is kept.
#[derive(Debug, Default)]
struct Tidied(Mutex<Option<Instant>>);

impl Tidied {
    fn now_and_then(&self, tidy: impl FnOnce()) {
        let mut last = locked(&self.0);
        if last.is_none_or(|at| at.elapsed() >= TIDY_AT_MOST) {
            tidy();
            *last = Some(Instant::now());
        }
    }
}

/// Addresses that failed to show a key.
#[derive(Debug)]
struct Tries {
    failed: Addresses,
    /// Until when nothing is looked up for them.
    waiting: Mutex<HashMap<IpAddr, Instant>>,
    tidied: Tidied,
}

impl Tries {
    fn wait(&self, address: Option<IpAddr>) -> Option<Duration> {
        let until = locked(&self.waiting).get(&group(address?)).copied()?;
        Some(until.saturating_duration_since(Instant::now())).filter(|wait| !wait.is_zero())
    }

    fn failed(&self, address: Option<IpAddr>) {
        let (Err(wait), Some(address)) = (self.failed.check(address), address) else { return };
        if locked(&self.waiting).len() >= MOST_ADDRESSES {
            self.tidied.now_and_then(|| self.tidy());
        }
        let mut waiting = locked(&self.waiting);
        if waiting.len() < MOST_ADDRESSES {
            waiting.insert(group(address), Instant::now() + wait);
        }
    }

    fn tidy(&self) {
        let now = Instant::now();
        let mut waiting = locked(&self.waiting);
        waiting.retain(|_, until| *until > now);
        waiting.shrink_to_fit();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
