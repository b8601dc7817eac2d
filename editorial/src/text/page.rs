//! Splits a text for the formats' checks: lines, paragraphs, and sections under headings. It uses a
//! few rules for lines instead of a Markdown parser: the checks need exact lines.

/// A text, split up.
#[derive(Debug)]
pub struct Page<'a> {
    /// The lines, without trailing spaces.
    pub lines: Vec<&'a str>,
    /// The part before the first heading, and then one section for each heading.
    pub sections: Vec<Section<'a>>,
}

/// A heading and the text under it, up to the next heading.
#[derive(Debug, Default, Clone)]
pub struct Section<'a> {
    /// The heading's number of `#`; 0 for the part before the first heading.
    pub level: usize,
    /// The heading.
    pub heading: &'a str,
    /// The lines under it that are not empty.
    pub lines: Vec<&'a str>,
}

impl<'a> Page<'a> {
    /// Splits a text.
    pub fn read(text: &'a str) -> Self {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let mut sections = vec![Section::default()];
        let mut in_code = false;
        for &line in &lines {
            in_code ^= line.starts_with("```");
            match heading(line).filter(|_| !in_code) {
                Some((level, heading)) => sections.push(Section { level, heading, lines: Vec::new() }),
                None if line.is_empty() => {}
                None => {
                    if let Some(section) = sections.last_mut() {
                        section.lines.push(line);
                    }
                }
            }
        }
        Self { lines, sections }
    }

    /// The lines that are not empty.
    pub fn written(&self) -> impl DoubleEndedIterator<Item = &'a str> {
        self.lines.iter().copied().filter(|line| !line.is_empty())
    }

    /// The first line that is not empty, or `""`.
    pub fn first(&self) -> &'a str {
        self.written().next().unwrap_or_default()
    }

    /// The last line that is not empty, or `""`.
    pub fn last(&self) -> &'a str {
        self.written().next_back().unwrap_or_default()
    }

    /// The paragraphs, separated by empty lines, each as its lines.
    pub fn paragraphs(&self) -> Vec<Vec<&'a str>> {
        self.lines.split(|line| line.is_empty()).filter(|lines| !lines.is_empty()).map(<[&str]>::to_vec).collect()
    }

    /// The sections of a level, in order.
    pub fn of_level(&self, level: usize) -> Vec<&Section<'a>> {
        self.sections.iter().filter(|section| section.level == level).collect()
    }

    /// The section whose heading begins with `heading`, ignoring case.
    pub fn section(&self, level: usize, heading: &str) -> Option<&Section<'a>> {
        let begins = |section: &&Section<'_>| {
            section.level == level && section.heading.to_lowercase().starts_with(&heading.to_lowercase())
        };
        self.sections.iter().find(begins)
    }

    /// The title, if the text begins with `# ` and has only one such heading.
    pub fn title(&self) -> Option<&Section<'a>> {
        let titles = self.of_level(1);
        let begins = heading(self.first()).is_some_and(|(level, _)| level == 1);
        titles.first().copied().filter(|_| begins && titles.len() == 1)
    }
}

impl Section<'_> {
    /// The number of bullets.
    pub fn bullets(&self) -> usize {
        self.lines.iter().filter(|line| line.starts_with("- ") || line.starts_with("* ")).count()
    }

    /// The rest of the line that begins with `label`, if there is one.
    pub fn labelled(&self, label: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix(label)).map(str::trim).filter(|rest| !rest.is_empty())
    }

    /// Whether there is any text under the heading.
    pub fn is_written(&self) -> bool {
        !self.lines.is_empty()
    }
}

/// A heading's number of `#` and its text. `###` alone is not a heading: press releases end with
/// it.
fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|&byte| byte == b'#').count();
    let text = line[level..].strip_prefix(' ')?.trim();
    ((1..=6).contains(&level) && !text.is_empty()).then_some((level, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_at_headings_outside_of_code() {
        let page = Page::read("intro\n\n# Title\n\n```\n# a comment\n```\n## One\n- a\n* b\n#hashtag\n###\n");
        let headings: Vec<_> = page.sections.iter().map(|section| (section.level, section.heading)).collect();
        assert_eq!(headings, [(0, ""), (1, "Title"), (2, "One")]);
        assert_eq!(page.sections[2].bullets(), 2);
        assert_eq!(page.last(), "###");
        assert!(page.title().is_none(), "the text begins with something else");
        assert!(Page::read("# A\n# B").title().is_none(), "one title");
    }
}
