//! What operators do beside configuring: back up and restore, hand out and erase a visitor, look up
//! who did what, be told by metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use frontdesk::config::Config;
use frontdesk::http::visitors::Receipt;
use frontdesk::protocol::ServerMessage;
use frontdesk::store::{RecordKind, SessionQuery, Store};
use serde_json::Value;

use crate::support::{
    Binary, ChatClient, TestServer, answer, config, directory, write_config, write_documents,
};

const QUESTION: &str = "What does shipping within Ireland cost?";

/// Runs the command line; gives its exit code and what it printed.
async fn frontdesk(config: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_frontdesk"));
    let output = command.arg("--config").arg(config).args(arguments).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_running_server_goes_on_elsewhere() {
    let (old, new) = (directory(), directory());
    write_documents(&old);
    let path = write_config(&old, &config(&old));
    let server = Binary::serve(&path, &["--ingest"]).await;
    let mut visitor = ChatClient::connect(server.addr).await.hello().await;
    visitor.ask("m1", QUESTION).await;
    let http = reqwest::Client::new();
    let key = std::fs::read_to_string(old.join("admin.key")).unwrap();
    let upload = format!("http://{}/v1/sites/shop/documents/hours.md", server.admin_addr);
    let upload = http.put(upload).bearer_auth(key.trim()).header("content-type", "text/markdown");
    assert_eq!(upload.body("# Hours\n\nWe open at 9.\n").send().await.unwrap().status(), 201);

    let folder = old.join("backup");
    let name = folder.to_str().unwrap();
    let (code, said) = frontdesk(&path, &["backup", name]).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = frontdesk(&path, &["backup", name]).await;
    assert!(code == Some(1) && said.contains("exists already"), "{said}");
    let metrics = format!("http://{}/metrics", server.admin_addr);
    let metrics =
        http.get(metrics).bearer_auth(key.trim()).send().await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("last_backup_timestamp_seconds 0\n"), "{metrics}");
    // What comes later isn't in it.
    visitor.ask("m2", "When does a parcel arrive?").await;
    let last_seq = visitor.last_seq;
    assert_eq!(server.terminate().await, Some(0));

    let target = write_config(&new, &config(&new));
    let (code, said) = frontdesk(&target, &["restore", "--check", name]).await;
    assert!(code == Some(0) && said.contains("records of 1 conversation"), "{said}");
    assert!(
        !new.join("store").exists() && !folder.with_extension("trial").exists(),
        "a check touches nothing"
    );
    let (code, said) = frontdesk(&target, &["restore", name]).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = frontdesk(&target, &["restore", name]).await;
    assert!(code == Some(1) && said.contains("nothing is written over"), "{said}");
    let (code, said) = frontdesk(&target, &["verify"]).await;
    assert!(code == Some(0) && said.contains("sound"), "{said}");
    assert_eq!(
        std::fs::read(new.join("visitor.keys")).unwrap(),
        std::fs::read(old.join("visitor.keys")).unwrap()
    );

    // The visitor goes on with the token of the old server; documents that were handed in are read
    // again.
    write_documents(&new);
    let server = Binary::serve(&target, &["--ingest"]).await;
    let mut back = visitor.resume_at(server.addr, 0, None).await;
    let asked = back
        .until(|message| {
            if let ServerMessage::Message { text, .. } = message {
                Some(text.clone())
            } else {
                None
            }
        })
        .await;
    assert_eq!(asked, QUESTION);
    back.done().await;
    assert!(back.last_seq < last_seq, "{} and {last_seq}", back.last_seq);
    let (text, _) = answer(&back.ask("m3", "When do you open?").await);
    assert!(text.contains('9'), "{text}");
    assert_eq!(server.terminate().await, Some(0));

    // One byte, anywhere.
    let export = folder.join("store.export");
    let mut bytes = std::fs::read(&export).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&export, bytes).unwrap();
    let (code, said) = frontdesk(&target, &["restore", "--check", name]).await;
    assert!(code == Some(1) && said.contains("store.export was changed"), "{said}");
}

