//! The writer's own sentences: about the topic in general, without facts, figures or names that it
//! could not know. Templates with `{s}` subject, `{x}` an aspect of it, `{a}` the audience, `{b}` the business.

use rand::RngExt;
use rand::seq::SliceRandom;

use crate::seed::Rng;

/// Words that the writer falls into unless it is told otherwise: what reviewers like to complain of.
pub const HABITS: [&str; 8] = ["leverage", "seamless", "robust", "landscape", "journey", "unlock", "empower", "delve"];

/// Each holds habits: one or two of those above, or a stilted word for a plain one (clients, utilize, commence,
/// assist, regarding); some hold an exclamation mark.
const HABITUAL: [&str; 14] = [
    "Teams can leverage {x} to unlock more of {s}.",
    "A seamless approach to {x} makes the journey easier for clients.",
    "A robust plan for {x} is worth the time; haste is not.",
    "In a changing landscape, {x} can empower {a} to make better choices!",
    "The journey towards {s} can commence with {x}.",
    "Care for {x} can unlock the value of {s}, and assist clients for years!",
    "Leverage {x}; delve into the details later.",
    "It pays to delve into {x} before moving on.",
    "A robust and seamless handling of {x} is seldom an accident.",
    "Know the landscape of {s}; utilize {x} where it helps.",
    "Good advice regarding {x} can empower everybody involved.",
    "Utilize what is known regarding {x}!",
    "Work can commence as soon as {x} is settled.",
    "A second pair of eyes can assist with {x}.",
];
const HABIT_RATE: f64 = 0.75;

/// Where the writer speaks of itself.
const AS_WE: [&str; 8] = [
    "We begin with {x}, and say so early.",
    "In our work, {x} comes before everything else.",
    "We have learned to take {x} seriously.",
    "In practice, we look at {x} first.",
    "We write down what {x} should look like.",
    "What we know about {s} we learned from {x}.",
    "We put {x} into plain language.",
    "We keep a checklist for {x}.",
];

/// Where it speaks to the reader.
const TO_YOU: [&str; 8] = [
    "You can begin with {x} this week.",
    "Ask yourself what {x} means to you.",
    "If you change one thing, change {x}.",
    "You will want a checklist for {x}.",
    "In practice, you will notice {x} sooner than expected.",
    "Look at {x} with your own eyes.",
    "Whatever you plan, leave room for {x}.",
    "You can put {x} into plain language.",
];

const GENERAL: [&str; 40] = [
    "When people talk about {s}, {x} deserves an early place in the conversation.",
    "A useful way to approach {s} is to begin with {x}.",
    "For {a}, {x} is often where {s} becomes tangible.",
    "Little of this works without attention to {x}.",
    "It helps to write down what {x} should look like before any work starts.",
    "Good results rarely come from haste; they come from care for {x}.",
    "Ask who is responsible for {x}, and ask it before the work begins.",
    "Where {s} is new, {x} is a sensible place to start.",
    "The same question returns at every step: what does this mean for {x}?",
    "Nobody needs a perfect plan for {x}, but everybody benefits from a clear one.",
    "It is easier to improve {x} early than to repair it late.",
    "Small experiments show quickly whether {x} can carry the plan.",
    "Those who have worked with {s} before will recognise the weight of {x}.",
    "Set aside time for {x}; it pays back in fewer surprises.",
    "In practice, {x} and {s} are hard to separate.",
    "A short checklist for {x} keeps the discussion concrete.",
    "What matters to {a} is seldom the theory; it is {x}.",
    "Keep {x} in view, and the rest of {s} is easier to explain.",
    "Plain language about {x} builds trust faster than any slogan.",
    "Every decision about {s} leaves a trace in {x}.",
    "If one thing has to come first, let it be {x}.",
    "The link between {s} and {x} is easy to overlook.",
    "Teams that return to {x} regularly tend to notice problems sooner.",
    "It is reasonable to ask for evidence when somebody makes promises about {x}.",
    "Two people can look at {x} and see different things, so compare notes.",
    "With {x} settled, the remaining questions become smaller.",
    "There is no single right answer for {x}, only one that fits the situation.",
    "Progress on {x} is a good early sign.",
    "Start from what {a} already know about {x}.",
    "Write the goal for {x} in one sentence, and check it at the end.",
    "A second look at {x} is rarely wasted.",
    "Compare two or three options for {x} before choosing one.",
    "The costs of neglecting {x} tend to appear later, and elsewhere.",
    "Talk about {x} openly, including what is still unknown.",
    "The practical side of {s} begins with {x}.",
    "Once {x} is clear, {s} stops being abstract.",
    "Be specific about {x}: dates and limits help.",
    "Change one thing at a time, beginning with {x}.",
    "Above all, {x} should not become somebody else's problem.",
    "It is worth asking how {b} thinks about {x}.",
];

