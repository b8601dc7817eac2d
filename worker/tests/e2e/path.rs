//! The whole path: submit, run, poll, give a verdict.

use copydesk_simulator::{Fault, FaultKind, Stage};
use serde_json::{Value, json};

use crate::system::{System, sum};

const HANDBOOK: &str = "# Riverside Clinics\n\n## Our promise\n\nEvery patient of Riverside Clinics sees the same \
    physiotherapist for the whole course of treatment, and most courses end within six weeks.\n\n## Prices\n\nA first \
    appointment of 45 minutes costs 60 euros, and insured patients pay nothing for it at all.\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_article_is_written_from_the_businesss_own_documents_and_judged() {
    let system = System::start().await;
    let worker = system.worker();
    system.with_knowledge("riverside", "Riverside Clinics", HANDBOOK).await;
    let request = json!({ "business_id": "riverside", "topic": "Physiotherapy appointments and prices",
        "format": "Blog Article", "voice": "warm", "metadata": { "campaign": "spring" } });
    let id = system.submit("/api/generate", &request).await;
    let job = system.ended(id).await;

    assert_eq!(job["status"], "succeeded", "{job:#}");
    assert_eq!(job["metadata"], json!({ "campaign": "spring" }));
    assert_eq!(job["progress"]["completed"], job["progress"]["total"]);
    let result = &job["result"];
    assert_eq!(result["degraded"], json!([]));
    assert_eq!((&result["content_type"], &result["format"]), (&json!("blog"), &json!("Blog Article")));
    assert!(result["content"].as_str().unwrap().starts_with("# "));
    let review = &result["review"];
    assert!(review["score"].as_f64().unwrap() > 0.0 && review["rounds"].as_u64().unwrap() > 0, "{review:#}");
    assert_eq!(review["scored"], "draft", "the editor that scored it also mended it");
    assert_eq!(result["models"]["simulated"], true, "a simulator's text says so");
    citations_point_at_stored_passages(&system, result).await;
    let usage = &job["usage"];
    assert!(usage["calls"]["groq"].as_u64().unwrap() >= 2 && usage["calls"]["tavily"] == 2, "{usage}");
    let called = system.simulator.calls();
    assert_eq!(
        usage["calls"]["groq"].as_u64().unwrap(),
        called.chat.accepted,
        "usage counts what the provider counted"
    );
    assert_eq!(result["usage"], *usage);
    let stages = &usage["stages"];
    assert_eq!(stages["research"]["calls"], 2);
    for stage in ["draft", "edit"] {
        assert!(stages[stage]["completion_tokens"].as_u64() > Some(0), "{stage}: {usage}");
    }
    for field in ["prompt_tokens", "completion_tokens"] {
        assert_eq!(sum(stages, field), usage[field].as_u64().unwrap(), "{field}: {usage}");
    }

    let generation = result["generation_id"].as_str().unwrap();
    assert_eq!(system.get(&format!("/api/generations/{generation}")).await, (200, result.clone()));
    let verdict = json!({ "generation_id": generation, "business_id": "riverside", "human_approved": true,
        "human_score": 9.5, "human_feedback": "Excellent tone and structure" });
    let judged = system.submit("/api/feedback", &verdict).await;
    assert_eq!(system.ended(judged).await["status"], "succeeded");
    let (_, generation) = system.get(&format!("/api/generations/{generation}")).await;
    assert_eq!(generation["feedback"]["human_score"], 9.5);
    let (_, stats) = system.get("/api/learning/stats/riverside?content_type=blog").await;
    assert_eq!(
        (&stats["generations"], &stats["with_feedback"], &stats["basis"]),
        (&json!(1), &json!(1), &json!("default"))
    );
    assert_eq!(stats["reviewer"]["compared"], 0, "the verdict is on another version than the score");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_file_is_found_and_a_broken_one_says_what_to_do() {
    let system = System::start().await;
    let worker = system.worker();
    let document = "<w:document><w:body><w:p><w:pPr><w:pStyle w:val=\"Heading1\"/></w:pPr><w:r><w:t>Befunde</w:t></w:r></w:p>\
        <w:p><w:r><w:t>Jeder Befund wird von zwei erfahrenen Ärztinnen gelesen, und die Patienten erhalten ihn noch am \
        selben Tag mit einer Erklärung in einfacher Sprache.</w:t></w:r></w:p></w:body></w:document>";
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("word/document.xml", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut archive, document.as_bytes()).unwrap();
    let file = archive.finish().unwrap().into_inner();

    let broken = system.upload("klinik", "Preise.docx", file[..file.len() / 2].to_vec()).await;
    let whole = system.upload("klinik", "Handbuch.docx", file).await;
    let job = system.ended(whole).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    assert_eq!(job["progress"], json!({ "stage": "store", "completed": 2, "total": 2 }));
    let (_, found) = system.get("/api/businesses/klinik/search?q=befunden").await;
    assert_eq!(found["data"][0]["heading_path"], "Handbuch › Befunde", "{found}");
    let job = system.ended(broken).await;
    assert_eq!((&job["status"], &job["error"]["status"]), (&json!("failed"), &json!(422)));
    let detail = job["error"]["detail"].as_str().unwrap();
    assert!(detail.starts_with("Preise: the Word file is damaged") && detail.contains("save it again"), "{detail}");
    let (_, documents) = system.get("/api/businesses/klinik/documents").await;
    assert_eq!(
        (&documents["data"][0]["language"], &documents["data"][1]["error"]),
        (&json!("de"), &json!(detail)),
        "{documents}"
    );
    worker.leave().await;
}

