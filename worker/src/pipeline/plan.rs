//! Plans of texts. How one comes about is [`super::outline`]'s; how one that came with its text is read, too.

use serde::{Deserialize, Serialize};

use super::lenient;
use crate::provider::chain::AnsweredBy;

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// The title.
    #[serde(default, deserialize_with = "lenient::line")]
    pub title: String,
    /// The sections, in order.
    pub sections: Vec<Section>,
}

impl Outline {
    /// What readers will see of it.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|section| section.heading.as_str()).chain([self.title.as_str()])
    }
}

/// A plan, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The plan: what prompts hold of it.
    #[serde(flatten)]
    pub outline: Outline,
    /// Who planned; `None` for the format's usual plan.
    #[serde(default)]
    pub by: Option<AnsweredBy>,
}

/// A section of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Its heading.
    #[serde(default, deserialize_with = "lenient::line")]
    pub heading: String,
    /// What it says.
    #[serde(default, deserialize_with = "lenient::lines")]
    pub points: Vec<String>,
    /// The passages that support it.
    #[serde(default, deserialize_with = "lenient::numbers")]
    pub passages: Vec<u16>,
}
