//! The end of a hold: once, whoever says so, however often and however late.

use proptest::{collection::vec, prelude::*};

use super::fixtures::*;
use crate::quota::{HOLD_TTL, Hold, Reservation, Settlement, Standing};

const TTL: i64 = HOLD_TTL.as_micros() as i64;

fn left(standings: &[Standing]) -> Vec<u128> {
    standings.iter().map(|standing| standing.remaining).collect()
}

pub(super) fn a_hold_is_charged_once_however_often_it_is_settled(make: Make<'_>) {
    for times in 1..5 {
        let ledger = make();
        let lines = one_of_each();
        let hold = reserve(&ledger, &lines, 5, at(0)).unwrap();
        assert_eq!(ledger.settle(&hold, amounts(3), at(0)), Settlement::Charged);
        for other in 1..times {
            assert_eq!(ledger.settle(&hold.clone(), amounts(other), at(0)), Settlement::Repeated);
        }
        ledger.release(&hold);
        ledger.abandon(&hold);
        assert!(!hold.is_live());
        assert_eq!(left(&standings(&ledger, &lines, at(0))), [9, 7, 10, 7]);
        ledger.sweep(at(2 * TTL));
        assert_eq!(remaining(&ledger, &lines[3], at(2 * TTL)), 7);
    }
}

pub(super) fn a_released_hold_was_never_taken(make: Make<'_>) {
    let ledger = make();
    let lines = one_of_each();
    let hold = reserve(&ledger, &lines, 5, at(0)).unwrap();
    ledger.checkpoint(&hold, amounts(2), at(0));
    ledger.release(&hold);
    ledger.release(&hold);
    assert_eq!(ledger.settle(&hold, amounts(5), at(0)), Settlement::Repeated);
    assert_eq!(left(&standings(&ledger, &lines, at(0))), [10, 10, 10, 10]);
}

pub(super) fn an_expired_budget_is_charged_its_checkpoint(make: Make<'_>) {
    let ledger = make();
    let lines = one_of_each();
    let hold = reserve(&ledger, &lines, 5, at(0)).unwrap();
    ledger.checkpoint(&hold, amounts(2), at(0));
    ledger.sweep(at(TTL - 1));
    assert!(hold.is_live());
    ledger.sweep(at(TTL));
    assert!(!hold.is_live());
    // Ten minutes refill a sixth of the hour, which is more than the one request.
    assert_eq!(left(&standings(&ledger, &lines, at(TTL))), [10, 10, 10, 8]);
    // Requests find what is due by themselves, too: nobody needs to sweep.
    let ledger = make();
    let place = [line("one", crate::quota::Bound::Concurrent { limit: 1 })];
    reserve(&ledger, &place, 1, at(0)).unwrap();
    assert!(reserve(&ledger, &place, 1, at(TTL - 1)).is_err());
    assert!(reserve(&ledger, &place, 1, at(TTL)).is_ok());
}

pub(super) fn a_late_settle_adds_exactly_what_is_missing(make: Make<'_>) {
    for (checkpoint, actual) in [(0, 4), (2, 4), (4, 4), (4, 1), (0, 0), (2, 9)] {
        let ledger = make();
        let lines = one_of_each();
        let hold = reserve(&ledger, &lines, 5, at(0)).unwrap();
        ledger.checkpoint(&hold, amounts(checkpoint), at(0));
        ledger.sweep(at(TTL));
        let late = at(TTL + 1);
        ledger.abandon(&hold); // whoever held it goes away; the truth is still to come
        assert_eq!(ledger.settle(&hold, amounts(actual), late), Settlement::ChargedLate);
        assert_eq!(ledger.settle(&hold, amounts(actual), late), Settlement::Repeated);
        ledger.release(&hold);
        let rest = u128::from(10 - actual);
        assert_eq!(
            left(&standings(&ledger, &lines, late)),
            [10, rest, 10, rest],
            "{checkpoint} then {actual}"
        );
    }
}

pub(super) fn a_late_settle_refunds_only_its_own_period(make: Make<'_>) {
    let ledger = make();
    let line = line("spend", spend(10));
    let (january, february) = (utc("2026-01-31T12:00:00Z"), utc("2026-02-01T12:00:00Z"));
    let hold = reserve(&ledger, std::slice::from_ref(&line), 8, january).unwrap();
    ledger.checkpoint(&hold, amounts(8), january);
    ledger.sweep(january + HOLD_TTL);
    let next = reserve(&ledger, std::slice::from_ref(&line), 5, february).unwrap();
    ledger.settle(&next, amounts(5), february);
    assert_eq!(ledger.settle(&hold, amounts(1), february), Settlement::ChargedLate);
    assert_eq!(remaining(&ledger, &line, february), 5, "January's charge is not February's refund");
}

pub(super) fn a_checkpoint_puts_the_deadline_off(make: Make<'_>) {
    let ledger = make();
    let lines = one_of_each();
    let hold = reserve(&ledger, &lines, 5, at(0)).unwrap();
    let silent = reserve(&ledger, &lines, 1, at(0)).unwrap();
    for beat in 1..10 {
        ledger.checkpoint(&hold, amounts(1), at(beat * TTL / 2));
        ledger.sweep(at(beat * TTL / 2));
        assert!(hold.is_live());
    }
    assert!(!silent.is_live());
    ledger.sweep(at(9 * TTL / 2 + TTL));
    assert!(!hold.is_live());
}

