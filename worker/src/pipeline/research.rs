//! Passages from the web. A text can do without: whatever fails but a full quota, it goes on.

use std::collections::HashSet;

use copydesk_common::generation::Degradation;
use copydesk_common::stage::Stage;
use serde::{Deserialize, Serialize};

use super::brief::Brief;
use super::calls::{Calls, StageError};
use crate::format::fallback::one_line;
use crate::format::markdown::clip;
use crate::provider::ProviderError;
use crate::provider::tavily::{Found, MAX_QUERY_CHARS};

/// Passages that are kept.
const MAX_PASSAGES: usize = 5;
/// A passage's length, in characters.
const MAX_PASSAGE_CHARS: usize = 1_200;
/// A shorter text says nothing, in characters.
const MIN_PASSAGE_CHARS: usize = 40;
/// The longest title, in characters.
const MAX_TITLE_CHARS: usize = 200;
/// How much of the business's description goes into the query, in characters.
const DESCRIPTION_CHARS: usize = 100;

/// What the web says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Research {
    /// The passages, best first.
    pub passages: Vec<WebPassage>,
    /// Whether the web could not be searched.
    pub is_unavailable: bool,
}

/// A passage of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebPassage {
    /// The page's title.
    pub title: String,
    /// Where it is.
    pub url: String,
    /// The passage.
    pub text: String,
}

/// Searches the web for the topic.
pub async fn run(calls: &Calls, brief: &Brief) -> Result<Research, StageError> {
    if !calls.can_search() {
        return Ok(unavailable(None));
    }
    match calls.search(&query(brief)).await {
        Ok(found) => Ok(Research { passages: passages(found), is_unavailable: false }),
        Err(error) if is_worth_waiting(&error) && !calls.must_fall_back(&error) => Err(error),
        Err(error) => Ok(unavailable(Some(&error))),
    }
}

/// A full window passes; a search that is down would hold the text up for nothing.
fn is_worth_waiting(error: &StageError) -> bool {
    matches!(error, StageError::Provider(ProviderError::Throttled { .. } | ProviderError::QuotaUnavailable { .. }))
}

fn unavailable(error: Option<&StageError>) -> Research {
    Calls::note_fallback(Stage::Research, Some(Degradation::ResearchUnavailable), error);
    Research { passages: Vec::new(), is_unavailable: true }
}

/// The topic, the keywords, and a few words of what the business does, as one line.
fn query(brief: &Brief) -> String {
    let description = clip(&brief.description, DESCRIPTION_CHARS);
    let parts = [brief.topic.as_str(), &brief.keywords.join(" "), description];
    one_line(&parts.join(" "), MAX_QUERY_CHARS)
}

/// Each page and each text once, cut, and only what can be cited: a page with a web address.
fn passages(found: Vec<Found>) -> Vec<WebPassage> {
    let mut seen = HashSet::new();
    let cut = found.into_iter().filter_map(|page| {
        let text = clip(page.content.trim(), MAX_PASSAGE_CHARS).replace('\0', "");
        let is_web = page.url.starts_with("https://") || page.url.starts_with("http://");
        let fits = is_web && text.chars().count() >= MIN_PASSAGE_CHARS;
        let title = one_line(&page.title, MAX_TITLE_CHARS);
        let title = if title.is_empty() { page.url.clone() } else { title };
        fits.then_some(WebPassage { title, url: page.url.replace('\0', ""), text })
    });
    cut.filter(|passage| seen.insert(address(&passage.url)) && seen.insert(normal(&passage.text)))
        .take(MAX_PASSAGES)
        .collect()
}

/// An address without what does not change the page.
fn address(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split('#').next().unwrap_or_default();
    rest.trim_start_matches("www.").trim_end_matches('/').to_lowercase()
}

fn normal(text: &str) -> String {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use copydesk_common::generation::Format;

    use super::super::brief::tests::brief;
    use super::*;

    fn page(url: &str, content: &str) -> Found {
        Found { title: format!("Page\nof {url}"), url: url.into(), content: content.into() }
    }

    #[test]
    fn the_query_is_one_bounded_line() {
        assert_eq!(query(&brief(Format::Blog)), "AI in healthcare radiology Clinics for everyone.");
        let long = Brief { topic: "wörter \n".repeat(100), ..brief(Format::Blog) };
        let query = query(&long);
        assert!(query.chars().count() <= MAX_QUERY_CHARS && !query.contains('\n'), "{query}");
    }

    #[test]
    fn results_are_kept_once_cut_and_citable() {
        let text = "A passage that is long enough to say something of use.";
        let found = vec![
            page("https://www.a.example/x/", text),
            page("http://a.example/x#part", "The same page as before, with another text in it."),
            page("https://b.example", &text.to_uppercase()),
            page("javascript:alert(1)", "Not on the web, whatever it says about it, and long."),
            page("https://c.example", "short"),
            page("https://d.example", &"A sentence of some length. ".repeat(100)),
        ];
        let passages = passages(found);
        let urls: Vec<_> = passages.iter().map(|passage| passage.url.as_str()).collect();
        assert_eq!(urls, ["https://www.a.example/x/", "https://d.example"]);
        assert_eq!(passages[0].title, "Page of https://www.a.example/x/");
        assert!(passages[1].text.len() <= MAX_PASSAGE_CHARS && passages[1].text.ends_with('.'));
    }

    #[test]
    fn no_more_than_the_best_are_kept() {
        let found = (0..9).map(|n| {
            page(&format!("https://{n}.example"), &format!("Passage number {n} says something else than others."))
        });
        assert_eq!(passages(found.collect()).len(), MAX_PASSAGES);
    }
}
