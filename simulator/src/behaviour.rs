//! How good the simulated model is at what nobody can hold it to: following lessons, and agreeing with others on a
//! score. Faults and limits are elsewhere.

use serde::{Deserialize, Serialize};

/// How a simulated model behaves. Changed at any time by `PUT /_behaviour`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// How likely a text follows a lesson that it is told, 0 to 1. Drawn for each text and lesson.
    pub follow: f64,
    /// How far the editor's taste moves a text's score up or down, in points; which texts it likes, the business and
    /// the topic say.
    pub taste: f64,
}

/// What is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be from 0 to {most}")]
pub struct InvalidBehaviour {
    /// The field's name.
    pub field: &'static str,
    /// The largest value.
    pub most: u8,
}

impl Behaviour {
    pub(crate) const FOLLOW: f64 = 0.9;
    pub(crate) const TASTE: f64 = 0.2;

    /// The same, if every field is in its range.
    ///
    /// # Errors
    /// A field is not.
    pub fn checked(self) -> Result<Self, InvalidBehaviour> {
        let is_within = |value: f64, most: u8| (0.0..=f64::from(most)).contains(&value);
        match (is_within(self.follow, 1), is_within(self.taste, 5)) {
            (false, _) => Err(InvalidBehaviour { field: "follow", most: 1 }),
            (_, false) => Err(InvalidBehaviour { field: "taste", most: 5 }),
            _ => Ok(self),
        }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { follow: Self::FOLLOW, taste: Self::TASTE }
    }
}
