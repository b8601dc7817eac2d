//! What a file must be so that it tests something: the API lets it in, and a seed always makes it.

use std::collections::HashSet;

use super::*;

/// The beginning that the API wants, and none that it knows as another type's.
fn is_let_in(file: &HostileFile) -> bool {
    let (_, extension) = file.name.rsplit_once('.').expect("an extension");
    let bytes = &file.bytes;
    let is_text = || {
        let text = str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0') && !text.trim().is_empty());
        text && !bytes.starts_with(b"%PDF-") && !bytes.starts_with(b"PK\x03\x04")
    };
    let begins = match extension {
        "pdf" => bytes[..bytes.len().min(1_024)].windows(5).any(|mark| mark == b"%PDF-"),
        "docx" => bytes.starts_with(b"PK\x03\x04"),
        "html" | "md" | "txt" => is_text(),
        _ => false,
    };
    begins && bytes.len() <= MAX_FILE_BYTES
}

#[test]
fn every_file_passes_the_door_and_has_a_name_of_its_own() {
    let mut names = HashSet::new();
    for file in files(7) {
        assert!(is_let_in(&file), "{}: {} bytes", file.name, file.bytes.len());
        assert!(names.insert(file.name.clone()), "{} occurs twice", file.name);
    }
    assert_eq!(names.len(), Category::ALL.len() * FILES);
}

#[test]
fn a_seed_always_makes_the_same_files() {
    for category in [Category::Width, Category::Encodings, Category::Truncation] {
        for number in [0, 9, 24] {
            assert_eq!(file(3, category, number), file(3, category, number));
        }
    }
    assert_ne!(file(3, Category::Truncation, 0).bytes, file(4, Category::Truncation, 0).bytes);
}

#[test]
fn mutations_of_text_are_text() {
    let mut rng = Rng::seed_from_u64(1);
    for _ in 0..200 {
        assert!(String::from_utf8(mutation::mutated(&mut rng, "html")).is_ok_and(|text| !text.contains('\0')));
    }
}
