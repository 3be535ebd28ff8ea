//! `frontdesk chat`: a conversation in a terminal, or a question from a script.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::cli::output::Output;
use crate::config::Config;
use crate::language::script::is_direction;
use crate::protocol::parts::{AnswerEnd, Citation, Usage};
use crate::protocol::{ClientMessage, ErrorCode, MAX_MESSAGE_CHARS, ServerMessage};
use crate::secret::random_id;
use conversation::{Answer, Conversation, News};

pub mod conversation;

/// Talk to a running server in the terminal, or ask it one question.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  frontdesk chat                                        a conversation; /help lists its commands
  frontdesk chat --once \"What does shipping cost?\"      the answer on stdout, its sources on stderr
  frontdesk chat --once \"…\" --json | jq .citations      everything about the answer
  frontdesk chat --json < questions.txt > answers.jsonl  a question a line, one conversation

Ctrl-C stops the answer that is being written; a second one quits.
Exit codes: 0 answered, 3 declined (the knowledge holds no answer), 1 failed. From a pipe: 1 if any
failed, else 3 if any was declined.
Only ws:// is spoken: to reach a server behind TLS, run this on the server's side of the proxy.")]
pub struct ChatArgs {
    /// The server's address; left out, the one that the configuration serves at, or else
    /// ws://127.0.0.1:8080/v1/chat.
    #[arg(long, env = "FRONTDESK_URL")]
    pub url: Option<String>,
    /// The site to talk to, as config.toml names it; left out, its first one.
    #[arg(long)]
    pub site: Option<String>,
    /// Ask this, print the answer and end.
    #[arg(long, value_name = "QUESTION")]
    pub once: Option<String>,
    /// Print a JSON object for each answer; with --once or questions from a pipe.
    #[arg(long)]
    pub json: bool,
    /// Longest time for an answer, with --once and from a pipe.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub timeout: u64,
    /// Who you are: the token of an earlier conversation, or a JWT signed by the site. Without one
    /// you are a new visitor.
    #[arg(long, env = "FRONTDESK_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// Longest time for a connection and for one write.
const NETWORK_LIMIT: Duration = Duration::from_secs(10);
/// The server pings every 20 s: this much silence means that it is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// Shortest and longest wait before another connection.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// Orders and news that may wait between the connection and the screen; both sides are emptied all
/// the time.
const QUEUE: usize = 64;

/// Runs the command.
///
/// # Errors
/// When the server can't be reached, refuses the visitor, or gives no answer in time; the text says
/// what to do.
pub async fn run(args: ChatArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let target = target(&args, config)?;
    let typing = std::io::stdin().is_terminal();
    if args.json && args.once.is_none() && typing {
        bail!(
            "--json is for scripts: give it a question with --once, or questions from a pipe, one a line"
        );
    }
    let conversation = Conversation::new(target.site.clone(), args.token.clone());
    let limit = Duration::from_secs(args.timeout);
    let mut chat = Chat::open(target.url.clone(), conversation, limit);
    let code = if let Some(question) = &args.once {
        chat.answer(question, args.json).await
    } else if typing {
        chat.converse(&target).await
    } else {
        chat.answer_lines(args.json).await
    };
    chat.close().await;
    code.map(ExitCode::from)
}

/// Where to, and whom to talk to.
struct Target {
    url: String,
    site: String,
}

/// What the arguments leave out is as the configuration has it, if there is one: this client may
/// run far from the server.
fn target(args: &ChatArgs, config: &Path) -> anyhow::Result<Target> {
    let known = if config.exists() && (args.url.is_none() || args.site.is_none()) {
        match Config::load(config) {
            Ok(known) => Some(known),
            Err(error) if args.url.is_none() => return Err(error),
            Err(_) => None,
        }
    } else {
        None
    };
    let url = match (&args.url, &known) {
        (Some(url), _) => address(url)?,
        (None, Some(known)) => address(&reachable(&known.server.bind))?,
        (None, None) => address("127.0.0.1:8080")?,
    };
    // Another server has sites of its own.
    let first =
        known.filter(|_| args.url.is_none()).and_then(|known| known.sites.into_iter().next());
    let site = args.site.clone().or(first.map(|site| site.id)).unwrap_or_else(|| "default".into());
    Ok(Target { url, site })
}

/// An address to connect to for one that is listened on: "every address of this machine" is none.
fn reachable(bind: &str) -> String {
    match bind.rsplit_once(':') {
        Some(("0.0.0.0" | "[::]" | "", port)) => format!("127.0.0.1:{port}"),
        _ => bind.to_owned(),
    }
}

/// The address with what people leave out. Only `ws` is spoken.
fn address(text: &str) -> anyhow::Result<String> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://").unwrap_or(("ws", text));
    if scheme == "wss" || scheme == "https" {
        bail!(
            "{text}: this client speaks no TLS; connect to the server's own port with ws://, behind the proxy"
        );
    }
    if scheme != "ws" && scheme != "http" {
        bail!("{text} is no address of a server; it looks like ws://127.0.0.1:8080/v1/chat");
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.is_empty() || host.contains(char::is_whitespace) {
        bail!("{text} names no host; it looks like ws://127.0.0.1:8080/v1/chat");
    }
    Ok(format!("ws://{host}/{}", if path.is_empty() { "v1/chat" } else { path }))
}

/// What the screen wants of the connection.
enum Order {
    Say { id: String, text: String },
    Send(ClientMessage),
}

/// What the connection tells the screen.
enum Report {
    News(News),
    Lost {
        why: String,
    },
    Again,
    /// Another conversation began, since the old one is over or forgotten.
    Anew,
}

/// The front of a conversation. The connection is a future that runs while something is awaited
/// here.
struct Chat {
    /// `None` once it has ended.
    link: Option<Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>>,
    orders: mpsc::Sender<Order>,
    reports: mpsc::Receiver<Report>,
    session: tokio::sync::watch::Receiver<String>,
    limit: Duration,
    screen: Screen,
}

/// An answer as JSON.
#[derive(Serialize)]
struct Answered<'a> {
    question: &'a str,
    answer: &'a str,
    citations: &'a [Citation],
    confidence: f32,
    end: AnswerEnd,
    usage: Usage,
    turn: u64,
    session: &'a str,
    ms_to_first_text: Option<u64>,
    ms_total: u64,
}

