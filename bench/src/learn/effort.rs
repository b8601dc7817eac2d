//! How much of a text a human changed before they published it.

use similar::TextDiff;

/// The share of words that were removed or added, 0 to 1.
pub(super) fn changed(text: &str, published: &str) -> f64 {
    let (old, new) = (words(text), words(published));
    1.0 - f64::from(TextDiff::from_slices(&old, &new).ratio())
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn words_that_stay_are_no_effort() {
        assert_eq!(changed("a b c", "a  b\nc"), 0.0);
        assert_eq!(changed("a b c d", "a b c e"), 0.25);
        assert_eq!(changed("a b", "c d"), 1.0);
        assert_eq!(changed("", ""), 0.0);
    }
}
