//! Clocks that step, and threads that overtake each other.

use super::fixtures::*;
use crate::quota::{Ledger, Line, Refusal};

/// How many requests of one unit pass, out of 100 at once.
fn burst(ledger: &Ledger, line: &Line, now: i64) -> usize {
    (0..100).filter(|_| reserve(ledger, std::slice::from_ref(line), 1, at(now)).is_ok()).count()
}

fn rates() -> [Line; 2] {
    [line("rpm", requests(10, micros(60_000_000))), line("tpm", tokens(10, micros(60_000_000)))]
}

pub(super) fn an_hour_back_grants_and_locks_nothing(make: Make<'_>) {
    for line in rates() {
        let ledger = make();
        assert_eq!(burst(&ledger, &line, 0), 10);
        assert_eq!(burst(&ledger, &line, -HOUR), 0, "a step back refills nothing");
        ledger.sweep(at(-HOUR));
        assert_eq!(burst(&ledger, &line, -HOUR), 0, "not even where the timer has seen it");
        assert_eq!(
            burst(&ledger, &line, -HOUR + MINUTE - 1),
            9,
            "and it takes no longer than ever to refill"
        );
        assert_eq!(burst(&ledger, &line, -HOUR + MINUTE), 1);
    }
}

pub(super) fn an_hour_ahead_and_back_locks_nobody_out(make: Make<'_>) {
    for line in rates() {
        let ledger = make();
        assert_eq!(burst(&ledger, &line, 0), 10);
        assert_eq!(burst(&ledger, &line, HOUR), 10, "one burst, whatever the step");
        ledger.sweep(at(0));
        assert_eq!(burst(&ledger, &line, 0), 0);
        assert_eq!(burst(&ledger, &line, MINUTE), 10);
    }
}

pub(super) fn requests_of_long_ago_do_not_refill(make: Make<'_>) {
    for line in rates() {
        let ledger = make();
        let mut granted = 0;
        // Ten minutes in which every second caller read the clock up to half an hour ago.
        for tick in 0..60_000 {
            let now = tick * 10_000;
            let behind = if tick % 2 == 0 { 0 } else { tick * 7_919_333 % (HOUR / 2) };
            granted +=
                usize::from(reserve(&ledger, std::slice::from_ref(&line), 1, at(now - behind)).is_ok());
            if tick % 500 == 0 {
                ledger.sweep(at(now));
            }
        }
        assert!((109..=110).contains(&granted), "{granted} of a burst of 10 and 100 refilled");
    }
}

pub(super) fn a_period_never_returns(make: Make<'_>) {
    let ledger = make();
    let line = line("spend", spend(10));
    let boundary = 16 * 24 * HOUR + 11 * HOUR; // the end of January in Berlin
    let charge = |count, now| {
        let hold = reserve(&ledger, std::slice::from_ref(&line), count, at(now))?;
        ledger.settle(&hold, amounts(count), at(now));
        Ok::<_, Refusal>(())
    };
    charge(10, boundary - 1).unwrap();
    charge(10, boundary).unwrap();
    ledger.sweep(at(boundary + HOUR));
    for now in [boundary - HOUR, boundary - 1, boundary, boundary + HOUR] {
        assert!(charge(1, now).is_err(), "{now}");
        ledger.sweep(at(now));
    }
}
