//! Social threads: five to twelve numbered posts, each short enough for the networks.

use copydesk_domain::format::Format;

use super::fallback::{Material, Telling};
use super::spec::{Checks, Rules, Spec};
use crate::text::clip::{chars, clip};
use crate::text::page::Page;

/// The longest post, in characters.
const MAX_POST_CHARS: usize = 280;

pub(super) const SPEC: Spec = Spec {
    format: Format::Thread,
    shape: include_str!("../../shapes/thread.md.j2"),
    sections: &["Hook", "The problem", "What changes", "What we do", "What to take away"],
    is_prose: false,
    limits_its_length: false,
    check,
    compose,
};

fn check(page: &Page<'_>, _: &Rules<'_>, checks: &mut Checks) {
    let posts: Vec<String> = page.paragraphs().iter().map(|lines| lines.join("\n")).collect();
    checks.require("posts", (5..=12).contains(&posts.len()), "Write five to twelve posts, split by blank lines.");
    let numbered = (1..)
        .zip(&posts)
        .all(|(n, post)| post.strip_prefix(&format!("{n}/ ")).is_some_and(|text| !text.trim().is_empty()));
    checks.require("numbering", numbered, "Begin each post with its number: `1/ `, `2/ ` and so on.");
    for (n, post) in (1..).zip(&posts) {
        let length = chars(post);
        checks.require(
            "post_length",
            length <= MAX_POST_CHARS,
            format!("Shorten post {n} to {MAX_POST_CHARS} characters: it has {length}."),
        );
    }
}

fn compose(material: &Material<'_>) -> String {
    let mut telling = Telling::of(material);
    let room = MAX_POST_CHARS - "12/ ".len();
    let middle = material.facts.len().clamp(3, 8);
    let mut posts = vec![clip(&format!("{}: a few things to know.", material.title), room).to_owned()];
    posts.extend((0..middle).map(|_| telling.within(room)));
    posts.push(clip(&format!("More on this from {}: ask us.", material.business), room).to_owned());
    let numbered: Vec<String> = (1..).zip(posts).map(|(n, post)| format!("{n}/ {post}")).collect();
    numbered.join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use crate::format::tests::lacks;
    use copydesk_domain::format::Format::Thread;

    #[test]
    fn the_shape_is_held() {
        lacks(Thread, "1/ a\n\n2/ b\n\n3/ c\n\n4/ d\n\n5/ e", &[]);
        lacks(Thread, "1/ a\n\n2/ b\n\n3/ c\n\n4/ d", &["five to twelve"]);
        lacks(Thread, "1/ a\n\n3/ b\n\n3/ c\n\n4/ d\n\n5/ e", &["number"]);
        let long = format!("1/ a\n\n2/ {}\n\n3/ c\n\n4/ d\n\n5/ e", "x".repeat(278));
        lacks(Thread, &long, &["Shorten post 2"]);
        lacks(Thread, &long.replacen('x', "", 1), &[]);
        let thirteen: Vec<_> = (1..=13).map(|n| format!("{n}/ a")).collect();
        lacks(Thread, &thirteen.join("\n\n"), &["five to twelve"]);
    }
}
