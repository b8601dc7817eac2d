//! Patterns of other languages, for a sentence in lower case.

pub(super) fn anywhere() -> Vec<String> {
    [
        // German.
        r"\b(?:die|deine|ihre) aufgabe (?:ist|besteht darin|lautet)\b.*\b(?:text|artikel|zusammenfassung|e-?mail|beitrag)\b",
        r"^(?:der|dieser) text (?:beschreibt|erklärt|erläutert|behandelt|handelt von|fasst|thematisiert|gibt eine)\b",
        r"^(?:dieses dokument|diese zusammenfassung) (?:beschreibt|erklärt|erläutert|behandelt|fasst|gibt|bietet|liefert|soll)\b",
        r"^(?:basierend auf|laut|gemäß) (?:den|dem) (?:bereitgestellten|vorliegenden|gegebenen|angegebenen) (?:informationen|text|passagen|dokument)\b",
        // French.
        r"^(?:le|ce) texte (?:décrit|explique|présente|traite|résume|fournit|aborde|donne|parle|porte sur)\b",
        r"^ce (?:document|résumé) (?:décrit|explique|présente|traite|résume|fournit|aborde|donne|offre)\b",
        r"\b(?:la|ma|votre) tâche (?:est|consiste)(?: à| de)? (?:rédiger|écrire|résumer|créer|générer)\b",
        // Spanish.
        r"^(?:el|este) texto (?:describe|explica|presenta|trata|resume|proporciona|ofrece|aborda|habla)\b",
        r"^este (?:documento|resumen) (?:describe|explica|presenta|trata|resume|proporciona|ofrece|aborda)\b",
        r"\b(?:la|mi|tu) tarea (?:es|consiste en) (?:escribir|redactar|crear|resumir|generar)\b",
        // Italian.
        r"^(?:il|questo) testo (?:descrive|spiega|presenta|tratta|riassume|fornisce|illustra|parla|offre)\b",
        r"^questo (?:documento|riassunto) (?:descrive|spiega|presenta|tratta|riassume|fornisce|illustra|offre)\b",
        r"\bil (?:mio |tuo )?compito (?:è|consiste) (?:di |nello |nel )?(?:scrivere|redigere|riassumere|creare|generare)\b",
        // Portuguese.
        r"^(?:o|este) texto (?:descreve|explica|apresenta|trata|resume|fornece|aborda|oferece|fala)\b",
        r"^este (?:documento|resumo) (?:descreve|explica|apresenta|trata|resume|fornece|aborda|oferece)\b",
        r"\ba (?:minha |sua )?tarefa (?:é|consiste em) (?:escrever|redigir|criar|resumir|gerar)\b",
        // Dutch.
        r"^(?:de|deze) tekst (?:beschrijft|behandelt|geeft|biedt|gaat over|bespreekt|legt|vat)\b",
        r"^(?:dit document|deze samenvatting) (?:beschrijft|behandelt|geeft|biedt|bespreekt|legt|vat)\b",
        r"\bde (?:taak|opdracht) is (?:om )?.*\b(?:tekst|artikel|samenvatting|e-?mail|bericht)\b.*\bte (?:schrijven|maken|geven)\b",
        // Russian.
        r"^(?:этот |данный )?текст (?:описывает|объясняет|рассказывает|представляет|предоставляет|посвящ[её]н)",
        r"^(?:этот|данный) документ (?:описывает|объясняет|рассказывает|представляет|предоставляет|посвящ[её]н)",
        r"^в (?:этом|данном) (?:тексте|документе) (?:описыва|рассматрива|рассказыва|объясня|говорится)",
        r"(?:^|\s)задача (?:состоит в том, чтобы|—|-|–) (?:написать|составить|создать)",
        // Chinese.
        r"(?:该|本|这段|这个|上述|以上)(?:文本|文档|摘要|段落|文字)(?:主要|将|还)?(?:介绍|描述|讨论|概述|总结|阐述|提供|说明|探讨|讲述)",
        r"任务是(?:撰写|写|编写|总结|概括|创作)",
        r"根据(?:您)?(?:所)?(?:提供|给定|上述|以上)的?(?:信息|文本|资料|段落)[，,]",
        // Japanese.
        r"(?:この|本|その|上記の)(?:テキスト|要約|文章)(?:は|では).*(?:説明|紹介|述べ|概要|まとめ|提供)",
        r"タスクは.*(?:書く|作成|要約)",
        r"(?:提供|与え)られた(?:情報|テキスト|文章|文書)(?:に基づ|によ)",
    ]
    .map(str::to_owned)
    .into()
}

