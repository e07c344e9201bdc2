//! Lambda: what a function is, and its reserved concurrency.

use aws_sdk_lambda::types::{EventSourceMappingConfiguration, FunctionConfiguration};

use super::failure::{Failure, Operation};
use super::names::{self, Arn};
use super::session::Session;
use super::variables;
use crate::account::description::{Alias, Delivery, FunctionDescription};
use crate::account::gateway::Family;
use crate::account::logs::usual_log_group;
use crate::account::{CallError, Location, Observed, Region, Resource, ResourceKind, Value};
use crate::units::Span;

/// What Lambda keeps unreserved in an account (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>).
/// An account that is smaller keeps all that it has.
const UNRESERVED_FLOOR: u64 = 100;
/// What is not published; the only version that can be changed.
const LATEST: &str = "$LATEST";
/// chaos-lambda-extension's variables begin so.
const EXTENSION: &str = "CHAOS_EXTENSION__";
/// Those of them that are about latency.
const EXTENSION_LATENCY: &str = "CHAOS_EXTENSION__LAMBDA__";
/// failure-lambda's cache of an SSM parameter, unless `FAILURE_CACHE_TTL` says otherwise.
const WRAPPER_CACHE: Span = Span::from_secs(60);

/// An operation on a function.
pub fn operation(session: &Session, family: Family, action: &'static str, function: &Resource) -> Operation {
    Operation { family, action, arn: names::arn(session, function), about: function.to_string() }
}

/// What a function is.
pub async fn describe(session: &Session, function: &Resource) -> Result<FunctionDescription, CallError> {
    let operation = operation(session, Family::GetFunction, "lambda:GetFunction", function);
    let found = get(session, &operation, function).await.map_err(session.refuse(&operation))?;
    let Some(configuration) = found.configuration() else {
        return Err(CallError::Gone(function.to_string()));
    };
    let (unreserved, floor) = unreserved(session).await?;
    let arn = names::arn(session, function);
    let mappings = mappings(session, None).await?;
    let feeds = mappings.iter().filter(|mapping| is_of(mapping, &arn));
    let queues = feeds.filter_map(|mapping| queue_of(session, function, mapping.event_source_arn()?));
    let mut consumes: Vec<Resource> = queues.collect();
    consumes.sort();
    consumes.dedup();
    let delivery = delivery(function, configuration);
    Ok(FunctionDescription {
        key: configuration.kms_key_arn().filter(|key| !key.is_empty()).map(str::to_owned),
        role: function.beside(ResourceKind::Role, names::last_part(configuration.role().unwrap_or_default())),
        log_group: configuration
            .logging_config()
            .and_then(|logging| logging.log_group())
            .map_or_else(|| usual_log_group(&function.name), str::to_owned),
        runtime: configuration.runtime().map_or("container image", |runtime| runtime.as_str()).to_owned(),
        timeout: Span::from_secs(configuration.timeout().unwrap_or(3).into()),
        reserved: reserved(&found),
        account_unreserved: unreserved,
        unreserved_floor: floor,
        aliases: aliases(session, function, &delivery).await?,
        delivery,
        consumes,
        arn,
    })
}

/// A function as it is: configuration and reserved concurrency.
pub async fn get(
    session: &Session,
    operation: &Operation,
    function: &Resource,
) -> Result<aws_sdk_lambda::operation::get_function::GetFunctionOutput, Failure> {
    let call = || {
        let call = session.lambda().get_function().function_name(&function.name);
        call.set_qualifier(function.qualifier.clone()).send()
    };
    session.caller.read(operation, call).await
}

fn reserved(found: &aws_sdk_lambda::operation::get_function::GetFunctionOutput) -> Option<u64> {
    let reserved = found.concurrency()?.reserved_concurrent_executions()?;
    u64::try_from(reserved).ok()
}

/// How faults reach the invocations of a function, or of a version of it.
fn delivery(function: &Resource, configuration: &FunctionConfiguration) -> Delivery {
    let variable = |name: &str| variable(configuration, name);
    if let Some(name) = variable("SQUALL_FAULTS_PARAM").filter(|_| has_layer(configuration)) {
        return Delivery::Layer { parameter: function.beside(ResourceKind::Parameter, name) };
    }
    if let Some(name) = variable("FAILURE_INJECTION_PARAM") {
        let cache = variable("FAILURE_CACHE_TTL").and_then(|text| text.parse().ok());
        return Delivery::Parameter {
            parameter: function.beside(ResourceKind::Parameter, name),
            cache: cache.map_or(WRAPPER_CACHE, Span::from_secs),
        };
    }
    if let Some(profile) = variable("FAILURE_APPCONFIG_CONFIGURATION") {
        let part = |name: &str| variable(name).unwrap_or_else(|| "?".into());
        let (application, environment) = (part("FAILURE_APPCONFIG_APPLICATION"), part("FAILURE_APPCONFIG_ENVIRONMENT"));
        return Delivery::AppConfig { profile: format!("{application}/{environment}/{profile}") };
    }
    let layers = configuration.layers().iter().filter_map(|layer| layer.arn());
    let has_layer = layers.into_iter().any(|arn| arn.contains("chaos-lambda-extension"));
    let set = variables::with_prefix(configuration, EXTENSION);
    match variable("AWS_LAMBDA_EXEC_WRAPPER").as_deref() {
        Some("/opt/bootstrap") if has_layer || !set.is_empty() => {
            Delivery::Variables { set: variables::with_prefix(configuration, EXTENSION_LATENCY) }
        }
        _ => Delivery::None,
    }
}

