//! The search over one business's passages.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::chunk;

fn clinic() -> Passages {
    Passages::index(vec![
        chunk("Acme Clinics › Opening hours", "Our clinics open at eight in the morning on weekdays."),
        chunk("Acme Clinics › Diagnostics", "Every scan is read twice: by a model, and by a radiologist."),
        chunk("Acme Clinics › Prices", "A consultation costs 90 francs. A scan costs more."),
        chunk("Le café d'Acme", "Nous ouvrons à huit heures."),
    ])
    .unwrap()
}

fn found(passages: &Passages, query: &str) -> Vec<String> {
    let hits = passages.search(query, 10).unwrap();
    hits.into_iter().map(|hit| hit.chunk.heading_path).collect()
}

#[test]
fn words_are_found_whatever_their_endings_case_and_accents() {
    let clinic = clinic();
    assert_eq!(found(&clinic, "RADIOLOGISTS"), ["Acme Clinics › Diagnostics"]);
    assert_eq!(found(&clinic, "opened"), ["Acme Clinics › Opening hours"]);
    assert_eq!(found(&clinic, "cafe"), ["Le café d'Acme"]);
}

#[test]
fn words_are_found_in_every_form_of_unicode() {
    let (nfc, nfd) = ("Résumés des élèves", "Re\u{301}sume\u{301}s des e\u{301}le\u{300}ves");
    let (korean, jamo) = ("여객선", "\u{110b}\u{1167}\u{1100}\u{1162}\u{11a8}\u{1109}\u{1165}\u{11ab}");
    let (word, cut) = ("Wertpapierabteilung", "Wert\u{ad}papier\u{200b}abtei\u{ad}\nlung");
    for (one, other) in [(nfc, nfd), (korean, jamo), (word, cut)] {
        for language in [None, Some(Language::French), Some(Language::German)] {
            let in_text = |text| Chunk { language, ..chunk("Text", text) };
            let in_heading = |text| Chunk { language, ..chunk(text, "Heading") };
            let passages =
                Passages::index(vec![in_text(one), in_text(other), in_heading(one), in_heading(other)]).unwrap();
            for query in [one, other] {
                assert_eq!(passages.search(query, 10).unwrap().len(), 4, "{query:?} as {language:?}");
            }
        }
    }
}

#[test]
fn words_are_found_by_the_endings_of_their_passages_language() {
    let german = Chunk {
        language: Some(Language::German),
        ..chunk("Kliniken › Befunde", "Jeder Befund wird von zwei Ärztinnen gelesen.")
    };
    let passages = Passages::index(vec![german, chunk("Clinics", "Two doctors read every finding.")]).unwrap();
    assert_eq!(found(&passages, "Befunden"), ["Kliniken › Befunde"]);
    assert_eq!(found(&passages, "arztinnen"), ["Kliniken › Befunde"]);
    assert_eq!(found(&passages, "findings"), ["Clinics"]);
    assert!(found(&passages, "der von wird").is_empty(), "German words that say nothing");
}

#[test]
fn a_heading_weighs_more_than_the_text_and_a_rare_word_more_than_a_common_one() {
    let clinic = clinic();
    assert_eq!(found(&clinic, "prices of a scan")[0], "Acme Clinics › Prices");
    let passages = Passages::index(vec![
        chunk("Guide › Other", "Some words about pricing, among many others that matter as much."),
        chunk("Guide › Pricing", "Some words about something, among many others that matter as much."),
    ])
    .unwrap();
    assert_eq!(found(&passages, "pricing"), ["Guide › Pricing", "Guide › Other"]);
}

/// Worked out from the formula in `bm25`, with k1 = 2, b = 0.75 and headings weighing 2.5.
#[test]
fn a_score_is_as_worked_out_by_hand() {
    let passages = Passages::index(vec![
        chunk("Clinics", "scan scan bed bed"),
        chunk("Scan", "bed bed"),
        chunk("Clinics", "bed bed bed bed bed bed"),
    ])
    .unwrap();
    let hits = passages.search("scans", 10).unwrap();
    // Two of three passages contain it: the first twice in a text of mean length, the second once
    // in a heading of mean length, which weighs 2.5.
    let rarity = (1.0_f32 + 1.5 / 2.5).ln();
    let expected = [rarity * 3.0 * 2.5 / 4.5, rarity * 3.0 * 2.0 / 4.0];
    assert_eq!(hits[0].chunk.heading_path, "Scan");
    for (hit, expected) in hits.iter().zip(expected) {
        assert!((hit.score - expected).abs() < 1e-5, "{} is not {expected}", hit.score);
    }
    // Of two texts with equal frequency, the shorter one scores higher.
    let beds: Vec<f32> = passages.search("bed", 10).unwrap().iter().map(|hit| hit.score).collect();
    assert_eq!(beds.len(), 3);
    let common = (1.0_f32 + 0.5 / 3.5).ln();
    let frequencies = [6.0 / (0.25 + 0.75 * 6.0 / 4.0), 2.0 / (0.25 + 0.75 * 2.0 / 4.0), 2.0_f32];
    for (score, frequency) in beds.iter().zip(frequencies) {
        let expected = common * 3.0 * frequency / (2.0 + frequency);
        assert!((score - expected).abs() < 1e-5, "{score} is not {expected}");
    }
}

