//! The widget's side of the server: its files and settings, and being forgotten.

use frontdesk::protocol::{ClientMessage, ErrorCode, ServerMessage};
use reqwest::StatusCode;
use reqwest::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, ORIGIN,
};

use crate::support::{ChatClient, TestServer};

#[tokio::test]
async fn the_files_come_from_the_binary_and_are_kept_by_hash() {
    let server = TestServer::start().await;
    let loader = reqwest::get(server.url("/widget.js")).await.unwrap();
    assert_eq!(loader.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert_eq!(loader.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
    let etag = loader.headers()[ETAG].clone();
    let again = reqwest::Client::new()
        .get(server.url("/widget.js"))
        .header(IF_NONE_MATCH, etag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    // The loader names the panel by the hash that the server computes.
    let text = loader.text().await.unwrap();
    let panel = reqwest::get(server.url("/widget/panel.js")).await.unwrap();
    let hash = panel.headers()[ETAG]
        .to_str()
        .unwrap()
        .trim_start_matches("W/")
        .trim_matches('"')
        .to_owned();
    assert!(text.contains(&hash), "the loader doesn't name {hash}");
    assert_eq!(
        reqwest::get(server.url("/widget/nothing.js")).await.unwrap().status(),
        StatusCode::NOT_FOUND
    );

    let demo = reqwest::get(server.url("/demo")).await.unwrap();
    let policy = demo.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let html = demo.text().await.unwrap();
    assert!(!html.contains("style=") && !html.contains("onclick"), "nothing inline");
}

#[tokio::test]
async fn settings_are_for_pages_that_may_connect() {
    let server = TestServer::with(|config| {
        let site = &mut config.sites[0];
        site.origins = vec!["https://shop.example".into()];
        site.widget.accent = "#7c2d12".into();
        site.widget.quick_replies = vec!["What does shipping cost?".into()];
    })
    .await;
    let ask = async |site: &str, origin: Option<&'static str>| {
        let request =
            reqwest::Client::new().get(server.url(&format!("/v1/sites/{site}/widget.json")));
        let request = match origin {
            Some(origin) => request.header(ORIGIN, origin),
            None => request,
        };
        let response = request.send().await.unwrap();
        let allowed = response
            .headers()
            .get(ACCESS_CONTROL_ALLOW_ORIGIN)
            .map(|value| value.to_str().unwrap().to_owned());
        (response.status(), allowed, response.json::<serde_json::Value>().await.unwrap())
    };
    let (status, allowed, settings) = ask("shop", Some("https://shop.example")).await;
    assert_eq!((status, allowed.as_deref()), (StatusCode::OK, Some("https://shop.example")));
    assert_eq!((&settings["title"], &settings["accent"]), (&"Test shop".into(), &"#7c2d12".into()));
    assert_eq!(settings["quick_replies"][0], "What does shipping cost?");
    assert!(settings.get("jwt").is_none() && settings.get("origins").is_none(), "{settings}");

    let (status, allowed, refused) = ask("shop", Some("https://evil.example")).await;
    // The page may read why, so that its owner finds out.
    assert_eq!((status, allowed.as_deref()), (StatusCode::FORBIDDEN, Some("https://evil.example")));
    assert!(refused["error"]["message"].as_str().unwrap().contains("origins"), "{refused}");
    assert_eq!(ask("nowhere", None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_visitor_can_have_everything_erased() {
    let server = TestServer::start().await;
    let stored = async |session: &str| {
        let url = server.admin_url(&format!("/v1/sites/shop/sessions/{session}"));
        reqwest::Client::new()
            .get(url)
            .bearer_auth(server.admin_key())
            .send()
            .await
            .unwrap()
            .status()
    };
    let mut earlier = server.client().await.hello().await;
    earlier.ask("m1", "What does shipping cost?").await;
    let mut other = server.client().await.hello().await;
    other.ask("m1", "What does shipping cost?").await;

    // The same visitor's next conversation, open in two tabs.
    let token = earlier.token.clone();
    let hello = |session: Option<&str>, last_seq| ClientMessage::Hello {
        site: "shop".into(),
        token: Some(token.clone()),
        session: session.map(str::to_owned),
        last_seq,
        partial: None,
        source: None,
        attributes: None,
        language: None,
    };
    let mut mine = server.client().await;
    mine.send(&hello(None, 0)).await;
    let session = mine.until(|message| match message {
        ServerMessage::Welcome { session, .. } => Some(session.clone()),
        _ => None,
    });
    let session = session.await;
    mine.ask("m2", "How long may I keep it before I return it?").await;
    let mut tab = server.client().await;
    tab.send(&hello(Some(&session), 0)).await;
    tab.done().await;

    // The earlier one is ended from here; somebody else's is not, and nothing begins by that.
    for id in [&earlier.session, &earlier.session, &other.session, &"unknown".to_owned()] {
        mine.send(&ClientMessage::End { session: Some(id.clone()) }).await;
    }
    earlier.until(|message| matches!(message, ServerMessage::Ended { .. }).then_some(())).await;
    mine.ask("m3", "What does shipping cost?").await;
    assert_eq!(stored("unknown").await, StatusCode::NOT_FOUND);
    other.ask("m2", "How long may I keep it before I return it?").await;

    mine.send(&ClientMessage::Forget {
        also: vec![earlier.session.clone(), other.session.clone(), "unknown".into()],
    })
    .await;
    mine.until(|message| matches!(message, ServerMessage::Forgotten {}).then_some(())).await;
    assert_eq!(mine.closed().await, Some(1000));
    assert_eq!(stored(&session).await, StatusCode::NOT_FOUND);
    assert_eq!(stored(&earlier.session).await, StatusCode::NOT_FOUND);
    assert_eq!(stored(&other.session).await, StatusCode::OK, "somebody else's stays");

    // The other tab is sent away, and finds nothing when it comes back.
    assert_eq!(tab.error().await.0, ErrorCode::Draining);
    let mut back: ChatClient = server.client().await;
    back.send(&hello(Some(&session), tab.last_seq)).await;
    assert_eq!(back.error().await.0, ErrorCode::UnknownSession);
}
