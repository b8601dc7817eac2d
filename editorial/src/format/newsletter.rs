//! Newsletters: a title, a greeting, at least two items, a sign-off.

use copydesk_domain::format::Format;

use super::fallback::{Material, Telling};
use super::spec::{Checks, Rules, Spec};
use crate::text::clip::chars;
use crate::text::page::Page;

/// The longest greeting, in characters.
const MAX_GREETING_CHARS: usize = 120;
/// The longest sign-off, in characters.
const MAX_SIGN_OFF_CHARS: usize = 200;

/// The items of a composed text, which promise nothing that its sentences might not hold.
const ITEMS: [&str; 3] = ["In short", "In detail", "Good to know"];

pub(super) const SPEC: Spec = Spec {
    format: Format::Newsletter,
    shape: include_str!("../../shapes/newsletter.md.j2"),
    sections: &["In short", "In detail", "What comes next"],
    is_prose: true,
    limits_its_length: false,
    check,
    compose,
};

fn check(page: &Page<'_>, _: &Rules<'_>, checks: &mut Checks) {
    let title = page.title();
    checks.require("title", title.is_some(), "Begin with one title line: `# Title`.");
    let greets = title.and_then(|title| title.lines.first()).is_some_and(|line| chars(line) <= MAX_GREETING_CHARS);
    checks.require("greeting", greets, "Put a line that greets the reader under the title.");
    let items = page.of_level(2);
    checks.require("items", items.len() >= 2, "Write at least two items with `## ` headings.");
    checks.require("item_text", items.iter().all(|item| item.is_written()), "Write text under each `## ` heading.");
    let last = page.paragraphs().pop().unwrap_or_default();
    let length: usize = last.iter().map(|line| chars(line)).sum();
    let signs_off =
        page.sections.last().is_some_and(|section| section.lines.len() > last.len()) && length <= MAX_SIGN_OFF_CHARS;
    checks.require("sign_off", signs_off, "Close with a short sign-off in a paragraph of its own.");
}

fn compose(material: &Material<'_>) -> String {
    let mut telling = Telling::of(material);
    let share = telling.share(ITEMS.len() + 1);
    let mut text = format!("# {}\n\nDear reader,\n\n{}\n", material.title, telling.paragraph(share));
    for item in ITEMS {
        text.push_str(&format!("\n## {item}\n\n{}\n", telling.paragraph(share)));
    }
    text.push_str(&format!("\nUntil next time,\nThe team of {}\n", material.business));
    text
}

#[cfg(test)]
mod tests {
    use crate::format::tests::lacks;
    use copydesk_domain::format::Format::Newsletter;

    #[test]
    fn the_shape_is_held() {
        lacks(Newsletter, "# T\n\nHello all,\n\n## A\n\na\n\n## B\n\nb\n\nBest,\nUs", &[]);
        lacks(Newsletter, "# T\n\n## A\n\na\n\nBest,\nUs", &["greets", "two items"]);
        let letter = |greeting: usize, sign_off: usize| {
            let (greeting, sign_off) = ("x".repeat(greeting), "x".repeat(sign_off));
            format!("# T\n\n{greeting}\n\n## A\n\na\n\n## B\n\nb\n\n{sign_off}")
        };
        lacks(Newsletter, &letter(120, 200), &[]);
        lacks(Newsletter, letter(9, 9).trim_start_matches("# T\n\n"), &["title", "greets"]);
        lacks(Newsletter, &letter(121, 201), &["greets", "sign-off"]);
        lacks(Newsletter, "# T\n\nHello all,\n\n## A\n\n## B\n\nb", &["under each", "sign-off"]);
    }
}
