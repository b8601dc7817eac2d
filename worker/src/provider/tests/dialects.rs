//! Answers and refusals in the words of other servers: one row a dialect, read in one piece and in a stream.

use copydesk_simulator::{Dialect, Refused, TooLong};

use super::stream::Told;
use super::*;

impl Simulated {
    fn answers_in(&self, name: Dialect) {
        self.fail(Fault::any(FaultKind::Dialect { name }));
    }

    fn refuses_with(&self, name: Refused) {
        self.fail(Fault::any(FaultKind::Refused { name }));
    }
}

const OF_CHATS: [Dialect; 20] = [
    Dialect::ContentParts,
    Dialect::UsageNull,
    Dialect::UsageMissing,
    Dialect::UsageFractional,
    Dialect::UsageStrings,
    Dialect::UsageNegative,
    Dialect::NullChoices,
    Dialect::OddFinish,
    Dialect::OddFields,
    Dialect::OddJson,
    Dialect::ContentType,
    Dialect::ByteOrderMark,
    Dialect::Gzip,
    Dialect::Deflate,
    Dialect::Brotli,
    Dialect::GzipUnnamed,
    Dialect::NoDone,
    Dialect::NoBlank,
    Dialect::KeepAlive,
    Dialect::OtherWay,
];

#[tokio::test]
async fn every_dialect_of_a_chat_is_read_in_one_piece_and_in_a_stream() {
    let simulated = Simulated::start().await;
    let sound = simulated.ask().await.unwrap();
    for name in OF_CHATS {
        simulated.answers_in(name);
        let told = Told::default();
        for (way, answer) in [("whole", simulated.ask().await), ("stream", simulated.stream(&told).await)] {
            let answer = answer.unwrap_or_else(|error| panic!("{name:?}, {way}: {error:?}"));
            assert_eq!(answer.text, sound.text, "{name:?}, {way}");
            assert!(!answer.is_cut && !answer.is_refused, "{name:?}, {way}");
            // What is not told is counted: of the prompt as it was reserved.
            let prompt = [sound.prompt_tokens, request().prompt_tokens.into()];
            assert!(prompt.contains(&answer.prompt_tokens), "{name:?}, {way}: {}", answer.prompt_tokens);
            let off = answer.completion_tokens.abs_diff(sound.completion_tokens);
            assert!(off <= sound.completion_tokens / 2, "{name:?}, {way}: {}", answer.completion_tokens);
        }
        assert_eq!(told.text(), sound.text, "{name:?}: what is told is the text");
    }
}

#[tokio::test]
async fn every_dialect_of_a_search_is_read() {
    for is_tavily in [true, false] {
        let simulated = if is_tavily { Simulated::start().await } else { searxng().await };
        let sound = simulated.search().await.unwrap();
        for name in [
            Dialect::TitleNull,
            Dialect::UrlNull,
            Dialect::UsageNull,
            Dialect::OddFields,
            Dialect::OddJson,
            Dialect::ContentType,
            Dialect::ByteOrderMark,
            Dialect::Gzip,
            Dialect::Deflate,
            Dialect::Brotli,
            Dialect::GzipUnnamed,
        ] {
            simulated.answers_in(name);
            let found = simulated.search().await.unwrap_or_else(|error| panic!("{name:?}: {error:?}"));
            match name {
                Dialect::UrlNull => assert_eq!(found[..], sound[1..], "only a page without an address is left out"),
                Dialect::TitleNull => {
                    assert_eq!(found[0].title, found[0].url);
                    assert_eq!(found[1..], sound[1..]);
                }
                _ => assert_eq!(found, sound, "{name:?}"),
            }
        }
    }
}

#[tokio::test]
async fn every_dialect_of_vectors_is_read() {
    let simulated = with_embeddings().await;
    let sound = embed(&simulated).await.unwrap();
    for name in OF_CHATS {
        simulated.answers_in(name);
        let vectors = embed(&simulated).await.unwrap_or_else(|error| panic!("{name:?}: {error:?}"));
        assert_eq!(vectors, sound, "{name:?}");
    }
}

