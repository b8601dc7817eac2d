//! Writes Word files part by part, and changes what their archive says of them.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::packing::Packed;

/// The first bytes of the archive's records: of a part, of a part in the directory, of the end.
pub(crate) const LOCAL: &[u8] = b"PK\x03\x04";
pub(crate) const CENTRAL: &[u8] = b"PK\x01\x02";
pub(crate) const END: &[u8] = b"PK\x05\x06";
/// The name of the main part.
pub(crate) const MAIN: &str = "word/document.xml";
/// The relations of the main part.
const RELATIONS: &str = "word/_rels/document.xml.rels";
const NAMESPACE: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const RELATION: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// A Word file of these parts.
pub(crate) fn archive(parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    archive_by(CompressionMethod::Deflated, parts)
}

/// The same with another way to pack.
pub(crate) fn archive_by(method: CompressionMethod, parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, part) in parts {
        archive.start_file(*name, SimpleFileOptions::default().compression_method(method)).expect("memory");
        archive.write_all(part).expect("memory");
    }
    archive.finish().expect("memory").into_inner()
}

/// A Word file with a main part of `head`, and then `unit` again and again up to about `bytes` bytes.
pub(crate) fn swollen(head: &str, unit: &[u8], bytes: usize) -> Vec<u8> {
    with_packed(&Packed::new(head.as_bytes(), unit, bytes, b""))
}

/// A Word file with this main part.
pub(crate) fn with_packed(part: &Packed) -> Vec<u8> {
    let sound = with_body("");
    let central = position(&sound, CENTRAL);
    // The local record is the head of the file; the packed bytes follow its name.
    let mut file = sound[..30 + MAIN.len()].to_vec();
    file.extend(&part.stream);
    let directory = size(file.len());
    file.extend(&sound[central..]);
    let sizes = [part.crc.to_le_bytes(), size(part.stream.len()), size(part.bytes)].concat();
    let file = patched(patched(file, LOCAL, 14, &sizes), CENTRAL, 16, &sizes);
    patched(file, END, 16, &directory)
}

fn size(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).expect("less than 4 GiB").to_le_bytes()
}

/// Where the last record that begins with `mark` is: packed bytes may look like one.
pub(crate) fn position(file: &[u8], mark: &[u8]) -> usize {
    file.windows(mark.len()).rposition(|window| window == mark).expect("every archive has one")
}

/// A main part around this body.
pub(crate) fn document(body: &str) -> Vec<u8> {
    format!("<w:document xmlns:w=\"{NAMESPACE}\"><w:body>{body}</w:body></w:document>").into_bytes()
}

/// A Word file around this body.
pub(crate) fn with_body(body: &str) -> Vec<u8> {
    archive(&[(MAIN, document(body))])
}

/// A paragraph.
pub(crate) fn paragraph(text: &str) -> String {
    format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")
}

/// A Word file with these styles, and a body that uses one of this name.
pub(crate) fn with_styles(styles: &str, used: &str) -> Vec<u8> {
    let body = format!(
        "<w:p><w:pPr><w:pStyle w:val=\"{used}\"/></w:pPr><w:r><w:t>Timetable</w:t></w:r></w:p>{}",
        paragraph("The ferry leaves at seven.")
    );
    let styles = format!("<w:styles xmlns:w=\"{NAMESPACE}\">{styles}</w:styles>");
    archive(&[
        (MAIN, document(&body)),
        (RELATIONS, relations(&[("styles", "styles.xml")])),
        ("word/styles.xml", styles.into_bytes()),
    ])
}

/// A Word file with these footnotes, and this body.
pub(crate) fn with_footnotes(notes: &str, body: &str) -> Vec<u8> {
    let notes = format!("<w:footnotes xmlns:w=\"{NAMESPACE}\">{notes}</w:footnotes>");
    archive(&[
        (MAIN, document(body)),
        (RELATIONS, relations(&[("footnotes", "footnotes.xml")])),
        ("word/footnotes.xml", notes.into_bytes()),
    ])
}

/// A Word file whose main part relates to these targets, each by a type.
pub(crate) fn related(targets: &[(&str, &str)], body: &str) -> Vec<u8> {
    archive(&[(MAIN, document(body)), (RELATIONS, relations(targets))])
}

/// A part with relations: a type and a target each.
pub(crate) fn relations(targets: &[(&str, &str)]) -> Vec<u8> {
    let each = targets.iter().enumerate().map(|(number, (kind, target))| {
        format!("<Relationship Id=\"r{number}\" Type=\"{RELATION}/{kind}\" Target=\"{target}\"/>")
    });
    let all: String = each.collect();
    let namespace = "http://schemas.openxmlformats.org/package/2006/relationships";
    format!("<Relationships xmlns=\"{namespace}\">{all}</Relationships>").into_bytes()
}

/// Writes `bytes` at this place of the last record that begins with `mark`.
pub(crate) fn patched(mut file: Vec<u8>, mark: &[u8], place: usize, bytes: &[u8]) -> Vec<u8> {
    let at = position(&file, mark) + place;
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}
