//! `/api/learning/lessons/{business_id}`: what was learned from people, and its correction by hand.

use axum::Json;
use axum::extract::State;
use copydesk_common::clock;
use copydesk_common::store;
use copydesk_common::store::learning::Used;
use copydesk_domain::business::BusinessId;
use copydesk_domain::format::Format;
use copydesk_domain::lesson::{Escalation, Lesson, LessonId, LessonStatus, Rule, StatusByHand};
use copydesk_editorial::lesson;
use copydesk_learning::choice;
use copydesk_learning::log::Action;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::audit::Audit;
use crate::error::ApiError;
use crate::extract::{Body, Business, Id, Parameters, RequestBody};
use crate::page;
use crate::state::Services;
use crate::validate::{self, chars, number};

/// The longest text of a lesson, in characters.
const MAX_TEXT_CHARS: usize = 300;

/// What was learned from people.
///
/// Lessons that count come first, then the others; each with the verdicts that ask for it, why it counts or not, and how
/// often texts followed it.
#[utoipa::path(
    get,
    path = "/api/learning/lessons/{business_id}",
    operation_id = "list_lessons",
    tag = "Learning",
    params(("business_id" = BusinessId, Path, description = "Your own name for the business."), LessonsQuery),
    responses((status = 200, description = "The lessons.", body = LessonPage))
)]
pub async fn list(
    State(services): State<Services>,
    Business(business_id): Business,
    Parameters(query): Parameters<LessonsQuery>,
) -> Result<Json<LessonPage>, ApiError> {
    let used = services.within(store::learning::lessons(&services.store, &business_id)).await?;
    let mut data = shown(&services, &business_id, used).await?;
    let is_of = |lesson: &Lesson| {
        query.content_type.is_none_or(|of| lesson.content_type.is_none_or(|its| its == of))
            && query.status.is_none_or(|status| status == lesson.status)
    };
    data.retain(|told| is_of(&told.lesson));
    data.sort_by_key(|told| Place::of(&told.lesson));
    let at = query.cursor.map_or(0, |last| data.partition_point(|told| Place::of(&told.lesson) <= last));
    let (data, next_cursor) = page::cut(data.split_off(at), page::limit(query.limit), |last| Place::of(&last.lesson));
    Ok(Json(LessonPage { data, next_cursor }))
}

/// Filters of lessons.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LessonsQuery {
    /// Only lessons that hold for one format, by slug or name.
    #[garde(skip)]
    #[param(value_type = Option<String>, example = "blog")]
    content_type: Option<Format>,
    /// Only lessons of this status.
    #[garde(skip)]
    status: Option<LessonStatus>,
    /// Lessons on a page.
    #[garde(inner(custom(number(1..=200))))]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    cursor: Option<Place>,
}

/// A lesson's place in the list: those that do not count come last, then by status and id. It holds as a cursor also where
/// the lesson is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(into = "String", try_from = "String")]
#[schema(
    value_type = String,
    pattern = "^(candidate|active|conflicted|retired|pinned)\\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    example = "active.01995b7e-5a30-8f3e-9c41-6f0f6c1d2e3a"
)]
pub struct Place((bool, LessonStatus, LessonId));

impl Place {
    const fn of(lesson: &Lesson) -> Self {
        Self::new(lesson.status, lesson.lesson_id)
    }

    const fn new(status: LessonStatus, id: LessonId) -> Self {
        Self((!matches!(status, LessonStatus::Pinned | LessonStatus::Active), status, id))
    }
}

impl From<Place> for String {
    fn from(Place((_, status, id)): Place) -> Self {
        format!("{status}.{id}")
    }
}

/// The text is no [`Place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the next_cursor of a page before")]
pub struct NoPlace;

impl TryFrom<String> for Place {
    type Error = NoPlace;

    fn try_from(text: String) -> Result<Self, NoPlace> {
        let (status, id) = text.split_once('.').ok_or(NoPlace)?;
        let place = Self::new(status.parse().map_err(|_| NoPlace)?, id.parse().map_err(|_| NoPlace)?);
        // Ids have other forms, which the reference does not name.
        if String::from(place) == text { Ok(place) } else { Err(NoPlace) }
    }
}

/// The lessons.
#[derive(Debug, Serialize, ToSchema)]
pub struct LessonPage {
    /// The lessons.
    data: Vec<ToldLesson>,
    /// Where the next page begins; null on the last.
    #[schema(required = true)]
    next_cursor: Option<Place>,
}

/// A lesson, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToldLesson {
    /// The lesson.
    #[serde(flatten)]
    pub lesson: Lesson,
    /// Texts whose writer was given it.
    applied: u64,
    /// Those that follow it.
    followed: u64,
    /// Those that do not; of the rest no code can tell.
    unfollowed: u64,
    /// Where the writer is told it by now, since the last texts did not follow it.
    escalation: Escalation,
    /// What texts were like with it and without it, of those that were written to tell; null where there are none.
    #[schema(required = true)]
    effect: Option<store::learning::replay::Effect>,
}

