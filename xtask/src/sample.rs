//! A business on disk: a folder with its brand documents and, optionally, its profile.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// The extensions of files that the API accepts as documents.
const EXTENSIONS: [&str; 7] = ["md", "markdown", "txt", "html", "htm", "pdf", "docx"];

/// A business from its folder.
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
    /// The name of its file, also used as its `external_id`, so that the next run replaces it.
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) bytes: Vec<u8>,
}

impl Business {
    /// Reads the folder: `profile.json`, and every file that is a document.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("--business {}", folder.display()))?;
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let documents = documents(&folder)?;
        if documents.is_empty() {
            bail!("--business {}: there are no .{} files in it", folder.display(), EXTENSIONS.join(", ."));
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

/// A business id from a folder's name.
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

/// The document in a file; `None` if the file is not a document.
fn document(path: &Path) -> anyhow::Result<Option<Document>> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let Some(extension) = extension.filter(|extension| EXTENSIONS.contains(&extension.as_str())) else {
        return Ok(None);
    };
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let lossy = |name: Option<&OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
    let markdown = if extension.starts_with('m') { std::str::from_utf8(&bytes).ok() } else { None };
    let title = markdown.and_then(own_title).unwrap_or_else(|| lossy(path.file_stem()));
    Ok(Some(Document { name: lossy(path.file_name()), title, bytes }))
}

/// The title of a Markdown text: from its front matter, or its first heading.
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
            assert!(!document.name.starts_with(&document.title), "{} has a heading", document.name);
        }
    }

    #[test]
    fn a_folder_without_documents_is_refused() {
        let folder = std::env::temp_dir().join(format!("copydesk-xtask-empty-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(Business::read(&folder).unwrap_err().to_string().contains("no .md"));
        std::fs::write(folder.join("About us.txt"), "We sell tea.").unwrap();
        std::fs::write(folder.join("Guide.PDF"), b"%PDF-1.4").unwrap();
        std::fs::write(folder.join("logo.png"), b"\x89PNG").unwrap();
        let business = Business::read(&folder).unwrap();
        let titles: Vec<_> = business.documents.iter().map(|document| document.title.as_str()).collect();
        assert_eq!(titles, ["About us", "Guide"]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
