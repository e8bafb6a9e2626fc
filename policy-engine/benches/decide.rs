//! What a decision costs, as the policy grows: entitle and decide, another caller and another model every time.
//!
//! Criterion tells the mean; the table before it tells the median and the 99th percentile of `decide` alone, by the clock.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench stops where a town is not what it should be, and prints"
)]

mod town;

use std::hint::black_box;
use std::time::Instant as Clock;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use policy_engine::decision::Decision;
use policy_engine::request::{Caller, Found, Request};
use policy_engine::snapshot::CompiledSnapshot;
use policy_engine::vocabulary::{Instant, Operation};
use policy_engine::{compile, decide, entitle};

use town::{SIZES, Size};

/// Requests in the order in which they are made: far apart in every table.
struct Asked {
    callers: Vec<Caller>,
    models: Vec<String>,
    at: usize,
}

impl Asked {
    fn of(snapshot: &CompiledSnapshot, size: &Size) -> Self {
        let people = (0..size.principals).map(|p| {
            let (tenant, team) = town::home(size, p);
            snapshot.find_caller(&tenant, &team, &town::principal(p)).unwrap()
        });
        let models = (0..size.models).map(|m| town::model(m).to_string()).collect();
        Self { callers: people.collect(), models, at: 0 }
    }

    fn next(&mut self) -> Request<'_> {
        self.at += 1;
        let caller = self.callers[self.at.wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.callers.len()];
        let model = &self.models[self.at.wrapping_mul(0xd1b5_4a32_d192_ed03) % self.models.len()];
        Request {
            caller,
            model,
            operation: Operation::Chat,
            stream: false,
            purpose: None,
            declared_jurisdictions: &[],
            declared_classes: &[],
            egress_tools: &[],
            unknown_fields: &[],
            picture: None,
            instant: Instant(1_750_000_000_000_000),
            key: Some("key00000001"),
        }
    }
}

/// Prints what `decide` alone takes, and fails if it is not asked what it claims to be asked.
fn percentiles(snapshot: &CompiledSnapshot, asked: &mut Asked, size: &Size) {
    const COUNT: usize = 50_000;
    let (mut took, mut entitled_took) = (Vec::with_capacity(COUNT), Vec::with_capacity(COUNT));
    let (mut candidates, mut matched) = (0, 0);
    for _ in 0..COUNT {
        let request = asked.next();
        let begun = Clock::now();
        let entitled = entitle(&request, snapshot).unwrap();
        entitled_took.push(begun.elapsed().as_nanos());
        let begun = Clock::now();
        let decision = decide(&request, &entitled, &Found::default(), snapshot);
        took.push(begun.elapsed().as_nanos());
        let Decision::Allow(permit) = decision else { panic!("{decision:?}") };
        candidates += permit.candidates.len();
        matched += permit.matched.len();
    }
    took.sort_unstable();
    entitled_took.sort_unstable();
    let (candidates, matched) = (candidates as f64 / COUNT as f64, matched as f64 / COUNT as f64);
    println!(
        "decide: {:>7} principals {:>6} rules {:>5} models: p50 {:>5} ns, p99 {:>6} ns (entitle p50 {} ns); \
         {candidates:.1} candidates, {matched:.1} matching rules",
        size.principals,
        size.rules,
        size.models,
        took[COUNT / 2],
        took[COUNT * 99 / 100],
        entitled_took[COUNT / 2],
    );
    assert!(candidates > 3.9 && matched > 18.0, "not the request that the floor is about");
}

fn measure(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    for size in SIZES {
        let snapshot = compile(&town::facts(&size), town::header()).unwrap();
        let mut asked = Asked::of(&snapshot, &size);
        percentiles(&snapshot, &mut asked, &size);
        group.bench_function(BenchmarkId::from_parameter(size.principals), |bench| {
            bench.iter(|| {
                let request = asked.next();
                let entitled = entitle(&request, &snapshot).unwrap();
                black_box(decide(&request, &entitled, &Found::default(), &snapshot))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, measure);
criterion_main!(benches);
