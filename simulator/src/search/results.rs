//! What a search finds: pages composed from the query's own words. They assert nothing that could be
//! mistaken for a fact about the world: no figures, no names.

use rand::RngExt;
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use super::{SearchRequest, Wanted, pages};
use crate::seed::Rng;

const TITLES: [&str; 10] = [
    "{T}: a practical guide",
    "What to know about {t}",
    "{T} explained step by step",
    "{T}: questions and answers",
    "How teams approach {t}",
    "{T} in everyday practice",
    "Getting started with {t}",
    "{T}: common mistakes and how to avoid them",
    "A closer look at {t}",
    "{T}: what the experts recommend",
];
const HOSTS: [&str; 10] = [
    "fieldnotes",
    "practice-review",
    "openguide",
    "handbook",
    "weekly-brief",
    "insight-desk",
    "knowledge-base",
    "plain-facts",
    "trade-journal",
    "the-almanac",
];
/// `{t}` is the topic, `{a}` and `{b}` are two of its words.
const SENTENCES: [&str; 20] = [
    "Most guides to {t} begin with a clear definition of the goal and of the people it serves.",
    "Work on {a} goes better when responsibilities are written down before anything is bought.",
    "Reviewers of {t} agree that small pilots reveal problems that plans do not show.",
    "The link between {a} and {b} is often underestimated at the start of a project.",
    "Those who already work with {t} advise newcomers to keep the first version simple.",
    "A regular review of {a} keeps costs visible and avoids surprises late in the year.",
    "Good documentation makes {b} easier to hand over when people change roles.",
    "Experts on {t} recommend measuring a few things well instead of many things badly.",
    "Clear communication about {a} builds trust with customers and with colleagues.",
    "Training is part of the cost of {t} and deserves a place in every budget.",
    "Questions of privacy and safety should be settled before {a} reaches its first user.",
    "Many teams compare several approaches to {b} before they commit to one of them.",
    "Feedback from the people concerned is the most reliable sign that {t} works as intended.",
    "Problems with {a} tend to show up at the handover from one team to the next.",
    "Practical examples of {t} help readers to judge what applies to their own situation.",
    "A short checklist for {b} is used more often than a long manual.",
    "The value of {t} depends on how well it fits the habits that are already there.",
    "Guides advise against treating {a} as a one-time task instead of a steady practice.",
    "Support after the first weeks decides whether {b} stays in use.",
    "It helps to name one person who answers questions about {t} and keeps the answers up to date.",
];
pub(super) const STOP_WORDS: [&str; 30] = [
    "a", "about", "an", "and", "are", "as", "at", "best", "by", "can", "do", "does", "for", "from", "how", "in", "is",
    "it", "of", "on", "or", "our", "the", "their", "this", "to", "what", "why", "with", "your",
];

/// At most `max_results` pages, best first: the written ones where nothing may be invented.
pub(super) fn of(request: &SearchRequest, is_plain: bool, rng: &mut Rng) -> Vec<Value> {
    if is_plain { pages::find(request) } else { compose(request, rng) }
}

fn compose(request: &SearchRequest, rng: &mut Rng) -> Vec<Value> {
    let wanted = request.max_results.unwrap_or(super::RESULTS_DEFAULT);
    let words = Words::of(&request.query);
    let (mut titles, mut hosts, mut sentences) = (TITLES, HOSTS, SENTENCES);
    titles.shuffle(rng);
    hosts.shuffle(rng);
    sentences.shuffle(rng);
    let mut sentences = sentences.iter().cycle();
    let mut score: f64 = 0.99 - rng.random_range(0.0..0.05);
    let mut results = Vec::with_capacity(wanted);
    for i in 0..wanted {
        let host = host(request, hosts[i % hosts.len()], i / hosts.len());
        if request.excludes(&host) {
            continue;
        }
        let title = words.fill(titles[i % titles.len()]);
        let count = rng.random_range(2..=4);
        let content = sentences.by_ref().take(count).map(|s| words.fill(s)).collect::<Vec<_>>().join(" ");
        let raw = Wanted::is_wanted(request.include_raw_content.as_ref()).then(|| format!("# {title}\n\n{content}"));
        let url = format!("https://{host}/{}", slug(&title));
        results.push(json!({ "title": title, "url": url, "content": content, "score": score, "raw_content": raw }));
        score = (score * rng.random_range(0.86..0.98) * 10_000.0).round() / 10_000.0;
    }
    results
}

fn host(request: &SearchRequest, name: &str, round: usize) -> String {
    match request.include_domains.as_slice() {
        [] if round == 0 => format!("{name}.example"),
        [] => format!("{name}-{round}.example"),
        domains => domains[round % domains.len()].clone(),
    }
}

/// The query's words that carry meaning.
struct Words {
    topic: String,
    first: String,
    second: String,
}

impl Words {
    fn of(query: &str) -> Self {
        let trim = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
        let all: Vec<_> = query.split_whitespace().map(trim).filter(|word| !word.is_empty()).collect();
        let meaning = |word: &&String| !STOP_WORDS.contains(&word.to_lowercase().as_str());
        let mut telling: Vec<_> = all.iter().filter(meaning).cloned().collect();
        if telling.is_empty() {
            telling = vec![query.trim().to_owned()];
        }
        // A sentence holds a few words of a long query, not all of it.
        let topic = telling.iter().take(6).cloned().collect::<Vec<_>>().join(" ");
        // Two words read better than one, where the query has enough of them.
        let half = (telling.len() / 2).clamp(1, 2);
        let (first, second) = (telling[..half].join(" "), telling[telling.len() - half..].join(" "));
        Self { topic, first, second }
    }

    fn fill(&self, template: &str) -> String {
        let capital = capitalised(&self.topic);
        let text = template.replace("{T}", &capital).replace("{t}", &self.topic);
        capitalised(&text.replace("{a}", &self.first).replace("{b}", &self.second))
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn slug(title: &str) -> String {
    let ascii = title.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), " ");
    ascii.split_whitespace().take(8).collect::<Vec<_>>().join("-")
}
