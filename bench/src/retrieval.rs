//! How well the search in documents finds what people judged relevant, and how long it takes: a
//! collection with judgements, read, cut and indexed by the product's own code, and the usual
//! measures. Says nothing of how well texts are written from what is found.

mod collection;
mod measures;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use copydesk_common::config::EmbeddingsConfig;
use copydesk_common::document::{Chunk, DocumentId};
use copydesk_common::embedding::{self, InputHash, Vector};
use copydesk_knowledge::{Hit, Passages};
use copydesk_worker::ingest;
use copydesk_worker::provider::embeddings::{self, EmbeddingsClient};

use crate::measure::quantile;
use crate::table;
use collection::Collection;
use measures::Measures;

/// Passages asked for where documents are judged: enough for 100 documents, each with a few.
const JUDGED_PASSAGES: usize = 1_000;
/// Passages asked for where time is measured: as many as the writer is given.
const TIMED_PASSAGES: usize = 8;
/// Rounds over all queries where time is measured.
const ROUNDS: usize = 3;
/// Sizes at which time is measured, in passages.
const SIZES: [usize; 2] = [5_000, 100_000];
/// What the search should reach on Cranfield.
const LEAST_NDCG: f64 = 0.39;
/// The same by words and meaning together.
const LEAST_HYBRID_NDCG: f64 = 0.43;
/// How long a call for vectors may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// The longest that the 99th of 100 queries should take at the smaller size, in milliseconds.
const MOST_MS: f64 = 5.0;

/// Measure how well and how fast the search in documents finds what people judged relevant: by words, and
/// where `COPYDESK_EMBEDDINGS_*` name a model, by words and meaning together.
#[derive(Debug, clap::Args)]
pub(crate) struct Retrieval {
    /// The folder of the Cranfield collection: cran.all.1400, cran.qry and cranqrel
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Retrieval {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let collection = Collection::read(&self.folder)?;
        let corpus = Corpus::read(&collection);
        println!(
            "{} documents in {} passages, {} queries; odd queries chose the ranking's constants, even ones did not\n",
            collection.documents.len(),
            corpus.passages.len(),
            collection.queries.len()
        );
        let passages = Passages::index(corpus.passages.clone())?;
        let lexical = judge(&collection, &corpus, |_, query| Ok(passages.search(query, JUDGED_PASSAGES)?))?;
        println!("{}", quality("lexical", &lexical));
        let hybrid = hybrid(&collection, &corpus).await?;
        match &hybrid {
            Some((model, hybrid)) => println!("{}", quality(&format!("hybrid, {model}"), hybrid)),
            None => println!("hybrid: not measured, since COPYDESK_EMBEDDINGS_BASE_URL and _MODEL name no model\n"),
        }
        let mut times = vec![time("as they are", &collection, &passages)?];
        drop(passages);
        for size in SIZES {
            // Somebody may have asked us to end meanwhile.
            tokio::task::yield_now().await;
            let passages = Passages::index(corpus.repeated(size))?;
            times.push(time("repeated", &collection, &passages)?);
        }
        println!(
            "{}",
            table::render(&["lexical search for 8 passages", "passages", "p50 ms", "p99 ms"], &cells(&times))
        );
        let at_5k = times.get(1).map_or(f64::NAN, |times| times.p99_ms);
        let mut marks = vec![
            mark("lexical nDCG@10, all queries", Measures::mean(&lexical).ndcg_at_10, LEAST_NDCG, true),
            mark("p99 in ms at 5,000 passages", at_5k, MOST_MS, false),
        ];
        let hybrid = hybrid.map(|(_, hybrid)| Measures::mean(&hybrid).ndcg_at_10);
        marks.extend(hybrid.map(|ndcg| mark("hybrid nDCG@10, all queries", ndcg, LEAST_HYBRID_NDCG, true)));
        println!("{}", table::render(&["", "is", "mark", ""], &marks));
        Ok(ExitCode::SUCCESS)
    }
}

