//! A folder at a mail server, by IMAP (RFC 9051, RFC 3501): signing in, what is new, a message,
//! waiting for the next one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use imap_proto::{AttributeValue, Capability, MailboxDatum, Response, ResponseCode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Account;
use super::oauth::xoauth2;
use crate::address::resolve;
use crate::calendar;
use crate::site::channel::mail_address;

mod wire;

pub(super) use wire::Connection;
use wire::{TIMEOUT, Wire, within};

/// For a message with its files.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(300);

/// How long is waited for news.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    /// Longest IDLE. Servers may hang up after 30 minutes (RFC 2177), routers between forget a
    /// connection after less, and none of them says so.
    idle: Duration,
    /// Between two looks where a server has no IDLE.
    poll: Duration,
    /// Until IDLE has begun.
    begin: Duration,
}

const RHYTHM: Rhythm =
    Rhythm { idle: Duration::from_secs(9 * 60), poll: Duration::from_secs(60), begin: TIMEOUT };
const _: () = assert!(RHYTHM.idle.as_secs() < 29 * 60, "RFC 2177");

/// Why a mailbox isn't read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The server doesn't take the account: an operator must change something.
    #[error("the mail server refuses the account: {0}")]
    Refused(String),
    /// It says no to a command.
    #[error("the mail server says no: {0}")]
    Denied(String),
    #[error("{0}")]
    Failed(String),
    /// It names IDLE among what it can do, and doesn't do it.
    #[error("the mail server doesn't begin IDLE")]
    NoIdle,
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A selected folder.
pub(super) struct Folder {
    wire: Wire,
    /// Names the numbering of its messages: with another one, all of them have other numbers.
    pub(super) validity: u32,
    /// The number that the next message gets.
    pub(super) next: u32,
    pub(super) messages: u32,
    /// The server tells of new messages by itself.
    pub(super) idles: bool,
    rhythm: Rhythm,
}

/// What is known of a message before it is fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// When the server got it, in milliseconds since the Unix epoch; 0 if it doesn't tell.
    pub(super) arrived_ms: u64,
    pub(super) bytes: u32,
    /// A person answered it, took it out, or is still writing it.
    pub(super) settled: bool,
}

impl Folder {
    /// Signs in, with an access token where the account has such, and selects the account's folder.
    ///
    /// # Errors
    /// When the server can't be reached, doesn't take the account, or has no such folder.
    pub(super) async fn open(account: &Account, access: &str) -> Result<Self, Trouble> {
        let mut wire = connect(account).await?;
        let (user, password) = account.imap_credentials();
        let signed_in = match account.oauth {
            Some(_) => wire.authenticate("XOAUTH2", &BASE64.encode(xoauth2(&user, access))).await,
            None => sign_in(&mut wire, &user, password).await,
        };
        signed_in.map_err(refused)?;
        Self::select(wire, &account.config.imap_folder).await
    }

    async fn select(mut wire: Wire, name: &str) -> Result<Self, Trouble> {
        let said = wire.command("CAPABILITY", TIMEOUT).await?;
        let idles = said.iter().any(|response| {
            let Response::Capabilities(all) = response else { return false };
            all.iter().any(
                |one| matches!(one, Capability::Atom(name) if name.eq_ignore_ascii_case("IDLE")),
            )
        });
        let quoted = quoted(name)
            .context("imap_folder")
            .map_err(|error| Trouble::Failed(format!("{error:#}")))?;
        let said = wire.command(&format!("SELECT {quoted}"), TIMEOUT).await;
        let said = said.map_err(|error| {
            Trouble::Failed(format!("the folder {name:?} can't be opened: {error}"))
        })?;
        let (mut validity, mut next, mut messages) = (None, None, 0);
        for response in said {
            match response {
                Response::MailboxData(MailboxDatum::Exists(count)) => messages = count,
                Response::Data { outcome, .. } => match outcome.code {
                    Some(ResponseCode::UidValidity(number)) => validity = Some(number),
                    Some(ResponseCode::UidNext(number)) => next = Some(number),
                    _ => {}
                },
                _ => {}
            }
        }
        let validity = validity
            .ok_or_else(|| Trouble::Failed("the mail server numbers no messages".into()))?;
        wire.news = false;
        let mut folder = Self { wire, validity, next: 0, messages, idles, rhythm: RHYTHM };
        folder.next = match next {
            Some(next) => next,
            // RFC 3501 has it as a "should".
            None => folder.since(1).await?.last().map_or(1, |last| last.saturating_add(1)),
        };
        Ok(folder)
    }

