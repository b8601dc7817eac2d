//! How a generation comes about: `brief → research → knowledge → lessons → (outline) → draft → edit* →
//! finish`. Here is the order and the bookkeeping: each stage's output and
//! usage are stored before the next one starts, and a job that comes back goes on at the first
//! unfinished one. What a stage does is its own file's; moving the job on when it stops short is
//! [`crate::execute`]'s.

use std::time::{Duration, Instant};

use copydesk_common::clock;
use copydesk_common::quota::usual::TextKind;
use copydesk_common::store;
use copydesk_common::store::generation::Ending;
use copydesk_common::store::job::Checkpoint;
use copydesk_domain::checkpoint::StageResult;
use copydesk_domain::generation::GenerateRequest;
use copydesk_domain::job::{Progress, StartedJob};
use copydesk_domain::stage::Stage;
use copydesk_domain::usage::Usage;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument;

use crate::outcome::Interruption;
use crate::{metric, problem};

pub mod brief;
pub mod calls;
pub mod choice;
pub mod citation;
pub mod deps;
pub mod draft;
pub mod edit;
pub mod error;
pub mod finish;
pub mod knowledge;
mod lenient;
pub mod lessons;
mod live;
pub mod outline;
pub mod passage;
pub mod plan;
pub mod prompt;
mod reading;
pub mod research;
pub mod review;
mod room;
pub mod rounds;
pub mod structured;
pub mod voices;
pub mod writing;

use calls::Calls;
use deps::PipelineDeps;
use error::StageError;
use plan::Planned;
use review::Reviewed;
use rounds::{Revised, Rounds, Version};

/// Stages of every generation: all but the outline and the edits.
const STAGES: u16 = 6;

/// How long finished stages that cost nothing may stay unstored, while the next one is under way: then
/// those who watch the job see them.
const UNSTORED_FOR: Duration = Duration::from_millis(20);

/// Runs a generate job from its first unfinished stage to its end.
pub async fn run(deps: &PipelineDeps, job: &StartedJob, request: GenerateRequest) -> Result<(), Interruption> {
    let calls =
        Calls::new(deps.providers.clone(), job).shown_by(deps.broadcast.clone()).falling_back(request.allow_fallback);
    let mut run = Run::resume(deps, job, &calls).await?;
    let ended = stages(&mut run, &request).await;
    if !matches!(ended, Ok(()) | Err(Interruption::Superseded)) {
        run.cut_off().await;
    }
    ended
}

/// The stages in their order.
async fn stages(run: &mut Run<'_>, request: &GenerateRequest) -> Result<(), Interruption> {
    let Run { deps, job, calls, .. } = *run;
    let brief = run.stage(Stage::Brief, 0, brief::run(&deps.store, job, request), to(Stage::Research)).await?;
    // A job that was planned before goes by its plan.
    let is_planned_apart =
        run.has(Stage::Outline) || (brief.words >= deps.outline_from_words && !run.has(Stage::Draft));
    run.expects(STAGES + u16::from(is_planned_apart) + brief.max_rounds.min(1));
    let kind = TextKind { format: brief.format, is_outlined: is_planned_apart, rounds: brief.max_rounds };
    calls.expect(kind);
    let research = run.stage(Stage::Research, 0, research::run(calls, &brief), to(Stage::Knowledge)).await?;
    let recalled = knowledge::run(deps, calls, &job.business_id, &brief);
    let recalled = run.stage(Stage::Knowledge, 0, recalled, to(Stage::Lessons)).await?;
    let lessons = lessons::run(deps, job, request, &brief);
    let after_lessons = if is_planned_apart { Stage::Outline } else { Stage::Draft };
    let lessons = run.stage(Stage::Lessons, 0, lessons, to(after_lessons)).await?;
    let brief = lessons.heeded(brief, request);
    let passages = passage::numbered(&recalled, &research);
    let shown = choice::chosen(&passages, &brief);
    let subject = prompt::Task {
        voice: recalled.voice.as_ref(),
        guidance: &recalled.guidance,
        others: &recalled.others,
        shown: &shown,
        examples: &lessons.examples,
        rejected: lessons.rejected.as_ref(),
        ..prompt::Task::new(&brief, &lessons.applied, &passages, deps.providers.simulated)
    };

    let planned = if is_planned_apart {
        Some(run.stage(Stage::Outline, 0, outline::run(calls, &subject), to(Stage::Draft)).await?)
    } else {
        None
    };
    let outline = planned.as_ref().map(|planned| &planned.outline);
    let task = prompt::Task { plan: !is_planned_apart, outline, ..subject };
    let after_draft = if brief.max_rounds > 0 { Stage::Edit } else { Stage::Finish };
    let draft = run.stage(Stage::Draft, 0, draft::run(calls, &task), to(after_draft)).await?;
    let rounds = edited(run, &task, &draft, &lessons).await?;
    if let Some(obstacle) = run.obstacle() {
        return Err(obstacle);
    }
    let planned = planned.or(draft.plan.map(|outline| Planned { outline, by: None }));
    let made = finish::Made {
        job,
        request,
        brief: &brief,
        lessons,
        research,
        recalled,
        passages: &passages,
        planned,
        is_refused: draft.is_refused,
        rounds,
    };
    let generation = finish::run(&made, &deps.providers, run.usage.clone());
    let total = run.completed + 1;
    let progress = Progress { stage: Stage::Finish.as_str().to_owned(), completed: total, total };
    let results = run.unstored.clone();
    deps.journal.settle(Ending { lease: job.lease(), results, progress, generation }).await?;
    deps.providers.usual.learn(kind, &run.usage);
    Ok(())
}

