//! The invariants of ARCHITECTURE.md, checked against the sources.

use std::path::{Path, PathBuf};

fn sources() -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            // Comments may name what code must not use.
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            (name, code)
        })
        .collect()
}

/// A file's code without its module of tests, which stands at its end. Single items for tests may stand anywhere: what comes after
/// them is code like any other.
fn without_tests(code: &str) -> &str {
    code.split("mod tests {").next().unwrap_or(code)
}

/// Names of files whose code, without its tests, holds any of the words.
fn users(words: &[&str]) -> Vec<String> {
    let mut users: Vec<String> = sources()
        .into_iter()
        .filter(|(_, code)| {
            let code = without_tests(code);
            words.iter().any(|word| code.contains(word))
        })
        .map(|(name, _)| name)
        .collect();
    users.sort();
    users
}

/// Whether a name stands in the code by itself, however it was imported.
fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|name| name == word)
}

#[test]
fn a_clock_is_seen_however_it_is_imported() {
    assert!(has_word("use std::time::{Duration, Instant};", "Instant"));
    assert!(has_word("use std::time as t; t::SystemTime::now()", "SystemTime"));
    assert!(!has_word("enum Signal { Instantly(Duration) }", "Instant"));
}

fn check(words: &[&str], allowed: &[&str]) {
    for user in users(words) {
        assert!(
            allowed.iter().any(|allowed| user == *allowed || user.starts_with(&format!("{allowed}/"))),
            "{user} uses {words:?}; only {allowed:?} may"
        );
    }
    assert!(!users(words).is_empty(), "nobody uses {words:?} any more; take it out of this test");
}

#[test]
fn a_dependency_with_a_personality_is_known_by_one_part() {
    check(
        &["llama_cpp_2::"],
        &[
            "llm/backend.rs",
            "llm/model.rs",
            "llm/sampler.rs",
            "llm/worker.rs",
            "retrieval/embedder.rs",
            "retrieval/reranker.rs",
        ],
    );
    check(&["qdrant_edge::"], &["retrieval/index.rs", "retrieval/embedded.rs"]);
    check(&["qdrant_client::"], &["retrieval/server.rs"]);
    check(&["parquet::"], &["signals/export.rs"]);
    check(&["sled::"], &["store.rs", "store"]);
    check(&["argon2::"], &["agents.rs"]);
    check(&["forust_ml::"], &["intent/trees.rs"]);
    check(&["candle_core::", "candle_nn::"], &["intent/network.rs"]);
    check(&["axum::"], &["http.rs", "http", "server.rs"]);
    check(&["hyper::", "hyper_util::"], &["http/listener.rs"]);
    check(&["pdf_extract::"], &["retrieval/ingest/pdf.rs"]);
    check(&["calamine::"], &["retrieval/ingest/workbook.rs"]);
    check(&["quick_xml::"], &["retrieval/ingest/docx.rs"]);
    check(&["zip::"], &["retrieval/ingest/isolated.rs"]);
    check(&["tokio_tungstenite::"], &["cli/chat.rs", "cli/chat", "bench"]);
}

#[test]
fn the_pure_core_does_no_io() {
    const PURE: &[&str] = &[
        "session.rs",
        "grounding.rs",
        "eval/desk/grade.rs",
        "grounding/alike.rs",
        "grounding/choose.rs",
        "grounding/claims.rs",
        "grounding/confidence.rs",
        "grounding/evidence.rs",
        "grounding/followup.rs",
        "grounding/gate.rs",
        "grounding/injection.rs",
        "grounding/injection/lexicon.rs",
        "grounding/overview.rs",
        "grounding/quote.rs",
        "grounding/several.rs",
        "grounding/smalltalk.rs",
        "grounding/units.rs",
        "handoff.rs",
        "catalogue/ask.rs",
        "catalogue/shelf.rs",
        "catalogue/words.rs",
        "handoff/anger.rs",
        "handoff/person.rs",
        "turn/phrase.rs",
        "intent.rs",
        "features.rs",
        "reason.rs",
        "reason/computed.rs",
        "reason/condition.rs",
        "reason/condition/age.rs",
        "reason/condition/period.rs",
        "reason/condition/tariff.rs",
        "reason/cues.rs",
        "reason/places.rs",
        "reason/places/atlas.rs",
        "reason/polarity.rs",
        "reason/quantity.rs",
        "reason/quantity/bounds.rs",
        "reason/quantity/number.rs",
        "reason/quantity/units.rs",
        "reason/wording.rs",
        "recommend.rs",
        "turn/lead.rs",
        "signals/words.rs",
        "intent/calibrate.rs",
        "intent/classes.rs",
        "intent/columns.rs",
        "intent/discriminant.rs",
        "intent/metrics.rs",
        "intent/network.rs",
        "intent/table.rs",
        "intent/trees.rs",
        "protocol.rs",
        "protocol/console.rs",
        "llm/scheduler.rs",
        "llm/prefix.rs",
        "llm/text.rs",
        "retrieval/fusion.rs",
        "retrieval/chunk.rs",
    ];
    let found = sources();
    for pure in PURE {
        let (_, code) = found.iter().find(|(name, _)| name == pure).unwrap_or_else(|| panic!("{pure} is gone"));
        for forbidden in ["tokio::", "std::fs", "std::net", "std::thread"] {
            assert!(!code.contains(forbidden), "{pure} uses {forbidden}");
        }
        for clock in ["Instant", "SystemTime", "UNIX_EPOCH"] {
            assert!(!has_word(code, clock), "{pure} uses {clock}");
        }
    }
    let (_, prompt) = found.iter().find(|(name, _)| name == "prompt.rs").unwrap();
    assert!(!prompt.contains("tokio::"));
}

#[test]
fn session_logic_knows_no_edge() {
    for user in users(&["crate::http::", "crate::cli"]) {
        let edge = ["http.rs", "server.rs", "config.rs", "cli.rs", "eval.rs"].contains(&user.as_str())
            || ["http/", "cli/", "bench/", "eval/"].iter().any(|part| user.starts_with(part));
        // A site is what the edge lets in; sessions carry it along.
        let carries_site = ["session/live.rs", "session/registry.rs"].contains(&user.as_str());
        assert!(edge || carries_site, "{user} reaches to the edge");
    }
}

#[test]
fn queues_are_bounded_and_code_is_safe() {
    assert_eq!(users(&["unbounded_channel", "mpsc::channel::<", "std::sync::mpsc::channel("]), Vec::<String>::new());
    assert_eq!(users(&["unsafe {", "unsafe fn"]), Vec::<String>::new());
}

#[test]
fn all_code_before_the_tests_is_looked_at() {
    let odd = "use a::b;\n#[cfg(test)]\nfn helper() {}\nuse c::d;\n#[cfg(test)]\nmod tests {\n    use e::f;\n}\n";
    let code = without_tests(odd);
    assert!(code.contains("c::d") && !code.contains("e::f"), "{code}");
    // The tests are one module at the end of a file, or what follows them would not be looked at.
    // A file of its own for tests is one whole.
    for (name, code) in sources().into_iter().filter(|(name, _)| !name.ends_with("/tests.rs")) {
        let Some((_, tests)) = code.split_once("mod tests {") else {
            assert!(!code.contains("#[test]"), "{name} has tests outside of `mod tests`");
            continue;
        };
        let after = tests.split_once("\n}").map_or("", |(_, after)| after);
        assert_eq!(after.trim(), "", "{name} goes on after its tests");
    }
}
