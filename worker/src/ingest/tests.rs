//! Tests of the readers, with valid and malicious documents. The files are made here.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::time::Instant;

use lopdf::content::{Content, Operation};
use lopdf::{Document, EncryptionState, EncryptionVersion, Object, Permissions, Stream, dictionary};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::passages::PASSAGE_CHARS;
use super::*;

fn source(media_type: MediaType, body: Body) -> Source {
    Source { title: "Handbook".into(), media_type, body, revision: 1 }
}

fn ingested(media_type: MediaType, text: &str) -> Vec<NewChunk> {
    let read = ingest(&source(media_type, Body::Text(text.into())));
    read.unwrap_or_else(|reason| panic!("{reason}")).0
}

fn reason(media_type: MediaType, text: &str) -> Unusable {
    ingest(&source(media_type, Body::Text(text.into()))).map(|(chunks, ..)| panic!("{chunks:?}")).unwrap_err()
}

fn from_file(media_type: MediaType, file: Vec<u8>) -> Read {
    ingest(&source(media_type, Body::File(file)))
}

fn read_file(media_type: MediaType, file: Vec<u8>) -> Vec<NewChunk> {
    from_file(media_type, file).unwrap_or_else(|reason| panic!("{reason}")).0
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
    let language = |text: &str| ingest(&source(MediaType::Plain, Body::Text(text.into()))).unwrap().1;
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
    assert_eq!(locked("").unwrap().0.len(), 3);
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

const HEAD: &str = r#"<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>"#;
const TAIL: &str = "</w:body></w:document>";

fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, part) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(part).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn docx(body: &str) -> Vec<u8> {
    let styles = r#"<w:styles xmlns:w="x"><w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
        <w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style></w:styles>"#;
    let document = format!("{HEAD}{body}{TAIL}");
    archive(&[("word/styles.xml", styles.as_bytes()), ("word/document.xml", document.as_bytes())])
}

#[test]
fn a_word_file_is_read_by_its_headings_lists_and_tables() {
    let text = |text: &str| format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>");
    let styled = |style: &str, words: &str| {
        format!(r#"<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{words}</w:t></w:r></w:p>"#)
    };
    let item = "<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>By a model</w:t></w:r></w:p>";
    let deleted = "<w:p><w:del><w:r><w:delText>Old.</w:delText></w:r></w:del><w:r><w:t xml:space=\"preserve\">Read &amp; </w:t></w:r><w:r><w:t>signed&#33;</w:t></w:r></w:p>";
    let row = |cells: [&str; 2]| format!("<w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr>", text(cells[0]), text(cells[1]));
    let body = [
        styled("berschrift1", "Diagnostics"),
        text("Every scan is read twice."),
        styled("berschrift2", "Who reads"),
        item.to_owned(),
        deleted.to_owned(),
        styled("Heading1", "Prices"),
        format!("<w:tbl>{}{}</w:tbl>", row(["Visit", "60"]), row(["Scan", "90"])),
    ];
    let chunks = read_file(MediaType::Docx, docx(&body.concat()));
    assert_eq!(
        paths(&chunks),
        [
            ("Handbook › Diagnostics", "Every scan is read twice."),
            ("Handbook › Diagnostics › Who reads", "- By a model\nRead & signed!"),
            ("Handbook › Prices", "Visit | 60 | \nScan | 90 |"),
        ]
    );
}

#[test]
fn a_word_file_that_cannot_be_read_says_what_to_do() {
    let read = |file| from_file(MediaType::Docx, file);
    assert!(matches!(read(b"PK\x03\x04 and no more".to_vec()), Err(Unusable::Damaged(..))));
    assert!(matches!(read(archive(&[("xl/workbook.xml", b"<x/>")])), Err(Unusable::NotTheFormat(_))));
    assert!(matches!(read(docx("")), Err(Unusable::NoText)));
    assert!(matches!(read(archive(&[("word/document.xml", HEAD.as_bytes())])), Err(Unusable::Damaged(..))));
    assert!(matches!(read(archive(&[("word/document.xml", b"\xff\xfe\x00<")])), Err(Unusable::Damaged(..))));
    let cut = docx("<w:p><w:r><w:t>Words.</w:t></w:r></w:p>");
    assert!(read(cut[..cut.len() - 30].to_vec()).is_err());
}

#[test]
fn a_word_file_cannot_bring_entities_bombs_or_paths() {
    let entities = format!(
        r#"<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y "&x;&x;">]>{HEAD}<w:p><w:r><w:t>&x;</w:t></w:r></w:p>{TAIL}"#
    );
    let read = |parts: &[(&str, &[u8])]| from_file(MediaType::Docx, archive(parts));
    assert!(matches!(read(&[("word/document.xml", entities.as_bytes())]), Err(Unusable::Entities)));

    let bomb = vec![b' '; 17_000_000];
    let file = archive(&[("word/document.xml", &bomb)]);
    assert!(file.len() < 200_000);
    assert!(matches!(from_file(MediaType::Docx, file), Err(Unusable::TooLarge(_))));

    let boxed = "<w:p><mc:AlternateContent><mc:Choice><w:r><w:t>Once.</w:t></w:r></mc:Choice><mc:Fallback><w:r><w:t>Once.</w:t></w:r>\
        </mc:Fallback></mc:AlternateContent></w:p>";
    assert_eq!(paths(&read_file(MediaType::Docx, docx(boxed))), [("Handbook", "Once.")]);

    let deep = format!("{HEAD}{}", "<w:p>".repeat(100_000));
    assert!(matches!(read(&[("word/document.xml", deep.as_bytes())]), Err(Unusable::TooDeep(_))));

    let document = format!("{HEAD}<w:p><w:r><w:t>Words.</w:t></w:r></w:p>{TAIL}");
    let outside = "../../../../tmp/copydesk-outside";
    let chunks =
        archive(&[(outside, b"x"), ("/etc/copydesk-outside", b"x"), ("word/document.xml", document.as_bytes())]);
    assert_eq!(paths(&read_file(MediaType::Docx, chunks)), [("Handbook", "Words.")]);
    assert!(!std::path::Path::new("/tmp/copydesk-outside").exists());
}

#[test]
fn one_long_line_is_cut_within_seconds() {
    let begun = Instant::now();
    let words = "words without an end ".repeat(12_000);
    let chunks =
        ingested(MediaType::Plain, &format!("{}{words}", (0..2_000).map(|n| format!("w{n} ")).collect::<String>()));
    assert!(chunks.iter().all(|chunk| chunk.text.chars().count() <= PASSAGE_CHARS));
    ingested(MediaType::Markdown, &"x".repeat(256 * 1024));
    assert!(begun.elapsed() < MAX_READING_TIME, "{:?}", begun.elapsed());
    let headings: String = (0..30_000).map(|n| format!("# {n}\nText {n}.\n")).collect();
    assert!(matches!(reason(MediaType::Markdown, &headings), Unusable::TooManyPassages(_)));
}

#[tokio::test]
async fn a_panic_or_a_failed_reader_is_the_documents_failure() {
    assert!(matches!(apart(|| panic!("a parser's bug")).await, Err(Unusable::Panicked)));
    assert!(matches!(apart(|| Err(Unusable::NoText)).await, Err(Unusable::NoText)));
}