async fn citations_point_at_stored_passages(system: &System, result: &Value) {
    let sources = result["sources"].as_array().unwrap();
    let own: Vec<&Value> = sources.iter().filter(|source| source["kind"] == "kb").collect();
    assert!(!own.is_empty(), "the business's own document is cited: {sources:?}");
    for source in own {
        let found: Option<(String,)> =
            sqlx::query_as("select body from chunks where document_id = $1::uuid and ordinal = $2")
                .bind(source["document_id"].as_str().unwrap())
                .bind(i32::try_from(source["chunk"].as_i64().unwrap()).unwrap())
                .fetch_optional(system.store.pool())
                .await
                .unwrap();
        assert!(found.is_some(), "{source}");
        assert!(result["content"].as_str().unwrap().contains(&format!("[{}]", source["n"])));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_format_is_written_in_its_own_shape() {
    let system = System::start().await;
    let worker = system.worker();
    system.with_knowledge("riverside", "Riverside Clinics", HANDBOOK).await;
    let mut jobs = Vec::new();
    for format in copydesk_domain::format::Format::ALL {
        jobs.push((*format, system.generate("riverside", "Physiotherapy appointments", format.name()).await));
    }
    for (format, id) in jobs {
        let job = system.ended(id).await;
        assert_eq!(job["status"], "succeeded", "{format}: {job:#}");
        let content = job["result"]["content"].as_str().unwrap();
        let mark = match format.slug() {
            "thread" => "1/ ",
            "email" => "Subject: ",
            "ad" => "Headline: ",
            "press_release" => "FOR IMMEDIATE RELEASE",
            "video_script" => "NARRATION: ",
            "linkedin" => "#",
            "faq" => "?\n",
            "case_study" => "## Challenge",
            "product" => "## Features",
            _ => "## ",
        };
        assert!(content.contains(mark), "{format} lacks {mark:?}:\n{content}");
        assert_eq!(job["result"]["degraded"], json!([]), "{format}");
    }
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_businesss_text_never_reaches_a_prompt_or_a_text() {
    let system = System::start().await;
    let worker = system.worker();
    let secret = HANDBOOK.replace("Riverside", "Zanzibar");
    system.with_knowledge("zanzibar", "Zanzibar Clinics", &secret).await;
    system.with_knowledge("riverside", "Riverside Clinics", HANDBOOK).await;
    let id = system.generate("riverside", "Physiotherapy appointments and prices", "blog").await;
    let job = system.ended(id).await;
    assert_eq!(job["status"], "succeeded");
    let stored: Vec<(Value,)> = sqlx::query_as("select output from stage_results where job_id = $1")
        .bind(id.0)
        .fetch_all(system.store.pool())
        .await
        .unwrap();
    assert!(stored.iter().any(|(output,)| output.to_string().contains("Riverside")));
    assert!(!stored.iter().any(|(output,)| output.to_string().contains("Zanzibar")));
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_generations_at_once_for_one_business_all_end() {
    let system = System::start().await;
    let worker = system.worker();
    let system_ref = &system;
    let submit = (0..50)
        .map(|n| async move { system_ref.generate("company_123", &format!("Topic number {n}"), "linkedin").await });
    for id in futures_util::future::join_all(submit).await {
        assert_eq!(system.ended(id).await["status"], "succeeded");
    }
    assert_eq!(system.count("select count(*) from generations").await, 50);
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_no_editor_read_shows_its_checks_and_no_score() {
    let system = System::start().await;
    let short =
        "# Physiotherapy\n\nEvery patient sees the same physiotherapist for the whole course. Book a visit today.";
    let short = Fault::chat(FaultKind::Message { text: short.into(), finish: None }).stage(Stage::Draft);
    system.simulator.set_faults(vec![Fault::chat(FaultKind::Refusal).stage(Stage::Edit), short]).unwrap();
    let worker = system.worker();
    system.with_knowledge("riverside", "Riverside Clinics", HANDBOOK).await;
    let request = json!({ "business_id": "riverside", "topic": "Physiotherapy appointments and prices", "format": "blog", "max_rounds": 1 });
    let id = system.submit("/api/generate", &request).await;
    let result = system.ended(id).await["result"].clone();
    assert_eq!(result["degraded"], json!(["review_unavailable", "checks_failed"]), "it is far too short");
    let review = &result["review"];
    assert_eq!(
        (&review["score"], &review["scored"], &review["calibrated_score"], &review["criteria"]),
        (&Value::Null, &Value::Null, &Value::Null, &json!({}))
    );
    let checks = review["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["name"] == "length"), "{review:#}");
    assert_eq!((&review["rounds"], &result["models"]["reviewer"]), (&json!(0), &Value::Null), "{review:#}");
    // What a release before stored of such a text was null.
    sqlx::query("update generations set review = null").execute(system.store.pool()).await.unwrap();
    let (status, stored) = system.get(&format!("/api/generations/{}", result["generation_id"].as_str().unwrap())).await;
    assert_eq!((status, &stored["review"]), (200, &Value::Null));
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_no_round_pays_for_no_editor_and_sees_the_checks() {
    let system = System::start().await;
    let worker = system.worker();
    system.with_knowledge("riverside", "Riverside Clinics", HANDBOOK).await;
    let request = json!({ "business_id": "riverside", "topic": "Physiotherapy appointments and prices",
        "format": "linkedin", "max_rounds": 0 });
    let id = system.submit("/api/generate", &request).await;
    let job = system.ended(id).await;
    let review = &job["result"]["review"];
    assert_eq!((&review["score"], &review["scored"], &review["rounds"]), (&Value::Null, &Value::Null, &json!(0)));
    assert!(!review["checks"].as_array().unwrap().is_empty(), "{review:#}");
    assert_eq!((&job["usage"]["calls"]["groq"], &job["result"]["degraded"]), (&json!(1), &json!([])));
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_score_of_the_final_text_is_compared_with_what_people_say() {
    let system = System::start().await;
    let good = json!({ "criteria": { "accuracy": 9, "relevance": 9, "voice": 9, "structure": 9, "clarity": 9 },
        "comments": "Good as it is.", "edits": [] });
    let good = Fault::chat(FaultKind::Message { text: good.to_string(), finish: None }).stage(Stage::Edit);
    system.simulator.set_faults(vec![good]).unwrap();
    let worker = system.worker();
    let id = system.generate("riverside", "Physiotherapy", "linkedin").await;
    let result = system.ended(id).await["result"].clone();
    assert_eq!((&result["review"]["scored"], &result["review"]["score"]), (&json!("final"), &json!(9.0)));
    let verdict = json!({ "generation_id": result["generation_id"], "business_id": "riverside", "human_score": 8.0 });
    let judged = system.submit("/api/feedback", &verdict).await;
    assert_eq!(system.ended(judged).await["status"], "succeeded");
    let (_, stats) = system.get("/api/learning/stats/riverside").await;
    assert_eq!(stats["reviewer"]["compared"], 1, "{stats:#}");
    // What a release before stored does not say which version it scored: that was the final one.
    sqlx::query("update generations set review = review - 'scored'").execute(system.store.pool()).await.unwrap();
    let (_, stored) = system.get(&format!("/api/generations/{}", result["generation_id"].as_str().unwrap())).await;
    assert_eq!(stored["review"]["scored"], "final");
    worker.leave().await;
}