impl Chat {
    fn open(url: String, conversation: Conversation, limit: Duration) -> Self {
        let (orders, wanted) = mpsc::channel(QUEUE);
        let (news, reports) = mpsc::channel(QUEUE);
        let (named, session) = tokio::sync::watch::channel(String::new());
        let link = Link {
            url,
            conversation,
            orders: wanted,
            reports: news,
            session: named,
            attempt: 0,
            said_lost: false,
        };
        Self {
            link: Some(Box::pin(link.run())),
            orders,
            reports,
            session,
            limit,
            screen: Screen::new(),
        }
    }

    /// The next report. Nothing is lost if this is dropped before it ends.
    async fn report(&mut self) -> anyhow::Result<Report> {
        let Some(link) = &mut self.link else { bail!("the connection has ended") };
        let ended = tokio::select! {
            biased;
            Some(report) = self.reports.recv() => return Ok(report),
            ended = link => ended,
        };
        self.link = None;
        ended?;
        bail!("the connection has ended")
    }

    fn order(&self, order: Order) -> anyhow::Result<()> {
        self.orders.try_send(order).map_err(|_| {
            anyhow::anyhow!("too much waits to be sent; try again when the server answers")
        })
    }

    /// Says something; the id it goes by.
    fn say(&self, text: &str) -> anyhow::Result<String> {
        let chars = text.chars().count();
        if chars > MAX_MESSAGE_CHARS {
            bail!("the question has {chars} characters; at most {MAX_MESSAGE_CHARS} are taken");
        }
        let id = random_id();
        self.order(Order::Say { id: id.clone(), text: text.to_owned() })?;
        Ok(id)
    }

