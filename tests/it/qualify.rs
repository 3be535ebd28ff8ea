//! `frontdesk check --model` and what `auto` makes of its result, with scripts that qualify and
//! don't.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::{
    Binary, ChatClient, answer, config, directory, write_config, write_documents,
};

const FAQ: &str = "# Questions\n\n## Do you ship to Norway?\n\nWe ship to Norway for 18.90 EUR.\n\n\
    ## Can I wash the tent?\n\nWash the tent by hand with a sponge.\n\n\
    ## Where is your workshop?\n\nThe workshop is in Galway.\n\n\
    ## How long is the warranty on poles?\n\nThe warranty on poles is 3 years.\n\n\
    ## Do you sell gift cards?\n\nGift cards are sold from 20 EUR.\n\n\
    ## Which stove burns longest?\n\nThe Ember stove burns longest, for 90 minutes.\n\n\
    ## Who pays customs duty in Norway?\n\nThe recipient pays customs duty in Norway.\n";

async fn frontdesk(config: &Path, arguments: &[&str]) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_frontdesk"))
        .arg("--config")
        .arg(config)
        .args(arguments)
        .output()
        .await
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Tests a script and says whether it qualifies, what the table and `check` say, and whether the
/// server lets it phrase.
async fn check(script: &str, qualifies: bool, why: &str) {
    let directory = directory();
    write_documents(&directory);
    std::fs::write(directory.join("knowledge/faq.md"), FAQ).unwrap();
    let mut config = config(&directory);
    config.llm.model = script.into();
    let path = write_config(&directory, &config);
    assert!(frontdesk(&path, &["ingest"]).await.status.success());

    let before = json(&frontdesk(&path, &["check", "--json"]).await);
    assert_eq!(before["answers"]["mode"], "quote");
    assert!(before["answers"]["why"].as_str().unwrap().contains("hasn't been tested"), "{before}");

    let tested = frontdesk(&path, &["check", "--model", "--json"]).await;
    let report = json(&tested);
    assert_eq!(tested.status.success(), qualifies, "{report:#}");
    assert_eq!(report["qualifies"], qualifies, "{report:#}");
    let result = &report["sites"][0]["result"];
    let records = report["sites"][0]["records"].as_array().unwrap();
    assert_eq!(result["measured"]["questions"].as_u64().unwrap() as usize, records.len());
    assert!(records.len() >= 10 && records.iter().all(|record| record["question"].is_string()));
    assert_eq!(result["model"], script);
    if !qualifies {
        assert!(result["measured"]["invented"].as_f64().unwrap() > 0.5, "{result}");
        assert!(
            records.iter().all(|record| record["sent"] == 0 && record["answer"] == ""),
            "{records:?}"
        );
    }
    let kept: Value =
        serde_json::from_str(&std::fs::read_to_string(directory.join("qualified.json")).unwrap())
            .unwrap();
    assert_eq!(&kept[0], result);

    let table = frontdesk(&path, &["check", "--model", "--questions", "12"]).await;
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("sentences withheld") && table.contains(why), "{table}");
    let after = json(&frontdesk(&path, &["check", "--json"]).await);
    assert_eq!(after["answers"]["mode"], if qualifies { "generate" } else { "quote" });
    assert!(after["answers"]["why"].as_str().unwrap().contains(why), "{after}");

    let server = Binary::serve(&path, &[]).await;
    let mut visitor = ChatClient::connect(server.addr).await.hello().await;
    let done = visitor.ask("m", "How long is the warranty on poles?").await;
    let frontdesk::protocol::ServerMessage::AnswerDone { usage, .. } = &done else {
        unreachable!()
    };
    assert_eq!(usage.prompt_tokens > 0, qualifies, "only a model that qualifies is asked");
    let (text, documents) = answer(&done);
    assert!(
        text.contains("3 years") && documents.contains(&"faq.md".to_owned()),
        "{text} {documents:?}"
    );
    assert_eq!(server.terminate().await, Some(0));
}

#[tokio::test]
async fn a_faithful_model_qualifies_and_phrases() {
    check("faithful", true, "faithful qualifies").await;
}

#[tokio::test]
async fn an_inventive_model_does_not_qualify_and_quotes_stand() {
    check("inventive", false, "inventive doesn't qualify").await;
}

#[tokio::test]
async fn too_little_knowledge_is_no_test() {
    let directory = directory();
    write_documents(&directory);
    let path = write_config(&directory, &config(&directory));
    assert!(frontdesk(&path, &["ingest"]).await.status.success());
    let output = frontdesk(&path, &["check", "--model"]).await;
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("a test needs 10"), "{error}");
}
