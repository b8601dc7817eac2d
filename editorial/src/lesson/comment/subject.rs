//! What clauses are about, but for words and lengths: marks, the opening, a call to action, headings, lists, persons.

use copydesk_domain::lesson::{Bound, Mark, Opening, Person, Rule};

use super::Context;
use super::clause::{Clause, Joint, Sentence};
use super::cue::{self, Cue};
use super::length;
use crate::lesson::pattern;

pattern!(EXCLAMATION, r"\b(exclam|exlam|exclaim)\w*|!{2,}|\bshouty marks?\b");
pattern!(EM_DASH, r"\b(em|long)[- ]?dash(es)?\b|\bdashes\b|—");
pattern!(SEMICOLON, r"\bsemi-? ?colons?\b");
pattern!(ELLIPSIS, r"\bellips[ie]s\b|\bdot dot dot\b|\b(three|trailing) dots\b");
pattern!(EMOJI, r"\bemoj\w*|\bemoticons?\b|\bsmile?ys?\b|\bsmil(ies|eys)\b");
pattern!(HASHTAG, r"\bhash-? ?tags?\b");
pattern!(
    LISTS,
    r"\bbullet\w*( points?| lists?)?\b|\bnumbered lists?\b|\b(as|into|in) (a )?lists?\b|\blists\b|\ba (short |quick |simple )?list\b|\blisticles?\b|\bthe list format\b"
);
pattern!(
    HEADINGS,
    r"\b(sub-?)?head(ing|er)s\b|\bsub-?head(line)?s\b|\bsub-?titles\b|\bsection (titles|headings)\b|\bheadings?\b"
);
pattern!(CALL, r"\bcalls?[- ]to[- ]actions?\b|\bctas?\b|\bwhat (to do|they (should|can) do) next\b|\bnext steps?\b");
pattern!(
    FIRST,
    r"\bfirst[- ]person\b|\bwe[- ]form\b|\b(as|say|use|saying|using|much|many|more|less|fewer|the|no|of) (we|our|i|us)$|\b(talk|speak|write|talking|speaking|writing)( \w+)? (as|about) (we|ourselves|yourselves|yourself|ourself)\b"
);
pattern!(
    SECOND,
    r"\bsecond[- ]person\b|\byou[- ]form\b|\b(as|say|use|saying|using|much|many|more|less|fewer|the|no|of) (you|your)$|\b(address|speak|talk|write|turn)(s|es|ing)?( directly| straight| personally)?( to| at)? (the |our |your |my )?(readers?|audience|customers?|patients?|clients?|visitors?|guests?|me|us)( directly| personally)?\b|\b(speak|talk|write) (directly|straight) to\b|\bdirect(ly)? address\w*|\breader-?facing\b"
);
pattern!(THIRD, r"\bthird[- ]person\b");
pattern!(
    ANCHOR,
    r"\b(open(s|ed|ing|er|ers)?|start(s|ed|ing|er)?|begin(s|ning)?|began|lead(s|ing)?( in| with| off)?|kick(s|ing)? (it |things )?off|first (sentence|line|paragraph|thing)|intro(duction)?s?|hook(s|ed)?|lede|up front|at the top)\b"
);
pattern!(
    NO_ANCHOR,
    r"\bopen(-ended)? questions?\b|\bopen (about|to|on|at|from|until|every|daily)\b|\bopening (hours|times|day)\b|\bgrand opening\b|\bget(ting)? started\b"
);
pattern!(END, r"\b(ends?|ending|clos(e|es|ing)|finish\w*|conclusion|conclude\w*|last|bottom|finally|final)\b");
pattern!(QUESTION, r"\bquestions?\b|\bask(s|ing)? (the reader|readers|them|something|me|us)\b");
pattern!(FIGURE, r"\b(figures?|numbers?|stat(istic)?s?|data( point)?s?|percentages?|metrics?)\b");
pattern!(ADDRESS, r"\b(readers?|addressing)\b");
pattern!(GREETING, r"\b(greet(s|ing|ings)?|salutations?|hello|hi|hey|pleasantries|dear|welcome|good morning)\b");
pattern!(GREETING_ALONE, r"\b(greetings?|salutations?|pleasantries)\b|\bhello\b|\bsay(ing)? hi\b");
pattern!(
    QUALITY,
    r"\b(better (call|cta|head|sub|open|question|hook|list|bullet)\w*|(be|are|is|get) better|stronger|clearer|different|shorter|longer|funnier|catchier|bolder|softer|subtle\w*|pushy|pushier|weak|weaker|earlier|later|sooner|middle|descriptive|informative|specific|engaging|interesting|creative|relevant|personal|catchy|punchy|punchier|boring|dull|generic|vague|rephrase\w*|reword\w*|rewrite|bigger|smaller|wrong|confusing|unclear|consistent|same|capital\w*|policy|numbered headings|color|colour|font|size|italic|aligned|spelling|typo\w*|title case|sentence case)\b"
);

