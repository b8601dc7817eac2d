//! How long people want texts and their sentences to be.

use copydesk_domain::lesson::{Bound, Rule};

use super::Context;
use super::clause::{Clause, Joint};
use super::cue;
use crate::lesson::pattern;

/// What of the judged text's length is meant by "shorter" and "longer", in percent.
const SHORTER: usize = 80;
const LONGER: usize = 125;
/// Lengths that people mean, in words.
const PLAUSIBLE: std::ops::RangeInclusive<usize> = 10..=20_000;
/// Fewer words than this, of a text of five times as many, are those of a sentence or a part.
const FEW: usize = 40;
/// Lengths of sentences that people mean, in words.
const PLAUSIBLE_SENTENCE: std::ops::RangeInclusive<usize> = 4..=60;

pattern!(SENTENCES, r"\bsentences\b|\bsentence length\b|\b(per|a|each|every) sentence\b");
pattern!(
    PART,
    r"\b(titles?|headlines?|subject lines?|subjects?|intro(duction)?s?|opening|hook|paragraphs?|sections?|headings?|ending|conclusion|sentences?|words|lists?|bullets?|points?|quotes?|captions?|preheader|signature|sign-off|greeting|names?|scenes?|questions?|calls?|cta|took|takes|taking|wait\w*|time|deadline|load\w*|to get to|lines?|examples?|url|slug|one|part|second|third|last|ago|history|brief)\b"
);
pattern!(
    FIXED,
    r"\b(no longer|so long as|long[- ]?term|short[- ]?term|in short|before long|in the long run|all day long|long way|long story|short of|long run|long ago|long time|long-standing|long-?form|short-?form|short-?list|shortcut|the brief|our brief|my brief)\b"
);
pattern!(
    TOO_LONG,
    r"\b(too|bit|rather|quite|way|so|very|overly|little|far|awfully|terribly|pretty|incredibly|really|kinda|kind of|somewhat|slightly|unnecessarily|needlessly|painfully|ridiculously|twice as) (too )?(long|lengthy|wordy|verbose|long-?winded)\b|\b(wordy|verbose|long-?winded|rambl\w+|bloated|too much (text|copy|to read)|wall of text|so much text|tl;? ?dr|drags? on|drags|goes on (and on|forever)|padded|padding|waffl\w+|over-?long|lengthy)\b|^long$|\bnot (\w+ )?(short|concise|brief|succinct) enough\b|\bon the long side|nobody (will|is going to|wants to|has time to) read (all|this|that)\b|\bendless\b|\blost (me|interest) (half|mid)way\b"
);
pattern!(
    SHORTER_WANTED,
    r"\b(shorter|shorten\w*|trim\w*|condens\w*|tighten\w*|tighter|concise\w*|succinct\w*|briefer|be brief|keep (it|this|that|things) (short|brief|tight)|brevity|crisper|(cut|boil|pare|slim|whittle) (it|this|that|them|the (text|copy|post|article|email|piece|draft|whole thing)) (back|down)|cut (down|back)|less (text|copy|wordy|verbose|to read|lengthy)|fewer words|half the (length|words|size)|half as long|make (it|this|that) short|short please|short and|in half|by half|less is more)\b|^short(er)?( please)?$|\bcut (it|this|that)$"
);
pattern!(
    TOO_SHORT,
    r"\b(too|bit|rather|quite|way|so|very|overly|little|far|awfully|pretty|really|kinda|somewhat|slightly) (too )?(short|brief|skimpy)\b|\bnot (\w+ )?long enough\b|n't (\w+ )?long enough\b|^(short|too brief)$|\bshort side\b|\bover before it (began|started|begins|starts)\b"
);
pattern!(
    LONGER_WANTED,
    r"\b(longer|lengthen\w*|more (text|words|copy|length)|twice as long|double the length|beef (it|this|that) up|meatier|expand (it|this|the (text|article|post|copy|piece|draft)))\b|\bexpand$"
);
pattern!(
    NEGATED,
    r"\b(not|never|isn't|wasn't|aren't|don't|doesn't|needn't|shouldn't)( \w+){0,2} (too |be |that |so |very |overly |get |make it |any )?(long|longer|lengthy|wordy|verbose|short|shorter|shorten|brief|trim|cut)\b"
);
pattern!(NOT_ENOUGH, r"\b(not|n't|isn't|wasn't)\b.{0,20}\benough\b");
pattern!(
    LONG_SENTENCE,
    r"\b(long\w*|winding|endless|run-?on|complex|complicated|convoluted|breathless|never-ending|huge|monster|marathon|nested|forever|go on|never end|drag|lost|out of breath)\b"
);
pattern!(
    SHORT_SENTENCE,
    r"\b(short|shorter|shorten\w*|break|split|snapp\w+|punch\w+|simpler|simplify|crisp\w*|chop (up|them))\b"
);
pattern!(
    CHOPPY,
    r"\b(choppy|staccato|abrupt|fragment\w*|telegram\w*|too short|so short|very short|bit short|rather short|longer|clipped)\b"
);
pattern!(NUMBER, r"\b(\d{1,3}(?:[,.]\d{3})+|\d{1,5})(k)?(?:\s*(?:-|–|to)\s*(\d{1,3}(?:[,.]\d{3})+|\d{1,5}))?\b");
pattern!(WORDS_NUMBER, r"\b(\d[\d,.]*k?(?:\s*(?:-|–|to)\s*\d[\d,.]*)?)[\s-]*words?\b");
pattern!(
    AT_MOST,
    r"\b(nobody|no one|never|won't|don't|doesn't|can't|cannot|not|do not)\b.{0,30}\b(more than|over|above|beyond)\b|\b(max(imum|imal)?( of)?|at most|no more than|not more than|not (over|above|exceed\w*)|under|below|less than|fewer than|up to|within|limit\w*|tops|cap\w*|or less|or fewer|at the most|not to exceed|cut|trim|shorten|reduce|keep|enough|plenty|would do|will do|suffice|suffices|down to|shouldn't exceed|stay|shave|exceed)\b"
);
pattern!(
    AT_LEAST,
    r"\b(at least|min(imum)?( of)?|no less than|not less than|not (under|below)|no fewer than|more than|over|above|or more|upwards of|north of|expand|at the very least|upward of)\b"
);
pattern!(RELATIVE, r"\b(too (many|long|much)|shorter|fewer|less)\b");
pattern!(REMOVED, r"\b(cut|remove|lose|drop|delete|trim|shave)( off| out)?( about| around| some| roughly)? \d");
pattern!(
    STATES,
    r"^(it|this|that|yours|the (text|post|article|draft|email|copy|piece)) (still )?(has|had|runs to|comes to|contains|counts|came to|was)\b"
);
pattern!(ABOUT, r"\b(about|around|roughly|approximately|circa|some|aim for|in the region of) \d");
pattern!(PERCENT, r"\b(\d{1,2}) ?(%|percent|per cent)");

