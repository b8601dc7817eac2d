//! A text on its way from the draft through the rounds of edits, and which of its versions the editor's score speaks
//! of. Also what an earlier release stored of a text that it reviewed and revised: nothing of it is paid for again.

use copydesk_domain::review::Scored;
use copydesk_domain::stage::Stage;
use serde::{Deserialize, Serialize};

use super::brief::Brief;
use super::draft::Draft;
use super::edit::{self, Edited};
use super::lessons::Lessons;
use super::review::{Reviewed, Rubric};
use crate::provider::chain::AnsweredBy;

/// What a failed check took off a review's score.
const CHECK_PENALTY: f64 = 0.75;
/// What all of them took off at most.
const MAX_PENALTY: f64 = 4.0;

/// What an editor, or the reviewer of an earlier release, said.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The scores and the comments.
    pub rubric: Rubric,
    /// Who said it, where that is known.
    pub by: Option<AnsweredBy>,
    /// Of which version.
    pub scored: Scored,
}

/// A text under way.
#[derive(Debug, Clone)]
pub struct Rounds {
    /// The text as it is now.
    pub text: String,
    /// What code finds of it.
    pub reviewed: Reviewed,
    /// Whether no model wrote it.
    pub is_template: bool,
    /// Who wrote it, where that is known.
    pub writer: Option<AnsweredBy>,
    /// Who took part in it.
    pub by: Vec<AnsweredBy>,
    /// What was said of it.
    pub verdict: Option<Verdict>,
    /// Rounds that were made.
    pub made: u16,
    /// Rounds that changed the text.
    pub changes: u16,
    /// Why the last edits were not made.
    dropped: Option<String>,
    next: Stage,
}

impl Rounds {
    /// Before the first round. An editor reads every draft, unless no round is wanted.
    pub fn of(draft: &Draft, reviewed: Reviewed, brief: &Brief) -> Self {
        Self {
            text: draft.text.clone(),
            reviewed,
            is_template: draft.is_template,
            writer: draft.by.clone(),
            by: draft.by.iter().cloned().collect(),
            verdict: None,
            made: 0,
            changes: 0,
            dropped: None,
            next: if brief.max_rounds > 0 { Stage::Edit } else { Stage::Finish },
        }
    }

    /// Whether an editor is to read the text as it is now.
    pub fn wants_edits(&self) -> bool {
        self.next == Stage::Edit
    }

    /// What the editor is told to mend: what code found of the text.
    pub fn fixes(&self) -> Vec<String> {
        self.dropped.iter().chain(&self.reviewed.fixes).cloned().collect()
    }

    /// After a round.
    pub fn take(&mut self, edited: Edited, brief: &Brief, lessons: &Lessons) {
        self.next = edit::next(&edited, self.made, brief, lessons);
        self.made += 1;
        self.by.extend(edited.by.clone());
        if let Some(rubric) = edited.rubric {
            let scored = if edited.text.is_some() { Scored::Draft } else { Scored::Final };
            self.verdict = Some(Verdict { rubric, by: edited.by, scored });
        }
        if let Some(text) = edited.text {
            self.text = text;
            self.changes += 1;
        }
        (self.reviewed, self.dropped) = (edited.reviewed, edited.dropped);
    }

