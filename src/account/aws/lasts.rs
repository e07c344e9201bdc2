//! How long credentials last: the least over the chain that they come from, or that nothing tells.
//!
//! The SDK renews what it got from a service for as long as what it asked with lasts. So a role's credentials are renewed only
//! while those below it are good, and single sign-on only while a person is signed in.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use aws_config::profile::ProfileSet;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use aws_types::os_shim_internal;

use crate::account::Lasts;
use crate::env::Env;
use crate::units::Time;

/// Where a chain of credentials begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Long-lived keys.
    Keys,
    /// The variables of the environment, with a session token.
    Environment,
    /// The machine or container that squall runs on: renewed for as long as it has its role.
    Machine,
    /// IAM Identity Center: renewed while a person is signed in.
    SignOn { start_url: String },
    /// Anything else that is temporary: a program, a file with a web identity, keys that were put into a file by hand.
    Other,
}

/// What the token of a sign-on says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedOn {
    pub until: Time,
    /// It can be renewed without anybody signing in, for as long as the sign-on's session lasts, which it does not say.
    pub renewable: bool,
}

/// How long credentials from a source last. `expiry` is when those in hand end.
pub fn of_source(source: &Source, expiry: Option<Time>, env: &dyn Env) -> Lasts {
    let unless_renewed = expiry.map_or(Lasts::CannotTell, Lasts::CannotTellAfter);
    match source {
        Source::Keys | Source::Machine => Lasts::On,
        Source::Environment => {
            let end = env.var("AWS_CREDENTIAL_EXPIRATION").and_then(|end| end.parse().ok());
            end.map_or(Lasts::CannotTell, Lasts::Until)
        }
        Source::SignOn { start_url } => match signed_on(start_url, env) {
            Some(SignedOn { until, renewable: false }) => Lasts::Until(until),
            Some(SignedOn { until, renewable: true }) => {
                Lasts::CannotTellAfter(expiry.map_or(until, |expiry| expiry.max(until)))
            }
            None => unless_renewed,
        },
        Source::Other => unless_renewed,
    }
}

/// How long a role lasts that is assumed with credentials; `expiry` is when its own end if they are not renewed.
pub fn of_role(below: Lasts, expiry: Option<Time>) -> Lasts {
    match (below, expiry) {
        (Lasts::CannotTell, Some(expiry)) => Lasts::CannotTellAfter(expiry),
        (Lasts::CannotTellAfter(end), Some(expiry)) => Lasts::CannotTellAfter(end.max(expiry)),
        (below, _) => below,
    }
}

/// How long credentials of the SDK's last, by where they come from.
pub fn of(credentials: &Credentials, profiles: Option<&ProfileSet>, env: &dyn Env) -> Lasts {
    let features = credentials.get_property::<Vec<Feature>>().map(Vec::as_slice).unwrap_or_default();
    let expiry = credentials.expiry().map(Time::from_system);
    let token = credentials.session_token();
    let of_env = features.contains(&Feature::CredentialsEnvVars)
        || token.is_some() && token.map(str::to_owned) == env.var("AWS_SESSION_TOKEN");
    let source = match token {
        None => Source::Keys,
        Some(_) if of_env => Source::Environment,
        Some(_) if features.iter().any(|of| matches!(of, Feature::CredentialsImds | Feature::CredentialsHttp)) => {
            Source::Machine
        }
        // From a file: of its last profile, whatever roles are assumed on the way.
        Some(_) => profiles.map_or(Source::Other, |profiles| of_profile(profiles, env)),
    };
    match source {
        Source::Environment if !of_env => of_role(of_source(&source, None, env), expiry),
        source => of_source(&source, expiry, env),
    }
}

