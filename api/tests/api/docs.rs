//! Everything that the documents name exists: links and anchors, files, endpoints, types of
//! problems, variables and metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use copydesk_api::route::problems::types;
use copydesk_api::router::reference;
use copydesk_common::config::Config;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::Value;

/// Folders with build output or with texts that are not documentation.
const PASSED_OVER: [&str; 4] = ["target", "node_modules", "samples", "fixtures"];
/// Endings of the names of files.
const ENDINGS: [&str; 12] = ["rs", "lua", "md", "sql", "toml", "yaml", "txt", "json", "j2", "html", "py", "js"];
/// Files that the programs write.
const WRITTEN: [&str; 1] = ["verdicts.json"];
/// Variables of tests and of the build, which are not configuration of the programs.
const OF_TESTS: [&str; 3] = ["DATABASE_URL", "REDIS_SERVER", "SQLX_OFFLINE"];

/// What a document names.
#[derive(Default)]
struct Document {
    anchors: BTreeSet<String>,
    links: Vec<String>,
    /// The code spans.
    spans: Vec<String>,
    /// The lines of code blocks.
    lines: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All files and folders of the repository, by their paths from its root.
fn files() -> BTreeSet<String> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with(".git") || [".copydesk", "target", "node_modules"].contains(&name) {
                continue;
            }
            found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            if path.is_dir() {
                walk(&path, root, found);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(&root(), &root(), &mut found);
    found
}

fn documents(files: &BTreeSet<String>) -> BTreeMap<String, Document> {
    let is_ours = |name: &&String| name.ends_with(".md") && !name.split('/').any(|part| PASSED_OVER.contains(&part));
    let read = |name: &String| (name.clone(), Document::of(&fs::read_to_string(root().join(name)).unwrap()));
    let documents: BTreeMap<_, _> = files.iter().filter(is_ours).map(read).collect();
    assert!(documents.len() > 20 && documents.contains_key("docs/OPERATIONS.md"));
    documents
}

impl Document {
    fn of(text: &str) -> Self {
        let (mut document, mut heading, mut is_code) = (Self::default(), None::<String>, false);
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => document.add_anchor(&heading.take().unwrap()),
                Event::Start(Tag::CodeBlock(_)) => is_code = true,
                Event::End(TagEnd::CodeBlock) => is_code = false,
                Event::Start(Tag::Link { dest_url, .. }) => document.links.push(dest_url.to_string()),
                Event::Text(text) if is_code => document.lines.extend(text.lines().map(str::to_owned)),
                Event::Text(text) => heading.iter_mut().for_each(|heading| heading.push_str(&text)),
                Event::Code(text) => {
                    heading.iter_mut().for_each(|heading| heading.push_str(&text));
                    document.spans.push(text.to_string());
                }
                _ => {}
            }
        }
        document
    }

    /// Adds the anchor that GitHub makes for a heading.
    fn add_anchor(&mut self, heading: &str) {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let taken = (1..).map(|n| format!("{anchor}-{n}"));
        let free = [anchor.clone()].into_iter().chain(taken).find(|name| !self.anchors.contains(name));
        self.anchors.extend(free);
    }

    /// The words of letters, digits and `_` in all code.
    fn words(&self) -> impl Iterator<Item = &str> {
        let is_between = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        self.spans.iter().chain(&self.lines).flat_map(move |text| text.split(is_between))
    }
}

