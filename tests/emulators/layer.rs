//! `squall layer publish` and `squall layer doctor` against an account: a version that is there, and a function that gets the layer.

use crate::account::Account;
use crate::emulator::ministack;
use crate::shop::{Shop, zipped};
use crate::squall::Project;

#[test]
fn a_version_is_published_and_the_function_that_gets_it_is_ready() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    let project = Project::new(&account);
    let layer = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("layer/opt");
    std::fs::create_dir(project.folder.path().join("zips")).unwrap();
    std::fs::write(project.folder.path().join("zips/squall-layer-x86_64.zip"), zipped(&layer)).unwrap();
    let publish = ["layer", "publish", "--from", "zips", "--architecture", "x86_64"];

    let shown = project.ended(&publish).expect(0);
    assert!(shown.out.starts_with("aws lambda publish-layer-version"), "{shown:?}");
    let listed = account.wait(account.lambda.list_layers().send()).unwrap();
    assert!(listed.layers().is_empty(), "nothing is published without --yes: {listed:?}");
    let published = project.ended(&[&publish[..], &["--yes"]].concat()).expect(0);
    let arn = published.out.trim();
    assert!(arn.ends_with(":layer:squall-layer-x86_64:1"), "{arn}");
    let version = account.wait(account.lambda.get_layer_version_by_arn().arn(arn).send()).unwrap();
    assert_eq!(version.layer_version_arn(), Some(arn));

    let function = shop.name("OrderFunction");
    let doctor = || project.ended(&["layer", "doctor", &function]);
    let without = doctor().expect(3);
    for said in ["no layer: add squall-layer-x86_64", "set AWS_LAMBDA_EXEC_WRAPPER", "set SQUALL_FAULTS_PARAM"] {
        assert!(without.out.contains(said), "`{said}` is not in {}", without.out);
    }
    let parameter = shop.name("OrderFunctionOrders");
    shop.set_variables(
        "OrderFunction",
        &[("AWS_LAMBDA_EXEC_WRAPPER", "/opt/squall-layer"), ("SQUALL_FAULTS_PARAM", &parameter)],
    );
    let update = account.lambda.update_function_configuration().function_name(&function).layers(arn);
    account.wait(update.send()).unwrap();
    let with = doctor().expect(0);
    assert!(with.out.contains(&format!("{parameter} has no orders")), "{}", with.out);
    project.ended(&["layer", "doctor", "nothing"]).expect(3);
}
