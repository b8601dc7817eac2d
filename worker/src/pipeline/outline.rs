//! The plan of a text, by a call of its own: a title, and sections with what each says and which passages support it.
//! Shorter texts are planned in the answer that writes them: [`super::draft`].

use std::collections::{BTreeSet, HashSet};

use copydesk_domain::format::Format;
use copydesk_domain::stage::Stage;
use copydesk_editorial::answer::{self, placeholder};
use copydesk_editorial::citation::markers;
use copydesk_editorial::format::Spec;
use copydesk_editorial::text::clip::one_line;
use copydesk_editorial::text::markup;
use serde_json::json;

use super::calls::Calls;
use super::error::StageError;
use super::plan::{Outline, Planned, Section};
use super::prompt::Task;
use super::structured::{self, Asking, Shape};

/// The longest answer, in tokens; models that think first think within it.
const MAX_TOKENS: u32 = 2_500;
/// A plan is not worded freely.
const TEMPERATURE: f32 = 0.4;
/// Sections that are kept.
const MAX_SECTIONS: usize = 12;
/// Points of a section that are kept.
const MAX_POINTS: usize = 8;
/// The longest title and heading, in characters.
const MAX_HEADING_CHARS: usize = 150;
/// The longest point, in characters.
const MAX_POINT_CHARS: usize = 300;

impl Shape for Outline {
    const NAME: &'static str = "outline";

    fn schema() -> serde_json::Value {
        let strings = json!({ "type": "array", "items": { "type": "string" } });
        json!({
            "type": "object",
            "properties": {
                "title": { "type": "string" },
                "sections": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "heading": { "type": "string" },
                            "points": strings,
                            "passages": { "type": "array", "items": { "type": "integer" } },
                        },
                        "required": ["heading", "points", "passages"],
                        "additionalProperties": false,
                    },
                },
            },
            "required": ["title", "sections"],
            "additionalProperties": false,
        })
    }

    fn checked(mut self) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        // Before markup is taken off: a copied tag must be seen.
        if self.lines().filter(|line| !line.trim_matches(['#', ' ']).is_empty()).any(is_unfit) {
            wrong.push("A title or heading was none: write what readers will see.".to_owned());
        }
        self.title = plain_line(&self.title, MAX_HEADING_CHARS);
        for section in &mut self.sections {
            section.heading = plain_line(&section.heading, MAX_HEADING_CHARS);
            section.points.retain(|point| !answer::is_example(point));
            section.points.truncate(MAX_POINTS);
            for point in &mut section.points {
                *point = plain_line(point, MAX_POINT_CHARS);
            }
        }
        let mut seen = HashSet::new();
        self.sections.retain(|section| !section.heading.is_empty() && seen.insert(section.heading.to_lowercase()));
        self.sections.truncate(MAX_SECTIONS);
        if self.title.is_empty() {
            wrong.push("The title was empty.".to_owned());
        }
        if self.sections.is_empty() {
            wrong.push("There was no section with a heading.".to_owned());
        }
        if wrong.is_empty() { Ok(self) } else { Err(wrong) }
    }
}

fn is_unfit(line: &str) -> bool {
    answer::is_refusal(line)
        || answer::repeats_the_prompt(line)
        || answer::is_example_heading(line)
        || answer::is_fragment(line, None)
        || answer::speaks_of_its_task(line)
        || placeholder::is_left(line)
}

fn plain_line(text: &str, most: usize) -> String {
    one_line(&markup::plain(text), most)
}

impl Outline {
    /// The plan that stood before a text: a heading a line, with the passages that it draws on. `None` where no line is
    /// one. It is read as it comes, since it plans a text that is written already.
    pub(super) fn of_lines(lines: &str, task: &Task<'_>) -> Option<Self> {
        let section = |line: &str| {
            let exists = |n: &u16| task.shown.iter().any(|passage| passage.n == *n);
            let markers = markers(line);
            let passages: BTreeSet<u16> =
                markers.iter().flat_map(|marker| &marker.numbers).copied().filter(exists).collect();
            let mut heading = line.to_owned();
            markers.iter().rev().for_each(|marker| heading.replace_range(marker.start..marker.end, ""));
            let heading = plain_line(&unlisted(&heading).replace("**", ""), MAX_HEADING_CHARS);
            let is_heading = !heading.is_empty() && !is_unfit(&heading);
            is_heading.then(|| Section { heading, points: Vec::new(), passages: passages.into_iter().collect() })
        };
        let sections: Vec<Section> = lines.lines().filter_map(section).take(MAX_SECTIONS).collect();
        // The text has its own title; where its format has none, the topic is the best.
        let title = one_line(&task.brief.topic, MAX_HEADING_CHARS);
        (!sections.is_empty()).then_some(Self { title, sections })
    }
}

