//! FAQs: a title and at least five questions, each with an answer.

use copydesk_domain::format::Format;

use super::fallback::{Material, Telling};
use super::spec::{Checks, Rules, Spec};
use crate::text::language::asks;
use crate::text::page::Page;

pub(super) const SPEC: Spec = Spec {
    format: Format::Faq,
    shape: include_str!("../../shapes/faq.md.j2"),
    sections: &["What it is", "Who it is for", "How it works", "What it costs", "How to start"],
    is_prose: true,
    limits_its_length: false,
    check,
    compose,
};

fn check(page: &Page<'_>, rules: &Rules<'_>, checks: &mut Checks) {
    checks.require("title", page.title().is_some(), "Begin with one title line: `# Title`.");
    let entries = page.of_level(2);
    let questions: Vec<_> = entries.iter().filter(|entry| asks(entry.heading, rules.language)).collect();
    checks.require(
        "questions",
        questions.len() >= 5,
        "Ask at least five questions as `## ` headings that end with `?`.",
    );
    checks.require("answers", entries.iter().all(|entry| entry.is_written()), "Answer each question.");
}

fn compose(material: &Material<'_>) -> String {
    let mut telling = Telling::of(material);
    let business = &material.business;
    let questions = [
        "What should I know first?".to_owned(),
        format!("What does {business} say about it?"),
        "What does it mean in practice?".to_owned(),
        "What else is known?".to_owned(),
        "Where can I learn more?".to_owned(),
    ];
    let share = telling.share(questions.len());
    let entries = questions.iter().map(|question| format!("## {question}\n\n{}", telling.paragraph(share)));
    format!("# {}\n\n{}\n", material.title, entries.collect::<Vec<_>>().join("\n\n"))
}

#[cfg(test)]
mod tests {
    use crate::format::tests::lacks;
    use copydesk_domain::format::Format::Faq;

    #[test]
    fn the_shape_is_held() {
        let entries = |n: usize| (1..=n).map(|n| format!("## Question {n}?\n\nAnswer.\n\n")).collect::<String>();
        lacks(Faq, &format!("# T\n\n{}", entries(5)), &[]);
        lacks(Faq, &format!("# T\n\n{}", entries(4)), &["five questions"]);
        lacks(Faq, &format!("{}## One more?", entries(5)), &["title", "Answer each"]);
    }
}