/// The lessons with all that is known of them now.
pub async fn shown(
    services: &Services,
    business_id: &BusinessId,
    used: Vec<Used>,
) -> Result<Vec<ToldLesson>, ApiError> {
    let now = clock::now();
    let lessons: Vec<Lesson> = used.iter().map(|used| used.known.at(now)).collect();
    let store = &services.store;
    let last = services.within(store::learning::last_uses(store, business_id, &lessons)).await?;
    let mut effects = services.within(store::learning::replay::effects(store, business_id)).await?;
    let told = |(used, lesson): (Used, Lesson)| ToldLesson {
        applied: used.applied,
        followed: used.followed,
        unfollowed: used.unfollowed,
        escalation: last.get(&lesson.lesson_id).map_or(Escalation::None, |last| choice::escalation(last)),
        effect: effects.remove(&lesson.lesson_id),
        lesson,
    };
    Ok(used.into_iter().zip(lessons).map(told).collect())
}

/// Correct a lesson by hand.
///
/// A pinned lesson counts whatever else is said; a retired one does not. `"status": "active"` takes either back: it counts
/// by what people say. A new text is what the writer is told from then on; where it says something that code can check,
/// texts are checked against it.
#[utoipa::path(
    patch,
    path = "/api/learning/lessons/{business_id}/{id}",
    operation_id = "change_lesson",
    tag = "Learning",
    params(
        ("business_id" = BusinessId, Path, description = "Your own name for the business."),
        ("id" = LessonId, Path, description = "The lesson."),
    ),
    request_body = LessonChange,
    responses((status = 200, description = "The lesson as it is now.", body = ToldLesson))
)]
pub async fn patch(
    State(services): State<Services>,
    audit: Audit,
    Business(business_id): Business,
    Id(id): Id<LessonId>,
    Body(change): Body<LessonChange>,
) -> Result<Json<ToldLesson>, ApiError> {
    let actions = change.actions()?;
    let audited =
        audit.change_of("lessons.change", &business_id, format_args!("/lessons/{id}")).after(change.told()).store();
    let changed = store::learning::change(&audited, &business_id, id, &actions, clock::now());
    if !services.within(changed).await? {
        return Err(ApiError::NotFound("lesson"));
    }
    one(&services, &business_id, id).await.map(Json)
}

/// A lesson of the business.
pub async fn one(services: &Services, business_id: &BusinessId, id: LessonId) -> Result<ToldLesson, ApiError> {
    let mut used = services.within(store::learning::lessons(&services.store, business_id)).await?;
    used.retain(|used| used.known.lesson.lesson_id == id);
    shown(services, business_id, used).await?.pop().ok_or(ApiError::NotFound("lesson"))
}

/// What changes of a lesson: at least one of the two.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = <LessonChange as RequestBody>::example)]
pub struct LessonChange {
    /// Whether it counts.
    #[garde(skip)]
    status: Option<StatusByHand>,
    /// What the writer is told.
    #[garde(inner(custom(chars(1..=MAX_TEXT_CHARS))))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(min_length = 1, max_length = 300)]
    text: Option<String>,
}

impl RequestBody for LessonChange {
    fn example() -> Value {
        json!({ "status": "pinned", "text": "Never use \"leverage\"." })
    }
}

impl LessonChange {
    fn actions(&self) -> Result<Vec<Action>, ApiError> {
        let status = self.status.map(|status| match status {
            StatusByHand::Pinned => Action::Pin { lesson: None },
            StatusByHand::Active => Action::Release,
            StatusByHand::Retired => Action::Retire,
        });
        // A lesson is a line of a prompt.
        let text = self.text.as_ref().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        let edit = text.map(|text| Action::Edit { rule: rule(&text), text });
        let actions: Vec<Action> = edit.into_iter().chain(status).collect();
        if actions.is_empty() { Err(ApiError::invalid("", "must have status or text")) } else { Ok(actions) }
    }

    /// What the audit log says: no text.
    fn told(&self) -> Value {
        json!({ "status": self.status, "text_chars": self.text.as_ref().map(|text| text.chars().count()) })
    }
}

/// What code checks of a text that people worded: only where all of it is one rule.
fn rule(text: &str) -> Option<Rule> {
    let nothing = lesson::Judged { text: "", language: "en", format: Format::Blog };
    let mut read = lesson::of_comment(text, &nothing);
    let is_one = read.rules.len() == 1 && read.unread.is_empty();
    read.rules.pop().filter(|_| is_one)
}

/// How many lessons there are of each status, and how texts followed those that count.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct LessonCounts {
    /// Said once.
    candidate: u64,
    /// They count.
    active: u64,
    /// They count by hand.
    pinned: u64,
    /// As many people ask for the opposite.
    conflicted: u64,
    /// They no longer count.
    retired: u64,
    /// How often a text was written with one of them, whatever became of the lesson since.
    applied: u64,
    /// Of these, those that follow it.
    followed: u64,
    /// Of these, those that do not.
    unfollowed: u64,
}

/// The counts of lessons that hold for a format, or of all.
pub fn counts(lessons: &[Used], of: Option<Format>) -> LessonCounts {
    let mut counts = LessonCounts::default();
    let now = clock::now();
    for used in lessons {
        let lesson = used.known.at(now);
        if of.is_some() && lesson.content_type.is_some() && lesson.content_type != of {
            continue;
        }
        *match lesson.status {
            LessonStatus::Candidate => &mut counts.candidate,
            LessonStatus::Active => &mut counts.active,
            LessonStatus::Pinned => &mut counts.pinned,
            LessonStatus::Conflicted => &mut counts.conflicted,
            LessonStatus::Retired => &mut counts.retired,
        } += 1;
        counts.applied += used.applied;
        counts.followed += used.followed;
        counts.unfollowed += used.unfollowed;
    }
    counts
}
