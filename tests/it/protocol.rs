//! The protocol's schemas in the repository are the ones that the types give.

#[test]
fn the_schema_files_are_current() {
    for (name, schema) in [
        ("docs/protocol/schema.json", frontdesk::protocol::json_schema()),
        ("docs/protocol/asyncapi.json", frontdesk::protocol::asyncapi()),
        ("docs/protocol/console.json", frontdesk::protocol::console::json_schema()),
    ] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let expected = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if std::env::var_os("FRONTDESK_UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &expected).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == expected, "{name} is not current; run this test with FRONTDESK_UPDATE=1");
    }
}
