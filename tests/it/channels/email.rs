//! E-mail from outside: messages posted as they are, and a mail server that plays its part on
//! loopback.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use frontdesk::secret::webhook::WebhookKey;
use frontdesk::site::channel::ChannelConfig;
use mail_parser::MessageParser;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{LIMIT, TestServer};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(super) const SHIPPING: &str = "What does shipping within Ireland cost?";
pub(super) const RETURNS: &str = "How long can I return unused goods?";

/// A mail server (RFC 5321) that takes what it is given, or answers as it is told to.
#[derive(Clone, Default)]
pub(super) struct Post {
    /// Receivers and messages.
    taken: Arc<Mutex<Vec<(String, String)>>>,
    /// What it says to the next messages in place of 250.
    answers: Arc<Mutex<VecDeque<&'static str>>>,
    /// The same by a piece of the receiver's address; an empty one is none at all.
    by_receiver: Arc<Mutex<Vec<(String, &'static str)>>>,
    /// Access tokens that it takes.
    pub(super) tokens: Arc<Mutex<Vec<&'static str>>>,
    /// When and to whom what was sent, also what it refused.
    offered: Arc<Mutex<Vec<(std::time::Instant, String, String)>>>,
}

/// What a client shows with an access token, in Base64.
pub(super) fn bearer(token: &str) -> String {
    use base64::Engine as _;
    let said = format!("user=help@shop.example\u{1}auth=Bearer {token}\u{1}\u{1}");
    base64::engine::general_purpose::STANDARD.encode(said)
}

impl Post {
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    pub(super) async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("smtp://{}", listener.local_addr().unwrap());
        let post = Self::default();
        let own = post.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move { own.speak(stream).await });
            }
        });
        (post, address)
    }

    async fn speak(&self, stream: TcpStream) -> Option<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let (mut to, mut signed_in) = (String::new(), false);
        write.write_all(b"220 post.example\r\n").await.ok()?;
        while let Some(line) = lines.next_line().await.ok()? {
            let command = line.to_ascii_uppercase();
            let answer = if command.starts_with("EHLO") {
                "250-post.example\r\n250-8BITMIME\r\n250 AUTH PLAIN XOAUTH2".to_owned()
            } else if command.starts_with("AUTH PLAIN") {
                // "\0help@shop.example\0a-password" in Base64.
                signed_in = line.ends_with("AGhlbHBAc2hvcC5leGFtcGxlAGEtcGFzc3dvcmQ=");
                if signed_in {
                    "235 2.7.0 welcome".into()
                } else {
                    "535 5.7.8 wrong password".into()
                }
            } else if command.starts_with("AUTH XOAUTH2") {
                let answer = line.rsplit(' ').next().unwrap();
                signed_in = self.tokens.lock().unwrap().iter().any(|one| bearer(one) == answer);
                if signed_in {
                    "235 2.7.0 welcome".into()
                } else {
                    // Google asks once more, and says why.
                    "334 eyJzdGF0dXMiOiI0MDAifQ==".into()
                }
            } else if command.starts_with("RCPT TO:") {
                to = line[8..].trim().to_owned();
                if signed_in { "250 2.1.5 ok".into() } else { "530 5.7.0 sign in".into() }
            } else if command == "DATA" {
                write.write_all(b"354 go on\r\n").await.ok()?;
                let mut message = String::new();
                while let Some(line) = lines.next_line().await.ok()?.filter(|line| line != ".") {
                    message.push_str(&line);
                    message.push('\n');
                }
                let now = std::time::Instant::now();
                self.offered.lock().unwrap().push((now, to.clone(), message.clone()));
                match self.scripted(&to) {
                    Some("") => std::future::pending::<String>().await,
                    Some(answer) => answer.to_owned(),
                    None => {
                        self.taken.lock().unwrap().push((to.clone(), message));
                        "250 2.0.0 queued".into()
                    }
                }
            } else if command == "QUIT" {
                "221 2.0.0 bye".into()
            } else {
                "250 2.0.0 ok".into()
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        }
        Some(())
    }

    fn scripted(&self, to: &str) -> Option<&'static str> {
        let mut own = self.by_receiver.lock().unwrap();
        match own.iter().position(|(piece, _)| to.contains(piece)) {
            Some(at) => Some(own.remove(at).1),
            None => self.answers.lock().unwrap().pop_front(),
        }
    }

    /// Answers the next message to a receiver so, one after another.
    pub(super) fn answer_to(&self, piece: &str, answer: &'static str) {
        self.by_receiver.lock().unwrap().push((piece.to_owned(), answer));
    }

    /// What was sent to a receiver, also what was refused.
    pub(super) fn to(&self, piece: &str) -> Vec<(std::time::Instant, String)> {
        let offered = self.offered.lock().unwrap();
        let own = offered.iter().filter(|(_, to, _)| to.contains(piece));
        own.map(|(at, _, message)| (*at, body(message))).collect()
    }

    pub(super) async fn wait(&self, count: usize) -> Vec<(String, String)> {
        let found = async {
            loop {
                let taken = self.taken.lock().unwrap().clone();
                if taken.len() >= count {
                    return taken;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(LIMIT, found).await;
        found.unwrap_or_else(|_| {
            panic!("fewer than {count} e-mails: {:?}", self.taken.lock().unwrap())
        })
    }
}

fn account(address: &str, more: &str) -> ChannelConfig {
    toml::from_str(&format!(
        "platform = \"email\"\nsender = \"Shop Help <help@shop.example>\"\ntoken = \"a-password\"\n\
         secrets = [{SECRET:?}]\nbase_url = {address:?}\nallow_private = true\npause_ms = 40\n{more}"
    ))
    .unwrap()
}

pub(super) fn mail(id: u64, more: &str, text: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!("{more}\r\n") };
    format!(
        "From: Ann <ann@mail.example>\r\nTo: help@shop.example\r\nMessage-ID: <q{id}@mail.example>\r\n\
         Subject: A question\r\n{more}\r\n{text}\r\n"
    )
}

/// Posts a message as a mail server's hook does; the status.
async fn post(server: &TestServer, key: u64, mail: &str) -> u16 {
    let (id, at) = (format!("msg_{key}"), (server.clock.now_ms() / 1000).to_string());
    let signature = WebhookKey::parse(SECRET).unwrap().sign(&id, &at, mail.as_bytes());
    let request = reqwest::Client::new()
        .post(server.url("/v1/channels/shop/email"))
        .header("content-type", "message/rfc822")
        .header("webhook-id", id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", signature)
        .body(mail.to_owned());
    request.send().await.unwrap().status().as_u16()
}

/// A header's value on one line.
pub(super) fn header(message: &str, name: &str) -> String {
    let parsed = MessageParser::default().parse(message.as_bytes()).unwrap();
    let found =
        parsed.header_raw(name.to_owned()).unwrap_or_else(|| panic!("no {name} in {message}"));
    found.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn body(message: &str) -> String {
    let parsed = MessageParser::default().parse(message.as_bytes()).unwrap();
    parsed.body_text(0).unwrap().into_owned()
}

#[tokio::test]
async fn a_question_by_mail_is_answered_once_and_its_thread_is_one_conversation() {
    let (desk, address) = Post::start().await;
    let mut server =
        TestServer::with(|config| config.sites[0].channels = vec![account(&address, "")]).await;
    let question = mail(1, "", SHIPPING);
    assert_eq!((post(&server, 1, &question).await, post(&server, 2, &question).await), (200, 200));
    let (to, answer) = desk.wait(1).await.remove(0);
    assert!(
        to.starts_with("<ann@mail.example>") && body(&answer).contains("4.90 EUR"),
        "{to} {answer}"
    );
    assert_eq!(header(&answer, "From").replace('"', ""), "Shop Help <help@shop.example>");
    assert_eq!(header(&answer, "Subject"), "Re: A question");
    assert_eq!(
        (header(&answer, "In-Reply-To").as_str(), header(&answer, "References").as_str()),
        ("<q1@mail.example>", "<q1@mail.example>")
    );
    assert_eq!(
        (
            header(&answer, "Auto-Submitted").as_str(),
            header(&answer, "X-Auto-Response-Suppress").as_str()
        ),
        ("auto-replied", "All")
    );
    let ours = header(&answer, "Message-ID");
    assert!(ours.ends_with("@shop.example>"), "{ours}");

    // A reply quotes the answer; its own words alone are read, in the same session.
    let quoted = format!(
        "{RETURNS}\r\n\r\nOn Mon, Nov 3, 2025 at 10:12 AM Shop Help <help@shop.example> wrote:\r\n> 4.90 EUR"
    );
    let more = format!("In-Reply-To: {ours}\r\nReferences: <q1@mail.example> {ours}");
    assert_eq!(post(&server, 3, &mail(2, &more, &quoted)).await, 200);
    let (_, second) = desk.wait(2).await.remove(1);
    assert!(body(&second).contains("60 days"), "{second}");
    assert_eq!(header(&second, "In-Reply-To"), "<q2@mail.example>");
    assert!(header(&second, "References").starts_with("<q1@mail.example> <fd."), "{second}");
    let thread =
        |message: &str| header(message, "Message-ID").split('.').nth(1).unwrap().to_owned();
    assert_eq!(thread(&answer), thread(&second));

    // Machines get no answer: this would go round for ever.
    for (key, more) in [
        (4, "Auto-Submitted: auto-replied"),
        (5, "List-Id: <news.mail.example>"),
        (6, "Precedence: bulk"),
    ] {
        assert_eq!(post(&server, key, &mail(key, more, SHIPPING)).await, 200);
    }
    // What the server sent comes back.
    let back = format!(
        "To: help@shop.example\r\nMessage-ID: {ours}\r\nFrom: help@shop.example\r\n\r\n{SHIPPING}\r\n"
    );
    assert_eq!(post(&server, 7, &back).await, 200);
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(desk.wait(2).await.len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_a_mail_server_puts_off_is_sent_again_and_one_to_nobody_ends_the_conversation()
 {
    let (desk, address) = Post::start().await;
    let mut server =
        TestServer::with(|config| config.sites[0].channels = vec![account(&address, "")]).await;
    desk.answers.lock().unwrap().push_back("451 4.7.1 greylisted, come back");
    assert_eq!(post(&server, 1, &mail(1, "", SHIPPING)).await, 200);
    let sent = desk.wait(1).await;
    assert!(body(&sent[0].1).contains("4.90 EUR"), "{sent:?}");
    desk.answers.lock().unwrap().push_back("550 5.1.1 no such user");
    assert_eq!(post(&server, 2, &mail(2, "", RETURNS)).await, 200);
    super::counted(&server, "email", "stopped", 1).await;
    // The sender writes again in that thread: it can be written to again.
    assert_eq!(post(&server, 3, &mail(3, "References: <q2@mail.example>", SHIPPING)).await, 200);
    let sent = desk.wait(2).await;
    assert!(sent.len() == 2 && body(&sent[1].1).contains("4.90 EUR"), "{sent:?}");
    server.stop().await;
}

#[tokio::test]
async fn only_signed_messages_count_and_large_ones_are_taken() {
    let (desk, address) = Post::start().await;
    let mut server =
        TestServer::with(|config| config.sites[0].channels = vec![account(&address, "")]).await;
    let unsigned = reqwest::Client::new()
        .post(server.url("/v1/channels/shop/email"))
        .body(mail(1, "", SHIPPING));
    assert_eq!(unsigned.send().await.unwrap().status().as_u16(), 401);
    let head = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b";
    let photo = "QUJD".repeat(20) + "\r\n";
    let text = format!(
        "--b\r\nContent-Type: text/plain\r\n\r\n{SHIPPING}\r\n--b\r\nContent-Type: image/jpeg; name=tent.jpg\r\n\
         Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n{}--b--",
        photo.repeat(40_000)
    );
    assert_eq!(post(&server, 2, &mail(2, head, &text)).await, 200);
    let sent = desk.wait(1).await;
    assert!(body(&sent[0].1).contains("4.90 EUR"), "{sent:?}");
    server.stop().await;
}

/// The customer wrote to the very address that the site names: to be told to write there helps
/// nobody.
#[tokio::test]
async fn a_declined_question_is_not_sent_back_to_the_address_that_it_came_to() {
    const UNKNOWN: &str = "Which zoo has the tallest giraffe in the world?";
    for (contact, named) in [("Help@shop.example", false), ("phone@shop.example", true)] {
        let (desk, address) = Post::start().await;
        let mut server = TestServer::with(|config| {
            config.sites[0].contact = contact.into();
            config.sites[0].channels = vec![account(&address, "")];
        })
        .await;
        assert_eq!(post(&server, 1, &mail(1, "", UNKNOWN)).await, 200);
        let text = body(&desk.wait(1).await[0].1);
        assert!(text.contains("a person") && text.contains(contact) == named, "{text}");
        server.stop().await;
    }
}

#[tokio::test]
async fn the_subject_of_a_reply_is_no_question_and_who_is_away_gets_no_answer() {
    let (desk, address) = Post::start().await;
    let mut server =
        TestServer::with(|config| config.sites[0].channels = vec![account(&address, "")]).await;
    let titled = |id: u64, subject: &str, text: &str| {
        mail(id, "", text).replace("Subject: A question", &format!("Subject: {subject}"))
    };
    for (id, subject) in
        [(1, "Automatic reply: Your order"), (2, "Abwesenheitsnotiz"), (3, "Out of Office")]
    {
        assert_eq!(post(&server, id, &titled(id, subject, SHIPPING)).await, 200);
    }
    let quoted = format!(
        "{RETURNS}\r\n\r\nAm 3. Nov. 2025 um 10:12 schrieb Shop <help@shop.example>:\r\n> {SHIPPING}"
    );
    assert_eq!(post(&server, 4, &titled(4, &format!("AW: {SHIPPING}"), &quoted)).await, 200);
    let sent = desk.wait(1).await;
    let text = body(&sent[0].1);
    assert!(text.contains("60 days") && !text.contains("4.90 EUR"), "{text}");
    assert_eq!(header(&sent[0].1, "Subject"), format!("AW: {SHIPPING}"));
    assert_eq!(sent.len(), 1);
    server.stop().await;
}
