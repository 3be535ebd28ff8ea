//! Files that are odd or meant to harm: each is reported with its path and reason, within limits,
//! and stops nothing else.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::formats::{docx, pdf, xlsx, zipped};
use crate::ingest::{Shop, counts};

/// Peak memory of this process, in MiB.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

/// A file of one line: `start`, so many MiB of `a`, `end`.
fn line(path: &Path, start: &str, mib: usize, end: &str) {
    use std::io::Write as _;
    let mut file = File::create(path).expect("created");
    file.write_all(start.as_bytes()).expect("written");
    let block = vec![b'a'; 1 << 20];
    for _ in 0..mib {
        file.write_all(&block).expect("written");
    }
    file.write_all(end.as_bytes()).expect("written");
}

#[tokio::test]
async fn two_hundred_megabytes_of_one_line_are_refused_at_once() {
    let shop = Shop::new(&[
        ("good.md", b"Good."),
        ("z.jsonl", b"{\"id\":\"z\",\"text\":\"Good too.\"}\n"),
    ]);
    line(&shop.path("a.txt"), "", 200, "");
    line(&shop.path("b.json"), "[{\"text\":\"", 200, "\"}]");
    line(
        &shop.path("c.jsonl"),
        "{\"text\":\"",
        200,
        "\"}\n{\"id\":\"after\",\"text\":\"A line after it.\"}\n",
    );
    line(&shop.path("d.md"), "# Title\n", 200, "");
    line(&shop.path("e.csv"), "id,text\n1,", 200, "\n");
    // A hole costs nothing to make and is as long to read.
    File::create(shop.path("f.html")).and_then(|file| file.set_len(200 << 20)).expect("made");
    let before = peak_mib();
    let started = Instant::now();
    let report = shop.ingest().await;
    let (took, grew) = (started.elapsed(), peak_mib() - before);
    eprintln!("six files of 200 MB: {took:?}, {grew} MiB");
    let mut reasons: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
    reasons.sort();
    assert_eq!(reasons.len(), 6, "{reasons:?}");
    for (reason, file) in
        reasons.iter().zip(["a.txt", "b.json", "c.jsonl:1", "d.md", "e.csv", "f.html"])
    {
        assert!(
            reason.starts_with(&format!("{file}: ")) && reason.contains("max_document_mib"),
            "{reason}"
        );
    }
    assert_eq!(shop.documents(), ["after", "good.md", "z"]);
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(grew < 128, "{grew} MiB");
}

/// Where the limit is raised so that they are read; takes minutes in a debug build.
#[tokio::test]
#[ignore = "reads 400 MB"]
async fn two_hundred_megabytes_of_one_line_are_read_where_allowed() {
    let mut shop = Shop::new(&[("good.md", b"Good.")]);
    shop.options.max_document_bytes = 256 << 20;
    shop.options.time_limit = Duration::from_secs(30);
    line(&shop.path("a.txt"), "", 200, "");
    line(&shop.path("b.json"), "[{\"text\":\"", 200, "\"}]");
    let started = Instant::now();
    let report = shop.ingest().await;
    eprintln!(
        "two files of 200 MB: {:?}, peak {} MiB, {:?}",
        started.elapsed(),
        peak_mib(),
        report.failed
    );
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
    assert!(
        report.failed.iter().all(|failure| failure.reason.contains("longer than 30 s")),
        "{:?}",
        report.failed
    );
    assert!(shop.documents().contains(&"good.md".to_owned()));
}

#[tokio::test]
async fn a_name_that_lies_is_reported() {
    let workbook = xlsx(&[("S", &[&["a", "b"], &["1", "2"]])]);
    let handbook = pdf(&[&[(20, 50, 760, "Handbook")]]);
    let picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01".to_vec();
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("a.docx", handbook.clone(), "damaged"),
        ("a.xlsx", handbook.clone(), "damaged"),
        ("a.pdf", workbook.clone(), "no PDF"),
        ("a.docx", workbook.clone(), "no Word document"),
        ("a.csv", workbook, "NUL byte"),
        ("a.md", picture, "NUL byte"),
        ("a.txt", handbook, "PDF"),
        ("a.json", docx("<w:p/>"), "NUL byte"),
        ("a.xls", b"<html><table><tr><td>1</td></tr></table></html>".to_vec(), "damaged"),
    ];
    for (path, content, reason) in cases {
        let shop = Shop::new(&[("good.md", b"Good."), (path, &content), ("z.txt", b"Good too.")]);
        let report = shop.ingest().await;
        let failures: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
        assert_eq!(failures.len(), 1, "{path}: {failures:?}");
        assert!(failures[0].starts_with(path), "{failures:?}");
        assert!(failures[0].contains(reason), "{failures:?} lacks {reason:?}");
        assert_eq!(shop.documents(), ["good.md", "z.txt"]);
    }
}