    /// Goes on where an earlier release stopped: `versions` are what it made of the draft, in order, and its reviews of
    /// them; the first is the draft itself. `checked` says what code finds of a text.
    pub fn resume(&mut self, versions: Vec<Version>, brief: &Brief, checked: impl Fn(&str) -> Reviewed) {
        self.made = u16::try_from(versions.len().saturating_sub(1)).unwrap_or(u16::MAX);
        let by = |version: &Version| {
            [version.by.clone(), version.reviewed.as_ref().and_then(|reviewed| reviewed.by.clone())]
        };
        self.by.extend(versions.iter().skip(1).flat_map(by).flatten());
        self.by.extend(versions.first().and_then(|draft| draft.reviewed.as_ref()?.by.clone()));
        self.changes =
            u16::try_from(versions.iter().skip(1).filter(|version| version.text.is_some()).count()).unwrap_or(0);
        let texts: Vec<_> = versions.into_iter().filter(|version| version.text.is_some()).collect();
        let is_left = self.made < brief.max_rounds;
        // A text that was revised and not yet reviewed stands: an editor reads it, where a round is left.
        let unread = texts.last().filter(|version| version.reviewed.is_none()).cloned();
        let read = best(&texts).cloned();
        let scored = if unread.is_some() { Scored::Draft } else { Scored::Final };
        self.verdict = read
            .as_ref()
            .and_then(|version| version.reviewed.as_ref())
            .and_then(|reviewed| Some(Verdict { rubric: reviewed.rubric.clone()?, by: reviewed.by.clone(), scored }));
        let Some(Version { text: Some(text), by, reviewed }) = unread.or(read) else { return };
        let is_good = reviewed.as_ref().is_some_and(|reviewed| score(reviewed) >= brief.min_score);
        let is_done = reviewed.as_ref().is_some_and(|reviewed| reviewed.fixes.is_empty());
        self.next = if is_left && !is_good && !is_done { Stage::Edit } else { Stage::Finish };
        if self.changes > 0 && text != self.text {
            (self.writer, self.is_template) = (by, false);
        }
        // What code finds is found anew: releases did not always store all of it. The reviewer's points stay.
        self.reviewed = checked(&text);
        let points = reviewed.map(|reviewed| reviewed.fixes).unwrap_or_default();
        let new: Vec<String> = points.into_iter().filter(|point| !self.reviewed.fixes.contains(point)).collect();
        self.reviewed.fixes.extend(new);
        self.text = text;
    }
}

/// A revision, as an earlier release stored it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revised {
    /// The new text; `None` where there is none, and the one before stands.
    pub text: Option<String>,
    /// Who wrote it.
    #[serde(default)]
    pub by: Option<AnsweredBy>,
}

/// A version of a text that an earlier release made.
#[derive(Debug, Clone)]
pub struct Version {
    /// The text; `None` where the round made none.
    pub text: Option<String>,
    /// Who wrote it.
    pub by: Option<AnsweredBy>,
    /// Its review; `None` where it has none yet.
    pub reviewed: Option<Reviewed>,
}

/// The reviewed version with the best score, the later of equals. One that a model reviewed goes before one that only
/// the checks saw: their scores do not compare.
fn best(versions: &[Version]) -> Option<&Version> {
    let reviewed = versions.iter().filter_map(|version| Some((version, version.reviewed.as_ref()?)));
    let best = reviewed
        .max_by(|(_, a), (_, b)| a.rubric.is_some().cmp(&b.rubric.is_some()).then(score(a).total_cmp(&score(b))));
    best.map(|(version, _)| version)
}

/// What the revisions of an earlier release went by, 0 to 10: the reviewer's score, less what failed checks take off.
fn score(reviewed: &Reviewed) -> f64 {
    const UNREVIEWED: f64 = 8.0;
    let score = reviewed.rubric.as_ref().map_or(UNREVIEWED, Rubric::score);
    (score - (f64::from(reviewed.failed_checks) * CHECK_PENALTY).min(MAX_PENALTY)).max(0.0)
}

#[cfg(test)]
mod tests {
    use copydesk_domain::format::Format;

    use super::super::brief::tests::brief;
    use super::super::review::tests::{failing, rubric};
    use super::*;

    fn draft() -> Draft {
        Draft { text: "draft".into(), is_template: false, is_refused: false, by: None, plan: None }
    }

    fn started(max_rounds: u16) -> (Rounds, Brief) {
        let brief = Brief { max_rounds, ..brief(Format::Blog) };
        (Rounds::of(&draft(), failing(&["length"]), &brief), brief)
    }

    fn edited(text: Option<&str>, score: Option<f64>) -> Edited {
        let text = text.map(str::to_owned);
        Edited { text, rubric: score.map(rubric), dropped: None, reviewed: failing(&[]), by: None }
    }

