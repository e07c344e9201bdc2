//! How to make a run again.

use std::collections::BTreeMap;

use super::summary::Summary;
use super::words;
use crate::account::Location;
use crate::account::setting::quote;
use crate::units::Span;

/// The command that makes the run again.
pub fn command(summary: &Summary) -> String {
    let environment = &summary.environment;
    let mut command = format!("squall run {}", quote(&words::one_line(&environment.file)));
    command += &inputs(&environment.inputs);
    command += &format!(" --seed {}", environment.seed);
    if in_the_sandbox(summary) {
        let start = environment.planned_at.window_start(Span::from_secs(1)).to_string();
        command += &format!(" --start {}", start.replace(".000Z", "Z"));
    }
    command
}

/// The values of inputs, as arguments: ` --with concurrency=5`.
pub fn inputs(inputs: &BTreeMap<String, String>) -> String {
    let with =
        inputs.iter().map(|(name, value)| format!(" --with {}", quote(&words::one_line(&format!("{name}={value}")))));
    with.collect()
}

fn in_the_sandbox(summary: &Summary) -> bool {
    summary.environment.accounts.iter().all(Location::is_sandbox)
}

/// What the command gives.
pub fn sentence(summary: &Summary) -> String {
    match in_the_sandbox(summary) {
        true => "The sandbox is a model: started at the same time with the same seed, it behaves the same.".into(),
        false => "The seed selects the same targets and payloads; the account itself may differ by then.".into(),
    }
}
