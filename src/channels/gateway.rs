//! The task around Discord's Gateway: ordinary messages to the bot come over a WebSocket alone.
//!
//! A connection that ends is taken up where it ended (resume), over restarts too, as long as
//! Discord remembers the session; what is delivered twice is known by its id. Only messages of the
//! bot's private chats and of servers are asked for (`GUILD_MESSAGES`, `DIRECT_MESSAGES`): the text
//! of those that are meant for the bot comes without the privileged intent `MESSAGE_CONTENT`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rand::Rng as _;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::event::{Incoming, What};
use super::imap::{Connection, Tls, reach};
use super::ledger::GatewaySession;
use super::{Account, Channels, discord};

/// `GUILD_MESSAGES` and `DIRECT_MESSAGES`.
const INTENTS: u64 = (1 << 9) | (1 << 12);
/// For the first word, and for what is written.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Largest event: the first one lists the bot's servers.
const MAX_FRAME: usize = 16 * 1024 * 1024;
/// The pause after the first failure in a row; each further one doubles it, up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// While Discord refuses the bot: a token that is tried a thousand times a day is taken away.
const REFUSED_PAUSE: Duration = Duration::from_secs(600);

type Socket = WebSocketStream<Box<dyn Connection>>;

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The session goes on over another connection.
    Broken(String),
    /// It doesn't.
    Over(String),
    /// Sessions may be begun again after so many milliseconds.
    Limited(u64),
    /// An operator must change something.
    Refused(String),
}

/// Reads what is said to an account's bot until the server stops.
pub(super) async fn watch(channels: Channels, account: Arc<Account>) {
    let (inner, id) = (channels.0.clone(), account.id());
    let mut failures = 0_u32;
    loop {
        let end = tokio::select! {
            () = inner.tasks.draining() => return,
            end = serve(&channels, &account, &mut failures) => end,
        };
        let (pause, why) = match end {
            End::Broken(why) => (PAUSE.saturating_mul(1 << failures.min(8)), why),
            End::Over(why) => {
                if let Err(error) = inner.ledger.set_gateway(&id, None).await {
                    tracing::warn!(account = id, %error, "an ended session stays for now");
                }
                // Discord asks for one to five seconds.
                (Duration::from_secs(rand::rng().random_range(1..=5)), why)
            }
            End::Limited(wait) => {
                (Duration::from_millis(wait), "no more sessions may be begun today".to_owned())
            }
            End::Refused(why) => {
                failures = failures.max(1);
                (REFUSED_PAUSE, why)
            }
        };
        // Discord ends connections now and then.
        if failures > 0 {
            tracing::warn!(account = id, why, "Discord's Gateway isn't read now");
            inner.delivery.mailbox(&id, Some(why));
        }
        failures = failures.saturating_add(1);
        let pause = pause.max(PAUSE).min(LONGEST_PAUSE.max(REFUSED_PAUSE));
        tokio::select! {
            () = inner.tasks.draining() => return,
            () = tokio::time::sleep(pause.mul_f64(0.8 + 0.4 * rand::rng().random::<f64>())) => {}
        }
    }
}

