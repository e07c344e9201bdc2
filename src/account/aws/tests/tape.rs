//! Recorded replies of the services, played back below the SDK: everything above the socket is what ships.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value as Json, json};

use crate::account::aws::awake::Awake;
use crate::account::aws::call::Sleeper;
use crate::account::aws::session::Connection;
use crate::account::aws::{AccountConfig, Shared, worker};
use crate::account::{Call, Outcome};
use crate::env::Env;
use crate::units::{Span, Time};

/// The account of the recordings.
pub const ACCOUNT: &str = "111122223333";

/// A clock that only those move who wait.
#[derive(Debug, Default)]
pub struct Clock {
    pub micros: AtomicI64,
    /// So much more passes at the next wait.
    pub jump: AtomicI64,
    pub variables: BTreeMap<&'static str, &'static str>,
}

impl Env for Clock {
    fn now(&self) -> Time {
        "2026-03-02T09:00:00Z".parse::<Time>().unwrap() + self.monotonic()
    }
    fn monotonic(&self) -> Span {
        Span::from_micros(self.micros.load(Ordering::SeqCst))
    }
    fn sleep(&self, span: Span) {
        let jump = self.jump.swap(0, Ordering::SeqCst);
        self.micros.fetch_add(span.micros() + jump, Ordering::SeqCst);
    }
    fn entropy(&self) -> u64 {
        0
    }
    fn var(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| (*value).to_owned())
    }
    fn who(&self) -> String {
        "tester@here".into()
    }
}

/// Whoever waits moves the clock.
impl Sleeper for Arc<Clock> {
    fn sleep(&self, span: Span) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Env::sleep(&**self, span);
        Box::pin(tokio::task::yield_now())
    }
}

/// What comes back for a request.
#[derive(Clone, Debug)]
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// The connection broke before an answer.
    Lost,
    TimedOut,
}

/// A success with a JSON body.
pub fn fine(body: Json) -> Reply {
    Reply::Answer { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
}

/// A success with an XML body, of the services of the query protocol.
pub fn xml(body: &str) -> Reply {
    Reply::Answer { status: 200, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

/// A success of CloudWatch, which speaks CBOR.
pub fn cbor(body: &Json) -> Reply {
    let mut bytes = Vec::new();
    encode(body, &mut bytes);
    Reply::Answer { status: 200, headers: cbor_headers(), body: bytes }
}

fn cbor_headers() -> Vec<(&'static str, String)> {
    vec![("smithy-protocol", "rpc-v2-cbor".into()), ("content-type", "application/cbor".into())]
}

/// An error as the services say it, in the protocol of the operation.
pub fn error(operation: &str, status: u16, code: &str, message: &str) -> Reply {
    let id = ("x-amzn-requestid", "req-1".to_owned());
    match protocol(operation) {
        Protocol::Json => {
            let headers = vec![id, ("x-amzn-errortype", code.to_owned())];
            let body = json!({ "__type": code, "message": message, "Message": message });
            Reply::Answer { status, headers, body: body.to_string().into_bytes() }
        }
        Protocol::Query => {
            let body = format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>req-1</RequestId></ErrorResponse>"
            );
            Reply::Answer { status, headers: vec![id], body: body.into_bytes() }
        }
        Protocol::Cbor => {
            let mut bytes = Vec::new();
            encode(&json!({ "__type": code, "message": message }), &mut bytes);
            Reply::Answer { status, headers: [cbor_headers(), vec![id]].concat(), body: bytes }
        }
    }
}

enum Protocol {
    Json,
    Query,
    Cbor,
}

fn protocol(operation: &str) -> Protocol {
    let query = [
        "GetCallerIdentity",
        "AssumeRole",
        "SimulatePrincipalPolicy",
        "GetRole",
        "GetRolePolicy",
        "PutRolePolicy",
        "DeleteRolePolicy",
        "ListRolePolicies",
        "GetAccountAuthorizationDetails",
        "DescribeStackResource",
        "ListStackResources",
        "GetTopicAttributes",
    ];
    match operation {
        "GetMetricData" | "DescribeAlarms" | "ListAlarmMuteRules" | "ListMetrics" => Protocol::Cbor,
        _ if query.contains(&operation) => Protocol::Query,
        _ => Protocol::Json,
    }
}

/// Enough of CBOR (RFC 8949) for JSON values; an integer in `{"at": 1}` becomes a date.
fn encode(json: &Json, out: &mut Vec<u8>) {
    let head = |major: u8, n: usize, out: &mut Vec<u8>| {
        out.push(major << 5 | 26);
        out.extend(u32::try_from(n).unwrap().to_be_bytes());
    };
    match json {
        Json::Null => out.push(0xf6),
        Json::Bool(is) => out.push(if *is { 0xf5 } else { 0xf4 }),
        Json::Number(number) => {
            out.push(0xfb);
            out.extend(number.as_f64().unwrap().to_be_bytes());
        }
        Json::String(text) => {
            head(3, text.len(), out);
            out.extend(text.as_bytes());
        }
        Json::Array(items) => {
            head(4, items.len(), out);
            items.iter().for_each(|item| encode(item, out));
        }
        Json::Object(object) => match object.get("at") {
            Some(at) => {
                out.push(0xc1);
                encode(at, out);
            }
            None => {
                head(5, object.len(), out);
                for (key, value) in object {
                    encode(&Json::String(key.clone()), out);
                    encode(value, out);
                }
            }
        },
    }
}

/// Replies by operation; the last one of an operation stays.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    replies: Arc<Mutex<BTreeMap<String, VecDeque<Reply>>>>,
    seen: Arc<Mutex<Vec<(String, String)>>>,
    /// The URI of each request.
    uris: Arc<Mutex<Vec<String>>>,
}

impl Tape {
    /// A tape on which the caller is who the configuration says.
    pub fn new() -> Tape {
        let tape = Tape::default();
        tape.on("GetCallerIdentity", [identity(ACCOUNT)]);
        tape
    }

    /// What an operation answers, one after another. An operation of Lambda is its method and path.
    pub fn on(&self, operation: &str, replies: impl IntoIterator<Item = Reply>) -> &Tape {
        self.replies.lock().unwrap().insert(operation.into(), replies.into_iter().collect());
        self
    }

    /// The operations that were asked for so far, without the identity, in order.
    pub fn asked(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|(operation, _)| operation.clone()).filter(|name| name != "GetCallerIdentity").collect()
    }

    /// The URI of the newest request.
    pub fn uri(&self) -> String {
        self.uris.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// The body of the newest request for an operation.
    pub fn body(&self, operation: &str) -> String {
        let seen = self.seen.lock().unwrap();
        seen.iter().rev().find(|(name, _)| name == operation).unwrap().1.clone()
    }

    /// An account that hears this tape, and its clock.
    pub fn account(&self) -> Recorded {
        self.account_of(super::prod())
    }

    /// The same, configured otherwise.
    pub fn account_of(&self, config: AccountConfig) -> Recorded {
        self.account_in(config, Clock::default())
    }

    /// The same, in another environment.
    pub fn account_in(&self, config: AccountConfig, clock: Clock) -> Recorded {
        use aws_smithy_runtime_api::shared::IntoShared as _;
        let clock = Arc::new(clock);
        let awake = Arc::new(Awake::new(clock.clone()));
        let connection = Connection::new(
            config,
            clock.clone(),
            &Shared::default(),
            awake,
            Arc::new(clock.clone()),
            Some(self.clone().into_shared()),
        );
        Recorded { connection, clock }
    }
}

/// Who is calling, as STS says it.
pub fn identity(account: &str) -> Reply {
    xml(&format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::{account}:assumed-role/squall/ana</Arn>\
         <UserId>A</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    ))
}

