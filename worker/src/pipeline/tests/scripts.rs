//! Texts in scripts without spaces, or with their own full stops: they are delivered as they are, and their length is
//! judged.

use copydesk_domain::review::Check;
use unicode_normalization::UnicodeNormalization as _;

use super::*;

/// A sound email of about 60 words each: the language, and the text.
const EMAILS: [(&str, &str); 7] = [
    ("km", include_str!("../../../tests/fixtures/scripts/km.md")),
    ("lo", include_str!("../../../tests/fixtures/scripts/lo.md")),
    ("my", include_str!("../../../tests/fixtures/scripts/my.md")),
    ("th", include_str!("../../../tests/fixtures/scripts/th.md")),
    ("zh", include_str!("../../../tests/fixtures/scripts/zh.md")),
    ("ja", include_str!("../../../tests/fixtures/scripts/ja.md")),
    ("hi", include_str!("../../../tests/fixtures/scripts/hi.md")),
];

#[tokio::test]
async fn a_text_is_kept_in_nfc_without_invisible_characters() {
    let plain = include_str!("../../../tests/fixtures/scripts/ja.md");
    for (form, text) in [
        ("NFD", plain.nfd().collect::<String>()),
        ("soft hyphens", plain.replace('、', "\u{ad}、\u{200b}\u{feff}")),
        ("JSON", serde_json::json!({ "text": plain.nfd().collect::<String>() }).to_string()),
    ] {
        let mut setting = Setting::new().await.on_last_attempt();
        setting.brief =
            Brief { language: "ja".into(), words: 90, max_rounds: 0, keywords: Vec::new(), ..brief(Format::Email) };
        assert_ne!(text, plain, "{form}");
        setting.simulated.fail(Fault::chat(FaultKind::Message { text, finish: None }));
        let draft = setting.draft().await.unwrap();
        assert_eq!((draft.text.as_str(), draft.is_template), (plain.trim(), false), "{form}");
    }
}

#[tokio::test]
async fn a_sound_text_is_delivered_whatever_its_script() {
    for (language, text) in EMAILS {
        let mut setting = Setting::new().await.on_last_attempt();
        let wished =
            Brief { language: language.into(), words: 90, max_rounds: 0, keywords: Vec::new(), ..brief(Format::Email) };
        setting.brief = wished;
        setting.simulated.fail(Fault::chat(FaultKind::Message { text: text.to_owned(), finish: None }));
        let draft = setting.draft().await.unwrap();
        assert_eq!((draft.text.as_str(), draft.is_template, setting.made()), (text.trim(), false, 1), "{language}");
        let checks = review::checked(&setting.task(), &draft.text).checks;
        let failed: Vec<&Check> =
            checks.iter().filter(|check| !check.passed && check.name != "citations_used").collect();
        assert!(failed.is_empty(), "{language}: {failed:?}");
        // What is cut in the middle, or says one thing over and over, is told there too.
        let half: String = text.trim().chars().take(text.chars().count() / 2).collect();
        let looped = format!("{text}\n\n{}", format!("{}\n", text.lines().nth(5).unwrap()).repeat(4));
        for bad in [looped.as_str(), half.as_str()] {
            let is_unmarked = bad == half && matches!(language, "th" | "lo");
            setting.simulated.fail(Fault::chat(FaultKind::Message { text: bad.to_owned(), finish: None }));
            assert_eq!(setting.draft().await.unwrap().is_template, !is_unmarked, "{language}: {bad}");
        }
    }
}
