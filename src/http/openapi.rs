//! What each listener offers, as OpenAPI 3.1. Paths, methods, path parameters and who may call come
//! from the tables of routes, queries, bodies and answers from the types that the handlers take and
//! give; `openapi/notes.rs` says which, and what a route is for.

use std::collections::BTreeMap;

use axum::http::Method;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use self::notes::{Note, notes};
use super::auth::Scope;
use super::knowledge;
use super::routes::{Access, Route};

mod notes;

/// Makes the schema of a type.
type Describe = fn(&mut SchemaGenerator) -> Schema;

/// The document of the public listener.
#[must_use]
pub fn public() -> Value {
    document(
        "Frontdesk",
        "What visitors, agents' consoles and integrators reach.",
        &super::public_routes(),
    )
}

/// The document of the admin listener.
#[must_use]
pub fn private() -> Value {
    let about = "What operators reach, on the admin listener alone.";
    document("Frontdesk's admin listener", about, &super::private_routes())
}

/// The routes that have a note, as `GET /v1/…`.
#[must_use]
pub fn noted() -> Vec<&'static str> {
    notes().iter().map(|note| note.route).collect()
}

fn document(title: &str, about: &str, routes: &[Route]) -> Value {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let notes = notes();
    let detailed = knowledge::openapi();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let path = route.path.replace("{*", "{");
        let method = route.method.as_str().to_ascii_lowercase();
        let note = notes.iter().find(|note| note.is_of(&route.method, &route.path));
        let mut operation = operation(route, note, &mut generator);
        // What is written out about a route counts for more than what is said of every one.
        if let Some(Value::Object(known)) = detailed["paths"][&path].get(&method) {
            operation.extend(known.clone());
            if let Some(Value::Array(parameters)) = operation.get_mut("parameters") {
                parameters.retain(|parameter| parameter["in"] != "path");
            }
        }
        let item = paths.entry(path).or_default();
        if !item.contains_key("parameters") {
            let parameters = path_parameters(&route.path);
            if !parameters.is_empty() {
                item.insert("parameters".to_owned(), Value::Array(parameters));
            }
        }
        item.insert(method, Value::Object(operation));
    }
    let mut schemas = generator.take_definitions(true);
    if let Value::Object(known) = &detailed["components"]["schemas"] {
        schemas.extend(known.clone());
    }
    let whole = json!({
        "openapi": "3.1.0",
        "info": {
            "title": title, "version": "1", "description": about,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": { "securitySchemes": schemes(), "schemas": schemas },
    });
    let text = whole.to_string().replace("#/$defs/", "#/components/schemas/");
    serde_json::from_str(&text).unwrap_or_default()
}

/// One method of a path.
fn operation(
    route: &Route,
    note: Option<&Note>,
    generator: &mut SchemaGenerator,
) -> Map<String, Value> {
    let (who, security) = callers(route.access, &route.method);
    let mut operation = Map::new();
    let mut say = |name: &str, value: Value| operation.insert(name.to_owned(), value);
    say("summary", note.map_or("", |note| note.summary).into());
    say("description", who.into());
    say("security", security);
    if let Some(query) = note.and_then(|note| note.query) {
        say("parameters", query_parameters(&query(generator)));
    }
    if let Some(body) = note.and_then(|note| note.body) {
        let schema = body(generator);
        say(
            "requestBody",
            json!({ "required": true, "content": { "application/json": { "schema": schema } } }),
        );
    }
    let status = note.map_or("200", |note| note.status);
    let mut success = json!({ "description": "Done." });
    if let Some(note) = note.filter(|note| !note.media.is_empty()) {
        let schema = note.answer.map_or_else(|| json!({}), |answer| json!(answer(generator)));
        success = json!({ "description": "The answer.", "content": { note.media: { "schema": schema } } });
    }
    let mut responses = Map::from_iter([(status.to_owned(), success)]);
    if route.access != Access::Anyone || route.path.contains('{') {
        let error = json!({ "schema": { "$ref": "#/components/schemas/Error" } });
        let refusal = "A refusal or a failure; `code` is for programs, `message` for people.";
        responses.insert(
            "default".to_owned(),
            json!({ "description": refusal, "content": { "application/json": error } }),
        );
    }
    say("responses", Value::Object(responses));
    operation
}

