//! (g) and (h): what each platform refuses with, and what has to come of it. The codes are the
//! platforms' documented ones.

use serde_json::{Value, json};

use super::{
    ALL, Answer, ChannelConfig, Counts, Desk, Duration, LIMIT, Platform, RETURNS, SHIPPING, Sides,
    TestServer, account, join_all,
};
use Platform::{
    Chatwoot, Discord, Email, Instagram, Line, Messenger, Slack, Teams, Telegram, Twilio, WeChat,
    Webhook, WhatsApp,
};

/// What a platform says in place of taking a message.
enum Said {
    Http(Answer),
    Mail(&'static str),
}

fn http(status: u16, body: Value) -> Said {
    Said::Http(Answer::new(status, body))
}

/// A Graph API's error.
fn graph(code: i64, subcode: i64) -> Said {
    http(400, json!({ "error": { "code": code, "error_subcode": subcode, "message": "no" } }))
}

fn telegram(code: u16, text: &str) -> Said {
    http(code, json!({ "ok": false, "error_code": code, "description": text }))
}

fn slack(error: &str) -> Said {
    http(200, json!({ "ok": false, "error": error }))
}

fn code(status: u16, code: i64) -> Said {
    http(status, json!({ "code": code, "message": "no" }))
}

/// Refusals for now, and the least milliseconds until the next try: those that the platform told,
/// else most of two seconds.
fn pauses(platform: Platform) -> Vec<(Said, u64)> {
    const OWN: u64 = 1_500;
    let header = |status, body| (Said::Http(Answer::new(status, body).after(3)), 3_000);
    match platform {
        Telegram => {
            let body = json!({ "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 3",
                "parameters": { "retry_after": 3 } });
            vec![(http(429, body), 3_000)]
        }
        Slack => vec![header(429, json!({ "ok": false, "error": "ratelimited" }))],
        WhatsApp => vec![(graph(130_429, 0), OWN)],
        Messenger | Instagram => vec![(graph(613, 0), OWN)],
        Line => {
            vec![(http(429, json!({ "message": "The API rate limit has been exceeded." })), OWN)]
        }
        Twilio => vec![header(429, json!({ "code": 20_429, "message": "Too Many Requests" }))],
        Discord => {
            let body = json!({ "message": "You are being rate limited.", "retry_after": 2.9, "global": false });
            vec![(Said::Http(Answer::new(429, body).after(3)), 2_900), header(429, json!({}))]
        }
        // It says no time, and a rate of a minute is meant: see `wechat::judge`.
        WeChat => vec![(http(200, json!({ "errcode": -1, "errmsg": "system error" })), OWN)],
        Teams | Chatwoot => vec![header(429, json!({}))],
        Webhook => vec![header(429, json!({})), header(503, json!({}))],
        Email => vec![(Said::Mail("451 4.7.1 greylisted, come back"), OWN)],
    }
}

/// What has to come of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    /// The same message again.
    Again,
    /// Nothing more to that conversation until its person writes.
    Closed,
    /// This message is given up; the conversation goes on.
    GivenUp,
    /// It was taken.
    Taken,
}

