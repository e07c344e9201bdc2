//! Errors of the SDK, sorted by what is known of their effect, each with the service's message, its request id, and what
//! the user can do.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::account::gateway::{Family, NotSent};
use crate::account::{CallError, RefusedBy};

/// One operation on one resource: what it needs, and what it is about.
#[derive(Clone, Debug)]
pub struct Operation {
    pub family: Family,
    /// The IAM action: `lambda:PutFunctionConcurrency`.
    pub action: &'static str,
    /// The ARN that the permission is needed for, or `*`.
    pub arn: String,
    /// What is gone when it is not found: `function PaymentWorker`.
    pub about: String,
}

/// An answer that was none, or not the wanted one.
#[derive(Clone, Debug)]
pub struct Failure {
    kind: Kind,
    /// The service's code, such as `ResourceNotFoundException`; empty when it gave none.
    pub code: String,
    pub message: String,
    request_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It never left: there are no credentials.
    NoCredentials,
    /// It never left: the request cannot be made.
    NotMade,
    /// It never left: it may not go out any more.
    NotSent,
    /// It is not known whether it arrived.
    NoAnswer,
    Gone,
    Throttled,
    Denied,
    /// The credentials themselves were not accepted.
    BadCredentials,
    Busy,
    Limit,
    Invalid,
    /// The service failed; it may have done it.
    ServiceFailed,
    /// It never left this process, and may be made again after a new look. The service has nothing to do with it.
    NotNow,
    /// An answer without a code of AWS: of something else, or of an emulator that does not know the operation.
    NotOfAws,
}

impl Failure {
    /// From an error of any operation.
    pub fn of<E>(error: SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        if let SdkError::ServiceError(service) = &error {
            let (metadata, response) = (service.err().meta(), service.raw());
            let header = |name| response.headers().get(name).map(str::to_owned);
            let code = metadata.code().unwrap_or_default().to_owned();
            let message = metadata.message().unwrap_or_default().to_owned();
            let request_id = metadata.extra("aws_request_id").map(str::to_owned);
            return Failure {
                kind: sort(&code, &message, response.status().as_u16()),
                request_id: request_id.or_else(|| header("x-amzn-requestid")).or_else(|| header("x-amz-request-id")),
                code,
                message,
            };
        }
        let causes = causes(&error);
        if let Some(why) = causes.iter().find_map(|cause| cause.downcast_ref::<NotSent>()) {
            return Failure::not_sent(*why);
        }
        let no_credentials = causes.iter().position(|cause| cause.is::<CredentialsError>());
        let kind = match (&error, no_credentials) {
            (_, Some(_)) => Kind::NoCredentials,
            (SdkError::ConstructionFailure(_), _) => Kind::NotMade,
            _ => Kind::NoAnswer,
        };
        // What went around it says nothing of why there are none.
        let telling = causes.get(no_credentials.unwrap_or_default()..).unwrap_or_default();
        let message = telling.iter().map(ToString::to_string).collect::<Vec<_>>().join(": ");
        Failure { kind, code: String::new(), message, request_id: None }
    }

    /// The process slept while the call waited for its turn; it never left.
    pub fn overslept() -> Failure {
        let message = "this process slept before the call went out".into();
        Failure { kind: Kind::NotNow, code: String::new(), message, request_id: None }
    }

    /// It may not go out any more, and did not.
    pub fn not_sent(why: NotSent) -> Failure {
        // What passes is tried again after a new look; what does not ends there.
        let kind = match why {
            NotSent::Unconfirmed | NotSent::Stale { .. } => Kind::NotNow,
            NotSent::Stopped | NotSent::TermLost | NotSent::TooLate { .. } => Kind::NotSent,
        };
        Failure { kind, code: String::new(), message: why.to_string(), request_id: None }
    }

    /// Whether the resource is not there.
    pub fn is_gone(&self) -> bool {
        self.kind == Kind::Gone
    }

    /// Whether the service asked to slow down.
    pub fn is_throttle(&self) -> bool {
        self.kind == Kind::Throttled
    }

    /// Whether a read is worth another try.
    pub fn is_passing(&self) -> bool {
        matches!(self.kind, Kind::Throttled | Kind::NotNow | Kind::NoAnswer | Kind::ServiceFailed)
            && !self.is_not_implemented()
    }

