//! A fault's page: what a person wants to know of it, in the terminal and in `docs/faults/`.

use crate::account::ResourceKind;

/// What a fault is, for people. Its parameters are not here: they are read off the record that reads them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Page {
    /// `lambda.throttle`.
    pub name: &'static str,
    /// One line for the catalogue.
    pub summary: &'static str,
    /// The kinds of resources that its target may be.
    pub kinds: &'static [ResourceKind],
    /// What it does, and what that is like for the application.
    pub does: &'static str,
    /// What shows that it works.
    pub evidence: &'static str,
    /// What the undo does, and when it counts.
    pub undo: &'static str,
    /// What stays when the machine that runs squall dies and nobody undoes.
    pub alone: &'static str,
    /// IAM actions that putting it in needs, apart from squall's marks.
    pub actions_do: &'static [&'static str],
    /// IAM actions that taking it out needs, apart from squall's marks.
    pub actions_undo: &'static [&'static str],
    /// When it is refused, and why.
    pub refusals: &'static [&'static str],
    /// One entry of `faults:` in an experiment, with the targets that it needs.
    pub example: &'static str,
}
