//! One visitor, or one address, can't have more than its share.

use frontdesk::protocol::{ClientMessage, ErrorCode, Rating, ServerMessage};

use crate::support::{ChatClient, TestServer};

async fn refused(client: &mut ChatClient) -> (ErrorCode, u64) {
    client
        .until(|message| match message {
            ServerMessage::Error { code, retry_after_ms, .. } => Some((*code, retry_after_ms.unwrap_or_default())),
            _ => None,
        })
        .await
}

fn rate(turn: u64, text: &str) -> ClientMessage {
    ClientMessage::Feedback { turn, rating: Rating::Up, text: Some(text.into()) }
}

#[tokio::test]
async fn ratings_and_requests_are_stored_once_and_within_a_rate() {
    let server = TestServer::with(|config| config.sessions.events_per_minute = 3).await;
    let mut visitor = server.client().await.hello().await;
    visitor.say("m", "What does shipping within Ireland cost?").await;
    let turn = visitor.acked("m").await;
    visitor.done().await;

    // The same again and again is one event, however often.
    for _ in 0..100 {
        visitor.send(&rate(turn, "good")).await;
        visitor.send(&ClientMessage::Human {}).await;
    }
    let rated = visitor
        .until(|message| if let ServerMessage::FeedbackReceived { seq, .. } = message { Some(*seq) } else { None })
        .await;
    let asked = visitor
        .until(|message| if let ServerMessage::HumanRequested { seq, .. } = message { Some(*seq) } else { None })
        .await;
    // Who asks again is told where they stand.
    visitor
        .until(|message| matches!(message, ServerMessage::HumanQueue { place: 1, .. }).then_some(()))
        .await;
    visitor.send(&rate(turn, "better")).await;
    let changed = visitor
        .until(|message| if let ServerMessage::FeedbackReceived { seq, .. } = message { Some(*seq) } else { None })
        .await;
    assert_eq!((asked, changed), (rated + 1, rated + 3), "the handoff comes between");

    // The fourth within the minute waits, over another connection too.
    visitor.send(&rate(turn, "best")).await;
    assert_eq!(refused(&mut visitor).await, (ErrorCode::RateLimited, 60_000));
    let mut again = visitor.resume(None).await;
    again.send(&ClientMessage::End {}).await;
    assert_eq!(refused(&mut again).await.0, ErrorCode::RateLimited);
    server.clock.advance(60_000);
    again.send(&rate(turn, "best")).await;
    assert_eq!(again.next_seq().await, changed + 1);
}
