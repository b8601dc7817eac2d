//! Converts HTML to Markdown, without menus, page headers and footers, forms and scripts. Fetches
//! nothing.

use htmd::options::{BulletListMarker, Options};

use super::Unusable;

/// Elements without text of the page.
const SKIPPED: &[&str] = &[
    "script", "style", "noscript", "template", "head", "nav", "iframe", "object", "svg", "canvas", "form", "button",
    "select", "dialog", "footer", "aside", "img", "video", "audio",
];
/// Void elements, and elements whose end tag is optional: they nest only within others.
const NOT_NESTED: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "p", "li",
    "dt", "dd", "td", "th", "tr", "tbody", "thead", "tfoot", "option", "optgroup", "colgroup", "html", "body", "head",
];
/// The deepest nesting that is read. Pages have a few dozen levels. The parser's time grows with
/// the square of the depth, and its stack with the depth.
const MAX_DEPTH: usize = 500;

pub(super) fn markdown(html: &str) -> Result<String, Unusable> {
    if is_deeper_than(html, MAX_DEPTH) {
        return Err(Unusable::TooDeep(MAX_DEPTH));
    }
    let options = Options { bullet_list_marker: BulletListMarker::Dash, ul_bullet_spacing: 1, ..Options::default() };
    let converter = htmd::HtmlToMarkdown::builder().skip_tags(SKIPPED.to_vec()).options(options);
    converter.build().convert(main_text(html)).map_err(|error| Unusable::Damaged("HTML", error.into()))
}

/// The contents of `<main>`, or else `<article>`, if there is exactly one: around it are parts of
/// the site, not of the page. A header outside it is dropped too; inside it, a header often
/// contains the title.
fn main_text(html: &str) -> &str {
    let lower = html.to_ascii_lowercase();
    let part = |name: &str| {
        let (open, close) = (format!("<{name}"), format!("</{name}"));
        let begin = lower.find(&open)?;
        let is_tag = lower[begin + open.len()..].starts_with(['>', ' ', '\t', '\n', '\r']);
        let end = lower[begin..].find(&close)? + begin;
        let is_one = !lower[begin + 1..].contains(&open) && !lower[end + 1..].contains(&close);
        (is_tag && is_one).then(|| &html[begin..end])
    };
    part("main").or_else(|| part("article")).unwrap_or(html)
}

/// Whether elements may nest deeper than `most`: counts tags without parsing, and an end tag only
/// against a start tag of the same name.
fn is_deeper_than(html: &str, most: usize) -> bool {
    let mut open: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    let mut depth = 0_usize;
    for (at, _) in html.match_indices('<') {
        let rest = &html[at + 1..];
        let (is_end, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
        let name = rest.bytes().take(32).take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        let name: String = name.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || NOT_NESTED.contains(&name.as_str()) {
            continue;
        }
        let count = open.entry(name).or_default();
        if !is_end {
            *count += 1;
            depth += 1;
        } else if *count > 0 {
            *count -= 1;
            depth -= 1;
        }
        if depth > most {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_stands_around_a_page_goes() {
        let page = "<body><header>Acme <a href=/>Home</a></header><nav>Menu</nav><main><header><h1>Care</h1></header>\
            <p>We scan.</p></main><footer>Imprint</footer></body>";
        assert_eq!(markdown(page).unwrap(), "# Care\n\nWe scan.");
        let plain = "<body><h1>Care</h1><p>We scan.<aside>Ad</aside><footer>Imprint</footer></body>";
        assert_eq!(markdown(plain).unwrap(), "# Care\n\nWe scan.");
        let cards = "<article>One</article><article>Two</article>";
        assert!(markdown(cards).unwrap().contains("One") && markdown(cards).unwrap().contains("Two"));
    }

    #[test]
    fn nesting_is_bounded_and_left_out_ends_are_no_nesting() {
        assert!(matches!(markdown(&"<div>".repeat(100_000)), Err(Unusable::TooDeep(_))));
        assert!(matches!(markdown(&"<b id=x></i>".repeat(100_000)), Err(Unusable::TooDeep(_))));
        assert!(matches!(markdown(&"<ul><li>".repeat(100_000)), Err(Unusable::TooDeep(_))));
        markdown(&"<p>One.<li>Two.<br><div>Three.</div>".repeat(3_000)).unwrap();
        let nested = format!("{}Deep.{}", "<div>".repeat(MAX_DEPTH - 1), "</div>".repeat(MAX_DEPTH - 1));
        assert_eq!(markdown(&nested).unwrap(), "Deep.");
    }
}
