//! `GET /api/businesses/{business_id}/export`: everything of a business, as JSON Lines. Read in pages while it is sent:
//! memory holds a page, and no connection to Postgres is held between two. The time limit of requests ends with the
//! head of the answer.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use copydesk_common::clock;
use copydesk_common::store::export::{Content, GivenVerdict, WholeJob};
use copydesk_common::store::{self, document, export, generation};
use copydesk_domain::business::{BusinessId, BusinessProfile};
use copydesk_domain::document::Document;
use copydesk_domain::feedback::Feedback;
use copydesk_domain::generation::Generation;
use copydesk_domain::id::{DocumentId, FeedbackId, GenerationId, JobId};
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::Business;
use crate::refusal::UnknownBusiness;
use crate::representation::JobBody;
use crate::route::events::BUFFERING;
use crate::route::learning::lessons::{self, ToldLesson};
use crate::route::learning::{self, LearningAnswer};
use crate::state::Services;

/// The version of the lines' shape. It grows where a reader of an earlier one would misread them.
const VERSION: u16 = 1;
const MEDIA_TYPE: &str = "application/jsonl";
/// Rows of a page, by what they weigh: a document comes alone, it has up to 10 MiB.
const JOBS: u16 = 50;
const GENERATIONS: u16 = 20;
const VERDICTS: u16 = 200;

/// A line of an export. `type` says what it is, and which fields it has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExportLine {
    /// The first line.
    Export {
        /// The version of the lines' shape.
        version: u16,
        /// The business.
        business_id: BusinessId,
        /// When the export began. Each object is as it was when its line was written.
        exported_at: DateTime<Utc>,
    },
    /// The profile, if there is one.
    Profile {
        /// The profile.
        profile: BusinessProfile,
    },
    /// A document with all that it holds.
    Document {
        /// The document.
        document: Document,
        /// The text as uploaded; empty for a file.
        text: String,
        /// The file as uploaded, in Base64; null for a text.
        #[schema(required = true)]
        file: Option<String>,
        /// The passages that it was cut into, in order.
        passages: Vec<ExportedPassage>,
    },
    /// A job with what was asked of it. Texts are left out of `result`: they have lines of their own.
    Job {
        /// The job.
        job: Box<JobBody>,
        /// What was asked.
        request: ExportedRequest,
    },
    /// A text, with the verdict that holds.
    Generation {
        /// The text.
        generation: Box<Generation>,
    },
    /// A verdict as it was given.
    Feedback {
        /// The text that it is about.
        generation_id: GenerationId,
        /// The verdict.
        feedback: Feedback,
        /// The text as the human published it; null where it was not given.
        #[schema(required = true)]
        edited_content: Option<String>,
    },
    /// What was learned.
    Lesson {
        /// The lesson.
        lesson: Box<ToldLesson>,
    },
    /// What people thought of the texts.
    Learning {
        /// The statistics of all formats.
        learning: Box<LearningAnswer>,
    },
    /// The last line. Where it is missing, the export was cut off.
    End {
        /// How many lines of each type came before this one.
        counts: ExportCounts,
    },
}

/// What was asked of a job: its fields depend on the job's kind.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct ExportedRequest(Value);

/// A passage of a document.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedPassage {
    /// Title and headings above it.
    heading_path: String,
    /// The passage.
    text: String,
}

/// How many lines of each type an export has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExportCounts {
    /// 1 if there is one.
    profile: u64,
    /// Documents.
    document: u64,
    /// Jobs.
    job: u64,
    /// Texts.
    generation: u64,
    /// Verdicts.
    feedback: u64,
    /// Lessons.
    lesson: u64,
    /// 1.
    learning: u64,
}

