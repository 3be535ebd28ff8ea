//! A running server, asked over its admin listener.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Config;
use crate::http::knowledge::{IngestLine, IngestRequest};
use crate::retrieval::ingest::{IngestProgress, IngestReport};

/// The admin listener of the server that has this configuration's store open.
pub(super) struct Remote {
    client: reqwest::Client,
    base: String,
    key: String,
}

impl Remote {
    /// Finds it by the files that it writes beside its store.
    ///
    /// # Errors
    /// When there are none; the text says what to do.
    pub(super) fn of(config: &Config) -> anyhow::Result<Self> {
        let beside = config.store.path.parent().unwrap_or(Path::new("."));
        let read = |name: &str| {
            std::fs::read_to_string(beside.join(name)).map(|text| text.trim().to_owned())
        };
        let key =
            read("admin.key").with_context(|| format!("no admin.key in {}", beside.display()))?;
        let address = read("admin.addr").unwrap_or_else(|_| config.server.admin_bind.clone());
        // A second installation changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .build()?;
        Ok(Self { client, base: format!("http://{address}"), key })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<reqwest::Response> {
        let mut request =
            self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.with_context(|| {
            format!(
                "the running server does not answer on its admin listener {}; is it starting or stopping?",
                self.base
            )
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let error: Value = response.json().await.unwrap_or_default();
        bail!(
            "the running server answers {status}: {}",
            error["error"]["message"].as_str().unwrap_or("no reason given")
        )
    }

    /// Asks for JSON.
    ///
    /// # Errors
    /// When the server doesn't answer or refuses.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
    ) -> anyhow::Result<T> {
        let response = self.send(method, path, None).await?;
        response
            .json()
            .await
            .context("the running server's answer is not understood; is it another version?")
    }

    /// Writes what the server sends to a file or a pipe.
    ///
    /// # Errors
    /// When the server doesn't answer, refuses or breaks off, or it can't be written.
    pub(super) async fn download(
        &self,
        path: &str,
        to: &mut impl std::io::Write,
    ) -> anyhow::Result<()> {
        let mut response = self.send(Method::GET, path, None).await?;
        while let Some(piece) = response.chunk().await.context("the running server broke off")? {
            to.write_all(&piece)?;
        }
        Ok(to.flush()?)
    }

    /// Has the server do something that it answers with nothing.
    ///
    /// # Errors
    /// When the server doesn't answer or refuses.
    pub(super) async fn done(&self, method: Method, path: &str, body: Value) -> anyhow::Result<()> {
        self.send(method, path, Some(body)).await.map(drop)
    }

    /// Sends JSON and reads what comes back.
    ///
    /// # Errors
    /// When the server can't be reached, refuses, or answers something else.
    pub(super) async fn sending<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<T> {
        let response = self.send(method, path, Some(body.clone())).await?;
        response
            .json()
            .await
            .context("the running server's answer is not understood; is it another version?")
    }

    /// Has the server read documents.
    ///
    /// # Errors
    /// When the server doesn't answer, refuses, or the run fails.
    pub(super) async fn ingest(
        &self,
        site: &str,
        request: &IngestRequest,
        progress: &(dyn Fn(IngestProgress<'_>) + Sync),
    ) -> anyhow::Result<IngestReport> {
        let body = serde_json::to_value(request)?;
        let mut response =
            self.send(Method::POST, &format!("/v1/sites/{site}/ingest"), Some(body)).await?;
        let mut waiting = Vec::new();
        while let Some(piece) =
            response.chunk().await.context("the running server ended before its run did")?
        {
            waiting.extend_from_slice(&piece);
            while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = waiting.drain(..=end).collect();
                let line = serde_json::from_slice(&line);
                match line.context(
                    "the running server's answer is not understood; is it another version?",
                )? {
                    IngestLine::Found { files } => progress(IngestProgress::Found { files }),
                    IngestLine::File { path, number } => {
                        progress(IngestProgress::File { path: &path, number })
                    }
                    IngestLine::Written { passages } => {
                        progress(IngestProgress::Written { passages })
                    }
                    IngestLine::Done { report } => return Ok(report),
                    IngestLine::Failed { message } => bail!("the run failed: {message}"),
                }
            }
        }
        bail!("the running server ended before its run did")
    }
}
