//! `/api/jobs/{id}/events`: a job's events as server-sent events, until it ends. The first events
//! give the current state, so that a client that connects late or again misses nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use copydesk_common::draft::{self, Cursor, Piece};
use copydesk_common::follow::Following;
use copydesk_common::notify::Subscription;
use copydesk_common::store::job::text;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, JobStatus, Progress};
use copydesk_domain::stage::Stage;
use futures_util::stream;
use serde::Serialize;
use tokio::time::{sleep, timeout};
use utoipa::ToSchema;

use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::Id;
use crate::outlook;
use crate::read::Standing;
use crate::representation::{JobBody, Whereabouts};
use crate::route::job;
use crate::state::Services;

/// A comment is sent after this long without an event, so that proxies keep the connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client waits before it reconnects.
const RECONNECT_AFTER: Duration = Duration::from_secs(2);
/// The shortest interval between reads, however many hints come.
const PACE: Duration = Duration::from_millis(50);
/// The time-out of reading a draft; after it, the next read gets the pieces.
const DRAFT_TIMEOUT: Duration = Duration::from_millis(500);
/// The id of the last event: a client that sends it has seen everything.
const END: &str = "end";
/// The position where a client left off.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx not to buffer the answer.
pub(super) const BUFFERING: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// A piece of a text that is being written.
#[derive(Debug, Serialize, ToSchema)]
pub struct Token {
    /// `draft` or `edit`; `revise` in jobs that an earlier release began.
    stage: &'static str,
    /// The version of the text: 0 for the draft, and one more for each round of edits.
    round: u16,
    /// Whether a new text begins here: earlier pieces are void.
    reset: bool,
    /// The piece, to be appended to those before it: some words of Markdown.
    text: String,
}

/// The events of a job: the data of each, by the event's name. On the wire it is JSON on one line.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the stream's shape for the reference; events are written one by one")]
pub struct JobEvents {
    /// Its state and position.
    #[schema(required = false)]
    status: Whereabouts,
    /// Its stage.
    #[schema(required = false)]
    progress: Progress,
    /// A piece of the text that is being written.
    #[schema(required = false)]
    token: Token,
    /// The text that takes the place of a withdrawn one.
    #[schema(required = false)]
    revised: Token,
    /// The job once it has ended, as in `GET /api/jobs/{id}`. The last event.
    #[schema(required = false)]
    done: JobBody,
}

/// Follow a job.
///
/// Server-sent events until the job ends: `status` (its state and position), `progress` (its
/// stage), `token` (a piece of the text that is being written), `revised` (the text that takes the place
/// of a withdrawn one) and, last, `done` with the job as in `GET /api/jobs/{id}`. The first events give the current state. A broken connection is resumed
/// with `Last-Event-ID`, as browsers do automatically: pieces that were seen are not sent again.
/// After `done`, close the connection. A client that reconnects with the id of `done` gets 204,
/// which stops a browser from reconnecting.
///
/// Pieces are a draft. They are checked only for what must not be shown (refusals, repeated
/// instructions, markup, foreign links); citations are not checked, and reviews may change
/// everything. A piece with `reset: true` starts a new text; where its `text` is empty, what was seen
/// is withdrawn, and `token` or `revised` brings another text before `done`. Pieces are sent only while the job is
/// followed: a text that was begun before is sent whole, once it is written.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/events",
    operation_id = "follow_job",
    tag = "Jobs",
    params(
        ("id" = JobId, Path, description = "The job."),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was seen."),
        ("ticket" = Option<String>, Query, description = "A ticket for this job, in place of a key: `POST /api/jobs/{id}/ticket`."),
    ),
    responses(
        (
            status = 200,
            description = "Events, as `text/event-stream`. The schema has the data of each event by the event's name: \
                           a property is what an event of that name has as its `data`, as JSON on one line.",
            body = JobEvents,
            content_type = "text/event-stream",
        ),
        (status = 204, description = "The job has ended, and the client has seen that."),
    )
)]
pub async fn events(
    State(services): State<Services>,
    caller: Caller,
    Id(id): Id<JobId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    // Subscribes before the first read, so that no later change is missed.
    let hints = services.listener.subscribe(id);
    let standing = job::look(&services, &caller, id).await?;
    let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    if last == END && standing.body.status.is_final() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let following = services.followers.follow(id);
    let follower = Follower {
        id,
        caller,
        hints,
        _following: following,
        seen: Seen::of(last),
        told: Told::default(),
        standing: Some(standing),
        pending: VecDeque::from([Event::default().retry(RECONNECT_AFTER)]),
        is_done: false,
        services,
    };
    let events = Sse::new(stream::unfold(follower, Follower::next)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(([BUFFERING], events).into_response())
}

/// What was sent last: nothing is sent twice.
#[derive(Debug, Default)]
struct Told {
    whereabouts: Option<Whereabouts>,
    progress: Option<Progress>,
}

/// What a client has seen of the text. It is encoded in the ids of events: `cursor` or
/// `cursor.round`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    /// The position in the draft.
    cursor: Cursor,
    /// The round of the text that was seen; `None` for no text.
    round: Option<u16>,
}

