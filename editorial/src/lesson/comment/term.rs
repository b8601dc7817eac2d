//! Words and phrases that people want or do not want. A quoted one is meant as it stands; others count only where the
//! wording says that a word is meant, or where the text holds it.

use copydesk_domain::lesson::{Person, Rule};
use regex::Captures;

use super::Context;
use super::clause::{Clause, Comment, Joint, Sentence};
use super::cue::{self, Cue};
use crate::lesson::pattern;

/// The longest term, in words, and in characters.
const MAX_WORDS: usize = 4;
const MAX_CHARS: usize = 48;

/// A quotation or a few words, as part of a pattern.
macro_rules! a_term {
    ($rest:literal) => {
        concat!(r"(?:the |a |an )?(?:words? |terms? |phrases? |expression )?(q_\d+_q|[a-z][a-z'-]*(?: [a-z][a-z'-]*){0,2}?)", $rest)
    };
}

/// A term and the one that it replaces.
macro_rules! pair {
    ($before:literal, $between:literal, $after:literal) => {
        concat!($before, a_term!(""), $between, a_term!($after))
    };
}

pattern!(
    USE_INSTEAD,
    pair!(
        r"\b(?:use|using|say|saying|write|writing|call them|call it|calling them|prefer|prefers|choose|go with|try|put|favou?r|rather (?:read|see|hear|have))(?: to say)? ",
        r",? (?:instead of|rather than|over|in place of|than|to|and not|not|never|(?:where|when|while) (?:you|it|the text) (?:wrote|says?|said|used?|uses|have|has))(?: saying| using| writing)? ",
        r"(?:$|[,;:()]| (?:please|everywhere|here|throughout|in|when|because|as|since|if|next|and|for|but|though)\b)"
    )
);
pattern!(
    REPLACE,
    pair!(
        r"\b(?:replace|replacing|swap out|swapping out|swap|change|switch|exchange|turn|rename)(?: every| each| all)? ",
        r" (?:with|by|for|to|into|->|→) ",
        r"(?:$|[,;:()]| (?:please|everywhere|here|throughout|in|when|because|as|since|if|next|and)\b)"
    )
);
pattern!(
    INSTEAD_USE,
    pair!(
        r"\b(?:instead of|rather than|not|(?:don't|do not|never) (?:say|write|use))(?: saying| using| writing)? ",
        r",? (?:please |but |just |simply |we |let's |maybe |i'd |you could )*(?:use|say|write|try|put|go with|call them|but|prefer) ",
        r"(?:$|[,;:()]| (?:please|everywhere|here|throughout|in|when|because|as|since|if|next|and)\b)"
    )
);
pattern!(
    RATHER,
    pair!(
        r"(?:\b(?:they are|they're|it is|it's|we say|we call them|them|say) |^|[,;:] )",
        r",? (?:instead of|rather than|over|not|never|and not|beats|(?:is|sounds|works|reads) (?:much |far )?better than) ",
        r"(?:$|[,;:()!]| (?:please|everywhere|here|throughout|in|when|because|as|since|if|next)\b)"
    )
);
pattern!(
    SHOULD_BE,
    pair!(
        r"(?:^|[,;:] ?)",
        r" ?(?:->|→|=>|should (?:be|read|become|say)(?: called| named)?|must be|is really|means) ",
        r"(?:$|[,;:()])"
    )
);
pattern!(
    SOUNDS,
    pair!(
        r"(?:^|[,;:] ?)",
        r" (?:sounds?|is|are|feels?|reads?|seems?) [a-z ]{2,40}[,;:]? (?:please |so |better |rather |we )*(?:say|use|try|write|prefer|go with) ",
        r"(?:$|[,;:()]| (?:please|instead|everywhere)\b)"
    )
);
pattern!(
    A_FACT,
    r"\b(true|untrue|wrong|correct|incorrect|accurate|inaccurate|false|misspelled|misspelt|typo|spelled|spelling|capital\w*|explain\w*|define\w*|mean[st]?|confus\w*|unclear)\b"
);
pattern!(
    NOT_SAY,
    concat!(
        r"\b(?:don't|do not|never|stop|avoid|please not|quit|no more|shouldn't|should not|shouldn't be|must not|not be|without|nobody|no one|we never|hate|banned?|rid of|drop|remove|lose|ditch|cut|dislike|don't (?:really )?(?:like|love|need|want)|do not (?:like|love|need|want)) (?:ever |to )?(?:says?|saying|writes?|writing|(?:(?:use|using|see|read|hear)(?:ing)? )?(?:the|this) (?:word|term|phrase)|call(?:ing)? (?:it|them|us|people|patients)) ",
        a_term!(
            r"(?:$|[,;:()]| (?:please|everywhere|here|throughout|in|when|as|since|if|again|anymore|any|so|is|it)\b)"
        )
    )
);
pattern!(
    NOT_USE,
    concat!(
        r"\b(?:don't|do not|never|stop|avoid|quit|no more|ban) (?:use |using )?",
        a_term!(r"(?:$|[,;:()]| (?:please|again|anymore|everywhere|so (?:much|often))\b)")
    )
);
pattern!(
    USE_WORD,
    concat!(
        r"\b(?:use|mention|include|add|work in|with|say|need|want) (?:the|this) (?:word|term|phrase) ",
        r"(q_\d+_q|[a-z][a-z'-]*)\b"
    )
);
pattern!(CALL_THEM, concat!(r"\b(?:call) (?:them|it|us|people) ", a_term!(r"$")));
pattern!(
    IS_JARGON,
    r"^(?:the )?(?:word |term |phrase )?([a-z][a-z'-]+) (?:is|sounds|feels|reads|seems)(?: like)?(?: (?:so|very|too|really|such|pure|just|a bit))?(?: an?)? (?:jargon|buzzword|clich\S*|corporate|salesy|cringe\w*|overused|meaningless|worn out|awful|horrible|banned)\b"
);
pattern!(THE_WORD, r"\b(?:the|this) (?:word|term|phrase) ([a-z][a-z'-]+)\b");
pattern!(QUOTED, r"q_\d+_q");
pattern!(
    DISLIKED,
    r"\b(jargon\w*|buzz-?words?|clich\S*|awful|ugly|horrible|terrible|vague|meaningless|empty|corporate|annoying|overused|dated|hype\w*|salesy|makes? (me|us) \w+|not (how|what|a word|our)|wrong (word|term)|off-?brand|cringe\w*|yuck|ugh|banned|forbidden|sick of|tired of|no-?go|taboo|weasel)\b"
);
pattern!(
    WANTED,
    r"\b(use|using|mention\w*|include|including|add|say|work in|keyword|needs? to (say|mention|include|use)|should (say|mention|include|use|appear|be mentioned|contain)|must (say|mention|include|use|appear|contain)|missing|call (it|them|us)|always|forgot)\b"
);
pattern!(
    AN_EXAMPLE,
    r"\b(like|such as|something like|for example|along the lines|titled|headline|heading|subject|question|call to action|cta|link|button|sentence|line|section|quote|end with|close with|open with|start with|begin with|paragraph)\b"
);
// What is no word to be avoided but a kind of them, or of texts.
pattern!(
    A_KIND,
    r"\b(jargon|slang|voice|tense|adjectives?|adverbs?|abbreviations?|acronyms?|clich\S*|superlatives?|buzz-?words?|metaphors?|numbers?|humou?r|terms?|words?|contractions?|colons?|capitals?|caps|bold|italics|emphasis|figures?|statistics?|examples?|quotes?|questions?|sentences?|paragraphs?|headings?|lists?|bullets?|points?|emojis?|hashtags?|marks?|dashes|semicolons?|ellips\w+|tone|style|language|humor|jokes?|puns?|repetition|repeating|details?|fluff|filler|hype|promises|claims|facts|anything|everything|something|nothing|things?|stuff|text|format\w*|structure|opening|start|end|ending|story|stories|case|titles?|headlines?|links?|names?|person|greeting|cta|call|phrases?|expressions?|it|this|that|them|they|we|us|you|me|so|too|more|less|much|many|how|what|why|when|who|the|a|an|there|and|or|if|is|are|be|being|to|sure|yes|no|never|always|count|limit|order|choice|for|in|has|was|itself|me|my|our|your|all|any|long|short|shorter|longer|new|old|one|ones|first|second|space|spaces|please)\b"
);

