//! Tests of the readers, with valid and malicious documents. The files are made here.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use copydesk_domain::document::NewChunk;
use lopdf::content::{Content, Operation};
use lopdf::{Document, EncryptionState, EncryptionVersion, Object, Permissions, Stream, dictionary};

use super::markdown::without_front_matter;
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
    let chunks = ingested(MediaType::Markdown, "# A\n\nThe same text.\n\n# B\n\nthe  SAME text.\n\n# C\n\nAnother.");
    assert_eq!(paths(&chunks), [("Handbook › A", "The same text."), ("Handbook › C", "Another.")]);
}

#[test]
fn what_is_no_text_says_why() {
    for empty in ["", "   \n\n", "# Heading only\n", "---\n\n***\n"] {
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

/// A PDF with a page for each list of lines. A line has a size in points and a text.
fn pdf(pages: &[Vec<(i64, String)>]) -> Document {
    let mut document = Document::with_version("1.5");
    let tree = document.new_object_id();
    let font = document.add_object(dictionary! {
        "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica", "Encoding" => "WinAnsiEncoding",
    });
    let resources = document.add_object(dictionary! { "Font" => dictionary! { "F1" => font } });
    let mut kids = Vec::new();
    for lines in pages {
        let mut operations = vec![Operation::new("BT", vec![])];
        let mut y = 760;
        for (size, text) in lines {
            y -= size + 2;
            operations.push(Operation::new("Tf", vec!["F1".into(), (*size).into()]));
            operations.push(Operation::new("Tm", vec![1.into(), 0.into(), 0.into(), 1.into(), 50.into(), y.into()]));
            operations.push(Operation::new("Tj", vec![Object::string_literal(text.as_str())]));
        }
        operations.push(Operation::new("ET", vec![]));
        let content = Stream::new(dictionary! {}, Content { operations }.encode().unwrap());
        let content = document.add_object(content);
        kids.push(Object::from(document.add_object(dictionary! {
            "Type" => "Page", "Parent" => tree, "Contents" => content, "Resources" => resources,
        })));
    }
    let count = i64::try_from(kids.len()).unwrap();
    document.objects.insert(tree, dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count }.into());
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => tree });
    document.trailer.set("Root", catalog);
    document
        .trailer
        .set("ID", vec![Object::string_literal("0123456789abcdef"), Object::string_literal("0123456789abcdef")]);
    document
}

