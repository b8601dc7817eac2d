//! Tables: a row of data stays a row, in a line of its own ("Summer | 40 euro"), as in Word files.
//! A table that only lays out the page is dissolved into blocks.

use std::collections::BTreeMap;

use dom_query::{Document, NodeRef, Selection};
use htmd::element_handler::Handlers;
use htmd::{Element, HtmlToMarkdownBuilder};

/// Stands between cells until the row is put together: no text has it.
const CELL_END: char = '\u{1f}';
/// The longest text of a cell of data with blocks within, in characters. More is a column of a page.
const MAX_CELL_CHARS: usize = 400;
/// The most rows or columns that a cell spans.
const MAX_SPAN: usize = 1_000;
/// The longest text that is repeated in the rows that it spans, in characters.
const MAX_REPEATED_CHARS: usize = 200;
/// The most cells that are repeated in a page.
const MAX_REPEATS: usize = 10_000;
const BLOCKS: &str = "p, div, ul, ol, dl, h1, h2, h3, h4, h5, h6, blockquote, pre, section, article";

/// Makes blocks of the tables that lay out the page, and prepares the others.
pub(super) fn dissolve_layout(page: &Document) {
    let mut repeats = MAX_REPEATS;
    for table in page.select("table").nodes() {
        let rows = rows(table);
        if is_layout(table, &rows) {
            dissolve(table);
        } else {
            prepare(table, &rows, &mut repeats);
        }
    }
    // A nested table counts for its surroundings only until here, so the parts come last.
    page.select("[data-dissolved]").rename("div");
}

/// The cells of each row of the table, without those of tables inside it.
fn rows<'a>(table: &NodeRef<'a>) -> Vec<Vec<NodeRef<'a>>> {
    let is_cell = |node: &NodeRef| node.has_name("td") || node.has_name("th");
    let rows = own_parts(table).into_iter().filter(|part| part.has_name("tr"));
    rows.map(|row| row.children_it(false).filter(is_cell).collect()).collect()
}

/// The parts of a table: its sections and rows.
fn own_parts<'a>(table: &NodeRef<'a>) -> Vec<NodeRef<'a>> {
    let sections: Vec<NodeRef> = table.children_it(false).filter(NodeRef::is_element).collect();
    let is_section = |node: &&NodeRef| ["thead", "tbody", "tfoot"].iter().any(|name| node.has_name(name));
    let rows: Vec<NodeRef> = sections.iter().filter(is_section).flat_map(|it| it.children_it(false)).collect();
    sections.into_iter().chain(rows).collect()
}

fn is_layout(table: &NodeRef, rows: &[Vec<NodeRef>]) -> bool {
    let has = |node: &NodeRef, what: &str| Selection::from(*node).select_single(what).exists();
    let is_filled = |cell: &&NodeRef| cell.text().chars().any(char::is_alphanumeric);
    let is_column = |cell: &NodeRef| {
        cell.text().chars().filter(|c| !c.is_whitespace()).count() > MAX_CELL_CHARS && has(cell, BLOCKS)
    };
    has(table, "table")
        || !rows.iter().any(|cells| cells.iter().filter(is_filled).count() > 1)
        || rows.iter().flatten().any(is_column)
}

fn dissolve(table: &NodeRef) {
    let parts = own_parts(table);
    let cells = rows(table).into_iter().flatten();
    for node in cells.chain(parts).chain([*table]) {
        node.set_attr("data-dissolved", "");
    }
}

/// A table of data: what its cells span is repeated, and nothing in a cell is a block of the page.
fn prepare(table: &NodeRef, rows: &[Vec<NodeRef>], repeats: &mut usize) {
    // Readability keeps tables that have a summary.
    table.remove_attrs(&["role", "datatable"]);
    table.set_attr("summary", "");
    Selection::from(*table).select("h1, h2, h3, h4, h5, h6, ul, ol, li").rename("div");
    repeat_spans(rows, repeats);
}

/// A cell that goes on in rows below.
struct Span {
    rows: usize,
    columns: usize,
    text: String,
}

/// Repeats a cell that spans rows in each of them, because a row is read alone.
fn repeat_spans(rows: &[Vec<NodeRef>], repeats: &mut usize) {
    let mut open: BTreeMap<usize, Span> = BTreeMap::new();
    for cells in rows {
        if *repeats == 0 {
            return;
        }
        let mut column = 0;
        for cell in cells {
            while let Some((text, columns)) = next_row(&mut open, column, repeats) {
                cell.insert_before(&copy(cell, text));
                column += columns;
            }
            let rows = span(cell, "rowspan");
            let columns = span(cell, "colspan");
            let text = cell.text().to_string();
            if rows > 1 && text.chars().count() <= MAX_REPEATED_CHARS {
                open.insert(column, Span { rows: rows - 1, columns, text });
            }
            column += columns;
        }
        let Some(mut last) = cells.last().copied() else { continue };
        for column in open.range(column..).map(|(column, _)| *column).collect::<Vec<_>>() {
            if let Some((text, _)) = next_row(&mut open, column, repeats) {
                let copy = copy(&last, text);
                last.insert_after(&copy);
                last = copy;
            }
        }
        open.retain(|_, span| span.rows > 0);
    }
}
/// The text of the span at a column, if one goes on there, and how many columns it has.
fn next_row(open: &mut BTreeMap<usize, Span>, column: usize, repeats: &mut usize) -> Option<(String, usize)> {
    let span = open.get_mut(&column).filter(|span| span.rows > 0)?;
    span.rows -= 1;
    *repeats = repeats.checked_sub(1)?;
    Some((span.text.clone(), span.columns))
}

fn copy<'a>(beside: &NodeRef<'a>, text: String) -> NodeRef<'a> {
    let cell = beside.tree.new_element("td");
    cell.append_child(&beside.tree.new_text(text));
    cell
}

/// How many rows or columns a cell has.
fn span(cell: &NodeRef, attribute: &str) -> usize {
    cell.attr(attribute).and_then(|span| span.trim().parse().ok()).map_or(1, |span: usize| span.clamp(1, MAX_SPAN))
}

/// Writes each row as a line.
pub(super) fn with_rows(builder: HtmlToMarkdownBuilder) -> HtmlToMarkdownBuilder {
    let block = |handlers: &dyn Handlers, table: Element| {
        let content = handlers.walk_children(table.node).content;
        let lines: Vec<&str> = content.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        Some(format!("\n\n{}\n\n", lines.join("\n")).into())
    };
    let row = |handlers: &dyn Handlers, row: Element| {
        let content = handlers.walk_children(row.node).content;
        let cells: Vec<&str> = content.split(CELL_END).map(str::trim).collect();
        let row = cells.join(" | ");
        Some(format!("\n{}\n", row.trim_end_matches([' ', '|'])).into())
    };
    let cell = |handlers: &dyn Handlers, cell: Element| {
        let content = handlers.walk_children(cell.node).content;
        let words: Vec<&str> = content.split_whitespace().collect();
        Some(format!("{}{CELL_END}", words.join(" ")).into())
    };
    let part = |handlers: &dyn Handlers, part: Element| {
        let content = handlers.walk_children(part.node).content;
        Some(format!("\n{}\n", content.trim()).into())
    };
    let builder = builder.add_handler(vec!["table"], block).add_handler(vec!["tr"], row);
    builder.add_handler(vec!["td", "th"], cell).add_handler(vec!["thead", "tbody", "tfoot", "caption"], part)
}
