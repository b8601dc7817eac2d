//! The formats' shapes, as checks: what is wrong with a text, in words that a writer can act on. Used
//! by the reviewer, and by the tests of the writer.

use crate::prompt::Format;

/// One of these tells a call to action.
const CALLS: [&str; 12] = [
    "get in touch",
    "contact",
    "talk to",
    "book",
    "sign up",
    "learn more",
    "visit",
    "write to",
    "join",
    "read more",
    "download",
    "subscribe",
];
const GREETINGS: [&str; 5] = ["hello", "hi", "dear", "good", "welcome"];

/// Words as people count them: no marks, no citations, no labels of Markdown.
pub(crate) fn words(text: &str) -> usize {
    let is_word = |token: &&str| !token.starts_with('[') && token.contains(char::is_alphanumeric);
    text.split_whitespace().filter(is_word).count()
}

/// What is wrong with the shape; empty where nothing is.
pub(crate) fn problems(format: Format, text: &str) -> Vec<String> {
    let mut check = Check { text, problems: Vec::new() };
    match format {
        Format::Blog => check.blog(),
        Format::LinkedIn => check.linkedin(),
        Format::Thread => check.thread(),
        Format::Newsletter => check.newsletter(),
        Format::Email => check.email(),
        Format::Product => check.product(),
        Format::Ad => check.ad(),
        Format::PressRelease => check.press_release(),
        Format::LandingPage => check.landing_page(),
        Format::CaseStudy => check.case_study(),
        Format::Faq => check.faq(),
        Format::VideoScript => check.video_script(),
    }
    check.problems
}

/// A `## ` section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section<'a> {
    pub(crate) heading: &'a str,
    pub(crate) body: &'a str,
}

/// The `## ` sections of a text, without what stands before the first.
pub(crate) fn sections(text: &str) -> Vec<Section<'_>> {
    let starts: Vec<usize> = heading_starts(text).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let section = |(start, end): (&usize, usize)| {
        let (heading, body) = text[start + 3..end].split_once('\n').unwrap_or((&text[start + 3..end], ""));
        Section { heading: heading.trim(), body: body.trim() }
    };
    starts.iter().zip(ends).map(section).collect()
}

fn heading_starts(text: &str) -> impl Iterator<Item = usize> {
    let first = text.starts_with("## ").then_some(0);
    first.into_iter().chain(text.match_indices("\n## ").map(|(at, _)| at + 1))
}

struct Check<'a> {
    text: &'a str,
    problems: Vec<String>,
}

impl<'a> Check<'a> {
    fn require(&mut self, holds: bool, problem: &str) {
        if !holds {
            self.problems.push(problem.to_owned());
        }
    }

    fn lines(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.text.lines().map(str::trim).filter(|line| !line.is_empty())
    }

    /// The `# ` title, and something between it and the first section.
    fn title_and_opening(&mut self, opening: &str) {
        self.require(self.text.starts_with("# "), "The text must begin with a `# ` title.");
        let before = heading_starts(self.text).next().unwrap_or(self.text.len());
        let after_title = self.text[..before].split_once('\n').map_or("", |(_, rest)| rest.trim());
        self.require(!after_title.is_empty(), opening);
    }

    fn min_sections(&mut self, min: usize) {
        let sections = sections(self.text);
        self.require(sections.len() >= min, &format!("The text needs at least {min} `## ` sections."));
        for section in sections.iter().filter(|section| section.body.is_empty()) {
            self.problems.push(format!("The section \"{}\" is empty.", section.heading));
        }
    }

    fn last_section_calls(&mut self) {
        let calls = sections(self.text).last().is_some_and(|last| is_call(last.body));
        self.require(calls, "The last section needs a call to action.");
    }

    fn no_headings(&mut self) {
        self.require(
            !self.lines().any(|line| line.starts_with('#') && line.contains("# ")),
            "Headings do not belong here.",
        );
    }

    fn blog(&mut self) {
        self.title_and_opening("An introduction must follow the title.");
        self.min_sections(3);
        self.last_section_calls();
    }

    fn linkedin(&mut self) {
        self.no_headings();
        self.require(self.text.chars().count() <= 3_000, "The post may have at most 3,000 characters.");
        let lines: Vec<_> = self.lines().collect();
        let [.., question, tags] = lines.as_slice() else {
            return self.require(false, "The post needs a hook, paragraphs, a question and hashtags.");
        };
        let is_tag = |tag: &str| tag.len() > 1 && tag.starts_with('#');
        let count = tags.split_whitespace().count();
        let tagged = tags.split_whitespace().all(is_tag) && (3..=5).contains(&count);
        self.require(tagged, "The last line must be 3 to 5 #hashtags.");
        self.require(question.ends_with('?'), "A question must stand before the hashtags.");
        self.require(lines.len() >= 4, "The post needs a hook line and short paragraphs.");
    }

