//! Documents over HTTP, watched folders, products and knowledge gaps, on a running server with the
//! real embedder.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::formats::{docx, xlsx};
use crate::support::{
    Binary, LIMIT, TestServer, answer, config, directory, write_config, write_documents,
};
use frontdesk::http::auth::{Key, Scope};
use frontdesk::protocol::parts::{AnswerEnd, Rating};
use frontdesk::protocol::{ClientMessage, ServerMessage};
use frontdesk::secret::key_hash;

/// A client of the admin listener, or of the public one with a key.
struct Api {
    base: String,
    key: String,
}

impl Api {
    fn admin(server: &TestServer) -> Self {
        Self { base: server.admin_url("/v1/sites/shop"), key: server.admin_key() }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> (StatusCode, Value) {
        let request = reqwest::Client::new()
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.key);
        let response = request
            .header("content-type", content_type)
            .body(body)
            .send()
            .await
            .expect("an answer");
        let status = response.status();
        (status, response.json().await.unwrap_or_default())
    }

    async fn put(
        &self,
        path: &str,
        content_type: &str,
        body: impl AsRef<[u8]>,
    ) -> (StatusCode, Value) {
        self.send(Method::PUT, &format!("/documents/{path}"), content_type, body.as_ref().to_vec())
            .await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(Method::GET, path, "", Vec::new()).await
    }

    async fn post(&self, path: &str) -> (StatusCode, Value) {
        self.send(Method::POST, path, "application/json", b"{}".to_vec()).await
    }

    async fn delete(&self, path: &str) -> StatusCode {
        self.send(Method::DELETE, path, "", Vec::new()).await.0
    }

