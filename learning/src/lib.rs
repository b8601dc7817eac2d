//! What is learned from people, as estimates over an append-only log of verdicts. Everything here is a pure function
//! of the log: a rebuild makes the same bytes, and a verdict that is deleted leaves no trace.
//!
//! [`log`] is what goes in. [`life`] decides which lessons count, [`choice`] which of them a text is written with,
//! [`example`] which earlier texts it is shown. [`calibration`] corrects the editor's scores by people's, and
//! [`effect`] tells what all of it was worth. Reading comments and edits is `copydesk-editorial`'s; storing is
//! `copydesk-common`'s.

pub mod calibration;
pub mod choice;
pub mod effect;
pub mod estimate;
pub mod example;
pub mod interval;
pub mod life;
pub mod log;
