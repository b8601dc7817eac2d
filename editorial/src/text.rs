//! Analysis of texts: where sentences end, what is under which heading, the language, and which
//! markup can be shown. It makes no judgement of quality.

pub mod clip;
pub mod excerpt;
pub mod instruction;
pub mod language;
pub mod markup;
pub mod page;
pub mod phrase;
pub mod sentence;
