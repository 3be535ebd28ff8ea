//! Fetching models from a hub: a loopback peer that redirects, cuts connections and answers ranges,
//! as the Hugging Face hub does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use frontdesk::models::HubFile;
use frontdesk::models::hub::{Hub, HubError};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

const TOKEN: &str = "hf_of_the_test";

#[derive(Clone, Default)]
struct Peer {
    content: Arc<Vec<u8>>,
    /// Bytes after which a transfer ends too early, so often.
    cut: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
    /// Some of the file has arrived.
    got: Arc<Notify>,
    /// Where files lie: another origin.
    store: Arc<Mutex<String>>,
}

const CUT_AFTER: usize = 40_000;

async fn hub(
    State(peer): State<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    let answer = Response::builder();
    if headers.get("authorization").and_then(|token| token.to_str().ok())
        != Some(&format!("Bearer {TOKEN}"))
    {
        return answer.status(StatusCode::UNAUTHORIZED).body(Body::empty()).unwrap();
    }
    if uri.path() != "/shop/model-GGUF/resolve/main/model.gguf" {
        return answer.status(StatusCode::NOT_FOUND).body(Body::empty()).unwrap();
    }
    peer.seen.lock().unwrap().push(format!("{method} hub"));
    let place = format!("{}/blob", peer.store.lock().unwrap());
    answer
        .status(StatusCode::FOUND)
        .header("location", place)
        .header("x-linked-etag", format!("\"{:x}\"", Sha256::digest(peer.content.as_slice())))
        .header("x-linked-size", peer.content.len())
        .body(Body::empty())
        .unwrap()
}

async fn store(State(peer): State<Peer>, headers: HeaderMap) -> Response<Body> {
    let range = headers.get("range").and_then(|range| range.to_str().ok()).map(str::to_owned);
    let with_token = headers.contains_key("authorization");
    peer.seen
        .lock()
        .unwrap()
        .push(format!("store {} token {with_token}", range.as_deref().unwrap_or("whole")));
    let from: usize = range.as_deref().map_or(0, |range| {
        range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap()
    });
    let total = peer.content.len();
    let rest = peer.content[from..].to_vec();
    let cut = peer
        .cut
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok();
    let got = peer.got.clone();
    let pieces = async_stream::stream! {
        if cut {
            yield Ok(rest[..CUT_AFTER.min(rest.len())].to_vec());
            // What was sent so far must not go with the connection.
            got.notified().await;
            yield Err(std::io::Error::other("cut on purpose"));
        } else {
            yield Ok(rest);
        }
    };
    let answer = Response::builder().header("content-length", total - from);
    let answer = if from > 0 {
        let range = format!("bytes {from}-{}/{total}", total - 1);
        answer.status(StatusCode::PARTIAL_CONTENT).header("content-range", range)
    } else {
        answer
    };
    answer.body(Body::from_stream(pieces)).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
async fn listen(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(tokio::spawn(async move { axum::serve(listener, router).await }));
    format!("http://{address}")
}

async fn start(cuts: usize) -> (Peer, String) {
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let peer = Peer {
        content: Arc::new(content),
        cut: Arc::new(AtomicUsize::new(cuts)),
        ..Peer::default()
    };
    *peer.store.lock().unwrap() =
        listen(Router::new().fallback(store).with_state(peer.clone())).await;
    let hub = listen(Router::new().fallback(hub).with_state(peer.clone())).await;
    (peer, hub)
}

fn file(name: &str) -> HubFile {
    HubFile { repository: "shop/model-GGUF".into(), file: name.into(), revision: "main".into() }
}

#[tokio::test]
async fn a_cut_transfer_goes_on_and_the_token_stays_with_the_hub() {
    let (peer, endpoint) = start(2).await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("models/model.gguf");
    let hub = Hub::new(&endpoint, Some(TOKEN.into())).unwrap();
    let told = Mutex::new(Vec::new());
    let sum = hub
        .pull(&file("model.gguf"), None, &target, &|done, total| {
            told.lock().unwrap().push((done, total));
            if done > 0 {
                peer.got.notify_one();
            }
        })
        .await
        .unwrap();
    assert_eq!(sum, format!("{:x}", Sha256::digest(peer.content.as_slice())));
    assert_eq!(std::fs::read(&target).unwrap(), *peer.content);
    assert_eq!(
        std::fs::read_dir(target.parent().unwrap()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
    let seen = peer.seen.lock().unwrap().join("; ");
    assert!(
        seen.starts_with("HEAD hub; GET hub; store whole token false; GET hub; store bytes="),
        "{seen}"
    );
    assert!(!seen.contains("token true"), "{seen}");
    let told = told.lock().unwrap();
    assert_eq!(told.last(), Some(&(400_000, 400_000)));
}

#[tokio::test]
async fn what_is_not_the_file_that_was_meant_goes() {
    let (_, endpoint) = start(0).await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("model.gguf");
    let wrong = "0".repeat(64);
    let hub = Hub::new(&endpoint, Some(TOKEN.into())).unwrap();
    let error = hub.pull(&file("model.gguf"), Some(&wrong), &target, &|_, _| {}).await.unwrap_err();
    assert!(matches!(error, HubError::Sum { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_went_wrong_is_told() {
    let (_, endpoint) = start(0).await;
    let folder = tempfile::tempdir().unwrap();
    let check = async |hub: &Hub, name: &str, expected: &str| {
        let target = folder.path().join("model.gguf");
        let error = hub.pull(&file(name), None, &target, &|_, _| {}).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&Hub::new(&endpoint, None).unwrap(), "model.gguf", "set HF_TOKEN").await;
    check(&Hub::new(&endpoint, Some(TOKEN.into())).unwrap(), "other.gguf", "is there such a file?")
        .await;
    check(&Hub::new("http://127.0.0.1:1", None).unwrap(), "model.gguf", "can't be reached").await;
    assert!(matches!(Hub::new("ftp://hub", None), Err(HubError::Endpoint { .. })));
}
