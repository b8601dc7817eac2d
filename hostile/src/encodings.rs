//! Characters and encodings that are none. Text of the types that the API takes as text is UTF-8,
//! as it must be: what is wrong in it is coded in entities, or says that it is another encoding.

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use crate::docx::{MAIN, archive, document, paragraph, with_body};
use crate::pdf::{self, FONTS, TEXT, page, stream};
use crate::{Attack, Rng, about, html, pieces};

/// Characters that programs often handle wrongly.
const ODD: [char; 22] = [
    '\u{1}',
    '\u{7f}',
    '\u{85}',
    '\u{ad}',
    '\u{300}',
    '\u{345}',
    '\u{200b}',
    '\u{200d}',
    '\u{200e}',
    '\u{202e}',
    '\u{2028}',
    '\u{2066}',
    '\u{d7ff}',
    '\u{e000}',
    '\u{fdd0}',
    '\u{feff}',
    '\u{fffd}',
    '\u{ffff}',
    '\u{1f3fb}',
    '\u{e0001}',
    '\u{10ffff}',
    'İ',
];

pub(crate) const ATTACKS: &[Attack] = &[
    ("charset.html", |rng| {
        let charset = ["utf-16", "utf-7", "iso-2022-jp", "x-user-defined", "nonsense"].choose(rng).expect("some");
        let page = "<p>+ADw-script+AD4- Grüße, naïve café \u{1b}$B$3$s \u{1b}(B.";
        html(&format!("<meta charset={charset}><?xml version='1.0' encoding='{charset}'?>{page}"))
    }),
    ("entities.html", |rng| {
        let codes = ["xD800", "xDFFF", "0", "x110000", "xFFFFFFFFFF", "-1", "x", "128", "159", "xFFFE"];
        let count = about(rng, 50_000);
        html(&(0..count).map(|_| format!("a&#{};", codes.choose(rng).expect("some"))).collect::<String>())
    }),
    ("entities-open.html", |rng| {
        html(&"&notit; &amp &lt&gt&#x &CounterClockwiseContourIntegral".repeat(about(rng, 50_000)))
    }),
    ("characters.html", |rng| odd_page(rng)),
    ("marks.html", |rng| html(&format!("<p>a{}", "\u{300}\u{489}".repeat(about(rng, 1_000_000))))),
    ("names.html", |rng| {
        let count = about(rng, 10_000);
        html(&pieces(count, |n| format!("<a\u{300}\u{202e}{n} \u{fffd}='\u{feff}'>a</a\u{300}{n}>")))
    }),
    ("characters.md", |rng| odd_text(rng, 300_000).into_bytes()),
    ("marks.txt", |rng| format!("a{}", "\u{300}\u{345}\u{1d165}".repeat(about(rng, 800_000))).into_bytes()),
    ("no-words.txt", |rng| "\u{200b}\u{2028}\u{ad}".repeat(about(rng, 500_000)).into_bytes()),
    ("ligature.txt", |rng| "\u{fdfa}\u{fb03}\u{1f468}\u{200d}\u{1f469}".repeat(about(rng, 300_000)).into_bytes()),
    ("case.md", |rng| format!("# İ\n\n{}", "İßŉﬃẞ ".repeat(about(rng, 200_000))).into_bytes()),
    ("replaced.txt", |rng| format!("Text {}", "\u{fffd}".repeat(about(rng, 500_000))).into_bytes()),
    ("returns.md", |rng| "\r\r\n\n\r\u{b}\u{c}\u{85}a\u{2028}".repeat(about(rng, 300_000)).into_bytes()),
    ("utf16.docx", |_| {
        let text = String::from_utf8(document(&paragraph("a"))).expect("text");
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        archive(&[(MAIN, [0xff, 0xfe].into_iter().chain(units).collect())])
    }),
    ("utf8.docx", |rng| {
        let mut part = document(&paragraph(&"The ferry leaves. ".repeat(200)));
        for _ in 0..about(rng, 40) {
            let at = rng.random_range(120..part.len() - 60);
            part[at] = *[0x80, 0xc0, 0xed, 0xf5, 0xff].choose(rng).expect("some");
        }
        archive(&[(MAIN, part)])
    }),
    ("declared.docx", |rng| {
        let encoding = ["UTF-16", "windows-1252", "EBCDIC", "UTF-7", ""].choose(rng).expect("some");
        let head = format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>").into_bytes();
        archive(&[(MAIN, [head, document(&paragraph("Gr\u{fc}\u{df}e"))].concat())])
    }),
    ("codes.docx", |rng| {
        let codes = ["#0;", "#xD800;", "#x110000;", "#99999999999;", "nosuch;", "#x;", "#-1;", "#8;"];
        let count = about(rng, 20_000);
        with_body(&paragraph(
            &(0..count).map(|_| format!("a&{}", codes.choose(rng).expect("some"))).collect::<String>(),
        ))
    }),
    ("characters.docx", |rng| with_body(&paragraph(&odd_text(rng, 200_000)))),
    ("part-name.docx", |_| {
        archive(&[("word\\document.xml", document("")), ("../\u{202e}word/document.xml", document(""))])
    }),
    ("map-range.pdf", |rng| {
        mapped(&format!(
            "{0} beginbfrange\n{1}endbfrange",
            100,
            "<00000000> <7fffffff> <0041>\n".repeat(about(rng, 100))
        ))
    }),
    ("map-long.pdf", |rng| mapped(&format!("1 beginbfchar <0041> <{}> endbfchar", "0041".repeat(about(rng, 500_000))))),
    ("map-halves.pdf", |_| {
        mapped("2 beginbfchar <0041> <D800> <0042> <DC00D800> endbfchar 1 beginbfrange <0041> <0000> <FFFF> endbfrange")
    }),
    ("names.pdf", |rng| {
        let names = pieces(about(rng, 60_000), |n| format!("/uni{n:X}/g{n}/#00#ff"));
        let mut objects = page(stream(TEXT.as_bytes(), ""), FONTS);
        let font = format!("<</Type/Font/Subtype/Type1/BaseFont/X/Encoding<</Differences[0{names}]>>>>");
        objects[4].1 = font.into_bytes();
        pdf::file(&objects)
    }),
    ("strings.pdf", |rng| {
        let hex: String =
            (0..about(rng, 200_000)).map(|_| *b"0123456789abcdefgz>".choose(rng).expect("some") as char).collect();
        pdf::drawing(&format!("BT /F1 12 Tf 72 700 Td <{hex}> Tj (\\777\\8\\(\\\r\n) Tj ET\n{TEXT}"))
    }),
    ("noise.pdf", |rng| {
        let noise = (0..about(rng, 300_000)).map(|_| rng.random::<u8>());
        b"%PDF-1.7\n".iter().copied().chain(noise).collect()
    }),
];

fn odd_text(rng: &mut Rng, most: usize) -> String {
    let count = about(rng, most);
    (0..count)
        .map(|at| if at % 4 == 0 { *ODD.choose(rng).expect("some") } else { ['a', ' ', 'é', '\n'][at % 4] })
        .collect()
}

fn odd_page(rng: &mut Rng) -> Vec<u8> {
    let text = odd_text(rng, 300_000);
    html(&format!("<p>{text}"))
}

/// A file whose font says with this map what its characters are.
fn mapped(map: &str) -> Vec<u8> {
    let mut objects = page(stream(b"BT /F1 12 Tf 72 700 Td <004100420043ffff> Tj ET", ""), FONTS);
    objects[4].1 =
        b"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[6 0 R]/ToUnicode 7 0 R>>".to_vec();
    let system = "/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>";
    objects.push(pdf::object(
        6,
        format!("<</Type/Font/Subtype/CIDFontType2/BaseFont/X/W[0 2000000000 500]/DW 1000{system}>>"),
    ));
    let head = "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange\n";
    objects.push((7, stream(format!("{head}{map}\nendcmap").as_bytes(), "")));
    pdf::file(&objects)
}
