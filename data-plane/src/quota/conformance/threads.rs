//! Many callers at once.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    thread,
};

use super::fixtures::*;
use crate::quota::{Bound, Hold, Settlement};

const THREADS: usize = 64;

/// Runs `work` on 64 threads that start together, and collects what they give.
fn together<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|index| {
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    start.wait();
                    work(index)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

pub(super) fn a_budget_is_used_up_exactly(make: Make<'_>) {
    let ledger = make();
    let lines = [line("spend", spend(10_000)), line("places", Bound::Concurrent { limit: 1_000 })];
    let granted: u64 = together(|index| {
        let mut granted = 0;
        for round in 0..400_u64 {
            // Ten times the budget is asked for; every other request is given back, so that there is churn.
            let Ok(hold) = reserve(&ledger, &lines, 4, at(0)) else { continue };
            if (round + index as u64).is_multiple_of(2) {
                ledger.settle(&hold, amounts(4), at(0));
                granted += 4;
            } else {
                ledger.release(&hold);
            }
        }
        granted
    })
    .into_iter()
    .sum();
    assert_eq!(remaining(&ledger, &lines[0], at(0)), u128::from(10_000 - granted));
    assert!(granted >= 9_700, "{granted} of 10,000");
    assert_eq!(remaining(&ledger, &lines[1], at(0)), 1_000);
}

pub(super) fn places_are_never_overbooked(make: Make<'_>) {
    let ledger = make();
    let places = [line("places", Bound::Concurrent { limit: 20 })];
    let (busy, most) = (AtomicU64::new(0), AtomicU64::new(0));
    together(|_| {
        for _ in 0..500 {
            let Ok(hold) = reserve(&ledger, &places, 1, at(0)) else { continue };
            most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now();
            busy.fetch_sub(1, Ordering::SeqCst);
            ledger.settle(&hold, amounts(1), at(0));
        }
    });
    assert!(most.load(Ordering::SeqCst) <= 20);
    assert_eq!(remaining(&ledger, &places[0], at(0)), 20);
    // All at once: exactly as many as there are places.
    let held: Vec<Hold> =
        together(|_| reserve(&ledger, &places, 1, at(0)).ok()).into_iter().flatten().collect();
    assert_eq!(held.len(), 20);
}

pub(super) fn a_rate_is_kept_and_used(make: Make<'_>) {
    let ledger = make();
    let lines =
        [line("rpm", requests(1_000, micros(60_000_000))), line("tpm", tokens(5_000, micros(60_000_000)))];
    // All threads move one clock: 64,000 requests in about ten minutes, where ten bursts and the first one fit.
    let clock = AtomicI64::new(0);
    let granted: u64 = together(|_| {
        let mut granted = 0;
        for _ in 0..1_000 {
            let now = clock.fetch_add(10_000, Ordering::SeqCst);
            let Ok(hold) = reserve(&ledger, &lines, 5, at(now)) else { continue };
            ledger.settle(&hold, amounts(5), at(now));
            granted += 1;
        }
        granted
    })
    .into_iter()
    .sum();
    let end = u64::try_from(clock.load(Ordering::SeqCst)).unwrap();
    let allowed = 1_000 + 1_000 * end / 60_000_000;
    assert!(granted <= allowed, "{granted} of {allowed}");
    assert!(granted * 100 >= allowed * 97, "{granted} of {allowed}");
}

pub(super) fn settling_from_everywhere_charges_once(make: Make<'_>) {
    let ledger = make();
    let lines = one_of_each();
    let hold = reserve(&ledger, &lines, 5, at(0)).unwrap();
    let outcomes = together(|index| ledger.settle(&hold, amounts(index as u64 % 2 + 2), at(0)));
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Settlement::Charged).count(), 1);
    let left = remaining(&ledger, &lines[3], at(0));
    assert!(left == 8 || left == 7, "{left}");
    assert_eq!(remaining(&ledger, &lines[2], at(0)), 10);
}

pub(super) fn lines_in_any_order_do_not_deadlock(make: Make<'_>) {
    let ledger = make();
    let lines: Vec<_> = (0..12).map(|index| line(&format!("budget-{index}"), spend(1_000_000))).collect();
    together(|index| {
        let mut mine = lines.clone();
        mine.rotate_left(index % lines.len());
        if index % 2 == 0 {
            mine.reverse();
        }
        for round in 0..200 {
            let hold = reserve(&ledger, &mine[..6], 2, at(0)).unwrap();
            wait(ledger.adjust(&hold, mine[3..9].to_vec(), amounts(3), at(0))).unwrap();
            if round % 2 == 0 {
                ledger.release(&hold);
            } else {
                ledger.settle(&hold, amounts(1), at(0));
            }
        }
    });
    let used: u128 = lines.iter().map(|line| 1_000_000 - remaining(&ledger, line, at(0))).sum();
    assert_eq!(used, THREADS as u128 * 100 * 6);
}
