//! What the sandbox does not model of an application. It is told in three lines, in every plan and in every report: a verdict says
//! nothing about it.

use super::load::ProjectFiles;
use crate::ids::AccountName;
use crate::outside::one_line;
use crate::project::SandboxAccount;
use crate::yaml::{Code, Finding, Findings, Severity};

/// More parts than these are not named in a plan's warning.
const NAMED: usize = 5;

/// What is not modelled of one application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The file that has it.
    file: String,
    /// Each part in a sentence.
    parts: Vec<String>,
    accepted: Vec<Accepted>,
}

/// Fewer characters name no single warning: `in` would accept nearly all of them.
const LEAST: usize = 8;

/// A warning that squall.yaml accepts, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    what: String,
    because: String,
}

/// Takes the warnings out of the findings of a sandbox's files that squall.yaml accepts. What it accepts and is not there any more
/// is a finding.
pub fn accept(
    findings: &mut Findings,
    name: &AccountName,
    sandbox: &SandboxAccount,
    files: &ProjectFiles,
) -> Vec<Accepted> {
    let mut taken = Vec::new();
    for (index, accepted) in sandbox.accept.iter().enumerate() {
        let is = |finding: &Finding| {
            let names = accepted.warning.trim().chars().count() >= LEAST;
            finding.code.severity() == Severity::Warning && names && one_line(&finding.what).contains(&accepted.warning)
        };
        let found = findings.take(is);
        if found.is_empty()
            && let Some(config) = files.config()
        {
            let at = config.place(&format!("accounts/{name}/sandbox/accept/{index}/warning"));
            let what = format!("no warning has the words `{}`", one_line(&accepted.warning));
            let help = "remove it, or copy a name of 8 characters or more from the warning that `squall check` shows";
            findings.push(config.finding(Code::NothingAccepted, at, what).help(help));
        }
        let because = one_line(&accepted.because);
        taken.extend(found.iter().map(|found| Accepted { what: one_line(&found.what), because: because.clone() }));
    }
    taken
}

impl LeftOut {
    /// Takes what is not modelled out of the findings of a sandbox's files.
    pub fn take(findings: &mut Findings, sandbox: &SandboxAccount, accepted: Vec<Accepted>) -> LeftOut {
        let is = |finding: &Finding| {
            matches!(finding.code, Code::NotModelled | Code::UnknownValue | Code::NoPermission | Code::RepeatedKey)
        };
        let parts = findings.take(is).iter().map(|finding| one_line(&finding.what)).collect();
        LeftOut { file: sandbox.template.clone(), parts, accepted }
    }

    /// How many parts, without those that are accepted.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// For standard error: how many, what follows, where the list is. Nothing when there are none.
    pub fn summary(&self) -> Vec<String> {
        if self.parts.is_empty() {
            return Vec::new();
        }
        vec![
            self.counted() + &self.accepted_too(),
            "  predictions and verdicts say nothing about them".into(),
            format!("  next: `squall template {}` lists them; `accept` in squall.yaml acknowledges them", self.file),
        ]
    }

    fn counted(&self) -> String {
        let (parts, are) = match self.parts.len() {
            1 => ("1 part".to_owned(), "is"),
            many => (format!("{many} parts"), "are"),
        };
        format!("{parts} of {} {are} not modelled in the sandbox", self.file)
    }

    fn accepted_too(&self) -> String {
        match self.accepted.len() {
            0 => String::new(),
            more => format!(" ({more} more accepted in squall.yaml)"),
        }
    }

    /// For plans and reports: what is not modelled, by name.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.parts.is_empty() {
            let named = self.parts.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
            let more = match self.parts.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            warnings.push(format!("{}, and this verdict says nothing about them: {named}{more}", self.counted()));
        }
        let accepted = self.accepted.iter();
        warnings.extend(
            accepted.map(|Accepted { what, because }| format!("accepted in squall.yaml, because {because}: {what}")),
        );
        warnings
    }

    /// Every part, for a prediction.
    pub fn parts(self) -> Vec<String> {
        self.parts
    }
}
