//! The console in a real browser: a marketer's story and an operator's night from the page alone, every view as
//! assistive programs read it, and hostile texts in all of its places.

use std::time::Instant;

use copydesk_common::clock;
use copydesk_common::presence::{self, WorkerInfo};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::browser::{Browser, DESKTOP, PHONE};
use crate::system::{PATIENCE, System};

const CLINICS: &str = "# Tideway Physio\n\nTideway Physio runs eleven clinics on the coast. A first visit takes 45 \
    minutes and costs 60 euros. Most people are seen within two days.\n\n## Getting back to running\n\nWalk before you \
    run. After an ankle sprain most people run again within six weeks.\n";
const COMMENT: &str = "Please use no exclamation marks.";

/// Every view, by the name of its pictures.
const VIEWS: [(&str, &str); 17] = [
    ("write", "#/write?business=tideway"),
    ("texts", "#/write/texts?business=tideway"),
    ("profile", "#/brand/profile?business=tideway"),
    ("documents", "#/brand/documents?business=tideway"),
    ("search", "#/brand/search?business=tideway&q=running"),
    ("voice", "#/brand/voice?business=tideway"),
    ("lessons", "#/brand/lessons?business=tideway"),
    ("results", "#/brand/results?business=tideway"),
    ("work", "#/work"),
    ("work-failed", "#/work?status=failed"),
    ("operate", "#/operate"),
    ("providers", "#/operate/providers"),
    ("workers", "#/operate/workers"),
    ("dead", "#/operate/dead"),
    ("shares", "#/operate/shares"),
    ("keys", "#/operate/keys"),
    ("changes", "#/operate/changes"),
];

/// Asks for a text from the page, and waits until it can be judged.
async fn write(browser: &Browser, topic: &str) {
    browser.go("#/write?business=tideway").await;
    browser.fill("#topic", topic).await;
    browser.click("Write it").await;
    browser.sees("Your verdict").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marketer_teaches_it_from_a_phone() {
    let system = System::start().await;
    let worker = system.worker();
    let Some(browser) = Browser::of(&system, PHONE).await else { return };
    let file = std::env::temp_dir().join(format!("{}.md", copydesk_testkit::prefix()));
    std::fs::write(&file, CLINICS).unwrap();
    browser.go("#/brand/documents?business=tideway").await;
    browser.choose_file(&file.display().to_string()).await;
    browser.sees("Ready").await;
    browser.pictures("phone-documents").await;
    browser.reload().await;
    for topic in ["Running after an ankle sprain", "What a first visit costs"] {
        write(&browser, topic).await;
        browser.click("Not like this").await;
        browser.fill(".verdict textarea", COMMENT).await;
        browser.click("Send the verdict").await;
        browser.sees("What you said").await;
    }
    browser.go("#/brand/lessons?business=tideway").await;
    browser.sees("Use no exclamation marks.").await;
    write(&browser, "Opening hours").await;
    browser.sees("Use no exclamation marks.").await;
    browser.pictures("phone-text").await;
    browser.was_calm().await;
    let told = "select count(*) from generations where jsonb_array_length(lessons_applied) > 0";
    assert_eq!(system.count(told).await, 1, "the third text was written with what was said of two");
    std::fs::remove_file(file).unwrap();
    browser.leave().await;
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_mends_a_night_from_the_page_alone() {
    let system = System::start_with(|config| config.worker.first_backoff_ms = 10).await;
    let worker = system.worker();
    // The provider refuses the key: a job that takes no template fails for good.
    let refused = json!({ "error": { "message": "Invalid API Key", "code": "invalid_api_key" } });
    system.fault(&json!({ "endpoint": "chat", "kind": { "status": { "code": 401, "body": refused } } }));
    let request = json!({ "business_id": "tideway", "topic": "Night", "format": "linkedin", "allow_fallback": false });
    let dead = system.submit("/api/generate", &request).await;
    assert_eq!(system.ended(dead).await["status"], "failed");
    system.simulator.set_faults(Vec::new()).unwrap();
    assert_eq!(system.request(Method::POST, "/api/ops/queues/generate/pause").await.0, 200);
    // The day's calls are used up: the failed one was the only one.
    let limits = json!({ "calls_per_day": 1 });
    assert_eq!(system.put("/api/ops/limits/groq", &limits).await.0, 200);
    let waits = system.submit("/api/generate", &request).await;

    let Some(browser) = Browser::of(&system, DESKTOP).await else { return };
    browser.go("#/operate").await;
    browser.sees("The queue “Text” is paused").await;
    browser.sees("1 job failed for good").await;
    browser.pictures("desktop-night").await;
    browser.click("Resume").await;
    browser.click("Resume").await;
    browser.sees("“Text” is open.").await;

    browser.go("#/operate/providers").await;
    browser.pictures("desktop-providers").await;
    browser.click("Change: Limits of groq").await;
    browser
        .run(
            "[...document.querySelectorAll('dialog input')].filter((one) => one.value === '1').forEach((one) => {
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(one, '');
        one.dispatchEvent(new Event('input', { bubbles: true }));
    });",
        )
        .await;
    browser.click("Set the limits").await;
    browser.sees("The limits are set").await;

    browser.go("#/operate/dead").await;
    browser.pictures("desktop-dead").await;
    browser.click("Retry all").await;
    browser.click("Retry 1 job").await;
    browser.sees("1 job is in line again.").await;
    for job in [dead, waits] {
        let job = system.ended(job).await;
        assert_eq!(job["status"], "succeeded", "{job:#}");
    }
    browser.go("#/operate/changes").await;
    browser.sees("Limits were set").await;
    browser.was_calm().await;
    browser.leave().await;
    worker.leave().await;
}

