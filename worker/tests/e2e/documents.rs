//! Documents of every type from upload to search, and malicious files: each of those ends with a
//! message that tells its owner what to do, and the worker's memory stays bounded.

use lopdf::content::{Content, Operation};
use lopdf::{Document, Object, Stream, dictionary};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::system::System;

/// The most memory that a worker may use while it reads the files below, in KiB.
const MAX_RESIDENT_KIB: u64 = 256 * 1024;

fn pdf(pages: usize, text: impl Fn(usize) -> String) -> Vec<u8> {
    let mut document = Document::with_version("1.5");
    let tree = document.new_object_id();
    let font = document.add_object(dictionary! {
        "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica", "Encoding" => "WinAnsiEncoding",
    });
    let resources = document.add_object(dictionary! { "Font" => dictionary! { "F1" => font } });
    let page = |n: usize| {
        let operations = vec![
            Operation::new("BT", vec![]),
            Operation::new("Tf", vec!["F1".into(), 11.into()]),
            Operation::new("Td", vec![50.into(), 700.into()]),
            Operation::new("Tj", vec![Object::string_literal(text(n))]),
            Operation::new("ET", vec![]),
        ];
        Stream::new(dictionary! {}, Content { operations }.encode().unwrap())
    };
    let mut kids = Vec::with_capacity(pages);
    for n in 0..pages {
        let content = document.add_object(page(n));
        kids.push(Object::from(document.add_object(dictionary! {
            "Type" => "Page", "Parent" => tree, "Contents" => content, "Resources" => resources,
        })));
    }
    let count = i64::try_from(pages).unwrap();
    document.objects.insert(tree, dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count }.into());
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => tree });
    document.trailer.set("Root", catalog);
    let mut file = Vec::new();
    document.save_to(&mut file).unwrap();
    file
}

fn docx(document: &[u8]) -> Vec<u8> {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("word/document.xml", SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut archive, document).unwrap();
    archive.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_file_is_indexed_and_found() {
    let system = System::start().await;
    let worker = system.worker();
    let sentence = |word: &str| format!("Every {word} is checked twice before it leaves the harbour.");
    let paragraph = sentence("anchor");
    let word = format!("<w:document><w:body><w:p><w:r><w:t>{paragraph}</w:t></w:r></w:p></w:body></w:document>");
    let html = format!("<html><body><nav>Menu</nav><main><p>{}</p></main></body></html>", sentence("compass"));
    let files: [(&str, &'static str, Vec<u8>); 5] = [
        ("lantern", "one.md", format!("# Ships\n\n{}", sentence("lantern")).into_bytes()),
        ("mast", "two.txt", sentence("mast").into_bytes()),
        ("compass", "three.html", html.into_bytes()),
        ("rudder", "four.pdf", pdf(1, |_| sentence("rudder"))),
        ("anchor", "five.docx", docx(word.as_bytes())),
    ];
    for (word, name, file) in files {
        let job = system.upload("harbour", name, file).await;
        let job = system.ended(job).await;
        assert_eq!(job["status"], "succeeded", "{name}: {job:#}");
        let (_, found) = system.get(&format!("/api/businesses/harbour/search?q={word}")).await;
        let text = found["data"][0]["text"].as_str().unwrap_or_default();
        assert!(text.contains(&sentence(word)), "{name}: {found:#}");
    }
    let (_, documents) = system.get("/api/businesses/harbour/documents").await;
    assert!(documents["data"].as_array().unwrap().iter().all(|document| document["language"] == "en"), "{documents:#}");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_files_end_in_what_to_do_and_in_bounded_memory() {
    let system = System::start().await;
    let mut worker = system.worker_process();
    let line: String = (0..50_000).map(|n| format!("word{n} ")).collect();
    let files: [(&'static str, Vec<u8>, &str); 4] = [
        ("bomb.docx", docx(&vec![b' '; 200_000_000]), "unpacks to more than is allowed"),
        ("pages.pdf", pdf(10_000, |n| format!("Page {n} says something.")), "more than 2000 pages"),
        ("binary.txt", [b"Text".to_vec(), vec![1; 4_000]].concat(), "binary data"),
        ("line.txt", line.into_bytes(), ""),
    ];
    for (name, file, why) in files {
        let job = system.upload("harbour", name, file).await;
        let job = system.ended(job).await;
        let detail = job["error"]["detail"].as_str().unwrap_or_default();
        let status = if why.is_empty() { "succeeded" } else { "failed" };
        assert!(job["status"] == status && detail.contains(why), "{name}: {job:#}");
    }
    // Files with a wrong beginning are refused at once.
    for (name, file, why) in [
        ("renamed.docx", b"A text.".as_slice(), "renamed.docx must be a .docx file"),
        ("renamed.txt", b"%PDF-1.7", "must be text, and is a PDF"),
        ("latin.txt", b"Caf\xe9", "save it as UTF-8"),
        ("program.exe", b"MZ", "must be a .md, .txt"),
    ] {
        let (status, problem) = system.try_upload("harbour", name, file.to_vec()).await;
        assert!(status == 422 && problem.to_string().contains(why), "{name}: {problem:#}");
    }
    let resident = copydesk_testkit::peak_memory_kib(worker.id().unwrap());
    assert!(resident < MAX_RESIDENT_KIB, "{} MiB", resident / 1024);
    worker.kill().await.unwrap();
}

/// Each of these once ended or stalled a worker that read it in its own process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_breaks_its_reader_breaks_nothing_else() {
    let system = System::start_with(|config| config.worker.reading_seconds = 3).await;
    let mut worker = system.worker_process();
    let comments = format!("<body>{}", "<x><!--</x>-->".repeat(200_000));
    let dotted = format!("<body>{}", "<x.y>".repeat(20_000)) + &"</x.y>".repeat(20_000);
    let optional = format!("<body>{}", "<optgroup>".repeat(100_000));
    let files: [(&'static str, Vec<u8>); 4] = [
        ("comments.html", comments.into_bytes()),
        ("dotted.html", dotted.into_bytes()),
        ("optional.html", optional.into_bytes()),
        ("numbers.pdf", object_stream(16_000_000)),
    ];
    for (name, file) in files {
        let job = system.upload("harbour", name, file).await;
        let job = system.ended(job).await;
        assert_eq!(job["status"], "failed", "{name}: {job:#}");
        assert!(worker.try_wait().unwrap().is_none(), "{name} ended the worker");
    }
    let job = system.upload("harbour", "sound.md", b"# Ferry\n\nThe ferry leaves at seven.".to_vec()).await;
    assert_eq!(system.ended(job).await["status"], "succeeded");
    worker.kill().await.unwrap();
}

/// A PDF with one packed object stream of about `bytes` bytes of small numbers.
fn object_stream(bytes: usize) -> Vec<u8> {
    let numbers = format!("1 0 [{}]", "1 ".repeat(bytes / 2));
    let mut stream = Stream::new(dictionary! { "Type" => "ObjStm", "N" => 1, "First" => 4 }, numbers.into_bytes());
    stream.compress().unwrap();
    let mut file = b"%PDF-1.5\n2 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length ".to_vec();
    file.extend(format!("{}>>\nstream\n", stream.content.len()).bytes());
    file.extend(stream.content);
    file.extend(b"\nendstream\nendobj\n3 0 obj\n<</Type/Catalog/Pages 4 0 R>>\nendobj\n");
    file.extend(b"4 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\ntrailer\n<</Root 3 0 R>>\n%%EOF");
    file
}
