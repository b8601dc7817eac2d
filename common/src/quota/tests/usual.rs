//! What texts usually take: learned from those that are done.

use copydesk_domain::format::Format;

use super::super::usual::{self, TextKind, Usual};
use super::*;

#[tokio::test]
async fn what_texts_take_is_learned_by_their_kind() {
    let redis = Redis::of_test();
    let blog = TextKind { format: Format::Blog, is_outlined: false, rounds: 2 };
    let (long, plain) = (TextKind { is_outlined: true, ..blog }, TextKind { rounds: 0, ..blog });
    let before = Usual::read(&redis).await.unwrap();
    for (share, expected) in [(0.0, [2, 3, 1]), (0.7, [2, 3, 1]), (0.8, [3, 4, 1])] {
        assert_eq!([blog, long, plain].map(|kind| before.calls(kind, share)), expected, "arithmetic, {share}");
    }
    assert_eq!(before.calls(TextKind { rounds: 1, ..blog }, 0.9), 2, "it has one round, and no other");
    assert_eq!(before.tokens(blog), None);
    for calls in [2, 2, 3, 2, 3] {
        usual::learn(&redis, blog, calls, u64::from(calls) * 1_000).await.unwrap();
    }
    let known = Usual::read(&redis).await.unwrap();
    assert_eq!(known.calls(blog, 0.5), 2);
    assert_eq!((known.calls(blog, 0.7), known.tokens(blog)), (3, Some(2_222)), "2.333 calls: a third keeps three");
    assert_eq!((known.calls(long, 0.0), known.calls(plain, 0.0)), (3, 1), "another kind of text");
    for _ in 0..100 {
        usual::learn(&redis, blog, 4, 9_000).await.unwrap();
    }
    let known = Usual::read(&redis).await.unwrap();
    assert_eq!(known.calls(blog, 0.1), 4, "what texts took long ago is forgotten");
    usual::learn(&redis, plain, 100, 5).await.unwrap();
    assert_eq!(Usual::read(&redis).await.unwrap().calls(plain, 0.9), 10, "no job keeps places without end");
}
