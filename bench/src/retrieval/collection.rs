//! The Cranfield collection's three files: abstracts, queries and judgements. They have
//! peculiarities: judgements number the queries by their position in the file, not by their ids; -1
//! means not relevant, while all other grades count as relevant; and two abstracts are empty.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

/// The grade of a document that is not relevant.
const NOT_RELEVANT: i32 = -1;

/// Documents, and queries with their relevant documents.
#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) documents: Vec<Document>,
    pub(crate) queries: Vec<Query>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Its id in the collection.
    pub(crate) number: usize,
    pub(crate) title: String,
    pub(crate) text: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) text: String,
    /// The numbers of relevant documents.
    pub(crate) relevant: BTreeSet<usize>,
}

impl Collection {
    /// Reads the files of a folder.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let file = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        let documents =
            records(&file("cran.all.1400")?).map(|record| document(&record)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut queries: Vec<Query> = records(&file("cran.qry")?)
            .map(|record| Query { text: one_line(record.field('W')), relevant: BTreeSet::new() })
            .collect();
        for (at, line) in file("cranqrel")?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            judgement(line, &mut queries).with_context(|| format!("line {} of cranqrel", at + 1))?;
        }
        ensure!(!documents.is_empty() && !queries.is_empty(), "{} holds no documents or no queries", folder.display());
        Ok(Self { documents, queries })
    }
}

/// Adds a line such as `1 184 2`: the query's position from 1, the document, the grade.
fn judgement(line: &str, queries: &mut [Query]) -> anyhow::Result<()> {
    let numbers: Vec<i32> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [place, number, grade] = numbers[..] else { bail!("{line:?} is not a query, a document and a grade") };
    let query = usize::try_from(place).ok().and_then(|place| queries.get_mut(place.checked_sub(1)?));
    let query = query.with_context(|| format!("there is no query at position {place}"))?;
    if grade != NOT_RELEVANT {
        query.relevant.insert(usize::try_from(number)?);
    }
    Ok(())
}

fn document(record: &Record<'_>) -> anyhow::Result<Document> {
    let number = record.id.parse().with_context(|| format!("the id {:?}", record.id))?;
    Ok(Document { number, title: one_line(record.field('T')), text: record.field('W').trim().to_owned() })
}

/// The part between two lines with `.I`.
struct Record<'a> {
    id: &'a str,
    body: &'a str,
}

fn records(file: &str) -> impl Iterator<Item = Record<'_>> {
    let parts = file.strip_prefix(".I ").unwrap_or(file).split("\n.I ");
    parts.filter(|part| !part.trim().is_empty()).map(|part| {
        let (id, body) = part.split_once('\n').unwrap_or((part, ""));
        Record { id: id.trim(), body }
    })
}

impl<'a> Record<'a> {
    /// The text of a field, for example after the line `.W`, up to the next field; empty if there
    /// is none. Abstracts come last and extend to the end.
    fn field(&self, name: char) -> &'a str {
        let is_mark = |line: &str, name: Option<char>| {
            let mark = line.trim_end().strip_prefix('.').unwrap_or_default();
            name.map_or(matches!(mark, "T" | "A" | "B" | "W"), |name| mark.chars().eq([name]))
        };
        let mut at = 0;
        let mut begin = None;
        for line in self.body.split_inclusive('\n') {
            if begin.is_some() && name != 'W' && is_mark(line, None) {
                break;
            }
            at += line.len();
            if begin.is_none() && is_mark(line, Some(name)) {
                begin = Some(at);
            }
        }
        begin.map_or("", |begin| &self.body[begin..at])
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_traps_of_the_files_are_known() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/retrieval/tiny");
        let collection = Collection::read(&folder).unwrap();
        let numbers: Vec<usize> = collection.documents.iter().map(|document| document.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(collection.documents[0].title, "opening hours of the clinics");
        assert_eq!(collection.documents[7], Document { number: 8, title: String::new(), text: String::new() });
        let relevant: Vec<Vec<usize>> =
            collection.queries.iter().map(|query| query.relevant.iter().copied().collect()).collect();
        assert_eq!(relevant, [vec![1, 2], vec![3, 4], vec![6], vec![7], vec![8]], "by place, without -1");
        assert_eq!(collection.queries[1].text, "scanning with two radiologists .");
    }

    #[test]
    fn what_cannot_be_a_judgement_is_named() {
        let mut queries = vec![Query { text: String::new(), relevant: BTreeSet::new() }];
        assert_eq!(judgement("2 1 3", &mut queries).unwrap_err().to_string(), "there is no query at position 2");
        assert!(judgement("1 2", &mut queries).is_err());
        assert!(judgement("1 x 3", &mut queries).is_err());
    }
}
