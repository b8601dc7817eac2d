//! What texts usually take: learned from those that are done.

use copydesk_domain::format::Format;

use super::super::usual::{self, TextKind, Usual};
use super::*;

#[tokio::test]
async fn what_texts_take_is_learned_by_their_kind() {
    let redis = Redis::of_test();
    let blog = TextKind { format: Format::Blog, is_outlined: false, is_edited: true };
    let (long, plain) = (TextKind { is_outlined: true, ..blog }, TextKind { is_edited: false, ..blog });
    let before = Usual::read(&redis).await.unwrap();
    assert_eq!([blog, long, plain].map(|kind| before.calls(kind)), [2, 3, 1], "arithmetic");
    assert_eq!(before.tokens(blog), None);
    for calls in [2, 2, 3, 2, 3] {
        usual::learn(&redis, blog, calls, u64::from(calls) * 1_000).await.unwrap();
    }
    let known = Usual::read(&redis).await.unwrap();
    assert_eq!((known.calls(blog), known.tokens(blog)), (2, Some(2_400)), "2.4 calls are two whole ones");
    assert_eq!((known.calls(long), known.calls(plain)), (3, 1), "another kind of text");
    for _ in 0..40 {
        usual::learn(&redis, blog, 4, 9_000).await.unwrap();
    }
    let known = Usual::read(&redis).await.unwrap();
    assert_eq!(known.calls(blog), 4, "what texts took long ago is forgotten");
    usual::learn(&redis, plain, 100, 5).await.unwrap();
    assert_eq!(Usual::read(&redis).await.unwrap().calls(plain), 10, "no job keeps places without end");
}
