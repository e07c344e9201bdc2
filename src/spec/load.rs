//! The files of a project: found, read, and checked together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::check;
use super::experiment::{Experiment, Judged};
use super::hypothesis::Hypothesis;
use super::runbooks;
use super::schedules;
use super::target::Target;
use crate::ids::AccountName;
use crate::inputs::{self, Chosen};
use crate::project::Project;
use crate::units::Time;
use crate::yaml::Code;
use crate::yaml::Finding;
use crate::yaml::Findings;
use crate::yaml::leaf::HypothesisName;
use crate::yaml::read::{Loaded, ReferenceKind, closest};
use crate::yaml::shape::listed;
use crate::yaml::source::{Place, Source};

/// The name of a project's configuration.
pub const CONFIG: &str = "squall.yaml";

/// A project's configuration, and the folder that its paths count from.
#[derive(Clone, Debug)]
pub struct ProjectFiles {
    pub root: PathBuf,
    pub project: Project,
}

impl ProjectFiles {
    /// Reads `squall.yaml` in a folder. Without one it is [`Project::default`].
    pub fn open(root: &Path) -> (Option<ProjectFiles>, Findings) {
        let path = shown(&root.join(CONFIG));
        if !path.exists() {
            return (Some(ProjectFiles { root: root.to_owned(), project: Project::default() }), Findings::default());
        }
        let (loaded, mut findings) = read::<Project>(&path);
        if let Some(loaded) = &loaded {
            check::project(loaded, &mut findings);
        }
        let project = loaded.filter(|_| !findings.has_errors()).map(|loaded| loaded.value);
        (project.map(|project| ProjectFiles { root: root.to_owned(), project }), findings)
    }

    /// `squall.yaml` with its places, where there is one that can be read.
    pub fn config(&self) -> Option<Loaded<Project>> {
        read::<Project>(&shown(&self.root.join(CONFIG))).0
    }

    /// The file of a hypothesis.
    pub fn hypothesis(&self, name: &HypothesisName) -> PathBuf {
        shown(&self.root.join(&self.project.hypotheses).join(format!("{name}.yaml")))
    }

    /// The file of an experiment.
    pub fn experiment(&self, name: &str) -> PathBuf {
        shown(&self.root.join(&self.project.experiments).join(format!("{name}.yaml")))
    }

    /// Every experiment of the project, by name.
    pub fn experiments(&self) -> Vec<PathBuf> {
        yaml_files(&self.root.join(&self.project.experiments))
    }

    /// Every hypothesis of the project, by name.
    pub fn hypotheses(&self) -> Vec<PathBuf> {
        yaml_files(&self.root.join(&self.project.hypotheses))
    }

    /// The names that hypotheses have.
    fn hypothesis_names(&self) -> Vec<String> {
        let name = |path: &PathBuf| path.file_stem().map(|name| name.to_string_lossy().into_owned());
        self.hypotheses().iter().filter_map(name).collect()
    }
}

/// An experiment with the hypotheses that it names, without findings that are errors.
#[derive(Clone, Debug)]
pub struct ExperimentFiles {
    pub experiment: Loaded<Experiment>,
    pub hypotheses: BTreeMap<HypothesisName, Loaded<Hypothesis>>,
    /// The account of every target that names none.
    pub account: AccountName,
    /// The values of its inputs, as written.
    pub inputs: BTreeMap<String, String>,
}

impl ExperimentFiles {
    /// Reads an experiment and its hypotheses, and checks what they mean. `account` takes the place of the one that the
    /// experiment or the project names; `known` are the resources of accounts that can be asked beforehand. No inputs are
    /// chosen, as in `squall check`.
    pub fn open(
        path: &Path,
        files: &ProjectFiles,
        account: Option<&AccountName>,
        known: &check::Known,
    ) -> (Option<ExperimentFiles>, Findings) {
        ExperimentFiles::open_with(path, files, account, known, Chosen::Nothing)
    }

    /// The same with chosen inputs.
    pub fn open_with(
        path: &Path,
        files: &ProjectFiles,
        account: Option<&AccountName>,
        known: &check::Known,
        chosen: Chosen<'_>,
    ) -> (Option<ExperimentFiles>, Findings) {
        let Read { experiment, inputs, problems, mut findings } = read_experiment(&shown(path), chosen);
        let Some(experiment) = experiment else { return (None, findings) };
        findings.append(inputs::findings(problems, chosen, &experiment));
        let hypotheses = named_hypotheses(&experiment, files, &mut findings);
        let value = &experiment.value;
        let account = account.or(value.account.as_ref()).unwrap_or(&files.project.default_account).clone();
        let files_read = ExperimentFiles { experiment, hypotheses, account, inputs };
        check::experiment(&files_read, &files.project, known, &mut findings);
        findings.sort();
        (Some(files_read).filter(|_| !findings.has_errors()), findings)
    }

    /// Every signal as it is judged, in the order of the file.
    pub fn judged(&self) -> Vec<Judged> {
        let files = self.hypotheses.iter().map(|(name, loaded)| (name.clone(), loaded.value.clone())).collect();
        self.experiment.value.hypotheses.iter().flat_map(|item| item.judged(&files)).collect()
    }

