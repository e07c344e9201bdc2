//! squall's layer in an account: what is published, and what is read of a function that has it.

use super::*;
use crate::account::aws::layer::{published, read};
use crate::layer::installed::{Content, Found, Installed, Readable};
use crate::layer::{Architecture, EMPTY, WRAPPER};

const PUBLISH: &str = "POST /2018-10-31/layers/squall-layer-arm64/versions";

fn in_session<T>(tape: &Tape, work: impl AsyncFnOnce(&crate::account::aws::session::Session) -> T) -> T {
    let account = tape.account_in(prod(), tape::Clock::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { work(account.connection.session().await.unwrap()).await })
}

fn installed(tape: &Tape) -> Result<Installed, CallError> {
    in_session(tape, async |session| read(session, "pay").await)
}

fn simulated(decision: &str) -> Recording {
    xml(&format!(
        "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>\
         <member><EvalActionName>ssm:GetParameter</EvalActionName><EvalDecision>{decision}</EvalDecision></member>\
         </EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    ))
}

#[test]
fn a_version_is_published_once_for_its_architecture() {
    let tape = Tape::new();
    let arn = "arn:aws:lambda:eu-west-1:111122223333:layer:squall-layer-arm64:1";
    tape.on(PUBLISH, [fine(json!({ "LayerVersionArn": arn }))]);
    let publish =
        |tape: &Tape| in_session(tape, async |session| published(session, Architecture::Arm, b"zip".to_vec()).await);
    assert_eq!(publish(&tape).unwrap(), arn);
    assert_eq!(tape.asked(), [PUBLISH]);
    // Without an answer it may be there: it is not sent again.
    let tape = Tape::new();
    tape.on(PUBLISH, [error(PUBLISH, 500, "ServiceException", "broken")]);
    let outcome = publish(&tape);
    assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
    assert_eq!(tape.asked(), [PUBLISH]);
    tape.on(PUBLISH, [error(PUBLISH, 403, "AccessDeniedException", "no")]);
    let (by, message) = refused(publish(&tape).map(|_| Reply::Done));
    assert!(by == RefusedBy::Permission && message.contains("lambda:PublishLayerVersion"), "{message}");
}

#[test]
fn a_function_is_read_with_its_parameter_and_its_right() {
    let configured = json!({
        "Architectures": ["arm64"],
        "Layers": [{ "Arn": "arn:aws:lambda:eu-west-1:111122223333:layer:squall-layer-arm64:2" }],
        "Environment": { "Variables": {
            "AWS_LAMBDA_EXEC_WRAPPER": WRAPPER, "SQUALL_FAULTS_PARAM": "/shop/faults", "SQUALL_LAYER_MAX_PERCENT": "50", "SECRET": "x",
        } },
    });
    let tape = calm();
    tape.on(FUNCTION, [function(configured)]).on("GetParameter", [parameter(EMPTY)]);
    tape.on("SimulatePrincipalPolicy", [simulated("allowed")]);
    let found = installed(&tape).unwrap();
    assert!(!found.variables.contains_key("SECRET"), "{found:?}");
    let checks = found.checks();
    assert!(checks.iter().all(|check| check.found == Found::Right), "{checks:?}");
    assert!(checks.iter().any(|check| check.detail.contains("largest share 50 %")), "{checks:?}");

    tape.on("SimulatePrincipalPolicy", [simulated("implicitDeny")]);
    tape.on("GetParameter", [error("GetParameter", 400, "ParameterNotFound", "none")]);
    let parameter = installed(&tape).unwrap().parameter.unwrap();
    assert_eq!(parameter.content, Content::Missing);
    assert_eq!(parameter.readable, Readable::No("no policy allows it".into()));
}

#[test]
fn a_function_that_is_not_there_is_named() {
    let tape = calm();
    tape.on(FUNCTION, [error(FUNCTION, 404, "ResourceNotFoundException", "none")]);
    assert!(matches!(installed(&tape), Err(CallError::Gone(about)) if about.contains("pay")));
    let tape = calm();
    tape.on(FUNCTION, [function(json!({}))]);
    let found = installed(&tape).unwrap();
    assert_eq!((found.architecture.as_str(), &found.parameter), ("x86_64", &None));
}
