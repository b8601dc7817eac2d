//! PDF's object and content streams, filters upon filters, and text that never ends.

use std::fmt::Write as _;

use rand::RngExt as _;

use crate::docx::{document, paragraph, with_body, with_packed};
use crate::packing::Packed;
use crate::pdf::{self, FONTS, TEXT, drawing, packed, page, raw, repeated};
use crate::{Attack, Rng, about, html, pieces};

pub(crate) const ATTACKS: &[Attack] = &[
    ("objects-numbers.pdf", |rng| object_stream(rng, b"1 ", 16 << 20)),
    ("objects-arrays.pdf", |rng| object_stream(rng, b"[]", 16 << 20)),
    ("objects-dictionaries.pdf", |rng| object_stream(rng, b"<<>>", 16 << 20)),
    ("objects-deep.pdf", |rng| object_stream(rng, b"[", 1 << 20)),
    ("objects-many.pdf", |rng| object_stream(rng, b"1 ", 96 << 20)),
    ("objects-varied.pdf", |rng| {
        let unit: String = (0..30_000).fold(String::new(), |mut unit, _| {
            let _ = write!(unit, "{} ", rng.random_range(0..100_000));
            unit
        });
        object_stream(rng, unit.as_bytes(), 16 << 20)
    }),
    ("object-streams.pdf", |rng| {
        let mut objects = page(pdf::stream(TEXT.as_bytes(), ""), FONTS);
        let numbers = 10..10 + u32::try_from(about(rng, 300)).expect("small");
        let one = raw(&repeated(b"1 0 ", 1 << 20), "/Type/ObjStm/N 9/First 4/Filter/FlateDecode");
        objects.extend(numbers.map(|number| (number, one.clone())));
        pdf::file(&objects)
    }),
    ("filters-packed.pdf", |rng| {
        let times = rng.random_range(2..12);
        let data = (0..times).fold(TEXT.as_bytes().to_vec(), |data, _| packed(&data));
        filtered(&data, &"/FlateDecode".repeat(times))
    }),
    ("filters-hex.pdf", |rng| {
        let times = rng.random_range(4..10);
        let hex = |data: Vec<u8>| {
            data.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        };
        let data = (0..times).fold(TEXT.as_bytes().to_vec(), |data, _| hex(data).into_bytes());
        filtered(&data, &"/ASCIIHexDecode".repeat(times))
    }),
    ("filters-many.pdf", |rng| filtered(TEXT.as_bytes(), &"/ASCIIHexDecode".repeat(about(rng, 100_000)))),
    ("filters-unknown.pdf", |_| filtered(TEXT.as_bytes(), "/Crypt/JBIG2Decode/NoSuchDecode/FlateDecode")),
    ("lzw.pdf", |rng| {
        let noise: Vec<u8> = (0..about(rng, 100_000)).map(|_| rng.random()).collect();
        filtered(&noise, "/LZWDecode")
    }),
    ("base85.pdf", |rng| filtered(&b"z".repeat(about(rng, 4_000_000)), "/ASCII85Decode")),
    ("operators.pdf", |rng| drawing(&format!("BT {}ET {TEXT}", "T* ".repeat(about(rng, 5_000_000))))),
    ("operands.pdf", |rng| drawing(&format!("{}Tj {TEXT}", "1 ".repeat(about(rng, 5_000_000))))),
    ("strings.pdf", |rng| drawing(&format!("BT /F1 12 Tf {}{TEXT}", "(".repeat(about(rng, 3_000_000))))),
    ("kerning.pdf", |rng| {
        drawing(&format!("BT /F1 12 Tf 72 700 Td [{}] TJ ET {TEXT}", "(a)-200".repeat(about(rng, 1_000_000))))
    }),
    ("images.pdf", |rng| {
        drawing(&format!("{}{TEXT}", "BI /W 1 /H 1 /BPC 8 /CS /G ID x EI ".repeat(about(rng, 300_000))))
    }),
    ("unending.pdf", |rng| {
        [b"%PDF-1.7\n".to_vec(), b"1 0 obj<</Length 9>>stream\n".repeat(about(rng, 300_000))].concat()
    }),
    ("headers.pdf", |rng| [b"%PDF-1.7\n".to_vec(), b"1 0 obj ".repeat(about(rng, 1_000_000))].concat()),
    ("comment.html", |rng| html(&format!("Text <!-- {}", "a -- ".repeat(about(rng, 1_500_000))))),
    ("script.html", |rng| html(&format!("Text <script>{}", "<!--<script ".repeat(about(rng, 400_000))))),
    ("sections.docx", |rng| with_body(&format!("{}<![CDATA[{}", paragraph("a"), "]] ".repeat(about(rng, 2_000_000))))),
    ("empty-blocks.docx", |rng| {
        let blocks = about(rng, 1_500_000);
        empty_blocks(blocks)
    }),
    ("fences.md", |rng| pieces(about(rng, 5_000), |n| format!("{} ", "`".repeat(n % 400 + 1))).into_bytes()),
];

/// A file with an object stream that unpacks to an array of `unit`, of about this size.
fn object_stream(rng: &mut Rng, unit: &[u8], bytes: usize) -> Vec<u8> {
    let packed = Packed::new(b"6 0 [", unit, about(rng, bytes), b"]").zlib();
    pdf::with_object_stream(&packed, "/N 1/First 4")
}

/// A file whose page is behind these filters.
fn filtered(data: &[u8], filters: &str) -> Vec<u8> {
    pdf::file(&page(raw(data, &format!("/Filter[{filters}]")), FONTS))
}

/// A Word file whose main part is packed behind very many blocks without bytes.
fn empty_blocks(blocks: usize) -> Vec<u8> {
    let mut part = Packed::new(&document(&paragraph("The ferry leaves at seven.")), b" ", 0, b"");
    part.stream.splice(0..0, [0, 0, 0, 0xff, 0xff].repeat(blocks));
    with_packed(&part)
}
