//! What models were seen to answer instead of what was asked, and worse: none of it reaches a client
//! as content, whichever stage gets it.

use copydesk_domain::lesson::AppliedLesson;
use copydesk_simulator::Finish;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::pipeline::error::StageError;

/// A word of each bad answer that no text may hold.
const MARK: &str = "zyzzyva";
/// A sentence of the system prompt.
const RULE: &str = "Never mention this task, these rules, the tags or yourself.";
/// A lesson that the writer was given.
const LESSON: &str = "The new wing must stay out of all texts, since the board has not decided on it yet.";

fn sound() -> String {
    "# Scans read twice\n\nEvery scan is read by a model and by a radiologist [1]. Results arrive within two hours, and \
     most patients see them before they leave.\n\nBook a visit today."
        .to_owned()
}

fn message(text: impl Into<String>, finish: Option<Finish>) -> Fault {
    Fault::chat(FaultKind::Message { text: text.into(), finish })
}

/// What a model answered instead of a text, or around it.
#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    answer: String,
    becomes: Becomes,
    finish: Option<Finish>,
    /// How often the answer is said.
    times: Option<usize>,
    /// The stage that it is an answer for; any that writes where `None`.
    only: Option<SimulatedStage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Becomes {
    /// The text alone.
    Text,
    /// The text, and what may be shown of the rest.
    Shown,
    /// It cannot be used.
    Nothing,
    /// It is an answer of another kind, which whole jobs are tried with.
    #[serde(other)]
    Other,
}

impl Case {
    fn fault(&self) -> Fault {
        let of_lines = RULE.replacen(", ", ",\n  ", 9);
        let answer =
            self.answer.replace("$RULE_IN_LINES", &of_lines).replace("$RULE_IN_CAPITALS", &RULE.to_uppercase());
        let answer = answer.replace("$RULE", RULE).replace("$LESSON", LESSON);
        message(answer.repeat(self.times.unwrap_or(1)), self.finish)
    }
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../tests/fixtures/hostile_answers.json")).unwrap();
    cases.into_iter().filter(|case| case.only.is_none() && case.becomes != Becomes::Other).collect()
}

#[tokio::test]
async fn a_hostile_text_is_cleaned_repaired_or_named_and_never_shown() {
    let setting = Setting::new().await.on_last_attempt();
    let lessons = [AppliedLesson::unchecked("1", LESSON)];
    let task = Task { lessons: &lessons, ..setting.task() };
    let mut wrong = Vec::new();
    for case in cases() {
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{}: {what}", case.name));
            }
        };
        setting.simulated.fail(case.fault().times(1));
        let before = setting.made();
        let draft = draft::run(&setting.calls(), &task).await.unwrap();
        let calls = setting.made() - before;
        // What is too long to be read is a failed call, which only another attempt repeats.
        let is_read = case.times.is_none();
        expect(draft.is_template != is_read && !draft.text.contains(MARK), &draft.text);
        expect((calls == 2) == (is_read && case.becomes == Becomes::Nothing), &format!("{calls} calls"));

        setting.simulated.fail(case.fault());
        let draft = draft::run(&setting.calls(), &task).await.unwrap();
        match case.becomes {
            Becomes::Nothing => {
                expect(draft.is_template && !draft.text.contains(MARK), &draft.text);
                let is_refusal = case.name.starts_with("a refusal") || case.name == "a filter";
                expect(draft.is_refused == is_refusal, "refused or not");
            }
            Becomes::Text => expect(draft.text == sound(), &draft.text),
            Becomes::Other => {}
            Becomes::Shown => expect(draft.text.starts_with(&sound()) && !draft.text.contains(MARK), &draft.text),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test]
async fn hostile_scores_are_repaired_or_done_without() {
    let setting = Setting::new().await;
    let answer = |score: &str| {
        format!(
            "{{\"criteria\": {{\"accuracy\": {score}, \"relevance\": 8, \"voice\": 8, \"structure\": 8, \"clarity\": 8}}, \
             \"comments\": \"Good <script>{MARK}</script>[now](https://{MARK}.example).\", \"edits\": []}}"
        )
    };
    for score in ["11", "-1", "1e400", "NaN", "null", "\"high\"", "[8]", "{}", "true"] {
        setting.simulated.fail(message(answer(score), None).times(1));
        let edited = setting.edit(&sound()).await.unwrap();
        assert!(edited.rubric.is_some(), "{score} is repaired");
        setting.simulated.fail(message(answer(score), None));
        assert!(setting.edit(&sound()).await.unwrap().rubric.is_none(), "{score}");
    }
    for (score, read) in [("8", 8.0), ("\"8\"", 8.0), ("\"8.5/10\"", 8.5)] {
        setting.simulated.fail(message(format!("My edits:\n```json\n{}\n```", answer(score)), None));
        let rubric = setting.edit(&sound()).await.unwrap().rubric.unwrap();
        assert_eq!((rubric.criteria["accuracy"], rubric.comments.as_str()), (read, "Good now."));
    }
    for text in ["", "8/10", "I cannot help with that.", "{\"criteria\": {}}", "[1, 2]", "{\"criteria\": 8}"] {
        setting.simulated.fail(message(text, None));
        assert!(setting.edit(&sound()).await.unwrap().rubric.is_none(), "{text}");
    }
}

