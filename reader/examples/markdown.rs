//! Prints the Markdown of a file, told by its extension: `cargo run -p copydesk-reader --example
//! markdown -- FILE`. It reads in this process, without limits: only for files that you trust.

use std::path::Path;

use copydesk_domain::document::{Body, MediaType};
use copydesk_reader::{Upload, markdown};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: markdown FILE")?;
    let bytes = std::fs::read(&file)?;
    let text = |bytes: &[u8]| Body::Text(String::from_utf8_lossy(bytes).into_owned());
    let (media_type, body) = match Path::new(&file).extension().and_then(|extension| extension.to_str()) {
        Some("pdf") => (MediaType::Pdf, Body::File(bytes)),
        Some("docx") => (MediaType::Docx, Body::File(bytes)),
        Some("html" | "htm") => (MediaType::Html, text(&bytes)),
        Some("md") => (MediaType::Markdown, text(&bytes)),
        _ => (MediaType::Plain, text(&bytes)),
    };
    println!("{}", markdown(&Upload { title: file, media_type, body })?.0);
    Ok(())
}