/// The parameters that a path names, as axum writes them: `{site}`, and `{*id}` for one that may
/// hold slashes.
fn path_parameters(path: &str) -> Vec<Value> {
    let named = path.split('{').skip(1).filter_map(|part| part.split_once('}'));
    named
        .map(|(name, _)| {
            let of = match name.trim_start_matches('*') {
                "site" => "The site's id.",
                "session" => "The conversation's id.",
                "visitor" => "The visitor's id; `jwt:` and the subject for one who came with a signed token.",
                "account" => "The account's name in the site's `channels`.",
                "login" => "The account's login.",
                "head" => "What the model tells: `purchase` or `classes`.",
                "part" | "section" => "Which one.",
                _ if name.starts_with('*') => "The id; slashes are allowed.",
                _ => "The id.",
            };
            let name = name.trim_start_matches('*');
            json!({ "name": name, "in": "path", "required": true, "description": of, "schema": { "type": "string" } })
        })
        .collect()
}

/// The fields of a query's type, each as a parameter.
fn query_parameters(schema: &Schema) -> Value {
    let schema = json!(schema);
    let required = |name: &str| {
        schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
    };
    let fields = schema["properties"].as_object().cloned().unwrap_or_default();
    let parameters = fields.into_iter().map(|(name, mut of)| {
        let said = of.as_object_mut().and_then(|of| of.remove("description"));
        let mut parameter =
            json!({ "name": name, "in": "query", "required": required(&name), "schema": of });
        if let Some(said) = said {
            parameter["description"] = said;
        }
        parameter
    });
    parameters.collect()
}

/// Who may call, in words and as OpenAPI's requirements. One of the list is enough; within one, all
/// are needed.
fn callers(access: Access, method: &Method) -> (String, Value) {
    let key = json!([{ "key": [] }]);
    let signed_in = if method.is_safe() {
        json!([{ "cookie": [] }])
    } else {
        json!([{ "cookie": [], "csrf": [] }])
    };
    match access {
        Access::Anyone => ("For everybody.".into(), json!([])),
        Access::Visitor => ("For visitors; their token comes with the message.".into(), json!([])),
        Access::Password => ("For pages of the server's own origin, with a login and its password.".into(), json!([])),
        Access::Issuer => (
            "For browsers that the issuer sends back, with the cookie of a sign-in that is under way.".into(),
            json!([]),
        ),
        Access::Reporter => (
            "For the site's server: a signature over the body, or a key with the scope `outcomes` or `admin`.".into(),
            json!([{ "signature": [] }, { "key": [] }]),
        ),
        Access::Platform => (
            "For the messaging platform of the account, which signs or names itself as the platform has it.".into(),
            json!([]),
        ),
        Access::Server(scope) => {
            (format!("With a key of the scope {} that is good for the whole server.", or_admin(scope)), key)
        }
        Access::Site(scope) => (format!("With a key of the scope {} that is good for the site.", or_admin(scope)), key),
        Access::OwnSite(scope) => (format!("With a key of just the scope `{scope}`, limited to the site."), key),
        Access::ItsSites(scope) => (format!("With a key of just the scope `{scope}`; its sites alone are seen."), key),
        Access::Begun | Access::SignedIn => ("For agents who are signed in.".into(), signed_in),
        Access::Agent => ("For agents who are signed in and have a role on the site.".into(), signed_in),
        Access::SiteAdmin => ("For admins of the site who are signed in.".into(), signed_in),
    }
}

fn or_admin(scope: Scope) -> String {
    if scope == Scope::Admin { "`admin`".to_owned() } else { format!("`{scope}` or `admin`") }
}

fn schemes() -> Value {
    json!({
        "key": { "type": "http", "scheme": "bearer", "description": "A key of `frontdesk key`, or data/admin.key." },
        "signature": { "type": "apiKey", "in": "header", "name": "frontdesk-signature",
            "description": "An HMAC-SHA256 over the body, as docs/signals.md has it." },
        "cookie": { "type": "apiKey", "in": "cookie", "name": "__Host-frontdesk", "description": "Of a sign-in." },
        "csrf": { "type": "apiKey", "in": "header", "name": "x-csrf-token", "description": "From the sign-in's answer." },
    })
}
