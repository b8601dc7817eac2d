//! Tells the main content of a page from its surroundings: Readability finds the text of an
//! article; a page of sections, or a short one, is taken whole.

use dom_query::{Document, NodeRef, Selection};
use dom_smoothie::{Config, Readability};

use crate::Warnings;

/// A page with less text than this is taken whole, in letters and digits: about 150 words.
const SHORT_PAGE: usize = 750;
/// An extract of an article with less text than this is not trusted where the page shows much more:
/// about 50 words.
const SHORT_EXTRACT: usize = 250;
/// The share of the page's text that an extract has at least, in percent.
const MIN_SHARE: usize = 80;
/// The share of the page's text that `<main>` has at least, in percent.
const MIN_MAIN_SHARE: usize = 45;
/// Whether the main text cannot be told where a page is taken whole: the share of it that links are,
/// in percent, where an extract was not trusted, and where none was tried.
const MAX_LINK_SHARE_OF_PARTS: usize = 15;
const MAX_LINK_SHARE: usize = 50;
/// The fewest letters and digits of links of which that is said.
const MIN_LINK_LETTERS: usize = 250;
/// The fewest links of a menu.
const MIN_MENU_LINKS: usize = 3;
/// Parts of the site.
const SITE: &str = "footer, aside, [role=contentinfo], [role=complementary], [role=banner]";

/// The main content, as HTML.
pub(super) fn main_content(page: &Document, is_article: bool, warnings: &mut Warnings) -> String {
    let title = title(page);
    let body = body(page);
    let shown = letters(&body.root());
    // Readability is made for articles. Comments and teasers may be most of one's page, but the
    // sections of another page are its text.
    let is_enough = |extract: &Document| {
        let found = letters(&extract.root());
        found * 100 >= shown * MIN_SHARE || (is_article && found >= SHORT_EXTRACT)
    };
    let extract = (is_article || shown >= SHORT_PAGE).then(|| extract(page, is_article)).flatten();
    let has_parts = extract.is_some();
    let content = extract.filter(is_enough).unwrap_or_else(|| {
        if is_unclear(&body, has_parts) {
            warnings.main_text_unclear();
        }
        body
    });
    if let Some(title) = title {
        put_on_top(&content, &title);
    }
    content.html().to_string()
}

/// Whether the page declares itself an article, for search engines or social networks. To be asked
/// before scripts are removed. `og:type` does not tell: site builders set it on every page.
pub(super) fn says_it_is_an_article(page: &Document) -> bool {
    const META: &str = "meta[property='article:published_time'], meta[name='article:published_time'], \
        [itemtype$=Article], [itemtype$=Posting]";
    let is_article = |node: &NodeRef| ["Article\"", "BlogPosting\""].iter().any(|mark| node.text().contains(mark));
    page.select_single(META).exists()
        || page.select("script[type='application/ld+json']").nodes().iter().any(is_article)
}

/// The text of the page as Readability tells it. It takes parts for noise by their names, also the
/// "menu" of a restaurant: a section with a heading tells what it is by that.
fn extract(page: &Document, is_article: bool) -> Option<Document> {
    let page = page.clone();
    for section in page.select("section").nodes() {
        if !is_article && Selection::from(*section).select_single("h1, h2, h3, h4").exists() {
            section.remove_attrs(&["id", "class"]);
        }
    }
    let config = Config { disable_json_ld: true, ..Config::default() };
    let mut readability = Readability::with_document(page, None, Some(config)).ok()?;
    readability.parse().ok().map(|article| Document::from(article.content))
}

/// The body without the parts of the site, or its `<main>`, if that has most of the text.
fn body(page: &Document) -> Document {
    let body = page.clone();
    for node in body.select(SITE).nodes() {
        if !is_within(node, &["blockquote"]) {
            node.remove_from_parent();
        }
    }
    for header in body.select("header").nodes() {
        let has_heading = Selection::from(*header).select_single("h1, h2").exists();
        if !has_heading && !is_within(header, &["main", "article", "section"]) {
            header.remove_from_parent();
        }
    }
    for list in body.select("ul, ol").nodes() {
        if is_menu(list) {
            list.remove_from_parent();
        }
    }
    let shown = letters(&body.root());
    let main = match body.select("main, [role=main]").nodes() {
        [main] if letters(main) * 100 >= shown * MIN_MAIN_SHARE => Some(main.html()),
        _ => None,
    };
    main.map_or(body, Document::from)
}

/// Whether so much of a page that is taken whole is links that its text may be lost among them.
fn is_unclear(body: &Document, has_parts: bool) -> bool {
    let links = letters_of_links(&body.root());
    let most = if has_parts { MAX_LINK_SHARE_OF_PARTS } else { MAX_LINK_SHARE };
    links >= MIN_LINK_LETTERS && links * 100 > all_letters(&body.root()) * most
}

/// Whether a list is a menu: it has nothing but links, and belongs to no part of the content.
fn is_menu(list: &NodeRef) -> bool {
    let links = Selection::from(*list).select("a").length();
    links >= MIN_MENU_LINKS && letters(list) == 0 && !is_within(list, &["main", "article", "section"])
}

fn is_within(node: &NodeRef, names: &[&str]) -> bool {
    node.ancestors_it(None).any(|ancestor| names.iter().any(|name| ancestor.has_name(name)))
}

/// The letters and digits outside links: menus are links, text is not.
fn letters(node: &NodeRef) -> usize {
    all_letters(node).saturating_sub(letters_of_links(node))
}

fn all_letters(node: &NodeRef) -> usize {
    node.text().chars().filter(|c| c.is_alphanumeric()).count()
}

fn letters_of_links(node: &NodeRef) -> usize {
    Selection::from(*node).select("a, head").nodes().iter().map(all_letters).sum()
}

/// The heading that is the title of the page: the longest that is in its `<title>`, else the first
/// of level 1.
fn title(page: &Document) -> Option<String> {
    let declared = one_line(&page.select_single("head title").text());
    let headings = page.select("h1, h2");
    let text = |node: &NodeRef| Some(one_line(&node.text())).filter(|text| text.chars().any(char::is_alphanumeric));
    let is_declared = |text: &String| declared.to_lowercase().contains(&text.to_lowercase());
    let best = headings.nodes().iter().filter_map(text).filter(is_declared).max_by_key(String::len);
    best.or_else(|| page.select("h1").nodes().iter().find_map(text))
}

/// Puts the title before the content, unless it is a heading there.
fn put_on_top(content: &Document, title: &str) {
    let headings = content.select("h1, h2, h3");
    match headings.nodes().iter().find(|heading| one_line(&heading.text()) == title) {
        Some(heading) => heading.rename("h1"),
        None => {
            let heading = content.tree.new_element("h1");
            heading.set_text(title);
            if let Some(body) = content.body() {
                body.prepend_child(&heading);
            }
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