/// Where the chain of a profile begins.
fn of_profile(profiles: &ProfileSet, env: &dyn Env) -> Source {
    let (mut name, mut seen) = (profiles.selected_profile().to_owned(), Vec::new());
    while let Some(profile) = profiles.get_profile(&name) {
        seen.push(name.clone());
        match profile.get("source_profile") {
            Some(next) if !seen.iter().any(|seen| seen == next) => name = next.to_owned(),
            _ => break,
        }
    }
    let Some(profile) = profiles.get_profile(&name) else { return Source::Other };
    let session = profile.get("sso_session").and_then(|session| profiles.sso_session(session));
    let start_url = session.and_then(|session| session.get("sso_start_url")).or_else(|| profile.get("sso_start_url"));
    match (start_url, profile.get("credential_source")) {
        (Some(start_url), _) => Source::SignOn { start_url: start_url.to_owned() },
        (None, Some("Ec2InstanceMetadata" | "EcsContainer")) => Source::Machine,
        (None, Some("Environment")) if env.var("AWS_SESSION_TOKEN").is_none() => Source::Keys,
        (None, Some("Environment")) => Source::Environment,
        _ if profile.get("aws_access_key_id").is_some() && profile.get("aws_session_token").is_none() => Source::Keys,
        _ => Source::Other,
    }
}

/// The profiles of this machine, as the SDK reads them.
pub async fn profiles(chosen: Option<String>) -> Option<ProfileSet> {
    let (fs, env) = (os_shim_internal::Fs::real(), os_shim_internal::Env::real());
    aws_config::profile::load(&fs, &env, &Default::default(), chosen.map(Cow::Owned)).await.ok()
}

/// The newest token of a sign-on that this machine has.
fn signed_on(start_url: &str, env: &dyn Env) -> Option<SignedOn> {
    let cache = PathBuf::from(env.var("HOME")?).join(".aws/sso/cache");
    let tokens = std::fs::read_dir(cache).ok()?.flatten().filter_map(|entry| token(&entry.path(), start_url));
    tokens.max_by_key(|token| token.until)
}

