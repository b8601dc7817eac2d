//! Answers in which a model refuses or speaks of itself. People are sorry too, and cannot help but smile: a refusal
//! names what was asked for.

use std::sync::LazyLock;

use crate::phrases::{Patterns, Phrases, any_of, phrases};

/// Beginnings of a refusal.
static REFUSALS: Phrases = phrases!("refusals.txt");
/// Phrases anywhere in a text by which a model speaks of itself.
static GIVEAWAYS: Phrases = phrases!("giveaways.txt");
/// The number of first paragraphs in which a refusal may begin: a title may come before it.
const PARAGRAPHS: usize = 3;
/// Quotation marks that begin what somebody else said.
const QUOTES: [char; 7] = ['"', '“', '„', '«', '‘', '「', '\''];

/// What cannot be done, and what it cannot be done with. Each begins a line in lower case.
static PATTERNS: Patterns = LazyLock::new(|| {
    let sorry = r"(?:(?:i'm|i am) (?:very |really |so )?sorry|sorry|i apologi[sz]e|my apologies|unfortunately|i'm afraid|i am afraid)[,.;:]? (?:but )?(?:that )?";
    let cannot = r"i(?: simply)?(?: can't| cannot| can not| am unable to|'m unable to| am not able to|'m not able to| won't be able to| will not be able to| won't| will not| must decline to| have to decline to)(?: currently)?";
    let kinds = r"(?:text|e-?mail|article|post|blog post|newsletter|press release|summary|description|case study|faq|script|landing page|ad|copy|content|document|draft|thread|response)";
    let things = r"(?:passages?|information|details?|text|topic|context|brief|content|document|files?|links?|article)";
    let english = [
        format!(r"(?:{sorry})?{cannot} (?:help|assist)(?: you)?(?: with (?:this|that|your|the|it|such|writing|creating|requests?)\b|\s*[.!]|$)"),
        format!(r"{sorry}{cannot} (?:help|assist)(?: you)? with\b"),
        // A line that was cut off there.
        format!(r"{sorry}{cannot}\W*$"),
        format!(r"(?:{sorry})?{cannot} (?:fulfil|fulfill|comply(?: with)?|complete|process|satisfy|accommodate|proceed with|engage with|answer)(?: (?:this|that|your|the|such)\b|\s*[.!]|$)"),
        format!(r"(?:{sorry})?{cannot} (?:write|create|generate|produce|compose|draft|provide|continue|discuss|share) (?:this\b|that\b|such\b|about\b|on this\b|anything\b|(?:any |more |an? |the |your )?(?:[a-z-]+ )?(?:requested )?{kinds}\b|(?:any |more |the )?information\b)"),
        format!(r"(?:{sorry})?{cannot} (?:access|view|open|see|read|find) (?:the|any|your|these|external|real-time) (?:[a-z-]+ )?{things}\b"),
        r"i (?:must|have to) decline(?: (?:this|that|your)\b|\s*[.!,]|$)".to_owned(),
        format!(r"{sorry}(?:the |your |these )?(?:provided |given )?(?:passages?|request|prompt|context)\b"),
        format!(r"{sorry}as an? (?:ai|language model|large language model)\b"),
        format!(r"(?:{sorry})?i (?:don't|do not) have (?:access to )?(?:any |enough |sufficient |the )(?:[a-z-]+ )?(?:information|context|details)(?: (?:to (?:write|create|complete|answer|provide|draft)|about)\b|\s*[.!,]|$)"),
        format!(r"{sorry}i (?:don't|do not) have access to (?:the|any|your|external|real-time|current|up-to-date)\b"),
        r"i(?:'d| would|'ll| will)? need (?:some |a bit )?more (?:information|details|context)(?: (?:to|about|before|from you|in order)\b|\s*[.:]|$)".to_owned(),
        format!(r"(?:could|can) you (?:please )?(?:provide|share) (?:the|more|me|some|additional|further|your)\b[^.!?]*\b{things}\b"),
        r"it (?:looks|seems) like you (?:haven't|have not|didn't|did not) (?:provided?|shared?|included?|given?|attach(?:ed)?|specif(?:y|ied))\b".to_owned(),
    ];
    let others = [
        r"(?:es )?tut mir leid, aber ich (?:kann|darf|bin nicht)\b.*\b(?:helfen|weiterhelfen|schreiben|erstellen|verfassen|erfüllen|nachkommen|unterstützen|beantworten)\b",
        r"(?:je suis )?désolée?, mais je ne (?:peux|suis)\b.*\b(?:aider|écrire|rédiger|répondre|fournir|créer|satisfaire|traiter)",
        r"lo siento, pero no puedo\b.*(?:ayudar|escribir|redactar|crear|proporcionar|cumplir|responder|generar)",
        r"mi dispiace, ma non posso\b.*(?:aiutar|scrivere|creare|fornire|soddisfare|rispondere|generare)",
        r"(?:sinto muito|desculpe), mas não posso\b.*(?:ajudar|escrever|criar|fornecer|atender|responder|gerar)",
        r"het spijt me, maar ik kan\b.*\b(?:helpen|schrijven|maken|voldoen|beantwoorden|genereren)\b",
        r"przykro mi, ale nie mogę\b.*(?:pomóc|napisać|spełnić|stworzyć|odpowiedzieć|wygenerować)",
        r"(?:извините, но|к сожалению,) я не могу.*(?:помочь|написать|выполнить|создать|предоставить|ответить)",
        r"(?:很抱歉|抱歉|对不起)[，,]?(?:但)?我(?:无法|不能).*(?:帮|协助|提供|写|完成|回答|满足|生成|创作)",
        r"申し訳(?:ありません|ございません)が.*(?:手伝い|答え|作成|対応|要望|要求|リクエスト|執筆|書く)",
        r"죄송하지만.*(?:도와|도움|작성|제공|답변|요청|쓸 수 없)",
        r"üzgünüm, ancak.*(?:yardımcı|yazamam|oluşturamam|isteğ|yanıt)",
    ];
    let patterns = english.into_iter().chain(others.map(str::to_owned));
    any_of(patterns.map(|pattern| format!("^(?:{pattern})")))
});

