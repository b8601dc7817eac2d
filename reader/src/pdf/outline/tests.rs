//! Tests of outlines, with poppler's own program.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use copydesk_domain::document::MediaType;
use lopdf::{Dictionary, Document, Object, ObjectId, StringFormat, dictionary};

use super::*;
use crate::pdf;
use crate::pdf::tests::{bytes, pdf as document};
use crate::tests::{from_file, paths};

/// A title, its page from 1, and how deep it stands.
type Entry<'a> = (&'a str, usize, usize);

/// The lines of a page in a body text's size, of which some say nothing but a number or a name.
fn lines(lines: &[&str]) -> Vec<(i64, String)> {
    lines.iter().map(|line| (11, (*line).to_owned())).collect()
}

fn handbook() -> Document {
    document(&[
        vec![(20, "Harbour handbook".to_owned()), (11, "For those who work at the quay every day.".into())],
        lines(&[
            "1. Ferries",
            "The ferry leaves at seven in the morning.",
            "1.1 Prices",
            "Prices",
            "A ticket costs forty euro, and children travel free.",
            "What to do when a storm is announced and no fer-",
            "ry sails",
            "Wait at the pier.",
        ]),
        lines(&["Crew", "Ada steers the boat.", "It has a crew of three.", "How the crew", "is trained"]),
    ])
}

