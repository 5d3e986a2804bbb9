//! The JSON schemas in docs/json-schema/ are those of the types. `UPDATE_SCHEMA=1` writes them.

use std::path::Path;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

/// A document, with the version of its schema.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "its schema is what matters")]
struct Whole<T> {
    /// The version of this schema.
    schema: u32,
    #[serde(flatten)]
    document: T,
}

/// Whether the committed schema of a command's document is that of its type.
pub(super) fn of_command<T: JsonSchema>(name: &str) {
    is_committed::<Whole<T>>(name, &format!("The document of ecs-bg {name} --output json"));
}

/// Whether the committed schema of this name is that of the type.
pub(super) fn is_committed<T: JsonSchema>(name: &str, title: &str) {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    let schema = serde_json::to_string_pretty(&schema).expect("a schema") + "\n";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json-schema");
    let path = folder.join(format!("{name}.json"));
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::write(&path, &schema).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == schema, "UPDATE_SCHEMA=1 cargo test the_schema_of");
}