/// Terms that are preferred to others; what they are read from is taken out of the sentence.
pub(super) fn preferred(sentence: &mut Sentence, comment: &Comment, context: &Context) -> Vec<Rule> {
    let patterns: [(&regex::Regex, bool); 6] = [
        (&USE_INSTEAD, true),
        (&REPLACE, false),
        (&INSTEAD_USE, false),
        (&SHOULD_BE, false),
        (&RATHER, true),
        (&SOUNDS, false),
    ];
    let mut rules = Vec::new();
    for (pattern, better_first) in patterns {
        // A sentence names a few pairs at most.
        for _ in 0..4 {
            let Some(found) = pattern.captures(&sentence.text) else { break };
            let start = found.get(0).map_or(0, |all| all.start());
            // "I don't want you to replace one with the other."
            if cue::negates(&sentence.text[..start]) {
                break;
            }
            let (better, worse) = if better_first { (1, 2) } else { (2, 1) };
            let Some(read) = pair(&found, better, worse, comment, context) else { break };
            let end = found.get(2).map_or(0, |last| last.end());
            sentence.text = format!("{}, {}", &sentence.text[..start], &sentence.text[end..]);
            rules.extend(read);
        }
    }
    rules
}

fn pair(found: &Captures<'_>, better: usize, worse: usize, comment: &Comment, context: &Context) -> Option<Vec<Rule>> {
    let (better, worse) = (found.get(better)?.as_str(), found.get(worse)?.as_str());
    let (term, over) = (comment.quotation(better).unwrap_or(better), comment.quotation(worse).unwrap_or(worse));
    if let (Some(one), Some(other)) = (person(term), person(over)) {
        let rules = [Rule::Person { person: one, wanted: true }, Rule::Person { person: other, wanted: false }];
        return (one != other).then(|| rules.to_vec());
    }
    let one_person = person(term).map(|person| (person, true)).or_else(|| person(over).map(|person| (person, false)));
    let is_quoted = |word: &str| comment.quotation(word).is_some();
    if let Some((person, wanted)) = one_person.filter(|(_, wanted)| is_quoted(if *wanted { better } else { worse })) {
        return Some(vec![Rule::Person { person, wanted }]);
    }
    let is_told = |word: &str, term: &str| is_quoted(word) || !A_KIND.is_match(term);
    // Without quotation marks, only what the text says is certainly a word of it.
    let is_in_text = is_quoted(worse) || context.holds(over) || is_plainly_said(&found[0], term, over);
    let are_terms = is_term(term) && is_term(over) && is_told(better, term) && is_told(worse, over);
    (are_terms && is_in_text && term.to_lowercase() != over.to_lowercase())
        .then(|| vec![Rule::Prefer { term: cased(term, context), over: cased(over, context) }])
}

