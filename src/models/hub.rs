//! Files of the Hugging Face hub over HTTPS: resumed where they were cut, and held against their
//! SHA-256.
//!
//! The hub answers a request for a large file with a redirection to where it lies, and names its
//! SHA-256 and size in `X-Linked-Etag` and `X-Linked-Size`. The token goes to the hub alone, never
//! to where it redirects.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_RANGE, HeaderMap, LOCATION, RANGE};
use reqwest::{Client, Method, Response, StatusCode, Url};

use super::HubFile;
use crate::llm::gguf;

/// Where files come from. Proxies are those of `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
/// `NO_PROXY`.
#[derive(Clone)]
pub struct Hub {
    client: Client,
    endpoint: String,
    token: Option<String>,
}

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    #[error("{url} is no address of a hub; check HF_ENDPOINT")]
    Endpoint { url: String },
    #[error(
        "{url} can't be reached: {reason}. Check the network and the proxy, then run the command again: it goes on where it stopped"
    )]
    Unreachable { url: String, reason: String },
    #[error(
        "{url} answers {status}: accept the model's licence on the hub and set HF_TOKEN to a token that may read it"
    )]
    Forbidden { url: String, status: StatusCode },
    #[error("{url} answers {status}; is there such a file?")]
    Refused { url: String, status: StatusCode },
    #[error(
        "{url} names no SHA-256 for this file, and the catalogue has none: it can't be checked, and isn't fetched"
    )]
    NoSum { url: String },
    #[error("{} has the SHA-256 {found}, expected {expected}. It isn't the file that was meant and was removed", path.display())]
    Sum { path: PathBuf, found: String, expected: String },
    #[error("{} can't be written: {source}", path.display())]
    Disk { path: PathBuf, source: std::io::Error },
}

/// Redirections followed.
const REDIRECTS: usize = 5;
/// How often a transfer that was cut goes on in one run.
const TRIES: usize = 5;
/// Nothing came for so long: the connection is dead.
const SILENCE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(20);

impl Hub {
    /// The hub that `HF_ENDPOINT` names, else the public one, with `HF_TOKEN`.
    ///
    /// # Errors
    /// When the address can't be one, or TLS can't be set up.
    pub fn from_environment() -> Result<Self, HubError> {
        let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::new(of("HF_ENDPOINT").as_deref().unwrap_or("https://huggingface.co"), of("HF_TOKEN"))
    }

