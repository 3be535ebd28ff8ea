//! Agents' own accounts from outside: temporary passwords, the second factor, sign-ins.

use std::collections::BTreeMap;

use frontdesk::protocol::console::{
    Me, Need, NewAccount, RecoveryCodes, Role, SecondFactorOffer, SignIn, SignInView,
};
use frontdesk::session::desk::SecondFactorPolicy;
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Algorithm, Secret, TOTP};

use crate::support::TestServer;

const PASSWORD: &str = "correct horse battery";

/// A sign-in that worked.
struct In {
    cookie: String,
    me: Me,
}

async fn account(server: &TestServer, login: &str, temporary: bool) {
    let new = NewAccount {
        login: login.into(),
        name: login.into(),
        password: PASSWORD.into(),
        roles: BTreeMap::from([("shop".into(), Role::Admin)]),
        limit: None,
        temporary,
    };
    let request =
        reqwest::Client::new().post(server.admin_url("/v1/agents")).bearer_auth(server.admin_key());
    assert_eq!(request.json(&new).send().await.unwrap().status(), 201);
}

/// `Err`: status and code of the refusal.
async fn enter(
    server: &TestServer,
    login: &str,
    password: &str,
    code: Option<&str>,
) -> Result<In, (u16, String)> {
    let body =
        SignIn { login: login.into(), password: password.into(), code: code.map(str::to_owned) };
    let request = reqwest::Client::new().post(server.url("/v1/console/sign-in")).json(&body);
    let response = request.header("user-agent", "Firefox on Linux").send().await.unwrap();
    let status = response.status().as_u16();
    if status != 200 {
        let error: Value = response.json().await.unwrap();
        return Err((status, error["error"]["code"].as_str().unwrap().to_owned()));
    }
    let line = response.headers()["set-cookie"].to_str().unwrap();
    let cookie = line.split(';').next().unwrap().to_owned();
    Ok(In { cookie, me: response.json().await.unwrap() })
}

impl In {
    /// The status, and the answer's body as JSON.
    async fn ask(
        &self,
        server: &TestServer,
        method: Method,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let url = server.url(&format!("/v1/console{path}"));
        let request = reqwest::Client::new().request(method, url).header("cookie", &self.cookie);
        let mut request = request.header("x-csrf-token", &self.me.csrf);
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }
}

fn code(server: &TestServer, secret: &str) -> String {
    let secret = Secret::Encoded(secret.into()).to_bytes().unwrap();
    let totp = TOTP::new(Algorithm::SHA1, 6, 1, 30, secret, None, "who".into()).unwrap();
    totp.generate(server.clock.now_ms() / 1_000)
}

/// Sets the second factor up; the secret and the recovery codes.
async fn set_up(server: &TestServer, who: &In) -> (String, Vec<String>) {
    let path = "/me/second-factor";
    let (status, _) =
        who.ask(server, Method::POST, path, json!({ "password": "not this one" })).await;
    assert_eq!(status, 401);
    let (status, offer) =
        who.ask(server, Method::POST, path, json!({ "password": PASSWORD })).await;
    assert_eq!(status, 200, "{offer}");
    let offer: SecondFactorOffer = serde_json::from_value(offer).unwrap();
    let uri = url::Url::parse(&offer.uri).unwrap();
    assert_eq!((uri.scheme(), uri.host_str()), ("otpauth", Some("totp")));
    assert!(uri.query_pairs().any(|(name, value)| name == "secret" && value == offer.secret));
    // Three finder patterns of 7 × 7 modules at least, so dozens of squares.
    assert!(offer.qr_size >= 21 && offer.qr_path.matches('M').count() > 100);
    let (status, _) = who.ask(server, Method::PUT, path, json!({ "code": "000000" })).await;
    assert_eq!(status, 401);
    let first = code(server, &offer.secret);
    let (status, codes) = who.ask(server, Method::PUT, path, json!({ "code": first })).await;
    assert_eq!(status, 200, "{codes}");
    let codes: RecoveryCodes = serde_json::from_value(codes).unwrap();
    assert_eq!(codes.recovery_codes.len(), 10);
    (offer.secret, codes.recovery_codes)
}

#[tokio::test]
async fn a_temporary_password_opens_nothing_but_its_change() {
    let server = TestServer::start().await;
    account(&server, "mara", true).await;
    let mara = enter(&server, "mara", PASSWORD, None).await.unwrap();
    assert_eq!(mara.me.needs, Some(Need::Password));
    for path in ["/me/sign-ins", "/sites/shop/statistics", "/sites/shop/agents"] {
        assert_eq!(mara.ask(&server, Method::GET, path, Value::Null).await.0, 403, "{path}");
    }
    let change =
        |current: &str, password: &str| json!({ "current": current, "password": password });
    let path = "/me/password";
    let same = mara.ask(&server, Method::PUT, path, change(PASSWORD, PASSWORD)).await;
    assert_eq!(same.0, 400, "{same:?}");
    let own = "a better battery staple";
    assert_eq!(mara.ask(&server, Method::PUT, path, change(PASSWORD, own)).await.0, 204);
    let (status, me) = mara.ask(&server, Method::GET, "/me", Value::Null).await;
    assert_eq!((status, &me["needs"]), (200, &Value::Null));
    assert_eq!(mara.ask(&server, Method::GET, "/sites/shop/agents", Value::Null).await.0, 200);
    assert!(enter(&server, "mara", own, None).await.is_ok());
}

