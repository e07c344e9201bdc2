//! The contract of accounts on three emulators that nobody here wrote.
//!
//! Each test of the contract runs in a process of its own, because credentials come from the environment. Where an
//! emulator differs from AWS's documentation the contract keeps to the documentation, and the difference stands here
//! with its reason. One that is gone makes the test fail, so that the list stays true.

use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use squall::account::aws::{AccountConfig, Aws};
use squall::account::contract::{Fixture, TESTS};
use squall::account::kind::Sample;
use squall::account::{Resource, ResourceKind, Setting};
use squall::env::RealEnv;
use squall::units::Span;

use crate::account::{Account, REGION};
use crate::emulator::{Emulator, ministack, moto};
use crate::picture::picture;
use crate::shop::Shop;

/// The resources of a fixture. `NAME` is put in.
const FIXTURE: &str = include_str!("contract.yaml");
/// The variables by which the process of one test knows what to do.
const TEST: &str = "CONTRACT_TEST";
const URL: &str = "CONTRACT_URL";
const ACCOUNT: &str = "CONTRACT_ACCOUNT";
const NAME: &str = "CONTRACT_NAME";

/// Where an emulator does not do what AWS's documentation says.
pub struct Difference {
    test: &'static str,
    /// A part of what the failed test says.
    shows: &'static str,
    why: &'static str,
}

const MINISTACK: &[Difference] = &[
    Difference {
        test: "a renewal makes no mark",
        shows: "nothing is there to renew: Ok(Done)",
        why: "its AddTagsToResource takes a parameter that is not there; Systems Manager answers InvalidResourceId (\
              https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AddTagsToResource.html)",
    },
    Difference {
        test: "a reservation that leaves too little is refused",
        shows: "Ok(Done)",
        why: "it accepts any reservation; Lambda keeps 100 unreserved (\
              https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html)",
    },
    Difference { test: OLD_RECEIVE, shows: "sqs:DeleteMessage: ReceiptHandleIsInvalid", why: OLD_RECEIVE_ON_AWS },
];

const MOTO: &[Difference] = &[
    Difference {
        test: "resources are found by name and by ARN",
        shows: "lambda:GetAccountSettings: 404, but not from AWS",
        why: "it has no GetAccountSettings, without which no function is described",
    },
    Difference {
        test: "a reservation that leaves too little is refused",
        shows: "lambda:GetAccountSettings: 404, but not from AWS",
        why: "it has no GetAccountSettings, without which no function is described",
    },
    Difference {
        test: "reserved concurrency is unset, set to zero, and unset again",
        shows: "did not become 0",
        why: "its GetFunction takes a reservation of 0 for none; Lambda answers it (\
              https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html)",
    },
    Difference {
        test: OLD_RECEIVE,
        shows: "sqs:ChangeMessageVisibility: ReceiptHandleIsInvalid",
        why: OLD_RECEIVE_ON_AWS,
    },
    Difference {
        test: "what was never published is not zero",
        shows: "cloudwatch:GetMetricData: 404, but not from AWS",
        why: "it does not know the protocol of the CloudWatch SDK (Smithy RPC v2 CBOR)",
    },
    Difference { test: "a load is made and counted", shows: "failed: 3", why: "it runs no code" },
];

/// LocalEmu's, whose test is in [`crate::localemu`].
pub const LOCALEMU: &[Difference] = &[
    Difference {
        test: "resources are found by tag and by stack",
        shows: "left: []",
        why: "its GetResources knows no functions; AWS's does (\
              https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html)",
    },
    Difference { test: OLD_RECEIVE, shows: "Message does not exist", why: OLD_RECEIVE_ON_AWS },
];

const OLD_RECEIVE: &str = "an old receive deletes nothing";
/// MiniStack refuses such a delete, moto and LocalEmu do it.
const OLD_RECEIVE_ON_AWS: &str = "with the handle of an older receive SQS answers success and deletes nothing (\
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html)";

#[test]
fn on_ministack() {
    check(ministack(), MINISTACK);
}

#[test]
fn on_moto() {
    check(moto(), MOTO);
}