fn refusals(platform: Platform) -> Vec<(Said, Comes)> {
    use Comes::{Again, Closed, GivenUp, Taken};
    let all = |said: Vec<Said>, comes: Comes| said.into_iter().map(move |said| (said, comes));
    match platform {
        Telegram => all(
            vec![
                telegram(403, "Forbidden: bot was blocked by the user"),
                telegram(403, "Forbidden: user is deactivated"),
                telegram(403, "Forbidden: bot was kicked from the supergroup chat"),
                telegram(400, "Bad Request: chat not found"),
            ],
            Closed,
        )
        .chain(all(
            vec![
                telegram(500, "Internal Server Error"),
                telegram(502, "Bad Gateway"),
                // Once more as plain text.
                telegram(400, "Bad Request: can't parse entities: unexpected end"),
            ],
            Again,
        ))
        .chain(all(vec![telegram(400, "Bad Request: message is not modified: same")], Taken))
        .chain(all(vec![telegram(400, "Bad Request: message is too long")], GivenUp))
        .collect(),
        Slack => all(
            [
                "channel_not_found",
                "not_in_channel",
                "is_archived",
                "cannot_reply_to_message",
                "user_not_found",
            ]
            .map(slack)
            .into(),
            Closed,
        )
        .chain(all(
            [
                "internal_error",
                "fatal_error",
                "service_unavailable",
                "request_timeout",
                // Once more as plain text.
                "msg_too_long",
                "invalid_blocks",
            ]
            .map(slack)
            .into(),
            Again,
        ))
        .chain(all(vec![http(503, json!(null))], Again))
        .collect(),
        WhatsApp => all(
            [131_047, 131_026, 131_049, 131_050, 130_472, 131_021, 131_030, 131_062]
                .map(|code| graph(code, 0))
                .into(),
            Closed,
        )
        .chain(all(
            [4, 80_007, 131_056, 131_016, 131_000, 131_057, 133_016, 135_000, 1, 2]
                .map(|code| graph(code, 0))
                .into(),
            Again,
        ))
        .chain(all([131_008, 131_009, 131_051].map(|code| graph(code, 0)).into(), GivenUp))
        .collect(),
        Messenger | Instagram => {
            all(vec![graph(551, 0), graph(10, 2_018_278), graph(100, 2_018_001)], Closed)
                .chain(all([1, 2, 1_200, 4, 17, 32].map(|code| graph(code, 0)).into(), Again))
                .collect()
        }
        // Each try that the reply token doesn't allow is a message of its own.
        Line => all(vec![http(404, json!({ "message": "Not found" }))], Closed)
            .chain(all(
                vec![
                    http(500, json!({ "message": "internal" })),
                    http(400, json!({ "message": "Invalid reply token" })),
                ],
                Again,
            ))
            .chain(all(vec![http(409, json!({ "message": "already accepted" }))], Taken))
            .collect(),
        Twilio => all(
            [21_610, 21_211, 21_614, 21_408, 30_003, 30_004, 30_005, 30_006]
                .map(|number| code(400, number))
                .into(),
            Closed,
        )
        .chain(all(
            vec![code(400, 14_107), code(400, 30_001), code(400, 30_008), code(500, 0)],
            Again,
        ))
        // The carrier filters that text.
        .chain(all(vec![code(400, 30_007)], GivenUp))
        .collect(),
        Discord => all(
            [50_007, 50_278, 10_003, 10_013, 50_001, 50_013, 160_002]
                .map(|number| code(403, number))
                .into(),
            Closed,
        )
        .chain(all(
            vec![
                code(500, 0),
                code(403, 40_004),
                code(400, 20_028),
                // Once more as plain text.
                code(400, 50_035),
                // The command's token is gone: by a message of the bot's own.
                code(404, 10_008),
                code(404, 10_062),
                code(404, 10_015),
                code(401, 50_027),
            ],
            Again,
        ))
        .chain(all(vec![code(400, 40_060)], Taken))
        .collect(),
        WeChat => {
            let refused = |code: i64| http(200, json!({ "errcode": code, "errmsg": "no" }));
            all([40_003, 43_004, 45_015, 45_047].map(refused).into(), Closed)
                .chain(all(vec![refused(-1)], Again))
                .chain(all(vec![refused(45_002)], GivenUp))
                .collect()
        }
        Teams => all(
            vec![
                http(403, json!({ "error": { "code": "ForbiddenOperationException" } })),
                http(404, json!({ "error": { "code": "ConversationNotFound" } })),
            ],
            Closed,
        )
        .chain(all([412, 500, 502, 504].map(|status| http(status, json!({}))).into(), Again))
        .collect(),
        Chatwoot => all(vec![http(404, json!({}))], Closed)
            .chain(all(vec![http(500, json!({})), http(503, json!({}))], Again))
            .collect(),
        Webhook => all(vec![http(410, json!({}))], Closed)
            .chain(all(vec![http(500, json!({})), http(408, json!({}))], Again))
            // It isn't followed.
            .chain(all(vec![http(302, json!({})), http(400, json!({}))], GivenUp))
            .collect(),
        Email => all(
            vec![Said::Mail("550 5.1.1 no such user"), Said::Mail("550 5.1.10 no such domain")],
            Closed,
        )
        .chain(all(
            ["421 4.3.2 shutting down", "450 4.2.1 busy", "452 4.3.1 full"].map(Said::Mail).into(),
            Again,
        ))
        .chain(all(
            ["552 5.3.4 too large", "550 5.7.1 refused by policy"].map(Said::Mail).into(),
            GivenUp,
        ))
        .collect(),
    }
}

