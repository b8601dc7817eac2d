//! Counts of a text: lengths of sentences, forms of address, marks, and how easily it reads.

use serde::{Deserialize, Serialize};

use crate::text::language;
use crate::text::sentence::{MARKS, sentences};

/// Counts of a text. Rates are per 100 sentences.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Sentences.
    pub sentences: u16,
    /// Words.
    pub words: u16,
    /// The mean number of words in a sentence.
    pub mean_words: f32,
    /// The 90th percentile of the words in a sentence.
    pub long_words: u16,
    /// Exclamation marks.
    pub exclamations: f32,
    /// Counts that exist only for English; `None` in other languages.
    pub english: Option<English>,
}

/// Counts of English words. Rates are per 100 sentences.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct English {
    /// Sentences that say "we", "us" or "our".
    pub we: f32,
    /// Sentences that say "you" or "your".
    pub you: f32,
    /// Sentences that say "I", "me" or "my".
    pub i: f32,
    /// Sentences with a contraction.
    pub contractions: f32,
    /// Flesch's reading ease: about 100 for the easiest texts, under 30 for the hardest.
    pub reading_ease: f32,
}

impl Measure {
    /// Counts a text in Markdown, without its headings, citations and marks.
    pub fn of(text: &str) -> Self {
        let plain = plain(text);
        let sentences: Vec<Vec<&str>> =
            sentences(&plain).into_iter().map(|range| words(&plain[range])).filter(|words| words.len() >= 2).collect();
        let mut lengths: Vec<usize> = sentences.iter().map(Vec::len).collect();
        lengths.sort_unstable();
        let total: usize = lengths.iter().sum();
        Self {
            sentences: small(sentences.len()),
            words: small(total),
            mean_words: rate(total, sentences.len()) / 100.0,
            long_words: small(lengths.get(lengths.len() * 9 / 10).copied().unwrap_or(0)),
            exclamations: rate(plain.matches('!').count(), sentences.len()),
            english: (language::detected(&plain) == Some("en") || language::looks_english(&plain))
                .then(|| English::of(&sentences)),
        }
    }
}

impl English {
    fn of(sentences: &[Vec<&str>]) -> Self {
        let saying = |these: &[&str]| {
            let says = |sentence: &&Vec<&str>| sentence.iter().any(|word| these.contains(&bare(word).as_str()));
            rate(sentences.iter().filter(says).count(), sentences.len())
        };
        let contracted = |sentence: &&Vec<&str>| sentence.iter().any(|word| is_contraction(&bare(word)));
        let words: usize = sentences.iter().map(Vec::len).sum();
        let syllables: usize = sentences.iter().flatten().map(|word| syllables(word)).sum();
        Self {
            we: saying(&["we", "us", "our", "ours", "we're", "we've", "we'll", "we'd"]),
            you: saying(&["you", "your", "yours", "you're", "you've", "you'll", "you'd"]),
            i: saying(&["i", "me", "my", "mine", "i'm", "i've", "i'll", "i'd"]),
            contractions: rate(sentences.iter().filter(contracted).count(), sentences.len()),
            reading_ease: 206.835
                - 1.015 * rate(words, sentences.len()) / 100.0
                - 84.6 * rate(syllables, words) / 100.0,
        }
    }
}

fn words(sentence: &str) -> Vec<&str> {
    language::words(sentence).collect()
}

fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase().replace('’', "'")
}

/// `don't`, `we're`, `it's`, but not a possessive.
fn is_contraction(word: &str) -> bool {
    let ends = ["n't", "'re", "'ve", "'ll", "'m", "'d"].iter().any(|end| word.ends_with(end));
    ends || ["it's", "that's", "what's", "here's", "there's", "let's", "who's"].contains(&word)
}

/// The number of groups of vowels, without a silent last `e`.
fn syllables(word: &str) -> usize {
    let word = bare(word);
    let is_vowel = |c: char| "aeiouy".contains(c);
    let groups = word
        .chars()
        .fold((0, false), |(groups, inside), c| (groups + usize::from(is_vowel(c) && !inside), is_vowel(c)))
        .0;
    let silent = usize::from(word.ends_with('e') && !word.ends_with("le") && groups > 1);
    (groups - silent).max(1)
}

/// A text's prose: without headings, tables, code, labels, marks and citations.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut in_code = false;
    for line in text.lines().map(str::trim) {
        in_code ^= line.starts_with("```");
        if in_code || line.starts_with(['#', '|', '`']) || line == "---" {
            continue;
        }
        let line = line.trim_start_matches(['-', '*', '>', '+', ' ']);
        plain.push_str(&without_citations(line).replace(['*', '_', '`'], ""));
        // The lines of a paragraph are joined; an empty line ends it.
        plain.push_str(if line.is_empty() || line.ends_with(MARKS) || line.ends_with([':', '：']) {
            "\n"
        } else {
            " "
        });
    }
    plain
}

fn without_citations(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('[') {
        let number =
            after.split_once(']').filter(|(n, _)| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()));
        let (kept, behind) = match number {
            Some((_, behind)) => (before.trim_end(), behind),
            None => (before, after),
        };
        plain.push_str(kept);
        rest = behind;
    }
    plain + rest
}

fn small(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// A rate per 100; 0 if there is nothing to count.
#[expect(clippy::cast_precision_loss, reason = "counts of words are far below 2^24")]
fn rate(count: usize, of: usize) -> f32 {
    if of == 0 { 0.0 } else { count as f32 * 100.0 / of as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_counted_without_its_markup() {
        let text = "# A title that counts for nothing\n\n**We** don't rush [1]. You choose the day!\n\n- It is the plain and simple way\n  to do it.\n";
        let measure = Measure::of(text);
        assert_eq!((measure.sentences, measure.words, measure.long_words), (3, 17, 10));
        assert!((measure.exclamations - 33.33).abs() < 0.1, "{measure:?}");
        assert!(measure.english.is_some_and(|english| english.we > 30.0
            && english.you > 30.0
            && english.i == 0.0
            && english.contractions > 30.0));
        assert_eq!(Measure::of(""), Measure::default());
        let han = Measure::of("我们的港口每天早上八点开门。办公室有六十个泊位。");
        assert_eq!((han.sentences, han.words), (2, 10), "{han:?}");
    }

    #[test]
    fn easy_texts_read_more_easily() {
        let easy = Measure::of("The cat sat on the mat. It was a good day for the cat and for the dog.");
        let hard = Measure::of(
            "The multidisciplinary organisation facilitates considerable biomechanical improvement of the individual.",
        );
        let ease = |measure: Measure| measure.english.map_or(0.0, |english| english.reading_ease);
        assert!(ease(easy) > 90.0 && ease(hard) < 10.0);
    }
}
