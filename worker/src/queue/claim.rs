//! A job in this worker's hands.

use std::sync::Arc;
use std::task::Poll;

use copydesk_common::queue::message::{Message, MessageV1};
use copydesk_domain::job::LeaseRef;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::lease::Tenure;

/// A job in this worker's hands: what its handler is called with. Cheap to clone; its slot is free
/// again once the last clone is gone.
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

    /// What travelled through the queue.
    pub fn message(&self) -> &MessageV1 {
        let Message::V1(message) = &*self.0.message;
        message
    }

    /// The lease under which it is.
    pub fn lease(&self) -> LeaseRef {
        self.0.lease
    }

    /// Cancelled when the lease is lost: whatever is done after that is done for nothing.
    pub fn lost(&self) -> &CancellationToken {
        &self.0.lost
    }

    /// Ready once the lease has run out without a word from Redis: this process stood still, or could
    /// not renew it. Looked at whenever the task is woken, and by no timer: polled before what the
    /// worker would do next, it keeps a worker that was away from doing it.
    pub async fn lapsed(&self) {
        std::future::poll_fn(|_| if self.0.tenure.is_over() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