/// What became of a call, in a word.
fn became<T: std::fmt::Debug>(result: Result<T, ProviderError>) -> String {
    match result {
        Err(ProviderError::Misconfigured { variable, .. }) => variable.to_owned(),
        Err(ProviderError::Account { .. }) => "account".into(),
        Err(ProviderError::Throttled { until, .. }) => {
            format!("wait {}", (until - copydesk_common::clock::now()).as_seconds_f64().ceil())
        }
        Err(ProviderError::Failed { source: CallError::Status { status, .. }, .. }) => format!("failed {status}"),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn refusals_are_told_apart_in_whatever_words_and_by_whatever_way() {
    const MODEL: &str = "COPYDESK_LLM_MODEL";
    for (name, expected) in [
        (Refused::LimitInAnswer, "wait 30"),
        (Refused::FailureInAnswer, "failed 500"),
        (Refused::AccountEmpty, "account"),
        (Refused::QuotaUsedUp, "account"),
        (Refused::NoBilling, "account"),
        (Refused::OllamaUnknownModel, MODEL),
        (Refused::VllmUnknownModel, MODEL),
        (Refused::OpenrouterUnknownModel, MODEL),
        (Refused::MistralUnknownModel, MODEL),
        (Refused::OpenaiUnknownModel, MODEL),
        (Refused::LmStudioNoModel, MODEL),
        (Refused::GeminiUnknownModel, MODEL),
        (Refused::RetryAtOnce, "wait 5"),
        (Refused::RetryInThePast, "wait 5"),
        (Refused::RetryInText, "wait 20"),
    ] {
        // A refusal may close the provider: each begins anew.
        let (whole, streamed) = (Simulated::start().await, Simulated::start().await);
        whole.refuses_with(name);
        assert_eq!(became(whole.ask().await), expected, "{name:?}, in one piece");
        streamed.refuses_with(name);
        assert_eq!(became(streamed.stream(&Told::default()).await), expected, "{name:?}, in a stream");
    }
}

#[tokio::test]
async fn searches_and_vectors_are_refused_alike() {
    for (name, expected) in [
        (Refused::LimitInAnswer, "wait 30"),
        (Refused::FailureInAnswer, "failed 500"),
        (Refused::AccountEmpty, "account"),
        (Refused::RetryAtOnce, "wait 5"),
        (Refused::RetryInText, "wait 20"),
    ] {
        let (tavily, searxng, vectors) = (Simulated::start().await, searxng().await, with_embeddings().await);
        [&tavily, &searxng, &vectors].into_iter().for_each(|simulated| simulated.refuses_with(name));
        assert_eq!(became(tavily.search().await), expected, "{name:?}, Tavily");
        assert_eq!(became(searxng.search().await), expected, "{name:?}, SearXNG");
        assert_eq!(became(embed(&vectors).await), expected, "{name:?}, vectors");
    }
}

#[tokio::test]
async fn a_prompt_that_is_short_enough_is_answered_more_shortly() {
    for words in [TooLong::TokensPerMinute, TooLong::Vllm, TooLong::NoFigure] {
        let simulated = Simulated::start().await;
        simulated.fail(Fault::chat(FaultKind::TooLong { tokens: 1_500, words }));
        let request = ChatRequest { max_completion_tokens: 2_000, ..request() };
        let model = simulated.providers.writer.primary();
        let answer = model.complete(rank(), TIMEOUT, &request, None).await;
        let answer = if matches!(words, TooLong::NoFigure) {
            // Each refusal takes a quarter away.
            model.complete(rank(), TIMEOUT, &request, None).await
        } else {
            answer
        };
        assert!(!answer.unwrap_or_else(|error| panic!("{words:?}: {error:?}")).text.is_empty());
        let asked = simulated.simulator.calls().chat.accepted;
        model.complete(rank(), TIMEOUT, &request, None).await.unwrap();
        assert_eq!(simulated.simulator.calls().chat.accepted, asked + 1, "{words:?}: it is asked for less at once");
        assert!(model.window().tokens <= 2_025, "{words:?}: {}", model.window().tokens);
    }
}

#[tokio::test]
async fn a_prompt_that_is_too_long_says_how_long_one_may_be() {
    let simulated = Simulated::start().await;
    simulated.fail(Fault::chat(FaultKind::TooLong { tokens: 3_000, words: TooLong::LlamaCpp }));
    let request = ChatRequest { user: "tides ".repeat(4_000), prompt_tokens: 4_000, ..request() };
    let error = simulated.providers.writer.primary().complete(rank(), TIMEOUT, &request, None).await.unwrap_err();
    let ProviderError::TooLong { most, is_shorter: true, .. } = error else { panic!("{error:?}") };
    assert!((1_024..=3_000).contains(&most), "{most}");
    assert_eq!(simulated.providers.writer.window().tokens, most, "the next prompt is made for that");
    assert_eq!(simulated.simulator.calls().chat.accepted, 1, "the same prompt is not sent again");
}