/// The draft after its rounds of edits.
async fn edited(
    run: &mut Run<'_>,
    task: &prompt::Task<'_>,
    draft: &draft::Draft,
    lessons: &lessons::Lessons,
) -> Result<Rounds, Interruption> {
    let (calls, brief) = (run.calls, task.brief);
    let checked = |text: &str| review::checked(task, text);
    let mut rounds = Rounds::of(draft, checked(&draft.text), brief);
    if let Some(versions) = run.versions_of_an_earlier_release(draft) {
        rounds.resume(versions, brief, checked);
    }
    // What the first text cites: all rounds show the same passages, so that their prompts begin alike.
    let cited = choice::cited(task.shown, &rounds.text);
    let subject = if calls.edits_with_the_writer() {
        // The same model has read the passages before: showing fewer of them would cost more.
        prompt::Task { plan: false, ..*task }
    } else {
        // Another model has not: it is spared what the text makes no use of, and the plan, which the text shows.
        prompt::Task { plan: false, shown: &cited, examples: &[], outline: None, ..*task }
    };
    while rounds.wants_edits() {
        let (text, fixes, round) = (rounds.text.clone(), rounds.fixes(), rounds.made);
        let task = prompt::Task { draft: Some(&text), fixes: &fixes, round, ..subject };
        let next = |edited: &edit::Edited| edit::next(edited, round, brief, lessons);
        let edited = run.stage(Stage::Edit, round, edit::run(calls, &task, &rounds.reviewed), next).await?;
        rounds.take(edited, brief, lessons);
    }
    Ok(rounds)
}

/// The stage that follows whatever the output.
fn to<T>(stage: Stage) -> impl FnOnce(&T) -> Stage {
    move |_| stage
}

/// A job under way: what is stored, and what was used.
struct Run<'a> {
    deps: &'a PipelineDeps,
    job: &'a StartedJob,
    calls: &'a Calls,
    stored: Vec<StageResult>,
    /// Finished stages that wait for the next statement. Each was free; only the last one, which
    /// the end follows at once, may have cost something.
    unstored: Vec<StageResult>,
    /// The progress with them; `None` before the first.
    progress: Option<Progress>,
    /// What the job has used, by this attempt and earlier ones.
    usage: Usage,
    /// The stage that ran last.
    under_way: Stage,
    completed: u16,
    /// Stages in all, as far as known.
    total: u16,
}

impl<'a> Run<'a> {
    async fn resume(deps: &'a PipelineDeps, job: &'a StartedJob, calls: &'a Calls) -> Result<Self, Interruption> {
        let is_new = job.stages_completed == 0;
        let stored = if is_new { Vec::new() } else { store::job::checkpoints(&deps.store, job).await? };
        let usage = job.usage.clone();
        calls.resume(&usage);
        Ok(Self {
            deps,
            job,
            calls,
            stored,
            unstored: Vec::new(),
            progress: None,
            usage,
            under_way: Stage::Brief,
            completed: 0,
            total: STAGES + 1,
        })
    }

    /// So many stages are known to be in all, further rounds of edits aside.
    fn expects(&mut self, total: u16) {
        self.total = total;
    }

    /// Whether a stage is stored.
    fn has(&self, stage: Stage) -> bool {
        self.stored.iter().any(|result| result.stage == stage)
    }

    /// What an earlier release made of the draft, which it reviewed and revised; `None` where it did neither.
    fn versions_of_an_earlier_release(&mut self, draft: &draft::Draft) -> Option<Vec<Version>> {
        if !self.has(Stage::Review) {
            return None;
        }
        let mut version = Version { text: Some(draft.text.clone()), by: draft.by.clone(), reviewed: None };
        let mut versions = Vec::new();
        for round in 0.. {
            version.reviewed = self.stored_output::<Reviewed>(Stage::Review, round);
            let revised = self.stored_output::<Revised>(Stage::Revise, round + 1);
            self.completed += u16::from(version.reviewed.is_some()) + u16::from(revised.is_some());
            versions.push(version);
            let Some(Revised { text, by }) = revised else { break };
            version = Version { text, by, reviewed: None };
        }
        self.total = self.completed + 2;
        Some(versions)
    }

