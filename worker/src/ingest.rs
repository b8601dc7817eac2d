//! The handler of ingest jobs: a document becomes passages. Reads Markdown, plain text and HTML,
//! cuts at headings, and keeps each passage once. Ranking passages is `copydesk_knowledge`'s.

use std::collections::HashSet;

use copydesk_common::document::{IngestPayload, MediaType, NewChunk};
use copydesk_common::job::StartedJob;
use copydesk_common::store::Store;
use copydesk_common::store::document::{self, Ingested, Source};
use sha2::{Digest, Sha256};
use text_splitter::{ChunkConfig, MarkdownSplitter};

use crate::format::fallback::one_line;
use crate::outcome::Interruption;

/// A passage's length, in characters: about 400 tokens.
const PASSAGE_CHARS: usize = 1_600;
/// What a passage repeats of the one before, in characters, so that no thought is cut in two.
const OVERLAP_CHARS: usize = 160;
/// The longest heading in a heading path, in characters.
const MAX_HEADING_CHARS: usize = 120;
/// Passages of one document: more is a library, and nobody's context.
const MAX_PASSAGES: usize = 20_000;
/// The share of control characters from which on a text is none, in percent.
const MAX_CONTROL_PERCENT: usize = 5;
/// Between the parts of a heading path.
const SEPARATOR: &str = " › ";

/// Indexes the job's document and ends the job.
pub async fn run(store: &Store, job: &StartedJob) -> Result<(), Interruption> {
    let payload: IngestPayload =
        serde_json::from_value(job.payload.clone()).map_err(|error| Interruption::Retry(error.into()))?;
    let id = payload.document_id;
    let Some(source) = document::source(store, &job.business_id, id).await? else {
        // Deleted meanwhile: no revision of it is left to be changed.
        let gone = Ingested::Unusable("The document was deleted before it was indexed.".into());
        return Ok(document::settle(store, job, id, 0, &gone).await?);
    };
    let revision = source.revision;
    let ingested = tokio::task::spawn_blocking(move || ingest(&source))
        .await
        .map_err(|error| Interruption::Retry(error.into()))?;
    match &ingested {
        Ingested::Ready(chunks) => tracing::info!(document.id = %id, chunks = chunks.len(), "a document is indexed"),
        Ingested::Unusable(_) => tracing::info!(document.id = %id, "a document cannot be used"),
    }
    Ok(document::settle(store, job, id, revision, &ingested).await?)
}

/// A document's passages, or why there are none.
fn ingest(source: &Source) -> Ingested {
    match markdown(source) {
        Ok(markdown) => {
            let chunks = passages(&source.title, &markdown);
            if chunks.is_empty() {
                Ingested::Unusable("The document holds no text.".into())
            } else {
                Ingested::Ready(chunks)
            }
        }
        Err(reason) => Ingested::Unusable(reason.into()),
    }
}

fn markdown(source: &Source) -> Result<String, &'static str> {
    if is_binary(&source.text) {
        return Err("The document is no text: it holds binary data.");
    }
    match source.media_type {
        MediaType::Markdown => Ok(without_front_matter(&source.text.replace("\r\n", "\n")).to_owned()),
        MediaType::Plain => Ok(source.text.replace("\r\n", "\n")),
        MediaType::Html => from_html(&source.text).map_err(|_| "The document's HTML cannot be read."),
    }
}

/// Drops the YAML that many Markdown tools keep between two lines of `---` at the top: it speaks to
/// them, not to readers.
fn without_front_matter(markdown: &str) -> &str {
    let Some(rest) = markdown.trim_start_matches('\u{feff}').strip_prefix("---\n") else { return markdown };
    let Some((yaml, text)) = rest.split_once("\n---\n") else { return markdown };
    let is_yaml = |line: &str| line.is_empty() || line.contains(':') || line.starts_with([' ', '-', '#']);
    if yaml.lines().all(is_yaml) { text } else { markdown }
}

fn is_binary(text: &str) -> bool {
    let (mut control, mut all) = (0_usize, 0_usize);
    for c in text.chars() {
        all += 1;
        if c == '\0' {
            return true;
        }
        control += usize::from((c.is_control() && !c.is_whitespace()) || c == char::REPLACEMENT_CHARACTER);
    }
    control * 100 > all * MAX_CONTROL_PERCENT
}

