//! Several limits at once: all or nothing, when reserving and when moving to another candidate.

use super::fixtures::*;
use crate::quota::{Amounts, Bound, RefusalKind, Standing, SubjectKey};

pub(super) fn a_refusal_changes_no_other_line(make: Make<'_>) {
    for refusing in 0..4 {
        let ledger = make();
        let lines = one_of_each();
        // One line is nearly used up by somebody else, the others have a little in them.
        reserve(&ledger, &lines, 1, at(0)).unwrap();
        for _ in 0..9 {
            reserve(&ledger, &lines[refusing..=refusing], 1, at(0)).unwrap();
        }
        let before = standings(&ledger, &lines, at(0));
        let refusal = reserve(&ledger, &lines, 1, at(0)).unwrap_err();
        assert_eq!(refusal.limit, lines[refusing].limit);
        assert_eq!(standings(&ledger, &lines, at(0)), before, "refused by {refusing}");
        // The order of the lines makes no difference.
        let backwards: Vec<_> = lines.iter().rev().cloned().collect();
        assert_eq!(reserve(&ledger, &backwards, 1, at(0)).unwrap_err(), refusal);
        assert_eq!(standings(&ledger, &lines, at(0)), before, "refused by {refusing}, backwards");
    }
}

pub(super) fn the_longest_wait_is_told(make: Make<'_>) {
    let ledger = make();
    let lines = one_of_each();
    for _ in 0..10 {
        reserve(&ledger, &lines, 1, at(0)).unwrap();
    }
    let refusal = reserve(&ledger, &lines, 1, at(0)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Budget, "the month is the longest");
    let rates = reserve(&ledger, &lines[..3], 1, at(0)).unwrap_err();
    assert_eq!((rates.kind, rates.retry_after), (RefusalKind::Rate, Some(micros(360_000_000))));
    let places = reserve(&ledger, &lines[2..3], 1, at(0)).unwrap_err();
    assert_eq!(places.kind, RefusalKind::Concurrency);
    assert!(places.retry_after.is_some());
    // What can never pass outlasts everything.
    let hopeless = [line("tiny", tokens(1, micros(1))), lines[3].clone()];
    assert_eq!(reserve(&ledger, &hopeless, 2, at(0)).unwrap_err().retry_after, None);
}

pub(super) fn subjects_do_not_share(make: Make<'_>) {
    let ledger = make();
    for line in one_of_each() {
        let mut other = line.clone();
        other.subject = SubjectKey::new("{ada}\n");
        for _ in 0..10 {
            reserve(&ledger, std::slice::from_ref(&line), 1, at(0)).unwrap();
        }
        assert!(reserve(&ledger, std::slice::from_ref(&line), 1, at(0)).is_err());
        assert_eq!(remaining(&ledger, &other, at(0)), 10, "{other:?}");
        assert!(reserve(&ledger, &[other], 1, at(0)).is_ok());
    }
}

fn left(standings: &[Standing]) -> Vec<u128> {
    standings.iter().map(|standing| standing.remaining).collect()
}

pub(super) fn adjusting_moves_to_other_lines(make: Make<'_>) {
    let ledger = make();
    let lines = one_of_each();
    let other = line("other-model", tokens(10, micros(1_000_000)));
    let hold = reserve(&ledger, &lines, 2, at(0)).unwrap();
    assert_eq!(left(&hold.standings()), [9, 8, 9, 8]);
    // Dearer; the token rate is another one.
    let moved = vec![lines[0].clone(), other.clone(), lines[2].clone(), lines[3].clone()];
    wait(ledger.adjust(&hold, moved, amounts(5), at(0))).unwrap();
    assert_eq!(left(&hold.standings()), [9, 5, 9, 5]);
    assert_eq!(left(&standings(&ledger, &lines, at(0))), [9, 10, 9, 5], "the first rate has its tokens back");
    // Cheaper again, and back; the request still counts once.
    wait(ledger.adjust(&hold, lines.clone(), amounts(1), at(0))).unwrap();
    assert_eq!(left(&hold.standings()), [9, 9, 9, 9]);
    assert_eq!(remaining(&ledger, &other, at(0)), 10);
    ledger.settle(&hold, amounts(3), at(0));
    assert_eq!(left(&standings(&ledger, &lines, at(0))), [9, 7, 10, 7]);
}

pub(super) fn a_refused_adjustment_keeps_the_hold(make: Make<'_>) {
    let ledger = make();
    let lines = one_of_each();
    let hold = reserve(&ledger, &lines, 2, at(0)).unwrap();
    let before = standings(&ledger, &lines, at(0));
    let full = line("full", Bound::Concurrent { limit: 1 });
    reserve(&ledger, std::slice::from_ref(&full), 1, at(0)).unwrap();
    for moved in [vec![lines[3].clone(), full.clone()], vec![full.clone(), lines[1].clone()]] {
        let refusal = wait(ledger.adjust(&hold, moved, amounts(7), at(0))).unwrap_err();
        assert_eq!(refusal.limit, full.limit);
        assert_eq!(standings(&ledger, &lines, at(0)), before);
    }
    // Too dear.
    assert!(wait(ledger.adjust(&hold, lines.clone(), amounts(11), at(0))).is_err());
    assert_eq!(standings(&ledger, &lines, at(0)), before);
    ledger.release(&hold);
    assert_eq!(left(&standings(&ledger, &lines, at(0))), [10, 10, 10, 10]);
}

pub(super) fn extending_takes_more_or_nothing(make: Make<'_>) {
    let ledger = make();
    let lines = one_of_each();
    let hold = reserve(&ledger, &lines, 2, at(0)).unwrap();
    wait(ledger.extend(&hold, amounts(3), at(0))).unwrap();
    assert_eq!(left(&standings(&ledger, &lines, at(0))), [9, 5, 9, 5]);
    let dear = Amounts { input_tokens: 1, output_tokens: 0, spend: 6 };
    let refusal = wait(ledger.extend(&hold, dear, at(0))).unwrap_err();
    assert_eq!((refusal.limit, refusal.remaining), (lines[3].limit.clone(), 5));
    assert_eq!(left(&standings(&ledger, &lines, at(0))), [9, 5, 9, 5]);
    ledger.settle(&hold, amounts(4), at(0));
    assert_eq!(left(&standings(&ledger, &lines, at(0))), [9, 6, 10, 6]);
}

pub(super) fn standings_take_nothing(make: Make<'_>) {
    let ledger = make();
    let lines = one_of_each();
    let hold = reserve(&ledger, &lines, 4, at(0)).unwrap();
    ledger.settle(&hold, amounts(4), at(0));
    let first = standings(&ledger, &lines, at(0));
    assert_eq!(first, standings(&ledger, &lines, at(0)));
    assert_eq!(left(&first), [9, 6, 10, 6]);
    let resets: Vec<_> = first.iter().map(|standing| standing.reset.as_micros()).collect();
    // A tenth and four tenths of an hour; a place is free at once; the month ends at 23:00Z on the 31st.
    assert_eq!(resets, [360_000_000, 1_440_000_000, 0, (16 * 24 + 11) * 3_600_000_000]);
    let rate = Standing::tightest(&first, |bound| matches!(bound, Bound::Tokens { .. })).unwrap();
    assert_eq!(rate.limit, lines[1].limit);
    assert_eq!(Standing::tightest(&first, |_| true).unwrap().remaining, 6);
}
