//! Compares passages that were updated by changes with the same passages in one new index.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

/// Few words, so that passages share words and are often equal. Some have the same stem in one
/// language only.
const WORDS: [&str; 10] = ["scan", "scans", "scanned", "bed", "beds", "Befund", "Befunde", "clinic", "price", "prices"];
const HEADINGS: [&str; 4] = ["Handbook", "Handbook › Scans", "Prices", "Befunde › Scans"];
const LANGUAGES: [Option<Language>; 3] = [None, Some(Language::English), Some(Language::German)];

/// A document's passages: the heading and the words of each, and the language.
#[derive(Debug, Clone)]
struct Written {
    language: usize,
    passages: Vec<(usize, Vec<usize>)>,
}

#[derive(Debug, Clone)]
enum Operation {
    /// One change: documents are written or rewritten, and others are deleted.
    Change(BTreeMap<u128, Option<Written>>),
    /// A merge, with one change while it runs.
    Merge(BTreeMap<u128, Option<Written>>),
    /// The model has answered: every other passage has a vector.
    Embed,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let words = prop::collection::vec(0..WORDS.len(), 1..60);
    let passages = prop_oneof![
        3 => prop::collection::vec((0..HEADINGS.len(), prop::collection::vec(0..WORDS.len(), 1..3)), 0..5),
        2 => prop::collection::vec((0..HEADINGS.len(), words), 0..5),
    ];
    let written = (0..LANGUAGES.len(), passages).prop_map(|(language, passages)| Written { language, passages });
    let change = prop::collection::btree_map(0_u128..8, prop::option::weighted(0.7, written), 0..4);
    let operation = prop_oneof![
        6 => change.clone().prop_map(Operation::Change),
        2 => change.prop_map(Operation::Merge),
        1 => Just(Operation::Embed),
    ];
    prop::collection::vec(operation, 1..30)
}

/// A business, and its passages as they are kept.
#[derive(Default)]
struct Kept {
    documents: BTreeMap<u128, (Vec<Passage>, Revision)>,
    vectors: HashMap<InputHash, Vector>,
    changes: i32,
    passages: Passages,
}

impl Kept {
    fn change(&mut self, change: BTreeMap<u128, Option<Written>>) {
        self.changes += 1;
        for (id, written) in change {
            self.documents.remove(&id);
            if let Some(written) = written {
                self.documents.insert(id, (passages(id, &written), revision(self.changes)));
            }
        }
        // The same order as when loading.
        let listed: Vec<_> = self.documents.iter().map(|(id, (_, at))| (document(*id), *at)).collect();
        let (unread, gone) = self.passages.compare(&listed);
        let read = |id: &DocumentId| self.documents.get(&id.0.as_u128()).unwrap().0.clone();
        let passages = unread.iter().flat_map(read).collect();
        let documents = listed.into_iter().collect();
        self.passages = self.passages.changed(Change { gone, passages, documents }).unwrap();
        self.embed();
    }

    fn embed(&mut self) {
        let missing = self.passages.without_vector();
        let known = missing.iter().filter_map(|hash| Some((*hash, self.vectors.get(hash)?.clone()))).collect();
        self.passages = std::mem::take(&mut self.passages).with_vectors(&known);
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Change(change) => self.change(change),
            Operation::Merge(change) => {
                let merge = self.passages.merge().unwrap();
                self.change(change);
                let merged = merge.and_then(|merge| self.passages.merged(&merge));
                self.passages = merged.unwrap_or_else(|| std::mem::take(&mut self.passages));
            }
            Operation::Embed => {
                let all = self.documents.values().flat_map(|(passages, _)| passages);
                self.vectors.extend(all.filter_map(vector));
                self.embed();
            }
        }
    }

    /// The same passages in one new index, deduplicated: the first of each key, ordered by key.
    fn anew(&self) -> Passages {
        let mut first: BTreeMap<[u8; 32], Passage> = BTreeMap::new();
        for passage in self.documents.values().flat_map(|(passages, _)| passages) {
            let known = first.entry(passage.key).or_insert_with(|| passage.clone());
            if passage.rank() < known.rank() {
                *known = passage.clone();
            }
        }
        let chunks = first.into_values().map(|passage| Chunk::clone(&passage.chunk)).collect();
        Passages::index(chunks).unwrap().with_vectors(&self.vectors)
    }
}

