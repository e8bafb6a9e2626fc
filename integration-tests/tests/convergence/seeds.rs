//! The seeds of a run, two at a time or as many as there are cores, and what became of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::world::{self, Tally};

/// What panicked anywhere, on whatever thread.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The seeds of this run, from the first.
fn seeds() -> (u64, u64) {
    let one =
        std::env::var("CHANCERY_SEED").ok().map(|seed| seed.parse().expect("CHANCERY_SEED is a number"));
    match one {
        Some(seed) => (seed, seed + 1),
        None if std::env::var_os("CHANCERY_LONG").is_some() => (0, 1_000),
        None => (0, 50),
    }
}

/// Runs the next seeds until there is none left; gives what there was, and what was wrong.
fn run(next: &AtomicU64, end: u64) -> (Tally, Vec<String>) {
    let (mut all, mut faults) = (Tally::default(), Vec::new());
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return (all, faults);
        }
        match world::run(seed) {
            Ok(tally) => all.add(&tally),
            Err(fault) => faults.push(format!("seed {seed}: {fault:#}\n  again: CHANCERY_SEED={seed}")),
        }
    }
}

#[test]
fn invariant_5_after_any_faults_every_node_enforces_the_head() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.lock().unwrap().push(panic.to_string());
        hook(panic);
    }));
    let (begin, end) = seeds();
    let next = AtomicU64::new(begin);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut all, mut faults) = (Tally::default(), Vec::new());
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| run(&next, end))).collect();
        for thread in running {
            let (tally, found) = thread.join().expect("no panic");
            all.add(&tally);
            faults.extend(found);
        }
    });
    println!("{} seeds: {all:?}", end - begin);
    assert!(faults.is_empty(), "{} of {} seeds:\n{}", faults.len(), end - begin, faults.join("\n"));
    assert!(PANICS.lock().unwrap().is_empty(), "{:?}", PANICS.lock().unwrap());
    assert!(end - begin == 1 || all.happened(), "the faults were not there: {all:?}");
}
