//! Converts HTML to Markdown: the main content of a page, without what is there for the site, for
//! scripts or for nobody's eyes. Fetches nothing.

mod clean;
mod content;
mod depth;
mod tables;

use dom_query::Document;
use htmd::element_handler::Handlers;
use htmd::options::{BulletListMarker, Options};
use htmd::{Element, HtmlToMarkdown};
use html5ever::tendril::TendrilSink;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, parse_document};

use super::{Unusable, Warnings};

pub(super) fn markdown(html: &str, warnings: &mut Warnings) -> Result<String, Unusable> {
    depth::check(html)?;
    let page = parse(html);
    depth::check_tree(&page)?;
    let is_article = content::says_it_is_an_article(&page);
    clean::remove_noise(&page);
    depth::flatten(&page);
    tables::dissolve_layout(&page);
    let content = content::main_content(&page, is_article, warnings);
    converter().convert(&content).map_err(|error| Unusable::Damaged("HTML", error.into()))
}

/// Parses as a browser with scripts does, for which `<noscript>` holds no elements.
fn parse(html: &str) -> Document {
    let tree_builder = TreeBuilderOpts { scripting_enabled: true, ..TreeBuilderOpts::default() };
    parse_document(Document::default(), ParseOpts { tree_builder, ..ParseOpts::default() }).one(html)
}

fn converter() -> HtmlToMarkdown {
    let options = Options { bullet_list_marker: BulletListMarker::Dash, ul_bullet_spacing: 1, ..Options::default() };
    // Readability makes images of what pages load late.
    let builder = HtmlToMarkdown::builder().options(options).skip_tags(vec!["head", "img"]);
    // The text of a link is text of the page, its address is not.
    let builder = builder
        .add_handler(vec!["a"], |handlers: &dyn Handlers, link: Element| Some(handlers.walk_children(link.node)));
    tables::with_rows(builder).build()
}

#[cfg(test)]
mod tests;
