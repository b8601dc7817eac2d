//! Lengths, counts and offsets that are not true.

use rand::RngExt as _;

use crate::docx::{CENTRAL, END, LOCAL, paragraph, patched, with_body};
use crate::pdf::{self, FONTS, TEXT, page, stream, with_pages};
use crate::{Attack, Rng, html};

/// Numbers that are too small or too large for what they count.
const NUMBERS: [&str; 8] =
    ["-1", "0", "1", "4294967295", "2147483648", "9223372036854775807", "99999999999999999999999", "1e308"];

pub(crate) const ATTACKS: &[Attack] = &[
    ("count.pdf", |rng| with_pages(&format!("/Kids[3 0 R]/Count {}", number(rng)), Vec::new())),
    ("length.pdf", |rng| content_of_length(number(rng))),
    ("length-short.pdf", |rng| content_of_length(&rng.random_range(1..60).to_string())),
    ("length-long.pdf", |rng| content_of_length(&rng.random_range(200..2_000_000).to_string())),
    ("size.pdf", |rng| replaced(&sound(), "/Size 6", &format!("/Size {}", number(rng)))),
    ("places.pdf", |rng| {
        // Every tenth digit of the table of places is another.
        let mut file = sound();
        let table = file.windows(5).position(|word| word == b"xref\n").unwrap_or(0) + 29;
        for at in (table..file.len() - 60).step_by(10) {
            if file[at].is_ascii_digit() {
                file[at] = b'0' + rng.random_range(0..10);
            }
        }
        file
    }),
    ("table.pdf", |rng| {
        let table = sound().windows(5).position(|word| word == b"xref\n").unwrap_or(0);
        replaced(&sound(), &format!("startxref\n{table}"), &format!("startxref\n{}", number(rng)))
    }),
    ("table-index.pdf", |rng| table_stream(&format!("/Size 9/Index[0 {}]/W[1 4 1]", number(rng)))),
    ("table-widths.pdf", |rng| {
        let widths = ["0 0 0", "8 8 8", "255 255 255", "-1 4 1", "2147483647 2147483647 1"];
        table_stream(&format!("/Size 2000000000/Index[0 2000000000]/W[{}]", widths[rng.random_range(0..widths.len())]))
    }),
    ("objects-many.pdf", |rng| {
        let packed = pdf::packed(b"6 0 <</Font<</F1 5 0 R>>>>");
        pdf::with_object_stream(&packed, &format!("/N {}/First 4", number(rng)))
    }),
    ("objects-first.pdf", |rng| {
        let packed = pdf::packed(b"6 0 <</Font<</F1 5 0 R>>>>");
        pdf::with_object_stream(&packed, &format!("/N 1/First {}", number(rng)))
    }),
    ("predictor.pdf", |rng| {
        let columns = number(rng);
        let parms = format!("/DecodeParms<</Predictor 12/Columns {columns}/Colors {columns}/BitsPerComponent 16>>");
        pdf::file(&page(stream(&[b"\x02".to_vec(), vec![b'a'; 100]].concat(), &parms), FONTS))
    }),
    ("coordinates.pdf", |rng| {
        let large = "9".repeat(rng.random_range(9..400));
        let far = format!("BT /F1 {large} Tf {large} 0 0 {large} -{large} {large} Tm (far) Tj ET\n");
        pdf::drawing(&format!("{far}BT /F1 0 Tf (none) Tj ET BT /F1 -12 Tf 72 600 Td (upside down) Tj ET\n{TEXT}"))
    }),
    ("box.pdf", |_| replaced(&sound(), "[0 0 612 792]", "[-1e38 1e38 9 0]")),
    ("size-unpacked.docx", |rng| patched(word(), CENTRAL, 24, &size(rng))),
    ("size-packed.docx", |rng| patched(patched(word(), CENTRAL, 20, &size(rng)), LOCAL, 18, &size(rng))),
    ("checksum.docx", |rng| patched(word(), CENTRAL, 16, &rng.random::<[u8; 4]>())),
    ("method.docx", |rng| {
        let method = [0, 1, 8, 9, 12, 14, 93, 95, 99][rng.random_range(0..9)];
        patched(patched(word(), CENTRAL, 10, &[method, 0]), LOCAL, 8, &[method, 0])
    }),
    ("flags.docx", |rng| {
        let flags = rng.random::<[u8; 2]>();
        patched(patched(word(), CENTRAL, 8, &flags), LOCAL, 6, &flags)
    }),
    ("names.docx", |rng| {
        let lengths = rng.random::<[u8; 6]>();
        patched(word(), CENTRAL, 28, &lengths)
    }),
    ("offset.docx", |rng| patched(word(), CENTRAL, 42, &size(rng))),
    ("entries.docx", |rng| patched(word(), END, 8, &[rng.random(), 0xff, rng.random(), 0xff])),
    ("directory.docx", |rng| patched(word(), END, 12, &[size(rng), size(rng)].concat())),
    ("spans.html", |rng| {
        let span = number(rng);
        html(&format!("<table><tr><td colspan={span} rowspan={span}>a<td>b<tr><td>c</table><p>After."))
    }),
    ("numbers.html", |rng| {
        let start = number(rng);
        html(&format!("<ol start={start}><li value={start}>a<li>b</ol><img width={start}><hr size={start}>c"))
    }),
];

fn number(rng: &mut Rng) -> &'static str {
    NUMBERS[rng.random_range(0..NUMBERS.len())]
}

/// A number of four bytes that is too small or too large.
fn size(rng: &mut Rng) -> [u8; 4] {
    [0_u32, 1, 0x7fff_ffff, 0xffff_fffe, u32::MAX, rng.random()][rng.random_range(0..6)].to_le_bytes()
}

fn sound() -> Vec<u8> {
    pdf::drawing(TEXT)
}

fn word() -> Vec<u8> {
    with_body(&paragraph("The ferry leaves at seven."))
}

fn content_of_length(length: &str) -> Vec<u8> {
    let mut objects = page(Vec::new(), FONTS);
    objects[3].1 = format!("<</Length {length}>>stream\n{TEXT}\nendstream").into_bytes();
    pdf::file(&objects)
}

/// A file of which only a stream of places says where its objects are.
fn table_stream(entries: &str) -> Vec<u8> {
    let table = stream(&[1, 0, 0, 0, 9, 0].repeat(20), &format!("/Type/XRef/Root 1 0 R{entries}"));
    [b"%PDF-1.7\n9 0 obj\n".to_vec(), table, b"\nendobj\nstartxref\n9\n%%EOF".to_vec()].concat()
}

/// The file with the first `what` replaced.
fn replaced(file: &[u8], what: &str, by: &str) -> Vec<u8> {
    let at = file.windows(what.len()).position(|window| window == what.as_bytes()).expect("it is in the file");
    [&file[..at], by.as_bytes(), &file[at + what.len()..]].concat()
}
