//! Cleans a text for display: Markdown without HTML, without invisible characters, and with links
//! only to addresses that occur in the business's own data. The contents are not judged here.

use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeWithOffset};
use url::Url;

/// The most passes over a text: removing a link can reveal another one.
const MAX_PASSES: usize = 4;
/// Elements whose contents are not text.
const HIDDEN_ELEMENTS: [&str; 5] = ["script", "style", "iframe", "object", "template"];
const PARSED: Options = Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH);

/// The business's own addresses: the hosts and mail addresses that occur in its data.
#[derive(Debug, Clone, Default)]
pub struct OwnAddresses {
    data: String,
}

impl OwnAddresses {
    /// The addresses that occur in these texts.
    pub fn of<'a>(data: impl IntoIterator<Item = &'a str>) -> Self {
        Self { data: data.into_iter().collect::<Vec<_>>().join("\n").to_lowercase() }
    }

    /// Whether an address is one of them or a subdomain: `shop.acme.example` if the data contains
    /// `acme.example`.
    fn lead_to(&self, address: &str) -> bool {
        if let Some(mail) = address.strip_prefix("mailto:") {
            return self.name(mail.split('?').next().unwrap_or_default());
        }
        let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        // User info before an `@` in a URL can pass for the host.
        let Some(url) = url.filter(|url| url.username().is_empty() && url.password().is_none()) else { return false };
        let host = url.host_str().unwrap_or_default();
        let labels = host.match_indices('.').map(|(dot, _)| &host[dot + 1..]).filter(|parent| parent.contains('.'));
        std::iter::once(host).chain(labels).any(|name| self.name(name))
    }

    /// Whether the data contains a name that is not part of a longer one.
    fn name(&self, name: &str) -> bool {
        let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        let name = name.to_lowercase();
        !name.is_empty()
            && self.data.match_indices(&name).any(|(start, _)| {
                let mut before = self.data[..start].chars().rev();
                let mut after = self.data[start + name.len()..].chars();
                let begins =
                    before.next().is_none_or(|c| !is_inside(c) && (c != '.' || self.data[..start].ends_with("www.")));
                // A full stop may end a sentence; in a longer name, more follows it.
                let ends = match after.next() {
                    Some('.') => !after.next().is_some_and(char::is_alphanumeric),
                    next => next.is_none_or(|c| !is_inside(c)),
                };
                begins && ends
            })
    }
}

/// The text without what may not be shown. Its words stay: the text of a removed link, the
/// description of an image, the text in HTML.
pub fn clean(text: &str, own: &OwnAddresses) -> String {
    let mut text = legible(text);
    for _ in 0..MAX_PASSES {
        let cleaned = pass(&text, own);
        if cleaned == text {
            break;
        }
        text = cleaned;
    }
    text.trim().to_owned()
}

/// The text without control characters and without characters that hide or reorder text: zero-width
/// and bidirectional ones, tags, private use. Joiners are needed in some scripts, but never after
/// Latin letters or several in a row.
pub fn legible(text: &str) -> String {
    let mut last = '\n';
    let mut is_shown = |c: &char| {
        let is_joiner = matches!(c, '\u{200c}' | '\u{200d}');
        let is_shown = !is_hidden(*c) && !(is_joiner && (last.is_ascii() || matches!(last, '\u{200c}' | '\u{200d}')));
        last = if is_shown { *c } else { last };
        is_shown
    };
    text.replace("\r\n", "\n").replace('\r', "\n").chars().filter(|c| is_shown(c)).collect()
}

/// Whether a character is invisible and can change what is read.
pub fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => true,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{ffa0}' => true,
        '\u{2028}' | '\u{2029}' | '\u{206a}'..='\u{206f}' | '\u{fe00}'..='\u{fe0d}' | '\u{fff9}'..='\u{fffd}' => true,
        '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e01ef}' | '\u{f0000}'..='\u{10ffff}' => true,
        c => c.is_control(),
    }
}

/// A model's words for a single line, such as a reviewer's comment: no HTML, no links.
pub fn plain(text: &str) -> String {
    clean(text, &OwnAddresses::default())
}

