//! What clients send that is unusual: forms as libraries write them, JSON at the edges of its
//! grammar, and percent-encoding. A line says what is answered.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::service::{Answer, Service};

const DOCUMENTS: &str = "/api/businesses/acme/documents";

/// A form of one part with this header and text, after and before these bytes.
fn form(before: &[u8], headers: &[u8], text: &[u8], after: &[u8]) -> Vec<u8> {
    [before, b"--XB\r\n", headers, b"\r\n\r\n", text, b"\r\n--XB--\r\n", after].concat()
}

async fn send(service: &Service, boundary: &str, body: Vec<u8>) -> Answer {
    let kind = format!("multipart/form-data; boundary={boundary}");
    let request = service.request(Method::POST, DOCUMENTS).header("content-type", kind).body(body);
    Answer::of(request.send().await.unwrap()).await
}

/// What is answered: the title and the media type, or the status and a part of the detail.
enum Expected {
    Title(&'static str),
    Refused(u16, &'static str),
}
use Expected::{Refused, Title};

impl Expected {
    fn check(&self, answer: Answer, what: &str) {
        match self {
            Title(title) => {
                assert_eq!(answer.status, 202, "{what}: {answer:?}");
                assert_eq!(answer.body["document"]["title"], *title, "{what}");
            }
            Refused(status, part) => {
                assert_eq!(answer.status, *status, "{what}: {answer:?}");
                let answer = answer.expect_problem(*status);
                assert!(answer.body["detail"].as_str().unwrap().contains(part), "{what}: {answer:?}");
            }
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_names_of_files_are_read_as_clients_write_them(pool: PgPool) {
    let service = Service::start(&pool).await;
    let cases: &[(&[u8], Expected)] = &[
        (b"filename=\"plain.md\"", Title("plain")),
        (b"filename=token.md", Title("token")),
        (b"filename=two words.md", Title("two words")),
        (b"filename=\"\xc3\x9cbersicht.md\"", Title("Übersicht")),
        (b"filename=\"\xdcbersicht.md\"", Title("Übersicht")),
        (b"filename*=utf-8''%C3%9Cbersicht.md", Title("Übersicht")),
        (b"filename*=UTF-8'de'%c3%9cbersicht.md", Title("Übersicht")),
        (b"filename*=iso-8859-1'en'%DCbersicht.md", Title("Übersicht")),
        (b"filename*=\"utf-8''%C3%9Cbersicht.md\"", Title("Übersicht")),
        (b"filename*=utf-8''%C3%9Cbersicht.md; filename=\"Ubersicht.md\"", Title("Übersicht")),
        (b"filename=\"Ubersicht.md\"; filename*=utf-8''%C3%9Cbersicht.md", Title("Übersicht")),
        (b"FileName=\"upper.md\"", Title("upper")),
        (b"filename = \"spaces.md\" ", Title("spaces")),
        (b"filename=\"same.md\"; filename=\"same.md\"", Title("same")),
        (b"filename=\"one.md\"; filename=\"other.md\"", Refused(400, "two values for its filename")),
        (b"filename*=utf-8''a.md; filename*=utf-8''b.md", Refused(400, "two values for its filename*")),
        (b"filename*=utf-8''%C3%28.md; filename=\"fallback.md\"", Title("fallback")),
        (b"filename*=utf-8''%C3%28.md", Refused(400, "filename* that cannot be decoded")),
        (b"filename*=utf-16''%00a.md", Refused(400, "filename* that cannot be decoded")),
        (b"filename*=utf-8''%4.md", Refused(400, "filename* that cannot be decoded")),
        (b"filename*=plain.md", Refused(400, "filename* that cannot be decoded")),
        (b"filename=\"say \\\"hi\\\".md\"", Title("say \"hi\"")),
        (b"filename=\"say %22hi%22.md\"", Title("say %22hi%22")),
        (b"filename=\"semi;colon.md\"", Title("semi;colon")),
        (b"filename=\"C:\\files\\guide.md\"", Title("guide")),
        (b"filename=\"../../etc/guide.md\"", Title("guide")),
        (b"filename*=utf-8''..%2F..%2Fguide.md", Title("guide")),
        (b"filename=\"unclosed.md", Title("unclosed")),
        (b"filename=\"\"", Refused(422, "must be a .md")),
        (b"", Refused(422, "must be a .md")),
        (b"filename=\".md\"", Refused(422, "title: is required")),
        (b"filename=\"a\tb.md\"", Title("a\tb")),
        (b"filename*=utf-8''a%00b.md", Refused(422, "U+0000")),
        (b"filename*=utf-8''a%0Ab.md", Title("a\nb")),
        (b"name=\"file\"; filename=\"twice.md\"", Title("twice")),
        (b"name=\"title\"; filename=\"twice.md\"", Refused(400, "two values for its name")),
        (b"name*=utf-8''file; filename=\"named.md\"", Title("named")),
    ];
    for (parameters, expected) in cases {
        let header = [b"Content-Disposition: form-data; name=\"file\"; ", *parameters].concat();
        let answer = send(&service, "XB", form(b"", &header, b"Some text.", b"")).await;
        expected.check(answer, &String::from_utf8_lossy(parameters));
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn forms_are_read_as_clients_write_them(pool: PgPool) {
    let service = Service::start(&pool).await;
    let file = b"Content-Disposition: form-data; name=\"file\"; filename=\"a.md\"".as_slice();
    let with = |more: &str| [file, b"\r\n", more.as_bytes()].concat();
    let cases = [
        ("plain", "XB", form(b"", file, b"Text", b""), Title("a")),
        ("a preamble", "XB", form(b"This is a form.\r\n", file, b"Text", b""), Title("a")),
        ("an epilogue", "XB", form(b"", file, b"Text", b"\r\nThat was a form."), Title("a")),
        ("no end", "XB", form(b"", file, b"Text", b"").strip_suffix(b"--\r\n").unwrap().to_vec(), Refused(400, "")),
        ("binary", "XB", form(b"", &with("Content-Transfer-Encoding: binary"), b"Text", b""), Title("a")),
        ("8bit", "XB", form(b"", &with("content-transfer-encoding: 8BIT"), b"Text", b""), Title("a")),
        (
            "base64",
            "XB",
            form(b"", &with("Content-Transfer-Encoding: base64"), b"VGV4dA==", b""),
            Refused(400, "base64"),
        ),
        ("an unknown header", "XB", form(b"", &with("X-Mine: yes"), b"Text", b""), Title("a")),
        ("an empty file", "XB", form(b"", file, b"", b""), Refused(422, "must not be empty")),
        (
            "a name of another case",
            "XB",
            form(b"", b"content-DISPOSITION: Form-Data; NAME=file; filename=a.md", b"Text", b""),
            Title("a"),
        ),
        (
            "no name",
            "XB",
            form(b"", b"Content-Disposition: form-data; filename=\"a.md\"", b"Text", b""),
            Refused(400, "has no name"),
        ),
        (
            "an attachment",
            "XB",
            form(b"", b"Content-Disposition: attachment; name=\"file\"; filename=\"a.md\"", b"Text", b""),
            Refused(400, ""),
        ),
        ("no disposition", "XB", form(b"", b"Content-Type: text/plain", b"Text", b""), Refused(400, "")),
        ("nothing", "XB", Vec::new(), Refused(400, "")),
        ("no parts", "XB", b"--XB--\r\n".to_vec(), Refused(422, "file: is required")),
        ("another boundary", "XC", form(b"", file, b"Text", b""), Refused(400, "")),
        ("a quoted boundary", "\"XB\"", form(b"", file, b"Text", b""), Title("a")),
        ("a boundary with a charset", "XB; charset=utf-8", form(b"", file, b"Text", b""), Title("a")),
        (
            "an odd boundary",
            "\"a'()+_,-./:=? b\"",
            form(b"", file, b"Text", b"")
                .iter()
                .map(|b| *b as char)
                .collect::<String>()
                .replace("--XB", "--a'()+_,-./:=? b")
                .into_bytes(),
            Title("a"),
        ),
        (
            "line feeds only",
            "XB",
            form(b"", file, b"Text", b"").iter().copied().filter(|b| *b != b'\r').collect(),
            Refused(400, ""),
        ),
    ];
    for (what, boundary, body, expected) in cases {
        expected.check(send(&service, boundary, body).await, what);
    }
    let fields = |title: &[u8], kind: &str| {
        let title =
            [b"Content-Disposition: form-data; name=title\r\nContent-Type: ", kind.as_bytes(), b"\r\n\r\n", title]
                .concat();
        form(&[b"--XB\r\n", title.as_slice(), b"\r\n"].concat(), file, b"Text", b"")
    };
    for (what, body, expected) in [
        ("a title", fields("Übersicht".as_bytes(), "text/plain"), Title("Übersicht")),
        ("in UTF-8", fields("Übersicht".as_bytes(), "text/plain; charset=utf-8"), Title("Übersicht")),
        ("in Latin-1", fields(b"\xdcbersicht", "text/plain; charset=ISO-8859-1"), Title("Übersicht")),
        ("in an unnamed charset", fields(b"\xdcbersicht", "text/plain"), Refused(400, "title is not UTF-8")),
        ("an empty title", fields(b"", "text/plain"), Refused(422, "title: ")),
    ] {
        expected.check(send(&service, "XB", body).await, what);
    }
}

/// The status of a body for `/api/generate`, and the job's metadata or topic.
async fn generate(service: &Service, body: impl Into<Vec<u8>>) -> Answer {
    let request = service.request(Method::POST, "/api/generate").header("content-type", "application/json");
    Answer::of(request.body(body.into()).send().await.unwrap()).await
}

#[sqlx::test(migrations = "../migrations")]
async fn json_is_read_as_its_grammar_has_it(pool: PgPool) {
    let service = Service::start(&pool).await;
    let body = |more: &str| format!("{{\"business_id\": \"b\", \"topic\": \"t\"{more}}}");
    let metadata = |value: &str| body(&format!(", \"metadata\": {{\"a\": {value}}}"));
    let utf16: Vec<u8> = body("").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (text, status) in [
        (body(""), 202),
        (" \n\t\r".to_owned() + &body("") + "\r\n \t", 202),
        ("{\"\\u0074opic\": \"t\", \"business\\u005fid\": \"b\"}".to_owned(), 202),
        (body(", \"\\u0074opic\": \"again\""), 422),
        (body(", \"topic\": \"t\""), 422),
        (body(", \"max_rounds\": 2.0"), 202),
        (body(", \"max_rounds\": 2e0"), 202),
        (body(", \"max_rounds\": 20e-1"), 202),
        (body(", \"length_words\": 1e2"), 202),
        (body(", \"max_rounds\": -0"), 202),
        (body(", \"max_rounds\": -0.0"), 202),
        (body(", \"max_rounds\": 2.5"), 422),
        (body(", \"max_rounds\": \"2\""), 422),
        (body(", \"max_rounds\": 99999999999999999999999999"), 422),
        (body(", \"max_rounds\": 01"), 400),
        (body(", \"max_rounds\": +1"), 400),
        (body(", \"max_rounds\": .5"), 400),
        (body(", \"min_score\": 7"), 202),
        (body(", \"min_score\": 1e400"), 400),
        (body(", \"min_score\": NaN"), 400),
        (body(", \"voice\": \"\\ud83d\\ude42\""), 202),
        (body(", \"voice\": \"\\ud83d\""), 400),
        (body(", \"voice\": \"\\ude42\\ud83d\""), 400),
        (body(", \"voice\": \"\\x41\""), 400),
        (body(", \"voice\": \"a\tb\""), 400),
        (body(", \"voice\": \"a\\u0000b\""), 422),
        (body(", \"voice\": 'a'"), 400),
        (body(", /* */ \"voice\": \"a\""), 400),
        (body(","), 400),
        (body("") + "x", 400),
        ("\u{feff}".to_owned() + &body(""), 202),
        (metadata("\"\\u0000\""), 422),
        (metadata("123456789012345678901234567890"), 202),
        (metadata(&format!("{}{}", "[".repeat(63), "]".repeat(63))), 202),
        (metadata(&format!("{}{}", "[".repeat(64), "]".repeat(64))), 422),
        (metadata(&format!("{}{}", "[".repeat(200), "]".repeat(200))), 400),
        (metadata("1, \"a\": 2"), 202),
    ] {
        let answer = generate(&service, text.clone()).await;
        assert_eq!(answer.status, status, "{text}: {answer:?}");
    }
    generate(&service, utf16).await.expect_problem(400);
    let answer = generate(&service, metadata("\"\\ud83d\\ude42 \\u202e\"")).await.expect(202);
    assert_eq!(answer.body["metadata"], json!({ "a": "🙂 \u{202e}" }));
    // Postgres writes a number out in digits.
    for number in [f64::MAX, f64::MIN, f64::from_bits(1), 0.1 + 0.2] {
        let answer = generate(&service, metadata(&format!("{number:?}"))).await.expect(202);
        let job = answer.body["id"].as_str().unwrap();
        assert_eq!(service.get(&format!("/api/jobs/{job}")).await.expect(200).body["metadata"], json!({ "a": number }));
    }
    let pointers = generate(&service, body(", \"\\u0063olour\": 1, \"a\\/b\": 1")).await.expect_problem(422);
    assert_eq!(pointers.pointers(), ["/a~1b", "/colour"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn percent_encoding_is_undone_once(pool: PgPool) {
    let service = Service::start(&pool).await;
    let put =
        |name: &str| service.request(Method::PUT, &format!("/api/businesses/{name}")).json(&json!({ "name": "B" }));
    for (name, status) in [
        ("acme", 200),
        ("%61cme", 200),
        ("a%2Db", 200),
        ("a%3Ab", 200),
        ("a%252Db", 422),
        ("a%2Fb", 422),
        ("a%2fb", 422),
        ("a%00b", 422),
        ("a+b", 422),
        ("a%20b", 422),
        ("%C3%9C", 422),
        ("%FF", 404),
        ("a%2", 422),
        ("a%zz", 422),
        ("..%2F..%2Fops%2Foverview", 422),
        ("a;b=c", 422),
    ] {
        let answer = Answer::of(put(name).send().await.unwrap()).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
    }
    let stored: Vec<String> =
        sqlx::query_scalar("select business_id from businesses order by 1").fetch_all(&pool).await.unwrap();
    assert_eq!(stored, ["a-b", "a:b", "acme"]);
    for (query, status) in [
        ("q=a+b", 200),
        ("q=a%20b", 200),
        ("q=a%2Bb", 200),
        ("%71=a", 200),
        ("q=a&%71=b", 422),
        ("q=a%00b", 422),
        ("q=%FF", 422),
        ("q=a%C3%28", 422),
        ("q=%EF%BF%BD", 200),
        ("q=a%2", 200),
        ("q=a&", 200),
        ("&q=a", 200),
        ("q=a&limit=+5", 422),
        ("q=a&limit=%35", 200),
        ("q=a;limit=5", 200),
        ("q[]=a", 422),
        ("q", 422),
        ("q=+", 422),
    ] {
        let answer = service.get(&format!("/api/businesses/acme/search?{query}")).await;
        assert_eq!(answer.status, status, "{query}: {answer:?}");
    }
    // Beside a key nobody reads the ticket.
    let job = generate(&service, r#"{"business_id": "acme", "topic": "t"}"#).await.expect(202);
    let events = format!("/api/jobs/{}/events", job.body["id"].as_str().unwrap());
    service.get(&format!("{events}?ticket=a%00b")).await.expect_problem(422);
    for path in ["/%61pi/jobs", "/api//jobs", "/api/jobs/", "/API/jobs", "/api%2Fjobs", "/api/jobs%00"] {
        let answer = service.get(path).await;
        assert!([404, 200].contains(&answer.status.as_u16()), "{path}: {answer:?}");
    }
    assert!(matches!(service.get("/api/%FF").await.expect_problem(404).body, Value::Object(_)));
}
