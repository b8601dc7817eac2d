//! The operator's overview, dead letters, and paused queues.

use std::time::Duration;

use copydesk_common::clock;
use copydesk_common::config::Config;
use copydesk_common::presence::{self, WorkerInfo};
use copydesk_common::queue::{Depth, Intake, Queue};
use copydesk_common::quota::{Admission, Health, Quotas, Rank, Settlement};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::control::pages;
use crate::service::{NOBODY, Service, database_url, finish, generate, moved, with};

async fn failed(service: &Service, pool: &PgPool, business_id: &str) -> Value {
    let body = with(generate(), "business_id", business_id);
    let job = service.post("/api/generate", &body).await.expect(202).body;
    moved(pool, &job, "failed").await;
    job
}

fn path(job: &Value, action: &str) -> String {
    format!("/api/ops/dead/{}/{action}", job["id"].as_str().unwrap())
}

async fn dead(service: &Service, query: &str) -> Vec<Value> {
    pages(service, &format!("/api/ops/dead?{query}")).await.into_iter().map(|job| job["id"].clone()).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn dead_letters_are_listed_with_their_error_and_stage(pool: PgPool) {
    let service = Service::start(&pool).await;
    let mut ids = Vec::new();
    for business in ["a", "b", "a"] {
        ids.insert(0, failed(&service, &pool, business).await["id"].clone());
    }
    service.post("/api/generate", &generate()).await.expect(202);
    let page = service.get("/api/ops/dead").await.expect(200).body;
    assert_eq!(page["data"][0]["error"]["type"], "/problems/attempts-exhausted");
    assert_eq!(page["data"][0]["progress"]["stage"], "draft");
    assert_eq!(dead(&service, "").await, ids);
    assert_eq!(dead(&service, "business_id=b").await, [ids[1].clone()]);
    for none in ["kind=ingest", "stage=edit", "error_type=/problems/poisoned"] {
        assert!(dead(&service, none).await.is_empty(), "{none}");
    }
    let all = "kind=generate&stage=draft&error_type=/problems/attempts-exhausted";
    assert_eq!(dead(&service, all).await, ids);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_dead_letter_is_retried_or_put_aside(pool: PgPool) {
    let service = Service::start(&pool).await;
    let (first, second) = (failed(&service, &pool, "a").await, failed(&service, &pool, "a").await);
    let retried = service.post(&path(&first, "retry"), &json!({})).await.expect(202);
    assert_eq!(retried.body["status"], "queued");
    service.post(&path(&second, "discard"), &json!({})).await.expect(204);
    assert!(dead(&service, "").await.is_empty());
    for (job, action) in [(&first, "retry"), (&first, "discard"), (&second, "retry"), (&second, "discard")] {
        service.post(&path(job, action), &json!({})).await.expect_problem(409);
    }
    let job = service.get(second["links"]["self"].as_str().unwrap()).await.expect(200).body;
    assert_eq!(job["status"], "failed", "its client sees no difference");
    service.post(&format!("/api/jobs/{}/retry", second["id"].as_str().unwrap()), &json!({})).await.expect(202);
    for action in ["retry", "discard"] {
        service.post(&format!("/api/ops/dead/{}/{action}", Uuid::now_v7()), &json!({})).await.expect_problem(404);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn dead_letters_are_handled_by_what_they_have_in_common(pool: PgPool) {
    let service = Service::start(&pool).await;
    for business in ["a", "b", "a", "b", "a"] {
        failed(&service, &pool, business).await;
    }
    // Redis forgets every job that has ended.
    let service = Service::start(&pool).await;
    let bulk = async |action: &str, body: Value| service.post(&format!("/api/ops/dead/{action}"), &body).await;
    let answer = bulk("retry", json!({"business_id": "a", "limit": 2})).await.expect(200).body;
    assert_eq!(answer, json!({"jobs": 2, "more": true}));
    let answer = bulk("retry", json!({"business_id": "a", "error_type": "/problems/attempts-exhausted"})).await;
    assert_eq!(answer.expect(200).body, json!({"jobs": 1, "more": false}));
    service.queue_has(JobKind::Generate, Depth { ready: 3, ..Depth::default() }).await;
    assert_eq!(bulk("discard", json!({"stage": "edit"})).await.expect(200).body["jobs"], 0);
    assert_eq!(bulk("discard", json!({})).await.expect(200).body["jobs"], 2);
    assert!(dead(&service, "").await.is_empty());
    assert_eq!(bulk("retry", json!({"limit": 0})).await.expect_problem(422).pointers(), ["/limit"]);
    assert_eq!(bulk("discard", json!({"bussiness_id": "a"})).await.expect_problem(422).pointers(), ["/bussiness_id"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_queue_is_paused_drained_and_resumed(pool: PgPool) {
    let service = Service::start(&pool).await;
    let queue = Queue::new(&service.redis(), JobKind::Generate);
    for (action, intake) in [
        ("pause", Intake::Paused),
        ("pause", Intake::Paused),
        ("drain", Intake::Draining),
        ("resume", Intake::Open),
        ("resume", Intake::Open),
    ] {
        let answer = service.post(&format!("/api/ops/queues/generate/{action}"), &json!({})).await.expect(200).body;
        let paused = intake == Intake::Paused;
        assert_eq!(answer, json!({"kind": "generate", "intake": intake, "paused": paused, "in_force": true}));
        assert_eq!(queue.intake().await.unwrap(), Some(intake));
        let overview = service.get("/api/ops/overview").await.expect(200).body;
        assert_eq!(
            (&overview["queues"][0]["intake"], &overview["queues"][0]["paused"]),
            (&json!(intake), &json!(paused))
        );
        assert_eq!(overview["queues"][1]["intake"], "open");
    }
    service.post("/api/ops/queues/poems/pause", &json!({})).await.expect_problem(404);

    let alone = Service::start_on(&database_url(&pool), &format!("redis://{NOBODY}")).await;
    let answer = alone.post("/api/ops/queues/generate/pause", &json!({})).await.expect(200).body;
    assert_eq!(answer, json!({"kind": "generate", "intake": "paused", "paused": true, "in_force": false}));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_overview_shows_queues_workers_limits_and_breakers(pool: PgPool) {
    let service = Service::start(&pool).await;
    for status in ["queued", "queued", "waiting", "running", "failed", "succeeded"] {
        let job = service.post("/api/generate", &generate()).await.expect(202).body;
        match status {
            "queued" => {}
            "succeeded" => finish(&pool, job["id"].as_str().unwrap()).await,
            status => moved(&pool, &job, status).await,
        }
    }
    sqlx::query("update jobs set created_at = now() - interval '90 seconds' where status = 'queued'")
        .execute(&pool)
        .await
        .unwrap();
    let idle = WorkerInfo {
        id: "idle-1".to_owned(),
        host: "host".to_owned(),
        version: "0.1.0".to_owned(),
        concurrency: 64,
        started_at: clock::now(),
    };
    presence::beat(&service.redis(), &idle).await.unwrap();
    service.queue_has(JobKind::Generate, Depth { ready: 6, ..Depth::default() }).await;

    let overview = service.get("/api/ops/overview").await.expect(200).body;
    let queue = &overview["queues"][0];
    assert_eq!(queue["kind"], "generate");
    let counts =
        ["queued", "waiting", "running", "succeeded_last_minute", "failed_last_minute"].map(|name| &queue[name]);
    assert_eq!(counts, [2, 1, 1, 1, 1]);
    assert!((89..120).contains(&queue["oldest_age_seconds"].as_i64().unwrap()), "{queue}");
    assert_eq!(queue["redis"], json!({"ready": 6, "delayed": 0, "leased": 0, "capped": 0}));
    assert_eq!(
        overview["queues"][2],
        json!({"kind": "ingest", "paused": false, "intake": "open", "queued": 0, "waiting": 0, "running": 0,
        "oldest_age_seconds": null, "succeeded_last_minute": 0, "failed_last_minute": 0,
        "redis": {"ready": 0, "delayed": 0, "leased": 0, "capped": 0}})
    );
    let workers = overview["workers"].as_array().unwrap();
    let shown: Vec<_> = workers
        .iter()
        .map(|worker| (&worker["id"], &worker["in_flight"], worker["last_seen_at"].is_string()))
        .collect();
    assert_eq!(shown, [(&json!("idle-1"), &json!(0), true), (&json!("test"), &json!(1), false)]);
    let hand = workers[1]["in_hand"].as_array().unwrap();
    assert_eq!((hand.len(), &workers[0]["in_hand"]), (1, &json!([])));
    let shown = ["business_id", "kind", "stage", "attempt", "since"].map(|name| &hand[0][name]);
    let epoch = "1970-01-01T00:00:00.000007Z";
    assert_eq!(shown, [&json!("company_123"), &json!("generate"), &json!("draft"), &json!(3), &json!(epoch)]);
    assert!(hand[0]["job_id"].is_string());
    let unset = json!({"calls_per_minute": null, "tokens_per_minute": null, "calls_per_day": null,
        "calls_at_once": null, "usd_per_day": null, "tokens_per_day": null});
    let limit = json!({"provider": "groq", "model": null, "capacity": 30, "remaining": 30, "waiting": 0,
        "tokens_used": 0, "calls_today": 0, "tokens_today": 0, "usd_today": 0.0, "closed_until": null, "told": [], "set": unset, "in_force": with(unset.clone(), "calls_per_minute", 30)});
    assert_eq!(overview["limits"][0], limit);
    assert_eq!(overview["breakers"]["groq/llama-3.3-70b-versatile"], "closed");

    let alone = Service::start_on(&database_url(&pool), &format!("redis://{NOBODY}")).await;
    let overview = alone.get("/api/ops/overview").await.expect(200).body;
    assert_eq!((&overview["redis"], &overview["queues"][0]["queued"]), (&json!(false), &json!(2)));
    assert_eq!((&overview["queues"][0]["paused"], &overview["queues"][0]["redis"]), (&json!(null), &json!(null)));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_operator_sets_limits_and_takes_them_back(pool: PgPool) {
    let service = Service::start(&pool).await;
    let path = "/api/ops/limits/groq";
    let answer = service.put(path, &json!({"calls_per_minute": 60, "usd_per_day": 2.5, "calls_at_once": 0})).await;
    let answer = answer.expect(200).body;
    assert_eq!(answer["provider"], "groq");
    let limits = |of: &str| ["calls_per_minute", "usd_per_day", "calls_at_once"].map(|name| answer[of][name].clone());
    assert_eq!(limits("set"), [json!(60), json!(2.5), json!(0)]);
    assert_eq!(limits("in_force"), [json!(60), json!(2.5), json!(null)], "0 is no limit");
    let overview = service.get("/api/ops/overview").await.expect(200).body;
    let shown = &overview["limits"][0];
    assert_eq!(
        (&shown["capacity"], &shown["set"], &shown["in_force"]),
        (&json!(60), &answer["set"], &answer["in_force"])
    );

    let answer = service.put(path, &json!({"tokens_per_minute": null})).await.expect(200).body;
    assert_eq!(
        (&answer["set"]["calls_per_minute"], &answer["in_force"]["calls_per_minute"]),
        (&json!(null), &json!(30))
    );

    let answer = service.put("/api/ops/limits/poems", &json!({})).await.expect_problem(404);
    assert_eq!(answer.body["detail"], "no such provider: there are groq, tavily");
    let wrong = json!({"calls_per_minute": 0, "tokens_per_minute": -1, "usd_per_day": -0.5, "calls": 1});
    let answer = service.put(path, &wrong).await.expect_problem(422);
    assert_eq!(answer.pointers(), ["/calls", "/calls_per_minute", "/tokens_per_minute", "/usd_per_day"]);

    let alone = Service::start_on(&database_url(&pool), &format!("redis://{NOBODY}")).await;
    let answer = alone.put(path, &json!({"calls_per_day": 7})).await.expect(200).body;
    assert_eq!(
        (&answer["set"]["calls_per_day"], &answer["in_force"]),
        (&json!(7), &json!(null)),
        "stored all the same"
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn an_operator_sets_the_limits_of_a_model_that_has_its_own(pool: PgPool) {
    let own = |config: &mut Config| config.providers.model_limits = "openai/gpt-oss-20b=8000tpm/200000tpd".to_owned();
    let service = Service::start_with(&pool, own).await;
    let shown = async || {
        let limits = service.get("/api/ops/overview").await.expect(200).body["limits"].clone();
        limits.as_array().unwrap().iter().map(|of| (of["model"].clone(), of["in_force"].clone())).collect::<Vec<_>>()
    };
    let unset = json!({"calls_per_minute": null, "tokens_per_minute": null, "calls_per_day": null,
        "calls_at_once": null, "usd_per_day": null, "tokens_per_day": null});
    let shared = with(unset.clone(), "calls_per_minute", 30);
    let figures = with(unset.clone(), "calls_per_minute", 1_000_000);
    let figures = with(with(figures, "tokens_per_minute", 8_000), "tokens_per_day", 200_000);
    let model = json!("openai/gpt-oss-20b");
    assert_eq!(shown().await[..2], [(json!(null), shared.clone()), (model.clone(), figures.clone())]);

    let path = "/api/ops/limits/groq?model=openai/gpt-oss-20b";
    let answer = service.put(path, &json!({"tokens_per_day": 500_000})).await.expect(200).body;
    let more = with(figures, "tokens_per_day", 500_000);
    assert_eq!((&answer["provider"], &answer["model"], &answer["in_force"]), (&json!("groq"), &model, &more));
    assert_eq!(shown().await[..2], [(json!(null), shared), (model, more)]);
    let answer = service.put("/api/ops/limits/groq?model=poems", &json!({})).await.expect_problem(404);
    assert!(answer.text.contains("poems shares the limits of groq"), "{answer:?}");
    let answer = service.put(path, &json!({"usd_per_day": 1})).await.expect_problem(422);
    assert_eq!(answer.pointers(), ["/usd_per_day"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_operator_sets_a_businesss_share_and_takes_it_back(pool: PgPool) {
    let service = Service::start(&pool).await;
    let path = "/api/ops/businesses/acme/share";
    let share = |weight: Value, jobs: Value| json!({"business_id": "acme", "weight": weight, "jobs_at_once": jobs});
    assert_eq!(service.get(path).await.expect(200).body, share(json!(null), json!(null)));
    let set = service.put(path, &json!({"weight": 3, "jobs_at_once": 8})).await.expect(200).body;
    assert_eq!(set, share(json!(3), json!(8)));
    assert_eq!(service.get(path).await.expect(200).body, set);
    service.put(path, &json!({"weight": null})).await.expect(200);
    assert_eq!(service.get(path).await.expect(200).body, share(json!(null), json!(null)));

    let wrong = json!({"weight": 0, "jobs_at_once": -1, "jobs": 1});
    service.put(path, &wrong).await.expect_problem(422);
    service.put("/api/ops/businesses/a%7Cb/share", &json!({})).await.expect_problem(422);
    let alone = Service::start_on(&database_url(&pool), &format!("redis://{NOBODY}")).await;
    alone.put(path, &json!({"jobs_at_once": 2})).await.expect(200);
    assert_eq!(alone.get(path).await.expect(200).body["jobs_at_once"], 2, "stored all the same");
}

#[sqlx::test(migrations = "../migrations")]
async fn money_is_limited_only_where_its_price_is_known(pool: PgPool) {
    let unpriced = |config: &mut Config| config.providers.llm_model = "mine".to_owned();
    let service = Service::start_with(&pool, unpriced).await;
    let answer = service.put("/api/ops/limits/groq", &json!({"usd_per_day": 1})).await.expect_problem(409);
    assert!(answer.text.contains("groq/mine") && answer.text.contains("COPYDESK_PRICES"), "{answer:?}");
    service.put("/api/ops/limits/tavily", &json!({"usd_per_day": 1})).await.expect(200);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_operator_opens_and_closes_a_providers_breakers(pool: PgPool) {
    let service = Service::start(&pool).await;
    let before = clock::now();
    let open = service.post("/api/ops/breakers/groq/open?seconds=600", &json!({})).await.expect(200).body;
    let until: chrono::DateTime<chrono::Utc> = open["until"].as_str().unwrap().parse().unwrap();
    assert!((598..=601).contains(&(until - before).num_seconds()), "{open}");
    assert_eq!(open["breakers"], json!({"groq/llama-3.3-70b-versatile": "open", "groq/openai/gpt-oss-20b": "open"}));
    let shown = async || service.get("/api/ops/overview").await.expect(200).body["breakers"].clone();
    assert_eq!(shown().await, with(open["breakers"].clone(), "tavily/search", "closed"));
    let closed = service.post("/api/ops/breakers/groq/close", &json!({})).await.expect(200).body;
    assert_eq!(
        (&closed["provider"], &closed["until"], &closed["closed_until"]),
        (&json!("groq"), &json!(null), &json!(null))
    );
    assert!(shown().await.as_object().unwrap().values().all(|state| state == "closed"));

    for action in ["open", "close"] {
        service.post(&format!("/api/ops/breakers/poems/{action}"), &json!({})).await.expect_problem(404);
    }
    for seconds in ["0", "86401", "soon"] {
        let path = format!("/api/ops/breakers/groq/open?seconds={seconds}");
        assert!(service.post(&path, &json!({})).await.status.is_client_error(), "{seconds}");
    }
    let alone = Service::start_on(&database_url(&pool), &format!("redis://{NOBODY}")).await;
    alone.post("/api/ops/breakers/groq/open", &json!({})).await.expect_problem(503);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_operator_reopens_a_provider_that_its_own_retry_after_closed(pool: PgPool) {
    let service = Service::start(&pool).await;
    let quotas = Quotas::new(&service.redis(), &service.config.providers);
    let asks = || Rank::new_job(JobId::new(), BusinessId::parse("acme").unwrap(), clock::now());
    let Admission::Granted(grant) = quotas.writer.admit(asks()).await.unwrap() else { panic!("there is quota") };
    let closed_for = Some(Duration::from_secs(1_800));
    quotas.writer.settle(grant, Settlement { closed_for, ..Settlement::of(Health::Neutral) }).await.unwrap();
    let closed_until =
        async || service.get("/api/ops/overview").await.expect(200).body["limits"][0]["closed_until"].clone();
    assert!(closed_until().await.is_string());
    let closed = service.post("/api/ops/breakers/groq/close", &json!({})).await.expect(200).body;
    assert_eq!((&closed["until"], &closed["closed_until"]), (&json!(null), &json!(null)));
    assert_eq!(closed_until().await, json!(null));
    assert!(matches!(quotas.writer.admit(asks()).await.unwrap(), Admission::Granted(_)));
}