    /// Sends what waits and says goodbye to the server, if it still listens.
    async fn close(self) {
        drop((self.orders, self.reports));
        if let Some(link) = self.link {
            let _ = tokio::time::timeout(Duration::from_secs(1), link).await;
        }
    }

    /// Asks one question and prints its answer. The exit code.
    async fn answer(&mut self, question: &str, json: bool) -> anyhow::Result<u8> {
        let question = question.trim();
        if question.is_empty() {
            bail!("the question is empty");
        }
        let began = Instant::now();
        let asked = self.say(question)?;
        let deadline = tokio::time::sleep(self.limit);
        tokio::pin!(deadline);
        let (mut ours, mut first, mut stopping) = (None, None, false);
        let answer = loop {
            let report = tokio::select! {
                report = self.report() => report?,
                () = &mut deadline => {
                    if let Some(turn) = ours {
                        let _ = self.order(Order::Send(ClientMessage::Cancel { turn }));
                    }
                    bail!("no answer came within {} s; is the server overloaded? --timeout waits longer", self.limit.as_secs());
                }
                _ = tokio::signal::ctrl_c() => {
                    match ours {
                        Some(turn) if !stopping => self.order(Order::Send(ClientMessage::Cancel { turn }))?,
                        _ => bail!("stopped"),
                    }
                    stopping = true;
                    continue;
                }
            };
            match report {
                Report::News(News::Taken { id, turn }) if id == asked => ours = Some(turn),
                Report::News(News::Text { turn, text }) if ours.is_none_or(|ours| ours == turn) => {
                    if !text.is_empty() {
                        first.get_or_insert_with(|| began.elapsed());
                    }
                    if !json {
                        self.screen.stream(&text)?;
                    }
                }
                Report::News(News::Done(answer)) if ours.is_none_or(|ours| ours == answer.turn) => {
                    break answer;
                }
                Report::News(News::Refused { code, message, id, .. })
                    if id.as_ref() == Some(&asked) =>
                {
                    bail!("{}: {}", name(code), clean(&message));
                }
                Report::News(News::Waiting { place, .. }) => {
                    self.screen.notice(&format!("waiting: place {place} in line"))
                }
                Report::News(News::Withheld { .. }) => self.screen.withheld += 1,
                Report::News(_) | Report::Anew => {}
                Report::Lost { why } => self.screen.notice(&format!("{why}; trying again")),
                Report::Again => self.screen.notice("connected again; the answer goes on"),
            }
        };
        let total = began.elapsed();
        if json {
            let answered = Answered {
                question,
                answer: &answer.text,
                citations: &answer.citations,
                confidence: answer.confidence,
                end: answer.end,
                usage: answer.usage,
                turn: answer.turn,
                session: &self.session.borrow().clone(),
                ms_to_first_text: first
                    .or_else(|| (!answer.text.is_empty()).then_some(total))
                    .map(millis),
                ms_total: millis(total),
            };
            self.screen.line(&serde_json::to_string(&answered)?)?;
        } else {
            self.screen.answer(&answer)?;
        }
        Ok(code(answer.end))
    }

    /// Answers questions from a pipe, one a line. The highest exit code.
    async fn answer_lines(&mut self, json: bool) -> anyhow::Result<u8> {
        let mut lines = stdin_lines()?;
        let mut worst = None;
        while let Some(line) = lines.recv().await {
            let line = line.context("reading questions from stdin")?;
            if line.trim().is_empty() {
                continue;
            }
            let found = self.answer(&line, json).await?;
            if !json {
                self.screen.line("")?;
            }
            // A failure outranks an answer that was declined.
            worst = Some(if found == 1 || worst == Some(1) {
                1
            } else {
                found.max(worst.unwrap_or(0))
            });
        }
        worst.context("stdin held no question; give one a line, or one with --once")
    }

