//! Our own estimate of a final text. The editor scores the version that it read, a person judges the one that is
//! delivered: between them lie the editor's own edits, and what code finds of the result.

use copydesk_domain::review::Scored;

/// What a round of edits lifts a text by, in points: assumed. Where it is wrong, calibration takes it out in the mean.
const LIFT: f64 = 1.0;
/// What a failed check of the result takes off, and all of them at most.
const CHECK: (f64, f64) = (0.5, 3.0);

/// The estimate, 0 to 10, of a text whose `scored` version the editor gave `score`, and which fails so many checks.
pub fn of_final(score: f64, scored: Scored, failed_checks: usize) -> f64 {
    let lift = if scored == Scored::Draft { LIFT.min(10.0 - score) } else { 0.0 };
    #[expect(clippy::cast_precision_loss, reason = "a text has a few dozen checks")]
    let off = (CHECK.0 * failed_checks as f64).min(CHECK.1);
    let estimate = (score + lift - off).clamp(0.0, 10.0);
    (estimate * 100.0).round() / 100.0
}
