//! Tests of the HTML reader.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::depth::MAX_DEPTH;
use super::*;

fn markdown(html: &str) -> Result<String, Unusable> {
    super::markdown(html, &mut Warnings::default())
}

/// Each page and the Markdown of it.
fn check(cases: &[(&str, &str)]) {
    for (page, expected) in cases {
        assert_eq!(markdown(page).unwrap(), *expected, "{page}");
    }
}

/// `n` different sentences, each a paragraph.
fn paragraphs(n: usize, about: &str) -> String {
    let sentence =
        |n| format!("<p>Sentence {n} of the text about {about}, with a comma, says what is worth a line.</p>");
    (0..n).map(sentence).collect()
}

#[test]
fn what_stands_around_a_page_goes() {
    check(&[
        (
            "<body><header>Acme <a href=/>Home</a></header><nav>Menu</nav><main><header><h1>Care</h1></header>\
                <p>We scan.</p></main><footer>Imprint</footer></body>",
            "# Care\n\nWe scan.",
        ),
        ("<body><h1>Care</h1><p>We scan.<aside>Ad</aside><footer>Imprint</footer></body>", "# Care\n\nWe scan."),
        ("<header><h1>Care</h1></header><main><p>We scan.</main>", "# Care\n\nWe scan."),
        ("<ul><li><a>Home</a><li><a>Shop</a><li><a>Us</a></ul><p>We scan.", "We scan."),
        ("<main><ul><li><a>Lamp</a><li><a>Desk</a><li><a>Chair</a></ul></main>", "- Lamp\n- Desk\n- Chair"),
        ("<p>We scan.<div id=cookie-banner class=box><p>We use cookies.<button>Accept</button></div>", "We scan."),
        ("<p>We bake.<div class=cookie-card>Oat cookies</div>", "We bake.\n\nOat cookies"),
        ("<div role=navigation>Menu</div><p>We scan.", "We scan."),
    ]);
}

#[test]
fn a_part_does_not_stand_for_the_page() {
    check(&[
        (
            "<body><div><h1>Title</h1><p>The whole story stands outside of it, long and full.</p></div>\
                <article>Read this too</article></body>",
            "# Title\n\nThe whole story stands outside of it, long and full.\n\nRead this too",
        ),
        ("<p>The story is told at length here.</p><main></main>", "The story is told at length here."),
        ("<article>One</article><article>Two</article>", "One\n\nTwo"),
    ]);
}

#[test]
fn an_article_is_told_from_its_surroundings_and_keeps_its_title() {
    let links = "<li><a href=/x>Another story of today</a></li>".repeat(30);
    let article = |head: &str, title: &str| {
        let story = paragraphs(12, "the ferry");
        let comments = format!("<div class=comments>{}</div>", paragraphs(12, "a reader's mood"));
        format!(
            "<html><head><title>The ferry sails again | Harbour News</title>{head}</head><body>\
                <div class=masthead><a href=/>Harbour News</a></div>{title}<div id=story class=article-body>{story}</div>\
                <div class=sidebar><ul>{links}</ul></div>{comments}</body></html>"
        )
    };
    let published = "<meta property=article:published_time content=2026-11-27>";
    let read = markdown(&article(published, "<div class=top><h1>The ferry sails again</h1></div>")).unwrap();
    assert!(read.starts_with("# The ferry sails again\n\nSentence 0 of the text about the ferry"), "{read}");
    assert_eq!(read.matches("The ferry sails again").count(), 1, "{read}");
    assert!(read.contains("Sentence 11 of the text about the ferry"), "{read}");
    assert!(!read.contains("Another story") && !read.contains("mood"), "{read}");
}

#[test]
fn a_page_of_sections_keeps_them() {
    let section = |n: usize| {
        let text = paragraphs(3, &format!("service {n}"));
        format!("<section class=section-{n}><div><h2>Service {n}</h2>{text}</div></section>")
    };
    let sections: String = (0..6).map(section).collect();
    let page = format!("<title>Acme</title><h1>We mow lawns</h1><p>Every day of the week.</p>{sections}");
    let read = markdown(&page).unwrap();
    assert!(read.starts_with("# We mow lawns\n\nEvery day of the week."), "{read}");
    for n in 0..6 {
        assert!(read.contains(&format!("## Service {n}\n\nSentence 0")), "{read}");
        assert!(read.contains(&format!("Sentence 2 of the text about service {n},")), "{read}");
    }
}

