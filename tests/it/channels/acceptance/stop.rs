//! (f): Stop.

use super::{
    Answer, Counts, Desk, Did, Duration, LIMIT, LONG, Slack, Teams, Value, WORD_MS, begun, json,
    transcript,
};

/// The model says no more words than fit into the time until Stop was acknowledged and 500 ms; what
/// it said so far is sent where the platform keeps it.
pub(super) async fn stopped(desk: &Desk<'_>, chat: u64) -> Counts {
    // Slack streams in threads alone.
    let thread = format!("7.{chat}");
    let slack = |key: u64, event: Value| {
        let mut event = event;
        for (name, value) in [
            ("channel", json!(format!("C{chat}"))),
            ("user", json!(format!("U{chat}"))),
            ("channel_type", json!("channel")),
        ] {
            event[name] = value;
        }
        json!({ "type": "event_callback", "event_id": format!("Ev{key}"), "team_id": "T1", "event": event })
            .to_string()
    };
    let since = std::time::Instant::now();
    let [said, stop] = [desk.key(), desk.key()];
    if desk.platform == Slack {
        let text = format!("<@UBOT> {LONG}");
        let mention = json!({ "type": "app_mention", "ts": thread, "text": text });
        desk.post_body(said, slack(said, mention)).await;
    } else {
        desk.post(chat, said, &Did::Said { message: said, text: LONG }).await;
    }
    begun(desk, chat).await;
    // Its first sentence of ten words is approved as a whole.
    tokio::time::sleep(Duration::from_millis(9 * WORD_MS)).await;
    match desk.platform {
        Slack => {
            let event = json!({ "type": "agent_session_stopped", "thread_ts": thread });
            desk.post_body(stop, slack(stop, event)).await;
        }
        Teams => {
            let body = json!({ "error": { "code": "ContentStreamNotAllowed",
                "message": "Content stream was cancelled by user" } });
            desk.fake.0.streams.lock().unwrap().push((desk.marker(chat), Answer::new(403, body)));
        }
        _ => drop(desk.post(chat, stop, &Did::Stopped).await),
    }
    let most =
        u64::try_from(since.elapsed().as_millis()).unwrap().saturating_add(500) / WORD_MS + 2;
    let ended = async {
        loop {
            let told = transcript(desk, chat).await;
            let events = told["transcript"].as_array().into_iter().flatten();
            let mut ends = events.filter(|entry| entry["event"]["end"] == "cancelled");
            if let Some(end) = ends.next() {
                return end["event"]["text"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let text = tokio::time::timeout(LIMIT, ended).await.expect("it is cancelled");
    let count = text.split_whitespace().count() as u64;
    assert!(count <= most, "{}: more than {most}: {text:?}", desk.platform.name());
    if desk.platform == Teams {
        // The platform keeps what was streamed, and takes no more.
        return vec![(chat, 0)];
    }
    let words = |sent: &[(std::time::Instant, String)]| {
        sent.iter().map(|(_, text)| text.split_whitespace().count() as u64).sum::<u64>()
    };
    // What Slack streamed ends as a stream; where none had begun, the text is a message.
    let streamed = || desk.platform == Slack && !desk.fake.all("chat.startStream").is_empty();
    let kept = async {
        while words(&desk.sent_to(chat)) == 0
            && (!streamed() || desk.fake.all("chat.stopStream").is_empty())
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let kept = tokio::time::timeout(LIMIT, kept).await;
    assert!(kept.is_ok(), "{}: {text:?}, {:?}", desk.platform.name(), desk.sent_to(chat));
    if streamed() {
        let begun = desk.fake.all("chat.startStream")[0]["markdown_text"].to_string();
        assert!(begun.starts_with("\"Orders of"), "{begun}");
        return vec![];
    }
    let sent = desk.sent_to(chat);
    assert!(sent[0].1.starts_with("Orders of"), "{}: {sent:?}", desk.platform.name());
    assert!(words(&sent) <= most, "{}: more than {most}: {sent:?}", desk.platform.name());
    if desk.platform == Slack { vec![] } else { vec![(chat, 1)] }
}
