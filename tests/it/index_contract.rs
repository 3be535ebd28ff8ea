//! What an index promises, whichever engine holds it: the embedded one, a Qdrant server over a real
//! wire (a loopback peer made of the client crate's own server traits), and a real Qdrant server
//! where `FRONTDESK_QDRANT_URL` names one.

use std::collections::BTreeMap;
use std::path::Path;

use peer::Peer;
use tempfile::TempDir;

use frontdesk::catalogue::Catalogue;
use frontdesk::retrieval::index::Index;
use frontdesk::retrieval::product::Product;
use frontdesk::retrieval::schema::{Dims, IndexError, IndexedDocument, Vectors};
use frontdesk::retrieval::{Audience, Hit, KnowledgeConfig, Passage, Query};

const DIMS: usize = 16;
const NOW_MS: u64 = 1_764_000_000_000;

// --- The promises ---

/// Runs each promise on every engine, with an empty index.
macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $promise() {
            for engine in Engine::all(DIMS).await {
                println!("{}", engine.name);
                promises::$promise(&engine.index).await;
                engine.clean_up().await;
            }
        }
    )+};
}

contract! {
    ranks_by_meaning_and_words,
    keeps_sites_apart,
    shows_each_audience_its_own,
    leaves_out_what_no_longer_holds,
    leaves_out_what_does_not_hold_yet,
    keeps_to_languages,
    counts_words_by_site,
    lists_products,
    finds_chinese_words,
    tells_the_cosine_of_what_only_words_found,
    replaces_a_changed_document,
    notices_mixed_versions,
    removes_documents,
    answers_from_an_empty_index,
    keeps_the_limit,
    searches_without_words,
    refuses_broken_embeddings,
    survives_searches_during_writes,
}

mod promises {
    use super::*;

    pub(super) async fn ranks_by_meaning_and_words(index: &Index) {
        fill(index, &shop("shop")).await;
        for passage in shop("shop") {
            let hits = search(index, &question("shop", &passage.text)).await;
            assert_eq!(
                hits[0].passage, passage,
                "a passage's own text finds it, and it comes back whole"
            );
            assert!((hits[0].cosine.unwrap() - 1.0).abs() < 1e-3);
            assert!(hits[0].bm25.unwrap() > 0.0);
            assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
            assert!(hits.iter().all(|hit| hit.cosine.is_some()));
        }
        // The title is searched too, and words are matched by their stem.
        let hits = search(index, &question("shop", "refunded")).await;
        assert_eq!(hits[0].passage.document, "returns.md");
    }

    pub(super) async fn keeps_sites_apart(index: &Index) {
        fill(index, &shop("shop")).await;
        fill(index, &shop("bank")).await;
        for site in ["shop", "bank"] {
            for text in ["refund", "delivery times", "退货政策"] {
                let query =
                    Query { audience: Audience::Agents, limit: 100, ..question(site, text) };
                let hits = search(index, &query).await;
                assert_eq!(hits.len(), shop(site).len());
                assert!(hits.iter().all(|hit| hit.passage.site == site));
            }
            assert_eq!(index.count(Some(site)).await.unwrap(), shop(site).len());
        }
        assert_eq!(index.count(None).await.unwrap(), 2 * shop("shop").len());
        assert!(search(index, &question("nobody", "refund")).await.is_empty());
        assert!(search(index, &question("", "refund")).await.is_empty());

        index.remove_documents("bank", &["returns.md".to_owned()]).await.unwrap();
        assert_eq!(index.passages("shop", "returns.md").await.unwrap().len(), 2);
        assert_eq!(index.passages("bank", "returns.md").await.unwrap(), []);
    }

    pub(super) async fn shows_each_audience_its_own(index: &Index) {
        let secret = Passage {
            audience: Audience::Agents,
            ..passage("shop", "limits.md", 0, "Agents may refund up to 200.")
        };
        let public = passage("shop", "returns.md", 0, "Customers may refund goods.");
        fill(index, &[secret, public]).await;
        let found = async |audience| {
            let hits = search(
                index,
                &Query { audience, ..question("shop", "Agents may refund up to 200.") },
            )
            .await;
            hits.into_iter().map(|hit| hit.passage.document).collect::<Vec<_>>()
        };
        assert_eq!(found(Audience::Public).await, ["returns.md"]);
        assert_eq!(found(Audience::Agents).await, ["limits.md", "returns.md"]);
    }

    pub(super) async fn leaves_out_what_no_longer_holds(index: &Index) {
        let until = |document: &str, valid_until_ms| Passage {
            valid_until_ms,
            ..passage("shop", document, 0, "Winter sale: ten percent off.")
        };
        let now = Some(NOW_MS);
        fill(
            index,
            &[until("past", now.map(|now| now - 1)), until("now", now), until("ever", None)],
        )
        .await;
        let hits = search(index, &question("shop", "winter sale")).await;
        let mut found: Vec<_> = hits
            .into_iter()
            .map(|hit| (hit.passage.document, hit.passage.valid_until_ms))
            .collect();
        found.sort();
        assert_eq!(found, [("ever".to_owned(), None), ("now".to_owned(), now)]);
    }

    pub(super) async fn leaves_out_what_does_not_hold_yet(index: &Index) {
        let from = |document: &str, valid_from_ms| Passage {
            valid_from_ms,
            ..passage("shop", document, 0, "Summer sale: ten percent off.")
        };
        let now = Some(NOW_MS);
        fill(
            index,
            &[from("later", now.map(|now| now + 1)), from("now", now), from("always", None)],
        )
        .await;
        let hits = search(index, &question("shop", "summer sale")).await;
        let mut found: Vec<_> =
            hits.into_iter().map(|hit| (hit.passage.document, hit.passage.valid_from_ms)).collect();
        found.sort();
        assert_eq!(found, [("always".to_owned(), None), ("now".to_owned(), now)]);
    }

    pub(super) async fn keeps_to_languages(index: &Index) {
        let passages = ["en", "de", "und"].map(|language| Passage {
            language: language.to_owned(),
            ..passage("shop", language, 0, "Versand: 4.90 EUR.")
        });
        fill(index, &passages).await;
        let found = async |languages: &[&str]| {
            let languages = languages.iter().map(|language| (*language).to_owned()).collect();
            let hits = search(index, &Query { languages, ..question("shop", "Versand") }).await;
            let mut found: Vec<_> = hits.into_iter().map(|hit| hit.passage.document).collect();
            found.sort();
            found
        };
        assert_eq!(found(&[]).await, ["de", "en", "und"]);
        assert_eq!(found(&["de"]).await, ["de", "und"]);
        assert_eq!(found(&["fr"]).await, ["und"]);
    }

    pub(super) async fn counts_words_by_site(index: &Index) {
        let texts = ["A parcel takes two days.", "Invoices come by mail.", "We sell tents."];
        fill(
            index,
            &(0..)
                .zip(texts)
                .map(|(at, text)| passage("shop", "a.md", at, text))
                .collect::<Vec<_>>(),
        )
        .await;
        let weight = async || {
            let hits = search(index, &question("shop", "parcel")).await;
            hits.iter().find_map(|hit| hit.bm25).expect("one has the word")
        };
        let alone = weight().await;
        let parcels = (0..30)
            .map(|at| passage("bank", "b.md", at, &format!("Parcel {at} is at the counter.")));
        fill(index, &parcels.collect::<Vec<_>>()).await;
        assert!((weight().await - alone).abs() < 1e-3, "another site's documents changed it");
        fill(index, &[passage("shop", "b.md", 0, "Your parcel is insured.")]).await;
        assert!(weight().await < alone - 0.1, "the site's own documents count");
    }

