//! Stages: the steps of a generation. Each is paid for once: its output and usage are stored
//! before the next one starts. How a stage works is the worker's `pipeline`.

use crate::named_enum;

named_enum! {
    /// A step of the pipeline, in order.
    Stage {
        /// The request and the business's profile, put together.
        Brief = "brief",
        /// Passages from the web.
        Research = "research",
        /// Passages from the business's own documents.
        Knowledge = "knowledge",
        /// What people's feedback taught.
        Lessons = "lessons",
        /// The plan of the text.
        Outline = "outline",
        /// The first text.
        Draft = "draft",
        /// A rubric's scores, and what to mend.
        Review = "review",
        /// The text with the review's points mended.
        Revise = "revise",
        /// Citations checked, the result put together.
        Finish = "finish",
    }
}
