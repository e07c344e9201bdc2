//! 10,000 schedules of every kind: the next 20 occurrences of each, and a year of all of them.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use squall::schedule::compile::Rules;
use squall::schedule::spec::{ScheduleFile, Scheduling};
use squall::schedule::{Schedule, list};
use squall::units::{Span, Time};
use squall::yaml::{Loaded, Source};

const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "Asia/Kolkata",
    "America/Santiago",
    "Pacific/Chatham",
    "UTC",
];
const WHEN: [&str; 5] = [
    "{ cron: '30 9 * * mon-fri' }",
    "{ cron: '0 3 * * *' }",
    "{ random: 3 times a week }",
    "{ every: 1d }",
    "{ mean_gap: { mean: 5d, least: 6h } }",
];

/// Most schedules come round about once a day; all have hours, and a fifth a blackout of their own.
fn schedules(now: Time) -> Vec<Schedule> {
    let mut rules = Rules::new(&Scheduling::default(), &[], now);
    let mut schedules = Vec::new();
    // A file may have up to 100,000 nodes.
    for part in 0..10 {
        let mut text = String::from("version: 1\nschedules:\n");
        for n in part * 1_000..(part + 1) * 1_000 {
            let (zone, when) = (ZONES[n % ZONES.len()], WHEN[n % WHEN.len()]);
            text += &format!(
                "  s{n}:\n    experiment: x\n    when: {when}\n    zone: {zone}\n    starting: 2026-01-01\n    \
                 hours: [mon-fri 08:00-20:00]\n"
            );
            if n % 5 == 2 {
                text += "    blackouts: { end: { from: 12-20, to: 01-06 } }\n";
            }
        }
        let file = Loaded::<ScheduleFile>::read(&Source::new("schedules.yaml", text)).0.map(|loaded| loaded.value);
        for (name, spec) in file.iter().flat_map(|file| &file.schedules) {
            schedules.push(rules.compile(name, spec, &[], Span::from_mins(75)).0);
        }
    }
    assert_eq!(schedules.len(), 10_000);
    schedules
}

fn schedule(criterion: &mut Criterion) {
    let now = Time::from_micros(1_795_000_000_000_000);
    let all = schedules(now);
    criterion.bench_function("10,000 schedules: the next 20 of each", |bench| {
        bench.iter(|| all.iter().map(|schedule| list::next(schedule, black_box(now)).len()).sum::<usize>());
    });
    let end = now + Span::from_mins(365 * 1_440);
    let mut group = criterion.benchmark_group("a year");
    group.sample_size(10);
    group.bench_function("10,000 schedules", |bench| {
        bench.iter(|| {
            let year = |schedule: &Schedule| {
                schedule.occurrences(black_box(now)).take_while(|occurrence| occurrence.at < end).count()
            };
            all.iter().map(year).sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, schedule);
criterion_main!(benches);