pattern!(
    NAMED,
    r"^(?:(?:please|pls|and|a|an|some|clear|proper|strong|good|real|bulleted|numbered|few|short) )*(?:emoj|smil|hash|bullet|list|call|cta|head|sub|exclam|question|next step|bulleted|numbered)"
);
pattern!(AND_SHOULD, r"^(you|it|we|they|one|texts?) (really |definitely |probably )?(should|must|ought to|need to)$");
pattern!(
    DROP_THEM,
    r"^((please|so|just|we|i|let's|can we|could we) )*(drop|lose|avoid|remove|skip|cut|ditch|delete|kill|stop|leave|get rid of|take|don't use|never use|do not use|don't want|hate|don't need) ?(them|it|those|these|that)\b"
);

/// What can be there or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Mark(Mark),
    Lists,
    Headings,
    Call,
    Person(Person),
    Opening(Opening),
}

/// The rules of a sentence's clauses.
pub(super) fn rules(clauses: &[Clause], sentence: &Sentence, context: &Context) -> Vec<Rule> {
    let subjects: Vec<Vec<Subject>> = (0..clauses.len()).map(|at| of(clauses, at)).collect();
    let cues = cues(clauses, &subjects, sentence);
    let mut rules = Vec::new();
    for (at, clause) in clauses.iter().enumerate() {
        if THIRD.is_match(&clause.text) && cue::of(&clause.text).is_some_and(|cue| cue != Cue::Less) {
            rules.push(Rule::Person { person: Person::First, wanted: false });
        }
        let Some((cue, said)) = cues[at] else { continue };
        // "Emojis please" asks for them; what else is said with "please" is said by a verb.
        if cue == Cue::Asked && !NAMED.is_match(&clause.text) {
            continue;
        }
        let said = &clauses[said].text;
        rules.extend(subjects[at].iter().filter_map(|&subject| rule(subject, cue, said, sentence.asks, context)));
    }
    rules
}

/// What each clause wants and which clause says so: itself, the one that it goes on from, or the next that says
/// nothing of its own.
fn cues(clauses: &[Clause], subjects: &[Vec<Subject>], sentence: &Sentence) -> Vec<Option<(Cue, usize)>> {
    let own: Vec<Option<Cue>> = clauses.iter().map(|clause| own_cue(clause, sentence)).collect();
    let mut cues: Vec<Option<(Cue, usize)>> = Vec::with_capacity(clauses.len());
    for (at, clause) in clauses.iter().enumerate() {
        let goes_on = clause.joint == Joint::Next && !cue::is_indifferent(&clause.text);
        let before = at.checked_sub(1).and_then(|before| cues[before]).filter(|_| goes_on);
        // "Get rid of emojis, and hashtags please."
        let own = own[at].filter(|cue| *cue != Cue::Asked || before.is_none());
        cues.push(own.map(|cue| (cue, at)).or(before));
    }
    for at in (0..clauses.len()).rev() {
        if subjects[at].is_empty() || cue::is_indifferent(&clauses[at].text) {
            continue;
        }
        let Some(next) = (at + 1..clauses.len()).find(|&next| subjects[next].is_empty() || own[next].is_some()) else {
            continue;
        };
        // "Bullets instead of long paragraphs."
        if cues[at].is_none() && clauses[next].joint == Joint::Instead && clauses[at].text.split(' ').count() <= 4 {
            cues[at] = Some((Cue::More, at));
            continue;
        }
        let is_remark = subjects[next].is_empty() && !length::speaks(&clauses[next].text);
        // "I like emojis, but not here": what comes behind the "but" counts, and where that wants nothing, nothing does.
        if is_remark && AND_SHOULD.is_match(&clauses[next].text) {
            cues[at] = Some((Cue::More, next));
        } else if is_remark && DROP_THEM.is_match(&clauses[next].text) {
            cues[at] = Some((Cue::Less, next));
        } else if is_remark && clauses[next].joint == Joint::But && own[at] != Some(Cue::Less) {
            cues[at] = own[next].map(|cue| (cue, next)).filter(|(cue, _)| *cue == Cue::Less);
        } else if (is_remark || clauses[at].text.split(' ').count() <= 3)
            && cues[at].is_none()
            && clauses[next].joint == Joint::Next
        {
            cues[at] = own[next].map(|cue| (cue, next));
        }
    }
    cues
}

fn own_cue(clause: &Clause, sentence: &Sentence) -> Option<Cue> {
    match clause.joint {
        Joint::Instead => Some(Cue::Less),
        _ if cue::is_ironic(&sentence.text) => Some(Cue::Less),
        _ => cue::of(&clause.text).or_else(|| counts(&clause.text).then_some(Cue::More)),
    }
}

/// "At most two headings."
fn counts(text: &str) -> bool {
    HEADINGS.is_match(text) && length::bound(text).is_some() && length::number(text).is_some()
}

