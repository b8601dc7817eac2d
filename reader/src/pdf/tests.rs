//! Tests of the reader of PDF files, with poppler's own program. The files are made here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use copydesk_domain::document::MediaType;
use lopdf::content::{Content, Operation};
use lopdf::{Document, EncryptionState, EncryptionVersion, Object, Permissions, Stream, dictionary};

use crate::Unusable;
use crate::tests::{from_file, paths, read_file};

/// A PDF with a page for each list of lines. A line has a size in points and a text.
pub(super) fn pdf(pages: &[Vec<(i64, String)>]) -> Document {
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

pub(super) fn bytes(mut document: Document) -> Vec<u8> {
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

#[test]
fn the_text_of_all_pages_together_is_bounded() {
    let file = bytes(pdf(&handbook_pages()));
    let whole = super::text(&file, 10_000).unwrap();
    assert_eq!(super::text(&file, whole.len()).unwrap(), whole);
    let read = super::text(&file, whole.len() - 1);
    assert!(matches!(read, Err(Unusable::TooLarge(most)) if most == whole.len() as u64 - 1), "{read:?}");
}

#[test]
fn pages_without_text_are_told() {
    let mut pages = handbook_pages();
    assert_eq!(from_file(MediaType::Pdf, bytes(pdf(&pages))).unwrap().warnings, []);
    pages.push(vec![]);
    let read = from_file(MediaType::Pdf, bytes(pdf(&pages))).unwrap();
    let codes: Vec<_> = read.warnings.iter().map(|warning| (warning.code.as_str(), warning.detail.as_str())).collect();
    assert!(matches!(codes[..], [("pages_without_text", detail)] if detail.starts_with("1 of 4 pages")), "{codes:?}");
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
