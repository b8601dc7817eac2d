//! Tests of the readers, with valid and malicious documents. The files are made here.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use copydesk_domain::document::NewChunk;

use super::passages::PASSAGE_CHARS;
use super::*;

/// Tests run unoptimized, beside others.
const READING_TIME: Duration = Duration::from_secs(60);

pub(crate) fn upload(media_type: MediaType, body: Body) -> Upload {
    Upload { title: "Handbook".into(), media_type, body }
}

fn ingested(media_type: MediaType, text: &str) -> Vec<NewChunk> {
    let read = read(&upload(media_type, Body::Text(text.into())));
    read.unwrap_or_else(|reason| panic!("{reason}")).chunks
}

fn reason(media_type: MediaType, text: &str) -> Unusable {
    read(&upload(media_type, Body::Text(text.into()))).map(|read| panic!("{read:?}")).unwrap_err()
}

pub(crate) fn from_file(media_type: MediaType, file: Vec<u8>) -> Result<Reading, Unusable> {
    read(&upload(media_type, Body::File(file)))
}

pub(crate) fn read_file(media_type: MediaType, file: Vec<u8>) -> Vec<NewChunk> {
    from_file(media_type, file).unwrap_or_else(|reason| panic!("{reason}")).chunks
}

pub(crate) fn paths(chunks: &[NewChunk]) -> Vec<(&str, &str)> {
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
    let sentences: Vec<String> = (0..200).map(|n| format!("Sentence number {n} says something of its own.")).collect();
    let chunks = ingested(MediaType::Plain, &sentences.join(" "));
    assert!(chunks.len() > 4);
    assert!(chunks.iter().all(|chunk| chunk.text.chars().count() <= PASSAGE_CHARS));
    let overlaps = chunks.windows(2).filter(|pair| {
        let end: String = pair[0].text.chars().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect();
        pair[1].text.contains(&end)
    });
    assert!(overlaps.count() >= chunks.len() / 2);
    assert!(
        sentences.iter().all(|sentence| chunks.iter().any(|chunk| chunk.text.contains(sentence.trim_end_matches('.'))))
    );
}

#[test]
fn a_heading_without_text_of_its_own_is_found() {
    let text = "# Handbook\n\n# Harbour Ferries\n\n# Always on time\n\n# Crew\n\n## Ada Berg\n\n## Bo Lind\n\n## Prices\n\n40 euro.\n";
    let chunks = ingested(MediaType::Markdown, text);
    assert_eq!(
        paths(&chunks),
        [
            ("Handbook", "Harbour Ferries\nAlways on time"),
            ("Handbook › Crew", "Ada Berg\nBo Lind"),
            ("Handbook › Crew › Prices", "40 euro."),
        ]
    );
    assert_eq!(paths(&ingested(MediaType::Markdown, "# Heading only\n")), [("Handbook", "Heading only")]);
}

#[test]
fn the_same_passage_is_kept_once() {
    let chunks = ingested(MediaType::Markdown, "# A\n\nThe same text.\n\n# B\n\nthe  SAME text.\n\n# C\n\nAnother.");
    assert_eq!(paths(&chunks), [("Handbook › A", "The same text."), ("Handbook › C", "Another.")]);
}

#[test]
fn what_is_no_text_says_why() {
    for empty in ["", "   \n\n", "---\n\n***\n"] {
        assert!(matches!(reason(MediaType::Markdown, empty), Unusable::NoText), "{empty:?}");
    }
    assert!(matches!(reason(MediaType::Html, "<script>x</script>"), Unusable::NoText));
    assert!(matches!(reason(MediaType::Plain, "PDF\0\u{1}"), Unusable::Binary));
    assert!(matches!(reason(MediaType::Plain, &"\u{fffd}\u{1}ab".repeat(20)), Unusable::Binary));
}

#[test]
fn the_language_is_told_and_doubt_is_none() {
    let language = |text: &str| read(&upload(MediaType::Plain, Body::Text(text.into()))).unwrap().language;
    let german = "Unsere Kliniken öffnen um acht Uhr. Jeder Befund wird zweimal gelesen, und die Patienten erhalten ihn am selben Tag.";
    assert_eq!(language(german), Some(Language::German));
    assert_eq!(
        language("Our clinics open at eight. Every finding is read twice, and patients have it on the same day."),
        Some(Language::English)
    );
    assert_eq!(language("42 1,000.50"), None);
}

#[test]
fn one_long_line_is_cut_within_seconds() {
    let begun = Instant::now();
    let words = "words without an end ".repeat(12_000);
    let chunks =
        ingested(MediaType::Plain, &format!("{}{words}", (0..2_000).map(|n| format!("w{n} ")).collect::<String>()));
    assert!(chunks.iter().all(|chunk| chunk.text.chars().count() <= PASSAGE_CHARS));
    ingested(MediaType::Markdown, &"x".repeat(256 * 1024));
    assert!(begun.elapsed() < READING_TIME, "{:?}", begun.elapsed());
    let headings: String = (0..30_000).map(|n| format!("# {n}\nText {n}.\n")).collect();
    assert!(matches!(reason(MediaType::Markdown, &headings), Unusable::TooManyPassages(_)));
}

#[test]
fn a_garbled_text_is_used_and_told() {
    let sound = "Our clinics open at eight in the morning on weekdays, and patients have their findings on the same day, \
        whoever read their scan for them that morning.";
    let garbled: String = sound.chars().filter(|c| !c.is_whitespace()).flat_map(|c| [c, ' ']).collect();
    for kind in [MediaType::Plain, MediaType::Markdown, MediaType::Html] {
        for (text, expected) in [(sound, &[][..]), (&garbled, &["garbled_text"])] {
            let read = read(&upload(kind, Body::Text(text.into()))).unwrap();
            let codes: Vec<_> = read.warnings.iter().map(|warning| warning.code.as_str()).collect();
            assert_eq!((codes.as_slice(), read.chunks.len()), (expected, 1), "{kind}: {text}");
        }
    }
}
