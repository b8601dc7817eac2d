//! A chain of models: the one that a task is for, and those that stand in while it cannot be
//! called. Says who is asked and when the next one is; makes no call itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::chat::Form;
use super::window::Window;
use super::{Model, ProviderError};

/// Which model answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredBy {
    /// Its name.
    pub model: String,
    /// Whether it stood in for the configured one.
    pub is_fallback: bool,
    /// Whether passages or lessons were left out of what it was asked, for want of room.
    #[serde(default)]
    pub lacked_room: bool,
}

/// A model and its stand-ins, in the order in which they are asked.
#[derive(Debug, Clone)]
pub struct Chain {
    primary: Arc<Model>,
    fallbacks: Vec<Arc<Model>>,
}

impl Chain {
    /// A model does not stand in for itself.
    pub(super) fn new(primary: Arc<Model>, fallbacks: &[Arc<Model>]) -> Self {
        let fallbacks = fallbacks.iter().filter(|model| model.name() != primary.name()).cloned().collect();
        Self { primary, fallbacks }
    }

    /// The model that the task is for.
    pub fn primary(&self) -> &Model {
        &self.primary
    }

    /// Who is asked, in order. A model that the provider just said it does not know is passed over
    /// for a while, where there is another: each call to it would take a place in the window.
    pub fn candidates(&self) -> Vec<&Model> {
        let known: Vec<_> = self.models().filter(|model| !model.is_unknown()).collect();
        if known.is_empty() { self.models().collect() } else { known }
    }

    /// The smallest window of those who may answer.
    pub fn window(&self) -> Window {
        let others = self.fallbacks.iter().map(|model| model.window());
        others.fold(self.primary.window(), |least, window| if window.tokens < least.tokens { window } else { least })
    }

    /// What to call `model`, one of the chain's.
    pub fn answered_by(&self, model: &Model) -> AnsweredBy {
        AnsweredBy {
            model: model.name().to_owned(),
            is_fallback: model.name() != self.primary.name(),
            lacked_room: false,
        }
    }

    /// Remembers that a model of the chain refused a form.
    pub fn note_refused(&self, name: &str, form: &Form) {
        self.models().filter(|model| model.name() == name).for_each(|model| model.note_refused(form));
    }

    pub(super) fn models(&self) -> impl Iterator<Item = &Model> {
        std::iter::once(&self.primary).chain(&self.fallbacks).map(AsRef::as_ref)
    }
}

/// What is said where no model of a chain answered.
#[derive(Debug, Default)]
pub struct Shortfall(Option<ProviderError>);

impl Shortfall {
    /// Takes the error of a model that another one stands in for, or hands it back where none may.
    ///
    /// An open breaker and an unknown name are the model's own. What else fails is not:
    /// - The quota is the provider's, shared by its models: the next one would be told the same.
    /// - So are the key, the account and the request.
    /// - A failed call is the job's to repeat: the breaker counts it, and decides when the next
    ///   model's turn is. Only where the job has no other chance the next one is asked at once: the
    ///   stage would do without any model otherwise.
    pub fn pass_over(
        &mut self,
        model: &Model,
        error: ProviderError,
        is_last_chance: bool,
    ) -> Result<(), ProviderError> {
        match error {
            ProviderError::BreakerOpen { .. } => {}
            ProviderError::Failed { .. } if is_last_chance => {}
            ProviderError::Misconfigured { variable, .. } if variable == model.variable() => model.note_unknown(),
            error => return Err(error),
        }
        self.0 = Some(match self.0.take() {
            Some(before) => graver(before, error),
            None => error,
        });
        Ok(())
    }

    /// The error to go by.
    pub fn into_error(self) -> Option<ProviderError> {
        self.0
    }
}

/// A failed call counts as an attempt whoever else was asked: otherwise the job would wait for ever.
/// Else it waits for the breaker that closes first; where there is none to wait for, an operator
/// must look.
fn graver(a: ProviderError, b: ProviderError) -> ProviderError {
    match (a, b) {
        (failed @ ProviderError::Failed { .. }, _) | (_, failed @ ProviderError::Failed { .. }) => failed,
        (ProviderError::BreakerOpen { provider, until: a }, ProviderError::BreakerOpen { until: b, .. }) => {
            ProviderError::BreakerOpen { provider, until: a.min(b) }
        }
        (open @ ProviderError::BreakerOpen { .. }, _) | (_, open @ ProviderError::BreakerOpen { .. }) => open,
        (first, _) => first,
    }
}
