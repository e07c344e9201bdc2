//! One account as it is reached: its credentials, its clients, who squall is there. Made at the first call, when the
//! account's number turned out right; before that nothing else is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws_config::sts::AssumeRoleProvider;
use aws_config::{AppName, BehaviorVersion, Region as SdkRegion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use tokio::sync::OnceCell;

use super::awake::Awake;
use super::batch::Batches;
use super::call::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, Caller, Sleeper};
use super::failure::{Failure, Operation};
use super::gate::{Gate, SigningClock};
use super::{AccountConfig, Shared, lasts};
use crate::account::gateway::{Family, Offset};
use crate::account::{CallError, Identity, Lasts, Location, RefusedBy, Region, Resource};
use crate::env::Env;
use crate::units::Time;

/// An account that may not have been reached yet.
pub struct Connection {
    config: AccountConfig,
    caller: Arc<Caller>,
    batches: Arc<Batches>,
    /// Stands for the network, if that is recorded.
    http: Option<SharedHttpClient>,
    session: OnceCell<Session>,
}

/// An account that is the right one.
pub struct Session {
    pub config: AccountConfig,
    pub location: Location,
    pub identity: Identity,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    pub caller: Arc<Caller>,
    /// URLs of queues by their names.
    pub queue_urls: Mutex<BTreeMap<String, String>>,
    pub batches: Arc<Batches>,
    sdk: SdkConfig,
    clients: Clients,
}

#[derive(Default)]
struct Clients {
    cloudformation: OnceLock<aws_sdk_cloudformation::Client>,
    cloudwatch: OnceLock<aws_sdk_cloudwatch::Client>,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    fis: OnceLock<aws_sdk_fis::Client>,
    iam: OnceLock<aws_sdk_iam::Client>,
    kms: Mutex<BTreeMap<Region, aws_sdk_kms::Client>>,
    lambda: Mutex<BTreeMap<Region, aws_sdk_lambda::Client>>,
    logs: OnceLock<aws_sdk_cloudwatchlogs::Client>,
    sfn: OnceLock<aws_sdk_sfn::Client>,
    sns: OnceLock<aws_sdk_sns::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
    ssm: Mutex<BTreeMap<Region, aws_sdk_ssm::Client>>,
    tagging: OnceLock<aws_sdk_resourcegroupstagging::Client>,
}

impl Connection {
    /// An account that was not asked anything yet.
    pub fn new(
        config: AccountConfig,
        env: Arc<dyn Env>,
        shared: &Shared,
        awake: Arc<Awake>,
        sleeper: Arc<dyn Sleeper>,
        http: Option<SharedHttpClient>,
    ) -> Connection {
        let gateway = shared.gateways.of(&config.location().account, &env);
        let caller = Caller { gateway, region: config.region.clone(), env, awake, sleeper };
        let batches = shared.batches(&config);
        Connection { config, caller: Arc::new(caller), batches, http, session: OnceCell::new() }
    }

    /// The way to the account.
    #[cfg(test)]
    pub fn gateway(&self) -> Arc<crate::account::gateway::Gateway> {
        self.caller.gateway.clone()
    }

    /// Every location that this is the connection to: the account's own first.
    pub fn locations(&self) -> impl Iterator<Item = Location> {
        std::iter::once(self.config.location()).chain(self.config.aliases.iter().cloned())
    }

    /// The account, its number checked. The first caller does the work; a failure is not kept.
    pub async fn session(&self) -> Result<&Session, CallError> {
        self.session.get_or_try_init(|| self.open()).await
    }

    async fn open(&self) -> Result<Session, CallError> {
        let config = &self.config;
        let base = self.sdk_config().await;
        let sdk = match &config.role {
            None => base.clone(),
            Some(role) => {
                let mut assumed = AssumeRoleProvider::builder(role)
                    .session_name(config.session_name.as_deref().unwrap_or("squall"))
                    .configure(&base);
                if let Some(id) = &config.external_id {
                    assumed = assumed.external_id(id);
                }
                let provider = SharedCredentialsProvider::new(assumed.build().await);
                base.to_builder().credentials_provider(provider).build()
            }
        };
        let who = self.who(&sdk).await?;
        if who.account != config.id.as_str() {
            let message = format!(
                "account `{}` of squall.yaml has the id {}, but its credentials belong to {}; nothing was read or written; \
                 set `profile`, `role` or AWS_PROFILE to the right one, or correct the id",
                config.name, config.id, who.account
            );
            return Err(CallError::Refused { by: RefusedBy::Invalid, message });
        }
        let mut roles = vec![role_of(&who.arn), config.role.as_deref().and_then(role_of)];
        roles.extend(self.roles_of_profile().await.into_iter().map(Some));
        if config.role.is_some() {
            roles.push(role_of(&self.who(&base).await?.arn));
        }
        let mut roles: Vec<String> = roles.into_iter().flatten().collect();
        roles.sort();
        roles.dedup();
        let lasts = self.lasts(&base, &sdk).await;
        let partition = who.arn.split(':').nth(1).unwrap_or("aws").to_owned();
        let location = config.location();
        if partition != location.account.partition().word() {
            let message = format!(
                "account `{}` of squall.yaml is in {}, and its credentials belong to the partition {partition}; nothing was \
                 read or written; correct the region, or use credentials of that partition",
                config.name, config.region
            );
            return Err(CallError::Refused { by: RefusedBy::Invalid, message });
        }
        Ok(Session {
            location,
            config: config.clone(),
            identity: Identity { account_id: who.account, arn: who.arn, roles, lasts, clock_is_off: None },
            partition,
            caller: self.caller.clone(),
            queue_urls: Mutex::default(),
            batches: self.batches.clone(),
            sdk,
            clients: Clients::default(),
        })
    }

