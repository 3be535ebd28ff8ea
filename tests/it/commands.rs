//! The subcommands, as the real binary runs them: what they print, what they leave, and how they
//! exit.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use frontdesk::config::Config;
use frontdesk::http::auth::Scope;
use frontdesk::store::{Record, RecordKind, Store};

use crate::support::{Binary, config, directory, write_config, write_documents};

/// What a command came to.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(config: &Path, arguments: &[&str], input: &str) -> Ran {
    let mut process = Command::new(env!("CARGO_BIN_EXE_frontdesk"))
        .arg("--config")
        .arg(config)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

#[track_caller]
fn check(config: &Path, arguments: &[&str], code: i32, says: &str) -> Ran {
    let ran = run(config, arguments, "");
    assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
    assert!(
        format!("{}{}", ran.out, ran.err).contains(says),
        "{arguments:?} doesn't say {says:?}: {ran:?}"
    );
    ran
}

/// A configuration whose store holds two sessions of three events each.
async fn furnished() -> (PathBuf, PathBuf) {
    let directory = directory();
    write_documents(&directory);
    let options = config(&directory);
    let store = Store::open(&options.store).unwrap();
    for session in ["s1", "s2"] {
        for seq in 1..=3 {
            let body =
                format!("{{\"event\":\"said\",\"id\":\"{seq}\",\"text\":\"test\"}}").into_bytes();
            let (site, session) = ("shop".into(), session.into());
            store
                .append(Record {
                    site,
                    session,
                    seq,
                    kind: RecordKind::Event,
                    at_ms: 1_000 * seq,
                    body,
                })
                .await
                .unwrap();
        }
    }
    store.close().await.unwrap();
    let path = write_config(&directory, &options);
    (directory, path)
}

#[tokio::test]
async fn a_store_is_moved_and_checked() {
    let (from, source) = furnished().await;
    let (to, target) = {
        let directory = directory();
        let path = write_config(&directory, &config(&directory));
        (directory, path)
    };
    let file = from.join("all.frontdesk");
    let name = file.to_str().unwrap();

    check(&source, &["verify"], 0, "6 records of 2 sessions: sound");
    check(&source, &["export", name], 0, "6 records");
    check(&source, &["export", name], 1, "exists already");
    let left: Vec<_> =
        std::fs::read_dir(&from).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");

    check(&target, &["import", name], 0, "6 records written, 0 were there already");
    check(&target, &["import", name], 0, "0 records written, 6 were there already");
    check(&target, &["verify"], 0, "6 records of 2 sessions: sound");
    let report = check(&target, &["verify", "--json"], 0, "\"records\": 6");
    serde_json::from_str::<serde_json::Value>(&report.out).unwrap();

    // What doesn't work ends with 1 and a sentence, and leaves nothing behind.
    let cut = to.join("cut.frontdesk");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&cut, &whole[..whole.len() - 9]).unwrap();
    let empty = directory();
    let fresh = write_config(&empty, &config(&empty));
    let ran = check(&fresh, &["import", cut.to_str().unwrap()], 1, "");
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    check(&fresh, &["import", "no-such-file"], 1, "can't read no-such-file");
    check(&fresh, &["verify"], 0, "0 records of 0 sessions: sound");
    check(&fresh, &["verify", "--set-aside"], 1, "nothing was moved");
    check(&fresh, &["export", to.join("no/such/folder/file").to_str().unwrap()], 1, "can't write");
}

#[tokio::test]
async fn a_forecast_of_less_than_a_week_shows_its_days() {
    let (directory, path) = furnished().await;
    let mut table = "date,orders\n".to_owned();
    for month in 1..=4 {
        for day in 1..=28 {
            table.push_str(&format!("2026-{month:02}-{day:02},{}\n", 20 + (day * 7 + month) % 9));
        }
    }
    let series = directory.join("sales.csv");
    std::fs::write(&series, table).unwrap();
    let series = series.to_str().unwrap();
    for (days, says, says_not) in [
        ("3", "2026-05-01", "2026-05-02"),
        ("1", "2026-04-29", "2026-04-30"),
        ("14", "14", "2026-"),
    ] {
        let ran = check(&path, &["forecast", "--series", series, "--days", days], 0, says);
        assert!(!ran.out.contains(says_not), "{days}: {}", ran.out);
    }
}

