//! One platform at its server: what its people do, and what reaches them.

use frontdesk::site::channel::Platform;
use serde_json::json;

use super::email::Post;
use super::shapes::{Did, OLD, Proof, body, marker, proof_by, text};
use super::{Duration, Fake, LIMIT, Seen, TestServer};

/// One platform at its server.
pub(super) struct Desk<'a> {
    pub(super) server: &'a TestServer,
    pub(super) fake: &'a Fake,
    pub(super) address: &'a str,
    pub(super) platform: Platform,
    /// Its name, and where its webhooks go.
    pub(super) account: String,
    /// Where e-mail goes.
    pub(super) post_office: Option<&'a Post>,
    pub(super) client: reqwest::Client,
    pub(super) keys: std::sync::atomic::AtomicU64,
    /// Events whose response held an answer: a platform shows one to each, and asks again only
    /// where none came.
    responded: std::sync::Mutex<std::collections::HashSet<u64>>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        server: &'a TestServer,
        fake: &'a Fake,
        address: &'a str,
        platform: Platform,
    ) -> Self {
        Self {
            server,
            fake,
            address,
            platform,
            account: platform.name().to_owned(),
            post_office: None,
            client: reqwest::Client::new(),
            keys: std::sync::atomic::AtomicU64::new(1),
            responded: std::sync::Mutex::default(),
        }
    }

    pub(super) fn key(&self) -> u64 {
        self.keys.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    /// What was sent by this platform's account, and what its requests were answered with.
    pub(super) fn sent(&self) -> Vec<String> {
        let prefix = format!("/{}", self.platform.name());
        let requests = self.fake.0.requests.lock().unwrap();
        let own = requests.iter().filter(|request| request.path.starts_with(&prefix));
        own.filter_map(|request| text(&request.path, &request.body)).collect()
    }

    pub(super) fn marker(&self, chat: u64) -> String {
        marker(self.platform, chat)
    }

    /// What was sent to a conversation, also what was refused, and when. The number of the
    /// conversation stands nowhere else.
    pub(super) fn sent_to(&self, chat: u64) -> Vec<(std::time::Instant, String)> {
        let marker = self.marker(chat);
        if let Some(office) = self.post_office {
            return office.to(&marker);
        }
        let look = |request: &Seen| Some((request.at, text(&request.path, &request.body)?));
        self.fake.about(&marker, look)
    }

    /// Waits until so many messages went out to a conversation.
    pub(super) async fn wait_to(&self, chat: u64, count: usize) -> Vec<String> {
        let found = async {
            while self.sent_to(chat).len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(LIMIT, found).await;
        let sent: Vec<String> = self.sent_to(chat).into_iter().map(|(_, text)| text).collect();
        assert!(found.is_ok(), "{} {chat}: fewer than {count}: {sent:?}", self.platform.name());
        sent
    }

    /// The text that a response holds, if it is an answer: it counts as sent, as if the platform
    /// had been called.
    pub(super) async fn post(&self, chat: u64, key: u64, did: &Did) -> Option<String> {
        let (status, text) =
            self.try_post(key, body(self.platform, self.address, chat, key, did)?, OLD).await;
        assert!((200..300).contains(&status), "{}: {status}", self.platform.name());
        let content = text.split("<Content><![CDATA[").nth(1)?.split("]]>").next()?.to_owned();
        if self.responded.lock().unwrap().insert(key) {
            let path = format!("/{}/response", self.platform.name());
            let body = json!({ "content": content, "touser": format!("o{chat}") });
            self.fake.note(path, body);
        }
        Some(content)
    }

    pub(super) async fn post_body(&self, key: u64, body: String) {
        let (status, _) = self.try_post(key, body, OLD).await;
        assert!((200..300).contains(&status), "{}: {status}", self.platform.name());
    }

    /// Posts it as signed with a secret: status and response.
    pub(super) async fn try_post(&self, key: u64, body: String, secret: &str) -> (u16, String) {
        let now_s = self.server.clock.now_ms() / 1000;
        let proof = proof_by(secret, self.platform, self.address, &body, key, now_s);
        self.post_with(proof, body).await
    }

    pub(super) async fn post_with(&self, proof: Proof, body: String) -> (u16, String) {
        let (headers, query) = proof;
        let url = self.server.url(&format!("/v1/channels/shop/{}{query}", self.account));
        let mut request = self.client.post(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Posts them shortly after one another, as people write; none waits for the other's response.
    pub(super) async fn post_all(&self, chat: u64, all: Vec<(u64, Did)>) {
        let posts = all.into_iter().enumerate().map(|(i, (key, did))| async move {
            tokio::time::sleep(Duration::from_millis(30 * i as u64)).await;
            self.post(chat, key, &did).await;
        });
        futures_util::future::join_all(posts).await;
    }

    pub(super) async fn say(&self, chat: u64, text: &'static str) {
        let key = self.key();
        self.post(chat, key, &Did::Said { message: key, text }).await;
    }

    /// Waits until so many messages went out.
    pub(super) async fn wait(&self, count: usize) -> Vec<String> {
        let found = async {
            loop {
                let sent = self.sent();
                if sent.len() >= count {
                    return sent;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let sent = tokio::time::timeout(LIMIT, found).await;
        sent.unwrap_or_else(|_| {
            panic!("{}: fewer than {count} messages: {:?}", self.platform.name(), self.sent())
        })
    }
}
