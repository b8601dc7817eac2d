//! Strangers who upload hostile files while texts are written: every file's job ends, with what to
//! do about it; no text notices; the memory of the workers and of the processes that read for them
//! stays within its limits.

mod memory;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use copydesk_hostile::{Category, FILES, HostileFile, file};
use reqwest::multipart::{Form, Part};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::client::{self, BUSINESSES};
use crate::key;
use crate::system::System;
use crate::table;
use memory::{Memory, Peaks};

/// How many files of all categories are uploaded.
pub(super) const ALL_FILES: usize = Category::ALL.len() * FILES;
/// The workers of the run.
pub(super) const WORKERS: usize = 2;
/// The time to read a file, in seconds.
pub(super) const READING_SECONDS: &str = "5";
/// The clients that upload.
const CLIENTS: usize = 4;
/// How long an upload may be repeated, and the jobs waited for after the last one.
const UPLOADS_WITHIN: Duration = Duration::from_secs(120);
const ENDS_WITHIN: Duration = Duration::from_secs(900);
const PAUSE: Duration = Duration::from_millis(250);
/// The most memory of a process that reads; of a worker and those of it at any moment, in KiB.
const MAX_CHILD_KIB: u64 = 512 * 1024;
const MAX_TOGETHER_KIB: u64 = 1024 * 1024;
const HEAD: [&str; 7] = ["category", "files", "succeeded", "failed", "slowest s", "slowest file", "problems"];

/// The business to which a client of this number uploads.
pub(super) fn business(client: usize) -> String {
    format!("strangers-{}", client % CLIENTS)
}

/// The uploads under way, and the memory that they cost.
pub(super) struct Strangers {
    uploads: JoinHandle<anyhow::Result<Vec<Sent>>>,
    memory: Memory,
}

/// A file that was uploaded.
struct Sent {
    category: Category,
    name: String,
    /// Its job; else how it was refused.
    job: Result<Uuid, String>,
}

impl Strangers {
    /// Gives every business a document that fits its texts, without which they were degraded. Then
    /// starts to upload the files of a seed, spread over a time.
    pub(super) async fn start(system: &System, seed: u64, over: Duration) -> anyhow::Result<Self> {
        give_knowledge(system).await?;
        let workers = system.workers.iter().map(crate::process::Process::pid).collect();
        let next = Arc::new(AtomicUsize::new(0));
        let began = Instant::now();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = Client { http: http()?, url: system.url(), number, seed, began, over };
                Ok(tokio::spawn(client.upload(Arc::clone(&next))))
            })
            .collect::<anyhow::Result<_>>()?;
        let uploads = tokio::spawn(async move {
            let mut all = Vec::new();
            for client in clients {
                all.extend(client.await??);
            }
            Ok(all)
        });
        Ok(Self { uploads, memory: Memory::watch(workers) })
    }

    /// Waits until all are uploaded and their jobs have ended, and says what became of them.
    pub(super) async fn end(self, system: &System) -> anyhow::Result<Report> {
        let sent = self.uploads.await.context("the strangers failed")??;
        let pool = &system.database.pool;
        let began = Instant::now();
        while open(pool).await? > 0 && began.elapsed() < ENDS_WITHIN {
            tokio::time::sleep(PAUSE).await;
        }
        let peaks = self.memory.end()?;
        let mut ends: BTreeMap<Uuid, Row> = ends(pool).await?.into_iter().map(|row| (row.id, row)).collect();
        let files = sent.into_iter().map(|sent| End::of(sent, &mut ends)).collect();
        Ok(Report { files, texts: texts(pool).await?, peaks })
    }
}

