//! Refuses pages that nest too deeply, and makes those flatter that nest more than pages do. The parser's time grows with the square of the depth, and
//! the stack of what walks the tree with the depth. A guess before parsing keeps the known attacks
//! cheap; what it misses is seen in the tree, or stopped by the limits of the process.

use std::collections::HashMap;

use dom_query::{Document, NodeRef};

use crate::Unusable;

/// The deepest nesting that is read. Pages have a few dozen levels.
pub(super) const MAX_DEPTH: usize = 500;
/// The deepest nesting that is parsed, as tags tell it: old pages leave many elements open that the
/// parser closes.
const MAX_OPEN: usize = 4 * MAX_DEPTH;
/// The deepest nesting that keeps its shape: what comes later looks at a text once for each element
/// around it. Of 181 pages the deepest has 51 levels.
pub(super) const MAX_SHAPED_DEPTH: usize = 64;
/// Elements that keep their shape at any depth. They hold text, and little else.
const SHAPED: &[&str] = &["p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "br", "hr", "a"];
/// Elements within a line: no space is around them.
const INLINE: &[&str] = &["b", "i", "em", "strong", "u", "s", "span", "font", "small", "sub", "sup", "code", "mark"];
/// Void elements, and elements whose end tag is optional: they nest only within others.
const NOT_NESTED: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "p", "li",
    "dt", "dd", "td", "th", "tr", "tbody", "thead", "tfoot", "option", "colgroup", "html", "body", "head",
];
/// As much of a name as is compared, so that the time stays linear.
const MAX_NAME_BYTES: usize = 64;
/// Elements whose text is no markup.
const RAW: &[&str] = &["script", "style", "textarea", "title", "noscript", "iframe", "xmp", "noembed", "noframes"];

pub(super) fn check(html: &str) -> Result<(), Unusable> {
    if is_deeper_than(html, MAX_OPEN) { Err(Unusable::TooDeep(MAX_DEPTH)) } else { Ok(()) }
}

/// Measures the tree itself, without recursion.
pub(super) fn check_tree(page: &Document) -> Result<(), Unusable> {
    let mut open = vec![(page.root(), 0)];
    while let Some((node, depth)) = open.pop() {
        // Two more levels, html and body, are around each page.
        if depth > MAX_DEPTH + 2 {
            return Err(Unusable::TooDeep(MAX_DEPTH));
        }
        let inside = usize::from(node.is_element());
        open.extend(node.children_it(false).filter(NodeRef::is_element).map(|child| (child, depth + inside)));
    }
    Ok(())
}

/// Dissolves what nests too deep to have a shape: its text moves up. Each element moves once.
pub(super) fn flatten(page: &Document) {
    let mut open = vec![(page.root(), 0)];
    while let Some((node, depth)) = open.pop() {
        let elements: Vec<NodeRef> = node.children_it(false).filter(NodeRef::is_element).collect();
        let is_dissolved = depth > MAX_SHAPED_DEPTH && !SHAPED.iter().any(|name| node.has_name(name));
        if is_dissolved {
            if !INLINE.iter().any(|name| node.has_name(name)) {
                // Words of two blocks stay apart.
                node.insert_before(&node.tree.new_text(" "));
                node.insert_after(&node.tree.new_text(" "));
            }
            if let Some(first) = node.first_child() {
                node.insert_siblings_before(&first);
            }
            node.remove_from_parent();
        }
        let depth = if is_dissolved || !node.is_element() { depth } else { depth + 1 };
        open.extend(elements.into_iter().map(|element| (element, depth)));
    }
}

/// Whether elements may nest deeper than `most`: counts tags without parsing, and an end tag only
/// against a start tag of the same name. Passes over comments and the text of scripts.
fn is_deeper_than(html: &str, most: usize) -> bool {
    let mut open: HashMap<&[u8], usize> = HashMap::new();
    let mut depth = 0_usize;
    // Names are compared as they are written: lower case only once.
    let lower = html.to_ascii_lowercase();
    let mut rest = lower.as_str();
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = after_comment(comment);
            continue;
        }
        let (is_end, tag) = rest.strip_prefix('/').map_or((false, rest), |tag| (true, tag));
        let name = name(tag);
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || NOT_NESTED.contains(&name) {
            continue;
        }
        let count = open.entry(name.as_bytes()).or_default();
        if is_end && *count > 0 {
            *count -= 1;
            depth -= 1;
        } else if !is_end && RAW.contains(&name) {
            rest = after_raw(tag, name);
        } else if !is_end {
            *count += 1;
            depth += 1;
        }
        if depth > most {
            return true;
        }
    }
    false
}

/// The name of a tag ends as the parser ends it.
fn name(tag: &str) -> &str {
    let tag = &tag[..tag.floor_char_boundary(MAX_NAME_BYTES)];
    let end = tag.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').unwrap_or(tag.len());
    &tag[..end]
}

/// What follows a comment, of which the beginning is cut off. One that never ends takes the rest.
fn after_comment(comment: &str) -> &str {
    if let Some(rest) = comment.strip_prefix('>').or_else(|| comment.strip_prefix("->")) {
        return rest;
    }
    let ends = comment.match_indices("--").map(|(at, _)| &comment[at + 2..]);
    ends.map(|rest| rest.strip_prefix('!').unwrap_or(rest)).find_map(|rest| rest.strip_prefix('>')).unwrap_or("")
}

/// What follows the text of a script: its end tag. Without one, the text goes on to the end.
fn after_raw<'a>(tag: &'a str, name: &str) -> &'a str {
    let mut rest = tag;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        if self::name(rest) == name {
            return rest;
        }
    }
    ""
}
