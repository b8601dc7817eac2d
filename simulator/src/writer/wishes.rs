//! What the prompt's lessons, house rules and fixes ask for, as far as the writer follows them: each with a
//! probability, as a model would. What a sentence asks for is read in `reading`; a lesson that is not understood
//! has no effect.

use rand::RngExt;

use super::phrases::capitalised;
use crate::prompt::Prompt;
use crate::reading::{self, Bound, Mark, Opening, Person, Wish, find_word};
use crate::seed::Rng;
use crate::shape;

/// The wishes that this text follows. `None` where it may do as it likes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// Words and phrases that must not occur, in lower case.
    pub(super) banned: Vec<String>,
    /// Words and phrases that must occur.
    pub(super) mentions: Vec<String>,
    /// Words to use, each with the one whose place it takes, in lower case.
    pub(super) prefers: Vec<(String, String)>,
    /// Marks that must occur, or must not.
    pub(super) marks: Vec<(Mark, bool)>,
    pub(super) max_words: Option<usize>,
    pub(super) min_words: Option<usize>,
    pub(super) shorter: bool,
    pub(super) longer: bool,
    pub(super) call_to_action: Option<bool>,
    /// How the text opens.
    pub(super) question: Option<bool>,
    pub(super) figure: Option<bool>,
    pub(super) address: Option<bool>,
    /// Whether it speaks as we, and to you.
    pub(super) we: Option<bool>,
    pub(super) you: Option<bool>,
    /// Words of a sentence on average.
    pub(super) sentences: Option<(Bound, usize)>,
    /// Headings below the title.
    pub(super) max_headings: Option<usize>,
    pub(super) min_headings: Option<usize>,
    pub(super) lists: Option<bool>,
}

impl Wishes {
    /// Reads the lessons, the house rules and the fixes, and forgets some. Who is told twice, in a lesson and in a
    /// house rule, forgets less.
    pub(super) fn of(prompt: &Prompt, rng: &mut Rng) -> Self {
        let follow = prompt.behaviour.follow;
        let mut followed = |texts: &[String]| -> Vec<Wish> {
            let heeded = texts.iter().filter(|_| rng.random_bool(follow));
            heeded.flat_map(|text| reading::read(text)).collect()
        };
        let mut wishes = Self::default();
        followed(&prompt.lessons).into_iter().for_each(|wish| wishes.add(wish));
        followed(&prompt.house_rules).into_iter().for_each(|wish| wishes.add(wish));
        // A fix's lengths are left out: it tells of the draft's, and the writer aims at the target anyway.
        let is_mendable = |wish: &Wish| {
            matches!(wish, Wish::Ban(_) | Wish::Mention(_) | Wish::Prefer { .. } | Wish::Mark(..) | Wish::Call(_))
        };
        followed(&prompt.fixes).into_iter().filter(is_mendable).for_each(|wish| wishes.add(wish));
        wishes
    }

    /// A later wish outweighs an earlier one of the same kind.
    fn add(&mut self, wish: Wish) {
        match wish {
            Wish::Ban(word) => self.banned.push(word),
            Wish::Mention(word) => self.mentions.push(word),
            Wish::Prefer { term, over } => self.prefers.push((term, over)),
            Wish::Length(Bound::AtMost, words) => {
                self.max_words = Some(self.max_words.map_or(words, |max| max.min(words)));
            }
            Wish::Length(Bound::AtLeast, words) => self.min_words = self.min_words.max(Some(words)),
            Wish::Shorter => self.shorter = true,
            Wish::Longer => self.longer = true,
            Wish::Opening(Opening::Question, wanted) => self.question = Some(wanted),
            Wish::Opening(Opening::Figure, wanted) => self.figure = Some(wanted),
            Wish::Opening(Opening::Address, wanted) => self.address = Some(wanted),
            // The formats say who is greeted.
            Wish::Opening(Opening::Greeting, _) => {}
            Wish::Call(wanted) => self.call_to_action = Some(wanted),
            Wish::Mark(mark, wanted) => {
                self.marks.retain(|(known, _)| *known != mark);
                self.marks.push((mark, wanted));
            }
            Wish::Person(Person::First, wanted) => self.we = Some(wanted),
            Wish::Person(Person::Second, wanted) => self.you = Some(wanted),
            Wish::Sentences(bound, words) => self.sentences = Some((bound, words)),
            Wish::Headings(Bound::AtMost, count) => self.max_headings = Some(count),
            Wish::Headings(Bound::AtLeast, count) => self.min_headings = Some(count),
            Wish::Lists(wanted) => self.lists = Some(wanted),
        }
    }