fn document(id: u128) -> DocumentId {
    DocumentId(Uuid::from_u128(id))
}

fn revision(number: i32) -> Revision {
    Revision { number, updated_at: Default::default() }
}

fn passages(id: u128, written: &Written) -> Vec<Passage> {
    let passage = |(ordinal, (heading, words)): (i32, &(usize, Vec<usize>))| {
        let text = words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" ");
        let chunk = Chunk {
            document_id: document(id),
            ordinal,
            heading_path: HEADINGS[*heading].to_owned(),
            text: text.clone(),
            title: format!("Document {id}"),
            url: None,
            language: LANGUAGES[written.language],
            kind: copydesk_domain::document::DocumentKind::Other,
        };
        Passage { key: InputHash::of("", &text).0, chunk: Arc::new(chunk) }
    };
    // A document contains each text once.
    let mut known = HashSet::new();
    let all = (0..).zip(&written.passages).map(passage);
    all.filter(|passage| known.insert(passage.key)).collect()
}

/// The vector of every other passage, in one of few directions.
fn vector(passage: &Passage) -> Option<(InputHash, Vector)> {
    let hash = InputHash::of(&passage.chunk.heading_path, &passage.chunk.text);
    let numbers = [f32::from(hash.0[0] % 3), f32::from(hash.0[1] % 3) - 1.0, 1.0];
    hash.0[2].is_multiple_of(2).then(|| (hash, Vector::parse(numbers.to_vec()).unwrap()))
}

/// The hits with the exact bits of their scores.
fn shown(hits: Vec<Hit>) -> Vec<String> {
    hits.into_iter().map(|hit| format!("{:x} {:?}", hit.score.to_bits(), hit.chunk)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn passages_kept_up_to_date_are_found_as_in_a_new_index(operations in operations()) {
        let mut kept = Kept::default();
        let meaning = Vector::parse(vec![1.0, -0.5, 0.25]).unwrap();
        for operation in operations {
            kept.apply(operation);
            let (now, anew) = (&kept.passages, kept.anew());
            prop_assert_eq!((now.len(), now.lacks_vectors(3)), (anew.len(), anew.lacks_vectors(3)));
            let live: usize = now.parts.iter().map(Part::live).sum();
            let written: usize = kept.documents.values().map(|(passages, _)| passages.len()).sum();
            prop_assert_eq!(live, written, "passages that count, the repeated ones too");
            for query in ["scanning", "beds of a clinic", "Befund price", "prices scans handbook Befunden", "of"] {
                for limit in [3, 100] {
                    let found = |passages: &Passages| shown(passages.search(query, limit).unwrap());
                    prop_assert_eq!(found(now), found(&anew), "{}", query);
                    let both = |passages: &Passages| shown(passages.search_hybrid(query, &meaning, limit).unwrap());
                    prop_assert_eq!(both(now), both(&anew), "{} by meaning too", query);
                }
            }
        }
    }

    #[test]
    fn segments_stay_few_and_mostly_of_use(changes in prop::collection::vec((0_u128..40, 0..3_usize), 1..80)) {
        let mut kept = Kept::default();
        for (number, (id, language)) in changes.into_iter().enumerate() {
            let written = Written { language, passages: vec![(0, vec![number % 10; number % 50 + 1]); 2] };
            kept.change(BTreeMap::from([(id, (number % 5 > 0).then_some(written))]));
            while let Some(merge) = kept.passages.merge().unwrap() {
                kept.passages = kept.passages.merged(&merge).unwrap();
            }
            prop_assert!(kept.passages.parts.len() <= 2 * merge::MAX_SEGMENTS, "two languages");
            let stale: usize = kept.passages.parts.iter().map(|part| part.stale.count()).sum();
            let all: usize = kept.passages.parts.iter().map(|part| part.segment.passages.len()).sum();
            prop_assert!(stale * merge::MAX_STALE <= all, "{} of {} are stale", stale, all);
        }
        prop_assert_eq!(kept.passages.len(), kept.anew().len());
    }
}
