//! What tells whether a clause wants more or less of what it is about. The order of the lists is the grammar: what is
//! said in two words ("not enough") comes before what one of them would say alone.

use crate::lesson::pattern;

/// What a clause wants of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    More,
    Less,
    /// It is said to be missing: of a mark that may be praise, of a call to action it is none.
    Missing,
    /// Nothing but "please" is said of it.
    Asked,
}

/// What says of the verb behind it that it is not to be done: one of these words, and what may follow "not" before the
/// verb, as in "I don't want you to" and "I don't think you should".
macro_rules! not_to {
    ($not:literal, $want:literal) => {
        concat!(
            "(",
            $not,
            r")( really| ever| please)?( (",
            $want,
            r")( \w+)? to| (think|believe|feel|suggest)( that)?( \w+)? (should|must|ought to|need to))?"
        )
    };
}

/// The same of a wish. "You didn't remove it" is none: it says that it should go.
macro_rules! not_wished {
    () => {
        not_to!(
            r"\b(do|does|should|must|need|would|could|wo|ca|can|will)(n't| not)|\bnever|\b(no need|not necessary) to",
            "want|like|wish|expect|ask|mean|need|have"
        )
    };
}

pattern!(NEGATED, concat!(not_wished!(), "$"));
pattern!(
    KEPT,
    concat!(
        not_wished!(),
        r" (remove|drop|delete|skip|lose|cut|leave out|take out|strip|get rid of|ditch|avoid|stop|replace|change|swap|switch|exchange|rename)\b"
    )
);
pattern!(
    INDIFFERENT,
    r"\b((do|does|did)(n't| not) (really )?(mind|care|matter|bother me)|no (problem|issue|issues|complaints?|objections?|opinion)|nothing (wrong|against)|nothing to (say|add)|fine with|ok(ay)? with|not sure|neutral|either way|up to you|no preference|acceptable|(is|are|was|were|looks?|seems?) (fine|ok|okay|alright|all right))\b"
);
pattern!(
    IRONIC,
    r"^(oh|ah|well|wow|yay|sure|right|great|wonderful|lovely|fantastic|brilliant|nice|perfect|awesome|super)?[,!. ]*(oh )?(great|wonderful|lovely|fantastic|brilliant|nice|perfect|awesome|super|yay|wow|sure)?[,!.: ]*\b(another|yet another|even more|yet more|nothing says|because nothing|just what (we|i|the world|everyone|this|it|our readers) needed|exactly what (we|i|this|it) needed|because (what )?(this|it|we|everyone) (really )?need|who doesn't love|discount on|paid (by|per) the|i counted|did (we|you|someone|somebody) (get|buy|pay))\b|\b(discount|sale) on\b|\bon sale\b|\bkey (is |was )?stuck\b|\b(got|get|gets) stuck\b|\blost count\b|\bas if\b"
);
pattern!(
    POLITE_QUESTION,
    r"\b(why not|(could|can|would|should|wo)(n't| not|'t) (we|you|it|this|there|that)|(don't|do not|never) forget to)\b( have| be| use)?"
);
pattern!(
    EMPTY,
    r"\b(no (doubt|question about|worries|offen[cs]e|idea|wonder|kidding|longer)|not only|if not|whether or not|not to mention|not bad)\b"
);
pattern!(
    STRONG_MORE,
    concat!(
        r"\b(not (nearly |quite )?enough|\w+n't (\w+ )?enough|too few|too little|could (really )?use (a|an|some|more|one)|can never have|falls flat without|nothing without)\b|",
        not_to!(r"n't|\bnot|\bnever", "want|like|wish|expect|ask|mean"),
        r" (forget|remove|drop|delete|skip|lose|cut|lack|leave out|be afraid)\b"
    )
);
pattern!(
    MISSING,
    r"\b(missing|misses|miss(ed)? (a|an|the|some)|lack(s|ing|ed)?|forgot(ten)?|where( is| are|'s|'re)|nowhere|((do|can|could|did|does)(n't| not)|cannot|can't) (really |even )?(see|find|spot)|(doesn't|does not|didn't|did not|don't) (really |even )?(have|contain|include)|why (is|are) there no|why no|(there|it|text|this|that|post|article|email|copy|draft|piece|you)( is|'s| are| was| were| has| have| had|'ve) (absolutely |really |currently |still )?no(t a|t any)?|(there )?(is|are)(n't| not) (any|a)|has no|have no|had no|no sign of|come[s]? (with no|without)|(it|this|that|text|post|article|draft|piece|email|copy) (never|doesn't|does not|didn't|hardly|rarely|barely|fails to) (really |even |ever )?(address|speak|talk|ask|open|start|begin|end|close|tell|say)(s|es|ing)?|(ends|ended|closes|closed|finishes|finished|stops|comes|came|goes) (\w+ )?(without|with no)|pity|shame|wish there (was|were))\b|^without (a|an|any|the|some) |\b(hard|difficult|tough|tricky|impossible|tiring|boring|dull|dry|useless|pointless|incomplete|lost|flat|weak) (to \w+ )?(\w+ )?without\b"
);
pattern!(
    STRONG_LESS,
    r"\b(too many|too much|too often|so many|so much|too \w+|fewer|less|no more|enough (with|of|already)|over-?us\w*|overdo\w*|overdone|excess\w*|no|not|never|nor|neither|without|except|apart from|aside from|zero|free (of|from)|dial\w* (back|down)|curb|rein (in|back)|scale (back|down)|calm|weed out|replac\w*|swap\w*|undermin\w*|purge|scrap|axe|nix|omit\w*|exclud\w*|eliminat\w*|erase|forgo|forego|resist|avoid\w*|drop\w*|remov\w*|delet\w*|cut\w*|los(e|ing)|ditch\w*|rid of|skip\w*|stop\w*|quit|kill\w*|ban(ned|s)?|forbid\w*|forbidden|(leave|left|leaving|take|took|taking|cut|cross) (\w+ )?out|strip\w*|hate[sd]?|dislike\w*|detest|despise|loathe|tired of|sick of|fed up|annoy\w*|irritat\w*|spam\w*|overkill|unnecessary|unneeded|needless\w*|superfluous|pointless|useless|reduc\w*|limit\w*|minimi[sz]e|tone\w* down|ease (up|off)|go(ing)? easy|easy on|allergic|unprofessional|childish|immature|tacky|cheesy|gimmick\w*|clich\w*|cheap|shout\w*|scream\w*|yell\w*|desperate|cring\w*|do without|spare (me|us)|lay off|hold (back|off)|distract\w*|clutter\w*|off-?putting|a bit much|turns? me off|turn-?off|put(s)? me off|out of place|has to go|have to go|must go|got to go|should go|gotta go|away with|knock it off|retire|refrain|abstain|steer clear|stay away|old-?fashioned|outdated|not a fan|went overboard|overboard|goodbye|ugh|yuck|awful|horrible|terrible|ugly|please don't)\b|n't\b|\bnot?\b|^why (do|does|did|are|is|all|so|the|open|start|begin|use)\b|\b(really )?(need|necessary) (\w+ ){0,3}(all|that many|this many|five|ten|six|seven|eight|nine|dozens?)\b|👎"
);
pattern!(
    MORE,
    r"\b(more|add\w*|need(s|ed)?|want(s|ed)?|use|using|includ(e|ing)|insert\w*|should|must|ought|would (\w+ ){0,2}(like|love|nice|great|good|help|prefer|welcome|appreciate|work|pull|draw|hook|grab|make|liven|lift|improve)|'d (like|love|prefer|rather|appreciate|welcome|expect|add|put|use|open|start|begin|end|close|want|go)|prefer\w*|wish\w*|hop(e|ing)|expect\w*|miss|require[sd]?|mandatory|essential|important|crucial|ensure|let's|opt for|how about|what about|switch to|could (have|do|be|open|start|begin|end|we|you|it|this|that|there)|can (we|you|it|this|that|there)|would you|always|(to|(^|please |just |maybe |also |then |so |now |perhaps |simply |rather )(it |things )?)(put|give|keep|try|make|hook|structure|format|present|arrange|organi[sz]e|split|divide|turn|convert|break|tell|invite|speak|talk|address|write|open|start|begin|lead|kick|end|close|finish|wrap up|conclude|point|ask))\b"
);
pattern!(
    PRAISE,
    r"\b(love[ds]?|loving|(i|we|really|do|did|also|particularly|especially|much) like[ds]?|liked|great|good|nice(ly)?|excellent|perfect(ly)?|well done|glad|happy|thank(s| you)?|appreciate[ds]?|brilliant\w*|lovely|works?|enjoy(ed|s)?|fantastic|wonderful|spot on|kudos|bravo|pleased|delighted|neat|helps?|effective|clever|smart|strong|refreshing\w*|superb|relie(f|ved)|finally|hooray|yay|thumbs up|bonus points)\b|👍|❤|🎉"
);
pattern!(
    WEAK_LESS,
    r"\b(a lot of|lots of|tons of|loads of|dozens of|wall of|sea of|flood of|littered|sprinkled|full of|riddled|stuffed|every (sentence|line|paragraph|other)|everywhere|all over|all (the|those|these|that)|what's with|what is with|what's up with|seriously|really)\b"
);
pattern!(PLEASE, r"\b(please|pls|plz|kindly)\b");
pattern!(
    ABSOLUTE,
    r"\b(no|not|never|without|zero|none|avoid\w*|drop\w*|remov\w*|delet\w*|los(e|ing)|ditch\w*|rid of|skip\w*|any|don't (use|want|need)|(leave|take) (\w+ )?out)\b"
);

