//! The twelve formats: their names and default lengths. What a text of each format looks like is
//! defined in `copydesk-editorial`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! formats {
    ($($variant:ident = $slug:literal, $name:literal, $words:literal;)+) => {
        /// The kind of text that is written. Its slug is the `content_type` of feedback statistics
        /// and of documents.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
        pub enum Format { $(#[doc = $name] #[schema(rename = $slug)] $variant),+ }

        impl Format {
            /// Every format, in the order in which they are listed to people.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The short name, used in the API and as `content_type`.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug),+ }
            }

            /// The name as people write it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The text's length if the request names none, in words.
            pub const fn default_words(self) -> u16 {
                match self { $(Self::$variant => $words),+ }
            }
        }
    };
}

formats! {
    Blog = "blog", "Blog Article", 800;
    LinkedIn = "linkedin", "LinkedIn Post", 180;
    Thread = "thread", "Social Thread", 250;
    Newsletter = "newsletter", "Newsletter", 500;
    Email = "email", "Email", 180;
    Product = "product", "Product Description", 220;
    Ad = "ad", "Ad Copy", 80;
    PressRelease = "press_release", "Press Release", 450;
    LandingPage = "landing_page", "Landing Page", 400;
    CaseStudy = "case_study", "Case Study", 600;
    Faq = "faq", "FAQ", 500;
    VideoScript = "video_script", "Video Script", 350;
}

/// The string names none of the twelve formats.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one of: {}", Format::list())]
pub struct UnknownFormat;

impl Format {
    /// `Blog Article (blog), LinkedIn Post (linkedin), …`: what an error lists.
    pub fn list() -> String {
        let entries: Vec<_> = Self::ALL.iter().map(|f| format!("{} ({})", f.name(), f.slug())).collect();
        entries.join(", ")
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    /// Parses a name or a slug, ignoring case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let named = |f: &&Self| f.slug().eq_ignore_ascii_case(text) || f.name().eq_ignore_ascii_case(text);
        Self::ALL.iter().find(named).copied().ok_or(UnknownFormat)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl Serialize for Format {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_name_and_slug() {
        assert_eq!("Blog Article".parse(), Ok(Format::Blog));
        assert_eq!("blog article".parse(), Ok(Format::Blog));
        assert_eq!("LINKEDIN".parse(), Ok(Format::LinkedIn));
        assert_eq!(" press_release ".parse(), Ok(Format::PressRelease));
        assert_eq!("haiku".parse::<Format>(), Err(UnknownFormat));
        assert_eq!(Format::ALL.len(), 12);
        assert!(UnknownFormat.to_string().contains("Video Script (video_script)"));
    }

    #[test]
    fn the_reference_has_the_slugs() {
        let slugs: Vec<_> = Format::ALL.iter().map(|format| format.slug()).collect();
        let schema = serde_json::to_value(<Format as utoipa::PartialSchema>::schema()).unwrap_or_default();
        assert_eq!(schema["enum"], serde_json::json!(slugs));
        assert_eq!(serde_json::to_value(Format::ALL).ok(), Some(serde_json::json!(slugs)));
    }
}
