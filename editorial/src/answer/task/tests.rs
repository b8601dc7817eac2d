use super::*;

/// What a text may be about without a word of this.
const BESIDE: &str = "Every scan is read twice, by a model and by a radiologist. Results arrive within two hours.";

/// `said` at the beginning, in the middle and at the end of a text.
fn placed(said: &str) -> [String; 3] {
    [
        format!("# Scans\n\n{said}\n\n{BESIDE}\n\n{BESIDE}"),
        format!("# Scans\n\n{BESIDE}\n\n{BESIDE} {said}\n\n{BESIDE}"),
        format!("Subject: Scans\n\nHi Ann,\n\n{BESIDE}\n\n{BESIDE}\n\n{said}"),
    ]
}

#[test]
fn what_only_a_model_says_is_told_anywhere() {
    for said in [
        "The task is to write a summary of the text, including the content of the document.",
        "Your task is to write an email about scans.",
        "The task at hand is to write a newsletter.",
        "The assignment requires you to draft a press release.",
        "The goal is to write a blog post on scans.",
        "The text provides an overview of how scans are read.",
        "This text describes how that works.",
        "**This summary** covers the main points.",
        "In this article the text discusses how scans are read.",
        "Overall, this document provides a good view of scans.",
        "In conclusion, the document provides insights into scans.",
        "In summary, the text describes two readers.",
        "This document gives an overview of the steps.",
        "The document you provided describes how scans are read.",
        "The text is an informative article about scans.",
        "The main idea of the text is that scans are read twice.",
        "This email provides information about the new scanner.",
        "The email should have a subject line and a greeting.",
        "The purpose of this email is to inform you about scans.",
        "Based on the provided information, scans are read twice.",
        "Based on passage 1, scans are read twice.",
        "Passage [1] says that scans are read twice.",
        "According to the text, scans are read twice.",
        "In this text, we look at scans.",
        "The user asked for a post on scans.",
        "Die Aufgabe ist, einen Text über Scans zu schreiben.",
        "Der Text beschreibt, wie Bilder gelesen werden.",
        "Dieses Dokument gibt einen Überblick über Scans.",
        "Le texte décrit la lecture des images.",
        "Ce document fournit un aperçu des images.",
        "El texto explica cómo se leen las imágenes.",
        "La tarea es escribir un artículo sobre imágenes.",
        "Il testo descrive come si leggono le immagini.",
        "O texto descreve como as imagens são lidas.",
        "De tekst beschrijft hoe beelden worden gelezen.",
        "Текст описывает, как читаются снимки.",
        "该文本描述了如何读取图像。",
        "このテキストは画像の読み方について説明しています。",
    ] {
        for text in placed(said) {
            assert!(speaks_of_its_task(&text), "{text}");
        }
    }
}

#[test]
fn what_a_model_says_around_its_text_is_told_there() {
    for said in [
        "Here is the email you requested about scans and how they are read twice.",
        "Here is the email",
        "Here's a short blog post about scans:",
        "As requested, here is a blog post about scans.",
        "As per your request, I have written an article on scans.",
        "I have written an article on scans.",
        "I've prepared a blog post for you",
        "Let me write a short post for you.",
        "I was asked to write an email about scans.",
        "The following is an email about scans.",
        "Below is the email for your patients.",
        "Based on the information provided, scans are read twice.",
        "Write a summary of the following text in 100 words.",
        "Hier ist der Artikel über Scans:",
        "Voici un article sur les images :",
        "Aquí tienes el artículo sobre imágenes:",
        "Ecco l'articolo sulle immagini:",
        "Aqui está o artigo sobre imagens:",
        "Hier is het artikel over beelden:",
        "Вот статья о снимках:",
        "以下是一篇关于扫描的博客文章：",
    ] {
        let [first, _, last] = placed(said);
        assert!(speaks_of_its_task(&first) && speaks_of_its_task(&last), "{said}");
        assert!(speaks_of_its_task(said), "{said}");
    }
}

#[test]
fn a_text_that_speaks_of_tasks_again_and_again_is_told_and_a_story_of_one_is_not() {
    let lost = "Acme reads scans. This is a task to do something with words.\n\nThe task is to create a plan for someone. The \
        plan helps them.\n\nThis task is about people. Everybody has problems that they solve.";
    assert!(speaks_of_its_task(lost));
    assert!(!speaks_of_its_task_and_not_of(lost, "How to plan a task at work"));
    let story = "Acme reads scans. In 2019 two readers were asked for help.\n\nThe task is finding what others miss. They \
        read for a year.\n\nToday nobody waits for more than a day.";
    assert!(!speaks_of_its_task(story));
}

