//! `GET /api/jobs/{id}/events`: the events of a job.

use std::time::Duration;

use copydesk_common::draft::{self, Piece};
use copydesk_common::follow::Followed;
use copydesk_common::notify::Notifier;
use copydesk_domain::business::BusinessId;
use copydesk_domain::stage::Stage;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::http::Response;
use crate::service::{Answer, NOBODY, Service, database_url, finish, generate, moved};

/// A client that follows a job.
struct Client {
    response: Response,
    unread: String,
}

#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Client {
    async fn follow(service: &Service, id: &str, last: Option<&str>) -> Self {
        let mut request = service.request(Method::GET, &format!("/api/jobs/{id}/events"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, unread: String::new() }
    }

    /// The next event; `None` after the last one.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let event = Event::of(block);
                self.unread = rest.to_owned();
                if let Some(event) = event {
                    self.response.described().event(&event.name, &event.data).unwrap();
                    return Some(event);
                }
            }
            let piece = timeout(Duration::from_secs(20), self.response.chunk()).await.expect("an event").unwrap()?;
            self.unread.push_str(str::from_utf8(&piece).unwrap());
        }
    }

    async fn expect(&mut self, name: &str) -> Event {
        let event = self.next().await.expect(name);
        assert_eq!(event.name, name, "{event:?}");
        event
    }
}

impl Event {
    /// `None` for a block without data, such as a comment.
    fn of(block: &str) -> Option<Self> {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let data = serde_json::from_str(&field("data: ")?).unwrap();
        Some(Self { name: field("event: ")?, id: field("id: ")?, data })
    }
}

async fn submitted(service: &Service) -> Value {
    service.post("/api/generate", &generate()).await.expect(202).body
}

fn id_of(job: &Value) -> &str {
    job["id"].as_str().unwrap()
}

