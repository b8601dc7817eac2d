//! Tests of the reader of Word files. The files are made here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;

use copydesk_domain::document::MediaType;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::tests::{from_file, paths, read_file};

const HEAD: &str = r#"<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>"#;
const TAIL: &str = "</w:body></w:document>";

fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, part) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(part).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn docx(body: &str) -> Vec<u8> {
    let styles = r#"<w:styles xmlns:w="x"><w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
        <w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style></w:styles>"#;
    let document = format!("{HEAD}{body}{TAIL}");
    archive(&[("word/styles.xml", styles.as_bytes()), ("word/document.xml", document.as_bytes())])
}

#[test]
fn a_word_file_is_read_by_its_headings_lists_and_tables() {
    let text = |text: &str| format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>");
    let styled = |style: &str, words: &str| {
        format!(r#"<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{words}</w:t></w:r></w:p>"#)
    };
    let item = "<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>By a model</w:t></w:r></w:p>";
    let deleted = "<w:p><w:del><w:r><w:delText>Old.</w:delText></w:r></w:del><w:r><w:t xml:space=\"preserve\">Read &amp; </w:t></w:r><w:r><w:t>signed&#33;</w:t></w:r></w:p>";
    let row = |cells: [&str; 2]| format!("<w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr>", text(cells[0]), text(cells[1]));
    let body = [
        styled("berschrift1", "Diagnostics"),
        text("Every scan is read twice."),
        styled("berschrift2", "Who reads"),
        item.to_owned(),
        deleted.to_owned(),
        styled("Heading1", "Prices"),
        format!("<w:tbl>{}{}</w:tbl>", row(["Visit", "60"]), row(["Scan", "90"])),
    ];
    let chunks = read_file(MediaType::Docx, docx(&body.concat()));
    assert_eq!(
        paths(&chunks),
        [
            ("Handbook › Diagnostics", "Every scan is read twice."),
            ("Handbook › Diagnostics › Who reads", "- By a model\n\nRead & signed!"),
            ("Handbook › Prices", "Visit | 60\nScan | 90"),
        ]
    );
}

#[test]
fn a_word_file_that_cannot_be_read_says_what_to_do() {
    let read = |file| from_file(MediaType::Docx, file);
    assert!(matches!(read(b"PK\x03\x04 and no more".to_vec()), Err(Unusable::Damaged(..))));
    assert!(matches!(read(archive(&[("xl/workbook.xml", b"<x/>")])), Err(Unusable::NotTheFormat(_))));
    assert!(matches!(read(docx("")), Err(Unusable::NoText)));
    assert!(matches!(read(archive(&[("word/document.xml", HEAD.as_bytes())])), Err(Unusable::Damaged(..))));
    assert!(matches!(read(archive(&[("word/document.xml", b"\xff\xfe\x00<")])), Err(Unusable::Damaged(..))));
    let cut = docx("<w:p><w:r><w:t>Words.</w:t></w:r></w:p>");
    assert!(read(cut[..cut.len() - 30].to_vec()).is_err());
}

#[test]
fn a_word_file_cannot_bring_entities_bombs_or_paths() {
    let entities = format!(
        r#"<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y "&x;&x;">]>{HEAD}<w:p><w:r><w:t>&x;</w:t></w:r></w:p>{TAIL}"#
    );
    let read = |parts: &[(&str, &[u8])]| from_file(MediaType::Docx, archive(parts));
    assert!(matches!(read(&[("word/document.xml", entities.as_bytes())]), Err(Unusable::Entities)));

    let bomb = vec![b' '; 17_000_000];
    let file = archive(&[("word/document.xml", &bomb)]);
    assert!(file.len() < 200_000);
    assert!(matches!(from_file(MediaType::Docx, file), Err(Unusable::TooLarge(_))));

    let boxed = "<w:p><mc:AlternateContent><mc:Choice><w:r><w:t>Once.</w:t></w:r></mc:Choice><mc:Fallback><w:r><w:t>Once.</w:t></w:r>\
        </mc:Fallback></mc:AlternateContent></w:p>";
    assert_eq!(paths(&read_file(MediaType::Docx, docx(boxed))), [("Handbook", "Once.")]);

    let deep = format!("{HEAD}{}", "<w:p>".repeat(100_000));
    assert!(matches!(read(&[("word/document.xml", deep.as_bytes())]), Err(Unusable::TooDeep(_))));

    let document = format!("{HEAD}<w:p><w:r><w:t>Words.</w:t></w:r></w:p>{TAIL}");
    let outside = "../../../../tmp/copydesk-outside";
    let chunks =
        archive(&[(outside, b"x"), ("/etc/copydesk-outside", b"x"), ("word/document.xml", document.as_bytes())]);
    assert_eq!(paths(&read_file(MediaType::Docx, chunks)), [("Handbook", "Words.")]);
    assert!(!std::path::Path::new("/tmp/copydesk-outside").exists());
}

/// The Markdown of a document with this body and further parts.
fn text_of(body: &str, parts: &[(&str, &str)]) -> String {
    let document = format!("{HEAD}{body}{TAIL}");
    let mut all = vec![("word/document.xml", document.as_bytes())];
    all.extend(parts.iter().map(|(name, part)| (*name, part.as_bytes())));
    markdown(&archive(&all)).unwrap().trim_end().to_owned()
}

fn paragraph(inner: &str) -> String {
    format!("<w:p>{inner}</w:p>")
}

fn run(text: &str) -> String {
    format!(r#"<w:r><w:t xml:space="preserve">{text}</w:t></w:r>"#)
}

fn said(text: &str) -> String {
    paragraph(&run(text))
}

#[test]
fn what_nests_stays_apart() {
    let cell = |inner: &str| format!("<w:tc>{inner}</w:tc>");
    let table = |cells: &str| format!("<w:tbl><w:tr>{cells}</w:tr></w:tbl>");
    let inner = table(&format!("{}{}", cell(&said("June")), cell(&said("July"))));
    let text_box = format!(
        "<w:r><mc:AlternateContent><mc:Choice><w:txbxContent>{0}</w:txbxContent></mc:Choice>\
         <mc:Fallback><w:txbxContent>{0}</w:txbxContent></mc:Fallback></mc:AlternateContent></w:r>",
        said("Ring twice.")
    );
    for (body, expected) in [
        (
            table(&cell(&format!("{}{}", said("We open at five"), said("Saturdays at six")))),
            "We open at five Saturdays at six",
        ),
        (
            table(&format!(
                "{}{}",
                cell(&said("Summer")),
                cell(&format!("{}{inner}{}", said("Berths"), said("Parking")))
            )),
            "Summer | Berths June, July Parking",
        ),
        (
            paragraph(&format!("{}{text_box}{}", run("The ferry leaves "), run("at seven."))),
            "The ferry leaves at seven.\n\nRing twice.",
        ),
        (format!("<w:sdt><w:sdtContent>{}</w:sdtContent></w:sdt>", said("In a control.")), "In a control."),
        (paragraph(&format!("<w:hyperlink><w:smartTag>{}</w:smartTag></w:hyperlink>", run("A link."))), "A link."),
    ] {
        assert_eq!(text_of(&body, &[]), expected, "{body}");
    }
}

#[test]
fn what_is_hidden_deleted_or_moved_away_stays_out() {
    let styles = r#"<w:styles><w:style w:styleId="Secret"><w:name w:val="Secret"/><w:rPr><w:vanish/></w:rPr></w:style>
        <w:style w:styleId="Deeper"><w:name w:val="Deeper"/><w:basedOn w:val="Secret"/></w:style></w:styles>"#;
    let styles = [("word/styles.xml", styles)];
    let with = |properties: &str| format!("<w:r><w:rPr>{properties}</w:rPr><w:t>Margin. </w:t></w:r>");
    let seen = run("Seen.");
    for hidden in [
        with("<w:vanish/>"),
        with(r#"<w:vanish w:val="true"/>"#),
        with(r#"<w:rStyle w:val="Secret"/>"#),
        with(r#"<w:rStyle w:val="Deeper"/>"#),
        format!("<w:del>{}</w:del>", with("")),
        format!("<w:moveFrom>{}</w:moveFrom>", with("")),
        "<w:r><w:instrText>Margin. </w:instrText></w:r>".to_owned(),
        // A text box in a hidden run, and what comes after it in that run.
        format!(
            "<w:r><w:rPr><w:vanish/></w:rPr><w:txbxContent>{}</w:txbxContent><w:t>Margin. </w:t></w:r>",
            said("Margin.")
        ),
        "<w:r><w:ruby><w:rt><w:r><w:t>Margin. </w:t></w:r></w:rt></w:ruby></w:r>".to_owned(),
    ] {
        assert_eq!(text_of(&paragraph(&format!("{hidden}{seen}")), &styles), "Seen.", "{hidden}");
    }
    for shown in [
        with(r#"<w:vanish w:val="0"/>"#),
        with(r#"<w:rStyle w:val="Secret"/><w:vanish w:val="false"/>"#),
        format!("<w:ins>{}</w:ins>", with("")),
        format!("<w:moveTo>{}</w:moveTo>", with("")),
        // The mark at the paragraph's end is hidden, not its text.
        format!("<w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr>{}", with("")),
    ] {
        assert_eq!(text_of(&paragraph(&format!("{shown}{seen}")), &styles), "Margin. Seen.", "{shown}");
    }
    let whole = paragraph(&format!(r#"<w:pPr><w:pStyle w:val="Deeper"/></w:pPr>{}"#, run("Margin.")));
    assert_eq!(text_of(&format!("{whole}{}", paragraph(&seen)), &styles), "Seen.");
}

#[test]
fn notes_stand_after_what_refers_to_them_each_once() {
    let note = |id: u8, text: &str| format!(r#"<w:footnote w:id="{id}">{}</w:footnote>"#, said(text));
    let unreferred = format!("<w:footnote>{}</w:footnote>", said("Nobody refers to it."));
    let footnotes = format!(
        r#"<w:footnotes><w:footnote w:type="separator" w:id="0">{}</w:footnote>{}{}{}{}</w:footnotes>"#,
        said("A line."),
        note(1, "Except in March."),
        note(2, "By cash."),
        note(3, "Its reference was deleted."),
        unreferred,
    );
    let endnote = |id: u8, text: &str| format!(r#"<w:endnote w:id="{id}">{}</w:endnote>"#, said(text));
    let endnotes = format!(
        "<w:endnotes>{}{}</w:endnotes>",
        endnote(1, "Since 1960."),
        endnote(2, "Its reference was deleted, too.")
    );
    let refer = |kind: &str, id: u8| format!(r#"<w:r><w:{kind}Reference w:id="{id}"/></w:r>"#);
    let first = paragraph(&format!("{}{}{}", run("We sail."), refer("footnote", 1), refer("endnote", 1)));
    let deleted = paragraph(&format!("<w:del>{}{}</w:del>", refer("footnote", 3), refer("endnote", 2)));
    let table = format!(
        "<w:tbl><w:tr><w:tc>{}</w:tc></w:tr></w:tbl>",
        paragraph(&format!("{}{}{}", run("40 euro"), refer("footnote", 2), refer("footnote", 1)))
    );
    let parts = [("word/footnotes.xml", footnotes.as_str()), ("word/endnotes.xml", endnotes.as_str())];
    let expected = "We sail.\n\nExcept in March.\n\nSince 1960.\n\n40 euro\n\nBy cash.\n\nNobody refers to it.";
    assert_eq!(text_of(&format!("{first}{deleted}{table}"), &parts), expected);
}

#[test]
fn headings_are_told_by_names_levels_and_the_styles_that_they_are_based_on() {
    let styles = r#"<w:styles>
        <w:style w:styleId="a"><w:name w:val="Chapter"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
        <w:style w:styleId="b"><w:name w:val="Own"/><w:basedOn w:val="a"/></w:style>
        <w:style w:styleId="c"><w:name w:val="Circle"/><w:basedOn w:val="d"/></w:style>
        <w:style w:styleId="d"><w:name w:val="Circle too"/><w:basedOn w:val="c"/></w:style>
        <w:style w:styleId="e"><w:name w:val="List Bullet"/><w:pPr><w:numPr/></w:pPr></w:style></w:styles>"#;
    let styled = |properties: &str| paragraph(&format!("<w:pPr>{properties}</w:pPr>{}", run("Prices")));
    let style = |id: &str| styled(&format!(r#"<w:pStyle w:val="{id}"/>"#));
    for (body, expected) in [
        (style("a"), "## Prices"),
        (style("b"), "## Prices"),
        (style("c"), "Prices"),
        (style("e"), "- Prices"),
        (style("Heading3"), "### Prices"),
        (styled(r#"<w:outlineLvl w:val="0"/>"#), "# Prices"),
        (styled(r#"<w:pStyle w:val="a"/><w:outlineLvl w:val="9"/>"#), "Prices"),
        (said("# Prices"), "\\# Prices"),
    ] {
        assert_eq!(text_of(&body, &[("word/styles.xml", styles)]), expected, "{body}");
    }
}

#[test]
fn parts_are_found_by_the_relations_and_elements_by_their_namespaces() {
    let relation = |kind: &str, target: &str| {
        format!(
            r#"<Relationships><Relationship Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}" Target="{target}"/></Relationships>"#
        )
    };
    let document = |prefix: &str, namespace: &str| {
        format!(
            r#"<{prefix}document xmlns{0}="{namespace}"><{prefix}body><{prefix}p><{prefix}r><{prefix}t>Words.</{prefix}t></{prefix}r></{prefix}p></{prefix}body></{prefix}document>"#,
            if prefix.is_empty() { String::new() } else { format!(":{}", prefix.trim_end_matches(':')) }
        )
    };
    let word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    let strict = "http://purl.oclc.org/ooxml/wordprocessingml/main";
    for (target, name) in
        [("word/document2.xml", "word/document2.xml"), ("/main.xml", "main.xml"), ("./a/../b.xml", "b.xml")]
    {
        for (prefix, namespace) in [("w:", word), ("ns0:", word), ("", word), ("w:", strict)] {
            let (relations, document) = (relation("officeDocument", target), document(prefix, namespace));
            let file = archive(&[("_rels/.rels", relations.as_bytes()), (name, document.as_bytes())]);
            assert_eq!(markdown(&file).unwrap().trim(), "Words.", "{target} {prefix} {namespace}");
        }
    }
    // Another vocabulary's elements of the same name hold no text.
    let drawing = format!(
        r#"{HEAD}<a:p xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:t>x</a:t></a:p>{}{TAIL}"#,
        said("Words.")
    );
    assert_eq!(markdown(&archive(&[("word/document.xml", drawing.as_bytes())])).unwrap().trim(), "Words.");
}
