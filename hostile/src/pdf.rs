//! Writes PDF files object by object, without a check of what they say.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::packing::Packed;

/// A numbered object.
pub(crate) type Object = (u32, Vec<u8>);

/// The drawing commands of one line of text.
pub(crate) const TEXT: &str = "BT /F1 12 Tf 72 700 Td (The ferry leaves at seven in the morning.) Tj ET\n";
/// The font of that text.
pub(crate) const FONT: &str = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>";
/// The resources with that font.
pub(crate) const FONTS: &str = "/Font<</F1 5 0 R>>";

/// A file of these objects, of which the first is the catalog, with a true table of their places.
pub(crate) fn file(objects: &[Object]) -> Vec<u8> {
    with_trailer(objects, "")
}

/// The same with more in its trailer.
pub(crate) fn with_trailer(objects: &[Object], trailer: &str) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut places = BTreeMap::new();
    for (number, object) in objects {
        places.insert(*number, file.len());
        file.extend(format!("{number} 0 obj\n").bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let (table, size) = (file.len(), places.keys().max().map_or(1, |last| last + 1));
    file.extend(format!("xref\n0 {size}\n0000000000 65535 f \n").bytes());
    for number in 1..size {
        let line = places.get(&number).map(|place| format!("{place:010} 00000 n \n"));
        file.extend(line.unwrap_or_else(|| "0000000000 65535 f \n".into()).bytes());
    }
    file.extend(format!("trailer <</Size {size}/Root 1 0 R{trailer}>>\nstartxref\n{table}\n%%EOF\n").bytes());
    file
}

/// A packed stream, with more in its dictionary.
pub(crate) fn stream(data: &[u8], dictionary: &str) -> Vec<u8> {
    raw(&packed(data), &format!("/Filter/FlateDecode{dictionary}"))
}

/// A stream of bytes as they are.
pub(crate) fn raw(data: &[u8], dictionary: &str) -> Vec<u8> {
    let mut stream = format!("<<{dictionary}/Length {}>>stream\n", data.len()).into_bytes();
    stream.extend(data);
    stream.extend(b"\nendstream");
    stream
}

/// Bytes as zlib packs them.
pub(crate) fn packed(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

/// The packed repetition of `unit`, up to about `bytes` bytes.
pub(crate) fn repeated(unit: &[u8], bytes: usize) -> Vec<u8> {
    Packed::new(b"", unit, bytes, b"").zlib()
}

/// The objects of a file with one page that draws `content`.
pub(crate) fn page(content: Vec<u8>, resources: &str) -> Vec<Object> {
    let page = format!("<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<<{resources}>>>>");
    vec![
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec()),
        (3, page.into_bytes()),
        (4, content),
        (5, FONT.into()),
    ]
}

/// A file with one page that draws `content`.
pub(crate) fn drawing(content: &str) -> Vec<u8> {
    file(&page(stream(content.as_bytes(), ""), FONTS))
}

/// A file with one page of text and these resources beside its font.
pub(crate) fn with_resources(resources: &str) -> Vec<u8> {
    file(&page(stream(TEXT.as_bytes(), ""), &format!("{FONTS}{resources}")))
}

/// A file with one page of text, this catalog's entries, and further objects.
pub(crate) fn with_catalog(entries: &str, more: Vec<Object>) -> Vec<u8> {
    let mut objects = page(stream(TEXT.as_bytes(), ""), FONTS);
    objects[0].1 = format!("<</Type/Catalog/Pages 2 0 R{entries}>>").into_bytes();
    objects.extend(more);
    file(&objects)
}

/// A file with one page of text and this tree of pages above it.
pub(crate) fn with_pages(tree: &str, more: Vec<Object>) -> Vec<u8> {
    let mut objects = page(stream(TEXT.as_bytes(), ""), FONTS);
    objects[1].1 = format!("<</Type/Pages{tree}>>").into_bytes();
    objects.extend(more);
    file(&objects)
}

/// An object of a file's text, and further ones.
pub(crate) fn object(number: u32, text: impl Into<String>) -> Object {
    (number, text.into().into_bytes())
}

/// A file whose page has its resources in a packed object stream of these bytes, and a stream of
/// places that says so.
pub(crate) fn with_object_stream(packed: &[u8], entries: &str) -> Vec<u8> {
    let mut objects = page(stream(TEXT.as_bytes(), ""), "");
    objects[2].1 = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources 6 0 R>>".to_vec();
    objects.push((7, raw(packed, &format!("/Type/ObjStm/Filter/FlateDecode{entries}"))));
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut places = BTreeMap::new();
    for (number, object) in &objects {
        places.insert(*number, file.len());
        file.extend(format!("{number} 0 obj\n").bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let table = file.len();
    places.insert(8, table);
    let mut rows = Vec::new();
    for number in 0..9_u32 {
        let (kind, place) = match (number, places.get(&number)) {
            (6, _) => (2, 7),
            (_, Some(place)) => (1, u32::try_from(*place).expect("files are small")),
            (_, None) => (0, 0),
        };
        rows.push(kind);
        rows.extend(place.to_be_bytes());
        rows.push(0);
    }
    file.extend(b"8 0 obj\n");
    file.extend(stream(&rows, "/Type/XRef/Size 9/W[1 4 1]/Root 1 0 R"));
    file.extend(format!("\nendobj\nstartxref\n{table}\n%%EOF\n").bytes());
    file
}

/// A form that draws `content`, with these entries in its resources.
pub(crate) fn form(number: u32, content: &str, resources: &str) -> Object {
    let dictionary = format!("/Type/XObject/Subtype/Form/BBox[0 0 600 700]/Resources<<{FONTS}{resources}>>");
    (number, stream(content.as_bytes(), &dictionary))
}
