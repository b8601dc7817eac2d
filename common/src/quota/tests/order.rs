//! In what order jobs of several calls are done at a quota that is too small for all of them: the
//! real scripts, with time moved in the data, so that minutes pass in a moment.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

pub(super) const LIMIT: usize = 30;
pub(super) const WINDOW_MS: i64 = 60_000;

/// Jobs of several calls.
pub(super) struct Load {
    pub(super) jobs: usize,
    /// When each is accepted, in ms since the begin.
    pub(super) at: fn(usize) -> i64,
    /// How urgent each is.
    pub(super) priority: fn(usize) -> Priority,
    /// Whether each asks for a turn first, and takes a second or two from that to its first call.
    pub(super) turns: bool,
    /// When the run ends at the latest, in ms since the begin.
    pub(super) until: i64,
    pub(super) calls: fn(usize) -> u8,
    /// How long a call takes, in ms; up to half more or less.
    pub(super) call_ms: i64,
    /// Calls that a job promises that has made so many, of so many.
    pub(super) promised: fn(usize, u8, u8) -> u8,
    /// Jobs whose worker vanishes with their first call.
    pub(super) lost: usize,
}

impl Load {
    pub(super) fn of(jobs: usize, call_ms: i64) -> Self {
        Self {
            jobs,
            at: |_| 0,
            priority: |_| Priority::Interactive,
            turns: false,
            until: i64::MAX,
            calls: |_| 4,
            call_ms,
            promised: |_, made, calls| calls - made - 1,
            lost: 0,
        }
    }

    /// Texts that usually take two calls, and a fifth of them three: which is not known before.
    fn of_texts(jobs: usize) -> Self {
        let promised = |_, made: u8, _| 2_u8.saturating_sub(made + 1);
        Self { calls: |job| 2 + u8::from(job % 5 == 4), promised, ..Self::of(jobs, 1_500) }
    }
}

/// What came of it, in ms since the begin.
#[derive(Default)]
pub(super) struct Run {
    /// When each job's last call was granted.
    pub(super) done: Vec<i64>,
    pub(super) granted: Vec<i64>,
    /// Which job had which call.
    pub(super) grants_of: Vec<usize>,
    /// How long each job waited for its first call, where it had one.
    pub(super) waited: BTreeMap<usize, i64>,
    asks: usize,
}

impl Run {
    fn mean(&self) -> f64 {
        self.done.iter().sum::<i64>() as f64 / self.done.len() as f64
    }

    /// The share of the limit that is used while there is enough to do: what a window is to the mean
    /// time from one call to the one `LIMIT` calls later.
    pub(super) fn used(&self) -> f64 {
        let saturated = &self.granted[LIMIT..self.granted.len() * 4 / 5];
        let spans: Vec<i64> = saturated.iter().zip(&saturated[LIMIT..]).map(|(from, to)| to - from).collect();
        (spans.len() as i64 * WINDOW_MS) as f64 / spans.iter().sum::<i64>() as f64
    }

    fn note(&mut self, now: i64, job: usize, load: &Load) {
        self.granted.push(now);
        self.grants_of.push(job);
        self.waited.entry(job).or_insert(now - (load.at)(job));
    }

    fn asks_per_grant(&self) -> f64 {
        self.asks as f64 / self.granted.len() as f64
    }
}

/// The mean where the first job makes all its calls, then the second one: the least that there is.
fn ideal(load: &Load) -> f64 {
    let made = (0..load.jobs).scan(0, |made, job| {
        *made += usize::from((load.calls)(job));
        Some(*made)
    });
    let done = made.map(|made| ((made - 1) / LIMIT) as i64 * WINDOW_MS);
    done.sum::<i64>() as f64 / load.jobs as f64
}

pub(super) async fn run(load: &Load) -> Run {
    let quota = Quota::new(&Redis::of_test(), "groq", "m", Policy::per_minute(30, Duration::from_secs(60)));
    let quota = Quota { policy: Policy { window: Duration::from_millis(60_000), ..quota.policy }, ..quota };
    let began = clock::now();
    let business = BusinessId::parse("company_123").unwrap();
    let ids: Vec<JobId> = (0..load.jobs).map(|_| JobId::new()).collect();
    let mut random = rand::rngs::SmallRng::seed_from_u64(7);
    let mut made = vec![0_u8; load.jobs];
    // In what order jobs of one burst are claimed is not theirs to choose.
    let mut claimed: Vec<usize> = (0..load.jobs).collect();
    claimed.shuffle(&mut random);
    let mut asks: BinaryHeap<Reverse<(i64, usize)>> =
        claimed.into_iter().zip(0..).map(|(job, n)| Reverse(((load.at)(job) + n, job))).collect();
    let mut had_turn = vec![!load.turns; load.jobs];
    let (mut run, mut lost) = (Run::default(), load.lost);
    let mut passed = 0;
    while let Some(Reverse((at, job))) = asks.pop().filter(|Reverse((at, _))| *at < load.until) {
        let now = passed + (clock::now() - began).num_milliseconds();
        if at > now {
            quota.set_back(at - now).await;
            passed += at - now;
        }
        let accepted_at = began + TimeDelta::milliseconds((load.at)(job) + i64::try_from(job).unwrap());
        let (is_new, calls) = (made[job] == 0, (load.calls)(job));
        let rank = if is_new { Rank::new_job } else { Rank::under_way }(ids[job], business.clone(), accepted_at);
        run.asks += 1;
        let rank = rank.before((load.promised)(job, made[job], calls)).of_priority((load.priority)(job));
        let asked_for = if had_turn[job] { AskedFor::Call } else { AskedFor::Turn };
        let admission = quota.admit(Ask { asked_for, ..rank.into() }).await.unwrap();
        let now = passed + (clock::now() - began).num_milliseconds();
        match admission {
            Admission::Granted(_) if is_new && lost > 0 => {
                lost -= 1;
                run.note(now, job, load);
            }
            Admission::Granted(grant) => {
                run.note(now, job, load);
                made[job] += 1;
                let takes = random.random_range(load.call_ms / 2..load.call_ms * 3 / 2);
                let grant = Grant { began: Instant::now() - Duration::from_millis(takes.unsigned_abs()), ..grant };
                settle(&quota, grant, Health::Healthy).await;
                match made[job] {
                    done if done == calls => run.done.push(now),
                    _ => asks.push(Reverse((now + takes, job))),
                }
            }
            Admission::Throttled { until } | Admission::BreakerOpen { until } => {
                asks.push(Reverse((passed + (until - began).num_milliseconds(), job)));
            }
            Admission::Turn => {
                had_turn[job] = true;
                asks.push(Reverse((now + random.random_range(1_000..2_000), job)));
            }
            other @ Admission::OverBudget { .. } => panic!("{other:?}"),
        }
    }
    run
}

