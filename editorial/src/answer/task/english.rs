//! Patterns of English, for a sentence in lower case.

/// What a task asks for.
const KINDS: &str = r"(?:text|e-?mail|article|post|blog|blog (?:post|article)|linkedin post|thread|newsletter|press release|summary|product description|case study|faq|script|video script|landing page|ad copy|document|draft|paragraph|outline)";
/// What stands between an article and a kind.
const ADJECTIVES: &str = r"(?:[a-z-]+ ){0,2}";
/// What a task tells to do.
const WRITE: &str = r"(?:write|compose|draft|generate|produce|create|craft|prepare|summari[sz]e|rewrite)";
/// The beginning of a sentence.
const START: &str = "^";
/// What a model puts in front of a report.
const LEAD: &str = r"(?:(?:overall|in (?:conclusion|summary|short|essence|general)|to (?:conclude|summari[sz]e|sum up)|additionally|furthermore|moreover|finally|also),? |in (?:this|the) (?:article|text|document|passage|post|summary|e-?mail|section|paragraph),? )";
/// What a report says, and nobody says of a thing that is used.
const REPORTS: &str = r"(?:also )?(?:provides?|gives? an?|offers? an?|describes?|discuss(?:es)?|explains?|summari[sz]es?|outlines?|presents?|covers?|highlights?|mentions?|states?|emphasi[sz]es?|focus(?:es)? on|aims? to|introduces?|details|talks? about|is about|are about|is intended to|is structured|is divided|does not (?:mention|provide|say|state|specify)|can be summari[sz]ed|is an? (?:[a-z-]+ ){0,2}(?:summary|description|list|overview|introduction|explanation|guide|article|story|report)\b)";
/// The source that a prompt gives.
const GIVEN: &str = r"(?:(?:given|provided|source) (?:text|document|passages?|information|content|article|context)|(?:above|following|original) (?:text|passages?|context))";

/// How a sentence begins that is on a task: models that lost their way speak of little else.
pub(super) const TASKS: [&str; 5] =
    ["this is a task", "the task is", "this task is", "your task is", "our task is to write"];

/// A topic that only asks for a text.
pub(super) fn order() -> String {
    format!(r"^(?:please )?{WRITE} (?:me |us )?(?:an?|the|this) {ADJECTIVES}{KINDS}(?: (?:about|on|for|that))?")
}

pub(super) fn anywhere() -> Vec<String> {
    vec![
        // The task.
        format!(
            r"\b(?:the|your|this) (?:task|assignment|prompt)(?: at hand)? (?:is|asks|requires)(?: (?:you|me|us|for))? (?:to (?:write|compose|draft|summari[sz]e|rewrite)\b|(?:to {WRITE} )?(?:an?|the|this) {ADJECTIVES}{KINDS}\b)"
        ),
        format!(r"\b(?:goal|purpose|aim|objective) is to {WRITE} (?:an?|the|this) {ADJECTIVES}{KINDS}\b"),
        r"\b(?:goal|purpose|aim|objective) of (?:this|the) (?:text|summary|document|response|draft|passage) (?:is|was) to\b".to_owned(),
        r"\b(?:goal|purpose|aim|objective) of this (?:e-?mail|message) is to (?:inform|provide|describe|explain|summari[sz]e)\b".to_owned(),
        format!(r"\bthe user (?:has )?(?:asked|asks|requested|requests|instructed|wants|is asking) (?:me|us|that i|for (?:an?|the) {ADJECTIVES}{KINDS})\b"),
        r"\b(?:based on|according to|as per|per|following) the user's (?:request|prompt|instructions?)\b".to_owned(),
        // The text itself.
        format!(r"{START}{LEAD}?(?:the|this) text {REPORTS}"),
        format!(r"{START}{LEAD}?this summary {REPORTS}"),
        format!(r"{START}{LEAD}(?:the|this) (?:document|passage|summary|draft) {REPORTS}"),
        format!(r"{START}{LEAD}?(?:the|this) {GIVEN} (?:{REPORTS}|contains?|includes?)"),
        format!(r"{START}{LEAD}?the (?:text|document|passages?|article|information) (?:that )?you (?:have )?(?:provided|gave|shared) {REPORTS}"),
        format!(r"{START}the passages {REPORTS}"),
        r"\b(?:this|the) (?:document|passage) (?:provides|gives|offers|presents) (?:an?|the) (?:[a-z-]+ )?(?:overview|summary|introduction)\b".to_owned(),
        r"\bthis (?:e-?mail|response) (?:provides|gives) (?:information|an overview|details)\b".to_owned(),
        r"\b(?:main|central|key) (?:idea|point|theme|topic|message|purpose|focus|argument)s? of (?:the|this) (?:text|passage|document) (?:is|are)\b".to_owned(),
        r"\b(?:the|this) (?:text|summary|document|draft|response|e-?mail|post|article) (?:is|should be|must be) (?:written )?in the (?:style|tone|format|shape) of\b".to_owned(),
        r"\b(?:the|this) (?:e-?mail|post|article|newsletter|text|draft) (?:should|must) (?:have|include|contain|begin with|start with) an? (?:clear |short |catchy |compelling )?(?:subject line|greeting|headline|call to action|title|sign-off)\b".to_owned(),
        // The sources.
        r"\b(?:summary|summari[sz]ation|overview) of the (?:(?:given|provided|following|above|original) )?(?:text|passages?)\b".to_owned(),
        format!(r"\b(?:summary|description|contents?|overview) of the {GIVEN}\b"),
        r"\b(?:the|this) (?:provided|given|above) (?:text|passages?|prompt|context|topic)\b".to_owned(),
        format!(r"{START}(?:according to|based on|as (?:stated|described|mentioned) in) (?:the|this) (?:text|summary|passages?|{GIVEN}),"),
        format!(r"{START}based on the {GIVEN}\b"),
        format!(r"{START}in (?:the|this) (?:text|passage|{GIVEN}),"),
        format!(r"{START}passage \[?\d+\]? (?:also )?(?:says?|states?|mentions?|describes?|explains?|notes?|provides?|shows?|indicates?|discusses)\b"),
        r"\b(?:based on|according to|as (?:stated|mentioned|described|noted) in) passages? \[?\d".to_owned(),
    ]
}