    pub(super) async fn lists_products(index: &Index) {
        let product = Product {
            id: "T2".into(),
            name: "Tarn 2".into(),
            price: Some("349.90".into()),
            ..Product::default()
        };
        let row = |site: &str| Passage {
            product: Some(Box::new(product.clone())),
            ..passage(site, "list.csv#T2", 0, "sku: T2; name: Tarn 2; price: 349.90.")
        };
        fill(index, &[row("shop"), row("bank"), passage("shop", "prose.md", 0, "We sell tents.")])
            .await;
        assert_eq!(index.products("shop").await.unwrap(), [row("shop")]);
        let catalogue = Catalogue::default();
        assert_eq!(catalogue.refresh(index, "shop").await.unwrap(), 1);
        assert_eq!(catalogue.product("shop", "T2").unwrap().product, product);
        assert!(catalogue.products("bank").is_empty());
    }

    pub(super) async fn finds_chinese_words(index: &Index) {
        let texts = ["退货政策：三十天内可以退货。", "配送需要两天。", "我们的酒店在北京。"];
        // Embeddings that say nothing, so that only words can tell them apart.
        let passages = (0..)
            .zip(texts)
            .map(|(at, text)| (passage("shop", &format!("{at}"), 0, text), axis(0)))
            .collect();
        index.upsert(passages).await.unwrap();
        for (text, expected) in [("退货政策是什么？", "0"), ("多久配送", "1"), ("北京酒店", "2")]
        {
            let hits = index.search(&question("shop", text), &axis(0)).await.unwrap();
            assert_eq!(hits[0].passage.document, expected, "{text}");
            assert!(hits[0].bm25.is_some() && hits[1].bm25.is_none(), "{text}");
        }
    }

    pub(super) async fn tells_the_cosine_of_what_only_words_found(index: &Index) {
        // Five that mean the same as the question, and more than a half is asked for that mean
        // something else.
        let tilt =
            |at: u32| if at < 5 { 0.1 } else { 8.0 + f32::from(u16::try_from(at).unwrap()) * 0.01 };
        let near = (0..60)
            .map(|at| (passage("shop", "near.md", at, "Nothing of interest."), tilted(tilt(at))));
        let far = (
            passage("shop", "far.md", 0, "The xylophone."),
            axis(1).into_iter().map(|value| -value).collect(),
        );
        index.upsert(near.chain([far]).collect()).await.unwrap();
        let hits = index
            .search(&Query { limit: 10, ..question("shop", "xylophone") }, &tilted(0.1))
            .await
            .unwrap();
        let hit = hits
            .iter()
            .find(|hit| hit.passage.document == "far.md")
            .expect("the only one with the word");
        assert!(hit.bm25.unwrap() > 0.0);
        let expected = -0.1 / (1.0_f32 + 0.01).sqrt();
        assert!((hit.cosine.unwrap() - expected).abs() < 1e-3, "{:?} {expected}", hit.cosine);
    }

    pub(super) async fn replaces_a_changed_document(index: &Index) {
        let version = |hash: &str, texts: &[&str]| -> Vec<Passage> {
            let passages = (0..).zip(texts).map(|(at, text)| passage("shop", "a.md", at, text));
            passages.map(|passage| Passage { document_hash: hash.to_owned(), ..passage }).collect()
        };
        let other = passage("shop", "b.md", 0, "Unchanged.");
        let first = version("1", &["one", "two", "three"]);
        fill(index, std::slice::from_ref(&other)).await;
        fill(index, &first).await;
        fill(index, &first).await;
        assert_eq!(
            index.passages("shop", "a.md").await.unwrap(),
            first,
            "storing twice changes nothing"
        );

        let second = version("2", &["uno", "due"]);
        fill(index, &second).await;
        assert_eq!(index.passages("shop", "a.md").await.unwrap(), second);
        assert_eq!(index.passages("shop", "b.md").await.unwrap(), [other]);
        let hits = search(index, &question("shop", "three")).await;
        assert!(hits.iter().all(|hit| hit.passage.text != "three"));
    }

    pub(super) async fn notices_mixed_versions(index: &Index) {
        fill(index, &shop("shop")).await;
        let entry = |document: &str, document_hash: &str, passages| IndexedDocument {
            document: document.to_owned(),
            document_hash: document_hash.to_owned(),
            passages,
        };
        assert_eq!(
            index.documents("shop").await.unwrap(),
            [
                entry("contact.md", "h", 1),
                entry("delivery.md", "h", 1),
                entry("returns.md", "h", 2),
                entry("zh.md", "h", 1)
            ]
        );
        assert_eq!(index.documents("bank").await.unwrap(), []);
    }

    pub(super) async fn removes_documents(index: &Index) {
        fill(index, &shop("shop")).await;
        let gone = ["returns.md", "zh.md", "never-there.md"].map(str::to_owned);
        index.remove_documents("shop", &gone).await.unwrap();
        index.remove_documents("shop", &[]).await.unwrap();
        let left: Vec<_> = index
            .documents("shop")
            .await
            .unwrap()
            .into_iter()
            .map(|entry| entry.document)
            .collect();
        assert_eq!(left, ["contact.md", "delivery.md"]);
        let hits = search(index, &question("shop", "refund")).await;
        assert!(hits.iter().all(|hit| left.contains(&hit.passage.document)));
    }

    pub(super) async fn answers_from_an_empty_index(index: &Index) {
        assert!(search(index, &question("shop", "anything")).await.is_empty());
        assert_eq!(index.count(None).await.unwrap(), 0);
        assert_eq!(index.documents("shop").await.unwrap(), []);
        assert_eq!(index.passages("shop", "a.md").await.unwrap(), []);
        assert_eq!(index.health().await.unwrap().passages, 0);
        index.upsert(Vec::<(Passage, Vectors)>::new()).await.unwrap();
        index.optimize().await.unwrap();
        index.flush().await.unwrap();
    }

    pub(super) async fn keeps_the_limit(index: &Index) {
        let passages: Vec<_> =
            (0..50).map(|at| passage("shop", "a.md", at, &format!("Parcel number {at}"))).collect();
        fill(index, &passages).await;
        for (limit, expected) in [(0, 0), (1, 1), (7, 7), (1_000, 50)] {
            let hits = search(index, &Query { limit, ..question("shop", "parcel") }).await;
            assert_eq!(hits.len(), expected);
        }
    }

    pub(super) async fn searches_without_words(index: &Index) {
        fill(index, &shop("shop")).await;
        for text in ["?!… — ¿", "", "  \n", "the of and", "\u{0}\u{202E}"] {
            let hits = search(index, &question("shop", text)).await;
            assert_eq!(hits.len(), 4, "{text:?}");
            assert!(hits.iter().all(|hit| hit.bm25.is_none()));
        }
    }

