//! Landing pages: a hero, a subheadline, benefits as bullets, proof, a call to action.

use copydesk_domain::format::Format;

use super::fallback::{Material, Telling};
use super::spec::{Checks, Rules, Spec};
use crate::text::clip::chars;
use crate::text::language::calls_to_act;
use crate::text::page::Page;

/// The longest subheadline, in characters.
const MAX_SUBHEADLINE_CHARS: usize = 250;

pub(super) const SPEC: Spec = Spec {
    format: Format::LandingPage,
    shape: include_str!("../../shapes/landing_page.md.j2"),
    sections: &["Benefits", "Proof", "Get started"],
    is_prose: false,
    limits_its_length: false,
    check,
    compose,
};

fn check(page: &Page<'_>, rules: &Rules<'_>, checks: &mut Checks) {
    let hero = page.title();
    checks.require("hero", hero.is_some(), "Begin with the hero line: `# Hero`.");
    let subheadline = hero.and_then(|hero| hero.lines.first());
    let short = subheadline.is_some_and(|line| chars(line) <= MAX_SUBHEADLINE_CHARS && !line.starts_with("- "));
    checks.require("subheadline", short, "Put a subheadline of one sentence under the hero line.");
    let sections = page.of_level(2);
    checks.require(
        "sections",
        sections.len() >= 3,
        "Write `## ` sections for the benefits, the proof and the call to action.",
    );
    checks.require(
        "benefits",
        sections.iter().any(|section| section.bullets() >= 2),
        "List the benefits as `- ` bullets.",
    );
    let acts = sections.last().is_some_and(|last| {
        let calls = calls_to_act(last.heading) || last.lines.iter().any(|line| calls_to_act(line));
        last.is_written() && (!rules.is_english() || calls)
    });
    checks.require("call_to_action", acts, "End with a `## ` section that calls to action.");
}

fn compose(material: &Material<'_>) -> String {
    let mut telling = Telling::of(material);
    let subheadline = telling.within(MAX_SUBHEADLINE_CHARS);
    let benefits = material.facts.len().saturating_sub(2).clamp(3, 6);
    let benefits: Vec<String> = (0..benefits).map(|_| format!("- {}", telling.sentence())).collect();
    format!(
        "# {}\n\n{subheadline}\n\n## Benefits\n\n{}\n\n## Proof\n\n{}\n\n## Get started\n\nContact {} to learn more.\n",
        material.title,
        benefits.join("\n"),
        telling.paragraph(2),
        material.business,
    )
}

#[cfg(test)]
mod tests {
    use crate::format::tests::lacks;
    use copydesk_domain::format::Format::LandingPage;

    #[test]
    fn the_shape_is_held() {
        lacks(LandingPage, "# H\n\nSub.\n\n## B\n\n- a\n- b\n\n## P\n\np\n\n## Start\n\nBook a visit.", &[]);
        lacks(LandingPage, "# H\n\nSub.\n\n## B\n\na\n\n## P\n\np\n\n## End\n\nIt ends.", &["bullets", "action"]);
        let sub = "x".repeat(251);
        let long = format!("# H\n\n{sub}\n\n## B\n\n- a\n- b\n\n## P\n\np\n\n## Start\n\nBook a visit.");
        lacks(LandingPage, &long, &["subheadline"]);
        let bare = "Sub.\n\n## B\n\n- a\n- b\n\n## P\n\np\n\n## Start\n\nBook a visit.";
        lacks(LandingPage, bare, &["hero line: `# Hero`", "subheadline"]);
        lacks(LandingPage, "# H\n\n## B\n\n- a\n- b\n\n## Start\n\nBook a visit.", &["subheadline", "sections"]);
    }
}