/// "Say people, not users": a word for a word, also where the text has neither.
fn is_plainly_said(wish: &str, term: &str, over: &str) -> bool {
    let is_word = |word: &str| word.chars().all(char::is_alphabetic) && !word.ends_with("ly") && !word.ends_with("ing");
    ["say ", "use ", "write "].iter().any(|verb| wish.starts_with(verb)) && is_word(term) && is_word(over)
}

fn person(term: &str) -> Option<Person> {
    match term.to_lowercase().as_str() {
        "we" | "us" | "our" | "i" => Some(Person::First),
        "you" | "your" => Some(Person::Second),
        _ => None,
    }
}

/// Terms that are wanted or not.
pub(super) fn rules(clauses: &[Clause], comment: &Comment, context: &Context) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut before: Option<bool> = None;
    for (at, clause) in clauses.iter().enumerate() {
        let quoted: Vec<&str> = QUOTED.find_iter(&clause.text).map(|found| found.as_str()).collect();
        let next = clauses.get(at + 1).filter(|next| !QUOTED.is_match(&next.text)).map(|next| next.text.as_str());
        let are_persons = quoted.iter().all(|word| comment.quotation(word).and_then(person).is_some());
        let wanted = if quoted.is_empty() { None } else { wants(clause, next, are_persons) };
        let goes_on = clause.joint == Joint::Next && !quoted.is_empty();
        let wanted = wanted.or(before.filter(|_| goes_on)).or_else(|| {
            if !QUOTED.replace(&clause.text, "").trim().is_empty() {
                return None;
            }
            let later = clauses[at + 1..]
                .iter()
                .find(|later| !QUOTED.is_match(&later.text) || wants(later, None, false).is_some());
            later.filter(|_| !quoted.is_empty()).and_then(|later| wants(later, None, false))
        });
        if let Some(wanted) = wanted {
            let quotations = quoted.iter().filter_map(|word| comment.quotation(word));
            rules.extend(quotations.flat_map(|quoted| one(quoted, wanted, context)));
        }
        before = if quoted.is_empty() { before.filter(|_| clause.text.len() < 12) } else { wanted };
        rules.extend(unquoted(&clause.text, comment, context));
    }
    rules
}

fn one(quoted: &str, wanted: bool, context: &Context) -> Option<Rule> {
    if let Some(person) = person(quoted) {
        return Some(Rule::Person { person, wanted });
    }
    is_term(quoted).then(|| Rule::Term { term: cased(quoted, context), wanted })
}