/// Export everything of a business.
///
/// JSON Lines: one object a line, with its `type`. The first line has the version and the time, the last one the counts:
/// where it is missing, the answer was cut off, and is to be asked for again. The order is always the same: profile,
/// documents, jobs, texts, verdicts, lessons, statistics, each the oldest first. Nothing is frozen meanwhile: each object is as it
/// was when its line was written. Vectors and the results of single stages are left out: they are made from the rest.
/// A process makes a few exports at once; more are answered 503.
#[utoipa::path(
    get,
    path = "/api/businesses/{business_id}/export",
    operation_id = "export_business",
    tag = "Businesses",
    params(("business_id" = BusinessId, Path, description = "Your own name for the business.")),
    responses(
        (
            status = 200,
            description = "The lines. The schema is that of one line.",
            body = ExportLine,
            content_type = "application/jsonl",
        ),
        UnknownBusiness,
    )
)]
pub async fn export(
    State(services): State<Services>,
    caller: Caller,
    Business(business_id): Business,
) -> Result<Response, ApiError> {
    let turn = services.exports.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded)?;
    if !services.within(store::erase::exists(&services.store, &business_id)).await? {
        return Err(ApiError::NotFound("business"));
    }
    let (next, counts) = (Next::Head, ExportCounts::default());
    let export = Export { services, caller, business_id, next, counts, _turn: turn };
    let lines = Body::from_stream(stream::unfold(Some(export), Export::pages));
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)), BUFFERING], lines).into_response())
}

/// What comes next, with the last row that was sent.
enum Next {
    Head,
    Profile,
    Documents(DocumentId),
    Jobs(JobId),
    Generations(GenerationId),
    Verdicts(DateTime<Utc>, FeedbackId),
    Lessons,
    Learning,
    End,
    Nothing,
}

/// An export under way.
struct Export {
    services: Services,
    caller: Caller,
    business_id: BusinessId,
    next: Next,
    counts: ExportCounts,
    _turn: OwnedSemaphorePermit,
}

