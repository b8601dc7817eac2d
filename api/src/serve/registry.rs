//! The open connections, and which of them makes room for a new one: the one that has been waiting
//! longest for a request. One with a request under way is never closed for another.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use metrics::{Counter, Gauge};
use tokio::sync::Notify;

use crate::metric;
use crate::peer::group;

/// The oldest silent connections are looked for this many at a time: a look reads the state of all.
const LOOKED_FOR: usize = 64;

/// The limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Of all connections.
    pub(crate) connections: usize,
    /// Of connections beyond these: they are told that there is no room, and probes of the health are
    /// answered on them. Those that were closed for others, and have not ended yet, count as well.
    pub(crate) reserve: usize,
    /// Of one peer; 0 for no limit.
    pub(crate) per_peer: usize,
}

/// What is said to a new connection.
#[derive(Debug)]
pub(super) enum Admission {
    /// There is room.
    Served(Place),
    /// There is none: it is told so, unless it probes the health.
    Reserve(Place),
    /// There is not even room to tell it.
    Refused,
}

/// All open connections. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Registry(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    limits: Limits,
    open: Mutex<Open>,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct Open {
    slots: HashMap<u64, Arc<Slot>>,
    /// Those of them that were closed for others, and have not ended yet.
    gone: usize,
    /// The others, by peer.
    by_peer: HashMap<IpAddr, usize>,
    next_id: u64,
    /// Connections with the time since which they were silent, the oldest last. Others are younger.
    oldest: Vec<(u64, Arc<Slot>)>,
    /// The same of those at the door.
    oldest_at_door: Vec<(u64, Arc<Slot>)>,
}

impl Registry {
    pub(super) fn new(limits: Limits) -> Self {
        let gauge = metrics::gauge!(metric::CONNECTIONS);
        gauge.set(0.0);
        Self(Arc::new(Parts { limits, open: Mutex::default(), gauge }))
    }

    /// Takes in a new connection, for which another one may have to go.
    pub(super) fn admit(&self, peer: IpAddr) -> Admission {
        let (peer, limits) = (group(peer), self.0.limits);
        let mut open = self.open();
        // The service may be too busy to end connections; those at the door end at once.
        let only_at_door = open.gone > limits.reserve / 2;
        if limits.per_peer > 0 && open.of_peer(peer) >= limits.per_peer {
            open.evict(|slot| slot.peer == peer && (!only_at_door || slot.is_at_door()));
        } else if open.present() >= limits.connections {
            if only_at_door { open.evict_oldest_at_door() } else { open.evict_oldest() }
        }
        // One of the reserve makes room in the reserve only.
        let is_full =
            open.present() >= limits.connections || (limits.per_peer > 0 && open.of_peer(peer) >= limits.per_peer);
        if open.slots.len() >= limits.connections + limits.reserve {
            return Admission::Refused;
        }
        let slot = Arc::new(Slot::new(peer));
        let id = open.next_id;
        open.next_id += 1;
        open.slots.insert(id, Arc::clone(&slot));
        *open.by_peer.entry(peer).or_default() += 1;
        self.0.gauge.increment(1.0);
        let place = Place { registry: self.clone(), id, slot };
        if is_full { Admission::Reserve(place) } else { Admission::Served(place) }
    }

