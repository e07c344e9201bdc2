//! Apis: what functions' events ask of them is written into their OpenAPI documents, as SAM does.

use super::{HTTP_API, REST_API, Sam, passed, stage_id, tags};
use crate::template::Item;
use crate::template::files::{Location, location};
use crate::template::value::{Entry, Kind, Spot, Value};

/// What an event asks of an api.
pub(super) struct Route {
    pub method: String,
    pub path: String,
    /// The ARN of the function, or of its alias.
    pub function: String,
    pub timeout: Option<Value>,
    pub at: Spot,
}

/// A value for another resource, which may not be there yet.
pub(super) struct Late {
    pub id: String,
    pub path: Vec<String>,
    pub value: Value,
    /// Whether it joins a list, or is put there.
    pub joins: bool,
}

impl Sam<'_, '_> {
    /// Writes every api out.
    pub(super) fn apis(&mut self) {
        let items = std::mem::take(&mut self.items);
        for item in items {
            match item.kind.as_str() {
                "AWS::Serverless::Api" => self.api(&item, true),
                "AWS::Serverless::HttpApi" => self.api(&item, false),
                _ => self.items.push(item),
            }
        }
        for (id, section, rest) in [(REST_API, "Api", true), (HTTP_API, "HttpApi", false)] {
            let Some(name) = self.scope.names.get(id).map(|thing| thing.name.clone()) else { continue };
            let Some(at) = self.routes.get(&name).and_then(|routes| routes.first()).map(|route| route.at.clone())
            else {
                continue;
            };
            let mut properties = self.globals.some(section).cloned().unwrap_or_else(|| at.value(Kind::Map(Vec::new())));
            if rest {
                properties.set("StageName", at.text("Prod"));
            }
            let kind = format!("AWS::Serverless::{section}");
            self.api(&Item { id: id.into(), name, kind, at, properties, generated: true }, rest);
        }
        for late in std::mem::take(&mut self.late) {
            if let Some(item) = self.items.iter_mut().find(|item| item.id == late.id) {
                put(&mut item.properties, &late.path, late.value, late.joins);
            }
        }
    }

    fn api(&mut self, item: &Item, rest: bool) {
        let (at, properties) = (&item.at, &item.properties);
        let routes = self.routes.remove(&item.name).unwrap_or_default();
        let written = properties.some("DefinitionBody").cloned().or_else(|| self.definition(properties));
        let merges = properties.some("MergeDefinitions").and_then(Value::truth) == Some(true);
        let managed = written.is_none() && properties.some("DefinitionUri").is_none();
        let mut body = written.unwrap_or_else(|| {
            let title = at.map([("title", at.text(self.scope.deployment.stack.clone()))]);
            at.map([("info", title), ("paths", at.value(Kind::Map(Vec::new())))])
        });
        if managed || merges {
            let location = self.scope.location();
            let path =
                format!("arn:{}:apigateway:{}:lambda:path/2015-03-31/functions", location.partition, location.region);
            for route in routes {
                let mut integration = vec![("uri", route.at.text(format!("{path}/{}/invocations", route.function)))];
                integration.extend(route.timeout.map(|timeout| ("timeoutInMillis", timeout)));
                let integration = route.at.map(integration);
                let method = match route.method.to_lowercase().as_str() {
                    "any" | "*" => "x-amazon-apigateway-any-method".to_owned(),
                    method => method.to_owned(),
                };
                let steps = ["paths".to_owned(), route.path, method, "x-amazon-apigateway-integration".to_owned()];
                put(&mut body, &steps, integration, false);
            }
        }
        let mut made = passed(properties, &[("Name", "Name"), ("Description", "Description")]);
        made.push(("Body".into(), body));
        let (kind, stage_kind, key) = match rest {
            true => ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage", "RestApiId"),
            false => ("AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "ApiId"),
        };
        if !rest {
            made.push(("ProtocolType".into(), at.text("HTTP")));
            made.push(("Tags".into(), tags(properties.some("Tags"), at, "httpapi:createdBy")));
        } else if let Some(own) = properties.some("Tags") {
            // SAM tags the stage, and the api only when `PropagateTags` says so.
            if properties.some("PropagateTags").and_then(Value::truth) == Some(true) {
                made.push(("Tags".into(), own.clone()));
            }
        }
        self.items.push(Item { kind: kind.into(), properties: at.map(made), ..item.clone() });
        let stage = properties.some("StageName").and_then(Value::plain);
        if rest && stage.is_none() && properties.get("StageName").is_none() {
            self.refuse(at, format!("{} has no `StageName`", item.id), "SAM refuses it without");
        }
        let mut made = passed(
            properties,
            &[
                ("MethodSettings", "MethodSettings"),
                ("DefaultRouteSettings", "DefaultRouteSettings"),
                ("RouteSettings", "RouteSettings"),
            ],
        );
        made.push(("StageName".into(), at.text(stage.clone().unwrap_or_else(|| "$default".into()))));
        made.push((key.into(), at.text(item.name.clone())));
        self.make(&stage_id(&item.id, rest, stage.as_deref()), stage_kind, at, at.map(made));
        if rest {
            self.make(
                &format!("{}Deployment", item.id),
                "AWS::ApiGateway::Deployment",
                at,
                at.map([(key, at.text(item.name.clone()))]),
            );
        }
    }

    /// The OpenAPI document of a `DefinitionUri` that lies beside the template.
    fn definition(&mut self, properties: &Value) -> Option<Value> {
        let uri = properties.some("DefinitionUri")?;
        let Location::Local(path) = location(uri.text()?) else { return None };
        let tree = self.scope.files.tree(path, &uri.at, &mut self.scope.findings)?;
        let tree = self.scope.files.include(tree, 1, &mut self.scope.findings);
        Some(self.scope.resolve(&tree))
    }
}

/// Puts a value into mappings in mappings, or adds it to the list that is there.
fn put(into: &mut Value, path: &[String], value: Value, joins: bool) {
    let at = value.at.clone();
    let Some((step, rest)) = path.split_first() else {
        match (&mut into.kind, joins) {
            (Kind::List(items), true) => items.push(value),
            (_, true) => *into = at.list([value]),
            _ => *into = value,
        }
        return;
    };
    if !matches!(into.kind, Kind::Map(_)) {
        into.kind = Kind::Map(Vec::new());
    }
    let Kind::Map(entries) = &mut into.kind else { return };
    let index = entries.iter().position(|entry| entry.key == *step).unwrap_or_else(|| {
        entries.push(Entry { key: step.clone(), key_at: at.clone(), value: at.value(Kind::Null) });
        entries.len() - 1
    });
    put(&mut entries[index].value, rest, value, joins);
}
