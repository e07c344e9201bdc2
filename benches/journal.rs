//! What the journal costs: one append beside one plain fsync, and the replay of 100,000 events.

#![expect(clippy::unwrap_used, reason = "a bench ends at the first failure")]

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;

use criterion::{Criterion, criterion_group, criterion_main};
use squall::account::{Sample, Window};
use squall::ids::RunId;
use squall::run::event::{Event, Phase, Recorded};
use squall::store::Store as _;
use squall::store::sqlite::SqliteStore;
use squall::units::{Span, Time};

/// The commonest event of a run.
fn sampled(seq: u64) -> Recorded {
    let from = Time::EPOCH + Span::from_secs(seq as i64);
    let window = Window { from, to: from + Span::from_secs(60) };
    let sample = Sample { value: Some(seq as f64 / 7.0), of: Some(seq) };
    Recorded { seq, at: from, event: Event::Sampled { signal: 1, phase: Phase::Fault, window, sample, breaks: false } }
}

fn one_fsync(bench: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("plain")).unwrap();
    let line = squall::format::journal::body(&sampled(1).event).unwrap();
    bench.bench_function("append to a plain file and fsync", |bench| {
        bench.iter(|| {
            file.write_all(line.as_bytes()).unwrap();
            file.sync_data().unwrap();
        });
    });
}

fn append(bench: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let run = RunId("run-bench".into());
    let mut store = SqliteStore::open(folder.path()).unwrap();
    let epoch = store.create(&run, "bench").unwrap();
    let mut seq = 0;
    bench.bench_function("append one event to the journal", |bench| {
        bench.iter(|| {
            seq += 1;
            store.append(&run, epoch, &[sampled(seq)]).unwrap();
        });
    });
}

fn replay(bench: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let run = RunId("run-bench".into());
    let mut store = SqliteStore::open(folder.path()).unwrap();
    let epoch = store.create(&run, "bench").unwrap();
    let events: Vec<_> = (1..=100_000).map(sampled).collect();
    store.append(&run, epoch, &events).unwrap();
    let mut group = bench.benchmark_group("replay");
    group.sample_size(10);
    group.bench_function("replay 100,000 events", |bench| {
        bench.iter(|| black_box(store.events(&run).unwrap()).len());
    });
    group.finish();
}

criterion_group!(journal, one_fsync, append, replay);
criterion_main!(journal);
