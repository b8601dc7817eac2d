//! Stages: the steps of a generation. Each is paid for once: its output and usage are stored before
//! the next one starts. The stages are implemented in the worker's `pipeline`.

use crate::named_enum;

named_enum! {
    /// A step of the pipeline, in order.
    Stage {
        /// The request and the business's profile, combined.
        Brief = "brief",
        /// Passages from the web.
        Research = "research",
        /// Passages from the business's own documents.
        Knowledge = "knowledge",
        /// Lessons from people's feedback.
        Lessons = "lessons",
        /// What a verdict asks for. Only in feedback jobs.
        Distill = "distill",
        /// The outline of the text.
        Outline = "outline",
        /// The first version of the text.
        Draft = "draft",
        /// An editor's scores, and the text with its edits.
        Edit = "edit",
        /// A rubric's scores, and what to mend. Only in jobs that an earlier release began.
        Review = "review",
        /// The text with the review's points mended. Only in jobs that an earlier release began.
        Revise = "revise",
        /// The result, with its citations checked.
        Finish = "finish",
    }
}
