//! How long the first search after a change of one document takes, beside so many passages, and the
//! first one of documents that are all new.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use copydesk_simulator::SimulatorConfig;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Client;
use serde_json::{Value, json};

use super::ask::{self, Ask};
use crate::bench::Bench;
use crate::key;
use crate::measure::growth::Lines;
use crate::measure::{Findings, Mark};
use crate::system::{Setup, System};

/// A passage for so many jobs; there are hardly businesses with more.
const JOBS_A_PASSAGE: usize = 50;
const MOST: usize = 20_000;
/// Sections of a document, each at least a passage.
const SECTIONS: usize = 100;
const WORDS_A_SECTION: usize = 120;
const CHANGES: usize = 30;
const UPLOADING: usize = 8;
const WITHIN: Duration = Duration::from_secs(60);
const WORDS: [&str; 16] = [
    "harvest", "orchard", "delivery", "invoice", "weather", "machine", "pruning", "customer", "season", "storage",
    "organic", "workshop", "quality", "forecast", "supplier", "margin",
];

pub(super) async fn measure(
    bench: &Bench,
    folder: &Path,
    sizes: &[usize],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let setup = Setup { providers: SimulatorConfig::unlimited(), ..Bench::setup(1) };
    let system = System::start(&bench.ground, folder, "bench_growth_search", setup).await?;
    let mut passages: Vec<usize> = sizes.iter().map(|size| (size / JOBS_A_PASSAGE).clamp(1, MOST)).collect();
    passages.dedup();
    let mut lines = Lines::new("requests, passages of the business", &passages);
    let (http, mut documents) = (key::client().build()?, 0);
    for &size in &passages {
        let until = size.div_ceil(SECTIONS);
        stream::iter(documents..until)
            .map(|number| upload(&http, &system, number, 0, size.min(SECTIONS)))
            .buffer_unordered(UPLOADING)
            .try_for_each(|()| std::future::ready(Ok(())))
            .await?;
        documents = until;
        change_and_search(&http, &system, size, &mut lines).await?;
        let list = Ask::get("a business's documents", "/api/businesses/bench/documents");
        list.time(&system.url(), size, &mut lines).await?;
    }
    let most = passages.last().copied().unwrap_or_default();
    for what in [SEARCH, "a business's documents"] {
        findings.mark(&format!("{what}, p99, ms"), lines.get(&ask::p99(what), "ms", most), Mark::AtMost(20.0));
    }
    findings.table(lines);
    Ok(())
}

const SEARCH: &str = "the first search after a change";
const COLD: &str = "the first search of as many new ones";

async fn change_and_search(http: &Client, system: &System, size: usize, lines: &mut Lines) -> anyhow::Result<()> {
    // Another query each time: what an earlier one found is remembered.
    let search = |number: usize| {
        Ask::get(SEARCH, format!("/api/businesses/bench/search?q=organic%20harvest%20forecast%20{number}"))
    };
    lines.add(COLD, "ms", size, search(0).once(http, &system.url()).await?);
    let mut times_ms = Vec::with_capacity(CHANGES);
    for change in 1..=CHANGES {
        upload(http, system, 0, change, size.min(SECTIONS)).await?;
        times_ms.push(search(change).once(http, &system.url()).await?);
    }
    ask::add(SEARCH, size, &mut times_ms, lines);
    Ok(())
}

/// Adds or replaces a document, and waits until it is indexed.
async fn upload(http: &Client, system: &System, number: usize, revision: usize, sections: usize) -> anyhow::Result<()> {
    let body = json!({
        "title": format!("Document {number}"),
        "text": text(number, revision, sections),
        "external_id": format!("document-{number}"),
    });
    let url = format!("{}/api/businesses/bench/documents", system.url());
    let answer: Value = http.post(url).json(&body).send().await?.json().await?;
    let job = answer["job"]["id"].as_str().or_else(|| answer["id"].as_str()).unwrap_or_default().to_owned();
    let url = format!("{}/api/jobs/{job}?wait={}", system.url(), WITHIN.as_secs());
    let ended: Value = http.get(url).send().await?.json().await?;
    ensure!(ended["status"] == "succeeded", "a document was not indexed: {answer} {ended}");
    Ok(())
}

/// Sections of some words, no two alike.
fn text(number: usize, revision: usize, sections: usize) -> String {
    let mut text = String::new();
    for section in 0..sections {
        // Writing to a string does not fail.
        let _ = write!(text, "## Section {section}\n\nRevision {revision}, section {section} of {number}:");
        for place in 0..WORDS_A_SECTION {
            let word = WORDS[(number * 31 + section * 7 + place * (1 + section % 5)) % WORDS.len()];
            let _ = write!(text, " {word}");
        }
        text.push_str("\n\n");
    }
    text
}
