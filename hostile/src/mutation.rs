//! Sound files, changed at random: what fuzzers feed to the readers. Parts of Word files are changed
//! inside their archive, which is then written anew: changes of packed bytes seldom get further
//! than the checksum.

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use crate::sound::parts;
use crate::{Rng, docx, sound};

/// The largest mutation, in bytes: the readers' time is not what fuzzers look for.
pub const MAX_BYTES: usize = 32 * 1024;
/// The most changes of one file.
const MAX_CHANGES: usize = 12;
/// Pieces that mean something in one of the types.
const WORDS: &[&str] = &[
    "<",
    ">",
    "</",
    "/>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?xml",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
    "&",
    "&#",
    ";",
    "&#x110000;",
    "&amp;",
    "\"",
    "'",
    "=",
    "<table>",
    "<td colspan=99999999>",
    "<svg>",
    "<math>",
    "<template>",
    "<p>",
    "<select>",
    "<pre>",
    "<a href=",
    "<b>",
    "</b>",
    "<main>",
    "</main>",
    "<article",
    "<body",
    "<plaintext>",
    "<li>",
    "<ol start=-9223372036854775808>",
    "<h1>",
    "<code>",
    "<w:p>",
    "</w:p>",
    "<w:r>",
    "<w:t>",
    "</w:t>",
    "<w:tbl>",
    "<w:tr>",
    "<w:tc>",
    "<w:del>",
    "<w:ins>",
    "<w:moveFrom>",
    "<w:vanish/>",
    "<w:footnoteReference w:id=\"2\"/>",
    "<w:tab/>",
    "<w:br/>",
    "<w:numPr>",
    "<w:ilvl w:val=\"-1\"/>",
    "<w:ilvl w:val=\"4294967296\"/>",
    "<w:outlineLvl w:val=\"255\"/>",
    "<w:txbxContent>",
    "<mc:AlternateContent>",
    "<mc:Choice>",
    "<mc:Fallback>",
    "<w:fldChar w:fldCharType=\"begin\"/>",
    "<w:instrText>",
    "xmlns:w=\"\"",
    "# ",
    "## ",
    "- ",
    "1. ",
    "> ",
    "```",
    "~~~",
    "---\n",
    "===\n",
    "| ",
    "|---|",
    "[",
    "](",
    "[^1]: ",
    "**",
    "_",
    "`",
    "\\",
    "\t",
    "\r",
    "\n",
    "\n\n",
    "    ",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "\u{300}",
    "\u{10ffff}",
    "İ",
    "ﬃ",
    "0",
    "-1",
    "1e999",
    "NaN",
    "99999999999999999999",
    "<page width=\"",
    "<flow>",
    "<block xMin=\"",
    "<line>",
    "<word xMin=\"1\" yMin=\"2\" xMax=\"3\" yMax=\"4\">",
    "<outline>",
    "</outline>",
    "<item page=\"1\">",
    "</item>",
];

/// A file of the type with this extension, changed at random. Text types get text.
///
/// # Panics
/// There is no such type.
pub fn mutated(rng: &mut Rng, extension: &str) -> Vec<u8> {
    match extension {
        // One in four is changed as the archive that it is.
        "docx" if rng.random_ratio(3, 4) => {
            let mut parts = parts();
            for _ in 0..rng.random_range(1..=2) {
                let part = rng.random_range(0..parts.len());
                parts[part].1 = changed(rng, &parts[part].1);
            }
            docx::archive(&parts)
        }
        "docx" | "pdf" => changed(rng, &sound(extension)),
        _ => text(rng, &sound(extension)),
    }
}

/// Text, changed at random, that is still UTF-8.
pub fn text(rng: &mut Rng, text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(&changed(rng, text)).replace('\0', " ").into_bytes()
}

/// Bytes, changed at random: pieces of them removed, repeated, moved, replaced and inserted.
pub fn changed(rng: &mut Rng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.random_range(1..=MAX_CHANGES) {
        change(rng, &mut bytes);
        bytes.truncate(MAX_BYTES);
    }
    bytes
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let begin = rng.random_range(0..=bytes.len());
    let most = if rng.random_ratio(1, 8) { bytes.len() } else { 64 };
    let end = (begin + rng.random_range(0..=most)).min(bytes.len());
    let word = WORDS.choose(rng).expect("some").as_bytes();
    match rng.random_range(0..8) {
        0 => drop(bytes.drain(begin..end)),
        1 => {
            let piece = bytes[begin..end].to_vec();
            let at = rng.random_range(0..=bytes.len());
            drop(bytes.splice(at..at, piece));
        }
        2 => {
            let piece = bytes[begin..end].repeat(rng.random_range(2..40));
            drop(bytes.splice(begin..begin, piece));
        }
        3 => drop(bytes.splice(begin..end, word.repeat(rng.random_range(1..4)))),
        4 => drop(bytes.splice(begin..begin, word.repeat(rng.random_range(1..200)))),
        5 => drop(bytes.splice(begin..begin, word.iter().copied())),
        6 => bytes[begin..end].iter_mut().for_each(|byte| *byte = rng.random()),
        _ => {
            if let Some(byte) = bytes.get_mut(begin) {
                *byte ^= 1 << rng.random_range(0..8);
            }
        }
    }
}