    /// Whether the service said that the caller may not.
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind, Kind::Denied | Kind::BadCredentials)
    }

    /// Whether the service does not take the value.
    pub fn is_invalid(&self) -> bool {
        self.kind == Kind::Invalid
    }

    /// Whether the endpoint does not know the operation: an emulator's gap.
    pub fn is_not_implemented(&self) -> bool {
        let codes = ["NotImplemented", "UnknownOperationException", "InvalidAction", "UnsupportedOperation"];
        let texts = ["not yet implemented", "not yet been implemented"];
        codes.iter().any(|code| self.code.contains(code)) || texts.iter().any(|text| self.message.contains(text))
    }

    /// For the engine. `who` is the ARN of the caller.
    pub fn into_error(self, operation: &Operation, who: &str) -> CallError {
        let by = match self.kind {
            Kind::Gone => return CallError::Gone(operation.about.clone()),
            Kind::Throttled | Kind::NotNow => return CallError::Throttled,
            Kind::NoAnswer | Kind::ServiceFailed => return CallError::Unknown(self.text(operation)),
            Kind::NotOfAws => {
                let text = self.text(operation);
                return CallError::Unknown(format!("{text}: 404, but not from AWS; check `endpoint_url`"));
            }
            Kind::Denied | Kind::NoCredentials | Kind::BadCredentials => RefusedBy::Permission,
            Kind::Busy => RefusedBy::Busy,
            Kind::NotSent => RefusedBy::NotSent,
            Kind::Limit => RefusedBy::Limit,
            Kind::Invalid | Kind::NotMade => RefusedBy::Invalid,
        };
        let mut message = self.text(operation);
        match self.kind {
            Kind::Denied if self.message.contains("explicit deny") => {
                message += &format!("; a policy denies {} to {who} explicitly: remove that first", operation.action);
            }
            Kind::Denied => message += &format!("; to allow it, add to a policy of {who}: {}", statement(operation)),
            Kind::NoCredentials => message += "; set AWS_PROFILE, or `profile` in squall.yaml; see `squall doctor`",
            Kind::BadCredentials => {
                message +=
                    "; get new credentials (`aws sso login`), or synchronise this machine's clock; see `squall doctor`";
            }
            _ => {}
        }
        CallError::Refused { by, message }
    }

    fn text(&self, operation: &Operation) -> String {
        let mut text = operation.action.to_owned();
        for part in [&self.code, &self.message] {
            if !part.is_empty() {
                text += &format!(": {part}");
            }
        }
        if let Some(id) = &self.request_id {
            text += &format!(" (request {id})");
        }
        text
    }
}

/// The statement of a policy that allows an operation.
fn statement(operation: &Operation) -> serde_json::Value {
    serde_json::json!({ "Effect": "Allow", "Action": operation.action, "Resource": operation.arn })
}

/// An error and what it comes from.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut causes = vec![error];
    let mut error = error;
    while let Some(cause) = error.source() {
        causes.push(cause);
        error = cause;
    }
    causes
}

/// By the service's code first, for codes mean one thing and the numbers of HTTP several.
fn sort(code: &str, message: &str, status: u16) -> Kind {
    // `AWS.SimpleQueueService.NonExistentQueue` and the like; with and without `Exception`, as services please.
    let short = code.rsplit('.').next().unwrap_or(code);
    let short = short.strip_suffix("Exception").unwrap_or(short);
    match short {
        "ResourceNotFound"
        | "NoSuchEntity"
        | "ParameterNotFound"
        | "InvalidResourceId"
        | "QueueDoesNotExist"
        | "NonExistentQueue"
        | "ParameterVersionNotFound"
        | "NotFound" => Kind::Gone,
        "Throttling"
        | "Throttled"
        | "RequestThrottled"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "SlowDown"
        | "BandwidthLimitExceeded"
        | "PriorRequestNotComplete" => Kind::Throttled,
        "AccessDenied" | "UnauthorizedOperation" | "Unauthorized" | "AuthorizationError" | "NotAuthorized" => {
            Kind::Denied
        }
        "ExpiredToken"
        | "InvalidClientTokenId"
        | "UnrecognizedClient"
        | "SignatureDoesNotMatch"
        | "InvalidSignature"
        | "RequestExpired"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "InvalidAccessKeyId" => Kind::BadCredentials,
        "ResourceConflict"
        | "ConcurrentModification"
        | "TooManyUpdates"
        | "PreconditionFailed"
        | "ResourceInUse"
        | "EntityTemporarilyUnmodifiable" => Kind::Busy,
        // Lambda has no code of its own for a reservation that leaves the account too little.
        _ if message.contains("UnreservedConcurrentExecution") => Kind::Limit,
        "LimitExceeded"
        | "ServiceQuotaExceeded"
        | "ParameterLimitExceeded"
        | "ParameterMaxVersionLimitExceeded"
        | "OverLimit" => Kind::Limit,
        _ if status == 429 => Kind::Throttled,
        _ if status >= 500 => Kind::ServiceFailed,
        // AWS names what is gone. Something else that says 404 must not pass for a resource that is gone.
        _ if status == 404 && code.is_empty() => Kind::NotOfAws,
        _ if status == 403 => Kind::Denied,
        _ => Kind::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_aws_says_that_something_is_gone() {
        assert_eq!(sort("ResourceNotFoundException", "Function not found", 404), Kind::Gone);
        // A web server that knows nothing of Lambda, behind a wrong `endpoint_url`.
        let failure =
            Failure { kind: sort("", "", 404), code: String::new(), message: String::new(), request_id: None };
        let operation = Operation {
            family: Family::Lambda,
            action: "lambda:GetFunction",
            arn: "*".into(),
            about: "function pay".into(),
        };
        let error = failure.into_error(&operation, "ana");
        assert!(matches!(&error, CallError::Unknown(why) if why.contains("endpoint_url")), "{error}");
    }
}
