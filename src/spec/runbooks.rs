//! The runbooks of a project: found, read, and checked against its experiments.

use std::path::{Path, PathBuf};

use super::load::{ProjectFiles, shown};
use crate::gameday::runbook::Runbook;
use crate::ids::ResourceKind;
use crate::spec::check::Known;
use crate::yaml::read::closest;
use crate::yaml::shape::listed;
use crate::yaml::{Code, Finding, Findings, Source};

impl ProjectFiles {
    /// Every runbook of the project, by name.
    pub fn runbooks(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.root.join(&self.project.runbooks)).into_iter().flatten().flatten();
        let is_runbook = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "md");
        let mut files: Vec<PathBuf> = entries.map(|entry| shown(&entry.path())).filter(is_runbook).collect();
        files.sort();
        files
    }
}

/// Reads a runbook, and checks that its experiments and alarms are there. `known` are the resources of accounts that can be
/// asked beforehand.
pub fn runbook(path: &Path, files: &ProjectFiles, known: &Known) -> (Option<Runbook>, Findings) {
    let source = match Source::open(&shown(path)) {
        Ok(source) => source,
        Err(finding) => return (None, Findings::from(*finding)),
    };
    let (runbook, mut findings) = Runbook::look(&source);
    for scenario in runbook.iter().flat_map(|runbook| &runbook.scenarios) {
        let Some(experiment) = &scenario.spec.experiment else { continue };
        let file = files.experiment(&experiment.0);
        if !file.exists() {
            let names: Vec<String> = files
                .experiments()
                .iter()
                .filter_map(|path| path.file_stem().map(|name| name.to_string_lossy().into_owned()))
                .collect();
            let help = match closest(&experiment.0, names.iter().map(String::as_str)) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("write {}; there are {}", file.display(), listed(names.iter().map(String::as_str))),
            };
            let what = format!("there is no experiment `{experiment}`: {} does not exist", file.display());
            findings.push(Finding::new(Code::UnknownExperiment, &source, scenario.experiment_at, what).help(help));
            continue;
        }
        let alarms: Vec<&String> =
            known.values().flat_map(|account| account.names.get(&ResourceKind::Alarm)).flatten().collect();
        for alarm in scenario.spec.alarms.iter().filter(|_| !alarms.is_empty()) {
            if !alarms.contains(&alarm) {
                let help = match closest(alarm, alarms.iter().map(|name| name.as_str())) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => "name an alarm of the application".into(),
                };
                let what = format!("there is no alarm `{alarm}`");
                findings.push(Finding::new(Code::UnknownResource, &source, scenario.alarms_at, what).help(help));
            }
        }
    }
    findings.sort();
    (runbook.filter(|_| !findings.has_errors()), findings)
}