    /// The conversation in the terminal.
    async fn converse(&mut self, target: &Target) -> anyhow::Result<u8> {
        let mut lines = stdin_lines()?;
        let (mut running, mut stopping) = (None, false);
        loop {
            let report = tokio::select! {
                report = self.report() => report?,
                line = lines.recv() => {
                    let Some(line) = line else { break };
                    let line = line.context("reading from the terminal")?;
                    self.screen.entered();
                    match line.trim() {
                        "" => self.screen.prompt()?,
                        "/quit" | "/exit" => break,
                        "/human" => self.order(Order::Send(ClientMessage::Human {}))?,
                        "/end" => self.order(Order::Send(ClientMessage::End { session: None }))?,
                        "/help" => {
                            self.screen.line(HELP)?;
                            self.screen.prompt()?;
                        }
                        command if command.starts_with('/') && !command.contains(char::is_whitespace) => {
                            self.screen.notice(&format!("{command} is no command; /help lists them"));
                            self.screen.prompt()?;
                        }
                        text => match self.say(text) {
                            Ok(_) => {}
                            Err(error) => {
                                self.screen.notice(&error.to_string());
                                self.screen.prompt()?;
                            }
                        },
                    }
                    continue;
                }
                _ = tokio::signal::ctrl_c() => {
                    match running {
                        Some(turn) if !stopping => {
                            stopping = true;
                            self.order(Order::Send(ClientMessage::Cancel { turn }))?;
                        }
                        _ => break,
                    }
                    continue;
                }
            };
            match report {
                Report::News(news) => {
                    match &news {
                        News::Started { turn } | News::Text { turn, .. }
                            if running != Some(*turn) =>
                        {
                            (running, stopping) = (Some(*turn), false);
                        }
                        News::Done(answer) if running == Some(answer.turn) => {
                            (running, stopping) = (None, false)
                        }
                        News::Welcome if !self.screen.greeted => {
                            self.screen.greeted = true;
                            let site = &target.site;
                            self.screen.notice(&format!(
                                "Connected to {site} at {}. Ask a question; /help lists the commands.",
                                target.url
                            ));
                            self.screen.prompt()?;
                        }
                        _ => {}
                    }
                    self.show(news)?;
                }
                Report::Lost { why } => self.screen.notice(&format!("{why}; trying again")),
                Report::Again => self.screen.notice("connected again; the conversation goes on"),
                Report::Anew => {
                    (running, stopping) = (None, false);
                    self.screen.notice("this is a new conversation");
                }
            }
        }
        self.screen.leave()?;
        Ok(0)
    }

    fn show(&mut self, news: News) -> anyhow::Result<()> {
        match news {
            News::Text { text, .. } => self.screen.stream(&text)?,
            News::Waiting { place, .. } => {
                self.screen.notice(&format!("waiting: place {place} in line"))
            }
            News::Thinking => self.screen.notice("thinking"),
            News::Withheld { .. } => self.screen.withheld += 1,
            News::Done(answer) => {
                self.screen.answer(&answer)?;
                self.screen.prompt()?;
            }
            News::PersonAsked => {
                self.screen.notice(
                    "your wish to talk to a person is noted; you can go on asking meanwhile",
                );
                self.screen.prompt()?;
            }
            News::Person(text) => {
                self.screen.notice(&clean(&text));
                self.screen.prompt()?;
            }
            News::Ended { reason } => {
                let reason = if reason == "expired" { " after a long silence" } else { "" };
                self.screen.notice(&format!(
                    "the conversation has ended{reason}; your next question begins a new one"
                ));
                self.screen.prompt()?;
            }
            // A stop that came too late needs no words; what is over is begun anew by the
            // connection.
            News::Refused { code: ErrorCode::UnknownTurn, .. } => {}
            News::Refused { code, message, retry_after_ms, .. } => {
                let wait = retry_after_ms
                    .map_or(String::new(), |ms| format!(" (in {} s)", ms.div_ceil(1000)));
                self.screen.notice(&format!("{}: {}{wait}", name(code), clean(&message)));
                self.screen.prompt()?;
            }
            News::Welcome
            | News::Taken { .. }
            | News::Started { .. }
            | News::Gap
            | News::Nothing => {}
        }
        Ok(())
    }
}