/// A line without the mark of a list.
fn unlisted(line: &str) -> &str {
    let line = line.trim_start_matches(['#', '-', '•', ' ']);
    let line = line.strip_prefix("* ").unwrap_or(line);
    let unnumbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = unnumbered.len() < line.len();
    unnumbered.strip_prefix(['.', ')']).filter(|_| is_numbered).unwrap_or(line)
}

/// Plans the text; with the format's usual sections where no model could.
pub async fn run(calls: &Calls, task: &Task<'_>) -> Result<Planned, StageError> {
    let asking = Asking {
        stage: Stage::Outline,
        chain: calls.writer(),
        max_completion_tokens: MAX_TOKENS,
        temperature: TEMPERATURE,
    };
    let prompt = task.prompt(Stage::Outline, &asking.chain.window(), asking.max_completion_tokens)?;
    let planned = structured::ask::<Outline>(calls, &asking, &prompt).await.and_then(|(outline, by)| {
        // What it quotes would be in the text.
        let is_quote = outline.lines().any(|line| prompt.is_quoted_in(line, task.lessons));
        let wrong = || StageError::Unusable(vec!["A title or heading repeats what was said to the writer.".to_owned()]);
        if is_quote { Err(wrong()) } else { Ok((outline, by)) }
    });
    match planned {
        Ok((mut outline, by)) => {
            let exists = |n: &u16| task.shown.iter().any(|passage| passage.n == *n);
            outline.sections.iter_mut().for_each(|section| section.passages.retain(exists));
            Ok(Planned { outline, by: Some(by) })
        }
        Err(error) if error.is_about_the_answer() || calls.must_fall_back(&error) => {
            Calls::note_fallback(Stage::Outline, None, Some(&error));
            Ok(Planned { outline: usual(task.brief.format, &task.brief.topic), by: None })
        }
        Err(error) => Err(error),
    }
}

/// The format's usual sections.
pub(super) fn usual(format: Format, topic: &str) -> Outline {
    let section = |heading: &&str| Section { heading: (*heading).to_owned(), points: Vec::new(), passages: Vec::new() };
    let title = one_line(topic, MAX_HEADING_CHARS);
    Outline {
        title: if title.is_empty() { format.name().to_owned() } else { title },
        sections: Spec::of(format).sections.iter().map(section).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn plans_are_put_in_order_or_refused() {
        let plan: Outline = serde_json::from_value(json!({
            "title": "# A\ntitle", "sections": [{"heading": "  "}, {"heading": "One", "points": ["a\nb"]}], "extra": 1,
        }))
        .unwrap();
        let plan = plan.checked().unwrap();
        assert_eq!((plan.title.as_str(), plan.sections.len()), ("A title", 1));
        assert_eq!(plan.sections[0].points, ["a b"]);
        let plan: Outline = serde_json::from_value(json!({ "title": "Scans read twice", "sections": [
            { "heading": "One", "points": "what it costs", "passages": ["1", 2.0] },
            { "heading": "Two", "points": null, "passages": null },
            { "heading": null },
        ] }))
        .unwrap();
        let plan = plan.checked().unwrap();
        assert_eq!((plan.sections.len(), plan.sections[0].points.join("|").as_str()), (2, "what it costs"));
        assert_eq!((plan.sections[0].passages.as_slice(), plan.sections[1].points.len()), ([1, 2].as_slice(), 0));
        let empty = Outline { title: "#".into(), sections: Vec::new() };
        assert_eq!(empty.checked().unwrap_err().len(), 2);
        for title in
            ["I'm sorry, but I can't", "About [Your Company]", "&lt;passage n=\"1\"&gt;", "TITLE", "\"the title\""]
        {
            let sections = usual(Format::Blog, "T").sections;
            assert_eq!(Outline { title: title.into(), sections }.checked().unwrap_err().len(), 1, "{title}");
        }
    }

    #[test]
    fn every_format_has_a_usual_plan() {
        for &format in Format::ALL {
            assert!(usual(format, "\n# Topic").checked().is_ok(), "{format}");
        }
        assert_eq!(usual(Format::Faq, "###").title, "FAQ");
    }
}
