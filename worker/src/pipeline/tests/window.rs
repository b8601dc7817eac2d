//! Models with small windows: what gives way, and what fails rather than be cut.

use copydesk_domain::lesson::AppliedLesson;

use super::*;

async fn with_window(tokens: u32) -> Setting {
    Setting::with(|config| config.context_tokens = format!("llama-3.3-70b-versatile={tokens}")).await
}

#[tokio::test]
async fn a_request_that_no_window_takes_fails_and_says_what_to_set() {
    let mut setting = with_window(4_096).await;
    setting.brief.profile = "新しい診療所では全ての画像を二度読みます。".repeat(300);
    let error = setting.outline().await.unwrap_err();
    let Interruption::Fail(problem) = setting.becomes(error) else { panic!("it would be tried again") };
    assert_eq!(problem.kind, "/problems/context-window");
    for part in ["4096", "llama-3.3-70b-versatile", "COPYDESK_CONTEXT_TOKENS"] {
        assert!(problem.detail.contains(part), "{}", problem.detail);
    }
    let last = setting.on_last_attempt();
    assert!(matches!(last.draft().await, Err(StageError::Prompt(_))), "no text by template in its place");
    assert_eq!(last.made(), 0);
}

#[tokio::test]
async fn the_smallest_window_of_those_who_may_answer_counts() {
    let mut setting = Setting::with(|config| {
        config.llm_fallback_models = "small".into();
        config.context_tokens = "small=4096".into();
    })
    .await;
    setting.brief.profile = "新しい診療所では全ての画像を二度読みます。".repeat(300);
    let error = setting.draft().await.unwrap_err().to_string();
    assert!(error.contains("small has room for"), "{error}");
}

#[tokio::test]
async fn who_had_no_room_for_lessons_and_passages_says_so() {
    let lessons = vec![AppliedLesson::unchecked("1", "Shorter, with fewer adjectives. ".repeat(12)); 5];
    for (tokens, lacks_room) in [(131_072, false), (4_400, true)] {
        let setting = with_window(tokens).await;
        let task = Task { lessons: &lessons, ..setting.task() };
        let by = draft::run(&setting.calls(), &task).await.unwrap().by.unwrap();
        assert_eq!(by.lacked_room, lacks_room, "{tokens}");
    }
}
