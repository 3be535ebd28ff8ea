//! Mailboxes read by IMAP: a server that plays its part on loopback, and the real dovecot where the
//! machine has it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use frontdesk::channels::Account;
use frontdesk::site::channel::ChannelConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Fake;
use super::email::{Post, RETURNS, SHIPPING, bearer, body, header, mail};
use crate::support::{LIMIT, TestServer};

/// The test server's clock begins in between.
const BEFORE: &str = "13-Nov-2023 08:00:00 +0000";
const AFTER: &str = "14-Nov-2023 22:20:00 +0000";

#[derive(Clone, Debug)]
struct Stored {
    uid: u32,
    raw: String,
    arrived: &'static str,
    flags: Vec<String>,
}

/// A folder at an IMAP server (RFC 3501 with IDLE), as far as a reader of mail needs one.
#[derive(Clone)]
struct Mailbox(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Counts what changed, for those who wait in IDLE.
    news: watch::Sender<u32>,
}

struct State {
    password: &'static str,
    /// The access token that it takes.
    token: &'static str,
    validity: u32,
    next: u32,
    messages: Vec<Stored>,
    /// Hangs up at the next command that begins so.
    hangs_up_at: Option<&'static str>,
    signed_in: u32,
}

impl Mailbox {
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("imap://{}", listener.local_addr().unwrap());
        let state = State {
            password: "a-password",
            token: "",
            validity: 1,
            next: 1,
            messages: vec![],
            hangs_up_at: None,
            signed_in: 0,
        };
        let mailbox =
            Self(Arc::new(Inner { state: Mutex::new(state), news: watch::Sender::new(0) }));
        let own = mailbox.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move { own.speak(stream).await });
            }
        });
        (mailbox, address)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.0.state.lock().unwrap());
        self.0.news.send_modify(|count| *count += 1);
        changed
    }

    fn deliver(&self, raw: &str, arrived: &'static str) -> u32 {
        self.change(|state| {
            let uid = state.next;
            state.next += 1;
            state.messages.push(Stored { uid, raw: raw.to_owned(), arrived, flags: vec![] });
            uid
        })
    }

    fn is_seen(&self, uid: u32) -> bool {
        let state = self.0.state.lock().unwrap();
        state
            .messages
            .iter()
            .any(|one| one.uid == uid && one.flags.iter().any(|flag| flag == "\\Seen"))
    }

    async fn wait(&self, what: &str, holds: impl Fn(&State) -> bool) {
        let mut news = self.0.news.subscribe();
        let held = async {
            while !holds(&self.0.state.lock().unwrap()) {
                news.changed().await.unwrap();
            }
        };
        tokio::time::timeout(LIMIT, held).await.unwrap_or_else(|_| panic!("not in time: {what}"));
    }

    async fn wait_seen(&self, uid: u32) {
        self.wait("the message is marked as read", |state| {
            state
                .messages
                .iter()
                .any(|one| one.uid == uid && one.flags.iter().any(|flag| flag == "\\Seen"))
        })
        .await;
    }

    async fn speak(&self, stream: TcpStream) -> Option<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"* OK ready\r\n").await.ok()?;
        // A server tells of messages once, with the next command or in IDLE.
        let mut told = 0;
        let count = || self.0.state.lock().unwrap().messages.len();
        while let Some(line) = lines.next_line().await.ok()? {
            let (tag, command) = line.split_once(' ')?;
            let hangs_up =
                self.0.state.lock().unwrap().hangs_up_at.is_some_and(|at| command.starts_with(at));
            if hangs_up {
                self.change(|state| state.hangs_up_at = None);
                return None;
            }
            if command == "AUTHENTICATE XOAUTH2" {
                write.write_all(b"+ \r\n").await.ok()?;
                let answer = lines.next_line().await.ok()??;
                if answer == bearer(self.0.state.lock().unwrap().token) {
                    self.change(|state| state.signed_in += 1);
                    write.write_all(format!("{tag} OK done\r\n").as_bytes()).await.ok()?;
                    continue;
                }
                // Why comes first, and an empty line has to answer it.
                write.write_all(b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n").await.ok()?;
                assert_eq!(lines.next_line().await.ok()??, "");
                let no = format!("{tag} NO [AUTHENTICATIONFAILED] AUTHENTICATE failed.\r\n");
                write.write_all(no.as_bytes()).await.ok()?;
                continue;
            }
            if command == "IDLE" {
                let mut news = self.0.news.subscribe();
                write.write_all(b"+ idling\r\n").await.ok()?;
                loop {
                    if count() != told {
                        told = count();
                        write.write_all(format!("* {told} EXISTS\r\n").as_bytes()).await.ok()?;
                    }
                    tokio::select! {
                        line = lines.next_line() => {
                            assert_eq!(line.ok()??, "DONE");
                            break;
                        }
                        _ = news.changed() => {}
                    }
                }
                write.write_all(format!("{tag} OK done\r\n").as_bytes()).await.ok()?;
                continue;
            }
            let mut answer = self.answer(tag, command);
            if command.starts_with("SELECT") {
                told = count();
            } else if told != count() && !command.starts_with("LOGIN") && command != "STARTTLS" {
                told = count();
                answer.insert_str(0, &format!("* {told} EXISTS\r\n"));
            }
            write.write_all(answer.as_bytes()).await.ok()?;
        }
        Some(())
    }

    /// What a command is answered with.
    fn answer(&self, tag: &str, command: &str) -> String {
        let mut state = self.0.state.lock().unwrap();
        let words: Vec<&str> = command.split(' ').collect();
        let untagged = match words.as_slice() {
            ["LOGIN", user, password] => {
                if *user != "\"help@shop.example\"" || password.trim_matches('"') != state.password
                {
                    return format!("{tag} NO [AUTHENTICATIONFAILED] Wrong name or password\r\n");
                }
                state.signed_in += 1;
                self.0.news.send_modify(|count| *count += 1);
                String::new()
            }
            ["CAPABILITY"] => "* CAPABILITY IMAP4rev1 IDLE\r\n".into(),
            ["SELECT", "\"INBOX\""] => format!(
                "* {} EXISTS\r\n* OK [UIDVALIDITY {}] valid\r\n* OK [UIDNEXT {}] next\r\n",
                state.messages.len(),
                state.validity,
                state.next
            ),
            ["UID", "SEARCH", rest @ ..] => {
                let from = match rest {
                    ["UID", range] => range.split(':').next().unwrap().parse().unwrap(),
                    // The day before the one on which the mailbox was connected.
                    ["SINCE", day] => {
                        assert_eq!(*day, "13-Nov-2023");
                        0
                    }
                    other => panic!("{other:?}"),
                };
                let found = state.messages.iter().map(|one| one.uid);
                // The last one always counts.
                let last = found.clone().max();
                let found = found.filter(|uid| *uid >= from || Some(*uid) == last);
                format!(
                    "* SEARCH {}\r\n",
                    found.map(|uid| uid.to_string()).collect::<Vec<_>>().join(" ")
                )
            }
            ["UID", "FETCH", uid, items @ ..] => {
                let items = items.join(" ");
                let found =
                    state.messages.iter().enumerate().find(|(_, one)| one.uid.to_string() == *uid);
                found.map_or_else(String::new, |(i, one)| {
                    let what = match items.as_str() {
                        "(UID BODY.PEEK[])" => {
                            format!("BODY[] {{{}}}\r\n{}", one.raw.len(), one.raw)
                        }
                        "(UID FLAGS INTERNALDATE RFC822.SIZE)" => format!(
                            "FLAGS ({}) INTERNALDATE \"{}\" RFC822.SIZE {}",
                            one.flags.join(" "),
                            one.arrived,
                            one.raw.len()
                        ),
                        other => panic!("{other}"),
                    };
                    // Somebody else changes another message's flags at the same time.
                    format!(
                        "* 1 FETCH (FLAGS (\\Flagged))\r\n* {} FETCH (UID {uid} {what})\r\n",
                        i + 1
                    )
                })
            }
            ["UID", "STORE", uid, "+FLAGS.SILENT", flags] => {
                let flag = flags.trim_matches(['(', ')']).to_owned();
                if let Some(one) = state.messages.iter_mut().find(|one| one.uid.to_string() == *uid)
                {
                    one.flags.push(flag);
                }
                self.0.news.send_modify(|count| *count += 1);
                String::new()
            }
            ["NOOP" | "LOGOUT"] => String::new(),
            _ => return format!("{tag} BAD no such command\r\n"),
        };
        format!("{untagged}{tag} OK done\r\n")
    }
}

