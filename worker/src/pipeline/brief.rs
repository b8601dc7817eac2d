//! The first stage: the request and the business's profile, put together, with every default filled
//! in. All later stages work from this alone, so that a changed profile does not change a text
//! halfway.

use copydesk_common::store::{self, Store};
use copydesk_domain::business::BusinessProfile;
use copydesk_domain::format::Format;
use copydesk_domain::generation::GenerateRequest;
use copydesk_domain::job::StartedJob;
use copydesk_editorial::text::clip::clip;
use serde::{Deserialize, Serialize};

use super::error::StageError;

/// The voice where neither the request nor the profile names one.
const DEFAULT_VOICE: &str = "professional";
const DEFAULT_LANGUAGE: &str = "en";
/// Bounds of what comes from outside, in characters: a prompt must hold them all.
const MAX_DESCRIPTION_CHARS: usize = 2_000;
const MAX_GUIDELINES_CHARS: usize = 2_000;
const MAX_INSTRUCTIONS_CHARS: usize = 2_000;
const MAX_BANNED_CHARS: usize = 1_000;
const MAX_SHORT_CHARS: usize = 300;

/// What is to be written, for whom, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Brief {
    /// What it is about.
    pub topic: String,
    /// The kind of text.
    pub format: Format,
    /// BCP 47.
    pub language: String,
    /// How long it should be, in words.
    pub words: u16,
    /// How it should sound.
    pub voice: String,
    /// Whom it addresses, where that is said.
    pub audience: Option<String>,
    /// Words that it should hold.
    pub keywords: Vec<String>,
    /// Further wishes.
    pub instructions: Option<String>,
    /// The business's name; its id where it has given none.
    pub business_name: String,
    /// What the business does.
    pub description: String,
    /// What a model is told of the business: description, guidelines and banned phrases.
    pub profile: String,
    /// What no text may hold.
    pub banned_phrases: Vec<String>,
    /// Revisions at most.
    pub max_rounds: u16,
    /// The score that ends the revisions, 0 to 10.
    pub min_score: f64,
}

/// Reads the profile and puts it together with the request.
pub async fn run(store: &Store, job: &StartedJob, request: &GenerateRequest) -> Result<Brief, StageError> {
    let profile = store::business::get(store, &job.business_id).await?;
    Ok(of(request, profile.unwrap_or_else(|| without_profile(job))))
}

fn without_profile(job: &StartedJob) -> BusinessProfile {
    BusinessProfile {
        business_id: job.business_id.clone(),
        name: String::new(),
        description: String::new(),
        voice: String::new(),
        audience: String::new(),
        guidelines: String::new(),
        banned_phrases: Vec::new(),
        default_language: String::new(),
    }
}

/// The request's word wins over the profile's, and that over the default.
fn of(request: &GenerateRequest, profile: BusinessProfile) -> Brief {
    let said = |asked: Option<&String>, own: &str| {
        asked
            .map(String::as_str)
            .into_iter()
            .chain([own])
            .map(str::trim)
            .find(|text| !text.is_empty())
            .map(|text| clip(text, MAX_SHORT_CHARS).to_owned())
    };
    let business_id = profile.business_id.as_str();
    Brief {
        topic: request.topic.trim().to_owned(),
        format: request.format,
        language: said(request.language.as_ref(), &profile.default_language).unwrap_or_else(|| DEFAULT_LANGUAGE.into()),
        words: request.words(),
        voice: said(request.voice.as_ref(), &profile.voice).unwrap_or_else(|| DEFAULT_VOICE.into()),
        audience: said(request.audience.as_ref(), &profile.audience),
        keywords: request.keywords.clone(),
        instructions: request.instructions.as_deref().map(|text| clip(text, MAX_INSTRUCTIONS_CHARS).to_owned()),
        business_name: said(Some(&profile.name), business_id).unwrap_or_default(),
        description: clip(&profile.description, MAX_DESCRIPTION_CHARS).to_owned(),
        profile: profile_text(&profile),
        banned_phrases: profile.banned_phrases,
        max_rounds: u16::from(request.max_rounds),
        min_score: request.min_score,
    }
}

fn profile_text(profile: &BusinessProfile) -> String {
    let mut parts = vec![clip(&profile.description, MAX_DESCRIPTION_CHARS).to_owned()];
    if !profile.guidelines.trim().is_empty() {
        parts.push(format!("Guidelines: {}", clip(&profile.guidelines, MAX_GUIDELINES_CHARS)));
    }
    if !profile.banned_phrases.is_empty() {
        parts.push(format!("Never write: {}", clip(&profile.banned_phrases.join("; "), MAX_BANNED_CHARS)));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use copydesk_domain::business::BusinessId;

    use super::*;

    pub(crate) fn request(format: Format) -> GenerateRequest {
        GenerateRequest {
            topic: "AI in healthcare".into(),
            format,
            voice: None,
            audience: None,
            keywords: vec!["radiology".into()],
            language: None,
            length_words: None,
            instructions: None,
            max_rounds: 2,
            allow_fallback: true,
            replay: None,
            min_score: 7.5,
        }
    }

    pub(crate) fn profile() -> BusinessProfile {
        BusinessProfile {
            business_id: BusinessId::parse("acme").unwrap(),
            name: "Acme Clinics".into(),
            description: "Clinics for everyone.".into(),
            voice: "warm".into(),
            audience: "patients".into(),
            guidelines: "No jargon.".into(),
            banned_phrases: vec!["synergy".into()],
            default_language: "de".into(),
        }
    }

    pub(crate) fn brief(format: Format) -> Brief {
        Brief { language: "en".into(), ..of(&request(format), profile()) }
    }

    #[test]
    fn the_request_wins_over_the_profile_and_that_over_the_default() {
        let asked = GenerateRequest { voice: Some("dry".into()), language: Some("fr".into()), ..request(Format::Blog) };
        let brief = of(&asked, profile());
        assert_eq!((brief.voice.as_str(), brief.language.as_str(), brief.words), ("dry", "fr", 800));
        assert_eq!(brief.audience.as_deref(), Some("patients"));
        assert_eq!(of(&request(Format::Blog), profile()).voice, "warm");
        let blank = BusinessProfile {
            name: " ".into(),
            voice: String::new(),
            audience: String::new(),
            default_language: String::new(),
            ..profile()
        };
        let brief = of(&request(Format::Blog), blank);
        assert_eq!(
            (brief.business_name.as_str(), brief.voice.as_str(), brief.language.as_str()),
            ("acme", "professional", "en")
        );
        assert_eq!(brief.audience, None);
    }

    #[test]
    fn a_model_is_told_the_profile_within_bounds() {
        assert_eq!(brief(Format::Blog).profile, "Clinics for everyone.\nGuidelines: No jargon.\nNever write: synergy");
        let endless =
            BusinessProfile { description: "word ".repeat(5_000), guidelines: "rule ".repeat(5_000), ..profile() };
        assert!(of(&request(Format::Blog), endless).profile.len() < 5_000);
    }
}
