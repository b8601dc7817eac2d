//! Which of the texts that people approved of a writer is shown. It picks; which texts are candidates (approved, of the
//! same business and content type) is decided where they are stored.
//!
//! A text ranks by its similarity to what is asked for, by its score, and by its age. Of those that rank high, the
//! ones that say the same as one already taken are passed over: maximal marginal relevance (Carbonell and Goldstein
//! 1998).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use copydesk_domain::id::GenerationId;

/// No writer is shown more.
pub const MOST: usize = 3;
/// How much relevance counts, against being different from those already taken.
const RELEVANCE: f64 = 0.7;
/// An age at which a text counts half.
const HALF_LIFE_DAYS: f64 = 180.0;
/// What it counts more where a human edited it: it is then as people want it.
const EDITED: f64 = 1.25;
/// A word of the topic or the title counts as much as this many of the text.
const HEAD_WEIGHT: f64 = 4.0;
/// Words of a text, or of what is asked for, that are compared: the first ones.
const WORDS: usize = 2_000;

/// A text that may be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Identifies it.
    pub generation_id: GenerationId,
    /// What it was asked to be about.
    pub topic: String,
    /// Its title.
    pub title: String,
    /// The text: as the human edited it, where they did.
    pub text: String,
    /// The human's score, 0 to 10.
    pub score: f64,
    /// When the verdict was given.
    pub at: DateTime<Utc>,
    /// Whether `text` was edited by a human.
    pub is_edited: bool,
    /// What it costs in a prompt.
    pub tokens: usize,
}

/// The texts to show, the best first: at most [`MOST`], of at most `budget_tokens` together. Those that share no word
/// with the query come after all that do: they can still show a style. Texts of languages that put no spaces between
/// words rank by score and age alone, mostly. The order of the candidates does not matter, nor is any text shown twice.
pub fn chosen<'a>(
    candidates: &'a [Candidate],
    query: &str,
    now: DateTime<Utc>,
    budget_tokens: usize,
) -> Vec<&'a Candidate> {
    let mut left = ranked(candidates, query, now);
    let mut chosen: Vec<&Candidate> = Vec::new();
    let mut budget = budget_tokens;
    while chosen.len() < MOST {
        left.retain(|rival| rival.candidate.tokens <= budget && !chosen.iter().any(|other| other.is(rival.candidate)));
        let best = (0..left.len()).max_by(|a, b| left[*a].compared(&left[*b]));
        let Some(best) = best.map(|best| left.swap_remove(best)) else { break };
        for rival in &mut left {
            rival.redundancy = rival.redundancy.max(best.words.cosine(&rival.words));
        }
        budget -= best.candidate.tokens;
        chosen.push(best.candidate);
    }
    chosen
}

impl Candidate {
    /// Whether the other one is the same text.
    fn is(&self, other: &Self) -> bool {
        self.generation_id == other.generation_id || self.text == other.text
    }

    /// What it is worth whatever is asked for, 0 to 1.25.
    fn merit(&self, now: DateTime<Utc>) -> f64 {
        let score = if self.score.is_nan() { 0.0 } else { self.score.clamp(0.0, 10.0) / 10.0 };
        let days = (now - self.at).as_seconds_f64().max(0.0) / 86_400.0;
        score * if self.is_edited { EDITED } else { 1.0 } * 0.5_f64.powf(days / HALF_LIFE_DAYS)
    }
}

/// A candidate in the running.
struct Rival<'a> {
    candidate: &'a Candidate,
    words: Words,
    /// Whether it shares a word with what is asked for.
    is_similar: bool,
    relevance: f64,
    /// How similar it is to the most similar one already taken, 0 to 1.
    redundancy: f64,
}

impl Rival<'_> {
    fn compared(&self, other: &Self) -> Ordering {
        let worth = |rival: &Self| RELEVANCE * rival.relevance - (1.0 - RELEVANCE) * rival.redundancy;
        let by_worth = self.is_similar.cmp(&other.is_similar).then(worth(self).total_cmp(&worth(other)));
        // The greatest is taken: of two equal ones, that with the smaller id.
        let name = |rival: &Self| (rival.candidate.generation_id, rival.candidate.text.as_str());
        by_worth.then_with(|| name(other).cmp(&name(self)))
    }
}