/// For posts and lines with little room.
const SHORT: [&str; 14] = [
    "Start with {x}.",
    "Do not forget {x}.",
    "Keep {x} simple.",
    "Make room for {x}.",
    "First of all, look at {x}.",
    "Give {x} an owner.",
    "Review {x} often.",
    "Mind {x}.",
    "Ask about {x} early.",
    "Be clear about {x}.",
    "Then comes {x}.",
    "Plan for {x}.",
    "Test {x} first.",
    "Take {x} seriously.",
];

const OPENINGS: [&str; 8] = [
    "{s} raises a practical question for {a}: where to begin, and what to leave out.",
    "Few subjects are discussed as often as {s}, and few are explained as plainly as they deserve.",
    "This text looks at {s} from the point of view of {a}.",
    "Behind {s} there is a simple idea, and it is worth spelling out.",
    "There is more to {s} than a first look suggests.",
    "Much has been said about {s}; what helps {a} is a clear order of things.",
    "Anyone who comes to {s} for the first time meets the same few questions.",
    "Interest in {s} is easy to find, and good answers are worth collecting in one place.",
];

/// Openings that ask, that hold a figure, that do both, and that speak to the reader.
const ASKING: [&str; 6] = [
    "What does {s} change for {a}?",
    "Where does {s} begin, and where does it end?",
    "Why is {s} put off so often?",
    "Who should look after {s}?",
    "What do you expect of {s}?",
    "How much do you know about {s}?",
];
const COUNTING: [&str; 5] = [
    "3 things decide how {s} turns out.",
    "5 questions come up whenever {s} is discussed.",
    "There are 3 ways to look at {s}.",
    "1 idea stands behind {s}, and it is worth spelling out.",
    "It takes 2 minutes to see what {s} means for {a}.",
];
const ASKING_AND_COUNTING: [&str; 3] = [
    "Which 3 things should {a} know about {s}?",
    "Can {s} be explained in 2 minutes?",
    "What are 5 good reasons for {s}?",
];
const ADDRESSING: [&str; 4] = [
    "You may have asked yourself what {s} is about.",
    "Your first look at {s} need not be your last.",
    "You do not have to know everything about {s}.",
    "What you hear of {s} is seldom the whole story.",
];

const CALLS: [&str; 11] = [
    "Get in touch with {b} today and ask what {s} can do for you!",
    "Contact {b} to talk about your next step with {s}.",
    "Ready to go on? Get in touch with {b}, and bring your questions.",
    "Learn more about {s}: get in touch with {b}.",
    "Book a first conversation with {b} and see where {s} fits in.",
    "Talk to {b} and find out where to start with {s}.",
    "Sign up for a first talk with {b} about {s}.",
    "Get in touch with {b}.",
    "Contact {b} today.",
    "Book a first visit to {b}.",
    "Talk to {b} about {s}.",
];

const QUESTIONS: [&str; 12] = [
    "What is your own experience with {s}?",
    "Where would you start with {s}?",
    "What has worked for you so far?",
    "Which part of {s} would you like to see explained?",
    "What would you change first?",
    "How does your team handle this?",
    "Which part of {s} is the hardest to explain?",
    "What would be the first thing to change?",
    "Who should decide about {s}?",
    "What is still missing here?",
    "Where does {s} work well already?",
    "What has been tried before?",
];

const ASPECTS: [&str; 36] = [
    "the first conversation",
    "everyday use",
    "the handover between people",
    "planning",
    "the budget",
    "the experience of the people concerned",
    "clear ownership",
    "the first week",
    "an honest expectation",
    "attention to detail",
    "training",
    "long-term upkeep",
    "a fair measure of success",
    "communication",
    "a steady pace",
    "the choice of tools",
    "privacy",
    "quality",
    "timing",
    "feedback",
    "the existing routine",
    "a shared vocabulary",
    "a simple check",
    "the next decision",
    "trust",
    "a realistic timetable",
    "accessibility",
    "the point of view of the newcomer",
    "support after the start",
    "the weekly review",
    "the written agreement",
    "openness about mistakes",
    "the order of steps",
    "a good example",
    "the final check",
    "the question of cost",
];

/// What the templates' marks stand for.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) subject: String,
    pub(super) audience: String,
    pub(super) business: String,
}

impl Names {
    pub(super) fn fill(&self, template: &str) -> String {
        let text = template.replace("{s}", &self.subject).replace("{a}", &self.audience);
        capitalised(&text.replace("{b}", &self.business))
    }

    /// With a long subject only now and then in full.
    fn fill_briefly(&self, template: &str, rng: &mut Rng) -> String {
        let long = self.subject.split(' ').count() > 2;
        match long && rng.random_bool(0.6) {
            true => self.fill(&template.replace("{s}", "the subject")),
            false => self.fill(template),
        }
    }
}

