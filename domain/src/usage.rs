//! What jobs use that costs money: tokens and calls, by stage of the pipeline. Prices come from the
//! configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::stage::Stage;

/// What a job has used, summed over its stages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Usage {
    /// Tokens sent to LLMs.
    pub prompt_tokens: u64,
    /// Tokens of those sent that a provider had in its cache: they cost less, and some count in no limit.
    pub cached_tokens: u64,
    /// Tokens written by LLMs.
    pub completion_tokens: u64,
    /// Calls by provider, such as `{"groq": 4, "tavily": 1}`.
    pub calls: BTreeMap<String, u32>,
    /// Answers by model.
    pub models: BTreeMap<String, u32>,
    /// Tokens of LLMs by model.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tokens: BTreeMap<String, ModelTokens>,
    /// Cost in US dollars, at the configured prices; 0 if no price is known.
    pub cost_usd: f64,
    /// The usage of each stage of the pipeline, over all its rounds and attempts. Stages that used
    /// nothing are left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stages: BTreeMap<String, StageUsage>,
}

/// The tokens of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ModelTokens {
    /// Tokens sent to it.
    pub prompt_tokens: u64,
    /// Tokens of those that its provider had in its cache.
    pub cached_tokens: u64,
    /// Tokens written by it.
    pub completion_tokens: u64,
}

/// What a stage of a job has used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct StageUsage {
    /// Tokens sent to LLMs.
    pub prompt_tokens: u64,
    /// Tokens of those sent that a provider had in its cache.
    pub cached_tokens: u64,
    /// Tokens written by LLMs.
    pub completion_tokens: u64,
    /// Calls to all providers.
    pub calls: u32,
    /// Cost in US dollars, at the configured prices.
    pub cost_usd: f64,
}

impl Usage {
    /// Adds a stage's usage to the job's sum.
    pub fn add_stage(&mut self, stage: Stage, used: &Self) {
        self.add(used);
        if *used != Self::default() {
            let sum = self.stages.entry(stage.as_str().to_owned()).or_default();
            sum.prompt_tokens += used.prompt_tokens;
            sum.cached_tokens += used.cached_tokens;
            sum.completion_tokens += used.completion_tokens;
            sum.calls += used.calls.values().sum::<u32>();
            sum.cost_usd += used.cost_usd;
        }
    }

    /// Counts an answer of a model.
    pub fn add_answer(&mut self, model: &str, tokens: ModelTokens) {
        self.prompt_tokens += tokens.prompt_tokens;
        self.cached_tokens += tokens.cached_tokens;
        self.completion_tokens += tokens.completion_tokens;
        *self.models.entry(model.to_owned()).or_default() += 1;
        self.tokens.entry(model.to_owned()).or_default().add(tokens);
    }

    fn add(&mut self, other: &Self) {
        self.prompt_tokens += other.prompt_tokens;
        self.cached_tokens += other.cached_tokens;
        self.completion_tokens += other.completion_tokens;
        self.cost_usd += other.cost_usd;
        for (provider, calls) in &other.calls {
            *self.calls.entry(provider.clone()).or_default() += calls;
        }
        for (model, answers) in &other.models {
            *self.models.entry(model.clone()).or_default() += answers;
        }
        for (model, tokens) in &other.tokens {
            self.tokens.entry(model.clone()).or_default().add(*tokens);
        }
    }
}

impl ModelTokens {
    fn add(&mut self, other: Self) {
        self.prompt_tokens += other.prompt_tokens;
        self.cached_tokens += other.cached_tokens;
        self.completion_tokens += other.completion_tokens;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn tokens_add_up_by_stage_and_by_model() {
        let mut call = Usage::default();
        call.add_answer("a", ModelTokens { prompt_tokens: 900, cached_tokens: 256, completion_tokens: 100 });
        let mut job = Usage::default();
        job.add_stage(Stage::Draft, &call);
        call.add_answer("b", ModelTokens { prompt_tokens: 100, cached_tokens: 0, completion_tokens: 10 });
        job.add_stage(Stage::Review, &call);
        assert_eq!((job.prompt_tokens, job.cached_tokens, job.completion_tokens), (1_900, 512, 210));
        assert_eq!(job.stages["review"].cached_tokens, 256);
        let a = ModelTokens { prompt_tokens: 1_800, cached_tokens: 512, completion_tokens: 200 };
        assert_eq!((job.tokens["a"], job.models["a"], job.models["b"]), (a, 2, 1));
        let before: Usage = serde_json::from_str(r#"{"prompt_tokens": 5, "stages": {"draft": {"calls": 1}}}"#).unwrap();
        assert_eq!((before.prompt_tokens, before.cached_tokens, before.stages["draft"].calls), (5, 0, 1));
    }
}
