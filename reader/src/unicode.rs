//! The text of a document in one form of Unicode, whatever program wrote the file. The rules are
//! [`copydesk_words::unicode`]'s.

use std::borrow::Cow;

use copydesk_words::unicode;

/// The text in NFC, without invisible characters. One that needs nothing is not copied.
pub(crate) fn clean(text: String) -> String {
    match unicode::clean(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(cleaned) => cleaned,
    }
}

#[cfg(test)]
mod tests {
    use copydesk_domain::document::{Body, MediaType};

    use super::*;
    use crate::{Upload, read};

    #[test]
    fn a_text_that_needs_nothing_is_not_copied() {
        let text = "Résumés des élèves".to_owned();
        let at = text.as_ptr();
        let cleaned = clean(text);
        assert_eq!(cleaned.as_ptr(), at);
    }

    #[test]
    fn documents_are_read_in_one_form() {
        let passage = |title: &str, text: &str, media_type| {
            let upload = Upload { title: title.into(), media_type, body: Body::Text(text.into()) };
            let chunk = read(&upload).ok()?.chunks.into_iter().next()?;
            Some((chunk.heading_path, chunk.text, chunk.sha256))
        };
        let kinds = [(MediaType::Markdown, "# "), (MediaType::Html, "<h1>"), (MediaType::Plain, "# ")];
        for (kind, mark) in kinds {
            let of = |title, heading: &str, text: &str| {
                let end = if kind == MediaType::Html { "</h1>" } else { "" };
                passage(title, &format!("{mark}{heading}{end}\n\n{text}\n"), kind)
            };
            let plain = of("Guide", "Élèves", "Die Wertpapierabteilung öffnet um acht.");
            assert!(plain.is_some());
            // A line break in HTML is a space.
            let line = if kind == MediaType::Html { "" } else { "\n" };
            let other = of(
                "Gui\u{ad}de\u{feff}",
                "E\u{301}le\u{300}\u{200b}ves",
                &format!("Die Wert\u{ad}papier\u{ad}{line}abteilung o\u{308}ffnet um\u{202e} acht."),
            );
            assert_eq!(other, plain, "{kind}");
        }
    }
}