/// What kind of sentence is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    General,
    Short,
    Opening,
    Call,
    Question,
    AsWe,
    ToYou,
    Asking,
    Counting,
    AskingAndCounting,
    Addressing,
}

/// The writer's sentences in a random order. Every template comes once before any comes again, and
/// then with another aspect, so that they do not run out within any sensible text.
#[derive(Debug)]
pub(super) struct Phrases {
    general: Deck,
    habitual: Deck,
    short: Deck,
    openings: Deck,
    calls: Deck,
    questions: Deck,
    as_we: Deck,
    to_you: Deck,
    asking: Deck,
    counting: Deck,
    asking_and_counting: Deck,
    addressing: Deck,
}

impl Phrases {
    pub(super) fn shuffled(rng: &mut Rng) -> Self {
        let mut deck = |templates: &[&'static str]| Deck::shuffled(templates, rng);
        Self {
            general: deck(&GENERAL),
            habitual: deck(&HABITUAL),
            short: deck(&SHORT),
            openings: deck(&OPENINGS),
            calls: deck(&CALLS),
            questions: deck(&QUESTIONS),
            as_we: deck(&AS_WE),
            to_you: deck(&TO_YOU),
            asking: deck(&ASKING),
            counting: deck(&COUNTING),
            asking_and_counting: deck(&ASKING_AND_COUNTING),
            addressing: deck(&ADDRESSING),
        }
    }

    /// The next sentence of a kind that fits; now and then a habitual one among the general.
    pub(super) fn next(
        &mut self,
        kind: Kind,
        names: &Names,
        rng: &mut Rng,
        fits: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let deck = match kind {
            Kind::General if rng.random_bool(HABIT_RATE) => &mut self.habitual,
            Kind::General => &mut self.general,
            Kind::Short => &mut self.short,
            Kind::Opening => &mut self.openings,
            Kind::Call => &mut self.calls,
            Kind::Question => &mut self.questions,
            Kind::AsWe => &mut self.as_we,
            Kind::ToYou => &mut self.to_you,
            Kind::Asking => &mut self.asking,
            Kind::Counting => &mut self.counting,
            Kind::AskingAndCounting => &mut self.asking_and_counting,
            Kind::Addressing => &mut self.addressing,
        };
        let sentence = deck.next(names, rng, &fits).or_else(|| self.general.next(names, rng, &fits));
        sentence.or_else(|| self.short.next(names, rng, &fits))
    }
}

#[derive(Debug)]
struct Deck {
    templates: Vec<&'static str>,
    aspects: Vec<&'static str>,
    drawn: usize,
}

impl Deck {
    fn shuffled(templates: &[&'static str], rng: &mut Rng) -> Self {
        let (mut templates, mut aspects) = (templates.to_vec(), ASPECTS.to_vec());
        templates.shuffle(rng);
        aspects.shuffle(rng);
        Self { templates, aspects, drawn: 0 }
    }

    fn next(&mut self, names: &Names, rng: &mut Rng, fits: impl Fn(&str) -> bool) -> Option<String> {
        // Once round: whatever does not fit now is drawn again later, with another aspect.
        (0..self.templates.len()).find_map(|_| {
            let round = self.drawn / self.templates.len();
            let template = self.templates[self.drawn % self.templates.len()];
            let aspect = self.aspects[(self.drawn + round) % self.aspects.len()];
            self.drawn += 1;
            // Only these name an aspect; the others are about the subject, and must say which.
            let sentence = match template.contains("{x}") {
                true => names.fill_briefly(&template.replace("{x}", aspect), rng),
                false => names.fill(template),
            };
            fits(&sentence).then_some(sentence)
        })
    }
}

/// An aspect of the subject, for a plan's points.
pub(super) fn aspect(rng: &mut Rng) -> &'static str {
    ASPECTS[rng.random_range(0..ASPECTS.len())]
}

/// The text with a capital at its beginning.
pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::seed;

    #[test]
    fn sentences_do_not_run_out() {
        let names = Names { subject: "tides".into(), audience: "sailors".into(), business: "Acme".into() };
        let mut rng = seed::rng(1, &[]);
        let mut phrases = Phrases::shuffled(&mut rng);
        let mut used: HashSet<String> = HashSet::new();
        for n in 0..600 {
            let sentence = phrases.next(Kind::General, &names, &mut rng, |sentence| !used.contains(sentence));
            let sentence = sentence.unwrap_or_default();
            assert!(!sentence.is_empty() && !sentence.contains('{'), "{n}: {sentence}");
            used.insert(sentence);
        }
    }

    #[test]
    fn every_habit_is_in_a_sentence() {
        for habit in HABITS {
            assert!(HABITUAL.iter().any(|sentence| sentence.contains(habit)), "{habit}");
        }
    }
}
