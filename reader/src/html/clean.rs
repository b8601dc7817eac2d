//! Takes out of the tree what is no text of the page. An element is not taken for noise by its name
//! unless it never holds text: whole pages stand in a form, and questions are buttons.

use dom_query::{Document, NodeRef};

/// Elements without text of the page: code, media, menus, and fields with their choices.
const NOISE: &str = "script, style, noscript, noframes, template, iframe, object, embed, svg, canvas, audio, video, \
    img, picture, map, nav, input, textarea, select, datalist, progress, meter, dialog:not([open]), \
    [role=navigation], [role=search], [role=menu], [role=menubar]";
/// Elements that hide by an attribute. Text that the browser's search finds is no hidden text.
const MAY_HIDE: &str = "[hidden]:not([hidden=until-found]), [style], [aria-hidden=true]";
/// Parts that a notice about cookies names itself by, beside the cookie.
const NOTICES: &[&str] = &["banner", "notice", "bar", "popup", "modal", "dialog", "consent", "overlay"];
/// The longest notice about cookies, in characters.
const MAX_NOTICE_CHARS: usize = 2_000;

pub(super) fn remove_noise(page: &Document) {
    page.select(NOISE).remove();
    for node in page.select(MAY_HIDE).nodes() {
        if is_hidden(node) {
            node.remove_from_parent();
        }
    }
    for node in page.select("[id*=ookie], [class*=ookie], [id*=gdpr], [class*=gdpr], [id^=onetrust]").nodes() {
        if is_cookie_notice(node) {
            node.remove_from_parent();
        }
    }
    page.select("form, fieldset").rename("div");
    set_apart(page);
    for item in page.select("li").nodes() {
        if item.text().trim().is_empty() {
            item.remove_from_parent();
        }
    }
}

/// Puts spaces around buttons and between links: nothing but their look sets them apart.
fn set_apart(page: &Document) {
    for button in page.select("button, label").nodes() {
        button.insert_before(&button.tree.new_text(" "));
        button.insert_after(&button.tree.new_text(" "));
        button.rename("span");
    }
    for link in page.select("a + a").nodes() {
        link.insert_before(&link.tree.new_text(" "));
    }
}

/// Whether an element is not shown. The page itself is: scripts show one that waits for them.
fn is_hidden(node: &NodeRef) -> bool {
    if node.has_name("body") || node.has_name("html") {
        return false;
    }
    // Icon fonts draw a picture for a word. Elsewhere `aria-hidden` often hides what is read twice.
    let is_icon = || node.attr_or("aria-hidden", "").as_ref() == "true" && node.attr_or("class", "").contains("icon");
    node.attr("hidden").is_some_and(|value| !value.eq_ignore_ascii_case("until-found"))
        || node.attr("style").is_some_and(|style| hides(&style))
        || is_icon()
}

/// Whether a style says that the element is not shown.
fn hides(style: &str) -> bool {
    style.split(';').filter_map(|declaration| declaration.split_once(':')).any(|(name, value)| {
        let value = value.trim().to_ascii_lowercase();
        match name.trim().to_ascii_lowercase().as_str() {
            "display" => value.starts_with("none"),
            "visibility" => value.starts_with("hidden") || value.starts_with("collapse"),
            _ => false,
        }
    })
}

/// Whether an element is a notice about cookies: names itself so, is short and speaks of them.
fn is_cookie_notice(node: &NodeRef) -> bool {
    if node.has_name("body") || node.has_name("html") {
        return false;
    }
    let names = format!("{} {}", node.attr_or("id", ""), node.attr_or("class", "")).to_ascii_lowercase();
    let says_so = |name: &str| {
        name.starts_with("onetrust")
            || (name.contains("cookie") || name.contains("gdpr")) && NOTICES.iter().any(|part| name.contains(part))
    };
    let text = node.text();
    names.split_whitespace().any(says_so)
        && text.chars().count() <= MAX_NOTICE_CHARS
        && text.to_lowercase().contains("cookie")
}