#[tokio::test]
async fn broken_and_foreign_encodings_are_told() {
    let wide = |text: &str, little: bool| {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units
            .flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() })
            .collect::<Vec<u8>>()
    };
    // Whole UTF-16 is what Windows writes, and is read.
    for little in [true, false] {
        let shop = Shop::new(&[("a.txt", &wide("Größe: 5 €.", little))]);
        let report = shop.ingest().await;
        assert_eq!(counts(&report), [1, 0, 0, 0, 0], "{:?}", report.failed);
        assert_eq!(shop.passages("a.txt")[0].text, "Größe: 5 €.");
    }
    let mut cut = wide("Größe", true);
    cut.pop();
    let lone = [b"\xff\xfe".to_vec(), 0xd800_u16.to_le_bytes().to_vec(), b"a\0".to_vec()].concat();
    for (content, reason) in [
        (cut, "UTF-16"),
        (lone, "UTF-16"),
        (b"caf\xe9 au lait".to_vec(), "not UTF-8"),
        (b"overlong \xc0\xaf".to_vec(), "not UTF-8"),
        (b"surrogate \xed\xa0\x80".to_vec(), "not UTF-8"),
        (Vec::new(), "no text"),
        (b"\xef\xbb\xbf \n\t".to_vec(), "no text"),
    ] {
        let shop = Shop::new(&[("a.txt", &content), ("good.md", b"Good.")]);
        let report = shop.ingest().await;
        let failures: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
        assert!(
            failures.len() == 1 && failures[0].contains(reason),
            "{failures:?} lacks {reason:?}"
        );
        assert_eq!(shop.documents(), ["good.md"]);
    }
}

#[tokio::test]
async fn what_can_not_be_opened_is_reported_or_passed_over() {
    let shop =
        Shop::new(&[("good.md", b"Good."), ("shut.md", b"Shut."), ("shut/inner.md", b"Inner.")]);
    fs::set_permissions(shop.path("shut.md"), fs::Permissions::from_mode(0o000)).expect("shut");
    fs::set_permissions(shop.path("shut"), fs::Permissions::from_mode(0o000)).expect("shut");
    // Links in a circle, and one to its own folder.
    symlink("circle-b.md", shop.path("circle-a.md")).expect("linked");
    symlink("circle-a.md", shop.path("circle-b.md")).expect("linked");
    symlink(".", shop.path("self")).expect("linked");
    fs::create_dir(shop.path("folder.md")).expect("a folder with a document's name");
    // A pipe that nobody writes to must not be waited for.
    let pipe =
        std::process::Command::new("mkfifo").arg(shop.path("pipe.md")).status().expect("mkfifo");
    assert!(pipe.success());
    let started = Instant::now();
    let report = shop.ingest().await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let mut failures: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
    failures.sort();
    let circles = failures.iter().filter(|failure| failure.contains("leads nowhere")).count();
    assert_eq!(circles, 2, "{failures:?}");
    // The system's own user may read everything; nobody else may.
    if File::open(shop.path("shut.md")).is_err() {
        assert!(failures.iter().any(|failure| failure.starts_with("shut.md: ")), "{failures:?}");
        assert!(
            failures.iter().any(|failure| failure.starts_with("shut: the folder can't be read")),
            "{failures:?}"
        );
        assert_eq!(shop.documents(), ["good.md"]);
    } else {
        assert_eq!(shop.documents(), ["good.md", "shut.md", "shut/inner.md"]);
    }
    fs::set_permissions(shop.path("shut"), fs::Permissions::from_mode(0o700))
        .expect("opened for removal");
}

#[tokio::test]
async fn deep_json_is_reported() {
    let deep =
        |open: &str, close: &str| format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
    let inner = format!("{{\"id\":\"x\",\"text\":\"t\",\"extra\":{}}}", deep("[", "]"));
    let cases = [
        ("a.json", deep("[", "]")),
        ("a.json", deep("{\"a\":", "}")),
        ("a.json", format!("[{inner}]")),
        ("a.jsonl", format!("{inner}\n")),
    ];
    for (path, content) in cases {
        let shop = Shop::new(&[("good.md", b"Good."), (path, content.as_bytes())]);
        let report = shop.ingest().await;
        assert!(
            report.failed.iter().any(|failure| failure.reason.contains("no JSON")),
            "{:?}",
            report.failed
        );
        assert_eq!(shop.documents(), ["good.md"]);
    }
}

