//! A server in this process or as the real binary, and a client with verbs. Everything waits for a
//! message, never for a duration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use frontdesk::clock::Clock;
use frontdesk::config::Config;
use frontdesk::protocol::{ClientMessage, ErrorCode, Partial, ServerMessage};
use frontdesk::server::Server;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Longest wait for anything; a test that needs it has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Where `scripts/models` put the models.
pub(crate) fn models() -> PathBuf {
    let cache = std::env::var_os("FRONTDESK_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        base.unwrap_or_else(|| {
            PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache")
        })
        .join("frontdesk")
    });
    cache.join("models")
}

/// A few documents with facts that a test can ask for.
pub(crate) const DOCUMENTS: &[(&str, &str)] = &[
    (
        "shipping.md",
        "# Shipping\n\n## Costs\n\nShipping within Ireland costs 4.90 EUR. Orders of 75 EUR or more ship free within Ireland.\n\n\
         ## Times\n\nA parcel within Ireland arrives after 1 to 2 working days.\n",
    ),
    (
        "returns.md",
        "# Returns\n\nUnused goods can be returned within 60 days. Refunds arrive within 5 working days after the parcel reached us.\n",
    ),
    (
        "tent.md",
        "# Tarn tent\n\n## Prices\n\n| Variant | Price | Weight |\n| --- | --- | --- |\n| Tarn 2 | 349 EUR | 1,900 g |\n| Tarn 3 | 429 EUR | 2,350 g |\n",
    ),
];

/// Writes the test documents where [`config`] looks for them.
pub(crate) fn write_documents(directory: &Path) {
    let knowledge = directory.join("knowledge");
    std::fs::create_dir_all(&knowledge).unwrap();
    for (name, text) in DOCUMENTS {
        std::fs::write(knowledge.join(name), text).unwrap();
    }
}

/// A configuration in its own directory: scripted engine, real embedder, embedded index, real
/// store.
pub(crate) fn config(directory: &Path) -> Config {
    let mut config = Config::default();
    config.server.bind = "127.0.0.1:0".into();
    config.server.admin_bind = "127.0.0.1:0".into();
    config.store.path = directory.join("store");
    config.knowledge.index = directory.join("index");
    config.knowledge.path = directory.join("knowledge");
    config.knowledge.uploads = directory.join("uploads");
    config.knowledge.watch_s = 0;
    // Tests of their own have them.
    config.knowledge.multilingual = PathBuf::new();
    config.knowledge.reranker = PathBuf::new();
    config.intent.models = directory.join("intent");
    config.embedder.model = models().join("all-minilm-l6-v2-f16.gguf");
    config.llm.engine = "scripted".into();
    config.llm.model = String::new();
    config.answers.prompts = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
    config.sessions.messages_per_minute = 1_000;
    config.sessions.events_per_minute = 1_000;
    config.sessions.connections_per_minute = 1_000;
    config.sites[0].id = "shop".into();
    config.sites[0].name = "Test shop".into();
    config
}

/// A server in this process.
pub(crate) struct TestServer {
    pub(crate) server: Option<Server>,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    /// Outlives the test: parts of the server that are dropped with the runtime still write there.
    pub(crate) directory: PathBuf,
}

/// A directory of this test process. Those of processes that are gone are removed.
pub(crate) fn directory() -> PathBuf {
    let base = std::env::temp_dir();
    for entry in std::fs::read_dir(&base).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix("frontdesk-test-").and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    tempfile::Builder::new()
        .prefix(&format!("frontdesk-test-{}-", std::process::id()))
        .tempdir_in(base)
        .unwrap()
        .keep()
}

impl TestServer {
    /// Starts one with the test documents.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts one with options of its own.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::at(1_700_000_000_000, change).await
    }

    /// Starts one at a time of its own, in milliseconds since the Unix epoch.
    pub(crate) async fn at(now_ms: u64, change: impl FnOnce(&mut Config)) -> Self {
        let directory = directory();
        write_documents(&directory);
        let mut config = config(&directory);
        change(&mut config);
        let mut this = Self { server: None, config, clock: Clock::manual(now_ms), directory };
        this.open().await;
        this
    }

    async fn open(&mut self) {
        let server = Server::start(self.config.clone(), self.clock.clone()).await.unwrap();
        for (_, report) in server.ingest(&self.config, &|_| {}).await.unwrap() {
            assert_eq!(report.failed.len(), 0, "{:?}", report.failed);
        }
        self.server = Some(server);
    }

    /// Stops it as SIGTERM does, and starts it again on the same files.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.open().await;
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await.unwrap();
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.as_ref().unwrap().addr
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }

    pub(crate) fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.as_ref().unwrap().admin_addr)
    }

    /// The admin key made at the first start.
    pub(crate) fn admin_key(&self) -> String {
        std::fs::read_to_string(self.directory.join("admin.key")).unwrap().trim().to_owned()
    }

    pub(crate) async fn client(&self) -> ChatClient {
        ChatClient::connect(self.addr()).await
    }
}

