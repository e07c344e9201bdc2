//! squall's fault wrapper for AWS Lambda: a proxy between a function's runtime and the Runtime API
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>), which injects the faults that an SSM parameter orders.
//!
//! Two promises shape it. Without an order in force the function cannot tell that the proxy is there: bytes pass as they
//! come. And an order ends by the environment's own clocks, whatever happens to squall, to the parameter or to the network.

pub mod body;
pub mod clock;
pub mod date;
pub mod faults;
pub mod head;
mod inject;
pub mod orders;
pub mod proxy;
pub mod report;
pub mod runtime_api;
pub mod settings;
pub mod sigv4;
pub mod ssm;
pub mod start;
/// Numbers that squall and its sandbox go by too: one file for both, so that they cannot differ.
#[path = "../../src/layer/terms.rs"]
pub mod terms;
pub mod wire;
