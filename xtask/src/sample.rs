//! A business on disk: a folder with its brand documents, and its profile where it has one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// A business as its folder describes it.
#[derive(Debug, PartialEq)]
pub(crate) struct Business {
    pub(crate) id: String,
    /// The body of `PUT /api/businesses/{id}`.
    pub(crate) profile: Value,
    pub(crate) documents: Vec<Document>,
}

/// One brand document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) external_id: String,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) media_type: &'static str,
}

impl Document {
    /// The body of `POST /api/businesses/{id}/documents`.
    pub(crate) fn upload(&self) -> Value {
        json!({
            "external_id": self.external_id, "title": self.title,
            "text": self.text, "media_type": self.media_type,
        })
    }
}

impl Business {
    /// Reads the folder: `profile.json`, and every .md, .txt and .html file.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("--business {}", folder.display()))?;
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let documents = documents(&folder)?;
        if documents.is_empty() {
            bail!("--business {}: there are no .md, .txt or .html files in it", folder.display());
        }
        Ok(Self { id: id(&name), profile: profile(&folder, &name)?, documents })
    }

    pub(crate) fn name(&self) -> &str {
        self.profile["name"].as_str().unwrap_or(&self.id)
    }
}

fn profile(folder: &Path, name: &str) -> anyhow::Result<Value> {
    let path = folder.join("profile.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| path.display().to_string()),
        Err(_) => Ok(json!({ "name": name })),
    }
}

/// A business id out of a folder's name.
fn id(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    let id: String = name.chars().map(|c| if allowed(c) { c.to_ascii_lowercase() } else { '-' }).take(128).collect();
    if id.is_empty() { "business".to_owned() } else { id }
}

fn documents(folder: &Path) -> anyhow::Result<Vec<Document>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    paths.sort();
    paths.into_iter().filter_map(|path| document(&path).transpose()).collect()
}

/// The document in a file; `None` where the file is none.
fn document(path: &Path) -> anyhow::Result<Option<Document>> {
    let media_type = match path.extension().and_then(|extension| extension.to_str()) {
        Some("md" | "markdown") => "text/markdown",
        Some("txt") => "text/plain",
        Some("html" | "htm") => "text/html",
        _ => return Ok(None),
    };
    let external_id = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let title = if media_type == "text/markdown" { own_title(&text) } else { None }.unwrap_or(stem);
    Ok(Some(Document { external_id, title, text, media_type }))
}

/// The title that a Markdown text gives itself: in its front matter, or as its first heading.
fn own_title(markdown: &str) -> Option<String> {
    front_matter_title(markdown).or_else(|| heading(markdown))
}

fn front_matter_title(markdown: &str) -> Option<String> {
    let mut lines = markdown.lines();
    let yaml = (lines.next()? == "---").then(|| lines.take_while(|line| *line != "---"))?;
    let title = yaml.filter_map(|line| line.strip_prefix("title:")).next()?;
    Some(title.trim().trim_matches(['"', '\'']).to_owned()).filter(|title| !title.is_empty())
}

/// The first heading of a Markdown text, outside code blocks.
fn heading(markdown: &str) -> Option<String> {
    let mut in_code = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let text = line.trim_start_matches('#');
        let level = line.len() - text.len();
        if !in_code && (1..=6).contains(&level) && text.starts_with(' ') {
            return Some(text.trim().trim_end_matches('#').trim_end().to_owned()).filter(|title| !title.is_empty());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_title_in_the_front_matter_goes_before_a_heading() {
        assert_eq!(
            own_title("---\nlayout: page\ntitle: \"Address the user\"\n---\n# Other\n").unwrap(),
            "Address the user"
        );
        assert_eq!(own_title("---\nlayout: page\n---\n# Title\n").unwrap(), "Title");
        assert_eq!(own_title("# Title\n\ntitle: none\n").unwrap(), "Title");
    }

    #[test]
    fn a_title_is_the_first_heading() {
        assert_eq!(heading("intro\n\n## What we do ##\ntext\n# Later\n").unwrap(), "What we do");
        assert_eq!(heading("```sh\n# a comment\n```\n# Title\n").unwrap(), "Title");
        assert_eq!(heading("#hashtag is none\n"), None);
        assert_eq!(heading(""), None);
    }

    #[test]
    fn ids_hold_only_what_an_id_may() {
        assert_eq!(id("Acme Clinics & Söhne"), "acme-clinics---s-hne");
        assert_eq!(id(""), "business");
        assert_eq!(id(&"x".repeat(300)).len(), 128);
    }

    #[test]
    fn the_sample_business_is_whole() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples").join(crate::up::SAMPLE);
        let business = Business::read(&folder).unwrap();
        assert!(business.documents.len() >= 6);
        assert_ne!(business.name(), business.id);
        for document in &business.documents {
            assert!(!document.external_id.starts_with(&document.title), "{} has a heading", document.external_id);
        }
    }

    #[test]
    fn a_folder_without_documents_is_refused() {
        let folder = std::env::temp_dir().join(format!("copydesk-xtask-empty-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(Business::read(&folder).unwrap_err().to_string().contains("no .md"));
        std::fs::write(folder.join("About us.txt"), "We sell tea.").unwrap();
        let business = Business::read(&folder).unwrap();
        assert_eq!(business.documents[0].title, "About us");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
