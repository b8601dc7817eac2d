//! The writer's own sentences: about the topic in general, without facts, figures or names that it
//! could not know. Templates with `{s}` subject, `{x}` an aspect of it, `{a}` the audience, `{b}` the business.

use rand::RngExt;
use rand::seq::SliceRandom;

use crate::seed::Rng;

/// Words that the writer falls into unless it is told otherwise: what reviewers like to complain of.
pub const HABITS: [&str; 8] = ["leverage", "seamless", "robust", "landscape", "journey", "unlock", "empower", "delve"];

/// Each holds one of the habits, some an exclamation mark.
const HABITUAL: [&str; 10] = [
    "Teams can leverage {x} to get more out of {s}.",
    "A seamless approach to {x} makes {s} easier to live with.",
    "A robust plan for {x} is worth the time that it takes.",
    "In a changing landscape, {x} cannot be left to chance.",
    "The journey towards {s} begins with {x}.",
    "Care for {x} can unlock the value of {s}!",
    "Attention to {x} can empower {a} to make better choices!",
    "It pays to delve into {x} before moving on.",
    "There is a lot to gain from {x}!",
    "Nothing is as rewarding as progress on {x}!",
];
const HABIT_RATE: f64 = 0.3;

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

const CALLS: [&str; 7] = [
    "Get in touch with {b} today and ask what {s} can do for you!",
    "Contact {b} to talk about your next step with {s}.",
    "Ready to go on? Get in touch with {b}, and bring your questions.",
    "Learn more about {s}: get in touch with {b}.",
    "Book a first conversation with {b} and see where {s} fits in.",
    "Talk to {b} and find out where to start with {s}.",
    "Sign up for a first talk with {b} about {s}.",
];

const QUESTIONS: [&str; 6] = [
    "What is your own experience with {s}?",
    "Where would you start with {s}?",
    "What has worked for you so far?",
    "Which part of {s} would you like to see explained?",
    "What would you change first?",
    "How does your team handle this?",
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
        };
        deck.next(names, rng, &fits).or_else(|| self.general.next(names, rng, &fits))
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
