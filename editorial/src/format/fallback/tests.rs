//! Texts that no model writes: what is taken from the documents, and what not.

use super::*;
use crate::format::Spec;
use crate::format::tests::RULES;
use crate::text::clip::one_line;
use copydesk_domain::format::Format;

const PASSAGE: &str = "# Scans

Every scan is read twice, once by a model
and once by a radiologist.

- **Results** arrive within two hours of the visit.
- A bullet without a full stop that is long enough
- The [second](https://a.example) reading costs nothing extra.

| a | table that is no sentence. |

Patients see their results in the portal. Yes. A fifth sentence that is long enough.";

const ACME: Business<'_> = Business { name: "Acme Clinics", description: "", others: &[] };

fn passage(n: u16, text: &str) -> Passage<'_> {
    Passage { n, title: "Scans", text, is_about_others: false }
}

fn told(passages: &[Passage<'_>], business: Business<'_>, topic: &str) -> Vec<String> {
    facts(passages.iter().copied(), business, topic).into_iter().map(|fact| fact.text).collect()
}

fn material(topic: &str, passages: &[&str]) -> Material<'static> {
    Material {
        business: "Acme Clinics".into(),
        title: one_line(topic, 80),
        audience: None,
        facts: facts((1..).zip(passages).map(|(n, text)| passage(n, text)), ACME, topic),
        today: DateTime::UNIX_EPOCH,
    }
}

#[test]
fn every_format_composes_a_text_in_its_own_shape() {
    let long_topic = "an endless topic, ".repeat(27);
    let odd_topic = "# <b>AI</b>\n> in \"healthcare\"\u{0}?";
    for topic in ["AI in healthcare", &long_topic, odd_topic] {
        for passages in [&[][..], &[PASSAGE], &[PASSAGE; 5], &["No sentence here"]] {
            for &format in Format::ALL {
                let text = Spec::of(format).compose(&material(topic, passages));
                // The length is the material's, and an odd topic may look like anything.
                let excused = ["length", "language", "keywords"];
                let checks = Spec::of(format).check(&text, &RULES).into_iter();
                let failed: Vec<_> =
                    checks.filter(|check| !check.passed && !excused.contains(&check.name.as_str())).collect();
                assert!(failed.is_empty(), "{format}: {failed:?}\n{text}");
            }
        }
    }
}

#[test]
fn composed_texts_cite_what_they_take_over() {
    for &format in Format::ALL {
        let text = Spec::of(format).compose(&material("AI in healthcare", &[PASSAGE]));
        assert!(text.contains("[1]"), "{format}: {text}");
    }
}

#[test]
fn nothing_of_competitors_rules_or_fragments_is_a_fact() {
    let rules = "Use the 3rd person, and never we, in press releases. We do not write \"suffer\" in texts for patients. \
            Avoid long words where short ones will do. the second half of a sentence that was cut. It leans on what stood \
            before it here. Prices of partners must not be named by anybody. Acme Clinics reads every scan twice.";
    let found = facts([passage(1, rules)], ACME, "Scans");
    assert_eq!(
        found.iter().map(|fact| fact.text.as_str()).collect::<Vec<_>>(),
        ["Acme Clinics reads every scan twice."]
    );
    let others = "Livegrep is maintained by a Stripe developer in spare time. Acme Clinics supports every code host. \
            We index a million repositories each day.";
    let others = Passage { is_about_others: true, ..passage(1, others) };
    let found = facts([others], ACME, "Scans");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].text.starts_with("Acme Clinics supports"), "{found:?}");
}

#[test]
fn what_is_not_about_the_topic_labels_and_near_repetitions_stay_out() {
    let text = "Agencies buy software in small steps with us. Agencies can buy software in small steps with us. \
            Conclusion: agencies did not buy as there was no guidance. Fix (16256): Add a panel for agencies. \
            Include a period at the end of each bullet of a list. Contracts of software are short with us.";
    let told = |topic: &str| told(&[passage(1, text)], ACME, topic);
    let (first, last) = ("Agencies buy software in small steps with us.", "Contracts of software are short with us.");
    assert_eq!(told("How agencies can buy software"), [first, last]);
    let all = told("Software");
    assert_eq!(all, [first, last], "nor is an order on wording, where the topic is too short to tell anything");
    assert_eq!(told("Where the ferries of the harbour go"), all, "nothing is about it");
}

