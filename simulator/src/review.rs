//! Plain reviewer.
use serde_json::{Value, json};

use crate::prompt::Prompt;
use crate::seed::Rng;

pub(crate) fn review(prompt: &Prompt, _rng: &mut Rng) -> Value {
    let score = 7.0 + f64::from(prompt.round.min(2));
    json!({ "criteria": { "accuracy": score, "relevance": score, "voice": score, "structure": score, "clarity": score },
        "comments": "A sound draft.", "fixes": ["Cite the second section."] })
}
