//! A figure over texts, in the order of their verdicts: how it is, and how it was at first.

use copydesk_domain::feedback::Basis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{basis, lacking, rounded};

/// Values at each end that are compared.
const END: usize = 10;

/// A figure over texts, in the order of their verdicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Series {
    /// Whether it was measured; null otherwise, or a stated default.
    pub basis: Basis,
    /// Why it was not, if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Texts with a value.
    pub n: u64,
    /// Their mean. Of scores, 7 by default.
    #[schema(required = true)]
    pub mean: Option<f64>,
    /// Their median.
    #[schema(required = true)]
    pub median: Option<f64>,
    /// Mean of the first 10; of the first half where there are fewer than 20.
    #[schema(required = true)]
    pub first: Option<f64>,
    /// Mean of the last 10; of the last half where there are fewer than 20.
    #[schema(required = true)]
    pub last: Option<f64>,
}

impl Series {
    /// The figure over finite values; `what` names the values to people.
    pub(super) fn of(values: impl Iterator<Item = f64>, what: &str) -> Self {
        let values: Vec<_> = values.collect();
        let reason = lacking(values.len() as u64, what);
        let measured = if reason.is_none() { values.as_slice() } else { &[] };
        let end = END.min(measured.len() / 2);
        Self {
            basis: basis(reason.as_ref()),
            reason,
            n: values.len() as u64,
            mean: mean(measured).map(rounded),
            median: median(measured).map(rounded),
            first: measured.get(..end).and_then(mean).map(rounded),
            last: measured.get(measured.len() - end..).and_then(mean).map(rounded),
        }
    }

    /// With this mean where none was measured.
    pub(super) fn or_default(self, mean: f64) -> Self {
        Self { mean: self.mean.or(Some(mean)), ..self }
    }
}

pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The one in the middle, or the mean of the two.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let lower = sorted.get(sorted.len().checked_sub(1)? / 2)?;
    Some(lower.midpoint(*sorted.get(sorted.len() / 2)?))
}
