//! Press releases: the conventions of news agencies, from `FOR IMMEDIATE RELEASE` to `###`.

use copydesk_domain::format::Format;

use super::fallback::{Material, Telling};
use super::spec::{Checks, Rules, Spec};
use crate::text::clip::chars;
use crate::text::page::Page;

/// The longest dateline in languages other than English, in characters.
const MAX_DATELINE_CHARS: usize = 80;
/// English months, as written in datelines.
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const SPEC: Spec = Spec {
    format: Format::PressRelease,
    shape: include_str!("../../shapes/press_release.md.j2"),
    sections: &["News", "Background", "Quote", "About"],
    is_prose: false,
    limits_its_length: false,
    check,
    compose,
};

fn check(page: &Page<'_>, rules: &Rules<'_>, checks: &mut Checks) {
    checks.require(
        "release_line",
        page.first() == "FOR IMMEDIATE RELEASE",
        "Begin with the line `FOR IMMEDIATE RELEASE`.",
    );
    checks.require("headline", page.of_level(1).len() == 1, "Write one headline: `# Headline`.");
    let dated = page.written().any(|line| is_dateline(line, rules));
    checks.require("dateline", dated, "Begin the first paragraph with a dateline: `CITY, Month D, YYYY — `.");
    let quotes = page.written().any(|line| line.contains(['"', '“', '«', '„', '「']) || line.starts_with("> "));
    checks.require("quote", quotes, "Quote somebody.");
    let about = page.section(2, "About").is_some_and(|section| section.is_written());
    checks.require("boilerplate", about, format!("Describe the business under `## About {}`.", rules.business_name));
    let contact =
        page.section(2, "Media contact").is_some_and(|section| section.lines.iter().any(|line| *line != "###"));
    checks.require("contact", contact, "Name a contact under `## Media contact`.");
    checks.require("end_mark", page.last() == "###", "End with the line `###`.");
}

/// `CITY, Month D, YYYY — …`. The order is checked only in English.
fn is_dateline(line: &str, rules: &Rules<'_>) -> bool {
    let Some((dateline, rest)) = line.split_once(" — ").or_else(|| line.split_once(" – ")) else { return false };
    // Other languages write dates, capitals and commas in other ways.
    if !rules.is_english() {
        let (has_day, has_city) = (dateline.contains(char::is_numeric), dateline.contains(char::is_alphabetic));
        return has_day && has_city && chars(dateline) <= MAX_DATELINE_CHARS && !rest.trim().is_empty();
    }
    let mut parts = dateline.trim_matches('*').rsplitn(3, ", ");
    let (year, day, city) = (parts.next(), parts.next(), parts.next());
    let year = year.is_some_and(|year| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()));
    let day = day.is_some_and(|day| {
        let month = MONTHS.iter().any(|month| day.starts_with(month));
        month && day.bytes().any(|byte| byte.is_ascii_digit())
    });
    let city = city.is_some_and(|city| city.chars().any(char::is_alphabetic) && city == city.to_uppercase());
    year && day && city && !rest.trim().is_empty()
}

fn compose(material: &Material<'_>) -> String {
    let mut telling = Telling::of(material);
    let (business, today) = (&material.business, material.today.format("%B %-d, %Y"));
    let (lead, body) = (telling.paragraph(2), telling.paragraph(2));
    // There is no real quote: the business is quoted from what it has written.
    let quote = material.quotable().map_or_else(
        || format!("“We are glad to say more,” says {business}."),
        |fact| format!("{}, writes {business}.", fact.quoted()),
    );
    // Nobody has said where: the business stands for the place.
    let place = business.to_uppercase().replace(',', "");
    format!(
        "FOR IMMEDIATE RELEASE\n\n# {}\n\n{place}, {today} — {lead}\n\n{body}\n\n{quote}\n\n## About {business}\n\n{}\n\n\
         ## Media contact\n\n{business}, press office\n\n###\n",
        material.title,
        telling.sentence(),
    )
}

#[cfg(test)]
mod tests {
    use crate::format::tests::lacks;
    use copydesk_domain::format::Format::PressRelease;

    const RELEASE: &str = "FOR IMMEDIATE RELEASE\n\n# H\n\nST. GALLEN, May 3, 2026 — Lead.\n\n\"A quote,\" says Ann.\n\n\
        ## About Acme Clinics\n\nText.\n\n## Media contact\n\nAnn\n\n###";

    #[test]
    fn the_shape_is_held() {
        lacks(PressRelease, RELEASE, &[]);
        lacks(PressRelease, RELEASE.trim_end_matches("\n\n###"), &["###"]);
        lacks(PressRelease, &RELEASE.replace("FOR IMMEDIATE RELEASE\n\n", ""), &["FOR IMMEDIATE RELEASE"]);
        lacks(PressRelease, &RELEASE.replace("# H\n\n", ""), &["one headline"]);
        lacks(PressRelease, &RELEASE.replace("\"A quote,\" says Ann.", "No."), &["Quote"]);
        for dateline in ["St. Gallen, May 3, 2026", "ST. GALLEN, 2026-05-03", "MAY 3, 2026", "ST. GALLEN, Mai 3, 2026"]
        {
            lacks(PressRelease, &RELEASE.replace("ST. GALLEN, May 3, 2026", dateline), &["dateline"]);
        }
        lacks(PressRelease, &RELEASE.replace("Ann\n\n###", "###"), &["contact"]);
        lacks(PressRelease, &RELEASE.replace("## About", "## Of"), &["## About"]);
    }
}