    pub(super) async fn refuses_broken_embeddings(index: &Index) {
        let query = question("shop", "refund");
        let short = index.search(&query, &[0.5]).await;
        assert!(
            matches!(short, Err(IndexError::EmbeddingSize { found: 1, wanted: DIMS })),
            "{short:?}"
        );
        let broken = index.search(&query, &[f32::NAN; DIMS]).await;
        assert!(matches!(broken, Err(IndexError::EmbeddingNotFinite)), "{broken:?}");
        let broken = index
            .upsert(vec![(passage("shop", "a.md", 0, "text"), vec![f32::INFINITY; DIMS])])
            .await;
        assert!(matches!(broken, Err(IndexError::EmbeddingNotFinite)), "{broken:?}");
        // A zero vector is like nothing, and no error.
        index.upsert(vec![(passage("shop", "a.md", 0, "text"), vec![0.0; DIMS])]).await.unwrap();
        assert_eq!(index.search(&query, &[0.0; DIMS]).await.unwrap().len(), 1);
    }

    pub(super) async fn survives_searches_during_writes(index: &Index) {
        fill(index, &shop("shop")).await;
        let mut searches = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let index = index.clone();
            searches.spawn(async move {
                for _ in 0..50 {
                    let hits = search(&index, &question("shop", "refund of returned goods")).await;
                    assert_eq!(hits[0].passage.document, "returns.md");
                }
            });
        }
        for round in 0..10 {
            let passages: Vec<_> = (0..20)
                .map(|at| passage("bank", &format!("{round}"), at, "Refund of a fee"))
                .collect();
            fill(index, &passages).await;
            index.remove_documents("bank", &[format!("{round}")]).await.unwrap();
            index.optimize().await.unwrap();
        }
        while let Some(outcome) = searches.join_next().await {
            outcome.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_agree() {
    let words = [
        "refund", "parcel", "delivery", "voucher", "invoice", "size", "colour", "退货", "配送",
        "Berlin",
    ];
    // All of another length: what ties at the edge of the candidates may go either way.
    let passages: Vec<Passage> = (0..200_u32)
        .map(|at| {
            let text =
                (0..at + 3).map(|word| words[((at * 7 + word * word * 3 + at / 10) % 10) as usize]);
            passage("shop", &format!("{}.md", at / 5), at % 5, &text.collect::<Vec<_>>().join(" "))
        })
        .collect();
    let mut answers: BTreeMap<String, Vec<Vec<Hit>>> = BTreeMap::new();
    for engine in Engine::all(DIMS).await {
        fill(&engine.index, &passages).await;
        let mut of_engine = Vec::new();
        for text in [
            "refund for a parcel",
            "delivery to Berlin",
            "退货 voucher",
            "invoice",
            "what colour and size",
            "!",
        ] {
            of_engine.push(search(&engine.index, &question("shop", text)).await);
        }
        answers.insert(engine.name.clone(), of_engine);
        engine.clean_up().await;
    }
    let embedded = &answers["embedded"];
    for (engine, others) in &answers {
        for (ours, theirs) in embedded.iter().flatten().zip(others.iter().flatten()) {
            assert_eq!(ours.passage, theirs.passage, "{engine}");
            let close = |a: Option<f32>, b: Option<f32>| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-3,
                (a, b) => a == b,
            };
            assert!(close(Some(ours.score), Some(theirs.score)), "{engine}: {ours:?} {theirs:?}");
            assert!(close(ours.cosine, theirs.cosine), "{engine}: {ours:?} {theirs:?}");
            assert!(close(ours.bm25, theirs.bm25), "{engine}: {ours:?} {theirs:?}");
        }
        assert!(
            embedded.iter().zip(others).all(|(ours, theirs)| ours.len() == theirs.len()),
            "{engine}"
        );
    }
}

/// Passages with two vectors: a question is compared by those that it has.
#[tokio::test(flavor = "multi_thread")]
async fn questions_are_compared_by_either_model() {
    for engine in Engine::all(Dims { dense: DIMS, multilingual: Some(2) }).await {
        let (index, name) = (&engine.index, &engine.name);
        let vectors =
            |dense, multilingual: [f32; 2]| Vectors { dense, multilingual: multilingual.to_vec() };
        let a = (passage("shop", "a.md", 0, "One."), vectors(axis(0), [1.0, 0.0]));
        let b = (passage("shop", "b.md", 0, "Two."), vectors(axis(1), [0.6, 0.8]));
        index.upsert(vec![a, b]).await.unwrap();
        let check = async |question_vectors: Vectors, expected: &str| {
            let (first, second) =
                (!question_vectors.dense.is_empty(), !question_vectors.multilingual.is_empty());
            let hits = index.search(&question("shop", "!"), question_vectors).await.unwrap();
            assert_eq!(hits[0].passage.document, expected, "{name}");
            assert_eq!(hits.len(), 2, "{name}");
            for hit in &hits {
                assert_eq!(
                    (hit.cosine.is_some(), hit.multilingual.is_some()),
                    (first, second),
                    "{name}: {hit:?}"
                );
            }
        };
        check(axis(0).into(), "a.md").await;
        check(vectors(Vec::new(), [0.6, 0.8]), "b.md").await;
        check(vectors(axis(0), [0.6, 0.8]), "a.md").await;
        let one = index.upsert(vec![(passage("shop", "c.md", 0, "Three."), axis(0))]).await;
        assert!(
            matches!(one, Err(IndexError::EmbeddingSize { found: 0, wanted: 2 })),
            "{name}: {one:?}"
        );
        engine.clean_up().await;
    }
}

// --- What only the embedded engine has to keep ---

#[tokio::test]
async fn embedded_remembers_across_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let config = embedded(directory.path());
    let index = Index::open(&config, DIMS).await.unwrap();
    fill(&index, &shop("shop")).await;
    let before = search(&index, &question("shop", "refund")).await;
    index.close().await.unwrap();
    assert!(matches!(index.flush().await, Err(IndexError::Closed)));
    assert!(matches!(index.health().await, Err(IndexError::Closed)));
    drop(index);

    let index = Index::open(&config, DIMS).await.unwrap();
    let after = search(&index, &question("shop", "refund")).await;
    assert_eq!(same(&before), same(&after));
    index.remove_documents("shop", &["returns.md".to_owned()]).await.unwrap();
    // Dropped, not closed: the writes are on disk all the same.
    drop(index);
    let index = Index::open(&config, DIMS).await.unwrap();
    assert_eq!(index.count(Some("shop")).await.unwrap(), shop("shop").len() - 2);
}

#[tokio::test]
async fn embedded_keeps_what_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(&embedded(directory.path()), DIMS).await.unwrap();
    fill(&index, &shop("shop")).await;
    index.remove_documents("shop", &["zh.md".to_owned()]).await.unwrap();
    let before = search(&index, &question("shop", "refund")).await;
    // The files as a killed process would leave them: nothing was closed.
    let left = tempfile::tempdir().unwrap();
    copy(directory.path(), left.path());
    let index = Index::open(&embedded(left.path()), DIMS).await.unwrap();
    assert_eq!(index.count(None).await.unwrap(), shop("shop").len() - 1);
    assert_eq!(same(&before), same(&search(&index, &question("shop", "refund")).await));
    fill(&index, &shop("shop")).await;
    assert_eq!(index.count(None).await.unwrap(), shop("shop").len());
}

