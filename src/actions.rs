//! Webhooks of a site that can do what the assistant can't: `[[sites.actions]]`. See
//! `docs/actions.md`.
//!
//! A request for an order's status asks the visitor for the inputs that the site declares, one by
//! one ([`form`]), and posts them to the site's server, signed as Standard Webhooks are. What it
//! replies is a source like a document: it is cited, and sentences in it that give orders to the
//! assistant are left out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use regex::Regex;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::address::{self, ResolveError};
use crate::reason::abilities::Request;
use crate::secret::random_id;
use crate::secret::webhook::WebhookKey;

pub mod form;

/// `[[sites.actions]]`: a webhook that the assistant may call for a visitor.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ActionConfig {
    /// What the sources of a reply call it.
    pub name: String,
    /// What visitors ask for when it is called: `status` (where the order is). Deeds that change
    /// something are not called.
    pub serves: Request,
    /// `https://` address that is posted to. `http://` only with `allow_private`.
    pub url: String,
    /// The key that requests are signed with, as Standard Webhooks write it: `whsec_` and at least
    /// 24 bytes in Base64.
    pub secret: String,
    /// Milliseconds after which a reply is no longer waited for; the visitor waits as long.
    #[serde(default = "five_seconds")]
    pub timeout_ms: u64,
    /// Allows addresses of this machine and of private networks. Off, a name that resolves to one
    /// is refused, so that whoever controls the name can't reach what only this machine can.
    #[serde(default)]
    pub allow_private: bool,
    /// What the visitor is asked for, in this order.
    pub inputs: Vec<InputConfig>,
}

/// `[[sites.actions.inputs]]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InputConfig {
    /// Its key in the request.
    pub name: String,
    /// Regular expression that finds it in a message; the first group, else the whole match, is
    /// sent.
    pub pattern: String,
    /// The question for it by language (ISO 639-1); in a language that is missing it is the English
    /// one, else the first.
    pub ask: BTreeMap<String, String>,
}

fn five_seconds() -> u64 {
    5_000
}

impl ActionConfig {
    /// # Errors
    /// When an option makes no sense.
    pub fn validate(&self) -> anyhow::Result<()> {
        Action::new(self).with_context(|| format!("the action {:?}", self.name)).map(drop)
    }
}

/// The actions of every site. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Actions {
    sites: Arc<HashMap<String, Vec<Action>>>,
}

/// An action that can be called.
#[derive(Debug)]
pub struct Action {
    pub name: String,
    serves: Request,
    url: Url,
    key: WebhookKey,
    limit: Duration,
    allow_private: bool,
    inputs: Vec<Input>,
}

#[derive(Debug)]
struct Input {
    name: String,
    pattern: Regex,
    ask: BTreeMap<String, String>,
}

/// What is posted.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    pub site: &'a str,
    /// The visitor's language, which the reply should be in.
    pub language: &'a str,
    /// By the input's name.
    pub inputs: &'a BTreeMap<String, String>,
    pub now_ms: u64,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    #[error(transparent)]
    Address(#[from] ResolveError),
    #[error("no reply within {} ms", limit.as_millis())]
    TimedOut { limit: Duration },
    #[error("it can't be reached: {0}")]
    Unreachable(String),
    #[error("it replied with status {0}")]
    Status(u16),
    #[error("its reply is longer than {MAX_REPLY} bytes")]
    TooLong,
    #[error("its reply is no JSON object with \"text\" or values: {0}")]
    NoReply(String),
}

/// Longest reply in bytes; an order's status is a few hundred.
const MAX_REPLY: usize = 16 * 1024;
/// Shortest key in bytes, as Standard Webhooks ask for.
const MIN_KEY: usize = 24;
/// Longest wait that a visitor may be put through.
const MAX_TIMEOUT_MS: u64 = 30_000;

impl Actions {
    /// # Errors
    /// When an action can't be used; the text names it.
    pub fn new<'a>(
        sites: impl IntoIterator<Item = (&'a str, &'a [ActionConfig])>,
    ) -> anyhow::Result<Self> {
        let mut all = HashMap::new();
        for (site, configured) in sites {
            let actions: anyhow::Result<Vec<Action>> = configured.iter().map(Action::new).collect();
            all.insert(
                site.to_owned(),
                actions.with_context(|| format!("the actions of the site {site:?}"))?,
            );
        }
        Ok(Self { sites: Arc::new(all) })
    }

    /// The actions of a site.
    #[must_use]
    pub fn of(&self, site: &str) -> &[Action] {
        self.sites.get(site).map_or(&[], Vec::as_slice)
    }
}