/// A clause without what means nothing here, and with polite questions turned into wishes.
fn plain(clause: &str) -> String {
    let clause = EMPTY.replace_all(clause, " ");
    let clause = POLITE_QUESTION.replace_all(&clause, " please ");
    clause.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a clause wants; `None` where it only describes, or does not care.
pub(super) fn of(clause: &str) -> Option<Cue> {
    let clause = plain(clause);
    if INDIFFERENT.is_match(&clause) {
        return None;
    }
    if IRONIC.is_match(&clause) {
        return Some(Cue::Less);
    }
    if STRONG_MORE.is_match(&clause) {
        return Some(Cue::More);
    }
    if KEPT.is_match(&clause) {
        return None;
    }
    let asked = PLEASE.is_match(&clause) || clause.contains("should") || clause.contains("must");
    if MISSING.is_match(&clause) && !asked {
        return Some(Cue::Missing);
    }
    let tiers: [(&regex::Regex, Cue); 5] = [
        (&STRONG_LESS, Cue::Less),
        (&MORE, Cue::More),
        (&PRAISE, Cue::More),
        (&WEAK_LESS, Cue::Less),
        (&PLEASE, Cue::Asked),
    ];
    tiers.into_iter().find(|(pattern, _)| pattern.is_match(&clause)).map(|(_, cue)| cue)
}

/// Whether a clause praises.
pub(super) fn praises(clause: &str) -> bool {
    PRAISE.is_match(clause) && !IRONIC.is_match(clause)
}

/// Whether a clause wants something left as it is: "don't replace it" asks for nothing else.
pub(super) fn keeps(clause: &str) -> bool {
    KEPT.is_match(&plain(clause))
}

/// Whether the verb behind these words is not to be done.
pub(super) fn negates(before: &str) -> bool {
    NEGATED.is_match(&plain(before))
}

/// Whether a sentence says the opposite of what it says.
pub(super) fn is_ironic(sentence: &str) -> bool {
    IRONIC.is_match(sentence)
}

/// Whether a clause wants none at all, not only fewer.
pub(super) fn is_absolute(clause: &str) -> bool {
    ABSOLUTE.is_match(clause)
}

/// Whether a clause does not care.
pub(super) fn is_indifferent(clause: &str) -> bool {
    INDIFFERENT.is_match(clause)
}
