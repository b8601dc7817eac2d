//! Why a stage has no output, and what becomes of its job. Whether a stage does without is its own to
//! decide.

use std::time::Duration;

use copydesk_common::clock;
use copydesk_common::quota::ProviderName;
use copydesk_common::store::StoreError;
use copydesk_domain::job::{StartedJob, WaitReason, Waiting};
use copydesk_domain::problem::Problem;
use copydesk_knowledge::KnowledgeError;

use crate::outcome::Interruption;
use crate::provider::ProviderError;
use crate::provider::window::Window;
use crate::{problem, retry};

/// How long a job waits whose call nobody could admit, because Redis is away.
const QUOTA_AWAY: Duration = Duration::from_secs(2);

/// A job whose prompt was too long goes on with a shorter one after so long.
const SHORTER_SOON: Duration = Duration::from_millis(100);

/// Why a stage has no output.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A provider gave no answer.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The model's answer could not be used, nor the one after the repair.
    #[error("the model's answer cannot be used: {}", .0.join(" "))]
    Unusable(Vec<String>),
    /// The model would not answer, or its provider's filter stopped it, twice.
    #[error("the model refused to answer, or its provider's content filter stopped it")]
    ContentRefused,
    /// The deadline leaves no time for a call.
    #[error("the deadline leaves no time for a call")]
    OutOfTime,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The search in the business's passages failed.
    #[error("the business's passages cannot be searched")]
    Knowledge(#[from] KnowledgeError),
    /// A prompt could not be made.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// No model wrote the text, and the request does not allow that a template does.
    #[error("no model wrote the text, and its request allows no fallback")]
    NoFallback(#[source] Box<StageError>),
}

impl StageError {
    /// Whether there were answers, and none could be used.
    pub fn is_about_the_answer(&self) -> bool {
        matches!(self, Self::Unusable(_) | Self::ContentRefused)
    }

    /// Whether it would pass, but not before the deadline.
    pub fn is_for_want_of_time(&self) -> bool {
        match self {
            Self::OutOfTime => true,
            Self::Provider(error) => error.passes(),
            _ => false,
        }
    }

    /// What becomes of the job.
    pub fn interruption(self, job: &StartedJob) -> Interruption {
        let wait = |reason, provider: ProviderName, until| {
            Interruption::Wait(Waiting { reason, provider: Some(provider.to_string()), until })
        };
        match self {
            Self::Provider(ProviderError::Throttled { provider, until }) => {
                wait(WaitReason::RateLimited, provider, until)
            }
            Self::Provider(ProviderError::OverBudget { provider, until }) => {
                wait(WaitReason::OverBudget, provider, until)
            }
            Self::Provider(ProviderError::BreakerOpen { provider, until }) => {
                wait(WaitReason::BreakerOpen, provider, until)
            }
            Self::Provider(ProviderError::QuotaUnavailable { provider, .. }) => {
                wait(WaitReason::RateLimited, provider, clock::now() + QUOTA_AWAY)
            }
            Self::Provider(ProviderError::Misconfigured { provider, status, variable, .. }) => {
                let detail = format!("{provider} answered with status {status}: the operator should check {variable}.");
                Problem::new("provider-misconfigured", "A provider is not set up", 502, detail).of_job(job.id).into()
            }
            Self::Provider(ProviderError::Account { provider, status, .. }) => {
                let detail = format!(
                    "{provider} answered with status {status}: the operator should check the account's balance, plan \
                     and limits there."
                );
                Problem::new("provider-account", "A provider's account is used up", 502, detail).of_job(job.id).into()
            }
            // Nothing speaks of the job yet: it comes back without having spent an attempt.
            Self::Provider(ProviderError::Failed { ref provider, setback: Some(nth), .. }) => {
                let error = &self as &dyn std::error::Error;
                tracing::warn!(error, setback = nth, "a provider failed: the job waits, and spends no attempt");
                wait(WaitReason::Backoff, provider.clone(), clock::now() + retry::after_setback(nth))
            }
            // What one request may have is known now: the prompt is made anew, shorter, or found to be too long.
            Self::Provider(ProviderError::TooLong { provider, is_shorter: true, .. }) => {
                wait(WaitReason::Backoff, provider, clock::now() + SHORTER_SOON)
            }
            Self::Provider(ProviderError::TooLong { provider, model, most, .. }) => {
                let detail = format!(
                    "{provider} refused the request for its length. {model} takes {most} tokens at once there, prompt \
                     and answer: shorten the request, use a model with a larger window or a plan with more tokens a \
                     minute."
                );
                Problem::new("context-window", "The model's context window is too small", 502, detail)
                    .of_job(job.id)
                    .into()
            }
            Self::Prompt(PromptError::TooLong { window: Window { model, tokens }, most, tokens: needed }) => {
                let detail = format!(
                    "The request and the text at hand take {needed} tokens. {model} has a window of {tokens}, which leaves \
                     {most} for them: shorten the request, use a model with a larger window, or set \
                     COPYDESK_CONTEXT_TOKENS={model}=… where its window is larger."
                );
                Problem::new("context-window", "The model's context window is too small", 502, detail)
                    .of_job(job.id)
                    .into()
            }
            Self::NoFallback(reason) => problem::no_fallback(job, &reason).into(),
            Self::Store(error) => error.into(),
            error => Interruption::Retry(error.into()),
        }
    }
}

/// A prompt could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// What may not be cut does not fit into the window of a model that may answer.
    #[error("the prompt takes {tokens} tokens, and {} has room for {most}", .window.model)]
    TooLong {
        /// The smallest window.
        window: Window,
        /// What it has room for, in tokens, beside the answer.
        most: usize,
        /// What is needed.
        tokens: usize,
    },
    /// A template is no template: a bug in it.
    #[error("a prompt's template cannot be parsed")]
    Unparsed(#[source] &'static minijinja::Error),
    /// A template names what it is not given: a bug in it.
    #[error("a prompt's template cannot be filled in")]
    Unfilled(#[from] minijinja::Error),
}
