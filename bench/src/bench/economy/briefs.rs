//! What is asked for: topics of many businesses, and ten businesses with documents to write from. Made
//! from lists and a seed, so that every run and every build is asked for the same.

use std::fmt::Write as _;

use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

type Rng = rand::rngs::Xoshiro256PlusPlus;

const SEED: u64 = 13;
/// Businesses that the texts are spread over.
const BUSINESSES: usize = 10;

/// What texts are asked for about.
pub(crate) const SUBJECTS: [&str; 20] = [
    "Electronic referrals",
    "Seasonal menus",
    "Heat pumps in old houses",
    "A second pair of glasses",
    "Invoices that are paid on time",
    "Soil tests",
    "Night trains",
    "Repairing a bicycle",
    "Bread without yeast",
    "Insurance for freelancers",
    "Quiet offices",
    "Rainwater tanks",
    "Learning to swim late",
    "Roof gardens",
    "Used electric cars",
    "Allergies in spring",
    "Moving with children",
    "Warehouse robots",
    "Local cheese",
    "Backing up photographs",
];
const ANGLES: [&str; 5] =
    ["what they cost", "the first month", "five common mistakes", "what to ask before", "how to choose"];

/// Requests for texts of mixed businesses and topics, with default settings: no two alike.
pub(super) fn requests(texts: usize) -> Vec<Value> {
    let request = |text: usize| {
        json!({
            "business_id": format!("business-{}", text % BUSINESSES),
            "topic": topic(text),
            "format": "blog",
        })
    };
    (0..texts).map(request).collect()
}

/// The n-th topic.
pub(super) fn topic(text: usize) -> String {
    let (subject, angle) = (SUBJECTS[text % SUBJECTS.len()], ANGLES[text / SUBJECTS.len() % ANGLES.len()]);
    let edition = text / (SUBJECTS.len() * ANGLES.len());
    if edition == 0 { format!("{subject}: {angle}") } else { format!("{subject}: {angle}, part {}", edition + 1) }
}

/// A business with documents, and what it wants a text about.
#[derive(Debug, Clone)]
pub(super) struct Brief {
    pub(super) business: String,
    pub(super) profile: Value,
    /// Titles and texts.
    pub(super) documents: Vec<(String, String)>,
    pub(super) topic: String,
}

/// A trade: who it is for, what it offers, and what can be measured of it.
struct Trade {
    name: &'static str,
    what: &'static str,
    whom: &'static str,
    offers: [&'static str; 5],
}

const TRADES: [Trade; 10] = [
    Trade {
        name: "Harbour Dental",
        what: "dental practices on the coast",
        whom: "families",
        offers: ["check-ups", "root treatments", "implants", "braces", "emergency visits"],
    },
    Trade {
        name: "Lindenhof Bakery",
        what: "bakeries with their own mill",
        whom: "neighbours",
        offers: ["rye bread", "wedding cakes", "baking classes", "breakfast boxes", "gluten-free rolls"],
    },
    Trade {
        name: "Northlight Optics",
        what: "opticians in four towns",
        whom: "people who read a lot",
        offers: ["eye tests", "varifocal lenses", "contact lenses", "screen glasses", "frame repairs"],
    },
    Trade {
        name: "Gray & Daughter Roofing",
        what: "a roofing firm of two generations",
        whom: "house owners",
        offers: ["roof surveys", "slate repairs", "green roofs", "solar mounts", "gutter care"],
    },
    Trade {
        name: "Pedalworks",
        what: "workshops for bicycles",
        whom: "commuters",
        offers: ["safety checks", "brake services", "battery diagnoses", "wheel building", "cargo bike hire"],
    },
    Trade {
        name: "Clearwater Pools",
        what: "swimming schools",
        whom: "adults and children",
        offers: ["beginner courses", "stroke clinics", "baby swimming", "lifeguard training", "water fitness"],
    },
    Trade {
        name: "Fernwood Accounting",
        what: "accountants for small firms",
        whom: "freelancers",
        offers: ["tax returns", "payroll runs", "cash forecasts", "company formations", "audit support"],
    },
    Trade {
        name: "Greenlane Gardens",
        what: "gardeners and landscape planners",
        whom: "schools and owners of small gardens",
        offers: ["soil tests", "hedge care", "rain gardens", "tree surveys", "planting plans"],
    },
    Trade {
        name: "Quayside Movers",
        what: "a removal company",
        whom: "households",
        offers: ["packing services", "piano transports", "storage rooms", "office moves", "house clearances"],
    },
    Trade {
        name: "Brightside Energy Advice",
        what: "advisers for heating and insulation",
        whom: "tenants and owners",
        offers: ["heat loss surveys", "heat pump plans", "loft insulation", "grant applications", "smart thermostats"],
    },
];

/// Ten businesses, each with six documents.
pub(super) fn briefs() -> Vec<Brief> {
    let mut rng = Rng::seed_from_u64(SEED);
    TRADES.iter().enumerate().map(|(number, trade)| trade.brief(number, &mut rng)).collect()
}

impl Trade {
    fn brief(&self, number: usize, rng: &mut Rng) -> Brief {
        let mut documents = vec![
            (format!("About {}", self.name), self.about(rng)),
            ("Voice and style".to_owned(), self.voice()),
            ("Prices and appointments".to_owned(), self.prices(rng)),
        ];
        documents.extend(self.offers.iter().take(3).map(|offer| (format!("Guide: {offer}"), self.guide(offer, rng))));
        Brief {
            business: format!("brief-{number}"),
            profile: json!({
                "name": self.name,
                "description": format!("{} runs {} for {}, and publishes its prices.", self.name, self.what, self.whom),
                "voice": "plain words, short sentences, figures with their year, no hype",
                "audience": self.whom,
                "banned_phrases": ["game-changer", "unlock", "one-stop shop"],
            }),
            documents,
            topic: format!("What {} cost and how to prepare for them", self.offers[number % 3]),
        }
    }