fn account(imap: &str, smtp: &str, more: &str) -> ChannelConfig {
    toml::from_str(&format!(
        "platform = \"email\"\nsender = \"Shop Help <help@shop.example>\"\ntoken = \"a-password\"\n\
         imap_url = {imap:?}\nbase_url = {smtp:?}\nallow_private = true\npause_ms = 40\n{more}"
    ))
    .unwrap()
}

async fn started(imap: &str, smtp: &str) -> TestServer {
    TestServer::with(|config| config.sites[0].channels = vec![account(imap, smtp, "")]).await
}

#[tokio::test]
async fn mail_is_answered_as_it_comes_and_older_mail_is_not() {
    let (desk, smtp) = Post::start().await;
    let (mailbox, imap) = Mailbox::start().await;
    let old = mailbox.deliver(&mail(1, "", SHIPPING), BEFORE);
    let mut server = started(&imap, &smtp).await;
    mailbox.wait("the mailbox is connected", |state| state.signed_in > 0).await;
    // It is being looked at: what comes from now on is new.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let new = mailbox.deliver(&mail(2, "", SHIPPING), AFTER);
    let (to, answer) = desk.wait(1).await.remove(0);
    assert!(
        to.starts_with("<ann@mail.example>") && body(&answer).contains("4.90 EUR"),
        "{to} {answer}"
    );
    assert_eq!(header(&answer, "In-Reply-To"), "<q2@mail.example>");
    mailbox.wait_seen(new).await;

    // What nobody is to answer stays unread, for people; so does what a person answered.
    let list = mailbox.deliver(&mail(3, "List-Id: <news.mail.example>", SHIPPING), AFTER);
    let settled = mailbox.change(|state| {
        let uid = state.next;
        state.next += 1;
        let flags = vec!["\\Answered".to_owned()];
        state.messages.push(Stored { uid, raw: mail(4, "", RETURNS), arrived: AFTER, flags });
        uid
    });
    // An old message that somebody moved back is no new one.
    let moved = mailbox.deliver(&mail(5, "", RETURNS), BEFORE);
    let ours = header(&answer, "Message-ID");
    let reply = mailbox.deliver(&mail(6, &format!("In-Reply-To: {ours}"), RETURNS), AFTER);
    let second = desk.wait(2).await.remove(1).1;
    assert!(body(&second).contains("60 days"), "{second}");
    let thread =
        |message: &str| header(message, "Message-ID").split('.').nth(1).unwrap().to_owned();
    assert_eq!(thread(&answer), thread(&second));
    mailbox.wait_seen(reply).await;
    for uid in [old, list, settled, moved] {
        assert!(!mailbox.is_seen(uid), "{uid}");
    }

    // What comes while the server is down is answered afterwards, and nothing twice.
    server.stop().await;
    let meanwhile = mailbox.deliver(&mail(7, "", SHIPPING), AFTER);
    server.restart().await;
    let third = desk.wait(3).await.remove(2).1;
    assert_eq!(header(&third, "In-Reply-To"), "<q7@mail.example>");
    mailbox.wait_seen(meanwhile).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(desk.wait(3).await.len(), 3);
    server.stop().await;
}