/// Reads one connection to its end.
async fn serve(channels: &Channels, account: &Arc<Account>, failures: &mut u32) -> End {
    let (inner, id) = (&channels.0, account.id());
    let mut session = match inner.ledger.gateway(&id).await {
        Ok(session) => session,
        Err(error) => return End::Broken(error.to_string()),
    };
    let url = match &session {
        Some(session) => session.url.clone(),
        None => match inner.delivery.ask(account, &discord::gateway(&account.token)).await {
            Ok(found) => {
                let limit = &found["session_start_limit"];
                if limit["remaining"].as_u64() == Some(0) {
                    return End::Limited(limit["reset_after"].as_u64().unwrap_or(60_000));
                }
                found["url"].as_str().unwrap_or_default().to_owned()
            }
            Err(error) => return End::Broken(format!("Discord doesn't say where it is: {error}")),
        },
    };
    let mut socket = match open(account, &url).await {
        Ok(socket) => socket,
        Err(why) => return End::Broken(why),
    };
    let hello = match next(&mut socket, TIMEOUT).await {
        Ok(hello) => hello,
        Err(end) => return end,
    };
    let every = Duration::from_millis(hello["d"]["heartbeat_interval"].as_u64().unwrap_or(41_250));
    let every = every.clamp(Duration::from_millis(100), Duration::from_secs(600));
    let first = match &session {
        Some(session) => json!({ "op": 6, "d": { "token": account.token,
            "session_id": session.id, "seq": session.seq } }),
        None => json!({ "op": 2, "d": { "token": account.token, "intents": INTENTS,
            "properties": { "os": std::env::consts::OS, "browser": "frontdesk",
                "device": "frontdesk" } } }),
    };
    if let Err(end) = say(&mut socket, &first).await {
        return end;
    }
    // Bots that start together are not to beat together.
    let mut beat_at = Instant::now() + every.mul_f64(rand::rng().random());
    let mut heard = true;
    loop {
        let event = tokio::select! {
            () = tokio::time::sleep_until(beat_at) => None,
            event = next(&mut socket, every.saturating_mul(3)) => match event {
                Ok(event) => Some(event),
                Err(end) => return end,
            },
        };
        let beats = event.as_ref().is_none_or(|event| event["op"] == 1);
        if event.is_none() && !heard {
            return End::Broken("Discord doesn't answer heartbeats".into());
        }
        if beats {
            let seq = session.as_ref().map(|session| session.seq);
            if let Err(end) = say(&mut socket, &json!({ "op": 1, "d": seq })).await {
                return end;
            }
            (heard, beat_at) = (event.is_some(), Instant::now() + every);
        }
        let Some(event) = event else { continue };
        match event["op"].as_u64() {
            Some(0) => {
                match dispatched(channels, account, &mut session, &event).await {
                    Ok(true) => {
                        *failures = 0;
                        inner.delivery.mailbox(&id, None);
                    }
                    Ok(false) => {}
                    // It isn't counted as read: the resumed session brings it again.
                    Err(error) => return End::Broken(error),
                }
            }
            Some(7) => return End::Broken("Discord asks for another connection".into()),
            Some(9) if event["d"] == true => return End::Broken("the session was moved".into()),
            Some(9) => return End::Over("the session can't be taken up".into()),
            Some(11) => heard = true,
            _ => {}
        }
    }
}

/// Takes an event; true if the session has begun or goes on with it.
async fn dispatched(
    channels: &Channels,
    account: &Arc<Account>,
    session: &mut Option<GatewaySession>,
    event: &Value,
) -> Result<bool, String> {
    let (ledger, id) = (&channels.0.ledger, account.id());
    let (kind, data) = (event["t"].as_str().unwrap_or_default(), &event["d"]);
    if kind == "READY" {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        *session = Some(GatewaySession {
            id: text(&data["session_id"]),
            url: text(&data["resume_gateway_url"]),
            bot: text(&data["user"]["id"]),
            seq: 0,
        });
    }
    let Some(session) = session else { return Ok(false) };
    let begun = matches!(kind, "READY" | "RESUMED");
    let said = match kind {
        "MESSAGE_CREATE" => vec![discord::said(data, &session.bot)],
        "MESSAGE_UPDATE" => vec![discord::edited(data, &session.bot)],
        // Who wrote it isn't told: every conversation of the channel looks.
        "MESSAGE_DELETE" => {
            let [channel, message] = ["channel_id", "id"].map(|name| data[name].as_str());
            let (Some(channel), Some(message)) = (channel, message) else { return Ok(false) };
            let chats = ledger.chats_of(&id, channel).await.map_err(|error| error.to_string())?;
            let deleted = |chat: String| {
                let what = What::Deleted { message: message.to_owned() };
                Ok(Incoming::new(format!("delete:{message}:{chat}"), chat.clone(), chat, what))
            };
            chats.into_iter().map(deleted).collect()
        }
        _ => Vec::new(),
    };
    let stored = begun || !said.is_empty();
    for one in said {
        match one {
            Ok(event) => {
                channels.keep(account, event).await.map_err(|error| error.to_string())?;
                channels.0.delivery.heard(&id, channels.0.clock.now_ms());
            }
            Err(why) => {
                channels.0.metrics.channel_skipped(account.config.platform.name(), why);
            }
        }
    }
    session.seq = event["s"].as_u64().unwrap_or(session.seq);
    if stored {
        let kept = ledger.set_gateway(&id, Some(session)).await;
        kept.map_err(|error| error.to_string())?;
    }
    Ok(begun)
}