/// What refuses the account itself. E-mail's is refused as it signs in.
fn stops(platform: Platform) -> Vec<Option<Said>> {
    let all = match platform {
        Telegram => vec![telegram(401, "Unauthorized"), telegram(404, "Not Found")],
        Slack => {
            ["invalid_auth", "account_inactive", "token_revoked", "token_expired", "missing_scope"]
                .map(slack)
                .into()
        }
        WhatsApp => [190, 0, 3, 10, 200, 299, 368, 131_031, 131_042, 131_005, 130_497, 131_045]
            .map(|code| graph(code, 0))
            .into(),
        Messenger | Instagram => [190, 10, 200, 368].map(|code| graph(code, 0)).into(),
        Line => [401, 403].map(|status| http(status, json!({ "message": "no" }))).into(),
        Twilio => [20_003, 20_404, 30_034, 21_606].map(|number| code(400, number)).into(),
        Discord => vec![code(401, 0)],
        WeChat => [48_001, 40_164].map(|code| http(200, json!({ "errcode": code }))).into(),
        Teams | Chatwoot | Webhook => vec![http(401, json!({}))],
        Email => return vec![None],
    };
    all.into_iter().map(Some).collect()
}

/// The accounts that are to be stopped, and WeChat's whose answers are late for the response.
pub(super) fn accounts(sides: &Sides) -> Vec<ChannelConfig> {
    let mut all = vec![late(account(WeChat, &sides.address), "late".into())];
    for platform in ALL {
        for i in 0..stops(platform).len() {
            let mut own = account(platform, sides.address(platform));
            if platform == Email {
                own.token = "another-password".into();
            }
            all.push(late(own, format!("{}-{i}", platform.name())));
        }
    }
    all
}

fn late(account: ChannelConfig, id: String) -> ChannelConfig {
    // WeChat's response holds answers that come within 4.2 s.
    let pause_ms = if account.platform == WeChat { 4_400 } else { account.pause_ms };
    ChannelConfig { id, pause_ms, ..account }
}

impl Desk<'_> {
    /// The account whose answers go out by requests.
    pub(super) fn late(mut self) -> Self {
        if self.platform == WeChat {
            self.account = "late".into();
        }
        self
    }

    fn answer_to(&self, chat: u64, said: Said) {
        match (said, self.post_office) {
            (Said::Http(answer), _) => self.fake.answer_to(&self.marker(chat), answer),
            (Said::Mail(answer), Some(office)) => office.answer_to(&format!("ann{chat}@"), answer),
            (Said::Mail(_), None) => unreachable!("only e-mail says so"),
        }
    }
}

pub(super) async fn waits(desk: &Desk<'_>, chat: u64) -> Counts {
    let all =
        pauses(desk.platform).into_iter().zip(chat..).map(|((said, least_ms), chat)| async move {
            desk.answer_to(chat, said);
            desk.say(chat, SHIPPING).await;
            desk.wait_to(chat, 2).await;
            let sent = desk.sent_to(chat);
            let waited = sent[1].0.duration_since(sent[0].0);
            let name = desk.platform.name();
            assert!(waited >= Duration::from_millis(least_ms), "{name} after {waited:?}");
            assert_eq!(sent[0].1, sent[1].1, "{name}");
            (chat, 2)
        });
    join_all(all).await
}