    async fn search(&mut self, what: &str) -> Result<Vec<u32>, Trouble> {
        let said = self.wire.command(&format!("UID SEARCH {what}"), TIMEOUT).await?;
        let found = said.into_iter().filter_map(|response| match response {
            Response::MailboxData(MailboxDatum::Search(found)) => Some(found),
            _ => None,
        });
        let mut found: Vec<u32> = found.flatten().collect();
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The numbers of the messages from this one on, in their order.
    pub(super) async fn since(&mut self, first: u32) -> Result<Vec<u32>, Trouble> {
        self.wire.news = false;
        let mut found = self.search(&format!("UID {first}:*")).await?;
        // The last message is always among them (RFC 9051, section 6.4.9), whatever its number.
        found.retain(|uid| *uid >= first);
        Ok(found)
    }

    /// The numbers of the messages that came on this day or later, in their order. The day is of
    /// UTC; a server's own may begin up to a day apart.
    pub(super) async fn of_days_since(&mut self, at_ms: u64) -> Result<Vec<u32>, Trouble> {
        const DAY_MS: u64 = 86_400_000;
        let day = i64::try_from(at_ms / DAY_MS).unwrap_or_default().saturating_sub(1);
        self.search(&format!("SINCE {}", date(day))).await
    }

    async fn fetched(
        &mut self,
        uid: u32,
        items: &str,
        limit: Duration,
    ) -> Result<Option<Vec<AttributeValue<'static>>>, Trouble> {
        let said = self.wire.command(&format!("UID FETCH {uid} {items}"), limit).await?;
        // Changes of other messages' flags come among the answers.
        Ok(said.into_iter().find_map(|response| match response {
            Response::Fetch(_, values) if values.contains(&AttributeValue::Uid(uid)) => {
                Some(values)
            }
            _ => None,
        }))
    }

    /// `None` if the message is gone.
    pub(super) async fn head(&mut self, uid: u32) -> Result<Option<Head>, Trouble> {
        let Some(values) =
            self.fetched(uid, "(UID FLAGS INTERNALDATE RFC822.SIZE)", TIMEOUT).await?
        else {
            return Ok(None);
        };
        let mut head = Head { arrived_ms: 0, bytes: 0, settled: false };
        for value in values {
            match value {
                AttributeValue::InternalDate(at) => head.arrived_ms = moment_ms(&at).unwrap_or(0),
                AttributeValue::Rfc822Size(bytes) => head.bytes = bytes,
                AttributeValue::Flags(flags) => {
                    let settling = ["\\Answered", "\\Deleted", "\\Draft"];
                    head.settled = flags
                        .iter()
                        .any(|flag| settling.iter().any(|own| flag.eq_ignore_ascii_case(own)));
                }
                _ => {}
            }
        }
        Ok(Some(head))
    }

    /// A message as it came; `None` if it is gone. It stays unseen.
    pub(super) async fn message(&mut self, uid: u32) -> Result<Option<Vec<u8>>, Trouble> {
        let values = self.fetched(uid, "(UID BODY.PEEK[])", MESSAGE_TIMEOUT).await?;
        Ok(values.into_iter().flatten().find_map(|value| match value {
            AttributeValue::BodySection { section: None, data, .. } => {
                data.map(std::borrow::Cow::into_owned)
            }
            _ => None,
        }))
    }

    pub(super) async fn mark_seen(&mut self, uid: u32) -> Result<(), Trouble> {
        self.wire
            .command(&format!("UID STORE {uid} +FLAGS.SILENT (\\Seen)"), TIMEOUT)
            .await
            .map(drop)
    }

    /// Waits until something happens in the folder, or until it is time to look by oneself.
    pub(super) async fn wait(&mut self, by_idle: bool) -> Result<(), Trouble> {
        // It was told while something else was asked, and isn't told again.
        if self.wire.news {
            return Ok(());
        }
        if by_idle && self.idles {
            return self.wire.idle(self.rhythm.begin, self.rhythm.idle).await;
        }
        tokio::time::sleep(self.rhythm.poll).await;
        self.wire.command("NOOP", TIMEOUT).await.map(drop)
    }