async fn open(account: &Account, url: &str) -> Result<Socket, String> {
    let failed = |error: &dyn std::fmt::Display| format!("Discord's Gateway: {error}");
    let parsed = reqwest::Url::parse(url).map_err(|error| failed(&error))?;
    let encrypted = parsed.scheme() == "wss";
    if !encrypted && !account.config.allow_private {
        return Err(failed(&"the address isn't encrypted"));
    }
    let host = parsed.host_str().unwrap_or_default().to_owned();
    let port = parsed.port().unwrap_or(if encrypted { 443 } else { 80 });
    let stream = reach(account, &host, port).await.map_err(|error| failed(&error))?;
    let stream: Box<dyn Connection> = if encrypted {
        let tls = Tls::new(account, &host).map_err(|error| failed(&error))?;
        tls.over(Box::new(stream)).await.map_err(|error| failed(&error))?
    } else {
        Box::new(stream)
    };
    let address = format!("{}/?v=10&encoding=json", url.trim_end_matches('/'));
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    let made = tokio_tungstenite::client_async_with_config(address, stream, Some(limits));
    match tokio::time::timeout(TIMEOUT, made).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(failed(&"no answer")),
    }
}

async fn say(socket: &mut Socket, what: &Value) -> Result<(), End> {
    let sent = socket.send(Message::Text(what.to_string().into()));
    match tokio::time::timeout(TIMEOUT, sent).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(End::Broken(error.to_string())),
        Err(_) => Err(End::Broken("Discord reads nothing".into())),
    }
}

/// The next event. May be given up and called again: frames stay whole.
async fn next(socket: &mut Socket, longest: Duration) -> Result<Value, End> {
    loop {
        let frame = tokio::time::timeout(longest, socket.next()).await;
        match frame {
            Err(_) => return Err(End::Broken("Discord is silent".into())),
            Ok(None) => return Err(End::Broken("the connection ended".into())),
            Ok(Some(Err(error))) => return Err(End::Broken(error.to_string())),
            Ok(Some(Ok(Message::Text(text)))) => {
                return Ok(serde_json::from_str(&text).unwrap_or_default());
            }
            Ok(Some(Ok(Message::Close(frame)))) => {
                return Err(frame.map_or_else(
                    || End::Broken("the connection ended".into()),
                    |frame| closed(u16::from(frame.code), &frame.reason),
                ));
            }
            Ok(Some(Ok(_))) => {}
        }
    }
}

/// What a close code means.
fn closed(code: u16, reason: &str) -> End {
    let why = format!("{code} {reason}");
    match code {
        4_004 => End::Refused(format!(
            "{why}: the bot's token is refused; the application's page Bot resets it"
        )),
        4_013 | 4_014 => {
            End::Refused(format!("{why}: the intents are refused; see the application's page Bot"))
        }
        4_010..=4_012 => End::Refused(format!(
            "{why}: the bot is in too many servers for one connection, or this version is too old"
        )),
        // An unknown number, or a session that has timed out.
        4_007 | 4_009 => End::Over(why),
        _ => End::Broken(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes_say_whether_to_come_back() {
        for (code, resumes) in [(4_000, true), (4_008, true), (1_006, true), (4_007, false)] {
            assert_eq!(matches!(closed(code, ""), End::Broken(_)), resumes, "{code}");
        }
        let End::Refused(why) = closed(4_004, "Authentication failed.") else { panic!() };
        assert!(why.contains("token"), "{why}");
        assert!(matches!(closed(4_014, ""), End::Refused(_)));
    }
}