impl Seen {
    /// Whether a text was seen, and taken back since.
    fn is_withdrawn(self) -> bool {
        self.round.is_none() && self.cursor != Cursor::default()
    }

    /// Nothing seen if the id is invalid.
    fn of(id: &str) -> Self {
        let (cursor, round) = id.split_once('.').unwrap_or((id, ""));
        cursor.parse().map(|cursor| Self { cursor, round: round.parse().ok() }).unwrap_or_default()
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cursor.fmt(f)?;
        self.round.map_or(Ok(()), |round| write!(f, ".{round}"))
    }
}

/// A client that follows a job.
struct Follower {
    services: Services,
    caller: Caller,
    id: JobId,
    hints: Subscription,
    _following: Following,
    seen: Seen,
    told: Told,
    /// The job, read but not sent yet.
    standing: Option<Arc<Standing>>,
    /// Events that wait to be sent.
    pending: VecDeque<Event>,
    is_done: bool,
}

impl Follower {
    /// Waits for the next event; `None` after the last one, or when this process shuts down: the
    /// client then reconnects to another process.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some((Ok(event), self));
            }
            if self.is_done || self.services.closing.is_cancelled() || self.caller.has_ended() {
                return None;
            }
            match self.standing.take() {
                Some(standing) => self.tell(&standing).await,
                None => self.look_again().await,
            }
        }
    }

    /// Waits for a hint or a short time, and reads the job. Failures are retried: a client could do
    /// nothing else.
    async fn look_again(&mut self) {
        let patience = job::look_again();
        tokio::select! {
            () = self.hints.changed() => sleep(PACE).await,
            () = sleep(patience) => {}
            () = self.services.closing.cancelled() => return,
            () = self.caller.ended() => return,
        }
        match job::look(&self.services, &self.caller, self.id).await {
            Ok(standing) => self.standing = Some(standing),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "a followed job was not read"),
        }
    }

    /// Makes events from what is new.
    async fn tell(&mut self, standing: &Standing) {
        let job = &standing.body;
        let outlook = outlook::of(&self.services, job).await.unwrap_or_default();
        let whereabouts = Whereabouts::of(job, outlook);
        let was_told = self.told.whereabouts.replace(whereabouts.clone());
        if was_told.as_ref() != Some(&whereabouts) {
            self.push("status", &whereabouts);
        }
        // A client that comes after the end needs no draft: the text is in the result. One that comes
        // back may have seen a text that was withdrawn.
        let came_late = was_told.is_none() && job.status.is_final() && !self.seen.is_withdrawn();
        let went_on = self.told.progress.as_ref() != Some(&job.progress);
        if job.kind == JobKind::Generate && !came_late {
            self.tell_draft(job).await;
            if went_on || job.status.is_final() {
                self.tell_finished_text(job).await;
            }
        }
        // Sent after the pieces of the stage before.
        if went_on {
            self.push("progress", &job.progress);
            self.told.progress = Some(job.progress.clone());
        }
        if job.status.is_final() {
            self.finish(standing);
        }
    }

    /// Sends the new pieces of the draft. Without Redis there are none.
    async fn tell_draft(&mut self, job: &JobBody) {
        let pieces = draft::read(&self.services.redis, &job.business_id, self.id, self.seen.cursor);
        let Ok(Ok(pieces)) = timeout(DRAFT_TIMEOUT, pieces).await else { return };
        for (at, piece) in pieces {
            self.seen.cursor = at;
            self.tell_piece("token", piece);
        }
    }

    /// The text that is being edited, where none of its pieces came: it was written before
    /// anybody followed, or without a model, or Redis lost it. Also the text in place of one that was
    /// withdrawn.
    async fn tell_finished_text(&mut self, job: &JobBody) {
        let is_withdrawn = self.seen.is_withdrawn();
        let has_text = match job.status {
            JobStatus::Succeeded => is_withdrawn,
            _ => [Stage::Edit, Stage::Review, Stage::Revise].iter().any(|stage| stage.as_str() == job.progress.stage),
        };
        if !has_text {
            return;
        }
        let found = text::latest(&self.services.store, &job.business_id, self.id);
        match self.services.within(found).await {
            Ok(Some(text)) if self.seen.round.is_none_or(|seen| seen < text.round) => {
                self.tell_piece(if is_withdrawn { "revised" } else { "token" }, text);
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "a followed text was not read"),
        }
    }

    fn tell_piece(&mut self, event: &'static str, piece: Piece) {
        let Piece { stage, round, reset, text } = piece;
        // A withdrawn text counts as not seen.
        self.seen.round = Some(round).filter(|_| !(reset && text.is_empty()));
        self.push(event, &Token { stage: stage.as_str(), round, reset, text });
    }

    fn finish(&mut self, standing: &Standing) {
        match standing.shown() {
            Ok(shown) => {
                self.pending.push_back(Event::default().event("done").id(END).data(shown.json()));
                self.is_done = true;
            }
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "a job cannot be shown"),
        }
    }

    fn push(&mut self, name: &str, data: &impl Serialize) {
        let event = Event::default().event(name).id(self.seen.to_string());
        match event.json_data(data) {
            Ok(event) => self.pending.push_back(event),
            Err(error) => tracing::error!(error = %error, "an event cannot be written"),
        }
    }
}