/// The measures by words and meaning together, and the model, where one is named. Calls it directly: the quota is the
/// workers'.
async fn hybrid(collection: &Collection, corpus: &Corpus) -> anyhow::Result<Option<(String, Vec<Measures>)>> {
    let config = EmbeddingsConfig::from_env()?;
    let Some((_, model)) = config.target() else { return Ok(None) };
    let client = EmbeddingsClient::new(&config, reqwest::Client::new())?.context("no model is named")?;
    let inputs = corpus.passages.iter().map(|chunk| embedding::input(&chunk.heading_path, &chunk.text)).collect();
    let hashes = corpus.passages.iter().map(|chunk| InputHash::of(&chunk.heading_path, &chunk.text));
    let known: HashMap<_, _> = hashes.zip(vectors(&client, inputs).await?).collect();
    let queries = vectors(&client, collection.queries.iter().map(|query| query.text.clone()).collect()).await?;
    let passages = Passages::index(corpus.passages.clone())?.with_vectors(&known);
    let search = |place: usize, query: &str| {
        let vector = queries.get(place).context("a query has no vector")?;
        Ok(passages.search_hybrid(query, vector, JUDGED_PASSAGES)?)
    };
    Ok(Some((model.to_owned(), judge(collection, corpus, search)?)))
}

/// The vectors of texts, in as many calls as they take.
async fn vectors(client: &EmbeddingsClient, mut texts: Vec<String>) -> anyhow::Result<Vec<Vector>> {
    let mut vectors = Vec::with_capacity(texts.len());
    while !texts.is_empty() {
        let rest = texts.split_off(embeddings::batch(texts.iter().map(String::as_str)));
        vectors.extend(client.embed(&texts, CALL_TIMEOUT).await?.vectors);
        texts = rest;
    }
    Ok(vectors)
}

/// A collection's documents as the product takes them up.
struct Corpus {
    passages: Vec<Chunk>,
    /// The collection's number of each passage's document.
    numbers: Vec<(DocumentId, usize)>,
}

impl Corpus {
    /// Reads and cuts each document as one that is uploaded as plain text; those without text are left out,
    /// as they would be refused.
    fn read(collection: &Collection) -> Self {
        let (mut passages, mut numbers) = (Vec::new(), Vec::new());
        for document in &collection.documents {
            let Ok((chunks, language)) = ingest::read_text(&document.title, &document.text) else { continue };
            let document_id = DocumentId::new();
            numbers.push((document_id, document.number));
            passages.extend((0..).zip(chunks).map(|(ordinal, chunk)| Chunk {
                document_id,
                ordinal,
                heading_path: chunk.heading_path,
                text: chunk.text,
                title: document.title.clone(),
                url: None,
                language,
            }));
        }
        numbers.sort_unstable_by_key(|(id, _)| *id);
        Self { passages, numbers }
    }

    /// The collection's numbers of the documents that hits are of, each once, in order.
    fn documents(&self, hits: &[Hit]) -> Vec<usize> {
        let mut documents = Vec::new();
        for hit in hits {
            let found = self.numbers.binary_search_by_key(&hit.chunk.document_id, |(id, _)| *id);
            let Some((_, number)) = found.ok().and_then(|at| self.numbers.get(at)) else { continue };
            if !documents.contains(number) {
                documents.push(*number);
            }
        }
        documents
    }

    /// So many passages: these over and over.
    fn repeated(&self, size: usize) -> Vec<Chunk> {
        self.passages.iter().cycle().take(size).cloned().collect()
    }
}

/// The measures of each query.
fn judge(
    collection: &Collection,
    corpus: &Corpus,
    search: impl Fn(usize, &str) -> anyhow::Result<Vec<Hit>>,
) -> anyhow::Result<Vec<Measures>> {
    let judged = collection.queries.iter().enumerate().map(|(place, query)| {
        let ranked = corpus.documents(&search(place, &query.text)?);
        Ok(Measures::of(&ranked, &query.relevant))
    });
    judged.collect()
}