#[test]
fn questions_plans_navigation_and_cut_quotations_are_no_facts() {
    let text = "How does a scan help you with your back? In the future, scans will be read at home too. We plan to read \
            scans at night. Read more about our scans in town. You can book a scan of your back here. Published in March \
            with a photograph of a scan. Scans – a better way to look at your back. I need a scan that is quick to read. \
            \"A scan told me more than ten visits did. \"It was read in an hour,\" says a patient of the scans.";
    assert_eq!(told(&[passage(1, text)], ACME, "Scans"), Vec::<String>::new());
    let planned = Passage { title: "Scans › Roadmap", ..passage(1, "Scans are read by the model alone at night.") };
    let now = passage(2, "Scans are read twice by people in our clinics.");
    assert_eq!(told(&[planned, now], ACME, "Scans by a model"), [now.text], "what is not there yet");
    assert_eq!(told(&[planned], ACME, "Scans by a model"), [planned.text], "better than none");
}

#[test]
fn what_leans_on_a_sentence_follows_it_or_stays_out() {
    let text = "Every scan is read twice by people. It takes an hour. Its price is in the list.\n\nIt costs 60 euros.\n\n\
            Small clinics use it for their patients. Doctors in town send it to us every week.";
    let expected = ["Every scan is read twice by people. It takes an hour. Its price is in the list."];
    assert_eq!(told(&[passage(1, text)], ACME, "Scans"), expected);
}

#[test]
fn a_text_begins_with_its_business_and_falls_back_on_what_that_says_of_itself() {
    let scans =
        passage(1, "A scan of a back takes twenty minutes in town. Patients get the pictures of a scan at once.");
    let described = Business { description: "Acme Clinics reads scans for doctors in three towns.", ..ACME };
    let told_of = |topic: &str| told(&[scans], described, topic);
    let about = described.description;
    assert_eq!(
        told_of("A scan of your back"),
        [about, "A scan of a back takes twenty minutes in town.", "Patients get the pictures of a scan at once."]
    );
    assert_eq!(told_of("How ferries cross the harbour in winter"), [about], "nothing of the passages is about it");
    let text = Spec::of(Format::Email).compose(&Material {
        facts: facts([scans], described, "Ferries of the harbour"),
        ..material("Ferries of the harbour", &[])
    });
    assert!(text.contains(about) && !text.contains('['), "{text}");
}

#[test]
fn other_companies_do_not_act_in_a_text() {
    let text = "Hound, in its effort to grow, is improving its scans. Scans are faster with us than with Hound.";
    let others = ["Hound vs. Acme Clinics".to_owned(), "Our competitors".to_owned()];
    assert_eq!(
        told(&[passage(1, text)], Business { others: &others, ..ACME }, "Scans"),
        ["Scans are faster with us than with Hound."]
    );
}

#[test]
fn passages_stand_together_and_those_on_the_topic_come_first() {
    let loom = Passage {
        title: "Looms › The frame",
        ..passage(1, "The frame folds in a minute for small flats. Ash from the hills is used for each frame.")
    };
    let course = Passage {
        title: "Looms › Courses",
        ..passage(2, "A course takes place on each first weekend. Four people share a room and a teacher.")
    };
    let told = told(&[loom, course], ACME, "A course on your weekend");
    assert_eq!(told[..2], ["A course takes place on each first weekend.", "Four people share a room and a teacher."]);
    assert_eq!(told.len(), 4, "{told:?}");
}

#[test]
fn facts_are_whole_sentences_each_once() {
    let facts = facts([passage(1, PASSAGE), passage(2, PASSAGE)], ACME, "Scans");
    let texts: Vec<_> = facts.iter().map(|fact| fact.text.as_str()).collect();
    assert_eq!(texts[0], "Every scan is read twice, once by a model and once by a radiologist.");
    assert_eq!(texts[1], "Results arrive within two hours of the visit.");
    assert_eq!(texts[2], "The second reading costs nothing extra.");
    assert_eq!(texts[3], "Patients see their results in the portal.");
    assert_eq!(facts.len(), 4, "{texts:?}");
    assert!(facts.iter().all(|fact| fact.n == Some(1)));
    assert_eq!(facts[1].cited(), "Results arrive within two hours of the visit [1].");
}