/// A token's file, if it is of this sign-on.
fn token(file: &Path, start_url: &str) -> Option<SignedOn> {
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
    let of = |key: &str| json.get(key).and_then(|value| value.as_str());
    let same = of("startUrl").is_some_and(|url| url.trim_end_matches('/') == start_url.trim_end_matches('/'));
    // A registration of the client lies there too, and has an end of its own.
    let until = of("expiresAt").filter(|_| same && of("accessToken").is_some())?.parse().ok()?;
    Some(SignedOn { until, renewable: of("refreshToken").is_some() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;
    use std::collections::BTreeMap;

    const START: &str = "https://shop.awsapps.com/start";

    /// An environment of variables.
    struct Variables(BTreeMap<&'static str, String>);

    impl Env for Variables {
        fn now(&self) -> Time {
            Time::EPOCH
        }
        fn monotonic(&self) -> Span {
            Span::ZERO
        }
        fn sleep(&self, _: Span) {}
        fn entropy(&self) -> u64 {
            0
        }
        fn var(&self, name: &str) -> Option<String> {
            self.0.get(name).cloned()
        }
        fn who(&self) -> String {
            String::new()
        }
    }

    fn env<const N: usize>(variables: [(&'static str, &str); N]) -> Variables {
        Variables(variables.map(|(name, value)| (name, value.to_owned())).into())
    }

    fn at(hour: u32) -> Time {
        format!("2026-03-02T{hour:02}:00:00Z").parse().unwrap()
    }

    /// Temporary credentials that end at ten, with what the SDK says of their origin.
    fn temporary(features: &[Feature]) -> Credentials {
        let mut credentials = Credentials::new("A", "S", Some("T".into()), Some(at(10).to_system()), "test");
        credentials.set_property(features.to_vec());
        credentials
    }

    fn profile_set(config: &str) -> ProfileSet {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, config).unwrap();
        let variables = [("AWS_CONFIG_FILE", file.to_str().unwrap()), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")];
        let env = os_shim_internal::Env::from_slice(&variables);
        let chosen = Some(Cow::Borrowed("chaos"));
        let fs = os_shim_internal::Fs::real();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(aws_config::profile::load(&fs, &env, &Default::default(), chosen)).unwrap()
    }

    #[test]
    fn a_role_lasts_as_long_as_what_it_is_assumed_with() {
        assert_eq!(of_role(Lasts::On, Some(at(10))), Lasts::On);
        assert_eq!(of_role(Lasts::Until(at(9)), Some(at(10))), Lasts::Until(at(9)));
        assert_eq!(of_role(Lasts::CannotTell, Some(at(10))), Lasts::CannotTellAfter(at(10)));
        assert_eq!(of_role(Lasts::CannotTellAfter(at(12)), Some(at(10))), Lasts::CannotTellAfter(at(12)));
    }

    #[test]
    fn each_source_says_what_it_knows() {
        let nothing = env([]);
        let keys = Credentials::new("A", "S", None, None, "test");
        assert_eq!(of(&keys, None, &nothing), Lasts::On);
        assert_eq!(of(&temporary(&[Feature::CredentialsImds]), None, &nothing), Lasts::On);
        let from_env = temporary(&[Feature::CredentialsEnvVars]);
        assert_eq!(of(&from_env, None, &nothing), Lasts::CannotTell);
        let end = env([("AWS_CREDENTIAL_EXPIRATION", "2026-03-02T09:00:00Z")]);
        assert_eq!(of(&from_env, None, &end), Lasts::Until(at(9)));
        let process = temporary(&[Feature::CredentialsProcess]);
        assert_eq!(of(&process, None, &nothing), Lasts::CannotTellAfter(at(10)));
        let chained = "[profile chaos]\nrole_arn = arn:aws:iam::111122223333:role/chaos\nsource_profile = base\n";
        for (base, lasts) in [
            ("aws_access_key_id = A\naws_secret_access_key = S\n", Lasts::On),
            (
                "aws_access_key_id = A\naws_secret_access_key = S\naws_session_token = T\n",
                Lasts::CannotTellAfter(at(10)),
            ),
            ("credential_process = /bin/true\n", Lasts::CannotTellAfter(at(10))),
        ] {
            let profiles = profile_set(&format!("{chained}[profile base]\n{base}"));
            let role = temporary(&[Feature::CredentialsStsAssumeRole]);
            assert_eq!(of(&role, Some(&profiles), &nothing), lasts, "{base}");
        }
    }

    #[test]
    fn single_sign_on_lasts_as_long_as_its_token() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join(".aws/sso/cache");
        std::fs::create_dir_all(&cache).unwrap();
        let env = env([("HOME", home.path().to_str().unwrap())]);
        let role = temporary(&[Feature::CredentialsSso]);
        let settings = "sso_account_id = 111122223333\nsso_role_name = chaos\nregion = eu-west-1\n";
        let legacy = format!("[profile chaos]\nsso_start_url = {START}\nsso_region = eu-west-1\n{settings}");
        let session = format!(
            "[profile chaos]\nsso_session = shop\n{settings}[sso-session shop]\nsso_start_url = {START}\nsso_region = eu-west-1\n"
        );
        for text in [&legacy, &session] {
            let profiles = profile_set(text);
            let lasts = || of(&role, Some(&profiles), &env);
            let write =
                |name: &str, json: serde_json::Value| std::fs::write(cache.join(name), json.to_string()).unwrap();
            assert_eq!(lasts(), Lasts::CannotTellAfter(at(10)), "no token is there");
            write(
                "a.json",
                serde_json::json!({ "startUrl": "https://other/start", "accessToken": "t", "expiresAt": at(20).to_string() }),
            );
            assert_eq!(lasts(), Lasts::CannotTellAfter(at(10)), "only another sign-on's");
            write(
                "b.json",
                serde_json::json!({ "startUrl": START, "accessToken": "t", "expiresAt": at(9).to_string() }),
            );
            assert_eq!(lasts(), Lasts::Until(at(9)));
            write(
                "b.json",
                serde_json::json!({ "startUrl": START, "accessToken": "t", "expiresAt": at(9).to_string(), "refreshToken": "r" }),
            );
            assert_eq!(lasts(), Lasts::CannotTellAfter(at(10)));
            std::fs::remove_file(cache.join("b.json")).unwrap();
        }
    }
}
