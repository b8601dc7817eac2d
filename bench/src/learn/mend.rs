//! How a human mends a text: only what breaks a preference is changed. What they publish is what a business learns from.

use copydesk_domain::format::Format;

use super::check::{self, breaks, is_call, is_emoji, is_item, is_prose, sentences, words};
use super::preference::{About, Preference};

/// Rounds of mending: what mends one preference can break another.
const ROUNDS: usize = 4;
/// Words for those that a rater does not like.
const INSTEAD: [(&str, &str); 11] = [
    ("leverage", "rely on"),
    ("seamless", "smooth"),
    ("robust", "solid"),
    ("landscape", "field"),
    ("journey", "path"),
    ("unlock", "open up"),
    ("empower", "enable"),
    ("delve", "look"),
    ("checklist", "row of steps"),
    ("plain language", "simple terms"),
    ("in practice", "in daily work"),
];
/// Sentences for who wants a longer text.
const MORE: [&str; 6] = [
    "It is worth a second look.",
    "Small steps matter more than large ones.",
    "The details decide in the end.",
    "Good work takes time.",
    "Most problems show early.",
    "A calm pace keeps the quality high.",
];

/// The text as its rater would publish it.
pub(super) fn mended(text: &str, preferences: &[Preference], format: Format) -> String {
    let mut text = text.to_owned();
    for _ in 0..ROUNDS {
        let broken = check::broken(&text, preferences, format);
        if broken.is_empty() {
            break;
        }
        text = broken.into_iter().fold(text, |text, preference| mend(&text, preference, format));
    }
    text
}

fn mend(text: &str, preference: Preference, format: Format) -> String {
    let number = preference.number(format);
    match (preference.about, preference.wanted) {
        (About::Word(word), true) => with_sentence(text, &format!("It is a matter of {word}.")),
        (About::Word(word), false) => {
            let other = INSTEAD.iter().find(|(known, _)| *known == word).map_or("", |(_, other)| other);
            replaced(text, word, other)
        }
        (About::Pair(..), _) => {
            let (right, wrong) = preference.words().unwrap_or_default();
            replaced(text, wrong, right)
        }
        (About::Exclamation, true) => first_changed(text, |bare| format!("{bare}!")),
        (About::Exclamation, false) => text.replace('!', "."),
        (About::EmDash, true) => first_changed(text, |bare| match bare.split_once(", ") {
            Some((before, behind)) => format!("{before} — {behind}."),
            None => format!("{bare} — really."),
        }),
        (About::EmDash, false) => text.replace(" — ", ", ").replace('—', ", "),
        (About::Emoji, true) => first_changed(text, |bare| format!("{bare}. 🙂")),
        (About::Emoji, false) => text.replace(is_emoji, "").replace(" \n", "\n").replace("  ", " "),
        (About::Semicolon, true) => first_changed(text, |bare| format!("{bare}; that is all.")),
        (About::Semicolon, false) => separated(text),
        (About::Question | About::Figure, _) => opened(text, preference, format),
        (About::Call, true) => with_call(text),
        (About::Call, false) => without_call(text),
        (About::Length, true) => lengthened(text, number),
        (About::Length, false) => shortened(text, number),
        (About::Sentences, true) => joined(text, preference, format),
        (About::Sentences, false) => halved(text, preference, format),
        (About::Lists, true) => listed(text),
        (About::Lists, false) => unlisted(text),
        (About::We, true) => with_sentence(text, "We see it every day."),
        (About::We, false) => {
            swapped(text, &[("we", "the team"), ("our", "the"), ("us", "the team"), ("ours", "the team's")])
        }
        (About::You, true) => with_sentence(text, "You will see it too."),
        (About::You, false) => {
            swapped(text, &[("you", "people"), ("your", "the"), ("yours", "theirs"), ("yourself", "oneself")])
        }
        (About::Headings, true) => more_headings(text, number),
        (About::Headings, false) => fewer_headings(text, number),
    }
}

fn swapped(text: &str, words: &[(&str, &str)]) -> String {
    words.iter().fold(text.to_owned(), |text, (word, other)| replaced(&text, word, other))
}

