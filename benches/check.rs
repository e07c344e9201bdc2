//! What it costs to read and check files: one experiment with its hypotheses, and files made to exhaust a machine.

#![expect(clippy::unwrap_used, reason = "a bench ends at the first failure")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use squall::spec::hypothesis::Hypothesis;
use squall::spec::load::{ExperimentFiles, ProjectFiles};
use squall::yaml::{Loaded, Source};

fn one_experiment(bench: &mut Criterion) {
    let files = ProjectFiles::open(Path::new(".")).0.unwrap();
    let path = Path::new("experiments/payment-worker-throttled.yaml");
    bench.bench_function("read and check one experiment with its hypotheses", |bench| {
        bench.iter(|| {
            let (experiment, findings) = ExperimentFiles::open(black_box(path), &files, None, &BTreeMap::new());
            assert!(experiment.is_some() && findings.is_empty());
        });
    });
}

fn bombs(bench: &mut Criterion) {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        laughs += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "));
    }
    let mistakes: String = (0..45_000).map(|key| format!("k{key}: 1\n")).collect();
    for (name, text) in [("aliases of aliases", laughs), ("45,000 unknown keys", mistakes)] {
        let source = Source::new("x.yaml", text);
        bench.bench_function(&format!("refuse {name}"), |bench| {
            bench.iter(|| assert!(Loaded::<Hypothesis>::read(black_box(&source)).1.has_errors()));
        });
    }
}

criterion_group!(benches, one_experiment, bombs);
criterion_main!(benches);
