//! What people say of texts, from their verdict to the next text, and back again.

use copydesk_common::config::Config;
use copydesk_common::store::{MIGRATOR, Store};
use copydesk_domain::business::BusinessId;
use copydesk_testkit::{empty_database, prefix, redis_url};
use copydesk_worker::feedback;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::migrate::Migrator;

use crate::system::{System, until};

const BUSINESS: &str = "acme";
const NO_MARKS: &str = "Please, no exclamation marks.";

/// A text, and its generation.
async fn text(system: &System, topic: &str) -> Value {
    let job = system.generate(BUSINESS, topic, "linkedin").await;
    let job = system.ended(job).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    job["result"].clone()
}

fn verdict(text: &Value, score: f64, comment: &str) -> Value {
    json!({ "generation_id": text["generation_id"], "business_id": BUSINESS, "human_score": score,
        "human_feedback": comment })
}

/// Says something of a new text, and waits until it is applied. Returns the verdict's id.
async fn says(system: &System, topic: &str, comment: &str) -> String {
    let text = text(system, topic).await;
    let job = system.submit("/api/feedback", &verdict(&text, 6.0, comment)).await;
    let job = system.ended(job).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    job["result"]["feedback_id"].as_str().unwrap().to_owned()
}

async fn lessons(system: &System) -> Vec<Value> {
    let (status, page) = system.get("/api/learning/lessons/acme").await;
    assert_eq!(status, 200, "{page}");
    page["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_ask_for_is_told_the_next_writer_until_it_is_taken_back() {
    let system = System::start().await;
    let worker = system.worker();
    says(&system, "Blood tests", NO_MARKS).await;
    let first = lessons(&system).await;
    assert_eq!((first.len(), &first[0]["status"]), (1, &json!("candidate")), "{first:?}");
    assert!(text(&system, "Night shifts").await["lessons_applied"].as_array().unwrap().is_empty());

    let second = says(&system, "Waiting rooms", "Too many exclamation marks again!").await;
    let active = lessons(&system).await;
    assert_eq!((&active[0]["status"], &active[0]["support"]), (&json!("active"), &json!(2)), "{active:?}");
    assert_eq!(active[0]["text"], "Use no exclamation marks.");

    let written = text(&system, "Opening hours").await;
    let told = &written["lessons_applied"][0];
    assert_eq!(told["id"], active[0]["lesson_id"], "{written:#}");
    assert!(told["followed"].is_boolean(), "{told}");
    assert_eq!(told["followed"], json!(!written["content"].as_str().unwrap().contains('!')));
    let checks = written["review"]["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "lesson:punctuation:exclamation").unwrap();
    assert_eq!(check["passed"], told["followed"]);
    assert_eq!((&written["learning"]["arm"], &written["learning"]["available"]), (&json!("on"), &json!(1)));
    assert!(written["learning"]["snapshot"].is_string());
    let prompts = system.simulator.prompts();
    assert!(prompts.iter().any(|prompt| prompt.contains("Use no exclamation marks.")));
    assert!(
        !prompts.iter().any(|prompt| prompt.contains("<lesson") && prompt.contains(NO_MARKS)),
        "never word for word"
    );

    let (status, _) = system.request(Method::DELETE, &format!("/api/feedback/{second}")).await;
    assert_eq!(status, 204);
    // But for the text that was written with it meanwhile.
    let said = |lessons: Vec<Value>| -> Vec<Value> {
        let without = |mut lesson: Value| {
            ["applied", "followed", "unfollowed"].iter().for_each(|count| lesson[count] = Value::Null);
            lesson
        };
        lessons.into_iter().map(without).collect()
    };
    assert_eq!(said(lessons(&system).await), said(first), "as if it had never been said");
    assert!(text(&system, "Parking").await["lessons_applied"].as_array().unwrap().is_empty());
    let jobs = "select count(*) from jobs where payload::text like '%exclamation marks again%'";
    assert_eq!(system.count(jobs).await, 0, "its words are gone, too");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_arm_is_told_nothing_and_says_so() {
    let system = System::start_with(|config| config.worker.learning_control_percent = 100).await;
    let worker = system.worker();
    for topic in ["Blood tests", "Waiting rooms"] {
        says(&system, topic, NO_MARKS).await;
    }
    assert_eq!(lessons(&system).await[0]["status"], "active");
    let written = text(&system, "Opening hours").await;
    assert!(written["lessons_applied"].as_array().unwrap().is_empty());
    assert_eq!((&written["learning"]["arm"], &written["learning"]["available"]), (&json!("off"), &json!(1)));
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_is_measured_and_learned_from() {
    let system = System::start().await;
    let worker = system.worker();
    for topic in ["Blood tests", "Waiting rooms"] {
        let text = text(&system, topic).await;
        let edited = format!("{}\n\nBook your visit today.", text["content"].as_str().unwrap().replace('!', "."));
        let body = json!({ "generation_id": text["generation_id"], "business_id": BUSINESS, "human_approved": true,
            "edited_content": edited, "rater": "maria" });
        let job = system.submit("/api/feedback", &body).await;
        assert_eq!(system.ended(job).await["status"], "succeeded");
        let id = text["generation_id"].as_str().unwrap();
        let (_, generation) = system.get(&format!("/api/generations/{id}")).await;
        let feedback = &generation["feedback"];
        assert_eq!(feedback["rater"], "maria");
        let changed = feedback["effort"]["words_changed"].as_f64().unwrap();
        assert!((0.001..0.9).contains(&changed), "{feedback}");
    }
    let (_, stats) = system.get("/api/learning/stats/acme").await;
    assert!(stats["figures"].is_object() && stats["lessons"].is_object(), "{stats:#}");
    let next = text(&system, "Opening hours").await;
    assert!(!next["learning"]["examples"].as_array().unwrap().is_empty(), "what was published is an example");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_writes_each_brief_with_the_lesson_and_without() {
    let system = System::start().await;
    let worker = system.worker();
    for topic in ["Blood tests", "Waiting rooms"] {
        says(&system, topic, NO_MARKS).await;
    }
    let lesson = lessons(&system).await[0].clone();
    let path = format!("/api/learning/lessons/acme/{}/replay", lesson["lesson_id"].as_str().unwrap());
    let (status, started) = system.post(&path, &json!({ "briefs": 2 })).await;
    assert_eq!((status, started["jobs"].as_array().unwrap().len()), (202, 4), "{started}");
    until(async || system.count("select count(*) from generations where learning->>'arm' = 'replay'").await == 4).await;
    let effect = &lessons(&system).await[0]["effect"];
    assert_eq!(effect["pairs"], 2, "{effect}");
    let sql = "select json_build_object('generation_id', generation_id)::text from generations
               where learning->>'arm' = 'replay' limit 1";
    let written: String = sqlx::query_scalar(sql).fetch_one(system.store.pool()).await.unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    let (status, refused) = system.post("/api/feedback", &verdict(&written, 9.0, NO_MARKS)).await;
    assert_eq!(status, 409, "{refused}");
    assert_eq!(system.count("select count(*) from lesson_uses").await, 0, "they are no uses of it");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lessons_have_pages() {
    let system = System::start().await;
    let worker = system.worker();
    says(&system, "Blood tests", "No exclamation marks. Use bullet points. Never say \"synergy\".").await;
    let whole = lessons(&system).await;
    assert_eq!(whole.len(), 3, "{whole:#?}");
    let (_, first) = system.get("/api/learning/lessons/acme?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let (_, second) = system.get(&format!("/api/learning/lessons/acme?limit=2&cursor={cursor}")).await;
    assert_eq!(second["next_cursor"], Value::Null);
    let ids =
        |page: &Value| page["data"].as_array().unwrap().iter().map(|one| one["lesson_id"].clone()).collect::<Vec<_>>();
    assert_eq!(
        [ids(&first), ids(&second)].concat(),
        whole.iter().map(|one| one["lesson_id"].clone()).collect::<Vec<_>>()
    );
    // A place holds where no lesson has it.
    for (status, digit, left) in [("active", "0", whole.len()), ("retired", "f", 0)] {
        let id = [8, 4, 4, 4, 12].map(|digits| digit.repeat(digits)).join("-");
        let (_, page) = system.get(&format!("/api/learning/lessons/acme?cursor={status}.{id}")).await;
        assert_eq!(ids(&page).len(), left, "{page}");
    }
    let (status, problem) = system.get("/api/learning/lessons/acme?cursor=active").await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/cursor")), "{problem}");
    worker.leave().await;
}

/// What was derived, in every byte.
async fn derived(system: &System) -> Vec<String> {
    let mut rows = Vec::new();
    for sql in [
        "select l::text from lessons l order by lesson_id",
        "select f::text from learning_figures f order by content_type",
        "select snapshot from learning_state",
    ] {
        rows.extend(sqlx::query_scalar::<_, String>(sql).fetch_all(system.store.pool()).await.unwrap());
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_verdicts_at_once_make_what_they_make_one_after_the_other() {
    let system = System::start().await;
    let writer = system.worker();
    let mut texts = Vec::new();
    for batch in 0..5 {
        let jobs: Vec<_> = futures_util::future::join_all((0..10).map(|n| {
            system.generate(BUSINESS, ["Blood", "Bones", "Eyes", "Ears", "Teeth"][(batch + n) % 5], "linkedin")
        }))
        .await;
        for job in jobs {
            texts.push(system.ended(job).await["result"].clone());
        }
    }
    writer.leave().await;
    let says = ["No exclamation marks, please.", "Use bullet points!", "Too long.", "Never say \"synergy\".", ""];
    let verdicts = texts.iter().enumerate().map(|(n, text)| {
        let mut body = verdict(text, 5.0 + f64::from(u8::try_from(n % 5).unwrap()), says[n % 5]);
        body["rater"] = json!(["maria", "jonas"][n % 2]);
        body
    });
    let verdicts: Vec<Value> = verdicts.collect();
    let mut doomed = [system.worker_process(), system.worker_process()];
    let jobs: Vec<_> =
        futures_util::future::join_all(verdicts.iter().map(|body| system.submit("/api/feedback", body))).await;
    until(async || system.count("select count(*) from feedback").await >= 10).await;
    doomed[0].kill().await.unwrap();
    until(async || system.count("select count(*) from feedback").await >= 25).await;
    doomed[1].kill().await.unwrap();
    let heir = system.worker();
    for job in jobs {
        let job = system.ended(job).await;
        assert_eq!(job["status"], "succeeded", "{job:#}");
    }
    assert_eq!(system.count("select count(*) from feedback").await, 50);
    assert_eq!(system.count("select applied from learning_state").await, 50);
    let at_once = derived(&system).await;
    assert!(at_once.len() > 4, "{at_once:?}");
    let business = BusinessId::parse(BUSINESS).unwrap();
    sqlx::raw_sql("delete from lessons; delete from learning_figures").execute(system.store.pool()).await.unwrap();
    feedback::rebuild(&system.store, &business).await.unwrap();
    assert_eq!(derived(&system).await, at_once);
    heir.leave().await;
}

/// The schema before lessons.
const BEFORE: i64 = 20_261_127_220_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdicts_of_the_release_before_are_learned_from_at_the_first_rebuild() {
    let earlier = MIGRATOR.iter().filter(|migration| migration.version < BEFORE).cloned().collect();
    let uri = empty_database().await;
    let store = Store::new(&Config::for_servers(&uri, &redis_url(), &prefix()).unwrap().postgres).unwrap();
    store.migrate(&Migrator::with_migrations(earlier)).await.unwrap();
    let rows = r#"
        insert into jobs (id, kind, business_id, generation_id, status, priority, payload, max_attempts, traceparent, finished_at)
        select id, 'generate', 'acme', id, 'succeeded', 'bulk', '{}', 3, 't', now()
        from (select gen_random_uuid() as id from generate_series(1, 3)) new;
        insert into generations (generation_id, job_id, business_id, topic, content_type, voice, language, title, content,
                                 sources, lessons_applied, degraded, models, usage)
        select id, id, 'acme', 'Blood', 'blog', '', 'en', 'T', 'A text! It shouts!', '[]', '[]', '{}',
               '{"writer": null, "reviewer": null, "simulated": true}', '{}' from jobs;
        insert into reviewer_learning (generation_id, business_id, content_type, auto_score)
        select generation_id, 'acme', 'blog', 8 from generations;
        insert into feedback (feedback_id, generation_id, business_id, human_score, human_feedback)
        select gen_random_uuid(), generation_id, 'acme', 6, 'Please, no exclamation marks.' from generations;
        update reviewer_learning r set has_human_feedback = true, feedback_id = f.feedback_id, human_score = 6,
               human_feedback = f.human_feedback, reviewed_at = now()
        from feedback f where f.generation_id = r.generation_id;"#;
    sqlx::raw_sql(rows).execute(store.pool()).await.unwrap();
    store.migrate(&MIGRATOR).await.unwrap();

    let business = BusinessId::parse("acme").unwrap();
    assert_eq!(feedback::rebuild(&store, &business).await.unwrap(), 3, "read for the first time");
    let known = copydesk_common::store::learning::lessons(&store, &business).await.unwrap();
    assert_eq!((known.len(), known[0].known.lesson.status.as_str()), (1, "active"));
    assert_eq!(feedback::rebuild(&store, &business).await.unwrap(), 0);
    let stats = copydesk_common::store::feedback::stats::stats(&store, &business, None).await.unwrap();
    assert_eq!((stats.with_feedback, stats.scored), (3, 3), "nothing was lost");
}
