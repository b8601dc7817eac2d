//! P11: what a text costs, by format: calls, tokens and money, and whether it is as good. Tokens are
//! counted by the provider, alike for every build; the quotas are out of the way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use copydesk_simulator::{Prompted, SimulatorConfig};
use futures_util::future::try_join_all;
use serde::Serialize;
use serde_json::{Value, json};

use super::outcome::decimal;
use super::{Build, MALFORMED, PROMPTS, briefs, client, prompted, setup};
use crate::bench::Bench;
use crate::key;
use crate::measure::{Findings, Mark, Sheet, mean};
use crate::system::System;

const FORMATS: [&str; 5] = ["blog", "linkedin", "email", "product", "faq"];
const SHORT: [&str; 3] = ["linkedin", "email", "product"];
const ALL: &str = "all";
const WRITTEN_WITHIN: Duration = Duration::from_secs(300);
/// What is no worse: two runs of one build differ by a percent, as other answers of theirs are malformed.
const NO_WORSE: f64 = 0.98;

/// What the texts of a format took on average.
#[derive(Debug, Clone, Default, Serialize)]
struct Costs {
    build: &'static str,
    format: &'static str,
    texts: f64,
    calls: f64,
    malformed: f64,
    /// Of texts that were reviewed or edited once; without the calls whose answers were malformed.
    calls_of_one_round: f64,
    prompt: f64,
    cached: f64,
    completion: f64,
    usd: f64,
    /// The share of checks that passed, and sources that are quoted.
    checks: f64,
    citations: f64,
    score: f64,
    words: f64,
}

impl Costs {
    const HEAD: [&str; 14] = [
        "",
        "texts",
        "calls",
        "malformed",
        "calls, 1 round",
        "prompt",
        "cached",
        "uncached",
        "completion",
        "cents",
        "checks %",
        "citations",
        "score",
        "words",
    ];

    fn uncached(&self) -> f64 {
        self.prompt - self.cached
    }

    fn cells(&self) -> Vec<String> {
        let figures = [
            self.texts,
            self.calls,
            self.malformed,
            self.calls_of_one_round,
            self.prompt,
            self.cached,
            self.uncached(),
            self.completion,
            100.0 * self.usd,
            100.0 * self.checks,
            self.citations,
            self.score,
            self.words,
        ];
        let name = format!("{}, {}", self.format, self.build);
        std::iter::once(name).chain(figures.into_iter().map(decimal)).collect()
    }
}

pub(super) async fn measure(bench: &Bench, folder: &Path, findings: &mut Findings) -> anyhow::Result<()> {
    let builds = std::iter::once(Build::this(bench)).chain(Build::previous(bench));
    // Counts, not times: they may run beside each other.
    let found = try_join_all(builds.map(|build| run(bench, folder, build))).await?;
    let mut rows = Vec::new();
    for (place, _) in FORMATS.iter().chain([&ALL]).enumerate() {
        rows.extend(found.iter().filter_map(|costs| costs.get(place).cloned()));
    }
    let title = "a text, on average: 10 briefs of businesses with documents, no quota, no latency, 3% malformed";
    findings.sheet(Sheet::of(title, &Costs::HEAD, &rows, Costs::cells)?);
    let of = |build: usize, format: &str| found.get(build)?.iter().find(|costs| costs.format == format);
    for format in std::iter::once("blog").chain(SHORT) {
        let most = if format == "blog" { 3.0 } else { 2.0 };
        let calls = of(0, format).map_or(f64::NAN, |costs| costs.calls_of_one_round);
        findings.mark(&format!("tokens: calls of one round, malformed aside, {format}"), calls, Mark::AtMost(most));
    }
    if let (Some(this), Some(before)) = (of(0, ALL), of(1, ALL)) {
        ratios(findings, this, before);
        let pairs: Vec<_> =
            FORMATS.iter().chain([&ALL]).filter_map(|format| Some((of(0, format)?, of(1, format)?))).collect();
        let head =
            ["Copydesk to previous", "calls", "prompt", "uncached", "completion", "cents", "checks", "citations"];
        findings.sheet(Sheet::of("ratios", &head, &pairs, |(this, before)| ratio_cells(this, before))?);
    } else {
        findings.note("tokens: without --previous DIR there is nothing to compare with".to_owned());
    }
    Ok(())
}