#[test]
fn words_and_meaning_are_fused_and_passages_without_a_vector_are_known() {
    let vector = |numbers: [f32; 2]| Vector::parse(numbers.to_vec()).unwrap();
    let known = |chunk: &Chunk, numbers| (InputHash::of(&chunk.heading_path, &chunk.text), vector(numbers));
    let chunks = [chunk("Prices", "A scan costs 90."), chunk("Fees", "What you pay."), chunk("Hours", "At eight.")];
    let vectors = HashMap::from([known(&chunks[0], [0.0, 1.0]), known(&chunks[1], [1.0, 0.1])]);
    let plain = Passages::index(chunks.to_vec()).unwrap();
    let plain_bytes = plain.size_bytes();
    let passages = plain.with_vectors(&vectors);
    assert!(passages.size_bytes() >= plain_bytes + 2 * 2 * size_of::<f32>(), "they count as memory");
    let found = |query, numbers| {
        let hits = passages.search_hybrid(query, &vector(numbers), 10).unwrap();
        hits.into_iter().map(|hit| hit.chunk.heading_path).collect::<Vec<_>>()
    };
    assert_eq!(found("expense", [1.0, 0.0]), ["Fees"], "none holds the word");
    assert_eq!(found("scan", [1.0, 0.2]), ["Prices", "Fees"], "first by words and second by meaning");
    assert_eq!(found("eight", [-1.0, -1.0]), ["Hours"], "without a vector by its words");
    let missing = |dimension| passages.unembedded(dimension).map(|passage| passage.input).collect::<Vec<_>>();
    assert_eq!(missing(2), ["Hours\nAt eight."]);
    assert_eq!(missing(3).len(), 3, "vectors of another dimension are none");
    assert!(passages.lacks_vectors(2) && passages.lacks_vectors(3));
    let other = Vector::parse(vec![1.0, 0.0, 0.0]).unwrap();
    let hits = passages.search_hybrid("scan", &other, 10).unwrap();
    assert_eq!(hits.len(), 1, "by words alone");
}

#[test]
fn words_that_only_ask_find_nothing() {
    let clinic = clinic();
    assert!(found(&clinic, "what have we been doing about it").is_empty());
    assert_eq!(found(&clinic, "what would a consultation cost"), ["Acme Clinics › Prices"]);
}

#[test]
fn scores_fall_and_the_limit_holds() {
    let hits = clinic().search("acme clinics scan", 2).unwrap();
    assert_eq!(hits.len(), 2);
    assert!(hits[0].score >= hits[1].score && hits[1].score > 0.0);
    assert!(clinic().search("acme", 0).unwrap().is_empty());
    assert_eq!(clinic().search("acme", usize::MAX).unwrap().len(), 4);
}

#[test]
fn any_characters_make_a_query() {
    let clinic = clinic();
    for odd in [
        "",
        "   ",
        "\"",
        "scan\"",
        "+scan -price",
        "title:scan AND (OR NOT",
        "scan~2^3",
        "[a TO b]",
        "{",
        "*",
        "?",
        "\\",
        "/regex/",
        "🩻 scan 🩻",
        "\0",
        "\u{202e}",
        "the of and",
        "<b>scan</b>",
        "'; drop table chunks; --",
        &"scan ".repeat(100_000),
        &"x".repeat(100_000),
    ] {
        let hits = clinic.search(odd, 10).unwrap();
        assert_eq!(!hits.is_empty(), odd.contains("scan"), "{:.40}", odd);
    }
}

#[test]
fn no_passages_answer_nothing() {
    let none = Passages::index(Vec::new()).unwrap();
    assert!(none.search("scan", 10).unwrap().is_empty());
}

#[test]
fn equal_passages_come_in_a_stable_order() {
    let twins = || Passages::index((0..50).map(|n| chunk(&format!("T{n}"), "the same words")).collect()).unwrap();
    assert_eq!(found(&twins(), "words"), found(&twins(), "words"));
    assert_eq!(found(&twins(), "words")[0], "T0");
}