/// The older Excel format, as xlwt 1.3 writes it: a table with prices, a hidden sheet, dates.
const XLS: &[u8] = include_bytes!("files/prices.xls");

fn ods(tables: &str) -> Vec<u8> {
    const XMLNS: &str = "xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
        xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" \
        xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\" office:version=\"1.2\"";
    let content = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><office:document-content {XMLNS}><office:body>\
         <office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    );
    let manifest = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><manifest:manifest \
        xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\" manifest:version=\"1.2\">\
        <manifest:file-entry manifest:full-path=\"/\" manifest:media-type=\"application/vnd.oasis.opendocument.spreadsheet\"/>\
        <manifest:file-entry manifest:full-path=\"content.xml\" manifest:media-type=\"text/xml\"/></manifest:manifest>";
    zipped(&[
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        ("META-INF/manifest.xml", manifest.as_bytes()),
        ("content.xml", content.as_bytes()),
    ])
}

fn cells(values: &[&str]) -> String {
    let cell = |value: &&str| match value.parse::<f64>() {
        Ok(_) => format!(
            "<table:table-cell office:value-type=\"float\" office:value=\"{value}\"><text:p>{value}</text:p></table:table-cell>"
        ),
        Err(_) => format!(
            "<table:table-cell office:value-type=\"string\"><text:p>{value}</text:p></table:table-cell>"
        ),
    };
    format!("<table:table-row>{}</table:table-row>", values.iter().map(cell).collect::<String>())
}

#[tokio::test]
async fn older_excel_and_open_document_workbooks_are_read() {
    let rows = [
        cells(&["sku", "name", "price_eur", "stock"]),
        cells(&["T2", "Tarn 2", "349.90", "3"]),
        cells(&["T3", "Tarn 3", "429", "0"]),
    ];
    let sheet = format!("<table:table table:name=\"Prices\">{}</table:table>", rows.concat());
    let shop = Shop::new(&[("list.ods", &ods(&sheet)), ("list.xls", XLS)]);
    let report = shop.ingest().await;
    assert_eq!(report.failed.len(), 0, "{:?}", report.failed);
    for file in ["list.ods", "list.xls"] {
        let passages = shop.passages(&format!("{file}#T2"));
        assert_eq!(
            passages[0].text, "sku: T2; name: Tarn 2; price_eur: 349.90; stock: 3.",
            "{file}"
        );
        let product = passages[0].product.as_ref().expect("a product");
        assert_eq!(
            (product.price.as_deref(), product.currency.as_deref()),
            (Some("349.90"), Some("EUR"))
        );
    }
    assert!(shop.passages("list.xls#T3")[0].text.contains("Tarn 3 – größer"));
    let all: Vec<String> = shop
        .documents()
        .iter()
        .flat_map(|id| shop.passages(id))
        .map(|passage| passage.text)
        .collect();
    assert!(all.iter().any(|text| text.contains("day: 2026-12-01")), "{all:?}");
    assert!(!all.iter().any(|text| text.contains("secret")), "hidden sheets stay hidden: {all:?}");
    assert!(
        report.warnings.iter().any(|warning| warning.reason.contains("hidden")),
        "{:?}",
        report.warnings
    );
}

#[tokio::test]
async fn open_document_bombs_are_reported() {
    let row = |attributes: &str| {
        format!(
            "<table:table-row {attributes}><table:table-cell office:value-type=\"string\" table:number-columns-repeated=\"16000\"><text:p>x</text:p></table:table-cell></table:table-row>"
        )
    };
    let repeated = ods(&format!(
        "<table:table table:name=\"S\">{}</table:table>",
        row("table:number-rows-repeated=\"1000000\"")
    ));
    let bomb = zipped(&[("content.xml", &vec![b' '; 300 << 20])]);
    for content in [repeated, bomb, ods("<table:table table:name=\"S\"/>"), ods("<table:table")] {
        let shop = Shop::new(&[("good.md", b"Good."), ("a.ods", &content)]);
        let started = Instant::now();
        let report = shop.ingest().await;
        let failures: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
        eprintln!("{:?}: {failures:?}", started.elapsed());
        assert!(failures.len() == 1 && failures[0].starts_with("a.ods: "), "{failures:?}");
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
        assert_eq!(shop.documents(), ["good.md"]);
    }
}
