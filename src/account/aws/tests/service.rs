//! Services that remember what is written to them: as much of Lambda, SQS, SSM, IAM and CloudWatch as a throttle needs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::base64;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

use super::moments::Moments;
use super::tape::{self, ACCOUNT, Reply, cbor, error, fine, identity, xml};
use crate::account::Mac;
use crate::env::Env as _;
use crate::units::{Span, Time};

/// One call as a service saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Time,
    pub region: String,
    /// `PutParameter`; of Lambda the method and the path.
    pub operation: String,
}

/// What is in the accounts, and what happens to calls.
#[derive(Default)]
pub struct State {
    pub functions: BTreeMap<String, Option<u64>>,
    pub parameters: BTreeMap<String, String>,
    /// The variables of every function, which an extension wraps as soon as it has any.
    pub variables: BTreeMap<String, String>,
    /// The versions that others published of the functions, with their variables.
    pub versions: Vec<(String, Time, BTreeMap<String, String>)>,
    /// They publish one at the first look after this.
    pub publish_at: Option<Time>,
    /// Messages that wait in every queue.
    pub depth: u64,
    pub seen: Vec<Seen>,
    /// Says how a call ends otherwise, given its number and operation; after it was done, if the flag says so.
    pub mishap: Option<Mishap>,
    /// From then on an operator stops experiments.
    pub lever: Option<Time>,
    /// By how many seconds the service's clock is behind at an instant; then its answers have a date.
    pub behind: Option<fn(Time) -> i64>,
    /// How much longer calls of an operation take.
    pub slow: BTreeMap<String, Span>,
}

/// What befalls a call, if anything: whether it is done all the same, and what is answered.
pub type Mishap = Box<dyn Fn(usize, &str) -> Option<(bool, Reply)> + Send>;

/// How long a call takes.
pub const TAKES: Span = Span::from_millis(40);

#[derive(Clone)]
pub struct Service {
    pub state: Arc<Mutex<State>>,
    clock: Arc<Moments>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

impl Service {
    /// Functions without a reservation.
    pub fn new(clock: &Arc<Moments>, functions: impl IntoIterator<Item = String>) -> Service {
        let functions = functions.into_iter().map(|name| (name, None)).collect();
        Service { state: Arc::new(Mutex::new(State { functions, ..State::default() })), clock: clock.clone() }
    }

    /// The calls so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// The service's clock, to the second.
    fn date(&self) -> Option<(&'static str, String)> {
        let behind = self.state.lock().unwrap().behind?(self.clock.now());
        let at = jiff::Timestamp::from_second(self.clock.now().micros() / 1_000_000 - behind).unwrap();
        Some(("date", jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap()))
    }

