//! How raters say what they want: ten ways for each preference, half of them everyday ones and half unusual ones. The
//! reader of comments was written by others, who did not see them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use copydesk_domain::format::Format;
use rand::seq::IndexedRandom as _;

use super::Rng;
use super::preference::Preference;

const TEXT: &str = include_str!("wordings.txt");

/// How one preference is worded.
#[derive(Debug, Default)]
pub(super) struct Ways {
    pub(super) everyday: Vec<&'static str>,
    pub(super) unusual: Vec<&'static str>,
}

/// The ways by what they are about, and by the side.
static WAYS: LazyLock<BTreeMap<(&'static str, &'static str), Ways>> = LazyLock::new(|| read(TEXT));

fn read(text: &'static str) -> BTreeMap<(&'static str, &'static str), Ways> {
    let mut ways: BTreeMap<_, Ways> = BTreeMap::new();
    let (mut name, mut is_unusual) = (("", ""), false);
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let section = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')).and_then(|l| l.split_once(' '));
        if let Some(section) = section {
            (name, is_unusual) = (section, false);
        } else if line == "---" {
            is_unusual = true;
        } else {
            let ways = ways.entry(name).or_default();
            if is_unusual { ways.unusual.push(line) } else { ways.everyday.push(line) }
        }
    }
    ways
}

/// A preference in a rater's words: everyday ones as often as unusual ones.
pub(super) fn of(preference: Preference, format: Format, rng: &mut Rng) -> String {
    let ways = WAYS.get(&preference.name());
    let ways: Vec<&str> =
        ways.into_iter().flat_map(|ways| ways.everyday.iter().chain(&ways.unusual)).copied().collect();
    let (word, other) = preference.words().unwrap_or_default();
    let way = ways.choose(rng).copied().unwrap_or_default();
    way.replace("{w}", word).replace("{o}", other).replace("{n}", &preference.number(format).to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::preference::all;
    use super::*;

    #[test]
    fn every_preference_is_worded_in_ten_ways() {
        for preference in all() {
            let ways = WAYS.get(&preference.name()).unwrap_or_else(|| panic!("{preference:?} has no words"));
            assert_eq!((ways.everyday.len(), ways.unusual.len()), (5, 5), "{preference:?}");
        }
        let said: Vec<_> = WAYS.values().flat_map(|ways| ways.everyday.iter().chain(&ways.unusual)).collect();
        assert_eq!(said.iter().collect::<BTreeSet<_>>().len(), said.len(), "no two are worded alike");
    }

    #[test]
    fn words_and_numbers_are_filled_in() {
        let mut rng = super::super::rng(1, "test");
        for preference in all().into_iter().cycle().take(2_000) {
            let said = of(preference, Format::LinkedIn, &mut rng);
            assert!(!said.is_empty() && !said.contains('{'), "{said}");
            if let Some((word, _)) = preference.words() {
                assert!(said.contains(word), "{said} does not name {word}");
            }
        }
    }
}
