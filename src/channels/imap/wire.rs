//! Commands and answers of IMAP on one connection. What is read half stays for the next reader, so
//! a wait may be given up.

use std::time::Duration;

use imap_proto::{MailboxDatum, Outcome, Response, Status};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

use super::Trouble;

/// For everything that a server answers at once.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer: a message of 26 MiB with what stands around it.
const MAX_ANSWER: usize = 27 * 1024 * 1024;

/// What a connection is made of, encrypted or not.
pub(in crate::channels) trait Connection:
    AsyncRead + AsyncWrite + Unpin + Send
{
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Connection for T {}

pub(super) async fn within<T, E: Into<Trouble>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(Trouble::Failed(format!(
            "no answer from the mail server within {} s",
            limit.as_secs()
        ))),
    }
}

pub(super) struct Wire {
    stream: BufReader<Box<dyn Connection>>,
    commands: u32,
    /// An answer, as far as it came.
    partial: Vec<u8>,
    /// Bytes of it that stand for themselves and are still to come.
    literal: usize,
    /// Why the server is about to hang up.
    farewell: Option<String>,
    /// The server told of messages since this was last set to false. It may do so in the answer to
    /// any command, and doesn't repeat it in IDLE.
    pub(super) news: bool,
}

/// An answer, told apart as far as every command needs it.
enum Line {
    /// The command that is named so has ended.
    Done(Result<(), Trouble>),
    /// The server waits for more.
    Continue,
    Untagged(Box<Response<'static>>),
    /// What this reader doesn't know.
    Unknown,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Connection>) -> Self {
        let stream = BufReader::new(stream);
        Self { stream, commands: 0, partial: Vec::new(), literal: 0, farewell: None, news: false }
    }

    /// The connection itself. What came on it and wasn't read is dropped.
    pub(super) fn into_inner(self) -> Box<dyn Connection> {
        self.stream.into_inner()
    }

    /// The first word of a server.
    pub(super) async fn greeting(&mut self) -> Result<(), Trouble> {
        let line = within(TIMEOUT, self.read()).await?;
        match Response::parse(&line) {
            Ok((_, Response::Data { status: Status::Ok | Status::PreAuth, .. })) => Ok(()),
            Ok((_, Response::Data { outcome, .. })) => Err(Trouble::Failed(format!(
                "the mail server turns everybody away: {}",
                text_of(&outcome)
            ))),
            _ => Err(Trouble::Failed("this is no IMAP server".into())),
        }
    }