    /// Closes the connection that has been silent longest, if there is one.
    pub(super) fn evict(&self) {
        self.open().evict_oldest();
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// The connections that were not closed for others.
    fn present(&self) -> usize {
        self.slots.len() - self.gone
    }

    fn of_peer(&self, peer: IpAddr) -> usize {
        self.by_peer.get(&peer).copied().unwrap_or_default()
    }

    /// Closes the connection that has been silent longest.
    fn evict_oldest(&mut self) {
        let evicted = first_evicted(&mut self.oldest).or_else(|| {
            self.oldest = silent(self.slots.values());
            first_evicted(&mut self.oldest)
        });
        self.closed(evicted);
    }

    /// The same at the door.
    fn evict_oldest_at_door(&mut self) {
        // Some have left the door since they were looked for.
        self.oldest_at_door.retain(|(_, slot)| slot.is_at_door());
        let evicted = first_evicted(&mut self.oldest_at_door).or_else(|| {
            self.oldest_at_door = silent(self.slots.values().filter(|slot| slot.is_at_door()));
            first_evicted(&mut self.oldest_at_door)
        });
        self.closed(evicted);
    }

    /// The same of those that are such.
    fn evict(&mut self, is_such: impl Fn(&Slot) -> bool) {
        let evicted = first_evicted(&mut silent(self.slots.values().filter(|slot| is_such(slot))));
        self.closed(evicted);
    }

    fn closed(&mut self, evicted: Option<IpAddr>) {
        if let Some(peer) = evicted {
            self.gone += 1;
            self.leave(peer);
            EVICTED.increment(1);
        }
    }

    fn leave(&mut self, peer: IpAddr) {
        let Some(of_peer) = self.by_peer.get_mut(&peer) else { return };
        *of_peer -= 1;
        if *of_peer == 0 {
            self.by_peer.remove(&peer);
        }
    }

    fn remove(&mut self, id: u64) {
        match self.slots.remove(&id) {
            // One that has ended makes room for no other: it may still be in a list of the oldest.
            Some(slot) if slot.state.swap(GONE, Ordering::AcqRel) == GONE => self.gone -= 1,
            Some(slot) => self.leave(slot.peer),
            None => {}
        }
    }
}

/// The slots that have been silent longest, the oldest last.
fn silent<'a>(slots: impl Iterator<Item = &'a Arc<Slot>>) -> Vec<(u64, Arc<Slot>)> {
    let mut silent: Vec<_> = slots.filter_map(|slot| Some((slot.silent_since()?, slot))).collect();
    if silent.len() > LOOKED_FOR {
        silent.select_nth_unstable_by_key(LOOKED_FOR, |(since, _)| *since);
        silent.truncate(LOOKED_FOR);
    }
    silent.sort_unstable_by_key(|(since, _)| std::cmp::Reverse(*since));
    silent.into_iter().map(|(since, slot)| (since, Arc::clone(slot))).collect()
}

/// Closes the first from the end that is still silent. Its peer.
fn first_evicted(oldest: &mut Vec<(u64, Arc<Slot>)>) -> Option<IpAddr> {
    while let Some((since, slot)) = oldest.pop() {
        if slot.evict(since) {
            return Some(slot.peer);
        }
    }
    None
}

static EVICTED: LazyLock<Counter> = LazyLock::new(|| closed_as(metric::EVICTED));
static REFUSED: LazyLock<Counter> = LazyLock::new(|| closed_as(metric::REFUSED));

fn closed_as(reason: &'static str) -> Counter {
    metrics::counter!(metric::CONNECTIONS_CLOSED, metric::REASON => reason)
}

/// Counts a connection that was told that there is no room.
pub(super) fn count_refused() {
    REFUSED.increment(1);
}

/// An open connection's place. Dropped with the connection.
#[derive(Debug)]
pub(super) struct Place {
    registry: Registry,
    id: u64,
    slot: Arc<Slot>,
}

impl Place {
    pub(super) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.open().remove(self.id);
        self.registry.0.gauge.decrement(1.0);
    }
}

/// The state of a connection, shared by its task and the registry.
#[derive(Debug)]
pub(super) struct Slot {
    peer: IpAddr,
    /// [`BUSY`], [`ANSWERED`], [`GONE`], or the time since which it waits for a request.
    state: AtomicU64,
    closed: Notify,
    /// Whether it waits at the door, for its first request.
    at_door: AtomicBool,
}

/// A request is under way.
const BUSY: u64 = 0;
/// The answer is complete, but not yet sent.
const ANSWERED: u64 = 1;
/// It was closed for another one.
const GONE: u64 = u64::MAX;

impl Slot {
    fn new(peer: IpAddr) -> Self {
        Self { peer, state: AtomicU64::new(now()), closed: Notify::new(), at_door: AtomicBool::new(true) }
    }