/// Every occurrence of a word replaced, with a capital where it had one.
fn replaced(text: &str, word: &str, other: &str) -> String {
    let (mut done, mut rest) = (String::new(), text);
    while let Some(at) = check::find(rest, word) {
        let is_large = rest[at..].starts_with(char::is_uppercase);
        done.push_str(&rest[..at]);
        done.push_str(&if is_large { capitalised(other) } else { other.to_owned() });
        rest = &rest[at + word.len()..];
    }
    done + rest
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn uncapitalised(text: &str) -> String {
    let mut chars = text.chars();
    let is_acronym = text.chars().nth(1).is_some_and(char::is_uppercase);
    let first = chars.next().filter(|_| !is_acronym);
    first.map_or_else(|| text.to_owned(), |first| first.to_lowercase().chain(chars).collect())
}

/// The first sentence of running text that ends in a full stop, changed; it is given without the stop.
fn first_changed(text: &str, change: impl Fn(&str) -> String) -> String {
    let all = text.lines().filter(|line| is_prose(line) && !is_item(line)).flat_map(sentences);
    let found = all.into_iter().find_map(|sentence| Some((sentence, sentence.strip_suffix('.')?)));
    found.map_or_else(|| text.to_owned(), |(sentence, bare)| text.replacen(sentence, &change(bare), 1))
}

/// The line of running text in the middle.
fn middle(text: &str) -> Option<usize> {
    let lines = text.lines().enumerate().filter(|(_, line)| is_prose(line) && !is_item(line));
    let prose: Vec<usize> = lines.map(|(at, _)| at).collect();
    // What opens and what closes a text has a part to play.
    let inner = prose.get(1..prose.len().saturating_sub(1)).filter(|inner| !inner.is_empty()).unwrap_or(&prose);
    inner.get(inner.len() / 2).copied()
}

fn line_changed(text: &str, at: usize, change: impl FnOnce(&str) -> String) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if let Some(line) = lines.get_mut(at) {
        *line = change(line);
    }
    lines.join("\n")
}

fn with_sentence(text: &str, sentence: &str) -> String {
    match middle(text) {
        Some(at) => line_changed(text, at, |line| format!("{line} {sentence}")),
        None => format!("{text}\n\n{sentence}"),
    }
}

/// Sentences in place of semicolons.
fn separated(text: &str) -> String {
    let mut parts = text.split(';');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| format!("{text}. {}", capitalised(part.trim_start())))
}

/// The text with another first sentence.
fn opened(text: &str, preference: Preference, format: Format) -> String {
    let is = |about| !breaks(text, Preference { about, wanted: true }, format);
    let wanted = |about| if preference.about == about { preference.wanted } else { is(about) };
    let opening = match (wanted(About::Question), wanted(About::Figure)) {
        (true, true) => "Which 3 things matter most here?",
        (true, false) => "What matters most here?",
        (false, true) => "3 things matter most here.",
        (false, false) => "Some things matter more than others.",
    };
    let first = text.lines().filter(|line| is_prose(line)).flat_map(sentences).next().unwrap_or_default();
    text.replacen(first, opening, 1)
}

/// A paragraph that calls to act, before the last one.
fn with_call(text: &str) -> String {
    let last = check::ending(text).next().unwrap_or_default();
    text.replacen(last, &format!("Get in touch with the team.\n\n{last}"), 1)
}

fn without_call(text: &str) -> String {
    let last: Vec<&str> = check::ending(text).take(3).collect();
    let blocks = text.split("\n\n").filter_map(|block| {
        let kept = |line: &str| {
            let calm = sentences(line).into_iter().filter(|sentence| !is_call(sentence));
            calm.collect::<Vec<_>>().join(" ")
        };
        match last.contains(&block) && is_call(block) {
            true => {
                Some(block.lines().map(kept).collect::<Vec<_>>().join("\n")).filter(|block| !block.trim().is_empty())
            }
            false => Some(block.to_owned()),
        }
    });
    blocks.collect::<Vec<_>>().join("\n\n")
}

fn lengthened(text: &str, least: usize) -> String {
    let mut text = text.to_owned();
    for sentence in MORE.iter().cycle().take(40) {
        if words(&text) >= least {
            break;
        }
        text = with_sentence(&text, sentence);
    }
    text
}

/// Without sentences from the middle.
fn shortened(text: &str, most: usize) -> String {
    let mut text = text.to_owned();
    for _ in 0..80 {
        let Some(at) = middle(&text).filter(|_| words(&text) > most) else { break };
        let shorter = line_changed(&text, at, |line| {
            let all = sentences(line);
            all[..all.len().saturating_sub(1)].join(" ")
        });
        text = shorter.replace("\n\n\n\n", "\n\n");
    }
    text
}

/// With long sentences cut into two.
fn halved(text: &str, preference: Preference, format: Format) -> String {
    let mut text = text.to_owned();
    for _ in 0..60 {
        let lines = text.lines().filter(|line| is_prose(line)).flat_map(sentences);
        let Some(longest) = lines.max_by_key(|sentence| words(sentence)).map(str::to_owned) else { break };
        if !breaks(&text, preference, format) || words(&longest) < 4 {
            break;
        }
        let parts: Vec<&str> = longest.split(' ').collect();
        let (first, second) = parts.split_at(parts.len() / 2);
        let first = first.join(" ");
        let new = format!("{}. {}", first.trim_end_matches([',', ';', ':']), capitalised(&second.join(" ")));
        text = text.replacen(&longest, &new, 1);
    }
    text
}

