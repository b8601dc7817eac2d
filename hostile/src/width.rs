//! Very many of something beside each other: what costs a little for each, or looks at all others
//! for each.

use rand::RngExt as _;

use crate::docx::{self, MAIN, document, paragraph, with_body, with_styles};
use crate::pdf::{TEXT, drawing, object, with_pages, with_resources};
use crate::{Attack, Rng, about, html, pieces};

pub(crate) const ATTACKS: &[Attack] = &[
    ("comments.html", |rng| html(&"<x><!--</x>-->".repeat(about(rng, 400_000)))),
    ("attributes.html", |rng| html(&format!("<p {}>Wide.", pieces(about(rng, 100_000), |n| format!("a{n}=1 "))))),
    ("cells.html", |rng| html(&format!("<table><tr>{}", "<td>a".repeat(about(rng, 200_000))))),
    ("paragraphs.html", |rng| html(&"<p>a".repeat(about(rng, 500_000)))),
    ("links.html", |rng| html(&pieces(about(rng, 100_000), |n| format!("<a href=/{n}>l{n}</a> ")))),
    ("ends.html", |rng| html(&format!("{}Wide.", "</p>".repeat(about(rng, 400_000))))),
    ("headings.html", |rng| html(&pieces(about(rng, 100_000), |n| format!("<h{}>{n}</h1>", n % 6 + 1)))),
    ("same-kids.pdf", |rng| {
        let kids = about(rng, 200_000);
        with_pages(&format!("/Kids[{}]/Count {kids}", "3 0 R ".repeat(kids)), Vec::new())
    }),
    ("hidden-kids.pdf", |rng| {
        with_pages(&format!("/Kids[{}]/Count 1", "3 0 R ".repeat(about(rng, 100_000))), Vec::new())
    }),
    ("objects.pdf", |rng| {
        let numbers = 10..10 + u32::try_from(about(rng, 200_000)).expect("small");
        with_pages("/Kids[3 0 R]/Count 1", numbers.map(|n| object(n, "<</A[1 2 3]/B<<>>>>")).collect())
    }),
    ("fonts.pdf", |rng| {
        with_resources(&format!("/Font<</F1 5 0 R{}>>", pieces(about(rng, 200_000), |n| format!("/G{n} 5 0 R "))))
    }),
    ("words.pdf", |rng| {
        let count = about(rng, 100_000);
        drawing(&scattered(rng, count))
    }),
    ("few-words.pdf", |rng| {
        let count = about(rng, 20_000);
        drawing(&scattered(rng, count))
    }),
    ("rules.pdf", |rng| {
        let lines = about(rng, 150);
        drawing(&format!("{}{TEXT}", pieces(120 * lines, |n| format!("{} {} 20 10 re S\n", n % 120 * 5, n / 120 * 5))))
    }),
    ("paragraphs.docx", |rng| with_body(&paragraph("a").repeat(about(rng, 200_000)))),
    ("empty.docx", |rng| with_body(&"<w:p/>".repeat(about(rng, 1_500_000)))),
    ("runs.docx", |rng| with_body(&format!("<w:p>{}</w:p>", "<w:r><w:t>a</w:t></w:r>".repeat(about(rng, 400_000))))),
    ("cells.docx", |rng| {
        let cell = format!("<w:tc>{}</w:tc>", paragraph("a"));
        with_body(&format!("<w:tbl><w:tr>{}</w:tr></w:tbl>", cell.repeat(about(rng, 60_000))))
    }),
    ("styles.docx", |rng| {
        let style = |n| format!("<w:style w:styleId=\"s{n}\"><w:basedOn w:val=\"s{}\"/></w:style>", n + 1);
        with_styles(&pieces(about(rng, 150_000), style), "s0")
    }),
    ("attributes.docx", |rng| {
        let attributes = pieces(about(rng, 200_000), |n| format!(" a{n}=\"1\""));
        with_body(&format!("<w:p{attributes}>{}</w:p>", "<w:r><w:t>Wide.</w:t></w:r>"))
    }),
    ("namespaces.docx", |rng| {
        let names = pieces(about(rng, 30_000), |n| format!(" xmlns:n{n}=\"u{n}\""));
        with_body(&format!("<w:sdt{names}>{}</w:sdt>", paragraph("a").repeat(20_000)))
    }),
    ("entries.docx", |rng| {
        let names: Vec<String> = (0..about(rng, 8_000)).map(|n| format!("word/{n}.xml")).collect();
        let mut parts = vec![(MAIN, document(&paragraph("Wide.")))];
        parts.extend(names.iter().map(|name| (name.as_str(), Vec::new())));
        docx::archive(&parts)
    }),
    ("line.md", |rng| pieces(about(rng, 1_000_000), |n| format!("w{n} ")).into_bytes()),
    ("headings.md", |rng| pieces(about(rng, 300_000), |n| format!("# {n}\n\na\n\n")).into_bytes()),
    ("table.txt", |rng| {
        let row = format!("|{}\n", " a |".repeat(about(rng, 2_000)));
        row.repeat(200).into_bytes()
    }),
];

/// Words at random places.
fn scattered(rng: &mut Rng, count: usize) -> String {
    (0..count)
        .map(|_| {
            let (x, y) = (rng.random_range(0..500), rng.random_range(0..700));
            format!("BT /F1 12 Tf {x} {y} Td (Hello {}) Tj ET\n", rng.random_range(0..1_000_000))
        })
        .collect()
}
