//! The OpenAPI documents: as the tables of routes are, and as they are served.

use std::collections::BTreeSet;
use std::path::Path;

use frontdesk::http::{openapi, private_routes, public_routes};
use serde_json::Value;

use crate::support::TestServer;

/// Every route with its method, as `GET /v1/…`.
fn offered(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys().filter(|name| *name != "parameters");
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    methods.collect()
}

#[test]
fn every_route_stands_in_its_listeners_document() {
    let mut described = BTreeSet::new();
    for (document, routes) in
        [(openapi::public(), public_routes()), (openapi::private(), private_routes())]
    {
        let expected: BTreeSet<String> = routes
            .iter()
            .map(|route| format!("{} {}", route.method, route.path.replace("{*", "{")))
            .collect();
        assert_eq!(offered(&document), expected);
        for (path, item) in document["paths"].as_object().unwrap() {
            let named: BTreeSet<&str> =
                path.split('{').skip(1).filter_map(|part| part.split('}').next()).collect();
            let told = item["parameters"].as_array().into_iter().flatten();
            assert_eq!(
                told.map(|one| one["name"].as_str().unwrap()).collect::<BTreeSet<_>>(),
                named,
                "{path}"
            );
            for (method, operation) in
                item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
            {
                let what = format!("{method} {path}");
                assert_ne!(
                    operation["summary"], "",
                    "{what} needs a note in http/openapi/notes.rs"
                );
                assert!(
                    operation["security"].is_array() && operation["responses"].is_object(),
                    "{what}"
                );
                described.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        every_reference_leads_somewhere(&document, &document);
    }
    let noted: BTreeSet<String> =
        openapi::noted().iter().map(|route| route.replace("{*", "{")).collect();
    assert_eq!(noted, described, "a note of a route that there isn't");
}

fn every_reference_leads_somewhere(document: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            if let Some(Value::String(to)) = fields.get("$ref") {
                assert!(document.pointer(&to[1..]).is_some(), "{to}");
            }
            fields.values().for_each(|part| every_reference_leads_somewhere(document, part));
        }
        Value::Array(parts) => {
            parts.iter().for_each(|part| every_reference_leads_somewhere(document, part))
        }
        _ => {}
    }
}

#[test]
fn the_files_are_current() {
    for (name, document) in
        [("openapi.json", openapi::public()), ("admin.openapi.json", openapi::private())]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol").join(name);
        let expected = format!("{}\n", serde_json::to_string_pretty(&document).unwrap());
        if std::env::var_os("FRONTDESK_UPDATE").is_some() {
            std::fs::write(&path, &expected).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == expected,
            "{} is not current; run this test with FRONTDESK_UPDATE=1",
            path.display()
        );
    }
}

#[tokio::test]
async fn each_listener_serves_its_own() {
    let server = TestServer::start().await;
    for (url, expected) in [
        (server.url("/v1/openapi.json"), openapi::public()),
        (server.admin_url("/v1/openapi.json"), openapi::private()),
    ] {
        let served: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert!(served == expected);
    }
}