/// Every event of a store by session: number, time and content.
async fn conversations(config: &Config) -> BTreeMap<String, Vec<(u64, u64, Vec<u8>)>> {
    let store = Store::open(&config.store).unwrap();
    let query = SessionQuery { site: "shop".into(), limit: 1_000, after: None, since_ms: 0 };
    let mut all = BTreeMap::new();
    for info in store.sessions(query).await.unwrap() {
        let records = store.read("shop", &info.session, 0, &[RecordKind::Event]).await.unwrap();
        let events = records.into_iter().map(|record| (record.seq, record.at_ms, record.body));
        all.insert(info.session, events.collect());
    }
    store.close().await.unwrap();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_what_was_acknowledged_before_it_and_nothing_half() {
    let (old, new) = (directory(), directory());
    write_documents(&old);
    let path = write_config(&old, &config(&old));
    let server = Binary::serve(&path, &["--ingest"]).await;
    let mut visitors = Vec::new();
    for _ in 0..3 {
        visitors.push(ChatClient::connect(server.addr).await.hello().await);
    }
    // Acknowledged before the backup begins.
    let mut before = BTreeMap::new();
    for visitor in &mut visitors {
        visitor.ask("m0", QUESTION).await;
        before.insert(visitor.session.clone(), visitor.last_seq);
    }
    let name = old.join("backup");
    let name = name.to_str().unwrap();
    let done = AtomicBool::new(false);
    let load = visitors.iter_mut().map(|visitor| async {
        let mut asked = 0;
        while !done.load(Ordering::Relaxed) && asked < 15 {
            asked += 1;
            visitor.ask(&format!("m{asked}"), QUESTION).await;
        }
        asked
    });
    let backup = async {
        let made = frontdesk(&path, &["backup", name]).await;
        done.store(true, Ordering::Relaxed);
        made
    };
    let (asked, (code, said)) = tokio::join!(futures_util::future::join_all(load), backup);
    assert_eq!(code, Some(0), "{said}");
    assert!(asked.iter().all(|asked| *asked > 0), "{asked:?}");
    assert_eq!(server.terminate().await, Some(0));

    let target = write_config(&new, &config(&new));
    let (code, said) = frontdesk(&target, &["restore", name]).await;
    assert_eq!(code, Some(0), "{said}");
    // Nobody else can read either.
    for folder in [old.join("backup"), new.join("store"), new.join("visitor.keys")] {
        let mut paths = vec![folder];
        while let Some(path) = paths.pop() {
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
            if path.is_dir() {
                paths.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }
    let (whole, restored) =
        (conversations(&config(&old)).await, conversations(&config(&new)).await);
    for (session, last_seq) in before {
        let (events, all) = (&restored[&session], &whole[&session]);
        assert!(
            events.len() as u64 >= last_seq && all.starts_with(events),
            "{session}: {} events",
            events.len()
        );
    }
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_leaves_nothing() {
    let old = directory();
    write_documents(&old);
    let path = write_config(&old, &config(&old));
    std::fs::create_dir_all(old.join("uploads/shop")).unwrap();
    std::fs::write(old.join("uploads/shop/hours.md"), "# Hours").unwrap();
    let made = old.join("backup");
    // Without a server, and with a slash at the end.
    let (code, said) = frontdesk(&path, &["backup", &format!("{}/", made.display())]).await;
    assert_eq!(code, Some(0), "{said}");
    let uploads = config(&old).knowledge.uploads;
    assert!(
        uploads.starts_with(&old) && made.join("uploads").exists() == uploads.exists(),
        "{said}"
    );
    let copied = |change: &dyn Fn(&Path)| {
        let copy = directory().join("backup");
        let mut folders = vec![PathBuf::new()];
        while let Some(below) = folders.pop() {
            std::fs::create_dir_all(copy.join(&below)).unwrap();
            for entry in std::fs::read_dir(made.join(&below)).unwrap() {
                let entry = entry.unwrap();
                let below = below.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    folders.push(below);
                } else {
                    std::fs::copy(entry.path(), copy.join(below)).unwrap();
                }
            }
        }
        change(&copy);
        copy
    };
    let cut = |folder: &Path| {
        let bytes = std::fs::read(folder.join("store.export")).unwrap();
        let kept = bytes.len() - 9;
        std::fs::write(folder.join("store.export"), &bytes[..kept]).unwrap();
        kept
    };
    // As a program would list it that doesn't look at what it copies.
    let listed = |folder: &Path| {
        let bytes = cut(folder);
        let manifest = folder.join("manifest.json");
        let mut text: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
        let sha256 = sha256(&std::fs::read(folder.join("store.export")).unwrap());
        for file in text["files"].as_array_mut().unwrap() {
            if file["path"] == "store.export" {
                file["bytes"] = bytes.into();
                file["sha256"] = sha256.clone().into();
            }
        }
        std::fs::write(manifest, text.to_string()).unwrap();
    };
    type Damage<'a> = &'a dyn Fn(&Path);
    let refusals: [(Damage<'_>, &str); 5] = [
        (
            &|folder| {
                cut(folder);
            },
            "store.export was changed",
        ),
        (&listed, "the file is cut off here"),
        (
            &|folder| std::fs::remove_file(folder.join("manifest.json")).unwrap(),
            "is no backup, or was cut off",
        ),
        (
            &|folder| std::fs::write(folder.join("manifest.json"), "{\"version\": 1").unwrap(),
            "manifest.json",
        ),
        (&|folder| std::fs::remove_file(folder.join("store.export")).unwrap(), "can't read"),
    ];
    for (change, says) in refusals {
        let (new, folder) = (directory(), copied(change));
        let target = write_config(&new, &config(&new));
        for arguments in [&["restore", "--check"][..], &["restore"]] {
            let (code, said) =
                frontdesk(&target, &[arguments, &[folder.to_str().unwrap()]].concat()).await;
            assert!(
                code == Some(1) && said.contains(says) && !said.contains("panicked"),
                "{says}: {said}"
            );
            let left: Vec<_> =
                std::fs::read_dir(&new).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert!(
                !left.iter().any(|name| name.to_string_lossy().contains("store")),
                "{says}: {left:?}"
            );
        }
    }
    // What nobody listed is not brought along.
    let (new, folder) =
        (directory(), copied(&|folder| std::fs::write(folder.join("intruder"), "x").unwrap()));
    let target = write_config(&new, &config(&new));
    let (code, said) = frontdesk(&target, &["restore", folder.to_str().unwrap()]).await;
    assert_eq!(code, Some(0), "{said}");
    let left: Vec<_> =
        std::fs::read_dir(&new).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        new.join("store").exists()
            && !left.iter().any(|name| name.to_string_lossy().contains("restoring")),
        "{left:?}"
    );
}

/// Into its own sources a copy would have no end; among the documents it would be told to visitors.
#[tokio::test]
async fn a_backup_does_not_go_where_the_server_reads() {
    let old = directory();
    write_documents(&old);
    let path = write_config(&old, &config(&old));
    std::os::unix::fs::symlink(old.join("knowledge"), old.join("link")).unwrap();
    for inside in
        ["store/a", "uploads/a", "uploads", "index/a", "intent/a/b", "knowledge/a", "link/a"]
    {
        let (code, said) = frontdesk(&path, &["backup", old.join(inside).to_str().unwrap()]).await;
        assert!(code == Some(1) && said.contains("which the server reads"), "{inside}: {said}");
        assert!(
            !old.join(inside).exists() && !old.join(format!("{inside}.part")).exists(),
            "{inside}"
        );
    }
}

/// A folder above that isn't there may be a disk that isn't mounted.
#[tokio::test]
async fn a_backup_makes_no_folder_but_its_own() {
    let old = directory();
    write_documents(&old);
    let path = write_config(&old, &config(&old));
    let (code, said) =
        frontdesk(&path, &["backup", old.join("disk/backups/monday").to_str().unwrap()]).await;
    assert!(code == Some(1) && said.contains("mount the disk"), "{said}");
    assert!(!old.join("disk").exists());
    let (code, said) = frontdesk(&path, &["backup", old.join("monday").to_str().unwrap()]).await;
    assert!(code == Some(0) && said.contains("1 file, "), "{said}");
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_visitor_is_handed_out_and_erased_with_a_receipt() {
    let server = TestServer::start().await;
    let mut mine = server.client().await.hello().await;
    mine.ask("m1", "What does shipping within Ireland cost, asks Xylander Quux?").await;
    let mut other = server.client().await.hello().await;
    other.ask("m1", QUESTION).await;
    let visitor = mine.token.split('.').nth(1).unwrap().to_owned();
    let http = reqwest::Client::new();
    let url = server.admin_url(&format!("/v1/sites/shop/visitors/{visitor}"));
    let export = http.get(&url).bearer_auth(server.admin_key()).send().await.unwrap();
    assert_eq!(export.status(), 200);
    let export = export.text().await.unwrap();
    let lines: Vec<Value> =
        export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1, "{export}");
    assert!(
        lines[0]["session"] == mine.session.as_str() && export.contains("Xylander Quux"),
        "{export}"
    );

    let erased = http.delete(&url).bearer_auth(server.admin_key()).send().await.unwrap();
    assert_eq!(erased.status(), 200);
    let receipt: Receipt = erased.json().await.unwrap();
    assert_eq!(receipt.sessions, [mine.session.clone()]);
    assert!(
        receipt.events >= 4 && receipt.visitor_sha256 == frontdesk::secret::key_hash(&visitor),
        "{receipt:?}"
    );
    for method in [http.get(&url), http.delete(&url)] {
        assert_eq!(method.bearer_auth(server.admin_key()).send().await.unwrap().status(), 404);
    }
    let of_other = server.admin_url(&format!("/v1/sites/shop/sessions/{}", other.session));
    assert_eq!(
        http.get(of_other).bearer_auth(server.admin_key()).send().await.unwrap().status(),
        200
    );

    // Both stand in the audit log, by whom, and without the visitor's id.
    let day: Value = http
        .get(server.admin_url("/v1/audit"))
        .bearer_auth(server.admin_key())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let entries: Vec<Value> = day["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| serde_json::from_str(entry.as_str().unwrap()).unwrap())
        .collect();
    let did = |what: &str, status: u16| {
        entries.iter().filter(|entry| entry["did"] == what && entry["status"] == status).count()
    };
    assert_eq!(did("GET /v1/sites/{site}/visitors/{visitor}", 200), 1, "{entries:?}");
    assert_eq!(did("DELETE /v1/sites/{site}/visitors/{visitor}", 200), 1, "{entries:?}");
    assert_eq!(did("DELETE /v1/sites/{site}/visitors/{visitor}", 404), 1, "{entries:?}");
    assert!(entries.iter().all(|entry| entry["who"] == "key admin.key"), "{entries:?}");
    assert!(!day.to_string().contains(&visitor) && !day.to_string().contains("Xylander"), "{day}");
}

/// Rules and dashboards name metrics that there are.
#[test]
fn alerts_and_dashboard_name_metrics_that_exist() {
    // Not as they are rendered: those with labels show nothing before they are counted.
    let known =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/telemetry.rs"))
            .unwrap();
    let mut named = BTreeSet::new();
    for file in ["deploy/alerts.yml", "deploy/dashboard.json"] {
        let text =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let is_name =
            |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
        for (at, _) in text.match_indices("frontdesk_") {
            named.insert(text[at..].chars().take_while(|char| is_name(*char)).collect::<String>());
        }
    }
    assert!(named.len() > 15, "{named:?}");
    for name in named {
        let family = name
            .trim_start_matches("frontdesk_")
            .trim_end_matches("_total")
            .trim_end_matches("_bucket");
        assert!(known.contains(&format!("\"{family}\",")), "{name} is no metric");
    }
}

/// After an erasure and a compaction no file of the server's holds a word of the visitor's, not in
/// the packed pages of the store either.
#[tokio::test]
async fn what_was_erased_is_in_no_file_any_more() {
    let mut server = TestServer::start().await;
    let mut kept = server.client().await.hello().await;
    kept.ask("m1", "What does shipping within Ireland cost, asks Tillerman Bronk?").await;
    let mut gone = server.client().await.hello().await;
    gone.ask("m1", "What does shipping within Ireland cost, asks Xylander Quux?").await;
    gone.ask("m2", "Who won the cup of Xylander Quux in 1998?").await;
    let visitor = gone.token.split('.').nth(1).unwrap().to_owned();
    // Everything that was said is on disk, and the signals of it.
    server.restart().await;
    assert!(found(&server.directory, "Tillerman Bronk") > 0, "the search finds what is there");
    assert!(found(&server.directory, "Xylander Quux") > 0);
    let http = reqwest::Client::new();
    let key = server.admin_key();
    let url = server.admin_url(&format!("/v1/sites/shop/visitors/{visitor}"));
    assert_eq!(http.delete(&url).bearer_auth(&key).send().await.unwrap().status(), 200);
    let compact =
        http.post(server.admin_url("/v1/store/compact")).bearer_auth(&key).send().await.unwrap();
    assert_eq!(compact.status(), 204);
    // The store goes on: what is left is read, and more is said.
    let mut back = kept.resume_at(server.addr(), 0, None).await;
    back.done().await;
    back.ask("m2", "When does a parcel arrive?").await;
    server.stop().await;
    for word in ["Xylander", "Quux", visitor.as_str(), gone.session.as_str()] {
        // The audit log and the receipt have hashes; the store's tombstone of a session has its
        // name.
        let allowed = word == gone.session;
        assert!(allowed || found(&server.directory, word) == 0, "{word} is still there");
    }
    assert!(found(&server.directory, "Tillerman Bronk") > 0);
}

/// In how many files below a folder the text is, in any case, as it is or in a part that was packed
/// with Zstandard.
fn found(folder: &Path, text: &str) -> usize {
    let text = text.to_lowercase();
    let has = |bytes: &[u8]| String::from_utf8_lossy(&bytes.to_ascii_lowercase()).contains(&text);
    let mut files = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let of_store = path.starts_with(folder.join("store"));
            let packed = bytes
                .windows(4)
                .enumerate()
                .filter(|(_, window)| of_store && *window == [0x28, 0xB5, 0x2F, 0xFD]);
            let unpacked = packed.filter_map(|(at, _)| {
                let mut out = Vec::new();
                let mut decoder =
                    zstd::stream::read::Decoder::new(&bytes[at..]).ok()?.single_frame();
                // What is cut off is still read up to there.
                let _ = std::io::Read::read_to_end(&mut decoder, &mut out);
                Some(out)
            });
            files += usize::from(has(&bytes) || unpacked.into_iter().any(|out| has(&out)));
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_reads_its_configuration_anew() {
    let folder = directory();
    write_documents(&folder);
    let mut options = config(&folder);
    let path = write_config(&folder, &options);
    let server = Binary::serve(&path, &["--ingest"]).await;
    let key = frontdesk::secret::new_key();
    let http = reqwest::Client::new();
    let metrics = || http.get(format!("http://{}/metrics", server.admin_addr)).bearer_auth(&key);
    let widget = || {
        let url = format!("http://{}/v1/sites/shop/widget.json", server.addr);
        http.get(url).header("origin", "https://shop.example")
    };
    assert_eq!(widget().send().await.unwrap().status(), 403);
    assert_eq!(metrics().send().await.unwrap().status(), 401);
    let mut open = ChatClient::connect(server.addr).await.hello().await;

    options.sites[0].origins = vec!["https://shop.example".into()];
    options.sites[0].widget.title = "Ask away".into();
    options.sites[0].name = "Another name".into();
    options.llm.max_tokens += 1;
    options.auth.keys = vec![frontdesk::http::auth::Key {
        name: "prometheus".into(),
        sha256: frontdesk::secret::key_hash(&key),
        scopes: vec![frontdesk::http::auth::Scope::Metrics],
        site: None,
    }];
    write_config(&folder, &options);
    let (code, said) = frontdesk(&path, &["config", "reload", "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let reloaded: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        reloaded,
        serde_json::json!({
            "taken": ["auth.keys", "sites[shop].origins", "sites[shop].widget"],
            "after_restart": ["llm.max_tokens", "sites[shop].name"],
        })
    );
    assert_eq!(metrics().send().await.unwrap().status(), 200);
    let shown: Value = widget().send().await.unwrap().json().await.unwrap();
    assert_eq!(shown["title"], "Ask away");
    // Who was connected still is.
    open.ask("m1", QUESTION).await;

    // A mistake changes nothing, and is told without any value.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[\"https://shop.example\"]", "\"hush-hush\"")).unwrap();
    let hup = || {
        let id = server.process.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    };
    hup();
    let key_of_admin = std::fs::read_to_string(folder.join("admin.key")).unwrap();
    let reload = format!("http://{}/v1/config/reload", server.admin_addr);
    let answer = http.post(reload).bearer_auth(key_of_admin.trim()).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let told = answer.text().await.unwrap();
    assert!(told.contains("origins") && !told.contains("hush-hush"), "{told}");
    assert_eq!(widget().send().await.unwrap().status(), 200);

    // SIGHUP does the same as the command; what was taken out is refused.
    options.sites[0].origins.clear();
    options.auth.keys.clear();
    write_config(&folder, &options);
    hup();
    for round in 0.. {
        if metrics().send().await.unwrap().status() == 401 {
            break;
        }
        assert!(round < 100, "the key is good after five seconds");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(widget().send().await.unwrap().status(), 403);
    open.ask("m2", QUESTION).await;
    assert_eq!(server.terminate().await, Some(0));
}