    fn about(&self, rng: &mut Rng) -> String {
        let (year, people) = (rng.random_range(1960..2015), rng.random_range(9..80));
        let mut text = format!(
            "# About {}\n\n{} runs {} for {}. It was founded in {year} and has {people} employees. \
             Its owners still work in the firm and answer letters themselves.\n\n## What we do\n\n",
            self.name, self.name, self.what, self.whom
        );
        for offer in self.offers {
            let (count, share) = (rng.random_range(200..9_000), rng.random_range(60..99));
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "In 2025 we did {count} {offer}. Of the customers who answered our survey {share}% would come again for {offer}.\n"
            );
        }
        text
    }

    fn voice(&self) -> String {
        format!(
            "# Voice and style\n\nWe write to {} as to a neighbour. We say what to do next in the first paragraph. \
             We name a price with what it depends on, and we never promise a result.\n\n\
             ## Words\n\nWe say \"you\" and \"we\". We write short sentences. We give figures with their year. \
             We leave out \"game-changer\", \"unlock\" and every other word that only sounds big.\n\n\
             ## Shape\n\nA heading says what the section says. A list has items of one kind. The last sentence names \
             one step that a reader can take today.\n",
            self.whom
        )
    }

    fn prices(&self, rng: &mut Rng) -> String {
        let mut text =
            "# Prices and appointments\n\nAll prices include tax and hold until the end of 2026.\n".to_owned();
        for offer in self.offers {
            let (low, minutes, days) =
                (rng.random_range(30..400), rng.random_range(2..12) * 15, rng.random_range(2..20));
            let _ = writeln!(
                text,
                "\n## {offer}\n\nFor {offer} we charge from £{low} to £{}, depending on size and material. \
                 One appointment for {offer} takes {minutes} minutes. The median wait for {offer} was {days} working days in 2025.",
                low * 2
            );
        }
        text
    }

    fn guide(&self, offer: &str, rng: &mut Rng) -> String {
        let mut text = format!(
            "# Guide: {offer}\n\nThis guide tells {} how to prepare for {offer}, what happens, and what comes after.\n",
            self.whom
        );
        let steps = [
            ("Before", "bring the papers of the last visit and a list of questions"),
            ("What happens", "one person stays with you from the first minute to the last"),
            ("What it depends on", "age, size and earlier work change the price more than the brand does"),
            ("Afterwards", "you get a written summary and a number to call on the next working day"),
            ("When to ask somebody else", "we say so at once where another firm can do it better"),
        ];
        for (heading, sentence) in steps {
            let (share, hours) = (rng.random_range(40..98), rng.random_range(1..9));
            let _ = writeln!(
                text,
                "\n## {heading}\n\nFor {offer}, {sentence}. In 2025 this held for {share}% of our {offer}. \
                 Plan {hours} hours for {offer} if you come for the first time. Whoever prepared for {offer} with our \
                 checklist needed {} minutes less than others. Costs for {offer} that were not agreed before are ours.",
                rng.random_range(5..55)
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_requests_are_alike() {
        let topics: HashSet<_> = (0..300).map(topic).collect();
        assert_eq!(topics.len(), 300);
        let businesses: HashSet<_> =
            requests(40).iter().map(|body| body["business_id"].as_str().unwrap_or_default().to_owned()).collect();
        assert_eq!(businesses.len(), BUSINESSES);
    }

    #[test]
    fn every_run_has_the_same_briefs_each_with_documents() {
        let (briefs, again) = (briefs(), briefs());
        assert_eq!(briefs.len(), 10);
        for (brief, same) in briefs.iter().zip(again) {
            assert_eq!((brief.documents.len(), &brief.documents), (6, &same.documents));
            assert!(brief.documents.iter().map(|(_, text)| text.len()).sum::<usize>() > 5_000);
        }
    }
}