#[test]
fn an_extract_without_much_of_the_page_is_no_main_content() {
    let parts = format!(
        "<div id=story><h2>Lamps</h2>{}</div><div class=related><h2>Desks</h2>{}</div>",
        paragraphs(20, "lamps"),
        paragraphs(10, "desks")
    );
    let read = markdown(&parts).unwrap();
    assert!(read.contains("## Desks\n\nSentence 0 of the text about desks"), "{read}");
    let published = "<meta property=article:published_time content=2026-11-27>";
    let read = markdown(&format!("{published}{parts}")).unwrap();
    assert!(read.contains("about lamps") && !read.contains("about desks"), "{read}");
}

#[test]
fn a_section_is_no_noise_by_its_name() {
    let story = paragraphs(30, "the kitchen");
    let menu = "<section id=menu><h2>Menu</h2><p>Cod with butter, potatoes and dill, 24 euro.</section>";
    let read = markdown(&format!("<h1>Quay Kitchen</h1><section><h2>About</h2>{story}</section>{menu}")).unwrap();
    assert!(read.ends_with("## Menu\n\nCod with butter, potatoes and dill, 24 euro."), "{read}");
}

#[test]
fn links_are_their_text_and_images_nothing() {
    check(&[
        ("<p>Read <a href='https://x.example/a?b' title=t>our <b>prices</b></a> first.", "Read our **prices** first."),
        ("<p>Care <img src=a.png alt='A nurse'> for you.", "Care for you."),
        ("<p><a href=/a>One</a><a href=/b>Two</a>", "One Two"),
        ("<p>See <a href=/a><svg><text>icon</text></svg>prices</a>.", "See prices."),
    ]);
}

#[test]
fn an_image_that_loads_late_is_no_text() {
    let figure = "<figure data-src=https://x.example/a.jpg><figcaption>The quay</figcaption></figure>";
    let story = paragraphs(20, "the quay");
    let read = markdown(&format!("<h1>Quay</h1><div>{figure}{story}</div>")).unwrap();
    assert!(read.starts_with("# Quay\n\nThe quay\n\nSentence 0") && !read.contains("x.example"), "{read}");
}

#[test]
fn what_nobody_sees_is_not_read() {
    check(&[
        ("<p>Seven.<p hidden>Five.", "Seven."),
        ("<p>Seven.<div style='color:red; DISPLAY : None !important'><p>Five.</div>", "Seven."),
        ("<p>Seven.<p style=visibility:hidden>Five.", "Seven."),
        ("<p>Seven.<p style='display:block;background:none'>Eight.", "Seven.\n\nEight."),
        ("<p>Seven.<div hidden=until-found>Eight.</div>", "Seven.\n\nEight."),
        ("<p>Seven.<noscript><p>Turn on JavaScript.</noscript><template><p>Five.</template>", "Seven."),
        ("<p>Seven.<dialog>Five.</dialog><dialog open>Eight.</dialog>", "Seven.\n\nEight."),
        (
            "<p>Seven. <i class='material-icons' aria-hidden=true>home</i><span aria-hidden=true>Eight.</span>",
            "Seven. Eight.",
        ),
        ("<body style='visibility:hidden'><p>Seven.", "Seven."),
        ("<details><summary>When?</summary><p>At seven.</details>", "When?\n\nAt seven."),
    ]);
}

#[test]
fn an_element_is_no_noise_by_its_name() {
    check(&[
        (
            "<form method=post><input type=hidden name=__VIEWSTATE value=x><div><h1>The marina</h1>\
                <p>It has sixty berths.</p></div></form><p>Copyright Marina.</p>",
            "# The marina\n\nIt has sixty berths.\n\nCopyright Marina.",
        ),
        ("<h3><button>What does it cost?</button></h3><div>Forty euro.</div>", "### What does it cost?\n\nForty euro."),
        ("<p>Click <button>Send</button>, then wait.", "Click Send , then wait."),
        ("<p>Country <select><option>Andorra<option>Belgium</select> <textarea>Text</textarea>", "Country"),
        ("<blockquote>Well said.<footer>Ada</footer></blockquote>", "> Well said.\n> \n> Ada"),
    ]);
}

#[test]
fn a_whole_page_in_a_form_is_an_article_too() {
    let story = paragraphs(20, "the marina");
    let page =
        format!("<form id=aspnetForm><input type=hidden><h1>Marina</h1><div>{story}<button>Go</button></div></form>");
    let read = markdown(&page).unwrap();
    assert!(read.starts_with("# Marina\n\nSentence 0 of") && read.contains("Sentence 19 of"), "{read}");
}

