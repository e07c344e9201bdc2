//! An account of an emulator, as the application and as third parties see it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use tokio::runtime::Runtime;

use crate::emulator::Emulator;

/// An account that no other test uses.
pub struct Account {
    /// Twelve digits. They are its root's access key as well.
    pub id: String,
    pub url: String,
    pub lambda: aws_sdk_lambda::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub iam: aws_sdk_iam::Client,
    pub ssm: aws_sdk_ssm::Client,
    pub cloudformation: aws_sdk_cloudformation::Client,
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    runtime: Runtime,
}

pub const REGION: &str = "us-east-1";
/// The number of the first account that is made; the others follow.
pub const FIRST_ACCOUNT: u64 = 100_000_000_001;

impl Account {
    pub fn new(emulator: &Emulator) -> Account {
        static NEXT: AtomicU64 = AtomicU64::new(FIRST_ACCOUNT);
        let id = match emulator.only_account {
            Some(id) => id.to_owned(),
            None => NEXT.fetch_add(1, Ordering::SeqCst).to_string(),
        };
        Account::with_id(emulator, &id)
    }

    /// The account with this number, for a test that has no choice.
    pub fn with_id(emulator: &Emulator, id: &str) -> Account {
        Account::at(&emulator.url, id)
    }

    /// The account with this number on the emulator at this URL.
    pub fn at(url: &str, id: &str) -> Account {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let config: SdkConfig = runtime.block_on(
            aws_config::defaults(BehaviorVersion::latest())
                .region(Region::new(REGION))
                .endpoint_url(url)
                .credentials_provider(Credentials::new(id, "test", None, None, "test"))
                .load(),
        );
        Account {
            url: url.to_owned(),
            lambda: aws_sdk_lambda::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            ssm: aws_sdk_ssm::Client::new(&config),
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            id: id.to_owned(),
            runtime,
        }
    }

    /// The name of the shop's stack here. Names are the account's own: when MiniStack updates a function's configuration,
    /// it ends the processes of functions with the same name in all accounts.
    pub fn stack(&self) -> String {
        format!("shop-{}", &self.id[9..])
    }

    /// Waits for an answer.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// Far longer than anything here takes on a slow machine; only what never comes takes so long.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Asks again and again until there is an answer.
#[expect(clippy::disallowed_methods, reason = "emulators live in real time")]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Lets time pass between two looks, or two shoppers.
#[expect(clippy::disallowed_methods, reason = "emulators live in real time")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
