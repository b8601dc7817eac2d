//! A job that this worker has claimed.

use std::sync::Arc;
use std::task::Poll;

use copydesk_common::queue::message::{Message, MessageV1};
use copydesk_domain::job::LeaseRef;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::lease::Tenure;

/// A claimed job, the argument of its handler. Cheap to clone; its slot is free again once the last
/// clone is dropped.
#[derive(Debug, Clone)]
pub struct Claim(Arc<InHand>);

#[derive(Debug)]
struct InHand {
    message: Arc<Message>,
    lease: LeaseRef,
    lost: CancellationToken,
    tenure: Tenure,
    _slot: OwnedSemaphorePermit,
}

impl Claim {
    pub(super) fn new(
        message: Arc<Message>,
        lease: LeaseRef,
        lost: CancellationToken,
        tenure: Tenure,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        Self(Arc::new(InHand { message, lease, lost, tenure, _slot: slot }))
    }

    /// The job's message.
    pub fn message(&self) -> &MessageV1 {
        let Message::V1(message) = &*self.0.message;
        message
    }

    /// The job's lease.
    pub fn lease(&self) -> LeaseRef {
        self.0.lease
    }

    /// Cancelled when the lease is lost: later work would be wasted.
    pub fn lost(&self) -> &CancellationToken {
        &self.0.lost
    }

    /// Ready once the lease has expired by the local clock: this process was stopped, or could not
    /// renew it. There is no timer: it is checked whenever the task is woken. If it is polled
    /// before the next step, a worker that was stopped does not take that step.
    pub async fn lapsed(&self) {
        std::future::poll_fn(|_| if self.0.tenure.is_over() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
