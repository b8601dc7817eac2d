//! What leads back to itself, or fans out at every step.

use rand::RngExt as _;

use crate::docx::{self, MAIN, paragraph, related, with_footnotes, with_styles};
use crate::pdf::{self, FONTS, TEXT, form, object, with_catalog, with_pages};
use crate::{Attack, Rng, about, html, pieces};

pub(crate) const ATTACKS: &[Attack] = &[
    ("kids.pdf", |_| with_pages("/Kids[2 0 R 2 0 R 3 0 R]/Count 10", Vec::new())),
    ("kids-fan.pdf", |rng| fan_of_pages(rng)),
    ("kids-far.pdf", |rng| {
        let last = 10 + u32::try_from(about(rng, 2_000)).expect("small");
        let level =
            |n| object(n, format!("<</Type/Pages/Kids[{} 0 R 3 0 R]/Count 2>>", if n == last { 10 } else { n + 1 }));
        with_pages("/Kids[10 0 R]/Count 1", (10..=last).map(level).collect())
    }),
    ("parents.pdf", |_| {
        let mut objects = pdf::page(pdf::stream(TEXT.as_bytes(), ""), FONTS);
        objects[2].1 = b"<</Type/Page/Parent 6 0 R/Contents 4 0 R>>".to_vec();
        objects.push(object(6, "<</Type/Pages/Parent 7 0 R>>"));
        objects.push(object(7, "<</Type/Pages/Parent 6 0 R>>"));
        pdf::file(&objects)
    }),
    ("form-itself.pdf", |rng| {
        let times = rng.random_range(1..8);
        drawing_forms(vec![form(10, &format!("{}{TEXT}", "/X Do ".repeat(times)), "/XObject<</X 10 0 R>>")])
    }),
    ("form-pair.pdf", |_| {
        drawing_forms(vec![
            form(10, "/X Do /X Do", "/XObject<</X 11 0 R>>"),
            form(11, "/X Do /X Do", "/XObject<</X 10 0 R>>"),
        ])
    }),
    ("form-fan.pdf", |rng| {
        let (levels, times) = (rng.random_range(8..30), rng.random_range(4..20));
        let level = |n| form(n, &format!("{}{TEXT}", "/X Do ".repeat(times)), &format!("/XObject<</X {} 0 R>>", n + 1));
        let mut forms: Vec<_> = (10..10 + levels).map(level).collect();
        forms.push(form(10 + levels, TEXT, ""));
        drawing_forms(forms)
    }),
    ("outline.pdf", |_| {
        let more = vec![
            object(10, "<</First 11 0 R/Last 12 0 R/Count 2>>"),
            object(11, "<</Title(A)/Next 12 0 R/First 11 0 R>>"),
            object(12, "<</Title(B)/Next 11 0 R/First 10 0 R>>"),
        ];
        with_catalog("/Outlines 10 0 R", more)
    }),
    ("references.pdf", |_| {
        let mut objects = pdf::page(pdf::stream(TEXT.as_bytes(), ""), "/Font 10 0 R");
        objects.extend([object(10, "11 0 R"), object(11, "10 0 R")]);
        pdf::file(&objects)
    }),
    ("length.pdf", |_| {
        let mut objects = pdf::page(Vec::new(), FONTS);
        objects[3].1 = format!("<</Length 4 0 R>>stream\n{TEXT}endstream").into_bytes();
        pdf::file(&objects)
    }),
    ("previous.pdf", |rng| {
        let objects = pdf::page(pdf::stream(TEXT.as_bytes(), ""), FONTS);
        let table = pdf::file(&objects).windows(4).position(|word| word == b"xref").unwrap_or(9);
        pdf::with_trailer(&objects, &format!("/Prev {}", if rng.random() { table } else { 9 }))
    }),
    ("names.pdf", |_| {
        let more = vec![object(10, "<</Kids[10 0 R 10 0 R]/Limits[(a)(z)]>>")];
        with_catalog("/Names<</Dests 10 0 R/EmbeddedFiles 10 0 R>>", more)
    }),
    ("structure.pdf", |_| {
        let more = vec![
            object(10, "<</Type/StructTreeRoot/K[11 0 R 11 0 R]>>"),
            object(11, "<</S/P/K[11 0 R 11 0 R 0]/Pg 3 0 R>>"),
        ];
        with_catalog("/MarkInfo<</Marked true>>/StructTreeRoot 10 0 R", more)
    }),
    ("contents.pdf", |rng| {
        let mut objects = pdf::page(pdf::stream(TEXT.as_bytes(), ""), FONTS);
        let contents = "4 0 R ".repeat(about(rng, 100_000));
        let page = format!("<</Type/Page/Parent 2 0 R/Contents[{contents}]/Resources<<{FONTS}>>>>");
        objects[2].1 = page.into_bytes();
        pdf::file(&objects)
    }),
    ("extends.pdf", |_| {
        let head = "6 0 ";
        let packed = pdf::packed(format!("{head}<<{FONTS}>>").as_bytes());
        pdf::with_object_stream(&packed, &format!("/N 1/First {}/Extends 7 0 R", head.len()))
    }),
    ("glyphs.pdf", |_| {
        let mut objects = pdf::page(pdf::stream(TEXT.as_bytes(), ""), FONTS);
        objects[4].1 = b"<</Type/Font/Subtype/Type3/FontBBox[0 0 9 9]/FontMatrix[1 0 0 1 0 0]/CharProcs<</T 10 0 R>>\
            /Encoding<</Differences[0/T 84/T]>>/FirstChar 0/LastChar 255/Widths[9]/Resources<</Font<</F1 5 0 R>>>>>>"
            .to_vec();
        objects.push((10, pdf::stream(TEXT.as_bytes(), "")));
        pdf::file(&objects)
    }),
    ("style.docx", |_| with_styles("<w:style w:styleId=\"A\"><w:basedOn w:val=\"A\"/></w:style>", "A")),
    ("style-ring.docx", |rng| {
        let count = about(rng, 50_000);
        let style = |n| format!("<w:style w:styleId=\"s{n}\"><w:basedOn w:val=\"s{}\"/></w:style>", (n + 1) % count);
        with_styles(&pieces(count, style), "s0")
    }),
    ("style-chain.docx", |rng| {
        let style =
            |n| format!("<w:style w:type=\"paragraph\" w:styleId=\"s{n}\"><w:basedOn w:val=\"s{}\"/></w:style>", n + 1);
        let styles = pieces(about(rng, 100_000), style);
        with_styles(&styles, "s0")
    }),
    ("relation-itself.docx", |_| {
        let targets =
            [("styles", "document.xml"), ("footnotes", "document.xml"), ("endnotes", "../word/./document.xml")];
        related(&targets, &paragraph("The ferry leaves at seven."))
    }),
    ("relation-main.docx", |_| {
        let package = docx::relations(&[("officeDocument", "_rels/.rels")]);
        docx::archive(&[(MAIN, docx::document(&paragraph("a"))), ("_rels/.rels", package)])
    }),
    ("relations.docx", |rng| {
        let targets = vec![("footnotes", "document.xml"); about(rng, 100_000)];
        related(&targets, &paragraph("The ferry leaves at seven."))
    }),
    ("note-itself.docx", |_| {
        let note =
            "<w:footnote w:id=\"1\"><w:p><w:r><w:t>See</w:t><w:footnoteReference w:id=\"1\"/></w:r></w:p></w:footnote>";
        with_footnotes(note, "<w:p><w:r><w:t>Text</w:t><w:footnoteReference w:id=\"1\"/></w:r></w:p>")
    }),
    ("note-fan.docx", |rng| {
        let text = paragraph(&"word ".repeat(about(rng, 20_000)));
        let note = format!("<w:footnote w:id=\"1\">{text}</w:footnote>");
        let body = "<w:p><w:r><w:t>Text</w:t><w:footnoteReference w:id=\"1\"/></w:r></w:p>".repeat(20_000);
        with_footnotes(&note, &body)
    }),
    ("formatting.html", |rng| html(&pieces(about(rng, 10_000), |n| format!("<b id={n}><p>a")))),
];

fn drawing_forms(forms: Vec<pdf::Object>) -> Vec<u8> {
    let mut objects =
        pdf::page(pdf::stream(format!("/X Do {TEXT}").as_bytes(), ""), &format!("{FONTS}/XObject<</X 10 0 R>>"));
    objects.extend(forms);
    pdf::file(&objects)
}

/// Levels of pages, of which each has the next one twice.
fn fan_of_pages(rng: &mut Rng) -> Vec<u8> {
    let levels = rng.random_range(20..60);
    let level = |n| object(n, format!("<</Type/Pages/Kids[{0} 0 R {0} 0 R]/Count 1000>>", n + 1));
    let mut more: Vec<_> = (10..10 + levels).map(level).collect();
    more.push(object(10 + levels, "<</Type/Page/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"));
    with_pages("/Kids[10 0 R]/Count 1000", more)
}