/// Means over the half of the queries that the ranking's constants were chosen on, the other half, and all.
fn quality(name: &str, measures: &[Measures]) -> String {
    let half = |first: usize| measures.iter().skip(first).step_by(2).copied().collect::<Vec<_>>();
    let row = |which: &str, measures: &[Measures]| {
        let Measures { ndcg_at_10, recall_at_100, mrr_at_10 } = Measures::mean(measures);
        let cells = [ndcg_at_10, recall_at_100, mrr_at_10].map(|value| format!("{value:.3}"));
        std::iter::once(which.to_owned()).chain(cells).collect()
    };
    let rows = [row("odd queries", &half(0)), row("even queries", &half(1)), row("all queries", measures)];
    table::render(&[name, "nDCG@10", "R@100", "MRR@10"], &rows)
}

/// How long searches took.
struct Times {
    what: String,
    passages: usize,
    p50_ms: f64,
    p99_ms: f64,
}

fn time(what: &str, collection: &Collection, passages: &Passages) -> anyhow::Result<Times> {
    let mut times_ms = Vec::new();
    for _ in 0..ROUNDS {
        for query in &collection.queries {
            let began = Instant::now();
            std::hint::black_box(passages.search(&query.text, TIMED_PASSAGES)?);
            times_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    let (p50_ms, p99_ms) = (quantile(&mut times_ms, 0.5), quantile(&mut times_ms, 0.99));
    Ok(Times { what: what.to_owned(), passages: passages.len(), p50_ms, p99_ms })
}

fn cells(times: &[Times]) -> Vec<Vec<String>> {
    let row = |Times { what, passages, p50_ms, p99_ms }: &Times| {
        vec![what.clone(), passages.to_string(), format!("{p50_ms:.2}"), format!("{p99_ms:.2}")]
    };
    times.iter().map(row).collect()
}

fn mark(what: &str, value: f64, mark: f64, at_least: bool) -> Vec<String> {
    let met = if at_least { value >= mark } else { value <= mark };
    let sign = if at_least { "≥" } else { "≤" };
    let verdict = if met { "met" } else { "missed" };
    vec![what.to_owned(), format!("{value:.3}"), format!("{sign} {mark}"), verdict.to_owned()]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::path::Path;

    use super::*;

    /// Eight documents and five queries of our own, in the collection's files and with all its traps.
    fn tiny() -> Collection {
        Collection::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/retrieval/tiny")).unwrap()
    }

    #[test]
    fn a_collection_is_ranked_by_the_products_own_search() {
        let collection = tiny();
        let corpus = Corpus::read(&collection);
        let passages = Passages::index(corpus.passages.clone()).unwrap();
        let ranked: Vec<Vec<usize>> = collection
            .queries
            .iter()
            .map(|query| corpus.documents(&passages.search(&query.text, JUDGED_PASSAGES).unwrap()))
            .collect();
        assert_eq!(ranked[0], [1, 2], "the heading's word counts for more than the text's");
        assert_eq!(ranked[1], [4, 3, 2], "two of the words before one, whatever their endings");
        assert_eq!(ranked[2], [5, 6, 2], "a word that is repeated counts for more, but ever less");
        assert_eq!(ranked[3], [7], "a long document of several passages is one");
        assert!(ranked[4].is_empty(), "words that only ask");
        let search = |_, query: &str| Ok(passages.search(query, JUDGED_PASSAGES)?);
        let mean = Measures::mean(&judge(&collection, &corpus, search).unwrap());
        assert!((mean.mrr_at_10 - (1.0 + 1.0 + 0.5 + 1.0 + 0.0) / 5.0).abs() < 1e-9, "{mean:?}");
    }

    #[test]
    fn repeated_passages_are_as_many_as_asked() {
        let corpus = Corpus::read(&tiny());
        assert_eq!(corpus.repeated(100).len(), 100);
    }
}
