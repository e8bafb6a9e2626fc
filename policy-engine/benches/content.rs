//! What inspecting content costs: clean prose and prose with findings, whole and as a stream.
#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use policy_engine::content::{Detectors, HoldBack, Masker, WordList, mask};
use policy_engine::decision::Actions;
use policy_engine::vocabulary::{Entity, MaskAction};

const CLEAN: &str = "The committee met on Monday to discuss the budget. It approved most of the proposals, and asked for a \
                     new draft of the rest; the well-known design is not final, e.g. its second section. ";
const ACCENTED: &str = "Le comité s’est réuni lundi pour débattre du budget – « presque tout » a été approuvé, et le reste est à revoir. ";
const PERSONAL: &str =
    "Write to ann.lee@example.co.uk or call +44 20 7946 0958 about the card 4111 1111 1111 1111. ";

fn detectors() -> Arc<Detectors> {
    let words = (0..1_000).map(|n| format!("project-{n}")).collect();
    let list = WordList { id: "projects".to_owned(), words };
    Arc::new(Detectors::compile(Entity::ALL.iter().copied(), [list]).unwrap())
}

fn actions() -> Arc<Actions> {
    let mut actions = Actions::default();
    Entity::ALL.iter().for_each(|entity| actions.tighten(*entity, MaskAction::Mask));
    actions.tighten_words(0, MaskAction::Mask);
    Arc::new(actions)
}

/// About `size` bytes: the opening once, then filling.
fn text(opening: &str, filling: &str, size: usize) -> String {
    let fill = filling.repeat(size / filling.len() + 1);
    format!("{opening}{}", &fill[..fill.floor_char_boundary(size.saturating_sub(opening.len()))])
}

fn scans(c: &mut Criterion) {
    let (with_words, actions) = (detectors(), actions());
    let without = Detectors::compile(Entity::ALL.iter().copied(), []).unwrap();
    let mut group = c.benchmark_group("scan");
    for (name, text) in [
        ("clean_600", text("", CLEAN, 600)),
        ("clean_8k", text("", CLEAN, 8_000)),
        ("accented_600", text("", ACCENTED, 600)),
        ("hits_600", text(PERSONAL, CLEAN, 600)),
        ("hits_8k", text(PERSONAL, CLEAN, 8_000)),
        ("dense_8k", text("", PERSONAL, 8_000)),
    ] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let mut findings = Vec::new();
        group.bench_function(name, |b| {
            b.iter(|| {
                findings.clear();
                without.scan(black_box(&text), &mut findings);
                findings.len()
            });
        });
        group.bench_function(format!("{name}_and_1000_words"), |b| {
            b.iter(|| {
                findings.clear();
                with_words.scan(black_box(&text), &mut findings);
                findings.len()
            });
        });
        group.bench_function(format!("{name}_masked"), |b| {
            b.iter(|| {
                findings.clear();
                without.scan(black_box(&text), &mut findings);
                mask::apply(&text, &findings, &actions, &mut Masker::new()).map(|masked| masked.len())
            });
        });
    }
    group.finish();
}

fn streams(c: &mut Criterion) {
    let (detectors, actions) = (detectors(), actions());
    let mut group = c.benchmark_group("stream_per_delta");
    for (name, text) in [
        ("clean", text("", CLEAN, 8_000)),
        ("accented", text("", ACCENTED, 8_000)),
        ("dense", text("", PERSONAL, 8_000)),
    ] {
        let cuts: Vec<&str> = text.split_inclusive(' ').collect();
        group.throughput(Throughput::Elements(cuts.len() as u64));
        group.bench_function(name, |b| {
            let mut out = String::with_capacity(text.len());
            b.iter(|| {
                let mut hold = HoldBack::new(Arc::clone(&detectors), Arc::clone(&actions));
                let mut masker = Masker::new();
                out.clear();
                for delta in &cuts {
                    hold.push(black_box(delta), &mut masker, &mut out).ok();
                }
                hold.finish(&mut masker, &mut out).ok();
                out.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, scans, streams);
criterion_main!(benches);