/// axe-core from npm: its address, and its SHA-256. It is kept for the next run.
const AXE: (&str, &str) = (
    "https://registry.npmjs.org/axe-core/-/axe-core-4.14.1.tgz",
    "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
);

async fn axe() -> Option<String> {
    let kept = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/axe-core-4.14.1.tgz"));
    let is_right = |file: &[u8]| hex::encode(Sha256::digest(file)) == AXE.1;
    if !std::fs::read(kept).is_ok_and(|file| is_right(&file)) {
        let file = async { reqwest::get(AXE.0).await?.error_for_status()?.bytes().await };
        match file.await {
            Ok(file) => {
                assert!(is_right(&file), "{} is another file than it was", AXE.0);
                // The target folder may be elsewhere.
                std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
                std::fs::write(kept, &file).unwrap();
            }
            Err(error) => {
                println!("skipped: axe-core cannot be had ({error})");
                return None;
            }
        }
    }
    let script = std::process::Command::new("tar").arg("-xzOf").arg(kept).arg("package/axe.min.js").output().unwrap();
    Some(String::from_utf8(script.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_view_is_one_that_assistive_programs_can_read() {
    let system = System::start().await;
    let worker = system.worker();
    let Some(axe) = axe().await else { return };
    system.with_knowledge("tideway", "Tideway Physio", CLINICS).await;
    let job = system.ended(system.generate("tideway", "Running again", "blog").await).await;
    let text = job["generation_id"].as_str().unwrap();
    let verdict =
        json!({ "generation_id": text, "business_id": "tideway", "human_score": 6, "human_feedback": COMMENT });
    system.ended(system.submit("/api/feedback", &verdict).await).await;
    let own =
        [("text", format!("#/write/texts/{text}")), ("job", format!("#/work/jobs/{}", job["id"].as_str().unwrap()))];
    let views = VIEWS.map(|(name, fragment)| (name, fragment.to_owned())).into_iter().chain(own);
    let views: Vec<(&str, String)> = views.collect();
    for (size, width) in [(DESKTOP, "desktop"), (PHONE, "phone")] {
        let Some(browser) = Browser::of(&system, size).await else { return };
        browser.run(&axe).await;
        // What fades out has no contrast for a moment.
        browser.until("the end of greetings", "return !document.querySelector('.toast');").await;
        for (name, fragment) in &views {
            browser.go(fragment).await;
            browser.pictures(&format!("{width}-{name}")).await;
            let run = "window.__axe = null;
                axe.run(document, { resultTypes: ['violations'] }).then((found) => {
                    window.__axe = found.violations.map((one) => one.id + ': ' + one.nodes.map((node) => node.html).join(' '));
                });";
            browser.run(run).await;
            browser.until("axe's answer", "return window.__axe !== null;").await;
            let violations = browser.run("return window.__axe;").await;
            assert_eq!(violations, json!([]), "{width} {name}");
        }
        browser.was_calm().await;
        browser.leave().await;
    }
    worker.leave().await;
}

/// What sets `window.__ran` where a page takes a text for more than a text.
fn payloads() -> Vec<String> {
    let tags = [
        "img src=x onerror",
        "svg onload",
        "body onload",
        "input autofocus onfocus",
        "details open ontoggle",
        "video src=x onerror",
        "audio src=x onerror",
        "iframe onload",
        "object data=x onerror",
        "marquee onstart",
    ];
    let frames: [fn(&str) -> String; 10] = [
        |code| format!("<script>{code}</script>"),
        |code| format!("\"><script>{code}</script>"),
        |code| format!("</textarea></title><script>{code}</script>"),
        |code| format!("[a link](javascript:{code})"),
        |code| format!("<a href=\"javascript:{code}\">here</a>"),
        |code| format!("![x](x\" onerror=\"{code})"),
        |code| format!("<iframe srcdoc='<script>parent.{code}</script>'></iframe>"),
        |code| format!("<math><mtext><style><img src=x onerror={code}></style></mtext></math>"),
        |code| format!("`<img src=x onerror={code}>`"),
        |code| format!("<style>@import 'data:text/css,x';</style><img src=x onerror={code}>"),
    ];
    let code = "window.__ran=1";
    let of_tags = tags.iter().flat_map(|tag| {
        [
            format!("<{tag}={code}>"),
            format!("'\"><{tag}=\"{code}\">"),
            format!("<{}={code}>", tag.to_uppercase()),
            format!("# <{tag}={code}>"),
            format!("- <{tag}={code}//"),
            format!("> **<{tag}={code}>**"),
            format!("&lt;{tag}={code}&gt;"),
            format!("| <{tag}={code}> | b |\n|---|---|\n| c | d |"),
            format!("\u{202e}<{tag}={code}>"),
        ]
    });
    let all: Vec<String> = of_tags.chain(frames.iter().map(|frame| frame(code))).collect();
    assert_eq!(all.len(), 100);
    all
}

/// Heartbeats of workers with these names and machines.
async fn hostile_workers(system: &System, names: &[String]) {
    let redis = system.redis();
    for name in names {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let worker =
            WorkerInfo { id: name.clone(), host: name.clone(), version, concurrency: 8, started_at: clock::now() };
        presence::beat(&redis, &worker).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_of_a_stranger_runs_in_the_page() {
    let system = System::start().await;
    let worker = system.worker();
    let payloads = payloads();
    let put = |name: &str| json!({ "name": name, "description": name, "voice": name, "guidelines": name });
    assert_eq!(system.put("/api/businesses/tideway", &put(&payloads[0])).await.0, 200);
    // Titles and texts of documents, topics and instructions, names of keys.
    let mut jobs = Vec::new();
    for (n, payload) in payloads.iter().enumerate() {
        let document =
            json!({ "title": payload, "text": format!("{payload}\n\nRunning helps."), "external_id": format!("{n}") });
        jobs.push(system.submit("/api/businesses/tideway/documents", &document).await);
        let name: String = payload.chars().filter(|c| !c.is_control() && *c != '\u{202e}').take(90).collect();
        let key = json!({ "name": name, "scopes": ["read"], "businesses": ["tideway"] });
        let (status, answer) = system.post("/api/keys", &key).await;
        assert_eq!(status, 201, "{answer}");
    }
    let by_ten = payloads.chunks(10).map(|some| some.join(" "));
    let refused = json!({ "error": { "message": payloads[..12].join(" "), "code": payloads[1] } });
    let mut texts: Vec<Value> = Vec::new();
    for (n, topic) in by_ten.enumerate() {
        let topic: String = topic.chars().take(480).collect();
        let request = json!({ "business_id": "tideway", "topic": topic, "format": "linkedin", "instructions": topic,
            "metadata": { "campaign": topic.chars().take(200).collect::<String>() } });
        let text = system.ended(system.submit("/api/generate", &request).await).await;
        let said = payloads[n * 10..n * 10 + 10].join("\n");
        let verdict = json!({ "generation_id": text["generation_id"], "business_id": "tideway", "human_score": 5,
            "human_feedback": said, "edited_content": format!("{said}\n\n{}", text["result"]["content"].as_str().unwrap()),
            "rater": payloads[n].chars().take(90).collect::<String>() });
        jobs.push(system.submit("/api/feedback", &verdict).await);
        texts.push(text);
    }
    for job in jobs {
        system.ended(job).await;
    }
    let model = &payloads[2];
    let changed = sqlx::query("update generations set content = content || $1, title = $2, models = jsonb_set(models, '{writer}', to_jsonb($2::text))")
        .bind(format!("\n\n{}", payloads.join("\n\n")))
        .bind(model)
        .execute(system.store.pool())
        .await
        .unwrap();
    assert!(changed.rows_affected() >= 10);
    system.fault(&json!({ "endpoint": "chat", "kind": { "status": { "code": 401, "body": refused } } }));
    let request = json!({ "business_id": "tideway", "topic": payloads[5], "format": "ad", "allow_fallback": false });
    let failed = system.submit("/api/generate", &request).await;
    assert_eq!(system.ended(failed).await["status"], "failed");

    let Some(browser) = Browser::of(&system, DESKTOP).await else { return };
    let mut fragments: Vec<String> = VIEWS.iter().map(|(_, fragment)| (*fragment).to_owned()).collect();
    fragments.push(format!("#/work/jobs/{failed}"));
    for text in &texts {
        fragments.push(format!("#/write/texts/{}", text["generation_id"].as_str().unwrap()));
        fragments.push(format!("#/work/jobs/{}", text["id"].as_str().unwrap()));
    }
    let versions = format!("#/write/texts/{}?tab=versions", texts[0]["generation_id"].as_str().unwrap());
    fragments.push(versions);
    let began = Instant::now();
    for fragment in &fragments {
        if fragment.starts_with("#/operate") {
            hostile_workers(&system, &payloads).await;
        }
        browser.go(fragment).await;
        if fragment == "#/operate/workers" {
            browser.sees(&payloads[0]).await;
        }
        let found = browser.run(
            "return [window.__ran ?? null, document.querySelectorAll('script:not([src]), iframe, object, video, audio, img, \
             marquee, [onerror], [onload], [onfocus], [ontoggle], [onstart], a[href^=\"javascript\"], style').length];",
        );
        assert_eq!(found.await, json!([null, 0]), "{fragment}");
    }
    assert!(began.elapsed() < 3 * PATIENCE);
    browser.was_calm().await;
    browser.leave().await;
    worker.leave().await;
}