fn from_html(html: &str) -> std::io::Result<String> {
    let skipped = vec!["script", "style", "noscript", "template", "head", "nav", "iframe", "svg", "form"];
    let options = htmd::options::Options {
        bullet_list_marker: htmd::options::BulletListMarker::Dash,
        ul_bullet_spacing: 1,
        ..Default::default()
    };
    htmd::HtmlToMarkdown::builder().skip_tags(skipped).options(options).build().convert(html)
}

/// The passages of a text in order, each once, under the headings that it stands under.
fn passages(title: &str, markdown: &str) -> Vec<NewChunk> {
    let title = one_line(title, MAX_HEADING_CHARS);
    let mut known = HashSet::new();
    let mut passages = Vec::new();
    for section in sections(markdown) {
        let headings = section.path.iter().filter(|heading| !heading.eq_ignore_ascii_case(&title));
        let parts: Vec<&str> =
            std::iter::once(&title).chain(headings).map(String::as_str).filter(|part| !part.is_empty()).collect();
        let heading_path = parts.join(SEPARATOR);
        for text in cut(&section.text) {
            let sha256 = digest(text);
            if passages.len() < MAX_PASSAGES && known.insert(sha256) {
                passages.push(NewChunk { heading_path: heading_path.clone(), text: text.to_owned(), sha256 });
            }
        }
    }
    passages
}

fn cut(text: &str) -> Vec<&str> {
    let config = ChunkConfig::new(PASSAGE_CHARS);
    // The overlap is less than the length, so that it is always taken.
    let config = config.with_overlap(OVERLAP_CHARS).unwrap_or_else(|_| ChunkConfig::new(PASSAGE_CHARS));
    let says_something = |text: &&str| text.chars().any(char::is_alphanumeric);
    MarkdownSplitter::new(config).chunks(text).filter(says_something).collect()
}

/// Text under one path of headings.
#[derive(Debug, Default)]
struct Section {
    path: Vec<String>,
    text: String,
}

/// Cuts a text at its headings, those in code not counted. Knows `# ` headings and those underlined
/// with `===` or `---`.
fn sections(markdown: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut in_code = false;
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        in_code ^= trimmed.starts_with("```") || trimmed.starts_with("~~~");
        let underline = lines.peek().and_then(|next| underlined(line, next));
        let heading = if in_code { None } else { heading(line).or(underline.map(|level| (level, line))) };
        let Some((level, text)) = heading else {
            if let Some(section) = sections.last_mut() {
                section.text.push_str(line);
                section.text.push('\n');
            }
            continue;
        };
        if underline.is_some() {
            lines.next();
        }
        path.retain(|(above, _)| *above < level);
        path.push((level, one_line(text.trim().trim_end_matches('#'), MAX_HEADING_CHARS)));
        let path = path.iter().map(|(_, heading)| heading.clone()).filter(|heading| !heading.is_empty()).collect();
        sections.push(Section { path, text: String::new() });
    }
    sections
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|&byte| byte == b'#').count();
    (1..=6).contains(&level).then(|| line[level..].strip_prefix([' ', '\t']).map(|text| (level, text)))?
}

/// The level of the heading that `line` is by the line under it.
fn underlined(line: &str, next: &str) -> Option<usize> {
    let is_text = line.starts_with(|c: char| c.is_alphanumeric());
    let next = next.trim_end();
    let all = |mark: char| next.len() >= 3 && next.chars().all(|c| c == mark);
    match (is_text, all('='), all('-')) {
        (true, true, _) => Some(1),
        (true, _, true) => Some(2),
        _ => None,
    }
}