/// With short sentences joined to the ones behind them.
fn joined(text: &str, preference: Preference, format: Format) -> String {
    let mut text = text.to_owned();
    for _ in 0..60 {
        if !breaks(&text, preference, format) {
            break;
        }
        let pairs = text.lines().filter(|line| is_prose(line)).flat_map(|line| {
            let all = sentences(line);
            all.windows(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect::<Vec<_>>()
        });
        let shortest = pairs.min_by_key(|(first, second)| words(first) + words(second));
        let Some((first, second)) = shortest else {
            return with_sentence(&text, &format!("{}.", MORE.map(|more| more.trim_end_matches('.')).join(", and ")));
        };
        let new = format!("{}, and {}", first.trim_end_matches(['.', '!', '?']), uncapitalised(&second));
        text = text.replacen(&format!("{first} {second}"), &new, 1);
    }
    text
}

/// The sentences of the middle as a list.
fn listed(text: &str) -> String {
    let Some(at) = middle(text) else { return format!("{text}\n\n- One.\n- Two.") };
    line_changed(text, at, |line| sentences(line).iter().map(|one| format!("- {one}")).collect::<Vec<_>>().join("\n"))
}

/// Lists as running text.
fn unlisted(text: &str) -> String {
    let blocks = text.split("\n\n").map(|block| {
        let bare = |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit() || "-*. ".contains(c)).to_owned();
        if block.lines().all(is_item) {
            block.lines().map(bare).collect::<Vec<_>>().join(" ")
        } else {
            block.to_owned()
        }
    });
    let text = blocks.collect::<Vec<_>>().join("\n\n");
    let bare =
        |line: &str| if is_item(line) { line.trim_start_matches(['-', '*', ' ']).to_owned() } else { line.to_owned() };
    text.lines().map(bare).collect::<Vec<_>>().join("\n")
}

fn more_headings(text: &str, least: usize) -> String {
    let count = text.lines().filter(|line| line.starts_with("## ")).count();
    let names = ["More on it", "In detail", "Worth knowing too", "One more thing", "Last but not least"];
    let mut left = least.saturating_sub(count);
    let blocks: Vec<&str> = text.split("\n\n").collect();
    let last = blocks.len().saturating_sub(1);
    let mut new: Vec<String> = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let is_headed = new.last().is_none_or(|before| before.starts_with('#'));
        if left > 0 && at > 3 && at < last && !is_headed && is_prose(block) {
            left -= 1;
            new.push(format!("## {}", names[left % names.len()]));
        }
        new.push((*block).to_owned());
    }
    new.join("\n\n")
}

fn fewer_headings(text: &str, most: usize) -> String {
    let mut seen = 0;
    let kept = text.split("\n\n").filter(|block| {
        seen += usize::from(block.starts_with("## "));
        !block.starts_with("## ") || seen <= most
    });
    kept.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::super::preference::all;
    use super::*;

    const POST: &str = "3 things about tides [1].\n\nThe sea rises, and we know it. It falls — twice a day; look! Use \
        leverage here.\n\nClients utilize a robust journey, and it is in practice a long way to go for all of them. \
        Your plan helps.\n\n- One.\n- Two.\n\nGet in touch with us. 🌱\n\nWhat do you think?\n\n#Sea #Tides #Moon";
    const PLAIN: &str = "Why does it rise?\n\nIt is pulled. It falls.\n\nThe moon pulls it. The sun helps.\n\nIt comes \
        back. It goes.\n\nWhat is next?\n\n#Sea #Tides #Moon";
    const LETTER: &str = "# Tides\n\nHello,\n\nWhy does the sea rise? It is pulled.\n\n## A\n\nThe moon pulls on it. \
        It falls.\n\nIt rises.\n\n## B\n\nA rule. It holds.\n\nIt is old.\n\n## C\n\nIt is so.\n\n## D\n\nIt ends \
        here.\n\nUntil next time,\nThe people at Acme";

    #[test]
    fn every_preference_is_mended_alone() {
        for preference in all() {
            for (text, format) in [(POST, Format::LinkedIn), (PLAIN, Format::LinkedIn), (LETTER, Format::Newsletter)] {
                let is_headed = preference.about != About::Headings || format == Format::Newsletter;
                let new = mended(text, &[preference], format);
                assert!(!is_headed || !breaks(&new, preference, format), "{preference:?}\n{new}");
                assert_eq!(new == text, !breaks(text, preference, format), "{preference:?}: what is right stays");
            }
        }
    }

    #[test]
    fn nearly_all_raters_get_a_text_without_faults() {
        let mut left = 0;
        for seed in 0..200 {
            let held = super::super::preference::drawn(Format::LinkedIn, 8, &mut super::super::rng(seed, "mend"));
            left += check::broken(&mended(POST, &held, Format::LinkedIn), &held, Format::LinkedIn).len();
        }
        assert!(left <= 20, "{left} of 1,600 preferences stay broken");
    }

    #[test]
    fn broken_texts_do_no_harm() {
        for text in ["", "\n", "#", "—", "?", "é", "\n\n\n\n", "- ", "a"] {
            for preference in all() {
                mended(text, &[preference], Format::Newsletter);
            }
        }
    }
}
