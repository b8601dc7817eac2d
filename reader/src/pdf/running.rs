//! Removes what repeats on the pages of a PDF: running heads and feet, and page numbers.

use std::collections::{HashMap, HashSet};

use super::Line;

/// The number of lines at the top and bottom of a page that may be running heads or feet.
const EDGE_LINES: usize = 2;
/// The fewest pages with a running line, as a number and in percent of all pages.
const MIN_PAGES: usize = 3;
const MIN_PERCENT: usize = 40;

/// Removes running heads and feet.
pub(super) fn remove(pages: &mut [Vec<Line>]) {
    let mut on_pages: HashMap<String, usize> = HashMap::new();
    for page in pages.iter() {
        let edges: HashSet<String> = edges(page.len()).map(|at| shape(&page[at].text)).collect();
        edges.into_iter().for_each(|line| *on_pages.entry(line).or_default() += 1);
    }
    let least = MIN_PAGES.max((pages.len() * MIN_PERCENT).div_ceil(100));
    for page in pages.iter_mut() {
        let edges: HashSet<usize> = edges(page.len()).collect();
        let mut at = 0;
        page.retain(|line| {
            let is_running =
                edges.contains(&at) && on_pages.get(&shape(&line.text)).is_some_and(|&pages| pages >= least);
            at += 1;
            !is_running
        });
    }
}

fn edges(lines: usize) -> impl Iterator<Item = usize> {
    (0..lines).filter(move |&at| at < EDGE_LINES || at + EDGE_LINES >= lines)
}

/// A line without its numbers, which differ from page to page.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for c in line.trim().chars() {
        match c {
            c if c.is_ascii_digit() && shape.ends_with('0') => {}
            c if c.is_ascii_digit() => shape.push('0'),
            c => shape.extend(c.to_lowercase()),
        }
    }
    shape
}