/// Whether the quotation in a clause is wanted.
fn wants(clause: &Clause, next: Option<&str>, person_alone: bool) -> Option<bool> {
    let text = clause.text.as_str();
    if cue::is_indifferent(text) || cue::keeps(text) || A_FACT.is_match(text) {
        return None;
    }
    let is_disliked = DISLIKED.is_match(text) || next.is_some_and(|next| DISLIKED.is_match(next));
    let cue = if clause.joint == Joint::Instead { Some(Cue::Less) } else { cue::of(text) };
    // An example of what a text could say is no word of it; one of what it should not is.
    let is_example = AN_EXAMPLE.is_match(text);
    match cue {
        Some(Cue::Less)
            if !text.contains("like q_") || !is_example || text.contains("word") || text.contains("jargon") =>
        {
            Some(false)
        }
        Some(Cue::Less) => Some(false),
        _ if is_disliked => Some(false),
        Some(Cue::More) if person_alone => Some(true),
        Some(Cue::More | Cue::Missing | Cue::Asked) if WANTED.is_match(text) && !is_example => Some(true),
        None if WANTED.is_match(text) && !is_example && !text.contains(" uses ") => Some(true),
        // "Leverage"? Really?
        None if next.is_some_and(|next| next.split(' ').count() <= 4 && cue::of(next) == Some(Cue::Less)) => {
            Some(false)
        }
        _ => None,
    }
}

/// Terms that stand without quotation marks.
fn unquoted(text: &str, comment: &Comment, context: &Context) -> Option<Rule> {
    if cue::keeps(text) {
        return None;
    }
    let named =
        |pattern: &regex::Regex| pattern.captures(text).and_then(|found| found.get(1)).map(|found| found.as_str());
    let is_plain = |term: &str| comment.quotation(term).is_none() && is_term(term) && !A_KIND.is_match(term);
    if let Some(term) = named(&NOT_SAY).filter(|term| is_plain(term)) {
        return Some(Rule::Term { term: cased(term, context), wanted: false });
    }
    let is_avoided = |term: &&str| is_plain(term) && context.holds(term) && term.split(' ').count() <= 2;
    if let Some(term) = named(&NOT_USE).filter(is_avoided).or_else(|| named(&IS_JARGON).filter(is_avoided)) {
        return Some(Rule::Term { term: cased(term, context), wanted: false });
    }
    if let Some(term) = named(&THE_WORD).filter(|term| is_plain(term)) {
        let is_unwanted = DISLIKED.is_match(text) || cue::of(text) == Some(Cue::Less);
        if is_unwanted {
            return Some(Rule::Term { term: cased(term, context), wanted: false });
        }
    }
    let is_refused = cue::of(text) == Some(Cue::Less);
    let wanted = named(&USE_WORD).or_else(|| named(&CALL_THEM)).filter(|term| is_plain(term) && !is_refused);
    wanted.map(|term| Rule::Term { term: cased(term, context), wanted: true })
}

/// Words that no text can do without, and that any text has.
const FUNCTION_WORDS: [&str; 24] = [
    "the", "a", "an", "and", "or", "of", "to", "in", "on", "is", "are", "was", "be", "it", "for", "with", "that",
    "this", "as", "at", "by", "from", "but", "not",
];

/// Whether words can be a term: few, and not only marks or function words.
fn is_term(term: &str) -> bool {
    let words = term.split_whitespace().count();
    let is_function_word =
        |word: &str| FUNCTION_WORDS.contains(&word.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase().as_str());
    !term.split_whitespace().all(is_function_word)
        && (1..=MAX_WORDS).contains(&words)
        && term.chars().count() <= MAX_CHARS
        && term.chars().filter(|c| c.is_alphabetic()).count() >= 2
        && !term.contains(['@', '<', '>', '{', '}', '\\', '|', '`', '[', ']'])
        && !term.contains("://")
        && !term.contains("www.")
}

/// A term in lower case, but for a name: one with a capital inside, or with one in the middle of the text's sentences.
fn cased(term: &str, context: &Context) -> String {
    let lower = term.to_lowercase();
    let inner = term.char_indices().skip(1).any(|(_, c)| c.is_uppercase());
    let shouted = !term.chars().any(char::is_lowercase) && term.chars().count() > 5;
    let stands = |text: &str| {
        context.text.match_indices(text).any(|(at, _)| {
            context.text[..at].ends_with(' ')
                && context.text[..at].trim_end().ends_with(|c: char| c.is_lowercase() || c == ',')
        })
    };
    let is_name = term != lower && stands(term) && !stands(&lower);
    if (inner && !shouted && !term.contains(' ')) || is_name { term.to_owned() } else { lower }
}
