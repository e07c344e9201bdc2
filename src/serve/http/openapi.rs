//! The description of the API, from the table of routes: OpenAPI 3.1 (<https://spec.openapis.org/oas/v3.1.1.html>).

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value as Json, json};

use super::reply::Error;
use super::route::{Reply, Route, Speaks, Verb};
use crate::access::Permission;

/// The document.
pub fn document(routes: &[Route]) -> Json {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for route in routes.iter().filter(|route| matches!(route.speaks, Speaks::Json)) {
        let operation = operation(route, &mut generator);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.verb.word().to_ascii_lowercase(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "squall serve",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Schedules, runs and the halt of one project. See docs/serve.md.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": generator.take_definitions(true),
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Json {
    let parameter = |name: &str, place: &str, says: &str| {
        let schema = json!({ "type": "string" });
        json!({ "name": name, "in": place, "required": place == "path", "description": says, "schema": schema })
    };
    let parts = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Json> = parts.map(|name| parameter(name, "path", "Its name.")).collect();
    parameters.extend(route.query.iter().map(|known| parameter(known.name, "query", known.says)));
    let (kind, schema) = match route.reply {
        Reply::Json(schema) => ("application/json", json!(schema(generator))),
        Reply::Text(kind) => (kind, json!({ "type": "string" })),
        Reply::Events(schema) => {
            parameters.push(parameter("Last-Event-ID", "header", "The id of the last event that was heard."));
            ("text/event-stream", json!(schema(generator)))
        }
    };
    let error = json!({ "application/json": { "schema": generator.subschema_for::<Error>() } });
    let mut operation = json!({
        "summary": route.says,
        "parameters": parameters,
        "responses": {
            "200": { "description": "Done.", "content": { kind: { "schema": schema } } },
            "default": { "description": "Not done, and why.", "content": error },
        },
    });
    let roles: Vec<&str> = route.permission.roles().iter().map(|role| role.word()).collect();
    let (security, roles) = match route.permission {
        Permission::Open => (json!([]), json!(["anyone"])),
        _ => (json!([{ "token": [] }]), json!(roles)),
    };
    operation["security"] = security;
    operation["x-squall-roles"] = roles;
    if let (Verb::Post, Some(body)) = (route.verb, route.body) {
        let schema = body(generator);
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}
