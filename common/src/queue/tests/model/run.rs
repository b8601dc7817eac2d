//! Runs each operation on the real queue and on the model.

use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, LeaseRef, Priority};
use copydesk_domain::trace::TraceParent;

use super::{Model, Operation};
use crate::clock;
use crate::queue::message::{Message, MessageV1};
use crate::queue::tests::{LEASE_MS, claim_by, forget};
use crate::queue::{Entry, Intake, Next, Queue, Recovery, Settled, Share};
use crate::redis::Redis;

/// A time so late that no delayed job of a test becomes ready by itself.
const FAR_MS: i64 = 4_000_000_000_000;

/// The real queue, the model, and the jobs and leases so far.
struct Run {
    queue: Queue,
    model: Model,
    pushed: Vec<Entry>,
    leases: Vec<LeaseRef>,
    changes: i64,
}

fn pick<T: Clone>(of: &[T], number: usize) -> Option<T> {
    (!of.is_empty()).then(|| of[number % of.len()].clone())
}

impl Run {
    async fn step(&mut self, operation: &Operation) {
        match *operation {
            Operation::Push { business, bulk, far } => self.push(business, bulk, far, 1).await,
            Operation::PushMany { business, bulk, jobs } => self.push(business, bulk, false, jobs).await,
            Operation::PushAgain(job) => {
                if let Some(entry) = pick(&self.pushed, job) {
                    let far = entry.not_before.is_some();
                    let last_lease = self.leases.iter().rfind(|lease| lease.id == entry.message.job_id());
                    let entry = Entry { begun: last_lease.map(|lease| lease.epoch), ..entry };
                    assert_eq!(
                        self.queue.push(std::slice::from_ref(&entry)).await.unwrap(),
                        self.model.push(&entry, far)
                    );
                }
            }
            Operation::Claim(most) => self.claim(most).await,
            Operation::Settle { lease, how } => {
                if let Some(lease) = pick(&self.leases, lease) {
                    let next = match how {
                        0 => Next::Back,
                        1 => Next::Later(clock::from_millis(1)),
                        2 => Next::Later(clock::from_millis(FAR_MS)),
                        _ => Next::Done,
                    };
                    self.queue.settle(&[Settled { lease, next }]).await.unwrap();
                    self.model.settle(lease, next);
                }
            }
            Operation::Renew(lease) => {
                if let Some(lease) = pick(&self.leases, lease) {
                    let renewals = self.queue.renew(&[lease], LEASE_MS).await.unwrap();
                    assert_eq!(renewals, [self.model.renew(lease)]);
                }
            }
            Operation::Expire(lease) => self.make_due(lease, true).await,
            Operation::ComesDue(job) => self.make_due(job, false).await,
            Operation::Flush { is_told } => {
                forget(&self.queue).await;
                self.model = Model { cap: self.model.cap, ..Model::default() };
                if is_told {
                    self.open().await;
                }
            }
            Operation::Readopt(lease) => self.readopt(lease).await,
            Operation::Intake(intake) => {
                self.changes += 1;
                assert!(self.queue.set_intake(intake, self.changes).await.unwrap());
                assert!(self.changes == 1 || !self.queue.set_intake(Intake::Open, self.changes - 1).await.unwrap());
                self.model.intake = Some(intake);
            }
            Operation::Cap(cap) => self.model.cap = cap,
            Operation::Share { business, weight, jobs_at_once } => {
                self.changes += 1;
                let business = BusinessId::parse(format!("b{business}")).unwrap();
                let share = Share { weight, jobs_at_once };
                let set = [(business.clone(), share, self.changes)];
                assert_eq!(self.queue.set_shares(&set).await.unwrap(), 1);
                assert_eq!(self.queue.set_shares(&set).await.unwrap(), 0);
                if self.model.any_capped() {
                    self.model.freed.insert(business.clone());
                }
                self.model.shares.insert(business, share);
            }
        }
        assert_eq!(self.queue.depth().await.unwrap(), self.model.depth());
    }

    async fn open(&mut self) {
        assert!(self.queue.set_intake(Intake::Open, 0).await.unwrap());
        self.model.intake = Some(Intake::Open);
    }

    async fn push(&mut self, business: u8, bulk: bool, far: bool, jobs: usize) {
        let message = || MessageV1 {
            job_id: JobId::new(),
            kind: JobKind::Generate,
            business_id: BusinessId::parse(format!("b{business}")).unwrap(),
            priority: if bulk { Priority::Bulk } else { Priority::Interactive },
            trace: TraceParent::start(),
        };
        let not_before = far.then(|| clock::from_millis(FAR_MS));
        let entries: Vec<Entry> =
            (0..jobs).map(|_| Entry { message: Message::V1(message()), not_before, begun: None }).collect();
        let expected: u64 = entries.iter().map(|entry| self.model.push(entry, far)).sum();
        assert_eq!(self.queue.push(&entries).await.unwrap(), expected);
        self.pushed.extend(entries);
    }

    async fn claim(&mut self, most: usize) {
        let leased = claim_by(&self.queue, "model", most, LEASE_MS, self.model.cap).await.leased;
        let expected = self.model.claim(most);
        assert_eq!(leased.iter().map(|leased| leased.lease.id).collect::<Vec<_>>(), expected);
        for leased in leased {
            let before = self.model.epochs.insert(leased.lease.id, leased.lease.epoch);
            assert!(before < Some(leased.lease.epoch), "a later lease has a greater epoch");
            self.leases.push(leased.lease);
        }
    }

    async fn make_due(&mut self, number: usize, lease: bool) {
        let (real, model) = if lease {
            (&self.queue.keys.leases, &mut self.model.leases)
        } else {
            (&self.queue.keys.delayed, &mut self.model.delayed)
        };
        let ids: Vec<JobId> = model.keys().copied().collect();
        if let Some(id) = pick(&ids, number) {
            let mut set = redis::cmd("ZADD");
            set.arg(real).arg(1).arg(id.to_string());
            set.query_async::<()>(&mut self.queue.redis.commands()).await.unwrap();
            model.insert(id, true);
        }
    }

    async fn readopt(&mut self, number: usize) {
        let Some(lease @ LeaseRef { id, epoch }) = pick(&self.leases, number) else { return };
        let entry = self.pushed.iter().find(|entry| entry.message.job_id() == id).unwrap().clone();
        let readopted = self.queue.readopt(&[(lease, entry.clone())], LEASE_MS).await.unwrap();
        let unknown = !self.model.known.contains_key(&id);
        assert_eq!(readopted, [unknown]);
        if unknown {
            self.model.known.insert(id, entry);
            self.model.epochs.insert(id, epoch);
            self.model.leases.insert(id, false);
            self.model.running.entry(self.model.business_of(id)).or_default().insert(id);
        }
    }
}

/// Runs operations on both and compares them. At the end, every job must be in some set.
pub(super) fn hold_against_model(operations: &[Operation]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let queue = Queue::new(&Redis::of_test(), JobKind::Generate);
        let mut run = Run { queue, model: Model::default(), pushed: Vec::new(), leases: Vec::new(), changes: 0 };
        run.open().await;
        for operation in operations {
            run.step(operation).await;
        }
        let ids: Vec<JobId> = run.pushed.iter().map(|entry| entry.message.job_id()).collect();
        let unknown = ids.iter().copied().filter(|id| !run.model.known.contains_key(id)).collect();
        assert_eq!(run.queue.recover(&ids).await.unwrap(), Recovery { unknown, put_back: 0 });
        forget(&run.queue).await;
    });
}
