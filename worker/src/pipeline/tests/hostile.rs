//! What models were seen to answer instead of what was asked, and worse: none of it reaches a client
//! as content, whichever stage gets it.

use copydesk_simulator::Finish;
use serde_json::json;

use super::*;
use crate::pipeline::calls::StageError;

/// A word of each bad answer that no text may hold.
const MARK: &str = "zyzzyva";

fn sound() -> String {
    "# Scans read twice\n\nEvery scan is read by a model and by a radiologist [1]. Results arrive within two hours, and \
     most patients see them before they leave.\n\nBook a visit today."
        .to_owned()
}

fn message(text: impl Into<String>, finish: Option<Finish>) -> Fault {
    Fault::chat(FaultKind::Message { text: text.into(), finish })
}

/// Answers that cannot be made a text of.
fn unusable_texts() -> Vec<(&'static str, String, Option<Finish>)> {
    let endless: String = (0..5_000).map(|n| format!("Point {n} of the {MARK} is one more. ")).collect();
    vec![
        ("empty", String::new(), None),
        ("whitespace", " \n\t\u{200b}\n".into(), None),
        ("cut off", format!("{}\n\n{MARK} and", sound()), Some(Finish::Length)),
        ("filtered", format!("{} {MARK}.", sound()), Some(Finish::ContentFilter)),
        ("refusal", format!("I'm sorry, but I can't help with {MARK}."), None),
        (
            "refusal behind a title",
            format!("# {MARK}\n\nI cannot create content on this topic, as it is sensitive."),
            None,
        ),
        ("foreign refusal", format!("Es tut mir leid, aber ich kann dabei nicht helfen: {MARK}."), None),
        ("data", json!({ "sections": [{ "heading": MARK }] }).to_string(), None),
        ("cut data", format!("{{\"sections\": [{{\"heading\": \"{MARK}\", \"points\": [\"One and another one"), None),
        ("tags", format!("{}\n<passage n=\"1\" kind=\"kb\">{MARK}</passage>", sound()), None),
        ("escaped tags", format!("{}\n&lt;lesson id=&quot;1&quot;&gt;{MARK}", sound()), None),
        ("template tokens", format!("<|start_header_id|>user {MARK} {}", sound()), None),
        (
            "only a thought",
            format!("<think>The user wants {MARK}, so I will write about it at some length here."),
            None,
        ),
        ("only markup", format!("<script>{MARK}({MARK}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)</script>"), None),
        ("repetition", format!("{}{}", sound(), format!(" The {MARK} helps every patient.").repeat(9)), None),
        ("no spaces", format!("{} {}", sound(), MARK.repeat(100)), None),
        ("endless", endless, None),
        (
            "French",
            format!(
                "Le {MARK} est une affaire pour les gens. Nous sommes dans une clinique moderne, et vous êtes avec nous pour la \
                 journée, que ce soit le matin ou le soir. Les résultats sont là dans les deux heures, et nous vous les \
                 donnons sur place avec le médecin du jour."
            ),
            None,
        ),
    ]
}

/// Answers that hold what may not be shown, beside a text.
fn unclean_texts() -> Vec<(&'static str, String)> {
    vec![
        ("script", format!("{}\n\n<script>{MARK}()</script>", sound())),
        ("hidden comment", format!("{}\n\n<!-- {MARK} -->", sound())),
        ("image", format!("{}\n\n![](https://{MARK}.example/?q=1)", sound())),
        ("link", format!("{}\n\n[Book here](https://{MARK}.example/login).", sound())),
        ("bare link", format!("{} See https://{MARK}.example/login.", sound())),
        ("script link", format!("{}\n\n[Book here](javascript:{MARK}).", sound())),
        ("handler", format!("{}\n\n<a href=\"#\" onclick=\"{MARK}()\">Book here.</a>", sound())),
        ("thought", format!("<think>{MARK}</think>\n{}", sound())),
        ("preamble", format!("Sure! Here is the {MARK} article:\n\n{}", sound())),
        ("remark", format!("{}\n\nLet me know if you'd like any changes to the {MARK}!", sound())),
        ("JSON", json!({ "title": MARK, "content": sound() }).to_string()),
        ("fenced JSON", format!("Here you go:\n```json\n{}\n```\n{MARK}", json!({ "content": sound() }))),
        ("next turn", format!("{}<|eot_id|>{MARK}", sound())),
    ]
}

