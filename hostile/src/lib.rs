//! Files of strangers that mean harm: 25 in each of eight categories, made from a seed, so that a
//! test, a fuzzer and chaos meet the same ones. Each has the first bytes and the size that the API
//! accepts, else it would test nothing behind it. [`mutation`] changes sound files at random.
#![expect(clippy::expect_used, reason = "what is written to memory does not fail")]

mod bombs;
mod depth;
mod docx;
mod encodings;
mod lies;
mod loops;
pub mod mutation;
mod packing;
mod pdf;
mod sound;
mod streams;
mod truncation;
mod width;

use rand::{RngExt as _, SeedableRng as _};

pub use sound::sound;

/// The source of all randomness. The algorithm is named, so that a seed means the same in every
/// release.
pub type Rng = rand::rngs::Xoshiro256PlusPlus;

/// The files of a category.
pub const FILES: usize = 25;
/// The largest file, in bytes: the API refuses larger ones.
pub const MAX_FILE_BYTES: usize = 10 * 1024 * 1024;

/// What a file attacks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Elements, objects and operators inside each other.
    Depth,
    /// Very many of something beside each other.
    Width,
    /// PDF's object and content streams, filters upon filters, text that never ends.
    Streams,
    /// What leads back to itself, or fans out at every step.
    Loops,
    /// Little that unpacks to a lot.
    Bombs,
    /// Lengths, counts and offsets that are not true.
    Lies,
    /// Characters and encodings that are none.
    Encodings,
    /// Sound files that were cut off or damaged on their way.
    Truncation,
}

impl Category {
    /// All categories, in order.
    pub const ALL: [Self; 8] = [
        Self::Depth,
        Self::Width,
        Self::Streams,
        Self::Loops,
        Self::Bombs,
        Self::Lies,
        Self::Encodings,
        Self::Truncation,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::Width => "width",
            Self::Streams => "streams",
            Self::Loops => "loops",
            Self::Bombs => "bombs",
            Self::Lies => "lies",
            Self::Encodings => "encodings",
            Self::Truncation => "truncation",
        }
    }

    fn attacks(self) -> &'static [Attack] {
        match self {
            Self::Depth => depth::ATTACKS,
            Self::Width => width::ATTACKS,
            Self::Streams => streams::ATTACKS,
            Self::Loops => loops::ATTACKS,
            Self::Bombs => bombs::ATTACKS,
            Self::Lies => lies::ATTACKS,
            Self::Encodings => encodings::ATTACKS,
            Self::Truncation => truncation::ATTACKS,
        }
    }
}

/// A file that means harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostileFile {
    /// What it attacks with.
    pub category: Category,
    /// Its name, with the extension of its type.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A way to make a file: its name with the extension of its type, and how.
type Attack = (&'static str, fn(&mut Rng) -> Vec<u8>);

/// The file of this number in a category; numbers begin with 0. The seed decides sizes and places.
/// A category with fewer attacks than numbers repeats them with others.
pub fn file(seed: u64, category: Category, number: usize) -> HostileFile {
    let stream = seed.wrapping_mul(10_000).wrapping_add(category as u64 * 1_000 + number as u64);
    let attacks = category.attacks();
    let (attack, make) = attacks[number % attacks.len()];
    let name = format!("{}-{number:02}-{attack}", category.name());
    HostileFile { category, name, bytes: make(&mut Rng::seed_from_u64(stream)) }
}

/// All files of a seed. Each is made when it is asked for: together they are large.
pub fn files(seed: u64) -> impl Iterator<Item = HostileFile> {
    Category::ALL.into_iter().flat_map(move |category| (0..FILES).map(move |number| file(seed, category, number)))
}

/// About this many, as the seed decides: between half of it and all.
fn about(rng: &mut Rng, many: usize) -> usize {
    rng.random_range(many / 2..=many)
}

/// Makes `count` pieces, one after the other.
fn pieces(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

/// Opens `count` times, then says something, then closes as often.
fn nested(count: usize, open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(count), close.repeat(count))
}

/// An HTML page.
fn html(body: &str) -> Vec<u8> {
    format!("<!doctype html><title>A page</title><body>{body}").into_bytes()
}

#[cfg(test)]
mod tests;