pub(super) async fn errors(desk: &Desk<'_>, chat: u64) -> Counts {
    let mut counts = Vec::new();
    let (mut again, others): (Vec<_>, Vec<_>) = refusals(desk.platform)
        .into_iter()
        .zip(chat..)
        .partition(|((_, comes), _)| *comes == Comes::Again);
    let mut next = chat + (again.len() + others.len()) as u64;
    let mut all = vec![others];
    while !again.is_empty() {
        // Five failures in a row would count as an outage, and another cell has one.
        let rest = again.split_off(again.len().min(3));
        all.push(std::mem::replace(&mut again, rest));
    }
    for some in all {
        let some = some.into_iter().map(|((said, comes), chat)| {
            async move {
                desk.answer_to(chat, said);
                desk.say(chat, SHIPPING).await;
                desk.wait_to(chat, 1).await;
                match comes {
                    Comes::Again => {
                        let sent = desk.wait_to(chat, 2).await;
                        assert_eq!(sent[0], sent[1], "{}", desk.platform.name());
                    }
                    // The next message of that person opens it.
                    Comes::Closed | Comes::GivenUp | Comes::Taken => {
                        desk.say(chat, RETURNS).await;
                        let sent = desk.wait_to(chat, 2).await;
                        assert!(sent[1].contains("60 days"), "{}: {sent:?}", desk.platform.name());
                    }
                }
                (chat, 2)
            }
        });
        counts.extend(join_all(some).await);
    }
    let stopped = stops(desk.platform).into_iter().enumerate().map(|(i, said)| {
        let chat = next;
        next += 1;
        let mut own = Desk::new(desk.server, desk.fake, desk.address, desk.platform);
        own.post_office = desk.post_office;
        own.account = format!("{}-{i}", desk.platform.name());
        async move {
            // Where nothing is said, the account isn't even let in.
            let tried = usize::from(said.is_some());
            if let Some(said) = said {
                own.answer_to(chat, said);
            }
            own.say(chat, SHIPPING).await;
            (chat, tried)
        }
    });
    counts.extend(join_all(stopped.collect::<Vec<_>>()).await);
    let count = stops(desk.platform).len();
    let all = async {
        while stopped_accounts(desk).await < count {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let all = tokio::time::timeout(LIMIT, all).await;
    assert!(all.is_ok(), "{}: not all of {count} accounts are stopped", desk.platform.name());
    counts
}

/// How many of the platform's accounts are stopped.
async fn stopped_accounts(desk: &Desk<'_>) -> usize {
    let request = desk
        .client
        .get(desk.server.admin_url("/v1/sites/shop/channels"))
        .bearer_auth(desk.server.admin_key());
    let listed: Value = request.send().await.unwrap().json().await.unwrap();
    let all = listed["channels"].as_array().unwrap().iter();
    let own = all.filter(|own| own["platform"] == desk.platform.name());
    own.filter(|own| own["stopped"].is_string()).count()
}

/// What was closed and what was given up is counted, each once.
pub(super) async fn counted(server: &TestServer) {
    let metrics = super::super::metrics(server).await;
    for platform in ALL {
        for (comes, what) in [(Comes::Closed, "stopped"), (Comes::GivenUp, "given_up")] {
            let all = refusals(platform);
            let count = all.iter().filter(|(_, own)| *own == comes).count();
            let name = platform.name();
            let head =
                format!("frontdesk_channel_messages_total{{platform=\"{name}\",what=\"{what}\"}} ");
            let found = metrics.lines().find_map(|line| line.strip_prefix(&head)).unwrap_or("0");
            assert_eq!(found, count.to_string(), "{name} {what}");
        }
    }
}
