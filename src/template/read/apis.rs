//! Apis: their routes, out of OpenAPI documents or resource by resource.

use std::collections::BTreeMap;

use super::{Reader, tag, tag_by_body};
use crate::ids::ResourceKind;
use crate::template::Item;
use crate::template::app::{Api, ApiKind, App};
use crate::template::part::Part;
use crate::template::value::{Kind, Value};
use crate::units::Span;
use crate::yaml::Code;

/// An HTTP API answers 504 after this time, fixed
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>).
const HTTP_API_TIMEOUT: Span = Span::from_secs(30);
/// A REST API's longest integration time-out, unless raised
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html>).
const REST_API_TIMEOUT: Span = Span::from_secs(29);
/// Methods of an OpenAPI document.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

/// A route as it is written.
struct Route<'s> {
    method: String,
    path: String,
    target: &'s Value,
    timeout: Option<&'s Value>,
    /// Whether API Gateway invokes as a role of its own, and needs no permission of the function.
    as_role: bool,
}

impl<'s> Reader<'s> {
    /// Every api of the stack.
    pub(super) fn apis(&mut self, app: &mut App) {
        let items = self.items;
        for item in items {
            let (kind, rest) = match item.kind.as_str() {
                "AWS::ApiGateway::RestApi" => (ApiKind::Rest, true),
                "AWS::ApiGatewayV2::Api" => (ApiKind::Http, false),
                _ => continue,
            };
            let mut part = Part::new(item.label(), &item.at, Some(&item.properties));
            if part.text("ProtocolType").as_deref() == Some("WEBSOCKET") {
                part.not_modelled(
                    &item.at,
                    format!("the WebSocket API {} is not modelled", item.id),
                    "no message comes from it in the model; drive its functions with `traffic:` in the traffic file",
                );
                self.findings.append(part.findings);
                continue;
            }
            let body = part.get("Body");
            if part.get("BodyS3Location").is_some() || body.is_some_and(|body| body.unknown().is_some()) {
                let what = format!("the OpenAPI document of {} is not known here", part.of);
                part.not_modelled(&item.at, what, "its routes are left out");
            }
            let title = body.and_then(|body| body.get("info")?.get("title")?.plain());
            let title = part.text("Name").or(title).unwrap_or_else(|| item.name.clone());
            let mut routes = body.map(routes_of).unwrap_or_default();
            routes.extend(if rest { self.methods(item) } else { self.integrations(item) });
            let timeout = if rest { REST_API_TIMEOUT } else { HTTP_API_TIMEOUT };
            let mut api = Api { kind, title, stage: self.stage(item), routes: BTreeMap::new(), timeout };
            self.add_routes(item, routes, &mut api, &mut part);
            tag(&item.name, &mut part, app);
            tag_by_body(&item.name, body, app);
            app.apis.insert(item.name.clone(), api);
            self.findings.append(part.findings);
        }
    }

    fn add_routes(&self, item: &Item, routes: Vec<Route<'s>>, api: &mut Api, part: &mut Part<'_>) {
        let mut timeouts: Vec<Span> = Vec::new();
        for route in routes {
            let key = match route.path.as_str() {
                "$default" => "$default".to_owned(),
                path => format!("{} {path}", route.method),
            };
            let Some(function) = self.names.find(ResourceKind::Function, route.target) else {
                let why = match route.target.unknown().and_then(|unknown| unknown.origin()) {
                    Some(origin) => format!("is not known: {}", origin.why),
                    None => "is not a function of the template".to_owned(),
                };
                part.not_modelled(
                    &route.target.at,
                    format!("what the route `{key}` of {} invokes {why}", part.of),
                    "the route is left out",
                );
                continue;
            };
            let source = self.deployment.location.arn(ResourceKind::Api, &item.name);
            let admitted = route.as_role
                || self.admits(
                    ResourceKind::Function,
                    function,
                    "apigateway.amazonaws.com",
                    "lambda:InvokeFunction",
                    &source,
                );
            if !admitted {
                let what = format!("{} may not invoke {function} for `{key}`", part.of);
                let help = "on AWS every request fails, here the route is left out: add an AWS::Lambda::Permission for apigateway.amazonaws.com";
                part.report(Code::NoPermission, &route.target.at, what, help);
                continue;
            }
            let millis = route.timeout.and_then(Value::plain).and_then(|text| text.trim().parse::<i64>().ok());
            timeouts.push(millis.map_or(api.timeout, Span::from_millis));
            api.routes.insert(key, function.to_owned());
        }
        timeouts.sort();
        timeouts.dedup();
        if timeouts.len() > 1 {
            let what = format!("the routes of {} have different time-outs", part.of);
            part.not_modelled(&item.at, what, "the longest counts for all of them in the model");
        }
        if let Some(longest) = timeouts.last() {
            api.timeout = *longest;
        }
    }