#[test]
fn what_a_text_may_say_once_is_told_where_it_begins_or_says_it_again() {
    for said in [
        "The document outlines the steps that a clinic takes.",
        "The passage mentions two readers.",
        "The article discusses two readers.",
        "The author explains that scans are read twice.",
        "Das Dokument beschreibt, wie Bilder gelesen werden.",
        "Le document fournit un aperçu des images.",
    ] {
        let [first, middle, _] = placed(said);
        assert!(speaks_of_its_task(&first), "{said}");
        assert!(!speaks_of_its_task(&middle), "{said}");
        assert!(speaks_of_its_task(&format!("{middle}\n\n{said}")), "{said}");
    }
    for said in [
        "Write an email about the harbour and its berths.",
        "The tone of the text is friendly and professional.",
        "The document should include the price of each scan.",
        "The summary should be written in the third person.",
    ] {
        let [first, middle, _] = placed(said);
        assert!(speaks_of_its_task(&first) && !speaks_of_its_task(&middle), "{said}");
    }
}

#[test]
fn a_text_on_documents_says_what_they_contain() {
    let said = "The document outlines the steps. The document describes each of them.";
    assert!(
        speaks_of_its_task(said)
            && speaks_of_its_task_and_not_of(said, "Scans")
            && speaks_of_its_task_and_not_of(said, "Write a document about scans")
    );
    assert!(!speaks_of_its_task_and_not_of(said, "How documents are signed"));
    assert!(speaks_of_its_task_and_not_of("Your task is to write a document.", "How documents are signed"));
}

#[test]
fn texts_about_texts_and_their_own_contents_are_not() {
    for said in [
        "Our task was to rebuild it in one winter.",
        "The task was to move 4,000 files in a night.",
        "The task is simple: write us an email.",
        "As requested, we now open on Sundays as well.",
        "As per your request, we moved your berth.",
        "The goal of this article is to help you choose.",
        "The purpose of the newsletter is to keep you up to date.",
        "I've written a blog post about this before.",
        "Last year I was asked to write an article about scans.",
        "Send us the document. The document must include your name.",
        "See the contents of the document before you sign it.",
        "The user requested a dark mode; we built it.",
        "Here's a quick summary of the week:",
        "Here is the answer:",
        "The passage is a short walk from the station.",
        "La tarea es sencilla.",
        "Das Dokument enthält alle Fristen.",
        "Le document doit être signé.",
        "This post explains how we moved to a new database.",
        "In this article, we look at how scans are read.",
        "This guide covers the first week.",
        "Sign the document and send it back.",
        "Open the document in the editor, and the text appears on the left.",
        "The document is signed by both parties within a day.",
        "You see the text as your readers do.",
        "Highlight the text that you want to change.",
        "Text messages remind patients of their visit.",
        "The task of a radiologist is to look twice.",
        "Our goal is to create a web that is safe for all.",
        "The purpose of the visit is to see the whole picture.",
        "Here is the thing: most scans are fine.",
        "Here are three reasons to look twice:",
        "Here's what we learned in a year:",
        "Here is how a draft becomes a post.",
        "I'll write to you next week.",
        "Write a letter to your representative about it.",
        "Let me tell you a story.",
        "The user wants speed, and gets it.",
        "In the summary of the year, sales rose by a tenth.",
        "Search finds every document that mentions a name.",
        "The tone of our brand is warm.",
        "As you asked us in March, the shop opens on Sundays.",
        "A summary of the results is on page two.",
        "Use `the text provides` as a name.",
        "The contents of the box fit on one shelf.",
        "The following are open on Sundays: the shop and the bar.",
        "Based on the information provided by our patients, we open earlier.",
        "In the following article, we look at how scans are read.",
        "The above information is intended to help you choose.",
        "This email contains information about your booking.",
        "Here's a thread about how we halved the wait:",
        "Here is your weekly newsletter.",
        "I've written a blog post on how we did it; the link is in the comments.",
        "Create a landing page for your boat in ten minutes.",
        "Generate a product description for every item in your shop.",
        "Write a blog post that people finish.",
        "Draft an email about anything in seconds.",
    ] {
        assert!(!speaks_of_its_task(said), "{said}");
        for text in placed(said) {
            assert!(!speaks_of_its_task(&text), "{text}");
        }
    }
}