#[test]
fn a_row_of_a_table_stays_a_row() {
    check(&[
        (
            "<table><caption>Nightly</caption><tr><td>Season<td>Price<tr><td>Summer<td><p>40 euro<p>with power\
                <tr><td colspan=2>Dogs travel free</table>",
            "Nightly\nSeason | Price\nSummer | 40 euro with power\nDogs travel free",
        ),
        (
            "<table><thead><tr><th>Plan<th>Price</thead><tbody><tr><th>Basic<td>9</tbody><tfoot><tr><td>Tax<td>2</table>",
            "Plan | Price\nBasic | 9\nTax | 2",
        ),
        ("<p>Before.<table><tr><td>A<td>B<td></table>After.", "Before.\n\nA | B\n\nAfter."),
        ("<table><tr><td>A<td><td>C<tr><td><td>B</table>", "A |  | C\n| B"),
        (
            "<table><tr><td>Plan<td><h4>Basic</h4><ul><li>one<li>two</ul><tr><td>Price<td>9<br>a month</table>",
            "Plan | Basic one two\nPrice | 9 a month",
        ),
        (
            "<table><tr><td rowspan=2>Summer<td>tent<td>20<tr><td>van<td>40<tr><td>Winter<td>van<td>30</table>",
            "Summer | tent | 20\nSummer | van | 40\nWinter | van | 30",
        ),
        (
            "<table><tr><td>Berth<td rowspan=3>40<tr><td>Mooring<tr><td>Anchor</table>",
            "Berth | 40\nMooring | 40\nAnchor | 40",
        ),
    ]);
}

#[test]
fn a_table_that_lays_out_the_page_is_no_table() {
    check(&[
        ("<table><tr><td><h1>Care</h1><p>We scan.<p>Daily.</table>", "# Care\n\nWe scan.\n\nDaily."),
        (
            "<table><tr><td>Menu<td><h1>Care</h1><table><tr><td>Scan<td>90</table><p>Daily.</table>",
            "Menu\n\n# Care\n\nScan | 90\n\nDaily.",
        ),
    ]);
    let column = paragraphs(8, "the harbour");
    let read = markdown(&format!("<table><tr><td>Left<td><h2>Harbour</h2>{column}</table>")).unwrap();
    assert!(read.starts_with("Left\n\n## Harbour\n\nSentence 0") && read.contains("\n\nSentence 7"), "{read}");
}

#[test]
fn hostile_spans_are_bounded() {
    let row = "<tr><td rowspan=1000 colspan=1000>a<td>b";
    let read = markdown(&format!("<table>{}</table>", row.repeat(400))).unwrap();
    assert!(read.len() < 100_000, "{}", read.len());
}

#[test]
fn a_fragment_or_a_broken_page_gives_its_text() {
    check(&[
        ("no tags at all", "no tags at all"),
        ("<td>Summer</td><td>40 euro</td>", "Summer40 euro"),
        ("</div></p>Text<p>never closed <b>bold", "Text\n\nnever closed **bold**"),
        ("<html><head><title>T</title><p>In the head", "In the head"),
        ("<frameset><frame></frameset><noframes>x</noframes>", ""),
        ("<!-- <p>Draft --><p>Text<!-- never closed", "Text"),
    ]);
}

#[test]
fn nesting_is_bounded_and_left_out_ends_are_no_nesting() {
    for deep in ["<div>", "<b id=x></i>", "<ul><li>", "<x><!--</x>-->", "<x.y>", "<optgroup>", "<X/>"] {
        let page = format!("<body>{}", deep.repeat(100_000));
        assert!(depth::check(&page).is_err(), "{deep} is parsed");
        assert!(matches!(markdown(&page), Err(Unusable::TooDeep(MAX_DEPTH))), "{deep}");
    }
    // These are seen in the tree only.
    for (start, deep) in [("<svg>", "<td>"), ("", "<x a='</x>'>")] {
        let page = format!("{start}{}", deep.repeat(MAX_DEPTH + 2));
        assert!(depth::check(&page).is_ok(), "{deep} is refused by its tags");
        assert!(matches!(markdown(&page), Err(Unusable::TooDeep(MAX_DEPTH))), "{deep}");
    }
    let old = format!("<table>{}</table>", "<tr><td><font>One.<td>Two.".repeat(MAX_DEPTH + 1));
    markdown(&old).unwrap();
    let script = format!("<p>Text.<script>{}</script>", "'<b>'".repeat(10_000));
    assert_eq!(markdown(&script).unwrap(), "Text.");
    markdown(&"<p>One.<li>Two.<br><div>Three.</div>".repeat(1_000)).unwrap();
    let nested = format!("{}Deep.{}", "<div>".repeat(MAX_DEPTH - 1), "</div>".repeat(MAX_DEPTH - 1));
    assert_eq!(markdown(&nested).unwrap(), "Deep.");
}