    /// The stage of an api, when it has one.
    fn stage(&self, api: &Item) -> Option<String> {
        let key =
            |item: &Item| item.properties.some("RestApiId").or(item.properties.some("ApiId")).and_then(Value::key);
        let stages =
            self.items.iter().filter(|item| item.kind.ends_with("::Stage") && key(item).as_ref() == Some(&api.name));
        let names: Vec<String> = stages.filter_map(|item| item.properties.some("StageName")?.plain()).collect();
        match names.as_slice() {
            [only] if only != "$default" => Some(only.clone()),
            _ => None,
        }
    }

    /// `AWS::ApiGateway::Method` below `AWS::ApiGateway::Resource`.
    fn methods(&self, api: &Item) -> Vec<Route<'s>> {
        let of_type = |kind: &'static str| self.items.iter().filter(move |item| item.kind == kind);
        let text = |item: &Item, key: &str| item.properties.some(key).and_then(Value::key).unwrap_or_default();
        let resources: BTreeMap<&str, (String, String)> = of_type("AWS::ApiGateway::Resource")
            .map(|item| (item.name.as_str(), (text(item, "ParentId"), text(item, "PathPart"))))
            .collect();
        let path = |id: &str| {
            let (mut steps, mut at) = (Vec::new(), id.to_owned());
            // A resource that is its own parent ends here.
            while let Some((parent, step)) = resources.get(at.as_str()).filter(|_| steps.len() < 64) {
                steps.push(step.clone());
                at = parent.clone();
            }
            steps.reverse();
            format!("/{}", steps.join("/"))
        };
        let methods = of_type("AWS::ApiGateway::Method").filter(|item| text(item, "RestApiId") == api.name);
        methods
            .filter_map(|item| {
                let integration = item.properties.some("Integration")?;
                let mock = integration.get("Type").and_then(Value::text) == Some("MOCK");
                let target = integration.some("Uri").filter(|_| !mock)?;
                Some(Route {
                    method: text(item, "HttpMethod").to_uppercase(),
                    path: path(&text(item, "ResourceId")),
                    target,
                    timeout: integration.some("TimeoutInMillis"),
                    as_role: integration.some("Credentials").is_some(),
                })
            })
            .collect()
    }

    /// `AWS::ApiGatewayV2::Route` and its integration; and an api with a target of its own.
    fn integrations(&self, api: &'s Item) -> Vec<Route<'s>> {
        let mut routes = Vec::new();
        if let Some(target) = api.properties.some("Target") {
            let key = api.properties.some("RouteKey").and_then(Value::plain).unwrap_or_else(|| "$default".into());
            let (method, path) = split_key(&key);
            let as_role = api.properties.some("CredentialsArn").is_some();
            routes.push(Route { method, path, target, timeout: None, as_role });
        }
        for item in self.items.iter().filter(|item| item.kind == "AWS::ApiGatewayV2::Route") {
            if item.properties.some("ApiId").and_then(Value::key).as_deref() != Some(&api.name) {
                continue;
            }
            let key = item.properties.some("RouteKey").and_then(Value::plain).unwrap_or_default();
            let target = item.properties.some("Target").and_then(Value::plain).unwrap_or_default();
            let id = target.trim_start_matches("integrations/");
            let integration =
                self.items.iter().find(|item| item.kind == "AWS::ApiGatewayV2::Integration" && item.name == id);
            let Some(integration) = integration else { continue };
            let Some(target) = integration.properties.some("IntegrationUri") else { continue };
            let (method, path) = split_key(&key);
            let as_role = integration.properties.some("CredentialsArn").is_some();
            routes.push(Route {
                method,
                path,
                target,
                timeout: integration.properties.some("TimeoutInMillis"),
                as_role,
            });
        }
        routes
    }
}

/// `GET /items` or `$default`.
fn split_key(key: &str) -> (String, String) {
    let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
    (method.to_uppercase(), path.to_owned())
}

/// The routes of an OpenAPI document that lead to a service.
fn routes_of(body: &Value) -> Vec<Route<'_>> {
    let mut routes = Vec::new();
    for path in body.get("paths").map(Value::entries).unwrap_or_default() {
        for method in path.value.entries() {
            let any = method.key == "x-amazon-apigateway-any-method";
            if !any && !METHODS.contains(&method.key.to_lowercase().as_str()) {
                continue;
            }
            let Some(integration) = method.value.get("x-amazon-apigateway-integration") else { continue };
            let Some(target) = integration.some("uri").filter(|_| !is_mock(integration)) else { continue };
            routes.push(Route {
                method: if any { "ANY".into() } else { method.key.to_uppercase() },
                path: if path.key == "/$default" { "$default".into() } else { path.key.clone() },
                target,
                timeout: integration.some("timeoutInMillis"),
                as_role: integration.some("credentials").is_some(),
            });
        }
    }
    routes
}

fn is_mock(integration: &Value) -> bool {
    matches!(integration.get("type").map(|value| &value.kind), Some(Kind::Text(text)) if text.eq_ignore_ascii_case("mock"))
}
