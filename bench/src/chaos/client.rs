//! The client: submits jobs at a steady pace, polls each until it has ended, and records the
//! answers. It uses only the HTTP API.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;
use futures_util::{StreamExt, stream};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use uuid::Uuid;

use super::{Rng, strangers};
use crate::key;

/// The most concurrent requests that submit jobs.
const SUBMITTING: usize = 48;
/// The most concurrent polls.
const POLLERS: usize = 48;
/// One in this many pollers also polls jobs that have ended.
const LOOKS_BACK: usize = 8;
/// How long scheduled jobs are submitted, and how long before the first start time this begins:
/// before all workers have started.
const ASKING: Duration = Duration::from_secs(5);
const ASKED_BEFORE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);
/// The businesses for which most jobs write.
pub(super) const BUSINESSES: usize = 5;
/// The business with a long backlog, whose cap is changed.
pub(super) const CROWDED: &str = "crowded";
const FORMATS: [&str; 12] = [
    "blog",
    "linkedin",
    "thread",
    "newsletter",
    "email",
    "product",
    "ad",
    "press_release",
    "landing_page",
    "case_study",
    "faq",
    "video_script",
];

/// A request, and when it is made.
#[derive(Debug, Clone)]
pub(super) struct Request {
    at: Duration,
    number: u32,
    body: Value,
}

/// What the client was told about an accepted job.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) id: Uuid,
    /// The job's end, once the client was told.
    pub(super) end: Option<End>,
    /// A different answer after that, if there was one.
    pub(super) contradicted: Option<End>,
}

/// A job's end as the client saw it, or a later state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) status: String,
    pub(super) content: Option<String>,
}

/// The business of a number.
pub(super) fn business(number: usize) -> String {
    format!("business-{number}")
}

/// Requests for jobs of all kinds, spread over a time.
pub(super) fn requests(rng: &mut Rng, jobs: u32, over: Duration) -> Vec<Request> {
    (0..jobs)
        .map(|number| {
            let body = json!({
                "business_id": business(rng.random_range(0..BUSINESSES)),
                "format": FORMATS[rng.random_range(0..FORMATS.len())],
                "priority": if rng.random_bool(0.2) { "bulk" } else { "interactive" },
                "max_rounds": rng.random_range(0..=2),
            });
            let at = over.mul_f64((f64::from(number) + rng.random::<f64>()) / f64::from(jobs));
            Request { at, number, body }
        })
        .collect()
}

/// The same for texts beside hostile files. One in ten is of a business that has such files.
pub(super) fn beside_strangers(rng: &mut Rng, jobs: u32, over: Duration) -> Vec<Request> {
    let mut requests = requests(rng, jobs, over);
    for (number, request) in requests.iter_mut().step_by(10).enumerate() {
        request.body["business_id"] = strangers::business(number).into();
    }
    requests
}

/// Requests for short texts of one business, spread over a time.
pub(super) fn crowded(jobs: u32, over: Duration) -> Vec<Request> {
    (0..jobs)
        .map(|number| {
            let body = json!({ "business_id": CROWDED, "format": "ad", "max_rounds": 0 });
            Request { at: over.mul_f64(f64::from(number) / f64::from(jobs)), number, body }
        })
        .collect()
}

/// Requests for short texts that are submitted at once and become due one after the other over a
/// time.
pub(super) fn scheduled(rng: &mut Rng, jobs: u32, over: Duration) -> Vec<Request> {
    let first = Utc::now() + ASKED_BEFORE;
    (0..jobs)
        .map(|number| {
            let share = (f64::from(number) + rng.random::<f64>()) / f64::from(jobs);
            let body = json!({
                "business_id": business(number as usize % BUSINESSES),
                "format": "ad",
                "max_rounds": 0,
                "run_at": first + over.mul_f64(share),
            });
            Request { at: ASKING.mul_f64(f64::from(number) / f64::from(jobs)), number, body }
        })
        .collect()
}

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Client {
    shared: Arc<Shared>,
    /// Ends the pollers with the last clone.
    _pollers: Arc<Pollers>,
}

#[derive(Debug)]
struct Shared {
    http: reqwest::Client,
    url: String,
    state: Mutex<State>,
    changed: Notify,
    /// Requests to submit a job that failed or were answered with an error.
    unanswered: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    told: BTreeMap<Uuid, Told>,
    /// Jobs that have not ended and are not being polled at this moment.
    open: VecDeque<Uuid>,
    /// Jobs that have ended; the one polled last is at the back.
    ended: VecDeque<Uuid>,
}

impl State {
    fn end(&mut self, id: Uuid, end: Option<End>) {
        if let Some(told) = self.told.get_mut(&id) {
            told.end = end;
            self.ended.push_back(id);
        }
    }
}

#[derive(Debug)]
struct Pollers(Vec<AbortHandle>);

impl Drop for Pollers {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Client {
    /// A client of the API at `url`.
    pub(super) fn start(url: String) -> anyhow::Result<Self> {
        let http = key::client().timeout(Duration::from_secs(10)).build()?;
        let shared = Arc::new(Shared {
            http,
            url,
            state: Mutex::default(),
            changed: Notify::new(),
            unanswered: AtomicU64::new(0),
        });
        let pollers = (0..POLLERS)
            .map(|number| tokio::spawn(poll(Arc::clone(&shared), number % LOOKS_BACK == 0)).abort_handle())
            .collect();
        Ok(Self { shared, _pollers: Arc::new(Pollers(pollers)) })
    }

