//! Packs repetition without going through all of it: the packed bytes of one piece are repeated, and
//! the checksums of the whole are put together. So a bomb of a gibibyte is made in no time.

use flate2::{Compress, Compression, Crc, FlushCompress};

/// A packed piece is of about this many bytes.
const PIECE_BYTES: usize = 256 * 1024;
/// A last block without bytes.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];
/// The head of zlib's format.
const ZLIB: [u8; 2] = [0x78, 0x9c];
const ADLER: u64 = 65_521;

/// A deflate stream, and what it unpacks to.
pub(crate) struct Packed {
    pub(crate) stream: Vec<u8>,
    pub(crate) crc: u32,
    pub(crate) bytes: usize,
    adler: (u64, u64),
}

impl Packed {
    /// Packs `head`, then `unit` again and again up to about `bytes` bytes, then `tail`.
    pub(crate) fn new(head: &[u8], unit: &[u8], bytes: usize, tail: &[u8]) -> Self {
        let piece = unit.repeat((PIECE_BYTES / unit.len()).max(1));
        let mut whole = Self { stream: Vec::new(), crc: 0, bytes: 0, adler: (1, 0) };
        let mut crc = Crc::new();
        for (piece, times) in [(head, 1), (&piece, bytes / piece.len()), (tail, 1)] {
            let packed = flushed(piece);
            let mut piece_crc = Crc::new();
            piece_crc.update(piece);
            let sums = sums(piece);
            for _ in 0..times {
                whole.stream.extend(&packed);
                crc.combine(&piece_crc);
                let (a, b) = whole.adler;
                whole.adler = ((a + sums.0) % ADLER, (b + piece.len() as u64 % ADLER * a + sums.1) % ADLER);
            }
            whole.bytes += piece.len() * times;
        }
        whole.stream.extend(LAST_BLOCK);
        whole.crc = crc.sum();
        whole
    }

    /// In zlib's format.
    pub(crate) fn zlib(self) -> Vec<u8> {
        let sum = u32::try_from(self.adler.1 << 16 | self.adler.0).expect("both have 16 bits");
        [&ZLIB[..], &self.stream, &sum.to_be_bytes()].concat()
    }
}

/// Deflated bytes that refer to nothing before them, and end at the end of a byte.
fn flushed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(bytes.len() + 1_024);
    Compress::new(Compression::new(6), false).compress_vec(bytes, &mut packed, FlushCompress::Full).expect("memory");
    packed
}

/// What a piece adds to both sums of Adler's checksum.
fn sums(bytes: &[u8]) -> (u64, u64) {
    bytes.iter().fold((0, 0), |(a, b), byte| {
        let a = (a + u64::from(*byte)) % ADLER;
        (a, (b + a) % ADLER)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_packed_unpacks_with_its_checksums() {
        let mut read = Vec::new();
        let zlib = Packed::new(b"head ", b"unit ", 1_000_000, b"tail").zlib();
        flate2::read::ZlibDecoder::new(zlib.as_slice()).read_to_end(&mut read).expect("a sound stream");
        let text = String::from_utf8(read).expect("text");
        assert!(text.starts_with("head unit unit ") && text.ends_with("unit tail") && text.len() > 700_000);
        let mut crc = Crc::new();
        crc.update(text.as_bytes());
        assert_eq!(Packed::new(b"head ", b"unit ", 1_000_000, b"tail").crc, crc.sum());
    }
}