#[tokio::test]
async fn commands_work_on_a_store_that_nobody_serves() {
    let (directory, path) = furnished().await;
    let at = |name: &str| directory.join(name).to_str().unwrap().to_owned();

    check(&path, &["signals", "export", &at("signals.csv")], 0, "rows written");
    check(&path, &["signals", "export", &at("features.csv"), "--features"], 0, "sessions written");
    let talks =
        "{\"id\":\"c1\",\"turns\":[{\"role\":\"visitor\",\"text\":\"Do you ship to Cork?\"}]}\n";
    std::fs::write(at("talks.jsonl"), talks).unwrap();
    check(&path, &["demo", "import", &at("talks.jsonl"), "--no-meanings"], 0, "1 conversations");
    std::fs::write(at("orders.csv"), "order,converted,session\no1,true,no-such-session\n").unwrap();
    check(&path, &["outcomes", "import", &at("orders.csv")], 1, "1 refused");
    check(&path, &["ingest"], 0, "3 added");
    check(&path, &["gaps"], 0, "");
    check(&path, &["check"], 0, "");
    let added = run(&path, &["agent", "add", "mara", "--name", "Mara"], "a long enough password\n");
    assert_eq!(added.code, Some(0), "{added:?}");
    check(&path, &["agent", "list"], 0, "mara");
    check(&path, &["agent", "remove", "mara"], 0, "is removed");
    check(&path, &["intent", "list"], 0, "");
    // Too little to learn from is a sentence.
    let trained = run(&path, &["intent", "train"], "");
    assert!(
        matches!(trained.code, Some(1 | 2)) && !trained.err.contains("panicked"),
        "{trained:?}"
    );
    check(&path, &["verify"], 0, "sound");
}

