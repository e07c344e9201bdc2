//! The dead-man switch as it is deployed: `tests/deadman/template.json` is what `squall dead-man template` prints for one resource of
//! each kind, with a key. `tests/deadman/check.mjs` validates it and runs its expressions; see `tests/deadman/README.md`.
#![expect(clippy::disallowed_methods, reason = "this is how a test program is told something")]

use std::collections::BTreeMap;
use std::path::Path;

use squall::account::Setting;
use squall::deadman::template::Deployment;
use squall::deadman::{Place, Reach};

#[test]
fn the_sample_is_what_is_printed() {
    let place = Place { partition: "aws".into(), region: "eu-west-1".into(), account: "111122223333".into() };
    let resources = [
        ("function pay", "function/pay", "lambda:eu-west-1:111122223333:function:pay"),
        ("parameter /shop/faults", "parameter/_2f_shop_2f_faults", "ssm:eu-west-1:111122223333:parameter/shop/faults"),
        ("queue orders", "queue/orders", "sqs:eu-west-1:111122223333:orders"),
    ];
    let reach: Reach =
        resources.iter().map(|(name, lock, _)| (name.to_string(), format!("/squall/marks/{lock}"))).collect();
    let arns: BTreeMap<String, String> =
        resources.iter().map(|(name, _, arn)| (name.to_string(), format!("arn:aws:{arn}"))).collect();
    let key = Some("arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555");
    let branches = Setting::branches();
    let printed = Deployment { place: &place, branches: &branches, reach: &reach, arns: &arns, key }.to_json();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deadman/template.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{printed:#}\n")).expect("it is written");
    }
    let sample = std::fs::read_to_string(&path).expect("the sample");
    assert_eq!(sample, format!("{printed:#}\n"), "run this test with UPDATE=1, then tests/deadman/check.mjs");
}
