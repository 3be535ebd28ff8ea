//! A visitor for measurements.

use std::net::SocketAddr;

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::protocol::{ClientMessage, ServerMessage};

pub(super) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub(super) async fn connect(addr: SocketAddr) -> anyhow::Result<Self> {
        let url = format!("ws://{addr}/v1/chat");
        let config = tokio_tungstenite::tungstenite::protocol::WebSocketConfig::default()
            .read_buffer_size(4096);
        let (socket, _) = tokio_tungstenite::connect_async_with_config(url, Some(config), true)
            .await
            .context("connecting")?;
        Ok(Self { socket })
    }

    pub(super) async fn hello(&mut self, site: &str) -> anyhow::Result<()> {
        self.send(&ClientMessage::Hello {
            site: site.into(),
            token: None,
            session: None,
            last_seq: 0,
            partial: None,
            source: None,
            attributes: None,
            language: None,
        })
        .await?;
        match self.next().await? {
            ServerMessage::Welcome { .. } => Ok(()),
            other => anyhow::bail!("no welcome but {other:?}"),
        }
    }

    pub(super) async fn send(&mut self, message: &ClientMessage) -> anyhow::Result<()> {
        let text = serde_json::to_string(message)?;
        self.socket.send(Message::Text(text.into())).await.context("sending")
    }

    pub(super) async fn next(&mut self) -> anyhow::Result<ServerMessage> {
        loop {
            match self.socket.next().await.context("the connection ended")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(_) => anyhow::bail!("the server closed the connection"),
                _ => {}
            }
        }
    }
}
