//! What is shipped with squall: every experiment and every hypothesis in the folders of the project.

use std::path::{Path, PathBuf};

use squall::spec::experiment::{Experiment, HypothesisItem};
use squall::spec::hypothesis::Hypothesis;
use squall::spec::{FromNode, Loaded, Source, Style};

/// The YAML files of a folder of the project, by name.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn load<T: FromNode>(path: &Path) -> Loaded<T> {
    let source = Source::open(path).unwrap();
    let (loaded, findings) = Loaded::read(&source);
    assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
    loaded.unwrap()
}

#[test]
fn every_file_reads_without_a_finding() {
    for path in files("hypotheses") {
        load::<Hypothesis>(&path);
    }
    let experiments = files("experiments");
    assert!(experiments.len() >= 6, "{experiments:?}");
    for path in experiments {
        let experiment = load::<Experiment>(&path).value;
        for item in &experiment.hypotheses {
            if let HypothesisItem::Named(named) = item {
                let file = format!("{}.yaml", named.name);
                assert!(files("hypotheses").iter().any(|path| path.ends_with(&file)), "{}: {file}", path.display());
            }
        }
    }
}