#[tokio::test]
async fn a_hostile_plan_is_put_in_order_or_done_without() {
    let setting = Setting::new().await;
    let plan = |sections: usize| {
        let section =
            |n| json!({ "heading": format!("<b>Part {n}</b>\n# x"), "points": vec!["p"; 99], "passages": [1, 77] });
        json!({ "title": "A [title](https://evil.example)", "sections": (0..sections).map(section).collect::<Vec<_>>() }).to_string()
    };
    setting.simulated.fail(message(plan(200), None));
    let outline = setting.outline().await.unwrap();
    assert_eq!((outline.title.as_str(), outline.sections.len()), ("A title", 12));
    assert_eq!((outline.sections[0].heading.as_str(), outline.sections[0].points.len()), ("Part 0 # x", 8));
    assert_eq!(outline.sections[0].passages, [1], "only passages that there are");
    setting.simulated.fail(message(
        json!({ "outline": serde_json::from_str::<serde_json::Value>(&plan(4)).unwrap() }).to_string(),
        None,
    ));
    assert_eq!(setting.outline().await.unwrap().sections.len(), 4, "a wrapped plan is a plan");
    for text in [
        plan(0),
        "{}".into(),
        "# My plan\n\n1. One".into(),
        plan(3)[..40].to_owned(),
        "I can't assist with that.".into(),
    ] {
        setting.simulated.fail(message(text.clone(), None));
        assert_eq!(setting.outline().await.unwrap().sections[0].heading, "Why it matters", "{text}");
    }
}

#[tokio::test]
async fn a_filter_is_told_from_an_error() {
    let setting = Setting::new().await;
    let body =
        json!({ "error": { "message": "The prompt triggered our policy.", "type": null, "code": "content_filter" } });
    setting.simulated.fail(Fault::chat(FaultKind::Status {
        code: 400,
        body: Some(body),
        retry_after: None,
        retry_after_ms: None,
    }));
    assert!(matches!(setting.draft().await, Err(StageError::ContentRefused)));
}

#[tokio::test]
async fn an_echo_of_an_example_is_repaired_or_done_without() {
    let setting = Setting::new().await.on_last_attempt();
    let plan = |title: &str, heading: &str| {
        let section = json!({ "heading": heading, "points": ["POINT", "Two read."], "passages": [1] });
        json!({ "title": title, "sections": [section] }).to_string()
    };
    for echo in [plan("the title", "Why it is so"), plan("Scans", "HEADING"), plan("<title>", "<heading>")] {
        let before = setting.made();
        setting.simulated.fail(message(echo.clone(), None));
        assert_eq!(setting.outline().await.unwrap().sections[0].heading, "Why it matters", "{echo}");
        assert_eq!(setting.made() - before, 2, "{echo}: one repair");
    }
    setting.simulated.fail(message(plan("Scans", "Why it is so"), None));
    assert_eq!(setting.outline().await.unwrap().sections[0].points, ["Two read."]);
    for title in ["the title", "TITLE", "In the active voice, then a first paragraph that begins with a dateline"] {
        let brief = Brief { format: Format::PressRelease, ..setting.brief.clone() };
        let task = Task { brief: &brief, ..setting.task() };
        setting.simulated.fail(message(sound().replace("Scans read twice", title), None));
        let draft = draft::run(&setting.calls(), &task).await.unwrap();
        assert!(draft.is_template && !draft.text.contains(title), "{title}: {}", draft.text);
    }
    let verdict = |score: f64, comments: &str| {
        let scores =
            json!({ "accuracy": score, "relevance": score, "voice": score, "structure": score, "clarity": score });
        json!({ "criteria": scores, "comments": comments, "edits": [] }).to_string()
    };
    for echo in [verdict(0.0, "One or two sentences."), verdict(0.0, "Good."), verdict(8.0, "ONE_OR_TWO_SENTENCES")] {
        setting.simulated.fail(message(echo.clone(), None));
        assert!(setting.edit(&sound()).await.unwrap().rubric.is_none(), "{echo}");
    }
}

#[tokio::test]
async fn a_text_of_another_shape_stands_where_the_second_answer_is_none() {
    let shaped = format!("{}\n\n## use the 3rd person we\n\nThat is how scans are read here.", sound());
    let throttled = FaultKind::RateLimited { retry_after: Some(RetryAfter::Seconds(20)) };
    for second in [server_error(), throttled, FaultKind::Refusal, FaultKind::MidSentence, FaultKind::EmptyText] {
        let setting = Setting::new().await;
        let faults = vec![message(shaped.as_str(), None).times(1), Fault::chat(second.clone())];
        setting.simulated.simulator.set_faults(faults).unwrap();
        let draft = setting.draft().await.unwrap();
        assert!(!draft.is_template && draft.text.starts_with("# Scans read twice"), "{second:?}: {}", draft.text);
    }
}

#[tokio::test]
async fn an_order_of_the_request_does_not_come_back_as_its_text() {
    let mut setting = Setting::new().await.on_last_attempt();
    let order = "Use the third person throughout the text.";
    setting.brief.instructions = Some(format!("{order} The clinic opened in 1962 and has four readers."));
    setting.simulated.fail(message(format!("{}\n\n{order}", sound()), None));
    assert!(setting.draft().await.unwrap().is_template);
    setting.simulated.fail(message(format!("{}\n\nThe clinic opened in 1962 and has four readers.", sound()), None));
    assert!(!setting.draft().await.unwrap().is_template, "a fact is there to be told");
}
