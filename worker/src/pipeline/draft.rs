//! The first text. Where no model writes it and the job has no other chance, it is composed from the
//! passages.

use copydesk_common::clock;
use copydesk_domain::generation::Degradation;
use copydesk_domain::stage::Stage;
use copydesk_editorial::format::Spec;
use copydesk_editorial::format::fallback::Material;
use copydesk_editorial::text::clip::one_line;
use copydesk_editorial::text::markup;
use copydesk_words::unicode;
use serde::{Deserialize, Serialize};

use super::calls::Calls;
use super::error::StageError;
use super::plan::Outline;
use super::prompt::Task;
use super::reading::Read;
use super::{passage, writing};
use crate::provider::chain::AnsweredBy;

/// The longest topic and title in a composed text, in characters: both stand in single lines.
const MAX_TOPIC_CHARS: usize = 100;

/// A first text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The text, in Markdown.
    pub text: String,
    /// Whether no model wrote it: it was composed from passages by template.
    pub is_template: bool,
    /// Whether the model refused to write it, or its provider's filter stopped it.
    #[serde(default)]
    pub is_refused: bool,
    /// Who wrote it; `None` where no model did.
    #[serde(default)]
    pub by: Option<AnsweredBy>,
    /// Its plan, where that came with it.
    #[serde(default)]
    pub plan: Option<Outline>,
}

/// Writes the text.
pub async fn run(calls: &Calls, task: &Task<'_>) -> Result<Draft, StageError> {
    match writing::write(calls, Stage::Draft, task).await {
        Ok((Read { text, plan }, by)) => {
            let plan = plan.and_then(|lines| Outline::of_lines(&lines, task));
            Ok(Draft { text, is_template: false, is_refused: false, by: Some(by), plan })
        }
        Err(error) if calls.must_fall_back(&error) && !calls.allows_fallback() => {
            Err(StageError::NoFallback(Box::new(error)))
        }
        Err(error) if calls.must_fall_back(&error) => {
            Calls::note_fallback(Stage::Draft, Some(Degradation::FallbackWriter), Some(&error));
            Ok(Draft {
                text: composed(task),
                is_template: true,
                is_refused: matches!(error, StageError::ContentRefused),
                by: None,
                plan: None,
            })
        }
        Err(error) => Err(error),
    }
}

/// The text without a model: sentences of the passages in the format's shape.
fn composed(task: &Task<'_>) -> String {
    let brief = task.brief;
    let business = one_line(&brief.business_name, MAX_TOPIC_CHARS);
    let title = one_line(&brief.topic, MAX_TOPIC_CHARS);
    // Its title and headings are not the outline's: sentences that were written for no outline keep none of its promises.
    let material = Material {
        title: if title.is_empty() { business.clone() } else { title },
        audience: brief.audience.as_deref(),
        facts: passage::facts(task),
        today: clock::now(),
        business,
    };
    // What passages say is as strange as what models say.
    let text = Spec::of(brief.format).compose(&material);
    markup::clean(&unicode::clean(&text), &task.own_addresses())
}