    fn thread(&mut self) {
        let posts: Vec<_> = self.text.split("\n\n").collect();
        self.require((5..=12).contains(&posts.len()), "The thread must have 5 to 12 posts, split by blank lines.");
        for (i, post) in posts.iter().enumerate() {
            let n = i + 1;
            self.require(post.starts_with(&format!("{n}/ ")), &format!("Post {n} must begin with `{n}/ `."));
            self.require(post.chars().count() <= 280, &format!("Post {n} is longer than 280 characters."));
        }
    }

    fn newsletter(&mut self) {
        self.title_and_opening("A greeting must follow the title.");
        self.require(self.lines().nth(1).is_some_and(is_greeting), "A greeting line must follow the title.");
        self.min_sections(2);
        self.signed_off();
    }

    /// A short closing line, then a name.
    fn signed_off(&mut self) {
        let last: Vec<_> = self.lines().collect();
        let signed = matches!(last.as_slice(), [.., closing, name] if closing.ends_with(',') && words(name) <= 12);
        self.require(signed, "The text must end with a sign-off.");
    }

    fn labelled(&mut self, line: Option<&str>, label: &str, max_chars: usize) {
        let value = line.and_then(|line| line.strip_prefix(label));
        self.require(value.is_some_and(|value| !value.trim().is_empty()), &format!("A line `{label}…` is missing."));
        let fits = value.is_none_or(|value| value.chars().count() <= max_chars);
        self.require(fits, &format!("`{label}…` may have at most {max_chars} characters."));
    }

    fn email(&mut self) {
        self.no_headings();
        let lines: Vec<_> = self.lines().collect();
        self.labelled(lines.first().copied(), "Subject: ", 60);
        self.labelled(lines.get(1).copied(), "Preheader: ", 100);
        self.require(lines.get(2).is_some_and(|line| is_greeting(line)), "A greeting must follow the preheader.");
        let body = lines.get(3..lines.len().saturating_sub(2)).unwrap_or_default();
        self.require(body.len() >= 2, "A body must follow the greeting.");
        self.require(body.iter().any(|line| words(line) <= 25 && is_call(line)), "One line must be a call to action.");
        self.signed_off();
    }

    fn product(&mut self) {
        self.title_and_opening("A tagline must follow the name.");
        let features = self.section("Features");
        self.require(features.is_some_and(has_bullets), "`## Features` with `- ` bullets is missing.");
        self.require(self.section("Who it is for").is_some(), "`## Who it is for` is missing.");
    }

