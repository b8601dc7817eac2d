//! A sound file of each type: what is cut off, and what mutations begin with.

use crate::docx::{self, MAIN, document, paragraph};
use crate::pdf::{self, FONT, FONTS, stream};
use crate::{html, pieces};

/// A sound file of the type with this extension: `html`, `md`, `pdf` or `docx`; or what poppler's
/// programs print of a PDF, `layout` or `outline`.
///
/// # Panics
/// There is no such type.
pub fn sound(extension: &str) -> Vec<u8> {
    match extension {
        "html" => page(),
        "md" => text(),
        "pdf" => portable(),
        "docx" => docx::archive(&parts()),
        "layout" => layout(),
        "outline" => outline(),
        other => panic!("there is no type {other}"),
    }
}

fn sentence(number: usize) -> String {
    format!("Ferry {number} leaves the harbour at {} o’clock and is back before dusk.", number % 12 + 1)
}

fn page() -> Vec<u8> {
    let section = |n| {
        format!(
            "<section><h2>Line {n}</h2><p>{} <b>Book <i>early</i></b>: <a href=\"/lines/{n}?a=1&amp;b=2\">tickets</a>.\
             <ul><li>Adults &mdash; {n} €<li>Children<ol start=3><li>free</ol></ul>\
             <table><thead><tr><th>From<th>To</thead><tr><td colspan=2>Pier {n}<tr><td>A<td>B</table>\
             <pre><code>line {n}</code></pre><blockquote>So calm.</blockquote></section>",
            sentence(n)
        )
    };
    html(&format!(
        "<nav>Menu</nav><main><h1>Ferries</h1>{}</main><!-- end --><script>let a = 1 < 2;</script>",
        pieces(6, section)
    ))
}

fn text() -> Vec<u8> {
    let section = |n| {
        format!(
            "## Line {n}\n\n{} *Book **early***: [tickets](/lines/{n} \"Buy\").\n\n- Adults\n  1. Monday\n- Children\n\n\
             | From | To |\n| --- | :-: |\n| Pier | `Quay` |\n\n```\nline {n}\n```\n\n> So calm.\n\n",
            sentence(n)
        )
    };
    format!("---\ntitle: Ferries\n---\n# Ferries\n\n{}[a]: /b\n", pieces(6, section)).into_bytes()
}

fn portable() -> Vec<u8> {
    let pages = 12_u32;
    let kids: String = (0..pages).map(|n| format!("{} 0 R ", 10 + 2 * n)).collect();
    let mut objects = vec![
        pdf::object(1, "<</Type/Catalog/Pages 2 0 R>>"),
        pdf::object(
            2,
            format!("<</Type/Pages/Kids[{kids}]/Count {pages}/Resources<<{FONTS}>>/MediaBox[0 0 612 792]>>"),
        ),
        pdf::object(5, FONT),
    ];
    for n in 0..pages {
        let lines = pieces(30, |line| {
            let y = 760 - 14 * line;
            let text = sentence(line + n as usize).replace('’', "\\222");
            format!("BT /F1 {} Tf 72 {y} Td ({text}) Tj ET\n", if line == 0 { 18 } else { 11 })
        });
        objects.push(pdf::object(10 + 2 * n, format!("<</Type/Page/Parent 2 0 R/Contents {} 0 R>>", 11 + 2 * n)));
        objects.push((11 + 2 * n, stream(lines.as_bytes(), "")));
    }
    pdf::file(&objects)
}

/// As `pdftotext -bbox-layout` prints it.
fn layout() -> Vec<u8> {
    let word = |text: &str| format!("<word xMin=\"72.0\" yMin=\"60.5\" xMax=\"99.25\" yMax=\"72.5\">{text}</word>\n");
    let line = |n| {
        let words: String = sentence(n).split(' ').map(word).collect();
        format!(
            "<line xMin=\"72.0\" yMin=\"60.5\" xMax=\"540.0\" yMax=\"72.5\">\n{words}{}</line>\n",
            word("A&amp;&#246;")
        )
    };
    let page = |_| {
        let lines = pieces(5, line);
        format!(
            "<page width=\"612.0\" height=\"792.0\">\n<flow>\n<block xMin=\"72.0\">\n{lines}</block>\n</flow>\n</page>\n"
        )
    };
    let head = "<!DOCTYPE html><html xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<title></title>\n</head>\n<body>\n<doc>\n";
    format!("{head}{}</doc>\n</body>\n</html>\n", pieces(3, page)).into_bytes()
}

/// As `pdftohtml -xml` prints it, behind the text of a page.
fn outline() -> Vec<u8> {
    let text = |n| {
        let text = sentence(n);
        format!("<text top=\"1{n}\" left=\"72\" width=\"400\" height=\"18\" font=\"0\"><b>{n}.</b> {text}</text>\n")
    };
    let item = |n| {
        let inner = format!("<outline>\n<item page=\"2\">Prices &amp; {n}</item>\n</outline>\n");
        format!("<item page=\"{}\">{n}. {}</item>\n{inner}", n % 2 + 1, sentence(n))
    };
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE pdf2xml SYSTEM \"pdf2xml.dtd\">\n<pdf2xml>\n<page number=\"1\">\n";
    let (page, items) = (pieces(6, text), pieces(6, item));
    format!("{head}{page}</page>\n<outline>\n{items}</outline>\n</pdf2xml>\n").into_bytes()
}

/// The parts of a sound Word file.
pub(crate) fn parts() -> Vec<(&'static str, Vec<u8>)> {
    let section = |n| {
        format!(
            "<w:p><w:pPr><w:pStyle w:val=\"H\"/></w:pPr><w:r><w:t>Line {n}</w:t></w:r></w:p>{}\
             <w:p><w:pPr><w:numPr><w:ilvl w:val=\"1\"/><w:numId w:val=\"1\"/></w:numPr></w:pPr><w:r><w:t xml:space=\"preserve\"> \
             Adults </w:t><w:tab/><w:t>&amp; children</w:t><w:footnoteReference w:id=\"2\"/></w:r></w:p>\
             <w:tbl><w:tr><w:tc>{}</w:tc><w:tc><w:tcPr><w:gridSpan w:val=\"2\"/></w:tcPr>{}</w:tc></w:tr></w:tbl>\
             <w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:rPr><w:vanish/></w:rPr>\
             <w:t>hidden</w:t></w:r></w:ins><w:r><w:txbxContent>{}</w:txbxContent></w:r></w:p>",
            paragraph(&sentence(n)),
            paragraph("Pier"),
            paragraph("Quay"),
            paragraph("A box")
        )
    };
    let styles = "<w:styles xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\">\
        <w:style w:type=\"paragraph\" w:styleId=\"B\"><w:name w:val=\"heading 1\"/><w:pPr><w:outlineLvl w:val=\"0\"/></w:pPr>\
        </w:style><w:style w:styleId=\"H\"><w:basedOn w:val=\"B\"/></w:style></w:styles>";
    let notes = "<w:footnotes xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\">\
        <w:footnote w:id=\"2\"><w:p><w:r><w:t>In summer.</w:t></w:r></w:p></w:footnote></w:footnotes>";
    let targets = [("styles", "styles.xml"), ("footnotes", "/word/footnotes.xml")];
    vec![
        ("_rels/.rels", docx::relations(&[("officeDocument", "word/document.xml")])),
        (MAIN, document(&pieces(5, section))),
        ("word/_rels/document.xml.rels", docx::relations(&targets)),
        ("word/styles.xml", styles.into()),
        ("word/footnotes.xml", notes.into()),
    ]
}