/// Checks every document, and reports all errors at once.
fn hold(check: impl Fn(&str, &Document) -> Vec<String>, least: usize, count: impl Fn(&Document) -> usize) {
    let documents = documents(&files());
    let wrong: Vec<_> = documents
        .iter()
        .flat_map(|(name, document)| check(name, document).into_iter().map(move |wrong| format!("{name}: {wrong}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let looked_at: usize = documents.values().map(count).sum();
    assert!(looked_at >= least, "only {looked_at} were looked at");
}

#[test]
fn links_and_anchors_lead_somewhere() {
    let files = files();
    let documents = documents(&files);
    let leads_somewhere = |name: &str, link: &str| {
        let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
        let target = if path.is_empty() { name.to_owned() } else { beside(name, path) };
        let has = |anchor: &str| documents.get(&target).is_some_and(|document| document.anchors.contains(anchor));
        files.contains(target.trim_end_matches('/')) && anchor.is_none_or(has)
    };
    let is_relative = |link: &&String| !link.contains("://") && !link.starts_with("mailto:");
    hold(
        |name, document| {
            let links = document.links.iter().filter(is_relative);
            links.filter(|link| !leads_somewhere(name, link)).cloned().collect()
        },
        150,
        |document| document.links.len(),
    );
}

/// The path from the root for a path relative to a document.
fn beside(name: &str, path: &str) -> String {
    let mut parts: Vec<_> = name.split('/').collect();
    parts.pop();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            part => parts.push(part.as_os_str().to_str().unwrap()),
        }
    }
    parts.join("/")
}

/// Whether a text is the path of a file or folder in the repository: by its ending, or by its first
/// folder.
fn is_path(span: &str, files: &BTreeSet<String>) -> bool {
    let is_plain = span.chars().all(|c| c.is_ascii_alphanumeric() || "_-./<>".contains(c));
    let (first, _) = span.split_once('/').unwrap_or_default();
    let last = span.rsplit('/').next().unwrap();
    let named = last.rsplit_once('.').is_some_and(|(stem, ending)| !stem.is_empty() && ENDINGS.contains(&ending));
    let in_folder = !first.is_empty() && files.contains(first) && !first.contains('.');
    is_plain && !span.starts_with(['/', '.']) && first != "target" && (named || in_folder)
}

/// Whether such a file or folder exists anywhere. `<name>` stands for any name or part of one.
fn is_there(span: &str, files: &BTreeSet<String>) -> bool {
    let parts: Vec<_> = span.trim_end_matches('/').split('/').collect();
    files.iter().any(|file| {
        let of_file: Vec<_> = file.split('/').collect();
        let tail = of_file.len().checked_sub(parts.len()).map(|from| &of_file[from..]);
        tail.is_some_and(|tail| tail.iter().zip(&parts).all(|(part, pattern)| matches(pattern, part)))
    })
}

fn matches(pattern: &str, text: &str) -> bool {
    match (pattern.split_once('<'), pattern.rsplit_once('>')) {
        (Some((before, _)), Some((_, after))) => {
            text.len() > before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
        _ => pattern == text,
    }
}

#[test]
fn files_are_there() {
    let files = files();
    let named = |document: &Document| {
        let spans = document.spans.iter().filter(|span| is_path(span, &files) && !WRITTEN.contains(&span.as_str()));
        spans.cloned().collect::<Vec<_>>()
    };
    hold(
        |_, document| named(document).into_iter().filter(|span| !is_there(span, &files)).collect(),
        300,
        |document| named(document).len(),
    );
}

/// Every operation, as `METHOD /path`, and the other paths that are served.
fn operations() -> BTreeSet<String> {
    let reference = serde_json::to_value(reference()).unwrap();
    let paths = reference["paths"].as_object().unwrap().clone();
    let of_path = |(path, item): (String, Value)| {
        let methods: Vec<_> = item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        methods.into_iter().map(move |method| format!("{method} {path}"))
    };
    let beside = ["GET /docs", "GET /openapi.json"].map(str::to_owned);
    paths.into_iter().flat_map(of_path).chain(beside).collect()
}

/// Parses an endpoint: the method, if there is one, and the path.
fn endpoint(span: &str) -> Option<(Option<&str>, &str)> {
    let (method, path) = match span.split_once(' ') {
        Some((method, path)) if ["GET", "POST", "PUT", "DELETE"].contains(&method) => (Some(method), path),
        Some(_) => return None,
        None => (None, span),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let is_one = path.starts_with('/') && (method.is_some() || path == "/api" || path.starts_with("/api/"));
    is_one.then_some((method, path))
}

/// Whether a path is served, or without a method, the beginning of a path. `{names}` must be those
/// of the reference; any value may replace them.
fn is_served(operations: &BTreeSet<String>, method: Option<&str>, path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    operations.iter().any(|operation| {
        let (its_method, its_path) = operation.split_once(' ').unwrap();
        let its_parts: Vec<_> = its_path.split('/').collect();
        let length = method.map_or(its_parts.len() >= parts.len(), |_| its_parts.len() == parts.len());
        let is_part = |(its, part): (&&str, &&str)| {
            its == part || (its.starts_with('{') && !part.starts_with('{') && !part.is_empty())
        };
        method.is_none_or(|method| method == its_method) && length && its_parts.iter().zip(&parts).all(is_part)
    })
}

/// The endpoints in commands: what follows the address of the API, up to the end of the word.
fn asked(line: &str) -> Vec<&str> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '?' | '`' | ')');
    let after = |address: &'static str| line.split(address).skip(1).map(move |rest| rest.split(ends).next().unwrap());
    after("$A").chain(after("localhost:8080")).filter(|path| path.starts_with('/')).collect()
}

#[test]
fn endpoints_are_served() {
    let operations = operations();
    let in_commands = |document: &Document| {
        let texts = document.lines.iter().chain(&document.spans);
        texts.flat_map(|line| asked(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    hold(
        |_, document| {
            let named = document
                .spans
                .iter()
                .filter(|span| endpoint(span).is_some_and(|(method, path)| !is_served(&operations, method, path)));
            let commands = in_commands(document).into_iter();
            named.cloned().chain(commands.filter(|path| !is_served(&operations, None, path))).collect()
        },
        100,
        |document| document.spans.iter().filter(|span| endpoint(span).is_some()).count() + in_commands(document).len(),
    );
}

#[test]
fn types_of_problems_have_a_page() {
    let pages: BTreeSet<_> = types().collect();
    let named = |document: &Document| {
        let texts = document.spans.iter().chain(&document.lines).flat_map(|text| text.split("/problems/").skip(1));
        let kinds = texts.map(|rest| rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next().unwrap());
        kinds.filter(|kind| !kind.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    hold(
        |_, document| named(document).into_iter().filter(|kind| !pages.contains(kind.as_str())).collect(),
        15,
        |document| named(document).len(),
    );
}

#[test]
fn variables_are_read() {
    let known = Config::describe_variables() + &fs::read_to_string(root().join("compose.yaml")).unwrap();
    let known: BTreeSet<_> = known.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let is_variable = |word: &&str| {
        let of_others = ["_API_KEY", "_URI", "_URL", "_SERVER"].iter().any(|ending| word.ends_with(ending));
        (word.starts_with("COPYDESK_") && *word != "COPYDESK_" || of_others && !word.starts_with('_'))
            && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    hold(
        |_, document| {
            let unknown = |word: &&str| !known.contains(word) && !OF_TESTS.contains(word);
            document.words().filter(is_variable).filter(unknown).map(str::to_owned).collect()
        },
        100,
        |document| document.words().filter(is_variable).count(),
    );
}

#[test]
fn metrics_are_written() {
    let files = files();
    let sources = files.iter().filter(|file| file.ends_with(".rs") && file.contains("/src/"));
    let sources: String = sources.map(|file| fs::read_to_string(root().join(file)).unwrap()).collect();
    let crates: BTreeSet<_> = files.iter().filter_map(|file| file.strip_suffix("/Cargo.toml")).collect();
    let is_metric =
        |word: &&str| word.strip_prefix("copydesk_").is_some_and(|rest| !rest.is_empty() && !crates.contains(rest));
    let is_written = |word: &str| {
        let name = ["_bucket", "_sum", "_count"].iter().find_map(|part| word.strip_suffix(part)).unwrap_or(word);
        sources.contains(&format!("\"{name}\""))
    };
    hold(
        |_, document| document.words().filter(is_metric).filter(|word| !is_written(word)).map(str::to_owned).collect(),
        40,
        |document| document.words().filter(is_metric).count(),
    );
}