fn ratio_cells(this: &Costs, before: &Costs) -> Vec<String> {
    let ratios = [
        this.calls / before.calls,
        this.prompt / before.prompt,
        this.uncached() / before.uncached(),
        this.completion / before.completion,
        this.usd / before.usd,
        this.checks / before.checks,
        this.citations / before.citations,
    ];
    std::iter::once(this.format.to_owned()).chain(ratios.into_iter().map(decimal)).collect()
}

fn ratios(findings: &mut Findings, this: &Costs, before: &Costs) {
    let mut mark = |what: &str, value: f64, mark| findings.mark(&format!("tokens, to previous: {what}"), value, mark);
    mark("uncached prompt", this.uncached() / before.uncached(), Mark::AtMost(0.4));
    mark("completion", this.completion / before.completion, Mark::AtMost(0.6));
    mark("checks passed", this.checks / before.checks, Mark::AtLeast(NO_WORSE));
    mark("citations kept", this.citations / before.citations, Mark::AtLeast(NO_WORSE));
}

/// The costs of each format, and of all.
async fn run(bench: &Bench, folder: &Path, build: Build) -> anyhow::Result<Vec<Costs>> {
    let providers = SimulatorConfig { malformed: MALFORMED, prompts_kept: PROMPTS, ..SimulatorConfig::unlimited() };
    let mut setup = setup(1, providers);
    setup.llm_requests_per_minute = 1_000_000;
    setup.environment = vec![("COPYDESK_SEARCH_REQUESTS_PER_MINUTE", "1000000".into())];
    let folder = folder.join(format!("tokens_{}", build.name.to_lowercase()));
    let database = format!("bench_economy_tokens_{}", build.name.to_lowercase());
    let mut system = System::start(&build.ground, &folder, &database, setup).await?;
    let http = key::client().build()?;
    let briefs = briefs::briefs();
    let briefs = &briefs[..bench.jobs.div_ceil(FORMATS.len()).min(briefs.len())];
    for brief in briefs {
        client::introduce(&http, &system, &brief.business, &brief.profile, &brief.documents).await?;
    }
    let bodies = briefs.iter().flat_map(|brief| {
        FORMATS.map(|format| json!({ "business_id": brief.business, "topic": brief.topic, "format": format }))
    });
    client::ask_all(&http, &system, bodies.collect()).await?;
    let texts = written(&mut system, briefs.len() * FORMATS.len()).await?;
    let prompts = system.simulator.prompted();
    let formats = FORMATS.iter().chain([&ALL]);
    Ok(formats.map(|format| costs(build.name, format, &texts, &prompts)).collect())
}