    /// Has a command done, and returns what was said before its end.
    ///
    /// # Errors
    /// [`Trouble::Denied`] where the server says no.
    pub(super) async fn command(
        &mut self,
        text: &str,
        limit: Duration,
    ) -> Result<Vec<Response<'static>>, Trouble> {
        within(limit, async {
            let tag = self.begin(text).await?;
            self.end(&tag).await
        })
        .await
    }

    /// Signs in by a mechanism of SASL whose first answer is all there is to say: PLAIN (RFC 4616),
    /// XOAUTH2.
    pub(super) async fn authenticate(
        &mut self,
        mechanism: &str,
        answer: &str,
    ) -> Result<(), Trouble> {
        within(TIMEOUT, async {
            let tag = self.begin(&format!("AUTHENTICATE {mechanism}")).await?;
            // Who is refused by XOAUTH2 is told why, and has to say nothing before the end comes.
            let mut answers = [answer, ""].into_iter();
            loop {
                match self.line(&tag).await? {
                    Line::Done(done) => return done,
                    Line::Continue => self.send(answers.next().unwrap_or("*")).await?,
                    Line::Untagged(_) | Line::Unknown => {}
                }
            }
        })
        .await
    }

    /// Waits for news by IDLE (RFC 2177), for `longest` at most.
    ///
    /// # Errors
    /// [`Trouble::NoIdle`] where the server doesn't begin.
    pub(super) async fn idle(&mut self, begin: Duration, longest: Duration) -> Result<(), Trouble> {
        let tag = self.begin("IDLE").await?;
        let begun = tokio::time::timeout(begin, async {
            loop {
                match self.line(&tag).await? {
                    Line::Continue => return Ok(true),
                    Line::Done(_) => return Ok(false),
                    Line::Untagged(_) | Line::Unknown => {}
                }
            }
        });
        match begun.await {
            Ok(Ok(true)) => {}
            Ok(Err(trouble)) => return Err(trouble),
            Ok(Ok(false)) | Err(_) => return Err(Trouble::NoIdle),
        }
        let news = tokio::time::timeout(longest, async {
            // "Still here" is no news.
            while !self.news {
                if let Line::Done(_) = self.line(&tag).await? {
                    return Err(Trouble::Failed("the mail server ended IDLE by itself".into()));
                }
            }
            Ok(())
        });
        if let Ok(news) = news.await {
            news?;
        }
        within(TIMEOUT, async {
            self.send("DONE").await?;
            self.end(&tag).await.map(drop)
        })
        .await
    }

    async fn begin(&mut self, text: &str) -> Result<String, Trouble> {
        self.commands = self.commands.wrapping_add(1);
        let tag = format!("F{}", self.commands);
        self.send(&format!("{tag} {text}")).await?;
        Ok(tag)
    }

    async fn end(&mut self, tag: &str) -> Result<Vec<Response<'static>>, Trouble> {
        let mut said = Vec::new();
        loop {
            match self.line(tag).await? {
                Line::Done(done) => return done.map(|()| said),
                Line::Untagged(response) => said.push(*response),
                Line::Continue | Line::Unknown => {}
            }
        }
    }

    async fn send(&mut self, text: &str) -> Result<(), Trouble> {
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }

    async fn line(&mut self, tag: &str) -> Result<Line, Trouble> {
        let bytes = self.read().await?;
        if bytes.starts_with(b"+") {
            return Ok(Line::Continue);
        }
        if let Some(rest) =
            bytes.strip_prefix(tag.as_bytes()).and_then(|rest| rest.strip_prefix(b" "))
        {
            let text = String::from_utf8_lossy(rest);
            let (status, why) = text.trim_end().split_once(' ').unwrap_or((text.trim_end(), ""));
            let well = status.eq_ignore_ascii_case("OK");
            return Ok(Line::Done(if well {
                Ok(())
            } else {
                Err(Trouble::Denied(why.to_owned()))
            }));
        }
        let Ok((_, response)) = Response::parse(&bytes) else { return Ok(Line::Unknown) };
        match &response {
            Response::Data { status: Status::Bye, outcome } => {
                self.farewell = Some(text_of(outcome))
            }
            Response::MailboxData(MailboxDatum::Exists(_)) => self.news = true,
            _ => {}
        }
        Ok(Line::Untagged(Box::new(response.into_owned())))
    }

    /// One whole answer: a line, with the literals (RFC 9051, section 4.3) that stand in it.
    async fn read(&mut self) -> Result<Vec<u8>, Trouble> {
        loop {
            let available = self.stream.fill_buf().await?;
            if available.is_empty() {
                let why = self.farewell.take().map(|why| format!(": {why}")).unwrap_or_default();
                return Err(Trouble::Failed(format!("the mail server ended the connection{why}")));
            }
            let line = available.iter().position(|byte| *byte == b'\n');
            let (taken, ends) = match line {
                _ if self.literal > 0 => (available.len().min(self.literal), false),
                Some(end) => (end + 1, true),
                None => (available.len(), false),
            };
            self.partial.extend_from_slice(&available[..taken]);
            self.stream.consume(taken);
            self.literal = self.literal.saturating_sub(taken);
            if ends {
                match announced(&self.partial) {
                    Some(bytes) => self.literal = bytes,
                    None => return Ok(std::mem::take(&mut self.partial)),
                }
            }
            if self.partial.len().saturating_add(self.literal) > MAX_ANSWER {
                return Err(Trouble::Failed(
                    "the mail server says more at once than is read".into(),
                ));
            }
        }
    }
}

/// The length of the literal that a line ends with the announcement of: `{123}`.
fn announced(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r\n")?.strip_suffix(b"}")?;
    let start = line.iter().rposition(|byte| *byte == b'{')?;
    std::str::from_utf8(&line[start + 1..]).ok()?.parse().ok()
}

fn text_of(outcome: &Outcome<'_>) -> String {
    outcome.information.as_deref().unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_announced_at_the_end_of_a_line() {
        let cases: [(&[u8], Option<usize>); 6] = [
            (b"* 1 FETCH (BODY[] {12}\r\n", Some(12)),
            (b"* 1 FETCH (BODY[] {0}\r\n", Some(0)),
            (b"* OK {12} is no literal\r\n", None),
            (b"* OK {x}\r\n", None),
            (b"}\r\n", None),
            (b"* 1 FETCH {99999999999999999999999}\r\n", None),
        ];
        for (line, expected) in cases {
            assert_eq!(announced(line), expected, "{}", String::from_utf8_lossy(line));
        }
    }

    #[tokio::test]
    async fn what_was_read_half_stays_for_the_next_reader_and_too_much_is_refused() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let mut wire = Wire::new(Box::new(ours));
        theirs.write_all(b"* 1 FETCH (BODY[] {6}\r\na\r\n").await.unwrap();
        let given_up = tokio::time::timeout(Duration::from_millis(20), wire.read()).await;
        assert!(given_up.is_err());
        theirs.write_all(b"b\r\n)\r\n").await.unwrap();
        let read = wire.read().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&read), "* 1 FETCH (BODY[] {6}\r\na\r\nb\r\n)\r\n");
        theirs.write_all(b"* 1 FETCH (BODY[] {600000000}\r\n").await.unwrap();
        assert!(matches!(wire.read().await, Err(Trouble::Failed(_))));
        drop(theirs);
    }
}