/// Of the text without regard to case and spaces: the same passage of two documents is one.
fn digest(text: &str) -> [u8; 32] {
    let normal = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    Sha256::digest(normal).into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "a test fails by panicking")]
    use super::*;

    fn ingested(media_type: MediaType, text: &str) -> Vec<NewChunk> {
        match ingest(&Source { title: "Handbook".into(), media_type, text: text.into(), revision: 1 }) {
            Ingested::Ready(chunks) => chunks,
            Ingested::Unusable(reason) => panic!("{reason}"),
        }
    }

    fn reason(media_type: MediaType, text: &str) -> String {
        match ingest(&Source { title: "Handbook".into(), media_type, text: text.into(), revision: 1 }) {
            Ingested::Ready(chunks) => panic!("{chunks:?}"),
            Ingested::Unusable(reason) => reason,
        }
    }

    fn paths(chunks: &[NewChunk]) -> Vec<(&str, &str)> {
        chunks.iter().map(|chunk| (chunk.heading_path.as_str(), chunk.text.as_str())).collect()
    }

    #[test]
    fn passages_stand_under_their_headings() {
        let text = "Intro.\n\n# Care\n\nFirst.\n\n## Scans ##\n\n```\n# no heading\n```\n\n# Prices\n\nLast.\n\nOpening hours\n---\n\nAt eight.";
        let chunks = ingested(MediaType::Markdown, text);
        assert_eq!(
            paths(&chunks),
            [
                ("Handbook", "Intro."),
                ("Handbook › Care", "First."),
                ("Handbook › Care › Scans", "```\n# no heading\n```"),
                ("Handbook › Prices", "Last."),
                ("Handbook › Prices › Opening hours", "At eight."),
            ]
        );
    }

    #[test]
    fn html_is_read_without_what_is_no_text() {
        let html = "<html><head><title>T</title><style>p{}</style></head><body><nav>Menu</nav><h1>Care</h1>\
            <p>We <b>care</b> &amp; scan.</p><script>alert(1)</script><ul><li>One</li><li>Two</li></ul></body></html>";
        let chunks = ingested(MediaType::Html, html);
        assert_eq!(paths(&chunks), [("Handbook › Care", "We **care** & scan.\n\n- One\n- Two")]);
        for broken in ["<p>never closed <b>bold", "<<<>>>a", "no tags at all"] {
            assert!(!ingested(MediaType::Html, broken).is_empty());
        }
    }

    #[test]
    fn long_texts_are_cut_with_an_overlap() {
        let sentences: Vec<String> =
            (0..200).map(|n| format!("Sentence number {n} says something of its own.")).collect();
        let chunks = ingested(MediaType::Plain, &sentences.join(" "));
        assert!(chunks.len() > 4);
        assert!(chunks.iter().all(|chunk| chunk.text.chars().count() <= PASSAGE_CHARS));
        let overlaps = chunks.windows(2).filter(|pair| {
            let end: String = pair[0].text.chars().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect();
            pair[1].text.contains(&end)
        });
        assert!(overlaps.count() >= chunks.len() / 2);
        assert!(
            sentences
                .iter()
                .all(|sentence| chunks.iter().any(|chunk| chunk.text.contains(sentence.trim_end_matches('.'))))
        );
    }

    #[test]
    fn front_matter_is_no_passage_and_a_rule_is_no_front_matter() {
        let chunks =
            ingested(MediaType::Markdown, "---\ntitle: Voice\nsticky: true\n---\n\n# Voice\n\nWe write as we speak.\n");
        assert_eq!(chunks.len(), 1);
        assert!(chunks[0].text.ends_with("We write as we speak."), "{}", chunks[0].text);
        let ruled = "---\nA thought between two rules\n---\nAnother thought follows here.\n";
        assert_eq!(without_front_matter(ruled), ruled);
    }

    #[test]
    fn the_same_passage_is_kept_once() {
        let chunks =
            ingested(MediaType::Markdown, "# A\n\nThe same text.\n\n# B\n\nthe  SAME text.\n\n# C\n\nAnother.");
        assert_eq!(paths(&chunks), [("Handbook › A", "The same text."), ("Handbook › C", "Another.")]);
    }

    #[test]
    fn what_is_no_text_says_why() {
        for empty in ["", "   \n\n", "# Heading only\n", "---\n\n***\n"] {
            assert_eq!(reason(MediaType::Markdown, empty), "The document holds no text.", "{empty:?}");
        }
        assert!(reason(MediaType::Html, "<script>x</script>").contains("no text"));
        assert!(reason(MediaType::Plain, "PDF\0\u{1}").contains("binary"));
        assert!(reason(MediaType::Plain, &"\u{fffd}\u{1}ab".repeat(20)).contains("binary"));
    }
}
