//! Standard measures of a ranking by binary judgements: nDCG@10 (Järvelin, Kekäläinen 2002; log2
//! discount), recall in the first 100, and the reciprocal rank of the first relevant one of 10.

use std::collections::BTreeSet;

/// The measures of one ranking, or means over many; each from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Measures {
    pub(crate) ndcg_at_10: f64,
    pub(crate) recall_at_100: f64,
    pub(crate) mrr_at_10: f64,
}

impl Measures {
    /// The measures of ranked documents, none of them twice. All 0 if nothing is relevant.
    pub(crate) fn of(ranked: &[usize], relevant: &BTreeSet<usize>) -> Self {
        if relevant.is_empty() {
            return Self::default();
        }
        let is_relevant = |document: &usize| relevant.contains(document);
        let found = ranked.iter().take(100).filter(|document| is_relevant(document)).count();
        let first = ranked.iter().take(10).position(is_relevant);
        let gains = ranked.iter().take(10).enumerate().filter(|(_, document)| is_relevant(document));
        let gained: f64 = gains.map(|(rank, _)| discount(rank)).sum();
        let ideal: f64 = (0..relevant.len().min(10)).map(discount).sum();
        Self {
            ndcg_at_10: gained / ideal,
            recall_at_100: found as f64 / relevant.len() as f64,
            mrr_at_10: first.map_or(0.0, |rank| 1.0 / (rank + 1) as f64),
        }
    }

    /// The means over queries.
    pub(crate) fn mean(all: &[Self]) -> Self {
        let mean = |of: fn(&Self) -> f64| all.iter().map(of).sum::<f64>() / all.len().max(1) as f64;
        Self {
            ndcg_at_10: mean(|measures| measures.ndcg_at_10),
            recall_at_100: mean(|measures| measures.recall_at_100),
            mrr_at_10: mean(|measures| measures.mrr_at_10),
        }
    }
}

/// The weight of a relevant document at a rank, from 0.
fn discount(rank: usize) -> f64 {
    1.0 / ((rank + 2) as f64).log2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measures(ranked: &[usize], relevant: &[usize]) -> [f64; 3] {
        let Measures { ndcg_at_10, recall_at_100, mrr_at_10 } =
            Measures::of(ranked, &relevant.iter().copied().collect());
        [ndcg_at_10, recall_at_100, mrr_at_10].map(|value| (value * 10_000.0).round() / 10_000.0)
    }

    #[test]
    fn measures_are_as_worked_out_by_hand() {
        assert_eq!(measures(&[1, 2], &[1, 2]), [1.0, 1.0, 1.0]);
        assert_eq!(measures(&[9, 1], &[1]), [0.6309, 1.0, 0.5], "1 / log2(3)");
        // (1/log2(2) + 1/log2(5)) / (1/log2(2) + 1/log2(3) + 1/log2(4))
        assert_eq!(measures(&[1, 8, 9, 2], &[1, 2, 3]), [0.6714, 0.6667, 1.0]);
        assert_eq!(measures(&[], &[1]), [0.0, 0.0, 0.0]);
        assert_eq!(measures(&[1], &[]), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn ranks_beyond_the_cut_count_for_nothing() {
        let ranked: Vec<usize> = (0..200).collect();
        assert_eq!(measures(&ranked, &[10]), [0.0, 1.0, 0.0], "the eleventh");
        assert_eq!(measures(&ranked, &[100]), [0.0, 0.0, 0.0], "the 101st");
        let all: Vec<usize> = (0..20).collect();
        assert_eq!(measures(&ranked, &all), [1.0, 1.0, 1.0], "no more than ten can be gained");
    }

    #[test]
    fn means_are_over_queries() {
        let one = Measures { ndcg_at_10: 1.0, recall_at_100: 0.5, mrr_at_10: 0.25 };
        let mean = Measures::mean(&[one, Measures::default()]);
        assert_eq!(mean, Measures { ndcg_at_10: 0.5, recall_at_100: 0.25, mrr_at_10: 0.125 });
        assert_eq!(Measures::mean(&[]), Measures::default());
    }
}
