//! Signing in at an issuer, with one on loopback that speaks OpenID Connect, and a browser that
//! keeps cookies and follows nothing by itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL};
use frontdesk::config::Config;
use frontdesk::protocol::console::{Me, Need, NewAccount, Role, WaysIn};
use frontdesk::session::desk::SecondFactorPolicy;
use reqwest::Method;
use reqwest::redirect::Policy;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::support::TestServer;

const CLIENT: &str = "desk: eins";
const SECRET: &str = "se cr%t/0123456789";
const PASSWORD: &str = "correct horse battery";
const ADDRESS: &str = "mara@shop.example";

/// What signs ID tokens.
enum Key {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    fn rsa() -> Self {
        let der = include_bytes!("files/teams_test_key.der");
        Self::Rsa(Box::new(
            RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)).unwrap(),
        ))
    }

    fn p256() -> Self {
        let (kind, rng) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(kind, &rng).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &rng).unwrap())
    }

    fn ed25519() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Rsa(_) => {
                let set: Value =
                    serde_json::from_str(include_str!("files/teams_test_keys.json")).unwrap();
                let key = &set["keys"][0];
                json!({ "kty": "RSA", "use": "sig", "kid": id, "n": key["n"], "e": key["e"] })
            }
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (BASE64URL.encode(&point[1..33]), BASE64URL.encode(&point[33..]));
                json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": y })
            }
            Self::Ed25519(pair) => {
                let x = BASE64URL.encode(pair.public_key());
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": x })
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &rng, message, &mut signature).unwrap();
                signature
            }
            Self::P256(pair) => pair.sign(&rng, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// What an issuer does, and what was asked of it.
struct Mind {
    address: String,
    key: Key,
    key_id: &'static str,
    /// What the next ID tokens claim beside what is this sign-in's; `null` takes a claim out.
    claims: Value,
    /// The header of the next ID tokens, if another than the key's.
    header: Option<Value>,
    /// Where somebody says no at the issuer's page.
    error: Option<&'static str>,
    /// What comes back as `iss` beside the code.
    names_itself: Option<String>,
    /// As the discovery document has them.
    methods: Value,
    names: Value,
    codes: HashMap<String, HashMap<String, String>>,
    asked: BTreeMap<String, usize>,
}

/// An issuer. Cheap to clone.
#[derive(Clone)]
struct Issuer(Arc<Mutex<Mind>>);

fn fields(text: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

impl Issuer {
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/realm", listener.local_addr().unwrap());
        let mind = Mind {
            names: json!(address),
            address,
            key: Key::p256(),
            key_id: "first",
            claims: json!({ "email": ADDRESS, "email_verified": true, "name": "Mara Lind" }),
            header: None,
            error: None,
            names_itself: None,
            methods: json!(["client_secret_basic"]),
            codes: HashMap::new(),
            asked: BTreeMap::new(),
        };
        let issuer = Self(Arc::new(Mutex::new(mind)));
        let router = Router::new().fallback(Self::answer).with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    fn mind(&self) -> MutexGuard<'_, Mind> {
        self.0.lock().unwrap()
    }

    /// Changes what the next ID tokens claim.
    fn claim(&self, name: &str, value: Value) {
        self.mind().claims[name] = value;
    }

    fn asked(&self, path: &str) -> usize {
        self.mind().asked.get(path).copied().unwrap_or_default()
    }

    async fn answer(
        State(issuer): State<Self>,
        uri: Uri,
        headers: HeaderMap,
        body: String,
    ) -> Response {
        let mut mind = issuer.mind();
        let path = uri.path().trim_start_matches("/realm").to_owned();
        *mind.asked.entry(path.clone()).or_default() += 1;
        match path.as_str() {
            "/.well-known/openid-configuration" => axum::Json(mind.document()).into_response(),
            "/keys" => axum::Json(json!({ "keys": [mind.key.jwk(mind.key_id)] })).into_response(),
            "/authorize" => mind.authorize(&fields(uri.query().unwrap_or_default())),
            "/token" => mind.token(&headers, &fields(&body)),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

impl Mind {
    fn document(&self) -> Value {
        let at = |path: &str| format!("{}/{path}", self.address);
        json!({
            "issuer": self.names, "authorization_endpoint": at("authorize"),
            "token_endpoint": at("token"), "jwks_uri": at("keys"),
            "token_endpoint_auth_methods_supported": self.methods,
            "authorization_response_iss_parameter_supported": self.names_itself.is_some(),
        })
    }

    /// Whoever opens the page is known, and agrees, unless there is an error.
    fn authorize(&mut self, asked: &HashMap<String, String>) -> Response {
        assert_eq!(
            (asked["response_type"].as_str(), asked["client_id"].as_str()),
            ("code", CLIENT)
        );
        assert_eq!(asked["scope"], "openid email profile");
        assert_eq!(asked["code_challenge_method"], "S256");
        let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
        let mut query = back.query_pairs_mut();
        query.append_pair("state", &asked["state"]).append_pair("session_state", "x");
        if let Some(issuer) = &self.names_itself {
            query.append_pair("iss", issuer);
        }
        match self.error {
            Some(error) => drop(query.append_pair("error", error)),
            None => {
                let code = format!("code-{}", self.codes.len());
                query.append_pair("code", &code);
                self.codes.insert(code, asked.clone());
            }
        }
        drop(query);
        (StatusCode::FOUND, [(header::LOCATION, back.to_string())]).into_response()
    }

    fn token(&mut self, headers: &HeaderMap, form: &HashMap<String, String>) -> Response {
        let refuse = |error: &str| {
            (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": error }))).into_response()
        };
        let encoded = |text: &str| -> String {
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
        };
        let basic = STANDARD.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET)));
        let shown = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
        let in_body = form.get("client_id").zip(form.get("client_secret"));
        let known = match self.methods[0].as_str() {
            Some("client_secret_basic") => {
                shown == Some(format!("Basic {basic}").as_str()) && in_body.is_none()
            }
            _ => shown.is_none() && in_body == Some((&CLIENT.to_owned(), &SECRET.to_owned())),
        };
        if !known {
            return refuse("invalid_client");
        }
        // A code counts once, for whoever asked for it.
        let Some(asked) = self.codes.remove(&form["code"]) else { return refuse("invalid_grant") };
        let challenge = BASE64URL.encode(Sha256::digest(&form["code_verifier"]));
        if form["grant_type"] != "authorization_code"
            || form["redirect_uri"] != asked["redirect_uri"]
            || challenge != asked["code_challenge"]
        {
            return refuse("invalid_grant");
        }
        let mut claims = json!({
            "iss": self.address, "aud": CLIENT, "sub": "subject-1", "nonce": asked["nonce"],
            "iat": 1_700_000_000_u64, "exp": 4_000_000_000_u64,
        });
        for (name, value) in self.claims.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let own = json!({ "alg": self.key.algorithm(), "kid": self.key_id });
        let header = self.header.clone().unwrap_or(own);
        let encoded = |part: &Value| BASE64URL.encode(part.to_string());
        let signed = format!("{}.{}", encoded(&header), encoded(&claims));
        let signature = match header["alg"].as_str() {
            Some("none") => Vec::new(),
            // With what an attacker knows: the public key as a shared secret.
            Some("HS256") => {
                let secret = self.key.jwk(self.key_id)["x"].to_string();
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
                ring::hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
            }
            _ => self.key.sign(signed.as_bytes()),
        };
        let token = format!("{signed}.{}", BASE64URL.encode(signature));
        axum::Json(json!({ "id_token": token, "access_token": "a", "token_type": "Bearer" }))
            .into_response()
    }
}

/// A browser: it keeps cookies, and shows where it is sent.
struct Browser {
    http: reqwest::Client,
    cookies: HashMap<String, String>,
}

impl Browser {
    fn new() -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self { http, cookies: HashMap::new() }
    }

    /// Opens an address; where it leads.
    async fn open(&mut self, url: &str) -> String {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.http.get(url).header("user-agent", "Firefox on Linux");
        let response = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        assert!(response.status().is_redirection(), "{url}: {}", response.status());
        for line in response.headers().get_all("set-cookie") {
            let line = line.to_str().unwrap();
            for needed in ["Path=/", "Secure", "HttpOnly", "SameSite="] {
                assert!(line.contains(needed), "{line}");
            }
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let (name, value) = (name.to_owned(), value.to_owned());
            if value.is_empty() {
                self.cookies.remove(&name);
            } else {
                self.cookies.insert(name, value);
            }
        }
        response.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Leaves for the issuer and is about to come back: the address with the code.
    async fn away(&mut self, server: &TestServer) -> String {
        let issuer = self.open(&server.url("/v1/console/oidc/sign-in")).await;
        let back = self.open(&issuer).await;
        let expected = server.url("/v1/console/oidc/callback?");
        assert!(back.starts_with(&expected), "{back}");
        back
    }

    /// The whole way; the page at its end.
    async fn sign_in(&mut self, server: &TestServer) -> String {
        let back = self.away(server).await;
        self.open(&back).await
    }

    async fn ask(&self, server: &TestServer, path: &str) -> (u16, Value) {
        let cookie = self.cookies.get("__Host-frontdesk").cloned().unwrap_or_default();
        let request = self.http.get(server.url(&format!("/v1/console{path}")));
        let request = request.header("cookie", format!("__Host-frontdesk={cookie}"));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn me(&self, server: &TestServer) -> Me {
        let (status, me) = self.ask(server, "/me").await;
        assert_eq!(status, 200, "{me}");
        serde_json::from_value(me).unwrap()
    }
}

/// A new browser's whole way.
async fn sign_in(server: &TestServer) -> String {
    Browser::new().sign_in(server).await
}

async fn with(change: impl FnOnce(&mut Config)) -> (TestServer, Issuer) {
    let issuer = Issuer::start().await;
    let address = issuer.mind().address.clone();
    let server = TestServer::with(|config| {
        config.oidc.issuer = address;
        config.oidc.name = "Acme".into();
        config.oidc.client_id = CLIENT.into();
        config.oidc.client_secret = SECRET.into();
        change(config);
    })
    .await;
    (server, issuer)
}

fn creating(config: &mut Config) {
    config.oidc.create = true;
    config.oidc.email_domains = vec!["shop.example".into()];
    config.oidc.roles = BTreeMap::from([("shop".to_owned(), Role::Agent)]);
}

async fn admin(server: &TestServer, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().request(method, server.admin_url(path));
    let request = request.bearer_auth(server.admin_key()).json(body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

async fn account(server: &TestServer, login: &str, temporary: bool) -> String {
    let new = NewAccount {
        login: login.into(),
        name: "Mara".into(),
        password: PASSWORD.into(),
        roles: BTreeMap::from([("shop".into(), Role::Admin)]),
        limit: None,
        temporary,
    };
    let new = serde_json::to_value(new).unwrap();
    let (status, made) = admin(server, Method::POST, "/v1/agents", &new).await;
    assert_eq!(status, 201, "{made}");
    made["agent"]["id"].as_str().unwrap().to_owned()
}

/// Who did what, and to whom or what, as the audit log has it.
async fn audit(server: &TestServer) -> Vec<(String, String, Value)> {
    let (_, page) = admin(server, Method::GET, "/v1/audit", &Value::Null).await;
    let entries = page["entries"].as_array().unwrap().iter();
    let entries = entries.map(|entry| {
        let entry: Value = serde_json::from_str(entry.as_str().unwrap()).unwrap();
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        (text("who"), text("did"), entry["to"].clone())
    });
    entries.filter(|(_, did, _)| did.contains("at the issuer")).collect()
}

#[tokio::test]
async fn an_account_becomes_the_person_s_and_stays_it() {
    let (mut server, issuer) = with(|_| {}).await;
    let ways: WaysIn =
        reqwest::get(server.url("/v1/console/sign-in")).await.unwrap().json().await.unwrap();
    assert_eq!(ways.oidc.as_deref(), Some("Acme"));
    // A password that somebody else chose needn't be changed by who doesn't use it.
    let id = account(&server, ADDRESS, true).await;
    issuer.claim("email", json!("Mara@Shop.example"));
    let mut browser = Browser::new();
    assert_eq!(browser.sign_in(&server).await, "/console");
    let me = browser.me(&server).await;
    assert_eq!((me.agent.id.as_str(), me.needs), (id.as_str(), None));
    assert!(!browser.cookies.contains_key("__Host-frontdesk-oidc"));

    // The address changes at the issuer; the person doesn't.
    issuer.claim("email", json!("mara.lind@shop.example"));
    assert_eq!(sign_in(&server).await, "/console");
    // A new colleague is given the old address: the account isn't theirs.
    issuer.claim("email", json!(ADDRESS));
    issuer.claim("sub", json!("subject-2"));
    assert_eq!(sign_in(&server).await, "/console?oidc=bound");

    // Sign-ins are listed as others are, outlive a restart, and are ended by an operator.
    server.restart().await;
    let (_, listed) = browser.ask(&server, "/me/sign-ins").await;
    let listed = listed["sign_ins"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|one| one["browser"] == "Firefox on Linux"));
    assert_eq!(browser.me(&server).await.needs, None);
    let path = format!("/v1/agents/{ADDRESS}/oidc");
    assert_eq!(admin(&server, Method::DELETE, &path, &Value::Null).await.0, 204);
    assert_eq!(browser.ask(&server, "/me").await.0, 401);
    // Parted from the one, it becomes the other's.
    assert_eq!(sign_in(&server).await, "/console");

    let log = audit(&server).await;
    let did: Vec<&str> = log.iter().map(|(_, did, _)| did.as_str()).collect();
    let (linked, signed_in) = ("link account to a person at the issuer", "sign in at the issuer");
    assert_eq!(did, [linked, signed_in, signed_in, signed_in, linked, signed_in]);
    assert!(
        log.iter().all(|(who, _, _)| who == &format!("agent {id}") || who.starts_with("person "))
    );
    assert_eq!(log[3].2, json!([["refused", "bound"]]));
    assert!(!serde_json::to_string(&log).unwrap().contains("subject-"), "of a person a hash");
}

#[tokio::test]
async fn each_algorithm_and_way_to_show_the_secret_serves() {
    let (server, issuer) = with(creating).await;
    for key in [Key::rsa(), Key::p256(), Key::ed25519()] {
        issuer.mind().key = key;
        // The keys of before are over.
        server.clock.advance(2 * 3_600_000);
        assert_eq!(sign_in(&server).await, "/console", "{}", issuer.mind().key.algorithm());
    }
    issuer.mind().methods = json!(["client_secret_post"]);
    server.clock.advance(2 * 3_600_000);
    assert_eq!(sign_in(&server).await, "/console");
}

#[tokio::test]
async fn a_token_that_isn_t_this_sign_in_s_lets_nobody_in() {
    let (server, issuer) = with(creating).await;
    let now_s = server.clock.now_ms() / 1_000;
    for (claim, value) in [
        ("nonce", json!("another")),
        ("nonce", Value::Null),
        ("iss", json!("https://evil.example")),
        ("aud", json!("another")),
        ("aud", json!([CLIENT, "another"])),
        ("azp", json!("another")),
        ("exp", json!(now_s - 120)),
        ("exp", Value::Null),
        ("iat", json!(now_s + 600)),
        ("sub", Value::Null),
    ] {
        let before = issuer.mind().claims.clone();
        issuer.claim(claim, value.clone());
        assert_eq!(sign_in(&server).await, "/console?oidc=bad_token", "{claim} {value}");
        issuer.mind().claims = before;
    }
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "HS256", "kid": "first" }),
        json!({ "alg": "RS256", "kid": "first" }),
        json!({ "alg": "ES256", "kid": "unknown" }),
        json!({ "alg": "ES256", "kid": "first", "crit": ["x"] }),
    ] {
        issuer.mind().header = Some(header.clone());
        assert_eq!(sign_in(&server).await, "/console?oidc=bad_token", "{header}");
    }
    issuer.mind().header = None;
    // Signed with a key that is not the issuer's.
    issuer.mind().key = Key::p256();
    assert_eq!(sign_in(&server).await, "/console?oidc=bad_token");
    let (_, accounts) = admin(&server, Method::GET, "/v1/agents", &Value::Null).await;
    assert_eq!(accounts["accounts"], json!([]));
    let log = audit(&server).await;
    assert_eq!(log.len(), 16);
    assert!(
        log.iter().all(|(who, _, to)| who == "nobody" && *to == json!([["refused", "bad_token"]]))
    );
}

#[tokio::test]
async fn a_state_counts_once_and_for_its_browser_alone() {
    let (server, issuer) = with(creating).await;
    let stale = "/console?oidc=stale";
    let mut mara = Browser::new();
    let back = mara.away(&server).await;
    // Somebody who is given the address is not signed in as Mara, and doesn't end her sign-in.
    let mut eve = Browser::new();
    assert_eq!(eve.open(&back).await, stale);
    eve.away(&server).await;
    assert_eq!(eve.open(&back).await, stale);
    let kept = mara.cookies.clone();
    assert_eq!(mara.open(&back).await, "/console");
    mara.cookies.extend(kept);
    assert_eq!(mara.open(&back).await, stale, "used already");
    let made_up = server.url("/v1/console/oidc/callback?state=x&code=y");
    assert_eq!(mara.open(&made_up).await, stale);
    assert_eq!(mara.open(&server.url("/v1/console/oidc/callback")).await, stale);

    let late = mara.away(&server).await;
    server.clock.advance(10 * 60_000);
    assert_eq!(mara.open(&late).await, stale);
    // The issuer knows the code no more: it was used elsewhere.
    let spent = mara.away(&server).await;
    issuer.mind().codes.clear();
    assert_eq!(mara.open(&spent).await, stale);
    // Nothing of the request says where a browser is sent.
    let wish = server.url("/v1/console/oidc/sign-in?to=https%3A%2F%2Fevil.example");
    let leaving = mara.open(&wish).await;
    assert!(leaving.starts_with(&issuer.mind().address) && !leaving.contains("evil"), "{leaving}");
    let leaving = mara.open(&server.url("/v1/console/oidc/sign-in?to=insight")).await;
    let back = mara.open(&leaving).await;
    assert_eq!(mara.open(&back).await, "/console?to=insight");
}

#[tokio::test]
async fn keys_are_fetched_again_for_a_new_one_and_not_for_everybody_who_makes_one_up() {
    let (server, issuer) = with(creating).await;
    assert_eq!(sign_in(&server).await, "/console");
    assert_eq!(issuer.asked("/keys"), 1);
    {
        let mut mind = issuer.mind();
        (mind.key, mind.key_id) = (Key::ed25519(), "second");
    }
    // Just fetched: not again for a token that names another key.
    assert_eq!(sign_in(&server).await, "/console?oidc=bad_token");
    assert_eq!(issuer.asked("/keys"), 1);
    server.clock.advance(60_000);
    assert_eq!(sign_in(&server).await, "/console");
    assert_eq!(sign_in(&server).await, "/console");
    assert_eq!(issuer.asked("/keys"), 2);
    assert_eq!(issuer.asked("/.well-known/openid-configuration"), 1);
    // A key that was withdrawn counts for no more than an hour.
    server.clock.advance(3_600_000);
    assert_eq!(sign_in(&server).await, "/console");
    assert_eq!(issuer.asked("/.well-known/openid-configuration"), 2);
}

#[tokio::test]
async fn only_who_is_known_or_wanted_is_let_in() {
    let (server, issuer) = with(|config| {
        config.oidc.groups = vec!["support".into()];
        config.console.second_factor = SecondFactorPolicy::Required;
    })
    .await;
    assert_eq!(sign_in(&server).await, "/console?oidc=not_allowed");
    issuer.claim("groups", json!(["sales", "support"]));
    assert_eq!(sign_in(&server).await, "/console?oidc=unknown");
    account(&server, ADDRESS, false).await;
    for verified in [json!(false), Value::Null, json!("yes")] {
        issuer.claim("email_verified", verified);
        assert_eq!(sign_in(&server).await, "/console?oidc=unverified");
    }
    issuer.claim("email_verified", json!(true));
    let mut browser = Browser::new();
    assert_eq!(browser.sign_in(&server).await, "/console");
    // The issuer asks for the second factor, we don't once more; who comes by password is asked.
    assert_eq!(browser.me(&server).await.needs, None);
    let body = json!({ "login": ADDRESS, "password": PASSWORD });
    let request = reqwest::Client::new().post(server.url("/v1/console/sign-in")).json(&body);
    let me: Me = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(me.needs, Some(Need::SecondFactor));
    // Out of the group is out, account or not.
    issuer.claim("groups", json!("sales"));
    assert_eq!(sign_in(&server).await, "/console?oidc=not_allowed");
}

#[tokio::test]
async fn a_new_person_gets_an_account_and_one_that_was_removed_doesn_t() {
    let (mut server, issuer) = with(|config| {
        creating(config);
        config.oidc.require_mfa = true;
    })
    .await;
    assert_eq!(sign_in(&server).await, "/console?oidc=second_factor");
    issuer.claim("amr", json!(["pwd", "otp", "mfa"]));
    issuer.claim("email", json!("eve@evil.example"));
    assert_eq!(sign_in(&server).await, "/console?oidc=not_allowed");
    issuer.claim("email", json!(ADDRESS));
    let mut browser = Browser::new();
    assert_eq!(browser.sign_in(&server).await, "/console");
    let me = browser.me(&server).await;
    assert_eq!(me.agent.name, "Mara Lind");
    assert_eq!((me.sites[0].id.as_str(), me.sites[0].role), ("shop", Role::Agent));
    // The same person is the same account.
    assert_eq!(sign_in(&server).await, "/console");
    let (_, listed) = admin(&server, Method::GET, "/v1/agents", &Value::Null).await;
    let listed = listed["accounts"].as_array().unwrap().clone();
    assert_eq!((listed.len(), &listed[0]["oidc"]), (1, &json!(true)));
    assert_eq!(listed[0]["login"], ADDRESS);
    let body = json!({ "login": ADDRESS, "password": "" });
    let request = reqwest::Client::new().post(server.url("/v1/console/sign-in")).json(&body);
    assert_eq!(request.send().await.unwrap().status(), 401, "there is no password");

    // Removed here, the person isn't new at the next sign-in, also after a restart.
    let path = format!("/v1/agents/{ADDRESS}");
    assert_eq!(admin(&server, Method::DELETE, &path, &Value::Null).await.0, 204);
    assert_eq!(browser.ask(&server, "/me").await.0, 401);
    server.restart().await;
    assert_eq!(sign_in(&server).await, "/console?oidc=removed");
    // Until an operator makes the account anew.
    account(&server, ADDRESS, false).await;
    assert_eq!(sign_in(&server).await, "/console");
    let did: Vec<String> = audit(&server).await.into_iter().map(|(_, did, _)| did).collect();
    assert!(did.contains(&"make account for a person at the issuer".to_owned()), "{did:?}");
}

#[tokio::test]
async fn an_issuer_that_says_no_is_down_or_is_another_one_is_told_apart() {
    let (server, issuer) = with(creating).await;
    issuer.mind().error = Some("access_denied");
    assert_eq!(sign_in(&server).await, "/console?oidc=declined");
    issuer.mind().error = None;
    // One that names itself has to be ours, whether it says that it does or not.
    issuer.mind().names_itself = Some("https://evil.example".into());
    assert_eq!(sign_in(&server).await, "/console?oidc=bad_token");
    let own = issuer.mind().address.clone();
    issuer.mind().names_itself = Some(own);
    assert_eq!(sign_in(&server).await, "/console");
    server.clock.advance(3_600_000);
    let mut browser = Browser::new();
    let back = browser.away(&server).await;
    // It said that it would name itself, and somebody took that out.
    let without = Url::parse(&back).unwrap();
    let pairs: Vec<(String, String)> =
        without.query_pairs().into_owned().filter(|(name, _)| name != "iss").collect();
    let mut without = without.clone();
    without.query_pairs_mut().clear().extend_pairs(pairs);
    assert_eq!(browser.open(without.as_str()).await, "/console?oidc=bad_token");

    let (server, issuer) = with(|config| config.oidc.client_secret = "another".into()).await;
    assert_eq!(sign_in(&server).await, "/console?oidc=misconfigured");
    issuer.mind().names = json!("https://id.example");
    server.clock.advance(3_600_000);
    let begin = server.url("/v1/console/oidc/sign-in");
    assert_eq!(Browser::new().open(&begin).await, "/console?oidc=misconfigured");

    let down = TestServer::with(|config| {
        config.oidc.issuer = "http://127.0.0.1:1".into();
        config.oidc.client_id = CLIENT.into();
    })
    .await;
    let begin = down.url("/v1/console/oidc/sign-in");
    assert_eq!(Browser::new().open(&begin).await, "/console?oidc=unreachable");
    let off = TestServer::start().await;
    let begin = off.url("/v1/console/oidc/sign-in");
    assert_eq!(Browser::new().open(&begin).await, "/console?oidc=off");
    let ways = reqwest::get(off.url("/v1/console/sign-in")).await.unwrap().text().await.unwrap();
    assert_eq!(ways, "{}");
}

#[tokio::test]
async fn tries_from_one_network_end_and_come_back() {
    let (server, _) = with(creating).await;
    let made_up = server.url("/v1/console/oidc/callback?state=x&code=y");
    let mut browser = Browser::new();
    for _ in 0..30 {
        assert_eq!(browser.open(&made_up).await, "/console?oidc=stale");
    }
    assert_eq!(browser.open(&made_up).await, "/console?oidc=too_many");
    server.clock.advance(3_600_000);
    assert_eq!(browser.sign_in(&server).await, "/console");
}
