//! The words that a business's style guide avoids, and what it uses instead. They are read from
//! lists of words to avoid, from tables of preferred and avoided words, and from sentences such as
//! "Use _buy_ instead of _purchase_". Conditional rules ("unless …", "to describe …") are left out:
//! code cannot tell when they apply.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use copydesk_domain::document::Chunk;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::text::phrase;

/// The most rules that are kept. No guide seen so far has more.
const MAX_RULES: usize = 100;
/// The longest term, in words. Longer ones are sentences.
const MAX_WORDS: usize = 4;
/// A term that occurs in more than one in this many of the business's own passages is not avoided,
/// whatever its guide says.
const BROKEN_IN: usize = 20;

/// A word or two that a business avoids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Avoided {
    /// In lower case.
    pub term: String,
    /// What it uses instead, if its guide says so.
    pub instead: Option<String>,
}

impl Avoided {
    /// Whether a text in lower case contains the term, also with the endings of a verb.
    pub(super) fn is_in(&self, lower: &str) -> bool {
        let term = &self.term;
        let forms = ["", "s", "es", "d", "ed", "ing"].map(|end| format!("{term}{end}"));
        forms.iter().any(|form| phrase::holds(lower, form)) || phrase::holds(lower, &format!("{}ing", self.stem()))
    }

    /// The common beginning of all forms.
    fn stem(&self) -> &str {
        self.term.strip_suffix('e').unwrap_or(&self.term)
    }
}

impl fmt::Display for Avoided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { term, instead } = self;
        write!(f, "\"{term}\"")?;
        instead.as_ref().map_or(Ok(()), |instead| write!(f, " (rather: {instead})"))
    }
}

/// The rules in a business's passages, in the order of the documents.
pub(super) fn avoided(passages: &[Chunk]) -> Vec<Avoided> {
    let mut in_order: Vec<&Chunk> = passages.iter().collect();
    in_order.sort_by_key(|passage| (passage.document_id, passage.ordinal));
    let mut rules = Rules::default();
    for document in in_order.chunk_by(|one, next| one.document_id == next.document_id) {
        let mut columns = None;
        for passage in document {
            rules.read(passage, &mut columns);
        }
    }
    rules.in_order.truncate(MAX_RULES);
    without_broken(rules.in_order, passages)
}

/// Drops rules that the business itself breaks. The passage that states the rule is not counted.
fn without_broken(mut rules: Vec<Avoided>, passages: &[Chunk]) -> Vec<Avoided> {
    let mut uses = vec![0_usize; rules.len()];
    for passage in passages {
        let lower = phrase::comparable(&passage.text);
        for (rule, uses) in rules.iter().zip(&mut uses) {
            // A cheap test first: few passages contain the stem.
            *uses += usize::from(lower.contains(rule.stem()) && rule.is_in(&lower));
        }
    }
    let most = 1 + passages.len() / BROKEN_IN;
    let mut uses = uses.into_iter();
    rules.retain(|_| uses.next().is_none_or(|uses| uses <= most));
    rules
}

/// The columns of a table with preferred and avoided words.
type Columns = Option<(usize, usize)>;

#[derive(Default)]
struct Rules {
    in_order: Vec<Avoided>,
    known: HashMap<String, usize>,
}

impl Rules {
    /// `columns`: those of a table that continues from the passage before.
    fn read(&mut self, passage: &Chunk, columns: &mut Columns) {
        let is_list = LIST_HEADING.is_match(last_heading(passage));
        let is_guide = GUIDE.is_match(&passage.heading_path);
        for line in passage.text.lines().map(str::trim) {
            if let Some(row) = line.strip_prefix('|') {
                self.read_row(row, columns);
                continue;
            }
            if !line.is_empty() {
                *columns = None;
            }
            let item = line.strip_prefix(['-', '*', '+']).filter(|item| item.starts_with(' ')).map(str::trim);
            match item {
                Some(item) if is_list => self.read_item(item),
                _ if is_guide => self.read_prose(line),
                _ => {}
            }
        }
    }

    fn read_row(&mut self, row: &str, columns: &mut Columns) {
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        let column = |heading: &Regex| cells.iter().position(|cell| heading.is_match(cell));
        if let (Some(right), Some(wrong)) = (column(&USE_COLUMN), column(&NOT_COLUMN)) {
            *columns = Some((right, wrong));
        } else if let Some((right, wrong)) = *columns
            && let (Some(right), Some(wrong)) = (cells.get(right), cells.get(wrong))
        {
            self.add_each(wrong, Some(alternatives(right).next().unwrap_or_default()));
        }
    }

    /// `utilize (use _use_)`, `impact or impactful`.
    fn read_item(&mut self, item: &str) {
        let (terms, remark) = item.split_once(['(', ':', '—', '–']).unwrap_or((item, ""));
        if !CONDITION.is_match(remark) {
            let instead = MARKED.captures(remark).and_then(|found| found.get(1)).map(|found| found.as_str());
            self.add_each(terms, instead.filter(|_| remark.contains("use ")));
        }
    }

