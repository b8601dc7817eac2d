//! What a sentence asks for that no rule says, as a short order. It changes the form only, and passes on nothing that
//! is an address, code, or speaks to a model.

use super::clause::{Comment, Sentence};
use super::cue;
use crate::lesson::pattern;
use crate::text::instruction;

/// The longest order, in characters, and in words.
const MAX_CHARS: usize = 160;
const MAX_WORDS: usize = 24;
const MIN_WORDS: usize = 2;

pattern!(
    HEDGE,
    r"^(?:(?:i (?:really |just |do )?(?:think|feel|believe|guess|suppose|find|hope|wish)(?: that)?|in my (?:humble )?(?:opinion|view)|imho|imo|to me|for me|personally|honestly|frankly|maybe|perhaps|please|pls|plz|kindly|also|and|but|so|well|ok(?:ay)?|hi|hello|hey|overall|generally|in general|next time|in (?:the )?future|for next time|from now on|again|still|then|however|otherwise|just|additionally|moreover|one (?:more )?thing|tip|idea|suggestion|note|nit|minor|great (?:work|piece|job|start|draft)|good (?:work|piece|job|start|draft)|nice (?:work|piece|job|start|draft)|could you|can you|can we|could we|would you|will you|would it be possible to|is it possible to|it would be (?:nice|great|good|better|lovely|helpful) (?:if (?:it|you|we|this)(?: could)?|to(?: have)?)|i would (?:really )?(?:like|love|prefer)(?: you)? to|i'd (?:really )?(?:like|love|prefer)(?: you)? to|we(?:'d| would) (?:really )?(?:like|love|prefer)(?: you)? to|i want you to|we want you to|you might want to|you may want to|why not|how about|what about|let's|try to|always|make sure (?:to|that you)|be sure to|remember to|i'd|we'd|i would|we would)[\s,:;-]+)+"
);
pattern!(
    MUST,
    r"^(?:(?:it|this|that|the (?:text|post|article|piece|copy|draft|email|newsletter|thread|script|ad|press release|page|story|writer|author|description|blog)|you|we|they|texts?|posts?|emails?) )?(?:really |also |just |definitely |probably )*(?:should|must|needs to|need to|has to|have to|ought to|could|might)( not|n't)? (?:really |also |just |definitely |probably |perhaps |maybe )*(.+)$"
);
pattern!(
    NEEDS,
    r"^(?:it|this|that|the (?:text|post|article|piece|copy|draft|email|newsletter|thread|script|ad|press release|page|story|description|blog)|you|we) (?:really |also |just |definitely |still )*(?:needs?|wants?|could use|requires?|lacks?|misses|is missing|is lacking|has too little|has too few) (more )?(.+)$"
);
pattern!(
    WANT,
    r"^(?:i|we) (?:really |also |just |do )*(?:want|need|miss|would like|would love|'d like|'d love|like|love|expect|prefer) (?:to (?:see|read|have|hear) )?(more |less |fewer )?(.+)$"
);
pattern!(
    MISSING,
    r"^(?:what(?:'s| is) )?(?:missing|lacking)[ :]+(?:is |are )?(.+)$|^(.+) (?:is|are) missing$|^(?:there (?:is|are|'s)|has|it has) (?:no|not enough) (.+)$"
);
pattern!(
    TOO_MUCH,
    r"^(?:there (?:is|are|'s) |it has |it's |it uses |uses |has )?(?:way |far |a bit )?(?:too|so) (many|much) (.+)$"
);
pattern!(PART_MUST, r"^((?:the|your|our) [a-z ]{2,30}?) (?:should|must|needs? to|could) be ([a-z -]+)$");
pattern!(
    TOO,
    r"^(?:(?:it|this|the (?:tone|text|style|voice|copy|post|email|article|language))(?:'s| is| sounds| feels| reads) |sounds |feels |reads )?(?:a bit |a little |way |far |much |slightly )?too ([a-z]{4,20})$"
);
pattern!(
    PRONOUN,
    r"^(\w+ ){1,3}(it|them|this|that|those|these|they)( (out|off|away|down|up|better|more|again|here|there))*$"
);
pattern!(QUANTITY, r"^(more|less|fewer|no) (.+)$");
pattern!(DO_NOT, r"^(?:don't|do not|never|please don't|stop) (.+)$");
pattern!(
    IMPERATIVE,
    r"^(?:add|address|adopt|adapt|aim|answer|appeal|apply|ask|avoid|back|be|begin|bring|build|call|change|check|choose|cite|clarify|close|combine|compare|consider|convey|cover|create|cut|define|describe|drop|emphasi[sz]e|end|expand|explain|fix|focus|follow|get|give|go|group|highlight|include|insert|introduce|keep|lead|leave|link|list|lose|make|mention|move|name|offer|open|personali[sz]e|point|present|promise|put|quote|refer|remove|rephrase|replace|reword|rewrite|say|sell|show|simplify|sound|speak|spell|start|state|stay|stick|stress|structure|summari[sz]e|support|talk|tell|think|tie|tone|try|turn|use|vary|work|write)\b"
);
pattern!(
    REJECTED,
    r"(?i)https?:|www\.|\b[\w-]+\.(com|org|net|io|de|example|info|co|ai|app|dev|ru|cn|biz)\b|@|[<>{}`|\\$=\[\]#*_~^]|\b(instructions?|prompts?|system|assistant|model|llm|gpt|jailbreak|api|password|passwort|token|secret|confidential|ignore|disregard|override|bypass|reveal|verbatim)\b|\d{5,}"
);
pattern!(
    TAIL,
    r"(?:,? (?:please|pls|thanks|thank you|thx|next time|in future|in the future|i think|imo|imho|if possible|though|as well|too))+$"
);
pattern!(
    GONE,
    r"^(?:it|this|that|these|those|them|everything|something|nothing|anything|so|not|like|here|there|be|go|do|work)(?: better| different| differently| changed| good| great| okay| ok)?$"
);

