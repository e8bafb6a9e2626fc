//! What the memory ledger costs a request: reserving and settling one, three and four lines, with a subject that is hot
//! and with 100,000 drawn at random.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run should say so at once")]

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use data_plane::quota::{Amounts, Bound, Ledger, Limit, Line, Measure, Period, SubjectKey, TokenClass, Unit};
use futures_util::FutureExt;
use jiff::{Timestamp, tz::TimeZone};

const ESTIMATE: Amounts = Amounts { input_tokens: 200, output_tokens: 500, spend: 5_500_000 };
const ACTUAL: Amounts = Amounts { input_tokens: 180, output_tokens: 220, spend: 2_650_000 };

fn limits() -> [Arc<Limit>; 4] {
    let per = Duration::from_secs(60);
    let period = Period::Calendar { unit: Unit::Month, zone: TimeZone::get("Europe/Berlin").unwrap() };
    [
        Limit::new("tenants/acme/limits/rpm", Bound::Requests { limit: u64::MAX, per }),
        Limit::new(
            "tenants/acme/limits/tpm",
            Bound::Tokens { limit: u64::MAX, per, class: TokenClass::Total },
        ),
        Limit::new(
            "tenants/acme/limits/spend",
            Bound::Budget { limit: u128::MAX, of: Measure::Spend, period },
        ),
        Limit::new("tenants/acme/limits/places", Bound::Concurrent { limit: 1_000 }),
    ]
}

/// Draws evenly enough, and the same in every run.
struct Draw(u64);

impl Draw {
    fn of<'a>(&mut self, subjects: &'a [SubjectKey]) -> &'a SubjectKey {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        subjects.get(usize::try_from(self.0 >> 33).unwrap() % subjects.len()).unwrap()
    }
}

fn reserve_and_settle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reserve and settle");
    let limits = limits();
    for count in [1, 100_000] {
        let subjects: Vec<_> = (0..count).map(|index| SubjectKey::new(format!("key-{index}"))).collect();
        for lines in [1, 3, 4] {
            let ledger = Ledger::memory();
            let (mut draw, mut now) = (Draw(1), "2026-01-15T12:00:00Z".parse::<Timestamp>().unwrap());
            group.bench_function(BenchmarkId::new(format!("{count} subjects"), lines), |bencher| {
                bencher.iter(|| {
                    now += Duration::from_micros(10);
                    let subject = draw.of(&subjects);
                    let lines = limits.iter().take(lines);
                    let lines = lines.map(|limit| Line::new(limit.clone(), subject.clone())).collect();
                    let hold = ledger.reserve(lines, ESTIMATE, now).now_or_never().unwrap().unwrap();
                    black_box(ledger.settle(&hold, ACTUAL, now))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, reserve_and_settle);
criterion_main!(benches);