const HELP: &str = "  /human  ask for a person
  /end    end this conversation; the next question begins a new one
  /quit   leave (or Ctrl-D)
  Ctrl-C  stop the answer; when none is being written, leave";

/// The connection's side: opens sockets, and opens them again.
struct Link {
    url: String,
    conversation: Conversation,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<Report>,
    session: tokio::sync::watch::Sender<String>,
    /// Failures since a connection last worked.
    attempt: u32,
    said_lost: bool,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How a connection ended.
enum Ended {
    /// Nobody wants it any more.
    Done,
    /// It broke, or the server wants us to come back, not before `wait`.
    Lost { why: String, wait: Duration },
    /// The conversation is over; another one begins.
    Anew,
}

impl Link {
    async fn run(mut self) -> anyhow::Result<()> {
        loop {
            let ended = match connect(&self.url).await {
                Ok(socket) => self.serve(socket).await?,
                Err(why) if self.conversation.session.is_none() => {
                    bail!(
                        "can't reach the server at {}: {why}. Is it running? Start it with scripts/start, or name another with --url",
                        self.url
                    )
                }
                Err(why) => Ended::Lost {
                    why: format!("the server can't be reached ({why})"),
                    wait: Duration::ZERO,
                },
            };
            match ended {
                Ended::Done => return Ok(()),
                Ended::Anew => {
                    self.conversation.leave();
                    self.report(Report::Anew).await;
                }
                Ended::Lost { why, wait } => {
                    // Said once, however many attempts it takes.
                    if !std::mem::replace(&mut self.said_lost, true) {
                        self.report(Report::Lost { why }).await;
                    }
                    let most = BACKOFF.0.saturating_mul(1 << self.attempt.min(10)).min(BACKOFF.1);
                    self.attempt += 1;
                    // Jitter, so that a restarted server doesn't see everybody at once.
                    let pause = wait.max(most.mul_f64(0.5 + rand::random::<f64>() / 2.0));
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.reports.closed() => return Ok(()),
                    }
                }
            }
        }
    }

    async fn report(&self, report: Report) {
        // A screen that is gone is noticed where orders are awaited.
        let _ = self.reports.send(report).await;
    }

    /// One connection, from hello to its end.
    async fn serve(&mut self, mut socket: Socket) -> anyhow::Result<Ended> {
        if let Err(ended) = send(&mut socket, &self.conversation.hello()).await {
            return Ok(ended);
        }
        let mut welcomed = false;
        loop {
            let frame = tokio::select! {
                frame = tokio::time::timeout(SILENCE, socket.next()) => frame,
                // Orders wait until the server has let us in.
                order = self.orders.recv(), if welcomed => {
                    let message = match order {
                        None => {
                            let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
                            return Ok(Ended::Done);
                        }
                        Some(Order::Send(message)) => message,
                        Some(Order::Say { id, text }) => {
                            let message = self.conversation.say(id, text);
                            if self.conversation.ended {
                                return Ok(Ended::Anew);
                            }
                            message
                        }
                    };
                    match send(&mut socket, &message).await {
                        Ok(()) => continue,
                        Err(ended) => return Ok(ended),
                    }
                }
            };
            let text = match frame {
                Err(_) => return Ok(lost("the server has gone silent")),
                Ok(None | Some(Ok(Message::Close(_)) | Err(tungstenite::Error::Protocol(_)))) => {
                    return Ok(lost("the connection was closed"));
                }
                Ok(Some(Err(error))) => {
                    return Ok(lost(&format!("the connection broke ({error})")));
                }
                Ok(Some(Ok(Message::Text(text)))) => text,
                Ok(Some(Ok(_))) => continue,
            };
            // A newer server may say more than this client knows.
            let Ok(message) = serde_json::from_str::<ServerMessage>(text.as_str()) else {
                continue;
            };
            let news = self.conversation.apply(message);
            match &news {
                News::Welcome => {
                    welcomed = true;
                    self.attempt = 0;
                    self.session
                        .send_replace(self.conversation.session.clone().unwrap_or_default());
                    if std::mem::take(&mut self.said_lost) {
                        self.report(Report::Again).await;
                    }
                    for message in self.conversation.unacknowledged().collect::<Vec<_>>() {
                        if let Err(ended) = send(&mut socket, &message).await {
                            return Ok(ended);
                        }
                    }
                }
                News::Gap => return Ok(lost("part of the answer got lost")),
                News::Refused { code, message, retry_after_ms, id } => {
                    let wait = Duration::from_millis(retry_after_ms.unwrap_or(0));
                    match code {
                        ErrorCode::Draining => {
                            return Ok(Ended::Lost { why: "the server restarts".into(), wait });
                        }
                        ErrorCode::Overloaded | ErrorCode::StorageFailed
                            if !welcomed && self.conversation.session.is_some() =>
                        {
                            return Ok(Ended::Lost { why: clean(message), wait });
                        }
                        ErrorCode::TooSlow => {
                            return Ok(Ended::Lost { why: "we read too slowly".into(), wait });
                        }
                        ErrorCode::SessionEnded
                            if id.is_some() && self.conversation.last_seq > 0 =>
                        {
                            return Ok(Ended::Anew);
                        }
                        ErrorCode::UnknownSession
                            if !welcomed && self.conversation.session.is_some() =>
                        {
                            return Ok(Ended::Anew);
                        }
                        _ if !welcomed => bail!("{}: {}", name(*code), clean(message)),
                        _ => {}
                    }
                }
                _ => {}
            }
            self.report(Report::News(news)).await;
        }
    }
}