    fn section(&self, heading: &str) -> Option<&'a str> {
        let body =
            sections(self.text).into_iter().find(|section| section.heading == heading).map(|section| section.body);
        // A release's end mark is no section's text.
        body.map(|body| body.trim_end_matches("###").trim_end()).filter(|body| !body.is_empty())
    }

    fn ad(&mut self) {
        let variants = sections(self.text);
        self.require(variants.len() == 3, "There must be three variants.");
        for (i, variant) in variants.iter().enumerate() {
            let heading = format!("Variant {}", i + 1);
            self.require(variant.heading == heading, &format!("`## {heading}` is missing."));
            let line = |label: &str| variant.body.lines().find(|line| line.starts_with(label));
            self.labelled(line("Headline: "), "Headline: ", 40);
            self.labelled(line("Body: "), "Body: ", 125);
            self.labelled(line("Call to action: "), "Call to action: ", 25);
        }
    }

    fn press_release(&mut self) {
        let lines: Vec<_> = self.lines().collect();
        self.require(lines.first() == Some(&"FOR IMMEDIATE RELEASE"), "The first line must be FOR IMMEDIATE RELEASE.");
        self.require(lines.get(1).is_some_and(|line| line.starts_with("# ")), "A `# ` headline must follow.");
        self.require(
            lines.get(2).is_some_and(|line| is_dateline(line)),
            "The first paragraph needs a dateline: CITY, Month D, YYYY — …",
        );
        self.require(self.text.contains(['“', '"']), "The release needs a quote.");
        let about =
            sections(self.text).iter().any(|section| section.heading.starts_with("About ") && !section.body.is_empty());
        self.require(about, "`## About …` is missing.");
        self.require(self.section("Media contact").is_some(), "`## Media contact` is missing.");
        self.require(lines.last() == Some(&"###"), "The last line must be ###.");
    }

    fn landing_page(&mut self) {
        self.title_and_opening("A subheadline must follow the hero.");
        self.min_sections(3);
        let bullets = sections(self.text).first().is_some_and(|section| has_bullets(section.body));
        self.require(bullets, "The benefits need `- ` bullets.");
        self.last_section_calls();
    }

    fn case_study(&mut self) {
        self.require(self.text.starts_with("# "), "The text must begin with a `# ` title.");
        for heading in ["Challenge", "Solution", "Results"] {
            self.require(self.section(heading).is_some(), &format!("`## {heading}` is missing."));
        }
        let quotes = self.lines().filter(|line| line.starts_with("> ")).count();
        self.require(quotes == 1, "There must be one `> ` quote.");
    }

    fn faq(&mut self) {
        self.require(self.text.starts_with("# "), "The text must begin with a `# ` title.");
        self.min_sections(5);
        for section in sections(self.text).iter().filter(|section| !section.heading.ends_with('?')) {
            self.problems.push(format!("\"{}\" must be a question.", section.heading));
        }
    }

    fn video_script(&mut self) {
        self.require(self.text.starts_with("# "), "The text must begin with a `# ` title.");
        self.min_sections(3);
        for (i, scene) in sections(self.text).iter().enumerate() {
            let timed =
                scene.heading.strip_prefix(&format!("Scene {} (", i + 1)).and_then(|rest| rest.strip_suffix(')'));
            let timed = timed.and_then(|range| range.split_once('–')).is_some_and(|(a, b)| is_time(a) && is_time(b));
            self.require(timed, &format!("Scene {} needs a heading `Scene {} (m:ss–m:ss)`.", i + 1, i + 1));
            for label in ["VISUAL: ", "NARRATION: "] {
                let line = scene.body.lines().any(|line| line.strip_prefix(label).is_some_and(|rest| !rest.is_empty()));
                self.require(line, &format!("Scene {} needs a line `{label}…`.", i + 1));
            }
        }
    }
}

/// Whether a text calls its reader to do something.
pub(crate) fn is_call(text: &str) -> bool {
    let lower = text.to_lowercase();
    CALLS.iter().any(|call| lower.contains(call))
}

fn is_greeting(line: &str) -> bool {
    let first = line.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default().to_lowercase();
    GREETINGS.contains(&first.as_str()) && words(line) <= 8
}

fn has_bullets(body: &str) -> bool {
    body.lines().filter(|line| line.starts_with("- ")).count() >= 2
}

/// `LONDON, March 3, 2026 — …`
pub(crate) fn is_dateline(line: &str) -> bool {
    let Some((place_and_date, text)) = line.split_once(" — ") else { return false };
    let parts: Vec<_> = place_and_date.split(", ").collect();
    let [city @ .., _month_and_day, year] = parts.as_slice() else { return false };
    let upper = !city.is_empty() && city.iter().all(|part| part.to_uppercase() == **part);
    let date = place_and_date.split_once(", ").map_or("", |(_, date)| date);
    let dated = chrono::NaiveDate::parse_from_str(date, "%B %-d, %Y").is_ok();
    upper && dated && year.len() == 4 && !text.trim().is_empty()
}

