//! Texts cut to a length, in characters as readers count them.

use copydesk_words::is_unspaced;

use super::sentence;

/// Characters, as readers count them.
pub fn chars(text: &str) -> usize {
    text.chars().count()
}

/// The first `max_chars` of a text, cut after a sentence if one ends in the second half, else
/// between words. A text that is not longer is returned whole.
pub fn clip(text: &str, max_chars: usize) -> &str {
    let text = text.trim();
    let Some((end, _)) = text.char_indices().nth(max_chars) else { return text };
    let head = &text[..end];
    let sentences = sentence::ends(text).take_while(|&place| place <= end).map(|place| &text[..place]);
    let whole = sentences.filter(|whole| whole.ends_with(sentence::MARKS)).last();
    if let Some(whole) = whole.filter(|whole| whole.len() > end / 2) {
        return whole;
    }
    let gap = head.rfind(char::is_whitespace).map(|at| head[..at].trim_end());
    // Scripts without spaces have a gap only here and there.
    let is_unspaced = head.ends_with(is_unspaced) && text[end..].starts_with(is_unspaced);
    let cut = gap.filter(|gap| !is_unspaced || gap.len() > end / 2);
    cut.unwrap_or_else(|| if is_unspaced { head.trim_end_matches(|c: char| !c.is_alphanumeric()) } else { head })
}

/// Data as one line without Markdown, at most `max_chars` long.
pub fn one_line(text: &str, max_chars: usize) -> String {
    let flat = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let flat = flat.collect::<Vec<_>>().join(" ");
    clip(flat.trim_start_matches(['#', '>', '-', '*', ' ']), max_chars)
        .trim_end_matches([',', ';', ':', ' '])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_end_where_a_reader_would_stop() {
        assert_eq!(clip("One sentence. Another one.", 20), "One sentence.");
        assert_eq!(clip("No sentence ends in here at all", 20), "No sentence ends in");
        assert_eq!(clip("It costs 2.50 euros and more", 12), "It costs", "a price is no end");
        assert_eq!(clip("Short", 20), "Short");
        assert_eq!(clip("ünïcödé".repeat(10).as_str(), 5), "ünïcö");
        assert_eq!(clip("", 5), "");
        let (khmer, han) = ("ក កំពង់ផែរបស់យើងមានកន្លែងចតទូក", "我 们的港口每天早上八点开门");
        assert_eq!((clip(khmer, 20), clip(han, 8)), ("ក កំពង់ផែរបស់យើងមានក", "我 们的港口每天"));
    }
}
