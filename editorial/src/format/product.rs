//! Product descriptions: a name, a tagline, features as bullets, and whom it is for.

use copydesk_domain::format::Format;

use super::fallback::{Material, Telling};
use super::spec::{Checks, Rules, Spec};
use crate::text::clip::{chars, one_line};
use crate::text::page::Page;

/// The longest tagline, in characters.
const MAX_TAGLINE_CHARS: usize = 200;

pub(super) const SPEC: Spec = Spec {
    format: Format::Product,
    shape: include_str!("../../shapes/product.md.j2"),
    sections: &["Features", "Who it is for"],
    is_prose: false,
    limits_its_length: false,
    check,
    compose,
};

fn check(page: &Page<'_>, _: &Rules<'_>, checks: &mut Checks) {
    let name = page.title();
    checks.require("name", name.is_some(), "Begin with the product's name: `# Name`.");
    let tagline = name.and_then(|name| name.lines.first());
    let short = tagline.is_some_and(|line| chars(line) <= MAX_TAGLINE_CHARS && !line.starts_with("- "));
    checks.require("tagline", short, "Put a tagline of one sentence under the name.");
    let bullets = page.section(2, "Features").map_or(0, |features| features.bullets());
    checks.require("features", bullets >= 2, "List the features under `## Features` as `- ` bullets.");
    let audience = page.section(2, "Who it is for").is_some_and(|section| section.is_written());
    checks.require("audience", audience, "Say whom it is for under `## Who it is for`.");
}

fn compose(material: &Material<'_>) -> String {
    let mut telling = Telling::of(material);
    let tagline = telling.within(MAX_TAGLINE_CHARS);
    let features = material.facts.len().clamp(3, 6);
    let features: Vec<String> = (0..features).map(|_| format!("- {}", telling.sentence())).collect();
    format!(
        "# {}\n\n{tagline}\n\n## Features\n\n{}\n\n## Who it is for\n\nFor {}.\n",
        one_line(&material.title, 100),
        features.join("\n"),
        material.audience.unwrap_or("everyone who wants to know more"),
    )
}

#[cfg(test)]
mod tests {
    use crate::format::tests::lacks;
    use copydesk_domain::format::Format::Product;

    #[test]
    fn the_shape_is_held() {
        lacks(Product, "# N\n\nA tagline.\n\n## Features\n\n- a\n- b\n\n## Who it is for\n\nYou.", &[]);
        lacks(Product, "# N\n\n## Features\n\n- a\n\n## Who it is for", &["tagline", "bullets", "whom"]);
        let long = format!("# N\n\n{}\n\n## Features\n\n- a\n- b\n\n## Who it is for\n\nYou.", "x".repeat(201));
        lacks(Product, &long, &["tagline"]);
        lacks(Product, "A tagline.\n\n## Features\n\n- a\n- b\n\n## Who it is for\n\nYou.", &["name", "tagline"]);
    }
}
