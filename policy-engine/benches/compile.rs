//! What it costs to compile and to project facts, as the policy grows, and what it costs when one line of them changed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench stops where a town is not what it should be, and prints"
)]

mod changes;
mod town;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use policy_engine::{Scope, compile, project};

use town::SIZES;

fn measure(c: &mut Criterion) {
    changes::table();
    let mut group = c.benchmark_group("compile");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for size in SIZES {
        let facts = town::facts(&size);
        group.bench_function(BenchmarkId::from_parameter(size.principals), |bench| {
            bench.iter(|| black_box(compile(&facts, town::header()).unwrap()));
        });
        let scope = Scope { geo: town::name("eu") };
        group.bench_function(BenchmarkId::new("project", size.principals), |bench| {
            bench.iter(|| black_box(project(&facts, &scope)));
        });
    }
    group.finish();
}

criterion_group!(benches, measure);
criterion_main!(benches);