    /// A hub at this address.
    ///
    /// # Errors
    /// As [`Hub::from_environment`].
    pub fn new(endpoint: &str, token: Option<String>) -> Result<Self, HubError> {
        let wrong = || HubError::Endpoint { url: endpoint.to_owned() };
        let url = Url::parse(endpoint).map_err(|_| wrong())?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
            return Err(wrong());
        }
        // A second installation changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .user_agent(concat!("frontdesk/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| wrong())?;
        Ok(Self { client, endpoint: endpoint.trim_end_matches('/').to_owned(), token })
    }

    /// Fetches a file to `target`, which appears when it is whole and its SHA-256 is `expected`, or
    /// what the hub names where nothing is expected; returns that sum. What came is kept in a file
    /// beside it until then, so the next call goes on where this one stopped. `progress` is told
    /// bytes done and in all.
    ///
    /// # Errors
    /// [`HubError`] with what to do.
    pub async fn pull(
        &self,
        file: &HubFile,
        expected: Option<&str>,
        target: &Path,
        progress: &dyn Fn(u64, u64),
    ) -> Result<String, HubError> {
        let HubFile { repository, file, revision } = file;
        let url = format!("{}/{repository}/resolve/{revision}/{file}", self.endpoint);
        let head = self.ask(Method::HEAD, &url, None, false).await?;
        let named = head.headers().get("x-linked-etag").or(head.headers().get("etag"));
        let named = named
            .and_then(|tag| tag.to_str().ok())
            .map(|tag| tag.trim_matches('"').to_ascii_lowercase());
        let named =
            named.filter(|sum| sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let expected = expected
            .map(str::to_ascii_lowercase)
            .or(named)
            .ok_or(HubError::NoSum { url: url.clone() })?;
        let total = number(head.headers(), "x-linked-size")
            .or(number(head.headers(), "content-length"))
            .unwrap_or(0);

        let disk = |path: &Path| {
            let path = path.to_owned();
            move |source| HubError::Disk { path: path.clone(), source }
        };
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(disk(folder))?;
        }
        // Under the sum: what was begun of another version is not gone on with.
        let mut part = target.as_os_str().to_owned();
        part.push(format!(".{}.part", expected.get(..12).unwrap_or("")));
        let part = PathBuf::from(part);
        let mut out =
            OpenOptions::new().create(true).append(true).open(&part).map_err(disk(&part))?;
        let mut tries = 0;
        loop {
            match self.go_on(&url, &mut out, &part, total, progress).await {
                Ok(()) => break,
                Err(HubError::Unreachable { .. }) if tries < TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        }
        out.sync_all().map_err(disk(&part))?;
        let found = gguf::sha256(&part).map_err(disk(&part))?;
        if found != expected {
            fs::remove_file(&part).map_err(disk(&part))?;
            return Err(HubError::Sum { path: part, found, expected });
        }
        fs::rename(&part, target).map_err(disk(target))?;
        Ok(expected)
    }

    /// Appends what is missing of the file.
    async fn go_on(
        &self,
        url: &str,
        out: &mut File,
        part: &Path,
        total: u64,
        progress: &dyn Fn(u64, u64),
    ) -> Result<(), HubError> {
        let disk = |source| HubError::Disk { path: part.to_owned(), source };
        let mut done = out.metadata().map_err(disk)?.len();
        if total > 0 && done == total {
            return Ok(());
        }
        if total > 0 && done > total {
            out.set_len(0).map_err(disk)?;
            done = 0;
        }
        let mut answer =
            self.ask(Method::GET, url, Some(done).filter(|done| *done > 0), true).await?;
        let goes_on = answer.status() == StatusCode::PARTIAL_CONTENT
            && starts_at(answer.headers()) == Some(done);
        if done > 0 && !goes_on {
            // It comes from the beginning.
            out.set_len(0).map_err(disk)?;
            done = 0;
        }
        progress(done, total);
        let cut = |reason: String| HubError::Unreachable { url: url.to_owned(), reason };
        while let Some(piece) = answer.chunk().await.map_err(|error| cut(reason(&error)))? {
            out.write_all(&piece).map_err(disk)?;
            done += piece.len() as u64;
            progress(done, total);
        }
        if done < total {
            return Err(cut(format!("the connection ended after {done} of {total} bytes")));
        }
        Ok(())
    }

    /// Asks for a file, from a byte on if one is named, and follows redirections if wanted.
    async fn ask(
        &self,
        method: Method,
        url: &str,
        from: Option<u64>,
        follow: bool,
    ) -> Result<Response, HubError> {
        let mut at = Url::parse(url).map_err(|_| HubError::Endpoint { url: url.to_owned() })?;
        let home = at.origin();
        for _ in 0..=REDIRECTS {
            let mut request = self.client.request(method.clone(), at.clone());
            if let Some(token) = self.token.as_ref().filter(|_| at.origin() == home) {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            if let Some(from) = from {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let unreachable = |error: reqwest::Error| HubError::Unreachable {
                url: at.to_string(),
                reason: reason(&error),
            };
            let answer = request.send().await.map_err(unreachable)?;
            let status = answer.status();
            let next = answer.headers().get(LOCATION).and_then(|next| next.to_str().ok());
            match status {
                _ if status.is_redirection()
                    && (follow || !answer.headers().contains_key("x-linked-etag")) =>
                {
                    let next = next.and_then(|next| at.join(next).ok());
                    at = next.ok_or_else(|| HubError::Refused { url: at.to_string(), status })?;
                }
                _ if status.is_success() || status.is_redirection() => return Ok(answer),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    return Err(HubError::Forbidden { url: url.to_owned(), status });
                }
                _ if status.is_server_error() => {
                    return Err(HubError::Unreachable {
                        url: url.to_owned(),
                        reason: format!("it answers {status}"),
                    });
                }
                _ => return Err(HubError::Refused { url: url.to_owned(), status }),
            }
        }
        Err(HubError::Unreachable {
            url: url.to_owned(),
            reason: "it redirects in a circle".to_owned(),
        })
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// The first byte of an answer's range: `bytes 5-9/10`.
fn starts_at(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(CONTENT_RANGE)?
        .to_str()
        .ok()?
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .parse()
        .ok()
}

/// An error with what it was caused by.
fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