/// Whether a text refuses or speaks of its author.
pub fn is_refusal(text: &str) -> bool {
    let plain = text.to_lowercase().replace('’', "'");
    // Headings may contain such phrases.
    let paragraphs = plain.lines().filter(|line| !line.starts_with("##"));
    let mut paragraphs =
        paragraphs.map(|line| line.trim_start_matches(|c: char| !(c.is_alphanumeric() || QUOTES.contains(&c))));
    let begins = |line: &str| {
        REFUSALS.iter().any(|words| line.starts_with(words))
            || PATTERNS.as_ref().is_some_and(|told| told.is_match(line))
    };
    let first = paragraphs.by_ref().filter(|line| !line.is_empty()).take(PARAGRAPHS).any(begins);
    first || GIVEAWAYS.iter().any(|words| says(&plain, words))
}

/// Whether a text says a phrase itself, and does not quote it.
fn says(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, _)| !text[..at].ends_with(QUOTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_what_was_asked_for() {
        for text in [
            "I'm sorry, but I can't help with that request.",
            "I'm sorry, but I can't",
            "I'm sorry, but I can't help with moorings.",
            "죄송하지만 계류에 대한 글은 쓸 수 없습니다.",
            "I’m sorry, I can’t assist with that.",
            "Sorry, but I cannot write this article.",
            "I can't help you with this.",
            "I cannot fulfill your request.",
            "I'm unable to write about this topic.",
            "I'm afraid I can't create this content.",
            "I am unable to access the passages.",
            "I must decline.",
            "I have to decline to write this.",
            "Unfortunately, I don't have access to the passages.",
            "I'm sorry, but the provided passages say nothing of scans.",
            "I'm sorry, but as an AI I have no opinion.",
            "I don't have enough information to write this article.",
            "I need more information about your business.",
            "Could you please provide the passages you want me to use?",
            "It looks like you haven't provided any passages.",
            "As an AI assistant, I have no opinion.",
            "# Scans\n\nI'm sorry, but I can't help.",
            "Scans are read twice. I don't have access to real-time data.",
            "Tut mir leid, aber ich kann diesen Text nicht schreiben.",
            "Lo siento, pero no puedo ayudarte con eso.",
            "很抱歉，我无法提供帮助。",
            "申し訳ありませんが、その記事は作成できません。",
        ] {
            assert!(is_refusal(text), "{text}");
        }
    }

    #[test]
    fn people_are_sorry_and_cannot_too() {
        for text in [
            "Skippers have access to real-time tide data.",
            "I can't help but notice how full the harbour is.",
            "I cannot help but smile.",
            "I'm sorry, but most advice on mooring is wrong.",
            "I am sorry, but your anchor is too small.",
            "Sorry, but I can tell you from experience that it pays.",
            "I'm sorry, but I can't stop talking about this boat.",
            "I cannot write code, and I still shipped an app.",
            "I can't create more hours in a day, but I can spend them better.",
            "I am unable to sleep before a regatta.",
            "I won't be able to see my berth from here, I thought.",
            "I need more information, said every patient we asked.",
            "It looks like you haven't backed up for a month.",
            "Could you please provide an invoice?",
            "As an AI assistant for clinics, Acme reads every scan.",
            "As an artificial intelligence company, we know.",
            "\"I can't help with that\" is what most harbours say.",
            "They told us: \"I cannot assist with that.\"",
            "Unfortunately, I can't be there on Sunday.",
            "Es tut mir leid, aber ich liebe dieses Boot.",
            "申し訳ありませんが、本日は定休日です。",
            "죄송하지만 오늘은 쉽니다.",
        ] {
            assert!(!is_refusal(text), "{text}");
        }
    }
}