pub(super) fn an_ended_hold_gives_no_more(make: Make<'_>) {
    let ledger = make();
    let lines = one_of_each();
    let holds: Vec<Hold> = (0..3).map(|_| reserve(&ledger, &lines, 1, at(0)).unwrap()).collect();
    ledger.settle(&holds[0], amounts(1), at(0));
    ledger.release(&holds[1]);
    ledger.sweep(at(TTL));
    let before = standings(&ledger, &lines, at(TTL));
    for hold in &holds {
        let refusal = wait(ledger.extend(hold, amounts(1), at(TTL))).unwrap_err();
        assert_eq!(refusal.retry_after, None);
        assert!(wait(ledger.adjust(hold, lines.clone(), amounts(1), at(TTL))).is_err());
        ledger.checkpoint(hold, amounts(9), at(TTL));
    }
    assert_eq!(standings(&ledger, &lines, at(TTL)), before);
    assert_eq!(ledger.settle(&holds[2], amounts(1), at(TTL)), Settlement::ChargedLate);
    assert_eq!(remaining(&ledger, &lines[3], at(TTL)), 8, "a checkpoint after the end charges nothing");
}

pub(super) fn a_dropped_reservation_is_released_or_charged(make: Make<'_>) {
    let ledger = make();
    let lines = one_of_each();
    let book = |count| wait(Reservation::reserve(&ledger, lines.clone(), amounts(count), at(0))).unwrap();
    let now = || left(&standings(&ledger, &lines, at(0)));
    drop(book(4));
    assert_eq!(now(), [10, 10, 10, 10], "nothing was sent");
    let sent = book(4);
    sent.checkpoint(amounts(3), at(0));
    drop(sent);
    assert_eq!(now(), [9, 7, 10, 7], "three were delivered");
    let settled = book(4);
    settled.checkpoint(amounts(1), at(0));
    assert_eq!(settled.settle(amounts(2), at(0)), Settlement::Charged);
    assert_eq!(now(), [8, 5, 10, 5], "the drop after it charges nothing");
    let refused = book(1);
    refused.checkpoint(amounts(1), at(0));
    refused.release();
    assert_eq!(now(), [8, 5, 10, 5]);
    let grown = book(1);
    wait(grown.extend(amounts(1), at(0))).unwrap();
    wait(grown.adjust(lines.clone(), amounts(3), at(0))).unwrap();
    assert_eq!(left(&grown.standings()), [7, 2, 9, 2]);
}

pub(super) fn any_order_of_ends_conserves(make: Make<'_>) {
    // What happens to a hold: checkpoint, settle, release, expiry, drop; some of it twice.
    let fates = vec((0_usize..6, 0_u8..5, 0_u64..30), 0..40);
    proptest!(|(estimates in vec(1_u64..30, 6), fates in fates)| {
        let ledger = make();
        let lines =
            [line("spend", spend(1_000)), line("places", crate::quota::Bound::Concurrent { limit: 6 })];
        let mut now = 0;
        let mut holds: Vec<(Hold, u64)> = Vec::new();
        for estimate in estimates {
            holds.push((reserve(&ledger, &lines, estimate, at(now)).unwrap(), 0));
        }
        let mut state = [(0_u8, 0_u64, 0_u64, TTL); 6]; // phase, checkpoint, charged, deadline
        for (which, fate, amount) in fates {
            let hold = &holds[which].0;
            let (phase, checkpoint, charged, deadline) = &mut state[which];
            match fate {
                0 => {
                    ledger.checkpoint(hold, amounts(amount), at(now));
                    if *phase == 0 {
                        (*checkpoint, *deadline) = (amount, now + TTL);
                    }
                }
                1 => {
                    ledger.settle(hold, amounts(amount), at(now));
                    if *phase == 0 || *phase == 2 {
                        (*phase, *charged) = (1, amount);
                    }
                }
                2 => {
                    ledger.release(hold);
                    if *phase == 0 {
                        *phase = 1;
                    }
                }
                3 => {
                    now += TTL / 3;
                    ledger.sweep(at(now));
                    for (phase, checkpoint, charged, deadline) in &mut state {
                        if *phase == 0 && *deadline <= now {
                            (*phase, *charged) = (2, *checkpoint);
                        }
                    }
                }
                _ => {
                    ledger.abandon(hold);
                    if *phase == 0 {
                        (*phase, *charged) = (1, *checkpoint);
                    }
                }
            }
        }
        for (hold, _) in &holds {
            ledger.release(hold);
        }
        let charged: u64 = state.iter().map(|(_, _, charged, _)| charged).sum();
        prop_assert_eq!(left(&standings(&ledger, &lines, at(now))), [u128::from(1_000 - charged), 6]);
        prop_assert_eq!(ledger.size().1, 0, "no hold is left behind");
    });
}
