//! English headings: what none ends with, and what none begins with.

/// Last words that no heading ends with.
const OPEN_ENDS: [&str; 16] = [
    "a", "an", "and", "because", "but", "or", "nor", "our", "the", "their", "its", "your", "my", "which", "while",
    "than",
];
/// Last words that only a question or a clause of its own ends with: `Who it is for`, `What we believe in`.
const DANGLING: [&str; 14] =
    ["of", "for", "with", "by", "to", "from", "into", "as", "at", "is", "are", "was", "in", "on"];
/// Words of headings that may end with such a word, wherever they stand.
const ASKING: [&str; 28] = [
    "what",
    "who",
    "whom",
    "where",
    "how",
    "why",
    "when",
    "which",
    "that",
    "whose",
    "things",
    "something",
    "someone",
    "nothing",
    "anything",
    "everything",
    "everyone",
    "everybody",
    "people",
    "places",
    "all",
    "there",
    "to",
    "you",
    "we",
    "they",
    "it",
    "i",
];
/// Words that such a word may stand behind: `Sold as is`, `Winter sale now on`, `Please sign in`.
const BEFORE: [&str; 31] = [
    "as", "is", "are", "was", "now", "still", "always", "back", "all", "going", "log", "sign", "opt", "check", "tune",
    "drop", "count", "rely", "work", "look", "live", "come", "go", "get", "ask", "wait", "build", "trust", "depend",
    "carry", "from",
];
/// First words of headings whose verb may end with `in` or `on`: `Turn the heat on`.
const PHRASAL: [&str; 18] = [
    "turn", "switch", "put", "bring", "move", "get", "keep", "leave", "try", "fill", "hand", "let", "come", "plug",
    "dial", "join", "hold", "carry",
];
/// Words in front of the subject of a clause: `Values our team lives by`.
const OWNERS: [&str; 9] = ["our", "your", "their", "the", "my", "his", "her", "every", "each"];
/// Words behind which `that` is a pronoun: `We can do that`.
const BEFORE_THAT: [&str; 24] = [
    "do", "like", "than", "on", "about", "of", "for", "with", "at", "is", "all", "and", "know", "love", "said", "say",
    "see", "want", "mean", "to", "just", "from", "in", "fix",
];
/// First words in lower case that begin no heading, not even one without capitals.
const INNER_STARTS: [&str; 30] = [
    "and", "or", "but", "nor", "of", "than", "which", "whose", "because", "is", "are", "was", "were", "has", "have",
    "had", "been", "being", "be", "use", "uses", "used", "should", "must", "can", "could", "would", "will", "also",
    "that",
];
/// Words behind `to` that make a direction and no infinitive: `to the moon`.
const PLACES: [&str; 10] = ["the", "a", "an", "our", "your", "all", "my", "each", "every", "and"];
/// Words that show a heading to be English.
const SIGNS: [&str; 14] =
    ["the", "and", "your", "our", "how", "what", "why", "with", "you", "this", "that", "from", "which", "should"];
/// A shorter heading begins and ends as its writer likes.
const MIN_WORDS: usize = 3;
/// So many words behind a participle or an infinitive in lower case are the rest of a sentence.
const MIN_REST: usize = 4;

/// Whether a heading, in words, is a piece of a sentence.
pub(super) fn is_fragment(written: &[&str]) -> bool {
    let (Some(first), Some(last)) = (written.first(), written.last()) else { return true };
    let words: Vec<String> = written.iter().map(|word| plain(word)).collect();
    // `Vitamin A` and `Plan an` are told apart by the capital; a mark behind the word shows that it was meant.
    let is_plain = last.chars().all(char::is_lowercase);
    (is_plain && words.len() > 1 && is_open(&words))
        || (is_plain && words.len() >= MIN_WORDS && is_dangling(&words))
        || (first.starts_with(char::is_lowercase) && !last.ends_with('?') && is_inner(&words))
}

/// Whether a heading, in words, is English by the look of it.
pub(super) fn looks_so(written: &[&str]) -> bool {
    written.iter().any(|word| SIGNS.contains(&plain(word).as_str()))
}

fn plain(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

fn is_open(words: &[String]) -> bool {
    let [before @ .., last] = words else { return false };
    let is_behind = |known: &[&str]| before.last().is_some_and(|word| known.contains(&word.as_str()));
    match last.as_str() {
        "we" | "whose" => !before.iter().any(|word| matches!(word.as_str(), "who" | "what" | "how" | "where" | "why")),
        "that" => words.len() > MIN_WORDS && !is_behind(&BEFORE_THAT),
        last => OPEN_ENDS.contains(&last),
    }
}

/// `Sign up to` dangles; `A team to count on` and `A harbour worth sailing to` do not: a verb stands before.
fn is_dangling(words: &[String]) -> bool {
    let [first, .., before, last] = words else { return false };
    let rest = &words[..words.len() - 1];
    let is_asked = rest.iter().any(|word| ASKING.contains(&word.as_str()));
    let is_verb =
        BEFORE.contains(&before.as_str()) || before.ends_with("ing") || before.ends_with("ed") || has_subject(rest);
    let is_phrasal = matches!(last.as_str(), "in" | "on") && PHRASAL.contains(&first.as_str());
    DANGLING.contains(&last.as_str()) && !is_asked && !is_verb && !is_phrasal
}

/// Whether the last word is the verb of a clause: `our team lives`.
fn has_subject(words: &[String]) -> bool {
    let [.., owner, subject, verb] = words else { return false };
    let agrees = verb.ends_with('s') != subject.ends_with('s');
    OWNERS.contains(&owner.as_str()) && agrees && words.len() > MIN_WORDS
}

fn is_inner(words: &[String]) -> bool {
    let [first, second, ..] = words else { return false };
    let rest = words.len() - 1;
    let is_infinitive = first == "to" && !PLACES.contains(&second.as_str()) && !words.iter().any(|word| word == "or");
    let is_participle = first.ends_with("ed") && second == "by";
    (words.len() >= MIN_WORDS && INNER_STARTS.contains(&first.as_str()))
        || (rest >= MIN_REST && (is_infinitive || is_participle))
}