    /// Waits until an answer is as wanted.
    async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            let (_, value) = self.get(path).await;
            if wanted(&value) {
                return value;
            }
            assert!(since.elapsed() < LIMIT, "{path} stays {value}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn documents_are_handed_in_replaced_and_removed() {
    let server = TestServer::start().await;
    let api = Api::admin(&server);
    let mut client = server.client().await.hello().await;
    let warranty = "# Warranty\n\nThe warranty of the Tarn tent lasts 7 years.\n";

    let (status, added) =
        api.put("help/warranty.md?url=https://shop.example/w", "text/markdown", warranty).await;
    assert_eq!((status, added["change"].as_str()), (StatusCode::CREATED, Some("added")), "{added}");
    assert_eq!(added["document"]["passages"], 1);
    let (text, documents) =
        answer(&client.ask("m1", "How long does the warranty of the tent last?").await);
    assert!(
        text.contains("7 years") && documents == ["api:help/warranty.md"],
        "{text} {documents:?}"
    );

    // The same again changes nothing, other content does.
    let again =
        api.put("help/warranty.md?url=https://shop.example/w", "text/markdown", warranty).await;
    assert_eq!((again.0, again.1["change"].as_str()), (StatusCode::OK, Some("unchanged")));
    let (status, replaced) =
        api.put("help/warranty.md", "text/markdown", warranty.replace('7', "9")).await;
    assert_eq!((status, replaced["change"].as_str()), (StatusCode::OK, Some("replaced")));
    let (text, _) = answer(&client.ask("m2", "How long does the warranty of the tent last?").await);
    assert!(text.contains("9 years"), "{text}");

    // A table: rows are documents of their own, one that went leaves.
    let rows = "sku,name,price\nT2,Tarn 2,349 EUR\nT3,Tarn 3,429 EUR\n";
    let (_, table) = api.put("list.csv", "text/csv", rows).await;
    assert_eq!(
        (table["document"]["documents"].as_u64(), &table["document"]["errors"]),
        (Some(2), &json!([]))
    );
    let (_, table) =
        api.put("list.csv", "text/csv", "sku,name,price\nT3,Tarn 3,399 EUR\nT4,Tarn\n").await;
    assert_eq!(table["document"]["documents"], 1);
    assert_eq!(table["document"]["errors"][0]["line"], 3);
    let (_, products) = api.get("/products").await;
    let shown = &products["products"][0];
    assert_eq!(
        (shown["id"].as_str(), shown["price"].as_str(), shown["currency"].as_str()),
        (Some("T3"), Some("399"), Some("EUR"))
    );

    // A broken version is rejected, and the one before stays.
    let (status, rejected) = api.put("help/warranty.md", "text/markdown", b"\xFF\xFF").await;
    assert_eq!(
        (status, rejected["change"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("rejected"))
    );
    assert!(
        rejected["document"]["errors"][0]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("UTF-8")),
        "{rejected}"
    );
    let (_, status) = api.get("/documents/help/warranty.md").await;
    assert_eq!(status["status"], "indexed");
    let (text, _) = answer(&client.ask("m3", "How long does the warranty of the tent last?").await);
    assert!(text.contains("9 years"), "{text}");

    let (_, list) = api.get("/documents?limit=1").await;
    assert_eq!(
        (list["total"].as_u64(), list["documents"][0]["id"].as_str()),
        (Some(2), Some("help/warranty.md"))
    );
    let (_, list) = api.get(&format!("/documents?after={}", list["next"].as_str().unwrap())).await;
    assert_eq!(
        (list["documents"][0]["id"].as_str(), &list["next"]),
        (Some("list.csv"), &Value::Null)
    );

    assert_eq!(api.delete("/documents/help/warranty.md").await, StatusCode::NO_CONTENT);
    assert_eq!(api.delete("/documents/help/warranty.md").await, StatusCode::NOT_FOUND);
    assert_eq!(api.get("/documents/help/warranty.md").await.0, StatusCode::NOT_FOUND);
    // A document of the folder is the folder's.
    assert_eq!(api.delete("/documents/tent.md").await, StatusCode::NOT_FOUND);
    let (_, documents) =
        answer(&client.ask("m4", "How long does the warranty of the tent last?").await);
    assert!(!documents.contains(&"api:help/warranty.md".to_owned()));
}

#[tokio::test]
async fn folder_and_hand_ins_leave_each_other_alone() {
    let mut server = TestServer::start().await;
    let api = Api::admin(&server);
    let (status, _) = api
        .put("terms.docx", "", docx("<w:p><w:r><w:t>Our terms end in May.</w:t></w:r></w:p>"))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let prices = xlsx(&[("Prices", &[&["SKU", "Name", "Price"], &["A1", "Rope", "12.5"]])]);
    let excel = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    assert_eq!(api.put("prices", excel, prices).await.0, StatusCode::CREATED);

    let before = api.get("/documents").await.1;
    let run = reqwest::Client::new()
        .post(format!("{}/ingest", api.base))
        .bearer_auth(&api.key)
        .send()
        .await
        .unwrap();
    let lines = run.text().await.unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(
        (last["type"].as_str(), last["report"]["removed"].as_u64()),
        (Some("done"), Some(0)),
        "{lines}"
    );
    assert_eq!(last["report"]["unchanged"], 5, "{lines}");
    assert_eq!(api.get("/documents").await.1, before);
    // An index that is lost is built again from what is on disk.
    server.stop().await;
    std::fs::remove_dir_all(&server.config.knowledge.index).unwrap();
    server.restart().await;
    let api = Api::admin(&server);
    assert_eq!(api.get("/products").await.1["products"][0]["id"], "A1");
    let mut client = server.client().await.hello().await;
    let (_, documents) = answer(&client.ask("m1", "When do the terms end?").await);
    assert_eq!(documents, ["api:terms.docx"]);
}

#[tokio::test]
async fn only_who_may_hands_documents_in() {
    let key = |name: &str, scopes: &[Scope], site: Option<&str>| Key {
        name: name.into(),
        sha256: key_hash(name),
        scopes: scopes.to_vec(),
        site: site.map(Into::into),
    };
    let server = TestServer::with(|config| {
        config.auth.keys = vec![
            key("writer", &[Scope::Knowledge], Some("shop")),
            key("anywhere", &[Scope::Knowledge], None),
            key("elsewhere", &[Scope::Knowledge], Some("other")),
            key("chatter", &[Scope::Chat], Some("shop")),
        ];
        config.knowledge.max_document_mib = 1;
    })
    .await;
    let public = |key: &str| Api { base: server.url("/v1/sites/shop"), key: key.into() };
    assert_eq!(public("writer").put("a.md", "text/markdown", "Text.").await.0, StatusCode::CREATED);
    for stranger in ["anywhere", "elsewhere", "chatter", "", &server.admin_key()] {
        let (status, error) = public(stranger).put("a.md", "text/markdown", "Text!").await;
        assert_eq!(
            (status, error["error"]["code"].as_str()),
            (StatusCode::UNAUTHORIZED, Some("unauthorized"))
        );
        assert_eq!(public(stranger).get("/documents").await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(public(stranger).delete("/documents/a.md").await, StatusCode::UNAUTHORIZED);
    }
    // Runs over folders and gaps are the operator's.
    for path in ["/ingest", "/gaps/x/dismiss"] {
        assert_eq!(public("writer").post(path).await.0, StatusCode::NOT_FOUND);
    }
    let check =
        async |path: &str, content_type: &str, body: &[u8], status: StatusCode, expected: &str| {
            let (found, error) = public("writer").put(path, content_type, body).await;
            assert_eq!(found, status, "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        };
    check("a", "image/png", b"x", StatusCode::BAD_REQUEST, "none that can be read").await;
    check("a.md?audience=all", "text/markdown", b"x", StatusCode::BAD_REQUEST, "audience").await;
    check("a.md?valid_until=soon", "text/markdown", b"x", StatusCode::BAD_REQUEST, "valid_until")
        .await;
    check("a.md?url=javascript:x", "text/markdown", b"x", StatusCode::BAD_REQUEST, "web address")
        .await;
    check("a.md?colour=red", "text/markdown", b"x", StatusCode::BAD_REQUEST, "colour").await;
    check("a%23b", "text/markdown", b"x", StatusCode::BAD_REQUEST, "without #").await;
    check(
        "b.md",
        "text/markdown",
        &vec![b'x'; (1 << 20) + 1],
        StatusCode::PAYLOAD_TOO_LARGE,
        "max_document_mib",
    )
    .await;
    check("b.pdf", "application/pdf", b"%PDF-", StatusCode::UNPROCESSABLE_ENTITY, "damaged").await;
    assert_eq!(public("writer").get("/documents").await.1["total"], 1);
}

#[tokio::test]
async fn a_changed_folder_is_read_while_serving() {
    let server = TestServer::with(|config| config.knowledge.watch_s = 1).await;
    let api = Api::admin(&server);
    let folder = &server.config.knowledge.path;
    std::fs::write(folder.join("ropes.csv"), "sku,name,price\nR1,Rope,12 EUR\n").unwrap();
    api.until("/products", |found| {
        found["products"].as_array().is_some_and(|list| list.len() == 1)
    })
    .await;
    std::fs::write(folder.join("ropes.csv"), "sku,name,price\nR1,Rope,14 EUR\nR2,Cord,3 EUR\n")
        .unwrap();
    let found = api
        .until("/products", |found| {
            found["products"].as_array().is_some_and(|list| list.len() == 2)
        })
        .await;
    assert_eq!(found["products"][0]["price"], "14");
    std::fs::remove_file(folder.join("ropes.csv")).unwrap();
    api.until("/products", |found| found["products"] == json!([])).await;
    let metrics =
        reqwest::Client::new().get(server.admin_url("/metrics")).bearer_auth(server.admin_key());
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    let seen = metrics
        .lines()
        .find_map(|line| line.strip_prefix("frontdesk_knowledge_changes_seen_total "))
        .unwrap();
    assert!(seen.parse::<u32>().unwrap() >= 2, "{metrics}");
}

#[tokio::test]
async fn the_command_line_asks_a_running_server() {
    let directory = directory();
    write_documents(&directory);
    let config = write_config(&directory, &config(&directory));
    let server = Binary::serve(&config, &["--ingest"]).await;
    let run = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_frontdesk"));
        let output = command.arg("--config").arg(&config).args(arguments).output().await.unwrap();
        let (out, error) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{error}");
        out.into_owned()
    };
    std::fs::write(directory.join("knowledge/new.md"), "# New\n\nWe sell ropes.\n").unwrap();
    let report: Value = serde_json::from_str(&run(&["ingest", "--json"]).await).unwrap();
    assert_eq!(
        (report["shop"]["added"].as_u64(), report["shop"]["unchanged"].as_u64()),
        (Some(1), Some(3)),
        "{report}"
    );
    assert_eq!(run(&["gaps", "--json"]).await.trim(), "[]");
    assert_eq!(server.terminate().await, Some(0));
    // Without a server the store itself is asked.
    assert_eq!(run(&["gaps", "--json", "--state", "all"]).await.trim(), "[]");
}

#[tokio::test]
async fn unanswered_questions_become_gaps_until_a_document_answers_them() {
    let server = TestServer::start().await;
    let api = Api::admin(&server);
    let mut first = server.client().await.hello().await;
    let mut second = server.client().await.hello().await;
    let declined = |done: &ServerMessage| {
        matches!(done, ServerMessage::AnswerDone { end: AnswerEnd::Declined, .. })
    };
    assert!(declined(&first.ask("m1", "Do you repair bicycles?").await));
    assert!(declined(&second.ask("m1", "Can you repair my bicycle?").await));
    assert!(declined(&first.ask("m2", "Who won the football world cup in 1998?").await));
    // A vote against an answer is a gap, too.
    let turn = match first.ask("m3", "What does shipping within Ireland cost?").await {
        ServerMessage::AnswerDone { turn, .. } => turn,
        other => panic!("no answer but {other:?}"),
    };
    first.send(&ClientMessage::Feedback { turn, rating: Rating::Down, text: None }).await;

    let open = api.until("/gaps?state=open", |found| found["total"] == 3).await;
    let gap = |wanted: &str| {
        let gaps = open["gaps"].as_array().unwrap();
        gaps.iter()
            .find(|gap| gap["question"].as_str().is_some_and(|text| text.contains(wanted)))
            .cloned()
            .unwrap()
    };
    let bicycle = gap("bicycle");
    assert_eq!(
        (bicycle["count"].as_u64(), bicycle["reasons"]["declined"].as_u64()),
        (Some(2), Some(2)),
        "{open}"
    );
    assert_eq!(open["gaps"][0]["id"], bicycle["id"], "the most asked first");
    assert_eq!(gap("shipping")["reasons"]["voted_down"], 1);

    // Dismissed, it is counted and stays dismissed; opened again, it is open.
    let football = gap("football")["id"].as_str().unwrap().to_owned();
    assert_eq!(api.post(&format!("/gaps/{football}/dismiss")).await.1["state"], "dismissed");
    second.ask("m2", "Who won the football world cup in 1998?").await;
    api.until("/gaps?state=dismissed", |found| found["gaps"][0]["count"] == 2).await;
    assert_eq!(api.post(&format!("/gaps/{football}/reopen")).await.1["state"], "open");
    assert_eq!(api.post("/gaps/nothing/dismiss").await.0, StatusCode::NOT_FOUND);

    // A document that answers it closes it, and is named.
    let repair = "# Repairs\n\nYes, we repair bicycles in our workshop. A repair of a bicycle takes two days.\n";
    api.put("repairs.md", "text/markdown", repair).await;
    let closed = api.until("/gaps?state=closed", |found| found["total"].as_u64() > Some(0)).await;
    let closed = closed["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|gap| gap["id"] == bicycle["id"])
        .expect("closed");
    assert_eq!(closed["answered_by"]["document"], "api:repairs.md");
    // What was voted down is not answered by the same document again.
    let (_, open) = api.get("/gaps?state=open").await;
    assert_eq!(
        (open["total"].as_u64(), open["gaps"][0]["id"].as_str()),
        (Some(2), Some(football.as_str())),
        "{open}"
    );

    // What a visitor said goes with the session.
    let (_, before) = api.get("/gaps").await;
    assert!(before.to_string().contains(&first.session));
    assert_eq!(api.delete(&format!("/sessions/{}", first.session)).await, StatusCode::NO_CONTENT);
    let (_, after) = api.get("/gaps").await;
    assert!(!after.to_string().contains(&first.session), "{after}");
    assert!(!after.to_string().contains("Do you repair bicycles?"), "{after}");
    assert!(after.to_string().contains("Can you repair my bicycle?"), "{after}");
}

#[tokio::test]
async fn gaps_outlive_a_restart() {
    let mut server = TestServer::start().await;
    server.client().await.hello().await.ask("m1", "Do you repair bicycles?").await;
    let api = Api::admin(&server);
    let before = api.until("/gaps", |found| found["total"] == 1).await;
    server.restart().await;
    let api = Api::admin(&server);
    assert_eq!(api.get("/gaps").await.1, before);
    server.client().await.hello().await.ask("m1", "Can you repair my bicycle?").await;
    api.until("/gaps", |found| found["total"] == 1 && found["gaps"][0]["count"] == 2).await;
}

/// Two lines of letterhead, a header, a price that is none, and what the shop pays.
const PRICES: &str = "Hollin & Pike,,,\nPrice list 2026,,,\nNo.,Article,Price EUR,Cost price\n\
    T2,Tarn 2 tent,349.00,190.00\nT3,Tarn 3 tent,429.00,251.00\nT4,Tarn 4 tent,ask us,300.00\n";

#[tokio::test]
async fn how_a_file_is_understood_is_shown() {
    let server = TestServer::start().await;
    let api = Api::admin(&server);
    let folder = server.directory.join("knowledge");
    std::fs::create_dir_all(folder.join("lists")).unwrap();
    std::fs::write(folder.join("lists/prices.csv"), PRICES).unwrap();
    std::fs::write(folder.join("lists/drawing.dwg"), "?").unwrap();
    api.put("help/prices.csv", "text/csv", "sku,name,price\nT2,Tarn 2,349 EUR\n").await;

    let (status, listed) = api.get("/files").await;
    let ids: Vec<_> =
        listed["files"].as_array().unwrap().iter().filter_map(|file| file["id"].as_str()).collect();
    assert!(
        status == 200 && ids.contains(&"lists/prices.csv") && ids.contains(&"api:help/prices.csv"),
        "{listed}"
    );
    assert_eq!(listed["left_out"][0]["path"], "lists/drawing.dwg");

    let (status, understood) = api.get("/files/lists/prices.csv").await;
    assert_eq!((status, &understood["products"]), (StatusCode::OK, &json!(2)), "{understood}");
    let table = &understood["tables"][0];
    assert_eq!((&table["header"], &table["rows"]), (&json!([3]), &json!(3)));
    let columns: Vec<_> = table["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["kind"], &one["telling"]))
        .collect();
    let expected = [("number", "told"), ("name", "told"), ("price", "told"), ("hidden", "never")];
    let expected = expected.map(|(kind, telling)| (json!(kind), json!(telling)));
    assert_eq!(columns, expected.iter().map(|(kind, telling)| (kind, telling)).collect::<Vec<_>>());
    assert_eq!(understood["notes"][0]["line"], 6);
    assert!(
        understood["notes"][0]["reason"].as_str().unwrap().contains("\"ask us\" is no amount"),
        "{understood}"
    );
    assert_eq!(understood["sample"][0], "Tarn 2 tent: 349.00 EUR.");
    assert!(
        !understood.to_string().contains("251"),
        "what the shop pays is nobody's business: {understood}"
    );

    let (status, handed_in) = api.get("/files/api:help/prices.csv").await;
    assert_eq!((status, &handed_in["products"]), (StatusCode::OK, &json!(1)), "{handed_in}");
    // Nothing of it was taken in.
    assert_eq!(api.get("/products").await.1["products"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn no_file_outside_of_the_folder_is_explained() {
    let server = TestServer::start().await;
    let api = Api::admin(&server);
    let (folder, outside) =
        (server.directory.join("knowledge"), server.directory.join("secret.csv"));
    std::fs::write(&outside, "word,price\nziggurat,1 EUR\n").unwrap();
    std::fs::write(server.directory.join("secret.meta"), "title: ziggurat\n").unwrap();
    std::os::unix::fs::symlink(&outside, folder.join("link.csv")).unwrap();
    std::os::unix::fs::symlink(&server.directory, folder.join("above")).unwrap();
    std::fs::write(folder.join(".hidden.csv"), "word,price\nziggurat,1 EUR\n").unwrap();
    let absolute = outside.to_str().unwrap().replace('/', "%2F");
    let deeper = format!("api:{absolute}");
    for id in [
        "..%2Fsecret.csv",
        "%2E%2E%2Fsecret.csv",
        "lists%2F..%2F..%2Fsecret.csv",
        &absolute,
        &deeper,
        "api:..%2F..%2Fsecret.csv",
        "link.csv",
        "above",
        "above%2Fsecret.csv",
        ".hidden.csv",
        "%2Fetc%2Fpasswd",
        ".",
        "..",
        "none.csv",
    ] {
        let (status, told) = api.get(&format!("/files/{id}")).await;
        assert!(
            status == StatusCode::NOT_FOUND && !told.to_string().contains("ziggurat"),
            "{id}: {status} {told}"
        );
    }
    // What stands beside a file says nothing about it if it leads out of the folder.
    std::fs::write(folder.join("plain.md"), "# Plain\n\nThe shop is open on Mondays.\n").unwrap();
    std::os::unix::fs::symlink(server.directory.join("secret.meta"), folder.join("plain.md.meta"))
        .unwrap();
    let (status, told) = api.get("/files/plain.md").await;
    assert!(
        status == StatusCode::OK
            && told["documents"] == 1
            && !told.to_string().contains("ziggurat"),
        "{told}"
    );
    let (_, listed) = api.get("/files").await;
    let reason = |path: &str| {
        let all = listed["left_out"].as_array().unwrap();
        all.iter()
            .find(|one| one["path"] == path)
            .and_then(|one| one["reason"].as_str())
            .unwrap_or_default()
    };
    assert!(reason("link.csv").contains("a link out of the folder"), "{listed}");
}

#[test]
fn the_openapi_file_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/protocol/knowledge.openapi.json");
    let expected = format!(
        "{}\n",
        serde_json::to_string_pretty(&frontdesk::http::knowledge::openapi()).unwrap()
    );
    if std::env::var_os("FRONTDESK_UPDATE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} is not current; run this test with FRONTDESK_UPDATE=1",
        path.display()
    );
}

/// A request of which only the head was sent.
struct Begun(BufReader<TcpStream>);

impl Begun {
    async fn send(addr: std::net::SocketAddr, line: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let head = format!("{line} HTTP/1.1\r\nhost: {addr}\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        Self(BufReader::new(stream))
    }

    /// The next status line and what follows it up to the body.
    async fn answer(&mut self) -> (u16, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = tokio::time::timeout(LIMIT, self.0.read_line(&mut head))
                .await
                .expect("an answer in time");
            assert!(read.unwrap() > 0, "the connection ended after {head:?}");
        }
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
    }
}

#[tokio::test]
async fn a_body_is_read_of_those_alone_who_may_send_it() {
    let key = "a-knowledge-key";
    let server = TestServer::with(|config| {
        config.knowledge.max_document_mib = 64;
        let (name, sha256) = ("cms".into(), key_hash(key));
        config.auth.keys.push(Key {
            name,
            sha256,
            scopes: vec![Scope::Knowledge],
            site: Some("shop".into()),
        });
    })
    .await;
    let admin = server.server.as_ref().unwrap().admin_addr;
    let large = format!("content-length: {}\r\n", 64 << 20);
    // Not one byte of the bodies is sent, and they are answered.
    for (addr, line) in [
        (server.addr(), "PUT /v1/sites/shop/documents/a"),
        (admin, "PUT /v1/sites/shop/documents/a"),
        (admin, "POST /v1/sites/shop/intent/purchase/train"),
        (admin, "POST /v1/sites/shop/intent/purchase/eval"),
    ] {
        let mut begun = Begun::send(addr, line, &large).await;
        assert_eq!(begun.answer().await.0, 401, "{line}");
        let mut begun =
            Begun::send(addr, line, &format!("authorization: Bearer wrong\r\n{large}")).await;
        assert_eq!(begun.answer().await.0, 401, "{line}");
    }

    // Of those who may, as many as there is room for. The server asks for a body when it has found
    // room for it.
    let line = "PUT /v1/sites/shop/documents/a";
    let headers = format!("authorization: Bearer {key}\r\nexpect: 100-continue\r\n{large}");
    let mut first = Begun::send(server.addr(), line, &headers).await;
    let mut second = Begun::send(server.addr(), line, &headers).await;
    assert_eq!((first.answer().await.0, second.answer().await.0), (100, 100));
    let mut third = Begun::send(server.addr(), line, &headers).await;
    let (status, head) = third.answer().await;
    assert!(status == 503 && head.contains("\r\nretry-after: "), "{head}");
    drop(first);
    let api = Api { base: server.url("/v1/sites/shop"), key: key.into() };
    let since = Instant::now();
    while api.put("a", "text/markdown", "# A\n\nWe open at 9:00.\n").await.0 != StatusCode::CREATED
    {
        assert!(since.elapsed() < LIMIT, "the room of a client who left stays taken");
    }

    let too_large = headers.replace(&(64 << 20).to_string(), &((64 << 20) + 1).to_string());
    assert_eq!(Begun::send(server.addr(), line, &too_large).await.answer().await.0, 413);
}

#[tokio::test]
async fn a_document_is_removed_though_its_client_leaves() {
    let server = TestServer::start().await;
    let api = Api::admin(&server);
    assert_eq!(
        api.put("a", "text/markdown", "# A\n\nWe open at 9:00.\n").await.0,
        StatusCode::CREATED
    );
    for i in 0..30 {
        let text =
            format!("# Model {i}\n\n{}", format!("The model {i} has a warranty. ").repeat(40));
        std::fs::write(server.directory.join(format!("knowledge/model-{i}.md")), text).unwrap();
    }
    // While a run writes, changes wait for it.
    let url = format!("{}/ingest", api.base);
    let mut run = reqwest::Client::new()
        .post(url)
        .bearer_auth(&api.key)
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    run.chunk().await.unwrap().expect("it began");
    let admin = server.server.as_ref().unwrap().admin_addr;
    let headers = format!("authorization: Bearer {}\r\n", api.key);
    let mut waiting = Vec::new();
    for _ in 0..32 {
        waiting.push(Begun::send(admin, "DELETE /v1/sites/shop/documents/a", &headers).await);
    }
    // The run and 31 of them have all places: the one that is refused tells that the others wait.
    let answers = waiting.iter_mut().map(|begun| Box::pin(begun.answer()));
    let ((status, _), ..) = futures_util::future::select_all(answers).await;
    assert_eq!(status, 503);
    drop(waiting);
    while run.chunk().await.unwrap().is_some() {}

    // Changes keep their order: when this one is through, those before it are.
    api.until("/documents/a", |document| {
        assert_ne!(document["status"], "failed");
        document["error"]["code"] == "unknown_document"
    })
    .await;
}