fn lost(why: &str) -> Ended {
    Ended::Lost { why: why.into(), wait: Duration::ZERO }
}

async fn connect(url: &str) -> Result<Socket, String> {
    match tokio::time::timeout(
        NETWORK_LIMIT,
        tokio_tungstenite::connect_async_with_config(url, None, true),
    )
    .await
    {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(tungstenite::Error::Http(response))) => Err(match response.status().as_u16() {
            503 => "it has no room or is restarting (503)".into(),
            status => format!("it answers {status}; the path of the chat is /v1/chat"),
        }),
        Ok(Err(tungstenite::Error::Io(error))) => Err(error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", NETWORK_LIMIT.as_secs())),
    }
}

async fn send(socket: &mut Socket, message: &ClientMessage) -> Result<(), Ended> {
    let text = serde_json::to_string(message)
        .map_err(|error| lost(&format!("a message can't be written ({error})")))?;
    match tokio::time::timeout(NETWORK_LIMIT, socket.send(Message::Text(text.into()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(lost(&format!("the connection broke ({error})"))),
        Err(_) => Err(lost("the server takes nothing")),
    }
}

/// Lines of stdin. The thread isn't joined: a read from a terminal can't be interrupted, and ends
/// with the process.
fn stdin_lines() -> anyhow::Result<mpsc::Receiver<std::io::Result<String>>> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::Builder::new()
        .name("stdin".into())
        .spawn(move || {
            for line in std::io::stdin().lock().lines() {
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        })
        .context("starting a thread that reads stdin")?;
    Ok(lines)
}

/// The terminal, or what stands in its place.
struct Screen {
    /// Stdout is a terminal: answers stream. A pipe gets each answer whole.
    streams: bool,
    colour: bool,
    greeted: bool,
    /// What stands of the running answer.
    shown: String,
    /// The cursor is behind a prompt.
    prompted: bool,
    /// Sentences of the running answer that the server didn't send.
    withheld: u32,
}

impl Screen {
    fn new() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let streams = std::io::stdout().is_terminal();
        let colour = !plain && std::io::stderr().is_terminal();
        Self { streams, colour, greeted: false, shown: String::new(), prompted: false, withheld: 0 }
    }

    fn write(text: &str) -> anyhow::Result<()> {
        Output.write_all(text.as_bytes()).and_then(|()| Output.flush()).context("writing to stdout")
    }

    fn line(&mut self, text: &str) -> anyhow::Result<()> {
        self.new_line()?;
        Self::write(&format!("{text}\n"))
    }

    fn prompt(&mut self) -> anyhow::Result<()> {
        self.new_line()?;
        if !self.streams {
            return Ok(());
        }
        self.prompted = true;
        Self::write(if self.colour { "\x1b[1m›\x1b[0m " } else { "> " })
    }

    /// The visitor ended the prompt's line.
    fn entered(&mut self) {
        self.prompted = false;
    }

    /// Ends a line that is under way.
    fn new_line(&mut self) -> anyhow::Result<()> {
        let open = self.streams && !self.shown.is_empty() && !self.shown.ends_with('\n');
        if std::mem::take(&mut self.prompted) || open {
            self.shown.clear();
            return Self::write("\n");
        }
        self.shown.clear();
        Ok(())
    }

    /// The answer so far. Words that a restarted server took back can't be unprinted: the answer is
    /// printed again.
    fn stream(&mut self, text: &str) -> anyhow::Result<()> {
        if !self.streams {
            return Ok(());
        }
        let text = clean(text);
        if let Some(new) = text.strip_prefix(&self.shown) {
            if std::mem::take(&mut self.prompted) {
                Self::write("\n")?;
            }
            Self::write(new)?;
            self.shown = text;
        } else if !self.shown.starts_with(&text) {
            self.new_line()?;
            self.notice("the answer changed; it reads now:");
            Self::write(&text)?;
            self.shown = text;
        }
        Ok(())
    }

    /// The rest of an answer, and the end of its line.
    fn finish(&mut self, text: &str) -> anyhow::Result<()> {
        if self.streams {
            self.stream(text)?;
            return self.new_line();
        }
        if text.is_empty() { Ok(()) } else { Self::write(&format!("{}\n", clean(text))) }
    }

    /// A whole answer; what is to be known about it goes to stderr.
    fn answer(&mut self, answer: &Answer) -> anyhow::Result<()> {
        self.finish(&answer.text)?;
        for citation in &answer.citations {
            self.notice(&source(citation));
        }
        match std::mem::take(&mut self.withheld) {
            0 => {}
            1 => self.notice("one sentence was left out: the sources don't support it"),
            n => {
                self.notice(&format!("{n} sentences were left out: the sources don't support them"))
            }
        }
        if let Some(remark) = remark(answer.end) {
            self.notice(remark);
        }
        Ok(())
    }

    /// Something about the answer, on stderr. A running answer is begun again below it.
    fn notice(&mut self, text: &str) {
        let before =
            if std::mem::take(&mut self.prompted) || (self.streams && !self.shown.is_empty()) {
                "\n"
            } else {
                ""
            };
        self.shown.clear();
        let text = if self.colour {
            format!("{before}\x1b[2m{text}\x1b[0m\n")
        } else {
            format!("{before}{text}\n")
        };
        // Stderr is gone: there is nobody to tell.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    fn leave(&mut self) -> anyhow::Result<()> {
        self.new_line()
    }
}

/// Text of others, without what would steer a terminal.
fn clean(text: &str) -> String {
    let steers = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_direction(c);
    text.chars().filter(|&c| !steers(c)).collect()
}

/// `[1] Returns › Costs (https://shop.example/returns)`; what only came close, behind "see also".
fn source(citation: &Citation) -> String {
    let title = if citation.title.is_empty() { &citation.document } else { &citation.title };
    // A document's first heading is often its title again.
    let again = citation.headings.first() == Some(title);
    let path: Vec<&str> = std::iter::once(title.as_str())
        .chain(citation.headings.iter().skip(usize::from(again)).map(String::as_str))
        .collect();
    let is_web = |url: &&String| url.starts_with("https://") || url.starts_with("http://");
    let url = citation.url.as_ref().filter(is_web).map_or(String::new(), |url| format!(" ({url})"));
    let also = if citation.related { "see also " } else { "" };
    clean(&format!("[{}] {also}{}{url}", citation.n, path.join(" › "))).replace('\n', " ")
}

fn remark(end: AnswerEnd) -> Option<&'static str> {
    match end {
        AnswerEnd::Complete | AnswerEnd::Declined | AnswerEnd::Clarified | AnswerEnd::SmallTalk => {
            None
        }
        AnswerEnd::Length => Some("the answer reached its greatest length"),
        AnswerEnd::Cancelled => Some("stopped"),
        AnswerEnd::Superseded => Some("stopped for the next question"),
        AnswerEnd::TakenOver => Some("stopped: a person takes over"),
        AnswerEnd::Failed => Some("the server failed to finish this answer; its log says why"),
    }
}