    /// Whether a mark must occur, or must not.
    pub(super) fn mark(&self, mark: Mark) -> Option<bool> {
        self.marks.iter().find(|(known, _)| *known == mark).map(|(_, wanted)| *wanted)
    }

    /// Whether a sentence breaks a wish all by itself.
    pub(super) fn mind(&self, sentence: &str) -> bool {
        let exclaims = self.mark(Mark::Exclamation) == Some(false) && sentence.contains('!');
        let says_we = self.we == Some(false) && speaks_as_we(sentence);
        let says_you = self.you == Some(false) && speaks_to_you(sentence);
        let is_long = matches!(self.sentences, Some((Bound::AtMost, most)) if shape::words(sentence) > most);
        exclaims || says_we || says_you || is_long || self.forbid(sentence)
    }

    /// Whether a text holds a banned word.
    pub(super) fn forbid(&self, text: &str) -> bool {
        !self.banned.is_empty() && {
            let lower = text.to_lowercase();
            self.banned.iter().any(|banned| find_word(&lower, banned).is_some())
        }
    }

    /// The length to aim at.
    pub(super) fn aim(&self, words: usize) -> usize {
        let words = if self.shorter { words * 7 / 10 } else { words };
        let words = if self.longer { words * 13 / 10 } else { words };
        let words = words.max(self.min_words.map_or(0, |min| min * 11 / 10));
        self.max_words.map_or(words, |max| words.min(max * 9 / 10))
    }

    /// The text without what slipped through: a banned word in a title, an exclamation mark in a quotation.
    pub(super) fn enforce(&self, mut text: String) -> String {
        if self.mark(Mark::Exclamation) == Some(false) {
            text = text.replace('!', ".");
        }
        for (term, over) in &self.prefers {
            text = replaced(&text, over, term);
        }
        for banned in &self.banned {
            text = replaced(&text, banned, "");
        }
        text
    }
}

/// The text with another word in place of one; without it, and the blank behind it, where the other is empty.
pub(super) fn replaced(text: &str, word: &str, other: &str) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find_word(&rest.to_lowercase(), word).filter(|at| rest.is_char_boundary(*at)) {
        let end = rest.ceil_char_boundary(at + word.len());
        let end = end + usize::from(other.is_empty() && rest[end..].starts_with(' '));
        let starts_large = rest[at..].starts_with(char::is_uppercase);
        done.push_str(&rest[..at]);
        done.push_str(&if starts_large { capitalised(other) } else { other.to_owned() });
        rest = &rest[end..];
    }
    done + rest
}

/// Whether somebody speaks of themselves.
pub(super) fn speaks_as_we(text: &str) -> bool {
    holds_one_of(text, &["we", "our", "us", "ours"])
}

/// Whether the reader is spoken to.
pub(super) fn speaks_to_you(text: &str) -> bool {
    holds_one_of(text, &["you", "your", "yours", "yourself"])
}

fn holds_one_of(text: &str, words: &[&str]) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|word| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