fn pass(text: &str, own: &OwnAddresses) -> String {
    let mut edits = Edits::default();
    let mut in_code = false;
    let mut html = None;
    let parser = Parser::new_ext(text, PARSED);
    // A link definition with a number as its label would turn a citation into a link, which then
    // loses its brackets.
    let is_number = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    let strange = parser
        .reference_definitions()
        .iter()
        .filter(|(label, definition)| is_number(label) || !own.lead_to(&definition.dest));
    strange.for_each(|(_, definition)| edits.replace(definition.span.clone(), String::new()));
    let events: Vec<(Event<'_>, Range<usize>)> = TextMergeWithOffset::new(parser.into_offset_iter()).collect();
    for (place, (event, range)) in events.iter().enumerate() {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Start(Tag::HtmlBlock) => edits.replace(range.clone(), without_tags(&text[range.clone()])),
            Event::InlineHtml(tag) => {
                html = hidden_element(tag).map(|name| (name, range.start)).or(html);
                let closes = html.filter(|(name, _)| tag.to_lowercase().starts_with(&format!("</{name}")));
                let start = closes.map_or(range.start, |(_, start)| start);
                edits.replace(start..range.end, String::new());
            }
            Event::Start(Tag::Link { link_type: LinkType::Autolink | LinkType::Email, dest_url, .. }) => {
                let address = address(dest_url).unwrap_or_else(|| dest_url.to_string());
                if !own.lead_to(&address) {
                    edits.replace(range.clone(), String::new());
                }
            }
            Event::Start(Tag::Link { link_type: LinkType::Shortcut, id, .. }) if is_number(id) => {}
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) if !own.lead_to(dest_url) => {
                let inside = inside(&events[place + 1..], range);
                edits.replace(range.start..inside.start, String::new());
                edits.replace(inside.end..range.end, String::new());
            }
            Event::Code(_) => strange_addresses(text, range, own, &mut edits),
            Event::Text(_) if in_code => strange_addresses(text, range, own, &mut edits),
            // Text that entities and backslashes hide is checked in the next pass.
            Event::Text(shown) if shown.contains("://") && !text[range.clone()].contains("://") => {
                edits.replace(range.clone(), shown.to_string());
            }
            Event::Text(_) => bare(text, range, own, &mut edits),
            _ => {}
        }
    }
    edits.applied(text)
}

