//! Plans that come with their texts, and what becomes of an editor's edits.

use copydesk_domain::lesson::AppliedLesson;
use serde_json::{Value, json};

use super::*;

const DRAFT: &str = "# Scans read twice\n\nEvery scan is read by a model and by a radiologist [1]. Results arrive within two \
    hours of the visit [1].\n\n## Why it matters\n\nPatients see their results in the portal before they leave the clinic \
    [1]. Nobody waits for a letter.\n\n## What is next\n\nBook a visit today.";

fn says(edits: &Value) -> Fault {
    let answer = json!({ "criteria": { "accuracy": 7, "relevance": 7, "voice": 7, "structure": 7, "clarity": 7 },
        "comments": "Good.", "edits": edits });
    Fault::chat(FaultKind::Message { text: answer.to_string(), finish: None })
}

fn edit(paragraph: u16, action: &str, text: &str) -> Value {
    json!([{ "paragraph": paragraph, "action": action, "text": text }])
}

#[tokio::test]
async fn a_draft_comes_with_its_plan_and_shows_nothing_of_it() {
    let setting = Setting::new().await;
    let task = Task { plan: true, ..setting.task() };
    let written = draft::run(&setting.calls(), &task).await.unwrap();
    let plan = written.plan.unwrap();
    assert!(plan.sections.len() >= 3 && plan.sections.iter().any(|section| section.passages == [1]), "{plan:?}");
    assert!(written.text.starts_with("# ") && !written.text.to_lowercase().contains("plan>"), "{}", written.text);
    assert_eq!(setting.made(), 1);
}

#[tokio::test]
async fn a_plan_is_read_as_it_comes_or_done_without() {
    let setting = Setting::new().await;
    let task = Task { plan: true, ..setting.task() };
    for (answer, headings) in [
        (format!("<plan>\n1. **Why** [1][9]\n- What is next\n[2]\n</plan>\n\n{DRAFT}"), vec!["Why", "What is next"]),
        (DRAFT.to_owned(), vec![]),
        (format!("<plan></plan>{DRAFT}"), vec![]),
        (format!("```markdown\n<plan>\nWhy [1]\n</plan>\n\n{DRAFT}\n```"), vec!["Why"]),
        (
            format!("<plan>\nWhy [1]\nI'm sorry, but I can't help\n</plan>\nHere is the article:\n\n{DRAFT}"),
            vec!["Why"],
        ),
    ] {
        let message = FaultKind::Message { text: answer.clone(), finish: None };
        setting.simulated.fail(Fault::chat(message).times(1));
        let before = setting.made();
        let written = draft::run(&setting.calls(), &task).await.unwrap();
        let plan = written.plan.map(|plan| plan.sections).unwrap_or_default();
        assert_eq!(plan.iter().map(|section| section.heading.as_str()).collect::<Vec<_>>(), headings, "{answer}");
        assert!(plan.iter().all(|section| section.passages.iter().all(|n| *n == 1)), "only passages that there are");
        assert_eq!((written.text.as_str(), setting.made() - before), (DRAFT, 1), "{answer}");
    }
}

#[tokio::test]
async fn edits_are_applied_and_the_result_is_read_like_any_text() {
    let setting = Setting::new().await;
    let text =
        "Patients see their results before they leave the clinic [1].<script>x</script> See https://evil.example/now.";
    setting.simulated.fail(says(&json!([
        { "paragraph": 4, "action": "replace", "text": text },
        { "paragraph": 6, "action": "insert_after", "text": "It takes a minute." },
        { "paragraph": 99, "action": "remove", "text": "" },
    ])));
    let edited = setting.edit(DRAFT).await.unwrap();
    let text = edited.text.unwrap();
    assert!(
        text.contains("before they leave the clinic [1]. See") && text.ends_with("\n\nIt takes a minute."),
        "{text}"
    );
    assert!(!text.contains("script") && !text.contains("evil.example") && !text.contains("Nobody waits"), "{text}");
    assert_eq!((edited.rubric.unwrap().score(), edited.dropped), (7.0, None));
    assert_eq!(edited.reviewed, review::checked(&setting.task(), &text), "its checks are the new text's");
}

#[tokio::test]
async fn a_text_is_never_worse_than_before() {
    let setting = Setting::new().await;
    let private = "The new wing must stay out of all texts, since the board has not decided on it yet.";
    let lessons = [AppliedLesson::unchecked("1", private)];
    let task = Task { lessons: &lessons, draft: Some(DRAFT), ..setting.task() };
    // What is no text at all, what fails more checks, and what changes nothing.
    let all = |action: &str, text: &str| {
        let edits = (1..=6).map(|n| json!({ "paragraph": n, "action": action, "text": text }));
        Value::Array(edits.collect())
    };
    for (edits, why) in [
        (all("remove", ""), "empty"),
        (all("replace", "Every scan is read twice by two readers here."), "itself"),
        (
            edit(
                4,
                "replace",
                "Diese Klinik behandelt jeden Patienten gut, und die meisten Kurse sind nach sechs Wochen zu Ende, wenn \
            es nicht zu viele sind. Wir wissen, dass das für alle gut ist, und wir sagen es auch, weil es die freut, die \
            zu uns kommen und bei uns bleiben.",
            ),
            "",
        ),
        (edit(2, "replace", &"We care about every patient. ".repeat(30)), "itself"),
        (edit(6, "replace", "Book a visit today, because the"), "broke off"),
        (
            edit(2, "replace", "It has synergy. Every scan is read twice by a model and by a radiologist [1]."),
            "synergy",
        ),
        (edit(1, "remove", ""), "title"),
        (edit(2, "replace", private), ""),
        (edit(3, "replace", "## Why it matters"), ""),
        (edit(7, "replace", "x"), ""),
        (json!([]), ""),
        (json!("none"), ""),
    ] {
        setting.simulated.fail(says(&edits));
        let edited = setting.edit_of(&task).await.unwrap();
        assert_eq!(edited.text, None, "{edits}");
        let dropped = edited.dropped.unwrap_or_default();
        assert!(dropped.contains(why) && dropped.is_empty() == why.is_empty(), "{edits}: {dropped}");
        assert_eq!(edited.reviewed, review::checked(&task, DRAFT), "{edits}");
        assert!(edited.rubric.is_some(), "{edits}: the score is of use all the same");
    }
    assert_eq!(setting.made(), 12, "no answer was asked for again");
}

#[tokio::test]
async fn what_code_finds_is_told_the_editor() {
    let setting = Setting::new().await;
    let brief = Brief { keywords: vec!["second reading".into()], ..setting.brief.clone() };
    let task = Task { brief: &brief, draft: Some(DRAFT), ..setting.task() };
    let before = review::checked(&task, DRAFT);
    assert!(before.fixes.iter().any(|fix| fix.contains("second reading")), "{:?}", before.fixes);
    let edited = setting.edit_of(&task).await.unwrap();
    assert!(edited.text.unwrap().contains("second reading"), "the simulator mends what it is told");
    assert!(edited.reviewed.failed_checks < before.failed_checks);
}
