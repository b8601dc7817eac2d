//! What is violated in made-up reports.

use super::*;

fn sound() -> Report {
    let end = |number: usize| End {
        category: Category::ALL[number % Category::ALL.len()].name(),
        name: format!("{number}.pdf"),
        status: "failed".into(),
        problem: Some("/problems/unusable-document".into()),
        detail: Some("9: the document could not be read: reading it took more than 5 seconds: split it.".into()),
        seconds: number as f64,
    };
    Report {
        files: (0..ALL_FILES).map(end).collect(),
        texts: Texts { all: 9, failed: 0, again: 0, degraded: 0 },
        peaks: Peaks { samples: 9, readers: 1, child_kib: 1_000, worker_kib: 1_000, together_kib: 2_000 },
    }
}

fn broken(change: impl FnOnce(&mut Report)) -> String {
    let mut report = sound();
    change(&mut report);
    report.broken().join("; ")
}

#[test]
fn a_sound_run_breaks_nothing() {
    assert_eq!(broken(|_| ()), "");
    let table = sound().render();
    let depth = table.lines().find(|line| line.starts_with("depth")).unwrap_or_default();
    let cells: Vec<&str> = depth.split_whitespace().collect();
    assert_eq!(cells, ["depth", "25", "0", "25", "192.0", "192.pdf", "time", "25"]);
}

#[test]
fn a_file_must_end_with_what_to_do() {
    assert!(broken(|report| report.files[3].status = "running".into()).contains("3.pdf: running"));
    assert!(broken(|report| report.files[3].problem = Some("/problems/attempts-exhausted".into())).contains("3.pdf"));
    let generic = "3: the document could not be read: its reader failed: save it in another format and send that.";
    assert!(broken(|report| report.files[3].detail = Some(generic.into())).contains("its reader failed"));
    assert!(broken(|report| report.files.truncate(9)).contains("9 files were uploaded"));
}

#[test]
fn texts_and_memory_count() {
    assert_eq!(broken(|report| report.texts.failed = 1), "1 texts failed");
    assert_eq!(broken(|report| report.texts.again = 2), "2 texts took a second attempt");
    assert_eq!(broken(|report| report.texts.degraded = 3), "3 texts are degraded");
    assert!(broken(|report| report.peaks.readers = 0).contains("no process that reads was seen"));
    assert!(broken(|report| report.peaks.child_kib = 600 * 1024).contains("took 600 MiB"));
    assert!(broken(|report| report.peaks.together_kib = 1_100 * 1024).contains("took 1100 MiB"));
}
