//! Blog articles: a title, an introduction, at least three sections, the last with a call to action.

use copydesk_domain::format::Format;

use super::fallback::{Material, Telling};
use super::spec::{Checks, Rules, Spec};
use crate::text::language::calls_to_act;
use crate::text::page::Page;

/// The sections of a composed text: sentences of documents keep no promise of a heading that says more.
const HEADINGS: [&str; 3] = ["The essentials", "In practice", "Good to know"];

pub(super) const SPEC: Spec = Spec {
    format: Format::Blog,
    shape: include_str!("../../shapes/blog.md.j2"),
    sections: &["Why it matters", "What it means in practice", "What to keep in mind", "Where to go from here"],
    is_prose: true,
    limits_its_length: false,
    check,
    compose,
};

fn check(page: &Page<'_>, rules: &Rules<'_>, checks: &mut Checks) {
    let title = page.title();
    checks.require("title", title.is_some(), "Begin with one title line: `# Title`.");
    let introduced = title.is_none_or(|title| title.is_written());
    checks.require("introduction", introduced, "Put an introduction between the title and the first section.");
    let sections = page.of_level(2);
    checks.require("sections", sections.len() >= 3, "Write at least three sections with `## ` headings.");
    let empty = sections.iter().any(|section| !section.is_written() && !has_subsections(page, section.heading));
    checks.require("section_text", !empty, "Write text under each `## ` heading.");
    let last = page.sections.last();
    let acts = last.is_some_and(|last| !rules.is_english() || last.lines.iter().any(|line| calls_to_act(line)));
    checks.require("call_to_action", acts, "End the last section with a call to action.");
}

/// Whether a deeper heading follows this one directly.
fn has_subsections(page: &Page<'_>, heading: &str) -> bool {
    let place = page.sections.iter().position(|section| section.level == 2 && section.heading == heading);
    place.and_then(|place| page.sections.get(place + 1)).is_some_and(|next| next.level > 2)
}

fn compose(material: &Material<'_>) -> String {
    let mut telling = Telling::of(material);
    let share = telling.share(HEADINGS.len() + 1);
    let mut text = format!("# {}\n\n{}\n", material.title, telling.paragraph(share));
    for heading in HEADINGS {
        text.push_str(&format!("\n## {heading}\n\n{}\n", telling.paragraph(share)));
    }
    text.push_str(&format!("\nContact {} to learn more.\n", material.business));
    text
}

#[cfg(test)]
mod tests {
    use crate::format::tests::lacks;
    use copydesk_domain::format::Format::Blog;

    #[test]
    fn the_shape_is_held() {
        lacks(Blog, "# T\n\nIntro.\n\n## A\n\na\n\n## B\n\n### B1\n\nb\n\n## C\n\nBook a visit.", &[]);
        lacks(Blog, "Intro.\n\n## A\n\na\n\n## B\n\nb\n\n## C\n\nBook a visit.", &["title"]);
        lacks(Blog, "# T\n\n## A\n\na\n\n## B\n\nb\n\n## C\n\nIt ends here.", &["introduction", "call to action"]);
        lacks(Blog, "# T\n\nIntro.\n\n## A\n\n## C\n\nBook a visit.", &["three sections", "under each"]);
    }
}
