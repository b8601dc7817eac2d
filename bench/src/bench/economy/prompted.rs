//! What a prompt was for, read from its tags: the same in prompts of every release.

use copydesk_simulator::Prompted;

/// The stage that asked: `draft`; empty where the prompt does not say.
pub(super) fn stage(prompted: &Prompted) -> &str {
    task_attribute(&prompted.prompt, "stage")
}

/// The format's slug.
pub(super) fn format(prompted: &Prompted) -> &str {
    task_attribute(&prompted.prompt, "format")
}

/// The round of the stage, from 0.
pub(super) fn round(prompted: &Prompted) -> &str {
    task_attribute(&prompted.prompt, "round")
}

/// What the text is about, as it stands in the prompt.
pub(super) fn topic(prompted: &Prompted) -> &str {
    let body = prompted.prompt.split_once("<topic>").and_then(|(_, behind)| behind.split_once("</topic>"));
    body.map_or("", |(topic, _)| topic.trim())
}

fn task_attribute<'a>(prompt: &'a str, name: &str) -> &'a str {
    let task = prompt.split_once("<task ").and_then(|(_, behind)| behind.split_once('>')).map_or("", |(task, _)| task);
    let value = task.split_once(&format!("{name}=\"")).and_then(|(_, behind)| behind.split_once('"'));
    value.map_or("", |(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tags_are_read_wherever_they_stand() {
        let task = r#"<task stage="draft" format="blog" round="0"/>"#;
        for prompt in [format!("{task}\n<topic>Tides</topic>"), format!("<topic>\nTides</topic> text\n{task} Write.")] {
            let prompted = Prompted { prompt, ..Prompted::default() };
            let read = (stage(&prompted), format(&prompted), round(&prompted), topic(&prompted));
            assert_eq!(read, ("draft", "blog", "0", "Tides"));
        }
        assert_eq!(stage(&Prompted::default()), "");
    }
}
