//! `Globals`: what each resource of a kind begins with
//! (<https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html>).

use crate::template::Resource;
use crate::template::resolve::function;
use crate::template::value::{Kind, Value};
use crate::yaml::{Code, Finding, Findings};

/// Lists of these properties replace those of `Globals`; other lists are added to them.
const REPLACING: &[&str] = &["Architectures"];

/// The kinds of resources that `Globals` may speak of.
pub(in crate::template) const SECTIONS: &[&str] = &[
    "Function",
    "Api",
    "HttpApi",
    "SimpleTable",
    "StateMachine",
    "LayerVersion",
    "CapacityProvider",
    "MicroVMImage",
    "NetworkConnector",
    "WebSocketApi",
];

/// What SAM takes for functions from `Globals`; it refuses anything else there.
const OF_FUNCTIONS: &[&str] = &[
    "Handler",
    "Runtime",
    "CodeUri",
    "DeadLetterQueue",
    "Description",
    "MemorySize",
    "Timeout",
    "VpcConfig",
    "Environment",
    "Tags",
    "PropagateTags",
    "Tracing",
    "KmsKeyArn",
    "AutoPublishAlias",
    "AutoPublishAliasAllProperties",
    "Layers",
    "DeploymentPreference",
    "RolePath",
    "PermissionsBoundary",
    "ReservedConcurrentExecutions",
    "ProvisionedConcurrencyConfig",
    "AssumeRolePolicyDocument",
    "EventInvokeConfig",
    "FileSystemConfigs",
    "CodeSigningConfigArn",
    "Architectures",
    "SnapStart",
    "EphemeralStorage",
    "FunctionUrlConfig",
    "RuntimeManagementConfig",
    "LoggingConfig",
    "RecursiveLoop",
    "SourceKMSKeyArn",
    "TenancyConfig",
    "DurableConfig",
    "CapacityProviderConfig",
    "FunctionScalingConfig",
    "PublishToLatestPublished",
    "VersionDeletionPolicy",
];

/// Puts what `Globals` says into the resources of SAM, unless they ignore it.
pub(in crate::template) fn merge_all(globals: &Value, resources: &mut [Resource], findings: &mut Findings) {
    for entry in globals.entries() {
        let at = &entry.key_at;
        if !SECTIONS.contains(&entry.key.as_str()) {
            let what = format!("`Globals` has no section `{}`", entry.key);
            let help = format!("SAM refuses it; it takes {}", SECTIONS.join(", "));
            findings.push(Finding::new(Code::UnknownKey, &at.source, at.at, what).help(help));
        }
        for property in entry.value.entries().iter().filter(|_| entry.key == "Function") {
            if !OF_FUNCTIONS.contains(&property.key.as_str()) {
                let at = &property.key_at;
                let what = format!("`Globals` of functions cannot have `{}`", property.key);
                findings.push(
                    Finding::new(Code::UnknownKey, &at.source, at.at, what)
                        .help("SAM refuses it; write it at each function"),
                );
            }
        }
    }
    for resource in resources {
        let Some(section) = resource.kind.strip_prefix("AWS::Serverless::") else { continue };
        let Some(global) = globals.some(section) else { continue };
        let ignored = resource.whole.some("IgnoreGlobals");
        if ignored.and_then(Value::text) == Some("*") {
            continue;
        }
        let ignored: Vec<&str> = ignored.map(Value::items).unwrap_or_default().iter().filter_map(Value::text).collect();
        let kept = global.entries().iter().filter(|entry| !ignored.contains(&entry.key.as_str())).cloned();
        let global = global.at.value(Kind::Map(kept.collect()));
        resource.properties = merge(&global, &resource.properties, "");
    }
}

/// A resource's own value over the global one: mappings key by key, lists one after the other, anything else replaced.
fn merge(global: &Value, own: &Value, key: &str) -> Value {
    match (&global.kind, &own.kind) {
        (_, Kind::Null) => global.clone(),
        (Kind::Map(ours), Kind::Map(_)) if function(global).is_none() && function(own).is_none() => {
            let mut all = ours.clone();
            for entry in own.entries() {
                match all.iter_mut().find(|other| other.key == entry.key) {
                    Some(other) => {
                        *other = crate::template::value::Entry {
                            key: entry.key.clone(),
                            key_at: entry.key_at.clone(),
                            value: merge(&other.value, &entry.value, &entry.key),
                        }
                    }
                    None => all.push(entry.clone()),
                }
            }
            own.at.value(Kind::Map(all))
        }
        (Kind::List(ours), Kind::List(own_items)) if !REPLACING.contains(&key) => {
            own.at.value(Kind::List(ours.iter().chain(own_items).cloned().collect()))
        }
        _ => own.clone(),
    }
}
