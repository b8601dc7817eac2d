//! The templates that prompts are made of, and how data is escaped into them.

use std::sync::LazyLock;

use copydesk_domain::format::Format;
use copydesk_domain::stage::Stage;
use copydesk_editorial::format::Spec;
use copydesk_editorial::text::markup::is_hidden;
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior};

/// All templates, parsed when the first is asked for.
pub(super) static ENVIRONMENT: LazyLock<Result<Environment<'static>, minijinja::Error>> = LazyLock::new(environment);

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(|out, _, value| {
        // Safe is what templates themselves made.
        let text = value.to_string();
        out.write_str(&if value.is_safe() { text } else { escape(&text) })?;
        Ok(())
    });
    environment.add_filter("attribute", |value: String| Value::from_safe_string(attribute(&value)));
    for (name, source) in
        TEMPLATES.iter().copied().chain(Format::ALL.iter().map(|&format| (format.slug(), Spec::of(format).shape)))
    {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// Data inside of a tag: no tag can begin or end in it. Characters that nobody sees are dropped: they
/// mean nothing in a text, and hide things.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c if is_hidden(c) => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Data inside of an attribute: one line, without quotes.
pub(super) fn attribute(text: &str) -> String {
    escape(&text.replace(['\n', '\r', '\t'], " ")).replace('"', "&quot;")
}

const TEMPLATES: [(&str, &str); 7] = [
    ("system/v5", include_str!("../../../prompts/system/v5.md.j2")),
    ("context/v5", include_str!("../../../prompts/context/v5.md.j2")),
    ("outline/v2", include_str!("../../../prompts/outline/v2.md.j2")),
    ("draft/v3", include_str!("../../../prompts/draft/v3.md.j2")),
    ("edit/v1", include_str!("../../../prompts/edit/v1.md.j2")),
    ("distill/system-v1", include_str!("../../../prompts/distill/system-v1.md.j2")),
    ("distill/v1", include_str!("../../../prompts/distill/v1.md.j2")),
];

/// The template that a stage uses now.
pub(in crate::pipeline) const fn version(stage: Stage) -> &'static str {
    match stage {
        Stage::Outline => "outline/v2",
        Stage::Edit => "edit/v1",
        _ => "draft/v3",
    }
}