pub(super) fn edges() -> Vec<String> {
    let here = r"(?:here(?:'s| is| are| comes)|below(?:,| is| you)|the following is)";
    vec![
        format!(
            r"{START}here(?:'s| is| comes) (?:the|your|an?|my) {ADJECTIVES}{KINDS}(?: (?:about|on|for|to|with|based)\b[^.!?]*)?[:.!]?$"
        ),
        format!(
            r"{START}here(?:'s| is| are) (?:the|your|an?|my|some) {ADJECTIVES}(?:{KINDS}|copy|content|description)\b[^.!?]*\b(?:you (?:asked|requested|wanted)|as requested|as you asked|per your request)"
        ),
        format!(
            r"{START}(?:the following|below) is (?:an?|the|your|my) {ADJECTIVES}{KINDS}(?: (?:about|on|for|that|based|to|with)\b|[:.]?$)"
        ),
        format!(
            r"{START}(?:as requested|as you (?:requested|asked)|(?:as )?per your request|in response to your (?:request|prompt))\b[^.!?]*\b(?:{here} (?:the|your|an?|my) {ADJECTIVES}{KINDS}|(?:written|drafted|composed|created|prepared|generated) (?:you )?(?:an?|the|your|this) {ADJECTIVES}{KINDS})\b"
        ),
        r"\bin response to your prompt\b".to_owned(),
        format!(
            r"{START}(?:i will|i'll|i am going to|i'm going to|let me|i have|i've)(?: now| just)? (?:writ(?:e|ten)|draft(?:ed)?|compos(?:ed?)|creat(?:ed?)|generat(?:ed?)|summari[sz]ed?|prepared?|crafted?|put together|produced?) (?:(?:you |for you )?(?:an?|the|your|this)) {ADJECTIVES}{KINDS}\b"
        ),
        format!(
            r"{START}i (?:was|have been|am) (?:asked|told|instructed|tasked)(?: with| to)? (?:{WRITE}|writing|creating|drafting) (?:an?|the|this) {ADJECTIVES}{KINDS}\b"
        ),
        format!(
            r"{START}(?:my|our|the|your) (?:task|assignment) was to {WRITE} (?:an?|the|this) {ADJECTIVES}{KINDS}\b"
        ),
        format!(r"{START}(?:my|our) (?:task|assignment) is to {WRITE} (?:an?|the|this) {ADJECTIVES}{KINDS}\b"),
        format!(
            r"{START}based on the (?:information|text|details|data|content) (?:provided|given|you (?:gave|provided|shared)),"
        ),
        format!(
            r"{START}(?:please )?{WRITE} (?:an?|the|this) {ADJECTIVES}{KINDS} (?:about|on|of|for|that|based|in) [^.!?]*\b(?:following|provided|given|above|\d+ words|passages?|text|document)\b"
        ),
    ]
}

/// Somebody tells of another text, or sends one.
pub(super) fn story() -> String {
    r"\b(?:before|ago|last (?:week|month|year)|yesterday|already|earlier|once|ever|since|when|but|in (?:19|20)\d\d|attached|of (?:the|this|our|your|last) (?:week|month|year|day|quarter)|of (?:what|how|our)|(?:a|my) thread|your (?:[a-z-]+ )?newsletter|links?|comments?|read (?:it|on|more)|published|(?:on|in) (?:our|my) blog)\b".to_owned()
}

/// Somebody sells a help to write.
pub(super) fn offer() -> String {
    r"\b(?:your?|seconds|minutes|hours|faster|without|easily|anything)\b".to_owned()
}

pub(super) fn openings() -> Vec<String> {
    vec![
        format!(
            r"{START}(?:please )?(?:write|compose|draft|summari[sz]e) (?:an?|the|this) {ADJECTIVES}{KINDS} (?:about|on|of|for)\b"
        ),
        r"\b(?:tone|style|voice|language|length|structure|format) of (?:the|this) (?:text|summary|document|draft|response) (?:is|should|must|will)\b".to_owned(),
        format!(
            r"{START}(?:the|this) (?:document|summary|text|draft|passage|e-?mail|article|(?:blog )?post) (?:should|must) (?:be|include|contain|have|start|begin|end)\b"
        ),
        r"\b(?:content|contents|description) of the (?:text|document|passages?) (?:is|are|describes?|includes?)\b".to_owned(),
    ]
}

pub(super) fn reports() -> Vec<String> {
    vec![
        format!(r"{START}(?:the|this|your) (?:document|summary|draft|prompt|passage) {REPORTS}"),
        format!(
            r"{START}the (?:article|author|writer|e-?mail|blog post|post) (?:also )?(?:discusses|describes|explains|outlines|highlights|mentions|emphasi[sz]es|concludes|provides|summari[sz]es|argues|states)\b"
        ),
        r"\b(?:summary|overview) of the document\b".to_owned(),
    ]
}
