//! Comments cut into sentences and clauses. Quotations are set aside first: what is in them is nobody's order.

use crate::lesson::pattern;
use crate::text::instruction;
use copydesk_words::unicode;

/// What of a comment is read, in bytes: more than people write.
const MAX_BYTES: usize = 40_000;
/// Sentences that are read.
const MAX_SENTENCES: usize = 60;
/// The longest sentence that is read, in bytes. What is longer is no remark.
const MAX_SENTENCE_BYTES: usize = 600;
/// Clauses of a sentence.
const MAX_CLAUSES: usize = 24;

pattern!(CODE, r"(?s)```.*?(```|$)|`[^`\n]*`");
pattern!(APOSTROPHE, r"([[:alpha:]])[’‘`´]([[:alpha:]])");
pattern!(SINGLE, r"(^|[\s(:,/])['‘‚]([^'‘’\n]{1,60})['’]([\s).,;:!?/]|$)");
pattern!(DOUBLE, r#"["“”„«»]([^"“”„«»\n]{1,200})["“”„«»]"#);
pattern!(MARKS_ALONE, r"(^|\s)\(?(!+|—|;|…|\.{3})\)?(\s|$)");
pattern!(EMPTY, r#""\s*"|“\s*”|''(,|\s|$)"#);
pattern!(BETWEEN, r"(?i)\bbetween (\d[\d,.]*\d|\d) and (\d)");
pattern!(THOUSANDS, r"\b(\d{1,3})[,.](\d{3})\b");
pattern!(NICE_AND, r"\b(nice and (short|brief|concise)|(short) and (?:sweet|snappy|crisp|punchy|to the point))\b");
pattern!(
    REMARK,
    r"^((please|just|so|and|but|really|seriously|we|i|ugh|yuck|no|never|pls|again|why|let's|can we|could we|could you),? ?)*((drop|lose|avoid|remove|skip|cut|ditch|delete|kill|stop|leave|get rid of|take|never use|don't use|do not use|don't want|don't need|never|hate|don't like|love|like|keep) ?(them|it|those|these|that|this)( out| away| off| up)?|please|never|not q_\d+_q|not [a-z]+|really|seriously|no|ugh|yuck)( please| again| next time)?$"
);
pattern!(ITEM, r"^\s*([-*•+]|\d{1,2}[.)])\s+");
pattern!(END, r"[.!?]+(\s|$)|\n+|…(\s|$)");
pattern!(
    JOINT,
    r"\s+[—–-]{1,2}\s+|—|[,;:()/]+\s*|\b(but|however|though|although|yet|whereas|while|because|since|so that|otherwise|and|or|nor|plus|then|instead of|rather than|as well as)\b"
);

/// A comment in lower case, without code, and its quotations.
#[derive(Debug)]
pub(super) struct Comment {
    pub(super) sentences: Vec<Sentence>,
    /// Each stands as `q_n_q` in the sentences.
    pub(super) quoted: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Sentence {
    /// In lower case.
    pub(super) text: String,
    /// As it was written.
    pub(super) original: String,
    pub(super) asks: bool,
}

/// A part of a sentence, and how it joins the one before.
#[derive(Debug)]
pub(super) struct Clause {
    pub(super) text: String,
    pub(super) joint: Joint,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    /// It begins the sentence, or goes on: a comma, "and".
    Next,
    /// "but", "though".
    But,
    /// "instead of".
    Instead,
    /// "because": a reason.
    Because,
}

impl Comment {
    pub(super) fn of(comment: &str) -> Self {
        let head = &comment[..comment.floor_char_boundary(MAX_BYTES)];
        let clean = instruction::removed(&unicode::comparable(head));
        let clean = CODE.replace_all(&clean, " ");
        let clean = APOSTROPHE.replace_all(&clean, "$1'$2");
        // Twice: the space behind one quotation is the one before the next.
        let clean = SINGLE.replace_all(&clean, "$1\"$2\"$3");
        let clean = SINGLE.replace_all(&clean, "$1\"$2\"$3");
        // An empty quotation is one side of the next.
        let clean = EMPTY.replace_all(&clean, " ");
        let mut quoted = Vec::new();
        let clean = DOUBLE.replace_all(&clean, |found: &regex::Captures<'_>| set_aside(&found[1], &mut quoted));
        let clean = MARKS_ALONE.replace_all(&clean, |found: &regex::Captures<'_>| {
            let is_pause = matches!(&found[2], "—" | "…" | "..." | ";" | "!") && !found[0].contains('(');
            if is_pause { found[0].to_owned() } else { format!(" {} ", mark_name(&found[2]).unwrap_or_default()) }
        });
        let clean = THOUSANDS.replace_all(&clean, "$1$2");
        let clean = BETWEEN.replace_all(&clean, "$1-$2");
        let clean = clean.replace("e.g.", "like").replace("i.e.", "").replace("etc.", "").replace("vs.", "not");
        Self { sentences: sentences(&clean), quoted }
    }

    /// What a quotation holds, by the word that stands for it.
    pub(super) fn quotation(&self, word: &str) -> Option<&str> {
        let number = word.strip_prefix("q_")?.strip_suffix("_q")?;
        number.parse::<usize>().ok().and_then(|n| self.quoted.get(n)).map(String::as_str)
    }
}

/// Greetings are no terms, quoted or not.
const GREETINGS: [&str; 7] = ["hello", "hi", "hey", "dear", "hi there", "hello there", "dear reader"];

/// What stands for a quotation: the name of a mark, a greeting, or its number.
fn set_aside(quotation: &str, quoted: &mut Vec<String>) -> String {
    let bare = quotation.trim();
    if let Some(name) = mark_name(bare) {
        return format!(" {name} ");
    }
    if GREETINGS.contains(&bare.to_lowercase().as_str()) {
        return bare.to_owned();
    }
    quoted.push(bare.trim_end_matches(['.', ',', '!', '?']).to_owned());
    format!("q_{}_q", quoted.len() - 1)
}

fn mark_name(mark: &str) -> Option<&'static str> {
    Some(match mark {
        "—" => "em dashes",
        ";" => "semicolons",
        "…" | "..." => "ellipses",
        "#" => "hashtags",
        marks if !marks.is_empty() && marks.chars().all(|c| c == '!') => "exclamation marks",
        _ => return None,
    })
}

fn sentences(text: &str) -> Vec<Sentence> {
    let (mut start, mut found) = (0, Vec::new());
    let ends = END.find_iter(text).map(|end| (end.start(), end.end(), end.as_str().contains('?')));
    for (end, next, asks) in ends.chain([(text.len(), text.len(), false)]) {
        let original = ITEM.replace(&text[start..end], "").trim().to_owned();
        let sentence = original.to_lowercase().replace("tl;dr", "tldr").replace(" or two ", " ");
        let sentence = NICE_AND.replace_all(&sentence, "nicely $2$3").into_owned();
        start = next;
        // "Emojis? Please, no." is one remark.
        if let Some(before) = found
            .last_mut()
            .filter(|before: &&mut Sentence| REMARK.is_match(&sentence) && before.text.len() < MAX_SENTENCE_BYTES)
        {
            before.text = format!("{}, {sentence}", before.text);
            continue;
        }
        if !sentence.is_empty() && sentence.len() <= MAX_SENTENCE_BYTES {
            found.push(Sentence { text: sentence, original, asks });
        }
        if found.len() == MAX_SENTENCES {
            break;
        }
    }
    found
}

/// The clauses of a sentence.
pub(super) fn clauses(sentence: &Sentence) -> Vec<Clause> {
    let text = sentence.text.as_str();
    let (mut start, mut joint, mut found) = (0, Joint::Next, Vec::new());
    for mark in JOINT.find_iter(text) {
        push(&mut found, &text[start..mark.start()], joint);
        // A comma before "but" leaves an empty clause: the stronger joint counts.
        joint = kind(mark.as_str());
        start = mark.end();
    }
    push(&mut found, &text[start..], joint);
    found.truncate(MAX_CLAUSES);
    found
}

fn push(found: &mut Vec<Clause>, text: &str, joint: Joint) {
    let text = text.trim();
    if !text.is_empty() {
        found.push(Clause { text: text.to_owned(), joint });
    }
}

fn kind(mark: &str) -> Joint {
    match mark.trim() {
        "but" | "however" | "though" | "although" | "yet" | "whereas" | "while" => Joint::But,
        "instead of" | "rather than" => Joint::Instead,
        "because" | "since" | "so that" | "otherwise" => Joint::Because,
        _ => Joint::Next,
    }
}