    /// Signs out. The connection ends with it either way.
    pub(super) async fn leave(mut self) {
        drop(self.wire.command("LOGOUT", TIMEOUT).await);
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time as IMAP writes it, `14-Nov-2023 22:20:00 +0100` with a space before days of one digit, in
/// milliseconds since the Unix epoch.
fn moment_ms(text: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? + 1;
    let (hours, minutes) = zone.split_at_checked(3)?;
    let seconds =
        calendar::seconds(&format!("{year}-{month:02}-{day:0>2}T{time}{hours}:{minutes}"))?;
    seconds.checked_mul(1000)
}

/// A string in quotation marks (RFC 9051, section 4.3).
fn quoted(text: &str) -> anyhow::Result<String> {
    let sound = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_control());
    anyhow::ensure!(sound, "{text:?} holds what IMAP can't write in quotation marks");
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A day as IMAP writes it: `1-Feb-2026`.
fn date(day: i64) -> String {
    let iso = calendar::iso(day);
    let mut parts = iso.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let month = month.and_then(|month| MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?));
    format!("{}-{}-{}", day.unwrap_or("1"), month.unwrap_or(&"Jan"), year.unwrap_or("1970"))
}

/// A connection to a host, at an address that the account may call.
pub(super) async fn reach(account: &Account, host: &str, port: u16) -> Result<TcpStream, Trouble> {
    let found = resolve(host, port, account.config.allow_private).await;
    let mut found = found.map_err(|error| Trouble::Failed(error.to_string()))?;
    // Many machines have no way out by IPv6.
    found.sort_by_key(std::net::SocketAddr::is_ipv6);
    let stream = within(TIMEOUT, TcpStream::connect(found.as_slice())).await;
    stream.map_err(|error| Trouble::Failed(format!("{host}:{port} can't be reached: {error}")))
}

/// A connection whose server has greeted.
async fn connect(account: &Account) -> Result<Wire, Trouble> {
    let url = account.config.imap_url.as_deref().unwrap_or_default();
    let failed = |error: anyhow::Error| Trouble::Failed(format!("{error:#}"));
    let url = reqwest::Url::parse(url).context("imap_url is no address").map_err(failed)?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let wrapped = url.scheme() == "imaps";
    let port = url.port().unwrap_or(if wrapped { 993 } else { 143 });
    let allow_private = account.config.allow_private;
    let stream = reach(account, &host, port).await?;
    let tls = Tls::new(account, &host).map_err(failed)?;
    if wrapped {
        let mut wire = Wire::new(tls.over(Box::new(stream)).await?);
        wire.greeting().await?;
        return Ok(wire);
    }
    let mut wire = Wire::new(Box::new(stream));
    wire.greeting().await?;
    match wire.command("STARTTLS", TIMEOUT).await {
        // What came before the connection was encrypted is dropped with its reader.
        Ok(_) => Ok(Wire::new(tls.over(wire.into_inner()).await?)),
        // A server of one's own network may have no certificate.
        Err(Trouble::Denied(_)) if allow_private => Ok(wire),
        Err(error) => Err(Trouble::Failed(format!(
            "{host}:{port} doesn't encrypt the connection ({error}); try imaps://{host}, which is port 993"
        ))),
    }
}

/// Encrypts connections to one host.
pub(super) struct Tls {
    connector: TlsConnector,
    host: ServerName<'static>,
}

impl Tls {
    /// Certificates count that the machine trusts, and those of the account's `ca_file`.
    pub(super) fn new(account: &Account, host: &str) -> anyhow::Result<Self> {
        let extra = match &account.config.ca_file {
            Some(path) => {
                let found: Result<Vec<_>, _> =
                    CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
                found.with_context(|| format!("ca_file {}", path.display()))?
            }
            None => Vec::new(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider.clone())?;
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let host = ServerName::try_from(host.to_owned()).context("the address names no host")?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), host })
    }

    pub(super) async fn over(
        self,
        stream: Box<dyn Connection>,
    ) -> Result<Box<dyn Connection>, Trouble> {
        let made = within(TIMEOUT, self.connector.connect(self.host, stream)).await;
        let made = made.map_err(|error| {
            Trouble::Failed(format!("the connection can't be encrypted: {error}"))
        })?;
        Ok(Box::new(made))
    }
}

async fn sign_in(wire: &mut Wire, user: &str, password: &str) -> Result<(), Trouble> {
    match (quoted(user), quoted(password)) {
        (Ok(user), Ok(password)) => {
            wire.command(&format!("LOGIN {user} {password}"), TIMEOUT).await.map(drop)
        }
        // LOGIN's strings are ASCII.
        _ => {
            let answer = BASE64.encode(format!("\0{user}\0{password}"));
            wire.authenticate("PLAIN", &answer).await
        }
    }
}

