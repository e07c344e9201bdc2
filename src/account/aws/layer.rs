//! squall's layer in an account: publishing a version of it, and reading whether a function has it right.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture as Word, LayerVersionContentInput};
use aws_sdk_ssm::types::ParameterType;

use super::awake::Awake;
use super::call::RealTime;
use super::failure::Operation;
use super::session::{Connection, Session};
use super::{AccountConfig, Shared, lambda, names, permitted, ssm, unsupported};
use crate::account::gateway::Family;
use crate::account::{CallError, Permitted, Resource, ResourceKind};
use crate::env::Env;
use crate::layer::installed::{Content, Installed, Parameter, Readable};
use crate::layer::{Architecture, publish};

/// Publishes a zip as a new version of the layer for its architecture, and gives the version's ARN. It is sent once.
///
/// # Errors
/// When the account cannot be reached, is another one than configured, or refuses. A call without an answer may have published it.
pub fn publish(
    config: &AccountConfig,
    env: Arc<dyn Env>,
    architecture: Architecture,
    zip: Vec<u8>,
) -> Result<String, CallError> {
    in_session(config, env, async move |session| published(session, architecture, zip).await)
}

/// What a function has of the layer. Changes nothing.
///
/// # Errors
/// When the account cannot be reached, is another one than configured, or has no such function.
pub fn installed(config: &AccountConfig, env: Arc<dyn Env>, function: &str) -> Result<Installed, CallError> {
    let function = function.to_owned();
    in_session(config, env, async move |session| read(session, &function).await)
}

/// Does one thing in an account and blocks until it is done; each call has its time-outs.
fn in_session<T>(
    config: &AccountConfig,
    env: Arc<dyn Env>,
    work: impl AsyncFnOnce(&Session) -> Result<T, CallError>,
) -> Result<T, CallError> {
    let awake = Arc::new(Awake::new(env.clone()));
    let connection = Connection::new(config.clone(), env, &Shared::of_process(), awake, Arc::new(RealTime), None);
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(async { work(connection.session().await?).await }),
        Err(error) => unsupported(format!("no thread to ask from: {error}")),
    }
}

/// Publishes, on a connection.
pub async fn published(session: &Session, architecture: Architecture, zip: Vec<u8>) -> Result<String, CallError> {
    let name = architecture.layer();
    let operation = Operation {
        family: Family::Lambda,
        action: "lambda:PublishLayerVersion",
        arn: names::in_region(session, "lambda", &format!("layer:{name}")),
        about: format!("layer {name}"),
    };
    let content = LayerVersionContentInput::builder().zip_file(Blob::new(zip)).build();
    let call = session.lambda().publish_layer_version().layer_name(&name).content(content);
    let call = call.description(publish::DESCRIPTION).license_info(publish::LICENCE);
    let call = call.compatible_architectures(Word::from(architecture.word())).send();
    let made = session.caller.write(&operation, call).await.map_err(session.refuse(&operation))?;
    made.layer_version_arn.ok_or(CallError::Gone(operation.about))
}

/// Reads a function, on a connection.
pub async fn read(session: &Session, function: &str) -> Result<Installed, CallError> {
    let resource = Resource::new(&session.location, ResourceKind::Function, function);
    let operation = Operation {
        family: Family::GetFunction,
        action: "lambda:GetFunction",
        arn: names::arn(session, &resource),
        about: resource.to_string(),
    };
    let found = lambda::get(session, &operation, &resource).await.map_err(session.refuse(&operation))?;
    let configuration = found.configuration().ok_or_else(|| CallError::Gone(operation.about.clone()))?;
    let all = configuration.environment().and_then(|environment| environment.variables()).cloned().unwrap_or_default();
    let concerns = |name: &String| name == "AWS_LAMBDA_EXEC_WRAPPER" || name.starts_with("SQUALL_");
    let variables: BTreeMap<String, String> = all.into_iter().filter(|(name, _)| concerns(name)).collect();
    let parameter = match variables.get("SQUALL_FAULTS_PARAM").filter(|name| !name.is_empty()) {
        Some(name) => Some(parameter(session, configuration.role().unwrap_or_default(), name).await),
        None => None,
    };
    let architecture = configuration.architectures().first().map_or("x86_64", Word::as_str);
    Ok(Installed {
        function: function.to_owned(),
        runtime: configuration.runtime().map(|runtime| runtime.as_str().to_owned()).unwrap_or_default(),
        architecture: architecture.to_owned(),
        layers: configuration.layers().iter().filter_map(|layer| layer.arn().map(str::to_owned)).collect(),
        variables,
        parameter,
    })
}

async fn parameter(session: &Session, role: &str, name: &str) -> Parameter {
    let region = &session.config.region;
    let content = match ssm::get(session, region, name, format!("parameter {name}")).await {
        Ok(found) if found.r#type() == Some(&ParameterType::SecureString) => Content::Secure,
        Ok(found) => Content::Text(found.value.unwrap_or_default()),
        Err(CallError::Gone(_)) => Content::Missing,
        Err(other) => Content::Unknown(other.to_string()),
    };
    let arn = names::parameter_arn(session, region, name);
    let readable = match permitted::of(session, role, "ssm:GetParameter", &arn).await {
        Ok(Permitted::Yes) => Readable::Yes,
        Ok(Permitted::No(why)) => Readable::No(why),
        Ok(Permitted::CannotTell(why)) => Readable::Unknown(why),
        Err(error) => Readable::Unknown(error.to_string()),
    };
    Parameter { name: name.to_owned(), content, readable }
}
