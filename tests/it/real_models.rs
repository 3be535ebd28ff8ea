//! The real binary with the real models over the sample shop: by socket, by Server-Sent Events, by
//! OpenAI's client.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::support::{Binary, ChatClient, answer, config, models, write_config};
use frontdesk::config::Config;
use frontdesk::grounding;
use frontdesk::http::auth::{Key, Scope};
use frontdesk::protocol::ServerMessage;
use frontdesk::protocol::parts::AnswerEnd;
use frontdesk::secret::key_hash;
use frontdesk::turn::Mode;

#[derive(Deserialize)]
struct Question {
    question: String,
    document: String,
    must_contain: Vec<String>,
}

const KEY: &str = "fd_a-key-for-tests";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shop(directory: &Path) -> Config {
    let mut config = config(directory);
    config.knowledge.path = root().join("knowledge");
    config.llm.engine = "llama".into();
    config.llm.model =
        models().join("smollm2-135m-instruct-q4_0.gguf").to_string_lossy().into_owned();
    config.auth.keys = vec![Key {
        name: "test".into(),
        sha256: key_hash(KEY),
        scopes: vec![Scope::Chat],
        site: Some("shop".into()),
    }];
    config
}

fn questions() -> Vec<Question> {
    let text = std::fs::read_to_string(root().join("tests/it/shop/questions.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// True if the answer cites a document that holds the facts asked for, and says them.
fn right(question: &Question, text: &str, documents: &[String]) -> bool {
    let plain = |text: &str| text.replace("**", "").to_lowercase();
    let holds = |document: &String| {
        let path = root().join("knowledge").join(document.split('#').next().unwrap());
        let text = plain(&std::fs::read_to_string(path).unwrap_or_default());
        let held = grounding::facts(&text.replace(',', " "));
        question.must_contain.iter().all(|fact| {
            let numbers = grounding::facts(fact);
            // A row has "429.00" and "EUR" in different cells.
            let row = document.contains(".csv") && !numbers.is_empty();
            if row { numbers.is_subset(&held) } else { text.contains(&plain(fact)) }
        })
    };
    let cited = documents.iter().any(|document| *document == question.document || holds(document));
    cited && question.must_contain.iter().all(|fact| plain(text).contains(&plain(fact)))
}

#[tokio::test]
async fn ten_questions_by_every_way_in() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_config(directory.path(), &shop(directory.path()));
    let server = Binary::serve(&path, &["--ingest"]).await;
    let questions: Vec<Question> = questions().into_iter().take(10).collect();
    let mut wrong = Vec::new();

    for (i, question) in questions.iter().enumerate() {
        let mut visitor = ChatClient::connect(server.addr).await.hello().await;
        let (text, documents) = answer(&visitor.ask(&format!("m{i}"), &question.question).await);
        if !right(question, &text, &documents) {
            wrong.push(format!("socket: {} → {text} {documents:?}", question.question));
        }
        let body = serde_json::json!({ "site": "shop", "text": question.question });
        let url = format!("http://{}/v1/chat/messages", server.addr);
        let events = reqwest::Client::new()
            .post(url)
            .json(&body)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let last = events.lines().rfind(|line| line.starts_with("data: ")).unwrap();
        let done: ServerMessage = serde_json::from_str(&last[6..]).unwrap();
        assert_eq!(answer(&done), (text, documents), "the same by Server-Sent Events");
    }

    let python = models().parent().unwrap().join("test-venv/bin/python");
    let output = tokio::process::Command::new(python)
        .arg(root().join("tests/openai_client.py"))
        .args([&format!("http://{}/v1", server.addr), KEY])
        .args(questions.iter().map(|question| &question.question))
        .output()
        .await
        .expect("scripts/tools made the environment with OpenAI's client");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (line, question) in String::from_utf8(output.stdout).unwrap().lines().zip(&questions) {
        let found: serde_json::Value = serde_json::from_str(line).unwrap();
        let documents: Vec<String> = serde_json::from_value(found["documents"].clone()).unwrap();
        if !right(question, found["answer"].as_str().unwrap(), &documents) {
            wrong.push(format!("OpenAI: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(server.terminate().await, Some(0));
}

/// The default embedder puts every Chinese text in the same corner; what is answered then is
/// answered by words, or not at all.
#[tokio::test]
async fn the_questions_of_a_message_are_answered_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_config(directory.path(), &shop(directory.path()));
    let server = Binary::serve(&path, &["--ingest"]).await;
    let mut visitor = ChatClient::connect(server.addr).await.hello().await;

    let both = "How long is the warranty on a tent? And what does delivery to Switzerland cost?";
    let done = visitor.ask("m1", both).await;
    let (text, documents) = answer(&done);
    let warranty = text.find("5-year").expect(&text);
    let delivery = text.find("18.90").expect(&text);
    assert!(warranty < delivery, "in the order asked: {text}");
    assert!(documents.iter().any(|document| document.contains("warranty")), "{documents:?}");
    assert!(documents.iter().any(|document| document.contains("shipping")), "{documents:?}");

    // What is missing is told, and makes the answer an unsure one.
    let half = "What does delivery to Switzerland cost? Do you employ dentists in Antarctica?";
    let ServerMessage::AnswerDone { end, text, confidence, .. } = visitor.ask("m2", half).await
    else {
        panic!()
    };
    assert_eq!(end, AnswerEnd::Complete);
    assert!(text.contains("18.90") && text.contains("your second question"), "{text}");
    assert!(confidence < 0.62, "{confidence}");
}

#[tokio::test]
async fn a_language_that_the_embedder_does_not_read_is_answered_by_words_or_declined() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_config(directory.path(), &shop(directory.path()));
    let server = Binary::serve(&path, &["--ingest"]).await;
    for (question, says) in [
        ("头灯充不进电怎么办？", Some("木牙签")),
        ("配送需要多久？", Some("1 至 2 个工作日")),
        ("帐篷的保修期多长？", Some("5 年")),
        ("Tarn 3 帐篷多少钱？", Some("429")),
        ("今天天气怎么样？", None),
        ("你们的CEO是谁？", None),
        ("支持微信支付吗？", None),
    ] {
        let mut visitor = ChatClient::connect(server.addr).await.hello().await;
        let done = visitor.ask("m", question).await;
        let ServerMessage::AnswerDone { end, text, .. } = &done else { unreachable!() };
        match says {
            Some(fact) => assert!(text.contains(fact), "{question} → {text}"),
            None => assert_eq!(*end, AnswerEnd::Declined, "{question} → {text}"),
        }
    }
    assert_eq!(server.terminate().await, Some(0));
}

#[tokio::test]
async fn the_model_streams_and_invents_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = shop(directory.path());
    config.answers.mode = Mode::Generate;
    config.llm.temperature = 0.8;
    let path = write_config(directory.path(), &config);
    let server = Binary::serve(&path, &["--ingest"]).await;
    let (mut generated, mut written) = (0, 0);
    // What rows of the catalogue answer needs no model.
    for question in
        questions().iter().filter(|question| question.document.starts_with("help/")).take(5)
    {
        let mut visitor = ChatClient::connect(server.addr).await.hello().await;
        let done = visitor.ask("m", &question.question).await;
        let ServerMessage::AnswerDone { text, citations, usage, .. } = &done else {
            unreachable!()
        };
        assert!(
            usage.prompt_tokens > 50,
            "the model read the passages: {} → {text}",
            question.question
        );
        generated += usage.completion_tokens;
        written += text.len();
        let sources: Vec<String> = citations
            .iter()
            .map(|citation| {
                root().join("knowledge").join(citation.document.split('#').next().unwrap())
            })
            .map(|path: PathBuf| std::fs::read_to_string(path).unwrap())
            .collect();
        let mut known = grounding::facts(&question.question);
        // Passages beside the cited ones were shown too: everything in the shop's documents is
        // fair.
        for source in sources
            .iter()
            .map(String::as_str)
            .chain([include_str!("../../knowledge/catalogue.csv")])
        {
            known.extend(grounding::facts(source));
        }
        let invented: Vec<_> =
            grounding::facts(text).into_iter().filter(|fact| !known.contains(fact)).collect();
        assert!(invented.is_empty(), "{invented:?} in {text}");
    }
    assert!(generated > 50 && written > 50);
    assert_eq!(server.terminate().await, Some(0));
}
