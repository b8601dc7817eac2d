//! What a request costs is bounded: its answer, and the memory that it takes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use copydesk_testkit::{install_tls, peak_memory_kib};
use reqwest::Method;
use serde_json::{Map, Value, json};
use sqlx::PgPool;

use crate::binary::program;
use crate::http::RequestBuilder;
use crate::service::{Answer, Service, generate, with};

const BATCH: &str = "/api/generate/batch";

fn unknown_fields(count: usize) -> Value {
    (0..count).map(|n| (n.to_string(), json!(1))).collect::<Map<_, _>>().into()
}

/// The errors that are told, and those that are only counted.
fn told(problem: &Value) -> (usize, u64) {
    let told = problem["errors"].as_array().unwrap().len();
    assert!(told > 0, "{problem}");
    (told, problem["errors_omitted"].as_u64().unwrap_or_default())
}

#[sqlx::test(migrations = "../migrations")]
async fn very_many_errors_are_told_in_part_and_counted(pool: PgPool) {
    let service = Service::start(&pool).await;
    let answer = service.post("/api/generate", &unknown_fields(20_000)).await.expect_problem(422);
    // Two required fields are missing as well.
    assert_eq!(told(&answer.body), (50, 19_952));
    assert!(answer.text.len() < 10_000, "{}", answer.text.len());
    assert!(answer.body["detail"].as_str().unwrap().ends_with("more"), "{}", answer.body["detail"]);

    let few = service.post("/api/generate", &with(generate(), "colour", 1)).await.expect_problem(422);
    assert!(few.body.get("errors_omitted").is_none(), "{few:?}");
    assert!(few.text.contains("unknown field `colour`, expected one of `business_id`, `topic`"), "{few:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_batch_tells_a_few_errors_of_each_request(pool: PgPool) {
    let service = Service::start(&pool).await;
    let answer = service.post(BATCH, &json!({ "requests": vec![unknown_fields(60); 1_000] })).await.expect(200);
    assert!(answer.text.len() < 1_000_000, "{}", answer.text.len());
    let lines = answer.body["data"].as_array().unwrap();
    for (index, line) in lines.iter().enumerate() {
        let most = if index < 200 { 10 } else { 1 };
        assert_eq!(told(&line["error"]), (most, 62 - most as u64), "{line}");
        assert!(line["error"]["errors"][0]["pointer"].as_str().unwrap().starts_with(&format!("/requests/{index}/")));
    }
    assert_eq!(lines.len(), 1_000);
}

#[sqlx::test(migrations = "../migrations")]
async fn long_values_are_told_in_part(pool: PgPool) {
    let service = Service::start(&pool).await;
    let long = "x".repeat(500_000);
    let bodies = [
        with(generate(), "priority", long.as_str()),
        with(generate(), &long, 1),
        with(generate(), "keywords", json!(vec![""; 150_000])),
        with(generate(), "keywords", long.as_str()),
        with(generate(), "metadata", json!({ "a": long })),
        with(generate(), "metadata", json!({ "a": vec![1; 200_000] })),
    ];
    for body in bodies {
        let answer = service.post("/api/generate", &body).await.expect_problem(422);
        assert!(answer.text.len() < 3_000, "{} {}", answer.text.len(), &answer.text[..200]);
        assert!(!answer.text.contains(" column "), "a position in the field misleads: {answer:?}");
    }
    let path = format!("/api/jobs?{}=1", "x".repeat(5_000));
    let answer = service.get(&path).await.expect_problem(422);
    assert!(answer.text.len() < 2_000, "{answer:?}");
}

/// An object, nested this deep.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }))
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_stored_can_be_read_again(pool: PgPool) {
    let service = Service::start(&pool).await;
    let batch =
        json!({ "requests": [with(generate(), "metadata", nested(64)), with(generate(), "metadata", nested(65))] });
    let send = async || {
        let request = service.request(Method::POST, BATCH).header("idempotency-key", "deep").json(&batch);
        Answer::of(request.send().await.unwrap()).await.expect(200)
    };
    let (first, again) = (send().await, send().await);
    assert_eq!(
        (first.body["data"][0]["status"].as_u64(), first.body["data"][1]["status"].as_u64()),
        (Some(202), Some(422))
    );
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.body, again.body);
    let job = first.body["data"][0]["job"]["links"]["self"].as_str().unwrap();
    assert_eq!(service.get(job).await.expect(200).body["metadata"], nested(64));
}

/// The program, ended when dropped.
struct Program {
    child: Child,
    base: String,
}

impl Program {
    fn start() -> Self {
        let mut child =
            program().env("COPYDESK_AUTH", "open").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let serving = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        let address = serving.filter_map(|line| Some(line["address"].as_str()?.to_owned())).next().unwrap();
        Self { child, base: format!("http://{address}") }
    }

    fn peak_kib(&self) -> u64 {
        peak_memory_kib(self.child.id())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_body_of_millions_of_values_takes_little_more_memory_than_its_text() {
    const BODY_BYTES: usize = 16 * 1024 * 1024;
    let ones = "1,".repeat(BODY_BYTES / 2 - 100);
    install_tls();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (body, expected) in [
        (format!("{{\"requests\": [{ones}1]}}"), 422),
        (format!("{{\"colour\": [{ones}1], \"requests\": []}}"), 422),
        (
            format!(
                "{{\"requests\": [{{\"business_id\": \"b\", \"topic\": \"x\", \"metadata\": {{\"a\": [{ones}1]}}}}]}}"
            ),
            200,
        ),
    ] {
        let program = Program::start();
        let before = program.peak_kib();
        let url = format!("{}{BATCH}", program.base);
        let request = RequestBuilder::new(&client, Method::POST, url).header("content-type", "application/json");
        let answer = Answer::of(request.body(body).send().await.unwrap()).await.expect(expected);
        assert!(answer.text.len() < 1_000, "{answer:?}");
        let taken = program.peak_kib() - before;
        // The text in parts as it arrives, the whole text, and a copy of the longest request.
        assert!(taken < 4 * BODY_BYTES as u64 / 1024, "{taken} KiB were taken for {BODY_BYTES} bytes");
    }
}
