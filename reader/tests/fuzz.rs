//! Sound files of each type, changed at random: whatever comes of them, a reader neither panics nor
//! takes long. A run of the tests makes a bounded number of changes, always the same ones.
//! `cargo xtask fuzz --minutes 10` makes others for as long as that.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use copydesk_domain::document::{Body, MediaType};
use copydesk_hostile::Rng;
use copydesk_hostile::mutation::mutated;
use copydesk_reader::Upload;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use rand::SeedableRng as _;

/// How long all targets run, in minutes, instead of their number of cases.
const MINUTES: &str = "COPYDESK_FUZZ_MINUTES";
/// The seed of the changes.
const SEED: &str = "COPYDESK_FUZZ_SEED";
/// The most processor time in which a case must end: cases are small. Where the system does not tell
/// that of a thread, the clock goes on while other targets run in this process.
const MAX_CPU: Duration = Duration::from_secs(20);
/// The longest that a case may take, also on a busy machine: it may wait for another process.
const MAX_TIME: Duration = Duration::from_secs(180);
/// As the process that reads documents has it.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// A type of file, or of what programs print for its reader.
struct Target {
    extension: &'static str,
    read: fn(Vec<u8>),
    /// How many cases a run of the tests makes.
    cases: u64,
}

impl Target {
    /// Runs the cases one after the other. The case under way stands in a file: it is there to be
    /// read when it ended the whole process.
    fn run(self) {
        let minutes: Option<f64> = std::env::var(MINUTES).ok().map(|minutes| minutes.parse().unwrap());
        let seed: u64 = std::env::var(SEED).map_or(1, |seed| seed.parse().unwrap());
        let until = minutes.map(|minutes| Instant::now() + Duration::from_secs_f64(minutes * 60.0));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{seed}.{}", self.extension));
        let watch = Watch::start(&path);
        let (began, mut slowest, mut case) = (Instant::now(), (Duration::ZERO, 0), 0);
        while until.map_or(case < self.cases, |until| Instant::now() < until) {
            let bytes = mutated(&mut Rng::seed_from_u64(seed.wrapping_mul(1 << 40).wrapping_add(case)), self.extension);
            std::fs::write(&path, &bytes).unwrap();
            let at = Instant::now();
            watch.case_begins();
            let outcome = catch_unwind(AssertUnwindSafe(|| (self.read)(bytes)));
            assert!(outcome.is_ok(), "case {case} of seed {seed} panics the reader: see {}", path.display());
            slowest = slowest.max((at.elapsed(), case));
            case += 1;
        }
        let (took, number) = slowest;
        println!(
            "{}: {case} cases of seed {seed} in {:.0} s, the slowest (case {number}) took {:.2} s",
            self.extension,
            began.elapsed().as_secs_f64(),
            took.as_secs_f64()
        );
    }
}

fn text(media_type: MediaType, bytes: Vec<u8>) {
    read(media_type, Body::Text(String::from_utf8(bytes).unwrap()));
}

fn read(media_type: MediaType, body: Body) {
    // Whether it can be used is not asked here.
    let _ = copydesk_reader::read(&Upload { title: "A file".into(), media_type, body });
}

/// Ends the process when a case takes too long: a reader that hangs cannot be stopped otherwise.
struct Watch {
    began: Instant,
    /// When the case under way began: in ms after `began`, and of processor time.
    case_began: Arc<[AtomicU64; 2]>,
    /// The thread that runs the cases.
    thread: i32,
    /// Ends the watch when it is dropped.
    _ends: mpsc::Sender<()>,
}

impl Watch {
    fn start(path: &std::path::Path) -> Self {
        let (ends, ended) = mpsc::channel::<()>();
        let watch = Self { began: Instant::now(), case_began: Arc::default(), thread: thread_number(), _ends: ends };
        let (began, case_began, path) = (watch.began, Arc::clone(&watch.case_began), path.to_owned());
        let watched = watch.thread;
        thread::spawn(move || {
            let every = Duration::from_millis(500);
            while ended.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
                let [time, cpu] = case_began.each_ref().map(|ms| Duration::from_millis(ms.load(Ordering::Relaxed)));
                let (time, cpu) = (began.elapsed().saturating_sub(time), cpu_time(watched).saturating_sub(cpu));
                if time > MAX_TIME || cpu > MAX_CPU {
                    eprintln!("a case goes on after {time:?}, {cpu:?} of processor time: see {}", path.display());
                    std::process::abort();
                }
            }
        });
        watch
    }

    fn case_begins(&self) {
        for (began, now) in self.case_began.iter().zip([self.began.elapsed(), cpu_time(self.thread)]) {
            began.store(u64::try_from(now.as_millis()).unwrap(), Ordering::Relaxed);
        }
    }
}

/// The number by which the system knows this thread; 0 if that cannot be told.
fn thread_number() -> i32 {
    let link = std::fs::read_link("/proc/thread-self").ok();
    link.and_then(|link| link.file_name()?.to_str()?.parse().ok()).unwrap_or(0)
}

/// The processor time of a thread, none if it has ended. Of this process, if it is not known.
fn cpu_time(thread: i32) -> Duration {
    if thread != 0 {
        let times = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).unwrap_or_default();
        return Duration::from_nanos(times.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0));
    }
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let used = usage.user_time() + usage.system_time();
    Duration::from_micros(u64::try_from(used.num_microseconds()).unwrap())
}

fn fuzz(target: Target) {
    let reader = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || target.run()).unwrap();
    // The panic of the case has been told.
    assert!(reader.join().is_ok(), "a case failed: see above");
}

#[test]
fn html_does_no_harm() {
    fuzz(Target { extension: "html", read: |bytes| text(MediaType::Html, bytes), cases: 150 });
}

#[test]
fn markdown_does_no_harm() {
    fuzz(Target { extension: "md", read: |bytes| text(MediaType::Markdown, bytes), cases: 200 });
}

#[test]
fn pdf_does_no_harm() {
    fuzz(Target { extension: "pdf", read: |bytes| read(MediaType::Pdf, Body::File(bytes)), cases: 150 });
}

#[test]
fn docx_does_no_harm() {
    fuzz(Target { extension: "docx", read: |bytes| read(MediaType::Docx, Body::File(bytes)), cases: 500 });
}

#[test]
fn layout_of_a_pdf_does_no_harm() {
    fuzz(Target { extension: "layout", read: |bytes| copydesk_reader::read_layout(&bytes), cases: 500 });
}

#[test]
fn outline_of_a_pdf_does_no_harm() {
    fuzz(Target { extension: "outline", read: |bytes| copydesk_reader::read_outline(&bytes), cases: 500 });
}