/// The text between a link's brackets; empty for a bare link.
fn inside(events: &[(Event<'_>, Range<usize>)], link: &Range<usize>) -> Range<usize> {
    let within =
        events.iter().map(|(_, range)| range).take_while(|range| range.end < link.end && range.start > link.start);
    let end = within.clone().map(|range| range.end).max().unwrap_or(link.start);
    within.map(|range| range.start).min().unwrap_or(link.start)..end
}

/// Removes bare addresses that are not the business's own, and escapes a `<` that would begin a
/// tag.
fn bare(text: &str, range: &Range<usize>, own: &OwnAddresses, edits: &mut Edits) {
    let piece = &text[range.clone()];
    for (at, _) in piece.match_indices('<') {
        if text[range.start + at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            edits.replace(range.start + at..range.start + at + 1, "&lt;".to_owned());
        }
    }
    strange_addresses(text, range, own, edits);
}

/// Removes words that are addresses, but not the business's own.
fn strange_addresses(text: &str, range: &Range<usize>, own: &OwnAddresses, edits: &mut Edits) {
    let mut at = 0;
    for word in text[range.clone()].split_inclusive(char::is_whitespace) {
        let bare = word.trim_matches(|c: char| c.is_whitespace() || "()[]<>\"'“”‘’.,;:!?*_`".contains(c));
        if address(bare).is_some_and(|address| !own.lead_to(&address)) {
            let start = range.start + at + word.find(bare).unwrap_or(0);
            edits.replace(start..start + bare.len(), String::new());
        }
        at += word.len();
    }
}

/// The address that readers and mail programs would see in a word.
fn address(word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    if let Some(start) = ["http://", "https://", "javascript:", "data:text"].iter().filter_map(|s| lower.find(s)).min()
    {
        return Some(word[start..].to_owned());
    }
    if lower.contains("://") {
        return Some(lower);
    }
    let (host, path) = lower.split_once('/').unwrap_or((&lower, ""));
    let is_host = host.rsplit_once('.').is_some_and(|(name, top)| {
        !name.is_empty() && top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    match lower.split_once('@') {
        Some((_, domain)) if domain.contains('.') => Some(format!("mailto:{lower}")),
        _ if is_host && (!path.is_empty() || host.starts_with("www.")) => Some(format!("https://{lower}")),
        _ => None,
    }
}

fn hidden_element(tag: &str) -> Option<&'static str> {
    let name = tag.strip_prefix('<')?.to_lowercase();
    HIDDEN_ELEMENTS.into_iter().find(|element| name.starts_with(element))
}

/// The text in a piece of HTML.
fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let lower = tag.to_ascii_lowercase();
        let end = match HIDDEN_ELEMENTS.iter().find(|element| lower.starts_with(**element)) {
            Some(element) => lower
                .find(&format!("</{element}"))
                .map_or(tag.len(), |at| at + lower[at..].find('>').map_or(0, |end| end + 1)),
            None if tag.starts_with("!--") => tag.find("-->").map_or(tag.len(), |at| at + 3),
            None => tag.find('>').map_or(tag.len(), |at| at + 1),
        };
        rest = &tag[end..];
    }
    text + rest
}

/// Edits of a text, in order and without overlaps.
#[derive(Debug, Default)]
struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    fn replace(&mut self, range: Range<usize>, by: String) {
        if !range.is_empty() {
            self.0.push((range, by));
        }
    }

    fn applied(mut self, text: &str) -> String {
        // Of overlapping edits, the widest counts.
        self.0.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut edited = String::with_capacity(text.len());
        let mut done = 0;
        for (range, by) in self.0.iter().filter(|(range, _)| !range.is_empty()) {
            if range.start >= done {
                let before = &text[done..range.start];
                // A removal leaves no extra space.
                let closes =
                    by.is_empty() && text[range.end..].starts_with([' ', '.', ',', '\n']) && before.ends_with(' ');
                edited.push_str(if closes { &before[..before.len() - 1] } else { before });
                edited.push_str(by);
                done = range.end;
            }
        }
        edited + &text[done..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> OwnAddresses {
        OwnAddresses::of(["Book at https://www.acme.example/book or write to hello@acme.example.", "Shop: acme.co.uk."])
    }

    #[test]
    fn html_goes_and_its_text_stays() {
        for (text, shown) in [
            ("One <b>bold</b> word.", "One bold word."),
            ("A <script>alert(1)</script>text.", "A text."),
            ("# T\n\n<script>\nalert(1)\n</script>\n\nText.", "# T\n\n\n\nText."),
            ("<div onclick=\"x()\">Our clinic</div>", "Our clinic"),
            ("A <img src=x onerror=alert(1)> picture.", "A picture."),
            ("A <img src=x onerror=alert(1)", "A &lt;img src=x onerror=alert(1)"),
            ("One <!-- hidden --> comment.", "One comment."),
            ("Less than 5 < 7 and 3 <= 4.", "Less than 5 < 7 and 3 <= 4."),
            ("`<b>` is a tag.\n\n```\n<p>\n```", "`<b>` is a tag.\n\n```\n<p>\n```"),
            ("<scr<script>x</script>ipt>alert(1)</script>", "&lt;scr"),
        ] {
            let cleaned = clean(text, &own());
            assert_eq!(cleaned, shown, "{text}");
            let bare = cleaned.replace("`<b>`", "").replace("```\n<p>\n```", "");
            assert!(!bare.contains("<script") && !bare.contains("<img") && !bare.contains("<p"), "{cleaned}");
        }
    }

    #[test]
    fn links_lead_only_where_the_business_does() {
        for (text, shown) in [
            ("[Book](https://acme.example/x) now.", "[Book](https://acme.example/x) now."),
            ("[Shop](https://shop.acme.co.uk) now.", "[Shop](https://shop.acme.co.uk) now."),
            ("[Write](mailto:hello@acme.example?subject=a).", "[Write](mailto:hello@acme.example?subject=a)."),
            ("See https://acme.example/book today.", "See https://acme.example/book today."),
            ("[Win **now**](https://evil.example) today.", "Win **now** today."),
            ("[Win](javascript:alert(1)) today.", "Win today."),
            ("[Win](https://acme.example@evil.example/) today.", "Win today."),
            ("[Win](https://notacme.example) or [win](https://acme.example.evil.example).", "Win or win."),
            ("[Win](https://evil.co.uk).", "Win."),
            ("![A beach](https://evil.example/?q=secret)", "A beach"),
            ("Go to https://evil.example/login, or www.evil.example today.", "Go to, or today."),
            ("Go to evil.example/login now; ask scam@evil.example.", "Go to now; ask."),
            ("Go to <https://evil.example> now.", "Go to now."),
            ("Read twice [1].\n\n[1]: https://evil.example \"t\"", "Read twice [1]."),
            ("[a][ref]\n\n[ref]: https://evil.example", "a"),
            ("Node.js, e.g. 3.5 and/or U.S. figures [2].", "Node.js, e.g. 3.5 and/or U.S. figures [2]."),
        ] {
            assert_eq!(clean(text, &own()), shown, "{text}");
        }
        assert_eq!(plain("See [this](https://acme.example)."), "See this.");
    }

    #[test]
    fn nothing_hidden_stays() {
        let hidden = "a\u{0}b\u{7}\u{1b}[2Jc\u{202e}d\u{200b}e\u{feff}f\u{e0041}g\r\nh\ti";
        assert_eq!(legible(hidden), "ab[2Jcdefg\nh\ti");
        assert_eq!(legible("👩‍💻 می‌خواهم"), "👩‍💻 می‌خواهم", "joiners belong to the script");
    }

    #[test]
    fn hostile_texts_cost_little() {
        for text in [
            "[".repeat(50_000),
            "<".repeat(50_000),
            "![](".repeat(20_000),
            "<b>".repeat(50_000),
            "https://x ".repeat(20_000),
        ] {
            let began = std::time::Instant::now();
            let _ = clean(&text, &own());
            assert!(began.elapsed().as_secs() < 5, "{}", &text[..8]);
        }
    }
}