pub(super) fn edges() -> Vec<String> {
    [
        r"^(?:wie gewünscht,? )?hier ist (?:der|die|das|ein|eine|ihr|ihre|dein|deine) (?:\S+ ){0,2}(?:text|e-?mail|artikel|beitrag|zusammenfassung|entwurf|newsletter|blogbeitrag)(?: (?:über|zu|für)\b.*)?[:.!]?$",
        r"^ich habe (?:einen|eine|den|die) (?:\S+ ){0,2}(?:text|e-?mail|artikel|beitrag|zusammenfassung|entwurf)\b.*\b(?:geschrieben|verfasst|erstellt)\b",
        r"^voici (?:le|la|l'|un|une|votre) ?(?:\S+ ){0,2}(?:texte|e-?mail|courriel|article|résumé|brouillon|billet)(?: (?:sur|pour|de blog)\b.*)?\s?[:.!]?$",
        r"^aquí (?:está|tienes|tiene) (?:el|la|un|una|tu|su) (?:\S+ ){0,2}(?:texto|correo|correo electrónico|artículo|resumen|borrador|publicación)(?: (?:sobre|para)\b.*)?[:.!]?$",
        r"^ecco (?:il|la|l'|un|una|un') ?(?:\S+ ){0,2}(?:testo|e-?mail|articolo|riassunto|bozza|post)(?: (?:su|sul|sui|sulla|sulle|sullo|sugli|per|di)\b.*)?[:.!]?$",
        r"^aqui está (?:o|a|um|uma|seu|sua) (?:\S+ ){0,2}(?:texto|e-?mail|artigo|resumo|rascunho|post)(?: (?:sobre|para)\b.*)?[:.!]?$",
        r"^hier is (?:de|het|een|je|uw) (?:\S+ ){0,2}(?:tekst|e-?mail|artikel|samenvatting|concept|bericht|blog)(?: (?:over|voor)\b.*)?[:.!]?$",
        r"^вот (?:ваш |ваша |ваше )?(?:\S+ ){0,2}(?:текст|письмо|статья|пост|черновик)(?: (?:о|об|про|для) .*)?[:.!]?$",
        r"^以下是(?:一|为您|为你|您|关于|根据).*(?:邮件|文章|博客|文案|摘要|帖子|新闻稿|脚本)",
        r"^以下(?:は|に).*(?:メール|記事|ブログ|文章|要約|投稿)(?:です|になります|を)",
    ]
    .map(str::to_owned)
    .into()
}

pub(super) fn openings() -> Vec<String> {
    [
        r"^schreibe? (?:einen|eine|den|die) (?:\S+ ){0,2}(?:text|e-?mail|artikel|beitrag|newsletter)\b.*\b(?:über|zu)\b",
        r"^(?:rédige|rédigez|écris|écrivez) (?:un|une|le) (?:\S+ ){0,2}(?:texte|e-?mail|article|billet)\b.*\bsur\b",
        r"^(?:escribe|escriba|redacta|redacte) (?:un|una|el) (?:\S+ ){0,2}(?:texto|correo|artículo|publicación)\b.*\bsobre\b",
        r"^(?:请)?(?:撰写|写|编写)一(?:封|篇|份).*(?:关于|介绍)",
        r"(?:邮件|文章|博客|文案|記事|メール)を?(?:书写|撰写|書いて|作成して)(?:ください)?",
    ]
    .map(str::to_owned)
    .into()
}

pub(super) fn reports() -> Vec<String> {
    [
        r"^das dokument (?:beschreibt|erklärt|erläutert|behandelt|fasst|gibt|bietet)\b",
        r"^le document (?:décrit|explique|présente|traite|résume|fournit|aborde|donne|offre)\b",
        r"^el documento (?:describe|explica|presenta|trata|resume|proporciona|ofrece|aborda)\b",
        r"^il documento (?:descrive|spiega|presenta|tratta|riassume|fornisce|illustra|offre)\b",
        r"^o documento (?:descreve|explica|apresenta|trata|resume|fornece|aborda|oferece)\b",
        r"^het document (?:beschrijft|behandelt|geeft|biedt|bespreekt)\b",
        r"^документ (?:описывает|объясняет|рассказывает|представляет|посвящ[её]н)",
        r"^该(?:文章|文件)(?:主要|将|还)?(?:介绍|描述|讨论|概述|总结|阐述|提供|说明|探讨)",
        r"^(?:この|本)(?:文書|ドキュメント)(?:は|では).*(?:説明|紹介|述べ|概要|まとめ|提供)",
    ]
    .map(str::to_owned)
    .into()
}