#[tokio::test]
async fn a_burst_is_done_job_by_job() {
    let quota = quota(30, 60_000);
    let calls = (0..40).map(|_| {
        let quota = quota.clone();
        tokio::spawn(async move {
            let (id, business, accepted_at) = (JobId::new(), BusinessId::parse("company_123").unwrap(), clock::now());
            for call in 0..4_u8 {
                let rank = if call == 0 { Rank::new_job } else { Rank::under_way }(id, business.clone(), accepted_at);
                let Admission::Granted(grant) = quota.admit(rank.before(3 - call)).await.unwrap() else { return call };
                settle(&quota, grant, Health::Healthy).await;
            }
            4
        })
    });
    let mut made = Vec::new();
    for calls in calls.collect::<Vec<_>>() {
        made.push(calls.await.unwrap());
    }
    made.sort_unstable_by_key(|calls| Reverse(*calls));
    assert_eq!(made[..9], [4, 4, 4, 4, 4, 4, 4, 2, 0], "the first seven jobs are done before a ninth is begun");
}

#[tokio::test]
async fn jobs_are_done_nearly_as_early_as_they_can_be() {
    let load = Load::of(40, 20);
    let run = run(&load).await;
    let ratio = run.mean() / ideal(&load);
    assert!(ratio <= 1.05, "{ratio} times the ideal order's mean");
    assert!(run.asks_per_grant() <= 2.5, "{} asks a grant", run.asks_per_grant());
}

#[tokio::test]
async fn the_first_of_many_texts_is_done_after_the_time_of_its_own_calls() {
    let load = Load::of_texts(40);
    let run = run(&load).await;
    let (first, ratio) = (run.done.iter().min().copied().unwrap(), run.mean() / ideal(&load));
    assert!(first <= load.call_ms * 3 / 2 + 250, "the last call of the first text is made after {first} ms");
    // The ideal order knows which take three, and its calls take no time.
    assert!(ratio <= 1.12, "{ratio} times the ideal order's mean");
    let in_the_first_window = run.done.iter().filter(|done| **done < WINDOW_MS).count();
    assert!(in_the_first_window >= 11, "{in_the_first_window} of thirteen texts are done in the first window");
}

#[tokio::test]
async fn turns_keep_the_order_and_leave_nothing_unused() {
    let load = Load { turns: true, ..Load::of_texts(40) };
    let texts = run(&load).await;
    let ratio = texts.mean() / ideal(&load);
    assert!(ratio <= 1.15, "{ratio} times the ideal order's mean, with a second or two before the first call");
    let first = texts.done.iter().min().unwrap();
    assert!(*first <= 2_000 + load.call_ms * 3 / 2 + 250, "the last call of the first text is made after {first} ms");
    let used = run(&Load { turns: true, ..Load::of_texts(150) }).await.used();
    assert!(used >= 0.99, "{used} of the limit is used");
}

#[tokio::test]
async fn slow_calls_leave_nothing_unused_and_keep_the_order() {
    for call_ms in [600, 6_000, 24_000] {
        let load = Load::of(150, call_ms);
        let run = run(&load).await;
        let (ratio, used) = (run.mean() / ideal(&load), run.used());
        assert!(used >= 0.99, "{used} of the limit is used at {call_ms} ms");
        assert!(ratio <= 1.12, "{ratio} times the ideal order's mean at {call_ms} ms");
    }
}

#[tokio::test]
async fn promises_that_are_not_kept_leave_little_unused() {
    let lying = Load { promised: |_, _, _| 3, ..Load::of(100, 1_000) };
    let used = run(&lying).await.used();
    assert!(used >= 0.95, "{used} of the limit is used by jobs that promise too much");
    let losing = Load { lost: 30, ..Load::of(130, 1_000) };
    let used = run(&losing).await.used();
    assert!(used >= 0.95, "{used} of the limit is used where workers vanish");
}