fn ranked<'a>(candidates: &'a [Candidate], query: &str, now: DateTime<Utc>) -> Vec<Rival<'a>> {
    let counted: Vec<_> = candidates.iter().map(Words::of).collect();
    let rarity = Rarity::of(&counted);
    let query = rarity.weighted(Words::counted(&[(query, 1.0)]));
    let rivals = candidates.iter().zip(counted).map(|(candidate, words)| {
        let words = rarity.weighted(words);
        let similarity = query.cosine(&words);
        let is_similar = similarity > 0.0;
        let relevance = if is_similar { similarity } else { 1.0 } * candidate.merit(now);
        Rival { candidate, words, is_similar, relevance, redundancy: 0.0 }
    });
    rivals.collect()
}

/// Words in lower case, and how much each counts. Sorted, so that sums are always made in the same order.
struct Words(BTreeMap<String, f64>);

impl Words {
    fn of(candidate: &Candidate) -> Self {
        let Candidate { topic, title, text, .. } = candidate;
        Self::counted(&[(topic, HEAD_WEIGHT), (title, HEAD_WEIGHT), (text, 1.0)])
    }

    fn counted(parts: &[(&str, f64)]) -> Self {
        let mut words = BTreeMap::new();
        for (part, weight) in parts {
            let each = part.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            for word in each.take(WORDS) {
                *words.entry(word.to_lowercase()).or_insert(0.0) += weight;
            }
        }
        Self(words)
    }

    fn cosine(&self, other: &Self) -> f64 {
        let norm = |words: &Self| words.0.values().map(|weight| weight * weight).sum::<f64>().sqrt();
        let product: f64 = self.0.iter().filter_map(|(word, weight)| Some(weight * other.0.get(word)?)).sum();
        let norms = norm(self) * norm(other);
        if norms > 0.0 { (product / norms).min(1.0) } else { 0.0 }
    }
}

/// In how many of the candidates each word occurs.
struct Rarity {
    candidates: f64,
    holding: BTreeMap<String, f64>,
}

impl Rarity {
    fn of(counted: &[Words]) -> Self {
        let mut holding = BTreeMap::new();
        for word in counted.iter().flat_map(|words| words.0.keys()) {
            *holding.entry(word.clone()).or_insert(0.0) += 1.0;
        }
        Self { candidates: counted.len() as f64, holding }
    }

