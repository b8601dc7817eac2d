//! The handler of feedback jobs: reads a human's verdict and applies it. Verdicts that a release before stored unread are
//! read first, so that what was learned follows from all of them. Also rebuilds what was learned.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use copydesk_common::clock;
use copydesk_common::store::feedback::{Judged, ReadVerdict};
use copydesk_common::store::job::Checkpoint;
use copydesk_common::store::learning::{self, undistilled};
use copydesk_common::store::{self, Store, StoreError};
use copydesk_domain::business::BusinessId;
use copydesk_domain::checkpoint::StageResult;
use copydesk_domain::feedback::Verdict;
use copydesk_domain::id::FeedbackId;
use copydesk_domain::job::{Priority, Progress, StartedJob};
use copydesk_domain::lesson::{Distilled, Rule};
use copydesk_domain::stage::Stage;
use copydesk_editorial::lesson;
use copydesk_editorial::text::phrase;

use crate::distill;
use crate::outcome::Interruption;
use crate::pipeline::calls::Calls;
use crate::pipeline::deps::PipelineDeps;

/// Verdicts of a release before that are read at once.
const BATCH: u16 = 100;

/// Reads and applies the verdict, and ends the job.
pub(crate) async fn run(deps: &PipelineDeps, job: &StartedJob, verdict: Verdict) -> Result<(), Interruption> {
    catch_up(&deps.store, &job.business_id).await?;
    let judged = store::feedback::judged(&deps.store, &job.business_id, verdict.generation_id).await?;
    let read = match judged {
        Some(judged) => read(deps, job, verdict, &judged).await?,
        // The text was removed meanwhile: so was the row that would be changed.
        None => ReadVerdict { verdict, distilled: Distilled::default(), effort: None },
    };
    // One of a business at a time: the others would each hold a connection while they wait for its row.
    let turn = deps.turns.of(&job.business_id);
    let _turn = turn.lock().await;
    store::feedback::settle(&deps.store, job, &read).await?;
    Ok(())
}

/// Whose verdict is applied by this process, by business.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Mutex<HashMap<BusinessId, Weak<tokio::sync::Mutex<()>>>>>);

impl Turns {
    fn of(&self, business_id: &BusinessId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(business_id).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        turns.insert(business_id.clone(), Arc::downgrade(&turn));
        turn
    }
}

async fn read(
    deps: &PipelineDeps,
    job: &StartedJob,
    verdict: Verdict,
    judged: &Judged,
) -> Result<ReadVerdict, Interruption> {
    let effort = match verdict.edited_content.clone() {
        Some(edited) => {
            let draft = judged.content.clone();
            tokio::task::spawn_blocking(move || lesson::effort(&draft, &edited)).await.ok()
        }
        None => None,
    };
    let distilled = match stored(deps, job).await? {
        Some(distilled) => distilled,
        None => ask(deps, job, &verdict, judged).await?,
    };
    let distilled = without_foreign_names(&deps.store, &job.business_id, distilled).await?;
    Ok(ReadVerdict { verdict, distilled, effort })
}

/// What an earlier attempt read, and perhaps paid a model for.
async fn stored(deps: &PipelineDeps, job: &StartedJob) -> Result<Option<Distilled>, Interruption> {
    if job.stages_completed == 0 {
        return Ok(None);
    }
    let stored = store::job::checkpoints(&deps.store, job).await?;
    let mut outputs = stored.into_iter().filter(|result| result.stage == Stage::Distill);
    Ok(outputs.next().and_then(|result| serde_json::from_value(result.output).ok()))
}

/// Texts go first: a verdict's reading waits behind them.
async fn ask(
    deps: &PipelineDeps,
    job: &StartedJob,
    verdict: &Verdict,
    judged: &Judged,
) -> Result<Distilled, Interruption> {
    let behind = StartedJob { priority: Priority::Bulk, ..job.clone() };
    let calls = Calls::new(deps.providers.clone(), &behind);
    let started_at = clock::now();
    let distilled = Box::pin(distill::read(&calls, verdict, judged)).await.map_err(|error| error.interruption(job))?;
    let used = calls.take_usage();
    if used != copydesk_domain::usage::Usage::default() {
        let output = serde_json::to_value(&distilled).map_err(|error| Interruption::Retry(error.into()))?;
        let result = StageResult { stage: Stage::Distill, round: 0, output, usage: used.clone(), started_at };
        let mut usage = job.usage.clone();
        usage.add_stage(Stage::Distill, &used);
        let progress = Some(Progress { stage: Stage::Distill.as_str().to_owned(), completed: 1, total: 2 });
        deps.journal.checkpoint(Checkpoint { lease: job.lease(), results: vec![result], progress, usage }).await?;
    }
    Ok(distilled)
}

/// Without rules that name another business of this service: what its people wrote is none of this one's.
async fn without_foreign_names(
    store: &Store,
    business_id: &BusinessId,
    distilled: Distilled,
) -> Result<Distilled, StoreError> {
    let told: Vec<String> = distilled.rules.iter().filter_map(|observed| free_text(&observed.rule)).collect();
    if told.is_empty() {
        return Ok(distilled);
    }
    let names = store::feedback::foreign_names(store, business_id, &told.join("\n")).await?;
    let is_own = |rule: &Rule| free_text(rule).is_none_or(|text| !names.iter().any(|name| phrase::holds(&text, name)));
    let rules = distilled.rules.into_iter().filter(|observed| is_own(&observed.rule)).collect();
    Ok(Distilled { rules, ..distilled })
}

/// What of a rule people worded, in a sentence. A term is no sentence: the name of a competitor may be banned.
fn free_text(rule: &Rule) -> Option<String> {
    match rule {
        Rule::Note { text, .. } => Some(text.clone()),
        _ => None,
    }
}

/// Reads verdicts that nobody has read yet, by rules.
async fn catch_up(store: &Store, business_id: &BusinessId) -> Result<u64, StoreError> {
    let mut read = 0;
    loop {
        let some = undistilled::some(store, business_id, BATCH).await?;
        let is_last = some.len() < usize::from(BATCH);
        for unread in some {
            let id: FeedbackId = unread.feedback_id;
            let edited = unread.edited_content.as_deref();
            let judged = Judged { content: unread.content, language: unread.language, format: unread.format };
            let distilled = distill::by_rules(&unread.comment, edited, &judged).with_notes();
            let distilled = without_foreign_names(store, business_id, distilled).await?;
            let effort = edited.map(|edited| lesson::effort(&judged.content, edited));
            undistilled::keep(store, id, &distilled, effort).await?;
            read += 1;
        }
        if is_last {
            return Ok(read);
        }
    }
}

/// Makes anew what a business has learned, while texts are written. Returns how many verdicts were read for the first
/// time.
pub async fn rebuild(store: &Store, business_id: &BusinessId) -> Result<u64, StoreError> {
    let read = catch_up(store, business_id).await?;
    learning::rebuild(store, business_id).await?;
    Ok(read)
}

/// The same for every business, one after the other. Returns how many.
pub async fn rebuild_all(store: &Store) -> Result<u64, StoreError> {
    let (mut rebuilt, mut last) = (0, String::new());
    while let Some(business_id) = undistilled::next_business(store, &last).await? {
        rebuild(store, &business_id).await?;
        rebuilt += 1;
        business_id.as_str().clone_into(&mut last);
    }
    Ok(rebuilt)
}