/// Stores a document for every business of the run, and waits until all are indexed.
async fn give_knowledge(system: &System) -> anyhow::Result<()> {
    let (http, pool) = (http()?, &system.database.pool);
    let businesses = (0..BUSINESSES).map(client::business).chain((0..CLIENTS).map(business));
    for business in businesses {
        let url = format!("{}/api/businesses/{business}/documents", system.url());
        let body = json!({ "title": "Jobs", "text": "Every job is a request, and every request is a job." });
        http.post(url).json(&body).send().await?.error_for_status()?;
    }
    let began = Instant::now();
    while open(pool).await? > 0 {
        ensure!(began.elapsed() < UPLOADS_WITHIN, "the businesses' own documents were not indexed in time");
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

fn http() -> reqwest::Result<reqwest::Client> {
    key::client().timeout(Duration::from_secs(60)).build()
}

/// A client that uploads one file after the other.
struct Client {
    http: reqwest::Client,
    url: String,
    number: usize,
    seed: u64,
    began: Instant,
    /// The time in which all clients upload all files.
    over: Duration,
}

impl Client {
    async fn upload(self, next: Arc<AtomicUsize>) -> anyhow::Result<Vec<Sent>> {
        let mut sent = Vec::new();
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= ALL_FILES {
                return Ok(sent);
            }
            let at = self.began + self.over.mul_f64(turn as f64 / ALL_FILES as f64);
            tokio::time::sleep_until(at.into()).await;
            // Categories take turns, so that no moment is of one kind only.
            let category = Category::ALL[turn % Category::ALL.len()];
            let (seed, number) = (self.seed, turn / Category::ALL.len());
            let HostileFile { category, name, bytes } =
                tokio::task::spawn_blocking(move || file(seed, category, number)).await?;
            let job = self.accepted(&name, bytes).await?;
            sent.push(Sent { category, name, job });
        }
    }

    /// Uploads a file until it is accepted or refused: an API that is busy says so.
    async fn accepted(&self, name: &str, bytes: Vec<u8>) -> anyhow::Result<Result<Uuid, String>> {
        let began = Instant::now();
        let url = format!("{}/api/businesses/{}/documents", self.url, business(self.number));
        loop {
            let form = Form::new().part("file", Part::bytes(bytes.clone()).file_name(name.to_owned()));
            let answer = self.http.post(&url).multipart(form).send().await?;
            let status = answer.status();
            let answer: Value = answer.json().await.unwrap_or_default();
            if let Some(id) = answer["job"]["id"].as_str() {
                return Ok(Ok(id.parse()?));
            }
            if status.as_u16() != 429 && !status.is_server_error() {
                return Ok(Err(format!("{status}: {}", answer["detail"])));
            }
            if began.elapsed() > UPLOADS_WITHIN {
                bail!("{name} was not accepted in {} s: {status} {answer}", UPLOADS_WITHIN.as_secs());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The end of a file's job.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: Uuid,
    status: String,
    problem: Option<String>,
    detail: Option<String>,
    /// From the beginning of the reading to the job's end.
    seconds: f64,
}

async fn open(pool: &PgPool) -> anyhow::Result<i64> {
    let query = "select count(*) from jobs where kind = 'ingest' and finished_at is null";
    Ok(sqlx::query_scalar(query).fetch_one(pool).await?)
}

async fn ends(pool: &PgPool) -> anyhow::Result<Vec<Row>> {
    // A job reports its first stage when it has a place to read at: the first write under its lease
    // that is not the lease itself.
    let query = "select jobs.id, jobs.status, error->>'type' as problem, error->>'detail' as detail,
                        coalesce(extract(epoch from max(at) filter (where writes.status <> 'running')
                            - min(at) filter (where writes.status = 'running' and old_epoch = epoch)), 0)::float8
                            as seconds
                 from jobs join audit.writes on job_id = jobs.id
                 where kind = 'ingest' group by jobs.id";
    Ok(sqlx::query_as(query).fetch_all(pool).await?)
}

/// What became of the texts.
#[derive(Debug, Clone, Default, Serialize, sqlx::FromRow)]
pub(super) struct Texts {
    pub(super) all: i64,
    pub(super) failed: i64,
    /// Those that a second attempt wrote.
    pub(super) again: i64,
    pub(super) degraded: i64,
}

/// A text that the checks refuse does not count as degraded: the simulator writes some.
async fn texts(pool: &PgPool) -> anyhow::Result<Texts> {
    let query = "select count(*) as all,
                        count(*) filter (where status <> 'succeeded') as failed,
                        count(*) filter (where attempt <> 1 or takeovers <> 0) as again,
                        count(*) filter (where not degraded <@ '{checks_failed}') as degraded
                 from jobs left join generations on job_id = jobs.id where kind = 'generate'";
    Ok(sqlx::query_as(query).fetch_one(pool).await?)
}

/// What became of one file.
#[derive(Debug, Clone, Serialize)]
pub(super) struct End {
    pub(super) category: &'static str,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) problem: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) seconds: f64,
}

impl End {
    fn of(sent: Sent, rows: &mut BTreeMap<Uuid, Row>) -> Self {
        let (category, name) = (sent.category.name(), sent.name);
        let unknown = |status: &str, detail| Self {
            category,
            name: name.clone(),
            status: status.into(),
            problem: None,
            detail,
            seconds: 0.0,
        };
        match sent.job.map(|id| rows.remove(&id)) {
            Err(refusal) => unknown("refused", Some(refusal)),
            Ok(None) => unknown("lost", None),
            Ok(Some(Row { status, problem, detail, seconds, .. })) => {
                Self { category, name, status, problem, detail, seconds }
            }
        }
    }

    /// What is wrong with how it ended.
    fn wrong(&self) -> Option<String> {
        let detail = self.detail.as_deref().unwrap_or_default();
        let is_told = self.problem.as_deref() == Some("/problems/unusable-document") && self.kind() != GENERIC;
        let is_right = self.status == "succeeded" || (self.status == "failed" && is_told);
        (!is_right)
            .then(|| format!("{}: {} {} {detail}", self.name, self.status, self.problem.as_deref().unwrap_or("")))
    }

    /// The kind of its problem, in a word or two.
    fn kind(&self) -> &'static str {
        let detail = self.detail.as_deref().unwrap_or_default();
        KINDS.iter().find(|(words, _)| detail.contains(words)).map_or("other", |(_, kind)| kind)
    }
}

/// A problem that does not say what to do.
const GENERIC: &str = "generic";
/// Words of problems, and their kinds.
const KINDS: [(&str, &str); 15] = [
    ("its reader failed", GENERIC),
    (" seconds: ", "time"),
    ("MiB of memory", "memory"),
    ("nest", "depth"),
    ("unpacks to more", "size"),
    ("passages: ", "passages"),
    ("pages: ", "pages"),
    ("no text", "no text"),
    ("no readable text", "no text"),
    ("binary data", "binary"),
    ("entities", "entities"),
    ("password", "password"),
    ("is damaged", "damaged"),
    ("is not a ", "other format"),
    ("deleted", "deleted"),
];

/// What became of everything.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    pub(super) files: Vec<End>,
    pub(super) texts: Texts,
    pub(super) peaks: Peaks,
}

impl Report {
    /// The files whose jobs ended with a problem: how much of the run tested something.
    pub(super) fn failed(&self) -> u64 {
        self.files.iter().filter(|end| end.status == "failed").count() as u64
    }

    /// What was violated, in words.
    pub(super) fn broken(&self) -> Vec<String> {
        let mut broken: Vec<String> = self.files.iter().filter_map(End::wrong).collect();
        let Texts { failed, again, degraded, .. } = self.texts;
        let texts = [(failed, "failed"), (again, "took a second attempt"), (degraded, "are degraded")];
        broken.extend(
            texts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} texts {what}")),
        );
        let Peaks { child_kib, together_kib, readers, .. } = self.peaks;
        if self.files.len() != ALL_FILES {
            broken.push(format!("{} files were uploaded, not {ALL_FILES}", self.files.len()));
        }
        if readers == 0 {
            broken.push("no process that reads was seen: its memory is not known".into());
        }
        if child_kib > MAX_CHILD_KIB {
            broken.push(format!("a process that reads took {} MiB", child_kib / 1024));
        }
        if together_kib > MAX_TOGETHER_KIB {
            broken.push(format!("a worker and its readers took {} MiB", together_kib / 1024));
        }
        broken
    }

    /// A table of the files by category, and the peaks.
    pub(super) fn render(&self) -> String {
        let mut rows: Vec<Vec<String>> = Category::ALL.iter().map(|category| self.row(Some(category.name()))).collect();
        rows.push(self.row(None));
        let Peaks { samples, readers, child_kib, worker_kib, together_kib } = self.peaks;
        let Texts { all, failed, again, degraded } = self.texts;
        format!(
            "{}\n{all} texts: {failed} failed, {again} took a second attempt, {degraded} degraded\n\
             peaks in MiB: a process that reads {}, a worker {}, a worker with its readers {} ({samples} samples, \
             {readers} processes that read)\n",
            table::render(&HEAD, &rows),
            child_kib / 1024,
            worker_kib / 1024,
            together_kib / 1024
        )
    }

    fn row(&self, category: Option<&str>) -> Vec<String> {
        let files: Vec<&End> =
            self.files.iter().filter(|end| category.is_none_or(|category| end.category == category)).collect();
        let count = |status: &str| files.iter().filter(|end| end.status == status).count().to_string();
        let slowest = files.iter().max_by(|one, other| one.seconds.total_cmp(&other.seconds));
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for end in files.iter().filter(|end| end.status == "failed") {
            *kinds.entry(end.kind()).or_default() += 1;
        }
        vec![
            category.unwrap_or("all").to_owned(),
            files.len().to_string(),
            count("succeeded"),
            count("failed"),
            slowest.map_or_else(String::new, |end| format!("{:.1}", end.seconds)),
            slowest.map_or_else(String::new, |end| end.name.clone()),
            kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", "),
        ]
    }
}

#[cfg(test)]
mod tests;
