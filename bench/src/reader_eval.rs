//! `reader`: how well files are read. Reads each file of a folder that has its expected text beside
//! it (`NAME.EXT` and `NAME.EXT.expected.txt`), and counts words.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use copydesk_domain::document::{Body, MediaType};
use copydesk_reader::Upload;
use unicode_normalization::UnicodeNormalization as _;

use crate::table;

/// A file of which less is read right is `ready` while mostly lost: somebody must be told.
const MIN_UNTOLD_F1: f64 = 0.80;

#[derive(Debug, clap::Args)]
pub(crate) struct ReaderEval {
    /// The folder; folders in it are read too
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// List every file, not only the worst ten of a type
    #[arg(long)]
    all: bool,
}

/// How one file was read.
#[derive(Debug)]
struct Row {
    name: String,
    media_type: MediaType,
    precision: f64,
    recall: f64,
    f1: f64,
    order: f64,
    /// What its owner is told: a warning, or why it cannot be used.
    told: String,
    ms: u128,
}

impl ReaderEval {
    /// Reads all files and prints the tables. Fails if a file is wrong and nobody is told.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let mut rows = Vec::new();
        for file in files(&self.folder)? {
            rows.extend(row(&file)?);
        }
        anyhow::ensure!(!rows.is_empty(), "{} holds no file with an expected text beside it", self.folder.display());
        for media_type in MediaType::ALL {
            let mut of_type: Vec<&Row> = rows.iter().filter(|row| row.media_type == *media_type).collect();
            if !of_type.is_empty() {
                of_type.sort_by(|a, b| a.f1.total_cmp(&b.f1));
                self.print(*media_type, &of_type);
            }
        }
        let silent = rows.iter().filter(|row| row.f1 < MIN_UNTOLD_F1 && row.told.is_empty()).count();
        anyhow::ensure!(silent == 0, "{silent} files are ready without a warning below an F1 of {MIN_UNTOLD_F1:.2}");
        Ok(())
    }

    fn print(&self, media_type: MediaType, rows: &[&Row]) {
        let shown = if self.all { rows.len() } else { rows.len().min(10) };
        let cells = |row: &&Row| {
            let figures = [row.f1, row.precision, row.recall, row.order].map(|figure| format!("{figure:.3}"));
            let mut cells = vec![row.name.clone()];
            cells.extend(figures);
            cells.extend([row.ms.to_string(), row.told.clone()]);
            cells
        };
        let cells: Vec<_> = rows[..shown].iter().map(cells).collect();
        let mean =
            rows.iter().map(|row| row.f1).sum::<f64>() / f64::from(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        println!(
            "\n{media_type}: {} files, F1 median {:.4}, mean {mean:.4}, worst {:.4}\n",
            rows.len(),
            rows[rows.len() / 2].f1,
            rows[0].f1
        );
        println!("{}", table::render(&["file", "F1", "precision", "recall", "order", "ms", "told"], &cells));
    }
}

/// The files that have an expected text beside them, in order.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if expected(&path).is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn expected(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".expected.txt");
    name.into()
}

fn row(file: &Path) -> anyhow::Result<Option<Row>> {
    let media_type = match file.extension().and_then(|extension| extension.to_str()) {
        Some("md") => MediaType::Markdown,
        Some("txt") => MediaType::Plain,
        Some("html" | "htm") => MediaType::Html,
        Some("pdf") => MediaType::Pdf,
        Some("docx") => MediaType::Docx,
        _ => return Ok(None),
    };
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let body =
        if media_type.is_text() { Body::Text(String::from_utf8_lossy(&bytes).into_owned()) } else { Body::File(bytes) };
    let upload = Upload { title: String::new(), media_type, body };
    let expected = words(&std::fs::read_to_string(expected(file))?);
    let begun = Instant::now();
    let (text, told) = match copydesk_reader::markdown(&upload) {
        Ok((text, warnings)) => {
            let codes: Vec<_> = warnings.iter().map(|warning| warning.code.as_str()).collect();
            (text, codes.join(", "))
        }
        Err(reason) => (String::new(), reason.to_string()),
    };
    let ms = begun.elapsed().as_millis();
    let ours = words(&text);
    let common = common(&ours, &expected);
    let share = |of: usize| if of == 0 { 0.0 } else { ratio(common, of) };
    let (precision, recall) = (share(ours.len()), share(expected.len()));
    let f1 = if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
    let order = ratio(longest_common_subsequence(&ours, &expected), expected.len().max(1));
    let name = file.file_name().unwrap_or_default().to_string_lossy().chars().take(40).collect();
    Ok(Some(Row { name, media_type, precision, recall, f1, order, told, ms }))
}

fn ratio(part: usize, whole: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap_or(u32::MAX)) / f64::from(u32::try_from(whole).unwrap_or(u32::MAX))
}

/// Words: runs of letters and digits, in compatibility form and lower case, without invisible
/// characters. In scripts without spaces each character is one.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let text = text.nfkc().flat_map(char::to_lowercase);
    for c in text.filter(|c| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')) {
        let is_alone = matches!(u32::from(c), 0x3040..=0x30ff | 0x3400..=0x9fff | 0xf900..=0xfaff | 0x0e00..=0x0eff | 0x1780..=0x17ff | 0x1000..=0x109f | 0x20000..);
        if (is_alone || !is_word(c)) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        match (is_word(c), is_alone) {
            (true, true) => words.push(c.to_string()),
            (true, false) => word.push(c),
            _ => {}
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// A letter, a digit, or a mark that belongs to one.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c)
}

fn common(ours: &[String], expected: &[String]) -> usize {
    let mut left: HashMap<&str, usize> = HashMap::new();
    expected.iter().for_each(|word| *left.entry(word).or_default() += 1);
    let is_expected =
        |word: &&String| left.get_mut(word.as_str()).filter(|left| **left > 0).map(|left| *left -= 1).is_some();
    ours.iter().filter(is_expected).count()
}

/// By the algorithm of Hunt and Szymanski.
fn longest_common_subsequence(ours: &[String], expected: &[String]) -> usize {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    expected.iter().enumerate().for_each(|(place, word)| places.entry(word).or_default().push(place));
    let mut ends: Vec<usize> = Vec::new();
    for word in ours {
        for &place in places.get(word.as_str()).into_iter().flatten().rev() {
            let length = ends.partition_point(|&end| end < place);
            if length == ends.len() { ends.push(place) } else { ends[length] = place }
        }
    }
    ends.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_their_order_are_counted() {
        let expected = words("The ferry, the FERRY leaves at se\u{ad}ven: 旅客");
        assert_eq!(expected, ["the", "ferry", "the", "ferry", "leaves", "at", "seven", "旅", "客"]);
        let ours = words("ferry the ferry leaves twice");
        assert_eq!(common(&ours, &expected), 4);
        assert_eq!(longest_common_subsequence(&ours, &expected), 4);
        assert_eq!(longest_common_subsequence(&words("leaves ferry"), &expected), 1);
    }
}