/// Adds a piece to the job's draft, as a worker does.
async fn write(service: &Service, job: &Value, text: &str, reset: bool) {
    let business = BusinessId::parse("company_123").unwrap();
    let piece = Piece { stage: Stage::Draft, round: 0, reset, text: text.to_owned() };
    draft::append(&service.redis(), &business, id_of(job).parse().unwrap(), &piece).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn a_job_is_followed_from_the_queue_to_its_text(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = submitted(&service).await;
    assert_eq!(job["links"]["events"], format!("/api/jobs/{}/events", id_of(&job)));
    let mut client = Client::follow(&service, id_of(&job), None).await;
    let status = client.expect("status").await;
    assert_eq!((&status.data["status"], &status.data["waiting"]), (&json!("queued"), &Value::Null));
    assert_eq!(client.expect("progress").await.data["completed"], 0);

    write(&service, &job, "# A ti", true).await;
    let token = client.expect("token").await;
    assert_eq!(token.data, json!({ "stage": "draft", "round": 0, "reset": true, "text": "# A ti" }));
    write(&service, &job, "tle", false).await;
    assert_eq!(client.expect("token").await.data["text"], "tle");
    moved(&pool, &job, "running").await;
    assert_eq!(client.expect("status").await.data["status"], "running");
    assert_eq!(client.expect("progress").await.data["stage"], "draft");

    finish(&pool, id_of(&job)).await;
    Notifier::new(&service.redis()).publish(id_of(&job).parse().unwrap()).await;
    assert_eq!(client.expect("status").await.data["status"], "succeeded");
    let done = client.expect("done").await;
    assert_eq!(done.id, "end");
    assert_eq!(done.data, service.get(&format!("/api/jobs/{}", id_of(&job))).await.body);
    assert_eq!(done.data["result"]["content"], "# A title");
    assert_eq!(client.next().await, None, "nothing follows the end");
}

#[sqlx::test(migrations = "../migrations")]
async fn who_comes_back_sees_what_is_new_and_nothing_twice(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = submitted(&service).await;
    moved(&pool, &job, "running").await;
    for (text, reset) in [("One ", true), ("two ", false)] {
        write(&service, &job, text, reset).await;
    }
    let mut client = Client::follow(&service, id_of(&job), None).await;
    client.expect("status").await;
    let first = client.expect("token").await;
    assert_eq!(first.data["text"], "One ", "who comes late sees the text from its beginning");
    drop(client);

    write(&service, &job, "three", false).await;
    let mut client = Client::follow(&service, id_of(&job), Some(&first.id)).await;
    client.expect("status").await;
    assert_eq!(client.expect("token").await.data["text"], "two ");
    assert_eq!(client.expect("token").await.data["text"], "three");
    client.expect("progress").await;

    finish(&pool, id_of(&job)).await;
    client.expect("status").await;
    assert_eq!(client.expect("done").await.id, "end", "a look now and then needs no hint");
    let path = format!("/api/jobs/{}/events", id_of(&job));
    let again = service.request(Method::GET, &path).header("last-event-id", "end").send().await.unwrap();
    Answer::of(again).await.expect(204);
    let mut late = Client::follow(&service, id_of(&job), Some("nonsense")).await;
    for name in ["status", "progress", "done"] {
        late.expect(name).await;
    }
    assert_eq!(late.next().await, None, "the text is in the result, the draft is not told again");
}

/// Stores a text, as the stage that wrote it does, and shows that it is being edited.
async fn written(pool: &PgPool, job: &Value, stage: &str, round: i16, text: Option<&str>) {
    let id: uuid::Uuid = id_of(job).parse().unwrap();
    sqlx::query(
        "with stored as (insert into stage_results (job_id, stage, round, output, usage, started_at, finished_at)
                         values ($1, $2, $3, $4, '{}', now(), now()))
         update jobs set stage = 'edit', stages_completed = stages_completed + 1 where id = $1",
    )
    .bind(id)
    .bind(stage)
    .bind(round)
    .bind(json!({ "text": text }))
    .execute(pool)
    .await
    .unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn a_text_that_was_not_seen_growing_comes_whole_and_once(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = submitted(&service).await;
    moved(&pool, &job, "running").await;
    written(&pool, &job, "draft", 0, Some("The draft.")).await;
    let mut client = Client::follow(&service, id_of(&job), None).await;
    client.expect("status").await;
    let token = client.expect("token").await;
    assert_eq!(token.data, json!({ "stage": "draft", "round": 0, "reset": true, "text": "The draft." }));
    client.expect("progress").await;

    written(&pool, &job, "revise", 1, None).await;
    client.expect("progress").await;
    written(&pool, &job, "revise", 2, Some("Revised.")).await;
    let revised = client.expect("token").await;
    assert_eq!((&revised.data["round"], &revised.data["text"]), (&json!(2), &json!("Revised.")));
    client.expect("progress").await;
    written(&pool, &job, "revise", 3, Some("Edited.")).await;
    let revised = client.expect("token").await;
    assert_eq!(revised.data, json!({ "stage": "edit", "round": 3, "reset": true, "text": "Edited." }));
    client.expect("progress").await;
    drop(client);

    let mut client = Client::follow(&service, id_of(&job), Some(&revised.id)).await;
    client.expect("status").await;
    client.expect("progress").await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_text_that_is_withdrawn_is_followed_by_the_one_that_stands(pool: PgPool) {
    let service = Service::start(&pool).await;
    let stands = json!({ "stage": "draft", "round": 0, "reset": true, "text": "What stands." });
    for is_edited in [true, false] {
        let job = submitted(&service).await;
        moved(&pool, &job, "running").await;
        write(&service, &job, "Not to be shown.", true).await;
        let mut client = Client::follow(&service, id_of(&job), None).await;
        client.expect("status").await;
        client.expect("token").await;
        client.expect("progress").await;
        write(&service, &job, "", true).await;
        let withdrawn = client.expect("token").await;
        // Another process goes on where this one left off.
        drop(client);
        written(&pool, &job, "draft", 0, Some("What stands.")).await;
        if !is_edited {
            finish(&pool, id_of(&job)).await;
        }
        let mut client = Client::follow(&service, id_of(&job), Some(&withdrawn.id)).await;
        client.expect("status").await;
        assert_eq!(client.expect("revised").await.data, stands);
        client.expect("progress").await;
        if is_edited {
            finish(&pool, id_of(&job)).await;
            client.expect("status").await;
        }
        client.expect("done").await;
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn workers_hear_who_is_followed(pool: PgPool) {
    let service = Service::start(&pool).await;
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    let followed = Followed::listen(service.redis(), stop);
    let job = submitted(&service).await;
    let other = submitted(&service).await;
    let _client = Client::follow(&service, id_of(&job), None).await;
    let heard = async {
        while !followed.contains(id_of(&job).parse().unwrap()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), heard).await.expect("the workers hear of it");
    assert!(!followed.contains(id_of(&other).parse().unwrap()));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_job_is_followed_without_redis(pool: PgPool) {
    let service = Service::start_on(&database_url(&pool), &format!("redis://{NOBODY}")).await;
    let job = submitted(&service).await;
    let mut client = Client::follow(&service, id_of(&job), None).await;
    assert_eq!(client.expect("status").await.data["position"], Value::Null);
    client.expect("progress").await;
    finish(&pool, id_of(&job)).await;
    client.expect("status").await;
    client.expect("done").await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_process_that_leaves_lets_its_followers_go(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = submitted(&service).await;
    let mut client = Client::follow(&service, id_of(&job), None).await;
    client.expect("status").await;
    client.expect("progress").await;
    service.stop.cancel();
    assert_eq!(client.next().await, None, "they come back to another one");
    timeout(Duration::from_secs(20), service.served).await.expect("the process ends").unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn only_jobs_can_be_followed(pool: PgPool) {
    let service = Service::start(&pool).await;
    let unknown = uuid::Uuid::now_v7();
    service.get(&format!("/api/jobs/{unknown}/events")).await.expect_problem(404);
    service.get("/api/jobs/nonsense/events").await.expect_problem(404);
}
