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
    /// Tokens written by LLMs.
    pub completion_tokens: u64,
    /// Calls by provider, such as `{"groq": 4, "tavily": 1}`.
    pub calls: BTreeMap<String, u32>,
    /// Answers by model.
    pub models: BTreeMap<String, u32>,
    /// Cost in US dollars, at the configured prices; 0 if no price is known.
    pub cost_usd: f64,
    /// The usage of each stage of the pipeline, over all its rounds and attempts. Stages that used
    /// nothing are left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stages: BTreeMap<String, StageUsage>,
}

/// What a stage of a job has used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct StageUsage {
    /// Tokens sent to LLMs.
    pub prompt_tokens: u64,
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
            sum.completion_tokens += used.completion_tokens;
            sum.calls += used.calls.values().sum::<u32>();
            sum.cost_usd += used.cost_usd;
        }
    }

    fn add(&mut self, other: &Self) {
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.cost_usd += other.cost_usd;
        for (provider, calls) in &other.calls {
            *self.calls.entry(provider.clone()).or_default() += calls;
        }
        for (model, answers) in &other.models {
            *self.models.entry(model.clone()).or_default() += answers;
        }
    }
}