/// The real binary as its own process.
pub(crate) struct Binary {
    pub(crate) process: tokio::process::Child,
    pub(crate) addr: SocketAddr,
    pub(crate) admin_addr: SocketAddr,
}

impl Binary {
    /// Starts `frontdesk serve` and waits until it says that it is ready.
    pub(crate) async fn serve(config: &Path, arguments: &[&str]) -> Self {
        // The tests' own HTTP client needs a provider; a server in this process would have set it.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_frontdesk"))
            .arg("--config")
            .arg(config)
            .arg("serve")
            .args(arguments)
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(LIMIT, lines.next_line())
            .await
            .expect("ready in time")
            .unwrap()
            .expect("a line");
        let mut addresses = line
            .split("http://")
            .skip(1)
            .map(|rest| rest.split('/').next().unwrap().parse().unwrap());
        let mut address = || addresses.next().expect("an address");
        Self { process, addr: address(), admin_addr: address() }
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }

    /// SIGTERM; gives the exit code.
    pub(crate) async fn terminate(mut self) -> Option<i32> {
        let id = self.process.id().expect("it runs").to_string();
        assert!(
            std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success()
        );
        tokio::time::timeout(LIMIT, self.process.wait())
            .await
            .expect("stops in time")
            .unwrap()
            .code()
    }
}

/// Writes a configuration where the binary reads it.
pub(crate) fn write_config(directory: &Path, config: &Config) -> PathBuf {
    let path = directory.join("config.toml");
    std::fs::write(&path, toml::to_string(config).unwrap()).unwrap();
    path
}

/// A visitor with a socket.
pub(crate) struct ChatClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) addr: SocketAddr,
    pub(crate) session: String,
    pub(crate) token: String,
    pub(crate) last_seq: u64,
}