/// The rules about lengths in a sentence's clauses.
pub(super) fn rules(clauses: &[Clause], context: &Context) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for (at, clause) in clauses.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |before| clauses[before].text.as_str());
        let continues = clause.joint == Joint::Next && SENTENCES.is_match(before) && !SENTENCES.is_match(&clause.text);
        let text = spelled(&FIXED.replace_all(&clause.text, " "));
        if SENTENCES.is_match(&text) || continues {
            rules.extend(reading(&text, context));
            continue;
        }
        let near = near(&text, context);
        if near.is_empty() {
            rules.extend(length(&text, clause.joint, context));
        }
        rules.extend(near);
    }
    rules
}

/// Whether a clause speaks of the text's length.
pub(super) fn speaks(text: &str) -> bool {
    [&*TOO_LONG, &*SHORTER_WANTED, &*TOO_SHORT, &*LONGER_WANTED, &*WORDS_NUMBER].iter().any(|one| one.is_match(text))
}

fn length(text: &str, joint: Joint, context: &Context) -> Option<Rule> {
    if let Some(rule) = in_words(text, context) {
        return Some(rule);
    }
    if let Some(percent) = share(text).filter(|_| context.words > 0 && text.contains("words")) {
        return Some(of_judged(Bound::AtMost, percent, context));
    }
    if joint == Joint::Instead || PART.is_match(text) || cue::is_indifferent(text) || context.words == 0 {
        return None;
    }
    if let Some(percent) = share(text) {
        return Some(of_judged(Bound::AtMost, percent, context));
    }
    // "I like how short it is."
    let is_short = text.contains("short") || text.contains("concise") || text.contains("brief");
    if cue::praises(text) && is_short && !text.contains("too ") && !text.contains("er") {
        return Some(Rule::Length { bound: Bound::AtMost, words: small(context.words.div_ceil(10) * 10) });
    }
    let is_negated = NEGATED.is_match(text) && !NOT_ENOUGH.is_match(text);
    if is_negated {
        return None;
    }
    let doubles = text.contains("twice as long") || text.contains("double the length");
    if doubles && (text.contains("should be") || text.contains("make")) && !text.contains("as it") {
        return Some(of_judged(Bound::AtLeast, 200, context));
    }
    if doubles {
        return Some(of_judged(Bound::AtMost, 50, context));
    }
    if TOO_SHORT.is_match(text) || LONGER_WANTED.is_match(text) {
        return Some(of_judged(Bound::AtLeast, LONGER, context));
    }
    let is_long = TOO_LONG.is_match(text) || SHORTER_WANTED.is_match(text);
    is_long.then(|| of_judged(Bound::AtMost, SHORTER, context))
}

