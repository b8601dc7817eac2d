//! Documents: adding, listing, deleting, searching.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::service::{Answer, NOBODY, Service, with};

const DOCUMENTS: &str = "/api/businesses/acme/documents";

fn guide() -> Value {
    json!({"title": "Guide", "text": "# Tone\n\nShort sentences.", "external_id": "guide"})
}

async fn upload(service: &Service, form: Form) -> Answer {
    Answer::of(service.request(Method::POST, DOCUMENTS).multipart(form).send().await.unwrap()).await
}

fn file(name: &'static str, text: impl Into<std::borrow::Cow<'static, [u8]>>) -> Form {
    Form::new().part("file", Part::bytes(text).file_name(name))
}

#[sqlx::test(migrations = "../migrations")]
async fn a_document_is_stored_with_its_job_and_replaced_by_its_name(pool: PgPool) {
    let service = Service::start(&pool).await;
    let answer = service.post(DOCUMENTS, &guide()).await.expect(202);
    let (document, job) = (&answer.body["document"], &answer.body["job"]);
    assert_eq!(answer.header("location"), job["links"]["self"].as_str().unwrap());
    assert_eq!(document["status"], "pending");
    assert_eq!(document["media_type"], "text/markdown");
    assert_eq!(job["kind"], "ingest");
    let row = sqlx::query("select payload from jobs").fetch_one(&pool).await.unwrap();
    assert_eq!(row.get::<Value, _>("payload")["document_id"], document["id"]);
    let path = format!("{DOCUMENTS}/{}", document["id"].as_str().unwrap());
    assert_eq!(&service.get(&path).await.expect(200).body, document);

    let replaced = service.post(DOCUMENTS, &with(guide(), "title", "Guide 2")).await.expect(202).body;
    assert_eq!(replaced["document"]["id"], document["id"]);
    assert_eq!(service.get(&path).await.expect(200).body["title"], "Guide 2");

    service.get(&path.replace("acme", "other")).await.expect_problem(404);
    service.delete(&path.replace("acme", "other")).await.expect_problem(404);
    service.delete(&path).await.expect(204);
    service.delete(&path).await.expect_problem(404);
    service.get(&path).await.expect_problem(404);
}