/// An account that hears a tape.
pub struct Recorded {
    pub connection: Connection,
    pub clock: Arc<Clock>,
}

impl Recorded {
    /// Makes a call.
    pub fn ask(&self, call: Call) -> Outcome {
        self.ask_all([call]).remove(0)
    }

    /// Makes calls side by side.
    pub fn ask_all(&self, calls: impl IntoIterator<Item = Call>) -> Vec<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let calls = calls.into_iter().map(|call| worker::answer(&self.connection, call)).collect();
        runtime.block_on(crate::account::aws::call::side_by_side(calls))
    }
}

impl HttpClient for Tape {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Tape {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let operation = operation(&request, &body);
        self.uris.lock().unwrap().push(request.uri().to_owned());
        self.seen.lock().unwrap().push((operation.clone(), body));
        let mut replies = self.replies.lock().unwrap();
        let reply = match replies.get_mut(&operation) {
            Some(replies) if replies.len() > 1 => replies.pop_front(),
            Some(replies) => replies.front().cloned(),
            None => None,
        };
        HttpConnectorFuture::ready(match reply {
            Some(Reply::Answer { status, headers, body }) => {
                let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
                for (name, value) in headers {
                    response.headers_mut().insert(name, value);
                }
                Ok(response)
            }
            Some(Reply::Lost) => Err(ConnectorError::io("connection reset by peer".into())),
            Some(Reply::TimedOut) => Err(ConnectorError::timeout("no answer in time".into())),
            None => Err(ConnectorError::user(format!("no recording of {operation}").into())),
        })
    }
}

/// The operation of a request, in whichever protocol.
pub fn operation(request: &HttpRequest, body: &str) -> String {
    if let Some(target) = request.headers().get("x-amz-target") {
        return target.rsplit('.').next().unwrap().to_owned();
    }
    let uri = request.uri();
    let path = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let path = path.find('/').map_or("/", |at| &path[at..]);
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    if let Some(action) = body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
        return action.to_owned();
    }
    match path.rsplit_once("/operation/") {
        Some((_, operation)) => operation.to_owned(),
        None => format!("{} {path}", request.method()),
    }
}
