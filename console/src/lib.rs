//! The files of the page that people use Copydesk by, ready to be sent: what they are, their tags, and packed. It knows
//! no HTTP server and no API; the page's code is in `console/app`.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::Embed;
use sha2::{Digest, Sha256};

/// The page itself, by its path in `console/app`.
pub const PAGE: &str = "index.html";
/// The bytes of the hash in a tag: enough to rule out chance collisions.
const TAG_BYTES: usize = 16;

/// Within the program; read from disk in debug builds, so that a reload of the page shows a change.
#[derive(Embed)]
#[folder = "app/"]
struct Files;

/// A file.
#[derive(Debug)]
pub struct Asset {
    /// Its media type, for `content-type`.
    pub media_type: &'static str,
    /// As it is.
    pub plain: Body,
    /// Packed with gzip, where that makes it smaller.
    pub gzip: Option<Body>,
}

/// The bytes of a file in one encoding.
#[derive(Debug)]
pub struct Body {
    /// What is sent.
    pub bytes: Bytes,
    /// Its strong `ETag`, in quotes: of these bytes alone.
    pub tag: String,
}

/// The file at a path such as `index.html` or `lib/preact.js`; `None` if there is none.
pub fn asset(path: &str) -> Option<Arc<Asset>> {
    if cfg!(debug_assertions) { read(path).map(Arc::new) } else { ALL.get(path).cloned() }
}

/// All files, packed once, at the first request.
static ALL: LazyLock<HashMap<String, Arc<Asset>>> = LazyLock::new(|| {
    Files::iter().filter_map(|path| read(&path).map(|asset| (path.into_owned(), Arc::new(asset)))).collect()
});

fn read(path: &str) -> Option<Asset> {
    let bytes = Bytes::from(Files::get(path)?.data.into_owned());
    let packed = gzip(&bytes).filter(|packed| packed.len() < bytes.len());
    Some(Asset { media_type: media_type(path), plain: Body::of(bytes), gzip: packed.map(Body::of) })
}

impl Body {
    fn of(bytes: Bytes) -> Self {
        let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&bytes)[..TAG_BYTES]));
        Self { bytes, tag }
    }
}

/// `None` never: writing into memory does not fail.
fn gzip(bytes: &[u8]) -> Option<Bytes> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).ok()?;
    packed.finish().ok().map(Bytes::from)
}

/// By the end of the name. Browsers are told not to guess: a kind that is missing here is not shown.
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn every_file_is_told_with_its_kind_and_packs_to_the_same() {
        for path in Files::iter() {
            let asset = asset(&path).unwrap();
            assert_ne!(asset.media_type, "application/octet-stream", "{path} has no media type");
            if let Some(packed) = &asset.gzip {
                let mut unpacked = Vec::new();
                GzDecoder::new(packed.bytes.as_ref()).read_to_end(&mut unpacked).unwrap();
                assert!(unpacked == asset.plain.bytes, "{path}");
                assert!(packed.bytes.len() < asset.plain.bytes.len() && packed.tag != asset.plain.tag, "{path}");
            }
        }
        assert!(asset(PAGE).unwrap().media_type.starts_with("text/html"));
    }

    #[test]
    fn nothing_beside_the_pages_files_is_told() {
        let inside = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs");
        for path in ["", "/", ".", "..", "nowhere", "../Cargo.toml", "../src/lib.rs", "x/../../Cargo.toml", inside] {
            assert!(asset(path).is_none(), "{path}");
        }
    }
}
