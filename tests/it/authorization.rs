//! The authorization matrix: every route of both tables with every kind of caller, on the caller's
//! own site and on another one; and the commands of both sockets. It is made of the tables that the
//! server serves, so a new route is in it from its first day.
//!
//! A route may refuse, or let in and find nothing; what it may never do is show or change what
//! isn't the caller's. Each site's conversations, documents, accounts and replies carry a mark, and
//! no answer may hold a mark of a site that the caller has no right to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use frontdesk::http::auth::{Key, Scope};
use frontdesk::http::routes::{Access, Route};
use frontdesk::http::{private_routes, public_routes};
use frontdesk::protocol::console::{
    Account, Action, ConsoleClient, ConsoleServer, Filter, List, Me, NewAccount, Role, SignIn,
};
use frontdesk::protocol::parts::{GiveTo, Rating, SuggestionId, Wish};
use frontdesk::protocol::{ClientMessage, ErrorCode, ServerMessage};
use frontdesk::secret::key_hash;
use frontdesk::site::{JwtAlgorithm, JwtConfig, Site};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::{ChatClient, LIMIT, TestServer};

const SITES: [&str; 2] = ["shop", "bank"];
const SCOPES: [Scope; 5] =
    [Scope::Chat, Scope::Outcomes, Scope::Admin, Scope::Metrics, Scope::Knowledge];
/// Of the conversation that each site has.
const EVENTS: usize = 7;
const PASSWORD: &str = "correct horse battery";
const JWT_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A word that stands in what is kept of a site and nowhere else.
fn mark(site: &str) -> String {
    format!("ziggurat{site}")
}

