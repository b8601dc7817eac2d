//! Built indexes, kept in memory within a budget: one for each business, of the latest version that
//! was asked for. The least recently used is evicted first. The caller builds them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use copydesk_domain::business::BusinessId;
use tokio::sync::OwnedMutexGuard;

use crate::KnowledgeError;
use crate::passages::Passages;

/// The size of an entry without its index, in bytes: a business whose index could not be built
/// still counts.
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
    /// Grows with every use.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    /// Empty until the first build ends.
    kept: Option<Kept>,
    /// Held by the task that builds; the others wait for it.
    building: Turn,
    /// Held by the task that merges.
    merging: Turn,
    size_bytes: usize,
    last_use: u64,
}

type Turn = Arc<tokio::sync::Mutex<()>>;

#[derive(Debug, Clone)]
struct Kept {
    version: i64,
    passages: Arc<Passages>,
}

/// A built index.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// The version of the business's knowledge. The index may already show a later state.
    pub(crate) version: i64,
    pub(crate) passages: Passages,
}

impl Cache {
    pub(crate) fn new(budget_bytes: usize) -> Self {
        Self { budget_bytes, entries: Mutex::default() }
    }

    /// The index of a business at this version or a later one. `build` makes it from the kept one
    /// of an earlier version, if any, and runs once for concurrent callers. If it fails, the next
    /// caller builds again.
    pub(crate) async fn get<F>(
        &self,
        business_id: &BusinessId,
        version: i64,
        build: impl FnOnce(Option<Arc<Passages>>) -> F,
    ) -> Result<Arc<Passages>, KnowledgeError>
    where
        F: Future<Output = Result<Fresh, KnowledgeError>>,
    {
        let building = {
            let mut entries = self.entries();
            let entry = entries.used(business_id);
            if let Some(passages) = entry.at(version) {
                return Ok(passages);
            }
            entry.building.clone()
        };
        let _turn = building.lock().await;
        let kept = self.entries().kept(business_id).cloned();
        let kept = match kept {
            // Versions only grow: a caller with an older one read it before the change, and the
            // newer index serves it as well.
            Some(kept) if kept.version >= version => return Ok(kept.passages),
            kept => kept.map(|kept| kept.passages),
        };
        let Fresh { version, passages } = build(kept).await?;
        Ok(self.keep(business_id, Kept { version, passages: Arc::new(passages) }))
    }

    /// Whether the index of a business at this version or a later one is kept.
    pub(crate) fn has(&self, business_id: &BusinessId, version: i64) -> bool {
        self.entries().kept(business_id).is_some_and(|kept| kept.version >= version)
    }

    /// The kept index of a business, of any version.
    pub(crate) fn kept(&self, business_id: &BusinessId) -> Option<Arc<Passages>> {
        self.entries().kept(business_id).map(|kept| Arc::clone(&kept.passages))
    }

    /// The right to merge a business's index; `None` while another task has it.
    pub(crate) fn claim_merge(&self, business_id: &BusinessId) -> Option<OwnedMutexGuard<()>> {
        let merging = self.entries().by_business.get(business_id)?.merging.clone();
        merging.try_lock_owned().ok()
    }

    /// Replaces the kept index by another one with the same contents, which `change` makes from it
    /// on a blocking thread. False if none is kept or `change` makes none.
    pub(crate) async fn replace(
        &self,
        business_id: &BusinessId,
        change: impl FnOnce(&Passages) -> Option<Passages> + Send + 'static,
    ) -> Result<bool, KnowledgeError> {
        let Some(building) = self.entries().by_business.get(business_id).map(|entry| entry.building.clone()) else {
            return Ok(false);
        };
        let _turn = building.lock().await;
        let Some(Kept { version, passages }) = self.entries().kept(business_id).cloned() else { return Ok(false) };
        let Some(passages) = tokio::task::spawn_blocking(move || change(&passages)).await? else { return Ok(false) };
        self.keep(business_id, Kept { version, passages: Arc::new(passages) });
        Ok(true)
    }

    /// Keeps an index, unless a later one is already kept.
    fn keep(&self, business_id: &BusinessId, kept: Kept) -> Arc<Passages> {
        let passages = Arc::clone(&kept.passages);
        let mut entries = self.entries();
        let entry = entries.used(business_id);
        if entry.kept.as_ref().is_none_or(|known| known.version <= kept.version) {
            entry.size_bytes = ENTRY_BYTES + passages.size_bytes();
            entry.kept = Some(kept);
        }
        entries.shrink_to(self.budget_bytes);
        passages
    }

    /// A poisoned lock is ignored: no change of the entries can stop halfway, so they are
    /// consistent after a panic.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn at(&self, version: i64) -> Option<Arc<Passages>> {
        let kept = self.kept.as_ref().filter(|kept| kept.version >= version)?;
        Some(Arc::clone(&kept.passages))
    }
}

impl Entries {
    /// A business's entry, marked as used now.
    fn used(&mut self, business_id: &BusinessId) -> &mut Entry {
        self.uses += 1;
        let empty = || Entry {
            kept: None,
            building: Turn::default(),
            merging: Turn::default(),
            size_bytes: ENTRY_BYTES,
            last_use: 0,
        };
        let entry = self.by_business.entry(business_id.clone()).or_insert_with(empty);
        entry.last_use = self.uses;
        entry
    }

    fn kept(&self, business_id: &BusinessId) -> Option<&Kept> {
        self.by_business.get(business_id)?.kept.as_ref()
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
            let build = async |_| {
                self.builds.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok(Fresh { version, passages: one_passage()? })
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

    /// The size of `n` of the test's indexes.
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
        let fail = async |_| Err(KnowledgeError::Index(tantivy::TantivyError::InternalError("full".into())));
        assert!(cache.get(&business, 1, fail).await.is_err());
        let build = async |kept: Option<_>| {
            assert!(kept.is_none());
            Ok(Fresh { version: 1, passages: one_passage()? })
        };
        assert!(cache.get(&business, 1, build).await.is_ok());
    }
}
