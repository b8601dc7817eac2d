//! Case studies: challenge, solution and results, with a quote.

use copydesk_domain::format::Format;

use super::fallback::{Material, Telling};
use super::spec::{Checks, Rules, Spec};
use crate::text::page::Page;

/// The sections, in order.
const SECTIONS: [&str; 3] = ["Challenge", "Solution", "Results"];

pub(super) const SPEC: Spec = Spec {
    format: Format::CaseStudy,
    shape: include_str!("../../shapes/case_study.md.j2"),
    sections: &["Challenge", "Solution", "Results"],
    is_prose: true,
    limits_its_length: false,
    check,
    compose,
};

fn check(page: &Page<'_>, _: &Rules<'_>, checks: &mut Checks) {
    checks.require("title", page.title().is_some(), "Begin with one title line: `# Title`.");
    let place = |heading: &str| {
        page.sections.iter().position(|section| section.level == 2 && section.heading.eq_ignore_ascii_case(heading))
    };
    let places: Vec<_> = SECTIONS.iter().map(|heading| place(heading)).collect();
    let in_order = places.iter().all(Option::is_some) && places.is_sorted();
    checks.require(
        "sections",
        in_order,
        "Write the sections `## Challenge`, `## Solution` and `## Results`, in this order.",
    );
    let written = SECTIONS.iter().all(|heading| page.section(2, heading).is_none_or(|section| section.is_written()));
    checks.require("section_text", written, "Write text under each `## ` heading.");
    let quoting = |lines: &Vec<&str>| lines.iter().any(|line| line.starts_with("> "));
    let quotes = page.paragraphs().iter().filter(|lines| quoting(lines)).count();
    checks.require("quote", quotes == 1, "Put in one quote, as a line that begins with `> `.");
}

fn compose(material: &Material<'_>) -> String {
    let mut telling = Telling::of(material);
    let share = telling.share(SECTIONS.len());
    let quote = material
        .quotable()
        .map_or_else(|| format!("{} is glad to say more about this.", material.business), |fact| fact.cited());
    let [challenge, solution, results] =
        SECTIONS.map(|heading| format!("## {heading}\n\n{}", telling.paragraph(share)));
    format!("# {}\n\n{challenge}\n\n{solution}\n\n> {quote}\n\n{results}\n", material.title)
}

#[cfg(test)]
mod tests {
    use crate::format::tests::lacks;
    use copydesk_domain::format::Format::CaseStudy;

    #[test]
    fn the_shape_is_held() {
        lacks(CaseStudy, "# T\n\n## Challenge\n\na\n\n## Solution\n\nb\n\n> q\n> r\n\n## Results\n\nc", &[]);
        lacks(CaseStudy, "# T\n\n## Solution\n\nb\n\n> q\n\n## Challenge\n\na\n\n## Results\n\nc", &["order"]);
        lacks(CaseStudy, "## Challenge\n\n## Solution\n\nb\n\n## Results\n\nc", &["title", "under each", "quote"]);
    }
}