/// All texts, once they are there.
async fn written(system: &mut System, texts: usize) -> anyhow::Result<Vec<Value>> {
    let began = Instant::now();
    loop {
        let open = "select count(*) from jobs where kind = 'generate' and finished_at is null";
        let open: i64 = sqlx::query_scalar(open).fetch_one(&system.database.pool).await?;
        if open == 0 {
            break;
        }
        system.check()?;
        ensure!(began.elapsed() < WRITTEN_WITHIN, "{open} texts were not written within {WRITTEN_WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let sql = "select jsonb_build_object('format', g.content_type, 'usage', j.usage, 'content', g.content,
                   'sources', g.sources, 'review', g.review)
               from jobs j join generations g using (generation_id) where j.kind = 'generate'";
    let found: Vec<Value> = sqlx::query_scalar(sql).fetch_all(&system.database.pool).await?;
    ensure!(found.len() == texts, "{} of {texts} texts were written", found.len());
    Ok(found)
}

fn costs(build: &'static str, format: &'static str, texts: &[Value], prompts: &[Prompted]) -> Costs {
    let texts: Vec<&Value> = texts.iter().filter(|text| format == ALL || text["format"] == format).collect();
    let prompts: Vec<&Prompted> =
        prompts.iter().filter(|prompt| format == ALL || prompted::format(prompt) == format).collect();
    let count = texts.len() as f64;
    let sum = |of: fn(&Prompted) -> u32| prompts.iter().map(|prompt| f64::from(of(prompt))).sum::<f64>() / count;
    let of_texts = |of: fn(&Value) -> f64| mean(texts.iter().map(|text| of(text)).filter(|value| value.is_finite()));
    Costs {
        build,
        format,
        texts: count,
        calls: prompts.len() as f64 / count,
        malformed: prompts.iter().filter(|prompt| prompt.is_spoilt).count() as f64 / count,
        calls_of_one_round: calls_of_one_round(&prompts),
        prompt: sum(|prompt| prompt.prompt_tokens),
        cached: sum(|prompt| prompt.cached_tokens),
        completion: sum(|prompt| prompt.completion_tokens),
        usd: of_texts(|text| text["usage"]["cost_usd"].as_f64().unwrap_or(f64::NAN)),
        checks: of_texts(checks_passed),
        citations: of_texts(|text| quoted(&text["sources"]) as f64),
        score: of_texts(|text| text["review"]["score"].as_f64().unwrap_or(f64::NAN)),
        words: of_texts(|text| text["content"].as_str().unwrap_or_default().split_whitespace().count() as f64),
    }
}

/// The mean calls of texts that had one round of review, without those whose answers were malformed.
fn calls_of_one_round(prompts: &[&Prompted]) -> f64 {
    let mut texts: BTreeMap<(&str, &str, &str), (f64, BTreeSet<&str>)> = BTreeMap::new();
    for prompt in prompts {
        // Businesses may share a topic.
        let business = prompt.prompt.split_once("<business ").map_or("", |(_, behind)| behind);
        let business = business.split_once('>').map_or("", |(tag, _)| tag);
        let text = texts.entry((business, prompted::topic(prompt), prompted::format(prompt))).or_default();
        text.0 += f64::from(u8::from(!prompt.is_spoilt));
        if matches!(prompted::stage(prompt), "edit" | "revise") {
            text.1.insert(prompted::round(prompt));
        }
    }
    mean(texts.values().filter(|(_, rounds)| rounds.len() == 1).map(|(calls, _)| *calls))
}

fn checks_passed(text: &Value) -> f64 {
    let checks = text["review"]["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
    mean(checks.iter().map(|check| f64::from(u8::from(check["passed"] == true))))
}

fn quoted(sources: &Value) -> usize {
    let sources = sources.as_array().map(Vec::as_slice).unwrap_or_default();
    sources.iter().filter(|source| source["quote"].as_str().is_some_and(|quote| !quote.is_empty())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(topic: &str, stage: &str, round: u8, is_spoilt: bool) -> Prompted {
        let prompt = format!(
            r#"<business name="B">x</business><topic>{topic}</topic><task stage="{stage}" format="blog" round="{round}"/>"#
        );
        Prompted {
            prompt,
            prompt_tokens: 300,
            cached_tokens: 128,
            completion_tokens: 50,
            is_spoilt,
            ..Prompted::default()
        }
    }

    #[test]
    fn calls_are_of_texts_with_one_round_and_malformed_ones_do_not_count() {
        let prompts = [
            call("a", "draft", 0, true),
            call("a", "draft", 0, false),
            call("a", "edit", 0, false),
            call("b", "draft", 0, false),
            call("b", "edit", 0, false),
            call("b", "edit", 1, false),
            call("c", "draft", 0, false),
        ];
        assert!((calls_of_one_round(&prompts.iter().collect::<Vec<_>>()) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn costs_are_means_of_a_format() {
        let text = json!({ "format": "blog", "usage": { "cost_usd": 0.02 }, "content": "one two",
            "sources": [{ "quote": "q" }, { "quote": "" }],
            "review": { "score": 8.0, "checks": [{ "passed": true }, { "passed": false }] } });
        let other = json!({ "format": "faq" });
        let prompts = [call("a", "draft", 0, false), call("a", "edit", 0, false)];
        let costs = costs("x", "blog", &[text, other], &prompts);
        assert_eq!((costs.texts, costs.calls, costs.prompt, costs.uncached()), (1.0, 2.0, 600.0, 344.0));
        assert_eq!((costs.checks, costs.citations, costs.score, costs.words), (0.5, 1.0, 8.0, 2.0));
        assert_eq!(costs.cells().len(), Costs::HEAD.len());
    }
}
