//! Budgets: never passed, and afresh exactly once a period, on the tenant's own clock.

use proptest::{collection::vec, prelude::*};

use super::fixtures::*;
use crate::quota::{Amounts, Bound, Hold, Measure, Period, RefusalKind, TokenClass, Unit};

pub(super) fn used_and_held_never_pass_the_limit(make: Make<'_>) {
    let steps = vec((0_u8..4, 1_u64..400, 0_usize..12, 0_u64..=100), 1..150);
    proptest!(|(limit in 1_u64..1_000, steps in steps)| {
        let ledger = make();
        let line = line("spend", spend(limit.into()));
        let (mut used, mut held) = (0, 0);
        let mut holds: Vec<(Hold, u64)> = Vec::new();
        for (step, estimate, which, percent) in steps {
            match step {
                0 | 1 => match reserve(&ledger, std::slice::from_ref(&line), estimate, at(0)) {
                    Ok(hold) => {
                        held += estimate;
                        holds.push((hold, estimate));
                    }
                    Err(refusal) => {
                        prop_assert_eq!(refusal.kind, RefusalKind::Budget);
                        prop_assert!(used + held + estimate > limit, "refused with room");
                    }
                },
                2 if which < holds.len() => {
                    let (hold, estimate) = holds.remove(which);
                    let actual = estimate * percent / 100;
                    ledger.settle(&hold, amounts(actual), at(0));
                    held -= estimate;
                    used += actual;
                }
                _ if which < holds.len() => {
                    let (hold, estimate) = holds.remove(which);
                    ledger.release(&hold);
                    held -= estimate;
                }
                _ => {}
            }
            prop_assert!(used + held <= limit);
            prop_assert_eq!(remaining(&ledger, &line, at(0)), u128::from(limit - used - held));
        }
    });
}

fn resets_once(make: Make<'_>, unit: Unit, before: &str, boundary: &str, next: &str) {
    let ledger = make();
    let bound = Bound::Budget { limit: 10, of: Measure::Spend, period: berlin(unit) };
    let line = [line("spend", bound)];
    let spend_all = |now| {
        let hold = reserve(&ledger, &line, 10, now).unwrap();
        ledger.settle(&hold, amounts(10), now);
    };
    let moment = jiff::SignedDuration::from_micros(1);
    spend_all(utc(before));
    let refusal = reserve(&ledger, &line, 1, utc(before)).unwrap_err();
    let told = refusal.retry_after.unwrap();
    assert_eq!(utc(before) + told, utc(boundary));
    assert!(reserve(&ledger, &line, 1, utc(boundary) - moment).is_err());
    spend_all(utc(boundary));
    assert!(reserve(&ledger, &line, 1, utc(boundary) + moment).is_err());
    assert!(reserve(&ledger, &line, 1, utc(next) - moment).is_err());
    spend_all(utc(next));
    assert!(reserve(&ledger, &line, 1, utc(next)).is_err());
}

pub(super) fn a_month_in_berlin_resets_once(make: Make<'_>) {
    // March begins in winter time and ends in summer time.
    resets_once(make, Unit::Month, "2026-02-28T12:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z");
}

pub(super) fn a_day_of_25_hours_resets_once(make: Make<'_>) {
    resets_once(make, Unit::Day, "2026-10-24T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
    resets_once(make, Unit::Day, "2026-03-28T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
}

pub(super) fn what_is_in_flight_counts_in_the_next_period(make: Make<'_>) {
    let ledger = make();
    let line = line("spend", spend(10));
    let (january, february) = (utc("2026-01-31T22:59:59Z"), utc("2026-01-31T23:00:00Z"));
    let ended = reserve(&ledger, std::slice::from_ref(&line), 3, january).unwrap();
    ledger.settle(&ended, amounts(3), january);
    let open = reserve(&ledger, std::slice::from_ref(&line), 4, january).unwrap();
    assert_eq!(remaining(&ledger, &line, february), 6, "the three are January's, the four still run");
    ledger.settle(&open, amounts(1), february);
    assert_eq!(remaining(&ledger, &line, february), 9);
}

pub(super) fn tokens_and_requests_can_be_budgeted(make: Make<'_>) {
    let ledger = make();
    let budget = |of| Bound::Budget { limit: 10, of, period: Period::Every(micros(1_000)) };
    let lines = [
        line("requests", budget(Measure::Requests)),
        line("input", budget(Measure::Tokens(TokenClass::Input))),
        line("output", budget(Measure::Tokens(TokenClass::Output))),
        line("total", budget(Measure::Tokens(TokenClass::Total))),
    ];
    let used = Amounts { input_tokens: 3, output_tokens: 2, spend: 99 };
    let hold = wait(ledger.reserve(lines.to_vec(), used, at(0))).unwrap();
    ledger.settle(&hold, used, at(0));
    let left: Vec<u128> = lines.iter().map(|line| remaining(&ledger, line, at(0))).collect();
    assert_eq!(left, [9, 7, 8, 5]);
}

pub(super) fn a_changed_period_does_not_lock_out(make: Make<'_>) {
    let ledger = make();
    let monthly = line("spend", spend(10));
    let hold = reserve(&ledger, std::slice::from_ref(&monthly), 10, at(0)).unwrap();
    ledger.settle(&hold, amounts(10), at(0));
    let hourly =
        rebound(&monthly, Bound::Budget { limit: 10, of: Measure::Spend, period: berlin(Unit::Hour) });
    assert_eq!(remaining(&ledger, &hourly, at(0)), 0, "what was used is not forgotten");
    assert!(reserve(&ledger, std::slice::from_ref(&hourly), 1, at(1)).is_err());
    assert!(reserve(&ledger, std::slice::from_ref(&hourly), 10, at(HOUR)).is_ok());
}