fn bytes(mut document: Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

fn handbook_pages() -> Vec<Vec<(i64, String)>> {
    let page = |n: usize, title: &str, text: &str| {
        let mut lines = vec![(9, "Acme Clinics - Handbook".to_owned()), (18, title.to_owned())];
        lines.extend(text.lines().map(|line| (11, line.to_owned())));
        lines.push((9, format!("Page {n} of 3")));
        lines
    };
    vec![
        page(1, "Opening hours", "Our clinics open at eight in the mor-\nning on weekdays."),
        page(2, "Diagnostics", "Every scan is read twice,\n# and by a radiologist."),
        page(3, "Prices", "A consultation costs 90 francs."),
    ]
}

#[test]
fn a_pdf_is_read_by_its_headings_without_what_every_page_repeats() {
    let mut document = pdf(&handbook_pages());
    document.compress();
    let chunks = read_file(MediaType::Pdf, bytes(document));
    assert_eq!(
        paths(&chunks),
        [
            ("Handbook › Opening hours", "Our clinics open at eight in the morning on weekdays."),
            ("Handbook › Diagnostics", "Every scan is read twice,\n\\# and by a radiologist."),
            ("Handbook › Prices", "A consultation costs 90 francs."),
        ]
    );
}

#[test]
fn a_pdf_that_cannot_be_read_says_what_to_do() {
    assert!(matches!(from_file(MediaType::Pdf, bytes(pdf(&[vec![]]))), Err(Unusable::NoTextInPdf)));
    for damaged in [b"%PDF-1.7\nnothing more".to_vec(), bytes(pdf(&handbook_pages()))[..300].to_vec(), vec![]] {
        let read = from_file(MediaType::Pdf, damaged);
        assert!(matches!(read, Err(Unusable::Damaged(..) | Unusable::NoTextInPdf)), "{read:?}");
    }
    let many: Vec<_> = (0..2_001).map(|n| vec![(11, format!("Page {n} says something."))]).collect();
    assert!(matches!(from_file(MediaType::Pdf, bytes(pdf(&many))), Err(Unusable::TooManyPages(2_000))));
}

#[test]
fn a_pdf_with_a_password_is_told_from_one_that_only_forbids() {
    let locked = |user_password: &str| {
        let mut document = pdf(&handbook_pages());
        let version = EncryptionVersion::V2 {
            document: &document,
            owner_password: "owner",
            user_password,
            key_length: 128,
            permissions: Permissions::empty(),
        };
        let state = EncryptionState::try_from(version).unwrap();
        document.encrypt(&state).unwrap();
        from_file(MediaType::Pdf, bytes(document))
    };
    assert!(matches!(locked("secret"), Err(Unusable::Encrypted("PDF"))), "{:?}", locked("secret"));
    assert_eq!(locked("").unwrap().chunks.len(), 3);
}

/// A stream that unpacks to `n` equal bytes.
fn packed(n: usize) -> Stream {
    let mut stream = Stream::new(dictionary! {}, vec![b' '; n]);
    stream.compress().unwrap();
    stream
}

#[test]
fn a_pdf_that_unpacks_to_too_much_is_refused_early() {
    let mut one_page = pdf(&handbook_pages());
    let page = one_page.page_iter().next().unwrap();
    let bomb = one_page.add_object(packed(5_000_000));
    one_page.get_object_mut(page).unwrap().as_dict_mut().unwrap().set("Contents", bomb);
    let file = bytes(one_page);
    assert!(file.len() < 100_000);
    assert!(matches!(from_file(MediaType::Pdf, file), Err(Unusable::TooLarge(_))));
}

#[test]
fn pages_and_their_text_are_bounded_together() {
    let pages = |stream: &Stream| {
        let mut document = pdf(&vec![vec![(11, "A page.".to_owned())]; 9]);
        for page in document.page_iter().collect::<Vec<_>>() {
            let content = document.add_object(stream.clone());
            document.get_object_mut(page).unwrap().as_dict_mut().unwrap().set("Contents", content);
        }
        from_file(MediaType::Pdf, bytes(document))
    };
    assert!(matches!(pages(&packed(4_000_000)), Err(Unusable::TooLarge(_))), "36 MB in pages of 4 MB");
    let words = "Every scan is read twice. ".repeat(50_000);
    let drawn = Content {
        operations: vec![
            Operation::new("BT", vec![]),
            Operation::new("Tf", vec!["F1".into(), 11.into()]),
            Operation::new("Tj", vec![Object::string_literal(words)]),
            Operation::new("ET", vec![]),
        ],
    };
    let read = pages(&Stream::new(dictionary! {}, drawn.encode().unwrap()));
    assert!(matches!(read, Err(Unusable::TooLarge(most)) if most == 10 * 1024 * 1024), "11 MB of text");
}

#[test]
fn a_pdf_of_deep_or_circular_objects_ends() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep =
        format!("%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R/X {deep}>>\nendobj\ntrailer\n<</Root 1 0 R>>\n%%EOF");
    assert!(from_file(MediaType::Pdf, deep.into_bytes()).is_err());
    let mut circle = pdf(&handbook_pages());
    let tree = circle.catalog().unwrap().get(b"Pages").unwrap().as_reference().unwrap();
    circle.get_object_mut(tree).unwrap().as_dict_mut().unwrap().set("Kids", vec![Object::from(tree)]);
    assert!(from_file(MediaType::Pdf, bytes(circle)).is_err());
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