fn has_layer(configuration: &FunctionConfiguration) -> bool {
    let runtime = configuration.runtime().map(|runtime| runtime.as_str().to_owned()).unwrap_or_default();
    crate::layer::runs_in(&runtime, |name| variable(configuration, name))
}

/// The aliases of a function that lead to published versions.
async fn aliases(session: &Session, function: &Resource, latest: &Delivery) -> Result<Vec<Alias>, CallError> {
    let list = operation(session, Family::Lambda, "lambda:ListAliases", function);
    let (mut found, mut marker) = (Vec::new(), None::<String>);
    loop {
        let call = || session.lambda().list_aliases().function_name(&function.name).set_marker(marker.clone()).send();
        let page = session.caller.read(&list, call).await.map_err(session.refuse(&list))?;
        found.extend_from_slice(page.aliases());
        match page.next_marker() {
            Some(next) if !next.is_empty() => marker = Some(next.to_owned()),
            _ => break,
        }
    }
    let mut aliases = Vec::new();
    for alias in found {
        let routed = alias.routing_config().and_then(|routing| routing.additional_version_weights());
        let further = routed.into_iter().flat_map(|weights| weights.keys().cloned());
        let mut versions: Vec<String> =
            alias.function_version().map(str::to_owned).into_iter().chain(further).collect();
        versions.sort();
        let mut delivered_alike = true;
        for version in versions.iter().filter(|version| *version != LATEST) {
            delivered_alike &= of_version(session, function, version).await? == *latest;
        }
        if versions.iter().any(|version| version != LATEST) {
            aliases.push(Alias { name: alias.name().unwrap_or_default().to_owned(), versions, delivered_alike });
        }
    }
    Ok(aliases)
}

async fn of_version(session: &Session, function: &Resource, version: &str) -> Result<Delivery, CallError> {
    let mut operation = operation(session, Family::GetFunction, "lambda:GetFunction", function);
    operation.arn = format!("{}:{version}", operation.arn);
    let call = || session.lambda().get_function().function_name(&function.name).qualifier(version).send();
    let found = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
    Ok(found.configuration().map_or(Delivery::None, |configuration| delivery(function, configuration)))
}

/// An environment variable of a function.
pub fn variable(configuration: &FunctionConfiguration, name: &str) -> Option<String> {
    configuration.environment()?.variables()?.get(name).cloned()
}

/// What the whole account has left that no function reserves, and how much of it must stay.
async fn unreserved(session: &Session) -> Result<(u64, u64), CallError> {
    let operation = Operation {
        family: Family::Lambda,
        action: "lambda:GetAccountSettings",
        arn: "*".into(),
        about: "the account".into(),
    };
    let settings = session.caller.read(&operation, || session.lambda().get_account_settings().send()).await;
    let settings = settings.map_err(session.refuse(&operation))?;
    let limit = settings.account_limit();
    let whole = limit.map_or(0, |limit| limit.concurrent_executions());
    let left = limit.and_then(|limit| limit.unreserved_concurrent_executions()).unwrap_or(whole);
    let number = |n: i32| u64::try_from(n).unwrap_or(0);
    Ok((number(left), UNRESERVED_FLOOR.min(number(whole))))
}

/// Event source mappings of the account that are not switched off: all, or those of one source.
pub async fn mappings(
    session: &Session,
    source: Option<&str>,
) -> Result<Vec<EventSourceMappingConfiguration>, CallError> {
    let operation = Operation {
        family: Family::Lambda,
        action: "lambda:ListEventSourceMappings",
        arn: "*".into(),
        about: "event source mappings".into(),
    };
    let (mut mappings, mut marker) = (Vec::new(), None::<String>);
    loop {
        let call = || {
            let call = session.lambda().list_event_source_mappings().set_event_source_arn(source.map(str::to_owned));
            call.set_marker(marker.clone()).send()
        };
        let page = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
        mappings.extend(page.event_source_mappings().iter().filter(|mapping| is_on(mapping)).cloned());
        match page.next_marker() {
            Some(next) if !next.is_empty() => marker = Some(next.to_owned()),
            _ => return Ok(mappings),
        }
    }
}

