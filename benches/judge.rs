//! What judging costs, and, with the argument `table`, how often the judge is wrong and how soon it is right:
//!
//!     cargo bench --no-default-features --bench judge -- table

#[path = "../tests/all/judge/grid.rs"]
mod grid;
#[path = "../tests/all/judge/rivals.rs"]
mod rivals;
#[path = "judge/table.rs"]
mod table;

use std::hint::black_box;

use criterion::Criterion;
use squall::judge::ask::{Ask, Reading};
use squall::judge::weighing::{Alpha, Rule, Weighing};
use squall::units::{Span, Time};

fn reading(share: f64) -> Reading {
    Reading { value: Some(share), of: Some(300), ..Reading::missing(Time::EPOCH, Span::from_mins(1)) }
}

fn signals(windows: usize) -> Vec<Weighing> {
    let rule = Rule { ask: Ask::ShareAtMost(0.01), alpha: Alpha::USUAL.among(10_000), horizon: 60, full: Some(375.0) };
    let mut signals = vec![Weighing::by(rule); 10_000];
    signals.iter_mut().for_each(|signal| (0..windows).for_each(|_| _ = signal.observe(&reading(0.002))));
    signals
}

fn judge(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("judge");
    group.bench_function("the next window of 10,000 signals", |bench| {
        let fresh = signals(30);
        bench.iter_batched_ref(
            || fresh.clone(),
            |signals| {
                let next = black_box(reading(0.004));
                for signal in signals.iter_mut() {
                    black_box(signal.observe(&next));
                }
            },
            criterion::BatchSize::LargeInput,
        );
    });
    group.sample_size(20);
    group.bench_function("all 60 windows of 10,000 signals", |bench| {
        bench.iter(|| black_box(signals(60)));
    });
    group.finish();
}

fn main() {
    if std::env::args().any(|argument| argument == "table") {
        return table::print();
    }
    let mut criterion = Criterion::default().configure_from_args();
    judge(&mut criterion);
    criterion.final_summary();
}
