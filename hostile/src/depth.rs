//! Elements, objects and operators inside each other: parsers that recurse overflow their stack,
//! others take time with the square of the depth.

use crate::docx::{paragraph, with_body, with_styles};
use crate::pdf::{self, FONTS, TEXT, drawing, object, with_pages, with_resources};
use crate::{Attack, about, html, nested, pieces};

pub(crate) const ATTACKS: &[Attack] = &[
    ("dotted.html", |rng| html(&nested(about(rng, 40_000), "<x.y>", "Deep.", "</x.y>"))),
    ("divisions.html", |rng| html(&nested(about(rng, 200_000), "<div>", "Deep.", "</div>"))),
    ("options.html", |rng| html(&"<optgroup>".repeat(about(rng, 200_000)))),
    ("emphasis.html", |rng| html(&pieces(about(rng, 20_000), |n| format!("<b id={n}><i>")))),
    ("tables.html", |rng| html(&"<table><tr><td>".repeat(about(rng, 60_000)))),
    ("drawing.html", |rng| html(&format!("<svg>{}", "<g>".repeat(about(rng, 100_000))))),
    ("lists.html", |rng| html(&"<ul><li>".repeat(about(rng, 100_000)))),
    ("below-the-limit.html", |rng| html(&nested(about(rng, 498), "<section><p>", "Deep.", "</section>"))),
    ("arrays.pdf", |rng| with_resources(&format!("/X {}", nested(about(rng, 400_000), "[", "", "]")))),
    ("dictionaries.pdf", |rng| with_resources(&format!("/X {}", nested(about(rng, 200_000), "<</A", " 1", ">>")))),
    ("operands.pdf", |rng| drawing(&format!("{} TJ\n{TEXT}", "[".repeat(about(rng, 1_000_000))))),
    ("states.pdf", |rng| drawing(&format!("{}{TEXT}", "q ".repeat(about(rng, 3_000_000))))),
    ("marks.pdf", |rng| drawing(&format!("{}{TEXT}", "/P <</MCID 0>> BDC ".repeat(about(rng, 400_000))))),
    ("pages.pdf", |rng| {
        let depth = u32::try_from(about(rng, 60_000)).expect("small");
        let level = |n| object(n, format!("<</Type/Pages/Parent {} 0 R/Kids[{} 0 R]/Count 1>>", n - 1, n + 1));
        let mut more: Vec<_> = (10..10 + depth).map(level).collect();
        more.push(object(10 + depth, "<</Type/Pages/Kids[3 0 R]/Count 1>>"));
        with_pages("/Kids[10 0 R]/Count 1", more)
    }),
    ("structure.pdf", |rng| {
        let depth = u32::try_from(about(rng, 40_000)).expect("small");
        let level = |n| object(n, format!("<</S/P/P {} 0 R/K {} 0 R/Pg 3 0 R>>", n - 1, n + 1));
        let mut more = vec![object(10, "<</Type/StructTreeRoot/K 11 0 R>>")];
        more.extend((11..11 + depth).map(level));
        pdf::with_catalog("/MarkInfo<</Marked true>>/StructTreeRoot 10 0 R", more)
    }),
    ("forms.pdf", |rng| {
        let depth = u32::try_from(about(rng, 10_000)).expect("small");
        let level = |n: u32| pdf::form(n, "/X Do", &format!("/XObject<</X {} 0 R>>", n + 1));
        let mut objects = pdf::page(pdf::stream(b"/X Do", ""), &format!("{FONTS}/XObject<</X 10 0 R>>"));
        objects.extend((10..10 + depth).map(level));
        objects.push(pdf::form(10 + depth, TEXT, ""));
        pdf::file(&objects)
    }),
    ("elements.docx", |rng| with_body(&nested(about(rng, 200_000), "<w:sdt>", &paragraph("Deep."), "</w:sdt>"))),
    ("tables.docx", |rng| with_body(&"<w:tbl><w:tr><w:tc>".repeat(about(rng, 60_000)))),
    ("below-the-limit.docx", |rng| {
        let (open, close) = ("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>");
        with_body(&nested(about(rng, 160), open, &paragraph("Deep."), close))
    }),
    ("boxes.docx", |rng| {
        let (open, close) = ("<w:p><w:r><w:txbxContent>", "</w:txbxContent></w:r></w:p>");
        with_body(&nested(about(rng, 160), open, &paragraph("Deep."), close))
    }),
    ("styles.docx", |rng| with_styles(&"<w:style>".repeat(about(rng, 200_000)), "A")),
    ("quotes.md", |rng| nested(about(rng, 50_000), "> ", "Deep.", "").into_bytes()),
    ("lists.md", |rng| pieces(about(rng, 3_000), |n| format!("{}- Deep\n", "  ".repeat(n))).into_bytes()),
    ("brackets.md", |rng| nested(about(rng, 400_000), "[", "Deep.", "](a)").into_bytes()),
    ("stars.md", |rng| pieces(about(rng, 300_000), |_| "*a **b ".into()).into_bytes()),
];