#[tokio::test]
async fn an_unusable_text_is_repaired_or_named_and_never_shown() {
    let setting = Setting::new().await.on_last_attempt();
    for (name, text, finish) in unusable_texts() {
        setting.simulated.fail(message(text.clone(), finish).times(1));
        let draft = setting.draft().await.unwrap();
        assert!(!draft.is_template && !draft.text.contains(MARK), "{name}: {}", draft.text);

        setting.simulated.fail(message(text, finish));
        let draft = setting.draft().await.unwrap();
        assert!(draft.is_template && !draft.text.contains(MARK), "{name}: {}", draft.text);
        assert_eq!(draft.is_refused, name.contains("refusal") || name == "filtered", "{name}");
        assert!(setting.revise(&sound()).await.unwrap().text.is_none(), "{name}: the draft stands");
    }
}

#[tokio::test]
async fn of_an_unclean_text_the_text_alone_is_shown() {
    let setting = Setting::new().await;
    for (name, text) in unclean_texts() {
        let before = setting.made();
        setting.simulated.fail(message(text, None));
        for text in [setting.draft().await.unwrap().text, setting.revise(&sound()).await.unwrap().text.unwrap()] {
            assert!(!text.contains(MARK) && text.starts_with(&sound()), "{name}: {text}");
        }
        assert_eq!(setting.made() - before, 2, "{name}: no repair is needed");
    }
}

#[tokio::test]
async fn lessons_and_fixes_do_not_come_back_as_text() {
    let setting = Setting::new().await.on_last_attempt();
    let lesson = format!("The {MARK} must stay out of all texts, since the board has not decided on it.");
    let lessons = [copydesk_common::generation::AppliedLesson { id: "1".into(), text: lesson.clone() }];
    setting.simulated.fail(message(format!("{}\n\n{lesson}", sound()), None));
    let task = Task { lessons: &lessons, ..setting.task() };
    let draft = draft::run(&setting.calls(), &task).await.unwrap();
    assert!(draft.is_template && !draft.text.contains(MARK), "{}", draft.text);
}

#[tokio::test]
async fn a_hostile_review_is_repaired_or_done_without() {
    let setting = Setting::new().await;
    let review = |score: &str| {
        format!(
            "{{\"criteria\": {{\"accuracy\": {score}, \"relevance\": 8, \"voice\": 8, \"structure\": 8, \"clarity\": 8}}, \
             \"comments\": \"Good <script>{MARK}</script>[now](https://{MARK}.example).\", \"fixes\": []}}"
        )
    };
    for score in ["11", "-1", "1e400", "NaN", "null", "\"high\"", "[8]", "{}", "true"] {
        setting.simulated.fail(message(review(score), None).times(1));
        let reviewed = setting.review(&sound()).await.unwrap();
        assert!(reviewed.rubric.is_some(), "{score} is repaired");
        setting.simulated.fail(message(review(score), None));
        assert!(setting.review(&sound()).await.unwrap().rubric.is_none(), "{score}");
    }
    for (score, read) in [("8", 8.0), ("\"8\"", 8.0), ("\"8.5/10\"", 8.5)] {
        setting.simulated.fail(message(format!("My review:\n```json\n{}\n```", review(score)), None));
        let rubric = setting.review(&sound()).await.unwrap().rubric.unwrap();
        assert_eq!((rubric.criteria["accuracy"], rubric.comments.as_str()), (read, "Good now."));
    }
    for text in ["", "8/10", "I cannot help with that.", "{\"criteria\": {}}", "[1, 2]", "{\"criteria\": 8}"] {
        setting.simulated.fail(message(text, None));
        assert!(setting.review(&sound()).await.unwrap().rubric.is_none(), "{text}");
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