#[tokio::test]
async fn a_reader_who_has_had_enough_ends_a_command_quietly() {
    let (_, path) = furnished().await;
    for arguments in [
        ["key", "--name", "a"].as_slice(),
        &["gaps"],
        &["verify"],
        &["intent", "list"],
        &["agent", "list"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
        let output =
            command.arg("--config").arg(&path).args(arguments).stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !said.contains("panicked") && !said.contains("Broken pipe"),
            "{arguments:?}: {said}"
        );
        assert!(
            matches!(output.status.code(), Some(0 | 141)),
            "{arguments:?}: {:?}",
            output.status
        );
        if arguments[0] == "key" {
            assert_eq!(output.status.code(), Some(141));
        }
    }
    // Standard error may be closed, too, when it says why it failed.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
    let failed = command
        .arg("--config")
        .arg("/nothing/here.toml")
        .arg("check")
        .stderr(writer)
        .status()
        .unwrap();
    assert_eq!(failed.code(), Some(1));
    check(&path, &["gaps"], 0, "has no open gaps");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_before_anything_is_loaded() {
    let directory = directory();
    write_documents(&directory);
    let mut options = config(&directory);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    options.server.bind = taken.local_addr().unwrap().to_string();
    options.embedder.model = directory.join("not-read.gguf");
    let path = write_config(&directory, &options);
    let ran = check(&path, &["serve"], 1, "(server.bind); is another server running");
    assert!(!ran.err.contains("panicked"), "{ran:?}");

    options.server.bind = "127.0.0.1:0".into();
    options.llm.engine = "http://127.0.0.1:9/v1".into();
    options.embedder.model = config(&directory).embedder.model;
    options.answers.prompts = directory.join("prompts");
    std::fs::create_dir(&options.answers.prompts).unwrap();
    std::fs::write(options.answers.prompts.join("answer.system.j2"), "{% if %}").unwrap();
    let path = write_config(&directory, &options);
    let ran = check(&path, &["serve"], 1, "answer.system.j2");
    assert!(!ran.err.contains("panicked"), "{ran:?}");
}

/// The shipped configuration as one who follows all of its comments leaves it.
fn followed() -> String {
    let mut text = String::new();
    for line in include_str!("../../config.toml").lines() {
        let option = line.strip_prefix("# ").filter(|rest| {
            let key = rest.split(" = ").next().unwrap_or_default();
            let section = rest.starts_with('[')
                && rest.split('#').next().unwrap_or_default().trim_end().ends_with(']');
            let named = rest.contains(" = ")
                && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            section || named
        });
        text.push_str(option.unwrap_or(line));
        text.push('\n');
    }
    // Secrets are one's own.
    text.replace("\"…\"", "\"0123456789abcdef0123456789abcdef\"")
        .replace("\"whsec_…\"", "\"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"")
}

#[test]
fn the_shipped_configuration_can_be_followed() {
    let text = followed();
    for option in [
        "outcomes_secret",
        "knowledge = \"shops",
        "[sites.jwt]",
        "[sites.recommend]",
        "privacy_url",
    ] {
        assert!(
            text.lines().any(|line| line.starts_with(option)),
            "{option} is not an option that stands in a comment"
        );
    }
    let directory = directory();
    let path = directory.join("config.toml");
    for (i, arguments) in [
        vec!["key"],
        vec![
            "key",
            "--name",
            "the \"shop\" \u{7}\u{e9}",
            "--scope",
            "knowledge",
            "--site",
            "default",
        ],
        vec!["key", "--name", "orders", "--scope", "outcomes", "--scope", "admin"],
    ]
    .iter()
    .enumerate()
    {
        let printed = check(&path, arguments, 0, "[[auth.keys]]").out;
        let (_, lines) = printed.split_once("For config.toml:").unwrap();
        let before = if i == 0 { text.clone() } else { std::fs::read_to_string(&path).unwrap() };
        std::fs::write(&path, before + lines).unwrap();
    }
    let options = Config::load(&path).unwrap();
    let names: Vec<&str> = options.auth.keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["integration", "the \"shop\" \u{7}\u{e9}", "orders"]);
    assert_eq!(options.auth.keys[1].scopes, [Scope::Knowledge]);
    assert_eq!(options.auth.keys[1].site.as_deref(), Some("default"));
    let site = &options.sites[0];
    assert!(site.outcomes_secret.is_some() && site.jwt.is_some() && site.recommend.enabled);
    assert_eq!(site.widget.proactive.len(), 1);
}

#[tokio::test]
async fn the_terminal_client_finds_the_configured_server() {
    let directory = directory();
    write_documents(&directory);
    let mut options = config(&directory);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    options.server.bind = format!("0.0.0.0:{}", free.local_addr().unwrap().port());
    drop(free);
    let path = write_config(&directory, &options);
    let server = Binary::serve(&path, &["--ingest"]).await;
    let question = "What does shipping within Ireland cost?";
    let asked = check(&path, &["chat", "--once", question, "--json"], 0, "4.90 EUR");
    assert!(asked.out.contains("shipping.md"), "{asked:?}");
    let elsewhere = ["chat", "--once", question, "--url", "ws://127.0.0.1:9", "--timeout", "1"];
    check(&path, &elsewhere, 1, "127.0.0.1:9");
    assert_eq!(server.terminate().await, Some(0));
}

#[test]
fn documents_are_read_whatever_the_program_is_called() {
    let directory = directory();
    let path = write_config(&directory, &config(&directory));
    let renamed = directory.join("desk-of-the-shop");
    let binary = env!("CARGO_BIN_EXE_frontdesk");
    // Only where the two lie on different disks it is a copy.
    if std::fs::hard_link(binary, &renamed).is_err() {
        std::fs::copy(binary, &renamed).unwrap();
    }
    let file = directory.join("hours.docx");
    let body = "<w:p><w:r><w:t>The shop opens at nine.</w:t></w:r></w:p>";
    std::fs::write(&file, crate::formats::docx(body)).unwrap();
    let mut command = Command::new(&renamed);
    let command = command.arg("--config").arg(&path).args(["ingest", "--explain"]).arg(&file);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("hours.docx") && !said.contains("not beside"), "{said}");
    assert!(output.status.success(), "{said}");
}
