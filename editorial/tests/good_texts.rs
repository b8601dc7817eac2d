//! Texts that people wrote and published, under open licences (each names its source and licence): the checks that no
//! format is free of refuse hardly one of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use copydesk_domain::format::Format;
use copydesk_editorial::answer::{self, Asked};
use copydesk_editorial::format::{Rules, Spec};
use copydesk_editorial::text::language::count_words;

/// Checks of every format. People did not write to our formats' shapes and lengths.
const GENERAL: [&str; 5] = ["headings_whole", "sentences", "task", "placeholders", "language"];
/// Texts that may be refused: a check that never errs checks nothing.
const MOST_REFUSED: usize = 1;

/// What the checks have against a text.
fn refusals(format: Format, title: &str, text: &str) -> Vec<String> {
    let words = u16::try_from(count_words(text)).unwrap();
    let asked = Asked { instructions: "", private: Vec::new(), topic: title, language: "en", words };
    let rules =
        Rules { business_name: "Acme", topic: title, language: "en", words, banned_phrases: &[], keywords: &[] };
    let checks = Spec::of(format).check(text, &rules);
    let failed = checks.into_iter().filter(|check| !check.passed && GENERAL.contains(&check.name.as_str()));
    let defect = answer::defect(&answer::unwrap(text), false, &asked).map(|defect| format!("{defect:?}"));
    failed.map(|check| check.detail).chain(defect).collect()
}

#[test]
fn texts_that_people_wrote_are_not_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/good");
    let (mut read, mut refused) = (BTreeMap::<_, usize>::new(), Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let (name, file) = (path.file_stem().unwrap().to_str().unwrap(), std::fs::read_to_string(&path).unwrap());
        let (slug, _) = name.rsplit_once('-').unwrap();
        let format = *Format::ALL.iter().find(|format| format.slug() == slug).unwrap();
        let (front, text) = file.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
        let title = front.lines().find_map(|line| line.strip_prefix("title:")).unwrap_or_default();
        assert!(front.contains("licence:") && front.contains("source:"), "{name} names no source or licence");
        *read.entry(slug.to_owned()).or_default() += 1;
        let found = refusals(format, title, text.trim());
        if !found.is_empty() {
            refused.push(format!("{name}: {found:?}"));
        }
    }
    let all: usize = read.values().sum();
    assert!(all >= 40 && read.len() == Format::ALL.len(), "{read:?}");
    println!("{} of {all} refused: {refused:#?}", refused.len());
    assert!(refused.len() <= MOST_REFUSED, "{} of {all}: {refused:#?}", refused.len());
}