    fn answer(&self, region: &str, operation: &str, body: &str) -> Reply {
        let mut state = self.state.lock().unwrap();
        let at = self.clock.now();
        state.seen.push(Seen { at, region: region.into(), operation: operation.into() });
        let number = state.seen.len();
        let mishap = state.mishap.as_ref().and_then(|mishap| mishap(number, operation));
        match mishap {
            Some((false, reply)) => reply,
            Some((true, reply)) => {
                state.done(region, operation, body, at);
                reply
            }
            None => state.done(region, operation, body, at),
        }
    }
}

impl State {
    #[expect(clippy::too_many_lines, reason = "one operation after another")]
    fn done(&mut self, region: &str, operation: &str, body: &str, at: Time) -> Reply {
        let asked: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let text = |key: &str| asked[key].as_str().unwrap_or_default().to_owned();
        if self.publish_at.is_some_and(|then| at >= then) {
            let version = ("8".to_owned(), at, self.variables.clone());
            (self.publish_at, self.versions) = (None, [self.versions.clone(), vec![version]].concat());
        }
        let function = operation.split("/functions/").nth(1).and_then(|rest| rest.split('/').next());
        let arn = |name: &str| format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{name}");
        match (operation, function) {
            ("GetCallerIdentity", _) => identity(ACCOUNT),
            (_, Some(name)) if !self.functions.contains_key(name) => {
                error(operation, 404, "ResourceNotFoundException", name)
            }
            (_, Some(name)) if operation.ends_with("/concurrency") => {
                let reserved = asked["ReservedConcurrentExecutions"].as_u64();
                self.functions.insert(name.into(), reserved.filter(|_| operation.starts_with("PUT")));
                fine(asked.clone())
            }
            (_, Some(_)) if operation.ends_with("/versions") => {
                let written = |at: &Time| at.to_string().replace('Z', "+0000");
                let version = |(name, at, variables): &(String, Time, BTreeMap<String, String>)| json!({ "Version": name, "LastModified": written(at), "Environment": { "Variables": variables } });
                let latest = ("$LATEST".to_owned(), at, self.variables.clone());
                let all: Vec<_> = std::iter::once(&latest).chain(&self.versions).map(version).collect();
                fine(json!({ "Versions": all }))
            }
            (_, Some(_)) if operation.starts_with("PUT") && operation.ends_with("/configuration") => {
                let sent = asked["Environment"]["Variables"].as_object().cloned().unwrap_or_default();
                self.variables =
                    sent.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap().into())).collect();
                fine(json!({}))
            }
            (_, Some(_)) if operation.ends_with("/aliases") => fine(json!({ "Aliases": [] })),
            (_, Some(name)) => fine(json!({
                "Configuration": {
                    "FunctionName": name, "FunctionArn": arn(name), "Runtime": "nodejs22.x", "Timeout": 20,
                    "Role": format!("arn:aws:iam::{ACCOUNT}:role/worker"), "LastUpdateStatus": "Successful",
                    "Environment": { "Variables": self.variables }, "RevisionId": "r1", "State": "Active",
                },
                "Concurrency": { "ReservedConcurrentExecutions": self.functions[name] },
            })),
            ("GET /2016-08-19/account-settings", _) => {
                let limit = json!({ "ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000 });
                fine(json!({ "AccountLimit": limit }))
            }
            ("GET /2015-03-31/event-source-mappings", _) => fine(json!({ "EventSourceMappings": [] })),
            ("GetResources", _) => {
                let filter = &asked["TagFilters"][0];
                let team = filter["Values"][0].as_str().filter(|_| filter["Key"] == "team");
                // A team's functions begin with its name; `shop` has all of them.
                let of_team = |name: &&String| team.is_some_and(|team| team == "shop" || name.starts_with(team));
                let arns = self.functions.keys().filter(of_team).map(|name| json!({ "ResourceARN": arn(name) }));
                fine(json!({ "ResourceTagMappingList": arns.collect::<Vec<_>>() }))
            }
            ("GetParameter", _) => match self.parameters.get(&text("Name")) {
                Some(value) => fine(
                    json!({ "Parameter": { "Name": text("Name"), "Type": "String", "Value": value, "Version": 1 } }),
                ),
                None => error(operation, 400, "ParameterNotFound", "no"),
            },
            ("PutParameter", _) if self.parameters.contains_key(&text("Name")) => {
                error(operation, 400, "ParameterAlreadyExists", "it is there")
            }
            ("PutParameter", _) => {
                self.parameters.insert(text("Name"), text("Value"));
                fine(json!({ "Version": 1 }))
            }
            ("DeleteParameter", _) => match self.parameters.remove(&text("Name")) {
                Some(_) => fine(json!({})),
                None => error(operation, 400, "ParameterNotFound", "no"),
            },
            ("AddTagsToResource", _) if self.parameters.contains_key(&text("ResourceId")) => fine(json!({})),
            ("AddTagsToResource", _) => error(operation, 400, "InvalidResourceId", "no"),
            ("GetQueueUrl", _) => fine(json!({ "QueueUrl": format!("https://sqs/{ACCOUNT}/{}", text("QueueName")) })),
            ("GetQueueAttributes", _) => {
                fine(json!({ "Attributes": { "ApproximateNumberOfMessages": self.depth.to_string(),
                    "QueueArn": format!("arn:aws:sqs:{region}:{ACCOUNT}:orders") } }))
            }
            ("ListMessageMoveTasks", _) => fine(json!({ "Results": [] })),
            ("StartQuery", _) => fine(json!({ "queryId": "q" })),
            ("GetQueryResults", _) => fine(json!({ "status": "Running", "results": [] })),
            ("StopQuery", _) => fine(json!({ "success": true })),
            ("GetMetricData", _) => cbor(&throttles(at)),
            ("GetRole", _) => error(operation, 404, "NoSuchEntity", "no"),
            ("GenerateMac", _) => {
                let message = base64::decode(text("Message")).unwrap();
                let code = mac(&text("KeyId"), &String::from_utf8(message).unwrap());
                fine(json!({ "Mac": base64::encode(code.0), "KeyId": text("KeyId") }))
            }
            ("GET /safetyLevers/default", _) => {
                let status = if self.lever.is_some_and(|from| at >= from) { "engaged" } else { "disengaged" };
                fine(json!({ "safetyLever": { "state": { "status": status, "reason": "an outage" } } }))
            }
            ("GetAccountAuthorizationDetails", _) => roles(body),
            ("SimulatePrincipalPolicy", _) => simulated(body),
            other => panic!("nobody answers {other:?}"),
        }
    }
}

/// The code of a text under a key, as these services make it.
pub fn mac(key: &str, text: &str) -> Mac {
    Mac::of(key.as_bytes(), text)
}

/// Each of the first queries has a value for each of the last minutes.
fn throttles(at: Time) -> serde_json::Value {
    let minutes: Vec<i64> =
        (0..15).map(|back| (at.window_start(Span::from_mins(1)).micros() / 1_000_000) - 60 * back).collect();
    let stamps: Vec<_> = minutes.iter().map(|at| json!({ "at": at })).collect();
    let one = |id| json!({ "Id": format!("m{id}"), "Timestamps": stamps, "Values": vec![7.0; stamps.len()] });
    json!({ "MetricDataResults": (0..500).map(one).collect::<Vec<_>>() })
}

/// A thousand roles and one, of which the last is tagged `team=shop`.
fn roles(body: &str) -> Reply {
    let second = body.contains("Marker=next");
    let role = |number: usize| {
        let tag = "<member><Key>team</Key><Value>shop</Value></member>";
        let tags = if number == 1000 { tag } else { "" };
        format!("<member><RoleName>role-{number}</RoleName><Tags>{tags}</Tags></member>")
    };
    let (page, more) = if second { (1000..1001, "false") } else { (0..1000, "true") };
    xml(&format!(
        "<GetAccountAuthorizationDetailsResponse><GetAccountAuthorizationDetailsResult><RoleDetailList>{}</RoleDetailList>\
         <IsTruncated>{more}</IsTruncated><Marker>next</Marker></GetAccountAuthorizationDetailsResult>\
         </GetAccountAuthorizationDetailsResponse>",
        page.map(role).collect::<String>()
    ))
}

/// Everything that is asked about is allowed.
fn simulated(body: &str) -> Reply {
    let actions = body.split('&').filter(|pair| pair.starts_with("ActionNames.member."));
    let actions = actions.filter_map(|pair| Some(pair.split_once('=')?.1.replace("%3A", ":")));
    let one = |action| {
        format!("<member><EvalActionName>{action}</EvalActionName><EvalDecision>allowed</EvalDecision></member>")
    };
    xml(&format!(
        "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>{}</EvaluationResults>\
         </SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>",
        actions.map(one).collect::<String>()
    ))
}

impl HttpClient for Service {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let operation = tape::operation(&request, &body);
        let region = request.uri().split('.').nth(1).unwrap_or_default().to_owned();
        let service = self.clone();
        HttpConnectorFuture::new(async move {
            let slow = service.state.lock().unwrap().slow.get(&operation).copied().unwrap_or(Span::ZERO);
            // There and back.
            service.clock.clone().pass(Span::from_micros(TAKES.micros() / 2) + slow).await;
            let reply = service.answer(&region, &operation, &body);
            service.clock.clone().pass(Span::from_micros(TAKES.micros() / 2)).await;
            match reply {
                Reply::Answer { status, headers, body } => {
                    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
                    for (name, value) in headers.into_iter().chain(service.date()) {
                        response.headers_mut().insert(name, value);
                    }
                    Ok(response)
                }
                Reply::Lost => Err(ConnectorError::io("connection reset by peer".into())),
                Reply::TimedOut => Err(ConnectorError::timeout("no answer in time".into())),
            }
        })
    }
}