#[tokio::test]
async fn with_a_second_factor_the_password_alone_opens_nothing() {
    let server = TestServer::start().await;
    account(&server, "mara", false).await;
    let mara = enter(&server, "mara", PASSWORD, None).await.unwrap();
    let other = enter(&server, "mara", PASSWORD, None).await.unwrap();
    let (secret, recovery) = set_up(&server, &mara).await;
    // The sign-ins of before are over, but the one that set it up.
    assert_eq!(other.ask(&server, Method::GET, "/me", Value::Null).await.0, 401);
    let (_, me) = mara.ask(&server, Method::GET, "/me", Value::Null).await;
    assert_eq!(me["second_factor"], json!(true));

    let refused = |result: Result<In, (u16, String)>| result.err().unwrap();
    let wanted = (401, "code_required".to_owned());
    assert_eq!(refused(enter(&server, "mara", PASSWORD, None).await), wanted);
    assert_eq!(refused(enter(&server, "mara", PASSWORD, Some(" ")).await), wanted);
    // A wrong password says nothing of the second factor.
    let wrong = (401, "unauthorized".to_owned());
    assert_eq!(refused(enter(&server, "mara", "not this one", None).await), wrong);
    // The code that set it up was used.
    let used = code(&server, &secret);
    assert_eq!(refused(enter(&server, "mara", PASSWORD, Some(&used)).await), wrong);
    server.clock.advance(30_000);
    let next = code(&server, &secret);
    assert!(enter(&server, "mara", PASSWORD, Some(&next)).await.is_ok());
    assert_eq!(refused(enter(&server, "mara", PASSWORD, Some(&next)).await), wrong);
    assert!(enter(&server, "mara", PASSWORD, Some(&recovery[3])).await.is_ok());
    assert_eq!(refused(enter(&server, "mara", PASSWORD, Some(&recovery[3])).await), wrong);

    // Guessing codes is slowed down like guessing passwords.
    server.clock.advance(3_600_000);
    let mut ends = Vec::new();
    for _ in 0..7 {
        ends.push(refused(enter(&server, "mara", PASSWORD, Some("000000")).await).0);
    }
    assert_eq!(ends, [401, 401, 401, 401, 401, 429, 429]);

    // An operator lets in again who lost the phone.
    let url = server.admin_url("/v1/agents/mara/second-factor");
    let reset = reqwest::Client::new().delete(url).bearer_auth(server.admin_key());
    assert_eq!(reset.send().await.unwrap().status(), 204);
    assert_eq!(mara.ask(&server, Method::GET, "/me", Value::Null).await.0, 401);
    server.clock.advance(3_600_000);
    assert!(enter(&server, "mara", PASSWORD, None).await.is_ok());
}

#[tokio::test]
async fn where_a_second_factor_is_required_nothing_else_is_open_before() {
    let server = TestServer::with(|config| {
        config.console.second_factor = SecondFactorPolicy::Required;
    })
    .await;
    account(&server, "mara", false).await;
    let mara = enter(&server, "mara", PASSWORD, None).await.unwrap();
    assert_eq!(mara.me.needs, Some(Need::SecondFactor));
    let agents = "/sites/shop/agents";
    assert_eq!(mara.ask(&server, Method::GET, agents, Value::Null).await.0, 403);
    let (secret, _) = set_up(&server, &mara).await;
    assert_eq!(mara.ask(&server, Method::GET, agents, Value::Null).await.0, 200);
    server.clock.advance(30_000);
    let body = json!({ "password": PASSWORD, "code": code(&server, &secret) });
    let (status, error) = mara.ask(&server, Method::POST, "/me/second-factor/remove", body).await;
    assert_eq!(status, 400, "{error}");
}

#[tokio::test]
async fn sign_ins_are_listed_and_ended_by_their_agent_alone() {
    let server = TestServer::start().await;
    account(&server, "mara", false).await;
    account(&server, "jo", false).await;
    let mara = enter(&server, "mara", PASSWORD, None).await.unwrap();
    server.clock.advance(60_000);
    let phone = enter(&server, "mara", PASSWORD, None).await.unwrap();
    let third = enter(&server, "mara", PASSWORD, None).await.unwrap();
    let jo = enter(&server, "jo", PASSWORD, None).await.unwrap();

    let (_, listed) = mara.ask(&server, Method::GET, "/me/sign-ins", Value::Null).await;
    let own: Vec<SignInView> = serde_json::from_value(listed["sign_ins"].clone()).unwrap();
    assert_eq!(own.iter().map(|one| one.current).collect::<Vec<_>>(), [false, false, true]);
    assert!(own.iter().all(|one| one.browser == "Firefox on Linux"));
    assert!(own.iter().all(|one| one.address.as_deref() == Some("127.0.0.1")));
    let text = listed.to_string();
    assert!(!text.contains(mara.cookie.split_once('=').unwrap().1), "no token is told");

    let (_, listed) = phone.ask(&server, Method::GET, "/me/sign-ins", Value::Null).await;
    let all = listed["sign_ins"].as_array().unwrap();
    let current = all.iter().find(|one| one["current"] == json!(true)).unwrap();
    let path = format!("/me/sign-ins/{}", current["id"].as_str().unwrap());
    assert_eq!(jo.ask(&server, Method::DELETE, &path, Value::Null).await.0, 404);
    assert_eq!(mara.ask(&server, Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(phone.ask(&server, Method::GET, "/me", Value::Null).await.0, 401);
    assert_eq!(mara.ask(&server, Method::DELETE, "/me/sign-ins", Value::Null).await.0, 204);
    assert_eq!(third.ask(&server, Method::GET, "/me", Value::Null).await.0, 401);
    assert_eq!(mara.ask(&server, Method::GET, "/me", Value::Null).await.0, 200);
    assert_eq!(jo.ask(&server, Method::GET, "/me", Value::Null).await.0, 200);
}