fn code(end: AnswerEnd) -> u8 {
    match end {
        AnswerEnd::Complete | AnswerEnd::Length | AnswerEnd::Clarified | AnswerEnd::SmallTalk => 0,
        AnswerEnd::Declined => 3,
        AnswerEnd::Cancelled | AnswerEnd::Superseded | AnswerEnd::TakenOver | AnswerEnd::Failed => {
            1
        }
    }
}

/// A code as the protocol spells it.
fn name(code: ErrorCode) -> String {
    serde_json::to_value(code)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_address(text: &str, expected: Result<&str, &str>) {
        match (address(text), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
            (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn addresses_are_completed_and_tls_is_refused_in_words() {
        check_address("ws://127.0.0.1:8080/v1/chat", Ok("ws://127.0.0.1:8080/v1/chat"));
        check_address("ws://localhost:8080", Ok("ws://localhost:8080/v1/chat"));
        check_address("http://localhost:8080/", Ok("ws://localhost:8080/v1/chat"));
        check_address("localhost:8080", Ok("ws://localhost:8080/v1/chat"));
        check_address("ws://[::1]:8080/desk/v1/chat", Ok("ws://[::1]:8080/desk/v1/chat"));
        check_address("wss://shop.example/v1/chat", Err("no TLS"));
        check_address("ftp://shop.example", Err("looks like ws://"));
        check_address("ws:///v1/chat", Err("no host"));
    }

    fn check_clean(text: &str, expected: &str) {
        assert_eq!(clean(text), expected, "{text:?}");
    }

    #[test]
    fn nothing_that_arrives_steers_the_terminal() {
        check_clean("two\nlines\tand 家 🏕️", "two\nlines\tand 家 🏕️");
        check_clean("\x1b[31mred\x1b[0m\x07\r", "[31mred[0m");
        check_clean("\u{9b}2J\u{202e}back", "2Jback");
    }

    #[track_caller]
    fn check_source(title: &str, headings: &[&str], url: Option<&str>, expected: &str) {
        let citation = Citation {
            related: false,
            n: 1,
            document: "doc".into(),
            title: title.into(),
            headings: headings.iter().map(|&heading| heading.into()).collect(),
            quote: String::new(),
            url: url.map(str::to_owned),
            start: 0,
            end: 0,
        };
        assert_eq!(source(&citation), expected);
        let related = source(&Citation { related: true, ..citation });
        assert_eq!(related, expected.replacen("] ", "] see also ", 1));
    }

    #[test]
    fn sources_are_one_line() {
        check_source(
            "Returns",
            &["Returns", "Costs"],
            Some("https://shop.example/returns"),
            "[1] Returns › Costs (https://shop.example/returns)",
        );
        check_source("", &[], Some("javascript:alert(1)"), "[1] doc");
        check_source("Two\nlines", &[], None, "[1] Two lines");
    }

    #[test]
    fn exit_codes_are_as_documented() {
        for (end, expected) in [
            (AnswerEnd::Complete, 0),
            (AnswerEnd::Length, 0),
            (AnswerEnd::Declined, 3),
            (AnswerEnd::Cancelled, 1),
            (AnswerEnd::Failed, 1),
        ] {
            assert_eq!(code(end), expected, "{end:?}");
        }
    }
}