#[tokio::test]
async fn embedded_answers_alike_after_optimizing() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(&embedded(directory.path()), DIMS).await.unwrap();
    // Enough, and enough of them removed, that the engine rewrites its segment.
    for from in (0..1_500).step_by(500) {
        let passages: Vec<_> = (from..from + 500)
            .map(|at| passage("bank", &format!("{}", at % 2), at, &format!("Fee number {at}")))
            .collect();
        fill(&index, &passages).await;
    }
    fill(&index, &shop("shop")).await;
    index.remove_documents("bank", &["0".to_owned()]).await.unwrap();
    let before = search(&index, &question("shop", "refund")).await;
    index.optimize().await.unwrap();
    assert_eq!(same(&before), same(&search(&index, &question("shop", "refund")).await));
    assert_eq!(index.count(Some("bank")).await.unwrap(), 750);
    fill(&index, &shop("shop")).await;
    assert_eq!(same(&before), same(&search(&index, &question("shop", "refund")).await));
}

#[tokio::test]
async fn embedded_says_why_it_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let config = embedded(directory.path());
    let index = Index::open(&config, DIMS).await.unwrap();
    let error = Index::open(&config, DIMS).await.unwrap_err();
    assert!(matches!(error, IndexError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
    fill(&index, &shop("shop")).await;
    drop(index);

    let error = Index::open(&config, DIMS + 1).await.unwrap_err();
    assert!(matches!(error, IndexError::Dimensions { found: DIMS, wanted: 17, .. }), "{error}");

    let file = directory.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let error = Index::open(&embedded(&file), DIMS).await.unwrap_err();
    assert!(matches!(error, IndexError::Directory { .. }), "{error}");
}

#[tokio::test]
async fn embedded_tells_a_damaged_directory() {
    // (file of the directory, what it is overwritten with)
    for (name, content) in
        [("segment.json", "{"), ("edge_config.json", "\u{0}\u{0}"), ("segment.json", "")]
    {
        let directory = tempfile::tempdir().unwrap();
        let config = embedded(directory.path());
        let index = Index::open(&config, DIMS).await.unwrap();
        fill(&index, &shop("shop")).await;
        drop(index);
        let file = find(directory.path(), name).expect("the engine's file");
        std::fs::write(file, content).unwrap();
        let error = Index::open(&config, DIMS).await.expect_err(name);
        assert!(matches!(error, IndexError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("frontdesk ingest"), "{error}");
    }
}

// --- What only a server can get wrong ---

#[tokio::test(flavor = "multi_thread")]
async fn server_checks_an_existing_collection() {
    let peer = Peer::start(None);
    let config = server(&peer.url());
    let index = Index::open(&config, DIMS).await.unwrap();
    fill(&index, &shop("shop")).await;
    // Opened again, also by others, it is the same collection.
    let other = Index::open(&config, DIMS).await.unwrap();
    assert_eq!(other.count(None).await.unwrap(), shop("shop").len());

    let error = Index::open(&config, DIMS + 1).await.unwrap_err();
    assert!(matches!(error, IndexError::Dimensions { found: DIMS, wanted: 17, .. }), "{error}");

    for (change, reason) in [
        (peer::Change::NoSparse, "no sparse vector named bm25"),
        (peer::Change::NoIdf, "lacks the modifier idf"),
        (peer::Change::NoDense, "no vector named dense"),
        (peer::Change::Dot, "not by cosine"),
    ] {
        peer.change(change);
        let error = Index::open(&config, DIMS).await.unwrap_err();
        assert!(matches!(error, IndexError::Schema { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_errors_are_in_words() {
    let error = Index::open(&server("http://127.0.0.1:1"), DIMS).await.unwrap_err();
    assert!(matches!(error, IndexError::Unreachable { .. }), "{error}");
    let error = Index::open(&server("no url at all"), DIMS).await.unwrap_err();
    assert!(matches!(error, IndexError::Unreachable { .. }), "{error}");

    let peer = Peer::start(Some("right"));
    let keyed =
        |api_key: &str| KnowledgeConfig { api_key: api_key.to_owned(), ..server(&peer.url()) };
    let error = Index::open(&keyed("wrong"), DIMS).await.unwrap_err();
    assert!(error.to_string().contains("Check knowledge.api_key"), "{error}");
    let index = Index::open(&keyed("right"), DIMS).await.unwrap();
    assert!(!format!("{index:?}").contains("right"), "the key is not printed");

    drop(peer);
    let error = index.search(&question("shop", "refund"), &axis(0)).await.unwrap_err();
    assert!(matches!(error, IndexError::Unreachable { .. }), "{error}");
}

// --- Fixtures ---

struct Engine {
    name: String,
    index: Index,
    _directory: Option<TempDir>,
    _peer: Option<Peer>,
    /// A collection made on a real server, to be removed.
    made: Option<KnowledgeConfig>,
}

impl Engine {
    async fn all(dims: impl Into<Dims> + Copy) -> Vec<Self> {
        let directory = tempfile::tempdir().unwrap();
        let index = Index::open(&embedded(directory.path()), dims).await.unwrap();
        let mut engines = vec![Self {
            name: "embedded".to_owned(),
            index,
            _directory: Some(directory),
            _peer: None,
            made: None,
        }];
        let peer = Peer::start(None);
        let index = Index::open(&server(&peer.url()), dims).await.unwrap();
        engines.push(Self {
            name: "loopback".to_owned(),
            index,
            _directory: None,
            _peer: Some(peer),
            made: None,
        });
        if let Ok(url) = std::env::var("FRONTDESK_QDRANT_URL") {
            let collection = format!("frontdesk-test-{:016x}", rand::random::<u64>());
            let config = KnowledgeConfig { collection, ..server(&url) };
            let index = Index::open(&config, dims).await.unwrap();
            engines.push(Self {
                name: url,
                index,
                _directory: None,
                _peer: None,
                made: Some(config),
            });
        }
        engines
    }

    async fn clean_up(self) {
        if let Some(config) = self.made {
            let client = qdrant_client::Qdrant::from_url(&config.url)
                .skip_compatibility_check()
                .build()
                .unwrap();
            client.delete_collection(&config.collection).await.unwrap();
        }
    }
}

fn embedded(path: &Path) -> KnowledgeConfig {
    KnowledgeConfig { index: path.to_owned(), ..KnowledgeConfig::default() }
}

fn server(url: &str) -> KnowledgeConfig {
    KnowledgeConfig { url: url.to_owned(), ..KnowledgeConfig::default() }
}

fn passage(site: &str, document: &str, ordinal: u32, text: &str) -> Passage {
    Passage {
        site: site.to_owned(),
        document: document.to_owned(),
        ordinal,
        title: String::new(),
        headings: Vec::new(),
        text: text.to_owned(),
        url: None,
        language: "und".to_owned(),
        audience: Audience::Public,
        start: 0,
        end: text.len() as u64,
        document_hash: "h".to_owned(),
        valid_from_ms: None,
        valid_until_ms: None,
        product: None,
    }
}

/// Five passages, one of them for agents only.
fn shop(site: &str) -> Vec<Passage> {
    vec![
        Passage {
            title: "Refunds".to_owned(),
            headings: vec!["Returns".to_owned(), "How long".to_owned()],
            url: Some("https://shop.example/returns".to_owned()),
            language: "en".to_owned(),
            ..passage(site, "returns.md", 0, "You may send goods back within 30 days of delivery.")
        },
        Passage {
            title: "Refunds".to_owned(),
            ..passage(site, "returns.md", 1, "The refund of returned goods takes five days.")
        },
        passage(
            site,
            "delivery.md",
            0,
            "Parcels leave our warehouse the same day and arrive within two days.",
        ),
        Passage {
            audience: Audience::Agents,
            ..passage(
                site,
                "contact.md",
                0,
                "Escalate complaints about couriers to the night shift.",
            )
        },
        passage(site, "zh.md", 0, "退货政策：三十天内可以退货。"),
    ]
}

/// A visitor's question; who asks with the agents' own passage is an agent.
fn question(site: &str, text: &str) -> Query {
    Query {
        site: site.to_owned(),
        text: text.to_owned(),
        history: Vec::new(),
        audience: if text.starts_with("Escalate") { Audience::Agents } else { Audience::Public },
        language: String::new(),
        languages: Vec::new(),
        now_ms: NOW_MS,
        limit: 5,
    }
}

/// A made-up embedding: how often groups of letters that follow each other occur.
fn embedding(text: &str) -> Vec<f32> {
    let mut vector = vec![0.01; DIMS];
    let letters: Vec<char> = text.to_lowercase().chars().collect();
    for pair in letters.windows(2) {
        let at = pair
            .iter()
            .fold(7_u32, |sum, letter| sum.wrapping_mul(31).wrapping_add(u32::from(*letter)));
        vector[at as usize % DIMS] += 1.0;
    }
    vector
}

fn axis(at: usize) -> Vec<f32> {
    (0..DIMS).map(|dimension| if dimension == at { 1.0 } else { 0.0 }).collect()
}

/// The first axis, turned towards the second.
fn tilted(by: f32) -> Vec<f32> {
    let mut vector = axis(0);
    vector[1] = by;
    vector
}

async fn fill(index: &Index, passages: &[Passage]) {
    let embedded =
        passages.iter().map(|passage| (passage.clone(), embedding(&passage.text))).collect();
    index.upsert(embedded).await.unwrap();
}

async fn search(index: &Index, query: &Query) -> Vec<Hit> {
    index.search(query, &embedding(&query.text)).await.unwrap()
}

fn same(hits: &[Hit]) -> Vec<(Passage, i64)> {
    hits.iter()
        .map(|hit| (hit.passage.clone(), (f64::from(hit.score) * 1e3).round() as i64))
        .collect()
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn find(directory: &Path, name: &str) -> Option<std::path::PathBuf> {
    let entries: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    let here =
        entries.iter().find(|path| path.file_name().is_some_and(|file| file == name)).cloned();
    here.or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|path| find(path, name)))
}

/// A small Qdrant server: the client crate's own service traits in front of the embedded engine. It
/// understands what Frontdesk sends and answers `unimplemented` to everything else.
mod peer {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use ::qdrant_client::qdrant::collections_server::{Collections, CollectionsServer};
    use ::qdrant_client::qdrant::points_server::{Points, PointsServer};
    use ::qdrant_client::qdrant::qdrant_server::{Qdrant, QdrantServer};
    use ::qdrant_client::qdrant::*;
    use qdrant_edge as edge;
    use tempfile::TempDir;
    use tonic::{Request, Response, Status};

    pub(super) struct Peer {
        address: std::net::SocketAddr,
        service: Service,
        /// Of its own, so that its connections end with it.
        runtime: Option<tokio::runtime::Runtime>,
    }

    #[derive(Clone)]
    struct Service {
        key: Option<&'static str>,
        collection: Arc<Mutex<Option<Collection>>>,
    }

    struct Collection {
        made: CreateCollection,
        fields: HashMap<String, PayloadSchemaInfo>,
        /// Before its directory: it writes to it once more when it is dropped.
        shard: edge::EdgeShard,
        _directory: TempDir,
    }

    /// Makes the collection one that somebody else has made.
    #[derive(Clone, Copy)]
    pub(super) enum Change {
        NoSparse,
        NoIdf,
        NoDense,
        Dot,
    }

    impl Peer {
        pub(super) fn start(key: Option<&'static str>) -> Self {
            let service = Service { key, collection: Arc::default() };
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let address = listener.local_addr().unwrap();
            let router = tonic::transport::Server::builder()
                .add_service(CollectionsServer::new(service.clone()))
                .add_service(PointsServer::new(service.clone()))
                .add_service(QdrantServer::new(service.clone()));
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let _inside = runtime.enter();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let incoming =
                tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
            // It ends with the runtime.
            drop(runtime.spawn(router.serve_with_incoming(incoming)));
            Self { address, service, runtime: Some(runtime) }
        }

        pub(super) fn url(&self) -> String {
            format!("http://{}", self.address)
        }

        pub(super) fn change(&self, change: Change) {
            let mut collection = self.service.collection.lock().unwrap();
            let made = &mut collection.as_mut().unwrap().made;
            let dense = made.vectors_config.as_mut().and_then(|vectors| vectors.config.as_mut());
            let Some(vectors_config::Config::ParamsMap(dense)) = dense else {
                panic!("named vectors")
            };
            match change {
                Change::NoSparse => made.sparse_vectors_config.as_mut().unwrap().map.clear(),
                Change::NoIdf => {
                    let sparse = SparseVectorParams::default();
                    made.sparse_vectors_config
                        .as_mut()
                        .unwrap()
                        .map
                        .insert("bm25".to_owned(), sparse);
                }
                Change::NoDense => dense.map.clear(),
                Change::Dot => {
                    let params = VectorParams {
                        size: 16,
                        distance: Distance::Dot.into(),
                        ..VectorParams::default()
                    };
                    dense.map.insert("dense".to_owned(), params);
                }
            }
        }
    }

    impl Drop for Peer {
        fn drop(&mut self) {
            if let Some(runtime) = self.runtime.take() {
                runtime.shutdown_background();
            }
        }
    }

    impl Service {
        fn with<T>(
            &self,
            request: &str,
            work: impl FnOnce(&mut Collection) -> Result<T, Status>,
        ) -> Result<Response<T>, Status> {
            let mut collection = self.collection.lock().unwrap();
            match collection
                .as_mut()
                .filter(|collection| collection.made.collection_name == request)
            {
                Some(collection) => work(collection).map(Response::new),
                None => Err(Status::not_found(format!("Collection `{request}` doesn't exist!"))),
            }
        }

        fn check_key<T>(&self, request: &Request<T>) -> Result<(), Status> {
            let given = request.metadata().get("api-key").and_then(|key| key.to_str().ok());
            match self.key {
                Some(key) if given != Some(key) => {
                    Err(Status::unauthenticated("Must provide an API key"))
                }
                _ => Ok(()),
            }
        }
    }

    /// A service: what is implemented, and the names and types of what is not.
    macro_rules! service {
        ($trait:ident { $($implemented:tt)* } unimplemented { $($name:ident($request:ty) -> $response:ty;)* }) => {
            #[tonic::async_trait]
            impl $trait for Service {
                $($implemented)*
                $(async fn $name(&self, _: Request<$request>) -> Result<Response<$response>, Status> {
                    Err(Status::unimplemented(stringify!($name)))
                })*
            }
        };
    }

    service! {
        Qdrant {
            async fn health_check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckReply>, Status> {
                let reply = HealthCheckReply { title: "loopback".to_owned(), version: "1.0.0".to_owned(), commit: None };
                Ok(Response::new(reply))
            }
        }
        unimplemented {}
    }

    service! {
        Collections {
            async fn collection_exists(
                &self,
                request: Request<CollectionExistsRequest>,
            ) -> Result<Response<CollectionExistsResponse>, Status> {
                self.check_key(&request)?;
                let name = request.into_inner().collection_name;
                let collection = self.collection.lock().unwrap();
                let exists = collection.as_ref().is_some_and(|collection| collection.made.collection_name == name);
                let result = Some(CollectionExists { exists });
                Ok(Response::new(CollectionExistsResponse { result, ..CollectionExistsResponse::default() }))
            }

            async fn create(
                &self,
                request: Request<CreateCollection>,
            ) -> Result<Response<CollectionOperationResponse>, Status> {
                let made = request.into_inner();
                let mut collection = self.collection.lock().unwrap();
                if collection.is_some() {
                    return Err(Status::already_exists("Collection already exists!"));
                }
                let directory = tempfile::tempdir()?;
                let shard = edge::EdgeShard::new(directory.path(), edge_config(&made)?).map_err(internal)?;
                *collection = Some(Collection { made, fields: HashMap::new(), shard, _directory: directory });
                Ok(Response::new(CollectionOperationResponse { result: true, time: 0.0 }))
            }

            async fn get(
                &self,
                request: Request<GetCollectionInfoRequest>,
            ) -> Result<Response<GetCollectionInfoResponse>, Status> {
                self.with(&request.into_inner().collection_name, |collection| {
                    let params = CollectionParams {
                        shard_number: 1,
                        vectors_config: collection.made.vectors_config.clone(),
                        sparse_vectors_config: collection.made.sparse_vectors_config.clone(),
                        ..CollectionParams::default()
                    };
                    let info = collection.shard.info();
                    let result = CollectionInfo {
                        status: CollectionStatus::Green.into(),
                        segments_count: info.segments_count as u64,
                        config: Some(CollectionConfig { params: Some(params), ..CollectionConfig::default() }),
                        payload_schema: collection.fields.clone(),
                        points_count: Some(info.points_count as u64),
                        indexed_vectors_count: Some(info.indexed_vectors_count as u64),
                        ..CollectionInfo::default()
                    };
                    Ok(GetCollectionInfoResponse { result: Some(result), time: 0.0 })
                })
            }
        }
        unimplemented {
            list(ListCollectionsRequest) -> ListCollectionsResponse;
            update(UpdateCollection) -> CollectionOperationResponse;
            delete(DeleteCollection) -> CollectionOperationResponse;
            update_aliases(ChangeAliases) -> CollectionOperationResponse;
            list_collection_aliases(ListCollectionAliasesRequest) -> ListAliasesResponse;
            list_aliases(ListAliasesRequest) -> ListAliasesResponse;
            collection_cluster_info(CollectionClusterInfoRequest) -> CollectionClusterInfoResponse;
            update_collection_cluster_setup(UpdateCollectionClusterSetupRequest) -> UpdateCollectionClusterSetupResponse;
            create_shard_key(CreateShardKeyRequest) -> CreateShardKeyResponse;
            delete_shard_key(DeleteShardKeyRequest) -> DeleteShardKeyResponse;
            list_shard_keys(ListShardKeysRequest) -> ListShardKeysResponse;
        }
    }

    service! {
        Points {
            async fn upsert(&self, request: Request<UpsertPoints>) -> Result<Response<PointsOperationResponse>, Status> {
                let UpsertPoints { collection_name, points, wait, .. } = request.into_inner();
                assert_eq!(wait, Some(true), "a write is acknowledged when it is done");
                self.with(&collection_name, |collection| {
                    let points = points.into_iter().map(edge_point).collect::<Result<_, _>>()?;
                    update(collection, edge::PointOperations::UpsertPoints(edge::PointInsertOperations::PointsList(points)))
                })
            }

            async fn delete(&self, request: Request<DeletePoints>) -> Result<Response<PointsOperationResponse>, Status> {
                let DeletePoints { collection_name, points, wait, .. } = request.into_inner();
                assert_eq!(wait, Some(true), "a write is acknowledged when it is done");
                let Some(points_selector::PointsSelectorOneOf::Filter(filter)) =
                    points.and_then(|points| points.points_selector_one_of)
                else {
                    return Err(Status::unimplemented("delete by id"));
                };
                self.with(&collection_name, |collection| {
                    update(collection, edge::PointOperations::DeletePointsByFilter(edge_filter(filter)?))
                })
            }

            async fn create_field_index(
                &self,
                request: Request<CreateFieldIndexCollection>,
            ) -> Result<Response<PointsOperationResponse>, Status> {
                let request = request.into_inner();
                self.with(&request.collection_name.clone(), |collection| {
                    let (data_type, schema) = match request.field_type() {
                        FieldType::Keyword => (PayloadSchemaType::Keyword, edge::PayloadSchemaType::Keyword),
                        FieldType::Integer => (PayloadSchemaType::Integer, edge::PayloadSchemaType::Integer),
                        other => return Err(Status::unimplemented(other.as_str_name())),
                    };
                    let info = PayloadSchemaInfo { data_type: data_type.into(), params: request.field_index_params, points: None };
                    let create = edge::CreateIndex {
                        field_name: edge_path(&request.field_name)?,
                        field_schema: Some(edge::PayloadFieldSchema::FieldType(schema)),
                    };
                    let create = edge::FieldIndexOperations::CreateIndex(create);
                    collection.shard.update(edge::UpdateOperation::FieldIndexOperation(create)).map_err(internal)?;
                    collection.fields.insert(request.field_name, info);
                    Ok(done())
                })
            }

            async fn scroll(&self, request: Request<ScrollPoints>) -> Result<Response<ScrollResponse>, Status> {
                let request = request.into_inner();
                self.with(&request.collection_name, |collection| {
                    let (records, next) = collection
                        .shard
                        .scroll(edge::ScrollRequest {
                            offset: request.offset.map(edge_id).transpose()?,
                            limit: request.limit.map(|limit| limit as usize),
                            filter: request.filter.map(edge_filter).transpose()?,
                            with_payload: Some(edge_payload_selector(request.with_payload)?),
                            with_vector: edge::WithVector::Bool(false),
                            order_by: None,
                        })
                        .map_err(internal)?;
                    let result = records.into_iter().map(|record| RetrievedPoint {
                        id: Some(proto_id(record.id)),
                        payload: proto_payload(record.payload),
                        ..RetrievedPoint::default()
                    });
                    let result = result.collect();
                    Ok(ScrollResponse { next_page_offset: next.map(proto_id), result, ..ScrollResponse::default() })
                })
            }

            async fn count(&self, request: Request<CountPoints>) -> Result<Response<CountResponse>, Status> {
                let CountPoints { collection_name, filter, exact, .. } = request.into_inner();
                self.with(&collection_name, |collection| {
                    let filter = filter.map(edge_filter).transpose()?;
                    let request = edge::CountRequest { filter, exact: exact.unwrap_or(true) };
                    let count = collection.shard.count(request).map_err(internal)? as u64;
                    Ok(CountResponse { result: Some(CountResult { count }), ..CountResponse::default() })
                })
            }

            async fn query_batch(&self, request: Request<QueryBatchPoints>) -> Result<Response<QueryBatchResponse>, Status> {
                let QueryBatchPoints { collection_name, query_points, .. } = request.into_inner();
                self.with(&collection_name, |collection| {
                    let result = query_points
                        .into_iter()
                        .map(|query| {
                            let query = weigh(&collection.shard, query)?;
                            let points = collection.shard.query(edge_query(query)?).map_err(internal)?;
                            Ok(BatchResult { result: points.into_iter().map(proto_point).collect::<Result<_, Status>>()? })
                        })
                        .collect::<Result<_, Status>>()?;
                    Ok(QueryBatchResponse { result, ..QueryBatchResponse::default() })
                })
            }
        }
        unimplemented {
            get(GetPoints) -> GetResponse;
            update_vectors(UpdatePointVectors) -> PointsOperationResponse;
            delete_vectors(DeletePointVectors) -> PointsOperationResponse;
            set_payload(SetPayloadPoints) -> PointsOperationResponse;
            overwrite_payload(SetPayloadPoints) -> PointsOperationResponse;
            delete_payload(DeletePayloadPoints) -> PointsOperationResponse;
            clear_payload(ClearPayloadPoints) -> PointsOperationResponse;
            delete_field_index(DeleteFieldIndexCollection) -> PointsOperationResponse;
            create_vector_name(CreateVectorNameRequest) -> PointsOperationResponse;
            delete_vector_name(DeleteVectorNameRequest) -> PointsOperationResponse;
            search(SearchPoints) -> SearchResponse;
            search_batch(SearchBatchPoints) -> SearchBatchResponse;
            search_groups(SearchPointGroups) -> SearchGroupsResponse;
            recommend(RecommendPoints) -> RecommendResponse;
            recommend_batch(RecommendBatchPoints) -> RecommendBatchResponse;
            recommend_groups(RecommendPointGroups) -> RecommendGroupsResponse;
            discover(DiscoverPoints) -> DiscoverResponse;
            discover_batch(DiscoverBatchPoints) -> DiscoverBatchResponse;
            update_batch(UpdateBatchPoints) -> UpdateBatchResponse;
            query(QueryPoints) -> QueryResponse;
            query_groups(QueryPointGroups) -> QueryGroupsResponse;
            facet(FacetCounts) -> FacetResponse;
            search_matrix_pairs(SearchMatrixPoints) -> SearchMatrixPairsResponse;
            search_matrix_offsets(SearchMatrixPoints) -> SearchMatrixOffsetsResponse;
        }
    }

    fn update(
        collection: &Collection,
        operation: edge::PointOperations,
    ) -> Result<PointsOperationResponse, Status> {
        collection
            .shard
            .update(edge::UpdateOperation::PointOperation(operation))
            .map_err(internal)?;
        Ok(done())
    }

    fn done() -> PointsOperationResponse {
        let result =
            UpdateResult { status: UpdateStatus::Completed.into(), ..UpdateResult::default() };
        PointsOperationResponse { result: Some(result), ..PointsOperationResponse::default() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    fn internal(error: edge::OperationError) -> Status {
        Status::internal(error.to_string())
    }

    fn unimplemented(what: &str) -> Status {
        Status::unimplemented(what.to_owned())
    }

    fn edge_config(made: &CreateCollection) -> Result<edge::EdgeConfig, Status> {
        let mut config = edge::EdgeConfig::default();
        let dense = made.vectors_config.clone().and_then(|vectors| vectors.config);
        let Some(vectors_config::Config::ParamsMap(dense)) = dense else {
            return Err(unimplemented("unnamed vectors"));
        };
        for (name, params) in dense.map {
            let distance = match params.distance() {
                Distance::Cosine => edge::Distance::Cosine,
                Distance::Dot => edge::Distance::Dot,
                other => return Err(unimplemented(other.as_str_name())),
            };
            let size = usize::try_from(params.size).map_err(|_| unimplemented("its size"))?;
            config.vectors.insert(name, edge::EdgeVectorParams::builder(size, distance).build());
        }
        for (name, params) in made.sparse_vectors_config.clone().unwrap_or_default().map {
            let modifier = match params.modifier() {
                // Applied by `weigh`, over the corpus that the query names.
                Modifier::Idf | Modifier::None => edge::Modifier::None,
            };
            let params = edge::EdgeSparseVectorParams::builder().modifier(modifier).build();
            config.sparse_vectors.insert(name, params);
        }
        Ok(config)
    }

    fn edge_point(point: PointStruct) -> Result<edge::PointStructPersisted, Status> {
        let Some(vectors::VectorsOptions::Vectors(named)) =
            point.vectors.and_then(|vectors| vectors.vectors_options)
        else {
            return Err(unimplemented("unnamed vectors"));
        };
        let mut vectors = edge::NamedVectors::default();
        for (name, vector) in named.vectors {
            let vector = match vector.vector {
                Some(vector::Vector::Dense(DenseVector { data })) => edge::Vector::new_dense(data),
                Some(vector::Vector::Sparse(SparseVector { indices, values })) => {
                    edge::Vector::new_sparse(indices, values).map_err(internal)?
                }
                _ => return Err(unimplemented("this kind of vector")),
            };
            vectors = vectors.add_vector(name, vector);
        }
        let payload: serde_json::Map<_, _> =
            point.payload.into_iter().map(|(key, value)| (key, value.into_json())).collect();
        let id = edge_id(point.id.ok_or_else(|| unimplemented("no id"))?)?;
        Ok(edge::PointStruct::new(id, vectors, payload.into()).into())
    }

    fn edge_id(id: PointId) -> Result<edge::PointId, Status> {
        match id.point_id_options {
            Some(point_id::PointIdOptions::Uuid(id)) => {
                let id =
                    id.parse().map_err(|_| Status::invalid_argument("Unable to parse UUID"))?;
                Ok(edge::PointId::Uuid(id))
            }
            Some(point_id::PointIdOptions::Num(id)) => Ok(edge::PointId::NumId(id)),
            None => Err(Status::invalid_argument("no id")),
        }
    }

    fn edge_path(field: &str) -> Result<edge::JsonPath, Status> {
        edge::JsonPath::try_from(field).map_err(|()| Status::invalid_argument(field))
    }

    fn edge_filter(filter: Filter) -> Result<edge::Filter, Status> {
        let Filter { should, must, must_not, min_should } = filter;
        if min_should.is_some() {
            return Err(unimplemented("min_should"));
        }
        let conditions =
            |conditions: Vec<Condition>| -> Result<Option<Vec<edge::Condition>>, Status> {
                let conditions =
                    conditions.into_iter().map(edge_condition).collect::<Result<Vec<_>, _>>()?;
                Ok((!conditions.is_empty()).then_some(conditions))
            };
        Ok(edge::Filter {
            should: conditions(should)?,
            must: conditions(must)?,
            must_not: conditions(must_not)?,
            min_should: None,
        })
    }

    fn edge_condition(condition: Condition) -> Result<edge::Condition, Status> {
        let field = match condition.condition_one_of {
            Some(condition::ConditionOneOf::Field(field)) => field,
            Some(condition::ConditionOneOf::Filter(filter)) => {
                return Ok(edge::Condition::Filter(edge_filter(filter)?));
            }
            _ => return Err(unimplemented("this kind of condition")),
        };
        let key = edge_path(&field.key)?;
        let condition = match (field.r#match.and_then(|r#match| r#match.match_value), field.range) {
            (Some(r#match::MatchValue::Keyword(value)), None) => {
                edge::FieldCondition::new_match(key, edge::Match::from(value))
            }
            (Some(r#match::MatchValue::Keywords(values)), None) => {
                edge::FieldCondition::new_match(key, edge::Match::from(values.strings))
            }
            (None, Some(Range { lt, gt, gte, lte })) => {
                let number =
                    |value: Option<f64>| value.map(edge::external::ordered_float::OrderedFloat);
                let range = edge::Range {
                    lt: number(lt),
                    gt: number(gt),
                    gte: number(gte),
                    lte: number(lte),
                };
                edge::FieldCondition::new_range(key, range)
            }
            _ => return Err(unimplemented("this kind of field condition")),
        };
        Ok(edge::Condition::Field(condition))
    }

    fn edge_payload_selector(
        selector: Option<WithPayloadSelector>,
    ) -> Result<edge::WithPayloadInterface, Status> {
        match selector.and_then(|selector| selector.selector_options) {
            None => Ok(edge::WithPayloadInterface::Bool(false)),
            Some(with_payload_selector::SelectorOptions::Enable(all)) => {
                Ok(edge::WithPayloadInterface::Bool(all))
            }
            Some(with_payload_selector::SelectorOptions::Include(some)) => {
                let fields =
                    some.fields.iter().map(|field| edge_path(field)).collect::<Result<_, _>>()?;
                Ok(edge::WithPayloadInterface::Fields(fields))
            }
            Some(with_payload_selector::SelectorOptions::Exclude(_)) => {
                Err(unimplemented("payload without some fields"))
            }
        }
    }

    /// A sparse query with each weight multiplied by the term's inverse document frequency among
    /// the points of the corpus.
    fn weigh(shard: &edge::EdgeShard, mut query: QueryPoints) -> Result<QueryPoints, Status> {
        let corpus = query.params.take().and_then(|params| params.idf).and_then(|idf| idf.corpus);
        let variant = query.query.as_mut().and_then(|query| query.variant.as_mut());
        let Some(query::Variant::Nearest(VectorInput {
            variant: Some(vector_input::Variant::Sparse(vector)),
        })) = variant
        else {
            return Ok(query);
        };
        let (records, _) = shard
            .scroll(edge::ScrollRequest {
                offset: None,
                limit: Some(100_000),
                filter: corpus.map(edge_filter).transpose()?,
                with_payload: Some(edge::WithPayloadInterface::Bool(false)),
                with_vector: edge::WithVector::Bool(true),
                order_by: None,
            })
            .map_err(internal)?;
        let terms = records.iter().map(|record| match &record.vector {
            Some(edge::VectorStructInternal::Named(named)) => match named.get("bm25") {
                Some(edge::VectorInternal::Sparse(vector)) => vector.indices.as_slice(),
                _ => &[],
            },
            _ => &[],
        });
        let terms: Vec<&[u32]> = terms.collect();
        for (term, weight) in vector.indices.iter().zip(&mut vector.values) {
            let holding = terms.iter().filter(|terms| terms.contains(term)).count() as f32;
            *weight *= ((terms.len() as f32 - holding + 0.5) / (holding + 0.5) + 1.0).ln();
        }
        Ok(query)
    }

    fn edge_query(query: QueryPoints) -> Result<edge::QueryRequest, Status> {
        let Some(query::Variant::Nearest(VectorInput { variant: Some(vector) })) =
            query.query.and_then(|query| query.variant)
        else {
            return Err(unimplemented("this kind of query"));
        };
        let vector = match vector {
            vector_input::Variant::Dense(DenseVector { data }) => edge::VectorInternal::Dense(data),
            vector_input::Variant::Sparse(SparseVector { indices, values }) => {
                edge::VectorInternal::Sparse(edge::SparseVector { indices, values })
            }
            _ => return Err(unimplemented("this kind of vector")),
        };
        if !query.prefetch.is_empty() {
            return Err(unimplemented("prefetch"));
        }
        let with_vector = match query.with_vectors.and_then(|selector| selector.selector_options) {
            None => edge::WithVector::Bool(false),
            Some(with_vectors_selector::SelectorOptions::Enable(all)) => {
                edge::WithVector::Bool(all)
            }
            Some(with_vectors_selector::SelectorOptions::Include(some)) => {
                edge::WithVector::Selector(some.names)
            }
        };
        let vector = edge::NamedQuery { query: vector, using: query.using };
        Ok(edge::QueryRequest {
            prefetches: Vec::new(),
            query: Some(edge::ScoringQuery::Vector(edge::QueryEnum::Nearest(vector))),
            filter: query.filter.map(edge_filter).transpose()?,
            score_threshold: None,
            limit: usize::try_from(query.limit.unwrap_or(10)).unwrap_or(usize::MAX),
            offset: 0,
            params: None,
            with_vector,
            with_payload: edge_payload_selector(query.with_payload)?,
        })
    }

    fn proto_id(id: edge::PointId) -> PointId {
        match id {
            edge::PointId::Uuid(id) => id.to_string().into(),
            edge::PointId::NumId(id) => id.into(),
        }
    }

    fn proto_payload(payload: Option<edge::Payload>) -> HashMap<String, Value> {
        let fields = payload.map(|payload| payload.0).unwrap_or_default();
        fields.into_iter().map(|(field, value)| (field, value.into())).collect()
    }

    fn proto_point(point: edge::ScoredPoint) -> Result<ScoredPoint, Status> {
        let vectors = match point.vector {
            None => None,
            Some(edge::VectorStructInternal::Named(named)) => {
                let mut vectors = HashMap::new();
                for (name, vector) in named {
                    let edge::VectorInternal::Dense(data) = vector else {
                        return Err(unimplemented("sparse output"));
                    };
                    let vector = Some(vector_output::Vector::Dense(DenseVector { data }));
                    vectors.insert(name, VectorOutput { vector, ..VectorOutput::default() });
                }
                let options =
                    vectors_output::VectorsOptions::Vectors(NamedVectorsOutput { vectors });
                Some(VectorsOutput { vectors_options: Some(options) })
            }
            Some(_) => return Err(unimplemented("unnamed vectors")),
        };
        Ok(ScoredPoint {
            id: Some(proto_id(point.id)),
            payload: proto_payload(point.payload),
            score: point.score,
            version: point.version,
            vectors,
            ..ScoredPoint::default()
        })
    }
}
