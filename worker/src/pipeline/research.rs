//! Passages from the web. A text can do without: whatever fails but a full quota, it goes on.

use std::collections::HashSet;

use copydesk_common::quota::ProviderName;
use copydesk_domain::generation::Degradation;
use copydesk_domain::stage::Stage;
use copydesk_editorial::text::clip::clip;
use copydesk_editorial::text::clip::one_line;
use copydesk_editorial::text::instruction;
use serde::{Deserialize, Serialize};

use super::brief::Brief;
use super::calls::Calls;
use super::error::StageError;
use crate::provider::ProviderError;
use crate::provider::search::MAX_QUERY_CHARS;
use crate::provider::web_page::WebPage;

/// Passages that are kept.
const MAX_PASSAGES: usize = 5;
/// A passage's length, in characters.
const MAX_PASSAGE_CHARS: usize = 1_200;
/// A shorter text says nothing, in characters.
const MIN_PASSAGE_CHARS: usize = 40;
/// The longest title, in characters.
const MAX_TITLE_CHARS: usize = 200;
/// How much of the business's description goes into a query, in characters.
const DESCRIPTION_CHARS: usize = 100;
/// From this length on a text is worth a second search, in words.
const LONG_WORDS: u16 = 500;

/// What the web says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Research {
    /// The passages, best first.
    pub passages: Vec<WebPassage>,
    /// Whether the web could not be searched.
    pub is_unavailable: bool,
}

/// A passage of a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebPassage {
    /// The page's title.
    pub title: String,
    /// Where it is.
    pub url: String,
    /// The passage.
    pub text: String,
    /// How well the search says that it fits.
    #[serde(default)]
    pub score: Option<f32>,
}

/// Searches the web for the topic.
pub async fn run(calls: &Calls, brief: &Brief) -> Result<Research, StageError> {
    if !calls.can_search() {
        return Ok(unavailable(None));
    }
    let mut found = Vec::new();
    for query in queries(brief) {
        if !found.is_empty() {
            match calls.search_further(&query, &brief.language).await {
                Ok(pages) => found.push(pages),
                // What was found is enough to go on with, and not worth being paid for again.
                Err(error) => {
                    tracing::info!(error = &error as &dyn std::error::Error, "a further search is done without");
                }
            }
            break;
        }
        match calls.search(&query, &brief.language).await {
            Ok(pages) => found.push(pages),
            Err(error) if is_worth_waiting(&error, calls.llm()) && !calls.must_fall_back(&error) => return Err(error),
            Err(error) => return Ok(unavailable(Some(&error))),
        }
    }
    Ok(Research { passages: passages(ranked(found)), is_unavailable: false })
}

/// A full window passes; a search that is down would hold the text up for nothing. Without its model the text
/// is held up in any case.
fn is_worth_waiting(error: &StageError, llm: &ProviderName) -> bool {
    match error {
        StageError::Provider(ProviderError::Throttled { .. } | ProviderError::QuotaUnavailable { .. }) => true,
        StageError::Provider(
            ProviderError::BreakerOpen { provider, .. } | ProviderError::OverBudget { provider, .. },
        ) => provider == llm,
        _ => false,
    }
}

fn unavailable(error: Option<&StageError>) -> Research {
    Calls::note_fallback(Stage::Research, Some(Degradation::ResearchUnavailable), error);
    Research { passages: Vec::new(), is_unavailable: true }
}

/// What is asked, each as one line: for a short text the topic, the keywords and a few words of what
/// the business does; for a long one the topic by itself and then in the business's light, where that
/// is another question.
fn queries(brief: &Brief) -> Vec<String> {
    let line = |parts: &[&str]| one_line(&parts.join(" "), MAX_QUERY_CHARS);
    let (topic, keywords) = (brief.topic.as_str(), brief.keywords.join(" "));
    let description = clip(&brief.description, DESCRIPTION_CHARS);
    if brief.words < LONG_WORDS || description.is_empty() {
        return vec![line(&[topic, &keywords, description])];
    }
    vec![line(&[topic, &keywords]), line(&[topic, description])]
}

/// The pages of several searches in one order: what more of them name, and earlier, goes first.
fn ranked(searches: Vec<Vec<WebPage>>) -> Vec<WebPage> {
    let votes = copydesk_knowledge::votes(searches.iter().map(|pages| pages.iter().map(|page| address(&page.url))));
    let mut pages: Vec<WebPage> = searches.into_iter().flatten().collect();
    // Stable: pages with as many votes keep the order of the searches.
    pages.sort_by(|a, b| votes[&address(&b.url)].total_cmp(&votes[&address(&a.url)]));
    pages
}

/// Each page and each text once, cut, without what speaks to a model instead of a reader, and only what
/// can be cited: a page with a web address.
fn passages(found: Vec<WebPage>) -> Vec<WebPassage> {
    let mut seen = HashSet::new();
    let cut = found.into_iter().filter_map(|page| {
        let text = instruction::removed(clip(page.content.trim(), MAX_PASSAGE_CHARS)).replace('\0', "");
        let is_web = page.url.starts_with("https://") || page.url.starts_with("http://");
        let fits = is_web && text.chars().count() >= MIN_PASSAGE_CHARS;
        let title = one_line(&page.title, MAX_TITLE_CHARS);
        let title = if title.is_empty() { page.url.clone() } else { title };
        fits.then_some(WebPassage { title, url: page.url.replace('\0', ""), text, score: page.score })
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
    use copydesk_domain::format::Format;

    use super::super::brief::tests::brief;
    use super::*;

    fn page(url: &str, content: &str) -> WebPage {
        WebPage { title: format!("Page\nof {url}"), url: url.into(), content: content.into(), score: None }
    }

    #[test]
    fn a_short_text_asks_once_and_a_long_one_twice() {
        assert_eq!(queries(&brief(Format::Ad)), ["AI in healthcare radiology Clinics for everyone."]);
        let blog = brief(Format::Blog);
        assert_eq!(queries(&blog), ["AI in healthcare radiology", "AI in healthcare Clinics for everyone."]);
        assert_eq!(queries(&Brief { description: String::new(), ..blog.clone() }), ["AI in healthcare radiology"]);
        for query in queries(&Brief { topic: "wörter \n".repeat(100), ..blog }) {
            assert!(query.chars().count() <= MAX_QUERY_CHARS && !query.contains('\n'), "{query}");
        }
    }

    #[test]
    fn what_two_searches_name_goes_first() {
        let url = |page: &str| format!("https://{page}.example");
        let pages = |names: &[&str]| names.iter().map(|name| page(&url(name), name)).collect::<Vec<_>>();
        let merged = ranked(vec![pages(&["a", "b", "c"]), pages(&["d", "b"])]);
        let order: Vec<_> = merged.iter().map(|page| page.content.as_str()).collect();
        assert_eq!(order, ["b", "b", "a", "d", "c"]);
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