/// How many characters all elements of a page hold, each of them with what it is within: what looks
/// at the text of each element takes that long.
fn work(page: &Document) -> usize {
    page.select("*").nodes().iter().map(|node| node.text().chars().count()).sum()
}

#[test]
fn a_text_deep_inside_costs_little_more_than_a_flat_one() {
    // A part of each level, around the next.
    for (open, close) in [
        ("<div>", "</div>"),
        ("<div><p>Level.</p>", "</div>"),
        ("<section><h2>Level.</h2>", "</section>"),
        ("<blockquote>Level.", "</blockquote>"),
        ("<ul><li>Level.", "</ul>"),
        ("<table><tr><td>Level.<td>", "</table>"),
        ("<article class=x><header>Level.</header>", "</article>"),
        ("<font>Level.", "</font>"),
        ("<form></form><center><dl><dd>Level.", "</dl></center>"),
        ("<x-y hidden=until-found>Level.", "</x-y>"),
    ] {
        let levels = (MAX_DEPTH - 20) / open.matches('<').count();
        let text = format!("{}Two <b>ends</b>.", paragraphs(30, "the quay"));
        let html = format!("{}<i>First</i>{text}{}", open.repeat(levels), close.repeat(levels));
        let page = parse(&html);
        let words = |page: &Document| page.text().split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        let (before, expected) = (work(&page), words(&page).replace(' ', ""));
        depth::flatten(&page);
        assert_eq!(words(&page).replace(' ', ""), expected, "{open}");
        let most = page.text().chars().count() * (depth::MAX_SHAPED_DEPTH + 10);
        assert!(before > most && work(&page) <= most, "{open}: {before}, {}, {most}", work(&page));
        let read = markdown(&html).unwrap();
        assert!(
            read.contains("Sentence 29 of the text about the quay") && read.contains("Two ends."),
            "{open}: {read}"
        );
        assert!(read.len() < 40 * html.len(), "{open}: {}", read.len());
    }
}

#[test]
fn words_of_what_is_dissolved_stay_apart() {
    let levels = depth::MAX_SHAPED_DEPTH;
    let page = format!("{}<ul><li>One<li>Two<b>Three</b></ul><p>Four", "<div>".repeat(levels));
    assert_eq!(markdown(&page).unwrap().split_whitespace().collect::<Vec<_>>(), ["One", "TwoThree", "Four"]);
    let page = format!("{}<ul><li>One<li>Two<b>Three</b></ul>", "<div>".repeat(levels - 10));
    assert_eq!(markdown(&page).unwrap(), "- One\n- Two**Three**");
}

#[test]
fn a_page_of_which_the_text_is_lost_among_links_is_told() {
    let links = |n: usize| format!("<div>{}</div>", "<a href=/x>Another story of today</a> ".repeat(n));
    let teasers = |n: usize| format!("<div class=related>{}{}</div>", links(n), paragraphs(10, "other news"));
    let story = |n: usize| format!("<div id=story><h2>Lamps</h2>{}</div>", paragraphs(n, "lamps"));
    for (page, is_told) in [
        // An extract that is too small: with and without links around it.
        (format!("{}{}", story(20), teasers(30)), true),
        (format!("{}{}", story(20), teasers(2)), false),
        // Short pages.
        (format!("{}{}", story(2), links(30)), true),
        (format!("{}{}", story(8), links(15)), false),
        (links(5), false),
        // The main text is told from its surroundings.
        (format!("{}<nav>{}</nav>", story(20), links(60)), false),
        (format!("{}{}", story(40), links(60)), false),
    ] {
        let mut warnings = Warnings::default();
        super::markdown(&page, &mut warnings).unwrap();
        let codes: Vec<_> = warnings.into_inner().iter().map(|warning| warning.code.as_str()).collect();
        assert_eq!(codes == ["main_text_unclear"], is_told, "{codes:?} {page}");
    }
}