/// A length that is wanted on both sides: "about 200 words", "between 150 and 200 words".
fn near(text: &str, context: &Context) -> Vec<Rule> {
    let Some(found) = WORDS_NUMBER.captures(text) else { return Vec::new() };
    let (least, most) = numbers(&found[1]);
    let is_range = least < most;
    let is_wish = !STATES.is_match(text) && bound(text).is_none() && !RELATIVE.is_match(text);
    let is_whole =
        !["sentence", "paragraph", "title", "add ", " for ", "longer"].iter().any(|part| text.contains(part));
    let is_apart = !(least * 9 / 10..=most * 11 / 10).contains(&context.words);
    if !(is_range || ABOUT.is_match(text)) || !(is_wish && is_whole && is_apart && is_of_text(least, context)) {
        return Vec::new();
    }
    // "About" leaves a tenth to both sides.
    let (least, most) = if is_range { (least, most) } else { (tens(least * 9 / 10), tens(most * 11 / 10)) };
    let bound = |bound, words| Rule::Length { bound, words: small(words) };
    vec![bound(Bound::AtLeast, least), bound(Bound::AtMost, most)]
}

/// A length in words, on one side.
fn in_words(text: &str, context: &Context) -> Option<Rule> {
    let found = WORDS_NUMBER.captures(text)?;
    let range = numbers(&found[1]);
    let (least, most) = (range.0, range.1);
    if !is_of_text(most, context) || text.contains("sentence") || text.contains("paragraph") || text.contains("title") {
        return None;
    }
    let judged = context.words;
    if RELATIVE.is_match(&text[found.get(0)?.end()..]) || REMOVED.is_match(text) {
        let left = judged.checked_sub(most).filter(|left| *left >= 10)?;
        return Some(Rule::Length { bound: Bound::AtMost, words: small(tens(left)) });
    }
    if text.contains("add ") || text[found.get(0)?.end()..].contains("longer") {
        return Some(Rule::Length { bound: Bound::AtLeast, words: small(tens(judged + most)) });
    }
    if let Some(bound) = bound(text) {
        return Some(Rule::Length { bound, words: small(most) });
    }
    // How long the text is, is no wish.
    let is_its_length = judged.abs_diff(most) * 10 <= judged;
    let describes =
        text.contains("it's") || text.contains("it is") || text.contains("this is") || text.contains("counted");
    if STATES.is_match(text) || (is_its_length && describes) {
        return None;
    }
    if judged > most {
        return Some(Rule::Length { bound: Bound::AtMost, words: small(most) });
    }
    (judged < least && !text.contains(" for ")).then(|| Rule::Length { bound: Bound::AtLeast, words: small(least) })
}

/// Whether people mean the whole text by so many words: "let it flow for 13 words" speaks of its sentences.
fn is_of_text(words: usize, context: &Context) -> bool {
    PLAUSIBLE.contains(&words) && (words >= FEW || words * 5 > context.words)
}

/// Which side of a number a clause asks for.
pub(super) fn bound(text: &str) -> Option<Bound> {
    let is_most = AT_MOST.is_match(text);
    match (AT_LEAST.is_match(text), is_most) {
        // "no more than" and "not over" hold what the other side says alone.
        (_, true) => Some(Bound::AtMost),
        (true, false) => Some(Bound::AtLeast),
        (false, false) => None,
    }
}

