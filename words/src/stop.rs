//! English stop words. Those of other languages come from tantivy.

/// Words too common to tell passages apart: Lucene's list, and question words, which are frequent
/// in topics.
pub(crate) const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
    "how", "what", "when", "where", "which", "who", "why", "we", "our", "you", "your", "from", "can", "do", "does",
];

/// Words of queries that ask rather than name something. They stay in passages, because checks of
/// citations weigh them. tantivy's lists of other languages contain them already.
pub(crate) const QUERY_STOP_WORDS: &[&str] = &[
    "i", "me", "my", "us", "he", "him", "his", "she", "her", "its", "them", "those", "am", "were", "been", "being",
    "have", "has", "had", "having", "did", "doing", "would", "should", "could", "ought", "may", "might", "must",
    "shall", "any", "some", "each", "every", "other", "another", "because", "while", "until", "about", "between",
    "through", "during", "than", "too", "very", "just", "also", "only", "same", "so", "both", "more", "most", "few",
    "own", "again", "here",
];
