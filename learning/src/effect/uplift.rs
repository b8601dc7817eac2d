//! Texts that could use what was learned, against those that could not though there was something to use. Which is
//! which was drawn before they were written: the difference is what learning did.

use copydesk_domain::lesson::Arm;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::series::mean;
use super::{approvals, lacking, rounded};
use crate::interval;
use crate::log::Entry;

/// What learning changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Uplifts {
    /// Mean score, 0 to 10.
    pub score: Uplift,
    /// The share that people would publish.
    pub approval: Uplift,
    /// The share of words that people changed: learning is to lower it.
    pub words_changed: Uplift,
    /// The share of the published text that a compressor cannot take from the draft: learning is to lower it.
    pub compression: Uplift,
}

/// One figure with learning and without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Uplift {
    /// Of texts that could use what was learned; null below 5.
    #[schema(required = true)]
    pub on: Option<f64>,
    /// Of texts that could not; null below 5.
    #[schema(required = true)]
    pub off: Option<f64>,
    /// Texts that could, and have the figure.
    pub n_on: u64,
    /// Texts that could not, and have the figure.
    pub n_off: u64,
    /// `on − off`; null where either is.
    #[schema(required = true)]
    pub difference: Option<f64>,
    /// Its 95% interval: Newcombe's of rates, a bootstrap's of means.
    #[schema(required = true)]
    pub interval: Option<[f64; 2]>,
    /// Why there is no difference, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Of texts for which there was something to use.
pub(super) fn uplifts(counted: &[&Entry]) -> Uplifts {
    let arm = |arm: Arm| -> Vec<&Entry> {
        counted.iter().copied().filter(|entry| entry.text.available > 0 && entry.text.arm == arm).collect()
    };
    let arms = [arm(Arm::On), arm(Arm::Off)];
    let means = |of: fn(&Entry) -> Option<f64>| {
        let values = |entries: &Vec<&Entry>| -> Vec<f64> { entries.iter().filter_map(|entry| of(entry)).collect() };
        Uplift::of_means(&arms.each_ref().map(values))
    };
    Uplifts {
        score: means(Entry::human),
        approval: Uplift::of_rates(arms.each_ref().map(|entries| approvals(entries))),
        words_changed: means(|entry| Some(entry.changed()?.words_changed)),
        compression: means(|entry| Some(entry.changed()?.compression)),
    }
}

impl Uplift {
    fn of_means(arms: &[Vec<f64>; 2]) -> Self {
        let [on, off] = arms;
        let sized = arms.each_ref().map(|values| (mean(values), values.len() as u64));
        Self::of(sized, || interval::bootstrap_difference(on, off))
    }

    fn of_rates(arms: [(u64, u64); 2]) -> Self {
        let sized = arms.map(|(part, all)| ((all > 0).then(|| part as f64 / all as f64), all));
        Self::of(sized, || interval::newcombe(arms[0], arms[1]))
    }

    fn of(arms: [(Option<f64>, u64); 2], interval: impl FnOnce() -> Option<[f64; 2]>) -> Self {
        let [n_on, n_off] = arms.map(|(_, n)| n);
        let lacking = [lacking(n_on, "texts with learning"), lacking(n_off, "texts without learning")];
        let [on, off] = [0, 1].map(|arm| arms[arm].0.filter(|_| lacking[arm].is_none()));
        let difference = on.zip(off).map(|(on, off)| on - off);
        Self {
            on: on.map(rounded),
            off: off.map(rounded),
            n_on,
            n_off,
            difference: difference.map(rounded),
            interval: difference.and_then(|_| interval()).map(|ends| ends.map(rounded)),
            reason: lacking.into_iter().flatten().reduce(|on, off| format!("{on}; {off}")),
        }
    }
}
