//! The written pages: what a search finds where nothing may be invented. They ship with Copydesk under
//! `samples/web`, and are about the sample business's topics only: a search for anything else finds nothing.

use serde_json::{Value, json};

use super::{SearchRequest, Wanted, results};

/// A page as it is written: a front matter with its title, its address and its topics, then its text.
const PAGES: [&str; 10] = [
    include_str!("../../../samples/web/running-after-an-ankle-sprain.md"),
    include_str!("../../../samples/web/balance-after-an-ankle-sprain.md"),
    include_str!("../../../samples/web/first-days-of-an-ankle-sprain.md"),
    include_str!("../../../samples/web/knee-pain-in-runners.md"),
    include_str!("../../../samples/web/low-back-pain-and-activity.md"),
    include_str!("../../../samples/web/sitting-at-a-desk.md"),
    include_str!("../../../samples/web/shoulder-pain-and-exercise.md"),
    include_str!("../../../samples/web/after-a-joint-replacement.md"),
    include_str!("../../../samples/web/strength-in-later-life.md"),
    include_str!("../../../samples/web/first-visit-to-a-physiotherapist.md"),
];
/// Words of a query that must be among a page's topics: one alone is often in another sense.
const SHARED_WORDS: usize = 2;

struct Page {
    title: String,
    url: String,
    topics: Vec<String>,
    text: String,
}

/// The pages that a query is about, best first.
pub(super) fn find(request: &SearchRequest) -> Vec<Value> {
    let words = stems(&request.query);
    let mut found: Vec<(usize, Page)> =
        PAGES.iter().filter_map(|page| read(page)).map(|page| (page.shared(&words), page)).collect();
    let needed = SHARED_WORDS.min(words.len()).max(1);
    found.retain(|(shared, page)| *shared >= needed && request.allows(&page.url));
    found.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
    found.truncate(request.max_results.unwrap_or(super::RESULTS_DEFAULT));
    found.iter().map(|(shared, page)| page.result(*shared, words.len(), request)).collect()
}

fn read(page: &str) -> Option<Page> {
    let (matter, text) = page.strip_prefix("---\n")?.split_once("\n---\n")?;
    let field =
        |name: &str| matter.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
    let paragraphs = text.trim().split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    Some(Page {
        title: field("title:")?,
        url: field("url:")?,
        topics: stems(&field("topics:")?),
        text: paragraphs.collect::<Vec<_>>().join("\n\n"),
    })
}

impl Page {
    fn shared(&self, words: &[String]) -> usize {
        words.iter().filter(|word| self.topics.contains(word)).count()
    }

    fn result(&self, shared: usize, words: usize, request: &SearchRequest) -> Value {
        let raw = Wanted::is_wanted(request.include_raw_content.as_ref())
            .then(|| format!("# {}\n\n{}", self.title, self.text));
        json!({ "title": self.title, "url": self.url, "content": self.text, "score": score(shared, words), "raw_content": raw })
    }
}

/// How much of the query a page is about, from a half to one.
fn score(shared: usize, words: usize) -> f64 {
    let of = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let share = of(shared) / of(words.max(1));
    (50.0 + share * 50.0).round() / 100.0
}

/// The telling words of a text, without their endings, each once.
fn stems(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase);
    let mut stems: Vec<String> = words
        .filter(|word| !results::STOP_WORDS.contains(&word.as_str()))
        .map(|word| word.strip_suffix('s').filter(|stem| stem.len() > 2).unwrap_or(&word).to_owned())
        .collect();
    stems.sort();
    stems.dedup();
    stems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(query: &str) -> Vec<String> {
        let request =
            serde_json::from_value(json!({ "query": query, "max_results": 8 })).unwrap_or_else(|e| panic!("{e}"));
        find(&request).iter().map(|page| page["title"].as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn every_page_is_read_and_short_enough_to_be_shown_whole() {
        for page in PAGES {
            let page = read(page).unwrap_or_else(|| panic!("{page}"));
            assert!(page.title.ends_with('?') && page.url.contains(".example/"), "{}", page.title);
            assert!(page.text.chars().count() <= 1_200 && page.text.contains("\n\n"), "{}", page.title);
        }
    }

    #[test]
    fn only_what_a_query_is_about_is_found_best_first() {
        let found = titles("Getting back to running after an ankle sprain");
        assert_eq!(found[0], "When can I run again after an ankle sprain?", "{found:?}");
        assert!(found.len() >= 3 && !found.iter().any(|title| title.contains("shoulder")), "{found:?}");
        assert_eq!(titles("low back pain")[0], "Is it safe to move with low back pain?");
        for unknown in ["AI in Healthcare", "lighthouses of the north", "?"] {
            assert!(titles(unknown).is_empty(), "{unknown}");
        }
    }
}
