//! The numbered passages that a text may cite: the business's own first, then the web's. Numbered
//! once, from stored outputs, so that a job that goes on elsewhere counts the same.

use copydesk_domain::generation::{Source, SourceKind};
use copydesk_domain::id::DocumentId;
use copydesk_editorial::format::fallback::{self, Business, Fact};
use copydesk_editorial::text::clip::clip;
use copydesk_editorial::text::language;
use serde::{Deserialize, Serialize};

use super::knowledge::Recalled;
use super::prompt::Task;
use super::research::Research;

/// How much of a passage a source quotes, in characters.
const QUOTE_CHARS: usize = 300;

/// A numbered passage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// The number by which it is cited.
    pub n: u16,
    /// Where it comes from.
    pub kind: SourceKind,
    /// The page's or document's title, with the heading path.
    pub title: String,
    /// Where it can be read.
    pub url: Option<String>,
    /// The document, for `kb`.
    pub document_id: Option<DocumentId>,
    /// Its place in the document, for `kb`.
    pub chunk: Option<i32>,
    /// The text.
    pub text: String,
    /// Whether its document speaks of other companies: its facts may be theirs.
    #[serde(default)]
    pub is_about_others: bool,
}

impl Passage {
    /// What it is a part of: a document, or a page of its own.
    fn document(&self) -> (Option<DocumentId>, Option<&str>) {
        (self.document_id, if self.document_id.is_some() { None } else { self.url.as_deref() })
    }

    /// As a cited source, under the number that it has in the finished text.
    /// `quote` is what of it supports the text; its beginning where that is empty.
    pub fn source(&self, n: u16, quote: &str) -> Source {
        let quote = if quote.is_empty() { &self.text } else { quote };
        Source {
            n,
            kind: self.kind,
            title: self.title.clone(),
            url: self.url.clone(),
            document_id: self.document_id,
            chunk: self.chunk,
            quote: clip(quote, QUOTE_CHARS).to_owned(),
        }
    }
}

/// Numbers what the stages found, from 1.
pub fn numbered(knowledge: &Recalled, research: &Research) -> Vec<Passage> {
    let own = knowledge.passages.iter().map(|found| Passage {
        n: 0,
        kind: SourceKind::Knowledge,
        title: found.heading_path.clone(),
        url: found.url.clone(),
        document_id: Some(found.document_id),
        chunk: Some(found.ordinal),
        text: found.text.clone(),
        is_about_others: found.is_about_others,
    });
    let web = research.passages.iter().map(|found| Passage {
        n: 0,
        kind: SourceKind::Web,
        title: found.title.clone(),
        url: Some(found.url.clone()),
        document_id: None,
        chunk: None,
        text: found.text.clone(),
        is_about_others: false,
    });
    (1..).zip(own.chain(web)).map(|(n, passage)| Passage { n, ..passage }).collect()
}

/// Sentences for a text that is composed without a model: from the business's own passages alone where there are any,
/// since nobody checks what the web says. Those of one document stand together, in its order.
pub fn facts(task: &Task<'_>) -> Vec<Fact> {
    let (passages, brief) = (task.passages, task.brief);
    let has_own = passages.iter().any(|passage| passage.kind == SourceKind::Knowledge);
    let mut trusted: Vec<&Passage> =
        passages.iter().filter(|passage| !has_own || passage.kind == SourceKind::Knowledge).collect();
    let best = |passage: &Passage| passages.iter().position(|other| other.document() == passage.document());
    trusted.sort_by_key(|passage| (best(passage), passage.chunk, passage.n));
    let material = trusted.into_iter().map(|passage| fallback::Passage {
        n: passage.n,
        title: &passage.title,
        text: &passage.text,
        is_about_others: passage.is_about_others,
    });
    // Nobody translates it.
    let description = match language::other_than(&brief.language, &brief.description) {
        None => brief.description.as_str(),
        Some(_) => "",
    };
    let business = Business { name: &brief.business_name, description, others: task.others };
    fallback::facts(material, business, &brief.topic)
}