/// Runs every test of the contract, side by side, each on resources of its own.
pub fn check(emulator: &'static Emulator, known: &'static [Difference]) {
    let tests: Vec<_> = TESTS
        .iter()
        .enumerate()
        .map(|(number, (test, _))| {
            let run = move || in_a_process(emulator, &format!("contract-{number}"), ONE, test);
            (*test, std::thread::spawn(run))
        })
        .collect();
    let outputs: Vec<(&str, Output)> = tests.into_iter().map(|(test, thread)| (test, thread.join().unwrap())).collect();
    let wrong: Vec<String> = outputs
        .iter()
        .filter_map(|(test, output)| {
            let said = String::from_utf8_lossy(&output.stderr);
            let difference = known.iter().find(|known| known.test == *test);
            match (output.status.success(), difference) {
                (true, None) => None,
                (true, Some(gone)) => Some(format!("`{test}` holds now: take the difference out ({})", gone.why)),
                (false, Some(difference)) if said.contains(difference.shows) => None,
                (false, _) => Some(format!("`{test}` does not hold:\n{said}")),
            }
        })
        .collect();
    let no_test = known.iter().map(|known| known.test).find(|known| TESTS.iter().all(|(test, _)| known != test));
    assert_eq!(no_test, None, "the contract has no such test");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The test that runs one of the contract's, and the one that looks at pictures.
const ONE: &str = "contract::one_in_this_process";
const PICTURES: &str = "contract::pictures_in_this_process";

/// A write that the picture of an account does not show could be left behind, and every test would pass.
#[test]
fn every_setting_is_in_the_picture() {
    let output = in_a_process(ministack(), "pictures", PICTURES, "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Makes the resources, and runs a test on them in a process of its own: `program` of this program, and in there `test`.
fn in_a_process(emulator: &Emulator, name: &str, program: &str, test: &str) -> Output {
    let account = Account::new(emulator);
    let stack = Shop::deploy_template::<&str>(&account, name, &FIXTURE.replace("NAME", name), &[]);
    // Not by the template: moto would leave it out.
    let arn = format!("arn:aws:lambda:{REGION}:{}:function:{}", account.id, stack.name("Function"));
    account.wait(account.lambda.tag_resource().resource(arn).tags("contract", name).send()).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", program, "--ignored", "--nocapture"])
        .env("AWS_ACCESS_KEY_ID", &account.id)
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
        .envs([(TEST, test), (URL, &emulator.url), (ACCOUNT, &account.id), (NAME, name)])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
#[ignore = "one test of the contract, for the others to run in a process of its own"]
#[expect(clippy::disallowed_methods, reason = "this is how a test program is told something")]
fn one_in_this_process() {
    let Ok(wanted) = std::env::var(TEST) else { return };
    let [url, id, name] = [URL, ACCOUNT, NAME].map(|variable| std::env::var(variable).unwrap());
    let (_, test) = TESTS.iter().find(|(test, _)| *test == wanted).unwrap();
    test(&mut fixture(&url, &id, &name));
}

#[test]
#[ignore = "for `every_setting_is_in_the_picture` to run in a process of its own"]
#[expect(clippy::disallowed_methods, reason = "this is how a test program is told something")]
fn pictures_in_this_process() {
    let Ok(url) = std::env::var(URL) else { return };
    let [id, name] = [ACCOUNT, NAME].map(|variable| std::env::var(variable).unwrap());
    let mut fixture = fixture(&url, &id, &name);
    let account = Account::at(&url, &id);
    let known = [&fixture.function, &fixture.role, &fixture.parameter, &fixture.queue].map(Clone::clone);
    let on = |kind: ResourceKind| known.iter().find(|resource| resource.kind == kind).unwrap().clone();
    for Sample { setting, value, whole } in Setting::samples(&on) {
        let before = picture(&account);
        fixture.write(&setting, value, whole).unwrap();
        assert_ne!(picture(&account), before, "{setting} is not in the picture");
    }
}

fn fixture(url: &str, id: &str, name: &str) -> Fixture {
    let mut config = AccountConfig::new("emulated", id.parse().unwrap(), REGION.parse().unwrap());
    config.endpoint_url = Some(url.to_owned());
    let location = config.location();
    let resource = |kind, name: String| Resource::new(&location, kind, name);
    Fixture {
        function: resource(ResourceKind::Function, format!("{name}-function")),
        tag: Some(("contract".into(), name.into())),
        stack: Some(name.into()),
        variables: true,
        role: resource(ResourceKind::Role, format!("{name}-role")),
        parameter: resource(ResourceKind::Parameter, format!("/{name}/faults")),
        queue: resource(ResourceKind::Queue, format!("{name}-queue")),
        dead_letter: resource(ResourceKind::Queue, format!("{name}-dead-letters")),
        max_receive_count: 2,
        patience: Span::from_secs(10),
        account: Box::new(Aws::open(vec![config], Arc::new(RealEnv))),
    }
}