/// A server that says no to signing in refuses the account.
fn refused(trouble: Trouble) -> Trouble {
    match trouble {
        // A fault of the server's own (RFC 5530).
        Trouble::Denied(why) if why.to_ascii_uppercase().starts_with("[UNAVAILABLE]") => {
            Trouble::Failed(why)
        }
        Trouble::Denied(why) => Trouble::Refused(why),
        trouble => trouble,
    }
}

impl Account {
    /// Name and password at the IMAP server: those of SMTP, unless there are others.
    fn imap_credentials(&self) -> (String, &str) {
        let user = [&self.config.imap_user, &self.config.smtp_user]
            .into_iter()
            .find(|user| !user.is_empty());
        let user = user.cloned().unwrap_or_else(|| mail_address(&self.config.sender));
        let password =
            if self.imap_password.is_empty() { &self.token } else { &self.imap_password };
        (user, password)
    }
}

/// What an operator can do where a mail server refuses the account: the large providers take no
/// password that opens the mailbox in a browser.
#[must_use]
pub(super) fn advice(url: &str) -> &'static str {
    let host =
        reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase));
    let host = host.unwrap_or_default();
    let of = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
    if of("gmail.com") || of("googlemail.com") {
        "Google takes an app password alone, which exists once two-step verification is on: \
         https://myaccount.google.com/apppasswords. Workspace administrators may have switched them off"
    } else if of("office365.com") || of("outlook.com") || of("hotmail.com") {
        "Microsoft takes no passwords by IMAP, only OAuth: give the account an `oauth` section (docs/channels/email.md). With one, \
         see that IMAP is on for the mailbox, and that the application may use it"
    } else if [
        "yahoo.com",
        "aol.com",
        "me.com",
        "icloud.com",
        "fastmail.com",
        "zoho.com",
        "zoho.eu",
        "yandex.com",
    ]
    .into_iter()
    .any(of)
    {
        "this provider takes an app password, made in the account's security settings, and not the account's own"
    } else if of("gmx.net") || of("gmx.com") || of("web.de") {
        "IMAP must be switched on in the mailbox's settings (POP3/IMAP), and with two-step sign-in an app password is \
         needed"
    } else {
        "see that `imap_user` is the name that the provider wants (often the whole address), that IMAP is switched on \
         for the mailbox, and whether it wants an app password"
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
    use tokio::time::Instant;

    use super::*;

    /// The other end of a connection, which says what the test has it say.
    struct Server(BufReader<DuplexStream>);

    impl Server {
        async fn line(&mut self) -> String {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            line.trim_end().to_owned()
        }

        async fn say(&mut self, text: &str) {
            self.0.write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
        }

        /// Reads a command, and ends it in this way after these lines.
        async fn answer(&mut self, lines: &[&str], end: &str) -> String {
            let line = self.line().await;
            let (tag, command) = line.split_once(' ').unwrap();
            for text in lines {
                self.say(text).await;
            }
            self.say(&format!("{tag} {end}")).await;
            command.to_owned()
        }
    }

    async fn folder() -> (Folder, Server) {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let mut server = Server(BufReader::new(theirs));
        let mut wire = Wire::new(Box::new(ours));
        let serve = async {
            server.answer(&[], "OK signed in").await;
            server.answer(&["* CAPABILITY IMAP4rev1 IDLE"], "OK done").await;
            server
                .answer(
                    &["* 2 EXISTS", "* OK [UIDVALIDITY 7] ok", "* OK [UIDNEXT 12] ok"],
                    "OK done",
                )
                .await;
        };
        let open = async {
            sign_in(&mut wire, "help", "pw").await.unwrap();
            Folder::select(wire, "INBOX").await.unwrap()
        };
        let (folder, ()) = tokio::join!(open, serve);
        assert_eq!((folder.validity, folder.next, folder.messages, folder.idles), (7, 12, 2, true));
        let rhythm = Rhythm {
            idle: Duration::from_millis(300),
            poll: Duration::from_millis(10),
            begin: Duration::from_millis(100),
        };
        (Folder { rhythm, ..folder }, server)
    }

    #[tokio::test]
    async fn idle_begins_anew_in_time_however_often_the_server_says_that_it_is_there() {
        let (mut folder, mut server) = folder().await;
        let begun = Instant::now();
        let serve = async {
            let line = server.line().await;
            let (tag, command) = line.split_once(' ').unwrap();
            assert_eq!(command, "IDLE");
            server.say("+ idling").await;
            let done = loop {
                tokio::select! {
                    line = server.line() => break line,
                    () = tokio::time::sleep(Duration::from_millis(40)) => {}
                }
                server.say("* OK Still here").await;
            };
            assert_eq!(done, "DONE");
            server.say(&format!("{tag} OK done")).await;
        };
        let (waited, ()) = tokio::join!(folder.wait(true), serve);
        assert!(
            waited.is_ok() && begun.elapsed() >= Duration::from_millis(300),
            "{:?}",
            begun.elapsed()
        );
    }

    #[tokio::test]
    async fn news_end_the_wait_and_so_does_a_server_that_hangs_up_or_does_not_begin() {
        let (mut first, mut server) = folder().await;
        let serve = async {
            let line = server.line().await;
            server.say("+ idling").await;
            server.say("* 3 EXISTS").await;
            assert_eq!(server.line().await, "DONE");
            server.say(&format!("{} OK done", line.split(' ').next().unwrap())).await;
            server.answer(&["* SEARCH 11 13 12"], "OK done").await
        };
        let wait = async {
            first.wait(true).await.unwrap();
            first.since(12).await
        };
        let (found, command) = tokio::join!(wait, serve);
        assert_eq!((found.unwrap(), command.as_str()), (vec![12, 13], "UID SEARCH UID 12:*"));

        let (mut second, mut server) = folder().await;
        let serve = async {
            server.line().await;
            server.say("+ idling").await;
            drop(server);
        };
        let (ended, ()) = tokio::join!(second.wait(true), serve);
        assert!(matches!(ended, Err(Trouble::Failed(_))), "{ended:?}");

        let (mut third, mut server) = folder().await;
        let (refused, _) = tokio::join!(third.wait(true), server.answer(&[], "NO not today"));
        assert!(matches!(refused, Err(Trouble::NoIdle)), "{refused:?}");

        let (mut fourth, mut server) = folder().await;
        let (looked, command) =
            tokio::join!(fourth.wait(false), server.answer(&["* 4 EXISTS"], "OK done"));
        assert!(looked.is_ok() && command == "NOOP", "{command}");
        // What it told meanwhile ends the next wait before that begins.
        fourth.wait(true).await.unwrap();
    }

    #[tokio::test]
    async fn credentials_are_written_as_the_server_reads_them() {
        for (user, password, commands, refused) in [
            ("help", "a \"b\\", vec!["F1 LOGIN \"help\" \"a \\\"b\\\\\""], false),
            ("help", "grün", vec!["F1 AUTHENTICATE PLAIN", "AGhlbHAAZ3LDvG4="], false),
            ("help", "wrong", vec!["F1 LOGIN \"help\" \"wrong\""], true),
        ] {
            let (ours, theirs) = tokio::io::duplex(1024);
            let (mut server, mut wire) =
                (Server(BufReader::new(theirs)), Wire::new(Box::new(ours)));
            let serve = async {
                for (i, expected) in commands.iter().enumerate() {
                    assert_eq!(server.line().await, *expected);
                    if i + 1 < commands.len() {
                        server.say("+ ").await;
                    }
                }
                server
                    .say(if refused { "F1 NO [AUTHENTICATIONFAILED] Wrong." } else { "F1 OK in" })
                    .await;
            };
            let signs_in =
                async { sign_in(&mut wire, user, password).await.map_err(super::refused) };
            let (done, ()) = tokio::join!(signs_in, serve);
            assert_eq!(
                matches!(done, Err(Trouble::Refused(why)) if why.ends_with("Wrong.")),
                refused
            );
        }
    }

    #[test]
    fn times_as_imap_writes_them() {
        assert_eq!(moment_ms("14-Nov-2023 22:13:20 +0000"), Some(1_700_000_000_000));
        assert_eq!(moment_ms(" 1-Jan-1970 01:00:05 +0100"), Some(5_000));
        assert_eq!(moment_ms("14-Nov-2023"), None);
    }

    #[test]
    fn days_and_advice() {
        assert_eq!((date(0).as_str(), date(20_485).as_str()), ("01-Jan-1970", "01-Feb-2026"));
        for (url, word) in [
            ("imaps://imap.gmail.com", "app password"),
            ("imaps://outlook.office365.com:993", "OAuth"),
            ("imaps://imap.shop.example", "imap_user"),
            ("imaps://notgmail.com", "imap_user"),
        ] {
            assert!(advice(url).contains(word), "{url}");
        }
    }
}
