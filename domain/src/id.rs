//! Ids that Copydesk makes itself. Each kind has its own type, so that they cannot be mixed up. A
//! business's id is the client's own string: [`crate::business::BusinessId`].

/// Declares a newtype over a UUIDv7, so that ids of different things cannot be mixed up.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
                 serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = uuid::Uuid)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// A new id. It is of version 7: ids that are made later sort later.
            #[expect(clippy::new_without_default, reason = "every call makes another id")]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }
    };
}

uuid_id! {
    /// Names a job.
    JobId
}

uuid_id! {
    /// Identifies a generation: the text that a generate job makes. It is assigned when the job is
    /// accepted.
    GenerationId
}

uuid_id! {
    /// Names a document.
    DocumentId
}

uuid_id! {
    /// Identifies one verdict. A second verdict on the same generation has another id.
    FeedbackId
}