impl Action {
    fn new(config: &ActionConfig) -> anyhow::Result<Self> {
        let url = Url::parse(&config.url).with_context(|| format!("url is {:?}", config.url))?;
        ensure!(url.host_str().is_some(), "url has no host: {:?}", config.url);
        ensure!(
            url.username().is_empty() && url.password().is_none(),
            "url must not carry a user or password"
        );
        match url.scheme() {
            "https" => {}
            "http" if config.allow_private => {}
            scheme => {
                bail!("url is of the scheme {scheme:?}; use https, or http with allow_private")
            }
        }
        ensure!(
            config.serves == Request::Status,
            "serves is {:?}; only \"status\" is called",
            config.serves
        );
        ensure!(!config.name.trim().is_empty(), "name is empty");
        ensure!(
            (1..=MAX_TIMEOUT_MS).contains(&config.timeout_ms),
            "timeout_ms is not within 1 to {MAX_TIMEOUT_MS}"
        );
        let key = WebhookKey::parse(&config.secret).context("secret is not whsec_ and Base64")?;
        ensure!(
            key.len() >= MIN_KEY,
            "secret has {} bytes; at least {MIN_KEY} are needed",
            key.len()
        );
        ensure!(
            !config.inputs.is_empty(),
            "it has no inputs: what a reply is about has to be told"
        );
        let inputs = config.inputs.iter().map(|input| {
            let pattern = Regex::new(&input.pattern)
                .with_context(|| format!("the pattern of {:?}", input.name))?;
            ensure!(!pattern.is_match(""), "the pattern of {:?} matches an empty text", input.name);
            ensure!(!input.ask.is_empty(), "{:?} has no question to ask for it", input.name);
            Ok(Input { name: input.name.clone(), pattern, ask: input.ask.clone() })
        });
        Ok(Self {
            name: config.name.clone(),
            serves: config.serves,
            url,
            key,
            limit: Duration::from_millis(config.timeout_ms),
            allow_private: config.allow_private,
            inputs: inputs.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Posts the inputs and gives the reply as text.
    ///
    /// # Errors
    /// See [`ActionError`].
    pub async fn call(&self, call: &Call<'_>) -> Result<String, ActionError> {
        tokio::time::timeout(self.limit, self.post(call))
            .await
            .unwrap_or(Err(ActionError::TimedOut { limit: self.limit }))
    }

    async fn post(&self, call: &Call<'_>) -> Result<String, ActionError> {
        let host = self.url.host_str().unwrap_or_default().to_owned();
        let port = self.url.port_or_known_default().unwrap_or(443);
        let addresses = address::resolve(&host, port, self.allow_private).await?;
        let unreachable =
            |error: reqwest::Error| ActionError::Unreachable(error.without_url().to_string());
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            // Whatever the name resolves to a moment later: the addresses that were looked at are
            // the ones called.
            .resolve_to_addrs(&host, &addresses)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(self.limit)
            .build()
            .map_err(unreachable)?;
        let body = json!({
            "type": format!("action.{}", self.name),
            "site": call.site,
            "language": call.language,
            "inputs": call.inputs,
        })
        .to_string();
        let (id, timestamp) = (format!("msg_{}", random_id()), (call.now_ms / 1000).to_string());
        let mut response = client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", &timestamp)
            .header("webhook-signature", self.key.sign(&id, &timestamp, body.as_bytes()))
            .body(body)
            .send()
            .await
            .map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(ActionError::Status(response.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > MAX_REPLY {
                return Err(ActionError::TooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        text_of(&bytes)
    }
}

/// A reply as text: its `text`, and a line for each other value.
fn text_of(bytes: &[u8]) -> Result<String, ActionError> {
    let reply: Value =
        serde_json::from_slice(bytes).map_err(|error| ActionError::NoReply(error.to_string()))?;
    let reply = reply.as_object().ok_or_else(|| ActionError::NoReply("it is no object".into()))?;
    let text =
        reply.get("text").and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let values = reply.iter().filter(|(key, _)| *key != "text").filter_map(|(key, value)| {
        let value = match value {
            Value::String(value) if !value.trim().is_empty() => value.trim().replace('\n', " "),
            Value::Number(value) => value.to_string(),
            _ => return None,
        };
        Some(format!("{}: {value}", key.replace('_', " ")))
    });
    let lines: Vec<String> = text.map(str::to_owned).into_iter().chain(values).collect();
    if lines.is_empty() {
        Err(ActionError::NoReply("it holds neither".into()))
    } else {
        Ok(lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

    fn config(url: String) -> ActionConfig {
        let input = |name: &str, pattern: &str| InputConfig {
            name: name.into(),
            pattern: pattern.into(),
            ask: BTreeMap::from([("en".into(), format!("What is your {name}?"))]),
        };
        ActionConfig {
            name: "order_status".into(),
            serves: Request::Status,
            url,
            secret: SECRET.into(),
            timeout_ms: 2_000,
            allow_private: true,
            inputs: vec![input("order", r"\b\d{5,8}\b"), input("email", r"[^@\s]+@[^@\s]+\.\w+")],
        }
    }

    /// A server on loopback that answers one request, and gives what it got.
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    async fn peer(response: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/status", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let read = stream.read(&mut buffer).await.unwrap();
                got.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&got).into_owned();
                let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let length = head.lines().find_map(|line| {
                        line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned)
                    });
                    length.is_some_and(|length| body.len() >= length.parse().unwrap())
                });
                if whole || read == 0 {
                    break;
                }
            }
            drop(stream.write_all(response.as_bytes()).await);
            drop(stream.shutdown().await);
            String::from_utf8(got).unwrap()
        });
        (url, served)
    }

    async fn called(config: &ActionConfig) -> Result<String, ActionError> {
        let inputs = BTreeMap::from([
            ("order".to_owned(), "10234".to_owned()),
            ("email".to_owned(), "a@b.example".to_owned()),
        ]);
        let call =
            Call { site: "shop", language: "de", inputs: &inputs, now_ms: 1_700_000_000_123 };
        Action::new(config).unwrap().call(&call).await
    }

    fn ok(body: &str) -> &'static str {
        Box::leak(format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_boxed_str())
    }

    #[tokio::test]
    async fn a_call_is_signed_and_its_reply_read() {
        let (url, served) = peer(ok(
            r#"{"text":"Order 10234 left on 3 May.","carrier":"Curlew","parcels":2,"events":[1]}"#,
        ))
        .await;
        let reply = called(&config(url)).await.unwrap();
        assert_eq!(reply, "Order 10234 left on 3 May.\ncarrier: Curlew\nparcels: 2");
        let got = served.await.unwrap();
        let (head, body) = got.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /status HTTP/1.1"), "{head}");
        let header = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .unwrap()
                .to_owned()
        };
        assert_eq!(header("webhook-timestamp"), "1700000000");
        let key = WebhookKey::parse(SECRET).unwrap();
        assert_eq!(
            header("webhook-signature"),
            key.sign(&header("webhook-id"), "1700000000", body.as_bytes())
        );
        let body: Value = serde_json::from_str(body).unwrap();
        let expected = json!({"type": "action.order_status", "site": "shop", "language": "de", "inputs": {"order": "10234", "email": "a@b.example"}});
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn private_addresses_redirects_and_bad_replies_are_refused() {
        let (url, _served) = peer(ok("{}")).await;
        let closed = ActionConfig {
            allow_private: false,
            url: url.replace("http://", "https://"),
            ..config(url)
        };
        assert!(matches!(
            called(&closed).await,
            Err(ActionError::Address(ResolveError::Private { .. }))
        ));
        let named = ActionConfig { url: "https://localhost:9/x".into(), ..closed };
        assert!(matches!(
            called(&named).await,
            Err(ActionError::Address(ResolveError::Private { .. }))
        ));

        let (url, _served) = peer(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
        assert!(matches!(called(&config(url)).await, Err(ActionError::Status(302))));
        let (url, _served) = peer("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").await;
        assert!(matches!(called(&config(url)).await, Err(ActionError::Status(500))));
        for body in ["[]", "{}", "no", r#"{"text": ""}"#] {
            let (url, _served) = peer(ok(body)).await;
            assert!(matches!(called(&config(url)).await, Err(ActionError::NoReply(_))), "{body}");
        }
        let (url, _served) = peer(ok(&format!(r#"{{"text":"{}"}}"#, "x".repeat(MAX_REPLY)))).await;
        assert!(matches!(called(&config(url)).await, Err(ActionError::TooLong)));
    }

    #[tokio::test]
    async fn a_silent_server_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let silent = ActionConfig { timeout_ms: 50, ..config(url) };
        assert!(matches!(
            called(&silent).await,
            Err(ActionError::TimedOut { .. } | ActionError::Unreachable(_))
        ));
    }

    #[test]
    fn what_makes_no_sense_is_refused_at_the_start() {
        let good = config("http://127.0.0.1:1/".into());
        good.validate().unwrap();
        let bad = |change: &dyn Fn(&mut ActionConfig)| {
            let mut config = good.clone();
            change(&mut config);
            config
                .validate()
                .unwrap_err()
                .chain()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(": ")
        };
        for (error, expected) in [
            (bad(&|config| config.allow_private = false), "scheme \"http\""),
            (bad(&|config| config.url = "shop".into()), "url is \"shop\""),
            (bad(&|config| config.secret = "whsec_AAAA".into()), "at least 24"),
            (bad(&|config| config.serves = Request::Cancel), "only \"status\""),
            (bad(&|config| config.inputs.clear()), "no inputs"),
            (bad(&|config| config.inputs[0].pattern = "(".into()), "pattern of \"order\""),
            (bad(&|config| config.inputs[0].pattern = ".*".into()), "empty text"),
            (bad(&|config| config.timeout_ms = 0), "timeout_ms"),
        ] {
            assert!(error.contains(expected), "{error}");
        }
    }
}
