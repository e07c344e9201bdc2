//! What squall 0.1.0 left in an account of AWS is rolled back: its journal and its lock name the account by a nickname, and
//! the account is found by the number that the plan's ARNs have.

use std::path::Path;

use aws_sdk_ssm::types::ParameterType;

use crate::account::{Account, REGION, until};
use crate::emulator::ministack;
use crate::squall::Project;

/// The account of the sample.
const ID: &str = "222233334444";
const MARK: &str = "/squall/marks/function/pay";

fn sample(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/0.1.0/killed-aws").join(file)
}

/// The function of the sample, throttled and locked, as the killed run left it.
fn left_behind(account: &Account) {
    let concurrency = account.lambda.put_function_concurrency().function_name("pay").reserved_concurrent_executions(0);
    account.wait(concurrency.send()).unwrap();
    let lock = std::fs::read_to_string(sample("mark-function-pay.json")).unwrap();
    let put = account.ssm.put_parameter().name(MARK).value(lock.trim()).r#type(ParameterType::String);
    account.wait(put.send()).unwrap();
}

fn concurrency(account: &Account) -> Option<i32> {
    let asked = account.lambda.get_function_concurrency().function_name("pay");
    account.wait(asked.send()).unwrap().reserved_concurrent_executions
}

fn is_marked(account: &Account) -> bool {
    account.wait(account.ssm.get_parameter().name(MARK).send()).is_ok()
}

/// A project that calls the account something else.
fn project(account: &Account) -> Project {
    let project = Project::new(account);
    project.configure(|yaml| yaml.replace("emulated", "payments"));
    project
}

#[test]
fn a_run_of_an_earlier_version_is_rolled_back_in_the_account_of_its_arns() {
    let account = Account::with_id(ministack(), ID);
    let template = r#"{ "Resources": {
        "Role": { "Type": "AWS::IAM::Role", "Properties": { "RoleName": "pay", "AssumeRolePolicyDocument": {
            "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "Service": "lambda.amazonaws.com" } }] } } },
        "Function": { "Type": "AWS::Lambda::Function", "Properties": { "FunctionName": "pay", "Runtime": "nodejs20.x",
            "Handler": "index.handler", "Role": { "Fn::GetAtt": ["Role", "Arn"] },
            "Code": { "ZipFile": "exports.handler = async () => 1" } } } } }"#;
    let stack = account.cloudformation.create_stack().stack_name("pay").template_body(template);
    let stack = stack.capabilities(aws_sdk_cloudformation::types::Capability::CapabilityNamedIam);
    account.wait(stack.send()).unwrap();
    until("the function is there", || account.wait(account.lambda.get_function().function_name("pay").send()).ok());

    // From its journal.
    left_behind(&account);
    let from_journal = project(&account);
    std::fs::create_dir(from_journal.store()).unwrap();
    std::fs::copy(sample("journal.db"), from_journal.store().join("journal.db")).unwrap();
    let other = Account::new(ministack());
    from_journal.configure(|yaml| {
        format!(
            "{yaml}  telemetry:\n    aws: {{ id: \"{}\", region: {REGION}, endpoint_url: {} }}\n",
            other.id, other.url
        )
    });
    let undone = from_journal.ended(&["undo"]);
    assert_eq!(
        (undone.code, concurrency(&account), is_marked(&account)),
        (0, None, false),
        "{}{}",
        undone.out,
        undone.err
    );

    // From its lock.
    left_behind(&account);
    let from_locks = project(&account);
    let undone = from_locks.ended(&["undo", "--account", "payments", "--take-over", "--yes"]);
    assert_eq!(
        (undone.code, concurrency(&account), is_marked(&account)),
        (0, None, false),
        "{}{}",
        undone.out,
        undone.err
    );
}