    /// A stage's stored output, or the output of `work`, stored. `next` says which stage follows,
    /// for those who watch the progress.
    async fn stage<T>(
        &mut self,
        stage: Stage,
        round: u16,
        work: impl Future<Output = Result<T, StageError>>,
        next: impl FnOnce(&T) -> Stage,
    ) -> Result<T, Interruption>
    where
        T: Serialize + DeserializeOwned,
    {
        if let Some(output) = self.stored_output(stage, round) {
            self.completed += 1;
            return Ok(output);
        }
        if let Some(obstacle) = self.obstacle() {
            return Err(obstacle);
        }
        self.under_way = stage;
        self.calls.begin(stage);
        let (started_at, began) = (clock::now(), Instant::now());
        let span = tracing::info_span!("stage", stage = stage.as_str(), round);
        let output = self.watched(work.instrument(span)).await?.map_err(|error| error.interruption(self.job))?;
        metric::stage_finished(stage, began.elapsed());
        self.completed += 1;
        let result = StageResult {
            stage,
            round,
            output: serde_json::to_value(&output).map_err(|error| Interruption::Retry(error.into()))?,
            usage: self.calls.take_usage(),
            started_at,
        };
        self.finished(result, next(&output)).await?;
        Ok(output)
    }

    /// The stage's output. Where it takes its time, what is not stored yet is stored meanwhile, for
    /// those who watch.
    async fn watched<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Interruption> {
        // On the heap: the largest of the stages would else be part of every job's state.
        let mut work = Box::pin(work);
        if let Ok(output) = tokio::time::timeout(UNSTORED_FOR, &mut work).await {
            return Ok(output);
        }
        let (stored, output) = tokio::join!(self.flush(), work);
        match stored {
            Err(Interruption::Superseded) => Err(Interruption::Superseded),
            // They are stored with this stage, or fail with it.
            _ => Ok(output),
        }
    }

    /// Remembers a finished stage, and stores it before another one can be paid for.
    async fn finished(&mut self, result: StageResult, next: Stage) -> Result<(), Interruption> {
        let (stage, completed) = (next.as_str().to_owned(), self.completed);
        // This one more than was known, or the one that follows it.
        self.total = self.total.max(completed + if next == Stage::Finish { 1 } else { 2 });
        self.progress = Some(Progress { stage, completed, total: self.total });
        tracing::info!(stage = result.stage.as_str(), round = result.round, "a stage is finished");
        self.usage.add_stage(result.stage, &result.usage);
        let is_free = result.usage == Usage::default();
        self.unstored.push(result);
        // The end stores what is left, at once.
        if is_free || next == Stage::Finish { Ok(()) } else { self.flush().await }
    }

    /// Where a newer worker stored what this one cannot read, the stage runs again.
    fn stored_output<T: DeserializeOwned>(&self, stage: Stage, round: u16) -> Option<T> {
        let result = self.stored.iter().find(|result| result.stage == stage && result.round == round)?;
        T::deserialize(&result.output)
            .inspect_err(|error| tracing::warn!(%stage, round, error = error as &dyn std::error::Error, "a stored stage cannot be read and runs again"))
            .ok()
    }

    /// Stores what is left of an attempt that stops short: its stages, and what was used by the one
    /// that was cut off. A failure costs no more than their repetition, and the account.
    async fn cut_off(&mut self) {
        let used = self.calls.take_usage();
        if self.unstored.is_empty() && used == Usage::default() {
            return;
        }
        self.usage.add_stage(self.under_way, &used);
        if self.store().await.is_err() {
            tracing::warn!("what an attempt had used could not be stored");
        }
    }

    /// Stores the finished stages that are not stored yet.
    async fn flush(&mut self) -> Result<(), Interruption> {
        if self.unstored.is_empty() { Ok(()) } else { self.store().await }
    }

    async fn store(&mut self) -> Result<(), Interruption> {
        let checkpoint = Checkpoint {
            lease: self.job.lease(),
            results: self.unstored.clone(),
            progress: self.progress.clone(),
            usage: self.usage.clone(),
        };
        self.deps.journal.checkpoint(checkpoint).await?;
        self.deps.broadcast.changed(self.job.id);
        self.unstored.clear();
        Ok(())
    }

    /// Why no further stage may start: the worker is leaving, or the deadline has passed.
    fn obstacle(&self) -> Option<Interruption> {
        if self.deps.draining.is_cancelled() {
            return Some(Interruption::Draining);
        }
        let is_late = self.job.deadline_at.is_some_and(|deadline| deadline <= clock::now());
        is_late.then(|| problem::too_late(self.job).into())
    }
}

/// A job that is cancelled, or whose worker is at the end of its grace, is dropped midway: what it used counts.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        let used = self.calls.take_usage();
        if used == Usage::default() {
            return;
        }
        self.usage.add_stage(self.under_way, &used);
        let (store, lease, usage) = (self.deps.store.clone(), self.job.lease(), self.usage.clone());
        // Outside of a runtime there is nobody to tell.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let told = async move {
            if let Err(error) = store::job::account(&store, lease, &usage).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "what a job had used that was stopped midway could not be stored");
            }
        };
        self.deps.accounts.spawn_on(told, &runtime);
    }
}

#[cfg(test)]
mod tests;
