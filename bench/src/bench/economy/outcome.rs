//! What became of texts that were asked for at once, as one row of a table.

use copydesk_simulator::Calls;
use serde::Serialize;

use super::{CALL, CALLS};
use crate::bench::quota::most_within_a_minute;
use crate::measure::mean;

const MINUTE_SECONDS: f64 = 60.0;

/// A text that was finished.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Finished {
    /// From when all were asked for.
    pub(super) after_seconds: f64,
    /// Its own calls to the LLM.
    pub(super) calls: u32,
}

/// What became of one run.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) asked: usize,
    /// In the order in which they were finished.
    pub(super) finished: Vec<Finished>,
    pub(super) failed: usize,
    /// Calls to the LLM that the provider let in.
    pub(super) granted: u64,
    pub(super) malformed: u64,
    /// The most calls to the LLM in any 60 s, and tokens of any one model.
    pub(super) most_calls: usize,
    pub(super) most_tokens: u64,
    /// Calls and searches that the provider refused, and calls that it refused for their tokens.
    pub(super) over: u64,
    pub(super) over_tokens: u64,
    pub(super) searches: u64,
}

impl Outcome {
    pub(super) const HEAD: [&str; 14] = [
        "",
        "asked",
        "finished",
        "failed",
        "calls granted",
        "malformed",
        "calls a text",
        "first s",
        "mean s",
        "mean/ideal",
        "most calls/60 s",
        "most tokens/60 s",
        "over: calls",
        "over: tokens",
    ];

    pub(super) fn new(name: String, asked: usize, mut finished: Vec<Finished>, failed: usize, calls: &Calls) -> Self {
        finished.sort_by(|a, b| a.after_seconds.total_cmp(&b.after_seconds));
        let arrivals: Vec<u64> = calls.chat.accepted_at_ms.iter().copied().collect();
        let models = || calls.models.values();
        Self {
            name,
            asked,
            finished,
            failed,
            granted: calls.chat.accepted,
            malformed: calls.chat.faulted,
            most_calls: most_within_a_minute(&arrivals),
            most_tokens: models().map(|model| model.most_tokens).max().unwrap_or(0),
            over: models().map(|model| model.over_requests).sum::<u64>() + calls.search.rejected_429,
            over_tokens: models().map(|model| model.over_tokens).sum(),
            searches: calls.search.accepted,
        }
    }

    pub(super) fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.asked.to_string(),
            self.finished.len().to_string(),
            self.failed.to_string(),
            self.granted.to_string(),
            self.malformed.to_string(),
            decimal(self.calls_a_text()),
            decimal(self.first_seconds()),
            decimal(self.mean_seconds()),
            decimal(self.to_ideal()),
            self.most_calls.to_string(),
            self.most_tokens.to_string(),
            self.over.to_string(),
            self.over_tokens.to_string(),
        ]
    }

    /// The calls that a finished text took: those of unfinished ones do not count.
    pub(super) fn calls_a_text(&self) -> f64 {
        mean(self.finished.iter().map(|text| f64::from(text.calls)))
    }

    pub(super) fn first_seconds(&self) -> f64 {
        self.finished.first().map_or(f64::NAN, |text| text.after_seconds)
    }

    fn mean_seconds(&self) -> f64 {
        mean(self.finished.iter().map(|text| text.after_seconds))
    }

    /// The mean completion to that of the ideal order with the same calls.
    pub(super) fn to_ideal(&self) -> f64 {
        self.mean_seconds() / mean(ideal(self.finished.iter().map(|text| text.calls)))
    }
}

/// When texts of so many calls would be done where the quota went to one after the other, in the order in
/// which they were finished: each window's calls are there at its begin, and a text's calls follow each
/// other, after a search.
fn ideal(calls: impl Iterator<Item = u32>) -> Vec<f64> {
    let (mut granted, call) = (0, CALL.as_secs_f64());
    let done = calls.map(|calls| {
        let mut done = call;
        for _ in 0..calls {
            done = f64::max(done, f64::from(granted / CALLS) * MINUTE_SECONDS) + call;
            granted += 1;
        }
        done
    });
    done.collect()
}

/// For people; a dash where there is no figure.
pub(super) fn decimal(value: f64) -> String {
    match value {
        _ if !value.is_finite() => "–".to_owned(),
        _ if value.abs() >= 1_000.0 => format!("{value:.0}"),
        _ if value.abs() >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ideal_order_serves_one_text_after_the_other() {
        let done = ideal([3; 11].into_iter());
        // Ten texts share the first window, each after a search and three calls; the next waits a minute.
        assert!(done[..10].iter().all(|done| (done - 6.0).abs() < 1e-9), "{done:?}");
        assert!((done[10] - 64.5).abs() < 1e-9, "{done:?}");
        // The last call of the eighth is the first of the second window.
        let done = ideal([4; 8].into_iter());
        assert!((done[6] - 7.5).abs() < 1e-9 && (done[7] - 63.0).abs() < 1e-9, "{done:?}");
    }

    #[test]
    fn a_run_is_summed_up() {
        let calls = serde_json::json!({
            "chat": { "accepted": 8, "rejected_429": 3, "faulted": 1, "refused": 0, "accepted_at_ms": [0, 1, 70_000],
                "rejected_at_ms": [] },
            "search": { "accepted": 2, "rejected_429": 1, "faulted": 0, "refused": 0, "accepted_at_ms": [],
                "rejected_at_ms": [] },
            "models": { "a": { "accepted": 8, "over_requests": 2, "over_tokens": 5, "prompt_tokens": 0,
                "cached_tokens": 0, "completion_tokens": 0, "most_calls": 2, "most_tokens": 77 } },
        });
        let calls: Calls = serde_json::from_value(calls).unwrap_or_default();
        let finished = [(12.0, 4), (6.0, 2)].map(|(after_seconds, calls)| Finished { after_seconds, calls });
        let outcome = Outcome::new("x".into(), 3, finished.into(), 1, &calls);
        assert_eq!((outcome.first_seconds(), outcome.mean_seconds(), outcome.calls_a_text()), (6.0, 9.0, 3.0));
        assert_eq!((outcome.most_calls, outcome.most_tokens, outcome.over, outcome.over_tokens), (2, 77, 3, 5));
        // 2 calls: 1.5 + 3; 4 calls: 1.5 + 6.
        assert!((outcome.to_ideal() - 9.0 / 6.0).abs() < 1e-9);
        assert_eq!(outcome.cells().len(), Outcome::HEAD.len());
    }

    #[test]
    fn nothing_finished_has_no_figures() {
        let outcome = Outcome::new("x".into(), 3, Vec::new(), 0, &Calls::default());
        assert_eq!(outcome.cells()[6..10], ["–", "–", "–", "–"]);
    }
}
