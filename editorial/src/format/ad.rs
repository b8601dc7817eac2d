//! Ads: three variants, each a headline, a body and a call to action within the networks' limits.

use copydesk_domain::format::Format;

use super::fallback::{Material, Telling};
use super::spec::{Checks, Rules, Spec};
use crate::text::clip::{chars, one_line};
use crate::text::page::Page;

/// The lines of a variant, and what each holds in characters.
const LINES: [(&str, usize); 3] = [("Headline:", 40), ("Body:", 125), ("Call to action:", 25)];

pub(super) const SPEC: Spec = Spec {
    format: Format::Ad,
    shape: include_str!("../../shapes/ad.md.j2"),
    sections: &["Variant 1", "Variant 2", "Variant 3"],
    is_prose: false,
    limits_its_length: true,
    check,
    compose,
};

fn check(page: &Page<'_>, _: &Rules<'_>, checks: &mut Checks) {
    let variants = page.of_level(2);
    let numbered = variants.len() == 3
        && (1..).zip(&variants).all(|(n, variant)| variant.heading.eq_ignore_ascii_case(&format!("Variant {n}")));
    checks.require(
        "variants",
        numbered,
        "Write three variants under `## Variant 1`, `## Variant 2` and `## Variant 3`.",
    );
    for (n, variant) in (1..).zip(&variants) {
        for (label, most) in LINES {
            let fits = variant.labelled(label).is_some_and(|text| chars(text) <= most);
            checks.require(
                "variant_lines",
                fits,
                format!("Give variant {n} a line `{label} ` with at most {most} characters."),
            );
        }
    }
}

fn compose(material: &Material<'_>) -> String {
    let mut telling = Telling::of(material);
    let [(headline, headline_chars), (body, body_chars), (action, _)] = LINES;
    let business = one_line(&material.business, headline_chars);
    let headlines = [one_line(&material.title, headline_chars), business, "Good to know".to_owned()];
    let actions = ["Learn more", "Contact us", "Ask us"];
    let variants = (1..).zip(headlines.iter().zip(actions)).map(|(n, (line, act))| {
        let text = telling.within(body_chars);
        format!("## Variant {n}\n\n{headline} {line}\n{body} {text}\n{action} {act}\n")
    });
    variants.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use crate::format::tests::lacks;
    use copydesk_domain::format::Format::Ad;

    fn variant(n: u8, headline: &str) -> String {
        format!("## Variant {n}\n\nHeadline: {headline}\nBody: b\nCall to action: Go\n\n")
    }

    #[test]
    fn the_shape_is_held() {
        let (one, two, three) = (variant(1, "h"), variant(2, "h"), variant(3, "h"));
        lacks(Ad, &format!("{one}{two}{three}"), &[]);
        lacks(Ad, &format!("{one}{two}"), &["three variants"]);
        lacks(Ad, &format!("{one}{two}{}", variant(3, &"x".repeat(41))), &["variant 3 a line `Headline: `"]);
        lacks(Ad, &format!("{one}{two}## Variant 3\n\nHeadline: h\nBody: b"), &["`Call to action: `"]);
        let body = three.replace("Body: b", &format!("Body: {}", "x".repeat(126)));
        lacks(Ad, &format!("{one}{two}{body}"), &["`Body: ` with at most 125"]);
        let action = three.replace("action: Go", &format!("action: {}", "x".repeat(26)));
        lacks(Ad, &format!("{one}{two}{action}"), &["`Call to action: ` with at most 25"]);
    }
}