/// What a clause is about.
fn of(clauses: &[Clause], at: usize) -> Vec<Subject> {
    let text = &clauses[at].text;
    let mut found = Vec::new();
    let openings = openings(clauses, at);
    let marks: [(&regex::Regex, Mark); 6] = [
        (&EXCLAMATION, Mark::Exclamation),
        (&EM_DASH, Mark::EmDash),
        (&SEMICOLON, Mark::Semicolon),
        (&ELLIPSIS, Mark::Ellipsis),
        (&EMOJI, Mark::Emoji),
        (&HASHTAG, Mark::Hashtag),
    ];
    if QUALITY.is_match(text) && !text.contains("too many") {
        return found;
    }
    found.extend(marks.iter().filter(|(pattern, _)| pattern.is_match(text)).map(|(_, mark)| Subject::Mark(*mark)));
    let others: [(&regex::Regex, Subject); 3] =
        [(&LISTS, Subject::Lists), (&HEADINGS, Subject::Headings), (&CALL, Subject::Call)];
    found.extend(others.iter().filter(|(pattern, _)| pattern.is_match(text)).map(|(_, subject)| *subject));
    if openings.is_empty() {
        let persons: [(&regex::Regex, Person); 2] = [(&FIRST, Person::First), (&SECOND, Person::Second)];
        found.extend(persons.iter().filter(|(one, _)| one.is_match(text)).map(|(_, person)| Subject::Person(*person)));
    }
    found.extend(openings.into_iter().map(Subject::Opening));
    found
}

/// How the text opens, if a clause speaks of that: it or the one before names the beginning.
fn openings(clauses: &[Clause], at: usize) -> Vec<Opening> {
    let text = &clauses[at].text;
    let anchors = |text: &str| ANCHOR.is_match(&NO_ANCHOR.replace_all(text, " "));
    let is_short = text.split(' ').count() <= 5;
    let goes_on = || at.checked_sub(1).is_some_and(|before| is_short && anchors(&clauses[before].text));
    let leads = || clauses.get(at + 1).is_some_and(|next| is_short && at == 0 && anchors(&next.text));
    if END.is_match(text) || SECOND.is_match(text) && !anchors(text) {
        return Vec::new();
    }
    let alone = GREETING_ALONE.is_match(text).then_some(Opening::Greeting);
    if !anchors(text) && !goes_on() && !leads() {
        return alone.into_iter().collect();
    }
    let kinds: [(&regex::Regex, Opening); 4] = [
        (&QUESTION, Opening::Question),
        (&FIGURE, Opening::Figure),
        (&GREETING, Opening::Greeting),
        (&ADDRESS, Opening::Address),
    ];
    // "Open by asking the reader a question": the first kind that is named is meant.
    kinds.into_iter().find(|(pattern, _)| pattern.is_match(text)).map(|(_, kind)| kind).into_iter().collect()
}

fn rule(subject: Subject, cue: Cue, said: &str, asks: bool, context: &Context) -> Option<Rule> {
    let praises = cue::praises(said);
    let wanted = match (cue, subject) {
        (Cue::More | Cue::Asked, _) => true,
        (Cue::Less, _) => false,
        // "There is no call to action" deplores it, if nobody is glad.
        (Cue::Missing, _) if praises => false,
        (Cue::Missing, Subject::Mark(Mark::Hashtag) | Subject::Person(Person::Second)) => true,
        (Cue::Missing, Subject::Call | Subject::Headings | Subject::Lists | Subject::Opening(_)) => true,
        (Cue::Missing, _) => return None,
    };
    // "No call to action." of a text without one is a complaint.
    let is_bare = said.starts_with("no ") && said.split(' ').count() <= 7 && !said.contains("please");
    let lacks = match subject {
        Subject::Call => !context.calls,
        Subject::Headings => context.headings == 0,
        _ => false,
    };
    let wanted = wanted || (is_bare && lacks && !praises);
    Some(match subject {
        Subject::Mark(mark) => {
            let few = length::number(said).is_some_and(|n| n <= 3) && !said.contains("too many");
            return (!few).then_some(Rule::Punctuation { mark, wanted });
        }
        Subject::Lists if !wanted && !context.has_list && is_bare && asks => return None,
        Subject::Lists => Rule::Lists { wanted },
        Subject::Headings => return headings(wanted, said, context),
        Subject::Call => Rule::CallToAction { wanted },
        Subject::Person(person) => Rule::Person { person, wanted },
        Subject::Opening(with) => Rule::Opening { with, wanted },
    })
}

/// Headings are counted: a number that is named, or more or fewer than there are.
fn headings(wanted: bool, said: &str, context: &Context) -> Option<Rule> {
    if let Some(number) = length::number(said).filter(|n| (1..=20).contains(n)) {
        let bound =
            length::bound(said).unwrap_or(if number > context.headings { Bound::AtLeast } else { Bound::AtMost });
        return Some(Rule::Headings { bound, count: length::small(number) });
    }
    let (bound, count) = match wanted {
        // What is praised is there already.
        true if cue::praises(said) && context.headings > 0 && !said.contains("more") && !said.contains("would") => {
            return None;
        }
        true => (Bound::AtLeast, context.headings + 2),
        false if cue::is_absolute(said) => (Bound::AtMost, 0),
        false => (Bound::AtMost, context.headings / 2),
    };
    Some(Rule::Headings { bound, count: length::small(count) })
}