    fn scored(rounds: &Rounds) -> Option<(f64, Scored)> {
        rounds.verdict.as_ref().map(|verdict| (verdict.rubric.score(), verdict.scored))
    }

    #[test]
    fn the_score_says_of_which_version_it_speaks() {
        let (mut rounds, brief) = started(2);
        assert!(rounds.wants_edits() && rounds.fixes() == ["Mend the length."]);
        rounds.take(edited(Some("better"), Some(5.0)), &brief, &Lessons::default());
        assert_eq!((scored(&rounds), rounds.text.as_str()), (Some((5.0, Scored::Draft)), "better"));
        assert!(rounds.wants_edits() && rounds.fixes().is_empty());
        rounds.take(edited(None, Some(8.0)), &brief, &Lessons::default());
        assert_eq!((scored(&rounds), rounds.changes, rounds.made), (Some((8.0, Scored::Final)), 1, 2));
        assert!(!rounds.wants_edits());
        let (mut rounds, brief) = started(2);
        rounds.take(edited(Some("better"), Some(5.0)), &brief, &Lessons::default());
        rounds.take(edited(None, None), &brief, &Lessons::default());
        assert_eq!(scored(&rounds), Some((5.0, Scored::Draft)), "nobody read what it became");
        let (rounds, _) = started(0);
        assert!(!rounds.wants_edits() && rounds.verdict.is_none());
    }

    fn version(text: &str, reviewed: Option<(f64, &[&str])>) -> Version {
        let reviewed = reviewed.map(|(score, failed)| Reviewed {
            rubric: Some(rubric(score)),
            fixes: vec!["Say more.".into()],
            ..failing(failed)
        });
        Version { text: Some(text.to_owned()), by: None, reviewed }
    }

    fn resumed(max_rounds: u16, versions: &[Version]) -> Rounds {
        let (mut rounds, brief) = started(max_rounds);
        rounds.resume(versions.to_vec(), &brief, |_| failing(&["voice"]));
        rounds
    }

    #[test]
    fn what_an_earlier_release_reviewed_is_edited_from_there() {
        let poor: Option<(f64, &[&str])> = Some((6.0, &[]));
        let rounds = resumed(2, &[version("draft", poor)]);
        assert_eq!((rounds.wants_edits(), rounds.made, scored(&rounds)), (true, 0, Some((6.0, Scored::Final))));
        assert_eq!(rounds.fixes(), ["Mend the voice.", "Say more."], "the reviewer's points are told the editor");
        let rounds = resumed(2, &[version("draft", Some((8.0, &[])))]);
        assert!(!rounds.wants_edits(), "it was good enough");
        let rounds = resumed(2, &[version("draft", Some((8.0, &["length"])))]);
        assert!(rounds.wants_edits(), "but for its checks");

        let rounds = resumed(2, &[version("draft", poor), version("revised", None)]);
        assert_eq!((rounds.wants_edits(), rounds.made, rounds.text.as_str()), (true, 1, "revised"));
        assert_eq!((scored(&rounds), rounds.fixes()), (Some((6.0, Scored::Draft)), vec!["Mend the voice.".to_owned()]));
        let rounds = resumed(1, &[version("draft", poor), version("revised", None)]);
        assert_eq!((rounds.wants_edits(), rounds.text.as_str(), rounds.changes), (false, "revised", 1));

        let rounds = resumed(2, &[version("draft", Some((7.0, &[]))), version("worse", poor)]);
        assert_eq!((rounds.text.as_str(), rounds.made), ("draft", 1), "the best version wins, not the last");
        let rounds = resumed(2, &[version("draft", poor), version("equal", poor)]);
        assert_eq!(rounds.text, "equal", "the later of equals has more mended");
        let broken: Option<(f64, &[&str])> = Some((9.0, &["a", "b", "c", "d"]));
        let rounds = resumed(2, &[version("draft", Some((7.0, &[]))), version("broken", broken)]);
        assert_eq!(rounds.text, "draft", "failed checks count");
    }
}