impl Export {
    /// The next page; `None` after the last one. A page that cannot be read ends the answer without its last line.
    async fn pages(export: Option<Self>) -> Option<(Result<Bytes, ApiError>, Option<Self>)> {
        let mut export = export?;
        if matches!(export.next, Next::Nothing) {
            return None;
        }
        match export.page().await {
            Ok(page) => Some((Ok(page), Some(export))),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "an export was cut off");
                Some((Err(error), None))
            }
        }
    }

    async fn page(&mut self) -> Result<Bytes, ApiError> {
        if self.services.closing.is_cancelled() {
            return Err(ApiError::Unavailable(None));
        }
        if self.caller.has_ended() {
            return Err(self.caller.no_longer());
        }
        let mut page = Page::default();
        self.next = match self.next {
            Next::Head => self.head(&mut page)?,
            Next::Profile => self.profile(&mut page).await?,
            Next::Documents(after) => self.document(&mut page, after).await?,
            Next::Jobs(after) => self.jobs(&mut page, after).await?,
            Next::Generations(after) => self.generations(&mut page, after).await?,
            Next::Verdicts(at, after) => self.verdicts(&mut page, (at, after)).await?,
            Next::Lessons => self.lessons(&mut page).await?,
            Next::Learning => self.learning(&mut page).await?,
            Next::End => {
                page.add(&ExportLine::End { counts: self.counts })?;
                Next::Nothing
            }
            Next::Nothing => Next::Nothing,
        };
        Ok(page.0.into())
    }

    fn head(&self, page: &mut Page) -> Result<Next, ApiError> {
        let business_id = self.business_id.clone();
        page.add(&ExportLine::Export { version: VERSION, business_id, exported_at: clock::now() })?;
        Ok(Next::Profile)
    }

    async fn profile(&mut self, page: &mut Page) -> Result<Next, ApiError> {
        let found = store::business::get(&self.services.store, &self.business_id);
        if let Some(profile) = self.services.within(found).await? {
            page.add(&ExportLine::Profile { profile })?;
            self.counts.profile += 1;
        }
        Ok(Next::Documents(DocumentId(Uuid::nil())))
    }

    async fn document(&mut self, page: &mut Page, after: DocumentId) -> Result<Next, ApiError> {
        let store = &self.services.store;
        let Some(document) = self.services.within(document::next(store, &self.business_id, after)).await? else {
            return Ok(Next::Jobs(JobId(Uuid::nil())));
        };
        let id = document.id;
        // `None` where it was deleted meanwhile.
        if let Some(content) = self.services.within(export::content(store, &self.business_id, id)).await? {
            let Content { text, file, passages } = content;
            let passage = |(heading_path, text)| ExportedPassage { heading_path, text };
            let passages = passages.into_iter().map(passage).collect();
            page.add(&ExportLine::Document { document, text, file, passages })?;
            self.counts.document += 1;
        }
        Ok(Next::Documents(id))
    }

    async fn jobs(&mut self, page: &mut Page, after: JobId) -> Result<Next, ApiError> {
        let found = export::jobs_after(&self.services.store, &self.business_id, after, JOBS);
        let mut next = Next::Generations(GenerationId(Uuid::nil()));
        for WholeJob { job, request } in self.services.within(found).await? {
            next = Next::Jobs(job.id);
            page.add(&ExportLine::Job { job: Box::new(JobBody::of(job, None)), request: ExportedRequest(request) })?;
            self.counts.job += 1;
        }
        Ok(next)
    }

    async fn generations(&mut self, page: &mut Page, after: GenerationId) -> Result<Next, ApiError> {
        let found = generation::after(&self.services.store, &self.business_id, after, GENERATIONS);
        let mut next = Next::Verdicts(DateTime::UNIX_EPOCH, FeedbackId(Uuid::nil()));
        for generation in self.services.within(found).await? {
            next = Next::Generations(generation.generation_id);
            page.add(&ExportLine::Generation { generation: Box::new(generation) })?;
            self.counts.generation += 1;
        }
        Ok(next)
    }

    async fn verdicts(&mut self, page: &mut Page, after: (DateTime<Utc>, FeedbackId)) -> Result<Next, ApiError> {
        let found = export::verdicts_after(&self.services.store, &self.business_id, after, VERDICTS);
        let mut next = Next::Lessons;
        for verdict in self.services.within(found).await? {
            next = Next::Verdicts(verdict.created_at, verdict.feedback_id);
            page.add(&shown(verdict))?;
            self.counts.feedback += 1;
        }
        Ok(next)
    }

    async fn lessons(&mut self, page: &mut Page) -> Result<Next, ApiError> {
        let used = store::learning::lessons(&self.services.store, &self.business_id);
        let used = self.services.within(used).await?;
        for lesson in lessons::shown(&self.services, &self.business_id, used).await? {
            page.add(&ExportLine::Lesson { lesson: Box::new(lesson) })?;
            self.counts.lesson += 1;
        }
        Ok(Next::Learning)
    }

    async fn learning(&mut self, page: &mut Page) -> Result<Next, ApiError> {
        let learning = Box::new(learning::answer(&self.services, &self.business_id, None).await?);
        page.add(&ExportLine::Learning { learning })?;
        self.counts.learning += 1;
        Ok(Next::End)
    }
}

/// Lines that are sent together.
#[derive(Default)]
struct Page(Vec<u8>);

impl Page {
    fn add(&mut self, line: &ExportLine) -> Result<(), ApiError> {
        serde_json::to_writer(&mut self.0, line).map_err(|error| ApiError::Internal(error.into()))?;
        self.0.push(b'\n');
        Ok(())
    }
}

/// A verdict as clients see it.
fn shown(verdict: GivenVerdict) -> ExportLine {
    let feedback = Feedback {
        feedback_id: verdict.feedback_id,
        human_approved: verdict.human_approved,
        human_score: verdict.human_score,
        human_feedback: verdict.human_feedback,
        rater: verdict.rater,
        effort: verdict.effort,
        created_at: verdict.created_at,
    };
    ExportLine::Feedback { generation_id: verdict.generation_id, feedback, edited_content: verdict.edited_content }
}
