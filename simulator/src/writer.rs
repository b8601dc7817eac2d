//! Plain writer.
use serde_json::{Value, json};

use crate::prompt::Prompt;
use crate::seed::Rng;

/// Habits.
pub const HABITS: [&str; 1] = ["leverage"];

pub(crate) fn write(prompt: &Prompt, _now_ms: u64, _rng: &mut Rng) -> String {
    let facts = prompt.passages.iter().map(|p| format!("{} [{}].", p.text.trim_end_matches('.'), p.n));
    let facts = facts.collect::<Vec<_>>().join("\n\n");
    format!("# {}\n\nThis text is about {}.\n\n{facts}", prompt.topic, prompt.topic)
}

pub(crate) fn outline(prompt: &Prompt, _rng: &mut Rng) -> Value {
    let passages: Vec<_> = prompt.passages.iter().map(|p| p.n).collect();
    let section = |heading: &str| json!({ "heading": heading, "points": [prompt.topic], "passages": passages });
    json!({ "title": prompt.topic, "sections": [section("Why it matters"), section("What to know"), section("Next steps")] })
}