impl ChatClient {
    /// Connects without a word.
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        Self::connect_from(addr, None).await.unwrap()
    }

    /// Connects as a page of this origin.
    pub(crate) async fn connect_from(
        addr: SocketAddr,
        origin: Option<&str>,
    ) -> Result<Self, tungstenite::Error> {
        let mut request = format!("ws://{addr}/v1/chat").into_client_request()?;
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Self { socket, addr, session: String::new(), token: String::new(), last_seq: 0 })
    }

    /// Resumes with the smallest receive buffer that the system gives: what isn't read soon piles
    /// up at the server.
    pub(crate) async fn resume_slowly(&self) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1).unwrap();
        let stream = MaybeTlsStream::Plain(socket.connect(self.addr).await.unwrap());
        let request = format!("ws://{}/v1/chat", self.addr).into_client_request().unwrap();
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let (session, token) = (self.session.clone(), self.token.clone());
        let mut client = Self { socket, addr: self.addr, session, token, last_seq: 0 };
        client.send_hello(0, None).await;
        client
    }

    /// Begins a conversation.
    pub(crate) async fn hello(self) -> Self {
        self.hello_on(None).await
    }

    /// Begins a conversation on a page in a language.
    pub(crate) async fn hello_on(mut self, language: Option<&str>) -> Self {
        self.send(&ClientMessage::Hello {
            site: "shop".into(),
            token: None,
            session: None,
            last_seq: 0,
            partial: None,
            source: None,
            attributes: None,
            language: language.map(str::to_owned),
        })
        .await;
        self.welcomed().await;
        self
    }

    /// Connects again and resumes.
    pub(crate) async fn resume(&self, partial: Option<Partial>) -> Self {
        self.resume_at(self.addr, self.last_seq, partial).await
    }

    /// Resumes elsewhere, having seen everything up to `last_seq`.
    pub(crate) async fn resume_at(
        &self,
        addr: SocketAddr,
        last_seq: u64,
        partial: Option<Partial>,
    ) -> Self {
        let mut client = Self::connect(addr).await;
        (client.session, client.token) = (self.session.clone(), self.token.clone());
        client.send_hello(last_seq, partial).await;
        client
    }

    /// Resumes the client's own session.
    async fn send_hello(&mut self, last_seq: u64, partial: Option<Partial>) {
        let (token, session) = (Some(self.token.clone()), Some(self.session.clone()));
        self.send(&ClientMessage::Hello {
            site: "shop".into(),
            token,
            session,
            last_seq,
            partial,
            source: None,
            attributes: None,
            language: None,
        })
        .await;
        self.welcomed().await;
        self.last_seq = last_seq;
    }

    async fn welcomed(&mut self) {
        match self.next().await {
            ServerMessage::Welcome { session, token, .. } => {
                self.session = session;
                self.token = token;
            }
            other => panic!("no welcome but {other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, message: &ClientMessage) {
        self.send_raw(Message::Text(serde_json::to_string(message).unwrap().into())).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Sends, unless the connection is gone.
    pub(crate) async fn try_send(
        &mut self,
        message: &ClientMessage,
    ) -> Result<(), tungstenite::Error> {
        self.socket.send(Message::Text(serde_json::to_string(message).unwrap().into())).await
    }

    pub(crate) async fn say(&mut self, id: &str, text: &str) {
        self.send(&ClientMessage::Message { id: id.into(), text: text.into() }).await;
    }

    /// The next message; panics if the connection ends first.
    pub(crate) async fn next(&mut self) -> ServerMessage {
        self.try_next().await.expect("the connection ended")
    }

    /// The next message, or `None` when the connection ends.
    pub(crate) async fn try_next(&mut self) -> Option<ServerMessage> {
        // Pings are no messages: a server that goes on pinging doesn't extend the wait.
        let limit = tokio::time::Instant::now() + LIMIT;
        loop {
            let frame = tokio::time::timeout_at(limit, self.socket.next())
                .await
                .expect("a message in time")?;
            match frame.ok()? {
                Message::Text(text) => {
                    let message = serde_json::from_str(&text)
                        .unwrap_or_else(|error| panic!("{error}: {text}"));
                    self.note(&message);
                    return Some(message);
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    fn note(&mut self, message: &ServerMessage) {
        self.last_seq = self.last_seq.max(seq_of(message).unwrap_or_default());
    }

    /// The seq of the next message that has one.
    pub(crate) async fn next_seq(&mut self) -> u64 {
        self.until(seq_of).await
    }

    /// Passes over messages until one is wanted.
    pub(crate) async fn until<T>(
        &mut self,
        mut want: impl FnMut(&ServerMessage) -> Option<T>,
    ) -> T {
        loop {
            let message = self.next().await;
            if let Some(found) = want(&message) {
                return found;
            }
        }
    }

    /// Waits for the acknowledgement of a message.
    pub(crate) async fn acked(&mut self, wanted: &str) -> u64 {
        self.until(|message| match message {
            ServerMessage::Ack { id, seq } if id == wanted => Some(*seq),
            ServerMessage::Error { code, message, .. } => panic!("{code:?}: {message}"),
            _ => None,
        })
        .await
    }

    /// Waits for the end of an answer.
    pub(crate) async fn done(&mut self) -> ServerMessage {
        self.until(|message| {
            matches!(message, ServerMessage::AnswerDone { .. }).then(|| message.clone())
        })
        .await
    }

    /// Asks, and gives the whole answer.
    pub(crate) async fn ask(&mut self, id: &str, text: &str) -> ServerMessage {
        self.say(id, text).await;
        self.acked(id).await;
        self.done().await
    }

    /// Waits for an error.
    pub(crate) async fn error(&mut self) -> (ErrorCode, String) {
        self.until(|message| match message {
            ServerMessage::Error { code, message, .. } => Some((*code, message.clone())),
            _ => None,
        })
        .await
    }

    /// The code of the close frame.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        let limit = tokio::time::Instant::now() + LIMIT;
        loop {
            match tokio::time::timeout_at(limit, self.socket.next()).await.expect("a close in time")
            {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}

fn seq_of(message: &ServerMessage) -> Option<u64> {
    match message {
        ServerMessage::Ack { seq, .. }
        | ServerMessage::Message { seq, .. }
        | ServerMessage::AnswerStarted { seq, .. }
        | ServerMessage::AnswerDone { seq, .. }
        | ServerMessage::HumanRequested { seq, .. }
        | ServerMessage::Handoff { seq, .. }
        | ServerMessage::AgentJoined { seq, .. }
        | ServerMessage::AgentLeft { seq, .. }
        | ServerMessage::AgentMessage { seq, .. }
        | ServerMessage::FeedbackReceived { seq, .. }
        | ServerMessage::Ended { seq, .. } => Some(*seq),
        _ => None,
    }
}

/// The text of a finished answer and the documents it cites.
pub(crate) fn answer(message: &ServerMessage) -> (String, Vec<String>) {
    match message {
        ServerMessage::AnswerDone { text, citations, .. } => {
            (text.clone(), citations.iter().map(|citation| citation.document.clone()).collect())
        }
        other => panic!("no answer but {other:?}"),
    }
}