/// Adds an outline. `link` changes the entries, which are numbered in order.
fn with_outline(
    mut document: Document,
    entries: &[Entry<'_>],
    link: impl Fn(usize, &[ObjectId], &mut Dictionary),
) -> Vec<u8> {
    let pages = document.get_pages();
    let ids: Vec<ObjectId> = entries.iter().map(|_| document.new_object_id()).collect();
    let root = document.new_object_id();
    for (at, (title, page, depth)) in entries.iter().enumerate() {
        // Those deeper than this one, up to the next that is not.
        let inside =
            entries[at + 1..].iter().position(|(_, _, other)| other <= depth).unwrap_or(entries.len() - at - 1);
        let next = at + 1 + inside;
        let mut title_bytes = vec![0xfe, 0xff];
        title.encode_utf16().for_each(|unit| title_bytes.extend(unit.to_be_bytes()));
        let mut item = dictionary! {
            "Title" => Object::String(title_bytes, StringFormat::Literal), "Parent" => root,
            "Dest" => vec![pages[&u32::try_from(*page).unwrap()].into(), "Fit".into()],
        };
        if inside > 0 {
            item.set("First", ids[at + 1]);
            item.set("Count", 1);
        }
        if entries.get(next).is_some_and(|(_, _, other)| other == depth) {
            item.set("Next", ids[next]);
        }
        link(at, &ids, &mut item);
        document.objects.insert(ids[at], item.into());
    }
    document.objects.insert(root, dictionary! { "Type" => "Outlines", "First" => ids[0], "Count" => 1 }.into());
    document.catalog_mut().unwrap().set("Outlines", root);
    bytes(document)
}

fn markdown(file: &[u8]) -> String {
    pdf::markdown(file, &mut crate::Warnings::default()).unwrap()
}

#[test]
fn lines_that_the_outline_names_are_headings_of_its_levels() {
    let entries = [
        ("Ferries", 2, 1),
        ("PRICES", 2, 2),
        ("What to do when a storm is announced and no ferry\u{a0}sails", 2, 2),
        ("Nothing on this page", 3, 1),
        ("3 Crew", 3, 1),
        ("How the crew is trained", 3, 2),
    ];
    let file = with_outline(handbook(), &entries, |_, _, _| {});
    let read = from_file(MediaType::Pdf, file).unwrap();
    assert_eq!(
        paths(&read.chunks),
        [
            ("Handbook › Harbour handbook", "For those who work at the quay every day."),
            ("Handbook › Harbour handbook › 1. Ferries", "The ferry leaves at seven in the morning."),
            (
                "Handbook › Harbour handbook › 1. Ferries › 1.1 Prices",
                "Prices\nA ticket costs forty euro, and children travel free."
            ),
            (
                "Handbook › Harbour handbook › 1. Ferries › What to do when a storm is announced and no ferry sails",
                "Wait at the pier."
            ),
            ("Handbook › Harbour handbook › Crew", "Ada steers the boat.\nIt has a crew of three."),
            ("Handbook › Harbour handbook › Crew", "How the crew is trained"),
        ]
    );
}

#[test]
fn an_outline_that_fits_nothing_changes_nothing() {
    let without = markdown(&bytes(handbook()));
    // Other words, a part of a line, another page, no letters, too long.
    let long = "a".repeat(1_000);
    for title in ["Anchors", "Ada steers", "Ferries", "1.", "…", &long] {
        let file = with_outline(handbook(), &[(title, 3, 1), (title, 3, 2)], |_, _, _| {});
        assert_eq!(markdown(&file), without, "{title}");
    }
    let crew = with_outline(handbook(), &[("Crew", 3, 1)], |_, _, _| {});
    assert_ne!(markdown(&crew), without);
}

#[test]
fn the_largest_line_that_says_a_title_is_its_heading() {
    let page = |size| {
        let text = "The ferry leaves at seven in the morning, every day.".to_owned();
        vec![(11, "Crew".to_owned()), (11, text.clone()), (size, "2 Crew".into()), (11, text)]
    };
    for (size, heading, other) in [(12, "# 2 Crew\n", "# Crew\n"), (11, "# Crew\n", "# 2 Crew\n")] {
        let read = markdown(&with_outline(document(&[page(size)]), &[("Crew", 1, 1)], |_, _, _| {}));
        assert!(read.contains(heading) && !read.contains(other), "{size}: {read}");
    }
}

#[test]
fn hostile_outlines_cost_no_text() {
    let expected = markdown(&bytes(handbook()));
    let crew = |count: usize| vec![("Storks", 3, 1); count];
    let next_loop = with_outline(handbook(), &crew(3), |at, ids, item| item.set("Next", ids[(at + 1) % 3]));
    let first_loop = with_outline(handbook(), &crew(3), |_, ids, item| item.set("First", ids[0]));
    let inside = |at: usize, ids: &[ObjectId], item: &mut Dictionary| {
        if let Some(&next) = ids.get(at + 1) {
            item.set("First", next);
        }
    };
    let deep = with_outline(handbook(), &crew(30_000), |at, ids, item| {
        item.remove(b"Next");
        inside(at, ids, item);
    });
    // Each is beside and within the one before.
    let fan = with_outline(handbook(), &crew(1_000), inside);
    for (name, file) in [("next", next_loop), ("first", first_loop), ("deep", deep), ("fan", fan)] {
        assert_eq!(markdown(&file), expected, "{name}");
    }
}

#[test]
fn what_is_kept_of_an_outline_is_bounded() {
    let mut outline = Outline::default();
    outline.learn("<outline><item page=\"1\">A</item></outline>".repeat(1_000_000).as_bytes()).unwrap();
    assert_eq!(outline.0.len(), MAX_ITEMS);
    let mut outline = Outline::default();
    let deep = format!("{}<item page=\"2\">A &lt;b&gt; &#228;&amp;</item>", "<outline>".repeat(100_000));
    outline.learn(deep.as_bytes()).unwrap();
    assert_eq!(outline.0, [Item { title: "A <b> ä&".into(), page: 1, depth: 100_000 }]);
}

#[test]
fn the_same_title_many_times_is_found_in_linear_time() {
    // With the square of it, this would be 25 billion steps.
    let line = |_| Line { text: "Crew".into(), size: 11, begins_paragraph: true, place: None };
    let mut pages = vec![(0..200_000).map(line).collect::<Vec<_>>()];
    let item = |_| Item { title: "Crew".into(), page: 0, depth: 1 };
    Outline((0..MAX_ITEMS).map(item).collect()).mark(&mut pages);
    assert_eq!(pages[0].iter().filter(|line| line.place.is_some()).count(), MAX_ITEMS);
}