    /// A request begins. False if the connection is being closed.
    pub(super) fn begin(&self) -> bool {
        let begun = |state| (state != GONE).then_some(BUSY);
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, begun).is_ok()
    }

    /// The answer is complete.
    pub(super) fn answered(&self) {
        let _ = self.state.compare_exchange(BUSY, ANSWERED, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Everything written so far is sent. True if that was an answer: the next request is waited for.
    pub(super) fn flushed(&self) -> bool {
        self.state.load(Ordering::Acquire) == ANSWERED
            && self.state.compare_exchange(ANSWERED, now(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether no request is under way, and no answer.
    pub(super) fn is_silent(&self) -> bool {
        !matches!(self.state.load(Ordering::Acquire), BUSY | ANSWERED)
    }

    /// Waits until it is closed for another connection.
    pub(super) async fn closed(&self) {
        self.closed.notified().await;
    }

    /// It goes on to the service.
    pub(super) fn leave_door(&self) {
        self.at_door.store(false, Ordering::Release);
    }

    fn is_at_door(&self) -> bool {
        self.at_door.load(Ordering::Acquire)
    }

    fn silent_since(&self) -> Option<u64> {
        let state = self.state.load(Ordering::Acquire);
        (!matches!(state, BUSY | ANSWERED | GONE)).then_some(state)
    }

    /// Closes it, if it has been silent all the time.
    fn evict(&self, since: u64) -> bool {
        let evicted = self.state.compare_exchange(since, GONE, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if evicted {
            self.closed.notify_one();
        }
        evicted
    }
}

/// Nanoseconds since the first call, after the numbers with a meaning of their own.
fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(GONE - 3) + 2
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const RESERVE: usize = 4;

    fn registry(connections: usize, per_peer: usize) -> Registry {
        Registry::new(Limits { connections, reserve: RESERVE, per_peer })
    }

    fn served(registry: &Registry, peer: &str) -> Place {
        match registry.admit(peer.parse().unwrap()) {
            Admission::Served(place) => place,
            other => panic!("{other:?}"),
        }
    }

    fn is_gone(place: &Place) -> bool {
        !place.slot().begin()
    }

    #[test]
    fn the_one_that_was_silent_longest_makes_room() {
        let registry = registry(3, 0);
        let [first, second, third] = [(); 3].map(|()| served(&registry, "10.0.0.1"));
        // The first one speaks, and is silent again: it is the youngest now.
        assert!(first.slot().begin());
        first.slot().answered();
        first.slot().flushed();
        let _fourth = served(&registry, "10.0.0.1");
        assert!(is_gone(&second));
        drop(second);
        let _fifth = served(&registry, "10.0.0.1");
        assert!(is_gone(&third) && !is_gone(&first));
    }

    #[test]
    fn a_request_under_way_is_never_cut_off() {
        let registry = registry(2, 0);
        let places = [served(&registry, "10.0.0.1"), served(&registry, "10.0.0.1")];
        assert!(places.iter().all(|place| place.slot().begin()));
        // An answer that is not sent yet is under way.
        places[0].slot().answered();
        let reserve: Vec<_> = (0..RESERVE).map(|_| registry.admit("10.0.0.2".parse().unwrap())).collect();
        assert!(reserve.iter().all(|admission| matches!(admission, Admission::Reserve(_))), "{reserve:?}");
        // The first of them is silent, and makes room.
        assert!(matches!(registry.admit("10.0.0.2".parse().unwrap()), Admission::Refused));
        for place in places {
            assert!(!place.slot().is_silent());
            drop(place);
        }
        drop(reserve);
        let open = registry.open();
        assert!(open.slots.is_empty() && open.by_peer.is_empty() && open.gone == 0, "{open:?}");
    }

    #[test]
    fn one_that_has_ended_makes_room_for_no_other() {
        let registry = registry(4, 0);
        let mut places: Vec<_> = (0..4).map(|_| served(&registry, "10.0.0.1")).collect();
        // The first one makes room, and the others are known to be the next.
        places.push(served(&registry, "10.0.0.1"));
        places.remove(1);
        places.push(served(&registry, "10.0.0.1"));
        places.push(served(&registry, "10.0.0.1"));
        assert_eq!(places.iter().filter(|place| is_gone(place)).count(), 2);
        drop(places);
        let open = registry.open();
        assert!(open.slots.is_empty() && open.by_peer.is_empty() && open.gone == 0, "{open:?}");
    }

    #[test]
    fn probes_have_room_where_the_service_ends_no_connection() {
        let registry = registry(10, 0);
        let stuck: Vec<_> = (0..10).map(|_| served(&registry, "10.0.0.1")).collect();
        stuck.iter().for_each(|place| place.slot().leave_door());
        // Each of these ends when it is closed for another one.
        let mut at_door: Vec<Place> = Vec::new();
        for turn in 0..100 {
            at_door.retain(|place| place.slot().silent_since().is_some());
            match registry.admit("10.0.0.2".parse().unwrap()) {
                Admission::Served(place) | Admission::Reserve(place) => at_door.push(place),
                Admission::Refused => panic!("{turn}"),
            }
        }
        assert!(stuck.iter().filter(|place| is_gone(place)).count() <= 1 + RESERVE / 2);
    }

    #[test]
    fn a_peers_connections_make_room_for_its_own() {
        let registry = registry(100, 2);
        let other = served(&registry, "10.0.0.2");
        let first = served(&registry, "2001:db8::1");
        let _second = served(&registry, "2001:db8::2");
        let _third = served(&registry, "2001:db8::3");
        assert!(is_gone(&first) && !is_gone(&other));
    }
}