/// `m:ss`
fn is_time(text: &str) -> bool {
    let parts = text.split_once(':');
    parts.is_some_and(|(minutes, seconds)| {
        minutes.parse::<u32>().is_ok() && seconds.len() == 2 && seconds.parse::<u32>().is_ok_and(|s| s < 60)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_shape(format: Format, good: &str, spoilt: &[(&str, &str)]) {
        assert_eq!(problems(format, good), Vec::<String>::new(), "{good}");
        for (from, to) in spoilt {
            let bad = good.replace(from, to);
            assert_ne!(bad, good, "{from:?} is not in the text");
            assert!(!problems(format, &bad).is_empty(), "{format:?} passes with {from:?} as {to:?}");
        }
    }

    #[test]
    fn long_shapes() {
        assert_shape(
            Format::Blog,
            "# T\n\nIntro.\n\n## A\n\na\n\n## B\n\nb\n\n## C\n\nGet in touch.",
            &[("# T", "T"), ("Intro.", ""), ("\n\n## B\n\nb", ""), ("Get in touch", "Nothing"), ("\na\n", "\n")],
        );
        assert_shape(
            Format::Newsletter,
            "# T\n\nHello,\n\n## A\n\na\n\n## B\n\nb\n\nUntil next time,\nAcme",
            &[("Hello,", "Once upon a time there was"), ("## B", "B"), ("Until next time,\nAcme", "bye")],
        );
        assert_shape(
            Format::Product,
            "# Name\n\nTagline.\n\n## Features\n\n- a\n- b\n\n## Who it is for\n\nAll.",
            &[("Tagline.", ""), ("- ", ""), ("## Who it is for", "## Whom")],
        );
        assert_shape(
            Format::LandingPage,
            "# Hero\n\nSub.\n\n## Why\n\n- a\n- b\n\n## Proof\n\np\n\n## Next\n\nContact us.",
            &[("Sub.", ""), ("- ", ""), ("\n\n## Proof\n\np", ""), ("Contact us", "Bye")],
        );
        assert_shape(
            Format::CaseStudy,
            "# T\n\n## Challenge\n\na\n\n## Solution\n\nb\n\n> q\n\n## Results\n\nc",
            &[("> q", "q"), ("## Results", "## Outcome"), ("\nb\n\n> q\n", "\nb\n\n> q\n\n> r\n")],
        );
        assert_shape(
            Format::Faq,
            "# T\n\n## A?\n\na\n\n## B?\n\nb\n\n## C?\n\nc\n\n## D?\n\nd\n\n## E?\n\ne",
            &[("## E?\n\ne", ""), ("A?", "A")],
        );
        assert_shape(
            Format::VideoScript,
            "# T\n\n## Scene 1 (0:00–0:10)\n\nVISUAL: v\nNARRATION: n\n\n## Scene 2 (0:10–0:20)\n\nVISUAL: v\nNARRATION: n\n\n## Scene 3 (0:20–1:05)\n\nVISUAL: v\nNARRATION: n",
            &[
                ("Scene 2", "Scene 4"),
                ("1:05", "1:65"),
                ("0:20–", "0:20-"),
                ("VISUAL: ", "PICTURE: "),
                ("NARRATION: n", ""),
            ],
        );
        assert_shape(
            Format::PressRelease,
            "FOR IMMEDIATE RELEASE\n\n# H\n\nLONDON, March 3, 2026 — Text.\n\n“Quote,” said one.\n\n## About Acme\n\na\n\n## Media contact\n\nm\n\n###",
            &[
                ("FOR IMM", "For imm"),
                ("March 3", "3 March"),
                ("LONDON", "London"),
                (" — ", " "),
                ("“Quote,” said one.", ""),
                ("## About", "## On"),
                ("\n\nm\n\n###", "\n\n###"),
                ("\n\n###", ""),
            ],
        );
    }

    #[test]
    fn short_shapes() {
        assert_shape(
            Format::LinkedIn,
            "Hook.\n\nA paragraph.\n\nWhat do you think?\n\n#One #Two #Three",
            &[
                ("#One #Two #Three", "#One #Two"),
                ("?", "."),
                ("A paragraph.\n\n", ""),
                ("Hook.", "# Hook"),
                ("A paragraph.", &"x".repeat(3_000)),
            ],
        );
        assert_shape(
            Format::Thread,
            "1/ a\n\n2/ b\n\n3/ c\n\n4/ d\n\n5/ e",
            &[("\n\n5/ e", ""), ("3/ ", "3. "), ("a", &"a".repeat(278))],
        );
        assert_shape(
            Format::Email,
            "Subject: S\nPreheader: P\n\nHello,\n\nBody.\n\nContact us.\n\nBest regards,\nAcme",
            &[
                ("Subject: S", "S"),
                ("Subject: S", &format!("Subject: {}", "s".repeat(61))),
                ("Preheader: P\n", ""),
                ("Hello,\n\n", ""),
                ("Contact us.", "Bye."),
                ("Best regards,\n", ""),
            ],
        );
        let variant = |n| format!("## Variant {n}\n\nHeadline: H\nBody: B\nCall to action: C\n\n");
        assert_shape(
            Format::Ad,
            &(1..=3).map(variant).collect::<String>(),
            &[
                ("Variant 2", "Variant two"),
                ("Headline: H", "Headline: a headline that is longer than forty characters"),
                ("Body: B\n", ""),
                ("action: C", "action: this is far too long for it"),
            ],
        );
    }

    #[test]
    fn citations_and_marks_are_no_words() {
        assert_eq!(words("## Two words\n\n- and three more [12]."), 5);
    }
}
