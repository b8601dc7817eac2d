//! Cuts Markdown into passages, at headings and at a length. Each passage is kept once, with the
//! headings above it. The readers provide the Markdown.

use std::collections::HashSet;

use copydesk_domain::document::NewChunk;
use copydesk_editorial::text::clip::one_line;
use sha2::{Digest, Sha256};
use text_splitter::{ChunkConfig, MarkdownSplitter};

use super::Unusable;

/// A passage's length, in characters: about 400 tokens.
pub(super) const PASSAGE_CHARS: usize = 1_600;
/// The overlap of a passage with the one before, in characters, so that no thought is cut in two.
const OVERLAP_CHARS: usize = 160;
/// The longest heading in a heading path, in characters.
const MAX_HEADING_CHARS: usize = 120;
/// The most passages of one document.
const MAX_PASSAGES: usize = 20_000;
/// The longest text that is cut at once, in bytes: the splitter's time grows faster than the text.
const MAX_CUT_BYTES: usize = 16 * 1024;
/// The separator in a heading path.
const SEPARATOR: &str = " › ";

/// The passages of a text in order, each once, with the headings above them.
pub(super) fn passages(title: &str, markdown: &str) -> Result<Vec<NewChunk>, Unusable> {
    let title = one_line(title, MAX_HEADING_CHARS);
    let mut known = HashSet::new();
    let mut passages = Vec::new();
    for section in with_bare_headings(sections(markdown), &title) {
        let headings = section.path.iter().filter(|heading| !heading.eq_ignore_ascii_case(&title));
        let parts: Vec<&str> =
            std::iter::once(&title).chain(headings).map(String::as_str).filter(|part| !part.is_empty()).collect();
        let heading_path = parts.join(SEPARATOR);
        for text in blocks(&section.text).flat_map(cut) {
            let sha256 = digest(text);
            if known.insert(sha256) {
                passages.push(NewChunk { heading_path: heading_path.clone(), text: text.to_owned(), sha256 });
            }
            if passages.len() > MAX_PASSAGES {
                return Err(Unusable::TooManyPassages(MAX_PASSAGES));
            }
        }
    }
    if passages.is_empty() { Err(Unusable::NoText) } else { Ok(passages) }
}

/// Gives headings without text of their own a text: names, slogans and titles of covers would
/// be found nowhere. Those that stand above others, or repeat the title, are in heading paths.
fn with_bare_headings(sections: Vec<Section>, title: &str) -> Vec<Section> {
    let mut whole: Vec<Section> = Vec::new();
    let mut bare: Option<Section> = None;
    let mut sections = sections.into_iter().peekable();
    while let Some(section) = sections.next() {
        let is_above = sections.peek().is_some_and(|next| next.path.starts_with(&section.path));
        let heading = section.path.last().filter(|heading| !heading.eq_ignore_ascii_case(title));
        let is_bare = !is_above && !section.text.chars().any(char::is_alphanumeric);
        let Some(heading) = heading.filter(|_| is_bare) else {
            whole.extend(bare.take());
            whole.push(section);
            continue;
        };
        let parent = &section.path[..section.path.len() - 1];
        match &mut bare {
            // One after the other, they are a list.
            Some(bare) if bare.path == parent => bare.text.extend([heading.as_str(), "\n"]),
            _ => {
                let text = format!("{heading}\n");
                whole.extend(bare.replace(Section { path: parent.to_vec(), text }));
            }
        }
    }
    whole.extend(bare);
    whole
}

/// Splits a text into parts of at most [`MAX_CUT_BYTES`], between paragraphs, lines or words, else
/// between any two characters.
fn blocks(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let most = text.floor_char_boundary(MAX_CUT_BYTES);
        let cut = if most == text.len() { most } else { last_break(&text[..most]) };
        let (block, rest) = text.split_at(cut);
        text = rest;
        Some(block)
    })
}

/// Where to cut a text: after the last paragraph, line or word in its second half.
fn last_break(text: &str) -> usize {
    let breaks = ["\n\n", "\n", " "].into_iter().filter_map(|mark| Some(text.rfind(mark)? + mark.len()));
    breaks.into_iter().find(|&at| at > text.len() / 2).unwrap_or(text.len())
}

fn cut(text: &str) -> Vec<&str> {
    let config = ChunkConfig::new(PASSAGE_CHARS);
    // The overlap is less than the length, so this never fails.
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

/// Splits a text at its headings, ignoring those in code. Recognises `# ` headings and those
/// underlined with `===` or `---`.
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

/// The level of the heading `line` if it is underlined by the next line.
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

/// The hash of the text, ignoring case and spaces: the same passage in two documents counts as one.
fn digest(text: &str) -> [u8; 32] {
    let normal = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    Sha256::digest(normal).into()
}
