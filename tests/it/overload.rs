//! Promise 5: overload is an answer, not a stall.

use std::time::{Duration, Instant};

use frontdesk::protocol::{ErrorCode, ServerMessage};
use frontdesk::turn::Mode;

use crate::support::TestServer;

#[tokio::test]
async fn a_full_line_answers_at_once_and_moves_on() {
    let server = TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.answers.parallel = 1;
        config.answers.queue = 1;
        config.llm.scripted_token_ms = 300;
    })
    .await;
    let question = "[[say Shipping within Ireland costs 4.90 EUR. It arrives after 1 to 2 working days.]] What does shipping within Ireland cost?";
    let mut first = server.client().await.hello().await;
    first.say("m", question).await;
    first.acked("m").await;
    let mut second = server.client().await.hello().await;
    second.say("m", question).await;
    let place =
        second
            .until(|message| {
                if let ServerMessage::Queue { place, .. } = message { Some(*place) } else { None }
            })
            .await;
    assert_eq!(place, 1);

    let mut third = server.client().await.hello().await;
    let asked = Instant::now();
    third.say("m", question).await;
    let refused = third
        .until(|message| {
            if let ServerMessage::Error { code, retry_after_ms, id, .. } = message {
                Some((*code, *retry_after_ms, id.clone()))
            } else {
                None
            }
        })
        .await;
    let took = asked.elapsed();
    assert_eq!((refused.0, refused.2.as_deref()), (ErrorCode::Overloaded, Some("m")));
    assert!(refused.1.is_some_and(|ms| ms >= 250));
    // The issue's own bound, not a benchmark: an answer within 50 ms while every place is taken.
    assert!(took < Duration::from_millis(50), "{took:?}");

    first.done().await;
    second.done().await;
    // What was refused was not stored: the same id is a new message now.
    third.say("m", "What does shipping within Ireland cost?").await;
    third.acked("m").await;
}