    fn read_prose(&mut self, line: &str) {
        for found in INSTEAD.captures_iter(line).chain(PREFER.captures_iter(line)) {
            self.add(&found[2], Some(&found[1]));
        }
        if let Some(found) = NOT.captures(line) {
            self.add_each(&found[2], Some(&found[1]));
        }
        for found in AVOID.captures_iter(line) {
            for term in MARKED.captures_iter(&found[1]) {
                self.add(&term[1], None);
            }
        }
    }

    fn add_each(&mut self, terms: &str, instead: Option<&str>) {
        for term in alternatives(terms) {
            self.add(term, instead);
        }
    }

    fn add(&mut self, term: &str, instead: Option<&str>) {
        let instead = instead.map(bare).filter(|instead| !instead.is_empty());
        let term = phrase::comparable(bare(term));
        let is_term = term.split(' ').count() <= MAX_WORDS && term.chars().filter(|c| c.is_alphabetic()).count() >= 2;
        let is_term = is_term && term.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '\''));
        // Rules about capitals depend on the position in a sentence.
        let is_case = instead.is_some_and(|instead| instead.to_lowercase() == term);
        if !is_term || is_case {
            return;
        }
        let instead = instead.map(str::to_owned);
        if let Some(&at) = self.known.get(&term) {
            let known = &mut self.in_order[at].instead;
            *known = known.take().or(instead);
            return;
        }
        self.known.insert(term.clone(), self.in_order.len());
        self.in_order.push(Avoided { term, instead });
    }
}

fn last_heading(passage: &Chunk) -> &str {
    passage.heading_path.rsplit(" › ").next().unwrap_or_default()
}

/// The parts of `"admin" or "site admin"` or `OS X, OSX`.
fn alternatives(terms: &str) -> impl Iterator<Item = &str> {
    terms.split([',', ';']).flat_map(|part| part.split(" or ")).map(|term| term.trim().trim_start_matches("or "))
}

/// A term without marks, quotes and a note in brackets after it.
fn bare(term: &str) -> &str {
    let term = term.split('(').next().unwrap_or_default();
    term.trim_matches(|c: char| c.is_whitespace() || "*_`\"'“”‘’.".contains(c))
}

/// A term in emphasis, quotes or code.
const TERM: &str = r#"(?:\*\*|[*_“"`])([\p{L}\p{N}][\p{L}\p{N}' -]{1,40}?)[.,]?(?:\*\*|[*_”"`])"#;

