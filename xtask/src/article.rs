//! One article: requests it, shows its stages as they happen, and prints it.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::{Value, json};

use crate::client::{Client, Job};
use crate::interrupt;
use crate::screen::{self, Step};

/// The interval of polls: a stage of a fast writer takes a few tens of milliseconds, and should be
/// visible.
const POLL: Duration = Duration::from_millis(250);

/// What to write.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) business_id: String,
    pub(crate) topic: String,
    pub(crate) format: String,
    pub(crate) voice: Option<String>,
}

impl Order {
    /// The body of `POST /api/generate`.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "business_id": self.business_id, "topic": self.topic, "format": self.format });
        if let Some(voice) = &self.voice {
            body["voice"] = json!(voice);
        }
        body
    }
}

/// Requests the article and follows the job to its end.
pub(crate) fn write(client: &Client, order: &Order) -> anyhow::Result<Job> {
    let accepted: Job = client.post("/api/generate", &order.body())?;
    let mut stages = Stages::default();
    loop {
        let job = client.job(&accepted.id, 0)?;
        stages.show(&job);
        if job.has_ended() {
            stages.end();
            if !job.has_succeeded() {
                bail!("the article was not written: {}", job.failure());
            }
            return Ok(job);
        }
        interrupt::pause(POLL)?;
    }
}

/// The current stage: one step on the screen.
#[derive(Default)]
struct Stages {
    current: Option<(String, u32, Step)>,
}

impl Stages {
    fn show(&mut self, job: &Job) {
        let Some(progress) = job.progress.as_ref().filter(|progress| !progress.stage.is_empty()) else { return };
        // A further round of edits is a stage of the same name: the count tells them apart.
        let same = self
            .current
            .as_ref()
            .is_some_and(|(stage, completed, _)| *stage == progress.stage && *completed == progress.completed);
        if !same && !job.has_ended() {
            self.end();
            let step = Step::begin(&progress.stage);
            self.current = Some((progress.stage.clone(), progress.completed, step));
        }
        if let Some((stage, completed, step)) = &self.current {
            let waiting = waiting(job).map(|waiting| format!(": {waiting}")).unwrap_or_default();
            step.now(format_args!("{stage} ({} of {}){waiting}", completed + 1, progress.total));
        }
    }

    fn end(&mut self) {
        if let Some((stage, _, step)) = self.current.take() {
            step.done(stage);
        }
    }
}

/// What the job waits for, if it waits.
fn waiting(job: &Job) -> Option<String> {
    let waiting = job.waiting.as_ref()?;
    let provider = waiting.provider.as_deref().map(|provider| format!(" by {provider}")).unwrap_or_default();
    let until = waiting.until.as_deref().map(|until| format!(" until {until}")).unwrap_or_default();
    Some(format!("{}{provider}{until}", waiting.reason.replace('_', " ")))
}

/// The article, its sources and its cost, as text.
pub(crate) fn printed(job: &Job, took: Duration) -> String {
    let mut text = String::new();
    let result = job.result.as_ref().unwrap_or(&Value::Null);
    let content = result["content"].as_str().unwrap_or_default().trim();
    if let Some(title) = result["title"].as_str().filter(|title| !content.contains(*title)) {
        let _ = writeln!(text, "{title}\n");
    }
    let _ = writeln!(text, "{content}\n");
    for source in result["sources"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "{}", printed_source(source));
    }
    let _ = writeln!(text, "\n{}", summary(job, result, took));
    text
}

fn printed_source(source: &Value) -> String {
    let title = source["title"].as_str().unwrap_or_default();
    let place = match source["url"].as_str() {
        Some(url) => url.to_owned(),
        None => "brand document".to_owned(),
    };
    format!("[{}] {title} ({place})", source["n"])
}

/// One line: the editor's score, shortfalls, tokens, calls and time.
fn summary(job: &Job, result: &Value, took: Duration) -> String {
    let mut parts = Vec::new();
    if let Some(score) = result["review"]["score"].as_f64() {
        let of = if result["review"]["scored"] == "draft" { " before its edits" } else { "" };
        parts.push(format!("scored {score:.1} of 10{of}"));
    }
    let degraded: Vec<&str> = result["degraded"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !degraded.is_empty() {
        parts.push(format!("degraded: {}", degraded.join(", ")));
    }
    if let Some(usage) = &job.usage {
        parts.push(format!("{} + {} tokens", usage.prompt_tokens, usage.completion_tokens));
        parts.extend(usage.calls.iter().map(|(provider, calls)| format!("{calls} × {provider}")));
    }
    parts.push(screen::seconds(took));
    parts.join(" · ")
}

/// Requests the article, shows the progress, and prints it. Returns it.
pub(crate) fn write_and_print(client: &Client, order: &Order, notice: Option<&str>) -> anyhow::Result<Job> {
    screen::line(format_args!("\nWriting “{}” as {} for {}", order.topic, order.format, order.business_id));
    let began = Instant::now();
    let job = write(client, order)?;
    screen::output(format_args!("\n{}", printed(&job, began.elapsed())));
    if let Some(notice) = notice {
        screen::output(format_args!("{notice}\n"));
    }
    Ok(job)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn an_article_is_printed_with_its_sources_and_cost() {
        let job: Job = serde_json::from_value(json!({
            "id": "1", "status": "succeeded",
            "usage": {"prompt_tokens": 900, "completion_tokens": 300, "calls": {"groq": 4}},
            "result": {
                "title": "Tea", "content": "# Tea\n\nHot [1].", "degraded": ["research_unavailable"],
                "review": {"score": 8.25},
                "sources": [{"n": 1, "kind": "kb", "title": "Brewing", "url": null},
                            {"n": 2, "kind": "web", "title": "Leaves", "url": "https://tea.example"}],
            },
        }))
        .unwrap();
        let text = printed(&job, Duration::from_millis(1500));
        assert_eq!(
            text,
            "# Tea\n\nHot [1].\n\n[1] Brewing (brand document)\n[2] Leaves (https://tea.example)\n\n\
             scored 8.2 of 10 · degraded: research_unavailable · 900 + 300 tokens · 4 × groq · 1.5 s\n"
        );
    }

    #[test]
    fn a_waiting_job_says_for_whom_and_until_when() {
        let job: Job = serde_json::from_value(json!({
            "id": "1", "status": "waiting",
            "waiting": {"reason": "rate_limited", "provider": "groq", "until": "2026-01-01T00:00:09Z"},
        }))
        .unwrap();
        assert_eq!(waiting(&job).unwrap(), "rate limited by groq until 2026-01-01T00:00:09Z");
    }
}
