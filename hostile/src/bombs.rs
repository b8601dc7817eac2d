//! Little that unpacks to a lot: packed repetition, entities, text that is shown many times.

use rand::RngExt as _;

use crate::docx::{self, CENTRAL, END, MAIN, archive, document, paragraph, position, swollen, with_body};
use crate::pdf::{self, FONTS, TEXT, packed, page, raw, repeated};
use crate::{Attack, about, html, pieces};

const MIB: usize = 1024 * 1024;

pub(crate) const ATTACKS: &[Attack] = &[
    ("spaces.docx", |rng| swollen("", b" ", about(rng, 1024 * MIB))),
    ("text.docx", |rng| swollen(&opened("<w:p><w:r><w:t>"), b"The ferry leaves. ", about(rng, 512 * MIB))),
    ("comment.docx", |rng| swollen(&opened("<!-- "), b"a ", about(rng, 512 * MIB))),
    ("attribute.docx", |rng| swollen(&opened("<w:p w:a=\""), b"a", about(rng, 256 * MIB))),
    ("name.docx", |rng| swollen(&opened("<w:"), b"a", about(rng, 256 * MIB))),
    ("paragraphs.docx", |rng| swollen(&opened(""), paragraph("a").as_bytes(), about(rng, 512 * MIB))),
    ("every-part.docx", |_| {
        let part = || b" ".repeat(15 * MIB);
        let targets = [("styles", "styles.xml"), ("footnotes", "footnotes.xml"), ("endnotes", "endnotes.xml")];
        archive(&[
            (MAIN, document(&paragraph("a"))),
            ("word/_rels/document.xml.rels", docx::relations(&targets)),
            ("word/styles.xml", part()),
            ("word/footnotes.xml", part()),
            ("word/endnotes.xml", part()),
        ])
    }),
    ("entities.docx", |rng| {
        let levels = rng.random_range(8..14);
        let entity = |n: usize| format!("<!ENTITY e{} \"{}\">", n + 1, format!("&e{n};").repeat(10));
        let declared = format!("<!ENTITY e0 \"lol\">{}", pieces(levels, entity));
        declaring(&declared, &format!("&e{levels};"))
    }),
    ("entity-long.docx", |rng| {
        let long = "a".repeat(about(rng, 100_000));
        declaring(&format!("<!ENTITY e \"{long}\">"), &"&e;".repeat(100_000))
    }),
    ("entity-file.docx", |_| declaring("<!ENTITY e SYSTEM \"file:///etc/passwd\">", "&e;")),
    ("overlapping.docx", |rng| overlapping(about(rng, 60_000))),
    ("inside.docx", |rng| {
        let inner = swollen("", b" ", about(rng, 256 * MIB));
        archive(&[(MAIN, inner)])
    }),
    ("spaces.pdf", |rng| content(&repeated(b" ", about(rng, 1024 * MIB)), "/FlateDecode")),
    ("twice.pdf", |rng| content(&packed(&repeated(b" ", about(rng, 2048 * MIB))), "/FlateDecode/FlateDecode")),
    ("thrice.pdf", |rng| {
        let twice = packed(&repeated(b" ", about(rng, 1024 * MIB)));
        content(&packed(&twice), "/FlateDecode/FlateDecode/FlateDecode")
    }),
    ("text.pdf", |rng| content(&repeated(TEXT.as_bytes(), about(rng, 256 * MIB)), "/FlateDecode")),
    ("runs.pdf", |rng| content(&[129, b' '].repeat(about(rng, 4 * MIB)), "/RunLengthDecode")),
    ("packed-runs.pdf", |rng| content(&repeated(&[129, b' '], about(rng, 32 * MIB)), "/FlateDecode/RunLengthDecode")),
    ("pages.pdf", |rng| pages(about(rng, 200), &repeated(TEXT.as_bytes(), MIB))),
    ("places.pdf", |rng| {
        let rows = repeated(b"\x01\x00\x00\x00\x09\x00", about(rng, 200 * MIB));
        let entries = "/Type/XRef/Size 30000000/W[1 4 1]/Root 1 0 R/Filter/FlateDecode";
        [b"%PDF-1.7\n9 0 obj\n".to_vec(), raw(&rows, entries), b"\nendobj\nstartxref\n9\n%%EOF".to_vec()].concat()
    }),
    ("unicode.pdf", |rng| {
        let mut objects = page(pdf::stream(TEXT.as_bytes(), ""), FONTS);
        objects[4].1 = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>".to_vec();
        let map = repeated(b"1 beginbfchar <41> <00410041> endbfchar\n", about(rng, 256 * MIB));
        objects.push((6, raw(&map, "/Filter/FlateDecode")));
        pdf::file(&objects)
    }),
    ("spaces-coded.html", |rng| html(&format!("a{}b", "&nbsp;".repeat(about(rng, 1_500_000))))),
    ("line-breaks.html", |rng| html(&"<br>".repeat(about(rng, 2_000_000)))),
    ("quoted-table.html", |rng| {
        let row = format!("<tr>{}", "<td>".repeat(about(rng, 2_000)));
        html(&format!("<table>{row}<td>{}{}</table>", "wide ".repeat(20_000), "<tr><td>a".repeat(2_000)))
    }),
    ("references.md", |rng| {
        let title = "t".repeat(about(rng, 100_000));
        format!("{}\n\n[a]: /b \"{title}\"\n", "[a] ".repeat(100_000)).into_bytes()
    }),
];

/// The beginning of a main part, up to and with `inside`.
fn opened(inside: &str) -> String {
    format!("<w:document xmlns:w=\"w\"><w:body>{inside}")
}

fn declaring(entities: &str, text: &str) -> Vec<u8> {
    let body = String::from_utf8(document(&paragraph(text))).expect("text");
    archive(&[(MAIN, format!("<?xml version=\"1.0\"?><!DOCTYPE w:document [{entities}]>{body}").into_bytes())])
}

/// A directory of many parts that are all the same packed bytes.
fn overlapping(parts: usize) -> Vec<u8> {
    let file = with_body(&paragraph(&"word ".repeat(100_000)));
    let (central, end) = (position(&file, CENTRAL), position(&file, END));
    let (record, mut last) = (&file[central..end], file[end..].to_vec());
    let mut made = file[..central].to_vec();
    for number in 0..parts {
        let at = made.len();
        made.extend(record);
        // Names of one length that differ; the first one stays as it is.
        if number > 0 {
            let name = format!("{number:017}");
            made[at + 46..at + 46 + name.len()].copy_from_slice(name.as_bytes());
        }
    }
    let count = u16::try_from(parts).expect("at most 65,535").to_le_bytes();
    let size = u32::try_from(record.len() * parts).expect("small").to_le_bytes();
    last[8..10].copy_from_slice(&count);
    last[10..12].copy_from_slice(&count);
    last[12..16].copy_from_slice(&size);
    made.extend(last);
    made
}

/// A file with one page behind these filters.
fn content(data: &[u8], filters: &str) -> Vec<u8> {
    pdf::file(&page(raw(data, &format!("/Filter[{filters}]")), FONTS))
}

/// Many pages with the same packed content.
fn pages(count: usize, content: &[u8]) -> Vec<u8> {
    let mut objects = page(raw(content, "/Filter/FlateDecode"), FONTS);
    objects[1].1 = format!("<</Type/Pages/Kids[{}]/Count {count}>>", "3 0 R ".repeat(count)).into_bytes();
    pdf::file(&objects)
}