/// What is left of the text where a share of it is to go: "cut it by half", "20% shorter".
fn share(text: &str) -> Option<usize> {
    let goes = SHORTER_WANTED.is_match(text)
        || ["cut", "lose", "reduce", "drop"].iter().any(|verb| text.contains(verb))
        || text.contains("too long");
    if !goes {
        return None;
    }
    if text.contains("half") {
        return Some(50);
    }
    if text.contains("by a third") || text.contains("a third shorter") || text.contains("a third of") {
        return Some(67);
    }
    let percent: usize = PERCENT.captures(text)?[1].parse().ok()?;
    (5..=90).contains(&percent).then(|| 100 - percent)
}

fn of_judged(bound: Bound, percent: usize, context: &Context) -> Rule {
    Rule::Length { bound, words: small(tens(context.words * percent / 100)) }
}

fn reading(text: &str, context: &Context) -> Option<Rule> {
    if let Some(asked) = number(text).filter(|n| PLAUSIBLE_SENTENCE.contains(n) && text.contains("word")) {
        let bound = bound(text).unwrap_or(Bound::AtMost);
        return Some(Rule::Reading { bound, sentence_words: small(asked) });
    }
    let mean = context.mean_words?;
    if cue::is_indifferent(text) {
        return None;
    }
    let praises = cue::praises(text) && !text.contains("too ") && !text.contains("more");
    let is_negated = NEGATED.is_match(text);
    let (bound, share) = match () {
        () if is_negated => return None,
        () if CHOPPY.is_match(text) => (Bound::AtLeast, 1.25),
        // What is praised is kept.
        () if praises && SHORT_SENTENCE.is_match(text) && !text.contains("er ") => (Bound::AtMost, 1.0),
        () if praises => return None,
        () if SHORT_SENTENCE.is_match(text) && cue::of(text) == Some(cue::Cue::Less) => return None,
        () if SHORT_SENTENCE.is_match(text) || LONG_SENTENCE.is_match(text) => (Bound::AtMost, 0.8),
        () => return None,
    };
    let words = (mean * share).round().clamp(4.0, 60.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 4 and 60")]
    let sentence_words = words as u16 + u16::from(share == 1.0);
    Some(Rule::Reading { bound, sentence_words })
}

/// The first number of a clause, the upper one of a range.
pub(super) fn number(text: &str) -> Option<usize> {
    let spelled = spelled(text);
    NUMBER.find(&spelled).map(|found| numbers(found.as_str()).1)
}

/// Both ends of a range; twice the same where it is one number.
fn numbers(text: &str) -> (usize, usize) {
    let Some(found) = NUMBER.captures(text) else { return (0, 0) };
    let parse = |group: usize| {
        let digits: String = found.get(group)?.as_str().chars().filter(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    };
    let times = if found.get(2).is_some() { 1_000 } else { 1 };
    let first = parse(1).unwrap_or(0) * times;
    let second = parse(3).unwrap_or(first);
    (first.min(second), first.max(second))
}

/// A clause with its numbers in figures: "two hundred words".
fn spelled(text: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    let mut open: Option<usize> = None;
    for word in text.split(' ') {
        let value = value(word);
        match (value, open) {
            (Some(100 | 1_000), Some(number)) => open = Some(number.saturating_mul(value.unwrap_or(1)).min(99_999)),
            (Some(value), Some(number)) => open = Some((number + value).min(99_999)),
            (Some(value), None) => {
                // "a hundred": the article is part of the number.
                if value >= 100 && kept.last().is_some_and(|last| last == "a") {
                    kept.pop();
                }
                open = Some(value);
            }
            (None, number) => {
                kept.extend(number.map(|number| number.to_string()));
                open = None;
                kept.push(word.to_owned());
            }
        }
    }
    kept.extend(open.map(|number| number.to_string()));
    kept.join(" ")
}

fn value(word: &str) -> Option<usize> {
    const SMALL: [&str; 12] =
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    match word {
        "hundred" => Some(100),
        "thousand" => Some(1_000),
        "fifteen" => Some(15),
        "eighteen" => Some(18),
        _ => {
            let small = SMALL.iter().position(|name| *name == word).map(|at| at + 1);
            small.or_else(|| TENS.iter().position(|name| *name == word).map(|at| (at + 2) * 10))
        }
    }
}

fn tens(words: usize) -> usize {
    ((words + 5) / 10 * 10).max(10)
}

/// Whether a length was only guessed from the text's.
pub(super) fn is_guess(rule: &Rule, context: &Context) -> bool {
    [(Bound::AtMost, SHORTER), (Bound::AtLeast, LONGER)]
        .iter()
        .any(|(bound, percent)| *rule == of_judged(*bound, *percent, context))
}

pub(super) fn small(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}