    /// The account of a target.
    pub fn account_of<'a>(&'a self, target: &'a Target) -> &'a AccountName {
        target.account.as_ref().unwrap_or(&self.account)
    }
}

/// Checks a hypothesis on its own.
pub fn hypothesis(path: &Path) -> (Option<Loaded<Hypothesis>>, Findings) {
    let (loaded, mut findings) = read::<Hypothesis>(&shown(path));
    if let Some(loaded) = &loaded {
        check::hypothesis(loaded, &mut findings);
    }
    (loaded.filter(|_| !findings.has_errors()), findings)
}

/// Checks every file of a project: its configuration, its hypotheses, its experiments, its schedules.
pub fn everything(root: &Path, known: &check::Known) -> Findings {
    let (files, mut findings) = ProjectFiles::open(root);
    let Some(files) = files else { return findings };
    for path in files.hypotheses() {
        findings.append(hypothesis(&path).1);
    }
    for path in files.experiments() {
        findings.append(ExperimentFiles::open(&path, &files, None, known).1);
    }
    findings.append(schedules::schedules(&files, Time::EPOCH).1);
    for path in files.runbooks() {
        findings.append(runbooks::runbook(&path, &files, known).1);
    }
    findings
}

/// The hypotheses that an experiment names; one whose file is not there is a finding where it is named.
fn named_hypotheses(
    experiment: &Loaded<Experiment>,
    files: &ProjectFiles,
    findings: &mut Findings,
) -> BTreeMap<HypothesisName, Loaded<Hypothesis>> {
    let mut hypotheses = BTreeMap::new();
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    for reference in experiment.references.iter().filter(|reference| reference.kind == ReferenceKind::Hypothesis) {
        if let Some(first) = seen.insert(&reference.name, reference.at) {
            let what = format!("the hypothesis `{}` is named twice", reference.name);
            findings.push(
                experiment.finding(Code::Repeated, reference.at, what).also(first, "first here").help("name it once"),
            );
            continue;
        }
        let name = HypothesisName(reference.name.clone());
        let path = files.hypothesis(&name);
        if !path.exists() {
            findings.push(missing_hypothesis(experiment, &name, &path, files).at(reference.at));
            continue;
        }
        let (loaded, found) = hypothesis(&path);
        findings.append(found);
        if let Some(loaded) = loaded {
            hypotheses.insert(name, loaded);
        }
    }
    hypotheses
}

fn missing_hypothesis(
    experiment: &Loaded<Experiment>,
    name: &HypothesisName,
    path: &Path,
    files: &ProjectFiles,
) -> Finding {
    let names = files.hypothesis_names();
    let names = || names.iter().map(String::as_str);
    let help = match closest(&name.0, names()) {
        Some(close) => format!("did you mean `{close}`?"),
        None if names().next().is_none() => {
            format!("write {}, or the sentence itself in the experiment", path.display())
        }
        None => format!("write {}; there are {}", path.display(), listed(names())),
    };
    let what = format!("there is no hypothesis `{name}`: {} does not exist", path.display());
    experiment.finding(Code::UnknownHypothesis, Place::default(), what).help(help)
}

/// What is wrong with values for the inputs of an experiment; nothing where the file cannot be read.
pub fn input_problems(path: &Path, given: &[inputs::Given]) -> Vec<inputs::Problem> {
    read_experiment(path, Chosen::These(given)).problems
}

/// An experiment as it is read with the values of its inputs in their places.
pub(super) struct Read {
    pub experiment: Option<Loaded<Experiment>>,
    /// The values of its inputs, as written.
    pub inputs: BTreeMap<String, String>,
    /// What is wrong with the values that were chosen.
    pub problems: Vec<inputs::Problem>,
    /// What is wrong in the file.
    pub findings: Findings,
}

/// Reads an experiment with these inputs.
pub(super) fn read_experiment(path: &Path, chosen: Chosen<'_>) -> Read {
    let (mut inputs, mut problems) = (BTreeMap::new(), Vec::new());
    let source = match Source::open(path) {
        Ok(source) => source,
        Err(finding) => return Read { experiment: None, inputs, problems, findings: Findings::from(*finding) },
    };
    let (experiment, findings) = Loaded::read_with(&source, |tree, findings| {
        // What is wrong with a declaration is said by the reading of the whole.
        let Some(declared) = inputs::declared(&source, tree) else { return };
        (inputs, problems) = inputs::values(&declared, chosen);
        findings.append(inputs::put(&source, tree, &declared, &inputs));
    });
    Read { experiment, inputs, problems, findings }
}

pub(super) fn read<T: crate::yaml::FromNode>(path: &Path) -> (Option<Loaded<T>>, Findings) {
    match Source::open(path) {
        Ok(source) => Loaded::read(&source),
        Err(finding) => (None, Findings::from(*finding)),
    }
}

/// The path as a person would write it.
pub(super) fn shown(path: &Path) -> PathBuf {
    path.strip_prefix(".").map_or_else(|_| path.to_owned(), Path::to_owned)
}

/// The YAML files of a folder, by name. A folder that is not there has none.
pub fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let mut files: Vec<PathBuf> = entries.map(|entry| shown(&entry.path())).filter(is_yaml).collect();
    files.sort();
    files
}