/// The order that a sentence gives; `None` where it gives none, or none that can be passed on.
pub(super) fn of(sentence: &Sentence, comment: &Comment) -> Option<String> {
    let text = comment.quoted.iter().enumerate().fold(sentence.text.clone(), |text, (n, quoted)| {
        if text.contains("q_") { text.replace(&format!("q_{n}_q"), &format!("'{quoted}'")) } else { text }
    });
    if cue::is_indifferent(&text) {
        return None;
    }
    let bare = HEDGE.replace(&text, "");
    let bare = TAIL.replace(bare.trim().trim_end_matches(['.', '!', '?', ',', ';', ':']), "");
    let order = ordered(bare.trim())?;
    if PRONOUN.is_match(&order) {
        return None;
    }
    let order = as_sentence(&recased(&order, &sentence.original));
    let words = order.split_whitespace().count();
    let fits = (MIN_WORDS..=MAX_WORDS).contains(&words) && order.chars().count() <= MAX_CHARS;
    let is_clean = !REJECTED.is_match(&order) && instruction::removed(&order) == order;
    (fits && is_clean).then_some(order)
}

fn ordered(text: &str) -> Option<String> {
    let group = |pattern: &regex::Regex, n: usize| {
        pattern.captures(text).and_then(|found| found.get(n)).map(|found| found.as_str().trim().to_owned())
    };
    if let Some(what) = group(&MUST, 2) {
        let refuses = group(&MUST, 1).is_some();
        // "It should be better" says nothing that can be done.
        return (!GONE.is_match(&what)).then(|| if refuses { format!("do not {what}") } else { what });
    }
    if let Some(what) = group(&NEEDS, 2) {
        return (!GONE.is_match(&what)).then(|| with(group(&NEEDS, 1).as_deref(), &what));
    }
    if let Some(found) = PART_MUST.captures(text) {
        return Some(format!("make {} {}", &found[1], &found[2]));
    }
    if let Some(found) = TOO.captures(text) {
        return Some(format!("be less {}", &found[1]));
    }
    if let Some(found) = TOO_MUCH.captures(text) {
        let less = if &found[1] == "many" { "fewer" } else { "less" };
        return Some(format!("use {less} {}", &found[2]));
    }
    if let Some(what) = (1..=3).find_map(|n| group(&MISSING, n)) {
        return Some(format!("add {}", without_article(&what)));
    }
    if let Some(what) = group(&DO_NOT, 1) {
        return Some(format!(
            "do not {}",
            what.strip_prefix("using").map_or(what.clone(), |rest| format!("use{rest}"))
        ));
    }
    if QUANTITY.is_match(text) {
        return Some(format!("use {text}"));
    }
    if let Some(what) = WANT.captures(text).filter(|found| found.get(1).is_some()) {
        return Some(format!("use {}{}", &what[1], &what[2]));
    }
    IMPERATIVE.is_match(text).then(|| text.to_owned()).filter(|text| !GONE.is_match(text))
}

/// An order with the capitals that its words have in the sentence, but for the first.
fn recased(order: &str, original: &str) -> String {
    let names: Vec<&str> =
        original.split_whitespace().skip(1).filter(|word| word.contains(char::is_uppercase)).collect();
    let shouts = names.len() > 3;
    let cased = order.split(' ').map(|word| {
        let name = names.iter().find(|name| !shouts && name.to_lowercase().trim_end_matches(['.', '!', '?']) == word);
        name.map_or(word, |name| name.trim_end_matches(['.', '!', '?']))
    });
    cased.collect::<Vec<_>>().join(" ")
}

fn with(more: Option<&str>, what: &str) -> String {
    more.map_or_else(|| format!("add {what}"), |_| format!("use more {what}"))
}

fn without_article(what: &str) -> &str {
    what.trim_start_matches("the ")
}

fn as_sentence(order: &str) -> String {
    let mut chars = order.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches(['.', '!', '?']))
}
