//! Built indexes, kept in memory within a budget: one a business, of its latest version that was
//! asked for. What was used longest ago goes first. Building is the caller's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use copydesk_common::business::BusinessId;
use tokio::sync::OnceCell;

use crate::KnowledgeError;
use crate::passages::Passages;

/// What an entry takes besides its index, in bytes: a business whose index could not be built still
/// counts.
const ENTRY_BYTES: usize = 512;

/// The indexes of all businesses.
#[derive(Debug)]
pub(crate) struct Cache {
    budget_bytes: usize,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_business: HashMap<BusinessId, Entry>,
    /// Counts up with every use.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    version: i64,
    /// Empty while the first who asked builds the index; the others wait for it.
    slot: Arc<OnceCell<Arc<Passages>>>,
    size_bytes: usize,
    last_use: u64,
}

impl Cache {
    pub(crate) fn new(budget_bytes: usize) -> Self {
        Self { budget_bytes, entries: Mutex::default() }
    }

    /// The index of a business at a version; `build` runs where it is not kept, and once where many
    /// ask at the same time. Where it fails, the next one to ask builds again.
    pub(crate) async fn get<F>(
        &self,
        business_id: &BusinessId,
        version: i64,
        build: impl FnOnce() -> F,
    ) -> Result<Arc<Passages>, KnowledgeError>
    where
        F: Future<Output = Result<Passages, KnowledgeError>>,
    {
        let slot = self.entries().slot(business_id, version);
        let passages = slot.get_or_try_init(|| async { build().await.map(Arc::new) }).await?.clone();
        let mut entries = self.entries();
        entries.measure(business_id, version, passages.size_bytes());
        entries.shrink_to(self.budget_bytes);
        Ok(passages)
    }

    /// Whether the index of a business at a version, or a later one, is kept.
    pub(crate) fn has(&self, business_id: &BusinessId, version: i64) -> bool {
        let entries = self.entries();
        let entry = entries.by_business.get(business_id).filter(|entry| entry.version >= version);
        entry.is_some_and(|entry| entry.slot.initialized())
    }

    /// A panic elsewhere leaves the entries whole: no change of them can stop halfway.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn slot(&mut self, business_id: &BusinessId, version: i64) -> Arc<OnceCell<Arc<Passages>>> {
        self.uses += 1;
        let last_use = self.uses;
        let fresh = || Entry { version, slot: Arc::default(), size_bytes: ENTRY_BYTES, last_use };
        let entry = self.by_business.entry(business_id.clone()).or_insert_with(fresh);
        // Versions only grow: one who asks for an older one read it before the change, and is as
        // well served by the newer.
        if entry.version < version {
            *entry = fresh();
        }
        entry.last_use = last_use;
        entry.slot.clone()
    }

    fn measure(&mut self, business_id: &BusinessId, version: i64, index_bytes: usize) {
        if let Some(entry) = self.by_business.get_mut(business_id).filter(|entry| entry.version == version) {
            entry.size_bytes = ENTRY_BYTES + index_bytes;
        }
    }

    fn shrink_to(&mut self, budget_bytes: usize) {
        let mut total: usize = self.by_business.values().map(|entry| entry.size_bytes).sum();
        while total > budget_bytes {
            let oldest = self.by_business.iter().min_by_key(|(_, entry)| entry.last_use);
            let Some((business_id, size_bytes)) = oldest.map(|(id, entry)| (id.clone(), entry.size_bytes)) else {
                return;
            };
            self.by_business.remove(&business_id);
            total -= size_bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::chunk;

    /// A cache that counts how often it builds.
    struct Counted {
        cache: Cache,
        builds: AtomicUsize,
    }

    impl Counted {
        fn new(budget_bytes: usize) -> Self {
            Self { cache: Cache::new(budget_bytes), builds: AtomicUsize::new(0) }
        }

        async fn get(&self, business: &str, version: i64) -> Arc<Passages> {
            let build = || async {
                self.builds.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                one_passage()
            };
            self.cache.get(&BusinessId::parse(business).unwrap(), version, build).await.unwrap()
        }

        fn builds(&self) -> usize {
            self.builds.load(Ordering::SeqCst)
        }
    }

    fn one_passage() -> Result<Passages, KnowledgeError> {
        Passages::index(vec![chunk("Title", "Some text.")])
    }

    /// What `n` of the test's indexes take.
    fn room_for(n: usize) -> usize {
        n * (one_passage().unwrap().size_bytes() + ENTRY_BYTES)
    }

    #[tokio::test]
    async fn many_who_ask_at_once_build_once() {
        let counted = Counted::new(usize::MAX);
        tokio::join!(counted.get("a", 1), counted.get("a", 1), counted.get("a", 1), counted.get("b", 1));
        assert_eq!(counted.builds(), 2, "one a business");
    }

    #[tokio::test]
    async fn a_new_version_replaces_the_old_one() {
        let counted = Counted::new(usize::MAX);
        let old = counted.get("a", 1).await;
        let new = counted.get("a", 2).await;
        assert!(!Arc::ptr_eq(&old, &new));
        assert!(Arc::ptr_eq(&new, &counted.get("a", 2).await));
        assert!(Arc::ptr_eq(&new, &counted.get("a", 1).await), "a late reader gets the newer one");
        assert_eq!(counted.builds(), 2);
    }

    #[tokio::test]
    async fn the_budget_drops_what_was_used_longest_ago() {
        let counted = Counted::new(room_for(2));
        counted.get("a", 1).await;
        counted.get("b", 1).await;
        counted.get("a", 1).await;
        counted.get("c", 1).await;
        assert_eq!(counted.builds(), 3);
        counted.get("a", 1).await;
        assert_eq!(counted.builds(), 3, "a was used after b");
        counted.get("b", 1).await;
        assert_eq!(counted.builds(), 4, "b had to go");
    }

    #[tokio::test]
    async fn an_index_over_the_budget_serves_once_and_is_not_kept() {
        let counted = Counted::new(1);
        assert_eq!(counted.get("a", 1).await.search("text", 1).unwrap().len(), 1);
        counted.get("a", 1).await;
        assert_eq!(counted.builds(), 2);
    }

    #[tokio::test]
    async fn a_failed_build_is_tried_again_by_the_next() {
        let cache = Cache::new(usize::MAX);
        let business = BusinessId::parse("a").unwrap();
        let fail = || async { Err(KnowledgeError::Index(tantivy::TantivyError::InternalError("full".into()))) };
        assert!(cache.get(&business, 1, fail).await.is_err());
        assert!(cache.get(&business, 1, || async { one_passage() }).await.is_ok());
    }
}
