//! A function with AWS's `lambda_runtime`, which the tests run behind the layer: it answers its event, or fails when told to.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload.get("fail").and_then(Value::as_str) {
        Some(message) => Err(message.into()),
        None => Ok(serde_json::json!({ "deadline": event.context.deadline, "event": event.payload })),
    }
}