fn is_on(mapping: &EventSourceMappingConfiguration) -> bool {
    !matches!(mapping.state(), Some("Disabled" | "Disabling" | "Deleting"))
}

/// Whether a mapping feeds a function, also through a version or an alias of it.
fn is_of(mapping: &EventSourceMappingConfiguration, function: &str) -> bool {
    let rest = mapping.function_arn().and_then(|arn| arn.strip_prefix(function));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

fn queue_of(session: &Session, beside: &Resource, source: &str) -> Option<Resource> {
    let arn = Arn::parse(source)?;
    let here = arn.service == "sqs"
        && arn.account == session.config.id.as_str()
        && arn.region == session.config.region.as_str();
    here.then(|| beside.beside(ResourceKind::Queue, arn.resource))
}

/// The functions that event source mappings feed from a queue.
pub async fn consumers(session: &Session, queue: &Resource) -> Result<Vec<Resource>, CallError> {
    let mappings = mappings(session, Some(&names::arn(session, queue))).await?;
    let names = mappings.iter().filter_map(|mapping| {
        let (kind, names) = Arn::parse(mapping.function_arn()?)?.names()?;
        Some(queue.beside(kind, names.into_iter().next()?))
    });
    let mut consumers: Vec<Resource> = names.collect();
    consumers.sort();
    consumers.dedup();
    Ok(consumers)
}

/// The functions of a region with their configurations, those of `$LATEST`.
pub async fn all(session: &Session, region: &Region) -> Result<Vec<FunctionConfiguration>, CallError> {
    let operation = Operation {
        family: Family::Lambda,
        action: "lambda:ListFunctions",
        arn: "*".into(),
        about: format!("functions in {region}"),
    };
    let (mut functions, mut marker) = (Vec::new(), None::<String>);
    loop {
        let call = || session.lambda_in(region).list_functions().set_marker(marker.clone()).send();
        let page = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
        functions.extend_from_slice(page.functions());
        match page.next_marker() {
            Some(next) if !next.is_empty() => marker = Some(next.to_owned()),
            _ => return Ok(functions),
        }
    }
}

/// The functions of a region of which something is true, as resources, by name.
pub async fn those(
    session: &Session,
    region: &Region,
    is_one: impl Fn(&FunctionConfiguration) -> bool,
) -> Result<Vec<Resource>, CallError> {
    let here = Location { account: session.location.account.clone(), region: region.clone() };
    let functions = all(session, region).await?;
    let names = functions.iter().filter(|function| is_one(function)).filter_map(FunctionConfiguration::function_name);
    let mut found: Vec<_> = names.map(|name| Resource::new(&here, ResourceKind::Function, name)).collect();
    found.sort();
    Ok(found)
}

/// Reads reserved concurrency through GetFunction, which has a limit of its own, so that a rollback of many functions does
/// not spend the control plane's on reads.
pub async fn read_concurrency(session: &Session, function: &Resource) -> Result<Observed, CallError> {
    let operation = operation(session, Family::GetFunction, "lambda:GetFunction", function);
    let found = get(session, &operation, function).await.map_err(session.refuse(&operation))?;
    Ok(Observed::plain(reserved(&found).map_or(Value::Unset, Value::Number)))
}

/// Writes reserved concurrency. Unset is restored by deleting, never by a number.
pub async fn write_concurrency(session: &Session, function: &Resource, value: Value) -> Result<(), CallError> {
    if function.qualifier.is_some() {
        return super::invalid(format!("{function}: reserved concurrency is the whole function's"));
    }
    let name = &function.name;
    match value {
        Value::Unset => {
            let operation = operation(session, Family::Lambda, "lambda:DeleteFunctionConcurrency", function);
            let call = session.lambda().delete_function_concurrency().function_name(name).send();
            session.caller.write(&operation, call).await.map_err(session.refuse(&operation))?;
        }
        Value::Number(number) => {
            let operation = operation(session, Family::Lambda, "lambda:PutFunctionConcurrency", function);
            let Ok(number) = i32::try_from(number) else {
                return super::invalid(format!("{number} is more than Lambda can count"));
            };
            let call = session.lambda().put_function_concurrency().function_name(name);
            let call = call.reserved_concurrent_executions(number).send();
            session.caller.write(&operation, call).await.map_err(session.refuse(&operation))?;
        }
        Value::Text(_) => return super::invalid("reserved concurrency is a number"),
    }
    Ok(())
}