macro_rules! patterns {
    ($($(#[$doc:meta])* $name:ident = $pattern:expr;)+) => {
        $($(#[$doc])*
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new(&$pattern).expect("a pattern"));)+
    };
}

patterns! {
    MARKED = TERM;
    /// Headings of lists of words.
    LIST_HEADING = r"(?i)\b(words?|terms?|phrases|language|jargon)\b.*\b(avoid|banned)\b|\b(avoid|banned)\b.*\b(words?|terms?|phrases|jargon)\b";
    /// Passages about writing: in others, anything may be "to avoid".
    GUIDE = r"(?i)\b(styles?|writing|voice|tone|terminology|language|words?|phrases|wording|naming|grammar|editorial)\b";
    USE_COLUMN = r"(?i)^\**(use|use this|say|say this|write|write this|preferred|do)\**$";
    NOT_COLUMN = r"(?i)^\**(not|not this|avoid|instead of|never|(do not|don.t)( use| say| write)?)\**$";
    CONDITION = r"(?i)\b(unless|only|except|as an? (verb|noun|adjective))\b";
    /// "Use _buy_ instead of _purchase_, _help_ instead of _assist_".
    INSTEAD = format!(r"{TERM},? (?:instead of|rather than|and not|not) {TERM}");
    /// "We prefer _older person_ or _senior_ to _elderly_".
    PREFER = format!(r"(?i)\bprefer {TERM}[^.!?]{{0,60}}? (?:to|over) {TERM}");
    /// "- **email**, not e-mail".
    NOT = r"^[-*+] \*\*([^*]{2,40})\*\*,? not ([^.;:(]{2,40})";
    /// "Never _dropdown_.", "Avoid idioms like “lame” or “falling on deaf ears.”". It must reach
    /// the end of the sentence: anything else after the terms is a condition.
    AVOID = format!(
        r"(?i)\b(?:avoid|never|don.t use|do not use|don.t say|do not say)\b[^.!?_*“\x22`]{{0,60}}((?:{TERM}[,:]? ?(?:or |and )?)+)(?:[.;!]|$)"
    );
}

#[cfg(test)]
mod tests {
    use copydesk_domain::id::DocumentId;

    use super::*;

    fn passage(heading: &str, ordinal: i32, text: &str) -> Chunk {
        Chunk {
            document_id: DocumentId(uuid::Uuid::nil()),
            ordinal,
            heading_path: heading.to_owned(),
            text: text.to_owned(),
            title: String::new(),
            url: None,
            language: None,
            kind: copydesk_domain::document::DocumentKind::Other,
        }
    }

    fn read(heading: &str, text: &str) -> Vec<(String, Option<String>)> {
        avoided(&[passage(heading, 0, text)]).into_iter().map(|rule| (rule.term, rule.instead)).collect()
    }

    fn rule(term: &str, instead: &str) -> (String, Option<String>) {
        (term.to_owned(), Some(instead.to_owned()).filter(|instead| !instead.is_empty()))
    }

    #[test]
    fn lists_of_words_to_avoid_are_read() {
        let list = "- agenda (unless you’re talking about a meeting)\n- collaborate (use _working with_)\n- impact or impactful\n\
            - land (as a verb only use if you’re talking about aircraft)\n- robust\n* utilize (use _use_)\n\
            - facilitate (instead, say something specific about _how_ you are helping)";
        let found = read("Plain language › Words to avoid", list);
        assert_eq!(
            found,
            [
                rule("collaborate", "working with"),
                rule("impact", ""),
                rule("impactful", ""),
                rule("robust", ""),
                rule("utilize", "use"),
                rule("facilitate", ""),
            ]
        );
        assert!(read("Plain language › Words we like", list).is_empty());
    }

    #[test]
    fn tables_of_what_to_use_and_what_not_are_read_across_passages() {
        let first = passage("Terminology", 0, "| Use this | Not this | Why? |\n| --- | --- | --- |\n| **A** | | |");
        let second = passage(
            "Terminology",
            1,
            "| admin or site admin | \"administrator\" or \"site administrator\" | Shorter |\n\
            | macOS | OS X, MacOS | |\n| docs | documentation | |\n\nSome words.\n\n| a table | of others | |",
        );
        let found: Vec<_> = avoided(&[second, first]).into_iter().map(|rule| (rule.term, rule.instead)).collect();
        let expected = [
            rule("administrator", "admin"),
            rule("site administrator", "admin"),
            rule("os x", "macOS"),
            rule("documentation", "docs"),
        ];
        assert_eq!(found, expected, "MacOS differs in its capitals only");
    }

    #[test]
    fn sentences_of_a_style_guide_are_read() {
        let text = "We prefer _older person_ or _senior_ to _elderly_. Use _buy_ instead of _purchase_, _help_ instead of _assist_, and so on.\n\n- **email**, not e-mail\n\
            - **DC**, not D.C.\n- **drop-down** as an adjective. Never _dropdown_.\n\n\
            Avoid disability-related idioms like “lame” or “falling on deaf ears.”\n\n\
            Avoid terms that stigmatise: _crazy_, _dumb_, or _insane_.\n\n\
            Do not use the term “edge cases” to describe users. Avoid _guys_ as a way to refer to groups.";
        let expected = [
            rule("purchase", "buy"),
            rule("assist", "help"),
            rule("elderly", "older person"),
            rule("e-mail", "email"),
            rule("dropdown", ""),
            rule("lame", ""),
            rule("falling on deaf ears", ""),
            rule("crazy", ""),
            rule("dumb", ""),
            rule("insane", ""),
        ];
        assert_eq!(read("Our style › Words", text), expected);
        assert!(read("Cleaning the oven", "Never use “bleach”.").is_empty(), "that is not about words");
    }

    #[test]
    fn what_the_business_writes_itself_is_not_avoided() {
        let mut passages = vec![passage("Words to avoid", 0, "- robust\n- seamless")];
        passages.extend((1..20).map(|n| passage("Product", n, "A robust product.")));
        let found: Vec<_> = avoided(&passages).into_iter().map(|rule| rule.term).collect();
        assert_eq!(found, ["seamless"]);
    }

    #[test]
    fn a_word_is_found_in_the_forms_of_a_verb() {
        let rule = Avoided { term: "leverage".into(), instead: None };
        for text in ["we leverage it", "leveraging it", "it leverages, and leveraged"] {
            assert!(rule.is_in(text), "{text}");
        }
        let execute = Avoided { term: "execute".into(), instead: None };
        assert!(!execute.is_in("the executive branch executes-not") || execute.is_in("executes"));
        assert!(!execute.is_in("the executive branch"));
    }

    #[test]
    fn hostile_passages_cost_little() {
        for text in ["_a".repeat(50_000), "avoid _".repeat(20_000), "|".repeat(100_000), "- ".repeat(50_000)] {
            let began = std::time::Instant::now();
            avoided(&[passage("Words to avoid", 0, &text)]);
            assert!(began.elapsed().as_secs() < 10);
        }
    }
}