    /// Starts making the requests. Each is repeated until it is accepted.
    pub(super) fn submit(&self, requests: Vec<Request>) -> JoinHandle<()> {
        let client = self.clone();
        tokio::spawn(async move {
            let (began, turns) = (tokio::time::Instant::now(), Arc::new(Semaphore::new(SUBMITTING)));
            let mut under_way = JoinSet::new();
            for request in requests {
                tokio::time::sleep_until(began + request.at).await;
                let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
                let client = client.clone();
                under_way.spawn(async move {
                    client.accepted(&format!("Job {}", request.number), request.body).await;
                    drop(turn);
                });
            }
            while under_way.join_next().await.is_some() {}
        })
    }

    /// Repeats a request until it is accepted, with another topic each time: a request without an
    /// answer may have been accepted. Returns the job's id.
    pub(super) async fn accepted(&self, topic: &str, mut body: Value) -> Uuid {
        for attempt in 1.. {
            body["topic"] = Value::String(format!("{topic}, request {attempt}"));
            if let Some(id) = self.request(&body).await {
                let mut state = self.shared.lock();
                state.told.insert(id, Told { id, end: None, contradicted: None });
                state.open.push_back(id);
                return id;
            }
            self.shared.unanswered.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
        }
        unreachable!("it goes on until a request is accepted")
    }

    /// The job's id, if the answer was a complete 202.
    async fn request(&self, body: &Value) -> Option<Uuid> {
        let url = format!("{}/api/generate", self.shared.url);
        let answer = self.shared.http.post(url).json(body).send().await.ok()?;
        if answer.status() != reqwest::StatusCode::ACCEPTED {
            return None;
        }
        let job: Value = answer.json().await.ok()?;
        job["id"].as_str()?.parse().ok()
    }

    /// Waits until every job has ended, or until `give_up`.
    pub(super) async fn ends(&self, give_up: tokio::time::Instant) {
        let all = async {
            loop {
                let changed = self.shared.changed.notified();
                if self.shared.lock().told.values().all(|told| told.end.is_some()) {
                    return;
                }
                changed.await;
            }
        };
        let _ended = tokio::time::timeout_at(give_up, all).await;
    }

    /// Polls every ended job once more: the answer must be the same. Returns what the client was
    /// told.
    pub(super) async fn last_look(&self) -> Vec<Told> {
        let ended: Vec<Uuid> = self.shared.lock().ended.iter().copied().collect();
        stream::iter(ended).for_each_concurrent(POLLERS, |id| self.shared.look_again(id)).await;
        self.shared.lock().told.values().cloned().collect()
    }

    /// The number of requests to submit a job so far that failed or were answered with an error.
    pub(super) fn unanswered(&self) -> u64 {
        self.shared.unanswered.load(Ordering::Relaxed)
    }

    /// The number of jobs that have not ended yet.
    pub(super) fn open(&self) -> u64 {
        self.shared.lock().told.values().filter(|told| told.end.is_none()).count() as u64
    }

    /// Whether the client was told the job's end.
    pub(super) fn has_ended(&self, id: Uuid) -> bool {
        self.shared.lock().told.get(&id).is_some_and(|told| told.end.is_some())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The API's answer about a job, if there is one: its state, or that there is no such job.
    async fn ask(&self, id: Uuid, wait_seconds: u32) -> Option<End> {
        let url = format!("{}/api/jobs/{id}?wait={wait_seconds}", self.url);
        let answer = self.http.get(url).send().await.ok()?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Some(End { status: "unknown".into(), content: None });
        }
        let job: Value = answer.error_for_status().ok()?.json().await.ok()?;
        let content = job["result"]["content"].as_str().map(str::to_owned);
        Some(End { status: job["status"].as_str()?.to_owned(), content })
    }

    async fn end_of(&self, id: Uuid) -> Option<End> {
        self.ask(id, 2).await.filter(|end| matches!(end.status.as_str(), "succeeded" | "failed" | "cancelled"))
    }

    /// Polls an ended job again, and records a different answer.
    async fn look_again(&self, id: Uuid) {
        let Some(now) = self.ask(id, 0).await else { return };
        if let Some(told) = self.lock().told.get_mut(&id)
            && told.end.as_ref() != Some(&now)
        {
            told.contradicted = Some(now);
        }
    }

    /// The ended job that was polled longest ago.
    fn next_ended(&self) -> Option<Uuid> {
        let mut state = self.lock();
        let id = state.ended.pop_front()?;
        state.ended.push_back(id);
        Some(id)
    }
}

/// Polls one open job after the other. Some pollers also poll ended jobs, whose end must not
/// change.
async fn poll(shared: Arc<Shared>, looks_back: bool) {
    loop {
        if looks_back && let Some(id) = shared.next_ended() {
            shared.look_again(id).await;
        }
        let next = shared.lock().open.pop_front();
        let Some(id) = next else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let end = shared.end_of(id).await;
        if end.is_none() {
            tokio::time::sleep(PAUSE).await;
            shared.lock().open.push_back(id);
            continue;
        }
        shared.lock().end(id, end);
        shared.changed.notify_one();
    }
}