    /// The same words, each counting the more the fewer candidates hold it.
    fn weighted(&self, words: Words) -> Words {
        let weight = |word: &String| {
            let holding = self.holding.get(word).copied().unwrap_or(0.0);
            1.0 + ((1.0 + self.candidates) / (1.0 + holding)).ln()
        };
        Words(
            words
                .0
                .into_iter()
                .map(|(word, count)| {
                    let weight = count * weight(&word);
                    (word, weight)
                })
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use uuid::Uuid;

    fn now() -> DateTime<Utc> {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }

    fn candidate(id: u128, topic: &str, text: &str) -> Candidate {
        Candidate {
            generation_id: GenerationId(Uuid::from_u128(id)),
            topic: topic.to_owned(),
            title: String::new(),
            text: text.to_owned(),
            score: 9.0,
            at: now(),
            is_edited: false,
            tokens: 100,
        }
    }

    fn ids(candidates: &[Candidate], query: &str) -> Vec<u128> {
        let chosen = chosen(candidates, query, now(), 1_000);
        chosen.iter().map(|candidate| candidate.generation_id.0.as_u128()).collect()
    }

    #[test]
    fn similar_texts_come_first_and_others_last() {
        let candidates = [
            candidate(1, "tax returns", "How to file"),
            candidate(2, "dental implants", "What an implant costs"),
            candidate(3, "cats", "They sleep"),
            candidate(4, "teeth", "Dental care in winter"),
        ];
        assert_eq!(ids(&candidates, "Dental implants in Leeds")[..2], [2, 4]);
        assert_eq!(ids(&candidates, "quantum"), [1, 2, 3]);
        // A much better text that shares nothing still comes after one that does.
        let poor = Candidate { score: 0.5, ..candidates[1].clone() };
        assert_eq!(ids(&[candidates[0].clone(), poor], "implants"), [2, 1]);
    }

    #[test]
    fn rare_words_tell_more_than_common_ones() {
        let mut candidates: Vec<_> = (3..12).map(|id| candidate(id, "guide", &format!("text {id}"))).collect();
        candidates.push(candidate(1, "guide", "plain"));
        candidates.push(candidate(20, "grafts", "plain"));
        assert_eq!(ids(&candidates, "guide grafts")[0], 20);
    }

    #[test]
    fn score_age_and_edits_count() {
        let plain = candidate(5, "dental implants", "one");
        let first = |other: Candidate| ids(&[plain.clone(), other], "dental implants")[0];
        let like = |id| candidate(id, "dental implants", "two");
        assert_eq!(first(like(6)), 5, "of two equal ones, that with the smaller id");
        assert_eq!(first(like(4)), 4);
        assert_eq!(first(Candidate { is_edited: true, ..like(6) }), 6);
        assert_eq!(first(Candidate { score: 9.5, ..like(6) }), 6);
        assert_eq!(first(Candidate { score: 10.0, at: now() - chrono::Duration::days(60), ..like(6) }), 5);
        let older = |days| Candidate { at: now() - chrono::Duration::days(days), is_edited: true, ..like(6) };
        // 0.5^(days / 180) eats up the quarter that an edit adds within 58 days.
        assert_eq!([first(older(57)), first(older(59))], [6, 5]);
        assert_eq!(first(Candidate { at: now() + chrono::Duration::days(900), ..like(6) }), 5, "the future is now");
        assert_eq!(first(Candidate { score: f64::NAN, ..like(4) }), 5, "no number is no merit");
    }

    #[test]
    fn texts_that_say_the_same_give_way() {
        let candidates = [
            candidate(1, "implants", "Dental implants last long and cost less than you think today"),
            candidate(2, "implants", "Dental implants last long and cost less than you think now"),
            candidate(3, "implants", "Our surgeons explain bone grafts and healing over many weeks"),
        ];
        let order = ids(&candidates, "implants");
        assert!(order.len() == 3 && order[2] != 3, "{order:?}");
        let twice = [
            candidates[0].clone(),
            Candidate { generation_id: GenerationId(Uuid::from_u128(9)), ..candidates[0].clone() },
        ];
        assert_eq!(ids(&twice, "implants"), [1]);
    }

    #[test]
    fn hostile_texts_take_little_time() {
        let texts = [
            "!".repeat(100_000),
            "\n".repeat(100_000),
            "a".repeat(100_000),
            "é a ".repeat(25_000),
            "𝔘\u{202e}".repeat(12_000),
        ];
        let candidates: Vec<_> = (0..50).map(|i| candidate(i, "a", &texts[i as usize % 5])).collect();
        let start = Instant::now();
        assert!(!chosen(&candidates, &texts[3], now(), 1_000).is_empty());
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let score = prop_oneof![6 => 0.0..10.0_f64, 1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, -1.0])];
        let fields = ("[abc ]{0,6}", "[abcd ]{0,12}", score, -900..900_i64, any::<bool>(), 0..400_usize, 0..20_u128);
        let one = fields.prop_map(|(topic, text, score, days, is_edited, tokens, id)| {
            let at = now() - chrono::Duration::days(days);
            Candidate { score, at, is_edited, tokens, ..candidate(id, &topic, &text) }
        });
        prop::collection::vec(one, 0..15)
    }

    proptest! {
        #[test]
        fn the_budget_is_kept_and_nothing_shown_twice(candidates in candidates(), budget in 0..900_usize) {
            let chosen = chosen(&candidates, "a b", now(), budget);
            prop_assert!(chosen.len() <= MOST);
            prop_assert!(chosen.iter().map(|candidate| candidate.tokens).sum::<usize>() <= budget);
            for (place, one) in chosen.iter().enumerate() {
                prop_assert!(!chosen[..place].iter().any(|other| other.is(one)));
            }
            let fits = candidates.iter().any(|candidate| candidate.tokens <= budget);
            prop_assert_eq!(chosen.is_empty(), !fits);
        }

        #[test]
        fn the_order_of_the_candidates_does_not_matter(candidates in candidates()) {
            let mut distinct = candidates;
            distinct.sort_by_key(|candidate| candidate.generation_id);
            distinct.dedup_by_key(|candidate| candidate.generation_id);
            let turned: Vec<_> = distinct.iter().rev().cloned().collect();
            let shown = |candidates: &[Candidate]| ids(candidates, "a b");
            prop_assert_eq!(shown(&distinct), shown(&turned));
        }

        #[test]
        fn similarity_is_between_0_and_1(one in "\\PC{0,40}", other in "\\PC{0,40}") {
            let [one, other] = [one, other].map(|text| Words::counted(&[(&text, 1.0)]));
            prop_assert!((0.0..=1.0).contains(&one.cosine(&other)));
            prop_assert!(one.0.is_empty() || one.cosine(&one) > 0.999_999);
        }
    }
}