/// What a request carries, and what that is worth.
#[derive(Clone, Debug, Default)]
struct Caller {
    name: String,
    headers: Vec<(&'static str, String)>,
    /// A key's scope, and the site it is limited to.
    key: Option<(Scope, Option<&'static str>)>,
    /// A good sign-in's role and site, with whether the CSRF token is shown.
    agent: Option<(Role, &'static str, bool)>,
}

impl Caller {
    fn with(name: &str, header: &'static str, value: String) -> Self {
        Self { name: name.into(), headers: vec![(header, value)], ..Self::default() }
    }

    /// Whether the caller has any business with the site.
    fn knows(&self, site: &str) -> bool {
        self.key.is_some_and(|(_, of)| of.is_none_or(|of| of == site))
            || self.agent.is_some_and(|(_, of, _)| of == site)
    }

    fn has_key(&self, scopes: &[Scope], site: Option<&str>) -> bool {
        self.key.is_some_and(|(scope, of)| scopes.contains(&scope) && (of.is_none() || of == site))
    }

    /// Whether the route is to let the caller in, asked for a site.
    fn is_let_in(&self, route: &Route, site: &str) -> bool {
        let agent = |needed: &dyn Fn(Role, &str) -> bool| {
            self.agent.is_some_and(|(role, of, csrf)| {
                (csrf || route.method.is_safe()) && needed(role, of)
            })
        };
        match route.access {
            Access::Anyone | Access::Visitor | Access::Password | Access::Issuer => true,
            Access::Reporter => self.has_key(&[Scope::Outcomes, Scope::Admin], Some(site)),
            Access::Platform => false,
            Access::Server(scope) => self.has_key(&[scope, Scope::Admin], None),
            Access::Site(scope) => self.has_key(&[scope, Scope::Admin], Some(site)),
            Access::OwnSite(scope) => {
                self.key == Some((scope, SITES.into_iter().find(|own| *own == site)))
            }
            Access::ItsSites(scope) => self.key.is_some_and(|(of, _)| of == scope),
            Access::Begun | Access::SignedIn => agent(&|_, _| true),
            Access::Agent => agent(&|_, of| of == site),
            Access::SiteAdmin => agent(&|role, of| role == Role::Admin && of == site),
        }
    }
}

/// What there is of a site to ask for.
#[derive(Clone, Debug, Default)]
struct Belongings {
    session: String,
    visitor: String,
    document: String,
    canned: String,
    gap: String,
    agent: String,
}

/// A server with two sites that are alike, and everybody who may come.
struct World {
    server: TestServer,
    http: reqwest::Client,
    callers: Vec<Caller>,
    belongings: BTreeMap<&'static str, Belongings>,
    /// By site, its visitor.
    visitors: BTreeMap<&'static str, ChatClient>,
}

fn key_text(scope: Scope, site: Option<&str>) -> String {
    format!("fd_{scope}_{}", site.unwrap_or("all"))
}

async fn sign_in(server: &TestServer, login: &str) -> (String, Me) {
    let body = SignIn { login: login.into(), password: PASSWORD.into(), code: None };
    let request = reqwest::Client::new().post(server.url("/v1/console/sign-in")).json(&body);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{login}");
    let cookie =
        response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    (cookie, response.json().await.unwrap())
}

async fn hello(
    server: &TestServer,
    site: &str,
    token: Option<String>,
    session: Option<String>,
) -> ChatClient {
    let mut client = server.client().await;
    let (last_seq, partial, source, attributes) = (0, None, None, None);
    client
        .send(&ClientMessage::Hello {
            site: site.into(),
            token,
            session,
            last_seq,
            partial,
            source,
            attributes,
            language: None,
        })
        .await;
    client
}

impl World {
    async fn new() -> Self {
        let server = TestServer::with(|config| {
            let jwt = JwtConfig::new(JwtAlgorithm::HS256, JWT_SECRET);
            config.sites[0].jwt = Some(jwt.clone());
            let channel =
                "platform = \"telegram\"\ntoken = \"1:a\"\nsecrets = [\"a-secret-of-telegram\"]";
            config.sites[0].channels = vec![toml::from_str(channel).unwrap()];
            config.sites.push(Site {
                id: "bank".into(),
                jwt: Some(jwt),
                ..config.sites[0].clone()
            });
            for scope in SCOPES {
                for site in [None, Some("shop"), Some("bank")] {
                    let key = key_text(scope, site);
                    let (name, sha256, site) =
                        (key.clone(), key_hash(&key), site.map(str::to_owned));
                    config.auth.keys.push(Key { name, sha256, scopes: vec![scope], site });
                }
            }
        })
        .await;
        let mut world = Self {
            server,
            http: reqwest::Client::new(),
            callers: Vec::new(),
            belongings: BTreeMap::new(),
            visitors: BTreeMap::new(),
        };
        for site in SITES {
            world.furnish(site).await;
        }
        world.invite().await;
        world
    }

    async fn as_admin(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self
            .http
            .request(method, self.server.admin_url(path))
            .bearer_auth(self.server.admin_key());
        let response = request.json(body).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn account(&self, login: &str, name: &str, site: &str, role: Role) -> String {
        let new = NewAccount {
            login: login.into(),
            name: name.into(),
            password: PASSWORD.into(),
            roles: BTreeMap::from([(site.to_owned(), role)]),
            limit: None,
            temporary: false,
        };
        let account =
            self.as_admin(Method::POST, "/v1/agents", &serde_json::to_value(new).unwrap()).await;
        serde_json::from_value::<Account>(account).unwrap().agent.id
    }

    /// Gives a site something of every kind.
    async fn furnish(&mut self, site: &'static str) {
        let mark = mark(site);
        let document = format!("hours-of-{site}.md");
        let put =
            self.http.put(self.server.admin_url(&format!("/v1/sites/{site}/documents/{document}")));
        let put = put.bearer_auth(self.server.admin_key()).header("content-type", "text/markdown");
        let response =
            put.body(format!("# {mark}\n\nThe {mark} is open on Sundays.\n")).send().await.unwrap();
        assert_eq!(response.status(), 201);

        let mut visitor = hello(&self.server, site, None, None).await;
        let ServerMessage::Welcome { session, token, .. } = visitor.next().await else {
            panic!("no welcome")
        };
        // `v1.<visitor>.<mac>`
        let id = token.split('.').nth(1).unwrap().to_owned();
        (visitor.session, visitor.token) = (session.clone(), token);
        visitor.ask("m1", &format!("When is the {mark} open?")).await;

        let agent = self.account(&format!("{site}-other"), &mark, site, Role::Admin).await;
        self.account(&format!("{site}-admin"), &format!("{mark} admin"), site, Role::Admin).await;
        self.account(&format!("{site}-agent"), &format!("{mark} agent"), site, Role::Agent).await;
        let (cookie, me) = sign_in(&self.server, &format!("{site}-admin")).await;
        let url = self.server.url(&format!("/v1/console/sites/{site}/canned"));
        let reply =
            json!({ "shortcut": "hi", "title": mark, "text": mark, "language": "en", "id": "" });
        let put = self
            .http
            .put(url)
            .header("cookie", cookie)
            .header("x-csrf-token", me.csrf)
            .json(&reply);
        let canned: Value =
            put.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();

        // What nothing answers becomes a gap, a moment later.
        visitor.ask("m2", "Who won the football world cup in 1998?").await;
        let kept = async {
            loop {
                let gaps = self
                    .as_admin(Method::GET, &format!("/v1/sites/{site}/gaps"), &Value::Null)
                    .await;
                if let Some(id) = gaps["gaps"][0]["id"].as_str() {
                    return id.to_owned();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let gap = tokio::time::timeout(LIMIT, kept).await.expect("a gap in time");
        let canned = canned["id"].as_str().unwrap().to_owned();
        self.belongings
            .insert(site, Belongings { session, visitor: id, document, canned, gap, agent });
        self.visitors.insert(site, visitor);
    }

    /// Everybody who may come.
    async fn invite(&mut self) {
        let mut callers = vec![
            Caller { name: "nobody".into(), ..Caller::default() },
            Caller::with("an unknown key", "authorization", "Bearer fd_unknown".into()),
            Caller::with("an empty key", "authorization", "Bearer ".into()),
            Caller::with("a key without a scheme", "authorization", key_text(Scope::Admin, None)),
            Caller::with("a forged cookie", "cookie", "__Host-frontdesk=forged".into()),
        ];
        for site in SITES {
            let token = self.visitors[site].token.clone();
            callers.push(Caller::with(
                &format!("a visitor of {site}"),
                "authorization",
                format!("Bearer {token}"),
            ));
            let signed = self.signed_token(site, "customer");
            callers.push(Caller::with(
                &format!("a signed visitor of {site}"),
                "authorization",
                format!("Bearer {signed}"),
            ));
        }
        for scope in SCOPES {
            for site in [None, Some("shop"), Some("bank")] {
                let key = key_text(scope, site);
                let caller = Caller::with(&key, "authorization", format!("Bearer {key}"));
                callers.push(Caller { key: Some((scope, site)), ..caller });
            }
        }
        for site in SITES {
            for (role, login) in
                [(Role::Admin, format!("{site}-admin")), (Role::Agent, format!("{site}-agent"))]
            {
                let (cookie, me) = sign_in(&self.server, &login).await;
                let mut caller = Caller::with(&login, "cookie", cookie);
                let without = Caller {
                    name: format!("{login} without the CSRF token"),
                    agent: Some((role, site, false)),
                    ..caller.clone()
                };
                caller.headers.push(("x-csrf-token", me.csrf));
                let mut elsewhere =
                    Caller { name: format!("{login} on a foreign page"), ..caller.clone() };
                elsewhere.headers.push(("origin", "https://evil.example".into()));
                callers.extend([
                    without,
                    elsewhere,
                    Caller { agent: Some((role, site, true)), ..caller },
                ]);
            }
            for (login, how) in
                [(format!("{site}-left"), "signed out"), (format!("{site}-gone"), "revoked")]
            {
                let id = self.account(&login, &login, site, Role::Admin).await;
                let (cookie, me) = sign_in(&self.server, &login).await;
                if how == "signed out" {
                    let out = self.http.post(self.server.url("/v1/console/sign-out"));
                    let out = out
                        .header("cookie", &cookie)
                        .header("x-csrf-token", &me.csrf)
                        .send()
                        .await
                        .unwrap();
                    assert_eq!(out.status(), 204);
                } else {
                    self.as_admin(Method::DELETE, &format!("/v1/agents/{login}"), &Value::Null)
                        .await;
                }
                let mut caller = Caller::with(&format!("{how} {id}"), "cookie", cookie);
                caller.headers.push(("x-csrf-token", me.csrf));
                callers.push(caller);
            }
        }
        self.callers = callers;
    }

    fn signed_token(&self, site: &str, sub: &str) -> String {
        let now = self.server.clock.now_ms() / 1000;
        let claims = json!({ "sub": sub, "aud": site, "iat": now, "exp": now + 600 });
        let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
    }

    /// The address of a route on a site, for what belongs to a site.
    fn url(&self, listener: Listener, route: &Route, site: &str, of: &str) -> String {
        let of = &self.belongings[of];
        let (mut path, model) = (route.path.clone(), format!("frontdesk/{site}"));
        let file = format!("api:{}", of.document);
        for (placeholder, value) in [
            ("{site}", site),
            ("{session}", &of.session),
            ("{visitor}", &of.visitor),
            (
                "{*id}",
                match () {
                    () if route.path.contains("/models/") => &model,
                    () if route.path.contains("/files/") => &file,
                    () => &of.document,
                },
            ),
            ("{head}", "purchase"),
            ("{login}", "nobody-of-this-name"),
            ("{part}", "panel.js"),
            ("{account}", "telegram"),
            ("{section}", "inbox"),
        ] {
            path = path.replace(placeholder, value);
        }
        let id = if route.path.contains("/canned/") {
            &of.canned
        } else if route.path.contains("/agents/") {
            &of.agent
        } else {
            &of.gap
        };
        path = path.replace("{id}", id);
        assert!(
            !path.contains('{'),
            "say in this test what stands for the placeholders of {}",
            route.path
        );
        match listener {
            Listener::Public => self.server.url(&path),
            Listener::Admin => self.server.admin_url(&path),
        }
    }

    /// A body that gets far: past what is checked before anything is read or changed.
    fn body(&self, route: &Route, site: &str) -> Value {
        match route.path.rsplit('/').next().unwrap_or_default() {
            "completions" => {
                let messages = json!([{ "role": "user", "content": format!("Is {} open on Sundays?", mark("bank")) }]);
                json!({ "model": format!("frontdesk/{site}"), "messages": messages })
            }
            "messages" => json!({ "site": site, "text": "What does shipping cost?" }),
            "outcomes" => {
                json!([{ "order": "1", "session": self.belongings["bank"].session, "converted": true }])
            }
            "actions" => json!({ "id": "matrix", "action": { "do": "note", "text": "seen" } }),
            "label" => json!({ "seq": 2, "intent": "music" }),
            "ingest" => json!({ "paths": ["shipping.md"] }),
            "deploy" => json!({ "version": 1 }),
            "canned" => {
                json!({ "shortcut": "x", "title": "x", "text": "x", "language": "en", "id": self.belongings["bank"].canned })
            }
            "article" => {
                json!({ "title": "Open", "text": "We are open on Sundays.", "audience": "public" })
            }
            _ => json!({}),
        }
    }

    async fn ask(
        &self,
        url: &str,
        route: &Route,
        caller: &Caller,
        body: &Value,
    ) -> (StatusCode, String) {
        let query = if route.path.ends_with("/search") {
            "?q=football"
        } else if route.path.ends_with("/passages") {
            "?turn=2"
        } else if route.path == "/v1/console/sites/{site}/sessions" {
            "?list=all"
        } else {
            ""
        };
        let mut request = self.http.request(route.method.clone(), format!("{url}{query}"));
        for (name, value) in &caller.headers {
            request = request.header(*name, value);
        }
        if !route.method.is_safe() {
            request = request.json(body);
        }
        let response =
            tokio::time::timeout(LIMIT, request.send()).await.expect("an answer in time").unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listener {
    Public,
    Admin,
}

/// Every way in; what reads before what changes, and what ends sign-ins last.
fn routes() -> Vec<(Listener, Route)> {
    let public = public_routes().into_iter().map(|route| (Listener::Public, route));
    let mut all: Vec<_> =
        public.chain(private_routes().into_iter().map(|route| (Listener::Admin, route))).collect();
    all.sort_by_key(|(_, route)| {
        (route.path.ends_with("/sign-out"), !route.method.is_safe(), route.method == Method::DELETE)
    });
    all
}

const REFUSED: [StatusCode; 2] = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];

#[tokio::test]
async fn every_route_lets_in_its_callers_and_nobody_else() {
    let world = World::new().await;
    let (mut asked, mut let_in) = (0, 0);
    for (listener, route) in routes() {
        for caller in &world.callers {
            // A sign-in ends once.
            let sites = if route.path.ends_with("/sign-out") { &SITES[..1] } else { &SITES[..] };
            for &site in sites {
                let url = world.url(listener, &route, site, site);
                let (status, text) =
                    world.ask(&url, &route, caller, &world.body(&route, site)).await;
                let what = format!(
                    "{} {} ({:?}) on {site} for {}",
                    route.method, route.path, route.access, caller.name
                );
                asked += 1;
                // What a foreign page may see doesn't depend on who is signed in.
                let public = matches!(
                    route.access,
                    Access::Anyone | Access::Visitor | Access::Password | Access::Issuer
                );
                let is_let_in = caller.is_let_in(&route, site);
                if is_let_in {
                    let_in += 1;
                    let foreign = caller.headers.iter().any(|(name, _)| *name == "origin");
                    assert!(
                        !REFUSED.contains(&status) || (public && foreign),
                        "{what} was refused: {status} {text}"
                    );
                    assert!(!status.is_server_error() || status == 503, "{what}: {status} {text}");
                } else {
                    assert!(REFUSED.contains(&status), "{what} was not refused: {status} {text}");
                }
                for other in SITES {
                    let may_know = is_let_in && caller.knows(other);
                    assert!(
                        may_know || !text.contains(&mark(other)),
                        "{what} tells of {other}: {text}"
                    );
                }
            }
        }
    }
    assert!(asked > 3_000 && let_in > 300, "{asked} requests, {let_in} of them let in");
}

/// Who may do everything on one site gets at nothing of another by its ids.
#[tokio::test]
async fn ids_of_another_site_are_no_use() {
    let world = World::new().await;
    let mine: Vec<&Caller> = world
        .callers
        .iter()
        .filter(|caller| {
            caller.key == Some((Scope::Admin, Some("shop")))
                || caller.key == Some((Scope::Knowledge, Some("shop")))
                || caller.agent.is_some_and(|(_, site, csrf)| site == "shop" && csrf)
        })
        .collect();
    let mut tried = 0;
    for (listener, route) in routes() {
        let names_something = ["{session}", "{visitor}", "{id}", "{*id}"]
            .iter()
            .any(|name| route.path.contains(name));
        // The id of a document that is handed in is free to choose, on every site.
        if route.method == Method::PUT && route.path.ends_with("/documents/{*id}") {
            continue;
        }
        if !names_something || !route.path.contains("{site}") || route.access == Access::Anyone {
            continue;
        }
        let url = world.url(listener, &route, "shop", "bank");
        for caller in mine.iter().filter(|caller| caller.is_let_in(&route, "shop")) {
            let (status, text) = world.ask(&url, &route, caller, &world.body(&route, "shop")).await;
            let what =
                format!("{} {} for {}: {status} {text}", route.method, route.path, caller.name);
            assert!(status.is_client_error() && !text.contains(&mark("bank")), "{what}");
            tried += 1;
        }
    }
    assert!(tried > 30, "{tried}");
    untouched(&world).await;
}

/// What belongs to the bank is as it was.
async fn untouched(world: &World) {
    let bank = &world.belongings["bank"];
    let session = world
        .as_admin(Method::GET, &format!("/v1/sites/bank/sessions/{}", bank.session), &Value::Null)
        .await;
    let transcript = session["transcript"].as_array().unwrap();
    assert_eq!(transcript.len(), EVENTS, "{transcript:?}");
    let labels =
        world.as_admin(Method::GET, "/v1/sites/bank/intent/classes/labels", &Value::Null).await;
    assert_eq!(labels["labels"], json!([]));
    let gaps = world.as_admin(Method::GET, "/v1/sites/bank/gaps?state=open", &Value::Null).await;
    assert_eq!(gaps["total"], 1);
    world
        .as_admin(Method::GET, &format!("/v1/sites/bank/documents/{}", bank.document), &Value::Null)
        .await;
    let accounts = world.as_admin(Method::GET, "/v1/agents", &Value::Null).await;
    let accounts: Vec<Account> = serde_json::from_value(accounts["accounts"].clone()).unwrap();
    let of_bank = accounts.iter().find(|account| account.agent.id == bank.agent).unwrap();
    assert_eq!(of_bank.roles, BTreeMap::from([("bank".to_owned(), Role::Admin)]));
    let (cookie, _) = sign_in(&world.server, "bank-admin").await;
    let url = world.server.url("/v1/console/sites/bank/canned");
    let canned: Value =
        world.http.get(url).header("cookie", cookie).send().await.unwrap().json().await.unwrap();
    assert_eq!(canned["canned"][0]["text"], mark("bank"));
}

#[test]
fn what_is_bound_to_a_site_names_it() {
    for (_, route) in routes() {
        let bound = matches!(
            route.access,
            Access::Site(_)
                | Access::OwnSite(_)
                | Access::Agent
                | Access::SiteAdmin
                | Access::Reporter
                | Access::Platform
        );
        assert_eq!(
            bound,
            route.path.contains("{site}") && route.access != Access::Anyone,
            "{route:?}"
        );
    }
}

/// The fault that this file stands for: a key that is limited to a site ruled the whole server.
#[tokio::test]
async fn a_key_of_a_site_is_none_of_the_server() {
    let world = World::new().await;
    let key = key_text(Scope::Admin, Some("shop"));
    let ask = async |method: Method, path: &str, body: Value| {
        let request =
            world.http.request(method, world.server.admin_url(path)).bearer_auth(&key).json(&body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let new = json!({ "login": "eve", "name": "Eve", "password": PASSWORD, "roles": { "bank": "admin" } });
    for (method, path, body) in [
        (Method::GET, "/v1/agents", Value::Null),
        (Method::POST, "/v1/agents", new),
        (Method::PUT, "/v1/agents/bank-admin/password", json!({ "password": "another password" })),
        (Method::DELETE, "/v1/agents/bank-admin", Value::Null),
        (Method::GET, "/metrics", Value::Null),
    ] {
        let (status, text) = ask(method.clone(), path, body).await;
        assert!(
            status == 401 && text.contains("the whole server"),
            "{method} {path}: {status} {text}"
        );
    }
    sign_in(&world.server, "bank-admin").await;

    // Files: those of the site's own folder alone, whatever a path looks like.
    let outside = world.server.directory.join("secret.md");
    std::fs::write(&outside, "# Secret\n\nThe vault opens with 7731.\n").unwrap();
    let knowledge = world.server.directory.join("knowledge");
    std::os::unix::fs::symlink(&outside, knowledge.join("link.md")).unwrap();
    std::os::unix::fs::symlink(&world.server.directory, knowledge.join("folder")).unwrap();
    let outside = outside.to_str().unwrap().to_owned();
    for path in [
        outside.as_str(),
        "../secret.md",
        "link.md",
        "folder/secret.md",
        "folder",
        "/etc/passwd",
        "/proc/self/environ",
        "..",
        "/",
        "nothing-here.md",
    ] {
        let (status, text) =
            ask(Method::POST, "/v1/sites/shop/ingest", json!({ "paths": ["shipping.md", path] }))
                .await;
        assert!(status == 400 && text.contains("the site's own folder"), "{path}: {status} {text}");
    }
    let absolute = knowledge.join("returns.md");
    for path in ["shipping.md", "./shipping.md", "", absolute.to_str().unwrap()] {
        let (status, text) =
            ask(Method::POST, "/v1/sites/shop/ingest", json!({ "paths": [path], "force": true }))
                .await;
        assert!(status == 200 && text.contains("\"type\":\"done\""), "{path}: {status} {text}");
    }
    let mut visitor = world.server.client().await.hello().await;
    let (said, _) =
        crate::support::answer(&visitor.ask("m", "With which number does the vault open?").await);
    assert!(!said.contains("7731"), "{said}");
}

/// A name for every command; a new one doesn't compile until it has one, and isn't tried until it
/// stands below.
fn command(message: &ConsoleClient) -> &'static str {
    match message {
        ConsoleClient::Hello { .. } => "hello",
        ConsoleClient::Availability { .. } => "availability",
        ConsoleClient::Inbox { .. } => "inbox",
        ConsoleClient::Watch { .. } => "watch",
        ConsoleClient::Unwatch { .. } => "unwatch",
        ConsoleClient::Read { .. } => "read",
        ConsoleClient::Typing { .. } => "typing",
        ConsoleClient::Act { action, .. } => match action {
            Action::Take {} => "take",
            Action::GiveBack { .. } => "give back",
            Action::Assign { .. } => "assign",
            Action::Send { .. } => "send",
            Action::Note { .. } => "note",
            Action::Suggest { .. } => "suggest",
            Action::Reject { .. } => "reject",
            Action::CallPerson {} => "call person",
            Action::End {} => "end",
        },
    }
}

const COMMANDS: usize = 16;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn console(server: &TestServer, cookie: &str) -> Result<Socket, u16> {
    let mut request = format!("ws://{}/v1/console", server.addr()).into_client_request().unwrap();
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    match tokio_tungstenite::connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
            Err(response.status().as_u16())
        }
        Err(error) => panic!("{error}"),
    }
}

async fn tell(socket: &mut Socket, message: &ConsoleClient) {
    socket.send(Message::Text(serde_json::to_string(message).unwrap().into())).await.unwrap();
}

/// The next text of a socket; `None` at its end.
async fn heard(socket: &mut Socket) -> Option<String> {
    loop {
        match tokio::time::timeout(LIMIT, socket.next()).await.expect("a frame in time")?.ok()? {
            Message::Text(text) => return Some(text.as_str().to_owned()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_console_s_commands_stay_on_its_site() {
    let world = World::new().await;
    let server = &world.server;
    for caller in &world.callers {
        let cookie = caller
            .headers
            .iter()
            .find(|(name, _)| *name == "cookie")
            .map_or("", |(_, value)| value);
        let foreign = caller.headers.iter().any(|(name, _)| *name == "origin");
        let is_in = console(server, cookie).await;
        assert_eq!(
            is_in.is_ok(),
            caller.agent.is_some() || foreign,
            "{}: {:?}",
            caller.name,
            is_in.err()
        );
    }
    let (cookie, me) = sign_in(server, "shop-admin").await;
    let hello = |site: &str, csrf: &str| ConsoleClient::Hello {
        csrf: csrf.into(),
        site: site.into(),
        boot: None,
        rev: 0,
    };
    for (site, csrf) in
        [("bank", me.csrf.as_str()), ("shop", ""), ("shop", "forged"), ("", &me.csrf)]
    {
        let mut socket = console(server, &cookie).await.unwrap();
        tell(&mut socket, &hello(site, csrf)).await;
        let text = heard(&mut socket).await.unwrap();
        assert!(matches!(
            serde_json::from_str(&text).unwrap(),
            ConsoleServer::Error { code: ErrorCode::Forbidden, .. }
        ));
        assert_eq!(heard(&mut socket).await, None);
    }
    // A role that ended ends the socket, and so does signing out, before anything else is told.
    let bank = &world.belongings["bank"];
    let mut socket = console(server, &cookie).await.unwrap();
    tell(&mut socket, &hello("shop", &me.csrf)).await;
    let (id, session) = (|| "c".to_owned(), || bank.session.clone());
    let suggestion = SuggestionId { turn: 2, version: 1 };
    let act = |action| ConsoleClient::Act { id: id(), session: session(), action };
    let commands = [
        hello("bank", &me.csrf),
        ConsoleClient::Availability { id: id(), available: true },
        ConsoleClient::Inbox {
            id: id(),
            list: List::All,
            filter: Filter::default(),
            offset: 0,
            limit: 50,
        },
        ConsoleClient::Watch { id: id(), session: session(), last_seq: 0, partial: None },
        ConsoleClient::Unwatch { session: session() },
        ConsoleClient::Read { session: session(), seq: 4 },
        ConsoleClient::Typing { session: session() },
        act(Action::Take {}),
        act(Action::GiveBack { to: GiveTo::Queue }),
        act(Action::Assign { agent: me.agent.id.clone() }),
        act(Action::Send { text: "Hello".into(), suggestion: None }),
        act(Action::Note { text: "Seen".into() }),
        act(Action::Suggest { wish: Wish::Answer, language: None }),
        act(Action::Reject { suggestion, reason: "wrong".into() }),
        act(Action::CallPerson {}),
        act(Action::End {}),
    ];
    let named: BTreeSet<&str> = commands.iter().map(command).collect();
    assert_eq!(named.len(), COMMANDS, "a command isn't tried here: {named:?}");
    let mut refused = 0;
    for message in &commands {
        tell(&mut socket, message).await;
    }
    // What comes after the answer to this has an answer that came before it.
    tell(&mut socket, &ConsoleClient::Availability { id: "last".into(), available: true }).await;
    loop {
        let text = heard(&mut socket).await.expect("the socket stays open");
        assert!(!text.contains(&mark("bank")) && !text.contains(&bank.session), "{text}");
        match serde_json::from_str(&text).unwrap() {
            ConsoleServer::Error { .. } => refused += 1,
            ConsoleServer::Ok { id, .. } if id == "last" => break,
            _ => {}
        }
    }
    // Hello again, watch, and nine actions; the rest is passed over or about the own site.
    assert_eq!(refused, 11);
    // An agent of the other site can't be given a session here.
    let shop = world.belongings["shop"].session.clone();
    let action = Action::Assign { agent: bank.agent.clone() };
    tell(&mut socket, &ConsoleClient::Act { id: "assign".into(), session: shop, action }).await;
    loop {
        let text = heard(&mut socket).await.expect("the socket stays open");
        match serde_json::from_str(&text).unwrap() {
            ConsoleServer::Error { id: Some(id), code, .. } if id == "assign" => {
                assert_eq!(code, ErrorCode::UnknownAgent);
                break;
            }
            ConsoleServer::Ok { id, .. } => assert_ne!(id, "assign"),
            _ => {}
        }
    }
    untouched(&world).await;
}

/// As [`command`], for visitors.
fn wish(message: &ClientMessage) -> &'static str {
    match message {
        ClientMessage::Hello { .. } => "hello",
        ClientMessage::Message { .. } => "message",
        ClientMessage::Typing { .. } => "typing",
        ClientMessage::Cancel { .. } => "cancel",
        ClientMessage::Human {} => "human",
        ClientMessage::Feedback { .. } => "feedback",
        ClientMessage::RecommendationClick { .. } => "recommendation.click",
        ClientMessage::End { .. } => "end",
        ClientMessage::Forget { .. } => "forget",
    }
}

const WISHES: usize = 9;

#[tokio::test]
async fn a_visitor_s_commands_stay_in_the_own_conversations() {
    let world = World::new().await;
    let server = &world.server;
    let (shop, bank) = (&world.visitors["shop"], &world.visitors["bank"]);
    let other = server.client().await.hello().await;
    let signed = |site: &str, sub: &str| Some(world.signed_token(site, sub));
    // Who may not resume the bank's conversation: everybody but its visitor, over the socket and
    // over HTTP.
    for (site, token) in [
        ("bank", None),
        ("bank", Some(shop.token.clone())),
        ("bank", Some(other.token.clone())),
        ("bank", signed("bank", "customer")),
        ("bank", signed("shop", "customer")),
        ("bank", Some(key_text(Scope::Admin, None))),
        ("shop", Some(bank.token.clone())),
        ("shop", Some(shop.token.clone())),
        ("shop", signed("bank", "customer")),
    ] {
        let body = json!({ "site": site, "token": token, "session": bank.session, "text": "hi" });
        let what = format!("{body}");
        let mut client = hello(server, site, token, Some(bank.session.clone())).await;
        match client.next().await {
            ServerMessage::Error { code, .. } => {
                assert!(
                    matches!(code, ErrorCode::Unauthorized | ErrorCode::UnknownSession),
                    "{what}: {code:?}"
                );
            }
            // A conversation of this id on the shop's site would be another one.
            ServerMessage::Welcome { last_seq: 0, .. } if site == "shop" => continue,
            message => panic!("{what}: {message:?}"),
        }
        let response =
            world.http.post(server.url("/v1/chat/messages")).json(&body).send().await.unwrap();
        assert!([401, 404].contains(&response.status().as_u16()), "{what}: {}", response.status());
        assert!(!response.text().await.unwrap().contains(&mark("bank")), "{what}");
    }
    // Commands that name another's conversation, turn or product.
    for session in [&shop.session, &bank.session] {
        let wishes = [
            ClientMessage::Hello {
                site: "bank".into(),
                token: None,
                session: Some(session.clone()),
                last_seq: 0,
                partial: None,
                source: None,
                attributes: None,
                language: None,
            },
            ClientMessage::Message {
                id: "m1".into(),
                text: "What does shipping within Ireland cost?".into(),
            },
            ClientMessage::Typing { text: None },
            ClientMessage::Cancel { turn: 2 },
            ClientMessage::Human {},
            ClientMessage::Feedback { turn: 3, rating: Rating::Down, text: None },
            ClientMessage::RecommendationClick { id: "tarn-2".into() },
            ClientMessage::End { session: Some(session.clone()) },
            ClientMessage::Forget { also: vec![session.clone()] },
        ];
        assert_eq!(wishes.iter().map(wish).collect::<BTreeSet<_>>().len(), WISHES);
        let mut stranger = server.client().await.hello().await;
        for wish in &wishes {
            stranger.send(wish).await;
        }
        while let Some(message) = stranger.try_next().await {
            let text = serde_json::to_string(&message).unwrap();
            assert!(!text.contains(&mark("bank")) && !text.contains(&mark("shop")), "{text}");
        }
    }
    for visitor in [shop, bank] {
        let site = if visitor.session == shop.session { "shop" } else { "bank" };
        let mut again =
            hello(server, site, Some(visitor.token.clone()), Some(visitor.session.clone())).await;
        let ServerMessage::Welcome { last_seq, .. } = again.next().await else {
            panic!("it is gone")
        };
        assert_eq!(last_seq, EVENTS as u64);
    }
    untouched(&world).await;
}
