//! The JSON Schemas (draft 2020-12) of what squall writes, made from the written types themselves.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

/// A line of `squall log --json` and `squall run --json`.
pub fn journal() -> Json {
    of::<super::journal::Line>()
}

/// What `squall status --json` prints.
pub fn status() -> Json {
    of::<super::status::Document>()
}

/// What `squall undo RUN --change N --json` prints.
pub fn change() -> Json {
    of::<super::undo::Document>()
}

/// The schema of a written type.
pub fn of<T: JsonSchema>() -> Json {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().to_value()
}