    /// How long the credentials last: those of the base, and what `role:` makes of them.
    async fn lasts(&self, base: &SdkConfig, sdk: &SdkConfig) -> Lasts {
        let profiles = match self.http {
            None => lasts::profiles(self.config.profile.clone()).await,
            Some(_) => None,
        };
        let Some(below) = credentials(base).await else { return Lasts::CannotTell };
        let below = lasts::of(&below, profiles.as_ref(), &*self.caller.env);
        match self.config.role {
            None => below,
            Some(_) => {
                let expiry = credentials(sdk).await.and_then(|own| own.expiry()).map(Time::from_system);
                lasts::of_role(below, expiry)
            }
        }
    }

    async fn sdk_config(&self) -> SdkConfig {
        let config = &self.config;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(SdkRegion::new(config.region.as_str().to_owned()))
            // Reads are repeated by `Caller`, within the account's limits; writes never.
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT.to_std())
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT.to_std())
                    .build(),
            )
            // The time-outs bound every answer already.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Ok(name) = AppName::new("squall") {
            loader = loader.app_name(name);
        }
        if let Some(profile) = &config.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &config.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if self.http.is_some() {
            let token = self.caller.env.var("AWS_SESSION_TOKEN");
            loader = loader.credentials_provider(Credentials::new("recorded", "recorded", token, None, "recorded"));
        }
        let network = || Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https();
        let inner = self.http.clone().unwrap_or_else(network);
        let (gateway, env) = (self.caller.gateway.clone(), self.caller.env.clone());
        loader = loader.time_source(SigningClock(env.clone()));
        loader.http_client(Gate { inner, gateway, env }).load().await
    }

    async fn who(&self, sdk: &SdkConfig) -> Result<Who, CallError> {
        let operation = Operation {
            family: Family::Sts,
            action: "sts:GetCallerIdentity",
            arn: "*".into(),
            about: format!("account {}", self.config.name),
        };
        let sts = aws_sdk_sts::Client::new(sdk);
        let call = || sts.get_caller_identity().send();
        let reply = self.caller.read(&operation, call).await;
        let reply = reply.map_err(|failure| failure.into_error(&operation, "the caller"))?;
        Ok(Who {
            account: reply.account().unwrap_or_default().to_owned(),
            arn: reply.arn().unwrap_or_default().to_owned(),
        })
    }

    /// The roles that the profile assumes on its way, by its chain of `source_profile`.
    async fn roles_of_profile(&self) -> Vec<String> {
        if self.http.is_some() {
            return Vec::new();
        }
        let Some(profiles) = lasts::profiles(self.config.profile.clone()).await else { return Vec::new() };
        let (mut roles, mut seen) = (Vec::new(), Vec::new());
        let mut name = profiles.selected_profile().to_owned();
        while let Some(profile) = profiles.get_profile(&name) {
            roles.extend(profile.get("role_arn").and_then(role_of));
            seen.push(name);
            match profile.get("source_profile") {
                Some(next) if !seen.iter().any(|seen| seen == next) => name = next.to_owned(),
                _ => break,
            }
        }
        roles
    }
}

/// The credentials in hand.
async fn credentials(sdk: &SdkConfig) -> Option<Credentials> {
    sdk.credentials_provider()?.provide_credentials().await.ok()
}

struct Who {
    account: String,
    arn: String,
}

/// The client of a region, made when it is first asked for. A clone of one shares its connections.
fn one_per_region<C: Clone>(clients: &Mutex<BTreeMap<Region, C>>, region: &Region, new: impl FnOnce() -> C) -> C {
    let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
    clients.entry(region.clone()).or_insert_with(new).clone()
}

/// The role in an ARN of a role or of a session of one.
fn role_of(arn: &str) -> Option<String> {
    let resource = arn.splitn(6, ':').nth(5)?;
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["assumed-role", role, ..] => Some((*role).to_owned()),
        ["role", .., role] => Some((*role).to_owned()),
        _ => None,
    }
}

