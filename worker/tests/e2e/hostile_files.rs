//! A few of the files that `cargo xtask chaos --faults hostile-files` sends, against one worker:
//! each ends, with what to do, and neither the worker nor a text that is written meanwhile is hurt.

use copydesk_hostile::{Category, HostileFile, file};
use serde_json::{Value, json};

use crate::system::System;

const SEED: u64 = 7;
/// Which files of each category are sent: together they are of all types.
const NUMBERS: [usize; 3] = [1, 10, 19];
/// The most memory that a worker may use meanwhile, in KiB.
const MAX_RESIDENT_KIB: u64 = 256 * 1024;

/// Why a job's end is not as it should be.
fn wrong(job: &Value) -> Option<&'static str> {
    match job["status"].as_str() {
        Some("succeeded") => None,
        Some("failed") if job["error"]["type"] != "/problems/unusable-document" => Some("failed by another problem"),
        Some("failed") if job["error"]["detail"].as_str().is_none_or(|detail| detail.contains("its reader failed")) => {
            Some("failed without a reason")
        }
        Some("failed") => None,
        _ => Some("did not end"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_strangers_end_with_what_to_do_and_hurt_nothing_else() {
    let system = System::start_with(|config| config.worker.reading_seconds = 1).await;
    let mut worker = system.worker_process();
    // Without a document that fits, a text is degraded.
    system.with_knowledge("harbour", "Ferries", "The ferries leave the harbour at dusk and are back at dawn.").await;
    let mut jobs = Vec::new();
    for (category, number) in Category::ALL.into_iter().flat_map(|category| NUMBERS.map(|number| (category, number))) {
        let HostileFile { name, bytes, .. } = file(SEED, category, number);
        jobs.push((name.clone(), system.upload("strangers", name, bytes).await));
    }
    let text = json!({ "business_id": "harbour", "topic": "Ferries at dusk", "format": "ad" });
    let text = system.submit("/api/generate", &text).await;

    let mut faults = Vec::new();
    for (name, job) in jobs {
        let job = system.ended(job).await;
        faults.extend(wrong(&job).map(|wrong| format!("{name} {wrong}: {job:#}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let text = system.ended(text).await;
    let is_whole = text["status"] == "succeeded" && text["attempt"] == 1 && text["result"]["degraded"] == json!([]);
    assert!(is_whole, "{text:#}");
    assert!(worker.try_wait().unwrap().is_none(), "the worker ended");
    let resident = copydesk_testkit::peak_memory_kib(worker.id().unwrap());
    assert!(resident < MAX_RESIDENT_KIB, "{} MiB", resident / 1024);
    worker.kill().await.unwrap();
}
