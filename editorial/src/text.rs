//! Texts as they are: where sentences end, what stands under which heading, in which language they are,
//! and what of their markup may be shown. Judges nothing.

pub mod clip;
pub mod language;
pub mod markup;
pub mod page;
pub mod phrase;
pub mod sentence;
