//! Emails: a subject, a preheader, a greeting, a body with one call to action, a sign-off.

use copydesk_domain::format::Format;

use super::fallback::{Material, Telling};
use super::spec::{Checks, Rules, Spec};
use crate::answer::without_open_end;
use crate::text::clip::{chars, one_line};
use crate::text::language::calls_to_act;
use crate::text::page::Page;

/// The length of a subject that mail clients show, in characters.
const MAX_SUBJECT_CHARS: usize = 60;
/// The length of a preheader that mail clients show, in characters.
const MAX_PREHEADER_CHARS: usize = 100;
/// The longest greeting, in characters.
const MAX_GREETING_CHARS: usize = 100;
/// The longest sign-off, in characters.
const MAX_SIGN_OFF_CHARS: usize = 150;

pub(super) const SPEC: Spec = Spec {
    format: Format::Email,
    shape: include_str!("../../shapes/email.md.j2"),
    sections: &["Why we write", "What it offers", "What to do next"],
    is_prose: true,
    limits_its_length: false,
    check,
    compose,
};

fn check(page: &Page<'_>, rules: &Rules<'_>, checks: &mut Checks) {
    let lines: Vec<&str> = page.written().collect();
    let labelled = |place: usize, label: &str, most: usize| {
        let rest = lines.get(place).and_then(|line| line.strip_prefix(label)).unwrap_or_default().trim();
        (1..=most).contains(&chars(rest))
    };
    let subject = labelled(0, "Subject:", MAX_SUBJECT_CHARS);
    checks.require("subject", subject, format!("Begin with `Subject: ` and at most {MAX_SUBJECT_CHARS} characters."));
    let preheader = labelled(1, "Preheader:", MAX_PREHEADER_CHARS);
    checks.require(
        "preheader",
        preheader,
        format!("Put `Preheader: ` with at most {MAX_PREHEADER_CHARS} characters on the second line."),
    );
    let greets = lines.get(2).is_some_and(|line| chars(line) <= MAX_GREETING_CHARS);
    checks.require("greeting", greets, "Greet the reader in a line of its own after the preheader.");
    let body = lines.get(3..).unwrap_or_default();
    let acts = !rules.is_english() || body.iter().any(|line| calls_to_act(line));
    checks.require("call_to_action", acts, "Put the call to action in one line of its own.");
    let paragraphs = page.paragraphs();
    let last: usize = paragraphs.last().map_or(0, |lines| lines.iter().map(|line| chars(line)).sum());
    let signs_off = paragraphs.len() >= 4 && last <= MAX_SIGN_OFF_CHARS;
    checks.require("sign_off", signs_off, "Close with a short sign-off in a paragraph of its own.");
}

fn compose(material: &Material<'_>) -> String {
    let mut telling = Telling::of(material);
    let subject = one_line(&material.title, MAX_SUBJECT_CHARS);
    let subject = without_open_end(&subject);
    let preheader = one_line(&format!("What {} can tell you about it", material.business), MAX_PREHEADER_CHARS);
    let body = (0..2).map(|_| telling.paragraph(2)).collect::<Vec<_>>().join("\n\n");
    let business = one_line(&material.business, MAX_GREETING_CHARS);
    format!(
        "Subject: {subject}\nPreheader: {preheader}\n\nHello,\n\n{body}\n\nReply to this email to learn more.\n\n\
         Kind regards,\n{business}\n"
    )
}

#[cfg(test)]
mod tests {
    use crate::format::tests::lacks;
    use copydesk_domain::format::Format::Email;

    #[test]
    fn the_shape_is_held() {
        lacks(Email, "Subject: S\nPreheader: P\n\nHi Ann,\n\nText.\n\nBook a visit.\n\nBest,\nUs", &[]);
        lacks(
            Email,
            "Preheader: P\nSubject: S\n\nHi Ann,\n\nText.\n\nBook a visit.\n\nBest,\nUs",
            &["Subject", "Preheader"],
        );
        let long = format!("Subject: {}\nPreheader: P\n\nHi Ann,\n\nText.\n\nIt ends.\n\nBest,\nUs", "x".repeat(61));
        lacks(Email, &long, &["60 characters", "call to action"]);
        let email = |subject: usize, preheader: usize, greeting: usize, sign_off: usize| {
            let [subject, preheader, greeting, sign_off] =
                [subject, preheader, greeting, sign_off].map(|chars| "x".repeat(chars));
            format!("Subject: {subject}\nPreheader: {preheader}\n\n{greeting}\n\nText.\n\nBook a visit.\n\n{sign_off}")
        };
        lacks(Email, &email(60, 100, 100, 150), &[]);
        lacks(Email, &email(61, 101, 101, 151), &["60 characters", "100 characters", "Greet", "sign-off"]);
        lacks(Email, "Subject: S\nPreheader: P\n\nHi Ann,\n\nBook a visit.", &["sign-off"]);
    }
}
