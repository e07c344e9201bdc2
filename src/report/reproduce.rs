//! How to make a run again.

use super::summary::Summary;
use super::words;
use crate::account::AccountName;
use crate::account::setting::quote;

/// The command that makes the run again.
pub fn command(summary: &Summary) -> String {
    let environment = &summary.environment;
    let mut command = format!("squall run {} --seed {}", quote(&words::one_line(&environment.file)), environment.seed);
    if let [account] = environment.accounts.as_slice()
        && *account != AccountName::sandbox()
    {
        command += &format!(" --account {}", quote(&words::one_line(&account.0)));
    }
    command
}

/// What the command gives.
pub fn sentence(summary: &Summary) -> String {
    let sandbox = summary.environment.accounts.iter().all(|account| *account == AccountName::sandbox());
    match sandbox {
        true => "The sandbox is a model with a seed: the same file and seed give the same run.".into(),
        false => "The seed picks the same targets and payloads; the account is as it is on that day.".into(),
    }
}