/// Whether a text holds a word or phrase, whatever the case.
pub(super) fn mentions(text: &str, word: &str) -> bool {
    find_word(&text.to_lowercase(), &word.to_lowercase()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::Behaviour;
    use crate::seed;

    fn following(follow: f64) -> Behaviour {
        Behaviour { follow, ..Behaviour::default() }
    }

    fn read(lesson: &str) -> Wishes {
        let prompt = Prompt { lessons: vec![lesson.to_owned()], behaviour: following(1.0), ..Prompt::default() };
        Wishes::of(&prompt, &mut seed::rng(1, &[]))
    }

    #[test]
    fn banned_words_are_understood() {
        for lesson in [
            "Never use \"synergy\".",
            "Avoid the word synergy.",
            "Do not use 'synergy' in the text",
            "Don't say synergy",
            "Banned word: synergy",
            "Avoid “Synergy”; it is jargon.",
        ] {
            assert_eq!(read(lesson).banned, ["synergy"], "{lesson}");
        }
        assert_eq!(read("Never use synergy, leverage or delve.").banned, ["synergy", "leverage", "delve"]);
    }

    #[test]
    fn mentions_are_understood() {
        for lesson in
            ["Must mention \"free parking\"", "Always mention free parking.", "Include the phrase 'free parking'."]
        {
            assert_eq!(read(lesson).mentions, ["free parking"], "{lesson}");
        }
    }

    #[test]
    fn lengths_marks_and_calls_to_action_are_understood() {
        let exclaims = |lesson| read(lesson).mark(Mark::Exclamation);
        assert_eq!(read("Keep it under 120 words.").max_words, Some(120));
        assert_eq!(read("No more than 90 words").max_words, Some(90));
        assert_eq!(read("At least 300 words, please").min_words, Some(300));
        assert!(read("Make it shorter.").shorter);
        assert_eq!(exclaims("No exclamation marks"), Some(false));
        assert_eq!(exclaims("Use exclamation marks"), Some(true));
        assert_eq!(read("End with a clear call to action").call_to_action, Some(true));
        assert_eq!(read("No call to action, please").call_to_action, Some(false));
        assert_eq!(read("Open with a question").question, Some(true));
        assert_eq!(read("Be kinder to the reader"), Wishes::default());
    }

    /// How many of 1,000 texts heed it.
    fn heeded(prompt: &Prompt) -> usize {
        let mut rng = seed::rng(3, &[]);
        (0..1_000).filter(|_| Wishes::of(prompt, &mut rng).mark(Mark::Exclamation) == Some(false)).count()
    }

    #[test]
    fn nine_lessons_in_ten_are_followed_or_as_many_as_is_set() {
        let told = vec!["No exclamation marks".to_owned()];
        let lesson = Prompt { lessons: told.clone(), ..Prompt::default() };
        assert!((860..940).contains(&heeded(&lesson)), "{}", heeded(&lesson));
        let lesson = Prompt { behaviour: following(0.6), ..lesson };
        assert!((550..650).contains(&heeded(&lesson)), "{}", heeded(&lesson));
        assert_eq!(heeded(&Prompt { behaviour: following(0.0), ..lesson.clone() }), 0);
        let twice = Prompt { house_rules: told.clone(), ..lesson };
        assert!((800..880).contains(&heeded(&twice)), "{}", heeded(&twice));
        let alone = Prompt { house_rules: told, ..Prompt::default() };
        assert!((860..940).contains(&heeded(&alone)), "{}", heeded(&alone));
    }

    #[test]
    fn fixes_are_followed_but_their_lengths_are_not() {
        let fixes = ["Remove the word \"synergy\".", "The text has 90 words and the target is 300: expand it."];
        let prompt = Prompt { fixes: fixes.map(str::to_owned).to_vec(), ..Prompt::default() };
        let wishes = Wishes::of(&prompt, &mut seed::rng(1, &[]));
        assert_eq!((wishes.banned.as_slice(), wishes.max_words), (&["synergy".to_owned()][..], None));
    }

    #[test]
    fn what_slipped_through_is_taken_out() {
        let wishes = Wishes {
            banned: vec!["deep dive".into()],
            marks: vec![(Mark::Exclamation, false)],
            prefers: vec![("customers".into(), "clients".into())],
            ..Wishes::default()
        };
        assert_eq!(wishes.enforce("A Deep Dive into it! deep dives stay".into()), "A into it. deep dives stay");
        assert_eq!(wishes.enforce("Clients call. Our clients ask.".into()), "Customers call. Our customers ask.");
        assert!(wishes.forbid("a DEEP dive") && !wishes.forbid("a deep diver"));
        let same = Wishes { prefers: vec![("an AND".into(), "and".into())], ..Wishes::default() };
        assert_eq!(same.enforce("and and".into()), "an AND an AND");
    }

    #[test]
    fn sentences_are_minded_that_break_a_wish() {
        let minds = |lesson: &str, sentence: &str| read(lesson).mind(sentence);
        assert!(minds("Do not speak as \"we\" or \"I\".", "In our view it works."));
        assert!(minds("Do not speak to the reader as \"you\".", "Look at your plan."));
        assert!(minds("Write short sentences: 4 words on average at most.", "This one has five words."));
        assert!(!minds("Speak as \"we\".", "In our view it works.") && !minds("-", "Look at your plan!"));
    }

    #[test]
    fn the_aim_follows_the_lengths() {
        let wishes = Wishes { max_words: Some(100), ..Wishes::default() };
        assert_eq!((wishes.aim(400), wishes.aim(50)), (90, 50));
        assert_eq!(Wishes { shorter: true, ..Wishes::default() }.aim(100), 70);
    }
}