#[sqlx::test(migrations = "../migrations")]
async fn files_are_taken_by_their_extension(pool: PgPool) {
    let service = Service::start(&pool).await;
    for (name, kind) in [("a.md", "text/markdown"), ("b.TXT", "text/plain"), ("c.html", "text/html")] {
        let answer = upload(&service, file(name, b"Some text.".as_slice())).await.expect(202);
        assert_eq!(answer.body["document"]["media_type"], kind);
        assert_eq!(answer.body["document"]["title"], name.split_once('.').unwrap().0);
        assert_eq!(answer.body["document"]["size_bytes"], 10);
    }
    let form = file("d.txt", b"\xef\xbb\xbfText".as_slice())
        .text("title", "Named")
        .text("external_id", "d")
        .text("content_type", "FAQ");
    let document = upload(&service, form).await.expect(202).body["document"].clone();
    assert_eq!(
        (&document["title"], &document["external_id"], &document["content_type"]),
        (&json!("Named"), &json!("d"), &json!("faq"))
    );
    assert_eq!(document["size_bytes"], 4);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_wrong_form_is_told_what_is_wrong(pool: PgPool) {
    let service = Service::start(&pool).await;
    let text = b"Some text.".as_slice();
    for (form, pointer) in [
        (Form::new().text("title", "No file"), "/file"),
        (file("a.pdf", text), "/file"),
        (file("a.docx", text), "/file"),
        (file("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice()), "/file"),
        (file("a.xlsx", text), "/file"),
        (file("a.txt", b"%PDF-1.7 text".as_slice()), "/file"),
        (file("a.md", b"PK\x03\x04 text".as_slice()), "/file"),
        (file("a.md", text).text("media_type", "application/pdf"), "/file"),
        (file("a.md", b"\xff\xfe".as_slice()), "/file"),
        (file("a.md", b"a\0b".as_slice()), "/file"),
        (file("a.md", b" \n".as_slice()), "/file"),
        (file("a.md", text).part("file", Part::bytes(text).file_name("b.md")), "/file"),
        (file("a.md", text).text("colour", "red"), "/colour"),
        (file("a.md", text).text("text", "twice"), "/text"),
        (file("a.md", text).text("title", "x".repeat(301)), "/title"),
        (file("a.md", text).text("title", "a\0b"), "/title"),
        (file("a.md", text).text("content_type", "haiku"), "/content_type"),
        (file("a.md", text).text("url", "ftp://x/y"), "/url"),
        (file("a.md", text).text("title", "a").text("title", "b"), "/title"),
    ] {
        assert_eq!(upload(&service, form).await.expect_problem(422).pointers(), [pointer]);
    }
    upload(&service, file("a.md", vec![b'x'; 10 * 1024 * 1024 + 1])).await.expect_problem(413);
    upload(&service, file("a.md", vec![b'x'; 20_000_000])).await.expect_problem(413);
    upload(&service, file("a.md", vec![b'x'; 10 * 1024 * 1024])).await.expect(202);
    for (kind, body, status) in [
        ("multipart/form-data", "x", 400),
        ("multipart/form-data; boundary=b", "not a form", 400),
        ("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n", 400),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\na\r\n--b--",
            422,
        ),
    ] {
        let request = service.request(Method::POST, DOCUMENTS).header("content-type", kind).body(body);
        Answer::of(request.send().await.unwrap()).await.expect_problem(status);
    }
    let row = sqlx::query("select count(*) from brand_documents").fetch_one(&pool).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn files_that_are_no_text_are_kept_as_they_came(pool: PgPool) {
    let service = Service::start(&pool).await;
    let pdf = b"%PDF-1.7\n\xff\x00 not UTF-8".as_slice();
    let document = upload(&service, file("Guide.pdf", pdf).text("external_id", "guide")).await.expect(202).body;
    let document = &document["document"];
    assert_eq!((&document["media_type"], &document["title"]), (&json!("application/pdf"), &json!("Guide")));
    assert_eq!((&document["size_bytes"], &document["language"]), (&json!(pdf.len()), &json!(null)));
    let row = sqlx::query("select file, body from brand_documents").fetch_one(&pool).await.unwrap();
    assert_eq!((row.get::<Vec<u8>, _>(0), row.get::<String, _>(1)), (pdf.to_vec(), String::new()));
    upload(&service, file("Guide.docx", b"PK\x03\x04\x00".as_slice())).await.expect(202);
    let text = service.post(DOCUMENTS, &guide()).await.expect(202).body;
    assert_eq!(text["document"]["id"], document["id"], "text may replace a file");
    let row =
        sqlx::query("select file from brand_documents where external_id = 'guide'").fetch_one(&pool).await.unwrap();
    assert_eq!(row.get::<Option<Vec<u8>>, _>(0), None);

    let as_json = with(guide(), "media_type", "application/pdf");
    assert_eq!(service.post(DOCUMENTS, &as_json).await.expect_problem(422).pointers(), ["/media_type"]);
    let wrong = upload(&service, file("Prices.pdf", b"Some text.".as_slice())).await.expect_problem(422);
    assert!(wrong.body.to_string().contains("Prices.pdf must be a PDF"), "{}", wrong.body);
}

#[sqlx::test(migrations = "../migrations")]
async fn pages_hold_every_document_once(pool: PgPool) {
    let service = Service::start(&pool).await;
    let mut added = Vec::new();
    for n in 0..5 {
        let document = json!({"title": format!("{n}"), "text": "Text."});
        added.push(service.post(DOCUMENTS, &document).await.expect(202).body["document"]["id"].clone());
    }
    service.post("/api/businesses/other/documents", &guide()).await.expect(202);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = service.get(&format!("{DOCUMENTS}?limit=2{cursor}")).await.expect(200).body;
        seen.extend(page["data"].as_array().unwrap().iter().map(|document| document["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    added.reverse();
    assert_eq!(seen, added);
    assert_eq!(
        service.get("/api/businesses/nobody/documents").await.expect(200).body,
        json!({"data": [], "next_cursor": null})
    );
    let all = service.get(&format!("{DOCUMENTS}?limit=5")).await.expect(200).body;
    assert_eq!(all["next_cursor"], json!(null));
}

#[sqlx::test(migrations = "../migrations")]
async fn documents_of_older_readers_are_read_again_once_each(pool: PgPool) {
    let service = Service::start(&pool).await;
    let reread = "/api/businesses/acme/documents/reread";
    for (name, business) in [
        ("old", "acme"),
        ("failed", "acme"),
        ("current", "acme"),
        ("under way", "acme"),
        ("pending", "acme"),
        ("other", "rival"),
    ] {
        service
            .post(&format!("/api/businesses/{business}/documents"), &json!({"title": name, "text": "x"}))
            .await
            .expect(202);
    }
    sqlx::raw_sql(
        "update jobs set status = 'succeeded', finished_at = now()
             where payload->>'document_id' not in (select id::text from brand_documents where title = 'under way');
         update brand_documents set status = 'ready', reader_version = 1
             where title <> 'pending';
         update brand_documents set status = 'failed', error = 'x', reader_version = null where title = 'failed'",
    )
    .execute(&pool)
    .await
    .unwrap();
    let current = copydesk_domain::document::READER_VERSION;
    sqlx::query("update brand_documents set reader_version = $1 where title = 'current'")
        .bind(current)
        .execute(&pool)
        .await
        .unwrap();

    let answer = service.request(Method::POST, reread).send().await.unwrap();
    let answer = Answer::of(answer).await.expect(200).body;
    assert_eq!((&answer["accepted"], &answer["left"]), (&json!(2), &json!(3)), "{answer}");
    let titles: Vec<String> = sqlx::query_scalar(
        "select d.title from jobs j join brand_documents d on d.id::text = j.payload->>'document_id'
         where j.priority = 'bulk' and j.kind = 'ingest' and j.finished_at is null order by d.id",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(titles, ["old", "failed"]);
    let again = Answer::of(service.request(Method::POST, reread).send().await.unwrap()).await.expect(200).body;
    assert_eq!((&again["accepted"], &again["jobs"]), (&json!(0), &json!([])), "each has its job: {again}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_search_shows_the_businesss_own_passages(pool: PgPool) {
    let service = Service::start(&pool).await;
    let id = service.post(DOCUMENTS, &guide()).await.expect(202).body["document"]["id"]
        .as_str()
        .unwrap()
        .parse::<Uuid>()
        .unwrap();
    assert_eq!(
        service.get("/api/businesses/acme/search?q=sentences").await.expect(200).body,
        json!({"data": [], "degraded": []})
    );
    sqlx::query("update brand_documents set status = 'ready'").execute(&pool).await.unwrap();
    sqlx::query(
        "insert into chunks values ($1, 0, 'acme', 'Guide › Tone', 'Short sentences, no jargon.', sha256('a')),
                                           ($1, 1, 'acme', 'Guide › Colours', 'Blue on white.', sha256('b'))",
    )
    .bind(id)
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query("insert into knowledge_versions values ('acme', 1)").execute(&pool).await.unwrap();

    let found = service.get("/api/businesses/acme/search?q=sentence&limit=5").await.expect(200).body;
    let [passage] = found["data"].as_array().unwrap().as_slice() else { panic!("{found}") };
    assert_eq!(passage["text"], "Short sentences, no jargon.");
    assert_eq!(passage["heading_path"], "Guide › Tone");
    assert_eq!(passage["document_id"], id.to_string());
    assert!(passage["score"].as_f64().unwrap() > 0.0);
    assert_eq!(
        service.get("/api/businesses/other/search?q=sentence").await.expect(200).body,
        json!({"data": [], "degraded": []})
    );
    for operators in ["%22", "AND%20OR%20(", "%2B-*~^", "title%3Ax"] {
        service.get(&format!("/api/businesses/acme/search?q={operators}")).await.expect(200);
    }
}

/// Adds or replaces a document, and makes a passage of it as the worker's ingest does.
async fn ingest(service: &Service, pool: &PgPool, document: &Value, passage: &str) -> String {
    let answer = service.post(DOCUMENTS, document).await.expect(202).body;
    let id = answer["document"]["id"].as_str().unwrap().to_owned();
    let settle = "with ready as (
            update brand_documents set status = 'ready', updated_at = now() where id = $1 returning id
        ), old as (
            delete from chunks where document_id = $1 and body <> $2
        ), version as (
            insert into knowledge_versions as k values ('acme', 1)
            on conflict (business_id) do update set version = k.version + 1
        )
        insert into chunks select id, (select count(*) from chunks), 'acme', 'Guide', $2, sha256(convert_to($2, 'utf8'))
        from ready";
    sqlx::query(settle).bind(id.parse::<Uuid>().unwrap()).bind(passage).execute(pool).await.unwrap();
    id
}

#[sqlx::test(migrations = "../migrations")]
async fn a_search_after_a_change_of_a_document_shows_it_and_nothing_old(pool: PgPool) {
    let service = Service::start(&pool).await;
    let found = async || {
        let found = service.get("/api/businesses/acme/search?q=sentence%20scan").await.expect(200).body;
        let text = |passage: &Value| passage["text"].as_str().unwrap().to_owned();
        let mut texts: Vec<String> = found["data"].as_array().unwrap().iter().map(text).collect();
        texts.sort_unstable();
        texts
    };
    let prices = json!({"title": "Prices", "text": "A scan costs 90.", "external_id": "prices"});
    ingest(&service, &pool, &guide(), "Short sentences.").await;
    ingest(&service, &pool, &prices, "A scan costs 90.").await;
    assert_eq!(found().await, ["A scan costs 90.", "Short sentences."]);
    ingest(&service, &pool, &guide(), "Long sentences.").await;
    assert_eq!(found().await, ["A scan costs 90.", "Long sentences."]);
    let id = ingest(&service, &pool, &prices, "A scan costs 95.").await;
    assert_eq!(found().await, ["A scan costs 95.", "Long sentences."]);
    service.delete(&format!("{DOCUMENTS}/{id}")).await.expect(204);
    assert_eq!(found().await, ["Long sentences."]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_search_by_words_alone_says_so_where_there_is_one_by_meaning(pool: PgPool) {
    let service = Service::start_with(&pool, |config| {
        config.providers.embeddings.base_url = Some(format!("http://{NOBODY}").parse().unwrap());
        config.providers.embeddings.model = Some("m".into());
    })
    .await;
    let search = async || service.get("/api/businesses/acme/search?q=sentence").await.expect(200).body;
    assert_eq!(search().await, json!({"data": [], "degraded": []}), "there is nothing to look for");
    service.post(DOCUMENTS, &guide()).await.expect(202);
    sqlx::query("update brand_documents set status = 'ready'").execute(&pool).await.unwrap();
    sqlx::query(
        "insert into chunks select id, 0, 'acme', 'Guide', 'Short sentences.', sha256('a') from brand_documents",
    )
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query("insert into knowledge_versions values ('acme', 1)").execute(&pool).await.unwrap();
    let found = search().await;
    assert_eq!(found["data"][0]["text"], "Short sentences.");
    assert_eq!(found["degraded"], json!(["embeddings_unavailable"]));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_document_is_for_is_told_corrected_and_kept(pool: PgPool) {
    let service = Service::start(&pool).await;
    let document = service.post(DOCUMENTS, &guide()).await.expect(202).body["document"].clone();
    assert_eq!(document["kind"], Value::Null, "nobody has read it yet");
    let path = format!("{DOCUMENTS}/{}", document["id"].as_str().unwrap());
    let changed = service.patch(&path, &json!({"kind": "style_guide"})).await.expect(200).body;
    assert_eq!((&changed["kind"], &changed["id"]), (&json!("style_guide"), &document["id"]));
    let version: i64 = sqlx::query_scalar("select version from knowledge_versions").fetch_one(&pool).await.unwrap();
    assert!(version > 0, "searches see it");
    let replaced = service.post(DOCUMENTS, &with(guide(), "title", "Guide 2")).await.expect(202).body;
    assert_eq!(replaced["document"]["kind"], "style_guide", "what was said stands");
    let said = service.post(DOCUMENTS, &with(guide(), "kind", "policy")).await.expect(202).body;
    assert_eq!(said["document"]["kind"], "policy");
    let form = file("a.md", b"Some text.".as_slice()).text("kind", "case");
    assert_eq!(upload(&service, form).await.expect(202).body["document"]["kind"], "case");
    for wrong in [json!({}), json!({"kind": null}), json!({"kind": "guide"}), json!({"kind": "case", "title": "T"})] {
        service.patch(&path, &wrong).await.expect_problem(422);
    }
    let other = path.replace("acme", "other");
    service.patch(&other, &json!({"kind": "other"})).await.expect_problem(404);
}