impl Session {
    /// The region that a resource is in; the account's own for what squall 0.1.0 wrote, which named none.
    pub fn region_of<'a>(&'a self, resource: &'a Resource) -> &'a Region {
        match resource.location.region.as_str() {
            "" => &self.config.region,
            _ => &resource.location.region,
        }
    }

    /// Lambda, in the account's region.
    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        self.lambda_in(&self.config.region)
    }

    /// Lambda in a region.
    pub fn lambda_in(&self, region: &Region) -> aws_sdk_lambda::Client {
        let new = || {
            let config = aws_sdk_lambda::config::Builder::from(&self.sdk);
            aws_sdk_lambda::Client::from_conf(config.region(SdkRegion::new(region.as_str().to_owned())).build())
        };
        one_per_region(&self.clients.lambda, region, new)
    }

    /// KMS in a region: a key says which.
    pub fn kms_in(&self, region: &Region) -> aws_sdk_kms::Client {
        let new = || {
            let config = aws_sdk_kms::config::Builder::from(&self.sdk);
            aws_sdk_kms::Client::from_conf(config.region(SdkRegion::new(region.as_str().to_owned())).build())
        };
        one_per_region(&self.clients.kms, region, new)
    }

    /// DynamoDB.
    pub fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        self.clients.dynamodb.get_or_init(|| aws_sdk_dynamodb::Client::new(&self.sdk))
    }

    /// SNS.
    pub fn sns(&self) -> &aws_sdk_sns::Client {
        self.clients.sns.get_or_init(|| aws_sdk_sns::Client::new(&self.sdk))
    }

    /// SQS.
    pub fn sqs(&self) -> &aws_sdk_sqs::Client {
        self.clients.sqs.get_or_init(|| aws_sdk_sqs::Client::new(&self.sdk))
    }

    /// IAM.
    pub fn iam(&self) -> &aws_sdk_iam::Client {
        self.clients.iam.get_or_init(|| aws_sdk_iam::Client::new(&self.sdk))
    }

    /// Systems Manager in a region: locks on what is global are in the partition's own.
    pub fn ssm_in(&self, region: &Region) -> aws_sdk_ssm::Client {
        let new = || {
            let config = aws_sdk_ssm::config::Builder::from(&self.sdk);
            aws_sdk_ssm::Client::from_conf(config.region(SdkRegion::new(region.as_str().to_owned())).build())
        };
        one_per_region(&self.clients.ssm, region, new)
    }

    /// CloudWatch.
    pub fn cloudwatch(&self) -> &aws_sdk_cloudwatch::Client {
        self.clients.cloudwatch.get_or_init(|| aws_sdk_cloudwatch::Client::new(&self.sdk))
    }

    /// CloudWatch Logs.
    pub fn logs(&self) -> &aws_sdk_cloudwatchlogs::Client {
        self.clients.logs.get_or_init(|| aws_sdk_cloudwatchlogs::Client::new(&self.sdk))
    }

    /// The Fault Injection Service.
    pub fn fis(&self) -> &aws_sdk_fis::Client {
        self.clients.fis.get_or_init(|| aws_sdk_fis::Client::new(&self.sdk))
    }

    /// Step Functions.
    pub fn sfn(&self) -> &aws_sdk_sfn::Client {
        self.clients.sfn.get_or_init(|| aws_sdk_sfn::Client::new(&self.sdk))
    }

    /// CloudFormation.
    pub fn cloudformation(&self) -> &aws_sdk_cloudformation::Client {
        self.clients.cloudformation.get_or_init(|| aws_sdk_cloudformation::Client::new(&self.sdk))
    }

    /// The tags of all services.
    pub fn tagging(&self) -> &aws_sdk_resourcegroupstagging::Client {
        self.clients.tagging.get_or_init(|| aws_sdk_resourcegroupstagging::Client::new(&self.sdk))
    }

    /// Who is calling, and what is known of the account's clock by now.
    pub fn identity(&self) -> Identity {
        let clock_is_off = self.caller.gateway.offset().map(Offset::apart_secs);
        Identity { clock_is_off, ..self.identity.clone() }
    }

    /// Sorts a failure for the engine.
    pub fn refuse(&self, operation: &Operation) -> impl Fn(Failure) -> CallError {
        move |failure| failure.into_error(operation, &self.identity.arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_known_from_its_arn_and_from_that_of_a_session() {
        for (arn, role) in [
            ("arn:aws:sts::111122223333:assumed-role/Deployer/ana", Some("Deployer")),
            ("arn:aws:iam::111122223333:role/team/Deployer", Some("Deployer")),
            ("arn:aws:iam::111122223333:user/ana", None),
            ("nonsense", None),
        ] {
            assert_eq!(role_of(arn).as_deref(), role, "{arn}");
        }
    }
}
