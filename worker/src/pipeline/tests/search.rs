//! When searches of the web are bought, and who shares them.

use copydesk_common::quota::usual::TextKind;

use super::*;

/// A window of so many calls to the LLM and so many searches.
async fn limited(llm: u32, search: u32) -> Setting {
    Setting::with(|config| {
        (config.llm_requests_per_minute, config.search_requests_per_minute) = (Some(llm), search);
    })
    .await
}

impl Setting {
    /// The searches that the provider saw.
    fn bought(&self) -> u64 {
        self.simulated.simulator.calls().search.accepted
    }

    /// Another job, of this business and with this topic.
    fn another(&mut self, business: &str, topic: &str) {
        self.job.id = JobId::new();
        self.job.business_id = BusinessId::parse(business).unwrap();
        self.brief.topic = topic.into();
    }

    async fn research(&self) -> Result<research::Research, StageError> {
        let calls = self.calls();
        calls.expect(TextKind { format: Format::Blog, is_outlined: false, rounds: 2 });
        research::run(&calls, &self.brief).await
    }
}

#[tokio::test]
async fn what_a_business_asked_within_the_hour_is_not_paid_for_again() {
    let mut setting = limited(6_000, 6_000).await;
    let first = setting.research().await.unwrap();
    assert!(!first.passages.is_empty());
    assert_eq!(setting.bought(), 2, "a long text asks twice");
    setting.another("acme", "AI in healthcare");
    let give_up = clock::now() + TimeDelta::seconds(5);
    loop {
        // What was bought is kept behind the job.
        let calls = setting.calls();
        let second = research::run(&calls, &setting.brief).await.unwrap();
        assert_eq!(second.passages, first.passages);
        let used = calls.take_usage();
        if used == Usage::default() {
            break;
        }
        assert!(clock::now() < give_up, "{used:?}");
    }
    let bought = setting.bought();
    setting.another("other", "AI in healthcare");
    setting.research().await.unwrap();
    assert_eq!(setting.bought(), bought + 2, "another business's searches are its own");
}

#[tokio::test]
async fn two_texts_that_ask_the_same_at_once_buy_it_once() {
    let mut setting = limited(6_000, 6_000).await;
    setting.brief.words = 100;
    let delay = FaultKind::Delay { ms: 300 };
    setting.simulated.fail(Fault::search(delay));
    let (one, other) = tokio::join!(setting.research(), setting.research());
    assert_eq!(one.unwrap().passages, other.unwrap().passages);
    assert_eq!(setting.bought(), 1);
}

#[tokio::test]
async fn no_search_is_bought_before_the_text_can_be_written() {
    let mut setting = limited(2, 6_000).await;
    setting.research().await.unwrap();
    assert_eq!((setting.bought(), setting.made()), (2, 0), "its turn came, and took no call");
    setting.another("acme", "Something else");
    // A draft and an edit of the first one are all that there is.
    let error = setting.research().await.unwrap_err();
    let until = match setting.becomes(error) {
        Interruption::Wait(waiting) if waiting.reason == WaitReason::RateLimited => waiting,
        other => panic!("{other:?}"),
    };
    assert_eq!(until.provider.as_deref(), Some("groq"));
    assert_eq!(setting.bought(), 2);
    let late = setting.with_deadline(clock::now() + TimeDelta::seconds(30));
    assert!(!late.research().await.unwrap().is_unavailable, "with no time to wait it goes without a turn");
}

#[tokio::test]
async fn a_further_search_takes_nothing_that_other_texts_need() {
    let mut setting = limited(6_000, 4).await;
    for (n, bought) in [(1, 2), (2, 3), (3, 4)] {
        setting.another("acme", &format!("Topic {n}"));
        assert!(!setting.research().await.unwrap().passages.is_empty());
        assert_eq!(setting.bought(), bought, "text {n}: the second search is spared while half is used");
    }
}
