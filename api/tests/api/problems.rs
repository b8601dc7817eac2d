//! Compares the pages of the types of problems with the types that the code can make.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use copydesk_api::error::problem_of;
use copydesk_api::route::problems::types;
use reqwest::StatusCode;
use sqlx::PgPool;

use crate::service::Service;

/// The sources of every crate, without their tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && !["target", "tests", "bench"].contains(&name.as_str()) && !name.starts_with('.') {
            sources(&path, found);
        } else if name.ends_with(".rs") && !name.contains("tests") {
            found.push(path);
        }
    }
}

/// The types that are literals where a problem is made, and the files where they are not.
fn made() -> (BTreeSet<String>, Vec<String>) {
    let (mut files, mut kinds, mut elsewhere) = (Vec::new(), BTreeSet::new(), Vec::new());
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut files);
    for file in files {
        for made in fs::read_to_string(&file).unwrap().split(" Problem::new(").skip(1) {
            match made.trim_start().strip_prefix('"').and_then(|text| text.split_once('"')) {
                Some((kind, _)) => drop(kinds.insert(kind.to_owned())),
                None => elsewhere.push(file.display().to_string()),
            }
        }
    }
    (kinds, elsewhere)
}

#[test]
fn every_type_that_can_be_met_has_a_page_and_no_other() {
    let (mut made, elsewhere) = made();
    assert!(elsewhere.len() == 1 && elsewhere[0].ends_with("api/src/error.rs"), "{elsewhere:?}");
    for status in (400..600).filter_map(|code| StatusCode::from_u16(code).ok()) {
        made.insert(problem_of(status).kind.trim_start_matches("/problems/").to_owned());
    }
    assert!(made.len() >= 20, "{made:?}");
    assert_eq!(types().map(str::to_owned).collect::<BTreeSet<_>>(), made);
}

#[sqlx::test(migrations = "../migrations")]
async fn each_type_is_a_page_at_its_own_path(pool: PgPool) {
    let service = Service::start(&pool).await;
    let table = service.get("/problems").await.expect(200);
    let rows = table.text.matches("<tr><td><a href=\"/problems/").count();
    assert_eq!(rows, types().count(), "{}", table.text);
    for kind in types() {
        assert!(table.text.contains(&format!("<a href=\"/problems/{kind}\">")), "{kind}");
        let page = service.get(&format!("/problems/{kind}")).await.expect(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.text.contains(&format!("<h1>{kind}</h1>")), "{}", page.text);
        assert!(page.text.contains("What to do:") && page.text.contains("Status:"), "{}", page.text);
        assert!(!page.text.contains("<h2>"), "{}", page.text);
    }
    for unknown in ["poems", "Validation", "%FF", "validation/x"] {
        let answer = service.get(&format!("/problems/{unknown}")).await.expect_problem(404);
        assert_eq!(answer.body["type"], "/problems/not-found");
    }
}