#[tokio::test]
async fn a_connection_that_ends_before_a_message_is_marked_answers_it_once() {
    let (desk, smtp) = Post::start().await;
    let (mailbox, imap) = Mailbox::start().await;
    let mut server = started(&imap, &smtp).await;
    mailbox.wait("the mailbox is connected", |state| state.signed_in > 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    mailbox.change(|state| state.hangs_up_at = Some("UID STORE"));
    let uid = mailbox.deliver(&mail(1, "", SHIPPING), AFTER);
    desk.wait(1).await;
    // It comes back, finds the message known, and marks it.
    mailbox.wait_seen(uid).await;
    mailbox.change(|state| state.hangs_up_at = Some("UID FETCH"));
    mailbox.deliver(&mail(2, "", RETURNS), AFTER);
    let sent = desk.wait(2).await;
    assert!(body(&sent[1].1).contains("60 days"), "{sent:?}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(desk.wait(2).await.len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn a_mailbox_that_is_numbered_anew_loses_and_doubles_nothing() {
    let (desk, smtp) = Post::start().await;
    let (mailbox, imap) = Mailbox::start().await;
    mailbox.deliver(&mail(1, "", RETURNS), BEFORE);
    let mut server = started(&imap, &smtp).await;
    mailbox.wait("the mailbox is connected", |state| state.signed_in > 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let known = mailbox.deliver(&mail(2, "", SHIPPING), AFTER);
    desk.wait(1).await;
    mailbox.wait_seen(known).await;
    server.stop().await;
    // The server was restored: other numbers, nothing marked, and a message that came meanwhile.
    mailbox.change(|state| {
        (state.validity, state.next) = (9, 1);
        state.messages.clear();
    });
    mailbox.deliver(&mail(1, "", RETURNS), BEFORE);
    mailbox.deliver(&mail(2, "", SHIPPING), AFTER);
    let meanwhile = mailbox.deliver(&mail(3, "", RETURNS), AFTER);
    server.restart().await;
    let sent = desk.wait(2).await;
    assert_eq!(header(&sent[1].1, "In-Reply-To"), "<q3@mail.example>");
    mailbox.wait_seen(meanwhile).await;
    // From then on it goes on by the new numbers.
    mailbox.deliver(&mail(4, "", SHIPPING), AFTER);
    desk.wait(3).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(desk.wait(3).await.len(), 3);
    server.stop().await;
}

#[tokio::test]
async fn a_refused_password_is_told_to_the_operator_and_by_the_command() {
    let (_, smtp) = Post::start().await;
    let (mailbox, imap) = Mailbox::start().await;
    mailbox.change(|state| state.password = "another-password");
    let mut server = started(&imap, &smtp).await;
    let account = Account::new("shop", &server.config.sites[0].channels[0]).unwrap();
    let found = account.check(None).await.unwrap();
    assert!(
        !found[0].ok
            && found[0].text.contains("Wrong name or password")
            && found[0].text.contains("imap_user")
    );
    assert!(found[1].ok, "SMTP takes it: {found:?}");

    let listed = async {
        loop {
            let request = reqwest::Client::new().get(server.admin_url("/v1/sites/shop/channels"));
            let answer = request.bearer_auth(server.admin_key()).send().await.unwrap();
            let listed: Value = answer.json().await.unwrap();
            if let Some(why) = listed["channels"][0]["unread"].as_str() {
                return why.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let why = tokio::time::timeout(LIMIT, listed).await.unwrap();
    assert!(why.contains("Wrong name or password"), "{why}");

    mailbox.change(|state| state.password = "a-password");
    let found = account.check(None).await.unwrap();
    assert!(found[0].ok && found[0].text.contains("IDLE"), "{found:?}");
    server.stop().await;
}

/// With access tokens in place of a password: they are fetched, renewed with the refresh token that
/// came last, and a refusal says what to do.
#[tokio::test]
async fn a_mailbox_of_a_provider_without_passwords_is_read_with_access_tokens() {
    let (provider, address) = Fake::start().await;
    let (desk, smtp) = Post::start().await;
    let (mailbox, imap) = Mailbox::start().await;
    let directory = tempfile::tempdir().unwrap();
    let refresh = directory.path().join("refresh");
    std::fs::write(&refresh, "refresh-1\n").unwrap();
    let more = format!(
        "[oauth]\ntoken_url = \"{address}/provider\"\nclient_id = \"app\"\nclient_secret = \"s\"\n\
         refresh_token_file = {refresh:?}\nscope = \"mail offline_access\""
    );
    let own = ChannelConfig { token: String::new(), ..account(&imap, &smtp, &more) };

    // What the command does as it starts.
    drop(rustls::crypto::ring::default_provider().install_default());
    let refused = json!({ "error": "invalid_grant", "error_description": "AADSTS70008: expired" });
    provider.answer(400, refused);
    let checked = Account::new("shop", &own).unwrap().check(None).await.unwrap();
    let text = &checked[0].text;
    assert!(
        !checked[0].ok && text.contains("AADSTS70008") && text.contains("get a new one"),
        "{text}"
    );

    let lent = |token: &str, refresh: &str| json!({ "access_token": token, "refresh_token": refresh, "expires_in": 3_600 });
    desk.tokens.lock().unwrap().push("access-1");
    mailbox.change(|state| state.token = "access-1");
    provider.answer(200, lent("access-1", "refresh-2"));
    let mut server = TestServer::with(|config| config.sites[0].channels = vec![own]).await;
    mailbox.wait("the mailbox is connected", |state| state.signed_in > 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    mailbox.deliver(&mail(1, "", SHIPPING), AFTER);
    desk.wait(1).await;
    assert_eq!(std::fs::read_to_string(&refresh).unwrap().trim(), "refresh-2");

    // A token that the mail server doesn't take is a refused account, and no outage.
    let own = Account::new("shop", &server.config.sites[0].channels[0]).unwrap();
    provider.answer(200, json!({ "access_token": "another", "expires_in": 3_600 }));
    let checked = own.check(None).await.unwrap();
    assert!(checked.iter().all(|one| !one.ok), "{checked:?}");
    assert!(checked[0].text.contains("AUTHENTICATE failed"), "{checked:?}");

    // The token is old: both servers have forgotten it, and the next one is asked for with what
    // came last.
    server.clock.advance(3_600_000);
    desk.tokens.lock().unwrap().splice(.., ["access-2"]);
    mailbox.change(|state| (state.token, state.hangs_up_at) = ("access-2", Some("UID STORE")));
    provider.answer(200, lent("access-2", "refresh-3"));
    mailbox.deliver(&mail(2, "", RETURNS), AFTER);
    let sent = desk.wait(2).await;
    assert!(body(&sent[1].1).contains("60 days"), "{sent:?}");
    mailbox.wait("it came back", |state| state.signed_in > 1).await;
    let asked = provider.all("/provider");
    assert_eq!(asked[1]["refresh_token"], "refresh-1");
    assert_eq!(
        (&asked[3]["refresh_token"], &asked[3]["grant_type"]),
        (&json!("refresh-2"), &json!("refresh_token"))
    );
    server.stop().await;
}

#[test]
fn a_mailbox_without_a_password_or_a_server_is_no_mailbox() {
    let sound = account("imaps://imap.shop.example", "smtps://smtp.shop.example", "");
    assert!(sound.validate().is_ok());
    for (change, word) in [
        ("imap_url = \"https://imap.shop.example\"", "imaps://HOST"),
        ("imap_url = \"imaps://help@imap.shop.example\"", "imaps://HOST"),
        ("imap_folder = \"\"", "imap_folder"),
        ("token = \"\"", "password"),
        ("imap_password = \"x\"\nimap_password_file = \"y\"", "both set"),
    ] {
        let mut table: toml::Table = toml::from_str(&toml::to_string(&sound).unwrap()).unwrap();
        table.extend(toml::from_str::<toml::Table>(change).unwrap());
        let changed: ChannelConfig = table.try_into().unwrap();
        let error = changed.validate().unwrap_err().to_string();
        assert!(error.contains(word), "{change}: {error}");
    }
}

/// A dovecot of this test: its own folder, port and certificate.
struct Dovecot {
    process: std::process::Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // The master ends its children when it is told to stop, not when it is killed.
        let id = self.process.id().to_string();
        drop(std::process::Command::new("kill").args(["-TERM", &id]).status());
        drop(self.process.wait());
    }
}

impl Dovecot {
    /// `None` where the machine has no dovecot, or nobody who may start one with mailboxes of
    /// another user.
    fn start() -> Option<Self> {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let program = ["/usr/sbin/dovecot", "/usr/local/sbin/dovecot"]
            .into_iter()
            .find(|path| std::fs::metadata(path).is_ok())?;
        let folder = tempfile::tempdir().unwrap();
        if std::fs::metadata(folder.path()).unwrap().uid() != 0 {
            return None;
        }
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = std::process::Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(at("key.pem"))
            .arg("-out")
            .arg(at("cert.pem"))
            .stderr(std::process::Stdio::null())
            .status();
        if !made.is_ok_and(|status| status.success()) {
            return None;
        }
        for name in ["new", "cur", "tmp"] {
            std::fs::create_dir_all(at("mail/Maildir").join(name)).unwrap();
        }
        for name in
            ["mail", "mail/Maildir", "mail/Maildir/new", "mail/Maildir/cur", "mail/Maildir/tmp"]
        {
            std::os::unix::fs::chown(at(name), Some(65_534), Some(65_534)).unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let here = folder.path().display();
        let config = format!(
            "protocols = imap\nlisten = 127.0.0.1\nbase_dir = {here}/run\nlog_path = {here}/log\nssl = required\n\
             ssl_cert = <{here}/cert.pem\nssl_key = <{here}/key.pem\ndefault_internal_user = nobody\n\
             default_internal_group = nogroup\ndefault_login_user = daemon\nfirst_valid_uid = 0\n\
             mail_location = maildir:{here}/mail/Maildir\npassdb {{\n driver = static\n args = password=a-password\n}}\n\
             userdb {{\n driver = static\n args = uid=65534 gid=65534 home={here}/mail\n}}\n\
             service imap-login {{\n chroot =\n inet_listener imap {{\n  port = 0\n }}\n inet_listener imaps {{\n  \
             port = {port}\n  ssl = yes\n }}\n}}\nservice anvil {{\n chroot =\n}}\nnamespace inbox {{\n inbox = yes\n}}\n"
        );
        std::fs::write(at("dovecot.conf"), config).unwrap();
        let process = std::process::Command::new(program)
            .arg("-F")
            .arg("-c")
            .arg(at("dovecot.conf"))
            .spawn()
            .unwrap();
        let dovecot = Self { process, folder, port };
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(dovecot);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "dovecot doesn't start: {}",
            std::fs::read_to_string(dovecot.folder.path().join("log")).unwrap_or_default()
        );
    }

    fn deliver(&self, id: u64, raw: &str) {
        let maildir = self.folder.path().join("mail/Maildir");
        let (made, delivered) =
            (maildir.join(format!("tmp/{id}.test")), maildir.join(format!("new/{id}.test")));
        std::fs::write(&made, raw).unwrap();
        std::os::unix::fs::chown(&made, Some(65_534), Some(65_534)).unwrap();
        std::fs::rename(made, delivered).unwrap();
    }

    /// Which messages are marked as read, by their numbers.
    fn seen(&self) -> Vec<u64> {
        let entries = std::fs::read_dir(self.folder.path().join("mail/Maildir/cur")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let seen = names.filter_map(|name| {
            let (id, flags) = name.split_once(":2,")?;
            flags.contains('S').then(|| id.split('.').next().unwrap().parse().unwrap())
        });
        let mut seen: Vec<u64> = seen.collect();
        seen.sort_unstable();
        seen
    }
}

#[tokio::test]
async fn the_real_dovecot_is_read_over_tls() {
    let Some(dovecot) = Dovecot::start() else {
        eprintln!("skipped: no dovecot that can be started here");
        return;
    };
    let (desk, smtp) = Post::start().await;
    dovecot.deliver(1, &mail(1, "", RETURNS));
    let imap = format!("imaps://localhost:{}", dovecot.port);
    let trusted = format!("ca_file = {:?}", dovecot.folder.path().join("cert.pem"));
    drop(rustls::crypto::ring::default_provider().install_default());
    // Nobody vouches for its certificate.
    let found =
        Account::new("shop", &account(&imap, &smtp, "")).unwrap().check(None).await.unwrap();
    assert!(!found[0].ok && found[0].text.contains("certificate"), "{found:?}");
    let found =
        Account::new("shop", &account(&imap, &smtp, &trusted)).unwrap().check(None).await.unwrap();
    assert!(
        found[0].ok && found[0].text.contains("1 messages") && found[0].text.contains("IDLE"),
        "{found:?}"
    );
    let wrong = account(&imap, &smtp, &format!("{trusted}\nimap_password = \"wrong\""));
    let found = Account::new("shop", &wrong).unwrap().check(None).await.unwrap();
    assert!(!found[0].ok && found[0].text.contains("Authentication failed"), "{found:?}");

    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(&imap, &smtp, &trusted)];
    })
    .await;
    let connected = async {
        loop {
            let request = reqwest::Client::new().get(server.admin_url("/v1/sites/shop/channels"));
            let listed: Value =
                request.bearer_auth(server.admin_key()).send().await.unwrap().json().await.unwrap();
            assert_eq!(listed["channels"][0]["unread"], Value::Null, "{listed}");
            let log = std::fs::read_to_string(dovecot.folder.path().join("log")).unwrap();
            if log.matches("imap-login: Info: Login:").count() >= 2 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, connected).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    dovecot.deliver(2, &mail(2, "", SHIPPING));
    dovecot.deliver(3, &mail(3, "Precedence: bulk", SHIPPING));
    let sent = desk.wait(1).await;
    assert!(body(&sent[0].1).contains("4.90 EUR"), "{sent:?}");
    server.stop().await;
    dovecot.deliver(4, &mail(4, "", RETURNS));
    server.restart().await;
    let sent = desk.wait(2).await;
    assert!(body(&sent[1].1).contains("60 days"), "{sent:?}");
    let marked = async {
        while dovecot.seen() != [2, 4] {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, marked).await.unwrap_or_else(|_| panic!("{:?}", dovecot.seen()));
    assert_eq!(desk.wait(2).await.len(), 2);
    server.stop().await;
}
